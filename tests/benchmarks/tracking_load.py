"""Twenty sweeps at once send ten thousand points each to one MLflow server on PostgreSQL: none is lost or doubled. One
that the busy server turned away for too long says so, and is synced again.

pytest -s tests/benchmarks/tracking_load.py: some minutes, too long for the suite."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from pipeline.record.log import read
from pipeline.record.state import SweepState
from tests import postgres, s3
from tests.benchmarks.team import mlflow_server
from tests.integration import command
from tests.integration.command import Running
from tests.report.synthetic import Made

pytestmark = pytest.mark.slow
SWEEPS, EVALUATIONS, TIMES = 20, 850, 4
Points = Counter[tuple[str, int, float]]


def sent(database: str, sweep: str) -> tuple[int, Points]:
    """How many points the run of its trial has, and those of its metrics."""
    import psycopg2

    with psycopg2.connect(database.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select m.key, m.step, m.value from metrics m join tags s using (run_uuid) join tags k using (run_uuid) "
            "where s.key = 'gansweep.sweep' and s.value = %s and k.key = 'gansweep.kind' and k.value = 'trial'",
            (sweep,),
        )
        rows = cursor.fetchall()
    return len(rows), Counter(row for row in rows if row[0] in ("fid", "coverage"))


def test_twenty_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PATIENCE", 1800.0)  # on two cores
    if postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    pytest.importorskip("psycopg2", reason="of the extra: pip install -e .[cluster] -c constraints.txt")
    names = [f"sweep-{number}" for number in range(SWEEPS)]
    for name in names:
        sweep = Made(tmp_path / name, trials=1, evaluations=EVALUATIONS).searched()
        sweep.driver("finished")
        for line in sweep.lines:
            line.pop("samples", None)  # there are none, and each that is missing is said
        sweep.write()
    with s3.running() as server, postgres.running() as database, mlflow_server(database, server, tmp_path) as uri:
        began = time.monotonic()
        left, turned_away = names, 0
        for _ in range(TIMES):
            running = {name: Running(tmp_path, "sync", name, "--tracking-uri", uri) for name in left}
            done = {name: each.wait() for name, each in running.items()}
            assert {each.code for each in done.values()} <= {0, 3}, [each.err for each in done.values()]
            left = [name for name, each in done.items() if each.code]
            turned_away += len(left)
        took = time.monotonic() - began
        assert left == [], [done[name].err for name in left]
        total = 0
        for name in names:
            (run,) = SweepState.fold(read(tmp_path / name / "events.jsonl")[0]).runs
            expected: Points = Counter(
                (key, m.images, value) for m in run.measurements for key, value in m.metrics.items()
            )
            count, points = sent(database, name)
            assert count >= 10_000
            assert points == expected
            total += count
    print(f"{SWEEPS} sweeps, {total:,} points in {took:.0f} s, none lost or doubled; {turned_away} were synced again")
