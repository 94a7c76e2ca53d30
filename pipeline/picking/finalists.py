"""Who is confirmed: the best by score, the best of each region of the space, and always the default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy import stats

from pipeline.errors import InputError, NoHealthyTrial
from pipeline.record.front import best_trials
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial, failed_most
from pipeline.space.distributions import Choice
from pipeline.space.tree import Space


@dataclass(frozen=True)
class Finalist:
    """why: what it was chosen for, in words: "top 2", "best with regularisers: r1", "default"."""

    trial: int
    why: tuple[str, ...]


def finalists(state: SweepState, space: Space, top: int) -> list[Finalist]:
    """The `top` trials by score, then the best of each further region (`top` at most), then the default; where there
    are several objectives the front, then the default.

    A region is what was chosen among options that carry parameters of their own; where the space has no such choice,
    what was chosen among plain options. Raises InputError for a `top` that is more than there are trials, and
    NoHealthyTrial where no trial has a score to begin with.
    """
    scored = [trial for trial in state.ranking() if _has_score(trial, state.metric)]
    if not scored:
        raise NoHealthyTrial(nothing_to_confirm(state))
    if top > len(state.trials):
        raise InputError(f"--top: found {top}; {state.name} has {len(state.trials)} trials, valid: at most that many")
    if state.spec.get("objectives"):
        return _front(state)
    why: dict[int, list[str]] = {trial.number: [f"top {place}"] for place, trial in enumerate(scored[:top], 1)}
    keys = _region_keys(space)
    seen = {_region(trial, keys) for trial in scored[:top]}
    further = 0
    for trial in scored[top:]:
        region = _region(trial, keys)
        if region in seen or trial.end_reason != "completed" or further == top:
            continue
        seen.add(region)
        further += 1
        why[trial.number] = ["best with " + ", ".join(f"{key}: {value}" for key, value in region)]
    if state.default is not None:
        why.setdefault(0, []).append("default")
    return [Finalist(number, tuple(reasons)) for number, reasons in why.items()]


def _front(state: SweepState) -> list[Finalist]:
    """Of several objectives: who is on the front, and the default."""
    why = {number: ["front"] for number in best_trials(state)}
    if not why:
        raise NoHealthyTrial(nothing_to_confirm(state))
    if state.default is not None:
        why.setdefault(0, []).append("default")
    return [Finalist(number, tuple(reasons)) for number, reasons in why.items()]


def _has_score(trial: Trial, metric: str) -> bool:
    tail = trial.tail(metric)
    return trial.healthy and tail is not None and math.isfinite(tail)


def _region_keys(space: Space) -> list[str]:
    parameters = space.parameters()
    branching = {above for parameter in parameters for above, _ in parameter.branch}
    plain = [parameter.name for parameter in parameters if isinstance(parameter.distribution, Choice)]
    return [parameter.name for parameter in parameters if parameter.name in branching] or plain


def _region(trial: Trial, keys: list[str]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, trial.point[key]) for key in keys if key in trial.point)


def nothing_to_confirm(state: SweepState) -> str:
    """For a sweep without a healthy trial: what failed most, and which ranges to shrink."""
    if not any(run.end_reason for run in state.runs):
        return f"{state.name}: no run has ended, there is nothing to confirm; go on with: {state.command('resume')}"
    line = no_healthy(state)
    advice = _ranges_to_shrink(state)
    return f"{line}; shrink the range of {' and '.join(advice)}" if advice else line


def no_healthy(state: SweepState) -> str:
    """What failed most, for a sweep that has no healthy trial."""
    runs = [run for run in state.runs if run.end_reason]
    if not runs:
        begun = f"none of its {len(state.runs)} runs came to an end" if state.runs else "no trial was started"
        begun += {"max_time": " in --max-time", "gpu_hours": " in --gpu-hours"}.get(
            str(state.driver.why if state.driver else None), ""
        )
        return f"{state.name}: {begun}; go on with: {state.command('resume')}"
    trials = len({run.trial for run in runs})
    return f"{state.name}: none of its {trials} trials was healthy; most runs ended as {failed_most(runs)}"


def _ranges_to_shrink(state: SweepState) -> list[str]:
    """The two searched numbers that went most with how long the runs lasted, and from which end their ranges should
    be shrunk; of those that are in 4 trials or more, where they differ and the runs' lengths do."""
    correlations = []
    ended = [trial for trial in state.trials.values() if trial.runs]
    for key in dict.fromkeys(key for trial in ended for key in trial.params):
        there = [trial for trial in ended if isinstance(trial.params.get(key), (int, float))]
        values = [float(trial.params[key]) for trial in there]
        lasted = [max(run.images for run in trial.runs.values()) for trial in there]
        if len(there) >= 4 and len(set(values)) > 1 and len(set(lasted)) > 1:
            correlations.append((float(stats.spearmanr(values, lasted).statistic), key, min(values), max(values)))
    correlations.sort(key=lambda each: -abs(each[0]))
    return [
        f"{key} from {'above' if correlation < 0 else 'below'} (tried {low:.3g} to {high:.3g}; runs with "
        f"{'less' if correlation < 0 else 'more'} of it lasted longer)"
        for correlation, key, low, high in correlations[:2]
    ]
