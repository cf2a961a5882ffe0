"""Columns of values: ids, labels, groups, texts, and tables of pairs and qrels."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from helpers.errors import Argument, ArgumentError
from helpers.inputs._arrays import values_in
from helpers.inputs._cells import is_number, with_points
from helpers.inputs._files import Part, Place, Role, Roles, reading, short
from helpers.inputs._leftovers import UnreadableError
from helpers.inputs._parted import Parted
from helpers.inputs._readers import batches, has_columns, is_arrays, is_lonely, is_table, names_of, stored_in
from helpers.inputs._words import COLUMNS as OF_WORDS
from helpers.inputs.formats import FORMATS, endings, recipe_for

#: Forms of numbers: whole, with so many decimals, with so many decimals and an exponent.
WHOLE = re.compile(r"-?(?:0|[1-9]\d*)")
FIXED = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?")
SCIENTIFIC = re.compile(r"[-+]?\d(\.\d+)?[eE][-+]\d\d+")
FLOATS = re.compile(r"-?(?:0|[1-9]\d*)\.0")  # whole numbers that were saved as floating-point ones
#: Blanks of other widths, and characters without any, which nobody sees.
BLANKS = dict.fromkeys(map(ord, "\u00a0\u2007\u202f"), " ") | dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))
LIKE_IDS = re.compile(r"(^|[_\-. ])(ids?|uuid|idx|index|key)$", re.IGNORECASE)


def roles_of(
    specs: Mapping[str, tuple], wanted: Mapping[str, Any], tables: Iterable[Related], place: Place, encoded: bool
) -> Roles:
    """What columns and files are for, by the parameters that name them, and by the names of arrays that have one."""
    columns, files = [], {table.path for table in tables if table.path}
    given = {("text" if role == "texts" else role): found for role, found in specs.items()}
    if place.id_file is not None:
        given["ids"] = place.id_file, place.id_column
    elif place.id_name is not None:
        columns.append(Role("ids", place.id_name))
    for role, (path, column) in given.items():
        if path is not None and path.suffix.lower() != ".txt" and not is_table(path) and not is_arrays(path):
            raise ValueError(f"{role} is {place.shown(path)!r}, which cannot be read: {recipe_for(path.name)}")
        if path is not None and column is None and has_columns(path):
            column = _only_column(role, path, place)
        elif column is None:
            files.add(path)
            continue
        columns.append(Role(role, column, path))
    names = {role: getattr(spec, "name", None) for role, spec in wanted.items() if role not in specs}
    columns += [Role(role, str(name), None) for role, name in names.items() if name is not None]
    return Roles(columns, frozenset(files), encoded)


def one_column(spec: Any, role: str) -> Any:
    """What a role is given by: of a frame its only column, nothing for an empty text."""
    if isinstance(spec, str) and not spec:
        return None
    if len(getattr(spec, "shape", ())) == 2 and hasattr(spec, "columns"):
        names = [str(name) for name in spec.columns]
        if len(names) != 1:
            raise ValueError(f"{role} is a table with the columns {names[:20]}; one of them is needed, as table['x']")
        return spec[spec.columns[0]]
    return spec


def columns_of(role: str, spec: Any, found: tuple | None, place: Place, files: Iterable[Path]) -> list[Part]:
    """The columns that a parameter names: of one file, of each file of the source that has it, or an array itself."""
    if found is None:
        values = np.array(list(spec), dtype=object)
        if values.ndim != 1:
            raise ValueError(f"{role} has shape {values.shape}; one value for each object is needed")
        return [Part(role, "", values, None)]
    path, column = found
    place = place._replace(single=True)  # a column that is only called like ids is no obstacle here
    if path is not None:
        own = _own_ids(path, place)
        if column is None and has_columns(path):
            column = _only_column(role, path, place)
        ids = ids_of(path, None if place.by_position else own, place._replace(id_file=None))
        return [_part(role, path, column, ids, place)]
    parts, seen = [], []
    for path in files:
        try:
            names = _names(path, place.shown(path))
        except (UnreadableError, PermissionError):
            if not place.searched:
                raise
            continue  # the reason is listed where its embeddings are looked for
        seen += [name for name in names if isinstance(name, str)]
        if column in names:
            with reading(place.shown(path)):
                own = id_column(names, place, place.shown(path))
                parts.append(_part(role, path, column, ids_of(path, own, place), place))
    if not parts:
        near = difflib.get_close_matches(str(column), seen, n=1)
        rather = f"; the nearest name is {near[0]!r}" if near else ""
        raise ValueError(
            f"{role} is {column!r}; no file of the source has such a column or array, nor is it a file{rather}"
        )
    return parts


def _own_ids(path: Path, place: Place) -> str | None:
    """The column of ids of a file that was asked for, where a column that is only called like ids is no obstacle."""
    names = _names(path, place.shown(path))
    place = place._replace(single=True, by_position=False)
    return id_column(names, place, place.shown(path), needed=False) if names else None


def _only_column(role: str, path: Path, place: Place) -> str:
    """The one column of a table beside its ids."""
    own = None if role == "ids" else _own_ids(path, place)
    names = _names(path, place.shown(path))
    others = [name for name in names if name != own and not name.startswith("Unnamed: ")]
    if len(others) != 1:
        likely = role if role in others else others[-1] if others else "column"
        example = f"{path.name}:{likely}"
        raise ValueError(f"{role}: {path.name} has the columns {others}; say which, as in {example!r}")
    return others[0]


def _names(path: Path, file: str) -> list[str]:
    """The columns of a table, or the arrays of a file."""
    with reading(file):
        if is_table(path):
            return names_of(path)
        return list(stored_in(path, file)) if is_arrays(path) and not is_lonely(path) else []


def _part(role: str, path: Path, column: str | None, ids: np.ndarray | None, place: Place) -> Part:
    values = _file_values(path, column)
    if ids is not None and len(ids) != len(values):
        raise ValueError(f"{place.shown(path)} has {len(values)} {role} and {len(ids)} ids")
    return Part(role, place.shown(path), values, ids)


def id_column(names: list[str], place: Place, file: str, needed: bool = True) -> str | None:
    """The name of the column or array of ids, if there is one and it is wanted."""
    if place.by_position:
        return None
    if names == OF_WORDS:
        return names[0]
    if place.id_name is not None:
        if needed and place.id_name not in names:
            raise ValueError(f"{file} has no {place.id_name!r} to align rows by; it has {names[:20]}")
        return place.id_name if place.id_name in names else None
    found = [name for name in names if name.strip().lower() in ("id", "ids")]
    if len(found) > 1:
        raise ArgumentError(f"{file} has {found}; say which of them aligns rows, as in ", Argument("ids", found[0]))
    if (
        not found
        and not place.single
        and not place.id_file
        and (alike := [name for name in names if LIKE_IDS.search(name)])
    ):
        raise ArgumentError(
            f"{file} has a column {alike[0]!r}, which is called like ids; to align rows by it, pass ",
            Argument("ids", alike[0]),
            "; to align them by position, pass ",
            Argument("ids", ""),
        )
    return found[0] if found else None


def ids_of(path: Path, column: str | None, place: Place) -> np.ndarray | None:
    """The ids of the rows of a file: in its column, else in the file that ``ids`` names, else in one beside it."""
    if column is not None:
        return _as_ids(_file_values(path, column), f"{place.shown(path)}, column {column!r}")
    if place.id_file is not None:
        return _as_ids(_file_values(place.id_file, place.id_column), place.shown(place.id_file))
    if not place.by_position and place.id_name is None:
        beside = [_beside(member) for member in (path.members if isinstance(path, Parted) else (path,))]
        if all(beside):
            return _as_ids(np.concatenate([_file_values(file, None) for file in beside]), place.shown(beside[0]))
    return None


def _beside(path: Path) -> Path | None:
    """The file of ids beside a file of arrays."""
    stem = Path(endings(path.name)[0]).name
    beside = [path.with_name(f"{stem}.ids.{kind}") for kind in ("npy", "txt")]
    return next((file for file in beside if os.path.isfile(file)), None)  # of a name too long there is none


def _as_ids(values: np.ndarray, where: str) -> np.ndarray:
    """Ids as strings, none missing, none twice."""
    import pandas as pd

    words = np.empty(len(values), dtype=object)
    words[:] = [as_word(value) for value in _days(values)]
    if all(isinstance(value, str) for value in values) and all(map(FLOATS.fullmatch, words)):
        words[:] = [word.removesuffix(".0") for word in words]  # whole numbers, saved as others
    for row in np.flatnonzero(words == ""):
        raise ValueError(f"{where}, row {row}: the id is missing; each row needs one")
    twice = pd.Series(words).duplicated()
    for row in np.flatnonzero(twice):
        first = words.tolist().index(words[row])
        raise ValueError(
            f"{where}: the id {words[row]!r} is in rows {first} and {row} ({int(twice.sum())} rows have an id that was "
            "there before); ids must differ"
        )
    return words


def as_word(value: Any) -> str:
    """An id as a string, empty if it is missing."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    if value is None or value != value:
        return ""
    return _composed(_text_of(value) if isinstance(value, bytes) else str(value))


def _text_of(value: bytes) -> str:
    """Bytes as the text that they are, or the UUID, or else as hexadecimal digits."""
    try:
        text = value.decode()
        if all(letter.isprintable() or letter.isspace() for letter in text):
            return text
    except UnicodeDecodeError:
        pass
    return str(UUID(bytes=value)) if len(value) == 16 else value.hex()


def _days(values: Any) -> Any:
    """Values as they are; times that are all midnight as days, as tables of text have them."""
    given = [value for value in values if value is not None and value == value]
    if given and all(isinstance(value, datetime) and value.time() == time() for value in given):
        return [value.date() if isinstance(value, datetime) and value == value else value for value in values]
    return values


def _composed(text: str) -> str:
    """A text without blanks around it and invisible characters, letters and accents as one character if there is one.

    Blanks that do not break a line are blanks.
    """
    return unicodedata.normalize("NFC", text.translate(BLANKS)).strip()


def _file_values(path: Path, column: str | None) -> np.ndarray:
    """One column of a file as an array of values, None where there is none."""
    with reading(path.name):
        if path.suffix.lower() == ".txt" and column is None:
            return np.array(path.read_text(encoding="utf-8-sig").splitlines(), dtype=object)
        if not is_table(path):
            return _array_values(path, column)
        names = names_of(path)
        if column is None and len(names) != 1:
            raise ValueError(f"{path.name} has the columns {names[:20]}; say which, as in '{path.name}:{names[0]}'")
        if column not in (*names, None):
            raise ValueError(f"{path.name} has no column {column!r}; it has {names[:20]}")
        parts = [_objects(batch.column(0)) for batch in batches(path, [column or names[0]], 1 << 16)]
    values = np.concatenate(parts)
    if any(hasattr(value, "__len__") and not isinstance(value, (str, bytes)) for value in values[:20]):
        raise ValueError(f"{path.name}, column {column or names[0]!r} holds vectors; one value a row is needed")
    values[[value is None or value != value or value in ("nan", "NaN") for value in values]] = None
    return values


def _objects(column: Any) -> np.ndarray:
    """A column of a table as Python objects; whole numbers stay exact beside missing ones."""
    out = np.empty(len(column), dtype=object)
    out[:] = column.to_pylist()
    return out


def _array_values(path: Path, name: str | None) -> np.ndarray:
    """A one-dimensional array of a file."""
    arrays = stored_in(path, path.name)
    name = next(iter(arrays)) if len(arrays) == 1 and name is None else name
    if name not in arrays:
        example = f"{path.name}:{next(iter(arrays))}"
        raise ValueError(f"{path.name} has the arrays {list(arrays)}; say which, as in {example!r}")
    if arrays[name].dtype.hasobject:
        raise ValueError(
            f"{path.name}, array {name!r} holds Python objects, pickled; pickles are never loaded: save numbers, or "
            "strings as np.asarray(x, dtype=str)"
        )
    values = values_in(arrays[name])
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise ValueError(f"{path.name}, array {name!r} has shape {values.shape}; one value a row is needed")
    return values


def values_of(series: list[Part], rows: list[np.ndarray], ids: np.ndarray) -> dict[str, np.ndarray]:
    """The columns in the order of the objects; files that have the same column must agree."""
    out: dict[str, np.ndarray] = {}
    files: dict[str, str] = {}
    for part, chosen in zip(series, rows, strict=True):
        column = np.asarray(part.array)[chosen]
        if part.name == "texts":
            column = np.array([str(text) for text in column], dtype=object)
        elif part.name != "pool_by":
            column = typed(column)
        if part.name in out:
            for at in np.flatnonzero(out[part.name] != column):
                raise ValueError(
                    f"{part.name} of {ids[at]!r}: {short(str(out[part.name][at]))} in {files[part.name]} and "
                    f"{short(str(column[at]))} in {part.file}; say which counts, as in '{part.file}:column'"
                )
        out[part.name], files[part.name] = column, part.file
    return out


def typed(column: np.ndarray) -> np.ndarray:
    """Values as whole numbers if all are (and are about as few as classes), else as numbers if all are, else words."""
    if not any(isinstance(value, (bool, np.bool_)) for value in column):
        numbers = _numbers_of(column)
        if numbers is not None:
            whole = all(isinstance(number, int) for number in numbers)
            if whole and 2 * len(set(numbers)) <= len(numbers) and max(map(abs, numbers)) < 2**63:
                return np.array(numbers, dtype=np.int64)
            if not whole or max(map(abs, numbers)) <= 2**53:
                return np.array(numbers, dtype=np.float64)
    return np.array([as_word(value) if isinstance(value, bytes) else _composed(str(value)) for value in _days(column)])


def _numbers_of(column: np.ndarray) -> list[int | float] | None:
    """The values as numbers, whole ones exact; None if one is no number, or is text that says more than its number."""
    import pandas as pd

    words = {value.strip() for value in column if isinstance(value, str)}
    parsed = [float(value) if isinstance(value, str) and is_number(value) else value for value in column]
    numbers = pd.to_numeric(pd.Series(parsed, dtype=object), errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all() or (words and not _are_numbers(words)):
        return None
    if (numbers != np.round(numbers)).any():
        return numbers.tolist()
    return [
        int(number) if abs(number) < 2**53 or isinstance(value, float) else int(value)
        for value, number in zip(column, numbers, strict=True)
    ]


def _are_numbers(words: set[str]) -> bool:
    """Whether texts are how their numbers are written, so that different texts are different numbers."""
    words = {word if float(word) else word.removeprefix("-") for word in words}
    if len({int(word) if WHOLE.fullmatch(word) else float(word) for word in words}) < len(words):
        return False
    for form in (FIXED, SCIENTIFIC):
        found = [form.fullmatch(word) for word in words]
        if all(found) and len({len(match[1] or "") for match in found}) == 1:
            return True
    return all(map(_is_shortest, words))


def _is_shortest(word: str) -> bool:
    """Whether a number is written without a digit that says nothing: 1.1 and 1e-05, not 1.10, 01 or 1e2."""
    digits = len(re.sub(r"[eE].*|\D", "", word).lstrip("0")) or 1
    return bool(WHOLE.fullmatch(word)) or word in (repr(float(word)), f"{float(word):.{digits}g}")


def large_classes(labels: np.ndarray, ids: np.ndarray, least: int) -> tuple[np.ndarray, list[tuple]]:
    """Which objects are of classes with enough members; numbers with fractions are no classes."""
    classes, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    least = 0 if labels.dtype.kind == "f" else least
    keep = counts[which] >= least
    left = classes[counts >= least]
    if len(left) < 2:
        of = f" of at least {least} members" * (least > 1)
        raise ValueError(f"labels: {len(left)} class{of} among {len(labels)} objects {left.tolist()}; 2 are needed")
    if labels.dtype.kind != "f" and not least and counts.min() == 1:
        single = np.flatnonzero(counts == 1)
        words = [f"{classes[c]} ({ids[np.flatnonzero(which == c)[0]]})" for c in single[:10]]
        raise ArgumentError(
            f"labels: of {len(classes)} classes {len(single)} with one member: {', '.join(words)}"
            f"{', …' * (len(single) > 10)} (in brackets its id or row); merge them, or pass ",
            Argument("min_class_size", 2),
            " to leave them out",
        )
    small = np.flatnonzero(~keep)
    return keep, [("labels", ids[at], f"class {labels[at]} has {counts[which[at]]} members") for at in small]


@dataclass(frozen=True, eq=False)
class Related:
    """A table that relates objects, pairs or qrels: a file, or a data frame."""

    role: str
    file: str  # as messages name it
    columns: tuple[str, str, str]
    path: Path | None
    frame: Any = None

    @classmethod
    def of(cls, role: str, spec: Any, columns: tuple[str, str, str], place: Place) -> Related:
        if hasattr(spec, "columns"):
            return cls(role, role, columns, None, spec)
        path = place.file(spec, role)
        if not is_table(path):
            tables = ", ".join(suffix for one in FORMATS if one.table for suffix in one.suffixes)
            raise ValueError(f"{role} is {place.shown(path)!r}; a table is needed: {tables}")
        return cls(role, place.shown(path), columns, path)

    def names(self) -> list[str]:
        """The columns that count: two of ids, and the one of numbers if there is one."""
        there = _names(self.path, self.file) if self.path else [str(name) for name in self.frame.columns]
        names = [name for name in there if not name.startswith("Unnamed: ")]
        if set(self.columns) <= set(names):
            return list(self.columns)
        if not 2 + (self.role == "pairs") <= len(names) <= 3:
            raise ValueError(
                f"{self.file} has the columns {names}; {', '.join(self.columns)} are needed, or three in this order"
            )
        return names

    def values(self, name: str) -> np.ndarray:
        """A column as values, None where there is none."""
        if self.path:
            return _file_values(self.path, name)
        column = self.frame.rename(columns=str)[name]
        return np.where(column.isna(), None, column.astype(object))

    def sides(self) -> list[np.ndarray]:
        """What stands in the two columns of ids, as words."""
        return [np.array([as_word(value) for value in self.values(name)], dtype=object) for name in self.names()[:2]]


def texts_in(tables: Iterable[Related]) -> Part:
    """The distinct texts of pairs or qrels, which are their own ids."""
    sides = [side for table in tables for side in table.sides()]
    texts = np.array(list(dict.fromkeys(text for side in sides for text in side if text)), dtype=object)
    return Part("texts", ", ".join(table.file for table in tables), texts, texts)


def table_of(table: Related, ids: np.ndarray, rows: int | None) -> tuple[Any, list[tuple]]:
    """Pairs with scores, or qrels, as row numbers, and what is lost with objects that are not there.

    ``rows`` is how many rows there were where ids are their numbers.
    """
    import pandas as pd

    file, role, names, sides = table.file, table.role, table.names(), table.sides()
    scores = np.ones(len(sides[0]))
    if len(names) == 3:
        given = table.values(names[2])
        scores = pd.to_numeric(pd.Series(with_points(given), dtype=object), errors="coerce").to_numpy(np.float64)
        for row in np.flatnonzero(~np.isfinite(scores)):
            raise ValueError(f"{file}, column {names[2]!r}, row {row}: {given[row]!r} is no finite number")
    index = pd.Index([str(i) for i in ids])
    places = [index.get_indexer(side) for side in sides]
    known = (places[0] >= 0) & (places[1] >= 0)
    losses = []
    for row in np.flatnonzero(~known):
        unknown = [side[row] or "an empty cell" for side, at in zip(sides, places, strict=True) if at[row] < 0]
        if rows is not None and not all(word.isdecimal() and int(word) < rows for word in unknown):
            raise ValueError(
                f"{file}, row {row}: {unknown[0]!r} is no row; rows are 0 to {rows - 1}, as there are no ids"
            )
        losses.append((role, f"row {row}", f"{' and '.join(unknown)} not among the objects"))
    if not known.any():
        raise ValueError(
            f"{file}: no row is of objects that were read; its first are {sides[0][:2].tolist()} and "
            f"{sides[1][:2].tolist()}, objects are called {list(index[:3])}"
        )
    if role == "pairs" and len(set(scores[known])) < 2:
        raise ValueError(f"{file}, column {names[2]!r}: all scores are {scores[known][0]:g}; they must differ")
    found = (places[0][known], places[1][known], scores[known])
    return pd.DataFrame(dict(zip(table.columns, found, strict=True))), losses
