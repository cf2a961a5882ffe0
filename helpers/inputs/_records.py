"""Rows of Python values as record batches, for readers that get one row after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from helpers.inputs._cells import vector_of
from helpers.inputs._files import short
from helpers.inputs._leftovers import UnreadableError


def record_batches(rows: Iterable[Sequence[Any]], names: Sequence[str], size: int, path: Path) -> Iterator[Any]:
    """Record batches of so many rows: lists of numbers as vectors, everything else as text."""
    import pyarrow as pa

    rows, start = iter(rows), 0
    while block := list(islice(rows, size)):
        columns = [
            _column([row[i] for row in block], f"{path.name}, column {name!r}", start) for i, name in enumerate(names)
        ]
        yield pa.RecordBatch.from_arrays(columns, names=list(names))
        start += len(block)


def _column(values: list[Any], where: str, start: int) -> Any:
    """A column: of vectors if there is a list in it, else of text."""
    import pyarrow as pa

    if not any(isinstance(value, list) for value in values):
        return pa.array([None if value is None else _word(value) for value in values], pa.string())
    for row, value in enumerate(values):
        if isinstance(value, str):
            numbers = vector_of(value)
            values[row] = value if numbers is None else numbers.tolist()
    kind = pa.list_(pa.float64())
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError):
        for row, value in enumerate(values):
            try:
                pa.array([value], kind)
            except (pa.ArrowException, TypeError, ValueError) as error:
                message = f"{where}, row {start + row}: {short(str(value))} is no vector; a list of numbers is needed"
                raise UnreadableError(message) from error
        raise


def _word(value: Any) -> str:
    """A value as text from which it comes back."""
    return value if isinstance(value, str) else repr(value)
