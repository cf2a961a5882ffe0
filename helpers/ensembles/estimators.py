"""Ensembles of representations as scikit-learn transformers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count
from helpers.ensembles._qp import Solution, maximise
from helpers.ensembles.arguments import as_lambda, as_quality, as_similarity
from helpers.ensembles.projection import NORMALIZE, Normalizer, principal_axes
from helpers.ensembles.representations import Representations

__all__ = [
    "QP",
    "BestLayer",
    "BestUnsupervised",
    "CentredLast",
    "ClusterPCA",
    "ConcatPCA",
    "Ensemble",
    "Greedy",
    "LastLayer",
    "MaskedQP",
    "MeanOfLastFour",
    "MeanOfLayers",
    "QPSelectionPCA",
    "WhitenedLast",
]


class Ensemble(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""What all ensembles share: L representations of the same n objects become one of shape (n, width).

    Every ensemble is one linear scheme. Each representation :math:`v_i` is normalised; part g of the result is
    :math:`\sum_i C_{gi} v_i`; the parts are concatenated, and some ensembles then project on principal axes. They
    differ in how ``fit`` finds the matrix C (``mixing_``).

    Representations are a mapping from names to arrays (n, p_i), a list of arrays, one array (n, L, p), or
    :class:`Representations`, which scikit-learn can cut into folds. ``transform`` wants the names and widths of ``fit``
    in the same order, all of them or only the ones with a part in the result (``used_``).

    Quality and similarity go to ``fit``, which takes them by name where they have names; ensembles that do not need
    them ignore them. In a ``Pipeline`` or a cross-validation give the constructor a rule instead, so that they are
    computed from the rows of each training fold alone:

    quality
        ``"rankme"``, ``"stable_rank"``, ``"isotropy"`` or a function ``f(x, y) -> float`` (larger is better) of a
        representation and of the ``y`` that ``fit`` received; also the numbers themselves.
    similarity
        ``"cka"`` or another symmetric similarity of :mod:`helpers.similarity`, or a function ``f(x, y) -> float`` of
        two representations; also the matrix itself.

    Both see the representations as they come, before ``normalize``:

    normalize
        ``None`` (default: representations as they are); ``"center"`` takes off the mean of each feature,
        ``"standardize"`` also divides by its standard deviation (a constant feature becomes 0), both learnt in ``fit``;
        ``"unit"`` scales each row to length 1 (a zero row stays).
    align
        Where representations are added: ``None`` demands equal widths, ``"pad"`` fills the narrower with zero features.
    width
        Of a projection: a number, or ``None`` for the width of the widest representation, or for as many directions as
        vary if these are fewer.
    whiten
        Of a projection: 0 leaves the variance of each principal axis, 1 makes all of them 1, between is between:
        axes are scaled by variance ** (-whiten / 2).

    Attributes
    ----------
    weights_ : pandas.Series
        The weight of each representation, by name.
    names_, widths_, used_ : list
        Names and widths in ``fit``, and the names of those that ``transform`` reads.
    mixing_ : ndarray of shape (G, L)
    normalizer_, axes_
        What was learnt from the rows: plain arrays (``axes_`` is None without projection).
    fitted_on_ : dict
        The number of ``rows`` and their ``digest``, see :meth:`Representations.digest`.
    """

    normalize: str | None = None
    align: str | None = None
    _projects = False

    def fit(self, representations: Any, y: Any = None, *, quality: Any = None, similarity: Any = None) -> Ensemble:
        """Find the weights and learn the statistics of the rows; ``y`` is only handed to a quality function.

        Raises
        ------
        TypeError, ValueError
            If the input does not fit together or a parameter is out of range; the message names what and where.
        """
        representations = Representations(representations)
        self._check_parameters()
        weights, mixing = self._mix(representations, y, quality, similarity)
        return self._learn(representations, weights, mixing)

    def transform(self, representations: Any) -> np.ndarray:
        """The combined representation, shape (n, width); float32 if all that it is made of is, else float64."""
        check_is_fitted(self, "mixing_")
        representations = Representations(representations)
        columns = self._columns(representations)
        width = int(self._n_features_out)
        out = None
        for start, stop in representations.starts(sum(self.widths_[i] for i in columns)):
            block = self._mixed(representations, start, stop, columns)
            if self.axes_ is not None:
                block = self.axes_(block)
            out = np.empty((len(representations), width), block.dtype) if out is None else out
            out[start:stop] = block
        return np.empty((0, width)) if out is None else out

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False, digest: str | None = None) -> Path:
        """Write the fitted ensemble to a folder, see :func:`helpers.ensembles.saving.save`."""
        from helpers.ensembles.saving import save

        return save(self, folder, overwrite=overwrite, digest=digest)

    @property
    def weights_(self) -> Any:
        check_is_fitted(self, "mixing_")
        import pandas as pd

        return pd.Series(self._weights, index=pd.Index(self.names_, name="representation"), name="weight")

    @property
    def used_(self) -> list[str]:
        return [self.names_[i] for i in self._used()]

    def _mix(self, representations: Representations, y: Any, quality: Any, similarity: Any) -> tuple:
        """Weights (L,) and mixing matrix (G, L)."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        if self.normalize not in NORMALIZE:
            raise ValueError(f"normalize is {self.normalize!r}; it must be one of {NORMALIZE}")
        if self.align not in (None, "pad"):
            raise ValueError(f"align is {self.align!r}; it must be None or 'pad'")
        if self._projects:
            if self.width is not None:
                check_count(self.width, "width")
            if not isinstance(self.whiten, (int, float)) or not 0 <= self.whiten <= 1:
                raise ValueError(f"whiten is {self.whiten!r}; a number between 0 (not at all) and 1 (fully) is needed")

    def _quality(self, representations: Representations, y: Any, quality: Any) -> np.ndarray:
        quality = self.quality if quality is None else quality
        if quality is None:
            raise ValueError(
                f"{type(self).__name__} needs quality: one number for each of {representations.names} in fit(), or a "
                "rule in the constructor"
            )
        self.quality_ = as_quality(quality, representations, y)
        return self.quality_

    def _similarity(self, representations: Representations, similarity: Any) -> np.ndarray:
        similarity = self.similarity if similarity is None else similarity
        self.similarity_ = as_similarity(similarity, representations)
        return self.similarity_

    def _learn(self, representations: Representations, weights: np.ndarray, mixing: np.ndarray) -> Ensemble:
        self.names_, self.widths_ = list(representations.names), list(representations.widths)
        self._weights, self.mixing_ = np.asarray(weights, np.float64), np.asarray(mixing, np.float64)
        self._part_widths = [self._part_width(part) for part in self.mixing_]
        self.normalizer_ = Normalizer.learn(self.normalize, representations, self._used())
        self.axes_ = None
        size = sum(self._part_widths)
        if self._projects:
            n, columns = len(representations), self._columns(representations)
            available = min(n - 1, size)
            if self.width is not None and self.width > available:
                raise ValueError(
                    f"width is {self.width} but {n} rows of {size} combined features have at most {available} "
                    "principal axes"
                )

            def blocks():
                return (self._mixed(representations, *bounds, columns) for bounds in representations.starts(size))

            most = min(max(self.widths_[i] for i in self._used()), available)
            self.axes_ = principal_axes(blocks, n, size, self.width, most, self.whiten)
            size = self.axes_.components.shape[1]
        self._n_features_out = size
        self.fitted_on_ = {"rows": len(representations), "digest": representations.digest(self._used())}
        return self

    def _used(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.mixing_.any(axis=0))]

    def _part_width(self, part: np.ndarray) -> int:
        members = np.flatnonzero(part)
        widths = [self.widths_[i] for i in members]
        for i, width in zip(members, widths, strict=True):
            if width != widths[0] and self.align is None:
                raise ValueError(
                    f"representation {self.names_[i]!r} is {width} wide and {self.names_[members[0]]!r} {widths[0]}; "
                    "to add them they must be equally wide, or align='pad' fills the narrower with zeros"
                )
        return max(widths)

    def _columns(self, representations: Representations) -> dict[int, int]:
        """For each representation in use its place in ``representations``, whose names and widths are checked."""
        names, used = representations.names, self.used_
        if names != self.names_ and names != used:
            subset = "" if used == self.names_ else f", or only those in use, {used}"
            raise ValueError(f"representations are {names}; expected {self.names_} in this order, as in fit{subset}")
        columns = {i: names.index(self.names_[i]) for i in self._used()}
        for i, column in columns.items():
            if representations.widths[column] != self.widths_[i]:
                raise ValueError(
                    f"representation {self.names_[i]!r} is {representations.widths[column]} wide; "
                    f"expected {self.widths_[i]}, as in fit"
                )
        return columns

    def _mixed(self, representations: Representations, start: int, stop: int, columns: dict[int, int]) -> np.ndarray:
        """Rows ``start`` to ``stop`` of the concatenated parts."""
        dtype = np.result_type(*(representations.block(column, 0, 0) for column in columns.values()))
        out = np.zeros((stop - start, sum(self._part_widths)), dtype)
        lefts = np.cumsum([0, *self._part_widths])
        for i, column in columns.items():
            block = self.normalizer_(i, representations.block(column, start, stop))
            for g in np.flatnonzero(self.mixing_[:, i]):
                out[:, lefts[g] : lefts[g] + self.widths_[i]] += dtype.type(self.mixing_[g, i]) * block
        return out


def _one(index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """All weight on one representation."""
    weights = np.zeros(size)
    weights[index] = 1
    return weights, weights[None]


def _concatenated(coefficients: np.ndarray) -> np.ndarray:
    """One part for each representation with a coefficient other than 0."""
    return np.diag(coefficients)[coefficients != 0]


class LastLayer(Ensemble):
    """The last representation, which for a transformer is what is used by default.

    Parameters
    ----------
    normalize
        See :class:`Ensemble`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import LastLayer
    >>> LastLayer().fit_transform({"first": np.zeros((2, 1)), "last": np.ones((2, 1))}).ravel()
    array([1., 1.])
    """

    def __init__(self, *, normalize: str | None = None):
        self.normalize = normalize

    def _mix(self, representations, y, quality, similarity):
        size = len(representations.names)
        return _one(size - 1, size)


class CentredLast(LastLayer):
    """The last representation less its mean over the rows of ``fit``.

    Mu and Viswanath (2018), All-but-the-top, ICLR, remove the mean (and leading directions) from word vectors.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import CentredLast
    >>> CentredLast().fit([np.array([[1.0], [3.0]])]).transform([np.array([[5.0]])])
    array([[3.]])
    """

    def __init__(self):
        super().__init__(normalize="center")


class WhitenedLast(Ensemble):
    """The last representation on its principal axes, each scaled by variance ** (-whiten / 2).

    Parameters
    ----------
    whiten
        0 centres and rotates; 1 makes the covariance of the rows of ``fit`` the identity.
    width
        See :class:`Ensemble`; small widths drop the directions of least variance.

    Notes
    -----
    Su, Cao, Liu and Ou (2021), Whitening sentence representations for better semantics and faster retrieval.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import WhitenedLast
    >>> x = np.random.default_rng(0).normal(size=(50, 3)) * [1, 2, 3] + 4
    >>> np.allclose(np.cov(WhitenedLast().fit_transform([x]).T), np.eye(3))
    True
    """

    _projects = True

    def __init__(self, whiten: float = 1.0, width: int | None = None):
        self.whiten = whiten
        self.width = width

    _mix = LastLayer._mix


class BestLayer(Ensemble):
    """The one representation of highest quality; the first of several that are equally good.

    Parameters
    ----------
    quality, normalize
        See :class:`Ensemble`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import BestLayer
    >>> layers = {"a": np.zeros((2, 1)), "b": np.ones((2, 1)), "c": np.zeros((2, 1))}
    >>> BestLayer().fit(layers, quality={"a": 0.2, "c": 0.5, "b": 0.7}).used_
    ['b']
    """

    def __init__(self, *, quality: Any = None, normalize: str | None = None):
        self.quality = quality
        self.normalize = normalize

    def _mix(self, representations, y, quality, similarity):
        q = self._quality(representations, y, quality)
        return _one(int(np.argmax(q)), len(q))


class BestUnsupervised(BestLayer):
    """The one representation that is best by a quality without labels, whatever ``fit`` is told about quality.

    Parameters
    ----------
    quality
        ``"rankme"``, ``"stable_rank"``, ``"isotropy"`` or a function ``f(x, y)`` that is given ``y=None``.
    normalize
        See :class:`Ensemble`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import BestUnsupervised
    >>> layers = {"line": np.outer(np.arange(4.0), np.ones(4)), "full": np.eye(4)}
    >>> BestUnsupervised().fit(layers).used_
    ['full']
    """

    def __init__(self, quality: Any = "rankme", *, normalize: str | None = None):
        super().__init__(quality=quality, normalize=normalize)

    def _mix(self, representations, y, quality, similarity):
        return super()._mix(representations, None, None, similarity)


class MeanOfLayers(Ensemble):
    """The mean of all representations, or of the last few.

    Parameters
    ----------
    last
        How many of the last representations; ``None`` for all.
    normalize, align
        See :class:`Ensemble`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import MeanOfLayers
    >>> MeanOfLayers().fit_transform([np.full((1, 2), value) for value in (1.0, 2.0, 6.0)])
    array([[3., 3.]])
    """

    def __init__(self, last: int | None = None, *, normalize: str | None = None, align: str | None = None):
        self.last = last
        self.normalize = normalize
        self.align = align

    def _mix(self, representations, y, quality, similarity):
        size = len(representations.names)
        last = size if self.last is None else check_count(self.last, "last", most=size, why="representations")
        weights = np.zeros(size)
        weights[size - last :] = 1 / last
        return weights, weights[None]


class MeanOfLastFour(MeanOfLayers):
    """The mean of the last four representations: :class:`MeanOfLayers` with ``last=4``.

    Devlin, Chang, Lee and Toutanova (2019), BERT, NAACL, add or concatenate the last four layers as fixed features.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import MeanOfLastFour
    >>> MeanOfLastFour().fit_transform([np.full((1, 1), float(value)) for value in range(6)])
    array([[3.5]])
    """

    def __init__(self, last: int = 4, *, normalize: str | None = None, align: str | None = None):
        super().__init__(last, normalize=normalize, align=align)


class ConcatPCA(Ensemble):
    """All representations side by side, projected on their principal axes.

    Parameters
    ----------
    width, whiten, normalize
        See :class:`Ensemble`.

    Notes
    -----
    With P features in all: O(n P²) for the covariance, in blocks of rows, and O(P³) for its axes; P² numbers of memory
    twice. If n ≤ P, O(n² P) and n P numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import ConcatPCA
    >>> rng = np.random.default_rng(0)
    >>> ConcatPCA(width=2).fit_transform([rng.normal(size=(9, 3)), rng.normal(size=(9, 2))]).shape
    (9, 2)
    """

    _projects = True

    def __init__(self, width: int | None = None, *, whiten: float = 0.0, normalize: str | None = None):
        self.width = width
        self.whiten = whiten
        self.normalize = normalize

    def _mix(self, representations, y, quality, similarity):
        size = len(representations.names)
        return np.full(size, 1 / size), np.eye(size)


class _Penalised(Ensemble):
    """Ensembles whose weights trade quality for similarity at the rate ``lam``."""

    def lambda_path(self, lambdas: Any = None) -> Any:
        """Weights as λ grows: a ``DataFrame`` with one row for each λ, one column for each representation.

        ``lambdas`` are the λ to try; by default 0 and 81 values from 0.01 to 100 times the range of the qualities,
        equally spaced in the logarithm (from 0.01 to 100 if all qualities are equal).
        """
        check_is_fitted(self, "quality_")
        import pandas as pd

        if lambdas is None:
            lambdas = np.r_[0, np.geomspace(0.01, 100, 81) * (np.ptp(self.quality_) or 1)]
        lambdas = [as_lambda(lam) for lam in np.asarray(lambdas, dtype=np.float64)]
        rows = [self._weights_at(self.quality_, self.similarity_, lam) for lam in lambdas]
        return pd.DataFrame(
            rows, index=pd.Index(lambdas, name="lam"), columns=pd.Index(self.names_, name="representation")
        )

    def _weights_at(self, q: np.ndarray, s: np.ndarray, lam: float) -> np.ndarray:
        raise NotImplementedError

    def _qualities_and_similarities(self, representations, y, quality, similarity):
        q = self._quality(representations, y, quality)
        return q, self._similarity(representations, similarity)


class QP(_Penalised):
    r"""A weighted sum whose weights maximise :math:`q^\top w - \lambda\,w^\top S w` over w ≥ 0, Σw = 1.

    Quality draws weight to good representations, the quadratic form away from several that say the same.

    Parameters
    ----------
    lam
        λ ≥ 0. At 0 all weight is on the best representation. Qualities of layers differ by about 0.1 and similarities
        by a few times as much: the default weighs the two about alike; choose it by :func:`select` on validation data.
    quality, similarity, normalize, align
        See :class:`Ensemble`. S may be any symmetric matrix.

    Attributes
    ----------
    value_ : float
        The maximum.
    gap_ : float
        Proven: no weights are better by more than this. Rounding where the problem is concave (S positive semidefinite
        on sum-zero vectors, as CKA is); about 1e-6 of the range of its entries where it is not, up to 32
        representations; beyond that, the distance to a relaxed problem.
    concave_ : bool

    Notes
    -----
    Concave: active set, O(L³) a step. Not concave: branch and bound, seconds at L = 32. See
    :func:`helpers.ensembles.maximise` for the method and its sources.

    Examples
    --------
    Two copies share the weight of one; the third is as good and different:

    >>> import numpy as np
    >>> from helpers.ensembles import QP
    >>> layers = {"a": np.ones((2, 1)), "copy of a": np.ones((2, 1)), "b": np.zeros((2, 1))}
    >>> s = np.array([[1.0, 1.0, 0.2], [1.0, 1.0, 0.2], [0.2, 0.2, 1.0]])
    >>> w = QP(lam=1).fit(layers, quality=[0.6, 0.6, 0.6], similarity=s).weights_
    >>> float(round(w["a"] + w["copy of a"], 9)), float(round(w["b"], 9))
    (0.5, 0.5)
    """

    def __init__(
        self,
        lam: float = 0.1,
        *,
        quality: Any = None,
        similarity: Any = "cka",
        normalize: str | None = None,
        align: str | None = None,
    ):
        self.lam = lam
        self.quality = quality
        self.similarity = similarity
        self.normalize = normalize
        self.align = align

    def _mix(self, representations, y, quality, similarity):
        weights = self._solve(representations, y, quality, similarity)
        return weights, weights[None]

    def _solve(self, representations, y, quality, similarity) -> np.ndarray:
        lam = as_lambda(self.lam)
        q, s = self._qualities_and_similarities(representations, y, quality, similarity)
        solution = self._solution(q, s, lam)
        self.value_, self.gap_, self.concave_ = solution.value, solution.gap, solution.concave
        return solution.weights

    def _solution(self, q: np.ndarray, s: np.ndarray, lam: float) -> Solution:
        return maximise(q, s, lam)

    def _weights_at(self, q, s, lam):
        return self._solution(q, s, lam).weights


class MaskedQP(QP):
    r"""A weighted sum with only the likeness to *better* representations penalised.

    Maximises :math:`q^\top w - \lambda\,w^\top A w` over w ≥ 0, Σw = 1, with A_ij = S_ij if q_i < q_j, else 0.

    Only (A + Aᵀ)/2 matters, so the mask halves S off the diagonal and clears the diagonal, whatever the order of the
    qualities; only ties differ. With similarities ≥ 0 the penalty is 0 at every single representation, so the *global*
    maximum is always the best one: :class:`BestLayer`. A local solver that starts from equal weights need not see it.

    Parameters
    ----------
    lam, quality, similarity, normalize, align
        As :class:`QP`.
    solver
        ``"global"``, or ``"slsqp"``: the local maximum that SciPy's sequential least squares reaches from equal weights
        (``gap_`` then says by how much it may be missed).
    diagonal
        Keep A_ii = S_ii, which makes the problem concave for positive semidefinite S and distinct qualities.

    Attributes
    ----------
    value_, gap_, concave_
        As :class:`QP`.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import MaskedQP
    >>> layers = {"a": np.zeros((2, 1)), "b": np.ones((2, 1))}
    >>> s = np.array([[1.0, 0.5], [0.5, 1.0]])
    >>> MaskedQP(lam=10).fit(layers, quality=[0.6, 0.7], similarity=s).weights_.tolist()
    [0.0, 1.0]
    >>> MaskedQP(lam=10, diagonal=True).fit(layers, quality=[0.6, 0.7], similarity=s).weights_.round(3).tolist()
    [0.497, 0.503]
    """

    def __init__(
        self,
        lam: float = 0.1,
        *,
        solver: str = "global",
        diagonal: bool = False,
        quality: Any = None,
        similarity: Any = "cka",
        normalize: str | None = None,
        align: str | None = None,
    ):
        super().__init__(lam, quality=quality, similarity=similarity, normalize=normalize, align=align)
        self.solver = solver
        self.diagonal = diagonal

    def _check_parameters(self):
        super()._check_parameters()
        if self.solver not in ("global", "slsqp"):
            raise ValueError(f"solver is {self.solver!r}; it must be 'global' or 'slsqp'")

    def _solution(self, q, s, lam):
        keep = q[:, None] < q[None, :]
        masked = np.where(keep | np.eye(len(q), dtype=bool) if self.diagonal else keep, s, 0)
        best = maximise(q, masked, lam)
        return best if self.solver == "global" else _local(q, masked, lam, best)


def _local(q: np.ndarray, a: np.ndarray, lam: float, best: Solution) -> Solution:
    """What SLSQP finds from equal weights, with the bound of the global solution."""
    from scipy.optimize import minimize

    size, both = len(q), a + a.T
    result = minimize(
        lambda w: lam * w @ a @ w - q @ w,
        np.full(size, 1 / size),
        jac=lambda w: lam * both @ w - q,
        bounds=[(0, 1)] * size,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.maximum(result.x, 0) / np.maximum(result.x, 0).sum()
    return Solution(weights, float(q @ weights - lam * weights @ a @ weights), best.bound, best.concave)


class QPSelectionPCA(QP):
    r"""The representations that :class:`QP` keeps, each times :math:`\sqrt{w_i}`, projected on their principal axes.

    Parameters
    ----------
    lam, quality, similarity, normalize, align
        As :class:`QP`.
    width, whiten
        See :class:`Ensemble`.
    epsilon
        Weights below it become 0; the others stay as they are.
    combine
        ``"concat"``: scaled representations side by side; ``"sum"``: added, which needs equal widths.

    Attributes
    ----------
    value_, gap_, concave_
        As :class:`QP`, before the selection.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import QPSelectionPCA
    >>> rng = np.random.default_rng(0)
    >>> layers = {name: rng.normal(size=(20, 4)) for name in "abc"}
    >>> fitted = QPSelectionPCA(lam=0.1, width=3).fit(layers, quality=[0.9, 0.9, 0.1], similarity=np.eye(3))
    >>> fitted.weights_.round(6).tolist(), fitted.transform(layers).shape
    ([0.5, 0.5, 0.0], (20, 3))
    """

    _projects = True

    def __init__(
        self,
        lam: float = 0.1,
        width: int | None = None,
        *,
        epsilon: float = 1e-3,
        combine: str = "concat",
        whiten: float = 0.0,
        quality: Any = None,
        similarity: Any = "cka",
        normalize: str | None = None,
        align: str | None = None,
    ):
        super().__init__(lam, quality=quality, similarity=similarity, normalize=normalize, align=align)
        self.width = width
        self.epsilon = epsilon
        self.combine = combine
        self.whiten = whiten

    def _check_parameters(self):
        super()._check_parameters()
        if self.combine not in ("concat", "sum"):
            raise ValueError(f"combine is {self.combine!r}; it must be 'concat' or 'sum'")
        if not isinstance(self.epsilon, (int, float)) or not 0 <= self.epsilon < 1:
            raise ValueError(f"epsilon is {self.epsilon!r}; a weight of at least 0 and below 1 is needed")

    def _mix(self, representations, y, quality, similarity):
        weights = self._solve(representations, y, quality, similarity)
        if weights.max() < self.epsilon:
            raise ValueError(
                f"all weights are below epsilon = {self.epsilon:g} (the largest is {weights.max():.3g}); nothing is "
                "left to combine: lower epsilon or lam"
            )
        weights = np.where(weights < self.epsilon, 0, weights)
        roots = np.sqrt(weights)
        return weights, roots[None] if self.combine == "sum" else _concatenated(roots)


class ClusterPCA(QP):
    r"""Groups of alike representations: the mean of each times the root of its mean weight, side by side, then PCA.

    Parameters
    ----------
    n_clusters
        K, from 1 to L.
    lam, quality, similarity, normalize, align
        As :class:`QP`, whose weights are used. Without quality all weights are equal.
    width, whiten
        See :class:`Ensemble`.
    linkage
        ``"average"``, ``"complete"`` or ``"single"``, of the distances (S_ii + S_jj) / 2 - S_ij, which are 1 - S_ij for
        similarities with S_ii = 1 (negative ones count as 0).

    Attributes
    ----------
    groups_ : ndarray of int, shape (L,)
        The group of each representation, numbered in order of appearance. A group without weight has no part.
    linkage_ : ndarray of shape (L - 1, 4)
        For ``scipy.cluster.hierarchy.dendrogram``.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import ClusterPCA
    >>> rng = np.random.default_rng(0)
    >>> layers = {name: rng.normal(size=(20, 2)) for name in "abc"}
    >>> s = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.1], [0.1, 0.1, 1.0]])
    >>> ClusterPCA(2, width=2).fit(layers, similarity=s).groups_
    array([0, 0, 1])
    """

    _projects = True

    def __init__(
        self,
        n_clusters: int = 4,
        width: int | None = None,
        *,
        lam: float = 0.1,
        linkage: str = "average",
        whiten: float = 0.0,
        quality: Any = None,
        similarity: Any = "cka",
        normalize: str | None = None,
        align: str | None = None,
    ):
        super().__init__(lam, quality=quality, similarity=similarity, normalize=normalize, align=align)
        self.n_clusters = n_clusters
        self.width = width
        self.linkage = linkage
        self.whiten = whiten

    def _check_parameters(self):
        super()._check_parameters()
        if self.linkage not in ("average", "complete", "single"):
            raise ValueError(f"linkage is {self.linkage!r}; it must be 'average', 'complete' or 'single'")

    def _mix(self, representations, y, quality, similarity):
        size = len(representations.names)
        count = check_count(self.n_clusters, "n_clusters", most=size, why=f"({size} representations)")
        if quality is None and self.quality is None:
            weights, s = np.full(size, 1 / size), self._similarity(representations, similarity)
        else:
            weights, s = self._solve(representations, y, quality, similarity), self.similarity_
        self.linkage_, self.groups_ = _grouped(s, count, self.linkage)
        member = self.groups_ == np.arange(count)[:, None]
        means = member / member.sum(axis=1, keepdims=True)
        mixing = np.sqrt(means @ weights)[:, None] * means
        return weights, mixing[mixing.any(axis=1)]


def _grouped(s: np.ndarray, count: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Hierarchical clustering by similarity, cut into exactly ``count`` groups numbered in order of appearance."""
    from scipy.cluster.hierarchy import linkage

    size, diagonal = len(s), np.diag(s)
    distance = np.maximum((diagonal[:, None] + diagonal[None, :]) / 2 - s, 0)
    tree = linkage(distance[np.triu_indices(size, 1)], method) if size > 1 else np.empty((0, 4))
    members = {i: [i] for i in range(size)}
    for step, (a, b, *_) in enumerate(tree[: size - count]):
        members[size + step] = members.pop(int(a)) + members.pop(int(b))
    groups = np.empty(size, dtype=int)
    for number, group in enumerate(sorted(members.values(), key=min)):
        groups[group] = number
    return tree, groups


class Greedy(_Penalised):
    r"""Representations chosen one by one, each for its quality less its mean similarity to those already chosen.

    The first is the best; then the one of highest :math:`q_i - \lambda\,\mathrm{mean}_{j \in \text{chosen}} S_{ij}`
    (the first of equals) until there are k. The t-th to be chosen gets a weight proportional to 1 / t in the sum.

    Parameters
    ----------
    k
        How many, from 1 to L.
    lam, quality, similarity, normalize, align
        As :class:`QP`.

    Attributes
    ----------
    order_ : list of str
        Names in the order of choice.
    gains_ : ndarray of shape (k,)

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import Greedy
    >>> layers = {name: np.zeros((2, 1)) for name in "abc"}
    >>> s = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.1], [0.1, 0.1, 1.0]])
    >>> Greedy(2, lam=0.5).fit(layers, quality=[0.9, 0.8, 0.6], similarity=s).order_
    ['a', 'c']
    """

    def __init__(
        self,
        k: int = 4,
        *,
        lam: float = 0.1,
        quality: Any = None,
        similarity: Any = "cka",
        normalize: str | None = None,
        align: str | None = None,
    ):
        self.k = k
        self.lam = lam
        self.quality = quality
        self.similarity = similarity
        self.normalize = normalize
        self.align = align

    def _mix(self, representations, y, quality, similarity):
        lam, names = as_lambda(self.lam), representations.names
        check_count(self.k, "k", most=len(names), why=f"({len(names)} representations)")
        q, s = self._qualities_and_similarities(representations, y, quality, similarity)
        order, self.gains_ = _chosen(q, s, lam, self.k)
        self.order_ = [names[i] for i in order]
        weights = self._weights_at(q, s, lam)
        return weights, weights[None]

    def _weights_at(self, q, s, lam):
        weights = np.zeros(len(q))
        shares = 1 / np.arange(1, self.k + 1)
        weights[_chosen(q, s, lam, self.k)[0]] = shares / shares.sum()
        return weights


def _chosen(q: np.ndarray, s: np.ndarray, lam: float, k: int) -> tuple[list[int], np.ndarray]:
    """The greedy choice of ``k`` and the gain of each."""
    order, gains = [], []
    for _ in range(k):
        gain = q - lam * s[:, order].mean(axis=1) if order else q.copy()
        gain[order] = -np.inf
        order.append(int(np.argmax(gain)))
        gains.append(gain[order[-1]])
    return order, np.array(gains)
