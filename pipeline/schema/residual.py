"""The specs of the residual families: SNGAN's and BigGAN's blocks, and R3GAN's."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.schema.base import Strict
from pipeline.schema.layers import (
    WIDEST,
    Activation,
    GeneratorNorm,
    Init,
    JudgeSpec,
    Norm,
    check_doubled,
    check_halvings,
    stages,
)

SMALL = 32  # pixels up to which the published networks have one width at all stages


class ResnetSidesSpec(Strict):
    """What both sides of the residual networks of Miyato et al. 2018 (app. B.4) and Brock et al. 2019 (app. B) have.

    width: channels of the stage nearest the image. doubling: whether they double at each stage away from it, to 16
    times the width at most (None: as published, from 64 pixels on; up to 32 all stages have one width). attention:
    the resolution whose features attend to each other (Zhang et al. 2019), behind the block that makes them.
    activation None: relu."""

    network: str  # a name of FAMILIES
    width: int = Field(64, ge=1, le=1024)
    depth: int | None = Field(None, ge=1, le=6)
    doubling: bool | None = None
    attention: int | None = Field(None, ge=2)
    activation: Activation | None = None
    init: Init = "orthogonal"

    def halvings(self, resolution: int) -> int:
        """The stages, each of which changes the resolution by two."""
        return self.depth or stages(resolution)

    def made(self, resolution: int) -> list[int]:
        """The resolution that each stage's features have, the stage nearest the image first."""
        return [resolution // 2**stage for stage in range(self.halvings(resolution))]

    def widths(self, resolution: int) -> list[int]:
        """The channels of each stage, the one nearest the image first."""
        doubling = resolution > SMALL if self.doubling is None else self.doubling
        return [self.width * min(2**stage if doubling else 1, WIDEST) for stage in range(self.halvings(resolution))]

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        assert resolution is not None
        check_halvings(self.network, (side, resolution), self.depth)
        there = self.made(resolution)
        if self.attention is not None and self.attention not in there:
            raise ValueError(
                f"{side}.attention: found {self.attention}; no block makes features of that resolution, "
                f"valid: {', '.join(map(str, there))}"
            )


class ResnetSpec(ResnetSidesSpec):
    """depth: blocks, each of which doubles the resolution (None: from 4 x 4 or the odd size above it).
    norm conditional_batch: gain and bias of each class, the generator of a condition.
    skip_latent: the latent is split into chunks, the first one for the first layer and one for each block, whose batch
    norms have gain and bias of it, and with conditional_batch of the class beside it (Brock et al. 2019)."""

    norm: GeneratorNorm = "batch"
    skip_latent: bool = False

    def check(self, side: str, resolution: int | None) -> None:
        super().check(side, resolution)
        if self.skip_latent and self.norm not in ("batch", "conditional_batch"):
            raise ValueError(
                f"{side}.skip_latent: found true with norm {self.norm}; its chunks go into batch norms, "
                "valid: with norm batch or conditional_batch"
            )


class ResnetDiscriminatorSpec(JudgeSpec, ResnetSidesSpec):
    """depth: blocks that halve the resolution by average pooling (None: as published, at most 2 up to 32 pixels, and
    down to 4 x 4 from 64 on); behind them are blocks that keep it, 2 up to 32 pixels and 1 from 64 on."""

    norm: Norm = "spectral"

    def halvings(self, resolution: int) -> int:
        count = stages(resolution)
        return self.depth or (min(count, 2) if resolution <= SMALL else count)

    def made(self, resolution: int) -> list[int]:
        return [resolution // 2**stage for stage in range(1, self.halvings(resolution) + 1)]

    def kept(self, resolution: int) -> int:
        """The blocks that keep the lowest resolution."""
        return 2 if resolution <= SMALL else 1


class R3ganSidesSpec(Strict):
    """The networks of Huang et al. 2024 (sec. 3.4 and their code): no norm, leaky relu (0.2), and Fix-up's start.

    width: channels of the stages up to 32 pixels, halved at each one above (768 in theirs). blocks: of each stage.
    group_width: channels of one group of the 3 x 3 convolutions, which are of twice the width."""

    network: str  # a name of FAMILIES
    width: int = Field(64, ge=1, le=2048)
    blocks: int = Field(2, ge=1, le=16)
    group_width: int = Field(16, ge=1, le=1024)
    norm: Literal["none"] = "none"
    init: Literal["fixup"] = "fixup"

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        check_doubled(self.network, resolution)

    def widths(self, resolution: int) -> list[int]:
        """The channels of each stage, that of 4 x 4 pixels first."""
        return [max(self.width * SMALL // max(4 * 2**stage, SMALL), 1) for stage in range(stages(resolution) + 1)]


class R3ganSpec(R3ganSidesSpec):
    """The generator; a class is embedded and stands beside the latent."""


class R3ganDiscriminatorSpec(JudgeSpec, R3ganSidesSpec):
    """The discriminator; what `minibatch` stddev sees is beside the features of 4 x 4 pixels, before the basis."""
