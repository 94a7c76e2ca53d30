"""The networks of a translation, from an image to one of the other domain: what they can be built of."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pipeline.schema.base import Strict, scalar

TranslatorNorm = Literal["none", "instance", "layer"]
PatchNorm = Literal["none", "instance", "layer", "spectral"]
UnetNorm = Literal["none", "batch", "instance", "layer"]
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


class UnetSpec(Strict):
    """The U-Net of pix2pix (Isola et al. 2017, appendix 6.1.1): `depth` strided convolutions (None: down to 1 x 1 or
    the odd size above it; theirs: 8 at 256 x 256) and as many transposed ones, each fed what its mirror image saw too;
    `width` channels at the first, doubled up to 8 times. dropout: in the three upsamplings behind the innermost one,
    while images are made as well: it is the only noise (sec. 3.2.2)."""

    network: str
    width: int = Field(64, ge=1, le=512)
    depth: int | None = Field(None, ge=2, le=8)
    norm: UnetNorm = "batch"
    dropout: float = scalar(0.5, ge=0, lt=1)
    init: TranslatorInit = "normal"

    def check(self, side: str, resolution: int | None) -> None:
        """ValueError where it cannot be built for this resolution."""
        assert resolution is not None
        most = halvings(resolution)
        if most < 2 or (self.depth or 0) > most:
            valid = ", ".join(map(str, range(2, min(most, 8) + 1))) or "none, choose a multiple of 4"
            raise ValueError(
                f"{side}.depth: found {self.depth}; a resolution of {resolution} can be halved {most} times, valid: "
                f"{valid}"
            )


def halvings(resolution: int) -> int:
    """How often 2 divides it."""
    return (resolution & -resolution).bit_length() - 1


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
