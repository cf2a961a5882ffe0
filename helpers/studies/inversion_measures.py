"""What is measured of everything that is written of vectors, in all runs of Part IV: words, facts and meaning."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from helpers.inversion import FACTS, facts_kept, inversion_scores
from helpers.inversion.meaning import matching_scores, there, vector_similarities

__all__ = ["OUTCOMES", "STATES", "fact_counts", "meaning_scores", "word_scores"]

OUTCOMES = ("kept", "changed", "lost", "invented")
"""What becomes of a fact."""

STATES = "encoders/bert"
"""The encoder whose token states are matched: the small one of the book, so that every machine has it."""


def word_scores(test: Sequence[str], written: Sequence[str], *, lower: bool = True) -> dict[str, float]:
    """Means of :func:`helpers.inversion.inversion_scores`: ``exact``, ``f1``, ``bleu``, ``chrf``, ``repetition``."""
    found = inversion_scores(test, written, lower=lower).mean().rename({"token_f1": "f1"})
    return {name: float(value) for name, value in found.items()}


def fact_counts(test: Sequence[str], written: Sequence[str], names: Collection[str]) -> dict[str, int]:
    """Facts of test texts and what became of them, counted.

    Parameters
    ----------
    test, written
        Test texts, and what was written of each.
    names
        Words that are names; see :func:`helpers.inversion.learn_names`.

    Returns
    -------
    dict
        ``facts_all``, ``facts_kept``, ``facts_changed``, ``facts_lost``, ``facts_invented`` over all kinds, and
        ``number_facts``, ``number_kept``, … for each kind of :data:`helpers.inversion.FACTS`. Kept, changed and lost
        sum to all; the invented ones come on top.
    """
    found = facts_kept(test, written, names)
    columns = ["facts", *OUTCOMES]
    whole = found[columns].sum().rename({"facts": "all"})
    out = {f"facts_{name}": int(value) for name, value in whole.items()}
    kinds = found.groupby("kind")[columns].sum().reindex(FACTS, fill_value=0)
    return out | {f"{kind}_{name}": int(kinds[name][kind]) for kind in FACTS for name in columns}


def meaning_scores(
    test: Sequence[str],
    written: Mapping[str, Sequence[str]],
    *,
    similarity: str | None = None,
    states: str | None = STATES,
    lower: bool = True,
    known: MutableMapping[str, dict[str, np.ndarray]] | None = None,
) -> dict[str, Any]:
    """How near in meaning to the test texts it is what was written of their vectors, and of none.

    Parameters
    ----------
    test
        Texts that were to be written.
    written
        What was written, by the name of what it was written of; the first is what is judged, and those behind it are
        its floors.
    similarity
        Encoder of sentences, a folder or a name in ``$BOOK_MODELS``; nothing is downloaded. None: no cosines.
    states
        Encoder whose token states are matched; None: no matching.
    lower
        Whether everything is read in small letters.
    known
        What earlier calls with the same encoders and the same ``lower`` have encoded; at first an empty dict.

    Returns
    -------
    dict
        ``similarity`` (mean cosine) and ``similarity_model``; ``state_precision``, ``state_recall``, ``state_f1`` of
        :func:`helpers.inversion.meaning.matching_scores` and ``states_model``; of each floor ``similarity_NAME`` and
        ``state_f1_NAME``. NaN, and no name of a model, for an encoder that is not there.

    Warns
    -----
    UserWarning
        If an encoder is not there.
    """
    for model in (similarity, states):
        if model is not None and not there(model):
            warnings.warn(f"the encoder {model} is not on this machine; what it would say is left NaN", stacklevel=2)
    out: dict[str, Any] = {}
    seen = similarity if similarity is not None and there(similarity) else None
    matched = states if states is not None and there(states) else None
    out |= {"similarity_model": _name(seen), "states_model": _name(matched)}
    ways = {name: "" if number == 0 else f"_{name}" for number, name in enumerate(written)}
    both = list(test) * len(ways), [text for some in written.values() for text in some]  # each text is read once
    vectors, tokens = (None if known is None else known.setdefault(kind, {}) for kind in ("vectors", "states"))
    near = np.full((len(ways), len(test)), np.nan)
    if seen is not None:
        near = vector_similarities(*both, seen, lower=lower, known=vectors).reshape(near.shape)
    means = np.full((len(ways), 3), np.nan)
    if matched is not None:
        scores = matching_scores(*both, matched, lower=lower, known=tokens).to_numpy()
        means = scores.reshape(len(ways), len(test), 3).mean(1)
    for cosines, (precision, recall, f1), end in zip(near, means, ways.values(), strict=True):
        out |= {f"similarity{end}": float(cosines.mean()), f"state_f1{end}": float(f1)}
        if not end:
            out |= {"state_precision": float(precision), "state_recall": float(recall)}
    return out


def _name(model: str | None) -> str:
    return "" if model is None else str(model).rpartition("/")[2]
