"""From a YAML file to a space that trials are drawn from."""
