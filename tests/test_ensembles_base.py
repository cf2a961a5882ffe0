import itertools
import json
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from helpers import ensembles
from helpers.ensembles import (
    QP,
    BestLayer,
    BestUnsupervised,
    CentredLast,
    ClusterPCA,
    ConcatPCA,
    Greedy,
    LastLayer,
    MaskedQP,
    MeanOfLastFour,
    MeanOfLayers,
    QPSelectionPCA,
    Representations,
    ScalarMix,
    WhitenedLast,
    maximise,
    select,
)
from helpers.quality import mean_cosine, rankme, stable_rank
from helpers.similarity.cka import cka

ALL = [
    LastLayer(),
    CentredLast(),
    WhitenedLast(0.5, width=2),
    BestLayer(),
    BestUnsupervised(),
    MeanOfLayers(),
    MeanOfLastFour(),
    ConcatPCA(3),
    QP(),
    QPSelectionPCA(width=3),
    QPSelectionPCA(width=3, combine="sum"),
    ClusterPCA(2, width=3),
    Greedy(2),
    MaskedQP(),
    MaskedQP(lam=1, solver="slsqp"),
    ScalarMix(),
]
few = settings(max_examples=25, deadline=None, derandomize=True)


def label(estimator):
    return repr(estimator).replace(" ", "")


@pytest.fixture
def layers():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(60, 4)) + i for i, name in enumerate("abcde")}


@pytest.fixture
def given_quality():
    return {"b": 0.6, "a": 0.5, "c": 0.8, "d": 0.7, "e": 0.65}


@pytest.fixture
def y():
    return np.arange(60) % 2


def of_supports(q, s, lam):
    """The maximum over all faces of the simplex, from the stationary point of each."""
    s, best = (s + s.T) / 2, -np.inf
    for size in range(1, len(q) + 1):
        for inside in map(list, itertools.combinations(range(len(q)), size)):
            system = np.ones((size + 1, size + 1))
            system[:size, :size] = 2 * lam * s[np.ix_(inside, inside)]
            system[size, size] = 0
            w = np.linalg.lstsq(system, np.r_[q[inside], 1], rcond=None)[0][:size]
            if abs(w.sum() - 1) < 1e-9 and w.min() >= -1e-12:
                best = max(best, q[inside] @ w - lam * w @ s[np.ix_(inside, inside)] @ w)
    return best


def simplex_grid(size, steps):
    return np.array([w for w in itertools.product(range(steps + 1), repeat=size) if sum(w) == steps]) / steps


def problem(seed, size, definite):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(size, size))
    return rng.normal(size=size) / 2, a @ a.T / size if definite else a, rng.exponential()


# Quadratic programs


@pytest.mark.parametrize(("size", "steps"), [(3, 100), (4, 40)])
@pytest.mark.parametrize("definite", [True, False])
def test_no_point_of_a_fine_grid_is_better(size, steps, definite):
    grid = simplex_grid(size, steps)
    for seed in range(10):
        q, s, lam = problem(seed, size, definite)
        values = grid @ q - lam * np.einsum("ni,ij,nj->n", grid, s, grid)
        solution = maximise(q, s, lam)
        slope = np.ptp(q) + 2 * lam * np.abs(s + s.T).max()
        assert values.max() <= solution.value + 1e-12
        assert solution.value <= values.max() + slope * size / steps
        assert np.isclose(solution.weights.sum(), 1) and solution.weights.min() >= 0


@few
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_a_concave_problem_is_solved_to_rounding_and_certified(seed, size):
    q, s, lam = problem(seed, size, True)
    solution = maximise(q, s, lam)
    slopes = q - 2 * lam * s @ solution.weights
    assert solution.concave and solution.gap < 1e-11
    assert slopes.max() - slopes @ solution.weights < 1e-11  # Karush-Kuhn-Tucker
    assert solution.value == pytest.approx(of_supports(q, s, lam), abs=1e-11)


@few
@given(st.integers(0, 10**6), st.integers(2, 6))
def test_any_problem_has_its_global_maximum_over_all_supports(seed, size):
    q, s, lam = problem(seed, size, False)
    solution, best = maximise(q, s, lam), of_supports(q, s, lam)
    assert solution.value == pytest.approx(best, abs=1e-10)
    assert solution.bound >= best - 1e-10
    assert solution.gap < 3e-6 * (lam * np.abs(s).max() + np.ptp(q)) * 2


def test_duplicates_and_rank_deficient_similarities_are_solved():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 2))
    s = np.corrcoef(np.r_[a, a, a] @ rng.normal(size=(2, 30)))
    solution = maximise(np.tile(rng.normal(size=12), 3), s, 3.0)
    assert solution.concave and solution.gap < 1e-11


def test_hundreds_of_variables_are_certified():
    rng = np.random.default_rng(0)
    s = np.corrcoef(rng.normal(size=(200, 300)))
    q = rng.normal(size=200) / 10
    assert maximise(q, s, 5.0).gap < 1e-11
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
    assert fitted.value_ == pytest.approx(of_supports(q, masked, lam), abs=1e-9)
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
    assert np.allclose(path.iloc[-1], 0.2, atol=0.01)
    greedy = Greedy(2).fit(layers, quality=given_quality, similarity=s).lambda_path([0, 1])
    assert greedy.loc[0.0].to_dict() == pytest.approx({"a": 0, "b": 0, "c": 2 / 3, "d": 1 / 3, "e": 0})


# The ensembles by hand


def test_greedy_by_hand():
    s = np.array([[1, 0.8, 0.1, 0.5], [0.8, 1, 0.2, 0.3], [0.1, 0.2, 1, 0.9], [0.5, 0.3, 0.9, 1]])
    q = [0.70, 0.69, 0.50, 0.60]
    fitted = Greedy(3, lam=0.5).fit([np.full((2, 1), float(i)) for i in range(4)], quality=q, similarity=s)
    # First 0. Then 0.69 - 0.4, 0.50 - 0.05, 0.60 - 0.25: 2. Then 0.69 - 0.5 * 0.5, 0.60 - 0.5 * 0.7: 1.
    assert fitted.order_ == ["0", "2", "1"]
    assert fitted.gains_ == pytest.approx([0.7, 0.45, 0.44])
    assert fitted.weights_.tolist() == pytest.approx([6 / 11, 2 / 11, 3 / 11, 0])
    assert fitted.transform(np.arange(4.0).reshape(1, 4, 1)) == pytest.approx(np.array([[8 / 11]]))


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


def test_last_best_and_means(layers, given_quality):
    assert np.array_equal(LastLayer().fit_transform(layers), layers["e"])
    assert np.array_equal(BestLayer().fit_transform(layers, quality=given_quality), layers["c"])
    assert np.allclose(MeanOfLayers().fit_transform(layers), sum(layers.values()) / 5)
    assert np.allclose(MeanOfLastFour().fit_transform(layers), (sum(layers.values()) - layers["a"]) / 4)
    assert np.allclose(CentredLast().fit_transform(layers), layers["e"] - layers["e"].mean(axis=0))


def test_best_without_labels_does_not_look_at_labels(layers, y):
    layers["c"] = np.random.default_rng(1).normal(size=(60, 4))

    def blind(x, labels):
        assert labels is None
        return stable_rank(x)

    for quality in (blind, "stable_rank", "isotropy"):
        assert BestUnsupervised(quality).fit(layers, y, quality=[1, 0, 0, 0, 0]).used_ in (["c"], ["a"])


@pytest.mark.parametrize("whiten", [0, 0.5, 1])
def test_whitening_strength_is_the_power_taken_off_the_variance(layers, whiten):
    scaled = {"x": layers["a"] * [1, 2, 5, 9]}
    variance = np.var(WhitenedLast(whiten).fit_transform(scaled), axis=0, ddof=1)
    raw = np.sort(np.linalg.eigvalsh(np.cov(scaled["x"].T)))[::-1]
    assert np.allclose(variance, raw ** (1 - whiten))


def test_normalisation_uses_statistics_of_the_training_rows(layers):
    one = {"x": np.c_[layers["a"], np.full(60, 3.7)]}
    new = {"x": np.c_[2 * layers["b"] + 1, np.full(60, 4.7)]}
    mean, deviation = one["x"].mean(0), one["x"].std(0)
    deviation[-1] = 1
    for kind, expected in {
        None: new["x"],
        "center": new["x"] - mean,
        "standardize": (new["x"] - mean) / deviation,
        "unit": new["x"] / np.linalg.norm(new["x"], axis=1, keepdims=True),
    }.items():
        assert np.allclose(LastLayer(normalize=kind).fit(one).transform(new), expected)
    assert np.all(LastLayer(normalize="standardize").fit_transform(one)[:, -1] == 0)
    assert np.all(LastLayer(normalize="unit").fit_transform([np.zeros((2, 3))]) == 0)


def test_narrower_representations_are_padded_only_if_asked():
    data = {"wide": np.ones((3, 4)), "narrow": np.ones((3, 2))}
    with pytest.raises(ValueError, match="'narrow' is 2 wide and 'wide' 4"):
        MeanOfLayers().fit(data)
    assert MeanOfLayers(align="pad").fit_transform(data).tolist() == [[1, 1, 0.5, 0.5]] * 3
    assert QP(0).fit(data, quality=[0, 1], similarity=np.eye(2)).transform(data).shape == (3, 2)


# Principal axes


@pytest.mark.parametrize("n", [8, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_principal_axes_agree_with_scikit_learn_and_have_fixed_signs(n, dtype):
    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6)) + 50).astype(dtype) for _ in range(3)]
    fitted = ConcatPCA(5).fit(data)
    ours, peer = fitted.transform(data), PCA(5).fit(np.hstack(data).astype(np.float64))
    tolerance = 1e-9 if dtype == np.float64 else 1e-3
    assert ours.dtype == dtype and fitted.axes_.total == pytest.approx(
        peer.explained_variance_.sum() / sum(peer.explained_variance_ratio_), rel=1e-5
    )
    assert np.allclose(np.abs(fitted.axes_.components), np.abs(peer.components_.T), atol=tolerance)
    assert np.allclose(fitted.axes_.variance, peer.explained_variance_, rtol=1e-4)
    peaks = np.abs(fitted.axes_.components).argmax(axis=0)
    assert np.all(fitted.axes_.components[peaks, range(5)] > 0)
    assert np.array_equal(ours, clone(fitted).fit_transform(data))


def test_blocks_of_rows_give_what_one_piece_gives(monkeypatch, layers):
    whole = {label(e): clone(e).fit_transform(layers) for e in (ConcatPCA(3), CentredLast(), WhitenedLast())}
    monkeypatch.setattr(Representations, "starts", lambda self, width: [(i, min(i + 7, 60)) for i in range(0, 60, 7)])
    for estimator in (ConcatPCA(3), CentredLast(), WhitenedLast()):
        assert np.allclose(whole[label(estimator)], estimator.fit_transform(layers), atol=1e-12)


def test_default_width_is_the_widest_or_what_varies(layers):
    assert ConcatPCA().fit_transform(layers).shape == (60, 4)
    assert ConcatPCA().fit_transform({name: x[:4] for name, x in layers.items()}).shape == (4, 3)
    flat = {"x": layers["a"] @ np.diag([1, 1, 0, 0])}
    assert WhitenedLast().fit_transform(flat).shape == (60, 2)
    with pytest.raises(ValueError, match="only 2 directions vary"):
        WhitenedLast(width=3).fit(flat)
    with pytest.raises(ValueError, match="width is 21 but 60 rows of 20 combined features"):
        ConcatPCA(21).fit(layers)
    with pytest.raises(ValueError, match="nothing varies"):
        ConcatPCA().fit([np.ones((5, 3))])


def test_memory_maps_are_read_in_blocks(tmp_path):
    n, rng = 60_000, np.random.default_rng(0)
    block = rng.normal(size=(n, 32)).astype(np.float32)
    data = {}
    for name in "abcdefgh":
        np.save(tmp_path / f"{name}.npy", block)
        data[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        block = np.roll(block, 1, axis=0)
    whole = 8 * block.nbytes
    tracemalloc.start()
    fitted = ConcatPCA(2, normalize="center").fit(Representations(data)[np.arange(0, n)])
    fitted.transform(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < whole / 2


# As scikit-learn estimators


@pytest.mark.parametrize("estimator", ALL, ids=label)
def test_rows_are_transformed_alike_alone_and_together(estimator, layers, given_quality, y):
    fitted = clone(estimator).fit(layers, y, quality=given_quality, similarity=np.eye(5))
    together = fitted.transform(layers)
    some = fitted.transform({name: x[10:20] for name, x in layers.items()})
    assert np.allclose(together[10:20], some, atol=1e-12)
    assert together.shape == (60, len(fitted.get_feature_names_out()))
    assert fitted.weights_.index.tolist() == list("abcde")
    assert fitted.transform({name: layers[name] for name in fitted.used_}) == pytest.approx(together)


@pytest.mark.parametrize("estimator", ALL, ids=label)
def test_parameters_survive_a_clone(estimator):
    twin = clone(estimator)
    assert repr(twin.get_params()) == repr(estimator.get_params())
    assert not hasattr(twin, "weights_")
    with pytest.raises(NotFittedError):
        twin.transform(np.ones((3, 5, 2)))
    for name, value in estimator.get_params().items():
        assert twin.set_params(**{name: value}).get_params()[name] is value


@pytest.mark.parametrize("estimator", ALL, ids=label)
def test_what_was_learnt_is_arrays_and_plain_values(estimator, layers, given_quality, y):
    fitted = clone(estimator).fit(layers, y, quality=given_quality, similarity=np.eye(5))
    learnt = {k: v for k, v in vars(fitted).items() if k.endswith("_")}
    learnt["normalizer_"] = fitted.normalizer_._asdict()
    learnt["axes_"] = None if fitted.axes_ is None else fitted.axes_._asdict()
    json.dumps(learnt, default=np.ndarray.tolist)


def test_the_same_representations_in_every_form(layers):
    torch = pytest.importorskip("torch")
    plain = np.stack(list(layers.values()), axis=1)
    expected = MeanOfLayers().fit_transform(layers)
    for form in (
        list(layers.values()),
        plain,
        torch.tensor(plain),
        {name: torch.tensor(x) for name, x in layers.items()},
        {name: pd.DataFrame(x) for name, x in layers.items()},
        Representations(layers),
        Representations(plain)[np.ones(60, dtype=bool)],
    ):
        assert np.allclose(MeanOfLayers().fit_transform(form), expected)
    half = {name: torch.tensor(x).to(torch.bfloat16) for name, x in layers.items()}
    assert LastLayer().fit_transform(half).dtype == np.float32


def test_rows_of_representations_are_selected_as_in_numpy(layers):
    data = Representations(layers)
    assert len(data) == 60 and data.shape == (60, 20)
    for rows in (slice(5, 50, 3), [4, 2, 2], np.arange(60) % 2 == 0, -1):
        twice = data[rows][::-1]
        expected = np.atleast_2d(layers["b"][rows])[::-1]
        assert np.array_equal(twice.block(1), expected)
        assert np.array_equal(data[rows, ...].block(1), expected[::-1])
    with pytest.raises(IndexError, match="only objects"):
        data[:, 0]


def test_rules_for_quality_and_similarity_see_only_the_training_rows(layers, y):
    seen = []

    def separation(x, labels):
        seen.append((len(x), len(labels)))
        return float(np.abs(x[labels == 1].mean(0) - x[labels == 0].mean(0)).max())

    layers["d"][y == 1] += 4
    pipeline = make_pipeline(QP(0.01, quality=separation, similarity=cka), LogisticRegression())
    scores = cross_val_score(pipeline, Representations(layers), y, cv=3)
    assert scores.min() > 0.9 and set(seen) == {(40, 40)}
    stacked = np.stack(list(layers.values()), axis=1)
    assert np.array_equal(scores, cross_val_score(clone(pipeline), stacked, y, cv=3))


@pytest.mark.parametrize("estimator", ALL, ids=label)
def test_every_ensemble_works_in_a_pipeline(estimator, layers, y):
    estimator = clone(estimator)
    if "quality" in estimator.get_params() and estimator.quality is None:
        estimator.set_params(quality="rankme")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = cross_val_score(make_pipeline(estimator, LogisticRegression()), Representations(layers), y, cv=2)
    assert np.isfinite(scores).all()


def test_grid_search_and_pandas_output_work(layers, y):
    pipeline = make_pipeline(Greedy(quality="rankme"), LogisticRegression())
    search = GridSearchCV(pipeline, {"greedy__k": [1, 2], "greedy__lam": [0, 1]}, cv=2, error_score="raise")
    assert search.fit(Representations(layers), y).best_params_.keys() == {"greedy__k", "greedy__lam"}
    frame = MeanOfLayers().set_output(transform="pandas").fit_transform(layers)
    assert frame.columns.tolist() == [f"meanoflayers{i}" for i in range(4)]


def test_quality_and_similarity_are_aligned_by_name(layers, given_quality):
    rng = np.random.default_rng(0)
    s = np.corrcoef(rng.normal(size=(5, 9)))
    frame = pd.DataFrame(s, list("abcde"), list("abcde"))
    order = list("dbace")
    q = pd.Series(given_quality)
    expected = QP(0.2).fit(layers, quality=[0.5, 0.6, 0.8, 0.7, 0.65], similarity=s).weights_
    for shuffled in (frame.loc[order, order], frame.loc[order]):
        assert QP(0.2).fit(layers, quality=q[order], similarity=shuffled).weights_.equals(expected)


def test_similarity_by_name_is_the_measure(layers, given_quality):
    fitted = QP().fit(layers, quality=given_quality)
    assert fitted.similarity_[0, 3] == pytest.approx(cka(layers["a"], layers["d"]))


def test_select_takes_the_first_best_and_computes_rules_once(layers):
    calls = []

    def rule(x, y):
        calls.append(len(x))
        return x.mean()

    chosen, table = select(
        Greedy(quality=rule, similarity=lambda x, y: 1.0),
        {"k": [1, 2, 3], "lam": [0.0, 0.1]},
        lambda e: min(e.k, 2),
        layers,
    )
    assert (chosen.k, chosen.lam) == (2, 0.0) and calls == [60] * 5
    assert table.score.tolist() == [1, 1, 2, 2, 2, 2] and table.lam.tolist() == [0, 0.1] * 3
    with pytest.raises(ValueError, match="k is 9") as error:
        select(Greedy(), {"k": [9]}, lambda e: 0, layers, quality=np.ones(5))
    assert error.value.__notes__ == ["with {'k': 9}"]
    for grid, message in (({}, "empty"), ({"kk": [1]}, "grid names \\['kk'\\]")):
        with pytest.raises(ValueError, match=message):
            select(Greedy(), grid, lambda e: 0, layers)
    with pytest.raises(ValueError, match="score of {'last': 2} is nan"):
        select(MeanOfLayers(), {"last": [2]}, lambda e: np.nan, layers)


# Learned weights


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_gradient_of_the_head_loss_is_that_of_finite_differences(kind):
    from scipy.optimize import check_grad

    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 20) if kind == "classification" else rng.normal(size=20)
    loss = ensembles.scalar_mix._HeadLoss(rng.normal(size=(3, 20, 4)), y, kind, 1.0)
    theta = rng.normal(size=loss.size)
    assert check_grad(lambda t: loss(t)[0], lambda t: loss(t)[1], theta) < 1e-5


def test_gradient_of_the_pair_loss_is_that_of_finite_differences_and_its_value_the_correlation():
    from scipy.optimize import check_grad

    rng = np.random.default_rng(0)
    stack, pairs, y = rng.normal(size=(3, 30, 4)), rng.integers(0, 30, (15, 2)), rng.normal(size=15)
    loss = ensembles.scalar_mix._PairLoss(lambda rows: stack[:, rows], pairs, y)
    logits = rng.normal(size=3)
    assert check_grad(lambda t: loss(t)[0], lambda t: loss(t)[1], logits) < 1e-6
    mix = np.tensordot(np.exp(logits) / np.exp(logits).sum(), stack, 1)
    mix /= np.linalg.norm(mix, axis=1, keepdims=True)
    cosine = np.sum(mix[pairs[:, 0]] * mix[pairs[:, 1]], axis=1)
    assert loss(logits)[0] == pytest.approx(1 - np.corrcoef(cosine, y)[0, 1])


def test_scalar_mix_finds_the_layer_with_the_signal(layers, y):
    rng = np.random.default_rng(1)
    signal = rng.normal(size=60)
    for target, informative in ((y, 4.0 * y), (np.array(["no", "yes"])[y], 4.0 * y), (signal, 2 * signal)):
        data = {name: x - x.mean(0) for name, x in layers.items()}
        data["b"] = data["b"] + informative[:, None]
        fitted = ScalarMix().fit(data, target)
        assert fitted.converged_ and fitted.weights_.idxmax() == "b" and fitted.weights_["b"] > 0.4
    pairs = rng.integers(0, 60, (200, 2))
    unit = data["b"] / np.linalg.norm(data["b"], axis=1, keepdims=True)
    fitted = ScalarMix().fit(data, np.sum(unit[pairs[:, 0]] * unit[pairs[:, 1]], axis=1), pairs=pairs)
    assert fitted.weights_["b"] > 0.99 and fitted.loss_ < 1e-3
    assert fitted.weights_.equals(clone(fitted).fit(data, fitted_target(unit, pairs), pairs=pairs).weights_)
    assert ScalarMix(max_rows=40).fit(data, y).weights_.sum() == pytest.approx(1)


def fitted_target(unit, pairs):
    return np.sum(unit[pairs[:, 0]] * unit[pairs[:, 1]], axis=1)


# Qualities without labels


def test_qualities_without_labels_by_hand():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9000, 7)) * np.arange(1, 8)
    values = np.linalg.svd(x, compute_uv=False)
    share = values / values.sum()
    assert rankme(x, epsilon=0) == pytest.approx(np.exp(-np.sum(share * np.log(share))), rel=1e-12)
    assert rankme(3 * x) == pytest.approx(rankme(x)) and 1 <= rankme(x) <= 7
    assert stable_rank(x) == pytest.approx(np.sum(values**2) / values[0] ** 2)
    small = x[:50]
    unit = small / np.linalg.norm(small, axis=1, keepdims=True)
    assert mean_cosine(small) == pytest.approx((unit @ unit.T)[np.triu_indices(50, 1)].mean())
    assert rankme(np.outer(np.arange(1, 5), np.ones(3)), epsilon=0) == pytest.approx(1)
    with pytest.raises(ValueError, match="zero everywhere"):
        rankme(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="row 1 is zero"):
        mean_cosine([[1.0, 2.0], [0.0, 0.0]])


# Bad input

NAN = np.array([0.1, np.nan, 0.1, 0.1, 0.1])
SKEW = np.eye(5) + np.triu(np.full((5, 5), 0.1), 1)


@pytest.mark.parametrize(
    ("estimator", "fit", "message"),
    [
        (QP(), {}, "QP needs quality"),
        (QP(), {"quality": [1, 2]}, r"quality has shape \(2,\); one number for each of 5"),
        (QP(), {"quality": NAN}, "quality of 'b' is not finite"),
        (QP(), {"quality": {"a": 1, "b": 1, "z": 2}}, r"lacks \['c', 'd', 'e'\] and has \['z'\] besides"),
        (QP(quality="accuracy"), {}, "label-free qualities are rankme"),
        (QP(-1), {"quality": np.ones(5)}, "lam is -1"),
        (QP(np.nan), {"quality": np.ones(5)}, "lam is nan"),
        (QP(), {"quality": np.ones(5), "similarity": np.eye(4)}, r"shape \(4, 4\); \(5, 5\) is needed"),
        (QP(), {"quality": np.ones(5), "similarity": SKEW}, "not symmetric: 'a' to 'b' is 0.1 and back 0"),
        (QP(), {"quality": np.ones(5), "similarity": np.diag(NAN)}, "similarity of 'b' and 'b' is not finite"),
        (
            QP(),
            {"quality": np.ones(5), "similarity": pd.DataFrame(np.eye(5), list("abcdx"), list("abcdx"))},
            "similarity has rows .* exactly",
        ),
        (
            QP(similarity="procrustes"),
            {"quality": np.ones(5)},
            "similarity is 'procrustes'; the symmetric similarities",
        ),
        (QP(normalize="l2"), {"quality": np.ones(5)}, "normalize is 'l2'"),
        (QP(align="crop"), {"quality": np.ones(5)}, "align is 'crop'"),
        (Greedy(6), {"quality": np.ones(5)}, r"k is 6; it must be between 1 and 5 \(5 representations\)"),
        (ClusterPCA(6), {}, "n_clusters is 6; it must be between 1 and 5"),
        (ClusterPCA(2, linkage="ward"), {}, "linkage is 'ward'"),
        (MeanOfLayers(6), {}, "last is 6"),
        (ConcatPCA(0), {}, "width is 0"),
        (ConcatPCA(2, whiten=2), {}, "whiten is 2"),
        (QPSelectionPCA(combine="mean"), {"quality": np.ones(5)}, "combine is 'mean'"),
        (QPSelectionPCA(epsilon=1), {"quality": np.ones(5)}, "epsilon is 1"),
        (MaskedQP(solver="best"), {"quality": np.ones(5)}, "solver is 'best'"),
        (ScalarMix(), {}, "ScalarMix needs y"),
        (ScalarMix(), {"y": np.ones(60)}, "one value only"),
        (ScalarMix(), {"y": np.ones(59)}, r"y has shape \(59,\); one value for each of 60 rows"),
        (ScalarMix(), {"y": np.r_[np.nan, np.ones(59)]}, r"y\[0\] is not finite"),
        (ScalarMix(), {"y": [0.0, 1.0], "pairs": [[0, 1], [2, 60]]}, "pairs has row 60; rows are 0 to 59"),
        (ScalarMix("pairs"), {"y": np.arange(60)}, "pairs are missing"),
        (ScalarMix("huber"), {"y": np.arange(60)}, "objective is 'huber'"),
    ],
)
def test_bad_parameters_and_inputs_say_what_is_expected(estimator, fit, message, layers):
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(layers, **fit)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({}, ValueError, "empty"),
        (np.ones((3, 4)), TypeError, r"ndarray of shape \(3, 4\); a mapping"),
        ("layers", TypeError, "is a str"),
        ({"a": np.ones(3)}, ValueError, r"'a' has shape \(3,\)"),
        ({"a": np.ones((3, 0))}, ValueError, "neither of them 0"),
        ({"a": np.ones((3, 1)), "b": np.ones((2, 1))}, ValueError, "'b' has 2 rows and 'a' has 3"),
        ({1: np.ones((3, 1)), "1": np.ones((3, 1))}, ValueError, "two representations are called '1'"),
        ({"a": np.array([["x"]])}, TypeError, "'a' has dtype <U1"),
        ({"a": np.array([[1.0], [np.nan]])}, ValueError, r"'a': entry \[1, 0\] is NaN"),
        ({"a": np.array([[np.inf], [1.0]], dtype=np.float32)}, ValueError, r"entry \[0, 0\] is infinite"),
    ],
)
def test_bad_representations_are_named(data, error, message):
    with pytest.raises(error, match=message):
        MeanOfLayers().fit_transform(data)


def test_the_row_of_a_bad_entry_is_that_of_the_array(layers):
    layers["b"][33, 2] = np.nan
    with pytest.raises(ValueError, match=r"'b': entry \[33, 2\] is NaN"):
        MeanOfLayers().fit_transform(Representations(layers)[20:][5:])


def test_transform_refuses_other_names_order_or_widths(layers, given_quality):
    fitted = BestLayer().fit(layers, quality=given_quality)
    with pytest.raises(ValueError, match=r"expected \['a', .*'e'\] in this order, as in fit, or only .* \['c'\]"):
        fitted.transform({name: layers[name] for name in "bacde"})
    with pytest.raises(ValueError, match=r"representations are \['0'"):
        fitted.transform(list(layers.values()))
    with pytest.raises(ValueError, match="'c' is 3 wide; expected 4"):
        fitted.transform({"c": layers["c"][:, :3]})


def test_program_data_are_checked():
    for q, s, lam, message in (
        ([1, 2], np.eye(3), 1, "shape"),
        ([1, np.nan], np.eye(2), 1, "NaN"),
        ([1, 2], np.eye(2), -1, "lam is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            maximise(q, s, lam)
