"""Work that one process does at a time: the others wait, in silence on a page and with a word on the console."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

__all__ = ["NOTICE", "alone", "listening", "reason"]

#: Environment variable: the file in which a process says what it waits for, for the one that started it.
NOTICE = "HELPERS_WAITING"
_listener: ContextVar[Callable[[str], object] | None] = ContextVar("listener", default=None)


@contextmanager
def alone(
    lock: str | os.PathLike[str],
    why: str,
    *,
    progress: bool = False,
    waits: Callable[[], bool] = lambda: True,
) -> Iterator[None]:
    """Hold a lock file; a process that is killed lets go of it.

    Parameters
    ----------
    lock
        Path of the lock file; its folder has to be there.
    why
        What is said while another process holds the lock, such as ``"another process is encoding texts"``.
    progress
        Whether to show ``why`` and the time on standard error. It is never a warning: which of two processes waits
        depends on the machine, and what they compute does not.
    waits
        Asked at once while another process holds the lock, and twice a second from then on: whether to wait any longer.

    Raises
    ------
    InterruptedError
        If ``waits`` says no; the message is ``why``.

    Notes
    -----
    While it waits, ``why`` stands in the file that the environment variable :data:`NOTICE` names, if there is one, and
    has been told to the function that :func:`listening` set.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, alone(folder + "/lock", "another process is writing"):
    ...     print("one at a time")
    one at a time
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        if not waits():
            raise InterruptedError(why) from None
        with _told(why), _shown(why, progress):
            while not held.is_locked:
                with suppress(Timeout):
                    held.acquire(timeout=0.5)
                if not held.is_locked and not waits():
                    raise InterruptedError(why) from None
    try:
        yield
    finally:
        held.release()


@contextmanager
def listening(listener: Callable[[str], object] | None) -> Iterator[None]:
    """Call a function with the reason of :func:`alone`, each time this thread begins to wait inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def reason(notice: str | os.PathLike[str]) -> str:
    """What the process of that notice waits for, or an empty string if it does not wait."""
    try:
        return Path(notice).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


@contextmanager
def _told(why: str) -> Iterator[None]:
    if listener := _listener.get():
        listener(why)
    notice = os.environ.get(NOTICE)
    if not notice:
        yield
        return
    with suppress(OSError):  # a word about waiting is worth no failure
        Path(notice).write_text(why, encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            Path(notice).unlink(missing_ok=True)


@contextmanager
def _shown(why: str, progress: bool) -> Iterator[None]:
    from tqdm import tqdm

    with tqdm(desc=why, bar_format="{desc}; waiting for it {elapsed}", leave=False, disable=not progress):
        yield
