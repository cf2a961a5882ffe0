"""The layers of one encoder compared with each other: matrices with their spread and their chance level, and blocks.

The statistics here are of L × L matrices whose entries share layers, so that no textbook test of a correlation fits;
each function says what it resamples instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator
from helpers.inference import Claim, Finding, absent
from helpers.metrics import average_ranks, spearman
from helpers.similarity import MEASURES, rtd, rtd_matrix, similarity_matrices

__all__ = [
    "CLAIMS",
    "VIEWS",
    "LayerStudy",
    "measure_agreement",
    "block_fit",
    "block_name",
    "block_test",
    "rank_partitions",
    "blocks_finding",
    "claimed_partitions",
    "contiguous_partitions",
    "cut_tree",
    "drifting_layers",
    "rank_ends",
    "findings",
    "basic_interval",
    "as_similarities",
    "pooler_finding",
    "compare_layers",
    "similarity_rows",
]

#: The measures that are laid side by side: the four of the original study, and the one that it skipped.
VIEWS = ("cka", "rsa", "jaccard", "distance_correlation", "rtd")

_MADE = {"source": "popov2025automatic", "place": "section 2.3", "models": "BERT, RoBERTa and SimCSE", "spec": "+.2f"}
CLAIMS = {
    "agree": Claim(
        "The matrices of different measures agree above 0.9 in all models",
        "lowest Spearman correlation between two of the four measures",
        null=0.9,
        **_MADE | {"spec": ".2f"},
    ),
    "first": Claim(
        "The embedding layer stands apart",
        "its step to the next layer less the second largest of all other steps, in 1 − CKA",
        **_MADE,
    ),
    "last": Claim(
        "The last layer stands apart",
        "its step from the layer before less the second largest of all other steps, in 1 − CKA",
        **_MADE,
    ),
    "centre": Claim(
        "The central layers form a block between the two",
        "CKA of central layers less that of an end and a central layer equally far apart",
        **_MADE,
    ),
    "blocks": Claim(
        "BERT falls into the blocks [0], [1–3], [4–8], [9–12]",
        "their fit less that of all but one in twenty partitions",
        **_MADE | {"models": "BERT"},
    ),
    "pooler": Claim(
        "The pooler of SimCSE is a cluster of its own",
        "height at which it joins the tree of all representations less that of the cut into four groups, in 1 − CKA",
        **_MADE | {"models": "SimCSE", "place": "section 2.6"},
    ),
}
"""What the published study claims of the layers of its encoders."""


class LayerStudy(NamedTuple):
    """Five measures between all layers of one encoder.

    ``matrices``: measure → ``DataFrame`` (L, L). ``draws``: measure → array (R, L, L) that moves about its own mean as
    the matrix would move with other sentences. ``chance``: measure → ``DataFrame`` (L, L) after the sentences of one
    side were shuffled (of RTD on one subset).
    """

    matrices: dict[str, Any]
    draws: dict[str, np.ndarray]
    chance: dict[str, Any]

    def of(self, names: Sequence[str]) -> LayerStudy:
        """The same of some of the layers."""
        at = [list(next(iter(self.matrices.values())).index).index(name) for name in names]
        return LayerStudy(
            {name: matrix.iloc[at, at] for name, matrix in self.matrices.items()},
            {name: draws[:, at][:, :, at] for name, draws in self.draws.items()},
            {name: matrix.iloc[at, at] for name, matrix in self.chance.items()},
        )


def compare_layers(
    layers: Mapping[str, Any],
    *,
    k: int = 10,
    rtd_batch: int = 200,
    rtd_trials: int = 6,
    halves: int = 20,
    rng: int | np.random.Generator = 0,
) -> LayerStudy:
    """CKA, RSA, Jaccard, distance correlation and RTD between all layers, how sure they are, and what chance gives.

    Parameters
    ----------
    layers
        Name → array of shape (n, p), in the order of depth.
    k
        Neighbours of the Jaccard similarity; in the halves k / 2, the same share of the objects.
    rtd_batch, rtd_trials
        Objects in each random subset of RTD, and how many subsets; at least two.
    halves
        Random halves of the objects, and resamples of the subsets of RTD.
    rng
        Seed or generator.

    Returns
    -------
    Study

    Raises
    ------
    TypeError, ValueError
        If the measures raise them, or a count is too small.

    Notes
    -----
    Half of n objects, drawn without replacement, deviates from the mean over the halves as n objects do from the
    population (Politis and Romano, 1994). Of RTD, whose value belongs to one size of subset, the subsets themselves are
    resampled, and the deviations multiplied by √(T / (T - 1)). Cost: about 3 + halves / 4 times that of the matrices.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.layers import compare_layers
    >>> x = np.random.default_rng(0).normal(size=(60, 4))
    >>> found = compare_layers({"a": x, "b": x**3, "c": x**2}, k=5, rtd_batch=20, rtd_trials=2, halves=3)
    >>> found.matrices["cka"].loc["a", ["b", "c"]].round(1).to_dict(), sorted(found.matrices)
    ({'b': 0.6, 'c': 0.1}, ['cka', 'distance_correlation', 'jaccard', 'rsa', 'rtd'])
    """
    import pandas as pd

    halves, trials = check_count(halves, "halves", least=2), check_count(rtd_trials, "rtd_trials", least=2)
    rng, names = generator(rng), list(layers)
    arrays = {name: np.asarray(layers[name]) for name in names}
    n = len(arrays[names[0]])
    streamed = [name for name in VIEWS if name != "rtd"]

    def matrices(rows: Any, neighbours: int, more: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
        chosen = {name: x[rows] for name, x in arrays.items()} | (more or {})
        return similarity_matrices(chosen, streamed, options={"jaccard": {"k": neighbours}}, progress=False)

    order = rng.permutation(n)
    both = matrices(slice(None), k, {f"{name}, shuffled": x[order] for name, x in arrays.items()})
    size = len(names)
    full = {name: matrix.iloc[:size, :size] for name, matrix in both.items()}
    chance = {name: matrix.iloc[:size, size:].set_axis(names, axis=1) for name, matrix in both.items()}
    found = [matrices(np.sort(rng.permutation(n)[: n // 2]), max(1, k // 2)) for _ in range(halves)]
    draws = {name: np.stack([matrix[name].to_numpy() for matrix in found]) for name in streamed}

    options, at = {"trials": 1, "batch": rtd_batch}, int(rng.integers(2**32))
    subsets = [rtd_matrix(arrays, **options, rng=rng, progress=False) for _ in range(trials)]
    each = np.stack([matrix.to_numpy() for matrix in subsets])
    again = each[rng.integers(trials, size=(halves, trials))].mean(axis=1)
    draws["rtd"] = each.mean(axis=0) + np.sqrt(trials / (trials - 1)) * (again - each.mean(axis=0))
    full["rtd"] = sum(subsets) / trials
    apart = np.zeros((size, size))
    for i, j in itertools.combinations_with_replacement(range(size), 2):
        apart[i, j] = apart[j, i] = rtd(arrays[names[i]], arrays[names[j]][order], **options, rng=at)
    chance["rtd"] = pd.DataFrame(apart, names, names)
    return LayerStudy(full, draws, chance)


def basic_interval(value: float, draws: Sequence[float], confidence_level: float = 0.95) -> tuple[float, float]:
    """The value with the deviations of ``draws`` from their own mean around it, turned as in the basic bootstrap.

    >>> [round(end, 6) for end in basic_interval(1.0, [0.4, 0.5, 0.6], confidence_level=1.0)]
    [0.9, 1.1]
    """
    moved = np.asarray(draws, dtype=float) - np.mean(draws)
    low, high = np.quantile(moved, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    return float(value - high), float(value - low)


def similarity_rows(found: LayerStudy) -> Any:
    """A row for each measure and pair of layers: ``measure, layer_a, layer_b, value, ci_low, ci_high, chance``."""
    import pandas as pd

    rows = []
    for name, matrix in found.matrices.items():
        for i, j in itertools.combinations(range(len(matrix)), 2):
            value = float(matrix.iat[i, j])
            low, high = basic_interval(value, found.draws[name][:, i, j])
            chance = float(found.chance[name].iat[i, j])
            rows.append((name, matrix.index[i], matrix.index[j], value, low, high, chance))
    return pd.DataFrame(rows, columns=["measure", "layer_a", "layer_b", "value", "ci_low", "ci_high", "chance"])


def measure_agreement(
    found: LayerStudy, measures: Sequence[str] = VIEWS, *, n_permutations: int = 999, rng: int | np.random.Generator = 0
) -> Any:
    """How alike two measures order the pairs of layers: Spearman's correlation of the entries above the diagonals.

    Parameters
    ----------
    found
        Result of :func:`compare_layers`.
    measures
        Names of the measures; distances count with the sign turned.
    n_permutations
        Number of permutations of the test.
    rng
        Seed or generator.

    Returns
    -------
    DataFrame
        One row for each two measures: ``spearman``; ``ci_low, ci_high``, the 95 % interval over sentences;
        ``ci_low_layers, ci_high_layers``, that over layers, by the jackknife; ``p`` of the permutation test of Mantel,
        which shuffles whole layers of one matrix; and ``beyond_depth``, the correlation of the ranks less their means
        over all pairs that lie equally far apart in depth.

    Notes
    -----
    The L (L - 1) / 2 entries are not independent, since each layer has a share in L - 1 of them: the jackknife leaves
    out whole layers, on Fisher's scale, with quantiles of Student's t.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.layers import measure_agreement, compare_layers
    >>> rng = np.random.default_rng(0)
    >>> x = np.cumsum(rng.normal(size=(5, 60, 4)), axis=0)
    >>> found = compare_layers(dict(zip("abcde", x)), k=5, rtd_batch=20, rtd_trials=2, halves=3)
    >>> bool(measure_agreement(found, ["cka", "rsa"], n_permutations=9).spearman.item() > 0.8)
    True
    """
    import pandas as pd

    rng, rows = generator(rng), []
    signs = {name: 1 if MEASURES[name].orientation == "similarity" else -1 for name in measures}
    full = {name: signs[name] * found.matrices[name].to_numpy() for name in measures}
    size = len(full[measures[0]])
    for a, b in itertools.combinations(measures, 2):
        value = _over_pairs(full[a], full[b])
        sign = signs[a] * signs[b]
        moved = [sign * _over_pairs(x, y) for x, y in zip(found.draws[a], found.draws[b], strict=True)]
        orders = (rng.permutation(size) for _ in range(check_count(n_permutations, "n_permutations")))
        null = np.array([_over_pairs(full[a], full[b][np.ix_(order, order)]) for order in orders])
        low, high = basic_interval(value, moved)
        rows.append(
            {
                "measure_a": a,
                "measure_b": b,
                "spearman": value,
                "ci_low": low,
                "ci_high": min(high, 1.0),
                **dict(zip(("ci_low_layers", "ci_high_layers"), _jackknife(full[a], full[b]), strict=True)),
                "p": (1 + int((null >= value - 1e-12).sum())) / (1 + n_permutations),
                "beyond_depth": _given_depth(full[a], full[b]),
            }
        )
    return pd.DataFrame(rows)


def contiguous_partitions(size: int, count: int) -> np.ndarray:
    """All ways to cut ``size`` layers into ``count`` blocks of neighbours: labels of shape (ways, size).

    >>> contiguous_partitions(3, 2).tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    count = check_count(count, "count", most=size, why=f"({size} layers)")
    cuts = list(itertools.combinations(range(1, size), count - 1))
    cuts = np.array(cuts, dtype=int).reshape(len(cuts), count - 1)
    return (np.arange(size)[None, :, None] >= cuts[:, None, :]).sum(axis=2)


def block_fit(similarity: Any, groups: Sequence[int], *, beyond_depth: bool = False) -> float:
    """Correlation, over the pairs of layers, between the similarity and being in one block.

    ``beyond_depth`` first takes from both their mean over all pairs that lie equally far apart in depth, so that a
    steady drift from layer to layer counts for nothing. NaN if nothing is left.

    >>> round(block_fit([[1, 1, 0], [1, 1, 0], [0, 0, 1]], [0, 0, 1]), 6)
    1.0
    """
    return float(_fits(np.asarray(similarity, float), np.asarray(groups)[None], beyond_depth)[0])


def block_test(similarity: Any, groups: Sequence[int], *, beyond_depth: bool = False) -> tuple[float, float]:
    """:func:`block_fit` of a partition, and the share of all contiguous ones of as many blocks that fit as well.

    The share, this partition counted, is a rank. It would be a p-value if the partition had been drawn at random among
    all contiguous ones; a partition that somebody claims was not.

    >>> [round(found, 6) for found in block_test([[1, 1, 0], [1, 1, 0], [0, 0, 1]], [0, 0, 1])]
    [1.0, 0.5]
    """
    matrix, fit = np.asarray(similarity, float), block_fit(similarity, groups, beyond_depth=beyond_depth)
    fits = _fits(matrix, contiguous_partitions(len(groups), len(set(groups))), beyond_depth)
    return fit, float(np.mean(~(fits < fit - 1e-12)))


def as_similarities(found: LayerStudy, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """The matrix and its draws as similarities: of a distance the share by which it lies below its chance level."""
    matrix, draws, chance = found.matrices[measure].to_numpy(), found.draws[measure], found.chance[measure].to_numpy()
    return (
        (matrix, draws) if MEASURES[measure].orientation == "similarity" else (1 - matrix / chance, 1 - draws / chance)
    )


def rank_partitions(found: LayerStudy, partitions: Mapping[str, Sequence[int]], measures: Sequence[str] = VIEWS) -> Any:
    """Claimed partitions of the layers against all contiguous ones of as many blocks.

    Parameters
    ----------
    found
        Result of :func:`compare_layers`.
    partitions
        Name → labels of the layers.
    measures
        Names of the measures.

    Returns
    -------
    DataFrame
        One row for each measure and partition: ``fit`` and ``p``, its rank, as :func:`block_test` gives them,
        ``support``, the share of the draws whose rank is at most 0.05, and the same three ``…_beyond_depth``; ``best``,
        the contiguous partition that fits best, and ``tree``, the cut of the dendrogram into as many blocks, with
        ``tree_support``, the share of the draws that are cut the same way.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.layers import rank_partitions, compare_layers
    >>> x, y = np.random.default_rng(0).normal(size=(2, 60, 4))
    >>> found = compare_layers({"a": x, "b": x + y / 5, "c": y}, k=5, rtd_batch=20, rtd_trials=2, halves=3)
    >>> rank_partitions(found, {"the last apart": [0, 0, 1]}, ["cka"])[["best", "tree"]].values.tolist()
    [['[0–1] [2]', '[0–1] [2]']]
    """
    import pandas as pd

    rows = []
    for measure, (name, groups) in itertools.product(measures, partitions.items()):
        matrix, draws = as_similarities(found, measure)
        row: dict[str, Any] = {"measure": measure, "partition": name, "blocks": block_name(groups)}
        for suffix, beyond in (("", False), ("_beyond_depth", True)):
            fit, share = block_test(matrix, groups, beyond_depth=beyond)
            often = np.mean([block_test(draw, groups, beyond_depth=beyond)[1] <= 0.05 for draw in draws])
            row |= {f"fit{suffix}": fit, f"p{suffix}": share, f"support{suffix}": float(often)}
        count = len(set(groups))
        ways = contiguous_partitions(len(groups), count)
        tree = block_name(cut_tree(matrix, count))
        row["best"] = block_name(ways[int(np.argmax(_fits(matrix, ways, False)))])
        row["tree"] = tree
        row["tree_support"] = float(np.mean([block_name(cut_tree(draw, count)) == tree for draw in draws]))
        rows.append(row)
    return pd.DataFrame(rows)


def claimed_partitions(size: int) -> dict[str, list[int]]:
    """What the original study says of the layers 0 to ``size`` - 1 of an encoder, as partitions.

    Popov (2025): the central layers form a block, the embedding layer and the last one stand apart; BERT, whose 12
    layers follow the embedding layer, falls into four blocks.

    >>> {name: block_name(groups) for name, groups in claimed_partitions(13).items()}
    {'centre and two ends': '[0] [1–11] [12]', 'four blocks': '[0] [1–3] [4–8] [9–12]'}
    """
    out = {"centre and two ends": [0, *[1] * (size - 2), 2]}
    return out | ({"four blocks": [0, *[1] * 3, *[2] * 5, *[3] * 4]} if size == 13 else {})


def rank_ends(found: LayerStudy, measures: Sequence[str] = VIEWS) -> Any:
    """Whether the first and the last layer stand apart: their steps to the next layer among all steps.

    Returns
    -------
    DataFrame
        Two rows for each measure: ``step``, one less the similarity of the first (last) layer to its neighbour;
        ``others``, the median of the steps between the other neighbours; ``rank``, 1 for the largest of the L - 1
        steps; ``support``, the share of the draws in which it is one of the two largest.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.studies.layers import rank_ends, compare_layers
    >>> x, y = np.random.default_rng(0).normal(size=(2, 60, 4))
    >>> layers = {"a": x, "b": x + y / 9, "c": x + y / 5, "d": x + y / 3, "e": y}
    >>> found = compare_layers(layers, k=5, rtd_batch=20, rtd_trials=2, halves=3)
    >>> rank_ends(found, ["cka"])[["layer", "rank"]].values.tolist()
    [['a', 3], ['e', 1]]
    """
    import pandas as pd

    rows = []
    for measure in measures:
        matrix, draws = as_similarities(found, measure)
        names, every = list(found.matrices[measure].index), np.stack([matrix, *draws])
        steps = 1 - np.diagonal(every, 1, axis1=1, axis2=2)
        for layer, at in ((names[0], 0), (names[-1], -1)):
            ranks = 1 + (steps > steps[:, [at]]).sum(axis=1)
            row = {"measure": measure, "layer": layer, "step": float(steps[0, at])}
            row |= {"others": float(np.median(steps[0, 1:-1])), "rank": int(ranks[0])}
            rows.append(row | {"support": float(np.mean(ranks[1:] <= 2))})
    return pd.DataFrame(rows)


def findings(pairs: Any, agreements: Any, n_objects: Mapping[Any, int]) -> dict[str, Finding]:
    """What the layers of one or several encoders say of :data:`CLAIMS`, for :func:`helpers.inference.judge`.

    Parameters
    ----------
    pairs
        Table from :func:`similarity_rows`, with a column ``run`` that names the encoder (and the corpus); CKA is what
        is read.
    agreements
        Table from :func:`measure_agreement`, with the same column; RTD is left out.
    n_objects
        Run → number of objects.

    Returns
    -------
    dict of str to Finding
        Findings about the claims about every encoder: a claim about all of them is as good as the weakest comparison in
        any. A difference of two similarities has the limits that it has if both err together, at worst.
    """
    from helpers.inference import weakest

    parts: dict[str, list[Finding]] = {key: [] for key in ("agree", "first", "last", "centre")}
    for run, own in agreements.groupby("run", sort=False):
        own = own[(own[["measure_a", "measure_b"]] != "rtd").all(axis=1)]
        parts["agree"] += [
            _finding((row.spearman, row.ci_low, row.ci_high), n_objects[run]) for row in own.itertuples()
        ]
    for run, own in pairs[pairs["measure"] == "cka"].groupby("run", sort=False):
        bounds = _bounds(own)
        steps = [1 - bounds[i, i + 1][[0, 2, 1]] for i in range(1 + max(i for i, _ in bounds))]
        if len(steps) < 3:  # no layer between the ends and their neighbours
            continue
        for key, end in (("first", 0), ("last", len(steps) - 1)):
            gaps = [_finding(steps[end] - step[[0, 2, 1]], n_objects[run]) for i, step in enumerate(steps) if i != end]
            parts[key].append(weakest(CLAIMS[key], gaps, spare=1))
        parts["centre"].append(_finding(_centre_gap(bounds, len(steps)), n_objects[run]))
    return {key: weakest(CLAIMS[key], found) for key, found in parts.items() if found}


def blocks_finding(found: LayerStudy, n_objects: int, groups: Sequence[int]) -> Finding:
    """Whether claimed blocks fit better than all but one in twenty of the partitions into as many contiguous blocks.

    Parameters
    ----------
    found
        Result of :func:`compare_layers` for the encoder that the claim is about.
    n_objects
        How many objects the layers represent.
    groups
        Labels of the layers.
    """
    ways = contiguous_partitions(len(groups), len(set(groups)))

    def lead(matrix: np.ndarray) -> float:
        return block_fit(matrix, groups) - float(np.nanquantile(_fits(matrix, ways, False), 0.95, method="higher"))

    return _drawn_finding(lead, found, n_objects)


def pooler_finding(found: LayerStudy, n_objects: int) -> Finding:
    """How far above the cut into four groups the last representation joins the tree of all.

    Parameters
    ----------
    found
        Result of :func:`compare_layers`, with the pooler as its last representation.
    n_objects
        How many objects they represent.

    Returns
    -------
    Finding
        Finding in 1 - CKA; above zero the pooler is a group of its own when the tree is cut into four.
    """
    from scipy.cluster.hierarchy import linkage

    if len(found.matrices["cka"]) < 5:
        return absent("fewer than five representations to cut into four groups")

    def height(matrix: np.ndarray) -> float:
        size = len(matrix)
        tree = linkage((1 - matrix)[np.triu_indices(size, 1)], "average")
        joins = next(row[2] for row in tree if size - 1 in row[:2])
        return float(joins - tree[size - 5, 2])

    return _drawn_finding(height, found, n_objects)


def _drawn_finding(statistic: Any, found: LayerStudy, n_objects: int) -> Finding:
    """A statistic of the CKA matrix with the interval that its draws give."""
    matrix, draws = as_similarities(found, "cka")
    value = statistic(matrix)
    return _finding((value, *basic_interval(value, [statistic(draw) for draw in draws])), n_objects)


def _finding(bounds: Any, n_objects: int) -> Finding:
    return Finding(*(float(bound) for bound in bounds), int(n_objects), "sentences")


def _bounds(pairs: Any) -> dict[tuple[int, int], np.ndarray]:
    """Pair of layers → value, lower and upper limit; representations that are no layer are left out."""
    found = {}
    for row in pairs.itertuples():
        names = [str(name).removeprefix("layer ") for name in (row.layer_a, row.layer_b)]
        if all(name.isdigit() for name in names):
            i, j = sorted(map(int, names))
            found[i, j] = np.array([row.value, row.ci_low, row.ci_high])
    return found


def _centre_gap(bounds: Mapping[tuple[int, int], np.ndarray], last: int) -> np.ndarray:
    """How much more alike central layers are than an end and a central layer equally far apart; mean over distances."""
    gaps = []
    for distance in range(1, last - 1):
        inner, outer = [], []
        for (i, j), bound in bounds.items():
            if j - i == distance:
                (outer if i == 0 or j == last else inner).append(bound)
        gaps.append(np.mean(inner, axis=0) - np.mean(outer, axis=0)[[0, 2, 1]])
    return np.mean(gaps, axis=0)


def cut_tree(similarity: Any, count: int) -> np.ndarray:
    """Blocks by average linkage of 1 - similarity, cut into ``count`` and numbered in order of appearance.

    >>> cut_tree([[1.0, 0.1, 0.9], [0.1, 1.0, 0.2], [0.9, 0.2, 1.0]], 2).tolist()
    [0, 1, 0]
    """
    from scipy.cluster.hierarchy import cut_tree, linkage

    matrix = np.asarray(similarity, float)
    tree = linkage((1 - matrix)[np.triu_indices(len(matrix), 1)], "average")
    labels = cut_tree(tree, check_count(count, "count", most=len(matrix))).ravel()
    first = list(dict.fromkeys(labels.tolist()))
    return np.array([first.index(label) for label in labels])


def block_name(groups: Sequence[int]) -> str:
    """Blocks as one writes them.

    >>> block_name([0, 1, 1, 1, 2])
    '[0] [1–3] [4]'
    """
    parts = []
    for group in dict.fromkeys(np.asarray(groups).tolist()):
        members = np.flatnonzero(np.asarray(groups) == group)
        runs = np.split(members, np.flatnonzero(np.diff(members) > 1) + 1)
        parts.append("[" + ", ".join(f"{r[0]}–{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs) + "]")
    return " ".join(parts)


def drifting_layers(x: Any, steps: int, keep: float, rng: int | np.random.Generator = 0) -> dict[str, np.ndarray]:
    """Layers with nothing but a steady drift: each keeps the share ``keep`` of the variance of the one before.

    The rest comes from the rows of ``x`` in random order, which have the same spectrum and know nothing of the objects.

    >>> [z.shape for z in drifting_layers(np.eye(4), 2, 0.5).values()]
    [(4, 4), (4, 4), (4, 4)]
    """
    if not 0 <= keep <= 1:
        raise ValueError(f"keep is {keep!r}; a share between 0 and 1 is needed")
    rng, start = generator(rng), np.asarray(x, dtype=float)
    start = start - start.mean(axis=0)
    layers = [start]
    for _ in range(check_count(steps, "steps")):
        layers.append(np.sqrt(keep) * layers[-1] + np.sqrt(1 - keep) * start[rng.permutation(len(start))])
    return {f"layer {number}": layer for number, layer in enumerate(layers)}


def _fits(matrix: np.ndarray, partitions: np.ndarray, beyond_depth: bool) -> np.ndarray:
    """:func:`block_fit` of many partitions, one in each row."""
    i, j = np.triu_indices(len(matrix), 1)
    values = np.vstack([matrix[i, j], partitions[:, i] == partitions[:, j]]).astype(float)
    return _correlations(values, j - i if beyond_depth else np.ones_like(i))


def _correlations(values: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Of the first row with each other one, all less their means over the entries of equal ``depth``."""
    strata = (depth[:, None] == np.unique(depth)).astype(float)
    values = values - values @ (strata / strata.sum(axis=0)) @ strata.T
    length = np.linalg.norm(values, axis=1)
    length = np.where(length > 1e-9, length, np.nan)
    return np.clip(values[1:] @ values[0] / (length[1:] * length[0]), -1, 1)


def _over_pairs(x: Any, y: Any) -> float:
    """Rank correlation of the entries above the diagonals of two matrices."""
    above = np.triu_indices(len(x), 1)
    return spearman(np.asarray(x)[above], np.asarray(y)[above])


def _given_depth(x: np.ndarray, y: np.ndarray) -> float:
    """Correlation of the ranks less their means over all pairs that lie equally far apart in depth."""
    i, j = np.triu_indices(len(x), 1)
    return float(_correlations(average_ranks(np.stack([x[i, j], y[i, j]])), j - i)[0])


def _jackknife(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """95 % interval of the rank correlation when layers are what is sampled."""
    from scipy.stats import t

    def fisher(kept: np.ndarray) -> float:
        return np.arctanh(np.clip(_over_pairs(x[np.ix_(kept, kept)], y[np.ix_(kept, kept)]), -1 + 1e-9, 1 - 1e-9))

    size = len(x)
    every = np.arange(size)
    without = np.array([fisher(np.delete(every, i)) for i in every])
    error = np.sqrt((size - 1) / size * np.sum((without - without.mean()) ** 2))
    reach = t.ppf(0.975, size - 1) * error
    return float(np.tanh(fisher(every) - reach)), float(np.tanh(fisher(every) + reach))
