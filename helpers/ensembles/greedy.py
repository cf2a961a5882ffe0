"""The greedy choice of representations by quality less similarity to what is chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import check_count
from helpers.ensembles.arguments import as_lambda
from helpers.ensembles.base import Penalised

__all__ = ["Greedy"]


class Greedy(Penalised):
    r"""Representations chosen one by one, each for its quality less its mean similarity to those already chosen.

    The first is the best; then the one of highest :math:`q_i - \lambda\,\mathrm{mean}_{j \in \text{chosen}} S_{ij}`
    (the first of equals) until there are k. The t-th to be chosen gets a weight proportional to 1 / t in the sum.

    Parameters
    ----------
    k
        Number of representations to choose, from 1 to L.
    lam, quality, similarity, normalize, align
        Same meaning as in :class:`QP`.

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
