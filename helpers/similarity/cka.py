"""Centred kernel alignment (CKA)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from helpers.arrays import as_matrix, as_pair, sum_of_squares
from helpers.similarity._distances import distance_matrix, points, row_blocks, well_scaled
from helpers.similarity.streaming import Objects, Requirements, Streamed, Totals, cosines

__all__ = ["cka", "cka_rbf", "cka_unbiased"]

Array = Any


def cka(
    x: Any,
    y: Any,
    *,
    kernel: str | Callable[[Array], Array] = "linear",
    bandwidth: float = 1.0,
    unbiased: bool = False,
) -> float:
    r"""Centred kernel alignment: the cosine between two centred kernel matrices.

    .. math:: \mathrm{CKA}(K, L) = \frac{\mathrm{HSIC}(K, L)}{\sqrt{\mathrm{HSIC}(K, K)\,\mathrm{HSIC}(L, L)}}

    For the linear kernel it is :math:`\|Y^\top X\|_F^2 / (\|X^\top X\|_F\,\|Y^\top Y\|_F)` on centred columns, and
    no matrix of n × n entries is formed while n is larger than p and q.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q). More than 1024 objects in float32 are computed in float32 with sums
        in float64; with the linear kernel, fewer in float64.
    kernel
        ``"linear"``; ``"rbf"``, the Gaussian kernel :math:`\exp(-d^2 / 2\sigma^2)`; or a function from a
        representation (n, p) to its symmetric kernel matrix (n, n), such as those of ``sklearn.metrics.pairwise``.
    bandwidth
        For ``"rbf"``: σ as a multiple of the median distance between two different objects, for each side its own.
    unbiased
        Take the estimator HSIC₁ of Song et al. (2012) in place of the biased one of Gretton et al. (2005): on
        independent data its expectation is 0, at any n, p and q, where the biased value is well above 0.

    Returns
    -------
    float
        A similarity. Biased: in [0, 1], and 1 for equal representations. Unbiased: at most 1, can be negative.

    Raises
    ------
    ValueError
        If a representation is constant (or, for ``unbiased``, leaves nothing after U-centring: all objects equally
        far from each other), n < 4 for ``unbiased``, or half of all distances are 0 for ``"rbf"``.

    Notes
    -----
    Linear and Gaussian CKA do not change under orthogonal maps, translation and isotropic scaling of either side.
    Cost: O(n (p + q)²) for the linear kernel and p, q < n, else O(n² (p + q)) time and two n × n matrices.
    Kornblith, Norouzi, Lee and Hinton (2019), Similarity of neural network representations revisited, ICML; Song,
    Smola, Gretton, Bedo and Borgwardt (2012), Feature selection via dependence maximization, JMLR 13.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.cka import cka
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    >>> round(cka(x, x @ np.array([[0.0, 2.0], [-2.0, 0.0]]) + 7), 12)
    1.0
    """
    x, y, xp = as_pair(x, y, rows=4 if unbiased else 2)
    if isinstance(kernel, str) and kernel == "linear":
        return STREAMED["cka"](x, y, kernel=kernel, bandwidth=bandwidth, unbiased=unbiased)
    if kernel == "rbf":
        if not (isinstance(bandwidth, (int, float)) and 0 < bandwidth < math.inf):
            raise ValueError(f"bandwidth is {bandwidth!r}; a positive multiple of the median distance is needed")
        k, m = _rbf(x, bandwidth, "x"), _rbf(y, bandwidth, "y")
    elif callable(kernel):
        k, m = _called(kernel, x, "x"), _called(kernel, y, "y")
    else:
        raise ValueError(f"kernel is {kernel!r}; it must be 'linear', 'rbf' or a function to a kernel matrix")
    return _from_grams(k, m, unbiased)


def cka_rbf(x: Any, y: Any, *, bandwidth: float = 1.0, unbiased: bool = False) -> float:
    """CKA with the Gaussian kernel: :func:`cka` with ``kernel="rbf"``.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.cka import cka_rbf
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    >>> round(cka_rbf(x, -5 * x), 12)
    1.0
    """
    return cka(x, y, kernel="rbf", bandwidth=bandwidth, unbiased=unbiased)


def cka_unbiased(x: Any, y: Any, *, kernel: str | Callable[[Array], Array] = "linear", bandwidth: float = 1.0) -> float:
    """CKA from unbiased estimators of HSIC: :func:`cka` with ``unbiased=True``.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.cka import cka, cka_unbiased
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(50, 200)), rng.normal(size=(50, 200))
    >>> round(cka(x, y), 2), round(cka_unbiased(x, y), 2)
    (0.82, 0.08)
    """
    return cka(x, y, kernel=kernel, bandwidth=bandwidth, unbiased=True)


def _from_grams(k: Array, m: Array, unbiased: bool) -> float:
    """Cosine between two kernel matrices, double-centred or (``unbiased``) U-centred; overwrites neither."""
    xp = array_namespace(k)
    noise = (8 * float(xp.finfo(k.dtype).eps)) ** 2
    parts = []
    for name, gram in (("x", k), ("y", m)):
        out = _u_centred(gram) if unbiased else _double_centred(gram)
        square = sum_of_squares(out)
        _check_defined(square, noise * sum_of_squares(gram), name)
        parts.append((out, square))
    (a, aa), (b, bb) = parts
    return min(1.0, _dot(a, b) / math.sqrt(aa * bb))


def _double_centred(gram: Array) -> Array:
    """H K H with H = I - 11'/n."""
    xp = array_namespace(gram)
    mean = xp.mean(gram, axis=0, dtype=xp.float64)
    shift = xp.astype(mean - xp.mean(mean) / 2, gram.dtype)
    return gram - shift[:, None] - shift[None, :]


def _u_centred(gram: Array) -> Array:
    """The U-centring of Szekely and Rizzo (2014): the diagonal is 0 and so is every row sum."""
    xp = array_namespace(gram)
    n = gram.shape[0]
    eye = xp.eye(n, dtype=xp.bool, device=device(gram))
    zero = xp.zeros_like(gram)
    gram = xp.where(eye, zero, gram)
    rows = xp.sum(gram, axis=0, dtype=xp.float64) / (n - 2)
    shift = xp.astype(rows - xp.sum(rows) / (2 * (n - 1)), gram.dtype)
    return xp.where(eye, zero, gram - shift[:, None] - shift[None, :])


def _rbf(x: Array, bandwidth: float, name: str) -> Array:
    """Gaussian kernel matrix with a bandwidth in units of the median distance between different objects."""
    xp = array_namespace(x)
    squares = distance_matrix(points(well_scaled(x, name), "sqeuclidean"))
    median = _median_distance(squares)
    if median == 0:
        raise ValueError(f"{name}: the median distance is 0 (half of the pairs are duplicates); it sets the bandwidth")
    return xp.exp(squares / (-2 * (bandwidth * median) ** 2))


def _median_distance(squares: Array) -> float:
    """Median distance over the pairs i < j from the matrix of squared distances."""
    n = squares.shape[0]
    pairs = n * (n - 1) // 2
    # Sorted, the matrix begins with its diagonal, and then has every pair twice.
    middle = [n + 2 * ((pairs - 1) // 2), n + 2 * (pairs // 2)]
    flat = squares.reshape(-1)
    ordered = flat.sort().values if is_torch_array(squares) else np.partition(flat, middle)
    return sum(math.sqrt(float(ordered[m])) for m in middle) / 2


def _called(kernel: Callable[[Array], Array], x: Array, name: str) -> Array:
    """The kernel matrix that a user's function returns, checked."""
    xp = array_namespace(x)
    gram = as_matrix(kernel(x), f"kernel({name})")
    if gram.shape != (x.shape[0], x.shape[0]):
        raise ValueError(f"kernel({name}) has shape {tuple(gram.shape)}; ({x.shape[0]}, {x.shape[0]}) is needed")
    scale = float(xp.max(xp.abs(gram)))
    if float(xp.max(xp.abs(gram - gram.T))) > 1e-4 * scale:
        raise ValueError(f"kernel({name}) is not symmetric")
    return gram


def _dot(a: Array, b: Array) -> float:
    """Inner product of two matrices, summed in float64 without a float64 copy of either."""
    xp = array_namespace(a)
    total = 0.0
    for start, stop in row_blocks(a.shape[0], a.shape[1]):
        left, right = (xp.reshape(xp.astype(z[start:stop, :], xp.float64, copy=False), (-1,)) for z in (a, b))
        total += float(xp.vecdot(left, right))
    return total


def _check_defined(left: float, noise: float, name: str) -> None:
    """Refuse a representation whose kernel matrix centring leaves empty."""
    if not left > noise:
        raise ValueError(f"{name}: nothing is left of its kernel matrix after centring; CKA is undefined")


def _requires(objects: Objects, kernel: Any, bandwidth: float, unbiased: bool) -> Requirements | None:
    """Sums of products of centred linear kernel matrices; other kernels are computed pair by pair."""
    if not isinstance(kernel, str) or kernel != "linear":
        return None
    if unbiased:
        objects.check_enough(4, "cka_unbiased")
    return Requirements(gram=True)


def _from_sums(totals: Totals, unbiased: bool, **_: Any) -> np.ndarray:
    n, pairs, diagonal, trace = totals.n, 2 * totals.gram, totals.gram_diagonal, totals.gram_trace
    whole, reason = pairs + diagonal, "nothing is left of its kernel matrix after centring"
    if not unbiased:
        return cosines(whole, totals.names, 0.0, 0.0, reason)
    # Rows of a centred kernel matrix sum to 0, so those of the matrix without its diagonal sum to minus the diagonal.
    products = pairs - 2 / (n - 2) * diagonal + np.outer(trace, trace) / ((n - 1) * (n - 2))
    noise = 16 * float(np.finfo(totals.info["dtype"]).eps) * np.diag(whole)
    return cosines(products, totals.names, -1.0, noise, reason)


STREAMED = {
    "cka": Streamed(_requires, _from_sums),
    "cka_unbiased": Streamed(partial(_requires, unbiased=True), partial(_from_sums, unbiased=True)),
}
