"""Who is there to run things: the nodes of a cluster that were looked at, and those that join and leave meanwhile."""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from pipeline.cluster.preflight import LIMIT, SILENT, Wanted, looked
from pipeline.drivers.driver import Driver
from pipeline.drivers.nodes import JOINED, LEFT, Change, Node
from pipeline.drivers.share import Share, had
from pipeline.errors import StorageLost, Unreachable

LOOK = 2.0  # seconds between looks at who has joined or left
LITTLE = 0.01  # of a GPU, to see whether it can be used
ENOUGH = 3  # nodes
AGAIN = 30.0  # seconds until one that did not answer is asked again


def present(share: Share) -> dict[str, Node]:
    """The nodes that are alive and have room for a run, by Ray's names of them."""
    nodes = [Node(each["NodeID"], _host(each), share.fit(each["Resources"])) for each in ray.nodes() if each["Alive"]]
    return {node.id: node for node in nodes if node.slots > 0}


def _host(node: dict[str, object]) -> str:
    host, name, at = (str(node[key]) for key in ("NodeManagerHostname", "NodeName", "NodeManagerAddress"))
    return f"{host} ({name if name != at else at})"


class Gathering:
    """Whom a sweep begins with, and in a thread of its own who joins and leaves."""

    def __init__(self, wanted: Wanted | None, nodes: Sequence[Node], first: Sequence[Change] = ()) -> None:
        """wanted: None of a Ray of our own, which is this machine and stays it."""
        self.nodes, self._changes = list(nodes), deque(first)
        self._wanted = wanted
        self._left: set[str] = set()
        self._refused = 0  # nodes that joined one after another and could not be used
        self._over = threading.Event()
        self._known = {change.node.id: change for change in first}
        self._asked = {change.node.id: time.monotonic() for change in first}
        self._thread = threading.Thread(target=self._watch, name="nodes", daemon=True)
        if wanted is not None:
            self._thread.start()

    @property
    def joinable(self) -> bool:
        """Whether there are nodes by name, and more may come."""
        return self._wanted is not None

    def tell(self, driver: Driver) -> None:
        """For the driver's thread: what has changed since the last time."""
        while self._changes:
            driver.heard(self._changes.popleft())

    def lost(self, driver: Driver) -> None:
        """For the driver's thread: a worker is gone. Where that is because its node is, no run is sent there again."""
        if self.joinable:
            with contextlib.suppress(ray.exceptions.RayError, RuntimeError):
                self._leave(present(self._share))
        self.tell(driver)

    def gone(self, node: str) -> bool:
        """Whether a node that was there has left."""
        return node in self._left

    def close(self) -> None:
        """Before Ray is shut down: nothing may ask it anything after that."""
        self._over.set()
        if self._wanted is not None:
            self._thread.join(LIMIT)

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            # Ray is gone: watch.py sees to that. The storage is away: who has joined meanwhile is asked again.
            with contextlib.suppress(ray.exceptions.RayError, RuntimeError, StorageLost):
                self._compare(present(self._share))

    @property
    def welcoming(self) -> bool:
        """Whether a further node would be of use: not where those that join are left out, one after another."""
        return self.joinable and self._refused < ENOUGH

    @property
    def _share(self) -> Share:
        return self._wanted.share if self._wanted else Share()

    def _compare(self, there: dict[str, Node]) -> None:
        assert self._wanted is not None
        self._leave(there)
        wanted = [node for name, node in there.items() if name not in self._known or self._worth_asking(name)]
        if not wanted:
            return
        self._asked |= {node.id: time.monotonic() for node in wanted}
        for change in looked(self._wanted, wanted, over=self._over.is_set):
            before = self._known.get(change.node.id)
            self._known[change.node.id] = change
            self._refused = 0 if change.state == JOINED else self._refused + (before is None)
            if before is None or change.state == JOINED:
                self._changes.append(change)

    def _leave(self, there: Collection[str]) -> None:
        for name in [name for name in list(self._known) if name not in there]:
            was = self._known.pop(name, None)  # both threads may come to it
            self._left.add(name)
            if was is not None and was.state == JOINED:
                self._changes.append(Change(was.node, LEFT))

    def _worth_asking(self, name: str) -> bool:
        silent = str(self._known[name].why).startswith(SILENT)
        return silent and time.monotonic() - self._asked[name] > AGAIN


def survey(home: Path) -> Iterator[tuple[str, str | None]]:
    """Of each node of the cluster what it has, in words, and why runs cannot go there, None where they can; `home` is
    made for it and removed again where there is none."""
    there = home.exists()
    nodes = [each for each in ray.nodes() if each["Alive"]]
    changes: dict[str, Change] = {}
    for share in (Share(), Share(gpus=LITTLE)):  # whether a GPU can be used is asked where there is one
        with_gpus = share.gpus > 0
        of = [each for each in present(share).values() if (_has(nodes, each.id).get("GPU", 0) > 0) == with_gpus]
        if of:
            changes |= {change.node.id: change for change in looked(Wanted(home, (), share), of)}
    if not there:
        with contextlib.suppress(OSError):
            home.rmdir()
    for each in nodes:
        has, change = each["Resources"], changes.get(each["NodeID"])
        kinds = sorted(name.partition(":")[2] for name in has if name.startswith("accelerator_type:"))
        said = f"{_host(each)}: {had(has, ', '.join(kinds))}"
        yield (f"{said}; trains nothing", None) if change is None else (said, change.why)


def _has(nodes: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    resources: dict[str, float] = next(each["Resources"] for each in nodes if each["NodeID"] == name)
    return resources


@contextmanager
def gathered(wanted: Wanted, *, cluster: bool) -> Iterator[Gathering]:
    """The nodes that runs can go to, for the time of the block. cluster: Ray was there before us; a Ray of our own is
    this machine, and nothing is asked of it.

    Raises Unreachable where there is none, with what each lacks, and where no node has what a trial asks for;
    InputError for a number of GPUs that Ray does not know.
    """
    wanted.share.check()
    there = list(present(wanted.share).values())
    if not there:
        has = {_host(each): each["Resources"] for each in ray.nodes() if each["Alive"]}
        if wanted.share != Share():
            raise Unreachable(wanted.share.too_much(has))
        raise Unreachable(
            "the cluster has no node with a CPU for a run; start one: ray start --address ... --num-cpus N"
        )
    if not cluster:
        yield Gathering(None, [Node("", platform.node(), there[0].slots)])
        return
    first = list(looked(wanted, there))
    good = [change.node for change in first if change.state == JOINED]
    if not good:
        causes = "; ".join(f"{change.node.host}: {change.why}" for change in first)
        raise Unreachable(f"no node of the cluster can be used: {causes}")
    gathering = Gathering(wanted, good, first)
    try:
        yield gathering
    finally:
        gathering.close()
