"""Kinds of pairs, and pairs that are refused and counted."""

import pandas as pd
import pytest

from helpers.pairs import HEURISTICS, PUBLISHED_SETS, EvaluationTexts, check_pairs, heuristics_table

GOOD = ("Как открыть файл?", "Выберите пункт «Открыть» в меню.")


def checked(*sides, kind="question", **options):
    return check_pairs([("help", kind, *both, "page") for both in sides], **options)


@pytest.mark.parametrize(
    "sides, reason",
    [
        (("Файл", " "), "empty side"),
        (("— !", "Файл"), "empty side"),
        (("Файл открыт", "файл  открыт."), "same text on both sides"),
        (("Файл открыт", "The file is open"), "other language"),
        (("Відкрийте файл", "Файл открыт"), "other language"),
        (("Файл открыт", "РћС‚РєСЂРѕР№С‚Рµ С„Р°Р№Р»"), "broken encoding"),
        (("Файл открыт", "файл \ufffd\ufffd"), "broken encoding"),
        (GOOD, "said before"),
        (("погода в Москве завтра", "Дождь."), "same as an evaluation text"),
        (("Дождь.", "А какая погода в Москве завтра"), "near an evaluation text"),
    ],
)
def test_a_pair_that_cannot_be_trained_on_is_refused_and_counted(sides, reason):
    pairs, refused = checked(
        GOOD, sides, asked=EvaluationTexts(["Погода в Москве завтра", "Какая погода в Москве завтра"])
    )
    assert pairs[["left", "right"]].values.tolist() == [list(GOOD)]
    assert refused[reason] == 1 and refused.sum() == 1


def test_numbers_tell_two_sides_apart():
    pairs, _ = checked(("Глава 5", "Глава 6"), kind="paraphrase")
    assert len(pairs) == 1


def test_a_symmetric_pair_turned_round_is_the_same_pair():
    there, back = ("Мужчина поёт", "Человек поёт песню"), ("Человек поёт песню", "Мужчина поёт")
    assert len(checked(there, back, kind="paraphrase")[0]) == 1
    assert len(checked(there, back, kind="title")[0]) == 2


def test_the_right_side_of_a_translation_is_english():
    pairs, refused = checked(("Файл открыт", "The file is open"), ("Файл открыт", "Файл закрыт"), kind="translation")
    assert len(pairs) == 1 and refused["other language"] == 1


def test_sides_of_a_dictionary_may_be_single_letters_and_words():
    assert len(checked(("а", "первая буква алфавита"), kind="definition")[0]) == 1


def test_an_unknown_kind_or_language_is_refused():
    with pytest.raises(ValueError, match="row 0: kind is 'nothing'; it is one of 'title'"):
        checked(GOOD, kind="nothing")
    with pytest.raises(ValueError, match="language is 'xx'"):
        checked(GOOD, language="xx")


@pytest.mark.parametrize(
    "row, says",
    [
        (("help", "title", "Вид", 5, ""), "row 1: right is 5, no text"),
        (("help", "title", float("nan"), "Вид окна", ""), "row 1: left is nan, no text"),
        (("help", "title", b"a", "Вид окна", ""), "row 1: left is b'a', no text"),
        (("Вид", "Что видно в окне."), r"row 1: \('Вид', 'Что видно в окне.'\) has not the entries source, kind"),
        ("title", "row 1: 'title' has not the entries source, kind"),
        (("help", "title", None, "Вид окна", ""), ""),
    ],
)
def test_a_row_that_is_no_pair_is_named_and_a_missing_side_is_counted(row, says):
    rows = [("help", "title", *GOOD, ""), row]
    if says:
        with pytest.raises(ValueError, match=says):
            check_pairs(rows)
    else:
        assert check_pairs(rows)[1]["empty side"] == 1


def test_the_table_counts_pairs_and_the_published_sets_add_up():
    table = heuristics_table(pd.DataFrame({"kind": ["title", "title", "synonym"]}))
    assert table.loc[["title", "synonym", "query"], "pairs"].tolist() == [2, 1, 0]
    assert {kind for _, kind, _ in PUBLISHED_SETS} <= set(HEURISTICS)
    assert table["published"].sum() == sum(n for *_, n in PUBLISHED_SETS) and len(PUBLISHED_SETS) == 25
