"""What a pipeline may require of a report: conditions in words, each met or not, with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from helpers.report.health import COLLAPSES

__all__ = ["REQUIREMENTS", "Requirement", "check_requirements", "parse_requirement"]


class Requirement(NamedTuple):
    """One condition.

    Attributes
    ----------
    name : str
        As it was asked for.
    met : bool
    reason : str
        What was found, in words.
    """

    name: str
    met: bool
    reason: str


def _nothing_redundant(report: Any) -> tuple[bool, str]:
    found = report.decisions.redundant
    return not found, f"{', '.join(found)} can go" if found else "no embedding can go"


def _better(report: Any) -> tuple[bool, str]:
    verdict = report.decisions.verdict
    if verdict is None:
        return False, "there is no target"
    return verdict == "better", f"the ensemble against the best single embedding: {verdict}"


def _decided(report: Any) -> tuple[bool, str]:
    verdict = report.decisions.verdict
    if verdict is None:
        return False, "there is no target"
    return verdict != "not distinguishable", f"the ensemble against the best single embedding: {verdict}"


def _nothing_lost(report: Any) -> tuple[bool, str]:
    rows, files = len(report.tables["left_out"]), len(report.tables["not_read"])
    return not rows and not files, f"{rows} rows were left out and {files} files or columns were not read"


def _no_collapse(report: Any) -> tuple[bool, str]:
    table = report.tables["diagnosis"]
    return _without(table[table["finding"].isin(COLLAPSES)], "no embedding has collapsed")


def _no_findings(report: Any) -> tuple[bool, str]:
    return _without(report.tables["diagnosis"], "nothing was found in any embedding")


def _nothing_moved(report: Any) -> tuple[bool, str]:
    if report.versions is None or report.versions.why:
        return False, "no two versions of an embedding were compared"
    moved = int(report.tables["drift_objects"]["moved"].sum())
    return not moved, f"{moved or 'no'} objects moved between the versions"


def _without(table: Any, good: str) -> tuple[bool, str]:
    found = table[table["found"]]
    words = [f"{finding} of {name}" for name, finding in zip(found["embedding"], found["finding"], strict=True)]
    return not words, ", ".join(words) or good


#: Conditions by name; besides, ``score>=NUMBER``.
REQUIREMENTS: dict[str, Callable[[Any], tuple[bool, str]]] = {
    "nothing-redundant": _nothing_redundant,
    "better": _better,
    "decided": _decided,
    "nothing-lost": _nothing_lost,
    "no-collapse": _no_collapse,
    "no-findings": _no_findings,
    "nothing-moved": _nothing_moved,
}
_SCORE = re.compile(r"score>=(-?[0-9.]+(?:[eE]-?[0-9]+)?)$")


def parse_requirement(text: str) -> Callable[[Any], tuple[bool, str]]:
    """The condition that a text names.

    ``nothing-redundant``: no embedding can go. ``better``: the ensemble is better than the best single embedding.
    ``decided``: it is better or worse. ``nothing-lost``: every row and file was used. ``no-collapse``: the diagnosis
    found no collapse in any embedding. ``no-findings``: it found nothing at all. ``nothing-moved``: of two versions of
    an embedding no object moved. ``score>=0.8``: the lower end of the interval of what is to be used is at least that.

    Raises
    ------
    ValueError
        If it names none; the message lists them.

    Examples
    --------
    >>> from helpers.report.requirements import parse_requirement
    >>> parse_requirement("cheap")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: require is 'cheap'; it can be nothing-redundant, better, decided, ... or score>=NUMBER
    """
    words = text.replace(" ", "")
    if words in REQUIREMENTS:
        return REQUIREMENTS[words]
    try:
        least = float(_SCORE.match(words).group(1))
    except (AttributeError, ValueError):
        listed = ", ".join(REQUIREMENTS)
        raise ValueError(f"require is {text!r}; it can be {listed} or score>=NUMBER") from None

    def enough(report: Any) -> tuple[bool, str]:
        if report.evaluation is None:
            return False, "there is no target"
        row = report.tables["quality"].loc[report.decisions.use]
        found = f"{report.evaluation.metric} of {report.decisions.use} is {row.score:.4g}"
        return bool(row.ci_low >= least), f"{found} [{row.ci_low:.4g}, {row.ci_high:.4g}]"

    return enough


def check_requirements(report: Any, names: Sequence[str]) -> list[Requirement]:
    """Each condition on a :class:`helpers.report.Report`, in the order asked for."""
    return [Requirement(name, *parse_requirement(name)(report)) for name in names]
