"""One run from its spec to its measurements, for a worker as for this process; data and features are kept open."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.record.measurement import Measurement
from pipeline.schema.trial import DataSpec, EvaluationSpec, TrialSpec
from pipeline.training.loop import Task, training
from pipeline.training.store import Store


def attempt(task: Task, store: Store, cache: Path, root: Path | None, threads: int = 1) -> Iterator[Measurement]:
    """The measurements of a run; checkpoints and samples go to `store`. threads: that it computes with on the CPU."""
    evaluator = _opened(task.spec, cache, root)
    if task.spec.device == "cpu" or threads > 1:
        torch.set_num_threads(threads)
    return training(task, evaluator, store)


def prepared_data(spec: TrialSpec, cache: Path, root: Path | None) -> tuple[dict[str, Any], str]:
    """What prepare() says of the data, which a run of `spec` then finds open, and of the features."""
    evaluator = _opened(spec, cache, root)
    return evaluator.about_data(), evaluator.features


def _opened(spec: TrialSpec, cache: Path, root: Path | None) -> Evaluator:
    chosen = spec.data.model_dump_json(), spec.evaluation.model_dump_json()
    return _evaluator(*chosen, cache, root, spec.device or "cpu")


@functools.lru_cache(maxsize=2)
def _evaluator(data: str, evaluation: str, cache: Path, root: Path | None, device: str) -> Evaluator:
    asked = Asked.of(EvaluationSpec.model_validate_json(evaluation))
    return Evaluator.open(DataSpec.model_validate_json(data), asked, cache, root, torch.device(device))
