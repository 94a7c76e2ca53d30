"""A user's own part, "file.py:object", as the object."""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.util
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline.errors import InputError, one_line, one_of

_pinned: dict[str, str] = {}  # by path, the texts that this process takes in place of files


def resolve(name: str) -> Any:
    """The object called `object` in the file `file.py` for "file.py:object"; a relative path is to the working folder.

    A file is taken alone: it imports what is installed, and no file beside it. The same text is imported once a
    process.
    Raises InputError where there is no such file or object, or where importing it fails: with its own error.
    """
    file, _, attribute = name.rpartition(":")
    path = Path(file).expanduser().absolute()
    if not file.endswith(".py") or not attribute:
        raise InputError(f'found "{name}"; valid: "file.py:object"')
    if str(path) not in _pinned and not path.is_file():
        raise InputError(f'"{name}": there is no file {path}')
    module = _load(path, name)
    if not hasattr(module, attribute):
        known = [key for key, value in vars(module).items() if not (isinstance(value, ModuleType) or key[0] == "_")]
        raise InputError(f'"{name}": {path.name} has no "{attribute}", {one_of(attribute, known)}')
    return getattr(module, attribute)


def is_own(name: str) -> bool:
    """Whether a name is "file.py:object"."""
    return re.fullmatch(r".+\.py:\w+", name) is not None


def absolute(name: str) -> str:
    """Folders and files by their absolute path: workers have another working folder."""
    if name.startswith("imagefolder:"):
        return f"imagefolder:{Path(name.removeprefix('imagefolder:')).expanduser().absolute()}"
    if name.startswith("imagefolders:"):
        paths = [path.strip() for path in name.removeprefix("imagefolders:").split(",")]
        return f"imagefolders:{','.join(str(Path(path).expanduser().absolute()) for path in paths)}"
    file, separator, function = name.rpartition(":")
    return f"{Path(file).expanduser().absolute()}:{function}" if separator else name


def sources(tree: Any) -> dict[str, str]:
    """By its path, the text of each file of the user's own that a space names as "file.py:object".

    Raises InputError where one is not there.
    """
    contents: dict[str, str] = {}
    for name in named(tree):
        path = Path(name.rpartition(":")[0]).expanduser().absolute()
        contents[str(path)] = _read(path, name)
    return contents


def named(tree: Any) -> list[str]:
    """Each "file.py:object" in a tree of plain values, once."""
    if isinstance(tree, dict):
        return list(dict.fromkeys(name for each in (*tree, *tree.values()) for name in named(each)))  # a choice's keys
    if isinstance(tree, (list, tuple)):
        return list(dict.fromkeys(name for each in tree for name in named(each)))
    return [tree] if isinstance(tree, str) and is_own(tree) else []


def fingerprints(texts: Mapping[str, str]) -> dict[str, str]:
    """Of each text the first 16 hex digits of its SHA-256."""
    return {path: hashlib.sha256(text.encode()).hexdigest()[:16] for path, text in texts.items()}


def text_of(name: str) -> str:
    """The text of the file of "file.py:object", as this process takes it. Raises InputError where there is none."""
    path = Path(name.rpartition(":")[0]).expanduser().absolute()
    return _pinned[str(path)] if str(path) in _pinned else _read(path, name)


def pin(texts: Mapping[str, str]) -> None:
    """From now on this process takes these texts for the files at their paths, which may be edited meanwhile, or not be
    there on this machine."""
    _pinned.update(texts)


def _read(path: Path, name: str) -> str:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f'"{name}": {path} cannot be read ({why})') from None
    beside = [module for module in _imported(text) if (path.parent / f"{module}.py").is_file()]
    if beside:
        raise InputError(
            f'"{name}": {path.name} imports {beside[0]}.py, which is beside it and would not be where the workers are; '
            "valid: one file, or a package that is installed"
        )
    return text


def _imported(text: str) -> list[str]:
    """The top-level names of the modules that a file imports; none where it is not Python, which importing it says."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError):
        return []
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return [name.partition(".")[0] for name in names]


class _Source(importlib.abc.InspectLoader):
    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, fullname: str) -> str:
        return self._text


def _load(path: Path, name: str) -> Any:
    """The module of a file, under a name that holds its place and contents: an edited file is imported anew."""
    text = text_of(name)
    digest = hashlib.sha256(f"{path}{text}".encode()).hexdigest()[:16]
    key = f"gansweep_plugin_{path.stem}_{digest}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_loader(key, _Source(text), origin=str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[key] = module  # before it runs: dataclasses and pickle look their module up there
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[key]
        raise InputError(f'"{name}": {path.name} does not import: {one_line(error, -1)}') from error
    return module
