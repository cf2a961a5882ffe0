"""A first guess put right: it is encoded as the text was, and where its vector is wrong, the next guess is moved."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, check_not_negative, generator, single_precision, unit_rows

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
        Guesses whose vectors are the nearest to the vectors that were read, one for each.
    cosine : ndarray of shape (n, steps + 1)
        Cosine in [-1, 1] of that vector and the vector of the best guess so far: of the first guess, and after each
        step. It does not fall along a row.
    first : list of str
        What the map alone gives.
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
    draws: int = 1,
    noise: float = 0.5,
    centre: Any = None,
    rng: int = 0,
) -> Corrected:
    r"""Read vectors of another encoder, encode what was read by that encoder, and read again what the difference says.

    With :math:`v` a vector that is read, :math:`e` its encoder, :math:`M` the map and :math:`f` the encoder of the
    inverter, the guess after the guess :math:`g` is decoded from :math:`f(g) + r\,(M(v) - M(e(g)))`: what the map does
    wrong to a text and to a guess near it is the same, and goes out of the difference. The rate :math:`r` is 1, and is
    halved for a vector after a guess that was no better. With several draws, noise is added to all but the first, and
    the guess that is nearest to :math:`v` counts. Feeding guesses back is the idea of :cite:`morris2023text`, who train
    a network for it; here is none to be trained.

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
        The encoder whose vectors they are: from a list of texts to (m, p). It has to be open to who reads.
    own
        From a list of texts to their vectors in the space of the inverter; by default its own encoder. It is needed if
        the inverter was trained on vectors.
    steps
        Corrections; 0: the first guess alone.
    beams
        Beams of the search.
    candidates
        Texts of the search, the best ones, that are encoded and compared; at most ``beams``.
    draws
        Guesses of a step.
    noise
        Standard deviation of the noise of the draws after the first, in units of the spread of the inverter's vectors,
        times the rate.
    centre : array_like of shape (p,), optional
        What is taken from vectors before their cosines; the mean of vectors of other texts, where all vectors of an
        encoder lie in a cone. By default nothing.
    rng
        Seed of the noise.

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
    check_count(draws, "draws")
    check_not_negative(noise, "noise")
    x = single_precision(vectors, "vectors", rows=1)
    if own is None and "encoder" not in inverter.network_:
        raise ValueError(
            "the inverter was trained on vectors and has no encoder; pass own, which encodes into its space"
        )
    centre = np.zeros(x.shape[1]) if centre is None else np.asarray(centre, dtype=np.float64)
    if centre.shape != x.shape[1:]:
        raise ValueError(f"centre has shape {centre.shape}, and vectors have {x.shape[1]} columns")
    search = _Search(inverter, x, encode, own or inverter.encode, {"beams": beams, "candidates": candidates}, centre)
    rng, target, rates = generator(rng), to_own(x), np.ones(len(x))
    best = search.guess(target[:, None])
    first, course = list(best.texts), [best.cosine.copy()]
    for _ in range(steps):
        z = search.own(best.texts) + rates[:, None] * (target - to_own(best.vectors))
        away = rng.normal(size=(len(x), draws, z.shape[1])) * (noise * inverter.spread_ * rates)[:, None, None]
        away[:, 0] = 0
        found = search.guess(z[:, None] + away)
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

    def __init__(
        self, inverter: Any, x: np.ndarray, encode: Any, own: Any, options: dict[str, int], centre: np.ndarray
    ):
        self.inverter, self.directions, self.width = inverter, unit_rows(x - centre), x.shape[1]
        self._encode, self._own, self.options, self.centre = encode, own, options, centre

    def guess(self, z: np.ndarray) -> _Guess:
        """The best guess of each row of z, of shape (n, draws, q)."""
        count = self.options["candidates"]
        more = {"num_return_sequences": count} if count > 1 else {}
        flat = np.ascontiguousarray(z.reshape(-1, z.shape[-1]), dtype=np.float32)
        written = self.inverter.decode(flat, beams=self.options["beams"], **more)
        theirs = self._vectors(self._encode, "encode", written, self.width)
        count *= z.shape[1]
        cosines = np.sum(unit_rows(theirs - self.centre) * np.repeat(self.directions, count, axis=0), axis=1)
        taken = cosines.reshape(-1, count).argmax(1) + count * np.arange(len(z))
        return _Guess([written[row] for row in taken], theirs[taken], cosines[taken])

    def own(self, texts: list[str]) -> np.ndarray:
        return self._vectors(self._own, "own", texts, len(self.inverter.centre_))

    @staticmethod
    def _vectors(encode: Any, name: str, texts: Sequence[str], width: int) -> np.ndarray:
        """Vectors of texts, of which equal ones are encoded once."""
        distinct = list(dict.fromkeys(text if text.strip() else BLANK for text in texts))
        with warnings.catch_warnings():
            # A guess may be longer than what an encoder reads: that is no text of the caller's.
            warnings.filterwarnings("ignore", message=r"\d+ of \d+ texts are longer than")
            found = single_precision(encode(distinct), f"what {name} gives", rows=1)
        if found.shape != (len(distinct), width):
            raise ValueError(
                f"{name} gave shape {found.shape} for {len(distinct)} texts; {(len(distinct), width)} is needed"
            )
        place = {text: row for row, text in enumerate(distinct)}
        return found[[place[text if text.strip() else BLANK] for text in texts]]
