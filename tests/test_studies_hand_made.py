"""Hand-made features beside encoders: the same experiments, the same test clients, a gain with its interval."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.clients import SCORE_METRICS, binary_target, load_clients, simulate, split
from helpers.clients import hand_made as features_by_hand
from helpers.studies import combining_page, hand_made
from helpers.studies.aligning import aligning_methods
from helpers.studies.combining import compare_methods_by_experiment
from helpers.studies.replacing import replacing_methods
from helpers.studies.sweep import Sweep


def tables(gain):
    """Twelve experiments of two encoders: hand-made features are ``gain`` above the one chosen on validation."""
    rows = [(e, m, 0.5 + 0.1 * m, 0.6 + 0.001 * e - 0.02 * m, 100) for e in range(12) for m in range(2)]
    names = ["experiment", "model", "accuracy_validation", "accuracy_test", "n_test"]
    runs = pd.DataFrame(rows, columns=names)
    by_hand = runs[runs["model"] == 1].assign(classifier="fast", accuracy_test=lambda t: t["accuracy_test"] + gain)
    return by_hand, runs


def test_each_experiment_has_its_chosen_and_its_best_encoder():
    found = hand_made.beside_encoders(*tables(0.03))
    assert found["chosen"].tolist() == pytest.approx([0.58 + 0.001 * e for e in range(12)])
    assert found["best"].tolist() == pytest.approx([0.6 + 0.001 * e for e in range(12)])
    facts = hand_made.gain_facts(found)
    assert facts["gain"] == pytest.approx(3) and facts["verdict"] == "better" and facts["beaten"] == 12
    assert hand_made.gain_facts(hand_made.beside_encoders(*tables(0.01)))["beaten"] == 0


def test_other_experiments_or_clients_are_refused():
    by_hand, runs = tables(0.0)
    with pytest.raises(ValueError, match=r"experiments \[11\] are in one table only"):
        hand_made.beside_encoders(by_hand[by_hand["experiment"] < 11], runs)
    with pytest.raises(ValueError, match="other numbers of test clients"):
        hand_made.beside_encoders(by_hand.assign(n_test=99), runs)


def test_scores_are_of_every_metric_and_part():
    clients = simulate(200, rng=0)
    found = hand_made.score_by_hand(clients, split(clients), scorers=["logistic"])
    names = {f"{metric}_{part}" for metric in SCORE_METRICS for part in ("validation", "test")}
    assert names <= set(found) and found[sorted(names)].stack().between(0, 1).all()


def test_the_recorded_tables_belong_together():
    found = hand_made.recorded_beside_encoders()
    assert len(found) == 17 and found.notna().all(axis=None)


def sweep_of(populations, source, *, options=None, binary_from=""):
    """A sweep of two made-up encoders of different widths and scales on clients that somebody may read again."""
    rng = np.random.default_rng(0)
    rows, embeddings, splits, targets = [], {}, {}, {}
    for number, clients in populations.items():
        splits[number] = split(clients, experiment=number)
        targets[number] = binary_target(clients.target, binary_from) if binary_from else clients.target
        for model, width in ((0, 5), (1, 8)):
            x = (model + 1) * rng.normal(size=(len(clients), width))
            embeddings[number, model] = pd.DataFrame(x, index=clients.target.index, dtype=np.float32)
            row = {"experiment": number, "model": model, "source": source, "seed": 0}
            rows.append(row | ({"options": options} if options else {}))
    return Sweep(pd.DataFrame(rows).set_index(["experiment", "model"]), embeddings, splits, targets)


def test_features_made_by_hand_are_one_more_model_of_simulated_clients_that_are_drawn_again():
    options = {"model": {"order": 1}}
    populations = {number: simulate(60, rng=[0, number], **options) for number in (0, 3)}
    sweep = sweep_of(populations, "simulated", options=options, binary_from="2")
    found = hand_made.with_hand_made(sweep)
    assert set(found.embeddings) == set(sweep.embeddings) | {(0, "hand made"), (3, "hand made")}
    assert found.runs is sweep.runs and len(sweep.embeddings) == 4
    for number, clients in populations.items():
        x, raw, train = found.embeddings[number, "hand made"], features_by_hand(clients), sweep.split[number] == "train"
        assert x.index.equals(clients.target.index) and list(x) == list(raw)
        varies = raw[train].std() > 1e-12
        assert (x.loc[:, ~varies] == 0).all(axis=None) and varies.sum() > 30
        whole = np.mean([sweep.embeddings[number, m][train].var(ddof=0).sum() for m in range(2)])
        # Single precision over some 30 rows and 46 columns.
        np.testing.assert_allclose(x[train].var(ddof=0).sum(), whole, rtol=1e-5)
        np.testing.assert_allclose(x.loc[train, varies].var(ddof=0), whole / varies.sum(), rtol=1e-4)
        order = raw[train].corrwith(x[train]).loc[varies]
        np.testing.assert_allclose(order, 1, rtol=1e-5)


def test_own_clients_are_read_again_once_as_the_runs_recorded_them(tmp_path, monkeypatch):
    made = simulate(80, rng=1)
    path = str(tmp_path / "rows.csv")
    table = made.events[["client", "time", "amount", "category"]].assign(age=made.events["client"].map(made.target))
    table.rename(columns={"client": "who"}).to_csv(path, index=False)
    options = {"columns": {"client": "who", "target": "age"}}
    clients = load_clients(path, n_clients=50, rng=0, **options)
    sweep = sweep_of({0: clients, 1: clients}, path, options=json.loads(json.dumps(options)))
    read = []
    monkeypatch.setattr(hand_made, "load_clients", lambda *a, **k: read.append(a) or load_clients(*a, **k))
    found = hand_made.with_hand_made(sweep)
    assert len(read) == 1 and len(found.embeddings[1, "hand made"]) == 50
    given = hand_made.with_hand_made(sweep, {0: clients, 1: clients})
    pd.testing.assert_frame_equal(found.embeddings[0, "hand made"], given.embeddings[0, "hand made"])


def test_other_clients_or_features_that_do_not_vary_are_refused():
    clients = simulate(60, rng=[0, 0])
    sweep = sweep_of({0: clients}, "simulated")
    with pytest.raises(ValueError, match=r"populations\[0\] has other clients than experiment 0 of the sweep"):
        hand_made.with_hand_made(sweep, {0: simulate(60, rng=[0, 1])})
    parts, models = sweep.split[0], {"0": sweep.embeddings[0, 0]}
    with pytest.raises(ValueError, match="features has no column that varies among training clients"):
        hand_made.as_one_more_model(features_by_hand(clients) * 0, models, parts)
    with pytest.raises(ValueError, match="features lacks 10 clients of the split"):
        hand_made.as_one_more_model(features_by_hand(clients).iloc[10:], models, parts)


@pytest.mark.parametrize("methods", [replacing_methods, partial(aligning_methods, lambdas=[0.1], ridges=[1.0])])
def test_every_ensemble_of_one_width_takes_them_whichever_model_is_the_best(methods):
    """Features are wider than both encoders here: columns are padded, projected, or change their places."""
    sweep = hand_made.with_hand_made(sweep_of({0: simulate(80, rng=[0, 0])}, "simulated"))
    found = compare_methods_by_experiment(sweep, methods, classifier="logistic", n_resamples=2)
    widths = found.table.set_index("method")["width"]
    n_features = sweep.embeddings[0, "hand made"].shape[1]
    assert widths["hand made"] == n_features and widths["concat"] == 5 + 8 + n_features
    assert widths["mean"] == n_features and found.table["accuracy"].between(0, 1).all()
    for (_, name), ensemble in found.ensembles.items():
        assert "hand made" in ensemble.names_, name
        if "replacement" in name:
            start = ensemble.start_ if ensemble.start_ == "hand made" else int(ensemble.start_)
            assert widths[name] == sweep.embeddings[0, start].shape[1], name
    assert hand_made.SHOWN["hand made"] in combining_page.table_gains(found.table, hand_made.SHOWN).index


def test_recorded_comparisons_get_them_as_one_more_method_by_the_same_scorer():
    recorded = table("results/clients_replacing.csv")
    found = hand_made.with_recorded(recorded)
    more = found[found["method"] == "hand made"].set_index("experiment")
    kept = table("results/clients_hand_made.csv").query("classifier == 'fast'").set_index("experiment")
    assert len(found) == len(recorded) + 17 and (more["accuracy"] == kept["accuracy_test"]).all()
    assert (recorded.groupby("experiment")["n_test"].first() == kept["n_test"]).all()
    with pytest.raises(ValueError, match=r"recorded has experiments \[99\], in which features made by hand were not"):
        hand_made.with_recorded(pd.DataFrame({"experiment": [3, 99], "method": "best", "accuracy": 0.5}))
    with pytest.raises(ValueError, match="classifier is 'slow'; recorded are 'fast'"):
        hand_made.recorded_by_hand("slow")
