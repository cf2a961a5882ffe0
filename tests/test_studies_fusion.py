"""The experiment of Part II on made-up encoders and tasks, and the recorded table made again."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tolerance
import yaml

from helpers.inference import judge
from helpers.studies import fusion

RESULTS = Path(__file__).parents[1] / "data" / "results"
RUNS = Path(__file__).parents[1] / "notebooks" / "runs"
LAYERS = 5


@pytest.fixture(scope="module")
def mteb_task():
    """From data by split to a task of MTEB, of the kind that the columns tell."""
    from datasets import Dataset, DatasetDict
    from mteb.abstasks import AbsTaskClassification, AbsTaskPairClassification, AbsTaskRetrieval, AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    kinds = {
        "Classification": (AbsTaskClassification, "accuracy"),
        "STS": (AbsTaskSTS, "cosine_spearman"),
        "PairClassification": (AbsTaskPairClassification, "max_ap"),
        "Retrieval": (AbsTaskRetrieval, "ndcg_at_10"),
    }

    def make(kind, splits):
        base, metric = kinds[kind]
        metadata = TaskMetadata(
            name=f"MadeUp{kind}",
            description="made up",
            type=kind,
            main_score=metric,
            dataset={"path": "made up", "revision": "1"},
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            category="t2c" if kind == "Classification" else "t2t",
            modalities=["text"],
            date=("2026-01-01", "2026-01-01"),
            domains=["Written"],
            license="mit",
            annotations_creators="derived",
            dialect=[],
            sample_creation="created",
            task_subtypes=[],
            reference=None,
            bibtex_citation="",
        )
        task = type(metadata.name, (base,), {"metadata": metadata})()
        if kind == "Retrieval":
            task.dataset = {"default": splits}
        else:
            task.dataset = DatasetDict({name: Dataset.from_dict(columns) for name, columns in splits.items()})
        if kind == "Classification":
            task.n_experiments = 2
        task.data_loaded = True
        return task

    return make


def text(kind: str, *numbers: int) -> str:
    return f"{kind} " + " ".join(map(str, numbers))


def made_up(kind: str, labels_of_test=lambda labels: labels) -> dict:
    """Splits of a task; a text carries its topic as its second word, from which the made-up encoder reads it."""
    from datasets import Dataset

    rng = np.random.default_rng(0)
    splits = {}
    for at, split in enumerate(("train", "validation", "test")):
        topics = rng.integers(4, size=(60, 2))
        left = [text("text", a, at, i) for i, a in enumerate(topics[:, 0])]
        right = [text("text", b, at, i + 1000) for i, b in enumerate(topics[:, 1])]
        change = labels_of_test if split == "test" else lambda labels: labels
        same = (topics[:, 0] == topics[:, 1]).astype(int)
        if kind == "Classification":
            splits[split] = {"text": left, "label": change(topics[:, 0].tolist())}
        elif kind == "STS":
            noise = rng.uniform(0, 2, 60)
            splits[split] = {"sentence1": left, "sentence2": right, "score": change((3 * same + noise).tolist())}
        elif kind == "PairClassification":
            splits[split] = {"sentence1": left, "sentence2": right, "labels": change(same.tolist())}
        else:
            ids = [f"d{i}" for i in range(60)]
            topic = change(topics[:, 0].tolist())
            splits[split] = {
                "corpus": Dataset.from_dict({"id": ids, "text": right}),
                "queries": Dataset.from_dict({"id": [f"q{i}" for i in range(20)], "text": left[:20]}),
                "relevant_docs": {
                    f"q{i}": {d: 1 for d, other in zip(ids, topics[:, 1], strict=True) if other == topic[i]}
                    for i in range(20)
                },
                "top_ranked": None,
            }
    return splits


def encode(texts: list[str]) -> dict[str, np.ndarray]:
    """Layers in which the topic of a text stands out more or less from noise that is the text's own."""
    centres = np.random.default_rng(1).normal(size=(LAYERS, 4, 6))
    out = np.empty((LAYERS, len(texts), 6), np.float32)
    for row, each in enumerate(texts):
        _, topic, *rest = each.split()
        noise = np.random.default_rng([int(topic), *map(int, rest)]).normal(size=(LAYERS, 6))
        out[:, row] = centres[:, int(topic)] + noise * np.array([1.5, 1.0, 0.7, 0.9, 1.2])[:, None] + 1
    return {f"layer {i}": layer for i, layer in enumerate(out)}


small = partial(fusion.fusion_methods, lambdas=[0.05, 0.5], n_clusters=[2], n_selected=[2])
KINDS = ["Classification", "STS", "PairClassification", "Retrieval"]


@pytest.fixture(scope="module", params=KINDS)
def found(request, mteb_task):
    return fusion.score_methods(encode, mteb_task(request.param, made_up(request.param)), methods=small, n_resamples=50)


def test_every_layer_and_method_has_a_row_of_each_split(found):
    names = [*(f"layer {i}" for i in range(LAYERS)), *fusion.PUBLISHED, *fusion.EXTRA]
    assert found.table.groupby("split")["representation"].agg(list).to_dict() == {"test": names, "validation": names}
    assert list(found.draws) == names
    assert found.table["score"].between(-1, 1).all()


def test_a_layer_fused_alone_is_that_layer(found):
    test = found.table[found.table["split"] == "test"].set_index("representation")
    assert test.score["last_layer"] == test.score[f"layer {LAYERS - 1}"]
    assert test.score["best_layer"] == test.score[found.quality.idxmax()]
    assert test.diff_last["last_layer"] == 0 == test.diff_last_ci_low["last_layer"]
    assert json.loads(test.weights["best_layer"]) == (found.quality == found.quality.max()).astype(float).tolist()


def test_quality_is_the_score_on_validation(found):
    validation = found.table[found.table["split"] == "validation"].set_index("representation")
    np.testing.assert_allclose(validation.score[found.quality.index], found.quality)


def test_a_searched_method_has_the_best_of_its_candidates_on_validation(found):
    validation = found.table[found.table["split"] == "validation"].set_index("representation")
    assert set(found.searches) == {"qp_weighted", "qp_pca", "cluster_pca", "greedy", "qp_masked"}
    for name, table in found.searches.items():
        assert validation.score[name] == pytest.approx(table["score"].max())


def test_differences_are_paired(found):
    test = found.table[found.table["split"] == "test"].set_index("representation")
    low, high = np.quantile(found.draws["qp_pca"] - found.draws["last_layer"], [0.025, 0.975])
    assert test.diff_last_ci_low["qp_pca"] == pytest.approx(low)
    assert test.diff_last_ci_high["qp_pca"] == pytest.approx(high)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_the_test_split_change_no_weight(kind, mteb_task):
    def shuffled(labels):
        return np.random.default_rng(5).permutation(labels).tolist()

    honest, other = (
        fusion.score_methods(encode, mteb_task(kind, made_up(kind, change)), methods=small, n_resamples=2)
        for change in (lambda labels: labels, shuffled)
    )
    pd.testing.assert_series_equal(honest.quality, other.quality)
    for name, ensemble in honest.ensembles.items():
        again = other.ensembles[name]
        np.testing.assert_array_equal(ensemble.mixing_, again.mixing_, err_msg=name)
        if ensemble.axes_ is not None:
            np.testing.assert_array_equal(ensemble.axes_.components, again.axes_.components, err_msg=name)
    tests = [one.table[one.table["split"] == "test"]["score"].to_numpy() for one in (honest, other)]
    assert not np.array_equal(*tests), "the shuffled labels should at least change the scores"


def test_texts_of_the_test_split_change_no_weight(mteb_task):
    splits = made_up("STS")
    changed = made_up("STS")
    changed["test"]["sentence1"] = [each + " 7" for each in changed["test"]["sentence1"]]
    honest, other = (
        fusion.score_methods(encode, mteb_task("STS", data), methods=small, n_resamples=2) for data in (splits, changed)
    )
    pd.testing.assert_frame_equal(honest.similarity, other.similarity)
    for name, ensemble in honest.ensembles.items():
        np.testing.assert_array_equal(ensemble.mixing_, other.ensembles[name].mixing_, err_msg=name)


def test_texts_are_encoded_in_one_call(mteb_task):
    calls = []

    def counted(texts):
        calls.append(texts)
        return encode(texts)

    fusion.score_methods(counted, mteb_task("STS", made_up("STS")), methods=small, n_resamples=2)
    assert len(calls) == 1 and len(set(calls[0])) == len(calls[0])


def test_a_task_without_training_texts_learns_from_validation(mteb_task):
    splits = made_up("PairClassification")
    del splits["train"]
    found = fusion.score_methods(encode, mteb_task("PairClassification", splits), methods=small, n_resamples=2)
    assert set(found.table["n_fit"]) == {120}


def test_comparisons_need_last_and_best(mteb_task):
    def chosen(n_layers):
        return {name: method for name, method in small(n_layers).items() if name != "best_layer"}

    with pytest.raises(ValueError, match="best_layer"):
        fusion.score_methods(encode, mteb_task("STS", made_up("STS")), methods=chosen)


def test_grids_that_do_not_suit_are_refused():
    assert fusion.fusion_methods(3)["greedy"].grid["k"] == [2, 3]
    with pytest.raises(ValueError, match="n_clusters"):
        fusion.fusion_methods(1)
    with pytest.raises(ValueError, match="lambdas"):
        fusion.fusion_methods(5, lambdas=[])


# Claims


def made_up_table(gain, encoders=4, tasks=5, noise=0.002, seed=0):
    """Scores in which each method gains a given amount over the last layer."""
    rng, rows = np.random.default_rng(seed), []
    for e in range(encoders):
        for t in range(tasks):
            base = rng.uniform(0.4, 0.8)
            for name in [*fusion.PUBLISHED, "centred_last", "whitened_last"]:
                value = base + gain.get(name, 0) + noise * rng.normal()
                kind = "published" if name in fusion.PUBLISHED else "extra"
                cell = {"encoder": f"e{e}", "task": f"t{t}", "type": "STS" if t else "PairClassification"}
                draws = np.rint(1e4 * value + 5 * rng.normal(size=50)).astype(np.int16)
                rows.append(
                    cell | {"representation": name, "kind": kind, "split": "test", "score": value, "draws": draws}
                )
    return pd.DataFrame(rows)


AS_PUBLISHED = {
    "best_layer": 0.1,
    "qp_weighted": 0.09,
    "qp_pca": 0.05,
    "cluster_pca": 0.04,
    "greedy": 0.07,
    "qp_masked": 0.06,
}


#: Of the mean, in points, over the 20 cells of a made-up table, of a difference of two methods with their noise.
WIDTH = tolerance.of_a_mean(100 * np.sqrt(2) * 0.002, 20)


def judged(table, **options):
    return judge(fusion.CLAIMS, fusion.findings(table, n_resamples=500, **options))


def test_what_is_so_in_the_table_is_reproduced():
    verdicts = judged(made_up_table(AS_PUBLISHED))["verdict"]
    assert verdicts["last"] == verdicts["best"] == "reproduced"
    assert verdicts["rank"] == verdicts["quality"] == "not reproduced"  # the best layer is ahead


def test_places_are_found_by_the_strongest_rival():
    found = judged(made_up_table(AS_PUBLISHED | {"best_layer": 0.01, "qp_weighted": 0.2, "greedy": 0.15}))
    assert found.loc["rank", ["estimate", "verdict"]].tolist() == [1, "reproduced"]  # one place ahead of the second
    assert found.loc["greedy", ["estimate", "verdict"]].tolist() == [1, "reproduced"]
    assert found.loc["quality", "verdict"] == "reproduced" and abs(found.loc["quality", "estimate"] - 5) < WIDTH
    assert found.loc["best", "verdict"] == "not reproduced"  # 19 points above it


def test_equal_methods_are_not_told_apart():
    found = judged(made_up_table({}, noise=0.01))
    for key in ("rank", "greedy", "quality"):
        assert found.loc[key, "verdict"] == "not testable here"
        assert found.loc[key, "ci_low"] <= found.loc[key, "estimate"] <= found.loc[key, "ci_high"]


def test_fewer_tasks_make_wider_tests():
    few, many = (judged(made_up_table(AS_PUBLISHED, tasks=n, noise=0.03)).loc["last"] for n in (3, 12))
    assert (few["n"], many["n"]) == (3, 12) and few["p"] > many["p"]


def test_a_claim_about_the_pooler_needs_a_pooler():
    table = made_up_table(AS_PUBLISHED)
    found = judged(table).loc["pooler"]
    assert np.isnan(found["estimate"]) and found["verdict"] == "not testable here"
    assert found["note"] == "no encoder with a trained pooler"
    row = table.iloc[[0]].assign(representation="pooler", kind="layer", draws=None)
    found = judged(pd.concat([table, row])).loc["pooler"]
    assert found["n"] == 5 and found["verdict"] == "reproduced" and abs(found["estimate"] - 6) < WIDTH


def test_a_claim_about_duplicates_needs_tasks_of_duplicates():
    table = made_up_table(AS_PUBLISHED | {"qp_pca": 0.2})
    assert judged(table).loc["duplicates", "note"].startswith("one task of duplicates")
    found = judged(table.assign(type="PairClassification")).loc["duplicates"]
    assert found["n"] == 5 and found["verdict"] == "reproduced" and abs(found["estimate"] - 10) < WIDTH
    assert judged(table.assign(type="STS")).loc["duplicates", "note"] == "no task of duplicates"


def test_cells_as_they_are_have_the_differences_of_their_numbers():
    wide = fusion.method_scores(made_up_table(AS_PUBLISHED))
    wide.index = wide.index.set_levels([f"t{i}Duplicate" if i == 0 else f"t{i}" for i in range(5)], level="task")
    wide.loc[["e3"], "best_layer"] = np.nan
    found = fusion.findings_in_cells(wide, n_resamples=999)
    gains = 100 * wide[list(fusion.ENSEMBLES)].sub(wide["last_layer"], axis=0)
    assert np.isclose(found["last"].estimate, gains.mean().sort_values().iloc[1]) and found["last"].n == 20
    against = 100 * wide[list(fusion.ENSEMBLES)].sub(wide["best_layer"], axis=0).dropna()
    assert np.isclose(found["best"].estimate, against.mean().max()) and found["best"].n == 15
    assert found["duplicates"].n == 4 and found["pooler"].n == 5
    assert np.isclose(found["pooler"].estimate, gains.loc["e3"].median(axis=1).mean())
    verdicts = judge(fusion.CLAIMS, found)["verdict"]
    assert verdicts["last"] == "reproduced" and verdicts["duplicates"] == "not testable here"  # four cells


def test_scores_with_gaps_are_refused():
    table = made_up_table(AS_PUBLISHED)
    with pytest.raises(ValueError, match="greedy"):
        fusion.findings(table[(table["representation"] != "greedy") | (table["task"] != "t3")])


# The recorded table

TABLE = RESULTS / "fusion.csv"
recorded = pytest.mark.skipif(not TABLE.exists(), reason="there is no data/results/fusion.csv")
PUBLISHED_STS = {"all-mpnet-base-v2": 83.4, "gte-small": 85.6, "all-MiniLM-L6-v2": 82.0}
"""Scores of the last layer on STSBenchmark by the leaderboard of MTEB."""


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(TABLE)


@recorded
def test_the_recorded_table_is_whole(table):
    assert TABLE.stat().st_size < 5e6
    expected = {
        *(
            "encoder",
            "source",
            "task",
            "type",
            "metric",
            "representation",
            "kind",
            "split",
            "score",
            "ci_low",
            "ci_high",
        ),
        *("diff_last", "diff_last_ci_low", "diff_last_ci_high", "diff_best", "width", "weights", "chosen", "n_items"),
        *("weights_sha256", "layers", "pooling", "max_length", "dtype", "seed"),
        *("versions", "machine", "date", "minutes"),
    }
    assert expected <= set(table)
    assert not table.duplicated(["encoder", "source", "task", "representation", "split"]).any()
    assert table["weights_sha256"].str.fullmatch(r"[0-9a-f]{64}(\+[0-9a-f]{64})*").all()
    for (_, _, _), rows in table.groupby(["encoder", "source", "task"]):
        for _, part in rows.groupby("split"):
            assert {*fusion.PUBLISHED, *fusion.EXTRA} <= set(part["representation"])
            assert (part["kind"] == "layer").sum() == part["layers"].iloc[0]
    test = table[table["split"] == "test"]
    assert (test["ci_low"] <= test["ci_high"]).all() and test["score"].between(-1, 1).all()
    weights = test["weights"].map(json.loads)
    assert (weights.map(len) == test["layers"]).all()
    assert ((weights.map(sum) - 1).abs() < (test["layers"] + 1) * 0.5e-4).all()  # four decimals are kept of each


@recorded
def test_draws_of_the_recorded_table_lie_about_its_scores():
    """Of every method on every test split, and of no layer; their mean misses the score by less than its interval."""
    rows = fusion.recorded_scores()
    test = rows[(rows["split"] == "test") & (rows["kind"] != "layer")]
    assert (test["draws"].map(len) == 200).all() and test["draws"].map(lambda d: d.dtype == np.int16).all()
    assert rows.drop(index=test.index)["draws"].isna().all()
    means = test["draws"].map(np.mean) / 1e4
    assert means.between(test["ci_low"], test["ci_high"]).all()


@recorded
@pytest.mark.parametrize("name", PUBLISHED_STS)
def test_the_last_layer_scores_as_published_on_stsbenchmark(table, name):
    rows = table[(table["encoder"] == name) & (table["task"] == "STSBenchmark") & (table["split"] == "test")]
    if rows.empty:
        pytest.skip(f"{name} on STSBenchmark is not recorded")
    score = rows.set_index("representation")["score"]["last_layer"]
    # One decimal, of other precision and truncation; the standard error of 1379 pairs is 0.7.
    assert 100 * score == pytest.approx(PUBLISHED_STS[name], abs=0.3)


@recorded
@pytest.mark.slow
def test_the_recorded_table_is_made_again(table):
    """gte-small on STSBenchmark: layers and methods, through the functions that the worker notebook calls."""
    folders = [os.environ.get(name) or "" for name in ("BOOK_MODELS", "BOOK_DATA")]
    if not all(folders) or not (Path(folders[0]) / "gte-small").is_dir():
        pytest.skip("BOOK_MODELS with gte-small and BOOK_DATA are not given")
    from helpers import tasks
    from helpers.encoders.extraction import extract

    plan = yaml.safe_load((RUNS / "fusion_real.yml").read_text())
    assert "gte-small" in plan["grid"]["encoder"] and "STSBenchmark" in plan["grid"]["task"]
    task = tasks.load_tasks(folders[1], ["STSBenchmark"])["STSBenchmark"]
    read = partial(extract, "gte-small", max_length=128, progress=False)
    methods = partial(fusion.fusion_methods, lambdas=[0.02, 0.1, 0.5], n_clusters=[2, 4], n_selected=[2, 4])
    again = fusion.score_methods(read, task, methods=methods).table
    old = table[(table["encoder"] == "gte-small") & (table["task"] == "STSBenchmark")]
    keys = ["representation", "split"]
    old, again = (rows.set_index(keys).sort_index() for rows in (old, again))
    assert list(old.index) == list(again.index)
    # On another processor near ties and a program's equal weights fall otherwise: a third of the standard error, 0.007.
    np.testing.assert_allclose(old["score"], again["score"], rtol=0, atol=2e-3)


# Names of the full scale


def test_full_scale_names_resolve_to_folders_that_stand_for_the_hub(tmp_path, monkeypatch):
    from helpers.encoders.extraction import resolve_model

    monkeypatch.setenv("BOOK_MODELS", str(tmp_path))
    plan = yaml.safe_load((RUNS / "fusion_paper.yml").read_text())
    for name in plan["grid"]["encoder"]:
        assert resolve_model(name) == name
        (tmp_path / name.split("/")[-1]).mkdir()
        assert resolve_model(name) == tmp_path / name.split("/")[-1]
