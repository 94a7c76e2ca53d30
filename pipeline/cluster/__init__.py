"""The only place that imports ray."""

from pipeline.cluster.launch import interruptible, prepare, run  # isort: skip  (sets what ray reads as it is imported)
from pipeline.cluster.connecting import connected, cpus
from pipeline.cluster.gathering import gathered

__all__ = ["connected", "cpus", "gathered", "interruptible", "prepare", "run"]
