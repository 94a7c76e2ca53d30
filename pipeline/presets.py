"""Where the presets are: search_spaces/ of a source checkout, or the copy of it inside an installed package."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import InputError, one_of


def folder() -> Path:
    """The folder of the presets, one YAML file each."""
    package = Path(__file__).resolve().parent
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def names() -> list[str]:
    """The presets' names, sorted."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def path(name: str) -> Path:
    """The file of one preset; InputError with the names there are for one that is not."""
    if name not in names():
        raise InputError(f'there is no preset "{name}", {one_of(name, names())}')
    return folder() / f"{name}.yaml"
