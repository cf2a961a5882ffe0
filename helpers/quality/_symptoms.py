"""Numbers that grow with what is wrong in a space, each of a few hundred objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from helpers.arrays import unit_rows
from helpers.quality._space import Neighbours, metric_rows

__all__ = ["CLOSE", "SYMPTOMS", "Symptoms"]

K = 10
NEAR = 0.05  # of the root mean squared distance: at one place
CLOSE = 1e-3  # of the same: half precision does not tell rows apart
APART = 5.0  # times the usual distance to the third neighbour: a line of points has smaller gaps by chance
FEW = 10  # objects that a cluster has at least on average


class Symptoms:
    """Symptoms of checked rows without equal ones; each is computed when it is asked for.

    Parameters
    ----------
    x
        Finite rows, none zero, float64.
    metric
        How objects are compared.
    """

    def __init__(self, x: np.ndarray, metric: str = "cosine"):
        self.x, self.metric = x, metric

    @cached_property
    def unit(self) -> np.ndarray:
        """Rows of length 1."""
        return unit_rows(self.x)

    @cached_property
    def rows(self) -> np.ndarray:
        """What the metric compares by distances: rows of length 1, but for ``"euclidean"`` and ``"hamming"``."""
        return self.unit if self.metric in ("cosine", "dot") else metric_rows(self.x, self.metric)

    @cached_property
    def centred(self) -> np.ndarray:
        return self.rows - self.rows.mean(axis=0)

    @cached_property
    def rms(self) -> float:
        """Root mean squared distance of two rows."""
        return float(np.sqrt(2 * np.mean(np.sum(self.centred**2, axis=1))))

    @cached_property
    def moments(self) -> np.ndarray:
        """Mean square of each coordinate of unit rows."""
        return np.mean(self.unit**2, axis=0)

    @cached_property
    def rogues(self) -> np.ndarray:
        """Coordinates above the largest gap among the first few."""
        order, gaps = self._gaps
        return order[: int(np.argmax(gaps)) + 1] if len(gaps) else order[:0]

    @cached_property
    def _gaps(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(-self.moments)
        most = min(5, max(1, len(order) // 8), len(order) - 1)
        size = np.log(np.maximum(self.moments[order[: most + 1]], 1e-300))
        return order, size[:-1] - size[1:]

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of the covariance that can be above 0, the largest first, over their sum."""
        x = self.centred
        small = x @ x.T if len(x) <= x.shape[1] else x.T @ x
        found = np.linalg.eigvalsh(small)[::-1][: min(len(x) - 1, x.shape[1])]
        found = np.maximum(found, 0)
        return found / max(float(found.sum()), 1e-300)

    @cached_property
    def neighbours(self) -> Neighbours:
        if self.metric == "dot":
            return Neighbours(metric_rows(self.x, "dot"), self.k, dot=True)
        return Neighbours(self.rows, self.k)

    @property
    def k(self) -> int:
        return min(K, len(self.x) - 1)

    @cached_property
    def by_angle(self) -> Neighbours:
        """Neighbours by cosine."""
        return self.neighbours if self.metric == "cosine" else Neighbours(self.unit, self.k)

    @cached_property
    def parts(self) -> np.ndarray:
        """Components of the graph of three nearest neighbours and of all pairs within a few times their distance."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        near = self.by_angle if self.metric == "dot" else self.neighbours
        index, distance = near.index[:, :3], near.distance[:, :3]
        joined = self._squares <= (APART * np.median(distance[:, -1])) ** 2
        joined[np.arange(len(index))[:, None], index] = True
        return connected_components(csr_array(joined), directed=False)[1]

    @property
    def opposite(self) -> bool:
        """Whether there are two components, and their means point in opposite directions."""
        if self.parts.max() != 1:
            return False
        first, second = (self.rows[self.parts == part].mean(axis=0) for part in (0, 1))
        return bool(first @ second < -0.95 * np.linalg.norm(first) * np.linalg.norm(second))

    @cached_property
    def within(self) -> np.ndarray:
        """Rows less the mean of their component."""
        total = np.zeros((int(self.parts.max()) + 1, self.rows.shape[1]))
        np.add.at(total, self.parts, self.rows)
        return self.rows - (total / np.bincount(self.parts)[:, None])[self.parts]

    def cone(self) -> float:
        """Decades by which the mean cosine is near 1."""
        m = len(self.unit)
        total = self.unit.sum(axis=0)
        return -float(np.log10(max(1 - (total @ total - m) / (m * (m - 1)), 1e-16)))

    def rogue(self) -> float:
        """Logarithm of the largest gap among the first mean squares of coordinates, if the first axis is theirs."""
        if not len(self.rogues):
            return 0.0
        return float(max(self._gaps[1])) if self._first_axis[self.rogues].sum() >= 0.5 else 0.0

    @cached_property
    def _first_axis(self) -> np.ndarray:
        """Squares of the coordinates of the direction in which unit rows are longest."""
        axis = self.unit[0]
        for _ in range(30):  # by so many products a gap as large as a rogue's has decided
            axis = self.unit.T @ (self.unit @ axis)
            axis = axis / np.linalg.norm(axis)
        return axis**2

    def lengths(self) -> float:
        """Standard deviation of the logarithm of lengths."""
        return float(np.std(np.log(np.linalg.norm(self.x, axis=1))))

    def clusters(self) -> float:
        """Minus the logarithm of the share of variance within components, if there are few of them."""
        if self.parts.max() == 0 or (self.parts.max() + 1) * FEW > len(self.parts):
            return 0.0
        return -float(np.log(max(np.sum(self.within**2) / max(np.sum(self.centred**2), 1e-300), 1e-12)))

    @cached_property
    def _squares(self) -> np.ndarray:
        """Squared distances of all pairs."""
        square = np.sum(self.centred**2, axis=1)
        return np.maximum(square[:, None] + square - 2 * self.centred @ self.centred.T, 0)

    @cached_property
    def close(self) -> float:
        """Share of rows that have another one at nearly their place."""
        near = self.by_angle if self.metric == "dot" else self.neighbours
        return float(np.mean(near.distance[:, 0] < CLOSE * self.rms))

    @cached_property
    def crowd(self) -> np.ndarray:
        """The most rows that are at one place."""
        if self.rms == 0:
            return np.arange(len(self.x))
        apart = self._squares <= (NEAR * self.rms) ** 2
        return np.flatnonzero(apart[int(np.argmax(apart.sum(axis=1)))])

    def clump(self) -> float:
        """Logarithm of the number of objects that are at one place."""
        return float(np.log(len(self.crowd)))

    @cached_property
    def _cliffs(self) -> np.ndarray:
        spectrum = self.eigenvalues
        first = np.arange(1, len(spectrum) + 1)
        then = np.ceil(1.25 * first).astype(int) + 1
        first = first[then <= max(0.9 * len(spectrum), min(3, len(spectrum)))]
        then = then[: len(first)]
        logs = np.log(np.maximum(spectrum, 1e-15))
        return logs[first - 1] - logs[then - 1]

    @property
    def kept(self) -> int:
        """How many directions are above the cliff."""
        return int(np.argmax(self._cliffs)) + 1 if len(self._cliffs) else len(self.eigenvalues)

    def cliff(self) -> float:
        """Largest drop of the logarithm of the eigenvalues within a quarter of their rank."""
        return float(max(self._cliffs, default=0.0))

    def steep(self) -> float:
        """Minus the logarithm of the participation ratio."""
        return float(np.log(max(self.eigenvalues @ self.eigenvalues, 1e-300)))

    def hub(self) -> float:
        """Logarithm of how often the most frequent neighbour is one."""
        return float(np.log(self.neighbours.occurrence.max()))

    def hubs(self) -> float:
        """Share of neighbours that are among the most frequent twentieth of objects."""
        found = np.sort(self.neighbours.occurrence)[::-1]
        return float(found[: max(1, len(found) // 20)].sum() / found.sum())

    def disagreement(self) -> float:
        """Share of the neighbours that are others by cosine."""
        if self.metric == "cosine":
            return 0.0
        both = [len(np.intersect1d(a, b)) for a, b in zip(self.neighbours.index, self.by_angle.index, strict=True)]
        return 1 - float(np.mean(both)) / self.k


SYMPTOMS: dict[str, Callable[[Symptoms], float]] = {
    name: getattr(Symptoms, name)
    for name in ("cone", "rogue", "lengths", "clusters", "clump", "cliff", "steep", "hub", "hubs")
}
"""The symptoms of one space by name."""
