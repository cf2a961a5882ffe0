"""Features of a client made by hand: the baseline that a trained embedding has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from helpers.clients.data import Clients

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["hand_made"]

MONTH_PARTS = (0, 7, 14, 21, 31)
"""Last days of the parts into which a month is divided, the first entry aside."""


def hand_made(clients: Clients) -> pd.DataFrame:
    """Shares, amounts, counts and gaps of each client's transactions: what an analyst takes before training anything.

    Nothing is learned: a client's features depend on that client's transactions alone, so that no split can leak.

    Parameters
    ----------
    clients
        Clients with their transactions; no target is read.

    Returns
    -------
    DataFrame
        float64, without gaps, a row a client of ``clients.target`` in its order:

        - ``category CATEGORY``, ``channel CHANNEL``: shares of the client's transactions, one column for each value
          that the source knows; channels only where it has them;
        - ``weekday 0`` (Monday) to ``weekday 6`` and ``month days A-B``: shares of the transactions on these days;
        - ``amount mean``, ``amount sd``, ``amount min``, ``amount quartile 1``, ``amount median``,
          ``amount quartile 3``, ``amount max``: of ``sign(a) log(1 + |a|)``, which heavy tails do not govern;
          ``amount incoming``: share of amounts below zero; ``amount total``: the sum, on the same scale;
        - ``count``: logarithm of one more than the number of transactions; ``rate``: the same of those in thirty days;
        - ``gap mean``, ``gap sd``, ``gap max``: of the logarithm of one more than the days between transactions;
          ``gap none``: share of transactions on the day of the one before.

        A client without transactions has zeros everywhere; one with a single transaction has no gaps, and zeros there.

    Examples
    --------
    >>> from helpers.clients import hand_made, simulate
    >>> features = hand_made(simulate(50, rng=0))
    >>> len(features), bool(features.notna().all(axis=None))
    (50, True)
    >>> shares = features.filter(like="category ").sum(axis=1)
    >>> bool((shares.round(9) == 1).all())
    True
    """
    import pandas as pd

    events, rows = clients.events, clients.target.index
    client = events["client"]
    columns = [_shares(client, events["category"], "category")]
    if "channel" in events:
        columns.append(_shares(client, events["channel"], "channel"))
    time = events["time"].dt
    columns.append(_shares(client, pd.Categorical(time.weekday, categories=range(7)), "weekday"))
    names = [f"{low + 1}-{high}" for low, high in zip(MONTH_PARTS[:-1], MONTH_PARTS[1:], strict=True)]
    columns.append(_shares(client, pd.cut(time.day, MONTH_PARTS, labels=names), "month days"))
    columns += [_amounts(client, events["amount"]), _gaps(client, events["time"])]
    return pd.concat(columns, axis=1).reindex(rows).fillna(0.0).astype(np.float64)


def _shares(client: pd.Series, values, what: str) -> pd.DataFrame:
    """Share of each value among the rows of a client, a column for every category of ``values``."""
    import pandas as pd

    values = pd.Categorical(values)
    rows, clients = pd.factorize(client, sort=True)
    known = values.codes >= 0
    counts = np.zeros((len(clients), len(values.categories)))
    np.add.at(counts, (rows[known], values.codes[known]), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return pd.DataFrame(shares, index=clients, columns=[f"{what} {value}" for value in values.categories])


def _signed_log(values: pd.Series) -> pd.Series:
    return np.sign(values) * np.log1p(np.abs(values))


def _amounts(client: pd.Series, amounts: pd.Series) -> pd.DataFrame:
    import pandas as pd

    grouped = _signed_log(amounts).groupby(client)
    quartiles = {f"quartile {4 * q:.0f}" if q != 0.5 else "median": grouped.quantile(q) for q in (0.25, 0.5, 0.75)}
    whole = {"mean": grouped.mean(), "sd": grouped.std(ddof=0), "min": grouped.min(), "max": grouped.max()}
    whole |= quartiles | {"incoming": (amounts < 0).groupby(client).mean()}
    whole |= {"total": _signed_log(amounts.groupby(client).sum())}
    return pd.DataFrame(whole).add_prefix("amount ")


def _gaps(client: pd.Series, times: pd.Series) -> pd.DataFrame:
    import pandas as pd

    days = times.groupby(client).diff().dt.total_seconds() / 86400
    grouped, n = np.log1p(days).groupby(client), client.groupby(client).size()
    span = (times.groupby(client).max() - times.groupby(client).min()).dt.total_seconds() / 86400
    found = {"count": np.log1p(n), "rate": np.log1p(30 * n / (span + 1))}
    gaps = {"mean": grouped.mean(), "sd": grouped.std(ddof=0), "max": grouped.max()}
    same_day = (times.dt.normalize().groupby(client).diff().dt.total_seconds() == 0).groupby(client).sum()
    gaps |= {"none": same_day / (n - 1).clip(lower=1)}
    return pd.DataFrame(found | {f"gap {name}": values for name, values in gaps.items()})
