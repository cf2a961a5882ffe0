"""Texts changed on purpose: labelled, distinct, the same every time."""

import re
from pathlib import Path

import pandas as pd
import pytest

from helpers.pairs import (
    CHANGES,
    changes,
    check_made_pairs,
    hard_negatives,
    made_pairs,
    make_changes,
    rewordings,
)

TEXT = "Когда пошёл дождь, Анна закрыла 3 окна в новом доме."


def test_every_change_is_labelled_with_what_was_replaced():
    found = make_changes(TEXT)
    assert {change.kind for change in found} >= {"negation", "names", "numbers", "antonyms", "clause order"}
    for change in found:
        assert change.kind in CHANGES and change.text != TEXT and (change.before or change.after)
        assert change.positive == CHANGES[change.kind][0]
    assert len({change.text for change in found}) == len(found)


def test_negatives_and_rewordings_are_all_changes():
    assert [*hard_negatives(TEXT), *rewordings(TEXT)] == make_changes(TEXT)
    assert make_changes(TEXT) == make_changes(TEXT)


def test_kinds_can_be_chosen():
    assert {change.kind for change in make_changes(TEXT, kinds=["names", "numbers"])} == {"names", "numbers"}
    assert make_changes(TEXT, kinds="names") == [change for change in make_changes(TEXT) if change.kind == "names"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((TEXT, "de"), "language is 'de'; rules are known for 'ru', 'en'"),
        ((TEXT, "ru", "spelling"), "kinds has 'spelling'; there are 'negation'"),
        ((" ",), "text is blank"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_changes(*arguments)


def test_a_table_has_so_many_changes_of_each_kind_and_counts_what_is_left():
    texts = [TEXT, "Да.", "Мама и папа читают 5 книг и 7 газет."]
    one, two = made_pairs(texts), made_pairs(texts, each=2)
    assert one.groupby(["text", "kind"]).size().max() == 1 and two.groupby(["text", "kind"]).size().max() == 2
    assert set(map(tuple, one.values)) < set(map(tuple, two.values)) and one.attrs == {"unchanged": 1, "refused": 0}
    assert one.equals(made_pairs(texts)) and (one["text"] != one["changed"]).all()
    with pytest.raises(ValueError, match="texts, row 1: '' is blank"):
        made_pairs(["Да.", ""])
    with pytest.raises(ValueError, match="each"):
        made_pairs(texts, each=0)


def test_a_negative_that_has_the_letters_of_a_positive_is_refused(monkeypatch):
    from helpers.pairs import russian

    monkeypatch.setitem(russian.RULES, "negation", [lambda text: iter([("Он ушёл, и всё.", "не", "")])])
    monkeypatch.setitem(russian.RULES, "synonyms", [lambda text: iter([("Он ушёл и всё", "", "и")])])
    table = made_pairs(["Он не ушёл."], kinds=["negation", "synonyms"])
    assert len(table) == 0 and table.attrs == {"unchanged": 1, "refused": 2}


@pytest.mark.parametrize(
    "row, says",
    [
        (("Он спит.", "он  спит!", False), "row 2: the negative 'он  спит!' has the letters of its text"),
        (("Кот спит.", "кот не спит", True), "row 2: 'кот не спит' is a positive, and a negative in row 0"),
        (("Кот спит.", "  ", False), "row 2: changed is '  '; a sentence is needed"),
        ((None, "Кот ест.", False), "row 2: text is None; a sentence is needed"),
        (("Их 5.", "Их 6.", False), ""),
        (("Кот спит.", "Кот не спит.", False), ""),
    ],
)
def test_a_row_that_teaches_nothing_or_the_contrary_is_named(row, says):
    rows = [("Кот спит.", "Кот не спит.", False), ("Кот спит.", "Спит кот.", True), row]
    made = pd.DataFrame(rows, columns=["text", "changed", "positive"])
    if says:
        with pytest.raises(ValueError, match=says):
            check_made_pairs(made)
    else:
        check_made_pairs(made)
    with pytest.raises(ValueError, match="made has no rows"):
        check_made_pairs(made.iloc[:0])


def test_both_languages_have_rules_for_every_kind():
    from helpers.pairs import english, russian

    assert set(english.RULES) == set(russian.RULES) == set(CHANGES)


def test_the_code_of_changes_is_all_that_changes_texts():
    folder = Path(changes.__file__).parent
    known = {"changes", "cleaning", "morphology"} | {path.stem for path in folder.glob("russian*.py")} | {"english"}
    for path in (folder / f"{name}.py" for name in sorted(known)):
        assert set(re.findall(r"from helpers\.pairs\.(\w+)", path.read_text(encoding="utf-8"))) <= known
    assert len(changes.code_of_changes()) == 64
