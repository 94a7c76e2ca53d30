"""The system's Chromium, headless, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120_000  # ms: charts are drawn in software


def installed() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


needed = pytest.mark.skipif(installed() is None, reason="no Chromium is installed (Debian: apt-get install chromium)")


@contextmanager
def opened(width: int, height: int = 1000, **context: Any) -> Iterator[Page]:
    """A page in a browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=installed(), args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        page = browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def complaints(page: Page, *schemes: str) -> list[str]:
    """Grows with what the page complains of from now on, and with what it asks for that is of no such address."""
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(schemes) else wrong.append(asked.url))
    return wrong


def inaccessible(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it stands, by the light that it is in and by the other one: contrast,
    names, roles, whatever a reader of screens or a keyboard meets."""
    wrong = []
    for _ in range(2):
        page.wait_for_timeout(300)  # what fades has faded
        scheme = page.evaluate("document.documentElement.dataset.theme")
        for rule in Axe().run(page).response["violations"]:
            for node in rule["nodes"]:
                said = [each["message"] for each in [*node["any"], *node["all"], *node["none"]]]
                wrong.append(f"{scheme}: {rule['id']}: {node['target']}: {said}")
        page.locator("#theme").click()
    return wrong


def screenshot(page: Page, name: str, whole: bool = False) -> None:
    """Into the folder that GANSWEEP_SCREENSHOTS names, where it names one."""
    if folder := os.environ.get("GANSWEEP_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=whole)
