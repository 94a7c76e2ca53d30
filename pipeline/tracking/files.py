"""Which files of a sweep's folder go to which MLflow run: sample pictures, checkpoints, specs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.record.events import DriverSaid, Line, Measured, RunEnded, SweepBegan, TrialProposed, event_of
from pipeline.record.home import run_folder
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.report.best_yaml import best_yaml
from pipeline.space import yaml
from pipeline.tracking.projection import PICK, SWEEP, Key, key_of, milliseconds


@dataclass(frozen=True)
class Upload:
    """A file for the artifact folder `folder` of a run.

    text: the file's content, where it is on no disk. tag: the tag of the run that is to name the artifact.
    at: (images, ms since 1970) of a picture that MLflow's image grid is to show among those of other budgets.
    table: it is JSON of columns and data, which MLflow shows as a table."""

    key: Key
    path: Path
    folder: str
    text: str | None = None
    tag: str | None = None
    at: tuple[int, int] | None = None
    table: bool = False

    @property
    def name(self) -> str:
        return f"{self.folder}/{self.path.name}".lstrip("/")


def uploads(state: SweepState, line: Line, folder: Path) -> list[Upload]:
    """The files that come with `line`, whose effect is in `state` already. They may be missing."""
    match event_of(line):
        case SweepBegan():
            return [Upload(SWEEP, path, "") for path in [folder / "sweep.yaml"] if path.exists()]
        case TrialProposed(trial=number, spec=spec):
            return [Upload((number, None), Path("spec.yaml"), "", text=yaml.dump(spec))]
        case DriverSaid(started=False, doing=doing) as event:
            best = best_yaml(state) if doing == "pick" and state.pick else None
            picked = [Upload(PICK, Path("best.yaml"), "", text=best)] if best else []
            last = event.state == "finished" and event.n + 1 == state.lines
            return [*picked, *(report(state, folder) if last else [])]
        case Measured(samples=str(samples)) as event:
            key, place = (
                key_of(state.configuration(event.trial), event.seed),
                run_folder(folder, event.trial, event.seed),
            )
            return [Upload(key, place / samples, "samples", at=(event.images, milliseconds(event.time)))]
        case RunEnded() as event:
            trial, run = state.configuration(event.trial), state.run(event.trial, event.seed)
            if run is None or trial.moved:  # of neighbours nobody wants more than to see them
                return []
            key, place = key_of(trial, run.seed), run_folder(folder, event.trial, event.seed)
            nearest = [Upload(key, path, "samples") for path in sorted(place.glob("samples/nearest-*.png"))]
            checkpoints = _checkpoints(state, run, place)
            return [*nearest, *(Upload(key, path, "checkpoints", tag=tag) for tag, path in checkpoints)]
    return []


def report(state: SweepState, folder: Path) -> list[Upload]:
    """The page that `gansweep report` writes, and its figures for papers; once, as the last end of a driver has it."""
    from pipeline.report.charts.printed import svg  # matplotlib takes a second
    from pipeline.report.page.figures import charts
    from pipeline.report.page.page import REPORT, html

    drawn = charts(state, folder)
    page = Upload(SWEEP, Path(REPORT), "report", text=html(state, folder, drawn))
    return [page, *(Upload(SWEEP, Path(f"{each.name}.svg"), "report/figures", text=svg(each)) for each in drawn)]


def _checkpoints(state: SweepState, run: Run, place: Path) -> list[tuple[str, Path]]:
    """The best and the last; of a run that a rung stopped the best alone is kept."""
    best = run.best(state.metric)
    named = {m.images: m.checkpoint for m in run.measurements if m.checkpoint}
    checkpoints = []
    if best and best[0] in named:
        checkpoints.append(("checkpoint.best", place / str(named[best[0]])))
    if run.images in named and run.end_reason != "rung":
        checkpoints.append(("checkpoint.last", place / str(named[run.images])))
    return checkpoints
