"""Which representations there are."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import ArgumentError
from helpers.inputs._arrays import check_matrix, matrix_of
from helpers.inputs._codes import SCALES, ZEROS
from helpers.inputs._columns import LIKE_IDS, id_column, ids_of
from helpers.inputs._files import Candidate, ConversionCache, Part, Place, Roles, natural, reading, real_dtype
from helpers.inputs._json import IDS as OF_BATCHES
from helpers.inputs._leftovers import Leftover, Leftovers, UnreadableError
from helpers.inputs._parted import Parted
from helpers.inputs._parts import place_of
from helpers.inputs._readers import is_lonely, is_table, notes_on, reader_of, stored_in
from helpers.inputs._tables import NUMBERS, column_kind, decoder_of_column, head_of, number_blocks, vector_blocks
from helpers.inputs.formats import RECIPES, SUFFIXES, endings, recipe_for

COMPANIONS = {name: name for name in ("ids", "labels", "groups", "pairs", "qrels")}
COMPANIONS |= {"judgements": "qrels", "texts": "text"}  # files that are no embeddings, and the parameter they are for
LIKE_LABELS = re.compile(r"(^|[_\-. ])(labels?|targets?|class|groups?)$", re.IGNORECASE)


def candidates_of(
    source: Any, place: Place, roles: Roles, conversions: ConversionCache
) -> tuple[list[Candidate], Leftovers]:
    """Every representation of the source, and what is no representation."""
    candidates: list[Candidate] = []
    leftovers = Leftovers(place.searched)
    if isinstance(source, Mapping):
        for name, given in source.items():
            if isinstance(given, (str, os.PathLike)):
                inner = place_of(given, None)
                inner = place._replace(base=inner.base, files=inner.files)
                own = roles._replace(features={_stem(f, inner): roles.features.get(str(name)) for f in inner.files[:1]})
                found = _of_file(inner.files[0], inner, own, conversions, leftovers) if len(inner.files) == 1 else []
                if len(found) != 1:
                    raise ValueError(f"{name!r} is {str(given)!r} with {len(found)} representations; one is needed")
                candidates.append(found[0]._replace(name=str(name), open=_renamed(found[0].open, str(name))))
            else:
                candidates.append(Candidate(str(name), None, _given(str(name), given)))
    for path in place.files:
        file, stem = place.shown(path), Path(endings(path.name)[0]).name.lower()
        if path in roles.files or re.search(r"\.ids\.(npy|txt)$", path.name) or conversions.holds(path):
            continue
        if stem in COMPANIONS and not place.single:
            if not roles.given_by(path):
                leftovers.add(file, f"not read for its name; to use it, pass it as {COMPANIONS[stem]}")
            continue
        with leftovers.unless_readable(file):
            if reader_of(path) is not None:
                candidates += _of_file(path, place, roles, conversions, leftovers)
            else:
                leftovers.add(file, _why_not(path))
    for link in place.links:
        what = "link to a folder, or to nothing; links to files are followed" if link.is_symlink() else "pipe or socket"
        leftovers.add(place.shown(link), f"is a {what}")
    taken: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.name in taken:
            both = " and ".join(place.shown(o.path) for o in (taken[candidate.name], candidate))
            raise ValueError(
                f"{both} would both be called {candidate.name!r}; rename one of them, or pass a list of files"
            )
        taken[candidate.name] = candidate
    return candidates, leftovers


def _check_itself(path: Path, file: str) -> None:
    """Refuse what stands in the place of a file that was not fetched."""
    if isinstance(path, Parted) or path.suffix.lower() not in SUFFIXES or not path.is_file():
        return
    with path.open("rb") as stream:
        start = stream.read(64).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise UnreadableError(f"{file} is a pointer of Git LFS whose file was not fetched; type: git lfs pull")
    if start.startswith((b"<!doctype html", b"<html")):
        raise UnreadableError(f"{file} is a web page, as a download that failed leaves it; download it again")


def chosen_of(
    candidates: list[Candidate], names: Any, models: list, place: Place, leftovers: Leftovers
) -> list[Candidate]:
    """The representations asked for, in order; complains if there is nothing."""
    by_name = {candidate.name: candidate for candidate in candidates}
    if isinstance(names, str):
        raise TypeError(f"names is the string {names!r}; a list of names is needed")
    if names is not None:
        if models:
            return [by_name[name] for name in names if name in by_name]
        absent = [name for name in names if name not in by_name]
        if absent or not list(names):
            unread = f"; not read were:{leftovers.in_words()}" if leftovers.errors else ""
            raise ValueError(f"names lists {absent or 'nothing'}; there are {sorted(by_name, key=natural)}{unread}")
        return [by_name[name] for name in names]
    if not candidates and not models:
        if len(leftovers) == len(leftovers.errors) == 1:
            raise leftovers.errors[0]
        seen = leftovers.in_words()
        raise FileNotFoundError(
            f"no embedding in {place.base if not place.single else place.files[0]}; files of vectors are "
            f"{', '.join(SUFFIXES)}{seen or '; it is empty'}"
        )
    return candidates


def _why_not(path: Path) -> str:
    """Why a file without a reader is not read."""
    suffix = path.suffix.lower()
    if path.is_dir() and suffix not in RECIPES:
        return "is the folder of a model and no embedding; to encode texts by it, pass it as models (--model) with text"
    if suffix == ".txt":
        return "holds lines of text, neither words with vectors nor a matrix; as ids, labels or text it can be passed"
    if suffix == ".bin":
        return (
            "is no binary file of word2vec; it may be pickled, and pickles are never loaded; raw numbers are read from "
            f'{path.name}.json beside it with {{"dtype": "float32", "shape": [1000, 768]}}'
        )
    return recipe_for(path.name)


def opened(candidates: list[Candidate], named: bool, place: Place, leftovers: Leftovers) -> list[Part]:
    """The representations; those of a searched folder that turn out to be unreadable are left over."""
    parts = []
    for candidate in candidates:
        if named or candidate.path is None:
            parts.append(candidate.open())
            continue
        with leftovers.unless_readable(place.shown(candidate.path)):
            parts.append(candidate.open())
    if candidates and not parts:
        if len(leftovers.errors) == 1:
            raise leftovers.errors[0]
        raise FileNotFoundError(f"no embedding in {place.base} can be read:{leftovers.in_words()}")
    return parts


def _given(name: str, given: Any) -> Callable[[], Part]:
    """What opens an array of a mapping."""

    def opened() -> Part:
        from helpers.arrays import to_numpy

        array = given
        if hasattr(given, "detach"):  # a tensor; NumPy has no bfloat16
            array = given.detach().float() if str(given.dtype) == "torch.bfloat16" else given.detach()
        array = to_numpy(array)
        check_matrix(array.shape, array.dtype, f"source[{name!r}]")
        return Part(name, "", array.astype(real_dtype(array.dtype), copy=False), None, str(array.dtype))

    return opened


def _renamed(opened: Callable[[], Part], name: str) -> Callable[[], Part]:
    return lambda: replace(opened(), name=name)


def _stem(path: Path, place: Place) -> str:
    """What the representation of a file is called if it is the only one there."""
    # Some systems take letters apart.
    return unicodedata.normalize("NFC", endings(place.shown(path))[0])


def _of_file(
    path: Path, place: Place, roles: Roles, conversions: ConversionCache, leftovers: Leftovers
) -> list[Candidate]:
    """The representations of one file, by name."""
    file = place.shown(path)
    _check_itself(path, file)
    with reading(file):
        leftovers += [Leftover(file, note) for note in notes_on(path)]
        if is_table(path):
            found = _in_table(path, file, place, roles, conversions, leftovers)
        else:
            found = _in_arrays(path, file, place, roles, conversions, leftovers)
    stem = _stem(path, place)

    def name(inner: str) -> str:
        return stem if len(found) == 1 else inner if place.single else f"{stem}/{inner}"

    return [Candidate(name(inner), path, _renamed(opened, name(inner))) for inner, opened in found]


def _in_arrays(
    path: Path, file: str, place: Place, roles: Roles, conversions: ConversionCache, leftovers: Leftovers
) -> list[tuple[str, Callable]]:
    """The matrices of a file of arrays, with what opens them."""
    stored = stored_in(path, file)
    lonely = is_lonely(path)
    ids = None if lonely else id_column(list(stored), place, file)
    matrices = {name: s for name, s in stored.items() if len(s.shape) == 2} if len(stored) > 1 else stored
    taken = {name: role for name in stored if name != ids and not lonely and (role := roles.of(name))}
    for name, role in taken.items():
        if role.path not in (None, path) or name != role.column:
            leftovers.add(file, f"array {name!r} is called like the {role.name}")
    matrices = {name: s for name, s in matrices.items() if name not in taken}
    codes = any(one.dtype in (np.int8, np.uint8) for one in matrices.values())
    used = {ids, *taken, *((*SCALES, *ZEROS) if codes else ())}
    matrices = {name: one for name, one in matrices.items() if lonely or name not in used}
    for name in [name for name in stored if name not in matrices and name not in used]:
        leftovers.add(file, f"array {name!r} has shape {stored[name].shape} and is no matrix")

    def opener(name: str) -> Callable[[], Part]:
        def opened() -> Part:
            with reading(file):
                where = file if lonely else f"{file}, array {name!r}"
                array, kind, note = matrix_of(stored[name], name, where, conversions, stored)
                own = ids_of(path, ids, place)
                if own is not None and len(own) != len(array):
                    raise ValueError(f"{where} has {len(array)} rows and {len(own)} ids; one id a row is needed")
                return Part(name, file, array, own, kind, path=path, key=f"array {name}", note=note)

        return opened

    return [(name, opener(name)) for name in matrices]


def _has_features(head: Any) -> bool:
    """Whether a table has a column that may be a feature."""
    features = [name for name in head.schema.names if not LIKE_IDS.search(name)]
    return any(column_kind(head.column(name))[0] in ("vectors", *NUMBERS) for name in features)


def _in_table(
    path: Path, file: str, place: Place, roles: Roles, conversions: ConversionCache, leftovers: Leftovers
) -> list[tuple[str, Callable]]:
    """The representations of a table, with what opens them."""
    head = head_of(path)
    if len(head) == 1 and reader_of(path).__name__.endswith("._json") and not isinstance(path, Parted):
        raise UnreadableError(f"{file} holds one record; a row for each object is needed")
    try:
        ids = id_column(head.schema.names, place, file)
    except ArgumentError:
        if not place.searched or _has_features(head):
            raise
        ids = None  # which rows it is about does not matter
    features = roles.features.get(_stem(path, place))
    for name in features or ():
        if name not in head.schema.names:
            raise ValueError(f"{file} has no column {name!r}, one of the features; it has {head.schema.names[:20]}")
    vectors, numbers, commas, widths = [], [], [], []
    skipped: list[tuple[str, str]] = []
    for name, column in zip(head.schema.names, head.columns, strict=True):
        role = None if name == ids else roles.of(name)
        known = name == ids or role or (ids == "id" and name in OF_BATCHES)
        kind, width = ("taken", 0) if known else column_kind(column)
        commas += [name] if kind == NUMBERS[1] else []
        if features is not None:
            if name not in features and kind != "taken":
                skipped.append((name, "is no feature of the embedding"))
        elif role and (role.path not in (None, path) or name != role.column):
            skipped.append((name, f"is called like the {role.name}"))
        elif kind == "vectors":
            vectors.append(name)
            widths.append(width)
        elif re.fullmatch(r"\s*|Unnamed: \d+|__index_level_\d+__", name):
            skipped.append((name, "has no name (an index?)"))
        elif kind in NUMBERS and LIKE_IDS.search(name):
            skipped.append((name, "is called like ids; to align rows by it, pass it as ids"))
        elif kind in NUMBERS and LIKE_LABELS.search(name):
            skipped.append((name, "is called like labels; to use it, pass it as labels or groups"))
        elif kind in NUMBERS and roles.beside(path, head.schema.names):
            skipped.append((name, "is a number beside the texts to encode"))
        elif kind in NUMBERS:
            numbers.append(name)
        elif kind != "taken":
            skipped.append((name, f"holds {kind}"))
    numbers = numbers if features is None else list(features)
    skipped += [(name, "is one number a row, beside columns of vectors") for name in numbers if vectors]
    leftovers += [Leftover(file, f"column {name!r} {reason}") for name, reason in skipped]
    if not vectors and not numbers:
        if not any(roles.of(name) for name in head.schema.names):
            leftovers.add(file, f"no column of vectors or numbers among {head.schema.names}")
        return []
    decoders = [
        decoder_of_column(head.column(name), f"{file} {name}", size) for name, size in zip(vectors, widths, strict=True)
    ]
    notes = [decoder.note if decoder else "" for decoder in decoders] or ["decimal commas" if commas else ""]
    keys = [f"vectors {name} {note}" for name, note in zip(vectors, notes, strict=False)]
    keys = keys or [f"numbers {json.dumps(numbers)} {json.dumps(commas)}"]
    notes = ["; ".join(filter(None, (getattr(path, "note", ""), note))) for note in notes]

    def blocks() -> Iterator[list[np.ndarray]]:
        if vectors:
            return vector_blocks(path, file, vectors, widths, decoders)
        return number_blocks(path, file, numbers, commas)

    @cache
    def opened() -> tuple[list[np.ndarray], np.ndarray | None]:
        with reading(file):
            return conversions.streamed(path, keys, blocks, None), ids_of(path, ids, place)

    def opener(index: int, name: str) -> Callable[[], Part]:
        def part() -> Part:
            arrays, own = opened()
            stored = str(arrays[index].dtype)
            columns = None if vectors else numbers
            return Part(name, file, arrays[index], own, stored, columns, path, keys[index], notes[index])

        return part

    return [(name, opener(index, name)) for index, name in enumerate(vectors or [Path(endings(path.name)[0]).name])]
