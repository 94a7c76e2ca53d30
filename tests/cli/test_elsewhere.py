"""run and stop at a dashboard: a sweep is told from another of its name by where it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cluster.jobs import Dashboard, SweepThere
from tests.cli.conftest import Call
from tests.cluster import dashboard

OTHERS = (SweepThere("digits", "/a", ""), SweepThere("digits", "/c", "s3://bucket/us"))
RUN = ("run", "digits", "--address")


@pytest.fixture
def there(tmp_path: Path) -> Iterator[dashboard.StandIn]:
    """Of a cluster where others' sweeps are at work."""
    with dashboard.running() as made:
        for sweep in OTHERS:
            Dashboard(made.address).submit(sweep, tmp_path, "true")
        yield made


@pytest.mark.parametrize("place", [("--home", "/b"), ("--storage", "s3://bucket/them")])
def test_two_of_one_name_are_two_jobs(call: Call, there: dashboard.StandIn, place: tuple[str, str]) -> None:
    done = call(*RUN, there.address, *place)
    assert (done.code, len(there.jobs)) == (0, 3), done
    assert "note: digits is the job " in done.err
    assert done.err.endswith("".join(there.log))
    assert len(there.running()) == 2, "the others go on"


@pytest.mark.parametrize("place", [("--home", "/a/"), ("--storage", "S3://bucket/us/", "--home", "/of/another/head")])
def test_the_same_one_is_looked_at_again(call: Call, there: dashboard.StandIn, place: tuple[str, ...]) -> None:
    done = call(*RUN, there.address, *place)
    assert (done.code, len(there.jobs)) == (0, 2), done
    assert "note: digits is at work as the job " in done.err


@pytest.mark.parametrize(
    ("place", "mine"), [(("--home", "/a"), 0), (("--storage", "s3://bucket/us"), 1), (("--storage", "/a"), 0)]
)
def test_stop_ends_the_one_that_is_meant(
    call: Call, there: dashboard.StandIn, place: tuple[str, ...], mine: int
) -> None:
    assert call("stop", "digits", "--address", there.address, *place).code == 0
    assert [job["status"] for job in there.jobs] == ["STOPPED" if each == mine else "RUNNING" for each in range(2)]


def test_stop_is_refused_where_several_are_meant(call: Call, there: dashboard.StandIn) -> None:
    line = call("stop", "digits", "--address", there.address).line()
    assert line.endswith(
        f"digits: found 2 that run at {there.address}; valid: with --home /a, or --storage s3://bucket/us"
    )
    assert len(there.running()) == 2


def test_stop_says_where_it_is_not(call: Call, there: dashboard.StandIn) -> None:
    line = call("stop", "digits", "--address", there.address, "--home", "/b").line()
    assert line.endswith(f"digits is not running at {there.address} with --home /b")
    assert "valid: an absolute path" in call("stop", "digits", "--address", there.address, "--home", "b").line()
    assert "--storage: found without" in call("stop", "digits", "--storage", "s3://bucket/us").line()


@pytest.mark.parametrize("address", ["http://[x", "http://head:82x65"])
def test_an_address_that_is_none_is_one_line(call: Call, address: str) -> None:
    assert f'--address: found "{address}"' in call("run", "digits", "--home", "/a", "--address", address).line()
    assert f'--address: found "{address}"' in call("stop", "digits", "--address", address).line()
