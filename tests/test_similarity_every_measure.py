"""What every measure makes of its input: equal sides, types, extremes, few rows, bad data, rotations and scales."""

import math
from functools import partial

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import correlated, normal, random_pair, rotation

from helpers.similarity.cca import cca, pwcca, svcca
from helpers.similarity.cka import cka, cka_rbf, cka_unbiased
from helpers.similarity.dependence import distance_correlation, distance_correlation_unbiased
from helpers.similarity.graphs import geometry_score, imd
from helpers.similarity.matching import hard_correlation_match, soft_correlation_match
from helpers.similarity.matrices import similarity_matrix
from helpers.similarity.neighbours import jaccard, mutual_knn, rank_similarity, second_order_cosine
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

# Measures that compare distances, neighbours or covariances between objects.
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

# Measures that map, match or summarise; of few complexes, as only agreement is asked for.
FAST = {
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
} | {"geometry_score": partial(geometry_score, complexes=20, landmarks=8, gamma=0.2)}

each = pytest.mark.parametrize("name", FAST)


def near(x, y, dtype="float64"):
    """How far a measure may be off if sums go another way: over n objects, of sums over n objects, on such data."""
    return tolerance.apart(2 * len(x), dtype, condition=tolerance.condition(x, y))


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.filterwarnings("ignore:.*components of.*:RuntimeWarning")
class TestEveryMeasure:
    def options(self, name):
        return {"k": 5} if name in NEIGHBOUR else {}

    def test_equal_representations_are_alike(self, name):
        x, _ = correlated()
        found = MEASURES[name](x, x, **self.options(name))
        assert type(found) is float
        assert found == pytest.approx(0.0 if name == "rsm_norm_difference" else 1.0, abs=near(x, x))

    def test_torch_tensors_give_the_same(self, name):
        torch = pytest.importorskip("torch")
        for dtype in ("f8", "f4"):
            x, y = (z.astype(dtype) for z in correlated())
            x[3] = x[8]
            y[4] = 0
            expected = MEASURES[name](x, y, **self.options(name))
            found = MEASURES[name](torch.from_numpy(x), torch.from_numpy(y), **self.options(name))
            assert type(found) is float
            # Ranks, neighbours and what depends on the condition are found in double precision.
            assert found == pytest.approx(expected, rel=tolerance.apart(2 * 60, dtype))

    def test_half_precision_and_whole_numbers_are_read(self, name):
        x, y = correlated()
        x, y = np.round(4 * x), np.round(4 * y)
        expected = MEASURES[name](x, y, **self.options(name))
        for dtype in (np.float16, np.int8, np.int64, np.float32):
            found = MEASURES[name](x.astype(dtype), y.astype(dtype), **self.options(name))
            assert found == pytest.approx(expected, rel=tolerance.apart(2 * 60, "float32"))

    @pytest.mark.parametrize("size", [2.0**-126, 1e-30, 1e30, 1e37])
    def test_float32_near_overflow_and_underflow(self, name, size):
        x, y = correlated()
        expected = MEASURES[name](x.astype("f4"), y.astype("f4"), **self.options(name))
        # Products with such sizes are rounded again, to the smallest numbers too.
        off = tolerance.of_rounded(9, "float32", condition=tolerance.condition(x, y)) + tolerance.apart(120, "float32")
        if name == "rsm_norm_difference":
            assert rsm_norm_difference((x * size).astype("f4"), (y * size).astype("f4")) == pytest.approx(
                expected * size, rel=off
            )
            return
        found = MEASURES[name]((x * size).astype("f4"), (y / 3 * size).astype("f4"), **self.options(name))
        assert found == pytest.approx(expected, abs=off)

    def test_the_extremes_of_float64(self, name):
        x, y = correlated()
        if name == "rsm_norm_difference":
            assert rsm_norm_difference(x * 1e150, y * 1e150) == pytest.approx(1e150 * rsm_norm_difference(x, y))
            return
        expected = MEASURES[name](x, y, **self.options(name))
        assert MEASURES[name](x * 1e200, y * 1e-200, **self.options(name)) == pytest.approx(expected, rel=near(x, y))

    def test_inputs_are_left_as_they_were(self, name):
        x, y = correlated()
        before = x.copy(), y.copy()
        MEASURES[name](x, y, **self.options(name))
        assert (x == before[0]).all() and (y == before[1]).all()

    def test_order_of_the_objects_does_not_matter(self, name):
        x, y = correlated()
        order = np.random.default_rng(0).permutation(60)
        expected = MEASURES[name](x, y, **self.options(name))
        assert MEASURES[name](x[order], y[order], **self.options(name)) == pytest.approx(expected, rel=near(x, y))

    def test_both_orders_of_the_sides(self, name):
        x, y = correlated()
        difference = MEASURES[name](x, y, **self.options(name)) - MEASURES[name](y, x, **self.options(name))
        assert abs(difference) > 1e-3 if name == "pwcca" else abs(difference) < near(x, y)  # 1e-3: no rounding

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


@pytest.mark.parametrize("measure", [rsa, distance_correlation, distance_correlation_unbiased])
def test_many_equal_objects_are_refused_by_name(measure):
    x = normal(1100, 2)
    with pytest.raises(ValueError, match="y"):
        measure(x, np.ones_like(x))


def test_unbiased_estimators_are_near_zero_where_biased_ones_are_far_above():
    pairs = [(normal(40, 100, seed=s), normal(40, 100, seed=s + 100)) for s in range(20)]
    for biased, unbiased in ((cka, cka_unbiased), (distance_correlation, distance_correlation_unbiased)):
        assert np.mean([biased(x, y) for x, y in pairs]) > 0.6
        found = [unbiased(x, y) for x, y in pairs]
        off = tolerance.of_a_mean(np.std(found), 20)
        assert abs(np.mean(found)) < off < 0.1


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
    rotated = (x @ rotation(p, seed)).astype(dtype)
    moved = (scale * rotated + normal(p, seed=seed + 7)).astype(dtype)
    # A shift by a thousand spreads leaves 13 of 16 digits, or 4 of 7; data that are nearly square have conditions of
    # some hundreds, one digit of single precision more than others, and roots near 0 halve the digits that are left.
    digits = 1e-7 if dtype == "f8" else 3e-2 if n <= p + 2 else 3e-3
    for measure in (cca, svcca, cka, cka_rbf, cka_unbiased, distance_correlation, distance_correlation_unbiased):
        assert measure(moved, y) == pytest.approx(measure(x, y), abs=digits), measure.__name__
    if p + q < n:  # otherwise some correlations are 1 by necessity, and their weights not unique
        assert pwcca(y, moved) == pytest.approx(pwcca(y, x), abs=digits)
    # Of a difference of distances, which are of the order of 1 as it is; a rotation is rounded once.
    one = rsm_norm_difference(rotated + rotated[0], y)
    assert one == pytest.approx(rsm_norm_difference(x, y), rel=1e-3)
    # Distances of four digits at least: of the ranks of some hundred of them few change places, with neighbours.
    assert rsa(moved, y, distance="euclidean") == pytest.approx(rsa(x, y, distance="euclidean"), abs=0.02)
    if dtype == "f8":
        for measure in (jaccard, mutual_knn, rank_similarity, second_order_cosine):
            alike = measure(moved, y, k=4, metric="euclidean")
            if measure is not second_order_cosine:
                assert alike == pytest.approx(measure(x, y, k=4, metric="euclidean"), abs=tolerance.inner(n))
            assert measure(scale * rotated, y, k=4) == pytest.approx(measure(x, y, k=4), abs=near(x, y))


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
        single = near(a, b, "float32")
        assert measure(a.astype(np.float32), b.astype(np.float32)) == approximately(name, exact, single)
        assert measure(a.astype(np.float16), b.astype(np.float16)) == measure(a.astype("f4"), b.astype("f4"))
        assert measure(a.astype(np.float32), b) == approximately(name, exact, single)
        assert measure(np.asfortranarray(a), b[::-1][::-1]) == pytest.approx(exact, rel=near(a, b))


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
    # Numbers near 1e-43 are some 70 of the smallest: each is off by 0.7 %, the sum of seven of them by 5 % at most.
    rounded = tolerance.of_rounded(6, dtype, condition=tolerance.condition(x, y))
    rel = 0.05 if scale == 1e-43 else near(x, y, dtype) + rounded
    if name in SCALES_WITH_THE_DATA:
        assert value == pytest.approx(scale * expected, rel=rel)
    elif name == "uniformity_difference":
        assert value == pytest.approx(0, abs=tolerance.inner(30))  # all points apart, or all in one
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
        for dtype in (torch.float64, torch.float32, torch.bfloat16):  # which is computed in single precision
            a, b = (torch.tensor(z, device=device).to(dtype) for z in (x, y))
            rel = near(x, y, "float64" if dtype == torch.float64 else "float32")
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
    # Of spaces that fill all dimensions some distances are 0: the root of what rounding leaves.
    off = np.sqrt(near(x, y))
    for measure in SHARED[1:6]:
        assert measure(turned, y) == pytest.approx(measure(x, y), abs=off)
        assert measure(y, turned) == pytest.approx(measure(y, x), abs=off)
