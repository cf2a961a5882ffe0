"""Text with delimiters: .csv, .tsv and plain matrices in .txt, compressed or not."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from helpers.inputs._cells import COMMA, is_number, vector_of
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._streams import opened_binary, opened_text
from helpers.inputs.formats import COMPRESSED, endings

#: What Excel writes in front of a table, and what holds delimiters that are none.
TOLD = re.compile(r'"?sep=(.)"?\s*')
WITHIN = re.compile(r'"[^"]*"|\[[^\]]*\]|\{[^}]*\}|\([^)]*\)')


def names(path: Path) -> list[str]:
    """The columns of a table."""
    return _header(path)[0]


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The rows of a table in record batches of some 4 MB; all columns are text."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names, delimiter, before = _header(path)
    options = (
        arrow_csv.ReadOptions(column_names=names, skip_rows=before, block_size=1 << 22),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            include_columns=list(columns) if columns is not None else None,
        ),
    )
    with ExitStack() as stack:
        stream: Any = path
        if path.suffix.lower() in COMPRESSED:
            stream = stack.enter_context(opened_binary(path))
            stream = stream if isinstance(stream, pa.NativeFile) else pa.PythonFile(stream, mode="r")
        yield from stack.enter_context(arrow_csv.open_csv(stream, *options))


def _header(path: Path) -> tuple[list[str], str, int]:
    """Names of the columns, the delimiter, and how many lines stand before the rows."""
    with opened_text(path) as file:
        line, before = file.readline(), 0
        told = TOLD.fullmatch(line)
        if told:
            line, before = file.readline(), 1
        while line.startswith("#"):  # remarks, of which the last may hold the names
            after = file.readline()
            delimiter = _delimiter(after, endings(path.name)[1])
            if not after or line.count(delimiter) == after.count(delimiter) > 0:
                file = chain([after], file)
                break
            line, before = after, before + 1
        delimiter = told[1] if told else _delimiter(line, endings(path.name)[1])
        names = next(csv.reader(chain([line], file), delimiter=delimiter), [])
    if not names:
        raise UnreadableError(f"{path.name} is empty")
    counted = [name for name in names if name]
    if any(map(_is_entry, names)) or (all(map(str.isdecimal, counted)) and not _consecutive(counted)):
        return [str(i) for i in range(len(names))], delimiter, before
    repeated = [name for i, name in enumerate(names) if name and name in names[:i]]
    if repeated:
        raise ValueError(f"{path.name} has two columns called {repeated[0]!r}; names must differ")
    # An index has an empty name, and so has what follows a delimiter at the end of each line.
    return [name or f"Unnamed: {i}" for i, name in enumerate(names)], delimiter, before + 1


def _delimiter(line: str, suffix: str) -> str:
    """What stands between the cells of the first line, and not within a vector or a text of it."""
    bare = WITHIN.sub("", line)
    for delimiter in ";\t":
        cells = [cell for cell in line.strip().split(delimiter) if cell]
        if len(cells) > 1 and any(map(COMMA.fullmatch, cells)) and not any(cell.count(",") > 1 for cell in cells):
            return delimiter  # 0,5;1,5
    return max(
        {".tsv": "\t,;", ".txt": " \t,;"}.get(suffix, ",;\t"), key=lambda one: (bare.count(one), line.count(one))
    )


def _is_entry(cell: str) -> bool:
    """Whether a cell can be no name of a column: a number with a fraction, or a vector."""
    if COMMA.fullmatch(cell):
        return True
    return (is_number(cell) and not cell.strip().isalnum()) or vector_of(cell) is not None


def _consecutive(numbers: list[str]) -> bool:
    return all(int(b) == int(a) + 1 for a, b in zip(numbers, numbers[1:], strict=False))
