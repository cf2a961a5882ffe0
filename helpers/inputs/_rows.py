"""Rows of the same objects: aligned, complete, described."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from helpers.errors import Argument, ArgumentError
from helpers.inputs._files import ConversionCache, Part, bounds
from helpers.inputs._leftovers import Leftovers
from helpers.inputs.formats import endings


def of_one_length(parts: list[Part], series: list[Part], leftovers: Leftovers) -> list[Part]:
    """The representations of a searched folder with as many rows as the labels, or as most of them; no others.

    Only where nothing has ids, and where the labels or more than half of the representations say how many rows count.
    """
    counts = Counter(len(part.array) for part in parts)
    if len(counts) < 2 or any(part.ids is not None for part in parts + series):
        return parts
    given = {len(part.array) for part in series}
    rows, often = counts.most_common(1)[0]
    if len(given) == 1 and given & counts.keys():
        rows, why = given.pop(), "as many as labels, groups or texts"
    elif given or often < 2 or 2 * often <= len(parts):
        return parts
    else:
        why = f"as many as {often} of {len(parts)} embeddings have"
    for part in parts:
        if len(part.array) != rows:
            leftovers.add(part.file or part.name, f"has {len(part.array)} rows and no ids; {rows} are needed, {why}")
    return [part for part in parts if len(part.array) == rows]


def aligned(parts: list[Part], series: list[Part]) -> tuple[np.ndarray, list[np.ndarray], list[tuple]]:
    """The ids of the objects that all have, the rows of each, and what is lost."""
    import pandas as pd

    things = parts + series
    named = [thing for thing in things if thing.ids is not None]
    bare = [thing for thing in things if thing.ids is None]
    if named and not any(thing in parts for thing in named) and parts:
        things = [_counted(thing, named) for thing in things]
        bare = [thing for thing in things if thing.ids is None]
    if named and bare:
        same = all(np.array_equal(thing.ids, named[0].ids) for thing in named)
        if any(thing in parts for thing in bare) or not same or any(len(t.array) != len(named[0].ids) for t in bare):
            raise ArgumentError(
                f"{titled(named[0])} has ids and {titled(bare[0])} ({len(bare[0].array)} rows) has none; give ids to "
                "both (a column 'id', or a file a.ids.txt beside a.npy), or align them by position: ",
                Argument("ids", ""),
            )
        things = [replace(thing, ids=named[0].ids) if thing.ids is None else thing for thing in things]
    if not named:
        counts = [len(thing.array) for thing in things]
        if len(set(counts)) > 1:
            listing = ", ".join(f"{titled(thing)} has {count}" for thing, count in zip(things, counts, strict=True))
            raise ValueError(
                f"numbers of rows differ and there are no ids to align by: {listing}; add a column 'id', or a file "
                f"a.ids.txt beside a.npy, to each{_like_parts(parts)}"
            )
        return np.arange(counts[0]), [np.arange(counts[0]) for _ in things], []
    indexes = [pd.Index(thing.ids) for thing in things]
    base = indexes[0]
    rows = [index.get_indexer(base) for index in indexes]
    keep = np.all([found >= 0 for found in rows], axis=0)
    losses = []
    indexed = dict(zip(map(titled, things), indexes, strict=True))
    for thing, index in zip(things, indexes, strict=True):
        lacking = {title: other.get_indexer(index) < 0 for title, other in indexed.items()}
        lost = np.any(list(lacking.values()), axis=0)
        for row in np.flatnonzero(lost):
            absent = ", ".join(title for title, mask in lacking.items() if mask[row])
            losses.append((thing.name, index[row], f"not in {absent}"))
    if not keep.any():
        raise ValueError(
            f"no id is in all of {', '.join(map(titled, things))}; ids of the first look like {list(base[:3])}, of the "
            f"last like {list(indexes[-1][:3])}{_like_parts(parts)}"
        )
    return base.to_numpy()[keep], [found[keep] for found in rows], losses


def _like_parts(parts: list[Part]) -> str:
    """Advice where representations are of one width, as the parts of one are."""
    if len(parts) < 2 or len({part.array.shape[1] for part in parts}) > 1:
        return ""
    advice = "; all have one width: parts of one embedding are joined if they are called x-part-0, x-part-1 and so on"
    return advice + "; of files with a row for each token, save the means of their rows" * (len(parts) > 2)


def complete(
    things: list[Part], whole: list[np.ndarray], rows: list[np.ndarray], ids: np.ndarray, drop: bool
) -> tuple[np.ndarray, list[tuple]]:
    """Which objects miss nothing, and what the others miss."""
    keep, losses, words = np.ones(len(ids), bool), [], []
    for thing, good, chosen in zip(things, whole, rows, strict=True):
        lost = np.flatnonzero(~good[chosen])
        keep[lost] = False
        reason = "NaN or infinite entries" if thing.array.ndim == 2 else f"no {thing.name.removesuffix('s')}"
        losses += [(thing.name, ids[at], reason) for at in lost]
        if len(lost):
            listed = ", ".join(str(row) for row in chosen[lost[:10]]) + ", …" * (len(lost) > 10)
            words.append(f"{titled(thing)}: {reason} in {len(lost)} of {len(good)} rows ({listed})")
            if thing.array.ndim == 2:
                row = thing.array[chosen[lost[0]]]
                words[-1] += f", the first in column {thing.column(int(np.flatnonzero(~np.isfinite(row))[0]))}"
    if words and not drop:
        advice = Argument("missing", "drop")
        raise ArgumentError("; ".join(words) + "; fix them, or pass ", advice, " to leave these objects out")
    return keep, losses


def selected(part: Part, rows: np.ndarray, conversions: ConversionCache) -> np.ndarray:
    """These rows of a representation: a view where they follow each other, else a copy, on the disk if it is there."""
    if len(rows) and (np.diff(rows) == 1).all() and part.features is None:
        return part.array[rows[0] : rows[-1] + 1]
    columns = np.arange(part.array.shape[1]) if part.features is None else part.features
    if part.path is None:
        return part.array[rows] if part.features is None else part.array[np.ix_(rows, columns)]

    def blocks() -> Iterator[list[np.ndarray]]:
        for start, stop in bounds(len(rows), part.array.shape[1]):
            block = part.array[rows[start:stop]]
            yield [block if part.features is None else block[:, columns]]

    key = f"{part.key} rows {hashlib.sha256(rows.astype(np.int64).tobytes()).hexdigest()}"
    if part.features is not None:
        key += f" columns {hashlib.sha256(columns.astype(np.int64).tobytes()).hexdigest()}"
    return conversions.streamed(part.path, [key], blocks, len(rows))[0]


def survey(part: Part, array: np.ndarray, missing: int, items: int) -> dict[str, Any]:
    """One pass over a representation of so many rows of its file: what is odd about it, and its digest."""
    import pandas as pd

    rows, width = array.shape
    first, digests = array[:1].copy(), []
    varies, nonzero = np.zeros(width, bool), np.zeros(width, bool)
    zero_rows, norms = 0, np.empty(rows)
    for start, stop in bounds(rows, width):
        block = np.ascontiguousarray(array[start:stop]) + array.dtype.type(0)  # -0.0 is 0.0
        varies |= (block != first).any(axis=0)
        nonzero |= block.any(axis=0)
        zero_rows += int((~block.any(axis=1)).sum())
        norms[start:stop] = np.linalg.norm(block.astype(np.float64), axis=1)
        data, size = memoryview(block).cast("B"), block.itemsize * width
        digests += [hashlib.blake2b(data[at : at + size], digest_size=16).digest() for at in range(0, len(data), size)]
    constant = [str(part.columns[i] if part.columns else i) for i in np.flatnonzero(~varies)]
    return {
        "file": part.file,
        "rows": len(part.array),
        "lost": len(part.array) - items,
        "missing": missing,
        "width": width,
        "dtype": part.stored,
        "constant_columns": len(constant),
        "constant": ", ".join(constant[:20]) + ", …" * (len(constant) > 20),
        "zero_columns": int((~nonzero).sum()),
        "zero_rows": zero_rows,
        "duplicates": int(pd.Series(digests).duplicated().sum()),
        "norm_mean": float(norms.mean()),
        "norm_std": float(norms.std()),
        "read_as": part.note,
        "digest": hashlib.sha256(b"".join(digests)).hexdigest(),
    }


def _counted(thing: Part, named: list[Part]) -> Part:
    """A thing without ids, with the numbers of its rows as ids if these are the very ids of the others."""
    if thing.ids is not None or any(len(other.ids) != len(thing.array) for other in named):
        return thing
    words = np.arange(len(thing.array)).astype(str).astype(object)
    return replace(thing, ids=words) if all(set(other.ids) == set(words) for other in named) else thing


def titled(part: Part) -> str:
    """A representation or column as messages name it."""
    if not part.file:
        return part.name
    plain = endings(part.file)[0] == part.name
    return part.file if plain else f"{part.name} ({part.file})"


def finite_rows(part: Part) -> np.ndarray:
    """Which rows are finite; a column that is nowhere finite is an error."""
    rows, width = part.array.shape
    whole, ever = np.ones(rows, bool), np.zeros(width, bool)
    for start, stop in bounds(rows, width):
        finite = np.isfinite(part.array[start:stop])
        whole[start:stop] = finite.all(axis=1)
        ever |= finite.any(axis=0)
    if not ever.all():
        empty = [part.column(i) for i in np.flatnonzero(~ever)]
        raise ValueError(
            f"{titled(part)}: column {', '.join(empty[:10])} is empty (NaN or infinite in all {rows} rows); remove it"
        )
    return whole


def present(values: np.ndarray) -> np.ndarray:
    """Which values are there."""
    return np.array([value is not None and value == value and str(value).strip() != "" for value in values], dtype=bool)
