"""Would the runs that health rules stopped have come to anything? Sweeps of a preset over several seeds; each stopped
run is then trained to its end with the rules off, and compared with the healthy trials of its own sweep.

    python tests/benchmarks/health_on_digits.py HOME [--seeds 5] [--space digits]

HOME keeps the sweeps: run again, it goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
from pathlib import Path
from typing import Any

for pin in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[pin] = "1"

from pipeline.record.home import EVENTS  # noqa: E402
from pipeline.record.runs import HEALTH_REASONS, Run  # noqa: E402
from pipeline.record.state import SweepState  # noqa: E402
from pipeline.sweeps.sweep import Sweep  # noqa: E402
from pipeline.training.loop import Task  # noqa: E402


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("home", type=Path)
    arguments.add_argument("--seeds", type=int, default=5)
    arguments.add_argument("--space", default="digits")
    given = arguments.parse_args()
    sweeps = [_sweep(given.home, given.space, seed) for seed in range(given.seeds)]
    jobs = [(sweep.folder, run.trial, run.seed) for sweep in sweeps for run in sweep.state().runs if _stopped(run)]
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        ends = pool.starmap(_to_the_end, jobs)
    rows = [_row(job, end) for job, end in zip(jobs, ends, strict=True)]
    print("| sweep | best tail | floors | default's tail | completed | median completed | stopped by health |")
    print("|---|---|---|---|---|---|---|")
    for sweep in sweeps:
        print(_sweep_row(sweep.state()))
    print("\n| sweep | trial | stopped as | at images | tail when stopped | tail at the end, rules off | better? |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    wrong = sum(row[-1] == "yes" for row in rows)
    print(f"\n{wrong} of {len(rows)} stopped runs would have ended better than the median completed trial")


def _sweep(home: Path, space: str, seed: int) -> Sweep:
    name = f"{space}-{seed}"
    there = (home / name / EVENTS).exists()
    sweep = Sweep.open(name, home=home) if there else Sweep.from_file(space, name=name, home=home, seed=seed)
    if not there or sweep.state().searching != "finished":
        sweep.run()
    return sweep


def _stopped(run: Run) -> bool:
    return run.end_reason in HEALTH_REASONS


def _to_the_end(folder: Path, trial: int, seed: int) -> dict[str, Any]:
    """The run again with no rule to stop it; its tail is None where it could not be trained to the end."""
    from pipeline.schema.base import parse
    from pipeline.schema.trial import TrialSpec
    from pipeline.training.attempt import attempt
    from pipeline.training.store import Store

    state = Sweep.open(folder.name, home=folder.parent).state()
    scratch = folder.parent / "rules-off" / folder.name / f"{trial}-{seed}"
    result = scratch / "result.json"
    if not result.exists():
        again = Run(trial, seed)
        spec = parse(TrialSpec, state.trials[trial].spec, "record")
        again.measurements += attempt(
            Task(spec, seed, state.metric), Store(scratch), folder.parent.absolute() / "cache", None
        )
        done = again.images >= spec.budget.images
        result.write_text(json.dumps({"tail": again.tail(state.metric) if done else None, "images": again.images}))
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def _completed(state: SweepState) -> list[float]:
    tails = [t.tail(state.metric) for t in state.trials.values() if t.end_reason == "completed"]
    return [tail for tail in tails if tail is not None]


def _row(job: tuple[Path, int, int], end: dict[str, Any]) -> list[Any]:
    folder, trial, seed = job
    state = Sweep.open(folder.name, home=folder.parent).state()
    run = state.trials[trial].runs[seed]
    median = statistics.median(_completed(state))
    better = "yes" if end["tail"] is not None and end["tail"] < median else "no"
    tails = [f"{tail:.1f}" if tail is not None else "none" for tail in (run.tail(state.metric), end["tail"])]
    return [folder.name, trial, f"{run.end_reason} ({(run.evidence or {}).get('rule')})", run.images, *tails, better]


def _sweep_row(state: SweepState) -> str:
    tails, floor = sorted(_completed(state)), state.floor or float("nan")
    stopped = sum(_stopped(run) for run in state.runs)
    default = state.default_tail
    cells = [
        state.name,
        f"{tails[0]:.1f}",
        f"{tails[0] / floor:.2f}",
        f"{default:.1f}" if default else "–",
        len(tails),
        f"{statistics.median(tails):.1f}",
        stopped,
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
