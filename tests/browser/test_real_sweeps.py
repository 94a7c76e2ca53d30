"""The reports of real sweeps with their picks, in headless Chromium: on a phone and on a wide screen, in both lights.

GANSWEEP_SCREENSHOTS names a folder that gets the pictures."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.report.page.page import write
from pipeline.sweeps.setup import Setup
from tests.browser import chromium
from tests.report.recorded import NAMES, unpacked

pytestmark = [pytest.mark.slow, chromium.needed]
expect.set_options(timeout=chromium.PATIENCE)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("home")
    paths = {}
    for name in NAMES:
        folder = unpacked(name, home)
        paths[name] = folder / "report.html"
        write(Setup.open(name, home=home).state(), folder, paths[name])
    return paths


def drawn(page: Page) -> None:
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.plot:not([data-drawn])').length === 0")


@pytest.mark.parametrize(("width", "scheme"), [(1600, "light"), (400, "dark")])
@pytest.mark.parametrize("name", NAMES)
def test_its_report_works(reports: dict[str, Path], name: str, width: int, scheme: str) -> None:
    with chromium.opened(width, color_scheme=scheme) as page:
        wrong = chromium.complaints(page, "file:", "data:", "blob:")
        page.goto(reports[name].as_uri())
        expect(page.locator("h1")).to_have_text(re.compile(r"^(Use trial \d+|Trial \d+ leads a race that is not over)"))
        drawn(page)
        page.evaluate("scrollTo(0, 0)")
        chromium.screenshot(page, f"{name}-{width}-{scheme}", whole=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("#board [data-column='0']").click()
        first = page.locator("#board tbody tr:not([hidden]) > :first-child").all_inner_texts()
        assert [int(each) for each in first] == sorted(int(each) for each in first)
        page.locator(".parallel-axis").last.focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#brushed")).to_be_visible()
        page.keyboard.press("Escape")
        page.locator("#through").focus()
        page.keyboard.press("Home")
        expect(page.locator("#through-said")).to_have_text("at 0% of the pictures")
        page.keyboard.press("End")
        for each in page.locator("details").all():
            each.locator("summary").click()
        assert all(each.is_visible() for each in page.locator("details > ul, details > pre, details > .grids").all())
        assert chromium.inaccessible(page) == []
        assert wrong == []


def test_a_printer_sees_every_chart_on_white(reports: dict[str, Path]) -> None:
    with chromium.opened(1200, color_scheme="dark") as page:
        page.goto(reports[NAMES[0]].as_uri())
        assert page.locator(".plot:not([data-drawn])").count() > 0  # none is drawn before it is near
        page.evaluate(
            "addEventListener('beforeprint', () => { window.ground = document.documentElement.dataset.theme; })"
        )
        assert len(page.pdf()) > 50_000
        assert page.locator(".plot:not([data-drawn])").count() == 0
        assert page.evaluate("[window.ground, document.documentElement.dataset.theme]") == ["light", "dark"]
