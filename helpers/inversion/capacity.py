"""What a vector holds, in bits of its text, and what is left of them in fewer bytes or under noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from helpers.arrays import check_count, check_not_negative
from helpers.inference import interval
from helpers.inversion.inverter import Inverter, checked_texts

if TYPE_CHECKING:
    import torch

__all__ = ["Crammed", "bits_explained", "cram", "cram_at_once", "text_bits"]


def text_bits(inverter: Inverter, texts: Sequence[str], *, vectors: Any = None) -> np.ndarray:
    """Bits that each text takes to be told, token by token, to somebody who has the decoder and the vector.

    Parameters
    ----------
    inverter
        A fitted inverter whose decoder writes token after token.
    texts
        Texts, not those of training.
    vectors : array_like of shape (n, width), optional
        Vectors of the texts; by default those that the encoder of the inverter gives.

    Returns
    -------
    ndarray of shape (n,)
        Sum of the cross-entropies of the tokens, in bits.

    Raises
    ------
    ValueError
        If the decoder says all tokens at once: its cross-entropies do not add up to a code.
    """
    import torch

    from helpers.inversion.training import forced

    if inverter.decoder in ("one_pass", "iterative"):
        raise ValueError(f"decoder is {inverter.decoder!r}, which says all tokens at once; bits need one after another")
    texts = checked_texts(texts, "texts")
    x = inverter.encode(texts) if vectors is None else inverter._known(vectors)
    out = np.zeros(len(texts))
    with torch.inference_mode():
        for rows, scores, tokens, real in forced(inverter, texts, x):
            nats = -scores.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]
            out[rows] = (nats * real).sum(1).double().numpy() / np.log(2)
    return out


def bits_explained(
    inverter: Inverter,
    texts: Sequence[str],
    *,
    without: Inverter,
    vectors: Any = None,
    changed: Mapping[str, Any] | None = None,
    rng: int = 0,
) -> pd.DataFrame:
    r"""Bits of a text that its vector explains: those that it takes without the vector, less those with it.

    The mean over texts is the mutual information of vector and text, too high by what ``without`` takes beyond the
    entropy of the texts, and too low by what the inverter takes beyond their entropy given the vectors. So it is no
    bound, and may exceed the entropy; where that is known, the entropy less the bits left with the vector is a bound
    from below. Differences between forms of the same vectors are free of the error of ``without``.

    Parameters
    ----------
    inverter
        A fitted inverter.
    texts
        Texts, not those of training.
    without
        An inverter of the same kind, trained on the same texts with vectors that are all alike: a language model.
    vectors : array_like of shape (n, width), optional
        Vectors of the texts; by default those of its encoder.
    changed
        Other forms of the same vectors, by name: quantised, with noise, ….
    rng
        Seed of the intervals.

    Returns
    -------
    DataFrame
        A row for ``"as they are"`` and each form: ``bits`` per text with ``ci_low``, ``ci_high`` (over texts),
        ``bits_per_dimension``, ``share`` of the bits that the text takes without a vector, ``bits_without``.

    Raises
    ------
    ValueError
        If the two inverters have different tokens.
    """
    if inverter.tokens_.tokenizer.to_str() != without.tokens_.tokenizer.to_str():
        raise ValueError("without has other tokens than inverter; train both on the same texts and vocabulary")
    texts = checked_texts(texts, "texts")
    x = inverter.encode(texts) if vectors is None else np.asarray(vectors, dtype=np.float32)
    alone = text_bits(without, texts, vectors=np.tile(without.centre_, (len(texts), 1)))
    rows = {}
    for name, form in {"as they are": x, **(changed or {})}.items():
        saved = alone - text_bits(inverter, texts, vectors=form)
        found = interval(saved, method="percentile", n_resamples=999, rng=rng)
        rows[name] = {
            "bits": found.estimate,
            "ci_low": found.low,
            "ci_high": found.high,
            "bits_per_dimension": found.estimate / x.shape[1],
            "share": float(saved.sum() / alone.sum()),
            "bits_without": float(alone.mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("form")


class Crammed(NamedTuple):
    """A vector that was sought for one text.

    Attributes
    ----------
    vector
        What was found, an array of shape (width,); of two vectors, one behind the other.
    bits
        Bits that the text takes with it.
    right
        Share of the tokens that are the likeliest, all before them being right; in one pass, nothing before them being
        known.
    text
        What is written from it, by the likeliest token.
    steps
        Steps of the search.
    """

    vector: np.ndarray
    bits: float
    right: float
    text: str
    steps: int


def cram(inverter: Inverter, text: str, *, steps: int = 300, learning_rate: float = 0.05, rng: int = 0) -> Crammed:
    """Seek the vector from which the fixed decoder writes one text best, whatever the encoder would give.

    Parameters
    ----------
    inverter
        A fitted inverter.
    text
        Any text; what is longer than ``length`` tokens is truncated.
    steps
        Most steps of Adam; it stops as soon as all tokens are right by a margin.
    learning_rate
        Learning rate of Adam, in units of the spread of the training vectors.
    rng
        Seed of the vector that it begins with, drawn about the centre.

    Raises
    ------
    ValueError
        If the text is blank or ``steps`` is below 1.
    """
    import torch

    from helpers.inversion.tokens import padded

    check_count(steps, "steps")
    check_not_negative(learning_rate, "learning_rate")
    (text,) = checked_texts([text], "text")
    tokens = padded(inverter.tokens_.rows([text], inverter.length).tokens)
    decoder, given = inverter.network_["decoder"], "encoder" not in inverter.network_
    centre, spread = (0.0, 1.0) if given else (torch.from_numpy(inverter.centre_), inverter.spread_)
    noise = np.random.default_rng(rng).normal(size=(1, len(inverter.centre_))).astype(np.float32)
    offset = torch.from_numpy(noise).requires_grad_(True)

    def scores() -> torch.Tensor:
        return decoder.logits(centre + spread * offset, tokens)[0].log_softmax(-1)

    done = _search(offset, scores, tokens[0], steps, learning_rate)
    with torch.inference_mode():
        x = (centre + spread * offset).numpy()
        x = x * inverter.spread_ + inverter.centre_ if given else x
        chances = scores()
        right = float((chances.argmax(-1) == tokens[0]).float().mean())
        bits = float(-chances.gather(-1, tokens[0][:, None]).sum()) / np.log(2)
    from helpers.inversion.training import written_tokens

    (row,) = written_tokens(inverter, x.astype(np.float32), beams=1, batch=1)
    return Crammed(x[0], bits, right, inverter.tokens_.texts([row])[0], done)


def _search(
    free: torch.Tensor, scores: Callable[[], torch.Tensor], tokens: torch.Tensor, steps: int, learning_rate: float
) -> int:
    """Move free numbers by Adam until each token has a probability of 0.9; how many steps that took."""
    import torch

    optimizer = torch.optim.Adam([free], lr=learning_rate)
    for done in range(steps):
        chances = scores().gather(-1, tokens[:, None])
        if float(chances.detach().min()) > np.log(0.9):
            return done
        optimizer.zero_grad()
        (-chances.sum()).backward()
        optimizer.step()
    return steps


def cram_at_once(
    inverter: Inverter, text: str, *, steps: int = 300, learning_rate: float = 0.05, rng: int = 0
) -> Crammed:
    """Seek two vectors from which the fixed decoder writes one text in one pass, though it never learned to.

    The first is read as the vector of a text is; the second stands at every place, where the word before would stand
    :cite:`mezentsev2025exploring`.

    Parameters
    ----------
    inverter
        A fitted inverter whose decoder is ``"autoregressive"``.
    text
        Any text; what is longer than ``length`` tokens is truncated.
    steps
        Most steps of Adam; it stops as soon as all tokens are right by a margin.
    learning_rate
        Learning rate of Adam, in units of the spread of the training vectors and of the table of tokens.
    rng
        Seed of the vectors that it begins with.

    Raises
    ------
    ValueError
        If the decoder is another one, the text is blank, or ``steps`` is below 1.
    """
    import torch

    from helpers.inversion.tokens import padded

    if inverter.decoder != "autoregressive":
        raise ValueError(f"decoder is {inverter.decoder!r}; 'autoregressive' is needed")
    check_count(steps, "steps")
    check_not_negative(learning_rate, "learning_rate")
    (text,) = checked_texts([text], "text")
    tokens = padded(inverter.tokens_.rows([text], inverter.length).tokens)[0]
    decoder, given = inverter.network_["decoder"], "encoder" not in inverter.network_
    centre, spread = (0.0, 1.0) if given else (torch.from_numpy(inverter.centre_), inverter.spread_)
    table = decoder.net.get_input_embeddings().weight.detach()
    scale = float(table.std()) * table.shape[1] ** 0.5  # the table is multiplied by this root where tokens are read
    noise = np.random.default_rng(rng).normal(size=len(inverter.centre_) + table.shape[1]).astype(np.float32)
    free = torch.from_numpy(noise).requires_grad_(True)

    def scores() -> torch.Tensor:
        slots = decoder.slots((centre + spread * free[: len(inverter.centre_)])[None])
        places = (scale * free[len(inverter.centre_) :]).expand(1, len(tokens), -1)
        found = decoder.net.model.decoder(inputs_embeds=places, encoder_hidden_states=slots, use_cache=False)
        return decoder.said(found.last_hidden_state[0]).log_softmax(-1)

    done = _search(free, scores, tokens, steps, learning_rate)
    with torch.inference_mode():
        chances = scores()
        said = chances.argmax(-1)
        x = free.numpy().copy()
        first = (centre + spread * free[: len(inverter.centre_)]).numpy()
    x[: len(first)] = first * inverter.spread_ + inverter.centre_ if given else first
    x[len(first) :] *= scale
    bits = float(-chances.gather(-1, tokens[:, None]).sum() / np.log(2))
    right = float((said == tokens).float().mean())
    return Crammed(x, bits, right, inverter.tokens_.texts([said.tolist()])[0], done)
