"""Whether augmentation helps where data are few: 500 images of Fashion-MNIST, with one policy and with none.

python -m tests.benchmarks.limited_data HOME --data-root FOLDER [--images 300000] [--seeds 3]

The preset `augmentation`, its default configuration, and the same with DiffAugment's whole policy (colour, translation,
cutout; Zhao et al. 2020), which was named before anything ran. Same seeds, same steps; compared are FID tails on
the validation part. Called again with the same HOME it goes on.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from pipeline.results import tail
from pipeline.spec.load import load_trial
from pipeline.spec.trial import resolve
from pipeline.training.run import run

POLICIES = {"none": "{}", "diffaugment": "{diffaugment: {colour: true, translation: true, cutout: true}}"}


def values(policy: str, seed: int, images: int, home: Path, root: Path) -> list[float]:
    """The FID of each evaluation of one run."""
    spec, sweep, _ = load_trial("augmentation", [f"augmentation={POLICIES[policy]}", f"budget.images={images}"])
    folder = home / f"{policy}-{seed}"
    kept = folder / "fid.txt"
    if not kept.exists():
        found = run(resolve(spec, cuda=False), seed, sweep.objective, folder, home / "cache", root)
        text = "\n".join(str(measurement.metrics["fid"]) for measurement in found)
        kept.write_text(text)
    return [float(line) for line in kept.read_text().splitlines()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--images", type=int, default=300_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    cases = [(policy, seed) for seed in range(arguments.seeds) for policy in POLICIES]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        runs = {
            case: pool.submit(values, *case, arguments.images, arguments.home, arguments.data_root) for case in cases
        }
        curves = {case: run.result() for case, run in runs.items()}
    print("| seed | tail, none | best, none | tail, diffaugment | best, diffaugment | ratio of tails |")
    print("|---|---|---|---|---|---|")
    for seed in range(arguments.seeds):
        plain, augmented = curves["none", seed], curves["diffaugment", seed]
        print(
            f"| {seed} | {tail(plain):.1f} | {min(plain):.1f} | {tail(augmented):.1f} | {min(augmented):.1f} "
            f"| {tail(augmented) / tail(plain):.2f} |"
        )
