"""Every section of the YAML: its names, facts and defaults, which need nothing but the ground."""
