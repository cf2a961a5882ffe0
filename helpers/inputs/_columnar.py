"""Parquet, Arrow and Feather files: columns of numbers, and of vectors as lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.inputs.formats import endings


def names(path: Path) -> list[str]:
    """The columns of a table; ``a.b`` is the field b of the records in a."""
    if _is_parquet(path):
        from pyarrow.parquet import read_schema

        return _flat(read_schema(path))
    with _arrow(path) as (schema, _):
        return _flat(schema)


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The rows of a table in record batches; those of Arrow files lie where the file is mapped."""
    if _is_parquet(path):
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            for batch in file.iter_batches(rows, columns=_roots(file.schema_arrow, columns)):
                yield _plain(batch, columns)
        return
    with _arrow(path) as (schema, stored):
        roots = _roots(schema, columns)
        for batch in stored:
            chosen = batch if roots is None else batch.select(roots)
            for start in range(0, len(chosen), rows):
                yield _plain(chosen.slice(start, rows), columns)


def _flat(schema: Any) -> list[str]:
    """Names of the columns with the fields of records apart."""
    return schema.empty_table().flatten().schema.names


def _roots(schema: Any, columns: Sequence[str] | None) -> list[str] | None:
    """The columns of the file that hold these columns."""
    if columns is None:
        return None
    return list(dict.fromkeys(name if name in schema.names else name.rpartition(".")[0] for name in columns))


def _plain(batch: Any, columns: Sequence[str] | None) -> Any:
    """A batch with the fields of records apart, and decimal numbers as float64."""
    import pyarrow as pa

    kinds = batch.schema.types
    if not any(map(pa.types.is_struct, kinds)) and not any(map(pa.types.is_decimal, kinds)):
        return batch if columns is None else batch.select(list(columns))
    table = pa.Table.from_batches([batch]).flatten()
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.float64()))
    table = table if columns is None else table.select(list(columns))
    return table.combine_chunks().to_batches()[0]


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
