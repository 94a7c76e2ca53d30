"""The training step of each family that is fed no level and no style, beside a loop of the same networks by hand.

python -m tests.benchmarks.step_families [--pairs 7] [--steps 4] [--only resnet r3gan]

Narrow networks at 32x32, as in tests/benchmarks/families.py; the residual pair, SNDCGAN and InfoGAN with spectral norm
and hinge, R3GAN with its relativistic loss, R1 and R2 at every step, CycleGAN (without its pool), super-resolution from
8x8. Both loops take their batches from one class of ours and train in turns, as in step.py, and must come to the same
weights. DCGAN is in step.py, StyleGAN2 in step_stylegan2.py, progressive growing in step_growing.py.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu, softplus

from pipeline.data.batches import Batch
from pipeline.data.dataset import Dataset
from pipeline.schema.trial import TrialSpec
from pipeline.training.loop import train_until
from pipeline.training.state import TrainingState, initial
from tests.benchmarks.step import SEED, compared, same_weights, together

RESOLUTION, IMAGES, LATENT, LR, HALF_LIFE, GAMMA, CYCLE, JUDGED = 32, 2_000, 64, 2e-4, 10_000.0, 0.05, 10.0, 0.01
Trees = dict[str, Any]


def plain(network: str, **more: Any) -> Trees:
    return {
        "generator": {"network": network, "width": 16, **more},
        "discriminator": {"network": network, "width": 16, "norm": "spectral", **more},
        "game": {"objective": "hinge"},
        "optimiser": {"lr_g": LR, "beta1": 0.5},
    }


PENALTY = {"weight": GAMMA}
FAMILIES: dict[str, Trees] = {
    "resnet": plain("resnet"),
    "sndcgan": plain("sndcgan"),
    "infogan": plain("infogan", units=256),
    "r3gan": {
        "generator": {"network": "r3gan", "width": 16},
        "discriminator": {"network": "r3gan", "width": 16},
        "game": {"objective": "relativistic"},
        "regularisers": {"r1": PENALTY, "r2": PENALTY},
        "optimiser": {"lr_g": LR, "beta1": 0.5},
        "batch_size": 8,
    },
    "cyclegan": {
        "data": {"name": "digit_styles", "resolution": RESOLUTION},
        "game": {"name": "translation", "pool": 0, "cycle_weight": CYCLE, "identity_weight": 0.0},
        "generator": {"network": "cyclegan", "width": 16, "blocks": 3},
        "discriminator": {"network": "cyclegan", "width": 16, "depth": 2},
        "optimiser": {"lr_g": LR, "beta1": 0.5},
        "batch_size": 4,
    },
    "super_resolution": {
        "data": {"name": "fashion_mnist", "resolution": RESOLUTION, "low": {"factor": 4}},
        "game": {"name": "super_resolution", "content": "l1", "adversarial_weight": JUDGED, "content_only": 0.0},
        "generator": {"network": "srresnet", "width": 32, "blocks": 4, "norm": "none"},
        "discriminator": {"network": "dcgan", "width": 32, "norm": "spectral"},
        "optimiser": {"lr_g": LR, "beta1": 0.5},
        "batch_size": 32,
    },
}
DEFAULTS: Trees = {
    "data": {"name": "fashion_mnist", "resolution": RESOLUTION},
    "budget": {"images": 1_000_000},
    "evaluation": {"every": 1_000_000},
    "ema": {"half_life": HALF_LIFE, "ramp": None},
    "batch_size": 16,
    "device": "cpu",
    "precision": "fp32",
    "memory_format": "contiguous",
}


def state_of(family: str) -> TrainingState:
    spec = TrialSpec.model_validate(
        DEFAULTS | FAMILIES[family] | ({} if "data" in FAMILIES[family] else {"latent": {"size": LATENT}})
    )
    domains = {name: noise(at) for at, name in enumerate("ab")} if family == "cyclegan" else {}
    dataset = replace(noise(0), domains=domains, low=spec.data.low)
    return initial(spec, dataset, SEED)


def noise(seed: int) -> Dataset:
    images = torch.randint(
        0, 256, (IMAGES, 1, RESOLUTION, RESOLUTION), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    none = images[:0]
    return Dataset("noise", "image", images, none, none, None, None, None, 0, "none", 1, RESOLUTION)


class Ours:
    """As the loop runs it."""

    def __init__(self, family: str) -> None:
        self.state = state_of(family)
        self.generator, self.discriminator = self.state.game.generator, self.state.game.discriminator

    def train(self, steps: int) -> None:
        assert train_until(self.state, self.state.images + steps * self.state.spec.batch_size)


Lost = tuple[Tensor, Callable[[], Tensor]]  # the discriminator's loss, and the generator's once D was updated


class ByHand:
    """The loop of all of them; `losses` is what its paper would write down."""

    def __init__(self, family: str) -> None:
        state = state_of(family)
        self.losses = LOSSES[family]
        self.batches, self.random, self.size = state.batches, state.randomness, state.spec.batch_size
        self.generator, self.discriminator = state.game.generator, state.game.discriminator
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.opt_g = torch.optim.Adam(self.generator.parameters(), lr=LR, betas=(0.5, 0.999), fused=True)
        self.opt_d = torch.optim.Adam(self.discriminator.parameters(), lr=LR, betas=(0.5, 0.999), fused=True)
        self.averaged, self.weights = list(self.ema.parameters()), list(self.generator.parameters())
        self.buffers = list(zip(self.ema.buffers(), self.generator.buffers(), strict=True))

    def train(self, steps: int) -> None:
        for _ in range(steps):
            loss_d, of_g = self.losses(self, self.batches.next(self.random))
            self.opt_d.zero_grad()
            loss_d.backward()
            self.opt_d.step()
            self.discriminator.requires_grad_(False)
            self.opt_g.zero_grad()
            of_g().backward()
            self.opt_g.step()
            self.discriminator.requires_grad_(True)
            with torch.no_grad():
                torch._foreach_lerp_(self.averaged, self.weights, 1 - 0.5 ** (self.size / HALF_LIFE))
                for ours, theirs in self.buffers:
                    ours.copy_(theirs)


def hinge(loop: ByHand, batch: Batch) -> Lost:
    """Miyato et al. 2018, eqs. 16 and 17."""
    judge = loop.discriminator
    fake = loop.generator(torch.randn(loop.size, LATENT, generator=loop.random))
    loss = (relu(1 - judge(batch["real"])) + relu(1 + judge(fake.detach()))).mean()
    return loss, lambda: -judge(fake).mean()


def relativistic(loop: ByHand, batch: Batch) -> Lost:
    """Huang et al. 2024, eq. 2, with R1 and R2 on the scores that are there anyway."""
    judge = loop.discriminator
    fake = loop.generator(torch.randn(loop.size, LATENT, generator=loop.random))
    seen = batch["real"].requires_grad_(True), fake.detach().requires_grad_(True)
    reals, fakes = judge(seen[0]), judge(seen[1])
    loss = softplus(fakes - reals).mean()
    for image, scores in zip(seen, (reals, fakes), strict=True):
        (gradient,) = torch.autograd.grad(scores.sum(), image, create_graph=True)
        loss = loss + GAMMA / 2 * gradient.square().sum((1, 2, 3)).mean()
    return loss, lambda: softplus(judge(batch["real"].detach()) - judge(fake)).mean()


def cycle(loop: ByHand, batch: Batch) -> Lost:
    """Zhu et al. 2017, eqs. 1 to 3, with least squares; without identity and pool."""
    networks, judges = loop.generator, loop.discriminator
    a, b = batch["a"], batch["b"]
    to_a, to_b = networks("to_a", b), networks("to_b", a)
    loss = torch.zeros(())
    for name, real, fake in (("a", a, to_a), ("b", b, to_b)):
        loss = loss + ((judges(name, real) - 1).square().mean() + judges(name, fake.detach()).square().mean()) / 2

    def of_g() -> Tensor:
        judged = (judges("a", to_a) - 1).square().mean() + (judges("b", to_b) - 1).square().mean()
        round_trip = (networks("to_b", to_a) - b).abs().mean() + (networks("to_a", to_b) - a).abs().mean()
        return judged + CYCLE * round_trip  # type: ignore[no-any-return]

    return loss, of_g


def enlarging(loop: ByHand, batch: Batch) -> Lost:
    """Ledig et al. 2017, eq. 3, with l1 for the content."""
    judge, real = loop.discriminator, batch["real"]
    small = interpolate(real, scale_factor=0.25, mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)
    fake = loop.generator(small)
    loss = (softplus(-judge(real)) + softplus(judge(fake.detach()))).mean()
    return loss, lambda: (fake - real).abs().mean() + JUDGED * softplus(-judge(fake)).mean()


LOSSES: Mapping[str, Callable[[ByHand, Batch], Lost]] = {
    "resnet": hinge,
    "sndcgan": hinge,
    "infogan": hinge,
    "r3gan": relativistic,
    "cyclegan": cycle,
    "super_resolution": enlarging,
}


def parameters(network: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in network.parameters()):,}"


def compare(family: str, pairs: int, steps: int) -> str:
    ours, theirs = Ours(family), ByHand(family)
    for side in (ours, theirs):
        side.train(3)
    if not (same_weights(ours.generator, theirs.generator) and same_weights(ours.discriminator, theirs.discriminator)):
        raise SystemExit(f"{family}: the two loops do not train the same")
    mine, hand, ratios = compared([together(ours, theirs, steps, 1) for _ in range(pairs)], steps)
    counts = f"{parameters(ours.generator)}, {parameters(ours.discriminator)}"
    return f"| {family} | {counts} | {mine:.1f} | {hand:.1f} | {ratios} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| family | parameters G, D | step(), ms | by hand, ms | ratio of processor time (range) | of wall clock |")
    print("|---|---|---|---|---|---|")
    for chosen in arguments.only:
        print(compare(chosen, arguments.pairs, arguments.steps), flush=True)
