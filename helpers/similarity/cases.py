"""Made cases that fool measures: a pair that is alike and one that is not, which a measure puts in the wrong order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from helpers.arrays import generator
from helpers.similarity.registry import MEASURES

__all__ = ["CASES", "Case", "Verdict", "judge_case"]

Pair = tuple[np.ndarray, np.ndarray]
LEVEL = 0.02  # of the larger value: two values that are nearer to each other are on a level
N = 120  # objects: enough for every measure, few enough for a page that computes all of them


@dataclass(frozen=True)
class Case:
    """A question with a plain answer, and two pairs of representations whose answer is known from how they are made.

    Attributes
    ----------
    question
        What is asked of a pair.
    alike
        How the pair is made for which the answer is yes.
    unlike
        How the pair is made for which the answer is no.
    make
        Function of a generator that gives both pairs, first the one that is alike; arrays of shape (n, p).
    """

    question: str
    alike: str
    unlike: str
    make: Callable[[np.random.Generator], tuple[Pair, Pair]]


@dataclass(frozen=True)
class Verdict:
    """What a measure says of a case.

    Attributes
    ----------
    alike, unlike
        Values of the two pairs.
    fooled
        Whether the pair that is not alike counts as more similar, or the two are on a level.
    """

    alike: float
    unlike: float
    fooled: bool


def judge_case(measure: str, case: str, *, rng: int | np.random.Generator = 0) -> Verdict:
    """Whether a measure is fooled by a case: whether it puts the two pairs in the wrong order.

    Parameters
    ----------
    measure
        Name in :data:`~helpers.similarity.registry.MEASURES`.
    case
        Name in :data:`CASES`.
    rng
        Seed or generator of the pairs.

    Returns
    -------
    Verdict
        Values of both pairs, and whether their order is wrong.

    Raises
    ------
    KeyError
        If there is no such measure or case.

    Examples
    --------
    >>> from helpers.similarity.cases import judge_case
    >>> judge_case("cca", "stretched").fooled, judge_case("cka", "stretched").fooled
    (True, False)
    """
    if case not in CASES:
        raise KeyError(f"no case is called {case!r}; there are {', '.join(CASES)}")
    function = MEASURES[measure]
    alike, unlike = (float(function(*pair)) for pair in CASES[case].make(generator(rng)))
    similarity = function.orientation == "similarity"
    level = LEVEL * max(abs(alike), abs(unlike))
    return Verdict(alike, unlike, (unlike - alike if similarity else alike - unlike) >= -level)


def _orthogonal(p: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(p, p)))[0]


def _noisy(x: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    return x + amount * rng.normal(size=x.shape)


def _stretched(rng: np.random.Generator) -> tuple[Pair, Pair]:
    x = rng.normal(size=(N, 8))
    stretch = _orthogonal(8, rng) * np.logspace(0, 3, 8)
    return (x, _noisy(x, 0.1, rng)), (x, x @ stretch @ _orthogonal(8, rng))


def _loud(rng: np.random.Generator) -> tuple[Pair, Pair]:
    x, y, z = rng.normal(size=(3, N, 8))
    common = rng.normal(size=(N, 1)) * np.tile([1.0, -1.0], 4)
    half = np.hstack([x[:, :6], z[:, 6:]])
    return (x + common / 2, half + common / 2), (x + 7 * common, y + 7 * common)


def _rearranged(rng: np.random.Generator) -> tuple[Pair, Pair]:
    n_clusters = 6
    centres = 30 * rng.normal(size=(n_clusters, 8)) / np.sqrt(8)
    cluster = np.repeat(np.arange(n_clusters), N // n_clusters)
    x = _noisy(centres[cluster], 1.0, rng)
    turns = np.stack([_orthogonal(8, rng) for _ in range(n_clusters)])
    return (x, _noisy(x, 0.8, rng)), (x, np.einsum("np,npq->nq", x, turns[cluster]))


def _shuffled(rng: np.random.Generator) -> tuple[Pair, Pair]:
    x = 0.2 * (rng.normal(size=(N, 8)) * np.linspace(1, 2, 8) + 1)
    return (x, _noisy(x, 0.2, rng)), (x, x[rng.permutation(N)])


def _rotated(rng: np.random.Generator) -> tuple[Pair, Pair]:
    x, y = rng.normal(size=(2, N, 32))
    return (x, x @ _orthogonal(32, rng)), (x, np.hstack([x[:, :16], y[:, 16:]]))


def _scaled(rng: np.random.Generator) -> tuple[Pair, Pair]:
    x, y = rng.normal(size=(2, N, 8))
    return (x, 10 * x), (x, y)


def _far(rng: np.random.Generator) -> tuple[Pair, Pair]:
    x, y = rng.normal(size=(2, N, 8))
    return (x, _noisy(x, 0.3, rng)), (x + 20, y + 20)


def _ring(rng: np.random.Generator) -> tuple[Pair, Pair]:
    turn = np.linspace(0, 2 * np.pi, N, endpoint=False)
    circle = np.column_stack([np.cos(turn), np.sin(turn), np.zeros((N, 6))])
    opened = np.column_stack([np.cos(turn * 0.8), np.sin(turn * 0.8), np.zeros((N, 6))])
    return (circle, _noisy(circle, 0.15, rng)), (circle, opened)


def _wide(rng: np.random.Generator) -> tuple[Pair, Pair]:
    x, y = rng.normal(size=(2, N, 2 * N))
    return (x[:, :8], _noisy(x[:, :8], 0.3, rng)), (x, y)


CASES: Mapping[str, Case] = {
    "stretched": Case(
        "Do the objects have the same neighbours?",
        "a space and a copy with a little noise",
        "a space and its image under a linear map that stretches some directions a thousand times as much as others",
        _stretched,
    ),
    "loud": Case(
        "Do most of the features agree?",
        "two spaces that share six of eight features",
        "two independent spaces, to whose features one and the same wide direction was added",
        _loud,
    ),
    "rearranged": Case(
        "Are the clusters arranged in the same way?",
        "six clusters and a noisy copy",
        "the same six clusters, each turned about the origin by a rotation of its own",
        _rearranged,
    ),
    "shuffled": Case(
        "Are the same objects described?",
        "a space and a noisy copy",
        "a space and the same rows in another order",
        _shuffled,
    ),
    "rotated": Case(
        "Is it the same space, whatever its axes?",
        "a space and its rotation",
        "a space and one that has half of its features, and noise for the others",
        _rotated,
    ),
    "scaled": Case(
        "Is it the same space, whatever its unit?",
        "a space and ten times that space",
        "two independent spaces",
        _scaled,
    ),
    "far": Case(
        "Do the objects differ from each other in the same way?",
        "a space and a noisy copy",
        "two independent spaces that lie in the same direction far from the origin",
        _far,
    ),
    "ring": Case(
        "Is the loop there in both?",
        "a circle and a noisy copy",
        "a circle and one with a fifth of its length cut out",
        _ring,
    ),
    "wide": Case(
        "Have the spaces anything in common?",
        "a space and a noisy copy",
        "two independent spaces with twice as many features as objects",
        _wide,
    ),
}
"""Cases by name."""
