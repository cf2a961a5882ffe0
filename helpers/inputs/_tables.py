"""Vectors and numbers in the columns of .parquet, .csv and .tsv files, read in batches of rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from helpers.inputs._files import real_dtype, short
from helpers.inputs._leftovers import UnreadableError

MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None", "none"]  # numbers
SEPARATORS = str.maketrans(dict.fromkeys("[](),;", " "))
HEAD = 200  # rows that decide what a column of a table is


def names_of(path: Path) -> list[str]:
    """The columns of a table."""
    if path.suffix.lower() == ".parquet":
        from pyarrow.parquet import read_schema

        return read_schema(path).names
    return _csv_header(path)[0]


def head_of(path: Path) -> Any:
    """The first rows of a table."""
    import pyarrow as pa

    first = next(batches(path, None, HEAD), None)
    if first is None:
        raise UnreadableError(f"{path.name} has no rows")
    return pa.RecordBatch.from_arrays(first.columns, names=first.schema.names).slice(0, HEAD)


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The rows of a table in record batches; all columns of a CSV file are text."""
    import pyarrow as pa

    if path.suffix.lower() == ".parquet":
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            yield from file.iter_batches(rows, columns=list(columns) if columns is not None else None)
        return
    from pyarrow import csv as arrow_csv

    names, delimiter, header = _csv_header(path)
    with arrow_csv.open_csv(
        path,
        arrow_csv.ReadOptions(column_names=names, skip_rows=int(header), block_size=1 << 22),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            include_columns=list(columns) if columns is not None else None,
        ),
    ) as reader:
        yield from reader


def column_kind(column: Any) -> tuple[str, int]:
    """What a column of a table holds: "vectors" and their length, "numbers", or another thing in words."""
    import pyarrow as pa

    column = getattr(column, "storage", column)
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_type
        if not (pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner)):
            return f"lists of {inner}", 0
        return "vectors", next((len(row) for row in column if row.is_valid), 0)
    if is_text(column):
        values = [value for value in column.to_pylist() if value is not None]
        vectors = [vector for vector in map(_split, values[:20]) if vector is not None]
        if 2 * len(vectors) > len(values[:20]):
            return "vectors", len(vectors[0])
        if 2 * sum(map(is_number, values)) > len(values) or not values:
            return "numbers", 0
        commas = all(re.fullmatch(r"\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*", value) for value in values)
        return "numbers with a decimal comma; a decimal point is needed" if commas else "text", 0
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return "numbers", 0
    return str(kind), 0


def vector_blocks(path: Path, file: str, names: list[str], widths: list[int]) -> Iterator[list[np.ndarray]]:
    """Columns of vectors, block by block a matrix for each."""
    start, rows = 0, max(1, min(4096, (1 << 21) // max(sum(widths), 1)))
    for batch in batches(path, names, rows):
        yield [_vectors(batch.column(n), w, f"{file}, column {n!r}", start) for n, w in zip(names, widths, strict=True)]
        start += len(batch)


def number_blocks(path: Path, file: str, names: list[str]) -> Iterator[list[np.ndarray]]:
    """Columns of numbers, block by block one matrix."""
    start, real = 0, None
    for batch in batches(path, names, max(1, min(4096, (1 << 21) // len(names)))):
        if real is None:
            kinds = [np.dtype(np.float64 if is_text(c) else c.type.to_pandas_dtype()) for c in batch.columns]
            real = np.result_type(*(real_dtype(kind) if kind.kind != "O" else np.float32 for kind in kinds))
        out = np.empty((len(batch), len(names)), real)
        for i, name in enumerate(names):
            out[:, i] = _numbers(batch.column(name), f"{file}, column {name!r}", start)
        yield [out]
        start += len(batch)


def is_number(text: str) -> bool:
    """Whether a cell reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _csv_header(path: Path) -> tuple[list[str], str, bool]:
    """Names of the columns, the delimiter, and whether the first line holds the names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline()
        delimiter = max("\t,;" if path.suffix.lower() == ".tsv" else ",;\t", key=line.count)
        file.seek(0)
        names = next(csv.reader(file, delimiter=delimiter), [])
    if not names:
        raise UnreadableError(f"{path.name} is empty")
    counted = [name for name in names if name]
    if any(map(_is_entry, names)) or (all(map(str.isdecimal, counted)) and not _consecutive(counted)):
        return [str(i) for i in range(len(names))], delimiter, False
    repeated = [name for i, name in enumerate(names) if name and name in names[:i]]
    if repeated:
        raise ValueError(f"{path.name} has two columns called {repeated[0]!r}; names must differ")
    # An index has an empty name, and so has what follows a delimiter at the end of each line.
    return [name or f"Unnamed: {i}" for i, name in enumerate(names)], delimiter, True


def _is_entry(cell: str) -> bool:
    """Whether a cell can be no name of a column: a number with a fraction, or a vector."""
    return (is_number(cell) and not cell.strip().isalnum()) or _split(cell) is not None


def _consecutive(numbers: list[str]) -> bool:
    return all(int(b) == int(a) + 1 for a, b in zip(numbers, numbers[1:], strict=False))


def _split(text: str) -> np.ndarray | None:
    """The numbers of a vector in text, or None if it is no vector."""
    stripped = text.strip()
    if "(" in stripped:  # as Python prints arrays and their entries
        stripped = re.sub(r"(np\.float\d+|array|tensor)\(|\)|dtype=[\w.]+", " ", stripped).strip()
    parts = stripped.translate(SEPARATORS).split()
    if not stripped.startswith(("[", "(")) and (len(parts) < 2 or re.fullmatch(r"[^\s;,]+,[^\s;,]+", stripped)):
        return None  # a number, be it with a decimal comma
    try:
        return np.array(parts, dtype=np.float64)
    except ValueError:
        return None


def _vectors(column: Any, width: int, where: str, start: int) -> np.ndarray:
    """A column of vectors as a matrix; a vector that is missing is a row of NaN."""
    import pyarrow.compute as pc

    if width == 0:
        raise ValueError(f"{where}: the first {HEAD} rows hold no vector")
    column = getattr(column, "storage", column)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    if is_text(column):
        out = np.full((len(column), width), np.nan)
        for row, text in enumerate(column.to_pylist()):
            if text is not None:
                numbers = _split(text)
                if numbers is None:
                    hint = ", which was shortened when it was written" if "..." in text else ""
                    raise ValueError(f"{where}, row {start + row}: {short(text)} is no vector of {width} numbers{hint}")
                _check_width(len(numbers), width, where, start + row)
                out[row] = numbers
        return out
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(valid & (lengths != width)):
        _check_width(int(lengths[row]), width, where, start + int(row))
    values = pc.list_flatten(column)
    flat = values.to_numpy(zero_copy_only=False)
    real = real_dtype(np.dtype(values.type.to_pandas_dtype()))
    if valid.all():
        return flat.astype(real, copy=False).reshape(len(column), width)
    out = np.full((len(column), width), np.nan, real)
    out[valid] = flat.reshape(-1, width)
    return out


def _check_width(length: int, width: int, where: str, row: int) -> None:
    if length != width:
        raise ValueError(
            f"{where}, row {row}: the vector has {length} entries, the first one {width}; all need as many"
        )


def _numbers(column: Any, where: str, start: int = 0) -> np.ndarray:
    """A column as numbers; what is missing is NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if is_text(column):
        try:
            column = pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            cells = [None if text is None or text.strip() in MISSING else text for text in column.to_pylist()]
            for row, text in enumerate(cells):
                if text is not None and not is_number(text):
                    raise ValueError(
                        f"{where}, row {start + row}: {short(text)} is not a number; numbers are written as 0.5 or "
                        "-1e-3, and an empty cell is missing"
                    ) from None
            return np.array([np.nan if text is None else float(text) for text in cells])
    column = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    column = column.cast(pa.float64()) if column.null_count else column
    return column.to_numpy(zero_copy_only=False)


def is_text(column: Any) -> bool:
    """Whether a column holds strings."""
    import pyarrow as pa

    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
