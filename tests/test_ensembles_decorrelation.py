"""Maps that lower dependence: values and gradients of the penalties, what is kept, leakage, repetition, bad input."""

import math

import numpy as np
import pandas as pd
import pytest
import tolerance
import torch
from scipy.spatial.distance import pdist
from sklearn.base import clone

from helpers.ensembles import decorrelation
from helpers.ensembles.decorrelation import PENALTIES, Decorrelator, load_decorrelator
from helpers.similarity.cka import cka, cka_rbf
from helpers.similarity.dependence import distance_correlation, distance_correlation_unbiased
from helpers.studies import decorrelation as study
from helpers.studies.decorrelation import map_settings, score_maps

SAME = {
    "modified_distance_correlation": distance_correlation_unbiased,
    "distance_correlation": distance_correlation,
    "cka": cka,
    "cka_rbf": cka_rbf,
}


@pytest.fixture(scope="module")
def pair():
    """Two representations that share two of their directions."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(300, 2))
    own = rng.normal(size=(2, 300, 2))
    return np.hstack([shared, own[0]]), np.hstack([shared, own[1]])


# Penalties


def test_every_penalty_has_its_measure():
    assert set(SAME) == set(PENALTIES)


@pytest.mark.parametrize("name", PENALTIES)
def test_the_value_is_that_of_the_measure(name):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(23, 3))
    y = np.hstack([x[:, :1] ** 2, rng.normal(size=(23, 4))])
    value = PENALTIES[name](torch.from_numpy(x), torch.from_numpy(y))
    # Sums over rows of sums over rows, of which centring leaves a part.
    assert value.shape == () and float(value) == pytest.approx(SAME[name](x, y), rel=near(x, y))
    single = PENALTIES[name](torch.from_numpy(x).float(), torch.from_numpy(y).float())
    assert float(single) == pytest.approx(float(value), rel=near(x, y, "float32"))


def near(x, y, dtype="float64"):
    left = max(np.linalg.norm(d) / np.linalg.norm(d - d.mean()) for d in map(pdist, (x, y)))
    return tolerance.apart(2 * len(x), dtype, condition=left)


@pytest.mark.parametrize("name", PENALTIES)
def test_the_gradient_is_the_numerical_one(name):
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.normal(size=(9, 3))).requires_grad_()
    y = torch.from_numpy(rng.normal(size=(9, 2))).requires_grad_()
    # Differences over 2e-6 are off by the square of that times a third derivative, and by u / 1e-6 = 1e-10.
    assert torch.autograd.gradcheck(PENALTIES[name], (x, y), eps=1e-6, atol=1e-6)
    (gradient,) = torch.autograd.grad(PENALTIES[name](x, y), x)
    step = torch.from_numpy(rng.normal(size=(9, 3)))
    small = 1e-6
    with torch.no_grad():
        measured = [SAME[name]((x + sign * small * step).numpy(), y.numpy()) for sign in (1, -1)]
    assert float((gradient * step).sum()) == pytest.approx(
        (measured[0] - measured[1]) / (2 * small), rel=1e-5
    )  # likewise


@pytest.mark.parametrize("name", PENALTIES)
def test_scale_and_rotation_change_nothing_and_have_no_gradient(name):
    rng = np.random.default_rng(3)
    x, y = (torch.from_numpy(rng.normal(size=(20, 3))) for _ in range(2))
    turn = torch.linalg.qr(torch.from_numpy(rng.normal(size=(3, 3))))[0]
    moved = 1e-3 * x @ turn + 5  # loses four of sixteen digits, and as many of the squares of distances
    assert float(PENALTIES[name](moved, y)) == pytest.approx(float(PENALTIES[name](x, y)), rel=1e-8)
    x = x.requires_grad_()
    (gradient,) = torch.autograd.grad(PENALTIES[name](x, y), x)
    size = float((gradient * x.detach()).abs().sum())
    assert abs(float((gradient * x.detach()).sum())) < tolerance.apart(20 * 20) * max(1, size)


@pytest.mark.parametrize("name", PENALTIES)
def test_rows_that_coincide_and_constants_give_finite_gradients(name):
    x = torch.tensor([[0.0, 1.0]] * 3 + [[1.0, 2.0], [3.0, 1.0], [0.5, 0.5]], requires_grad=True)
    y = torch.arange(12.0).reshape(6, 2) ** 2
    (gradient,) = torch.autograd.grad(PENALTIES[name](x, y), x)
    assert torch.isfinite(gradient).all()
    flat = torch.ones(6, 2, requires_grad=True)
    value = PENALTIES[name](flat, y)
    (gradient,) = torch.autograd.grad(value, flat)
    # Nothing over what keeps the denominator from 0.
    assert float(value.detach()) == pytest.approx(0, abs=1e-6) and torch.isfinite(gradient).all()


def test_batches_bias_one_distance_correlation_and_not_the_other():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 4000, 16))
    plain, modified = (
        np.mean(
            [float(PENALTIES[name](*(torch.from_numpy(z[i : i + 32]) for z in (x, y)))) for i in range(0, 4000, 32)]
        )
        for name in ("distance_correlation", "modified_distance_correlation")
    )
    assert plain > 0.4 and abs(modified) < 0.02


# The map


@pytest.mark.parametrize("penalty", PENALTIES)
def test_dependence_falls_on_rows_that_the_map_never_saw(pair, penalty):
    x, y = pair
    fitted = Decorrelator(penalty=penalty, epochs=30, hidden=(16,), batch=64, learning_rate=0.01)
    mapped = fitted.fit(x[:200], y[:200]).transform(x[200:])
    assert SAME[penalty](mapped, y[200:]) < 0.7 * SAME[penalty](x[200:], y[200:])
    values = [one["objective"] for one in fitted.history_]
    assert fitted.best_epoch_ == int(np.argmin(values)) and values[0] == fitted.history_[0]["dependence"]


def test_without_a_penalty_reconstruction_keeps_x_and_with_one_it_costs(pair):
    x, y = pair
    settings = {"keep": "reconstruction", "hidden": (), "epochs": 200, "patience": 200, "batch": 64}
    kept, lost = (Decorrelator(mu=mu, learning_rate=0.02, **settings).fit(x, y) for mu in (math.inf, 0.1))
    assert kept.history_[kept.best_epoch_]["kept"] < 0.05
    assert lost.history_[lost.best_epoch_]["kept"] > 3 * kept.history_[kept.best_epoch_]["kept"]
    assert distance_correlation_unbiased(lost.transform(x), y) < distance_correlation_unbiased(kept.transform(x), y)


def test_labels_that_y_does_not_tell_are_kept_while_what_y_tells_is_forgotten(pair):
    x, y = pair
    labels = np.where(x[:, 2] > 0, "up", "down")  # a direction of x alone
    fitted = Decorrelator(keep="labels", mu=1.0, epochs=60, batch=64, learning_rate=0.01)
    mapped = fitted.fit(x, y, labels=labels).transform(x)
    assert fitted.history_[fitted.best_epoch_]["kept"] < 0.5 and fitted.classes_.tolist() == ["down", "up"]
    assert distance_correlation_unbiased(mapped, y) < 0.2 * distance_correlation_unbiased(x, y)


def test_the_same_seed_gives_the_same_map_and_leaves_torch_alone(pair):
    x, y = pair
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = (Decorrelator(epochs=3, random_state=seed).fit(x, y).transform(x) for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.allclose(first, other)
    assert torch.equal(torch.rand(3), expected)


def test_the_map_is_plain_arrays_that_can_be_saved(pair, tmp_path):
    x, y = pair
    labels = (x[:, 0] > 0).astype(int)
    fitted = Decorrelator(keep="labels", epochs=2, width=3, hidden=[5, 4]).fit(x, y, labels=labels)
    assert [weight.shape for weight, _ in fitted.layers_] == [(4, 5), (5, 4), (4, 3)]
    by_hand = (x.astype(np.float32) - fitted.center_) / fitted.scale_
    for i, (weight, bias) in enumerate(fitted.layers_):
        by_hand = (np.maximum(by_hand, 0) if i else by_hand) @ weight + bias
    off = tolerance.apart(5, "float32") * max(1, np.abs(by_hand).max())  # layers of at most five units
    assert np.allclose(fitted.transform(x), by_hand, rtol=0, atol=off) and fitted.transform(x).dtype == np.float32
    again = load_decorrelator(fitted.save(tmp_path / "map.npz"))
    assert np.array_equal(again.transform(x), fitted.transform(x)) and again.get_params() == fitted.get_params()
    assert again.best_epoch_ == fitted.best_epoch_ and again.classes_.tolist() == [0, 1]
    assert list(again.get_feature_names_out()) == ["decorrelator0", "decorrelator1", "decorrelator2"]
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    with pytest.raises(ValueError, match="does not hold a saved map"):
        load_decorrelator(tmp_path / "other.npz")


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_whether_a_map_is_constant_does_not_depend_on_its_scale(scale):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60, 3))
    varied = study._dependence(scale * x, y, ["cka"], seed=0)
    constant = study._dependence(scale * (1 + 1e-9 * x), y, ["cka"], seed=0)
    assert varied["cka"] == pytest.approx(study._dependence(x, y, ["cka"], seed=0)["cka"]) and np.isnan(constant["cka"])


def test_a_clone_is_unfitted_and_constant_features_do_no_harm(pair):
    x, y = pair
    fitted = Decorrelator(epochs=1).fit(np.hstack([x, np.ones((300, 1))]), y)
    assert np.isfinite(fitted.transform(np.hstack([x, 2 * np.ones((300, 1))]))).all()
    assert not hasattr(clone(fitted), "layers_")


# The study


@pytest.fixture(scope="module")
def clients(pair):
    x, y = pair
    rng = np.random.default_rng(5)
    target = pd.Series(np.digitize(x[:, 0] + x[:, 2] + 0.5 * rng.normal(size=300), [-0.6, 0.6]))
    parts = pd.Series(rng.permutation(["train"] * 150 + ["validation"] * 50 + ["test"] * 100))
    return x, y, target, parts


SETTINGS = [{"keep": "nothing", "mu": 0.0}, {"keep": "labels", "mu": 1.0}, {"keep": "reconstruction", "mu": 1.0}]
QUICK = {"epochs": 5, "classifier": "logistic", "batch": 64}


def test_a_front_has_x_as_it_is_and_every_map(clients):
    found = score_maps(*clients, settings=SETTINGS, measures=["distance_correlation_unbiased"], **QUICK)
    assert found["keep"].tolist() == ["everything", "nothing", "labels", "reconstruction"]
    x, y, target, parts = clients
    test = (parts == "test").to_numpy()
    expected = distance_correlation_unbiased(x[test], y[test])
    single = near(x[test], y[test], "float32")
    assert found.loc[0, "distance_correlation_unbiased"] == pytest.approx(expected, rel=single)
    assert abs(found.loc[0, "chance_distance_correlation_unbiased"]) < 0.1
    assert found["accuracy_y"].nunique() == 1 and found.loc[0, "accuracy_union"] >= found.loc[0, "accuracy"] - 0.05


def test_no_test_target_and_no_test_row_changes_a_map(clients, monkeypatch):
    x, y, target, parts = clients
    maps = []
    fit = Decorrelator.fit

    def kept(self, *args, **options):
        maps.append(fit(self, *args, **options))
        return maps[-1]

    monkeypatch.setattr(Decorrelator, "fit", kept)
    test = (parts == "test").to_numpy()
    shuffled = target.copy()
    shuffled[test] = np.random.default_rng(0).permutation(target[test])
    away = np.where(test[:, None], 9.0, 1.0)
    for data in ((x, y, target), (x, y, shuffled), (x * away, y * away, target)):
        score_maps(*data, parts, settings=SETTINGS, measures=["cka"], **QUICK)
    for first, *others in zip(maps[:3], maps[3:6], maps[6:], strict=True):
        for other in others:
            assert first.best_epoch_ == other.best_epoch_
            assert all(
                np.array_equal(a, b)
                for one, two in zip(first.layers_, other.layers_, strict=True)
                for a, b in zip(one, two, strict=True)
            )


@pytest.mark.parametrize(("halved", "apart"), [("same", False), ("other", True)])
def test_halves_of_the_training_clients_train_maps_and_classifiers(clients, monkeypatch, halved, apart):
    import helpers.clients

    x, y, target, parts = clients
    fit, score, learnt, judged = Decorrelator.fit, helpers.clients.score, [], []

    def fitted(self, x, *args, **options):
        learnt.append({tuple(row) for row in x.round(4).tolist()})
        return fit(self, x, *args, **options)

    def scored(z, target, parts, **options):
        judged.append((parts == "train").to_numpy())
        assert (parts == "test").sum() == 100 and (parts == "validation").sum() == 50
        return score(z, target, parts, **options)

    monkeypatch.setattr(Decorrelator, "fit", fitted)
    monkeypatch.setattr(study, "score", scored)
    found = score_maps(
        *clients, settings=SETTINGS, measures=["cka"], halved=halved, also=["lightgbm"], **QUICK | {"epochs": 1}
    )
    rows = [{tuple(row) for row in x[which].astype(np.float32).round(4).tolist()} for which in judged]
    assert all(len(one) == 75 for one in (*learnt, *rows)) and all(one == learnt[0] for one in learnt)
    assert all(one.isdisjoint(learnt[0]) if apart else one == learnt[0] for one in rows)
    assert {"accuracy_lightgbm", "accuracy_union_lightgbm", "accuracy_y_lightgbm"} < set(found)
    assert set(found["halved"]) == {halved}


def test_a_front_knows_three_ways_to_halve(clients):
    with pytest.raises(ValueError, match="halved is 'both'"):
        score_maps(*clients, settings=SETTINGS, halved="both", **QUICK)


def test_designs_have_each_price_and_each_penalty():
    found = map_settings([0.1, 1.0], ["cka", "cka_rbf"], others=[0.1, 1.0])
    assert [one["penalty"] for one in found if one["keep"] == "nothing"] == ["cka", "cka_rbf"]
    assert [one["mu"] for one in found if one["penalty"] == "cka_rbf"] == [0.0, 0.1, 1.0]
    assert [one["mu"] for one in map_settings([0.1, 1.0], ["cka", "cka_rbf"])][-1] == 0.1
    assert sum(one["mu"] == math.inf for one in found) == 2


# Bad input

X = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({"penalty": "mutual"}, {}, "penalty is 'mutual'; it can be"),
        ({"keep": "all"}, {}, "keep is 'all'"),
        ({"mu": -1.0}, {}, "mu is -1.0"),
        ({"mu": math.nan}, {}, "mu is nan"),
        ({"mu": math.inf}, {}, "there is nothing to minimise"),
        ({"epochs": 0}, {}, "epochs is 0"),
        ({"batch": 2}, {}, "batch is 2"),
        ({"hidden": (0,)}, {}, "hidden is 0"),
        ({"width": 0}, {}, "width is 0"),
        ({"learning_rate": 0}, {}, "learning_rate is 0"),
        ({"validation": 1.0}, {}, "validation is 1.0"),
        ({"keep": "labels"}, {}, "no labels were given"),
        ({"keep": "labels"}, {"labels": np.ones(3)}, r"labels have shape \(3,\)"),
        ({"keep": "labels"}, {"labels": np.ones(40)}, "labels are all"),
        ({"keep": "labels"}, {"labels": np.r_[np.nan, np.ones(39)]}, r"labels\[0\] is missing"),
        ({}, {"y": X[:39]}, "x has 40 rows and y 39"),
        ({}, {"y": np.ones((40, 2))}, "y: every feature is constant"),
        ({}, {"y": np.where(X > 2, np.nan, X) if (X > 2).any() else X * np.nan}, "is NaN"),
        ({}, {"x": X[:10], "y": X[:10]}, "of which 8 would validate"),
        ({}, {"validation": (X[:, :2], X)}, "validation x has 2 features and x 3"),
        ({"keep": "labels"}, {"labels": np.arange(40) % 2, "validation": (X, X, np.arange(40))}, "a class that no"),
    ],
)
def test_bad_input_is_refused_and_named(parameters, arguments, message):
    given = {"x": X, "y": X} | arguments
    with pytest.raises(ValueError, match=message):
        Decorrelator(**parameters).fit(given.pop("x"), given.pop("y"), **given)


def test_other_features_and_divergence_are_told():
    fitted = Decorrelator(epochs=1).fit(X, X)
    with pytest.raises(ValueError, match="x has 2 features; expected 3"):
        fitted.transform(X[:, :2])
    with pytest.raises(FloatingPointError, match="the training diverged: the validation loss is"):
        Decorrelator(keep="reconstruction", learning_rate=1e30, epochs=3).fit(X, X)
    with pytest.raises(TypeError, match="penalty is a function"):
        Decorrelator(penalty=decorrelation.cka_loss, epochs=1).fit(X, X).save("nowhere.npz")


def test_importing_needs_no_torch():
    import subprocess
    import sys

    code = "import sys; import helpers.ensembles.decorrelation, helpers.quality; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
