"""Groups beyond drawings: their data, their vectors, what is fitted on what, and how gains are judged."""

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.studies import groups_beyond
from helpers.studies.groups_beyond import Grouped


@pytest.fixture(scope="module")
def clients():
    return groups_beyond.load_groups("clients", n_groups=90, rng=0)


def test_clients_have_transactions_of_their_own_and_two_banks(clients):
    counts = pd.Series(clients.part).value_counts().to_dict()
    assert counts == {"train": 45, "in": 15, "out": 30}
    assert len(clients.y) == clients.groups.max() + 1 == 90
    sizes = np.bincount(clients.groups)
    assert sizes.min() >= 15 and sizes.max() <= 45
    kinds = clients.x[:, 1:]  # each transaction has one category, channel, weekday and week
    assert set(np.unique(kinds)) == {0, 1} and (kinds.sum(axis=1) == 4).all()


def test_nothing_is_fitted_on_groups_that_are_not_trained_on(clients):
    found = groups_beyond.vectors_of(clients, steps=3, rng=0)
    assert list(found) == list(groups_beyond.WORDS)
    held = clients.part != "train"
    changed = clients._replace(
        x=np.where(held[clients.groups][:, None], clients.x[::-1], clients.x).astype(np.float32),
        y=np.where(held, (clients.y + 1) % 4, clients.y),
    )
    again = groups_beyond.vectors_of(changed, steps=3, rng=0)
    for name, z in found.items():
        np.testing.assert_allclose(z[~held], again[name][~held], rtol=0, atol=1e-5 * np.abs(z).max(), err_msg=name)


def by_hand(search):
    """Three classes far apart, and vectors that know them, those that do not."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 20)
    part = np.repeat(["train", "in", "out"], [30, 15, 15])
    groups = np.repeat(np.arange(60), 3)
    x = (rng.normal(size=(180, 4)) + 8 * np.eye(3, 4)[y[groups]]).astype(np.float32)
    mean = x.reshape(60, 3, 4).mean(axis=1)
    vectors = {"centroid": mean, "medoid": rng.normal(size=(60, 4)), "learned centroid": 2 * mean}
    return Grouped(x, groups, y, part, search), vectors


@pytest.mark.parametrize("search", [False, True])
def test_classes_that_are_far_apart_are_found_by_probe_and_by_search(search):
    data, vectors = by_hand(search)
    found = groups_beyond.right_or_wrong(data, vectors, seed=7)
    assert found["source"].tolist() == ["in"] * 15 + ["out"] * 15
    assert found["unit"].tolist() == [f"7/{row}" for row in range(30, 60)]
    assert found["cluster"].nunique() == (3 if search else 30)
    assert (found[["centroid", "learned centroid"]] == 1).all(axis=None) and found["medoid"].mean() < 0.7


def test_gains_are_paired_over_groups_and_a_group_that_comes_twice_counts_once():
    data, vectors = by_hand(False)
    once = groups_beyond.right_or_wrong(data._replace(fixed=True), vectors)
    found = groups_beyond.gains_over_mean([once, once]).set_index(["source", "reference", "method"])
    assert (found["n"] == 15).all()
    row = found.loc[("out", "centroid", "medoid")]
    assert row["gain"] == pytest.approx(row["accuracy"] - 100) and row["ci_high"] < 0 and row["p"] < 0.01
    assert found.loc[("out", "centroid", "learned centroid"), ["gain", "p"]].tolist() == [0, 1]
    apart = groups_beyond.gains_over_mean([once, groups_beyond.right_or_wrong(data, vectors, seed=1)])
    assert (apart["n"] == 30).all()


def recorded():
    rows = []
    for reference in ("centroid", "learned centroid"):
        for source in ("in", "out"):
            for method, gain, p in (
                ("centroid", 0.0, 1.0), ("medoid", -9.0, 0.001), ("qp", 0.5, 0.4), ("learned centroid", 1.0, 0.3),
                ("learned attention", 4.0, 0.001), ("learned deep_sets", 2.0, 0.03),
            ):  # fmt: skip
                row = {"dataset": "clients", "source": source, "reference": reference, "method": method, "p": p}
                rows.append(row | {"gain": gain, "ci_low": gain - 1.8, "ci_high": gain + 1.8,
                                   "reference_accuracy": 60.0})  # fmt: skip
    return pd.DataFrame(rows)


def test_gains_are_judged_for_all_methods_of_a_source_together():
    found = groups_beyond.judge_gains(recorded())
    assert set(found["reference"]) == {"centroid"} and "centroid" not in set(found["method"])
    verdicts = found[found["source"] == "out"].set_index("method")["verdict"].to_dict()
    assert verdicts == {
        "medoid": "worse",
        "qp": "not distinguishable",
        "learned centroid": "not distinguishable",
        "learned attention": "better",
        "learned deep_sets": "not distinguishable",  # 0.03 for one, not for one of five
    }
    counts = groups_beyond.count_verdicts(found)
    assert (counts["learned_n"], counts["learned_better"], counts["fixed_worse"]) == (2, 1, 1)
    assert (counts["learned_least"], counts["learned_most"]) == (2, 4)
    words = groups_beyond.shown(found)
    assert words.loc["attention", ("clients", "out")] == "+4.0 *"
    assert words.loc["mean", ("clients", "in")] == "60.0 %"


def test_the_recorded_table_has_every_method_on_every_data_set():
    found = table("results/groups_beyond.csv")
    whole = found.groupby(["dataset", "source", "reference"])["method"].apply(lambda names: set(names))
    assert len(whole) == len(groups_beyond.DATASETS) * 4
    wanted = {"centroid": set(groups_beyond.WORDS), "learned centroid": set(groups_beyond.LEARNED_NAMES)}
    assert all(names == wanted[reference] for (*_, reference), names in whole.items())
    assert groups_beyond.figure(groups_beyond.judge_gains(found)).get_xlabel()


def test_what_is_not_there_is_named(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="name is 'planets'; it is one of 'clients', 'documents'"):
        groups_beyond.load_groups("planets")
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    for name, folder in (("news", "financial_headlines"), ("intents", "banking77")):
        with pytest.raises(FileNotFoundError, match=f"{folder} is not in"):
            groups_beyond.load_groups(name)
