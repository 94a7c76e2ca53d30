"""What of the environment a sweep takes, and what it looks at first; doctor says the same."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

LOCAL = "local"


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
    found = asked or os.environ.get("RAY_ADDRESS", "").strip()
    return Address(None if found in ("", LOCAL) else found, named_by)


def home_problem() -> str | None:
    """Why HOME cannot be written to, in words; None where it can."""
    try:
        home = Path.home()
    except RuntimeError:
        return "there is no HOME, and the user has no folder"
    at = next((path for path in (home, *home.parents) if path.exists()), Path("/"))
    if not (at.is_dir() and os.access(at, os.W_OK | os.X_OK)) or at.is_relative_to("/proc"):
        return f"HOME is {home}, which cannot be written"
    return None


def settle() -> None:
    """Before Ray is imported: a Ray of our own keeps its token in HOME; without one that can be written, the token is
    this process's own, and its children's."""
    if os.environ.keys() & {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        return
    if home_problem() is not None:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
