"""Renames and first writes that are still there after the power went: a folder is written through like a file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace(temporary: Path, path: Path) -> None:
    """Puts `temporary`, which is written through, in the place of `path`, for good."""
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Writes through which names a folder has. Some file systems know no such thing, and keep them anyway."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
