"""A storage in a bucket: S3 and what speaks as it does, Google Cloud Storage, Azure. The only place that imports
obstore. Credentials are the environment's or the machine's own; they are never part of what is said."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from pipeline.errors import StorageLost

FIRST, PAUSE = 0.1, 0.5  # seconds until what failed is tried again, by the library and by us
AWHILE = 5.0  # seconds for which the library does
TIMEOUT = 30.0  # seconds for an answer, and, at most, for a connection
PIECE = 8 * 2**20  # bytes that are asked for at a time
SLOW = 2**18  # bytes a second: a line that takes less has failed
TRIES = 1000  # so that the time alone ends it
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_STATUS = re.compile(r"status code: (\d+)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
NO_BUCKET = "there is no such bucket"
_SAID = {"NoSuchBucket": NO_BUCKET, "AccessDenied": "access denied"}
CONFLICT = "several write there at once (409)"
AGAIN = ("408", "425", "429")
_METADATA = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")

T = TypeVar("T")


class Objects:
    """See storage.Storage."""

    def __init__(self, url: str, patience: float) -> None:
        self.url, self._patience = url, patience
        self._store = self._made(TIMEOUT)

    def _made(self, timeout: float) -> Any:
        """timeout: seconds in which a request and its answer are through, with all that is in them."""
        url, patience = self.url, self._patience
        endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
        options: dict[str, Any] = {
            "timeout": timedelta(seconds=timeout),
            "connect_timeout": timedelta(seconds=min(TIMEOUT, max(1.0, patience / 2))),
            "allow_http": endpoint.startswith("http://"),  # as it was asked for
        }
        backoff = {"init_backoff": timedelta(seconds=FIRST), "max_backoff": timedelta(seconds=1), "base": 2}
        # Its own patience is short, and ours is in words of Python: a Ctrl-C is heard in between.
        awhile = timedelta(seconds=min(patience, AWHILE))
        retry: Any = {"max_retries": TRIES, "retry_timeout": awhile, "backoff": backoff}
        config: Any = {"endpoint": endpoint} if endpoint and url.startswith("s3:") else None
        return self._done(partial(from_url, url, config=config, client_options=options, retry_config=retry))

    def _for(self, content: bytes) -> Any:
        """A store that waits until that is through, which goes in one piece: pieces cannot be put if absent."""
        return self._store if len(content) <= PIECE else self._made(TIMEOUT + len(content) / SLOW)

    def put(self, name: str, content: bytes) -> None:
        store = self._for(content)
        try:
            self._done(lambda: obstore.put(store, name, content, use_multipart=False))
        except FileNotFoundError:
            raise self._failed(NO_BUCKET) from None  # to put something there is a place elsewhere

    def put_if_absent(self, name: str, content: bytes) -> bool:
        store, end = self._for(content), time.monotonic() + self._patience
        while True:
            try:
                self._done(lambda: obstore.put(store, name, content, mode="create", use_multipart=False), exists=True)
                return True
            except FileExistsError:  # maybe ours, whose answer did not arrive; or it is put by several at once
                with suppress(FileNotFoundError):
                    return self.get(name) == content
            except FileNotFoundError:
                raise self._failed(NO_BUCKET) from None
            self._wait(end, CONFLICT)

    def get(self, name: str) -> bytes:
        whole, size = self._done(lambda: self._beginning(name))
        pieces = [whole]
        for start in range(len(whole), size, PIECE):
            length = min(PIECE, size - start)
            pieces.append(self._done(partial(self._piece, name, start, length)))
        return b"".join(pieces)

    def _beginning(self, name: str) -> tuple[bytes, int]:
        """All of a small object, nothing of a large one; and its size."""
        answer = obstore.get(self._store, name)
        size = int(answer.meta["size"])
        return (bytes(answer.bytes()) if size <= PIECE else b""), size

    def _piece(self, name: str, start: int, length: int) -> bytes:
        return bytes(obstore.get_range(self._store, name, start=start, length=length))

    def names(self, folder: str, after: str = "") -> list[str]:
        return self._done(
            lambda: sorted(
                str(meta["path"]) for chunk in obstore.list(self._store, folder, offset=after or None) for meta in chunk
            )
        )

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._done(lambda: obstore.delete(self._store, name))

    def _done(self, work: Callable[[], T], exists: bool = False) -> T:
        """What the work gives, tried again for as long as there is patience where that may help. exists: where
        something is there already, or several are at it, it raises FileExistsError, for both have one name."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return work()
            except AlreadyExistsError:
                if exists:
                    raise FileExistsError from None
                why, again = CONFLICT, True
            except FileNotFoundError:
                raise FileNotFoundError from None
            except (BaseError, OSError, ValueError) as error:
                # What the library says names hosts, keys and what was signed: of it the kind of failure alone.
                why, again = reason(str(error))
            self._wait(end if again else 0.0, why)

    def _wait(self, end: float, why: str) -> None:
        """Raises StorageLost where there is no more patience."""
        if time.monotonic() > end:
            raise self._failed(why) from None
        time.sleep(PAUSE)

    def _failed(self, why: str) -> StorageLost:
        return StorageLost(f"the storage {self.url} fails: {why}")


def reason(text: str) -> tuple[str, bool]:
    """Why it failed, in words of which none is a secret, and whether to try again may help."""
    status, code = _STATUS.search(text), _CODE.search(text)
    if any(address in text for address in _METADATA):
        return "no credentials are found in the environment or of this machine", False
    if "Account must be specified" in text:
        return "which account it is in is not said; valid: AZURE_STORAGE_ACCOUNT_NAME in the environment", False
    if status is None:
        return "it cannot be reached", True
    said = _SAID.get(code[1], code[1]) if code else "it answers"
    return f"{said} ({status[1]})" if code else f"{said} {status[1]}", status[1].startswith("5") or status[1] in AGAIN
