"""Files that come with the book."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["path", "record", "resolve", "table"]

FOLDER = Path(__file__).resolve().parents[1] / "data"


def path(name: str) -> Path:
    """A file under ``data/`` by its name relative to that folder, wherever the caller runs.

    A chapter that names the file in its code, as in ``path("results/chapters.csv")``, runs again when the file changes.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message lists what lies beside it.
    """
    found = FOLDER / name
    if not found.exists():
        beside = sorted(p.name for p in found.parent.iterdir()) if found.parent.is_dir() else []
        raise FileNotFoundError(f"no {found}; beside it are {beside}")
    return found


def table(name: str) -> pd.DataFrame:
    """A recorded table, such as ``table("results/benchmark.csv")``."""
    import pandas as pd

    return pd.read_csv(path(name))


def resolve(name: str) -> str:
    """Where a data set of the hub is read: the folder ``$BOOK_DATA/<owner>/<name>`` if there is one, else the hub.

    >>> resolve("mteb/a-data-set-nobody-has")
    'mteb/a-data-set-nobody-has'
    """
    folder = Path(os.environ.get("BOOK_DATA") or os.devnull) / name
    return str(folder) if folder.is_dir() else name


def record(name: str, rows: pd.DataFrame, by: Sequence[str]) -> Path:
    """Write rows into a recorded table, in place of those that agree with one of them in the columns ``by``.

    Several processes may record at a time; a reader sees the table before or after, never half of it.

    Parameters
    ----------
    name
        Of the table, without an ending: ``"results/views"``.
    rows
        What was measured; with the columns of the table, if there is one.
    by
        The columns that tell one run from another.

    Raises
    ------
    ValueError
        If the columns are not those of the table.
    """
    import pandas as pd
    from filelock import FileLock

    target = FOLDER / f"{name}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if target.exists():
            known = pd.read_csv(target, float_precision="round_trip")
            if list(known.columns) != list(rows.columns):
                raise ValueError(f"{target} has the columns {list(known.columns)}; the new rows {list(rows.columns)}")
            new = set(rows[list(by)].astype(str).itertuples(index=False, name=None))
            keep = [key not in new for key in known[list(by)].astype(str).itertuples(index=False, name=None)]
            rows = pd.concat([known[keep], rows]) if any(keep) else rows
        draft = target.with_name(f".{target.name}.part")
        rows.sort_values(list(by), kind="stable").to_csv(draft, index=False, lineterminator="\n")
        os.replace(draft, target)
    return target
