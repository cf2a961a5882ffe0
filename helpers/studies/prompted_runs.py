"""The recorded runs of language models that exist and read vectors by soft prompts, frozen or with low-rank updates."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.inversion import floors, inversion_scores
from helpers.studies.inversion_runs import Texts, kept_shares

if TYPE_CHECKING:
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
    rng
        Seed of the order of shuffled vectors.

    Returns
    -------
    dict
        ``n_test``, ``f1``, ``exact``, ``chrf``, ``repetition``; ``f1_shuffled``, ``f1_centre``; for each kind of fact
        the share that was kept (NaN: there are none); ``trained``, the number of weights that were trained, in
        millions; ``steps`` and ``cpu_minutes`` of the training.
    """
    test = texts.test[: check_count(n_test, "n_test")]
    x = np.asarray(encode(test), dtype=np.float32)
    written = made.decode(x, beams=beams)
    scores = inversion_scores(test, written).mean()
    out: dict[str, Any] = {"n_test": len(test), "f1": scores["token_f1"]}
    out |= {name: scores[name] for name in ("exact", "chrf", "repetition")}
    for name, without in floors(made, x, beams=beams, rng=rng).items():
        out[f"f1_{name}"] = inversion_scores(test, without)["token_f1"].mean()
    out |= kept_shares(texts, test, written)
    trained = sum(weight.numel() for weight in made.network_.parameters() if weight.requires_grad)
    row = made.log_[-1]
    return out | {"trained": trained / 1e6, "steps": row["step"], "cpu_minutes": row["cpu_minutes"]}
