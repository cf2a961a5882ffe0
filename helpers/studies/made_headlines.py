"""A small world of made-up headlines, of which is known how many there are, and which say the same in other words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helpers.arrays import check_count

__all__ = ["MADE", "WORLD_BITS", "MadeHeadlines", "made_headlines", "reworded"]

MADE = "made up"
"""Name of the source."""

_WHO = (
    "oil gold copper steel wheat coffee sugar boeing airbus tesla apple amazon google nissan toyota shell tesco "
    "barclays vodafone unilever sterling bitcoin nasdaq dax"
).split()
_UP, _DOWN = "rises climbs gains jumps".split(), "falls drops slips sinks".split()
_HOW_MUCH = tuple(f"{number}%" for number in range(1, 10))
_WHY = (
    "after results",
    "on hopes of trade deal",
    "as dollar weakens",
    "as demand slows",
    "after bank's warning",
    "on talk of merger",
    "as strike ends",
    "after vote in italy",
    "on new tariffs",
    "as costs grow",
    "after court ruling",
    "on tax plans",
)
_WHEN = ("in london", "at open", "for third day", "in june", "before easter", "in tokyo", "at close", "this week")
_PARTS = (_WHO, _UP + _DOWN, _HOW_MUCH, _WHY, _WHEN)

WORLD_BITS = float(sum(np.log2(len(part)) for part in _PARTS))
"""Bits of one of them, all being equally likely: what somebody has to be told who knows the language perfectly."""


class MadeHeadlines(NamedTuple):
    """Made-up headlines, drawn without repetition.

    Attributes
    ----------
    train, validation, test
        Lists of texts, no text in two of them.
    """

    train: list[str]
    validation: list[str]
    test: list[str]


def made_headlines(n_texts: int, *, rng: int = 0) -> MadeHeadlines:
    """Draw headlines of the small world: who, which way, by how much, why and when, each independent of the others.

    Parameters
    ----------
    n_texts
        How many, at least 20; a tenth is for validation, and a tenth for the test.
    rng
        Seed of the draw.

    Examples
    --------
    >>> len(made_headlines(100).train), len(set(made_headlines(100).test))
    (80, 10)
    """
    sizes = tuple(len(part) for part in _PARTS)
    total = int(np.prod(sizes))
    check_count(n_texts, "n_texts", least=20, most=total, why="(made-up headlines)")
    drawn = np.random.default_rng(rng).choice(total, size=n_texts, replace=False)
    picks = np.stack(np.unravel_index(drawn, sizes), axis=1)
    texts = [" ".join(part[i] for part, i in zip(_PARTS, pick, strict=True)) for pick in picks]
    tenth = n_texts // 10
    return MadeHeadlines(texts[2 * tenth :], texts[:tenth], texts[tenth : 2 * tenth])


def reworded(text: str) -> list[str]:
    """The headlines of the small world that say the same with another verb.

    >>> reworded("oil rises 3% after results at open")[0]
    'oil climbs 3% after results at open'
    """
    who, verb, *rest = text.split()
    same = _UP if verb in _UP else _DOWN
    return [" ".join([who, other, *rest]) for other in same if other != verb]
