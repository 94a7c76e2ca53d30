"""A sweep, from its folder to the driver at work on it."""
