"""TrainingState: all that a training step changes, and so all that a checkpoint holds."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import games
from pipeline.data.batches import Batches
from pipeline.data.dataset import Dataset
from pipeline.games.game import Auxiliary, Game, Losses
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
        found = dict(zip(self.names, self.sums / self.steps, strict=True))
        if len(self.terms) > 1:  # of one it is the loss itself
            found |= {f"{self.names[0]}.{name}": total / self.steps for name, total in self.terms.items()}
        found |= {f"game.{name}": total / steps for name, (total, steps) in self.measured.items()}
        return dict(zip(found, torch.stack(list(found.values())).tolist(), strict=True))

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
    """spec, shape, classes, game and averaging do not change; step() and the loop update everything else in place."""

    spec: TrialSpec
    shape: tuple[int, ...]  # of one sample
    classes: tuple[int, ...]  # training samples of each
    game: Game
    ema: nn.Module  # the generator that is sampled; without averaging the trained one itself
    averaging: Averaging | None
    optimiser_g: torch.optim.Optimizer
    optimiser_d: torch.optim.Optimizer
    batches: Batches
    randomness: torch.Generator
    window_d: Window
    window_g: Window
    auxiliary: Auxiliary  # of the game's parts
    images: int = 0
    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()  # none where they are numbers from 0 up
    centre: Tensor | None = None  # of a standardised table, see Dataset
    scale: Tensor | None = None
    drawn: tuple[str, ...] = ()  # weights that a checkpoint to start from did not have

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
            "classes": list(self.classes),
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
        self.batches.load(saved["batches"])
        self.randomness.set_state(saved["randomness"].cpu())
        self.auxiliary = {
            name: {key: value.to(self.device) for key, value in part.items()}
            for name, part in saved["auxiliary"].items()
        }
        self.images, self.step, self.seconds = saved["images"], saved["step"], saved["seconds"]
        self.best = saved["best"]


def initial(spec: TrialSpec, dataset: Dataset, seed: int, restored: bool = False) -> TrainingState:
    """The state before the first step, on the device that the (resolved) spec names. restored: restore() follows, so
    that a checkpoint to start from is not read and need not be there any more."""
    device = torch.device(spec.device or "cpu")
    layout = torch.channels_last if spec.memory_format == "channels_last" else torch.contiguous_format
    shape = tuple(dataset.train.shape[1:])
    train, labels = dataset.train[: spec.data.limit], dataset.train_labels
    labels = None if labels is None else labels[: spec.data.limit]
    classes = () if labels is None else tuple(torch.bincount(labels, minlength=dataset.classes).tolist())
    game = games.build(spec, shape, seed, classes)
    drawn: list[str] = []
    if spec.init_from:
        if not restored:
            drawn = start_from(game, spec)
        freeze(game.discriminator, spec.init_from.freeze_discriminator)
    image = dataset.kind == "image"
    for network in (game.generator, game.discriminator):
        network.to(device)
        if image:
            network.to(memory_format=layout)
    ema = copy.deepcopy(game.generator).requires_grad_(False) if spec.ema.half_life else game.generator
    optimiser = spec.optimiser
    betas_d = (
        optimiser.beta1 if optimiser.beta1_d is None else optimiser.beta1_d,
        optimiser.beta2 if optimiser.beta2_d is None else optimiser.beta2_d,
    )
    return TrainingState(
        spec=spec,
        shape=shape,
        classes=classes,
        class_names=dataset.class_names,
        centre=dataset.centre,
        scale=dataset.scale,
        game=game,
        ema=ema,
        averaging=Averaging.between(ema, game.generator) if spec.ema.half_life else None,
        optimiser_g=_adam(
            game.generator, optimiser.rates[0], (optimiser.beta1, optimiser.beta2), optimiser.weight_decay
        ),
        optimiser_d=_adam(game.discriminator, optimiser.rates[1], betas_d, optimiser.weight_decay),
        batches=Batches(train, labels, device, spec.batch_size, layout),
        randomness=torch.Generator(device).manual_seed(derive(seed, "training")),
        window_d=Window(DISCRIMINATOR_MEASURES, torch.zeros(len(DISCRIMINATOR_MEASURES), device=device)),
        window_g=Window(GENERATOR_MEASURES, torch.zeros(len(GENERATOR_MEASURES), device=device)),
        auxiliary=game.auxiliary(device),
        drawn=tuple(drawn),
    )


def _adam(network: nn.Module, lr: float, betas: tuple[float, float], weight_decay: float) -> torch.optim.Optimizer:
    """Of the parameters that are trained; those that are frozen are not in it."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.Adam(trained, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)
