"""Tables as they are found: where they lie, how they are parsed, and what is said of their rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers import locations

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.options import Format

TEXT_FILES = (".csv", ".txt", ".tsv")


def place(name: str | Path) -> Path:
    """A path as it is given, or, if it is relative, in the top folder of the project or below its data."""
    path = locations.expand(name)
    candidates = (path, locations.ROOT / path, locations.DATA / path)
    return next((candidate for candidate in candidates if candidate.exists()), path)


def line(where: str, position: int) -> str:
    """How a reader finds a row: the line of a CSV file with its heading, else the row counted from 0."""
    return f"line {position + 2}" if any(kind in where for kind in TEXT_FILES) else f"row {position}"


def read_table(source, format: Format, what: str, text: Sequence = ()) -> tuple[pd.DataFrame, str]:
    """The table, and how to name it in messages; of a CSV file the columns ``text`` are kept as they are written."""
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=True), f"the {what} table"
    path = place(source)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.suffix.lower() in (".xls", ".xlsx", ".ods"):
        raise ValueError(f"{path.name} is a spreadsheet; save it as CSV or Parquet")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pd.read_parquet(path)
            return table.reset_index(drop=table.index.names == [None]), path.name
        return _read_text(path, format, text), path.name
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not {error.encoding}; name its encoding, such as 'cp1252'") from None
    except LookupError:
        raise ValueError(f"encoding is {format.encoding!r}, which is unknown; an example is 'cp1252'") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning, ValueError) as error:
        why = "rows have more fields than the heading" if isinstance(error, Warning) else str(error).strip()
        raise ValueError(f"{path.name} cannot be read as a table: {why}") from None


def _read_text(path: Path, format: Format, text: Sequence) -> pd.DataFrame:
    import pandas as pd

    separator = format.separator
    if separator is None:
        alone = {"nrows": 0, "sep": "\x00", "engine": "python", "header": 0, "quoting": 3}
        heading = pd.read_csv(path, encoding=format.encoding, **alone).columns[0]
        separator = max(",;\t|", key=heading.count)
    options = {"sep": separator, "skipinitialspace": True, "index_col": False}
    options |= {"decimal": format.decimal, "encoding": format.encoding}
    options |= {"dtype": dict.fromkeys(filter(None, text), str)}
    options |= {"low_memory": False} if len(separator) == 1 else {"engine": "python"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # that fields beyond the heading are lost
        return pd.read_csv(path, **options)


def need_columns(table: pd.DataFrame, wanted: Sequence[str], where: str) -> None:
    """Refuse a table that lacks a column, or has one twice."""
    for column in wanted:
        if column not in table.columns:
            known = ", ".join(map(repr, table.columns))
            alone = "; format.separator names the character between columns" * (table.shape[1] == 1)
            raise ValueError(f"{where} has no column {column!r}; its columns are {known}{alone}")
        if (number := int((table.columns == column).sum())) > 1:
            raise ValueError(f"{where} has {number} columns {column!r}; each name is needed once")


def need_distinct(roles: Mapping[str, str], where: str) -> None:
    """Refuse one column for two roles."""
    for role, column in roles.items():
        if others := [other for other, name in roles.items() if name == column and other != role]:
            raise ValueError(f"{where}: {role} and {others[0]} are both column {column!r}; name a column for each")


class Checks:
    """Counts what is found, raises what the options raise, and remembers which rows are left."""

    def __init__(self, table: pd.DataFrame, where: str):
        self.n, self.where = len(table), where
        self.kept = np.ones(len(table), dtype=bool)
        self.rows: dict[str, dict] = {"rows": {"found": self.n, "share": 1.0, "done": "read", "where": where}}

    def found(self, check: str, rows: pd.Series, handling: str, done: Mapping[str, str], column: str) -> None:
        """Count rows that are still there; refuse or drop them where ``handling`` says so."""
        rows = rows.to_numpy(dtype=bool) & self.kept
        if rows.any() and handling == "raise":
            number, option = int(rows.sum()), check.replace(" ", "_")
            raise ValueError(
                f"{self.where}, {self._place(rows, column)}: found {check} in {number} row{'s' * (number > 1)} "
                f"({option}='raise')"
            )
        self.note(check, rows, done.get(handling, ""), column)
        if handling == "drop":
            self.kept &= ~rows

    def note(self, check: str, rows, done: str, column: str) -> None:
        """Count rows, and say where the first one is."""
        rows = np.asarray(rows, dtype=bool)
        self.count(check, int(rows.sum()), self.n, done, self._place(rows, column))

    def count(self, check: str, number: int, of: int, done: str, where: str = "") -> None:
        """A row of the report: what was done, and where, are empty if nothing was found."""
        self.rows[check] = {
            "found": number,
            "share": number / max(1, of),
            "done": done if number else "",
            "where": where if number else "",
        }

    def dropped(self) -> str:
        """What was dropped so far, for a message; empty if nothing was."""
        lost = [f"{row['found']} {check}" for check, row in self.rows.items() if row["done"].startswith("dropped")]
        return f"; dropped were {', '.join(lost)}" if lost else ""

    def report(self) -> pd.DataFrame:
        """All that was counted."""
        import pandas as pd

        return pd.DataFrame.from_dict(self.rows, orient="index").rename_axis("check")

    def _place(self, rows: np.ndarray, column: str) -> str:
        return line(self.where, int(rows.argmax()) if len(rows) else 0) + f", column {column!r}" * bool(column)
