"""Chapters that ran on own data: what only teaches is left out, the answer stands first, judgement is folded away.

A chapter with a parameter ``source`` runs on the book's simulated data by default. Of a run with another source, cells
tagged ``simulated`` are neither executed nor shown, the output of the cell tagged ``answer`` stands below the title,
and cells tagged ``published``, which judge what others found on other data, are folded away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import nbformat
from nbformat import NotebookNode

__all__ = ["ANSWER", "PUBLISHED", "SIMULATED", "as_own_page", "glued_names", "is_own", "without_absent"]

SIMULATED = "simulated"
"""Tag of cells that only teach about simulated data."""
PUBLISHED = "published"
"""Tag of cells that judge published claims, or show recorded runs on simulated data."""
ANSWER = "answer"
"""Tag of the cell that says what a run found of its own data."""

SUMMARY = "What was published, and what the book has recorded on simulated clients (not about yours)"
_OPEN = f'```{{raw}} html\n<details class="published-judgement"><summary>{SUMMARY}</summary>\n```'
_CLOSE = "```{raw} html\n</details>\n```"
_GLUED = re.compile(r"\{glue:\w+\}`(?:([^`]*/)?([^`/]+)\.ipynb::)?([^`:]+)[^`]*`")


def is_own(parameters: Mapping[str, Any], default: Any = "simulated") -> bool:
    """Whether a run with these parameters is about other data than the book's own.

    Parameters
    ----------
    parameters
        Values by name, those that a run was given.
    default
        Value of ``source`` in the notebook.

    Examples
    --------
    >>> from helpers.book.own_data import is_own
    >>> is_own({"source": "mine.csv"}), is_own({"source": "simulated"}), is_own({})
    (True, False, False)
    """
    return default == "simulated" and parameters.get("source", default) != default


def glued_names(executed: NotebookNode) -> set[str]:
    """Names of all that an executed notebook has handed to its text and to other pages."""
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    return {output.get("metadata", {}).get("scrapbook", {}).get("name", "") for output in outputs} - {""}


def without_absent(text: str, absent: Mapping[str, set[str]], own: str = "", *, whole_lines: bool = False) -> str:
    """A text without the numbers that a run on own data has not made.

    Parameters
    ----------
    text
        Text of a page in MyST markdown, a sentence a line.
    absent
        Name of a chapter → names that its run has glued; what it refers to beyond them is absent.
    own
        Name of the chapter that the text belongs to, if it does.
    whole_lines
        Whether the line goes with the number; by default a dash stands for it.

    Examples
    --------
    >>> from helpers.book.own_data import without_absent
    >>> text = "Known is {glue:text}`n:.0f`.\\nThe ideal is {glue:text}`ideal:.2f`."
    >>> without_absent(text, {"a": {"n"}}, "a", whole_lines=True)
    'Known is {glue:text}`n:.0f`.'
    """

    def is_absent(role: re.Match) -> bool:
        chapter = role[2] or own
        return chapter in absent and role[3] not in absent[chapter]

    if whole_lines:
        lines = [line for line in text.split("\n") if not any(map(is_absent, _GLUED.finditer(line)))]
        return "\n".join(lines)
    return _GLUED.sub(lambda role: "—" if is_absent(role) else role[0], text)


def as_own_page(notebook: NotebookNode, name: str) -> NotebookNode:
    """The page of a chapter that ran on own data.

    Parameters
    ----------
    notebook
        Chapter with the outputs of the run.
    name
        Name of the chapter.

    Returns
    -------
    NotebookNode
        The answer of the run below the title; no cell that only teaches, no sentence whose number or figure was not
        made; published judgement folded away.
    """
    known = {name: glued_names(notebook)}
    left = [cell for cell in notebook.cells if SIMULATED not in _tags(cell)]
    gone = {_figure(cell) for cell in notebook.cells if SIMULATED in _tags(cell)} - {""}
    cells, answers = [], []
    for cell in left:
        if ANSWER in _tags(cell):
            metadata = {**cell.metadata, "tags": [ANSWER, "remove-input"]}
            answers.append(nbformat.from_dict({**cell, "metadata": metadata}))
            continue
        if cell.cell_type == "markdown":
            text = without_absent(cell.source, known, name, whole_lines=True)
            named = [f"{{numref}}`{figure}`" for figure in gone]
            text = "\n".join(line for line in text.split("\n") if not any(role in line for role in named))
            if not text.strip():
                continue
            cell = nbformat.from_dict({**cell, "source": text})
        cells.append(cell)
    return nbformat.from_dict({**notebook, "cells": _folded([*cells[:1], *answers, *cells[1:]])})


def _folded(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Cells in which published judgement is folded away; headings stay, so that sections do not end in a fold."""
    found, is_open = [], False

    def text(source: str, cell: NotebookNode, number: int) -> NotebookNode:
        return nbformat.from_dict({**cell, "source": source.strip("\n"), "id": f"{cell.id[:50]}-{number}"})

    def turn(to: bool) -> None:
        nonlocal is_open
        if is_open != to:
            found.append(nbformat.v4.new_markdown_cell(_OPEN if to else _CLOSE, id=f"fold-{len(found)}"))
        is_open = to

    for cell in cells:
        if PUBLISHED not in _tags(cell):
            turn(False)
            found.append(cell)
        elif cell.cell_type != "markdown":
            turn(True)
            found.append(cell)
        else:
            for number, piece in enumerate(re.split(r"^(#{1,6} .*)$", cell.source, flags=re.M)):
                if piece.strip():
                    turn(not piece.startswith("#"))
                    found.append(text(piece, cell, number))
    turn(False)
    return found


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _figure(cell: NotebookNode) -> str:
    return cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "")
