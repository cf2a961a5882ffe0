"""Rules that turn a Russian word into its opposite, where what stands beside it says that this sense is meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from helpers.pairs.morphology import PREPOSITIONS, Sentence, is_finite, readings, sure
from helpers.pairs.russian_senses import ADVERBS_WITH, MAKING, NEVER_OF, ONLY_OF, VERBS_OF, WILLED
from helpers.pairs.russian_swaps import exact_words, not_opening, plain_quality, swapped_words
from helpers.pairs.russian_words import ADJECTIVES, ADVERBS, COMPARATIVES, NOUNS, VERBS

__all__ = ["antonym_adjectives", "antonym_adverbs", "antonym_nouns", "antonym_verbs"]

Changes = Iterator[tuple[str, str, str]]

LIKELY = 0.1
"""Share of the readings of a word below which a reading does not count."""


def _lemmas(word: str, *grammemes: str) -> set[str]:
    """Dictionary forms of the likely readings of a word that have all of these grammemes."""
    return {p.normal_form for p in readings(word) if p.score >= LIKELY and all(g in p.tag for g in grammemes)}


# Adjectives

#: Words that grade a quality as they grade its opposite.
DEGREES = set("очень весьма слишком более менее столь такой такая такое такие очень-очень".split())
#: Words before which or behind which an adjective stands for itself, or is no statement.
ALONE = set("всего что чего чем ничего нечто этого как под в во".split())


def _noun_behind(sentence: Sentence, place: int) -> tuple[int, set[str]]:
    """The noun behind an adjective, with other adjectives between: its place and dictionary forms."""
    behind = place + 1
    while behind < len(sentence.tokens) and sure(sentence.word(behind), "ADJF", least=0.5):
        behind += 1
    return behind, _lemmas(sentence.word(behind), "NOUN")


def _own_sense(sentence: Sentence, place: int) -> bool:
    """Whether an adjective has the sense of which the rules know the opposite."""
    word, before = sentence.word(place), sentence.word(place - 1)
    lemmas = _lemmas(word, "ADJF")
    behind, nouns = _noun_behind(sentence, place)
    for lemma in lemmas:
        if lemma in ONLY_OF and not nouns & ONLY_OF[lemma] or nouns & NEVER_OF.get(lemma, frozenset()):
            return False
    if "самый" in _lemmas(before) or before in ALONE - {"чем", "в", "во", "под", "как"}:
        return False
    if before not in DEGREES and sure(before, "ADVB", least=0.5):
        return False  # widely known, well readable
    if not nouns and (sentence.word(place + 1) in ALONE or sure(sentence.word(place + 1), "ablt", least=0.5)):
        return False  # known as, rich in
    if lemmas & {"новый"} and any(_lemmas(sentence.word(i)) & MAKING for i in sentence.clause(place)):
        return False
    helper = lemmas & {"правый", "левый"} and "рука" in nouns and sure(sentence.word(behind), "ablt", least=0.5)
    return not (helper and sure(sentence.word(behind + 1), "gent", least=0.3))


def antonym_adjectives(text: str) -> Changes:
    """An adjective becomes its opposite."""

    def allowed(sentence: Sentence, place: int) -> bool:
        return plain_quality(sentence, place) and _own_sense(sentence, place)

    yield from swapped_words(text, ADJECTIVES, ("ADJF",), allowed)


# Verbs

_ALLOWING = {"разрешить", "разрешать", "запретить", "запрещать"}
_WINNING = {"выиграть", "проиграть", "выигрывать", "проигрывать"}
_BEGINNING = {"начать", "начинать", "закончить", "заканчивать"}
_RISING = {"подняться", "подниматься", "опуститься", "опускаться"}
_COMING = {"приехать", "уехать", "приезжать", "уезжать", "прийти", "уйти", "приходить", "уходить"}
_HITHER = set(
    "к ко сюда туда домой куда откуда в во на за до по под от ото из-под вперёд вперед назад обратно прочь".split()
)
#: What a verb must not have in its clause.
NEVER_IN_CLAUSE: tuple[tuple[set[str], set[str]], ...] = (
    ({"включить", "включать"}, {"в", "во", "на", "за", "к", "из", "себя"}),
    ({"открыть", "открывать", "закрыть", "закрывать", "открыться", "закрыться"}, {"для", "перед"}),
    ({"поднять", "поднимать", "опустить", "опускать"}, {"над", "на", "из", "с", "со", "до", "в", "во"}),
    (_RISING, {"в", "во", "из", "с", "со", "до", "на", "по"}),
    (_BEGINNING, {"с", "со", "на"}),
    ({"начаться", "начинаться", "закончиться", "заканчиваться"}, {"с", "со", "на", "в", "за", "у"}),
    (_COMING, _HITHER),
    ({"наполнить", "опустошить", "улучшить", "улучшать"}, {"до"}),
)


def _nouns(sentence: Sentence, places: Iterable[int]) -> list[set[str]]:
    """Dictionary forms of the nouns at some places, without those behind a preposition."""
    found = []
    for place in places:
        nouns = _lemmas(sentence.word(place), "NOUN")
        if not nouns or sentence.word(place) in PREPOSITIONS or is_finite(sentence.word(place)):
            continue
        first = place - 1
        while first >= 0 and sure(sentence.word(first), "ADJF", least=0.5):
            first -= 1
        if sentence.word(first) not in PREPOSITIONS:
            found.append(nouns)
    return found


def _has_company(sentence: Sentence, place: int, lemmas: set[str]) -> bool:
    """Whether the object of a verb, or its subject where it has none, is one that its opposite has too."""
    wanted = [VERBS_OF[lemma] for lemma in lemmas if lemma in VERBS_OF]
    if not wanted:
        return True
    clause = sentence.clause(place)
    behind = _nouns(sentence, (i for i in clause if i > place))[:1]
    before = _nouns(sentence, (i for i in reversed(clause) if i < place))[:1]
    of_subject = any(lemma.endswith("ся") for lemma in lemmas) or sure(sentence.word(place), "PRTS", least=0.5)
    beside = behind + before if of_subject else behind or before
    return any(nouns & listed for nouns in beside for listed in wanted)


def _comes_or_goes(sentence: Sentence, place: int) -> bool:
    """Whether somebody comes or goes, and is told to or does it, not from or to anywhere."""
    if sure(sentence.word(place), "INFN", least=0.5):
        return False
    if sure(sentence.word(place), "impr", least=0.5):
        return True
    words = [sentence.word(i) for i in sentence.clause(place) if i != place]
    someone = {"я", "ты", "он", "она", "мы", "вы", "они", "кто"}
    return any(word in someone or sure(word, "NOUN", "anim", "nomn", least=0.5) for word in words)


def _governs_alike(sentence: Sentence, place: int) -> bool:
    """Whether a verb has beside it what its opposite can have too, and what says that this sense is meant."""
    before = sentence.word(place - 1)
    if before == "не" and sentence.word(place - 2) in ("чуть", "пока"):
        return False
    lemmas = {parse.normal_form for parse in readings(sentence.word(place))}
    clause = [sentence.word(i) for i in sentence.clause(place)]
    behind = [sentence.word(i) for i in sentence.clause(place) if i > place]
    if any(lemmas & verbs and never & set(clause) for verbs, never in NEVER_IN_CLAUSE):
        return False
    infinitive = bool(behind) and bool(sure(behind[0], "INFN"))
    if lemmas & _ALLOWING:
        return any(sure(word, "INFN") for word in behind[:2])
    if lemmas & _WINNING:
        return not {"у", "в", "на", "во"} & set(behind) and not any(sure(word, "datv") for word in behind)
    if lemmas & _BEGINNING and infinitive:
        return bool(sure(behind[0], "impf")) and bool(_lemmas(behind[0]) & WILLED)
    if lemmas & _COMING:
        return not infinitive and _comes_or_goes(sentence, place)
    if lemmas & {"любить", "ненавидеть"} and before in ("не", "бы"):
        return False
    if lemmas & {"включить", "включать"} and sure(sentence.word(place), "impr", least=0.5):
        if not _nouns(sentence, (i for i in sentence.clause(place) if i > place)):
            return True  # turn it on
    if lemmas & {"наполнить", "начаться", "начинаться", "закончиться", "заканчиваться"}:
        if any(sure(word, "NOUN", "ablt", least=0.5) for word in behind):
            return False  # filled with something, ends in something
    return not {"над", "от"} & set(behind) and _has_company(sentence, place, lemmas)


def antonym_verbs(text: str) -> Changes:
    """A verb becomes its opposite, in the same aspect, tense, person and number."""
    yield from swapped_words(text, VERBS, ("VERB", "INFN", "GRND", "PRTS"), _governs_alike)


# Nouns

_RAISING = {"гора", "холм", "лестница", "склон", "вершина", "тропа", "перевал"}
_REACHING = {"достигать", "достигнуть", "достичь", "достижение", "добиться", "добиваться", "желать", "пожелать"}


def _is_address(sentence: Sentence, place: int) -> bool:
    """Whether a noun with nothing but my, dear and the like stands between signs: somebody is spoken to."""
    places = sentence.clause(place)
    others = [sentence.word(i) for i in places if i != place]
    return len(others) <= 2 and all(sure(word, "ADJF", least=0.5) or word in ADDRESSED for word in others)


ADDRESSED = {"мой", "моя", "мои", "наш", "наши", "о", "ах", "эй", "ну", "да", "и"}


def _plain_noun(sentence: Sentence, place: int) -> bool:
    lemmas = _lemmas(sentence.word(place), "NOUN")
    if not plain_quality(sentence, place) or _is_address(sentence, place):
        return False
    if {"мой", "мои", "моя"} & {sentence.word(place + 1)}:  # my friend, as one speaks to somebody
        return False
    if lemmas & {"подъём", "спуск"}:
        return any(_lemmas(token.word) & _RAISING for token in sentence.tokens)
    if lemmas & {"импорт", "экспорт"} and {"в", "во", "из"} & {sentence.word(i) for i in sentence.clause(place)}:
        return False
    if lemmas & {"радость", "печаль"} and sentence.word(place - 1) in ("с", "со"):
        return False  # gladly
    if lemmas & {"успех", "провал"}:
        near = set().union(*(_lemmas(sentence.word(i)) for i in sentence.clause(place)))
        return bool(sure(sentence.word(place), "sing", least=0.5)) and not near & (_REACHING | {"память", "время"})
    return True


def antonym_nouns(text: str) -> Changes:
    """A noun becomes its opposite of the same gender."""
    yield from swapped_words(text, NOUNS, ("NOUN",), _plain_noun)


# Adverbs


def _plain_adverb(sentence: Sentence, place: int) -> bool:
    """Whether an adverb says how, or where, something is, and not what is put or left there."""
    word = sentence.word(place).replace("ё", "е")
    near = [sentence.word(i) for i in sentence.clause(place) if 0 < abs(i - place) <= 2]
    beside: set[str] = set().union(*(_lemmas(other) for other in near))
    if not not_opening(sentence, place):
        return False
    listed = ADVERBS_WITH.get(word, ADVERBS_WITH.get(sentence.word(place)))
    if listed is not None and not beside & listed:
        return False
    if word in ("сверху", "снизу", "слева", "справа") and ONWARDS & set(near):
        return False
    if word in ONWARDS and {"слева", "справа", "сверху", "снизу"} & set(near):
        return False
    if word in ("впереди", "позади") and beside & {"оставить", "оставлять", "оставаться", "остаться"}:
        return False
    if word in ("внутри", "снаружи") and sure(sentence.word(place + 1), "gent", least=0.3):
        return bool(_lemmas(sentence.word(place + 1), "NOUN") & HOLLOW)
    return not (word in ("хорошо", "плохо") and beside & {"лежать", "бы"})


#: With which an adverb of place says a direction: from left to right.
ONWARDS = {"вниз", "вверх", "донизу", "доверху", "налево", "направо"}
#: What has an inside and an outside where one can be.
HOLLOW = set(
    "дом здание комната коробка машина ящик помещение корпус палатка пещера башня замок автомобиль вагон контейнер "
    "крепость клетка лодка круг зона область контур рамка граница".split()
)


def antonym_adverbs(text: str) -> Changes:
    """An adverb or a comparative becomes its opposite."""
    yield from exact_words(text, ADVERBS, _plain_adverb)

    def compares(sentence: Sentence, place: int) -> bool:
        before = sentence.word(place - 1)
        return before not in ("не", "как", "как-нибудь", "всё", "тем", "чем") and _is_comparative(sentence, place)

    yield from exact_words(text, COMPARATIVES, compares)


def _is_comparative(sentence: Sentence, place: int) -> bool:
    """Whether a comparative stands before what something is compared with; elsewhere it may be an adverb of place."""
    behind = sentence.word(place + 1)
    if behind == ",":
        return sentence.word(place + 2) == "чем"
    if len(behind) < 2 or behind in PREPOSITIONS or {"редька", "голова"} & _lemmas(behind):
        return False
    clause = [sentence.word(i) for i in sentence.clause(place) if i > place]
    if sentence.word(place) in ("лучше", "хуже") and any(sure(word, "INFN", least=0.5) for word in clause):
        return False  # had better
    likely = [p for p in readings(behind) if p.score >= LIKELY]
    return any(p.tag.POS in ("NOUN", "NPRO") and p.tag.case == "gent" for p in likely)
