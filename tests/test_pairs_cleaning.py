"""One spelling of a text, and the language that its letters say."""

import unicodedata

import pytest

from helpers.pairs.cleaning import clean_text, decoded_text, in_language, is_broken, is_paragraph, letters_key

TEXT = "Справка: как открыть файл, который закрыт."


def test_letters_that_are_written_in_two_ways_become_one():
    apart = unicodedata.normalize("NFD", "чей ёж")
    assert apart != "чей ёж" and clean_text(apart) == "чей ёж"
    assert clean_text("сло\u00adво\u200b и уда\u0301р") == "слово и удар"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "koi8-r", "cp1251"])
def test_old_encodings_are_told_by_what_they_give(encoding):
    assert decoded_text(TEXT.encode(encoding)) == TEXT


def test_a_declared_encoding_is_believed_and_an_unknown_one_refused():
    page = '<meta charset="iso-8859-5">' + TEXT
    assert decoded_text(page.encode("iso-8859-5")).endswith(TEXT)
    with pytest.raises(ValueError, match="says that it is in 'klingon'"):
        decoded_text(b'<meta charset="klingon">' + TEXT.encode("koi8-r"))
    with pytest.raises(ValueError, match="byte 0xff at 0 is not UTF-8, and none of ascii fits"):
        decoded_text(b"\xff\xfe", ["ascii"])


@pytest.mark.parametrize("wrong", ["cp1251", "latin-1", "cp1252"])
def test_text_read_in_a_wrong_encoding_is_seen(wrong):
    broken = TEXT.encode("utf-8").decode(wrong, "replace")
    assert is_broken(broken) and not in_language(broken) and not is_broken(TEXT)
    assert not is_broken("Россия, СССР и «Союз» № 5 — это всё.")


@pytest.mark.parametrize(
    "text, russian",
    [
        ("Откройте файл Makefile", True),
        ("Відкрийте файл", False),
        ("Open the file", False),
        ("Open file «файл» and go on with it", False),
        ("12 + 5", False),
        ("", False),
    ],
)
def test_the_language_is_told_by_letters(text, russian):
    assert in_language(text, "ru") == russian


def test_a_paragraph_has_words_and_not_only_signs():
    assert (
        is_paragraph(TEXT) and not is_paragraph("да нет") and not is_paragraph("а 1 2 3 4 5 6 7 8 9 б в г слово дело")
    )
    assert is_paragraph("This is a whole paragraph.", "en") and not is_paragraph(TEXT, "en")
    with pytest.raises(ValueError, match="language is 'de'"):
        in_language(TEXT, "de")


def test_what_is_left_of_a_text_is_its_words():
    assert letters_key("Ёжик, ёжик — 5!") == letters_key("ежик Ежик") == "ежик ежик"
