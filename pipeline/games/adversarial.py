"""The adversarial game: a generator makes samples out of noise, a discriminator tells them from real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pipeline.data.batches import LABEL, Batch
from pipeline.data.trees import Tree
from pipeline.errors import InputError
from pipeline.games import augment, latent, objectives, paths
from pipeline.games.game import LATENT, SAMPLES, Auxiliary, Draw, Facts, Losses, Network, Plain, Side, Turn
from pipeline.games.growing import Growth
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.games.regularisers import Regulariser, Seen, mode_seeking, own_term, scalars_of, scheduled
from pipeline.schema.base import OWN
from pipeline.schema.game import AdversarialSpec
from pipeline.schema.networks import FAMILIES
from pipeline.schema.rows import at
from pipeline.schema.schedule import value_at
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive

Judge = Callable[[Tensor], tuple[Tensor, Tensor | None]]
COUPLED = {"batch", "spectral", "conditional_batch"}  # norms that change buffers in a forward pass


class AdversarialGame(Plain):
    """Goodfellow et al. 2014, with any objective of OBJECTIVES and any terms of schema/parts.RegularisersSpec.

    The generator's inputs are the latent and, with a condition, the label; its network is fed the latent and beside
    it the class, one-hot. The fakes of a step are of the classes of its reals, so that each real and its fake are
    judged under one condition.
    """

    def __init__(self, spec: TrialSpec, data: Facts, seed: int) -> None:
        """Networks start on the CPU."""
        game, shape, classes = spec.game, data.shape, data.classes
        assert isinstance(game, AdversarialSpec)
        if data.domains:
            raise InputError(
                f"game.name: found {game.name} on data of {', '.join(data.domains)}; valid: translation, or data of "
                "one domain"
            )
        try:  # data of a user's own function is known only now
            spec.check_data(data.kind, shape[-1], len(classes) > 1)
        except ValueError as error:
            raise InputError(str(error)) from None
        self._spec, self._shape = spec, shape
        self.classes = tuple(classes) if game.condition else ()
        kind = game.condition.kind if game.condition else None
        self.generator = build_generator(
            spec.generator, spec.latent.size, data, derive(seed, "generator"), len(self.classes)
        )
        packed = (shape[0] * game.packing, *shape[1:])
        self.discriminator = build_discriminator(
            spec.discriminator, packed, derive(seed, "discriminator"), kind, len(self.classes)
        )
        self._growth = Growth(game.growth, data, {"generator": self.generator, "discriminator": self.discriminator})
        family = FAMILIES.get(spec.generator.network)
        self._styled = family is not None and family.styles  # its generator is handed the Draw, and further latents
        # A buffer that changes in a forward pass cannot be shared by a stacked one.
        sides = ((spec.generator, self.generator), (spec.discriminator, self.discriminator))
        self.stackable = not self._styled and not any(
            part.norm in COUPLED or (part.norm == OWN and next(network.buffers(), None) is not None)
            for part, network in sides
        )
        self._objective = objectives.named(game.objective)
        self._smoothing = (game.label_smoothing,) if game.label_smoothing else ()
        rows = {name: (made, getattr(spec.regularisers, name)) for name, made in spec.regularisers.terms().items()}
        self._terms: dict[str, tuple[Regulariser, Any]] = {
            name: (at(made), part) for name, (made, part) in rows.items() if part is not None
        }
        for label, part in spec.regularisers.own.items():
            self._terms[f"own.{label}"] = own_term(label, part), part
        # Of those without a schedule, which are the same at every step.
        self._scalars = {name: scalars_of(part) for name, (_, part) in self._terms.items() if not scheduled(part)}

    def intervals(self, side: Side) -> Mapping[str, int]:
        if side == "generator":
            path_length = self._spec.regularisers.path_length
            return {"path_length": path_length.interval} if path_length else {}
        return {name: getattr(part, "interval", 1) for name, (_, part) in self._terms.items()}

    def inputs(self, count: int, randomness: torch.Generator, batch: Batch) -> Tree:
        z = latent.draw(self._spec.latent, count, randomness)
        return {LATENT: z, LABEL: batch[LABEL]} if self.classes else {LATENT: z}

    def generate(self, generator: Network, inputs: Tree, draw: Draw) -> Tree:
        fed = self.fed(inputs)
        told = (draw, self._again) if self._styled else self._growth.told("generator", draw.progress)
        fakes: Tensor = generator(fed, *told)
        return fakes

    def fed(self, inputs: Tree) -> Tensor:
        """What the generator's network is fed, (count, latent size + classes)."""
        assert not isinstance(inputs, Tensor)
        condition = self._condition(inputs)
        return inputs[LATENT] if condition is None else torch.cat([inputs[LATENT], condition], 1)

    def _again(self, count: int, randomness: torch.Generator) -> Tensor:
        """Further latents."""
        return latent.draw(self._spec.latent, count, randomness)

    def _condition(self, inputs: Tree) -> Tensor | None:
        """The classes, one-hot (count, classes)."""
        if not self.classes:
            return None
        assert not isinstance(inputs, Tensor)
        labels = inputs[LABEL]
        return (labels[:, None] == torch.arange(len(self.classes), device=labels.device)).float()

    def discriminator_loss(self, discriminator: Network, turn: Turn) -> Losses:
        judge = self._judge(discriminator, turn)
        real, fake = self._reals(turn), self._packs(turn.fakes.detach())
        (real_scores, real_classes), (fake_scores, fake_classes) = judge(real), judge(fake)
        terms = {"adversarial": self._objective.discriminator(real_scores, fake_scores, *self._smoothing)}
        if real_classes is not None and fake_classes is not None:
            terms["classifier"] = self._classifier_loss(real_classes, turn) + self._classifier_loss(fake_classes, turn)
        for name, factor in turn.due.items():
            state = turn.auxiliary["discriminator"].get(name, {})
            rule, part = self._terms[name]
            seen = Seen(
                discriminator=lambda x: judge(x)[0],
                real=real,
                fake=fake,
                real_scores=real_scores,
                fake_scores=fake_scores,
                randomness=turn.randomness,
                scalars=self._scalars.get(name) or scalars_of(part, turn.progress.share),
                auxiliary=state,
                step=self._made(rule, turn),
                sample_axes=len(self._shape),
            )
            terms[name] = factor * rule.penalty(seen, part)
        adapted = turn.auxiliary["discriminator"].get("ada")
        measured = {"ada_probability": adapted["p"]} if adapted else {}
        measured |= self._growth.measured(turn.progress, real.device)
        return Losses(terms, {SAMPLES: (real_scores, fake_scores)}, measured)

    def generator_loss(self, generator: Network, discriminator: Network, turn: Turn) -> Losses:
        judge = self._judge(discriminator, turn)
        fake_scores, fake_classes = judge(self._packs(turn.fakes))
        real_scores = judge(self._reals(turn))[0] if self._objective.paired else fake_scores
        terms = {"adversarial": self._objective.generator(real_scores, fake_scores)}
        if fake_classes is not None:
            terms["classifier"] = self._classifier_loss(fake_classes, turn)
        if self._spec.regularisers.mode_seeking:
            terms["mode_seeking"] = self._mode_seeking(generator, turn)
        if (factor := turn.due.get("path_length")) is None:
            return Losses(terms)
        lengths = self._path_lengths(generator, turn)
        spec = self._spec.regularisers.path_length
        assert spec is not None
        terms["path_length"] = factor * paths.penalty(
            lengths, turn.auxiliary["generator"]["path_length"], spec, turn.progress.share
        )
        return Losses(terms, measurements={"path_length": lengths.detach().mean()})

    def auxiliary(self, side: Side, device: torch.device) -> Auxiliary:
        names: dict[str, tuple[str, ...]] = {}
        if side == "generator" and self._spec.regularisers.path_length:
            names["path_length"] = paths.STATE
        if side == "discriminator":
            ada = self._spec.augmentation.ada
            names |= {name: rule.state for name, (rule, _) in self._terms.items() if rule.state}
            names |= {"ada": ("p", "signs")} if ada and ada.probability is None else {}
        return {name: {key: torch.zeros((), device=device) for key in keys} for name, keys in names.items()}

    def advance(self, side: Side, losses: Losses, turn: Turn) -> Auxiliary:
        if not turn.auxiliary[side]:
            return {}
        with torch.no_grad():
            return self._path_advanced(losses, turn) if side == "generator" else self._advanced(side, losses, turn)

    def _advanced(self, side: Side, losses: Losses, turn: Turn) -> Auxiliary:
        scores, step, advanced = losses.judged[SAMPLES], turn.progress.step, {}
        for name, state in turn.auxiliary[side].items():
            if name == "ada":
                assert self._spec.augmentation.ada is not None
                signs, shown = self._objective.signs(*scores), turn.real.shape[0]
                advanced[name] = augment.advance_ada(state, signs, step, shown, self._spec.augmentation.ada)
            else:
                rule, part = self._terms[name]
                assert rule.advance is not None
                advanced[name] = rule.advance(state, *scores, self._made(rule, turn), part)
        return advanced

    def _path_advanced(self, losses: Losses, turn: Turn) -> Auxiliary:
        """The generator's one part with a state; as it was where it was not due."""
        before, lengths = turn.auxiliary["generator"], losses.measurements.get("path_length")
        spec = self._spec.regularisers.path_length
        if lengths is None or spec is None:
            return before
        return {"path_length": paths.advanced(lengths.mean(), before["path_length"], spec)}

    def _made(self, rule: Regulariser, turn: Turn) -> int:
        """The steps before this one, of the side whose steps the term counts."""
        every = 1 if rule.counted == "discriminator" else self._spec.optimiser.discriminator_steps
        return turn.progress.step // every

    def constrain(self, side: Side, parameters: list[Tensor]) -> None:
        clipping = self._spec.regularisers.weight_clipping
        if clipping and side == "discriminator":
            with torch.no_grad():
                torch._foreach_clamp_min_(parameters, -clipping.bound)
                torch._foreach_clamp_max_(parameters, clipping.bound)

    def _judge(self, discriminator: Network, turn: Turn) -> Judge:
        """From samples, or packs of them, to scores and (of an auxiliary classifier) the classes' logits."""
        condition, told = self._condition(turn.inputs), self._growth.told("discriminator", turn.progress)

        def judge(x: Tensor) -> tuple[Tensor, Tensor | None]:
            packing = self._spec.game.packing
            x = self._transformed(x.flatten(0, 1), turn) if packing > 1 else self._transformed(x, turn)
            if packing > 1:
                x = x.unflatten(0, (-1, packing)).flatten(1, 2)
            said = discriminator(x, condition, turn.randomness, *told)
            if isinstance(said, tuple):
                return said[0].float(), said[1].float()
            return said.float(), None

        return judge

    def _transformed(self, x: Tensor, turn: Turn) -> Tensor:
        """The input transforms: augmentation, then noise. In float32: bfloat16 misses its places by half a pixel."""
        with torch.autocast(x.device.type, enabled=False):
            return self._transformed_float(x.float(), turn)

    def _transformed_float(self, x: Tensor, turn: Turn) -> Tensor:
        augmentation, noise = self._spec.augmentation, self._spec.regularisers.instance_noise
        share = turn.progress.share
        if diffaugment := augmentation.diffaugment:
            x = augment.diffaugment(x, diffaugment, turn.randomness, share)
        if ada := augmentation.ada:
            fixed = None if ada.probability is None else torch.tensor(value_at(ada.probability, share))
            p = turn.auxiliary["discriminator"]["ada"]["p"] if fixed is None else fixed
            x = augment.ada(x, p, turn.randomness, ada.flip)
        if noise:
            left = 1 - turn.progress.images / (noise.share * self._spec.budget.images)
            if left > 0:
                x = augment.instance_noise(x, noise.sigma * left, turn.randomness)
        return x

    def _reals(self, turn: Turn) -> Tensor:
        """What one score is of, as _packs() gives it, at the resolution that the networks have grown to."""
        return self._packs(self._growth.shown(turn.real, turn.progress))

    def _packs(self, x: Tensor) -> Tensor:
        """(batch / packing, packing, ...): what one score is of; x itself without packing."""
        packing = self._spec.game.packing
        return x if packing == 1 else x.unflatten(0, (-1, packing))

    def _classifier_loss(self, logits: Tensor, turn: Turn) -> Tensor:
        """weight * -log p(class), (batch,): Odena et al. 2017, eq. 3."""
        assert self._spec.game.condition is not None
        weight = self._spec.game.condition.weight
        condition = self._condition(turn.inputs)
        assert condition is not None
        loss: Tensor = cross_entropy(logits, condition, reduction="none")
        return loss if weight is None else weight * loss

    def _mode_seeking(self, generator: Network, turn: Turn) -> Tensor:
        """Two fakes of each condition, from the latents at hand and from others."""
        spec, inputs = self._spec.regularisers.mode_seeking, turn.inputs
        assert spec is not None
        assert not isinstance(inputs, Tensor)
        second = latent.draw(self._spec.latent, len(inputs[LATENT]), turn.randomness)
        other = self.generate(generator, {**inputs, LATENT: second}, turn.draw)
        assert isinstance(other, Tensor)
        return mode_seeking((turn.fakes, other), (inputs[LATENT], second), spec, turn.progress.share)

    def _path_lengths(self, generator: Network, turn: Turn) -> Tensor:
        """Of new images of the first latents at hand."""
        spec = self._spec.regularisers.path_length
        assert spec is not None
        fed = self.fed(turn.inputs)
        some = fed[: max(len(fed) // spec.shrink, 1)]
        images, styles = generator(some, turn.draw, self._again, True)
        return paths.lengths(images, styles, turn.randomness)
