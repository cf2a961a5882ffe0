"""Outputs of runs and present prose make the pages; nothing stale, no solution for students, nothing from elsewhere."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from helpers.book import render
from helpers.book.render import (
    build_book,
    chapters,
    graft,
    outside_loads,
    profile,
    solutions_alone,
    stage,
    without_results,
    without_solutions,
)
from helpers.book.runs import Run, execute
from notebooks import write

ROOT = Path(__file__).parents[1]
v4 = nbformat.v4


def executed():
    injected = v4.new_code_cell("n = 2", metadata={"tags": ["injected-parameters"]})
    return v4.new_notebook(
        cells=[v4.new_code_cell("n = 1"), injected, v4.new_code_cell("n", outputs=[v4.new_output("stream", text="2")])]
    )


def test_prose_is_new_and_outputs_are_old():
    source = v4.new_notebook(cells=[v4.new_code_cell("n = 1"), v4.new_markdown_cell("Mended."), v4.new_code_cell("n")])
    cells = graft(source, executed()).cells
    assert [cell.source for cell in cells] == ["n = 1", "n = 2", "Mended.", "n"]
    assert cells[-1].outputs[0].text == "2"


def test_injected_parameters_that_repeat_the_defaults_are_not_shown():
    source = v4.new_notebook(cells=[v4.new_code_cell("n = 2  # two"), v4.new_code_cell("n")])
    ran = executed()
    ran.cells[0].source = "n = 2  # two"
    assert [cell.source for cell in graft(source, ran).cells] == ["n = 2  # two", "n"]


def test_changed_code_is_refused():
    with pytest.raises(ValueError, match="the code changed"):
        graft(v4.new_notebook(cells=[v4.new_code_cell("n = 3")]), executed())


def test_students_see_no_solution():
    md, code = v4.new_markdown_cell, v4.new_code_cell
    cells = [
        md("Exercise.\n\n:::{solution-start} ex\n:::\nAnswer."),
        code("42"),
        md(":::{solution-end}\n:::\n\nAfter.\n\n:::{solution-start} other\n:class: dropdown\n:::\nHidden."),
        md("Hidden too.\n\n:::{solution-end}\n:::"),
        code("43", metadata={"tags": ["solution"]}),
        md("Next."),
    ]
    kept = without_solutions(v4.new_notebook(cells=cells)).cells
    assert [cell.source for cell in kept] == ["Exercise.", "After.", "Next."]


def test_solutions_stand_alone_with_the_numbers_of_their_chapter():
    md, code = v4.new_markdown_cell, v4.new_code_cell
    cells = [
        md("# Means\n\nA {glue:text}`n`.\n\n:::{solution-start} ex\n:class: dropdown\n:::\nIt is {glue:text}`n`."),
        code("42"),
        md(":::{solution-end}\n:::\n\nAfter."),
        code("43", metadata={"tags": ["solution"]}),
        code("44"),
    ]
    kept = solutions_alone(v4.new_notebook(cells=cells), "01_means").cells
    assert [cell.source for cell in kept] == [
        "# Solutions: Means",
        ":::{solution-start} ex\n:::\nIt is {glue:text}`01_means.ipynb::n`.",
        "42",
        ":::{solution-end}\n:::",
        "43",
    ]
    assert solutions_alone(v4.new_notebook(cells=cells[-1:]), "01_means") is None


def test_a_dash_stands_for_every_number_and_a_word_for_every_table_that_no_run_has_made():
    table = "```{glue:any} claims\n:doc: ../notebooks/01_a.ipynb\n```"
    text = "{glue:text}`../notebooks/01_a.ipynb::n:.2f` of {glue:text}`../notebooks/02_b.ipynb::n`, {numref}`fig-a`\n\n"
    found = without_results(text + table + "\n\n" + table.replace("01_a", "02_b"), {"01_a": ["fig-a"]})
    assert found == (
        "— of {glue:text}`../notebooks/02_b.ipynb::n`, *(a figure that was not made)*\n\n"
        "*This table was not made.*\n\n" + table.replace("01_a", "02_b")
    )
    assert (
        without_results("{glue:text}`n` and {numref}`fig-b`", {"01_a": []}, "02_b")
        == "{glue:text}`n` and {numref}`fig-b`"
    )


def test_a_chapter_that_was_not_executed_has_a_banner_and_no_hole(small_book):
    chapter, site = small_book / "notebooks" / "01_a.ipynb", small_book / "site"
    chapter.write_text(chapter.read_text().replace('"# A chapter"', '"# A chapter\\n\\nIt is {glue:text}`n:.1f`."'))
    (small_book / "book" / "intro.md").write_text("# Welcome\n\nOf {glue:text}`../notebooks/01_a.ipynb::n`.\n")
    stage(small_book, small_book / "_build" / "executed", site)
    text = nbformat.read(site / "notebooks" / "01_a.ipynb", as_version=4).cells[1].source
    assert text == "# A chapter\n\nIt is {glue:text}`n:.1f`."
    assert stage(small_book, small_book / "nowhere", site) == [chapter]
    text = nbformat.read(site / "notebooks" / "01_a.ipynb", as_version=4).cells[1].source
    assert text.startswith("# A chapter\n\n:::{warning}\nThis chapter was not executed")
    assert "`python -m helpers run 01_a`" in text and text.endswith(":::\n\nIt is —.")
    assert (site / "book" / "intro.md").read_text() == "# Welcome\n\nOf —.\n"


@pytest.fixture
def small_book(tmp_path):
    """A repository of one page and one chapter, executed."""
    for name in ("_config.yml", "book/_ext", "book/_static", "book/_templates"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (tmp_path / "book" / "references.bib").write_text("")
    (tmp_path / "book" / "intro.md").write_text("# Welcome\n\nEquation: $x^2$.\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nparts:\n  - caption: One\n    chapters:\n      - file: notebooks/01_a\n"
    )
    (tmp_path / "notebooks").mkdir()
    exercise = (
        "# Exercise\n\n:::{exercise-start} Six times seven\n:label: ex-a\n:::\nCompute it.\n:::{exercise-end}\n:::\n\n"
        ":::{solution-start} ex-a\n:class: dropdown\n:::\nThe secret answer."
    )
    chapter = write(tmp_path / "notebooks" / "01_a.ipynb", "# A chapter", "6 * 7 * n", exercise, "6 * 7", "# The end")
    text = chapter.read_text().replace('"# The end"', '":::{solution-end}\\n:::"')
    chapter.write_text(text)
    execute(Run(chapter, tmp_path / "_build" / "executed" / "01_a.ipynb"))
    return tmp_path


def test_the_table_of_contents_names_the_chapters(small_book):
    assert [path.name for path in chapters(small_book)] == ["01_a.ipynb"]


def test_a_chapter_whose_code_changed_is_not_rendered(small_book):
    run, site = small_book / "_build" / "executed", small_book / "site"
    assert stage(small_book, run, site) == []
    chapter = small_book / "notebooks" / "01_a.ipynb"
    chapter.write_text(chapter.read_text().replace("6 * 7 * n", "6 * 9 * n"))
    assert stage(small_book, run, site) == [chapter]
    with pytest.raises(SystemExit, match="01_a.ipynb"):
        build_book(small_book, run)


def test_a_second_staging_touches_no_file(small_book):
    run, site = small_book / "_build" / "executed", small_book / "site"
    stage(small_book, run, site)
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    stage(small_book, run, site)
    assert before == {path: path.stat().st_mtime_ns for path in site.rglob("*")}


def test_a_file_that_left_the_book_leaves_the_site(small_book):
    run, site = small_book / "_build" / "executed", small_book / "site"
    (small_book / "book" / "gone.md").write_text("# Gone")
    stage(small_book, run, site)
    (small_book / "book" / "gone.md").unlink()
    stage(small_book, run, site)
    assert not (site / "book" / "gone.md").exists()


@pytest.mark.slow
def test_both_editions_render_and_only_one_tells_the_answer(small_book, monkeypatch):
    run = small_book / "_build" / "executed"
    page = build_book(small_book, run, quiet=True)
    assert page == small_book / "_build" / "html" / "index.html" and page.exists()
    chapter = page.parent / "notebooks" / "01_a.html"
    assert "The secret answer" in chapter.read_text()
    assert outside_loads(page.parent) == []
    assert (page.parent / "_static" / "mathjax" / "tex-chtml-full.js").exists()

    students = build_book(small_book, run, edition="students", quiet=True)
    everything = [
        p.read_text(errors="ignore") for p in students.parent.rglob("*") if p.suffix in (".html", ".ipynb", ".js")
    ]
    assert any("Compute it" in text for text in everything)
    assert not any("The secret answer" in text for text in everything)

    # nothing changed: nothing is rendered
    monkeypatch.setattr(render.subprocess, "run", lambda *_, **__: pytest.fail("rendered again"))
    assert build_book(small_book, run, quiet=True) == page


@pytest.mark.slow
@pytest.mark.parametrize("minus", ["-", "\N{MINUS SIGN}"])
def test_a_value_and_its_interval_stay_on_one_line(monkeypatch, minus):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    from book_page import keep_intervals_together

    context = {"body": f"<td>+0.5 [{minus}0.1, 1.2]</td> at 3 [see 1, 2] <code>x [0.1, 0.2]</code>"}
    keep_intervals_together(None, "page", "page.html", context, None)
    assert context["body"].replace("\N{NO-BREAK SPACE}", "_") == (
        f"<td>+0.5_[{minus}0.1,_1.2]</td> at 3 [see 1, 2] <code>x [0.1, 0.2]</code>"
    )
    keep_intervals_together(None, "genindex", "genindex.html", {}, None)


def test_a_warning_fails_the_build(small_book):
    (small_book / "book" / "intro.md").write_text("# Welcome\n\nSee {doc}`nowhere`.\n")
    run = small_book / "_build" / "executed"
    build_book(small_book, run, strict=False, quiet=True)
    for _ in range(2):  # also where a page has been read before
        with pytest.raises(SystemExit, match="nowhere"):
            build_book(small_book, run, quiet=True)


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<img src="http://example/x.png">',
        '<link rel="preload" as="font" href="https://fonts.example/x.woff2">',
        '<iframe src="https://example"></iframe>',
    ],
)
def test_a_load_from_elsewhere_is_found(tmp_path, html):
    (tmp_path / "a.html").write_text(f"<html><body><a href='https://fine.example'>a link</a>{html}</body></html>")
    assert len(outside_loads(tmp_path)) == 1


def test_a_load_from_elsewhere_in_a_style_is_found(tmp_path):
    (tmp_path / "a.css").write_text("/* https://fine.example */ a { background: url('https://x.example/y.png') }")
    assert len(outside_loads(tmp_path)) == 1


def test_a_profile_is_a_folder_of_parameter_files(tmp_path, small_book):
    folder = small_book / "data" / "profiles" / "tiny"
    folder.mkdir(parents=True)
    (folder / "01_a.yml").write_text("n: 3\n")
    assert profile("tiny", small_book) == {"01_a": {"n": 3}}
    with pytest.raises(ValueError, match="no profile 'big'; it is one of \\['pocket', 'tiny'\\]"):
        profile("big", small_book)
    (folder / "01_b.yml").write_text("n: 3\n")
    with pytest.raises(ValueError, match="belongs to no chapter"):
        profile("tiny", small_book)


#: Modules of the library that are machinery, described in the map of the package alone.
APART = {"drawing", "errors", "locations", "waiting"}


def test_every_module_of_the_library_has_a_page_in_the_reference():
    from helpers.book.render import ROOT, pages_of_reference

    pages = pages_of_reference(ROOT)
    names = {path.stem for path in (ROOT / "helpers").iterdir() if not path.name.startswith("_")}
    library = names - {"book", "studies"} - APART
    described = {name.split(".")[1] for name in pages}
    assert described == library
    listed = (ROOT / "_toc.yml").read_text()
    assert {page for page, _ in pages.values()} == set(re.findall(r"file: book/api/(?!index)(\w+)", listed))


def test_a_chapter_ends_with_links_to_what_it_imports():
    from helpers.book.render import pages_of_reference, with_reference

    code = "%matplotlib inline\nfrom helpers.similarity import cka\nfrom helpers.studies import layers"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    last = with_reference(notebook, pages_of_reference()).cells[-1]
    assert last.source.endswith("[How alike two spaces are](../book/api/similarity.md).")
    plain = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import numpy")])
    assert with_reference(plain, pages_of_reference()) is plain
