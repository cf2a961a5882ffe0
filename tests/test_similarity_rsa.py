"""RSA, the Mantel test and differences of distance matrices against SciPy, with ties, and their invariances."""

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, spearmanr
from spaces import correlated, normal

from helpers.similarity._engine.levels import rank_scale
from helpers.similarity.matrices import similarity_matrix
from helpers.similarity.rsa import mantel_test, rsa, rsm_norm_difference


@pytest.mark.parametrize("distance", ["correlation", "cosine", "euclidean", "sqeuclidean", "cityblock", "chebyshev"])
def test_rsa_is_the_correlation_of_distances(distance):
    x, y = correlated(40)
    a, b = pdist(x, distance), pdist(y, distance)
    near = tolerance.apart(2 * 40, condition=max(np.linalg.norm(d) / np.linalg.norm(d - d.mean()) for d in (a, b)))
    assert rsa(x, y, distance=distance) == pytest.approx(spearmanr(a, b)[0], abs=near)
    assert rsa(x, y, distance=distance, compare="pearson") == pytest.approx(pearsonr(a, b)[0], abs=near)
    difference, near = squareform(a - b), tolerance.apart(2 * 40) * 2 * (np.linalg.norm(a) + np.linalg.norm(b))
    assert rsm_norm_difference(x, y, distance=distance) == pytest.approx(np.linalg.norm(difference), abs=near)
    spectral = rsm_norm_difference(x, y, distance=distance, norm="spectral")
    assert spectral == pytest.approx(np.linalg.norm(difference, 2), abs=near)


def test_spectral_norm_of_a_large_difference():
    x, y = normal(400, 3), normal(400, 5, seed=1)
    difference = squareform(pdist(x) - pdist(y))
    # Of a symmetric matrix an eigenvalue moves by no more than its errors, here shares of distances.
    near = tolerance.apart(400) * (np.linalg.norm(pdist(x)) + np.linalg.norm(pdist(y)))
    assert rsm_norm_difference(x, y, norm="spectral") == pytest.approx(np.linalg.norm(difference, 2), abs=near)


@pytest.mark.parametrize("distance", ["correlation", "cosine", "euclidean"])
def test_ties_of_distances_share_their_rank_whatever_the_blocks_and_the_precision(distance):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, size=(300, 4)).astype(float)
    y = (x + rng.integers(0, 2, size=x.shape))[:, ::-1]
    with np.errstate(invalid="ignore"):
        apart = [np.round(np.nan_to_num(pdist(z, distance), nan=1.0), 9) for z in (x, y)]
    value = rsa(x, y, distance=distance)
    assert value == pytest.approx(spearmanr(*apart)[0], abs=tolerance.apart(2 * 300))
    for kind in ("float32", "float64"):
        named = {"x": x.astype(kind), "w": rng.normal(size=(300, 5)), "y": y.astype(kind)}
        assert rsa(named["x"], named["y"], distance=distance) == value
        for rows in (32, 96, 300):
            matrix = similarity_matrix(named, "rsa", distance=distance, block_rows=rows, progress=False)
            assert matrix.loc["x", "y"] == value


def test_rsa_of_many_objects_by_a_metric_of_scipy():
    x, y = normal(1030, 2), normal(1030, 2, seed=1)
    apart = [pdist(z, "cityblock") for z in (x, y)]
    off = tolerance.apart(2 * 1030) + sum(of_near_ties(values) for values in apart)
    assert off < 1e-10  # with a wider bound the next line would say little
    assert rsa(x, y, distance="cityblock") == pytest.approx(spearmanr(*apart)[0], abs=off)


def of_near_ties(values):
    """By how much levels move a rank correlation: a tie of two moves two ranks by a half, of n in the other ranking."""
    near = np.diff(np.sort(values)) <= 2 / rank_scale(values.max())
    return 6 * np.count_nonzero(near) / len(values) ** 2


def test_rsa_gives_ties_their_mean_rank():
    x, y = np.random.default_rng(0).integers(0, 3, (2, 30, 2))
    expected = spearmanr(pdist(x), pdist(y))[0]
    near = tolerance.apart(2 * 30)
    assert rsa(x, y, distance="euclidean") == pytest.approx(expected, abs=near)
    assert rsa(x.astype("f4"), y.astype("f4"), distance="euclidean") == pytest.approx(expected, abs=near)


def test_mantel_null_is_rsa_of_shuffled_rows():
    x, y = correlated(12)
    found = mantel_test(x, y, n_permutations=5, rng=3)
    rng = np.random.default_rng(3)
    expected = [rsa(x[rng.permutation(12)], y) for _ in range(5)]
    assert found.null == pytest.approx(expected, abs=tolerance.apart(2 * 12))
    assert found.statistic == rsa(x, y)


def test_mantel_p_values_are_uniform_on_independent_data_and_small_on_related():
    p = [mantel_test(normal(8, 3, seed=s), normal(8, 3, seed=s + 500), n_permutations=39).p_value for s in range(150)]
    for level in (0.1, 0.3, 0.6):
        off = tolerance.of_a_share(level, len(p))
        assert np.mean(np.array(p) <= level) == pytest.approx(level, abs=off)
    x, y = correlated(30)
    assert mantel_test(x, y, n_permutations=99).p_value == 0.01
    assert mantel_test(x, y, n_permutations=99, alternative="less").p_value == 1.0


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_rsa_sees_no_scale_no_common_shift_and_no_order_of_features(seed, scale, shift):
    x, y = correlated(20, seed=seed)
    order = np.random.default_rng(seed).permutation(x.shape[1])
    assert rsa(scale * x[:, order] + shift, y) == pytest.approx(rsa(x, y), abs=tolerance.apart(2 * 20))  # no near ties


def test_distances_obey_the_triangle_inequality_in_norm_difference():
    x, y, z = normal(20, 3), normal(20, 5, seed=1), normal(20, 4, seed=2)
    for norm in ("frobenius", "spectral"):
        a, b, c = (rsm_norm_difference(u, v, norm=norm) for u, v in ((x, y), (y, z), (x, z)))
        assert c <= a + b
