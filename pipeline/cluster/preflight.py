"""Every node looked at before a run goes there: it is to see the sweep's files and data, and to be the same program."""

from __future__ import annotations

import contextlib
import functools
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.drivers import looking
from pipeline.drivers.nodes import JOINED, LEFT_OUT, Change, Node
from pipeline.drivers.share import Share
from pipeline.errors import StorageLost, one_line
from pipeline.storage.storage import opened

LIMIT = 15.0  # seconds in which a node must answer
LONGEST = 27.0  # ... as long as there is none that can be used: all may be busy
LOOK = 0.5  # seconds between looks at whether anyone still wants to know
ROOM = 64 * 2**20  # bytes that are to be free
SILENT = "no answer"  # what the cause begins with of a node that may be asked again

_look = ray.remote(max_retries=0)(looking.look)  # by its own name, so that its worker imports no Tune


@dataclass(frozen=True)
class Wanted:
    """What every node is to have."""

    folder: Path  # the sweep's, absolute
    files: tuple[Path, ...]  # the data set's folders
    share: Share  # of a trial
    storage: str = ""  # the sweep's, where its machines share no folder

    @property
    def place(self) -> str:
        """Where the sweep is, for all of them."""
        return self.storage or str(self.folder)


@contextmanager
def exchange(folder: Path) -> Iterator[tuple[Path, str]]:
    """A folder in the sweep's with a nonce in it, for the time of one look."""
    place, nonce = folder / f".look-{secrets.token_hex(4)}", secrets.token_hex(16)
    place.mkdir(parents=True)
    try:
        (place / looking.NONCE).write_text(nonce)
        yield place, nonce
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def meeting(wanted: Wanted) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """The same in the sweep's folder or its storage: where that is, and whether a node's answer has arrived there."""
    if not wanted.storage:
        with exchange(wanted.folder) as (folder, nonce):
            yield str(folder), lambda node: _text(folder / node) == looking.answer(nonce, node)
        return
    place, nonce = f"{wanted.storage}/look/{secrets.token_hex(4)}", secrets.token_hex(16)
    storage = opened(place, looking.PATIENCE)
    storage.put(looking.NONCE, nonce.encode())
    try:
        yield place, lambda node: looking.read(storage, node) == looking.answer(nonce, node)
    finally:
        with contextlib.suppress(StorageLost):
            for name in storage.names(""):
                storage.delete(name)


def _text(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        return path.read_text()
    return None


def looked(wanted: Wanted, nodes: Sequence[Node], over: Callable[[], bool] = lambda: False) -> Iterator[Change]:
    """What comes of each of the nodes, all asked at once: JOINED, or LEFT_OUT and why. One that does not answer in
    time is LEFT_OUT too, with SILENT: it may be busy with what is not ours. Nothing more comes once it is `over`."""
    mine = looking.whoever() | {"files": {str(path): looking.fingerprint(path) for path in wanted.files}}
    with meeting(wanted) as (place, arrived):
        order = place, [str(path) for path in wanted.files], wanted.share.gpus > 0
        asked = {_look.options(**_there(node, wanted.share)).remote(node.id, *order): node for node in nodes}
        began, limit = time.monotonic(), LONGEST
        while asked and not over() and (left := began + limit - time.monotonic()) > 0:
            for ready in ray.wait(list(asked), timeout=min(LOOK, left))[0]:
                node = asked.pop(ready)
                why = _said(ready, mine, wanted, functools.partial(arrived, node.id))
                limit = limit if why else LIMIT
                yield Change(node, LEFT_OUT if why else JOINED, why)
        for late, node in asked.items():
            ray.cancel(late, force=True)
            if not over():
                yield Change(node, LEFT_OUT, f"{SILENT} within {limit:.0f} s (busy with other work, or not reached)")


def _there(node: Node, share: Share) -> dict[str, Any]:
    return share.options | {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}


def _said(
    answer: ray.ObjectRef[Any], mine: Mapping[str, Any], wanted: Wanted, arrived: Callable[[], bool]
) -> str | None:
    try:
        theirs = ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        return f"its gansweep is another one: {one_line(error.cause)}"
    except ray.exceptions.RayError as error:
        return f"nothing can be run there: {one_line(error)}"
    return problem(mine, theirs, wanted, arrived=arrived())


def problem(mine: Mapping[str, Any], theirs: Mapping[str, Any], wanted: Wanted, *, arrived: bool) -> str | None:
    """Why runs cannot go to a node, in words. mine, theirs: what looking says of the driver and of the node; arrived:
    whether what the node wrote into the sweep's folder is there."""
    for name, version in mine["versions"].items():
        if theirs["versions"].get(name) != version:
            return f"has {name} {theirs['versions'].get(name)}, the driver {version}; install one for all"
    if theirs["source"] != mine["source"]:
        return (
            f"its gansweep's source is another ({theirs['source']}, the driver's {mine['source']}); install one for all"
        )
    shared = "it must be one folder that all nodes share (--home), or --storage s3://BUCKET/FOLDER"
    if wanted.storage:
        shared = "each node needs its credentials"
    if theirs["unread"]:
        return f"does not see {wanted.place} as the driver does ({theirs['unread']}); {shared}"
    if theirs["unwritten"]:
        return f"cannot write to {wanted.place} ({theirs['unwritten']})"
    if not arrived:
        return f"what it writes to {wanted.place} does not arrive; {shared}"
    for path, fingerprint in theirs["files"].items():
        if fingerprint is None and mine["files"][path] is not None:
            return f"cannot read the data in {path}, which the driver can"
        if fingerprint != mine["files"][path] is not None:
            return f"has other data in {path} than the driver ({fingerprint}, the driver {mine['files'][path]})"
    for place, free in theirs["free"].items():
        if free is not None and free < ROOM:
            return f"has {free / 2**20:.0f} MiB free in {place}; valid: {ROOM // 2**20} or more"
    if theirs["gpu"]:
        return f"its GPU cannot be used: {theirs['gpu']}"
    return None
