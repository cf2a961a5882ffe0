"""Files that come with the book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from helpers.locations import DATA

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["path", "table"]


def path(name: str) -> Path:
    """A file under ``data/`` by its name relative to that folder, wherever the caller runs.

    A chapter that names the file in its code, as in ``path("results/chapters.csv")``, runs again when the file changes.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message lists what lies beside it.
    """
    found = DATA / name
    if not found.exists():
        beside = sorted(p.name for p in found.parent.iterdir()) if found.parent.is_dir() else []
        raise FileNotFoundError(f"no {found}; beside it are {beside}")
    return found


def table(name: str) -> pd.DataFrame:
    """A recorded table, such as ``table("results/benchmark.csv")`` or ``table("results/fusion_draws.parquet")``."""
    import pandas as pd

    return pd.read_parquet(path(name)) if name.endswith(".parquet") else pd.read_csv(path(name))
