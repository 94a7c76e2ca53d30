"""Modes of stacked MNIST that three games find: VEEGAN's protocol with its steps cut to what a CPU can do.

python -m tests.benchmarks.stacked_mnist --data-root FOLDER [--steps 2000] [--seeds 3] [--width 16] [--cache FOLDER]

Data, latents, batch, optimiser, initialisation and the number of samples are the protocol's (Srivastava et al. 2017:
128,000 stacks, uniform latents of 100, batch 64, Adam 2e-4 with beta1 0.5, 26,000 samples). Theirs are 100,000 steps of
a DCGAN of width 64; here both are less, and printed, and D and G take turns, one update each. Modes and KL go by a
classifier of our own, trained on the digits of the training part: it tells `accuracy` of single test digits right, and
a perfect sampler has the noise floor's KL.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from pipeline.data.batches import to_float
from pipeline.data.dataset import Dataset, load
from pipeline.metrics.digits import DigitStacks
from pipeline.metrics.features import Extractor, open_extractor
from pipeline.metrics.modes import label_metrics, reverse_kl_noise_floor
from pipeline.schema.trial import DataSpec, TrialSpec
from pipeline.seeds import derive
from pipeline.training.making import made
from pipeline.training.state import initial
from pipeline.training.step import step

BATCH, SAMPLES = 64, 26_000
GAMES: dict[str, dict[str, Any]] = {
    "dcgan": {},
    "pacdcgan2": {"game": {"packing": 2}},
    # Huang et al. 2024: no norm in D, both penalties at every step, beta1 0.
    "rpgan_r1_r2": {
        "game": {"objective": "relativistic"},
        "discriminator": {"norm": "none"},
        "regularisers": {"r1": {"weight": 1.0}, "r2": {"weight": 1.0}},
        "optimiser": {"lr_g": 2e-4, "beta1": 0.0, "beta2": 0.99},
    },
}
# Modes and KL at 100,000 steps: VEEGAN's and PacGAN's tables, Huang et al. 2024's ablation.
PUBLISHED = {"dcgan": "78.9+-6.5, 4.50", "pacdcgan2": "1000, .06", "rpgan_r1_r2": "1000, .078 (other networks)"}


def spec_of(game: str, steps: int, width: int) -> TrialSpec:
    network: dict[str, Any] = {"network": "dcgan", "width": width, "norm": "batch", "init": "normal"}
    batch = BATCH * GAMES[game].get("game", {}).get("packing", 1)  # PacGAN's counts packs
    tree: dict[str, Any] = {
        "data": {"name": "stacked_mnist", "resolution": 28},
        "budget": {"images": steps * batch},
        "evaluation": {"every": steps * batch},
        "latent": {"distribution": "uniform", "size": 100},
        "generator": network,
        "discriminator": network,
        "optimiser": {"lr_g": 2e-4, "beta1": 0.5},
        "ema": {"half_life": 0.0},
        "batch_size": batch,
        "device": "cpu",
        "precision": "fp32",
        "memory_format": "channels_last",
    }
    changes = {key: tree.get(key, {}) | value for key, value in GAMES[game].items()}
    return TrialSpec.model_validate(tree | changes)


@functools.cache
def opened(root: Path, cache: Path) -> tuple[Dataset, Extractor]:
    """The stacks and the classifier that counts their modes, once a process."""
    torch.set_num_threads(1)
    data = load(DataSpec(name="stacked_mnist", resolution=28), root, cache)
    return data, open_extractor(data, cache)


def score(root: Path, cache: Path, spec: TrialSpec, seed: int) -> dict[str, float]:
    data, extractor = opened(root, cache)
    start, state = time.perf_counter(), initial(spec, data, seed)
    for _ in range(spec.budget.images // spec.batch_size):
        step(state, state.batches.next(state.randomness), state.randomness)
    latents = state.game.inputs(SAMPLES, torch.Generator().manual_seed(derive(seed, "evaluation")), {})
    found = counted(extractor, made(state, latents)["samples"])
    return found | {"seconds": time.perf_counter() - start}


def counted(extractor: Extractor, images: torch.Tensor) -> dict[str, float]:
    assert isinstance(extractor.network, DigitStacks)
    return label_metrics(extractor.network.modes(extractor(images)), 1000)


def row(game: str, found: list[dict[str, float]]) -> str:
    cells = []
    for name, digits in (("modes", 1), ("reverse_kl", 3)):
        values = [one[name] for one in found]
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        cells.append(f"{statistics.mean(values):.{digits}f}+-{error:.{digits}f}")
    each = ", ".join(f"{one['modes']:.0f}" for one in found)
    seconds = statistics.mean(one["seconds"] for one in found)
    return f"| {game} | {' | '.join(cells)} | {each} | {PUBLISHED[game]} | {seconds:.0f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--games", nargs="+", default=list(GAMES))
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        stacked, classifier = opened(arguments.data_root, cache)
        print(
            f"{arguments.steps} steps (published: 100,000), width {arguments.width} (64), {arguments.seeds} seeds; "
            f"{classifier.name}, accuracy {classifier.facts['test_accuracy']:.4f}"
        )
        print("| game | modes | KL | modes by seed | published, 100,000 steps | s a run |")
        print("|---|---|---|---|---|---|")
        with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn")) as pool:
            for each in arguments.games:
                asked = arguments.data_root, cache, spec_of(each, arguments.steps, arguments.width)
                runs = [pool.submit(score, *asked, seed) for seed in range(arguments.seeds)]
                print(row(each, [run.result() for run in runs]), flush=True)
        real = counted(classifier, to_float(stacked.test[:SAMPLES]))
        print(f"| real test stacks | {real['modes']:.0f} | {real['reverse_kl']:.3f} | | | |")
        print(f"| a perfect sampler | 1000 | {reverse_kl_noise_floor(1000, SAMPLES):.4f} | | | |")
