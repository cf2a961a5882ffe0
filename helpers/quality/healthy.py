"""Spaces in which nothing is wrong: what a diagnosis takes for granted that an embedding may be."""

from __future__ import annotations

import numpy as np

from helpers.arrays import check_count, generator, unit_rows

__all__ = ["healthy_space"]


def healthy_space(n: int, p: int, *, rng: int | np.random.Generator = 0) -> np.ndarray:
    r"""A space drawn from a population of healthy ones, wide enough to hold the encoders that were looked at.

    A normal space would not do: real embeddings lie in a cone, have a spectrum that decays, groups of topics, lengths
    that differ, repeated inputs. Each draw has

    - eigenvalues :math:`k^{-a}` with a even in [0, 1.6], in random directions or, for 3 in 10, along the coordinates,
      as after PCA or a factorisation;
    - for 6 in 10 up to n / 4 groups of uneven sizes, in which 30 to 100 % of the variance lies within the groups;
    - for 7 in 10 a common direction, for a mean cosine of up to 0.99; along the coordinates it may be a first one whose
      mean is up to twice its standard deviation;
    - for half of them coordinates whose scales differ by a factor of :math:`e^{0.25}`, as gains of a last layer do;
    - rows whose lengths differ by a log-normal factor of up to some 30 %, and for half of them then have length 1;
    - for half of them some per cent of rows that are repeated.

    Parameters
    ----------
    n, p
        Numbers of objects and of features.
    rng
        Seed or generator of the draw.

    Returns
    -------
    ndarray of shape (n, p)
        The space, float64.

    Examples
    --------
    >>> from helpers.quality import healthy_space
    >>> healthy_space(50, 8).shape
    (50, 8)
    """
    check_count(n, "n", least=8)
    check_count(p, "p", least=2)
    rng = generator(rng)
    x = rng.normal(size=(n, p))
    if rng.random() < 0.6:
        count = int(np.exp(rng.uniform(np.log(2), np.log(max(3, n / 4)))))
        within = rng.uniform(0.3, 1)
        sizes = rng.dirichlet(np.ones(count))
        x = np.sqrt(within) * x + np.sqrt(1 - within) * rng.normal(size=(count, p))[rng.choice(count, n, p=sizes)]
    x *= np.arange(1, p + 1) ** (-rng.uniform(0, 1.6) / 2)
    aligned = rng.random() < 0.3
    cone = 1 - 10 ** -rng.uniform(0, 2) if rng.random() < 0.7 else 0.0
    centre = rng.normal(size=p) / np.sqrt(p)
    ahead = 2 * rng.random() if aligned and rng.random() < 0.5 else 0.0
    if not aligned:
        x = _turned(x, rng)
    spread = np.sqrt(np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1)))
    if ahead:  # as in a factorisation that does not centre, whose first coordinate is nearly the mean
        x[:, 0] += ahead * x[:, 0].std()
    else:
        x += centre / np.linalg.norm(centre) * spread * np.sqrt(cone / (1 - cone))
    if rng.random() < 0.5:
        x *= np.exp(0.25 * rng.normal(size=p))
    x *= np.exp(abs(0.15 * rng.normal()) * rng.normal(size=(n, 1)))
    if rng.random() < 0.5:
        x = unit_rows(x)
    if rng.random() < 0.5:
        repeated = int(n * min(abs(0.015 * rng.normal()), 0.05))
        x[rng.choice(n, repeated, replace=False)] = x[rng.choice(n, repeated)]
    return x


def _turned(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows in a random orientation: signs and cosine transforms, each orthogonal, instead of a dense rotation."""
    from scipy.fft import dct

    p = x.shape[1]
    for _ in range(2):
        x = dct(x[:, rng.permutation(p)] * rng.choice([-1.0, 1.0], p), axis=1, norm="ortho")
    return x * rng.choice([-1.0, 1.0], p)
