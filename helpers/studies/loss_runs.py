"""Runs of the page "What a loss asks for": one inverter for each loss, and what each buys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, unit_rows
from helpers.inversion import (
    Inverter,
    facts_kept,
    inversion_scores,
    learn_names,
    noisy_vectors,
    read_headlines,
    split_texts,
    token_accuracy,
)
from helpers.inversion.paraphrases import written_paraphrases
from helpers.inversion.texts import natural_paraphrases
from helpers.locations import resolve
from helpers.studies.inversion_runs import POCKET, corpus
from helpers.studies.made_headlines import MADE, made_headlines, reworded
from helpers.studies.vector_runs import far_vectors, page_source, recorded_as

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LOSSES",
    "NAMES",
    "Rephrased",
    "bought",
    "fit_loss",
    "loss_rows",
    "meanings",
    "pairs_near",
    "rephrased",
]

LOSSES: dict[str, dict[str, Any]] = {
    "entropy": {},
    "smoothing": {"smoothing": 0.1},
    "noise": {"noise": 0.5},
    "variational": {"variational": 0.05},
    "paraphrase": {},
    "meaning": {"meaning": 0.3},
    "much meaning": {"meaning": 3.0},
}
"""What is added to the cross-entropy of tokens, by name: nothing; label smoothing; noise on the vector, in spreads; a
variational term; the likeliest of the paraphrases; the cosine of sentences with a small and with a large weight."""

NAMES = {
    "entropy": "cross-entropy",
    "smoothing": "smoothing, 0.1",
    "noise": "noise, 0.5 spreads",
    "variational": "variational, 0.05",
    "paraphrase": "paraphrase",
    "meaning": "cosine, 0.3",
    "much meaning": "cosine, 3",
}
"""Losses as pages call them, with the weight of what is added."""

LEAST = 0.4
"""Least cosine of words of two headlines of two agencies on one day that are taken to tell of one event."""


class Rephrased(NamedTuple):
    """Texts, and which of them say the same in other words.

    Attributes
    ----------
    train, test
        Lists of texts.
    paraphrases
        For each training text others that say the same; of real texts most often none, and training texts themselves.
    pairs
        Pairs of a test text and another text that say the same.
    """

    train: list[str]
    test: list[str]
    paraphrases: list[list[str]]
    pairs: list[tuple[str, str]]


def rephrased(
    source: str, n_texts: int, *, least: float = LEAST, paraphraser: str | None = None, rng: int = 0
) -> Rephrased:
    """Texts of a source with their natural paraphrases, split.

    Parameters
    ----------
    source
        ``"headlines"``: two agencies on one day with many words in common, all headlines that have such a paraphrase
        being taken before others; else as in :func:`helpers.studies.inversion_runs.corpus`, where any two texts with
        many words in common are taken to say the same. ``"made up"``: a small world of headlines, in which those that
        differ in a verb of the same direction say the same; they need not be training texts.
    n_texts
        Texts before they are split.
    least
        Least cosine of words of two texts that say the same, as in
        :func:`helpers.inversion.texts.natural_paraphrases`; at most 0.7, from where texts are near duplicates.
    paraphraser
        Folder of a model from text to text, or its name on the hub, such as a T5 trained to paraphrase: it writes the
        paraphrases of training texts, those that are test texts left out, in place of natural ones. Pairs of test texts
        stay natural.
    rng
        Seed of draw and split.

    Raises
    ------
    FileNotFoundError
        If the headlines or the file are not there.
    """
    found = _natural(source, n_texts, least, rng)
    if paraphraser is None:
        return found
    held = {text.lower() for text in found.test}
    written = written_paraphrases(found.train, paraphraser)
    return found._replace(paraphrases=[[text for text in some if text.lower() not in held] for some in written])


def _natural(source: str, n_texts: int, least: float, rng: int) -> Rephrased:
    """Texts with the paraphrases that a source itself has."""
    import pandas as pd

    page_source(source)
    check_count(n_texts, "n_texts", least=100)
    if source == MADE:
        train, _, test = made_headlines(n_texts, rng=rng)
        held = set(test)
        others = [[other for other in reworded(text) if other not in held] for text in train]
        return Rephrased(train, test, others, [(text, reworded(text)[0]) for text in test])
    draw = np.random.default_rng(rng)
    if source == "headlines":
        table = read_headlines(resolve("financial_headlines"))
        table = table[~table["text"].str.lower().duplicated()].reset_index(drop=True)
        have = np.array([bool(some) for some in natural_paraphrases(table, least=least)])
        order = draw.permutation(len(table))
        order = np.concatenate([order[have[order]], order[~have[order]]])[:n_texts]
        table = table.iloc[np.sort(order)].reset_index(drop=True)
    else:
        texts = [text for part in corpus(source, n_texts, rng=rng)[:3] for text in part]
        table = pd.DataFrame({"agency": np.arange(len(texts)), "date": "", "text": texts})
    split = split_texts(table["text"].tolist(), rng=rng)
    train, test = draw.permutation(split.train), draw.permutation(split.test)
    learned = table.iloc[train].reset_index(drop=True)
    all_texts = table["text"].tolist()
    known = natural_paraphrases(table, least=least)
    pairs = [(all_texts[row], other) for row in test for other in known[row]]
    return Rephrased(
        [all_texts[row] for row in train],
        [all_texts[row] for row in test],
        natural_paraphrases(learned, least=least),
        pairs,
    )


def fit_loss(texts: Rephrased, loss: str, *, epochs: int = 6, rng: int = 0, **options: Any) -> Inverter:
    """A small inverter, trained with one loss.

    Parameters
    ----------
    texts
        Texts, from :func:`rephrased`.
    loss
        A key of :data:`LOSSES`.
    epochs
        Times that each text is seen.
    rng
        Seed of weights, batches and noise.
    options
        Parameters of :class:`helpers.inversion.Inverter` in place of those of the recorded runs.

    Raises
    ------
    ValueError
        If the loss is unknown.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}; it is one of {', '.join(LOSSES)}")
    made = Inverter(**{**POCKET, **LOSSES[loss], **options}, epochs=epochs, random_state=rng)
    return made.fit(texts.train, paraphrases=texts.paraphrases if loss == "paraphrase" else None)


def meanings(texts: Sequence[str], written: Sequence[str], judge: str) -> np.ndarray:
    """How near in meaning what was written is to its text: cosine of the vectors of a named encoder.

    Parameters
    ----------
    texts, written
        Texts, and what was written of their vectors; what is blank counts as a full stop.
    judge
        Encoder, as in :func:`helpers.encoders.extraction.extract`: the mean over the tokens of its last layer.

    Returns
    -------
    ndarray of shape (n,)
        Cosines, in [-1, 1].
    """
    from helpers.encoders.extraction import extract

    both = [*texts, *(text if text.strip() else "." for text in written)]
    layers = extract(judge, both, progress=False)
    x = unit_rows(np.asarray(layers[list(layers)[-1]], dtype=np.float64))
    return np.einsum("nd,nd->n", x[: len(texts)], x[len(texts) :])


def pairs_near(inverter: Inverter, pairs: Sequence[tuple[str, str]], others: Sequence[str]) -> float:
    """How often a text lies nearer to its paraphrase than to another text, in [0, 1]; by chance one half.

    Parameters
    ----------
    inverter
        An inverter with an encoder.
    pairs
        Pairs of texts that say the same.
    others
        Texts that say something else.

    Returns
    -------
    float
        Mean over pairs of the share of others that are farther away; NaN without pairs.
    """
    if not pairs:
        return float("nan")
    first, second = (inverter.encode([pair[side] for pair in pairs]) for side in (0, 1))
    far = inverter.encode(list(others))
    shares = []
    for (one, other), a, b in zip(pairs, first, second, strict=True):
        fair = np.array([text not in (one, other) for text in others])
        shares.append(np.mean(np.linalg.norm(far[fair] - a, axis=1) > np.linalg.norm(b - a)))
    return float(np.mean(shares))


def bought(
    inverter: Inverter,
    texts: Rephrased,
    *,
    n_test: int = 200,
    beams: int = 5,
    sigmas: Sequence[float] = (0.5, 1.0),
    judge: str = "encoders/simcse",
    rng: int = 0,
) -> dict[str, Any]:
    """What one loss bought: exactness, meaning, over-fitting and locality.

    Parameters
    ----------
    inverter
        An inverter, from :func:`fit_loss`.
    texts
        The texts of its training.
    n_test
        Most test texts.
    beams
        Beams of the search.
    sigmas
        Noise under which is written, in units of the spread.
    judge
        Encoder by which meaning is judged.
    rng
        Seed of the noise.

    Returns
    -------
    dict
        ``f1``, ``exact``, ``repetition`` of what is written with beams; ``facts``: share of all facts that are kept;
        ``meaning`` and, of another text, ``meaning_floor``: mean cosine by the judge; ``nats`` of a token of test texts
        and ``nats_train`` of as many training texts, teacher forcing; ``f1_at_SIGMA`` written by the likeliest token;
        ``near``, as :func:`pairs_near` has it, of ``n_pairs``.
    """
    test, seen = texts.test[:n_test], texts.train[:n_test]
    x = inverter.encode(test)
    written = inverter.decode(x, beams=beams)
    scores = inversion_scores(test, written, lower=inverter.lower).mean()
    kept = facts_kept(test, written, learn_names(texts.train))[["facts", "kept"]].sum()
    out: dict[str, Any] = {"n_test": len(test), "f1": scores["token_f1"], "exact": scores["exact"]}
    out |= {"repetition": scores["repetition"], "facts": kept["kept"] / max(1, kept["facts"])}
    out["meaning"] = meanings(test, written, judge).mean()
    out["meaning_floor"] = meanings(test, written[1:] + written[:1], judge).mean()
    for name, some, vectors in (("nats", test, x), ("nats_train", seen, inverter.encode(seen))):
        out[name] = token_accuracy(inverter, some, vectors=vectors, ks=(1,)).attrs["all"]["nats"]
    with far_vectors():
        for sigma in (0.0, *sigmas):
            noisy = inverter.decode(noisy_vectors(inverter, x, sigma, rng=rng))
            out[f"f1_at_{sigma:g}"] = inversion_scores(test, noisy, lower=inverter.lower)["token_f1"].mean()
    out |= {"near": pairs_near(inverter, texts.pairs, test), "n_pairs": len(texts.pairs)}
    out["n_paraphrased"] = sum(bool(some) for some in texts.paraphrases)
    return out | {name: inverter.log_[-1][name] for name in ("tokens", "cpu_minutes")}


def loss_rows() -> pd.DataFrame | None:
    """Rows of ``data/results/inversion_losses.csv``, which the plan ``losses`` makes; None before."""
    return recorded_as("results/inversion_losses.csv")
