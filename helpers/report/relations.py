"""Whether two embeddings are related at all, tested without drawing permutations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Relation", "Sides", "relation_of", "sides_of"]


class Side(NamedTuple):
    """What a test of independence needs of one embedding: U-centred, of norm 1, and its third moment."""

    matrix: np.ndarray
    third: float


class Sides(NamedTuple):
    """One embedding by its inner products and by its distances."""

    linear: Side
    distance: Side


class Relation(NamedTuple):
    """The larger of unbiased linear CKA and unbiased distance correlation, and the smaller p, doubled."""

    value: float
    p: float


def sides_of(x: np.ndarray) -> Sides:
    """What :func:`relation_of` needs of an embedding.

    Parameters
    ----------
    x : ndarray of shape (n, p)
        Rows of at least 4 objects, not all equal.
    """
    x = np.asarray(x, dtype=np.float64)
    x = x - x.mean(axis=0)
    scale = np.sqrt(np.mean(x**2)) or 1.0
    gram = (x / scale) @ (x / scale).T
    squares = np.diag(gram)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * gram, 0))
    return Sides(_side(gram), _side(-distances))


def relation_of(a: Sides, b: Sides) -> Relation:
    r"""Similarity of two embeddings, and how probable as much is of unrelated ones.

    For unrelated embeddings :math:`n` times the U-statistic of HSIC is distributed as :math:`\sum_{ij} \lambda_i \mu_j
    (z_{ij}^2 - 1)`, with the eigenvalues of both kernels; its variance and skewness are known from traces, and a
    Pearson distribution of type III with these has nearly its tail.

    Parameters
    ----------
    a, b
        As :func:`sides_of` gives them, of the same objects.

    Returns
    -------
    Relation
        ``value`` at most 1 (0 for unrelated embeddings, on average), ``p`` in (0, 1].

    Notes
    -----
    Gretton et al. (2008), A kernel statistical test of independence; Josse, Pages and Husson (2008), Testing the
    significance of the RV coefficient, CSDA 53, for the distribution; Szekely and Rizzo (2013), The distance
    correlation t-test of independence in high dimension, for U-centring.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report.relations import relation_of, sides_of
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 200, 5))
    >>> relation_of(sides_of(x), sides_of(y)).p > 0.05, relation_of(sides_of(x), sides_of(x + y)).p < 1e-6
    (True, True)
    """
    from scipy import stats

    n = len(a.linear.matrix)
    values, ps = [], []
    for one, other in zip(a, b, strict=True):
        value = float(np.vdot(one.matrix, other.matrix))
        skew = float(np.sqrt(8) * np.clip(one.third * other.third, 0, 1))
        score = value * np.sqrt(n * (n - 3) / 2)
        values.append(value)
        ps.append(float(stats.pearson3.sf(score, skew)) if skew > 1e-6 else float(stats.norm.sf(score)))
    return Relation(min(max(values), 1.0), min(2 * min(ps), 1.0))


def _side(gram: np.ndarray) -> Side:
    n = len(gram)
    np.fill_diagonal(gram, 0)
    rows = gram.sum(axis=0) / (n - 2)
    gram -= rows[:, None] + rows - rows.sum() / (n - 1)
    np.fill_diagonal(gram, 0)
    gram = (gram / (np.linalg.norm(gram) or 1.0)).astype(np.float32)
    return Side(gram, float(np.vdot(gram @ gram, gram)))
