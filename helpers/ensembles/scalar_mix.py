"""A weighted sum whose weights are learnt by gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import check_count, check_not_negative, generator
from helpers.ensembles.base import Ensemble
from helpers.ensembles.projection import Normalizer
from helpers.ensembles.representations import Representations

__all__ = ["ScalarMix"]

OBJECTIVES = ("auto", "classification", "regression", "pairs")


class ScalarMix(Ensemble):
    r"""A weighted sum with softmax weights, learnt together with a linear head or from pairs.

    With targets ``y`` of shape (n,) a linear head on :math:`\sum_i \mathrm{softmax}(a)_i v_i` and the a_i minimise the
    mean loss by L-BFGS from equal weights; the head is thrown away. With ``fit(…, y, pairs=pairs)`` there is no head:
    the cosines of the combined pairs shall correlate (Pearson) with the scores ``y``.

    Parameters
    ----------
    objective
        ``"classification"`` (cross-entropy), ``"regression"`` (squared error of the standardised y), ``"pairs"``, or
        ``"auto"``: pairs if there are pairs, regression if ``y`` has fractional numbers, else classification.
    l2
        Penalty on the head, l2 / (2 m) times its squared norm, of features that are brought to root mean square 1.
    max_rows
        Maximum number of rows (or pairs) from which weights are learnt; of more than these, a random draw.
    max_iter
        Maximum number of iterations of L-BFGS.
    random_state
        Seed or generator for that draw.
    normalize, align
        Same meaning as in :class:`Ensemble`. Widths must be equal, or ``align="pad"``.

    Attributes
    ----------
    loss_ : float
        The objective where it ended: penalised mean loss, or 1 - correlation.
    n_iter_ : int
    converged_ : bool

    Raises
    ------
    ValueError
        If ``y`` is missing, has another number of rows, NaN or only one value, or pairs point outside the rows.

    Notes
    -----
    The problem is not convex; the result is a local minimum, the same one for the same input. Cost: O(m L p) an
    iteration, all L representations of the m rows in memory. Pairs: O(m L² p) once, then O(m L²) an iteration.
    Peters et al. (2018), Deep contextualized word representations, NAACL (the scalar mix of ELMo, here without its γ).

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import ScalarMix
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(60) % 2
    >>> layers = {"noise": rng.normal(size=(60, 2)), "signal": rng.normal(size=(60, 2)) + 3 * y[:, None]}
    >>> ScalarMix().fit(layers, y).weights_.idxmax()
    'signal'
    """

    def __init__(
        self,
        objective: str = "auto",
        *,
        l2: float = 1.0,
        max_rows: int | None = None,
        max_iter: int = 200,
        random_state: int | np.random.Generator = 0,
        normalize: str | None = None,
        align: str | None = None,
    ):
        self.objective = objective
        self.l2 = l2
        self.max_rows = max_rows
        self.max_iter = max_iter
        self.random_state = random_state
        self.normalize = normalize
        self.align = align

    def fit(
        self, representations: Any, y: Any = None, *, pairs: Any = None, quality: Any = None, similarity: Any = None
    ) -> ScalarMix:
        """Learn the weights from ``y`` (n,), or from ``pairs`` (m, 2) of rows and their scores ``y`` (m,).

        ``quality`` and ``similarity`` are not used.
        """
        representations = Representations(representations)
        self._check_parameters()
        size = len(representations.names)
        self._remember(representations)
        width = self._part_width(np.ones(size))
        self._check_features(range(size))
        y, pairs, kind = self._targets(len(representations), y, pairs)
        keep = np.arange(len(y))
        if self.max_rows is not None and self.max_rows < len(y):
            keep = np.sort(generator(self.random_state).choice(len(y), self.max_rows, replace=False))
        y = y[keep]
        normalizer = Normalizer.learn(self.normalize, representations, range(size))

        def gathered(rows: np.ndarray) -> np.ndarray:
            chosen = representations[rows]
            out = np.zeros((size, len(rows), width))
            for i in range(size):
                out[i, :, : self.widths_[i]] = normalizer(i, chosen.block(i))
            return out

        if kind == "pairs":
            logits = self._minimise(_PairLoss(gathered, pairs[keep], y), np.zeros(size))
        else:
            if len(np.unique(y)) < 2:
                raise ValueError(f"the {self.max_rows} rows drawn have one value of y; raise max_rows")
            loss = _HeadLoss(gathered(keep), y, kind, self.l2)
            logits = self._minimise(loss, np.zeros(loss.size))[:size]
        weights = _softmax(logits)
        return self._learn(representations, weights, weights[None])

    def _minimise(self, loss: Any, start: np.ndarray) -> np.ndarray:
        from scipy.optimize import minimize

        result = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": self.max_iter})
        self.loss_, self.n_iter_, self.converged_ = float(result.fun), int(result.nit), bool(result.success)
        return result.x

    def _check_parameters(self):
        super()._check_parameters()
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective is {self.objective!r}; it must be one of {OBJECTIVES}")
        check_not_negative(self.l2, "l2")
        check_count(self.max_iter, "max_iter")
        if self.max_rows is not None:
            check_count(self.max_rows, "max_rows", least=2)

    def _targets(self, n: int, y: Any, pairs: Any) -> tuple[np.ndarray, np.ndarray | None, str]:
        """Checked targets, pairs of rows, and the objective."""
        if y is None:
            raise ValueError("ScalarMix needs y: labels or numbers (n,), or scores (m,) of pairs (m, 2)")
        y = np.asarray(y)
        if (self.objective == "pairs" and pairs is None) or (self.objective in OBJECTIVES[1:3] and pairs is not None):
            raise ValueError(f"objective is {self.objective!r} but pairs are {'missing' if pairs is None else 'given'}")
        count = n
        if pairs is not None:
            pairs = np.asarray(pairs)
            if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
                raise ValueError(
                    f"pairs has shape {pairs.shape} and dtype {pairs.dtype}; whole numbers (m, 2) are needed"
                )
            if pairs.size and (pairs.min() < 0 or pairs.max() >= n):
                raise ValueError(
                    f"pairs has row {pairs.min() if pairs.min() < 0 else pairs.max()}; rows are 0 to {n - 1}"
                )
            count = len(pairs)
        if y.shape != (count,):
            raise ValueError(
                f"y has shape {y.shape}; one value for each of {count} {'rows' if pairs is None else 'pairs'}"
            )
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError(f"y[{int(np.flatnonzero(~np.isfinite(y))[0])}] is not finite")
        kind = self.objective
        if kind == "auto":
            fractional = y.dtype.kind == "f" and bool(np.any(y != np.round(y)))
            kind = "pairs" if pairs is not None else "regression" if fractional else "classification"
        if kind != "classification" and y.dtype.kind not in "biuf":
            raise TypeError(f"y has dtype {y.dtype}; numbers are needed for {kind}")
        if len(set(y.tolist())) < 2:
            raise ValueError("y has one value only; nothing can be learnt from it")
        return y, pairs, kind


class _HeadLoss:
    """Penalised loss of a linear head on the mix, and its gradient in (logits, head, intercept)."""

    def __init__(self, stack: np.ndarray, y: np.ndarray, kind: str, l2: float):
        self.layers, self.rows, self.width = stack.shape
        mean_square = np.mean(stack.mean(axis=0) ** 2)
        self.stack = stack / np.sqrt(mean_square if mean_square > 0 else 1)
        self.kind, self.l2 = kind, l2 / self.rows
        if kind == "classification":
            self.target = (y[:, None] == np.unique(y)[None, :]).astype(np.float64)
        else:
            y = y.astype(np.float64)
            self.target = ((y - y.mean()) / y.std())[:, None]
        self.classes = self.target.shape[1]
        self.size = self.layers + (self.width + 1) * self.classes

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights = _softmax(theta[: self.layers])
        head = theta[self.layers :].reshape(self.width + 1, self.classes)
        mix = np.tensordot(weights, self.stack, 1)
        scores = mix @ head[:-1] + head[-1]
        if self.kind == "classification":
            scores = scores - scores.max(axis=1, keepdims=True)
            log_total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
            loss = np.mean(log_total[:, 0] - np.sum(scores * self.target, axis=1))
            residual = (np.exp(scores - log_total) - self.target) / self.rows
        else:
            residual = scores - self.target
            loss = np.mean(residual**2) / 2
            residual = residual / self.rows
        loss += self.l2 / 2 * np.sum(head[:-1] ** 2)
        slope = np.r_[mix.T @ residual + self.l2 * head[:-1], residual.sum(axis=0, keepdims=True)]
        on_weights = np.tensordot(self.stack, residual @ head[:-1].T, 2)
        return float(loss), np.r_[_through_softmax(weights, on_weights), slope.ravel()]


class _PairLoss:
    """1 - correlation of the cosines of the pairs with their scores, from the inner products of all representations."""

    def __init__(self, gathered: Any, pairs: np.ndarray, y: np.ndarray):
        parts = []
        for start in range(0, len(pairs), 512):
            left, right = (gathered(pairs[start : start + 512, side]).transpose(1, 0, 2) for side in (0, 1))
            cross = left @ right.transpose(0, 2, 1)
            own = (side @ side.transpose(0, 2, 1) for side in (left, right))
            parts.append((cross + cross.transpose(0, 2, 1), *own))
        self.cross, self.left, self.right = (np.concatenate(part) for part in zip(*parts, strict=True))
        y = y.astype(np.float64)
        if np.ptp(y) == 0:
            raise ValueError("the pairs drawn have one score only; raise max_rows")
        self.target = (y - y.mean()) / np.linalg.norm(y - y.mean())

    def __call__(self, logits: np.ndarray) -> tuple[float, np.ndarray]:
        weights = _softmax(logits)
        slopes = [form @ weights for form in (self.cross, self.left, self.right)]
        cross, left, right = (slope @ weights for slope in slopes)
        if min(left.min(), right.min()) <= 0:
            raise ValueError("the combination of a pair is zero and has no direction; leave such rows out")
        length = np.sqrt(left * right)
        cosine = cross / 2 / length
        on_cosine = slopes[0] / length[:, None] - cosine[:, None] * (
            slopes[1] / left[:, None] + slopes[2] / right[:, None]
        )
        centred = cosine - cosine.mean()
        norm = np.linalg.norm(centred)
        if norm == 0:
            return 1.0, np.zeros_like(logits)
        correlation = self.target @ centred / norm
        on_weights = -((self.target - correlation * centred / norm) / norm) @ on_cosine
        return float(1 - correlation), _through_softmax(weights, on_weights)


def _softmax(logits: np.ndarray) -> np.ndarray:
    out = np.exp(logits - logits.max())
    return out / out.sum()


def _through_softmax(weights: np.ndarray, slope: np.ndarray) -> np.ndarray:
    return weights * (slope - weights @ slope)
