"""The protocol of a game: two sides and their losses. All that is trained is one, so one loop trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from pipeline.data.batches import REAL, Batch
from pipeline.data.trees import Tree, mapped

PROTOCOL_VERSION = 2  # a game says `protocol = 2`; see games/__init__.py for what has changed

Side = Literal["generator", "discriminator"]
SIDES: tuple[Side, ...] = ("generator", "discriminator")
Network = Callable[..., Any]
Auxiliary = dict[str, dict[str, Tensor]]  # the state of each part of a side that has one, by the part's name
LATENT = "latent"  # the name of the latents among a game's inputs: what can be truncated, and led along a way
SAMPLES = "samples"  # the name of what a game makes that makes one thing


@dataclass(frozen=True)
class Facts:
    """What a game is told of the data."""

    kind: str  # of data: a name of schema/kinds.KINDS
    shape: tuple[int, ...]  # of one sample, without the batch: (C, H, W) of images, (D,) of points
    classes: tuple[int, ...] = ()  # training samples of each; none without labels
    domains: Mapping[str, Facts] = field(default_factory=dict)  # of data of several domains: each, by its name
    content: Network | None = None  # images to features, for the game whose spec asks for them; none to sample from it


@dataclass(frozen=True)
class Progress:
    """How far the training is."""

    step: int = 0  # of the discriminator, from 0
    images: int = 0  # real samples that it was shown
    budget: int = 1  # images that it is to be shown

    @property
    def share(self) -> float:
        return self.images / self.budget


@dataclass(frozen=True)
class Draw:
    """What a generator may use besides its inputs, for noise inputs, style mixing or a network that grows."""

    randomness: torch.Generator
    progress: Progress = Progress()


@dataclass(frozen=True)
class Turn:
    """What both losses see of a step."""

    batch: Batch  # the reals, with what the condition is
    inputs: Tree  # what the generator made `fake` of
    fake: Tree
    randomness: torch.Generator
    due: Mapping[str, float] = field(default_factory=dict)  # the side's lazy terms, each with its interval as a factor
    # The state of both sides' parts, as it was before the step.
    auxiliary: Mapping[Side, Auxiliary] = field(default_factory=lambda: {"generator": {}, "discriminator": {}})
    progress: Progress = Progress()
    first: int = 0  # of a part of the batch (microbatch): the row of the batch that its first one is

    @property
    def real(self) -> Tensor:
        """The batch's samples, of data of one domain."""
        return self.batch[REAL]

    @property
    def draw(self) -> Draw:
        """For a further pass of the generator."""
        return Draw(self.randomness, self.progress)

    @property
    def fakes(self) -> Tensor:
        """The fakes of a game that makes one thing."""
        assert isinstance(self.fake, Tensor)
        return self.fake

    @property
    def constant(self) -> Tree:
        """The fakes without a way back to the generator."""
        return mapped(Tensor.detach, self.fake)


@dataclass(frozen=True)
class Losses:
    """What a side minimises."""

    # Per-sample values (batch,) or scalars, by name, weights already in them; the step adds up their means.
    terms: dict[str, Tensor]
    # The discriminator's outputs that were compared, (real, fake) by a name of the game's: health is judged by them.
    judged: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    # What else is to be seen, without a gradient: in the record and in MLflow as the signal game.NAME, its mean over
    # the steps between two evaluations.
    measurements: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def means(self) -> dict[str, Tensor]:
        """Each term's mean, in float32."""
        return {name: term.float().mean() for name, term in self.terms.items()}

    def total(self) -> Tensor:
        """The scalar that is minimised."""
        first, *others = self.means.values()
        return sum(others, first)


@dataclass(frozen=True)
class Group:
    """Parameters that are trained at one rate: the side's, times `factor`."""

    parameters: list[nn.Parameter]
    factor: float = 1.0


# What a game of the user's own is looked at for.
PROTOCOL = (
    "generator",
    "discriminator",
    "stackable",
    "classes",
    "references",
    "inputs",
    "generate",
    "sample",
    "discriminator_loss",
    "generator_loss",
    "intervals",
    "auxiliary",
    "advance",
    "constrain",
    "groups",
)


class Game(Protocol):
    """generator, discriminator: any nn.Module, a ModuleDict of two for a two-way translation. A network that grows
    has all its stages from the start, and fades them in by the progress it is given.

    Both losses are free of side effects and see the networks as callables alone, so that runs of equal structure
    can be trained stacked; `stackable` says whether the networks allow that too. Randomness is an argument.
    """

    generator: nn.Module
    discriminator: nn.Module
    stackable: bool
    classes: tuple[int, ...]  # of the condition, training samples of each; none without a condition
    references: Mapping[str, str]  # what sample() makes, by name, and which samples of a batch it is compared with

    def inputs(self, count: int, randomness: torch.Generator, batch: Batch) -> Tree:
        """What the generator is fed for `count` samples: latents, drawn, and what the condition is, of `batch`. At an
        evaluation the batch has no `real` but for data of several domains and for the games of the schema that are
        made_from_images, and the labels (label) are drawn."""
        ...

    def generate(self, generator: Network, inputs: Tree, draw: Draw) -> Tree:
        """Fakes (count, ...) in the space of the data."""
        ...

    def discriminator_loss(self, discriminator: Network, turn: Turn) -> Losses:
        """Of the fakes as constants: the generator gets no gradient."""
        ...

    def generator_loss(self, generator: Network, discriminator: Network, turn: Turn) -> Losses: ...

    def intervals(self, side: Side) -> Mapping[str, int]:
        """The terms of a side's loss that Turn.due names, each with its interval in that side's steps."""
        ...

    def auxiliary(self, side: Side, device: torch.device) -> Auxiliary:
        """The state of a side's parts before its first step; 0-dimensional or larger tensors on `device`."""
        ...

    def advance(self, side: Side, losses: Losses, turn: Turn) -> Auxiliary:
        """The state of a side's parts after its step that had these losses; turn.auxiliary[side] is what it was."""
        ...

    def constrain(self, side: Side, parameters: list[Tensor]) -> None:
        """The parameter rule: changes a side's parameters in place after its step."""
        ...

    def groups(self, side: Side) -> Mapping[str, Group]:
        """The parameters of a side that are trained, by the rates that they have; each once."""
        ...

    def sample(self, generator: Network, inputs: Tree, draw: Draw) -> Tree:
        """What is evaluated and shown: samples (count, ...) in [-1, 1], or points in their own units, by the names of
        `references`; a tensor alone is called samples."""
        ...


class Plain:
    """What a game without a condition, lazy terms, state and parameter rules need not write: all but its networks,
    inputs(), generate() and the two losses."""

    classes: tuple[int, ...] = ()
    references: Mapping[str, str] = {SAMPLES: REAL}

    def intervals(self, side: Side) -> Mapping[str, int]:
        return {}

    def auxiliary(self, side: Side, device: torch.device) -> Auxiliary:
        return {}

    def advance(self, side: Side, losses: Losses, turn: Turn) -> Auxiliary:
        return turn.auxiliary[side]

    def constrain(self, side: Side, parameters: list[Tensor]) -> None:
        pass

    def groups(self, side: Side) -> Mapping[str, Group]:
        return {side: Group([each for each in getattr(self, side).parameters() if each.requires_grad])}

    def sample(self, generator: Network, inputs: Tree, draw: Draw) -> Tree:
        samples: Tree = self.generate(generator, inputs, draw)  # type: ignore[attr-defined]
        return samples
