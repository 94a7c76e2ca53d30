"""The nodes that runs can be on, as the driver counts them: how many fit on each, and which are left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

JOINED, LEFT, LEFT_OUT = "joined", "left", "left_out"
LEAST, MOST = 4, 16  # runs for which further nodes are asked for at a time
INSTANT = 2  # failed attempts after which a node on which nothing worked is left out


@dataclass(frozen=True)
class Node:
    """id: Ray's; "" of this machine, where a Ray of our own has no other. slots: runs that fit on it at a time."""

    id: str
    host: str
    slots: int


@dataclass(frozen=True)
class Change:
    """What became of a node: it JOINED, LEFT, or is LEFT_OUT, and why."""

    node: Node
    state: str
    why: str | None = None


class Nodes:
    """Those in use, and what runs came to on each of them."""

    def __init__(self, nodes: Iterable[Node], limit: int | None = None) -> None:
        """limit: runs at a time on all of them together; None: as many as fit."""
        self._there = {node.id: node for node in nodes}
        self._limit = limit
        self._worked: set[str] = set()
        self._faults: dict[str, int] = {}
        self._lost: dict[str, set[tuple[int, int]]] = {}

    @property
    def slots(self) -> int:
        """Runs at a time, as things are."""
        fit = sum(node.slots for node in self._there.values())
        return fit if self._limit is None else min(self._limit, fit)

    def more(self, waiting: int) -> int:
        """For how many of the runs that wait a further node is wanted: for no more than there are already, so that a
        cluster grows in steps, and for none beyond the limit."""
        fit = sum(node.slots for node in self._there.values())
        wanted = min(waiting, MOST, max(LEAST, fit))
        return wanted if self._limit is None else max(0, min(wanted, self._limit - fit))

    def __len__(self) -> int:
        return len(self._there)

    def heard(self, change: Change) -> None:
        """One that joins again begins anew."""
        if change.state == JOINED:
            self._there[change.node.id] = change.node
        else:
            self._there.pop(change.node.id, None)

    def place(self, taken: Collection[str], avoided: Collection[str] = ()) -> Node | None:
        """Where a further run goes: to the node with the most room; None where there is no room. taken: the node of
        each run under way. avoided: nodes that were at fault for its earlier attempts, which it is given again only
        where there are no others."""
        if len(taken) >= self.slots:
            return None
        others = [node for node in self._there.values() if node.id not in avoided]
        room = {node: node.slots - sum(each == node.id for each in taken) for node in others or self._there.values()}
        best = max(room, key=lambda node: room[node], default=None)
        return best if best is not None and room[best] > 0 else None

    def worked(self, node: str) -> None:
        """A run has been measured on it."""
        self._worked.add(node)

    def at_fault(self, node: str) -> Node | None:
        """An attempt failed by what the node lacks, before it came to anything. Returns the node where it is to be
        left out."""
        self._faults[node] = self._faults.get(node, 0) + 1
        return self._untried(node) if self._faults[node] >= INSTANT else None

    def lost(self, node: str, run: tuple[int, int]) -> Node | None:
        """The same of an attempt whose worker is gone: that may be the run's doing, so it takes two runs, and another
        node to go on with."""
        self._lost.setdefault(node, set()).add(run)
        return self._untried(node) if len(self._lost[node]) >= INSTANT and len(self) > 1 else None

    def _untried(self, node: str) -> Node | None:
        return None if node in self._worked else self._there.get(node)
