"""The protocol of a game: two sides and their losses. All that is trained is one, so one loop trains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Network = Callable[..., Any]


@dataclass(frozen=True)
class Losses:
    """terms: per-sample values (batch,) or scalars, by name, weights already in them; the step takes each one's
    mean and adds them up. scores: the discriminator's outputs that the health signals are made of."""

    terms: dict[str, Tensor]
    real_scores: Tensor | None = None
    fake_scores: Tensor | None = None
    measurements: dict[str, Tensor] = field(default_factory=dict)

    def total(self) -> Tensor:
        """The scalar that is minimised."""
        first, *others = (term.float().mean() for term in self.terms.values())
        return sum(others, first)


class Game(Protocol):
    """generator, discriminator: any nn.Module, a ModuleDict of two for a two-way translation.

    Both losses are free of side effects and see the networks as callables alone, so that runs of equal structure
    can be trained stacked; `stackable` says whether the networks allow that too. Randomness is an argument.
    """

    generator: nn.Module
    discriminator: nn.Module
    stackable: bool

    def inputs(self, count: int, randomness: torch.Generator, batch: Any = None) -> Tensor:
        """What the generator is fed for `count` samples: latents (count, latent size)."""
        ...

    def generate(self, generator: Network, inputs: Tensor) -> Tensor:
        """Fakes (count, ...) in the space of the data."""
        ...

    def discriminator_loss(
        self, discriminator: Network, real: Tensor, fake: Tensor, randomness: torch.Generator, due: Mapping[str, float]
    ) -> Losses:
        """`due`: the lazy terms of this step, each with the factor (its interval) that it is multiplied by."""
        ...

    def generator_loss(self, discriminator: Network, real: Tensor, fake: Tensor) -> Losses: ...

    def intervals(self) -> Mapping[str, int]:
        """The lazy terms of the discriminator's loss, each with its interval in discriminator steps."""
        ...

    def sample(self, generator: Network, inputs: Tensor) -> Tensor:
        """What is evaluated and shown: samples (count, ...) in [-1, 1], or points in their own units."""
        ...
