"""Which games find all modes of the ring and the grid: PacGAN's set-up with its steps cut to what a CPU can do.

python -m tests.benchmarks.mixtures [--data ring8 grid25] [--steps 4000 8000] [--seeds 5] [--games gan pacgan2 ...]

Networks, initialisation, optimiser, batch (of packs) and score of `gan` and `pacgan` are Lin et al. 2018's
(fjxmlzn/PacGAN); their runs have 400,000 steps. D and G are updated in turn here. The `small` games have networks that
get further in the same time: three layers of 128 units on each side, no norm, DCGAN's Adam (2e-4, beta1 0.5), and for
relativistic pairing with R1 and R2 no momentum and a rate that falls (Huang et al. 2024), here from 1e-3 to nothing.
They get --longer times as many steps. Printed as mean +- standard error over seeds, beside what was published and the
noise of a perfect sampler.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from pipeline.data.dataset import load
from pipeline.metrics.modes import mode_metrics, reverse_kl_noise_floor
from pipeline.schema.trial import DataSpec, TrialSpec
from pipeline.seeds import derive
from pipeline.training.making import made
from pipeline.training.state import initial
from pipeline.training.step import step

BATCH, SAMPLES = 100, 2_500
MODES = {"ring8": 8, "grid25": 25}
SMALL: dict[str, Any] = {
    "generator": {"network": "mlp", "width": 128, "depth": 3},
    "discriminator": {"network": "mlp", "width": 128, "depth": 3},
    "optimiser": {"lr_g": 2e-4, "beta1": 0.5},
}
GAMES: dict[str, dict[str, Any]] = {
    "gan": {},
    "pacgan2": {"game": {"packing": 2}},
    "pacgan4": {"game": {"packing": 4}},
    "small_gan": SMALL,
    "small_pacgan2": SMALL | {"game": {"packing": 2}},
    "small_rpgan_r1_r2": SMALL
    | {
        "game": {"objective": "relativistic"},
        "regularisers": {"r1": {"weight": 0.01}, "r2": {"weight": 0.01}},
        "optimiser": {"lr_g": 1e-3, "beta1": 0.0, "beta2": 0.99, "schedule": "linear"},
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


def score(name: str, game: str, steps: int, seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    start, data = time.perf_counter(), load(DataSpec(name=name), None, Path(tempfile.gettempdir()))
    state = initial(spec_of(name, game, steps), data, seed)
    for _ in range(steps):
        step(state, state.batches.next(state.randomness), state.randomness)
    latents = state.game.inputs(SAMPLES, torch.Generator().manual_seed(derive(seed, "evaluation")), {})
    points = made(state, latents)["samples"]
    assert data.means is not None
    assert data.sigma is not None
    return mode_metrics(points, data.means, data.sigma) | {"seconds": time.perf_counter() - start}


def row(name: str, game: str, found: list[dict[str, float]]) -> str:
    cells = []
    for metric, factor in (("modes", 1), ("high_quality", 100), ("reverse_kl", 1)):
        values = [factor * one[metric] for one in found]
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        cells.append(f"{statistics.mean(values):.2f}+-{error:.2f}")
    each = ", ".join(f"{one['modes']:.0f}" for one in found)
    seconds = statistics.mean(one["seconds"] for one in found)
    return f"| {name} | {game} | {' | '.join(cells)} | {each} | {PUBLISHED.get((name, game), '')} | {seconds:.0f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+", default=["ring8", "grid25"])
    parser.add_argument("--games", nargs="+", default=list(GAMES))
    parser.add_argument("--steps", type=int, nargs="+", default=[4_000, 8_000], help="of each of --data, or of all")
    parser.add_argument("--longer", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    steps_of = dict(zip(arguments.data, [*arguments.steps, *arguments.steps[-1:] * len(arguments.data)], strict=False))
    print(f"{arguments.seeds} seeds; steps: {steps_of}")
    print("| data | game | modes | high quality, % | reverse KL | modes by seed | published, 400,000 steps | s a run |")
    print("|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for name in arguments.data:
            for each in arguments.games:
                steps = steps_of[name] * (arguments.longer if each.startswith("small") else 1)
                runs = [pool.submit(score, name, each, steps, seed) for seed in range(arguments.seeds)]
                print(row(name, each, [run.result() for run in runs]), flush=True)
            modes = MODES[name]
            floor = reverse_kl_noise_floor(modes, SAMPLES)
            print(f"| {name} | a perfect sampler | {modes} | | {floor:.4f} | | | |", flush=True)
