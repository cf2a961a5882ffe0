r"""More than transactions: what the same clients write, and whom they pay.

Given the age :math:`a` and the lifestyle :math:`z` of a simulated client (:mod:`helpers.clients.simulator`), three
windows open on them, independently of each other but for what the text quotes of the purchases:

- **transactions**, as the simulator draws them;
- **text**: a number of support messages that tells nothing; the topic of each is drawn from :math:`P(t \mid z)`, the
  purchase that it is about is one of the client's own, and all are written in one style, drawn from
  :math:`P(s \mid a)`;
- **graph**: client i makes :math:`\mathrm{Poisson}(d\,\theta_i)` payments, each to client j with probability
  :math:`\theta_j\,w(i, j) / Z_i`, where :math:`w = 1 + \eta_z [z_i = z_j] + \eta_a [a_i = a_j]`: a degree-corrected
  block model (Karrer and Newman, 2011, Physical Review E 83) whose blocks are the pairs (age, lifestyle).

So the topics say again what the purchases say, the style says something of its own, and the graph both, but only
through others. Sources that have no such data get a text made of their categories and a graph made of the rare
categories that clients share; both are transactions once more, and :attr:`Modalities.origin` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import integer_seed

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.reading import Clients
    from helpers.clients.simulator import Bank
    from helpers.studies.combining import Tuned

__all__ = [
    "METHODS",
    "Experiment",
    "Modalities",
    "Study",
    "ceilings",
    "compared",
    "describe",
    "embed_graph",
    "embed_texts",
    "experiment",
    "modalities",
    "pay",
    "share",
    "study",
    "write",
]

TOPICS = {  # share in each lifestyle (student, night owl, parent, commuter, traveller, homebody), and wordings
    "refused card": (
        (10, 14, 10, 12, 10, 10),
        ("my card was refused when I paid for {what}", "the terminal would not take my card, it was about {what}"),
    ),
    "lost phone": (
        (18, 14, 10, 10, 8, 3),
        (
            "I have a new phone and the app shows no {what}",
            "please move the app to another phone, I pay {what} with it",
        ),
    ),
    "fee abroad": (
        (6, 8, 4, 4, 26, 3),
        ("why is there a foreign fee on {what}", "you took a currency fee for {what} and nobody told me"),
    ),
    "refund": (
        (12, 10, 14, 8, 8, 4),
        ("I sent the order back and want the money for {what}", "where is my refund for {what}"),
    ),
    "loan": (
        (12, 8, 14, 13, 6, 3),
        ("can I pay for {what} in instalments", "please tell me the rate of a loan, I need it for {what}"),
    ),
    "savings": (
        (2, 2, 20, 6, 4, 8),
        ("I want to put something aside and spend less on {what}", "please open a savings account, {what} can wait"),
    ),
    "limit": (
        (10, 16, 6, 10, 14, 4),
        ("please raise my limit, I could not pay for {what}", "my daily limit is too low for {what}"),
    ),
    "direct debit": (
        (6, 6, 10, 18, 6, 22),
        ("please set up a direct debit for {what}", "the standing order for {what} went out twice"),
    ),
    "branch": (
        (4, 4, 4, 6, 4, 34),
        (
            "when does the branch open, I want to ask about {what}",
            "please send me a statement by post with {what} on it",
        ),
    ),
    "subscription": (
        (20, 18, 8, 13, 14, 9),
        ("I cancelled but still pay for {what}", "please stop the subscription that is booked as {what}"),
    ),
}
STYLES = {  # share in each age (youngest first), openings, closings
    "casual": ((0.65, 0.35, 0.12, 0.05), ("hey", "hi", "yo"), ("thx", "cheers", "pls hurry")),
    "plain": ((0.28, 0.45, 0.48, 0.30), ("Hello,", "Good day,", "Hello team,"), ("Thanks.", "Thank you.", "Regards")),
    "formal": (
        (0.07, 0.20, 0.40, 0.65),
        ("Dear Sir or Madam,", "To whom it may concern,", "Dear bank,"),
        ("Yours faithfully", "With kind regards", "I remain at your disposal"),
    ),
}
HOMOPHILY = {"lifestyle": 3.0, "age": 1.5}
KINDS = ("transactions", "text", "graph")
METHODS = ("best single", "mean", "QP", "replacement", "concatenation + PCA", "concatenation")
"""What :func:`study` compares; all but the plain concatenation have the width of one space."""
WEIGHED = ("QP", "replacement")
NAMES = {"best single": "best", "concatenation": "concat"}
LAMBDAS = (0.02, 0.1, 0.5)
STEPS = (0.2, 0.5)


@dataclass(frozen=True)
class Modalities:
    """What there is of clients beside their transactions.

    Attributes
    ----------
    texts : Series or None
        One text for each client, in the order of the clients; None where the source allows none.
    payments : DataFrame or None
        ``payer``, ``payee`` (clients, never the same) and ``payments`` (how many, or how strong the link is), one row
        for each pair that has any; None where the source allows none.
    origin : dict
        For ``"text"`` and ``"graph"`` one sentence: how it was made, or why it is absent.
    messages : DataFrame or None
        Of simulated clients: each message with its client, topic, style and category.
    activity : Series or None
        Of simulated clients: θ of the module's model.
    settings : dict
        What :func:`modalities` was given.
    """

    texts: pd.Series | None
    payments: pd.DataFrame | None
    origin: dict[str, str]
    messages: pd.DataFrame | None = field(default=None, repr=False)
    activity: pd.Series | None = field(default=None, repr=False)
    settings: dict[str, Any] = field(default_factory=dict, repr=False)


def modalities(
    clients: Clients,
    *,
    messages: tuple[int, int] = (2, 6),
    payments: float = 6.0,
    strength: float | Mapping[str, float] = 1.0,
    rare: float = 0.05,
    rng=0,
) -> Modalities:
    """A text and a graph of the same clients: drawn where they are simulated, else made of their transactions.

    Parameters
    ----------
    clients
        From :func:`helpers.clients.load`; the latent truth decides which of the two.
    messages, payments, strength
        Of simulated clients: see :func:`write` and :func:`pay`. A mapping gives ``text`` and ``graph`` their own
        strength.
    rare
        Of other sources: see :func:`share`.
    rng
        An integer, a sequence of integers, or a ``numpy.random.Generator``. The same number as of
        :func:`helpers.clients.simulate` gives other draws than that.

    Returns
    -------
    Modalities

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> from helpers.studies.modalities import modalities
    >>> made = modalities(simulate(20, rng=0))
    >>> len(made.texts), list(made.payments.columns)
    (20, ['payer', 'payee', 'payments'])
    """
    if clients.latents is None:
        texts, linked = describe(clients), share(clients, rare=rare)
        n = len(set(linked["payer"]) | set(linked["payee"]))
        found = 10 * n >= len(clients)
        origin = {
            "text": "made of the transactions: which categories a client uses mostly, often and now and then",
            "graph": f"made of the transactions: two clients are linked where they share a category that at most "
            f"{rare:.0%} of the clients have; {n} of {len(clients)} have a link"
            if found
            else f"absent: only {n} of {len(clients)} clients share a category that at most {rare:.0%} of them have",
        }
        return Modalities(texts, linked if found else None, origin)
    given = dict(strength) if isinstance(strength, Mapping) else dict.fromkeys(("text", "graph"), strength)
    if unknown := set(given) - {"text", "graph"}:
        raise ValueError(f"strength names {', '.join(map(repr, sorted(unknown)))}; there are 'text' and 'graph'")
    given = {"text": 1.0, "graph": 1.0} | given
    written = write(clients, messages=messages, strength=given["text"], rng=rng)
    paid, activity = pay(clients, payments=payments, strength=given["graph"], rng=rng)
    origin = {
        "text": f"simulated: {messages[0]} to {messages[1]} support messages of each client",
        "graph": f"simulated: payments among the clients, {payments:g} made by each on average",
    }
    texts = written.groupby("client", sort=False)["text"].agg("\n".join).reindex(clients.target.index)
    return Modalities(texts, paid, origin, written, activity, {"payments": payments, "strength": given})


def write(clients: Clients, *, messages: tuple[int, int] = (2, 6), strength: float = 1.0, rng=0) -> pd.DataFrame:
    """Support messages of simulated clients, by the model of this module.

    Parameters
    ----------
    clients
        Simulated ones.
    messages
        Fewest and most messages of a client, each number in between alike likely.
    strength
        How far topics differ between lifestyles and styles between ages: 1 as documented, 0 not at all. The categories
        that are mentioned tell of the lifestyle in any case.
    rng
        As for :func:`modalities`.

    Returns
    -------
    DataFrame
        One row per message: ``client``, ``topic``, ``style``, ``category``, ``text``; in the order of the clients.

    Raises
    ------
    ValueError
        If a number is out of range, or the clients are not simulated.

    Examples
    --------
    >>> from helpers.clients import simulate
    >>> from helpers.studies.modalities import write
    >>> write(simulate(2, rng=1), messages=(2, 2))["client"].tolist()
    [0, 0, 1, 1]
    """
    import pandas as pd

    from helpers.clients.simulator import _choose

    seed = integer_seed(rng)
    age, lifestyle = _latents(clients)
    low, high = messages
    if not 1 <= low <= high:
        raise ValueError(f"messages is {messages}; 1 ≤ fewest ≤ most are needed")
    topics, styles = _text_tables(strength)
    rng = _generator(seed, 1)
    style = _choose(styles[age], rng)
    count = rng.integers(low, high + 1, size=len(age))
    owner = np.repeat(np.arange(len(age)), count)
    topic = _choose(topics[lifestyle], rng, owner)
    which = pd.Index(clients.target.index).get_indexer(clients.events["client"])
    first, size = np.searchsorted(which, np.arange(len(age))), np.bincount(which, minlength=len(age))
    event = first[owner] + rng.integers(size[owner])
    category = clients.events["category"].astype(object).to_numpy()[event]
    names, ways = list(TOPICS), list(STYLES)
    draws = rng.integers(1 << 16, size=(len(owner), 3))
    rows = zip(topic, style[owner], category, draws, strict=True)
    text = [_worded(names[t], ways[s], what, draw) for t, s, what, draw in rows]
    return pd.DataFrame(
        {
            "client": clients.target.index.to_numpy()[owner],
            "topic": pd.Categorical.from_codes(topic, names),
            "style": pd.Categorical.from_codes(style[owner], ways),
            "category": category,
            "text": text,
        }
    )


def pay(
    clients: Clients, *, payments: float = 6.0, strength: float = 1.0, spread: float = 0.5, rng=0
) -> tuple[pd.DataFrame, pd.Series]:
    r"""Payments among simulated clients, by the model of this module.

    Parameters
    ----------
    clients
        Simulated ones, at least two.
    payments
        d, the mean number that a client makes. Those to oneself are drawn but not listed.
    strength
        Factor of the homophily :math:`\eta`: 1 as documented, 0 for payments that tell nothing.
    spread
        Standard deviation of :math:`\log \theta`, whose mean is such that θ is 1 on average: how unequal degrees are.
    rng
        As for :func:`modalities`.

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
    >>> from helpers.studies.modalities import pay
    >>> paid, activity = pay(simulate(50, rng=0))
    >>> bool((paid["payer"] != paid["payee"]).all()), len(activity)
    (True, 50)
    """
    import pandas as pd

    from helpers.clients.simulator import _choose

    seed = integer_seed(rng)
    block = _blocks(clients)
    n = len(block)
    if n < 2 or not payments > 0 or not spread >= 0:
        raise ValueError(
            f"there are {n} clients, payments is {payments} and spread {spread}; two clients, a positive number and a "
            "spread of at least 0 are needed"
        )
    affinity = _affinity(strength)
    rng = _generator(seed, 2)
    activity = rng.lognormal(-(spread**2) / 2, spread, size=n)
    mass = np.bincount(block, activity, minlength=len(affinity))
    payer = np.repeat(np.arange(n), rng.poisson(payments * activity))
    toward = _choose((affinity * mass)[block], rng, payer)
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


def describe(clients: Clients) -> pd.Series:
    """A sentence or two on each client, made of the categories of the events; no target is seen.

    Returns
    -------
    Series of str
        In the order of the clients: categories with a quarter of the events, with a tenth, and the rest.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients import read
    >>> from helpers.studies.modalities import describe
    >>> rows = pd.DataFrame({"client": 7, "time": range(6), "category": list("aaaaab"), "amount": 1.0})
    >>> describe(read(rows, min_events=1))[7]
    'mostly a; often b.'
    """
    import pandas as pd

    shares = pd.crosstab(clients.events["client"], clients.events["category"].astype(object), normalize="index")
    shares = shares.reindex(clients.target.index)
    names = np.array([str(name) for name in shares.columns], dtype=object)
    words = ("mostly", 0.25, 2.0), ("often", 0.1, 0.25), ("now and then", 1e-12, 0.1)

    def sentence(row: np.ndarray) -> str:
        order = np.argsort(-row, kind="stable")
        parts = []
        for word, low, high in words:
            chosen = [names[i] for i in order if low <= row[i] < high]
            parts += [f"{word} {', '.join(chosen)}"] if chosen else []
        return "; ".join(parts) + "."

    return pd.Series([sentence(row) for row in shares.to_numpy()], index=shares.index, name="text")


def share(clients: Clients, *, rare: float = 0.05, most: int = 300) -> pd.DataFrame:
    """Links between clients that use the same rare categories; no target is seen.

    Parameters
    ----------
    clients
        Of any source.
    rare
        A category is rare if more than one client and at most this share of all clients use it.
    most
        Nor is a category rare that more clients than this use, however many there are.

    Returns
    -------
    DataFrame
        ``payer``, ``payee``, ``payments`` as in :attr:`Modalities.payments`, both directions, where ``payments`` is the
        sum over the shared categories of log(clients / clients who use it).

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
    >>> from helpers.studies.modalities import share
    >>> rows = pd.DataFrame({"client": [1, 1, 2, 2, 3, 3], "time": 0, "category": list("abacad"), "amount": 1.0})
    >>> len(share(read(rows, min_events=1), rare=0.7)), len(share(read(rows.replace("d", "b"), min_events=1), rare=0.7))
    (0, 2)
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


def embed_texts(
    texts: pd.Series, split: pd.Series, *, width: int = 32, model: str = "", layer: str = "", **options: Any
) -> pd.DataFrame:
    """A vector for each client's text.

    Parameters
    ----------
    texts
        One for each client; none of them blank.
    split
        :func:`helpers.clients.split`: without a model, words, weights and axes are learnt from the texts of the part
        ``"train"`` alone.
    width
        Features, without a model: leading singular vectors of the TF-IDF of words (Deerwester et al., 1990); fewer if
        there are fewer words or training texts.
    model
        Empty, or an encoder that :func:`helpers.encoders.extraction.extract` reads (name on the hub, or folder); it is
        taken as it is.
    layer
        Of the model, such as ``"layer 4"``; the last one if empty.
    options
        Of :func:`helpers.encoders.extraction.extract`.

    Returns
    -------
    DataFrame of shape (clients, width)
        Indexed as the texts; float32.

    Raises
    ------
    ValueError
        If a text is blank, the training texts share no word, or there is no such layer.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.modalities import embed_texts
    >>> texts = pd.Series(["one card", "two cards", "one app and two cards", "two apps"])
    >>> embed_texts(texts, pd.Series(["train", "train", "train", "test"]), width=2).shape
    (4, 2)
    """
    import pandas as pd

    blank = texts.isna() | texts.fillna("").str.strip().eq("")
    if blank.any():
        raise ValueError(f"the text of client {texts.index[blank.to_numpy().argmax()]} is blank")
    if model:
        from helpers.encoders.extraction import extract

        found = extract(model, list(texts), **({"progress": False} | options))
        if layer and layer not in found:
            raise ValueError(f"layer is {layer!r}; {model} has {', '.join(found)}")
        values = np.asarray(found[layer or list(found)[-1]], dtype=np.float32)
        return pd.DataFrame(values, index=texts.index, columns=[f"t{i}" for i in range(values.shape[1])])
    from scipy.sparse.linalg import svds
    from sklearn.feature_extraction.text import TfidfVectorizer

    if width < 1:
        raise ValueError(f"width is {width}; at least 1 is needed")
    train = _part(split, texts.index, "train")
    counter = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", sublinear_tf=True, min_df=2)
    try:
        seen = counter.fit_transform(texts[train])
    except ValueError as error:
        raise ValueError(f"the {int(train.sum())} training texts have no words in common: {error}") from None
    width = min(width, min(seen.shape))
    if width < min(seen.shape):
        start = np.random.default_rng(0).standard_normal(min(seen.shape))
        axes = svds(seen, k=width, v0=start)[2][::-1]
    else:
        axes = np.linalg.svd(seen.toarray(), full_matrices=False)[2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    values = counter.transform(texts) @ axes.T
    return pd.DataFrame(values.astype(np.float32), index=texts.index, columns=[f"t{i}" for i in range(len(axes))])


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
        ``payer``, ``payee``, ``payments``.
    clients
        All that are to be embedded, in the order that is wanted.
    width
        Features; fewer if there are not as many clients.
    seen
        The clients whose links decide the axes. None: all (*transductive*: links of validation and test clients are
        used, labels never). With the training clients alone, the others are placed by their links to these
        (*out of sample*), and links among the others are not used.

    Returns
    -------
    DataFrame of shape (clients, width)
        float32; a client without a link, or whose links have no share in the axes, has zeros.

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
    >>> from helpers.studies.modalities import embed_graph
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


def ceilings(clients: Clients, made: Modalities, *, model: Bank | None = None) -> pd.DataFrame:
    r"""What an ideal observer tells of the age from each set of modalities, and from all together.

    Parameters
    ----------
    clients, made
        Simulated clients and their :func:`modalities`.
    model
        The bank that they were drawn from; :func:`helpers.clients.bank` by default.

    Returns
    -------
    DataFrame
        One row for each of the seven sets of ``transactions`` (all five features), ``text`` and ``graph``:
        ``accuracy``, the mean largest posterior, its standard error ``error``, and ``hits``, how often the observer was
        right. ``exact`` is False where the graph is seen: that observer is told the age and lifestyle of all *other*
        clients, which nobody knows, so that the number is an upper bound.

    Raises
    ------
    ValueError
        If the clients are not simulated.

    Notes
    -----
    Exact Bayesian inference otherwise: likelihoods given age and lifestyle multiply, :math:`P(a \mid x) \propto \sum_z
    P(z \mid a) \prod_m P(x_m \mid z, a)`. The purchases that a text quotes are draws from the transactions: beside
    these they tell nothing, and alone they are counted by the Dirichlet-multinomial distribution.

    Examples
    --------
    >>> from helpers.clients import bank, simulate
    >>> from helpers.studies.modalities import ceilings, modalities
    >>> blind = simulate(30, model=bank(strength=0), rng=0)
    >>> found = ceilings(blind, modalities(blind, strength=0), model=bank(strength=0))
    >>> found.loc["transactions + text", "accuracy"].round(6), len(found)
    (np.float64(0.25), 7)
    """
    import pandas as pd
    from scipy.special import logsumexp

    from helpers.clients.simulator import FEATURES, _Evidence, bank

    _latents(clients)
    model = model or bank()
    evidence = _Evidence(clients, model, 1, np.random.default_rng(0))
    seen = evidence.purchases(FEATURES) + evidence.days(FEATURES) + evidence.channels[:, None, :]
    words, quoted = _text_evidence(clients, made, model)
    likelihood = {"transactions": seen, "text": words, "graph": _graph_evidence(clients, made)}
    rows = {}
    for chosen in (names for size in (1, 2, 3) for names in combinations(KINDS, size)):
        log = np.log(np.maximum(model.lifestyle.T, 1e-300))[None] + sum(likelihood[name] for name in chosen)
        if "text" in chosen and "transactions" not in chosen:
            log = log + quoted
        log = logsumexp(log, axis=1)
        posterior = np.exp(log - logsumexp(log, axis=1, keepdims=True))
        sure = posterior.max(axis=1)
        rows[" + ".join(chosen)] = {
            "accuracy": sure.mean(),
            "error": sure.std(ddof=1) / np.sqrt(len(sure)),
            "hits": (posterior.argmax(axis=1) == clients.target.to_numpy()).mean(),
            "exact": "graph" not in chosen,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


class Study(NamedTuple):
    """What :func:`study` found.

    Attributes
    ----------
    table : DataFrame
        One row for each set and method: ``set``, ``method``, ``accuracy`` on test clients, ``width``, and ``weights``,
        text that says which single space or, where they are not equal, what weight of each.
    correct : DataFrame
        Whether the class of each test client is predicted, a column for each (set, method).
    quality : Series
        Accuracy of each space alone on validation clients: all that is known of the target when ensembles are chosen.
    """

    table: pd.DataFrame
    correct: pd.DataFrame
    quality: pd.Series


def study(
    spaces: Mapping[str, Any],
    target: pd.Series,
    split: pd.Series,
    sets: Mapping[str, Sequence[str]],
    *,
    width: int | None = None,
    lambdas: Sequence[float] = LAMBDAS,
    steps: Sequence[float] = STEPS,
    classifier: str = "fast",
    selection_classifier: str = "",
    rng: int | np.random.Generator = 0,
    known: dict | None = None,
) -> Study:
    """Ensembles over sets of spaces, scored on test clients.

    Parameters
    ----------
    spaces
        By name, DataFrames indexed by client or arrays with a row for each client of ``target``.
    target, split
        Class and part of each client; clients without a class are left out.
    sets
        By name, which spaces are combined by each of :data:`METHODS`. ``"best single"`` is the space of highest
        validation accuracy; ``"mean"`` and ``"QP"`` add standardised features, the narrower spaces filled with zeros,
        the QP with the validation accuracy as quality and CKA as similarity; ``"replacement"`` is
        :class:`helpers.ensembles.QualityReplacement` with the same quality; ``"concatenation + PCA"`` projects
        standardised features; ``"concatenation"`` does not.
    width
        Of the projection: that of the widest space by default.
    lambdas, steps
        Values of λ of the QP and of p of the replacement, of which validation accuracy chooses.
    classifier, selection_classifier, rng, known
        As for :func:`helpers.studies.combining.compare`, which does the work.

    Returns
    -------
    Study
        A set of one space has the row ``"best single"`` only.

    Raises
    ------
    ValueError
        If a set names an unknown space or none.

    Notes
    -----
    Statistics, axes and importances come from training clients, qualities, λ and p from validation clients; test
    clients enter only what is reported.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from helpers.studies.modalities import study
    >>> rng = np.random.default_rng(0)
    >>> target = pd.Series([0, 1] * 100)
    >>> split = pd.Series((["train"] * 12 + ["validation"] * 4 + ["test"] * 4) * 10)
    >>> spaces = {name: target.to_numpy()[:, None] + rng.normal(size=(200, 2)) for name in "ab"}
    >>> found = study(spaces, target, split, {"a": ["a"], "both": ["a", "b"]}, classifier="logistic")
    >>> found.table.groupby("set").size().to_dict()
    {'a': 1, 'both': 6}
    """
    import pandas as pd

    from helpers.studies.combining import Scored, compare

    seed = integer_seed(rng)
    tables = {
        name: x if isinstance(x, pd.DataFrame) else pd.DataFrame(np.asarray(x), index=target.index)
        for name, x in spaces.items()
    }
    for name, members in sets.items():
        if not members or set(members) - set(tables):
            raise ValueError(f"the set {name!r} is {list(members)}; some of {list(tables)} are needed")
    width = width or max(x.shape[1] for x in tables.values())
    known = {} if known is None else known
    classes = target[target.notna()]
    scored = Scored(classes, split.loc[classes.index], classifier, seed, known)
    rows, correct, quality = [], {}, {}
    for label, members in sets.items():
        here = {name: tables[name] for name in members}
        if len(here) == 1:
            (name,) = here
            x = here[name].loc[classes.index].to_numpy()
            found, quality[name] = scored(x, "test"), scored(x, "validation").accuracy
            about = {"accuracy": found.accuracy, "width": x.shape[1], "weights": name}
            rows.append({"set": label, "method": "best single"} | about)
            correct[label, "best single"] = found.correct
            continue
        total = sum(x.shape[1] for x in here.values())
        methods = partial(_methods, min(width, total), lambdas, steps)
        options = {"classifier": classifier, "selection_classifier": selection_classifier, "rng": seed, "known": known}
        found = compare(here, target, split, methods, n_resamples=2, **options)
        table = found.table.set_index("method", drop=False)
        quality |= table.loc[table["kind"] == "single", "validation"].to_dict()
        for method, key in {name: NAMES.get(name, name) for name in METHODS}.items():
            row = table.loc[key]
            shares = zip(members, map(float, row["weights"].split()), strict=False)
            said = ", ".join(f"{name} {value:.2f}" for name, value in shares if value > 0.005)
            said = json.loads(row["chosen"]).get("model", said if method in WEIGHED else "")
            about = {"accuracy": row["accuracy"], "width": row["width"], "weights": said}
            rows.append({"set": label, "method": method} | about)
            correct[label, method] = found.correct[key]
    return Study(pd.DataFrame(rows), pd.DataFrame(correct), pd.Series(quality, name="quality"))


class Experiment(NamedTuple):
    """What :func:`experiment` found.

    Attributes
    ----------
    made : Modalities
    spaces : dict of str to DataFrame
        ``"model 0"``, … of transactions, then ``"text"`` and ``"graph"`` as far as there are any.
    best : str
        The model of transactions with the highest validation accuracy.
    study : Study
    similarity : dict of str to DataFrame
        By measure, between all spaces and ``"shuffled"``, the best model with its clients in random order, whose
        similarity to a space of another modality is what chance gives.
    ceilings : DataFrame or None
        Of simulated clients.
    """

    made: Modalities
    spaces: dict[str, pd.DataFrame]
    best: str
    study: Study
    similarity: dict[str, pd.DataFrame]
    ceilings: pd.DataFrame | None

    def rows(self) -> pd.DataFrame:
        """Everything in one long table: ``kind``, ``set``, ``method``, ``value``, ``width``, ``weights``."""
        import pandas as pd

        table = self.study.table.rename(columns={"accuracy": "value"}).assign(kind="accuracy")
        parts = [table, _rows("quality", {("validation", name): q for name, q in self.study.quality.items()})]
        for measure, matrix in self.similarity.items():
            parts.append(_rows("similarity", {(measure, pair): v for pair, v in by_modality(matrix).items()}))
        if self.ceilings is not None:
            parts.append(_rows("ceiling", {("ideal observer", s): v for s, v in self.ceilings["accuracy"].items()}))
        found = pd.concat(parts, ignore_index=True)
        found["width"] = found["width"].astype("Int64")
        return found[["kind", "set", "method", "value", "width", "weights"]]


def experiment(
    models: Mapping[Any, pd.DataFrame],
    clients: Clients,
    split: pd.Series,
    *,
    strength: float | Mapping[str, float] = 1.0,
    text_width: int = 32,
    graph_width: int = 16,
    text_model: str = "",
    measures: Sequence[str] = ("cka", "rsa", "jaccard", "distance_correlation"),
    n_similar: int = 1000,
    lambdas: Sequence[float] = LAMBDAS,
    steps: Sequence[float] = STEPS,
    classifier: str = "fast",
    selection_classifier: str = "logistic",
    rng=0,
) -> Experiment:
    """Text and graph beside the transactions' models of one experiment: similarities, ensembles, ceilings.

    Parameters
    ----------
    models
        By number, the embeddings of one experiment (:class:`helpers.studies.sweep.Sweep`).
    clients, split
        Whose embeddings they are, and the parts on which the models were trained.
    strength, rng
        As for :func:`modalities`; the first of several seeds is that of the scorer, too.
    text_width, text_model, graph_width
        As for :func:`embed_texts` and :func:`embed_graph` (with the links of all clients).
    measures, n_similar
        Similarities, on at most so many test clients.
    lambdas, steps, classifier, selection_classifier
        As for :func:`study`, whose sets are: each of ``transactions`` (the best model), ``text`` and ``graph`` alone,
        two together, all three; ``all models``; and all of everything.

    Returns
    -------
    Experiment

    Raises
    ------
    ValueError
        If a model has not the clients of ``clients``.
    """
    from helpers.similarity.matrices import similarity_matrices

    seed = integer_seed(rng)
    spaces: dict[str, pd.DataFrame] = {f"model {number}": table for number, table in models.items()}
    for name, table in spaces.items():
        if not table.index.equals(clients.target.index):
            raise ValueError(f"{name} embeds {len(table)} clients, and not the {len(clients)} that are given")
    made = modalities(clients, strength=strength, rng=seed)
    several = list(spaces)
    if made.texts is not None:
        spaces["text"] = embed_texts(made.texts, split, width=text_width, model=text_model)
    if made.payments is not None:
        spaces["graph"] = embed_graph(made.payments, clients.target.index, width=graph_width)
    first = int(np.ravel(seed)[0]) if not isinstance(seed, np.random.Generator) else 0
    known: dict = {}
    options = {
        "lambdas": lambdas,
        "steps": steps,
        "classifier": classifier,
        "selection_classifier": selection_classifier,
        "rng": first,
        "known": known,
    }
    alone = study(spaces, clients.target, split, {name: [name] for name in several}, **options)
    best = str(alone.quality.idxmax())
    single = {"transactions": best} | {name: name for name in KINDS[1:] if name in spaces}
    sets = {
        " + ".join(chosen): [single[name] for name in chosen]
        for size in range(1, len(single) + 1)
        for chosen in combinations(single, size)
    }
    if len(several) > 1:
        sets["all models"] = several
        sets[" + ".join(["all models", *list(single)[1:]])] = [*several, *list(single.values())[1:]]
    found = study(spaces, clients.target, split, sets, width=spaces[best].shape[1], **options)
    test = np.flatnonzero(_part(split, clients.target.index, "test"))[:n_similar]
    shown = {name: x.to_numpy()[test] for name, x in spaces.items()}
    shown["shuffled"] = shown[best][np.random.default_rng(first).permutation(len(test))]
    similarity = similarity_matrices(shown, measures, progress=False)
    known = None if clients.latents is None else ceilings(clients, made)
    return Experiment(made, spaces, best, found, similarity, known)


def by_modality(matrix: pd.DataFrame) -> dict[str, float]:
    """Mean similarity within the models of transactions, between modalities, and by chance.

    >>> import pandas as pd
    >>> names = ["model 0", "model 1", "text", "shuffled"]
    >>> matrix = pd.DataFrame([[1, 0.8, 0.2, 0], [0.8, 1, 0.4, 0], [0.2, 0.4, 1, 0.1], [0, 0, 0.1, 1]], names, names)
    >>> {pair: round(value, 2) for pair, value in by_modality(matrix).items()}
    {'models of transactions': 0.8, 'transactions and text': 0.3, 'chance': 0.1}
    """
    kind = ["transactions" if name.startswith("model ") else name for name in matrix.columns]
    others = [name for name in KINDS[1:] if name in kind]
    values, kind = matrix.to_numpy(), np.array(kind)

    def between(a: str, b: str) -> float:
        return float(values[np.ix_(kind == a, kind == b)].mean())

    found = {}
    several = values[np.ix_(kind == "transactions", kind == "transactions")]
    if len(several) > 1:
        found["models of transactions"] = float(several[np.triu_indices(len(several), 1)].mean())
    found |= {f"transactions and {name}": between("transactions", name) for name in others}
    if len(others) == 2:
        found["text and graph"] = between(*others)
    if others:
        found["chance"] = float(np.mean([between(name, "shuffled") for name in others]))
    return found


def _rows(kind: str, values: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    import pandas as pd

    columns = {"method": [m for m, _ in values], "set": [s for _, s in values], "value": list(values.values())}
    return pd.DataFrame({"kind": kind} | columns)


def compared(
    scores: pd.DataFrame,
    pairs: Mapping[Any, tuple[Any, Any]],
    *,
    groups: Any = None,
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng=0,
) -> pd.DataFrame:
    """Paired differences between columns, with intervals and Holm's correction.

    Parameters
    ----------
    scores
        One row per unit (an experiment, or a client), one column for each method.
    pairs
        By name, the two columns a and b of which a - b is wanted.
    groups, confidence_level, n_resamples, rng
        As for :func:`helpers.inference.paired`.

    Returns
    -------
    DataFrame
        One row for each pair: ``difference``, ``ci_low``, ``ci_high``, ``p``, Holm's ``p_holm`` p over all pairs,
        ``wins`` (the share of units in which a is larger, ties half) and the ``verdict`` after that correction.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.studies.modalities import compared
    >>> scores = pd.DataFrame({"a": [6, 7, 6, 8, 7, 9, 7, 8], "b": [5, 6, 5, 6, 6, 7, 6, 7]}) / 10
    >>> compared(scores, {"a less b": ("a", "b")})["verdict"].tolist()
    ['better']
    """
    import pandas as pd

    from helpers.inference import holm, paired

    rows = {}
    for name, (a, b) in pairs.items():
        values = scores[[a, b]].dropna().to_numpy(dtype=float)
        found = paired(
            values[:, 0],
            values[:, 1],
            groups=groups,
            confidence_level=confidence_level,
            n_resamples=n_resamples,
            rng=rng,
        )
        difference = values[:, 0] - values[:, 1]
        rows[name] = {
            "difference": found.difference,
            "ci_low": found.low,
            "ci_high": found.high,
            "p": found.p,
            "wins": float(np.mean((difference > 0) + 0.5 * (difference == 0))),
            "verdict": found.verdict,
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.insert(4, "p_holm", holm(table["p"]))
    table["verdict"] = table["verdict"].where(table["p_holm"] <= 1 - confidence_level + 1e-12, "not distinguishable")
    return table


def _methods(
    size: int, lambdas, steps, width: int, *, n_train: int, rng: int | np.random.Generator
) -> dict[str, Tuned]:
    """The ensembles of :data:`METHODS`, projections of one size whatever the best single space has."""
    from helpers.ensembles import QP, ConcatPCA, MeanOfLayers, QualityReplacement
    from helpers.studies.combining import Tuned

    seed = integer_seed(rng)
    add = {"normalize": "standardize", "align": "pad"}
    return {
        "mean": Tuned(MeanOfLayers(**add)),
        "QP": Tuned(QP(**add), {"lam": list(lambdas)}),
        "replacement": Tuned(QualityReplacement(random_state=seed), {"p": list(steps)}),
        "concatenation + PCA": Tuned(ConcatPCA(min(size, n_train - 1), normalize="standardize")),
    }


def _part(split: pd.Series, index: pd.Index, name: str) -> np.ndarray:
    """Which of the clients are of a part."""
    return split.reindex(index).eq(name).to_numpy()


def _generator(seed, stream: int) -> np.random.Generator:
    """Draws of their own for a seed that others use too."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(15, stream)))


def _latents(clients: Clients) -> tuple[np.ndarray, np.ndarray]:
    if clients.latents is None:
        raise ValueError("the clients have no latents: messages and payments are drawn for simulated clients only")
    return clients.latents["age"].to_numpy(), clients.latents["lifestyle"].cat.codes.to_numpy().astype(int)


def _blocks(clients: Clients) -> np.ndarray:
    from helpers.clients.simulator import LIFESTYLES

    age, lifestyle = _latents(clients)
    return age * len(LIFESTYLES) + lifestyle


def _check_strength(strength: float) -> float:
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; a number from 0 to 1 is needed")
    return strength


def _text_tables(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """P(topic | lifestyle) and P(style | age)."""
    _check_strength(strength)
    topics = np.array([row[0] for row in TOPICS.values()], dtype=float).T
    styles = np.array([row[0] for row in STYLES.values()]).T
    tables = (table / table.sum(axis=1, keepdims=True) for table in (topics, styles))
    return tuple(strength * table + (1 - strength) * table.mean(axis=0) for table in tables)


def _affinity(strength: float) -> np.ndarray:
    """w of the model, (blocks, blocks)."""
    from helpers.clients.simulator import AGES, LIFESTYLES

    _check_strength(strength)
    age, lifestyle = np.divmod(np.arange(len(AGES) * len(LIFESTYLES)), len(LIFESTYLES))
    same = HOMOPHILY["lifestyle"] * (lifestyle[:, None] == lifestyle) + HOMOPHILY["age"] * (age[:, None] == age)
    return 1 + strength * same


def _worded(topic: str, style: str, what: str, draw: np.ndarray) -> str:
    """One message."""
    _, openings, closings = STYLES[style]
    wordings = TOPICS[topic][1]
    body = wordings[draw[0] % len(wordings)].format(what=what)
    opening, closing = openings[draw[1] % len(openings)], closings[draw[2] % len(closings)]
    if style == "casual":
        body = body.replace("please", "pls").lower()
    elif style == "formal":
        body = "I am writing to you because of the following: " + body + "."
    else:
        body = body[0].upper() + body[1:] + "."
    return f"{opening} {body} {closing}"


def _text_evidence(clients: Clients, made: Modalities, model: Bank) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods of topics and style, and of the categories quoted, (clients, lifestyles, ages) or alike."""
    import pandas as pd

    from helpers.clients.simulator import CATEGORIES, _dirichlet_multinomial

    topics, styles = _text_tables(made.settings["strength"]["text"])
    n, messages = len(clients), made.messages
    owner = pd.Index(clients.target.index).get_indexer(messages["client"])

    def counts(codes: np.ndarray, size: int) -> np.ndarray:
        return np.bincount(owner * size + codes, minlength=n * size).reshape(n, size)

    topic = counts(messages["topic"].cat.codes.to_numpy().astype(int), len(TOPICS)) @ np.log(topics).T
    style = np.empty(n, dtype=int)
    style[owner] = messages["style"].cat.codes
    quoted = counts(pd.Index(list(CATEGORIES)).get_indexer(messages["category"]), len(CATEGORIES))
    return topic[:, :, None] + np.log(styles).T[style][:, None, :], _dirichlet_multinomial(quoted, model.taste)[
        :, :, None
    ]


def _graph_evidence(clients: Clients, made: Modalities) -> np.ndarray:
    """Log-likelihood of all payments as the block of one client varies, those of the others known: (n, 6, 4)."""
    import pandas as pd

    from helpers.clients.simulator import AGES, LIFESTYLES

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
