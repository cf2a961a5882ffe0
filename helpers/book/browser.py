"""A browser without a window, driven by its DevTools protocol: for the printed edition, and for tests of the pages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Tab", "find_browser", "open_tab"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
PLACES = tuple(f"/Applications/{name}.app/Contents/MacOS/{name}" for name in ("Google Chrome", "Chromium"))


def find_browser() -> str | None:
    """The browser that is used: what ``BOOK_BROWSER`` names, else Chromium, Chrome or Edge; ``None`` without one."""
    wanted = os.environ.get("BOOK_BROWSER")
    found = [shutil.which(wanted)] if wanted else [shutil.which(name) for name in NAMES]
    found += [place for place in PLACES if not wanted and Path(place).is_file()]
    return next((path for path in found if path), None)


class Tab:
    """One tab of a browser.

    Attributes
    ----------
    requests
        Every address that the pages of this tab asked for, in order.
    errors
        Exceptions of scripts and what else stands as an error in the console.
    """

    def __init__(self, address: str, patience: float):
        import websocket

        self.patience = patience
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._socket = websocket.create_connection(address, timeout=patience, suppress_origin=True)
        self._number = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol, such as ``Page.printToPDF``, and return its result.

        Raises
        ------
        RuntimeError
            If the browser refuses it.
        """
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") != self._number:
                self._note(message)
            elif "error" in message:
                raise RuntimeError(f"the browser refuses {method}: {message['error'].get('message')}")
            else:
                return message["result"]

    def open(self, address: str) -> None:
        """Go to an address and wait until the page and what it loads is there; one that forwards is waited through."""
        self.run("window.isLeft = true")
        found = self.call("Page.navigate", url=address)
        if found.get("errorText"):
            raise RuntimeError(f"the browser cannot open {address}: {found['errorText']}")
        forwards = "document.querySelector('meta[http-equiv=refresh]')"  # it would undo the next call of open
        is_left = "window.isLeft" if "loaderId" in found else "false"  # another place of the same page
        self.wait(f"!{is_left} && document.readyState === 'complete' && !{forwards}", f"{address} to be loaded")

    def run(self, script: str) -> Any:
        """The value of an expression on the page; a promise is awaited.

        Raises
        ------
        RuntimeError
            If the expression throws.
        """
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", str(found)))
        return found["result"].get("value")

    def wait(self, script: str, what: str, seconds: float | None = None) -> None:
        """Wait until an expression is true.

        Raises
        ------
        RuntimeError
            If it does not become true in time; the message says what was waited for, and what the page shows.
        """
        seconds = self.patience if seconds is None else seconds
        until = time.monotonic() + seconds
        while not self.run(f"Boolean({script})"):  # of an element, the value would be an empty object
            if time.monotonic() > until:
                shown = self.run("document.body ? document.body.innerText : ''")
                raise RuntimeError(f"waited {seconds:.0f} s for {what}; the page shows: {shown[:1500]}")
            time.sleep(0.1)

    def choose_theme(self, theme: str) -> None:
        """Show the pages that are opened from now on as a reader sees them who chose ``"light"`` or ``"dark"``."""
        script = f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')"
        self.call("Page.addScriptToEvaluateOnNewDocument", source=f"try {{ {script} }} catch (error) {{}}")
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def close(self) -> None:
        """End the connection; the browser goes on."""
        self._socket.close()

    def _note(self, message: dict[str, Any]) -> None:
        about = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(about["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(about["url"])
            case "Runtime.exceptionThrown":
                details = about["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details.get("text", "")))
            case "Log.entryAdded" if about["entry"]["level"] == "error":
                self.errors.append(f"{about['entry']['text']} {about['entry'].get('url', '')}".strip())


@contextmanager
def open_tab(patience: float = 60.0) -> Iterator[Tab]:
    """A tab of a new browser with an empty profile, which ends with the block.

    Parameters
    ----------
    patience
        Seconds to wait for the browser, and for what a page is to show.

    Raises
    ------
    RuntimeError
        If no browser is installed, or it does not start.
    """
    path = find_browser()
    if path is None:
        raise RuntimeError(
            "this needs Chromium, Chrome or Edge, and none is installed (on Debian: apt-get install chromium); "
            "one that lies elsewhere is named by the environment variable BOOK_BROWSER"
        )
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
        flags += ["--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        flags += ["--no-sandbox"] * (hasattr(os, "getuid") and os.getuid() == 0)  # it refuses to start as root with it
        log = Path(profile) / "browser.log"
        with log.open("wb") as said:
            process = subprocess.Popen([path, *flags, "about:blank"], stdout=said, stderr=subprocess.STDOUT)
        try:
            port = _port(Path(profile) / "DevToolsActivePort", process, log, patience)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=patience) as answer:
                tabs = json.load(answer)
            tab = Tab(next(one["webSocketDebuggerUrl"] for one in tabs if one["type"] == "page"), patience)
            yield tab
            tab.close()
        finally:
            process.kill()
            process.wait()


def _port(file: Path, process: subprocess.Popen, log: Path, patience: float) -> str:
    """The port that the browser listens to, as soon as it has written it."""
    until = time.monotonic() + patience
    while not (file.exists() and file.read_text().strip()):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the browser does not start: {log.read_text(errors='replace').strip()[-500:]}")
        time.sleep(0.1)
    return file.read_text().split()[0]
