"""How much of a search's best score was luck, and whether what a pick recommends holds on seeds that nobody has seen.

python -m tests.benchmarks.winners_curse HOME [--sweeps 5] [--trials 12] [--images 60000] [--further 5]

Sweeps of digits with different seeds, each with a pick; then the recommended configuration is trained on further seeds
by `gansweep train best.yaml`. Called again with the same HOME it goes on. Scores are tails on the validation part.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline.picking.verdict import Row, Verdict
from pipeline.record.home import begun
from pipeline.sweeps.sweep import Sweep

FURTHER = 900_000  # the first seed that neither search nor pick has: theirs are hashes, below 2^31


def swept(home: Path, seed: int, trials: int, images: int) -> tuple[Verdict, float]:
    """The pick of a sweep and the floor."""
    name = f"curse-{seed}"
    if begun(home / name):
        sweep = Sweep.open(name, home=home)
    else:
        changes = [f"budget.images={images}", f"rungs.first={images * 3 // 10}"]
        sweep = Sweep.from_file("digits", changes, name=name, home=home, seed=seed, trials=trials, concurrency=2)
    if sweep.folder.joinpath("best.yaml").exists():
        found = sweep.pick(top=2, seeds=3)
    else:
        sweep.run()
        found = sweep.pick(top=2, seeds=3)
    assert found.floor is not None
    return found, found.floor


def trained(home: Path, name: str, seed: int) -> dict[str, Any]:
    """`gansweep train best.yaml` with a further seed."""
    out = home / name / "further" / str(seed)
    result = out / "result.json"
    if not result.exists():
        command = [sys.executable, "-m", "pipeline.cli", "train", str(home / name / "best.yaml"), "--seed", str(seed)]
        subprocess.run(
            [*command, "--out", str(out), "--home", str(home)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.DEVNULL,
            check=False,
        )
    found: dict[str, Any] = json.loads(result.read_text())
    return found


def row_of(found: Verdict, trial: int | None) -> Row:
    return next(row for row in found.rows if row.trial == trial)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--sweeps", type=int, default=5)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--further", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print(
        "| sweep | best in the search | its score there | confirmed | recommended | its score there | confirmed |",
        end="",
    )
    print(" 90% for a new seed | further seeds | healthy | inside |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    gaps: list[tuple[float, float]] = []
    healthy = inside = total = 0
    for seed in range(arguments.sweeps):
        found, floor = swept(arguments.home, seed, arguments.trials, arguments.images)
        first, best = row_of(found, found.searched_best), found.best
        seeds = [FURTHER + at for at in range(arguments.further)]
        with ThreadPoolExecutor(2) as pool:
            ends = list(pool.map(lambda each, name=found.name: trained(arguments.home, name, each), seeds))
        tails = [end["tail"]["fid"] for end in ends if end["end_reason"] == "completed"]
        low, high = best.prediction or (float("nan"), float("nan"))
        within = sum(low <= tail <= high for tail in tails)
        healthy, inside, total = healthy + len(tails), inside + within, total + len(ends)
        assert first.searched is not None
        assert best.searched is not None
        if first.confirmed is not None and best.confirmed is not None:
            gaps.append((first.confirmed / first.searched, best.confirmed / best.searched))
        cells = [
            str(seed),
            f"trial {first.trial}",
            f"{first.searched:.1f}",
            "–" if first.confirmed is None else f"{first.confirmed:.1f}",
            f"trial {best.trial}",
            f"{best.searched:.1f}",
            "–" if best.confirmed is None else f"{best.confirmed:.1f}",
            f"{low:.1f} to {high:.1f}",
            ", ".join(f"{tail:.1f}" for tail in tails),
            f"{len(tails)} of {len(ends)}",
            f"{within} of {len(tails)}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    first_gap, best_gap = (statistics.median(gap) for gap in zip(*gaps, strict=True))
    print(f"\nconfirmed over searched, median: the search's best {first_gap:.2f}, what was recommended {best_gap:.2f}")
    print(f"{healthy} of {total} further seeds healthy; {inside} of {healthy} inside the 90% interval")
