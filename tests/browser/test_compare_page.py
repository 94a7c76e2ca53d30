"""The page of sweeps side by side, in headless Chromium: ranked ones, and ones that cannot be ranked.

GANSWEEP_SCREENSHOTS names a folder that gets the pictures."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipeline.report.compare import compare
from pipeline.report.page.side_by_side import write
from tests.browser import chromium
from tests.report.synthetic import Made

pytestmark = [pytest.mark.slow, chromium.needed]
expect.set_options(timeout=chromium.PATIENCE)


def sweep(folder: Path, trials: int, picked: bool) -> Made:
    made = Made(folder, trials=trials).searched()
    made.driver("finished")
    best = made.state().best_trial
    assert best is not None
    if picked:
        made.picked({best.number: ["top 1"], 0: ["default"]})
    made.pictures([best.number])
    made.write()
    return made


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("home")
    sweeps = [sweep(home / "small", 12, picked=True), sweep(home / "large", 30, picked=True)]
    other = sweep(home / "elsewhere", 8, picked=False)
    next(line for line in other.lines if line["event"] == "prepared")["features"] = "cnn-2"
    paths = {}
    for name, among in (("ranked", sweeps), ("not-ranked", [*sweeps, other])):
        states = [each.state() for each in among]
        paths[name] = home / f"{name}.html"
        write(compare(states), states, paths[name])
    return paths


@pytest.mark.parametrize(("width", "scheme"), [(1600, "dark"), (400, "light")])
@pytest.mark.parametrize("name", ["ranked", "not-ranked"])
def test_it_says_who_is_ahead_or_why_nobody_is(pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    with chromium.opened(width, color_scheme=scheme) as page:
        wrong = chromium.complaints(page, "file:", "data:", "blob:")
        page.goto(pages[name].as_uri())
        for plot in page.locator(".plot").all():
            plot.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelectorAll('.plot:not([data-drawn])').length === 0")
        page.evaluate("scrollTo(0, 0)")
        chromium.screenshot(page, f"compare-{name}-{width}-{scheme}", whole=True)
        if name == "ranked":
            expect(page.locator("h1")).to_contain_text("small")
            expect(page.locator(".place.first")).to_have_text("1")
        else:
            expect(page.locator(".under")).to_contain_text("Their features differ (cnn-1, cnn-2)")
            assert page.locator(".place").count() == 0
        assert page.locator(".card").count() == (2 if name == "ranked" else 3)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert chromium.inaccessible(page) == []
        assert wrong == []
