"""Rules that change the order of Russian sentences on purpose: who does it to whom, and which clause comes first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from helpers.pairs.morphology import (
    PREPOSITIONS,
    Sentence,
    fits_preposition,
    is_finite,
    readings,
    replaced,
    sure,
)

__all__ = ["MODALS", "move_clause", "swap_compared", "swap_joined", "swap_roles", "swap_ways"]

Changes = Iterator[tuple[str, str, str]]
MODALS = set("должен должна должно должны".split())

# Roles


def swap_roles(text: str) -> Changes:
    """Who does it and to whom it is done change places: two living things, each in one case, the verb between them."""
    sentence = Sentence(text)
    for place in range(1, len(sentence.tokens) - 1):
        verb = sure(sentence.word(place), "VERB", "indc")
        lemmas = {parse.normal_form for parse in verb}
        if len(lemmas) != 1 or lemmas & MUTUAL:
            continue
        before = sentence.word(place + 1)
        last = place + 2 if before in GOVERNING else place + 1
        cases = PREPOSITIONS[before] if last == place + 2 else "accs" if "tran" in verb[0].tag else "datv"
        if not _stands_alone(sentence, place - 1, last):
            continue
        one = _living(sentence.word(place - 1), "nomn", "accs")
        others = [found for case in cases.split() if (found := _living(sentence.word(last), case, "nomn"))]
        if one is None or len(others) != 1 or one.normal_form == others[0].normal_form:
            continue
        other, case = others[0], str(others[0].tag.case)
        first, second, agreed = other.inflect({"nomn"}), one.inflect({case}), _verb_for(verb[0], other)
        if not (first and second and agreed) or _has_case(first.word, "accs") or _has_case(second.word, "nomn"):
            continue
        names = ["Name" in parse.tag or "Surn" in parse.tag for parse in (one, other)]
        if names[0] != names[1] or (place > 1 and sentence.tokens[place - 1].text[0].isupper() != names[0]):
            continue
        if names[0] != sentence.tokens[last].text[0].isupper() or not fits_preposition(before, second.word):
            continue
        end = second.word.capitalize() if names[0] else second.word
        new = replaced(sentence, {place - 1: first.word, place: agreed, last: end})
        yield new, f"{one.word} … {other.word}", f"{first.word} … {second.word}"


#: Prepositions behind which somebody has another role than the subject: not с, with whom one does it together.
GOVERNING = {"за", "на", "к", "от", "над", "перед", "у", "о", "про", "против"}
#: Verbs that say the same of both.
MUTUAL = set("встретить встречать встретиться дружить жениться драться спорить быть стать являться".split())


def _living(word: str, case: str, never: str) -> Any:
    """The one reading of a word as a living thing in a case, if it cannot be in the other case."""
    nouns = [parse for parse in readings(word) if parse.tag.POS == "NOUN"]
    found = [parse for parse in nouns if "anim" in parse.tag and parse.tag.case == case]
    if not found or len({(p.normal_form, p.tag.number, p.tag.gender) for p in found}) > 1 or _has_case(word, never):
        return None
    total = sum(parse.score for parse in readings(word))
    return found[0] if sum(parse.score for parse in nouns) >= 0.6 * total else None


def _has_case(word: str, case: str, share: float = 0.1) -> bool:
    """Whether a word can be a noun in a case, more than seldom."""
    found = readings(word)
    total = sum(parse.score for parse in found)
    cases = sum(parse.score for parse in found if parse.tag.POS == "NOUN" and parse.tag.case == case)
    return cases > share * total


def _in_case(parse: Any, case: str) -> str | None:
    form = parse.inflect({case})
    return form.word if form else None


def _verb_for(verb: Any, subject: Any) -> str | None:
    """The verb in the number and, in the past, the gender of another subject."""
    wanted = {str(subject.tag.number)}
    if verb.tag.tense == "past" and subject.tag.number == "sing":
        wanted = wanted | {str(subject.tag.gender)} if subject.tag.gender else set()
    if verb.tag.tense != "past" and verb.tag.person != "3per":
        return None
    form = verb.inflect(wanted) if wanted else None
    return form.word if form else None


def _stands_alone(sentence: Sentence, first: int, last: int) -> bool:
    """Whether nothing belongs to one of two nouns alone: no adjective, genitive, relative clause or join."""
    before, behind = sentence.word(first - 1), sentence.word(last + 1)
    if before and not (before in STARTS or sure(before, "ADVB") or before in ",."):
        return False
    if behind in ("и", "или", "а", "но") or sure(behind, "NOUN", least=0.3) or sure(behind, "ADJF", least=0.3):
        return False
    if behind == "," or (behind and behind not in ".!…" and not (behind in PREPOSITIONS or sure(behind, "ADVB"))):
        return False
    belongs = {"с", "со", "без", "из", "от", "для"}  # мальчик с собакой
    return behind not in belongs


STARTS = {"что", "как", "когда", "если", "и", "а", "но", "потому"}


def swap_compared(text: str) -> Changes:
    """What is compared changes places: A is higher than B becomes B is higher than A."""
    sentence = Sentence(text)
    if len(sentence.tokens) not in (3, 4) or sentence.word(3) not in ("", ".", "!"):
        return
    words = [sentence.word(k) for k in range(3)]
    if not any("COMP" in parse.tag for parse in readings(words[1])):
        return
    one = [p for p in readings(words[0]) if p.tag.POS == "NOUN" and p.tag.case == "nomn"]
    other = [p for p in readings(words[2]) if p.tag.POS == "NOUN" and p.tag.case == "gent" and p.tag.number == "sing"]
    if (
        len({p.normal_form for p in one}) != 1
        or len({p.normal_form for p in other}) != 1
        or one[0].tag.number != "sing"
    ):
        return
    names = [any(g in parse.tag for g in ("Name", "Surn", "Geox")) for parse in (one[0], other[0])]
    capital = sentence.tokens[2].text[0].isupper()
    first, second = _in_case(other[0], "nomn"), _in_case(one[0], "gent")
    if first and second and names[0] == names[1] == capital and one[0].normal_form != other[0].normal_form:
        new = replaced(sentence, {0: first, 2: second.capitalize() if capital else second})
        yield new, f"{words[0]} … {words[2]}", f"{first} … {second}"


def _lowered(text: str, sentence: Sentence, place: int) -> str:
    start = sentence.tokens[place].start
    return text[:start] + text[start].lower() + text[start + 1 :]


def swap_ways(text: str) -> Changes:
    """From one place to another becomes from that one to the first."""
    sentence = Sentence(text)
    for place in range(len(sentence.tokens) - 3):
        words = [sentence.word(place + k) for k in range(4)]
        if words[0] != "из" or words[2] != "в":
            continue
        start, goal = sure(words[1], "NOUN", "gent", "sing"), sure(words[3], "NOUN", "accs", "sing", least=0.3)
        if len(start) != 1 or len(goal) != 1 or not ("Geox" in start[0].tag and "Geox" in goal[0].tag):
            continue
        first, second = _in_case(goal[0], "gent"), _in_case(start[0], "accs")
        if first and second and fits_preposition("в", second):
            swap = {place + 1: first, place + 3: second}
            yield replaced(sentence, swap), f"{words[1]} … {words[3]}", f"{first} … {second}"


# Rewordings

CONJUNCTIONS = ("если", "когда", "хотя", "поскольку")
POINTING = set(
    "он она оно они его её ее их ему ей им ими него неё нее них нему ней ним ними нём нем этот эта это "
    "эти этого этой этому этом этим тот та те того той тому то тогда там так такой такая такое такие "
    "здесь сам сама само сами свой своя своё свои своего своей своему своих своим который и а но или же "
    "тоже также".split()
)


def _movable(clause: str) -> bool:
    """Whether a clause can stand on either side: it has a verb, and points to nothing before it."""
    words = [token.word for token in Sentence(clause).tokens]
    verb = any(is_finite(w) or bool(sure(w, "INFN")) or w in MODALS or bool(sure(w, "PRTS", least=0.7)) or w == "нет" or
               w in ("можно", "нужно", "нельзя", "надо") for w in words)  # fmt: skip
    return len(words) >= 2 and verb and not POINTING.intersection(words)


def move_clause(text: str) -> Changes:
    """If A, B becomes B, if A; and the other way round."""
    match = re.fullmatch(r"([^.!?…;:()«»\"—–]+)([.!])", text.strip())
    if not match or match[1].count(",") != 1:
        return
    left, right = (part.strip() for part in match[1].split(","))
    if not left or not right:
        return
    first, second = left.split()[0].lower(), right.split()[0].lower()
    if re.search(r"\bхотя бы\b", text, re.I):  # at least
        return
    if first in CONJUNCTIONS:
        if second == "то":
            right = right.partition(" ")[2]
        if not _movable(left) or not _movable(right):
            return
        yield f"{_capital(right)}, {_small(left)}{match[2]}", left, right
    elif second in CONJUNCTIONS and _movable(left) and _movable(right):
        yield f"{_capital(right)}, {_small(left)}{match[2]}", left, right


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _small(text: str) -> str:
    """A text with a small first letter, unless its first word is a name or an abbreviation."""
    word = text.split()[0].strip(",")
    proper = any(
        g in parse.tag for parse in readings(word.lower()) for g in ("Name", "Surn", "Geox", "Orgn", "Patr", "Trad")
    )
    known = bool(readings(word.lower()))
    return text if proper or not known or (len(word) > 1 and word.isupper()) else text[0].lower() + text[1:]


def swap_joined(text: str) -> Changes:
    """Two nouns joined by и, in one case and number, with nothing that belongs to only one of them, change places."""
    sentence = Sentence(text)
    for place in range(1, len(sentence.tokens) - 1):
        if sentence.word(place) != "и":
            continue
        one, other = sentence.tokens[place - 1], sentence.tokens[place + 1]
        before, behind = sentence.word(place - 2), sentence.word(place + 2)
        if before and not (before in PREPOSITIONS or is_finite(before) or before in (":", ".")):
            continue
        if behind and not (behind in ".!" or behind in PREPOSITIONS or is_finite(behind)):
            continue
        readings_one, readings_other = sure(one.word, "NOUN"), sure(other.word, "NOUN")
        cases = (
            {str(p.tag.case) for p in readings_one}
            & {str(p.tag.case) for p in readings_other}
            & set(PREPOSITIONS.get(before, "nomn gent datv accs ablt loct").split())
        )
        if (
            not cases
            or "и" in (before, behind)
            or behind in ("с", "из", "от", "для", "без", "на", "в", "по", "к", "о", "об")
        ):
            continue
        if any("Name" in p.tag or "Surn" in p.tag for p in (*readings_one, *readings_other)) and before in PREPOSITIONS:
            continue
        if place - 1 == 0 and one.text[0].isupper():
            first = other.word if other.text[0].islower() else other.text
            second = one.text if any(g in p.tag for p in readings_one for g in ("Name", "Surn", "Geox")) else one.word
        else:
            first, second = other.text, one.text
        if not fits_preposition(before, first.lower()) or (
            place - 1 > 0 and one.text[0].isupper() != other.text[0].isupper()
        ):
            continue
        new = replaced(sentence, {place - 1: first, place + 1: second})
        if second[0].islower():
            new = _lowered(new, Sentence(new), place + 1)
        yield new, f"{one.text} и {other.text}", f"{first} и {second}"
