"""How much of a text came back from its vector, beside what comes back from no vector, or from another's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from helpers.arrays import check_count

__all__ = ["SCORES", "floors", "inversion_scores", "token_accuracy", "words_of"]

SCORES = ("exact", "token_f1", "bleu", "chrf", "repetition")
"""Columns of :func:`inversion_scores`."""

_TOKEN = re.compile(r"\d[\d.,]*\d|\w+|[^\w\s]")


def words_of(text: str, lower: bool = True) -> list[str]:
    """Words, numbers and marks of a text.

    >>> words_of("Oil falls 2.5%.")
    ['oil', 'falls', '2.5', '%', '.']
    """
    return _TOKEN.findall(text.lower() if lower else text)


def inversion_scores(texts: Sequence[str], written: Sequence[str], *, lower: bool = True) -> pd.DataFrame:
    """How near each written text is to its original.

    Parameters
    ----------
    texts, written
        Texts, and what was written of their vectors, in the same order.
    lower
        Whether capitals are disregarded.

    Returns
    -------
    DataFrame
        For each text ``exact``: 1 if the words are the same in the same order, else 0; ``token_f1``: 2 × shared words
        / all words, counted with repetition, in [0, 1]; ``bleu`` and ``chrf`` of the sentence (sacrebleu; BLEU with
        its smoothing by exponents), in [0, 100]; ``repetition``: share of the written words that stood before in the
        same text. Higher is better but for ``repetition``, which is to be near that of the originals.

    Raises
    ------
    ValueError
        If the lengths differ.

    Notes
    -----
    BLEU :cite:`papineni2002bleu` and chrF :cite:`popovic2015chrf` are computed by sacrebleu :cite:`post2018call`.

    Examples
    --------
    >>> inversion_scores(["Oil falls."], ["oil falls again."]).round(2).iloc[0].to_dict()["token_f1"]
    0.86
    """
    from sacrebleu.metrics import BLEU, CHRF

    if len(texts) != len(written):
        raise ValueError(f"texts has {len(texts)} entries and written {len(written)}; equally many are needed")
    bleu, chrf = BLEU(effective_order=True, lowercase=lower), CHRF(lowercase=lower)
    rows = []
    for text, other in zip(texts, written, strict=True):
        own, theirs = words_of(text, lower), words_of(other, lower)
        shared = (Counter(own) & Counter(theirs)).total()
        rows.append(
            {
                "exact": float(own == theirs),
                "token_f1": 2 * shared / max(1, len(own) + len(theirs)),
                "bleu": bleu.sentence_score(other, [text]).score,
                "chrf": chrf.sentence_score(other, [text]).score,
                "repetition": 1 - len(set(theirs)) / len(theirs) if theirs else 0.0,
            }
        )
    return pd.DataFrame(rows, columns=list(SCORES))


def token_accuracy(
    inverter: Any, texts: Sequence[str], *, vectors: Any = None, ks: Sequence[int] = (1, 3, 5, 10, 25, 100)
) -> pd.DataFrame:
    """How often the token that follows is among the k likeliest, all tokens before it being right (teacher forcing).

    Parameters
    ----------
    inverter
        A fitted inverter.
    texts
        Texts, not those of training.
    vectors : array_like of shape (n, width), optional
        Vectors of the texts; by default those that the encoder of the inverter gives. Vectors in another order show
        what is right without the vector of the text.
    ks
        Numbers of tokens.

    Returns
    -------
    DataFrame
        ``position`` (from 0), ``tokens`` (texts that have one there), a column ``top_K`` for each k, in [0, 1], and
        ``nats``: mean cross-entropy. ``attrs["all"]`` has the same over all tokens.

    Raises
    ------
    ValueError
        If k is not between 1 and the number of tokens of the vocabulary.
    """
    import torch

    from helpers.inversion.training import forced

    for k in ks:
        check_count(k, "ks", most=len(inverter.tokens_))
    x = inverter.encode(texts) if vectors is None else inverter._known(vectors)
    sums = np.zeros((inverter.length, len(ks) + 2))
    with torch.inference_mode():
        for _, scores, tokens, real in forced(inverter, texts, x):
            ranks = (scores > scores.gather(-1, tokens[..., None])).sum(-1)
            nats = -scores.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
            found = torch.stack([real.float(), *[((ranks < k) & real).float() for k in ks], nats * real], -1)
            sums[: found.shape[1]] += found.sum(0).double().numpy()
    columns = ["tokens", *[f"top_{k}" for k in ks], "nats"]
    table = pd.DataFrame(sums[sums[:, 0] > 0], columns=columns)
    whole = table.sum()
    table[columns[1:]] = table[columns[1:]].div(table["tokens"], axis=0)
    table.insert(0, "position", np.arange(len(table)))
    table["tokens"] = table["tokens"].astype(int)
    table.attrs["all"] = {"tokens": int(whole["tokens"])} | (whole[columns[1:]] / whole["tokens"]).to_dict()
    return table


def floors(inverter: Any, vectors: Any, *, beams: int = 1, rng: int = 0) -> dict[str, list[str]]:
    """What is written of vectors that say nothing of the text.

    Parameters
    ----------
    inverter
        A fitted inverter.
    vectors : array_like of shape (n, width)
        Vectors of the texts.
    beams
        Beams of the search.
    rng
        Seed of the order.

    Returns
    -------
    dict
        ``"shuffled"``: texts of the vectors in another order, none of them in its place; ``"centre"``: the text of the
        mean of the training vectors, n times. What a measure says of these is its floor.
    """
    from helpers.arrays import generator, single_precision

    x = single_precision(vectors, "vectors")
    order = generator(rng).permutation(len(x))
    shuffled = np.empty_like(order)
    shuffled[order] = np.roll(order, 1)  # one cycle: no vector stays where it is
    centre = inverter.decode(inverter.centre_[None], beams=beams)
    return {"shuffled": inverter.decode(x[shuffled], beams=beams), "centre": centre * len(x)}
