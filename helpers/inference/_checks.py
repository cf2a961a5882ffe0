"""Checked input of the statistics: vectors, tables of scores, groups, levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("raise", "rows", "columns", "present")


def choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {choices}")


def complete_table(table: Any, missing: str) -> pd.DataFrame:
    """A table without missing scores and with at least two cells."""
    if missing == "present":
        raise ValueError(f"missing is 'present'; this test needs complete cells: one of {MISSING[:3]}")
    table = score_table(table, missing)
    if len(table) < 2:
        raise ValueError("table has 1 cell; at least 2 are needed")
    return table


def check_level(level: Any) -> float:
    if not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ValueError(f"confidence_level is {level!r}; a confidence level between 0 and 1, such as 0.95, is needed")
    return float(level)


def group_members(groups: Any, n: int, name: str = "groups", of: str = "item") -> list[np.ndarray]:
    """For each group the places of its items; ``name`` and ``of`` are what a message calls labels and items."""
    import pandas as pd

    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"{name} has shape {labels.shape}; one label for each of the {n} {of}s is needed")
    codes, names = pd.factorize(labels)
    if (codes < 0).any():
        raise ValueError(f"{name}[{int(np.argmin(codes))}] is missing; every {of} needs a label")
    if len(names) < 2:
        raise ValueError(f"{name} has {len(names)} distinct label; at least 2 {name} are needed to draw from")
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])


def numbers(values: Any, name: str, dimensions: tuple[int, ...], *, least: int) -> np.ndarray:
    """A finite float64 array with so many dimensions and at least so many items."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are needed")
    if array.ndim not in dimensions:
        raise ValueError(f"{name} has shape {array.shape}; (n,){' or (n, k)' if 2 in dimensions else ''} is needed")
    if len(array) < least:
        raise ValueError(f"{name} has {len(array)} entries; at least {least} are needed")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        at = ", ".join(str(i) for i in wrong[0])
        raise ValueError(f"{name}[{at}] is {array[tuple(wrong[0])]}; every entry must be finite")
    return array.astype(np.float64)


def score_table(table: Any, missing: str) -> pd.DataFrame:
    """A checked float64 table of at least one cell and two methods."""
    import pandas as pd

    choice(missing, "missing", MISSING)
    table = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"table: method {twice!r} occurs twice; one column per method is needed")
    for name, dtype in table.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise TypeError(f"table: method {name!r} has dtype {dtype}; scores must be real numbers")
    table = table.astype(np.float64)
    values = table.to_numpy()
    for wrong, what in ((np.isinf(values), "infinite"), (np.isnan(values) & (missing == "raise"), "missing")):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            hint = "" if what == "infinite" else f"; complete the table, or say missing= one of {MISSING[1:]}"
            raise ValueError(f"table: cell {table.index[row]!r}, method {table.columns[column]!r} is {what}{hint}")
    if missing in ("rows", "columns"):
        table = table.dropna(axis=0 if missing == "rows" else 1)
    if missing == "present":
        table = table[table.notna().sum(axis=1) >= 2].dropna(axis=1, how="all")
    if table.shape[1] < 2 or table.shape[0] < 1:
        raise ValueError(f"table has {table.shape[0]} cells and {table.shape[1]} methods; 1 and 2 are the least")
    return table


def vector(values: Any, name: str, *, least: int) -> np.ndarray:
    return numbers(values, name, (1,), least=least)
