"""The specs of the games: which is played, with which objective, under which condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from pipeline.schema.base import Options, Strict, scalar
from pipeline.schema.growing import GrowthSpec
from pipeline.schema.names import known_or_own


@dataclass(frozen=True)
class ObjectiveRow:
    """made: where its Objective is; smoothed: whether its reals have a target, which can be lowered."""

    made: str
    smoothed: bool = False


_HERE = "pipeline.games.objectives"
OBJECTIVES: dict[str, ObjectiveRow] = {
    "minimax": ObjectiveRow(f"{_HERE}:MINIMAX", smoothed=True),
    "non_saturating": ObjectiveRow(f"{_HERE}:NON_SATURATING", smoothed=True),
    "least_squares": ObjectiveRow(f"{_HERE}:LEAST_SQUARES", smoothed=True),
    "hinge": ObjectiveRow(f"{_HERE}:HINGE"),
    "wasserstein": ObjectiveRow(f"{_HERE}:WASSERSTEIN"),
    "relativistic": ObjectiveRow(f"{_HERE}:RELATIVISTIC"),
    "relativistic_average": ObjectiveRow(f"{_HERE}:RELATIVISTIC_AVERAGE"),
}
SMOOTHED = tuple(name for name, row in OBJECTIVES.items() if row.smoothed)
GAMES: dict[str, str] = {  # where each is made
    "adversarial": "pipeline.games.adversarial:AdversarialGame",
    "translation": "pipeline.games.translation:TranslationGame",
    "super_resolution": "pipeline.games.super_resolution:SuperResolutionGame",
}
TRANSLATION, SUPER_RESOLUTION = "translation", "super_resolution"
PIXELS = "pixels"  # what a content loss is measured in that is in no features
CYCLE_WEIGHT, IDENTITY_SHARE, POOL, PAIR_WEIGHT = 10.0, 0.5, 50, 100.0  # of a translation that names none


class ConditionSpec(Strict):
    """Classes as a condition: the generator is given a class beside the latent, and the discriminator's score is
    of a sample and its class. concatenation: at D's input (Mirza and Osindero 2014); projection: an inner product
    with D's features (Miyato and Koyama 2018, eq. 3); auxiliary_classifier: D also tells the class (Odena et al.
    2017), whose loss counts `weight`."""

    kind: Literal["concatenation", "projection", "auxiliary_classifier"]
    weight: float | None = scalar(None, gt=0)

    @model_validator(mode="after")
    def _weight_of_the_classifier(self) -> ConditionSpec:
        if self.weight is not None and self.kind != "auxiliary_classifier":
            raise ValueError(f"weight: found one with {self.kind}; valid: with auxiliary_classifier alone")
        return self


class AdversarialSpec(Strict):
    """Noise to sample (Goodfellow et al. 2014), with one of the objectives of games/objectives.py.

    name, objective: one that is known, or "file.py:object" of your own: a class that is a Game, an Objective.
    options: what a game of your own has for hyperparameters.

    with (in a YAML): sections that come with this game alone, such as {regularisers: {r1: {}}}; so a choice of
    games has each its own regularisers, norms and rates. They are put where they belong when it is read.
    label_smoothing: the reals' target is 1 - label_smoothing (one-sided, Salimans et al. 2016).
    packing: samples that the discriminator judges together (PacGAN, Lin et al. 2018).
    growth: the schedule of networks that grow (None: its defaults, where one does)."""

    name: str = "adversarial"
    objective: str = "non_saturating"
    label_smoothing: float = scalar(0.0, ge=0, lt=0.5)
    packing: int = Field(1, ge=1, le=16)
    condition: ConditionSpec | None = None
    growth: GrowthSpec | None = None
    options: Options = {}
    made_from_images: ClassVar[bool] = False  # whether a generator is fed images of the data

    @field_validator("name", "objective")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        return known_or_own(name, GAMES if info.field_name == "name" else OBJECTIVES)

    @model_validator(mode="after")
    def _goes_together(self) -> AdversarialSpec:
        if self.options and self.name in GAMES:
            raise ValueError(
                f"options: found {', '.join(self.options)} with {self.name}; valid: with a game of your own"
            )
        if self.label_smoothing and self.objective not in SMOOTHED:
            raise ValueError(
                f"label_smoothing: found {self.label_smoothing} with {self.objective}, whose reals have no target; "
                f"valid: 0, or with {', '.join(SMOOTHED)}"
            )
        if self.condition and self.packing > 1:
            raise ValueError(f"packing: found {self.packing} with a condition; valid: 1, a pack has no one class")
        return self


class FedImages(Strict):
    """A game whose generator is fed images of the data, and what the others have alone."""

    packing: ClassVar[int] = 1
    condition: ClassVar[ConditionSpec | None] = None
    growth: ClassVar[GrowthSpec | None] = None
    made_from_images: ClassVar[bool] = True


class TranslationSpec(FedImages):
    """From images of domain a to ones of b and back.

    learned_from cycle: without pairs (CycleGAN, Zhu et al. 2017). cycle_weight (None: 10): lambda of eq. 3, of the L1
    distance to what comes back (eq. 2); identity_weight (0.5): of the L1 distance between an image of the target and
    its translation (sec. 5.2), as a share of cycle_weight. pool (50): earlier fakes of each domain, of which the
    discriminator sees one in place of a new one with probability one half (Shrivastava et al. 2017, sec. 2.3); 0: none.

    learned_from pairs: of data.paired (pix2pix, Isola et al. 2017). The discriminator sees an image beside its
    translation; pair_weight (100): lambda of eq. 4, of the L1 distance to the partner (eq. 3).

    directions: those that are judged. With the cycle the way back is learned from it (the ablation "GAN + forward
    cycle" of Zhu et al., table 4); with pairs each is a network of its own."""

    name: Literal["translation"]
    learned_from: Literal["cycle", "pairs"] = "cycle"
    objective: str = "least_squares"
    cycle_weight: float | None = scalar(None, ge=0)
    identity_weight: float | None = scalar(None, ge=0)
    pair_weight: float | None = scalar(None, ge=0)
    pool: int | None = Field(None, ge=0, le=1000)
    directions: Literal["both", "a_to_b", "b_to_a"] = "both"

    @field_validator("objective")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_or_own(name, OBJECTIVES)

    @model_validator(mode="after")
    def _of_what_it_learns_from(self) -> TranslationSpec:
        unread = ("pair_weight",) if self.learned_from == "cycle" else ("cycle_weight", "identity_weight", "pool")
        for key in unread:
            if getattr(self, key) is not None:
                raise ValueError(f"{key}: found it with learned_from {self.learned_from}, which has none; valid: null")
        return self

    @property
    def weights(self) -> tuple[float, float]:
        """Those of the cycle and of the identity."""
        cycle = CYCLE_WEIGHT if self.cycle_weight is None else self.cycle_weight
        return cycle, cycle * (IDENTITY_SHARE if self.identity_weight is None else self.identity_weight)

    @property
    def pooled(self) -> int:
        """Earlier fakes that are kept of each domain."""
        return 0 if self.learned_from == "pairs" else POOL if self.pool is None else self.pool

    @property
    def targets(self) -> tuple[str, ...]:
        """The domains that are translated into, and judged."""
        return {"both": ("a", "b"), "a_to_b": ("b",), "b_to_a": ("a",)}[self.directions]


class SuperResolutionSpec(FedImages):
    """From the small images of data.low to large ones (SRGAN, Ledig et al. 2017).

    content: how far an image is from the one it should be, l1 or l2; content_in: over its pixels (their eq. 4), or over
    features (their eq. 5, after Johnson et al. 2016): the maps of the last convolution of a small network that learned
    on the training part: on its labels (classifier), on the images alone (self_supervised) or not at all
    (random). Theirs is VGG19, trained on ImageNet. adversarial_weight: of the other term (theirs: 1e-3, eq. 3).
    content_only: the share of the budget at whose beginning the generator has
    the content alone, as their SRGAN begins with an SRResNet that was trained for it (sec. 3.2); the discriminator
    learns all along here, so that it has something to say when it is asked."""

    name: Literal["super_resolution"]
    objective: str = "non_saturating"
    content: Literal["l1", "l2"] = "l2"
    content_in: Literal["pixels", "classifier", "self_supervised", "random"] = "pixels"
    adversarial_weight: float = scalar(1e-3, ge=0)
    content_only: float = Field(0.0, ge=0, lt=1)

    @field_validator("objective")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_or_own(name, OBJECTIVES)


def _game(value: Any) -> str:
    """The tag of a game's spec: a name that is none is refused by the first one's."""
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return str(name) if name in (TRANSLATION, SUPER_RESOLUTION) else "adversarial"


GameSpec = Annotated[
    Annotated[AdversarialSpec, Tag("adversarial")]
    | Annotated[TranslationSpec, Tag(TRANSLATION)]
    | Annotated[SuperResolutionSpec, Tag(SUPER_RESOLUTION)],
    Discriminator(_game),
]
