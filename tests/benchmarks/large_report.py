"""The report of a large sweep: how long it takes to be made and to open, and the longest task while its charts are
brushed and its table is sorted, by Chromium's own trace.

python -m tests.benchmarks.large_report [TRIALS] [EVALUATIONS]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from pipeline.report.page.page import REPORT
from tests.browser import chromium
from tests.report.synthetic import Made

ROOT = Path(__file__).resolve().parents[2]
CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel"]
TASKS = ("RunTask", "ThreadControllerImpl::RunTask")
STEPS = 24  # of the mouse, along an axis


def made(folder: Path, trials: int, evaluations: int) -> None:
    sweep = Made(folder, trials=trials, evaluations=evaluations).searched()
    sweep.driver("finished")
    sweep.write()


def reported(folder: Path) -> str:
    """`gansweep report` in a process of its own."""
    command = [sys.executable, "-m", "pipeline.cli", "report", folder.name, "--home", str(folder.parent)]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    usage = _waited(process)
    took, size = time.monotonic() - began, (folder / REPORT).stat().st_size
    record = (folder / "events.jsonl").stat().st_size
    return (
        f"record {record / 1e6:.0f} MB; gansweep report: {took:.1f} s ({usage.ru_utime + usage.ru_stime:.1f} s of the "
        f"processor), {size / 1e6:.1f} MB, peak {usage.ru_maxrss / 2**20:.2f} GiB"
    )


def _waited(process: subprocess.Popen[bytes]) -> Any:
    import os

    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"gansweep report ended with {process.returncode}")
    return usage


def opened(page: Page, path: Path) -> str:
    """Milliseconds from the navigation to what is first seen, and to the end of loading."""
    page.goto(path.as_uri())
    timing = page.evaluate(
        """() => { const [entry] = performance.getEntriesByType("navigation");
        const paint = performance.getEntriesByName("first-contentful-paint")[0];
        return [paint.startTime, entry.domContentLoadedEventEnd, entry.loadEventEnd]; }"""
    )
    return "first paint {:,.0f} ms, parsed {:,.0f} ms, loaded {:,.0f} ms".format(*timing)


def longest(page: Page, what: Callable[[], None]) -> str:
    """The longest task of the page's own thread while something is done, and how many were over 200 and 50 ms."""
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=CATEGORIES)
    what()
    page.wait_for_timeout(1500)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    mains = {(e["pid"], e["tid"]) for e in events if e.get("args", {}).get("name") == "CrRendererMain"}
    tasks = [e for e in events if e.get("name") in TASKS and e.get("ph") == "X" and (e["pid"], e["tid"]) in mains]
    lengths = sorted((e["dur"] / 1000 for e in tasks), reverse=True)
    own = sorted((e.get("tdur", 0) / 1000 for e in tasks), reverse=True)
    assert lengths, "the trace has no task of the page"
    over = [sum(each > limit for each in lengths) for limit in (200, 50)]
    took = f"longest task {lengths[0]:.0f} ms ({own[0]:.0f} ms of the processor)"
    return f"{took}, {over[0]} over 200 ms, {over[1]} over 50 ms"


def brush(page: Page) -> None:
    """Drags along the first axis of the parallel coordinates, as a hand does."""
    axis = page.locator(".parallel-axis").first.bounding_box()
    assert axis is not None
    x, top, height = axis["x"] + axis["width"] / 2, axis["y"], axis["height"]
    page.mouse.move(x, top + 0.2 * height)
    page.mouse.down()
    for step in range(1, STEPS + 1):
        page.mouse.move(x, top + (0.2 + 0.5 * step / STEPS) * height)
        page.wait_for_timeout(30)
    page.mouse.up()


def sort(page: Page) -> None:
    page.locator("#board [data-column='0']").click()


def main(trials: int = 1000, evaluations: int = 100) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "large"
        made(folder, trials, evaluations)
        print(f"{trials:,} trials of {evaluations} evaluations: {reported(folder)}")
        with chromium.opened(1600) as page:
            for _ in range(3):
                print(f"opened: {opened(page, folder / REPORT)}")
            plot = page.locator("[data-chart=parallel]")
            plot.scroll_into_view_if_needed()
            page.wait_for_function("document.querySelector('[data-chart=parallel]').dataset.drawn !== undefined")
            page.wait_for_timeout(3000)
            for _ in range(3):
                print(
                    f"brushed: {longest(page, lambda: brush(page))}; kept: {page.locator('#brushed span').inner_text()}"
                )
            page.locator("#unbrush").scroll_into_view_if_needed()
            print(f"all shown again: {longest(page, page.locator('#unbrush').click)}")
            print(f"sorted, 20 rows: {longest(page, lambda: sort(page))}")
            print(f"all rows: {longest(page, page.locator('#more').click)}")
            print(f"sorted, all rows: {longest(page, lambda: sort(page))}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
