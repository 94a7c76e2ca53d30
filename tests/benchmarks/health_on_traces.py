"""The default health rules on 32 published FID logs: which they stop, when, and whether that was right.

python -m tests.benchmarks.health_on_traces [FOLDER OF gan_traces]
"""

from __future__ import annotations

import csv
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.health.rules import Context, End, replay
from pipeline.record.measurement import Measurement
from pipeline.schema.base import parse
from pipeline.schema.health import DEFAULT_RULES, RuleSpec

FID = Context("fid", minimise=True)  # the logs come without a floor


@dataclass(frozen=True)
class Trace:
    """One log: a step stands for an image, which changes no share of the budget."""

    run: str
    name: str
    steps: int
    collapsed: bool
    measurements: list[Measurement]


def read(folder: Path) -> list[Trace]:
    """The logs of gan_traces/ (runs.csv, fid.csv)."""
    series: dict[str, list[Measurement]] = {}
    with (folder / "fid.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found = Measurement(int(row["step"]), {"fid": float(row["fid"])}, {}, 0.0)
            series.setdefault(row["run"], []).append(found)
    with (folder / "runs.csv").open(newline="") as file:
        return [
            Trace(r["run"], f"{r['dataset']} {r['model']}", int(r["steps"]), r["collapsed"] == "1", series[r["run"]])
            for r in csv.DictReader(file)
        ]


def defaults() -> dict[str, RuleSpec]:
    return {name: parse(RuleSpec, rule, f"health.{name}") for name, rule in DEFAULT_RULES.items()}


def ends(traces: list[Trace], rules: dict[str, RuleSpec] | None = None) -> dict[str, tuple[float, End]]:
    """Of each log that is stopped: at which share of its steps, and why."""
    chosen = rules or defaults()
    found = {t.run: (t, replay(chosen, t.measurements, t.steps, FID)) for t in traces}
    return {run: (t.measurements[end[0]].images / t.steps, end[1]) for run, (t, end) in found.items() if end}


def table(traces: list[Trace]) -> str:
    """Markdown: the confusion table, then each log that collapsed or was stopped."""
    stopped = ends(traces)
    lines = ["| | stopped | went on |", "|---|---|---|"]
    for label, kind in (("collapsed", True), ("healthy", False)):
        runs = [t.run for t in traces if t.collapsed == kind]
        lines.append(f"| {label} | {sum(r in stopped for r in runs)} | {sum(r not in stopped for r in runs)} |")
    lines += ["", "| log | collapsed | stopped at | reason | best FID before | FID at the stop | FID at the end |"]
    lines.append("|---|---|---|---|---|---|---|")
    for t in traces:
        if t.collapsed or t.run in stopped:
            share, end = stopped.get(t.run, (1.0, None))
            before = [m.metrics["fid"] for m in t.measurements if m.images <= share * t.steps]
            lines.append(
                f"| {t.name} | {'yes' if t.collapsed else 'no'} | {f'{share:.0%}' if end else '-'} "
                f"| {end.reason if end else '-'} | {min(before):.1f} | {before[-1]:.1f} "
                f"| {t.measurements[-1].metrics['fid']:.1f} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    default = Path(os.environ.get("GANSWEEP_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    print(table(read(Path(sys.argv[1]) if len(sys.argv) > 1 else default / "gan_traces")))
