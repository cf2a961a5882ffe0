"""The command that reports on somebody's embeddings: the chapter, run on their input, in a folder of its own."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat

from helpers.report.folder import STEPS, finish, prepare
from helpers.report.page import render, without_book_only
from helpers.report.steps import PROGRESS
from helpers.waiting import reason

__all__ = ["CHAPTER", "make"]

CHAPTER = Path(__file__).resolve().parents[2] / "notebooks" / "own.ipynb"
#: Parameters that name a file, a file and a column, or a column.
PLACES = ("ids", "labels", "groups", "pairs", "qrels", "text")


def make(source: str, out: str | os.PathLike[str], parameters: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Run the chapter "Your own embeddings" on an input and leave a folder; return its page.

    Parameters
    ----------
    source
        Folder or file of embeddings, as :func:`helpers.inputs.read` takes it; "" if models make them all.
    out
        The folder: ``index.html`` (one file that loads nothing), ``tables/*.csv``, ``ensemble/``, ``combined.npy`` with
        ``combined.ids.txt``, ``report.ipynb`` and ``report.json``. If the same call was stopped before, it goes on
        where it was.
    parameters
        Of the chapter.
    overwrite
        Replace a report that is there.

    Raises
    ------
    FileNotFoundError, FileExistsError, ValueError
        As :func:`helpers.inputs.read`, :func:`helpers.report.folder.prepare` and
        :meth:`helpers.book.runs.Run.check`; if the input cannot be reported on, with the message that says why.
    RuntimeError
        If the chapter fails in any other way.
    """
    from papermill.exceptions import PapermillExecutionError

    from helpers.book.runs import Run, _no_kernel_left, execute

    if source and not Path(source).expanduser().exists():
        raise FileNotFoundError(f"there is no {source}")
    home = Path(source).expanduser().absolute() if source else Path.cwd()
    given = {name: value for name, value in parameters.items() if value is not None}
    given |= {"ids": "position"} if given.get("ids") == "" else {}
    given |= {name: _absolute(given[name], home) for name in PLACES if given.get(name)}
    given["models"] = [_absolute(model, home) for model in given.get("models", [])]
    given["source"] = str(home) if source else ""
    Run(CHAPTER, CHAPTER, given).check()
    out = prepare(out, given, overwrite=overwrite)
    trimmed, done = out / STEPS / "chapter.ipynb", out / STEPS / "executed.ipynb"
    nbformat.write(without_book_only(nbformat.read(CHAPTER, as_version=4)), trimmed)
    run = Run(trimmed, done, given | {"out": str(out)})
    began = time.time()
    try:
        with _no_kernel_left(), _Bar(out / STEPS / PROGRESS, run.notice):
            execute(run, force=True)
    except PapermillExecutionError as error:
        if error.ename in ("ValueError", "TypeError", "FileNotFoundError", "FileExistsError"):
            raise ValueError(error.evalue) from None
        raise RuntimeError(f"{error.ename}: {error.evalue}; see {done}") from None
    executed = nbformat.read(done, as_version=4)
    title = f"Report on {Path(source).name or 'embeddings'}" if source else "Report on embeddings"
    about = {
        "made": datetime.now().isoformat(" ", timespec="minutes"),
        "seconds": f"{time.time() - began:.0f}",
        **{name: value for name, value in given.items() if value not in ("", [], None)},
    }
    (out / "index.html").write_text(render(executed, title, about), encoding="utf-8")
    nbformat.write(executed, out / "report.ipynb")
    finish(out, given)
    return out / "index.html"


def _absolute(spec: str, home: Path) -> str:
    """A file, or ``file:column``, by its whole path, if it lies here and not in the source; else as it is."""
    file, colon, column = spec.rpartition(":") if ":" in spec and not Path(spec).exists() else (spec, "", "")
    path = Path(file).expanduser()
    if not path.exists() or (home.is_dir() and (home / file).exists()):
        return spec
    return f"{path.absolute()}{colon}{column}"


class _Bar:
    """What runs and what is left, read from the file that the steps write; while the run waits, what it waits for."""

    def __init__(self, path: Path, notice: Path):
        from tqdm import tqdm

        self.path, self.notice, self.over, self.began = path, notice, threading.Event(), time.time()
        self.last = ""
        form = "report |{bar:20}| {elapsed}{postfix}"
        self.bar = tqdm(total=100, bar_format=form, disable=None if sys.stderr.isatty() else True, leave=False)

    def __enter__(self) -> _Bar:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.over.set()
        self.bar.close()

    def _watch(self) -> None:
        self._show("reading", None)
        while not self.over.wait(0.5):
            if why := reason(self.notice):
                self._show(f"{why}; waiting for it", None)
                continue
            try:
                state = json.loads(self.path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if state["at"] >= self.began:
                self._show(state["now"], max(1.0, state["left"] - (time.time() - state["at"])))

    def _show(self, now: str, left: float | None) -> None:
        words = f"{now}" + ("" if left is None else f"; about {int(left) // 60}:{int(left) % 60:02d} left")
        if self.bar.disable:
            if now != self.last:
                print(f"{words} …", flush=True)
        else:
            spent = time.time() - self.began
            self.bar.n = 0 if left is None else int(100 * spent / (spent + left))
            self.bar.set_postfix_str(words, refresh=True)
        self.last = now
