"""How near what was written comes to a text in meaning: by one vector of each, and token by token, by any encoder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.arrays import unit_rows

__all__ = ["matching_scores", "there", "token_states", "vector_similarities"]


def there(model: str | os.PathLike[str]) -> bool:
    """Whether an encoder lies on this machine, as a folder, in the book's ``data/`` or in ``$BOOK_MODELS``.

    >>> there("encoders/bert"), there("owner/a-model-nobody-has")
    (True, False)
    """
    from helpers.encoders.extraction import resolve_model

    try:
        return isinstance(resolve_model(model), Path)
    except FileNotFoundError:
        return False


def vector_similarities(
    texts: Sequence[str],
    written: Sequence[str],
    model: str | os.PathLike[str],
    *,
    lower: bool = True,
    store: str | os.PathLike[str] | None = None,
    known: MutableMapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Cosine of the vectors that an encoder of sentences gives to each text and to what was written of it.

    Parameters
    ----------
    texts, written
        Texts, and what was written of their vectors, in the same order.
    model
        Folder, or name on the hub, as :func:`helpers.encoders.extraction.resolve_model` takes it; pooled as its folder
        says, else by the mean over tokens of the last layer.
    lower
        Whether both are read in small letters.
    store
        Folder in which vectors are kept, as for :func:`helpers.encoders.extraction.extract`; by default nothing is.
    known
        Unit vectors by text as it is read, of earlier calls with the same encoder: texts in it are not encoded again,
        and the others are put into it.

    Returns
    -------
    ndarray of shape (n,)
        In [-1, 1], higher is nearer; 0 where nothing was written.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    from helpers.encoders.extraction import extract, vectors_of

    both = [*_read(texts, lower), *_read(written, lower)]
    _check_lengths(texts, written)
    x = {} if known is None else known
    if distinct := [text for text in dict.fromkeys(both) if text.strip() and text not in x]:
        with tempfile.TemporaryDirectory() as passing:
            pooling = vectors_of(model, None, layers=False)[0]
            layers = extract(model, distinct, pooling=pooling, store=store or passing, progress=False)
            found = unit_rows(np.array(layers[list(layers)[-1]], dtype=np.float64))
        x.update(zip(distinct, found, strict=True))
    pairs = zip(both[: len(texts)], both[len(texts) :], strict=True)
    return np.array([x[a] @ x[b] if a.strip() and b.strip() else 0.0 for a, b in pairs])


def token_states(
    texts: Sequence[str],
    model: str | os.PathLike[str] = "encoders/bert",
    *,
    layer: int | None = None,
    lower: bool = True,
    known: MutableMapping[str, np.ndarray] | None = None,
) -> list[np.ndarray]:
    """The hidden state of each token of each text in a layer, without those of the special tokens at its ends.

    Parameters
    ----------
    texts
        Texts; blank ones have no tokens.
    model
        Folder of an encoder, or its name on the hub; by default the small one that comes with the book.
    layer
        Layer of the encoder, counted from 1; None for the last one.
    lower
        Whether texts are read in small letters.
    known
        States by text as it is read, of earlier calls with the same encoder and layer: texts in it are not encoded
        again, and the others are put into it.

    Returns
    -------
    list of ndarray of shape (n_tokens, hidden), float32
        States in the precision of half floats, in which they are kept for a moment on disk.
    """
    from helpers.encoders.extraction import resolve_model
    from helpers.inversion.encoders import StateStore

    encoder = _encoder(os.fspath(resolve_model(model)), layer)
    empty, found = np.zeros((0, encoder.hidden), dtype=np.float32), {} if known is None else known
    distinct = [text for text in dict.fromkeys(_read(texts, lower)) if text.strip() and text not in found]
    if not distinct:
        return [found.get(text, empty) for text in _read(texts, lower)]
    rows = encoder.rows(distinct, 512).tokens
    store = StateStore(encoder, rows)
    table = encoder.tokenizer
    ends = {table.cls_token_id, table.sep_token_id, table.bos_token_id, table.eos_token_id, table.pad_token_id}
    for number, (text, row) in enumerate(zip(distinct, rows, strict=True)):
        states = store.states[store.starts[number] : store.starts[number + 1]]
        found[text] = states[[int(token) not in ends for token in row]].astype(np.float32)
    return [found.get(text, empty) for text in _read(texts, lower)]


def matching_scores(
    texts: Sequence[str],
    written: Sequence[str],
    model: str | os.PathLike[str] = "encoders/bert",
    *,
    layer: int | None = None,
    lower: bool = True,
    known: MutableMapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    r"""Greedy matching of the states of tokens, in the manner of BERTScore, by an encoder of one's own choice.

    With states :math:`x_i` of the tokens of a text and :math:`y_j` of what was written, each scaled to length 1,

    .. math::

        R = \frac{1}{m} \sum_{i=1}^{m} \max_j x_i^\top y_j, \qquad
        P = \frac{1}{n} \sum_{j=1}^{n} \max_i x_i^\top y_j, \qquad F = \frac{2 P R}{P + R}.

    Parameters
    ----------
    texts, written
        Texts, and what was written of their vectors, in the same order.
    model, layer, lower, known
        Same meaning as in :func:`token_states`.

    Returns
    -------
    DataFrame
        ``precision``, ``recall`` and ``f1`` of each text, at most 1, higher is nearer; 0 where nothing was written, and
        0 for an f1 whose precision or recall is not above 0.

    Raises
    ------
    ValueError
        If the lengths differ.

    Notes
    -----
    The formula is that of BERTScore :cite:`zhang2020bertscore`, without weights of rare tokens and without rescaling;
    the values of one encoder are comparable with one another only, and never with those of the model that its authors
    use. Two texts that have nothing in common are far from 0: what is written of other vectors is to stand beside.
    """
    _check_lengths(texts, written)
    states = token_states([*texts, *written], model, layer=layer, lower=lower, known=known)
    rows = [_matched(own, theirs) for own, theirs in zip(states[: len(texts)], states[len(texts) :], strict=True)]
    return pd.DataFrame(rows, columns=["precision", "recall", "f1"])


def _matched(own: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    if not len(own) or not len(theirs):
        return 0.0, 0.0, 0.0
    near = unit_rows(own.astype(np.float64)) @ unit_rows(theirs.astype(np.float64)).T
    precision, recall = float(near.max(0).mean()), float(near.max(1).mean())
    fine = precision > 0 and recall > 0
    return precision, recall, 2 * precision * recall / (precision + recall) if fine else 0.0


@lru_cache(maxsize=2)
def _encoder(folder: str, layer: int | None):
    """An encoder that is not trained, read once."""
    from helpers.inversion.encoders import FolderEncoder

    return FolderEncoder(folder, trained=False, layer=layer).eval()


def _read(texts: Sequence[str], lower: bool) -> list[str]:
    return [text.lower() if lower else text for text in texts]


def _check_lengths(texts: Sequence[str], written: Sequence[str]) -> None:
    if len(texts) != len(written):
        raise ValueError(f"texts has {len(texts)} entries and written {len(written)}; equally many are needed")
