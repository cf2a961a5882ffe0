"""Recorded tables: the rows of many runs in one file under ``data/results``, with what it takes to make them again."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from helpers.waiting import alone

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Kept",
    "Merged",
    "Table",
    "installed_versions",
    "merge_rows",
    "provenance",
    "versions",
    "with_provenance",
    "write_table",
]


def versions(*packages: str, known: Mapping[str, str] | None = None) -> str:
    """The versions of Python and of packages, in one line.

    Parameters
    ----------
    packages
        Names of the packages, as they are imported or distributed.
    known
        Versions by name, as :func:`installed_versions` gives them; by default of what is installed now.

    Raises
    ------
    ValueError
        If one is not known.

    Examples
    --------
    >>> from helpers.book.records import versions
    >>> versions("numpy", known={"python": "3.11.7", "numpy": "2.4.6"})
    'python=3.11.7 numpy=2.4.6'
    """
    import platform
    from importlib.metadata import PackageNotFoundError, version

    if known is None:
        known = {"python": platform.python_version()}
        for name in packages:
            with suppress(PackageNotFoundError):
                known[_canonical(name)] = version(name)
    if missing := [name for name in packages if _canonical(name) not in known]:
        raise ValueError(f"there is no installed package {missing[0]!r} whose version could be recorded")
    return " ".join(f"{name}={known[_canonical(name)].partition('+')[0]}" for name in ("python", *packages))


def installed_versions() -> dict[str, str]:
    """The versions of Python and of all packages that are installed, by their names in lower case."""
    import platform
    from importlib.metadata import distributions

    found = {_canonical(one.name): one.version for one in distributions() if one.name}
    return {"python": platform.python_version(), **dict(sorted(found.items()))}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def provenance(seconds: float) -> dict[str, Any]:
    """What there is to say of a run that has just ended, beside its parameters and its key.

    Parameters
    ----------
    seconds
        Duration of the run.

    Returns
    -------
    dict
        ``versions`` of all packages, ``machine``, ``date`` and ``minutes``: what :func:`with_provenance` takes.
    """
    import datetime
    import platform

    return {
        "versions": installed_versions(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
        "minutes": round(seconds / 60, 2),
    }


def with_provenance(rows: pd.DataFrame, made: Mapping[str, Any], packages: Sequence[str]) -> pd.DataFrame:
    """Rows with the columns ``versions``, ``machine``, ``date`` and ``minutes`` behind.

    Parameters
    ----------
    rows
        One table of one run.
    made
        What :func:`provenance` said of the run.
    packages
        Names of the packages whose versions decide the values.

    Raises
    ------
    ValueError
        If ``rows`` have a column of that name already, or a package was not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.book.records import with_provenance
    >>> made = {"versions": {"python": "3.11.7", "numpy": "2.4.6"}, "machine": "Linux", "date": "2026-11-21"}
    >>> rows = with_provenance(pd.DataFrame({"rank": [2]}), made | {"minutes": 0.5}, ["numpy"])
    >>> rows.iloc[0].to_dict()["versions"], list(rows)
    ('python=3.11.7 numpy=2.4.6', ['rank', 'versions', 'machine', 'date', 'minutes'])
    """
    behind = {"versions": versions(*packages, known=made["versions"])}
    behind |= {name: made[name] for name in ("machine", "date", "minutes")}
    if twice := set(rows) & set(behind):
        raise ValueError(f"rows have a column {min(twice)!r} already; the sweep writes it, so the worker must not")
    return rows.assign(**behind)


@dataclass(frozen=True)
class Table:
    """One recorded table, as the ``tables`` of a plan name it.

    Attributes
    ----------
    name : str
        Name by which the worker keeps the rows (see :func:`helpers.book.rows.keep_rows`).
    file : Path
        Path of the table; the ending, ``.csv`` or ``.parquet``, is its format.
    key : tuple of str
        Columns that tell any two rows of the table apart.
    replace : tuple of str
        Columns of the key by which rows of a run take the place of older ones: all that agree in these with a row of
        the run go. The key itself by default, so that one row replaces one row.
    decimals, digits : int or dict of str to int, optional
        To how many decimals or significant digits floating-point numbers are rounded: all, or those of the columns
        named. By default they are written as they are.
    versions : tuple of str, optional
        Packages whose versions stand in each row, together with machine, date and minutes; none of that by default.
    """

    name: str
    file: Path
    key: tuple[str, ...]
    replace: tuple[str, ...] = ()
    decimals: int | Mapping[str, int] | None = None
    digits: int | Mapping[str, int] | None = None
    versions: tuple[str, ...] | None = None

    @property
    def by(self) -> list[str]:
        """The columns in which rows of one run agree with those that they replace."""
        return list(self.replace or self.key)

    @property
    def named(self) -> list[str]:
        """All columns that the plan names."""
        rounded = [self.decimals, self.digits]
        return [*self.key, *(column for which in rounded if isinstance(which, Mapping) for column in which)]

    def check(self) -> None:
        """Refuse a plan that does not fit the table as it lies there.

        Raises
        ------
        ValueError
            If the file lacks a column that the plan names, or packages are not installed.
        """
        if self.file.exists():
            self.refuse_missing(list(self.read().columns), f"{self.file}")
        if self.versions is not None:
            versions(*self.versions)

    def refuse_missing(self, columns: Sequence[str], where: str) -> None:
        """Raise an error if ``columns`` are not all that the plan names."""
        for column in self.named:
            if column not in columns:
                raise ValueError(f"the table {self.name} names a column {column!r}; {where} has {list(columns)}")

    def read(self) -> pd.DataFrame:
        """The table as it is, the cells of a CSV as text."""
        import pandas as pd

        if self.file.suffix == ".parquet":
            return pd.read_parquet(self.file)
        return pd.read_csv(self.file, dtype=str, na_filter=False)

    def as_written(self, kept: Kept) -> pd.DataFrame:
        """The rows of one run, rounded, with provenance, and as the text of a CSV.

        They depend on the run alone and on no other row of the table.

        Raises
        ------
        ValueError
            If a column that the plan names is missing, if two rows have one key, or if a CSV would have to take lists.
        """
        import pandas as pd

        rows, run = pd.read_parquet(kept.file), kept.run
        self.refuse_missing(list(rows.columns), f"what {run} keeps")
        for column, places in _places(self.decimals, rows).items():
            rows[column] = rows[column].round(places)
        for column, places in _places(self.digits, rows).items():
            rows[column] = rows[column].map(lambda value, form=f".{places}g": float(format(value, form)))
        twice = rows[rows.duplicated(list(self.key), keep=False)]
        if len(twice):
            same = ", ".join(f"{column}={twice.iloc[0][column]}" for column in self.key)
            raise ValueError(f"{run} keeps {len(twice)} rows of the table {self.name} with one key, such as {same}")
        if self.versions is not None:
            rows = with_provenance(rows, kept.made, self.versions)
        if self.file.suffix == ".parquet":
            return rows
        for column in rows:
            if len(rows) and rows[column].map(lambda value: hasattr(value, "__len__") and type(value) is not str).any():
                raise ValueError(f"column {column!r} of the table {self.name} holds lists; let its file be .parquet")
        text = io.StringIO(rows.to_csv(index=False))
        return pd.read_csv(text, dtype=str, na_filter=False)


class Kept(NamedTuple):
    """Rows of one table that one run left.

    Attributes
    ----------
    run : str
        Name of the run, for messages.
    file : Path
        The Parquet file with the rows.
    made : mapping
        What :func:`provenance` said of the run.
    """

    run: str
    file: Path
    made: Mapping[str, Any]


class Merged(NamedTuple):
    """What became of a table: how many rows came from how many runs, and what they met.

    Attributes
    ----------
    rows, runs : int
        Rows that runs brought, and of how many runs.
    same, replacing, new : int
        How many of these rows stood there already, took the place of a row with the same key, had none.
    gone : int
        Older rows of these runs that none of them brought again.
    others : int
        Rows of other runs, as they were.
    """

    rows: int
    runs: int
    same: int
    replacing: int
    new: int
    gone: int
    others: int

    def __str__(self) -> str:
        met = {"there already": self.same, "in place of older rows": self.replacing, "new": self.new}
        words = ", ".join(f"{count} {what}" for what, count in met.items() if count) or "none"
        words += f"; gone: {self.gone} older of these runs" * bool(self.gone)
        return words + f"; of other runs: {self.others}, untouched" * bool(self.others)


def merge_rows(table: Table, kept: Iterable[Kept]) -> Merged:
    """Bring the rows of runs into a recorded table, in place of those that they replace.

    The rows are sorted by the columns of ``table.replace``; those that agree in them stay in the order in which the
    worker kept them. So the file depends on the rows alone, and not on when and in which order they came. Several
    processes may merge at a time; a reader sees the table before or after, never half of it.

    Raises
    ------
    ValueError
        If the rows have other columns than the table, or than each other; if rows of two runs would replace each other;
        and as :meth:`Table.as_written`.
    """
    import pandas as pd

    table.file.parent.mkdir(parents=True, exist_ok=True)
    with alone(table.file.with_name(f".{table.file.name}.lock"), f"another process is writing {table.file.name}"):
        kept = list(kept)
        fresh = _together(table, kept)
        older = table.read() if table.file.exists() else fresh.iloc[:0]
        if set(older.columns) != set(fresh.columns):
            raise ValueError(
                f"{table.file} {_difference(older.columns, fresh.columns, 'the rows of the runs')}; "
                "rename them in one of the two, or remove the file to begin it anew"
            )
        older = older[list(fresh.columns)]
        both = pd.concat([older, fresh], ignore_index=True)
        is_fresh = pd.Series([False] * len(older) + [True] * len(fresh))
        place = _keys(both, table.by)
        goes = ~is_fresh & place.isin(set(place[is_fresh]))
        merged = both[~goes].assign(**{_ORDER: place[~goes]}).sort_values(_ORDER, kind="stable").drop(columns=_ORDER)
        write_table(table, merged)
        key, whole = _keys(both, table.key), both.map(_comparable).apply(tuple, axis=1)
        same = is_fresh & whole.isin(set(whole[goes]))
        met = is_fresh & key.isin(set(key[goes]))
        gone = goes & ~key.isin(set(key[is_fresh]))
    counts = {"same": same, "replacing": met & ~same, "new": is_fresh & ~met, "gone": gone, "others": ~is_fresh & ~goes}
    return Merged(len(fresh), len(kept), **{name: int(which.sum()) for name, which in counts.items()})


_ORDER = "the place of a row"


def _together(table: Table, kept: Sequence[Kept]) -> pd.DataFrame:
    """The rows of all runs; a row that two of them keep alike counts once."""
    import pandas as pd

    parts, owners = [], {}
    for one in kept:
        rows = table.as_written(one)
        if parts and set(rows.columns) != set(parts[0].columns):
            raise ValueError(
                f"{kept[0].run} {_difference(parts[0].columns, rows.columns, one.run)} in the table {table.name}"
            )
        here = rows.map(_comparable)
        new = []
        for place, group in here.groupby(table.by, sort=False, dropna=False):
            before = owners.setdefault(place, (one.run, group.to_numpy().tolist()))
            if before[0] != one.run and before[1] != group.to_numpy().tolist():
                same = ", ".join(f"{column}={value}" for column, value in zip(table.by, place, strict=True))
                raise ValueError(
                    f"{before[0]} and {one.run} keep different rows of the table {table.name} with {same}, which would "
                    "replace each other; name the column that tells these runs apart, in its key and replace"
                )
            if before[0] == one.run:
                new += list(group.index)
        parts.append(rows.loc[sorted(new)][list(parts[0].columns) if parts else list(rows.columns)])
    return pd.concat(parts, ignore_index=True)


def _difference(first: Iterable[str], second: Iterable[str], of: str) -> str:
    first, second = list(first), list(second)
    words = []
    if lacking := [column for column in second if column not in first]:
        words.append(f"has no columns {lacking}, which {of} have")
    if besides := [column for column in first if column not in second]:
        words.append(f"has the columns {besides}, which {of} do not have")
    return " and ".join(words)


def _places(given: int | Mapping[str, int] | None, rows: pd.DataFrame) -> dict[str, int]:
    """To how many places each floating-point column is rounded."""
    floats = list(rows.select_dtypes("floating"))
    if given is None:
        return {}
    return {c: given[c] for c in given if c in floats} if isinstance(given, Mapping) else dict.fromkeys(floats, given)


def _keys(rows: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """A tuple for each row that compares and sorts as its cells do: columns of numbers by value, others as text."""
    import pandas as pd

    parts = []
    for column in columns:
        cells = rows[column].map(lambda cell: "" if cell is None or cell != cell else str(cell))
        values = pd.to_numeric(cells.where(cells != "", "nan"), errors="coerce")
        if (values.isna() == cells.isin(["", "nan"])).all():
            parts.append([(value != value, value if value == value else 0.0) for value in values])
        else:
            parts.append(list(cells))
    return pd.Series(list(zip(*parts, strict=True)), index=rows.index, dtype=object)


def _comparable(cell: Any) -> Any:
    """A cell as something that is equal to its like: lists as tuples, missing values as None."""
    if hasattr(cell, "__len__") and not isinstance(cell, str):
        return tuple(cell)
    return None if cell is None or cell != cell else cell


def write_table(table: Table, rows: pd.DataFrame) -> None:
    """Replace the file of a table in one step, if it changes."""
    draft = table.file.with_name(f".{table.file.name}.part")
    if table.file.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(
            pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(), draft, compression="zstd"
        )
    else:
        rows.to_csv(draft, index=False, lineterminator="\n")
    if table.file.exists() and draft.read_bytes() == table.file.read_bytes():
        draft.unlink()
    else:
        os.replace(draft, table.file)
