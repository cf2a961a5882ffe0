"""What lies there and is not read, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Leftover(NamedTuple):
    """A file, or an array or column of one, that is no part of any representation."""

    file: str  # as messages name it
    reason: str  # what a message says after the name of the file


class UnreadableError(ValueError):
    """A file that is not what its name says, or holds no matrix: left over where a folder is searched."""


class Leftovers(list[Leftover]):
    """Everything that is left over, in the order in which it was met."""

    def __init__(self, searched: bool):
        super().__init__()
        self.searched = searched  # a file that was not asked for by its name need not be readable
        self.errors: list[Exception] = []

    def add(self, file: str, reason: str) -> None:
        """List a file with the reason."""
        self.append(Leftover(file, reason))

    @contextmanager
    def unless_readable(self, file: str) -> Iterator[None]:
        """List a file that cannot be read; an error if it was asked for."""
        try:
            yield
        except (UnreadableError, PermissionError) as error:
            if not self.searched:
                raise
            self.errors.append(error)
            reason = error.strerror if isinstance(error, PermissionError) else str(error)
            self.add(file, reason.removeprefix(file).lstrip(" ,:"))

    def in_words(self, most: int = 20) -> str:
        """A line for each file."""
        lines = [f"\n  {file}: {reason}" for file, reason in self[:most]]
        return "".join(lines) + f"\n  and {len(self) - most} more" * (len(self) > most)
