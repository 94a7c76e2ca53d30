"""What only building a configuration can tell to be right, told before it is trained: in a worker, for a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.data.dataset import load
from pipeline.spec.trial import TrialSpec
from pipeline.training.state import initial


def preflight(specs: Sequence[TrialSpec], cache: Path, root: Path | None) -> None:
    """Builds each spec once: parts of the user's own are there and fit, checkpoints to start from fit. Raises
    InputError where one does not. All of them have the same data."""
    if not specs:
        return
    dataset = load(specs[0].data, root, cache)
    for spec in specs:
        initial(spec.model_copy(update={"device": "cpu"}), dataset, seed=0)
