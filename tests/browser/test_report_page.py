"""The report in headless Chromium, driven by Playwright: it works, on a phone too, and asks nothing of a network.

GANSWEEP_SCREENSHOTS names a folder that gets the pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from pipeline.report.page.page import write
from tests.browser import chromium
from tests.report.synthetic import Made

pytestmark = [pytest.mark.slow, chromium.needed]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Made(tmp_path_factory.mktemp("home") / "made", trials=30).searched()
    made.driver("finished")
    best = made.state().best_trial
    assert best is not None
    made.picked({best.number: ["top 1"], 0: ["default"]})
    made.pictures([best.number, 0])
    path = made.write() / "report.html"
    write(made.state(), made.folder, path)
    return path


@pytest.fixture(scope="module", params=[(1600, "dark"), (400, "light")], ids=["1600 dark", "400 light"])
def opened(request: pytest.FixtureRequest, report: Path) -> Iterator[tuple[Page, list[str]]]:
    """The page, every chart drawn, and what it asked for or complained of."""
    width, scheme = request.param
    with chromium.opened(width, color_scheme=scheme) as page:
        wrong = chromium.complaints(page, "file:", "data:", "blob:")
        page.goto(report.as_uri())
        for plot in page.locator(".plot").all():
            plot.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelectorAll('.plot:not([data-drawn])').length === 0")
        page.evaluate("scrollTo(0, 0)")
        chromium.screenshot(page, f"report-{width}-{scheme}", whole=True)
        yield page, wrong


def column(page: Page, at: int) -> list[str]:
    return page.locator(f"#board tbody tr:not([hidden]) > :nth-child({at})").all_inner_texts()


def test_it_answers_fits_and_complains_of_nothing(opened: tuple[Page, list[str]]) -> None:
    page, wrong = opened
    assert page.locator("h1").inner_text().startswith("Use trial")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert wrong == []


def test_the_table_is_sorted_by_keyboard_and_shows_all_when_asked(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    assert len(column(page, 1)) == 20
    page.locator("#more").click()
    assert len(column(page, 1)) == 30
    trial = page.get_by_role("button", name="trial", exact=True)
    trial.focus()
    page.keyboard.press("Enter")
    assert [int(text) for text in column(page, 1)] == list(range(30))
    page.keyboard.press("Enter")
    assert [int(text) for text in column(page, 1)] == list(range(29, -1, -1))


def test_the_slider_goes_through_the_training(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    said = page.locator("[data-strip] .at").first
    assert said.inner_text() == "120,000 images"
    page.locator("#through").focus()
    page.keyboard.press("Home")
    assert said.inner_text() == "12,000 images"
    assert page.locator("[data-strip] img:visible").count() == 2


def test_what_is_brushed_is_what_the_table_keeps(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    page.evaluate(
        """() => { const plot = document.querySelector('[data-chart=parallel]');
        const at = plot.data[0].dimensions.findIndex(each => each.label === 'regularisers');
        return Plotly.restyle(plot, {[`dimensions[${at}].constraintrange`]: [[-0.2, 0.2]]}); }"""
    )
    page.wait_for_function("!document.getElementById('brushed').hidden")
    regularisers = page.locator("#board thead th").all_inner_texts().index("regularisers")
    assert set(column(page, regularisers + 1)) == {"none"}
    page.locator("#unbrush").click()
    assert len(column(page, 1)) == 30


def test_what_is_folded_opens_and_the_light_goes_on(opened: tuple[Page, list[str]]) -> None:
    page, wrong = opened
    folded = page.locator("#answer details")
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert folded.locator("li").first.is_visible()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert wrong == []
