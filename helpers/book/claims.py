"""Judged claims on a page: shown where they are judged, and kept for the page that gathers all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helpers.inference import CLAIM_VERDICTS, claims_table, exceeded_words

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

__all__ = ["COUNTS", "show_claims"]

COUNTS = dict(zip(("reproduced", "not_reproduced", "not_testable"), CLAIM_VERDICTS, strict=True))
"""Names under which the number of claims with each verdict is kept."""


def show_claims(judged: pd.DataFrame, chapter: str, *, detail: bool = False) -> Styler:
    """The table of a chapter's claims, as its last line shows it; what other pages need of it is kept beside it.

    Parameters
    ----------
    judged
        Table from :func:`helpers.inference.judge`; of several studies one below the other, by ``pandas.concat``. Only
        one of them may be about the kind of models on which the claims were made.
    chapter
        First part of the names under which everything is glued.
    detail
        Same meaning as in :func:`helpers.inference.claims_table`.

    Returns
    -------
    Styler
        Table with columns of text to the left and nothing cut off.

    Raises
    ------
    ValueError
        If a claim is judged twice on its own kind of models: a claim has one verdict.

    Notes
    -----
    Glued are the table (``CHAPTER_claims``); of the claims on their own kind of models their number
    (``CHAPTER_claims_n``), how many have each verdict (``CHAPTER_claims_reproduced``, ``…_not_reproduced``,
    ``…_not_testable``) and how many are exceeded (``…_exceeded``); and of each claim, by its key, the verdict and what
    was found (``CHAPTER_verdict_KEY``, ``CHAPTER_found_KEY``), with ``_transfer`` at the end where the question is
    whether it transfers.
    """
    own = judged[~judged["transfer"]]
    if own.index.has_duplicates:
        raise ValueError(f"claim {own.index[own.index.duplicated()][0]!r} is judged twice; it has one verdict")
    words = claims_table(judged, detail=detail)
    aligned = "text-align: left; vertical-align: top;"
    shown = words.style.format(escape="html").format_index(escape="html").set_uuid(f"claims-{chapter}")
    shown = shown.set_table_styles(
        [{"selector": "td", "props": aligned}, {"selector": "th", "props": f"{aligned} font-weight: normal;"}]
    )
    _glue(f"{chapter}_claims", shown)
    _glue(f"{chapter}_claims_n", len(own))
    for name, verdict in COUNTS.items():
        _glue(f"{chapter}_claims_{name}", int((own["verdict"] == verdict).sum()))
    _glue(f"{chapter}_claims_exceeded", int(own["exceeded"].sum()))
    for (key, row), here in zip(judged.iterrows(), words["here"], strict=True):
        end = f"{key}_transfer" if row["transfer"] else key
        _glue(f"{chapter}_verdict_{end}", exceeded_words(row))
        _glue(f"{chapter}_found_{end}", here)
    return shown


def _glue(name: str, value: Any) -> None:
    from myst_nb import glue

    glue(name, value, display=False)
