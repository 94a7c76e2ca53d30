"""The specs of a game's parts: what may be added to its losses, its discriminator's input and its updates.

A weight is a number, or the schedule of one (schema/schedule.py); so is the probability of an augmentation.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.schema.base import Options, Strict, scalar
from pipeline.schema.names import OwnName
from pipeline.schema.schedule import NotNegative, Positive, Share

Transform = Literal["colour", "translation", "cutout", "flip", "flip_translation"]


class GradientPenalty(Strict):
    """A penalty on the discriminator's gradient at its input, every `interval` of its steps, times `interval`."""

    weight: Positive = scalar(10.0)
    interval: int = Field(1, ge=1)


class R1Spec(GradientPenalty):
    """weight / 2 * E|grad D(real)|^2 (Mescheder et al. 2018, eq. 9). Of a stylegan2 discriminator the weight is, where
    none is given, 0.0002 * resolution^2 / batch_size (see schema/styles.py)."""


class R2Spec(GradientPenalty):
    """weight / 2 * E|grad D(fake)|^2 (Mescheder et al. 2018, eq. 10)."""


class WganGpSpec(GradientPenalty):
    """weight * E(|grad D(mix)| - 1)^2 between reals and fakes (Gulrajani et al. 2017, eq. 3)."""


class DraganSpec(GradientPenalty):
    """weight * E(|grad D(real + noise)| - 1)^2 (Kodali et al. 2017, sec. 2.3)."""


class DriftSpec(Strict):
    """weight * E[D(real)^2], which keeps a Wasserstein critic's scores near 0 (Karras et al. 2018, app. A.1)."""

    weight: Positive = scalar(0.001)


class LecamSpec(Strict):
    """Holds the scores near their running averages of the other side (Tseng et al. 2021, eq. 5), once the generator
    has made more than `start` steps (as in the authors' code); `decay` of the averages."""

    weight: Positive = scalar(0.3)
    decay: float = scalar(0.99, ge=0, lt=1)
    start: int = Field(1000, ge=0)


class ConsistencySpec(Strict):
    """Balanced consistency (bCR, Zhao et al. 2020, alg. 1): a sample and a transformed copy of it score alike.
    flip_translation is theirs; the default is without the flip, which makes other samples of digits and letters."""

    weight_real: NotNegative = scalar(10.0)
    weight_fake: NotNegative = scalar(10.0)
    transform: Transform = "translation"


class ModeSeekingSpec(Strict):
    """weight / (mean|G(z1) - G(z2)| / mean|z1 - z2| + 1e-5) in the generator's loss (Mao et al. 2019, eq. 4)."""

    weight: Positive = scalar(1.0)


class PathLengthSpec(Strict):
    """weight * (|J_w^T y| - a)^2 in the generator's loss, with images y of random pixels and the running mean a of the
    lengths (Karras et al. 2020, eq. 4), every `interval` of the generator's steps, times `interval`; of the first
    1 / `shrink` of the batch. For families with styles. decay: of the running mean. All defaults are those of their
    code, where 1 - decay is called pl_decay."""

    weight: Positive = scalar(2.0)
    interval: int = Field(4, ge=1)
    decay: float = scalar(0.99, ge=0, lt=1)
    shrink: int = Field(2, ge=1, le=64)


class WeightClippingSpec(Strict):
    """Every parameter of D is cut to [-bound, bound] after its step (Arjovsky et al. 2017, alg. 1)."""

    bound: float = scalar(0.01, gt=0)


class GradientClippingSpec(Strict):
    """The gradient of each side is scaled down to `norm` where it is longer (Pascanu et al. 2013)."""

    norm: float = scalar(1.0, gt=0)


class InstanceNoiseSpec(Strict):
    """N(0, sigma) on every input of D, decaying linearly to 0 over `share` of the budget (Sonderby et al. 2017)."""

    sigma: float = scalar(0.1, gt=0)
    share: float = scalar(0.5, gt=0, le=1)


class OwnTermSpec(Strict):
    """A term of D's loss of your own: weight * interval * its value, every `interval` of D's steps.
    name: "file.py:object", a function or a Regulariser (see games/regularisers); options: its hyperparameters."""

    name: OwnName
    weight: Positive = scalar(1.0)
    interval: int = Field(1, ge=1)
    options: Options = {}


def term(made: str, pixels: bool = False) -> Any:
    """A term of D's loss, which is applied where its spec is given. made: where its Regulariser is; pixels: whether it
    is for images alone."""
    return Field(None, json_schema_extra={"term": made, "pixels": pixels})


class RegularisersSpec(Strict):
    """Each one that is there is applied; null is the same as not there. own: terms of your own, each under a name."""

    # A field with term() is a row: what is added here needs no other.
    r1: R1Spec | None = term("pipeline.games.regularisers:R1")
    r2: R2Spec | None = term("pipeline.games.regularisers:R2")
    wgan_gp: WganGpSpec | None = term("pipeline.games.regularisers:WGAN_GP")
    dragan: DraganSpec | None = term("pipeline.games.regularisers:DRAGAN")
    drift: DriftSpec | None = term("pipeline.games.regularisers:DRIFT")
    lecam: LecamSpec | None = term("pipeline.games.regularisers:LECAM")
    consistency: ConsistencySpec | None = term("pipeline.games.regularisers:CONSISTENCY", pixels=True)
    mode_seeking: ModeSeekingSpec | None = None
    path_length: PathLengthSpec | None = None
    weight_clipping: WeightClippingSpec | None = None
    gradient_clipping: GradientClippingSpec | None = None
    instance_noise: InstanceNoiseSpec | None = None
    own: dict[str, OwnTermSpec] = {}

    @model_validator(mode="after")
    def _go_together(self) -> RegularisersSpec:
        if self.weight_clipping and self.wgan_gp:
            raise ValueError("found weight_clipping and wgan_gp; both bound D's slope, valid: one of them")
        return self

    @classmethod
    def terms(cls) -> dict[str, str]:
        """Where the Regulariser of each term is, by name."""
        return {name: extra["term"] for name, extra in _extras(cls).items() if "term" in extra}

    def of_pixels(self) -> list[str]:
        """The terms that are there and are for images alone."""
        return [name for name, extra in _extras(type(self)).items() if extra.get("pixels") and getattr(self, name)]

    def gradient_penalties(self) -> list[str]:
        return [name for name, part in self if isinstance(part, GradientPenalty)]


def _extras(spec: type[Strict]) -> dict[str, dict[str, Any]]:
    """What is declared of a spec's fields beside their types."""
    extras = {name: field.json_schema_extra for name, field in spec.model_fields.items()}
    return {name: dict(extra) for name, extra in extras.items() if isinstance(extra, dict)}


class DiffAugmentSpec(Strict):
    """DiffAugment (Zhao et al. 2020b): each transform that is on, on every input of D. flip (to the left, of half the
    images) is none of its own. probability: of each transform on each image (theirs: 1)."""

    colour: bool = True
    translation: bool = True
    cutout: bool = True
    flip: bool = False
    probability: Share = scalar(1.0)


class AdaSpec(Strict):
    """Adaptive augmentation (Karras et al. 2020): each transform with a probability that grows while
    r_t = E[sign D(real)] is above `target` and falls below it, by one over `images` images; looked at every
    `interval` steps. flip: whether its list begins with the horizontal flip, as theirs does; false for what may not
    be mirrored. probability: in place of one that adapts, a fixed one or a schedule (their ablations' fixed p)."""

    target: float = scalar(0.6, gt=-1, lt=1)
    images: int = Field(500_000, ge=1)
    interval: int = Field(4, ge=1)
    flip: bool = True
    probability: Share | None = scalar(None)

    @model_validator(mode="after")
    def _adapts_or_not(self) -> AdaSpec:
        unread = [key for key in ("target", "images", "interval") if getattr(self, key) != ADAPTS[key]]
        if self.probability is not None and unread:
            raise ValueError(f"found probability and {unread[0]}, which is of one that adapts; valid: one of them")
        return self


ADAPTS = {key: AdaSpec.model_fields[key].default for key in ("target", "images", "interval")}


class AugmentationSpec(Strict):
    """At most one of the two; null is the same as not there."""

    diffaugment: DiffAugmentSpec | None = None
    ada: AdaSpec | None = None

    @model_validator(mode="after")
    def _one_at_most(self) -> AugmentationSpec:
        if self.diffaugment and self.ada:
            raise ValueError("found diffaugment and ada; valid: one of them")
        return self
