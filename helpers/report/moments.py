"""Everything that linear probes and linear ensembles need to know of the training rows: their second moments by fold.

A linear probe, principal axes and linear CKA depend on rows only through counts, sums and inner products of features.
These are summed once for each fold; the training set of any split is then a sum over folds, and no split reads the
training rows again. With P features in all, K folds and C classes: O(n P (P + C)) time once, K P² numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import unit_rows
from helpers.ensembles.projection import leading_eigenvectors
from helpers.ensembles.representations import Representations

__all__ = ["FoldMoments", "Probe", "fit_probe", "leading_axes", "linear_cka"]

EXACT = 1536  # features up to which all principal axes come from one dense decomposition
GROWTH = 2e-3
PENALTIES = 10.0 ** np.arange(-5, 2.5, 0.5)


class Probe(NamedTuple):
    """A fitted linear probe: scores are z @ coefficients + intercept for features z that are centred in training."""

    coefficients: np.ndarray
    intercept: np.ndarray
    penalty: float


class FoldMoments:
    """Counts, sums and inner products of all features, and of features with targets, fold by fold.

    Parameters
    ----------
    representations
        Named arrays of the same n rows.
    fold : ndarray of int, shape (n,)
        The fold of each row, from 0; -1 for rows that belong to none.
    targets : ndarray of shape (n,)
        Class numbers from 0 (integers) or numbers (floats).
    normalize
        ``"unit"`` scales each row of each representation to length 1, ``None`` leaves rows as they are.
    """

    def __init__(self, representations: Representations, fold: np.ndarray, targets: np.ndarray, normalize: str | None):
        self.representations, self.fold, self.targets, self.normalize = representations, fold, targets, normalize
        self.edges = np.cumsum([0, *representations.widths])
        size, count = int(self.edges[-1]), int(fold.max()) + 1
        self.classes = int(targets.max()) + 1 if targets.dtype.kind in "iu" else 0
        self.origin = self.rows(np.flatnonzero(fold >= 0)[:1024]).mean(axis=0)
        single = all(representations.block(i, 0, 1).dtype == np.float32 for i in range(len(representations.names)))
        self.dtype = np.float32 if single and 8 * count * size**2 > 2**28 else np.float64
        self.counts = np.zeros((count, max(self.classes, 1)))
        self.sums = np.zeros((count, size))
        self.crossed = np.zeros((count, size, max(self.classes, 1)))
        self.gram = np.zeros((count, size, size), self.dtype)
        self.squares = np.zeros((count, 2))  # of numeric targets: sum, sum of squares
        for f in range(count):
            for rows in self.blocks(f):
                x = self.rows(rows) - self.origin
                self.gram[f] += x.T @ x
                self.sums[f] += x.sum(axis=0, dtype=np.float64)
                y = targets[rows]
                if self.classes:
                    shown = (y[:, None] == np.arange(self.classes)).astype(x.dtype)
                    self.counts[f] += shown.sum(axis=0)
                    self.crossed[f] += x.T @ shown
                else:
                    self.counts[f, 0] += len(y)
                    self.crossed[f, :, 0] += x.T @ y.astype(x.dtype)
                    self.squares[f] += [y.sum(), np.sum(y * y)]

    def blocks(self, f: int) -> list[np.ndarray]:
        """Row numbers of a fold, in blocks."""
        rows = np.flatnonzero(self.fold == f)
        step = int(np.clip(2**24 // int(self.edges[-1]), 256, 8192))
        return [rows[start : start + step] for start in range(0, len(rows), step)]

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows of all representations side by side, normalised."""
        chosen = self.representations[rows]
        parts = []
        for i in range(len(chosen.names)):
            x = chosen.block(i)
            parts.append(unit_rows(x) if self.normalize == "unit" else x)
        return np.concatenate(parts, axis=1)

    def count(self, folds: Sequence[int]) -> float:
        return float(self.counts[list(folds)].sum())

    def mean(self, folds: Sequence[int]) -> np.ndarray:
        """Mean of the shifted features."""
        return self.sums[list(folds)].sum(axis=0) / self.count(folds)

    def scatter(self, folds: Sequence[int], part: slice = slice(None)) -> np.ndarray:
        """Sum over the rows of folds of the outer products of centred features."""
        out = np.zeros_like(self.gram[0, part, part])
        for f in folds:
            out += self.gram[f, part, part]
        total = self.sums[list(folds)][:, part].sum(axis=0)
        out -= np.outer(total, total) / self.count(folds)
        return out

    def toward(self, folds: Sequence[int], part: slice = slice(None)) -> np.ndarray:
        """Inner products (features, targets) of centred features with targets."""
        chosen = list(folds)
        right = self.counts[chosen].sum(axis=0) if self.classes else self.squares[chosen, :1].sum(axis=0)
        return self.crossed[chosen][:, part].sum(axis=0) - np.outer(self.mean(folds)[part], right)

    def probe(self, folds: Sequence[int], scatter: np.ndarray, toward: np.ndarray) -> Probe:
        """The probe of features that are linear in ours, learnt from the rows of folds."""
        chosen = list(folds)
        if self.classes:
            return fit_probe(scatter, toward, counts=self.counts[chosen].sum(axis=0))
        total, square = self.squares[chosen].sum(axis=0)
        return fit_probe(scatter, toward, numbers=(self.count(folds), total, square))


def fit_probe(
    scatter: np.ndarray,
    toward: np.ndarray,
    *,
    counts: np.ndarray | None = None,
    numbers: tuple[float, float, float] | None = None,
    penalty: float | None = None,
) -> Probe:
    """A penalised linear probe in closed form, its penalty chosen by generalised cross-validation.

    Classes: linear discriminant analysis with the within-class scatter plus the penalty. Numbers: ridge regression. The
    penalty minimises the generalised cross-validation error (Golub, Heath and Wahba, 1979) of the ridge regression of
    the targets, one indicator for each class; Hastie, Buja and Tibshirani (1995), Penalized discriminant analysis, tie
    the two penalties together. Nothing but training moments enters.

    Parameters
    ----------
    scatter
        Centred features: (p, p), or (p,) if they are uncorrelated.
    toward : ndarray of shape (p, C)
        Inner products of centred features with the targets.
    counts
        Rows of each class.
    numbers
        Number, sum and sum of squares of numeric targets.
    penalty
        Ridge penalty to take; None: chosen by generalised cross-validation.
    """
    from scipy.linalg import cho_factor, cho_solve

    toward = np.asarray(toward, np.float64)
    n = float(counts.sum()) if counts is not None else numbers[0]
    spread = n - np.sum(counts**2) / n if counts is not None else numbers[2] - numbers[1] ** 2 / n
    values = np.maximum(scatter, 0) if scatter.ndim == 1 else np.zeros(1)
    if scatter.ndim == 2:
        scatter = np.asarray(scatter, np.float64)
        if penalty is None:
            values = np.maximum(np.linalg.eigvalsh(scatter), 0)
    tried = PENALTIES * max(values.mean(), np.finfo(float).tiny) if penalty is None else [penalty]
    best = np.inf, 0.0, None
    for penalty in tried:
        degrees = 1 + np.sum(values / (values + penalty))
        if degrees >= 0.98 * n and best[2] is not None:
            continue
        if scatter.ndim == 1:
            ridge = toward / (values + penalty)[:, None]
        else:
            shifted = scatter.copy()
            shifted[np.diag_indices(len(shifted))] += penalty
            ridge = cho_solve(cho_factor(shifted, lower=True, overwrite_a=True), toward)
        # With (S + penalty) W = T the residual sum of squares is spread - tr(W'T) - penalty tr(W'W).
        left = max(spread - np.sum(ridge * toward) - penalty * np.sum(ridge * ridge), 0.0)
        error = left / (n - degrees) ** 2 if degrees < 0.98 * n else np.finfo(float).max
        if error < best[0]:
            best = error, float(penalty), ridge
    _, penalty, ridge = best
    if counts is None:
        return Probe(ridge, np.array([numbers[1] / n]), penalty)
    seen = counts > 0
    means = toward[:, seen] / counts[seen]
    within = -(means * counts[seen]) @ means.T
    within[np.diag_indices(len(within))] += penalty + (scatter if scatter.ndim == 1 else 0)
    if scatter.ndim == 2:
        within += scatter
    solved = cho_solve(cho_factor(within, lower=True, overwrite_a=True), means) * max(n - seen.sum(), 1)
    coefficients, intercept = np.zeros_like(toward), np.full(len(counts), -np.inf)
    coefficients[:, seen] = solved
    intercept[seen] = np.log(counts[seen] / n) - np.sum(means * solved, axis=0) / 2
    return Probe(coefficients, intercept, penalty)


def linear_cka(scatter: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Linear CKA of all pairs of representations from the scatter of all features."""
    size = len(edges) - 1
    parts = [slice(edges[i], edges[i + 1]) for i in range(size)]
    out = np.array([[np.sum(scatter[a, b].astype(np.float64) ** 2) for b in parts] for a in parts])
    length = np.sqrt(np.diag(out))
    return out / np.outer(length, length)


def leading_axes(
    scatter: np.ndarray, width: int, edges: Sequence[int], known: dict[Any, Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The leading eigenvalues and eigenvectors of a scatter matrix, at most ``width`` of them.

    Dense where all or few features are there. Else block power iteration (Halko, Martinsson and Tropp, 2011) from the
    leading axes of the diagonal blocks between ``edges``, a tenth more than asked for, until the variance that they
    hold grows by less than one part in 500. ``known`` keeps the axes of the blocks, which scales do not change.
    """
    size = len(scatter)
    if size <= EXACT or 3 * width > size:
        values, vectors = leading_eigenvectors(np.asarray(scatter, np.float64), width)
    else:
        from scipy.linalg import cholesky, solve_triangular

        most = min(size, width + max(16, width // 10))
        scatter = scatter.astype(np.float32, copy=False)
        basis = _block_axes(scatter, most, edges, {} if known is None else known)
        held = 0.0
        for _ in range(20):
            image = scatter @ basis
            small = np.asarray(basis.T @ image, np.float64)
            if np.trace(small) <= held * (1 + GROWTH):
                break
            held = float(np.trace(small))
            for _ in range(2):  # Cholesky QR, twice for orthogonality to rounding
                inner = np.asarray(image.T @ image, np.float64)
                inner[np.diag_indices(most)] += np.finfo(np.float32).eps * np.trace(inner)
                upper = cholesky(inner).astype(np.float32)
                image = solve_triangular(upper, image.T, trans="T", check_finite=False).T
            basis = image
        values, turn = np.linalg.eigh((small + small.T) / 2)
        values, vectors = values[::-1][:width], np.asarray(basis @ turn[:, ::-1][:, :width], np.float64)
    eps = np.finfo(scatter.dtype).eps
    varying = int(np.sum(values > float(np.trace(scatter)) * eps * max(64, size / 64)))
    return values[: max(varying, 1)], vectors[:, : max(varying, 1)]


def _block_axes(scatter: np.ndarray, most: int, edges: Sequence[int], known: dict[Any, Any]) -> np.ndarray:
    """The leading axes of the diagonal blocks, the blocks taken for unrelated."""
    found = []
    for a, b in zip(edges, edges[1:], strict=False):
        block = scatter[a:b, a:b]
        total = float(np.trace(block))
        key = b - a, (np.diag(block)[:8] / total).round(5).tobytes()
        if key not in known:
            values, vectors = np.linalg.eigh(block)
            known[key] = values / total, vectors
        values, vectors = known[key]
        found += [(value * total, a, b, vector) for value, vector in zip(values, vectors.T, strict=True)]
    found.sort(key=lambda entry: -entry[0])
    out = np.zeros((len(scatter), most), scatter.dtype)
    for column, (_, a, b, vector) in enumerate(found[:most]):
        out[a:b, column] = vector
    return out
