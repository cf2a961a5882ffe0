"""Seconds and peak memory of helpers.similarity beside its peers, in one run: ``python benchmarks/similarity.py``.

Installs the peers that the package index has into benchmarks/.env, draws 13 "layers" of n rows and 768 columns, runs
every contestant in a process of its own, one after the other, and prints for one pair and for the 13 x 13 matrix:
seconds, peak memory beyond the input, the ratio to the fastest peer, and the ratio to the physical floor: the least
arithmetic and bytes that any method must spend, at the rates that this machine reaches in a large matrix product and
in a copy. ``--record`` writes data/results/benchmark.csv, which the book shows.
"""

import argparse
import csv
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np
from contestants import CONTESTANTS

HERE = Path(__file__).resolve().parent
RECORD = HERE.parent / "data" / "results" / "benchmark.csv"
LAYERS, WIDTH = 13, 768
FIELDS = "measure scope n package seconds peak_mb pairs_timed of_pairs times_faster floor_seconds value machine date"


def peers() -> Path:
    """The interpreter of the peers; made once."""
    python = HERE / ".env" / "bin" / "python"
    wanted = (HERE / "peers.txt").read_text()
    stamp = HERE / ".env" / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        print("installing the peers into benchmarks/.env …", flush=True)
        venv.create(HERE / ".env", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / "peers.txt"], check=True)
        stamp.write_text(wanted)
    return python


def axes_of(rng: np.random.Generator) -> np.ndarray:
    """Axes with a falling spectrum that no feature is along: features of encoders are correlated."""
    axes = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
    return axes * np.arange(1, WIDTH + 1, dtype=np.float32)[:, None] ** -0.5


def draw(n: int, folder: Path) -> None:
    """Layers as encoders have them: each a mild non-linear change of the one before, with a falling spectrum."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, WIDTH)).astype(np.float32) @ axes_of(np.random.default_rng(1))
    for layer in range(LAYERS):
        np.save(folder / f"{layer:02d}.npy", x + np.float32(0.3))
        change = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / np.float32(np.sqrt(WIDTH))
        x = np.float32(0.8) * x + np.float32(0.6) * np.tanh(x @ change)


def rates() -> tuple[float, float]:
    """What this machine reaches: FLOP/s of a float32 matrix product, bytes/s of a copy (read and written)."""
    a = np.random.default_rng(0).normal(size=(3000, 3000)).astype(np.float32)
    best = min(_timed(lambda: a @ a) for _ in range(4))
    b = np.empty(2**27, np.float32)
    copy = min(_timed(lambda: np.copyto(b[: 2**26], b[2**26 :])) for _ in range(4))
    return 2 * 3000**3 / best, 2 * 2**28 / copy


def floor(measure: str, n: int, layers: int, flops: float, bandwidth: float) -> float | None:
    """Seconds below which no method can go that forms the products its definition needs, each once."""
    p, pairs = WIDTH, layers * (layers - 1) // 2
    grams = layers * n * n * p  # half of each symmetric n x n product
    sums = pairs * n * n  # an inner product of halves of two n x n matrices
    features = (pairs * 2 + layers) * n * p * p
    work = {
        "cka": min(features, grams + sums),
        "rsa": grams + sums,
        "jaccard": grams,
        "distance_correlation": grams + sums,
        "distance_correlation_unbiased": grams + sums,
        "study": 2 * grams + 2 * sums + min(features, grams + sums),
        "rsm_norm_difference": grams + sums,
    }
    products = {"cca", "svcca", "pwcca", "procrustes", "procrustes_normalized", "angular_shape", "eigenspace_overlap"}
    products |= {"hard_correlation_match", "soft_correlation_match", "linear_regression"}
    count = work.get(measure, features if measure in products else None)
    return None if count is None else max(count / flops, layers * n * p * 4 / bandwidth)


def contest(python: Path, measure: str, package: str, folder: Path, count: int, seconds: float) -> dict | str:
    """The cost of one contestant, or why there is none."""
    command = [python, HERE / "contestants.py", measure, package, folder, str(count), str(seconds)]
    limit = 900 if package == "helpers" else 6 * seconds + 20
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, cwd=HERE, preexec_fn=_limit_memory
        )
    except subprocess.TimeoutExpired:
        return f"more than {limit:.0f} s"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return "out of memory" if done.returncode == -9 or "emory" in last else last[:100]
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=[2000, 30000])
    parser.add_argument("--measures", nargs="+", default=list(CONTESTANTS), choices=list(CONTESTANTS))
    parser.add_argument("--scope", nargs="+", default=["pair", "matrix"], choices=["pair", "matrix"])
    parser.add_argument("--seconds", type=float, default=20.0, help="a peer that works pair by pair stops after this")
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(HERE.parent)}")
    args = parser.parse_args()

    theirs = None if args.only_ours else peers()
    flops, bandwidth = rates()
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.processor() or platform.machine()}, {cores} cores, {flops / 1e9:.0f} GFLOP/s, "
    machine += f"{bandwidth / 1e9:.0f} GB/s"
    print(machine)
    today, rows = datetime.date.today().isoformat(), []
    for n in args.n:
        with tempfile.TemporaryDirectory() as folder:
            draw(n, Path(folder))
            for scope in args.scope:
                count = 1 if scope == "pair" else LAYERS * (LAYERS - 1) // 2
                for measure in args.measures:
                    if measure == "study" and scope == "pair":
                        continue
                    rows += table(measure, scope, n, count, theirs, Path(folder), args.seconds, flops, bandwidth)
                    for row in rows:
                        row |= {"machine": machine, "date": today}
                    if args.record:
                        write(rows)


def _limit_memory() -> None:
    """Let a contestant fail alone where its memory does not suffice, instead of the whole machine."""
    share = int(0.7 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    resource.setrlimit(resource.RLIMIT_DATA, (share, share))


def table(measure, scope, n, count, theirs, folder, seconds, flops, bandwidth) -> list[dict]:
    """Run, print and return all contestants of one measure."""
    least = floor(measure, n, 2 if scope == "pair" else LAYERS, flops, bandwidth)
    rows = []
    for package in sorted(CONTESTANTS[measure], key=lambda name: (name != "helpers", name)):
        python = Path(sys.executable) if package == "helpers" else theirs
        if python is None:
            continue
        cost = contest(python, measure, package, folder, count, seconds)
        row = dict.fromkeys(FIELDS.split(), "")
        row |= {"measure": measure, "scope": scope, "n": n, "package": package, "of_pairs": count}
        row["floor_seconds"] = "" if least is None else f"{least:.3g}"
        if isinstance(cost, str):
            row["value"] = cost
        else:
            scaled = cost["seconds"] * count / cost["pairs"]
            row |= {"seconds": f"{scaled:.3g}", "peak_mb": f"{cost['peak_mb']:.0f}", "pairs_timed": cost["pairs"]}
            row["value"] = cost["value"] if isinstance(cost["value"], (int, float)) else ""
        rows.append(row)
    timed = [float(row["seconds"]) for row in rows if row["seconds"] and row["package"] != "helpers"]
    for row in rows:
        if row["package"] == "helpers" and row["seconds"] and timed:
            row["times_faster"] = f"{min(timed) / float(row['seconds']):.1f}"
        extra = f" ({row['pairs_timed']} of {count} pairs timed)" if row["pairs_timed"] not in ("", count) else ""
        ratio = f"  {row['times_faster']} x the fastest peer" if row["times_faster"] else ""
        physical = f"  {float(row['seconds']) / least:.1f} x the floor" if row["seconds"] and least else ""
        print(
            f"{scope:6} n={n:<6} {measure:30} {row['package']:12} {row['seconds'] or row['value']:>9} s "
            f"{row['peak_mb']:>6} MB{ratio}{physical}{extra}",
            flush=True,
        )
    return rows


def write(rows: list[dict]) -> None:
    """Put whole contests (measure, scope, n) in place of earlier ones, so that all of a contest come from one run."""
    columns = FIELDS.split()
    contest = columns[:3]
    rows = [{name: str(row[name]) for name in columns} for row in rows]
    new = {tuple(row[name] for name in contest) for row in rows}
    old = []
    if RECORD.exists():
        with RECORD.open(newline="", encoding="utf-8") as file:
            old = [row for row in csv.DictReader(file) if tuple(row[name] for name in contest) not in new]
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with RECORD.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(old + rows)


def _timed(function) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
