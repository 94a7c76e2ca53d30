"""The specs of the networks that the large studies used, by name."""

from __future__ import annotations

from pydantic import Field

from pipeline.schema.base import Strict
from pipeline.schema.layers import Activation, GeneratorNorm, Init, JudgeSpec, Norm, check_halvings, stages

SNDCGAN_STAGES = 3
INFOGAN_LARGEST = 64  # pixels; at 128 its dense layers alone would have 270 million weights


class SndcganSidesSpec(Strict):
    """Miyato et al. 2018, table 3, as google/compare_gan has it: a stage is a 4 x 4 convolution of stride 2 and, in the
    discriminator, a 3 x 3 one before it. width: channels nearest the image, doubled at each of `depth` stages (None: 3
    as published, fewer where the resolution cannot be halved so often down to 4 x 4 or more). activation None: relu in
    the generator, leaky_relu in the discriminator, whose slope is 0.1 here."""

    network: str  # a name of FAMILIES
    width: int = Field(64, ge=1, le=1024)
    depth: int | None = Field(None, ge=1, le=6)
    activation: Activation | None = None
    init: Init = "normal"

    def halvings(self, resolution: int) -> int:
        """The stages."""
        return self.depth or min(stages(resolution), SNDCGAN_STAGES)

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        assert resolution is not None
        check_halvings(self.network, (side, resolution), self.depth)


class SndcganSpec(SndcganSidesSpec):
    norm: GeneratorNorm = "batch"


class SndcganDiscriminatorSpec(JudgeSpec, SndcganSidesSpec):
    norm: Norm = "spectral"


class InfoganSidesSpec(Strict):
    """The networks of Lucic et al. 2018, which are those of Chen et al. 2016: two 4 x 4 convolutions of stride 2, of
    `width` and twice as many channels, and a layer of `units` between them and the score or the latent. activation
    None: leaky_relu (0.2). norm instance is of the convolutions alone."""

    network: str  # a name of FAMILIES
    width: int = Field(64, ge=1, le=1024)
    units: int = Field(1024, ge=1, le=8192)
    activation: Activation | None = None
    init: Init = "normal"

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        assert resolution is not None
        if resolution % 4 or resolution > INFOGAN_LARGEST:
            raise ValueError(
                f"data.resolution: found {resolution}; {self.network} halves it twice, valid: a multiple of 4 up to "
                f"{INFOGAN_LARGEST}"
            )


class InfoganSpec(InfoganSidesSpec):
    norm: GeneratorNorm = "batch"


class InfoganDiscriminatorSpec(JudgeSpec, InfoganSidesSpec):
    norm: Norm = "batch"
