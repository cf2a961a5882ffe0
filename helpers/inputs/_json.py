"""JSON and JSON lines: records, columns, answers of APIs, and the files of their batches."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from helpers.inputs._cells import vector_of
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._records import record_batches
from helpers.inputs._streams import opened_text
from helpers.inputs.formats import endings

HEAD = 200  # rows whose keys are the columns
IDS = ("custom_id", "recordId", "record_id", "key", "_id")  # what batches and search engines call ids
ENVELOPE = {"object", "model", "error", "created", "usage", "method", "url"}  # of an answer and no columns
Row = dict[str, Any]
_PARSED: dict[tuple[Path, int, int], Any] = {}  # the file that was parsed as a whole last


def names(path: Path) -> list[str]:
    """The keys of the first rows."""
    return list(dict.fromkeys(key for row in islice(_rows(path), HEAD) for key in row))


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The rows in record batches; what is no list of numbers is text."""
    known = names(path)
    chosen = known if columns is None else list(columns)
    return record_batches(_known(_rows(path), set(known), chosen, path), chosen, rows, path)


def _known(rows: Iterator[Row], known: set[str], chosen: list[str], path: Path) -> Iterator[list[Any]]:
    """The values of the chosen columns; a vector under a key that the first rows lack is refused."""
    for number, row in enumerate(rows):
        for key in row.keys() - known:
            if isinstance(row[key], list):
                raise UnreadableError(
                    f"{path.name}, row {number}: {key!r} holds a vector, and none of the first {HEAD} rows has it; "
                    "all rows need the same keys"
                )
        yield [row.get(name) for name in chosen]


def _rows(path: Path) -> Iterator[Row]:
    """One dictionary for each object: lists of numbers, and text or numbers."""
    empty = True
    for value, where, alone in _values(path):
        try:
            rows = list(_objects(value, where, alone))
        except UnreadableError:
            raise
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise UnreadableError(
                f"{where} has no known form ({type(error).__name__}: {error}); one record a line is read, as in "
                '{"id": "a", "vector": [0.1, 0.2]}'
            ) from error
        empty = empty and not rows
        yield from rows
    if empty:
        raise UnreadableError(f"{path.name} has no rows")


def _values(path: Path) -> Iterator[tuple[Any, str, bool]]:
    """Each value of the file, where it stands, and whether it is the whole file."""
    with opened_text(path) as file:
        first = file.readline()
        try:
            value = json.loads(first)
        except json.JSONDecodeError as error:
            if endings(path.name)[1] != ".json":
                raise UnreadableError(f"{path.name}, row 0 (line 1) is not JSON: {error}") from error
            yield _whole(path, first, file), path.name, True
            return
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        second = next(lines, None)
        yield value, f"{path.name}, row 0", second is None and endings(path.name)[1] == ".json"
        for number, line in [second] if second else []:
            yield _line(line, number, path), f"{path.name}, row {number}", False
        for number, line in lines:
            yield _line(line, number, path), f"{path.name}, row {number}", False


def _whole(path: Path, first: str, file: TextIO) -> Any:
    """The one value of a file, parsed once for all passes over it."""
    about = path.stat()
    key = path, about.st_mtime_ns, about.st_size
    if key not in _PARSED:
        _PARSED.clear()
        try:
            _PARSED[key] = json.loads(first + file.read())
        except json.JSONDecodeError as error:
            raise UnreadableError(f"{path.name} is damaged, truncated or no JSON: {error}") from error
    return _PARSED[key]


def forgetting(function: Callable) -> Callable:
    """Let go of the last file that was parsed as a whole, when the function ends."""

    @functools.wraps(function)
    def wrapped(*args: Any, **settings: Any) -> Any:
        try:
            return function(*args, **settings)
        finally:
            _PARSED.clear()

    return wrapped


def _line(line: str, number: int, path: Path) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"{path.name}, row {number} (line {number + 1}) is not JSON: {error}") from error


def _objects(value: Any, where: str, alone: bool) -> Iterator[Row]:
    """The objects that a value describes; ``alone`` if it is all there is."""
    if isinstance(value, list):
        if value and all(isinstance(one, dict) for one in value):
            for position, one in enumerate(value):
                yield from _objects(one, f"{where}, entry {position}", False)
        elif _is_matrix(value):
            yield from ({"vector": vector} for vector in value)
        elif _is_vector(value):
            yield {"vector": value}
        else:
            raise UnreadableError(
                f"{where}: a list of {_kinds(value)}; records, or lists of numbers of one length, are needed"
            )
    elif isinstance(value, dict):
        yield from _by_shape(value, where, alone)
    else:
        raise UnreadableError(f"{where}: {type(value).__name__} alone; a record or a list of numbers is needed")


def _by_shape(value: Row, where: str, alone: bool) -> Iterator[Row]:
    """The objects of a dictionary: a table of pandas, names with vectors or records, an answer, or one object."""
    inner = list(value.values())
    if {"columns", "data"} <= value.keys() <= {"columns", "index", "data"}:  # orient="split"
        ids = [{"id": one} for one in value.get("index", [])] or [{}] * len(value["data"])
        named = (dict(zip(value["columns"], row, strict=True)) for row in value["data"])
        yield from ({**own, **row} if "id" not in row else row for own, row in zip(ids, named, strict=True))
    elif alone and len(value) > 1 and all(map(_is_vector, inner)) and len({len(one) for one in inner}) == 1:
        yield from ({"id": name, "vector": vector} for name, vector in value.items())
    elif alone and len(value) > 1 and all(isinstance(one, dict) for one in inner) and _same_keys(inner):
        keys = list(inner[0])
        if keys == [str(i) for i in range(len(keys))]:  # orient="columns"
            yield from ({name: column[key] for name, column in value.items()} for key in keys)
        else:
            for name, record in value.items():
                yield from ({"id": name, **row} for row in _objects(record, f"{where}, {name!r}", False))
    elif alone and (named := _records_by_name(inner)) is not None:
        yield from _objects(named, where, True)
    else:
        yield from _of_answer(value, where, alone)


def _records_by_name(values: list[Any]) -> Row | None:
    """Of the values of an answer the one that has records with vectors by their names."""
    found = [one for one in values if isinstance(one, dict) and all(isinstance(each, dict) for each in one.values())]
    found = [one for one in found if _same_keys(list(one.values())) and _holds_vectors(list(one.values()))]
    return found[0] if len(found) == 1 and len(found[0]) > 1 else None


def _of_answer(value: Row, where: str, alone: bool) -> Iterator[Row]:
    """The objects of an answer, which may be many, or the one object of a record."""
    flat = _flat(value)
    outer = {key: one for key, one in flat.items() if not isinstance(one, list) and key not in ENVELOPE}
    many = {key: one for key, one in flat.items() if isinstance(one, list) and one and isinstance(one[0], dict)}
    found = next((one for one in many.values() if _holds_vectors(one)), None)
    matrices = {key: one for key, one in flat.items() if _is_matrix(one)}
    if found is not None:
        kept = {key: one for key, one in outer.items() if key in value}
        items = [_flat(one) if isinstance(one, dict) else {} for one in found]
        if all(isinstance(one.get("index"), int) for one in items):
            found = [found[i] for i in sorted(range(len(found)), key=lambda i: items[i]["index"])]
        rows = [row for i, one in enumerate(found) for row in _objects(one, f"{where}, entry {i}", False)]
        for row in rows:
            row.pop("index", None)
        yield from _with_ids([kept | row for row in rows], kept)
    elif matrices:
        count = len(next(iter(matrices.values())))
        columns = {key: one for key, one in flat.items() if isinstance(one, list) and len(one) == count}
        columns = {("id" if key == "ids" else key): one for key, one in columns.items()}
        given = _with_ids([dict(outer)], outer)[0].get("id")
        if count > 1 and given is not None and not alone and len(columns) == len(matrices):
            raise UnreadableError(
                f"{where}: {next(iter(matrices))!r} holds {count} vectors for the one object {given!r} (one for each "
                "token?); take their mean, or give each an id"
            )
        rows = [{key: _cell(one[i]) for key, one in columns.items()} for i in range(count)]
        kept = {key: one for key, one in outer.items() if key in value and (key != "id" or count == 1)}
        yield from _with_ids([kept | row for row in rows], outer)
    else:
        cells = {key: _cell(one) for key, one in flat.items() if key not in ENVELOPE}
        yield from _with_ids([cells], cells)


def _with_ids(rows: list[Row], outer: Row) -> list[Row]:
    """Rows with what batches and search engines call their ids as ``id``; several of one request are numbered."""
    name = next((name for name in IDS if outer.get(name) is not None), None)
    for position, row in enumerate(rows):
        own = name or next((one for one in IDS if row.get(one) is not None), None)
        if own is not None and (own == "custom_id" or "id" not in row):
            row["id"] = f"{row[own]}/{position}" if len(rows) > 1 and own in outer else row[own]
            row.pop(own) if own in ("_id", "key") else None
    return rows


def _flat(value: Row, above: str = "", out: Row | None = None) -> Row:
    """The leaves of nested dictionaries by their last keys; ``values`` is called as what it belongs to."""
    out = {} if out is None else out
    for key, one in value.items():
        if isinstance(one, dict) and not {"indices", "values"} <= one.keys():  # of sparse vectors
            _flat(one, str(key), out)
        elif not isinstance(one, dict):
            name = above if key == "values" and above else str(key)
            out[name if name not in out else f"{above}.{key}"] = one
    return out


def _cell(value: Any) -> Any:
    """A value as a table holds it."""
    if isinstance(value, list) and not _is_vector(value):
        return json.dumps(value)
    return json.dumps(value) if isinstance(value, dict) else value


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(_is_number(one) for one in value[:3])


def _may_be_vector(value: Any) -> bool:
    return _is_vector(value) or (isinstance(value, str) and vector_of(value) is not None)


def _is_matrix(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_is_vector, value[:3]))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _holds_vectors(records: list[Any]) -> bool:
    """Whether the first record has a vector, in a list or in text, or records that have."""
    for one in _flat(records[0]).values():
        if _may_be_vector(one) or _is_matrix(one):
            return True
        if isinstance(one, list) and one and isinstance(one[0], dict) and _holds_vectors(one):
            return True
    return False


def _same_keys(records: list[Row]) -> bool:
    return len(records) > 0 and len(records[0]) > 0 and all(one.keys() == records[0].keys() for one in records)


def _kinds(values: list[Any]) -> str:
    return " and ".join(sorted({type(one).__name__ for one in values})) or "nothing"
