"""Finalists confirmed on fresh seeds: who races, when it is decided, and what can be said of the winner."""
