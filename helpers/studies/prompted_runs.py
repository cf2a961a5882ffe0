"""The recorded runs of language models that exist and read vectors by soft prompts, frozen or with low-rank updates."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.inversion import floors, learn_names
from helpers.inversion.language import written_alone
from helpers.studies.inversion_measures import STATES, fact_counts, meaning_scores, word_scores
from helpers.studies.inversion_runs import FLOORS, Texts

if TYPE_CHECKING:
    from helpers.inversion import Inverter
    from helpers.inversion.prompts import PromptedDecoder

__all__ = ["fit_prompted", "prompted_measured"]


def fit_prompted(
    model: str | os.PathLike[str],
    texts: Texts,
    encode: Callable[[Sequence[str]], Any],
    *,
    lora: int = 0,
    n_train: int | None = None,
    epochs: int = 1,
    rng: int = 0,
    **options: Any,
) -> PromptedDecoder:
    """A language model that learns to read the vectors of an encoder.

    Parameters
    ----------
    model
        Folder of a causal language model, or its name on the hub.
    texts
        Texts, of which the training part is learned from, in small letters as the other decoders write.
    encode
        Function from texts to vectors.
    lora
        Rank of the updates of the model; 0: it stays as it is.
    n_train
        Most training texts; all if None.
    epochs
        Times that each is seen.
    rng
        Seed of weights and batches.
    options
        Other parameters of :class:`helpers.inversion.prompts.PromptedDecoder`.
    """
    from helpers.inversion.prompts import PromptedDecoder

    check_count(lora, "lora", least=0)
    train = [text.lower() for text in texts.train[:n_train]]
    made = PromptedDecoder(model, lora=lora or None, epochs=epochs, random_state=rng, **options)
    return made.fit(train, vectors=encode(texts.train[:n_train]))


def prompted_measured(
    made: PromptedDecoder,
    texts: Texts,
    encode: Callable[[Sequence[str]], Any],
    *,
    n_test: int = 100,
    beams: int = 1,
    language: Inverter | None = None,
    similarity: str | None = None,
    states: str | None = STATES,
    rng: int = 0,
) -> dict[str, Any]:
    """What such a model reaches on test texts, and what it writes without their vectors.

    Parameters
    ----------
    made
        A fitted decoder.
    texts, encode
        As in :func:`fit_prompted`; the test part is read.
    n_test
        Most test texts.
    beams
        Beams of the search.
    language, similarity, states
        Same meaning as in :func:`helpers.studies.inversion_runs.measured`.
    rng
        Seed of the order of shuffled vectors.

    Returns
    -------
    dict
        ``n_test``; ``exact``, ``f1``, ``bleu``, ``chrf``, ``repetition``, and each of another text's vector
        (``f1_shuffled``), of the mean vector (``f1_centre``), of the likeliest text of the language model
        (``f1_language``) and of texts drawn from it (``f1_drawn``), NaN without one; ``seconds`` of the processor that
        decoding took; facts of :func:`helpers.studies.inversion_measures.fact_counts`, with ``facts_kept`` of each
        floor; similarity and matching of meaning, with that of each floor; ``trained``, the number of weights that were
        trained, in millions; ``steps`` and ``cpu_minutes`` of the training.
    """
    test = texts.test[: check_count(n_test, "n_test")]
    x = np.asarray(encode(test), dtype=np.float32)
    began = time.process_time()
    written = {"read": made.decode(x, beams=beams)}
    out: dict[str, Any] = {"n_test": len(test), "seconds": time.process_time() - began}
    written |= floors(made, x, beams=beams, rng=rng) | written_alone(language, len(test), beams=beams)
    names = learn_names(texts.train)
    for name in ("read", *FLOORS):
        end = "" if name == "read" else f"_{name}"
        some = written.get(name)
        scores = dict.fromkeys(("exact", "f1", "bleu", "chrf", "repetition"), np.nan)
        out |= {f"{score}{end}": value for score, value in (word_scores(test, some) if some else scores).items()}
        if some:
            counts = fact_counts(test, some, names)
            out |= counts if name == "read" else {f"facts_kept{end}": counts["facts_kept"]}
    out |= meaning_scores(test, written, similarity=similarity, states=states)
    trained = sum(weight.numel() for weight in made.network_.parameters() if weight.requires_grad)
    row = made.log_[-1]
    return out | {"trained": trained / 1e6, "steps": row["step"], "cpu_minutes": row["cpu_minutes"]}
