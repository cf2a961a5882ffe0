"""Plans: one notebook over a grid of parameters, and the tables that its rows go to."""

from __future__ import annotations

import ast
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from helpers.book.fingerprint import without_magics
from helpers.book.records import Kept, Merged, Table, merge_rows
from helpers.book.runs import Outcome, Run, about_run, grid, read_parameters
from helpers.locations import ROOT

__all__ = ["Plan", "read_plan", "run_names"]

LONGEST = 160  # bytes of a name, to which endings of several files are added

_ENTRIES = {"notebook", "parameters", "grid", "resources", "tables"}
_TABLE = {"file", "key", "replace", "decimals", "digits", "versions"}


@dataclass(frozen=True)
class Plan:
    """What ``python -m helpers sweep`` reads from a YAML file.

    Attributes
    ----------
    path : Path
        File of the plan.
    notebook : Path
        Worker notebook that the runs execute.
    points : list of dict
        Values of the grid, one dict a run.
    parameters : dict
        Further parameters, the same for all runs.
    resources : dict
        What one run occupies, such as ``{"GPU": 0.5}``.
    tables : dict of str to Table
        Recorded tables that take the rows, by the names under which the worker keeps them.
    """

    path: Path
    notebook: Path
    points: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any]
    resources: Mapping[str, float]
    tables: Mapping[str, Table]

    def runs(self, out: Path | None = None) -> list[Run]:
        """The runs, whose executed copies go to the folder ``out``, by default ``_build/runs/NAME``."""
        out = out or ROOT / "_build" / "runs" / self.path.stem
        names = run_names(self.points, self.notebook.stem)
        return [
            Run(self.notebook, out / f"{name}.ipynb", {**self.parameters, **point})
            for name, point in zip(names, self.points, strict=True)
        ]

    def check(self, runs: Iterable[Run]) -> None:
        """Refuse, before anything runs, what cannot go well.

        Raises
        ------
        ValueError
            If a run has an unknown or ill-typed parameter; if the worker keeps no rows of the name of a table; if a
            table, or the rows of a run that is done, lacks a column that the plan names; if a package whose version is
            to be recorded is not installed.
        """
        for run in runs:
            run.check()
        if not self.tables:
            return
        known = _kept_by(self.notebook)
        for name, table in self.tables.items():
            if known is not None and name not in known:
                keeps = f"keeps {sorted(known)}" if known else "calls no keep_rows"
                raise ValueError(f"{self.path}: it has a table {name!r}, but {self.notebook.name} {keeps}")
            self._explained(table.check)
        for run in runs:
            if run.is_done():
                self.check_rows(run)

    def check_rows(self, run: Run) -> None:
        """Refuse rows of a run that is done and that the tables cannot take.

        Raises
        ------
        ValueError
            In the same cases as :meth:`helpers.book.records.Table.as_written`.
        """
        for table in self.tables.values():
            self._explained(lambda table=table: table.as_written(_kept(run, table)))

    def merge(self, runs: Iterable[Run]) -> dict[str, Merged]:
        """Bring the rows of all ``runs`` that are done into the tables.

        Returns
        -------
        dict of str to Merged
            What was merged, by the path of the table; empty if no run is done.

        Raises
        ------
        ValueError
            In the same cases as :func:`helpers.book.records.merge_rows`.
        """
        done = [run for run in runs if run.is_done()] if self.tables else []
        found = {}
        for table in self.tables.values() if done else ():
            rows = [_kept(run, table) for run in done]
            found[_shown(table.file)] = self._explained(lambda table=table, rows=rows: merge_rows(table, rows))
        return found

    def _explained(self, act):
        try:
            return act()
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None


def read_plan(path: Path) -> Plan:
    """A plan from its YAML file.

    Its entries: ``notebook``; ``parameters``; ``grid``, a list of values for each parameter that varies;
    ``resources``; and ``tables``: for each name by which the worker keeps rows the ``file`` (``.csv`` or ``.parquet``),
    the ``key``, and if need be ``replace``, ``decimals``, ``digits`` and ``versions`` (see
    :class:`helpers.book.records.Table`). Paths of a plan in the folder of the book start there, those of other plans in
    the folder of the plan; a notebook is found in both.

    Raises
    ------
    ValueError
        If an entry is unknown, missing or of another form.
    FileNotFoundError
        If there is no such notebook.

    Examples
    --------
    >>> from helpers.book.plans import ROOT, read_plan
    >>> plan = read_plan(ROOT / "notebooks" / "runs" / "clients_replacing.yml")
    >>> len(plan.points), list(plan.tables), plan.tables["curves"].replace
    (17, ['methods', 'curves'], ('sweep', 'experiment'))
    """
    path = Path(path)
    plan = read_parameters(path)
    unknown = set(plan) - _ENTRIES
    if unknown or "notebook" not in plan:
        raise ValueError(
            f"{path}: a plan has the entries notebook (required), parameters, grid, resources and tables"
            + f"; it has {sorted(unknown)} besides" * bool(unknown)
        )
    for entry in _ENTRIES - {"notebook"}:
        if not isinstance(plan.get(entry) or {}, dict):
            raise ValueError(f"{path}: {entry} is {plan[entry]!r}; a mapping is expected")
    candidates = [folder / str(plan["notebook"]) for folder in (path.parent, ROOT)]
    notebook = next((one for one in candidates if one.is_file()), None)
    if notebook is None:
        raise FileNotFoundError(f"{path}: there is no notebook {' and no '.join(map(str, candidates))}")
    axes = {name: value if isinstance(value, list) else [value] for name, value in (plan.get("grid") or {}).items()}
    base = ROOT if path.resolve().is_relative_to(ROOT) else path.resolve().parent
    tables = {name: _table(name, entry, base, path) for name, entry in (plan.get("tables") or {}).items()}
    files = [table.file for table in tables.values()]
    if twice := [file for file in files if files.count(file) > 1]:
        raise ValueError(f"{path}: two tables go to {_shown(twice[0])}")
    return Plan(
        path, notebook.resolve(), grid(**axes), plan.get("parameters") or {}, plan.get("resources") or {}, tables
    )


def run_names(points: Sequence[Mapping[str, Any]], otherwise: str) -> list[str]:
    """Names of files for points of a grid, which no two points share, on file systems that ignore case either.

    They hold the values as far as these are letters, digits and plain signs; names that would be long, hold anything
    but a slash besides, or mean two points, end in eight digits that tell the values apart.

    Parameters
    ----------
    points
        Values of the grid, one mapping a run.
    otherwise
        Name of the point without values.

    Examples
    --------
    >>> from helpers.book.plans import run_names
    >>> run_names([{"width": 8, "model": "a/b"}, {"width": 8, "model": "c"}], "worker")
    ['width=8_model=a-b', 'width=8_model=c']
    >>> run_names([{"sign": "50 %"}], "worker")
    ['sign=50 --eb8135ef']
    """
    whole = ["_".join(f"{axis}={value}" for axis, value in point.items()) or otherwise for point in points]
    plain = [re.sub(r"[^\w .,=+()\[\]-]", "-", unicodedata.normalize("NFC", name)).rstrip(" .") for name in whole]
    counts = Counter(name.casefold() for name in plain)
    out = []
    for point, name, safe in zip(points, whole, plain, strict=True):
        if safe != name.replace("/", "-") or len(safe.encode()) > LONGEST or counts[safe.casefold()] > 1:
            text = "\0".join(f"{axis}\0{type(value).__name__}\0{value!r}" for axis, value in point.items())
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            safe = f"{safe.encode()[:LONGEST].decode(errors='ignore')}-{digest}"
        out.append(safe)
    return out


def summary(merged: Mapping[str, Merged], outcomes: Iterable[Outcome]) -> list[str]:
    """What came from where, one line for each table."""
    executed = sum(outcome.status == "done" for outcome in outcomes)
    return [
        f"{file}: {one.rows} row{'s' * (one.rows != 1)} from {one.runs} run{'s' * (one.runs != 1)} "
        f"({executed} executed now, {one.runs - executed} kept): {one}"
        for file, one in merged.items()
    ]


def _table(name: str, entry: Any, base: Path, path: Path) -> Table:
    """One entry of ``tables``."""
    where = f"{path}: the table {name!r}"
    if not isinstance(entry, dict) or set(entry) - _TABLE or not {"file", "key"} <= set(entry):
        given = sorted(set(entry) - _TABLE) if isinstance(entry, dict) else entry
        raise ValueError(
            f"{where} has the entries file and key (both required), replace, decimals, digits and versions"
            + f", not {given}" * bool(given)
        )
    file = base / str(entry["file"])
    if file.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{where} has the file {entry['file']!r}; its ending has to be .csv or .parquet")
    for part in ("key", "replace", "versions"):
        value = entry.get(part, [] if part != "key" else None)
        if not isinstance(value, list) or part == "key" and not value or not all(isinstance(v, str) for v in value):
            raise ValueError(f"{where} has {part}: {value!r}; a list of names is expected")
    if outside := set(entry.get("replace", [])) - set(entry["key"]):
        raise ValueError(f"{where} replaces by {sorted(outside)}, which is not in its key {entry['key']}")
    for part in ("decimals", "digits"):
        value = entry.get(part)
        numbers = list(value.values()) if isinstance(value, dict) else [value] if value is not None else []
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError(f"{where} has {part}: {value!r}; a whole number, or one for each column, is expected")
    lists = {part: tuple(entry.get(part, ())) for part in ("key", "replace")}
    wanted = tuple(entry["versions"]) if "versions" in entry else None
    return Table(name, file, **lists, decimals=entry.get("decimals"), digits=entry.get("digits"), versions=wanted)


def _kept(run: Run, table: Table) -> Kept:
    file = run.rows / f"{table.name}.parquet"
    if not file.exists():
        known = sorted(one.stem for one in run.rows.glob("*.parquet"))
        raise ValueError(f"{run.output.stem} kept no rows of the table {table.name!r}, but of {known}")
    return Kept(run.output.stem, file, about_run(run.output)["provenance"])


def _kept_by(notebook: Path) -> set[str] | None:
    """The names by which a worker keeps rows, as far as its code tells; None where it passes a mapping."""
    names: set[str] = set()
    for cell in nbformat.read(notebook, as_version=4).cells:
        for node in ast.walk(ast.parse(without_magics(cell.source))) if cell.cell_type == "code" else ():
            called = getattr(node, "func", None)
            if isinstance(node, ast.Call) and getattr(called, "id", getattr(called, "attr", "")) == "keep_rows":
                if any(keyword.arg is None for keyword in node.keywords):
                    return None
                names |= {keyword.arg for keyword in node.keywords}
    return names


def _shown(file: Path) -> str:
    return str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)
