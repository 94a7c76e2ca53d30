"""The only place that imports ray."""

from pipeline.cluster.launch import connected, cpus, interruptible, prepare, run, slots

__all__ = ["connected", "cpus", "interruptible", "prepare", "run", "slots"]
