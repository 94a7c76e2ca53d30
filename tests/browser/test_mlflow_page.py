"""MLflow's page on a sweep in headless Chromium, as whoever reviews it sees it.

GANSWEEP_SCREENSHOTS names a folder that gets the pictures."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from pipeline.tracking.tracker import default_uri, run_ids, sync, ui
from tests.browser import chromium
from tests.tracking.realistic import BUDGET, finished

pytestmark = [pytest.mark.slow, chromium.needed]
expect.set_options(timeout=chromium.PATIENCE)


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
def browser() -> Iterator[Page]:
    with chromium.opened(1800, 1100) as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Page:
    browser.goto("about:blank")  # for another part of the same page (after the #) nothing would be loaded anew
    return browser


def address(home: Path, trials: tuple[int, ...] = ()) -> str:
    return ui(home, default_uri(home), "clothes", trials)


def server(home: Path) -> str:
    return address(home).split("/#/")[0]


def shows(page: Page, *texts: str) -> str:
    """The page's text, once it shows all of them."""
    for text in texts:
        expect(page.locator("body")).to_contain_text(text, use_inner_text=True)
    return page.locator("body").inner_text()


def ranked(home: Path) -> list[str]:
    """The names of the trials by the tail of their FID."""
    from tests.tracking.reading import runs_in

    tails = {name: run.data.metrics.get("tail.fid") for name, run in runs_in(home).items() if "seed" not in name}
    return sorted((name for name, tail in tails.items() if tail is not None), key=lambda name: tails[name])


def test_the_link_opens_the_trials_by_rank(home: Path, page: Page) -> None:
    page.goto(address(home))
    shown = shows(page, "Trials by fid", "tail.fid", "end_reason", "13 matching runs", "trial 10", "optimiser.lr_g")
    names = ranked(home)
    places = [shown.index(f"\n{name}\n") for name in names]
    assert places == sorted(places), names
    assert "Floor of fid: 2.5 ± 0.12" in shown
    assert "collapsed" in shown
    chromium.screenshot(page, "trials")


def test_the_sweep_opens_to_its_trials_and_their_seeds(home: Path, page: Page) -> None:
    page.goto(address(home).split("?")[0] + "?workflowType=machine_learning")
    shows(page, "15 matching runs", "clothes")
    for opened in ("trial 0", "trial 0 seed 11"):
        page.locator(".ag-row button").last.click()
        shows(page, opened)
    chromium.screenshot(page, "tree")


def test_trials_are_compared(home: Path, page: Page) -> None:
    page.goto(address(home, (0, 1, 3, 5)))
    shown = shows(page, "Comparing 4 Runs from 1 Experiment", "trial 5", "optimiser.lr_g", "best.fid")
    assert all(f"trial {number}" in shown for number in (0, 1, 3, 5))
    chromium.screenshot(page, "compare")


def test_charts_and_sample_grids_stand_side_by_side(home: Path, page: Page) -> None:
    page.goto(address(home) + "&compareRunsMode=CHART")
    shows(page, "Objective", "Search", "tail.fid")
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length >= 2")
    chromium.screenshot(page, "charts")
    page.get_by_text(re.compile("^Samples")).last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].filter(i => i.naturalWidth == 224).length >= 4")
    chromium.screenshot(page, "grids")


def test_a_sample_grid_opens_among_the_artifacts(home: Path, page: Page) -> None:
    run = run_ids(home / "clothes")[0, None]
    page.goto(f"{server(home)}/#/experiments/1/runs/{run}/artifacts")
    shows(page, "samples", "checkpoints", "spec.yaml")
    page.get_by_text("samples", exact=True).click()
    page.get_by_text(f"images-{BUDGET:012d}.png", exact=True).click()
    page.wait_for_function("[...document.images].some(i => i.naturalWidth == 224)")
    chromium.screenshot(page, "samples")
