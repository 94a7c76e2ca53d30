"""The input transforms: DiffAugment against its authors' code, ADA's transforms at their limits and its update."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.data.dataset import load
from pipeline.games.adversarial import AdversarialGame
from pipeline.games.augment import TRANSFORMS, ada, advance_ada, diffaugment, instance_noise
from pipeline.games.game import Turn
from pipeline.schema.parts import AdaSpec, ConsistencySpec, DiffAugmentSpec
from pipeline.schema.trial import DataSpec, TrialSpec
from pipeline.training.state import initial

EVERY: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = TRANSFORMS | {
    "diffaugment": lambda x, r: diffaugment(x, DiffAugmentSpec(), r),
    "ada": lambda x, r: ada(x, torch.tensor(0.7), r),
    "instance_noise": lambda x, r: instance_noise(x, 0.3, r),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 5, channels: int = 3, side: int = 8, **kind: Any) -> Tensor:
    return torch.rand((count, channels, side, side), generator=seeded(1), **kind) * 2 - 1


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_generator_of_randomness_alone_decides(name: str, channels: int) -> None:
    x = images(channels=channels)
    first = EVERY[name](x, seeded())
    torch.manual_seed(3)
    assert torch.equal(first, EVERY[name](x, seeded()))
    assert not torch.equal(first, EVERY[name](x, seeded(9)))
    assert first.shape == x.shape
    assert first.isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_differentiable_twice(name: str) -> None:
    """A gradient penalty differentiates through the transform twice: torch checks both against finite differences."""
    x = images(2, 2, 4, dtype=torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda at: EVERY[name](at, seeded()).double(), x, atol=1e-4, eps=1e-4)
    # atol: p, angles and weights are drawn in float32
    assert torch.autograd.gradgradcheck(lambda at: EVERY[name](at.sin(), seeded()).double(), x, atol=1e-3, eps=1e-4)


def test_colour_is_diffaugments() -> None:
    """rand_brightness, rand_saturation and rand_contrast of the authors' code, from the same draws."""
    x, draws = images(), seeded()
    b, s, c = (torch.rand(5, generator=draws)[:, None, None, None] for _ in range(3))
    y = x + (b - 0.5)
    mean = y.mean(dim=1, keepdim=True)
    y = (y - mean) * (s * 2) + mean
    mean = y.mean(dim=[1, 2, 3], keepdim=True)
    y = (y - mean) * (c + 0.5) + mean
    torch.testing.assert_close(TRANSFORMS["colour"](x, seeded()), y)


@pytest.mark.parametrize("side", [8, 12, 28])
def test_translation_moves_by_up_to_an_eighth_and_fills_with_zero(side: int) -> None:
    x = images(300, 1, side) + 3  # no zero in it
    moved, most, found = TRANSFORMS["translation"](x, seeded()), int(side / 8 + 0.5), set()
    for before, after in zip(x[:, 0], moved[:, 0], strict=True):
        shifts = [
            (dy, dx)
            for dy in range(-most, most + 1)
            for dx in range(-most, most + 1)
            if torch.equal(after, shifted(before, dy, dx))
        ]
        assert len(shifts) == 1
        found.add(shifts[0])
    assert len(found) >= 0.8 * (2 * most + 1) ** 2


def shifted(image: Tensor, dy: int, dx: int) -> Tensor:
    side = len(image)
    out = image.roll((-dy, -dx), (0, 1))
    rows, columns = torch.arange(side) + dy, torch.arange(side) + dx
    inside = ((rows >= 0) & (rows < side))[:, None] & ((columns >= 0) & (columns < side))[None, :]
    return out * inside


def test_cutout_is_a_square_of_half_a_side_anywhere() -> None:
    cut = TRANSFORMS["cutout"](torch.ones(400, 2, 8, 8), seeded()) == 0
    assert torch.equal(cut[:, 0], cut[:, 1])
    sizes = {int(one.sum()) for one in cut[:, 0]}
    assert max(sizes) == 16
    assert min(sizes) == 4  # its centre in a corner
    rows, columns = cut[:, 0].any(2), cut[:, 0].any(1)
    assert torch.equal(cut[:, 0], rows[:, :, None] & columns[:, None, :])
    assert cut[:, 0].float().mean(0).min() > 0.05


def test_the_flip_mirrors_half_the_images() -> None:
    x = images(4000)
    found = TRANSFORMS["flip"](x, seeded())
    mirrored = (found == x.flip(3)).flatten(1).all(1)
    assert torch.equal(found[~mirrored], x[~mirrored])
    assert float(mirrored.float().mean()) == pytest.approx(0.5, abs=0.03)


def test_nothing_is_mirrored_unless_it_is_asked_for() -> None:
    """Digits and letters are others in a mirror: DiffAugment has no flip of its own, ADA's can be left out."""
    assert not DiffAugmentSpec().flip
    assert ConsistencySpec().transform == "translation"
    x = torch.zeros(4000, 1, 9, 9)
    x[:, :, 2, 1], x[:, :, 2, 7] = 1.0, -1.0  # a bright pixel to the left of a dark one
    small = torch.tensor(0.05)

    def mirrored(flipped: bool) -> float:
        """The share of images that are nothing but mirrored."""
        return float((ada(x, small, seeded(), flipped) == x.flip(3)).flatten(1).all(1).float().mean())

    assert mirrored(flipped=False) == 0
    assert mirrored(flipped=True) == pytest.approx(0.025 * 0.95**8, abs=0.008)


def test_diffaugment_does_what_is_on() -> None:
    x = images()
    assert torch.equal(diffaugment(x, DiffAugmentSpec(colour=False, translation=False, cutout=False), seeded()), x)
    for name in TRANSFORMS:
        alone = DiffAugmentSpec(**{other: other == name for other in TRANSFORMS})
        assert torch.equal(diffaugment(x, alone, seeded()), TRANSFORMS[name](x, seeded()))


def test_ada_at_p_0_is_the_image_itself() -> None:
    x = images(64, 3, 8)
    assert torch.equal(ada(x, torch.tensor(0.0), seeded()), x)


def test_ada_transforms_as_many_images_as_p_says() -> None:
    """An image is itself when none of 10 transforms (the flip and the quarter turn half and three quarters) comes."""
    x = images(4000, 1, 8).abs()
    p = 0.2
    same = (ada(x, torch.tensor(p), seeded()) == x).flatten(1).all(1).float().mean()
    # whole shifts of an 8-pixel side are U(-1, 1), rounded, so that a quarter of them is none in both directions;
    # scale, rotations, stretch, fine shift, brightness and contrast; saturation does nothing to one channel
    still = (1 - p / 2) * (1 - 3 * p / 4) * (1 - 3 * p / 4) * (1 - p) ** 6
    assert float(same) == pytest.approx(still, abs=0.025)


def test_adas_geometry_keeps_values_within_the_images() -> None:
    """Bilinear and reflected: nothing beyond the least and largest pixel, as colour alone could make it."""
    x = images(300, 1, 8)
    constant = torch.full_like(x, 0.5)
    moved = ada(constant, torch.tensor(1.0), seeded())
    flat = moved.flatten(1)
    torch.testing.assert_close(flat, flat[:, :1].expand_as(flat))


def test_adas_update_is_its_formula() -> None:
    """p moves by sign(r_t - target) * batch * interval / images every 4 steps, never below 0: Karras et al. 2020."""
    spec = AdaSpec(target=0.6, images=1000, interval=4)
    state = {"p": torch.tensor(0.0), "signs": torch.tensor(0.0)}
    draw, p, window = seeded(2), 0.0, []
    for step in range(60):
        chance = 0.95 if step < 36 else 0.5  # reals that D takes for reals: r_t = 0.9, then 0
        signs = (torch.rand(20, generator=draw) < chance).float() * 2 - 1
        state = advance_ada(state, signs, step, 20, spec)
        window.append(float(signs.mean()))
        if len(window) == 4:
            p = max(0.0, p + math.copysign(20 * 4 / 1000, sum(window) / 4 - 0.6))
            window = []
        assert float(state["p"]) == pytest.approx(p, abs=1e-6)
        if step == 35:
            assert p == pytest.approx(0.72)
    assert p == pytest.approx(0.24)


def test_instance_noise_has_its_deviation() -> None:
    x = torch.zeros(2000, 1, 4, 4)
    noisy = instance_noise(x, 0.3, seeded())
    assert float(noisy.std()) == pytest.approx(0.3, rel=0.02)
    assert float(noisy.mean()) == pytest.approx(0.0, abs=0.01)


def test_under_autocast_the_geometry_is_that_of_float32(tmp_path: Path) -> None:
    """bfloat16 would miss its places by up to half a pixel: the judge that augments is held to float32."""
    tree = {
        "data": {"name": "digits"},
        "budget": {"images": 16},
        "evaluation": {"every": 16},
        "generator": {"network": "dcgan", "width": 4},
        "discriminator": {"network": "dcgan", "width": 4},
        "augmentation": {"ada": {}},
        "device": "cpu",
        "precision": "bf16",
    }
    state = initial(TrialSpec.model_validate(tree), load(DataSpec(name="digits"), None, tmp_path), 0)
    game, x = state.game, images(16, 1, 8)
    assert isinstance(game, AdversarialGame)
    ada = {"ada": {"p": torch.tensor(1.0), "signs": torch.tensor(0.0)}}
    turn = Turn({"real": x}, x, x, seeded(), auxiliary={"discriminator": ada, "generator": {}})
    with torch.autocast("cpu", torch.bfloat16):
        found = game._transformed(x.bfloat16(), turn)
    turn = replace(turn, randomness=seeded())
    assert found.dtype == torch.float32
    assert torch.equal(found, game._transformed(x.bfloat16().float(), turn))
