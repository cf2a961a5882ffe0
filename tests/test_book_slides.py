"""Slides of a chapter: a slide for each heading and figure, in one file that loads nothing and works in a browser."""

import base64
import re
from pathlib import Path

import nbformat
import pytest

from helpers.book.browser import find_browser, open_tab
from helpers.book.markdown import Labels, PlainMarkdown, Sources
from helpers.book.render import outside_loads
from helpers.book.slides import slides_of, write_slides

v4 = nbformat.v4


def slides(*cells):
    labels = Labels()
    notebook = v4.new_notebook(cells=list(cells))
    labels.add(notebook, "here", "3")
    return slides_of(notebook, PlainMarkdown("here", labels, Sources(Path("none.bib")), {}, {}))


def figure(name, caption="", data="AAAA"):
    about = {"mystnb": {"image": {"alt": f"What {name} shows."}, "figure": {"name": name, "caption": caption}}}
    return v4.new_code_cell("plot()", metadata=about, outputs=[v4.new_output("display_data", {"image/png": data})])


def test_each_heading_is_a_slide_and_each_figure_too():
    found = slides(
        v4.new_markdown_cell("# Title\n\nA question? A second sentence. A third.\n\n:::{note}\nBox.\n:::"),
        v4.new_markdown_cell("## First finding\n\nIt is so. See {numref}`fig-b`."),
        figure("fig-a", "One."),
        figure("fig-b", "Two."),
        v4.new_markdown_cell("Text.\n\n## Second\n\n| a |\n| --- |\n\nBecause."),
        v4.new_markdown_cell("## What to keep\n\nOne. Two.\n\nThree.\n\n## Exercises\n\nDo it."),
        figure("fig-c"),
    )
    assert [slide.heading for slide in found] == ["Title", "First finding", "First finding", "Second", "What to keep"]
    assert found[0].points == ["A question?", "A second sentence."]
    assert found[1].points == ["It is so.", "See Fig. 3.2."]
    assert [len(slide.figures) for slide in found] == [0, 1, 1, 0, 0]
    assert found[2].figures == [("data:image/png;base64,AAAA", "What fig-b shows.", "Two.")]
    assert found[3].points == ["Because."] and found[4].points == ["One.", "Two.", "Three."]


@pytest.mark.slow
def test_the_slides_are_one_file_that_turns_pages_and_prints_one_a_page(executed_book, tmp_path):
    with pytest.raises(ValueError, match="python -m helpers run 01_lines"):
        write_slides("01_lines", root=executed_book, executed=tmp_path)
    page = write_slides("01_lines", tmp_path / "slides" / "lines.html", executed_book)
    text = page.read_text(encoding="utf-8")
    assert page.parent == tmp_path / "slides" and outside_loads(page.parent) == []
    assert "secret" not in text and "It is 1.50 here" in text and 'alt="A rising line."' in text
    if find_browser() is None:
        pytest.skip("no Chromium or Chrome is installed: how the slides work in a browser was not tested")
    with open_tab(60) as tab:
        tab.open(page.as_uri())
        count = tab.run("document.querySelectorAll('section').length")
        tab.wait("document.querySelectorAll('mjx-container svg').length > 0", "formulas")
        tab.run("dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }))")
        tab.wait(
            "Math.abs(document.querySelectorAll('section')[1].getBoundingClientRect().top) < 2", "the second slide"
        )
        printed = tab.call("Page.printToPDF", preferCSSPageSize=True)["data"]
        assert all(re.match(r"file://|data:", address) for address in tab.requests) and tab.errors == []
    assert len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed))) == count == 3
