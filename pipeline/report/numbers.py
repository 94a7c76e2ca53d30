"""How numbers, times and reasons are written everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.record.runs import HEALTH_REASONS
from pipeline.record.state import SweepState


def short(params: dict[str, Any]) -> str:
    """Parameters in a line: numbers with the last part of their key, choices by their value alone."""
    parts = []
    for key, value in sorted(params.items(), key=lambda item: "lr_" not in item[0]):
        parts.append(str(value) if isinstance(value, str) else f"{key.rpartition('.')[2]} {number(value)}")
    return "  ".join(parts)


def style(reason: str) -> str:
    if reason in ("completed", "running"):
        return "green"
    if reason in HEALTH_REASONS:
        return "red"
    return "yellow" if reason in ("rung", "waiting", "None", "unfinished") else "magenta"


def floors(state: SweepState, value: float | None) -> str:
    """', 1.1 floors' behind a distance that has a floor."""
    return f", {value / state.floor:.1f} floors" if value is not None and state.floor else ""


def trials(numbers: Iterable[int]) -> str:
    """'trial 1' or 'trials 1, 2'."""
    which = [str(each) for each in numbers]
    return f"trial{'s' if len(which) > 1 else ''} {', '.join(which)}"


def number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return "–" if value is None else str(value)


def signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3g}"


def kimg(images: int) -> str:
    return f"{images / 1000:.0f} kimg"


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
