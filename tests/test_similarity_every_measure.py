"""CCA, CKA, RSA, neighbours and distance correlation against other code, special cases and their invariances."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, spearmanr

from helpers.similarity import _distances
from helpers.similarity._distances import condensed, distance_block, distance_matrix, pair_distances, points
from helpers.similarity.cca import cca, pwcca, svcca
from helpers.similarity.cka import cka, cka_rbf, cka_unbiased
from helpers.similarity.dependence import distance_correlation, distance_correlation_unbiased
from helpers.similarity.matrices import similarity_matrix
from helpers.similarity.neighbours import jaccard, mutual_knn, nearest, rank_similarity, second_order_cosine
from helpers.similarity.rsa import mantel_test, rsa, rsm_norm_difference

GOLDEN = Path(__file__).parent / "golden"
REFERENCE = json.loads((GOLDEN / "golden.json").read_text())
INPUTS = np.load(GOLDEN / "golden.npz")

MEASURES = {
    "cca": cca,
    "svcca": svcca,
    "pwcca": pwcca,
    "cka": cka,
    "cka_rbf": cka_rbf,
    "cka_unbiased": cka_unbiased,
    "rsa": rsa,
    "rsm_norm_difference": rsm_norm_difference,
    "jaccard": jaccard,
    "mutual_knn": mutual_knn,
    "rank_similarity": rank_similarity,
    "second_order_cosine": second_order_cosine,
    "distance_correlation": distance_correlation,
    "distance_correlation_unbiased": distance_correlation_unbiased,
}
NEIGHBOUR = {"jaccard", "mutual_knn", "rank_similarity", "second_order_cosine"}


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
    assert found.statistic == pytest.approx(expected["r"], abs=1e-9)
    assert found.p_value == pytest.approx(expected["p"], abs=0.15)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def correlated(n=60, p=6, q=9, seed=0):
    x = normal(n, p, seed=seed)
    return x, np.tanh(x @ normal(p, q, seed=seed + 1)) + 0.5 * normal(n, q, seed=seed + 2)


def orthogonal(p, seed=0):
    return np.linalg.qr(normal(p, p, seed=seed))[0]


# Definitions written out with n x n matrices and other people's routines.


def hsic(k, m):
    n = len(k)
    h = np.eye(n) - 1 / n
    return np.trace(k @ h @ m @ h)


def hsic_unbiased(k, m):
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    whole = np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ m).sum()
    return whole / (n * (n - 3))


def alignment(k, m, form):
    return form(k, m) / math.sqrt(form(k, k) * form(m, m))


def gaussian(x, bandwidth):
    distances = pdist(x)
    return np.exp(-(squareform(distances) ** 2) / (2 * (bandwidth * np.median(distances)) ** 2))


@pytest.mark.parametrize("shape", [(60, 6, 9), (20, 30, 25), (20, 5, 90), (20, 3, 30), (5, 2, 2), (4, 9, 3)])
class TestKernelAlignment:
    def test_linear_is_its_definition(self, shape):
        x, y = correlated(*shape)
        assert cka(x, y) == pytest.approx(alignment(x @ x.T, y @ y.T, hsic), abs=1e-12)

    def test_unbiased_is_its_definition_with_and_without_grams(self, shape):
        x, y = correlated(*shape)
        assert cka_unbiased(x + 3, y) == pytest.approx(alignment(x @ x.T, y @ y.T, hsic_unbiased), abs=1e-9)

    @pytest.mark.parametrize("bandwidth", [0.3, 1, 2.5])
    def test_gaussian_is_its_definition(self, shape, bandwidth):
        x, y = correlated(*shape)
        k, m = gaussian(x, bandwidth), gaussian(y, bandwidth)
        assert cka_rbf(x, y, bandwidth=bandwidth) == pytest.approx(alignment(k, m, hsic), abs=1e-9)
        unbiased = cka_unbiased(x, y, kernel="rbf", bandwidth=bandwidth)
        assert unbiased == pytest.approx(alignment(k, m, hsic_unbiased), abs=1e-9)

    def test_a_function_as_kernel(self, shape):
        x, y = correlated(*shape)
        assert cka(x, y, kernel=lambda z: z @ z.T) == pytest.approx(cka(x, y), abs=1e-12)
        assert cka(x, y, kernel=lambda z: z @ z.T, unbiased=True) == pytest.approx(cka_unbiased(x, y), abs=1e-9)


def test_cka_of_single_features_is_the_squared_correlation():
    x, y = normal(30, 1), normal(30, 1, seed=1)
    y += x
    assert cka(x, y) == pytest.approx(pearsonr(x[:, 0], y[:, 0])[0] ** 2, abs=1e-13)


def test_unbiased_estimators_are_near_zero_where_biased_ones_are_far_above():
    pairs = [(normal(40, 100, seed=s), normal(40, 100, seed=s + 100)) for s in range(20)]
    for biased, unbiased in ((cka, cka_unbiased), (distance_correlation, distance_correlation_unbiased)):
        assert np.mean([biased(x, y) for x, y in pairs]) > 0.6
        assert abs(np.mean([unbiased(x, y) for x, y in pairs])) < 0.02


def test_canonical_correlations_are_those_of_the_generalised_eigenproblem():
    from scipy.linalg import eigh

    x, y = correlated(80, 5, 7)
    xc, yc = x - x.mean(0), y - y.mean(0)
    cross = xc.T @ yc
    squares = eigh(cross @ np.linalg.solve(yc.T @ yc, cross.T), xc.T @ xc, eigvals_only=True)
    assert cca(x, y) == pytest.approx(np.sqrt(squares).mean(), abs=1e-12)


def test_cca_agrees_with_scikit_learn():
    from sklearn.cross_decomposition import CCA

    x, y = correlated(100, 3, 4)
    u, v = CCA(3, tol=1e-12, max_iter=10_000).fit_transform(x, y)
    assert cca(x, y) == pytest.approx(np.mean([pearsonr(u[:, m], v[:, m])[0] for m in range(3)]), abs=1e-6)


def test_svcca_is_cca_of_the_principal_components():
    from sklearn.decomposition import PCA

    x, y = normal(90, 12) * np.arange(1, 13), normal(90, 10, seed=1) * np.arange(1, 11)
    y[:, :4] += x[:, 8:]
    a, b = (PCA(0.9, svd_solver="full").fit_transform(z) for z in (x, y))
    assert svcca(x, y, keep=0.9) == pytest.approx(cca(a, b), abs=1e-12)
    assert svcca(x, y, keep=1.0) == pytest.approx(cca(x, y), abs=1e-12)
    first = [PCA(1).fit_transform(z)[:, 0] for z in (x, y)]
    assert svcca(x, y, components=1) == pytest.approx(abs(pearsonr(*first)[0]), abs=1e-10)


def test_pwcca_weighs_canonical_correlations_by_their_projections():
    x, y = correlated(80, 4, 6)
    a, b = (np.linalg.svd(z - z.mean(0), full_matrices=False)[0] for z in (x, y))
    u, rho, _ = np.linalg.svd(a.T @ b, full_matrices=False)
    weights = np.abs((a @ u).T @ (x - x.mean(0))).sum(1)
    assert pwcca(x, y) == pytest.approx(np.average(rho, weights=weights), abs=1e-12)
    assert pwcca(y, x, weights="y") == pytest.approx(pwcca(x, y), abs=1e-12)


def test_cca_does_not_see_invertible_maps():
    x, y = correlated()
    moved = x @ (normal(6, 6, seed=5) + 3 * np.eye(6)) * 100 - 7
    assert cca(x, moved) == pytest.approx(1, abs=1e-12)
    assert cca(moved, y) == pytest.approx(cca(x, y), abs=1e-11)


def test_constant_duplicate_and_dependent_features_do_not_change_cca():
    x, y = correlated()
    wider = np.column_stack([x, np.full(60, 1e6 / 3), x[:, 0], x[:, 1] - 2 * x[:, 2]])
    assert cca(wider, y) == pytest.approx(cca(x, y), abs=1e-12)
    assert cca(wider.astype("f4")[:, :8], y) == pytest.approx(cca(x, y), abs=1e-6)
    assert svcca(wider, y, keep=1) == pytest.approx(cca(x, y), abs=1e-10)


def test_dependent_features_in_float32_are_found_dependent():
    x, y = (z.astype("f4") for z in correlated(200))
    mixed = x @ normal(6, 12, seed=8).astype("f4")
    assert cca(mixed, y) == pytest.approx(cca(x, y), abs=1e-5)


def test_features_of_very_different_size_keep_their_correlations():
    x, y = correlated(300)
    sizes = 10.0 ** np.arange(-9, 9, 3)
    assert cca(x * sizes, y) == pytest.approx(cca(x, y), abs=1e-12)
    assert cca((x * sizes).astype("f4"), y) == pytest.approx(cca(x, y), abs=1e-5)


@pytest.mark.parametrize("measure", [cca, pwcca, lambda x, y: svcca(x, y, keep=1.0)])
def test_saturated_canonical_correlations_come_with_a_warning(measure):
    with pytest.warns(RuntimeWarning, match="whatever the data"):
        assert measure(normal(10, 12), normal(10, 4, seed=1)) == pytest.approx(1)


def test_svcca_with_few_components_is_fine_with_few_rows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert 0 < svcca(normal(10, 12), normal(10, 40, seed=1), components=2) < 1


@pytest.mark.parametrize("distance", ["correlation", "cosine", "euclidean", "sqeuclidean", "cityblock", "chebyshev"])
def test_rsa_is_the_correlation_of_distances(distance):
    x, y = correlated(40)
    a, b = pdist(x, distance), pdist(y, distance)
    assert rsa(x, y, distance=distance) == pytest.approx(spearmanr(a, b)[0], abs=1e-12)
    assert rsa(x, y, distance=distance, compare="pearson") == pytest.approx(pearsonr(a, b)[0], abs=1e-12)
    difference = squareform(a - b)
    assert rsm_norm_difference(x, y, distance=distance) == pytest.approx(np.linalg.norm(difference), rel=1e-12)
    spectral = rsm_norm_difference(x, y, distance=distance, norm="spectral")
    assert spectral == pytest.approx(np.linalg.norm(difference, 2), rel=1e-10)


def test_spectral_norm_of_a_large_difference():
    x, y = normal(400, 3), normal(400, 5, seed=1)
    difference = squareform(pdist(x) - pdist(y))
    assert rsm_norm_difference(x, y, norm="spectral") == pytest.approx(np.linalg.norm(difference, 2), rel=1e-10)


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        (cka, {}),
        (cka, {"unbiased": True}),
        (cka_unbiased, {}),
        (rsa, {}),
        (rsa, {"distance": "sqeuclidean", "compare": "pearson"}),
        (rsa, {"distance": "euclidean"}),
        (distance_correlation, {}),
        (distance_correlation_unbiased, {}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("n", [60, 1100])
def test_a_function_gives_the_entry_of_the_matrix_of_two(measure, options, kind, n):
    x, y = (z.astype(kind) for z in correlated(n))
    matrix = similarity_matrix({"x": x, "y": y}, measure.__name__, progress=False, **options)
    assert measure(x, y, **options) == matrix.loc["x", "y"] == matrix.loc["y", "x"]


@pytest.mark.parametrize("distance", ["correlation", "cosine", "euclidean"])
def test_ties_of_distances_share_their_rank_whatever_the_blocks_and_the_precision(distance):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, size=(300, 4)).astype(float)
    y = (x + rng.integers(0, 2, size=x.shape))[:, ::-1]
    with np.errstate(invalid="ignore"):
        apart = [np.round(np.nan_to_num(pdist(z, distance), nan=1.0), 9) for z in (x, y)]
    value = rsa(x, y, distance=distance)
    assert value == pytest.approx(spearmanr(*apart)[0], abs=1e-12)
    for kind in ("float32", "float64"):
        named = {"x": x.astype(kind), "w": rng.normal(size=(300, 5)), "y": y.astype(kind)}
        assert rsa(named["x"], named["y"], distance=distance) == value
        for rows in (32, 96, 300):
            matrix = similarity_matrix(named, "rsa", distance=distance, block_rows=rows, progress=False)
            assert matrix.loc["x", "y"] == pytest.approx(value, abs=1e-14)  # sums of the same ranks


@pytest.mark.parametrize("measure", [rsa, distance_correlation, distance_correlation_unbiased])
def test_many_equal_objects_are_refused_by_name(measure):
    x = normal(1100, 2)
    with pytest.raises(ValueError, match="y"):
        measure(x, np.ones_like(x))


def test_rsa_of_many_objects_by_a_metric_of_scipy():
    x, y = normal(1030, 2), normal(1030, 2, seed=1)
    expected = spearmanr(pdist(x, "cityblock"), pdist(y, "cityblock"))[0]
    assert rsa(x, y, distance="cityblock") == pytest.approx(expected, abs=1e-12)


def test_rsa_gives_ties_their_mean_rank():
    x, y = np.random.default_rng(0).integers(0, 3, (2, 30, 2))
    expected = spearmanr(pdist(x), pdist(y))[0]
    assert rsa(x, y, distance="euclidean") == pytest.approx(expected, abs=1e-12)
    assert rsa(x.astype("f4"), y.astype("f4"), distance="euclidean") == pytest.approx(expected, abs=1e-12)


def test_mantel_null_is_rsa_of_shuffled_rows():
    x, y = correlated(12)
    found = mantel_test(x, y, n_permutations=5, rng=3)
    rng = np.random.default_rng(3)
    expected = [rsa(x[rng.permutation(12)], y) for _ in range(5)]
    assert found.null == pytest.approx(expected, abs=1e-12)
    assert found.statistic == rsa(x, y)


def test_mantel_p_values_are_uniform_on_independent_data_and_small_on_related():
    p = [mantel_test(normal(8, 3, seed=s), normal(8, 3, seed=s + 500), n_permutations=39).p_value for s in range(150)]
    for level in (0.1, 0.3, 0.6):
        assert np.mean(np.array(p) <= level) == pytest.approx(level, abs=0.1)
    x, y = correlated(30)
    assert mantel_test(x, y, n_permutations=99).p_value == 0.01
    assert mantel_test(x, y, n_permutations=99, alternative="less").p_value == 1.0


def doubly_centred(d):
    return d - d.mean(0) - d.mean(1)[:, None] + d.mean()


def u_centred(d):
    n = len(d)
    out = d - d.sum(0) / (n - 2) - d.sum(1)[:, None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(out, 0)
    return out


def test_distance_correlation_is_its_definition(monkeypatch):
    x, y = correlated(50)
    a, b = squareform(pdist(x)), squareform(pdist(y))
    for entries in (_distances.BLOCK, 700):
        monkeypatch.setattr(_distances, "BLOCK", entries)
        for form, measure, power in (
            (doubly_centred, distance_correlation, 0.5),
            (u_centred, distance_correlation_unbiased, 1),
        ):
            s, t = form(a), form(b)
            expected = ((s * t).sum() / math.sqrt((s * s).sum() * (t * t).sum())) ** power
            assert measure(x, y) == pytest.approx(expected, abs=1e-12)


def test_distance_correlation_of_affine_images_is_one():
    x = normal(40, 1)
    assert distance_correlation(x, 5 - 3 * x) == pytest.approx(1, abs=1e-13)
    assert distance_correlation_unbiased(x, 5 - 3 * x) == pytest.approx(1, abs=1e-13)


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
    assert jaccard(x, y, **options) == pytest.approx(np.mean(shares), abs=1e-14)
    assert mutual_knn(x, y, **options) == pytest.approx(np.mean(overlaps), abs=1e-14)
    assert rank_similarity(x, y, **options) == pytest.approx(np.mean(ranks), abs=1e-14)
    assert second_order_cosine(x, y, **options) == pytest.approx(np.mean(seconds), abs=1e-12)


def test_second_order_cosine_of_similarities():
    x, y = correlated(20)
    k = 19  # every union is everything else
    a, b = (1 - squareform(pdist(z, "cosine")) for z in (x, y))
    rows = [(np.delete(a[i], i), np.delete(b[i], i)) for i in range(20)]
    expected = np.mean([u @ v / np.linalg.norm(u) / np.linalg.norm(v) for u, v in rows])
    assert second_order_cosine(x, y, k=k, of="similarity") == pytest.approx(expected, abs=1e-12)


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


def test_zero_rows_are_at_distance_one_from_all():
    x = normal(12, 4)
    x[[3, 7]] = 0
    d = squareform(condensed(points(x, "cosine")))
    assert d[3].tolist() == [1.0] * 3 + [0.0] + [1.0] * 8
    assert np.isfinite(rsa(x, normal(12, 3, seed=1), distance="cosine"))
    assert 0 <= jaccard(x, x, k=3) <= 1 and jaccard(x, x, k=3) == pytest.approx(1)


@pytest.mark.parametrize("metric", ["cosine", "correlation", "euclidean", "sqeuclidean"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("offset, spread", [(0, 1), (1000, 1), (0, 1e-4)])
def test_distances_keep_their_digits(metric, dtype, offset, spread, monkeypatch):
    monkeypatch.setattr(_distances, "BLOCK", 1500)
    centres = np.repeat(normal(3, 20), 30, axis=0)
    x = (offset + (centres + spread * normal(90, 20, seed=1))).astype(dtype)
    x[5] = x[77]
    of = points(x, metric)
    wide = x.astype("f8")
    expected = pdist(wide, metric)
    if metric in ("cosine", "correlation"):  # SciPy's own 1 - cosine cancels
        rows = wide - wide.mean(1, keepdims=True) if metric == "correlation" else wide
        expected = pdist(rows / np.linalg.norm(rows, axis=1, keepdims=True), "sqeuclidean") / 2
    # 1 - cosine loses digits down to the squared distance at which differences take over, a product of a block down to
    # the share of the squared lengths at which its pairs are computed one by one.
    one = 2 * tolerance.inner(20) / 1e-6
    digits = one + tolerance.inner(20, dtype) / _distances.CANCELLED[np.dtype(dtype).itemsize]
    i, j = np.triu_indices(90, 1)
    np.testing.assert_allclose(pair_distances(of, i, j), expected, rtol=one, atol=1e-15)
    np.testing.assert_allclose(condensed(of), expected, rtol=digits, atol=1e-15)
    full = distance_matrix(of)
    assert (full == full.T).all() and not full.diagonal().any()
    assert (full[np.triu_indices(90, 1)] == condensed(of)).all()
    np.testing.assert_allclose(distance_block(of, (4, 9), (2, 80)), full[4:9, 2:80], rtol=digits, atol=1e-15)
    assert full[5, 77] == 0


def test_tight_clusters_far_apart_keep_their_digits_in_float32():
    x = np.repeat(100 * normal(2, 30), 200, axis=0) + 0.01 * normal(400, 30, seed=1)
    x = x.astype("f4")
    np.testing.assert_allclose(condensed(points(x, "euclidean")), pdist(x.astype("f8")), rtol=1e-5)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.filterwarnings("ignore:.*components of.*:RuntimeWarning")
class TestEveryMeasure:
    def options(self, name):
        return {"k": 5} if name in NEIGHBOUR else {}

    def test_equal_representations_are_alike(self, name):
        x, _ = correlated()
        found = MEASURES[name](x, x, **self.options(name))
        assert type(found) is float
        assert found == pytest.approx(0.0 if name == "rsm_norm_difference" else 1.0, abs=1e-12)

    def test_torch_tensors_give_the_same(self, name):
        torch = pytest.importorskip("torch")
        for dtype, digits in (("f8", 1e-9), ("f4", 1e-4)):
            x, y = (z.astype(dtype) for z in correlated())
            x[3] = x[8]
            y[4] = 0
            expected = MEASURES[name](x, y, **self.options(name))
            found = MEASURES[name](torch.from_numpy(x), torch.from_numpy(y), **self.options(name))
            assert type(found) is float
            assert found == pytest.approx(expected, rel=digits)

    def test_half_precision_and_whole_numbers_are_read(self, name):
        x, y = correlated()
        x, y = np.round(4 * x), np.round(4 * y)
        expected = MEASURES[name](x, y, **self.options(name))
        for dtype in (np.float16, np.int8, np.int64, np.float32):
            found = MEASURES[name](x.astype(dtype), y.astype(dtype), **self.options(name))
            assert found == pytest.approx(expected, rel=1e-4)

    @pytest.mark.parametrize("size", [2.0**-126, 1e-30, 1e30, 1e37])
    def test_float32_near_overflow_and_underflow(self, name, size):
        x, y = correlated()
        expected = MEASURES[name](x.astype("f4"), y.astype("f4"), **self.options(name))
        if name == "rsm_norm_difference":
            assert rsm_norm_difference((x * size).astype("f4"), (y * size).astype("f4")) == pytest.approx(
                expected * size, rel=1e-3
            )
            return
        found = MEASURES[name]((x * size).astype("f4"), (y / 3 * size).astype("f4"), **self.options(name))
        assert found == pytest.approx(expected, abs=2e-4)

    def test_the_extremes_of_float64(self, name):
        x, y = correlated()
        if name == "rsm_norm_difference":
            assert rsm_norm_difference(x * 1e150, y * 1e150) == pytest.approx(1e150 * rsm_norm_difference(x, y))
            return
        expected = MEASURES[name](x, y, **self.options(name))
        assert MEASURES[name](x * 1e200, y * 1e-200, **self.options(name)) == pytest.approx(expected, rel=1e-9)

    def test_inputs_are_left_as_they_were(self, name):
        x, y = correlated()
        before = x.copy(), y.copy()
        MEASURES[name](x, y, **self.options(name))
        assert (x == before[0]).all() and (y == before[1]).all()

    def test_order_of_the_objects_does_not_matter(self, name):
        x, y = correlated()
        order = np.random.default_rng(0).permutation(60)
        expected = MEASURES[name](x, y, **self.options(name))
        assert MEASURES[name](x[order], y[order], **self.options(name)) == pytest.approx(expected, rel=1e-12)

    def test_both_orders_of_the_sides(self, name):
        x, y = correlated()
        difference = MEASURES[name](x, y, **self.options(name)) - MEASURES[name](y, x, **self.options(name))
        assert abs(difference) > 1e-3 if name == "pwcca" else abs(difference) < 1e-12

    def test_errors_name_what_is_wrong(self, name):
        x, y = correlated()
        measure = MEASURES[name]
        with pytest.raises(ValueError, match="x has 60 rows and y has 59"):
            measure(x, y[1:])
        with pytest.raises(ValueError, match=r"y\[2, 1\] is NaN"):
            broken = y.copy()
            broken[2, 1] = np.nan
            measure(x, broken)
        with pytest.raises(ValueError, match="at least"):
            measure(x[:1], y[:1])
        if name not in NEIGHBOUR and name != "rsm_norm_difference":
            with pytest.raises(ValueError, match="^y: .*(undefined|constant)"):
                measure(x, np.full((60, 3), 0.1))

    def test_few_rows(self, name):
        for n in (2, 3):
            x, y = normal(n, 4), normal(n, 5, seed=1)
            refused = n == 2 and name == "rsa"
            if "unbiased" in name or refused:
                with pytest.raises(ValueError, match="x has . rows; this measure needs at least"):
                    MEASURES[name](x, y)
            else:
                assert math.isfinite(MEASURES[name](x, y, **({"k": 1} if name in NEIGHBOUR else {})))


@pytest.mark.filterwarnings("ignore:.*components of.*:RuntimeWarning")
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(12, 30),
    p=st.integers(3, 35),
    q=st.integers(3, 35),
    scale=st.floats(1e-3, 1e3),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_rotation_scale_and_translation_change_nothing(seed, n, p, q, scale, dtype):
    x, y = (z.astype(dtype) for z in correlated(n, p, q, seed=seed))
    rotated = (x @ orthogonal(p, seed)).astype(dtype)
    moved = (scale * rotated + normal(p, seed=seed + 7)).astype(dtype)
    digits = 1e-7 if dtype == "f8" else 3e-2 if n <= p + 2 else 3e-3
    for measure in (cca, svcca, cka, cka_rbf, cka_unbiased, distance_correlation, distance_correlation_unbiased):
        assert measure(moved, y) == pytest.approx(measure(x, y), abs=digits), measure.__name__
    if p + q < n:  # otherwise some correlations are 1 by necessity, and their weights not unique
        assert pwcca(y, moved) == pytest.approx(pwcca(y, x), abs=digits)
    assert rsm_norm_difference(rotated + rotated[0], y) == pytest.approx(rsm_norm_difference(x, y), rel=1e-3)
    assert rsa(moved, y, distance="euclidean") == pytest.approx(rsa(x, y, distance="euclidean"), abs=0.02)
    if dtype == "f8":
        for measure in (jaccard, mutual_knn, rank_similarity, second_order_cosine):
            near = measure(moved, y, k=4, metric="euclidean")
            if measure is not second_order_cosine:
                assert near == pytest.approx(measure(x, y, k=4, metric="euclidean"), abs=1e-12)
            assert measure(scale * rotated, y, k=4) == pytest.approx(measure(x, y, k=4), abs=1e-9)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_rsa_sees_no_scale_no_common_shift_and_no_order_of_features(seed, scale, shift):
    x, y = correlated(20, seed=seed)
    order = np.random.default_rng(seed).permutation(x.shape[1])
    assert rsa(scale * x[:, order] + shift, y) == pytest.approx(rsa(x, y), abs=1e-9)


@pytest.mark.filterwarnings("ignore:.*components of.*:RuntimeWarning")
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), n=st.integers(6, 25), p=st.integers(2, 30), q=st.integers(2, 30))
def test_values_stay_in_their_ranges(seed, n, p, q):
    x, y = normal(n, p, seed=seed), np.random.default_rng(seed).integers(0, 3, (n, q)).astype(float)
    y[0] = 1 - y[1]
    y[2] = y[1] + np.eye(q)[0]
    for name in MEASURES.keys() - {"rsm_norm_difference"}:
        value = MEASURES[name](x, y, **({"k": 3} if name in NEIGHBOUR else {}))
        lowest = -1 if name in ("rsa", "cka_unbiased", "distance_correlation_unbiased") else 0
        assert lowest <= value <= 1, name


def test_distances_obey_the_triangle_inequality_in_norm_difference():
    x, y, z = normal(20, 3), normal(20, 5, seed=1), normal(20, 4, seed=2)
    for norm in ("frobenius", "spectral"):
        a, b, c = (rsm_norm_difference(u, v, norm=norm) for u, v in ((x, y), (y, z), (x, z)))
        assert c <= a + b


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, y: svcca(x, y, keep=1.5), "keep is 1.5"),
        (lambda x, y: svcca(x, y, components=7), "components is 7; it must be between 1 and 6 .the rank of x is 6"),
        (lambda x, y: pwcca(x, y, weights="both"), "weights is 'both'"),
        (lambda x, y: pwcca(x[:6], y[:6], weights="svcca-release"), "x has shape .6, 6."),
        (lambda x, y: cka(x, y, kernel="cosine"), "kernel is 'cosine'"),
        (lambda x, y: cka(x, y, kernel="rbf", bandwidth=0), "bandwidth is 0"),
        (lambda x, y: cka(x, y, kernel=lambda z: z), "kernel.x. has shape .60, 6."),
        (lambda x, y: cka(x, y, kernel=lambda z: z @ np.roll(z, 1, 0).T), "kernel.x. is not symmetric"),
        (lambda x, y: cka(x, y, kernel=lambda z: np.ones((60, 60))), "nothing is left"),
        (lambda x, y: cka_unbiased(np.eye(60), y), "nothing is left"),
        (lambda x, y: distance_correlation_unbiased(np.eye(60), y), "equally far"),
        (lambda x, y: cka_rbf(np.eye(60)[:, :5], y), "median distance is 0"),
        (lambda x, y: rsa(x, y, distance="nonsense"), "distance is 'nonsense'"),
        (lambda x, y: rsa(x, y, compare="kendall"), "compare is 'kendall'"),
        (lambda x, y: rsa(x[:, :1], y), "x: all distances"),
        (lambda x, y: rsm_norm_difference(x, y, norm="nuclear"), "norm is 'nuclear'"),
        (lambda x, y: mantel_test(x, y, alternative="both"), "alternative is 'both'"),
        (lambda x, y: mantel_test(x, y, n_permutations=0), "permutations is 0"),
        (lambda x, y: jaccard(x, y, k=60), "k is 60; it must be between 1 and 59"),
        (lambda x, y: mutual_knn(x, y, k=0), "k is 0"),
        (lambda x, y: rank_similarity(x, y, metric="manhattan"), "metric is 'manhattan'"),
        (lambda x, y: second_order_cosine(x, y, of="angle"), "of is 'angle'"),
        (lambda x, y: second_order_cosine(x, y, of="similarity", metric="euclidean"), "needs metric"),
    ],
)
def test_wrong_options_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(*correlated())
