"""The networks of super-resolution, from a small image to a large one: what they can be built of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.schema.base import Strict, scalar

EnlargerNorm = Literal["none", "batch", "instance", "layer"]
EnlargerInit = Literal["normal", "xavier", "orthogonal", "kaiming"]


class SrresnetSpec(Strict):
    """SRResNet, the generator of SRGAN (Ledig et al. 2017, fig. 4): `blocks` residual blocks (theirs: 16) of `width`
    channels (64) at the small image's size, then a pixel shuffle by 2 for each doubling. norm batch is theirs; none is
    EDSR's (Lim et al. 2017, sec. 3.1), which found better without, and whose widest network adds what a block makes of
    its input times `residual_scale` (0.1 there; sec. 3.3)."""

    network: str  # a name of FAMILIES
    width: int = Field(64, ge=1, le=512)
    blocks: int = Field(16, ge=1, le=64)
    norm: EnlargerNorm = "batch"
    residual_scale: float = scalar(1.0, gt=0, le=1)
    init: EnlargerInit = "kaiming"
