"""Batches of groups: some classes, two groups of each, some items of each group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from helpers.arrays import check_count

__all__ = ["GroupBatch", "GroupBatches"]


class GroupBatch(NamedTuple):
    """Rows of one batch.

    Attributes
    ----------
    rows : ndarray of shape (classes, 2, items), int
        Items of two groups of each class; a group with fewer items gives some of them several times.
    classes : ndarray of shape (classes,), int
        Codes of the classes.
    """

    rows: np.ndarray
    classes: np.ndarray


class GroupBatches:
    """Batches for :func:`helpers.training.train`, drawn anew in every epoch.

    Parameters
    ----------
    classes : ndarray of shape (n,), int
        Code of the class of each item.
    groups : ndarray of shape (n,), int
        Code of the group of each item; the items of a group are of one class.
    n_classes
        Classes of a batch, at most as many as there are.
    n_items
        Items of each group in a batch.
    per_epoch
        Batches of an epoch.
    alone
        What is done about a class with one group: ``"refuse"``, or ``"halve"``: its two groups in a batch are halves of
        that one, of which an item alone is both.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or a class has one group and ``alone`` is ``"refuse"``; the message names
        the classes by their codes.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.groups.sampling import GroupBatches
    >>> batches = GroupBatches(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]), n_items=2)
    >>> epoch = batches(np.random.default_rng(0), 0)
    >>> epoch[0].rows.shape, sorted(set(epoch[0].rows.ravel().tolist()))
    ((2, 2, 2), [0, 1, 2, 3])
    """

    def __init__(
        self,
        classes: np.ndarray,
        groups: np.ndarray,
        *,
        n_classes: int = 8,
        n_items: int = 8,
        per_epoch: int = 50,
        alone: str = "refuse",
    ):
        self.n_items, self.per_epoch = check_count(n_items, "n_items"), check_count(per_epoch, "per_epoch")
        if alone not in ("refuse", "halve"):
            raise ValueError(f"alone is {alone!r}; it is 'refuse' or 'halve'")
        order = np.argsort(groups, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
        self.members: dict[int, list[np.ndarray]] = {}
        for rows in members:
            self.members.setdefault(int(classes[rows[0]]), []).append(rows)
        self.codes = np.array(sorted(self.members))
        self.n_classes = min(check_count(n_classes, "n_classes", least=2), len(self.codes))
        if len(self.codes) < 2:
            raise ValueError(f"there is {len(self.codes)} class; at least two are needed to tell groups apart")
        single = [code for code in self.codes.tolist() if len(self.members[code]) == 1]
        if single and alone == "refuse":
            raise ValueError(f"classes {single[:5]} have one group each; two are needed")

    def __call__(self, rng: np.random.Generator, epoch: int) -> Sequence[GroupBatch]:
        """The batches of an epoch; each is drawn when it is asked for."""
        return _Epoch(self, int(rng.integers(2**63)))

    def draw(self, rng: np.random.Generator) -> GroupBatch:
        """One batch."""
        codes = rng.choice(self.codes, self.n_classes, replace=False)
        rows = np.empty((len(codes), 2, self.n_items), dtype=np.int64)
        for place, code in enumerate(codes.tolist()):
            for side, members in enumerate(self._two(code, rng)):
                rows[place, side] = rng.choice(members, self.n_items, replace=len(members) < self.n_items)
        return GroupBatch(rows, codes)

    def _two(self, code: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        groups = self.members[code]
        if len(groups) > 1:
            a, b = rng.choice(len(groups), 2, replace=False)
            return groups[a], groups[b]
        shuffled = rng.permutation(groups[0])
        half = len(shuffled) // 2
        return (shuffled[:half], shuffled[half:]) if half else (shuffled, shuffled)


class _Epoch(Sequence):
    def __init__(self, batches: GroupBatches, seed: int):
        self.batches, self.seed = batches, seed

    def __len__(self) -> int:
        return self.batches.per_epoch

    def __getitem__(self, number):
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self.batches.draw(np.random.default_rng([self.seed, number]))
