"""The votes' file: what counts, and what a kill or a hand leaves in it."""

from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.judging.judgement import judgement
from pipeline.judging.votes import VOTES, Entry, Shown, add, votes

LEFT, RIGHT = Shown(trial=3, seed=5, images=100), Shown(trial=8, seed=5, images=100)


def vote(folder: Path, id: str, choice: str = "left", by: str = "ann") -> None:
    add(folder, Entry(said="vote", time=1.0, by=by, id=id, left=LEFT, right=RIGHT, choice=choice, seconds=2.0))  # type: ignore[arg-type]


def test_what_is_added_is_read_in_its_order(tmp_path: Path) -> None:
    assert votes(tmp_path) == []
    vote(tmp_path, "a")
    vote(tmp_path, "b", "even")
    vote(tmp_path, "c", "skip")
    assert [each.choice for each in votes(tmp_path)] == ["left", "even", "skip"]
    assert votes(tmp_path)[0].left == LEFT
    found = judgement(tmp_path)
    assert found is not None
    assert (found.votes, found.even, found.passed, found.left) == (2, 1, 1, 1)
    assert [row.player for row in found.rows] == [3, 8]


def test_one_that_is_sent_twice_counts_once_and_one_taken_back_not_at_all(tmp_path: Path) -> None:
    vote(tmp_path, "a")
    vote(tmp_path, "a")
    vote(tmp_path, "b", "right")
    add(tmp_path, Entry(said="undone", time=2.0, by="ann", id="b"))
    assert [each.choice for each in votes(tmp_path)] == ["left"]


def test_votes_after_a_look_at_the_ranking_are_told_apart(tmp_path: Path) -> None:
    vote(tmp_path, "a")
    add(tmp_path, Entry(said="seen", time=2.0, by="ann"))
    vote(tmp_path, "b")
    vote(tmp_path, "c", by="bob")
    assert [each.seen for each in votes(tmp_path)] == [False, True, False]


def test_a_torn_last_line_is_none_and_is_not_run_into_by_the_next(tmp_path: Path) -> None:
    vote(tmp_path, "a")
    whole = (tmp_path / VOTES).read_bytes()
    for length in range(len(whole)):
        (tmp_path / VOTES).write_bytes(whole + whole[:length])
        assert len(votes(tmp_path)) == 1
    vote(tmp_path, "b", "right")
    assert [each.choice for each in votes(tmp_path)] == ["left", "right"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"v": 1, "said": "vote", "time": 1.0, "by": "ann", "choise": "left"}', "choise"),
        ("not json", "Invalid JSON"),
        ('{"v": 2, "said": "seen", "time": 1.0, "by": "ann"}', "format 2"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    vote(tmp_path, "a")
    with (tmp_path / VOTES).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=f"judge.jsonl: line 2: .*{what}"):
        votes(tmp_path)
