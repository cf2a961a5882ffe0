"""What a lecturer needs is read from the chapters: prerequisites, times, exam; and the code of the project runs."""

import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from mini_book import make_book

from helpers.book.pages import reading_minutes
from helpers.book.render import ROOT, build_book, chapters
from helpers.book.teaching import exam_text, lessons, needs_graph, read_exam, table_of_goals, table_of_lessons


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return make_book(tmp_path_factory.mktemp("book"))


def test_lessons_are_read_from_the_chapters(book, tmp_path):
    costs = tmp_path / "chapters.csv"
    costs.write_text("chapter,seconds,peak_mb\n01_lines,90,100\n")
    first, second = lessons(book, costs)
    assert (first.name, first.title, first.number) == ("01_lines", "Means of numbers", "1")
    assert (first.needs, second.needs) == ((), ("01_lines",))  # what the text names below the box is not needed
    assert first.goals == "take a mean and say how far it is off" and second.goals == ""
    assert first.running == 1.5 and second.running is None
    assert first.exercises == 1 and first.reading == reading_minutes(book / "notebooks" / "01_lines.ipynb")


def test_the_table_says_times_and_what_a_chapter_builds_on(book, tmp_path):
    found = lessons(book, tmp_path / "none.csv")
    lines, reading = table_of_lessons(found).splitlines(), f"{found[0].reading:.0f} min"
    page = "{doc}`../notebooks/01_lines`"
    assert lines[2] == f"| 1. {page} | {reading} | not recorded | 1 | no other chapter |"
    assert lines[3].endswith("| none | 1 |")


def test_the_table_of_goals_says_what_the_boxes_promise(book):
    lines = table_of_goals(lessons(book)).splitlines()
    assert lines[2] == "| 1 | {doc}`../notebooks/01_lines` | take a mean and say how far it is off |"
    assert len(lines) == 4


def test_further_pages_of_a_chapter_have_a_letter(book, tmp_path):
    shutil.copytree(book, tmp_path / "book")
    toc = tmp_path / "book" / "_toc.yml"
    text = toc.read_text().replace(
        "      - file: notebooks/02_slow\n", "        sections:\n          - file: notebooks/02_slow\n"
    )
    toc.write_text(text)
    assert [lesson.number for lesson in lessons(tmp_path / "book")] == ["1", "1b"]


def test_the_graph_has_an_arc_for_each_need_and_says_it_in_words(book):
    drawn = ET.fromstring(needs_graph(lessons(book)))
    arcs = [node for node in drawn.iter() if node.get("class") == "arc"]
    assert len(arcs) == 1 and "chapter 2 builds on chapter 1" in drawn.get("aria-label")
    assert drawn.get("role") == "img"


def test_the_graph_of_the_book_is_whole_and_leads_forwards():
    found = lessons()
    order = [lesson.name for lesson in found]
    assert order == [path.stem for path in chapters()]
    assert all(order.index(name) < order.index(lesson.name) for lesson in found for name in lesson.needs)
    drawn = ET.fromstring(needs_graph(found))
    assert sum(node.get("class") == "arc" for node in drawn.iter()) == sum(len(lesson.needs) for lesson in found) > 3
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", needs_graph(found))


def test_answers_are_in_the_teachers_edition_only(book):
    questions = read_exam(book / "book" / "exam.yml")
    assert "kept secret" not in exam_text(questions, answers=False)
    assert "kept secret" in exam_text(questions, answers=True)
    with pytest.raises(ValueError, match="question 2 of the exam has no question, answer"):
        exam_text([*questions, {"chapter": "01_lines"}], answers=False)


def test_the_exam_asks_about_chapters_that_are_there():
    names = {path.stem for path in chapters()}
    questions = read_exam(ROOT / "book" / "exam.yml")
    assert len(questions) >= 12 and {entry["chapter"] for entry in questions} <= names
    assert exam_text(questions, answers=True).count("{admonition}") == len(questions)


@pytest.mark.slow
def test_pages_of_teachers_have_answers_and_those_of_students_none(executed_book, tmp_path):
    root = shutil.copytree(executed_book, tmp_path / "book")
    executed = root / "_build" / "executed"
    pages = {name: build_book(root, executed, edition=name, quiet=True).parent for name in ("teachers", "students")}
    teaching = {name: (page / "book" / "teaching.html").read_text() for name, page in pages.items()}
    assert "kept secret" in teaching["teachers"] and "What is the mean of" in teaching["students"]
    assert '<svg class="needs"' in teaching["students"] and "not recorded" in teaching["students"]
    told = [path for path in pages["students"].rglob("*") if path.is_file() and b"kept secret" in path.read_bytes()]
    assert told == []
    assert "The secret answer" in (pages["teachers"] / "notebooks" / "01_lines.html").read_text()


@pytest.mark.slow
def test_the_code_of_the_project_writes_what_a_report_reads(tmp_path, monkeypatch, read):
    text = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "np.save" in block)
    assert "size = 600" in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("size = 600", "size = 40"), "teaching.md", "exec"), {})
    labels = pd.read_csv("project_labels.csv")
    written = sorted(Path("project").glob("*.npy"))
    assert len(written) == 11 and "eleven embeddings" in text

    found = read("project", labels="project_labels.csv")
    assert set(found.representations) == {path.stem for path in written}
    assert list(found.labels) == list(labels["library"])


def test_no_notebook_of_the_book_needs_itself():
    for path in chapters():
        first = nbformat.read(path, as_version=4).cells[0]
        assert first.cell_type == "markdown" and first.source.startswith("# "), path.name
