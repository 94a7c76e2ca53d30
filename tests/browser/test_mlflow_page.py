"""MLflow's page on a sweep in headless Chromium, as whoever reviews it sees it.

GANSWEEP_SCREENSHOTS names a folder that gets the pictures."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from pipeline.tracking.tracker import default_uri, run_ids, sync, ui
from tests.browser.chrome import Chrome, installed
from tests.tracking.realistic import BUDGET, finished

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium is installed (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished sweep of 12 trials, sent, and the local server that shows it."""
    home = tmp_path_factory.mktemp("home")
    sync(finished(home, trials=12).folder, default_uri(home))
    ui(home, default_uri(home))
    yield home
    server = psutil.Process(json.loads((home / "ui.json").read_text())["pid"])
    for each in [*server.children(recursive=True), server]:
        each.kill()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with Chrome(tmp_path_factory.mktemp("profile"), 1800, 1100) as chrome:
        yield chrome


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("GANSWEEP_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def address(home: Path) -> str:
    return ui(home, default_uri(home), "clothes")


def server(home: Path) -> str:
    return address(home).split("/#/")[0]


def ranked(home: Path) -> list[str]:
    """The names of the trials by the tail of their FID."""
    from tests.tracking.reading import runs_in

    tails = {name: run.data.metrics.get("tail.fid") for name, run in runs_in(home).items() if "seed" not in name}
    return sorted((name for name, tail in tails.items() if tail is not None), key=lambda name: tails[name])


def test_the_link_opens_the_trials_by_rank(home: Path, page: Chrome, screenshots: Path) -> None:
    page.open(address(home))
    shown = page.wait_for("Trials by fid", "tail.fid", "end_reason", "13 matching runs", "trial 10", "optimiser.lr_g")
    names = ranked(home)
    places = [shown.index(f"\n{name}\n") for name in names]
    assert places == sorted(places), names
    assert "Floor of fid: 2.5 ± 0.12" in shown
    assert "collapsed" in shown
    page.picture(screenshots / "trials.png")


def test_the_sweep_opens_to_its_trials_and_their_seeds(home: Path, page: Chrome, screenshots: Path) -> None:
    page.open(address(home).split("?")[0] + "?workflowType=machine_learning")
    page.wait_for("15 matching runs", "clothes")
    for opened in ("trial 0", "trial 0 seed 11"):
        page.evaluate("[...document.querySelectorAll('.ag-row button')].at(-1).click()")
        page.wait_for(opened)
    page.picture(screenshots / "tree.png")


def test_trials_are_compared(home: Path, page: Chrome, screenshots: Path) -> None:
    ids = run_ids(home / "clothes")
    runs = quote(json.dumps([ids[number, None] for number in (0, 1, 3, 5)]))
    page.open(f"{server(home)}/#/compare-runs?runs={runs}&experiments={quote(json.dumps(['1']))}")
    shown = page.wait_for("Comparing 4 Runs from 1 Experiment", "trial 5", "optimiser.lr_g", "best.fid")
    assert all(f"trial {number}" in shown for number in (0, 1, 3, 5))
    page.picture(screenshots / "compare.png")


def test_charts_and_sample_grids_stand_side_by_side(home: Path, page: Chrome, screenshots: Path) -> None:
    page.open(address(home) + "&compareRunsMode=CHART")
    page.wait_for("Objective", "Search", "tail.fid")
    page.wait_until("document.querySelectorAll('.js-plotly-plot').length >= 2")
    page.picture(screenshots / "charts.png")
    headings = (
        "[...document.querySelectorAll('*')].filter(e => e.innerText && e.innerText.trim().startsWith('Samples'))"
    )
    page.evaluate(f"{headings}.at(-1).scrollIntoView()")
    page.wait_until("[...document.images].filter(i => i.naturalWidth == 224).length >= 4")
    page.picture(screenshots / "grids.png")


def test_a_sample_grid_opens_among_the_artifacts(home: Path, page: Chrome, screenshots: Path) -> None:
    run = run_ids(home / "clothes")[0, None]
    page.open(f"{server(home)}/#/experiments/1/runs/{run}/artifacts")
    page.wait_for("samples", "checkpoints", "spec.yaml")
    page.click("samples")
    page.wait_for(f"images-{BUDGET:012d}.png")
    page.click(f"images-{BUDGET:012d}.png")
    page.wait_until("[...document.images].some(i => i.naturalWidth == 224)")
    page.picture(screenshots / "samples.png")
