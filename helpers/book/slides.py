"""Slides of a chapter: its title, a slide for each section with its figures, and what to keep; one file of HTML.

The file needs nothing else: pictures, styles and equations (MathJax, as vector graphics) are inside. Arrow keys and a
click turn the pages, and printed it is one slide a page.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.book.markdown import PlainMarkdown
from helpers.book.render import chapters, executed_copies, graft
from helpers.book.working import converter
from helpers.locations import ROOT

__all__ = ["Slide", "slides_of", "write_slides"]

#: Headings of sections that make no slide of their own.
_LEFT_OUT = ("Exercises", "Sources")
_TAKEAWAYS = ("What to keep", "Takeaways")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z*$`\"'])")


@dataclass
class Slide:
    """One slide.

    Attributes
    ----------
    heading
        Heading of the slide, plain Markdown.
    points
        What stands below it, plain Markdown, one entry for each line or point.
    figures
        Figures: (picture as a data address, alternative text, caption).
    """

    heading: str
    points: list[str] = field(default_factory=list)
    figures: list[tuple[str, str, str]] = field(default_factory=list)


def slides_of(notebook: NotebookNode, convert: PlainMarkdown) -> list[Slide]:
    """Slides of an executed chapter.

    Parameters
    ----------
    notebook
        Chapter with its outputs.
    convert
        What turns its text into plain Markdown.

    Returns
    -------
    list of Slide
        The title with the question of the chapter; for each section, its first sentence and its figures, one figure a
        slide; and what to keep.
    """
    found: list[Slide] = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if found and found[-1].heading not in _LEFT_OUT:
                for figure in _figures(cell, convert):
                    if found[-1].figures:
                        found.append(Slide(found[-1].heading))
                    found[-1].figures.append(figure)
            continue
        text = convert(cell.source)
        for piece in re.split(r"^(?=##? )", text, flags=re.MULTILINE):
            heading = re.match(r"##? (.*)", piece)
            if heading:
                found.append(Slide(heading[1].strip(), _points(piece[heading.end() :], heading[1].strip())))
    return [slide for slide in found if slide.heading not in _LEFT_OUT]


def _points(text: str, heading: str) -> list[str]:
    """What a slide says: all of what to keep, else the first paragraph, cut to two sentences."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip())]
    prose = [part for part in paragraphs if part and not re.match(r"[>#|$`!-]|\*\*[A-Z][^*]*\.\*\*", part)]
    if heading.startswith(_TAKEAWAYS):
        listed = re.findall(r"^[-*] (.*(?:\n  .*)*)", text, flags=re.MULTILINE)
        return [" ".join(item.split()) for item in listed] or [s for part in prose for s in _SENTENCE.split(part)]
    return _SENTENCE.split(prose[0])[:2] if prose else []


def _figures(cell: NotebookNode, convert: PlainMarkdown) -> list[tuple[str, str, str]]:
    about = cell.metadata.get("mystnb", {})
    alt, caption = about.get("image", {}).get("alt", ""), about.get("figure", {}).get("caption", "")
    found, said = [], convert(caption) if caption else ""
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if picture := data.get("image/png"):
            found.append(
                (f"data:image/png;base64,{''.join(picture.split())}", alt, convert(caption) if caption else "")
            )
        elif drawing := data.get("image/svg+xml"):
            coded = base64.b64encode(drawing.encode()).decode()
            found.append((f"data:image/svg+xml;base64,{coded}", alt, said))
    return found


def write_slides(name: str, target: Path | None = None, root: Path = ROOT, executed: Path | None = None) -> Path:
    """Write the slides of a chapter as one file of HTML.

    Parameters
    ----------
    name
        Name of the chapter.
    target
        The file; ``_build/slides/NAME.html`` by default.
    root
        Folder of the book.
    executed
        Folder of the executed copies; ``_build/executed`` by default.

    Raises
    ------
    ValueError
        If the chapter was not executed, or its run is out of date.
    """
    path = {one.stem: one for one in chapters(root)}[name]
    ran = executed_copies(root, executed or root / "_build" / "executed")
    if name not in ran:
        raise ValueError(f"{name} was not executed, or is out of date. Run `python -m helpers run {name}` first.")
    notebook = graft(nbformat.read(path, as_version=4), ran[name])
    target = target or root / "_build" / "slides" / f"{name}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_page(slides_of(notebook, converter(name, root, ran))), encoding="utf-8")
    return target


_STYLE = """
html { scroll-snap-type: y mandatory; } body { margin: 0; font: 2.6vmin/1.45 Georgia, serif; color: #1c1c28; }
section { box-sizing: border-box; height: 100vh; padding: 6vmin 9vmin; scroll-snap-align: start;
  display: flex; flex-direction: column; justify-content: center; background: #fff; position: relative;
  break-after: page; }
h1 { font-size: 6.5vmin; line-height: 1.15; margin: 0 0 3vmin; }
h2 { font-size: 4.6vmin; line-height: 1.2; margin: 0 0 2vmin; }
figure { margin: 1vmin 0; min-height: 0; flex: 0 1 auto; display: flex; flex-direction: column; align-items: center; }
img { max-width: 100%; max-height: 56vh; min-height: 0; object-fit: contain; }
figcaption { font-size: 2vmin; max-width: 90ch; } p, li { margin: 1vmin 0; max-width: 75ch; font-size: 3vmin; }
footer { position: absolute; right: 4vmin; bottom: 2.5vmin; font-size: 1.8vmin; color: #555; }
@page { size: 297mm 167mm; margin: 0; } @media print { section { height: 167mm; } html { font-size: 5mm; } }
"""
_SCRIPT = """
const slides = [...document.querySelectorAll('section')];
const now = () => slides.findIndex((one) => one.getBoundingClientRect().bottom > innerHeight / 2);
const turn = (by) => slides[Math.max(0, Math.min(slides.length - 1, now() + by))].scrollIntoView();
addEventListener('keydown', (event) => {
  const by = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1,
    Home: -slides.length, End: slides.length }[event.key];
  if (by) { event.preventDefault(); turn(by); }
});
"""


def _page(slides: list[Slide]) -> str:
    body = []
    for number, slide in enumerate(slides, start=1):
        level = "h1" if number == 1 else "h2"
        parts = [f"<{level}>{_inline(slide.heading)}</{level}>"]
        if len(slide.points) > 2:
            parts.append("<ul>" + "".join(f"<li>{_inline(point)}</li>" for point in slide.points) + "</ul>")
        else:
            parts += [f"<p>{_inline(point)}</p>" for point in slide.points]
        for address, alt, caption in slide.figures:
            below = f"<figcaption>{_inline(caption)}</figcaption>" if caption else ""
            parts.append(f'<figure><img src="{address}" alt="{escape(alt)}">{below}</figure>')
        body.append(f"<section>{''.join(parts)}<footer>{number} / {len(slides)}</footer></section>")
    title = escape(re.sub(r"[*`$]", "", slides[0].heading if slides else ""))
    settings = "window.MathJax = {tex: {inlineMath: [['$', '$']]}, options: {enableMenu: false}};"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><script>{settings}</script><script>{_mathjax()}</script></head>"
        f"<body><main>{''.join(body)}</main><script>{_SCRIPT}</script></body></html>\n"
    )


def _mathjax() -> str:
    """MathJax that draws equations as vector graphics, so that it needs no fonts."""
    folder = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    return (folder / "tex-svg-full.js").read_text(encoding="utf-8").replace("</script", "<\\/script")


def _inline(text: str) -> str:
    """Plain Markdown of one line as HTML: emphasis, code, links to their text; formulas stay for MathJax."""
    pieces = re.split(r"(\$\$.+?\$\$|\$[^$]+\$|`[^`]+`)", text)
    return "".join(_formula_or_code(piece) if piece[:1] in "$`" and piece else _emphasis(piece) for piece in pieces)


def _formula_or_code(piece: str) -> str:
    return escape(piece, quote=False) if piece[0] == "$" else f"<code>{escape(piece[1:-1], quote=False)}</code>"


_MARKS: Mapping[str, str] = {
    r"\[([^\]]*)\]\([^)]*\)": r"\1",
    r"\*\*(.+?)\*\*": r"<strong>\1</strong>",
    r"\*(.+?)\*": r"<em>\1</em>",
}


def _emphasis(text: str) -> str:
    text = escape(text, quote=False)
    for pattern, made in _MARKS.items():
        text = re.sub(pattern, made, text)
    return text
