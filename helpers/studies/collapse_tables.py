"""Three collapses of tables of vectors, made to happen: of rare words, of a codebook, of crossed fields."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import generator, svd, unit_rows
from helpers.encoders.codebooks import QuantisedAutoencoder, code_perplexity
from helpers.encoders.fields import CrossedFields, information_abundance
from helpers.studies.collapse_views import Tried, effective_directions, readable, whitened

__all__ = [
    "ClickLog",
    "click_log",
    "codebook_collapse",
    "crossed_collapse",
    "curved_objects",
    "token_collapse",
    "word_pairs",
    "word_language",
]

N_WORDS, N_RARE, N_TOPICS = 500, 100, 20
SMALL = (2, 2)  # values of the fields that are crossed with users and items
N_USERS, N_ITEMS, FIELD_WIDTH = 200, 300, 32


class Language(NamedTuple):
    """Words with topics, and how often two of them stand together.

    Attributes
    ----------
    topics : ndarray of int, shape (500,)
        Topic, one of 20, of each word; the last 100 words are those of a domain.
    together : ndarray of shape (500, 400)
        Chance that a common word stands beside a word, summing to 1 over the common words.
    """

    topics: np.ndarray
    together: np.ndarray


def word_language(rng: int | np.random.Generator = 0) -> Language:
    """A language whose words are points about the centre of their topic: near words stand together.

    Parameters
    ----------
    rng
        Seed or generator of the points.
    """
    rng, common = generator(rng), N_WORDS - N_RARE
    topics = np.concatenate([rng.permutation(np.arange(n) % N_TOPICS) for n in (common, N_RARE)])
    points = rng.normal(size=(N_TOPICS, 16))[topics] + 0.7 * rng.normal(size=(N_WORDS, 16))
    logits = 5 * unit_rows(points) @ unit_rows(points[:common]).T
    together = np.exp(logits)
    return Language(topics, together / together.sum(axis=1, keepdims=True))


def word_pairs(language: Language, n: int, *, rare: float = 0.0, rng: int | np.random.Generator = 0) -> np.ndarray:
    """Pairs of words as they stand together in a text.

    Parameters
    ----------
    language
        What :func:`word_language` gives.
    n
        Number of pairs.
    rare
        Share of the pairs whose first word is one of the domain.
    rng
        Seed or generator of the pairs.

    Returns
    -------
    ndarray of int, shape (n, 2)
        The second word of a pair is a common one.
    """
    rng, common = generator(rng), N_WORDS - N_RARE
    first = np.where(rng.random(n) < rare, common + rng.integers(N_RARE, size=n), rng.integers(common, size=n))
    up_to = np.cumsum(language.together, axis=1)
    second = np.array([np.searchsorted(up_to[word], draw) for word, draw in zip(first, rng.random(n), strict=True)])
    return np.column_stack([first, np.minimum(second, common - 1)])


def token_collapse(
    *,
    loss: str = "softmax",
    width: int = 32,
    n_tables: int = 1,
    entropy: float = 0.0,
    domain_steps: int = 0,
    rare: float = 0.001,
    whiten: bool = False,
    steps: int = 300,
    rng: int = 0,
    **options: Any,
) -> Tried:
    """A language model that has hardly seen the words of a domain gives them all one vector.

    Each step of the softmax pushes the rows of all words that did not come in the same direction.

    Parameters
    ----------
    loss
        ``"softmax"``: a word predicts the other one of its pair among all words, with one table for both; or a loss of
        two views, of which the words of a pair are taken for two.
    width, n_tables
        Features of a word, in so many tables with a softmax each.
    entropy
        Weight of the entropy of the table, which is maximised besides.
    domain_steps
        Steps on text of the domain, half of whose pairs have a rare word, after the others.
    rare
        Share of the pairs of the general text that have a word of the domain.
    whiten
        Whether the table is whitened afterwards.
    steps, rng
        Steps of training; seed of text and training.
    options
        Keyword arguments of the loss of two views.

    Returns
    -------
    Tried
        ``kept``: root mean square distance of two rare words over that of two common ones, at most 1; ``task``: share
        of the rare words whose topic most of the five nearest common words have.
    """
    stream = np.random.default_rng(rng)
    language = word_language(stream)
    pairs = word_pairs(language, 40_000, rare=rare, rng=stream)
    domain = word_pairs(language, 10_000, rare=0.5, rng=stream)
    began = time.process_time()
    x, parameters = _words(pairs, domain, loss, width, n_tables, entropy, domain_steps, steps, rng, options)
    seconds = time.process_time() - began
    if whiten:
        x, more = whitened(x, x)
        seconds += more
    u, common = unit_rows(x.astype(float)), N_WORDS - N_RARE
    spread = [np.sqrt(np.mean(np.sum((part - part.mean(axis=0)) ** 2, axis=1))) for part in (u[common:], u[:common])]
    near = np.argsort(-u[common:] @ u[:common].T, axis=1)[:, :5]
    votes = np.stack([np.sum(language.topics[near] == topic, axis=1) for topic in range(N_TOPICS)], axis=1)
    task = float(np.mean(votes.argmax(axis=1) == language.topics[common:]))
    kept = float(min(1.0, spread[0] / max(spread[1], 1e-12)))
    return Tried(x, kept, task, seconds, parameters, spectrum=effective_directions(u[common:])[1] * spread[0])


def _words(
    pairs: np.ndarray,
    domain: np.ndarray,
    loss: str,
    width: int,
    n_tables: int,
    entropy: float,
    domain_steps: int,
    steps: int,
    rng: int,
    options: dict[str, Any],
) -> tuple[np.ndarray, int]:
    """The table of words, and its number of parameters."""
    import torch
    from torch.nn import functional as F

    from helpers.encoders.view_losses import ViewObjective, nearest_neighbour_entropy
    from helpers.training import shuffled, train

    with torch.random.fork_rng([]):
        torch.manual_seed(rng)
        table = torch.nn.Embedding(N_WORDS, width)
        torch.nn.init.normal_(table.weight, std=0.02)
        views = None if loss == "softmax" else ViewObjective(table, width, loss, options)
        model = table if views is None else views

        def predicted(rows: Any) -> Any:
            parts = table.weight.reshape(N_WORDS, n_tables, -1)
            logits = torch.einsum("ntp,wtp->tnw", parts[rows[:, 0]], parts)
            target = rows[:, 1].expand(n_tables, -1)
            found = F.cross_entropy(logits.flatten(0, 1), target.flatten())
            return found - entropy * nearest_neighbour_entropy(table.weight) if entropy else found

        for text, count in ((pairs, steps), (domain, domain_steps)):
            if count:
                given = torch.from_numpy(text)
                train(
                    model,
                    lambda rows, step, given=given: (
                        predicted(given[rows]) if views is None else views(given[rows, 0], given[rows, 1])
                    ),
                    shuffled(len(text), 512, drop_last=True),
                    steps=count,
                    optimizer=torch.optim.Adam(model.parameters(), lr=1e-2),
                    rng=rng,
                )
    return table.weight.detach().numpy().copy(), sum(part.numel() for part in model.parameters())


def curved_objects(n: int = 2000, *, rng: int | np.random.Generator = 0) -> tuple[np.ndarray, np.ndarray]:
    """Objects of 40 heaps in six latents, bent into 32 features; half of them to train on, half to judge."""
    rng = generator(rng)
    heaps = rng.normal(size=(40, 6))
    latents = heaps[rng.integers(40, size=2 * n)] + 0.8 * rng.normal(size=(2 * n, 6))
    x = np.tanh(latents @ rng.normal(size=(6, 24))) @ rng.normal(size=(24, 32)) + 0.1 * rng.normal(size=(2 * n, 32))
    return x[:n], x[n:]


def codebook_collapse(*, n_codes: int = 256, steps: int = 300, rng: int = 0, **options: Any) -> Tried:
    """Codes begin near one point, and those that no object takes get no gradient ever.

    Parameters
    ----------
    n_codes
        Codes of a book.
    steps, rng
        Steps of training; seed of objects and training.
    options
        Keyword arguments of :class:`~helpers.encoders.codebooks.QuantisedAutoencoder`.

    Returns
    -------
    Tried
        ``kept``: perplexity of the codes over their number; ``task``: share of the variance that the codes keep.
    """
    train, test = curved_objects(rng=rng)
    began = time.process_time()
    model = QuantisedAutoencoder(n_codes, steps=steps, random_state=rng, **options).fit(train)
    seconds = time.process_time() - began
    codes = model.encode(test)
    shares = np.sort(np.bincount(codes[:, 0], minlength=n_codes))[::-1] / len(codes)
    kept = code_perplexity(codes) / n_codes
    return Tried(
        model.latent(test), kept, model.score(test), seconds, model.n_parameters_, codes, n_codes, shares / shares[0]
    )


class ClickLog(NamedTuple):
    """Clicks of known chance.

    Attributes
    ----------
    values : ndarray of int, shape (n, fields)
        User, item, and the values of the small fields.
    clicks : ndarray of int, shape (n,)
        Whether there was a click.
    items : ndarray of shape (300, rank)
        True tastes that the items meet.
    """

    values: np.ndarray
    clicks: np.ndarray
    items: np.ndarray


def click_log(
    n: int,
    *,
    small: Sequence[int] = SMALL,
    rank: int = 6,
    taste: float = 1.5,
    pull: float = 3.0,
    rng: int | np.random.Generator = 0,
) -> ClickLog:
    """Clicks of users on items whose taste has a known rank, and which fields of few values change.

    Parameters
    ----------
    n
        Number of rows.
    small
        Number of values of each small field.
    rank
        Rank of the logits of users and items.
    taste, pull
        Standard deviations of the logits of users and items, and of what the value of a small field does to them.
    rng
        Seed or generator of all draws.
    """
    rng = generator(rng)
    users, items = rng.normal(size=(N_USERS, rank)), rng.normal(size=(N_ITEMS, rank))
    columns = [rng.integers(N_USERS, size=n), rng.integers(N_ITEMS, size=n)]
    logit = taste * np.sum(users[columns[0]] * items[columns[1]], axis=1) / np.sqrt(rank)
    for size in small:
        value, effect = rng.integers(size, size=n), rng.normal(size=(2, size))
        effect = (effect - effect.mean(axis=1, keepdims=True)) / effect.std(axis=1, keepdims=True)
        for side, count in enumerate((N_USERS, N_ITEMS)):
            logit = logit + pull * effect[side][value] * rng.normal(size=count)[columns[side]]
        columns.append(value)
    chances = 1 / (1 + np.exp(0.5 - logit))
    return ClickLog(np.column_stack(columns), (rng.random(n) < chances).astype(int), items)


def crossed_collapse(
    *,
    small: Sequence[int] = SMALL,
    pretrained: bool = False,
    width: int = FIELD_WIDTH,
    steps: int = 300,
    rng: int = 0,
    **options: Any,
) -> Tried:
    """Fields of few values are crossed with items, and pull the table of items into the few directions that they have.

    Parameters
    ----------
    small
        Number of values of each small field; empty: nothing pulls.
    pretrained
        Whether tables of users and items begin as singular vectors of the matrix of clicks.
    width
        Features of an embedding.
    steps, rng
        Steps of training; seed of log and training.
    options
        Keyword arguments of :class:`~helpers.encoders.fields.CrossedFields`.

    Returns
    -------
    Tried
        Table of the items; ``kept``: its information abundance over the width; ``task``: :func:`readable` of the tastes
        that the items meet.
    """
    log = click_log(40_000, small=small, rng=rng)
    began = time.process_time()
    start = _singular_tables(log, width) if pretrained else None
    options = {"scale": 0.001, "learning_rate": 5e-3} | options
    model = CrossedFields(width, start=start, steps=steps, random_state=rng, **options).fit(log.values, log.clicks)
    seconds = time.process_time() - began
    table = model.tables_[1]
    values = np.linalg.svd(table.astype(float), compute_uv=False)
    kept, task = information_abundance(table) / width, readable(table, log.items)
    return Tried(table, kept, task, seconds, model.n_parameters_, spectrum=values / values[0])


def _singular_tables(log: ClickLog, width: int) -> list[np.ndarray]:
    """Tables of users and items from the singular vectors of clicks less their mean, with rows of length about 1/2."""
    matrix = np.zeros((N_USERS, N_ITEMS))
    np.add.at(matrix, (log.values[:, 0], log.values[:, 1]), log.clicks - log.clicks.mean())
    left, _, right = svd(matrix)
    wide = [np.zeros((len(table), width)) for table in (left, right.T)]
    for table, vectors in zip(wide, (left, right.T), strict=True):
        count = min(width, vectors.shape[1])
        table[:, :count] = 0.5 / np.sqrt(count) * np.sqrt(len(table)) * vectors[:, :count]
    return wide
