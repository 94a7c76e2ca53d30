"""What a prior is worth, on the space of the preset digits with a formula in place of the training: seconds for what
would take days, and no proof for real runs, of which search_on_landscape.py and sweeps are.

    python -m tests.benchmarks.prior_on_a_formula [--seeds 16]

A configuration's score is an exponential of how far its rates, their ratio, beta1, widths, norms and penalty are from
an optimum; rates above 4e-3 or more than 1.8 decades apart collapse. What the search hears has a noise of 25%, and half
of the runs are stopped at a rung. Said is the true score of the best trial by the search's own, the geometric mean over
seeds; misled: the known_good point's rates are 1.3 decades too low.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np

from pipeline.search.prior import Known
from pipeline.search.sampler import Outcome, Sampler
from pipeline.space.load import load

AT = (10, 20, 40)
PRIORS = {"none": "null", "width 0.15": "{width: 0.15}", "width 0.25": "{width: 0.25}"}
PRIORS |= {"width 0.25, weight 0.75": "{width: 0.25, weight: 0.75}"}


def rates(point: dict[str, Any]) -> tuple[float, float]:
    return math.log10(point["optimiser.lr_g"]), math.log10(point["optimiser.lr_d"])


def worth(point: dict[str, Any]) -> float:
    g, d = rates(point)
    away = 0.9 * (g + 3.2) ** 2 + 0.8 * (d - g + 0.3) ** 2 + 0.6 * (point["optimiser.beta1"] - 0.2) ** 2
    away += {"non_saturating": 0.05, "hinge": 0.0, "least_squares": 0.15, "wasserstein": 0.3}[point["game"]]
    norms = [value for name, value in point.items() if name.endswith("discriminator.norm")]
    away += {"spectral": 0.0, "none": 0.4, "layer": 0.3}[norms[0] if norms else "spectral"]
    away += {16: 0.3, 32: 0.1, 48: 0.0}[point["generator.width"]]
    away += {16: 0.2, 32: 0.05, 48: 0.0}[point["discriminator.width"]]
    away += {"batch": 0.0, "none": 0.2}[point["generator.norm"]]
    for weight in [value for name, value in point.items() if name.endswith(".weight")]:
        away += 0.1 * (math.log10(weight) - 0.5) ** 2 - 0.2
    return 17 * math.exp(away)


def fails(point: dict[str, Any]) -> bool:
    g, d = rates(point)
    return max(g, d) > -2.4 or abs(d - g) > 1.8


def search(prior: str, decades: float, seed: int) -> list[float]:
    """The true score of the best so far, after each trial."""
    file = load("digits", [f"search.seed={seed}", f"search.prior={prior}"])
    known = [
        {name: value * 10**decades if ".lr_" in name else value for name, value in point.items()}
        for point in file.known_good
    ]
    sampler = Sampler(file.space, file.sweep.search, True, Known(known))
    noise, heard, best = np.random.default_rng(seed), list[tuple[float, float]](), list[float]()
    for number in range(max(AT)):
        point, _ = sampler.ask(number)
        score = worth(point) * math.exp(noise.normal(0, 0.25))
        if fails(point):
            sampler.tell(number, Outcome("collapsed", score))
        else:
            stopped = bool(heard) and score > np.median([each for each, _ in heard])
            sampler.tell(number, Outcome("rung", score, [(1, score)]) if stopped else Outcome("completed", score))
            heard.append((score, worth(point)))
        best.append(min(heard)[1] if heard else math.inf)
    return best


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=16)
    given = arguments.parse_args()
    print(f"| known_good | prior | {' | '.join(f'{at} trials' for at in AT)} |\n|---|---|{'---|' * len(AT)}")
    for said, decades in (("near", 0.0), ("misled", -1.3)):
        for name, prior in PRIORS.items():
            found = np.array([search(prior, decades, seed) for seed in range(given.seeds)])
            means = " | ".join(f"{math.exp(np.log(found[:, at - 1]).mean()):.1f}" for at in AT)
            print(f"| {said} | {name} | {means} |", flush=True)


if __name__ == "__main__":
    main()
