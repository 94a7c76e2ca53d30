"""The record: on disk before append returns, cut where it was torn, refused where it is damaged, read by cursor."""

import itertools
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.record.check import FORMAT
from pipeline.record.events import REQUIRED, Line
from pipeline.record.log import Record, read
from tests.conftest import fill

KEY = {"trial": 0, "seed": 7, "attempt": 1}
BEGUN = 2  # lines of a record before the first attempt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def opened(path: Path, hook: Callable[[Line, str], None] | None = None) -> Record:
    """A record that has the sweep and its first trial; written once."""
    record = Record(path)
    if not read(path)[0]:
        sweep = {"space": {}, "spec": {}, "seed": 0, "versions": {}}
        record.append("sweep", name="one", source="test.yaml", **sweep)
        record.append("trial", trial=0, point={}, spec={}, source="sampler")
    record.close()
    return Record(path, hook)


def further(path: Path) -> list[Line]:
    """The lines after those that opened() wrote."""
    return read(path)[0][BEGUN:]


def three_lines(path: Path) -> list[Line]:
    record = opened(path)
    lines = [record.append("attempt", **KEY) for _ in range(3)]
    record.close()
    return lines


def test_a_line_is_on_disk_before_append_returns(path: Path) -> None:
    record = opened(path)
    for number in range(BEGUN, BEGUN + 3):
        line = record.append("attempt", **KEY)
        script = "import sys; print(open(sys.argv[1]).readlines()[-1], end='')"
        seen = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
        assert seen.stdout.endswith("\n")
        assert json.loads(seen.stdout) == line
        assert line["n"] == number


def test_what_was_appended_is_what_is_read(path: Path) -> None:
    record = opened(path)
    written = [record.append("driver", session="s", state="started", launch={"a": [1, 2.5, None, True, "x"]})]
    written.append(record.append("attempt_ended", **KEY, why="node gone: \n é"))
    assert (further(path), read(path)[1]) == (written, path.stat().st_size)
    assert [line["event"] for line in written] == ["driver", "attempt_ended"]
    assert all(line["v"] == FORMAT for line in written)
    assert written[0]["time"] <= written[1]["time"]


def test_a_second_driver_goes_on_with_the_numbers(path: Path) -> None:
    three_lines(path)
    assert Record(path).append("attempt", **KEY)["n"] == BEGUN + 3
    assert [line["n"] for line in read(path)[0]] == list(range(BEGUN + 4))


@pytest.mark.parametrize("event", REQUIRED)
def test_an_event_without_a_field_that_it_must_have_is_not_written(path: Path, event: str) -> None:
    record, (first, *left) = Record(path), REQUIRED[event]
    with pytest.raises(TypeError, match=f"{event} lacks {first}"):
        record.append(event, **dict.fromkeys(left, 0))
    assert path.read_bytes() == b""


def test_values_that_are_not_finite_come_back_from_lines_that_any_reader_of_json_takes(path: Path) -> None:
    values = {"nan": math.nan, "up": math.inf, "down": -math.inf, "in": [1.0, math.nan], "text": "fine"}
    opened(path).append("run_ended", **KEY, reason="non_finite", evidence=values)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    for raw in path.read_text().splitlines():
        json.loads(raw, parse_constant=refuse)
    found = further(path)[0]["evidence"]
    assert math.isnan(found["nan"])
    assert (found["up"], found["down"], found["text"]) == (math.inf, -math.inf, "fine")
    assert found["in"][0] == 1.0
    assert math.isnan(found["in"][1])


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_last_line_is_cut_off_and_said(path: Path, kept: int) -> None:
    lines = three_lines(path)
    raw = path.read_bytes().splitlines(keepends=True)
    torn = raw[-1][:kept]
    path.write_bytes(b"".join(raw[:-1]) + torn)
    assert (further(path), read(path)[1]) == (lines[:2], len(b"".join(raw[:-1])))
    record = Record(path)
    assert record.torn == torn.decode()
    again = record.append("attempt", **KEY)
    assert again["n"] == BEGUN + 2
    assert further(path) == [*lines[:2], again]


def test_a_whole_record_has_nothing_torn(path: Path) -> None:
    three_lines(path)
    before = path.read_bytes()
    assert Record(path).torn is None
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", [b"\0" * 40 + b"\n", b'{"v": 1, "n": 1,\n', b"17\n", b'{"n": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_line_in_the_middle_is_an_error_that_names_its_byte(path: Path, damage: bytes) -> None:
    three_lines(path)
    raw = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*raw[:3], damage, raw[4]])
    path.write_bytes(damaged)
    for look in (read, Record):
        with pytest.raises(InputError, match=rf"line 4 \(byte {len(b''.join(raw[:3]))}\): it ") as error:
            look(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    assert path.read_bytes() == damaged


def test_a_full_disk_leaves_whole_lines_and_with_room_again_it_goes_on(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(1)
    record = opened(disk / "events.jsonl")
    ballast = fill(disk, leave=20_000)
    written = []
    with pytest.raises(OSError, match="No space left"):  # noqa: PT012
        while True:
            written.append(record.append("attempt_ended", **KEY, why="x" * 3000))
    assert (further(record.path), read(record.path)[1]) == (written, record.path.stat().st_size)
    assert len(written) > 3
    ballast.unlink()
    written.append(record.append("attempt", **KEY))
    assert further(record.path) == written
    assert [line["n"] for line in written] == list(range(BEGUN, BEGUN + len(written)))


def test_a_newer_format_is_refused_with_what_to_do(path: Path) -> None:
    three_lines(path)
    newer = json.loads(path.read_text().splitlines()[0]) | {"v": FORMAT + 1}
    with path.open("a") as file:
        file.write(json.dumps(newer) + "\n")
    with pytest.raises(InputError, match=f"written in format {FORMAT + 1}.*install a newer one"):
        read(path)


def test_a_reader_goes_on_from_its_cursor(path: Path) -> None:
    lines = three_lines(path)
    first, cursor = read(path, limit=BEGUN + 1)
    second, cursor = read(path, cursor, limit=1)
    rest, end = read(path, cursor)
    assert (first[BEGUN:], second, rest) == (lines[:1], lines[1:2], lines[2:])
    assert end == path.stat().st_size
    assert read(path, end) == ([], end)
    again = Record(path).append("attempt", **KEY)
    assert read(path, end)[0] == [again]


def test_a_reader_does_not_take_half_a_line(path: Path) -> None:
    lines = three_lines(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    found, cursor = read(path)
    assert found[BEGUN:] == lines[:2]
    path.write_bytes(raw)
    assert read(path, cursor)[0] == lines[2:]


def test_the_hook_sees_each_line_before_and_after_it_is_written(path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    record = opened(path, lambda line, when: seen.append((when, line["n"] - BEGUN, len(further(path)))))
    for _ in range(2):
        record.append("attempt", **KEY)
    assert seen == [("before", 0, 0), ("after", 0, 1), ("before", 1, 1), ("after", 1, 2)]


def test_a_hook_that_raises_before_leaves_no_line(path: Path) -> None:
    def fail(line: Line, when: str) -> None:
        if line["n"] == BEGUN + 1:
            raise RuntimeError("killed here")

    record = opened(path, fail)
    record.append("attempt", **KEY)
    with pytest.raises(RuntimeError):
        record.append("attempt", **KEY)
    assert len(further(path)) == 1


def test_listeners_hear_of_a_line_that_is_on_disk(path: Path) -> None:
    record = opened(path)
    heard: list[tuple[Line, int]] = []
    record.append("attempt", **KEY)
    record.listen(lambda line: heard.append((line, len(further(path)))))
    line = record.append("attempt", **KEY)
    assert heard == [(line, 2)]


def test_lines_of_several_threads_are_whole_and_numbered_in_order(path: Path) -> None:
    record = opened(path)
    threads = [threading.Thread(target=lambda: [record.append("attempt", **KEY) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line["n"] for line in further(path)] == list(range(BEGUN, BEGUN + 40))


def test_no_two_lines_have_the_same_millisecond_and_time_never_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 100.0, 100.0001, 50.0, 50.0])  # a quick disk, then a clock that is set back
    monkeypatch.setattr("time.time", lambda: next(clock, 51.0))
    path = tmp_path / "events.jsonl"
    for _ in range(2):  # the second record goes on from the first one's last line
        record = opened(path)
        for _ in range(4):
            record.append("driver", session="a", state="started")
        record.close()
    times = [round(line["time"] * 1000) for line in read(path)[0]]
    assert times[0] == 100_000
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
