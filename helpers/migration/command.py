"""The command ``migrate``, and ``apply`` for a saved map."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np

from helpers.ensembles.applying import draft_of, free_output, write_row_ids
from helpers.inputs import Inputs, read_one
from helpers.migration.maps import DESCRIPTION, MAPS, load_map
from helpers.migration.migrating import Migration, migrate_files

__all__ = ["add_migrate_options", "apply_map", "is_map", "run_migrate"]


def add_migrate_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``migrate``; each stores in the argument of :func:`helpers.migration.migrate_files` of its name."""
    parser.add_argument("old", metavar="OLD", type=Path, help="file with the old model's vectors of all objects")
    parser.add_argument("new", metavar="NEW", type=Path, help="file with the new model's vectors of some of them")
    parser.add_argument(
        "-o", "--out", dest="folder", type=Path, required=True, help="the folder to leave; empty or not there"
    )
    option = _absent_unless_given(parser)
    option("--ids", help="column or array of ids (default: id, if there is one), or '' to align rows by position")
    option("--missing", choices=("raise", "drop"), help="rows with NaN or infinite entries: raise an error, or drop")
    option("--map", choices=("auto", *MAPS), help="kind of map (default: auto, the one that keeps most)")
    option("--k", type=int, help="nearest neighbours that make up search (default: 10)")
    option("--held-out", type=float, metavar="SHARE", help="share of the common objects to judge by (default: 0.2)")
    option("--seed", dest="rng", type=int, help="seed of everything that is random (default: 0)")
    option("--overwrite", action="store_true", help="replace a migration that is there")


def _absent_unless_given(parser: argparse.ArgumentParser):
    def option(flag: str, **settings: Any) -> None:
        parser.add_argument(flag, default=argparse.SUPPRESS, **settings)

    return option


def run_migrate(args: argparse.Namespace) -> int:
    """The command ``migrate``."""
    given = {name: value for name, value in vars(args).items() if name != "command"}
    found = migrate_files(given.pop("old"), given.pop("new"), **given, progress=lambda words: print(words + " …"))
    for line in lines_of(found):
        print(line)
    print(f"Vectors, table and map are in {args.folder}")
    return 0


def lines_of(found: Migration) -> list[str]:
    """What the console says: the conclusion, the table, what fails, and what a mixed corpus would do."""
    best = found.table.loc[found.name]
    worst = found.objects.head(3)
    shown = found.table.drop(columns=["validation", "chosen"]).map(lambda value: f"{value:.2f}")
    shown.iloc[0, 3:] = ""
    lines = [found.conclusion(), "", *shown.to_string().splitlines(), ""]
    lines.append(
        f"Judged on {found.rows['judged']} held-out objects (overlap of the {found.k} nearest neighbours, 95 % "
        "intervals over objects as queries)."
    )
    lines.append(
        "Worst mapped of these: "
        + ", ".join(f"{row.id} (overlap {row.overlap:.1f})" for row in worst.itertuples())
        + f". Distance from the fitted objects and cosine correlate by {found.novelty.estimate:.2f} "
        f"[{found.novelty.low:.2f}, {found.novelty.high:.2f}]."
    )
    if abs(best.mapped_share - 0.5) > 0.05:
        side = "favoured" if best.mapped_share > 0.5 else "hidden"
        lines.append(
            f"In a corpus of which half is mapped, {best.mapped_share:.0%} of what is found is mapped: mapped vectors "
            f"are {side} there. Keep the halves apart, or embed the rest anew, before they must compete."
        )
    return lines


def is_map(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a saved map."""
    return (Path(folder) / DESCRIPTION).is_file()


def apply_map(
    folder: str | os.PathLike[str],
    source: Any,
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: bool = True,
    **reading: Any,
) -> Inputs:
    """Map more old vectors by a saved map, and write them to a ``.npy`` file as rows of length 1.

    Parameters
    ----------
    folder
        Folder that :meth:`helpers.migration.Map.save` wrote.
    source, **reading
        One embedding, as :func:`helpers.inputs.read` takes it.
    out
        A file such as ``mapped.npy``; beside it ``mapped.ids.txt`` with an id a line if the source has ids or rows were
        left out.
    overwrite
        Whether to replace a file that is there.
    progress
        Whether reading shows a bar.

    Returns
    -------
    Inputs
        What was read.

    Raises
    ------
    FileExistsError
        If ``out`` is there.
    ValueError
        If the source holds several embeddings or one of another width.
    """
    out = free_output(out, overwrite)
    found = load_map(folder)
    inputs = read_one(source, "the source", progress=progress, **reading)
    (x,) = inputs.representations.values()
    mapped = found.transform(x)
    out.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(out) as file:
        np.save(file, mapped)
    write_row_ids(out, inputs.ids)
    return inputs
