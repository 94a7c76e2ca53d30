"""Copies of training samples, told from new ones."""

import math

import pytest
import torch
from torch import Tensor

from pipeline.metrics.memory import authenticity, nearest, remembered


def drawn(count: int, seed: int, width: int = 8) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + 5


def literal(training: Tensor, fakes: Tensor) -> float:
    """AuthPct, written out."""
    between = torch.cdist(training.double(), training.double()) + torch.diag(torch.full((len(training),), math.inf))
    distances, at = torch.cdist(fakes.double(), training.double()).min(1)
    return float((distances > between.min(1).values[at]).double().mean())


@pytest.mark.parametrize("spread", [0.5, 1.0, 2.0])
def test_agrees_with_the_definition(spread: float) -> None:
    training, fakes = drawn(300, 0), 5 + spread * (drawn(200, 1) - 5)
    assert authenticity(remembered(training), fakes) == pytest.approx(literal(training, fakes), abs=1e-9)


def test_copies_are_not_authentic_and_held_out_samples_are_as_authentic_as_others() -> None:
    training, held_out = drawn(2000, 2), drawn(256, 3)
    memory = remembered(training, held_out)
    assert authenticity(memory, training[:200]) == 0.0
    assert authenticity(memory, training[:200] + 0.01 * (drawn(200, 4) - 5)) == 0.0
    assert 1 - authenticity(memory, drawn(256, 5)) == pytest.approx(memory.held_out, abs=0.12)


def test_nearest_names_the_training_sample_and_its_distance() -> None:
    training = drawn(500, 6)
    distances, index = nearest(remembered(training), training[[7, 300]] + torch.tensor([1e-2] + [0.0] * 7))
    assert index.tolist() == [7, 300]
    assert distances.tolist() == pytest.approx([1e-2, 1e-2], rel=1e-2)
    apart, other = nearest(remembered(training), training[:3], other=True)
    assert not set(other.tolist()) & {0, 1, 2}
    assert float(apart.min()) > 0.1


def test_one_training_sample_has_no_other_one_and_nan_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="1 training features; two are needed"):
        remembered(drawn(1, 0))
    fakes = drawn(10, 1)
    fakes[2, 3] = math.nan
    assert math.isnan(authenticity(remembered(drawn(50, 0)), fakes))
