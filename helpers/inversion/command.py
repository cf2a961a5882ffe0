"""The command ``leak``: how much of their texts vectors give away."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from helpers.inversion.leakage import Leakage, leakage_of_files

__all__ = ["add_leak_options", "run_leak"]

MORE = ("changed", "lost", "invented")
"""What becomes of facts that are not kept."""


def add_leak_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``leak``; each stores in the argument of :func:`leakage_of_files` of its name."""
    parser.add_argument("source", metavar="SOURCE", type=Path, help="folder or file with one or more embeddings")
    parser.add_argument("--text", required=True, help="column of the texts, or a file of one text a line")
    parser.add_argument("-o", "--out", dest="folder", type=Path, required=True, help="the folder to leave")

    def option(flag: str, **settings: Any) -> None:
        parser.add_argument(flag, default=argparse.SUPPRESS, **settings)

    option("--names", nargs="+", help="which embeddings (default: all)")
    option("--ids", help="column or array of ids (default: id, if there is one), or '' to align rows by position")
    option("--missing", choices=("raise", "drop"), help="rows with NaN or infinite entries: raise an error, or drop")
    option("--minutes", type=float, help="training of each (default: 3); a language model takes a third more")
    option("--beams", type=int, help="beams of the search (default: 5)")
    option("--length", type=int, help="most tokens of a text that the decoder writes (default: 48)")
    option("--seed", dest="rng", type=int, help="seed of everything that is random (default: 0)")
    option("--overwrite", action="store_true", help="replace a finished folder")


def run_leak(args: argparse.Namespace) -> int:
    """The command ``leak``."""
    given = {name: value for name, value in vars(args).items() if name != "command"}
    found = leakage_of_files(
        given.pop("source"), given.pop("folder"), **given, progress=lambda words: print(f"{words} …", flush=True)
    )
    for name, result in found.items():
        print(*console_lines(name, result), sep="\n")
    print(f"\nTables, examples and decoders are in {args.folder}")
    return 0


def console_lines(name: str, found: Leakage, n_examples: int = 3) -> list[str]:
    """What the console says of one embedding."""
    table, rows = found.table, []
    for measure, row in table.iterrows():
        if measure.rpartition(" ")[2] in MORE:
            continue  # told with what was kept
        spec = ".0f" if measure in ("bleu", "chrf") else ".2f"
        rows.append(
            f"  {measure:<17} {row['read']:{spec}} [{row['read_ci_low']:{spec}}, {row['read_ci_high']:{spec}}], "
            f"from another's vector {row['shuffled']:{spec}}, from the mean vector {row['centre']:{spec}}, "
            f"from none {max(row['language'], row['drawn']):{spec}}"
            + f", in the originals {row['originals']:{spec}}"
            * bool(np.isnan(row["gain"]))
        )
        if f"{measure} {MORE[0]}" in table.index:
            rest = ", ".join(f"{table['read'][f'{measure} {outcome}']:.2f} {outcome}" for outcome in MORE)
            rows.append(f"  {'':<17} {row['read']:.2f} kept, {rest}")
    middle = found.examples.iloc[len(found.examples) // 2 :][:n_examples]
    shown = [f"  {row.text}\n    → {row.read}" for row in middle.itertuples()]
    return ["", f"{name}: {found.conclusion()}.", *rows, "  Read as well as the median text:", *shown]
