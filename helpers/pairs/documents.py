"""Documents with their English twins, and the pairs that a document gives: one set of rules for all readers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple

from helpers.pairs.cleaning import in_language, is_paragraph

__all__ = ["Block", "Document", "Unit", "align_blocks", "document_of", "document_pairs", "is_translation"]


class Unit(NamedTuple):
    """A piece of a document.

    Attributes
    ----------
    role
        ``"title"``, ``"summary"`` or ``"text"``.
    text
        The piece in the language of the document.
    twin
        The piece in English, or an empty string.
    """

    role: str
    text: str
    twin: str = ""


@dataclass
class Document:
    """A document: its name within its source, and its pieces in order."""

    name: str
    units: list[Unit] = field(default_factory=list)


class Block(NamedTuple):
    """A piece as a file has it.

    Attributes
    ----------
    shape
        Tag of the piece, or what else must agree in its translation; ``"h1"`` to ``"h6"`` are titles and ``"summary"``
        is a summary.
    name
        Identifier of the piece in its file, or an empty string.
    text
        The piece without markup.
    """

    shape: str
    name: str
    text: str


def align_blocks(blocks: Sequence[Block], twins: Sequence[Block]) -> Iterator[tuple[Block, str]]:
    """Each block of a file with its English, or with an empty string where that is not certain.

    Blocks with identifiers are aligned by those that stand once in both files (a page that includes others may repeat
    one, and then it says nothing). Without identifiers two files of one sequence of shapes are aligned one to one, and
    of others the runs of three shapes or more that match.

    Examples
    --------
    >>> one = [Block("h1", "", "Вид"), Block("p", "", "Меню"), Block("p", "", "Окно")]
    >>> twins = [Block("h1", "", "View"), Block("p", "", "Menu"), Block("p", "", "Window")]
    >>> [twin for _, twin in align_blocks(one, twins)]
    ['View', 'Menu', 'Window']
    """
    if any(block.name for block in twins):
        once = [
            {name for name, often in Counter(b.name for b in side).items() if name and often == 1}
            for side in (blocks, twins)
        ]
        by_name = {block.name: block.text for block in twins if block.name in once[0] & once[1]}
        yield from ((block, by_name.get(block.name, "")) for block in blocks)
        return
    shapes, others = [b.shape for b in blocks], [b.shape for b in twins]
    if shapes == others:
        yield from ((block, twin.text) for block, twin in zip(blocks, twins, strict=True))
        return
    runs = SequenceMatcher(None, shapes, others, autojunk=False).get_matching_blocks() if twins else []
    place = {run.a + k: run.b + k for run in runs if run.size >= 3 for k in range(run.size)}
    for i, block in enumerate(blocks):
        yield block, twins[place[i]].text if i in place else ""


def document_of(name: str, blocks: Sequence[Block], twins: Sequence[Block] = ()) -> Document:
    """A document made of the blocks of a file and of its English twin."""
    found = Document(name)
    for block, twin in align_blocks(blocks, twins):
        title = re.fullmatch(r"h\d", block.shape)
        role = "title" if title else "summary" if block.shape == "summary" else "text"
        found.units.append(Unit(role, block.text, twin))
    return found


def is_translation(text: str, twin: str, language: str = "ru") -> bool:
    """Whether a text and its English can be a translation: both in their language, similar in length, the same numbers.

    >>> is_translation("Вставить 2 строки", "Insert 2 rows"), is_translation("Вставить 2 строки", "Insert 3 rows")
    (True, False)
    """
    numbers = [sorted(re.findall(r"\d+", side)) for side in (text, twin)]
    return (
        text != twin
        and numbers[0] == numbers[1]
        and 0.4 <= (len(text) + 15) / (len(twin) + 15) <= 2.5
        and in_language(text, language)
        and len(re.findall("[a-z]", twin, re.I)) >= 3
        and in_language(twin, "en")
    )


def document_pairs(document: Document, language: str = "ru") -> Iterator[tuple[str, str, str]]:
    """The pairs of a document, as kind, left side and right side.

    Parameters
    ----------
    document
        Pieces of a document in order.
    language
        Language of the document, by which pieces that were left untranslated are told.

    Yields
    ------
    tuple of str
        ``"title"``: a title and the first paragraph, or the summary, under it. ``"summary"``: a summary and the first
        paragraph behind it. ``"question"``: a title that asks, and the paragraph under it. ``"neighbour"``: two
        paragraphs in a row under one title. ``"translation"``: a piece and its English.

    Examples
    --------
    >>> page = Document("view", [Unit("title", "Вид", "View"),
    ...     Unit("text", "Здесь выбирают, что показывает окно.", "Here one chooses what the window shows.")])
    >>> [kind for kind, *_ in document_pairs(page)]
    ['translation', 'translation', 'title']
    """
    title = summary = last = ""
    for role, text, twin in document.units:
        good = is_paragraph(text, language)
        if twin and is_translation(text, twin, language):
            yield "translation", text, twin
        if role == "title":
            title, last = (text if in_language(text, language) else ""), ""
        elif role == "summary":
            if title and good:
                yield "title", title, text
            summary, title, last = (text if in_language(text, language, words=2) else ""), "", ""
        elif good:
            if title:
                yield "question" if title.endswith("?") else "title", title, text
            if summary:
                yield "summary", summary, text
            if last and not title and not summary:
                yield "neighbour", last, text
            title, summary, last = "", "", text
