"""User and password of a tracker: a canary is looked for wherever it could be seen."""

from __future__ import annotations

import base64
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.errors import InputError, Unreachable
from pipeline.sweeps.sweep import Sweep
from pipeline.tracking.mlflow import credentials
from pipeline.tracking.mlflow.credentials import hidden, public, redact, without
from pipeline.tracking.mlflow.location import check, database
from pipeline.tracking.process import TrackerProcess
from tests.drivers.fake_tune import FakeTune

CANARY = "c4n4ry-p4ss"


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_held", {})
    for name in (*credentials.NAMES, credentials.URI):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def guarded() -> Iterator[tuple[str, list[str | None]]]:
    """A server that wants a password, as far as the first question of a tracker goes, and what it was asked with."""
    asked: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization"))
            right = asked[-1] == "Basic " + base64.b64encode(f"me@work:{CANARY}".encode()).decode()
            self.send_response(200 if right or asked[-1] == f"Bearer {CANARY}" else 401)
            self.end_headers()
            self.wfile.write(b'{"experiment": {}}')

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()


def credentials_file(home: Path) -> None:
    (home / ".mlflow").mkdir()
    text = f"[mlflow]\nmlflow_tracking_username = me@work\nmlflow_tracking_password = {CANARY}\n"
    (home / ".mlflow" / "credentials").write_text(text)


@pytest.mark.parametrize("by", ["address", "variables", "token", "file"])
def test_what_mlflows_client_reaches_is_reached(
    by: str, guarded: tuple[str, list[str | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, asked = guarded
    monkeypatch.setenv("HOME", str(tmp_path))
    uri = f"http://{where}"
    with pytest.raises(Unreachable, match="401 Unauthorized; set MLFLOW_TRACKING_USERNAME"):
        check(uri)
    if by == "address":
        uri = public(f"http://me%40work:{CANARY}@{where}")
        assert uri == f"http://{where}"
    elif by == "variables":
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me@work")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", CANARY)
    elif by == "token":
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", CANARY)
    else:
        credentials_file(tmp_path)
    check(uri)
    assert asked[-1] is not None


@pytest.mark.parametrize("host", ["[x", "127.0.0.1:82x65", ""])
def test_an_address_that_is_none_is_refused_without_its_password(host: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'^--tracking-uri: found "http://\S*"; valid: sqlite:///FILE') as error:
        Sweep.from_file("digits", home=tmp_path, tracking_uri=f"http://me:{CANARY}@{host}")
    assert CANARY not in str(error.value)


@pytest.mark.parametrize("named_by", ["option", "variable"])
def test_a_password_in_the_address_is_nowhere(
    named_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody listens there: the tracker's process says so again and again."""
    uri = f"http://me:{CANARY}@127.0.0.1:9"
    if named_by == "variable":
        monkeypatch.setenv(credentials.URI, uri)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", CANARY)
    sweep = Sweep.from_file("digits", name="one", home=tmp_path, tracking_uri=uri if named_by == "option" else None)
    assert sweep.launch.tracking_uri == sweep.tracking_uri == "http://127.0.0.1:9"
    with pytest.raises(
        Unreachable, match=r"tracker http://127\.0\.0\.1:9: does not answer \(Connection refused\)"
    ) as error:
        check(sweep.tracking_uri)
    assert CANARY not in str(error.value)
    (tmp_path / "one").mkdir()
    FakeTune(tmp_path / "one", trials=1).go()
    tracker = TrackerProcess(tmp_path / "one", sweep.tracking_uri)
    tracker.start()
    try:
        [process] = [each for each in psutil.Process().children() if "pipeline.tracking.process" in each.cmdline()]
        for _ in range(100):
            if tracker.error:
                break
            threading.Event().wait(0.2)
        assert tracker.error
        assert CANARY not in " ".join(process.cmdline())
        assert CANARY not in Path(f"/proc/{process.pid}/environ").read_text()
    finally:
        tracker.close(0.0)
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err + tracker.error
    assert "127.0.0.1" in said.err
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
    with hidden():
        assert CANARY not in str(os.environ)
    assert CANARY not in str(without())
    if named_by == "variable":  # it is the user's, and stays
        assert os.environ["MLFLOW_TRACKING_PASSWORD"] == CANARY


@pytest.mark.parametrize(
    "uri", ["postgresql://me:{}@host/db", "databricks://{}@profile", "ftp://me:{}@host", "mysql+pymysql://me:{}@h/d"]
)
def test_an_address_of_another_kind_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(InputError, match=r"valid: sqlite:///FILE, or the http\(s\)://") as error:
        database(uri.format(CANARY))
    assert CANARY not in str(error.value)


def test_what_is_held_is_redacted_in_any_text() -> None:
    public(f"http://me:{CANARY}@host")
    assert redact(f"could not log in with {CANARY} at http://me:{CANARY}@host/x") == (
        "could not log in with *** at http://***@host/x"
    )
