"""One source for the environment: ``pyproject.toml`` names the packages, the lock file fixes their versions.

``python -m helpers.book.environment`` writes ``requirements.lock`` from what is installed now, and
``environment.yml`` from ``pyproject.toml``.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

from helpers.locations import ROOT

__all__ = ["conda_file", "direct_requirements", "locked_file"]

_NOT_OURS = {"pip", "comparing-representations"}


def direct_requirements(root: Path = ROOT) -> list[str]:
    """What ``pyproject.toml`` asks for, the development tools included."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return sorted([*project["dependencies"], *project["optional-dependencies"]["dev"]])


def locked_file() -> str:
    """Exact versions of everything that is installed, in the form of a requirements file."""
    lines = ["# Written by `make lock`: the exact versions that the book was built and tested with."]
    packages = {_canonical(d.name): d.version for d in importlib.metadata.distributions()}
    for name, version in sorted(packages.items()):
        if name not in _NOT_OURS:
            # The build label (+cpu) is dropped: each machine takes the build that suits it.
            marker = ' ; sys_platform == "linux"' if name.startswith("nvidia-") else ""
            lines.append(f"{name}=={version.partition('+')[0]}{marker}")
    return "\n".join(lines) + "\n"


def conda_file(root: Path = ROOT) -> str:
    """The contents of ``environment.yml``: the same lock, the same names, then this package."""
    lines = [
        "# Written by `make lock` from pyproject.toml and requirements.lock; conda reads both from here.",
        "name: comparing-representations",
        "channels: [conda-forge]",
        "dependencies:",
        "  - python=3.11",
        "  - pip",
        "  - pip:",
        "      - -r requirements.lock",
        *(f"      - {requirement}" for requirement in direct_requirements(root)),
        "      - -e .",
    ]
    return "\n".join(lines) + "\n"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    (ROOT / "requirements.lock").write_text(locked_file(), encoding="utf-8")
    (ROOT / "environment.yml").write_text(conda_file(), encoding="utf-8")
