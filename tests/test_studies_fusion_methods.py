"""What the page about ways to fuse shows: searches, choices and results on made-up layers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import tasks
from helpers.ensembles import QP, BestLayer, ClusterPCA, LastLayer, select
from helpers.studies import fusion_methods as study
from helpers.studies.reanalysis import published_scores

NAMES = ["0", "1", "2", "3"]


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    common = {split: rng.normal(size=(60, 5)) for split in ("train", "validation", "test")}
    return {
        split: {name: x + rng.normal(size=x.shape) + 0.2 * i for i, name in enumerate(NAMES)}
        for split, x in common.items()
    }


@pytest.fixture(scope="module")
def known(layers):
    similarity = np.full((4, 4), 0.3) + 0.7 * np.eye(4)
    quality = pd.Series([0.5, 0.7, 0.68, 0.6], NAMES, name="quality")
    return {"quality": quality, "similarity": pd.DataFrame(similarity, NAMES, NAMES)}


class Scored:
    """A score that is the mean of a column, and its bootstrap over rows, the same rows for all."""

    def __init__(self, x):
        self.values, self.n, self.score = x[:, 0], len(x), x[:, 0].mean()

    def bootstrap(self, seed, n):
        rows = np.random.default_rng(seed).integers(self.n, size=(n, self.n))
        return self.values[rows].mean(axis=1)


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr(tasks, "evaluate_task", lambda task, x, split: Scored(x))
    return SimpleNamespace(metadata=SimpleNamespace(name="MadeUp", main_score="cosine_spearman"))


def test_local_maxima_are_those_of_the_theorem_and_the_solver_ends_at_one():
    rng = np.random.default_rng(3)
    b = rng.uniform(0.2, 1, size=(5, 5))
    q, s = pd.Series(rng.uniform(0.4, 0.8, 5), list("abcde")), (b + b.T) / 2
    lambdas = [0.01, 0.3, 3]
    starts = np.vstack([np.full((1, 5), 0.2), rng.dirichlet(np.ones(5), 6)])
    found = study.local_search(q, s, lambdas, starts)
    maxima = {
        lam: [j for j in range(5) if all(q.iloc[i] - q.iloc[j] < lam * s[i, j] for i in range(5) if i != j)]
        for lam in lambdas
    }
    assert found["local maxima"].tolist() == [len(maxima[lam]) for lam in lambdas]
    assert 1 == len(maxima[0.01]) < len(maxima[3])
    assert found.loc[0.01, "at the best"] == 1 and found.loc[0.01, "from equal weights"] == q.idxmax()
    for lam in lambdas:
        end = study.slsqp(q, s, lam, starts[1], ftol=1e-12, maxiter=1000)
        assert end.max() <= 0.999 or end.argmax() in maxima[lam]
    facts = study.facts_of_search(found)
    assert facts["local_first"] == 1 and facts["first_best"] == 100 and facts["local_most"] == len(maxima[3])


def test_the_published_masked_program_beats_the_best_layer_in_most_cells():
    found = study.facts_of_masked(published_scores())
    assert (found["masked_better"], found["masked_cells"]) == (7, 12)
    assert found["masked_most"] == pytest.approx(2.8)


def test_every_method_of_the_page_is_fixed_chosen_or_learned(layers, known):
    fixed = study.baselines(4, lam=0.1)
    chosen = set(study.ORDER) - set(fixed)
    assert chosen == {
        *("QP", "QP + selection + PCA", "cluster + PCA", "greedy"),
        *("masked, SLSQP", "masked, diagonal kept", "learned mix"),
    }
    for ensemble in fixed.values():
        assert ensemble.fit(layers["train"], **known).transform(layers["test"]).shape == (60, 5)


def test_results_compare_with_the_last_and_the_best_layer_on_the_same_samples(layers, known, task):
    fitted = {
        "last layer": LastLayer().fit(layers["train"]),
        "best layer": BestLayer().fit(layers["train"], **known),
        "again": LastLayer().fit(layers["train"]),
    }
    found = study.table_results(fitted, task, layers, n_resamples=50)
    assert found.loc["last layer", "test"] == layers["test"]["3"][:, 0].mean()
    assert found.loc["best layer", "validation"] == layers["validation"]["1"][:, 0].mean()
    assert found.loc["last layer", "against last"] == "" == found.loc["best layer", "against best"]
    assert found.loc["again", "against last"] == "not distinguishable"
    assert found.loc["again", ["ci_low", "ci_high"]].equals(found.loc["last layer", ["ci_low", "ci_high"]])
    facts = study.facts_of_results(found)
    assert (facts["n_test"], facts["others"]) == (60, 2)
    counts = [facts[f"last_{word}"] for word in ("better", "worse", "not_distinguishable")]
    assert sum(counts) == 2 and counts[2] >= 1
    shown = study.show_results(found).data
    assert list(shown) == ["validation", "test", "interval", "against last", "against best"]


def test_a_layer_that_always_leads_is_always_first_and_equal_ones_share(task):
    x = np.random.default_rng(1).normal(size=(40, 2))
    better = {"a": x, "b": x, "c": x - 1}
    worse = {"a": x, "b": x - 1, "c": x + 1}
    noise = study.choice_noise(task, {"validation": better, "test": worse}, n_resamples=30)
    assert noise["first on validation"].tolist() == [0.5, 0.5, 0]
    assert noise["first on test"].tolist() == [0, 0, 1]
    found = study.facts_of_noise(noise)
    assert (found["noise_first"], found["noise_rank"]) == (50, 2)
    assert found["noise_lost"] == pytest.approx(100) and found["noise_test"] == x[:, 0].mean()


def test_variants_of_pca_stand_beside_the_centred_sum(layers, known):
    plain = QP(lam=1.0).fit(layers["train"], **known)
    found = study.table_pca_variants(layers, lambda x: x.mean(), plain, **known)
    in_use = found["layers in use"].tolist()
    assert in_use[0] == in_use[1] == in_use[2] > 1
    assert found["width before PCA"].tolist() == [5 * in_use[0], 5, 5]
    z, mean = plain.transform(layers["validation"]), plain.transform(layers["train"]).mean(axis=0)
    assert found["validation score"].iloc[2] == (z - mean).mean()


def test_pairs_are_rows_of_the_texts():
    train = {"sentence1": ["x", "y"], "sentence2": ["y", "z"], "score": [1, 0.5]}
    pairs, target = study.scored_pairs(SimpleNamespace(dataset={"train": train}), ["z", "y", "x"])
    assert pairs.tolist() == [[2, 1], [1, 0]] and target.tolist() == [1, 0.5]


def test_what_is_chosen_is_shown_and_figures_show_every_layer(layers, known, task):
    import matplotlib.pyplot as plt

    grid = {"lam": [0.1, 1.0], "n_clusters": [2, 3]}
    found = select(ClusterPCA(), grid, lambda fused: fused.lam, layers["train"], **known)
    shown = study.show_chosen({"cluster + PCA": found}).data
    assert shown.loc["cluster + PCA", ["λ", "K", "tried"]].tolist() == [1.0, 2, 4]
    facts = study.facts(task, layers, known["quality"])
    assert (facts["layers"], facts["width"], facts["best"], facts["metric"]) == (4, 5, "1", "cosine spearman")

    plain = QP(lam=0.1).fit(layers["train"], **known)
    paths = plain.lambda_path([0.01, 0.1, 10.0])
    along = [0.5, 0.7, 0.6]
    path = study.facts_of_path(paths, along)
    assert path["path_top"] == 0.7 and path["path_lam"] == 0.1 and path["path_end"] == "0, 1, 2, 3"
    left, right = study.figure_path(paths, along, known["quality"])
    labels = [text.get_text() for text in left.texts]
    assert labels[0] == "1" and labels[1:] == [name for name in NAMES if paths.iloc[-1][name] > 0.12]
    assert len(right.lines) == 3
    clusters = found.estimator
    assert len(study.figure_clusters(clusters)[1].get_yticks()) == len(clusters.mixing_)
    ax = study.figure_weights({"QP": plain, "cluster": clusters}, known["quality"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["QP", "cluster"]
    plt.close("all")


@pytest.mark.parametrize(
    ("error", "match", "choice"),
    [
        (FileNotFoundError, "there is no such folder", {"encoder": "./nowhere"}),
        (ValueError, "lambdas is empty; at least one number", {"lambdas": []}),
        (ValueError, "a value of lambdas is -1; a finite number of at least 0", {"lambdas": [1, -1]}),
        (ValueError, r"n_clusters is 99; it must be between 1 and \d+ \(", {"n_clusters": 99}),
        (ValueError, "n_lambdas is 1; it must be at least 2", {"n_lambdas": 1}),
        (ValueError, "n_starts is 0; it must be at least 1", {"n_starts": 0}),
        (ValueError, "n_labelled is 4001; it must be between 40 and 4000", {"n_labelled": 4001}),
        (ValueError, "lam is -1; a finite number of at least 0 is needed", {"lam": -1}),
        (TypeError, "n_resamples is 50.0; a whole number", {"n_resamples": 50.0}),
    ],
)
def test_choices_that_cannot_work_are_refused_before_a_text_is_read(error, match, choice):
    least = {
        "lam": 0.1,
        "lambdas": [0],
        "n_clusters": 1,
        "n_lambdas": 2,
        "n_starts": 1,
        "n_labelled": 40,
        "n_resamples": 10,
    }
    with pytest.raises(error, match=match):
        study.check_fusion_choices(**({"encoder": "encoders/bert"} | least | choice))
    study.check_fusion_choices("encoders/bert", **least)
