"""The reference of a sweep's YAML, from the specs that read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docs.made.markdown import code, prose, table
from pipeline.schema.datasets import KNOWN
from pipeline.schema.features import AUTO, FEATURES
from pipeline.schema.game import OBJECTIVES
from pipeline.schema.health import DEFAULT_RULES, SIGNALS, RuleSpec
from pipeline.schema.metrics import METRICS
from pipeline.schema.networks import FAMILIES
from pipeline.schema.sweep import SweepSpec
from pipeline.schema.trial import TrialSpec
from pipeline.space.load import load, presets

Schema = dict[str, Any]
NETWORKS, SCHEDULES = ("generator", "discriminator"), ("ScheduleSpec", "DecayScheduleSpec", "ShareScheduleSpec")
WRITTEN_OTHERWISE = ("objectives", "health")  # see docs/space.md's own text, and the table of the rules

OWN = "or `file.py:object`"
# What a text may be, by the key's title in the schema.
NAMES = {
    "Objective": f"{', '.join(map(code, OBJECTIVES))} {OWN}",
    "Features": f"`{AUTO}`, {', '.join(map(code, FEATURES))} {OWN}",
}


def reference() -> str:
    """All of it: the sections in their order in a file, then what has a name."""
    parts = [
        "# Every key",
        "What is in `search`, `rungs` and `health` is of the whole sweep; nearly all else may be searched. Keys of a "
        "section within a section are dotted. A default of *required* is none: a value must be given.",
    ]
    for model in (SweepSpec, TrialSpec):
        whole = model.model_json_schema()
        page = _Sections(whole.get("$defs", {}))
        plain = {key: value for key, value in whole["properties"].items() if page.leaf(value)}
        for key, value in whole["properties"].items():
            if key not in plain and key not in WRITTEN_OTHERWISE:
                parts += [f"## {key}", *page.section(key, value)]
        if model is TrialSpec:
            rows = [page.row(key, value) for key, value in plain.items()]
            parts += ["## Beside the sections", prose(model.__doc__, plain), table(page.HEAD, rows)]
            parts += ["## Schedules", *page.schedules()]
    return "\n\n".join([*parts, *_named()])


class _Sections:
    """Turns the sections of a schema into text. defs: what its references lead to."""

    HEAD = ("key", "takes", "default")

    def __init__(self, defs: dict[str, Schema]) -> None:
        self._defs = defs

    def section(self, key: str, schema: Schema) -> Iterator[str]:
        members = self._members(schema)
        if key in NETWORKS:
            yield from self._families(key, members)
            return
        for name in members:
            model = self._defs[name]
            if len(members) > 1:
                title = str(model["properties"]["name"].get("const", "adversarial"))
                yield f"### {key}: {{name: {title}}}"
            yield prose(model.get("description"), model["properties"])
            yield table(self.HEAD, self._rows(model, ""))
            texts = dict(self._inner(model, ""))
            if texts:
                yield "\n".join(f"- {code(inner)}: {' '.join(text.split())}" for inner, text in texts.items())

    def leaf(self, schema: Schema) -> bool:
        """Whether it is a value, and no section of keys."""
        return not self._members(schema)

    def row(self, key: str, schema: Schema) -> tuple[str, str, str]:
        names = NAMES.get(schema.get("title", "")) if schema.get("type") == "string" else None
        return code(key), names or self.takes(schema), _default(schema)

    def schedules(self) -> Iterator[str]:
        yield "Where a key takes a *schedule*, a mapping may stand in the number's place."
        yield prose(self._defs["ScheduleSpec"]["description"], self._defs["ScheduleSpec"]["properties"])
        rows = {str(self.row(key, value)): self.row(key, value) for key, value in self._fields("ScheduleSpec")}
        yield table(self.HEAD, rows.values())
        yield (
            "Of what is a share, or an average's decay, `end` is under 1 and `ratio` is not there: "
            "`{start: 0.9, end: 0.999}`."
        )

    def takes(self, schema: Schema) -> str:
        """What a value may be, in words."""
        for word in ("anyOf", "oneOf"):
            if word in schema:
                found = list(dict.fromkeys(self.takes(each) for each in schema[word]))
                return " or ".join(sorted(found, key=lambda each: each == "*null*"))
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return "a *schedule*" if name in SCHEDULES else "a mapping"
        if "const" in schema:
            return code(schema["const"])
        if "enum" in schema:
            return ", ".join(map(code, schema["enum"]))
        match schema.get("type"):
            case "null":
                return "*null*"
            case "boolean":
                return "true, false"
            case "array":
                return f"a list, each {self.takes(schema.get('items', {}))}" if "items" in schema else "a list"
            case "object":
                return "a mapping, by names of your own"
            case "string":
                return "text"
            case "integer" | "number" as kind:
                return _bounds("a whole number" if kind == "integer" else "a number", schema)
        return "a value"

    def _families(self, side: str, members: list[str]) -> Iterator[str]:
        """A row a network: most of its keys are those of the others too."""
        rows = []
        for name, family in FAMILIES.items():
            spec = family.generator if side == "generator" else family.discriminator
            if spec is None:
                continue
            keys = [
                f"`{key}` {self.takes(value)}; {_default(value)}"
                for key, value in self._fields(spec.__name__)
                if key != "network"
            ]
            said = prose(self._defs[spec.__name__].get("description"), spec.model_fields)
            rows.append((code(name), "<br>".join(keys), said))
        yield "By its `network`; behind each key what it takes, and its default."
        yield table(("network", "keys", ""), rows)
        yield prose(self._defs["OwnNetworkSpec"]["description"], ("network", "options"))

    def _fields(self, name: str) -> Iterator[tuple[str, Schema]]:
        yield from self._defs[name].get("properties", {}).items()

    def _members(self, schema: Schema) -> list[str]:
        """The specs that a value may be; none where it may be a number too, and that is a schedule."""
        if "$ref" in schema:
            return [schema["$ref"].rpartition("/")[2]]
        found = [each for word in ("anyOf", "oneOf") for each in schema.get(word, ())]
        names = [name for each in found for name in self._members(each)]
        return [] if any(name in SCHEDULES for name in names) else names

    def _rows(self, model: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
        """Of a section and all within it, by dotted keys."""
        for key, value in model.get("properties", {}).items():
            members = self._members(value)
            if not members:
                yield self.row(prefix + key, value)
            for name in members:
                yield from self._rows(self._defs[name], f"{prefix}{key}.")
            if isinstance(own := value.get("additionalProperties"), dict) and "$ref" in own:
                yield from self._rows(self._defs[self._members(own)[0]], f"{prefix}{key}.NAME.")

    def _inner(self, model: Schema, prefix: str) -> Iterator[tuple[str, str]]:
        """What is said of the sections within a section."""
        for key, value in model.get("properties", {}).items():
            own = value.get("additionalProperties")
            for name in self._members(own if isinstance(own, dict) else value):
                if text := prose(self._defs[name].get("description"), self._defs[name].get("properties", ())):
                    yield prefix + key, text
                yield from self._inner(self._defs[name], f"{prefix}{key}.")


def _bounds(kind: str, schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"{kind} from {schema['minimum']:,} to {schema['maximum']:,}"
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "under"}
    return f"{kind} {' and '.join(f'{said} {schema[key]:,}' for key, said in words.items() if key in schema)}".strip()


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return "*required*" if "const" not in schema else code(schema["const"])
    return "*null*" if schema["default"] is None else code(json.dumps(schema["default"]).strip('"'))


def _named() -> Iterator[str]:
    """What the specs have in tables of their own."""
    yield "# Every name"
    yield "## Presets"
    yield "`gansweep spaces` says what each searches; each is a file of [search_spaces/](../search_spaces)."
    yield table(("preset", "about"), [(code(name), prose(load(name).about)) for name in presets()])
    yield "## Data sets"
    yield table(("name", "about"), [(code(name), prose(known.about)) for name, known in KNOWN.items()])
    yield "## Features"
    yield table(("name", "about"), [(code(name), prose(row.about)) for name, row in FEATURES.items()])
    yield "## Metrics"
    better = {True: "less", False: "more"}
    rows = [(code(name), it.kind, better[it.minimise], ", ".join(_wants(it)) or "–") for name, it in METRICS.items()]
    yield table(("name", "of", "better", "where"), rows)
    yield "## Health rules"
    yield (
        "Read in this order, the first that fires names the end. `health: {NAME: {threshold: 0.2}}` changes a rule's "
        "number, `health: {NAME: null}` turns it off, and a rule of your own has `reason`, `signal`, `comparison` and "
        "`threshold`."
    )
    yield prose(RuleSpec.__doc__, RuleSpec.model_fields)
    yield table(("rule", "ends with", "when", "how often"), map(_rule, DEFAULT_RULES.items()))
    yield table(("signal", "what it is"), [(code(name), prose(about)) for name, about in SIGNALS.items()])


def _wants(metric: Any) -> Iterator[str]:
    words = {
        "floored": "it has a floor",
        "mixture": "the modes are known",
        "labels": "there are labels",
        "paired": "partners are known",
        "low": "images are enlarged",
    }
    yield from (said for field, said in words.items() if getattr(metric, field))


def _rule(item: tuple[str, dict[str, Any]]) -> tuple[str, str, str, str]:
    name, rule = item
    when = " and ".join(
        f"`{each['signal']}` {each['comparison']} {each['threshold']:g}" for each in (rule, *rule.get("also", ()))
    )
    times, within = rule.get("patience", 1), rule.get("within", rule.get("patience", 1))
    often = f"{times} of {within}" + (", at the end of the budget alone" if rule.get("at_end") else "")
    reason = f"a warning ({rule['reason']})" if rule.get("action") == "warn" else rule["reason"]
    return code(name), reason, when.replace("<", "&lt;"), often
