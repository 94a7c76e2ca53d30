"""What a sweep asks of a storage, and which one a URL means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from pipeline.errors import InputError

PATIENCE = 180.0  # seconds for which a storage that fails is asked again
SCHEMES = ("s3", "gs", "az", "file")
BUCKET = re.compile(r"[\w.$-]+", re.ASCII)  # no port, which nobody would look at, no brackets and no spaces
AT_ONCE = 16  # objects that are read at a time
VALID = "valid: a folder that all nodes share, s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, az://CONTAINER/FOLDER, file:///FOLDER"


class Storage(Protocol):
    """Objects by their names, such as trials/0/seed-1/best.pt; what is there is whole. Each method raises StorageLost,
    without anybody's credentials, where the storage does not do it for as long as it is given."""

    url: str

    def put(self, name: str, content: bytes) -> None:
        """In place of what has the name."""

    def put_if_absent(self, name: str, content: bytes) -> bool:
        """Whether what has the name now is this: False where there is something else, which stays. One whose answer
        was lost may be made again."""

    def get(self, name: str) -> bytes:
        """Raises FileNotFoundError where there is none."""

    def names(self, folder: str, after: str = "") -> list[str]:
        """Of all that is in a folder and those in it, in order; with `after` those that come after that name."""

    def delete(self, name: str) -> None:
        """Nothing to do where there is none."""


def is_url(text: str) -> bool:
    """Whether it is no path of this machine."""
    return "://" in text


def of_sweep(url: str, name: str) -> str:
    """Where a sweep is in the storage of all sweeps."""
    return f"{url}/{name}"


def check(url: str) -> str:
    """The URL with its scheme in lower case and without a slash at its end. Raises InputError for what is none of ours,
    and for one with a user, a password or a query, which would be in the record; it is not repeated then."""
    if any(mark in url for mark in "@?#"):
        raise InputError(
            "--storage: found a URL with credentials or a query; valid: without them, they are taken from the "
            "environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    scheme, _, place = url.partition("://")
    scheme, (bucket, _, folder) = scheme.lower(), place.partition("/")
    if scheme not in SCHEMES or not (BUCKET.fullmatch(bucket) or scheme == "file") or "\\" in url:
        raise InputError(f'--storage: found "{url}"; {VALID}')
    if scheme == "file" and (bucket or not folder.strip("/")):
        raise InputError(f'--storage: found "{url}"; valid: file:///FOLDER, with three slashes')
    return f"{scheme}://{place}".rstrip("/")


def opened(url: str, patience: float = PATIENCE) -> Storage:
    """The storage at a URL. patience: seconds for which what fails is tried again."""
    from pipeline.storage.objects import Objects
    from pipeline.storage.posix import Posix

    url = check(url)
    return Posix(url) if url.startswith("file:") else Objects(url, patience)


def each(work: Callable[[str], object], names: Iterable[str]) -> list[object]:
    """What `work` gives of each name, several at a time, in their order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, names))
