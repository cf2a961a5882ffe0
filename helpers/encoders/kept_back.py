"""Pairs that no training sees: some to choose by, others to score; and what is left of a corpus without them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from helpers.pairs.overlap import EvaluationTexts

if TYPE_CHECKING:
    import pandas as pd

    from helpers.pairs import PairCorpus

__all__ = ["corpus_without", "rows_without", "split_examples"]


def split_examples(pairs: pd.DataFrame, most: int = 32) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of each kind that are kept back: some to choose by, others to score, which share no text.

    Parameters
    ----------
    pairs
        Table of pairs.
    most
        Distinct pairs of a kind in both parts together, at most; of kinds with few pairs a quarter.

    Returns
    -------
    choosing, scoring : DataFrame
        Which pairs they are follows from a hash of their texts: equal pairs give equal parts. Of an odd number the
        larger part scores. What has a text that is the same as, or near, one of ``scoring``
        (:class:`helpers.pairs.EvaluationTexts`) is not in ``choosing``.
    """
    told = zip(pairs["left"], pairs["right"], strict=True)
    order = [int(hashlib.sha256(f"{a}\0{b}".encode()).hexdigest()[:13], 16) for a, b in told]
    place = pairs.assign(order=order).groupby("kind")["order"].rank(method="dense")
    size = pairs.groupby("kind")["kind"].transform("size")
    chosen = place <= np.minimum(most, size // 4)
    scoring = pairs[chosen & (place % 2 == 1)]
    return rows_without(pairs[chosen & (place % 2 == 0)], ("left", "right"), scoring), scoring


def corpus_without(corpus: PairCorpus, *examples: pd.DataFrame) -> PairCorpus:
    """A corpus without the texts of some pairs, and what is near them: nothing of it has seen them.

    Parameters
    ----------
    corpus
        Paragraphs and pairs.
    examples
        Tables of pairs whose sides are kept back, such as those of :func:`split_examples`.

    Returns
    -------
    PairCorpus
        With the counts ``"paragraphs: kept back"`` and ``"pairs: kept back"`` in ``refused``.
    """
    import pandas as pd

    kept = _verdicts(examples)
    paragraphs = _far(corpus.paragraphs, ("text",), kept).reset_index(drop=True)
    pairs = _far(corpus.pairs, ("left", "right"), kept).reset_index(drop=True)
    counts = {
        "paragraphs: kept back": len(corpus.paragraphs) - len(paragraphs),
        "pairs: kept back": len(corpus.pairs) - len(pairs),
    }
    refused = pd.concat([corpus.refused, pd.Series(counts, dtype=int)]).rename("refused")
    return replace(corpus, paragraphs=paragraphs, pairs=pairs, refused=refused)


def rows_without(table: pd.DataFrame, columns: Sequence[str], *examples: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table no text of which is the same as, or near, a side of some pairs.

    Parameters
    ----------
    table
        Table with columns of texts, such as one of negatives.
    columns
        Names of these columns.
    examples
        Tables of pairs whose sides are kept back.
    """
    return _far(table, columns, _verdicts(examples))


def _verdicts(examples: Sequence[pd.DataFrame]) -> Callable[[str], bool]:
    """Whether a text is the same as, or near, a side of some pairs; each text is looked at once."""
    sides = {text for table in examples for side in ("left", "right") for text in table[side]}
    asked = EvaluationTexts(sorted(sides))
    return cache(lambda text: text in sides or bool(asked.find(text)))


def _far(table: pd.DataFrame, columns: Sequence[str], kept: Callable[[str], bool]) -> pd.DataFrame:
    free = np.ones(len(table), bool)
    for name in columns:
        free &= ~np.fromiter(map(kept, table[name]), bool, len(table))
    return table[free]
