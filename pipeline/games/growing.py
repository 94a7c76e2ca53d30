"""Games whose networks grow: what these are told of the training's progress, and the reals that fade in alike."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from pipeline.errors import InputError
from pipeline.games.game import Facts, Progress, Side
from pipeline.schema.growing import GROWTH_LEVEL, GrowthSpec
from pipeline.schema.kinds import KINDS
from pipeline.schema.layers import stages


class Growth:
    """The schedule of a game's networks. One grows that has `grows = True`: it is then given the level behind all else
    that it is called with, how often its lowest resolution is doubled at this progress of the training, a number in
    between while the next one fades in."""

    def __init__(self, spec: GrowthSpec | None, data: Facts, networks: Mapping[Side, nn.Module]) -> None:
        """spec None: the default schedule. Raises InputError where there is one of no use."""
        self._sides = {side for side, network in networks.items() if getattr(network, "grows", False)}
        if spec is not None and not self._sides:
            raise InputError("game.growth: found it with networks that do not grow; valid: with progressive, or null")
        if self._sides and not KINDS[data.kind].pixels:
            raise InputError(f"{min(self._sides)}.network: found one that grows, and {data.kind} data; valid: images")
        self._spec, self._resolution = spec or GrowthSpec(), data.shape[-1]

    def _level(self, progress: Progress) -> float:
        return self._spec.level(progress.share, self._resolution)

    def told(self, side: Side, progress: Progress) -> tuple[float, ...]:
        """What a side's network is given behind all else."""
        return (self._level(progress),) if side in self._sides else ()

    def measured(self, progress: Progress, device: torch.device) -> dict[str, Tensor]:
        """For Losses.measurements: evaluations at different levels are not to be compared."""
        return {GROWTH_LEVEL: torch.full((), self._level(progress), device=device)} if self._sides else {}

    def shown(self, real: Tensor, progress: Progress) -> Tensor:
        """Reals (batch, C, side, side) as the discriminator is to see them."""
        if not self._sides:
            return real
        return faded(real, self._level(progress), stages(self._resolution))


def faded(x: Tensor, level: float, full: int) -> Tensor:
    """Images (batch, C, side, side) of the full resolution, which has the level `full`, as networks at `level` make
    them: of its resolution, or between it and the next, in pixels of the full one (Karras et al. 2018, app. A.1; their
    train.py, process_reals)."""
    if level >= full:
        return x
    below = int(level)
    coarse = enlarged(reduced(x, full - below), full - below)
    if level == below:
        return coarse
    fine = enlarged(reduced(x, full - below - 1), full - below - 1)
    return torch.lerp(coarse, fine, level - below)


def enlarged(x: Tensor, times: int = 1) -> Tensor:
    """Twice the size, so many times, by the nearest pixel."""
    return interpolate(x, scale_factor=2.0**times, mode="nearest") if times else x


def reduced(x: Tensor, times: int = 1) -> Tensor:
    """Half the size, so many times, by the mean of four pixels."""
    return avg_pool2d(x, 2**times) if times else x
