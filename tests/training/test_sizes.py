"""The sizes that people train at: a few steps of the families at 64, 128 and 256 pixels, from a folder of images."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from pipeline.data.dataset import Dataset, parted
from pipeline.errors import InputError
from pipeline.schema.base import parse
from pipeline.schema.networks import FAMILIES
from pipeline.schema.trial import DataSpec, TrialSpec, resolve
from pipeline.training.making import sampled
from pipeline.training.state import initial
from pipeline.training.step import step

# A channel or two at the image, so that minutes are not spent on what only the resolution changes.
WIDTHS = {"r3gan": 16}


def spec(family: str, resolution: int, **changes: Any) -> TrialSpec:
    network = {"network": family, "width": WIDTHS.get(family, 2)}
    tree = {
        "data": {"name": "imagefolder:nowhere", "resolution": resolution},
        "budget": {"images": 8},
        "evaluation": {"every": 4},
        "latent": {"size": 8},
        "generator": network,
        "discriminator": network | ({"norm": "none"} if family == "dcgan" else {}),
        "batch_size": 2,
        "microbatch": 1,
    }
    return resolve(parse(TrialSpec, tree | changes, "x"), cuda=False)


@cache
def dataset(resolution: int) -> Dataset:
    randomness = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (100, 3, resolution, resolution), dtype=torch.uint8, generator=randomness)
    return parted(DataSpec(name="imagefolder:nowhere", resolution=resolution), images, torch.arange(100) % 2)


@pytest.mark.parametrize(
    ("family", "resolution"),
    [(family, side) for family in ("dcgan", "resnet") for side in (64, 128, 256)] + [("r3gan", 256), ("sndcgan", 256)],
)
def test_a_few_steps(family: str, resolution: int) -> None:
    state = initial(spec(family, resolution), dataset(resolution), 1)
    measured = [step(state, state.batches.next(state.randomness), state.randomness) for _ in range(2)]
    assert all(bool(value.isfinite()) for each in measured for value in each.values())
    with torch.no_grad():
        assert state.game.generator(torch.zeros(2, 8)).shape == (2, 3, resolution, resolution)


def test_large_samples_are_made_a_few_at_a_time() -> None:
    """512 images of 256 pixels would be gigabytes in each layer near them."""
    state, seen = initial(spec("dcgan", 256), dataset(256), 1), list[int]()
    state.game.generator.register_forward_hook(lambda module, given, made: seen.append(len(made)))
    made = sampled(state.game, state.game.generator, {"latent": torch.zeros(100, 8)}, state.spec, state.progress)
    assert made["samples"].shape == (100, 3, 256, 256)
    assert seen == [2, 42, 42, 16]


def test_widths_double_to_sixteen_times() -> None:
    network = FAMILIES["dcgan"].generator(network="dcgan", width=4)
    assert network.widths(64) == [4, 8, 16, 32]  # type: ignore[attr-defined]
    assert network.widths(256) == [4, 8, 16, 32, 64, 64]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"data": {"name": "imagefolder:x", "resolution": 257}},
            "data.resolution: found 257; valid: less than or equa",
        ),
        ({"data": {"name": "imagefolder:x"}}, "data.resolution: missing; imagefolder:"),
        (
            {"generator": {"network": "infogan"}, "data": {"name": "imagefolder:x", "resolution": 128}},
            "data.resolution: found 128; infogan halves it twice, valid: a multiple of 4 up to 64",
        ),
        ({"data": {"name": "imagefolder:x", "resolution": 255}}, "data.resolution: found 255; dcgan halves it"),
        (
            {"generator": {"network": "dcgan", "depth": 6}},
            "generator.depth: found 6; a resolution of 64 cannot be halved 6 times down to 2 x 2 or more, valid: ",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as error:
        spec("dcgan", 64, **changes)
    assert str(error.value).removeprefix("x: ").startswith(line)
    assert "\n" not in str(error.value)
