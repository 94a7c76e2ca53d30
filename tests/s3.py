"""An S3 of the tests' own: moto's, on this machine, that can be told to fail."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

SECRET = "a-secret-that-nobody-says"
BUCKET = "bucket"


class S3:
    """`failing`: the answer to every request while it is set, as "500 Internal Server Error", with `body`. `busy`: how
    many puts are refused yet, as while others write to the same name. `simple`: it writes over what is there, as stores
    do that do not know If-None-Match. `late`: seconds before each answer."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.failing, self.body, self.refused, self.busy = "", b"", 0, 0
        self.simple = False
        self.late = 0.0
        self._one = threading.Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = make_server(host, 0, self._answer, threaded=True)
        self.endpoint = f"http://{host}:{self.server.server_port}"
        self.url = f"s3://{BUCKET}/team"

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        time.sleep(self.late)
        busy = self.busy > 0 and environ["REQUEST_METHOD"] == "PUT"
        if self.failing or busy:
            self.refused += 1
            self.busy -= busy
            said = self.failing or "409 Conflict"
            body = self.body or (b"<Error><Code>ConditionalRequestConflict</Code></Error>" if busy else b"")
            start(said, [("Content-Length", str(len(body)))])
            return [body]
        if self.simple:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        with self._one:  # moto's lists fail where something is deleted meanwhile
            answer: Iterable[bytes] = self._moto(environ, start)
        return answer


@contextmanager
def running(host: str = "127.0.0.1") -> Iterator[S3]:
    """For the time of the block the environment leads to it. `host`: the address that it listens at."""
    s3 = S3(host)
    threading.Thread(target=s3.server.serve_forever, daemon=True).start()
    requests.put(f"{s3.endpoint}/{BUCKET}", timeout=60).raise_for_status()
    said = {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3.endpoint,
    }
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        yield s3
    finally:
        s3.server.shutdown()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
