"""The folder that a report leaves behind."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.errors import Argument, OutputExistsError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COMBINED", "STEPS", "finish", "give_back", "prepare", "save_tables", "write_ids"]

STEPS = ".steps"
REPLACED = ".replaced"  # a finished report, until the one that replaces it is finished, too
ABOUT = "report.json"
COMBINED, IDS = "combined.npy", "combined.ids.txt"
FORMAT = 1
OWN = ("index.html", "tables", "ensemble", COMBINED, IDS, ABOUT, STEPS)


def prepare(out: str | os.PathLike[str], call: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Make the folder of a report, or find one that the same call left unfinished.

    Raises
    ------
    FileExistsError
        If it is a file, or a folder with anything in it but an unfinished report of the same call, or one that came to
        no step. With ``overwrite`` a report that is there is replaced, and other files beside it stay. A finished one
        is put aside until :func:`finish`.
    ValueError
        If it cannot be written to.
    """
    out = Path(out).expanduser().absolute()
    call = json.loads(json.dumps(call))
    try:
        if out.exists() and not out.is_dir():
            raise FileExistsError(f"{out} is a file; name a folder that is empty or not there")
        if out.is_dir() and any(out.iterdir()):
            about = _about(out)
            if about and not about["finished"] and about["call"] == call:
                return out
            begun = about is None or about["finished"] or any((out / STEPS).glob("*/value.json"))
            if begun and not overwrite:
                what = "a finished report" if about and about["finished"] else "an unfinished report of another call"
                raise OutputExistsError(
                    f"{out} is not empty, it holds {what if about else 'other files'}; name another folder, or pass ",
                    Argument("overwrite", True),
                )
            _put_aside(out) if about and about["finished"] else _remove(out) if about else None
        (out / STEPS).mkdir(parents=True, exist_ok=True)
        _tell(out, call, finished=False)
    except FileExistsError:
        raise
    except OSError as error:
        raise ValueError(f"{out} cannot be written to: {error.strerror or error}") from None
    return out


def finish(out: Path, call: Mapping[str, Any], result: Mapping[str, Any] | None = None) -> None:
    """Mark a report as finished, with its result for programs, and remove what only an unfinished one needs."""
    _tell(out, call, finished=True, result=result)
    shutil.rmtree(out / STEPS, ignore_errors=True)
    shutil.rmtree(out / REPLACED, ignore_errors=True)


def give_back(out: Path) -> None:
    """After a call that came to nothing, bring back the finished report that it was to replace, if there was one."""
    about = _about(out)
    if about is None or about["finished"] or not (out / REPLACED).is_dir():
        return
    _remove(out)
    for path in sorted((out / REPLACED).iterdir(), key=lambda path: path.name == ABOUT):
        path.rename(out / path.name)
    (out / REPLACED).rmdir()


def _put_aside(out: Path) -> None:
    shutil.rmtree(out / REPLACED, ignore_errors=True)
    (out / REPLACED).mkdir()
    for name in OWN:
        if (out / name).exists():
            (out / name).rename(out / REPLACED / name)


def _remove(out: Path) -> None:
    for name in OWN:
        shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink(missing_ok=True)


def save_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Each table that has rows as ``folder/name.csv``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if len(table):
            named = table.index.name is not None or table.index.dtype == object
            table.to_csv(folder / f"{name}.csv", index=named)


def write_ids(ids: np.ndarray, out: Path) -> None:
    """The ids of the rows of the combined embedding, one a line."""
    (out / IDS).write_text("".join(f"{name}\n" for name in ids), encoding="utf-8")


def _about(out: Path) -> dict[str, Any] | None:
    """What a report says of itself, or None."""
    try:
        about = json.loads((out / ABOUT).read_text(encoding="utf-8"))
        return about if {"format", "finished", "call"} <= set(about) else None
    except (OSError, ValueError, TypeError):
        return None


def plain(value: Any) -> Any:
    """A value as JSON holds it: tables as lists of rows, what is no finite number as null.

    Examples
    --------
    >>> import pandas as pd
    >>> plain({"a": pd.DataFrame({"x": [1.0, float("nan")]})})
    {'a': [{'x': 1.0}, {'x': None}]}
    """
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        named = value.index.name is not None or value.index.nlevels > 1 or value.index.dtype == object
        rows = value.reset_index() if named else value
        rows = rows.set_axis([str(name) for name in rows.columns], axis=1)
        return [plain(row) for row in rows.to_dict("records")]
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _tell(out: Path, call: Mapping[str, Any], *, finished: bool, result: Mapping[str, Any] | None = None) -> None:
    try:
        number = version("comparing-representations")
    except PackageNotFoundError:
        number = ""
    about = {"format": FORMAT, "version": number, "finished": finished, "call": call}
    if result is not None:
        about["result"] = plain(result)
    draft = out / f"{ABOUT}.part"
    draft.write_text(json.dumps(about, indent=1), encoding="utf-8")
    os.replace(draft, out / ABOUT)
