"""An executed chapter as one HTML file that loads nothing."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

__all__ = ["BOOK_ONLY", "IN_SHORT", "render", "without_book_only"]

#: Tag of cells that belong to the chapter of the book and not to a report.
BOOK_ONLY = "book-only"
#: Tag of cells whose last paragraph of prose goes to the head of the page.
IN_SHORT = "in-short"

STYLE = """
:root { color-scheme: light dark; --ink: #1d2228; --soft: #5b6570; --page: #ffffff; --card: #f5f7f9; --line: #d9dee3;
  --accent: #0b6aa2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --soft: #a3adb7; --page: #14181c; --card: #1c2227;
  --line: #343c44; --accent: #6bb7e8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1rem 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
p, li { max-width: 46rem; overflow-wrap: break-word; }
a { color: var(--accent); }
.soft, figcaption, footer { color: var(--soft); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; padding: 0; margin: .75rem 0; }
.short { background: var(--card); border-left: 4px solid var(--accent); border-radius: 4px; padding: .4rem 1.1rem;
  margin: 1.25rem 0; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .7rem; text-align: right; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; text-align: right; }
tbody th, td.text { text-align: left; }
thead th { color: var(--soft); font-weight: 500; }
tbody tr:hover { background: var(--card); }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; max-width: 42rem; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 4px; padding: .75rem 1rem;
  overflow-x: auto; font-size: .85rem; line-height: 1.45; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .9em; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); font-size: .875rem; padding-top: .5rem; }
@media (max-width: 34rem) { main { padding: .75rem .9rem 3rem; } h1 { font-size: 1.5rem; }
  th, td { padding: .28rem .45rem; } }
@media print { nav { display: none; } .scroll { overflow: visible; } }
"""


def without_book_only(notebook: NotebookNode) -> NotebookNode:
    """The chapter less the cells that only the book has."""
    from copy import deepcopy

    kept = deepcopy(notebook)
    kept.cells = [cell for cell in kept.cells if BOOK_ONLY not in cell.metadata.get("tags", [])]
    return kept


def render(notebook: NotebookNode, title: str, about: Mapping[str, Any]) -> str:
    """The prose and the outputs of an executed notebook as one page.

    Parameters
    ----------
    notebook
        Executed; its first heading gives way to ``title``. Code is left out, and so are errors and streams.
    title
        Heading and title.
    about
        What the foot of the page tells, by name.
    """
    body, short, sections = [], [], []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            text = re.sub(r"\A# .*\n?", "", cell.source)
            for heading in re.findall(r"^## (.*)$", text, re.MULTILINE):
                sections.append((_anchor(heading), heading))
            body.append(_headed(_markdown(text)))
        elif cell.cell_type == "code":
            for output in cell.get("outputs", []):
                body += _shown(output, cell)
                if IN_SHORT in tags and "text/markdown" in output.get("data", {}):
                    short.append(_markdown(output.data["text/markdown"].strip().split("\n\n")[-1]))
    links = "".join(f'<li><a href="#{anchor}">{html.escape(words)}</a></li>' for anchor, words in sections)
    foot = "".join(
        f'<tr><th scope="row">{html.escape(str(name))}</th><td class="text">{html.escape(str(value))}</td></tr>'
        for name, value in about.items()
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{html.escape(title)}</h1>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<section class="short" aria-label="In short">{"".join(short)}</section>
{"".join(body)}
<footer><p>How this page was made</p><div class="scroll"><table><tbody>{foot}</tbody></table></div></footer>
</main>
</body>
</html>
"""


def _shown(output: NotebookNode, cell: NotebookNode) -> Iterator[str]:
    """One output of a code cell."""
    data = output.get("data", {})
    if "scrapbook" in output.get("metadata", {}):
        return
    figure = cell.metadata.get("mystnb", {})
    if "image/png" in data:
        alt = html.escape(figure.get("image", {}).get("alt", ""), quote=True)
        content = re.sub(r"\s", "", data["image/png"])
        base64.b64decode(content, validate=True)
        size = output.metadata.get("image/png", {})
        given = "".join(f' {side}="{int(size[side])}"' for side in ("width", "height") if side in size)
        caption = _markdown(figure.get("figure", {}).get("caption", ""))
        yield f'<figure><img src="data:image/png;base64,{content}" alt="{alt}"{given}>'
        yield f"<figcaption>{caption}</figcaption></figure>"
    elif "text/markdown" in data:
        yield _markdown(data["text/markdown"])
    elif "text/html" in data:
        table = re.sub(r"<style[^>]*>.*?</style>", "", data["text/html"], flags=re.DOTALL)
        table = re.sub(r'<table border="1" class="dataframe">', "<table>", table)
        table = re.sub(r"<td>(?=[^<]*[^\s\d.,+\-<][^<]*</td>)(?!(?:NaN|nan|inf)</td>)", '<td class="text">', table)
        yield f'<div class="scroll">{table}</div>'


def _markdown(text: str) -> str:
    """Markdown as HTML; roles that only the book resolves are left out."""
    from markdown_it import MarkdownIt

    text = re.sub(r" ?\((?:[^()]*?)\{(?:doc|cite|numref|eq|prf:ref)\}`[^`]*`[^()]*\)", "", text)
    text = re.sub(r" ?\{(?:cite|doc|numref|eq|prf:ref)\}`[^`]*`", "", text)
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def _headed(body: str) -> str:
    """Headings with the anchors that the list of sections names."""
    return re.sub(r"<h2>(.*?)</h2>", lambda m: f'<h2 id="{_anchor(_plain(m[1]))}">{m[1]}</h2>', body)


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
