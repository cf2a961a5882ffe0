"""Which items belong to which group: labels or lists of members, checked once, walked in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_torch_array

from helpers.arrays import as_matrix, to_numpy

__all__ = ["Batch", "Membership", "batches", "grouped", "group_codes"]

ENTRIES = 1 << 18  # numbers in one batch of groups: what stays in a processor's cache
SHOWN = 5


class Membership(NamedTuple):
    """Items and their groups; made by :func:`group_codes`.

    Attributes
    ----------
    codes : ndarray of shape (n,), int64
        Place in ``names`` of each item's group.
    names : ndarray of shape (n_groups,)
        What the groups are called: labels in ascending order, or the order of ``names=`` or of the mapping.
    counts : ndarray of shape (n_groups,), int64
        Numbers of items, at least 1.
    """

    codes: np.ndarray
    names: np.ndarray
    counts: np.ndarray

    def members(self) -> list[np.ndarray]:
        """For each group the rows of its items, in ascending order."""
        return np.split(np.argsort(self.codes, kind="stable"), np.cumsum(self.counts)[:-1])


class Batch(NamedTuple):
    """Some whole groups in a row; made by :func:`batches`."""

    groups: slice  # of the groups
    rows: np.ndarray  # (m, p) their items in float64, group after group
    items: np.ndarray  # (m,) which rows of the data these are
    starts: np.ndarray  # (n_groups_here,) where each group begins in ``rows``
    counts: np.ndarray  # (n_groups_here,) numbers of items

    @property
    def within(self) -> np.ndarray:
        """Place of each row's group among the groups here, of shape (m,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def sums(self, values: np.ndarray | None = None) -> np.ndarray:
        """Sums over each group of values (m, ...) of its items; of the items themselves if not given."""
        return np.add.reduceat(self.rows if values is None else values, self.starts, axis=0)

    def means(self) -> np.ndarray:
        """Means of the groups, of shape (n_groups_here, p)."""
        first = self.rows[self.starts]  # taken off before the sum, so that a large common offset costs no digits
        return first + self.sums(self.rows - first[self.within]) / self.counts[:, None]


def group_codes(groups: Any, n: int, *, names: Any = None) -> Membership:
    """Checked membership of n items in groups that share no item.

    Parameters
    ----------
    groups : array_like of shape (n,), or mapping of names to rows
        One label for each item: texts, whole numbers, dates, any one type that can be sorted. Or the rows of each
        group's items, ``{name: [0, 4, 7]}``, in which each item stands once.
    n
        Number of items.
    names : array_like, optional
        All groups that there should be, in the order that they should have; of labels only.

    Returns
    -------
    Membership
        ``codes``, ``names`` and ``counts``.

    Raises
    ------
    TypeError
        If labels are of several types, or of one that cannot be sorted; rows that are not whole numbers.
    ValueError
        If the numbers of labels and items differ; a label is missing (None, NaN, NaT); a group of ``names`` has no
        item, or a label is not among them; an item stands in two groups, twice in one, or in none.

    Examples
    --------
    >>> from helpers.groups import group_codes
    >>> found = group_codes(["b", "a", "b"], 3)
    >>> found.names.tolist(), found.codes.tolist(), found.counts.tolist()
    (['a', 'b'], [1, 0, 1], [1, 2])
    >>> group_codes({"one": [0, 2], "two": [1, 2]}, 3)
    Traceback (most recent call last):
    ...
    ValueError: groups: item 2 stands in 'one' and in 'two'; groups must share no item
    """
    if isinstance(groups, Membership):
        if len(groups.codes) != n:
            raise ValueError(f"groups has labels of {len(groups.codes)} items and x has {n} rows; one each is needed")
        return groups
    if isinstance(groups, Mapping):
        if names is not None:
            raise ValueError("names is for labels; the keys of a mapping name its groups already")
        return _of_lists(groups, n)
    labels = _labels(groups, "groups")
    if labels.shape != (n,):
        raise ValueError(f"groups has shape {labels.shape}; one label for each of the {n} items is needed")
    found, codes = np.unique(labels, return_inverse=True)
    if names is not None:
        found, codes = _in_order(found, codes, _labels(names, "names"))
    return Membership(codes.astype(np.int64), found, np.bincount(codes, minlength=len(found)).astype(np.int64))


def grouped(x: Any, groups: Any, *, name: str = "x") -> tuple[np.ndarray, Membership]:
    """A checked matrix of at least one item as a NumPy array, float32 or float64, and the membership of its rows."""
    x = to_numpy(as_matrix(x, name, rows=1))
    return x, group_codes(groups, len(x))


def batches(x: np.ndarray, groups: Membership, *, entries: int = ENTRIES) -> Iterator[Batch]:
    """The items group by group, whole groups at a time, some ``entries`` numbers in each batch; O(n p) in all."""
    order = np.argsort(groups.codes, kind="stable")
    ends = np.cumsum(groups.counts)
    first, done = 0, 0
    while first < len(ends):
        limit = done + max(entries // x.shape[1], 1)
        last = max(int(np.searchsorted(ends, limit, side="right")), first + 1)
        items = order[done : ends[last - 1]]
        starts = ends[first:last] - groups.counts[first:last] - done
        rows = x[items].astype(np.float64, copy=False)
        yield Batch(slice(first, last), rows, items, starts, groups.counts[first:last])
        first, done = last, int(ends[last - 1])


def _labels(values: Any, name: str) -> np.ndarray:
    """Labels as an array of one type without missing ones."""
    if is_torch_array(values):
        values = values.detach().cpu().numpy()
    if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray)):
        if isinstance(values, (str, bytes)) or not hasattr(values, "__array__"):
            raise TypeError(f"{name} is a {type(values).__name__}; labels, or a mapping of names to rows, are needed")
    # NumPy would turn [1, "a"] and ["a", nan] into texts: types are looked at before it does.
    labels = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=_dtype(values))
    if labels.ndim != 1:
        raise ValueError(f"{name} has shape {labels.shape}; one label for each item is needed")
    if labels.dtype.kind == "O":
        labels = _of_one_type(labels, name)
    missing = labels != labels if labels.dtype.kind in "fcMm" else np.zeros(len(labels), dtype=bool)
    if missing.any():
        raise ValueError(f"{name}[{int(np.argmax(missing))}] is missing; every item needs a label")
    if labels.dtype.kind not in "biufUSMmO":
        raise TypeError(f"{name} has dtype {labels.dtype}; labels must be texts, whole numbers or dates")
    return labels


def _dtype(values: Any) -> Any:
    """What to read labels as: the array's own type, where there is one, otherwise objects."""
    dtype = getattr(values, "dtype", None)
    return dtype if isinstance(dtype, np.dtype) else object


def _of_one_type(labels: np.ndarray, name: str) -> np.ndarray:
    """Python objects as an array of their common type, if they have one."""
    kinds: dict[str, int] = {}
    for i, value in enumerate(labels):
        if value is None or type(value).__name__ in ("NAType", "NaTType") or _is_nan(value):
            raise ValueError(f"{name}[{i}] is missing ({value!r}); every item needs a label")
        kinds.setdefault(_kind(value), i)
    if len(kinds) > 1:
        (one, i), (other, j) = list(kinds.items())[:2]
        raise TypeError(
            f"{name}[{i}] is {labels[i]!r} ({one}) and {name}[{j}] is {labels[j]!r} ({other}); "
            "labels must be of one type"
        )
    if not kinds:
        return labels
    if next(iter(kinds)) in ("text", "number", "bool"):
        return np.asarray(labels.tolist())
    try:
        np.unique(labels)
    except TypeError as error:
        raise TypeError(f"{name}: labels of type {next(iter(kinds))} cannot be sorted; use texts or numbers") from error
    return labels


def _is_nan(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _kind(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _in_order(found: np.ndarray, codes: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The names and codes of groups that were asked for by name."""
    place = {name: i for i, name in enumerate(names.tolist())}
    if len(place) < len(names):
        listed = names.tolist()
        twice = next(name for i, name in enumerate(listed) if name in listed[:i])
        raise ValueError(f"names: {twice!r} occurs twice; name each group once")
    unknown = [name for name in found.tolist() if name not in place]
    if unknown:
        raise ValueError(f"groups: {_shown(unknown)} not among names; name every group, or leave its items out")
    empty = sorted(set(place) - set(found.tolist()), key=place.get)
    if empty:
        raise ValueError(f"groups: {_shown(empty)} of names without an item; a group needs at least one")
    return names, np.array([place[name] for name in found.tolist()])[codes]


def _of_lists(groups: Mapping[Any, Any], n: int) -> Membership:
    """Membership from the rows of each group."""
    labels = _labels(list(groups), "the names of groups")
    names = labels.tolist()  # messages show them without NumPy's types
    codes = np.full(n, -1, dtype=np.int64)
    for code, (name, listed) in enumerate(zip(names, groups.values(), strict=True)):
        rows = np.asarray(listed)
        if rows.size == 0:
            raise ValueError(f"groups[{name!r}] has no item; a group needs at least one")
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise TypeError(f"groups[{name!r}] has dtype {rows.dtype} and shape {rows.shape}; rows of items are needed")
        if rows.min() < 0 or rows.max() >= n:
            wrong = rows.min() if rows.min() < 0 else rows.max()
            raise ValueError(f"groups[{name!r}] has item {wrong}; rows from 0 to {n - 1} are needed")
        distinct, times = np.unique(rows, return_counts=True)
        if len(distinct) < len(rows):
            raise ValueError(f"groups[{name!r}]: {_items(distinct[times > 1])} twice; each item counts once")
        taken = distinct[codes[distinct] >= 0]
        if len(taken):
            other = names[codes[taken[0]]]
            shared = taken[codes[taken] == codes[taken[0]]]
            raise ValueError(f"groups: {_items(shared)} in {other!r} and in {name!r}; groups must share no item")
        codes[rows] = code
    alone = np.flatnonzero(codes < 0)
    if len(alone):
        raise ValueError(f"groups: {_items(alone)} in no group; leave such rows out of x, or give them a group")
    return Membership(codes, labels, np.bincount(codes, minlength=len(names)).astype(np.int64))


def _items(rows: np.ndarray) -> str:
    """``item 2 stands``, ``items 2, 5 stand``."""
    listed = ", ".join(map(str, rows[:SHOWN])) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
    return f"item {listed} stands" if len(rows) == 1 else f"items {listed} stand"


def _shown(names: list) -> str:
    """``group 'a' is``, ``groups 'a', 'b' are``."""
    listed = ", ".join(map(repr, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return f"group {listed} is" if len(names) == 1 else f"groups {listed} are"
