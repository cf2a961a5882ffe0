"""Quadratic programs on the simplex: solved exactly where they are concave, globally or with a bound where not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

__all__ = ["Solution", "maximise"]

GLOBAL_UP_TO = 32
STARTS = 32
NODES = 200_000


class Solution(NamedTuple):
    """Weights on the simplex, the value there, and a proven upper bound of the value anywhere."""

    weights: np.ndarray
    value: float
    bound: float
    concave: bool

    @property
    def gap(self) -> float:
        """How much better any other weights could be, at most."""
        return max(0.0, self.bound - self.value)


def maximise(q: Any, s: Any, lam: float) -> Solution:
    r"""Maximise :math:`q^\top w - \lambda w^\top S w` over w ≥ 0, Σw = 1.

    Only the symmetric part of S matters. If it is positive semidefinite on sum-zero vectors (to rounding), an
    active-set method ends at a maximum and the duality gap certifies it. Otherwise, up to 32 variables, the maximum is
    found by branch and bound: the objective at a stationary point is its Lagrange multiplier, so that the program is a
    mixed-integer *linear* one, with a binary variable for membership in the support; two variables along whose edge
    the objective is convex are never needed together. Beyond 32 the best of many local maxima comes with the bound of
    a concave relaxation. Of several optimal weights (as for duplicates) one is returned, the same for the same input.

    Scozzari and Tardella (2008), A clique algorithm for standard quadratic programming, Discrete Applied Mathematics
    156; Gondzio and Yıldırım (2021), Global solutions of nonconvex standard quadratic programs via mixed integer linear
    programming reformulations, Journal of Global Optimization 81.

    Parameters
    ----------
    q : array_like of shape (L,)
    s : array_like of shape (L, L)
    lam
        Similarity penalty λ ≥ 0.

    Returns
    -------
    Solution
        ``weights``, ``value``, ``bound`` and ``concave``; ``gap`` is what other weights could gain at most. For the
        mixed-integer program it includes the solver's tolerance, 1e-6 of the range of the entries of the form.

    Raises
    ------
    ValueError
        If the shapes do not fit, an entry is not finite, or λ is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import maximise
    >>> maximise([0.5, 0.3], np.eye(2), lam=0.2).weights
    array([0.75, 0.25])
    >>> maximise([0.5, 0.3], 1 - np.eye(2), lam=0.2).concave
    False
    """
    q, s = np.asarray(q, dtype=np.float64), np.asarray(s, dtype=np.float64)
    n = q.size
    if q.shape != (n,) or s.shape != (n, n) or n == 0:
        raise ValueError(f"q has shape {q.shape} and s {s.shape}; (L,) and (L, L) are needed")
    if not (np.isfinite(q).all() and np.isfinite(s).all()):
        raise ValueError("q or s has an entry that is NaN or infinite")
    if not 0 <= lam < np.inf:
        raise ValueError(f"lam is {lam!r}; a finite number of at least 0 is needed")
    # Products as small as these gain nothing from threads, and lose much where others keep the cores busy.
    with threadpool_limits(1, user_api="blas"):
        return _maximise(q, s, lam)


def _maximise(q: np.ndarray, s: np.ndarray, lam: float) -> Solution:
    n = len(q)
    # On the simplex q'w = w'(q1' + 1q')w / 2: the objective is -w'Mw. Entries of M are brought to [0, 1].
    form = lam * (s + s.T) / 2 - (q[:, None] + q[None, :]) / 2
    low, scale = form.min(), np.ptp(form)
    first = _vertex(int(np.argmax(q - lam * np.diag(s))), n)
    if scale == 0:
        return Solution(first, -low, -low, True)
    m = (form - low) / scale
    curvature = _least_curvature(m)
    concave = curvature >= -1e-7
    if concave:
        weights = _descend(m, first)
        floor = _dual_bound(m, weights, curvature)
    else:
        weights, floor = _minimise_nonconvex(m, first)
    value = float(q @ weights - lam * weights @ s @ weights)
    return Solution(weights, value, max(value, -(floor * scale + low)), concave)


def _vertex(index: int, n: int) -> np.ndarray:
    out = np.zeros(n)
    out[index] = 1
    return out


def _sum_zero_basis(n: int) -> np.ndarray:
    """Orthonormal columns that span the vectors of n entries with sum zero."""
    steps = np.triu(np.ones((n, n - 1)))
    k = np.arange(1, n)
    steps[k, k - 1] = -k
    return steps / np.sqrt(k * (k + 1))


def _least_curvature(m: np.ndarray) -> float:
    """Smallest eigenvalue of ``m`` on sum-zero vectors (0 in one dimension)."""
    z = _sum_zero_basis(len(m))
    return float(np.linalg.eigvalsh(z.T @ m @ z)[0]) if len(m) > 1 else 0.0


def _dual_bound(m: np.ndarray, w: np.ndarray, curvature: float) -> float:
    """No w'Mw on the simplex is smaller: the linearisation at ``w``, less what negative curvature may still give."""
    slopes = 2 * m @ w
    value = float(w @ m @ w)
    return value - float(w @ slopes - slopes.min()) - 2 * max(0.0, -curvature)


def _descend(m: np.ndarray, w: np.ndarray) -> np.ndarray:
    """From ``w`` down to a local minimum of w'Mw on the simplex (the minimum, where the form is convex).

    Active set: minimise on the face of the support; a bound that blocks leaves it, the steepest outside joins it.
    """
    n, tolerance = len(m), 1e-13 * len(m)
    w = w.copy()
    support = w > 0
    for _ in range(100 * n):
        inside = np.flatnonzero(support)
        slopes = 2 * m @ w
        step, limited = _face_step(m[np.ix_(inside, inside)], slopes[inside], tolerance)
        shrinking = step < 0
        ratios = np.full(len(inside), np.inf)
        ratios[shrinking] = -w[inside][shrinking] / step[shrinking]
        length = min(ratios.min(), 1.0 if limited else np.inf)
        if np.isfinite(length) and np.any(step):
            w[inside] = np.maximum(w[inside] + length * step, 0)
            if ratios.min() <= length:
                w[inside[ratios <= length]] = 0
                support = w > 0
                w /= w.sum()
                continue
            slopes = 2 * m @ w
        w /= w.sum()
        outside = np.flatnonzero(~support)
        if len(outside) == 0:
            break
        candidate = outside[np.argmin(slopes[outside])]
        if slopes[candidate] >= w @ slopes - tolerance:
            break
        support = w > 0
        support[candidate] = True
    return w


def _face_step(m: np.ndarray, slopes: np.ndarray, tolerance: float) -> tuple[np.ndarray, bool]:
    """The step to the minimum of the form on one face, or (False) a direction in which it falls without end."""
    if len(m) == 1:
        return np.zeros(1), True
    z = _sum_zero_basis(len(m))
    values, vectors = np.linalg.eigh(2 * z.T @ m @ z)
    z = z @ vectors
    slopes = z.T @ slopes
    if values[0] < -tolerance:
        return -z[:, 0] if slopes[0] > 0 else z[:, 0], False
    flat = values <= tolerance
    if np.linalg.norm(slopes[flat]) > tolerance:
        return -z[:, flat] @ slopes[flat], False
    return -z[:, ~flat] @ (slopes[~flat] / values[~flat]), True


def _minimise_nonconvex(m: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, float]:
    """A minimum of w'Mw on the simplex and a lower bound; the two meet up to 32 variables."""
    n = len(m)
    edge = np.add.outer(np.diag(m), np.diag(m)) - 2 * m
    together = edge > 1e-12
    if not together[~np.eye(n, dtype=bool)].any():
        return first, float(np.diag(m).min())  # no edge has a minimum inside: a vertex is optimal
    starts = [_vertex(i, n) for i in np.argsort(np.diag(m), kind="stable")[:STARTS]] + [np.full(n, 1 / n)]
    if n <= GLOBAL_UP_TO:  # a start with a large support costs O(n^4)
        starts += list(np.random.default_rng(0).dirichlet(np.ones(n), STARTS))
    found = [_descend(m, start) for start in starts]
    w = min(found, key=lambda w: w @ m @ w)
    floor = _relaxed_bound(m)
    if n <= GLOBAL_UP_TO:
        better, bound = _branch_and_bound(m, together, float(w @ m @ w), floor)
        w = min(w, better, key=lambda w: w @ m @ w)
        floor = max(floor, bound)
    return w, floor


def _relaxed_bound(m: np.ndarray) -> float:
    """Minimum of a convex form below w'Mw on the simplex: Σ c w_i² - Σ c w_i ≤ 0 makes up for curvature -c."""
    shift = max(0.0, -_least_curvature(m)) * (1 + 1e-9)
    convex = m + shift * np.eye(len(m)) - shift
    w = _descend(convex, _vertex(int(np.argmin(np.diag(convex))), len(m)))
    return _dual_bound(convex, w, _least_curvature(convex))


def _branch_and_bound(m: np.ndarray, together: np.ndarray, best: float, floor: float) -> tuple[np.ndarray, float]:
    """Global minimum by a mixed-integer linear program over (w, support, multiplier), to the solver's 1e-6."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n = len(m)
    eye, zero, ones = np.eye(n), np.zeros((n, n)), np.ones((n, 1))
    slack = m.max(axis=1) - floor
    pairs = np.argwhere(np.triu(~together, 1))
    exclusive = np.zeros((len(pairs), 2 * n + 1))
    rows = np.arange(len(pairs))
    exclusive[rows, n + pairs[:, 0]] = exclusive[rows, n + pairs[:, 1]] = 1
    constraints = [
        LinearConstraint(np.r_[np.ones(n), np.zeros(n + 1)][None], 1, 1),
        LinearConstraint(np.hstack([eye, -eye, 0 * ones]), -np.inf, 0),
        LinearConstraint(np.hstack([m, zero, -ones]), 0, np.inf),
        LinearConstraint(np.hstack([m, np.diag(slack), -ones]), -np.inf, slack),
        LinearConstraint(exclusive, -np.inf, 1),
    ]
    result = milp(
        np.r_[np.zeros(2 * n), 1.0],
        integrality=np.r_[np.zeros(n), np.ones(n), 0],
        bounds=Bounds(np.r_[np.zeros(2 * n), floor - 1e-6], np.r_[np.ones(2 * n), best + 1e-4]),
        constraints=[c for c in constraints if len(c.A)],
        options={"mip_rel_gap": 1e-9, "node_limit": NODES},
    )
    bound = -np.inf if result.mip_dual_bound is None else result.mip_dual_bound - 1e-6
    w = np.full(n, 1 / n) if result.x is None else np.maximum(result.x[:n], 0) * (result.x[n : 2 * n] > 0.5)
    return _descend(m, w / w.sum()), bound
