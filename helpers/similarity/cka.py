"""Centred kernel alignment (CKA)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from helpers.arrays import alike, as_matrix, as_pair, sum_of_squares
from helpers.similarity._distances import distance_matrix, points, row_blocks, well_scaled
from helpers.similarity.streaming import Objects, Requirements, Streamed, Totals, cosines

__all__ = ["cka", "cka_rbf", "cka_sampled_features", "cka_unbiased"]

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
    k, m = gram_of(x, kernel, bandwidth, "x"), gram_of(y, kernel, bandwidth, "y")
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


def cka_sampled_features(x: Any, y: Any) -> float:
    r"""Linear CKA of two spaces of which the features, as well as the objects, are a sample.

    With :math:`h(v, w)` the unbiased HSIC of two single features, over pairs of *different* features,

    .. math:: \frac{\operatorname{mean}_{ab} h(x_a, y_b)}
              {\sqrt{\operatorname{mean}_{a \ne b} h(x_a, x_b)\, \operatorname{mean}_{a \ne b} h(y_a, y_b)}} .

    :func:`cka_unbiased` counts each feature with itself below the line, where another sample of features would have
    two different ones; with few features it is too low for that.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q), p and q at least 2, the features exchangeable draws (neurons of a
        layer, say). A feature of x that is, up to scale, sign and offset, a feature of y counts as one draw: the pair
        is left out above the line as well.

    Returns
    -------
    float
        A similarity without fixed limits: 1 for equal representations, 0 on average for independent data, and the
        ratio of estimates may be beyond 1 or below 0.

    Raises
    ------
    ValueError
        If n < 4, a representation has a single feature or is constant, or the mean below the line is not positive: the
        features have nothing in common that another sample of features would repeat.

    Notes
    -----
    Not invariant to rotations: they are sums of features, and no sample of the same space. Invariant to permutations of
    features, translation and isotropic scaling of either side. Cost: O(n (p + q)²) time.
    Chun, Canatar, Chung and Lee (2025), Estimating neural representation alignment from sparsely sampled inputs and
    features, arXiv 2502.15104. The formula was read in the code of Groeger, Wen and Brbic (2026), arXiv 2602.14486.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.cka import cka_sampled_features, cka_unbiased
    >>> rng = np.random.default_rng(0)
    >>> features = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 40)) + rng.normal(size=(300, 40))
    >>> x, y = features[:, :20], features[:, 20:]  # two samples of the features of one space
    >>> round(cka_unbiased(x, y), 2) < 0.85, abs(cka_sampled_features(x, y) - 1) < 0.15
    (True, True)
    """
    x, y, _ = as_pair(x, y, rows=4)
    return _between_samples(_sampled(x, "x"), _sampled(y, "y"))


def _sampled(x: Array, name: str = "x") -> tuple[Array, float]:
    """The centred features, and the mean of the HSIC of two different ones."""
    x = well_scaled(as_matrix(x, name, rows=4), name)
    xp, width = array_namespace(x), x.shape[1]
    if width < 2:
        raise ValueError(f"{name} has one feature; cka_sampled_features needs at least two of each side")
    between = _single_features(x, x)[0]
    own = xp.linalg.diagonal(between)
    mean = (float(xp.sum(between)) - float(xp.sum(own))) / (width * (width - 1))
    if not mean > 1e-12 * float(xp.sum(xp.abs(own))) / width:
        raise ValueError(f"{name}: its features have nothing in common, on average; cka_sampled_features is undefined")
    return x, mean


def _single_features(x: Array, y: Array) -> tuple[Array, Array]:
    """Unbiased HSIC (times n(n - 3)) of every feature of x with every one of y, and the squares of their cosines."""
    xp, n, products, squares = array_namespace(x), x.shape[0], 0.0, 0.0
    left = right = 0.0
    for start, stop in row_blocks(n, max(x.shape[1], y.shape[1])):
        u, v = (xp.astype(of[start:stop, :], xp.float64, copy=False) for of in (x, y))
        products, squares = products + xp.matmul(u.T, v), squares + xp.matmul((u * u).T, v * v)
        left, right = left + xp.sum(u * u, axis=0), right + xp.sum(v * v, axis=0)
    traces = left[:, None] * right[None, :]
    between = products**2 - squares * (n / (n - 2)) + traces / ((n - 1) * (n - 2))
    return between, products**2 / xp.where(traces > 0, traces, xp.ones_like(traces))


def _between_samples(a: tuple[Array, float], b: tuple[Array, float]) -> float:
    x, y, xp = alike(a[0], b[0])
    between, squares = _single_features(x, y)
    # One feature on both sides, but for scale, sign and offset: its cosine is 1 up to the rounding of its sums.
    same = squares > 1 - 64 * x.shape[0] ** 0.5 * float(xp.finfo(x.dtype).eps)
    count = int(xp.sum(xp.astype(~same, xp.int64)))
    if not count:
        raise ValueError("every feature of x is one of y; cka_sampled_features is undefined")
    return float(xp.sum(xp.where(same, xp.zeros_like(between), between))) / count / math.sqrt(a[1] * b[1])


def gram_of(x: Array, kernel: str | Callable[[Array], Array], bandwidth: float, name: str) -> Array:
    """The kernel matrix (n, n) of one representation, before centring; options as in :func:`cka`."""
    if isinstance(kernel, str) and kernel == "linear":
        x = well_scaled(x, name)
        return array_namespace(x).matmul(x, x.T)
    if isinstance(kernel, str) and kernel == "rbf":
        if not (isinstance(bandwidth, (int, float)) and 0 < bandwidth < math.inf):
            raise ValueError(f"bandwidth is {bandwidth!r}; a positive multiple of the median distance is needed")
        return _rbf(x, bandwidth, name)
    if callable(kernel):
        return _called(kernel, x, name)
    raise ValueError(f"kernel is {kernel!r}; it must be 'linear', 'rbf' or a function to a kernel matrix")


def centred_gram(gram: Array, unbiased: bool, name: str) -> Array:
    """A kernel matrix, double-centred or (``unbiased``) U-centred; raises ``ValueError`` if nothing is left."""
    out = _u_centred(gram) if unbiased else _double_centred(gram)
    noise = (8 * float(array_namespace(gram).finfo(gram.dtype).eps)) ** 2
    _check_defined(sum_of_squares(out), noise * sum_of_squares(gram), name)
    return out


def _from_grams(k: Array, m: Array, unbiased: bool) -> float:
    """Cosine between two kernel matrices, double-centred or (``unbiased``) U-centred; overwrites neither."""
    a, b = centred_gram(k, unbiased, "x"), centred_gram(m, unbiased, "y")
    return min(1.0, _dot(a, b) / math.sqrt(sum_of_squares(a) * sum_of_squares(b)))


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

_PARTS = {"cka_sampled_features": (_sampled, _between_samples)}
