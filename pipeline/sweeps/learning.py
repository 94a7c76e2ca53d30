"""What a new sweep takes over from earlier ones: their best and their failed configurations, in its own parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import InputError
from pipeline.record.home import EVENTS, existing, names
from pipeline.record.log import read
from pipeline.record.runs import HEALTH_REASONS
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.schema.base import flatten
from pipeline.schema.sweep import LearnedSpec
from pipeline.space import places
from pipeline.space.load import LEARNED, SweepFile
from pipeline.space.tree import Space

BEST = 3  # configurations of each sweep that are proposed from
MOST = 60  # of those that stayed healthy, and of those that did not


def learning(file: SweepFile, folder: Path) -> SweepFile:
    """The file with what the sweeps of its `search.learn_from` came to, which the record of the sweep in `folder` then
    keeps, and a notice for each. Raises InputError for one that is not there, is this one itself, has no healthy trial,
    or shares no parameter; of `home` such a one is passed over."""
    asked, home = file.sweep.search.learn_from, folder.parent
    learned, notices = list[LearnedSpec](), list[str]()
    for name in reversed(names(home)) if asked == "home" else dict.fromkeys(asked):
        try:
            if name == folder.name:
                raise InputError(f"found {name}, which is this sweep itself; valid: names of earlier ones")
            state = SweepState.fold(read(existing(name, home) / EVENTS)[0])
            each = _learned(name, state, file)
        except InputError as error:
            if asked == "home":
                continue
            raise InputError(f"{file.source}: search.learn_from: {error}") from None
        learned.append(each)
        notices.append(_said(each, state, file))
    if asked == "home" and not learned:
        notices.append("search.learn_from: no sweep in the home has a healthy trial and a parameter of this space")
    tree = {**file.tree, LEARNED: [each.model_dump(mode="json") for each in learned]} if learned else file.tree
    return replace(file, learned=tuple(learned), notices=(*file.notices, *notices), tree=tree)


def _learned(name: str, state: SweepState, file: SweepFile) -> LearnedSpec:
    healthy = [trial for trial in state.ranking() if trial.healthy]
    if not healthy:
        raise InputError(f"found {name}, of which no trial stayed healthy; valid: a sweep with one")
    space = file.space
    best = [met(space, trial) for trial in healthy[:BEST]]
    if not best[0]:
        raise InputError(f"found {name}, which shares no parameter with this space; valid: a sweep of some of them")
    failed = [trial for trial in state.trials.values() if trial.end_reason in HEALTH_REASONS]
    step = math.ceil(max(len(failed), len(healthy)) / MOST)  # one for both: how often it fails is to be seen from them
    same = same_data(state.space["data"], file.tree["data"]) and state.metric == file.sweep.objective
    others, missed = (tuple(met(space, trial) for trial in each[::step]) for each in (healthy[BEST:], failed))
    return LearnedSpec(sweep=name, best=tuple(best), healthy=others, failed=missed, same=same)


def same_data(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """A path that is there no more is known by its own name: data move with a home."""
    if any(earlier.get(key) != now.get(key) for key in ("resolution", "limit", "low", "paired")):
        return False
    there, here = (places.files_of(each["name"]) for each in (earlier, now))
    named = [_by_own_names(each["name"], files) for each, files in ((earlier, there), (now, here))]
    return named[0] == named[1] and all(
        not Path(one).exists() or Path(one).resolve() == Path(other).resolve()
        for one, other in zip(there, here, strict=True)
    )


def _by_own_names(name: str, files: list[str]) -> str:
    for each in files:
        name = name.replace(each, Path(each).name)
    return name


def met(space: Space, trial: Trial) -> dict[str, Any]:
    """A trial of another space by the full names of this one's parameters: those that it searched too, and those
    whose values there can be drawn here."""
    there = flatten(trial.spec)
    values = {}
    for parameter in space.parameters():
        key = parameter.key.partition(".with.")[2] or parameter.key  # what comes with an option is its own section
        value = trial.point[parameter.name] if parameter.name in trial.point else _value(there, key)
        if value is not None and parameter.distribution.contains(value):
            values[parameter.name] = parameter.distribution.take(value)
    return values


def _value(spec: Mapping[str, Any], key: str) -> Any:
    """The discriminator's rate may be written as a ratio, and is the generator's where it is not written."""
    if key in ("optimiser.lr_d", "optimiser.lr_ratio"):
        lr_g = spec["optimiser.lr_g"]
        lr_d = spec.get("optimiser.lr_d") or lr_g * (spec.get("optimiser.lr_ratio") or 1)
        return lr_d if key == "optimiser.lr_d" else lr_d / lr_g
    return spec.get(key)


def _said(each: LearnedSpec, state: SweepState, file: SweepFile) -> str:
    space = file.space
    there = dict.fromkeys(parameter.key for parameter in space.parameters())
    shared = dict.fromkeys(parameter.key for parameter in space.parameters() if parameter.name in each.best[0])
    missing = [key for key in there if key not in shared]
    failures = f" and {len(each.failed)} that failed" if each.failed else ""
    less = f", not {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}" if missing else ""
    another = f"of other data ({state.space['data']['name']})"
    if state.metric != file.sweep.objective:
        another = f"by another objective ({state.metric})"
    other = "" if each.same else f"; it is {another}, so it counts for less"
    return (
        f"search.learn_from: {each.sweep}: the {len(each.best)} best{failures} of {len(state.trials)} trials; "
        f"{len(shared)} of {len(there)} parameters are known from there{less}{other}"
    )
