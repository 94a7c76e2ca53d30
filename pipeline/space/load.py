"""From a preset's name or a YAML file to everything a sweep is made of."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import InputError, one_of, show
from pipeline.plugin import absolute, is_own
from pipeline.schema.base import flatten, parse
from pipeline.schema.datasets import FOLDERS, lookup
from pipeline.schema.health import DEFAULT_RULES, recorded_rules
from pipeline.schema.kinds import KINDS
from pipeline.schema.metrics import METRICS, Metric, On, own_metrics
from pipeline.schema.metrics import known as known_metric
from pipeline.schema.sweep import LearnedSpec, ObjectiveSpec, SearchSpec, SweepSpec
from pipeline.schema.trial import TrialSpec
from pipeline.space import yaml
from pipeline.space.check import check
from pipeline.space.dialects import whole_file
from pipeline.space.override import check_chosen, override
from pipeline.space.pinning import pinned
from pipeline.space.places import data_named
from pipeline.space.tree import Point, Space, is_distribution

TRIAL_KEYS = tuple(TrialSpec.model_fields)
SWEEP_KEYS = tuple(SweepSpec.model_fields)
OTHER_KEYS = ("about", "known_good")
LEARNED = "learned"  # of the resolved tree alone: search.learn_from is what a user writes
PLACES = ("imagefolder:", FOLDERS)
NOT_TRIED = "; this point is not tried"


@dataclass(frozen=True)
class SweepFile:
    """name: the preset's, or the file's without its ending. known_good: points by full name, in the order they
    are tried. notices: what a user should be told. tree: the file as resolved, which from_tree reads back."""

    name: str
    about: str
    source: str
    sweep: SweepSpec
    space: Space
    known_good: tuple[Point, ...]
    notices: tuple[str, ...]
    tree: dict[str, Any]
    learned: tuple[LearnedSpec, ...] = ()  # from the sweeps of search.learn_from, which the record keeps

    @property
    def metric(self) -> Metric:
        """What is known of the objective."""
        return known_metric(self.sweep.objective, own_metrics(self.tree))

    @property
    def several(self) -> list[tuple[ObjectiveSpec, bool]]:
        """Several objectives, with whether less is better; none where there is one."""
        own = own_metrics(self.tree)
        return [
            (each, each.reach is not None or known_metric(each.metric, own).minimise) for each in self.sweep.objectives
        ]


def presets() -> dict[str, Path]:
    """The presets by name: search_spaces/ beside the package, as in a checkout, or where an installation put it."""
    package = Path(__file__).resolve().parents[1]
    places = (package.parent, package, Path(sys.prefix) / "share" / "gansweep")
    folder = next((place / "search_spaces" for place in places if (place / "search_spaces").is_dir()), None)
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))} if folder else {}


def load(space: str, overrides: Sequence[str] = (), **search: Any) -> SweepFile:
    """The sweep that `space`, a preset's name or a YAML file's path, writes, with each "dotted.key=YAML value" of
    `overrides` set (see space/override.py) and each keyword as its `search` has it (None: as in the file).

    Raises InputError for whatever is wrong in it, in one line that names file and key.
    """
    unknown = [key for key in search if key not in SearchSpec.model_fields]
    if unknown:
        raise TypeError(f"search has no {', '.join(unknown)}")
    tree, source, name = _read(space)
    _check_keys(tree, source)
    given = {key: value for key, value in search.items() if value is not None}
    changed = _placed(data_named(override(tree, overrides), source))
    if given:
        before = changed.get("search") or {}
        if isinstance(before, dict):
            changed["search"] = {**before, **given}
    if not overrides or changed.get("known_good") != tree.get("known_good"):
        return _build(changed, source, name, None)
    return _build(changed, source, name, Space.parse(_trial_part(tree), source))


def from_tree(tree: Mapping[str, Any], source: str, name: str | None = None) -> SweepFile:
    """The sweep whose SweepFile.tree this is."""
    return _build(dict(tree), source, name or Path(source.removeprefix("preset ")).stem, None)


def recorded_space(tree: Mapping[str, Any], source: str) -> Space:
    """The space alone of a sweep's tree as its record has it, all of which was checked when the sweep was begun."""
    return Space.parse(_trial_part(tree), source)


def load_trial(path: str, overrides: Sequence[str] = ()) -> tuple[TrialSpec, SweepSpec, tuple[str, ...]]:
    """One configuration to train without a search: a YAML in which nothing is searched, or the first known_good
    point of a preset or a space, which a notice then says."""
    tree, source, name = _read(path)
    _check_keys(tree, source)
    notices: list[str] = []
    if "objective" not in tree:
        tree = {**tree, "objective": _default_objective(tree, source)}
        notices.append(f"{source}: objective: not given, taken as {tree['objective']}")
    original = Space.parse(_trial_part(tree), source) if overrides else None
    changed = _placed(data_named(override(tree, overrides), source))
    file = _build(changed, source, name, original)
    searched = [parameter.key for parameter in file.space.parameters()]
    if searched and not file.known_good:
        lost = [notice for notice in file.notices if notice.startswith(f"{source}: known_good[0]: ")]
        if lost:
            line = lost[-1].removesuffix(NOT_TRIED)
            raise InputError(
                line + (", with --set" if " lacks " in line else "; valid: --set for all that is searched")
            )
        raise InputError(f"{source}: searches {', '.join(searched)} and has no known_good; valid: one value for each")
    point = file.known_good[0] if searched else {}
    _, trial = file.space.fixed(point)
    if searched:
        check_chosen(changed, overrides, point)
        notices.append(f"{source}: is a space; training its first known_good configuration")
    return parse(TrialSpec, trial, source), file.sweep, (*file.notices, *notices)


def _read(space: str) -> tuple[dict[str, Any], str, str]:
    """Tree, source and name."""
    known = presets()
    if space in known:
        source = f"preset {space}"
        return _placed(data_named(yaml.read_mapping(known[space], source), source)), source, space
    path = Path(space)
    if not path.exists():
        raise InputError(f"{space}: found neither a file nor a preset of this name, {one_of(space, known)}")
    return _placed(data_named(yaml.read_mapping(path, space), space)), space, path.stem


def _placed(tree: Any) -> Any:
    """The tree with each "file.py:object" and folder of images in it absolute: a resume may come from elsewhere."""
    if isinstance(tree, dict):
        return {key: value if key == "about" else _placed(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_placed(value) for value in tree]
    return absolute(tree) if isinstance(tree, str) and (is_own(tree) or tree.startswith(PLACES)) else tree


def _check_keys(tree: Mapping[str, Any], source: str) -> None:
    known = (*OTHER_KEYS, *SWEEP_KEYS, *TRIAL_KEYS)
    if (other := whole_file(tree)) is not None:
        raise InputError(
            f"{source}: is {other}; valid: a space of gansweep, in which a range stands where the value would: "
            "optimiser: {lr_g: {log: [1e-5, 1e-2]}} (see docs/space.md, and gansweep spaces)"
        )
    for key in tree:
        if key not in known:
            raise InputError(f'{source}: unknown key "{key}", {one_of(key, known)}')


def _trial_part(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key in TRIAL_KEYS}


def _build(tree: dict[str, Any], source: str, name: str, original: Space | None) -> SweepFile:
    """`original`: the space before overrides, by which the known_good points were written."""
    _check_keys({key: value for key, value in tree.items() if key != LEARNED}, source)
    about = tree.get("about", "")
    if not isinstance(about, str):
        raise InputError(f"{source}: about: found {show(about)}; valid: a line of text")
    if tree.get("init_from") is not None:
        tree = tree | {"init_from": pinned(tree["init_from"], source)}
    sweep = parse(SweepSpec, {key: value for key, value in tree.items() if key in SWEEP_KEYS}, source)
    space = Space.parse(_trial_part(tree), source)
    warnings = check(space)
    own = own_metrics(tree)
    wanted = dict.fromkeys((sweep.objective, *(each.metric for each in sweep.objectives)))
    for metric in wanted:
        if metric.partition(".")[0] not in (*METRICS, *own):
            raise InputError(f'{source}: objective: found "{metric}", {one_of(metric, [*METRICS, *own])}')
    data = tree["data"]["name"]  # fixed and known: checked just now
    low = tree["data"].get("low") is not None
    paired = low or tree["data"].get("paired", False)
    if (known := lookup(data)) is not None:
        for metric in wanted:
            On(data, known.kind, known.mixture, known.labelled, known.domains, paired, low).check(metric, source, own)
    points, notices = _known_good(tree.get("known_good"), space, original, source)
    learned = tuple(parse(LearnedSpec, each, f"{source}: learned") for each in tree.get(LEARNED) or ())
    sweep = _guided(sweep, bool(points or learned), "prior" in (tree.get("search") or {}), source)
    resolved = {
        "about": about,
        **_sweep_tree(sweep),
        **copy.deepcopy(space.tree),
        "known_good": [dict(p) for p in points],
        **({LEARNED: [each.model_dump(mode="json") for each in learned]} if learned else {}),
    }
    return SweepFile(name, about, source, sweep, space, tuple(points), (*warnings, *notices), resolved, learned)


def _guided(sweep: SweepSpec, known: bool, asked: bool, source: str) -> SweepSpec:
    """With a prior only where there is something to be near to, and one score to be good by."""
    if sweep.search.learn_from and (sweep.search.prior is None or sweep.objectives):
        why = "several objectives" if sweep.objectives else "no prior"
        raise InputError(f"{source}: search.learn_from: found with {why}; valid: one objective, and a prior")
    if sweep.search.prior is None or ((known or sweep.search.learn_from) and not sweep.objectives):
        return sweep
    if asked:
        why = (
            "with several objectives; valid: null"
            if known
            else "without known_good points; valid: null, or such points"
        )
        raise InputError(f"{source}: search.prior: found {why}")
    return sweep.model_copy(update={"search": sweep.search.model_copy(update={"prior": None})})


WITHOUT = {"prior": None, "experience": False, "promote": None}  # what a search had not, where its record is silent


def as_begun(tree: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The tree by which a sweep that is there goes on as it was begun, whatever the defaults are by now: `tree` and
    `spec` as its record has them."""
    health = recorded_rules(spec["health"])
    return {**tree, "health": health, "search": WITHOUT | tree.get("search", {})}


def _sweep_tree(sweep: SweepSpec) -> dict[str, Any]:
    """The sweep-level keys with all defaults written out; a default rule that was turned off is null, as it is
    in a YAML, so that reading the tree does not turn it on again."""
    tree: dict[str, Any] = sweep.model_dump(mode="json")
    tree["health"] |= {rule: None for rule in DEFAULT_RULES if rule not in sweep.health}
    return tree


def _known_good(given: Any, space: Space, original: Space | None, source: str) -> tuple[list[Point], list[str]]:
    """The known_good points by full name; those that overrides made impossible are left out, with a notice."""
    if given is None:
        return [], []
    if not isinstance(given, list) or not all(isinstance(point, Mapping) for point in given):
        raise InputError(f"{source}: known_good: found {show(given)}; valid: a list of mappings, dotted.key: value")
    points: list[Point] = []
    notices: list[str] = []
    for number, flat in enumerate(map(flatten, given)):
        where = f"{source}: known_good[{number}]"
        if original is not None:
            written, _ = original.fixed(flat, where)
            flat, dropped = _still_searched(flat, written, space)
            if dropped:
                notices.append(f"{where}: leaves out what is set: {', '.join(dropped)}")
            try:
                point = _point(space, flat, where)
            except InputError as error:
                notices.append(f"{error}{NOT_TRIED}")
                continue
        else:
            point = _point(space, flat, where)
        if point not in points:
            points.append(point)
    return points, notices


def _still_searched(flat: dict[str, Any], written: Point, space: Space) -> tuple[dict[str, Any], list[str]]:
    """The part of a point that is searched still, and the keys that are not. written: the point by full names, which
    say under which options."""
    there = {
        key
        for parameter in space.parameters()
        if all(written.get(choice, label) == label for choice, label in parameter.branch)
        for key in (parameter.name, parameter.key)
    }
    kept = {key: value for key, value in flat.items() if key in there}
    return kept, [key for key in flat if key not in there]


def _point(space: Space, flat: Mapping[str, Any], where: str) -> Point:
    point, tree = space.fixed(flat, where)
    parse(TrialSpec, tree, where)
    return point


def _default_objective(tree: Mapping[str, Any], source: str) -> str:
    data = tree.get("data")
    name = data.get("name") if isinstance(data, Mapping) else None
    known = lookup(name) if isinstance(name, str) and not is_distribution(name) else None
    if known is None:
        raise InputError(f"{source}: objective: missing; it must be given")
    return KINDS[known.kind].objective + (f".{known.domains[-1]}" if known.domains else "")
