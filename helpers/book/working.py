"""Notebooks to work with in class: without solutions, or with them for teachers, and readable in JupyterLab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from helpers.book.markdown import Labels, PlainMarkdown, Sources
from helpers.book.render import chapters, executed_copies, graft, without_solutions
from helpers.locations import ROOT

__all__ = ["converter", "working_notebook", "write_notebooks"]

_HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def working_notebook(
    notebook: NotebookNode, convert: PlainMarkdown, *, solutions: bool = False, outputs: bool = False
) -> NotebookNode:
    """A chapter as a notebook that JupyterLab shows well.

    Parameters
    ----------
    notebook
        Chapter, with outputs or without.
    convert
        What turns its text into plain Markdown.
    solutions
        Whether the solutions of exercises stay.
    outputs
        Whether outputs stay; otherwise each cell waits to be run.

    Returns
    -------
    NotebookNode
        Text as plain Markdown, captions below their figures, cells that the page hides folded, sources at the end.
    """
    source = notebook if solutions else without_solutions(notebook)
    cells = []
    for cell in source.cells:
        if cell.cell_type == "markdown":
            if text := convert(cell.source):
                cells.append(nbformat.v4.new_markdown_cell(text, id=cell.id))
            continue
        tags = list(cell.metadata.get("tags", []))
        about = {"tags": tags} if tags else {}
        about |= {"jupyter": {"source_hidden": True}} if _HIDDEN & set(tags) else {}
        made = nbformat.from_dict({**cell, "metadata": about})
        if not outputs:
            made.outputs, made.execution_count = [], None
        cells.append(made)
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if figure.get("caption"):
            number = convert.labels.found.get(figure.get("name", ""), ("", "Figure"))[1]
            caption = f"**{number}.** {convert(figure['caption'])}"
            cells.append(nbformat.v4.new_markdown_cell(caption, id=f"{cell.id}-caption"))
    if convert.keys:
        listed = "\n".join(f"- {convert.sources.listed(key)}" for key in sorted(convert.keys))
        cells.append(nbformat.v4.new_markdown_cell(f"## Sources\n\n{listed}", id="sources"))
    kept = {name: source.metadata[name] for name in ("kernelspec", "language_info") if name in source.metadata}
    return nbformat.v4.new_notebook(cells=cells, metadata=kept)


def write_notebooks(
    folder: Path,
    root: Path = ROOT,
    executed: Path | None = None,
    *,
    solutions: bool = False,
    outputs: bool = False,
) -> list[Path]:
    """Write a working notebook for each chapter, with the numbers of its last run in the text.

    Parameters
    ----------
    folder
        Folder of the notebooks; what is there under the same names is replaced.
    root
        Folder of the book.
    executed
        Folder of the executed copies; ``_build/executed`` by default.
    solutions
        Whether the solutions of exercises stay.
    outputs
        Whether outputs stay.

    Returns
    -------
    list of Path
        The notebooks, in reading order.

    Raises
    ------
    ValueError
        If a chapter was not executed, or its run is out of date.
    """
    ran = executed_copies(root, executed or root / "_build" / "executed")
    missing = [path.name for path in chapters(root) if path.stem not in ran]
    if missing:
        raise ValueError(f"not executed, or out of date: {', '.join(missing)}. Run `python -m helpers run` first.")
    labels, sources, macros = Labels.of_book(root), Sources(root / "book" / "references.bib"), _macros(root)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in chapters(root):
        chapter = graft(nbformat.read(path, as_version=4), ran[path.stem])
        convert = PlainMarkdown(path.stem, labels, sources, ran, macros)
        made = working_notebook(chapter, convert, solutions=solutions, outputs=outputs)
        target = folder / path.name
        target.write_text(nbformat.writes(made) + "\n", encoding="utf-8")
        written.append(target)
    return written


def converter(name: str, root: Path, ran: Mapping[str, NotebookNode]) -> PlainMarkdown:
    """What turns the text of one chapter into plain Markdown, with the numbers of the executed copies."""
    return PlainMarkdown(name, Labels.of_book(root), Sources(root / "book" / "references.bib"), ran, _macros(root))


def _macros(root: Path) -> Mapping[str, object]:
    """Macros of formulas, as the settings of the book define them."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    sphinx = config.get("sphinx", {}).get("config", {})
    return sphinx.get("mathjax3_config", {}).get("tex", {}).get("macros", {})
