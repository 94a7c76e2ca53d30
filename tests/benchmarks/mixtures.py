"""Which games find all modes of the ring and the grid: PacGAN's set-up with its steps cut to what a CPU can do.

python -m tests.benchmarks.mixtures [--data ring8 grid25] [--steps 4000] [--seeds 5] [--games gan pacgan2 rpgan_r1_r2]

Networks, initialisation, optimiser, batch (of packs) and score are Lin et al. 2018's (fjxmlzn/PacGAN); their runs have
400,000 steps. D and G are updated in turn here. Printed as mean +- standard error over seeds, beside what they
published and the noise of a perfect sampler.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from pipeline.data.dataset import Dataset, load
from pipeline.metrics.modes import mode_metrics, reverse_kl_noise_floor
from pipeline.seeds import derive
from pipeline.spec.trial import DataSpec, TrialSpec
from pipeline.training.loop import sample
from pipeline.training.state import initial
from pipeline.training.step import step

BATCH, SAMPLES = 100, 2_500
GAMES: dict[str, dict[str, Any]] = {
    "gan": {},
    "pacgan2": {"game": {"packing": 2}},
    "pacgan4": {"game": {"packing": 4}},
    "rpgan_r1_r2": {
        "game": {"objective": "relativistic"},
        "regularisers": {"r1": {"weight": 0.1}, "r2": {"weight": 0.1}},
    },
}
# Modes, high quality in percent, reverse KL: PacGAN's own tables.
PUBLISHED = {
    ("ring8", "gan"): "6.3+-.5, 98.2, .45",
    ("ring8", "pacgan2"): "7.9+-.1, 95.6, .07",
    ("ring8", "pacgan4"): "7.8+-.1, 95.9, .07",
    ("grid25", "gan"): "17.3+-.8, 94.8, .70",
    ("grid25", "pacgan2"): "23.8+-.7, 91.3, .13",
    ("grid25", "pacgan4"): "24.8+-.2, 93.6, .04",
}


def spec_of(data: str, game: str, steps: int) -> TrialSpec:
    batch = BATCH * GAMES[game].get("game", {}).get("packing", 1)  # theirs counts packs
    tree: dict[str, Any] = {
        "data": {"name": data},
        "budget": {"images": steps * batch},
        "evaluation": {"every": steps * batch},
        "latent": {"size": 2},
        "generator": {"network": "mlp", "width": 400, "depth": 4, "norm": "batch", "init": "normal"},
        "discriminator": {"network": "mlp", "width": 200, "depth": 3, "activation": "maxout", "init": "normal"},
        "optimiser": {"lr_g": 1e-4, "beta1": 0.8},
        "ema": {"half_life": 0.0},
        "batch_size": batch,
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "contiguous",
    }
    return TrialSpec.model_validate(tree | GAMES[game])


def score(data: Dataset, game: str, steps: int, seed: int) -> dict[str, float]:
    state = initial(spec_of(data.name, game, steps), data, seed)
    for _ in range(steps):
        step(state, state.batches.next(state.randomness), state.randomness)
    latents = state.game.inputs(SAMPLES, torch.Generator().manual_seed(derive(seed, "evaluation")))
    points = sample(state.game, state.ema, latents, state.spec)
    assert data.means is not None
    assert data.sigma is not None
    return mode_metrics(points, data.means, data.sigma)


def row(data: Dataset, game: str, steps: int, seeds: int) -> str:
    start = time.perf_counter()
    found = [score(data, game, steps, seed) for seed in range(seeds)]
    cells = []
    for name, factor in (("modes", 1), ("high_quality", 100), ("reverse_kl", 1)):
        values = [factor * one[name] for one in found]
        error = statistics.stdev(values) / seeds**0.5 if seeds > 1 else 0.0
        cells.append(f"{statistics.mean(values):.2f}+-{error:.2f}")
    each = ", ".join(f"{one['modes']:.0f}" for one in found)
    published = PUBLISHED.get((data.name, game), "")
    seconds = (time.perf_counter() - start) / seeds
    return f"| {data.name} | {game} | {' | '.join(cells)} | {each} | {published} | {seconds:.0f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+", default=["ring8", "grid25"])
    parser.add_argument("--games", nargs="+", default=list(GAMES))
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{arguments.steps} steps, {arguments.seeds} seeds")
    print("| data | game | modes | high quality, % | reverse KL | modes by seed | published, 400,000 steps | s a run |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.data:
        dataset = load(DataSpec(name=name), None, Path())
        assert dataset.means is not None
        for each in arguments.games:
            print(row(dataset, each, arguments.steps, arguments.seeds), flush=True)
        floor = reverse_kl_noise_floor(len(dataset.means), SAMPLES)
        print(f"| {name} | a perfect sampler | {len(dataset.means)} | | {floor:.4f} | | | |", flush=True)
