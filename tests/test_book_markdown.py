"""MyST becomes plain Markdown with the numbers that the book gives: boxes, formulas, references, citations."""

import re

import nbformat
import pytest
from mini_book import make_book

from helpers.book.markdown import Labels, PlainMarkdown, Sources, chapter_numbers, expand_macros
from helpers.book.render import chapters

v4 = nbformat.v4
MACROS = {"R": ["\\mathbb{R}"], "norm": ["\\left\\lVert #1 \\right\\rVert", 1], "tr": "\\operatorname{tr}"}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return make_book(tmp_path_factory.mktemp("book"))


@pytest.fixture
def convert(book):
    return PlainMarkdown("01_lines", Labels.of_book(book), Sources(book / "book" / "references.bib"), {}, MACROS)


def test_chapters_are_numbered_as_the_table_of_contents_numbers_them(book):
    assert chapter_numbers(book) == {"01_lines": "1", "02_slow": "2"}
    numbers = chapter_numbers()
    assert numbers["15_modalities"] == "15" and numbers["16_one_vector"] == "16" and "own" not in numbers
    assert all(int(number) == int(name[:2]) for name, number in numbers.items())
    assert list(numbers.values()) == [str(at) for at in range(1, len(numbers) + 1)]


def test_pages_of_one_chapter_are_counted_on():
    labels, box = Labels(), ":::{prf:definition} One\n:label: def-%s\n\nIt.\n:::"
    for name in ("a", "b"):
        labels.add(v4.new_notebook(cells=[v4.new_markdown_cell(box % name)]), f"01{name}", "1")
    labels.add(v4.new_notebook(cells=[v4.new_markdown_cell(box % "own")]), "own", "")
    found = {name: reference for name, (_, reference) in labels.found.items()}
    assert found == {"def-a": "Definition 1.1", "def-b": "Definition 1.2", "def-own": "Definition 1"}


def test_labels_have_the_numbers_of_the_book(book):
    found = Labels.of_book(book).found
    assert found["def-lines-mean"] == ("01_lines", "Definition 1.1")
    assert found["eq-lines-mean"] == ("01_lines", "(1.1)")
    assert found["fig-lines"] == ("01_lines", "Fig. 1.1")
    assert found["ex-lines-twice"] == ("01_lines", "Exercise 1.1")


def test_a_chapter_below_another_has_its_number_and_goes_on_counting():
    assert "01b_chance" not in chapter_numbers() and chapter_numbers(nested=True)["01b_chance"] == "1"
    found = Labels.of_book().found
    assert found["thm-same-price"] == ("01_measures", "Theorem 1.1")
    assert found["thm-same-chance"] == ("01b_chance", "Theorem 1.2")
    assert found["def-fooled-adjusted"] == ("02_failure_modes", "Definition 2.1")


def test_references_to_other_chapters_are_links(book):
    labels = Labels.of_book(book)
    convert = PlainMarkdown("02_slow", labels, Sources(book / "none.bib"), {}, {})
    text = convert("By {prf:ref}`def-lines-mean`, {eq}`eq-lines-mean`, {numref}`fig-lines` and {doc}`01_lines`.")
    assert text == (
        "By [Definition 1.1](01_lines.ipynb), [(1.1)](01_lines.ipynb), [Fig. 1.1](01_lines.ipynb) "
        "and [Means of numbers](01_lines.ipynb)."
    )


def test_a_box_is_a_quotation_whose_formulas_are_on_one_line(convert):
    formula = "$$\nm\n= \\norm{x}\n$$ (eq-lines-mean)"
    source = f":::{{prf:definition}} Mean\n:label: def-lines-mean\n\nIt is\n\n{formula}\n:::\nAfter."
    assert convert(source) == (
        "> **Definition 1.1 (Mean).**\n>\n> It is\n>\n> $$m = \\left\\lVert x \\right\\rVert \\tag{1.1}$$\n\nAfter."
    )


def test_boxes_in_boxes_and_code_in_boxes_keep_their_borders(convert):
    source = "::::{note}\nOuter.\n:::{warning} Careful\nInner.\n:::\n```python\n# {doc}`x`\n```\n::::\nOut."
    assert convert(source) == (
        "> **Note.**\n>\n> Outer.\n>\n> > **Warning (Careful).**\n> >\n> > Inner.\n>\n"
        "> ```python\n> # {doc}`x`\n> ```\n\nOut."
    )


def test_exercises_and_solutions_are_headings_in_bold(convert):
    source = ":::{exercise-start} Twice\n:label: ex-lines-twice\n:::\nDo it.\n:::{exercise-end}\n:::"
    assert convert(source) == "**Exercise 1.1 (Twice).**\n\nDo it."
    source = ":::{solution-start} ex-lines-twice\n:class: dropdown\n:::\nDone.\n:::{solution-end}\n:::"
    assert convert(source) == "**Solution of Exercise 1.1.**\n\nDone."


def test_citations_have_author_and_year_and_are_remembered(convert):
    assert convert("{cite:t}`someone2020mean` say, and {cite}`someone2020mean`.") == (
        "Someone and Other (2020) say, and (Someone and Other, 2020)."
    )
    assert convert.keys == ["someone2020mean"]
    assert convert.sources.listed("someone2020mean") == "A. Someone, B. Other. 2020. *Means*. Numbers."
    assert convert("{cite}`nobody`") == "(`nobody`)" and convert.keys == ["someone2020mean"]


def test_values_that_no_run_glued_are_dots(convert):
    assert convert("It is {glue:text}`lines_mean:.2f`.") == "It is …."


@pytest.mark.parametrize(
    "text, expected",
    [
        ("$\\R^n$ and \\R", "$\\mathbb{R}^n$ and \\R"),
        ("$\\norm{a_{1}}\\norm b$", "$\\left\\lVert a_{1} \\right\\rVert\\left\\lVert b \\right\\rVert$"),
        ("$\\tr X$, $\\tra$", "$\\operatorname{tr} X$, $\\tra$"),
        ("$\\norm{\\norm{x}}$", "$\\left\\lVert \\left\\lVert x \\right\\rVert \\right\\rVert$"),
    ],
)
def test_macros_stand_for_what_they_mean(text, expected):
    assert expand_macros(text, MACROS) == expected


def test_every_chapter_becomes_plain_markdown():
    from helpers.book.render import ROOT
    from helpers.book.working import converter

    labels, left = Labels.of_book(), {}
    for path in chapters():
        convert = converter(path.stem, ROOT, {})
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                text = re.sub(r"```.*?```", "", convert(cell.source), flags=re.DOTALL)
                pattern = r"\{[a-z:]+\}`[^`]*`|^[>\s]*:::.*|^\(\S+\)=$|`(?:eq|fig|def|thm|ex)-[\w-]+`"
                found = re.findall(pattern, text, re.MULTILINE)
                left |= {(path.stem, cell.id): found} if found else {}
    assert left == {} and len(labels.found) > 100
