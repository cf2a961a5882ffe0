"""Columns of values: ids, labels, groups, texts, and tables of pairs and judgements."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.inputs._arrays import in_npz, in_safetensors
from helpers.inputs._files import TABLES, Offer, Part, Place, reading
from helpers.inputs._tables import batches, head_of

LIKE_IDS = re.compile(r"(^|[_\-. ])(ids?|uuid|idx|index|key)$", re.IGNORECASE)


def columns_of(role: str, spec: Any, found: tuple | None, place: Place, offers: list[Offer]) -> list[Part]:
    """The columns that a parameter names: of one file, of each file of the source that has it, or an array itself."""
    if found is None:
        values = np.array(list(spec), dtype=object)
        if values.ndim != 1:
            raise ValueError(f"{role} has shape {values.shape}; one value for each object is needed")
        return [Part(role, "", values, None)]
    path, column = found
    if path is not None:
        file = place.shown(path)
        own = None
        names = head_of(path).schema.names if path.suffix.lower() in TABLES else []
        if names and (name := id_name(names, place._replace(single=True), file) if has_ids(names, place) else None):
            own = as_ids(file_values(path, name, None), f"{file}, column {name!r}")
        return [Part(role, file, file_values(path, column, name if names and own is not None else None), own)]
    parts = []
    for path in place.files:
        file = place.shown(path)
        with reading(file):
            if path.suffix.lower() in TABLES:
                names = head_of(path).schema.names
            elif path.suffix.lower() in (".npz", ".safetensors"):
                names = list((in_npz if path.suffix.lower() == ".npz" else in_safetensors)(path, file))
            else:
                continue
            if column in names:
                name = id_name(names, place._replace(single=True), file)
                own = as_ids(file_values(path, name, None), f"{file}, column {name!r}") if name else None
                own = own if name or path.suffix.lower() in TABLES else ids_beside(path, place)
                parts.append(Part(role, file, file_values(path, column, None), own))
    if not parts:
        raise ValueError(
            f"{role} is {column!r}; no file of the source has such a column or array, and there is no such file"
        )
    return parts


def values_of(series: list[Part], rows: list[np.ndarray], ids: np.ndarray) -> dict[str, np.ndarray]:
    """The columns in the order of the objects; files that have the same column must agree."""
    out: dict[str, np.ndarray] = {}
    files: dict[str, str] = {}
    for part, chosen in zip(series, rows, strict=True):
        column = np.asarray(part.array)[chosen]
        column = column.astype(object).astype(str).astype(object) if part.name == "texts" else _typed(column)
        if part.name in out:
            different = np.flatnonzero(out[part.name] != column)
            if len(different):
                at = different[0]
                raise ValueError(
                    f"{part.name} of {ids[at]!r} is {out[part.name][at]!r} in {files[part.name]} and {column[at]!r} in "
                    f"{part.file}; name the file, as in '{part.file}:column'"
                )
        out[part.name], files[part.name] = column, part.file
    return out


def large_classes(labels: np.ndarray, ids: np.ndarray, least: int) -> tuple[np.ndarray, list[tuple]]:
    """Which objects are of classes with enough members; numbers with fractions are no classes."""
    if labels.dtype.kind == "f":
        return np.ones(len(labels), bool), []
    classes, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    keep = counts[which] >= least
    losses = [
        ("labels", ids[at], f"class {labels[at]} has {counts[which[at]]} members") for at in np.flatnonzero(~keep)
    ]
    left = classes[counts >= least]
    if len(left) < 2:
        rare = f" of at least {least} members" if least else ""
        raise ValueError(f"labels have {len(left)} class{rare} ({', '.join(map(str, left))}); at least 2 are needed")
    if least == 0 and counts.min() == 1:
        single = np.flatnonzero(counts == 1)
        where = ", ".join(f"{classes[c]} ({ids[np.flatnonzero(which == c)[0]]})" for c in single[:10])
        raise ValueError(
            f"labels: {len(single)} classes have one member: {where}{', …' * (len(single) > 10)} (the id or row in "
            "brackets); merge them, or leave them out by drop_rare=2"
        )
    return keep, losses


def file_values(path: Path, column: str | None, ids: str | None) -> np.ndarray:
    """One column of a file as an array of values, None where there is none."""
    suffix = path.suffix.lower()
    with reading(path.name):
        if suffix == ".txt":
            return np.array(path.read_text(encoding="utf-8-sig").splitlines(), dtype=object)
        if suffix not in TABLES:
            return array_values(path, column)
        names = head_of(path).schema.names
        if column is None:
            others = [name for name in names if name != ids and not name.startswith("Unnamed: ")]
            if len(others) != 1:
                raise ValueError(
                    f"{path.name} has the columns {others}; say which, as in {path.name + ':' + others[-1]!r}"
                )
            column = others[0]
        if column not in names:
            raise ValueError(f"{path.name} has no column {column!r}; it has {names[:20]}")
        parts = [batch.column(column).to_pandas().to_numpy(object) for batch in batches(path, [column], 1 << 16)]
    values = np.concatenate(parts)
    values[[value is None or value != value for value in values]] = None
    return values


def array_values(path: Path, name: str | None) -> np.ndarray:
    """A one-dimensional array of a file."""
    if path.suffix.lower() == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="np") as archive:
            arrays = {key: archive.get_tensor(key) for key in archive.keys() if name in (None, key)}
    else:
        try:
            loaded = np.load(path, allow_pickle=False)
            arrays = {path.stem: loaded} if isinstance(loaded, np.ndarray) else loaded
            arrays = {key: arrays[key] for key in arrays if name in (None, key) or path.suffix.lower() == ".npy"}
        except ValueError as error:
            raise ValueError(
                f"{path.name}: {error}; pickled objects are never loaded, save strings or numbers"
            ) from None
    if len(arrays) != 1:
        raise ValueError(f"{path.name} has no single array {name or ''!r}; it has {sorted(arrays)}")
    values = next(iter(arrays.values()))
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise ValueError(f"{path.name} has shape {values.shape}; one value a row is needed")
    return values


def as_ids(values: np.ndarray, where: str) -> np.ndarray:
    """Ids as strings, none missing, none twice."""
    import pandas as pd

    values = np.asarray(values)
    for row, value in enumerate(values):
        if value is None or value != value:
            raise ValueError(f"{where}, row {row}: the id is missing; each row needs one")
    whole = [isinstance(v, float) and v.is_integer() for v in values] if values.dtype.kind in "fO" else [False]
    if values.dtype.kind == "f" or any(whole):
        values = [int(v) if isinstance(v, (float, np.floating)) and float(v).is_integer() else v for v in values]
    words = np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values], dtype=object)
    twice = pd.Series(words).duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        first = int(np.flatnonzero(words == words[row])[0])
        raise ValueError(
            f"{where}: the id {words[row]!r} is in rows {first} and {row} ({int(twice.sum())} ids are there again); "
            "ids must differ"
        )
    return words


def id_name(names: list[str], place: Place, file: str) -> str | None:
    """The column of ids, if there is one and it is wanted."""
    if place.ids == "" or place.id_file is not None:
        return None
    if place.id_column is not None:
        if place.id_column not in names:
            raise ValueError(f"{file} has no {place.id_column!r} to align rows by; it has {names[:20]}")
        return place.id_column
    found = [name for name in names if name.strip().lower() in ("id", "ids")]
    if len(found) > 1:
        raise ValueError(f"{file} has {found}; say by ids= which of them aligns rows")
    if not found and not place.single and (alike := [name for name in names if LIKE_IDS.search(name)]):
        raise ValueError(
            f"{file} has a column {alike[0]!r}, which is called like ids; pass ids={alike[0]!r} to align rows by it, "
            "or ids='' to align by position"
        )
    return found[0] if found else None


def has_ids(names: list[str], place: Place) -> bool:
    return place.id_column in names if place.id_column else any(n.strip().lower() in ("id", "ids") for n in names)


def ids_beside(path: Path, place: Place) -> np.ndarray | None:
    """Ids of an array without ids of its own: of the file that ``ids`` names, or beside it."""
    if place.id_file is not None:
        return as_ids(file_values(place.id_file, place.id_column, None), place.shown(place.id_file))
    if place.ids is None:
        for beside in (path.with_name(f"{path.stem}.ids.npy"), path.with_name(f"{path.stem}.ids.txt")):
            if beside.is_file():
                return as_ids(file_values(beside, None, None), place.shown(beside))
    return None


class Objects(NamedTuple):
    """The objects that were kept, by what people call them."""

    ids: np.ndarray
    place: Place
    lost: set

    def table(self, path: Path, role: str, columns: tuple[str, str, str], losses: list) -> Any:
        """Pairs with scores, or judgements, as row numbers; rows of objects that were lost go to ``losses``."""
        import pandas as pd

        file = self.place.shown(path)
        if path.suffix.lower() not in TABLES:
            raise ValueError(f"{role} is {file!r}; a table is needed: {', '.join(TABLES)}")
        with reading(file):
            names = [name for name in head_of(path).schema.names if not name.startswith("Unnamed: ")]
            if not set(columns) <= set(names):
                if not 2 + (role == "pairs") <= len(names) <= 3:
                    raise ValueError(f"{file} has the columns {names}; {columns} are needed, or exactly these in order")
            else:
                names = list(columns)
            left, right = (file_values(path, name, None) for name in names[:2])
            grade = file_values(path, names[2], None) if len(names) == 3 else np.ones(len(left), object)
        scores = pd.to_numeric(pd.Series(grade, dtype=object), errors="coerce").to_numpy(np.float64)
        for row in np.flatnonzero(~np.isfinite(scores)):
            raise ValueError(f"{file}, row {row}, column {names[2]!r}: {grade[row]!r} is no finite number")
        index = pd.Index([str(i) for i in self.ids])
        places = [index.get_indexer([_word(value) for value in side]) for side in (left, right)]
        known = (places[0] >= 0) & (places[1] >= 0)
        for row in np.flatnonzero(~known):
            unknown = [_word(s[row]) for s, at in zip((left, right), places, strict=True) if at[row] < 0]
            losses.append((role, f"row {row}", f"no object {', '.join(unknown)}"))
        if not known.any():
            raise ValueError(
                f"{file}: none of its {len(known)} rows is of objects that were read; its first are {_word(left[0])!r} "
                f"and {_word(right[0])!r}, objects are called {list(index[:3])}"
            )
        if role == "pairs" and len(set(scores[known])) < 2:
            raise ValueError(
                f"{file}, column {names[2]!r}: all scores are {scores[known][0]:g}; nothing can be compared"
            )
        return pd.DataFrame(dict(zip(columns, (places[0][known], places[1][known], scores[known]), strict=True)))


def _typed(column: np.ndarray) -> np.ndarray:
    """Values as whole numbers if all are, else as numbers if all are, else as strings."""
    import pandas as pd

    if all(isinstance(value, (bool, np.bool_)) for value in column):
        return column.astype(str)
    numbers = pd.to_numeric(pd.Series(column), errors="coerce").to_numpy(np.float64)
    if np.isfinite(numbers).all():
        return numbers.astype(np.int64) if (numbers == np.round(numbers)).all() else numbers
    return np.array([str(value) for value in column])


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
