"""The training step beside a loop of the same networks written by hand, with fused Adam, lazy R1 and EMA.

python -m tests.benchmarks.step [--pairs 11] [--steps 16] [--sizes 32 8] [--device cuda --sizes 64 32]

Both train in this process on one thread, in turns by the step, and must come to the same weights. A pair's ratio is
ours by theirs over as many steps; the median over all pairs is what counts, for the machine's speed changes from one
second to the next. On a GPU both use bf16 and channels_last, as the loop would by itself, so their weights agree no
further than bf16 does and are not compared; a turn is then many steps, and the device is waited for at its end.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from pipeline import games
from pipeline.data.dataset import Dataset
from pipeline.games.game import Facts
from pipeline.schema.trial import TrialSpec
from pipeline.seeds import derive
from pipeline.training.loop import train_until
from pipeline.training.state import initial

SEED, IMAGES, BATCH, R1, INTERVAL, LR, BETAS, HALF_LIFE = 1, 10_000, 64, 1.0, 16, 2e-4, (0.5, 0.999), 10_000.0


@dataclass(frozen=True)
class Case:
    name: str
    resolution: int
    channels: int
    width: int
    depth: int | None = None


CASES = (
    Case("DCGAN 64x64x3, width 64", 64, 3, 64),
    Case("DCGAN 32x32x3, width 64", 32, 3, 64),
    Case("DCGAN 8x8x1, width 32 (digits)", 8, 1, 32, 2),
)


def spec_of(case: Case, device: str) -> TrialSpec:
    tree: dict[str, Any] = {
        "data": {"name": "cifar10", "resolution": case.resolution},
        "budget": {"images": 1_000_000},
        "evaluation": {"every": 1_000_000},
        "latent": {"size": 64},
        "generator": {"network": "dcgan", "width": case.width, "depth": case.depth, "norm": "batch"},
        "discriminator": {"network": "dcgan", "width": case.width, "depth": case.depth, "norm": "none"},
        "regularisers": {"r1": {"weight": R1, "interval": INTERVAL}},
        "optimiser": {"lr_g": LR, "lr_d": LR, "beta1": BETAS[0], "beta2": BETAS[1]},
        "ema": {"half_life": HALF_LIFE},
        "batch_size": BATCH,
        "device": device,
        "precision": "fp32" if device == "cpu" else "bf16",
        "memory_format": "contiguous" if device == "cpu" else "channels_last",
    }
    return TrialSpec.model_validate(tree)


class Ours:
    """As the loop runs it: step(), its signals, and the look at whether all is finite."""

    def __init__(self, case: Case, images: Tensor, device: str) -> None:
        empty = images[:0]
        dataset = Dataset(
            "noise", "image", images, empty, empty, None, None, None, 0, "none", case.channels, case.resolution
        )
        self.state = initial(spec_of(case, device), dataset, SEED)
        self.generator, self.discriminator = self.state.game.generator, self.state.game.discriminator

    def train(self, steps: int) -> None:
        assert train_until(self.state, self.state.images + steps * BATCH)


class ByHand:
    """What a careful researcher writes: the same fakes for both updates, D frozen in G's, R1 on the scores that
    are there anyway, one foreach call for the average, nothing measured."""

    def __init__(self, case: Case, images: Tensor, device: str) -> None:
        shape = (case.channels, case.resolution, case.resolution)
        game = games.build(spec_of(case, device), Facts("image", shape), SEED)
        self.device = device
        self.format = torch.contiguous_format if device == "cpu" else torch.channels_last
        self.generator = game.generator.to(device, memory_format=self.format)  # type: ignore[call-overload]
        self.discriminator = game.discriminator.to(device, memory_format=self.format)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.opt_g = torch.optim.Adam(self.generator.parameters(), lr=LR, betas=BETAS, fused=True)
        self.opt_d = torch.optim.Adam(self.discriminator.parameters(), lr=LR, betas=BETAS, fused=True)
        self.averaged, self.weights = list(self.ema.parameters()), list(self.generator.parameters())
        self.buffers = list(zip(self.ema.buffers(), self.generator.buffers(), strict=True))
        self.images, self.at, self.step = images.to(device), len(images), 0
        self.random = torch.Generator(device).manual_seed(derive(SEED, "training"))

    def batch(self) -> Tensor:
        if self.at + BATCH > len(self.images):
            self.order = torch.randperm(len(self.images), generator=self.random, dtype=torch.int32, device=self.device)
            self.at = 0
        self.at += BATCH
        real = self.images[self.order[self.at - BATCH : self.at]].float().mul_(2 / 255).sub_(1)
        return real.to(memory_format=self.format)

    def half(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu")

    def train(self, steps: int) -> None:
        generator, discriminator = self.generator, self.discriminator
        for _ in range(steps):
            real = self.batch()
            lazy = self.step % INTERVAL == 0
            with self.half():
                fake = generator(torch.randn(BATCH, 64, generator=self.random, device=self.device))
                scores = discriminator(real.requires_grad_(lazy)).float()
                fakes = discriminator(fake.detach()).float()
            loss_d = softplus(-scores).mean() + softplus(fakes).mean()
            if lazy:
                (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
                loss_d = loss_d + INTERVAL * R1 / 2 * gradient.square().sum((1, 2, 3)).mean()
            self.opt_d.zero_grad()
            loss_d.backward()
            self.opt_d.step()

            discriminator.requires_grad_(False)
            with self.half():
                scores = discriminator(fake).float()
            loss_g = softplus(-scores).mean()
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


def same_weights(ours: nn.Module, theirs: nn.Module, rate: float = LR) -> bool:
    """On average to a twentieth of a step: Adam makes a whole step of the sign of a gradient that is all rounding."""
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    return all(float((a - b).detach().abs().mean()) < 0.05 * rate for a, b in pairs)


def together(ours: Ours, theirs: ByHand, steps: int, each: int) -> tuple[list[float], list[float]]:
    """Both sides' times for as many steps, in turns of `each`: a slow second of the machine meets both."""
    spent = ([0.0, 0.0], [0.0, 0.0])
    for number in range(steps // each):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            trained = (ours, theirs)[side]
            for clock, seconds in enumerate(timed(lambda trained=trained: trained.train(each))):  # type: ignore[misc]
                spent[side][clock] += seconds
    return spent


def timed(call: Callable[[], None]) -> tuple[float, float]:
    """(wall clock, processor time), seconds, until the device is done."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - processor


Spent = tuple[list[float], list[float]]  # of both sides: seconds of the clock and of the processor


def compared(pairs: list[Spent], steps: int) -> tuple[float, float, str]:
    """Processor milliseconds a step of ours and of theirs, medians; the cells of both ratios, with their ranges."""
    cells = []
    for clock in (1, 0):
        ratios = sorted(ours[clock] / theirs[clock] for ours, theirs in pairs)
        cells.append(f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    mine, hand = (1000 / steps * statistics.median(pair[side][1] for pair in pairs) for side in (0, 1))
    return mine, hand, " | ".join(cells)


def compare(case: Case, pairs: int, steps: int, device: str) -> str:
    images = torch.randint(
        0,
        256,
        (IMAGES, case.channels, case.resolution, case.resolution),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )
    ours, theirs = Ours(case, images, device), ByHand(case, images, device)
    for side in (ours, theirs):
        side.train(3)
    if device == "cpu" and not (
        same_weights(ours.generator, theirs.generator) and same_weights(ours.discriminator, theirs.discriminator)
    ):
        raise SystemExit(f"{case.name}: the two loops do not train the same")
    found = [together(ours, theirs, steps, 1 if device == "cpu" else steps) for _ in range(pairs)]
    mine, hand, ratios = compared(found, steps)
    rate = BATCH * steps / statistics.median(pair[0][0] for pair in found)
    return f"| {case.name} | {mine:.1f} | {hand:.1f} | {ratios} | {rate:,.0f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 8])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    if arguments.device == "cpu" and 64 in arguments.sizes:
        parser.error("--sizes 64: on a CPU too much of it is rounding for the weights to be compared; valid: 32, 8")
    torch.set_num_threads(1)
    print("| | step(), ms | by hand, ms | ratio of processor time (range) | ratio of wall clock (range) | images a s |")
    print("|---|---|---|---|---|---|")
    for case in (case for case in CASES if case.resolution in arguments.sizes):
        longer = 1 if case.resolution > 8 else 5
        longer *= 1 if arguments.device == "cpu" else 10
        print(compare(case, arguments.pairs, longer * arguments.steps, arguments.device), flush=True)
