"""What every page does: hand its facts to the text, and say what it ran on; how long it takes to read."""

from __future__ import annotations

import json
import platform
import re
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["glue_facts", "reading_minutes", "this_run"]

WORDS_A_MINUTE = 200
"""Words of prose that are read in a minute, fewer than of non-fiction (238: Brysbaert 2019, J. Mem. Lang. 109)."""
MINUTES_A_FORMULA = 0.5
"""Minutes for a displayed formula."""
MINUTES_A_LINE = 0.05
"""Minutes for a line of visible code."""

_DISPLAYED = re.compile(r"\$\$.*?\$\$|^(?:```|:::)\{math\}.*?^(?:```|:::)", re.DOTALL | re.MULTILINE)


def glue_facts(chapter: str, facts: Mapping[str, Any]) -> None:
    """Hand facts to the text of a page, where ``{glue:text}`` shows each as ``CHAPTER_NAME``.

    Parameters
    ----------
    chapter
        First part of the names.
    facts
        Numbers, words and truth values by name, mostly what ``facts`` of the chapter's study returns.

    Raises
    ------
    TypeError
        If a fact is neither a number nor a word nor a truth value; nothing is glued then.
    ValueError
        If a name is no plain name; nothing is glued then.

    Examples
    --------
    >>> from helpers.book.pages import glue_facts
    >>> glue_facts("hubs", {"share": [0.5]})
    Traceback (most recent call last):
    TypeError: fact 'share' is a list; a number, a word or a truth value is needed
    """
    plain = {}
    for name, value in facts.items():
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if not str(name).isidentifier() and not str(name).replace("_", "").isalnum():
            raise ValueError(f"a fact is named {name!r}; letters, digits and _ are needed")
        if not isinstance(value, (bool, int, float, str)):
            raise TypeError(f"fact {name!r} is a {type(value).__name__}; a number, a word or a truth value is needed")
        plain[f"{chapter}_{name}"] = value
    for name, value in plain.items():
        _glue(name, value)


def this_run(began: float, *packages: str) -> pd.DataFrame:
    """What a page ran on and how long it took, as its last line shows it.

    Parameters
    ----------
    began
        Value of ``time.perf_counter()`` when the page began.
    packages
        Distributions whose versions decide about the numbers.

    Returns
    -------
    DataFrame
        Index ``python``, the packages, ``device`` and ``seconds``; one column, ``this run``.
    """
    import pandas as pd

    torch = sys.modules.get("torch")
    device = "GPU" if torch is not None and torch.cuda.is_available() else "CPU"
    rows = {"python": platform.python_version()} | {name: version(name) for name in packages}
    rows |= {"device": f"{device}, {platform.machine()}", "seconds": f"{time.perf_counter() - began:.0f}"}
    return pd.Series(rows, name="this run").to_frame()


def reading_minutes(notebook: Path) -> float:
    """Minutes that the page of a chapter takes to read, without its exercises.

    Parameters
    ----------
    notebook
        Chapter, executed or not: its words, its displayed formulas and its visible lines of code count.

    Returns
    -------
    float
        Minutes, at :data:`WORDS_A_MINUTE`, :data:`MINUTES_A_FORMULA` and :data:`MINUTES_A_LINE`.
    """
    words = formulas = lines = 0
    for cell in json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]:
        source, tags = "".join(cell["source"]), set(cell["metadata"].get("tags", []))
        if cell["cell_type"] == "code":
            concealed = tags & {"hide-input", "hide-cell", "remove-input", "remove-cell"}
            lines += 0 if concealed else sum(bool(line.strip()) for line in source.splitlines())
            continue
        text, exercises, _ = source.partition("## Exercises")
        pieces = _DISPLAYED.split(text)
        formulas += len(pieces) - 1
        words += sum(len(piece.split()) for piece in pieces)
        if exercises:
            break
    return words / WORDS_A_MINUTE + formulas * MINUTES_A_FORMULA + lines * MINUTES_A_LINE


def _glue(name: str, value: Any) -> None:
    from myst_nb import glue

    glue(name, value, display=False)
