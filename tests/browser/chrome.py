"""Headless Chromium over the DevTools protocol on two pipes: open a page, wait for a text, click, take a picture."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def installed() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


class Chrome:
    """One page in a browser of its own; a context manager. Calls wait for the browser's answer."""

    def __init__(self, profile: Path, width: int = 1500, height: int = 950) -> None:
        browser = installed()
        assert browser is not None
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        options = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe"
        self._process = subprocess.Popen(  # the protocol is on file descriptors 3 and 4
            f'exec {browser} {options} --window-size={width},{height} --user-data-dir="{profile}" about:blank'
            f" 3<&{to_read} 4>&{to_write}",
            shell=True,
            executable="/bin/bash",
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._rest, self._session = 0, b"", None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]

    def __enter__(self) -> "Chrome":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._write)
        os.close(self._read)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("the browser ended")
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(message))

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, url: str) -> None:
        """Goes to `url`; for another part of the same page (after the #) it loads that anew, too."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)

    def text(self) -> str:
        return str(self.evaluate("document.body ? document.body.innerText : ''"))

    def wait_for(self, *texts: str, seconds: float = 60.0) -> str:
        """The page's text, once it shows all of `texts`."""
        return self.wait_until(f"{json.dumps(texts)}.every(t => document.body.innerText.includes(t))", seconds)

    def wait_until(self, script: str, seconds: float = 60.0) -> str:
        """The page's text, once the JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not (holds := self.evaluate(f"Boolean(document.body && ({script}))")) and time.monotonic() < end:
            time.sleep(0.2)
        assert holds, f"not within {seconds:.0f} s: {script}; the page shows:\n{self.text()[:3000]}"
        return self.text()

    def click(self, text: str) -> None:
        """Clicks the innermost element that is visible and whose own text is `text`."""
        clicked = self.evaluate(
            f"""(() => {{
                const hits = [...document.querySelectorAll('*')].filter(
                    e => e.innerText && e.innerText.trim() === {json.dumps(text)} && e.offsetParent !== null);
                const hit = hits[hits.length - 1];
                if (hit) hit.click();
                return Boolean(hit);
            }})()"""
        )
        assert clicked, f"nothing to click says {text!r}; the page shows:\n{self.text()[:3000]}"

    def picture(self, path: Path) -> None:
        """A screenshot, after what moves has come to rest."""
        time.sleep(2.0)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
