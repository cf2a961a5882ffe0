"""Sections of prose, tables and figures as one HTML file that loads nothing, and as a part of a notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from helpers.report.figures import png

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Drawing", "Section", "Shown", "fragment", "render"]

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
thead th:first-child, thead tr + tr th, tbody th, td.text { text-align: left; }
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


class Shown(NamedTuple):
    """A table as a page shows it."""

    table: pd.DataFrame


class Drawing(NamedTuple):
    """A figure of a page: its name in :meth:`helpers.report.Report.figure`, its caption and what it shows in words."""

    name: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Section:
    """A part of a report; shown as HTML by Jupyter.

    Attributes
    ----------
    name : str
        What :meth:`helpers.report.Report.section` calls it.
    heading : str
        The heading on the page of a report.
    parts : tuple of str, Shown or Drawing
        Prose in Markdown, tables and figures, in order.
    figure : callable
        Draws a figure by its name.
    """

    name: str
    heading: str
    parts: tuple[str | Shown | Drawing, ...]
    figure: Callable[[str], Figure]

    def _repr_html_(self) -> str:
        return fragment([self])

    def __repr__(self) -> str:
        return f"Section({self.heading!r})"


def render(title: str, summary: Sequence[str], sections: Sequence[Section], about: Mapping[str, Any]) -> str:
    """A whole page.

    Parameters
    ----------
    title
        Title and heading of the page.
    summary
        What the page says in short, in Markdown.
    sections
        Parts of the page, each with its heading, to which the head of the page links.
    about
        How the page was made: what its foot tells, by name.
    """
    links = "".join(f'<li><a href="#{_anchor(s.heading)}">{html.escape(s.heading)}</a></li>' for s in sections)
    short = "".join(map(_markdown, summary))
    foot = "".join(
        f'<tr><th scope="row">{html.escape(str(name))}</th><td class="text">{html.escape(str(value))}</td></tr>'
        for name, value in about.items()
    )
    title = html.escape(title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<nav aria-label="Sections"><ul>{links}</ul></nav>
<section class="short" aria-label="In short">{short}</section>
{"".join(f'<h2 id="{_anchor(s.heading)}">{html.escape(s.heading)}</h2>{_body(s)}' for s in sections)}
<footer><p>How this page was made</p><div class="scroll"><table><tbody>{foot}</tbody></table></div></footer>
</main>
</body>
</html>
"""


def fragment(sections: Sequence[Section]) -> str:
    """Sections as a part of another page, such as a notebook; a single one without its heading."""
    if len(sections) == 1:
        return f'<div class="report">{_body(sections[0])}</div>'
    parts = (f"<h2>{html.escape(section.heading)}</h2>{_body(section)}" for section in sections)
    return f'<div class="report">{"".join(parts)}</div>'


def _body(section: Section) -> str:
    return "".join(_shown(part, section) for part in section.parts)


def _shown(part: str | Shown | Drawing, section: Section) -> str:
    if isinstance(part, str):
        return _markdown(part)
    if isinstance(part, Shown):
        return f'<div class="scroll" style="overflow-x: auto; margin: 1em 0">{_table(part.table)}</div>'
    data, width = png(section.figure(part.name))
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" '
        f'style="max-width: 100%; height: auto" alt="{html.escape(part.alt, quote=True)}">'
        f"<figcaption>{_markdown(part.caption)}</figcaption></figure>"
    )


def _table(table: pd.DataFrame) -> str:
    """A table whose cells of words are aligned to the left."""
    if table.index.nlevels == 1 and table.columns.name is None:
        table = table.rename_axis(index=None, columns=table.index.name)
    found = table.to_html(border=0, na_rep="", escape=True)
    words = r"<td>(?=[^<]*[^\s\d.,+\-<][^<]*</td>)(?!(?:NaN|nan|inf)</td>)"
    found = re.sub(words, '<td class="text" style="text-align: left">', found)
    return found.replace("<td>", '<td style="text-align: right">')


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text.strip())


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
