"""A first look at a table of clients: whether encoders could be trained and scored on it, before any is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.clients.data import binary_target
from helpers.clients.sources import load_clients
from helpers.clients.splitting import split

__all__ = ["check_source"]


def check_source(
    source: str,
    *,
    n_clients: int = 0,
    options: Mapping[str, Any] | None = None,
    fractions: Sequence[float] = (0.5, 0.2, 0.3),
    binary_from: str = "",
    rng: int = 0,
) -> list[str]:
    """Read a source once, as every training would, and refuse what trainings or scores would fail of.

    Parameters
    ----------
    source, n_clients, options
        Arguments of :func:`helpers.clients.load_clients`; 0 clients are all.
    fractions
        Shares of the clients for training, validation and test.
    binary_from
        Class from which on the target is 1, or empty: see :func:`helpers.clients.binary_target`.
    rng
        Seed of the draw of clients and of the split.

    Returns
    -------
    list of str
        What was found: a line on clients, classes and transactions, and one for each check that has found something.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        As the reader; also if fewer than two classes are known, or a part of the split would have no client of a class.

    Examples
    --------
    >>> from helpers.clients.checking import check_source
    >>> check_source("simulated", n_clients=80)[0].split(":")[0]
    'simulated'
    """
    clients = load_clients(source, n_clients=n_clients or None, rng=rng, **(options or {}))
    target = clients.target.dropna()
    if target.nunique() < 2:
        column = "options name them by targets, and columns names the target"
        raise ValueError(f"{source}: {target.nunique()} classes of clients are known; two are needed: {column}")
    if binary_from != "":
        target = binary_target(target, binary_from)
    parts = split(clients.target, fractions=fractions, experiment=0, rng=rng).loc[target.index]
    for part, here in target.groupby(parts):
        if lacks := sorted(set(target) - set(here), key=str):
            raise ValueError(
                f"{source}: of class {lacks[0]!r}, with {(target == lacks[0]).sum()} clients, none would be in the "
                f"part {part!r}, so that no score could be told; raise min_class_size of classes, or name other "
                "fractions"
            )
    shares = target.value_counts(normalize=True)
    told = ", ".join(f"{name} ({share:.0%})" for name, share in shares[:6].items())
    told += f" and {len(shares) - 6} more" * (len(shares) > 6)
    days, each = clients.events["time"], clients.events.groupby("client").size()
    lines = [
        f"{Path(source).name}: {len(clients):,} clients, {len(target):,} of them with a class: {told}; "
        f"{len(clients.events):,} transactions from {days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}, "
        f"{each.median():.0f} of a client in the median, of {clients.events['category'].nunique()} categories"
    ]
    if clients.report is not None:
        found = clients.report[clients.report["found"] > 0].drop(index="rows", errors="ignore")
        lines += [f"  {name}: {row['found']:,} ({row['share']:.1%}), {row['done']}" for name, row in found.iterrows()]
    return lines
