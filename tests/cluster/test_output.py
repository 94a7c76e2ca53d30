"""What a worker prints, and how much of it is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cluster import output
from pipeline.cluster.output import Output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trials/0/seed-1/output-1.txt"


def test_what_the_process_prints_is_in_the_file_and_what_it_prints_after_is_not(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = Output(file)
    with kept.taken():
        pass
    assert (kept.name, file.exists()) == (None, False)
    for text in ("one", "two"):
        with kept.taken():
            os.write(1, f"{text}\n".encode())
            os.write(2, b"of a library\n")
            subprocess.run(["echo", "of a child"], check=True)
        os.write(1, b"elsewhere\n")
    assert file.read_text() == "one\nof a library\nof a child\ntwo\nof a library\nof a child\n"
    assert kept.name == "output-1.txt"
    assert capfd.readouterr().out == "elsewhere\nelsewhere\n"


def test_of_what_is_long_the_end_is_kept_and_it_is_said_where_it_was_cut(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LIMIT", 1000)
    monkeypatch.setattr(output, "LOOK", 0.01)
    earlier, kept = file.with_name("output-1-earlier.txt"), Output(file)
    total = 0
    with kept.taken():
        for round_ in range(3):
            lines = b"".join(b"%d %05d\n" % (round_, number) for number in range(500))
            os.write(1, lines)
            total += len(lines)
            end = time.monotonic() + 60
            while file.stat().st_size > 1000:
                assert time.monotonic() < end
                time.sleep(0.01)
        os.write(1, b"the end\n")
    said, rest = file.read_text().split("\n", 1)
    assert rest == "the end\n"
    assert earlier.stat().st_size == 1000
    assert earlier.read_text().endswith("2 00499\n")
    assert said.startswith("[what was printed before is in output-1-earlier.txt; ")
    assert int(said.split("; ")[1].split()[0].replace(",", "")) >= total - 1000


def test_a_folder_that_cannot_be_written_keeps_nobody(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("a file in its place")
    kept = Output(tmp_path / "trials/output-1.txt")
    with kept.taken():
        pass
    assert kept.name is None


def test_what_was_said_last_is_there_of_one_that_is_killed(file: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from pipeline.cluster.output import Output\n"
        f"with Output(Path({str(file)!r})).taken():\n"
        "    os.write(2, b'last words\\n'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert file.read_text() == "last words\n"
