"""The command: its verbs, and what a terminal is shown."""
