"""Made cases that fool qualities: of two spaces, the one that tells the classes apart is rated lower."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helpers.arrays import generator
from helpers.quality.registry import QUALITIES

__all__ = ["QUALITY_CASES", "QualityCase", "QualityVerdict", "judge_quality", "told_classes"]

N, P = 240, 8  # objects and features
N_CLASSES = 4


class Space(NamedTuple):
    """A representation with what qualities may need besides."""

    x: np.ndarray
    """Shape (n, p)."""
    views: np.ndarray
    """Two views of the objects, shape (2, n, p)."""
    others: list[np.ndarray]
    """Other representations of the objects."""


@dataclass(frozen=True)
class QualityCase:
    """Two spaces of the same objects, made so that one of them tells the classes apart.

    Attributes
    ----------
    good
        How the space is made that tells the classes apart.
    bad
        How the space is made that does not.
    make
        Function of a generator that gives both, first the good one, and the class of each object.
    """

    good: str
    bad: str
    make: Callable[[np.random.Generator], tuple[Space, Space, np.ndarray]]


@dataclass(frozen=True)
class QualityVerdict:
    """What a quality says of a case.

    Attributes
    ----------
    good, bad
        Values of the two spaces as the quality is defined.
    accuracy_good, accuracy_bad
        What the spaces tell of the classes, see :func:`told_classes`.
    fooled
        Whether the space that does not tell the classes apart is rated higher.
    """

    good: float
    bad: float
    accuracy_good: float
    accuracy_bad: float
    fooled: bool


def judge_quality(quality: str, case: str, *, rng: int | np.random.Generator = 0) -> QualityVerdict:
    """Whether a quality is fooled by a case: whether it rates the worse space higher.

    Parameters
    ----------
    quality
        Name in :data:`~helpers.quality.registry.QUALITIES`.
    case
        Name in :data:`QUALITY_CASES`.
    rng
        Seed or generator of the spaces.

    Returns
    -------
    QualityVerdict
        Values and accuracies of both spaces, and whether the values are in the wrong order.

    Raises
    ------
    KeyError
        If there is no such quality or case.

    Examples
    --------
    >>> from helpers.quality.cases import judge_quality
    >>> found = judge_quality("rankme", "noise")
    >>> found.fooled, found.accuracy_good > 0.9 > 0.5 > found.accuracy_bad
    (True, True)
    """
    if case not in QUALITY_CASES:
        raise KeyError(f"no case is called {case!r}; there are {', '.join(QUALITY_CASES)}")
    entry = QUALITIES[quality]
    good, bad, y = QUALITY_CASES[case].make(generator(rng))
    given = [{"x": space.x, "views": space.views, "others": space.others, "labels": y} for space in (good, bad)]
    values = [float(entry.value(**each)) for each in given]
    rated = [entry(**each) for each in given]
    accuracies = [told_classes(space.x, y) for space in (good, bad)]
    return QualityVerdict(*values, *accuracies, fooled=bool(rated[1] > rated[0]))


def told_classes(x: np.ndarray, y: np.ndarray) -> float:
    """Held-out accuracy of a linear discriminant or of the five nearest neighbours, whichever is higher.

    Parameters
    ----------
    x
        Representation of shape (n, p); the first half of its objects is learnt from, the second half judges.
    y
        Class of each object, shape (n,).
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.neighbors import KNeighborsClassifier

    half = len(x) // 2
    classifiers = LinearDiscriminantAnalysis(), KNeighborsClassifier(5)
    return max(float(each.fit(x[:half], y[:half]).score(x[half:], y[half:])) for each in classifiers)


def _space(x: np.ndarray, rng: np.random.Generator, *, others: list[np.ndarray] | None = None) -> Space:
    views = x + 0.3 * rng.normal(size=(2, *x.shape))
    return Space(x, views, others if others is not None else [x + 0.3 * rng.normal(size=x.shape)])


def _labels(rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.repeat(np.arange(N_CLASSES), N // N_CLASSES))


def _classes(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    """Classes along two strong directions, little noise in the others, away from the origin."""
    corners = 4 * np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    x = 0.3 * rng.normal(size=(N, P)) + 2
    x[:, :2] += corners[y] + 0.5 * rng.normal(size=(N, 2))
    return x


def _noise(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    x = _classes(rng, y)
    x[0] *= 3  # one long row
    return _space(x, rng), _space(rng.normal(size=(N, P)), rng), y


def _power_law(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    return _space(_classes(rng, y), rng), _space(rng.normal(size=(N, P)) / np.sqrt(np.arange(1, P + 1)), rng), y


def _heaps(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    good = rng.normal(size=(N, P))
    good[:, 0] += 2.5 * y
    centres = 20 * np.array([[1.0] * P, [-1.0] * P])
    return _space(good, rng), _space(centres[rng.integers(2, size=N)] + 0.3 * rng.normal(size=(N, P)), rng), y


def _circle(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    turn = rng.permutation(np.linspace(0, 2 * np.pi, N, endpoint=False))
    even = np.hstack([np.cos(turn)[:, None], np.sin(turn)[:, None], np.zeros((N, P - 2))])
    return _space(_classes(rng, y), rng), _space(even, rng), y


def _curve(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    along = (y + rng.uniform(size=N))[:, None]
    good = np.sin(along * np.linspace(0.5, 1.5, P) + np.arange(P)) + 1e-3 * rng.normal(size=(N, P))
    return _space(good, rng), _space(rng.normal(size=(N, P)), rng), y


def _copies(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = np.repeat(_labels(rng)[: N // 2], 2)
    x = np.repeat(_classes(rng, y)[::2], 2, axis=0)
    return _space(x, rng), _space(rng.normal(size=(N, P)), rng), y


def _overlapping(y: np.ndarray, rng: np.random.Generator, *, apart: float = 1.0) -> np.ndarray:
    """Classes around four corners, blurred."""
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    x = 0.1 * rng.normal(size=(N, P))
    x[:, :2] += apart * corners[y] + 0.8 * rng.normal(size=(N, 2))
    return x


def _rings(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    directions = rng.normal(size=(N, 2))
    x = 0.05 * rng.normal(size=(N, P))
    x[:, :2] += (y[:, None] + 1.0) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return _space(x, rng), _space(_overlapping(y, rng, apart=0.6), rng), y


def _loud(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    x = 30 * rng.normal(size=(N, P))
    x[:, 0] = y + 0.05 * rng.normal(size=N)
    return _space(x, rng), _space(_overlapping(y, rng, apart=0.6), rng), y


def _split(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    places = 8 * rng.normal(size=(3 * N_CLASSES, P))
    x = places[y + N_CLASSES * rng.integers(3, size=N)] + 0.3 * rng.normal(size=(N, P))
    return _space(x, rng), _space(_overlapping(y, rng), rng), y


def _collapse(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    return _space(_classes(rng, y), rng), _space(20 + 0.1 * rng.normal(size=(N, P)), rng), y


def _majority(rng: np.random.Generator) -> tuple[Space, Space, np.ndarray]:
    y = _labels(rng)
    good, bad = _classes(rng, y), rng.normal(size=(N, P))
    crowd = [bad + 0.3 * rng.normal(size=bad.shape) for _ in range(3)]
    return _space(good, rng, others=crowd), _space(bad, rng, others=crowd), y


QUALITY_CASES: Mapping[str, QualityCase] = {
    "noise": QualityCase(
        "classes along two directions, the other six nearly empty, away from the origin, one row longer than others",
        "independent noise in all eight directions",
        _noise,
    ),
    "power law": QualityCase(
        "classes along two directions, the other six nearly empty",
        "noise whose variances fall as 1, 1/2, 1/3 …",
        _power_law,
    ),
    "heaps": QualityCase(
        "four overlapping classes along one direction, noise in the others",
        "two tight heaps that have nothing to do with the classes",
        _heaps,
    ),
    "circle": QualityCase(
        "classes along two directions, the other six nearly empty",
        "objects evenly on a circle, in an order that has nothing to do with the classes",
        _circle,
    ),
    "curve": QualityCase(
        "classes one after the other on a curve",
        "independent noise in all eight directions",
        _curve,
    ),
    "copies": QualityCase(
        "classes along two directions, each object stored twice",
        "independent noise in all eight directions",
        _copies,
    ),
    "rings": QualityCase(
        "each class on a ring of its own, one around the other",
        "four classes that overlap",
        _rings,
    ),
    "loud": QualityCase(
        "classes along one direction, and loud noise in the seven others",
        "four classes that overlap",
        _loud,
    ),
    "split classes": QualityCase(
        "classes of three small groups each, far apart",
        "four classes that overlap",
        _split,
    ),
    "collapse": QualityCase(
        "classes along two directions, and two views of each object",
        "all objects nearly at one point, and so all their views",
        _collapse,
    ),
    "majority": QualityCase(
        "classes along two directions",
        "noise, of which the three other representations are copies",
        _majority,
    ),
}
"""Cases by name."""
