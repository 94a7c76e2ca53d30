"""The report: what it says of a sweep in each of its states, and that it needs nothing but itself."""

import re
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.picking.standing import FRESH
from pipeline.record.lock import Lock
from pipeline.report.charts.chart import Chart, Parallel
from pipeline.report.charts.interactive import described
from pipeline.report.charts.runs import expected_best
from pipeline.report.page.figures import charts, figures, save_figures
from pipeline.report.page.leaderboard import leaderboard
from pipeline.report.page.page import html, write
from pipeline.sweeps.setup import Setup
from tests.report.recorded import unpacked
from tests.report.synthetic import Made


def visible(page: str) -> str:
    """The words of a page, without its scripts, styles and tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


@pytest.fixture(scope="module")
def picked(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("home") / "made").searched()
    made.driver("finished")
    best = made.state().best_trial
    assert best is not None
    assert best.number != 0
    made.picked({best.number: ["top 1"], 0: ["default"]})
    made.pictures([best.number, 0])
    made.write()
    return made


@pytest.fixture(scope="module")
def page(picked: Made) -> str:
    return html(picked.state(), picked.folder)


def test_it_answers_first(picked: Made, page: str) -> None:
    best, words = picked.state().best_trial, visible(page)
    assert best is not None
    assert f"Use trial {best.number}" in words
    assert "3 of 3 fresh seeds healthy" in words
    assert words.index(f"Use trial {best.number}") < words.index("All trials") < words.index("How to reproduce it")
    assert "against the default 5" in words
    assert "better" in words
    assert "core-hours" in words
    assert "gansweep pick made-again --top 2 --seeds 3" in words


def test_it_asks_nothing_of_a_network(page: str) -> None:
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", own)
    assert "@import" not in own
    assert "url(" not in own


def test_samples_are_side_by_side_with_one_seed_and_all_their_frames(picked: Made, page: str) -> None:
    assert len(re.findall(r'<figure class="grid" data-strip>', page)) == 2
    assert len(set(re.findall(r'class="sub">seed (\d+),', page))) == 1
    assert page.count("data:image/webp;base64,") == 2 * 10


def test_a_sweep_that_is_searched_alone_is_said_to_be_unconfirmed(tmp_path: Path) -> None:
    made = Made(tmp_path / "made", trials=12).searched()
    made.driver("finished")
    best = made.state().best_trial
    words = visible(html(made.state(), made.write()))
    assert best is not None
    assert f"Trial {best.number} is the best so far, and not confirmed" in words
    assert "gansweep pick made" in words


def test_running_interrupted_and_failed_are_said(tmp_path: Path) -> None:
    made = Made(tmp_path / "made", trials=8).searched()
    made.write()
    assert "was interrupted" in visible(html(made.state(), made.folder))
    driver = Lock(made.folder)
    driver.acquire()
    assert "This sweep is running" in visible(html(made.state(), made.folder))
    driver.release()
    made.driver("failed")
    words = visible(html(made.state(), made.write()))
    assert "This sweep failed before its end" in words
    assert "gansweep resume made" in words


def test_a_pick_that_is_not_over_is_said(tmp_path: Path) -> None:
    made = Made(tmp_path / "made", trials=12).searched()
    made.driver("finished")
    best = made.state().best_trial
    assert best is not None
    made.driver("started", "pick")
    made.add("pick", top=1, seeds=3, finalists={str(best.number): ["top 1"], "0": ["default"]})
    made.run(best.number, 77, "completed", 60_000, 900.0, replicate=FRESH)
    assert made.lines.pop()["event"] == "run_ended"  # it is under way
    (line,) = [line for line in leaderboard(made.state(), None).lines if line.trial == best.number]
    assert line.strip.rings == ()
    driver = Lock(made.write())
    driver.acquire()
    words = visible(html(made.state(), made.folder))
    assert f"Trial {best.number} is the best so far, and not confirmed" in words
    assert "Finalists are being confirmed on fresh seeds." in words
    driver.release()
    words = visible(html(made.state(), made.folder))
    assert "The pick that is to confirm it is not over, and can be gone on with." in words
    assert "gansweep pick made --home" in words
    assert "go on with the race" in words
    made.driver("failed", "pick")
    assert "The pick that is to confirm it failed before its end" in visible(html(made.state(), made.write()))


def test_a_pick_in_which_nobody_held_is_an_answer_too(tmp_path: Path) -> None:
    made = Made(tmp_path / "made", trials=12).searched()
    made.driver("finished")
    best = made.state().best_trial
    assert best is not None
    made.picked({best.number: ["top 1"], 0: ["default"]})
    fresh = {(run.trial, run.seed) for run in made.state().confirmations}
    for line in made.lines:
        if line["event"] == "run_ended" and (line["trial"], line["seed"]) in fresh:
            line["reason"] = "collapsed"
    words = visible(html(made.state(), made.write()))
    assert "Nothing to use: no finalist held" in words
    assert "No finalist stayed healthy on any of 6 fresh seeds; most ended as collapsed (6)" in words
    assert "Use trial" not in words


def test_an_empty_sweep_and_one_without_a_healthy_trial(tmp_path: Path) -> None:
    empty = Made(tmp_path / "empty")
    words = visible(html(empty.state(), empty.write()))
    assert "Nothing to use yet" in words
    assert "No trial was proposed yet" in words
    with pytest.raises(InputError, match="no trial has a score yet"):
        save_figures(empty.state(), tmp_path / "figures")
    bad = Made(tmp_path / "bad", trials=9, ends=lambda *_: "collapsed").searched()
    for line in bad.lines:
        if line["event"] == "run_ended":
            line["reason"] = "collapsed"
    words = visible(html(bad.state(), bad.write()))
    assert "Nothing to use yet: no trial is completed" in words  # it was interrupted, and may find one
    bad.driver("finished")
    words = visible(html(bad.state(), bad.write()))
    assert "Nothing to use: no trial was healthy" in words
    assert "collapsed 9 runs, 100%" in words
    assert "Use trial" not in words


def test_what_cannot_be_written_is_a_line(picked: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--out: found .*file/page.html: .*; valid: a file that can be written"):
        write(picked.state(), picked.folder, tmp_path / "file" / "page.html")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=r"--out: found .*there: Is a directory"):
        write(picked.state(), picked.folder, tmp_path / "there")
    assert list(tmp_path.glob(".*")) == []
    with pytest.raises(InputError, match=r"--figures: found .*valid: a folder"):
        save_figures(picked.state(), tmp_path / "file")


def test_the_figures_are_those_of_the_page_for_papers_and_notebooks(picked: Made, tmp_path: Path) -> None:
    state = picked.state()
    drawn = charts(state)
    paths = save_figures(state, tmp_path / "figures")
    assert {path.name for path in paths} == {f"{chart.name}.{form}" for chart in drawn for form in ("svg", "png")}
    assert all(path.stat().st_size > 1000 for path in paths)
    assert figures(state).keys() == {chart.name for chart in drawn}
    assert {"finalists", "ends", "learning-curves", "parallel", "budget", "importance"} <= figures(state).keys()


def test_the_charts_say_what_the_record_says(picked: Made) -> None:
    state = picked.state()
    by_name = {chart.name: chart for chart in charts(state)}
    ends, parallel = by_name["ends"], by_name["parallel"]
    assert isinstance(ends, Chart)
    assert isinstance(parallel, Parallel)
    assert sum(sum(series.y) for series in ends.series) == len(state.runs)
    assert set(parallel.trials) == {trial.number for trial in state.trials.values()}
    slices = [chart for name, chart in by_name.items() if name == "slice-optimiser-lr-g"]
    assert slices[0].x.log
    assert sum(len(series.x) for series in slices[0].series) == len(state.trials)


def test_the_expected_best_is_that_of_many_draws() -> None:
    values, chance = [5.0, 1.0, 4.0, 9.0, 2.0], np.random.default_rng(0)
    for drawn, expected in enumerate(expected_best(values, minimise=True), 1):
        seen = [min(chance.choice(values, drawn, replace=False)) for _ in range(4000)]
        assert expected == pytest.approx(np.mean(seen), abs=0.1)
    assert expected_best(values, minimise=False)[-1] == 9.0


@pytest.mark.slow  # a record of 100,000 measurements has to be folded
def test_a_large_sweep_is_a_small_page_in_little_time(tmp_path: Path) -> None:
    made = Made(tmp_path / "large", trials=1000, evaluations=100).searched()
    made.driver("finished")
    folder, state = made.write(), made.state()
    began = time.process_time()  # of this process: the machine may be busy
    page = html(state, folder)
    assert time.process_time() - began < 10
    assert len(page.encode()) < 10_000_000


def test_whole_numbers_have_whole_ticks(tmp_path: Path) -> None:
    unpacked("ring8", tmp_path)
    by_name = {chart.name: chart for chart in charts(Setup.open("ring8", home=tmp_path).state())}
    together, alone = by_name["parallel"], by_name["slice-discriminator-depth"]
    assert isinstance(together, Parallel)
    assert isinstance(alone, Chart)
    (depth,) = [each for each in together.dimensions if each.title == "discriminator.depth"]
    assert [text for _, text in depth.ticks] == ["2", "3", "4"]
    assert described(alone)["layout"]["xaxis"]["dtick"] == 1
