"""Several representations of the same objects, indexed by object."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from helpers.arrays import as_matrix, check_row_labels, to_numpy

__all__ = ["Representations"]


class Representations:
    """Named representations of the same n objects, seen by scikit-learn as one array of n rows.

    Every ensemble reads its input through this class, so that a mapping or a list can be passed to ``fit`` and
    ``transform`` directly. Wrap the input by hand where scikit-learn itself selects rows, as in ``cross_val_score``:
    ``len`` is the number of objects and ``[rows]`` selects objects in all representations. Nothing is copied until
    blocks of rows are read, so memory-mapped arrays stay on the disk.

    Parameters
    ----------
    data
        - a mapping from names to arrays of shape (n, p_i);
        - a list or tuple of such arrays, named "0", "1", …;
        - one array of shape (n, L, p): n objects, L representations of equal width, named "0", "1", …
          (pass ``list(array)`` if the representations come first: (L, n, p)).

        Arrays are NumPy arrays, memory maps, torch tensors, data frames, or anything with ``shape``, ``dtype`` and
        indexing by rows (HDF5, Zarr, Dask). float32 stays float32, half becomes float32, all else float64.

    Attributes
    ----------
    names : list of str
    widths : list of int
    shape : (n, sum of widths)
    index : pandas.Index, or None
        The row labels of the first data frame.
    features : dict of str to list of str
        Names of the columns of the data frames among them, where all of them are text.

    Raises
    ------
    TypeError
        If ``data`` is none of these, or an array does not hold real numbers.
    ValueError
        If a representation is not a matrix or is empty, the numbers of rows differ, two names are equal, or data frames
        carry the same row labels in another order.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.ensembles import Representations
    >>> layers = Representations({"first": np.ones((4, 2)), "second": np.zeros((4, 3))})
    >>> len(layers), layers[[0, 2]].shape
    (4, (2, 5))
    """

    def __init__(self, data: Any):
        if isinstance(data, Representations):
            self.names, self.widths, self._arrays, self._rows = data.names, data.widths, data._arrays, data._rows
            self.index, self.features = data.index, data.features
            return
        self.names, arrays = _named(data)
        check_row_labels(dict(zip(self.names, arrays, strict=True)))
        for name, array in zip(self.names, arrays, strict=True):
            _check_numbering(array, name)
        self.index = next((array.index for array in arrays if hasattr(array, "iloc")), None)
        self.features = {
            name: list(array.columns)
            for name, array in zip(self.names, arrays, strict=True)
            if hasattr(array, "columns") and all(isinstance(column, str) for column in array.columns)
        }
        self._arrays = [_readable(array, name) for name, array in zip(self.names, arrays, strict=True)]
        self._rows = None
        repeated = [name for i, name in enumerate(self.names) if name in self.names[:i]]
        if repeated:
            raise ValueError(f"two representations are called {repeated[0]!r}; names must differ")
        first, n = self.names[0], self._arrays[0].shape[0]
        for name, array in zip(self.names, self._arrays, strict=True):
            if array.shape[0] != n:
                raise ValueError(
                    f"representation {name!r} has {array.shape[0]} rows and {first!r} has {n}; "
                    "all must describe the same objects"
                )
        self.widths = [int(array.shape[1]) for array in self._arrays]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), sum(self.widths)

    def __len__(self) -> int:
        return int(self._arrays[0].shape[0]) if self._rows is None else len(self._rows)

    def __getitem__(self, rows: Any) -> Representations:
        """The objects at ``rows`` (a slice, whole numbers or a boolean mask), in all representations."""
        if isinstance(rows, tuple):
            rows, *rest = rows
            if any(part is not Ellipsis and part != slice(None) for part in rest):
                raise IndexError("only objects can be selected; select representations when making the mapping")
        rows = rows if isinstance(rows, slice) else np.asarray(rows)
        known = np.arange(len(self)) if self._rows is None else self._rows
        out = Representations(self)
        out._rows = np.atleast_1d(known[rows])
        out.index = None if self.index is None else self.index[rows]
        return out

    def __repr__(self) -> str:
        parts = ", ".join(f"{name!r}: {width}" for name, width in zip(self.names, self.widths, strict=True))
        return f"Representations({len(self)} objects, {{{parts}}})"

    def ordered(self, features: Mapping[str, Sequence[str]]) -> Representations:
        """The same with the columns of data frames in this order, by representation; others stay as they are.

        Raises
        ------
        ValueError
            If a data frame lacks a column, or has another one besides.
        """
        out = Representations(self)
        out._arrays, out.features = list(self._arrays), dict(self.features)
        for name, wanted in features.items():
            there = self.features.get(name)
            if there is None or there == list(wanted):
                continue
            absent, added = sorted(set(wanted) - set(there)), sorted(set(there) - set(wanted))
            if absent or added or len(there) != len(wanted):
                said = [f"lacks {absent[:3]}"] * bool(absent) + [f"has {added[:3]} besides"] * bool(added)
                raise ValueError(
                    f"representation {name!r} {' and '.join(said) or 'has a column twice'}; the columns of fit are "
                    f"needed: {list(wanted)[:5]}{' …' * (len(wanted) > 5)}"
                )
            at = self.names.index(name)
            out._arrays[at] = self._arrays[at][:, [there.index(column) for column in wanted]]
            out.features[name] = list(wanted)
        return out

    def block(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows ``start`` to ``stop`` of one representation as a finite float32 or float64 array."""
        stop = len(self) if stop is None else min(stop, len(self))
        rows = slice(start, stop) if self._rows is None else self._rows[start:stop]
        name, part = f"representation {self.names[index]!r}", self._arrays[index][rows]
        try:
            return to_numpy(as_matrix(part, name, rows=0))
        except ValueError:
            values = to_numpy(part.detach().float() if is_torch_array(part) else part)
            row, column = np.argwhere(~np.isfinite(values))[0]
            at = row + start if self._rows is None else rows[row]
            value = "NaN" if np.isnan(values[row, column]) else "infinite"
            raise ValueError(f"{name}: entry [{at}, {column}] is {value}; every entry must be finite") from None

    def whole(self, index: int) -> Any:
        """One representation: the very array or tensor that came in, unchecked, unless rows were selected."""
        array = self._arrays[index]
        as_it_is = self._rows is None and (isinstance(array, np.ndarray) or is_torch_array(array))
        return array if as_it_is else self.block(index)

    def digest(self, indices: Iterable[int], rows: int = 256) -> str:
        """SHA-256 of the number of objects, and of names, widths and ``rows`` evenly spaced rows of some of them."""
        sample = self[np.unique(np.linspace(0, len(self) - 1, rows).astype(int))]
        out = hashlib.sha256(repr(len(self)).encode())
        for i in indices:
            out.update(repr((self.names[i], self.widths[i])).encode())
            out.update(np.ascontiguousarray(sample.block(i)))
        return out.hexdigest()

    def starts(self, width: int) -> Iterable[tuple[int, int]]:
        """Bounds of blocks of rows: about 16 MB at ``width`` float64 columns, but enough rows for fast products."""
        rows = int(np.clip(2**21 // max(width, 1), 1024, 8192))
        return ((start, min(start + rows, len(self))) for start in range(0, len(self), rows))


def _named(data: Any) -> tuple[list[str], list[Any]]:
    if isinstance(data, Mapping):
        names, arrays = [str(name) for name in data], list(data.values())
    elif getattr(data, "ndim", None) == 3 and not isinstance(data, Sequence):
        names, arrays = [str(i) for i in range(data.shape[1])], [data[:, i, :] for i in range(data.shape[1])]
    elif isinstance(data, (list, tuple)):
        names, arrays = [str(i) for i in range(len(data))], list(data)
    else:
        shape = f" of shape {tuple(data.shape)}" if hasattr(data, "shape") else ""
        raise TypeError(
            f"representations is a {type(data).__name__}{shape}; a mapping from names to arrays (n, p), "
            "a list of such arrays, or one array (n, L, p) is needed"
        )
    if not names:
        raise ValueError("representations is empty; at least one is needed")
    return names, arrays


def _check_numbering(array: Any, name: str) -> None:
    """Refuse data frames whose columns are numbered from 0 and stand in another order: these numbers are places."""
    numbers = list(getattr(array, "columns", ())) if hasattr(array, "iloc") else []
    whole = all(isinstance(number, (int, np.integer)) for number in numbers)
    if whole and numbers != sorted(numbers) and sorted(numbers) == list(range(len(numbers))):
        raise ValueError(
            f"representation {name!r}: its columns are numbered 0 to {len(numbers) - 1} and not in that order, and "
            f"columns without names are matched by position; sort them, as {name}.sort_index(axis=1) does, or pass an "
            "array"
        )


def _readable(array: Any, name: str) -> Any:
    """``array`` itself if blocks of rows can be read from it, else as a NumPy array; checked but for its entries."""
    if not (hasattr(array, "shape") and hasattr(array, "dtype")):
        array = to_numpy(array)
    if len(array.shape) != 2 or 0 in array.shape:
        raise ValueError(
            f"representation {name!r} has shape {tuple(array.shape)}; (n_objects, n_features) is needed, neither of "
            "them 0"
        )
    if not is_torch_array(array) and np.dtype(array.dtype).kind not in "biuf":
        raise TypeError(f"representation {name!r} has dtype {array.dtype}; real numbers are needed")
    return array
