"""A damaged record: what is wrong with it, and what of it can be gone on with. The verb `doctor NAME`.

What was whole is kept, with the numbers put right. A line that is there twice goes once. Of a lost or damaged line
what follows from others is written again: an attempt from the lines of its run, the first line from sweep.yaml, a
trial from what the sampler proposed then. A trial's runs are kept where a checkpoint shows that it is the same
configuration; else they go too, and its folder is put aside. So do a pick's neighbours of which one is lost. The
damaged file stays beside the repaired one.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import durable
from pipeline.errors import InputError
from pipeline.record.check import FORMAT, Sequence
from pipeline.record.events import OF_A_TRIAL, Line
from pipeline.record.home import EVENTS, command, trial_folder
from pipeline.record.lock import Lock
from pipeline.record.log import decoded, dumps
from pipeline.schema.checkpoint import plain
from pipeline.seeds import run_seed

REPLICATES = 2000  # seeds of a search and of a pick that a lost attempt may have been of
NEIGHBOURS = ("perturb", "neighbour")


@dataclass
class Examined:
    """faults: a line each; lines: what is whole, in its order; lost: the trials whose line is not there; torn: bytes
    after the last whole line, which the next driver drops and says."""

    faults: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)
    torn: int = 0


def examine(folder: Path) -> Examined:
    """What is wrong with the record in a sweep's folder. Raises InputError where there is none, or a newer one."""
    path, examined = folder / EVENTS, Examined()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    raws = content.split(b"\n")
    examined.torn = len(raws.pop())
    sequence, seen, byte = Sequence(), set[int](), 0
    for number, raw in enumerate(raws, 1):
        line, wrong = decoded(path, raw)
        if not wrong:
            wrong = sequence.fault(line)
            again = line["event"] == "trial" and line["trial"] in sequence.trials
            if line["n"] not in seen and not again:  # out of its place, and whole
                examined.lines.append(line)
            sequence.add(line)
            seen.add(line["n"])
        if wrong:
            examined.faults.append(f"line {number} (byte {byte}): {wrong}")
        byte += len(raw) + 1
    there = {line["trial"] for line in examined.lines if line["event"] == "trial"}
    neighbours = {line["trial"] for line in examined.lines if line["event"] == "neighbour"}
    # A line that names a trial which cannot have been, even were each fault a lost trial, is damaged and not its trial.
    known, most = there | neighbours, len(there) + len(examined.faults)
    stray = [line for line in examined.lines if line["event"] in OF_A_TRIAL and line["trial"] not in known]
    named = {line["trial"] for line in stray if line["trial"] < most}
    examined.lines = [line for line in examined.lines if line not in stray or line["trial"] in named]
    examined.lost = set(range(max(there | named, default=-1) + 1)) - there
    return examined


def repair(folder: Path) -> list[str]:
    """Writes a record that can be gone on with, where it is damaged; what was done, a line each.

    Raises InputError where a driver is at it, or where its first line is lost and sweep.yaml too.
    """
    lock = Lock(folder)
    lock.acquire()
    try:
        examined = examine(folder)
        if not examined.faults:
            return []
        lines, said, aside_trials = _whole(examined, folder)
        aside = _free(folder / f"{EVENTS}.damaged")
        shutil.copy2(folder / EVENTS, aside)
        durable.sync_folder(folder)
        moment = max((line["time"] for line in lines), default=0.0)
        dropped = [*examined.faults, *said]
        lines.append({"v": FORMAT, "time": moment, "event": "repaired", "dropped": dropped, "damaged": aside.name})
        lock.fence.check()
        # The record last: a repair that ends before it is done again, one that ends after it is whole.
        for number in aside_trials:
            if (trial := trial_folder(folder, number)).exists():
                trial.rename(_free(trial.with_name(f"{number}.damaged")))
                durable.sync_folder(trial.parent)
        (folder / "tracking.json").unlink(missing_ok=True)  # its bytes are others: all is sent again, nothing doubles
        _write(folder / EVENTS, lines)
        return [*said, f"the damaged record is kept as {aside.name}"]
    finally:
        lock.release()


def _whole(examined: Examined, folder: Path) -> tuple[list[Line], list[str], list[int]]:
    """The lines of a record that stands, what was done besides leaving damaged ones out, and the trials whose runs are
    not in it any more."""
    said: list[str] = []
    lines = sorted(examined.lines, key=lambda line: line["n"])  # two that changed places
    if not lines or lines[0]["event"] != "sweep":
        lines = [_first(folder, lines), *lines]
        said.append("the first line was written again from sweep.yaml")
    lines = [lines[0], *(line for line in lines[1:] if line["event"] != "sweep")]
    lines = _without_lost_neighbours(lines, said)
    aside = []
    for number in sorted(examined.lost & set(range(1_000_000))):
        lines, trial = proposed_again(lines, number)
        if _on_disk(trial_folder(folder, number)) == trial["spec"]:
            said.append(f"the line of trial {number} was written again: its checkpoint is of what the sampler proposed")
            continue
        said.append(f"trial {number} is proposed again; its runs were left out, its folder is put aside")
        lines = [line for line in lines if not _rests_on(line, {number})]
        aside.append(number)
    return _with_attempts(lines, said), said, aside


def proposed_again(lines: list[Line], number: int) -> tuple[list[Line], Line]:
    """The lines with that of a trial which is lost, as the sampler proposes it from what is before its place: the first
    number that is free before what follows from it."""
    from pipeline.schema.base import parse
    from pipeline.schema.trial import TrialSpec, resolve
    from pipeline.search.sampler import Sampler
    from pipeline.space.load import as_begun, from_tree

    later = [at for at, line in enumerate(lines) if line["event"] in ("trial", *OF_A_TRIAL) and line["trial"] >= number]
    numbers = {line["n"] for line in lines}
    earlier = [line["n"] for line in lines if line["event"] == "trial" and line["trial"] == number - 1]
    from_here = earlier[0] if earlier else 0
    end = lines[later[0]]["n"] if later else lines[-1]["n"] + 1
    # of several that are free the last one: what was told before it was asked is known then
    place = next((n for n in range(end - 1, from_here, -1) if n not in numbers), end)
    before = [line for line in lines if line["n"] < place]
    file = from_tree(as_begun(lines[0]["space"], lines[0]["spec"]), lines[0]["source"])
    sampler = Sampler.of(file)
    sampler.replay(before)
    point, source = sampler.ask(number)
    cuda = any(line.get("launch", {}).get("gpus_per_trial") for line in before if line["event"] == "driver")
    spec = resolve(parse(TrialSpec, file.space.fixed(point)[1], file.source), cuda).model_dump(mode="json")
    made = {"trial": number, "point": point, "spec": spec, "source": source}
    trial = {"v": FORMAT, "n": place, "time": before[-1]["time"], "event": "trial", **made}
    return [*before, trial, *(line for line in lines if line["n"] >= place)], trial


def _on_disk(folder: Path) -> dict[str, Any] | None:
    """The configuration that a trial's checkpoints are of; None where there is none that can be read."""
    for checkpoint in sorted(folder.glob("seed-*/checkpoints/*.pt")):
        try:
            spec: dict[str, Any] = plain(checkpoint)["spec"]
            return spec
        except Exception:  # whatever a damaged file makes of it
            continue
    return None


def _rests_on(line: Line, lost: set[int]) -> bool:
    """Whether a line says nothing without the trials that are lost."""
    if line["event"] == "pick":
        return any(int(number) in lost for number in line["finalists"])
    return line["event"] in OF_A_TRIAL and line["trial"] in lost


def _first(folder: Path, lines: list[Line]) -> Line:
    from pipeline.space.load import from_tree
    from pipeline.space.yaml import read_mapping

    path = folder / "sweep.yaml"
    try:
        file = from_tree(read_mapping(path), str(path))
    except InputError as error:
        raise InputError(f"{folder.name}: its first line is lost, and cannot be written again: {error}") from None
    return {
        "v": FORMAT,
        "n": 0,
        "time": lines[0]["time"] if lines else 0.0,
        "event": "sweep",
        "name": folder.name,
        "space": file.tree,
        "source": str(path),
        "spec": file.sweep.model_dump(mode="json"),
        "seed": file.sweep.search.seed,
        "versions": {},
    }


def _without_lost_neighbours(lines: list[Line], said: list[str]) -> list[Line]:
    there = {line["trial"] for line in lines if line["event"] == "neighbour"}
    wanted = {number for line in lines if line["event"] == "perturb" for number in line["neighbours"]}
    if wanted == there:
        return lines
    said.append("the neighbours of a pick's winner were left out, as not all are there: pick --perturb makes them anew")
    gone = wanted | there
    return [line for line in lines if line["event"] not in NEIGHBOURS and line.get("trial") not in gone]


def _with_attempts(lines: list[Line], said: list[str]) -> list[Line]:
    """Each run's attempt before what it measured: it says which replicate a confirming run is."""
    replicates = {run_seed(lines[0]["seed"], number): number for number in range(REPLICATES)}
    begun: set[tuple[int, int, int]] = set()
    whole: list[Line] = []
    for line in lines:
        if line["event"] in OF_A_TRIAL and "attempt" in line:
            run = (line["trial"], line["seed"], line["attempt"])
            if line["event"] != "attempt" and run not in begun:
                whole.append(_attempt(line, replicates))
                said.append(f"attempt {run[2]} at trial {run[0]}, seed {run[1]} was written again from its run")
            begun.add(run)
        whole.append(line)
    return whole


def _attempt(line: Line, replicates: dict[int, int]) -> Line:
    from pipeline.picking.standing import FRESH

    number = replicates.get(line["seed"], 0)
    made: dict[str, Any] = {name: line[name] for name in ("v", "n", "time", "trial", "seed", "attempt")}
    return {**made, "event": "attempt", **({"replicate": number} if number >= FRESH else {})}


def _write(path: Path, lines: list[Line]) -> None:
    temporary = path.with_name(f".{path.name}.repaired")
    with temporary.open("wb") as file:
        for number, line in enumerate(lines):
            file.write(dumps({**line, "n": number}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    durable.replace(temporary, path)


def _free(path: Path) -> Path:
    return next(each for number in range(1, 10_000) if not (each := path.with_name(f"{path.name}-{number}")).exists())


def doctor(folder: Path, mend: bool) -> tuple[int, dict[str, Any]]:
    """Exit code and what there is to say of a sweep's record. mend: repairs it."""
    examined = examine(folder)
    document: dict[str, Any] = {"name": folder.name, "lines": len(examined.lines), "faults": examined.faults}
    document |= {"torn_bytes": examined.torn, "repaired": []}
    if not examined.faults:
        return 0, document
    if mend:
        document["repaired"] = repair(folder)
        return 0, document
    return 1, document | {"next": f"{command('doctor', folder)} --repair"}


def words(document: dict[str, Any]) -> list[str]:
    """What doctor() found, in lines."""
    name, faults = document["name"], document["faults"]
    torn = f"; a torn last line ({document['torn_bytes']} bytes), which the next start drops and says"
    torn = torn if document["torn_bytes"] else ""
    if not faults:
        return [f"{name}: its record is whole, {document['lines']} lines{torn}"]
    lines = [f"{name}: its record is damaged, {document['lines']} lines are whole{torn}", *faults]
    if not document["repaired"]:
        return [*lines, f"repair it with: {document['next']}"]
    return [*lines, "repaired:", *document["repaired"], f"go on with: gansweep resume {name}"]
