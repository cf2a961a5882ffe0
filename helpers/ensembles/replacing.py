"""Replacement: one representation keeps its width and gives its least useful coordinates to others."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, check_number, integer_seed
from helpers.ensembles.arguments import as_quality
from helpers.ensembles.base import Ensemble
from helpers.ensembles.projection import Normalizer
from helpers.ensembles.representations import Representations
from helpers.similarity.cka import cka

__all__ = ["SCHEDULES", "GreedyReplacement", "QualityReplacement", "importances"]

GAINS = ("complement", "inverse")

SCHEDULES: dict[str, Callable[[int], float]] = {
    "constant": lambda step: 1.0,
    "harmonic": lambda step: 1 / step,
    "halving": lambda step: 2.0 ** (1 - step),
}
"""What a step, from 1, multiplies the share by that it may replace."""


class _Replacement(Ensemble):
    """The steps that both replacements share; subclasses score candidates and rate coordinates."""

    def fit(self, representations: Any, y: Any = None, *, quality: Any = None, similarity: Any = None) -> _Replacement:
        """Choose the start and carry out the steps; ``similarity`` is not used.

        Raises
        ------
        TypeError, ValueError
            If there is only one representation, one is constant or not finite, labels or qualities do not fit, or a
            parameter is out of range; the message names what and where.
        """
        representations = Representations(representations)
        self._check_parameters()
        names = representations.names
        if len(names) < 2:
            raise ValueError(f"representations holds only {names[0]!r}; at least two are needed to replace coordinates")
        if len(representations) < 2:
            raise ValueError("representations has 1 row; CKA needs at least 2")
        self._remember(representations)
        blocks = self._scaled(representations)
        y = self._labels(y, len(representations))
        start, rate = self._prepare(representations, y, quality)
        origins, rows = _steps(blocks, start, rate, self._worth(y), self._share, self._limit(), self.gain)
        self._steps = {key: [row[key] for row in rows] for key in ("index", "cka", "gain", "score", "replaced")}
        self._history = np.array(origins)
        self.normalizer_, self.axes_ = Normalizer(None, {}, {}), None
        self.fitted_on_ = {"rows": len(representations), "digest": representations.digest(range(len(names)))}
        return self._settle()

    def up_to(self, steps: int) -> _Replacement:
        """A fitted copy that stops after so many steps: what ``fit`` with this ``steps`` would have given.

        Raises
        ------
        TypeError, ValueError
            If ``steps`` is no whole number between 0 (the start alone) and ``len(steps_)``.
        """
        check_is_fitted(self, "mixing_")
        done = len(self._steps["index"])
        check_count(steps, "steps", least=0, most=done, why=f"({done} were carried out)")
        twin = copy.copy(self)
        twin.steps = steps
        twin._steps = {key: column[:steps] for key, column in self._steps.items()}
        twin._history = self._history[: steps + 1]
        return twin._settle()

    @property
    def steps_(self) -> Any:
        check_is_fitted(self, "mixing_")
        import pandas as pd

        table = pd.DataFrame(self._steps, index=pd.RangeIndex(1, len(self._steps["index"]) + 1, name="step"))
        candidates = [self.names_[i] for i in table.pop("index")]
        table.insert(0, "candidate", candidates)
        return table.astype({"cka": float, "gain": float, "score": float, "replaced": int})

    @property
    def origins_(self) -> Any:
        check_is_fitted(self, "mixing_")
        import pandas as pd

        which, coordinate = self._history[-1].T
        names = [self.names_[i] for i in which]
        index = pd.RangeIndex(len(names), name="position")
        return pd.DataFrame({"representation": names, "coordinate": coordinate}, index=index)

    @property
    def start_(self) -> str:
        check_is_fitted(self, "mixing_")
        return self.names_[self._history[0, 0, 0]]

    def _settle(self) -> _Replacement:
        """Weights and width that follow from where the coordinates come from."""
        which = self._history[-1, :, 0]
        self._weights = np.bincount(which, minlength=len(self.names_)) / len(which)
        self.mixing_, self._n_features_out = self._weights[None], len(which)
        return self

    def _scaled(self, representations: Representations) -> list[np.ndarray]:
        """Every representation centred, and divided by one number that makes the mean variance of its features 1."""
        blocks = []
        self.means_, self.scales_ = [], np.ones(len(representations.names))
        for i, name in enumerate(representations.names):
            block = representations.block(i).astype(np.float64)
            constant = np.all(block == block[0], axis=0)
            mean = np.where(constant, block[0], block.mean(axis=0))
            block = block - mean
            self.scales_[i] = np.sqrt(np.mean(block * block))
            if constant.all():
                raise ValueError(f"representation {name!r} is constant over the {len(block)} rows; it has no CKA")
            blocks.append(block / self.scales_[i])
            self.means_.append(mean)
        return blocks

    def _limit(self) -> int:
        others = len(self.names_) - 1
        return others if self.steps is None else min(self.steps, others)

    def _share(self, score: float, step: int) -> float:
        """The share of the width that a step replaces."""
        weight = SCHEDULES[self.schedule] if isinstance(self.schedule, str) else self.schedule
        value = weight(step)
        if not (np.isscalar(value) and np.isfinite(value) and value >= 0):
            raise ValueError(f"schedule gave {value!r} for step {step}; a finite number of at least 0 is needed")
        product = score * float(value)
        return self.p * (min(product, 1.0) if self.capped else product)

    def _labels(self, y: Any, n: int) -> np.ndarray | None:
        return None

    def _prepare(self, representations: Representations, y: Any, quality: Any) -> tuple[int, Callable]:
        """The index of the start, and a function from indices and gains to scores."""
        raise NotImplementedError

    def _worth(self, y: Any) -> Callable[[np.ndarray], np.ndarray]:
        """A function from a representation to the worth of each coordinate."""
        return lambda x: x.var(axis=0)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number(self.p, "p", lambda p: 0 < p <= 1, "a number above 0 and at most 1")
        if self.gain not in GAINS:
            raise ValueError(f"gain is {self.gain!r}; it must be one of {GAINS}")
        if not callable(self.schedule) and self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; it is one of {', '.join(SCHEDULES)}, or a function")
        if not isinstance(self.capped, (bool, np.bool_)):
            raise TypeError(f"capped is {self.capped!r}; it is True or False")
        if self.steps is not None:
            check_count(self.steps, "steps", least=0)

    def _mixed(self, representations, start, stop, columns):
        which, coordinate = self._history[-1].T
        dtype = np.result_type(*(representations.block(column, 0, 0) for column in columns.values()))
        out = np.empty((stop - start, len(which)), dtype)
        for i, column in columns.items():
            at = np.flatnonzero(which == i)
            block = representations.block(column, start, stop)[:, coordinate[at]]
            out[:, at] = (block - self.means_[i][coordinate[at]]) / self.scales_[i]
        return out


class GreedyReplacement(_Replacement):
    r"""One representation keeps its width and gives coordinates of least variance to the least similar others.

    No label is seen. The *current* representation is at first the one of highest RankMe; N is its width. Then, again
    and again: the candidate of least CKA with the current one is taken, and its
    :math:`\lfloor N\,p \min(1, g\,w_t) \rfloor` coordinates of highest variance take the places of the current one's
    coordinates of lowest variance, where g is the gain of the candidate and :math:`w_t` the weight of step t.

    Parameters
    ----------
    p
        Largest share of the width, in (0, 1], that one step may replace.
    gain
        ``"complement"``: g = 1 - CKA, in [0, 1]. ``"inverse"``: g = 1 / CKA, which is at least 1, so that with a
        constant schedule every step replaces a share p.
    schedule
        Weight :math:`w_t` of step t = 1, 2, …: ``"constant"``, 1; ``"harmonic"``, 1 / t; ``"halving"``, 2^(1 - t); or a
        function of t that gives a number of at least 0. It does not depend on how many steps are taken.
    capped
        Whether p caps the share. False: :math:`\lfloor N\,p\,g\,w_t \rfloor`, so that with the inverse gain a
        candidate that has little in common with the current one replaces everything.
    steps
        Maximum number of steps; ``None`` for as many as there are other representations, 0 for the start alone.
        Candidates for this choice come from :meth:`up_to` without a new fit.
    start
        What the first one is highest in: a quality without labels of :mod:`helpers.quality` by name, or a function
        ``f(x, None) -> float``. ``"rankme"`` is the source's; ``"agreement"``, the mean CKA with all others, ranked
        encoders of clients best in this book.

    Attributes
    ----------
    steps_ : DataFrame
        One row for each step: ``candidate``, its ``cka`` with the representation as it was then, ``gain``, ``score``
        (here the gain), and how many coordinates were ``replaced``.
    origins_ : DataFrame
        One row for each position of the result: the ``representation`` and the ``coordinate`` in it.
    start_ : str
    weights_ : Series
        The share of the positions that each representation has.
    means_, scales_ : list of ndarray, ndarray
        Mean and scale of each feature of each representation; the result at a position is (x - mean) / scale of its
        origin.

    Raises
    ------
    TypeError, ValueError
        In ``fit``: if there is one representation only, one is constant or not finite, or a parameter is out of range.

    Notes
    -----
    What the source leaves open is decided so. *Scale*: variances of different models cannot be compared as they are,
    and if each coordinate were standardised all would be equal; so each representation is centred and divided by one
    number, the root of the mean variance of its features, before anything else. CKA does not change by it. *Pool*: each
    candidate is taken once. *Places*: the highest coordinate of the candidate goes where the lowest was; of equal ones
    the first in order; coordinates that came in earlier may leave again; a coordinate that is constant never comes in.
    *Stop*: when the pool is empty, after ``steps``, or when a step would replace nothing (recorded with 0), for then
    no other candidate would either. At most as many coordinates are replaced as the candidate and the current one have.
    *How many*: the source has the product N p g with the inverse of CKA as gain, and calls p the largest share; both
    can be had, and p caps by default.

    The result is a choice of columns, each shifted and scaled; float32 stays float32. Fit: O(L² n N²) time, n Σp
    numbers of memory. Popov (2025), master's thesis, HSE University, section 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import GreedyReplacement
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.normal(size=(2, 200, 4)) * [1.0, 0.1, 1.0, 1.0]
    >>> fitted = GreedyReplacement(p=0.5).fit({"first": first, "second": second * [1.0, 1.0, 9.0, 1.0]})
    >>> fitted.start_, fitted.steps_["replaced"].tolist()
    ('first', [1])
    >>> fitted.origins_["representation"].tolist()
    ['first', 'second', 'first', 'first']
    """

    def __init__(
        self,
        p: float = 0.2,
        *,
        gain: str = "complement",
        schedule: Any = "constant",
        capped: bool = True,
        steps: int | None = None,
        start: Any = "rankme",
    ):
        self.p = p
        self.gain = gain
        self.schedule = schedule
        self.capped = capped
        self.steps = steps
        self.start = start

    def _prepare(self, representations, y, quality):
        values = as_quality(self.start, representations, None)
        return int(np.argmax(values)), lambda left, gains: gains


class QualityReplacement(_Replacement):
    r"""One representation keeps its width and gives its least important coordinates to good and different others.

    The current representation is at first the one of highest quality; N is its width. Then, again and again: the
    candidate of highest score :math:`s = \alpha g + (1 - \alpha) q` is taken, with g its gain over the current
    representation and q its quality, and its :math:`\lfloor N\,p \min(1, s\,w_t) \rfloor` most important coordinates
    take the places of the current one's least important, where :math:`w_t` is the weight of step t.

    Parameters
    ----------
    alpha
        α in [0, 1]: 0 scores by quality alone, 1 by gain alone.
    p, gain, schedule, capped, steps
        Same meaning as in :class:`GreedyReplacement`.
    quality
        Same meaning as in :class:`Ensemble`; for instance accuracies on validation data, given to ``fit``. They are
        taken as they are, so they should be of the size of gains: numbers between 0 and 1.
    importance
        ``"lightgbm"``: the total gain of the splits on a coordinate in boosted trees that learn ``y``; without ``y``
        the variance, as in :class:`GreedyReplacement`. Or ``"variance"``, or a function ``f(x, y)`` that gives one
        finite number for each column of x.
    random_state
        Seed or generator of the trees.

    Attributes
    ----------
    steps_, origins_, start_, weights_, means_, scales_
        Same meaning as in :class:`GreedyReplacement`; ``score`` in ``steps_`` is s.
    quality_ : ndarray of shape (L,)

    Raises
    ------
    TypeError, ValueError
        In ``fit``: in the same cases as :class:`GreedyReplacement`; if there is no quality or it does not fit the
        representations, or ``y`` has another number of rows, is missing somewhere or has one value only.

    Notes
    -----
    What the source leaves open is decided so. *How many*: "from the score and the current step", with p the largest
    share; the score s replaces the gain, and the schedule says what a step is worth, by default as much
    as every other. *Importance*: trees are trained anew on the current representation at
    each step, to find what leaves it, and on the candidate, to find what comes in; coordinates without a split are
    ordered by their variance. Scale, pool, places and stop are as in :class:`GreedyReplacement`.

    ``y`` and the rows are those of ``fit``; the quality must come from data that the final test does not see. α, p and
    ``steps`` are to be chosen on validation data: :func:`helpers.ensembles.select`, or :meth:`up_to` along the steps.
    Fit: two trainings of trees a step (0.1 s each for 1000 rows of 64 features in 4 classes).
    Popov (2025), master's thesis, HSE University, section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import QualityReplacement
    >>> rng = np.random.default_rng(0)
    >>> layers = {"good": rng.normal(size=(50, 4)), "other": rng.normal(size=(50, 3))}
    >>> fitted = QualityReplacement(0.5, p=0.5).fit(layers, quality={"good": 0.7, "other": 0.6})
    >>> fitted.start_, fitted.steps_["replaced"].tolist(), fitted.transform(layers).shape
    ('good', [1], (50, 4))
    """

    def __init__(
        self,
        alpha: float = 0.5,
        p: float = 0.2,
        *,
        gain: str = "complement",
        schedule: Any = "constant",
        capped: bool = True,
        steps: int | None = None,
        quality: Any = None,
        importance: Any = "lightgbm",
        random_state: int = 0,
    ):
        self.alpha = alpha
        self.p = p
        self.gain = gain
        self.schedule = schedule
        self.capped = capped
        self.steps = steps
        self.quality = quality
        self.importance = importance
        self.random_state = random_state

    def _check_parameters(self):
        super()._check_parameters()
        check_number(self.alpha, "alpha", lambda alpha: 0 <= alpha <= 1, "a number from 0 to 1")
        check_count(self.random_state, "seed", least=0)
        if not callable(self.importance) and self.importance not in ("lightgbm", "variance"):
            raise ValueError(f"importance is {self.importance!r}; it must be 'lightgbm', 'variance' or a function")

    def _labels(self, y, n):
        if y is None:
            return None
        import pandas as pd

        values = np.asarray(y)
        if values.shape != (n,):
            raise ValueError(f"y has shape {values.shape}; one label for each of {n} rows is needed")
        missing = np.flatnonzero(pd.isna(values))
        if missing.size:
            raise ValueError(f"y[{missing[0]}] is missing; leave out the rows without a label")
        if len(pd.unique(values)) < 2:
            raise ValueError("y has one value only; nothing can be important for it")
        return values

    def _prepare(self, representations, y, quality):
        q = self._quality(representations, y, quality)
        return int(np.argmax(q)), lambda left, gains: self.alpha * gains + (1 - self.alpha) * q[left]

    def _worth(self, y):
        if callable(self.importance):
            return lambda x: _checked(self.importance(x, y), x.shape[1])
        if self.importance == "variance" or y is None:
            return super()._worth(y)
        return lambda x: importances(x, y, rng=self.random_state)


def importances(x: Any, y: Any, *, trees: int = 50, rng: int | np.random.Generator = 0) -> np.ndarray:
    """How much each coordinate helps boosted trees (LightGBM) to learn ``y``: the total gain of its splits.

    Parameters
    ----------
    x : array_like of shape (n, p)
    y : array_like of shape (n,)
        Numbers with a fractional part are regressed, everything else is classified.
    trees
        Number of trees for each class. They have at most 15 leaves, learning rate 0.1, and see half of the coordinates
        each.
    rng
        Seed or generator of the choice of those halves. One thread and fixed order: the same input gives the same
        numbers.

    Returns
    -------
    ndarray of shape (p,)
        At least 0; 0 for a coordinate without a split.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles.replacing import importances
    >>> x = np.random.default_rng(0).normal(size=(200, 3))
    >>> int(importances(x, x[:, 2] > 0).argmax())
    2
    """
    import lightgbm
    import pandas as pd

    seed = integer_seed(rng)
    x, y = np.ascontiguousarray(x, dtype=np.float64), np.asarray(y)
    numbers = y.dtype.kind == "f" and bool(np.any(y != np.round(y)))
    codes, classes = (y, []) if numbers else pd.factorize(y, sort=True)
    task = {"objective": "regression"} if numbers else {"objective": "multiclass", "num_class": len(classes)}
    settings = task | {
        "learning_rate": 0.1,
        "num_leaves": 15,
        "min_data_in_leaf": min(20, max(1, len(x) // 10)),
        "feature_fraction": 0.5,
        "max_bin": 63,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(x, codes, params=settings)
    model = lightgbm.train(dict(settings), data, num_boost_round=trees)
    return model.feature_importance("gain").astype(np.float64)


def _steps(
    blocks: list[np.ndarray], start: int, rate: Callable, worth: Callable, share: Callable, limit: int, gain: str
) -> tuple[list[np.ndarray], list[dict]]:
    """Origins (N, 2) before the first and after each step, and a record of each step."""
    current = blocks[start].copy()
    width = current.shape[1]
    origin = np.column_stack([np.full(width, start), np.arange(width)])
    left = [i for i in range(len(blocks)) if i != start]
    origins, rows = [origin], []
    for step in range(1, limit + 1):
        alike = np.array([cka(current, blocks[i]) for i in left])
        gains = 1 - alike if gain == "complement" else 1 / np.maximum(alike, np.finfo(float).tiny)
        scores = rate(left, gains)
        best = int(np.argmax(scores))
        index = left.pop(best)
        candidate = blocks[index]
        varying = int(np.count_nonzero(np.ptp(candidate, axis=0)))
        # Counts that are whole but for rounding are whole.
        count = min(math.floor(min(width * share(float(scores[best]), step), width) + 1e-9), width, varying)
        numbers = zip(("cka", "gain", "score"), (alike, gains, scores), strict=True)
        rows.append({"index": index, "replaced": count} | {name: float(of[best]) for name, of in numbers})
        if count > 0:
            goes, comes = _order(current, worth)[:count], _order(candidate, worth, best_first=True)[:count]
            current[:, goes] = candidate[:, comes]
            origin = origin.copy()
            origin[goes] = np.column_stack([np.full(count, index), comes])
        origins.append(origin)
        if count == 0:
            break
    return origins, rows


def _order(x: np.ndarray, worth: Callable, *, best_first: bool = False) -> np.ndarray:
    """Coordinates by worth, equal ones by variance, then by position; constant ones count as the least."""
    keys = np.array([x.var(axis=0), np.asarray(worth(x)), np.ptp(x, axis=0) > 0], dtype=np.float64)
    return np.lexsort(-keys if best_first else keys)


def _checked(values: Any, size: int) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (size,) or not np.isfinite(values).all():
        raise ValueError(f"importance gave shape {values.shape}; {size} finite numbers, one a column, are needed")
    return values
