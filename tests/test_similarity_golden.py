"""Measures against recorded values of other code; where those differ, the reason and how far it can lead."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist

from helpers.similarity.cca import cca, pwcca, svcca
from helpers.similarity.cka import cka, cka_rbf, cka_unbiased
from helpers.similarity.dependence import distance_correlation, distance_correlation_unbiased
from helpers.similarity.graphs import _living_times, imd
from helpers.similarity.matching import hard_correlation_match, soft_correlation_match
from helpers.similarity.neighbours import jaccard, rank_similarity, second_order_cosine
from helpers.similarity.rsa import mantel_test, rsa, rsm_norm_difference
from helpers.similarity.shape import (
    aligned_cosine,
    angular_shape,
    permutation_procrustes,
    procrustes,
    procrustes_normalized,
)
from helpers.similarity.statistics import concentricity_difference, magnitude_difference, uniformity_difference
from helpers.similarity.subspace import eigenspace_overlap, gulp, linear_regression

GOLDEN = Path(__file__).parent / "golden"
REFERENCE = json.loads((GOLDEN / "golden.json").read_text())
INPUTS = np.load(GOLDEN / "golden.npz")


def swapped(x, y):
    return pwcca(y, x, weights="svcca-release")


AGREEMENTS = [
    ("textbook.cca_mean", cca, {}),
    ("sim_metric.mean_cca_corr", cca, {}),
    ("textbook.svcca_99", svcca, {}),
    ("resi.SVCCA", svcca, {"components": 1}),
    ("textbook.pwcca_weights_from_X", pwcca, {"weights": "x"}),
    ("textbook.pwcca_weights_from_Y", pwcca, {"weights": "y"}),
    ("resi.PWCCA", pwcca, {"weights": "svcca-release"}),
    ("resi.PWCCA[Y,X]", swapped, {}),
    ("resi.CKA", cka, {}),
    ("pytorch_cka.cka_unbiased", cka_unbiased, {}),
    ("thingsvision.cka_linear_unbiased", cka_unbiased, {}),
    ("kisung_repsim.cka[rbf,gretton]", cka_rbf, {}),
    ("resi.RSA", rsa, {}),
    ("resi.RSA[inner=euclidean,outer=spearman]", rsa, {"distance": "euclidean"}),
    ("rsatoolbox.correlation.corr", rsa, {"compare": "pearson"}),
    ("rsatoolbox.correlation.spearman", rsa, {}),
    ("rsatoolbox.euclidean.corr", rsa, {"distance": "sqeuclidean", "compare": "pearson"}),
    ("textbook.RSMNormDifference_frobenius", rsm_norm_difference, {}),
    ("resi.RSMNormDifference", rsm_norm_difference, {"norm": "spectral"}),
    ("resi.JaccardSimilarity", jaccard, {}),
    ("resi.JaccardSimilarity[k=1]", jaccard, {"k": 1}),
    ("resi.JaccardSimilarity[k=5]", jaccard, {"k": 5}),
    ("resi.JaccardSimilarity[inner=euclidean]", jaccard, {"metric": "euclidean"}),
    ("resi.RankSimilarity", rank_similarity, {}),
    ("resi.RankSimilarity[k=5]", rank_similarity, {"k": 5}),
    ("resi.SecondOrderCosineSimilarity", second_order_cosine, {}),
    ("resi.SecondOrderCosineSimilarity[k=1]", second_order_cosine, {"k": 1}),
    ("resi.SecondOrderCosineSimilarity[k=5]", second_order_cosine, {"k": 5}),
    ("resi.DistanceCorrelation", distance_correlation, {}),
    ("dcor.distance_correlation", distance_correlation, {}),
    ("dcor.u_distance_correlation_sqr", distance_correlation_unbiased, {}),
]

# Where the other code defines something else: what it does, and how far that can lead away from the definition here.
ELSEWHERE = {
    ("resi.RankSimilarity", "degenerate_duplicate_rows"): "itself",
    ("resi.JaccardSimilarity[inner=euclidean]", "degenerate_duplicate_rows"): "itself",
    ("resi.SecondOrderCosineSimilarity", "degenerate_zero_rows"): "itself",
    ("resi.SecondOrderCosineSimilarity[k=1]", "degenerate_zero_rows"): "itself",
    ("resi.SecondOrderCosineSimilarity[k=5]", "degenerate_zero_rows"): "itself",
    ("sim_metric.mean_cca_corr", "degenerate_constant_feature"): "features",
    ("sim_metric.mean_cca_corr", "degenerate_duplicate_feature"): "features",
}

# Where a value is decided by rounding, so that it may differ from the recorded one and from machine to machine.
BY_ROUNDING = {
    # It ranks the rounding noise of the zero distances between equal rows.
    ("resi.RSA", "degenerate_duplicate_rows"): "ties",
    ("resi.RSA[inner=euclidean,outer=spearman]", "degenerate_duplicate_rows"): "ties",
    ("rsatoolbox.correlation.spearman", "degenerate_duplicate_rows"): "ties",
    # It depends on the signs of the canonical directions; of rank-deficient sides rounding decides them.
    ("resi.PWCCA", "degenerate_constant_feature"): "signs",
    ("resi.PWCCA", "degenerate_duplicate_feature"): "signs",
    ("resi.PWCCA[Y,X]", "degenerate_constant_feature"): "signs",
    ("resi.PWCCA[Y,X]", "degenerate_duplicate_feature"): "signs",
}

CONSTANT = {"degenerate_constant_matrix"}  # no variance, no correlation, no shape: refused
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


def promised(key, case):
    """What the reference values promise for this key; float32 is computed in float32 here."""
    if case == "float32":
        given = REFERENCE["tolerances"]["float32 case"]
        return given["rtol"], given["atol"]
    prefixes = [p for p in REFERENCE["tolerance_by_prefix"] if key.startswith(p)]
    given = REFERENCE["tolerance_by_prefix"][max(prefixes, key=len)] if prefixes else REFERENCE["tolerances"]["default"]
    return given["rtol"], given["atol"]


@pytest.mark.filterwarnings("ignore:.*components of.*:RuntimeWarning")
@pytest.mark.parametrize("key, measure, options", AGREEMENTS, ids=[f"{key}" for key, _, _ in AGREEMENTS])
def test_agrees_with_reference_values(key, measure, options):
    compared = 0
    for case, values in REFERENCE["values"].items():
        expected = values.get(key)
        if (
            not isinstance(expected, float)
            or (key, case) in ELSEWHERE | BY_ROUNDING
            or case == "degenerate_constant_matrix"
        ):
            continue
        rtol, atol = promised(key, case)
        found = measure(INPUTS[f"{case}/X"], INPUTS[f"{case}/Y"], **options)
        assert found == pytest.approx(expected, rel=rtol, abs=atol), case
        compared += 1
    assert compared >= 12


def both(key, case):
    """The value here, the recorded one, and the data."""
    measure, options = next((m, o) for k, m, o in AGREEMENTS if k == key)
    x, y = INPUTS[f"{case}/X"], INPUTS[f"{case}/Y"]
    return measure(x, y, **options), REFERENCE["values"][case][key], x, y


@pytest.mark.parametrize("key, case", ELSEWHERE, ids=map(" ".join, ELSEWHERE))
def test_where_the_other_code_defines_something_else_the_difference_is_that(key, case):
    found, recorded, x, y = both(key, case)
    rtol, atol = promised(key, case)
    if ELSEWHERE[key, case] == "features":  # it divides the sum by the number of features, not by the rank
        rank = min(np.linalg.matrix_rank(z - z.mean(axis=0)) for z in (x, y))
        assert recorded == pytest.approx(found * rank / min(x.shape[1], y.shape[1]), rel=rtol, abs=atol)
        return
    # Of duplicates and zero rows it takes the object itself for a neighbour; other objects are not concerned, and each
    # contributes 1/n of a number in [0, 1].
    concerned = np.zeros(len(x), dtype=bool)
    for z in (x, y):
        _, group, size = np.unique(z, axis=0, return_inverse=True, return_counts=True)
        concerned |= (size[group] > 1) | ~z.any(axis=1)
    assert rtol * recorded + atol < abs(found - recorded) < concerned.mean()


@pytest.mark.parametrize("key, case", BY_ROUNDING, ids=map(" ".join, BY_ROUNDING))
def test_where_rounding_decides_the_difference_is_what_rounding_can_do(key, case):
    found, recorded, x, y = both(key, case)
    if BY_ROUNDING[key, case] == "ties":
        n = len(x) * (len(x) - 1) // 2
        moved = [tolerance.of_broken_ties([np.sum(pdist(z, "chebyshev") == 0)], n) for z in (x, y)]
        rtol, atol = promised(key, case)
        assert abs(found - recorded) <= sum(moved) + rtol * recorded + atol
        return
    x, y = (y, x) if "[Y,X]" in key else (x, y)
    values = released_pwcca_by_signs(x, y, 2000)
    assert values.min() < min(found, recorded) and max(found, recorded) < values.max()


def released_pwcca_by_signs(x, y, count):
    """The released PWCCA of two equally wide sides for random signs of the canonical directions."""
    whitened = []
    for z in (x - x.mean(axis=0), y - y.mean(axis=0)):
        values, vectors = np.linalg.eigh(z.T @ z)
        kept = values > z.shape[1] * np.finfo(float).eps * values[-1]
        whitened.append(z @ vectors[:, kept] / np.sqrt(values[kept]) @ vectors[:, kept].T)
    directions, correlations, _ = np.linalg.svd(whitened[0].T @ whitened[1])
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(count, 1, len(correlations)))
    mean = x.mean(axis=0)
    variates = (x - mean) @ directions * signs + mean
    alpha = np.abs(np.linalg.qr(variates)[0].transpose(0, 2, 1) @ x).sum(axis=2)
    return alpha @ correlations / alpha.sum(axis=1)


@pytest.mark.parametrize("case", REFERENCE["stochastic"])
@pytest.mark.parametrize("compare", ["pearson", "spearman"])
def test_mantel_agrees_with_scikit_bio(case, compare):
    expected = REFERENCE["stochastic"][case]["skbio.mantel[euclidean,199]"][compare]
    found = mantel_test(
        INPUTS[f"{case}/X"],
        INPUTS[f"{case}/Y"],
        distance="euclidean",
        compare=compare,
        alternative="two-sided",
        n_permutations=199,
    )
    apart = [pdist(INPUTS[f"{case}/{side}"].astype(float)) for side in "XY"]
    left = max(np.linalg.norm(d) / np.linalg.norm(d - d.mean()) for d in apart)
    near = tolerance.apart(2 * len(INPUTS[f"{case}/X"]), condition=left)
    assert found.statistic == pytest.approx(expected["r"], abs=near)
    p = expected["p"]  # both of them a share of 200, of which one is the data
    assert found.p_value == pytest.approx(p, abs=tolerance.of_a_mean(np.sqrt(2 * p * (1 - p)), 200))


def promised_of_peers(key, case):
    """What is promised; for values that should be 0 also the square root or arc cosine of the peer's rounding."""
    rounding = {"resi.orthogonal": 2e-5, "resi.permutation": 1e-6}
    rtol, atol = promised(key, case)
    return rtol, max([atol] + [a for p, a in rounding.items() if key.startswith(p)])


def published(key):
    _, left_out = PUBLISHED[key]
    values = {c: v[key] for c, v in REFERENCE["values"].items() if key in v and c not in left_out}
    return {c: v for c, v in values.items() if isinstance(v, float) and math.isfinite(v)}


def case(name):
    return INPUTS[f"{name}/X"], INPUTS[f"{name}/Y"]


@pytest.mark.parametrize("key", PUBLISHED)
def test_published_values(key):
    measure, values = PUBLISHED[key][0], published(key)
    assert len(values) >= 15
    for name, value in values.items():
        rtol, atol = promised_of_peers(key, name)
        assert measure(*case(name)) == pytest.approx(value, rel=rtol, abs=atol), name


@pytest.mark.parametrize("name", [c for c, v in REFERENCE["stochastic"].items() if "resi.GeometryScore" in v])
def test_geometry_score_as_the_authors_code_computes_it(name):
    published_ = REFERENCE["stochastic"][name]["resi.GeometryScore"]
    seeds = iter(range(6))
    vectors = [
        [_living_times(a, relaxation="distance", replace=True, rng=next(seeds)) for a in case(name)] for _ in range(3)
    ]
    ours = np.mean([np.sum((a - b) ** 2) for a, b in vectors])
    spread = published_["std_single_run"] * math.sqrt(1 / 3 + 1 / published_["runs"])
    assert abs(ours - published_["mean"]) < 4 * spread + 5e-4
