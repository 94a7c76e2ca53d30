"""Whether augmentation helps where data are few: 500 images of Fashion-MNIST, with one policy and with none.

python -m tests.benchmarks.limited_data HOME --data-root FOLDER [--policy translation] [--images 120000] [--seeds 3]

The preset `augmentation`, its default configuration with the changes of --set, and the same with DiffAugment's
translation (Zhao et al. 2020). By default D has no norm, learns at 1e-3 as G does and has two steps for each of G's,
so that it gets ahead of G within minutes; the signal discriminator_overfit shows how far it learns the 500 images by
heart: in how many of all pairs it prefers one of them to a held-out image. Same seeds, same steps; compared are FID
tails on the validation part. Called again with the same HOME it goes on.
"""

from __future__ import annotations

import argparse
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from pipeline.record.runs import tail
from pipeline.schema.trial import resolve
from pipeline.space.load import load_trial
from pipeline.training.attempt import attempt
from pipeline.training.loop import Task
from pipeline.training.store import Store

POLICIES = {
    "none": "{}",
    "translation": "{diffaugment: {colour: false, translation: true, cutout: false}}",
    "whole": "{diffaugment: {colour: true, translation: true, cutout: true}}",
}
FAST = [
    "discriminator.norm=none",
    "optimiser.lr_g=1e-3",
    "optimiser.lr_ratio=1",
    "optimiser.discriminator_steps=2",
]


def values(policy: str, seed: int, changes: list[str], home: Path, root: Path) -> tuple[list[float], float]:
    """The FID of each evaluation of one run, and discriminator_overfit at the last."""
    torch.set_num_threads(1)
    folder = home / f"{policy}-{seed}"
    kept = folder / "found.txt"
    if not kept.exists():
        spec, sweep, _ = load_trial("augmentation", [*changes, f"augmentation={POLICIES[policy]}"])
        shutil.rmtree(folder, ignore_errors=True)  # a run that was cut off would go on, without its first values
        task = Task(resolve(spec, cuda=False), seed, sweep.objective)
        found = list(attempt(task, Store(folder), home / "cache", root))
        curve = [measurement.metrics["fid"] for measurement in found]
        kept.write_text("\n".join(map(str, [*curve, found[-1].signals["discriminator_overfit"]])))
    *curve, overfit = map(float, kept.read_text().splitlines())
    return curve, overfit


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--policy", choices=[name for name in POLICIES if name != "none"], default="translation")
    parser.add_argument("--set", nargs="*", default=FAST, metavar="KEY=VALUE", help="of the default configuration")
    parser.add_argument("--images", type=int, default=120_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    policies, changes = ("none", arguments.policy), [*arguments.set, f"budget.images={arguments.images}"]
    cases = [(policy, seed) for seed in range(arguments.seeds) for policy in policies]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        runs = {case: pool.submit(values, *case, changes, arguments.home, arguments.data_root) for case in cases}
        found = {case: run.result() for case, run in runs.items()}
    columns = [f"{name}, {policy}" for policy in policies for name in ("tail", "best", "D by heart")]
    print(f"| seed | {' | '.join(columns)} | ratio of tails |")
    print("|---" * (len(columns) + 2) + "|")
    for seed in range(arguments.seeds):
        cells, tails = [], []
        for policy in policies:
            curve, overfit = found[policy, seed]
            tails.append(tail(curve))
            cells += [f"{tails[-1]:.1f}", f"{min(curve):.1f}", f"{overfit:.2f}"]
        print(f"| {seed} | {' | '.join(cells)} | {tails[1] / tails[0]:.2f} |")
