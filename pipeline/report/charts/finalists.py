"""The finalists: by a pick a dot a fresh seed and the interval of their mean, by eye how often each is preferred."""

from __future__ import annotations

import math

from pipeline.judging.judgement import Judgement
from pipeline.picking.standing import confirmed_score
from pipeline.picking.verdict import Verdict
from pipeline.record.state import SweepState
from pipeline.report.charts.chart import Axis, Chart, Series, wide
from pipeline.report.charts.runs import objective
from pipeline.report.numbers import number


def finalists_chart(state: SweepState, verdict: Verdict) -> Chart:
    """Best above. A failed seed has no score; how many there were is in the name."""
    rows = list(reversed(verdict.rows))
    names = tuple(
        f"trial {row.trial}{' (default)' if row.trial == verdict.default else ''}, {row.healthy} of {row.seeds} healthy"
        for row in rows
    )
    dots, at, said = list[float](), list[float](), list[str]()
    for place, row in enumerate(rows):
        for run in state.trials[row.trial].confirmations.values():
            score = confirmed_score(run, state.metric)
            if score is not None and run.seed in row.ends:
                dots.append(score)
                at.append(float(place))
                said.append(f"trial {row.trial}, seed {run.seed}: {number(score)}")
    known = [(place, row) for place, row in enumerate(rows) if row.score is not None]
    scores = tuple(row.score if row.score is not None else math.nan for _, row in known)
    means = Series(
        "mean, 95%",
        "best",
        scores,
        tuple(float(place) for place, _ in known),
        "dots",
        tuple(f"trial {row.trial}: {number(row.score)}" for _, row in known),
        low=tuple(row.interval[0] if row.interval else math.nan for _, row in known),
        high=tuple(row.interval[1] if row.interval else math.nan for _, row in known),
        mark="diamond",
        strong=True,
    )
    seeds = Series("one fresh seed", "completed", tuple(dots), tuple(at), "dots", tuple(said))
    ends = [*means.low, *means.high, *dots]
    return Chart(
        "finalists",
        "The finalists on fresh seeds",
        f"{state.metric} on the test part: a dot a seed that the search never used, a diamond the mean with its 95% "
        "interval. A seed that failed has no dot.",
        Axis(objective(state), log=wide([end for end in ends if math.isfinite(end)])),
        Axis("", categories=names),
        (seeds, means),
    )


def judged_chart(judgement: Judgement) -> Chart:
    """How often eyes prefer each trial to the others; the most liked above."""
    rows = list(reversed(judgement.rows))
    return Chart(
        "judged",
        "Judged by eye, blind",
        "How often a trial is preferred to each other one, with its 95% interval (Bradley and Terry 1952); 50% is as "
        "often as not.",
        Axis("preferred, %"),
        Axis("", categories=tuple(f"trial {row.player}: {row.won} won, {row.lost} lost" for row in rows)),
        (
            Series(
                "preferred, 95%",
                "best",
                tuple(100 * row.share for row in rows),
                tuple(float(place) for place in range(len(rows))),
                "dots",
                tuple(f"trial {row.player}: {row.share:.0%}" for row in rows),
                low=tuple(100 * row.interval[0] for row in rows),
                high=tuple(100 * row.interval[1] for row in rows),
                mark="diamond",
                strong=True,
            ),
        ),
    )
