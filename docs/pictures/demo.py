"""The real sweep that the README's pictures show: `make demo` in a terminal, and the pick after it. Made once, in
build/pictures, a folder that git ignores; one that was interrupted goes on."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "pictures"
COLUMNS, LINES = 112, 60
ERASED = "\x1b[2K"  # what the live view ends with: all that is after the last one stays on the screen


def swept() -> str:
    """What `make demo` leaves on the screen, with its colours."""
    return _once(HOME / "demo.ansi", "make", "demo").rpartition(ERASED)[2]


def picked() -> Path:
    """The sweep's folder, after a pick."""
    swept()
    _once(HOME / "pick.ansi", sys.executable, "-m", "pipeline.cli", "pick", "demo")
    return HOME / "demo"


def _once(recording: Path, *command: str) -> str:
    """All that a command writes to a terminal of that size, unless it has been recorded already."""
    if recording.exists():
        return _text(recording)
    HOME.mkdir(parents=True, exist_ok=True)
    part, size = recording.with_suffix(".part"), struct.pack("HHHH", LINES, COLUMNS, 0, 0)
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, size)
        os.chdir(ROOT)
        os.environ |= {"TERM": "xterm-256color", "GANSWEEP_HOME": str(HOME)}
        os.execvp(command[0], command)
    with part.open("wb") as file:
        while written := _read(terminal):
            file.write(written)
            print(".", end="", flush=True)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}:\n{_text(part)[-1000:]}")
    part.rename(recording)
    return _text(recording)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 2**16)
    except OSError:  # the other end is closed
        return b""


def _text(recording: Path) -> str:
    """The home as a reader has it, in place of this machine's."""
    text = recording.read_bytes().decode().replace("\r\n", "\n")
    return re.sub(rf"{re.escape(str(HOME))}|build/pictures", "sweeps", text)
