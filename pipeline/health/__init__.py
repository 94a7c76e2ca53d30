"""When a run is sick."""
