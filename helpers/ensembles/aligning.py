"""Alignment: representations brought into one space by maps learnt from the rows, and mixed there."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import best_rotation, check_count, check_not_negative
from helpers.ensembles.arguments import as_lambda
from helpers.ensembles.base import Ensemble
from helpers.ensembles.programs import QP
from helpers.ensembles.projection import Normalizer, mean_and_covariance
from helpers.ensembles.representations import Representations

__all__ = [
    "GeneralizedProcrustes",
    "MultisetCCA",
    "OrthogonalProcrustes",
    "SharedLinearAutoencoder",
]


class Aligned(Ensemble):
    r"""What the alignments share: z = Σ w_i f_i(x_i), with maps f_i into a space of ``width`` dimensions.

    Before the map each representation is centred and divided by one number, so that all have the same total variance,
    ``width``, in the rows of ``fit``: neither the place nor the scale of a representation decides how much it counts.

    Parameters
    ----------
    width
        Width of the common space; ``None`` for the width of the widest representation. How narrower and wider ones
        enter is said by each method.
    mix
        The weights: ``"mean"``, all equal; ``"qp"``, those of :class:`helpers.ensembles.QP`. The maps are learnt from
        all representations alike.
    lam, quality, similarity
        Parameters of the QP, not used by the mean, as in :class:`Ensemble`; similarities are those before the
        alignment.

    Attributes
    ----------
    maps_ : list of ndarray of shape (p_i, width)
        The linear maps: f_i(x) = (x - means_[i]) @ maps_[i].
    means_ : list of ndarray of shape (p_i,)
    weights_ : Series
    """

    def fit(self, representations: Any, y: Any = None, *, quality: Any = None, similarity: Any = None) -> Aligned:
        """Learn the maps from the rows, and the weights; ``y`` is only handed to a quality function.

        Raises
        ------
        TypeError, ValueError
            If there is only one representation or one row, one is constant or not finite, or a parameter is out of
            range; the message names what and where.
        """
        representations = Representations(representations)
        self._check_parameters()
        names = representations.names
        if len(names) < 2:
            raise ValueError(f"representations holds only {names[0]!r}; at least two are needed to align them")
        if len(representations) < 2:
            raise ValueError("representations has 1 row; at least 2 are needed to learn an alignment")
        self._remember(representations)
        width = max(self.widths_) if self.width is None else self.width
        self._weights = np.full(len(names), 1 / len(names))
        if self.mix == "qp":
            solver = QP(self.lam, quality=self.quality, similarity=self.similarity, align="pad")
            solver.fit(representations, y, quality=quality, similarity=similarity)
            self._weights, self.quality_, self.similarity_ = solver._weights, solver.quality_, solver.similarity_
        self._align(representations, width)
        self.mixing_, self._n_features_out = self._weights[None], width
        self.normalizer_, self.axes_ = Normalizer(None, {}, {}), None
        self.fitted_on_ = {"rows": len(representations), "digest": representations.digest(range(len(names)))}
        return self

    def aligned(self, representations: Any) -> dict[str, np.ndarray]:
        """Each representation with weight in the common space, by name: what is mixed."""
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "mixing_")
        representations = Representations(representations).ordered(self.features_)
        columns = self._columns(representations)
        return {self.names_[i]: self._code(i, representations.block(column)) for i, column in columns.items()}

    def _align(self, representations: Representations, width: int) -> None:
        """Linear maps from the second moments of all features, which one pass over the rows gives."""
        moments = ScaledMoments(representations, width)
        maps = self._maps(moments, width)
        self.means_ = moments.means
        self.maps_ = [a / scale for a, scale in zip(maps, moments.scales, strict=True)]

    def _maps(self, moments: ScaledMoments, width: int) -> list[np.ndarray]:
        """For each representation, centred and scaled, its map (p_i, width)."""
        raise NotImplementedError

    def _code(self, i: int, block: np.ndarray) -> np.ndarray:
        return ((block - self.means_[i]) @ self.maps_[i]).astype(block.dtype, copy=False)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.width is not None:
            check_count(self.width, "width")
        if self.mix not in ("mean", "qp"):
            raise ValueError(f"mix is {self.mix!r}; it must be 'mean' or 'qp'")
        as_lambda(self.lam)

    def _mixed(self, representations, start, stop, columns):
        out = 0
        for i, column in columns.items():
            block = representations.block(column, start, stop)
            out = out + block.dtype.type(self._weights[i]) * self._code(i, block)
        return out


class ScaledMoments:
    """Means, scales, and the covariance of all features side by side after centring and scaling."""

    def __init__(self, representations: Representations, width: int):
        sizes, n = representations.widths, len(representations)
        starts = representations.starts(sum(sizes))
        mean, covariance = mean_and_covariance((self._beside(representations, *bounds) for bounds in starts), n)
        self.edges = np.cumsum([0, *sizes])
        self.means = np.split(mean, self.edges[1:-1])
        totals = np.array([np.trace(self._cut(covariance, i, i)) for i in range(len(sizes))])
        for name, total, part in zip(representations.names, totals, self.means, strict=True):
            if not total > np.finfo(np.float64).eps * n * (part @ part):  # what rounding leaves of a constant one
                raise ValueError(f"representation {name!r} is constant over the {n} rows; there is nothing to align")
        self.scales = np.sqrt(totals / width)
        spread = np.repeat(self.scales, sizes)
        self.covariance = covariance / spread / spread[:, None]

    @staticmethod
    def _beside(representations: Representations, start: int, stop: int) -> np.ndarray:
        blocks = [representations.block(i, start, stop) for i in range(len(representations.names))]
        return np.hstack(blocks, dtype=np.float64)

    def _cut(self, matrix: np.ndarray, i: int, j: int) -> np.ndarray:
        return matrix[self.edges[i] : self.edges[i + 1], self.edges[j] : self.edges[j + 1]]

    def __len__(self) -> int:
        return len(self.means)

    def block(self, i: int, j: int) -> np.ndarray:
        """Covariance of the features of one representation with those of another."""
        return self._cut(self.covariance, i, j)

    def split(self, matrix: np.ndarray) -> list[np.ndarray]:
        """Rows of a matrix by representation."""
        return np.split(matrix, self.edges[1:-1])

    def ridged(self, i: int, ridge: float) -> np.ndarray:
        """Own covariance plus ``ridge`` times the mean variance on its diagonal."""
        own = self.block(i, i)
        return own + ridge * np.trace(own) / len(own) * np.eye(len(own))


class _Rotated(Aligned):
    """Alignments by maps with orthonormal rows; wider representations are cut to principal axes first."""

    def _maps(self, moments, width):
        bases = [_basis(moments.block(i, i), width) for i in range(len(moments))]
        cross = [[a.T @ moments.block(i, j) @ b for j, b in enumerate(bases)] for i, a in enumerate(bases)]
        return [base @ turn for base, turn in zip(bases, self._turns(cross, width), strict=True)]

    def _turns(self, cross: list[list[np.ndarray]], width: int) -> list[np.ndarray]:
        """For each representation a matrix (r_i, width) with orthonormal rows, from all cross-covariances."""
        raise NotImplementedError

    def _onto_reference(self, cross: list[list[np.ndarray]], width: int, reference: int) -> list[np.ndarray]:
        """Each representation turned to the reference, which stays where it is."""
        out = [
            best_rotation(np.pad(row[reference], ((0, 0), (0, width - row[reference].shape[1]))))[0] for row in cross
        ]
        out[reference] = np.eye(len(out[reference]), width)
        return out


class OrthogonalProcrustes(_Rotated):
    r"""The mean, or weighted sum, of representations that are rotated to one of them.

    Each is mapped by the orthogonal matrix Q that minimises :math:`\|X_i Q - X_r\|_F` over the rows of ``fit``. A
    narrower representation is filled with zero features first; one wider than ``width`` is first cut to its leading
    principal axes.

    Parameters
    ----------
    reference
        Name of the representation that stays; ``None`` for the most central one, whose sum of
        :math:`\|X_i^\top X_j\|_*` over the others, which is the similarity after the best rotation, is highest.
    width, mix, lam, quality, similarity
        Same meaning as in :class:`Aligned`.

    Attributes
    ----------
    maps_, means_, weights_
        Same meaning as in :class:`Aligned`.
    reference_ : str

    Raises
    ------
    TypeError, ValueError
        In ``fit``: if there is only one representation or row, one is constant or not finite, or the reference is none
        of them.

    Notes
    -----
    O(n P²) for the covariance of the P features in all, then O(L² p³). Schönemann (1966), A generalized solution of
    the orthogonal Procrustes problem, Psychometrika 31.

    Examples
    --------
    The mean of a representation and its mirror image is nothing; rotated first, it is the representation:

    >>> import numpy as np
    >>> from helpers.ensembles import MeanOfLayers, OrthogonalProcrustes
    >>> x = np.array([[1.0, 2.0], [-1.0, 0.0], [0.0, -2.0]])
    >>> float(np.abs(MeanOfLayers().fit_transform([x, -x])).max())
    0.0
    >>> z = OrthogonalProcrustes().fit_transform([x, -x])
    >>> float(np.round(np.abs(np.corrcoef(z[:, 0], x[:, 0])[0, 1]), 6))
    1.0
    """

    def __init__(
        self,
        reference: str | None = None,
        width: int | None = None,
        *,
        mix: str = "mean",
        lam: float = 0.1,
        quality: Any = None,
        similarity: Any = "cka",
    ):
        self.reference = reference
        self.width = width
        self.mix = mix
        self.lam = lam
        self.quality = quality
        self.similarity = similarity

    def _turns(self, cross, width):
        if self.reference is not None and self.reference not in self.names_:
            raise ValueError(f"reference is {self.reference!r}; the representations are {self.names_}")
        reference = _most_central(cross) if self.reference is None else self.names_.index(self.reference)
        self.reference_ = self.names_[reference]
        return self._onto_reference(cross, width, reference)


class GeneralizedProcrustes(_Rotated):
    r"""The mean, or weighted sum, of representations that are rotated to their common mean.

    Minimises :math:`\sum_i \|X_i Q_i - M\|_F^2` over orthogonal Q_i and M: from the rotations to the most central
    representation, by turns, M becomes the mean of the rotated representations and each is rotated to M. No step
    raises the objective, so it converges, to a local minimum. Widths enter as in :class:`OrthogonalProcrustes`.

    Parameters
    ----------
    width, mix, lam, quality, similarity
        Same meaning as in :class:`Aligned`.
    tol
        Stop when a round lowers the objective by less than this share of the total variance.
    max_iter
        Maximum number of rounds.

    Attributes
    ----------
    maps_, means_, weights_
        Same meaning as in :class:`Aligned`.
    objective_ : ndarray
        The mean over the rows of Σ_i ‖x_i Q_i - m‖², at the start and after each round; total variance is L ``width``.
    converged_ : bool

    Notes
    -----
    A round costs O(L² p² width) and touches covariances only, never the rows. Gower (1975), Generalized Procrustes
    analysis, Psychometrika 40; ten Berge (1977), Orthogonal Procrustes rotation for two or more matrices,
    Psychometrika 42.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import GeneralizedProcrustes
    >>> x = np.random.default_rng(0).normal(size=(20, 3))
    >>> fitted = GeneralizedProcrustes().fit([x, x[:, ::-1], 2 * x @ np.diag([1, -1, 1]) + 5])
    >>> bool(fitted.objective_[-1] < 1e-9), fitted.converged_
    (True, True)
    """

    def __init__(
        self,
        width: int | None = None,
        *,
        mix: str = "mean",
        lam: float = 0.1,
        quality: Any = None,
        similarity: Any = "cka",
        tol: float = 1e-6,
        max_iter: int = 200,
    ):
        self.width = width
        self.mix = mix
        self.lam = lam
        self.quality = quality
        self.similarity = similarity
        self.tol = tol
        self.max_iter = max_iter

    def _check_parameters(self):
        super()._check_parameters()
        check_not_negative(self.tol, "tol")
        check_count(self.max_iter, "max_iter")

    def _turns(self, cross, width):
        whole = np.block(cross)
        edges = np.cumsum([len(row[0]) for row in cross])[:-1]
        total, size = float(np.trace(whole)), len(cross)
        turns = self._onto_reference(cross, width, _most_central(cross))
        stacked = np.vstack(turns)
        self.objective_, self.converged_ = [], False
        for _ in range(self.max_iter + 1):
            with_sum = whole @ stacked
            self.objective_.append(max(0.0, total - float(np.sum(stacked * with_sum)) / size))
            if len(self.objective_) > 1 and self.objective_[-2] - self.objective_[-1] <= self.tol * total:
                self.converged_ = True
                break
            last, stacked = stacked, np.vstack([best_rotation(part)[0] for part in np.split(with_sum, edges)])
        self.objective_ = np.array(self.objective_)
        return np.split(stacked if self.converged_ else last, edges)


class _Ridged(Aligned):
    """Alignments that solve an eigenproblem with a ridge."""

    def __init__(
        self,
        width: int | None = None,
        *,
        ridge: float = 0.1,
        mix: str = "mean",
        lam: float = 0.1,
        quality: Any = None,
        similarity: Any = "cka",
    ):
        self.width = width
        self.ridge = ridge
        self.mix = mix
        self.lam = lam
        self.quality = quality
        self.similarity = similarity

    def _check_parameters(self):
        super()._check_parameters()
        check_not_negative(self.ridge, "ridge")


class MultisetCCA(_Ridged):
    r"""The mean, or weighted sum, of the canonical variates of several representations.

    The maps are the leading solutions of one generalised eigenproblem,

    .. math:: C v = \varrho\, D v , \qquad D_{ii} = C_{ii} + r\, \bar\sigma_i^2 I ,

    with C the covariance of all features side by side, D its blocks on the diagonal and :math:`\bar\sigma_i^2` the mean
    variance of the features of representation i. The part of v that belongs to i maps it to one common coordinate. The
    same v maximise the sum of all covariances of the variates at a given sum of variances (SUMCOR with that
    constraint), and make the variates closest to common ones (MAXVAR). With two representations it is CCA.

    Parameters
    ----------
    width
        Number of common coordinates, at most the number of all features; ``None`` for the width of the widest
        representation. Representations of any widths go in as they are.
    ridge
        r ≥ 0. At 0 it is the classical method, which needs more rows than features and follows noise.
    mix, lam, quality, similarity
        Same meaning as in :class:`Aligned`.

    Attributes
    ----------
    maps_, means_, weights_
        Same meaning as in :class:`Aligned`; scaled so that the mean variance of the variates of a coordinate is 1
        (ridge included).
    correlations_ : ndarray of shape (width,)
        (ϱ - 1) / (L - 1), descending: the mean correlation of two variates; with two representations and r = 0 the
        canonical correlation.

    Raises
    ------
    TypeError, ValueError
        In ``fit``: if there is only one representation or row, one is constant or not finite, the width is larger than
        the number of features, or ``ridge`` is 0 and features depend linearly on each other.

    Notes
    -----
    The mean of the variates has variance ϱ / L, so that coordinates on which the representations agree count for more.
    O(n P² + P³) for P features in all. Kettenring (1971), Canonical analysis of several sets of variables, Biometrika
    58.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import MultisetCCA
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(200, 1))
    >>> sets = [np.hstack([rng.normal(size=(200, 2)), shared]) @ rng.normal(size=(3, 3)) for _ in range(3)]
    >>> fitted = MultisetCCA(1, ridge=0).fit(sets)
    >>> z = fitted.transform(sets)
    >>> float(abs(np.corrcoef(z[:, 0], shared[:, 0])[0, 1]).round(3)), float(fitted.correlations_[0].round(3))
    (1.0, 1.0)
    """

    def _maps(self, moments, width):
        from scipy.linalg import LinAlgError, block_diag, eigh

        size, features = len(moments), len(moments.covariance)
        if width > features:
            raise ValueError(f"width is {width} but there are only {features} features in all")
        within = block_diag(*(moments.ridged(i, self.ridge) for i in range(size)))
        try:
            roots, vectors = eigh(moments.covariance, within, subset_by_index=(features - width, features - 1))
        except LinAlgError as error:
            raise _dependent(self.ridge) from error
        self.correlations_ = (roots[::-1] - 1) / (size - 1)
        vectors = vectors[:, ::-1] * np.sqrt(size)
        vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(width)])
        return moments.split(vectors)


class SharedLinearAutoencoder(_Ridged):
    r"""The mean, or weighted sum, of codes from each of which all representations can be rebuilt by one linear map.

    Minimises the error of rebuilding everything from each one,

    .. math:: \frac1n \sum_i \sum_j \|X_j - X_i E_i D_j\|_F^2 + \sum_i r\, \bar\sigma_i^2 \|E_i\|_F^2 ,

    over encoders E_i (p_i, width) and common decoders D_j (width, p_j), whose rows side by side are orthonormal. Codes
    of one object must agree, for they are decoded alike. Solved exactly: D holds the leading eigenvectors of
    :math:`\sum_i C_{\cdot i} (C_{ii} + r \bar\sigma_i^2 I)^{-1} C_{i \cdot}`, and E_i is the ridge regression of the
    codes on X_i.

    Parameters
    ----------
    width
        Width of the code, at most the number of all features; ``None`` for the width of the widest representation.
        Representations of any widths go in as they are.
    ridge
        Ridge r ≥ 0.
    mix, lam, quality, similarity
        Same meaning as in :class:`Aligned`.

    Attributes
    ----------
    maps_, means_, weights_
        Same meaning as in :class:`Aligned`.
    decoder_ : ndarray of shape (width, P)
        Rebuilds all representations side by side, centred and scaled, from a code.
    loss_ : float
        Share of the variance of all representations that one of them, on average, does not rebuild; in [0, 1].

    Notes
    -----
    By convexity the mean code rebuilds at least as well as the codes do on average. O(n P² + P³) for P features.
    With one representation it is PCA; a reduced-rank regression of all on each (Izenman, 1975, Reduced-rank regression
    for the multivariate linear model, Journal of Multivariate Analysis 5).

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import SharedLinearAutoencoder
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> fitted = SharedLinearAutoencoder(2, ridge=0).fit([x, x @ [[0.0, 3.0], [1.0, 1.0]]])
    >>> round(fitted.loss_, 9)
    0.0
    """

    def _maps(self, moments, width):
        maps, self.decoder_ = linear_autoencoder(moments, width, self.ridge)
        total = np.trace(moments.covariance)
        errors = []
        for i, encoder in enumerate(maps):
            code = moments.block(i, i) @ encoder
            across = moments.covariance[:, moments.edges[i] : moments.edges[i + 1]] @ encoder
            kept = 2 * np.sum(across * self.decoder_.T) - np.sum((self.decoder_ @ self.decoder_.T) * (encoder.T @ code))
            errors.append((total - kept) / total)
        self.loss_ = min(1.0, max(0.0, float(np.mean(errors))))  # a share, whatever rounding does
        return maps


def linear_autoencoder(moments: ScaledMoments, width: int, ridge: float) -> tuple[list[np.ndarray], np.ndarray]:
    """Encoders (p_i, width) and the decoder (width, P) of all features side by side."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

    features = len(moments.covariance)
    if width > features:
        raise ValueError(f"width is {width} but there are only {features} features in all")
    rows = moments.split(moments.covariance)
    try:
        solved = [cho_solve(cho_factor(moments.ridged(i, ridge)), row) for i, row in enumerate(rows)]
    except LinAlgError as error:
        raise _dependent(ridge) from error
    explained = sum(row.T @ solution for row, solution in zip(rows, solved, strict=True))
    axes = eigh((explained + explained.T) / 2, subset_by_index=(features - width, features - 1))[1][:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(width)])
    return [solution @ axes for solution in solved], axes.T


def _basis(covariance: np.ndarray, width: int) -> np.ndarray:
    """The identity, or for more than ``width`` features their leading principal axes."""
    from scipy.linalg import eigh

    size = len(covariance)
    if size <= width:
        return np.eye(size)
    axes = eigh(covariance, subset_by_index=(size - width, size - 1))[1][:, ::-1]
    return axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(width)])


def _most_central(cross: list[list[np.ndarray]]) -> int:
    """Where the sum of nuclear norms of the cross-covariances with the others is highest."""
    sums = [sum(np.linalg.norm(part, "nuc") for j, part in enumerate(row) if j != i) for i, row in enumerate(cross)]
    return int(np.argmax(sums))


def _dependent(ridge: float) -> ValueError:
    return ValueError(
        f"ridge is {ridge:g} and the features of a representation depend linearly on each other, or there are fewer "
        "rows than features; a ridge such as 0.1 is needed"
    )
