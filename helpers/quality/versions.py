"""Two versions of an embedding: what changed, which objects moved, and what a map from old to new keeps of search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import as_matrix, check_count, check_number, check_row_labels, generator, integer_seed, unit_rows
from helpers.errors import Argument, ArgumentError
from helpers.quality._moving import (
    ROUNDING,
    TAIL,
    common_noise,
    displaced,
    neighbour_lists,
    rank_p,
    shared_neighbours,
    turned,
)

if TYPE_CHECKING:
    import pandas as pd

    from helpers.migration import Migration

__all__ = ["Drift", "drift"]

LEAST = 50  # objects
QUERIES = 2000  # objects of each draw of the null whose neighbours are looked for
COMPARED = 1000  # objects of which the interval of CKA is taken
NULLS = {
    "rerun": "in a second run of the old model",
    "common": "all objects did, by noise of one covariance and a factor that is log-normal over objects",
}


@dataclass(frozen=True, eq=False, repr=False)
class Drift:
    """What :func:`drift` found.

    Attributes
    ----------
    table : pandas.DataFrame
        A row each for ``neighbour overlap``, ``cka`` and ``displacement``, all objects together: ``value``, ``ci_low``
        and ``ci_high`` of 95 % over objects; ``chance``, what unrelated spaces give; ``unchanged``, what the null of no
        change gives; ``p`` of the difference from the reruns (NaN without one, and for CKA).
    objects : pandas.DataFrame
        A row for each object, those that moved most first: ``id``; ``displacement``, the distance of its new direction
        from its old one turned into the new space, in [0, 2]; ``overlap``, the share of its k nearest neighbours that
        are so in both spaces, in [0, 1]; ``p``, how rarely an unchanged object is as far off by either; ``q``, the
        false discovery rate if all objects down to this one are said to have moved (Benjamini–Hochberg); ``moved``.
    null : str
        ``"rerun"`` if second runs of the old model were given, else ``"common"``: what no change looks like.
    k : int
        Number of neighbours.
    fdr : float
        Bound of the expected share of unchanged objects among those that are said to have moved.
    least : int
        Fewest objects that can be found at all: fewer cannot be told from chance with so many unchanged ones.
    rows : dict of str to int
        Numbers of ``common`` objects, and of those in the old or the new version alone.
    migration : Migration or None
        Map from old to new, with the share of search that it keeps.
    """

    table: pd.DataFrame
    objects: pd.DataFrame
    null: str
    k: int
    fdr: float
    least: int
    rows: dict[str, int]
    migration: Migration | None = None

    @property
    def moved(self) -> list[Any]:
        """Ids of the objects that moved beyond the null, the farthest first."""
        return self.objects["id"][self.objects["moved"]].tolist()

    @property
    def sentences(self) -> list[str]:
        """What was found, in words: objects, the whole, the map, and what was left out."""
        n, many = self.rows["common"], int(self.objects["moved"].sum())
        few = f"; fewer than {self.least} cannot be found" if self.least > 1 else ""
        rate = f"(false discovery rate {self.fdr:.0%}{few})"
        lines = [f"{many or 'None'} of {n} objects moved farther than {NULLS[self.null]} {rate}."]
        row = self.table.loc["neighbour overlap"]
        line = (
            f"{row.value:.0%} [{row.ci_low:.0%}, {row.ci_high:.0%}] of the {self.k} nearest neighbours stayed (chance: "
            f"{row.chance:.1%}"
        )
        lines.append(line + (f"; second run: {row.unchanged:.0%}, p = {row.p:.2g})." if self.null == "rerun" else ")."))
        if self.migration is not None:
            lines.append(self.migration.conclusion())
        for side in ("old", "new"):
            if self.rows[f"{side} only"]:
                lines.append(f"{self.rows[f'{side} only']} objects are in the {side} version alone; they are left out.")
        return lines

    @property
    def numbers(self) -> dict[str, Any]:
        """Every number but those of single objects, as JSON holds them: what is not known is None."""
        table = {
            str(name): {column: None if math.isnan(value) else float(value) for column, value in row.items()}
            for name, row in self.table.iterrows()
        }
        kept = None
        if self.migration is not None:
            best = self.migration.table.loc[self.migration.name]
            kept = {"map": self.migration.name} | {key: float(best[key]) for key in ("overlap", "ci_low", "ci_high")}
        return {
            "sentences": self.sentences,
            "null": self.null,
            "k": self.k,
            "fdr": self.fdr,
            "fewest_that_can_be_found": self.least,
            "rows": self.rows,
            "moved": len(self.moved),
            "moved_share": float(self.objects["moved"].mean()),
            "table": table,
            "search_kept_by_a_map": kept,
        }

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        from html import escape

        return "".join(f"<p>{escape(line)}</p>" for line in self.sentences) + self.table.to_html(float_format="%.3g")


def drift(
    old: Any,
    new: Any,
    *,
    rerun: Any = None,
    ids: Sequence[Any] | None = None,
    new_ids: Sequence[Any] | None = None,
    k: int = 10,
    fdr: float = 0.05,
    map: str | None = "low-rank",
    n_corpus: int = 5000,
    n_draws: int | None = None,
    n_resamples: int = 999,
    rng: int | np.random.Generator = 0,
) -> Drift:
    r"""Which objects moved between two versions of an embedding, and how far the versions are apart as a whole.

    Each object has two numbers: its *displacement*, the distance of its new direction from its old one turned into the
    new space by a rotation that was fitted without it; and its *overlap*, the share of its nearest neighbours that
    stayed. An object moved if one of them is farther off than they are where nothing was changed. What that is:

    - with ``rerun``, the same numbers between the old version and second runs of the old model. No assumption but that
      for an unchanged object the new version is one more such run;
    - without, what all objects have in common: normal noise of one covariance, times a factor of each object that is
      log-normal, fitted to the half that moved least and drawn anew. That holds as far as the noise is like that.

    The p-value is the rank among unchanged objects of the smaller of the two ranks, so that looking at two numbers
    costs nothing; the false discovery rate over objects is that of Benjamini and Hochberg.

    Parameters
    ----------
    old : array_like of shape (n, p)
        Vectors of the old version, compared by cosine.
    new : array_like of shape (m, q)
        Vectors of the new version; row by row the same objects unless ids say otherwise.
    rerun : array_like of shape (n, r), or list of them, optional
        Second runs of the old model on the objects of ``old``, in its order: another seed, another half of the
        training data, the precision or the machine that is known to be harmless.
    ids : sequence of length n, optional
        Names of the objects of ``old``, each once; row numbers by default.
    new_ids : sequence of length m, optional
        Names of the objects of ``new``, by which rows are matched; by default they are in the order of ``old``.
    k
        Nearest neighbours that make up search.
    fdr
        Bound of the false discovery rate, between 0 and 1.
    map
        Map from old to new that is fitted and judged, as in :func:`helpers.migration.migrate`; None for none.
    n_corpus
        Objects among which neighbours are looked for; drawn at random if there are more.
    n_draws
        How often the null is drawn without ``rerun``; by default 1 / ``fdr``, so that a single object can be found.
    n_resamples
        Resamples of the intervals.
    rng
        Seed or generator of all draws.

    Returns
    -------
    Drift

    Raises
    ------
    TypeError, ValueError
        If a matrix is not real and finite or a row is zero (the message names it), ids are repeated or not as many as
        rows, fewer than 50 objects are in both versions (110 with a map and 10 neighbours), all rows of a version have
        one direction, k is not below the size of the corpus, or an option is out of
        range.

    Notes
    -----
    O(n c (p + q)) for a corpus of c objects, and without ``rerun`` as much again for the draws. What it misses: a turn
    or a stretch of the whole space, which changes no search; changes that all objects share; with ``rerun``, fewer
    objects than ``least``. The level holds over objects and not for each: one that is noisy by nature is found more
    often than others. Objects that stay lose neighbours that move: where many move, so do some beside them, by their
    overlap. With fewer objects than features the rotation is uncertain, and everything is displaced more.
    Vovk, Gammerman and Shafer (2005), Algorithmic learning in a random world, Springer, for ranks among objects that
    are exchangeable; Bates, Candès, Lei, Romano and Sesia (2023), Testing for outliers with conformal p-values, Annals
    of Statistics 51, for their false discovery rate.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import drift
    >>> rng = np.random.default_rng(0)
    >>> old = rng.normal(size=(200, 16))
    >>> new = old + 0.1 * rng.normal(size=old.shape)
    >>> new[:3] = rng.normal(size=(3, 16))
    >>> sorted(drift(old, new, map=None).moved)
    [0, 1, 2]
    """
    import pandas as pd
    from scipy.stats import false_discovery_control

    check_number(fdr, "fdr", lambda rate: 0 < rate < 1, "a number between 0 and 1")
    check_row_labels({"old": old, "new": new} if new_ids is None else {})
    old, new = _directions(old, "old"), _directions(new, "new")
    reruns = _reruns(rerun, len(old))
    names, rows, partners, counts = _matched(len(old), len(new), ids, new_ids)
    old, new, reruns = old[rows], new[partners], [one[rows] for one in reruns]
    n, rng = len(old), generator(rng)
    for name, x in (("old", old), ("new", new), *((f"rerun[{i}]", one) for i, one in enumerate(reruns))):
        if np.ptp(x, axis=0).max() < ROUNDING:
            raise ValueError(f"{name}: all {n} rows have one direction; nothing can be told of single objects")
    corpus = np.sort(rng.permutation(n)[: check_count(n_corpus, "n_corpus", least=LEAST)])
    check_count(k, "k", most=len(corpus) - 1, why="(the other objects of the corpus)")
    if map is not None and n < (least := max(LEAST, 10 * (k + 1))):
        words = f"{n} objects are in both versions; a map is fitted and judged from {least} on; without one, pass "
        raise ArgumentError(words, Argument("map", None))
    fold_seed, seed = (int(rng.integers(2**63)) for _ in range(2))

    every, work = np.arange(n), _Work(old, corpus, k, fold_seed)
    target = work.turned(new)
    apart, shared = displaced(target, new), work.shared(new, every)
    if reruns:
        null = [(displaced(work.turned(one), one), work.shared(one, every)) for one in reruns]
    else:
        n_draws = math.ceil(1 / fdr) if n_draws is None else check_count(n_draws, "n_draws")
        null = work.drawn(target, new, n_draws, rng)
    null_apart, null_shared = (np.concatenate(part) for part in zip(*null, strict=True))
    p = rank_p(apart, shared, null_apart, null_shared)
    q = false_discovery_control(p)
    objects = pd.DataFrame(
        {"id": names, "displacement": apart, "overlap": shared, "p": p, "q": q, "moved": q <= fdr}
    ).sort_values(["p", "displacement", "overlap"], ascending=[True, False, True], kind="stable", ignore_index=True)
    overall = _Overall(old, new, reruns, k / (len(corpus) - 1), n_resamples, seed)
    table = overall.table((apart, shared), null)
    found = None
    if map is not None:
        from helpers.migration import migrate

        found = migrate(old, new, ids=names, map=map, k=k, rng=integer_seed(seed))
    least = math.ceil(n / ((len(null_apart) + 1) * fdr))
    return Drift(table, objects, "rerun" if reruns else "common", k, fdr, least, counts, found)


class _Work:
    """The old version, and what is asked of it again and again."""

    def __init__(self, old: np.ndarray, corpus: np.ndarray, k: int, fold_seed: int):
        self.old, self.corpus, self.k, self.fold_seed = old, corpus, k, fold_seed
        self.near = neighbour_lists(old, np.arange(len(old)), corpus, k)

    def turned(self, new: np.ndarray) -> np.ndarray:
        """Old directions in a new space, all by the same division of the objects."""
        return turned(self.old, new, np.random.default_rng(self.fold_seed))

    def shared(self, new: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Share of the neighbours of some rows that are neighbours in a new space, too."""
        return shared_neighbours(self.near[rows], neighbour_lists(new, rows, self.corpus, self.k))

    def drawn(
        self, target: np.ndarray, new: np.ndarray, n_draws: int, rng: np.random.Generator
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Distances and shared neighbours of objects that moved by common noise alone."""
        shape, size, spread = common_noise(target, new, n_draws, rng)
        out = []
        for _ in range(n_draws):
            factor = size * np.exp(spread * rng.standard_t(TAIL, size=(len(new), 1)))
            noise = rng.normal(size=new.shape).astype(new.dtype) @ shape
            moved = unit_rows(target + factor.astype(new.dtype) * noise)
            rows = np.sort(rng.permutation(len(new))[:QUERIES])
            out.append((displaced(target[rows], moved[rows]), self.shared(moved, rows)))
        return out


class _Overall:
    """The two versions as wholes."""

    def __init__(self, old: np.ndarray, new: np.ndarray, reruns: list, chance: float, n_resamples: int, seed: int):
        self.old, self.new, self.reruns, self.chance = old, new, reruns, chance
        self.options = {"n_resamples": n_resamples, "rng": seed}

    def table(self, found: tuple[np.ndarray, np.ndarray], null: list[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
        import pandas as pd

        from helpers.inference import interval, paired

        rows = {}
        chances = {"displacement": math.sqrt(2.0), "neighbour overlap": self.chance}
        for name, values, other in zip(chances, found, zip(*null, strict=True), strict=True):
            mean = interval(values, method="percentile", **self.options)
            unchanged = float(np.mean(np.concatenate(other)))
            p = paired(values, np.mean(other, axis=0), **self.options).p if self.reruns else math.nan
            rows[name] = (mean.estimate, mean.low, mean.high, chances[name], unchanged, p)
        rows["cka"] = self.cka()
        columns = ["value", "ci_low", "ci_high", "chance", "unchanged", "p"]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("measure")
        return table.loc[["neighbour overlap", "cka", "displacement"]]

    def cka(self) -> tuple[float, ...]:
        from helpers.similarity import cka, compare

        rows = np.sort(np.random.default_rng(self.options["rng"]).permutation(len(self.old))[:COMPARED])
        draws = max(2, min(self.options["n_resamples"], 99))
        options = {"n_permutations": 19, "interval": "subsample", "n_resamples": draws, "rng": self.options["rng"]}
        row = compare(self.old[rows], self.new[rows], ["cka"], **options).iloc[0]
        again = [cka(self.old[rows], one[rows]) for one in self.reruns]
        return (
            row["value"],
            row["ci_low"],
            row["ci_high"],
            row["chance"],
            np.mean(again) if again else math.nan,
            math.nan,
        )


def _directions(x: Any, name: str) -> np.ndarray:
    """Unit rows in single precision, divided in that of the numbers given."""
    x = np.asarray(as_matrix(x, name, rows=2))
    return unit_rows(x, zero="raise", name=name).astype(np.float32)


def _reruns(rerun: Any, n: int) -> list[np.ndarray]:
    if rerun is None:
        return []
    several = isinstance(rerun, (list, tuple)) and len(rerun) and np.ndim(rerun[0]) == 2
    found = []
    for number, one in enumerate(rerun if several else [rerun]):
        name = f"rerun[{number}]" if several else "rerun"
        found.append(_directions(one, name))
        if len(found[-1]) != n:
            raise ValueError(
                f"{name} has {len(found[-1])} rows and old {n}; the objects of old are needed, in its order"
            )
    return found


def _matched(
    n: int, m: int, ids: Sequence[Any] | None, new_ids: Sequence[Any] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, int]]:
    """Names of the common objects, their rows in both versions, and how many there are where."""
    if new_ids is not None and ids is None:
        raise ValueError("new_ids is given without ids; the objects of old need names too, by which rows are matched")
    if new_ids is None and n != m:
        raise ValueError(f"old has {n} rows and new {m}; name the objects by ids and new_ids, and rows are matched")
    names = np.arange(n) if ids is None else _names(ids, n, "ids", "old")
    rows = partners = np.arange(n)
    if new_ids is not None:
        place = {name: row for row, name in enumerate(_names(new_ids, m, "new_ids", "new").tolist())}
        found = np.array([place.get(name, -1) for name in names.tolist()])
        rows = np.flatnonzero(found >= 0)
        partners = found[rows]
    counts = {"common": len(rows), "old only": n - len(rows), "new only": m - len(rows)}
    if len(rows) < LEAST:
        raise ValueError(f"{len(rows)} objects are in both versions, of {n} and {m}; at least {LEAST} are needed")
    return names[rows], rows, partners, counts


def _names(ids: Sequence[Any], n: int, name: str, of: str) -> np.ndarray:
    ids = np.asarray(ids)
    if ids.shape != (n,):
        raise ValueError(f"{name} has shape {ids.shape}; one for each of the {n} rows of {of} is needed")
    values, first, count = np.unique(ids, return_index=True, return_counts=True)
    if len(values) < n:
        again = values[count > 1].tolist()[0]
        raise ValueError(f"{name}: {again!r} is there {count[count > 1][0]} times; each object needs a name of its own")
    return ids
