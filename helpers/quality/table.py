"""All qualities of one representation in one table, each beside its interval and what noise and collapse would give."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from helpers.arrays import as_matrix, check_count, check_number, check_row_labels, generator, to_numpy
from helpers.quality._space import Space, fitting_metric, metric_rows
from helpers.quality.entry import Quality
from helpers.quality.labelled import checked_labels
from helpers.quality.registry import QUALITIES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REFERENCES", "collapsed_space", "quality"]

REFERENCES = ("noise", "point", "subspace")
"""Spaces of the same shape beside which values stand; see :func:`collapsed_space`."""

#: Qualities that depend on the metric; others have their own.
BY_METRIC = ("hubness", "antihubs", "knn_connectivity", "outlyingness")


def quality(
    x: Any,
    *,
    views: Any = None,
    others: Sequence[Any] | None = None,
    labels: Any = None,
    names: str | Sequence[str] | None = None,
    metric: str | None = None,
    k: int = 10,
    n_objects: int = 2000,
    n_halves: int = 8,
    confidence_level: float = 0.95,
    references: bool = True,
    drop: bool = False,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """All qualities of a representation: value, interval, and what noise and collapse of this shape would give.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation; float16 becomes float32, whole numbers and flags float64.
    views
        Representations of the same objects under several augmentations, (q, n, p), for alignment and LiDAR.
    others
        Other representations of the same objects, for agreement.
    labels : array_like of shape (n,), optional
        Class of each object, for probe, neighbours, clusters and silhouette.
    names
        Which of :data:`helpers.quality.QUALITIES`, one or several; by default all that what is given suffices for.
    metric
        How objects are compared where neighbours count: ``"cosine"``, ``"euclidean"``, ``"dot"`` or ``"hamming"``. By
        default ``"hamming"`` if all entries are 0 and 1 or -1 and 1, else ``"cosine"``.
    k
        Number of neighbours.
    n_objects
        Objects, drawn at random, from which everything that compares pairs is computed, and all intervals.
    n_halves
        Random halves of these objects. The spread of a value over halves is its standard error for all of them; where
        all n objects count it is divided by the root of how many times more they are.
    confidence_level
        Coverage of the intervals, for the choice of objects.
    references
        Whether noise and collapsed spaces of the same shape are computed too, which takes most of the time.
    drop
        Whether to leave out rows that are zero or not finite; by default they raise.
    rng
        Seed or generator of objects, halves and references.

    Returns
    -------
    DataFrame
        A row per quality: ``value``, ``ci_low``, ``ci_high``, ``better`` (which way), ``noise``, ``point`` and
        ``subspace`` (see :func:`collapsed_space`), ``objects`` that it is of, ``seconds``, ``range``, ``invariances``,
        ``cost``, ``definition``, ``misses`` and ``reference``. A quality that is not defined for x is NaN, and ``note``
        says why. ``attrs["left_out"]`` counts rows that were dropped, ``attrs["metric"]`` is the metric.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, its entries are beyond 1e-77 or 1e77, or a row is zero, unless it is
        dropped; if an option is out of range, a
        name is unknown, or what is given does not belong to the rows of x.

    Notes
    -----
    O(n p²) for the spectrum and O(m² p) for neighbours of the m objects drawn, in blocks of rows; beside x and one
    reference of its size it needs some hundred megabytes.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import quality
    >>> table = quality(np.random.default_rng(0).normal(size=(300, 8)), names=["rankme", "hubness"])
    >>> table.loc["rankme", ["value", "noise", "point"]].astype(float).round(0).tolist()
    [8.0, 8.0, 1.0]
    """
    import pandas as pd

    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    check_count(n_halves, "n_halves", least=2)
    rng = generator(rng)
    x, given, left_out = _checked(x, views, others, labels, drop)
    metric = fitting_metric(x) if metric is None else metric
    chosen = _chosen(names, given)
    make = partial(Space, metric=metric, k=k, n_objects=n_objects)
    check_count(k, "k", most=(min(len(x), n_objects) // 2) - 1, why=f"(halves of {min(len(x), n_objects)} rows)")
    space = make(x, rng=rng)
    metric_rows(space.sample, metric)  # refuses a metric that does not fit before anything is computed
    rows: dict[str, dict[str, Any]] = {}
    for name in chosen:
        began = time.perf_counter()
        value, note = _value(QUALITIES[name], name, space, given)
        rows[name] = {"value": value, "note": note, "seconds": time.perf_counter() - began}
    reaches = _reaches(chosen, space, given, make, n_halves, confidence_level, rng)
    compared = {}
    for kind in REFERENCES if references else ():
        other = make(collapsed_space(kind, *x.shape, dtype=space.x.dtype, rng=rng), rng=rng)
        if metric in ("hamming", "dot"):
            other.metric = "cosine"
        around = given | {"views": _views_of(kind, given["views"], rng)}
        compared[kind] = {name: _value(QUALITIES[name], name, other, around)[0] for name in chosen}
    for name, row in rows.items():
        entry, few = QUALITIES[name], QUALITIES[name].sampled
        reach = reaches[name] * (1 if few else (len(space.rows) / len(x)) ** 0.5)
        low, high = _ends(entry.range)
        row |= {"ci_low": max(row["value"] - reach, min(low, row["value"]))}
        row |= {"ci_high": min(row["value"] + reach, max(high, row["value"])), "better": entry.better}
        row |= {kind: values[name] for kind, values in compared.items()}
        row |= {"objects": len(space.rows) if few else len(x), "range": entry.range}
        row |= {"invariances": ", ".join(entry.invariances), "cost": entry.cost}
        row |= {"definition": entry.definition, "misses": entry.misses, "reference": entry.reference}
    order = ["value", "ci_low", "ci_high", "better", *compared, "objects", "seconds", "range", "invariances", "cost",
             "definition", "misses", "reference", "note"]  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index")[order].rename_axis("quality")
    table.attrs |= {"metric": metric, "left_out": left_out}
    return table


def collapsed_space(
    kind: str, n: int, p: int, *, dtype: Any = np.float64, rng: int | np.random.Generator = 0
) -> np.ndarray:
    """A space beside which to read a quality: noise, or what a collapse leaves.

    Parameters
    ----------
    kind
        ``"noise"``: independent normal entries. ``"point"``: all objects at one point of length 1, up to normal noise
        of a thousandth of that: complete collapse. ``"subspace"``: normal within p / 16 directions, at least one, up to
        noise of a thousandth: dimensional collapse.
    n, p
        Numbers of objects and of features.
    dtype
        Type of the entries, a floating one.
    rng
        Seed or generator of the entries.

    Returns
    -------
    ndarray of shape (n, p)
        The space, in the type asked for.

    Raises
    ------
    ValueError
        If the kind is unknown.

    Examples
    --------
    >>> from helpers.quality import collapsed_space, mean_cosine
    >>> round(mean_cosine(collapsed_space("point", 50, 8)), 3)
    1.0
    """
    if kind not in REFERENCES:
        raise ValueError(f"kind is {kind!r}; it can be {', '.join(REFERENCES)}")
    rng = generator(rng)
    fast = np.float32 if np.dtype(dtype) == np.float32 else np.float64
    noise = rng.standard_normal((n, p), dtype=fast)
    if kind == "point":
        noise *= fast(1e-3 / np.sqrt(p))
        noise += (rng.standard_normal(p) / np.sqrt(p)).astype(fast)
    elif kind == "subspace":
        width = max(1, p // 16)
        noise *= fast(1e-3)
        axes = np.linalg.qr(rng.standard_normal((p, width)))[0].astype(fast)
        noise += rng.standard_normal((n, width), dtype=fast) @ axes.T
    return noise.astype(dtype, copy=False)


def _checked(
    x: Any, views: Any, others: Any, labels: Any, drop: bool
) -> tuple[np.ndarray, dict[str, Any], dict[str, int]]:
    """x as a matrix, what is given beside it, and how many rows were left out, by reason."""
    several = {f"{name}[{i}]": one for name, of in (("views", views), ("others", others)) if of is not None
               for i, one in enumerate(of)}  # fmt: skip
    check_row_labels({"x": x, "labels": labels} | several)
    raw = to_numpy(x)
    given = {"views": views, "others": others, "labels": labels}
    if raw.ndim == 2 and raw.dtype == np.float16 and not drop and np.isinf(raw).any():
        row = int(np.argmax(np.isinf(raw).any(axis=1)))
        raise ValueError(f"x: row {row} is infinite, as numbers above 65504 are in float16; save it as float32")
    left_out: dict[str, int] = {}
    if drop and raw.ndim == 2 and raw.dtype.kind in "biuf":
        finite = np.isfinite(raw).all(axis=1)
        zero = ~raw.any(axis=1)
        keep = finite & ~zero
        left_out = {"not finite": int((~finite).sum()), "zero": int(zero.sum())}
        if not keep.all():
            raw = raw[keep]
            given["views"] = None if views is None else [to_numpy(view)[keep] for view in views]
            given["others"] = None if others is None else [to_numpy(other)[keep] for other in others]
            given["labels"] = None if labels is None else np.asarray(labels)[keep]
    x = _measurable(to_numpy(as_matrix(raw, rows=4)))
    zero = ~x.any(axis=1)
    if zero.any():
        raise ValueError(f"x: row {int(np.argmax(zero))} is zero and has no direction; leave it out, or pass drop=True")
    for name, several in (("views", given["views"]), ("others", given["others"])):
        for i, one in enumerate(several if several is not None else ()):
            if len(one) != len(x):
                raise ValueError(f"{name}[{i}] has {len(one)} rows and x has {len(x)}; they must be the same objects")
    if given["labels"] is not None:
        given["labels"] = checked_labels(given["labels"], len(x))[0]
    return x, given, left_out


def _measurable(x: np.ndarray) -> np.ndarray:
    """Rows whose lengths have squares of squares within the type: in double precision where they have none in single.

    A row of less than rounding beside the others is not what is asked here, so that the largest entry tells.
    """
    low, high = (getattr(np.finfo(x.dtype), end) ** 0.25 for end in ("tiny", "max"))
    peak = float(max(x.max(), -x.min()))
    if peak == 0 or low < peak < high:
        return x
    if x.dtype == np.float32:
        return x.astype(np.float64)
    raise ValueError(
        f"x has entries up to {peak:.1g}, whose squares float64 does not hold; divide x by its largest entry"
    )


def _chosen(names: str | Sequence[str] | None, given: dict[str, Any]) -> list[str]:
    if names is None:
        return [name for name, entry in QUALITIES.items() if entry.needs == "x" or given[entry.needs] is not None]
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise ValueError("names is empty; at least one quality is needed")
    for name in names:
        if name not in QUALITIES:
            raise ValueError(f"names has {name!r}; the qualities are {', '.join(QUALITIES)}")
        needs = QUALITIES[name].needs
        if needs != "x" and given[needs] is None:
            raise ValueError(f"names has {name!r}, which needs {needs}=")
    return names


def _value(entry: Quality, name: str, space: Space, given: dict[str, Any]) -> tuple[float, str]:
    """A value, or NaN and why it is not defined."""
    try:
        if entry.shared is not None:
            return entry.shared(space), ""
        rows = space.rows if entry.sampled else slice(None)
        around = {name: _some(name, value, rows) for name, value in given.items() if value is not None}
        return entry.value(space.sample if entry.sampled else space.x, **around), ""
    except ValueError as error:
        return float("nan"), str(error)


def _some(name: str, value: Any, rows: Any) -> Any:
    """The rows of what is given."""
    return [to_numpy(one)[rows] for one in value] if name in ("views", "others") else value[rows]


def _reaches(
    chosen: Sequence[str], space: Space, given: dict[str, Any], make: Any, n_halves: int, level: float, rng: Any
) -> dict[str, float]:
    """Half the width of the interval of each quality of the objects drawn."""
    found: dict[str, list[float]] = {name: [] for name in chosen}
    m = len(space.rows)
    for _ in range(n_halves):
        half = np.sort(rng.permutation(m)[: m // 2])
        part = make(space.sample[half])
        part.metric = space.metric
        around = {n: v if v is None else _some(n, v, space.rows[half]) for n, v in given.items()}
        for name in chosen:
            found[name].append(_value(QUALITIES[name], name, part, around)[0])
    wide = stats.t.isf((1 - level) / 2, n_halves - 1)
    return {name: float(wide * np.std(values, ddof=1)) for name, values in found.items()}


def _ends(words: str) -> tuple[float, float]:
    """Between which numbers a quality lies, as far as its range has numbers and not letters."""
    low = re.match(r"[\[(](-?\d[\d.e]*),", words)
    high = re.search(r", (-?\d[\d.e]*)[\])]", words)
    return float(low[1]) if low else -np.inf, float(high[1]) if high else np.inf


def _views_of(kind: str, views: Any, rng: np.random.Generator) -> list[np.ndarray] | None:
    """As many independent references as there are views; views of a point are the same point."""
    if views is None:
        return None
    seed = int(rng.integers(2**32))
    spaces = []
    for view in views:
        space = collapsed_space(kind, *np.shape(view), rng=rng)
        if kind == "point":
            one = collapsed_space("point", 1, space.shape[1], rng=seed)
            space = space - space.mean(axis=0) + one
        spaces.append(space)
    return spaces
