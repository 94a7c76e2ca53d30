"""The judge's page in headless Chromium: an eye with a known preference votes, and the server is killed in the middle.

GANSWEEP_SCREENSHOTS names a folder that gets the pictures."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from pipeline.judging.judgement import judgement
from pipeline.judging.votes import votes
from tests.browser import chromium
from tests.report.synthetic import Made

pytestmark = [pytest.mark.slow, chromium.needed]
expect.set_options(timeout=chromium.PATIENCE)
LIKED = {1: 60, 0: 120, 4: 180, 3: 240}  # how bright each trial's samples are: the eye below likes the brighter ones


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A sweep with a pick of four finalists."""
    made = Made(tmp_path_factory.mktemp("home") / "made", trials=8).searched()
    made.driver("finished")
    made.picked({number: ["top"] for number in LIKED})
    made.pictures(list(LIKED))
    for path in made.folder.glob("trials/*/seed-*/samples/*.png"):
        Image.new("L", (64, 64), LIKED[int(path.parents[2].name)]).save(path)
    made.write()
    return made


def hears_interrupts() -> None:
    """A shell has those that it starts in the background, and theirs, ignore a Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def judging(made: Made) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`gansweep judge`, and the address that it prints."""
    command = [sys.executable, "-m", "pipeline.cli", "judge", made.folder.name, "--home", str(made.folder.parent)]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, preexec_fn=hears_interrupts) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def brightness(page: Page, side: str) -> int:
    return int(
        page.evaluate(
            """(side) => { const image = document.getElementById(`picture-${side}`);
            const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
            context.drawImage(image, 0, 0, 1, 1);
            return context.getImageData(0, 0, 1, 1).data[0]; }""",
            side,
        )
    )


def ready(page: Page, count: int) -> None:
    expect(page.locator("#count")).to_have_text(re.compile(rf"^{count} "))
    expect(page.locator("#arena")).to_have_attribute("aria-busy", "false")


def test_a_preference_is_recovered_and_a_killed_server_loses_no_vote(made: Made) -> None:
    with chromium.opened(1600, 950) as page:
        given = 0
        for last in (7, 30):
            with judging(made) as (address, process):
                wrong = chromium.complaints(page, address, "data:")
                page.goto(address)
                ready(page, given)
                assert not re.search(r"trial", page.content().split("<template")[0].split("</style>")[1])
                while given < last:
                    left, right = brightness(page, "left"), brightness(page, "right")
                    assert {left, right} <= set(LIKED.values())
                    page.keyboard.press("ArrowLeft" if left > right else "ArrowRight")
                    given += 1
                    ready(page, given)
                assert wrong == []
                if last == 7:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    assert len(votes(made.folder)) == given
                    page.keyboard.press("ArrowLeft")
                    expect(page.locator("#gone")).to_contain_text("Every vote that was counted is kept")
                    continue
                chromium.screenshot(page, "judge-vote")
                expect(page.locator("#count")).to_have_text("30 votes, enough")
                page.locator("#finish").click()
                expect(page.locator("#winner")).to_have_text("Eyes prefer trial 3")
                shown = page.locator("#rows .who b").all_inner_texts()
                chromium.screenshot(page, "judge-ranking", whole=True)
                assert chromium.inaccessible(page) == []
                assert process.wait(120) == 0
                assert process.stderr is not None
                said = process.stderr.read()
    found = judgement(made.folder)
    assert found is not None
    assert (found.votes, found.decided) == (30, 30)
    assert [row.player for row in found.rows] == sorted(LIKED, key=lambda trial: -LIKED[trial])
    assert shown == [f"Trial {row.player}" for row in found.rows]
    assert found.rows[0].interval[0] > found.rows[-1].interval[1]
    assert "eyes prefer trial 3" in said


def test_a_vote_is_touched_taken_back_and_passed_over_on_a_phone(made: Made) -> None:
    with (
        chromium.opened(400, 800, has_touch=True, is_mobile=True, color_scheme="dark") as page,
        judging(made) as (url, _),
    ):
        before = votes(made.folder)
        page.goto(url)
        ready(page, len(before))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.getElementById('finish').getBoundingClientRect().bottom <= innerHeight")
        assert chromium.inaccessible(page) == []
        page.locator("#right").tap()
        ready(page, len(before) + 1)
        assert votes(made.folder)[-1].choice == "right"
        assert votes(made.folder)[-1].seen
        page.locator("#undo").tap()
        ready(page, len(before))
        page.locator("[data-choice=even]").tap()
        ready(page, len(before) + 1)
        page.locator("[data-choice=skip]").tap()
        expect(page.locator("#said")).to_have_text("Passed over.")
        ready(page, len(before) + 1)
        assert [each.choice for each in votes(made.folder)[len(before) :]] == ["even", "skip"]
        chromium.screenshot(page, "judge-phone")


def asked(address: str, method: str, path: str, **headers: str) -> int:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    given = {"Host": f"{host}:{port}", **headers}
    body = json.dumps({"id": "x", "choice": "left", "seconds": 1}) if method == "POST" else None
    connection.putrequest(method, path, skip_host=True)
    for name, value in given.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Content-Length", str(len(body or "")))
    connection.endheaders(body.encode() if body else None)
    status = connection.getresponse().status
    connection.close()
    return status


def test_it_answers_its_own_page_on_this_machine_alone(made: Made) -> None:
    count = len(votes(made.folder))
    with judging(made) as (url, process):
        assert asked(url, "GET", "/") == 200
        assert asked(url, "GET", "/", Host="rebound.example") == 403
        assert asked(url, "GET", "/", Host="rebound.example:80") == 403
        assert asked(url, "POST", "/vote") == 403
        connection = http.client.HTTPConnection("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]), timeout=30)
        connection.request("GET", "/")
        token = re.search(r'data-token="([^"]+)"', connection.getresponse().read().decode())
        assert token is not None
        own = {"X_Gansweep_Token": token[1]}
        assert asked(url, "POST", "/next", **own) == 200
        assert asked(url, "POST", "/next", Origin="http://rebound.example", **own) == 403
        assert asked(url, "POST", "/vote", **own) == 409  # a pair that was never asked
        assert asked(url, "GET", "/picture/../../events.jsonl") == 404
        taken = re.search(r":(\d+)/", url)
        assert taken is not None
        command = [sys.executable, "-m", "pipeline.cli", "judge", "made", "--home", str(made.folder.parent)]
        second = subprocess.run([*command, "--port", taken[1]], capture_output=True, text=True)
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith(f"gansweep: --port: found {taken[1]}, which is in use; valid: another one")
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert "go on with: gansweep judge made" in process.stderr.read()
    assert len(votes(made.folder)) == count
