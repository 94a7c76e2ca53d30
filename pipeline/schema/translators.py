"""The networks of an unpaired translation, from an image to one of the other domain: what they can be built of."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pipeline.schema.base import Strict

TranslatorNorm = Literal["none", "instance", "layer"]
PatchNorm = Literal["none", "instance", "layer", "spectral"]
TranslatorInit = Literal["normal", "xavier", "orthogonal", "kaiming"]
SMALLEST = 3  # pixels a side that D's strided layers leave: the layer behind them still has four to take a norm of


class TranslatorSpec(Strict):
    """The ResNet generator of Johnson et al. 2016 as Zhu et al. 2017 have it (appendix 7.2): `depth` downsamplings,
    `blocks` residual blocks (theirs: 6 at 128 x 128, 9 from 256 x 256 on), as many upsamplings; `width` channels at
    the image, doubled at each downsampling."""

    network: str  # a name of FAMILIES
    width: int = Field(64, ge=1, le=512)
    depth: int = Field(2, ge=1, le=3)
    blocks: int = Field(6, ge=1, le=32)
    norm: TranslatorNorm = "instance"
    init: TranslatorInit = "normal"

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        assert resolution is not None
        if resolution % 2**self.depth or resolution // 2**self.depth < 2:
            valid = [d for d in range(1, 4) if resolution % 2**d == 0 and resolution // 2**d >= 2]
            raise ValueError(
                f"{side}.depth: found {self.depth}; a resolution of {resolution} cannot be halved {self.depth} times "
                f"down to 2 x 2 or more, valid: {', '.join(map(str, valid)) or 'none, choose an even resolution'}"
            )


class PatchSpec(Strict):
    """The PatchGAN discriminator (Isola et al. 2017, appendix 6.1.2): `depth` strided 4 x 4 convolutions and two of
    stride 1, whose scores each see a patch of 16, 34, 70 or 142 pixels a side at a depth of 1 to 4. Theirs is 70 at
    256 x 256; the same share of a side of 64 is 17 pixels, so the default is 1."""

    network: str
    width: int = Field(64, ge=1, le=512)
    depth: int = Field(1, ge=1, le=4)
    norm: PatchNorm = "instance"
    init: TranslatorInit = "normal"
    minibatch: ClassVar[str] = "none"

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        assert resolution is not None
        if resolution // 2**self.depth < SMALLEST:
            valid = [d for d in range(1, 5) if resolution // 2**d >= SMALLEST]
            raise ValueError(
                f"{side}.depth: found {self.depth}; a resolution of {resolution} cannot be halved {self.depth} times "
                f"down to {SMALLEST} x {SMALLEST} or more, valid: {', '.join(map(str, valid))}"
            )
