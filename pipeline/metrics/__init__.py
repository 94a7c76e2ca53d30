"""How samples are measured against data."""
