"""Alignments: what they minimise, what they undo, what never changes them, and what is refused."""

import numpy as np
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from helpers.ensembles import (
    QP,
    ConcatPCA,
    GeneralizedProcrustes,
    MeanOfLayers,
    MultisetCCA,
    OrthogonalProcrustes,
    Representations,
    SharedAutoencoder,
    SharedLinearAutoencoder,
    load_ensemble,
)
from helpers.similarity.cca import cca

ALL = [
    OrthogonalProcrustes(),
    GeneralizedProcrustes(),
    MultisetCCA(),
    SharedLinearAutoencoder(),
    SharedAutoencoder(hidden=8, epochs=5),
]
name_of = {"ids": lambda estimator: type(estimator).__name__}


def rotated_copies(count=4, n=80, p=5, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.arange(1, p + 1)
    turns = ortho_group.rvs(p, size=count, random_state=seed)
    return x, {str(i): x @ turn + noise * rng.normal(size=x.shape) + i for i, turn in enumerate(turns)}


def mixed_widths(n=60, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 2))
    return {
        name: np.hstack([shared, rng.normal(size=(n, p - 2))]) @ rng.normal(size=(p, p)) + 3
        for name, p in (("three", 3), ("five", 5), ("four", 4))
    }


# What alignment is for


def test_a_copy_turned_around_cancels_and_alignment_brings_it_back():
    x = np.random.default_rng(0).normal(size=(50, 3))
    x -= x.mean(axis=0)
    assert np.allclose(MeanOfLayers().fit_transform([x, -x]), 0)
    for estimator in ALL[:2]:
        z = clone(estimator).fit_transform([x, -x])
        assert np.isclose(np.linalg.norm(z), np.sqrt(3 * 49))
        turn, _ = orthogonal_procrustes(z, x)
        expected = x * np.linalg.norm(z) / np.linalg.norm(x)
        assert np.allclose(z @ turn, expected, rtol=0, atol=tolerance.apart(50) * np.linalg.norm(expected))


@pytest.mark.parametrize("estimator", ALL[:4], **name_of)
def test_noisy_copies_add_up_only_after_alignment(estimator):
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    x = rng.normal(size=(300, 6)) * 0.5
    x[:, 0] += y
    turns = ortho_group.rvs(6, size=8, random_state=1)
    copies = {str(i): x @ turn + 0.8 * rng.normal(size=x.shape) for i, turn in enumerate(turns)}
    train, test = ({name: c[rows] for name, c in copies.items()} for rows in (slice(200), slice(200, None)))

    def accuracy(ensemble):
        model = LogisticRegression().fit(ensemble.fit(train).transform(train), y[:200])
        return model.score(ensemble.transform(test), y[200:])

    assert accuracy(clone(estimator).set_params(width=6)) > accuracy(MeanOfLayers()) + 0.03


# Procrustes


def test_procrustes_is_that_of_scipy():
    a, b = (x for x in rotated_copies(2, noise=0.5)[1].values())
    fitted = OrthogonalProcrustes(reference="0").fit({"0": a, "1": b})
    scaled = [(x - x.mean(0)) / np.sqrt(x.var(axis=0, ddof=1).mean()) for x in (a, b)]
    turn, _ = orthogonal_procrustes(scaled[1], scaled[0])
    assert np.allclose(fitted.transform({"0": a, "1": b}), (scaled[0] + scaled[1] @ turn) / 2)
    assert fitted.reference_ == "0" and np.allclose(fitted.means_[1], b.mean(axis=0))


def test_the_most_central_representation_is_the_reference():
    x, copies = rotated_copies(3, noise=0.1)
    copies["stranger"] = np.random.default_rng(9).normal(size=x.shape)
    first = {"stranger": copies.pop("stranger")} | copies
    assert OrthogonalProcrustes().fit(first).reference_ != "stranger"


def test_maps_of_procrustes_are_orthogonal_with_zeros_for_missing_features():
    layers = mixed_widths()
    for estimator in (OrthogonalProcrustes(), GeneralizedProcrustes()):
        fitted = estimator.fit(layers)
        for a, (name, x) in zip(fitted.maps_, layers.items(), strict=True):
            assert a.shape == (x.shape[1], 5)
            scale = np.sqrt(x.var(axis=0, ddof=1).sum() / 5)
            assert np.allclose(a @ a.T * scale**2, np.eye(len(a))), name


def test_padding_by_hand_changes_nothing():
    layers = mixed_widths()
    padded = {name: np.pad(x - x.mean(0), ((0, 0), (0, 5 - x.shape[1]))) for name, x in layers.items()}
    # As far as rounds lower it at all, where zeros and maps of zeros add nothing.
    here, there = (GeneralizedProcrustes(tol=0, max_iter=500).fit(data).objective_[-1] for data in (layers, padded))
    assert np.isclose(here, there, rtol=0, atol=tolerance.apart(60) * 3 * 5)


def test_a_narrow_common_space_is_reached_by_principal_axes():
    layers = mixed_widths()
    fitted = OrthogonalProcrustes(reference="five", width=2).fit(layers)
    code = fitted.aligned(layers)["five"]
    axes = ConcatPCA(2).fit_transform({"five": layers["five"]})
    assert np.allclose(np.abs(np.corrcoef(code.T, axes.T)[:2, 2:]), np.eye(2), rtol=0, atol=near(layers["five"]))


def near(x, width=2):
    """How far the first axes may turn: by the gaps of the eigenvalues of moments."""
    values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    return tolerance.apart(len(x), condition=values[0] / np.min(values[:width] - values[1 : width + 1]))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 999), st.floats(0, 3), st.integers(2, 5))
def test_no_round_of_generalised_procrustes_raises_the_objective(seed, noise, count):
    _, copies = rotated_copies(count, 30, 4, noise, seed)
    fitted = GeneralizedProcrustes(tol=0, max_iter=30).fit(copies)
    slack = 1e-12 * count * 4
    assert (np.diff(fitted.objective_) <= slack).all()
    codes = np.array(list(fitted.aligned(copies).values()))
    by_hand = np.sum((codes - codes.mean(axis=0)) ** 2) / (len(codes[0]) - 1)
    assert np.isclose(fitted.objective_[-1], by_hand, rtol=0, atol=tolerance.apart(30 * 4) * count * 4)
    assert fitted.objective_[0] <= count * 4 + slack


def test_generalised_procrustes_undoes_rotations_and_scales():
    x, copies = rotated_copies()
    fitted = GeneralizedProcrustes().fit({name: (1 + int(name)) * c for name, c in copies.items()})
    total = len(copies) * x.shape[1]
    assert fitted.converged_ and fitted.objective_[-1] < tolerance.apart(len(x)) * total
    codes = list(fitted.aligned({name: (1 + int(name)) * c for name, c in copies.items()}).values())
    off = tolerance.apart(len(x), condition=tolerance.condition(x)) * np.linalg.norm(codes[0])
    assert all(np.allclose(code, codes[0], rtol=0, atol=off) for code in codes)


# Canonical correlation


def test_two_sets_give_canonical_correlations():
    layers = mixed_widths()
    two = {name: layers[name] for name in ("three", "five")}
    fitted = MultisetCCA(3, ridge=0).fit(two)
    assert np.isclose(fitted.correlations_.mean(), cca(*two.values()))
    a, b = fitted.aligned(two).values()
    for k in range(3):
        assert np.isclose(np.corrcoef(a[:, k], b[:, k])[0, 1], fitted.correlations_[k])


def test_invertible_maps_change_no_canonical_variate():
    layers = mixed_widths()
    rng = np.random.default_rng(1)
    moved = {name: x @ rng.normal(size=(x.shape[1],) * 2) - 5 for name, x in layers.items()}
    here, there = (MultisetCCA(2, ridge=0).fit(data) for data in (layers, moved))
    assert np.allclose(here.correlations_, there.correlations_)
    a, b = here.transform(layers), there.transform(moved)
    off = tolerance.apart(60, condition=tolerance.condition(*layers.values(), *moved.values()) ** 2)
    size = np.linalg.norm(a, 2) ** 2
    assert np.allclose(a @ a.T, b @ b.T, rtol=0, atol=off * size)  # two correlations are 1: their variates may turn


def test_the_mean_variance_of_the_variates_is_one():
    layers = mixed_widths()
    codes = np.array(list(MultisetCCA(4, ridge=0).fit(layers).aligned(layers).values()))
    assert np.allclose(codes.var(axis=1, ddof=1).mean(axis=0), 1)


def test_a_ridge_makes_cca_possible_with_few_rows():
    few = {name: x[:4] for name, x in mixed_widths().items()}
    for estimator in (MultisetCCA(2, ridge=0), SharedLinearAutoencoder(2, ridge=0)):
        with pytest.raises(ValueError, match="ridge is 0 .*fewer rows than features"):
            estimator.fit(few)
        assert np.isfinite(clone(estimator).set_params(ridge=0.1).fit_transform(few)).all()


# Autoencoders


def test_no_other_linear_codes_rebuild_better():
    layers = mixed_widths()
    fitted = SharedLinearAutoencoder(2, ridge=0).fit(layers)
    normal = [(x - x.mean(0)) / np.sqrt(x.var(axis=0, ddof=1).sum() / 2) for x in layers.values()]
    everything = np.hstack(normal)
    total = np.sum(everything**2)

    def loss(decoder):
        """With the best encoders for this decoder."""
        errors = [
            everything - x @ np.linalg.lstsq(x, everything @ np.linalg.pinv(decoder), rcond=None)[0] @ decoder
            for x in normal
        ]
        return np.mean([np.sum(error**2) for error in errors]) / total

    assert np.isclose(loss(fitted.decoder_), fitted.loss_)
    codes = list(fitted.aligned(layers).values())
    assert np.isclose(np.mean([np.sum((everything - c @ fitted.decoder_) ** 2) for c in codes]) / total, fitted.loss_)
    rng = np.random.default_rng(0)
    for size in (1e-3, 0.1, 10):
        assert loss(fitted.decoder_ + size * rng.normal(size=fitted.decoder_.shape)) >= fitted.loss_
    mean_code = fitted.transform(layers)
    assert np.sum((everything - mean_code @ fitted.decoder_) ** 2) / total <= fitted.loss_


def test_the_linear_autoencoder_of_copies_is_pca():
    x, _ = rotated_copies()
    z = SharedLinearAutoencoder(2, ridge=0).fit_transform([x, 3 * x])
    axes = ConcatPCA(2).fit_transform([x])
    assert np.allclose(np.abs(np.corrcoef(z.T, axes.T)[:2, 2:]), np.eye(2), rtol=0, atol=near(x))


def test_training_without_hidden_units_stays_near_the_linear_solution():
    _, copies = rotated_copies(3, 200, 4, noise=0.5)
    trained = SharedAutoencoder(2, hidden=0, epochs=40, ridge=1e-6).fit(copies)
    assert trained.losses_.min() <= trained.losses_[0] < 1.1 * trained.losses_.min()


def test_hidden_units_learn_what_is_not_linear():
    x = np.random.default_rng(0).uniform(-2, 2, size=(500, 1))
    layers = {"line": np.hstack([x, 0.1 * np.abs(x)]), "bent": np.hstack([np.abs(x), np.sign(x)])}
    fitted = SharedAutoencoder(2, hidden=16, epochs=150).fit(layers)
    assert fitted.losses_[fitted.epoch_] < 0.7 * fitted.losses_[0]
    assert fitted.epoch_ == np.argmin(fitted.losses_) > 0
    assert len(fitted.losses_) <= min(151, fitted.epoch_ + 11)


def test_the_maps_are_those_of_the_epoch_that_was_best_on_the_held_out_rows():
    layers = mixed_widths()
    fitted = SharedAutoencoder(2, hidden=8, learning_rate=0.05, epochs=12, patience=6, random_state=0).fit(layers)
    assert fitted.losses_[-1] > 1.01 * fitted.losses_[fitted.epoch_]  # the last one is another
    held = np.random.default_rng(0).permutation(60)[:12]
    target = np.hstack([(x - m) / s for x, m, s in zip(layers.values(), fitted.means_, fitted.scales_, strict=True)])
    codes = fitted.aligned(layers).values()
    errors = [np.sum((code[held] @ fitted.decoder_ - target[held]) ** 2) for code in codes]
    # Errors are what is left of codes and targets in single precision, over twelve features and eight hidden units.
    single = tolerance.apart(12 + 8, "float32", condition=1 / np.sqrt(fitted.losses_[fitted.epoch_]))
    assert np.isclose(np.mean(errors) / np.sum(target[held] ** 2), fitted.losses_[fitted.epoch_], rtol=single)


def test_training_is_the_same_again_and_leaves_the_global_seed_alone():
    torch = pytest.importorskip("torch")
    layers = mixed_widths()
    torch.manual_seed(5)
    first = torch.rand(1)
    torch.manual_seed(5)
    a, b = (SharedAutoencoder(2, epochs=3, random_state=4).fit_transform(layers) for _ in range(2))
    assert np.array_equal(a, b) and torch.rand(1) == first
    assert not np.array_equal(a, SharedAutoencoder(2, epochs=3, random_state=5).fit_transform(layers))


# All of them


@pytest.mark.parametrize("estimator", ALL, **name_of)
@pytest.mark.parametrize("width", [None, 2])
def test_the_mix_is_the_weighted_sum_of_the_aligned(estimator, width):
    layers = mixed_widths()
    fitted = clone(estimator).set_params(width=width, mix="qp", lam=0.05).fit(layers, quality=[0.6, 0.7, 0.65])
    weights = QP(0.05, align="pad").fit(layers, quality=[0.6, 0.7, 0.65]).weights_
    assert fitted.weights_.equals(weights) and (weights > 0).sum() > 1
    aligned = fitted.aligned(layers)
    by_hand = sum(weights[name] * x for name, x in aligned.items())
    out = fitted.transform(layers)
    assert out.shape == (60, width or 5) and np.allclose(out, by_hand)
    equal = clone(estimator).set_params(width=width).fit(layers)
    assert np.allclose(equal.transform(layers), sum(equal.aligned(layers).values()) / 3)


@pytest.mark.parametrize("estimator", ALL, **name_of)
def test_rows_are_transformed_one_by_one(estimator):
    layers = mixed_widths()
    fitted = clone(estimator).fit(layers)
    alone = {name: x[7:8] for name, x in layers.items()}
    assert np.allclose(fitted.transform(layers)[7:8], fitted.transform(alone))


@pytest.mark.parametrize("estimator", ALL, **name_of)
def test_a_saved_alignment_comes_back(estimator, tmp_path):
    layers = {name: x.astype(np.float32) for name, x in mixed_widths().items()}
    fitted = clone(estimator).fit(layers)
    loaded = load_ensemble(fitted.save(tmp_path / "a"))
    out = loaded.transform(layers)
    assert out.dtype == np.float32 and np.array_equal(out, fitted.transform(layers))
    assert not any(path.suffix in (".pkl", ".pt") for path in (tmp_path / "a").iterdir())


@pytest.mark.parametrize("estimator", ALL, **name_of)
def test_every_alignment_works_in_a_pipeline(estimator):
    pipeline = make_pipeline(clone(estimator), LogisticRegression())
    assert np.isfinite(cross_val_score(pipeline, Representations(mixed_widths()), np.arange(60) % 2, cv=2)).all()


@pytest.mark.parametrize("estimator", ALL, **name_of)
def test_what_cannot_be_aligned_is_refused(estimator):
    layers = mixed_widths()
    with pytest.raises(ValueError, match="only 'three'; at least two"):
        clone(estimator).fit({"three": layers["three"]})
    with pytest.raises(ValueError, match="'four' is constant"):
        clone(estimator).fit(layers | {"four": np.full((60, 3), 0.1)})
    with pytest.raises(ValueError, match=r"'four': entry \[7, 1\] is infinite"):
        broken = layers["four"].copy()
        broken[7, 1] = np.inf
        clone(estimator).fit(layers | {"four": broken})
    with pytest.raises(ValueError, match="59 rows"):
        clone(estimator).fit(layers | {"four": layers["four"][1:]})
    with pytest.raises(ValueError, match="1 row"):
        clone(estimator).fit({name: x[:1] for name, x in layers.items()})
    for name, value in (("mix", "sum"), ("lam", -1), ("width", 0)):
        with pytest.raises(ValueError, match=f"^{name} is"):
            clone(estimator).set_params(**{name: value}).fit(layers)
    with pytest.raises(ValueError, match="needs quality"):
        clone(estimator).set_params(mix="qp").fit(layers)
    with pytest.raises(ValueError, match="expected"):
        clone(estimator).fit(layers).transform({name: x[:, :1] for name, x in layers.items()})


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (OrthogonalProcrustes("six"), "reference is 'six'"),
        (GeneralizedProcrustes(tol=-1), "tol is -1"),
        (GeneralizedProcrustes(max_iter=0), "max_iter is 0"),
        (MultisetCCA(ridge=-0.1), "ridge is -0.1"),
        (MultisetCCA(13), "only 12 features"),
        (SharedLinearAutoencoder(13), "only 12 features"),
        (SharedAutoencoder(held_out=1.0), "held_out is 1.0"),
        (SharedAutoencoder(held_out=0.001), "at least 1 row must stop"),
        (SharedAutoencoder(2, learning_rate=1e30), "diverged"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_parameters_out_of_range_are_refused(estimator, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(mixed_widths())
