"""What only building a game can tell to be right."""
