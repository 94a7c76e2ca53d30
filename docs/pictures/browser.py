"""Pages as PNG, by the system's Chromium."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
LIMIT = 200_000  # bytes
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit("no Chromium is installed (Debian: apt-get install chromium)")
    return found


def saved(name: str, page: str | Path, width: int, height: int = 800, element: str | None = None) -> Path:
    """A page's text or file as docs/pictures/NAME.png, at two pixels a pixel, for screens that have them. element: what
    of it, else its first `height`."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=2)
        opened.set_default_timeout(600_000)  # charts are drawn in software
        picture = _taken(opened, page, element)
        browser.close()
    return _small(picture, FOLDER / f"{name}.png")


def _taken(opened: Page, page: str | Path, element: str | None) -> bytes:
    if isinstance(page, Path):
        opened.goto(page.as_uri())
    else:
        opened.set_content(page)
    opened.wait_for_timeout(1500)  # what moves has come to rest
    if element is not None:
        return opened.locator(element).screenshot(omit_background=True)
    return opened.screenshot()


def _small(picture: bytes, path: Path) -> Path:
    """With as many colours as the limit allows."""
    image: Any = Image.open(io.BytesIO(picture)).convert("RGBA")
    for colours in (256, 128, 64, 32):
        image.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < LIMIT:
            return path
    raise SystemExit(f"{path}: {path.stat().st_size} bytes; valid: under {LIMIT}")
