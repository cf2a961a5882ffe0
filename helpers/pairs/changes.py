"""Texts that are changed on purpose: so that they say something else, labelled with what, or the same in other words.

Rules know when they are sure: a word is replaced only if all readings of it that its neighbours allow give the same
form, and a rule that meets anything else makes nothing. So there are few changes of a text, and often none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.arrays import check_count
from helpers.pairs.cleaning import clean_text, letters_key

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CHANGES",
    "Change",
    "Rule",
    "check_made_pairs",
    "code_of_changes",
    "hard_negatives",
    "made_pairs",
    "make_changes",
    "rewordings",
]

#: What may be changed: whether the text still says the same, and how.
CHANGES: dict[str, tuple[bool, str]] = {
    "negation": (False, "a negation comes or goes"),
    "roles": (False, "who does it and to whom it is done change places"),
    "numbers": (False, "another number"),
    "names": (False, "another name of a person or a place"),
    "antonyms": (False, "a word becomes its opposite"),
    "time": (False, "another day, month, year or order of events"),
    "quantity": (False, "more or less of it, more or less often, another unit"),
    "clause order": (True, "clauses, or parts joined by and, change places"),
    "synonyms": (True, "a word becomes one of the same sense"),
}
_MODULES = {"ru": "helpers.pairs.russian", "en": "helpers.pairs.english"}


@dataclass(frozen=True)
class Change:
    """A text that was changed on purpose.

    Attributes
    ----------
    kind
        What was changed, one of :data:`CHANGES`.
    text
        The changed text.
    before, after
        What was replaced, and by what; one of them is empty where a word comes or goes.
    """

    kind: str
    text: str
    before: str
    after: str

    @property
    def positive(self) -> bool:
        """Whether the changed text still says the same."""
        return CHANGES[self.kind][0]


#: A rule gets a text and yields its changes as changed text, what was replaced, and by what.
Rule = Callable[[str], Iterator[tuple[str, str, str]]]


def make_changes(text: str, language: str = "ru", kinds: Iterable[str] | str | None = None) -> list[Change]:
    """All changes of a text that the rules of its language are sure of.

    Parameters
    ----------
    text
        A sentence, or a few.
    language
        ``"ru"``, by the morphology of pymorphy3 :cite:`korobov2015`, or ``"en"``, by lists of words.
    kinds
        Some of :data:`CHANGES`; None for all.

    Returns
    -------
    list of Change
        Distinct changes, by kind in the order of :data:`CHANGES`, then by place; equal texts give equal changes. Empty
        where no rule is sure.

    Raises
    ------
    ValueError
        If the language or a kind is unknown, or the text is blank.

    Examples
    --------
    >>> [(change.kind, change.text) for change in make_changes("Кошка преследует собаку.")]
    [('negation', 'Кошка не преследует собаку.'), ('roles', 'Собака преследует кошку.')]
    """
    if language not in _MODULES:
        raise ValueError(f"language is {language!r}; rules are known for {', '.join(map(repr, _MODULES))}")
    wanted = list(CHANGES) if kinds is None else [kinds] if isinstance(kinds, str) else list(kinds)
    if unknown := [kind for kind in wanted if kind not in CHANGES]:
        raise ValueError(f"kinds has {', '.join(map(repr, unknown))}; there are {', '.join(map(repr, CHANGES))}")
    text = clean_text(text)
    if not text:
        raise ValueError("text is blank; a sentence is needed")
    rules: dict[str, list[Rule]] = import_module(_MODULES[language]).RULES
    found: dict[str, Change] = {}
    for kind in (kind for kind in CHANGES if kind in wanted):
        for rule in rules.get(kind, ()):
            for changed, before, after in rule(text):
                if changed != text and changed not in found:
                    found[changed] = Change(kind, changed, before, after)
    return list(found.values())


def hard_negatives(text: str, language: str = "ru", kinds: Iterable[str] | str | None = None) -> list[Change]:
    """The changes of a text after which it says something else; see :func:`make_changes`.

    >>> [change.text for change in hard_negatives("В 2019 году открыли большой завод.", kinds="antonyms")]
    ['В 2019 году закрыли большой завод.', 'В 2019 году открыли маленький завод.']
    """
    return [change for change in make_changes(text, language, kinds) if not change.positive]


def rewordings(text: str, language: str = "ru", kinds: Iterable[str] | str | None = None) -> list[Change]:
    """The changes of a text after which it says the same; see :func:`make_changes`.

    >>> [change.text for change in rewordings("Если идёт дождь, мы сидим дома.")]
    ['Мы сидим дома, если идёт дождь.']
    """
    return [change for change in make_changes(text, language, kinds) if change.positive]


def made_pairs(
    texts: Iterable[str],
    language: str = "ru",
    kinds: Iterable[str] | str | None = None,
    *,
    each: int = 1,
) -> pd.DataFrame:
    """Texts beside their changes, as a table to train or test on.

    Parameters
    ----------
    texts
        Sentences; those that no rule changes are left out and counted.
    language, kinds
        Language of the texts and kinds of changes, as in :func:`make_changes`.
    each
        How many changes of a kind are taken of each text, at most: chosen by a hash of the text, so that equal texts
        give equal pairs.

    Returns
    -------
    DataFrame
        ``text``, ``changed``, ``kind``, ``positive``, ``before``, ``after``, in the order of the texts;
        ``attrs["unchanged"]`` is the number of texts without a change, ``attrs["refused"]`` that of changes that have
        the letters of the text, or of another change of it of the other sign.

    Raises
    ------
    ValueError
        If a text is blank (its row is named), or in the same cases as :func:`make_changes`.

    Examples
    --------
    >>> made_pairs(["Кошка преследует собаку.", "Да."])[["changed", "kind"]].values.tolist()
    [['Кошка не преследует собаку.', 'negation'], ['Собака преследует кошку.', 'roles']]
    """
    import pandas as pd

    check_count(each, "each")
    rows, unchanged, refused = [], 0, 0
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"texts, row {number}: {text!r} is blank; a sentence is needed")
        changes = make_changes(text, language, kinds)
        signs: dict[str, set[bool]] = {}
        for change in changes:
            signs.setdefault(_key(change.text), set()).add(change.positive)
        kept = [c for c in changes if len(signs[_key(c.text)]) == 1 and _key(c.text) != _key(clean_text(text))]
        refused += len(changes) - len(kept)
        unchanged += not kept
        by_kind: dict[str, list[Change]] = {}
        for change in kept:
            by_kind.setdefault(change.kind, []).append(change)
        for kind, some in by_kind.items():
            order = sorted(some, key=lambda change: hashlib.sha256(f"{text}\0{change.text}".encode()).hexdigest())
            for change in sorted(order[:each], key=some.index):
                rows.append((clean_text(text), change.text, kind, change.positive, change.before, change.after))
    found = pd.DataFrame(rows, columns=["text", "changed", "kind", "positive", "before", "after"])
    found.attrs.update(unchanged=unchanged, refused=refused)
    return found


def check_made_pairs(made: pd.DataFrame) -> None:
    """Refuse a table of texts beside their changes from which nothing could be learned, or the contrary.

    Parameters
    ----------
    made
        Table with the columns ``text``, ``changed``, ``positive``, as :func:`made_pairs` gives it, or one of your own.

    Raises
    ------
    ValueError
        If a column is missing, there are no rows, a side is blank or no text, a changed text has the letters and digits
        of its text, or a negative those of a positive of the same text; the row is named, counted from 0.

    Examples
    --------
    >>> check_made_pairs(made_pairs(["Кошка преследует собаку."]))
    """
    absent = [name for name in ("text", "changed", "positive") if name not in made.columns]
    if absent or not len(made):
        raise ValueError(f"made has no {', '.join(absent) or 'rows'}; a table as of helpers.pairs.made_pairs is needed")
    signs: dict[tuple[str, str], tuple[int, bool]] = {}
    sides = zip(made["text"], made["changed"], made["positive"], strict=True)
    for row, (text, changed, positive) in enumerate(sides):
        for name, side in (("text", text), ("changed", changed)):
            if not isinstance(side, str) or not side.strip():
                raise ValueError(f"made, row {row}: {name} is {side!r}; a sentence is needed")
        one, other = _key(text), _key(changed)
        if not positive and one == other:
            raise ValueError(f"made, row {row}: the negative {changed!r} has the letters of its text")
        first, sign = signs.setdefault((one, other), (row, bool(positive)))
        if sign != bool(positive):
            said = f"a {_SIGNS[bool(positive)]}, and a {_SIGNS[sign]} in row {first}"
            raise ValueError(f"made, row {row}: {changed!r} is {said}")


_SIGNS = {True: "positive", False: "negative"}


def _key(text: str) -> str:
    """Letters and digits of a text: what has to differ."""
    return letters_key(text) + " " + "".join(c for c in text if c.isdigit())


def code_of_changes() -> str:
    """SHA-256 of the code that changes texts: what is kept of changed texts is stale if it changes."""
    folder, found = Path(__file__).parent, hashlib.sha256()
    names = ("changes.py", "cleaning.py", "english*.py", "morphology.py", "russian*.py")
    for path in sorted(path for name in names for path in folder.glob(name)):
        found.update(path.read_bytes())
    return found.hexdigest()
