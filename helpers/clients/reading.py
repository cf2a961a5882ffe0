"""Clients and their transactions: read from files, checked, split."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.arrays import integer_seed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Clients", "PARTS", "load", "read", "read_age_groups", "read_berka", "split", "take"]

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
PARTS = ("train", "validation", "test")
HANDLING = {
    "missing_dates": ("drop", "refuse"),
    "missing_amounts": ("drop", "refuse"),
    "missing_categories": ("keep", "drop", "refuse"),
    "negative_amounts": ("keep", "absolute", "drop", "refuse"),
    "unknown_categories": ("other", "drop", "refuse"),
    "duplicates": ("keep", "drop", "refuse"),
    "few_events": ("drop", "refuse"),
}


@dataclass(frozen=True)
class Clients:
    """Transactions of clients, and what is to be predicted of each client.

    Attributes
    ----------
    events : DataFrame
        Columns ``client``, ``time`` (datetime64), ``category`` (categorical), ``amount`` (float64) and, where the
        source has it, ``channel`` (categorical); sorted by client and time, numbered from 0.
    target : Series
        Class of each client, by client, in the order of the events; missing where it is not known.
    report : DataFrame
        What was wrong with the source and what was done about it; see :func:`read`.
    latents : DataFrame or None
        The latent truth of simulated clients.
    """

    events: pd.DataFrame
    target: pd.Series
    report: pd.DataFrame | None = field(default=None, repr=False)
    latents: pd.DataFrame | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.target)


def load(source: str | Path = "simulated", *, n_clients: int | None = None, rng=0, **options) -> Clients:
    """Clients by one parameter.

    Parameters
    ----------
    source
        ``"simulated"`` (see :func:`helpers.clients.simulate`); ``"berka"``, the folder that ``BOOK_DATA`` holds, or
        ``"berka:FOLDER"``; a folder with a ``transactions_train.csv``, or the name ``owner/data-set`` of one on the
        hub (:func:`read_age_groups`); or a CSV or Parquet file (:func:`read`). A relative path is looked for here, in
        the top folder of the project, and below ``data/``.
    n_clients
        How many clients; all, or 2000 simulated ones, if None. Fewer than the source has are drawn by ``rng``.
    rng
        Of the simulation, and of the draw.
    options
        Passed on to the reader.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such source, or it is not as the reader expects.

    Examples
    --------
    >>> from helpers.clients import load
    >>> len(load("simulated", n_clients=5))
    5
    """
    name = str(source)
    if name == "simulated":
        from helpers.clients.simulator import simulate

        _need_options(options, simulate, name)
        return simulate(2000 if n_clients is None else n_clients, rng=rng, **options)
    path = _place(name)
    if name == "berka" or name.startswith("berka:"):
        _need_options(options, read_berka, name)
        clients = read_berka(name.partition(":")[2] or None, **options)
    elif path.is_file():
        _need_options(options, read, name)
        clients = read(path, **options)
    elif path.is_dir() or (name.count("/") == 1 and not path.is_absolute() and not path.suffix):
        _need_options(options, read_age_groups, name)
        clients = read_age_groups(path if path.is_dir() else name, **options)
    else:
        raise FileNotFoundError(
            f"no source {name!r}; it can be 'simulated', 'berka', a CSV or Parquet file, a folder with a "
            "transactions_train.csv, or the name owner/data-set of such a folder on the hub"
        )
    return take(clients, n_clients, rng=rng)


def take(clients: Clients, n_clients: int | None, *, rng=0) -> Clients:
    """At most ``n_clients`` clients, drawn without replacement; those with a target first."""
    seed = integer_seed(rng)
    if n_clients is None or n_clients >= len(clients):
        return clients
    if n_clients < 1:
        raise ValueError(f"n_clients is {n_clients}; at least 1 is needed")
    shuffled = np.random.default_rng(seed).permutation(len(clients))
    known = clients.target.notna().to_numpy()[shuffled]
    chosen = np.sort(shuffled[np.argsort(~known, kind="stable")][:n_clients])
    target = clients.target.iloc[chosen]
    events = clients.events[clients.events["client"].isin(target.index)].reset_index(drop=True)
    latents = clients.latents
    return Clients(events, target, clients.report, None if latents is None else latents.loc[target.index])


def read(
    events: str | Path | pd.DataFrame,
    targets: str | Path | pd.DataFrame | pd.Series | None = None,
    *,
    client: str = "client",
    time: str = "time",
    category: str | Sequence[str] = "category",
    amount: str = "amount",
    channel: str | None = None,
    target: str = "target",
    target_client: str | None = None,
    target_groups: int = 0,
    date_format: str | None = None,
    separator: str | None = None,
    decimal: str = ".",
    thousands: str = "",
    encoding: str = "utf-8",
    categories: Sequence | None = None,
    min_events: int = 10,
    min_class_size: int = 10,
    missing_dates: str = "drop",
    missing_amounts: str = "drop",
    missing_categories: str = "keep",
    negative_amounts: str = "keep",
    unknown_categories: str = "other",
    duplicates: str = "keep",
    few_events: str = "drop",
) -> Clients:
    """Transactions from a CSV or Parquet file (or a DataFrame), checked.

    Parameters
    ----------
    events
        One row per transaction. CSV files may be compressed (``.gz``, ``.zip``, …). A relative path is looked for as
        by :func:`load`.
    targets
        One row per client: a file, a DataFrame, or a Series indexed by client. If None, the column ``target`` of the
        events is used where there is one (where a row of a client has one it must be the same), else no target is
        known.
    client, time, category, amount, channel
        Columns of the events, one for each. Several columns for ``category`` are joined by ``" / "``. Without
        ``channel`` there is none. Clients and categories of a CSV file are what is written: ``007`` is not ``7``.
    target, target_client
        Columns of the targets; the client's has the same name as in the events by default.
    target_groups
        Into how many groups of equal size a target of numbers or dates is cut, 0 for the smallest; by default its
        values are the classes.
    date_format
        As for ``strptime``, such as ``"%y%m%d"``; ``"days"`` for numbers of days, counted from 2000-01-03, a Monday
        (the public data hide the true origin, so that their weekdays are weekdays up to a shift); ``"seconds"`` or
        ``"milliseconds"`` for those since 1970. By default dates are recognised, and numbers taken for days. Offsets
        from UTC are ignored: times are those of the clock on the wall.
    separator
        Of a CSV file; found out by default among comma, semicolon, tab and bar.
    decimal, thousands, encoding
        Of CSV files: marks in numbers, such as ``","`` and ``"."``, and ``"cp1252"``.
    categories
        The categories that are known; all that occur by default.
    min_events
        Clients with fewer events, after all else, are dropped or refused.
    min_class_size
        Classes with fewer clients are none: their clients are as those without a target. Otherwise a class could be
        missing in training, or have fewer clients than a classifier has folds.
    missing_dates, missing_amounts
        ``"drop"`` such rows, or ``"refuse"`` the source. A date or amount that cannot be read is always refused.
    missing_categories
        ``"keep"`` (the category ``"missing"``), ``"drop"`` or ``"refuse"``; a missing channel is always kept so.
    negative_amounts
        ``"keep"`` (money that comes in, or a refund), ``"absolute"``, ``"drop"`` or ``"refuse"``.
    unknown_categories
        Not among ``categories``: ``"other"`` (the category of that name), ``"drop"`` or ``"refuse"``.
    duplicates
        Rows that equal an earlier one in all columns of the source: ``"keep"`` (where only days are recorded, two equal
        purchases look the same), ``"drop"`` or ``"refuse"``.
    few_events
        ``"drop"`` or ``"refuse"``.

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
        If a column is missing or named for two things, a value cannot be read or can be read in two ways, or something
        is found that is to be refused; the message names the file, the line and the column. Also if nothing is left, if
        no client of the targets has events, if there are more classes than half of the clients, or if all are rare.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients import read
    >>> rows = pd.DataFrame({"who": [7, 7, 7], "day": [3, 1, None], "what": ["a", "b", "a"], "sum": [1.0, -2.0, 3.0]})
    >>> clients = read(rows, client="who", time="day", category="what", amount="sum", min_events=1)
    >>> clients.events["amount"].tolist()
    [-2.0, 1.0]
    >>> clients.report.loc[["missing dates", "unsorted"], "done"].tolist()
    ['dropped', 'sorted']
    """
    import pandas as pd

    from helpers.arrays import check_count

    asked = {
        "missing_dates": missing_dates,
        "missing_amounts": missing_amounts,
        "missing_categories": missing_categories,
        "negative_amounts": negative_amounts,
        "unknown_categories": unknown_categories,
        "duplicates": duplicates,
        "few_events": few_events,
    }
    for name, value in asked.items():
        if value not in HANDLING[name]:
            raise ValueError(f"{name} is {value!r}; it can be {' or '.join(map(repr, HANDLING[name]))}")
    check_count(min_events, "min_events")
    check_count(target_groups, "target_groups", least=0)
    check_count(min_class_size, "min_class_size")

    form = {"decimal": decimal, "encoding": encoding}
    parts = [category] if isinstance(category, str) else list(category)
    roles = {"client": client, "time": time, "amount": amount}
    roles |= {f"category[{i}]" if len(parts) > 1 else "category": name for i, name in enumerate(parts)}
    roles |= {"channel": channel} if channel else {}
    table, where = _table(events, separator, "events", text=[client, *parts, channel], **form)
    _need_columns(table, list(roles.values()), where)
    _need_distinct(roles | ({"target": target} if targets is None and target in table else {}), where)
    checks = _Checks(table, where)

    checks.found("duplicates", table.duplicated(), duplicates, {"keep": "kept", "drop": "dropped"}, "")
    clean = pd.DataFrame({"client": _names(table[client]), "time": _times(table[time], date_format, where)})
    checks.found("missing clients", clean["client"].isna(), "drop", {"drop": "dropped"}, client)
    checks.found("missing dates", clean["time"].isna(), missing_dates, {"drop": "dropped"}, time)
    clean["category"] = _labels(table[parts])
    gaps = clean["category"].isna()
    checks.found(
        "missing categories", gaps, missing_categories, {"keep": "kept as 'missing'", "drop": "dropped"}, parts[0]
    )
    clean["category"] = clean["category"].fillna("missing")
    strangers = ~gaps & ~clean["category"].isin(list(map(str, categories))) if categories is not None else gaps & False
    checks.found(
        "unknown categories", strangers, unknown_categories, {"other": "became 'other'", "drop": "dropped"}, parts[0]
    )
    clean.loc[strangers, "category"] = "other"
    clean["amount"] = _numbers(table[amount], where, decimal, thousands)
    checks.found("missing amounts", clean["amount"].isna(), missing_amounts, {"drop": "dropped"}, amount)
    done = {"keep": "kept", "absolute": "sign dropped", "drop": "dropped"}
    checks.found("negative amounts", clean["amount"] < 0, negative_amounts, done, amount)
    if negative_amounts == "absolute":
        clean["amount"] = clean["amount"].abs()
    if channel:
        clean["channel"] = _labels(table[[channel]]).fillna("missing")

    clean = clean[checks.kept]
    clean["client"] = clean["client"].infer_objects()
    later = clean["client"].eq(clean["client"].shift()) & (clean["time"] < clean["time"].shift())
    again = clean["client"].ne(clean["client"].shift()) & clean["client"].duplicated()
    checks.note("unsorted", (later | again).reindex(table.index, fill_value=False), "sorted", time)
    clean = clean.sort_values(["client", "time"], kind="stable")
    count = clean.groupby("client", sort=True).size()
    few = count.index[count < min_events]
    if len(few) and few_events == "refuse":
        raise ValueError(
            f"{where}: {len(few)} clients have fewer than {min_events} events, "
            f"the first is {few[0]} with {count[few[0]]}"
        )
    checks.rows["clients with few events"] = {
        "found": len(few),
        "share": len(few) / max(1, len(count)),
        "done": f"dropped (fewer than {min_events})" if len(few) else "",
        "where": f"{client} {few[0]}" if len(few) else "",
    }
    clean = clean[~clean["client"].isin(few)].reset_index(drop=True)
    if clean.empty:
        lost = [f"{row['found']} {check}" for check, row in checks.rows.items() if row["done"].startswith("dropped")]
        most = f"; the largest client has {count.max()}" if len(count) else ""
        raise ValueError(
            f"{where}: no client with at least {min_events} valid events is left of {len(table)} rows{most}"
            + f"; dropped were {', '.join(lost)}" * bool(lost)
        )
    for column in {"category", "channel"} & set(clean):
        clean[column] = clean[column].astype("category")

    owners = pd.Index(clean["client"].unique(), name="client")
    known = _targets(targets, table, client, target, target_client or client, where, **form)
    if known is not None and pd.api.types.is_integer_dtype(known.index) and owners.dtype == object:
        known.index = known.index.astype(str).astype(object)
    chosen = known.reindex(owners) if known is not None else pd.Series(np.nan, index=owners)
    if known is not None and len(known) and chosen.isna().all():
        raise ValueError(
            f"{where}: none of the {len(owners)} clients with events has a target; clients of the events look like "
            f"{owners.tolist()[0]!r}, those of the targets like {known.index.tolist()[0]!r}"
        )
    for check, found in {
        "clients without target": (chosen.isna(), "not scored"),
        "targets without client": (~known.index.isin(owners) if known is not None else np.zeros(0, bool), "ignored"),
    }.items():
        number = int(np.sum(found[0]))
        checks.rows[check] = {
            "found": number,
            "share": number / max(1, len(found[0])),
            "done": found[1] if number else "",
            "where": "",
        }
    chosen = _classes(chosen.rename("target"), target_groups, target)
    sizes = chosen.value_counts()
    rare = chosen.isin(sizes.index[sizes < min_class_size])
    if len(sizes) and sizes.max() < min_class_size:
        raise ValueError(
            f"{where}: no class has {min_class_size} clients, the largest, {sizes.index[0]!r}, has {sizes.iloc[0]}; "
            "min_class says how many are needed, and target_groups, such as 4, cuts numbers or dates into classes"
        )
    checks.rows["clients of rare classes"] = {
        "found": int(rare.sum()),
        "share": float(rare.mean()),
        "done": f"not scored (fewer than {min_class_size})" if rare.any() else "",
        "where": f"class {chosen[rare].iloc[0]}" if rare.any() else "",
    }
    chosen = chosen.mask(rare) if rare.any() else chosen
    return Clients(clean, chosen, pd.DataFrame.from_dict(checks.rows, orient="index").rename_axis("check"))


def read_age_groups(folder: str | Path = "dllllb/age-group-prediction", **options) -> Clients:
    """The public age-group data, or any folder of the same layout.

    Parameters
    ----------
    folder
        A folder, or the name of a data set on the hub, with ``transactions_train.csv`` (columns ``client_id``,
        ``trans_date``, ``small_group``, ``amount_rur``) and ``train_target.csv`` (``client_id``, ``bins``), each plain
        or as ``.csv.gz``. ``transactions_test.csv`` is read where it is there: clients without a target, on which
        encoders may be trained, but which are never scored; where ``test_target.csv`` is there too, they have one.
    options
        Of :func:`read`.

    Raises
    ------
    FileNotFoundError
        If a file is missing, or the hub cannot be reached; the message names both.
    """
    import pandas as pd

    files = {name: _find(folder, name) for name in ("transactions_train", "train_target")}
    for name, path in files.items():
        if path is None:
            raise FileNotFoundError(f"{folder} has neither {name}.csv nor {name}.csv.gz")
    files |= {name: _find(folder, name) for name in ("transactions_test", "test_target")}
    columns = {"client": "client_id", "time": "trans_date", "category": "small_group", "amount": "amount_rur"}
    columns |= {"target": "bins", "target_client": "client_id", "date_format": "days"} | options
    present = [files[name] for name in ("transactions_train", "transactions_test") if files[name]]
    answers = [files[name] for name in ("train_target", "test_target") if files[name]]
    if len(present) == len(answers) == 1:
        return read(present[0], answers[0], **columns)
    form = {name: columns[name] for name in ("decimal", "encoding") if name in columns}
    form["text"] = [columns[name] for name in ("client", "target_client", "category")]
    both = [
        pd.concat([_table(path, columns.get("separator"), "", **form)[0] for path in paths], ignore_index=True)
        for paths in (present, answers)
    ]
    return read(*both, **columns)


def read_berka(folder: str | Path | None = None, *, n_bins: int = 4, **options) -> Clients:
    """Accounts of a Czech bank of the nineties (PKDD 1999): the age group of each account's owner.

    Parameters
    ----------
    folder
        With ``trans_test.csv`` (or ``trans.csv``), ``disp.csv`` and ``client.csv``; ``$BOOK_DATA/berka_feup`` if None.
    n_bins
        Groups of equal size by date of birth, 0 for the youngest. It stands in the birth number, YYMMDD, where women
        have 50 added to the month.
    options
        Of :func:`read`.

    Notes
    -----
    Categories are operation and purpose, channels the kind of transaction (money in, out, out in cash). The age shows
    only weakly in these transactions.
    """
    import pandas as pd

    if folder is None:
        if "BOOK_DATA" not in os.environ:
            raise FileNotFoundError("no folder is given, and the variable BOOK_DATA names none")
        folder = Path(os.environ["BOOK_DATA"]) / "berka_feup"
    folder = Path(folder)
    transactions = next(
        (p for p in (folder / "trans.csv", folder / "trans_test.csv") if p.is_file()), folder / "trans.csv"
    )
    owners, where = _table(folder / "disp.csv", ";", "")
    _need_columns(owners, ["client_id", "account_id", "type"], where)
    people, where = _table(folder / "client.csv", ";", "")
    _need_columns(people, ["client_id", "birth_number"], where)
    owners = owners[owners["type"] == "OWNER"].merge(people, on="client_id", validate="many_to_one")
    number = owners["birth_number"].astype(str).str.zfill(6)
    month = number.str[2:4].astype(int) % 50
    born = pd.to_datetime("19" + number.str[:2] + month.astype(str).str.zfill(2) + number.str[4:], format="%Y%m%d")
    columns = {
        "client": "account_id",
        "time": "date",
        "date_format": "%y%m%d",
        "category": ["operation", "k_symbol"],
        "amount": "amount",
        "channel": "type",
        "separator": ";",
    }
    age = pd.Series((pd.Timestamp("2000-01-01") - born).dt.days.to_numpy(), index=owners["account_id"])
    return read(transactions, age, **columns | {"target_groups": n_bins} | options)


def split(
    target: pd.Series | Clients,
    *,
    experiment: int = 0,
    rng: int | np.random.Generator = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
) -> pd.Series:
    """Which clients train, validate and test: disjoint, in the same mixture of classes, fixed by the experiment.

    Parameters
    ----------
    target
        Class of each client. Clients without one go to ``"train"``: encoders may learn from them, scores never do.
    experiment, rng
        Together they decide the split, whatever model is trained.
    fractions
        Of the clients of each class, for training, validation and test.

    Returns
    -------
    Series
        ``"train"``, ``"validation"`` or ``"test"`` for each client, in the order of ``target``.

    Raises
    ------
    ValueError
        If the fractions are negative or do not sum to 1.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients import split
    >>> sorted(split(pd.Series([0, 1] * 5), experiment=1).value_counts().items())
    [('test', 2), ('train', 6), ('validation', 2)]
    """
    import pandas as pd

    seed = integer_seed(rng)
    target = target.target if isinstance(target, Clients) else target
    if len(fractions) != 3 or min(fractions) < 0 or not np.isclose(sum(fractions), 1):
        raise ValueError(f"fractions are {fractions}; three numbers from 0 that sum to 1 are needed")
    rng = np.random.default_rng([seed, experiment])
    codes = pd.factorize(target, sort=True)[0]
    order = rng.permutation(len(target))
    order = order[np.argsort(codes[order], kind="stable")]
    order = order[codes[order] >= 0]
    # Classes one after the other: the position inside the class decides, so that each class is cut alike.
    size = np.bincount(codes[codes >= 0])
    within = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
    place = (within + rng.random(len(size))[codes[order]]) / size[codes[order]] % 1
    parts = np.zeros(len(target), dtype=int)
    parts[order] = np.searchsorted(np.cumsum(fractions)[:2], place, side="right")
    return pd.Series(np.array(PARTS, dtype=object)[parts], index=target.index, name="part")


class _Checks:
    """Counts what is found, refuses what is to be refused, and remembers which rows are left."""

    def __init__(self, table: pd.DataFrame, where: str):
        self.n, self.where = len(table), where
        self.kept = np.ones(len(table), dtype=bool)
        self.rows: dict[str, dict] = {"rows": {"found": self.n, "share": 1.0, "done": "read", "where": where}}

    def found(self, check: str, rows: pd.Series, handling: str, done: Mapping[str, str], column: str) -> None:
        rows = rows.to_numpy(dtype=bool) & self.kept
        if rows.any() and handling == "refuse":
            raise ValueError(
                f"{self.where}, {self._place(rows, column)}: {check} are to be refused, and there are {int(rows.sum())}"
            )
        self.note(check, rows, done.get(handling, ""), column)
        if handling == "drop":
            self.kept &= ~rows

    def note(self, check: str, rows, done: str, column: str) -> None:
        rows = np.asarray(rows, dtype=bool)
        number = int(rows.sum())
        self.rows[check] = {
            "found": number,
            "share": number / max(1, self.n),
            "done": done if number else "",
            "where": self._place(rows, column) if number else "",
        }

    def _place(self, rows: np.ndarray, column: str) -> str:
        return _line(self.where, int(rows.argmax())) + f", column {column!r}" * bool(column)


OFFSET = r"(:\d{2}(?:\.\d+)?)\s?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)$"
"""Of a time from UTC, at the end of a date."""

NUMERIC = r"^(\d{1,2})([./-])(\d{1,2})[./-](\d{1,4})"
"""The beginning of a date of numbers that does not begin with the year."""

WHOLE = r"^(-?(?:0|[1-9]\d*))(?:\.0+)?$"
"""A whole number as one writes it; beside gaps some programs write ``7.0``."""

UNITS = {"seconds": "s", "milliseconds": "ms"}
PASSING = (read, read_berka, read_age_groups)


def _line(where: str, position: int) -> str:
    """How a reader finds a row: the line of a CSV file with its heading, else the row counted from 0."""
    return f"line {position + 2}" if ".csv" in where or ".txt" in where or ".tsv" in where else f"row {position}"


def _place(name: str | Path) -> Path:
    """A path as it is given, or, if it is relative, in the top folder of the project or below its data."""
    path = Path(name).expanduser()
    return next((place for place in (path, ROOT / path, DATA / path) if place.exists()), path)


def _table(source, separator: str | None, what: str, text: Sequence = (), **form: str) -> tuple[pd.DataFrame, str]:
    """The table and how to name it in messages; of a CSV file the columns ``text`` as they are written."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=True), f"the {what} table"
    path = _place(source)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix.lower() in (".xls", ".xlsx", ".ods"):
        raise ValueError(f"{path.name} is a spreadsheet; save it as CSV or Parquet")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pd.read_parquet(path)
            return table.reset_index(drop=table.index.names == [None]), path.name
        if separator is None:
            alone = {"nrows": 0, "sep": "\x00", "engine": "python", "header": 0, "quoting": 3}
            heading = pd.read_csv(path, encoding=form.get("encoding"), **alone).columns[0]
            separator = max(",;\t|", key=heading.count)
        options = {"sep": separator, "skipinitialspace": True, "index_col": False, **form}
        options |= {"dtype": dict.fromkeys(filter(None, text), str)}
        options |= {"ci_low_memory": False} if len(separator) == 1 else {"engine": "python"}
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # that fields beyond the heading are lost
            return pd.read_csv(path, **options), path.name
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not {error.encoding}; name its encoding, such as 'cp1252'") from None
    except LookupError:
        raise ValueError(
            f"encoding is {form.get('encoding')!r}, which is unknown; such as 'cp1252' is needed"
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning, ValueError) as error:
        why = "rows have more fields than the heading" if isinstance(error, Warning) else str(error).strip()
        raise ValueError(f"{path.name} cannot be read as a table: {why}") from None


def _need_columns(table: pd.DataFrame, wanted: Sequence[str], where: str) -> None:
    for column in wanted:
        if column not in table.columns:
            known = ", ".join(map(repr, table.columns))
            alone = "; separator names what stands between columns" * (table.shape[1] == 1)
            raise ValueError(f"{where} has no column {column!r}; its columns are {known}{alone}")
        if (number := int((table.columns == column).sum())) > 1:
            raise ValueError(f"{where} has {number} columns {column!r}; each name is needed once")


def _need_distinct(roles: Mapping[str, str], where: str) -> None:
    for role, column in roles.items():
        if others := [other for other, name in roles.items() if name == column and other != role]:
            raise ValueError(f"{where}: {role} and {others[0]} are both column {column!r}; name a column for each")


def _need_options(options: Mapping, reader, source: str) -> None:
    """Refuse what no reader of that source takes."""
    import inspect

    takes = set(inspect.signature(reader).parameters) - {"options", "events", "folder", "n_clients", "seed"}
    takes |= {"events"} if source == "simulated" else set()
    takes |= set(inspect.signature(read).parameters) - {"events", "targets"} if reader in PASSING else set()
    if unknown := [name for name in options if name not in takes]:
        raise ValueError(f"options name {unknown[0]!r}; for the source {source!r} there are {', '.join(sorted(takes))}")


def _times(column: pd.Series, form: str | None, where: str) -> pd.Series:
    import pandas as pd

    if form == "days" or (form is None and pd.api.types.is_numeric_dtype(column)):
        days = pd.to_numeric(column, errors="coerce")
        _refuse_unreadable(column, days, where, "a number of days")
        if (far := (days.abs() > 100_000).to_numpy()).any():
            at = int(far.argmax())
            raise ValueError(
                f"{where}, {_line(where, at)}, column {column.name!r}: {column.iloc[at]} is no plausible number of "
                "days; name the form of the dates by date_format, such as '%Y%m%d' or 'seconds'"
            )
        return pd.Timestamp("2000-01-03") + pd.to_timedelta(days, unit="D")
    if form in UNITS:
        since = pd.to_numeric(column, errors="coerce")
        _refuse_unreadable(column, since, where, f"a number of {form}")
        found = pd.to_datetime(since, unit=UNITS[form], errors="coerce")
        _refuse_unreadable(column, found, where, f"a plausible number of {form} since 1970")
        return found
    options: dict = {"format": form, "errors": "coerce"}
    if form:
        whole = column.astype("Int64") if pd.api.types.is_numeric_dtype(column) else column
        column = whole.astype("string")
    elif not pd.api.types.is_datetime64_any_dtype(column):
        text = column.astype("string").str.strip()
        column = text.str.replace(OFFSET, r"\1", regex=True)  # offsets that change in summer would make no one column
        options["dayfirst"] = _dayfirst(column, where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where no format is recognised, values are read one by one, and checked below
        found = pd.to_datetime(column, **options)
        if not form and found.isna().any():  # ISO dates of which some have no time, or a fraction of a second
            iso = pd.to_datetime(column, format="ISO8601", errors="coerce")
            found = iso if iso.notna().sum() > found.notna().sum() else found
    if getattr(found.dt, "tz", None) is not None:
        found = found.dt.tz_localize(None)
    hint = "" if form else "; date_format names the form of the dates, such as '%d.%m.%Y'"
    _refuse_unreadable(column, found, where, f"a date of the form {form}" if form else "a date", hint)
    return found


def _dayfirst(column: pd.Series, where: str) -> bool:
    """Whether dates such as 3/4/2024 are of April; refused where nothing tells."""
    parts = column.str.extract(NUMERIC).dropna()
    if parts.empty:
        return False
    first, second = parts[0].astype(int), parts[2].astype(int)
    if (parts[1] == ".").all():
        return True
    by_day, by_month = not (second > 12).any(), not (first > 12).any()
    short = (parts[3].str.len() == 2).all()  # 24/01/05 may begin with the year
    if by_day and (short or (by_month and (first != second).any())):
        at = column.index.get_loc((first != second).idxmax())
        raise ValueError(
            f"{where}, {_line(where, at)}, column {column.name!r}: {column.iloc[at]!r} can be read in more than one "
            "way, and so can all dates of this column; date_format names their form, such as '%d/%m/%Y' or '%m/%d/%Y'"
        )
    return by_day and not by_month


def _numbers(column: pd.Series, where: str, decimal: str = ".", thousands: str = "") -> pd.Series:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        raise ValueError(f"{where}, column {column.name!r}: dates are no amounts")
    if thousands == decimal:
        raise ValueError(f"decimal and thousands are both {decimal!r}; two different marks are needed")
    if not pd.api.types.is_numeric_dtype(column) and (marks := column.map(type).eq(str)).any():
        text = column.where(marks).astype("string").str.replace("\N{MINUS SIGN}", "-", regex=False)
        for mark in [thousands, *("\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}") * (thousands == " ")]:
            text = text.str.replace(mark, "", regex=False) if mark else text
        if decimal != ".":  # a point that is no decimal mark makes no number
            text = text.str.replace(".", "?", regex=False).str.replace(decimal, ".", regex=False)
        written = column.astype(object).where(~marks, text)
    else:
        written = column
    found = pd.to_numeric(written, errors="coerce").astype(float)
    comma = column.astype("string").str.contains(",", regex=False).fillna(False).any() if found.isna().any() else False
    hint = "; decimal and thousands name the marks in numbers, such as ',' and '.'" * bool(comma)
    _refuse_unreadable(column, found, where, "a number", hint)
    endless = np.isinf(found)
    if endless.any():
        at = int(endless.to_numpy().argmax())
        raise ValueError(f"{where}, {_line(where, at)}, column {column.name!r}: the amount is infinite")
    return found


def _refuse_unreadable(column: pd.Series, found: pd.Series, where: str, expected: str, hint: str = "") -> None:
    empty = column.isna() | column.astype("string").str.strip().eq("").fillna(False).astype(bool)
    wrong = (found.isna() & ~empty).to_numpy(dtype=bool)
    if wrong.any():
        at = int(wrong.argmax())
        shown = column.iloc[at].item() if isinstance(column.iloc[at], np.generic) else column.iloc[at]
        raise ValueError(
            f"{where}, {_line(where, at)}, column {column.name!r}: {shown!r} is not {expected}"
            + f"; {int(wrong.sum())} values are not" * bool(wrong.sum() > 1)
            + hint
        )


def _labels(columns: pd.DataFrame) -> pd.Series:
    """Values as text, several columns joined; missing where all of them are."""
    import pandas as pd

    pieces = []
    for _, column in columns.items():
        codes, text = _text(column)
        if text.dropna().str.fullmatch(WHOLE).all():
            text = text.str.replace(WHOLE, r"\1", regex=True)
        values = np.append(text.to_numpy(object, na_value=np.nan), np.nan)  # what is missing has the code -1
        pieces.append(pd.Series(values[codes], column.index, dtype="string"))
    joined = pieces[0]
    for piece in pieces[1:]:
        joined = (joined + " / " + piece).fillna(joined).fillna(piece)
    return joined.astype(object)


def _text(column: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Codes of the rows, and the distinct values as they are written; missing where but spaces are."""
    import pandas as pd

    codes, values = pd.factorize(column)
    values = pd.Series(values)
    if pd.api.types.is_float_dtype(values) and (values % 1 == 0).all():
        values = values.astype("Int64")  # whole numbers beside gaps are read as floats
    text = values.astype("string").str.strip()
    return codes, text.mask(text == "")


def _names(column: pd.Series) -> pd.Series:
    """Names of clients: whole numbers if all of them are written as such, else as they are; missing ones are NaN."""
    import pandas as pd

    codes, text = _text(column)
    known = text.dropna()
    numbers = len(known) and known.str.fullmatch(WHOLE).all() and known.str.len().max() <= 18
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if not (pd.api.types.is_numeric_dtype(column) or column.map(type).eq(str).any()):
        return column.astype(object)
    values = known.str.replace(WHOLE, r"\1", regex=True).astype(int) if numbers else known
    named = np.full(len(text) + 1, np.nan, dtype=object)
    named[known.index] = values.to_numpy(object)
    return pd.Series(named[codes], column.index, dtype=object, name=column.name)


def _classes(target: pd.Series, groups: int, column: str) -> pd.Series:
    """Classes of clients: the values of the target, or groups of them of equal size."""
    import pandas as pd

    known = target.dropna()
    if groups:
        if not (pd.api.types.is_numeric_dtype(known) or pd.api.types.is_datetime64_any_dtype(known)):
            raise ValueError(f"target_groups is {groups}, but the target {column!r} holds no numbers or dates")
        place = np.ceil(target.rank(method="first") / max(1, len(known)) * groups) - 1
        return place if len(known) < len(target) else place.astype(int)
    if known.nunique() > max(4, len(known) / 2):
        raise ValueError(
            f"the target {column!r} has {known.nunique()} values among {len(known)} clients; classes are needed, and "
            "target_groups, such as 4, cuts numbers or dates into some"
        )
    return target


def _targets(targets, table, client: str, column: str, owner: str, where: str, **form: str):
    """The target of each client that has one, or None if there are no targets at all."""
    import pandas as pd

    if targets is None:
        if column not in table.columns:
            return None
        answers, owner = table, client
    elif isinstance(targets, pd.Series):
        answers, where = targets.rename_axis(owner).rename(column).reset_index(), "the targets"
    else:
        answers, where = _table(targets, None, "targets", text=[owner], **form)
        _need_columns(answers, [owner, column], where)
        _need_distinct({"target_client": owner, "target": column}, where)
    given = answers[[owner, column]].dropna()
    if not isinstance(targets, pd.Series):
        given = given.assign(**{owner: _names(given[owner]).infer_objects()}).drop_duplicates()
    given = given.set_index(owner)[column]
    twice = given.index.duplicated()
    if twice.any():
        name = given.index[twice][0]
        several = " and ".join(map(repr, given.loc[name].tolist()[:2]))
        raise ValueError(f"{where}, column {column!r}: client {name} has more than one target, such as {several}")
    return given


def _find(folder: str | Path, name: str) -> Path | None:
    """A file of a folder or of a data set on the hub, plain or compressed."""
    folder = Path(folder)
    names = (f"{name}.csv", f"{name}.csv.gz")
    if folder.is_dir():
        return next((folder / file for file in names if (folder / file).is_file()), None)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for file in names:
        try:
            return Path(hf_hub_download(str(folder), file, repo_type="dataset"))
        except EntryNotFoundError:
            continue
        except Exception as error:
            raise FileNotFoundError(f"{folder} is no folder here, and not to be had from the hub: {error}") from None
    return None
