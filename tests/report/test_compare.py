"""Sweeps side by side, and one trial by itself, on the terminal."""

from pathlib import Path

import pytest
from rich.console import Console

from pipeline.errors import InputError
from pipeline.report.compare import compare, comparison_table, words
from pipeline.report.shown import shown, sparkline, spec_yaml, trial_of
from pipeline.space.load import load_trial
from tests.report.synthetic import Made


def printed(renderable: object) -> str:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(renderable, crop=False)
    return capture.get()


def sweep(folder: Path, trials: int = 12) -> Made:
    made = Made(folder, trials=trials).searched()
    made.driver("finished")
    made.write()
    return made


def test_two_sweeps_of_one_kind_are_ranked(tmp_path: Path) -> None:
    one, other = sweep(tmp_path / "one", 6), sweep(tmp_path / "other", 24)
    found = compare([one.state(), other.state()])
    scores = {each.name: each.best for each in found.sweeps}
    assert found.why_not is None
    assert list(found.order) == sorted(scores, key=lambda name: scores[name] or 0)
    assert found.differs == {"search.trials": (6, 24)}
    text = printed(comparison_table(found))
    assert "best of the search" in text
    assert "search.trials" in text
    assert "core-hours" in text
    assert "the search's best, which is not confirmed in all" in words(found)


@pytest.mark.parametrize(
    ("key", "value", "what"), [("features", "cnn-2", "features"), ("data", {"name": "mnist"}, "data")]
)
def test_what_was_measured_otherwise_is_shown_and_not_ranked(
    tmp_path: Path, key: str, value: object, what: str
) -> None:
    one, other = sweep(tmp_path / "one"), sweep(tmp_path / "other")
    next(line for line in other.lines if line["event"] == "prepared")[key] = value
    found = compare([one.state(), other.state()])
    assert found.order == ()
    assert words(found).startswith(f"they cannot be ranked: their {what} differ")
    assert all(each.best is not None for each in found.sweeps)


def test_one_sweep_or_the_same_one_twice_is_refused(tmp_path: Path) -> None:
    one = sweep(tmp_path / "one", 4)
    with pytest.raises(InputError, match="found 1 sweep; valid: two or more"):
        compare([one.state()])
    with pytest.raises(InputError, match="found one, one; valid: each sweep once"):
        compare([one.state(), one.state()])


def test_a_trial_is_shown_with_its_curves_its_end_and_its_picture(tmp_path: Path) -> None:
    made = sweep(tmp_path / "made", 24)
    made.pictures([3])
    state = made.state()
    failed = next(trial for trial in state.trials.values() if trial.end_reason == "collapsed")
    text = printed(shown(state, failed, made.folder))
    assert "collapsed: coverage < 0.1" in text
    assert "(not on this disk)" in text
    text = printed(shown(state, state.trials[3], made.folder))
    assert "samples/" in text
    assert "not on this disk" not in text
    row = next(line for line in text.splitlines() if line.startswith("fid  "))
    assert "█" in row
    assert "▁" in row
    assert row.index("█") < row.index("▁")


def test_its_spec_is_a_file_that_train_takes(tmp_path: Path) -> None:
    made = sweep(tmp_path / "made", 6)
    state = made.state()
    (tmp_path / "taken.yaml").write_text(spec_yaml(state, state.trials[4]))
    spec, file, _ = load_trial(str(tmp_path / "taken.yaml"))
    assert file.objective == "fid"
    assert spec.optimiser.lr_g == state.trials[4].params["optimiser.lr_g"]


def test_a_trial_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="made: has no trial 99; valid: 0, 1, 2, 3"):
        trial_of(sweep(tmp_path / "made", 4).state(), 99)


def test_a_sparkline_has_a_block_a_value_as_far_as_there_is_room() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, float("nan"), 2]) == "▁ █"
    assert len(sparkline(list(range(1000)), width=20)) == 20
