"""Does FID of as many samples as an evaluation makes rank checkpoints as FID of 10,000 does? Of a sweep's checkpoints.

python -m tests.benchmarks.cheap_metric SWEEP_FOLDER [--checkpoints 30] [--data digits] [--data-root FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from scipy.stats import kendalltau

from pipeline.metrics.evaluator import Asked, Evaluator
from pipeline.metrics.frechet import frechet_distance, real_moments
from pipeline.sampling.generating import Wanted, generate
from pipeline.schema.trial import DataSpec

MANY = 10_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("sweep", type=Path)
    arguments.add_argument("--checkpoints", type=int, default=30)
    arguments.add_argument("--data", default="digits")
    arguments.add_argument("--data-root", type=Path)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    cache = Path(tempfile.gettempdir()) / "gansweep-cheap-metric"
    evaluator = Evaluator.open(DataSpec(name=given.data), Asked(), cache, given.data_root, "cpu")
    real = real_moments(evaluator._real_features("validation"))
    rows = []
    for path in sorted(given.sweep.glob("trials/*/*/checkpoints/*.pt"))[: given.checkpoints]:
        features = evaluator._measure.features(samples(path))
        rows.append((frechet_distance(real, features[: evaluator.samples]), frechet_distance(real, features)))
    few, many = zip(*rows, strict=True)
    good = [row for row in rows if row[1] < 5 * min(many)]
    tau = kendalltau(few, many).statistic
    of_good = kendalltau(*zip(*good, strict=True)).statistic
    print(f"{len(rows)} checkpoints, FID of {MANY:,} samples {min(many):.1f} to {max(many):.1f}")
    print(f"Kendall's tau of FID of {evaluator.samples} samples with it: {tau:.3f}")
    print(f"of the {len(good)} within 5 times the best: {of_good:.3f}")


def samples(checkpoint: Path) -> torch.Tensor:
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "samples.npz"
        generate(checkpoint, Wanted(MANY), 0, out)
        return torch.from_numpy(np.load(out)["samples"])


if __name__ == "__main__":
    main()
