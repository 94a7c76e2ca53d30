"""The training step of StyleGAN2 beside a loop of the same networks written by hand, as step.py for DCGAN: the same
draws, style mixing, path length every 4 steps, R1 every 16, EMA; both must come to the same weights.

python -m tests.benchmarks.step_stylegan2 [--pairs 5] [--steps 16] [--memory 64 128 256]

--memory: makes 2 steps at each of these resolutions in place of it, and says the time and the process's largest size.
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
from torch.nn.functional import softplus

from pipeline import games
from pipeline.data.dataset import Dataset
from pipeline.games.game import Draw, Facts
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive
from pipeline.training.loop import train_until
from pipeline.training.state import TrainingState, initial
from tests.benchmarks.step import same_weights, together

SEED, IMAGES, BATCH, LATENT, LR, BETAS, HALF_LIFE = 1, 2_048, 16, 64, 0.0025, (0.0, 0.99), 10_000.0
R1, R1_EVERY, PATHS, PATHS_EVERY, DECAY = 0.0002 * 32**2 / BATCH, 16, 2.0, 4, 0.99


def spec_of(width: int) -> TrialSpec:
    tree: dict[str, Any] = {
        "data": {"name": "cifar10", "resolution": 32},
        "budget": {"images": 1_000_000},
        "evaluation": {"every": 1_000_000},
        "latent": {"size": LATENT},
        "generator": {"network": "stylegan2", "width": width, "mapping_depth": 2},
        "discriminator": {"network": "stylegan2", "width": width},
        "regularisers": {"r1": {"interval": R1_EVERY}, "path_length": {}},
        "optimiser": {"lr_g": LR, "lr_d": LR, "beta1": BETAS[0], "beta2": BETAS[1]},
        "ema": {"half_life": HALF_LIFE},
        "batch_size": BATCH,
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous",
    }
    return TrialSpec.model_validate(tree)


def noise(resolution: int) -> Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (IMAGES, 3, resolution, resolution), dtype=torch.uint8, generator=draw)


def state_of(width: int, resolution: int) -> TrainingState:
    images = noise(resolution) if resolution <= 64 else noise(8).repeat_interleave(resolution // 8, 2)[:64]
    images = images if images.shape[3] == resolution else images.repeat_interleave(resolution // 8, 3)
    empty = images[:0]
    dataset = Dataset("noise", "image", images, empty, empty, None, None, None, 0, "none", 3, resolution)
    return initial(spec_of(width), dataset, SEED)


class Ours:
    """As the loop runs it: step(), its signals, and the look at whether all is finite."""

    def __init__(self, width: int) -> None:
        self.state = state_of(width, 32)
        self.generator, self.discriminator = self.state.game.generator, self.state.game.discriminator

    def train(self, steps: int) -> None:
        assert train_until(self.state, self.state.images + steps * BATCH)


class ByHand:
    """What a careful researcher writes, nothing measured."""

    def __init__(self, width: int) -> None:
        game = games.build(spec_of(width), Facts("image", (3, 32, 32)), SEED)
        self.generator, self.discriminator = game.generator, game.discriminator
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.opt_g = torch.optim.Adam(self.generator.parameters(), lr=LR, betas=BETAS, fused=True)
        self.opt_d = torch.optim.Adam(self.discriminator.parameters(), lr=LR, betas=BETAS, fused=True)
        self.averaged, self.weights = list(self.ema.parameters()), list(self.generator.parameters())
        self.buffers = list(zip(self.ema.buffers(), self.generator.buffers(), strict=True))
        self.images, self.at, self.step, self.mean = noise(32), IMAGES, 0, torch.zeros(())
        self.random = torch.Generator().manual_seed(derive(SEED, "training"))

    def batch(self) -> Tensor:
        if self.at + BATCH > IMAGES:
            self.order = torch.randperm(IMAGES, generator=self.random, dtype=torch.int32)
            self.at = 0
        self.at += BATCH
        return self.images[self.order[self.at - BATCH : self.at]].float().mul_(2 / 255).sub_(1)

    def latents(self, count: int, randomness: torch.Generator) -> Tensor:
        return torch.randn(count, LATENT, generator=randomness)

    def train(self, steps: int) -> None:
        generator, discriminator, draw = self.generator, self.discriminator, Draw(self.random)
        for _ in range(steps):
            real, z = self.batch(), self.latents(BATCH, self.random)
            fake = generator(z, draw, self.latents)
            lazy = self.step % R1_EVERY == 0
            scores, fakes = discriminator(real.requires_grad_(lazy)), discriminator(fake.detach())
            loss_d = softplus(-scores).mean() + softplus(fakes).mean()
            if lazy:
                (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
                loss_d = loss_d + R1_EVERY * R1 / 2 * gradient.square().sum((1, 2, 3)).mean()
            self.opt_d.zero_grad()
            loss_d.backward()
            self.opt_d.step()

            discriminator.requires_grad_(False)
            loss_g = softplus(-discriminator(fake)).mean()
            if self.step % PATHS_EVERY == 0:
                images, styles = generator(z[: BATCH // 2], draw, self.latents, True)
                y = torch.randn(images.shape, generator=self.random) / 32
                (gradient,) = torch.autograd.grad((images * y).sum(), styles, create_graph=True)
                lengths = gradient.square().sum(2).mean(1).sqrt()
                mean = DECAY * self.mean + (1 - DECAY) * lengths.mean()
                loss_g = loss_g + PATHS_EVERY * PATHS * (lengths - mean).square().mean()
                self.mean = mean.detach()
            self.opt_g.zero_grad()
            loss_g.backward()
            self.opt_g.step()
            discriminator.requires_grad_(True)

            self.step += 1
            decay = 0.5 ** (BATCH / min(HALF_LIFE, 0.05 * self.step * BATCH))
            with torch.no_grad():
                torch._foreach_lerp_(self.averaged, self.weights, 1 - decay)
                for ours, theirs in self.buffers:
                    ours.copy_(theirs)


def compare(width: int, pairs: int, steps: int) -> str:
    ours, theirs = Ours(width), ByHand(width)
    for side in (ours, theirs):
        side.train(3)
    sides = ("generator", "discriminator")
    if not all(same_weights(getattr(ours, side), getattr(theirs, side), LR) for side in sides):
        raise SystemExit("the two loops do not train the same")
    found = [together(ours, theirs, steps, 1) for _ in range(pairs)]  # type: ignore[arg-type]
    cells = []
    for clock in (0, 1):
        ratios = sorted(a[clock] / b[clock] for a, b in found)
        cells.append(f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    mine, hand = (1000 / steps * statistics.median(pair[side][1] for pair in found) for side in (0, 1))
    return f"| StyleGAN2 32x32x3, width {width} | {mine:.1f} | {hand:.1f} | {cells[1]} | {cells[0]} |"


def large(width: int, resolution: int) -> str:
    state = state_of(width, resolution)
    start = time.process_time()
    assert train_until(state, 2 * BATCH)
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    parameters = [
        sum(p.numel() for p in side.parameters()) for side in (state.game.generator, state.game.discriminator)
    ]
    made, judged = (f"{count:,}" for count in parameters)
    return f"| {resolution} | {made}, {judged} | {(time.process_time() - start) / 2:.1f} | {size:.2f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--memory", type=int, nargs="+", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        print(
            "| resolution | parameters G, D | processor s a step of 16 | GiB of the process so far |\n|---|---|---|---|"
        )
        for resolution in arguments.memory:
            print(large(arguments.width, resolution), flush=True)
    else:
        print("| | step(), ms | by hand, ms | ratio of processor time (range) | ratio of wall clock (range) |")
        print("|---|---|---|---|---|")
        print(compare(arguments.width, arguments.pairs, arguments.steps), flush=True)
