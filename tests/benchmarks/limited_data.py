"""Whether augmentation helps where data are few: 500 images of Fashion-MNIST, with one policy and with none.

python -m tests.benchmarks.limited_data HOME --data-root FOLDER [--policy translation] [--images 180000] [--seeds 3]

The preset `augmentation`, its default configuration with the changes of --set, and the same with DiffAugment's
translation (Zhao et al. 2020). By default D has no norm and both learn at 1e-3, so that D knows the 500 images by heart
within minutes: the gap is (E D(train) - E D(held out)) / (E D(train) - E D(fake)) of the best checkpoint, 0 where D
judges new images as it does those it was trained on, 1 where it takes them for fakes. Same seeds, same steps; compared
are FID tails on the validation part. Called again with the same HOME it goes on.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from pipeline.data.batches import to_float
from pipeline.data.dataset import load
from pipeline.games.adversarial import AdversarialGame
from pipeline.results import tail
from pipeline.spec.load import load_trial
from pipeline.spec.trial import resolve
from pipeline.training import store
from pipeline.training.checkpoint import find
from pipeline.training.loop import sample
from pipeline.training.run import run
from pipeline.training.trained import trained

POLICIES = {
    "none": "{}",
    "translation": "{diffaugment: {colour: false, translation: true, cutout: false}}",
    "whole": "{diffaugment: {colour: true, translation: true, cutout: true}}",
}
FAST = ["discriminator.norm=none", "optimiser.lr_g=1e-3", "optimiser.lr_d=1e-3"]
JUDGED = 500  # images of each kind, for the gap


def values(policy: str, seed: int, changes: list[str], home: Path, root: Path) -> tuple[list[float], float]:
    """The FID of each evaluation of one run, and how far D takes held-out images for fakes."""
    torch.set_num_threads(1)
    folder = home / f"{policy}-{seed}"
    kept = folder / "found.txt"
    if not kept.exists():
        spec, sweep, _ = load_trial("augmentation", [*changes, f"augmentation={POLICIES[policy]}"])
        found = run(resolve(spec, cuda=False), seed, sweep.objective, folder, home / "cache", root)
        curve = [float(measurement.metrics["fid"]) for measurement in found]
        kept.write_text("\n".join(map(str, [*curve, gap(folder, home / "cache", root)])))
    *curve, last = map(float, kept.read_text().splitlines())
    return curve, last


@torch.no_grad()
def gap(folder: Path, cache: Path, root: Path) -> float:
    checkpoint = find(folder)
    found, weights = trained(checkpoint), store.load(checkpoint)["state"]["discriminator"]
    game, data = found.game, load(found.spec.data, root, cache)
    assert isinstance(game, AdversarialGame)
    game.discriminator.load_state_dict(weights)
    judge = game.discriminator.eval()

    def mean(images: Tensor) -> float:
        return float(judge(images).mean())

    latents = game.inputs(JUDGED, torch.Generator().manual_seed(JUDGED))
    fakes = sample(game, game.generator, latents, found.spec)
    seen, new = mean(to_float(data.train[:JUDGED])), mean(to_float(data.test[:JUDGED]))
    return (seen - new) / (seen - mean(to_float(fakes)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--policy", choices=[name for name in POLICIES if name != "none"], default="translation")
    parser.add_argument("--set", nargs="*", default=FAST, metavar="KEY=VALUE", help="of the default configuration")
    parser.add_argument("--images", type=int, default=180_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    policies, changes = ("none", arguments.policy), [*arguments.set, f"budget.images={arguments.images}"]
    cases = [(policy, seed) for seed in range(arguments.seeds) for policy in policies]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        runs = {case: pool.submit(values, *case, changes, arguments.home, arguments.data_root) for case in cases}
        found = {case: run.result() for case, run in runs.items()}
    columns = [f"{name}, {policy}" for policy in policies for name in ("tail", "best", "gap of D")]
    print(f"| seed | {' | '.join(columns)} | ratio of tails |")
    print("|---" * (len(columns) + 2) + "|")
    for seed in range(arguments.seeds):
        cells, tails = [], []
        for policy in policies:
            curve, last = found[policy, seed]
            tails.append(tail(curve))
            cells += [f"{tails[-1]:.1f}", f"{min(curve):.1f}", f"{last:.2f}"]
        print(f"| {seed} | {' | '.join(cells)} | {tails[1] / tails[0]:.2f} |")
