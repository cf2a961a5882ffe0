"""Rows of the calibration table: qualities are those of the registry, scores those of the tasks."""

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.clients import simulate, split
from helpers.clients.coles import Embedded
from helpers.encoders.classical import classical_embeddings
from helpers.metrics import spearman
from helpers.quality import QUALITIES, dropout_views
from helpers.similarity.cka import cka
from helpers.studies import calibration
from helpers.studies.calibration import LABEL_FREE
from helpers.studies.groups import METHODS
from helpers.studies.sweep import save_run
from helpers.tasks import evaluate_task, load_tasks, texts

TASK = "DocumentationRelatednessSTS"


@pytest.fixture(scope="module")
def spaces():
    rng = np.random.default_rng(0)
    return {"round": rng.normal(size=(120, 6)), "flat": rng.normal(size=(120, 9)) * 0.5 ** np.arange(9)}


def test_every_quality_is_that_of_the_registry_and_larger_is_better(spaces):
    found = calibration.label_free_values(spaces)
    assert list(found) == ["n", "width", *LABEL_FREE] and found["width"].tolist() == [6, 9]
    for name, x in spaces.items():
        views, others = dropout_views(x, rng=0), [y for other, y in spaces.items() if other != name]
        for quality in LABEL_FREE:
            # The table shares singular values, from inner products: half of the digits of float64 remain.
            expected = QUALITIES[quality](x, views=views, others=others)
            assert found.loc[name, quality] == pytest.approx(expected, rel=1e-6, abs=1e-6), quality
    assert found["agreement"].tolist() == pytest.approx([cka(*spaces.values())] * 2)


def test_objects_are_the_same_for_all_models_and_what_cannot_be_compared_is_named(spaces):
    few = calibration.label_free_values({"a": spaces["round"], "b": 2 * spaces["round"]}, n_objects=60)
    assert few["n"].tolist() == [60, 60]
    assert few.loc["a", "hubness"] == few.loc["b", "hubness"] and few["agreement"].tolist() == pytest.approx([1, 1])
    with pytest.raises(ValueError, match="names has 'probe_accuracy'; the label-free"):
        calibration.label_free_values(spaces, ["probe_accuracy"])
    with pytest.raises(ValueError, match="model 'b' has 119 rows and 'a' has 120"):
        calibration.label_free_values({"a": spaces["round"], "b": spaces["round"][1:]})
    with pytest.raises(ValueError, match="models is empty"):
        calibration.label_free_values({})


def test_classical_embeddings_are_scored_as_the_task_scores_them():
    options = {"widths": (8, 64), "names": ["words_svd", "surface"], "n_objects": 60}
    rows = calibration.classical_rows("documentation", [TASK], size=60, **options)
    assert rows["model"].tolist() == ["words_svd, 8", "surface, 8", "words_svd, 64", "surface, 64"]
    task = load_tasks("documentation", [TASK], size=60)[TASK]
    wanted = texts(task, "test")
    x = classical_embeddings(wanted, width=8, names=["words_svd"])["words_svd"]
    assert rows.loc[0, "score"] == evaluate_task(task, x).score and set(rows["scored"]) == {"here"}
    assert rows["n"].tolist() == [60] * 4 and (rows["chance"] == 0).all()
    again = calibration.classical_rows("documentation", [TASK], size=60, **options | {"widths": (64, 128)})
    assert again["model"].tolist() == ["words_svd, 64", "surface, 64", "words_svd, 128"]  # there is no more of the form


def test_layers_take_recorded_scores_of_the_same_data_and_are_scored_otherwise():
    known = calibration.layer_scores(table("results/fusion.csv"), table("results/fusion_tasks.csv"))
    assert not known.duplicated(["encoder", "task", "representation"]).any()
    one = known[(known["encoder"] == "encoders/bert") & (known["task"] == TASK)]
    assert len(one) == 13
    rows = calibration.layer_rows("encoders/bert", tasks=[TASK], scores=known, size=60, n_objects=50)
    assert set(rows["scored"]) == {"here"}  # the recorded ones are of more pairs
    assert rows["layer"].tolist() == list(range(13)) and set(rows["encoder"]) == {"bert"}
    digests = {"data_sha256": calibration_digest(60)}
    rows = calibration.layer_rows("encoders/bert", tasks=[TASK], scores=one.assign(**digests), size=60, n_objects=50)
    assert set(rows["scored"]) == {"recorded"}
    assert (
        rows["score"].tolist() == one.set_index("representation")["score"][[f"layer {i}" for i in range(13)]].tolist()
    )


def calibration_digest(size):
    from helpers.tasks import digest_of_task

    return digest_of_task(load_tasks("documentation", [TASK], size=size)[TASK])


def test_encoders_of_drawings_are_scored_by_the_alphabet_of_the_nearest_group():
    options = {"methods": ["untrained", "group-item"], "steps": 2, "n_objects": 60}
    drawn = {"alphabets": 4, "characters": 6, "drawers": 7}
    rows = calibration.group_rows("drawers", 0, "drawn", drawn=drawn, **options)
    assert rows["model"].tolist() == ["untrained", "group-item"] and rows["score"].between(0, 1).all()
    assert set(rows["chance"]) == {3 / 15}  # three of the fifteen other groups are of the own alphabet
    assert set(calibration.GROUP_METHODS) <= set(METHODS)


def test_models_of_clients_are_described_by_training_clients_and_scored_on_test_clients(tmp_path, monkeypatch):
    from helpers.studies import sweep

    monkeypatch.setattr(sweep, "ROOT", tmp_path)
    clients = simulate(300, rng=0)
    parts, rng = split(clients, experiment=0), np.random.default_rng(0)
    known = pd.get_dummies(clients.target).to_numpy(dtype=float)
    for model, signal in enumerate((0.0, 3.0)):
        x = pd.DataFrame(signal * known @ rng.normal(size=(known.shape[1], 8)) + rng.normal(size=(300, 8)))
        embedded = Embedded(x.set_axis(clients.target.index).rename(columns=str), [1.0], {"train": 1.0})
        save_run(embedded, parts, clients.target, experiment=0, model=model, out="made")
    rows = calibration.client_rows(0, "made", n_objects=100)
    assert rows["score"].iloc[1] > rows["score"].iloc[0] and set(rows["n"]) == {100}
    test = clients.target[(parts == "test").to_numpy()]
    assert rows["chance"].iloc[0] == test.value_counts(normalize=True).max()


def test_recorded_rows_are_of_many_models_and_lack_no_score():
    rows = table("results/quality_models.csv")
    assert not rows.duplicated(["family", "data", "model"]).any() and rows["score"].notna().all()
    assert set(rows["family"]) <= set(calibration.FAMILIES) and set(LABEL_FREE) <= set(rows)
    rankme, width = rows["rankme"], rows["width"]
    assert (rankme.between(0, np.minimum(width, rows["n"]) * (1 + 1e-4))).all()
    # Participation ratio and NESum are of the same spectrum, and rise together.
    assert spearman(rows["participation_ratio"], rows["nesum"]) > 0.5
