"""Whom clients pay: payments that are drawn, links by rare categories, and vectors of both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from helpers.clients.modalities._drawing import check_strength, latents_of, stream
from helpers.clients.simulator import AGES, LIFESTYLES, choose

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.data import Clients
    from helpers.clients.modalities.data import Modalities

__all__ = ["HOMOPHILY", "embed_graph", "graph_evidence", "link_rare_categories", "make_payments"]


HOMOPHILY = {"lifestyle": 3.0, "age": 1.5}


def make_payments(
    clients: Clients, *, payments: float = 6.0, strength: float = 1.0, spread: float = 0.5, rng=0
) -> tuple[pd.DataFrame, pd.Series]:
    r"""Payments among simulated clients, by the model of :mod:`helpers.clients.modalities`.

    Parameters
    ----------
    clients
        Simulated clients, at least two.
    payments
        Mean number of payments that a client makes, d of the model. Those to oneself are drawn but not listed.
    strength
        Factor of the homophily :math:`\eta`: 1 as documented, 0 for payments that tell nothing.
    spread
        Standard deviation of :math:`\log \theta`, whose mean is such that θ is 1 on average: how unequal degrees are.
    rng
        Seed, sequence of seeds or generator of the draws.

    Returns
    -------
    payments : DataFrame
        ``payer``, ``payee``, ``payments``: one row for each ordered pair with any.
    activity : Series
        θ of each client.

    Raises
    ------
    ValueError
        If a number is out of range, or the clients are not simulated.

    Notes
    -----
    Linear in the number of payments: first the block of the payee is drawn, then the payee in it.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> from helpers.clients.modalities import make_payments
    >>> paid, activity = make_payments(simulate(50, rng=0))
    >>> bool((paid["payer"] != paid["payee"]).all()), len(activity)
    (True, 50)
    """
    import pandas as pd

    block = _blocks(clients)
    n = len(block)
    if n < 2 or not payments > 0 or not spread >= 0:
        raise ValueError(
            f"there are {n} clients, payments is {payments} and spread {spread}; two clients, a positive number and a "
            "spread of at least 0 are needed"
        )
    affinity = _affinity(strength)
    rng = stream(rng, 2)
    activity = rng.lognormal(-(spread**2) / 2, spread, size=n)
    mass = np.bincount(block, activity, minlength=len(affinity))
    payer = np.repeat(np.arange(n), rng.poisson(payments * activity))
    toward = choose((affinity * mass)[block], rng, payer)
    # All clients in a row, block by block, each as long as its activity: a point in the stretch of a block is a payee.
    order = np.argsort(block, kind="stable")
    ends = np.cumsum(activity[order])
    start = np.concatenate([[0], np.cumsum(mass)])[toward]
    payee = np.minimum(np.searchsorted(ends, start + rng.random(len(payer)) * mass[toward], side="right"), n - 1)
    payee = order[payee]
    other = payer != payee
    pairs, number = np.unique(np.column_stack([payer, payee])[other], axis=0, return_counts=True)
    names = clients.target.index.to_numpy()
    table = pd.DataFrame({"payer": names[pairs[:, 0]], "payee": names[pairs[:, 1]], "payments": number})
    return table, pd.Series(activity, index=clients.target.index, name="activity")


def link_rare_categories(clients: Clients, *, rare: float = 0.05, most: int = 300) -> pd.DataFrame:
    """Links between clients that use the same rare categories; no target is seen.

    Parameters
    ----------
    clients
        Clients of any source.
    rare
        Largest share of the clients that use a rare category; it is used by at least two.
    most
        Largest number of clients that use a rare category, however many there are.

    Returns
    -------
    DataFrame
        ``payer``, ``payee``, ``payments`` as of :class:`~helpers.clients.modalities.Modalities`, in both directions;
        ``payments`` is the sum over the shared categories of log(clients / clients who use it).

    Raises
    ------
    ValueError
        If ``rare`` is not between 0 and 1, or ``most`` below 2.

    Notes
    -----
    Time and memory grow with the square of the number of users of a rare category, at most ``most`` ** 2 for each.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients import read
    >>> from helpers.clients.modalities import link_rare_categories
    >>> rows = pd.DataFrame({"client": [1, 1, 2, 2, 3, 3], "time": 0, "category": list("abacad"), "amount": 1.0})
    >>> few = {"min_events": 1}
    >>> len(link_rare_categories(read(rows, handling=few), rare=0.7))
    0
    >>> len(link_rare_categories(read(rows.replace("d", "b"), handling=few), rare=0.7))
    2
    """
    import pandas as pd
    from scipy.sparse import coo_matrix, triu

    if not 0 < rare <= 1:
        raise ValueError(f"rare is {rare}; a share between 0 and 1 is needed")
    if most < 2:
        raise ValueError(f"most is {most}; at least 2 clients are needed to share a category")
    names = clients.target.index
    used = clients.events[["client", "category"]].drop_duplicates()
    users = used["category"].astype(object).map(used["category"].astype(object).value_counts())
    used = used[((users > 1) & (users <= min(rare * len(names), most))).to_numpy()]
    codes, kinds = pd.factorize(used["category"].astype(object), sort=True)
    weight = np.sqrt(np.log(len(names) / np.maximum(np.bincount(codes, minlength=len(kinds)), 1)))
    rows = names.get_indexer(used["client"])
    incidence = coo_matrix((weight[codes], (rows, codes)), shape=(len(names), max(1, len(kinds)))).tocsr()
    found = triu(incidence @ incidence.T, k=1).tocoo()
    ends = names.to_numpy()[found.row], names.to_numpy()[found.col]
    table = pd.DataFrame(
        {
            "payer": np.concatenate(ends),
            "payee": np.concatenate(ends[::-1]),
            "payments": np.concatenate([found.data, found.data]),
        }
    )
    return table.sort_values(["payer", "payee"], ignore_index=True)


def embed_graph(
    payments: pd.DataFrame, clients: Iterable, *, width: int = 16, seen: Iterable | None = None
) -> pd.DataFrame:
    r"""A vector for each client from who pays whom: spectral embedding, without labels.

    With :math:`A` the symmetric matrix of :math:`\log(1 + \text{payments})` in both directions, :math:`D` its row sums
    and :math:`\tau` their mean, :math:`L = (D + \tau)^{-1/2} A (D + \tau)^{-1/2}`. The leading eigenvectors :math:`U`
    of the block of L that belongs to the clients ``seen`` are the axes; every client gets its row of
    :math:`L_{:,seen} U`, scaled to length 1. For the clients seen, this is :math:`U \Lambda`.

    Parameters
    ----------
    payments
        Table with ``payer``, ``payee`` and ``payments``.
    clients
        Clients that are to be embedded, in the order that is wanted.
    width
        Number of features; fewer if there are not as many clients.
    seen
        Clients whose links decide the axes. None: all (*transductive*: links of validation and test clients are
        used, labels never). With the training clients alone, the others are placed by their links to these
        (*out of sample*), and links among the others are not used.

    Returns
    -------
    DataFrame of shape (clients, width)
        A float32 vector for each client; one without a link, or whose links have no share in the axes, has zeros.

    Raises
    ------
    ValueError
        If payments name a client that is not listed, or the clients seen have no link.

    Notes
    -----
    Regularised spectral clustering of Qin and Rohe (2013), NeurIPS, less its last step: τ keeps clients with few links
    from making axes of their own, and rows of length 1 take out the degree. Linear in the number of links for each of
    the Lanczos iterations.

    Examples
    --------
    Two groups that pay only each other:

    >>> import pandas as pd
    >>> from helpers.clients.modalities import embed_graph
    >>> paid = pd.DataFrame({"payer": [0, 1, 2, 3, 4, 5], "payee": [1, 2, 0, 4, 5, 3], "payments": 1})
    >>> vectors = embed_graph(paid, range(6), width=2).to_numpy()
    >>> bool((vectors[:3] @ vectors[:3].T).min() > 0.99), bool(abs(vectors[:3] @ vectors[3:].T).max() < 0.01)
    (True, True)
    """
    import pandas as pd
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import eigsh

    names = pd.Index(clients)
    ends = [names.get_indexer(payments[side]) for side in ("payer", "payee")]
    for side, found in zip(("payer", "payee"), ends, strict=True):
        if (found < 0).any():
            raise ValueError(f"{side} {payments[side].iloc[int((found < 0).argmax())]} is not among the clients")
    n = len(names)
    both = coo_matrix((payments["payments"].to_numpy(dtype=float), ends), shape=(n, n)).tocsr()
    both = (both + both.T).log1p()
    chosen = np.ones(n, bool) if seen is None else names.isin(pd.Index(seen))
    links = both[:, chosen]
    degree = np.asarray(links.sum(axis=1)).ravel()
    mean = degree[chosen].mean() if chosen.any() else 0
    if not mean > 0 or width < 1:
        raise ValueError(f"{int(chosen.sum())} clients are seen, with no link among them, or width {width} is below 1")
    scale = diags(1 / np.sqrt(degree + mean))
    laplacian = (scale @ links @ diags(1 / np.sqrt(degree[chosen] + mean))).tocsr()
    square = laplacian[chosen]
    size = square.shape[0]
    width = min(width, size)
    if width < size - 1:
        start = np.random.default_rng(0).standard_normal(size)
        values, axes = eigsh(square, k=width, which="LA", v0=start)
    else:
        values, axes = np.linalg.eigh(square.toarray())
    order = np.argsort(-values)[:width]
    axes = axes[:, order]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(width)])
    vectors = laplacian @ axes
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-6 * length.max())
    return pd.DataFrame(vectors.astype(np.float32), index=names, columns=[f"g{i}" for i in range(width)])


def graph_evidence(clients: Clients, made: Modalities) -> np.ndarray:
    """Log-likelihood of all payments as the block of one client varies, those of the others known: (n, 6, 4)."""
    import pandas as pd

    affinity = _affinity(made.settings["strength"]["graph"])
    log, rate = np.log(affinity), made.settings["payments"]
    block, activity = _blocks(clients), made.activity.to_numpy()
    n, size = len(block), len(affinity)
    names, paid = pd.Index(clients.target.index), made.payments
    payer, payee = (names.get_indexer(paid[side]) for side in ("payer", "payee"))
    number = paid["payments"].to_numpy(dtype=float)

    def by_block(of: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.bincount(of * size + block[other], number, minlength=n * size).reshape(n, size)

    made_to, came_from = by_block(payer, payee), by_block(payee, payer)
    own = np.eye(size)[block]
    total = np.bincount(payer, number, minlength=n)
    # Of each block without the client: Z, the payments made, and the mass of payments to oneself.
    mass = np.bincount(block, activity, minlength=size)
    reach = (affinity @ mass)[None] - activity[:, None] * affinity[block]
    sums = np.bincount(block, total, minlength=size)[None] - own * total[:, None]
    selfs = np.bincount(block, activity**2, minlength=size) * np.diag(affinity)
    selfs = selfs[None] - own * (activity**2)[:, None] * np.diag(affinity)
    found = made_to @ log.T + came_from @ log
    for g in range(size):
        here = np.arange(size) == g
        z = reach + activity[:, None] * affinity[:, g]
        payments = sums + here * total[:, None]
        kept = selfs + here * (activity**2)[:, None] * affinity[g, g]
        found[:, g] += (rate * kept / z - payments * np.log(z)).sum(axis=1)
    return found.reshape(n, len(AGES), len(LIFESTYLES)).transpose(0, 2, 1)


def _blocks(clients: Clients) -> np.ndarray:
    age, lifestyle = latents_of(clients)
    return age * len(LIFESTYLES) + lifestyle


def _affinity(strength: float) -> np.ndarray:
    """w of the model, (blocks, blocks)."""
    check_strength(strength)
    age, lifestyle = np.divmod(np.arange(len(AGES) * len(LIFESTYLES)), len(LIFESTYLES))
    same = HOMOPHILY["lifestyle"] * (lifestyle[:, None] == lifestyle) + HOMOPHILY["age"] * (age[:, None] == age)
    return 1 + strength * same
