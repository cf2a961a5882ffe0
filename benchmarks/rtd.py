"""RTD of one pair beside the libraries that compute its barcode: ``python benchmarks/rtd.py``.

Every contestant gets the same rows, computes both directions, and its clock covers all from the points to the value.
The peers have no RTD of their own: they receive the 2n-vertex matrix of the definition. ripser.py stands for the route
of the original implementation (which needs a GPU build), GUDHI gets the lower triangle, giotto-ph all threads. One
subset is timed for the peers (those that are installed beside this package), ten for ours, on one thread and on all.
Seconds are given by the clock and by the processor, which tells how far other programs were in the way.

Gaussian noise is always there. With BOOK_MODELS (a folder with ``gte-small``) layers of that encoder are compared too,
on sentences of BOOK_DATA/stsbenchmark, or on docstrings of the installed packages if that is not there.
"""

import argparse
import csv
import importlib.util
import inspect
import os
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from sklearn.metrics import pairwise_distances  # noqa: E402

from helpers.similarity.topology import rtd, rtd_lite, rtd_matrix  # noqa: E402

LAYER_PAIRS = ((11, 12), (5, 6), (0, 12), (6, 12))


def cross_matrix(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The definition: 2n vertices, half of them glued together."""
    n = len(x)
    r1, r2 = pairwise_distances(x), pairwise_distances(y)
    r1, r2 = (r1 + r1.T) / 2, (r2 + r2.T) / 2
    r1, r2 = r1 / np.quantile(r1, 0.9), r2 / np.quantile(r2, 0.9)
    out = np.zeros((2 * n, 2 * n))
    out[:n, n:], out[n:, :n], out[n:, n:] = r1, r1, np.minimum(r1, r2)
    out[out < 1e-6 * r1.mean()] = 0
    return out


def with_ripser(matrix: np.ndarray) -> np.ndarray:
    from ripser import ripser

    return ripser(matrix, distance_matrix=True, maxdim=1)["dgms"][1]


def with_gudhi(matrix: np.ndarray) -> np.ndarray:
    from gudhi.sklearn.rips_persistence import RipsPersistence

    lower = [matrix[i, :i] for i in range(len(matrix))]
    return RipsPersistence(homology_dimensions=1, input_type="lower distance matrix").fit_transform([lower])[0]


def with_giotto(matrix: np.ndarray) -> np.ndarray:
    from gph import ripser_parallel

    return ripser_parallel(matrix, metric="precomputed", maxdim=1, n_threads=-1)["dgms"][1]


PEERS = {"ripser": (with_ripser, "ripser"), "gudhi": (with_gudhi, "gudhi"), "giotto-ph": (with_giotto, "gph")}


def timed(call) -> tuple[float, float, float]:
    """Value, seconds by the clock, seconds of the processor (all threads)."""
    begin, work = time.perf_counter(), time.process_time()
    value = call()
    return value, time.perf_counter() - begin, time.process_time() - work


def peer_rtd(bars, x: np.ndarray, y: np.ndarray) -> float:
    """RTD of all the points, both directions, by a peer."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(np.mean([np.diff(bars(cross_matrix(a, b)).astype(np.float64)).sum() for a, b in ((x, y), (y, x))]))


def sentences(count: int) -> list[str]:
    """Distinct sentences: of the STS benchmark, else first lines of docstrings."""
    data = os.environ.get("BOOK_DATA")
    source = Path(data) / "stsbenchmark" / "sts-train.csv" if data else None
    if source is not None and source.exists():
        with source.open(encoding="utf8", newline="") as file:
            found = [text for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) for text in row[5:7]]
    else:
        found = []
        for package in ("numpy", "scipy.stats", "scipy.spatial", "sklearn.metrics", "pandas", "torch"):
            members = [member for _, member in inspect.getmembers(importlib.import_module(package))]
            members += [m for member in members if inspect.isclass(member) for _, m in inspect.getmembers(member)]
            found += [doc.strip().split("\n")[0] for member in members if (doc := inspect.getdoc(member))]
    found = list(dict.fromkeys(text for text in found if text))
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))[:count]]


def layers(folder: Path, texts: list[str]) -> list[np.ndarray]:
    """Mean-pooled hidden states of all layers."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, output_hidden_states=True, add_pooling_layer=False).eval()
    out = []
    for start in range(0, len(texts), 64):
        batch = tokenizer(texts[start : start + 64], padding=True, truncation=True, max_length=128, return_tensors="pt")
        with torch.inference_mode():
            states = torch.stack(model(**batch).hidden_states)
        mask = batch["attention_mask"][None, :, :, None].float()
        out.append(((states * mask).sum(2) / mask.sum(2)).numpy())
    return list(np.concatenate(out, axis=1))


def compare(name: str, x: np.ndarray, y: np.ndarray, batch: int, peers: list[str]) -> None:
    """One line for ours and one for every peer."""
    trials = 10 if len(x) > batch else 1
    _, one, work = (z / trials for z in timed(lambda: rtd(x, y, batch=batch, n_jobs=1)))
    _, every, work_of_all = (z / trials for z in timed(lambda: rtd(x, y, batch=batch)))
    value = rtd(x[:batch], y[:batch], batch=batch)
    form = "{:28} {:16} {:9.4f} s a subset, processor {:9.4f} s"
    print(form.format(name, "ours, 1 thread", one, work), f"  value {value:.6f}")
    print(form.format("", "ours, all cores", every, work_of_all), flush=True)
    for peer in peers:
        theirs, seconds, spent = timed(lambda bars=PEERS[peer][0]: peer_rtd(bars, x[:batch], y[:batch]))
        ratios = (
            f"{seconds / one:6.0f} x ours on 1 thread (processor {spent / work:.0f} x), {seconds / every:6.0f} x all"
        )
        print(form.format("", peer, seconds, spent), f"  value {theirs:.6f}  ", ratios, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=500, help="points in a subset (500)")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), help="all that are installed")
    arguments = parser.parse_args()
    installed = [peer for peer in arguments.peers if importlib.util.find_spec(PEERS[peer][1])]
    for peer in set(arguments.peers) - set(installed):
        print(f"{peer} is not installed")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5000, 768)).astype(np.float32)
    y = (x + rng.normal(size=x.shape)).astype(np.float32)
    small = x[:20, :3]
    _, compilation, _ = timed(lambda: (rtd(small, small**2), rtd_lite(small, small**2)))
    print(f"first call {compilation:.1f} s (compilation, if it is not cached yet)\n")
    compare("Gaussian noise, d = 768", x, y, arguments.points, installed)
    _, seconds, _ = timed(lambda: rtd_lite(x, y))
    print(f"\nRTD-lite, n = 5000, d = 768, float32: {seconds:.2f} s a pair\n")
    models = os.environ.get("BOOK_MODELS")
    if not models:
        print("BOOK_MODELS is not set: no layers of an encoder")
        return
    states = layers(Path(models) / "gte-small", sentences(2000))
    for a, b in LAYER_PAIRS:
        compare(f"gte-small, layers {a} | {b}", states[a], states[b], arguments.points, installed)
    named = {str(layer): state for layer, state in enumerate(states)}
    _, seconds, _ = timed(lambda: rtd_matrix(named, batch=arguments.points, progress=False))
    print(f"\nall {len(states)} x {len(states)} layers, 10 subsets of {arguments.points}: {seconds:.1f} s")


if __name__ == "__main__":
    main()
