"""Which files of a sweep's folder go to which MLflow run: sample pictures, checkpoints, specs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.record.log import Line
from pipeline.record.state import SweepState
from pipeline.record.trials import Run
from pipeline.report.best_yaml import best_yaml
from pipeline.space import yaml
from pipeline.tracking.projection import PICK, SWEEP, Key, key_of, milliseconds


@dataclass(frozen=True)
class Upload:
    """A file for the artifact folder `folder` of a run.

    text: the file's content, where it is on no disk. tag: the tag of the run that is to name the artifact.
    at: (images, ms since 1970) of a picture that MLflow's image grid is to show among those of other budgets."""

    key: Key
    path: Path
    folder: str
    text: str | None = None
    tag: str | None = None
    at: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return f"{self.folder}/{self.path.name}".lstrip("/")


def uploads(state: SweepState, line: Line, folder: Path) -> list[Upload]:
    """The files that come with `line`, whose effect is in `state` already. They may be missing."""
    event = line["event"]
    if event == "sweep":
        return [Upload(SWEEP, path, "") for path in [folder / "sweep.yaml"] if path.exists()]
    if event == "trial":
        spec = yaml.dump(line["spec"])
        return [Upload((line["trial"], None), Path("spec.yaml"), "", text=spec)]
    if event == "driver" and line.get("doing") == "pick" and line["state"] != "started":
        best = best_yaml(state)
        return [Upload(PICK, Path("best.yaml"), "", text=best)] if best and state.pick else []
    if event not in ("measurement", "run_ended"):
        return []
    trial = state.configuration(line["trial"])
    key, run = key_of(trial, line["seed"]), state.run(trial.number, line["seed"])
    assert run is not None
    place = folder / "trials" / str(run.trial) / f"seed-{run.seed}"
    if event == "run_ended":
        if trial.moved:  # of neighbours nobody wants more than to see them
            return []
        return [Upload(key, path, "checkpoints", tag=tag) for tag, path in _checkpoints(state, run, place)]
    at = (line["images"], milliseconds(line["time"]))
    return [Upload(key, place / line["samples"], "samples", at=at)] if line.get("samples") else []


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
