"""The first sheet of an Excel workbook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.inputs._cells import is_number, vector_of
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._records import record_batches
from helpers.inputs._streams import library


def names(path: Path) -> list[str]:
    """The cells of the first row, if they are names."""
    with _sheet(path) as (_, sheet):
        return _header(sheet, path)[0]


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The rows in record batches; all cells are text."""
    with _sheet(path) as (_, sheet):
        names, skipped = _header(sheet, path)
        columns = names if columns is None else list(columns)
        at = [names.index(name) for name in columns]
        whole = ([*row, *[None] * (len(names) - len(row))] for row in _filled(sheet, skipped))
        yield from record_batches(([row[i] for i in at] for row in whole), columns, rows, path)


def unread(path: Path) -> list[str]:
    """The sheets that are not read."""
    with _sheet(path) as (book, sheet):
        return [
            f"sheet {other.title!r} is not read, but the first one, {sheet.title!r}; save it as a file of its own"
            for other in book.worksheets
            if other.title != sheet.title
        ]


@contextmanager
def _sheet(path: Path) -> Iterator[tuple[Any, Any]]:
    """A workbook and its first sheet."""
    openpyxl = library("openpyxl", path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
    except Exception as error:  # KeyError, BadZipFile, InvalidFileException and more, by where the damage is
        raise UnreadableError(f"{path.name} is damaged or no {path.suffix}: {error}") from error
    try:
        yield book, sheet
    finally:
        book.close()


def _header(sheet: Any, path: Path) -> tuple[list[str], int]:
    """Names of the columns, and how many rows they take."""
    first = next(_filled(sheet, 0), None)
    if first is None:
        raise UnreadableError(f"{path.name} is empty")
    if any(isinstance(cell, (int, float)) or _is_entry(cell) for cell in first):
        return [str(i) for i in range(len(first))], 0
    names = [f"Unnamed: {i}" if cell is None else str(cell) for i, cell in enumerate(first)]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise ValueError(f"{path.name} has two columns called {name!r}; names must differ")
    return names, 1


def _is_entry(cell: Any) -> bool:
    return isinstance(cell, str) and (is_number(cell) or vector_of(cell) is not None)


def _filled(sheet: Any, skipped: int) -> Iterator[list[Any]]:
    """The rows up to the last one that is not blank."""
    blank: list[list[Any]] = []
    for row in sheet.iter_rows(min_row=1 + skipped, values_only=True):
        if all(cell is None for cell in row):
            blank.append(list(row))
            continue
        yield from blank
        blank = []
        yield list(row)
