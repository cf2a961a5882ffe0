"""Arrays as every function of the library receives them: read, checked, centred, with rows of unit length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

__all__ = [
    "alike",
    "as_matrix",
    "as_pair",
    "best_rotation",
    "centred",
    "check_alike",
    "check_count",
    "check_not_negative",
    "check_number",
    "check_row_labels",
    "column_means",
    "generator",
    "integer_seed",
    "row_slices",
    "single_precision",
    "sum_of_squares",
    "svd",
    "to_numpy",
    "unit_rows",
]

Array = Any  # a NumPy array or a torch tensor


def as_matrix(x: Any, name: str = "x", *, rows: int = 2) -> Array:
    """A finite floating-point matrix of shape (n, p), in the library and on the device of ``x``.

    float32 stays float32 and half precision becomes float32; every other real type becomes float64.

    Parameters
    ----------
    x
        Anything NumPy reads as a matrix (a list of lists, a ``DataFrame``, a memory map), or a torch tensor.
    name
        What the caller calls this array, for the messages.
    rows
        The least number of rows that the measure needs.

    Raises
    ------
    TypeError
        If the entries are not real numbers.
    ValueError
        If ``x`` is not two-dimensional, has no column, has fewer than ``rows`` rows, or has an entry that is
        NaN or infinite (the message names the first one by row and column).
    """
    if is_torch_array(x):
        import torch

        if x.is_complex():
            raise TypeError(f"{name} has dtype {x.dtype}; real numbers are needed")
        half = x.dtype in (torch.float16, torch.bfloat16, torch.float32)
        x = x.detach().to(torch.float32 if half else torch.float64)
    else:
        x = _entries(x)
        if x.dtype.kind not in "biuf":
            raise TypeError(f"{name} has dtype {x.dtype}; real numbers are needed")
        x = x.astype(np.float32 if x.dtype in (np.float16, np.float32) else np.float64, copy=False)
    if x.ndim != 2:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; a representation has shape (n_objects, n_features)")
    if x.shape[1] == 0:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; at least one feature is needed")
    if x.shape[0] < rows:
        raise ValueError(f"{name} has {x.shape[0]} rows; this measure needs at least {rows}")
    _check_finite(x, name)
    return x


def as_pair(x: Any, y: Any, *, rows: int = 2) -> tuple[Array, Array, ModuleType]:
    """Both representations of the same objects, and the array namespace to compute in.

    Raises as :func:`as_matrix`, and ``ValueError`` if the numbers of rows differ, ``TypeError`` if one is a torch
    tensor and the other is not, ``ValueError`` if two tensors live on different devices.
    """
    _check_same_library(x, y)
    check_row_labels({"x": x, "y": y})
    return alike(as_matrix(x, "x", rows=rows), as_matrix(y, "y", rows=rows))


def check_row_labels(named: Mapping[str, Any]) -> None:
    """Complain if data frames or series carry the same row labels in another order: rows are matched by position.

    Parameters
    ----------
    named
        What a message calls each → anything; what has no row labels passes.

    Raises
    ------
    ValueError
        If two have the same labels, but not in the same order.

    Examples
    --------
    >>> import pandas as pd
    >>> x = pd.DataFrame({"a": [1.0, 2.0, 4.0]})
    >>> check_row_labels({"x": x, "y": x[::-1].reset_index(drop=True)})
    >>> check_row_labels({"x": x, "y": x[::-1]})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: x and y carry the same row labels in another order, ...
    """
    frames = [(name, frame.index) for name, frame in named.items() if hasattr(frame, "iloc")]
    orders: list[tuple[str, Any]] = []  # each order of labels once
    for name, index in frames:
        for first, other in orders:
            if index.equals(other):
                break
            if len(index) == len(other) and _moved(list(map(str, other)), list(map(str, index))):
                raise ValueError(
                    f"{first} and {name} carry the same row labels in another order, and rows are matched by position; "
                    f"bring one into the order of the other, as {name}.loc[{first}.index] does, or pass arrays, as "
                    f"{name}.to_numpy()"
                )
        else:
            orders.append((name, index))


def _moved(labels: list[str], others: list[str]) -> bool:
    """Whether labels are the same ones, as text, but not in the same order."""
    return labels != others and Counter(labels) == Counter(others)


def _entries(x: Any) -> np.ndarray:
    """Entries as NumPy has them; of columns of numbers in which some may be missing these are NaN."""
    if hasattr(x, "toarray"):
        raise TypeError(f"a sparse {type(x).__name__} is given; pass its toarray()")
    out = np.asarray(x)
    kinds = getattr(x, "dtypes", None)
    if out.dtype.kind == "O" and kinds is not None and hasattr(x, "iloc"):
        kinds = [getattr(kind, "kind", "O") for kind in np.atleast_1d(np.asarray(kinds, dtype=object))]
        if set(kinds) <= set("biuf"):
            return x.to_numpy(dtype=np.float64, na_value=np.nan)
    return out


def best_rotation(products: np.ndarray) -> tuple[np.ndarray, float]:
    """The matrix with orthonormal rows or columns that brings one space closest to another (orthogonal Procrustes).

    Parameters
    ----------
    products
        Products Xᵀ Y of the features of both, shape (p, q).

    Returns
    -------
    tuple of ndarray of shape (p, q) and float
        The rotation R, which may reflect, with the largest trace of Rᵀ Xᵀ Y, and that trace. Least squares scale X R
        by the trace over the sum of the squares of X R.

    References
    ----------
    Schönemann (1966), "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.arrays import best_rotation
    >>> x = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    >>> rotation, trace = best_rotation(x.T @ x[:, ::-1])
    >>> (np.abs(rotation.round(12)).tolist(), round(trace, 12))
    ([[0.0, 1.0], [1.0, 0.0]], 15.0)
    """
    left, values, right = svd(products)
    return left @ right, float(values.sum())


def svd(x: Array, *, full_matrices: bool = False) -> tuple[Array, Array, Array]:
    """Singular value decomposition of any matrix with finite entries.

    Divide and conquer, which libraries use because it is fast, gives up on some matrices without full rank; those are
    decomposed by QR iteration.

    Parameters
    ----------
    x
        Matrix of shape (n, p), NumPy array or torch tensor.
    full_matrices
        Whether all n left and all p right singular vectors are wanted, not only the first k = min(n, p).

    Returns
    -------
    tuple of three arrays
        Left singular vectors (n, k), singular values (k) in descending order, right singular vectors (k, p).

    Raises
    ------
    numpy.linalg.LinAlgError or torch.linalg.LinAlgError
        If an entry is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> u, s, vt = svd(np.array([[0.0, 2.0], [0.0, 0.0], [1.0, 0.0]]))
    >>> s.tolist(), (u * s @ vt).tolist()
    ([2.0, 1.0], [[0.0, 2.0], [0.0, 0.0], [1.0, 0.0]])
    """
    xp = array_namespace(x)
    try:
        return xp.linalg.svd(x, full_matrices=full_matrices)
    except (np.linalg.LinAlgError, RuntimeError) as error:
        if type(error).__name__ not in ("LinAlgError", "_LinAlgError"):  # of NumPy and of torch
            raise
        entries = to_numpy(x)
        if not np.isfinite(entries).all():
            raise
        from scipy import linalg

        found = linalg.svd(entries, full_matrices=full_matrices, lapack_driver="gesvd")
        return tuple(xp.asarray(part, dtype=x.dtype, device=x.device) for part in found)


def alike(x: Array, y: Array) -> tuple[Array, Array, ModuleType]:
    """Two checked matrices in one dtype, and their namespace; raises as :func:`check_alike`."""
    check_alike(x, y)
    if x.dtype != y.dtype:
        xp = array_namespace(x)
        x, y = xp.astype(x, xp.float64), xp.astype(y, xp.float64)
    return x, y, array_namespace(x, y)


def check_alike(x: Array, y: Array) -> None:
    """Raise ``TypeError`` or ``ValueError`` where library, device or row numbers differ."""
    _check_same_library(x, y)
    if is_torch_array(x) and x.device != y.device:
        raise ValueError(f"x is on {x.device} and y on {y.device}; both must be on one device")
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"x has {x.shape[0]} rows and y has {y.shape[0]}; both must describe the same objects")


def sum_of_squares(x: Array) -> float:
    """The squared Frobenius norm, accumulated in float64 over blocks of rows."""
    xp = array_namespace(x)
    blocks = (xp.astype(x[rows, :], xp.float64, copy=False) for rows in row_slices(x))
    return sum(float(xp.sum(block * block)) for block in blocks)


def row_slices(x: Array) -> Iterator[slice]:
    """Slices of rows with some hundred thousand entries each: blocks for work in float64."""
    step = max(1, (1 << 18) // max(x.shape[1], 1))
    return (slice(start, start + step) for start in range(0, x.shape[0], step))


def column_means(x: Array, name: str = "x", *, varies: bool = True) -> Array:
    """The means of the columns in float64; of a constant column its very value.

    Raises
    ------
    ValueError
        If ``varies`` and every feature is constant: nothing is left to compare.
    """
    xp = array_namespace(x)
    mean = sum(xp.sum(x[rows, :], axis=0, dtype=xp.float64) for rows in row_slices(x)) / x.shape[0]
    # A constant feature would leave the rounding of its own mean behind: clear it, so that it counts for nothing.
    constant = x[0, :] == x[-1, :]
    if bool(xp.any(constant)):
        constant = xp.all(x == x[:1, :], axis=0)
        if varies and bool(xp.all(constant)):
            raise ValueError(f"{name}: every feature is constant over the {x.shape[0]} rows; the measure is undefined")
        mean = xp.where(constant, xp.astype(x[0, :], xp.float64), mean)
    return mean


def centred(x: Array, name: str = "x", *, varies: bool = True) -> Array:
    """``x`` less its :func:`column_means`, in the dtype of ``x``."""
    xp, mean = array_namespace(x), column_means(x, name, varies=varies)
    out = xp.empty_like(x)
    for rows in row_slices(x):
        out[rows, :] = xp.astype(x[rows, :] - mean, x.dtype, copy=False)
    return out


def unit_rows(x: Array, *, zero: str = "keep", name: str = "x") -> Array:
    r"""Rows divided by their Euclidean lengths.

    Parameters
    ----------
    x : ndarray or tensor of shape (n, p)
        Floating-point numbers; one dimension more in front is allowed, as in (views, n, p).
    zero
        What a row of zeros, which has no direction, gives: ``"keep"`` leaves it zero, ``"raise"`` refuses it.
    name
        What the caller calls this array, for the message.

    Returns
    -------
    ndarray or tensor
        Unit rows in the shape, the dtype and on the device of ``x``. Rows so short or so long that the square of their
        length leaves the range of the dtype are divided by their largest entry first, so that they too get length 1.

    Raises
    ------
    ValueError
        If ``zero`` is unknown; if it is ``"raise"`` and a row is zero (the message names the first).

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.arrays import unit_rows
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    if zero not in ("keep", "raise"):
        raise ValueError(f"zero is {zero!r}; it is 'keep' or 'raise'")
    xp = array_namespace(x)
    limits = xp.finfo(x.dtype)
    with np.errstate(over="ignore", under="ignore"):
        square = xp.sum(x * x, axis=-1, keepdims=True)
    odd = ~((square > limits.smallest_normal / limits.eps) & (square <= limits.max))
    if bool(xp.any(odd)):
        peak = xp.max(xp.abs(x), axis=-1, keepdims=True)
        void = peak == 0
        if zero == "raise" and bool(xp.any(void)):
            first = int(np.argmax(to_numpy(void).ravel())) % x.shape[-2]
            raise ValueError(f"{name}: row {first} is zero and has no direction; leave it out")
        x = xp.where(odd, x / xp.where(void, xp.ones_like(peak), peak), x)
        square = xp.where(void, xp.ones_like(square), xp.sum(x * x, axis=-1, keepdims=True))
    return x / xp.sqrt(square)


def check_count(value: Any, name: str, *, least: int = 1, most: int | None = None, why: str = "") -> int:
    """``value`` as an int between ``least`` and ``most``, or a ``ValueError`` that says so."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r}; a whole number is needed")
    if value < least or (most is not None and value > most):
        bounds = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ValueError(f"{name} is {value}; it must be {bounds}{' ' + why if why else ''}")
    return int(value)


def check_number(value: Any, name: str, allowed: Callable[[Any], bool], needed: str) -> Any:
    """``value``, a number that is ``allowed`` (and no flag), or a ``ValueError`` that says what is ``needed``.

    >>> check_number(0.5, "share", lambda share: 0 < share < 1, "a number between 0 and 1")
    0.5
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not allowed(value):
        raise ValueError(f"{name} is {value!r}; {needed} is needed")
    return value


def check_not_negative(value: Any, name: str) -> float:
    """``value`` as a finite float of at least 0, or a ``ValueError`` that says so."""
    return float(check_number(value, name, lambda number: 0 <= number < np.inf, "a finite number of at least 0"))


def generator(rng: int | np.random.Generator) -> np.random.Generator:
    """A NumPy generator from a seed or from a generator (which is used as it is)."""
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(rng)


def integer_seed(rng: int | Sequence[int] | np.random.Generator) -> Any:
    """What named streams are derived from: an integer, or integers, as they are; of a generator its next 63 bits.

    >>> integer_seed(7), integer_seed([7, 1])
    (7, [7, 1])
    """
    return int(rng.integers(2**63)) if isinstance(rng, np.random.Generator) else rng


def to_numpy(x: Array) -> np.ndarray:
    """A NumPy view of ``x`` (a copy only if it lives on another device, or is in bfloat16, which becomes float32)."""
    if not is_torch_array(x):
        return _entries(x)
    import torch

    return (x.detach().float() if x.dtype == torch.bfloat16 else x.detach()).cpu().numpy()


def single_precision(x: Any, name: str = "x", *, rows: int = 2) -> np.ndarray:
    """A checked matrix in single precision, its rows one after the other, for networks.

    Parameters
    ----------
    x, name, rows
        Same meaning as in :func:`as_matrix`.

    Returns
    -------
    ndarray of shape (n, p), float32
        A view of ``x`` where it is such an array.
    """
    return np.ascontiguousarray(to_numpy(as_matrix(x, name, rows=rows)), dtype=np.float32)


def _check_same_library(x: Any, y: Any) -> None:
    if is_torch_array(x) != is_torch_array(y):
        raise TypeError(f"x is a {type(x).__name__} and y a {type(y).__name__}; pass two tensors or two arrays")


def _check_finite(x: Array, name: str) -> None:
    xp = array_namespace(x)
    with np.errstate(over="ignore", invalid="ignore"):
        total = xp.sum(x)
    if bool(xp.isfinite(total)):
        return
    for start in range(0, x.shape[0], 4096):
        block = xp.isfinite(x[start : start + 4096, :])
        if not bool(xp.all(block)):
            rows, columns = np.nonzero(~to_numpy(block))
            row, column = int(rows[0]) + start, int(columns[0])
            value = "NaN" if bool(xp.isnan(x[row, column])) else "infinite"
            raise ValueError(f"{name}[{row}, {column}] is {value}; every entry must be finite")
