"""Shape of the data clouds themselves, seen through graphs and complexes of nearby objects.

Both measures look at each representation alone: they do not ask which object of x is which object of y.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from helpers.arrays import as_pair, centred, check_count, generator, to_numpy
from helpers.similarity._distances import rescaled
from helpers.similarity.neighbours import nearest

__all__ = ["geometry_score", "imd"]

Array = Any
TIMES = np.logspace(-1, 1, 256)  # at which heat traces are compared: the authors' grid
LARGEST_BLOCK = 1 << 24  # numbers in the largest temporary array


class _Heat(NamedTuple):
    """The heat trace over n at :data:`TIMES`, and the factor of the distance."""

    trace: np.ndarray
    scale: float


def imd(
    x: Any,
    y: Any,
    *,
    k: int = 5,
    exact_up_to: int = 3000,
    probes: int = 64,
    scale: float = 1e6,
    rng: int | np.random.Generator = 0,
) -> float:
    r"""Intrinsic multi-scale distance: the largest weighted difference of the heat traces of two neighbour graphs.

    A **distance** in [0, ``scale``·e⁻⁴]:

    .. math:: \text{scale}\cdot\max_t\; e^{-2(t + 1/t)}\,|h_x(t) - h_y(t)|,
              \qquad h(t) = \tfrac1n \operatorname{tr} e^{-tL}

    with L the normalised Laplacian of the symmetrised graph of the k nearest neighbours (Euclidean, weight 1) and t on
    256 points from 0.1 to 10, evenly spaced on a log scale. The triangle inequality holds, but 0 does not mean equal.
    Invariant to rotations, permutations of features, isotropic scale and translations.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. Only distances enter; the graph is computed in float64.
    k
        Neighbours of each object, at most n − 1.
    exact_up_to
        Up to this n the trace is exact, from the eigenvalues of L: O(n³) time and 8n² bytes. Above it the power series
        of the heat trace is used, with the moments of L up to the fourth exact and the rest estimated.
    probes
        Random sign vectors for that estimate. The standard error falls with the square root of n · ``probes``: about
        0.06 of 10⁶ on Gaussian data of n = 2000 with 64 probes.
    scale
        The authors' values carry a factor of 10⁶; 1 gives the bare bound.
    rng
        Seed or generator of the probes; both representations see the same ones, so that equal graphs are at 0 exactly.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, k is not between 1 and n − 1, ``probes`` or
        ``exact_up_to`` is negative, or ``scale`` is not positive.

    Notes
    -----
    Finding the neighbours takes O(n²p) time in blocks. With L = I − N, the estimate is
    :math:`h(t) = e^{-t}\sum_m \frac{t^m}{m!} \frac1n\operatorname{tr} N^m`: the first moments, which dominate where the
    weight is large, carry no noise, and one product with the sparse N gives two more.

    References
    ----------
    Tsitsulin, Munkhoeva, Mottin, Karras, Bronstein, Oseledets, Müller (2020), "The shape of data: intrinsic distance
    for data distributions", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.graphs import imd
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> imd(x, 2 * x + 1)
    0.0
    """
    x, y, _ = as_pair(x, y)
    seed = _seed(rng)
    options = {"k": k, "exact_up_to": exact_up_to, "probes": probes, "scale": scale, "rng": seed}
    return _between_imd(_heat(x, "x", **options), _heat(y, "y", **options))


def geometry_score(
    x: Any,
    y: Any,
    *,
    landmarks: int | None = None,
    complexes: int = 1000,
    gamma: float | None = None,
    max_holes: int = 100,
    relaxation: str = "squared",
    replace: bool = False,
    rng: int | np.random.Generator = 0,
) -> float:
    r"""Geometry score: do random witness complexes of the two data clouds have equally many holes for equally long?

    A **distance** in [0, 2]: the squared Euclidean distance between the mean relative living times, vectors whose entry
    i is the expected share of the range of the relaxation α ∈ [0, α_max] during which the witness complex of random
    landmarks has exactly i one-dimensional holes. Being a square it is no metric. Invariant to rotations, permutations
    of features, isotropic scale and translations.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. Only distances enter, in float64.
    landmarks
        Objects that are the vertices of a complex: 64, or all where there are fewer. All objects are witnesses.
    complexes
        Random choices of landmarks to average over; the same objects are drawn for x and y, so that equal geometry is
        at 0 exactly.
    gamma
        α_max over the largest distance between a landmark and an object; by default the authors' n / 640 000.
    max_holes
        Length of the vectors: times with this many holes or more are left out.
    relaxation : {"squared", "distance"}
        A witness w admits a simplex σ at α if :math:`d(w, l)^2 \le d(w, l')^2 + \alpha^2` for all landmarks l in and l'
        outside σ, or, as in the authors' code, if :math:`d(w, l) \le d(w, l') + \alpha`; and all faces of σ are there.
    replace
        Draw the landmarks with replacement, as in the authors' code.
    rng
        Seed or generator of the landmarks.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, ``landmarks`` is not between 1 and n, ``complexes`` or
        ``max_holes`` is below 1, ``gamma`` is not positive, ``relaxation`` is unknown, or a representation is constant.

    Notes
    -----
    O(n · landmarks · p) time a complex, or O(n²p) for all of them where n² distances fit in 128 MB; the homology is
    computed over Z/2 by compiled code on all cores. The first call compiles it (seconds).

    References
    ----------
    Khrulkov, Oseledets (2018), "Geometry score: a method for comparing generative adversarial networks", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.graphs import geometry_score
    >>> angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    >>> ring, line = np.column_stack([np.cos(angle), np.sin(angle)]), angle[:, None]
    >>> round(geometry_score(ring, line, landmarks=20, gamma=0.1, complexes=50), 4)  # one hole against none
    2.0
    """
    x, y, _ = as_pair(x, y)
    options = {
        "landmarks": landmarks,
        "complexes": complexes,
        "gamma": gamma,
        "max_holes": max_holes,
        "relaxation": relaxation,
        "replace": replace,
        "rng": _seed(rng),
    }
    return _between_geometry(_living_times(x, "x", **options), _living_times(y, "y", **options))


def _heat(
    x: Array,
    name: str = "x",
    k: int = 5,
    exact_up_to: int = 3000,
    probes: int = 64,
    scale: float = 1e6,
    rng: int | np.random.Generator = 0,
) -> _Heat:
    n = x.shape[0]
    check_count(k, "k", most=n - 1, why=f"({name} has {n} rows, and none is its own neighbour)")
    check_count(exact_up_to, "exact_up_to", least=0)
    check_count(probes, "probes")
    if not 0 < scale < math.inf:
        raise ValueError(f"scale is {scale}; it must be above 0 and finite")
    adjacency = _normalised_adjacency(x, k)
    trace = _exact_heat(adjacency) if n <= exact_up_to else _estimated_heat(adjacency, probes, generator(rng))
    return _Heat(trace, scale)


def _between_imd(a: _Heat, b: _Heat) -> float:
    return a.scale * float(np.max(np.exp(-2 * (TIMES + 1 / TIMES)) * np.abs(a.trace - b.trace)))


def _normalised_adjacency(x: Array, k: int) -> Any:
    """N = D^(-1/2) A D^(-1/2) of the symmetrised neighbour graph, sparse."""
    from scipy.sparse import csr_array, diags_array

    n = x.shape[0]
    neighbours = nearest(x, k, "euclidean")
    adjacency = csr_array((np.ones(n * k), neighbours.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    adjacency = adjacency.maximum(adjacency.T)
    roots = diags_array(1 / np.sqrt(adjacency.sum(axis=1)))
    return (roots @ adjacency @ roots).tocsr()


def _exact_heat(adjacency: Any) -> np.ndarray:
    from scipy.linalg import eigvalsh

    eigenvalues = eigvalsh(adjacency.toarray(), overwrite_a=True, check_finite=False)
    return np.array([np.mean(np.exp(-t * (1 - eigenvalues))) for t in TIMES])


def _estimated_heat(adjacency: Any, probes: int, rng: np.random.Generator) -> np.ndarray:
    """The power series with exact moments 0 to 4 and the others from random signs, up to where the terms vanish."""
    n, order = adjacency.shape[0], 60
    moments = np.zeros(order + 1)
    step = max(1, min(probes, LARGEST_BLOCK // (4 * n)))
    for start in range(0, probes, step):
        after = rng.choice([-1.0, 1.0], size=(n, min(step, probes - start)))
        for m in range(0, order, 2):
            before, after = after, adjacency @ after
            moments[m + 1] += np.vdot(before, after)
            moments[m + 2] += np.vdot(after, after)
    moments /= n * probes
    moments[:3] = 1, 0, adjacency.power(2).sum() / n
    moments[3:5] = 0
    for start in range(0, n, 1024):
        rows = adjacency[start : start + 1024]
        squared = rows @ adjacency
        moments[3] += squared.multiply(rows).sum() / n
        moments[4] += squared.power(2).sum() / n
    # Terms t^m / m! e^(-t) of a Poisson law.
    terms = np.empty((len(TIMES), order + 1))
    terms[:, 0] = np.exp(-TIMES)
    for m in range(1, order + 1):
        terms[:, m] = terms[:, m - 1] * TIMES / m
    return terms @ moments


def _living_times(
    x: Array,
    name: str = "x",
    landmarks: int | None = None,
    complexes: int = 1000,
    gamma: float | None = None,
    max_holes: int = 100,
    relaxation: str = "squared",
    replace: bool = False,
    rng: int | np.random.Generator = 0,
) -> np.ndarray:
    """The mean relative living times."""
    from helpers.similarity._witness import living_times

    n = x.shape[0]
    landmarks = min(64, n) if landmarks is None else check_count(landmarks, "landmarks", most=n, why="(the rows)")
    check_count(complexes, "complexes")
    check_count(max_holes, "max_holes")
    if relaxation not in ("squared", "distance"):
        raise ValueError(f'relaxation is {relaxation!r}; it must be "squared" or "distance"')
    gamma = n / 640_000 if gamma is None else gamma
    if not 0 < gamma < math.inf:
        raise ValueError(f"gamma is {gamma}; it must be above 0 and finite")
    rng = generator(rng)
    if landmarks == n and not replace:
        complexes = 1  # every choice is all objects
    chosen = np.stack([rng.choice(n, landmarks, replace=replace) for _ in range(complexes)])

    xp = array_namespace(x)
    x = xp.astype(centred(rescaled(x)[0], name), xp.float64)
    # All distances at once where they fit, else those to the landmarks of as many complexes as fit.
    group = complexes if n * n <= LARGEST_BLOCK else max(1, LARGEST_BLOCK // (n * landmarks))
    total, squared = np.zeros(max_holes), relaxation == "squared"
    for start in range(0, complexes, group):
        which, columns = np.unique(chosen[start : start + group], return_inverse=True)
        values = to_numpy(_squares_to(x, which))
        largest = np.sqrt(values.max(axis=0))
        if not squared:
            values = np.sqrt(values)
        columns = columns.reshape(-1, landmarks)
        cuts = gamma * largest[columns].max(axis=1)
        total += living_times(values, columns, cuts**2 if squared else cuts, max_holes, squared).sum(axis=0)
    return total / complexes


def _between_geometry(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sum((a - b) ** 2))


def _squares_to(x: Array, which: np.ndarray) -> Array:
    """Squared distances of all rows to some of them; of a row to itself 0 exactly."""
    xp = array_namespace(x)
    chosen = xp.asarray(which, device=device(x))
    targets = xp.take(x, chosen, axis=0)
    norms = xp.sum(x * x, axis=1)
    out = norms[:, None] + xp.take(norms, chosen)[None, :] - 2 * xp.matmul(x, targets.T)
    out = xp.clip(out, 0, None)
    out[chosen, xp.arange(which.shape[0], device=device(x))] = 0.0
    return out


def _seed(rng: int | np.random.Generator) -> int:
    """One seed for both representations, also where a generator is given."""
    return int(rng.integers(2**63)) if isinstance(rng, np.random.Generator) else rng


_PARTS = {
    "imd": (_heat, _between_imd),
    "geometry_score": (_living_times, _between_geometry),
}
