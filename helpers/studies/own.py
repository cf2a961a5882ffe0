"""What the page "Your own embeddings" says of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.report import Report

__all__ = ["facts", "named_findings"]


def facts(report: Report) -> dict[str, Any]:
    """Facts about the report on the book's own input that the text names.

    Parameters
    ----------
    report
        What :func:`helpers.report.build` returns for embeddings with labels, one of them called ``dice``.

    Returns
    -------
    dict
        Number of ``findings`` and what they name (``named``); ``chance`` level and score of the ``dice``; ``gain`` of
        the best ensemble over the best single embedding, its interval ``ci_low`` to ``ci_high``, and the ``verdict``.
    """
    from helpers.report import BEST

    decisions, found = report.decisions, report.tables["redundant"]
    best = report.tables["gains"].set_index(["method", "against"]).loc[(decisions.ensemble, BEST)]
    return {
        "findings": float(len(found)),
        "named": named_findings(found),
        "chance": report.evaluation.chance,
        "dice": report.tables["quality"].loc["dice", "score"],
        "verdict": decisions.verdict,
        **best[["gain", "ci_low", "ci_high"]],
    }


def named_findings(found) -> str:
    """Embeddings that can go, each with its finding.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("dice", "noise", ""), ("b", "copy", "a")]
    >>> named_findings(pd.DataFrame(rows, columns=["embedding", "finding", "of"]))
    'dice (noise); b (copy of a)'
    """
    of = [f" of {other}" if other else "" for other in found["of"]]
    pairs = zip(found["embedding"], found["finding"], of, strict=True)
    return "; ".join(f"{embedding} ({finding}{other})" for embedding, finding, other in pairs)
