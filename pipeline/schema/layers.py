"""What the network specs share: norms, activations, initialisations, and what every discriminator has."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.schema.base import Strict, scalar

Norm = Literal["none", "batch", "instance", "layer", "spectral"]
GeneratorNorm = Literal["none", "batch", "instance", "layer", "spectral", "conditional_batch"]
Activation = Literal["relu", "leaky_relu", "silu", "tanh", "elu"]
MlpActivation = Literal["relu", "leaky_relu", "silu", "tanh", "elu", "maxout"]
Init = Literal["normal", "xavier", "orthogonal", "kaiming"]
Minibatch = Literal["none", "stddev", "discrimination"]
SMALLEST, LARGEST = 8, 256  # pixels a side of images
WIDEST = 16  # times the width nearest the image, at most (Brock et al. 2019, app. B)
GROUP = 4  # samples whose standard deviation is taken together (Karras et al. 2018, and their code)


class JudgeSpec(Strict):
    """What every discriminator of ours has.

    dropout: the share of hidden units set to 0 after each activation (Srivastava et al. 2014).
    minibatch: what the score also sees of the other samples of its batch: stddev, of groups of `minibatch_group`
    (None: 4) before the last block (Karras et al. 2018, sec. 3), or discrimination (Salimans et al. 2016, sec. 3.2).
    """

    dropout: float = scalar(0.0, ge=0, lt=1)
    minibatch: Minibatch = "none"
    minibatch_group: int | None = Field(None, ge=2, le=64)

    @model_validator(mode="after")
    def _group_of_stddev(self) -> JudgeSpec:
        if self.minibatch_group is not None and self.minibatch != "stddev":
            raise ValueError(
                f"minibatch_group: found {self.minibatch_group} with minibatch {self.minibatch}; valid: with stddev"
            )
        return self

    @property
    def group(self) -> int:
        """Scores whose deviation is taken together."""
        return self.minibatch_group or GROUP


def group_size(scores: int, group: int) -> int:
    """The largest size up to `group` that divides a batch of so many scores."""
    return next(size for size in range(min(group, scores), 0, -1) if scores % size == 0)


def stages(resolution: int) -> int:
    """How often a resolution can be halved without going under 4 pixels a side."""
    count = 0
    while resolution % 2 == 0 and resolution // 2 >= 4:
        resolution, count = resolution // 2, count + 1
    return count


DOUBLED = tuple(4 * 2**n for n in range(1, stages(LARGEST) + 1))  # pixels that doubling 4 x 4 comes to


def check_doubled(network: str, resolution: int | None) -> None:
    """ValueError where doubling 4 x 4 pixels does not come to this resolution."""
    if resolution not in DOUBLED:
        raise ValueError(
            f"data.resolution: found {resolution}; {network} doubles 4 x 4 pixels, "
            f"valid: {', '.join(map(str, DOUBLED))}"
        )


def check_halvings(network: str, where: tuple[str, int], depth: int | None) -> None:
    """ValueError where a resolution cannot be halved `depth` times (None: at all); where: the side, the resolution."""
    side, resolution = where
    if depth is None:
        if stages(resolution) == 0:
            raise ValueError(f"data.resolution: found {resolution}; {network} halves it, valid: an even number")
    elif resolution % 2**depth or resolution // 2**depth < 2:
        valid = [d for d in range(1, 7) if resolution % 2**d == 0 and resolution // 2**d >= 2]
        raise ValueError(
            f"{side}.depth: found {depth}; a resolution of {resolution} cannot be halved {depth} times down to "
            f"2 x 2 or more, valid: {', '.join(map(str, valid)) or 'none, choose an even resolution'}"
        )
