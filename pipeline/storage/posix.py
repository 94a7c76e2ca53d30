"""A storage in a folder, for where there is a shared one whose files need not be appended to or locked."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline import durable
from pipeline.errors import StorageLost

HIDDEN = "."  # what the name of a file that is not whole yet begins with


class Posix:
    """See storage.Storage. What is written is on disk, under its name, before a call returns."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._root = Path(unquote(urlsplit(url).path))

    def put(self, name: str, content: bytes) -> None:
        with self._said(), self._written(name, content) as temporary:
            durable.replace(temporary, self._root / name)

    def put_if_absent(self, name: str, content: bytes) -> bool:
        path = self._root / name
        with self._said(), self._written(name, content) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return path.read_bytes() == content
            durable.sync_folder(path.parent)
            return True

    def get(self, name: str) -> bytes:
        with self._said():
            return (self._root / name).read_bytes()

    def names(self, folder: str, after: str = "") -> list[str]:
        with self._said():
            files = (path for path in (self._root / folder).rglob("*") if path.is_file())
            names = (path.relative_to(self._root).as_posix() for path in files if not path.name.startswith(HIDDEN))
            return sorted(name for name in names if name > after)

    def delete(self, name: str) -> None:
        with self._said():
            (self._root / name).unlink(missing_ok=True)

    @contextmanager
    def _written(self, name: str, content: bytes) -> Iterator[Path]:
        """The content in a file of another name beside it, which is gone after the block."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{HIDDEN}{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageLost(f"the storage {self.url} fails: {error.strerror or error}") from None
