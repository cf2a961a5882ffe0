"""Ensembles to be beaten: the last layer, the best one, means, and everything side by side on its principal axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import check_count
from helpers.ensembles.base import Ensemble

__all__ = [
    "BestLayer",
    "BestUnsupervised",
    "CentredLast",
    "ConcatPCA",
    "LastLayer",
    "MeanOfLastFour",
    "MeanOfLayers",
    "WhitenedLast",
]


def _one(index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """All weight on one representation."""
    weights = np.zeros(size)
    weights[index] = 1
    return weights, weights[None]


class LastLayer(Ensemble):
    """The last representation, which for a transformer is what is used by default.

    Parameters
    ----------
    normalize
        Same meaning as in :class:`Ensemble`.

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
        Same meaning as in :class:`Ensemble`; small widths drop the directions of least variance.

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
        Same meaning as in :class:`Ensemble`.

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
        Same meaning as in :class:`Ensemble`.

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
        Same meaning as in :class:`Ensemble`.

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
        Same meaning as in :class:`Ensemble`.

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
