"""What only building a configuration can tell to be right, told before it is trained: in a worker, for a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.conformance.protocol import reach, shapes
from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.errors import InputError, with_place
from pipeline.metrics.content import content_of
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.schema.trial import TrialSpec
from pipeline.training.state import initial
from pipeline.training.step import step

PACKS = 8  # in the batch that is looked at


def preflight(specs: Sequence[TrialSpec], cache: Path, root: Path | None) -> None:
    """Builds each spec once, looks at what its parts give for a small batch and trains one step on it: parts of the
    user's own are there and keep to what is asked of them, a checkpoint to start from fits. Raises InputError where
    not. All specs have the same data and evaluation."""
    if not specs:
        return
    dataset = load(specs[0].data, root, cache)
    for spec in specs:
        _build(spec, dataset, cache)
    asked = specs[0].evaluation
    if asked.metrics:
        evaluator = Evaluator.open(specs[0].data, Asked.of(asked), cache, root, "cpu")
        evaluator.evaluate(to_float(dataset.train[: evaluator.samples]))


def _build(spec: TrialSpec, dataset: Dataset, cache: Path) -> None:
    small: dict[str, Any] = {"device": "cpu", "precision": "fp32", "batch_size": PACKS * spec.game.packing}
    small["microbatch"] = None
    try:
        content = content_of(spec, dataset, cache)
        state = initial(spec.model_copy(update=small), dataset, seed=0, content=content)
        wrong = shapes(state) or reach(state)
        if not wrong:
            step(state, state.batches.next(state.randomness), state.randomness)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # out of what is not ours: a game or an objective
        wrong = with_place(error)
    if wrong:
        raise InputError(f"game: {spec.game.name}, {spec.game.objective}: {wrong}; see: gansweep conform")
