"""What a lecturer needs to know of the chapters, read from the chapters: prerequisites, times, questions of an exam."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
import yaml

from helpers.book.costs import read_costs
from helpers.book.markdown import chapter_numbers
from helpers.book.pages import reading_minutes
from helpers.book.render import chapters
from helpers.locations import ROOT

__all__ = ["Lesson", "exam_text", "lessons", "needs_graph", "read_exam", "table_of_goals", "table_of_lessons"]

_NEEDS = re.compile(r"\*\*You need\*\*(.*?)(?:\n\s*\n|\n:::|\Z)", re.DOTALL)
_GOALS = re.compile(r"\*\*You will be able to\*\*(.*?)(?:\n\s*\n|\n:::|\Z)", re.DOTALL)
_PAGE = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`<>]+)>?`")


@dataclass(frozen=True)
class Lesson:
    """What is known of a chapter.

    Attributes
    ----------
    name, title, number
        Name of the notebook, heading of the page, and number in the table of contents, empty without one; further pages
        of a chapter have a letter, as in ``1b``.
    needs
        Names of the chapters that it builds on, in reading order.
    goals
        What its readers will be able to do, MyST; empty if its box does not say.
    reading, running
        Minutes that its page takes to read, and that it took to execute when costs were last recorded; the latter is
        ``None`` if they never were.
    exercises
        Number of its exercises.
    """

    name: str
    title: str
    number: str
    needs: tuple[str, ...]
    goals: str
    reading: float
    running: float | None
    exercises: int


def lessons(root: Path = ROOT, costs: Path | None = None) -> list[Lesson]:
    """Every chapter, in reading order.

    What a chapter needs are the chapters that the box at its beginning names after "You need"; of a chapter without
    such a box, those that the text before its first section refers to.

    Parameters
    ----------
    root
        Folder of the book.
    costs
        Table of recorded costs; ``data/results/chapters.csv`` by default.
    """
    paths, numbers = chapters(root), chapter_numbers(root, nested=True)
    order = {path.stem: at for at, path in enumerate(paths)}
    recorded = read_costs(costs or root / "data" / "results" / "chapters.csv")
    found, seen = [], Counter()
    for path in paths:
        number = numbers.get(path.stem, "")
        seen[number] += 1
        letter = chr(ord("a") + seen[number] - 1) if number and seen[number] > 1 else ""
        texts = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        opening = re.split(r"^## ", texts[0] if texts else "", maxsplit=1, flags=re.MULTILINE)[0]
        box, goals = _NEEDS.search(opening), _GOALS.search(opening)
        named = {Path(page).stem for page in _PAGE.findall(box[1] if box else opening)} & set(order) - {path.stem}
        seconds = recorded.get(path.stem, {}).get("seconds")
        found.append(
            Lesson(
                name=path.stem,
                title=opening.partition("\n")[0].removeprefix("# ").strip(),
                number=number + letter,
                needs=tuple(sorted((name for name in named if order[name] < order[path.stem]), key=order.get)),
                goals=" ".join(goals[1].split()).rstrip(".") if goals else "",
                reading=reading_minutes(path),
                running=float(seconds) / 60 if seconds else None,
                exercises=sum(len(re.findall(r"\{exercise(?:-start)?\}", text)) for text in texts),
            )
        )
    return found


def table_of_lessons(found: Sequence[Lesson], folder: str = "../notebooks") -> str:
    """Times, exercises and prerequisites of all chapters, as a table of MyST with links to their pages."""
    numbers = {lesson.name: lesson.number or lesson.title for lesson in found}
    lines = ["| chapter | reading | running | exercises | builds on |", "| --- | ---: | ---: | ---: | --- |"]
    for lesson in found:
        running = "not recorded" if lesson.running is None else f"{lesson.running:.1f} min"
        needs = ", ".join(numbers[name] for name in lesson.needs) or "no other chapter"
        link = f"{{doc}}`{folder}/{lesson.name}`"
        number = f"{lesson.number}. " if lesson.number else ""
        cells = [f"{number}{link}", f"{lesson.reading:.0f} min", running, lesson.exercises or "none", needs]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def table_of_goals(found: Sequence[Lesson], folder: str = "../notebooks") -> str:
    """What students will be able to do after each numbered chapter, as a table of MyST with links to the pages."""
    lines = ["| session | chapter | students will be able to |", "| --- | --- | --- |"]
    for lesson in found:
        if lesson.number:
            goals = lesson.goals.replace("|", "\\|") or "do what the page sets out to do"
            lines.append(f"| {lesson.number} | {{doc}}`{folder}/{lesson.name}` | {goals} |")
    return "\n".join(lines)


ROW, LEFT, WIDTH = 26, 190, 700
"""Height of a row, place of the titles and width of the graph, in pixels."""


def needs_graph(found: Sequence[Lesson]) -> str:
    """Which chapter builds on which, as a picture (SVG): chapters in reading order, an arc from each to those it needs.

    It takes its colour from the page, loads nothing, and says in words what it shows. Chapters that neither need
    another nor are needed are listed without an arc.
    """
    row = {lesson.name: ROW * at + ROW / 2 for at, lesson in enumerate(found)}
    height = ROW * len(found)
    longest = max((row[lesson.name] - row[name] for lesson in found for name in lesson.needs), default=ROW)
    arcs, titles, words = [], [], []
    for lesson in found:
        end = row[lesson.name]
        text = f"{lesson.number}. {lesson.title}" if lesson.number else lesson.title
        titles.append(f'<text x="{LEFT}" y="{end + 5:g}">{escape(text)}</text>')
        titles.append(f'<circle cx="{LEFT - 12}" cy="{end:g}" r="3.5"/>')
        for name in lesson.needs:
            begin = row[name]
            reach = LEFT - 16 - (LEFT - 30) * ((end - begin) / longest) ** 0.6 - 10
            path = f"M{LEFT - 14} {begin:g} C{reach:.0f} {begin:g} {reach:.0f} {end:g} {LEFT - 18} {end:g}"
            told = f"{_short(found, lesson.name)} builds on {_short(found, name)}"
            arcs.append(f'<path class="arc" d="{path}"><title>{escape(told)}</title></path>')
            arcs.append(f'<path class="tip" d="M{LEFT - 14} {end:g} l-7 -4 v8 z"/>')
            words.append(told)
    label = "Which chapter builds on which: " + ("; ".join(words) or "no chapter needs another") + "."
    style = (
        ".needs text{font:14px sans-serif;fill:currentColor}.needs circle,.needs .tip{fill:currentColor}"
        ".needs .arc{fill:none;stroke:currentColor;stroke-width:1.5;opacity:.55}"
        ".needs .arc:hover{opacity:1;stroke-width:4}"
    )
    return (
        f'<svg class="needs" viewBox="0 0 {WIDTH} {height}" width="100%" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{"".join(arcs)}{"".join(titles)}</svg>'
    )


def _short(found: Sequence[Lesson], name: str) -> str:
    lesson = next(one for one in found if one.name == name)
    return f"chapter {lesson.number}" if lesson.number else lesson.title


def exam_text(questions: Sequence[Mapping[str, str]], *, answers: bool) -> str:
    """Questions of an exam as MyST, in a numbered list, with the chapter that each is about.

    Parameters
    ----------
    questions
        Each with ``chapter``, ``question`` and ``answer``.
    answers
        Whether the answers follow, each in a box.

    Raises
    ------
    ValueError
        If a question lacks one of them.
    """
    pieces = []
    for number, entry in enumerate(questions, start=1):
        missing = [name for name in ("chapter", "question", "answer") if not str(entry.get(name, "")).strip()]
        if missing:
            raise ValueError(f"question {number} of the exam has no {', '.join(missing)}")
        pieces.append(f"**{number}.** {entry['question'].strip()} ({{doc}}`../notebooks/{entry['chapter']}`)")
        if answers:
            pieces.append(f":::{{admonition}} Answer {number}\n:class: tip\n\n{entry['answer'].strip()}\n:::")
    return "\n\n".join(pieces)


def read_exam(path: Path) -> list[dict[str, str]]:
    """Questions of an exam from a YAML file: a list of mappings."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
