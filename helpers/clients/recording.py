"""What has to stand beside a recorded row, so that it can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PACKAGES", "versions", "with_provenance"]

PACKAGES = ("numpy", "scikit-learn", "lightgbm", "torch", "pytorch-lifestream")


def versions(*packages: str) -> str:
    """The versions of Python and of packages, in one line.

    >>> from helpers.clients.recording import versions
    >>> versions("numpy").startswith("python=3")
    True
    """
    import platform
    from importlib.metadata import version

    known = {name: version(name).partition("+")[0] for name in packages}
    return " ".join(f"{name}={number}" for name, number in {"python": platform.python_version(), **known}.items())


def with_provenance(
    rows: pd.DataFrame, *, minutes: float, packages: tuple[str, ...] = PACKAGES, **about: Any
) -> pd.DataFrame:
    """Rows of a study with all that one has to know to make them again, for :func:`helpers.data.record`.

    Parameters
    ----------
    rows
        One table.
    minutes
        That it took.
    packages
        Whose versions decide the values.
    about
        What else is the same in all rows: source, sizes, seed, scorer; a list is written as text.

    Returns
    -------
    DataFrame
        In front ``about``, behind ``versions``, ``machine``, ``date`` and ``minutes``.

    Raises
    ------
    ValueError
        If a column of that name is there already.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients.recording import with_provenance
    >>> with_provenance(pd.DataFrame({"accuracy": [0.6]}), minutes=1, source="simulated", parts=[1, 2]).columns.tolist()
    ['source', 'parts', 'accuracy', 'versions', 'machine', 'date', 'minutes']
    """
    import datetime
    import os
    import platform

    import pandas as pd

    behind = {
        "versions": versions(*packages),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
        "minutes": round(minutes, 2),
    }
    about = {k: " ".join(map(str, v)) if isinstance(v, (list, tuple)) else v for k, v in about.items()}
    if twice := set(rows) & {*about, *behind}:
        raise ValueError(f"rows have a column {min(twice)!r} already; it is written here")
    front = pd.DataFrame(about, index=rows.index)
    return pd.concat([front, rows, pd.DataFrame(behind, index=rows.index)], axis=1)
