"""The adversarial game: a generator makes samples out of noise, a discriminator tells them from real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.games import latent
from pipeline.games.game import Losses, Network
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.objectives import OBJECTIVES
from pipeline.games.regularisers import REGULARISERS
from pipeline.seeds import derive
from pipeline.spec.trial import TrialSpec


class AdversarialGame:
    """Goodfellow et al. 2014, with any objective of OBJECTIVES and any regularisers of REGULARISERS."""

    def __init__(self, spec: TrialSpec, shape: tuple[int, ...], seed: int) -> None:
        """`shape`: of one sample, without the batch. Networks start on the CPU."""
        self.generator = build_generator(spec.generator, spec.latent.size, shape, derive(seed, "generator"))
        self.discriminator = build_discriminator(spec.discriminator, shape, derive(seed, "discriminator"))
        # Batch norm and spectral norm change buffers in a forward pass, which a stacked one cannot share.
        norms = {spec.generator.norm, spec.discriminator.norm}
        self.stackable = not norms & {"batch", "spectral"}
        self._latent = spec.latent
        self._objective = OBJECTIVES[spec.game.objective]
        chosen = {name: getattr(spec.regularisers, name) for name in REGULARISERS}
        self._regularisers = {name: part for name, part in chosen.items() if part is not None}

    def intervals(self) -> Mapping[str, int]:
        return {name: part.interval for name, part in self._regularisers.items()}

    def inputs(self, count: int, randomness: torch.Generator, batch: Any = None) -> Tensor:
        return latent.draw(self._latent, count, randomness)

    def generate(self, generator: Network, inputs: Tensor) -> Tensor:
        fakes: Tensor = generator(inputs)
        return fakes

    sample = generate

    def discriminator_loss(
        self, discriminator: Network, real: Tensor, fake: Tensor, randomness: torch.Generator, due: Mapping[str, float]
    ) -> Losses:
        real_scores, fake_scores = discriminator(real).float(), discriminator(fake).float()
        terms = {"adversarial": self._objective.discriminator(real_scores, fake_scores)}
        for name, factor in due.items():
            penalty = REGULARISERS[name].penalty(discriminator, real, fake, randomness)
            terms[name] = self._regularisers[name].weight * factor * penalty
        return Losses(terms, real_scores, fake_scores)

    def generator_loss(self, discriminator: Network, real: Tensor, fake: Tensor) -> Losses:
        fake_scores = discriminator(fake).float()
        real_scores = discriminator(real).float() if self._objective.paired else fake_scores
        return Losses({"adversarial": self._objective.generator(real_scores, fake_scores)})
