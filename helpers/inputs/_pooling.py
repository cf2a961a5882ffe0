"""Items pooled into one object for each group: what asks for it, which items are whose, one vector and label each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.groups import READOUTS, Membership, group_codes
from helpers.inputs._columns import as_word, typed

#: The readout whose vectors need no name of their own, and the word for all readouts.
PLAIN, ALL = "centroid", "compare"


class Pooling:
    """What is asked for: readouts, and which vectors by which names.

    Parameters
    ----------
    readout
        A name, several, or ``"compare"``.
    names
        Names of the vectors asked for: ``"a (medoid)"``, or ``"a"`` for all readouts; None for everything.
    """

    def __init__(self, readout: str | Sequence[str], names: Sequence[str] | None):
        asked = [readout] if isinstance(readout, str) else list(readout)
        self.readouts = list(READOUTS) if asked == [ALL] else asked
        if unknown := [name for name in self.readouts if name not in READOUTS]:
            words = ", ".join(map(repr, READOUTS))
            raise ValueError(f"readout is {unknown[0]!r}; it can be {words}, several of them, or {ALL!r} for all")
        if not asked or len(set(self.readouts)) < len(self.readouts):
            raise ValueError(f"readout is {asked}; one name or more are needed, each once")
        self.asked: list[tuple[str, str | None]] | None = None
        if names is not None and not isinstance(names, str):
            words = "|".join(map(re.escape, READOUTS))
            found = [re.fullmatch(rf"(?s)(.+) \(({words})\)", name) for name in names]
            self.asked = [
                (name, None) if match is None else (match[1], match[2])
                for name, match in zip(names, found, strict=True)
            ]

    def of_items(self, names: Sequence[str] | None) -> Sequence[str] | None:
        """Names of the embeddings of items that are needed for what was asked."""
        return names if self.asked is None else list(dict.fromkeys(name for name, _ in self.asked))

    def vectors(self, arrays: Mapping[str, np.ndarray], pool: Pool) -> dict[str, tuple[str, np.ndarray]]:
        """For each name asked for the name of the embedding of items, and the vectors of the groups."""
        asked = [(name, None) for name in arrays] if self.asked is None else self.asked
        out: dict[str, tuple[str, np.ndarray]] = {}
        for name, one in asked:
            for readout in self.readouts if one is None else [one]:
                plain = one is None and self.readouts == [PLAIN]
                x = READOUTS[readout](arrays[name], pool.members).vectors
                out[name if plain else f"{name} ({readout})"] = name, x.astype(arrays[name].dtype, copy=False)
        return out


@dataclass
class Pool:
    """The groups that items make.

    Attributes
    ----------
    members
        Which item is whose.
    names
        Groups as ids of objects.
    values
        What is known of each group: labels, groups.
    """

    members: Membership
    names: np.ndarray
    values: dict[str, np.ndarray]

    @classmethod
    def of(cls, values: dict[str, np.ndarray], items: np.ndarray) -> Pool:
        """Groups by ``values["pool_by"]``; what else is known of the items must be one thing for all of a group."""
        try:
            members = group_codes(values["pool_by"], len(items))
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("groups", "pool_by")) from error
        names = np.array([as_word(name) for name in members.names.tolist()], dtype=object)
        first = np.unique(members.codes, return_index=True)[1]
        known = {}
        for role, column in values.items():
            if role == "pool_by":
                continue
            for at in np.flatnonzero(column != column[first][members.codes]):
                group, one, other = members.codes[at], first[members.codes[at]], column[at]
                raise ValueError(
                    f"{role}: group {names[group]!r} of pool_by has {column[one]} (item {items[one]}) and {other} "
                    f"(item {items[at]}); all items of a group must have the same"
                )
            known[role] = typed(column[first])  # few values for many items may be many for few groups
        return cls(members, names, known)

    def of_items(self) -> dict[str, np.ndarray]:
        """What is known of each item, its group included."""
        codes = self.members.codes
        return {role: column[codes] for role, column in self.values.items()} | {"pool_by": codes}

    def only(self, keep: np.ndarray) -> np.ndarray:
        """Keep some of the groups; which items are theirs."""
        items = keep[self.members.codes]
        codes = (np.cumsum(keep) - 1)[self.members.codes[items]]
        self.members = Membership(codes, self.members.names[keep], self.members.counts[keep])
        self.names, self.values = self.names[keep], {role: column[keep] for role, column in self.values.items()}
        return items

    def emptied(self, before: np.ndarray) -> list[tuple]:
        """The groups among earlier values that no longer have an item, as losses."""
        there = set(self.names)
        gone = dict.fromkeys(word for word in map(as_word, before) if word and word not in there)
        return [("pool_by", name, "no item is left") for name in gone]
