"""Sentences: alignment beside uniformity, and the same words in another order as hard negatives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import as_matrix, check_count, check_number, check_row_labels, generator, to_numpy
from helpers.metrics import pair_cosines
from helpers.quality.geometry import uniformity
from helpers.quality.views import alignment

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FUNCTION_WORDS", "alignment_and_uniformity", "exchanged_words", "word_order"]

FUNCTION_WORDS = frozenset(
    "a about above after all also an and any are as at be because been before being below between both but by can "
    "cannot could did do does during each either else even every few for from further had has have having he her here "
    "his how however i if in into is it its just less many may might more most much must neither no nor not of off on "
    "once one only or other our out over own per same several she should since so some such than that the their them "
    "then there these they this those through thus to too under until up upon us used using very was we were what when "
    "where whether which while who whose why will with within without would yet you your".split()
)
"""Words that are never exchanged: without them a sentence has no grammar."""

TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
LINKS = re.compile(r"\s*(?:,|/|-|,?\s+(?:and|or|nor|but)\s+|\s+)\s*", re.IGNORECASE)
ENDINGS = ("ing", "ed", "ly", "s")


def exchanged_words(texts: Iterable[str], *, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Sentences with two of their words exchanged: the same words, another order.

    Two words change places that both have four letters at least, are no function words, differ, end alike (in -ing,
    -ed, -ly, -s, or in none of these), stand apart by more than a comma, a hyphen, a blank or *and* or *or*, and
    neither of which begins the sentence. Of all such pairs of a sentence one is drawn.

    Parameters
    ----------
    texts
        Sentences, each as one string.
    rng
        Seed or generator of the pair that is drawn.

    Returns
    -------
    DataFrame
        A row for each text: ``text``, ``exchanged`` (None where no pair can be exchanged), ``first`` and ``second``,
        the two words, and ``pairs``, how many there were to draw from. ``attrs["unchanged"]`` counts the texts without.

    Raises
    ------
    TypeError
        If texts is a single string, or one of them is no string.

    Notes
    -----
    In the manner of PAWS (Zhang, Baldridge and He 2019, PAWS: Paraphrase adversaries from word scrambling, NAACL),
    whose exchanges a language model proposes and people check. The rule knows no meaning: most sentences say something
    else, or nothing, after it, and some say the same ("x differs from y"). Read a sample. Whatever is a function of the
    words alone cannot tell the two apart.

    Examples
    --------
    >>> from helpers.quality.sentences import exchanged_words
    >>> exchanged_words(["The method copies the array if its shape has changed."])["exchanged"].tolist()
    ['The method copies the shape if its array has changed.']
    """
    import pandas as pd

    if isinstance(texts, str):
        raise TypeError("texts is a single string; pass a list of texts")
    rng, rows = generator(rng), []
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts[{i}] is a {type(text).__name__}; a string is needed")
        options = _exchangeable(text)
        if not options:
            rows.append((text, None, None, None, 0))
            continue
        one, other = options[int(rng.integers(len(options)))]
        made = text[: one.start()] + other[0] + text[one.end() : other.start()] + one[0] + text[other.end() :]
        rows.append((text, made, one[0], other[0], len(options)))
    table = pd.DataFrame(rows, columns=["text", "exchanged", "first", "second", "pairs"])
    table.attrs["unchanged"] = int(table["exchanged"].isna().sum())
    return table


def _exchangeable(text: str) -> list[tuple[re.Match, re.Match]]:
    """Pairs of words that may change places, in the order of the text."""
    words = list(TOKEN.finditer(text))
    content = [word for word in words[1:] if len(word[0]) > 3 and word[0].lower() not in FUNCTION_WORDS]
    return [
        (one, other)
        for i, one in enumerate(content)
        for other in content[i + 1 :]
        if one[0].lower() != other[0].lower()
        and _ending(one[0]) == _ending(other[0])
        and not LINKS.fullmatch(text[one.end() : other.start()])
    ]


def _ending(word: str) -> str:
    return next((end for end in ENDINGS if word.lower().endswith(end)), "")


def word_order(x: Any, exchanged: Any, related: Any, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """Whether sentences lie nearer to related ones than to themselves with two words exchanged.

    Parameters
    ----------
    x, exchanged, related : array_like of shape (n, p)
        Vectors of n sentences; of the same with two words exchanged, as :func:`exchanged_words` makes them; and of
        sentences that mean nearly the same, or belong together, row by row.
    confidence_level
        Level of the interval, for the choice of sentences.

    Returns
    -------
    DataFrame
        One row: ``related_nearer``, the share of sentences whose related one has the larger cosine (ties are a half),
        with ``ci_low`` and ``ci_high`` (Wilson), ``chance``, 0.5; mean cosines ``cosine_exchanged``,
        ``cosine_related`` and ``cosine_random``, with a related sentence of another row; ``told``, how far the exchange
        moves a sentence, from 0 to 1 of the way to a random one; ``identical``, how many sentences do not move at all;
        ``n``.

    Raises
    ------
    TypeError, ValueError
        If the three are not finite matrices of one shape.

    Notes
    -----
    A mean of vectors of words has the same vector for both: ``identical`` is n then, up to rounding of the sums.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality.sentences import word_order
    >>> x = np.eye(3)
    >>> word_order(x, x + 0.1, x + 0.5)[["related_nearer", "identical"]].values.tolist()
    [[0.0, 0.0]]
    """
    import pandas as pd
    from scipy import stats

    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    check_row_labels({"x": x, "exchanged": exchanged, "related": related})
    sides = {"x": x, "exchanged": exchanged, "related": related}
    sides = {name: to_numpy(as_matrix(side, name)) for name, side in sides.items()}
    for name, side in sides.items():
        if side.shape != sides["x"].shape:
            raise ValueError(f"{name} has shape {side.shape} and x {sides['x'].shape}; one vector for each is needed")
    x, exchanged, related = sides.values()
    near, far = pair_cosines(x, related), pair_cosines(x, exchanged)
    won = (near > far) + 0.5 * (near == far)
    n, share = len(won), float(won.mean())
    limits = stats.binomtest(round(share * n), n).proportion_ci(confidence_level, "wilson")
    random = float(pair_cosines(x, np.roll(related, 1, axis=0)).mean())
    moved = 1 - float(far.mean())
    row = {"related_nearer": share, "ci_low": min(limits.low, share), "ci_high": max(limits.high, share), "chance": 0.5}
    row |= {"cosine_exchanged": float(far.mean()), "cosine_related": float(near.mean()), "cosine_random": random}
    rounding = 4 * (x.shape[1] + 8) * float(np.finfo(x.dtype).eps)
    row |= {"told": moved / (1 - random) if random < 1 else np.nan, "identical": int((1 - far <= rounding).sum())}
    return pd.DataFrame([row | {"n": n}])


def alignment_and_uniformity(
    pairs: Mapping[str, tuple[Any, Any]],
    *,
    power: float = 2.0,
    t: float = 2.0,
    weight: float = 1.0,
    n_resamples: int = 200,
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    r"""Where representations lie in the plane of alignment and uniformity, each with its interval and its chance level.

    Parameters
    ----------
    pairs
        By the name of a representation, two matrices (n, p): row i of both are a positive pair.
    power, t
        The power α of distances in the alignment; how fast the potential of the uniformity falls.
    weight
        The weight λ of the uniformity in their sum.
    n_resamples
        Bootstrap draws of the pairs; in a draw copies of one pair are no two objects.
    confidence_level
        Level of the intervals, for the choice of pairs.
    rng
        Seed or generator of the draws; all representations of equally many pairs have the same.

    Returns
    -------
    DataFrame
        A row for each: ``alignment`` of the pairs, smaller is better, ``uniformity`` of the first matrix, smaller is
        more uniform, and ``sum``, alignment + λ uniformity; each with ``…_low`` and ``…_high``; ``random``, the
        alignment of pairs drawn at random, which is what a space without meaning has; ``aligned``, the share
        1 - alignment / random; ``n``.

    Raises
    ------
    TypeError, ValueError
        If a pair is not two finite matrices of one shape, a row is zero, or an option is out of range.

    Notes
    -----
    O(n² p) for each, then O(n²) for a draw. The loss InfoNCE tends to the sum of alignment (α = 2) and a uniformity for
    many negatives, hence lines of equal sums in the plane: Wang and Isola (2020), Understanding contrastive
    representation learning through alignment and uniformity on the hypersphere, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality.sentences import alignment_and_uniformity
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> alignment_and_uniformity({"noise": (x, x)})[["alignment", "aligned"]].values.tolist()
    [[0.0, 1.0]]
    """
    import pandas as pd

    check_number(power, "power", lambda value: 0 < value < np.inf, "a number above 0")
    check_number(t, "t", lambda value: 0 < value < np.inf, "a number above 0")
    check_number(weight, "weight", lambda value: 0 <= value < np.inf, "a number of at least 0")
    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")
    n_resamples = check_count(n_resamples, "n_resamples", least=2)
    if not pairs:
        raise ValueError("pairs is empty; at least one representation is needed")
    seed = generator(rng).integers(2**32)
    rows = {}
    for name, (x, y) in pairs.items():
        rows[name] = _in_the_plane(x, y, power, t, weight, n_resamples, confidence_level, generator(int(seed)))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("representation")


def _in_the_plane(
    x: Any, y: Any, power: float, t: float, weight: float, n_resamples: int, level: float, rng: np.random.Generator
) -> dict[str, float]:
    values = {"alignment": alignment([x, y], power=power), "uniformity": uniformity(x, t=t)}
    values["sum"] = values["alignment"] + weight * values["uniformity"]
    u, v = (to_numpy(side).astype(np.float64) for side in (x, y))
    u, v = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (u, v))
    n = len(u)
    apart = np.linalg.norm(u - v, axis=1) ** power
    potential = np.exp(-t * np.maximum(2 - 2 * (u @ u.T), 0))
    np.fill_diagonal(potential, 0)
    draws = []
    for _ in range(n_resamples):
        counts = rng.multinomial(n, np.full(n, 1 / n)).astype(np.float64)
        mean = counts @ potential @ counts / (n * n - counts @ counts)
        draws.append((counts @ apart / n, np.log(mean)))
    found = np.array(draws)
    found = np.column_stack([found, found[:, 0] + weight * found[:, 1]])
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    row: dict[str, float] = {}
    for i, (name, value) in enumerate(values.items()):
        row |= {name: value, f"{name}_low": float(low[i]), f"{name}_high": float(high[i])}
    shifts = rng.integers(1, n, size=min(n - 1, 20))
    random = float(np.mean([np.linalg.norm(u - np.roll(v, s, axis=0), axis=1) ** power for s in shifts]))
    return row | {"random": random, "aligned": 1 - values["alignment"] / random, "n": n}
