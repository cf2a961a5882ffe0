"""Chapters are pages, not programs: how much is hidden, long, glued or built in code, and how they open and end."""

import ast
import json
import math
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers.book.pages import reading_minutes
from helpers.book.render import chapters
from helpers.book.scaffold import new_chapter

ROOT = Path(__file__).parents[1]
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


class Counts(NamedTuple):
    """What is counted of a chapter: less is better, everywhere."""

    hidden: int  # per cent of the lines of code, rounded up
    long_cells: int  # cells of more than 40 lines of code
    wide_lines: int  # lines of code of more than 80 characters
    crowded: int  # sentences with more than three glued values
    visible_glue: int  # visible cells that glue
    built: int  # sentences that code builds and hands to the page


LIMITS = Counts(25, 0, 0, 0, 0, 0)
WIDEST, LONGEST, MOST_GLUED, MOST_WORDS = 80, 40, 3, 3


def cells_of(notebook):
    """Cells as (type, source, tags, whether it is part of a solution)."""
    inside, found = False, []
    for cell in json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]:
        source, tags = "".join(cell["source"]), set(cell["metadata"].get("tags", []))
        found.append((cell["cell_type"], source, tags, inside or "solution" in tags))
        for kind in re.findall(r":::\{solution-(start|end)\}", source):
            inside = kind == "start"
    return found


def lines_of(source):
    return [line for line in source.splitlines() if line.strip()]


def sentences(text):
    """Sentences of prose: they end at a full stop, at a blank line, and at the end of a row or an item."""
    text = re.sub(r"```.*?```|^(?:\||[-*] |\d+\. |#)", "\n\n", text, flags=re.S | re.M)
    return [part for part in re.split(r"(?<=[.!?])\s+|\n\s*\n", text) if part.strip()]


def built_sentences(source):
    """Strings of more than three words that calls glue or display, and formatted ones that end as a sentence does."""
    found = []
    for node in ast.walk(ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.M))):
        called = getattr(node, "func", None)
        name = getattr(called, "attr", getattr(called, "id", ""))
        if isinstance(node, ast.Call) and re.match(r"keep|glue|print|Markdown|HTML|Latex", name):
            inner = [part for argument in node.args for part in ast.walk(argument)]
            found += [part for part in inner if len(words(part)) > MOST_WORDS]
        elif isinstance(node, ast.JoinedStr) and len(words(node)) > MOST_WORDS and words(node)[-1][-1] in ".!?":
            found.append(node)
    inside = {id(part) for node in found for part in ast.walk(node) if part is not node}
    return list({id(node): " ".join(words(node)) for node in found if id(node) not in inside}.values())


def words(node):
    """Words of a string in code; of a formatted one those around what is filled in."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(part.value if isinstance(getattr(part, "value", None), str) else "0" for part in parts)
    return [word for word in text.split() if re.search(r"[^\W\d_]", word)]


def count(notebook):
    code = hidden = long_cells = wide_lines = crowded = visible_glue = built = 0
    for kind, source, tags, solution in cells_of(notebook):
        if kind != "code":
            crowded += sum(part.count("{glue:") > MOST_GLUED for part in sentences(source))
            continue
        n = len(lines_of(source))
        concealed = bool(tags & HIDDEN)
        code += n
        hidden += n * (concealed and not solution and "parameters" not in tags)
        long_cells += n > LONGEST
        wide_lines += sum(len(line) > WIDEST for line in source.splitlines())
        visible_glue += not concealed and bool(re.search(r"\b(?:keep|glue)\w*\(", source))
        built += len(built_sentences(source))
    return Counts(math.ceil(100 * hidden / max(code, 1)), long_cells, wide_lines, crowded, visible_glue, built)


def beyond(found, limits):
    """What is above its limit, in words."""
    pairs = zip(Counts._fields, found, limits, strict=True)
    return [f"{name}: {have}, at most {most}" for name, have, most in pairs if have > most]


CHAPTERS = pytest.mark.parametrize("chapter", chapters(), ids=lambda path: path.stem)


@CHAPTERS
def test_a_chapter_shows_its_ideas_and_calls_the_rest(chapter):
    assert beyond(count(chapter), LIMITS) == []


# How a chapter opens and ends

BOX = re.compile(r":::\{admonition\} In this chapter\n(.*?)\n:::", re.S)
ITEMS = {
    "**You need**": "what a reader has to know",
    "**You will be able to**": "what a reader can do at the end",
    "**Reading:** about ": "the minutes that it takes to read",
    "**Running:** about ": "the seconds or minutes and the memory that it takes to run",
}
GRADES = ("★", "★★", "★★★")


def opening_faults(chapter):
    """What the first cell lacks: a box that says what the chapter needs, gives and takes."""
    box = BOX.search(next(source for kind, source, *_ in cells_of(chapter) if kind == "markdown"))
    if not box:
        return ["the first cell has no box ':::{admonition} In this chapter'"]
    faults = [f"no {words!r}: {what}" for words, what in ITEMS.items() if words not in box[1]]
    faults += ["the box shows numbers of the page, which other pages that quote it do not have"] * ("{glue:" in box[1])
    measured = reading_minutes(chapter)
    rounded = max(5, 5 * round(measured / 5))
    if f"**Reading:** about {rounded} minutes" not in box[1]:
        faults.append(f"reading takes {measured:.1f} minutes; say 'about {rounded} minutes'")
    if not re.search(r"\*\*Running:\*\* about [\d.]+ (?:seconds?|minutes?) and [\d.]+ [MG]B", box[1]):
        faults.append("the cost is said as in 'about 20 seconds and 0.9 GB'")
    return faults


def ending_faults(chapter):
    """What the end lacks: a few sentences to keep, then exercises of three grades with tested solutions."""
    text = "\n\n".join(source for kind, source, *_ in cells_of(chapter) if kind == "markdown")
    kept = re.search(r"^## What to keep\n(.*?)^## Exercises$", text, re.S | re.M)
    if not kept:
        return ["no section 'What to keep' in front of the exercises"]
    faults, n = [], len(sentences(kept[1]))
    if not 3 <= n <= 5:
        faults.append(f"what to keep has {n} sentences; three to five are needed")
    exercises = re.findall(r":::\{exercise-start\} (★+) .*\n:label: (\S+)", text)
    if len(exercises) < text.count("{exercise-start}"):
        faults.append("the title of an exercise begins with its grade, as in '★★ Two methods'")
    if missing := set(GRADES) - {grade for grade, _ in exercises}:
        faults.append(f"no exercise of grade {sorted(missing)}")
    solved = re.findall(r":::\{solution-start\} (\S+)", text)
    faults += [f"exercise {label} has no solution" for _, label in exercises if label not in solved]
    tests = [source for kind, source, _, solution in cells_of(chapter) if kind == "code" and solution]
    if len(tests) < len(solved) or not all("assert" in source for source in tests):
        faults.append("every solution has a cell with an assert")
    return faults


@pytest.mark.parametrize(
    "chapter",
    [path for path in chapters() if re.match(r"\d", path.stem)],
    ids=lambda path: path.stem,
)
def test_a_chapter_opens_with_a_box_and_ends_with_what_to_keep_and_exercises(chapter):
    assert opening_faults(chapter) + ending_faults(chapter) == []


def grades_of(chapter):
    """Numbers of stars of the exercises, in the order of the page."""
    text = "\n\n".join(source for kind, source, *_ in cells_of(chapter) if kind == "markdown")
    return [len(grade) for grade in re.findall(r":::\{exercise-start\} (★+) ", text)]


@CHAPTERS
def test_the_exercises_of_a_chapter_get_harder(chapter):
    assert grades_of(chapter) == sorted(grades_of(chapter))


def test_the_grades_of_exercises_are_seen_in_their_order(tmp_path):
    one, two = (f":::{{exercise-start}} {stars} Name\n:label: ex\n:::" for stars in ("★", "★★"))
    assert grades_of(write(tmp_path / "page.ipynb", ("markdown", f"{two}\n\n{one}"), ("markdown", two))) == [2, 1, 2]


def test_a_new_chapter_begins_within_the_limits(tmp_path):
    for name in ("_toc.yml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    notebook, *_ = new_chapter("99_hubs", root=tmp_path)
    assert beyond(count(notebook), LIMITS) == []
    assert opening_faults(notebook) + ending_faults(notebook) == []


# The counter counts


def write(path, *cells):
    """A notebook of cells (type, source, *tags)."""
    made = [{"cell_type": kind, "source": source, "metadata": {"tags": tags}} for kind, source, *tags in cells]
    path.write_text(json.dumps({"cells": made}), encoding="utf-8")
    return path


def test_hidden_lines_count_but_not_those_of_parameters_and_solutions(tmp_path):
    page = write(
        tmp_path / "page.ipynb",
        ("code", "n = 1\nm = 2", "parameters", "hide-input"),
        ("code", "x = 1\n\ny = 2", "hide-input"),
        ("markdown", ":::{solution-start} ex\n:::"),
        ("code", "z = 3", "hide-input"),
        ("markdown", ":::{solution-end}\n:::"),
        ("code", "u = 4\nv = 5\nw = 6"),
    )
    assert count(page).hidden == 25


def test_long_wide_crowded_and_glued_are_seen(tmp_path):
    role = "{glue:text}`a`"
    page = write(
        tmp_path / "page.ipynb",
        ("code", "\n".join(["x = 1"] * 41)),
        ("code", "x = " + "1 + " * 20 + "1"),
        ("markdown", f"{role} {role} {role}.\n{role} {role} {role}: {role}."),
        ("markdown", f"- {role} {role}\n- {role} {role}\n\n| {role} {role} | {role} {role} |"),
        ("code", 'glue("a", 1)'),
        ("code", 'glue("b", "the fourth method is " + best)', "remove-cell"),
        ("code", 'glue("c", f"of {n} methods {k} are better")', "remove-cell"),
        ("code", 'glue("d", "not distinguishable")', "remove-cell"),
    )
    assert count(page)._replace(hidden=0) == Counts(0, 1, 1, 2, 1, 2)


def test_only_what_is_beyond_a_limit_is_named():
    assert beyond(LIMITS, LIMITS) == []
    assert beyond(LIMITS._replace(hidden=26, built=1), LIMITS) == ["hidden: 26, at most 25", "built: 1, at most 0"]


def test_a_page_without_box_and_exercises_is_found_and_a_wrong_time_too(tmp_path):
    bare = write(tmp_path / "bare.ipynb", ("markdown", "# Hubs\n\nA puzzle."))
    assert opening_faults(bare) == ["the first cell has no box ':::{admonition} In this chapter'"]
    assert ending_faults(bare) == ["no section 'What to keep' in front of the exercises"]
    box = ":::{admonition} In this chapter\n**You need** x. **You will be able to** y. **Reading:** about 5 minutes."
    cells = [("markdown", f"{box}\n:::"), ("markdown", "word " * 2000)]
    glued = write(tmp_path / "glued.ipynb", ("markdown", box.replace(" y.", " {glue:text}`n`.") + "\n:::"))
    assert any("numbers of the page" in fault for fault in opening_faults(glued))
    found = opening_faults(write(tmp_path / "slow.ipynb", *cells))
    assert found[0] == "no '**Running:** about ': the seconds or minutes and the memory that it takes to run"
    assert "say 'about 10 minutes'" in found[1] and len(found) == 3
    end = "## What to keep\n\n- One.\n- Two.\n\n## Exercises\n\n:::{exercise-start} ★ First\n:label: ex\n:::"
    assert ending_faults(write(tmp_path / "end.ipynb", ("markdown", end))) == [
        "what to keep has 2 sentences; three to five are needed",
        "no exercise of grade ['★★', '★★★']",
        "exercise ex has no solution",
    ]
