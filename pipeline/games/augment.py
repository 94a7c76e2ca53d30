"""Input transforms of the discriminator: DiffAugment, adaptive augmentation (ADA) and instance noise.

All take images (batch, channels, side, side) and their randomness, and are differentiable any number of times: a
gradient penalty differentiates through them twice, which torch's grid_sample does not allow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from pipeline.data.batches import mirrored
from pipeline.schema.parts import AdaSpec, DiffAugmentSpec, Transform
from pipeline.schema.schedule import value_at

SHIFT, CUT = 1 / 8, 1 / 2  # of a side (Zhao et al. 2020b)


def colour(x: Tensor, randomness: torch.Generator) -> Tensor:
    """Brightness + U(-0.5, 0.5), saturation * U(0, 2), contrast * U(0.5, 1.5) (Zhao et al. 2020b), in this order."""
    b, s, c = (_uniform(x, randomness) for _ in range(3))
    x = x + (b - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * s) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (c + 0.5) + mean


def translation(x: Tensor, randomness: torch.Generator) -> Tensor:
    """Shifted by up to an eighth of a side in each direction, whole pixels, 0 where nothing was."""
    count, channels, side, _ = x.shape
    most = int(side * SHIFT + 0.5)
    wide = pad(x, (most, most, most, most))
    first = torch.randint(0, 2 * most + 1, (count, 2, 1), generator=randomness, device=x.device)
    rows, columns = (first + torch.arange(side, device=x.device)).unbind(1)
    moved = wide.gather(2, rows[:, None, :, None].expand(-1, channels, -1, side + 2 * most))
    return moved.gather(3, columns[:, None, None, :].expand(-1, channels, side, -1))


def cutout(x: Tensor, randomness: torch.Generator) -> Tensor:
    """0 in a square of half a side, whose centre is anywhere in the image."""
    side = x.shape[2]
    size = int(side * CUT + 0.5)
    last = side + (1 - size % 2)
    centre = torch.randint(0, last, (x.shape[0], 2, 1), generator=randomness, device=x.device)
    offset = torch.arange(side, device=x.device) - centre + size // 2
    rows, columns = ((offset >= 0) & (offset < size)).unbind(1)
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


TRANSFORMS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "flip": mirrored,
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}


def transformed(x: Tensor, name: Transform, randomness: torch.Generator) -> Tensor:
    """One transform, or those whose names it joins, in their order."""
    for part in name.split("_"):
        x = TRANSFORMS[part](x, randomness)
    return x


def diffaugment(x: Tensor, spec: DiffAugmentSpec, randomness: torch.Generator, share: float = 0.0) -> Tensor:
    """Zhao et al. 2020b: the transforms that are on, in the order flip, colour, translation, cutout, each on an image
    with the probability that it has when `share` of the budget is spent."""
    probability = value_at(spec.probability, share)
    for name, transform in TRANSFORMS.items():
        if getattr(spec, name):
            moved = transform(x, randomness)
            x = (
                moved
                if probability == 1
                else torch.where(_each(_chance(len(x), x, randomness) < probability), moved, x)
            )
    return x


def instance_noise(x: Tensor, sigma: float, randomness: torch.Generator) -> Tensor:
    """x + N(0, sigma) (Sonderby et al. 2017); any shape."""
    return x + sigma * torch.randn(x.shape, generator=randomness, device=x.device, dtype=x.dtype)


def ada(x: Tensor, p: Tensor, randomness: torch.Generator, flipped: bool = True) -> Tensor:
    """Each transform with probability p (Karras et al. 2020, app. B): flip, quarter turns and whole-pixel shifts;
    scaling, stretching between two rotations, and shifts, bilinear and reflected at the border; brightness, contrast,
    saturation. Of the paper's list not: luma flip, hue rotation, the low-pass filter around the geometric ones."""
    count, side = x.shape[0], x.shape[2]

    def some(value: Tensor, neutral: float, chance: Tensor = p) -> Tensor:
        comes = _chance(count, x, randomness) < chance  # once an image: a shift comes in both directions or in none
        return torch.where(comes if value.dim() == 1 else comes[:, None], value, neutral)

    def turned() -> Tensor:
        return _turn(some((_chance(count, x, randomness) * 2 - 1) * math.pi, 0.0, once))

    def normal(*axes: int) -> Tensor:
        return torch.randn(count, *axes, generator=randomness, device=x.device)

    def whole(many: int) -> Tensor:
        return torch.randint(0, many, (count,), generator=randomness, device=x.device).float()

    once = 1 - (1 - p).clamp_min(0.0).sqrt()  # of two rotations, so that there is one with probability p
    upright = torch.ones(count, device=x.device)
    matrix = _matrix(some(1 - 2 * whole(2), 1.0) if flipped else upright, upright)
    matrix = _turn(some(whole(4), 0.0) * (math.pi / 2)) @ matrix
    anywhere = torch.rand(count, 2, generator=randomness, device=x.device) * 2 - 1
    shift = some((anywhere * SHIFT * side).round(), 0.0)
    scale = some(torch.exp2(0.2 * normal()), 1.0)
    matrix = _matrix(scale, scale) @ matrix
    matrix = turned() @ matrix
    stretch = some(torch.exp2(0.2 * normal()), 1.0)
    matrix = turned() @ _matrix(stretch, 1 / stretch) @ matrix
    finely = some(0.125 * side * normal(2), 0.0)
    x = _resample(x, matrix, shift + (matrix @ finely[:, :, None]).squeeze(2))

    x = x + _each(some(0.2 * normal(), 0.0))
    x = x * _each(some(torch.exp2(0.5 * normal()), 1.0))
    grey = x.mean(1, keepdim=True)
    return x + (x - grey) * _each(some(torch.exp2(normal()), 1.0) - 1)


def advance_ada(
    state: Mapping[str, Tensor], signs: Tensor, step: int, batch_size: int, spec: AdaSpec
) -> dict[str, Tensor]:
    """ADA's state after a step whose reals were judged `signs`: every `interval` steps p moves by
    sign(r_t - target) * batch_size * interval / images, and not below 0 (Karras et al. 2020, sec. 3)."""
    total = state["signs"] + signs.detach().mean()
    if (step + 1) % spec.interval:
        return {"p": state["p"], "signs": total}
    change = (total / spec.interval - spec.target).sign() * (batch_size * spec.interval / spec.images)
    return {"p": (state["p"] + change).clamp_min(0.0), "signs": torch.zeros_like(total)}


def _uniform(x: Tensor, randomness: torch.Generator) -> Tensor:
    return _each(_chance(x.shape[0], x, randomness))


def _chance(count: int, x: Tensor, randomness: torch.Generator) -> Tensor:
    return torch.rand(count, generator=randomness, device=x.device)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _matrix(horizontal: Tensor, vertical: Tensor) -> Tensor:
    """Diagonal matrices (batch, 2, 2), of (x, y)."""
    return torch.diag_embed(torch.stack([horizontal, vertical], 1))


def _turn(angle: Tensor) -> Tensor:
    """Rotations (batch, 2, 2)."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)


def _resample(x: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    """Each pixel from where matrix @ (its place from the centre) + shift is, in pixels; bilinear, by gathering."""
    count, channels, side, _ = x.shape
    at = torch.arange(side, device=x.device) - (side - 1) / 2
    places = torch.stack([at.expand(side, side), at[:, None].expand(side, side)]).flatten(1)  # (x, y) x pixels
    source = matrix @ places + shift[:, :, None] + (side - 1) / 2
    source = source.remainder(2 * (side - 1))
    source = torch.minimum(source, 2 * (side - 1) - source)  # reflected at the outermost pixels
    low = source.floor().clamp(max=side - 2)
    part, low = source - low, low.long()
    flat, out = x.flatten(2), torch.zeros_like(x).flatten(2)
    for right in (0, 1):
        for down in (0, 1):
            index = (low[:, 1] + down) * side + low[:, 0] + right
            weight = (part[:, 0] if right else 1 - part[:, 0]) * (part[:, 1] if down else 1 - part[:, 1])
            taken = flat.gather(2, index[:, None].expand(-1, channels, -1))
            out = out + weight[:, None].to(x.dtype) * taken
    return out.view(count, channels, side, side)
