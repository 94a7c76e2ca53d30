"""Where the rates of the best quarter of random configurations are, by data set: what pipeline/search/experience.py
has its normals from.

    python -m tests.benchmarks.experience FILE.jsonl   # of health_corpus.py
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np

NUMBERS = ("lr_g", "lr_d", "lr_ratio", "beta1")  # the first three by their decimal logarithms


def numbers(point: dict[str, Any]) -> list[float]:
    lr_g, beta1 = point["optimiser.lr_g"], point["optimiser.beta1"]
    lr_d = point["optimiser.lr_d"] if "optimiser.lr_d" in point else lr_g * point["optimiser.lr_ratio"]
    return [math.log10(lr_g), math.log10(lr_d), math.log10(lr_d / lr_g), beta1]


def score(run: dict[str, Any]) -> float:
    """The median of the last five; infinity of a run that did not come to its end."""
    values = [m["metrics"].get(run["objective"]) for m in run["measurements"]]
    last = [value for value in values if value is not None][-5:]
    whole = len(last) == 5 and run["measurements"][-1]["images"] >= run["budget"]
    return statistics.median(last) if whole else math.inf


def main() -> None:
    runs = [json.loads(line.replace("NaN", "null")) for line in Path(sys.argv[1]).read_text().splitlines()]
    runs = [run for run in runs if run["measurements"] and run["source"] == "wide"]  # the others' rates were chosen
    best: dict[str, np.ndarray] = {}
    for data in dict.fromkeys(run["data"] for run in runs):
        mine = sorted((run for run in runs if run["data"] == data), key=score)
        best[data] = np.array([numbers(run["point"]) for run in mine[: len(mine) // 4]])
    print("| best quarter of | runs | " + " | ".join(NUMBERS) + " |")
    print("|---|---|" + "---|" * len(NUMBERS))
    of = {**best, **{f"all but {data}": np.vstack([v for k, v in best.items() if k != data]) for data in best}}
    for name, values in {**of, "all": np.vstack(list(best.values()))}.items():
        cells = [f"{m:.2f} +-{s:.2f}" for m, s in zip(values.mean(0), values.std(0), strict=True)]
        print(f"| {name} | {len(values)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
