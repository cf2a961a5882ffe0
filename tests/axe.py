"""Axe, the checker of accessibility, out of a package: what it finds on a page in a browser."""

from importlib.util import find_spec
from pathlib import Path

import pytest

_RUN = """axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map((one) =>
  `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`))"""


def axe_script():
    """Axe's script; the test is skipped where the package is not installed."""
    found = find_spec("axe_core_python")
    if found is None:
        pytest.skip("the package axe-core-python is not installed")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def violations(tab, script):
    """What Axe finds on the page of a tab, a line for each rule: its name, what it asks for, and the elements."""
    tab.run(f"window.axe || (() => {{ {script} }})(); true")
    return tab.run(_RUN)
