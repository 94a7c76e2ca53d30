"""A table from training to generating: own units from the checkpoint alone, in arrays, in the exported generator and
in metrics of one's own; what was trained before columns were standardised goes on as it was, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import InputError
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.record.events import Prepared
from pipeline.sampling.exporting import export
from pipeline.sampling.gansweep_generator import Generator
from pipeline.sampling.generating import Wanted, generate
from pipeline.schema.trial import DataSpec, OwnMetricSpec, TrialSpec
from pipeline.sweeps.start import changes, check_units
from pipeline.training.loop import Task, training
from pipeline.training.store import Store, load
from tests.training import toy

# Ages, incomes and dates in seconds: spreads of 20, 40,000 and 3 of 1.7 thousand million.
ROWS = """
import torch
def rows(resolution=None):
    r = torch.randn(400, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return r * torch.tensor([20.0, 4e4, 3.0], dtype=torch.float64) + torch.tensor([45, 1e5, 1.7e9], dtype=torch.float64)
def middle(evaluated):
    assert evaluated.real.dtype == torch.float32
    return evaluated.real[:, 1].mean()
"""
CENTRE, SPREAD = np.array([45, 1e5, 1.7e9]), np.array([20, 4e4, 3.0])
NETWORK = {"network": "mlp", "width": 16, "depth": 1, "norm": "none"}


@pytest.fixture
def name(tmp_path: Path) -> str:
    (tmp_path / "people.py").write_text(ROWS)
    return f"{tmp_path / 'people.py'}:rows"


def evaluator(name: str, **metrics: OwnMetricSpec) -> Evaluator:
    return Evaluator.open(DataSpec(name=name), Asked(80, own=metrics), Path(name).parent / "cache", None, "cpu")


def trained(name: str, folder: Path, data: Evaluator | None = None) -> Path:
    evaluation = {"every": 320, "samples": 80}
    spec = toy.spec(data={"name": name}, budget={"images": 640}, evaluation=evaluation, generator=NETWORK)
    measured = list(training(Task(spec, 1, toy.OBJECTIVE), data or evaluator(name), Store(folder)))
    assert measured[-1].metrics[toy.OBJECTIVE] < 3  # of deviations, whatever the units
    return folder / str(measured[-1].checkpoint)


def in_own_units(samples: np.ndarray[Any, Any]) -> bool:
    """Whether samples are where the data is, to a few deviations."""
    return bool((np.abs(samples - CENTRE) < 20 * SPREAD).all() and (samples.std(0) > 1e-3 * SPREAD).all())


def test_samples_are_in_their_own_units_from_the_checkpoint_alone(tmp_path: Path, name: str) -> None:
    path = trained(name, tmp_path / "run")
    Path(name.rpartition(":")[0]).unlink()
    generate(path, Wanted(50), 0, tmp_path / "x.npz")
    samples = np.load(tmp_path / "x.npz")["samples"]
    assert samples.dtype == np.float64
    assert in_own_units(samples)
    export(path, tmp_path / "out")
    generator = Generator(tmp_path / "out")
    latents = np.random.RandomState(0).randn(50, 2).astype(np.float32)
    assert in_own_units(generator.predict(latents))
    assert generator.predict(latents[:0]).dtype == generator.predict(latents).dtype == np.float64
    generate(path, Wanted(50), 0, tmp_path / "x.png")


def test_a_checkpoint_of_before_gives_what_it_gave(tmp_path: Path, name: str) -> None:
    path = trained(name, tmp_path / "run")
    content = load(path)
    for key in ("centre", "scale"):
        del content["state"][key]
    old = tmp_path / "old" / Store(tmp_path / "old").save(640, content)
    generate(old, Wanted(50), 0, tmp_path / "x.npz")
    samples = np.load(tmp_path / "x.npz")["samples"]
    assert samples.dtype == np.float32
    assert np.abs(samples).max() < 100
    spec = TrialSpec.model_validate(content["spec"])
    again = training(Task(spec, 1, toy.OBJECTIVE), evaluator(name), Store(tmp_path / "old"))
    with pytest.raises(InputError, match=r"was trained on people.py:rows before its columns were standardised; valid"):
        next(again)


def test_a_run_on_a_table_resumes_to_the_bit(tmp_path: Path, name: str) -> None:
    data = evaluator(name)
    spec = toy.spec(data={"name": name}, evaluation={"every": 320, "samples": 80}, generator=NETWORK)
    whole = [toy.facts(m) for m in training(Task(spec, 1, toy.OBJECTIVE), data, Store(tmp_path / "whole"))]
    cut = training(Task(spec, 1, toy.OBJECTIVE), data, Store(tmp_path / "cut"))
    seen = [toy.facts(next(cut)) for _ in range(2)]
    again = training(Task(spec, 1, toy.OBJECTIVE), evaluator(name), Store(tmp_path / "cut"))
    assert seen[:-1] + [toy.facts(m) for m in again] == whole


def test_a_metric_of_ones_own_sees_rows_in_their_own_units(name: str) -> None:
    data = evaluator(name, middle=OwnMetricSpec(name=name.replace(":rows", ":middle"), minimise=True))
    metrics, signals, _ = data.evaluate(torch.zeros(80, 3))
    assert metrics["middle"] == pytest.approx(1e5, rel=0.2)
    assert signals["sample_variance_ratio"] == 0.0
    assert 0.1 < data.summary()["floor"]["sliced_wasserstein"] < 1


def prepared(facts: dict[str, Any]) -> Prepared:
    return Prepared(n=1, time=0.0, **facts)


def test_an_older_sweep_is_told_why_it_cannot_go_on(name: str) -> None:
    """Not with --accept-changes either: its values and its checkpoints are of other units."""
    now = {**evaluator(name).summary(), "code": {}}
    check_units(prepared(now), now, "mine")
    assert changes(prepared(now), now, {}) == []
    before = {**now, "data": {**now["data"], "fingerprint": now["data"]["unstandardised"]}}
    with pytest.raises(InputError, match=r"mine: the columns of people.py:rows are standardised now, and were not"):
        check_units(prepared(before), now, "mine")
    changed = {**now, "data": {**now["data"], "fingerprint": "0" * 16}}
    check_units(prepared(changed), now, "mine")
    assert len(changes(prepared(changed), now, {})) == 1
