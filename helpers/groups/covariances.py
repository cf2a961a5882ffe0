"""Covariances of groups as factors, and how far they are apart: what Bures distances are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helpers.groups.membership import Membership, batches
from helpers.groups.readouts import centroid

__all__ = ["Inferred", "covariance_factors", "inferred_shapes", "nuclear_norms"]

BLOCK = 1 << 24  # numbers in one block of aligned factors
SINGULAR = 1e-14  # share of the largest squared singular value below which one is rounding


def covariance_factors(x: np.ndarray, groups: Membership) -> tuple[np.ndarray, np.ndarray]:
    """Means (n_groups, p) and R (n_groups, r, p) of covariances S = Rᵀ R with divisor n_g; r is min(n_g, p) at most."""
    means = centroid(x, groups).vectors
    rank = int(min(groups.counts.max(), x.shape[1]))
    factors = np.zeros((len(means), rank, x.shape[1]))  # rows of zeros change no singular value
    for batch in batches(x, groups):
        centred = batch.rows - means[batch.groups][batch.within]
        places = range(batch.groups.start, batch.groups.stop)
        for g, part in zip(places, np.split(centred, batch.starts[1:]), strict=True):
            root = part if len(part) <= x.shape[1] else np.linalg.qr(part, mode="r")
            factors[g, : len(root)] = root / np.sqrt(len(part))
    return means, factors


def nuclear_norms(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Sums of the singular values of R Rᵢᵀ, of one factor (r, p) with some (k, r, p): the trace in Bures distances."""
    return np.linalg.svd(one @ others.transpose(0, 2, 1), compute_uv=False).sum(axis=-1)


class Inferred(NamedTuple):
    """Squared Bures distances of covariances, few of them measured.

    Attributes
    ----------
    squares : ndarray of shape (n_groups, n_groups), float64
        Measured where ``measured`` is true, otherwise ``ratio`` times the squared length of the aligned way.
    bounds : ndarray of shape (n_groups, n_groups), float64
        The squared lengths of the aligned ways: no squared distance is larger, but for rounding in single precision.
    measured : ndarray of shape (n_groups, n_groups), bool
        Pairs whose distance was computed.
    ratio : float
        Mean share that squared distances are of their bounds, over the measured pairs.
    ratio_sd : float
        Standard deviation of these shares from pair to pair.
    """

    squares: np.ndarray
    bounds: np.ndarray
    measured: np.ndarray
    ratio: float
    ratio_sd: float


def inferred_shapes(factors: np.ndarray, n_pairs: int, rng: np.random.Generator) -> Inferred:
    r"""Squared Bures distances of all pairs of covariances, from what so many pairs are found to be.

    Parameters
    ----------
    factors : ndarray of shape (n_groups, r, p), float64
        As :func:`covariance_factors` gives them.
    n_pairs
        How many pairs are measured, drawn at random; at most all.
    rng
        Generator of the draws.

    Returns
    -------
    Inferred
        ``squares``, ``bounds``, ``measured``, ``ratio``, ``ratio_sd``.

    Notes
    -----
    Each normal law is brought by the best linear map to that with the mean covariance; the way from one group to
    another over it is a coupling, so that its squared length :math:`\lVert A_i - A_j \rVert_F^2` of aligned factors is
    at least the squared distance, and equal to second order for covariances near their mean. O(G r p² + G² p²) and
    n_pairs sums of singular values.
    Wang, Slepčev, Basu, Ozolek and Rohde (2013), A linear optimal transportation framework for quantifying and
    visualizing variations in sets of images, International Journal of Computer Vision 101.
    """
    n = len(factors)
    squares = np.einsum("gij,gij->g", factors, factors)
    bounds = _aligned_ways(factors)
    first, second = np.triu_indices(n, 1)
    if n_pairs < len(first):
        drawn = np.sort(rng.choice(len(first), n_pairs, replace=False))
        first, second = first[drawn], second[drawn]
    found = np.zeros(len(first))
    starts = np.flatnonzero(np.r_[True, first[1:] != first[:-1]])
    for rows in np.split(np.arange(len(first)), starts[1:]):
        g, others = first[rows[0]], second[rows]
        found[rows] = squares[g] + squares[others] - 2 * nuclear_norms(factors[g], factors[others])
    ways, measured = bounds[first, second], np.eye(n, dtype=bool)
    some = ways > 1e-6 * (squares[first] + squares[second])  # below it is rounding
    ratios = np.clip(found[some] / ways[some], 0, 1)
    ratio, sd = (float(ratios.mean()), float(ratios.std())) if len(ratios) else (1.0, 0.0)
    out = ratio * bounds
    out[first, second] = out[second, first] = np.maximum(found, 0)
    measured[first, second] = measured[second, first] = True
    return Inferred(out, bounds, measured, ratio, sd)


def _aligned_ways(factors: np.ndarray) -> np.ndarray:
    """Squared Frobenius distances of factors, each turned to be nearest to the root of the mean covariance."""
    n, rank, p = factors.shape
    values, axes = np.linalg.eigh(np.tensordot(factors, factors, axes=((0, 1), (0, 1))) / n)
    root = (axes * np.sqrt(np.maximum(values, 0))) @ axes.T
    turns = np.empty((n, p, rank), dtype=np.float32)
    for g, factor in enumerate(factors):
        product = factor @ root
        squares, left = np.linalg.eigh(product @ product.T)
        fine = squares > SINGULAR * squares[-1]  # in other directions the group has hardly any variance
        left = left[:, fine]
        turns[g] = product.T @ ((left / np.sqrt(squares[fine])) @ left.T)
    inner, narrow = np.zeros((n, n)), factors.astype(np.float32)
    step = max(1, BLOCK // (n * p))
    for start in range(0, p, step):
        block = (turns @ narrow[:, :, start : start + step]).reshape(n, -1)
        block -= block.mean(axis=0)  # what all share would only be subtracted again, and with an error
        inner += block @ block.T
    length = np.diag(inner)
    out = np.maximum(length[:, None] + length - 2 * inner, 0)
    np.fill_diagonal(out, 0)
    return out
