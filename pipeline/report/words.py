"""What came out of a sweep in a few lines, and how numbers, times and reasons are written everywhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipeline import front
from pipeline.results import HEALTH_REASONS
from pipeline.state import SweepState


def summary(state: SweepState) -> list[str]:
    """What came out, in a few lines: how runs ended, the best trial, and its difference to the default."""
    reasons = Counter(str(run.end_reason or "unfinished") for run in state.runs)
    lines = [
        f"{len(state.runs)} runs in {clock(state.seconds)}: " + ", ".join(f"{n} {r}" for r, n in reasons.most_common())
    ]
    if reasons["unfinished"]:
        lines.append(f"{reasons['unfinished']} unfinished; go on with: {state.command('resume')}")
    best = state.best_trial
    if best is None:
        return lines
    tail = best.tail(state.metric)
    lines.append(f"best: trial {best.number}, {state.metric} {number(tail)}{floors(state, tail)}, on one seed")
    default = state.default_tail
    if default is not None and tail is not None and best.number != 0:
        lines.append(f"against the default configuration (trial 0, {number(default)}): {signed(tail - default)}")
    elif best.number == 0:
        lines.append("the default configuration (trial 0) was not beaten")
    lines += front.words(state)
    lines.append("its parameters: " + "  ".join(f"{key}={number(value)}" for key, value in best.params.items()))
    return lines


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
