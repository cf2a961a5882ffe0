"""Unusual and boundary values of every chapter's parameters: what runs, what is refused in the first seconds, and how.

The table is ``notebooks/unusual.yml``. For each chapter it lists values that differ from the profile ``smallest``;
with an entry ``says`` the chapter has to refuse them in one of its first cells, by an error with these words, and
without one it has to run to its end.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from helpers.book.fingerprint import without_magics
from helpers.book.plans import run_names
from helpers.book.render import chapters, profile
from helpers.book.runs import Outcome, Run, execute_all, read_parameters
from helpers.locations import ROOT

__all__ = ["FIRST_CELLS", "Case", "Verdict", "read_cases", "refusal", "try_cases"]

#: Cells of code behind the parameters in which a chapter may refuse them.
FIRST_CELLS = 6


@dataclass(frozen=True)
class Case:
    """Values of a chapter's parameters, and what has to become of them.

    Attributes
    ----------
    chapter : Path
        Notebook of the chapter.
    values : dict
        Parameters that differ from the profile ``smallest``.
    says : str
        Words of the error that refuses them; empty if the chapter has to run.
    """

    chapter: Path
    values: Mapping[str, Any]
    says: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters that are not the chapter's defaults."""
        return {**profile("smallest").get(self.chapter.stem, {}), **self.values}

    @property
    def missing(self) -> str:
        """The folder of ``$BOOK_DATA`` or ``$BOOK_MODELS`` that the case needs and that is not there."""
        named = re.findall(r"\$BOOK_(?:DATA|MODELS)(?:/[^'\",\]}]+)?", repr(dict(self.values)))
        places = {name: os.path.expandvars(name) for name in named}
        return next((name for name, place in places.items() if not place or not Path(place).exists()), "")

    def __str__(self) -> str:
        return f"{self.chapter.stem} {dict(self.values)}"


@dataclass(frozen=True)
class Verdict:
    """What became of a case: ``fault`` is empty if it is what was expected, and ``told`` says what happened."""

    case: Case
    fault: str
    told: str


def read_cases(path: Path | None = None) -> list[Case]:
    """The cases of a table.

    Parameters
    ----------
    path
        YAML file, by default ``notebooks/unusual.yml``: name of a chapter → list of mappings from parameters to
        values, with ``says`` where an error is expected.

    Returns
    -------
    list of Case
        The cases, in the order of the file.

    Raises
    ------
    ValueError
        If there is no such chapter, a chapter has no such parameter, or a value has another type than its default.

    Examples
    --------
    >>> from helpers.book.unusual import read_cases
    >>> {case.chapter.stem for case in read_cases()} >= {"01_measures", "own"}
    True
    """
    path = path or ROOT / "notebooks" / "unusual.yml"
    known = {chapter.stem: chapter for chapter in chapters()}
    found = []
    for name, entries in read_parameters(path).items():
        if name not in known:
            raise ValueError(f"{path}: there is no chapter {name!r}; chapters are {', '.join(known)}")
        for entry in entries or ():
            values = {key: value for key, value in entry.items() if key != "says"}
            case = Case(known[name], values, str(entry.get("says", "")))
            Run(case.chapter, case.chapter, case.parameters).check()
            found.append(case)
    return found


def try_cases(
    cases: Iterable[Case], out: Path | None = None, *, n_jobs: int = 1, force: bool = False
) -> Iterator[Verdict]:
    """Execute chapters with the values of cases and compare what happens with what is expected.

    Parameters
    ----------
    cases
        Cases of :func:`read_cases` whose data are there.
    out
        Folder of the executed copies, by default ``_build/unusual``; those that are up to date are kept.
    n_jobs
        Number of runs at a time.
    force
        Execute also what is done already.

    Yields
    ------
    Verdict
        One for each case, as it ends.
    """
    cases, out = list(cases), out or ROOT / "_build" / "unusual"
    points = [{"chapter": case.chapter.stem, **case.values} for case in cases]
    runs = [
        Run(case.chapter, out / f"{name}.ipynb", case.parameters)
        for case, name in zip(cases, run_names(points, "case"), strict=True)
    ]
    of_run = {run.output: case for run, case in zip(runs, cases, strict=True)}
    for outcome in execute_all(runs, n_jobs=n_jobs, force=force):
        yield _judged(of_run[outcome.run.output], outcome)


def refusal(case: Case) -> str:
    """The error by which a chapter refuses values, found without a kernel: its first cells are executed here.

    Parameters
    ----------
    case
        What to try.

    Returns
    -------
    str
        Message of the error, or nothing if the first cells run.
    """
    code = _code(nbformat.read(case.chapter, as_version=4).cells)
    names: dict[str, Any] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(case.chapter.parent)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(code[0].source, names)
            names.update(case.parameters)
            for cell in code[1 : 1 + FIRST_CELLS]:
                exec(compile(without_magics(cell.source), f"cell {cell.id}", "exec"), names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        os.chdir(before)
    return ""


def _judged(case: Case, outcome: Outcome) -> Verdict:
    if outcome.status != "failed":
        told = f"runs, {outcome.status}" + f" in {outcome.seconds:.0f} s" * (outcome.status == "done")
        return Verdict(case, f"expected to be refused: {case.says}" if case.says else "", told)
    position, seconds = _where(outcome.run.output)
    told = f"refused in cell {position} after {seconds:.0f} s: {outcome.error}"
    if not case.says:
        return Verdict(case, "expected to run", told)
    if case.says not in outcome.error:
        return Verdict(case, f"expected the words: {case.says}", told)
    late = "" if position <= FIRST_CELLS else f"refused too late; one of the first {FIRST_CELLS} cells has to do it"
    return Verdict(case, late, told)


def _code(cells: list) -> list:
    """The cell of parameters, and the cells of code behind it."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    tags = [cell.metadata.get("tags", []) for cell in code]
    first = next(position for position, tag in enumerate(tags) if "parameters" in tag)
    return [cell for cell, tag in zip(code[first:], tags[first:], strict=True) if "injected-parameters" not in tag]


def _where(output: Path) -> tuple[int, float]:
    """The cell that failed, counted behind the parameters, and the seconds until it had."""
    seconds = 0.0
    for position, cell in enumerate(_code(nbformat.read(output, as_version=4).cells)):
        seconds += cell.metadata.get("papermill", {}).get("duration") or 0.0
        if any(part.output_type == "error" for part in cell.get("outputs", [])):
            return position, seconds
    return 0, seconds
