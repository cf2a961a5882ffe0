"""Quadratic programs and the ensembles they weigh: fine grids, every support, problems by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from spaces import five_layers, five_qualities

from helpers.ensembles import QP, ClusterPCA, Greedy, MaskedQP, QPSelectionPCA, maximise

layers = pytest.fixture(five_layers)
given_quality = pytest.fixture(five_qualities)
# Systems of up to 300 equations with entries of the order of 1 and conditions up to some hundreds are solved to 1e-11;
# faces whose stationary points come from singular systems lose another digit or two.
SOLVED = 1e-11
few = settings(max_examples=25, deadline=None, derandomize=True)


def of_supports(q, s, lam):
    """The maximum over all faces of the simplex, from the stationary point of each."""
    s, best = (s + s.T) / 2, -np.inf
    for size in range(1, len(q) + 1):
        for inside in map(list, itertools.combinations(range(len(q)), size)):
            system = np.ones((size + 1, size + 1))
            system[:size, :size] = 2 * lam * s[np.ix_(inside, inside)]
            system[size, size] = 0
            w = np.linalg.lstsq(system, np.r_[q[inside], 1], rcond=None)[0][:size]
            if abs(w.sum() - 1) < 1e-9 and w.min() >= -1e-12:  # a singular system has no point there at all
                best = max(best, q[inside] @ w - lam * w @ s[np.ix_(inside, inside)] @ w)
    return best


def simplex_grid(size, steps):
    return np.array([w for w in itertools.product(range(steps + 1), repeat=size) if sum(w) == steps]) / steps


def problem(seed, size, definite):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(size, size))
    return rng.normal(size=size) / 2, a @ a.T / size if definite else a, rng.exponential()


@pytest.mark.parametrize(("size", "steps"), [(3, 100), (4, 40)])
@pytest.mark.parametrize("definite", [True, False])
def test_no_point_of_a_fine_grid_is_better(size, steps, definite):
    grid = simplex_grid(size, steps)
    for seed in range(10):
        q, s, lam = problem(seed, size, definite)
        values = grid @ q - lam * np.einsum("ni,ij,nj->n", grid, s, grid)
        solution = maximise(q, s, lam)
        slope = np.ptp(q) + 2 * lam * np.abs(s + s.T).max()
        assert values.max() <= solution.value + SOLVED
        assert solution.value <= values.max() + slope * size / steps
        assert np.isclose(solution.weights.sum(), 1) and solution.weights.min() >= 0


@few
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_a_concave_problem_is_solved_to_rounding_and_certified(seed, size):
    q, s, lam = problem(seed, size, True)
    solution = maximise(q, s, lam)
    slopes = q - 2 * lam * s @ solution.weights
    assert solution.concave and solution.gap < SOLVED
    assert slopes.max() - slopes @ solution.weights < SOLVED  # Karush-Kuhn-Tucker
    assert solution.value == pytest.approx(of_supports(q, s, lam), abs=SOLVED)


@few
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_any_problem_has_its_global_maximum_over_all_supports(seed, size):
    q, s, lam = problem(seed, size, False)
    solution, best = maximise(q, s, lam), of_supports(q, s, lam)
    assert solution.value == pytest.approx(best, abs=10 * SOLVED)
    assert solution.bound >= best - 10 * SOLVED
    # Branches closer than 1e-6 of the range of values are not parted; two bounds and the value, each side of 0.
    assert solution.gap < 3e-6 * (lam * np.abs(s).max() + np.ptp(q)) * 2


def test_duplicates_and_rank_deficient_similarities_are_solved():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 2))
    s = np.corrcoef(np.r_[a, a, a] @ rng.normal(size=(2, 30)))
    solution = maximise(np.tile(rng.normal(size=12), 3), s, 3.0)
    assert solution.concave and solution.gap < SOLVED


def test_hundreds_of_variables_are_certified():
    rng = np.random.default_rng(0)
    s = np.corrcoef(rng.normal(size=(200, 300)))
    q = rng.normal(size=200) / 10
    assert maximise(q, s, 5.0).gap < SOLVED
    s[:, :20] -= 0.3
    s[:20] -= 0.3
    relaxed = maximise(q, s - 0.9 * np.eye(200), 5.0)
    assert not relaxed.concave and relaxed.bound >= relaxed.value


@pytest.mark.parametrize("similar", [1.0, 0.3])
def test_two_layers_by_hand(similar):
    """With q = (a, b) and S = [[1, s], [s, 1]]: w1 = 1/2 + (a - b) / (4 λ (1 - s)), held to [0, 1]."""
    s = np.array([[1, similar], [similar, 1]])
    weights = maximise([0.62, 0.6], s, 0.1).weights
    expected = 1.0 if similar == 1 else 0.5 + 0.02 / (4 * 0.1 * 0.7)
    assert weights[0] == pytest.approx(expected)


def test_without_lambda_all_weight_is_on_the_first_best():
    assert maximise([0.1, 0.4, 0.4], np.eye(3), 0).weights.tolist() == [0, 1, 0]
    assert maximise([0.4, 0.4], np.ones((2, 2)), 1).value == pytest.approx(-0.6)


def test_program_data_are_checked():
    for q, s, lam, message in (
        ([1, 2], np.eye(3), 1, "shape"),
        ([1, np.nan], np.eye(2), 1, "NaN"),
        ([1, 2], np.eye(2), -1, "lam is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            maximise(q, s, lam)


@few
@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans(), st.booleans())
def test_the_masked_problem_is_solved_globally(seed, size, positive, diagonal):
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(size, size))
    s = np.abs(s + s.T) if positive else s + s.T
    q, lam = rng.integers(0, 4, size) / 4, float(rng.exponential())
    masked = np.array(
        [[s[i, j] if q[i] < q[j] or (diagonal and i == j) else 0 for j in range(size)] for i in range(size)]
    )
    fitted = MaskedQP(lam, diagonal=diagonal).fit(np.ones((2, size, 1)), quality=q, similarity=s)
    assert fitted.value_ == pytest.approx(of_supports(q, masked, lam), abs=100 * SOLVED)
    if positive and not diagonal:
        assert fitted.value_ == q.max() and fitted.gap_ == 0
        assert fitted.weights_.to_numpy() @ q == pytest.approx(q.max())


def test_slsqp_of_the_masked_problem_reports_what_it_misses(layers, given_quality):
    q = np.array([given_quality[name] for name in layers])
    s = np.full((5, 5), 0.3) + 0.7 * np.eye(5)
    local = MaskedQP(0.01, solver="slsqp").fit(layers, quality=q, similarity=s)
    best = MaskedQP(0.01).fit(layers, quality=q, similarity=s)
    assert best.gap_ == 0 and best.used_ == ["c"]
    assert local.value_ + local.gap_ == pytest.approx(best.value_)


def test_lambda_path_runs_from_the_best_layer_to_the_least_similar_mix(layers, given_quality):
    s = pd.DataFrame(np.eye(5), list("edcba"), list("edcba"))
    path = QP(0.1).fit(layers, quality=given_quality, similarity=s).lambda_path()
    assert path.columns.tolist() == list("abcde") and np.allclose(path.sum(axis=1), 1)
    assert path.iloc[0].to_dict() == {"a": 0, "b": 0, "c": 1, "d": 0, "e": 0}
    assert np.allclose(path.iloc[-1], 0.2, atol=0.01)  # equal weights are the limit, not the end of the path
    greedy = Greedy(2).fit(layers, quality=given_quality, similarity=s).lambda_path([0, 1])
    assert greedy.loc[0.0].to_dict() == pytest.approx({"a": 0, "b": 0, "c": 2 / 3, "d": 1 / 3, "e": 0})


def test_clusters_by_hand(layers):
    s = np.full((5, 5), 0.1)
    for group in ([0, 1], [2, 3, 4]):
        s[np.ix_(group, group)] = 0.9
    np.fill_diagonal(s, 1)
    fitted = ClusterPCA(2, width=8).fit(layers, similarity=s)
    assert fitted.groups_.tolist() == [0, 0, 1, 1, 1]
    a, b, c, d, e = layers.values()
    parts = np.sqrt(0.2) * np.hstack([(a + b) / 2, (c + d + e) / 3])
    ours = fitted.transform(layers)
    assert np.allclose(ours @ ours.T, (parts - parts.mean(0)) @ (parts - parts.mean(0)).T)
    q = [0.9, 0.1, 0.1, 0.1, 0.1]
    fitted = ClusterPCA(2, width=4, lam=0).fit(layers, quality=q, similarity=s)
    assert fitted.mixing_.tolist() == [[np.sqrt(0.5) / 2, np.sqrt(0.5) / 2, 0, 0, 0]]  # the other group has no weight


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 5])
def test_ties_between_clusters_still_give_the_groups_asked_for(layers, groups):
    fitted = ClusterPCA(groups).fit(layers, similarity=np.ones((5, 5)))
    assert sorted(set(fitted.groups_.tolist())) == list(range(groups))


def test_selection_concatenates_or_adds_roots_of_weights(layers):
    q, s = [0.9, 0.1, 0.5, 0.9, 0.1], np.eye(5)
    for combine, expected in (("concat", [[1, 0], [0, 1]]), ("sum", [[1, 1]])):
        fitted = QPSelectionPCA(0.2, 4, combine=combine).fit(layers, quality=q, similarity=s)
        assert fitted.weights_.tolist() == [0.5, 0, 0, 0.5, 0]
        assert np.allclose(fitted.mixing_[:, [0, 3]], np.sqrt(0.5) * np.array(expected))
        parts = [layers["a"], layers["d"]]
        raw = np.sqrt(0.5) * (np.hstack(parts) if combine == "concat" else sum(parts))
        peer = PCA(4).fit_transform(raw)
        assert np.allclose(np.abs(fitted.transform(layers)), np.abs(peer))


def test_weights_below_epsilon_are_dropped_and_the_rest_kept(layers):
    q = np.array([0.9, 0.0, 0.0, 0.0, 0.0])
    s = np.eye(5)
    weights = QP(0.46).fit(layers, quality=q, similarity=s).weights_
    kept = QPSelectionPCA(0.46, 2, epsilon=0.1).fit(layers, quality=q, similarity=s)
    assert 0 < weights["b"] < 0.1
    assert kept.weights_.tolist() == [weights["a"], 0, 0, 0, 0]
    with pytest.raises(ValueError, match="all weights are below epsilon = 0.3"):
        QPSelectionPCA(100, 2, epsilon=0.3).fit(layers, quality=q, similarity=s)
