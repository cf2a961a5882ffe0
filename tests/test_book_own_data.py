"""Of a run on own data the answer stands first, what only teaches does not run, and judgement of others is folded."""

from pathlib import Path

import nbformat
import pytest

from helpers.book.own_data import as_own_page, glued_names, is_own, without_absent
from helpers.book.render import stage
from helpers.book.runs import Run, execute
from notebooks import write

v4 = nbformat.v4


def glued(name):
    return v4.new_output("display_data", metadata={"scrapbook": {"name": name}})


def page():
    """A chapter with something to learn, a published judgement with a heading of its own, and an answer."""
    simulated, published = {"tags": ["simulated"]}, {"tags": ["remove-cell", "published"]}
    figure = {"tags": ["simulated"], "mystnb": {"figure": {"name": "fig-ideal"}}}
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell("# Title\n\nOpening."),
            v4.new_markdown_cell("## An ideal\n\nTeaching.", metadata=simulated),
            v4.new_code_cell("ideal = 1", metadata=figure),
            v4.new_code_cell("own = 2", outputs=[glued("n")]),
            v4.new_markdown_cell(
                "Known is {glue:text}`n:.0f`.\nIdeal is {glue:text}`ideal`.\nSee {numref}`fig-ideal`."
            ),
            v4.new_markdown_cell("What they said.\n\n## A verdict\n\nIt holds.", metadata={"tags": ["published"]}),
            v4.new_code_cell("judged", metadata=published),
            v4.new_markdown_cell("After."),
            v4.new_code_cell("answer", metadata={"tags": ["answer", "remove-cell"]}, outputs=[glued("a")]),
            v4.new_markdown_cell("## Exercises\n\nOne.", metadata=simulated),
        ]
    )


def test_the_answer_stands_below_the_title_and_what_only_teaches_is_gone():
    cells = as_own_page(page(), "chapter").cells
    assert [cell.source for cell in cells[:3]] == ["# Title\n\nOpening.", "answer", "own = 2"]
    assert "remove-cell" not in cells[1].metadata["tags"]  # what is told of simulated clients by nothing is shown here
    assert not any("Teaching" in cell.source or "One." in cell.source for cell in cells)


def test_a_sentence_whose_number_or_figure_was_not_made_is_left_out():
    assert [cell.source for cell in as_own_page(page(), "chapter").cells][3] == "Known is {glue:text}`n:.0f`."
    other = "Of {glue:text}`../notebooks/chapter.ipynb::ideal:.2f` and {glue:text}`../notebooks/chapter.ipynb::n`."
    assert without_absent(other, {"chapter": {"n"}}).startswith("Of — and {glue:text}")
    assert without_absent(other, {"another": set()}) == other
    assert glued_names(page()) == {"n", "a"}


def test_published_judgement_is_folded_between_headings():
    text = "\n".join(cell.source for cell in as_own_page(page(), "chapter").cells)
    opened, closed = text.count("<details"), text.count("</details>")
    assert opened == closed == 2
    assert text.index("<details") < text.index("What they said") < text.index("</details>") < text.index("## A verdict")
    rest = text[text.index("## A verdict") :]
    assert rest.index("<details") < rest.index("It holds") < rest.index("judged") < rest.index("</details>")
    assert rest.index("</details>") < rest.index("After.")
    ids = [cell.id for cell in as_own_page(page(), "chapter").cells]
    assert len(set(ids)) == len(ids)


def test_only_another_source_than_the_simulator_is_own():
    assert is_own({"source": "mine.csv"}) and not is_own({"source": "simulated"}) and not is_own({"n": 1})
    assert not is_own({"source": "anything"}, None)  # of a notebook without that parameter


@pytest.fixture
def chapter(tmp_path):
    (tmp_path / "notebooks").mkdir()
    code = "taught = source", "print('taught' in globals())"
    path = write(tmp_path / "notebooks" / "a.ipynb", "# A", *code, parameters='source = "simulated"  # whose')
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].metadata["tags"] = ["simulated"]
    nbformat.write(notebook, path)
    return path


@pytest.mark.parametrize(("source", "told"), [("simulated", "True"), ("mine.csv", "False")])
def test_cells_that_only_teach_are_executed_for_simulated_data_alone(chapter, source, told):
    run = Run(chapter, chapter.parent / "out.ipynb", {"source": source})
    execute(run)
    last = nbformat.read(run.output, as_version=4).cells[-1]
    assert "".join(last.outputs[0]["text"]).strip() == told and run.is_done()


def test_what_only_teaches_decides_nothing_about_a_run_on_own_data(chapter):
    before = Run(chapter, chapter, {"source": "mine.csv"}).key, Run(chapter, chapter, {}).key
    chapter.write_text(chapter.read_text().replace("taught = source", "taught = 2"))
    after = Run(chapter, chapter, {"source": "mine.csv"}).key, Run(chapter, chapter, {}).key
    assert before[0] == after[0] and before[1] != after[1]


def test_pages_of_the_book_are_staged_as_own_where_the_run_was(chapter, tmp_path, monkeypatch):
    (tmp_path / "_config.yml").write_text("title: A\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: notebooks/a\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.md").write_text("It is {glue:text}`../notebooks/a.ipynb::x`.")
    execute(Run(chapter, tmp_path / "done" / "a.ipynb", {"source": "mine.csv"}))
    monkeypatch.chdir(tmp_path)
    assert stage(tmp_path, Path("done"), tmp_path / "site") == []  # a relative folder is that of the call
    made = nbformat.read(tmp_path / "site" / "notebooks" / "a.ipynb", as_version=4)
    assert not any("taught = " in cell.source for cell in made.cells)
    assert (tmp_path / "site" / "book" / "page.md").read_text() == "It is —."
