"""Qualities with labels: perfect classes, chance, scikit-learn's own values, bad input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, rand_score, silhouette_score

from helpers import quality
from helpers.quality import QUALITIES

LABELLED = [name for name, entry in QUALITIES.items() if entry.needs == "labels"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    return rng.normal(size=(150, 4)) + 1.5 * np.eye(4)[y], np.array(["a", "b", "c"])[y]


@pytest.mark.parametrize("name", LABELLED)
def test_classes_far_apart_are_perfect(name, data):
    x, y = data
    far = x + 1e4 * np.unique(y, return_inverse=True)[1][:, None] * [1, -1, 1, 0]
    metric = {"metric": "euclidean"} if name == "knn_accuracy" else {}
    # A silhouette is off 1 by the distances within over those between.
    assert QUALITIES[name].function(far, y, **metric) == pytest.approx(1, abs=1e-3)


def test_indices_are_those_of_scikit_learn(data):
    x, y = data
    clusters = KMeans(3, n_init=4, random_state=0).fit_predict(x)
    assert quality.rand_index(x, y) == pytest.approx(rand_score(y, clusters))
    assert quality.adjusted_rand_index(x, y) == pytest.approx(adjusted_rand_score(y, clusters))
    assert quality.normalized_mutual_information(x, y) == pytest.approx(normalized_mutual_info_score(y, clusters))
    assert quality.silhouette(x, y) == pytest.approx(silhouette_score(x, y))


def test_shuffled_labels_are_at_chance(data):
    x, y = data
    rng = np.random.default_rng(1)
    found = [quality.adjusted_rand_index(x, rng.permutation(y)) for _ in range(30)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(30)
    votes = [quality.knn_accuracy(x, rng.permutation(y)) for _ in range(30)]
    assert abs(np.mean(votes) - 1 / 3) < 4 * np.std(votes) / np.sqrt(30) + 1 / 150


@pytest.mark.parametrize("name", LABELLED)
def test_bad_labels_are_refused_and_named(name, data):
    x, y = data
    with pytest.raises(ValueError, match="labels holds one class, 'a'"):
        QUALITIES[name].function(x, np.full(150, "a"))
    with pytest.raises(ValueError, match="one for each of the 150 rows"):
        QUALITIES[name].function(x, y[:-1])
    with pytest.raises(ValueError, match=r"labels\[0\] is missing; each row needs a class"):
        QUALITIES[name].function(x, [None, *y[1:]])
    with pytest.raises(ValueError, match="x and labels carry the same row labels in another order"):
        QUALITIES[name].function(pd.DataFrame(x), pd.Series(y)[::-1])


@pytest.mark.parametrize("function", [quality.cluster_purity, quality.silhouette, quality.rand_index])
def test_fewer_points_than_clusters_are_refused(function, data):
    with pytest.raises(ValueError, match="5 classes of 5 objects"):
        function(data[0][:5], np.arange(5))
    with pytest.raises(ValueError, match="each class one object"):
        quality.probe_accuracy(data[0][:5], np.arange(5))


def test_a_class_of_one_object_is_never_right_and_warns_of_nothing(data, recwarn):
    x, y = data[0], np.zeros(150)
    y[7] = 1
    assert QUALITIES["probe_accuracy"].function(x, y) == pytest.approx(149 / 150)
    assert not [w for w in recwarn if "sample" in str(w.message)]
