"""--set KEY=VALUE: a value of a sweep's tree replaced before the tree is read."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from pipeline.errors import InputError, one_of, show
from pipeline.schema.base import models_in
from pipeline.schema.sweep import SweepSpec
from pipeline.schema.trial import TrialSpec
from pipeline.space import yaml
from pipeline.space.tree import dotted, options

_STEP = re.compile(r"([^.\[\]]+)((?:\[[^\[\]]+\])*)(?:\.|$)")


def override(tree: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """The tree with each "dotted.key=YAML value" set, mappings made on the way where there are none.

    Under a choice whose options carry parameters, the dotted key is the one that a trial's params show:
    `regularisers.r1.weight=5` sets it in every option that has it (where none has, in every option that has
    the mapping it would be in), `regularisers[r1].r1.weight=5` in that option alone. The label of an option
    given to the choice itself (`regularisers=r1`) leaves that option. What can only be text, a label or a name, is
    taken as it is written, whatever YAML makes of 007, 1e3 or null. Raises InputError for a setting that is not
    KEY=VALUE and for a key that no option has a place for.
    """
    tree = copy.deepcopy(tree)
    for setting in settings:
        key, equals, text = setting.partition("=")
        steps = _steps(key.strip())
        if not equals or not steps:
            raise InputError(f'--set {setting}: found "{setting}"; valid: KEY=VALUE with a dotted key')
        value = yaml.parse(text, f"--set {setting}")
        _set(tree, steps, text.strip() if _is_text(steps, value) else value, setting)
    return tree


def check_chosen(tree: dict[str, Any], settings: Sequence[str], point: Mapping[str, Any]) -> None:
    """InputError for a setting within an option that `point`, by full names, has not chosen: it would do nothing.
    tree: with the settings in it."""
    for setting in settings:
        unchosen = _unchosen(tree, _steps(setting.partition("=")[0].strip()), "", point)
        if unchosen is None:
            continue
        name, chosen, labels = unchosen
        raise InputError(
            f"--set {setting}: is under {dotted(name)}: {' or '.join(labels)}, and what is trained has {chosen}; "
            f"valid: --set {dotted(name)}={labels[0]} before it"
        )


def _unchosen(node: Any, steps: list[str], name: str, point: Mapping[str, Any]) -> tuple[str, str, list[str]] | None:
    """The first choice on the path at which `point` has taken another way: its name, the label there, and those that
    the path goes through."""
    labelled = options(node)
    if not steps or (labelled is None and not (isinstance(node, dict) and steps[0] in node)):
        return None
    if labelled is None:
        return _unchosen(node[steps[0]], steps[1:], f"{name}.{steps[0]}" if name else steps[0], point)
    named = steps[0].startswith("[")
    through = [steps[0][1:-1]] if named else [label for label, option in labelled.items() if _reach(option, steps)]
    chosen = point[name]
    if chosen not in through:
        return name, chosen, through
    return _unchosen(labelled[chosen], steps[named:], f"{name}[{chosen}]", point)


def _is_text(steps: list[str], value: Any) -> bool:
    """Whether a plain value is for a key whose values are text: a name, a place."""
    if isinstance(value, (str, list, dict)):
        return False
    keys = [step for step in steps if not step.startswith("[")]
    if keys == ["init_from"]:  # a path stands for a mapping with one
        return value is not None
    models: list[type[BaseModel]] = [TrialSpec, SweepSpec]
    for key in keys[:-1]:
        fields = [model.model_fields[key].annotation for model in models if key in model.model_fields]
        models = [part for field in fields for part in models_in(field)] if fields else models  # else a user's name
    return any(model.model_fields[keys[-1]].annotation is str for model in models if keys[-1] in model.model_fields)


def _steps(key: str) -> list[str]:
    """ "a[b].c" as ["a", "[b]", "c"]; nothing for what is not a key."""
    steps: list[str] = []
    at = 0
    while at < len(key):
        step = _STEP.match(key, at)
        if step is None:
            return []
        steps += [step[1], *re.findall(r"\[[^\]]+\]", step[2])]
        at = step.end()
    return steps if not key.endswith(".") else []


def _set(tree: Any, steps: list[str], value: Any, setting: str) -> None:
    """Sets the value in `tree`, a mapping that is no choice, in place."""
    key, rest = steps[0], steps[1:]
    labelled = options(tree.get(key))
    if not rest:
        tree[key] = value if labelled is None else _option(labelled, value, setting)
    elif labelled is not None:
        _set_in_options(tree[key]["choice"], rest, value, setting)
    elif rest[0].startswith("["):
        raise InputError(f"--set {setting}: found {rest[0]} after {key}, which is no choice with options of its own")
    else:
        if not isinstance(tree.get(key), dict):
            tree[key] = {}
        _set(tree[key], rest, value, setting)


def _option(labelled: dict[str, Any], value: Any, setting: str) -> Any:
    """What a choice becomes that is set to `value`: the option of that label, or the value itself."""
    text = setting.partition("=")[2].strip()
    for label in (value, text):
        if isinstance(label, str) and label in labelled:
            return labelled[label]
    if isinstance(value, str) and all(isinstance(option, dict) for option in labelled.values()):
        raise InputError(f'--set {setting}: found the option "{value}", {one_of(value, labelled)}')
    return value


def _set_in_options(labelled: dict[str, Any], steps: list[str], value: Any, setting: str) -> None:
    if steps[0].startswith("["):
        label, rest = steps[0][1:-1], steps[1:]
        if label not in labelled:
            raise InputError(f'--set {setting}: found the option "{label}", {one_of(label, labelled)}')
        chosen = [label]
    else:
        rest = steps
        chosen = [label for label, option in labelled.items() if _reach(option, rest)]
        chosen = chosen or [
            label
            for label, option in labelled.items()
            if any(isinstance(place, dict) for place in _reach(option, rest[:-1]))
        ]
    if not chosen:
        known = "; ".join(f"{label}: {show(option)}" for label, option in labelled.items())
        raise InputError(
            f"--set {setting}: no option has {'.'.join(rest)} ({known}); name one, as in KEY[LABEL].{rest[0]}"
        )
    for label in chosen:
        if not rest:
            labelled[label] = value
            continue
        holder = {"option": labelled[label]}  # so that an option that is itself a choice is met like any other
        _set(holder, ["option", *rest], value, setting)
        labelled[label] = holder["option"]


def _reach(tree: Any, steps: list[str]) -> list[Any]:
    """What the path leads to, through every option of a choice on its way that has it."""
    if not steps:
        return [tree]
    labelled = options(tree)
    if labelled is not None and steps[0].startswith("["):
        label = steps[0][1:-1]
        return _reach(labelled[label], steps[1:]) if label in labelled else []
    if labelled is not None:
        return [value for option in labelled.values() for value in _reach(option, steps)]
    return _reach(tree[steps[0]], steps[1:]) if isinstance(tree, dict) and steps[0] in tree else []
