"""Shape distances: representations compared after the best orthogonal map or permutation of the features.

In a matrix of all pairs, what belongs to one representation alone (centring, norm, reduction to min(n, p) columns) is
done once: ``Measure.prepare`` in the registry.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from helpers.arrays import alike, as_pair, check_alike, column_means, row_slices, sum_of_squares, svd, to_numpy
from helpers.similarity._distances import rescaled

__all__ = ["aligned_cosine", "angular_shape", "permutation_procrustes", "procrustes", "procrustes_normalized"]

Array = Any


class _Shape(NamedTuple):
    """A representation that is centred and brought to unit Frobenius norm block by block, where it is used.

    No copy of a representation is held: a matrix of all pairs needs no more memory than a few pairs.
    """

    array: Array
    mean: Array | None
    divisor: float
    norm: float  # of the centred representation is norm * scale
    scale: float

    def rows(self, which: slice) -> Array:
        xp, block = array_namespace(self.array), self.array[which, :]
        if self.mean is not None:
            block = xp.astype(block - self.mean, block.dtype, copy=False)
        return block if self.divisor == 1 else block / self.divisor

    def holding(self, unit: Array) -> _Shape:
        """This norm with another matrix of unit norm."""
        return self._replace(array=unit, mean=None, divisor=1.0)


def procrustes(x: Any, y: Any, *, centre: bool = True, alpha: float = 1.0) -> float:
    r"""Procrustes size-and-shape distance: :math:`\min_Q \|XQ - Y\|_F` over orthogonal maps Q.

    A **distance** in [0, ∞), 0 for representations that a rotation or reflection (and, if centred, a translation)
    brings together; the narrower one is padded with zero features. A metric between such classes.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. float32 (and half, which becomes float32) is computed in float32
        with centring and norms in float64, every other type in float64.
    centre
        Subtract the mean of every feature first.
    alpha
        Partial whitening in [0, 1]: X becomes :math:`X(\alpha I + (1-\alpha)(X^TX)^{-1/2})`, scaled back to the norm of
        X. At 1 nothing happens; at 0 the shapes are compared up to any invertible linear map.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, or ``alpha`` is not in [0, 1].

    Notes
    -----
    The minimum is :math:`\|X\|^2 + \|Y\|^2 - 2\|X^TY\|_*` squared; where that difference of large numbers would lose
    its digits, the aligned residual itself is summed. Invariant to rotations, permutations of features, and
    translations (if centred); not to scale. O(npq + min(p, q)²·max(p, q)) time with p, q at most n: wider
    representations are first reduced to n columns.

    References
    ----------
    Williams, Kunz, Kornblith, Linderman (2021), "Generalized shape metrics on neural representations", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.shape import procrustes
    >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> turned = x @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> round(procrustes(x, turned), 12)
    0.0
    >>> round(procrustes(x, 2 * x), 4) == round(float(np.linalg.norm(x - x.mean(0))), 4)
    True
    """
    x, y, _ = as_pair(x, y)
    return _between_procrustes(*(_shape(a, name, centre, alpha) for a, name in ((x, "x"), (y, "y"))))


def procrustes_normalized(x: Any, y: Any, *, centre: bool = True, alpha: float = 1.0) -> float:
    r"""Procrustes distance of representations centred and scaled to unit Frobenius norm.

    A **distance** in [0, √2]: :math:`\sqrt{2 - 2\|X^TY\|_*}`, which is :math:`\sqrt{2 - 2\cos\theta}` of the
    :func:`angular_shape` θ. A metric. Invariant to rotations, permutations of features, isotropic scale and
    translations. Ding et al. report its square.

    Parameters, dtypes and cost are those of :func:`procrustes`.

    Raises
    ------
    ValueError
        In the same cases as :func:`procrustes`, and if a representation is constant (without ``centre``: all zero): it
        has no shape.

    References
    ----------
    Ding, Denain, Steinhardt (2021), "Grounding representation similarity through statistical testing", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.shape import procrustes_normalized
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(procrustes_normalized(x, 3 * x + 5), 6)
    0.0
    >>> round(procrustes_normalized(x, x[:, :1]), 4)  # half of the variance has nothing to match
    0.7654
    """
    x, y, _ = as_pair(x, y)
    return _chord(*(_direction(a, name, centre, alpha) for a, name in ((x, "x"), (y, "y"))))


def angular_shape(x: Any, y: Any, *, centre: bool = True, alpha: float = 1.0) -> float:
    r"""Angle between two representations after the best orthogonal map, in radians.

    A **distance** in [0, π/2]: :math:`\arccos\|X^TY\|_*` of representations centred and scaled to unit Frobenius norm.
    A metric (the geodesic distance on shape space). Invariant to rotations, permutations of features, isotropic scale
    and translations; with ``alpha=0`` to every invertible linear map, and the angle is then the arc cosine of the mean
    canonical correlation of equally wide representations. With 0 < ``alpha`` < 1 the result depends on the scale of
    the data (the whitening compares α with the singular values themselves).

    Parameters, dtypes and cost are those of :func:`procrustes`.

    Raises
    ------
    ValueError
        In the same cases as :func:`procrustes`, and if a representation is constant (without ``centre``: all zero): it
        has no shape.

    Notes
    -----
    Computed as :math:`2\arcsin(d/2)` of :func:`procrustes_normalized` d, which keeps its digits near 0, where the arc
    cosine has none.

    References
    ----------
    Williams, Kunz, Kornblith, Linderman (2021), "Generalized shape metrics on neural representations", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.shape import angular_shape
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(angular_shape(x, x[:, :1]) / np.pi, 12)
    0.25
    """
    x, y, _ = as_pair(x, y)
    return _between_angular(*(_direction(a, name, centre, alpha) for a, name in ((x, "x"), (y, "y"))))


def permutation_procrustes(x: Any, y: Any, *, centre: bool = False, angular: bool = False) -> float:
    r"""Distance of two representations after the best matching of their features: :math:`\min_P \|XP - Y\|_F`.

    A **distance** in [0, ∞) (with ``angular``: in [0, π]). The narrower representation is padded with zero features to
    the width of the wider one. Between representations of one width it is a metric; across widths the triangle
    inequality can fail, because padding to the wider width forces features of opposite sign onto each other.
    Invariant to permutations of features; with ``centre`` to translations, with ``angular`` to isotropic scale.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects; dtypes as in :func:`procrustes`.
    centre
        Subtract the mean of every feature first, as Williams et al. do; the ReSi benchmark does not.
    angular
        The angle between the matched representations instead, in radians.

    Raises
    ------
    ValueError
        In the same cases as :func:`procrustes`; with ``angular`` also if a representation is all zero (with ``centre``:
        constant).

    Notes
    -----
    O(npq) and a linear assignment of p to q features, O(min(p, q)²·max(p, q)).

    References
    ----------
    Williams, Kunz, Kornblith, Linderman (2021), "Generalized shape metrics on neural representations", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.shape import permutation_procrustes
    >>> x = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]])
    >>> round(permutation_procrustes(x, x[:, [2, 0, 1]]), 6)
    0.0
    """
    x, y, _ = as_pair(x, y)
    return _between_permutation(*(_features(a, name, centre, angular) for a, name in ((x, "x"), (y, "y"))))


def aligned_cosine(x: Any, y: Any, *, alignment: str = "orthogonal", centre: bool = False) -> float:
    r"""Mean cosine between the rows of Y and of X after the best orthogonal map of X onto Y.

    A **similarity** in [−1, 1], 1 for rotated copies (with any positive scale). Invariant to rotations, permutations of
    features and isotropic scale; with ``centre`` to translations. Objects whose row is zero in x or y have no direction
    and are left out.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects, the narrower one padded with zero features; dtypes as in
        :func:`procrustes`.
    alignment : {"orthogonal", "permutation"}
        What may be done to the features of x.
    centre
        Subtract the mean of every feature first.

    Raises
    ------
    ValueError
        In the same cases as :func:`procrustes`, and if no object has a direction in both, or ``alignment`` is not
        known.

    Notes
    -----
    Where :math:`X^TY` has a rank below those of X and Y, the best map is not unique and neither is the value.
    Cost as :func:`procrustes`, with singular vectors.

    References
    ----------
    Hamilton, Leskovec, Jurafsky (2016), "Diachronic word embeddings reveal statistical laws of semantic change", ACL.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.shape import aligned_cosine
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> round(aligned_cosine(x, 2 * x[:, ::-1]), 12)
    1.0
    """
    x, y, _ = as_pair(x, y)
    return _between_aligned(*(_rows(a, name, alignment, centre) for a, name in ((x, "x"), (y, "y"))))


def _shape(x: Array, name: str = "x", centre: bool = True, alpha: float = 1.0) -> _Shape:
    """The shape of one representation in at most n columns (rotations of the features change nothing)."""
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must be between 0 (whitened) and 1 (as it is)")
    shape = _unit(x, name, centre)
    xp = array_namespace(shape.array)
    if alpha < 1 and shape.norm:
        x = shape.rows(slice(None))
        u, s, _ = svd(x)
        rank = int(xp.sum(s > s[0] * max(x.shape) * xp.finfo(x.dtype).eps))
        size = shape.norm * shape.scale
        # The singular values are those of x over its norm; alpha weighs them as they are.
        weights = alpha * s[:rank] * min(size, 1.0) + (1 - alpha) / max(size, 1.0)
        return shape.holding(u[:, :rank] * (weights / math.sqrt(float(xp.sum(weights * weights)))))
    if shape.array.shape[1] > shape.array.shape[0]:
        return shape.holding(xp.linalg.qr(shape.rows(slice(None)).T)[1].T)
    return shape


def _direction(x: Array, name: str = "x", centre: bool = True, alpha: float = 1.0) -> _Shape:
    """The shape, whose size will count for nothing; raises if there is none."""
    return _with_direction(_shape(x, name, centre, alpha), name)


def _features(x: Array, name: str = "x", centre: bool = False, angular: bool = False) -> tuple[_Shape, bool]:
    """The representation at unit norm, every feature kept."""
    shape = _unit(x, name, centre)
    return (_with_direction(shape, name) if angular else shape), angular


def _rows(x: Array, name: str = "x", alignment: str = "orthogonal", centre: bool = False) -> tuple[_Shape, Array, str]:
    """The representation (in at most n columns where rotations may be undone), the norms of its rows, and the map."""
    if alignment not in ("orthogonal", "permutation"):
        raise ValueError(f'alignment is {alignment!r}; it must be "orthogonal" or "permutation"')
    shape = _shape(x, name, centre) if alignment == "orthogonal" else _unit(x, name, centre)
    xp = array_namespace(shape.array)
    squares = [xp.sum(shape.rows(i) ** 2, axis=1, dtype=xp.float64) for i in row_slices(shape.array)]
    return shape, xp.sqrt(xp.concat(squares)), alignment


def _between_procrustes(a: _Shape, b: _Shape) -> float:
    return _with_sizes(_chord(a, b) if a.norm and b.norm else 0.0, a, b)


def _with_sizes(chord: float, a: _Shape, b: _Shape) -> float:
    """sqrt((|X| - |Y|)² + |X||Y| chord²), without overflow."""
    largest = max(a.scale, b.scale)
    size_a, size_b = a.norm * (a.scale / largest), b.norm * (b.scale / largest)
    return largest * math.hypot(size_a - size_b, math.sqrt(size_a) * math.sqrt(size_b) * chord)


def _between_angular(a: _Shape, b: _Shape) -> float:
    return _angle(_chord(a, b), a, b)


def _angle(chord: float, a: _Shape, b: _Shape) -> float:
    return 2 * math.asin(min(chord, math.sqrt(2)) / 2)


def _between_permutation(a: tuple[_Shape, bool], b: tuple[_Shape, bool]) -> float:
    """|X|² + |Y|² - 2 · the inner products of the matched features, square root of it."""
    if a is b:
        return 0.0
    (a, angular), (b, _) = a, b
    if a.array.shape[1] < b.array.shape[1]:
        a, b = b, a
    products = _products(a, b)
    rows, columns, matched = _matching(products)
    largest = max(a.scale, b.scale)
    size_a, size_b = (1.0, 1.0) if angular else (a.norm * (a.scale / largest), b.norm * (b.scale / largest))
    square = size_a**2 + size_b**2 - 2 * size_a * size_b * matched
    if square < (1e-2 if _single(a, b) else 1e-6) * (size_a**2 + size_b**2):
        # Near 0 the difference is rounding: sum the residual itself.
        alone = np.setdiff1d(np.arange(a.array.shape[1]), rows)
        square = 0.0
        for wide, narrow in _blocks(a, b):
            square += sum_of_squares(_columns(wide, rows) * size_a - _columns(narrow, columns) * size_b)
            square += sum_of_squares(_columns(wide, alone)) * size_a**2
    distance = math.sqrt(square)
    return 2 * math.asin(min(distance, 2.0) / 2) if angular else largest * distance


def _between_aligned(a: tuple[_Shape, Array, str], b: tuple[_Shape, Array, str]) -> float:
    (a, a_norms, alignment), (b, b_norms, _) = a, b
    check_alike(a.array, b.array)
    xp = array_namespace(a.array, b.array)
    directed = (a_norms > 0) & (b_norms > 0)
    if not bool(xp.any(directed)):
        raise ValueError("no object has a nonzero row in both x and y; the mean cosine is undefined")
    products = _products(a, b)
    if alignment == "permutation":
        matched = _matching(products)[:2]
        parts = ((_columns(x, matched[0]), _columns(y, matched[1])) for x, y in _blocks(a, b))
    else:
        u, _, vt = svd(products)
        u, v = (xp.astype(turn, xp.float32 if _single(a, b) else xp.float64, copy=False) for turn in (u, vt.T))
        parts = ((xp.matmul(x, u), xp.matmul(y, v)) for x, y in _blocks(a, b))
    inner = xp.concat([xp.sum(x * y, axis=1, dtype=xp.float64) for x, y in parts])
    cosines = inner[directed] / a_norms[directed] / b_norms[directed]
    return float(xp.mean(xp.clip(cosines, -1, 1)))


def _unit(x: Array, name: str, centre: bool) -> _Shape:
    """x, centred if asked, over its Frobenius norm."""
    x, scale = rescaled(x)
    shape = _Shape(x, column_means(x, name, varies=False) if centre else None, 1.0, 0.0, scale)
    norm = math.sqrt(sum(sum_of_squares(shape.rows(i)) for i in row_slices(x)))
    return shape._replace(divisor=norm or 1.0, norm=norm)


def _with_direction(shape: _Shape, name: str) -> _Shape:
    if not shape.norm:
        raise ValueError(f"{name} is constant (or, uncentred, all zero): it has no shape to compare")
    return shape


def _blocks(a: _Shape, b: _Shape) -> Iterator[tuple[Array, Array]]:
    """The same rows of both in one dtype, block by block."""
    check_alike(a.array, b.array)
    wide = max(a.array, b.array, key=lambda x: x.shape[1])
    return (alike(a.rows(i), b.rows(i))[:2] for i in row_slices(wide))


def _single(a: _Shape, b: _Shape) -> bool:
    return a.array.dtype == b.array.dtype == array_namespace(a.array).float32


def _products(a: _Shape, b: _Shape) -> Array:
    """Inner products of the features in float64; blocks of float32 are multiplied in float32."""
    xp = array_namespace(a.array)
    total = xp.zeros((a.array.shape[1], b.array.shape[1]), dtype=xp.float64, device=device(a.array))
    for x, y in _blocks(a, b):
        total += xp.matmul(x.T, y)
    return total


def _chord(a: _Shape, b: _Shape) -> float:
    """sqrt(2 - 2 |aᵀb|_*) of two matrices of unit norm: the least distance that an orthogonal map leaves."""
    if a is b:
        return 0.0
    if a.array.shape[1] < b.array.shape[1]:
        a, b = b, a
    gap = 1 - _nuclear_norm(_products(a, b), single=_single(a, b))
    if gap > (1e-2 if _single(a, b) else 1e-6):
        return math.sqrt(2 * gap)
    # Near 0 the gap is rounding: sum the aligned residual itself.
    xp = array_namespace(a.array)
    u, _, vt = svd(_products(a, b))
    turn = xp.matmul(u, vt)
    square = 0.0
    for x, y in _blocks(a, b):
        x, y = (xp.astype(block, xp.float64, copy=False) for block in (x, y))
        moved = xp.matmul(x, turn)
        square += sum_of_squares(moved - y) + sum_of_squares(x - xp.matmul(moved, turn.T))
    return math.sqrt(square)


def _nuclear_norm(m: Array, single: bool) -> float:
    """The sum of the singular values; ``single``: of products that carry the digits of float32 only."""
    xp = array_namespace(m)
    if not single:
        return float(xp.sum(xp.linalg.svdvals(m)))
    # The eigenvalues of the Gram matrix in float64 are as precise as such entries, and cheaper.
    m = xp.matmul(m.T, m)
    squares = xp.linalg.eigvalsh(m)
    return float(xp.sum(xp.sqrt(xp.clip(squares, 0, None))))


def _matching(products: Array) -> tuple[np.ndarray, np.ndarray, float]:
    """The matching of columns with the largest total inner product, and that product."""
    from scipy.optimize import linear_sum_assignment

    products = to_numpy(products)
    rows, columns = linear_sum_assignment(products, maximize=True)
    return rows, columns, float(products[rows, columns].sum())


def _columns(x: Array, which: np.ndarray) -> Array:
    xp = array_namespace(x)
    return xp.take(x, xp.asarray(which, device=device(x)), axis=1)


_PARTS = {
    "procrustes": (_shape, _between_procrustes),
    "procrustes_normalized": (_direction, _chord),
    "angular_shape": (_direction, _between_angular),
    "permutation_procrustes": (_features, _between_permutation),
    "aligned_cosine": (_rows, _between_aligned),
}
