"""How other programs write a search space, and what to write here in its place."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import show
from pipeline.space.distributions import is_integer, is_number

# Each program's word for a kind, in small letters and without _: ours.
KINDS = {
    "uniform": "uniform",
    "quniform": "steps",
    "loguniform": "log",
    "loguniformvalues": "log",
    "qloguniform": "log",
    "qloguniformvalues": "log",
    "invloguniformvalues": "log",
    "intuniform": "int",
    "randint": "int",
    "qrandint": "steps",
    "lograndint": "log_int",
    "int": "int",
    "integer": "int",
    "float": "uniform",
    "double": "uniform",
    "range": "uniform",
    "categorical": "choice",
    "choice": "choice",
    "constant": "value",
    "discrete": "choice",
}
EXCLUSIVE = ("randint", "lograndint")  # whose upper end is not drawn, in Ray, NNI and hyperopt
WANDB = {"min", "max", "values", "value", "distribution", "q", "probabilities", "mu", "sigma"}
OPTUNA = {"low", "high", "log", "step", "type", "q", "base", "name"}
KATIB = {"feasibleSpace", "parameterType", "name"}
WHOLE_FILES = {
    "parameters": "a W&B or Katib sweep",
    "searchSpace": "an NNI experiment",
    "search_space": "an NNI search space",
    "apiVersion": "a Kubernetes resource, such as Katib's",
    "hydra": "a Hydra configuration",
    "param_distributions": "a scikit-learn search",
}
_CALL = re.compile(r"(?:\w+\.)*(\w+)\((.*)\)")


def instead(value: Any) -> str | None:
    """What to write for a parameter that another program's space has in this way; None where it is none of these."""
    if isinstance(value, Mapping):
        keys = set(value)
        if keys == {"_type", "_value"}:
            return _written(str(value["_type"]), value["_value"])
        if "feasibleSpace" in keys and keys <= KATIB and isinstance(value["feasibleSpace"], Mapping):
            return _katib(str(value.get("parameterType", "")), value["feasibleSpace"])
        if keys & {"values", "value"} and keys <= WANDB:
            return _written("choice", value["values"]) if "values" in keys else show(value["value"])
        if {"min", "max"} <= keys <= WANDB:
            kind = str(value.get("distribution", ""))
            low, high = value["min"], value["max"]
            if kind in ("log_uniform", "q_log_uniform"):
                low, high = _exponentials([low, high])
            return _ranged(kind, low, high, value.get("q"))
        if {"low", "high"} <= keys <= OPTUNA:
            kind = "log" if value.get("log") is True else str(value.get("type", ""))
            return _ranged(kind, value["low"], value["high"], value.get("step", value.get("q")))
        if {"type", "bounds"} <= keys and isinstance(value["bounds"], Sequence) and len(value["bounds"]) == 2:
            return _ranged("log" if value.get("log_scale") else "", *value["bounds"])
        return None
    called = _CALL.fullmatch(value.strip()) if isinstance(value, str) else None
    return _called(called[1], called[2], value) if called else None


def whole_file(tree: Mapping[str, Any]) -> str | None:
    """What program's file this is, where it is none of ours."""
    return next((said for key, said in WHOLE_FILES.items() if key in tree), None)


def _katib(kind: str, space: Mapping[str, Any]) -> str | None:
    if isinstance(space.get("list"), list):
        return _written("choice", [_value(each) for each in space["list"]])
    if not {"min", "max"} <= set(space):
        return None
    log = "log" if str(space.get("distribution", "")).startswith("log") else kind
    return _ranged(log, _value(space["min"]), _value(space["max"]), _value(space.get("step")))


def _ranged(word: str, low: Any, high: Any, step: Any = None) -> str | None:
    if not (is_number(low) and is_number(high)):
        return None
    kind = KINDS.get(_plain(word), "log" if word == "log" else "")
    whole = is_integer(low) and is_integer(high) and kind != "uniform"
    if step is not None and kind != "log":
        return f"{{steps: {show([low, high, step])}}}"
    if kind in ("log", "log_int"):
        if low <= 0:
            return None  # no line with these numbers would do
        return f"{{{'log_int' if whole else 'log'}: {show([low, high])}}}"
    return f"{{{'int' if whole or kind == 'int' else 'uniform'}: {show([low, high])}}}"


def _written(word: str, body: Any) -> str | None:
    kind = KINDS.get(_plain(word))
    if kind is None or not isinstance(body, Sequence) or isinstance(body, str):
        return None
    if kind == "choice":
        if not body:
            return None
        return f"{{choice: {show(list(body))}}}"
    if len(body) < 2:
        return None
    low, high, *step = body[:3]
    if _plain(word) in EXCLUSIVE and is_integer(high):
        high -= 1
    return _ranged(word, low, high, *step)


def _called(word: str, inside: str, text: str) -> str | None:
    """tune.loguniform(1e-4, 1e-1), hp.choice('norm', ['batch']), suggest_float('lr', 1e-5, 1e-2, log=True)"""
    if _plain(word.removeprefix("suggest_")) not in KINDS:
        return None
    try:
        call = ast.parse(f"f({inside})", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        body = [ast.literal_eval(each) for each in call.args]
        named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        plain = [part.strip() for part in inside.split(",")]  # Hydra's choice(a, b)
        return _written(word, plain) if _plain(word) == "choice" else None
    if body and isinstance(body[0], str) and len(body) > 1 and _plain(word.removeprefix("suggest_")) != "choice":
        body = body[1:]  # the parameter's name
    if len(body) == 2 and isinstance(body[0], str) and isinstance(body[1], list | tuple):
        body = body[1:]
    if len(body) == 1 and isinstance(body[0], list | tuple):
        body = list(body[0])
    if text.startswith("hp.") and "loguniform" in word:
        body = _exponentials(body[:2])  # hyperopt gives the logarithms
    if len(body) >= 2 and (named.get("log") is True or "step" in named):
        return _ranged("log" if named.get("log") is True else word, body[0], body[1], named.get("step"))
    return _written(word.removeprefix("suggest_"), body)


def _exponentials(ends: list[Any]) -> list[Any]:
    """The ends of a range whose logarithms these are; [None, None] where there is no such number."""
    if not all(is_number(end) and abs(end) < 700 for end in ends):
        return [None, None]
    return [float(f"{math.exp(end):.3g}") for end in ends]


def _value(text: Any) -> Any:
    """Katib writes numbers as text."""
    if not isinstance(text, str):
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _plain(word: str) -> str:
    return word.lower().replace("_", "")
