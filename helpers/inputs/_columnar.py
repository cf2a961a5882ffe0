"""Parquet, Arrow and Feather files: columns of numbers, and of vectors as lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.inputs.formats import endings


def names(path: Path) -> list[str]:
    """The columns of a table."""
    if _is_parquet(path):
        from pyarrow.parquet import read_schema

        return read_schema(path).names
    with _arrow(path) as (schema, _):
        return schema.names


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The rows of a table in record batches; those of Arrow files lie where the file is mapped."""
    if _is_parquet(path):
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            yield from file.iter_batches(rows, columns=list(columns) if columns is not None else None)
        return
    with _arrow(path) as (_, stored):
        for batch in stored:
            chosen = batch if columns is None else batch.select(list(columns))
            for start in range(0, len(chosen), rows):
                yield chosen.slice(start, rows)


def _is_parquet(path: Path) -> bool:
    return endings(path.name)[1] in (".parquet", ".pq")


@contextmanager
def _arrow(path: Path) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Schema and record batches of a file in the file format, or in the streaming format that ``datasets`` writes."""
    import pyarrow as pa
    from pyarrow import feather

    with path.open("rb") as stream:
        start = stream.read(6)
    if start.startswith(b"FEA1"):
        table = feather.read_table(path)
        yield table.schema, iter(table.to_batches())
        return
    with pa.memory_map(str(path)) as mapped:
        if start == b"ARROW1":
            with pa.ipc.open_file(mapped) as reader:
                yield reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            with pa.ipc.open_stream(mapped) as reader:
                yield reader.schema, iter(reader)
