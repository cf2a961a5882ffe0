"""Equations without a network: MathJax out of the wheel ``sphinx-mathjax-offline``."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

SCRIPT, FONTS = "tex-chtml-full.js", "output/chtml/fonts/woff-v2"


def copy_mathjax(app, exception):
    if exception is None and app.builder.format == "html":
        source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
        target = Path(app.outdir) / "_static" / "mathjax"
        shutil.copytree(source / FONTS, target / FONTS, dirs_exist_ok=True)
        shutil.copy(source / SCRIPT, target)


def setup(app):
    app.config.mathjax_path = f"mathjax/{SCRIPT}"
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
