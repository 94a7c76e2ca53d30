"""What of the environment a sweep takes, and what it looks at first; doctor says the same."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import Unreachable

LOCAL = "local"
RAY_TMPDIR, TMPDIR = "RAY_TMPDIR", "TMPDIR"
LONGEST_SOCKET = 107  # bytes of a socket's path on Linux
SOCKET = f"session_2000-01-01_00-00-00_000000_{2**22}/sockets/plasma_store"  # Ray's longest, in its folder
SETTINGS = b"\x04"  # the kind of frame that an HTTP/2 connection begins with, on both sides
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + SETTINGS + b"\0" * 5
SESSION = 64 * 2**20  # bytes, of Ray's own logs in a sweep that is not long


@dataclass(frozen=True)
class Address:
    """Of a cluster, None for a Ray of our own on this machine; and who named it."""

    cluster: str | None
    named_by: str

    @property
    def said(self) -> str:
        return f"{self.cluster} ({self.named_by})" if self.named_by != "--address" else str(self.cluster)

    @property
    def way_out(self) -> str:
        if self.named_by == "--address":
            return "start one there: ray start --head, or leave --address out"
        return f"unset {self.named_by}, or have a Ray of its own on this machine: --address {LOCAL}"


def address(asked: str | None) -> Address:
    """--address, else RAY_ADDRESS as in every program that uses Ray, else a Ray of our own; so is "local"."""
    named_by = "--address" if asked else "RAY_ADDRESS"
    given = asked or os.environ.get("RAY_ADDRESS", "").strip()
    return Address(None if given in ("", LOCAL) else given, named_by)


def is_http(text: str) -> bool:
    """Whether it can be a server's address: http:// or https://, a host, and a port that is one where there is any."""
    try:
        parts = urlsplit(text)
        whole = bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:  # of a bracket, a port, or two dots
        return False
    return whole and text.startswith(("http://", "https://")) and not any(map(str.isspace, text))


def answers(host: str, port: int, patience: float) -> str | None:
    """Why there is no Ray at host:port, in words; None where something there speaks as Ray does, HTTP/2. Ray itself
    tries for minutes, and for ever where another server (a Redis, a dashboard) listens."""
    try:
        with socket.create_connection((host, port), timeout=patience) as connection:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return None
            connection.sendall(GREETING)
            reply = connection.recv(9)
    except TimeoutError:
        return f"no answer within {patience:.0f} s"
    except OSError as error:
        return str(error.strerror or error)
    return None if reply[3:4] == SETTINGS else "something else than a Ray listens there"


def home_problem() -> str | None:
    """Why HOME cannot be written to, in words; None where it can."""
    try:
        home = Path.home()
    except RuntimeError:
        return "there is no HOME, and the user has no folder"
    return None if writable(home) else f"HOME is {home}, which cannot be written"


def writable(folder: Path) -> bool:
    """Whether there is such a folder that this user may write to, or could be made; nothing is made."""
    try:
        at = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    except OSError:  # one above it may not be looked into
        return False
    return at.is_dir() and os.access(at, os.W_OK | os.X_OK) and not at.is_relative_to("/proc")


def temporary() -> tuple[Path, str | None]:
    """The folder of a Ray of our own: in RAY_TMPDIR, else in TMPDIR, else in /tmp. And, where TMPDIR will not do, why,
    in words. Nothing is made. Raises Unreachable where RAY_TMPDIR will not do, or none."""
    if asked := os.environ.get(RAY_TMPDIR):
        folder = Path(asked).expanduser().absolute() / "ray"
        if problem := _temporary_problem(folder):
            raise Unreachable(f"{RAY_TMPDIR} is {asked}, which {problem}; name another: {RAY_TMPDIR}=FOLDER")
        return folder, None
    why = None
    if named := os.environ.get(TMPDIR):
        folder = Path(named).expanduser().absolute() / "ray"
        if (problem := _temporary_problem(folder)) is None:
            return folder, None
        why = f"{TMPDIR} is {named}, which {problem}"
    for folder in (Path("/tmp/ray"), Path(f"/tmp/ray-{os.getuid()}")):  # the first one may be another user's
        if (problem := _temporary_problem(folder)) is None:
            return folder, why
    raise Unreachable(f"{why or f'/tmp {problem}'}; name a folder for Ray's own files: {RAY_TMPDIR}=FOLDER")


def _temporary_problem(folder: Path) -> str | None:
    room = LONGEST_SOCKET - len(SOCKET) - len("/ray/")
    if len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET:
        return f"is too long for Ray's sockets (at most {room} bytes)"
    if not writable(folder):
        return "cannot be written"
    at = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(at).free
    if free < SESSION:
        return f"has {free // 2**20} MiB left, and Ray wants {SESSION // 2**20}"
    return None


def settle() -> None:
    """Before Ray is imported: a Ray of our own keeps its token in HOME; without one that can be written, the token is
    this process's own, and its children's."""
    if os.environ.keys() & {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        return
    if home_problem() is not None:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
