"""What is wrong with a space: findings beyond what healthy spaces of its shape have, and what a remedy changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator, to_numpy, unit_rows
from helpers.quality._space import METRICS, fitting_metric, metric_rows
from helpers.quality._symptoms import SYMPTOMS, Symptoms
from helpers.quality.neighbours import equal_groups
from helpers.quality.remedies import REMEDIES
from helpers.quality.thresholds import EXACT, null_of_shape, perplexity_null

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FINDINGS", "Diagnosis", "diagnose"]

SAMPLE = 500
LEAST = 30  # objects
ROUNDING = 6.0  # decades of the mean cosine: differences of a thousandth of the length, as half precision leaves
ROUNDED = 1e-3  # of the way from the median to the threshold: recorded numbers are rounded

FINDINGS = {
    "complete collapse": "all objects are at one point",
    "dimensional collapse": "the variance is in a few directions, and next to none in the others",
    "cluster collapse": "objects fall into few clusters, within which there is next to no variance",
    "token collapse": "many different objects share one vector",
    "codebook collapse": "few of the codes are in use",
    "duplicates": "objects are repeated",
    "rogue dimensions": "single coordinates decide which objects are near",
    "normalisation forgotten": "lengths differ far more than they do in healthy spaces",
    "wrong metric": "the metric in use finds other neighbours than the directions, or the values, call for",
    "hubs": "few objects are neighbours of most others",
}
"""What can be found, and what it says."""


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What :func:`diagnose` found.

    Attributes
    ----------
    table : DataFrame
        A row per finding that was looked for: ``found``; ``symptom`` and its ``value``, ``healthy`` (the median of
        healthy spaces of the shape) and ``threshold``; where found ``remedy``, what it is; ``after``, the symptom once
        it was applied to the objects that were looked at; and ``changes``, what else it changed, in words.
    notes : list of str
        What was left out, and how objects were compared.
    objects : int
        How many objects neighbours, spectrum and lengths were looked at of.
    metric : str
        How objects were compared.
    """

    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    objects: int = 0
    metric: str = "cosine"

    @property
    def findings(self) -> list[str]:
        """Names of what was found; empty for a healthy space."""
        return [str(name) for name in self.table.index[self.table["found"]]]

    @property
    def sentences(self) -> list[str]:
        """A sentence for each finding, with its numbers and what the remedy changed."""
        return [_sentence(str(name), row) for name, row in self.table[self.table["found"]].iterrows()]

    def __repr__(self) -> str:
        lines = self.sentences or [f"Nothing was found beyond what healthy spaces of this shape have ({self.metric})."]
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        from html import escape

        shown = self.table[["found", "symptom", "value", "healthy", "threshold"]]
        return "".join(f"<p>{escape(line)}</p>" for line in repr(self).splitlines()) + shown.to_html(
            float_format="%.3g"
        )


def diagnose(
    x: Any,
    *,
    metric: str | None = None,
    codes: Any = None,
    n_codes: int | None = None,
    n_objects: int = SAMPLE,
    n_draws: int | None = None,
    rng: int | np.random.Generator = 0,
) -> Diagnosis:
    """Whether a space has collapsed, has hubs or rogue dimensions, or is compared in the wrong way; and what helps.

    Each finding has a symptom that grows with it. It is made if the symptom is larger than in all of 239 healthy spaces
    of the same shape (:func:`~helpers.quality.healthy_space`, the null for all findings but one): the quantile of a
    null distribution at the level 0.05 over the number of symptoms, so that a healthy space has any finding at all with
    a probability of at most 5 %. The exception is codebook collapse, whose null are usages of a book of as many codes.

    One fault makes others: a rogue dimension looks like a dimensional collapse. So findings are looked for in an order
    in which causes come before what they cause, and each is corrected before the next is looked for.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation. Rows that are zero or not finite are left out, with a note. Another note tells of constant
        features; they are looked at like the others, but for a quarter of the features or less that are zero.
    metric
        How objects are compared: ``"cosine"``, ``"euclidean"``, ``"dot"`` or ``"hamming"``; by default ``"hamming"`` if
        all entries are 0 and 1 or -1 and 1, else ``"cosine"``.
    codes : array_like of shape (n,) or (n, q), optional
        Codes of the objects in one codebook, or in each of q, for codebook collapse. Without them x itself is looked
        at: a space of few different rows is taken for quantised.
    n_codes
        Number of codes of a book; by default the largest code and 1.
    n_objects
        Objects, drawn at random, of which all but duplicates is looked at; at most 500 unless ``n_draws`` is given.
    n_draws
        How many healthy spaces of this very shape are drawn for the thresholds; by default recorded ones are taken.
    rng
        Seed or generator of the draws.

    Returns
    -------
    Diagnosis
        Findings with numbers before and after the remedy.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is no real matrix of at least two features, fewer than 30 rows are left, an option is unknown, or codes
        are not whole numbers, one row of them for each object.

    Notes
    -----
    A fraction of a second for up to 500 objects, and O(n p) for the duplicates of all.
    What it misses: a collapse in which more than two thirds of the directions are left, or one without a cliff in the
    spectrum; hubs of a few per cent of the neighbours; several faults of which one hides the other; codes that are
    compared as numbers; anything that only labels can tell. Thresholds of more than 512 features are those of 512.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import diagnose
    >>> x = np.random.default_rng(0).normal(size=(300, 64))
    >>> diagnose(x).findings
    []
    >>> x[:, 5] += 40
    >>> diagnose(x).findings
    ['rogue dimensions']
    """
    import pandas as pd

    if metric is not None and metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, METRICS))}")
    rng = generator(rng)
    check_count(n_objects, "n_objects", least=LEAST, most=None if n_draws else SAMPLE, why="unless n_draws is given")
    x, kept, notes = _cleaned(x)
    used = fitting_metric(x) if metric is None else metric
    case = _Case(used, n_objects, n_draws, rng)
    case.quantised(x, kept, codes, n_codes)
    rows = case.without_equal(x)
    if rows is not None:
        case.causes(rows)
    table = pd.DataFrame.from_dict({name: case.rows.get(name, dict(EMPTY)) for name in FINDINGS}, orient="index")
    table = table[list(EMPTY)].rename_axis("finding")
    return Diagnosis(table, [*notes, *case.notes], case.objects, used)


EMPTY = {
    "found": False,
    "symptom": "",
    "value": math.nan,
    "healthy": math.nan,
    "threshold": math.nan,
    "remedy": "",
    "after": math.nan,
    "changes": "",
}


class _Case:
    """Findings so far."""

    def __init__(self, metric: str, n_objects: int, n_draws: int | None, rng: np.random.Generator):
        self.metric, self.n_objects, self.n_draws, self.rng = metric, n_objects, n_draws, rng
        self.rows: dict[str, dict[str, Any]] = {}
        self.notes: list[str] = []
        self.objects = 0
        self.null: dict[str, tuple[float, float]] = {}

    def look(self, finding: str, symptoms: Sequence[str], values: Sequence[float]) -> bool:
        """Whether one of the symptoms is above its threshold; the one that is farthest above is kept."""
        best = None
        for symptom, value in zip(symptoms, values, strict=True):
            middle, threshold = self.null[symptom]
            excess = (value - threshold) / max(threshold - middle, 1e-6)
            if best is None or excess > best[0]:
                best = (excess, symptom, value, middle, threshold)
        excess, symptom, value, middle, threshold = best
        row = {"found": bool(excess > ROUNDED), "symptom": symptom, "value": value, "healthy": middle}
        self.rows[finding] = dict(EMPTY) | row | {"threshold": threshold}
        return bool(excess > ROUNDED)

    def treat(self, finding: str, before: Symptoms, symptom: Callable[[Symptoms], float], **given: Any) -> None:
        """Tries the remedy and keeps the numbers after it."""
        after, remedy, words = REMEDIES[finding](before, **given)
        value = symptom(after) if isinstance(after, Symptoms) else after
        self.rows[finding] |= {"remedy": remedy, "after": float(value), "changes": words}

    def shape(self, n: int, p: int) -> None:
        self.null = null_of_shape(max(n, LEAST), max(p, 2), n_draws=self.n_draws, rng=self.rng)

    def quantised(self, x: np.ndarray, kept: np.ndarray, codes: Any, n_codes: int | None) -> None:
        """Looks for a codebook that is hardly used."""
        if codes is None and n_codes is not None:
            raise ValueError("n_codes is given without codes")
        if codes is None:
            groups = equal_groups(x, tolerance=EXACT)
            count = int(groups.max()) + 1
            sizes = np.bincount(groups)
            if count < 2 or count * 4 > len(x) or np.mean(sizes[groups] > 1) < 0.9:
                return
            self.notes.append(f"x has {count} different rows of {len(x)}, as quantised vectors have.")
            # A book that fits the number of objects has at least four for each code, and not more than 64 codes count.
            self._book(groups[:, None], max(count, min(64, len(x) // 4)))
            return
        codes = np.asarray(codes)
        codes = codes[:, None] if codes.ndim == 1 else codes
        if codes.ndim != 2 or not codes.size or codes.dtype.kind not in "iu" or codes.min() < 0:
            raise ValueError(
                f"codes has shape {codes.shape} and dtype {codes.dtype}; whole numbers from 0 on are needed"
            )
        if len(codes) != len(kept):
            raise ValueError(f"codes has {len(codes)} rows and x has {len(kept)}; one for each object is needed")
        largest = int(codes.max()) + 1
        if n_codes is not None and check_count(n_codes, "n_codes", least=2) < largest:
            raise ValueError(f"n_codes is {n_codes}, but codes go up to {largest - 1}")
        self._book(codes[kept], n_codes or largest, x)

    def _book(self, codes: np.ndarray, n_codes: int, x: np.ndarray | None = None) -> None:
        worst = min(range(codes.shape[1]), key=lambda q: _perplexity(codes[:, q]))
        size = min(n_codes, len(codes))
        value = _perplexity(codes[:, worst]) / size
        middle, threshold = perplexity_null(len(codes), n_codes)
        self.rows["codebook collapse"] = dict(EMPTY) | {
            "found": value < threshold, "symptom": "perplexity", "value": value, "healthy": middle,
            "threshold": threshold,
        }  # fmt: skip
        if value < threshold:
            after, remedy, words = REMEDIES["codebook collapse"](codes[:, worst], n_codes, x)
            self.rows["codebook collapse"] |= {"remedy": remedy, "after": after, "changes": words}

    def without_equal(self, x: np.ndarray) -> np.ndarray | None:
        """One of each group of equal rows, drawn; looks for duplicates and for a vector that many share."""
        groups = equal_groups(x, tolerance=EXACT)
        sizes = np.bincount(groups)
        first = np.unique(groups, return_index=True)[1]
        if len(sizes) == 1 or not np.ptp(x, axis=0).any():
            words = "all rows are equal, so that no transformation brings anything back"
            row = {"found": True, "symptom": "cone", "value": 16.0, "changes": words}
            row["remedy"] = "train anew, with a term that drives objects apart"
            self.rows["complete collapse"] = dict(EMPTY) | row
            return None
        if "codebook collapse" not in self.rows:
            few = min(len(x), self.n_objects)
            self.shape(few, x.shape[1])
            crowd, others = int(np.argmax(sizes)), sizes.copy()
            others[crowd] = 1
            repeated = others[others > 1]
            usual = 1.0
            if self.look("duplicates", ["duplicates"], [float(repeated.sum()) / len(x)]):
                self._leave_out("duplicates", int(repeated.sum()), len(x))
                usual = float(np.median(repeated))  # a crowd stands out from the groups of duplicates
            # As many as would be among those that are looked at.
            count = max(sizes[crowd] * few / len(x) / usual, 1)
            if self.look("token collapse", ["clump"], [math.log(count)]):
                self._leave_out("token collapse", int(sizes[crowd]), len(x))
            elif self.rows["duplicates"]["found"]:
                repeated = sizes[sizes > 1]
                self.rows["duplicates"]["value"] = float(repeated.sum()) / len(x)
                self._leave_out("duplicates", int(repeated.sum()), len(x))
        rows = x[np.sort(first)]
        if len(rows) < LEAST:
            self.notes.append(f"Only {len(rows)} rows differ; nothing else was looked for.")
            return None
        if len(rows) > self.n_objects:
            rows = rows[np.sort(self.rng.choice(len(rows), self.n_objects, replace=False))]
        return rows

    def _leave_out(self, finding: str, count: int, n: int) -> None:
        self.rows[finding] |= {
            "remedy": "keep one object of each group of equal ones",
            "after": 0.0,
            "changes": f"{count} of {n} rows are equal to others",
        }

    def causes(self, x: np.ndarray) -> None:
        """Looks for everything that is a matter of different rows, causes first."""
        x = x.astype(np.float64)
        self.objects = len(x)
        self.shape(*x.shape)
        space = Symptoms(x, "cosine" if self.metric == "dot" else self.metric)
        if self.metric != "hamming":
            if self.look("rogue dimensions", ["rogue"], [space.rogue()]):
                self.treat("rogue dimensions", space, Symptoms.rogue)
                x = np.delete(x, space.rogues, axis=1)
                x = x[x.any(axis=1)]
                if x.shape[1] < 2:
                    self.notes.append("Of the single coordinate besides nothing else was asked.")
                    return
                space = Symptoms(x, space.metric)
            # Euclidean distances do not see where the middle is, as long as differences are no rounding.
            cone = space.cone()
            if self.look(
                "complete collapse", ["cone"], [0.0 if self.metric == "euclidean" and cone < ROUNDING else cone]
            ):
                self.treat("complete collapse", space, Symptoms.cone)
                return
            space = self.lengths(x, space)
        else:
            self.codes(x)
        clusters = space.clusters()
        if clusters and self.rows.get("normalisation forgotten", EMPTY)["found"]:  # a line has two directions
            clusters = 0.0 if space.opposite else min(clusters, Symptoms(x, "euclidean").clusters())
        if self.look("cluster collapse", ["clusters"], [clusters]):
            self.treat("cluster collapse", space, Symptoms.clusters)
            self.notes.append("Within the clusters nothing was looked for.")
            return
        crowded = self.rows.get("token collapse", EMPTY)["found"] is False and self.look(
            "token collapse", ["clump"], [space.clump()]
        )
        # Equal rows take directions away, and few directions bring rows together: without the crowd it can be told.
        rest = Symptoms(np.delete(space.x, space.crowd[1:], axis=0), space.metric) if crowded else space
        if self.look("dimensional collapse", ["cliff", "steep"], [rest.cliff(), rest.steep()]):
            self.treat("dimensional collapse", rest, SYMPTOMS[self.rows["dimensional collapse"]["symptom"]])
            self.rows["token collapse"]["found"] &= not crowded
            for effect in ("rogue dimensions", "normalisation forgotten"):
                if self.rows.get(effect, EMPTY)["found"]:
                    self.rows[effect]["found"] = False
                    self.notes.append(f"The symptom of {effect} is there too, as it is where few directions are left.")
            return  # few directions make hubs, too
        if crowded:
            self.treat("token collapse", space, Symptoms.clump)
        space = rest
        known = self.rows.get("duplicates", EMPTY)
        if not known["found"] and self.look("duplicates", ["duplicates"], [np.nanmax([space.close, known["value"]])]):
            self.treat("duplicates", space, lambda after: after.close)
        if self.look("hubs", ["hub", "hubs"], [space.hub(), space.hubs()]):
            self.treat("hubs", space, SYMPTOMS[self.rows["hubs"]["symptom"]])

    def lengths(self, x: np.ndarray, space: Symptoms) -> Symptoms:
        """Looks for lengths that differ: by a metric that sees them it is the metric that is wrong."""
        spread = space.lengths()
        seen = self.metric in ("dot", "euclidean")
        if not seen:
            if self.look("normalisation forgotten", ["lengths"], [spread]):
                self.treat("normalisation forgotten", space, Symptoms.lengths)
            return space
        other = Symptoms(x, self.metric)
        wide = self.look("normalisation forgotten", ["lengths"], [spread])
        name = f"disagreement, {self.metric}"
        if self.look("wrong metric", [name], [other.disagreement()]) or (wide and self.metric == "dot"):
            self.rows["wrong metric"]["found"] = True
            self.rows["normalisation forgotten"]["found"] = False
            self.treat("wrong metric", other, Symptoms.disagreement)
            return Symptoms(x, "cosine")
        if wide:
            self.treat("normalisation forgotten", space, Symptoms.lengths)
            return Symptoms(unit_rows(x), space.metric)
        return space

    def codes(self, x: np.ndarray) -> None:
        """Nothing of lengths and coordinates is asked of flags."""
        self.notes.append("Entries have two values: rows were compared by the number of entries that differ.")


def _perplexity(codes: np.ndarray) -> float:
    share = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(np.exp(-np.sum(share * np.log(share))))


def _cleaned(x: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Finite rows that are not zero, in floating point; which of all rows these are, and what was left out in words."""
    x = to_numpy(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x has dtype {x.dtype}; real numbers are needed")
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; objects and at least two features are needed")
    notes = []
    finite = np.isfinite(x).all(axis=1) if x.dtype.kind == "f" else np.ones(len(x), dtype=bool)
    if not finite.all():
        overflow = " (float16 ends at 65504)" if x.dtype == np.float16 and np.isinf(x).any() else ""
        notes.append(
            f"{int((~finite).sum())} rows are not finite and were left out, the first {np.argmin(finite)}{overflow}."
        )
    zero = finite & ~x.any(axis=1)
    binary = x.dtype.kind == "b" or fitting_metric(x[finite]) == "hamming" if finite.any() else False
    if zero.any() and not binary:
        notes.append(f"{int(zero.sum())} rows are zero and were left out, the first {np.argmax(zero)}.")
        finite &= ~zero
    if finite.sum() < LEAST:
        raise ValueError(f"x has {int(finite.sum())} rows that are finite and not zero; at least {LEAST} are needed")
    x = x[finite]
    x = x.astype(np.float32 if x.dtype in (np.float16, np.float32) else np.float64, copy=False)
    peak = max(float(x.max()), -float(x.min()))
    if peak > np.finfo(x.dtype).max ** 0.25:  # leaves room for squares
        x = metric_rows(x, "euclidean")
    constant = np.ptp(x, axis=0) == 0
    if constant.any() and not constant.all():
        notes.append(f"{int(constant.sum())} of {x.shape[1]} features are constant, the first {np.argmax(constant)}.")
    dead = constant & (x[0] == 0)
    if dead.any() and dead.sum() * 4 <= len(dead):  # more of them are directions that are lost
        x = x[:, ~dead]
    return x, finite, notes


def _sentence(finding: str, row: Any) -> str:
    what = f"{finding[0].upper()}{finding[1:]}: {FINDINGS[finding]}"
    if not math.isnan(row["threshold"]):
        what += f" ({row['symptom']} {row['value']:.3g}, in healthy spaces {row['healthy']:.3g}, at most " \
                f"{row['threshold']:.3g})"  # fmt: skip
        what = what.replace("at most", "at least") if finding == "codebook collapse" else what
    after = "" if math.isnan(row["after"]) else f" After it {row['symptom']} is {row['after']:.3g}"
    after += f"{'; ' if after else ' Then '}{row['changes']}." if row["changes"] else "." if after else ""
    return f"{what}. Try: {row['remedy']}.{after}"
