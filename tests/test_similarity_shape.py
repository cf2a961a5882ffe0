"""Shape, matching, subspace, statistics and graph measures: published values, closed forms, hard input."""

import itertools
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes, subspace_angles
from scipy.spatial.distance import cdist, pdist

from helpers.similarity import graphs
from helpers.similarity.graphs import _heat, _living_times, geometry_score, imd
from helpers.similarity.matching import hard_correlation_match, soft_correlation_match
from helpers.similarity.shape import (
    aligned_cosine,
    angular_shape,
    permutation_procrustes,
    procrustes,
    procrustes_normalized,
)
from helpers.similarity.statistics import concentricity_difference, magnitude_difference, uniformity_difference
from helpers.similarity.subspace import eigenspace_overlap, gulp, linear_regression

FOLDER = Path(__file__).parent / "golden"
GOLDEN = json.loads((FOLDER / "golden.json").read_text())
ARRAYS = np.load(FOLDER / "golden.npz")

MEASURES = {
    f.__name__: f
    for f in (
        procrustes,
        procrustes_normalized,
        angular_shape,
        permutation_procrustes,
        aligned_cosine,
        hard_correlation_match,
        soft_correlation_match,
        linear_regression,
        eigenspace_overlap,
        gulp,
        concentricity_difference,
        magnitude_difference,
        uniformity_difference,
        imd,
        geometry_score,
    )
}
# Few complexes where only agreement is asked for.
FAST = MEASURES | {"geometry_score": partial(geometry_score, complexes=20, landmarks=8, gamma=0.2)}
CONSTANT = {"degenerate_constant_matrix"}  # no variance, no correlation, no shape: refused, tested below
REDUNDANT = {"degenerate_constant_feature", "degenerate_duplicate_feature"}  # gulp.py counts rounding noise as rank
TIES = {"degenerate_zero_rows", "degenerate_constant_matrix"}  # equally near neighbours, taken in another order
# netrep counts padded and null directions as whitened ones when it restores the variance.
UNEQUAL_RANK = {"correlated_d_lt_dp", "correlated_d_gt_dp", "n_lt_d", "n_lt_d_mixed"} | REDUNDANT

PUBLISHED = {
    "resi.ProcrustesSizeAndShapeDistance": (procrustes, set()),
    "resi.orthogonal_procrustes_raw": (partial(procrustes, centre=False), set()),
    "resi.OrthogonalProcrustesCenteredAndNormalized": (procrustes_normalized, CONSTANT),
    "sim_metric.procrustes(sq,centred,unit)": (lambda x, y: procrustes_normalized(x, y) ** 2, CONSTANT),
    "resi.OrthogonalAngularShapeMetricCentered": (angular_shape, CONSTANT),
    "resi.orthogonal_angular_shape_metric_raw": (partial(angular_shape, centre=False), set()),
    "netrep.LinearMetric[alpha=1,angular]": (angular_shape, CONSTANT),
    "netrep.LinearMetric[alpha=0.5,angular]": (partial(angular_shape, alpha=0.5), CONSTANT),
    "netrep.LinearMetric[alpha=0,angular]": (partial(angular_shape, alpha=0), CONSTANT),
    "netrep.LinearMetric[alpha=1,euclidean]": (procrustes, set()),
    "netrep.LinearMetric[alpha=0.5,euclidean]": (partial(procrustes, alpha=0.5), UNEQUAL_RANK),
    "netrep.LinearMetric[alpha=0,euclidean]": (partial(procrustes, alpha=0), UNEQUAL_RANK),
    "wrongu_repsim.AngularShapeMetric[alpha=1]": (angular_shape, CONSTANT),
    "wrongu_repsim.EuclideanShapeMetric[alpha=1]": (procrustes, set()),
    "resi.PermutationProcrustes": (permutation_procrustes, set()),
    "resi.permutation_angular_shape_metric": (partial(permutation_procrustes, angular=True), set()),
    "netrep.PermutationMetric[euclidean]": (partial(permutation_procrustes, centre=True), set()),
    "netrep.PermutationMetric[angular]": (partial(permutation_procrustes, centre=True, angular=True), CONSTANT),
    "resi.AlignedCosineSimilarity": (aligned_cosine, set()),
    "resi.permutation_aligned_cossim": (partial(aligned_cosine, alignment="permutation"), set()),
    "resi.HardCorrelationMatch": (hard_correlation_match, CONSTANT),
    "resi.SoftCorrelationMatch": (soft_correlation_match, CONSTANT),
    "resi.LinearRegression": (linear_regression, CONSTANT),
    "resi.LinearRegression[Y,X]": (partial(linear_regression, predict="y"), CONSTANT),
    "textbook.cca_r2_of_X_given_Y": (linear_regression, CONSTANT),
    "textbook.cca_r2_of_Y_given_X": (partial(linear_regression, predict="y"), CONSTANT),
    "resi.EigenspaceOverlapScore": (eigenspace_overlap, set()),
    "textbook.eigenspace_overlap": (eigenspace_overlap, set()),
    "resi.Gulp": (partial(gulp, squared=True), CONSTANT | REDUNDANT),
    "resi.Gulp[lambda=0.001]": (partial(gulp, squared=True, regularisation=0.001), CONSTANT),
    "resi.Gulp[lambda=0.1]": (partial(gulp, squared=True, regularisation=0.1), CONSTANT),
    "resi.Gulp[lambda=1]": (partial(gulp, squared=True, regularisation=1.0), CONSTANT),
    "textbook.gulp_lambda0_rank_form": (partial(gulp, squared=True), CONSTANT),
    "resi.ConcentricityDifference": (concentricity_difference, set()),
    "resi.MagnitudeDifference": (magnitude_difference, set()),
    "resi.UniformityDifference": (uniformity_difference, set()),
    "textbook.IMD_exact": (imd, TIES),
}


def tolerance(key, case):
    if case == "float32":
        bounds = GOLDEN["tolerances"]["float32 case"]
    else:
        prefixes = [p for p in GOLDEN["tolerance_by_prefix"] if key.startswith(p)]
        bounds = GOLDEN["tolerance_by_prefix"][max(prefixes, key=len)] if prefixes else GOLDEN["tolerances"]["default"]
    # Values that should be 0: the square root or arc cosine of the peer's rounding.
    rounding = {"resi.orthogonal": 2e-5, "resi.permutation": 1e-6}
    return bounds["rtol"], max([bounds["atol"]] + [a for p, a in rounding.items() if key.startswith(p)])


def published(key):
    _, left_out = PUBLISHED[key]
    values = {c: v[key] for c, v in GOLDEN["values"].items() if key in v and c not in left_out}
    return {c: v for c, v in values.items() if isinstance(v, float) and math.isfinite(v)}


def case(name):
    return ARRAYS[f"{name}/X"], ARRAYS[f"{name}/Y"]


def random_pair(seed=0, n=30, p=4, q=6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) + 0.5
    return x, 0.7 * x @ rng.normal(size=(p, q)) + rng.normal(size=(n, q))


def rotation(p, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(p, p)))[0]


each = pytest.mark.parametrize("name", FAST)


@pytest.mark.parametrize("key", PUBLISHED)
def test_published_values(key):
    measure, values = PUBLISHED[key][0], published(key)
    assert len(values) >= 15
    for name, value in values.items():
        rtol, atol = tolerance(key, name)
        assert measure(*case(name)) == pytest.approx(value, rel=rtol, abs=atol), name


@pytest.mark.parametrize("name", [c for c, v in GOLDEN["stochastic"].items() if "resi.GeometryScore" in v])
def test_geometry_score_as_the_authors_code_computes_it(name):
    published_ = GOLDEN["stochastic"][name]["resi.GeometryScore"]
    seeds = iter(range(6))
    vectors = [
        [_living_times(a, relaxation="distance", replace=True, rng=next(seeds)) for a in case(name)] for _ in range(3)
    ]
    ours = np.mean([np.sum((a - b) ** 2) for a, b in vectors])
    spread = published_["std_single_run"] * math.sqrt(1 / 3 + 1 / published_["runs"])
    assert abs(ours - published_["mean"]) < 4 * spread + 5e-4


# Shape ---------------------------------------------------------------------------------------------------------------


def test_procrustes_is_the_residual_of_the_best_map():
    x, y = random_pair(q=4)
    x, y = x - x.mean(0), y - y.mean(0)
    best, _ = orthogonal_procrustes(x, y)
    assert procrustes(x, y) == pytest.approx(np.linalg.norm(x @ best - y), rel=1e-12)
    a, b = x / np.linalg.norm(x), y / np.linalg.norm(y)
    assert procrustes_normalized(x, y) == pytest.approx(np.linalg.norm(a @ orthogonal_procrustes(a, b)[0] - b))


@pytest.mark.parametrize(("n", "p", "q"), [(5, 40, 30), (5, 3, 40), (20, 12, 30), (2, 1, 9), (3, 50, 1)])
def test_wide_representations_are_reduced_without_loss(n, p, q):
    x, y = random_pair(1, n, p, q)
    x, y = x - x.mean(0), y - y.mean(0)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    expected = math.sqrt(np.sum(x**2) + np.sum(y**2) - 2 * nuclear)
    assert procrustes(x, y) == pytest.approx(expected, abs=1e-6)
    u, _, vt = np.linalg.svd(x.T @ y, full_matrices=False)
    cosines = np.sum((x @ u @ vt) * y, axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert aligned_cosine(x, y) == pytest.approx(cosines.mean(), abs=1e-6)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 1e-13), (np.float32, 3e-6)])
@pytest.mark.parametrize("p", [6, 60])
def test_rotated_copies_are_at_zero_to_the_last_digits(dtype, digits, p):
    x = random_pair(2, 40, p)[0]
    y = (x @ rotation(p) + 3).astype(dtype)
    x = x.astype(dtype)
    assert procrustes(x, y) < digits * np.linalg.norm(x)
    assert procrustes_normalized(x, y) < digits
    assert angular_shape(x, 5 * y) < digits
    assert procrustes(x, x) < digits * np.linalg.norm(x)
    # A copy with redundant features is the same shape.
    assert angular_shape(x, np.hstack([y, y]).astype(dtype)) < digits


def test_small_angles_keep_their_digits():
    x, other = (a - a.mean(0) for a in random_pair(3, q=4))
    x, other = x / np.linalg.norm(x), other / np.linalg.norm(other)
    other = other - x * np.sum(x * other)  # orthogonal to x, so that cos t x + sin t other is at angle about t
    for t in (1e-2, 1e-5, 1e-8):
        best, _ = orthogonal_procrustes(x, y := x * math.cos(t) + other * math.sin(t))
        residual = np.linalg.norm(x @ best / np.linalg.norm(x) - y / np.linalg.norm(y))
        assert angular_shape(x, y) == pytest.approx(2 * math.asin(residual / 2), rel=1e-6)


def test_angle_and_chord_are_one_measure():
    x, y = random_pair(4)
    assert procrustes_normalized(x, y) == pytest.approx(math.sqrt(2 - 2 * math.cos(angular_shape(x, y))), rel=1e-12)


def test_full_whitening_leaves_the_canonical_correlations():
    x, y = random_pair(5, p=4, q=4)
    cosines = np.cos(subspace_angles(x - x.mean(0), y - y.mean(0)))
    assert angular_shape(x, y, alpha=0) == pytest.approx(math.acos(cosines.mean()), rel=1e-10)
    assert angular_shape(x, x @ np.diag([1, 2, 3, 4]) @ rotation(4), alpha=0) < 1e-12


def test_whitening_scales_with_the_data_where_it_is_partial():
    x, y = random_pair(6)
    for alpha in (0.0, 1.0):
        assert angular_shape(9 * x, y, alpha=alpha) == pytest.approx(angular_shape(x, y, alpha=alpha), rel=1e-10)
    assert abs(angular_shape(9 * x, y, alpha=0.5) - angular_shape(x, y, alpha=0.5)) > 1e-4
    for extreme in (1e-200, 1e200):
        assert 0 <= angular_shape(extreme * x, extreme * y, alpha=0.5) <= math.pi / 2


def test_procrustes_of_a_constant_representation_is_the_size_of_the_other():
    x, _ = random_pair(7)
    assert procrustes(x, np.ones((30, 2))) == pytest.approx(np.linalg.norm(x - x.mean(0)))
    assert procrustes(np.ones((30, 2)), np.ones((30, 2))) == 0


def test_permutation_procrustes_finds_the_permutation():
    x, _ = random_pair(8, p=7)
    assert permutation_procrustes(x, x[:, np.random.default_rng(0).permutation(7)]) == 0
    padded = permutation_procrustes(x, x[:, [3, 1]])
    assert padded == pytest.approx(np.linalg.norm(np.delete(x, [1, 3], axis=1)))
    assert permutation_procrustes(x, 4 * x[:, ::-1], angular=True) < 1e-12
    assert permutation_procrustes(x, x + 5, centre=True) == pytest.approx(0, abs=1e-12)


def test_padding_breaks_the_triangle_inequality_of_the_permutation_distance():
    u = np.array([[1.0], [2.0], [3.0]])
    between = np.hstack([u, -u]) / 2
    direct = permutation_procrustes(u, -u)
    assert direct > permutation_procrustes(u, between) + permutation_procrustes(between, -u) + 1


def test_rows_without_direction_are_left_out_of_the_aligned_cosine():
    x, y = random_pair(9)
    x[:3], y[3:5] = 0, 0
    assert aligned_cosine(x, y) == pytest.approx(aligned_cosine(x[5:], y[5:]), rel=1e-10)


# Matching ------------------------------------------------------------------------------------------------------------


def test_matching_follows_the_correlations():
    x, y = random_pair(10)
    correlations = np.corrcoef(x.T, y.T)[:4, 4:]
    soft = (correlations.max(0).mean() + correlations.max(1).mean()) / 2
    assert soft_correlation_match(x, y) == pytest.approx(soft, rel=1e-12)
    orders = itertools.permutations(range(6), 4)
    hard = max(sum(correlations[i, j] for i, j in enumerate(order)) / 4 for order in orders)
    assert hard_correlation_match(x, y) == pytest.approx(hard, rel=1e-12)
    assert hard_correlation_match(x, x * [1, 2, 3, 4] + 7) == pytest.approx(1)
    assert hard_correlation_match(x[:, :1], -x[:, :1]) == pytest.approx(-1)


def test_a_constant_feature_correlates_with_nothing():
    x, y = random_pair(11)
    with_constant = np.column_stack([x, np.full(30, 0.1)])
    assert soft_correlation_match(with_constant, with_constant) == pytest.approx(4 / 5)


# Subspaces -----------------------------------------------------------------------------------------------------------


def test_linear_regression_is_r_squared():
    x, y = random_pair(12)
    x0, y0 = x - x.mean(0), y - y.mean(0)
    residual = x0 - y0 @ np.linalg.lstsq(y0, x0, rcond=None)[0]
    assert linear_regression(x, y) == pytest.approx(1 - np.sum(residual**2) / np.sum(x0**2), rel=1e-10)
    assert linear_regression(x, y, predict="y") == linear_regression(y, x)


def test_redundant_features_change_no_subspace():
    x, y = random_pair(13)
    redundant = np.hstack([x, x @ [[1.0], [2.0], [3.0], [4.0]], np.ones((30, 1))])
    assert linear_regression(y, redundant) == pytest.approx(linear_regression(y, x), rel=1e-10)
    assert gulp(y, redundant) == pytest.approx(gulp(y, x), rel=1e-10)
    rank = partial(eigenspace_overlap, normalise="rank")
    assert rank(redundant[:, :5], redundant[:, :5]) == pytest.approx(1)
    assert eigenspace_overlap(redundant[:, :5], redundant[:, :5]) == pytest.approx(4 / 5)


@pytest.mark.parametrize("regularisation", [0.0, 1e-3, 1.0])
def test_gulp_is_the_distance_of_the_ridge_operators(regularisation):
    operators = []
    for a in random_pair(14):
        a = a - a.mean(0)
        a = a / np.linalg.norm(a)
        operators.append(a @ np.linalg.inv(a.T @ a + regularisation * np.eye(a.shape[1])) @ a.T)
    expected = np.linalg.norm(operators[0] - operators[1])
    assert gulp(*random_pair(14), regularisation=regularisation) == pytest.approx(expected, rel=1e-9)


def test_gulp_near_zero_keeps_its_digits():
    x, other = random_pair(15, q=4)
    assert gulp(x, x @ rotation(4) * 3 + 1) < 1e-13
    tiny = [gulp(x, x + t * other) / t for t in (1e-4, 1e-7, 1e-9)]
    assert tiny == pytest.approx([tiny[0]] * 3, rel=1e-3)


def test_more_features_than_objects_span_everything():
    x, y = random_pair(16, n=8, p=20, q=9)
    assert linear_regression(x, y) == pytest.approx(1)
    assert gulp(x, y) == pytest.approx(0, abs=1e-6)
    assert gulp(x, y, regularisation=0.1) > 1e-3


# Statistics ----------------------------------------------------------------------------------------------------------


def test_statistics_are_their_formulas():
    x, y = random_pair(17)
    x, y = x / np.linalg.norm(x, axis=1, keepdims=True), 0.2 * y

    def uniformity(a, t=2.0):
        return math.log((len(a) + 2 * np.exp(-t * pdist(a) ** 2).sum()) / len(a) ** 2)

    def concentricity(a):
        return np.mean(a @ a.mean(0) / np.linalg.norm(a, axis=1)) / np.linalg.norm(a.mean(0))

    assert uniformity_difference(x, y) == pytest.approx(abs(uniformity(x) - uniformity(y)), rel=1e-10)
    assert uniformity_difference(x, y, t=0.5) == pytest.approx(abs(uniformity(x, 0.5) - uniformity(y, 0.5)), rel=1e-10)
    assert concentricity_difference(x, y) == pytest.approx(abs(concentricity(x) - concentricity(y)), rel=1e-10)
    lengths = [np.linalg.norm(a.mean(0)) for a in (x, y)]
    assert magnitude_difference(x, y) == pytest.approx(abs(lengths[0] - lengths[1]), rel=1e-10)


def test_uniformity_goes_through_several_blocks_of_rows():
    rng = np.random.default_rng(0)
    x, y = 0.5 * rng.normal(size=(2500, 3)), 0.1 * rng.normal(size=(2500, 3))
    expected = [math.log(np.exp(-2 * cdist(a, a) ** 2).mean()) for a in (x, y)]
    assert uniformity_difference(x, y) == pytest.approx(abs(expected[0] - expected[1]), rel=1e-10)


def test_a_centred_cloud_has_no_concentricity():
    x, _ = random_pair(18)
    direction = np.ones((30, 2))
    assert concentricity_difference(x - x.mean(0), direction) == pytest.approx(1)
    assert concentricity_difference(np.zeros((30, 1)), direction) == pytest.approx(1)


# Graphs --------------------------------------------------------------------------------------------------------------


def test_estimated_heat_traces_agree_with_the_exact_ones():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)), rng.normal(size=(400, 12))
    exact = imd(x, y)
    estimates = [imd(x, y, exact_up_to=0, probes=64, rng=seed) for seed in range(3)]
    assert exact > 10
    assert estimates == pytest.approx([exact] * 3, rel=0.01)
    assert len(set(estimates)) == 3 and imd(x, x + 1, exact_up_to=0) == 0
    assert imd(x, y, scale=1.0) == pytest.approx(exact / 1e6)


def test_imd_of_known_spectra():
    # Pairs far apart: n/2 edges, eigenvalues 0 and 2; triangles: 0, 3/2, 3/2.
    times = np.logspace(-1, 1, 256)
    pairs = np.repeat(10.0 * np.arange(6), 2)[:, None] + np.tile([0.0, 1.0], 6)[:, None]
    triangles = np.kron(10 * np.arange(4), [1, 1, 1])[:, None] + np.tile([[0, 0], [1, 0], [0, 1]], (4, 1))
    heats = [(1 + np.exp(-2 * times)) / 2, (1 + 2 * np.exp(-1.5 * times)) / 3]
    for k, space, heat in ((1, pairs, heats[0]), (2, triangles, heats[1])):
        whole = (1 + (len(space) - 1) * np.exp(-times * len(space) / (len(space) - 1))) / len(space)
        with_all = imd(space, np.random.default_rng(0).normal(size=space.shape), k=len(space) - 1)
        assert with_all == 0  # two complete graphs
        assert _heat(space.astype(float), k=k).trace == pytest.approx(heat, rel=1e-12)
        assert _heat(space.astype(float), k=len(space) - 1).trace == pytest.approx(whole, rel=1e-12)


def test_holes_of_witness_complexes_are_those_of_gudhi():
    gudhi = pytest.importorskip("gudhi")
    from helpers.similarity._witness import living_times

    rng = np.random.default_rng(0)
    for n, d, size, gamma, squared in (
        (150, 3, 20, 0.3, True),
        (150, 3, 30, 0.2, False),
        (80, 2, 3, 0.5, True),
        (80, 2, 2, 0.5, False),
        (90, 8, 40, 0.01, True),
    ):
        x = np.round(rng.normal(size=(n, d)), 1)  # with ties
        values = cdist(x, x)
        values = values**2 if squared else values
        chosen = np.stack([rng.choice(n, size) for _ in range(4)])
        cuts = np.array([gamma * values[:, c].max() for c in chosen])
        ours = living_times(values, chosen, cuts, 50, squared)
        assert ours.sum(axis=1) == pytest.approx(np.ones(4))
        for row, landmarks, cut in zip(ours, chosen, cuts, strict=True):
            table = [sorted(enumerate(v), key=lambda pair: pair[1]) for v in values[:, landmarks].tolist()]
            tree = gudhi.WitnessComplex(table).create_simplex_tree(max_alpha_square=cut, limit_dimension=2)
            tree.persistence(homology_coeff_field=2, persistence_dim_max=True)
            bars = np.minimum(np.reshape(tree.persistence_intervals_in_dimension(1), (-1, 2)), cut)
            bars, end = (np.sqrt(bars), math.sqrt(cut)) if squared else (bars, cut)
            times = np.unique(np.concatenate([[0, end], bars.ravel()]))
            middles = (times[:-1] + times[1:]) / 2
            holes = ((bars[:, :1] <= middles) & (middles < bars[:, 1:])).sum(axis=0)
            expected = np.bincount(holes, weights=np.diff(times), minlength=50)[:50] / end
            assert row == pytest.approx(expected, abs=1e-12)


def test_geometry_score_counts_the_holes_of_a_ring():
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    settings_ = {"landmarks": 20, "gamma": 0.1, "complexes": 30}
    assert geometry_score(ring, angle[:, None], **settings_) == pytest.approx(2, abs=1e-6)
    assert geometry_score(ring, 2 * ring + 5, **settings_) == pytest.approx(0, abs=1e-6)


def test_groups_of_complexes_as_for_large_n_give_the_same(monkeypatch):
    x, options = random_pair(29)[0], {"landmarks": 12, "gamma": 0.2, "complexes": 30}
    whole = _living_times(x, **options)
    assert 0 < whole[1] < 1
    monkeypatch.setattr(graphs, "LARGEST_BLOCK", 700)
    assert _living_times(x, **options) == pytest.approx(whole, abs=1e-6)


# Input ---------------------------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("side", [0, 1])
def test_bad_input_is_named(name, side):
    measure, good = FAST[name], random_pair(19)
    label = "xy"[side]

    def call(bad):
        return measure(*((bad, good[1]) if side == 0 else (good[0], bad)))

    bad = good[side].copy()
    bad[4, 2] = np.nan
    with pytest.raises(ValueError, match=rf"{label}\[4, 2\] is NaN"):
        call(bad)
    bad[4, 2] = np.inf
    with pytest.raises(ValueError, match=rf"{label}\[4, 2\] is infinite"):
        call(bad)
    with pytest.raises(ValueError, match="both must describe the same objects"):
        call(good[side][:-1])
    with pytest.raises(ValueError, match=rf"{label} has shape \(30,\)"):
        call(good[side][:, 0])
    with pytest.raises(TypeError, match=f"{label} has dtype"):
        call(good[side].astype(complex))


CONSTANT_IS_REFUSED = (
    "procrustes_normalized angular_shape hard_correlation_match soft_correlation_match linear_regression gulp "
    "geometry_score"
).split()


@each
def test_a_constant_representation_is_refused_or_has_a_value(name):
    x, _ = random_pair(20)
    constant = np.full((30, 3), 0.1)
    for pair in ((x, constant), (constant, x)):
        if name in CONSTANT_IS_REFUSED:
            with pytest.raises(ValueError, match="constant"):
                FAST[name](*pair)
        else:
            assert math.isfinite(FAST[name](*pair))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(procrustes, alpha=1.5), "alpha is 1.5; it must be between 0"),
        (partial(procrustes, alpha=math.nan), "alpha is nan"),
        (partial(aligned_cosine, alignment="best"), "alignment is 'best'"),
        (partial(linear_regression, predict="z"), "predict is 'z'"),
        (partial(eigenspace_overlap, normalise="n"), "normalise is 'n'"),
        (partial(gulp, regularisation=-1), "regularisation is -1"),
        (partial(gulp, regularisation=math.inf), "regularisation is inf"),
        (partial(uniformity_difference, t=0), "t is 0"),
        (partial(imd, k=30), "k is 30; it must be between 1 and 29 .x has 30 rows"),
        (partial(imd, probes=0), "probes is 0"),
        (partial(imd, scale=0), "scale is 0"),
        (partial(geometry_score, landmarks=31), "landmarks is 31; it must be between 1 and 30"),
        (partial(geometry_score, complexes=0), "complexes is 0"),
        (partial(geometry_score, gamma=0), "gamma is 0"),
        (partial(geometry_score, relaxation="none"), "relaxation is 'none'"),
    ],
)
def test_bad_options_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*random_pair(21))


def test_all_zero_representations_have_no_direction():
    x, _ = random_pair(22)
    zero = np.zeros((30, 2))
    for call in (
        eigenspace_overlap,
        aligned_cosine,
        partial(permutation_procrustes, angular=True),
        partial(procrustes_normalized, centre=False),
    ):
        with pytest.raises(ValueError, match="zero"):
            call(x, zero)


@each
@pytest.mark.parametrize("n", [2, 3])
def test_two_and_three_objects(name, n):
    x, y = random_pair(23, n=n)
    if name == "imd":
        with pytest.raises(ValueError, match="k is 5"):
            imd(x, y)
        assert imd(x, y, k=n - 1) == 0
    elif name == "geometry_score":
        assert geometry_score(x, y) == 0
    else:
        assert math.isfinite(FAST[name](x, y))
    with pytest.raises(ValueError, match="needs at least 2"):
        FAST[name](x[:1], y[:1])


@each
def test_duplicates_zero_rows_and_low_rank(name):
    x, y = random_pair(24)
    x[10:20], y[10:14] = x[0], y[0]
    x[20:25] = 0
    x, y = np.hstack([x, x, 0 * x]), y[:, :2] @ np.ones((2, 9))
    assert math.isfinite(FAST[name](x, y)) and math.isfinite(FAST[name](y, x))


def approximately(name, value, rel):
    return pytest.approx(value, rel=rel, abs=rel * (1e6 * math.exp(-4) if name == "imd" else 1))


@each
def test_dtypes(name):
    x, y = random_pair(25)
    measure = FAST[name]
    for a, b in ((x, y), (y, x)):
        a, b = np.round(4 * a), np.round(4 * b)
        exact = measure(a, b)
        assert measure(a.astype(np.int16), b.astype(np.int64)) == exact
        assert measure(a.tolist(), b) == exact
        assert measure(a.astype(np.float32), b.astype(np.float32)) == approximately(name, exact, 1e-4)
        assert measure(a.astype(np.float16), b.astype(np.float16)) == measure(a.astype("f4"), b.astype("f4"))
        assert measure(a.astype(np.float32), b) == approximately(name, exact, 1e-4)
        assert measure(np.asfortranarray(a), b[::-1][::-1]) == pytest.approx(exact, rel=1e-9)


@each
def test_inputs_are_left_as_they_are(name):
    x, y = random_pair(26)
    before = x.copy(), y.copy()
    x.flags.writeable = y.flags.writeable = False
    FAST[name](x, y)
    assert np.array_equal(x, before[0]) and np.array_equal(y, before[1])


SCALES_WITH_THE_DATA = ("procrustes", "permutation_procrustes", "magnitude_difference")


@each
@pytest.mark.parametrize(
    ("scale", "dtype"), [(1e30, np.float32), (1e-30, np.float32), (1e-43, np.float32), (1e200, float), (1e-200, float)]
)
def test_the_ends_of_the_range_of_the_type(name, scale, dtype):
    x, y = random_pair(27)
    small, big = (a.astype(dtype) for a in (x, y)), ((scale * a).astype(dtype) for a in (x, y))
    expected, value = FAST[name](*small), FAST[name](*big)
    rel = 0.05 if scale == 1e-43 else 1e-3  # the smallest numbers have no digits left
    if name in SCALES_WITH_THE_DATA:
        assert value == pytest.approx(scale * expected, rel=rel)
    elif name == "uniformity_difference":
        assert value == pytest.approx(0, abs=1e-6)  # all points apart, or all in one
    elif scale == 1e-43:
        assert math.isfinite(value)
    else:
        assert value == approximately(name, expected, rel)


@each
def test_torch_gives_the_same(name):
    torch = pytest.importorskip("torch")
    x, y = random_pair(28)
    devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    for device in devices:
        for dtype, rel in ((torch.float64, 1e-9), (torch.float32, 1e-4), (torch.bfloat16, 0.05)):
            a, b = (torch.tensor(z, device=device).to(dtype) for z in (x, y))
            value = FAST[name](a, b)
            assert type(value) is float
            assert value == approximately(name, FAST[name](a.cpu().double().numpy(), b.cpu().double().numpy()), rel)
    with pytest.raises(TypeError, match="pass two tensors or two arrays"):
        FAST[name](x, torch.tensor(y))


SHARED = [procrustes, procrustes_normalized, angular_shape, gulp, eigenspace_overlap, linear_regression, aligned_cosine]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.integers(1, 15), st.integers(1, 15))
def test_rotations_and_scales_change_nothing_at_any_shape(seed, n, p, q):
    x, y = random_pair(seed, n, p, q)
    turned = 3 * x @ rotation(p, seed)
    for measure in SHARED[1:6]:
        assert measure(turned, y) == pytest.approx(measure(x, y), abs=1e-6)
        assert measure(y, turned) == pytest.approx(measure(y, x), abs=1e-6)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), *[st.integers(1, 9)] * 3)
def test_shape_metrics_obey_the_triangle_inequality_across_widths(seed, n, p, q, r):
    rng = np.random.default_rng(seed)
    x, y, z = (rng.normal(size=(n, width)) for width in (p, q, r))
    for measure in (procrustes, procrustes_normalized, angular_shape, partial(angular_shape, alpha=0.3)):
        assert measure(x, z) <= measure(x, y) + measure(y, z) + 1e-9


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.integers(1, 9))
def test_permutation_distance_is_a_metric_at_one_width(seed, n, p):
    rng = np.random.default_rng(seed)
    x, y, z = (rng.normal(size=(n, p)) for _ in range(3))
    assert permutation_procrustes(x, z) <= permutation_procrustes(x, y) + permutation_procrustes(y, z) + 1e-9
