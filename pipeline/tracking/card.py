"""The model card of what a pick recommends, in Markdown. No mlflow in here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.data.said import what_was_read
from pipeline.errors import InputError
from pipeline.picking.plateau import plateau
from pipeline.picking.standing import confirmed_score
from pipeline.picking.verdict import Verdict
from pipeline.record.home import run_folder
from pipeline.record.runs import Run
from pipeline.record.state import SweepState
from pipeline.report.markdown import evidence_line, number
from pipeline.report.verdict import conclusions, robustness, span
from pipeline.schema.datasets import lookup
from pipeline.schema.kinds import KINDS


@dataclass(frozen=True)
class Exported:
    """The run of the winner that stands for it, and the checkpoint of it that is sampled: its best, at `images`."""

    run: Run
    images: int
    checkpoint: Path

    @property
    def label(self) -> str:
        return f"trial-{self.run.trial}-seed-{self.run.seed}-{self.checkpoint.stem}"


def exported(verdict: Verdict, state: SweepState, folder: Path) -> Exported | None:
    """The healthy fresh seed with the median test tail (of two in the middle the better one); None where no
    checkpoint of it was recorded."""
    metric = state.metric
    seeds = verdict.best.ends
    runs = [run for run in state.trials[verdict.best.trial].confirmations.values() if run.seed in seeds]
    scored = [(score, run) for run in runs if (score := confirmed_score(run, metric)) is not None]
    scored.sort(key=lambda pair: (pair[0] if verdict.minimise else -pair[0], pair[1].seed))
    run = scored[(len(scored) - 1) // 2][1]
    best = run.best(metric)
    named = {m.images: m.checkpoint for m in run.measurements if m.checkpoint}
    if best is None or best[0] not in named:
        return None
    place = run_folder(folder, run.trial, run.seed)
    return Exported(run, best[0], place / str(named[best[0]]))


def card(verdict: Verdict, state: SweepState, chosen: Exported, name: str, uri: str) -> str:
    """name: that it is registered under; uri: how it is loaded."""
    data = state.data
    kind, name_of_data = KINDS[data.get("kind", "image")].words, _shown(str(data.get("name")))
    lines = [
        f"# {name}: synthetic {kind} like those of {name_of_data}",
        "",
        f"A GAN's generator, of the sweep {verdict.name} of gansweep: its hyperparameters are the best of "
        f"{len(state.trials)} trials, confirmed on {verdict.best.seeds} fresh seeds.",
        "",
        f"The weights are of trial {chosen.run.trial}, seed {chosen.run.seed}: the healthy fresh seed with the median "
        f"test tail. Of that run it is the best checkpoint by {verdict.metric} on the validation part, at "
        f"{chosen.images:,} images; averaged weights where the configuration averages.",
        "",
        "## Its output is synthetic",
        "",
        "Everything it gives is generated; no sample is a record of anything or anyone. The model's metadata says so "
        "(`synthetic: true`, IPTC digital source type trainedAlgorithmicMedia), and pictures that `gansweep generate` "
        "writes carry it as PNG text (Software: gansweep, Synthetic, DigitalSourceType), .npz files as the entries "
        "`software` and `synthetic`. The bare arrays that predict() returns carry no mark: who passes them on should "
        "say what they are.",
        "",
        "## Data",
        "",
        *_data(data),
        "",
        "## Intended use",
        "",
        f"To look at, and to compare with other generators of the same data. It learned {name_of_data} alone and "
        "says nothing of other data. Not to be passed off as real data, nor used as training or test data of a system "
        "whose errors hurt, without checking what it leaves out. It was not tested for what it gives away of "
        "single training samples.",
        "",
        "## Metrics",
        "",
        *_metrics(verdict, state, chosen),
        "",
        "## Known failures",
        "",
        *_failures(verdict, state),
        "",
        "## Use",
        "",
        *_use(uri, state.trials[chosen.run.trial].spec),
    ]
    return "\n".join(lines) + "\n"


def _data(data: dict[str, Any]) -> list[str]:
    name, names = str(data.get("name")), data.get("class_names", ())
    try:
        known = lookup(name)
    except InputError:
        known = None
    about = f": {known.about}" if known and known.about else ""
    licence = known.licence if known else None
    if licence is None:
        licence = "its authors name none" if known and known.about else "not known to gansweep: yours to say"
    return [
        f"- {_shown(name)}{about}; fingerprint {data.get('fingerprint')}",
        *(f"- {line}" for line in what_was_read(data)),
        *([f"- names of the classes, by number: {', '.join(names)}"] if names else []),
        f"- licence: {licence}",
        "- training, validation and test parts are disjoint; the search saw the first two alone",
    ]


def _shown(name: str) -> str:
    """Without the folders, which are of the machine that it was trained on."""
    kind, colon, path = name.partition(":")
    if kind == "imagefolder":
        return f"{kind}{colon}{Path(path).name}"
    if kind == "imagefolders":
        return f"{kind}{colon}{','.join(Path(each).name for each in path.split(','))}"
    return Path(name).name if ".py:" in name else name


def _metrics(verdict: Verdict, state: SweepState, chosen: Exported) -> list[str]:
    best, run = verdict.best, chosen.run
    floor = "" if state.floor is None else f" (real data against real data: {number(state.floor)})"
    at = next(m for m in run.measurements if m.images == chosen.images)
    values = ", ".join(f"{name} {number(value)}" for name, value in at.metrics.items())
    tested = run.test_tail(state.metric)
    lines = [
        f"Over seeds, test part: {verdict.metric} {number(best.score or 0.0)}, 95% interval {span(best.interval)}"
        f"{floor}; share of healthy seeds {best.share:.0%}, 95% interval {best.share_interval[0]:.0%} to "
        f"{best.share_interval[1]:.0%}.",
        f"These weights: {values} (validation part); the run's tail on the test part: {number(tested or 0.0)}.",
        f"Features: {state.features}; values of other features are not comparable.",
        *conclusions(verdict, state),
        *(robustness(around) if (around := plateau(state)) else []),
    ]
    return [f"- {line}" for line in lines]


def _failures(verdict: Verdict, state: SweepState) -> list[str]:
    """The winner's seeds that did not stay healthy, and what GANs of this kind do anyway."""
    runs = state.trials[verdict.best.trial].confirmations
    failed = [runs[seed] for seed in verdict.best.ends if not runs[seed].healthy]
    lines = [
        f"seed {run.seed} did not stay healthy: {evidence_line(str(run.end_reason), run.evidence)}" for run in failed
    ]
    if not failed:
        lines.append(
            f"none of its {verdict.best.seeds} fresh seeds failed; the share that fails may still be up to "
            f"{1 - verdict.best.share_interval[0]:.0%} (95%)"
        )
    lines.append("rare kinds of samples may be missing: see coverage and recall where they were measured")
    return [f"- {line}" for line in lines]


def _use(uri: str, spec: dict[str, Any]) -> list[str]:
    conditional = bool(spec.get("game", {}).get("condition"))
    given = '{"latent": latents, "label": labels}' if conditional else "latents"
    uniform = spec.get("latent", {}).get("distribution") == "uniform"
    draw = "uniform(-1, 1, (16, *facts['latent']))" if uniform else "standard_normal((16, *facts['latent']))"
    return [
        "Needs mlflow, numpy and torch, in the versions of requirements.txt; computes on the CPU in float32.",
        "",
        "```python",
        "import mlflow, numpy",
        "",
        f'model = mlflow.pyfunc.load_model("{uri}")',
        "facts = model.metadata.metadata",
        f'latents = numpy.random.default_rng(0).{draw}.astype("float32")',
        *(["labels = numpy.arange(16) % facts['classes']"] if conditional else []),
        f"samples = model.predict({given})",
        "```",
    ]
