"""Replacement of coordinates: by hand on small cases, what never changes it, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from helpers.ensembles import GreedyReplacement, QualityReplacement, load_ensemble, select
from helpers.ensembles.replacing import importances
from helpers.quality import rankme
from helpers.similarity.cka import cka

SCHEDULES_TRIED = ("constant", "harmonic")
BOTH = [GreedyReplacement(0.5), QualityReplacement(0.5, 0.5, quality="rankme")]


def spread(seed=0, n=60):
    """Three representations whose coordinates have known variances: the first is the fullest."""
    x = np.random.default_rng(seed).normal(size=(n, 12))
    x = np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(n)  # uncorrelated, variance 1, mean 0
    return {
        "full": x[:, :4] * [1.0, 0.9, 0.8, 0.7],
        "other": x[:, 4:8] * [0.1, 2.0, 0.2, 1.5],
        "half": np.hstack([x[:, :2] * [1.1, 1.0], x[:, 8:10] * 0.5]),
    }


def test_the_start_may_be_the_one_that_agrees_most_with_all_others():
    layers = spread()
    layers["echo"] = 2 * layers["half"] + 0.01 * layers["other"]
    means = {
        name: np.mean([cka(x, other) for its, other in layers.items() if its != name]) for name, x in layers.items()
    }
    fitted = GreedyReplacement(p=0.6, start="agreement").fit(layers)
    assert fitted.start_ == max(means, key=means.get) != GreedyReplacement(p=0.6).fit(layers).start_


def scaled(x):
    x = x - x.mean(axis=0)
    return x / np.sqrt(np.mean(x**2))


# Without labels


def test_steps_by_hand():
    layers = spread()
    fitted = GreedyReplacement(p=0.6).fit(layers)
    assert fitted.start_ == "full" == max(layers, key=lambda name: rankme(layers[name]))
    # "other" shares nothing with "full": CKA 0, gain 1, ⌊4 · 0.6 · 1⌋ = 2 coordinates, the two of highest variance.
    first = fitted.steps_.iloc[0]
    assert first.candidate == "other" and first.replaced == 2
    assert np.isclose(first.gain, 1) and np.isclose(first.cka, 0, atol=tolerance.apart(len(layers["full"])))
    now = scaled(layers["full"])
    now[:, [3, 2]] = scaled(layers["other"])[:, [1, 3]]
    second = fitted.steps_.iloc[1]
    alike = cka(now, layers["half"])
    assert second.candidate == "half" and np.isclose(second.cka, alike)
    assert second.replaced == int(4 * 0.6 * (1 - alike)) == 1
    # The lowest variance of the current one is now that of "full" 1, and the highest of "half" its coordinate 0.
    assert np.argmin(now.var(axis=0)) == 1
    taken = int(np.argmax(scaled(layers["half"]).var(axis=0)))
    assert fitted.origins_.to_numpy().tolist() == [["full", 0], ["half", taken], ["other", 3], ["other", 1]]
    now[:, 1] = scaled(layers["half"])[:, taken]
    assert np.allclose(fitted.transform(layers), now)
    assert fitted.weights_.to_dict() == {"full": 0.25, "other": 0.5, "half": 0.25}


def test_the_result_is_columns_of_the_input_shifted_and_scaled():
    layers, new = spread(), spread(1)
    fitted = GreedyReplacement(p=0.6).fit(layers)
    out = fitted.transform(new)
    for position, (name, coordinate) in fitted.origins_.iterrows():
        i = list(layers).index(name)
        column = (new[name][:, coordinate] - layers[name][:, coordinate].mean()) / np.sqrt(layers[name].var(0).mean())
        assert np.allclose(out[:, position], column)
        assert np.isclose(fitted.scales_[i], np.sqrt(layers[name].var(axis=0).mean()))


def test_the_inverse_gain_without_a_cap_replaces_at_least_the_share_p_and_never_more_than_there_is():
    layers = spread()
    fitted = GreedyReplacement(0.5, gain="inverse", capped=False).fit(layers)
    assert np.allclose(fitted.steps_["gain"], 1 / np.maximum(fitted.steps_["cka"], np.finfo(float).tiny))
    assert fitted.steps_["replaced"].between(2, 4).all()
    assert fitted.steps_["replaced"].iloc[0] == 4  # nothing in common: everything goes


def test_the_share_p_caps_what_a_step_replaces():
    layers = spread()
    fitted = GreedyReplacement(0.5, gain="inverse").fit(layers)
    assert (fitted.steps_["gain"] >= 1).all() and (fitted.steps_["replaced"] == 2).all()  # half of four columns
    free, held = (GreedyReplacement(0.5, capped=capped).fit(layers) for capped in (False, True))
    pd.testing.assert_frame_equal(free.steps_, held.steps_)  # 1 - CKA never exceeds 1


@pytest.mark.parametrize(
    ("schedule", "weights"),
    [
        ("constant", [1, 1, 1]),
        ("harmonic", [1, 1 / 2, 1 / 3]),
        ("halving", [1, 1 / 2, 1 / 4]),
        (lambda t: t % 2, [1, 0]),
    ],
)
def test_the_step_decides_with_the_score_how_many_are_replaced(schedule, weights):
    rng = np.random.default_rng(0)
    layers = {str(i): rng.normal(size=(80, 40)) * np.linspace(2, 1, 40) for i in range(4)}
    for gain in ("complement", "inverse"):
        fitted = GreedyReplacement(0.6, gain=gain, schedule=schedule).fit(layers)
        scores = fitted.steps_["score"].to_numpy()
        expected = np.floor(40 * 0.6 * np.minimum(1, scores * weights[: len(scores)]) + 1e-9)
        assert fitted.steps_["replaced"].tolist() == expected.tolist() and len(scores) == len(weights)
        once = GreedyReplacement(0.6, gain=gain, schedule=schedule, steps=1).fit(layers)
        pd.testing.assert_frame_equal(fitted.up_to(1).steps_, once.steps_)


def test_a_schedule_holds_for_the_replacement_with_quality_too():
    layers = {name: x for name, x in spread().items() if x.shape[1] > 1}
    options = {"p": 1.0, "alpha": 0.0, "importance": "variance"}
    quality = dict(zip(layers, (1.0, 0.9, 0.8, 0.7), strict=False))
    plain, falling = (QualityReplacement(schedule=s, **options).fit(layers, quality=quality) for s in SCHEDULES_TRIED)
    width = layers[plain.start_].shape[1]
    for fitted, weights in ((plain, [1, 1]), (falling, [1, 1 / 2])):
        for step, weight in zip(range(1, len(fitted.steps_) + 1), weights, strict=False):
            row = fitted.steps_.loc[step]
            varying = layers[row["candidate"]].shape[1]
            assert row["replaced"] == min(varying, int(width * row["score"] * weight + 1e-9))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"schedule": "falling"}, ValueError, "schedule is 'falling'; it is one of constant, harmonic, halving"),
        ({"schedule": lambda t: -1}, ValueError, "schedule gave -1 for step 1"),
        ({"schedule": lambda t: None}, ValueError, "schedule gave None for step 1"),
        ({"capped": "yes"}, TypeError, "capped is 'yes'; it is True or False"),
    ],
)
def test_schedules_and_caps_that_make_no_sense_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        GreedyReplacement(**options).fit(spread())


def test_each_candidate_comes_once_however_unlike_it_still_is():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 10)) * np.linspace(2, 1, 10)
    layers = {"start": x, "odd": rng.normal(size=(200, 10)), "twin": x + 0.1 * rng.normal(size=x.shape)}
    fitted = GreedyReplacement(p=0.11, start=lambda z, y: float(np.array_equal(z, x))).fit(layers)
    assert fitted.start_ == "start" and fitted.steps_["replaced"].tolist() == [1, 0]
    now = fitted.up_to(1).transform(layers)  # one column of ten has come in
    assert cka(now, layers["odd"]) < cka(now, layers["twin"])
    assert fitted.steps_["candidate"].tolist() == ["odd", "twin"]


def test_copies_replace_nothing_and_that_is_the_end():
    x = np.random.default_rng(0).normal(size=(40, 5))
    fitted = GreedyReplacement(0.9).fit(
        {"x": x, "turned": x @ np.linalg.qr(np.ones((5, 5)) + np.eye(5))[0], "twice": 2 * x}
    )
    assert fitted.steps_["replaced"].tolist() == [0]
    assert set(fitted.origins_["representation"]) == {fitted.start_}


def test_rows_and_scale_of_a_representation_decide_nothing():
    layers = spread()
    plain = GreedyReplacement(0.5, start=lambda x, y: x.shape[1]).fit(layers)
    moved = GreedyReplacement(0.5, start=lambda x, y: x.shape[1]).fit({n: 7 * x + 3 for n, x in layers.items()})
    order = np.random.default_rng(0).permutation(60)
    mixed = GreedyReplacement(0.5, start=lambda x, y: x.shape[1]).fit({n: x[order] for n, x in layers.items()})
    for other in (moved, mixed):
        pd.testing.assert_frame_equal(other.origins_, plain.origins_)
    assert np.allclose(moved.transform({n: 7 * x + 3 for n, x in layers.items()}), plain.transform(layers))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 999), st.floats(0.05, 1), st.integers(2, 5))
def test_the_width_stays_and_no_coordinate_comes_twice(seed, p, count):
    rng = np.random.default_rng(seed)
    layers = {str(i): rng.normal(size=(20, int(rng.integers(1, 7)))) for i in range(count)}
    fitted = GreedyReplacement(p).fit(layers)
    width = layers[fitted.start_].shape[1]
    assert fitted.transform(layers).shape == (20, width) == (20, len(fitted.get_feature_names_out()))
    assert not fitted.origins_.duplicated().any()
    assert np.isclose(fitted.weights_.sum(), 1)


def test_a_constant_coordinate_leaves_first_and_never_comes():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30, 4))
    a[:, 2], b[:, :3] = 5, 1
    fitted = GreedyReplacement(1.0, start=lambda x, y: float(x[0, 2] == 5)).fit({"a": a, "b": b})
    assert fitted.steps_["replaced"].tolist() == [1]
    assert fitted.origins_.loc[2].tolist() == ["b", 3]


# With quality


def test_the_score_decides_who_comes_and_how_many():
    layers = spread()
    quality = {"full": 0.9, "other": 0.1, "half": 0.8}
    for alpha in (0.0, 0.5, 1.0):
        fitted = QualityReplacement(alpha, 1.0, importance="variance").fit(layers, quality=quality)
        gains = {name: 1 - cka(layers["full"], layers[name]) for name in ("other", "half")}
        scores = {name: alpha * gains[name] + (1 - alpha) * quality[name] for name in gains}
        first = fitted.steps_.iloc[0]
        assert first.candidate == max(scores, key=scores.get)
        assert np.isclose(first.score, scores[first.candidate])
        assert first.replaced == int(4 * scores[first.candidate] + 1e-9)


def test_importances_find_the_coordinates_that_tell_the_label():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    a, b = rng.normal(size=(2, 200, 4))
    a[:, 1] += 3 * y  # of the start only this coordinate is of use
    b[:, 2] += 3 * y
    b *= [1, 1, 0.1, 1]  # the useful one varies least, so that variance would leave it where it is
    fitted = QualityReplacement(0.0, 0.5, random_state=1).fit({"a": a, "b": b}, y, quality=[0.9, 0.8])
    origins = set(fitted.origins_.itertuples(index=False, name=None))
    assert fitted.steps_["replaced"].tolist() == [1]
    assert ("b", 2) in origins and ("a", 1) in origins
    by_variance = QualityReplacement(0.0, 0.5).fit({"a": a, "b": b}, quality=[0.9, 0.8])
    assert ("b", 2) not in set(by_variance.origins_.itertuples(index=False, name=None))


def test_without_labels_importance_is_variance():
    layers = spread()
    plain = QualityReplacement(1.0, 0.5).fit(layers, quality=[0.9, 0.1, 0.2])
    by_name = QualityReplacement(1.0, 0.5, importance="variance").fit(
        layers, np.arange(60) % 2, quality=[0.9, 0.1, 0.2]
    )
    unlabelled = GreedyReplacement(0.5).fit(layers)
    for fitted in (plain, by_name):
        pd.testing.assert_frame_equal(fitted.origins_, unlabelled.origins_)


def test_importances_are_the_same_again_and_know_numbers_from_classes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 5))
    for y in (x[:, 3] + 0.1 * rng.normal(size=150), np.where(x[:, 3] > 0, "yes", "no")):
        found = importances(x, y)
        assert found.argmax() == 3 and found.min() >= 0
        assert np.array_equal(found, importances(x, y))


# Along the steps


@pytest.mark.parametrize("estimator", BOTH, ids=lambda e: type(e).__name__)
def test_fewer_steps_are_a_prefix(estimator):
    layers, y = spread(), np.arange(60) % 3
    whole = clone(estimator).fit(layers, y)
    for steps in range(len(whole.steps_) + 1):
        short = whole.up_to(steps)
        again = clone(estimator).set_params(steps=steps).fit(layers, y)
        pd.testing.assert_frame_equal(short.origins_, again.origins_)
        pd.testing.assert_frame_equal(short.steps_, again.steps_)
        assert np.array_equal(short.transform(layers), again.transform(layers))
        assert short.get_params() == again.get_params() and short.weights_.equals(again.weights_)
    assert whole.up_to(0).used_ == [whole.start_]
    with pytest.raises(ValueError, match="steps is 9"):
        whole.up_to(9)


# Leakage, saving, scikit-learn


@pytest.mark.parametrize("estimator", BOTH, ids=lambda e: type(e).__name__)
def test_rows_are_transformed_one_by_one(estimator):
    layers, y = spread(), np.arange(60) % 3
    fitted = clone(estimator).fit(layers, y)
    alone = {name: x[10:11] for name, x in layers.items()}
    assert np.allclose(fitted.transform(layers)[10:11], fitted.transform(alone))
    assert fitted.transform({name: layers[name] for name in fitted.used_}) == pytest.approx(fitted.transform(layers))


@pytest.mark.parametrize("estimator", BOTH, ids=lambda e: type(e).__name__)
def test_a_saved_replacement_comes_back_with_its_steps(estimator, tmp_path):
    layers, y = {name: x.astype(np.float32) for name, x in spread().items()}, np.arange(60) % 3
    fitted = clone(estimator).fit(layers, y)
    loaded = load_ensemble(fitted.save(tmp_path / "r"))
    pd.testing.assert_frame_equal(loaded.steps_, fitted.steps_)
    pd.testing.assert_frame_equal(loaded.origins_, fitted.origins_)
    out = loaded.transform(layers)
    assert out.dtype == np.float32 and np.array_equal(out, fitted.transform(layers))
    assert loaded.up_to(1).origins_.equals(fitted.up_to(1).origins_)


def test_a_grid_of_alpha_p_and_steps():
    layers, y = spread(), np.arange(60) % 2
    grid = {"alpha": [0.0, 1.0], "p": [0.5], "steps": [0, 1]}
    found = select(QualityReplacement(), grid, lambda e: -len(e.used_), layers, y, quality=[0.9, 0.8, 0.7])
    assert found.estimator.steps == 0 and len(found.table) == 4


# Bad input


@pytest.mark.parametrize("p", [0, -0.1, 1.5, np.nan, "0.2", True, None])
def test_p_outside_its_range_is_refused(p):
    for make in (GreedyReplacement(p), QualityReplacement(0.5, p, quality=[1, 0, 0])):
        with pytest.raises(ValueError, match="^p is .*above 0 and at most 1"):
            make.fit(spread())


@pytest.mark.parametrize("alpha", [-0.1, 1.1, np.inf, "half", False])
def test_alpha_outside_its_range_is_refused(alpha):
    with pytest.raises(ValueError, match="^alpha is .*from 0 to 1"):
        QualityReplacement(alpha, quality=[1, 0, 0]).fit(spread())


@pytest.mark.parametrize("estimator", BOTH, ids=lambda e: type(e).__name__)
def test_what_cannot_be_replaced_is_refused(estimator):
    layers, y = spread(), np.arange(60) % 3
    fit = lambda data, labels=y: clone(estimator).fit(data, labels)  # noqa: E731
    with pytest.raises(ValueError, match="only 'full'; at least two"):
        fit({"full": layers["full"]})
    with pytest.raises(ValueError, match="'other' is constant"):
        fit(layers | {"other": np.full((60, 3), 0.1)})
    with pytest.raises(ValueError, match="'other': entry \\[7, 1\\] is NaN"):
        broken = layers["other"].copy()
        broken[7, 1] = np.nan
        fit(layers | {"other": broken})
    with pytest.raises(ValueError, match="59 rows"):
        fit(layers | {"other": layers["other"][1:]})
    with pytest.raises(ValueError, match="1 row"):
        fit({name: x[:1] for name, x in layers.items()}, y[:1])
    with pytest.raises(ValueError, match="gain is 'log'"):
        clone(estimator).set_params(gain="log").fit(layers, y)
    with pytest.raises(ValueError, match="steps is -1"):
        clone(estimator).set_params(steps=-1).fit(layers, y)
    with pytest.raises(NotFittedError):
        clone(estimator).steps_  # noqa: B018
    with pytest.raises(ValueError, match="expected"):
        fit(layers).transform({name: x[:, :1] for name, x in layers.items()})


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(59), r"y has shape \(59,\)"),
        (np.zeros(60), "one value only"),
        (np.r_[np.nan, np.arange(59.0)], r"y\[0\] is missing"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        QualityReplacement(quality=[1, 0, 0]).fit(spread(), y)


def test_qualities_and_importances_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="needs quality"):
        QualityReplacement().fit(spread())
    with pytest.raises(ValueError, match="lacks"):
        QualityReplacement().fit(spread(), quality={"full": 1.0})
    with pytest.raises(ValueError, match="importance gave shape"):
        QualityReplacement(p=1, quality=[1, 0, 0], importance=lambda x, y: np.ones(2)).fit(spread())
    with pytest.raises(ValueError, match="importance is 'trees'"):
        QualityReplacement(quality=[1, 0, 0], importance="trees").fit(spread())
