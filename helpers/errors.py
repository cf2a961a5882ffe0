"""Errors that know which arguments they advise, so that a command line can name its options instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Argument", "ArgumentError", "NoRoomError", "OutputExistsError"]


class Argument(NamedTuple):
    """An argument with a value, as an error advises to pass it; ``str`` writes it as Python does.

    >>> str(Argument("ids", ""))
    "ids=''"
    """

    name: str
    value: Any

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}"


class ArgumentError(ValueError):
    """A value that cannot be used, with what to pass instead.

    Parameters
    ----------
    *parts : str or Argument
        The message in pieces.

    Examples
    --------
    >>> error = ArgumentError("2 rows are missing; to leave them out, pass ", Argument("missing", "drop"))
    >>> str(error)
    "2 rows are missing; to leave them out, pass missing='drop'"
    >>> error.told(lambda argument: f"--{argument.name} {argument.value}")
    '2 rows are missing; to leave them out, pass --missing drop'
    """

    def __init__(self, *parts: str | Argument):
        super().__init__("".join(map(str, parts)))
        self.parts = parts

    def __reduce__(self):
        return type(self), self.parts

    def __str__(self) -> str:
        return str(self.args[0])  # an OSError without a number would show a tuple

    def told(self, spelling: Callable[[Argument], str]) -> str:
        """The message with each argument spelled by a function."""
        return "".join(spelling(part) if isinstance(part, Argument) else part for part in self.parts)


class OutputExistsError(ArgumentError, FileExistsError):
    """Something is where a result should go."""


class NoRoomError(OSError):
    """A disk that is full, or a file that may not be so large.

    Parameters
    ----------
    number
        Number of the system's error.
    message
        What there was no room for, and where.

    Examples
    --------
    >>> import errno
    >>> from helpers.errors import NoRoomError
    >>> error = NoRoomError(errno.ENOSPC, "vectors need 2 GB, and 1 GB is free")
    >>> str(error), error.errno == errno.ENOSPC
    ('vectors need 2 GB, and 1 GB is free', True)
    """

    def __init__(self, number: int, message: str):
        super().__init__(number, message)

    def __str__(self) -> str:
        return str(self.strerror)
