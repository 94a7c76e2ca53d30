"""The truth: what happened, a line at a time, and what it comes to."""
