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
}
TRANSLATION = "translation"


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


class TranslationSpec(Strict):
    """From images of domain a to ones of b and back, learned without pairs (CycleGAN, Zhu et al. 2017).

    cycle_weight: lambda of eq. 3, of the L1 distance to what comes back (eq. 2); identity_weight: of the L1 distance
    between an image of the target and its translation (sec. 5.2), as a share of cycle_weight. pool: earlier fakes of
    each domain, of which the discriminator sees one in place of a new one with probability one half (Shrivastava et
    al. 2017, sec. 2.3); 0: none. directions: a_to_b judges that way alone, and the way back is learned from the
    cycle (the ablation "GAN + forward cycle" of table 4)."""

    name: Literal["translation"]
    objective: str = "least_squares"
    cycle_weight: float = scalar(10.0, ge=0)
    identity_weight: float = scalar(0.5, ge=0)
    pool: int = Field(50, ge=0, le=1000)
    directions: Literal["both", "a_to_b"] = "both"
    packing: ClassVar[int] = 1
    condition: ClassVar[ConditionSpec | None] = None
    growth: ClassVar[GrowthSpec | None] = None

    @field_validator("objective")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_or_own(name, OBJECTIVES)

    @property
    def targets(self) -> tuple[str, ...]:
        """The domains that are translated into, and judged."""
        return ("a", "b") if self.directions == "both" else ("b",)


def _game(value: Any) -> str:
    """The tag of a game's spec: a name that is none is refused by the first one's."""
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
    return TRANSLATION if name == TRANSLATION else "adversarial"


GameSpec = Annotated[
    Annotated[AdversarialSpec, Tag("adversarial")] | Annotated[TranslationSpec, Tag(TRANSLATION)],
    Discriminator(_game),
]
