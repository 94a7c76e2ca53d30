"""TrialSpec: everything that one training run is made of. Its keys are the keys of the YAML."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.errors import InputError
from pipeline.plugin import absolute, is_own
from pipeline.schema.base import OWN, Strict
from pipeline.schema.brought import with_brought
from pipeline.schema.datasets import TWO_DOMAINS, lookup
from pipeline.schema.features import AUTO, FEATURES, problem
from pipeline.schema.game import PIXELS, SUPER_RESOLUTION, TRANSLATION, AdversarialSpec, GameSpec, TranslationSpec
from pipeline.schema.kinds import KINDS
from pipeline.schema.layers import LARGEST, SMALLEST
from pipeline.schema.metrics import METRICS
from pipeline.schema.names import OwnName, known_or_own
from pipeline.schema.networks import (
    FAMILIES,
    DiscriminatorSpec,
    GeneratorSpec,
    check_groups,
    check_network,
    check_played,
    check_styles,
)
from pipeline.schema.optimiser import EmaSpec, OptimiserSpec
from pipeline.schema.parts import AugmentationSpec, RegularisersSpec
from pipeline.schema.styles import BATCH_SIZE, with_weight_of_r1
from pipeline.schema.transfer import InitFromSpec

SMALL = 4  # pixels a side that a small image has at least


class LowSpec(Strict):
    """The small images that super-resolution enlarges by `factor`, made from the data's own: by `filter`, with
    antialias. bicubic is what papers make them by (Ledig et al. 2017, sec. 3.2), area the mean of each square."""

    factor: Literal[2, 4] = 4
    filter: Literal["bicubic", "area"] = "bicubic"


class DataSpec(Strict):
    """The training data. resolution None: the data set's own; images are resized to it otherwise.
    limit: train on so many of the training samples, always the same ones; metrics still see all parts whole.
    mirror: images are shown to the discriminator mirrored half of the time; metrics see them as they are.
    paired: each image of one domain has its partner in the other one, of the same file name; what is made of it is
    compared with that one, and a game may learn from it. low: the small images that super-resolution enlarges."""

    name: str
    resolution: int | None = Field(None, ge=SMALLEST, le=LARGEST)
    limit: int | None = Field(None, ge=32)
    mirror: bool = False
    paired: bool = False
    low: LowSpec | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            lookup(name)
        except InputError as error:
            raise ValueError(str(error)) from None
        return absolute(name)

    @model_validator(mode="after")
    def _has_pairs(self) -> DataSpec:
        known = lookup(self.name)
        if self.paired and known is not None and known.paired is False:
            valid = "imagefolders:PATH_A,PATH_B with the same names of files, or a data set of pairs"
            raise ValueError(f"paired: found it with {self.name}, which has no pairs; valid: {valid}")
        return self


class BudgetSpec(Strict):
    """images: training images shown to the discriminator over the whole run."""

    images: int = Field(gt=0)


class OwnMetricSpec(Strict):
    """A metric of your own. name: "file.py:function" (see metrics/own.py); minimise: whether less is better."""

    name: OwnName
    minimise: bool


class EvaluationSpec(Strict):
    """every: images between evaluations; samples: generated for each (None: as many as there are validation
    samples, at most 2,000); grid: samples a side of the sample picture; features: what images are compared in, a name
    of schema/features.py or "file.py:object" of your own (see metrics/ownfeatures.py); metrics: of your own, each under
    a name that the objective can be.

    share: of a run's time that evaluations are to take at most. Where they take more, a dry run and the end of a sweep
    say which `every` keeps to it. Nothing changes by itself: by fewer samples the same YAML would have another FID on
    another machine."""

    every: int = Field(gt=0)
    share: float = Field(0.05, gt=0, lt=1)
    samples: int | None = Field(None, ge=32)
    grid: int = Field(8, ge=2, le=16)
    features: str = AUTO
    metrics: dict[str, OwnMetricSpec] = {}

    @field_validator("features")
    @classmethod
    def _features(cls, name: str) -> str:
        return known_or_own(name, (AUTO, *FEATURES))

    @field_validator("metrics")
    @classmethod
    def _names(cls, metrics: dict[str, OwnMetricSpec]) -> dict[str, OwnMetricSpec]:
        for name in metrics:
            if name in METRICS or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f'found the name "{name}"; valid: small letters, digits and _, and none of a metric')
        return metrics

    @property
    def own(self) -> dict[str, bool]:
        """The metrics of one's own, with whether less is better."""
        return {name: metric.minimise for name, metric in self.metrics.items()}


class LatentSpec(Strict):
    """gaussian: N(0, 1) in each of `size` dimensions; uniform: U(-1, 1)."""

    distribution: Literal["gaussian", "uniform"] = "gaussian"
    size: int = Field(64, ge=1, le=4096)


class TrialSpec(Strict):
    """One configuration. device, precision and memory_format are chosen at launch where they are left None.

    microbatch: samples that pass the networks at a time (None: the batch), whose gradients add up to the batch's: less
    memory and the same step, but for what mixes samples (see training/microbatches.py)."""

    data: DataSpec
    budget: BudgetSpec
    evaluation: EvaluationSpec
    game: GameSpec = AdversarialSpec()
    latent: LatentSpec = LatentSpec()
    generator: GeneratorSpec
    discriminator: DiscriminatorSpec
    regularisers: RegularisersSpec = RegularisersSpec()
    augmentation: AugmentationSpec = AugmentationSpec()
    optimiser: OptimiserSpec = OptimiserSpec()
    ema: EmaSpec = EmaSpec()
    batch_size: int = Field(BATCH_SIZE, ge=2, le=8192)
    microbatch: int | None = Field(None, ge=1, le=8192)
    init_from: InitFromSpec | None = None
    device: Literal["cpu", "cuda"] | None = None
    precision: Literal["fp32", "bf16"] | None = None
    memory_format: Literal["contiguous", "channels_last"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _with(cls, tree: Any) -> Any:
        """What a choice of the game brings with it, put where it belongs; then what goes by several sections."""
        return with_weight_of_r1(with_brought(tree))

    @model_validator(mode="after")
    def _can_be_built(self) -> TrialSpec:
        known = lookup(self.data.name)
        if self.evaluation.every > self.budget.images:
            raise ValueError(
                f"evaluation.every: found {self.evaluation.every}; valid: at most budget.images ({self.budget.images})"
            )
        self._parts_go_together()
        if known is None:
            return self
        if KINDS[known.kind].pixels and self.data.resolution is None and known.resolution is None:
            raise ValueError(f"data.resolution: missing; {self.data.name} needs one, from {SMALLEST} to {LARGEST}")
        if not KINDS[known.kind].pixels and self.data.resolution is not None:
            words = KINDS[known.kind].words
            raise ValueError(
                f"data.resolution: found {self.data.resolution}; {self.data.name} is {words}, leave it out"
            )
        self.check_data(known.kind, self.data.resolution or known.resolution, known.labelled is not False)
        return self

    @property
    def bounded(self) -> bool:
        """Whether something keeps the discriminator's slope from growing, as a Wasserstein critic's must be kept."""
        parts = self.regularisers
        return bool(parts.gradient_penalties() or parts.weight_clipping) or self.discriminator.norm in ("spectral", OWN)

    def check_data(self, kind: str, resolution: int | None, labelled: bool) -> None:
        """ValueError where data of this kind and resolution is not what the parts need. What a file's name does not
        tell is told once it is open."""
        if self.game.condition and not labelled:
            raise ValueError(
                f"game.condition: found {self.game.condition.kind}; {self.data.name} has no labels, valid: null"
            )
        known = lookup(self.data.name)
        wrong = problem(self.evaluation.features, self.data.name, kind, labelled, known is not None and known.mixture)
        if wrong:
            raise ValueError(wrong)
        content = getattr(self.game, "content_in", PIXELS)
        if content in FEATURES and FEATURES[content].labels and not labelled:
            raise ValueError(
                f"game.content_in: found {content}; {self.data.name} has no labels, valid: {PIXELS}, "
                "self_supervised, random"
            )
        of_pixels = [f"augmentation.{name}" for name, part in self.augmentation if part is not None]
        of_pixels += ["data.mirror"] if self.data.mirror else []
        of_pixels += [f"regularisers.{name}" for name in self.regularisers.of_pixels()]
        for key in of_pixels:
            if not KINDS[kind].pixels:
                raise ValueError(f"{key}: found it; {self.data.name} is {KINDS[kind].words}, valid: without it")
        low = self.data.low
        if low and (resolution is None or resolution % low.factor or resolution // low.factor < SMALL):
            given = KINDS[kind].words if resolution is None else f"images of {resolution} pixels a side"
            raise ValueError(
                f"data.low.factor: found {low.factor} on {given}; valid: one that divides them down to {SMALL} or more"
            )
        for side in ("generator", "discriminator"):
            check_network(side, getattr(self, side), kind, resolution)
        if self.game.growth and resolution is not None:
            self.game.growth.check(resolution)

    def _is_played(self) -> None:
        """ValueError where data or parts are not of the game."""
        known, name = lookup(self.data.name), self.game.name
        if is_own(name):
            return
        for side in ("generator", "discriminator"):
            check_played(side, getattr(self, side), name)
        if known is not None and bool(known.domains) != (name == TRANSLATION):
            several = "of two domains" if known.domains else "of one domain"
            valid = f"game.name {TRANSLATION}" if known.domains else TWO_DOMAINS
            raise ValueError(f"data.name: found {self.data.name}, {several}, with game.name {name}; valid: {valid}")
        if (self.data.low is not None) != (name == SUPER_RESOLUTION):
            raise ValueError(
                f"data.low: found it with game.name {name}; valid: with {SUPER_RESOLUTION}"
                if self.data.low
                else f"data.low: missing; game.name {name} needs it, valid: {{factor: 2}}, {{factor: 4}}"
            )
        if isinstance(self.game, TranslationSpec) and self.game.learned_from == "pairs" and not self.data.paired:
            raise ValueError("game.learned_from: found pairs with unpaired data; valid: with data.paired: true")
        if not self.game.made_from_images:
            return
        unread = [f"regularisers.{key}" for key, part in self.regularisers if part and key != "gradient_clipping"]
        unread += [f"augmentation.{key}" for key, part in self.augmentation if part]
        unread += ["latent"] if self.latent != LatentSpec() else []
        for key in unread:
            raise ValueError(f"{key}: found it with game.name {name}, which does not use it; valid: without it")

    def _parts_go_together(self) -> None:
        self._is_played()
        packing, clipped = self.game.packing, self.regularisers.weight_clipping
        if self.batch_size % packing:
            raise ValueError(f"game.packing: found {packing}; valid: what divides batch_size ({self.batch_size})")
        if self.batch_size == packing:
            raise ValueError(f"game.packing: found {packing}; valid: less than batch_size, scores are compared")
        passing = self.microbatch or self.batch_size
        if self.batch_size % passing:
            raise ValueError(f"microbatch: found {passing}; valid: what divides batch_size ({self.batch_size})")
        if passing % packing:
            raise ValueError(f"microbatch: found {passing}; valid: a multiple of game.packing ({packing})")
        check_groups(self.discriminator, passing // packing, "microbatch" if self.microbatch else "batch_size")
        check_styles(self.generator, self.regularisers.path_length, passing)
        if clipped and self.discriminator.norm == "spectral":
            raise ValueError(
                "regularisers.weight_clipping: found it with discriminator.norm spectral, which undoes it; "
                "valid: another norm"
            )
        if clipped and getattr(self.discriminator, "init", None) == "equalised":
            raise ValueError(
                f"regularisers.weight_clipping: found it with discriminator.network {self.discriminator.network}, "
                "whose weights begin at a size of 1 and are scaled as they are used; valid: a gradient penalty"
            )
        if self.generator.norm == "conditional_batch" and self.game.condition is None:
            raise ValueError("generator.norm: found conditional_batch; valid: with a game.condition")


def resolve(spec: TrialSpec, cuda: bool) -> TrialSpec:
    """The spec with everything decided that was left to the launch: fp32 on CPU, bf16 and channels_last on CUDA.

    Data for which bf16 will not do keep fp32 everywhere, as does data of a function of the user's own of which nothing
    says what it is.
    """
    device = spec.device or ("cuda" if cuda else "cpu")
    known, family = lookup(spec.data.name), FAMILIES.get(spec.generator.network)
    pixels = family is not None and family.pixels
    half = KINDS[known.kind].half if known else pixels or spec.data.resolution is not None
    fast = device == "cuda" and half and (family is None or family.half)
    chosen: dict[str, Any] = {
        "device": device,
        "precision": spec.precision or ("bf16" if fast else "fp32"),
        "memory_format": spec.memory_format or ("channels_last" if fast else "contiguous"),
    }
    if spec.data.resolution is None and known is not None and KINDS[known.kind].pixels:
        chosen["data"] = spec.data.model_copy(update={"resolution": known.resolution})
    return spec.model_copy(update=chosen)
