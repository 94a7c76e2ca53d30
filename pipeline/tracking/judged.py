"""What MLflow is to hold of votes on a sweep's samples: a share of preferences with each trial, the ranking with the
sweep. No mlflow in here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.judging.judgement import Judgement
from pipeline.judging.votes import VOTES
from pipeline.tracking.files import Upload
from pipeline.tracking.projection import SWEEP, Key, Point, milliseconds

RANKING = "ranking.json"


def points(ranked: Judgement) -> Mapping[Key, list[Point]]:
    """By the number of votes. The time is the last vote's, so that what is sent twice is one point."""
    at = {"time": milliseconds(ranked.last), "step": ranked.votes}
    of_trials: dict[Key, list[Point]] = {
        (row.player, None): [
            Point("judge/share", row.share, **at),
            Point("judge/share_low", row.interval[0], **at),
            Point("judge/share_high", row.interval[1], **at),
            Point("judge/first", row.first, **at),
        ]
        for row in ranked.rows
    }
    best = ranked.rows[0].player
    return of_trials | {SWEEP: [Point("judge/votes", ranked.votes, **at), Point("judge/best_trial", best, **at)]}


def uploads(ranked: Judgement, folder: Path) -> list[Upload]:
    """The ranking as a table, which MLflow shows as one, and the votes themselves."""
    columns = ["trial", "share", "share_low", "share_high", "first", "won", "lost", "even"]
    data = [[row.player, row.share, *row.interval, row.first, row.won, row.lost, row.even] for row in ranked.rows]
    table = json.dumps({"columns": columns, "data": data})
    return [
        Upload(SWEEP, Path(RANKING), "judge", text=table, table=True),
        Upload(SWEEP, folder / VOTES, "judge"),
    ]
