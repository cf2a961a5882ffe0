"""Pairs of known anisotropy, and the experiment with treatments on pairs of texts."""

import json

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats

from helpers.inference import judge
from helpers.postprocessing import TREATMENTS, treatments
from helpers.quality import mean_cosine, rankme
from helpers.studies.duplicates import CLAIMS, FUSED, findings, pair_scores, pairs_in_a_cone, score_treatments


def test_a_common_vector_raises_the_mean_cosine_and_centring_takes_it_away():
    doses = [pairs_in_a_cone(1000, 16, common=dose, spread=0.3) for dose in (0, 1, 4)]
    cosines = [mean_cosine(pairs.x) for pairs in doses]
    # Of n isotropic rows |sum of directions|² / n is a chi-squared over p, and the mean cosine that less 1, over n - 1.
    chance = stats.chi2.isf(tolerance.FALSE_ALARM, 16) / 16 / 999
    assert abs(cosines[0]) < chance < 0.3 < cosines[1] < cosines[2]
    found = []
    for pairs in doses:
        change = treatments(np.vstack([pairs.x, pairs.y]))["centred"]
        found.append(pair_scores(change(pairs.x), change(pairs.y), pairs.labels)["cosine"])
    assert found == pytest.approx([found[0]] * 3)


def test_far_out_in_a_cone_the_cosine_ranks_as_the_distance_across_it():
    near, far = (pairs_in_a_cone(1000, 16, common=dose, spread=0.5) for dose in (0, 1000))
    c = far.x.mean(axis=0) / np.linalg.norm(far.x.mean(axis=0))
    across = -np.linalg.norm((near.x - near.y) - np.outer((near.x - near.y) @ c, c), axis=1)
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in far[:2]]
    cosine = 1 - 0.5 * np.sum((unit[0] - unit[1]) ** 2, axis=1)
    assert np.corrcoef(np.argsort(np.argsort(cosine)), np.argsort(np.argsort(across)))[0, 1] > 0.999


def test_a_rogue_direction_is_invisible_to_the_mean_cosine_but_not_to_rankme():
    plain, rogue = (pairs_in_a_cone(1000, 16, rogue=dose) for dose in (0, 3))
    chance = stats.chi2.isf(tolerance.FALSE_ALARM, 1) / 999  # where all directions are one line
    assert abs(mean_cosine(rogue.x)) < chance and rankme(rogue.x) < 0.9 * rankme(plain.x)
    maps = treatments(np.vstack([rogue.x, rogue.y]))
    by = {
        name: pair_scores(maps[name](rogue.x), maps[name](rogue.y), rogue.labels)["cosine"]
        for name in ("raw", "centred", "pca", "top_1_removed")
    }
    assert by["pca"] == pytest.approx(by["centred"]) and by["top_1_removed"] > max(by["raw"], by["pca"]) + 0.2


def test_equal_seeds_change_nothing_but_the_dose():
    one, other = (pairs_in_a_cone(50, 8, common=dose, rng=4) for dose in (0, 2))
    moved = other.x - one.x
    assert np.allclose(moved, moved[0]) and np.linalg.norm(moved[0]) == pytest.approx(2 * np.sqrt(8))
    assert (one.labels == other.labels).all()


@pytest.mark.parametrize(
    ("options", "message"), [({"common": -1}, "common is -1"), ({"share": 1}, "share is 1"), ({"n": 1}, "n is 1")]
)
def test_impossible_pairs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        pairs_in_a_cone(**({"n": 10, "p": 4} | options))


def test_labels_of_one_kind_have_no_score():
    with pytest.raises(ValueError, match="0 and 1"):
        pair_scores(np.eye(3), np.eye(3), [1, 1, 1])


@pytest.fixture(scope="module")
def found():
    """The experiment on made-up pairs of texts, seen by three layers of which the last has a rogue direction."""
    from datasets import Dataset, DatasetDict
    from mteb.abstasks import AbsTaskPairClassification
    from mteb.abstasks.task_metadata import TaskMetadata

    class MadeUp(AbsTaskPairClassification):
        metadata = TaskMetadata(
            name="MadeUpPairs",
            description="made up",
            type="PairClassification",
            main_score="max_ap",
            dataset={"path": "made up", "revision": "1"},
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            modalities=["text"],
            category="t2t",
        )

        def load_data(self, *arguments, **keywords):
            self.data_loaded = True

    rng, vectors, splits = np.random.default_rng(0), {}, {}
    for split, n in {"train": 60, "validation": 60, "test": 90}.items():
        pairs = pairs_in_a_cone(n, 8, noise=1.0, rng=rng)
        texts = [[f"{split} {side} {i}" for i in range(n)] for side in "xy"]
        vectors |= dict(zip([*texts[0], *texts[1]], np.vstack(pairs[:2]), strict=True))
        columns = {"sentence1": texts[0], "sentence2": texts[1], "labels": pairs.labels.tolist()}
        splits[split] = Dataset.from_dict(columns)
    task = MadeUp()
    task.dataset, task.data_loaded = DatasetDict(splits), True

    def encode(texts):
        x = np.stack([vectors[text] for text in texts])
        noisy = x + rng.normal(size=x.shape)
        return {"layer 0": noisy, "layer 1": x, "layer 2": x + 9 * rng.normal(size=(len(x), 1)) * np.eye(8)[0]}

    return score_treatments(encode, task, lam=0.1, n_resamples=100).table


def test_the_experiment_has_a_row_for_every_treatment_of_what_is_fused(found):
    counts = found.groupby(["representation", "metric"])["treatment"].nunique()
    assert all(
        counts[name, metric] == len(TREATMENTS) for name in FUSED for metric in ("cosine", "euclidean", "max_ap")
    )
    assert counts["layer 1", "cosine"] == 4
    assert found[["score", "ci_low", "ci_high", "mean_cosine", "rankme"]].notna().all(axis=None)
    assert (found["ci_low"] <= found["ci_high"]).all() and found["score"].between(0, 1).all()
    json.dumps(found.to_dict("list"))


def test_the_experiment_finds_the_rogue_direction(found):
    by = found[found["metric"] == "cosine"].set_index(["representation", "treatment"])
    assert by["best_layer"].iloc[0] == "layer 1"
    assert by.loc[("last layer", "top_1_removed"), "diff_raw_ci_low"] > 0
    assert by.loc[("last layer", "centred"), "diff_raw"] < by.loc[("last layer", "top_1_removed"), "diff_raw"] / 2
    assert by.loc[("last layer", "raw"), "diff_raw"] == 0
    assert by.loc[("QP", "raw"), "diff_qp"] == 0


def test_centring_changes_no_distance_and_a_rotation_no_cosine(found):
    score = found.set_index(["representation", "treatment", "metric"])["score"]
    near = tolerance.apart(90)  # the order of 90 pairs, none of them nearer to another than rounding
    for name in FUSED:
        assert score[name, "centred", "euclidean"] == pytest.approx(score[name, "raw", "euclidean"], abs=near)
    for name in FUSED[:4]:
        assert score[name, "pca", "cosine"] == pytest.approx(score[name, "centred", "cosine"], abs=near)


def test_another_kind_of_task_is_refused():
    class Task:
        class metadata:
            type, name = "STS", "SomeSTS"

    with pytest.raises(ValueError, match="SomeSTS is of type STS"):
        score_treatments(lambda texts: {}, Task())


def test_the_claims_are_asked_of_the_mean_over_encoders():
    rows = []
    for encoder, gain in (("a", 0.03), ("b", 0.01)):
        for representation, treatment, metric in {(q[0], q[1], q[4]) for q in CLAIMS.values()}:
            row = {"encoder": encoder, "representation": representation, "treatment": treatment, "metric": metric}
            for against in ("raw", "centred", "qp"):
                own = 0.0 if against == "centred" else gain
                ends = (("", 0), ("_ci_low", -0.005), ("_ci_high", 0.005))
                row |= {f"diff_{against}{end}": own + by for end, by in ends}
            rows.append(row | {"n_pairs": 600})
    table = pd.DataFrame(rows)
    found = findings(table)
    assert np.allclose(found["pca"][:3], [2.0, 1.5, 2.5]) and found["pca"].n == 600
    assert np.allclose(found["explained"][:3], [0.0, -0.5, 0.5])
    judged = judge({key: question.claim for key, question in CLAIMS.items()}, found)
    assert set(judged["verdict"]) == {"reproduced"}
    assert findings(table[table["metric"] == "cosine"])["pca_best"].why == "not measured"
    small = judge({"pca": CLAIMS["pca"].claim}, {"pca": found["pca"]._replace(estimate=0.5, low=0.3, high=0.7)})
    assert small.loc["pca", ["verdict", "note"]].tolist() == ["not reproduced", "too small to count"]
