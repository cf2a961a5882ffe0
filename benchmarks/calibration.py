"""All measures over the layers of two encoders beside chance, within a budget: ``python benchmarks/calibration.py``.

Draws twice 13 "layers" of n rows and 768 correlated columns, the second encoder from the first one's input and noise,
and calls ``calibrate(a, "all", against=b, budget=...)``. It prints for every measure of how many objects it was
computed, where its chance level comes from and what it took. ``--record`` writes data/results/calibration.csv.
"""

import argparse
import csv
import datetime
import os
import platform
import time
from pathlib import Path

import numpy as np
from similarity import WIDTH, axes_of, rates

from helpers.similarity import MEASURES, calibrate

RECORD = Path(__file__).resolve().parents[1] / "data" / "results" / "calibration.csv"
FIELDS = "measure n null n_permutations pairs seconds budget wall_seconds objects layers machine date".split()


def two_encoders(n: int, layers: int, rng: np.random.Generator) -> tuple[dict, dict]:
    """Layers as encoders have them, of two encoders that read the same sentences."""
    axes = axes_of(rng)
    start = rng.normal(size=(n, WIDTH)).astype(np.float32) @ axes
    sides = []
    for noise in (0.0, 0.5):
        x = start + np.float32(noise) * rng.normal(size=(n, WIDTH)).astype(np.float32) @ axes
        side = {}
        for layer in range(layers):
            side[f"layer {layer}"] = x + np.float32(0.3)
            change = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / np.float32(np.sqrt(WIDTH))
            x = np.float32(0.8) * x + np.float32(0.6) * np.tanh(x @ change)
        sides.append(side)
    return tuple(sides)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--layers", type=int, default=13)
    parser.add_argument("--budget", type=float, default=900.0, help="seconds")
    parser.add_argument("--measures", nargs="+", default=["all"], choices=["all", *MEASURES])
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(RECORD.parents[2])}")
    args = parser.parse_args()
    flops, bandwidth = rates()
    machine = f"{platform.processor() or platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
    machine += f"{flops / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.0f} GB/s"
    print(machine, flush=True)
    a, b = two_encoders(args.n, args.layers, np.random.default_rng(0))
    began = time.perf_counter()
    measures = "all" if "all" in args.measures else args.measures
    table = calibrate(a, measures, against=b, budget=args.budget)
    wall = time.perf_counter() - began
    rows = []
    for name, choice in table.attrs["plan"].items():
        seconds, count = table.attrs["seconds"][name], int((table["measure"] == name).sum())
        rows.append(
            {"measure": name, "n": choice["n_objects"], "null": choice["null"]}
            | {"n_permutations": choice["n_permutations"], "pairs": count, "seconds": f"{seconds:.3g}"}
            | {"budget": args.budget, "wall_seconds": f"{wall:.0f}", "objects": args.n, "layers": args.layers}
            | {"machine": machine, "date": datetime.date.today().isoformat()}
        )
        print(f"{name:32} n={choice['n_objects']:<6} {choice['null']:12} {choice['n_permutations']:4} {seconds:8.1f} s")
    for name, why in table.attrs["undefined"].items():
        print(f"{name:32} undefined: {why}")
    below = int((table["p_fdr"] <= 0.05).sum())
    print(f"{wall:.0f} s for a budget of {args.budget:g} s; {below} of {len(table)} pairs at a rate of 5 %")
    if args.record:
        with RECORD.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
