"""RTD, RTD-lite and their barcodes: equal to what ripser computes from the definition, on every kind of input."""

import json
from pathlib import Path

import numpy as np
import pytest
import tolerance
from scipy.cluster.hierarchy import linkage
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist, pdist, squareform

from helpers.similarity import topology
from helpers.similarity.topology import cross_barcode, rtd, rtd_lite, rtd_lite_barcode, rtd_matrix

GOLDEN = Path(__file__).parent / "golden"
VALUES = json.loads((GOLDEN / "golden.json").read_text())["values"]
NORMALISATIONS = ("quantile", "median", "mean")
CASES = [case for case, found in VALUES.items() if "resi.RTD" in found and case != "degenerate_constant_matrix"]
# ripser and GUDHI compute in single precision: bars shorter than some hundred roundings of numbers near 1 may be none.
SHORT = 1e-5


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "golden.npz") as file:
        return dict(file)


def normalised(x):
    distances = cdist(x, x)
    return distances / np.quantile(distances, 0.9)


def doubled(r1, r2):
    """The matrix of the definition, on 2n vertices."""
    n = len(r1)
    matrix = np.zeros((2 * n, 2 * n))
    matrix[:n, n:], matrix[n:, :n], matrix[n:, n:] = r1, r1, np.minimum(r1, r2)
    matrix[matrix < 1e-6 * r1.mean()] = 0  # equal rows, between which rounding leaves less than a root of u
    return matrix


def by_ripser(r1, r2):
    ripser = pytest.importorskip("ripser").ripser
    bars = ripser(doubled(r1, r2), distance_matrix=True, maxdim=1)["dgms"][1].astype(float)
    return bars[bars[:, 1] - bars[:, 0] > SHORT]


def assert_same_bars(ours, theirs):
    """Equal as multisets but for one rounding to single precision, which may make or break bars of no length."""
    rounding = 2 * tolerance.unit("float32") * max(1, ours.max(initial=0), theirs.max(initial=0))
    ours = ours[ours[:, 1] - ours[:, 0] > SHORT]
    for bars, among in ((ours, theirs), (theirs, ours)):
        bars = bars[bars[:, 1] - bars[:, 0] > SHORT + 2 * rounding]  # those whose partner is long enough to be there
        if len(bars):
            apart = cdist(bars, among, "chebyshev") > rounding
            assert len(bars) <= len(among) and apart[linear_sum_assignment(apart)].sum() == 0


def of_bars(*spaces, lost=1.0):
    """How far a sum of bars may be off: there are at most as many as edges, and both ends of each are distances.

    ``lost`` is how much more of itself a distance is off than a sum of its squares.
    """
    n, p = len(spaces[0]), max(z.shape[1] for z in spaces)
    return n * (n - 1) * max(normalised(z).max() for z in spaces) * tolerance.apart(p, condition=lost)


def of_trees(*weights):
    """How far lengths of spanning trees may be off, whose edges are lifted by 1 (see :func:`spanning_sum`)."""
    return sum(tolerance.apart(len(w)) * minimum_spanning_tree(w + 1).sum() for w in weights)


def cloud(kind, n, rng):
    """Two point clouds of n points in rough correspondence."""
    if kind == "gaussian":
        x = rng.normal(size=(n, 5))
        return x, x @ rng.normal(size=(5, 3)) + 0.5 * rng.normal(size=(n, 3))
    if kind == "lattice":
        return rng.integers(0, 4, size=(n, 2)).astype(float), rng.integers(0, 3, size=(n, 4)).astype(float)
    if kind == "duplicates":
        rows = np.arange(n)
        rows[rng.random(n) < 0.3] = 0
        x = rng.normal(size=(n, 4))
        return x[rows], x[np.minimum(np.arange(n), n - 3)] ** 3
    if kind == "circle":
        angle = rng.uniform(0, 2 * np.pi, size=n)
        x = np.c_[np.cos(angle), np.sin(angle)]
        return x, x * [1.0, 0.05] + 0.01 * rng.normal(size=(n, 2))
    return np.eye(n), np.arange(n)[:, None] ** 1.5  # every distance equal, against a line


@pytest.mark.parametrize("kind", ["gaussian", "lattice", "duplicates", "circle", "simplex"])
@pytest.mark.parametrize("n", [5, 12, 40, 70])
def test_bars_are_those_of_ripser_on_the_doubled_matrix(kind, n):
    rng = np.random.default_rng(n)
    n = min(n, 30) if kind == "simplex" else n  # ripser meets all its simplices at once
    for _ in range(4 if n < 30 else 1):
        x, y = cloud(kind, n, rng)
        r1, r2 = normalised(x), normalised(y)
        assert_same_bars(cross_barcode(x, y), by_ripser(r1, r2))
        assert_same_bars(cross_barcode(y, x), by_ripser(r2, r1))


def test_bars_are_those_of_gudhi():
    pytest.importorskip("gudhi")
    rips = pytest.importorskip("gudhi.sklearn.rips_persistence")
    x, y = cloud("gaussian", 50, np.random.default_rng(3))
    matrix = doubled(normalised(x), normalised(y))
    model = rips.RipsPersistence(homology_dimensions=1, input_type="lower distance matrix")
    theirs = np.asarray(model.fit_transform([[matrix[i, :i] for i in range(len(matrix))]])[0], float)
    assert_same_bars(cross_barcode(x, y), theirs[theirs[:, 1] - theirs[:, 0] > SHORT])


def test_two_three_and_four_points():
    rng = np.random.default_rng(0)
    assert rtd([[0.0], [1.0]], [[5.0], [2.0]]) == 0
    assert cross_barcode([[0.0], [1.0]], [[5.0], [2.0]]).shape == (0, 2)
    for n in (3, 4):
        for _ in range(20):
            x, y = rng.normal(size=(2, n, 2))
            assert_same_bars(cross_barcode(x, y), by_ripser(normalised(x), normalised(y)))


def test_the_order_of_650_rows_changes_no_bar():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(650, 4)), rng.integers(0, 5, size=(650, 3))
    order = rng.permutation(650)
    bars = cross_barcode(x, y, batch=None)
    assert len(bars) > 500
    np.testing.assert_array_equal(bars, cross_barcode(x[order], y[order], batch=None))


def test_six_hundred_points_against_ripser():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, size=600)
    x = np.c_[np.cos(angle), np.sin(angle)] + 0.02 * rng.normal(size=(600, 2))
    y = x + 0.05 * rng.normal(size=x.shape)
    radius = 0.35  # cuts the filtration, so that ripser is done soon
    r1, r2 = normalised(x), normalised(y)
    ripser = pytest.importorskip("ripser").ripser
    theirs = ripser(doubled(r1, r2), distance_matrix=True, maxdim=1, thresh=radius)["dgms"][1].astype(float)
    ours = cross_barcode(x, y, batch=None)
    ours, theirs = ours[ours[:, 1] < radius - 0.01], theirs[theirs[:, 1] < radius - 0.01]
    assert len(ours) > 300
    assert_same_bars(ours, theirs[theirs[:, 1] - theirs[:, 0] > SHORT])


def golden_rounding(x, y):
    """How far sums of bars of ripser's may be off, under any of the normalisations.

    Rounding to single precision keeps the order of the edges, so that the same ones pair up and each end of a bar is
    off by its own rounding. Distances that were *computed* in single precision may change their order: then each end
    is off by at most as much as the largest distance, which is divided by a quantile that is as wrong again.
    """
    bars = [cross_barcode(a, b, batch=None, normalize=norm) for a, b in ((x, y), (y, x)) for norm in NORMALISATIONS]
    if x.dtype == np.float32:
        return max(2 * len(of) * of.max(initial=0) for of in bars) * 2 * tolerance.inner(x.shape[1], "float32")
    return max(of.sum() for of in bars) * (tolerance.unit("float32") + tolerance.inner(x.shape[1]))


@pytest.mark.parametrize("case", CASES)
def test_golden_rtd(golden, case):
    x, y, found = golden[f"{case}/X"], golden[f"{case}/Y"], VALUES[case]
    near = {"rel": 0, "abs": golden_rounding(x, y)}
    assert rtd(x, y) == pytest.approx(found["resi.RTD"], **near)
    if case == "float32":
        return
    assert rtd(x, y) == pytest.approx(found["rtd.rtd"], **near)
    assert rtd(x, y, direction="xy") == pytest.approx(found["rtd.h1sum[X->Y]"], **near)
    assert rtd(x, y, direction="yx") == pytest.approx(found["rtd.h1sum[Y->X]"], **near)
    for norm in ("median", "mean"):
        value = rtd(x, y, direction="xy", normalize=norm)
        assert value == pytest.approx(found[f"rtd.h1sum[X->Y,norm={norm}]"], **near)


def tree_rounding(x):
    """How far the difference of two trees' lengths may be off if distances come from inner products, as they did there.

    An edge between equal rows is then the root of what is left of rounding, any other off by the square over the edge.
    """
    scale = np.quantile(cdist(x, x), 0.9)
    edges = linkage(pdist(x), "single")[:, 2]
    error = tolerance.squared_distance_bounds(x, "float64").max()
    return 2 * np.sum(error / np.maximum(edges, np.sqrt(error))) / scale


@pytest.mark.parametrize("case", [case for case in CASES if "rtdlite.rtdlite" in VALUES[case]])
def test_golden_rtd_lite(golden, case):
    x, y, found = golden[f"{case}/X"], golden[f"{case}/Y"], VALUES[case]
    near = {"rel": 0, "abs": tree_rounding(x) + tree_rounding(y)}
    assert rtd_lite(x, y) == pytest.approx(found["rtdlite.rtdlite"], **near)
    assert rtd_lite(x, y, direction="xy") == pytest.approx(found["rtdlite.sum[1->2]"], **near)
    assert rtd_lite(x, y, direction="yx") == pytest.approx(found["rtdlite.sum[2->1]"], **near)
    bars = rtd_lite_barcode(x, y)
    assert np.diff(bars).sum() == pytest.approx(found["rtdlite.sum[1->2]"], **near)


@pytest.mark.parametrize("case", ["correlated", "clusters", "larger_n"])
def test_random_subsets_agree_with_the_original_in_the_mean(golden, case):
    stochastic = json.loads((GOLDEN / "golden.json").read_text())["stochastic"][case]["rtd.rtd[trials=10,batch=60]"]
    ours = [rtd(golden[f"{case}/X"], golden[f"{case}/Y"], batch=60, rng=seed) for seed in range(8)]
    assert abs(np.mean(ours) - stochastic["mean"]) < 3 * stochastic["std_single_run"]


def test_proportional_distances_are_at_distance_zero(golden):
    x = golden["correlated/X"]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0]
    assert rtd(x, x) == 0 and rtd_lite(x, x) == 0
    assert rtd(x, 8 * x) == 0
    moved = 3 * x @ turn + 5
    near = of_bars(x, moved, lost=tolerance.offset(moved))
    assert rtd(x, moved) == pytest.approx(0, abs=near)
    assert rtd_lite(x, moved) == pytest.approx(0, abs=near)
    assert cross_barcode(x, x).shape == (0, 2)
    assert rtd_lite_barcode(x, x).shape == (0, 2)


def test_rotation_translation_and_scale_change_nothing(golden):
    x, y = golden["nonlinear/X"], golden["nonlinear/Y"]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(24, 24)))[0]
    moved = 7 * x @ turn - 3
    near = of_bars(moved, y, lost=tolerance.offset(moved))
    assert rtd(moved, y) == pytest.approx(rtd(x, y), abs=near)
    assert rtd_lite(moved, y) == pytest.approx(rtd_lite(x, y), abs=near)


def test_extreme_scales_do_not_overflow(golden):
    x, y = golden["correlated/X"], golden["correlated/Y"]
    for scale in (2.0**600, 2.0**-600):
        assert rtd(scale * x, y) == pytest.approx(rtd(x, y), abs=of_bars(x, y))
        assert rtd_lite(scale * x, y) == pytest.approx(rtd_lite(x, y), abs=of_bars(x, y))
    x, y = x.astype(np.float32), y.astype(np.float32)
    # Powers of two change no digit, but where the largest entry divides: then each is rounded once more.
    trees = sum(linkage(pdist(z), "single")[:, 2].sum() / np.quantile(cdist(z, z), 0.9) for z in (x, y))
    rounded = tolerance.of_rounded(x.shape[1], "float32", condition=trees)
    for scale in (np.float32(2.0**100), np.float32(2.0**-100)):
        assert rtd(scale * x, y) == pytest.approx(rtd(x, y), abs=of_bars(x, y))
        assert rtd_lite(scale * x, y) == pytest.approx(rtd_lite(x, y), abs=rounded)


def test_directions_are_mirror_images_and_average(golden):
    x, y = golden["clusters/X"], golden["clusters/Y"]
    assert rtd(x, y, direction="xy") == rtd(y, x, direction="yx")
    near = tolerance.apart(len(x))  # sums of lengths of bars, which are positive
    assert rtd(x, y) == pytest.approx((rtd(x, y, direction="xy") + rtd(x, y, direction="yx")) / 2, rel=near)
    assert rtd(x, y) == pytest.approx(rtd(y, x), rel=near)
    assert rtd(x, y, direction="xy") == pytest.approx(np.diff(cross_barcode(x, y)).sum(), rel=near)
    bars = rtd_lite_barcode(x, y)
    assert rtd_lite(x, y, direction="xy") == pytest.approx(np.diff(bars).sum(), abs=near * bars.sum())


def test_the_value_depends_on_the_seed_and_not_on_the_threads():
    x = np.random.default_rng(0).normal(size=(90, 4))
    y = x**3
    one = rtd(x, y, batch=40, trials=6, rng=1, n_jobs=1)
    assert one == rtd(x, y, batch=40, trials=6, rng=1, n_jobs=3)
    assert one == rtd(x, y, batch=40, trials=6, rng=np.random.default_rng(1))
    assert one != rtd(x, y, batch=40, trials=6, rng=2)


def test_the_score_grows_with_the_batch():
    x, y = np.random.default_rng(0).normal(size=(2, 200, 5))
    values = [rtd(x, y, batch=batch) for batch in (25, 50, 100, 200)]
    assert values == sorted(values)


def test_cosine_distance_is_half_the_squared_distance_of_unit_rows():
    x, y = np.random.default_rng(0).normal(size=(2, 60, 6))
    units = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y)]
    expected = rtd(*units, distance="sqeuclidean")
    assert rtd(x, y, distance="cosine") == pytest.approx(expected, abs=of_bars(*units, lost=lost(*units)))


def lost(*spaces):
    """How many digits squared distances lose that come from products: squares of lengths over the smallest of them."""
    return max(2 * (z**2).sum(axis=1).max() / pdist(z, "sqeuclidean").min() for z in spaces)


def spanning_sum(weights):
    # SciPy takes a zero for no edge, so that everything is lifted.
    return minimum_spanning_tree(weights + 1).sum() - (len(weights) - 1)


@pytest.mark.parametrize("kind", ["gaussian", "lattice", "duplicates", "simplex"])
def test_rtd_lite_is_the_difference_of_scipys_spanning_trees(kind):
    x, y = cloud(kind, 120, np.random.default_rng(2))
    r1, r2 = normalised(x), normalised(y)
    joined = spanning_sum(np.minimum(r1, r2))
    near = of_trees(r1, r2, np.minimum(r1, r2))
    assert rtd_lite(x, y, direction="xy") == pytest.approx(spanning_sum(r1) - joined, abs=near)
    assert rtd_lite(x, y) == pytest.approx((spanning_sum(r1) + spanning_sum(r2)) / 2 - joined, abs=near)


@pytest.mark.parametrize("kind", ["gaussian", "lattice", "duplicates"])
def test_rtd_lite_bars_follow_from_their_definition(kind):
    """A bar of edge e ends when r1 joins its ends, given the edges of the union's tree before e."""
    x, y = cloud(kind, 30, np.random.default_rng(4))
    r1, r2 = normalised(x), normalised(y)
    both = np.minimum(r1, r2)
    edges = sorted((w, i, j) for i in range(30) for j, w in enumerate(both[i, :i]))
    expected, joined = [], np.arange(30)
    for birth, i, j in edges:
        if joined[i] == joined[j]:
            continue
        level = np.where(joined[:, None] == joined, 0.0, r1)
        for k in range(30):  # minimax paths
            level = np.minimum(level, np.maximum(level[:, k, None], level[None, k]))
        if level[i, j] > birth:
            expected.append((birth, level[i, j]))
        joined[joined == joined[i]] = joined[j]
    expected = np.array(sorted(expected)).reshape(-1, 2)
    ours = rtd_lite_barcode(x, y)
    near = tolerance.apart(x.shape[1]) * r1.max()
    ours, expected = (bars[np.diff(bars)[:, 0] > near] for bars in (ours, expected))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=near)
    np.testing.assert_array_equal(cross_barcode(x, y, dimension=0), rtd_lite_barcode(x, y))


def test_rtd_lite_births_and_deaths_are_merge_scales_of_gudhi():
    gudhi = pytest.importorskip("gudhi")
    x, y = cloud("duplicates", 60, np.random.default_rng(5))
    r1, r2 = normalised(x), normalised(y)

    def merges(matrix):
        tree = gudhi.RipsComplex(distance_matrix=(matrix + matrix.T) / 2).create_simplex_tree(max_dimension=1)
        tree.compute_persistence(persistence_dim_max=True)
        deaths = tree.persistence_intervals_in_dimension(0)[:, 1]
        return deaths[np.isfinite(deaths)].sum()

    joined = np.minimum(r1, r2)
    assert rtd_lite(x, y, direction="xy") == pytest.approx(merges(r1) - merges(joined), abs=of_trees(r1, joined))


@pytest.mark.parametrize("normalize", ["quantile", "median", "mean"])
def test_blocks_that_are_not_kept_change_nothing(monkeypatch, normalize):
    x = np.random.default_rng(0).normal(size=(700, 6))
    y = x + 0.3 * np.random.default_rng(1).normal(size=x.shape)
    expected = rtd_lite(x, y, normalize=normalize)
    distances = [squareform(pdist(z)) for z in (x, y)]
    unit = {"quantile": lambda d: np.quantile(d, 0.9), "median": np.median, "mean": np.mean}[normalize]
    r1, r2 = (d / unit(d) for d in distances)
    sums = [spanning_sum(r) for r in (r1, r2, np.minimum(r1, r2))]
    near = of_trees(r1, r2, np.minimum(r1, r2))
    assert expected == pytest.approx((sums[0] + sums[1]) / 2 - sums[2], abs=near)
    monkeypatch.setattr(topology, "SORTED_AT_ONCE", 1000)  # the quantile by histograms
    assert rtd_lite(x, y, normalize=normalize, max_memory=1 << 20) == pytest.approx(expected, abs=near)
    lattice = np.round(2 * x)
    coarse = rtd_lite(lattice, y, normalize=normalize, max_memory=1 << 20)
    monkeypatch.undo()
    assert coarse == pytest.approx(rtd_lite(lattice, y, normalize=normalize), abs=near)  # with edges as long


def representations(seed=0, n=70):
    x = np.random.default_rng(seed).normal(size=(n, 5))
    return {"x": x, "cubes": x**3, "first": x[:, :2], "scaled": 4 * x}


def test_matrix_holds_the_values_of_pairs():
    named = representations()
    table = rtd_matrix(named, trials=3, batch=30, rng=7, progress=False)
    assert list(table.index) == list(table.columns) == list(named)
    for a in named:
        for b in named:
            alone = rtd(named[a], named[b], trials=3, batch=30, rng=7)
            assert table.loc[a, b] == pytest.approx(alone, rel=tolerance.apart(3))  # a mean of three
    assert table.loc["x", "scaled"] == 0
    again = rtd_matrix(named, trials=3, batch=30, rng=7, n_jobs=1, progress=False)
    assert table.equals(again)


def test_an_interrupted_matrix_goes_on_where_it_was(tmp_path, monkeypatch):
    named, path = representations(), tmp_path / "deep" / "rtd.jsonl"
    options = {"trials": 4, "batch": 30, "progress": False}
    expected = rtd_matrix(named, **options)
    score, calls = topology._score, []

    def stopped_in_the_middle(*arguments):
        if len(calls) == 9:
            raise KeyboardInterrupt
        calls.append(arguments)
        return score(*arguments)

    monkeypatch.setattr(topology, "_score", stopped_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        rtd_matrix(named, checkpoint=path, n_jobs=1, **options)
    with path.open("a") as file:
        file.write("[3, 0, ")  # the write that a crash cut short
    calls.clear()
    monkeypatch.setattr(topology, "_score", lambda *arguments: calls.append(arguments) or score(*arguments))
    assert rtd_matrix(named, checkpoint=path, **options).equals(expected)
    assert 24 - 9 <= len(calls) < 24
    calls.clear()
    assert rtd_matrix(named, checkpoint=path, **options).equals(expected)
    assert not calls


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "rtd.jsonl"
    options = {"trials": 2, "batch": 20, "progress": False, "checkpoint": path}
    rtd_matrix(representations(), **options)
    with pytest.raises(ValueError, match="belongs to other representations or options"):
        rtd_matrix(representations(seed=1), **options)
    with pytest.raises(ValueError, match="belongs to other representations or options"):
        rtd_matrix(representations(), **options, quantile=0.8)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="is not a checkpoint of rtd_matrix"):
        rtd_matrix(representations(), **options)
    path.write_text("precious notes")
    with pytest.raises(ValueError, match="is not a checkpoint of rtd_matrix"):
        rtd_matrix(representations(), **options)
    assert path.read_text() == "precious notes"


def test_bad_input_is_refused_by_name():
    x, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    broken = x.copy()
    broken[3, 1] = np.nan
    for call in (rtd, rtd_lite, rtd_lite_barcode, cross_barcode):
        with pytest.raises(ValueError, match=r"x\[3, 1\] is NaN"):
            call(broken, y)
        with pytest.raises(ValueError, match="x has 20 rows and y has 19"):
            call(x, y[1:])
        with pytest.raises(ValueError, match="distance is 'manhattan'"):
            call(x, y, distance="manhattan")
        with pytest.raises(ValueError, match="normalize is 'max'"):
            call(x, y, normalize="max")
        with pytest.raises(ValueError, match="quantile is 0"):
            call(x, y, quantile=0)
        with pytest.raises(ValueError, match="y: the 0.9 quantile of the distances is 0"):
            call(x, np.ones((20, 2)))
        with pytest.raises(ValueError, match="y: the mean of the distances is 0"):
            call(x, np.ones((20, 2)), normalize="mean")
    with pytest.raises(ValueError, match="direction is 'x'"):
        rtd(x, y, direction="x")
    with pytest.raises(ValueError, match="batch is 1"):
        rtd(x, y, batch=1)
    with pytest.raises(ValueError, match="trials is 0"):
        rtd(x, y, trials=0)
    with pytest.raises(TypeError, match="n_jobs is 1.5"):
        rtd(x, y, n_jobs=1.5)
    with pytest.raises(ValueError, match="dimension is 2"):
        cross_barcode(x, y, dimension=2)
    with pytest.raises(ValueError, match=r"representations\['b'\]\[3, 1\] is NaN"):
        rtd_matrix({"a": x, "b": broken}, progress=False)
    with pytest.raises(ValueError, match=r"representations\['b'\] has 19 rows"):
        rtd_matrix({"a": x, "b": y[1:]}, progress=False)
    with pytest.raises(ValueError, match=r"representations\['b'\]: the 0.9 quantile"):
        rtd_matrix({"a": x, "b": np.zeros((20, 1))}, progress=False)
    with pytest.raises(ValueError, match="at least two"):
        rtd_matrix({"a": x})


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_tensors_give_the_values_of_arrays(device):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x, y = np.random.default_rng(0).normal(size=(2, 80, 6))
    tensors = [torch.as_tensor(z, device=device) for z in (x, y)]
    options, near = {"trials": 3, "batch": 40}, of_bars(x, y, lost=lost(x, y))
    for distance in ("euclidean", "cosine"):  # cosine takes on the host the way that all take on a device
        value = rtd(*tensors, **options, distance=distance)
        assert value == pytest.approx(rtd(x, y, **options, distance=distance), abs=near)
    assert rtd_lite(*tensors) == pytest.approx(rtd_lite(x, y), abs=near)
    np.testing.assert_allclose(rtd_lite_barcode(*tensors), rtd_lite_barcode(x, y), rtol=0, atol=near)
    table = rtd_matrix(dict(zip("xy", tensors, strict=True)), progress=False, **options)
    assert table.loc["x", "y"] == pytest.approx(rtd(x, y, **options), abs=near)
