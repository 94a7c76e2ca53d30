"""A tracking server that goes away under a sweep, for a while and for good: nothing is lost, doubled or held up."""

import time
from pathlib import Path

import pytest

from tests.integration.agreement import disagreements
from tests.integration.command import SWEEP, Running, events, found, gansweep, measured, state_of
from tests.integration.conftest import Finished
from tests.tracking.servers import answers, free_port, server, until

pytestmark = pytest.mark.slow

SHORT, LONG = 5.0, 60.0  # seconds without a server


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A home whose database is behind a server, and the server's port."""
    home = tmp_path_factory.mktemp("tracked") / "home"
    home.mkdir()
    return home, free_port()


def test_a_server_that_is_gone_for_a_moment_misses_nothing(tracked: tuple[Path, int], whole: Finished) -> None:
    home, port = tracked
    uri = f"http://127.0.0.1:{port}"
    with server(home, port):
        until(lambda: answers(uri))
        running = Running(home, "run", *SWEEP, "--name", "moment", "--tracking-uri", uri)
        running.until("moment", lambda lines: measured(lines, trial=1))
    time.sleep(SHORT)
    with server(home, port):
        done = running.wait()
        assert done.code == 0, done.err
        until(lambda: answers(uri))
        assert gansweep(home, "sync", "moment").code == 0
    assert found(state_of(home, "moment")) == found(whole.state)
    assert disagreements(home, "moment", uri_of_memory=uri) == []


def test_a_server_that_does_not_come_back_is_one_warning_and_all_is_sent_once_it_does(
    tracked: tuple[Path, int], whole: Finished
) -> None:
    home, port = tracked
    uri = f"http://127.0.0.1:{port}"
    with server(home, port):
        until(lambda: answers(uri))
        running = Running(home, "run", *SWEEP, "--trials", "3", "--name", "gone", "--tracking-uri", uri)
        running.until("gone", lambda lines: measured(lines, trial=1))
    gone = time.monotonic()
    done = running.wait()
    assert done.code == 0, done.err
    assert done.err.count("warning:") == 1, done.err
    assert uri in done.err
    assert "gansweep sync gone" in done.err
    assert "Traceback" not in done.err
    assert found(state_of(home, "gone")) == found(whole.state)[:3]
    status = gansweep(home, "status", "gone", "--json")
    assert status.document["tracker_backlog"] > 0

    extended = gansweep(home, "resume", "gone", "--trials", "4", "--json")  # needs no tracker
    assert extended.code == 0, extended.err
    assert extended.document["tracker_backlog"] > status.document["tracker_backlog"]
    time.sleep(max(0.0, LONG - (time.monotonic() - gone)))
    with server(home, port):
        until(lambda: answers(uri))
        assert gansweep(home, "sync", "gone").code == 0
    assert gansweep(home, "status", "gone", "--json").document["tracker_backlog"] == 0
    assert len(events(home, "gone")) > 0
    assert disagreements(home, "gone", uri_of_memory=uri) == []
