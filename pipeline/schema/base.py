"""The strict, frozen base of every spec, and how a validation error becomes one line."""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import InputError, one_of, quoted


class Strict(BaseModel):
    """A spec: unknown keys, coercions, NaN and infinities are errors; nothing can be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


S = TypeVar("S", bound=Strict)
NETWORK, OWN = "network", "own"  # the field that tells a union's members apart, and the tag of the user's own
Options = dict[str, float | int | str | bool | None]  # the hyperparameters of a part of the user's own


def scalar(default: Any, **bounds: Any) -> Any:
    """A hyperparameter that enters a step as a number: runs that differ in it alone can share one graph."""
    return Field(default, json_schema_extra={"kind": "scalar"}, **bounds)


def parse(model: type[S], tree: Mapping[str, Any], source: str) -> S:
    """The spec in `tree`, or InputError in one line that names `source` and the key."""
    try:
        text = json.dumps(tree)
    except TypeError as error:
        raise InputError(f"{source}: {error}") from None
    try:
        return model.model_validate_json(text)
    except pydantic.ValidationError as error:
        raise InputError(f"{source}: {_line(model, error)}") from None


def fingerprint(spec: BaseModel | Mapping[str, Any]) -> str:
    """The first 16 hex digits of the SHA-256 of the spec's canonical JSON."""
    tree = spec.model_dump(mode="json") if isinstance(spec, BaseModel) else spec
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a nested mapping; an empty mapping and None are values."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def scalar_keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Dotted keys of all scalar hyperparameters that `model` or one of its parts declares."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("kind") == "scalar":
            keys.add(prefix + name)
        for part in models_in(field.annotation):
            keys |= scalar_keys(part, f"{prefix}{name}.")
    return keys


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The spec classes named anywhere in a field's annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated, dict, tuple):
        return [part for argument in get_args(annotation) for part in models_in(argument)]
    return []


def _line(model: type[BaseModel], error: pydantic.ValidationError) -> str:
    """The first problem as 'key: found x; valid: y'."""
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    parts: list[type[BaseModel]] = [model]
    key: list[str] = []
    tags: dict[str, list[type[BaseModel]]] = {}  # of the union that the step before led to
    named = False  # the step before led to a mapping whose keys are names of the user's own
    for part in path:
        if part in tags:  # a step in the error's place, not in the key
            parts, tags = tags[part], {}
            continue
        key.append(part)
        if named or part.isdigit():
            named = False
        elif part != path[-1] or first["type"] != "extra_forbidden":
            steps = [m.model_fields[part].annotation for m in parts if part in m.model_fields]
            named = any(get_origin(step) is dict for step in steps)
            parts = [sub for step in steps for sub in models_in(step)]
            tags = {tag: sub for step in steps for tag, sub in _tags_in(step).items()}
    name, given, kind = ".".join(key), first.get("input"), first["type"]
    if kind == "extra_forbidden":
        known = sorted({field for m in parts for field in m.model_fields})
        return f'{name}: unknown key "{key[-1]}", {one_of(key[-1], known)}'
    if kind == "missing":
        return f"{name}: missing; it must be given"
    if kind == "literal_error":
        known = [str(v).strip() for v in first["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(",")]
        return f"{name}: found {quoted(given)}, {one_of(given, known)}"
    if kind == "union_tag_invalid":
        known = [v.strip(" '") for v in first["ctx"]["expected_tags"].split(",")]
        known = ["file.py:object" if value == OWN else value for value in known]
        return f'{name}.{NETWORK}: found "{first["ctx"]["tag"]}", {one_of(first["ctx"]["tag"], known)}'
    if kind == "union_tag_not_found":
        return f"{name}.{NETWORK}: missing; it must be given"
    if kind == "value_error":
        message = first["msg"].removeprefix("Value error, ")
        return f"{name}: {message}" if name else message
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        fields = [] if named else sorted({field for m in parts for field in m.model_fields})
        return f"{name}: found {quoted(given)}; valid: a mapping" + (f" of {', '.join(fields)}" if fields else "")
    message = first["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    message = {"integer": "an integer", "number": "a number", "string": "text", "boolean": "true or false"}.get(
        message, message[0].lower() + message[1:]
    )
    return f"{name}: found {quoted(given)}; valid: {message}" if name else message


def _tags_in(annotation: Any) -> dict[str, list[type[BaseModel]]]:
    """The members of a union by their tags; one that is no spec has none."""
    inner = get_args(annotation)
    if get_origin(annotation) is typing.Annotated:
        tag = next((each.tag for each in inner[1:] if isinstance(each, pydantic.Tag)), None)
        return _tags_in(inner[0]) if tag is None else {tag: models_in(inner[0])}
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return {tag: model for each in inner for tag, model in _tags_in(each).items()}
    return {}
