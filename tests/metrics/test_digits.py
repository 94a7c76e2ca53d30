"""Modes of stacked digits: counted through a classifier that is trained once, named by its weights."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from pipeline.data import stacks
from pipeline.data.batches import to_float
from pipeline.errors import InputError
from pipeline.metrics.digits import DigitStacks
from pipeline.metrics.evaluator import Asked, Evaluator, prepare
from pipeline.metrics.features import open_extractor
from pipeline.metrics.modes import label_metrics, reverse_kl_noise_floor
from pipeline.schema.metrics import On
from pipeline.schema.trial import DataSpec

SPEC, SAMPLES = DataSpec(name="stacked_mnist"), 4_000


def test_counts_by_hand() -> None:
    """Shares 1/2, 1/4, 1/4 of 8 modes: KL = sum p log(8 p)."""
    found = label_metrics(torch.tensor([0, 0, 3, 7]), 8)
    assert found == {"modes": 3, "reverse_kl": pytest.approx(0.5 * math.log(4) + 0.5 * math.log(2))}
    assert label_metrics(torch.zeros(5, dtype=torch.int64), 1000) == {"modes": 1, "reverse_kl": math.log(1000)}


def test_a_perfect_sampler_is_at_the_noise_floor() -> None:
    draw = torch.Generator().manual_seed(0)
    found = [label_metrics(torch.randint(1000, (26_000,), generator=draw), 1000)["reverse_kl"] for _ in range(10)]
    assert sum(found) / 10 == pytest.approx(reverse_kl_noise_floor(1000, 26_000), rel=0.04)
    assert reverse_kl_noise_floor(1000, 26_000) == pytest.approx(0.0192, abs=5e-5)


def test_each_channel_is_classified_on_its_own() -> None:
    """Channels exchanged are features and digits exchanged."""
    network = DigitStacks(8, 4)
    images = torch.rand(6, 3, 8, 8) * 2 - 1
    features = network(images)
    assert features.shape == (6, 12)
    turned = network(images[:, [2, 0, 1]])
    torch.testing.assert_close(turned, features.view(6, 3, 4)[:, [2, 0, 1]].flatten(1))
    digits = stacks.digits_of(network.modes(features))
    assert torch.equal(stacks.digits_of(network.modes(turned)), digits[:, [2, 0, 1]])


def test_modes_are_an_objective_where_they_are_known_alone() -> None:
    On("stacked_mnist", "image", True, True).check("modes", "x", {})
    On("stacked_mnist", "image", True, True).check("fid", "x", {})
    with pytest.raises(InputError, match=r'found "modes", which is for data of known modes; valid on mnist: fid, prec'):
        On("mnist", "image", False, True).check("modes", "x", {})
    with pytest.raises(InputError, match=r"valid on stacked_mnist: fid, .*reverse_kl, modes$"):
        On("stacked_mnist", "image", True, True).check("high_quality", "x", {})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
def test_real_stacks(data_root: Path, cache: Path) -> None:
    evaluator = Evaluator.open(SPEC, Asked(SAMPLES), cache, data_root, "cpu")
    extractor = open_extractor(evaluator.dataset, cache)
    print(extractor.facts)
    assert extractor.facts["test_accuracy"] > 0.97
    assert evaluator.features == extractor.name
    assert extractor.name.startswith("stacked_mnist-digits64-")
    metrics, signals, _ = evaluator.evaluate(to_float(evaluator.dataset.train[:SAMPLES]))
    print(metrics, signals)
    assert metrics["modes"] > 970
    floor = reverse_kl_noise_floor(1000, SAMPLES)
    assert metrics["reverse_kl"] == pytest.approx(floor, rel=0.15)
    assert signals["modes_share"] == pytest.approx(1, abs=0.02)
    few = evaluator.dataset.train[evaluator.dataset.train_labels // 100 == 7][:SAMPLES]  # type: ignore[operator]
    metrics, signals, _ = evaluator.evaluate(to_float(few))
    assert metrics["reverse_kl"] == pytest.approx(math.log(10) + 99 / (2 * SAMPLES), abs=0.1)
    assert signals["modes_share"] < 0.3
    found = prepare(SPEC, Asked(SAMPLES), cache, data_root)
    assert found["noise_floor"] == {"reverse_kl": pytest.approx(floor)}
    assert found["data"]["mixture"]
