"""Where data sets and models are looked for."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_data_path

from helpers.errors import Argument, NoRoomError, OutputExistsError

__all__ = [
    "CACHE_TAG",
    "DATA",
    "ROOT",
    "allocate",
    "cache_folder",
    "check_folder_free",
    "expand",
    "mark_as_cache",
    "resolve",
    "swap_folder",
]


def _checkout() -> Path | None:
    top = Path(__file__).resolve().parents[1]
    return top if (top / "_toc.yml").is_file() else None


#: Top of the checkout of the book that this package lies in; ``None`` where it was installed from a wheel.
ROOT: Path | None = _checkout()
#: Files that come with the book, such as encoders, recorded tables and profiles. Without a checkout this is a folder of
#: the user, which need not be there.
DATA: Path = ROOT / "data" if ROOT else user_data_path("comparing-representations")


CACHE_TAG = "CACHEDIR.TAG"
"""File that says that everything in its folder can be made again, as backup programs know it."""


def mark_as_cache(folder: Path) -> Path:
    """Make a folder if need be, and say by :data:`CACHE_TAG` that what lies in it can be made again.

    What a run keeps in a folder that is one of its parameters is no input of the run: such folders do not count in its
    key.

    Parameters
    ----------
    folder
        Folder for nothing but what programs keep.

    Returns
    -------
    Path
        ``folder``, which exists now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / CACHE_TAG).exists():
        (folder / CACHE_TAG).write_text("Signature: 8a477f597d28d172789f06886806bc55\n", encoding="utf-8")
    return folder


def check_folder_free(folder: Path, overwrite: bool, *, holds: Sequence[str], what: str) -> None:
    """Refuse a folder in which something lies that must stay.

    Parameters
    ----------
    folder
        Where a result should go.
    overwrite
        Whether an earlier result may be replaced.
    holds
        Files that every such result has.
    what
        What the result is, as a message says it.

    Raises
    ------
    FileExistsError
        If it is a file, holds something else, or holds such a result and ``overwrite`` is false.
    """
    if not folder.exists() or folder.is_dir() and not any(folder.iterdir()):
        return
    if not all((folder / name).is_file() for name in holds):
        raise FileExistsError(f"{folder} is there and is no {what}; name a folder that is empty or not there")
    if not overwrite:
        raise OutputExistsError(f"{folder} is there; to replace it, pass ", Argument("overwrite", True))


def swap_folder(draft: Path, folder: Path) -> None:
    """Bring a finished draft to the place of a folder that is there or not; if that fails, the folder is as it was."""
    if not folder.exists():
        draft.rename(folder)
        return
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as aside:
        folder.rename(Path(aside) / "old")
        try:
            draft.rename(folder)
        except OSError:
            (Path(aside) / "old").rename(folder)
            raise


def expand(path: str | os.PathLike) -> Path:
    """A path with ``~`` and environment variables, as in ``$BOOK_DATA/banking77``, replaced by what they stand for.

    Raises
    ------
    ValueError
        If the path begins with a variable that is not set.

    Examples
    --------
    >>> os.environ["CORPORA"] = "/srv/corpora"
    >>> expand("$CORPORA/news").as_posix()
    '/srv/corpora/news'
    """
    told = os.path.expandvars(os.path.expanduser(os.fspath(path)))
    if told.startswith("$") and not Path(told).exists():
        raise ValueError(f"{os.fspath(path)!r} begins with an environment variable that is not set")
    return Path(told)


def resolve(name: str) -> str:
    """Where a data set of the hub is read: the folder ``$BOOK_DATA/<owner>/<name>`` if there is one, else the hub.

    >>> resolve("mteb/a-data-set-nobody-has")
    'mteb/a-data-set-nobody-has'
    """
    folder = Path(os.environ.get("BOOK_DATA") or os.devnull) / name
    return str(folder) if folder.is_dir() else name


def cache_folder(kind: str) -> Path:
    """The user's folder for what can be made again, such as ``"layers"``; there, and open to writing.

    Where the user's own cache cannot be written to (no home, or a home that is read-only), it is a folder of the user
    in the system's folder for temporary files.

    Raises
    ------
    OSError
        If neither can be written to.
    """
    place = user_cache_path("comparing-representations") / kind
    try:
        place.mkdir(parents=True, exist_ok=True)
        if os.access(place, os.W_OK):
            return place
    except OSError:
        pass
    user = os.getuid() if hasattr(os, "getuid") else "user"
    place = Path(tempfile.gettempdir()) / f"comparing-representations-{user}" / kind
    place.parent.mkdir(mode=0o700, exist_ok=True)
    place.mkdir(exist_ok=True)
    return place


def allocate(file: Any, size: int, what: str) -> None:
    """Give a file its size on the disk, so that a memory map of it cannot die of a full disk later.

    Parameters
    ----------
    file
        Open for writing, with a file descriptor.
    size
        Number of bytes to reserve.
    what
        What they are for, as a message says it.

    Raises
    ------
    OSError
        If the disk is full, or files may not be so large; the message says how much is missing.

    Examples
    --------
    >>> with tempfile.TemporaryFile() as file:
    ...     allocate(file, 4096, "four pages")
    ...     os.fstat(file.fileno()).st_size
    4096
    """
    number = file.fileno()
    try:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(number, 0, size)
                return
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
        with os.fdopen(os.dup(number), "r+b") as stream:  # a file system that cannot reserve: write it
            stream.seek(0, os.SEEK_END)
            while (left := size - stream.tell()) > 0:
                stream.write(bytes(min(left, 1 << 20)))
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise OSError(
                f"{what} needs a file of {size / 1e9:.3g} GB, which a limit on files does not allow"
            ) from error
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        disk = os.fstatvfs(number)
        free = disk.f_bavail * disk.f_frsize
        raise NoRoomError(
            error.errno,
            f"{what} needs {size / 1e9:.3g} GB on the disk, and {free / 1e9:.3g} GB are free: "
            f"{max(size - free, 0) / 1e9:.3g} GB are missing",
        ) from error
