"""Whole objects kept by name, where machines share no disk: an object store, or a folder."""
