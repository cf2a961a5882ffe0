"""What clients write: support messages that are drawn, sentences about their categories, and vectors of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import svd
from helpers.clients.modalities._drawing import check_strength, latents_of, stream
from helpers.clients.observer import dirichlet_multinomial
from helpers.clients.simulator import CATEGORIES, choose

if TYPE_CHECKING:
    import pandas as pd

    from helpers.clients.data import Clients
    from helpers.clients.modalities.data import Modalities
    from helpers.clients.simulator import Bank

__all__ = ["STYLES", "TOPICS", "describe_categories", "embed_texts", "text_evidence", "write_messages"]


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


def write_messages(
    clients: Clients, *, messages: tuple[int, int] = (2, 6), strength: float = 1.0, rng=0
) -> pd.DataFrame:
    """Support messages of simulated clients, by the model of :mod:`helpers.clients.modalities`.

    Parameters
    ----------
    clients
        Simulated clients, with their latent truth.
    messages
        Fewest and most messages of a client, each number in between equally likely.
    strength
        How far topics differ between lifestyles and styles between ages: 1 as documented, 0 not at all. The categories
        that are mentioned tell of the lifestyle in any case.
    rng
        Seed, sequence of seeds or generator of the draws.

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
    >>> from helpers.clients.modalities import write_messages
    >>> write_messages(simulate(2, rng=1), messages=(2, 2))["client"].tolist()
    [0, 0, 1, 1]
    """
    import pandas as pd

    age, lifestyle = latents_of(clients)
    low, high = messages
    if not 1 <= low <= high:
        raise ValueError(f"messages is {messages}; 1 ≤ fewest ≤ most are needed")
    topics, styles = _text_tables(strength)
    rng = stream(rng, 1)
    style = choose(styles[age], rng)
    count = rng.integers(low, high + 1, size=len(age))
    owner = np.repeat(np.arange(len(age)), count)
    topic = choose(topics[lifestyle], rng, owner)
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


def describe_categories(clients: Clients) -> pd.Series:
    """A sentence or two on each client, made of the categories of the events; no target is seen.

    Parameters
    ----------
    clients
        Clients of any source.

    Returns
    -------
    Series of str
        A text for each client, in their order: categories with a quarter of the events, with a tenth, and the rest.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients import read
    >>> from helpers.clients.modalities import describe_categories
    >>> rows = pd.DataFrame({"client": 7, "time": range(6), "category": list("aaaaab"), "amount": 1.0})
    >>> describe_categories(read(rows, handling={"min_events": 1}))[7]
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


def embed_texts(
    texts: pd.Series, split: pd.Series, *, width: int = 32, model: str = "", layer: str = "", **options: Any
) -> pd.DataFrame:
    """A vector for each client's text.

    Parameters
    ----------
    texts
        Text of each client; none of them blank.
    split
        ``"train"``, ``"validation"`` or ``"test"`` for each client (:func:`helpers.clients.split`): without a model,
        words, weights and axes are learnt from the texts of ``"train"`` alone.
    width
        Number of features without a model: leading singular vectors of the TF-IDF of words (Deerwester et al., 1990);
        fewer if there are fewer words or training texts.
    model
        Encoder that :func:`helpers.encoders.extraction.extract` reads (name on the hub, or folder), taken as it is;
        without a model if empty.
    layer
        Layer of the model, such as ``"layer 4"``; the last one if empty.
    options
        Further arguments of :func:`helpers.encoders.extraction.extract`.

    Returns
    -------
    DataFrame of shape (clients, width)
        A float32 vector for each text, with its index.

    Raises
    ------
    ValueError
        If a text is blank, the training texts share no word, or there is no such layer.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.clients.modalities import embed_texts
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
    train = split.reindex(texts.index).eq("train").to_numpy()
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
        axes = svd(seen.toarray())[2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    values = counter.transform(texts) @ axes.T
    return pd.DataFrame(values.astype(np.float32), index=texts.index, columns=[f"t{i}" for i in range(len(axes))])


def text_evidence(clients: Clients, made: Modalities, model: Bank) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods of topics and style, and of the categories quoted, (clients, lifestyles, ages)."""
    import pandas as pd

    topics, styles = _text_tables(made.settings["strength"]["text"])
    n, messages = len(clients), made.messages
    owner = pd.Index(clients.target.index).get_indexer(messages["client"])

    def counts(codes: np.ndarray, size: int) -> np.ndarray:
        return np.bincount(owner * size + codes, minlength=n * size).reshape(n, size)

    topic = counts(messages["topic"].cat.codes.to_numpy().astype(int), len(TOPICS)) @ np.log(topics).T
    style = np.empty(n, dtype=int)
    style[owner] = messages["style"].cat.codes
    quoted = counts(pd.Index(list(CATEGORIES)).get_indexer(messages["category"]), len(CATEGORIES))
    return topic[:, :, None] + np.log(styles).T[style][:, None, :], dirichlet_multinomial(quoted, model.taste)[
        :, :, None
    ]


def _text_tables(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """P(topic | lifestyle) and P(style | age)."""
    check_strength(strength)
    topics = np.array([row[0] for row in TOPICS.values()], dtype=float).T
    styles = np.array([row[0] for row in STYLES.values()]).T
    tables = (table / table.sum(axis=1, keepdims=True) for table in (topics, styles))
    return tuple(strength * table + (1 - strength) * table.mean(axis=0) for table in tables)


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
