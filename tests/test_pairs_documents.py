"""Documents beside their English twins, and what pairs they give."""

import pytest

from helpers.pairs.documents import Block, Document, Unit, align_blocks, document_of, document_pairs, is_translation

ONE = "Первый абзац говорит, что делает эта программа."
TWO = "Второй абзац говорит, как её запустить снова."
THREE = "Третий абзац стоит уже под другим заголовком."


def kinds(*units):
    return [
        (kind, left, right) for kind, left, right in document_pairs(Document("page", [Unit(*unit) for unit in units]))
    ]


def test_titles_summaries_and_neighbours_are_pairs():
    found = kinds(("title", "Запуск"), ("text", ONE), ("text", TWO), ("title", "Как закрыть?"), ("text", THREE))
    assert found == [("title", "Запуск", ONE), ("neighbour", ONE, TWO), ("question", "Как закрыть?", THREE)]
    assert kinds(("summary", "показывает файлы папки"), ("text", ONE)) == [("summary", "показывает файлы папки", ONE)]
    found = kinds(("summary", "показывает файлы папки"), ("title", "Описание"), ("text", ONE), ("text", TWO))
    assert [kind for kind, *_ in found] == ["title", "summary", "neighbour"]


def test_an_untranslated_title_and_a_short_text_give_no_pair():
    assert kinds(("title", "Overview"), ("text", ONE)) == []
    assert kinds(("title", "Запуск"), ("text", "Нет."), ("text", ONE)) == [("title", "Запуск", ONE)]


def test_a_translation_has_the_same_numbers_and_a_similar_length():
    assert is_translation("Вставить 2 строки", "Insert 2 rows")
    assert not is_translation("Вставить 2 строки", "Insert 3 rows")
    assert not is_translation("Да", "Yes, this is what you get if you wait for a very long time indeed")
    assert not is_translation("Insert rows", "Insert rows") and not is_translation("Вставить", "Вставить")


def test_blocks_with_names_are_aligned_by_names_that_stand_once():
    ru = [Block("p", "a", "один"), Block("p", "b", "два"), Block("p", "c", "три")]
    en = [Block("p", "c", "three"), Block("p", "b", "two"), Block("p", "b", "again"), Block("p", "a", "one")]
    assert [twin for _, twin in align_blocks(ru, en)] == ["one", "", "three"]


def test_blocks_without_names_are_aligned_where_three_shapes_in_a_row_match():
    ru = [Block(shape, "", f"р{i}") for i, shape in enumerate(["h1", "p", "p", "li", "p"])]
    same = [Block(block.shape, "", f"e{i}") for i, block in enumerate(ru)]
    assert [twin for _, twin in align_blocks(ru, same)] == ["e0", "e1", "e2", "e3", "e4"]
    longer = [Block("p", "", "new"), *same[:3]]
    assert [twin for _, twin in align_blocks(ru, longer)] == ["e0", "e1", "e2", "", ""]
    assert [twin for _, twin in align_blocks(ru, [])] == [""] * 5


def test_shapes_become_roles():
    page = document_of("page", [Block("h2", "", "Вид"), Block("summary", "", "о виде"), Block("li", "", ONE)])
    assert [unit.role for unit in page.units] == ["title", "summary", "text"]


@pytest.mark.parametrize("kind", ["title", "summary"])
def test_a_summary_under_a_title_is_a_text_of_the_title(kind):
    found = kinds(("title", "Запуск"), ("summary", ONE), ("text", TWO))
    assert {"title": ("title", "Запуск", ONE), "summary": ("summary", ONE, TWO)}[kind] in found
