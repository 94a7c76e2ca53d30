"""What came out of a sweep, in a few lines."""

from __future__ import annotations

from collections import Counter

from pipeline.picking.expectation import expectation
from pipeline.record import front
from pipeline.record.state import SweepState
from pipeline.record.trials import Trial
from pipeline.report.numbers import clock, floors, number, signed
from pipeline.report.status import WITHIN, error_of_difference, within_errors


def summary(state: SweepState) -> list[str]:
    """What came out, in a few lines: how runs ended, the best trial, and its difference to the default."""
    reasons = Counter(str(run.end_reason or "unfinished") for run in state.runs)
    lines = [
        f"{len(state.runs)} runs in {clock(state.seconds)}: " + ", ".join(f"{n} {r}" for r, n in reasons.most_common())
    ]
    lines += [f"node {node.host} is left out: {node.why}" for node in state.nodes.values() if node.state == "left_out"]
    if reasons["unfinished"]:
        lines.append(f"{reasons['unfinished']} unfinished; go on with: {state.command('resume')}")
    best = state.best_trial
    if best is None:
        return lines
    tail = best.tail(state.metric)
    lines.append(f"best: trial {best.number}, {state.metric} {number(tail)}{floors(state, tail)}, {_seeds(best)}")
    if (expected := expectation(state)) is not None:
        low, high = map(number, expected.interval)
        lines.append(
            f"to be expected of it on further seeds: {number(expected.score)} (95%: {low} to {high}), if healthy"
        )
    default = state.default_tail
    if default is not None and tail is not None and best.number != 0:
        assert state.default is not None  # it has a tail
        of_best, of_default = (each.summary(state.metric) for each in (best, state.default))
        error = error_of_difference(of_best, of_default, state.metric)
        better = signed(tail - default)
        within = f", {WITHIN}" if within_errors(tail - default, error) else ""
        lines.append(f"against the default configuration (trial 0, {number(default)}): {better}{within}")
    elif best is state.default:
        lines.append("the default configuration (trial 0) was not beaten")
    lines += front.words(state)
    lines.append("its parameters: " + "  ".join(f"{key}={number(value)}" for key, value in best.params.items()))
    return lines


def _seeds(trial: Trial) -> str:
    count = len(trial.counted)
    return "on one seed" if count == 1 else f"the median of {count} seeds"
