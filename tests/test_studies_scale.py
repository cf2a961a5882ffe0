"""What the page about measuring at scale shows: exponents, errors of subsets, topology of made-up representations."""

import numpy as np
import pandas as pd
import pytest

from helpers.similarity import cka, rtd, rtd_lite, similarity_matrices
from helpers.studies import scale as study


@pytest.fixture(scope="module")
def embeddings():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(80, 6))
    return {name: common + rng.normal(size=common.shape) for name in "abc"}


@pytest.fixture(scope="module")
def exact(embeddings):
    return study.pair_values(similarity_matrices(embeddings, ["cka", "cka_unbiased"], progress=False))


def test_pairs_are_the_entries_above_the_diagonal(embeddings, exact):
    assert list(exact.index) == ["a, b", "a, c", "b, c"] and list(exact) == ["cka", "cka_unbiased"]
    assert np.isclose(exact.loc["a, c", "cka"], cka(embeddings["a"], embeddings["c"]))


def test_exponents_of_made_up_times_are_those_that_they_were_made_with():
    rows = [("n", n, "cka", 3e-6 * n) for n in (10, 20, 40)] + [("n", n, "rsa", 1e-7 * n**2) for n in (10, 20, 40)]
    rows += [("d", 5, "cka", 1.0), ("d", 10, "cka", 1.0)]
    costs = pd.DataFrame(rows, columns=["axis", "value", "measure", "seconds"])
    found = study.fit_exponents(costs)
    assert np.allclose(found["exponent"], [1, 2, 0])
    assert found["standard error"].isna().tolist() == [False, False, True]
    table = study.table_exponents(found)
    assert list(table) == ["objects", "features"] and table["objects"].tolist() == ["1.00 ± 0.00", "2.00 ± 0.00"]
    assert float(table.loc["cka", "features"]) == 0
    wanted = {f"exponent_{measure}": found.loc[("n", measure), "exponent"] for measure in ("cka", "rsa")}
    assert study.facts_of_costs(found) == wanted


def test_one_size_is_changed_at_a_time_and_every_measure_is_timed():
    grids = {"n": [30, 40], "d": [3, 4, 5], "layers": [2]}
    found = study.costs_by_size(grids, {"n": 30, "d": 3, "layers": 2}, ["cka", "jaccard"], repeats=1)
    assert found.groupby("axis", sort=False).size().to_dict() == {"n": 4, "d": 6, "layers": 2}
    assert (found["seconds"] > 0).all()
    axes = study.figure_costs(found)
    assert [len(ax.lines) for ax in axes] == [2, 2, 2]
    assert [label.get_text() for label in axes[1].get_xticklabels()] == ["3", "4", "5"]


def test_topology_is_that_of_the_functions(embeddings):
    found = study.time_topology(embeddings, batch=30, trials=2, n_lite=40, rng=3)
    a, b = embeddings["a"], embeddings["b"]
    assert found.loc["a, b", "RTD"] == rtd(a, b, batch=30, trials=2, rng=3)
    assert found.loc["a, b", "RTD-lite"] == rtd_lite(a[:40], b[:40])
    assert (found[["RTD seconds", "RTD-lite seconds"]] > 0).all(axis=None) and len(found) == 3


def test_errors_of_subsets_are_those_of_the_same_rows(embeddings, exact):
    errors = study.subset_errors(embeddings, exact, [20, 40], n_subsets=3, rng=5)
    assert errors.groupby(["size", "measure"]).size().eq(9).all() and len(errors) == 36
    index = np.sort(np.random.default_rng(5).choice(80, size=20, replace=False))
    part = cka(embeddings["a"][index], embeddings["b"][index])
    first = errors[(errors["measure"] == "cka") & (errors["pair"] == "a, b")].iloc[0]
    assert first["size"] == 20 and np.isclose(first["error"], part - exact.loc["a, b", "cka"])
    summary = study.error_by_size_and_measure(errors)
    cells = errors[(errors["measure"] == "cka") & (errors["size"] == 20)].groupby("pair")["error"]
    row = summary.loc[("cka", 20)]
    assert np.isclose(row["bias"], np.sqrt(np.mean(cells.mean() ** 2)))
    assert np.isclose(row["spread"], np.sqrt(np.mean(cells.std() ** 2)))
    assert np.isclose(abs(row["largest bias"]), cells.mean().abs().max())
    facts = study.facts_of_subsets(summary, 20)
    assert facts["spread_cka"] == row["spread"] and facts["bias_cka"] == abs(row["largest bias"])
    table = study.table_subsets(summary, ["cka_unbiased", "cka"], 20)
    assert list(table.index) == ["cka_unbiased", "cka"] and table.loc["cka", "spread"] == row["spread"]
    left, right = study.figure_subsets(summary, ["cka", "cka_unbiased"])
    assert len(left.lines) == len(right.lines) == 3


def test_the_usual_cka_is_biased_on_few_objects_and_the_unbiased_one_is_not(embeddings, exact):
    errors = study.subset_errors(embeddings, exact, [12], n_subsets=60, rng=1)
    means = errors.groupby("measure")["error"].agg(["mean", "sem"])
    biased, fair = means.loc["cka"], means.loc["cka_unbiased"]
    assert biased["mean"] > 6 * biased["sem"] and biased["mean"] > 3 * abs(fair["mean"])


@pytest.mark.parametrize("size", [0, 80])
def test_a_subset_that_is_none_is_refused(embeddings, exact, size):
    with pytest.raises(ValueError, match=rf"sizes has \[{size}\]; a subset of 80 objects has between 1 and 79"):
        study.subset_errors(embeddings, exact, [size], n_subsets=2)
