"""A first guess put right: it is encoded as the text was, and where its vector is wrong, the next guess is moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, single_precision, unit_rows

__all__ = ["Corrected", "corrected"]

SHORTER = 0.5
"""What becomes of the length of a step after a guess that was no better."""

BLANK = "."
"""What is encoded in place of a guess without a letter."""


class Corrected(NamedTuple):
    """Texts that were read of vectors of another encoder, after a few corrections.

    Attributes
    ----------
    texts : list of str
        Of all guesses the one whose vector is nearest to the vector that was read.
    cosine : ndarray of shape (n, steps + 1)
        Cosine in [-1, 1] of that vector and the vector of the best guess so far: of the first guess, and after each
        step. It does not fall along a row.
    first : list of str
        First guesses.
    """

    texts: list[str]
    cosine: np.ndarray
    first: list[str]


def corrected(
    inverter: Any,
    vectors: Any,
    to_own: Callable[[Any], np.ndarray],
    encode: Callable[[list[str]], Any],
    *,
    own: Callable[[list[str]], Any] | None = None,
    steps: int = 3,
    beams: int = 1,
    candidates: int = 1,
) -> Corrected:
    r"""Read vectors of another encoder, encode what was read by that encoder, and read again what the difference says.

    With :math:`v` a vector that is read, :math:`e` its encoder, :math:`M` the map and :math:`f` the encoder of the
    inverter, the guess after the guess :math:`g` is decoded from :math:`f(g) + r\,(M(v) - M(e(g)))`: what the map does
    wrong to a text and to a guess near it is the same, and goes out of the difference. The rate :math:`r` is 1, and is
    halved for a vector after a guess that was no better. Feeding guesses back is the idea of
    :cite:`morris2023text`, who train a network for it; here is none to be trained.

    Parameters
    ----------
    inverter
        A fitted :class:`helpers.inversion.Inverter`.
    vectors : array_like of shape (n, p)
        Vectors to be read.
    to_own
        Map into the space of the inverter, from :func:`helpers.inversion.foreign.pairs_map` or
        :func:`helpers.inversion.foreign.align_unpaired`.
    encode
        The encoder whose vectors they are: from a list of texts to (m, p). Whoever reads needs access to it.
    own
        From a list of texts to their vectors in the space of the inverter; by default its own encoder. It is needed if
        the inverter was trained on vectors.
    steps
        Corrections; 0: the first guess alone.
    beams
        Beams of the search.
    candidates
        Texts of the search, the best ones, that are encoded and compared; at most ``beams``.

    Returns
    -------
    Corrected

    Raises
    ------
    ValueError
        If the inverter has no encoder and ``own`` is not given, ``encode`` or ``own`` gives another number of rows or
        another width, ``candidates`` exceeds ``beams``, or an entry is not finite.
    """
    check_count(steps, "steps", least=0)
    check_count(candidates, "candidates", most=check_count(beams, "beams"), why="(the beams)")
    x = single_precision(vectors, "vectors", rows=1)
    if own is None and "encoder" not in inverter.network_:
        raise ValueError(
            "the inverter was trained on vectors and has no encoder; pass own, which encodes into its space"
        )
    search = _Search(inverter, x, encode, own or inverter.encode, {"beams": beams, "candidates": candidates})
    target = to_own(x)
    best = search.guess(target)
    first, course = list(best.texts), [best.cosine.copy()]
    rates = np.ones(len(x))
    for _ in range(steps):
        step = target - to_own(best.vectors)
        found = search.guess(search.own(best.texts) + (rates[:, None] * step).astype(np.float32))
        better = found.cosine > best.cosine
        for row in np.flatnonzero(better):
            best.texts[row] = found.texts[row]
        best.vectors[better], best.cosine[better] = found.vectors[better], found.cosine[better]
        rates[~better] *= SHORTER
        course.append(best.cosine.copy())
    return Corrected(best.texts, np.column_stack(course), first)


class _Guess(NamedTuple):
    texts: list[str]
    vectors: np.ndarray
    cosine: np.ndarray


class _Search:
    """Guesses of vectors, each the nearest of a few candidates."""

    def __init__(self, inverter: Any, x: np.ndarray, encode: Any, own: Any, options: dict[str, int]):
        self.inverter, self.directions, self.width = inverter, unit_rows(x.astype(np.float64)), x.shape[1]
        self._encode, self._own, self.options = encode, own, options

    def guess(self, z: np.ndarray) -> _Guess:
        count = self.options["candidates"]
        more = {"num_return_sequences": count} if count > 1 else {}
        written = self.inverter.decode(z, beams=self.options["beams"], **more)
        theirs = self._vectors(self._encode, "encode", written, self.width)
        cosines = np.sum(unit_rows(theirs.astype(np.float64)) * np.repeat(self.directions, count, axis=0), axis=1)
        taken = cosines.reshape(-1, count).argmax(1) + count * np.arange(len(z))
        return _Guess([written[row] for row in taken], theirs[taken], cosines[taken])

    def own(self, texts: list[str]) -> np.ndarray:
        return self._vectors(self._own, "own", texts, len(self.inverter.centre_))

    @staticmethod
    def _vectors(encode: Any, name: str, texts: Sequence[str], width: int) -> np.ndarray:
        """Vectors of texts, of which equal ones are encoded once."""
        distinct = list(dict.fromkeys(text if text.strip() else BLANK for text in texts))
        found = single_precision(encode(distinct), f"what {name} gives", rows=1)
        if found.shape != (len(distinct), width):
            raise ValueError(
                f"{name} gave shape {found.shape} for {len(distinct)} texts; {(len(distinct), width)} is needed"
            )
        place = {text: row for row, text in enumerate(distinct)}
        return found[[place[text if text.strip() else BLANK] for text in texts]]
