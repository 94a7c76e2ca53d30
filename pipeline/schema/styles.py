"""The specs of StyleGAN2 (Karras et al. 2020), and what goes together with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from pipeline.errors import InputError
from pipeline.schema.base import scalar
from pipeline.schema.datasets import lookup
from pipeline.schema.equalised import EqualisedSidesSpec
from pipeline.schema.layers import JudgeSpec, Minibatch

STYLEGAN2 = "stylegan2"
R1_FACTOR = 0.0002  # of resolution^2 / batch_size: `auto` in NVlabs/stylegan2-ada-pytorch, train.py
BATCH_SIZE = 64  # of a trial that names none


class Stylegan2SidesSpec(EqualisedSidesSpec):
    """The networks of Karras et al. 2020 (arXiv:1912.04958), configuration F, as in NVlabs/stylegan2-ada-pytorch: leaky
    relu (0.2), resampling by the taps 1 3 3 1, no norm.

    width, widest: theirs, which are called after both, are 16384 / resolution, or 32768 from 512 pixels on, and 512."""

    cap: ClassVar[str] = "widest"

    width: int = Field(32, ge=1, le=1024)
    widest: int = Field(512, ge=1, le=2048)
    norm: Literal["none"] = "none"


class Stylegan2Spec(Stylegan2SidesSpec):
    """The generator: latents, normalised, and beside them an embedding of the class go through a mapping network to a
    style, which modulates every convolution.

    mapping_depth: its layers (8 in the paper; their `auto` has 2). mapping_rate: the factor of its learning rate.
    style_size: values of a style (None: as many as a latent has). style_mixing: the share of training images whose
    finer layers have the style of a second latent (Karras et al. 2019, sec. 3.1)."""

    mapping_depth: int = Field(8, ge=1, le=16)
    mapping_rate: float = Field(0.01, gt=0, le=1)
    style_size: int | None = Field(None, ge=1, le=4096)
    style_mixing: float = scalar(0.9, ge=0, le=1)


class Stylegan2DiscriminatorSpec(JudgeSpec, Stylegan2SidesSpec):
    """The residual discriminator. mapping_depth: layers between a class and its embedding, of projection alone."""

    minibatch: Minibatch = "stddev"
    mapping_depth: int = Field(8, ge=1, le=16)


def with_weight_of_r1(tree: Any) -> Any:
    """A trial's tree in which r1 of a stylegan2 discriminator has a weight: where none is given theirs, R1_FACTOR *
    resolution^2 / batch_size (`auto` in the code of Karras et al. 2020b). ValueError where the resolution is not
    known before the data is opened. What is no valid tree is left to be refused as it is."""
    parts, discriminator, data = (_section(tree, key) for key in ("regularisers", "discriminator", "data"))
    r1 = parts.get("r1")
    if not isinstance(r1, Mapping) or "weight" in r1 or discriminator.get("network") != STYLEGAN2:
        return tree
    resolution, batch = data.get("resolution"), tree.get("batch_size", BATCH_SIZE)
    if resolution is None:
        try:
            known = lookup(str(data.get("name")))
        except InputError:
            return tree
        resolution = known and known.resolution
        if resolution is None:
            raise ValueError(
                "regularisers.r1.weight: missing; its default with stylegan2 goes by data.resolution; "
                "valid: one of them"
            )
    if not isinstance(resolution, int) or not isinstance(batch, int) or batch < 1:
        return tree
    weight = R1_FACTOR * resolution**2 / batch
    return {**tree, "regularisers": {**parts, "r1": {**r1, "weight": weight}}}


def _section(tree: Any, key: str) -> Mapping[str, Any]:
    section = tree.get(key) if isinstance(tree, Mapping) else None
    return section if isinstance(section, Mapping) else {}
