"""Files of public data sets as tasks read them: whole, in UTF-8, with row and column in every complaint."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from helpers.tasks._drawing import revision

__all__ = ["FolderTask", "filled_rows", "lines_of", "number_within", "records_of", "table_of"]


class FolderTask:
    """Loading from files below a folder."""

    files: tuple[str, ...] = ()

    def __init__(self, folder: str | Path, **keywords: Any):
        super().__init__(**keywords)
        self.folder = Path(folder)
        path = {"path": f"{self.files[0].split('/')[0]}, from a folder", "revision": "not read yet"}
        about = " ".join(type(self).__doc__.split())
        more = {"dataset": path, "superseded_by": None, "eval_splits": ["test"], "description": about}
        self.metadata = self.metadata.model_copy(update=more)

    def load_data(self, *arguments: Any, **keywords: Any) -> None:
        """Read and check the files; nothing is fetched."""
        if self.data_loaded:
            return
        absent = [name for name in self.files if not (self.folder / name).is_file()]
        if absent:
            raise FileNotFoundError(f"{self.metadata.name} needs {', '.join(absent)} below {self.folder}: no such file")
        self.dataset = self._read()
        dataset = {**self.metadata.dataset, "revision": revision(self.dataset)}
        self.metadata = self.metadata.model_copy(update={"dataset": dataset})
        self.data_loaded = True


# Files


def lines_of(path: Path) -> list[str]:
    """The lines of a file in UTF-8."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8") from None


def table_of(path: Path, columns: Sequence[str], separator: str = ",") -> list[dict[str, str]]:
    """The rows of a table with a header; every row has a cell in each of its columns."""
    reader = csv.reader(io.StringIO("\n".join(lines_of(path)), newline=""), delimiter=separator, strict=True)
    try:
        header = next(reader, [])
        absent = [name for name in columns if name not in header]
        if absent:
            raise ValueError(f"{path} has no column {', '.join(map(repr, absent))}; its columns are {header}")
        rows = []
        for number, cells in enumerate(reader, 1):
            if cells:
                if len(cells) != len(header):
                    raise ValueError(f"{path}, row {number}: {len(cells)} cells under {len(header)} columns: {cells}")
                rows.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
    if not rows:
        raise ValueError(f"{path} has no rows")
    return rows


def records_of(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    rows = []
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        absent = [name for name in columns if not isinstance(record, dict) or not isinstance(record.get(name), str)]
        if absent:
            raise ValueError(f"{path}, line {number}: no text under {', '.join(map(repr, absent))}")
        rows.append(record)
    if not rows:
        raise ValueError(f"{path} has no rows")
    return rows


def filled_rows(path: Path, rows: list[dict[str, str]], columns: Iterable[str]) -> list[dict[str, str]]:
    """The rows, none of which is blank in one of the columns."""
    for name in columns:
        for number, row in enumerate(rows, 1):
            if not row[name].strip():
                raise ValueError(f"{path}, row {number}: {name} is blank")
    return rows


def number_within(path: Path, row: int, column: str, cell: str, low: float, high: float) -> float:
    """A number within bounds."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"{path}, row {row}: {column} is {cell!r}; a number from {low:g} to {high:g} is needed")
    return value
