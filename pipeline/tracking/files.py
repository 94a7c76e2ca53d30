"""Which files of a sweep's folder go to which MLflow run: sample pictures, checkpoints, the spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from pipeline.record import Line
from pipeline.state import Run, SweepState
from pipeline.tracking.projection import SWEEP, Key, key_of


@dataclass(frozen=True)
class Upload:
    """A file for the artifact folder `folder` of a run, and the tag that names it there (None: no tag);
    with `text`: that text under the file's name."""

    key: Key
    path: Path
    folder: str
    tag: str | None = None
    text: str | None = None


def uploads(state: SweepState, line: Line, folder: Path) -> list[Upload]:
    """The files that come with `line`, whose effect is in `state` already. They may be missing."""
    if line["event"] == "sweep":
        return [Upload(SWEEP, path, "") for path in [folder / "sweep.yaml"] if path.exists()]
    if line["event"] == "trial":
        spec = yaml.safe_dump(line["spec"], sort_keys=False)
        return [Upload((line["trial"], None), Path("spec.yaml"), "", text=spec)]
    if line["event"] not in ("measurement", "run_ended"):
        return []
    trial = state.trials[line["trial"]]
    key, run = key_of(trial, line["seed"]), trial.runs[line["seed"]]
    place = run_folder(folder, run)
    if line["event"] == "measurement":
        return [Upload(key, place / line["samples"], "samples")] if line.get("samples") else []
    return [Upload(key, path, "checkpoints", tag) for tag, path in _checkpoints(state, run, place)]


def run_folder(folder: Path, run: Run) -> Path:
    return folder / "trials" / str(run.trial) / f"seed-{run.seed}"


def _checkpoints(state: SweepState, run: Run, place: Path) -> list[tuple[str, Path]]:
    """The best and the last; of a run that a rung stopped the best alone is kept."""
    best = run.best(state.metric)
    named = {m.images: m.checkpoint for m in run.measurements if m.checkpoint}
    found = []
    if best and best[0] in named:
        found.append(("checkpoint.best", place / str(named[best[0]])))
    if run.images in named and run.end_reason != "rung":
        found.append(("checkpoint.last", place / str(named[run.images])))
    return found
