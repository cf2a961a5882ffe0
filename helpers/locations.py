"""Where data sets and models are looked for."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["DATA", "ROOT", "resolve"]


#: Top of the checkout that this package lies in; a wheel has none.
ROOT = Path(__file__).resolve().parents[1]
#: Files that come with the book: encoders, recorded tables, profiles.
DATA = ROOT / "data"


def resolve(name: str) -> str:
    """Where a data set of the hub is read: the folder ``$BOOK_DATA/<owner>/<name>`` if there is one, else the hub.

    >>> resolve("mteb/a-data-set-nobody-has")
    'mteb/a-data-set-nobody-has'
    """
    folder = Path(os.environ.get("BOOK_DATA") or os.devnull) / name
    return str(folder) if folder.is_dir() else name
