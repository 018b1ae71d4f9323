"""A headless Chromium for tests, spoken to by the DevTools protocol over a pair of pipes.

https://chromedevtools.github.io/devtools-protocol/: messages are JSON, each ended by a zero byte;
with ``--remote-debugging-pipe`` the browser reads them from descriptor 3 and answers on 4.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Page", "opened"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LEAVE = 10.0  # seconds that it has to end
_PATIENCE = 120.0  # seconds until a browser that does not answer is given up


class Page:
    """A page in a browser: what it asked for, what it complained of, and ways to handle it."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, receive
        self._last, self._session, self._rest = 0, "", b""
        self.requests: list[str] = []  # addresses outside the page, in order
        self.complaints: list[str] = []  # errors and warnings of the console, and exceptions

    def attach(self) -> None:
        """Make a page and listen to it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        made = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = made["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def resize(self, width: int, height: int) -> None:
        """Give the page a window of so many pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=False,
        )  # fmt: skip

    def open(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        address = path.resolve().as_uri()
        self.call("Page.navigate", url=address)
        here = f"location.href === {json.dumps(address)}"
        self.until(f"document.readyState === 'complete' && {here}")

    def value(self, script: str) -> Any:
        """The value of an expression in the page."""
        made = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in made, made["exceptionDetails"]
        return made["result"].get("value")

    def until(self, script: str) -> Any:
        """The first true value of an expression."""
        end = time.monotonic() + _PATIENCE
        while not (found := self.value(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)
        return found

    def point_at(self, x: float, y: float) -> None:
        """Move the mouse to a place in the window."""
        for way in (1, 0):  # two moves: a chart wants to see the mouse come
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x - way, y=y)

    def click(self, x: float, y: float) -> None:
        """Press and release the left button."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        """Save what the window shows as a PNG file."""
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **params: Any) -> Any:
        """Call the browser, and take note of what it tells meanwhile."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._heard()
            if heard.get("id") == self._last:
                assert "error" not in heard, (method, heard["error"])
                return heard["result"]
            self._note(heard)

    def _heard(self) -> Any:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._receive], [], [], _PATIENCE)
            piece = os.read(self._receive, 1 << 20) if ready else b""
            assert piece, "the browser is gone, or does not answer"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        kind, told = event.get("method"), event.get("params", {})
        if kind == "Network.requestWillBeSent":
            if not told["request"]["url"].startswith(("data:", "blob:")):
                self.requests.append(told["request"]["url"])
        elif kind == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"]))
        elif kind == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(told["args"]))
        elif kind == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(json.dumps(told["entry"]))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Page]:
    """A page of a browser of its own, whose files are in ``folder``; skips where there is none."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    commands, answers = os.pipe(), os.pipe()
    # From 10 on they are in nobody's way when the new process gets them as 3 and 4.
    reads, writes = (fcntl.fcntl(e, fcntl.F_DUPFD_CLOEXEC, 10) for e in (commands[0], answers[1]))
    arguments = [
        program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
        "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}",
        "about:blank",
    ]  # fmt: skip
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    actions += [(os.POSIX_SPAWN_DUP2, reads, 3), (os.POSIX_SPAWN_DUP2, writes, 4)]
    browser = os.posix_spawn(
        program, arguments, os.environ | {"HOME": str(folder)}, file_actions=actions
    )
    for end in (commands[0], answers[1], reads, writes):
        os.close(end)
    page = Page(commands[1], answers[0])
    try:
        page.attach()
        yield page
    finally:
        for end in (commands[1], answers[0]):
            os.close(end)  # the browser ends where nobody speaks to it
        _ended(browser)


def _ended(process: int) -> None:
    """Wait for the end of a process, and bring it about where it does not come by itself."""
    end = time.monotonic() + _LEAVE
    while time.monotonic() < end:
        if os.waitpid(process, os.WNOHANG)[0]:
            return
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
