"""What a live page asks for: the form of a chapter, runs of it with other parameters, and what they changed.

Runs are those of ``python -m helpers run``, which is started for each of them: the same keys decide what is kept, and
the executed copies lie in ``_build/live/KEY``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import yaml
from nbformat import NotebookNode

from helpers.book.costs import expected_seconds
from helpers.book.numbers import glued_texts, numbers_in_text, shown_as
from helpers.book.render import chapters
from helpers.book.runs import Parameter, Run, about_run, parameters_of, yaml_value
from helpers.locations import ROOT
from helpers.waiting import reason

__all__ = [
    "FormError",
    "Job",
    "Jobs",
    "chapter_path",
    "describe_chapter",
    "form_values",
    "parameter_code",
    "parameter_text",
]

#: Seconds that a run has to end by itself once it is cancelled.
PATIENCE = 5.0
#: What renderers of tables make up anew each time.
_RANDOM = re.compile(r"T_[0-9a-f]{5,}|object at 0x[0-9a-f]+")


class FormError(ValueError):
    """Values of a form that the chapter does not take.

    Attributes
    ----------
    errors
        Name of a parameter → what is wrong with its value and what would be accepted.
    """

    def __init__(self, errors: Mapping[str, str]):
        self.errors = dict(errors)
        super().__init__("; ".join(self.errors.values()))


def chapter_path(root: Path, name: str) -> Path:
    """The notebook of a chapter by its name.

    Raises
    ------
    KeyError
        If the table of contents has no such chapter.
    """
    return {path.stem: path for path in chapters(root)}[name]


def parameter_text(value: Any, kind: str) -> str:
    """A value as it is typed into a form: what :func:`helpers.book.runs.yaml_value` reads back as the same value.

    Examples
    --------
    >>> parameter_text(0.1, "float"), parameter_text(["a", "b"], "list"), parameter_text("a b", "str")
    ('0.1', '["a", "b"]', 'a b')
    """
    if kind == "str" and isinstance(value, str) and value[:1] not in ("'", '"') and "\n" not in value:
        return value
    return json.dumps(value, ensure_ascii=False)


def describe_chapter(root: Path, name: str) -> dict[str, Any]:
    """What the live page of a chapter shows: its form, the code of its cells, and how long it takes.

    Parameters
    ----------
    root
        Folder of the book.
    name
        Name of the chapter.

    Returns
    -------
    dict
        ``name``; ``parameters``, a list of name, kind, help, default and the value of the page, as texts; ``cells``,
        a list of id, source and alternative text of each code cell; ``seconds`` that a run is expected to take.

    Raises
    ------
    KeyError
        If there is no such chapter.
    """
    path = chapter_path(root, name)
    there = _executed(root, name)
    given = there.metadata.get("papermill", {}).get("parameters", {}) if there else {}
    form = [
        {
            "name": parameter.name,
            "kind": parameter.kind,
            "help": parameter.help,
            "default": parameter_text(parameter.default, parameter.kind),
            "value": parameter_text(given.get(parameter.name, parameter.default), parameter.kind),
        }
        for parameter in parameters_of(path).values()
    ]
    cells = [
        {
            "id": cell.id,
            "source": cell.source,
            "alt": cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""),
            "parameters": "parameters" in cell.metadata.get("tags", []),
        }
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    seconds = expected_seconds(Run(path, root / "_build" / "executed" / path.name))
    return {"name": name, "parameters": form, "cells": cells, "seconds": seconds}


def form_values(path: Path, texts: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a form, checked; those that are the chapter's defaults are left out, as a run does that names none.

    Parameters
    ----------
    path
        Notebook of the chapter.
    texts
        Name of a parameter → what was typed.

    Raises
    ------
    FormError
        If a value is not YAML, or :meth:`helpers.book.runs.Run.check` refuses it.
    """
    known = parameters_of(path)
    values, errors = {}, {}
    for name, text in texts.items():
        kind = known[name].kind if name in known else ""
        try:
            value = yaml_value(str(text), kind)
            Run(path, path, {name: value}).check()
        except yaml.YAMLError as error:
            errors[name] = f"{text!r} is not YAML: {' '.join(str(error).split())}"
        except ValueError as error:
            errors[name] = str(error).partition(" It takes:")[0]
        else:
            if not _is_default(known[name], value):
                values[name] = value
    if errors:
        raise FormError(errors)
    try:
        Run(path, path, values).check()
    except ValueError as error:
        raise FormError({"": str(error).partition(" It takes:")[0]}) from None
    return values


def parameter_code(values: Mapping[str, Any]) -> str:
    """Assignments that set parameters in a kernel."""
    return "".join(f"{name} = {value!r}\n" for name, value in values.items())


@dataclass
class Job:
    """One run that a live page asked for.

    Attributes
    ----------
    run
        The run, whose output lies below ``_build/live`` or, where the page shows it already, in ``_build/executed``.
    status
        ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
    error
        What went wrong, in one line.
    """

    run: Run
    status: str = "waiting"
    error: str = ""
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    process: asyncio.subprocess.Process | None = None
    task: asyncio.Task | None = None

    @property
    def id(self) -> str:
        return self.run.key

    @property
    def is_over(self) -> bool:
        return self.status in ("done", "failed", "cancelled")

    def state(self) -> dict[str, Any]:
        """How far the run is: status, cells that are done and all, seconds, what it waits for, error and traceback."""
        ran = _read(self.run.output)
        cells = [cell for cell in ran.cells if cell.cell_type == "code"] if ran else []
        done = sum(cell.metadata.get("papermill", {}).get("status") == "completed" for cell in cells)
        now = self.seconds if self.is_over else time.monotonic() - self.began
        about = {"id": self.id, "chapter": self.run.notebook.stem, "status": self.status, "seconds": round(now, 1)}
        about |= {"done": done, "total": len(cells), "expected": expected_seconds(self.run)}
        about |= {"waits": reason(self.run.notice), "parameters": dict(self.run.parameters)}
        if self.status == "failed":
            about |= {"error": self.error, **_failure(ran)}
        return about


class Jobs:
    """Runs that live pages asked for, some at a time; the same run is executed once, for everyone who asks.

    Parameters
    ----------
    root
        Folder of the book.
    n_jobs
        Number of runs at a time; the others wait.
    """

    def __init__(self, root: Path = ROOT, n_jobs: int = 2):
        self.root = root
        self.found: dict[str, Job] = {}
        self._places = asyncio.Semaphore(max(1, n_jobs))

    async def start(self, name: str, texts: Mapping[str, Any]) -> Job:
        """Run a chapter with the values of a form, unless that run is kept or under way.

        Raises
        ------
        FormError
            If the chapter does not take a value.
        KeyError
            If there is no such chapter.
        """
        job = await asyncio.to_thread(self._prepared, name, texts)
        known = self.found.get(job.id)
        if known and not known.is_over:
            return known
        self.found[job.id] = job
        if job.status != "done":
            job.task = asyncio.create_task(self._execute(job))
        return job

    def get(self, key: str) -> Job:
        """A run by its key, also of an earlier time.

        Raises
        ------
        KeyError
            If there is none.
        """
        if key not in self.found:
            for output in sorted((self.root / "_build" / "live" / key).glob("*.ipynb")):
                ran = _read(output)
                path = chapter_path(self.root, output.stem)
                given = ran.metadata.get("papermill", {}).get("parameters") if ran else None
                run = None if given is None else Run(path, output, dict(given))
                if run and run.key == key and run.is_done():
                    self.found[key] = Job(run, "done", seconds=about_run(output).get("seconds", 0.0))
        return self.found[key]

    def results(self, job: Job) -> dict[str, Any]:
        """What a run that is done found, beside what the page shows.

        Returns
        -------
        dict
            ``cells``: id of each code cell → its ``outputs``, and whether they ``differ`` from those of the page;
            ``numbers``: for each number of the text, in order, what the page shows and what the run found.
        """
        new, old = _read(job.run.output), _executed(self.root, job.run.notebook.stem)
        before = {cell.id: cell.get("outputs", []) for cell in old.cells} if old else {}
        cells = {
            cell.id: {"outputs": _plain(cell.outputs), "differ": _same(cell.outputs) != _same(before.get(cell.id, []))}
            for cell in new.cells
            if cell.cell_type == "code"
        }
        texts, earlier = glued_texts(new), glued_texts(old) if old else {}
        source = nbformat.read(job.run.notebook, as_version=4)
        numbers = [[shown_as(earlier, role), shown_as(texts, role)] for role in numbers_in_text(source)]
        return {"cells": cells, "numbers": numbers, "parameters": dict(job.run.parameters)}

    async def cancel(self, job: Job) -> None:
        """End a run that is not over, its kernel with it."""
        if job.is_over:
            return
        job.status, job.seconds = "cancelled", time.monotonic() - job.began
        if job.process and job.process.returncode is None:
            await _end(job.process)
        if job.task:
            job.task.cancel()

    async def cancel_all(self) -> None:
        """End every run that is not over."""
        await asyncio.gather(*(self.cancel(job) for job in list(self.found.values())))

    def _prepared(self, name: str, texts: Mapping[str, Any]) -> Job:
        path = chapter_path(self.root, name)
        values = form_values(path, texts)
        shown = Run(path, self.root / "_build" / "executed" / path.name, values)
        key = shown.key
        run = Run(path, self.root / "_build" / "live" / key / path.name, values)
        for candidate in (shown, run):
            if candidate.is_done():
                return Job(candidate, "done", seconds=about_run(candidate.output).get("seconds", 0.0))
        return Job(run)

    async def _execute(self, job: Job) -> None:
        async with self._places:
            run, folder = job.run, job.run.output.parent
            folder.mkdir(parents=True, exist_ok=True)
            run.output.unlink(missing_ok=True)
            values = folder / "parameters.yml"
            values.write_text(yaml.safe_dump(dict(run.parameters), allow_unicode=True), encoding="utf-8")
            command = [sys.executable, "-m", "helpers", "run", run.notebook, "-f", values, "-o", folder, "-j", "1"]
            job.began = time.monotonic()
            with (folder / "run.log").open("wb") as log:
                job.process = await asyncio.create_subprocess_exec(
                    *map(str, command), cwd=self.root, env=_environment(), stdout=log, stderr=asyncio.subprocess.STDOUT
                )
                job.status = "running"
                await job.process.wait()
            if job.status == "cancelled":
                return
            job.seconds = time.monotonic() - job.began
            if await asyncio.to_thread(run.is_done):
                job.status = "done"
            else:
                said = (folder / "run.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
                told = [line for line in said if "FAILED" in line] or said or ["the run ended without a word"]
                job.error, job.status = told[-1].partition("FAILED, ")[2] or told[-1], "failed"


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process and all that it started; first it is asked to."""
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(process.wait(), PATIENCE)
    if process.returncode is None:
        process.kill()
        await process.wait()
    for one in family:
        with suppress(psutil.Error):
            one.kill()


def _environment() -> dict[str, str]:
    """The environment of a run: this very package, wherever the run begins."""
    package = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH", "")
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [package, before]))}


def _is_default(parameter: Parameter, value: Any) -> bool:
    return type(value) is type(parameter.default) and value == parameter.default


def _read(path: Path) -> NotebookNode | None:
    """A notebook, or ``None`` if it is absent or being written."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError):
        return None


def _executed(root: Path, name: str) -> NotebookNode | None:
    return _read(root / "_build" / "executed" / f"{name}.ipynb")


def _plain(outputs: list[NotebookNode]) -> list[dict[str, Any]]:
    """Outputs that a page shows, without glued values."""
    return [dict(output) for output in outputs if "scrapbook" not in output.get("metadata", {})]


def _same(outputs: list[NotebookNode]) -> str:
    """What two outputs have in common that show the same."""
    kept = [
        {name: value for name, value in output.items() if name not in ("execution_count", "metadata")}
        for output in _plain(outputs)
    ]
    return _RANDOM.sub("", json.dumps(kept, sort_keys=True))


def _failure(ran: NotebookNode | None) -> dict[str, Any]:
    """The cell that failed, its error and its traceback."""
    for cell in ran.cells if ran else []:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                told = {"error": f"{output.ename}: {output.evalue}", "traceback": "\n".join(output.traceback)}
                return told | {"cell": cell.id}
    return {"traceback": "", "cell": ""}
