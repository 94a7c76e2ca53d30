"""The loop: what a measurement says, and how a training ends that went wrong."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from pipeline.games.game import Draw
from pipeline.games.latent import draw
from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.metrics.of_points import PointMeasure
from pipeline.record.measurement import Measurement
from pipeline.schema.trial import DataSpec, LatentSpec
from pipeline.training.loop import Task, training
from pipeline.training.making import sampled
from pipeline.training.state import DISCRIMINATOR_MEASURES, GENERATOR_MEASURES, initial
from pipeline.training.store import Store
from tests.training.toy import EVERY, OBJECTIVE, evaluator, run, same, spec


def test_a_measurement_says_all_of_it(tmp_path: Path) -> None:
    first, second, *_ = run(tmp_path)
    assert second.images == 2 * EVERY
    assert set(second.signals) >= {*DISCRIMINATOR_MEASURES, *GENERATOR_MEASURES, "finite", "diversity_ratio"}
    assert second.timings.keys() == {"train", "evaluate", "checkpoint"}
    assert second.seconds == pytest.approx(first.seconds + sum(second.timings.values()))
    assert second.features == "points"
    for name in (second.samples, second.checkpoint):
        assert name is not None
        assert not Path(name).is_absolute()
    with Image.open(tmp_path / str(second.samples)) as picture:
        assert picture.size[0] > 100


def test_a_budget_between_evaluations_ends_with_one(tmp_path: Path) -> None:
    found = [m.images for m in run(tmp_path, budget={"images": 700}, evaluation={"every": 300, "samples": 200})]
    assert found == [320, 608, 704], "whole batches, so each is the first step at or over its goal"


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """Evaluations, pictures and checkpoints draw nothing from the training's randomness and leave the mode alone."""
    states = {}
    for every in (EVERY, 6 * EVERY):
        folder = tmp_path / str(every)
        for _ in run(folder, evaluation={"every": every, "samples": 200}):
            pass
        newest = Store(folder).newest()
        assert newest is not None
        states[every] = {
            name: newest[1]["state"][name] for name in ("generator", "discriminator", "ema", "optimiser_g")
        }
    assert same(*states.values())


def test_samples_are_the_same_in_chunks_and_leave_the_mode() -> None:
    state = initial(spec(), evaluator().dataset, 1)
    latents = draw(LatentSpec(size=2), 1100, torch.Generator().manual_seed(0))
    generator = state.game.generator
    generator.train()
    found = sampled(state.game, generator, {"latent": latents}, state.spec, state.progress)["samples"]
    assert generator.training
    generator.eval()
    with torch.no_grad():
        torch.testing.assert_close(found, generator(latents))
    assert (found.dtype, found.device.type, found.requires_grad) == (torch.float32, "cpu", False)


def poisoned() -> Evaluator:
    """One point of the ring is not a number: it is met somewhere in the first epoch."""
    dataset = evaluator().dataset
    train = dataset.train[: 10 * EVERY // 4].clone()
    train[5] = math.nan
    return Evaluator(
        dataclasses.replace(dataset, train=train), Asked(200), PointMeasure(dataset, Path(), "cpu"), Path()
    )


EXPLODES: dict[str, Any] = {
    "game": {"objective": "wasserstein"},
    "generator": {"network": "mlp", "width": 64, "depth": 12},
    "discriminator": {"network": "mlp", "width": 64, "depth": 12},
    "regularisers": {},
    "optimiser": {"lr_g": 1.0, "lr_d": 1.0},
}


@pytest.mark.parametrize("cause", ["data", "learning rate"])
def test_what_is_not_finite_ends_with_one_last_measurement(cause: str, tmp_path: Path) -> None:
    changes = EXPLODES if cause == "learning rate" else {"regularisers": {}}
    used = poisoned() if cause == "data" else evaluator()
    found = list(training(Task(spec(**changes), 1, OBJECTIVE), used, Store(tmp_path)))
    last = found[-1]
    assert [m.signals["finite"] for m in found] == [1.0] * (len(found) - 1) + [0.0]
    assert last.metrics == {}
    assert last.checkpoint is None
    assert last.images < spec().budget.images
    assert any(not math.isfinite(value) for value in last.signals.values()), "the values themselves are kept"
    newest = Store(tmp_path).newest()
    before = found[-2].images if len(found) > 1 else None
    assert (newest[1]["measurement"]["images"] if newest else None) == before
    again = list(training(Task(spec(**changes), 1, OBJECTIVE), used, Store(tmp_path)))
    assert [m.images for m in again] == [m.images for m in found[-2:]], "the same end after a resume"


def test_samples_that_are_not_finite_are_a_measurement_without_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the average alone broke: said, saved and shown, never scored, and never the best."""
    trained = run(tmp_path)
    first = next(trained)

    def broken(generator: nn.Module, inputs: dict[str, torch.Tensor], draw: Draw) -> torch.Tensor:
        return torch.full((len(inputs["latent"]), 2), math.nan)

    monkeypatch.setattr("pipeline.games.adversarial.AdversarialGame.sample", lambda _, *a: broken(*a))
    second: Measurement = next(trained)
    assert (second.metrics, second.signals["finite"]) == ({}, 0.0)
    assert (tmp_path / str(second.samples)).exists()
    newest = Store(tmp_path).newest()
    assert newest is not None
    assert newest[1]["state"]["best"]["images"] == first.images


@pytest.mark.slow
def test_digits_resume_to_the_bit(tmp_path: Path) -> None:
    """Real images, convolutions, batch and spectral norm, FID."""
    digits = Evaluator.open(DataSpec(name="digits"), Asked(), tmp_path / "cache", None, "cpu")
    changes = {
        "data": {"name": "digits"},
        "budget": {"images": 3 * 256},
        "evaluation": {"every": 256},
        "generator": {"network": "dcgan", "width": 8, "depth": 2},
        "discriminator": {"network": "dcgan", "width": 8, "depth": 2, "norm": "spectral"},
    }

    def start(folder: str) -> Any:
        return training(Task(spec(**changes), 1, "fid"), digits, Store(tmp_path / folder))

    whole = [(m.images, m.metrics, m.signals) for m in start("whole")]
    next(start("cut"))
    cut = [(m.images, m.metrics, m.signals) for m in start("cut")]
    assert cut == whole
    assert all(m[1]["fid"] > 0 for m in cut)
