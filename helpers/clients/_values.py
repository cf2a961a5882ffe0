"""Columns of text into dates, numbers, labels and names; what cannot be read is refused with its place."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from helpers.clients._tables import line

if TYPE_CHECKING:
    import pandas as pd

OFFSET = r"(:\d{2}(?:\.\d+)?)\s?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)$"
"""Offset of a time from UTC, at the end of a date."""

NUMERIC = r"^(\d{1,2})([./-])(\d{1,2})[./-](\d{1,4})"
"""Beginning of a date of numbers that does not begin with the year."""

WHOLE = r"^(-?(?:0|[1-9]\d*))(?:\.0+)?$"
"""A whole number as one writes it; beside gaps some programs write ``7.0``."""

UNITS = {"seconds": "s", "milliseconds": "ms"}


def times(column: pd.Series, form: str | None, where: str) -> pd.Series:
    """Dates, or numbers of days, seconds or milliseconds, as datetime64; NaT where nothing is written."""
    import pandas as pd

    if form == "days" or (form is None and pd.api.types.is_numeric_dtype(column)):
        return _days(column, where)
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
    hint = "" if form else "; format.date_format names the form of the dates, such as '%d.%m.%Y'"
    _refuse_unreadable(column, found, where, f"a date of the form {form}" if form else "a date", hint)
    return found


def _days(column: pd.Series, where: str) -> pd.Series:
    import pandas as pd

    days = pd.to_numeric(column, errors="coerce")
    _refuse_unreadable(column, days, where, "a number of days")
    if (far := (days.abs() > 100_000).to_numpy()).any():
        at = int(far.argmax())
        raise ValueError(
            f"{where}, {line(where, at)}, column {column.name!r}: {column.iloc[at]} is not a plausible number of "
            "days; format.date_format names the form of the dates, such as '%Y%m%d' or 'seconds'"
        )
    return pd.Timestamp("2000-01-03") + pd.to_timedelta(days, unit="D")


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
            f"{where}, {line(where, at)}, column {column.name!r}: {column.iloc[at]!r} can be read in more than one "
            "way, and so can all dates of this column; format.date_format names their form, such as '%d/%m/%Y' or "
            "'%m/%d/%Y'"
        )
    return by_day and not by_month


def numbers(column: pd.Series, where: str, decimal: str, thousands: str) -> pd.Series:
    """Amounts as float64; NaN where nothing is written."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        raise ValueError(f"{where}, column {column.name!r} holds dates; amounts are numbers")
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
    hint = "; format.decimal and format.thousands name the marks in numbers, such as ',' and '.'" * bool(comma)
    _refuse_unreadable(column, found, where, "a number", hint)
    endless = np.isinf(found)
    if endless.any():
        at = int(endless.to_numpy().argmax())
        raise ValueError(f"{where}, {line(where, at)}, column {column.name!r}: the amount is infinite")
    return found


def _refuse_unreadable(column: pd.Series, found: pd.Series, where: str, expected: str, hint: str = "") -> None:
    empty = column.isna() | column.astype("string").str.strip().eq("").fillna(False).astype(bool)
    wrong = (found.isna() & ~empty).to_numpy(dtype=bool)
    if wrong.any():
        at = int(wrong.argmax())
        shown = column.iloc[at].item() if isinstance(column.iloc[at], np.generic) else column.iloc[at]
        raise ValueError(
            f"{where}, {line(where, at)}, column {column.name!r}: {shown!r} is not {expected}"
            + f"; {int(wrong.sum())} values are not" * bool(wrong.sum() > 1)
            + hint
        )


def labels(columns: pd.DataFrame) -> pd.Series:
    """Values as text, several columns joined by ``" / "``; missing where all of them are."""
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


def names(column: pd.Series) -> pd.Series:
    """Names of clients: whole numbers if all of them are written as such, else as they are; missing ones are NaN."""
    import pandas as pd

    codes, text = _text(column)
    known = text.dropna()
    whole = len(known) and known.str.fullmatch(WHOLE).all() and known.str.len().max() <= 18
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if not (pd.api.types.is_numeric_dtype(column) or column.map(type).eq(str).any()):
        return column.astype(object)
    values = known.str.replace(WHOLE, r"\1", regex=True).astype(int) if whole else known
    named = np.full(len(text) + 1, np.nan, dtype=object)
    named[known.index] = values.to_numpy(object)
    return pd.Series(named[codes], column.index, dtype=object, name=column.name)


def _text(column: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Codes of the rows, and the distinct values as they are written; missing where there are only spaces."""
    import pandas as pd

    codes, values = pd.factorize(column)
    values = pd.Series(values)
    if pd.api.types.is_float_dtype(values) and (values % 1 == 0).all():
        values = values.astype("Int64")  # whole numbers beside gaps are read as floats
    text = values.astype("string").str.strip()
    return codes, text.mask(text == "")


def classes(target: pd.Series, n_bins: int, column: str) -> pd.Series:
    """Classes of clients: the values of the target, or bins of them with equally many clients."""
    import pandas as pd

    known = target.dropna()
    if n_bins:
        if not (pd.api.types.is_numeric_dtype(known) or pd.api.types.is_datetime64_any_dtype(known)):
            raise ValueError(f"classes.n_bins is {n_bins}, but the target {column!r} holds no numbers or dates")
        place = np.ceil(target.rank(method="first") / max(1, len(known)) * n_bins) - 1
        return place if len(known) < len(target) else place.astype(int)
    if known.nunique() > max(4, len(known) / 2):
        raise ValueError(
            f"the target {column!r} has {known.nunique()} values among {len(known)} clients; classes are needed, and "
            "classes.n_bins, such as 4, cuts numbers or dates into some"
        )
    return target
