"""Vectors in fewer bytes: one byte or one bit for each number, calibrated on training rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import as_matrix

__all__ = ["QUANTIZERS", "Binary", "Float32", "Int8", "bytes_of"]


class Float32:
    """Four bytes for each number: the vectors as they are."""

    def fit(self, x: Any) -> Float32:
        """Nothing to learn; ``x`` is an array of shape (n, p)."""
        return self

    def encode(self, x: Any) -> np.ndarray:
        """Codes (n, p) of float32."""
        return np.asarray(x, dtype=np.float32)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Vectors (n, p) of float32 that codes stand for."""
        return codes

    def __call__(self, x: Any) -> np.ndarray:
        """What is left of vectors (n, p) once they were encoded, float32."""
        return self.decode(self.encode(x))


class Int8(Float32):
    """One byte for each number: its place on an even grid between two quantiles of its column.

    Parameters
    ----------
    tail
        Share of the training rows beyond each end of the grid; they are cut to the end.

    Attributes
    ----------
    low_, step_ : ndarray of shape (p,)
        Beginning and step of the grid of each column.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quantization import Int8
    >>> x = np.linspace(-1, 1, 101)[:, None]
    >>> codes = Int8(tail=0).fit(x).encode(x)
    >>> codes.dtype, codes.min(), codes.max()
    (dtype('int8'), np.int8(-128), np.int8(127))
    """

    def __init__(self, tail: float = 5e-4):
        self.tail = tail

    def fit(self, x: Any) -> Int8:
        """Learn the grid from training rows (n, p); a constant column keeps its value."""
        x = np.asarray(as_matrix(x), dtype=np.float32)
        if not 0 <= self.tail < 0.5:
            raise ValueError(f"tail is {self.tail!r}; a share of at least 0 and below 0.5 is needed")
        low, high = np.quantile(x, [self.tail, 1 - self.tail], axis=0)
        self.low_ = low.astype(np.float32)
        self.step_ = np.where(high > low, (high - low) / 255, 1).astype(np.float32)
        return self

    def encode(self, x: Any) -> np.ndarray:
        """Codes (n, p) of int8."""
        places = np.rint((np.asarray(x, dtype=np.float32) - self.low_) / self.step_)
        return (np.clip(places, 0, 255) - 128).astype(np.int8)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Vectors (n, p) of float32 that codes stand for."""
        return (codes.astype(np.float32) + 128) * self.step_ + self.low_


class Binary(Float32):
    """One bit for each number: whether it lies above the median of its column.

    The cosine of two decoded vectors, of entries -1 and 1, is 1 - 2 h / p for Hamming distance h.

    Attributes
    ----------
    border_ : ndarray of shape (p,)
        Medians of the training rows.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quantization import Binary
    >>> x = np.array([[0.0, 5.0], [1.0, 6.0], [2.0, 9.0]])
    >>> Binary().fit(x)(x).tolist()
    [[-1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]]
    """

    def fit(self, x: Any) -> Binary:
        """Learn the medians from training rows (n, p)."""
        self.border_ = np.median(np.asarray(as_matrix(x), dtype=np.float32), axis=0)
        return self

    def encode(self, x: Any) -> np.ndarray:
        """Codes (n, ⌈p / 8⌉) of uint8, eight bits in each."""
        return np.packbits(np.asarray(x, dtype=np.float32) > self.border_, axis=1)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Vectors (n, p) of float32 with entries -1 and 1."""
        return np.unpackbits(codes, axis=1, count=len(self.border_)).astype(np.float32) * 2 - 1


#: Kinds of storage by name, from the largest to the smallest.
QUANTIZERS: dict[str, type[Float32]] = {"float32": Float32, "int8": Int8, "binary": Binary}


def bytes_of(storage: str, width: int) -> int:
    """Bytes of one vector of a width, without what a column costs once.

    >>> from helpers.quantization import bytes_of
    >>> [bytes_of(name, 384) for name in ("float32", "int8", "binary")]
    [1536, 384, 48]
    """
    if storage not in QUANTIZERS:
        raise ValueError(f"storage is {storage!r}; it is one of {', '.join(QUANTIZERS)}")
    return {"float32": 4 * width, "int8": width, "binary": -(-width // 8)}[storage]
