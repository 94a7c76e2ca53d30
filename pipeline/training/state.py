"""TrainingState: all that a training step changes, and so all that a checkpoint holds."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import games
from pipeline.data.batches import REAL, Batches, Domain, How
from pipeline.data.dataset import Dataset
from pipeline.games.game import SIDES, Auxiliary, Facts, Game, Group, Losses, Progress, Side
from pipeline.schema.kinds import KINDS
from pipeline.schema.optimiser import OPTIMISERS, OptimiserSpec
from pipeline.schema.rows import at
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive
from pipeline.training.transfer import freeze, start_from

# What a step measures of each side; a window sums them up between two evaluations, on the device.
DISCRIMINATOR_MEASURES = ("loss_d", "discriminator_gradient_norm", "discriminator_win_rate")
GENERATOR_MEASURES = ("loss_g", "generator_gradient_norm")
AVERAGED_BUFFERS = ("running_mean", "running_var")


@dataclass
class Window:
    """Sums of a side's measures over the steps since they were last read, and of what its losses are made of."""

    names: tuple[str, ...]
    sums: Tensor
    steps: int = 0
    terms: dict[str, Tensor] = field(default_factory=dict)
    measured: dict[str, tuple[Tensor, int]] = field(default_factory=dict)  # sum and steps that had it

    def add(self, values: list[Tensor], losses: Losses) -> None:
        """values: of names. A lazy term counts in all steps: multiplied by its interval, its mean over them is the
        term's."""
        self.sums.add_(torch.stack(values))
        self.steps += 1
        for name, value in losses.means.items():
            before = self.terms.get(name)
            self.terms[name] = value.detach() if before is None else before + value.detach()
        for name, value in losses.measurements.items():
            total, steps = self.measured.get(name, (0.0, 0))
            self.measured[name] = total + value.detach().float().mean(), steps + 1

    def finite(self) -> bool:
        """Whether all values so far were finite; this waits for the device."""
        return bool(self.sums.isfinite().all())

    def means(self) -> dict[str, float]:
        """The mean of each measure; nothing where no step was made. This waits for the device."""
        if not self.steps:
            return {}
        means = dict(zip(self.names, self.sums / self.steps, strict=True))
        if len(self.terms) > 1:  # of one it is the loss itself
            means |= {f"{self.names[0]}.{name}": total / self.steps for name, total in self.terms.items()}
        means |= {f"game.{name}": total / steps for name, (total, steps) in self.measured.items()}
        return dict(zip(means, torch.stack(list(means.values())).tolist(), strict=True))

    def reset(self) -> None:
        self.sums.zero_()
        self.steps = 0
        self.terms.clear()
        self.measured.clear()


@dataclass(frozen=True)
class Averaging:
    """What the average's update reads and writes, listed once: to walk the modules takes longer than the update."""

    ours: list[Tensor]  # the average's parameters and batch norm's statistics
    theirs: list[Tensor]  # what they are the average of
    copied: list[tuple[Tensor, Tensor]]  # the other buffers, as (the average's, the generator's)

    @classmethod
    def between(cls, ema: nn.Module, generator: nn.Module) -> Averaging:
        names = [name for name, _ in ema.named_buffers()]
        buffers = list(zip(names, ema.buffers(), generator.buffers(), strict=True))
        averaged = [(ours, theirs) for name, ours, theirs in buffers if name.endswith(AVERAGED_BUFFERS)]
        copied = [(ours, theirs) for name, ours, theirs in buffers if not name.endswith(AVERAGED_BUFFERS)]
        pairs = [*zip(ema.parameters(), generator.parameters(), strict=True), *averaged]
        return cls([ours for ours, _ in pairs], [theirs for _, theirs in pairs], copied)


@dataclass
class TrainingState:
    """spec, facts, game and averaging do not change; step() and the loop update everything else in place."""

    spec: TrialSpec
    facts: Facts  # of the data
    game: Game
    ema: nn.Module  # the generator that is sampled; without averaging the trained one itself
    averaging: Averaging | None
    optimiser_g: torch.optim.Optimizer
    optimiser_d: torch.optim.Optimizer
    batches: Batches
    randomness: torch.Generator
    window_d: Window
    window_g: Window
    auxiliary: dict[Side, Auxiliary]  # of the game's parts
    images: int = 0
    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()  # none where they are numbers from 0 up
    centre: Tensor | None = None  # of a standardised table, see Dataset
    scale: Tensor | None = None
    drawn: tuple[str, ...] = ()  # weights that a checkpoint to start from did not have

    @property
    def progress(self) -> Progress:
        return Progress(self.step, self.images, self.spec.budget.images)

    @property
    def device(self) -> torch.device:
        return self.randomness.device

    def tensors(self) -> dict[str, Any]:
        """The state as tensors and plain values, for store.save; restore() takes it back."""
        return {
            "generator": self.game.generator.state_dict(),
            "discriminator": self.game.discriminator.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser_g": self.optimiser_g.state_dict(),
            "optimiser_d": self.optimiser_d.state_dict(),
            "batches": self.batches.state(),
            "randomness": self.randomness.get_state(),
            "auxiliary": self.auxiliary,
            "classes": list(self.facts.classes),
            "kind": self.facts.kind,
            "domains": {name: list(facts.shape) for name, facts in self.facts.domains.items()},
            "class_names": list(self.class_names),
            "centre": None if self.centre is None else self.centre.tolist(),
            "scale": None if self.scale is None else self.scale.tolist(),
            "images": self.images,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Goes on from what tensors() gave: to the bit on the same machine, thread count and build."""
        self.game.generator.load_state_dict(saved["generator"])
        self.game.discriminator.load_state_dict(saved["discriminator"])
        self.ema.load_state_dict(saved["ema"])
        self.optimiser_g.load_state_dict(saved["optimiser_g"])
        self.optimiser_d.load_state_dict(saved["optimiser_d"])
        for optimiser in (self.optimiser_g, self.optimiser_d):
            for group in optimiser.param_groups:
                group.setdefault("factor", 1.0)  # checkpoints of before have none
        self.batches.load(saved["batches"])
        self.randomness.set_state(saved["randomness"].cpu())
        sides = saved["auxiliary"]
        if sides.keys() != set(SIDES):  # of before, when D alone had parts with a state
            sides = {"generator": {}, "discriminator": sides}
        for side in SIDES:
            self.auxiliary[side] = {
                name: {key: value.to(self.device) for key, value in part.items()} for name, part in sides[side].items()
            }
        self.images, self.step, self.seconds = saved["images"], saved["step"], saved["seconds"]
        self.best = saved["best"]


def initial(
    spec: TrialSpec, dataset: Dataset, seed: int, restored: bool = False, content: nn.Module | None = None
) -> TrainingState:
    """The state before the first step, on the device that the (resolved) spec names. restored: restore() follows, so
    that a checkpoint to start from is not read and need not be there any more. content: what metrics/content.content_of
    gives for this spec."""
    device = torch.device(spec.device or "cpu")
    layout = torch.channels_last if spec.memory_format == "channels_last" else torch.contiguous_format
    facts = facts_of(dataset, spec.data.limit)
    game = games.build(spec, replace(facts, content=content and content.to(device)), seed)
    drawn: list[str] = []
    if spec.init_from:
        if not restored:
            drawn = start_from(game, spec)
        freeze(game.discriminator, spec.init_from.freeze_discriminator)
    kind = KINDS[dataset.kind]
    for network in (game.generator, game.discriminator):
        network.to(device)
        if kind.pixels:
            network.to(memory_format=layout)
    ema = copy.deepcopy(game.generator).requires_grad_(False) if spec.ema.half_life else game.generator
    optimiser = spec.optimiser
    return TrainingState(
        spec=spec,
        facts=facts,
        class_names=dataset.class_names,
        centre=dataset.centre,
        scale=dataset.scale,
        game=game,
        ema=ema,
        averaging=Averaging.between(ema, game.generator) if spec.ema.half_life else None,
        optimiser_g=_optimiser(optimiser, "generator", game.groups("generator")),
        optimiser_d=_optimiser(optimiser, "discriminator", game.groups("discriminator")),
        batches=Batches(
            domains_of(dataset, spec.data.limit),
            device,
            spec.batch_size,
            How(
                partial(kind.of.laid_out, memory_format=layout),
                mirrored=spec.data.mirror,
                paired=getattr(spec.game, "learned_from", None) == "pairs",
            ),
        ),
        randomness=torch.Generator(device).manual_seed(derive(seed, "training")),
        window_d=Window(DISCRIMINATOR_MEASURES, torch.zeros(len(DISCRIMINATOR_MEASURES), device=device)),
        window_g=Window(GENERATOR_MEASURES, torch.zeros(len(GENERATOR_MEASURES), device=device)),
        auxiliary={side: game.auxiliary(side, device) for side in SIDES},
        drawn=tuple(drawn),
    )


def facts_of(dataset: Dataset, limit: int | None) -> Facts:
    """What a game is told of the data. limit: training samples of each domain."""
    labels = None if dataset.train_labels is None else dataset.train_labels[:limit]
    classes = () if labels is None else tuple(torch.bincount(labels, minlength=dataset.classes).tolist())
    domains = {name: facts_of(domain, limit) for name, domain in dataset.domains.items()}
    return Facts(dataset.kind, tuple(dataset.train.shape[1:]), classes, domains)


def domains_of(dataset: Dataset, limit: int | None, part: str = "train") -> dict[str, Domain]:
    """The samples of each domain, of one part of the data."""
    domains: Mapping[str, Dataset] = dataset.domains or {REAL: dataset}
    parts = {}
    for name, domain in domains.items():
        labels: Tensor | None = getattr(domain, f"{part}_labels")
        parts[name] = Domain(domain.part(part)[:limit], None if labels is None else labels[:limit])
    return parts


def _optimiser(spec: OptimiserSpec, side: Side, groups: Mapping[str, Group]) -> torch.optim.Optimizer:
    """Of the parameters that are trained, each group at its own rate; those that are frozen are not in it."""
    row, (lr, betas) = OPTIMISERS[spec.name], spec.of(side)
    rated = [{"params": group.parameters, "lr": lr * group.factor, "factor": group.factor} for group in groups.values()]
    made: torch.optim.Optimizer = at(row.made)(rated, lr=lr, weight_decay=spec.weight_decay, **row.arguments(*betas))
    return made
