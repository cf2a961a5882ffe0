"""The command ``drift``: two versions of an embedding in files."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.errors import Argument, ArgumentError
from helpers.inputs import Inputs, read_one
from helpers.locations import check_folder_free, swap_folder
from helpers.quality.versions import Drift, drift

__all__ = ["add_drift_options", "drift_of_files", "run_drift"]

DRIFTED = 3


def add_drift_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``drift``; each stores in the argument of :func:`drift_of_files` of its name."""
    parser.add_argument("old", metavar="OLD", type=Path, help="file with the vectors of the old version")
    parser.add_argument("new", metavar="NEW", type=Path, help="file with the vectors of the new version")

    def option(flag: str, **settings: Any) -> None:
        parser.add_argument(flag, default=argparse.SUPPRESS, **settings)

    option(
        "--out", dest="folder", type=Path, metavar="DIR", help="folder to leave: objects.csv, table.csv, report.json"
    )
    option("--rerun", type=Path, action="append", metavar="FILE", help="second run of the old model; may be repeated")
    option("--ids", help="column or array of ids (default: id, if there is one), or '' to align rows by position")
    option("--missing", choices=("raise", "drop"), help="rows with NaN or infinite entries: raise an error, or drop")
    option("--map", help="map from old to new that is judged, or none (default: low-rank)")
    option("--k", type=int, help="nearest neighbours that make up search (default: 10)")
    option("--fdr", type=float, metavar="SHARE", help="bound of the false discovery rate (default: 0.05)")
    option("--seed", dest="rng", type=int, help="seed of everything that is random (default: 0)")
    option("--overwrite", action="store_true", help="replace a folder that an earlier call left")
    option(
        "--fail-beyond",
        type=float,
        metavar="SHARE",
        help=f"end with status {DRIFTED} if a larger share of the objects moved",
    )


def run_drift(args: argparse.Namespace) -> int:
    """The command ``drift``; its exit status is 3 if more objects moved than ``--fail-beyond`` allows."""
    given = {name: value for name, value in vars(args).items() if name != "command"}
    allowed = given.pop("fail_beyond", None)
    if allowed is not None and not 0 <= allowed <= 1:
        raise ValueError(f"--fail-beyond is {allowed}; a share between 0 and 1 is needed")
    if str(given.get("map")).lower() == "none":
        given["map"] = None
    found = drift_of_files(given.pop("old"), given.pop("new"), **given, progress=lambda words: print(words + " …"))
    print(found)
    print()
    print(found.table.round(3).to_string())
    first = found.objects[found.objects["moved"]].head(10)
    if len(first):
        print("\nMoved most:")
        print(first.drop(columns="moved").round(4).to_string(index=False))
    if "folder" in given:
        print(f"\nAll objects and numbers are in {given['folder']}")
    share = float(found.objects["moved"].mean())
    if allowed is not None and share > allowed:
        print(f"\n{share:.1%} of the objects moved, more than --fail-beyond {allowed:g}: status {DRIFTED}")
        return DRIFTED
    return 0


def drift_of_files(
    old: Any,
    new: Any,
    folder: str | os.PathLike[str] | None = None,
    *,
    rerun: Any = (),
    overwrite: bool = False,
    progress: Callable[[str], Any] = lambda words: None,
    ids: str | None = None,
    missing: str = "raise",
    **options: Any,
) -> Drift:
    """Compare two versions of an embedding in files.

    Parameters
    ----------
    old, new
        Files with one embedding each, as :func:`helpers.inputs.read` takes them. Objects are the same if their ids are;
        without ids both must have equally many rows.
    folder
        Folder that is made, if it is given: ``objects.csv`` with a row for each object, ``table.csv``, and
        ``report.json`` with every number for programs.
    rerun
        Files with second runs of the old model, of all objects of ``old``.
    overwrite
        Whether to replace a folder that an earlier call left.
    progress
        Called with what is done next.
    ids, missing
        As of :func:`helpers.inputs.read`.
    options
        Options of :func:`helpers.quality.drift`.

    Returns
    -------
    Drift

    Raises
    ------
    FileExistsError
        If the folder is there and is not empty.
    ValueError
        If a file holds several embeddings, only some have ids, a second run lacks an object, or as
        :func:`helpers.quality.drift` and ``read`` raise.
    """
    if folder is not None:
        folder = Path(folder).expanduser().absolute()
        check_folder_free(folder, overwrite, holds=("report.json", "objects.csv"), what="drift report")
    progress("reading")
    reading = {"missing": missing} | ({} if ids is None else {"ids": ids})
    again = [rerun] if isinstance(rerun, (str, os.PathLike)) else list(rerun)
    sides = {"old": old, "new": new} | {f"rerun {number}": path for number, path in enumerate(again, 1)}
    inputs = {role: read_one(source, role, **reading) for role, source in sides.items()}
    _check_ids(inputs)
    before, after = inputs["old"], inputs["new"]
    runs = [_in_order(before, inputs[role], role) for role in list(inputs)[2:]]
    progress("comparing")
    found = drift(
        _matrix(before),
        _matrix(after),
        rerun=runs or None,
        ids=before.ids,
        new_ids=after.ids,
        **options,
    )
    if folder is not None:
        _write(found, folder)
    return found


def _matrix(inputs: Inputs) -> Any:
    (x,) = inputs.representations.values()
    return x


def _check_ids(inputs: dict[str, Inputs]) -> None:
    """Rows are matched by the ids of files, or by numbers of rows, of which either may have dropped some."""
    named = {role: one.ids.dtype.kind not in "iu" for role, one in inputs.items()}
    if len(set(named.values())) > 1:
        has, lacks = (next(role for role, yes in named.items() if yes is wanted) for wanted in (True, False))
        raise ArgumentError(
            f"{has} has ids and {lacks} has none; name what identifies objects, as in ", Argument("ids", "id")
        )
    if not any(named.values()):
        total = {role: int(one.findings["rows"].iloc[0]) for role, one in inputs.items()}
        if len(set(total.values())) > 1:
            words = ", ".join(f"{role} has {rows} rows" for role, rows in total.items())
            raise ArgumentError(f"{words}, and none has ids; name them, as in ", Argument("ids", "id"))


def _in_order(before: Inputs, other: Inputs, role: str) -> Any:
    """The rows of a second run in the order of the old version."""
    place = {name: row for row, name in enumerate(other.ids.tolist())}
    lacking = [name for name in before.ids.tolist() if name not in place]
    if lacking:
        raise ValueError(f"{role} lacks {len(lacking)} of {len(before)} objects of old, such as {lacking[0]!r}")
    return _matrix(other)[[place[name] for name in before.ids.tolist()]]


def _write(found: Drift, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
        draft = Path(place) / folder.name
        draft.mkdir()
        found.objects.to_csv(draft / "objects.csv", index=False, float_format="%.6g")
        found.table.to_csv(draft / "table.csv", float_format="%.6g")
        (draft / "report.json").write_text(json.dumps(found.numbers, indent=1) + "\n", encoding="utf-8")
        swap_folder(draft, folder)
