"""Many representations against many, beside chance: p-values, false discovery rate, and the best of all pairs."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, check_count, check_number, check_row_labels, generator, to_numpy
from helpers.similarity._engine.resources import Progress, available_threads, memory_in_bytes
from helpers.similarity._planning import NULLS, Choice, Planner
from helpers.similarity.registry import MEASURES, Measure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["calibrate"]

CAREFUL = 0.8  # share of the time left that is planned with
RESERVE = 0.03  # share of all the time that is left for what the last measures take beyond their plan
MANY = 1000  # degrees of freedom beyond which a variance is as good as known
PREPARED = 4  # representations at a time, each with memory of its own
MIDPOINTS = 99  # of probability, over which the mean of a fitted distribution is taken
RATES = {"bh": "Benjamini–Hochberg", "by": "Benjamini–Yekutieli"}


def calibrate(
    representations: Any,
    measures: str | Iterable[str] = "cka",
    *,
    against: Any = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    n_permutations: int = 199,
    n_objects: int | None = None,
    budget: float | None = None,
    plan: Mapping[str, Mapping[str, Any]] | None = None,
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
        A name of :data:`~helpers.similarity.registry.MEASURES`, several, or ``"all"``.
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
    budget
        Seconds that the whole may take, a goal and not a promise: what each measure takes is found on a few objects,
        and those that would take too long have fewer shuffles, then fewer objects. The columns ``n`` and ``null`` say
        what each one had. None: all objects and shuffles.
    plan
        For single measures ``{"n_objects": …, "n_permutations": …, "null": …}``, in place of what is said above:
        ``attrs["plan"]`` of an earlier table, to compute the same again with the same ``rng``, ``n_objects`` and
        ``n_permutations``, or a choice of one's own. ``null`` is ``"shuffles"``, ``"fitted"`` or ``"closed form"``, as
        in the column of that name.
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
        ``n``
            Number of objects that the measure was computed of.
        ``null``
            Where the chance level comes from. ``"shuffles"``: shares of ``n_permutations`` shuffles, as said above.
            ``"fitted"``: of few shuffles, which each pair has of its own, p is the larger one of two: Student's t for
            one more value beside so many shuffled ones, with variances drawn towards those of the other pairs by as
            much as these are alike, and the tail of a Pearson distribution of type III with that variance and the
            skewness of all pairs. ``"closed form"``: the same distribution with the exact mean and variance over all
            n! orders, and the exact skewness of at most 1024 of the objects; where few objects decide, p is at least
            Cantelli's bound of that mean and variance, and up to 32 objects p is the share of all orders, or of 5040
            of them. In both, ``p_max`` is p times the number of pairs (Bonferroni), at most 1.

        ``attrs["best"]`` has for every measure the most similar pair, its value, the mean of the most similar ones
        under shuffling (``chance``; NaN where ``null`` is not ``"shuffles"``), and its ``p``. ``attrs["plan"]`` has
        what each measure was given, ``attrs["seconds"]`` what it took, and ``attrs["undefined"]`` why measures are
        missing from ``"all"``, of which a warning tells.

    Raises
    ------
    KeyError
        If there is no such measure.
    TypeError, ValueError
        If a representation is no finite real matrix, numbers of rows differ, there is no pair, an option or argument is
        unknown or out of range, or a measure that was named is undefined for a pair.

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

    Of objects that are equally near, lists of neighbours have the first ones, in both representations, and shuffled
    these are not the first ones any more. So where distances are equal (many rows are copies, entries are flags or
    counts) ``jaccard``, ``mutual_knn``, ``rank_similarity`` and the other measures of neighbours are tested with the
    objects of the second representation in a drawn order, which decides such cases anew: ``value`` is that of the
    measure, and ``chance``, p and ``calibrated`` are those of the drawn order.

    A closed form is known where the measure is monotone in Σ a_ij b_ij of two symmetric matrices: CKA in all its
    forms, RSA, the norm of the difference of distances, distance correlation, linear regression, eigenspace overlap and
    GULP. With kernels that are products of features, and with distances, n is not bounded; ranks of distances, Gaussian
    kernels and matrices of distances are taken of at most 4096 objects there.

    References
    ----------
    Groeger, Wen, Brbic (2026), "Revisiting the Platonic representation hypothesis: an Aristotelian view", ICML;
    Mantel (1967), "The detection of disease clustering and a generalized regression approach", Cancer Research 27;
    Josse, Pagès, Husson (2008), "Testing the significance of the RV coefficient", Computational Statistics & Data
    Analysis 53, for moments and the Pearson distribution; Smyth (2004), "Linear models and empirical Bayes methods for
    assessing differential expression", Statistical Applications in Genetics and Molecular Biology 3, for variances;
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
    names = _measure_names(measures)
    options = dict(options or {})
    if stray := (set(options) | set(plan or {})) - set(names):
        raise ValueError(
            f"options or plan names {', '.join(map(repr, sorted(stray)))}, not among the measures asked for"
        )
    bound = {name: MEASURES[name].with_defaults(options.get(name, {})) for name in names}
    if budget is not None:
        check_number(budget, "budget", lambda seconds: seconds > 0, "a number of seconds above 0")
    entries = {"representations": _entries(representations, "representations")}
    entries |= {} if against is None else {"against": _entries(against, "against")}
    lefts, *others = (_named(of, side) for side, of in entries.items())
    rights = others[0] if others else lefts
    _check_rows(lefts, rights, against is None)
    check_row_labels({f"{side}[{name!r}]": x for side, of in entries.items() for name, x in of.items()})
    sides = _Sides(lefts, rights, generator(rng), n_permutations, n_objects)
    pairs = {
        name: _pairs(list(lefts), list(rights), against is None, _symmetric(MEASURES[name], bound[name]))
        for name in names
    }
    given = {name: _choice(name, bound[name], (plan or {}).get(name, {}), sides) for name in names}
    memory, tables, best, seconds, undefined = memory_in_bytes(max_memory), {}, {}, {}, {}
    with Progress(progress) as bar:
        for name, choice in _in_turn(given, plan or {}, bound, sides, pairs, budget):
            bar.start(name, len(rights))
            given[name], began = choice, time.perf_counter()
            try:
                tables[name], best[name] = _of_measure(
                    MEASURES[name], bound[name], pairs[name], choice, sides, memory, bar, confidence_level, rate
                )
            except ValueError as error:
                if measures != "all":
                    raise
                undefined[name] = str(error)
            seconds[name] = time.perf_counter() - began
    if undefined:
        warnings.warn(f"measures without a value are not in the table: {'; '.join(undefined.values())}", stacklevel=2)
    names = [name for name in names if name not in undefined]
    out = pd.concat([tables[name] for name in names], ignore_index=True)
    out.attrs.update(
        best={name: best[name] for name in names},
        undefined=undefined,
        n_objects=sides.n,
        n_permutations=n_permutations,
        plan={name: given[name]._asdict() for name in names},
        seconds={name: seconds[name] for name in names},
    )
    return out


def _measure_names(measures: str | Iterable[str]) -> list[str]:
    if measures == "all":
        return list(MEASURES)
    names = [measures] if isinstance(measures, str) else list(dict.fromkeys(measures))
    if not names:
        raise ValueError("measures is empty; at least one is needed")
    for name in names:
        MEASURES[name]
    return names


class _Sides:
    """Both sides of so many objects, and the orders of those, which all measures share."""

    def __init__(
        self,
        lefts: dict[str, np.ndarray],
        rights: dict[str, np.ndarray],
        rng: np.random.Generator,
        n_permutations: int,
        n_objects: int | None,
    ) -> None:
        n, within = len(next(iter(lefts.values()))), lefts is rights
        if n_objects is not None and check_count(n_objects, "n_objects", least=2) < n:
            rows = np.sort(rng.choice(n, n_objects, replace=False))
            lefts, n = _rows_of(lefts, rows), n_objects
            rights = lefts if within else _rows_of(rights, rows)
        self.lefts, self.rights, self.n, self.n_permutations = lefts, rights, n, n_permutations
        self.orders = {(n, n_permutations): [rng.permutation(n) for _ in range(n_permutations)]}
        self.seed = int(rng.integers(2**63))
        self.kept: dict[Any, Any] = {}
        self._of = {n: (lefts, rights)}

    def of(self, n: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Both sides, of ``n`` objects."""
        if n not in self._of:
            rows = np.sort(np.random.default_rng((self.seed, n)).choice(self.n, n, replace=False))
            lefts = _rows_of(self.lefts, rows)
            self._of[n] = lefts, lefts if self.lefts is self.rights else _rows_of(self.rights, rows)
        return self._of[n]

    def shuffled(self, n: int, count: int, pair: int | None = None) -> list[np.ndarray]:
        """Orders of ``n`` objects, for all pairs or for one alone."""
        if pair is not None:
            rng = np.random.default_rng((self.seed, n, pair + 1))
            return [rng.permutation(n) for _ in range(count)]
        if (n, count) not in self.orders:
            rng = np.random.default_rng((self.seed, n, 0))
            self.orders[n, count] = [rng.permutation(n) for _ in range(count)]
        return self.orders[n, count]


def _rows_of(side: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: x[rows] for name, x in side.items()}


def _choice(name: str, options: Mapping[str, Any], own: Mapping[str, Any], sides: _Sides) -> Choice:
    """What is asked for, with what all measures have in place of what is not."""
    if stray := set(own) - set(Choice._fields):
        raise ValueError(f"plan[{name!r}] has {', '.join(map(repr, sorted(stray)))}; it can have n_objects, "
                         "n_permutations and null")  # fmt: skip
    null = own.get("null", "shuffles")
    if null not in NULLS:
        raise ValueError(f"plan[{name!r}] has null {null!r}; it must be one of {', '.join(map(repr, NULLS))}")
    n = check_count(own.get("n_objects", sides.n), f"plan[{name!r}]['n_objects']", least=2, most=sides.n)
    if null == "closed form":
        from helpers.similarity._closed_forms import closed_forms_of, largest_number_of_objects

        if closed_forms_of(MEASURES[name], options) is None:
            raise ValueError(f"plan[{name!r}] has null 'closed form', which is not known for it")
        most = largest_number_of_objects(MEASURES[name], options)
        if n > most:
            raise ValueError(f"plan[{name!r}] has {n} objects; its closed form is computed of at most {most}")
        return Choice(n, 0, null)
    least = 3 if null == "fitted" else 1
    count = own.get("n_permutations", sides.n_permutations)
    return Choice(n, check_count(count, f"plan[{name!r}]['n_permutations']", least=least), null)


def _in_turn(
    given: dict[str, Choice],
    plan: Mapping[str, Any],
    bound: Mapping[str, Mapping[str, Any]],
    sides: _Sides,
    pairs: Mapping[str, list[tuple[str, str]]],
    budget: float | None,
) -> Iterator[tuple[str, Choice]]:
    """The measures, each when its turn comes, with what it is given."""
    began = time.perf_counter()
    yield from ((name, choice) for name, choice in given.items() if budget is None or name in plan)
    waiting = [name for name in given if name not in plan]
    if budget is None or not waiting:
        return
    counts = {name: len(pairs[name]) for name in waiting}
    planner = Planner({name: bound[name] for name in waiting}, sides.lefts, sides.rights, counts, sides.n_permutations)
    while waiting:
        name, choice = planner.next(waiting, CAREFUL * ((1 - RESERVE) * budget - (time.perf_counter() - began)))
        waiting.remove(name)
        yield name, choice


def _of_measure(
    measure: Measure,
    options: Mapping[str, Any],
    pairs: list[tuple[str, str]],
    choice: Choice,
    sides: _Sides,
    memory: int,
    bar: Progress,
    confidence_level: float,
    rate: str,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of one measure, and its best pair."""
    lefts, rights = sides.of(choice.n_objects)
    if choice.null == "closed form":
        chance = _closed(measure, options, lefts, rights, pairs, memory, confidence_level, sides.kept)
    else:
        n, count, fitted = choice.n_objects, choice.n_permutations, choice.null == "fitted"
        orders = sides.shuffled(n, count)
        apart = (lambda pair: sides.shuffled(n, count, pair)) if fitted else None
        found = _values(measure, options, lefts, rights, pairs, orders, memory, bar, sides.kept, apart)
        chance = (_fitted if fitted else _shares)(measure, *found, confidence_level)
    return _calibrated(measure, pairs, chance, choice, rate)


def _entries(representations: Any, argument: str) -> dict[Any, Any]:
    """What is given, by name or number."""
    if not isinstance(representations, Mapping):
        if hasattr(representations, "shape"):
            raise TypeError(f"{argument} is one matrix; a mapping from names to matrices, or a list of them, is needed")
        representations = dict(enumerate(representations))
    if not representations:
        raise ValueError(f"{argument} is empty; at least one representation is needed")
    names = [str(name) for name in representations]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{argument} has two names that are written {twice[0]!r}; each needs one of its own")
    return dict(representations)


def _named(entries: Mapping[Any, Any], argument: str) -> dict[str, np.ndarray]:
    """Checked matrices by name."""
    return {str(name): to_numpy(as_matrix(x, f"{argument}[{name!r}]")) for name, x in entries.items()}


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
    kept: dict[Any, Any],
    apart: Callable[[int], list[np.ndarray]] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of the pairs, (pairs,), those to be tested, and under shuffling, (orders, pairs).

    ``apart`` gives orders of one pair alone. Of objects that are equally near, lists of neighbours have those in front.
    Both representations have the same in front, as long as the objects of neither are shuffled: what is tested and its
    shuffles see the objects of the right side in a drawn order, in which other ones are in front.
    """
    from threadpoolctl import threadpool_limits

    from helpers.similarity._shuffling import BY_NEAREST, DOUBLE, has_ties, shuffling_of

    way, n = shuffling_of(measure, options, kept), len(orders[0])
    column = {pair: number for number, pair in enumerate(pairs)}
    values, null = np.empty(len(pairs)), np.empty((len(orders), len(pairs)))
    tested = np.empty(len(pairs))
    drawn = np.random.default_rng(n).permutation(n)
    back = np.argsort(drawn)

    def right_side(name: str) -> tuple[Any, Any, np.ndarray | None]:
        """The right side as it is, as it is tested, and where its objects are then."""
        x = rights[name]
        state = way.right(x, name)
        if measure.name in BY_NEAREST and has_ties(x, options):
            return state, way.right(x[drawn], name), back
        return state, state, None

    states: dict[str, Any] = {}
    at_once = max(1, memory // (n * n * (8 if n <= DOUBLE else 4)) - 1) if way.dense else len(lefts)
    threads = min(available_threads(), len(orders))
    with (
        threadpool_limits(1 if threads > 1 else None, user_api="blas"),
        ThreadPoolExecutor(threads) as pool,
        ThreadPoolExecutor(min(threads, PREPARED)) as few,
    ):
        for start in range(0, len(lefts), at_once):
            group = [name for name in list(lefts)[start : start + at_once] if any(a == name for a, _ in pairs)]
            needed = [right for right in rights if any((name, right) in column for name in group)]
            # Several sides at a time where they are small.
            prepare = map if way.dense or way.wide else few.map
            states = dict(zip(group, prepare(lambda name: way.left(lefts[name], name), group), strict=True))
            for right, (given, state, at) in zip(needed, prepare(right_side, needed), strict=True):
                chosen = [name for name in group if (name, right) in column]
                own = [states[name] for name in chosen]
                columns = [column[name, right] for name in chosen]
                try:
                    values[columns] = way.values(own, given, None)
                    tested[columns] = values[columns] if at is None else way.values(own, state, at)
                    shared = [orders] * len(columns) if apart is None else [apart(column) for column in columns]
                    placed = [[order if at is None else at[order] for order in each] for each in shared]
                    if apart is None:
                        found = pool.map(lambda order, own=own, state=state: way.values(own, state, order), placed[0])
                        null[:, columns] = np.array(list(found))
                    else:
                        each = [(one, order) for one, its in zip(own, placed, strict=True) for order in its]
                        found = pool.map(lambda of, state=state: way.values([of[0]], state, of[1])[0], each)
                        null[:, columns] = np.reshape(list(found), (len(columns), -1)).T
                except (ValueError, TypeError) as error:
                    of = f"{', '.join(chosen)} and {right}"
                    raise type(error)(f"{measure.name} of {of}: {error}") from error
                bar.advance(len(chosen) / len(lefts))
    return values, tested, null


class _Chance(NamedTuple):
    """Of one measure, by pair; "alike" means larger for similarities and smaller for distances."""

    values: np.ndarray
    tested: np.ndarray
    mean: np.ndarray
    p: np.ndarray
    p_max: np.ndarray
    threshold: np.ndarray  # of what is alike: minus the value of a distance
    most: float  # mean over the shuffles of the most similar pair


def _shares(
    measure: Measure, values: np.ndarray, tested: np.ndarray, null: np.ndarray, confidence_level: float
) -> _Chance:
    """Shares of the shuffles."""
    sign = _sign(measure)
    alike, shuffled = sign * tested, sign * null
    reached, most, count = _reached(alike), shuffled.max(axis=1), 1 + len(null)
    p = (1 + (shuffled >= reached).sum(axis=0)) / count
    p_max = (1 + (most[:, None] >= reached[None, :]).sum(axis=0)) / count
    threshold = np.quantile(np.vstack([shuffled, alike]), confidence_level, axis=0)
    return _Chance(values, tested, null.mean(axis=0), p, p_max, threshold, float(sign * most.mean()))


def _fitted(
    measure: Measure, values: np.ndarray, tested: np.ndarray, null: np.ndarray, confidence_level: float
) -> _Chance:
    """Distributions with the moments of the shuffles, which every pair has of its own."""
    from scipy.stats import pearson3, t

    sign, count = _sign(measure), len(null)
    alike, shuffled = sign * tested, sign * null
    mean, variance = shuffled.mean(axis=0), shuffled.var(axis=0, ddof=1)
    varied = variance > (1e-9 * np.maximum(np.abs(mean), 1e-9)) ** 2
    standard = ((shuffled - mean) / np.sqrt(np.where(varied, variance, 1.0)))[:, varied]
    moderated, degrees = _moderated(variance[varied], count - 1)
    variance[varied] = moderated
    scale = np.sqrt(np.where(varied, variance, 1.0) * (1 + 1 / count))
    # The third moment of samples of so many, over that of one of which the mean was known.
    skewness = float(np.mean(standard**3)) * count**2 / ((count - 1) * (count - 2)) if varied.any() else 0.0
    skewness = skewness if abs(skewness) > 1e-6 else 1e-6
    beyond = (alike - mean) / scale
    p = np.maximum(t.sf(beyond, degrees), pearson3.sf(beyond, skewness))
    shares = (1 + (shuffled >= _reached(alike)).sum(axis=0)) / (1 + count)
    p = np.where(varied, np.clip(p, 0.0, 1.0), shares)
    limit = max(float(t.ppf(confidence_level, degrees)), float(pearson3.ppf(confidence_level, skewness)))
    threshold = np.where(varied, mean + limit * scale, mean)
    return _Chance(values, tested, sign * mean, p, np.minimum(len(p) * p, 1.0), threshold, math.nan)


def _moderated(variances: np.ndarray, degrees: int) -> tuple[np.ndarray, float]:
    """Variances of samples drawn towards each other by as much as they are alike (Smyth, 2004), and their degrees."""
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    if len(variances) < 3:
        return variances, float(degrees)
    logs = np.log(variances) - digamma(degrees / 2) + math.log(degrees / 2)
    spread = float(logs.var(ddof=1) - polygamma(1, degrees / 2))
    if spread <= polygamma(1, MANY / 2):
        prior = float(MANY)
    else:
        prior = 2 * brentq(lambda half: polygamma(1, half) - spread, 1e-3, MANY)
    common = math.exp(float(logs.mean()) + digamma(prior / 2) - math.log(prior / 2))
    # No more than all samples together have.
    total = min(prior + degrees, float(degrees * len(variances)))
    return (prior * common + degrees * variances) / (prior + degrees), total


def _closed(
    measure: Measure,
    options: Mapping[str, Any],
    lefts: dict[str, np.ndarray],
    rights: dict[str, np.ndarray],
    pairs: list[tuple[str, str]],
    memory: int,
    confidence_level: float,
    kept: dict[Any, Any],
) -> _Chance:
    """Distributions with the moments over all orders."""
    from helpers.similarity._closed_forms import closed_forms_of

    forms, sign = closed_forms_of(measure, options, kept), _sign(measure)
    levels = np.append((np.arange(MIDPOINTS) + 0.5) / MIDPOINTS, confidence_level)
    values, p, mean, threshold = (np.empty(len(pairs)) for _ in range(4))
    try:
        found = forms.results(lefts, rights, pairs, memory)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{measure.name}: {error}") from error
    for number, (t, value, null, finish) in enumerate(found):
        values[number], p[number] = value, null.p(t)
        *under, limit = (finish(each) for each in null.quantiles(levels))
        mean[number], threshold[number] = np.mean(under), sign * limit
    return _Chance(values, values, mean, p, np.minimum(len(p) * p, 1.0), threshold, math.nan)


def _sign(measure: Measure) -> int:
    return 1 if measure.orientation == "similarity" else -1


def _reached(alike: np.ndarray) -> np.ndarray:
    """What differs by rounding alone is equal."""
    return alike - 1e-6 * np.maximum(np.abs(alike), 1e-9)


def _calibrated(
    measure: Measure, pairs: list[tuple[str, str]], of: _Chance, choice: Choice, rate: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of one measure, and its best pair."""
    import pandas as pd
    from scipy.stats import false_discovery_control

    alike = _sign(measure) * of.tested
    room = (1.0 if measure.orientation == "similarity" else 0.0) - of.threshold
    beyond = np.where(room > 0, (alike - of.threshold) / np.where(room > 0, room, 1.0), 0.0)
    table = pd.DataFrame(
        {
            "measure": measure.name,
            "x": [a for a, _ in pairs],
            "y": [b for _, b in pairs],
            "value": of.values,
            "orientation": measure.orientation,
            "chance": of.mean,
            "p": of.p,
            "p_fdr": false_discovery_control(of.p, method=rate),
            "p_max": of.p_max,
            "calibrated": np.where(of.p < 1, np.maximum(beyond, 0.0), 0.0),
            "n": choice.n_objects,
            "null": choice.null,
        }
    )
    at = int(np.argmax(alike))
    best = {
        "x": pairs[at][0],
        "y": pairs[at][1],
        "value": float(of.values[at]),
        "chance": of.most,
        "p": float(of.p_max[at]),
    }
    return table, best
