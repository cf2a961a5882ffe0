"""One contestant in one process: ``python contestants.py NAME FOLDER PAIRS SECONDS`` prints its cost as JSON.

Each contestant gets the layers (float32, memory-mapped, read once before the clock starts) and computes one measure for
the first PAIRS pairs (i <= j, diagonal left out). One that works pair by pair stops after SECONDS and reports how many
pairs it did. "recipe" contestants are what a careful user would write with NumPy, SciPy and scikit-learn.
"""

import itertools
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np


def pairwise(measure):
    """A contestant that knows pairs only."""

    def run(layers, pairs, seconds):
        began, done, value = time.perf_counter(), 0, None
        for i, j in pairs:
            value = measure(layers[i], layers[j])
            done += 1
            if time.perf_counter() - began > seconds:
                break
        return done, value

    return run


def whole(compute):
    """A contestant that takes all representations at once."""

    def run(layers, pairs, seconds):
        used = sorted({index for pair in pairs for index in pair})
        return len(pairs), compute([layers[index] for index in used])

    return run


def ours(name):
    def run(layers, pairs, seconds):
        from helpers.similarity import MEASURES, similarity_matrix

        if len(pairs) == 1:
            (i, j), measure = pairs[0], MEASURES[name]
            return 1, measure(layers[i], layers[j])
        used = sorted({index for pair in pairs for index in pair})
        matrix = similarity_matrix({str(i): layers[i] for i in used}, name, progress=False)
        return len(pairs), float(matrix.iloc[0, 1])

    return run


def ours_study(layers, pairs, seconds):
    from helpers.similarity import similarity_matrices

    used = sorted({index for pair in pairs for index in pair})
    matrices = similarity_matrices({str(i): layers[i] for i in used}, progress=False)
    return len(pairs), [float(m.iloc[0, 1]) for m in matrices.values()]


def centred(x):
    return x - x.mean(axis=0)


def recipe_cka(x, y):
    x, y = centred(x), centred(y)
    return np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def recipe_rsa(x, y):
    from scipy.stats import spearmanr

    upper = np.triu_indices(len(x), 1)
    return spearmanr(1 - np.corrcoef(x)[upper], 1 - np.corrcoef(y)[upper]).statistic


def recipe_jaccard(x, y, k=10):
    from sklearn.neighbors import NearestNeighbors

    def neighbours(z):
        return NearestNeighbors(n_neighbors=k, metric="cosine").fit(z).kneighbors(return_distance=False)

    both = [len(np.intersect1d(a, b)) for a, b in zip(neighbours(x), neighbours(y), strict=True)]
    return float(np.mean([b / (2 * k - b) for b in both]))


def recipe_distance_correlation(x, y):
    from scipy.spatial.distance import cdist

    def doubly_centred(z):
        d = cdist(z, z)
        return d - d.mean(0) - d.mean(1)[:, None] + d.mean()

    a, b = doubly_centred(x), doubly_centred(y)
    return np.sqrt((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()))


def recipe_cca(x, y):
    qx, _ = np.linalg.qr(centred(x))
    qy, _ = np.linalg.qr(centred(y))
    return np.linalg.svd(qx.T @ qy, compute_uv=False).mean()


def recipe_svcca(x, y):
    def reduced(z):
        u, s, _ = np.linalg.svd(centred(z), full_matrices=False)
        return u[:, : np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.99) + 1]

    return np.linalg.svd(reduced(x).T @ reduced(y), compute_uv=False).mean()


def recipe_procrustes(x, y):
    x, y = centred(x), centred(y)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return np.sqrt(max(0.0, (x**2).sum() + (y**2).sum() - 2 * nuclear))


def recipe_angular(x, y):
    x, y = centred(x), centred(y)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return np.arccos(np.clip(nuclear / np.linalg.norm(x) / np.linalg.norm(y), -1, 1))


def recipe_hard_match(x, y):
    from scipy.optimize import linear_sum_assignment

    x, y = centred(x), centred(y)
    c = (x / np.linalg.norm(x, axis=0)).T @ (y / np.linalg.norm(y, axis=0))
    return c[linear_sum_assignment(c, maximize=True)].mean()


def recipe_soft_match(x, y):
    x, y = centred(x), centred(y)
    c = (x / np.linalg.norm(x, axis=0)).T @ (y / np.linalg.norm(y, axis=0))
    return (c.max(0).mean() + c.max(1).mean()) / 2


def recipe_linear_regression(x, y):
    x, q = centred(x), np.linalg.qr(centred(y))[0]
    return np.linalg.norm(q.T @ x) ** 2 / np.linalg.norm(x) ** 2


def recipe_rsm_norm(x, y):
    from scipy.spatial.distance import cdist

    return np.linalg.norm(cdist(x, x) - cdist(y, y))


def recipe_eigenspace(x, y):
    u, v = (np.linalg.svd(z, full_matrices=False)[0] for z in (x, y))
    return np.linalg.norm(u.T @ v) ** 2 / max(x.shape[1], y.shape[1])


def recipe_imd(x, y):
    from scipy.sparse.csgraph import laplacian
    from sklearn.neighbors import kneighbors_graph

    times = np.logspace(-1, 1, 256)

    def trace(z):
        graph = kneighbors_graph(z, 5)
        graph = graph.maximum(graph.T)
        values = np.linalg.eigvalsh(laplacian(graph, normed=True).toarray())
        return np.exp(-np.outer(times, values)).mean(axis=1)

    return (np.exp(-2 * (times + 1 / times)) * np.abs(trace(x) - trace(y))).max()


def rsatoolbox_all(layers):
    import rsatoolbox

    rdms = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(np.asarray(z)), method="correlation") for z in layers]
    return float(
        rsatoolbox.rdm.compare(rsatoolbox.rdm.concat(rdms), rsatoolbox.rdm.concat(rdms), method="spearman")[0, 1]
    )


def pytorch_cka_all(layers):
    import torch
    from cka import cka_from_features

    tensors = [torch.from_numpy(np.array(z)) for z in layers]
    return float(cka_from_features(tensors, tensors)[0, 1])


def repsim_all(name, **options):
    def compute(layers):
        import repsim

        return float(np.asarray(getattr(repsim, name)([np.asarray(z, dtype=float) for z in layers], **options))[0, 1])

    return compute


def dcor_pair(name):
    def measure(x, y):
        import dcor

        return float(getattr(dcor, name)(x.astype(float), y.astype(float)))

    return measure


def hyppo_pair(x, y):
    from hyppo.independence import Dcorr

    return float(Dcorr().statistic(x.astype(float), y.astype(float)))


def scipy_procrustes(x, y):
    from scipy.spatial import procrustes

    return procrustes(x, y)[2]


#: measure → name of the package → what runs; everything but "helpers" runs in the environment of the peers.
def recipe_mutual_knn(x, y, k=10):
    from sklearn.neighbors import NearestNeighbors

    near = [NearestNeighbors(n_neighbors=k, metric="cosine").fit(z).kneighbors(return_distance=False) for z in (x, y)]
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(*near, strict=True)])


def recipe_imbalance(x, y):
    from scipy.spatial.distance import cdist

    a, b = cdist(x, x), cdist(y, y)
    np.fill_diagonal(a, np.inf)
    np.fill_diagonal(b, -1.0)
    ranks = np.argsort(np.argsort(b, axis=1), axis=1)
    return 2 * np.mean(ranks[np.arange(len(x)), a.argmin(axis=1)]) / len(x)


def recipe_soft_matching(x, y):
    from ot import emd

    x, y = (z / np.linalg.norm(z, axis=0) for z in (centred(x), centred(y)))
    correlations = (x.T @ y).astype(np.float64)
    p, q = correlations.shape
    plan = emd(np.full(p, 1 / p), np.full(q, 1 / q), 1 - correlations, numItermax=10_000_000)
    return np.sum(plan * correlations)


def recipe_nts(x, y):
    from scipy.cluster.hierarchy import cophenet, linkage
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist, squareform
    from scipy.stats import spearmanr

    joined, edges = [], []
    for z in (x, y):
        distances = cdist(z, z)
        edges.append(np.transpose(minimum_spanning_tree(distances).nonzero()))
        joined.append(squareform(cophenet(linkage(squareform(distances, checks=False), "single"))))
    i, j = np.unique(np.sort(np.vstack(edges), axis=1), axis=0).T
    return spearmanr(joined[0][i, j], joined[1][i, j]).statistic


CONTESTANTS = {
    "study": {"helpers": ours_study},
    "cka": {"pytorch-cka": whole(pytorch_cka_all), "recipe": pairwise(recipe_cka)}
    | {"repsim": whole(repsim_all("cka", kernel_type="linear", estimator="gretton"))},
    "rsa": {"rsatoolbox": whole(rsatoolbox_all), "recipe": pairwise(recipe_rsa)},
    "jaccard": {"recipe": pairwise(recipe_jaccard)},
    "distance_correlation": {"dcor": pairwise(dcor_pair("distance_correlation")), "hyppo": pairwise(hyppo_pair)}
    | {"recipe": pairwise(recipe_distance_correlation)},
    "distance_correlation_unbiased": {"dcor": pairwise(dcor_pair("u_distance_correlation_sqr"))},
    "cca": {"repsim": whole(repsim_all("cca")), "recipe": pairwise(recipe_cca)},
    "svcca": {"repsim": whole(repsim_all("svcca")), "recipe": pairwise(recipe_svcca)},
    "pwcca": {"repsim": whole(repsim_all("pwcca"))},
    "procrustes": {"recipe": pairwise(recipe_procrustes)},
    "procrustes_normalized": {"scipy": pairwise(scipy_procrustes)},
    "angular_shape": {"recipe": pairwise(recipe_angular)},
    "hard_correlation_match": {"recipe": pairwise(recipe_hard_match)},
    "soft_correlation_match": {"recipe": pairwise(recipe_soft_match)},
    "linear_regression": {"recipe": pairwise(recipe_linear_regression)},
    "rsm_norm_difference": {"recipe": pairwise(recipe_rsm_norm)},
    "eigenspace_overlap": {"recipe": pairwise(recipe_eigenspace)},
    "imd": {"recipe": pairwise(recipe_imd)},
    "mutual_knn": {"recipe": pairwise(recipe_mutual_knn)},
    "information_imbalance": {"recipe": pairwise(recipe_imbalance)},
    "soft_matching": {"recipe": pairwise(recipe_soft_matching)},
    "nts": {"recipe": pairwise(recipe_nts)},
}
# Without a recipe of a few lines that a careful user would write.
CONTESTANTS |= {
    name: {}
    for name in ("cka_sampled_features", "cknna", "cycle_knn", "mka", "probe_transfer", "partial_soft_matching")
    + ("srtd_lite", "max_rtd_lite")
}
for _name, _rivals in CONTESTANTS.items():
    if _name != "study":
        _rivals["helpers"] = ours(_name)


def resident() -> float:
    """Megabytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main(measure: str, package: str, folder: str, count: int, seconds: float) -> dict:
    layers = [np.load(path, mmap_mode="r") for path in sorted(Path(folder).glob("*.npy"))]
    pairs = list(itertools.combinations(range(len(layers)), 2))[:count]
    for layer in layers:
        layer.sum()  # into memory: reading the disk is nobody's cost
    run = CONTESTANTS[measure][package]
    first = [(0, 1)] if count == 1 else [(0, 1), (0, 2), (1, 2)]
    for rows in (64, 1200):  # imports and compilation, for few objects and for many
        run([np.ascontiguousarray(layer[:rows, :16]) for layer in layers[:3]], first, 1.0)
    before = resident()
    times, peak = [], 0.0
    while not times or (len(times) < 5 and sum(times) < 2):  # what is short is repeated, and its best counts
        began = time.perf_counter()
        done, value = run(layers, pairs, seconds)
        times.append(time.perf_counter() - began)
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # of the first: no garbage of others
    value = float(value) if np.ndim(value) == 0 else value
    return {"seconds": min(times), "pairs": done, "peak_mb": max(0.0, peak - before), "value": value}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))))
