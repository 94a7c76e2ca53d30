"""Stacks of three digits: what they are drawn from, and that their parts share no digit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.data import stacks
from pipeline.data.dataset import load
from pipeline.errors import InputError
from pipeline.schema.base import parse
from pipeline.schema.trial import DataSpec, TrialSpec

DIGITS = torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1).expand(20, 1, 4, 4)  # the image says which one it is
LABELS = torch.arange(20) % 10


def test_each_channel_is_a_digit_and_the_mode_reads_them_as_a_number() -> None:
    found, modes = stacks.draw(DIGITS, LABELS, 5_000, seed=1)
    assert (found.shape, found.dtype, modes.dtype) == ((5_000, 3, 4, 4), torch.uint8, torch.int64)
    drawn = found[:, :, 0, 0].long()
    assert torch.equal(found, drawn[:, :, None, None].expand(-1, -1, 4, 4).to(torch.uint8))
    digits = LABELS[drawn]
    assert modes.tolist() == [int(f"{a}{b}{c}") for a, b, c in digits.tolist()]
    assert torch.equal(stacks.digits_of(modes), digits)
    assert torch.equal(stacks.mode_of(stacks.digits_of(torch.arange(1000))), torch.arange(1000))


def test_channels_are_drawn_on_their_own_and_all_modes_alike() -> None:
    _, modes = stacks.draw(DIGITS, LABELS, 100_000, seed=2)
    counts = torch.bincount(modes, minlength=1000).double()
    assert len(counts) == 1000
    # a chi-squared of 999 degrees of freedom
    assert float(((counts - 100) ** 2 / 100).sum()) == pytest.approx(999, abs=4 * (2 * 999) ** 0.5)


def test_the_seed_decides() -> None:
    first, again, other = (stacks.draw(DIGITS, LABELS, 50, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.slow
def test_the_parts_are_of_the_digits_of_the_same_part(data_root: Path, tmp_path: Path) -> None:
    spec = DataSpec(name="stacked_mnist")
    data, digits = load(spec, data_root, tmp_path), load(DataSpec(name="mnist"), data_root, tmp_path)
    assert (data.kind, data.channels, data.resolution, data.classes, data.modes) == ("image", 3, 28, 1000, 1000)
    assert [len(data.part(part)) for part in ("train", "validation", "test")] == [128_000, 26_000, 26_000]
    known = {part: {row.numpy().tobytes() for row in digits.part(part)} for part in ("train", "validation", "test")}
    for part in known:
        some = data.part(part)[:500].flatten(0, 1)
        assert all(row.numpy().tobytes() in known[part] for row in some[:, None])
    assert load(spec, data_root, tmp_path).fingerprint == data.fingerprint != digits.fingerprint


def test_it_is_an_image_set_of_known_modes() -> None:
    tree = {
        "data": {"name": "stacked_mnist"},
        "budget": {"images": 640},
        "evaluation": {"every": 320},
        "generator": {"network": "dcgan"},
        "discriminator": {"network": "dcgan", "depth": 3},
    }
    with pytest.raises(InputError, match=r"discriminator.depth: found 3; a resolution of 28 cannot be halved 3 times"):
        parse(TrialSpec, tree, "x")
