"""The study of weights without labels: weightings, references, views of clients, and the published finding."""

import numpy as np
import pandas as pd
import pytest
import tolerance

from helpers.book.data import table
from helpers.clients import simulate, split
from helpers.ensembles import QP
from helpers.inference import judge
from helpers.quality import QUALITIES
from helpers.similarity.cka import cka
from helpers.studies import label_free
from helpers.studies.label_free import PUBLISHED, claims, findings


@pytest.fixture(scope="module")
def clients():
    """Four models of 300 clients: classes seen through more and more noise."""
    rng = np.random.default_rng(0)
    target = pd.Series(rng.integers(0, 3, 300), index=[f"c{i}" for i in range(300)])
    parts = pd.Series(rng.permutation(["train"] * 140 + ["validation"] * 60 + ["test"] * 100), index=target.index)
    seen = np.eye(3)[target] @ rng.normal(size=(3, 6))
    models = {i: pd.DataFrame(seen + (0.5 + i) * rng.normal(size=(300, 6)), index=target.index) for i in range(4)}
    return models, target, parts


SMALL = {"names": ["rankme", "mean_cosine", "alignment", "agreement"], "raw": ["rankme"], "classifier": "logistic"}


def test_a_study_has_each_weighting_and_what_it_is_measured_against(clients):
    found = label_free.weigh_models(*clients, **SMALL, lambdas=[0.1])
    keys = found.methods[["quality", "combine", "scale", "lam"]]
    assert not keys.duplicated().any() and len(found.models) == 4
    weights = found.methods["weights"].str.split(" ", expand=True).astype(float)
    assert np.allclose(weights.sum(axis=1), 1, atol=len(found.models) * 0.5e-3) and (weights >= 0).all(axis=None)
    assert set(found.methods.loc[found.methods["labels"], "quality"]) == {"validation", "test"}
    best = found.methods.set_index(["combine", "quality"]).loc["best"]
    test = found.models["test"]
    assert best.loc["test", "accuracy"] == test.max() and best.loc["random", "accuracy"] == pytest.approx(test.mean())
    assert best.loc["validation", "accuracy"] == test[found.models["validation"].idxmax()]
    wide = found.methods.set_index("combine")["width"]
    assert wide["side by side"] == 24 and (wide["sum"] == 6).all() and (wide["concat"] <= 6).all()
    halves = found.models[["half_a", "half_b"]].mean(axis=1)
    assert np.allclose(halves, test, atol=0.5 / (clients[2] == "test").sum())  # halves differ by one client at most


def test_no_test_label_and_no_test_row_changes_a_weight(clients):
    models, target, parts = clients
    before = label_free.weigh_models(*clients, **SMALL).methods
    rng = np.random.default_rng(0)
    test = (parts == "test").to_numpy()
    shuffled = target.copy()
    shuffled[test] = rng.permutation(target[test])
    other = {name: model * np.where(test, 7, 1)[:, None] for name, model in models.items()}
    free = ~before["quality"].isin(["test"])
    for after in (
        label_free.weigh_models(models, shuffled, parts, **SMALL),
        label_free.weigh_models(other, target, parts, **SMALL),
    ):
        assert before.loc[free, "weights"].equals(after.methods.loc[free, "weights"])
    relabelled = target.copy()
    relabelled[~test] = rng.permutation(target[~test])
    after = label_free.weigh_models(models, relabelled, parts, **SMALL).methods
    assert before.loc[~before["labels"], "weights"].equals(after.loc[~before["labels"], "weights"])


def test_the_weights_of_a_study_are_those_of_the_program(clients):
    models, target, parts = clients
    found = label_free.weigh_models(*clients, **SMALL).methods.set_index(["quality", "combine", "scale"])
    train = {str(name): model[parts == "train"].to_numpy() for name, model in models.items()}
    q = np.array([QUALITIES["rankme"](x) for x in train.values()])
    s = np.array([[cka(a, b) for b in train.values()] for a in train.values()])
    by_hand = QP(1.0).fit(train, quality=(q - q.min()) / np.ptp(q), similarity=s).weights_
    text = " ".join(f"{w:.3f}" for w in by_hand)
    assert found.loc[("rankme", "sum", "unit"), "weights"] == text
    assert found.loc[("rankme", "sum", "raw"), "weights"] == " ".join(
        f"{w:.3f}" for w in QP(1.0).fit(train, quality=q, similarity=s).weights_
    )


def test_a_study_of_one_model_or_an_unknown_quality_is_refused(clients):
    models, target, parts = clients
    with pytest.raises(ValueError, match="there are 1 models"):
        label_free.weigh_models({0: models[0]}, target, parts)
    with pytest.raises(ValueError, match="luck is not a label-free quality"):
        label_free.weigh_models(models, target, parts, names=["luck"])
    with pytest.raises(ValueError, match="combine has"):
        label_free.weigh_models(models, target, parts, combine=["product"])
    with pytest.raises(ValueError, match="model '2' is constant over the 140 clients"):
        label_free.weigh_models(models | {2: models[2] * 0 + 3}, target, parts)
    with pytest.raises(ValueError, match="alpha_req of model '1': eigenvalues 1 to 1"):
        label_free.weigh_models(models | {1: models[1][[0]]}, target, parts)


def test_against_pairs_methods_by_experiment():
    rows = [
        {"experiment": e, "quality": q, "combine": "sum", "scale": "none", "lam": 1.0, "accuracy": a}
        for e in range(6)
        for q, a in (("equal", 0.5), ("good", 0.55 + 0.001 * e), ("same", 0.5))
    ]
    found = label_free.differences_to(pd.DataFrame(rows), {"quality": "equal"}).set_index("quality")
    assert found.loc["good", "percent"] == pytest.approx(10.5) and found.loc["good", "win"] == 100
    assert found.loc["good", "verdict"] == "better" and found.loc["good", "p"] == pytest.approx(2 / 64)
    assert found.loc["same", "win"] == 50 and found.loc["same", "verdict"] == "not distinguishable"
    with pytest.raises(ValueError, match="names 0 rows"):
        label_free.differences_to(pd.DataFrame(rows), {"quality": "nobody"})


def test_halves_share_out_the_events_of_each_client():
    clients = simulate(12, rng=0)
    first, second = label_free.split_histories(clients, rng=1)
    counts = [part.events.groupby("client", sort=False, observed=True).size() for part in (clients, first, second)]
    assert (counts[0] == counts[1] + counts[2]).all() and (counts[1] - counts[2]).abs().max() <= 1
    both = pd.concat([first.events, second.events]).sort_values(["client", "time"], kind="stable")
    assert sorted(both["amount"]) == sorted(clients.events["amount"])
    for part in (first, second):
        assert part.events.groupby("client", observed=True)["time"].apply(lambda t: t.is_monotonic_increasing).all()
        assert part.events["client"].drop_duplicates().tolist() == clients.target.index.tolist()


def test_a_model_with_views_is_the_model_without():
    from helpers.clients import coles

    clients = simulate(40, rng=0)
    parts = split(clients, experiment=0)
    settings = {"features": ["category"], "hidden": 8, "epochs": 1, "shortest": 3, "longest": 6, "rng": 1}
    whole, views = label_free.with_views(clients, parts, **settings)
    alone = coles.embed(clients, parts, **settings).embeddings
    # Batches of other lengths: sums over inputs and units in single precision, which gates damp from step to step.
    assert np.allclose(whole, alone, rtol=0, atol=tolerance.apart(32, "float32"))
    assert views.shape == (2, 40, 8) and np.isfinite(views).all() and not np.allclose(views[0], views[1])


def weighted_sums(gains, experiments=10):
    """Accuracies of the plain mean and of sums by each quality, which gain so many percent; and rows of other kinds."""
    rng, rows = np.random.default_rng(0), []
    for e in range(experiments):
        base = 0.6 + 0.01 * e
        rows.append((e, "equal", "sum", "none", np.nan, base))
        rows.append((e, "equal", "concat", "none", np.nan, 0.1))
        for name, gain in zip(PUBLISHED, gains, strict=True):
            value = base * (1 + (gain + 0.2 * rng.normal()) / 100)
            rows += [(e, name, "sum", "unit", 1.0, value), (e, name, "sum", "unit", 0.1, 0.1)]
            rows += [(e, name, "sum", "raw", 1.0, 0.1), (e, name, "concat", "unit", 1.0, 0.1)]
    return pd.DataFrame(rows, columns=["experiment", "quality", "combine", "scale", "lam", "accuracy"])


def test_not_to_help_is_to_gain_less_than_one_percent():
    published = table("published/client_unsupervised_weights.csv").set_index("quality")
    published = published.rename(index={"coherence": "mean_cosine", "persistent_homology_h0": "persistence_h0"})
    asked = claims(published, {"rankme": "RankMe"})
    assert asked["rankme"].text == "Weights by RankMe do not help" and asked["rankme"].published == -3.07
    judged = judge(asked, findings(weighted_sums([-2.0, 0.0, 0.5, 1.0, 2.0]), asked, n_resamples=999))
    assert judged["verdict"].tolist() == [*["reproduced"] * 3, "not testable here", "not reproduced"]
    assert np.allclose(judged["estimate"], [-2.0, 0.0, 0.5, 1.0, 2.0], atol=tolerance.of_a_mean(0.2, 10)) and set(
        judged["n"]
    ) == {10}
