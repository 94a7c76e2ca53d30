"""What a run takes of a node: how many fit on one, and what is said where none has so much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError

GIB = 2**30
CLOSE = 1e-9  # shares such as a third are not to lose a run to rounding


@dataclass(frozen=True)
class Share:
    """Of a node's CPUs and GPUs, and bytes of the memory that it has for runs; 0: none is set aside."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: float = 0.0

    def check(self) -> None:
        """Raises InputError for a number of GPUs that Ray does not know."""
        if self.gpus > 1 and not float(self.gpus).is_integer():
            raise InputError(
                f"--gpus-per-trial: found {self.gpus:g}; valid: a share of one, up to 1, or so many whole ones"
            )

    @property
    def threads(self) -> int:
        """That a run computes with on the CPU."""
        return max(1, int(self.cpus))

    @property
    def bundle(self) -> dict[str, float]:
        """As Ray's placement groups have it."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory}
        return {name: amount for name, amount in asked.items() if amount}

    @property
    def options(self) -> dict[str, Any]:
        """As Ray's tasks have it."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "memory": int(self.memory) or None}

    def fit(self, resources: Mapping[str, float]) -> int:
        """How many runs fit on a node at a time; a share of a GPU is of one GPU."""
        cpus, gpus = resources.get("CPU", 0), int(resources.get("GPU", 0))
        fit = int(cpus / self.cpus + CLOSE)
        if self.memory:
            fit = min(fit, int(resources.get("memory", 0) / self.memory + CLOSE))
        if self.gpus:
            fit = min(fit, gpus * int(1 / self.gpus + CLOSE) if self.gpus <= 1 else gpus // int(self.gpus))
        return fit

    def too_much(self, nodes: Mapping[str, Mapping[str, float]]) -> str:
        """That no node has room for a run, in words. nodes: what each has, by its host; at least one."""
        asked = {
            "--cpus-per-trial": (self.cpus, "CPU", 1.0),
            "--gpus-per-trial": (self.gpus, "GPU", 0.0),
            "--memory-per-trial": (self.memory, "memory", 0.0),
        }
        most = {key: max(has.get(key, 0) for has in nodes.values()) for _, key, _ in asked.values()}
        given = {name: (value, key) for name, (value, key, default) in asked.items() if value != default}
        beyond = {name: (value, key) for name, (value, key) in given.items() if value > most[key]}
        said = [
            f"{name} {_amount(value, key)} (the most that one node has: {_amount(most[key], key)})"
            for name, (value, key) in (beyond or given).items()
        ]
        together = "" if beyond or len(given) < 2 else ", not together"
        order = [key for _, key in given.values()] or ["CPU"]
        host, has = max(nodes.items(), key=lambda each: [each[1].get(key, 0) for key in (*order, "CPU")])
        way_out = "; leave it out to train on CPUs" if self.gpus and not most["GPU"] else ""
        return f"no node has room for a trial of {', '.join(said)}{together}; the largest, {host}: {had(has)}{way_out}"


def had(resources: Mapping[str, float], devices: str = "") -> str:
    """What a node has, in words. devices: of which kind its GPUs are."""
    gpus, memory = resources.get("GPU", 0), resources.get("memory", 0)
    kind = f" ({devices})" if devices else ""
    return f"{resources.get('CPU', 0):g} CPUs, {gpus:g} GPUs{kind}, {memory / GIB:.1f} GiB of memory for runs"


def _amount(value: float, key: str) -> str:
    return f"{value / GIB:.3g} GiB" if key == "memory" else f"{value:g}"
