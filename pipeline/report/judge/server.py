"""The server of the judge's page: on this machine's own address, for its own page alone."""

from __future__ import annotations

import errno
import json
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import InputError, one_line
from pipeline.report.judge.session import Session

ADDRESS = "127.0.0.1"
LOCAL = ("127.0.0.1", "localhost", "[::1]")
TOKEN = "X-Gansweep-Token"
LONGEST = 4096  # bytes of what a page may send


class JudgeServer(ThreadingHTTPServer):
    """over: set once the page has shown the ranking."""

    daemon_threads = True

    def __init__(self, session: Session, port: int) -> None:
        """port: 0 for any that is free. Raises InputError for one that cannot be had."""
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            why = "which is in use" if error.errno == errno.EADDRINUSE else error.strerror
            raise InputError(f"--port: found {port}, {why}; valid: another one, or none for any that is free") from None
        self.session, self.over = session, threading.Event()
        self.token = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that went away in the middle of an answer is no error of ours."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | TimeoutError):
            print(f"gansweep judge: {one_line(error)}", file=sys.stderr)


@contextmanager
def serving(session: Session, port: int) -> Iterator[JudgeServer]:
    """The server at work in threads of its own, until the block ends."""
    with JudgeServer(session, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="judge", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # seconds that a connection may say nothing

    def do_GET(self) -> None:
        if not self._local():
            return
        path = urlsplit(self.path).path
        if path == "/":
            nonce = secrets.token_urlsafe(12)
            self._send(HTTPStatus.OK, page(self.server, nonce).encode(), "text/html; charset=utf-8", nonce)
        elif path.startswith("/picture/") and (path_of := self.server.session.picture(path.removeprefix("/picture/"))):
            self._picture(path_of)
        else:
            self._say(HTTPStatus.NOT_FOUND, "there is nothing here")

    def do_POST(self) -> None:
        body = self._body()
        if body is None or not self._local() or not self._own():
            return
        session, path = self.server.session, urlsplit(self.path).path
        try:
            match path:
                case "/next":
                    reply = session.ask()
                case "/vote":
                    id, choice, seconds = body.get("id"), body.get("choice"), body.get("seconds")
                    took = seconds if isinstance(seconds, int | float) and 0 <= seconds < 1e6 else 0.0
                    reply = session.answer(str(id), str(choice), float(took))
                case "/undo":
                    reply = session.undo()
                case "/finish":
                    reply = session.finish()
                case _:
                    self._say(HTTPStatus.NOT_FOUND, "there is nothing here")
                    return
        except InputError as error:
            self._say(HTTPStatus.CONFLICT, str(error))
            return
        except OSError as error:
            self._say(HTTPStatus.INSUFFICIENT_STORAGE, f"it is not kept: {error.strerror or error}")
            return
        self._send(HTTPStatus.OK, json.dumps(reply).encode(), "application/json")
        if path == "/finish":
            self.server.over.set()

    def _body(self) -> dict[str, Any] | None:
        """What was sent; None, and said, where that is no JSON object of a small size."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LONGEST or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "this is too much")
            return None
        text = self.rfile.read(int(length))
        try:
            tree = json.loads(text or b"{}")
        except ValueError:
            tree = None
        if not isinstance(tree, dict):
            self._say(HTTPStatus.BAD_REQUEST, "this is no JSON object")
            return None
        return tree

    def _local(self) -> bool:
        """Whether it was asked for by a name of this machine: a page elsewhere whose name was bent to this address has
        its own name in the header (DNS rebinding)."""
        host = self.headers.get("Host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() in LOCAL:
            return True
        self._say(HTTPStatus.FORBIDDEN, "ask for it as 127.0.0.1 or localhost")
        return False

    def _own(self) -> bool:
        """Whether it comes from the page that this server gave: another one cannot read the token, and cannot send such
        a header without being allowed to."""
        token, origin = self.headers.get(TOKEN, ""), self.headers.get("Origin")
        same = origin is None or urlsplit(origin).netloc == self.headers.get("Host")
        if same and secrets.compare_digest(token.encode(), self.server.token.encode()):
            return True
        self._say(HTTPStatus.FORBIDDEN, "this page is of a server that has ended; open it anew")
        return False

    def _picture(self, path: Path) -> None:
        try:
            self._send(HTTPStatus.OK, path.read_bytes(), "image/png")
        except OSError as error:
            self._say(HTTPStatus.NOT_FOUND, f"the picture cannot be read: {error.strerror}")

    def _say(self, status: HTTPStatus, text: str) -> None:
        self._send(status, json.dumps({"error": text}).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str, nonce: str = "") -> None:
        self.send_response(status)
        own = f"'nonce-{nonce}'"
        policy = f"default-src 'none'; img-src 'self' data:; connect-src 'self'; script-src {own}; style-src {own}"
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        return "gansweep"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what matters is in the file of votes."""


def page(server: JudgeServer, nonce: str) -> str:
    """The page, with the token by which its votes are known as its own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    report = Path(__file__).parent.parent / "page"
    own = Path(__file__).parent
    environment = Environment(
        loader=PackageLoader("pipeline.report.judge", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    state, among = server.session.state, server.session.among
    return environment.get_template("page.html").render(
        name=state.name,
        many=len(among),
        again=state.command("judge"),
        report=state.command("report"),
        nonce=nonce,
        token=server.token,
        css=Markup((report / "page.css").read_text("utf-8") + (own / "page.css").read_text("utf-8")),
        js=Markup((own / "page.js").read_text("utf-8")),
    )
