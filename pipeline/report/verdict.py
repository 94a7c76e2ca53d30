"""What a pick found, in words: for the screen and for the comments of best.yaml."""

from __future__ import annotations

from pipeline.errors import show
from pipeline.picking.beliefs import BAD_DAY
from pipeline.picking.intervals import Interval
from pipeline.picking.plateau import Neighbour, Plateau, Reach, plateau
from pipeline.picking.verdict import Difference, Row, Verdict
from pipeline.record.state import SweepState
from pipeline.report.numbers import floors, number, trials
from pipeline.schema.features import measured_in


def span(interval: Interval | None) -> str:
    return "unknown" if interval is None else f"{number(interval[0])} to {number(interval[1])}"


def share(row: Row) -> str:
    low, high = row.share_interval
    return f"{row.healthy} of {row.seeds} fresh seeds healthy (95% interval of the share {low:.0%} to {high:.0%})"


def versus(difference: Difference, name: str) -> str:
    """'0.8 better than the default (95%: 0.5 to 1.1), paired on 5 seeds', or 'not shown to be better than ...'."""
    amount = f"{number(abs(difference.better))} {'better' if difference.better >= 0 else 'worse'}"
    paired = f"paired on {difference.seeds} seed{'s' if difference.seeds > 1 else ''}"
    if difference.noise:
        return f"not shown to be better than {name}: {amount}, 95% {span(difference.interval)}, {paired}"
    return f"{amount} than {name} (95%: {span(difference.interval)}), {paired}"


def conclusions(verdict: Verdict, state: SweepState) -> list[str]:
    """The verdict in a few lines, the most important one first."""
    best = verdict.best
    lines = [
        f"picked: trial {best.trial} ({', '.join(best.why)}), {verdict.metric} {number(best.score)}"
        f"{floors(state, best.score)}{measured_in(state.features)} on the test part (95%: {span(best.interval)}); "
        f"{share(best)}"
    ]
    if verdict.default is not None and best.trial != verdict.default:
        versus_default = best.versus_default
        if versus_default is not None:
            its = next(row for row in verdict.rows if row.trial == verdict.default)
            seeds = "" if its.share == best.share else f"; healthy on {_of(best)} seeds, the default on {_of(its)}"
            lines.append("against the default configuration: " + versus(versus_default, "the default") + seeds)
        else:
            lines.append("against the default configuration: no seed on which both were healthy")
    elif verdict.default is not None:
        lines.append("the default configuration (trial 0) is the pick: no finalist was shown to be better")
    lines += _regret(verdict)
    equal = [row for row in verdict.rows[1:] if _equal(row, best)]
    if rivals := [row for row in equal if row.racing]:
        lines.append(f"within seed noise of trial {best.trial}: {trials(row.trial for row in rivals)}")
    if out := [row for row in equal if not row.racing and row.trial != verdict.default]:
        lines.append(
            f"out of the race, as most likely worse, though the seeds that they share with trial {best.trial} alone do "
            f"not show it: {trials(row.trial for row in out)}"
        )
    if best.prediction is not None:
        lines.append(f"one new seed: {verdict.metric} tail {span(best.prediction)} on the validation part (90%)")
    for row in verdict.rows:
        if row.front:
            parts = ", ".join(f"{name} {number(value)}" for name, value in row.objectives.items())
            lines.append(f"on the front, confirmed: trial {row.trial} ({parts}; medians over seeds; test part)")
    lines += _optimism(verdict)
    if not verdict.complete:
        lines.append(f"the race is not over; go on with: {state.command('pick')}")
    spared = f" in place of the {verdict.full_grid} of a full grid" if verdict.runs < verdict.full_grid else ""
    lines.append(f"{verdict.runs} runs{spared}")
    return lines


def _regret(verdict: Verdict) -> list[str]:
    """What the pick was decided by; and of one that the figures alone would put before it, why it is not the pick."""
    best = verdict.best
    lines = [
        f"expected regret of taking it: {number(best.regret)} {verdict.metric}, the best with probability "
        f"{best.probability_best:.2f} (a new run and a bad day, the worst of {BAD_DAY}, half each; failed ones counted)"
    ]
    others = [row for row in verdict.rows[1:] if row.racing]
    less = [row.trial for row in others if row.regret < best.regret]
    if less:
        lines.append(
            f"not taken though of less expected regret: {trials(less)}; another one is as good or better in "
            "median, worst seed and share of healthy seeds"
        )
    likelier = [row for row in others if row.probability_best > best.probability_best and row.trial not in less]
    if likelier:
        first = max(likelier, key=lambda row: row.probability_best)
        lines.append(
            f"trial {first.trial} is more often the best (probability {first.probability_best:.2f}), but costs more "
            f"where it is not: expected regret {number(first.regret)}"
        )
    return lines


def _of(row: Row) -> str:
    return f"{row.healthy} of {row.seeds}"


def _equal(row: Row, best: Row) -> bool:
    """Nothing tells it from the best one: neither its share nor its score."""
    return row.share >= best.share and row.versus_best is not None and row.versus_best.noise


def _optimism(verdict: Verdict) -> list[str]:
    row = next((row for row in verdict.rows if row.trial == verdict.searched_best), None)
    if row is None or row.searched is None or row.confirmed is None or verdict.optimism is None:
        return []
    return [
        f"optimism of the search: its best, trial {row.trial}, scored {number(row.searched)} there and "
        f"{number(row.confirmed)} on fresh seeds of the same data part ({number(abs(verdict.optimism))} "
        f"{'worse' if verdict.optimism >= 0 else 'better'})"
    ]


def evidence(verdict: Verdict, state: SweepState) -> list[str]:
    """What a reader of best.yaml should know of it."""
    data, best = state.data, verdict.best
    seeds = ", ".join(f"{seed} {reason}" for seed, reason in best.ends.items())
    lines = [
        f"Picked by gansweep from the sweep {verdict.name} ({state.source}, {len(state.trials)} trials).",
        "Run it: gansweep train, with this file's path",
        "",
        *conclusions(verdict, state),
        *(robustness(around) if (around := plateau(state)) else []),
        "",
        f"Fresh seeds, which the search never used, and how they ended: {seeds}",
        f"Data: {data.get('name')} ({data.get('fingerprint')}); features: {state.features}",
        "",
        "All finalists, best first (score: test part):",
    ]
    for row in verdict.rows:
        lines.append(
            f"  trial {row.trial} ({', '.join(row.why)}): {number(row.score)} (95%: {span(row.interval)}), "
            f"{row.healthy} of {row.seeds} healthy, the best with probability {row.probability_best:.2f}, "
            f"expected regret {number(row.regret)}"
        )
    return lines


def robustness(around: Plateau) -> list[str]:
    """How far the winner's parameters can be moved, in lines; the most important one first."""
    held = [row for row in around.rows if row.found in ("holds", "better")]
    lines = [
        f"plateau: {len(held)} of {len(around.rows)} moves of one parameter of trial {around.of} hold "
        f"(paired on {around.seeds} fresh seeds; as healthy, and not surely worse on the test part)"
    ]
    lines += [f"  {_reach(reach, around.rows)}" for reach in around.reaches]
    for row in around.rows:
        if not isinstance(row.value, (int, float)) or isinstance(row.value, bool):
            lines.append(f"  {row.parameter} {number(row.was)}: with {number(row.value)} it {_outcome(row)}")
    gained = [row for row in around.rows if row.found == "better"]
    if gained:
        better = ", ".join(f"{row.parameter} {number(row.value)}" for row in gained)
        lines.append(f"  better than the winner on these seeds: {better}; a search around there may pay")
    lines += [f"  not moved: {each['parameter']} {number(each['was'])}: {each['why']}" for each in around.left]
    if not around.complete:
        lines.append("the neighbours are not all trained; the same command goes on")
    return lines


def _reach(reach: Reach, rows: tuple[Neighbour, ...]) -> str:
    """'optimiser.lr_d 0.0021: holds from 0.0014 (as far as it was moved) to 0.0021; 0.0032 breaks it: ...'."""

    def end(value: float, breaks: float | None) -> str:
        return number(value) + (" (as far as it was moved)" if breaks is None and value != reach.was else "")

    low, high = end(reach.low, reach.breaks_below), end(reach.high, reach.breaks_above)
    line = f"{reach.parameter} {number(reach.was)}: "
    line += f"holds from {low} to {high}" if reach.low != reach.high else "holds where it is alone"
    mine = [row for row in rows if row.parameter == reach.parameter]
    for value in (reach.breaks_below, reach.breaks_above):
        if value is not None:
            row = next(row for row in mine if row.value == value)
            line += f"; at {show(value) if isinstance(value, int) else number(value)} it {_outcome(row)}"
    return line


def _outcome(row: Neighbour) -> str:
    ended = ", ".join(f"{count} {reason}" for reason, count in row.ends.items())
    if row.found == "breaks" or row.difference is None:
        return f"{row.found} ({row.healthy} of {row.seeds} seeds healthy: {ended})"
    amount = f"{number(abs(row.difference.better))} {'better' if row.difference.better >= 0 else 'worse'}"
    word = "holds" if row.found == "holds" else f"is {row.found}"
    return f"{word} ({amount}, 95% {span(row.difference.interval)})"
