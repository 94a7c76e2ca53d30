"""Super-resolution: from small images to the large ones that they were made of (SRGAN, Ledig et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.data.batches import REAL, Batch
from pipeline.data.reducing import reduced
from pipeline.data.trees import Tree
from pipeline.errors import InputError
from pipeline.games.game import SAMPLES, Draw, Facts, Losses, Network, Plain, Turn
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.objectives import named as objective_named
from pipeline.schema.game import PIXELS, SuperResolutionSpec
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive

LOW = "low"  # the name of the small images among the inputs
CHANGED_IN_A_PASS = ("batch", "spectral")  # norms with buffers that a forward pass changes


class SuperResolutionGame(Plain):
    """The generator is fed the small images of data.low, made of the batch's; see SuperResolutionSpec."""

    def __init__(self, spec: TrialSpec, data: Facts, seed: int) -> None:
        """Networks start on the CPU."""
        game, low = spec.game, spec.data.low
        assert isinstance(game, SuperResolutionSpec)
        assert low is not None
        if data.domains:
            raise InputError(f"game.name: found {game.name} on data of {', '.join(data.domains)}; valid: one domain")
        try:  # data of a user's own function is known only now
            spec.check_data(data.kind, data.shape[-1], len(data.classes) > 1)
        except ValueError as error:
            raise InputError(str(error)) from None
        self._spec, self._game, self._low = spec, game, low
        self.generator = build_generator(spec.generator, low.factor, data, derive(seed, "generator"))
        self.discriminator = build_discriminator(spec.discriminator, data.shape, derive(seed, "discriminator"))
        norms = spec.generator.norm, spec.discriminator.norm
        self.stackable = not any(norm in CHANGED_IN_A_PASS for norm in norms)
        self._objective = objective_named(game.objective)
        self._features = data.content

    def inputs(self, count: int, randomness: torch.Generator, batch: Batch) -> Tree:
        """At an evaluation too a batch has its large images: schema's made_from_images."""
        return {LOW: reduced(batch[REAL][:count], self._low)}

    def generate(self, generator: Network, inputs: Tree, draw: Draw) -> Tree:
        assert not isinstance(inputs, Tensor)
        fakes: Tensor = generator(inputs[LOW])
        return fakes

    def discriminator_loss(self, discriminator: Network, turn: Turn) -> Losses:
        real = _scores(discriminator, turn.real, turn)
        fake = _scores(discriminator, turn.fakes.detach(), turn)
        return Losses({"adversarial": self._objective.discriminator(real, fake)}, {SAMPLES: (real, fake)})

    def generator_loss(self, generator: Network, discriminator: Network, turn: Turn) -> Losses:
        """l_content + adversarial_weight * l_adversarial (Ledig et al. 2017, eq. 3)."""
        terms = {"content": self._content(turn)}
        weight = self._game.adversarial_weight
        if weight and turn.progress.share >= self._game.content_only:
            fake = _scores(discriminator, turn.fakes, turn)
            real = _scores(discriminator, turn.real, turn) if self._objective.paired else fake
            terms["adversarial"] = weight * self._objective.generator(real, fake)
        return Losses(terms)

    def _content(self, turn: Turn) -> Tensor:
        """The mean over an image's values, or those of its features, (batch,), in float32."""
        fake, real = turn.fakes.float(), turn.real.float()
        if self._game.content_in != PIXELS:
            assert self._features is not None  # only what samples alone is built without
            with torch.no_grad():
                real = self._features(real)
            fake = self._features(fake)
        off = (fake.float() - real.float()).flatten(1)
        return off.abs().mean(1) if self._game.content == "l1" else off.square().mean(1)


def _scores(discriminator: Network, x: Tensor, turn: Turn) -> Tensor:
    scores: Tensor = discriminator(x, None, turn.randomness)
    return scores.float()
