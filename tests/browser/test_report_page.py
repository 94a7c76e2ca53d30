"""The report in headless Chromium, driven by Playwright: it works, on a phone too, and asks nothing of a network.

GANSWEEP_SCREENSHOTS names a folder that gets the pictures."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.report.page.page import write
from tests.browser import chromium
from tests.report.synthetic import Made

pytestmark = [pytest.mark.slow, chromium.needed]
expect.set_options(timeout=chromium.PATIENCE)


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


def kept(page: Page, name: str) -> list[str]:
    """What the table shows of a parameter, once an axis has a range."""
    page.wait_for_function("!document.getElementById('brushed').hidden")
    return column(page, page.locator("#board thead th").all_inner_texts().index(name) + 1)


def test_what_is_brushed_by_keys_is_what_the_table_keeps(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    axis = page.get_by_role("slider", name="regularisers, kept range", exact=True)
    axis.focus()
    page.keyboard.press("ArrowDown")
    expect(axis).to_have_attribute("aria-valuetext", "wgan_gp to wgan_gp kept")
    assert set(kept(page, "regularisers")) == {"wgan_gp"}
    page.keyboard.press("PageDown")
    expect(axis).to_have_attribute("aria-valuetext", "none to none kept")
    expect(page.locator("#brushed")).to_contain_text(re.compile(r"^\d+ of 30 trials"))
    page.wait_for_timeout(300)
    assert set(kept(page, "regularisers")) == {"none"}
    page.keyboard.press("+")
    expect(axis).to_have_attribute("aria-valuetext", "none to r1 kept")
    page.keyboard.press("Escape")
    expect(page.locator("#brushed")).to_be_hidden()
    assert len(column(page, 1)) == 30


def test_what_is_brushed_by_the_mouse_is_what_the_table_keeps(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    axis = page.get_by_role("slider", name="optimiser.lr_g, kept range", exact=True)
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    assert box is not None
    x, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"]
    page.mouse.move(x, bottom - 2)
    page.mouse.down()
    page.mouse.move(x, bottom - box["height"] / 2, steps=5)
    page.mouse.up()
    rates = [float(text) for text in kept(page, "optimiser.lr_g")]
    low, high = (float(axis.get_attribute("aria-valuetext").split()[at]) for at in (0, 2))  # type: ignore[union-attr]
    assert 0 < len(rates) < 30
    assert low * 0.99 <= min(rates) <= max(rates) <= high * 1.01
    page.locator("#unbrush").click()
    assert len(column(page, 1)) == 30


def test_whoever_sees_little_or_has_no_mouse_can_read_it(opened: tuple[Page, list[str]]) -> None:
    page, _ = opened
    assert chromium.inaccessible(page) == []


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
