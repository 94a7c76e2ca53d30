"""The JSON schema of a sweep's YAML, for editors: a distribution may stand wherever a value of the trial does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.schema.brought import BROUGHT
from pipeline.schema.datasets import KNOWN
from pipeline.schema.features import AUTO, FEATURES
from pipeline.schema.game import GAMES, OBJECTIVES, AdversarialSpec, SuperResolutionSpec, TranslationSpec
from pipeline.schema.networks import FAMILIES
from pipeline.schema.sweep import SweepSpec
from pipeline.schema.trial import TrialSpec
from pipeline.space.distributions import RANGES

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
LABEL = r"^[\w+-]+$"
KEPT = ("description", "default")  # of a schema, what an editor shows
_NUMBER: Schema = {"type": "number"}
_PLAIN: Schema = {"type": ["number", "string", "boolean", "null"]}
# 120_000 is a number here, and text to an editor, whose YAML is that of 1.2.
_GROUPED: Schema = {"type": "string", "pattern": r"^[-+]?\d{1,3}(_\d{3})+(\.\d*)?$", "title": "120_000"}
# What a validator knows and pydantic's schema does not: fields that name a part, or a file.py:object of one's own.
_GAMES = [game.__name__ for game in (AdversarialSpec, TranslationSpec, SuperResolutionSpec)]
_NAMED: dict[tuple[str, str], tuple[str, ...]] = {
    ("AdversarialSpec", "name"): tuple(GAMES),
    **{(game, "objective"): tuple(OBJECTIVES) for game in _GAMES},
    ("EvaluationSpec", "features"): (AUTO, *FEATURES),
    ("DataSpec", "name"): tuple(KNOWN),
}
for _name, _row in FAMILIES.items():
    for _side in (_row.generator, _row.discriminator):
        if _side is not None:
            _key = (_side.__name__, "network")
            _NAMED[_key] = (*_NAMED.get(_key, ()), _name)


def json_schema() -> Schema:
    """The schema of a whole file. It knows every key, type, bound and name; what holds between keys (a depth that a
    resolution has, a choice without options) and whether something is missing is said by `gansweep run --dry-run`."""
    trial = TrialSpec.model_json_schema()
    sweep = SweepSpec.model_json_schema()
    defs: dict[str, Schema] = {**sweep.pop("$defs", {})}
    maker = _Searched(defs)
    for name, schema in trial.pop("$defs", {}).items():
        defs[name] = maker.section(name, schema)
    _shortcuts(defs, maker)
    schema = {
        "$schema": DRAFT,
        "title": "A sweep of gansweep",
        "type": "object",
        "additionalProperties": False,
        "required": ["data"],
        "properties": {
            "about": {"type": "string", "description": "What the sweep is for, in a line."},
            "known_good": {
                "type": "array",
                "description": "Points to try first, each a mapping of dotted keys; the first one is the default.",
                "items": {"type": "object"},
            },
            **_sweep_part(sweep, defs),
            **maker.section("TrialSpec", trial)["properties"],
        },
        "$defs": defs,
    }
    return {**_grouped(schema), "$defs": {**_grouped(defs), "Grouped": _GROUPED}}


def _grouped(part: Any) -> Any:
    """With digits in groups wherever a number may stand."""
    if isinstance(part, list):
        return [_grouped(each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") in ("integer", "number") and not {"const", "enum"} & part.keys():
        value = {key: each for key, each in part.items() if key not in KEPT}
        return _kept(part) | {"anyOf": [value, {"$ref": "#/$defs/Grouped"}]}
    return {key: each if key in ("default", "$defs") else _grouped(each) for key, each in part.items()}


def _sweep_part(sweep: Schema, defs: dict[str, Schema]) -> dict[str, Schema]:
    """What is not searched: as it is, but for several objectives, and rules that are changed in part or turned off."""
    parts = dict(sweep["properties"])
    several = {"type": "array", "minItems": 2, "items": {"type": ["string", "object"]}}
    parts["objective"] = {
        **parts["objective"],
        "type": ["string", "array"],
        **{k: several[k] for k in ("items", "minItems")},
    }
    rule = {key: value for key, value in defs["RuleSpec"].items() if key != "required"}
    parts["health"] = {"type": "object", "additionalProperties": {"anyOf": [rule, {"type": "null"}]}}
    return parts


def _shortcuts(defs: dict[str, Schema], maker: _Searched) -> None:
    """What a YAML may write shorter than the specs have it."""
    folders = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
    defs["DataSpec"]["properties"]["imagefolders"] = {**folders, "description": "Two folders, as two domains."}
    defs["InitFromSpec"] = {"anyOf": [{"type": "string"}, defs["InitFromSpec"]]}
    brought = {name: {"$ref": f"#/$defs/{maker.place('TrialSpec', name)}"} for name in BROUGHT}
    section = {"type": "object", "additionalProperties": False, "properties": brought}
    for game in _GAMES:
        defs[game]["properties"]["with"] = maker.searched(game, "with", section)


class _Searched:
    """Turns a spec's schema into that of a section in which any value may be searched; adds to `defs`."""

    def __init__(self, defs: dict[str, Schema]) -> None:
        self._defs = defs

    @staticmethod
    def place(section: str, key: str) -> str:
        """Where the schema of a key is defined."""
        return f"{section}.{key}"

    def section(self, name: str, schema: Schema) -> Schema:
        """Of a whole spec. Nothing is required: a choice of the game may bring it."""
        searchable = {key: value for key, value in schema.items() if key not in ("required", "title")}
        properties = {key: self._named(name, key, value) for key, value in schema.get("properties", {}).items()}
        searchable["properties"] = {key: self.searched(name, key, value) for key, value in properties.items()}
        return searchable

    @staticmethod
    def _named(section: str, key: str, schema: Schema) -> Schema:
        known = _NAMED.get((section, key))
        if known is None:
            return schema
        own: list[Schema] = [] if key == "network" else [{"type": "string", "pattern": ":"}]
        return {"anyOf": [{"enum": list(known)}, *own]} | _kept(schema)

    def searched(self, section: str, key: str, schema: Schema) -> Schema:
        """The value itself, a range where it can be a number, a choice of plain values, or one of labelled options."""
        place = self.place(section, key)
        value = self._value(section, key, schema)
        forms: list[Schema] = [value]
        if _numeric(schema):
            forms += [
                _one_key(kind, {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}) for kind in RANGES
            ]
            forms.append(_one_key("steps", {"type": "array", "items": _NUMBER, "minItems": 3, "maxItems": 3}))
        if not _fixed(section, key):
            plain = {"type": "array", "items": _PLAIN, "minItems": 1, "uniqueItems": True}
            labelled = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": LABEL}}
            labelled["additionalProperties"] = {"$ref": f"#/$defs/{place}"}
            forms.append(_one_key("choice", {"anyOf": [plain, labelled]}))
        self._defs[place] = {"anyOf": forms} | _kept(schema)
        return {"$ref": f"#/$defs/{place}"} | _kept(schema)

    def _value(self, section: str, key: str, schema: Schema) -> Schema:
        for word in ("oneOf", "anyOf"):  # one distribution may stand in several of them
            if word in schema:
                return {"anyOf": [self._value(section, key, each) for each in schema[word]]}
        if isinstance(schema.get("additionalProperties"), Mapping):
            inner = self.searched(section, f"{key}.*", schema["additionalProperties"])
            return {**schema, "additionalProperties": inner}
        return schema


def _fixed(section: str, key: str) -> bool:
    """What the whole sweep has in common, so that nothing is chosen."""
    return section in ("DataSpec", "BudgetSpec", "EvaluationSpec") and key in ("name", "images", "every")


def _numeric(schema: Schema) -> bool:
    forms = [schema, *(each for word in ("anyOf", "oneOf") for each in schema.get(word, ()))]
    return any(form.get("type") in ("number", "integer") for form in forms)


def _one_key(key: str, value: Schema) -> Schema:
    one = {"type": "object", "required": [key], "additionalProperties": False, "properties": {key: value}}
    return {"title": key, **one}


def _kept(schema: Schema) -> Schema:
    """What an editor shows of it."""
    return {key: schema[key] for key in KEPT if key in schema}
