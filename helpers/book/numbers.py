"""The numbers that a chapter glued, as its text shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from nbformat import NotebookNode

__all__ = ["ROLE", "Shown", "glued_texts", "numbers_in_text", "shown_as"]

#: A role that shows a glued value: ``{glue:text}`name:.2f```.
ROLE = re.compile(r"\{glue:text\}`([^`]+)`")


class Shown(NamedTuple):
    """A role of the text: the name of a glued value and how it is formatted."""

    name: str
    form: str


def numbers_in_text(notebook: NotebookNode) -> Iterator[Shown]:
    """Roles that show glued values, in the order of the page; those of captions stand where their figure does.

    Examples
    --------
    >>> import nbformat
    >>> cell = nbformat.v4.new_markdown_cell("CKA is {glue:text}`same_cka:.2f`, of {glue:text}`same_n` sentences.")
    >>> list(numbers_in_text(nbformat.v4.new_notebook(cells=[cell])))
    [Shown(name='same_cka', form='.2f'), Shown(name='same_n', form='s')]
    """
    for cell in notebook.cells:
        text = cell.source if cell.cell_type == "markdown" else _caption(cell)
        for match in ROLE.finditer(text):
            yield role_parts(match[1])


def role_parts(text: str) -> Shown:
    """Name and format of the content of a role; without a format the value is a word, ``"s"``.

    Examples
    --------
    >>> role_parts("measures_share:.0%"), role_parts("measures_name")
    (Shown(name='measures_share', form='.0%'), Shown(name='measures_name', form='s'))
    """
    name, _, form = text.rpartition(":") if re.search(r"[^:]:[^:]*$", text) else (text, "", "s")
    return Shown(name, form)


def glued_texts(executed: NotebookNode) -> dict[str, str]:
    """What an executed notebook glued: name → the plain text of the value, as it lies in the notebook."""
    found = {}
    for cell in executed.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                data: dict[str, Any] = output.data
                found[name] = data.get("text/plain") or data.get("application/papermill.record/text/plain", "")
    return found


def shown_as(texts: dict[str, str], role: Shown) -> str | None:
    """The value as a page shows it; ``None`` if it was not glued or does not take the format.

    Examples
    --------
    >>> shown_as({"same_cka": "0.52731"}, Shown("same_cka", ".2f"))
    '0.53'
    """
    from myst_nb.core.variables import format_plain_text

    if role.name not in texts:
        return None
    try:
        return format_plain_text(texts[role.name], role.form)
    except (ValueError, TypeError):
        return None


def _caption(cell: NotebookNode) -> str:
    return cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
