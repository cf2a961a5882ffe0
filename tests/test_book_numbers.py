"""The numbers of the text, in the order of the page and as the page shows them."""

import nbformat

from helpers.book.numbers import Shown, glued_texts, numbers_in_text, shown_as

v4 = nbformat.v4


def test_numbers_stand_in_the_order_of_the_page_those_of_captions_too():
    caption = {"mystnb": {"figure": {"name": "f", "caption": "Of {glue:text}`b:.0f` points."}}}
    cells = [
        v4.new_markdown_cell("First {glue:text}`a:.2f`, then {glue:text}`other.ipynb::c`."),
        v4.new_code_cell("'{glue:text}`not_text`'", metadata=caption),
        v4.new_markdown_cell("Last {glue:text}`a`."),
    ]
    found = list(numbers_in_text(v4.new_notebook(cells=cells)))
    assert found == [Shown("a", ".2f"), Shown("other.ipynb::c", "s"), Shown("b", ".0f"), Shown("a", "s")]


def test_what_was_glued_is_found_and_shown_as_the_page_shows_it():
    record = {"scrapbook": {"name": "a"}}
    outputs = [
        v4.new_output("display_data", {"application/papermill.record/text/plain": "0.126"}, metadata=record),
        v4.new_output("display_data", {"text/plain": "'shown'"}),
    ]
    texts = glued_texts(v4.new_notebook(cells=[v4.new_code_cell("", outputs=outputs)]))
    assert texts == {"a": "0.126"}
    assert shown_as(texts, Shown("a", ".1f")) == "0.1"
    assert shown_as({"w": "'RoBERTa'"}, Shown("w", "s")) == "RoBERTa"
    assert shown_as(texts, Shown("b", "s")) is None and shown_as({"w": "'word'"}, Shown("w", ".1f")) is None
