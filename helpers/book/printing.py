"""The printed edition: the whole book as one PDF, and one page of it."""

from __future__ import annotations

import base64
from pathlib import Path

from helpers.book.browser import Tab, open_tab
from helpers.book.render import build_book
from helpers.locations import ROOT

__all__ = ["SOLUTIONS", "print_book", "print_page"]

SOLUTIONS = ("none", "appendix")
"""Where solutions are printed: nowhere, or behind all chapters."""

MARGIN = 0.75  # inches
#: Waits for equations, pictures that load late, and fonts.
_READY = """(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  for (const image of document.images) { image.loading = 'eager'; }
  await Promise.all([...document.images].map((image) => image.decode().catch(() => null)));
  await document.fonts.ready;
  return document.images.length;
})()"""
_FOOT = (
    '<div style="width: 100%; text-align: center; font: 8pt sans-serif; color: #444">'
    '<span class="pageNumber"></span></div>'
)


def print_book(
    root: Path = ROOT, executed: Path | None = None, *, solutions: str = "none", strict: bool = True
) -> Path:
    """Render the executed chapters as one page and print it to ``_build/book.pdf``.

    Parameters
    ----------
    root
        Folder of the book.
    executed
        Folder of the executed copies; ``_build/executed`` by default.
    solutions
        Where the solutions of exercises are printed: one of :data:`SOLUTIONS`.
    strict
        Whether a chapter without a valid run, or a warning, is an error.

    Returns
    -------
    Path
        The PDF: A4, with an outline, numbered pages and figures, and links that work inside.

    Raises
    ------
    ValueError
        If ``solutions`` is none of these.
    RuntimeError
        If no browser is installed.
    SystemExit
        If a chapter was not executed, or rendering fails.
    """
    if solutions not in SOLUTIONS:
        raise ValueError(f"solutions is {solutions!r}; it is one of {', '.join(map(repr, SOLUTIONS))}")
    executed = executed or root / "_build" / "executed"
    edition, name = ("print-appendix", "book-with-solutions.pdf") if solutions == "appendix" else ("print", "book.pdf")
    page = build_book(root, executed, strict=strict, quiet=True, edition=edition)
    with open_tab(patience=900) as tab:
        return print_page(tab, page, root / "_build" / name)


def print_page(tab: Tab, page: Path, target: Path) -> Path:
    """Print a page that lies on this machine; code is wrapped, and nothing scrolls (``book/_static/book.css``)."""
    tab.choose_theme("light")
    tab.open(page.resolve().as_uri())
    tab.run(_READY)
    printed = tab.call(
        "Page.printToPDF",
        paperWidth=8.27,
        paperHeight=11.69,
        marginTop=MARGIN,
        marginBottom=MARGIN,
        marginLeft=MARGIN,
        marginRight=MARGIN,
        displayHeaderFooter=True,
        headerTemplate="<span></span>",
        footerTemplate=_FOOT,
        printBackground=True,
        generateDocumentOutline=True,
        generateTaggedPDF=True,
        transferMode="ReturnAsStream",
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while True:
            piece = tab.call("IO.read", handle=printed["stream"], size=1 << 20)
            file.write(base64.b64decode(piece["data"]) if piece.get("base64Encoded") else piece["data"].encode())
            if piece["eof"]:
                break
    tab.call("IO.close", handle=printed["stream"])
    return target
