"""What holds for every ensemble: rows, blocks, parameters, pipelines, qualities and similarities given, bad input."""

import json
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import tolerance
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from spaces import five_layers, five_qualities, label, two_classes

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
)
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

layers = pytest.fixture(five_layers)
given_quality = pytest.fixture(five_qualities)
y = pytest.fixture(two_classes)


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


def near(layers):
    """How far sums over 60 rows, and then over the features of all layers, may be off: axes by the gap of variances."""
    together = np.hstack(list(layers.values()))
    values = np.linalg.svd(together - together.mean(axis=0), compute_uv=False)
    return tolerance.apart(60, condition=tolerance.gap(values)) * np.abs(together).max()


def test_blocks_of_rows_give_what_one_piece_gives(monkeypatch, layers):
    whole = {label(e): clone(e).fit_transform(layers) for e in (ConcatPCA(3), CentredLast(), WhitenedLast())}
    monkeypatch.setattr(Representations, "starts", lambda self, width: [(i, min(i + 7, 60)) for i in range(0, 60, 7)])
    for estimator in (ConcatPCA(3), CentredLast(), WhitenedLast()):
        assert np.allclose(whole[label(estimator)], estimator.fit_transform(layers), rtol=0, atol=near(layers))


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


@pytest.mark.parametrize("estimator", ALL, ids=label)
def test_rows_are_transformed_alike_alone_and_together(estimator, layers, given_quality, y):
    fitted = clone(estimator).fit(layers, y, quality=given_quality, similarity=np.eye(5))
    together = fitted.transform(layers)
    some = fitted.transform({name: x[10:20] for name, x in layers.items()})
    assert np.allclose(together[10:20], some, rtol=0, atol=near(layers))
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


def test_transform_refuses_other_names_order_or_widths(layers, given_quality):
    fitted = BestLayer().fit(layers, quality=given_quality)
    with pytest.raises(ValueError, match=r"expected \['a', .*'e'\] in this order, as in fit, or only .* \['c'\]"):
        fitted.transform({name: layers[name] for name in "bacde"})
    with pytest.raises(ValueError, match=r"representations are \['0'"):
        fitted.transform(list(layers.values()))
    with pytest.raises(ValueError, match="'c' is 3 wide; expected 4"):
        fitted.transform({"c": layers["c"][:, :3]})
