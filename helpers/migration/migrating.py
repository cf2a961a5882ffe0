"""A corpus of old vectors brought to a new model: which map, how much of search it keeps, where it fails."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.arrays import check_count, check_row_labels, row_slices, to_numpy, unit_rows
from helpers.errors import Argument, ArgumentError
from helpers.inference import Interval, interval
from helpers.inputs import Inputs, read_one
from helpers.locations import allocate, check_folder_free, swap_folder
from helpers.metrics import spearman
from helpers.migration.judging import SearchKept, overlap_of_mapped, overlap_of_searches, search_kept
from helpers.migration.maps import MAPS, Map

__all__ = ["Migration", "migrate", "migrate_files"]

#: Rows at most: to fit a map, to choose among maps, to judge them, and to tell how far a row is from the fitted ones.
FITTED, VALIDATED, JUDGED, NEAR = 50_000, 2_000, 5_000, 5_000
#: Fewer common objects than this can neither fit a map nor judge it.
LEAST = 50
CHECKED = 4096  # rows at a time


@dataclass(frozen=True, eq=False)
class Migration:
    """What :func:`migrate` found.

    Attributes
    ----------
    map : Map
        The map that was chosen, as it was judged.
    name : str
        Name of the map in :data:`helpers.migration.MAPS`.
    table : pandas.DataFrame
        One row for each map, and first ``old model``, search that stays with the old vectors: ``overlap`` with the new
        model's search among held-out objects, ``ci_low`` and ``ci_high`` of 95 % over objects as queries,
        ``found_itself``, ``cosine`` and ``mapped_share`` (see :class:`helpers.migration.SearchKept`), ``validation``,
        the overlap by which the map was chosen, and ``chosen``.
    chance : float
        Overlap of a random ranking.
    objects : pandas.DataFrame
        Held-out objects, the worst first: ``id``, ``overlap``, ``found_itself``, ``cosine`` and ``novelty``, 1 − the
        largest cosine with an old vector that the map was fitted on.
    novelty : Interval
        Spearman correlation of ``novelty`` and ``cosine`` over held-out objects: near −1, if unfamiliar objects are
        those that are mapped badly.
    rows : dict of str to int
        How many objects were ``common``, ``fitted``, ``validated`` and ``judged``.
    k : int
        Nearest neighbours that made up search.
    near : ndarray of shape (at most 5000, p)
        Directions of old vectors that the map was fitted on, to which novelty is measured.
    """

    map: Map
    name: str
    table: pd.DataFrame
    chance: float
    objects: pd.DataFrame
    novelty: Interval
    rows: dict[str, int]
    k: int
    near: np.ndarray

    def transform(self, old: Any) -> np.ndarray:
        """Old vectors (m, p) in the new space: rows (m, q) of length 1, float32."""
        return self.map.transform(old)

    def novelty_of(self, old: Any) -> np.ndarray:
        """1 − the largest cosine of each old vector with one that the map was fitted on, of shape (m,), in [0, 2]."""
        return _novelty(np.asarray(old), self.near)

    def conclusion(self) -> str:
        """One sentence: what is kept of the new model's search, with its interval, and what staying would keep."""
        best, stay = self.table.loc[self.name], self.table.loc["old model"]
        return (
            f"Search in the mapped vectors finds {best.overlap:.0%} [{best.ci_low:.0%}, {best.ci_high:.0%}] of the "
            f"{self.k} nearest neighbours that the new model finds (the old model's own search: {stay.overlap:.0%} "
            f"[{stay.ci_low:.0%}, {stay.ci_high:.0%}]; chance: {self.chance:.1%}), by the map {self.name!r}."
        )


def _vectors(x: Any, name: str) -> np.ndarray:
    """A matrix of finite numbers; a memory map stays one."""
    x = x if isinstance(x, np.ndarray) else to_numpy(x)
    if x.ndim != 2 or x.dtype.kind not in "biuf":
        raise ValueError(f"{name} has shape {x.shape} and dtype {x.dtype}; a matrix (n, features) of numbers is needed")
    for start in range(0, len(x), CHECKED):
        wrong = np.argwhere(~np.isfinite(x[start : start + CHECKED]))
        if len(wrong):
            row, column = int(wrong[0, 0]) + start, int(wrong[0, 1])
            raise ValueError(f"{name}[{row}, {column}] is {x[row, column]}; every entry must be finite")
    return x


def migrate(
    old: Any,
    new: Any,
    *,
    ids: Sequence[Any] | None = None,
    map: str = "auto",
    k: int = 10,
    held_out: float = 0.2,
    rng: int = 0,
    progress: Callable[[str], Any] = lambda words: None,
) -> Migration:
    """Fit a map from an old space to a new one, choose it, and judge it on held-out objects.

    Parameters
    ----------
    old : array_like of shape (n, p)
        Old vectors of objects that both models have embedded.
    new : array_like of shape (n, q)
        New vectors of the same objects, in the same order.
    ids : sequence of length n, optional
        What objects are called in ``objects``; their row numbers by default.
    map
        ``"procrustes"``, ``"low-rank"`` or ``"residual"`` (see :mod:`helpers.migration.maps`); ``"auto"`` fits all and
        takes the one with the largest overlap on a tenth of the objects, which it was not fitted on.
    k
        Nearest neighbours that make up search.
    held_out
        Share of the objects on which nothing is fitted or chosen, between 0 and 0.5; 5000 of them are used at most.
    rng
        Seed of the division, of the maps and of the bootstrap.
    progress
        Called with what is done next.

    Returns
    -------
    Migration

    Raises
    ------
    ValueError
        If the rows or ids differ in number, there are fewer than 50 rows or 10 (k + 1), a row is zero or not finite,
        or an argument is out of range.

    Notes
    -----
    The interval is over held-out objects as queries, given the map and the corpus. Overlap falls as a corpus grows:
    that of a sample is comparable between maps and with the old model, and flatters a larger corpus.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.migration import migrate
    >>> rng = np.random.default_rng(0)
    >>> old = rng.normal(size=(200, 8))
    >>> found = migrate(old, old @ rng.normal(size=(8, 5)), map="low-rank")
    >>> bool(found.table.overlap["low-rank"] > 0.9)
    True
    """
    if map != "auto" and map not in MAPS:
        raise ValueError(f"map is {map!r}; it is 'auto' or one of {', '.join(MAPS)}")
    if not 0 < held_out <= 0.5:
        raise ValueError(f"held_out is {held_out!r}; a share between 0 and 0.5 is needed")
    check_row_labels({"old": old, "new": new})
    old, new = (_vectors(x, name) for x, name in ((old, "old"), (new, "new")))
    if len(old) != len(new):
        raise ValueError(f"old has {len(old)} rows and new {len(new)}; give both of the objects that both have")
    check_count(k, "k")
    # A tenth of the objects chooses among the maps, and has to hold more than k of them.
    least = max(LEAST, 10 * (k + 1))
    if len(old) < least:
        raise ValueError(
            f"both models have {len(old)} objects; at least {least} are needed to fit and judge a map for k = {k}"
        )
    ids = np.arange(len(old)) if ids is None else np.asarray(ids)
    if len(ids) != len(old):
        raise ValueError(f"ids has {len(ids)} entries and old {len(old)} rows")
    fitted, validated, judged = _parts(len(old), held_out, np.random.default_rng(rng))
    if len(judged) <= k:
        raise ValueError(f"held_out is {held_out!r}, {len(judged)} objects; more than k = {k} are needed")

    maps: dict[str, Map] = {}
    kept: dict[str, SearchKept] = {}
    chosen_by: dict[str, float] = {}
    for name in MAPS if map == "auto" else [map]:
        progress(f"fitting the map {name!r}")
        made = MAPS[name]()
        maps[name] = made.set_params(**{"random_state": rng} if "random_state" in made.get_params() else {})
        maps[name].fit(old[fitted], new[fitted])
        progress(f"judging the map {name!r}")
        chosen_by[name] = float(overlap_of_mapped(new[validated], maps[name].transform(old[validated]), k=k).mean())
        kept[name] = search_kept(new[judged], maps[name].transform(old[judged]), k=k, rng=rng)
    best = max(chosen_by, key=chosen_by.__getitem__)
    stay = interval(overlap_of_searches(old[judged], new[judged], k=k), method="percentile", n_resamples=999, rng=rng)
    near = unit_rows(np.asarray(old[fitted[:: -(-len(fitted) // NEAR)]], dtype=np.float32))
    rows = {"common": len(old), "fitted": len(fitted), "validated": len(validated), "judged": len(judged)}
    objects = pd.DataFrame(
        {
            "id": ids[judged],
            "overlap": kept[best].overlap,
            "found_itself": kept[best].found_itself,
            "cosine": kept[best].cosine,
            "novelty": _novelty(old[judged], near),
        }
    )
    pairs = objects[["novelty", "cosine"]].to_numpy()
    correlation = interval(pairs, _spearman, method="percentile", n_resamples=999, rng=rng)
    objects = objects.sort_values(["overlap", "cosine"], kind="stable", ignore_index=True)
    table = _table(stay, kept, chosen_by, best)
    return Migration(maps[best], best, table, kept[best].chance, objects, correlation, rows, k, near)


def _novelty(old: np.ndarray, near: np.ndarray) -> np.ndarray:
    """1 − the largest cosine of each row with one of ``near``."""
    out = np.empty(len(old), dtype=np.float32)
    for rows in row_slices(old):
        out[rows] = 1 - (unit_rows(np.asarray(old[rows], dtype=np.float32)) @ near.T).max(1)
    return out


def _spearman(pairs: np.ndarray) -> float:
    return float(spearman(pairs[:, 0], pairs[:, 1], undefined=0.0))


def _parts(n: int, held_out: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers to fit, to choose and to judge by, each sorted."""
    order = rng.permutation(n)
    size = int(round(held_out * n))
    tenth = max(1, n // 10)
    judged, validated, fitted = order[:size], order[size : size + tenth], order[size + tenth :]
    return tuple(np.sort(part[:most]) for part, most in ((fitted, FITTED), (validated, VALIDATED), (judged, JUDGED)))


def _table(stay: Interval, kept: dict[str, SearchKept], chosen_by: dict[str, float], best: str) -> pd.DataFrame:
    first = {"overlap": stay.estimate, "ci_low": stay.low, "ci_high": stay.high}
    rows = {"old model": first} | {
        name: {
            "overlap": one.mean.estimate,
            "ci_low": one.mean.low,
            "ci_high": one.mean.high,
            "found_itself": one.found_itself.mean(),
            "cosine": one.cosine.mean(),
            "mapped_share": one.mapped_share,
            "validation": chosen_by[name],
        }
        for name, one in kept.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("vectors")
    table["chosen"] = table.index == best
    return table


def migrate_files(
    old: Any,
    new: Any,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Callable[[str], Any] = lambda words: None,
    map: str = "auto",
    k: int = 10,
    held_out: float = 0.2,
    rng: int = 0,
    **reading: Any,
) -> Migration:
    """Migrate a corpus in files: all old vectors, and new ones of a part of the objects.

    Parameters
    ----------
    old, new
        Files with one embedding each, as :func:`helpers.inputs.read` takes them. Objects are the same if their ids are;
        without ids both must have equally many rows.
    folder
        Folder that is made, as a whole or not at all: ``migrated.npy``, a row for each object, float32, its new vector
        where it has one and else the mapped one, scaled to the median length of new vectors; ``objects.csv`` with the
        row's ``id``, ``vector`` (``new`` or ``mapped``) and ``novelty``; ``held_out.csv``, the objects on which the map
        was judged, the worst first; ``table.csv``; ``report.json``; and ``map``, which
        :func:`helpers.migration.load_map` and the command ``apply`` read.
    overwrite
        Whether to replace a migration that is there.
    progress
        Called with what is done next.
    map, k, held_out, rng
        As of :func:`migrate`.
    reading
        ``ids`` and ``missing`` of :func:`helpers.inputs.read`.

    Returns
    -------
    Migration

    Raises
    ------
    FileExistsError
        If the folder is there and is not empty.
    ValueError
        If a file holds several embeddings, only one of them has ids, or as :func:`migrate` and ``read`` raise.
    """
    folder = Path(folder).expanduser().absolute()
    check_folder_free(folder, overwrite, holds=("report.json", "migrated.npy"), what="migration")
    progress("reading")
    before, after = (read_one(source, name, **reading) for source, name in ((old, "old"), (new, "new")))
    (x,), (y,) = before.representations.values(), after.representations.values()
    for role, inputs, rows in (("old", before, x), ("new", after, y)):
        _check_directions(role, inputs, rows)
    rows, partners, alone = _matched(before, after)
    found = migrate(
        _taken(x, rows), _taken(y, partners), ids=before.ids[rows], map=map, k=k, held_out=held_out, rng=rng,
        progress=progress,
    )  # fmt: skip
    progress("mapping the rest")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as draft:
        draft = Path(draft) / folder.name
        draft.mkdir()
        rest = np.setdiff1d(np.arange(len(x)), rows)
        length = float(np.median(np.linalg.norm(_taken(y, partners[:5000]).astype(np.float64), axis=1)))
        out = np.lib.format.open_memmap(
            draft / "migrated.npy", mode="w+", dtype=np.float32, shape=(len(x) + len(alone), y.shape[1])
        )
        with (draft / "migrated.npy").open("r+b") as file:
            allocate(file, (draft / "migrated.npy").stat().st_size, f"the {len(out)} mapped vectors")
        novelty = np.full(len(out), np.nan, dtype=np.float32)
        for block in row_slices(out[: len(rows)]):
            out[rows[block]] = y[partners[block]]
        for block in row_slices(out[: len(rest)]):
            taken = _taken(x, rest[block])
            out[rest[block]] = found.transform(taken) * length
            novelty[rest[block]] = found.novelty_of(taken)
        out[len(x) :] = _taken(y, alone)
        out.flush()
        del out
        kinds = np.full(len(novelty), "new", dtype=object)
        kinds[rest] = "mapped"
        names = np.concatenate([before.ids.astype(str), after.ids[alone].astype(str)])
        objects = pd.DataFrame({"id": names, "vector": kinds, "novelty": novelty})
        objects.to_csv(draft / "objects.csv", index=False, float_format="%.4f")
        found.objects.to_csv(draft / "held_out.csv", index=False, float_format="%.4f")
        found.table.to_csv(draft / "table.csv", float_format="%.4f")
        found.map.save(draft / "map")
        report = _report(found, objects)
        (draft / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        swap_folder(draft, folder)
    return found


def _check_directions(role: str, inputs: Inputs, x: np.ndarray) -> None:
    """Refuse rows without direction before anything is fitted."""
    void = [row for rows in row_slices(x) for row in rows.start + np.flatnonzero(~np.any(x[rows], axis=1))]
    if void:
        raise ValueError(
            f"{role}: {len(void)} of {len(x)} rows are zero and have no direction, the first is {inputs.ids[void[0]]}; "
            "leave them out"
        )


def _matched(before: Inputs, after: Inputs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the old file and of the new one that are the same objects, and those of the new file alone."""
    named = [inputs.ids.dtype.kind not in "iu" for inputs in (before, after)]
    if not any(named):
        total = [int(inputs.findings["rows"].iloc[0]) for inputs in (before, after)]
        if total[0] != total[1]:
            raise ArgumentError(
                f"old has {total[0]} rows and new {total[1]}, and neither has ids; name them, as in ",
                Argument("ids", "id"),
            )
        # Numbers of rows in the files: either may have dropped some.
        _, rows, partners = np.intersect1d(before.ids, after.ids, return_indices=True)
        return rows, partners, np.setdiff1d(np.arange(len(after)), partners)
    if not all(named):
        has, lacks = ("old", "new") if named[0] else ("new", "old")
        raise ArgumentError(
            f"{has} has ids and {lacks} has none; name what identifies objects, as in ", Argument("ids", "id")
        )
    place = {name: row for row, name in enumerate(after.ids)}
    partners = np.array([place.get(name, -1) for name in before.ids])
    rows = np.flatnonzero(partners >= 0)
    if len(rows) < LEAST:
        raise ValueError(
            f"old and new share {len(rows)} of {len(before)} and {len(after)} ids (old begins with "
            f"{before.ids[0]!r}, new with {after.ids[0]!r}); at least {LEAST} common objects are needed"
        )
    alone = np.setdiff1d(np.arange(len(after)), partners[rows])
    return rows, partners[rows], alone


def _taken(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return x if len(rows) == len(x) and np.array_equal(rows, np.arange(len(x))) else x[rows]


def _report(found: Migration, objects: pd.DataFrame) -> dict[str, Any]:
    """Every number, for programs."""
    mapped = objects[objects.vector == "mapped"]
    border = float(found.objects.novelty.quantile(0.95))
    table = found.table.astype(object).where(found.table.notna(), None)
    return {
        "conclusion": found.conclusion(),
        "map": found.name,
        "k": found.k,
        "chance": found.chance,
        "table": table.to_dict("index"),
        "novelty_and_cosine": found.novelty._asdict(),
        "rows": found.rows | {"mapped": len(mapped), "new": int((objects.vector == "new").sum())},
        "unfamiliar": {
            "novelty_of_95_percent_of_held_out": border,
            "share_of_mapped_beyond": float((mapped.novelty > border).mean()) if len(mapped) else None,
        },
    }
