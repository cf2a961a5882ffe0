"""Where data sets and models are looked for."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

__all__ = ["DATA", "ROOT", "expand", "resolve"]


def _checkout() -> Path | None:
    top = Path(__file__).resolve().parents[1]
    return top if (top / "_toc.yml").is_file() else None


#: Top of the checkout of the book that this package lies in; ``None`` where it was installed from a wheel.
ROOT: Path | None = _checkout()
#: Files that come with the book, such as encoders, recorded tables and profiles. Without a checkout this is a folder of
#: the user, which need not be there.
DATA: Path = ROOT / "data" if ROOT else user_data_path("comparing-representations")


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
