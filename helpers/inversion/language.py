"""What can be written of texts without any vector: a decoder that knows their language, as a floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from helpers.inversion.inverter import Inverter

__all__ = ["language_decoder", "written_alone"]


def language_decoder(texts: Sequence[str], **options: Any) -> Inverter:
    """A decoder that learns the language of texts and no vector, since all its vectors are alike.

    Parameters
    ----------
    texts
        Texts to learn from.
    options
        Parameters of :class:`helpers.inversion.Inverter`, those of the decoder that it shall stand beside.

    Returns
    -------
    Inverter
        Without an encoder; its vectors have one number, which says nothing.

    Raises
    ------
    TypeError, ValueError
        If texts are no list of strings, one is blank, or an option is out of range.
    """
    made = Inverter(**{**options, "n_slots": 1, "encoder": "own", "meaning": 0.0, "variational": 0.0})
    return made.fit(texts, vectors=np.zeros((len(texts), 1)))


def written_alone(language: Inverter | None, n: int, *, beams: int = 1) -> dict[str, list[str]]:
    """What a language model writes for n texts of which it knows nothing.

    Parameters
    ----------
    language
        A decoder of :func:`language_decoder`, or None.
    n
        Number of texts.
    beams
        Beams of the search.

    Returns
    -------
    dict
        ``"language"``: its likeliest text, n times; ``"drawn"``: a text for each that is drawn by its probabilities.
        Empty without a language model.
    """
    if language is None:
        return {}
    nothing = np.zeros((n, 1), dtype=np.float32)
    likeliest = language.decode(nothing[:1], beams=beams) * n
    return {"language": likeliest, "drawn": language.decode(nothing, do_sample=True, top_k=0)}
