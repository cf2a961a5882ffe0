"""Vectors and numbers in the columns of tables, read in batches of rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from helpers.inputs._cells import COMMA, MISSING, float32_of, is_number, vector_of, with_commas
from helpers.inputs._codes import Decoder, decoder_of
from helpers.inputs._files import real_dtype, short
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._readers import batches

HEAD = 200  # rows that decide what a column of a table is
NUMBERS = ("numbers", "numbers with decimal commas")  # kinds of columns that make a matrix together


def head_of(path: Path) -> Any:
    """The first rows of a table."""
    import pyarrow as pa

    first = next(batches(path, None, HEAD), None)
    if first is None:
        raise UnreadableError(f"{path.name} has no rows")
    return pa.RecordBatch.from_arrays(first.columns, names=first.schema.names).slice(0, HEAD)


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
    if pa.types.is_dictionary(kind):
        return "categories", 0
    if is_bytes(column):
        values = [value for value in column.to_pylist() if value is not None]
        vectors = [vector for vector in map(float32_of, values[:20]) if vector is not None]
        alike = len(vectors) == len(values[:20]) > 0 and len({len(value) for value in values[:20]}) == 1
        return ("vectors", len(vectors[0])) if alike and len(vectors[0]) > 1 else ("bytes", 0)
    if is_text(column):
        values = [value for value in column.to_pylist() if value is not None]
        vectors = [vector for vector in map(vector_of, values[:20]) if vector is not None]
        if 2 * len(vectors) > len(values[:20]):
            return "vectors", len(vectors[0])
        if 2 * sum(map(is_number, values)) > len(values) or not values:
            return NUMBERS[int(with_commas(values))], 0
        if with_commas(values):
            return NUMBERS[1], 0
        commas = all(map(COMMA.fullmatch, values))
        return "numbers whose commas may mean thousands; write them without" if commas else "text", 0
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return "numbers", 0
    return str(kind), 0


def decoder_of_column(column: Any, name: str, width: int) -> Decoder | None:
    """How codes in a column of vectors become numbers, by its first rows; None if they are numbers."""
    codes = str(getattr(column.type, "value_type", "")) in ("int8", "uint8", "uint16")
    valid = column.drop_null()
    if not width or not len(valid) or is_text(column) or is_bytes(column):
        return None
    lengths = {len(row) for row in valid}
    if lengths != {width}:
        return None  # said where the column is read
    sample = _vectors(valid, width, name, 0)
    if codes and np.isfinite(sample).all():
        sample = sample.astype(str(column.type.value_type))
    return decoder_of(sample, name, rows=len(column))


def vector_blocks(
    path: Path, file: str, names: list[str], widths: list[int], decoders: list[Decoder | None]
) -> Iterator[list[np.ndarray]]:
    """Columns of vectors, block by block a matrix for each."""
    start, rows = 0, max(1, min(4096, (1 << 21) // max(sum(widths), 1)))
    for batch in batches(path, names, rows):
        found = [
            _vectors(batch.column(n), w, f"{file}, column {n!r}", start) for n, w in zip(names, widths, strict=True)
        ]
        yield [
            _decoded(block, decoder, start) if decoder else block
            for block, decoder in zip(found, decoders, strict=True)
        ]
        start += len(batch)


def _decoded(block: np.ndarray, decoder: Decoder, start: int) -> np.ndarray:
    """A block of codes as numbers; a row that is missing stays so."""
    whole = np.isfinite(block).all(axis=1)
    out = np.full((len(block), decoder.width), np.nan, np.float32)
    out[whole] = decoder.decode(block[whole], start)
    return out


def number_blocks(path: Path, file: str, names: list[str], commas: list[str]) -> Iterator[list[np.ndarray]]:
    """Columns of numbers, block by block one matrix."""
    start, real = 0, None
    for batch in batches(path, names, max(1, min(4096, (1 << 21) // len(names)))):
        if real is None:
            kinds = [np.dtype(np.float64 if is_text(c) else c.type.to_pandas_dtype()) for c in batch.columns]
            real = np.result_type(*(real_dtype(kind) if kind.kind != "O" else np.float32 for kind in kinds))
        out = np.empty((len(batch), len(names)), real)
        for i, name in enumerate(names):
            column, where = batch.column(name), f"{file}, column {name!r}"
            out[:, i] = _numbers(_with_points(column, where, start) if name in commas else column, where, start)
        yield [out]
        start += len(batch)


def _with_points(column: Any, where: str, start: int) -> Any:
    """Text of numbers with decimal points in the place of commas; a number with a point is refused."""
    import pyarrow.compute as pc

    for row in np.flatnonzero(pc.match_substring(column, ".").fill_null(False).to_numpy(zero_copy_only=False)):
        raise ValueError(
            f"{where}, row {start + row}: {short(column[int(row)].as_py())} has a point, and the first rows have "
            "decimal commas; one of the two is needed throughout"
        )
    return pc.replace_substring(column, ",", ".")


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
                numbers = vector_of(text)
                if numbers is None:
                    hint = ", which was shortened when it was written" if "..." in text else ""
                    raise ValueError(f"{where}, row {start + row}: {short(text)} is no vector of {width} numbers{hint}")
                _check_width(len(numbers), width, where, start + row)
                out[row] = numbers
        return out
    if is_bytes(column):
        out = np.full((len(column), width), np.nan, np.float32)
        for row, data in enumerate(column.to_pylist()):
            if data is not None:
                _check_width(len(data) / 4, width, where, start + row)
                out[row] = np.frombuffer(data, "<f4")
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


def _check_width(length: float, width: int, where: str, row: int) -> None:
    if length != width:
        raise ValueError(
            f"{where}, row {row}: the vector has {length:g} entries, the first one {width}; all need as many"
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

    kind = column.type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_bytes(column: Any) -> bool:
    """Whether a column holds bytes."""
    import pyarrow as pa

    kind = column.type
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
