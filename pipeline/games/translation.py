"""The translation between two domains, learned without pairs (CycleGAN, Zhu et al. 2017) or from them (pix2pix, Isola
et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.data.batches import Batch
from pipeline.data.trees import Tree
from pipeline.errors import InputError
from pipeline.games import pool
from pipeline.games.game import Auxiliary, Draw, Facts, Losses, Network, Plain, Side, Turn
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.objectives import named as objective_named
from pipeline.schema.datasets import DOMAINS, TWO_DOMAINS
from pipeline.schema.game import PAIR_WEIGHT, TranslationSpec
from pipeline.schema.kinds import KINDS
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive

OTHER = {"a": "b", "b": "a"}


class ByName(nn.ModuleDict):
    """Networks of one side; called with the name of the one that is meant."""

    def forward(self, name: str, *given: object) -> Tensor:
        out: Tensor = self[name](*given)
        return out


def to(domain: str) -> str:
    """The name of what is translated into a domain, and of the generator that does it."""
    return f"to_{domain}"


class TranslationGame(Plain):
    """A discriminator for each domain that is judged, and a generator to it; with the cycle to both of them. With pairs
    the discriminator is fed the source and the target, or its translation, as one image. See TranslationSpec."""

    def __init__(self, spec: TrialSpec, data: Facts, seed: int) -> None:
        """Networks start on the CPU."""
        game = spec.game
        assert isinstance(game, TranslationSpec)
        if tuple(sorted(data.domains)) != DOMAINS or not KINDS[data.kind].pixels:
            given = f"{data.kind} data of {', '.join(data.domains) or 'one domain'}"
            raise InputError(f"game.name: found {game.name} on {given}; valid: images of a and b ({TWO_DOMAINS})")
        self._spec, self._game, self._shape = spec, game, data.shape
        self._pairs = game.learned_from == "pairs"
        self.references = {to(domain): domain for domain in game.targets}
        generated = game.targets if self._pairs else DOMAINS
        self.generator = ByName(
            {
                to(domain): build_generator(spec.generator, 0, data.domains[domain], derive(seed, to(domain)))
                for domain in generated
            }
        )
        judged = (data.shape[0] * (2 if self._pairs else 1), *data.shape[1:])
        self.discriminator = ByName(
            {
                domain: build_discriminator(spec.discriminator, judged, derive(seed, f"discriminator {domain}"))
                for domain in game.targets
            }
        )
        # Spectral norm changes its own, and so does a U-Net's batch norm.
        self.stackable = all(next(side.buffers(), None) is None for side in (self.generator, self.discriminator))
        self._objective = objective_named(game.objective)
        # Zhu et al. have (D(G(x)) - 1)^2 in G's loss and Mao et al. 2017, whose objective ours is, half of it: the
        # weights of the other terms are Zhu et al.'s.
        self._factor = 2.0 if game.objective == "least_squares" else 1.0
        self._pair_weight = PAIR_WEIGHT if game.pair_weight is None else game.pair_weight

    def inputs(self, count: int, randomness: torch.Generator, batch: Batch) -> Tree:
        return {domain: batch[domain][:count] for domain in DOMAINS}

    def generate(self, generator: Network, inputs: Tree, draw: Draw) -> Tree:
        """Of each domain that is judged, the translations of the other one's images."""
        assert not isinstance(inputs, Tensor)
        return {
            to(domain): generator(to(domain), inputs[OTHER[domain]], draw.randomness) for domain in self._game.targets
        }

    def discriminator_loss(self, discriminator: Network, turn: Turn) -> Losses:
        constant, terms, judged = turn.constant, {}, {}
        assert not isinstance(constant, Tensor)
        for domain in self._game.targets:
            fakes, kept = constant[to(domain)], turn.auxiliary["discriminator"].get(to(domain))
            if kept is not None:
                fakes = pool.shown(kept, fakes, turn.first)
            real = self._scores(discriminator, domain, turn.batch[domain], turn)
            fake = self._scores(discriminator, domain, fakes, turn)
            terms[f"adversarial_{domain}"] = _by_sample(self._objective.discriminator, real, fake)
            judged[domain] = real.mean(1), fake.mean(1)
        return Losses(terms, judged)

    def generator_loss(self, generator: Network, discriminator: Network, turn: Turn) -> Losses:
        assert not isinstance(turn.fake, Tensor)
        terms = {}
        cycle, identity = self._game.weights
        for domain in self._game.targets:
            fakes, source = turn.fake[to(domain)], OTHER[domain]
            fake = self._scores(discriminator, domain, fakes, turn)
            paired = self._objective.paired
            real = self._scores(discriminator, domain, turn.batch[domain], turn) if paired else fake
            terms[f"adversarial_{domain}"] = self._factor * _by_sample(self._objective.generator, real, fake)
            if self._pairs:
                terms[f"pair_{domain}"] = self._pair_weight * _distance(fakes, turn.batch[domain])
                continue
            back = generator(to(source), fakes, turn.randomness)
            terms[f"cycle_{source}"] = cycle * _distance(back, turn.batch[source])
            if identity:
                same = generator(to(domain), turn.batch[domain], turn.randomness)
                terms[f"identity_{domain}"] = identity * _distance(same, turn.batch[domain])
        return Losses(terms)

    def _scores(self, discriminator: Network, domain: str, x: Tensor, turn: Turn) -> Tensor:
        """(batch, patches) in float32; of a discriminator of the user's own one score is of the whole image."""
        seen = torch.cat([turn.batch[OTHER[domain]], x.float()], 1) if self._pairs else x
        scores: Tensor = discriminator(domain, seen, None, turn.randomness)
        return scores.float().view(len(x), -1)

    def auxiliary(self, side: Side, device: torch.device) -> Auxiliary:
        if side == "generator" or not self._game.pooled:
            return {}
        made = (self._game.pooled, self._shape, self._spec.batch_size, device)
        return {to(domain): pool.empty(*made) for domain in self._game.targets}

    def advance(self, side: Side, losses: Losses, turn: Turn) -> Auxiliary:
        constant = turn.constant
        assert not isinstance(constant, Tensor)
        return {
            name: pool.advanced(kept, constant[name], turn.randomness) for name, kept in turn.auxiliary[side].items()
        }


def _by_sample(objective: Callable[[Tensor, Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """The mean over its patches (batch,) of what an objective makes of each patch's score."""
    return objective(real.flatten(), fake.flatten()).view(len(fake), -1).mean(1)


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """The mean absolute difference of each sample, (batch,), in float32: Zhu et al. 2017, eq. 2."""
    return (x.float() - y.float()).abs().flatten(1).mean(1)
