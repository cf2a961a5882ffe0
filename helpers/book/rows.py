"""What a worker notebook hands over: the rows that it found, by the name of a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ROWS", "in_front", "keep_rows"]

#: Environment variable: the folder into which a notebook that a sweep executes writes its rows.
ROWS = "HELPERS_ROWS"


def keep_rows(**tables: pd.DataFrame) -> None:
    """Hand over the rows that this notebook found.

    In a sweep they are written beside the executed notebook, in full precision, and go to the tables that the plan
    names, with versions, machine, date and minutes of the run. In a notebook that is run by itself they are shown.

    Parameters
    ----------
    tables
        DataFrames by the names that a plan knows them by. The index is not kept.

    Raises
    ------
    ValueError
        If an index has a name, if two columns have one, if a column holds values of several kinds, or if rows of that
        name were kept before.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.book.rows import keep_rows
    >>> keep_rows(scores=pd.DataFrame({"method": ["mean"], "accuracy": [0.6]}))
    scores: 1 row, kept by a sweep (python -m helpers sweep PLAN), only shown here
      method  accuracy
    0   mean       0.6
    """
    folder = os.environ.get(ROWS)
    for name, rows in tables.items():
        _check(name, rows)
        count = f"{name}: {len(rows)} row{'s' * (len(rows) != 1)}"
        if folder:
            _write(rows, Path(folder) / f"{name}.parquet", name)
            print(f"{count}, kept beside this notebook")
        else:
            from IPython.display import display

            print(f"{count}, kept by a sweep (python -m helpers sweep PLAN), only shown here")
            display(rows)


def in_front(rows: pd.DataFrame, **about: Any) -> pd.DataFrame:
    """Rows with columns in front that say the same in all of them.

    Parameters
    ----------
    rows
        Table that gets the columns.
    about
        Values by column, such as sizes, a seed, a source; a list becomes its items with spaces between them.

    Raises
    ------
    ValueError
        If a column of that name is there already.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.book.rows import in_front
    >>> in_front(pd.DataFrame({"accuracy": [0.6]}), source="simulated", models=[1, 2])
          source models  accuracy
    0  simulated    1 2       0.6
    """
    import pandas as pd

    if twice := set(rows) & set(about):
        raise ValueError(f"rows have a column {min(twice)!r} already; give it another name, or drop it")
    about = {k: " ".join(map(str, v)) if isinstance(v, (list, tuple)) else v for k, v in about.items()}
    return pd.concat([pd.DataFrame(about, index=rows.index), rows], axis=1)


def _check(name: str, rows: pd.DataFrame) -> None:
    named = [label for label in rows.index.names if label is not None]
    if named:
        raise ValueError(f"{name}: the index has the name {named[0]!r}, and would be lost; use reset_index()")
    columns = [str(column) for column in rows.columns]
    if twice := [column for column in columns if columns.count(column) > 1]:
        raise ValueError(f"{name}: two columns have the name {twice[0]!r}")


def _write(rows: pd.DataFrame, path: Path, name: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.exists():
        raise ValueError(f"{name}: rows of that name were kept before; call keep_rows once for each table")
    arrays = {}
    for column in rows:
        try:
            arrays[str(column)] = pa.Array.from_pandas(rows[column])
        except (pa.ArrowException, TypeError) as error:
            raise ValueError(
                f"{name}: column {column!r} holds values of several kinds, or of one that no table takes ({error}); "
                "make them all numbers, all text, or lists of numbers"
            ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays), path)
