"""Compiled kernels on blocks of pairs of objects. All release the GIL; each writes only into what it is given.

A block is described by ``squares``: squared Euclidean distances between the rows of two groups of objects, every row
less its own mean. With a few numbers per row (the rows of ``left`` and ``right``, see :data:`VECTORS`) it gives the
centred Gram matrix, Euclidean distances, correlations and cosines of the same pairs, so that one matrix product feeds
every measure. In a diagonal block only the entries above the diagonal count; the others are set to 0.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numba import njit

from helpers.similarity._engine.bounds import LOST, NEAREST, ROWS, slack_of
from helpers.similarity._engine.bounds import OBJECTS as OBJECTS
from helpers.similarity._engine.bounds import VECTORS as VECTORS
from helpers.similarity._engine.bounds import marks as marks
from helpers.similarity._engine.exact import Exact, insert
from helpers.similarity._engine.levels import rank_scale

NAME = "numpy"
PLACES = 23  # bits of the number of a pair: with those of a level, and one more that rounding may carry, one word
LOOKED = 32  # keys that are looked at together for one that could be among the nearest
SCRATCH = 0  # temporary blocks that the kernels make
CHUNK = 2048  # entries whose products are summed by themselves
# Below this share of the two squared norms, a squared distance taken from a matrix product has lost too many digits.
CANCELLED = {"float32": 1e-2, "float64": 1e-4}
# Sums may be reordered where a sum is all there is. Elsewhere the order stays, symmetric in the two sides: the same
# two rows must give the same bits wherever they stand, or duplicates would not tie.
_FAST = {"reassoc", "contract", "arcp", "nsz"}
_FIXED = {"contract", "nsz"}
_compiled = {"nogil": True, "cache": True}


@njit(fastmath=_FAST, **_compiled)
def column_statistics(x, total, low, high, least):
    """Add a block's column sums, minima and maxima; ``least`` = smallest positive norm of a row, centred and not."""
    n, p = x.shape
    for i in range(n):
        s = 0.0
        for k in range(p):
            v = x[i, k]
            total[k] += v
            low[k] = min(low[k], v)
            high[k] = max(high[k], v)
            s += v
        m = s / p
        whole, centred = 0.0, 0.0
        for k in range(p):
            v = np.float64(x[i, k])
            whole += v * v
            centred += (v - m) * (v - m)
        if whole > 0:
            least[1] = min(least[1], np.sqrt(whole))
            if centred > 1e-28 * whole:
                least[0] = min(least[0], np.sqrt(centred))


@njit(fastmath=_FAST, **_compiled)
def prepare(x, mean, middle, scale, out, vectors):
    """Rows less the column means and their own mean, times ``scale``, and the vectors of the block."""
    n, p = x.shape
    root = np.sqrt(np.float64(p))
    profile2, mean2 = 0.0, 0.0
    for k in range(p):
        profile2 += (mean[k] - middle) ** 2
        mean2 += mean[k] ** 2
    for i in range(n):
        s, t = 0.0, 0.0
        low, high = x[i, 0], x[i, 0]
        for k in range(p):
            v = x[i, k]
            s += v
            t += np.float64(v) - mean[k]
            low = min(low, v)
            high = max(high, v)
        m = np.float64(low) if low == high else s / p
        t = m - middle if low == high else t / p
        norm, dot, length, whole, reach = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(p):
            v = np.float64(x[i, k])
            c = v - mean[k]
            e = out.dtype.type((c - t) * scale)
            out[i, k] = e
            norm += np.float64(e) * np.float64(e)
            dot += (mean[k] - middle) * (c - t)
            length += (v - m) * (v - m)
            whole += v * v
            reach += mean[k] * c
        square = scale * scale
        if low == high:
            length = 0.0
        shift = root * t * scale
        length, whole = np.sqrt(length), np.sqrt(whole)
        doubt_rows = LOST if low != high and not (length > 1e-6 * whole and length > 1e-140) else 0.0
        doubt_objects = LOST if (low != 0 or high != 0) and not whole > 1e-140 else 0.0
        length, whole = length * scale, whole * scale
        if length > 0:  # its own mean, taken off, leaves the rounding of the longer row
            away = np.sqrt(norm + shift * shift) / length
            doubt_rows += min(LOST, 64 * 2.0**-53 * (away + away * away))
        vectors[0, i] = shift
        vectors[1, i] = norm
        vectors[2, i] = (dot + profile2 / 2) * square
        vectors[3, i] = length
        vectors[4, i] = 1 / length if length > 0 else 0.0
        vectors[5, i] = norm + shift * shift
        vectors[6, i] = (reach + mean2 / 2) * square
        vectors[7, i] = whole
        vectors[8, i] = 1 / whole if whole > 0 else 0.0
        vectors[9, i] = doubt_rows
        vectors[10, i] = doubt_objects


@njit(fastmath=_FAST, **_compiled)
def centre(x, mean, scale, out):
    """Rows less the column means, times ``scale``."""
    n, p = x.shape
    for i in range(n):
        for k in range(p):
            out[i, k] = (x[i, k] - mean[k]) * scale


@njit(fastmath=_FAST, **_compiled)
def _squared_distance(a, b):
    out = a.dtype.type(0)
    for k in range(a.size):
        gap = a[k] - b[k]
        out += gap * gap
    return out


@njit(fastmath=_FIXED, **_compiled)
def squares(products, left, right, rows, columns, cancelled, diagonal):
    """Turn a matrix product of prepared rows into squared distances, from differences where they cancelled."""
    n, m = products.shape
    zero = products.dtype.type(0)
    share = products.dtype.type(cancelled)
    norms = right[1]
    for i in range(n):
        w = left[1, i]
        lost = 0
        for j in range(m):
            total = w + norms[j]
            d = total - products[i, j] - products[i, j]
            lost += d <= share * total
            products[i, j] = d
        if diagonal:
            products[i, : i + 1] = zero
        if lost:
            for j in range(i + 1 if diagonal else 0, m):
                if products[i, j] <= share * (w + norms[j]):
                    products[i, j] = _squared_distance(rows[i], columns[j])


@njit(fastmath=_FIXED, **_compiled)
def gram(squares, left, right, out, diagonal):
    """Gram matrix of the objects less their mean."""
    n, m = squares.shape
    half = squares.dtype.type(0.5)
    for i in range(n):
        t, w = left[0, i], left[5, i]
        for j in range(m):
            gap = t - right[0, j]
            out[i, j] = half * (w + right[5, j] - squares[i, j] - gap * gap)
        if diagonal:
            out[i, : i + 1] = squares.dtype.type(0)


@njit(fastmath=_FIXED, **_compiled)
def euclidean(squares, left, right, out, diagonal):
    """Euclidean distances (in units of the scaled data)."""
    n, m = squares.shape
    for i in range(n):
        t = left[0, i]
        for j in range(m):
            gap = t - right[0, j]
            out[i, j] = np.sqrt(squares[i, j] + gap * gap)
        if diagonal:
            out[i, : i + 1] = squares.dtype.type(0)


@njit(fastmath=_FIXED, **_compiled)
def _angular(squares, left, right, out, base, shifted, diagonal):
    """1 - cosine of the rows (``base`` ROWS) or of the objects (``base`` OBJECTS, ``shifted`` 1)."""
    n, m = squares.shape
    kind = squares.dtype.type
    zero, half, one, most, shifted = kind(0), kind(0.5), kind(1), kind(4), kind(shifted)
    for i in range(n):
        t, w, dot, length, inverse = left[0, i], left[base, i], left[base + 1, i], left[base + 2, i], left[base + 3, i]
        for j in range(m):
            gap = (t - right[0, j]) * shifted
            d = squares[i, j] + gap * gap
            total = w + right[base, j]
            both = inverse * right[base + 3, j]
            gap = length - right[base + 2, j]
            # Alike in length: from the squared distance, which keeps its digits when all directions are nearly equal.
            # Else from the dot product. A row without a direction has cosine 0 with every other.
            near = half * (d - gap * gap) * both
            far = one - (half * (total - d) + (dot + right[base + 1, j])) * both
            d = near if both > zero and total * both <= most else far
            out[i, j] = d if d > zero else zero
        if diagonal:
            out[i, : i + 1] = zero


def correlation(squares, left, right, out, diagonal):
    """1 - Pearson correlation between rows."""
    _angular(squares, left, right, out, ROWS, 0, diagonal)


def cosine(squares, left, right, out, diagonal):
    """1 - cosine between objects."""
    _angular(squares, left, right, out, OBJECTS, 1, diagonal)


@njit(fastmath=_FAST, **_compiled)
def side_sums(values, rows, columns):
    """Add the row sums and the column sums of a block, in double precision."""
    n, m = values.shape
    for i in range(n):
        s = 0.0
        for j in range(m):
            v = np.float64(values[i, j])
            s += v
            columns[j] += v
        rows[i] += s


@njit(fastmath=_FIXED, **_compiled)
def shifted_sum(values, middle, diagonal):
    """Subtract ``middle`` from the counting entries, in place; their sum."""
    n, m = values.shape
    whole = 0.0
    middle = values.dtype.type(middle)
    for i in range(n):
        s = 0.0
        for j in range(i + 1 if diagonal else 0, m):
            values[i, j] -= middle
            s += np.float64(values[i, j])
        whole += s
    return whole


@njit(fastmath=_FIXED, **_compiled)
def count(values, low, step, histogram, diagonal):
    """Count the entries in equal bins; what lies outside goes to the first or the last bin."""
    n, m = values.shape
    kind = values.dtype.type
    low, step, zero, top = kind(low), kind(step), kind(0), kind(histogram.size - 1)
    one = histogram.dtype.type(1)
    for i in range(n):
        for j in range(i + 1 if diagonal else 0, m):
            histogram[np.int32(min(max((values[i, j] - low) * step, zero), top))] += one


@njit(fastmath=_FIXED, **_compiled)
def look_up(values, low, step, table, diagonal):
    """Replace every entry by the table's value for its bin (the bins of :func:`count`), in place."""
    n, m = values.shape
    kind = values.dtype.type
    low, step, zero, top = kind(low), kind(step), kind(0), kind(table.size - 1)
    for i in range(n):
        for j in range(i + 1 if diagonal else 0, m):
            values[i, j] = table[np.int32(min(max((values[i, j] - low) * step, zero), top))]


@njit(**_compiled)
def pack(values, out, first_i, first_j, n, diagonal):
    """Copy the entries that count to their places among all pairs i < j, row after row."""
    for i in range(values.shape[0]):
        row = first_i + i
        at = row * (2 * n - row - 3) // 2 - 1 + first_j
        for j in range(i + 1 if diagonal else 0, values.shape[1]):
            out[at + j] = values[i, j]


@njit(fastmath=_FIXED, **_compiled)
def _below_squares(squares, left, right, out, slack):
    """Lower bounds of the squared Euclidean distances between objects."""
    n, m = squares.shape
    kind = squares.dtype.type
    product, least, zero, rounded = kind(slack.product), kind(slack.least), kind(0), kind(1 - 2.0**-38)
    for i in range(n):
        t, w = left[0, i], left[5, i]
        for j in range(m):
            gap = t - right[0, j]
            d = (squares[i, j] + gap * gap) * rounded - product * (w + right[5, j]) - least
            out[i, j] = d if d > zero else zero


@njit(fastmath=_FIXED, **_compiled)
def _below_angles(squares, left, right, out, base, doubts, shifted, slack):
    """Lower bounds of 1 - cosine of the rows or of the objects; 0 where rounding leaves nothing."""
    n, m = squares.shape
    kind = squares.dtype.type
    zero, half, one, most, shifted = kind(0), kind(0.5), kind(1), kind(4), kind(shifted)
    by_squares, by_products = kind(slack.near), kind(slack.far)
    unequal, least = kind(1.25 * slack.length), kind(slack.least)
    beyond = kind(16 * slack.length + 2.0**-37 + slack.cosine)
    for i in range(n):
        t, w, dot, length, inverse = left[0, i], left[base, i], left[base + 1, i], left[base + 2, i], left[base + 3, i]
        doubt = left[doubts, i] + beyond
        for j in range(m):
            gap = (t - right[0, j]) * shifted
            d = squares[i, j] + gap * gap
            total = w + right[base, j]
            both = inverse * right[base + 3, j]
            gap = length - right[base + 2, j]
            apart = half * (d - gap * gap)
            far = one - (half * (total - d) + (dot + right[base + 1, j])) * both
            equal = total * both <= most
            off = (by_squares if equal else by_products) * total
            off = (off + abs(gap) * (length + right[base + 2, j]) * unequal + least) * both
            known = (apart * both if equal else far) - off
            known = (known if both > zero else one) - doubt - right[doubts, j]
            out[i, j] = known if known > zero else zero


@njit(fastmath=_FIXED, **_compiled)
def _sharper(key, square, left, right, i, j, base, doubts, shifted, cancelled, slack):
    """The lower bound of a pair whose squared distance was computed from differences, else the one that it has."""
    if not square <= cancelled * (left[1, i] + right[1, j]):
        return key
    square, gap = np.float64(square), np.float64(left[0, i] - right[0, j]) * shifted
    total = np.float64(left[base, i]) + np.float64(right[base, j])
    d = square + gap * gap
    off = slack.mended * square + 2.0**-38 * d + slack.least
    off += slack.entry * np.sqrt(total) * (np.sqrt(square) + abs(gap) + 2 * slack.entry * np.sqrt(total))
    if doubts == 0:
        return max(key, d - off)
    both = np.float64(left[base + 3, i]) * np.float64(right[base + 3, j])
    if not (0 < total * both <= 4):
        return key
    one, other = np.float64(left[base + 2, i]), np.float64(right[base + 2, j])
    gap = one - other
    near = 0.5 * (d - gap * gap) * both
    off = (0.6 * off + abs(gap) * (one + other) * 1.25 * slack.length) * both
    off += (8 * slack.length + 2.0**-38) * abs(near) + 16 * slack.length**2
    off += slack.cosine if near > 5e-7 else 2.0**-48 * np.sqrt(abs(near) + off) + 2e-30
    return max(key, near - off - left[doubts, i] - right[doubts, j])


@njit(**_compiled)
def _any_within(keys, limit, limits):
    """Whether a key is below one of its limits: at several places at once."""
    found = 0
    for j in range(keys.size):
        found |= (keys[j] <= limit) | (keys[j] <= limits[j])
    return found != 0


@njit(**_compiled)
def _keep_nearest(
    keys, squares, left, right, base, doubts, shifted, cancelled, slack,
    best_i, index_i, best_j, index_j, first_i, first_j, diagonal,
):  # fmt: skip
    n, m = keys.shape
    kind = keys.dtype.type
    last = best_i.shape[1] - 1
    share = kind(cancelled)
    limits = best_j[:, last].copy()
    for i in range(n):
        limit = best_i[i, last]
        for start in range(i + 1 if diagonal else 0, m, LOOKED):
            stop = min(start + LOOKED, m)
            if not _any_within(keys[i, start:stop], limit, limits[start:stop]):
                continue
            for j in range(start, stop):
                v = keys[i, j]
                if v <= limit or v <= limits[j]:
                    v = kind(_sharper(v, squares[i, j], left, right, i, j, base, doubts, shifted, share, slack))
                    if v < limit:
                        insert(best_i[i], index_i[i], v, first_j + j)
                        limit = best_i[i, last]
                    if v < limits[j]:
                        insert(best_j[j], index_j[j], v, first_i + i)
                        limits[j] = best_j[j, last]


def nearest(
    metric: str,
    squares: np.ndarray,
    keys: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    width: int,
    best_i: np.ndarray,
    index_i: np.ndarray,
    best_j: np.ndarray,
    index_j: np.ndarray,
    first_i: int,
    first_j: int,
    diagonal: bool,
) -> None:
    """Keep for every row and every column the objects with the smallest lower bounds of their distance.

    ``best_*`` (objects, places) ascend; ``first_*`` is the number of the block's first object on that side; ``keys`` is
    scratch. What is not kept has a bound no smaller than the last of what is.
    """
    base, doubts, shifted = NEAREST[metric]
    slack = slack_of(squares.dtype, width)
    if doubts:
        _below_angles(squares, left, right, keys, base, doubts, shifted, slack)
    else:
        _below_squares(squares, left, right, keys, slack)
    cancelled = 0.99 * (CANCELLED["float32"] if squares.itemsize == 4 else CANCELLED["float64"])
    _keep_nearest(
        keys, squares, left, right, base, doubts, shifted, cancelled, slack,
        best_i, index_i, best_j, index_j, first_i, first_j, diagonal,
    )  # fmt: skip


@njit(**_compiled)
def merge_neighbours(best, index, more, names):
    """Merge two lists of the k nearest; entries without an object have index -1."""
    n, k = best.shape
    for i in range(n):
        for t in range(k):
            v, name = more[i, t], names[i, t]
            if name < 0:
                break
            if v < best[i, k - 1] or (v == best[i, k - 1] and name < index[i, k - 1]):
                insert(best[i], index[i], v, name)


@njit(**_compiled)
def overlaps(a, b):
    """Sums over the objects of shared / all and of shared / k for two sorted index tables (n, k)."""
    n, k = a.shape
    jaccard, shared = 0.0, 0
    for i in range(n):
        s, u, v = 0, 0, 0
        while u < k and v < k:
            if a[i, u] == b[i, v]:
                s += 1
                u += 1
                v += 1
            elif a[i, u] < b[i, v]:
                u += 1
            else:
                v += 1
        shared += s
        jaccard += s / (2 * k - s)
    return jaccard, shared / k


@njit(**_compiled)
def rank_agreement(a, b):
    """Mean agreement of the ranks of shared neighbours (rank similarity) of two index tables, nearest first.

    Terms of equal ranks are added one after the other, so that the tables may be exchanged.
    """
    n, k = a.shape
    out = 0.0
    for i in range(n):
        shared, total, harmonic = 0, 0.0, 0.0
        for both in range(2 * k - 1):
            for gap in range(both % 2, min(both, 2 * (k - 1) - both) + 1, 2):
                u, v = (both + gap) // 2, (both - gap) // 2
                found = (1 if a[i, u] == b[i, v] else 0) + (1 if gap and a[i, v] == b[i, u] else 0)
                for _ in range(found):
                    shared += 1
                    harmonic += 1 / shared
                    total += 2 / ((1 + gap) * (both + 2))
        if shared:
            out += total / harmonic
    return out / n


@njit(**_compiled)
def _levels_and_places(values, scale, words):
    for t in range(values.size):
        words[t] = np.uint64(values[t] * scale + 0.5) << np.uint64(PLACES) | np.uint64(t)


@njit(**_compiled)
def _average_ranks(words, out):
    """Centred average ranks over n, from sorted words; neighbouring levels are ties."""
    n = words.size
    places, one = np.uint64((1 << PLACES) - 1), np.uint64(1)
    start = 0
    level = words[0] >> np.uint64(PLACES)
    while start < n:
        stop = start + 1
        while stop < n:
            last, level = level, words[stop] >> np.uint64(PLACES)
            if level - last > one:
                break
            stop += 1
        rank = ((start + stop) / 2 - n / 2) * (1.0 / n)
        for t in range(start, stop):
            out[words[t] & places] = rank
        start = stop


def words(size: int) -> np.ndarray:
    """Scratch to rank so many values."""
    return np.empty(size, np.uint64)


def rank(values: np.ndarray, words: np.ndarray) -> None:
    """Replace non-negative values in float64 by their centred average ranks over n, in place; ``words`` is scratch.

    Ties are equal or neighbouring levels (:mod:`~helpers.similarity._engine.levels`). One sort of words of a level and
    a place carries the places along.
    """
    if values.size > 1 << PLACES:
        raise ValueError(f"{values.size} values; at most {1 << PLACES} can be ranked by one sort")
    _levels_and_places(values, rank_scale(float(values.max())), words)
    words.sort()
    _average_ranks(words, values)


def sqeuclidean(squares, left, right, out, diagonal):
    """Squared Euclidean distances."""
    euclidean(squares, left, right, out, diagonal)
    np.multiply(out, out, out=out)


FILL = {
    "gram": gram,
    "euclidean": euclidean,
    "sqeuclidean": sqeuclidean,
    "correlation": correlation,
    "cosine": cosine,
}


@njit(fastmath=_FAST, **_compiled)
def _inner(a, b):
    out = 0.0
    for k in range(a.size):
        out += np.float64(a[k]) * np.float64(b[k])
    return out


@njit(**_compiled)
def _cross(flat, out):
    for start in range(0, flat.shape[1], CHUNK):
        stop = start + CHUNK
        for i in range(len(flat)):
            for j in range(i, len(flat)):
                out[i, j] += _inner(flat[i, start:stop], flat[j, start:stop])


def cross(stack: np.ndarray) -> np.ndarray:
    """Inner products (L, L) in float64 of L blocks (L, n, m), each the same whatever other blocks there are."""
    out = np.zeros((len(stack), len(stack)))
    _cross(np.ascontiguousarray(stack).reshape(len(stack), -1), out)
    return np.triu(out) + np.triu(out, 1).T


def tile(n: int, dtype: str) -> int:
    """Side of the matrix products of n objects, of which blocks are multiples.

    An entry of a product depends in its last bits on the shape of the whole and, in single precision, on its place
    there. So all have one shape, which nothing but the number of objects decides. At 192, a multiple of all widths at
    which libraries unroll their loops, places do not matter either, so that copies of a row have the same distances.
    """
    if dtype == "float32" or n > 1024:
        return 192
    return 96 if n > 512 else 64 if n > 32 else 32


def blocks(n: int, dtype: str) -> tuple[int, ...]:
    """Sizes of blocks to choose from."""
    side = tile(n, dtype)
    return (3 * side, 2 * side, side) if side == 192 else (side,)


def multiply(rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """``rows @ columns.T`` into ``out``, by the same algorithm whatever the two are."""
    if rows.ctypes.data == columns.ctypes.data:
        columns = columns.copy()  # else NumPy would multiply a matrix with itself in another order of sums
    np.matmul(rows, columns.T, out=out)


def add_product(out: np.ndarray, left: np.ndarray, right: np.ndarray, scratch: np.ndarray) -> None:
    """Add ``left.T @ right`` in double precision."""
    product = scratch[: out.size].reshape(out.shape)
    np.matmul(left.T, right, out=product)
    out += product


def square_norms(rows: np.ndarray) -> np.ndarray:
    """Squared norms of rows, summed in float64."""
    return np.einsum("ij,ij->i", rows, rows, dtype=np.float64)


def square_norm(x: np.ndarray) -> float:
    """Squared Frobenius norm."""
    return float(np.vdot(x, x))


def load(source: Any, start: int, stop: int, dtype: str) -> np.ndarray:
    """Rows of a source."""
    return source.rows(start, stop, dtype)


def sample(source: Any, chosen: np.ndarray, dtype: str) -> np.ndarray:
    """Chosen rows of a source."""
    if source.kind == "dask":
        return source.finished(source.data[chosen].compute(), dtype)
    return np.concatenate([source.rows(i, i + 1, dtype) for i in chosen.tolist()])


def exact(source: Any, rows: np.ndarray | None, metric: str) -> Any:
    """Exact distances between chosen rows of a source, or between all."""
    if rows is None:
        return Exact(np.require(source.rows(0, source.shape[0], source.dtype), requirements=["C", "W"]), metric)
    return Exact(source.take(rows, source.dtype), metric)


def isfinite(x: np.ndarray) -> np.ndarray:
    """Which entries are finite."""
    return np.isfinite(x)


def digest(x: np.ndarray) -> str:
    """Digest of the bytes of a block."""
    return hashlib.blake2b(np.ascontiguousarray(x).view(np.uint8).data, digest_size=16).hexdigest()


def assign(out: np.ndarray, values: np.ndarray) -> None:
    """Copy saved values back."""
    out[...] = values


def from_numpy(x: np.ndarray) -> np.ndarray:
    """The array itself."""
    return x


def packed(x: np.ndarray) -> np.ndarray:
    """A contiguous copy: loops over it are compiled several times as fast."""
    return x.copy()


def full(shape: tuple[int, ...], value: Any, dtype: str) -> np.ndarray:
    """A new array."""
    out = np.empty(shape, dtype)
    out.fill(value)
    return out


def to_numpy(x: np.ndarray) -> np.ndarray:
    """The array itself."""
    return x
