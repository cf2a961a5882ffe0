"""What has to stand beside a recorded row, so that it can be made again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.locations import DATA

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PACKAGES", "versions", "with_provenance"]

PACKAGES = ("numpy", "scikit-learn", "lightgbm", "torch", "pytorch-lifestream")


def versions(*packages: str) -> str:
    """The versions of Python and of packages, in one line.

    >>> from helpers.book.records import versions
    >>> versions("numpy").startswith("python=3")
    True
    """
    import platform
    from importlib.metadata import version

    known = {name: version(name).partition("+")[0] for name in packages}
    return " ".join(f"{name}={number}" for name, number in {"python": platform.python_version(), **known}.items())


def with_provenance(
    rows: pd.DataFrame, *, minutes: float, packages: tuple[str, ...] = PACKAGES, **about: Any
) -> pd.DataFrame:
    """Rows of a study with all that one has to know to make them again, for :func:`helpers.book.records.record`.

    Parameters
    ----------
    rows
        One table.
    minutes
        That it took.
    packages
        Whose versions decide the values.
    about
        What else is the same in all rows: source, sizes, seed, scorer; a list is written as text.

    Returns
    -------
    DataFrame
        In front ``about``, behind ``versions``, ``machine``, ``date`` and ``minutes``.

    Raises
    ------
    ValueError
        If a column of that name is there already.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.book.records import with_provenance
    >>> with_provenance(pd.DataFrame({"accuracy": [0.6]}), minutes=1, source="simulated", parts=[1, 2]).columns.tolist()
    ['source', 'parts', 'accuracy', 'versions', 'machine', 'date', 'minutes']
    """
    import datetime
    import os
    import platform

    import pandas as pd

    behind = {
        "versions": versions(*packages),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
        "minutes": round(minutes, 2),
    }
    about = {k: " ".join(map(str, v)) if isinstance(v, (list, tuple)) else v for k, v in about.items()}
    if twice := set(rows) & {*about, *behind}:
        raise ValueError(f"rows have a column {min(twice)!r} already; it is written here")
    front = pd.DataFrame(about, index=rows.index)
    return pd.concat([front, rows, pd.DataFrame(behind, index=rows.index)], axis=1)


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

    target = DATA / f"{name}.csv"
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
