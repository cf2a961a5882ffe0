"""Faults made on purpose in a healthy space, to see whether they are found."""

from __future__ import annotations

import numpy as np

from helpers.arrays import generator, to_numpy, unit_rows

__all__ = ["DAMAGES", "damaged_space"]


def damaged_space(x: np.ndarray, finding: str, *, rng: int | np.random.Generator = 0) -> np.ndarray:
    """A space with one fault, of a strength drawn at random.

    Parameters
    ----------
    x : ndarray of shape (n, p)
        A healthy space.
    finding
        The fault, by its name in :data:`helpers.quality.FINDINGS`. *Wrong metric* makes lengths differ, and is one if
        objects are compared by ``"dot"``.
    rng
        Seed or generator of the strength and of everything else.

    Returns
    -------
    ndarray of shape (n, p)
        A space in which the differences between objects were shrunk to a thousandth or less (complete collapse),
        projected on 2 to p / 5 directions up to noise of at most 3 % (dimensional), moved to 2 to 8 centres up to at
        most a tenth (cluster); in which 5 to 30 % of the objects share a vector up to noise of at most 1 % (token), all
        have one of 2 to 8 vectors (codebook), 20 to 60 % are repeated (duplicates), 1 to 3 coordinates are 15 to 40
        times as large as usual (rogue), lengths differ by a factor of e or more (normalisation, metric), or noise
        makes objects less similar and 0.5 to 2 % of them lie in the middle of all (hubs).

    Raises
    ------
    ValueError
        If the fault is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import damaged_space, diagnose
    >>> x = np.random.default_rng(0).normal(size=(300, 64))
    >>> diagnose(damaged_space(x, "token collapse")).findings
    ['token collapse']
    """
    if finding not in DAMAGES:
        raise ValueError(f"finding is {finding!r}; it can be {', '.join(DAMAGES)}")
    return DAMAGES[finding](np.array(to_numpy(x), dtype=np.float64), generator(rng))


def _spread(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1))))


def _noise(x: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Normal rows whose typical length is a share of the spread of x."""
    return size * _spread(x) / np.sqrt(x.shape[1]) * rng.normal(size=x.shape)


def _to_a_point(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    centre = rng.normal(size=x.shape[1])
    return centre / np.linalg.norm(centre) + 10 ** -rng.uniform(3, 5) * (x - x.mean(axis=0)) / _spread(x)


def _to_a_subspace(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    p = x.shape[1]
    axes = np.linalg.qr(rng.normal(size=(p, int(rng.integers(2, max(3, p // 5) + 1)))))[0]
    mean = x.mean(axis=0)
    out = (x - mean) @ axes @ axes.T
    out *= _spread(x) / _spread(out)
    scale = np.sqrt(np.mean((out @ axes) ** 2))  # of a direction that is left
    return mean + out + 10 ** -rng.uniform(1.5, 4) * scale * rng.normal(size=x.shape)


def _to_clusters(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(2, 9))
    mean = x.mean(axis=0)
    middles = mean + 2 * rng.normal(size=(count, x.shape[1])) * x.std(axis=0)
    of = rng.permutation(np.arange(len(x)) % count)
    return middles[of] + 10 ** -rng.uniform(1, 3) * (x - mean)


def _to_one_token(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rows = rng.choice(len(x), int(len(x) * rng.uniform(0.05, 0.3)), replace=False)
    some = _noise(x, 10 ** -rng.uniform(2, 5), rng)[rows] if rng.random() < 0.7 else 0.0
    x[rows] = x[rows[0]] + some
    return x


def _to_codes(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    book = x[rng.choice(len(x), int(rng.integers(2, 9)), replace=False)]
    return book[rng.choice(len(book), len(x), p=rng.dirichlet(np.full(len(book), 5.0)))]


def _repeated(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n = len(x)
    rows = rng.permutation(n)
    count = int(n * rng.uniform(0.2, 0.6) / 2)
    x[rows[:count]] = x[rows[-count:]]
    return x


def _with_rogues(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    columns = rng.choice(x.shape[1], min(int(rng.integers(1, 4)), max(1, x.shape[1] // 8)), replace=False)
    size = rng.uniform(15, 40) * np.sqrt(np.mean(x**2, axis=0).max())
    x[:, columns] = size * (1 + 0.3 * rng.normal(size=(len(x), len(columns))) * rng.integers(0, 2))
    return x


def _with_lengths(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        return unit_rows(x) * np.exp(rng.uniform(1, 2) * rng.normal(size=(len(x), 1)))
    some = rng.random((len(x), 1)) < rng.uniform(0.3, 0.7)
    return unit_rows(x) * np.where(some, 1.0, rng.uniform(10, 50))


def _with_hubs(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    aside = rng.normal(size=x.shape[1])
    x = unit_rows(unit_rows(x - x.mean(axis=0)) + unit_rows(rng.normal(size=x.shape)))  # hubs come with many dimensions
    x += aside / np.linalg.norm(aside)
    rows = rng.choice(len(x), max(2, int(len(x) * rng.uniform(0.005, 0.02))), replace=False)
    x[rows] = x.mean(axis=0) + _noise(x, 0.15, rng)[rows]
    return x


DAMAGES = {
    "complete collapse": _to_a_point,
    "dimensional collapse": _to_a_subspace,
    "cluster collapse": _to_clusters,
    "token collapse": _to_one_token,
    "codebook collapse": _to_codes,
    "duplicates": _repeated,
    "rogue dimensions": _with_rogues,
    "normalisation forgotten": _with_lengths,
    "wrong metric": _with_lengths,
    "hubs": _with_hubs,
}
"""Finding → what makes it."""
