"""One table or matrix in several files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from helpers.inputs._leftovers import UnreadableError


class Parted(type(Path())):  # type: ignore[misc]
    """The path that a file would have whose parts, in their order, lie in several.

    Attributes
    ----------
    members : tuple of Path
        Paths of the parts.
    keys : tuple of dict
        For each part what the names of its folders tell, as in ``split=train``.
    ids : tuple of str, or None
        Where each part is one vector: their ids.
    problem : str
        Why the parts cannot be read as one.
    """

    members: tuple[Path, ...] = ()
    keys: tuple[dict[str, str], ...] = ()
    ids: tuple[str, ...] | None = None
    problem: str = ""

    @classmethod
    def of(
        cls,
        path: Path,
        members: Sequence[Path],
        keys: Sequence[dict[str, str]] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Parted:
        """The parts of a file that is not there."""
        self = cls(path)
        self.members = tuple(members)
        self.keys = tuple(keys or [{}] * len(members))
        self.ids = None if ids is None else tuple(ids)
        return self

    @property
    def note(self) -> str:
        """What was done, for the report."""
        if len(self.members) == 1:
            return ""
        first, last = (path.relative_to(self.parent).as_posix() for path in (self.members[0], self.members[-1]))
        what = f"{len(self.members)} files, {first} to {last}"
        if self.ids is not None:
            return f"{what}, each with the vector of one object, called by the name of its file"
        keys = ", ".join(dict.fromkeys(key for key in self.keys[0]))
        return f"{what}, joined as parts of one" + f" that is divided by {keys}" * bool(keys)

    def check(self) -> None:
        """Complain if the parts are no whole."""
        if self.problem:
            raise UnreadableError(f"{self.name} {self.problem}")

    def names(self, names: list[str]) -> list[str]:
        """The columns of the parts, and those that the names of folders hold."""
        told = [*self.keys[0], *(["id"] if self.ids is not None else [])]
        return [*names, *(key for key in told if key not in names)]

    def batches(
        self,
        columns: Sequence[str] | None,
        names: Callable[[Path], list[str]],
        read: Callable[[Path, Sequence[str] | None], Iterator[Any]],
    ) -> Iterator[Any]:
        """The rows of all parts, one part after the other."""
        import pyarrow as pa

        first = names(self.members[0])
        wanted = self.names(first) if columns is None else list(columns)
        ids = self.ids or [None] * len(self.members)
        for member, keys, own in zip(self.members, self.keys, ids, strict=True):
            if sorted(there := names(member)) != sorted(first):
                raise UnreadableError(
                    f"{member.name} has the columns {there[:20]} and {self.members[0].name} has {first[:20]}; parts of "
                    "one table need the same"
                )
            told = {
                key: value for key, value in (keys | ({} if own is None else {"id": own})).items() if key not in first
            }
            there = [name for name in wanted if name not in told]
            for batch in read(member, there or first[:1]):  # without a column a batch does not know its rows
                arrays = {name: pa.array([told[name]] * len(batch)).dictionary_encode() for name in told}
                columns_of = [arrays[name] if name in told else batch.column(name) for name in wanted]
                yield pa.RecordBatch.from_arrays(columns_of, names=wanted)
