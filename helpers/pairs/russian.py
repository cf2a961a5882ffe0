"""Rules that change Russian sentences on purpose, by the morphology of pymorphy3."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from helpers.pairs.morphology import (
    PREPOSITIONS,
    Sentence,
    agreeing,
    both_ways,
    choose_option,
    fits_preposition,
    form_for,
    is_finite,
    lemma_readings,
    readings,
    replaced,
    sure,
)
from helpers.pairs.russian_opposites import antonym_adjectives, antonym_adverbs, antonym_nouns, antonym_verbs
from helpers.pairs.russian_order import MODALS, move_clause, swap_compared, swap_joined, swap_roles, swap_ways
from helpers.pairs.russian_swaps import GRADES, exact_words, not_opening, plain_quality, swapped_words
from helpers.pairs.russian_words import (
    NAMES,
    PLACES,
    QUANTITIES,
    QUANTITY_ADJECTIVES,
    QUANTITY_ADVERBS,
    SURNAMES,
    SYNONYMS,
    SYNONYMS_OF,
    TIMES,
    UNITS,
)

__all__ = ["RULES"]

Changes = Iterator[tuple[str, str, str]]

#: Words with which a negation is no plain one, or has another scope.
NEGATIVE = set(
    "не ни нет нету нельзя никто никого никому никем ничто ничего ничему ничем никогда нигде никуда никак "
    "никакой никакая никакое никакие никаких никакого никакой никаким ничей ниоткуда незачем негде "
    "некогда некому нечего без"
    .split()
)  # fmt: skip
SCOPED = set(
    "все всё всех всем всеми весь вся каждый каждая каждое каждые любой любая любое любые оба обе только "
    "лишь даже тоже также уже ещё еще почти чуть едва пока чтобы если бы ли пусть пускай давайте совсем "
    "вовсе больше скорее как чем хотя тем более менее свыше изредка кое-где местами нередко часто чаще редко "
    "реже обычно временами частично отчасти преимущественно где-то когда-то как-то около".split()
)
#: Words, in all of their forms, of which both is true: half of them did, and half of them did not.
PARTIAL = set(
    "некоторый некий многие многий немногие немногий многое немногое много немного мало немало большинство "
    "меньшинство половина треть четверть часть доля несколько множество ряд пара иногда порой однажды кое-кто кое-что "
    "кто-то что-то какой-то чей-то кто-нибудь что-нибудь какой-нибудь кто-либо какой-либо другой иной различный разный "
    "отдельный остальной один".split()
)
#: Verbs whose subject stands in the genitive when they are negated, or that are no plain verbs.
EXISTENTIAL = set(
    "быть существовать иметься остаться оставаться появиться появляться найтись случиться случаться "
    "произойти происходить бывать встречаться встретиться понадобиться потребоваться требоваться хватать "
    "хватить прийтись приходиться доставать стать возникнуть возникать казаться оказаться являться есть "
    "значить".split()
)


# Negation


def _negatable(sentence: Sentence, place: int) -> bool:
    """Whether a clause has one finite verb, this one, a subject before it, and nothing that a negation would turn."""
    clause = sentence.clause(place)
    words = [sentence.word(i) for i in clause]
    if NEGATIVE.intersection(words) or SCOPED.intersection(words) or any(map(_is_partial, words)):
        return False
    if any(sure(sentence.word(i), "NUMR", least=0.5) for i in clause if i < place):
        return False  # two cats do, and two cats do not
    if sum(is_finite(word) or word in MODALS or bool(sure(word, "PRTS", least=0.7)) for word in words) > 1:
        return False
    before = readings(sentence.word(place - 1))
    if any(parse.tag.POS in ("ADVB", "PRCL", "ADJS", "COMP", "PRED") and parse.score > 0.1 for parse in before):
        return False  # it would be the adverb that is negated
    return any(_is_subject(sentence.word(i)) for i in clause if i < place)


def _is_partial(word: str) -> bool:
    """Whether a word says of how many, or how often, and leaves room for as many of which the opposite is true."""
    return any(parse.normal_form in PARTIAL and parse.score >= 0.1 for parse in readings(word))


def _is_subject(word: str) -> bool:
    return any(p.tag.POS in ("NOUN", "NPRO") and p.tag.case == "nomn" and p.score >= 0.3 for p in readings(word))


def add_negation(text: str) -> Changes:
    """Puts не before the one finite verb or short participle of a clause with a subject before it."""
    sentence = Sentence(text)
    if text.rstrip().endswith("?"):
        return
    for place, token in enumerate(sentence.tokens):
        word = token.word
        verb = sure(word, "VERB", "indc")
        lemmas = {parse.normal_form for parse in verb}
        future = lemmas == {"быть"} and sure(word, "futr") and sure(sentence.word(place + 1), "INFN", "impf")
        passive = sure(word, "PRTS", least=0.7)
        if not (verb and not lemmas & EXISTENTIAL or future or passive or word in MODALS):
            continue
        if _negatable(sentence, place):
            yield replaced(sentence, {place: f"не {token.text}"}), "", "не"


def remove_negation(text: str) -> Changes:
    """Takes away the one не of a sentence, before a verb that leaves the case of everything else as it is."""
    sentence = Sentence(text)
    words = [token.word for token in sentence.tokens]
    if words.count("не") != 1 or NEGATIVE.intersection(words) != {"не"} or text.rstrip().endswith("?"):
        return
    place = words.index("не")
    verb = sure(sentence.word(place + 1), "VERB", "indc")
    passive = sure(sentence.word(place + 1), "PRTS", least=0.7)
    if not (verb and not {p.normal_form for p in verb} & EXISTENTIAL or passive or sentence.word(place + 1) in MODALS):
        return
    if (SCOPED - {"если", "хотя"}).intersection(words) or {"а", "но", "и", "или"}.intersection(words):
        return
    clause = sentence.clause(place)
    before = [sentence.word(i) for i in clause if i < place]
    if any(_is_partial(word) for word in words) or any(sure(word, "NUMR", least=0.5) for word in before):
        return
    for i in clause:
        genitive = any(p.tag.case in ("gent", "gen2") for p in readings(sentence.word(i)) if p.tag.POS != "PREP")
        if i > place + 1 and genitive and "gent" not in PREPOSITIONS.get(sentence.word(i - 1), ""):
            return  # it may stand in the genitive because of the negation
    yield replaced(sentence, {place: ""}), "не", ""


def swap_permission(text: str) -> Changes:
    """Можно becomes нельзя before an infinitive, and the other way round."""
    sentence = Sentence(text)
    other = {"можно": "нельзя", "нельзя": "можно"}
    if text.rstrip().endswith("?") or {"не", "ли", "было", "бы", "лишь", "только"} & {
        token.word for token in sentence.tokens
    }:
        return
    for place, token in enumerate(sentence.tokens):
        if token.word in other and sure(sentence.word(place + 1), "INFN"):
            yield replaced(sentence, {place: other[token.word]}), token.text, other[token.word]


# Numbers

_FEW = ("два", "три", "четыре")
_MANY = ("пять", "шесть", "семь", "восемь", "девять", "десять", "одиннадцать", "двенадцать", "пятнадцать", "двадцать")
_ORDINALS = ("первый", "второй", "третий", "четвёртый", "пятый", "шестой", "седьмой", "восьмой", "девятый", "десятый")


def _agreement(number: int) -> int:
    """How a noun agrees with a number: 1 as with один, 2 as with два, 5 as with пять."""
    if number % 100 in range(11, 15):
        return 5
    return 1 if number % 10 == 1 else 2 if number % 10 in (2, 3, 4) else 5


def other_digits(text: str) -> Changes:
    """A whole number becomes another one of as many digits, with which the noun agrees as before."""
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        if not token.text.isdigit() or len(token.text) > 6 or token.text[0] == "0" or _is_year(sentence, place):
            continue
        if re.search(r"\w\($", text[: token.start]):  # a page of a manual
            continue
        joined = text[max(0, token.start - 1) : token.start] + text[token.end : token.end + 1]
        if re.search(
            r"[\w/№#.:+*=^~@_-]", joined.replace(".", "", joined.endswith(".") and token.end + 1 >= len(text))
        ):
            continue
        if any(len(sentence.word(k)) == 3 and sentence.word(k).isdigit() for k in (place, place + 1)) and any(
            sentence.word(k).isdigit() for k in (place - 1, place + 1)
        ):
            continue  # groups of three digits of one number
        number, size = int(token.text), len(token.text)
        pool = {*range(10 ** (size - 1), 10**size, 10 ** max(0, size - 2)), *(number + k for k in range(-40, 41, 10))}
        fitting = [n for n in sorted(pool) if n > 1 and n != number and _agreement(n) == _agreement(number)]
        fitting = [21, 31] if number == 1 else [n for n in fitting if len(str(n)) == size]
        if lemma_readings(sentence.word(place + 1), TIMES[0], ("NOUN",)):  # a date
            fitting = [n for n in range(10 if size == 2 else 1, 29 if size == 2 else 10) if n != number] * (number < 32)
        if fitting:
            new = choose_option([str(n) for n in fitting], f"{text}\0{place}")
            yield replaced(sentence, {place: new}), token.text, new


def _is_year(sentence: Sentence, place: int) -> bool:
    behind = sentence.word(place + 1)
    year = behind.startswith("год") or behind == "г"
    return len(sentence.word(place)) == 4 and year and sentence.word(place)[:2] in ("18", "19", "20")


def other_numerals(text: str) -> Changes:
    """A number in words becomes another one with which the noun agrees as before."""
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        found = lemma_readings(token.word, (*_FEW, *_MANY), ("NUMR",))
        around = [sentence.word(place - 1), sentence.word(place + 1)]
        if not found or any(sure(word, "NUMR") or word.isdigit() or word == "с" for word in around[1:]):
            continue
        compound = any(parse.tag.POS == "NUMR" for parse in readings(around[0]))
        if compound or around[0].isdigit() or len({p.normal_form for p in found}) > 1:
            continue
        own = found[0].normal_form
        options = [n for n in (_FEW[1:] if own in _FEW else _MANY) if n != own]
        behind = readings(around[1])
        if any("Pltm" in parse.tag for parse in behind):  # двое суток, четверо ножниц
            continue
        new = choose_option(options, f"{text}\0{place}")
        forms = {_numeral(new, parse) for parse in found}
        if len(forms) == 1 and (form := forms.pop()) and form != token.word and fits_preposition(around[0], form):
            yield replaced(sentence, {place: form}), token.text, form


def _numeral(lemma: str, like: Any) -> str | None:
    """The form of a number in the case of another; the accusative of few animate ones is their genitive."""
    start = next((p for p in readings(lemma) if p.tag.POS == "NUMR" and p.normal_form == lemma), None)
    if start is None:
        return None
    case = str(like.tag.case)
    if case == "accs":
        case = "gent" if "anim" in like.tag else "nomn"
        if like.normal_form in _MANY:
            case = "nomn"
    form = start.inflect({case})
    return form.word if form else None


def other_ordinals(text: str) -> Changes:
    """An ordinal becomes another one in the same form."""
    following = {one: other for one, other in zip(_ORDINALS, (*_ORDINALS[2:], "первый", "третий"), strict=True)}
    found = {word.replace("ё", "е"): other for word, other in following.items()} | following

    def counted(sentence: Sentence, place: int) -> bool:
        behind = {parse.normal_form for parse in readings(sentence.word(place + 1))}
        return plain_quality(sentence, place) and not behind & SAYINGS

    yield from swapped_words(text, found, ("ADJF",), counted, grammeme="ADJF")


#: Nouns before which an ordinal counts nothing: first aid, at first sight, in the first place.
SAYINGS = set(
    "очередь помощь взгляд время половина рука пора мировой раз встречный попавшийся лицо сорт план скрипка".split()
)


# Names


def _other_names(text: str, group: tuple[str, ...], grammeme: str, gender: str) -> Changes:
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        if not token.text[0].isupper() or token.text.isupper() or _is_hyphenated(sentence, place):
            continue
        found = [p for p in sure(token.word, grammeme, gender) if grammeme != "Geox" or p.normal_form in group]
        lemmas = {parse.normal_form for parse in found}
        if not found or lemmas & {name for name in lemmas if len(name) < 2}:
            continue
        before = sentence.word(place - 1)
        cases = _cases_of(before)
        found = [p for p in found if p.tag.case in cases and p.tag.number == "sing"]
        options = [name for name in group if name not in lemmas and "ё" not in name]
        options = [(name, form_for(name, grammeme, found, gender)) for name in options] if found else []
        said = {each.word for each in sentence.tokens}
        fitting = [form for _, form in options if form and form not in said and fits_preposition(before, form)]
        if before == "на" and grammeme == "Geox":
            continue
        if fitting:
            new = choose_option(fitting, f"{text}\0{place}")
            yield replaced(sentence, {place: new}), token.text, new[0].upper() + new[1:]


def _cases_of(preposition: str) -> set[str]:
    return set(PREPOSITIONS.get(preposition, "nomn gent datv accs ablt loct").split())


def _is_hyphenated(sentence: Sentence, place: int) -> bool:
    token = sentence.tokens[place]
    return "-" in token.text or sentence.text[token.end : token.end + 1] == "-"


def other_given_names(text: str) -> Changes:
    """A given name becomes another one of the same gender, in the same case."""
    for gender, group in NAMES.items():
        yield from _other_names(text, group, "Name", gender)


def other_surnames(text: str) -> Changes:
    """A surname becomes another one of the same gender, in the same case."""
    for gender in ("masc", "femn"):
        yield from _other_names(text, SURNAMES, "Surn", gender)


def other_places(text: str) -> Changes:
    """A city becomes another city and a country another country, of the same gender and in the same case."""
    for (_, gender), group in PLACES.items():
        yield from _other_names(text, group, "Geox", gender)


# Time and quantity


def other_times(text: str) -> Changes:
    """A month or a weekday becomes another one in the same form."""
    for group in TIMES:
        for one in group:
            sentence = Sentence(text)
            for place, token in enumerate(sentence.tokens):
                found = lemma_readings(token.word, (one,), ("NOUN",))
                before = sentence.word(place - 1)
                if not found or token.text[0].isupper() and place > 0:
                    continue
                options = [o for o in group if o != one and o != "вторник"]
                new = form_for(choose_option(options, f"{text}\0{place}"), "NOUN", found)
                swap = {place: new} | ({place - 1: "в"} if before == "во" else {})
                if new and new != token.word and fits_preposition("в" if before == "во" else before, new):
                    yield replaced(sentence, swap), token.text, new


def other_years(text: str) -> Changes:
    """A year of four digits becomes another one of the same century."""
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        if token.text.isdigit() and _is_year(sentence, place):
            years = [
                str(int(token.text) + k) for k in (-13, -7, -4, 5, 8) if str(int(token.text) + k)[:2] == token.text[:2]
            ]
            new = choose_option(years, f"{text}\0{place}")
            yield replaced(sentence, {place: new}), token.text, new


#: Nouns by which something is earlier or later; elsewhere earlier says formerly, and later then.
MEASURES = set("секунда минута час день неделя месяц год век сутки".split())
#: Nouns before or after which something happens.
EVENTS = set(
    "обед ужин завтрак война урок работа школа концерт встреча праздник свадьба операция выборы запуск "
    "установка полночь полдень революция экзамен занятие лекция совещание матч спектакль каникулы перерыв "
    "закрытие открытие".split()
)


def other_order(text: str) -> Changes:
    """After becomes before and before becomes after, of events that have a time; sooner becomes later."""

    def between_events(sentence: Sentence, place: int) -> bool:
        words = {token.word for token in sentence.tokens}
        lemmas = {p.normal_form for p in readings(sentence.word(place + 1))}
        ranged = sentence.word(place) == "до" and words & {"от", "с", "со"}
        return bool(lemmas & EVENTS) and not ranged

    yield from exact_words(text, {"до": "после", "после": "до"}, between_events)
    yield from exact_words(text, both_ways("рано–поздно"), not_opening)

    def compared(sentence: Sentence, place: int) -> bool:
        before, behind = sentence.word(place - 1), sentence.word(place + 1)
        by_how_much = {p.normal_form for p in readings(before)} & MEASURES
        than = (behind == "," and sentence.word(place + 2) == "чем") or bool(sure(behind, "NOUN", "gent", least=0.5))
        return before not in GRADES and bool(by_how_much or than)

    yield from exact_words(text, both_ways("раньше–позже"), compared)

    def seasonal(sentence: Sentence, place: int) -> bool:
        before, behind = sentence.word(place - 1), sentence.word(place + 1)
        adjective = bool(sure(before, "ADJF", least=0.5)) or before in PREPOSITIONS
        return not adjective and not any(p.tag.case == "gent" and p.score > 0.5 for p in readings(behind))

    yield from exact_words(text, both_ways("утром–вечером днём–ночью зимой–летом весной–осенью"), seasonal)


def other_quantities(text: str) -> Changes:
    """Much becomes little, all become some, often becomes seldom; the most becomes the least."""

    def whole(sentence: Sentence, place: int) -> bool:
        other = {p.normal_form for p in readings(sentence.word(place - 1))} & {
            "другой",
            "второй",
            "первый",
            "один",
            "из",
        }
        return not other and plain_quality(sentence, place)

    yield from swapped_words(text, QUANTITIES, ("NOUN",), whole)
    yield from swapped_words(text, QUANTITY_ADJECTIVES, ("ADJF",), whole)

    def counted(sentence: Sentence, place: int) -> bool:
        wood = sentence.word(place) in ("чаще", "реже") and bool(sure(sentence.word(place - 1), "ADJF", least=0.5))
        return sentence.word(place - 1) not in GRADES and not wood and sentence.word(place + 1) != "воды"

    yield from exact_words(text, QUANTITY_ADVERBS, counted)

    def more(sentence: Sentence, place: int) -> bool:
        behind = sentence.word(place + 1)
        genitive = behind.isdigit() or any(
            p.tag.case == "gent" and p.tag.POS in ("NOUN", "NUMR") for p in readings(behind)
        )
        clause = {sentence.word(i) for i in sentence.clause(place)}
        return genitive and not {"не", "нет", "ни"} & clause and sentence.word(place - 1) not in ("как", "чем")

    yield from exact_words(text, {"больше": "меньше", "меньше": "больше", "более": "менее", "менее": "более"}, more)
    yield from _some_of_all(text)
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        if (
            token.word == "всегда"
            and sentence.word(place - 1) not in GRADES
            and "не" not in sentence.text.lower().split()
        ):
            yield replaced(sentence, {place: "иногда"}), token.text, "иногда"


def _some_of_all(text: str) -> Changes:
    """All before a noun in the plural becomes some, in its case."""
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        found = [p for p in readings(token.word) if p.normal_form == "весь" and p.tag.number == "plur"]
        if not found or sentence.word(place - 1) in {*GRADES, "во", "ко", "со", "обо", "за"}:
            continue
        if not sure(sentence.word(place + 1), "NOUN", "plur", least=0.5):
            continue
        found = agreeing(sentence, place, found)
        new = form_for("некоторый", "ADJF", found) if found else None
        if new:
            yield replaced(sentence, {place: new}), token.text, new


def other_units(text: str) -> Changes:
    """A unit behind a number becomes another one of the same gender."""
    sentence = Sentence(text)
    for group in UNITS:
        for place, token in enumerate(sentence.tokens):
            before = sentence.word(place - 1)
            if not (before.isdigit() or sure(before, "NUMR")):
                continue
            found = lemma_readings(token.word, group, ("NOUN",))
            own = {parse.normal_form for parse in found}
            if len(own) != 1:
                continue
            if before.isdigit():  # the number says which of the forms that look alike it is
                found = _counted(int(before), found)
            new = (
                form_for(choose_option([u for u in group if u not in own], f"{text}\0{place}"), "NOUN", found)
                if found
                else None
            )
            if new and new != token.word:
                yield replaced(sentence, {place: new}), token.text, new


def _counted(number: int, found: list[Any]) -> list[Any]:
    """Readings of a noun that can stand behind a number that is not declined."""
    agreement = _agreement(number)
    if agreement == 1:
        return [p for p in found if p.tag.number == "sing" and p.tag.case in ("nomn", "accs")]
    number_of = "sing" if agreement == 2 else "plur"
    return [p for p in found if p.tag.number == number_of and p.tag.case == "gent"]


# Synonyms


def synonyms(text: str) -> Changes:
    """A word becomes one of the same sense in the same form."""

    def fits(sentence: Sentence, place: int) -> bool:
        lemmas = {parse.normal_form for parse in readings(sentence.word(place))}
        near = {p.normal_form for i in range(place + 1, place + 4) for p in readings(sentence.word(i))}
        return all(near & nouns for lemma, nouns in SYNONYMS_OF.items() if lemma in lemmas)

    def of_things(sentence: Sentence, place: int) -> bool:
        behind = sentence.word(place + 1)
        living = any("anim" in parse.tag for parse in readings(behind))
        return not living and behind != "от" and fits(sentence, place) and plain_quality(sentence, place)

    def acted(sentence: Sentence, place: int) -> bool:
        found = readings(sentence.word(place))
        lemmas = {parse.normal_form for parse in found}
        if sentence.word(place) == "см" or any("impr" in p.tag for p in found) and lemmas & {"смотреть", "посмотреть"}:
            return False  # see also
        return sentence.word(place - 1) != "не" and fits(sentence, place)

    def graded(sentence: Sentence, place: int) -> bool:
        degree = sentence.word(place - 1) in ("очень", "весьма", "слишком") or sentence.word(place + 1) == "же"
        return not degree and not_opening(sentence, place)

    yield from swapped_words(text, SYNONYMS["ADJF"], ("ADJF",), of_things)
    yield from swapped_words(text, SYNONYMS["NOUN"], ("NOUN",), plain_quality)
    yield from swapped_words(text, SYNONYMS["VERB"], ("VERB", "INFN"), acted)
    yield from exact_words(text, SYNONYMS["ADVB"], graded)


#: Rules by what they change.
RULES: dict[str, list[Callable[[str], Changes]]] = {
    "negation": [add_negation, remove_negation, swap_permission],
    "roles": [swap_roles, swap_compared, swap_ways],
    "numbers": [other_digits, other_numerals, other_ordinals],
    "names": [other_given_names, other_surnames, other_places],
    "antonyms": [antonym_verbs, antonym_adjectives, antonym_nouns, antonym_adverbs],
    "time": [other_times, other_years, other_order],
    "quantity": [other_quantities, other_units],
    "clause order": [move_clause, swap_joined],
    "synonyms": [synonyms],
}
