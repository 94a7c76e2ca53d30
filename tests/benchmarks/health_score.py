"""How well health rules tell runs apart that nothing stopped: recall by kind of failure, false stops, compute saved.

    python -m tests.benchmarks.health_score FILE.jsonl [--rules RULES.yaml] [--from 0] [--runs]

FILE is of health_corpus.py. Numbers below --from are those that thresholds were chosen on.

What a run was is said by its whole curve, with what the rules cannot know: other runs of the same data. The good tail
of a data set is 2.5 times the median of its best quarter. A run ended well where its last tail is a good one (and, of a
mixture, it holds three quarters of the modes); it was lost where an earlier tail was a good one and the last is 1.5
times as high and none; dead where its last tail is over 10 times a good one; poor where it is anything else: no rule
need stop it, and none is wrong to, unless it came to less than 0.7 of what it was stopped at (premature).
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cli.replay import rules_of
from pipeline.health.rules import Context, End, replay
from pipeline.record.measurement import Measurement
from pipeline.record.runs import tail

WELL, LOST, DEAD, BROKEN, POOR = "ended well", "lost", "dead", "not finite", "poor"
FLOORS = {"digits": (15.3, 4.0), "ring8": (0.009, 0.002), "grid25": (0.05, 0.01), "fashion_mnist": (5.0, 1.0)}


@dataclass(frozen=True)
class Curve:
    """One run of the corpus."""

    data: str
    number: int
    objective: str
    budget: int
    measurements: list[Measurement]

    @property
    def tails(self) -> list[float]:
        values = [m.metrics[self.objective] for m in self.measurements if self.objective in m.metrics]
        return [found for at in range(1, len(values) + 1) if (found := tail(values[:at])) is not None]

    @property
    def context(self) -> Context:
        floor, spread = FLOORS[self.data]
        return Context(self.objective, minimise=True, floor=floor, floor_spread=spread)


def read(file: Path) -> list[Curve]:
    found = []
    for line in file.read_text().splitlines():
        run: dict[str, Any] = json.loads(line.replace("NaN", "null"))
        if run["measurements"]:
            measured = [Measurement.from_dict(_numbers(m)) for m in run["measurements"]]
            found.append(Curve(run["data"], run["number"], run["objective"], run["budget"], measured))
    return found


def _numbers(measurement: dict[str, Any]) -> dict[str, Any]:
    def whole(values: dict[str, Any]) -> dict[str, float]:
        return {name: float("nan") if value is None else float(value) for name, value in values.items()}

    return {k: whole(v) if k in ("metrics", "signals", "errors") else v for k, v in measurement.items()}


def good_tails(curves: list[Curve]) -> dict[str, float]:
    """By data set, what a good tail is at most."""
    ends = defaultdict(list)
    for curve in curves:
        if curve.tails:
            ends[curve.data].append(curve.tails[-1])
    return {data: 2.5 * statistics.median(sorted(found)[: max(1, len(found) // 4)]) for data, found in ends.items()}


def label(curve: Curve, good: float) -> str:
    if curve.measurements[-1].images < curve.budget:
        return BROKEN
    last = curve.tails[-1]
    modes = tail([m.signals["modes_share"] for m in curve.measurements if "modes_share" in m.signals])
    if last <= good and (modes is None or modes >= 0.75):
        return WELL
    if min(curve.tails) <= good and last > 1.5 * min(curve.tails):
        return LOST
    return DEAD if last > 10 * good else POOR


def bound(curve: Curve, kind: str) -> int:
    """Images that hindsight would have saved: all after the last good tail, of a dead run all."""
    if kind == LOST:
        best = min(range(len(curve.tails)), key=curve.tails.__getitem__)
        return curve.budget - curve.measurements[best].images
    return curve.budget if kind == DEAD else 0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--rules", type=Path)
    arguments.add_argument("--from", type=int, default=0, dest="begin")
    arguments.add_argument("--runs", action="store_true")
    arguments.add_argument("--curve", action="store_true", help="never_covered judged earlier and earlier")
    given = arguments.parse_args()
    curves = read(given.file)
    good = good_tails(curves)
    if given.curve:
        _curve(curves, good)
        return
    chosen = [curve for curve in curves if curve.number >= given.begin]
    ends = [(c, label(c, good[c.data]), _end(c, given.rules)) for c in chosen]
    if given.runs:
        for curve, kind, end in ends:
            said = f"{end[1].reason} by {end[1].evidence['rule']} at {_share(curve, end[0]):.0%}" if end else "went on"
            best = min(curve.tails, default=float("nan"))
            last = curve.tails[-1] if curve.tails else float("nan")
            print(f"{curve.data} {curve.number}: {kind}, best {best:.4g}, last {last:.4g}: {said}")
    print("| data | kind | runs | stopped on the way | judged at the end | went on | median stop at | reasons |")
    print("|---|---|---|---|---|---|---|---|")
    groups = [*sorted({c.data for c in chosen}), "all"]
    for data in groups:
        for kind in (WELL, LOST, DEAD, BROKEN, POOR):
            mine = [(c, e) for c, k, e in ends if k == kind and data in (c.data, "all")]
            if mine:
                print(_row(data, kind, mine))
    early = [(c, e) for c, _, e in ends if e and e[0] < len(c.measurements) - 1 and _premature(c, e[0])]
    print(f"\n{len(early)} premature: " + ", ".join(f"{c.data} {c.number} ({e[1].evidence['rule']})" for c, e in early))
    for data in groups:
        lost = [(c, k, e) for c, k, e in ends if k in (LOST, DEAD) and data in (c.data, "all")]
        saved = sum(c.budget - c.measurements[e[0]].images for c, _, e in lost if e)
        most = sum(bound(c, k) for c, k, _ in lost)
        print(
            f"\n{data}: saved {saved / 1000:.0f} kimg of lost and dead runs, {saved / (most or 1):.0%} of hindsight's"
        )


def _curve(curves: list[Curve], good: dict[str, float]) -> None:
    """What is saved of lost and dead runs, against what is stopped wrongly, where a run that covers nothing is not
    given its budget; strict: even one that still improves."""
    print("| never_covered judged from | strict | of hindsight's | ended well, stopped | premature |")
    print("|---|---|---|---|---|")
    for strict, share in itertools.product((False, True), (1.0, 0.75, 0.5, 0.35, 0.25)):
        saved = most = wrong = early = 0
        for curve in curves:
            rules = dict(rules_of(None, curve.objective))
            changes: dict[str, Any] = {} if share == 1 else {"at_end": False, "grace": share}
            changes |= {"also": rules["never_covered"].also[:1]} if strict else {}
            rules["never_covered"] = rules["never_covered"].model_copy(update=changes)
            kind = label(curve, good[curve.data])
            most += bound(curve, kind)
            found = replay(rules, curve.measurements, curve.budget, curve.context)
            if found is None:
                continue
            if kind in (LOST, DEAD):
                saved += curve.budget - curve.measurements[found[0]].images
            wrong += kind == WELL
            early += found[0] < len(curve.measurements) - 1 and _premature(curve, found[0])
        print(f"| {share:.0%} | {'yes' if strict else 'no'} | {saved / most:.0%} | {wrong} | {early} |")


def _row(data: str, kind: str, mine: list[tuple[Curve, tuple[int, End] | None]]) -> str:
    at = [_share(curve, end[0]) for curve, end in mine if end]
    early = [share for share in at if share < 1]
    reasons = Counter(end[1].evidence["rule"] for _, end in mine if end)
    said = ", ".join(f"{count} {rule}" for rule, count in reasons.most_common())
    middle = f"{statistics.median(early):.0%}" if early else "–"
    cells = (data, kind, len(mine), len(early), len(at) - len(early), len(mine) - len(at), middle, said)
    return "| " + " | ".join(map(str, cells)) + " |"


def _end(curve: Curve, rules: Path | None) -> tuple[int, End] | None:
    return replay(rules_of(rules, curve.objective), curve.measurements, curve.budget, curve.context)


def _premature(curve: Curve, index: int) -> bool:
    return bool(curve.tails) and curve.tails[-1] < 0.7 * curve.tails[min(index, len(curve.tails) - 1)]


def _share(curve: Curve, index: int) -> float:
    return curve.measurements[index].images / curve.budget


if __name__ == "__main__":
    main()
