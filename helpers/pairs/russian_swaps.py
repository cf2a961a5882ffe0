"""Words of Russian sentences that become other ones in the same form, and places where they must not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from helpers.pairs.morphology import (
    Sentence,
    agreeing,
    fits_preposition,
    form_for,
    lemma_readings,
    readings,
    replaced,
    sure,
)

__all__ = ["GRADES", "exact_words", "not_opening", "plain_quality", "swapped_words"]

Changes = Iterator[tuple[str, str, str]]


def swapped_words(
    text: str,
    others: Mapping[str, str],
    parts: tuple[str, ...],
    allowed: Any = lambda sentence, place: True,
    grammeme: str = "",
) -> Changes:
    """Each word whose dictionary form is known becomes the form of the other word that its place asks for."""
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        found = lemma_readings(token.word, others, parts)
        if not found or not allowed(sentence, place) or len({parse.normal_form for parse in found}) > 1:
            continue
        if any(g in parse.tag for parse in found for g in ("Supr", "Cmp2")):
            continue
        if "ADJF" in parts:
            found = agreeing(sentence, place, found)
        if not found:
            continue
        part = grammeme or ("INFN" if found[0].tag.POS in ("VERB", "PRTS", "GRND", "INFN") else found[0].tag.POS)
        form = form_for(others[found[0].normal_form], part, found)
        if form in {other.word for other in sentence.tokens}:  # it would be said twice
            continue
        if form and fits_preposition(sentence.word(place - 1), form):
            yield replaced(sentence, {place: form}), token.text, form


def exact_words(text: str, others: Mapping[str, str], allowed: Any = lambda sentence, place: True) -> Changes:
    """Each word that has one form only becomes the other one."""
    sentence = Sentence(text)
    for place, token in enumerate(sentence.tokens):
        other = others.get(token.word) or others.get(token.word.replace("е", "ё"))
        said = {each.word.replace("ё", "е") for each in sentence.tokens}
        if other and other.replace("ё", "е") not in said and allowed(sentence, place):
            yield replaced(sentence, {place: other}), token.text, other


def plain_quality(sentence: Sentence, place: int) -> bool:
    """Not part of a name, nor compared, nor graded in a way that its opposite is not."""
    token = sentence.tokens[place]
    capital = token.text[0].isupper() and place > 0 and sentence.word(place - 1) not in (".", "!", "?", "«", '"')
    before = sentence.word(place - 1)
    behind = sentence.word(place + 1)
    graded = before in ("не", "самый", "самая", "самое", "самые", "так", "ни")
    named = place + 1 < len(sentence.tokens) and sentence.tokens[place + 1].text[0].isupper()
    lemmas = {parse.normal_form for parse in readings(token.word)}
    if lemmas & OF_THINGS and sure(behind, "anim", least=0.3):
        return False
    if {parse.normal_form for parse in readings(behind)} & YOUNG and lemmas & {"молодой", "пожилой"}:
        return False
    near = [sentence.word(k) for k in range(max(0, place - 3), place + 4) if k != place]
    if "друг" in lemmas and any(word.startswith("друг") for word in near):  # each other
        return False
    return not capital and not named and not graded and behind != "-"


YOUNG = set("девушка юноша парень мальчик девочка человек поколение".split())
#: Adjectives whose opposite is another one where people or animals are meant.
OF_THINGS = set(
    "старый новый полный пустой открытый закрытый лёгкий тяжёлый сухой мокрый светлый тёмный дорогой "
    "дешёвый глубокий мелкий острый тупой тёплый холодный мягкий твёрдый низкий прямой общий частный "
    "чистый правый левый живой тонкий сложный".split()
)


def not_opening(sentence: Sentence, place: int) -> bool:
    """An adverb within a clause, not a word of its own before a comma, and not negated."""
    alone = sentence.word(place + 1) in (",", "!") and (place == 0 or sentence.word(place - 1) in ",.!?")
    before, behind = sentence.word(place - 1), sentence.word(place + 1)
    return not alone and before not in GRADES and behind not in ("от", "к", "ко", "с", "со", ",")


#: Words that grade another one in a way that not every other word can be graded in.
GRADES = set("не как так ни почти практически уж слишком довольно достаточно сколь настолько столь".split())
