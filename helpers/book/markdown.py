"""MyST as plain Markdown, which JupyterLab and other readers of notebooks show as it is meant.

Boxes become quotations with a bold heading, references the numbers that the book gives them, citations author and year,
glued values the numbers of a run, and macros of formulas what they stand for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from helpers.book.numbers import glued_texts, role_parts, shown_as
from helpers.book.render import chapters
from helpers.locations import ROOT

__all__ = ["Labels", "PlainMarkdown", "Sources", "chapter_numbers", "expand_macros"]

_FENCE = re.compile(r"^(?P<mark>:{3,}|`{3,})\{(?P<name>[\w:-]+)\}\s*(?P<title>.*)$")
_OPTION = re.compile(r"^:([\w-]+):\s*(.*)$")
_ROLE = re.compile(r"\{(?P<name>[\w:.-]+)\}`(?P<text>[^`]+)`")
_DISPLAYED = re.compile(r"\$\$(?P<body>.+?)\$\$(?:[ \t]*\((?P<label>[\w:-]+)\))?", re.DOTALL)
_FORMULA = re.compile(r"\$\$.+?\$\$|(?<![\\$])\$[^$\n]+?\$", re.DOTALL)
_HEADING = re.compile(r"^(#+)\s+(.*)$")
_TARGET = re.compile(r"^\(([\w-]+)\)=$")
#: Boxes that are numbered, by the name of their directive.
_NUMBERED = {
    f"prf:{kind}": kind.capitalize()
    for kind in ("definition", "theorem", "proposition", "lemma", "corollary", "example", "remark", "algorithm")
}
_BOXES = {"note": "Note", "warning": "Warning", "tip": "Tip", "important": "Important", "hint": "Hint"}
_BOXES |= {"caution": "Caution", "seealso": "See also", "admonition": "", "dropdown": "", "prf:proof": "Proof"}


@dataclass
class Labels:
    """What the labels of the book stand for, with the numbers that the book gives them.

    Attributes
    ----------
    found
        Label → the chapter where it stands and how a reference to it reads, such as ``("01_measures", "Fig. 1.2")``.
    titles
        Page, as ``01_measures`` or ``book/which`` → its title.
    """

    found: dict[str, tuple[str, str]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    _counted: dict[str, Counter[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def of_book(cls, root: Path = ROOT) -> Labels:
        """Labels of all chapters, numbered as the table of contents numbers them."""
        labels, numbers = cls(), chapter_numbers(root, nested=True)
        for path in chapters(root):
            labels.add(nbformat.read(path, as_version=4), path.stem, numbers.get(path.stem, ""))
        for path in sorted((root / "book").glob("*.md")):
            if heading := _HEADING.match(path.read_text(encoding="utf-8").partition("\n")[0]):
                labels.titles[f"book/{path.stem}"] = heading[2]
        return labels

    def add(self, notebook: NotebookNode, chapter: str, number: str) -> None:
        """Number the boxes, equations, figures and exercises of a chapter, in their order."""
        # A chapter below another has its number, and goes on counting.
        counts = self._counted.setdefault(number or chapter, Counter())

        def next_of(kind: str) -> str:
            counts[kind] += 1
            return f"{number}.{counts[kind]}" if number else str(counts[kind])

        for cell in notebook.cells:
            if cell.cell_type == "code":
                figure = cell.metadata.get("mystnb", {}).get("figure", {})
                if name := figure.get("name"):
                    self.found[name] = chapter, f"Fig. {next_of('figure')}"
                continue
            pending: list[str] = []
            for line, name, label in _landmarks(cell.source):
                if name == "target":
                    pending.append(label)
                elif name == "heading":
                    self.titles.setdefault(chapter, line)
                    self.found |= {target: (chapter, line) for target in pending}
                    pending = []
                elif name == "math":
                    self.found[label] = chapter, f"({next_of('equation')})"
                elif name in _NUMBERED:
                    self.found[label] = chapter, f"{_NUMBERED[name]} {next_of(name)}"
                elif name in ("exercise", "exercise-start"):
                    self.found[label] = chapter, f"Exercise {next_of('exercise')}"
                elif name in ("figure", "image") and label:
                    self.found[label] = chapter, f"Fig. {next_of('figure')}"

    def link(self, label: str, here: str) -> str:
        """A reference as a reader of the chapter ``here`` sees it; a label that is nowhere stands as it is."""
        chapter, text = self.found.get(label, (here, f"`{label}`"))
        return text if chapter == here else f"[{text}]({chapter}.ipynb)"


def chapter_numbers(root: Path = ROOT, *, nested: bool = False) -> dict[str, str]:
    """Numbers of the chapters in the parts that the table of contents numbers; they go on from part to part.

    Parameters
    ----------
    root
        Folder of the book.
    nested
        Whether chapters that stand below another are there, too, with the number of that one.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    numbered = [
        [chapter["file"], *(below["file"] for below in chapter.get("sections", []) if nested)]
        for part in toc.get("parts", [])
        if part.get("numbered")
        for chapter in part.get("chapters", [])
    ]
    return {Path(file).stem: str(at) for at, files in enumerate(numbered, start=1) for file in files}


def _landmarks(source: str) -> Iterator[tuple[str, str, str]]:
    """``(text, kind, label)`` of everything in a cell that can be referred to, in order."""
    lines = source.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.match(line):
            title, options, body, after = _block(lines, at)
            name = fence["name"]
            yield title, name, options.get("label", options.get("name", ""))
            if name != "math":
                yield from _landmarks("\n".join(body))
            at = after
            continue
        if line.startswith("```"):
            at = next((i for i in range(at + 1, len(lines)) if lines[i].startswith("```")), len(lines)) + 1
            continue
        if target := _TARGET.match(line.strip()):
            yield "", "target", target[1]
        elif heading := _HEADING.match(line):
            yield heading[2], "heading", ""
        for label in re.findall(r"\$\$[ \t]*\(([\w:-]+)\)", line):
            yield "", "math", label
        at += 1


def _block(lines: list[str], at: int) -> tuple[str, dict[str, str], list[str], int]:
    """Title, options and body of the directive that begins at a line, and the line after it."""
    fence = _FENCE.match(lines[at])
    mark = fence["mark"]
    closing = re.compile(rf"{re.escape(mark[0])}{{{len(mark)},}}\s*")
    end = next((i for i in range(at + 1, len(lines)) if closing.fullmatch(lines[i])), len(lines))
    body, options = lines[at + 1 : end], {}
    while body and (option := _OPTION.match(body[0].strip())):
        options[option[1]] = option[2]
        body = body[1:]
    return fence["title"].strip(), options, body, end + 1


class Sources:
    """Entries of the bibliography: how they are cited, and how they are listed.

    Parameters
    ----------
    file
        BibTeX file of the entries.
    """

    def __init__(self, file: Path):
        from pybtex.database import parse_file

        self.entries = parse_file(str(file)).entries if file.exists() and file.stat().st_size else {}

    def cited(self, key: str, *, in_text: bool) -> str:
        """``Popov, 2025``, or in a sentence ``Popov (2025)``; a key without an entry stands as it is."""
        if key not in self.entries:
            return f"`{key}`"
        entry = self.entries[key]
        names = [" ".join(person.prelast_names + person.last_names) for person in entry.persons.get("author", [])]
        who = names[0] if names else entry.fields.get("title", key)
        who += f" and {names[1]}" if len(names) == 2 else " et al." if len(names) > 2 else ""
        year = entry.fields.get("year", "no date")
        return _plain(f"{who} ({year})" if in_text else f"{who}, {year}")

    def listed(self, key: str) -> str:
        """Authors, year, title and place of an entry, in one line."""
        entry = self.entries[key]
        people = entry.persons.get("author", [])
        names = ", ".join(" ".join([*p.first_names, *p.middle_names, *p.prelast_names, *p.last_names]) for p in people)
        fields = entry.fields
        places = ("journal", "booktitle", "publisher", "school", "howpublished")
        where = next((fields[name] for name in places if name in fields), "")
        parts = [names, fields.get("year", ""), f"*{fields.get('title', key)}*", where, _address(fields)]
        return _plain(". ".join(part for part in parts if part) + ".")


def _address(fields: Mapping[str, str]) -> str:
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    return fields.get("url", "")


def _plain(text: str) -> str:
    from pybtex.richtext import Text

    return str(Text.from_latex(text)) if re.search(r"[\\{}]", text) else text


def expand_macros(text: str, macros: Mapping[str, object]) -> str:
    r"""Formulas of a text with the book's macros replaced by what they stand for.

    Parameters
    ----------
    text
        Markdown with formulas between dollar signs.
    macros
        Name → its definition, a string, or a list of a string and its number of arguments, as MathJax takes them.

    Examples
    --------
    >>> expand_macros(r"$x \in \R$, $\norm{x_{1}}$", {"R": [r"\mathbb{R}"], "norm": [r"\lVert #1 \rVert", 1]})
    '$x \\in \\mathbb{R}$, $\\lVert x_{1} \\rVert$'
    """
    return _FORMULA.sub(lambda match: _expanded(match[0], macros), text) if macros else text


def _expanded(formula: str, macros: Mapping[str, object]) -> str:
    pattern = re.compile(r"\\(" + "|".join(map(re.escape, sorted(macros, key=len, reverse=True))) + r")(?![A-Za-z])")
    at = 0
    while match := pattern.search(formula, at):
        given = macros[match[1]]
        body, count = (given, 0) if isinstance(given, str) else (given[0], given[1] if len(given) > 1 else 0)
        end = match.end()
        for number in range(1, count + 1):
            argument, end = _argument(formula, end)
            body = body.replace(f"#{number}", argument)
        if re.match(r"[A-Za-z]", formula[end:]) and re.search(r"\\[A-Za-z]+$", body):
            body += " "
        formula, at = formula[: match.start()] + body + formula[end:], match.start()
    return formula


def _argument(text: str, at: int) -> tuple[str, int]:
    """The argument of a macro that begins at a place: a group in braces, or one character."""
    while at < len(text) and text[at] == " ":
        at += 1
    if at >= len(text) or text[at] != "{":
        return text[at : at + 1], at + 1
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0) if text[end - 1] != "\\" else 0
        if depth == 0:
            return text[at + 1 : end], end + 1
    return text[at + 1 :], len(text)


class PlainMarkdown:
    """Turns the cells of one chapter into plain Markdown.

    Parameters
    ----------
    chapter
        Name of the chapter.
    labels
        What labels stand for.
    sources
        Entries of the bibliography.
    executed
        Executed copies by chapter, whose values stand where the text shows glued ones; others are shown as ``…``.
    macros
        Macros of formulas.

    Attributes
    ----------
    keys
        Keys of the sources that were cited so far.
    """

    def __init__(
        self,
        chapter: str,
        labels: Labels,
        sources: Sources,
        executed: Mapping[str, NotebookNode],
        macros: Mapping[str, object] | None = None,
    ):
        self.chapter, self.labels, self.sources, self.macros = chapter, labels, sources, macros or {}
        self.values = {name: glued_texts(notebook) for name, notebook in executed.items()}
        self.keys: list[str] = []

    def __call__(self, source: str) -> str:
        """The text of a cell."""
        text = "\n".join(self._lines(source.splitlines()))
        return expand_macros(re.sub(r"\n{3,}", "\n\n", text).strip(), self.macros)

    def _lines(self, lines: list[str]) -> list[str]:
        found: list[str] = []
        prose: list[str] = []

        def end_prose() -> None:
            found.extend(self._prose("\n".join(prose)).split("\n") if prose else [])
            prose.clear()

        at = 0
        while at < len(lines):
            if _FENCE.match(lines[at]):
                end_prose()
                name = _FENCE.match(lines[at])["name"]
                title, options, body, at = _block(lines, at)
                found += ["", *self._directive(name, title, options, body), ""]
            elif lines[at].startswith("```"):
                end_prose()
                end = next((i for i in range(at + 1, len(lines)) if lines[i].startswith("```")), len(lines) - 1)
                found += lines[at : end + 1]
                at = end + 1
            else:
                if not _TARGET.match(lines[at].strip()):
                    prose.append(lines[at])
                at += 1
        end_prose()
        return found

    def _directive(self, name: str, title: str, options: Mapping[str, str], body: list[str]) -> list[str]:
        label = options.get("label", options.get("name", ""))
        title = self._prose(title)
        number = self.labels.found.get(label, ("", ""))[1]
        if name == "math":
            return self._prose("\n".join(["$$", *body, f"$$ ({label})" if label else "$$"])).split("\n")
        if name in ("exercise-end", "solution-end"):
            return []
        if name in ("exercise", "exercise-start"):
            return [f"**{number or 'Exercise'}{f' ({title})' if title else ''}.**", "", *self._lines(body)]
        if name in ("solution", "solution-start"):
            return [f"**Solution of {self.labels.link(title, self.chapter)}.**", "", *self._lines(body)]
        if name in ("figure", "image"):
            caption = self._prose(" ".join(body))
            return [f"![{options.get('alt', '')}]({title})", "", *([f"**{number}.** {caption}"] if caption else [])]
        if name in _NUMBERED:
            heading = (number or _NUMBERED[name]) + (f" ({title})" if title else "")
        elif name in _BOXES:
            heading = _BOXES[name] + (f" ({title})" if title and _BOXES[name] else title)
        else:
            heading = title
        inside = "\n".join(self._lines(body)).strip().split("\n")
        quoted = [f"**{heading}.**" if heading else "", "", *_one_line_formulas("\n".join(inside)).split("\n")]
        return [f"> {line}".rstrip() for line in quoted]

    def _prose(self, text: str) -> str:
        text = _ROLE.sub(lambda match: self._role(match["name"], match["text"]), text)
        text = _DISPLAYED.sub(self._displayed, text)
        return re.sub(r"^(\S.*)\n: +(.*)$", r"**\1**  \n\2", text, flags=re.MULTILINE)  # definition lists

    def _displayed(self, match: re.Match) -> str:
        if not match["label"]:
            return match[0]
        number = self.labels.found.get(match["label"], ("", ""))[1].strip("()")
        return f"$${match['body'].rstrip()} \\tag{{{number}}}\n$$"

    def _role(self, name: str, text: str) -> str:
        titled = re.fullmatch(r"(.*?)\s*<([^<>]+)>", text)
        said, target = titled.groups() if titled else ("", text)
        if name == "glue:text":
            return self._value(text)
        if name in ("cite", "cite:p", "cite:t", "cite:ps", "cite:ts"):
            keys = [key.strip() for key in text.split(",")]
            self.keys += [key for key in keys if key in self.sources.entries and key not in self.keys]
            in_text = name.startswith("cite:t")
            cited = ", ".join(self.sources.cited(key, in_text=in_text) for key in keys)
            return cited if in_text else f"({cited})"
        if name == "doc":
            return self._page(target, said)
        if name in ("eq", "numref", "prf:ref", "ref"):
            reference = self.labels.link(target, self.chapter)
            return f"{said} ({reference})" if said and name == "ref" else reference
        return f"${text}$" if name == "math" else f"`{text}`"

    def _value(self, text: str) -> str:
        role = role_parts(text)
        page, _, name = role.name.rpartition("::")
        chapter = Path(page).stem if page else self.chapter
        shown = shown_as(self.values.get(chapter, {}), role._replace(name=name))
        return "…" if shown is None else shown

    def _page(self, target: str, said: str) -> str:
        stem = Path(target).stem if target.endswith((".ipynb", ".md")) else Path(target).name
        if stem in self.labels.titles:
            return f"[{said or self.labels.titles[stem]}]({stem}.ipynb)"
        return f"*{said or self.labels.titles.get(f'book/{stem}', stem)}*"


def _one_line_formulas(text: str) -> str:
    """Displayed formulas on one line each: in a quotation, the marks of further lines would become part of them."""
    return re.sub(r"\$\$(.+?)\$\$", lambda match: f"$${' '.join(match[1].split())}$$", text, flags=re.DOTALL)
