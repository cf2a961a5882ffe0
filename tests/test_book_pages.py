"""Facts on a page, what a page ran on, and how long it takes to read."""

import json

import numpy as np
import pytest

from helpers.book import pages


@pytest.fixture()
def glued(monkeypatch):
    found = {}
    monkeypatch.setattr(pages, "_glue", found.__setitem__)
    return found


def test_facts_are_glued_under_the_name_of_the_chapter_as_plain_values(glued):
    pages.glue_facts("hubs", {"share": np.float64(0.5), "n": np.int64(3), "best": "QP", "all": np.bool_(True)})
    assert glued == {"hubs_share": 0.5, "hubs_n": 3, "hubs_best": "QP", "hubs_all": True}
    assert [type(value) for value in glued.values()] == [float, int, str, bool]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("few", [1, 2], TypeError, "fact 'few' is a list"),
        ("none", None, TypeError, "fact 'none' is a NoneType"),
        ("two words", 1, ValueError, "a fact is named 'two words'"),
    ],
)
def test_what_is_no_fact_is_refused_and_nothing_is_glued(glued, name, value, error, message):
    with pytest.raises(error, match=message):
        pages.glue_facts("hubs", {"first": 1, name: value})
    assert glued == {}


def test_a_page_says_what_it_ran_on(monkeypatch):
    monkeypatch.setattr(pages.time, "perf_counter", lambda: 71.4)
    shown = pages.this_run(10.0, "numpy")["this run"]
    assert list(shown.index) == ["python", "numpy", "device", "seconds"]
    assert shown["numpy"] == np.__version__ and shown["seconds"] == "61"
    assert shown["device"].split(",")[0] in ("CPU", "GPU")


def test_words_formulas_and_visible_lines_take_time_and_exercises_do_not(tmp_path):
    def cell(kind, source, *tags):
        return {"cell_type": kind, "source": source, "metadata": {"tags": list(tags)}}

    path = tmp_path / "page.ipynb"
    cells = [
        cell("markdown", "word " * 400 + "\n\n$$\na + b + c\n$$ (eq-sum)\n"),
        cell("markdown", "Then\n```{math}\n:label: eq-b\nb = c\n```\nholds."),
        cell("code", "x = 1\n\ny = 2"),
        cell("code", "z = 3", "hide-input"),
        cell("markdown", "## Exercises\n\n" + "word " * 400),
        cell("code", "u = 4"),
    ]
    path.write_text(json.dumps({"cells": cells}))
    expected = 403 / 200 + 2 * 0.5 + 2 * 0.05  # the label behind the first formula is read as a word
    assert pages.reading_minutes(path) == pytest.approx(expected)
