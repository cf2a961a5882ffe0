"""Weights from the quadratic program that trades quality for similarity, and its variants."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import check_count
from helpers.ensembles._qp import Solution, maximise
from helpers.ensembles.arguments import as_lambda
from helpers.ensembles.base import Penalised

__all__ = ["ClusterPCA", "MaskedQP", "QP", "QPSelectionPCA", "local_weights"]


class QP(Penalised):
    r"""A weighted sum whose weights maximise :math:`q^\top w - \lambda\,w^\top S w` over w ≥ 0, Σw = 1.

    Quality draws weight to good representations, the quadratic form away from several that say the same.

    Parameters
    ----------
    lam
        λ ≥ 0. At 0 all weight is on the best representation. Qualities of layers differ by about 0.1 and similarities
        by a few times as much: the default weighs the two about alike; choose it by :func:`select` on validation data.
    quality, similarity, normalize, align
        Same meaning as in :class:`Ensemble`. S may be any symmetric matrix.

    Attributes
    ----------
    value_ : float
        Maximum of the program.
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
    r"""A weighted sum with only the similarity to *better* representations penalised.

    Maximises :math:`q^\top w - \lambda\,w^\top A w` over w ≥ 0, Σw = 1, with A_ij = S_ij if q_i < q_j, else 0.

    Only (A + Aᵀ)/2 matters, so the mask halves S off the diagonal and clears the diagonal, whatever the order of the
    qualities; only ties differ. With similarities ≥ 0 the penalty is 0 at every single representation, so the *global*
    maximum is always the best one: :class:`BestLayer`. A local solver that starts from equal weights need not see it.

    Parameters
    ----------
    lam, quality, similarity, normalize, align
        Same meaning as in :class:`QP`.
    solver
        ``"global"``, or ``"slsqp"``: the local maximum that SciPy's sequential least squares reaches from equal weights
        (``gap_`` then says by how much it may be missed).
    diagonal
        Keep A_ii = S_ii, which makes the problem concave for positive semidefinite S and distinct qualities.

    Attributes
    ----------
    value_, gap_, concave_
        Same meaning as in :class:`QP`.

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


class QPSelectionPCA(QP):
    r"""The representations that :class:`QP` keeps, each times :math:`\sqrt{w_i}`, projected on their principal axes.

    Parameters
    ----------
    lam, quality, similarity, normalize, align
        Same meaning as in :class:`QP`.
    width, whiten
        Same meaning as in :class:`Ensemble`.
    epsilon
        Weights below it become 0; the others stay as they are.
    combine
        ``"concat"``: scaled representations side by side; ``"sum"``: added, which needs equal widths.

    Attributes
    ----------
    value_, gap_, concave_
        Same meaning as in :class:`QP`, before the selection.

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
        Number of clusters K, from 1 to L.
    lam, quality, similarity, normalize, align
        Same meaning as in :class:`QP`, whose weights are used. Without quality all weights are equal.
    width, whiten
        Same meaning as in :class:`Ensemble`.
    linkage
        ``"average"``, ``"complete"`` or ``"single"``, of the distances (S_ii + S_jj) / 2 - S_ij, which are 1 - S_ij for
        similarities with S_ii = 1 (negative ones count as 0).

    Attributes
    ----------
    groups_ : ndarray of int, shape (L,)
        The group of each representation, numbered in order of appearance. A group without weight has no part.
    linkage_ : ndarray of shape (L - 1, 4)
        Tree of the representations, for ``scipy.cluster.hierarchy.dendrogram``.

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


def _concatenated(coefficients: np.ndarray) -> np.ndarray:
    """One part for each representation with a coefficient other than 0."""
    return np.diag(coefficients)[coefficients != 0]


def local_weights(q: np.ndarray, a: np.ndarray, lam: float, start: np.ndarray, **options: Any) -> np.ndarray:
    """Weights that SciPy's SLSQP returns for the program: of several maxima the one that it meets from its start.

    Parameters
    ----------
    q : ndarray of shape (L,)
        Qualities of the representations.
    a : ndarray of shape (L, L)
        Similarities of the representations, as the program penalises them.
    lam
        Similarity penalty λ.
    start : ndarray of shape (L,)
        Weights that the search starts from.
    options
        Options that :func:`scipy.optimize.minimize` takes for SLSQP.

    Returns
    -------
    ndarray of shape (L,)
        As the solver leaves them: up to its tolerance within 0 and 1, and of sum 1.
    """
    from scipy.optimize import minimize

    both = a + a.T
    return minimize(
        lambda w: lam * w @ a @ w - q @ w,
        start,
        jac=lambda w: lam * both @ w - q,
        bounds=[(0, 1)] * len(q),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options=options,
    ).x


def _local(q: np.ndarray, a: np.ndarray, lam: float, best: Solution) -> Solution:
    """What SLSQP finds from equal weights, with the bound of the global solution."""
    found = np.maximum(local_weights(q, a, lam, np.full(len(q), 1 / len(q)), ftol=1e-12, maxiter=1000), 0)
    weights = found / found.sum()
    return Solution(weights, float(q @ weights - lam * weights @ a @ weights), best.bound, best.concave)


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
