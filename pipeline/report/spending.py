"""What a sweep has spent, and on what."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.record.runs import Run
from pipeline.record.state import SweepState

SHARE = 0.05  # of a run's time that evaluations are to take at most, in records of before it could be given
CLEARLY = 1.2  # times: they are measured beside other work


@dataclass(frozen=True)
class Spending:
    """Seconds of a run's slot. well: training of runs that came to their budget; stopped: of all others; evaluation:
    with checkpoints; overhead: what is left of the slots' time while a driver was at work (starts, waiting, idle)."""

    well: float
    stopped: float
    evaluation: float
    overhead: float

    @property
    def total(self) -> float:
        return self.well + self.stopped + self.evaluation + self.overhead


def spent(state: SweepState) -> Spending:
    runs = [*state.runs, *state.confirmations, *state.perturbed]
    well = sum(_seconds(run, "train") for run in runs if run.end_reason == "completed")
    stopped = sum(_seconds(run, "train") for run in runs if run.end_reason != "completed")
    evaluation = sum(_seconds(run, "evaluate") + _seconds(run, "checkpoint") for run in runs)
    return Spending(well, stopped, evaluation, max(0.0, state.slot_seconds - well - stopped - evaluation))


def spending(state: SweepState) -> str:
    """In a line, in GPU-hours, or core-hours where runs take no GPU."""
    spend = spent(state)
    if not spend.total:
        return "nothing was spent"
    hours, unit = spend.total * (state.share or state.cores) / 3600, "GPU-hours" if state.share else "core-hours"
    parts = {
        "runs that ended well": spend.well,
        "stopped runs": spend.stopped,
        "evaluation": spend.evaluation,
        "overhead": spend.overhead,
    }
    shares = ", ".join(f"{value / spend.total:.0%} {name}" for name, value in parts.items())
    return f"spent {hours:.2g} {unit}: {shares}"


def too_much_evaluation(evaluating: float, training: float, every: int, share: float) -> str | None:
    """What to write where evaluations take clearly more than their share of a run's time; seconds of each between two
    of them."""
    if not training or evaluating <= CLEARLY * share * (evaluating + training):
        return None
    fits = every * evaluating * (1 - share) / share / training
    step = 10 ** (len(str(int(fits))) - 2) if fits >= 100 else 1
    taken, fitting = evaluating / (evaluating + training), math.ceil(fits / step) * step
    return f"{taken:.0%} of a run's time, over {share:.0%}: evaluation.every {fitting:,} keeps to it"


def evaluation(state: SweepState) -> list[str]:
    """The same of a sweep, by what its runs took; nothing where they keep to their share."""
    asked = next((trial.spec.get("evaluation") for trial in state.trials.values()), None)
    if asked is None:
        return []
    evaluating, training = (sum(_seconds(run, of) for run in state.runs) for of in ("evaluate", "train"))
    said = too_much_evaluation(evaluating, training, asked["every"], asked.get("share", SHARE))
    return [f"evaluation took {said}"] if said else []


def _seconds(run: Run, activity: str) -> float:
    return sum(m.timings.get(activity, 0.0) for m in run.measurements)
