"""Data sets: read, split, kept."""
