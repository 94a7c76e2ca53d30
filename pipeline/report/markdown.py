"""What a reviewer reads in MLflow: the leaderboard, a trial in a few lines, and evidence in one."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pipeline.record import front
from pipeline.record.runs import HEALTH_REASONS, Run
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.schema.features import measured_in


def number(value: float) -> str:
    return f"{value:.4g}"


def evidence_line(reason: str, evidence: dict[str, Any] | None) -> str:
    """Why a run ended, in one line: 'collapsed: coverage < 0.1: 0.05 at 12,000 images, 0.02 at 16,000'."""
    if not evidence:
        return reason
    if {"signal", "comparison", "threshold"} <= evidence.keys():
        values = [f"{number(at['value'])} at {at['images']:,}" for at in evidence.get("values", ())[-5:]]
        seen = f": {', '.join(values)} images" if values else ""
        return f"{reason}: {evidence['signal']} {evidence['comparison']} {number(evidence['threshold'])}{seen}"
    parts = [f"{key} {number(v) if isinstance(v, float) else v}" for key, v in evidence.items() if v is not None]
    return f"{reason}: {', '.join(parts)}".replace("\n", " ")


def ends(state: SweepState) -> str:
    """'5 completed, 3 rung, 1 collapsed' over all runs."""
    counts = Counter(run.end_reason or run.state for run in state.runs)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common()) or "no run yet"


def score(state: SweepState, value: float | None) -> str:
    """A value of the objective, with what it is in floors where it has one."""
    if value is None:
        return ""
    floor = state.floor
    return number(value) + (f" ({value / floor:.2f} floors)" if floor else "")


PROPOSED = {
    "known_good": "as a known good configuration",
    "prior": "near a known good configuration",
    "incumbent": "near one of the best so far",
    "experience": "with rates at which GANs train",
}


def describe(state: SweepState, trial: Trial, runs: list[Run]) -> str:
    """A trial, or one further seed of it, in Markdown."""
    metric = state.metric
    lines = [f"T{trial.title[1:]}." if trial.moved else f"Proposed {PROPOSED.get(trial.source, 'by the sampler')}."]
    for run in runs:
        why = evidence_line(run.end_reason, run.evidence) if run.end_reason else run.state
        lines.append(f"\n**Seed {run.seed}: {why}** after {run.images:,} images, {run.seconds:.0f} s.")
        best, tail = run.best(metric), run.tail(metric)
        if best and tail is not None:
            name = f"{metric}{measured_in(state.features)}"
            lines.append(f"{name}: tail {score(state, tail)}, best {number(best[1])} at {best[0]:,} images.")
    return "\n".join(lines)


def leaderboard(state: SweepState, limit: int) -> str:
    """The trials by rank in Markdown of at most `limit` characters: rows are left out at the end, and that is said."""
    metric, floor = state.metric, state.floor
    head = f"**{ends(state)}** of {len(state.trials)} trials."
    if where := measured_in(state.features):
        head += f" Measured{where}; values of other features are not comparable."
    if floor is not None:
        head += f" Floor of {metric}: {number(floor)} ± {number(state.floor_spread or 0.0)}."
    if on_front := front.words(state):
        head += "\n\n" + "\n".join([f"{on_front[0]}\n", *(f"- {line.strip()}" for line in on_front[1:])])
    table = f"\n\n| rank | trial | {metric}, tail | best | end | images | parameters |\n|---|---|---|---|---|---|---|\n"
    stopped = [t for t in state.trials.values() if t.end_reason in HEALTH_REASONS]
    tail = "\n**Stopped early**\n\n" if stopped else ""
    for trial in stopped[:10]:
        run = next(r for r in trial.runs.values() if r.end_reason == trial.end_reason)
        tail += f"- trial {trial.number}: {evidence_line(str(run.end_reason), run.evidence)}\n"
    rows = [_row(state, rank, trial) for rank, trial in enumerate(state.ranking(), 1)]
    shown = list(rows)
    while shown and len(head) + len(table) + sum(map(len, shown)) + len(tail) + 40 > limit:
        shown.pop()
    more = f"\n{len(rows) - len(shown)} more trials below these.\n" if len(shown) < len(rows) else ""
    return head + (table + "".join(shown) if rows else "\n") + more + tail


def _row(state: SweepState, rank: int, trial: Trial) -> str:
    summary = trial.summary(state.metric)
    best = summary.best.get(state.metric)
    value = "" if best is None else f"{number(best)} at {summary.best_images:,}"
    params = ", ".join(f"{k} {number(v) if isinstance(v, float) else v}" for k, v in _short(trial.params).items())
    tail = score(state, summary.tail.get(state.metric))
    ended = summary.end_reason or "running"
    return f"| {rank} | {trial.number} | {tail} | {value} | {ended} | {summary.images:,} | {params} |\n"


def _short(params: dict[str, Any]) -> dict[str, Any]:
    """By the last part of the dotted key alone, where that says enough: lr_g, but generator.width."""
    last = Counter(name.rpartition(".")[2] for name in params)
    short = {name: name.rpartition(".")[2] for name in params}
    return {short[name] if last[short[name]] == 1 else name: value for name, value in params.items()}
