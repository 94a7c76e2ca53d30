"""The only place that imports ray."""

from pipeline.cluster.launch import interruptible, prepare, run  # isort: skip  (sets what ray reads as it is imported)
from pipeline.cluster.connecting import chosen, connected, cpus
from pipeline.cluster.gathering import gathered, survey

__all__ = ["chosen", "connected", "cpus", "gathered", "interruptible", "prepare", "run", "survey"]
