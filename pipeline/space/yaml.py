"""YAML as people expect it: 2e-4 is a number and 3e3 a whole one, only true and false are booleans, a key twice is an
error, << takes over the keys of another mapping."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import InputError

MERGE = "<<"
MAX_NODES = 50_000  # with every alias written out


class _Merged(dict[str, Any]):
    """What a merge key brought."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema. YAML 1.1 reads 2e-4 as text, and no, on and off as booleans."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9][0-9_]*", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))


def parse(text: str, source: str) -> Any:
    """The value that `text` writes. Raises InputError with the line for what is not YAML, a key given twice, a
    tag, and aliases that contain themselves or would fill the memory."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        problem = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise InputError(f"{source}: {line}is not YAML: {problem}") from None
    except yaml.reader.ReaderError as error:
        line_number = text.count("\n", 0, error.position) + 1
        raise InputError(f"{source}: line {line_number}: is not YAML: {error.reason}") from None
    except RecursionError:
        raise InputError(f"{source}: is nested too deeply to be read") from None
    if node is None:
        return None
    try:
        _weigh(node, {}, source)
        return _value(node, source)
    except RecursionError:
        raise InputError(f"{source}: is nested too deeply to be read") from None


def read_mapping(path: Path, source: str | None = None) -> dict[str, Any]:
    """The mapping in a file. Raises InputError for a file that cannot be read or is not a YAML mapping."""
    source = source or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: is not YAML: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from None
    tree = parse(text, source)
    if not isinstance(tree, dict):
        given = "nothing" if tree is None else "a list" if isinstance(tree, list) else f'"{tree}"'
        raise InputError(f"{source}: line 1: found {given}; valid: a mapping, key: value")
    return tree


def dump(tree: dict[str, Any]) -> str:
    """YAML that this module reads back as the same tree."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or this module's reader would take for something other than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {
    first: [
        *_Loader.yaml_implicit_resolvers.get(first, []),
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*_Loader.yaml_implicit_resolvers, *yaml.SafeDumper.yaml_implicit_resolvers}
}


def _weigh(node: yaml.Node, known: dict[int, int | None], source: str) -> int:
    """How many nodes there are with every alias written out; InputError where they are too many."""
    if id(node) in known:
        weight = known[id(node)]
        if weight is None:
            raise InputError(f"{source}: line {_line(node)}: found an alias inside what it stands for")
        return weight
    known[id(node)] = None
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    weight = 1 + sum(_weigh(part, known, source) for part in parts)
    if weight > MAX_NODES:
        raise InputError(f"{source}: line {_line(node)}: holds more than {MAX_NODES} values, its aliases written out")
    known[id(node)] = weight
    return weight


def _value(node: yaml.Node, source: str) -> Any:
    where = f"{source}: line {_line(node)}"
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_value(part, source) for part in node.value]
    if isinstance(node, yaml.MappingNode) and kind == "map":
        tree: dict[str, Any] = {}
        for key, part in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"{where}: found a list or mapping as a key; valid: text")
            if key.value in tree:
                raise InputError(f'{source}: line {_line(key)}: found the key "{key.value}" twice; valid: once')
            tree[key.value] = _merged(part, source) if _is_merge(key) else _value(part, source)
        return _taken_over(tree)
    if isinstance(node, yaml.ScalarNode):
        try:
            return _SCALARS[kind](node.value)
        except ValueError:
            raise InputError(f'{where}: found "{node.value}" tagged as {kind}') from None
        except KeyError:
            pass
    raise InputError(f"{where}: found the tag {node.tag.replace('tag:yaml.org,2002:', '!!')}; valid: no tags")


def _is_merge(key: yaml.ScalarNode) -> bool:
    return bool(key.value == MERGE and key.style is None)  # in quotes it is a key as any other


def _merged(node: yaml.Node, source: str) -> _Merged:
    """What a merge key brings: a mapping, or several of which the first has the word."""
    value = _value(node, source)
    mappings = value if isinstance(value, list) else [value]
    if not all(isinstance(each, dict) for each in mappings):
        raise InputError(f"{source}: line {_line(node)}: found {MERGE} with something else; valid: mappings, as *alias")
    brought: dict[str, Any] = {}
    for each in reversed(mappings):
        brought |= each
    return _Merged(brought)


def _taken_over(tree: dict[str, Any]) -> dict[str, Any]:
    """The mapping with what its merge key brings; its own keys have the word."""
    brought = tree.get(MERGE)
    if not isinstance(brought, _Merged):
        return tree
    return {**brought, **{key: value for key, value in tree.items() if key != MERGE}}


def _float(text: str) -> float | int:
    """3e3 is as whole as 3000: it may stand where a whole number must."""
    value = float(text)
    return int(value) if "e" in text.lower() and value.is_integer() and abs(value) < 2**53 else value


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_SCALARS: dict[str, Any] = {"str": str, "int": int, "float": _float, "bool": _boolean, "null": lambda text: None}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
