"""What a pick found, in words: for the screen and for the comments of best.yaml."""

from __future__ import annotations

from pipeline.console import floors, number
from pipeline.picking.intervals import Interval
from pipeline.picking.verdict import Difference, Row, Verdict
from pipeline.state import SweepState


def span(interval: Interval | None) -> str:
    return "unknown" if interval is None else f"{number(interval[0])} to {number(interval[1])}"


def share(row: Row) -> str:
    low, high = row.share_interval
    return f"{row.healthy} of {row.seeds} fresh seeds healthy (95% interval of the share {low:.0%} to {high:.0%})"


def versus(difference: Difference, name: str) -> str:
    """'0.8 better than the default (95%: 0.5 to 1.1), paired on 5 seeds', or 'no better than the default ...'."""
    amount = f"{number(abs(difference.better))} {'better' if difference.better >= 0 else 'worse'}"
    paired = f"paired on {difference.seeds} seed{'s' if difference.seeds > 1 else ''}"
    if difference.noise:
        return f"no better than {name}: {amount}, 95% {span(difference.interval)}, within seed noise, {paired}"
    return f"{amount} than {name} (95%: {span(difference.interval)}), {paired}"


def conclusions(found: Verdict, state: SweepState) -> list[str]:
    """The verdict in a few lines, the most important one first."""
    best = found.best
    lines = [
        f"picked: trial {best.trial} ({', '.join(best.why)}), {found.metric} {number(best.score)}"
        f"{floors(state, best.score)} on the test part (95%: {span(best.interval)}); {share(best)}"
    ]
    if found.default is not None and best.trial != found.default:
        versus_default = best.versus_default
        if versus_default is not None:
            lines.append("against the default configuration: " + versus(versus_default, "the default"))
        else:
            lines.append("against the default configuration: no seed on which both were healthy")
    elif found.default is not None:
        lines.append("the default configuration (trial 0) is the pick: no finalist was shown to be better")
    rivals = [str(row.trial) for row in found.rows[1:] if _equal(row, best)]
    if rivals:
        lines.append(
            f"within seed noise of trial {best.trial}: trial{'s' if len(rivals) > 1 else ''} {', '.join(rivals)}"
        )
    if best.prediction is not None:
        lines.append(f"one new seed: {found.metric} tail {span(best.prediction)} on the validation part (90%)")
    lines += _optimism(found)
    if not found.complete:
        lines.append(f"the race is not over; go on with: gansweep pick {found.name}")
    lines.append(f"{found.runs} runs in place of the {found.full_grid} of a full grid")
    return lines


def _equal(row: Row, best: Row) -> bool:
    """Nothing tells it from the best one: neither its share nor its score."""
    return row.share >= best.share and row.versus_best is not None and row.versus_best.noise


def _optimism(found: Verdict) -> list[str]:
    row = next((row for row in found.rows if row.trial == found.searched_best), None)
    if row is None or row.searched is None or row.confirmed is None or found.optimism is None:
        return []
    return [
        f"optimism of the search: its best, trial {row.trial}, scored {number(row.searched)} there and "
        f"{number(row.confirmed)} on fresh seeds of the same data part ({number(abs(found.optimism))} "
        f"{'worse' if found.optimism >= 0 else 'better'})"
    ]


def evidence(found: Verdict, state: SweepState) -> list[str]:
    """What a reader of best.yaml should know of it."""
    data, best = state.prepared.get("data", {}), found.best
    seeds = ", ".join(f"{seed} {reason}" for seed, reason in best.ends.items())
    lines = [
        f"Picked by gansweep from the sweep {found.name} ({state.source}, {len(state.trials)} trials).",
        f"Run it: gansweep train {found.name}/best.yaml",
        "",
        *conclusions(found, state),
        "",
        f"Fresh seeds, which the search never used, and how they ended: {seeds}",
        f"Data: {data.get('name')} ({data.get('fingerprint')}); features: {state.prepared.get('features')}",
        "",
        "All finalists, best first (score: test part):",
    ]
    for row in found.rows:
        lines.append(
            f"  trial {row.trial} ({', '.join(row.why)}): {number(row.score)} (95%: {span(row.interval)}), "
            f"{row.healthy} of {row.seeds} healthy, the best with probability {row.probability_best:.2f}"
        )
    return lines
