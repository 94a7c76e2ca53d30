"""The lock: one driver at a time, a dead one's lock taken over, another host's judged by its heartbeat."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import InputError, Superseded, Unreachable
from pipeline.record import lock as locks
from pipeline.record.lock import NAME, STALE, Fence, Lock, holder

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from pipeline.record.lock import Lock
Lock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(600)
"""
TAKE = """
import sys, time
from pathlib import Path
from pipeline.errors import InputError
from pipeline.record.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    lock.acquire()
    print("held", "over" if lock.taken_over else "new", flush=True)
except InputError as error:
    print(error, flush=True)
sys.stdin.readline()  # holds it until all have tried
"""


def process(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, folder], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def until(said: Callable[[], bool]) -> None:
    """Waits for what a thread or process does; the limit only ends a test that fails."""
    limit = time.monotonic() + 30
    while not said():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clothes").mkdir()
    return tmp_path / "clothes"


@pytest.fixture
def other(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with process(HOLD, folder) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        yield running
        running.kill()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    """A lock is looked at for so many seconds alone."""
    monkeypatch.setattr(locks, "STALE", 0.8)
    return 0.8


def write(folder: Path, **changes: object) -> None:
    """A lock as a driver of another host wrote it."""
    found = {"pid": 17, "born": 1.0, "host": "far-away", "session": "x", "since": "2026-01-02 03:04:05"} | changes
    (folder / NAME).write_text(json.dumps(found))


def held_here(folder: Path) -> dict[str, object]:
    """What a lock of this process says."""
    lock = Lock(folder)
    lock.acquire()
    found: dict[str, object] = json.loads((folder / NAME).read_text())
    lock.release()
    return found


def test_nobody_holds_what_was_never_taken(folder: Path) -> None:
    assert holder(folder) is None


def test_a_second_driver_is_refused_with_the_holders_name(folder: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(InputError, match=f"driven by process {other.pid} on {socket.gethostname()}") as error:
        Lock(folder).acquire()
    assert "gansweep stop clothes" in str(error.value)
    found = holder(folder)
    assert found is not None
    assert found["pid"] == other.pid


def test_a_second_driver_in_the_same_process_is_refused_too(folder: Path) -> None:
    first = Lock(folder)
    first.acquire()
    with pytest.raises(InputError, match=f"process {os.getpid()}"):
        Lock(folder).acquire()
    first.release()
    second = Lock(folder)
    second.acquire()
    assert second.taken_over is None
    second.release()


def test_after_release_nobody_holds_it(folder: Path) -> None:
    lock = Lock(folder)
    lock.acquire()
    lock.release()
    assert holder(folder) is None
    assert not (folder / NAME).exists()


def test_the_lock_of_a_killed_driver_is_taken_over_and_said(folder: Path, other: subprocess.Popen[str]) -> None:
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert holder(folder) is None
    lock = Lock(folder)
    lock.acquire()
    assert lock.taken_over is not None
    assert lock.taken_over["pid"] == other.pid
    assert holder(folder) is not None
    lock.release()


def test_a_killed_driver_that_nobody_has_waited_for_is_dead(folder: Path, other: subprocess.Popen[str]) -> None:
    os.kill(other.pid, signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert holder(folder) is None


def test_a_process_that_got_the_number_of_a_dead_driver_is_not_taken_for_it(folder: Path) -> None:
    write(folder, **held_here(folder) | {"born": 1.0})
    assert holder(folder) is None
    lock = Lock(folder)
    lock.acquire()  # at once: there is nothing to wait for
    assert lock.taken_over is not None
    lock.release()


def beating(folder: Path, seconds: float, shift: float = 0.0) -> threading.Thread:
    """The heart of a driver of another host, whose clock differs by `shift`."""

    def beat() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = time.time() + shift
            os.utime(folder / NAME, (now, now))
            time.sleep(0.1)

    thread = threading.Thread(target=beat)
    thread.start()
    return thread


@pytest.mark.parametrize("shift", [0.0, -20.0, 20.0, -86_400.0, 86_400.0])
def test_a_driver_on_another_host_lives_as_long_as_its_heart_beats_whatever_its_clock_says(
    folder: Path, short: float, shift: float
) -> None:
    write(folder)
    heart = beating(folder, 2 * short, shift)
    with pytest.raises(InputError, match="process 17 on far-away since 2026-01-02 03:04:05"):
        Lock(folder).acquire()
    heart.join()
    said: list[str] = []
    lock = Lock(folder, say=said.append)
    lock.acquire()
    assert lock.taken_over is not None
    assert lock.taken_over["host"] == "far-away"
    lock.release()


@pytest.mark.parametrize("changes", [{"host": "far-away"}, {"processes": "of another container"}, {"processes": None}])
def test_a_process_number_of_elsewhere_says_nothing(folder: Path, short: float, changes: dict[str, object]) -> None:
    """This process is alive, and still not the holder: a container has the host's name and numbers of its own."""
    write(folder, **held_here(folder) | changes)
    heart = beating(folder, 2 * short)
    with pytest.raises(InputError, match="driven by process"):
        Lock(folder).acquire()
    heart.join()
    lock = Lock(folder)
    lock.acquire()
    assert lock.taken_over is not None
    lock.release()


def test_who_only_looks_takes_the_age_by_the_storages_clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder)
    real = time.time
    for shift in (-3600.0, 20.0, 3600.0):
        monkeypatch.setattr(time, "time", lambda shift=shift: real() + shift)
        assert holder(folder) is not None
    monkeypatch.undo()
    old = time.time() - STALE - 1
    os.utime(folder / NAME, (old, old))
    assert holder(folder) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"pid": 1}', '{"host": 1, "pid": "x"}', "\x00\x00"])
def test_a_damaged_lock_is_nobodys(folder: Path, short: float, damage: str) -> None:
    (folder / NAME).write_text(damage)
    old = time.time() - STALE - 1
    os.utime(folder / NAME, (old, old))
    assert holder(folder) is None
    lock = Lock(folder)
    lock.acquire()
    assert holder(folder) is not None
    lock.release()


@pytest.mark.parametrize("stale", [False, True])
def test_of_takers_at_the_same_time_one_gets_it(folder: Path, stale: bool) -> None:
    if stale:
        write(folder, **held_here(folder) | {"born": 1.0})
    takers = [process(TAKE, folder) for _ in range(6)]
    try:
        for taker in takers:
            assert taker.stdout is not None
            assert taker.stdout.readline() == "ready\n"
        for taker in takers:
            assert taker.stdin is not None
            taker.stdin.write("\n")
            taker.stdin.flush()
        said = [taker.stdout.readline().strip() for taker in takers if taker.stdout]
    finally:
        for taker in takers:
            taker.kill()
            taker.communicate()
    assert sorted(line for line in said if line.startswith("held")) == ["held over" if stale else "held new"]
    winner = takers[[line.startswith("held") for line in said].index(True)]
    assert all(f"driven by process {winner.pid} " in line for line in said if not line.startswith("held"))


def test_the_heart_beats(folder: Path) -> None:
    beats: list[float] = []
    lock = Lock(folder, each_beat=lambda: beats.append((folder / NAME).stat().st_mtime))
    lock.acquire()
    old = time.time() - 2 * STALE
    os.utime(folder / NAME, (old, old))
    until(lambda: len(beats) >= 2)
    lock.release()
    assert all(beat > old + STALE for beat in beats)
    assert not lock.lost


def test_a_driver_whose_lock_another_one_took_notices_and_leaves_it_alone(folder: Path) -> None:
    lock = Lock(folder)
    lock.acquire()
    write(folder)
    until(lambda: lock.lost)
    lock.release()
    assert json.loads((folder / NAME).read_text())["session"] == "x"
    with pytest.raises(Superseded, match=r"process 17 on far-away .* has it now"):
        lock.fence.check()


def test_a_driver_whose_lock_was_removed_notices(folder: Path) -> None:
    lock = Lock(folder)
    lock.acquire()
    (folder / NAME).unlink()
    until(lambda: lock.lost)
    lock.release()
    with pytest.raises(Superseded, match="its lock file was removed"):
        lock.fence.check()


def test_a_fence_holds_for_its_session_alone(folder: Path) -> None:
    lock = Lock(folder)
    lock.acquire()
    Fence(folder, lock.session).check()
    with pytest.raises(Superseded):
        Fence(folder, "another").check()
    lock.release()
    assert not lock.fence.holds()


def test_a_place_without_room_for_a_lock_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreachable, match="cannot be locked"):
        Lock(tmp_path / "file" / "sweep").acquire()
