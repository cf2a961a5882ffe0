"""Transactions of clients, read from a file or a table and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.clients import _tables, _values
from helpers.clients.data import Clients
from helpers.clients.options import Classes, Columns, Format, Handling, as_group

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read"]


def read(
    events: str | Path | pd.DataFrame,
    targets: str | Path | pd.DataFrame | pd.Series | None = None,
    *,
    columns: Columns | Mapping[str, Any] | None = None,
    format: Format | Mapping[str, Any] | None = None,
    handling: Handling | Mapping[str, Any] | None = None,
    classes: Classes | Mapping[str, Any] | None = None,
) -> Clients:
    """Transactions from a CSV or Parquet file (or a DataFrame), checked.

    Parameters
    ----------
    events
        Table with one row per transaction. CSV files may be compressed (``.gz``, ``.zip``, …). A relative path is
        looked for as by :func:`helpers.clients.load_clients`.
    targets
        Table with one row per client: a file, a DataFrame, or a Series indexed by client. If None, the column of the
        target in the events is used where there is one (where several rows of a client have a class, it must be the
        same), else no target is known.
    columns
        Names of the columns: :class:`~helpers.clients.options.Columns` or a mapping of its attributes. Clients and
        categories of a CSV file are what is written: ``007`` is not ``7``.
    format
        How dates and numbers are written, and how a CSV file is built: :class:`~helpers.clients.options.Format` or a
        mapping.
    handling
        What is done about missing, unknown, negative and duplicate values and about clients with few events:
        :class:`~helpers.clients.options.Handling` or a mapping.
    classes
        How targets become classes: :class:`~helpers.clients.options.Classes` or a mapping.

    Returns
    -------
    Clients
        Unsorted rows are sorted by client and time, those of one moment stay in the order of the source. ``report`` has
        a row for each check: ``found``, how many rows (or clients) were concerned, ``share`` of all, what was ``done``,
        and the first place ``where``.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ValueError
        If an option is unknown or has a value that is not accepted, a column is missing or named for two things, a
        value cannot be read or can be read in two ways, or something is found that an option raises; the message names
        the option, or the file, the line and the column. Also if nothing is left, if no client of the targets has
        events, if there are more classes than half of the clients, or if all classes are too small.
    TypeError
        If a group of options is neither its class nor a mapping.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients import read
    >>> rows = pd.DataFrame({"who": [7, 7, 7], "day": [3, 1, None], "what": ["a", "b", "a"], "sum": [1.0, -2.0, 3.0]})
    >>> names = {"client": "who", "time": "day", "category": "what", "amount": "sum"}
    >>> clients = read(rows, columns=names, handling={"min_events": 1})
    >>> clients.events["amount"].tolist()
    [-2.0, 1.0]
    >>> clients.report.loc[["missing dates", "unsorted"], "done"].tolist()
    ['dropped', 'sorted']
    """
    columns, format = as_group("columns", columns), as_group("format", format)
    handling, classes = as_group("handling", handling), as_group("classes", classes)
    roles = columns.roles()
    text = [columns.client, *columns.categories(), columns.channel]
    table, where = _tables.read_table(events, format, "events", text=text)
    _tables.need_columns(table, list(roles.values()), where)
    beside = targets is None and columns.target in table
    _tables.need_distinct(roles | ({"target": columns.target} if beside else {}), where)
    checks = _tables.Checks(table, where)
    clean = _clean(table, columns, format, handling, checks)
    clean = _sorted(clean[checks.kept], table, columns, checks)
    clean = _with_enough_events(clean, columns, handling, checks)
    target = _target(targets, table, clean, columns, format, checks)
    return Clients(clean, _without_small_classes(target, columns, classes, checks), checks.report())


def _clean(table: pd.DataFrame, columns: Columns, format: Format, handling: Handling, checks) -> pd.DataFrame:
    """The rows of the source in our columns; ``checks.kept`` tells which of them are left."""
    import pandas as pd

    where, category = checks.where, columns.categories()
    drop = {"drop": "dropped"}
    checks.found("duplicates", table.duplicated(), handling.duplicates, {"keep": "kept"} | drop, "")
    clean = pd.DataFrame(
        {
            "client": _values.names(table[columns.client]),
            "time": _values.times(table[columns.time], format.date_format, where),
        }
    )
    checks.found("missing clients", clean["client"].isna(), "drop", drop, columns.client)
    checks.found("missing dates", clean["time"].isna(), handling.missing_dates, drop, columns.time)
    clean["category"] = _values.labels(table[category])
    gaps, known = clean["category"].isna(), handling.known_categories
    kept = {"keep": "kept as 'missing'"} | drop
    checks.found("missing categories", gaps, handling.missing_categories, kept, category[0])
    clean["category"] = clean["category"].fillna("missing")
    unknown = ~gaps & ~clean["category"].isin(list(map(str, known))) if known is not None else gaps & False
    other = {"other": "became 'other'"} | drop
    checks.found("unknown categories", unknown, handling.unknown_categories, other, category[0])
    clean.loc[unknown, "category"] = "other"
    clean["amount"] = _values.numbers(table[columns.amount], where, format.decimal, format.thousands)
    checks.found("missing amounts", clean["amount"].isna(), handling.missing_amounts, drop, columns.amount)
    done = {"keep": "kept", "absolute": "sign dropped"} | drop
    checks.found("negative amounts", clean["amount"] < 0, handling.negative_amounts, done, columns.amount)
    if handling.negative_amounts == "absolute":
        clean["amount"] = clean["amount"].abs()
    if columns.channel:
        clean["channel"] = _values.labels(table[[columns.channel]]).fillna("missing")
    return clean


def _sorted(clean: pd.DataFrame, table: pd.DataFrame, columns: Columns, checks) -> pd.DataFrame:
    """Rows by client and time; how many were out of order is noted."""
    clean = clean.assign(client=clean["client"].infer_objects())
    later = clean["client"].eq(clean["client"].shift()) & (clean["time"] < clean["time"].shift())
    again = clean["client"].ne(clean["client"].shift()) & clean["client"].duplicated()
    checks.note("unsorted", (later | again).reindex(table.index, fill_value=False), "sorted", columns.time)
    return clean.sort_values(["client", "time"], kind="stable")


def _with_enough_events(clean: pd.DataFrame, columns: Columns, handling: Handling, checks) -> pd.DataFrame:
    """The clients that have enough events, numbered from 0, with categorical labels."""
    least, where = handling.min_events, checks.where
    count = clean.groupby("client", sort=True).size()
    few = count.index[count < least]
    if len(few) and handling.few_events == "raise":
        raise ValueError(
            f"{where}: {len(few)} clients have fewer than {least} events, the first is {few[0]} with {count[few[0]]} "
            "(few_events='raise')"
        )
    place = f"{columns.client} {few[0]}" if len(few) else ""
    checks.count("clients with few events", len(few), len(count), f"dropped (fewer than {least})", place)
    clean = clean[~clean["client"].isin(few)].reset_index(drop=True)
    if clean.empty:
        most = f"; the largest client has {count.max()}" if len(count) else ""
        raise ValueError(
            f"{where}: no client with at least {least} valid events is left of {checks.n} rows{most}{checks.dropped()}"
        )
    for column in {"category", "channel"} & set(clean):
        clean[column] = clean[column].astype("category")
    return clean


def _target(targets, table, clean: pd.DataFrame, columns: Columns, format: Format, checks) -> pd.Series:
    """What is known of each client that has events, missing where nothing is."""
    import pandas as pd

    owners = pd.Index(clean["client"].unique(), name="client")
    known = _answers(targets, table, columns, format, checks.where)
    if known is None:
        target, unused = pd.Series(np.nan, index=owners), np.zeros(0, bool)
    else:
        if pd.api.types.is_integer_dtype(known.index) and owners.dtype == object:
            known.index = known.index.astype(str).astype(object)
        target, unused = known.reindex(owners), ~known.index.isin(owners)
        if len(known) and target.isna().all():
            raise ValueError(
                f"{checks.where}: none of the {len(owners)} clients with events has a target; clients of the events "
                f"look like {owners.tolist()[0]!r}, those of the targets like {known.index.tolist()[0]!r}"
            )
    checks.count("clients without target", int(target.isna().sum()), len(target), "not scored")
    checks.count("targets without client", int(unused.sum()), len(unused), "ignored")
    return target.rename("target")


def _answers(targets, table, columns: Columns, format: Format, where: str) -> pd.Series | None:
    """The target of each client that has one, or None if there are no targets at all."""
    import pandas as pd

    owner, column = columns.target_client or columns.client, columns.target
    if targets is None:
        if column not in table.columns:
            if column != Columns.target:  # somebody has named it
                _tables.need_columns(table, [column], where)
            return None
        answers, owner = table, columns.client
    elif isinstance(targets, pd.Series):
        answers, where = targets.rename_axis(owner).rename(column).reset_index(), "the targets"
    else:
        own = Format(encoding=format.encoding, decimal=format.decimal, thousands=format.thousands)
        answers, where = _tables.read_table(targets, own, "targets", text=[owner])
        _tables.need_columns(answers, [owner, column], where)
        _tables.need_distinct({"target_client": owner, "target": column}, where)
    given = answers[[owner, column]].dropna()
    if not isinstance(targets, pd.Series):
        given = given.assign(**{owner: _values.names(given[owner]).infer_objects()}).drop_duplicates()
    given = given.set_index(owner)[column]
    twice = given.index.duplicated()
    if twice.any():
        name = given.index[twice][0]
        several = " and ".join(map(repr, given.loc[name].tolist()[:2]))
        raise ValueError(f"{where}, column {column!r}: client {name} has more than one target, such as {several}")
    return given


def _without_small_classes(target: pd.Series, columns: Columns, classes: Classes, checks) -> pd.Series:
    """Classes of clients; those of small classes are as clients without a target."""
    target, least = _values.classes(target, classes.n_bins, columns.target), classes.min_class_size
    sizes = target.value_counts()
    small = target.isin(sizes.index[sizes < least])
    if len(sizes) and sizes.max() < least:
        raise ValueError(
            f"{checks.where}: no class has {least} clients, the largest, {sizes.index[0]!r}, has {sizes.iloc[0]}; "
            "classes.min_class_size says how many are needed, and classes.n_bins, such as 4, cuts numbers or dates "
            "into classes"
        )
    place = f"class {target[small].iloc[0]}" if small.any() else ""
    checks.count("clients of rare classes", int(small.sum()), len(small), f"not scored (fewer than {least})", place)
    return target.mask(small) if small.any() else target
