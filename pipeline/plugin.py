"""A user's own part, "file.py:object", as the object."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import InputError, one_of

_NAMED = re.compile(r"(.+\.py):\w+")


def resolve(name: str) -> Any:
    """The object called `object` in the file `file.py` for "file.py:object"; a relative path is to the working folder.

    The file's modules beside it are not on the import path. The same file is imported once a process.
    Raises InputError where there is no such file or object, or where importing it fails: with its own error.
    """
    file, _, attribute = name.rpartition(":")
    path = Path(file).expanduser().resolve()
    if not file.endswith(".py") or not attribute:
        raise InputError(f'found "{name}"; valid: "file.py:object"')
    if not path.is_file():
        raise InputError(f'"{name}": there is no file {path}')
    module = _load(path, name)
    if not hasattr(module, attribute):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f'"{name}": {path.name} has no "{attribute}", {one_of(attribute, known)}')
    return getattr(module, attribute)


def is_own(name: str) -> bool:
    """Whether a name is "file.py:object"."""
    return re.fullmatch(r".+\.py:\w+", name) is not None


def absolute(name: str) -> str:
    """Folders and files by their absolute path: workers have another working folder."""
    if name.startswith("imagefolder:"):
        return f"imagefolder:{Path(name.removeprefix('imagefolder:')).expanduser().absolute()}"
    file, separator, function = name.rpartition(":")
    return f"{Path(file).expanduser().absolute()}:{function}" if separator else name


def fingerprints(tree: Any) -> dict[str, str]:
    """Of each file of the user's own that a space names as "file.py:object": the first 16 hex digits of its SHA-256.

    Raises InputError where one is not there.
    """
    found: dict[str, str] = {}
    if isinstance(tree, dict):
        for each in (*tree, *tree.values()):  # a choice has them as keys
            found |= fingerprints(each)
    elif isinstance(tree, (list, tuple)):
        for each in tree:
            found |= fingerprints(each)
    elif isinstance(tree, str) and (named := _NAMED.fullmatch(tree)):
        path = Path(named[1]).expanduser()
        try:
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        except OSError as error:
            raise InputError(f'"{tree}": {path} cannot be read ({error.strerror})') from None
    return found


def _load(path: Path, name: str) -> Any:
    """The module of a file, under a name that holds its place and contents: an edited file is imported anew."""
    digest = hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:16]
    key = f"gansweep_plugin_{path.stem}_{digest}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module  # before it runs: dataclasses and pickle look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[key]
        raise InputError(f'"{name}": {path.name} does not import: {last_line(error)}') from error
    return module


def last_line(error: BaseException) -> str:
    """'KindOfError: its text' in one line, as a traceback ends."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[-1]}" if text else type(error).__name__
