"""Which reader a file has, and the three questions that all readers answer: columns, rows, arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.inputs._parted import Parted
from helpers.inputs.formats import SUFFIXES, endings

if TYPE_CHECKING:
    from helpers.inputs._arrays import Stored

SNIFFED = (".txt", ".bin")  # of which the content tells the reader


def reader_of(path: Path) -> Any:
    """The module that reads a file; None if none does."""
    suffix = endings(path.name)[1]
    if isinstance(path, Parted):
        return reader_of(path.members[0])
    if suffix in SNIFFED:
        name = _sniffed(path, suffix)
    else:
        name = SUFFIXES[suffix].reader if suffix in SUFFIXES else None
    return None if name is None else import_module(f"{__package__}.{name}")


def is_table(path: Path) -> bool:
    """Whether a file is read as columns and rows."""
    return hasattr(reader_of(path), "batches")


def has_columns(path: Path) -> bool:
    """Whether a file that gives values has columns, and not lines alone."""
    return path.suffix.lower() != ".txt" and is_table(path)


def is_arrays(path: Path) -> bool:
    """Whether a file is read as arrays with names."""
    return hasattr(reader_of(path), "stored")


def is_lonely(path: Path) -> bool:
    """Whether a file holds one array, which has no name of its own."""
    bare = endings(path.name)[1] == ".npy" or is_arrays(path) and reader_of(path).__name__.endswith("._raw")
    return bare and getattr(path, "ids", None) is None


def names_of(path: Path) -> list[str]:
    """The columns of a table."""
    if isinstance(path, Parted):
        path.check()
        return path.names(names_of(path.members[0]))
    return reader_of(path).names(path)


def batches(path: Path, columns: Sequence[str] | None, rows: int) -> Iterator[Any]:
    """The rows of a table in record batches, of about so many rows where the reader can choose."""
    if isinstance(path, Parted):
        path.check()
        return path.batches(columns, names_of, lambda member, own: batches(member, own, rows))
    return reader_of(path).batches(path, columns, rows)


def stored_in(path: Path, file: str) -> dict[str, Stored]:
    """The arrays of a file by name."""
    from helpers.inputs._arrays import checked_names, stacked

    if isinstance(path, Parted):
        path.check()
        return stacked(path, [stored_in(member, member.name) for member in path.members])
    found = reader_of(path).stored(path, file)
    if {"format", "shape", "data"} <= found.keys() and path.suffix.lower() == ".npz":
        from helpers.inputs._sparse import in_npz

        found = in_npz(path, file)
    return checked_names(found, path, file)


def notes_on(path: Path) -> list[str]:
    """What of a file its reader leaves out, in words."""
    unread = getattr(reader_of(path), "unread", None)
    return [] if unread is None or isinstance(path, Parted) else unread(path)


def _sniffed(path: Path, suffix: str) -> str | None:
    """The reader of a file whose name does not tell."""
    from helpers.inputs import _raw, _words

    if suffix == ".txt":
        return _words.recognized_text(path)
    with path.open("rb") as stream:
        start = stream.read(64)
    if start.startswith(b"PK\x03\x04"):
        return "_torch"
    return "_words" if _words.recognized_binary(path, start) else "_raw" if _raw.described(path) else None
