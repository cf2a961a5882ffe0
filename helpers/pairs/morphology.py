"""Words of a Russian sentence, the readings of each that its neighbours allow, and forms of other words to match."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

__all__ = [
    "Sentence",
    "Token",
    "agreeing",
    "both_ways",
    "choose_option",
    "form_for",
    "fits_preposition",
    "is_finite",
    "lemma_readings",
    "readings",
    "replaced",
    "sure",
]

#: Share of the readings, by how often they are met, that must be of one kind for it to be sure.
SURE = 0.9
VOWELS = "аеёиоуыэюя"
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:-[^\W\d_]+)*|[^\w\s]|\w+")


def both_ways(pairs: str) -> dict[str, str]:
    """A mapping of each word of pairs ``a–b`` to the other; of several pairs with one word the first counts."""
    found: dict[str, str] = {}
    for pair in pairs.split():
        one, other = pair.split("–")
        found.setdefault(one, other)
        found.setdefault(other, one)
    return found


class Token(NamedTuple):
    """A word, number or sign of a sentence, and where it stands."""

    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The token in lower case, ё as it is written."""
        return self.text.lower()


class Sentence:
    """A text and its tokens.

    Parameters
    ----------
    text
        One sentence, or a few.

    Attributes
    ----------
    tokens
        Words, numbers and signs in order.
    """

    def __init__(self, text: str):
        self.text = text
        self.tokens = [Token(found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)]

    def word(self, place: int) -> str:
        """The token at a place in lower case, or an empty string beyond the ends."""
        return self.tokens[place].word if 0 <= place < len(self.tokens) else ""

    def clause(self, place: int) -> range:
        """Places of the tokens around one, up to the signs on both sides that end a clause."""
        first = last = place
        while first > 0 and self.word(first - 1) not in STOPS:
            first -= 1
        while last + 1 < len(self.tokens) and self.word(last + 1) not in STOPS:
            last += 1
        return range(first, last + 1)


STOPS = set(',;:.!?…()[]«»"—–')


@cache
def _analyser() -> Any:
    import pymorphy3

    return pymorphy3.MorphAnalyzer()


@cache
def readings(word: str) -> tuple[Any, ...]:
    """The readings of a word in lower case, of pymorphy3; those of unknown words do not count."""
    return tuple(parse for parse in _analyser().parse(word) if parse.is_known)


def sure(word: str, *grammemes: str, least: float = SURE) -> list[Any]:
    """The readings of a word that have all of these grammemes, if the others are met too seldom to matter."""
    found = readings(word)
    chosen = [parse for parse in found if all(g in parse.tag for g in grammemes)]
    total = sum(parse.score for parse in found)
    return chosen if chosen and sum(parse.score for parse in chosen) >= least * total else []


def lemma_readings(word: str, lemmas: Iterable[str], parts: Sequence[str], least: float = SURE) -> list[Any]:
    """The readings of a word as forms of some words, in these parts of speech, if they are the likely ones."""
    lemmas = set(lemmas)
    found = readings(word)
    chosen = [p for p in found if p.normal_form in lemmas and p.tag.POS in parts]
    total = sum(parse.score for parse in found)
    return chosen if chosen and sum(parse.score for parse in chosen) >= least * total else []


def is_finite(word: str) -> bool:
    """Whether a word is most likely a finite verb."""
    return bool(sure(word, "VERB", least=0.5))


def agreeing(sentence: Sentence, place: int, found: list[Any]) -> list[Any]:
    """The readings of an adjective that agree with the noun behind it; all of them where no noun follows at once."""
    behind = place + 1
    while behind < len(sentence.tokens) and sure(sentence.word(behind), "ADJF", least=0.5):
        behind += 1
    nouns = [parse for parse in readings(sentence.word(behind)) if parse.tag.POS == "NOUN"]
    if not nouns or not sure(sentence.word(behind), "NOUN", least=0.5):
        return found
    allowed = _cases_behind(sentence.word(place - 1))
    return [p for p in found if any(_agree(p.tag, noun.tag) and noun.tag.case in allowed for noun in nouns)]


def _agree(tag: Any, noun: Any) -> bool:
    if tag.case != noun.case or tag.number != noun.number:
        return False
    if tag.case == "accs" and tag.animacy and noun.animacy and tag.animacy != noun.animacy:
        return False
    return tag.number == "plur" or not tag.gender or not noun.gender or tag.gender == noun.gender


#: Cases that a preposition allows behind it.
PREPOSITIONS = {
    "в": "accs loct", "во": "accs loct", "на": "accs loct", "о": "loct accs", "об": "loct accs", "при": "loct",
    "к": "datv", "ко": "datv", "с": "gent ablt accs", "со": "gent ablt accs", "из": "gent", "от": "gent", "до": "gent",
    "без": "gent", "у": "gent", "для": "gent", "после": "gent", "около": "gent", "вокруг": "gent", "кроме": "gent",
    "над": "ablt", "под": "ablt accs", "перед": "ablt", "между": "ablt gent", "за": "ablt accs", "через": "accs",
    "про": "accs", "по": "datv accs loct", "из-за": "gent", "из-под": "gent", "ради": "gent", "против": "gent",
}  # fmt: skip
_CASES = "nomn gent datv accs ablt loct gen2 acc2 loc2 voct"


def _cases_behind(word: str) -> set[str]:
    return set(PREPOSITIONS.get(word, _CASES).split()) | ({"loc2"} if word in ("в", "во", "на") else set())


def form_for(lemma: str, part: str, found: Iterable[Any], *extra: str) -> str | None:
    """The form of a word that matches readings of another; None unless all readings ask for the same form.

    Parameters
    ----------
    lemma
        Dictionary form of the word.
    part
        Part of speech of that word, or a grammeme that tells it from others, such as ``"Name"``.
    found
        Readings of the word that it replaces.
    extra
        Further grammemes that the form must have.
    """
    starts = [p for p in readings(lemma) if p.normal_form == lemma and part in p.tag]
    if not starts:
        return None
    forms = set()
    for parse in found:
        tag = parse.tag
        wanted = {tag.number, tag.case, tag.tense, tag.person, tag.mood, tag.voice, tag.involvement, *extra}
        wanted |= {tag.POS} if tag.POS not in ("NOUN", "NUMR") else set()
        if tag.number != "plur" and tag.POS != "NOUN":
            wanted |= {tag.gender}
        if tag.case == "accs" and tag.POS in ("ADJF", "PRTF", "NUMR"):
            wanted |= {tag.animacy}
        form = next((f for start in starts if (f := start.inflect({str(g) for g in wanted if g}))), None)
        forms.add(form.word if form else None)
    return forms.pop() if len(forms) == 1 else None


def fits_preposition(before: str, word: str) -> bool:
    """Whether a word can stand behind another one as that is written: ``об`` and ``во`` depend on what follows.

    >>> fits_preposition("в", "понедельник"), fits_preposition("в", "вторник"), fits_preposition("во", "понедельник")
    (True, False, False)
    """
    if before in ("во", "со", "ко", "обо", "изо", "надо", "подо", "передо", "ото", "безо"):
        return False
    if before == "о":
        return word[0] not in "аэиоу"
    if before == "об":
        return word[0] in "аэиоу"
    if before in BEFORE:
        cluster = word[0] not in VOWELS and word[1:2] not in VOWELS
        return not (cluster and word[0] in BEFORE[before]) and not word.startswith(AWKWARD)
    return True


#: Consonants before which, and another consonant, a preposition gets a vowel; and beginnings before which each does.
BEFORE = {"в": "вф", "с": "сзшжщ", "к": "кг"}
AWKWARD = ("мн", "мр", "вс", "вт", "льв", "льд", "льн", "лб", "лж", "рв", "рт", "рж")


def choose_option(options: Sequence[str], text: str) -> str:
    """One of some options, by a hash of the text: equal texts get equal choices."""
    return options[int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % len(options)]


def replaced(sentence: Sentence, changes: dict[int, str]) -> str:
    """The text with other words at some places; an empty word goes with the blank behind it.

    A word that begins with a capital is replaced by one that does; ё is written where the sentence has one.
    """
    text = sentence.text
    parts, at = [], 0
    for place, word in sorted(changes.items()):
        token = sentence.tokens[place]
        parts.append(text[at : token.start])
        at = token.end
        if not word:
            at += len(text[at:]) - len(text[at:].lstrip())
            continue
        if "ё" not in text.lower():
            word = word.replace("ё", "е").replace("Ё", "Е")
        parts.append(word[0].upper() + word[1:] if token.text[0].isupper() else word)
    whole = "".join([*parts, text[at:]])
    return whole[0].upper() + whole[1:] if text[0].isupper() else whole
