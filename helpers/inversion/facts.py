"""What a headline states: numbers, names, direction and negation, and which of them come back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

import pandas as pd

__all__ = ["FACTS", "facts_kept", "facts_of", "learn_names"]

FACTS = ("number", "name", "direction", "negation")
"""Kinds of facts."""

_UNIT = r"%|(?:percent|pct|bln|billion|mln|million|trillion|bn|m|k)\b"
_NUMBER = re.compile(rf"[$€£]?\d[\d,]*(?:\.\d+)?(?:\s?(?:{_UNIT}))?", re.I)
_WORD = re.compile(r"[^\W\d_]+(?:['.&-][^\W\d_]+)*\.?")
_UNITS = {"percent": "%", "pct": "%", "billion": "bn", "bln": "bn", "million": "m", "mln": "m", "trillion": "trn"}
_UP = (
    "rise gain climb jump surge soar rally increase grow advance rebound recover accelerate expand improve boost "
    "raise lift hike"
)
_DOWN = (
    "fall drop slip slide sink tumble plunge plummet decline decrease dip lose slump shrink contract slow weaken "
    "cut lower ease retreat"
)
_IRREGULAR = {
    "rose": "up", "risen": "up", "grew": "up", "grown": "up", "higher": "up", "up": "up", "fell": "down",
    "fallen": "down", "sank": "down", "sunk": "down", "lost": "down", "down": "down", "shrank": "down",
    "shrunk": "down", "slid": "down",
}  # fmt: skip
_NEGATIONS = frozenset("no not never none nor without cannot denies deny denied refuses refuse rejects reject".split())


def _inflected(verbs: str, way: str) -> dict[str, str]:
    out = {}
    for verb in verbs.split():
        stem = verb[:-1] if verb.endswith("e") else verb
        doubled = verb + verb[-1] if re.search(r"[^aeiou][aeiou][pt]$", verb) else stem
        forms = {verb, verb + "s", verb + "es", stem + "ed", stem + "ing", doubled + "ed", doubled + "ing"}
        if verb.endswith("y"):
            forms |= {verb[:-1] + "ies", verb[:-1] + "ied"}
        out.update(dict.fromkeys(forms, way))
    return out


_DIRECTIONS = {**_inflected(_UP, "up"), **_inflected(_DOWN, "down"), **_IRREGULAR}


def learn_names(texts: Sequence[str], *, least: int = 2, share: float = 0.8) -> frozenset[str]:
    """Words that are written with a capital where others are not: names, in small letters.

    Parameters
    ----------
    texts
        Texts with capitals; the first word of each, and of what follows a colon, full stop or quote, does not count.
    least
        How often a word has to be seen.
    share
        Least share of those with a capital.

    Examples
    --------
    >>> sorted(learn_names(["Shares of Boeing fall", "Why Boeing falls", "A fall of Boeing shares"]))
    ['boeing']
    """
    capital, seen = Counter(), Counter()
    for text in texts:
        for found in _WORD.finditer(text):
            before = text[: found.start()].rstrip()
            if before and before[-1] not in ":.?!'\"-;":
                word = found[0]
                seen[_plain(word)] += 1
                capital[_plain(word)] += word[0].isupper()
    return frozenset(
        word for word, n in seen.items() if n >= least and capital[word] >= share * n and word not in _DIRECTIONS
    )


def facts_of(text: str, names: Collection[str] = ()) -> dict[str, list[str]]:
    """The facts of a text, by kind.

    Parameters
    ----------
    text
        A text; capitals do not matter.
    names
        Words that are names, in small letters, as :func:`learn_names` finds them.

    Returns
    -------
    dict
        ``"number"``: numbers with currency and unit, in one spelling; ``"name"``: the words that are names;
        ``"direction"``: ``"up"`` or ``"down"`` for each word that says so; ``"negation"``: ``"not"`` for each.

    Examples
    --------
    >>> facts_of("Boeing shares fall 3 percent, not 2.50%", {"boeing"})
    {'number': ['3%', '2.5%'], 'name': ['boeing'], 'direction': ['down'], 'negation': ['not']}
    """
    words = [_plain(found[0]) for found in _WORD.finditer(text)]
    return {
        "number": [_number(found[0]) for found in _NUMBER.finditer(text)],
        "name": [word for word in words if word in names],
        "direction": [_DIRECTIONS[word] for word in words if word in _DIRECTIONS],
        "negation": ["not" for word in words if word in _NEGATIONS or word.endswith("n't")],
    }


def facts_kept(texts: Sequence[str], written: Sequence[str], names: Collection[str] = ()) -> pd.DataFrame:
    """For each text and kind how many facts came back.

    Parameters
    ----------
    texts, written
        Texts, and what was written of their vectors.
    names
        Words that are names; see :func:`learn_names`.

    Returns
    -------
    DataFrame
        A row for each text and kind: ``row``, ``kind``, ``facts`` (of the text), ``kept``, ``changed`` (another one of
        its kind stands in its place), ``lost`` (nothing does) and ``invented`` (of what was written, without one in the
        text). kept + changed + lost = facts.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> found = facts_kept(["Oil falls 3 percent"], ["Oil rises 3 percent in May 2020"])
    >>> found[["kind", "facts", "kept", "changed", "lost", "invented"]].values.tolist()[0]
    ['number', 1, 1, 0, 0, 1]
    """
    if len(texts) != len(written):
        raise ValueError(f"texts has {len(texts)} entries and written {len(written)}; equally many are needed")
    rows = []
    for row, (text, other) in enumerate(zip(texts, written, strict=True)):
        wanted, found = facts_of(text, names), facts_of(other, names)
        for kind in FACTS:
            own, theirs = Counter(wanted[kind]), Counter(found[kind])
            kept = (own & theirs).total()
            missing, extra = own.total() - kept, theirs.total() - kept
            changed = min(missing, extra)
            rows.append((row, kind, own.total(), kept, changed, missing - changed, extra - changed))
    return pd.DataFrame(rows, columns=["row", "kind", "facts", "kept", "changed", "lost", "invented"])


def _plain(word: str) -> str:
    return word.lower().rstrip(".").removesuffix("'s")


def _number(text: str) -> str:
    found = re.match(r"([$€£]?)([\d,]*\.?\d*)\s?(.*)", text.lower())
    value = found[2].replace(",", "")
    value = value.rstrip("0").rstrip(".") if "." in value else value
    return found[1] + value + _UNITS.get(found[3], found[3])
