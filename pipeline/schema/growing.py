"""The specs of progressive growing (Karras et al. 2018): its networks, and the schedule by which they grow."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.schema.base import Strict
from pipeline.schema.equalised import EqualisedSidesSpec
from pipeline.schema.layers import JudgeSpec, Minibatch, stages

GROWTH_LEVEL = "growth_level"  # what such a game measures: its level, the mean over the steps between two evaluations
LEVEL = f"game.{GROWTH_LEVEL}"  # the same as a signal of the record


class GrowthSpec(Strict):
    """How networks grow over the budget, and the reals with them. Of each resolution below the full one there is a
    phase, all of one length; the full one has the rest, `final`, a share of the budget. In the last part of each phase,
    `fade`, a share of it, the next resolution fades in (1/2 in Karras et al. 2018, app. A.1: 800k images and 800k).
    start: the resolution that they begin with (None: the lowest that they have, 4; the full one: no growing)."""

    final: float = Field(0.5, gt=0, lt=1)
    fade: float = Field(0.5, ge=0)
    start: int | None = Field(None, ge=2)

    @model_validator(mode="after")
    def _within_its_phase(self) -> GrowthSpec:
        if self.fade > 1:
            raise ValueError(
                f"fade: found {self.fade:g}, a fade longer than its phase; valid: 0 to 1, the share of a resolution's "
                "phase in which the next one fades in"
            )
        return self

    def check(self, resolution: int) -> None:
        """ValueError where data of this resolution cannot be begun with `start`."""
        valid = [resolution // 2**halved for halved in range(stages(resolution), -1, -1)]
        if self.start is not None and self.start not in valid:
            raise ValueError(
                f"game.growth.start: found {self.start}; data of {resolution} pixels is halved to it, "
                f"valid: {', '.join(map(str, valid))}"
            )

    def level(self, share: float, resolution: int) -> float:
        """How often the lowest resolution is doubled after this share of the budget; a fraction in between while the
        next one fades in, which grows linearly. Continuous, but with a `fade` of 0."""
        full = stages(resolution)
        first = 0 if self.start is None else full - (resolution // self.start).bit_length() + 1
        growing = 1 - self.final
        if share >= growing or first == full:
            return float(full)
        phase, within = divmod(share * (full - first) / growing, 1)
        faded = max(within - (1 - self.fade), 0.0) / self.fade if self.fade else 0.0
        return min(first + phase + faded, float(full))


class ProgressiveSidesSpec(EqualisedSidesSpec):
    """What both sides of the networks of Karras et al. 2018 (table 2 and their code) have: all stages from the start,
    two 3 x 3 convolutions each, leaky relu (0.2). game.growth says when which stage is used.

    width, max_width: 16 and 512 for 1024 pixels in theirs, 64 and 512 for 256, 128 and 128 for CIFAR-10."""

    cap: ClassVar[str] = "max_width"

    max_width: int = Field(512, ge=1, le=2048)


class ProgressiveSpec(ProgressiveSidesSpec):
    """norm pixel: each pixel's channels are scaled to a mean square of 1 after each convolution, and the latent with
    the class beside it before the first layer (sec. 4.2)."""

    norm: Literal["pixel", "none"] = "pixel"


class ProgressiveDiscriminatorSpec(JudgeSpec, ProgressiveSidesSpec):
    """minibatch: theirs is stddev, in groups of 4."""

    norm: Literal["none"] = "none"
    minibatch: Minibatch = "stddev"
