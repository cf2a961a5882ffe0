"""Pictures say how far to believe them: trustworthiness and continuity, by object, beside chance."""

import importlib.util

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from helpers.quality import draw_picture, judge_picture, picture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6))


def test_trustworthiness_is_that_of_scikit_learn_and_continuity_its_mirror():
    found = picture(X, metric="euclidean", k=7, n_resamples=9)
    assert found.table.value["trustworthiness"] == pytest.approx(trustworthiness(X, found.coordinates, n_neighbors=7))
    assert found.table.value["continuity"] == pytest.approx(trustworthiness(found.coordinates, X, n_neighbors=7))
    means = found.objects[["trustworthiness", "continuity"]].mean()
    assert means.to_dict() == pytest.approx(found.table.value[means.index].to_dict())


def test_chance_is_the_mean_over_random_pictures():
    values = np.array(
        [
            judge_picture(X, np.random.default_rng(seed).normal(size=(90, 2)), k=7, n_resamples=9).table.value
            for seed in range(60)
        ]
    )
    chance = judge_picture(X, X, k=7, n_resamples=9).table.chance.to_numpy()
    assert (np.abs(values.mean(0) - chance) < 4 * values.std(0) / np.sqrt(60)).all()


def test_an_object_that_was_put_elsewhere_is_misplaced_and_the_others_are_not():
    plane = RNG.random((80, 2))
    places = plane.copy()
    places[0] = 1 - places[0] if np.abs(places[0] - 0.5).sum() > 0.5 else (0.0, 0.0)
    found = judge_picture(plane, places, metric="euclidean", k=8, n_resamples=9)
    assert found.objects["misplaced"][0] and found.objects["misplaced"].sum() == 1
    assert found.objects["trustworthiness"].idxmin() == 0


def test_random_places_are_misplaced_as_often_as_is_said():
    found = judge_picture(X, RNG.normal(size=(90, 2)), k=7, n_resamples=9)
    assert found.objects["misplaced"].mean() > 0.9


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_each_method_draws_all_objects_and_is_drawn_with_crosses(method):
    import matplotlib.pyplot as plt

    found = picture(X, method=method, k=5, n_resamples=9)
    assert found.coordinates.shape == (90, 2) and (found.table.value > found.table.chance).all()
    again = picture(X, method=method, k=5, n_resamples=9)
    np.testing.assert_array_equal(found.coordinates, again.coordinates)
    ax = draw_picture(found, values=np.arange(90), ax=plt.figure().gca())
    dots, crosses = (len(points.get_offsets()) for points in ax.collections)
    assert crosses == found.objects["misplaced"].sum() and dots + crosses == 90
    assert method in ax.get_title() and "trust" in ax.get_title()


def test_a_method_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="umap-learn"):
        picture(X, method="umap")


def test_objects_are_drawn_from_many():
    found = picture(X, n_objects=40, k=5, n_resamples=9)
    assert len(found.objects) == 40 and found.objects["row"].max() > 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "mds"}, "method is 'mds'"),
        ({"k": 45}, "k is 45"),
        ({"metric": "dot"}, "metric is 'dot'"),
    ],
)
def test_bad_options_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        picture(X, **arguments)
    with pytest.raises(ValueError, match="x has 90 rows and coordinates 80"):
        judge_picture(X, X[:80])
    with pytest.raises(ValueError, match="the 60 objects are at one place when compared by cosine"):
        picture(np.outer(np.arange(1, 61), np.ones(3)))
