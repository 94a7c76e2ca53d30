"""Every network family on Fashion-MNIST at 32x32: how far its FID falls, what that costs, and its samples side by side.

python -m tests.benchmarks.families FOLDER --data-root ROOT [--only infogan dcgan] [--picture docs/families.png]

Trains what FOLDER has no whole run of, one after the other, each as `gansweep train` does; prints the table and draws
the last grid of each. FID is of the averaged generator, on 1,000 samples; the first value is the first evaluation's.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw

from pipeline.games.game import Facts
from pipeline.games.networks import build_discriminator, build_generator
from pipeline.schema.base import parse
from pipeline.schema.trial import TrialSpec
from pipeline.space.load import load

PLAIN: dict[str, Any] = {
    "data": {"name": "fashion_mnist", "resolution": 32},
    "budget": {"images": 24_000},
    "evaluation": {"every": 1_500, "samples": 1_000},
    "latent": {"size": 64},
    "ema": {"half_life": 1_200.0},
    "batch_size": 32,
}
SPECTRAL = {"norm": "spectral"}  # Kurach et al. 2019: with the non-saturating loss the default to start from
RATES = {"lr_g": 5e-4, "beta1": 0.5, "beta2": 0.999}
HINGE = {"objective": "hinge"}  # with Miyato et al.'s betas, and a rate that falls as theirs does
FALLING = {"lr_g": 1e-3, "beta1": 0.0, "beta2": 0.9, "schedule": "linear"}
GAMMA = {"weight": {"start": 0.05, "ratio": 0.1}}  # Huang et al. 2024, as are the cosine and beta2
COSINE = {"lr_g": 1e-3, "beta1": 0.0, "beta2": {"start": 0.9, "end": 0.99}, "schedule": "cosine", "final_rate": 0.25}
FAMILIES: dict[str, dict[str, Any]] = {
    "dcgan": {"sides": {"width": 16}, "discriminator": SPECTRAL, "optimiser": RATES},
    "infogan": {"sides": {"width": 16, "units": 256}, "discriminator": SPECTRAL, "optimiser": RATES},
    "sndcgan": {"sides": {"width": 16}, "optimiser": RATES},
    "resnet": {"sides": {"width": 16}, "discriminator": SPECTRAL, "optimiser": FALLING, "game": HINGE},
    "r3gan": {
        "sides": {"width": 16},
        "game": {"objective": "relativistic"},
        "regularisers": {"r1": GAMMA, "r2": GAMMA},
        "optimiser": COSINE,
        "batch_size": 8,
    },
}
# Images, and those between two evaluations; of r3gan, whose batches are of 8, as many steps as of the others.
BUDGETS = {"resnet": (36_000, 1_500), "sndcgan": (60_000, 1_500), "r3gan": (40_000, 400)}
# A preset's first known-good point, with what is set beside it.
PRESETS: dict[str, list[str]] = {
    "progressive": [],
    "stylegan2": ["budget.images=36000", "evaluation.every=4000", "evaluation.samples=1000", "ema.half_life=1000"],
}
NAMES = (*FAMILIES, *PRESETS)


def tree_of(family: str) -> dict[str, Any]:
    if family in PRESETS:
        space = load(family, PRESETS[family])
        return space.space.fixed(space.known_good[0])[1]
    said = dict(FAMILIES[family])
    both = {"network": family} | said.pop("sides")
    sides = {side: both | said.pop(side, {}) for side in ("generator", "discriminator")}
    tree = PLAIN | sides | said
    if family in BUDGETS:
        images, every = BUDGETS[family]
        tree |= {"budget": {"images": images}, "evaluation": PLAIN["evaluation"] | {"every": every}}
    return tree


def trained(family: str, folder: Path, root: str, seed: int) -> None:
    """A run in `folder`, with the processor time that it took beside it."""
    tree, began = tree_of(family), resource.getrusage(resource.RUSAGE_CHILDREN)
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(tree))
    command = [sys.executable, "-m", "pipeline.cli", "train", str(file), "--data-root", root]
    subprocess.run([*command, "--seed", str(seed), "-o", str(folder)], check=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    (folder / "processor_seconds.json").write_text(json.dumps(spent))


def row(family: str, folder: Path) -> str:
    measured = json.loads((folder / "measurements.json").read_text())
    spec = parse(TrialSpec, tree_of(family), family)
    shape = (1, 32, 32)
    networks = (
        build_generator(spec.generator, spec.latent.size, Facts("image", shape), 0),
        build_discriminator(spec.discriminator, shape, 0),
    )
    counts = ", ".join(f"{sum(p.numel() for p in network.parameters()):,}" for network in networks)
    first, last = (each["metrics"]["fid"] for each in (measured[0], measured[-1]))
    took = folder / "processor_seconds.json"
    seconds = f"{json.loads(took.read_text()):.0f}" if took.exists() else ""
    begun, images = measured[0]["images"], measured[-1]["images"]
    return (
        f"| {family} | {counts} | {images:,} | {first:.0f} ({begun:,}) | {last:.0f} | {first / last:.1f} | {seconds} |"
    )


def side_by_side(folders: dict[str, Path], out: Path, rows: int = 4) -> None:
    """The first rows of the last grid of each, under its name."""
    grids = {name: Image.open(max((folder / "samples").glob("images-*.png"))) for name, folder in folders.items()}
    width = max(grid.width for grid in grids.values()) // 2
    height, title = width * rows // 4, 16
    picture = Image.new("L", (len(grids) * (width + 8), height + title), 255)
    for at, (name, grid) in enumerate(grids.items()):
        picture.paste(grid.convert("L").crop((0, 0, width, height)), (at * (width + 8), title))
        ImageDraw.Draw(picture).text((at * (width + 8) + 2, 2), name, fill=0)
    picture.save(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found: dict[str, Path] = {}
    print("| family | parameters G, D | images | first FID (at images) | last FID | fell by | processor s |")
    print("|---|---|---|---|---|---|---|")
    for chosen in given.only:
        place = given.folder / chosen
        if not (place / "measurements.json").exists():
            trained(chosen, place, given.data_root, given.seed)
        found[chosen] = place
        print(row(chosen, place), flush=True)
    if given.picture:
        side_by_side(found, given.picture)
