"""The folder that a report leaves behind."""

from __future__ import annotations

import json
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

__all__ = ["COMBINED", "STEPS", "finish", "prepare", "save_tables", "write_ids"]

STEPS = ".steps"
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
        no step. With ``overwrite`` a report that is there is removed, and other files beside it stay.
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
            for name in OWN if about else ():
                shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink(missing_ok=True)
        (out / STEPS).mkdir(parents=True, exist_ok=True)
        _tell(out, call, finished=False)
    except FileExistsError:
        raise
    except OSError as error:
        raise ValueError(f"{out} cannot be written to: {error.strerror or error}") from None
    return out


def finish(out: Path, call: Mapping[str, Any]) -> None:
    """Mark a report as finished and remove what only an unfinished one needs."""
    _tell(out, call, finished=True)
    shutil.rmtree(out / STEPS, ignore_errors=True)


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


def _tell(out: Path, call: Mapping[str, Any], *, finished: bool) -> None:
    try:
        number = version("comparing-representations")
    except PackageNotFoundError:
        number = ""
    about = {"format": FORMAT, "version": number, "finished": finished, "call": call}
    draft = out / f"{ABOUT}.part"
    draft.write_text(json.dumps(about, indent=1), encoding="utf-8")
    os.replace(draft, out / ABOUT)
