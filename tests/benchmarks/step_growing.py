"""What a step of progressive growing costs beside the same training written by hand, and what it needs of memory.

python -m tests.benchmarks.step_growing
python -m tests.benchmarks.step_growing --memory 64 128 256

The hand-written loop trains the same networks, from the same weights, on the same batches: WGAN-GP with drift, reals
faded, an average. The two take turns as in tests/benchmarks/step.py, and their weights have to agree afterwards. At
each level: 8 x 8 pixels, 32 x 32 half faded in, and 32 x 32. --memory: two steps at the full resolution of narrow
networks (16 channels there, 128 at most), with the most memory that the process had.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import time
from typing import Any

import torch
from torch import Tensor

from pipeline import games
from pipeline.data.dataset import Dataset
from pipeline.games.game import Facts
from pipeline.games.growing import faded
from pipeline.schema.growing import GrowthSpec
from pipeline.schema.layers import stages
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive
from pipeline.training.state import TrainingState, initial
from pipeline.training.step import step
from tests.benchmarks.step import SEED, same_weights, timed

RESOLUTION, BATCH, LATENT, LR, BETAS, WEIGHT, DRIFT = 32, 16, 64, 1e-3, (0.0, 0.99), 10.0, 0.001
HALF_LIFE, BUDGET = 2_000.0, 10_000_000
SHARES = {"8 x 8": 0.17, "32 x 32, half faded in": 0.458333, "32 x 32": 0.6}  # of a budget that grows in its first half


def spec_of(width: int, most: int, batch: int = BATCH) -> TrialSpec:
    sides = {"network": "progressive", "width": width, "max_width": most}
    tree: dict[str, Any] = {
        "data": {"name": "fashion_mnist", "resolution": RESOLUTION},
        "budget": {"images": BUDGET},
        "evaluation": {"every": BUDGET},
        "game": {"objective": "wasserstein"},
        "latent": {"size": LATENT},
        "generator": sides,
        "discriminator": sides,
        "regularisers": {"wgan_gp": {"weight": WEIGHT}, "drift": {"weight": DRIFT}},
        "optimiser": {"lr_g": LR, "beta1": BETAS[0], "beta2": BETAS[1]},
        "ema": {"half_life": HALF_LIFE, "ramp": None},
        "batch_size": batch,
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous",
    }
    return TrialSpec.model_validate(tree)


def state_of(spec: TrialSpec, images: Tensor) -> TrainingState:
    none, (_, channels, side, _) = images[:0], images.shape
    data = Dataset("noise", "image", images, none, none, None, None, None, 0, "none", channels, side)
    return initial(spec, data, SEED)


class Ours:
    def __init__(self, images: Tensor, share: float) -> None:
        self.state = state_of(spec_of(16, 64), images)
        self.state.images = round(share * BUDGET)
        self.generator, self.discriminator = self.state.game.generator, self.state.game.discriminator

    def train(self, steps: int) -> None:
        for _ in range(steps):
            step(self.state, self.state.batches.next(self.state.randomness), self.state.randomness)
            assert self.state.window_d.finite()


class ByHand:
    """The same, as its paper would be written down, at one level."""

    def __init__(self, images: Tensor, share: float) -> None:
        game = games.build(spec_of(16, 64), Facts("image", tuple(images.shape[1:])), SEED)
        self.generator, self.discriminator, self.seen = game.generator, game.discriminator, round(share * BUDGET)
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.opt_g = torch.optim.Adam(self.generator.parameters(), lr=LR, betas=BETAS, fused=True)
        self.opt_d = torch.optim.Adam(self.discriminator.parameters(), lr=LR, betas=BETAS, fused=True)
        self.averaged, self.weights = list(self.ema.parameters()), list(self.generator.parameters())
        self.images, self.at = images, len(images)
        self.random = torch.Generator().manual_seed(derive(SEED, "training"))

    def batch(self) -> Tensor:
        if self.at + BATCH > len(self.images):
            self.order, self.at = torch.randperm(len(self.images), generator=self.random, dtype=torch.int32), 0
        self.at += BATCH
        return self.images[self.order[self.at - BATCH : self.at]].float().mul_(2 / 255).sub_(1)

    def train(self, steps: int) -> None:
        growth = GrowthSpec()

        def judge(x: Tensor) -> Tensor:
            scores: Tensor = self.discriminator(x, None, None, level)
            return scores

        for _ in range(steps):
            level = growth.level(self.seen / BUDGET, RESOLUTION)
            self.seen += BATCH
            real = faded(self.batch(), level, stages(RESOLUTION))
            fake = self.generator(torch.randn(BATCH, LATENT, generator=self.random), level)
            reals, fakes = judge(real), judge(fake.detach())
            share = torch.rand(BATCH, 1, 1, 1, generator=self.random)
            mixed = torch.lerp(real, fake.detach(), share).requires_grad_(True)
            (gradient,) = torch.autograd.grad(judge(mixed).sum(), mixed, create_graph=True)
            slope = gradient.square().sum((1, 2, 3)).sqrt()
            loss = (fakes - reals).mean() + WEIGHT * (slope - 1).square().mean() + DRIFT * reals.square().mean()
            self.opt_d.zero_grad()
            loss.backward()
            self.opt_d.step()
            self.discriminator.requires_grad_(False)
            self.opt_g.zero_grad()
            (-judge(fake).mean()).backward()
            self.opt_g.step()
            self.discriminator.requires_grad_(True)
            with torch.no_grad():
                torch._foreach_lerp_(self.averaged, self.weights, 1 - 0.5 ** (BATCH / HALF_LIFE))


def compare(name: str, share: float, rounds: int) -> str:
    """Ratios of processor time, a step of each at a time."""
    images = torch.randint(0, 256, (2_000, 1, RESOLUTION, RESOLUTION), dtype=torch.uint8)
    ours = Ours(images, share)
    hand = ByHand(images, share)
    ours.train(2)
    hand.train(2)
    spent: list[tuple[float, float]] = []
    for number in range(rounds):
        found = [0.0, 0.0]
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            found[side] = timed(lambda side=side: (ours, hand)[side].train(4))[1]  # type: ignore[misc]
        spent.append((found[0], found[1]))
    if not (same_weights(ours.generator, hand.generator) and same_weights(ours.discriminator, hand.discriminator)):
        raise SystemExit(f"{name}: the two loops do not train the same")
    ratios = sorted(one / other for one, other in spent)
    mine, theirs = (250 * statistics.median(pair[side] for pair in spent) for side in (0, 1))
    return (
        f"| {name} | {mine:.1f} | {theirs:.1f} | {sum(a for a, _ in spent) / sum(b for _, b in spent):.3f} | "
        f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) |"
    )


def memory(resolution: int, batch: int) -> str:
    spec = spec_of(16, 128, batch)
    spec = spec.model_copy(update={"data": spec.data.model_copy(update={"resolution": resolution})})
    state = state_of(spec, torch.randint(0, 256, (64, 3, resolution, resolution), dtype=torch.uint8))
    state.images = round(0.6 * BUDGET)
    began, steps = time.process_time(), 2
    for _ in range(steps):
        measured = step(state, state.batches.next(state.randomness), state.randomness)
        assert all(bool(value.isfinite()) for value in measured.values())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    sides = (state.game.generator, state.game.discriminator)
    counts = [sum(p.numel() for p in side.parameters()) / 1e6 for side in sides]
    spent = (time.process_time() - began) / steps
    return f"| {resolution} | {batch} | {counts[0]:.1f}, {counts[1]:.1f} | {spent:.1f} | {most:.1f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--memory", type=int, nargs="+", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for size in arguments.memory:
        print(memory(size, arguments.batch), flush=True)
    if not arguments.memory:
        print("| level | step(), ms | by hand, ms | ratio of sums | median ratio of processor time (range) |")
        print("|---|---|---|---|---|")
        for level, at in SHARES.items():
            print(compare(level, at, arguments.rounds), flush=True)
