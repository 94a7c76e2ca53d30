"""The protocol of a game: two sides and their losses. All that is trained is one, so one loop trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Network = Callable[..., Any]
Auxiliary = dict[str, dict[str, Tensor]]  # the state of each part that has one, by the part's name


@dataclass(frozen=True)
class Turn:
    """What both losses see of a step. real: a batch; inputs: what the generator made `fake` of; due: the terms of
    the discriminator's loss in this step, each with the factor (its interval) that it is multiplied by; auxiliary:
    the parts' state; step and images: so far."""

    real: Tensor
    inputs: Tensor
    fake: Tensor
    randomness: torch.Generator
    due: Mapping[str, float] = field(default_factory=dict)
    auxiliary: Auxiliary = field(default_factory=dict)
    step: int = 0
    images: int = 0


@dataclass(frozen=True)
class Losses:
    """terms: per-sample values (batch,) or scalars, by name, weights already in them; the step takes each one's
    mean and adds them up. scores: the discriminator's outputs that the health signals are made of. measurements:
    what else is to be seen of the step, tensors without a gradient; each is in the record and in MLflow as the signal
    game.NAME, its mean over the steps between two evaluations."""

    terms: dict[str, Tensor]
    real_scores: Tensor | None = None
    fake_scores: Tensor | None = None
    measurements: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def means(self) -> dict[str, Tensor]:
        """Each term's mean, in float32."""
        return {name: term.float().mean() for name, term in self.terms.items()}

    def total(self) -> Tensor:
        """The scalar that is minimised."""
        first, *others = self.means.values()
        return sum(others, first)


# What a game of the user's own is looked at for.
PROTOCOL = (
    *("generator", "discriminator", "stackable", "inputs", "generate", "sample", "discriminator_loss"),
    *("generator_loss", "intervals", "auxiliary", "advance", "constrain"),
)


class Game(Protocol):
    """generator, discriminator: any nn.Module, a ModuleDict of two for a two-way translation.

    Both losses are free of side effects and see the networks as callables alone, so that runs of equal structure
    can be trained stacked; `stackable` says whether the networks allow that too. Randomness is an argument.
    """

    generator: nn.Module
    discriminator: nn.Module
    stackable: bool

    def inputs(self, count: int, randomness: torch.Generator, batch: Any = None) -> Tensor:
        """What the generator is fed for `count` samples: latents (count, latent size), and beside them what the
        condition is: of `batch`, or drawn as the training data has it."""
        ...

    def generate(self, generator: Network, inputs: Tensor) -> Tensor:
        """Fakes (count, ...) in the space of the data."""
        ...

    def discriminator_loss(self, discriminator: Network, turn: Turn) -> Losses:
        """Of the fakes as constants: the generator gets no gradient."""
        ...

    def generator_loss(self, generator: Network, discriminator: Network, turn: Turn) -> Losses: ...

    def intervals(self) -> Mapping[str, int]:
        """The terms of the discriminator's loss beside the objective, each with its interval in its steps."""
        ...

    def auxiliary(self, device: torch.device) -> Auxiliary:
        """The parts' state before the first step; 0-dimensional or larger tensors on `device`."""
        ...

    def advance(self, auxiliary: Auxiliary, losses: Losses, turn: Turn) -> Auxiliary:
        """The parts' state after the discriminator's step that had these losses."""
        ...

    def constrain(self, parameters: list[Tensor]) -> None:
        """The parameter rule: changes the discriminator's parameters in place after its step."""
        ...

    def sample(self, generator: Network, inputs: Tensor) -> Tensor:
        """What is evaluated and shown: samples (count, ...) in [-1, 1], or points in their own units."""
        ...


class Stateless:
    """What a game without lazy terms, state and parameter rules need not write: all but its networks, inputs(),
    generate() and the two losses. Not to be overridden: a game that has one of these writes all of the protocol."""

    def intervals(self) -> Mapping[str, int]:
        return {}

    def auxiliary(self, device: torch.device) -> Auxiliary:
        return {}

    def advance(self, auxiliary: Auxiliary, losses: Losses, turn: Turn) -> Auxiliary:
        return auxiliary

    def constrain(self, parameters: list[Tensor]) -> None:
        pass

    def sample(self, generator: Network, inputs: Tensor) -> Tensor:
        samples: Tensor = self.generate(generator, inputs)  # type: ignore[attr-defined]
        return samples
