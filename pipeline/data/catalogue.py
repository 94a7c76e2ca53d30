"""The data sets that have a name, as facts that need no torch; imported by the specs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InputError, one_of


@dataclass(frozen=True)
class Known:
    """kind: "image" or "points"; resolution, channels and labelled are None where the files decide; mixture: its
    modes are known and can be counted."""

    kind: str
    resolution: int | None = None
    channels: int | None = None
    labelled: bool | None = False
    downloaded: bool = False
    mixture: bool = False


KNOWN: dict[str, Known] = {
    "digits": Known("image", 8, 1, labelled=True),
    "mnist": Known("image", 28, 1, labelled=True, downloaded=True),
    "fashion_mnist": Known("image", 28, 1, labelled=True, downloaded=True),
    "cifar10": Known("image", 32, 3, labelled=True, downloaded=True),
    "stacked_mnist": Known("image", 28, 3, labelled=True, downloaded=True, mixture=True),
    "ring8": Known("points", mixture=True),
    "grid25": Known("points", mixture=True),
}


def lookup(name: str) -> Known | None:
    """What is known of a data set before it is opened; None for a user's own function.

    Raises InputError for a name that is neither known nor "imagefolder:PATH" nor "file.py:function".
    """
    if name in KNOWN:
        return KNOWN[name]
    if name.startswith("imagefolder:") and name != "imagefolder:":
        return Known("image", labelled=None)
    if ".py:" in name:
        return None
    raise InputError(f'found "{name}", {one_of(name, [*KNOWN, "imagefolder:PATH", "file.py:function"])}')


def check_path(name: str) -> None:
    """InputError where a data set's folder or file is not there, before anything else is started for it."""
    if name.startswith("imagefolder:"):
        folder = Path(name.removeprefix("imagefolder:"))
        if not folder.is_dir():
            raise InputError(f"{folder}: there is no such folder; valid: a folder of images, or of a folder a class")
    elif ".py:" in name:
        file = Path(name.rpartition(":")[0])
        if not file.is_file():
            raise InputError(f"{file}: there is no such file; valid: FILE.py:FUNCTION")
