"""Clients and their transactions: read from files, checked, split."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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


def load(source: str | Path = "simulated", *, n_clients: int | None = None, seed=0, **options) -> Clients:
    """Clients by one parameter.

    Parameters
    ----------
    source
        ``"simulated"`` (see :func:`helpers.clients.simulate`); ``"berka"``, the folder that ``BOOK_DATA`` holds, or
        ``"berka:FOLDER"``; a folder with a ``transactions_train.csv``, or the name ``owner/data-set`` of one on the
        hub (:func:`read_age_groups`); or a CSV or Parquet file (:func:`read`). A relative path is looked for here, in
        the top folder of the project, and below ``data/``.
    n_clients
        How many clients; all, or 2000 simulated ones, if None. Fewer than the source has are drawn by ``seed``.
    seed
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

        return simulate(2000 if n_clients is None else n_clients, seed=seed, **options)
    path = _place(name)
    if name == "berka" or name.startswith("berka:"):
        clients = read_berka(name.partition(":")[2] or None, **options)
    elif path.is_file():
        clients = read(path, **options)
    elif path.is_dir() or (name.count("/") == 1 and not path.is_absolute() and not path.suffix):
        clients = read_age_groups(path if path.is_dir() else name, **options)
    else:
        raise FileNotFoundError(
            f"no source {name!r}; it can be 'simulated', 'berka', a CSV or Parquet file, a folder with a "
            "transactions_train.csv, or the name owner/data-set of such a folder on the hub"
        )
    return take(clients, n_clients, seed=seed)


def take(clients: Clients, n_clients: int | None, *, seed=0) -> Clients:
    """At most ``n_clients`` clients, drawn without replacement; those with a target first."""
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
    date_format: str | None = None,
    separator: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
    categories: Sequence | None = None,
    min_events: int = 10,
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
        Columns of the events. Several columns for ``category`` are joined by ``" / "``. Without ``channel`` there is
        none.
    target, target_client
        Columns of the targets; the client's has the same name as in the events by default.
    date_format
        As for ``strptime``, such as ``"%y%m%d"``; ``"days"`` for numbers of days, counted from 2000-01-03, a Monday
        (the public data hide the true origin, so that their weekdays are weekdays up to a shift). By default dates are
        recognised, and numbers taken for days. Offsets from UTC are ignored: times are those of the clock on the wall.
    separator
        Of a CSV file; found out by default.
    decimal, encoding
        Of CSV files, such as ``","`` and ``"cp1252"``.
    categories
        The categories that are known; all that occur by default.
    min_events
        Clients with fewer events, after all else, are dropped or refused.
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
        If a column is missing, a value cannot be read, or something is found that is to be refused; the message names
        the file, the line and the column. Also if nothing is left, or if no client of the targets has events.

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

    form = {"decimal": decimal, "encoding": encoding}
    table, where = _table(events, separator, "events", **form)
    parts = [category] if isinstance(category, str) else list(category)
    wanted = [client, time, *parts, amount, *([channel] if channel else [])]
    _need_columns(table, wanted, where)
    checks = _Checks(table, where)

    checks.found("duplicates", table.duplicated(), duplicates, {"keep": "kept", "drop": "dropped"}, "row")
    clean = pd.DataFrame({"client": table[client], "time": _times(table[time], date_format, where)})
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
    clean["amount"] = _numbers(table[amount], where)
    checks.found("missing amounts", clean["amount"].isna(), missing_amounts, {"drop": "dropped"}, amount)
    done = {"keep": "kept", "absolute": "sign dropped", "drop": "dropped"}
    checks.found("negative amounts", clean["amount"] < 0, negative_amounts, done, amount)
    if negative_amounts == "absolute":
        clean["amount"] = clean["amount"].abs()
    if channel:
        clean["channel"] = _labels(table[[channel]]).fillna("missing")

    clean = clean[checks.kept]
    if pd.api.types.is_float_dtype(clean["client"]) and (clean["client"] % 1 == 0).all():
        clean["client"] = clean["client"].astype(int)  # whole numbers beside gaps are read as floats
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
        raise ValueError(f"{where}: no client with at least {min_events} valid events is left of {len(table)} rows")
    for column in {"category", "channel"} & set(clean):
        clean[column] = clean[column].astype("category")

    owners = pd.Index(clean["client"].unique(), name="client")
    known = _targets(targets, table, client, target, target_client or client, where, **form)
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
    chosen = chosen.rename("target")
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
    both = [pd.concat([_table(path, None, "")[0] for path in paths], ignore_index=True) for paths in (present, answers)]
    return read(*both, **columns)


def read_berka(folder: str | Path | None = None, *, groups: int = 4, **options) -> Clients:
    """Accounts of a Czech bank of the nineties (PKDD 1999): the age group of each account's owner.

    Parameters
    ----------
    folder
        With ``trans_test.csv`` (or ``trans.csv``), ``disp.csv`` and ``client.csv``; ``$BOOK_DATA/berka_feup`` if None.
    groups
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
    clients = read(transactions, pd.Series(born.to_numpy(), index=owners["account_id"]), **columns | options)
    rank = clients.target.rank(method="first", ascending=False)
    target = np.ceil(rank / len(clients) * groups).sub(1).astype(int)
    return Clients(clients.events, target, clients.report)


def split(
    target: pd.Series | Clients,
    *,
    experiment: int = 0,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
) -> pd.Series:
    """Which clients train, validate and test: disjoint, in the same mixture of classes, fixed by the experiment.

    Parameters
    ----------
    target
        Class of each client. Clients without one go to ``"train"``: encoders may learn from them, scores never do.
    experiment, seed
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
                f"{self.where}, {self._place(rows)}, column {column!r}: {check} are to be refused, "
                f"and there are {int(rows.sum())}"
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
            "where": f"{self._place(rows)}, column {column!r}" if number else "",
        }

    def _place(self, rows: np.ndarray) -> str:
        return _line(self.where, int(rows.argmax()))


OFFSET = r"(:\d{2}(?:\.\d+)?)\s?(?:Z|[+-]\d{2}:?\d{2})$"
"""Of a time from UTC, at the end of a date."""


def _line(where: str, position: int) -> str:
    """How a reader finds a row: the line of a CSV file with its heading, else the row counted from 0."""
    return f"line {position + 2}" if ".csv" in where or ".txt" in where or ".tsv" in where else f"row {position}"


def _place(name: str | Path) -> Path:
    """A path as it is given, or, if it is relative, in the top folder of the project or below its data."""
    path = Path(name).expanduser()
    return next((place for place in (path, ROOT / path, DATA / path) if place.exists()), path)


def _table(source, separator: str | None, what: str, **form: str) -> tuple[pd.DataFrame, str]:
    """The table and how to name it in messages."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=True), f"the {what} table"
    path = _place(source)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix in (".parquet", ".pq"):
        return pd.read_parquet(path).reset_index(drop=True), path.name
    try:
        if separator is None:
            alone = {"nrows": 0, "sep": "\x00", "engine": "python", "header": 0, "quoting": 3}
            heading = pd.read_csv(path, encoding=form.get("encoding"), **alone).columns[0]
            separator = max(",;\t|", key=heading.count)
        return pd.read_csv(path, sep=separator, low_memory=False, skipinitialspace=True, **form), path.name
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not {error.encoding}; name its encoding, such as 'cp1252'") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{path.name} cannot be read as a table: {error}") from None


def _need_columns(table: pd.DataFrame, wanted: Sequence[str], where: str) -> None:
    for column in wanted:
        if column not in table.columns:
            raise ValueError(f"{where} has no column {column!r}; its columns are {', '.join(map(repr, table.columns))}")


def _times(column: pd.Series, form: str | None, where: str) -> pd.Series:
    import pandas as pd

    if form == "days" or (form is None and pd.api.types.is_numeric_dtype(column)):
        days = pd.to_numeric(column, errors="coerce")
        _refuse_unreadable(column, days, where, "a number of days")
        if (far := (days.abs() > 100_000).to_numpy()).any():
            at = int(far.argmax())
            raise ValueError(
                f"{where}, {_line(where, at)}, column {column.name!r}: {column.iloc[at]} is no plausible number of "
                "days; name the form of the dates by date_format, such as '%Y%m%d'"
            )
        return pd.Timestamp("2000-01-03") + pd.to_timedelta(days, unit="D")
    options: dict = {"format": form, "errors": "coerce"}
    if form:
        whole = column.astype("Int64") if pd.api.types.is_numeric_dtype(column) else column
        column = whole.astype("string")
    elif not pd.api.types.is_datetime64_any_dtype(column):
        first = next((str(value) for value in column if pd.notna(value) and str(value).strip()), "")
        if re.search(OFFSET, first):  # offsets that change in summer would make no one column
            column = column.astype("string").str.replace(OFFSET, r"\1", regex=True)
        options["dayfirst"] = bool(re.match(r"\d{1,2}\.\d{1,2}\.\d", first))
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


def _numbers(column: pd.Series, where: str) -> pd.Series:
    import pandas as pd

    found = pd.to_numeric(column, errors="coerce").astype(float)
    comma = column.astype("string").str.contains(",", regex=False).fillna(False).any() if found.isna().any() else False
    _refuse_unreadable(column, found, where, "a number", "; decimal names the decimal mark, such as ','" * bool(comma))
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
        raise ValueError(
            f"{where}, {_line(where, at)}, column {column.name!r}: {column.iloc[at]!r} is not {expected}"
            + f"; {int(wrong.sum())} values are not" * bool(wrong.sum() > 1)
            + hint
        )


def _labels(columns: pd.DataFrame) -> pd.Series:
    """Values as text, several columns joined; missing where all of them are."""
    import pandas as pd

    pieces = []
    for _, column in columns.items():
        if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
            column = column.astype("Int64")  # whole numbers beside gaps are read as floats
        text = column.astype("string").str.strip()
        pieces.append(text.mask(text == ""))
    joined = pieces[0]
    for piece in pieces[1:]:
        joined = (joined + " / " + piece).fillna(joined).fillna(piece)
    return joined.astype(object)


def _targets(targets, table, client: str, column: str, owner: str, where: str, **form: str):
    """The target of each client that has one, or None if there are no targets at all."""
    import pandas as pd

    if targets is None:
        if column not in table.columns:
            return None
        given = table[[client, column]].dropna().drop_duplicates().set_index(client)[column]
        where = f"{where}, column {column!r}"
    elif isinstance(targets, pd.Series):
        given, where = targets.dropna(), "the targets"
    else:
        answers, where = _table(targets, None, "targets", **form)
        _need_columns(answers, [owner, column], where)
        given = answers.set_index(owner)[column].dropna()
    twice = given.index.duplicated()
    if twice.any():
        raise ValueError(f"{where}: client {given.index[twice][0]} has more than one target")
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
