"""Many representations against many, beside chance: p-values, false discovery rate, and the best of all pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import as_matrix, check_count, check_number, generator, to_numpy
from helpers.similarity._engine.resources import Progress, available_threads, memory_in_bytes
from helpers.similarity.registry import MEASURES, Measure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["calibrate"]

RATES = {"bh": "Benjamini–Hochberg", "by": "Benjamini–Yekutieli"}


def calibrate(
    representations: Any,
    measures: str | Iterable[str] = "cka",
    *,
    against: Any = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    n_permutations: int = 199,
    n_objects: int | None = None,
    confidence_level: float = 0.95,
    rate: str = "bh",
    max_memory: int | str = "2GB",
    rng: int | np.random.Generator = 0,
    progress: bool = False,
) -> pd.DataFrame:
    r"""All pairs of representations beside chance, with the corrections for having looked at many of them.

    Chance is what a measure gives when the objects of one side are shuffled. One shuffle serves all pairs of
    representations, so that the largest value over all pairs has a chance level too: the best of many pairs of layers
    looks alike even where none is.

    Parameters
    ----------
    representations
        Mapping from names to matrices of shape (n, p), the rows of all being the same n objects, or a list, which gets
        the names "0", "1", ….
    measures
        A name of :data:`~helpers.similarity.registry.MEASURES`, or several.
    against
        Other representations of the same objects, as a mapping or a list: then each of ``representations`` is compared
        with each of these, as with the layers of two encoders. None: all pairs of ``representations``, in both orders
        for a measure that is not symmetric.
    options
        Options of single measures, such as ``{"jaccard": {"k": 20}}``.
    n_permutations
        How often the objects are shuffled. No p-value is below 1 / (n_permutations + 1).
    n_objects
        Take so many objects at random, the same for all: where all of them would take too long. Values and chance
        levels are then those of so many objects.
    confidence_level
        1 minus the level of the calibrated value's threshold.
    rate
        How the false discovery rate is controlled over the pairs of a measure: ``"bh"``, Benjamini and Hochberg, for
        p-values that are independent or positively dependent, or ``"by"``, Benjamini and Yekutieli, for any.
    max_memory
        Bytes, or text such as ``"500MB"``, for the kernel matrices of the measures that compare those; with less, they
        are computed more often.
    rng
        Seed or generator.
    progress
        Show what runs.

    Returns
    -------
    DataFrame
        One row per measure and pair:

        ``measure``, ``x``, ``y``
            What was compared.
        ``value``, ``orientation``
            The measure.
        ``chance``
            Mean over the shuffles.
        ``p``
            Share of the shuffles, the given order counted as one, that are at least as alike.
        ``p_fdr``
            Adjusted p-value: of the pairs with ``p_fdr`` ≤ q a share of at most q, on average, is as alike as chance.
        ``p_max``
            Share of the shuffles in which the *most similar* pair is at least as alike as this one: the probability
            that any pair is by chance. For the best pair it is the p-value of having chosen it.
        ``calibrated``
            How far the value is beyond the ``confidence_level`` quantile of the shuffles, on a scale where identical
            representations have 1; 0 if it is not. It is comparable across widths, the value often is not.

        ``attrs["best"]`` has for every measure the most similar pair, its value, the mean of the most similar ones
        under shuffling (``chance``), and its ``p``.

    Raises
    ------
    KeyError
        If there is no such measure.
    TypeError, ValueError
        If a representation is no finite real matrix, numbers of rows differ, there is no pair, an option or argument is
        unknown or out of range, or a measure is undefined for a pair.

    Notes
    -----
    What concerns one representation is computed once, and shuffling names the objects of a finished state otherwise
    where the measure allows: entries of kernel matrices (CKA, RSA, distance correlation, regressions), lists of
    neighbours, spanning trees, bases. A shuffle of one pair then takes O(n²) operations for kernels, O(nk) for
    neighbours, O(npq) where products of features are needed, and what the measure takes for the others (RTD and the
    other measures of joined graphs: choose ``n_objects``). On one core, 4000 objects and 768 features, a shuffle of one
    pair took less than 0.1 ms for lists of neighbours, 2 to 5 ms for NTS and MKA, 13 ms for CKA, and 90 to 150 ms for
    Procrustes, CCA and second-order cosine. Measures that do not see which object is which, such as
    ``magnitude_difference``, have p-value 1.

    References
    ----------
    Groeger, Wen, Brbic (2026), "Revisiting the Platonic representation hypothesis: an Aristotelian view", ICML;
    Benjamini, Hochberg (1995), "Controlling the false discovery rate", JRSS B 57; Benjamini, Yekutieli (2001), "The
    control of the false discovery rate in multiple testing under dependency", Annals of Statistics 29.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.calibration import calibrate
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(60, 5))
    >>> table = calibrate({"x": x, "noise": rng.normal(size=(60, 50))}, "cka", against={"y": x**3}, n_permutations=99)
    >>> print(table[["x", "y", "value", "chance", "p", "p_fdr", "p_max"]].round(2).to_string(index=False))
        x y  value  chance    p  p_fdr  p_max
        x y   0.59    0.07 0.01   0.02   0.01
    noise y   0.17    0.17 0.31   0.31   0.31
    """
    import pandas as pd

    n_permutations = check_count(n_permutations, "n_permutations")
    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    if rate not in RATES:
        raise ValueError(f"rate is {rate!r}; it must be one of {', '.join(map(repr, RATES))}")
    names = [measures] if isinstance(measures, str) else list(dict.fromkeys(measures))
    options = dict(options or {})
    for name in names:
        MEASURES[name]
    if stray := set(options) - set(names):
        raise ValueError(f"options names {', '.join(map(repr, sorted(stray)))}, not among the measures asked for")
    bound = {name: MEASURES[name].with_defaults(options.get(name, {})) for name in names}
    lefts = _named(representations, "representations")
    rights = lefts if against is None else _named(against, "against")
    _check_rows(lefts, rights, against is None)
    n, rng = len(next(iter(lefts.values()))), generator(rng)
    if n_objects is not None and check_count(n_objects, "n_objects", least=2) < n:
        rows = np.sort(rng.choice(n, n_objects, replace=False))
        lefts, rights, n = *({name: x[rows] for name, x in side.items()} for side in (lefts, rights)), n_objects
    orders = [rng.permutation(n) for _ in range(n_permutations)]
    memory, tables, best = memory_in_bytes(max_memory), [], {}
    with Progress(progress) as bar:
        for name in names:
            pairs = _pairs(list(lefts), list(rights), against is None, _symmetric(MEASURES[name], bound[name]))
            bar.start(name, len(rights))
            values, null = _values(MEASURES[name], bound[name], lefts, rights, pairs, orders, memory, bar)
            table, best[name] = _calibrated(MEASURES[name], pairs, values, null, confidence_level, rate)
            tables.append(table)
    out = pd.concat(tables, ignore_index=True)
    out.attrs.update(best=best, n_objects=n, n_permutations=n_permutations)
    return out


def _named(representations: Any, argument: str) -> dict[str, np.ndarray]:
    """Checked matrices by name."""
    if not isinstance(representations, Mapping):
        if hasattr(representations, "shape"):
            raise TypeError(f"{argument} is one matrix; a mapping from names to matrices, or a list of them, is needed")
        representations = {str(number): x for number, x in enumerate(representations)}
    if not representations:
        raise ValueError(f"{argument} is empty; at least one representation is needed")
    return {str(name): to_numpy(as_matrix(x, f"{argument}[{name!r}]")) for name, x in representations.items()}


def _check_rows(lefts: dict[str, np.ndarray], rights: dict[str, np.ndarray], within: bool) -> None:
    if within and len(lefts) < 2:
        raise ValueError("representations has one entry; at least two are needed, or others in against")
    (first, x), *_ = lefts.items()
    for name, y in [*lefts.items(), *rights.items()]:
        if len(y) != len(x):
            raise ValueError(
                f"{name!r} has {len(y)} rows and {first!r} has {len(x)}; all must describe the same objects"
            )


def _symmetric(measure: Measure, options: Mapping[str, Any]) -> bool:
    """Whether the order of a pair does not matter; a direction chosen by name may take that away."""
    return measure.symmetric and options.get("direction", "both") == "both"


def _pairs(lefts: list[str], rights: list[str], within: bool, symmetric: bool) -> list[tuple[str, str]]:
    if not within:
        return [(a, b) for a in lefts for b in rights]
    place = {name: number for number, name in enumerate(lefts)}
    return [(a, b) for a in lefts for b in rights if a != b and (place[a] < place[b] or not symmetric)]


def _values(
    measure: Measure,
    options: Mapping[str, Any],
    lefts: dict[str, np.ndarray],
    rights: dict[str, np.ndarray],
    pairs: list[tuple[str, str]],
    orders: list[np.ndarray],
    memory: int,
    bar: Progress,
) -> tuple[np.ndarray, np.ndarray]:
    """Values of the pairs, (pairs,), and under shuffling, (orders, pairs)."""
    from threadpoolctl import threadpool_limits

    from helpers.similarity._shuffling import DOUBLE, shuffling_of

    way, n = shuffling_of(measure, options), len(orders[0])
    column = {pair: number for number, pair in enumerate(pairs)}
    values, null = np.empty(len(pairs)), np.empty((len(orders), len(pairs)))
    states: dict[str, Any] = {}
    at_once = max(1, memory // (n * n * (8 if n <= DOUBLE else 4)) - 1) if way.dense else len(lefts)
    threads = min(available_threads(), len(orders))
    with threadpool_limits(1 if threads > 1 else None, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(lefts), at_once):
            group = list(lefts)[start : start + at_once]
            states = {name: way.left(lefts[name], name) for name in group if any(a == name for a, _ in pairs)}
            for right, y in rights.items():
                chosen = [name for name in group if (name, right) in column]
                if not chosen:
                    continue
                state, own = way.right(y, right), [states[name] for name in chosen]
                columns = [column[name, right] for name in chosen]
                try:
                    values[columns] = way.values(own, state, None)
                    found = pool.map(lambda order, own=own, state=state: way.values(own, state, order), orders)
                    null[:, columns] = np.array(list(found))
                except (ValueError, TypeError) as error:
                    of = f"{', '.join(chosen)} and {right}"
                    raise type(error)(f"{measure.name} of {of}: {error}") from error
                bar.advance(len(chosen) / len(lefts))
    return values, null


def _calibrated(
    measure: Measure,
    pairs: list[tuple[str, str]],
    values: np.ndarray,
    null: np.ndarray,
    confidence_level: float,
    rate: str,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of one measure, and its best pair."""
    import pandas as pd
    from scipy.stats import false_discovery_control

    similarity = measure.orientation == "similarity"
    sign, top = (1, 1.0) if similarity else (-1, 0.0)
    # What differs by rounding alone is equal.
    alike, shuffled = sign * values, sign * null
    reached = alike - 1e-6 * np.maximum(np.abs(alike), 1e-9)
    most = shuffled.max(axis=1)
    count = 1 + len(null)
    p = (1 + (shuffled >= reached).sum(axis=0)) / count
    p_max = (1 + (most[:, None] >= reached[None, :]).sum(axis=0)) / count
    threshold = np.quantile(np.vstack([shuffled, alike]), confidence_level, axis=0)
    room = top - threshold
    beyond = np.where(room > 0, (alike - threshold) / np.where(room > 0, room, 1.0), 0.0)
    table = pd.DataFrame(
        {
            "measure": measure.name,
            "x": [a for a, _ in pairs],
            "y": [b for _, b in pairs],
            "value": values,
            "orientation": measure.orientation,
            "chance": null.mean(axis=0),
            "p": p,
            "p_fdr": false_discovery_control(p, method=rate),
            "p_max": p_max,
            "calibrated": np.where(p < 1, np.maximum(beyond, 0.0), 0.0),
        }
    )
    at = int(np.argmax(alike))
    best = {
        "x": pairs[at][0],
        "y": pairs[at][1],
        "value": float(values[at]),
        "chance": float(sign * most.mean()),
        "p": float(p_max[at]),
    }
    return table, best
