"""Chromium without a window, told what to do over two pipes by its DevTools protocol; there is no network in it.

with browser.opened(path, 1280, 800) as page:
    page.press("w")
    page.value("document.title")
"""

import base64
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome") if hasattr(os, "posix_spawn") else ()
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
NO_BROWSER = "Chromium is not installed"
SECONDS = 120
"""So long may a page take to do what it is told; a busy machine is slow."""
_FLAGS = (
    *("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--mute-audio", "--hide-scrollbars"),
)


_LOADED = "document.readyState === 'complete' && performance.getEntriesByType('navigation')[0]?.loadEventEnd > 0"


class PageError(Exception):
    """What the browser answers to an order that it cannot follow."""


class Page:
    """A page in the browser.

    Args:
        process: The browser's number.
        to, by: The pipes to and from it.
        downloads: The folder where the page saves files.
    """

    def __init__(self, process: int, to: Any, by: Any, downloads: Path):
        self.process, self.downloads = process, downloads
        self._to, self._by, self._number, self._session = to, by, 0, None
        self._heard = b""
        self.complaints: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def send(self, method: str, **parameters: Any) -> dict:
        """Give an order and wait for its answer; what the page complains of meanwhile is noted."""
        self._number += 1
        order = {"id": self._number, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            order["sessionId"] = self._session
        self._to.write(json.dumps(order).encode() + b"\0")
        self._to.flush()
        while True:
            told = self._read()
            if told.get("id") == self._number:
                if "error" in told:
                    raise PageError(f"{method}: {told['error']}")
                return told["result"]

    def _read(self) -> dict:
        while b"\0" not in self._heard:
            more = os.read(self._by.fileno(), 1 << 20)
            assert more, "the browser has ended"
            self._heard += more
        text, _, self._heard = self._heard.partition(b"\0")
        told = json.loads(text)
        if told.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(told["params"]))
        return told

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.send("Page.navigate", url=path.absolute().as_uri())
        self.wait(f"{_LOADED} && location.href === {json.dumps(path.absolute().as_uri())}")

    def reload(self) -> None:
        """Open the same file anew and wait until it is loaded."""
        self.value("window.isOld = true")
        self.send("Page.reload")
        self.wait(f"!window.isOld && {_LOADED}")

    def value(self, script: str) -> Any:
        """What a line of JavaScript gives, as plain values."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise PageError(str(told["exceptionDetails"]))
        return told["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until a line of JavaScript is true."""
        end = time.monotonic() + SECONDS
        while not self._is_so(script):
            assert time.monotonic() < end, script
            time.sleep(0.02)

    def _is_so(self, script: str) -> bool:
        """Whether a line of JavaScript is true; a page that is on its way knows nothing yet."""
        try:
            return bool(self.value(script))
        except PageError:
            return False

    def press(self, key: str) -> None:
        """Press a key and let it go, as a person does."""
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def size(self, width: int, height: int, phone: bool = False) -> None:
        """Give the window a size in CSS pixels; a phone has twice as many of its own."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)

    def scheme(self, name: str) -> None:
        """Prefer the colours "dark" or "light"."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def picture(self, path: Path) -> None:
        """Write what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))


@contextmanager
def opened(path: Path | None, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """A file, or no page yet, in a browser that knows nothing from before, and is gone when the block ends."""
    there, to = os.pipe()
    by, here = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        downloads = Path(home, "downloads")
        downloads.mkdir()
        process = _start([PROGRAM, *_FLAGS, f"--user-data-dir={home}/profile"], there, here)
        with os.fdopen(to, "wb") as orders, os.fdopen(by, "rb") as answers:
            try:
                page = Page(process, orders, answers, downloads)
                page.size(width, height)
                if path is not None:
                    page.open(path)
                yield page
            finally:
                os.kill(process, signal.SIGTERM)
                os.waitpid(process, 0)


def _start(command: list[str], reads: int, writes: int) -> int:
    """Start the browser, which reads orders from its file 3 and writes answers to its file 4; its process."""
    import fcntl

    apart = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 10) for file in (reads, writes)]  # neither is 3 or 4
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    places = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(apart, 3)]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[*quiet, *places])
    for file in (reads, writes, *apart):
        os.close(file)
    return process
