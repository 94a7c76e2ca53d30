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

from pipeline.environment import is_http
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
REGION = "the bucket is in another region; valid: AWS_REGION in the environment, that of the bucket"
_SAID = {"NoSuchBucket": NO_BUCKET, "AccessDenied": "access denied", "AuthorizationHeaderMalformed": REGION}
CONFLICT = "several write there at once (409)"
AGAIN = ("408", "425", "429")
NO_CREDENTIALS = "no credentials are found in the environment or of this machine"
_SET_WRONG = {  # by words of the library: what no second try mends
    **dict.fromkeys(("169.254.169.254", "metadata.google.internal", "169.254.170.2"), NO_CREDENTIALS),
    "Account must be specified": "which account it is in is not said; valid: AZURE_STORAGE_ACCOUNT_NAME in the "
    "environment",
    "service account file": "the key of its service account cannot be read; valid: its file, by GOOGLE_SERVICE_ACCOUNT "
    "or GOOGLE_APPLICATION_CREDENTIALS in the environment",
    " token file '": "the file of its token cannot be read, which AWS_WEB_IDENTITY_TOKEN_FILE or its like names",
    "redirect without LOCATION": REGION,
}

T = TypeVar("T")


class Objects:
    """See storage.Storage."""

    def __init__(self, url: str, patience: float) -> None:
        self.url, self._patience = url, patience
        self._store = self._made(TIMEOUT)

    def _made(self, timeout: float) -> Any:
        """timeout: seconds in which a request and its answer are through, with all that is in them."""
        url, patience = self.url, self._patience
        named = next((name for name in ENDPOINTS if os.environ.get(name)), "")
        endpoint = os.environ[named] if named and url.startswith("s3:") else ""
        if endpoint and not is_http(endpoint):  # the library would fall down over it
            raise self._failed(f"{named} is no address; valid: http://HOST:PORT")
        asked = url.startswith("s3:") and not endpoint
        for region in ("AWS_REGION", "AWS_DEFAULT_REGION"):  # part of a host's name: here it falls down too
            if asked and not re.fullmatch(r"[A-Za-z0-9-]*", os.environ.get(region, "")):
                raise self._failed(f"{region} is no region; valid: such as eu-west-1")
        options: Any = {
            "timeout": timedelta(seconds=timeout),
            "connect_timeout": timedelta(seconds=min(TIMEOUT, max(1.0, patience / 2))),
            "allow_http": endpoint.startswith("http://"),  # as it was asked for
        }
        backoff = {"init_backoff": timedelta(seconds=FIRST), "max_backoff": timedelta(seconds=1), "base": 2}
        # Its own patience is short, and ours is in words of Python: a Ctrl-C is heard in between.
        awhile = timedelta(seconds=min(patience, AWHILE))
        retry: Any = {"max_retries": TRIES, "retry_timeout": awhile, "backoff": backoff}
        config: Any = {"endpoint": endpoint} if endpoint else None
        try:
            return from_url(url, config=config, client_options=options, retry_config=retry)
        except (BaseError, OSError, ValueError) as error:  # nobody was asked yet
            why, unknown = reason(str(error))
            raise self._failed("what the environment says of it will not do" if unknown else why) from None

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
    for words, why in _SET_WRONG.items():
        if words in text:
            return why, False
    if status is None:
        return "it cannot be reached", True
    said = _SAID.get(code[1], code[1]) if code else "it answers"
    return f"{said} ({status[1]})" if code else f"{said} {status[1]}", status[1].startswith("5") or status[1] in AGAIN
