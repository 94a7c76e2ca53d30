"""best.yaml: what the pick recommends, as a file that `gansweep train` takes, with its evidence in comments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.picking.verdict import Verdict, standing
from pipeline.record.state import SweepState
from pipeline.report.verdict import evidence
from pipeline.schema.sweep import SweepSpec
from pipeline.space import yaml
from pipeline.space.load import TRIAL_KEYS, SweepFile, from_tree


def write(path: Path, state: SweepState) -> None:
    """Writes best.yaml of a sweep whose pick has found something."""
    text = best_yaml(state)
    assert text is not None
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def best_yaml(state: SweepState) -> str | None:
    """The best finalist's spec, in which nothing is searched any more; None before the pick has found something."""
    verdict = standing(state)
    if verdict is None:
        return None
    comments = "".join(f"# {line}\n" if line else "#\n" for line in evidence(verdict, state))
    return comments + "\n" + yaml.dump(_tree(verdict, from_tree(state.space, state.source), state))


def _tree(verdict: Verdict, file: SweepFile, state: SweepState) -> dict[str, Any]:
    """What the sweep's file says, at the point that was picked: health rules too, as it was confirmed under them.
    Device and precision are left to the launch, as in the sweep, unless the file set them."""
    _, trial = file.space.fixed(state.trials[verdict.best.trial].point)
    about = f"trial {verdict.best.trial} of the sweep {verdict.name}, confirmed on {verdict.best.seeds} fresh seeds"
    kept = {key: trial[key] for key in TRIAL_KEYS if key in trial}
    defaults = SweepSpec(objective=verdict.metric).model_dump(mode="json")["health"]
    health = {} if file.tree["health"] == defaults else {"health": file.tree["health"]}
    return {"about": about, "objective": verdict.metric, **kept, **health}
