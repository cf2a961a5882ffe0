"""Whether one embedding is another one: rotated, narrower, with other rows in places, or with noise on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helpers.arrays import best_rotation
from helpers.report.relations import Relation, Sides, relation_of, sides_of
from helpers.similarity.neighbours import jaccard

__all__ = ["JUDGED", "Arrays", "copy_of", "narrower_copy_of", "noisy_copy_of", "partial_copy_of"]

#: How close to 1 linear CKA must be for two spaces to be one up to rotation, scale and shift: half precision is.
ISOMETRIC = 1e-4
#: What remains of an embedding after the best rotation of another one is noise up to this similarity to anything.
UNRELATED = 0.05  # three times as much if the rotation had to be estimated
#: Shares of the variance that a remainder must have to be called noise on top of something.
LEAST_NOISE, MOST_NOISE = 0.001, 0.97
#: A larger share may as well be something that no other embedding has, unless it is alike in all directions …
MUCH_NOISE = 0.75
#: … which it is if the squared variances of directions exceed those of a sphere by at most so much.
ROUND = 0.1
#: Relative distance below which two rows are one, and above which they are not; few may lie between.
SAME_ROW, OTHER_ROW, BETWEEN = 0.1, 0.5, 0.02
#: Share of rows that must be the same, and share that must not be, for a partial copy.
LEAST_SAME, LEAST_OTHER = 0.05, 0.005
JUDGED = 1000


class Arrays:
    """Centred embeddings of the same objects; relations are judged on objects that no rotation was found on."""

    def __init__(self, arrays: Mapping[str, Any]):
        self.arrays = {str(name): _centred(x) for name, x in arrays.items()}
        self.n = len(next(iter(self.arrays.values())))
        self.half = self.n // 2
        self.judged = slice(self.half, min(self.n, self.half + JUDGED))
        self._sides: dict[str, Sides] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def sides(self, name: str) -> Sides:
        """An embedding as tests of independence take it."""
        if name not in self._sides:
            self._sides[name] = sides_of(self.arrays[name][self.judged])
        return self._sides[name]

    def others(self, name: str) -> list[str]:
        """All other embeddings."""
        return [other for other in self.arrays if other != name]


def copy_of(a: str, b: str, cka: float, arrays: Arrays) -> dict[str, Any] | None:
    """Whether two spaces are one up to rotation, scale and shift."""
    if cka < 1 - ISOMETRIC:
        return None
    x, y = arrays[a], arrays[b]
    few = slice(0, 500)
    near = jaccard(x[few], y[few], k=min(10, len(x[few]) - 1), metric="euclidean")
    if near < 0.95:  # a few dominant directions may bring CKA close to 1
        return None
    same = x.shape == y.shape and np.linalg.norm(y - _scale(x, y) * x) < 0.01 * np.linalg.norm(y)
    kind = "copy" if same else "rotated copy"
    evidence = f"CKA {cka:.6f}, {near:.0%} of the neighbours shared"
    return {"embedding": b, "finding": kind, "of": a, "noise": 0.0, "evidence": evidence}


def narrower_copy_of(a: str, b: str, arrays: Arrays) -> dict[str, Any] | None:
    """Whether the narrower of two is a linear map of the other one, as its first features or principal axes are."""
    wide, narrow = (a, b) if arrays[a].shape[1] > arrays[b].shape[1] else (b, a)
    x, y = arrays[wide], arrays[narrow]
    if x.shape[1] == y.shape[1]:
        return None
    half = arrays.half
    if half >= 2 * x.shape[1]:
        weights = np.linalg.lstsq(x[:half], y[:half], rcond=1e-6)[0]
        left = np.sum((y[half:] - x[half:] @ weights) ** 2) / np.sum(y[half:] ** 2)
    else:
        left = 1 - _columns_found(x, y)
    if left > LEAST_NOISE:
        return None
    evidence = f"a linear map of {wide} gives {1 - left:.1%} of its variance"
    return {"embedding": narrow, "finding": "narrower copy", "of": wide, "noise": 0.0, "evidence": evidence}


def partial_copy_of(a: str, b: str, arrays: Arrays, apart: Mapping[str, float]) -> dict[str, Any] | None:
    """Whether some rows of two spaces are the same, up to a rotation, and the others are not at all.

    ``apart`` says how unrelated each of them is to the rest: where rows were mixed up, it is.
    """
    if arrays[a].shape != arrays[b].shape:
        return None
    original, copy = (b, a) if apart[b] < apart[a] else (a, b)
    for distance in _row_distances(arrays[original], arrays[copy]):
        same, other = np.mean(distance < SAME_ROW), np.mean(distance > OTHER_ROW)
        if same >= LEAST_SAME and other >= LEAST_OTHER and 1 - same - other <= BETWEEN:
            evidence = (
                f"{same:.0%} of its rows are those of {original}, the others are not: rows that were shuffled or lost"
            )
            return {"embedding": copy, "finding": "partial copy", "of": original, "noise": 1 - same,
                    "evidence": evidence}  # fmt: skip
    return None


def noisy_copy_of(a: str, b: str, arrays: Arrays) -> dict[str, Any] | None:
    """Whether one of two is the other plus noise: of both directions the one whose residual is less related."""
    best = None
    for original, copy in ((a, b), (b, a)):
        y = arrays[copy]
        for residual, bound in _residuals(arrays[original], y, arrays):
            share = float(np.sum(residual**2) / np.sum(y[arrays.judged] ** 2))
            if not LEAST_NOISE < share < MOST_NOISE or (share > MUCH_NOISE and not _is_round(residual)):
                continue
            bound = bound if best is None else min(bound, best[0])
            others = [original, *(name for name in arrays.others(copy) if name != original)]
            related = _related(sides_of(residual), [arrays.sides(name) for name in others], bound)
            if related < bound:
                best = related, original, copy, share
    if best is None:
        return None
    related, original, copy, share = best
    evidence = (
        f"{1 - share:.0%} of its variance is {original}, rotated and scaled; the rest is related to no other embedding "
        f"(unbiased CKA and distance correlation at most {max(related, 0):.2f})"
    )
    return {"embedding": copy, "finding": "noisy copy", "of": original, "noise": share, "evidence": evidence}


def _centred(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    return x - x.mean(axis=0)


def _columns_found(x: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance of y in columns that are columns of x, up to scale and sign."""
    unit = [z / np.maximum(np.linalg.norm(z, axis=0), 1e-300) for z in (x, y)]
    known = np.abs(unit[0].T @ unit[1]).max(axis=0) > 1 - 1e-6
    weight = np.sum(y**2, axis=0)
    return float(weight[known].sum() / weight.sum())


def _row_distances(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """How far each row of y is from that of x, relative to its length, as they are and after a rotation."""
    lengths = np.maximum(np.linalg.norm(y, axis=1), 1e-300)
    squares = np.maximum(np.sum(x * x, axis=1), 1e-300)
    cosines = np.sum(x * y, axis=1) / np.sqrt(squares) / lengths
    like = np.argsort(-cosines)[: max(10, len(x) // 20)]
    scale = np.median(np.sum(x[like] * y[like], axis=1) / squares[like])
    out = [np.linalg.norm(y - scale * x, axis=1) / lengths]
    if len(x) >= 4 * x.shape[1]:
        rows = np.arange(len(x))
        for _ in range(15):  # the half that fits best finds the rotation
            rotation, trace = best_rotation(x[rows].T @ y[rows])
            turned = x @ rotation * (trace / np.sum(x[rows] ** 2))
            distance = np.linalg.norm(y - turned, axis=1) / lengths
            rows = np.argsort(distance)[: len(x) // 2]
        out.append(distance)
    return out


def _related(residual: Sides, others: Sequence[Sides], bound: float) -> float:
    """The largest similarity of a residual to others, or the first one above the bound."""
    most = -1.0
    for other in others:
        found: Relation = relation_of(residual, other)
        most = max(most, found.value)
        if most >= bound:
            return most
    return most


def _residuals(x: np.ndarray, y: np.ndarray, arrays: Arrays) -> list[tuple[np.ndarray, float]]:
    """What is left of y without x in the judged rows, and how related it may be.

    In the same coordinates; and after a rotation found on the other half, whose error leaves some of x behind.
    """
    half, rows, out = arrays.half, arrays.judged, []
    if x.shape == y.shape:
        out.append((y[rows] - _scale(x, y) * x[rows], UNRELATED))
    if half >= 2 * max(x.shape[1], y.shape[1]):
        rotation, trace = best_rotation(x[:half].T @ y[:half])
        turned = x @ rotation * (trace / np.sum(x[:half] ** 2))
        out.append((y[rows] - turned[rows], 3 * UNRELATED))
    return out


def _is_round(x: np.ndarray) -> bool:
    """Whether the variance is the same in all directions (John, 1972), as far as so many rows tell."""
    n, p = x.shape
    x = x - x.mean(axis=0)
    gram = x @ x.T if n < p else x.T @ x
    excess = p * (np.sum(gram**2) / np.trace(gram) ** 2 - 1 / (n - 1)) - 1
    return bool(excess <= ROUND + 6 / n)  # three standard errors of a sphere, for many features


def _scale(x: np.ndarray, y: np.ndarray) -> float:
    """The factor that brings x closest to y."""
    return float(np.sum(x * y) / np.sum(x * x))
