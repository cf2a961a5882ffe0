"""At the end of a test run: what failed, one line each, as the command that repeats it."""

from __future__ import annotations

import os
import shlex
import sys

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    result = yield  # the reporter's own summary stands above
    failed = [*terminalreporter.stats.get("error", ()), *terminalreporter.stats.get("failed", ())]
    if failed:
        terminalreporter.section("what failed, and how to repeat it", sep="=")
        for line in dict.fromkeys(f"{_command(report.nodeid)}  # {_reason(report)}" for report in failed):
            terminalreporter.write_line(line)
    return result


def _command(nodeid: str) -> str:
    python = os.path.relpath(sys.executable)
    python = sys.executable if python.startswith("..") else python
    return f"{shlex.quote(python)} -m pytest -q {shlex.quote(nodeid)}"


def _reason(report) -> str:
    """The first line of the message; of a doctest what was expected and what came."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return _short(crash.message.strip().splitlines()[0] if crash.message.strip() else "no message")
    lines = [line.strip() for line in str(report.longrepr).splitlines() if line.strip()]
    for line in lines:
        if line.startswith("UNEXPECTED EXCEPTION: "):
            return _short(line.removeprefix("UNEXPECTED EXCEPTION: "))
    if "Expected:" in lines and "Got:" in lines:
        wanted, got = lines.index("Expected:"), lines.index("Got:")
        return _short(f"expected {' '.join(lines[wanted + 1 : got])}, got {' '.join(lines[got + 1 : -1])}")
    told = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
    return _short((told or lines or ["no message"])[-1])


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
