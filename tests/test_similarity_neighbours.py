"""Nearest neighbours: one order for all, in functions and matrices, whatever found the candidates."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist, squareform
from spaces import correlated, normal

from helpers.similarity import MEASURES, _distances, neighbours, similarity_matrices
from helpers.similarity._engine import passes, resources
from helpers.similarity._engine.compiled import rank_agreement
from helpers.similarity._engine.exact import Exact
from helpers.similarity._engine.neighbours import places
from helpers.similarity._engine.passes import stream
from helpers.similarity._engine.sources import open_sources
from helpers.similarity.neighbours import jaccard, mutual_knn, nearest, rank_similarity, second_order_cosine
from helpers.similarity.streaming import Requirements


@pytest.fixture(params=[0, 1024], ids=["as given", "double precision"])
def precision(request, monkeypatch):
    """Up to how many objects everything is computed in double precision."""
    monkeypatch.setattr(passes, "DOUBLE", request.param)


OVERLAPS = ("jaccard", "mutual_knn", "rank_similarity", "second_order_cosine")
METRICS = ("cosine", "correlation", "euclidean")
N = 300


def with_copies(rng):
    """Half of the rows are copies of others."""
    x = rng.normal(size=(N, 40))
    x[N // 2 :] = x[rng.integers(0, N // 2, N - N // 2)]
    return x[rng.permutation(N)]


def one_row_many_times(rng):
    return np.where(rng.random((N, 1)) < 0.5, rng.normal(size=(1, 12)), rng.normal(size=(N, 12)))


def lattice(rng):
    return rng.integers(-2, 3, size=(N, 3)).astype(float)


def lattice_of_tenths(rng):
    return rng.integers(-3, 4, size=(N, 3)) * 0.1


def binary(rng):
    return rng.integers(0, 2, size=(N, 16)).astype(float)


def without_direction(rng):
    x = rng.normal(size=(N, 7))
    x[::3], x[1::5] = 0.0, 2.5
    return x


def far_from_the_origin(rng):
    return rng.normal(size=(N, 9)) + 1000


def tight_clusters(rng):
    return np.repeat(rng.normal(size=(3, 20)), N // 3, axis=0) + 1e-4 * rng.normal(size=(N, 20))


def one_far_away(rng):
    x = rng.normal(size=(N, 9))
    x[7] *= 1e5
    return x


def lengths_of_many_sizes(rng):
    return rng.normal(size=(N, 9)) * 10.0 ** rng.integers(-6, 7, size=(N, 1))


def all_equal(rng):
    return np.ones((N, 4))


KINDS = [
    with_copies,
    one_row_many_times,
    lattice,
    lattice_of_tenths,
    binary,
    without_direction,
    far_from_the_origin,
    tight_clusters,
    one_far_away,
    lengths_of_many_sizes,
    all_equal,
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
each_metric = pytest.mark.parametrize("metric", METRICS)


def by_exact_distances(x, metric, k):
    """Every distance by the routine that decides, put in order by it and by index."""
    n = len(x)
    exact = Exact(np.ascontiguousarray(x), metric)
    apart = exact.distances(np.repeat(np.arange(n), n), np.tile(np.arange(n), n)).reshape(n, n)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1, kind="stable")[:, :k]


def found_by_a_pass(x, metric, k, **options):
    requirements = Requirements(neighbours=k, metric=metric)
    return stream(open_sources({"x": x}), requirements, memory=1 << 26, progress=False, **options).neighbours[0]


@each_kind
@each_metric
@pytest.mark.parametrize("scale", [1, 1e-18, 1e18])
def test_a_pass_of_any_block_size_precision_and_library_finds_the_same_neighbours(kind, metric, scale, monkeypatch):
    monkeypatch.setattr(passes, "DOUBLE", 0)  # few objects stand for many
    torch = pytest.importorskip("torch")
    from helpers.similarity._engine.tensors import TorchKernels

    single = (kind(np.random.default_rng(3)) * scale).astype(np.float32)
    for k in (1, 10) if scale == 1 else (10,):
        expected = by_exact_distances(single, metric, k)
        for x in (single, single.astype(np.float64)):
            np.testing.assert_array_equal(by_exact_distances(x, metric, k), expected)
            for rows in (1, 96, N):
                np.testing.assert_array_equal(found_by_a_pass(x, metric, k, block_rows=rows), expected)
            tensor = torch.as_tensor(x)
            found = found_by_a_pass(tensor, metric, k, block_rows=96, kernels=TorchKernels("cpu"))
            np.testing.assert_array_equal(found, expected)


@each_kind
@each_metric
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_function_and_a_matrix_give_the_same_bits(kind, metric, dtype, monkeypatch):
    monkeypatch.setattr(passes, "DOUBLE", 0)
    rng = np.random.default_rng(8)
    x = kind(rng).astype(dtype)
    y = (x[:, ::-1] ** 2 + (rng.integers(0, 2, size=x.shape) if kind is lattice else 0)).astype(dtype)
    named = {"w": np.ascontiguousarray(rng.normal(size=(N, 5))), "x": x, "y": y}
    options = {name: {"metric": metric} for name in OVERLAPS}
    expected = {name: MEASURES[name](x, y, metric=metric) for name in OVERLAPS}
    monkeypatch.setattr(resources, "SMALL", 0)
    for rows, threads in ((None, 1), (7, 7), (96, 2), (N, 1)):
        for module in (resources, neighbours):
            monkeypatch.setattr(module, "available_threads", lambda threads=threads: threads)
        found = similarity_matrices(named, OVERLAPS, options=options, block_rows=rows, progress=False)
        for name in OVERLAPS:
            assert found[name].loc["x", "y"] == found[name].loc["y", "x"] == expected[name], (name, rows, threads)
            assert MEASURES[name](x, y, metric=metric) == MEASURES[name](y, x, metric=metric) == expected[name]


def test_three_hundred_rows_half_of_them_copies_in_single_precision(precision):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 32)).astype(np.float32)
    x[N // 2 :] = x[: N // 2]
    y = (x + 0.5 * rng.normal(size=x.shape)).astype(np.float32)
    for name in OVERLAPS:
        single = MEASURES[name](x, y)
        assert MEASURES[name](x.astype(np.float64), y.astype(np.float64)) == single
        for rows in (32, 64, 96, N):
            assert similarity_matrices([x, y], [name], block_rows=rows, progress=False)[name].loc["0", "1"] == single


def by_fractions(x, metric, k):
    """Neighbours of whole numbers without any rounding."""
    rows = [[Fraction(int(value)) for value in row] for row in x]
    if metric == "correlation":
        rows = [[value - sum(row) / len(row) for value in row] for row in rows]
    out = []
    for i, u in enumerate(rows):
        keys = []
        for j, v in enumerate(rows):
            if metric == "euclidean":
                keys.append((sum((a - b) ** 2 for a, b in zip(u, v, strict=True)), j))
                continue
            dot, uu, vv = (sum(a * b for a, b in zip(s, t, strict=True)) for s, t in ((u, v), (u, u), (v, v)))
            keys.append((Fraction(0) if not uu * vv else -abs(dot) * dot / (uu * vv), j))
        out.append([j for _, j in sorted(keys) if j != i][:k])
    return np.array(out)


@settings(max_examples=60, deadline=None)
@given(
    x=st.tuples(st.integers(3, 40), st.integers(1, 4)).flatmap(
        lambda shape: arrays(np.int64, shape, elements=st.integers(-3, 3))
    ),
    metric=st.sampled_from(METRICS),
    dtype=st.sampled_from(["float32", "float64", "int32"]),
    data=st.data(),
)
def test_ties_of_whole_numbers_are_ties_and_go_by_index(x, metric, dtype, data):
    k = data.draw(st.integers(1, len(x) - 1))
    np.testing.assert_array_equal(nearest(x.astype(dtype), k, metric), by_fractions(x, metric, k))


def test_a_tie_for_the_last_place_that_goes_beyond_the_candidates_is_settled_by_index(precision):
    n, k = 400, 5
    x = np.zeros((n, 2))
    x[:, 0] = np.random.default_rng(1).permutation(np.repeat([0.0, 1.0], n // 2))
    assert places(n, k) < n // 2 - 1
    found = nearest(x, k, "euclidean")
    for i in range(n):
        np.testing.assert_array_equal(found[i], [j for j in np.flatnonzero(x[:, 0] == x[i, 0]) if j != i][:k])


@each_metric
def test_representations_that_are_not_in_memory_have_the_same_neighbours(metric, tmp_path, precision):
    import dask.array as da

    torch = pytest.importorskip("torch")
    x = with_copies(np.random.default_rng(4)).astype(np.float32)
    x[3] = x[5]
    expected = by_exact_distances(x, metric, 6)
    np.save(tmp_path / "x.npy", x)
    strided = np.asfortranarray(x)
    half = x.astype(np.float16)
    for form in (tmp_path / "x.npy", np.load(tmp_path / "x.npy", mmap_mode="r"), torch.as_tensor(x), strided):
        np.testing.assert_array_equal(found_by_a_pass(form, metric, 6), expected)
    np.testing.assert_array_equal(found_by_a_pass(da.from_array(x, chunks=(37, 11)), metric, 6), expected)
    np.testing.assert_array_equal(found_by_a_pass(half, metric, 6), by_exact_distances(half.astype("f4"), metric, 6))


@each_metric
@pytest.mark.parametrize("factor", [1e-300, 2.0**-1000, 1e200])
def test_the_limits_of_double_precision_move_no_neighbour(metric, factor):
    x = lattice(np.random.default_rng(6)) + (0 if metric == "euclidean" else 0.5)
    np.testing.assert_array_equal(nearest(x * factor, 7, metric), nearest(x, 7, metric))


def test_a_direction_that_underflows_is_looked_for_all_the_same():
    x = np.random.default_rng(2).normal(size=(N, 6))
    tiny = x.copy()
    tiny[::7] *= 1e-200
    np.testing.assert_array_equal(nearest(tiny, 8), nearest(x, 8))


def test_exact_distances_are_those_of_the_definition():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(60, 33)) + 2
    x[7] = x[3] * 3
    i, j = np.triu_indices(60, 1)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    level = x - x.mean(axis=1, keepdims=True)
    level /= np.linalg.norm(level, axis=1, keepdims=True)
    for metric, expected in (
        ("euclidean", ((x[i] - x[j]) ** 2).sum(axis=1)),
        ("cosine", ((unit[i] - unit[j]) ** 2).sum(axis=1) / 2),
        ("correlation", ((level[i] - level[j]) ** 2).sum(axis=1) / 2),
    ):
        # Rounded to 40 bits, angles to multiples of 2**-44.
        np.testing.assert_allclose(Exact(x, metric).distances(i, j), expected, rtol=2.0**-39, atol=2.0**-43)
        assert (Exact(x, metric).distances(i, j) == Exact(x, metric).distances(j, i)).all()
    assert Exact(x, "cosine").distances(np.array([3]), np.array([7]))[0] == 0


def test_the_agreement_of_ranks_is_its_definition_and_symmetric_to_the_bit():
    rng = np.random.default_rng(7)
    a, b = (np.array([rng.permutation(30)[:8] for _ in range(50)]) for _ in range(2))
    total = 0.0
    for left, right in zip(a.tolist(), b.tolist(), strict=True):
        common = set(left) & set(right)
        ranks = [(left.index(v) + 1, right.index(v) + 1) for v in common]
        terms = sum(2 / ((1 + abs(r - s)) * (r + s)) for r, s in ranks)
        total += terms / sum(1 / m for m in range(1, len(common) + 1)) if common else 0
    assert rank_agreement(a, b) == pytest.approx(total / 50, abs=2 * tolerance.inner(50))
    assert rank_agreement(a, b) == rank_agreement(b, a)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_that_are_read_in_pieces_have_the_neighbours_of_data_in_memory(dtype):
    """Read-only arrays, and numbers so small that they are scaled, are read again, rows at a time."""
    x = np.random.default_rng(0).normal(size=(1500, 256)).astype(dtype)
    expected = nearest(x, 10)
    locked = x.copy()
    locked.flags.writeable = False
    assert np.array_equal(nearest(locked, 10), expected)
    assert np.array_equal(nearest(x * dtype(2.0**-60), 10), expected)
    y = x + np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    assert neighbours.jaccard(locked, y) == neighbours.jaccard(x, y)


def neighbours_by_sorting(x, k, metric):
    d = squareform(pdist(x, metric))
    np.fill_diagonal(d, np.inf)
    return np.argsort(d, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "correlation"])
@pytest.mark.parametrize("k", [1, 7, 39])
def test_neighbour_measures_are_their_definitions(metric, k):
    x, y = correlated(40)
    a, b = neighbours_by_sorting(x, k, metric), neighbours_by_sorting(y, k, metric)
    s, t = squareform(pdist(x, metric)), squareform(pdist(y, metric))
    shares, overlaps, ranks, seconds = [], [], [], []
    for i in range(40):
        common, union = set(a[i]) & set(b[i]), sorted(set(a[i]) | set(b[i]))
        shares.append(len(common) / len(union))
        overlaps.append(len(common) / k)
        pairs = [(list(a[i]).index(v) + 1, list(b[i]).index(v) + 1) for v in common]
        total = sum(2 / ((1 + abs(r - q)) * (r + q)) for r, q in pairs)
        ranks.append(total / sum(1 / m for m in range(1, len(common) + 1)) if common else 0)
        u, v = s[i, union], t[i, union]
        seconds.append(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    options = {"k": k, "metric": metric}
    assert jaccard(x, y, **options) == pytest.approx(np.mean(shares), abs=2 * tolerance.inner(40))
    assert mutual_knn(x, y, **options) == pytest.approx(np.mean(overlaps), abs=2 * tolerance.inner(40))
    assert rank_similarity(x, y, **options) == pytest.approx(np.mean(ranks), abs=2 * tolerance.inner(40))
    nearest = min(pdist(z, metric).min() for z in (x, y))  # SciPy's 1 - cosine is off by a share of 1
    near = tolerance.apart(40, condition=1 / nearest)
    assert second_order_cosine(x, y, **options) == pytest.approx(np.mean(seconds), abs=near)


def test_second_order_cosine_of_similarities():
    x, y = correlated(20)
    k = 19  # every union is everything else
    a, b = (1 - squareform(pdist(z, "cosine")) for z in (x, y))
    rows = [(np.delete(a[i], i), np.delete(b[i], i)) for i in range(20)]
    expected = np.mean([u @ v / np.linalg.norm(u) / np.linalg.norm(v) for u, v in rows])
    assert second_order_cosine(x, y, k=k, of="similarity") == pytest.approx(expected, abs=tolerance.apart(20))


def test_neighbours_of_whole_numbers_are_ordered_by_distance_then_index():
    for seed in range(5):
        x = np.random.default_rng(seed).integers(0, 3, (60, 4))
        squares = ((x[:, None] - x[None]) ** 2).sum(-1).astype(float)
        np.fill_diagonal(squares, np.inf)
        expected = np.argsort(squares, axis=1, kind="stable")[:, :9]
        for dtype in ("f4", "f8"):
            assert (nearest(x.astype(dtype), 9, "euclidean") == expected).all()


def test_binary_rows_with_equal_cosines_are_ordered_by_index():
    x = np.random.default_rng(0).integers(0, 2, (80, 12))
    x[:, 0] = 1
    # Exact: compare the signed squares of the cosines as fractions of whole numbers.
    dots, sizes = x @ x.T, (x**2).sum(1)
    keys = dots**2 * (math.factorial(12) // 1) / sizes[None, :]
    np.fill_diagonal(keys, -1)
    expected = np.argsort(-np.round(keys), axis=1, kind="stable")[:, :10]
    assert (nearest(x.astype("f4"), 10, "cosine") == expected).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_duplicates_are_each_others_nearest_neighbours(metric):
    x = np.concatenate([normal(15, 300), normal(15, 300)]).astype("f4") + 50
    found = nearest(x, 3, metric)
    assert (found[:, 0] == (np.arange(30) + 15) % 30).all()
    assert not (found == np.arange(30)[:, None]).any()


def test_neighbours_are_right_where_float32_products_are_not():
    base = normal(200, 50)
    x = (1000 + base).astype("f4")  # all cosines above 0.999998
    wide = x.astype("f8")
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    d = squareform(pdist(unit, "sqeuclidean"))
    np.fill_diagonal(d, np.inf)
    assert (nearest(x, 10, "cosine") == np.argsort(d, axis=1)[:, :10]).all()


def test_block_size_does_not_change_neighbours(monkeypatch):
    x, y = correlated(70)
    expected = jaccard(x, y, k=5), second_order_cosine(x, y, k=5)
    monkeypatch.setattr(_distances, "BLOCK", 100)
    assert (jaccard(x, y, k=5), second_order_cosine(x, y, k=5)) == expected
