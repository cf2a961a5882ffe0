"""Values under shuffling against the measures themselves, and the level of what is said of many pairs."""

import inspect

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy.stats import false_discovery_control

from helpers.similarity import MEASURES, calibrate
from helpers.similarity._shuffling import _INDIFFERENT, shuffling_of

QUICK = {
    "geometry_score": {"complexes": 5, "landmarks": 8, "gamma": 0.2},
    "imd": {"probes": 20},
    "rtd": {"trials": 1},
}
N = 40


def spaces(names="abcd", n=N, seed=3, noise=0.5):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 2))
    widths = dict(zip(names, (5, 7, 6, 5), strict=False))
    return {
        name: shared @ rng.normal(size=(2, p)) + noise * rng.normal(size=(n, p)) + 0.3 for name, p in widths.items()
    }


def unrelated(count, n=N, seed=0, p=4):
    rng = np.random.default_rng(seed)
    return {str(i): rng.normal(size=(n, p)) for i in range(count)}


OPTIONS = [
    ("cka", {"kernel": "rbf"}),
    ("cka_rbf", {"unbiased": True}),
    ("rsa", {"distance": "euclidean", "compare": "pearson"}),
    ("rsa", {"distance": "cityblock"}),
    ("rsm_norm_difference", {"norm": "spectral"}),
    ("linear_regression", {"predict": "y"}),
    ("eigenspace_overlap", {"normalise": "rank"}),
    ("gulp", {"regularisation": 0.1, "squared": True}),
    ("pwcca", {"weights": "y"}),
    ("permutation_procrustes", {"angular": True}),
    ("aligned_cosine", {"alignment": "permutation"}),
    ("second_order_cosine", {"of": "similarity"}),
    ("information_imbalance", {"k": 3, "metric": "cosine"}),
    ("nts", {"values": "distance"}),
]


@pytest.mark.filterwarnings("ignore:.*components of.*:RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "options"), [(name, QUICK.get(name, {})) for name in MEASURES] + OPTIONS, ids=lambda of: str(of)
)
def test_what_is_shuffled_after_the_work_is_what_the_measure_gives_of_shuffled_objects(name, options):
    options = MEASURES[name].with_defaults(options)
    named = spaces()
    way = shuffling_of(MEASURES[name], options)
    lefts, right = [way.left(named[a], a) for a in "ab"], way.right(named["c"], "c")
    near = tolerance.apart(2 * N, condition=tolerance.condition(*named.values())) / 1e-2
    for seed in (None, 0, 1):
        order = np.arange(N) if seed is None else np.random.default_rng(seed).permutation(N)
        if name in _INDIFFERENT and "rng" in options:  # random draws name objects by their places
            order = np.arange(N)
        expected = [MEASURES[name](named[a], named["c"][order], **options) for a in "ab"]
        found = way.values(lefts, right, None if seed is None else order)
        assert found == pytest.approx(expected, abs=near * max(1, np.abs(expected).max()))


def test_a_table_has_the_value_of_every_pair_and_chance_from_the_same_shuffles():
    left, right = spaces("ab"), spaces("cd", seed=5)
    table = calibrate(left, ["cka", "procrustes"], against=right, n_permutations=20, rng=4)
    assert list(table.columns) == "measure x y value orientation chance p p_fdr p_max calibrated".split()
    assert len(table) == 8 and not table.isna().any().any()
    rng = np.random.default_rng(4)
    orders = [rng.permutation(N) for _ in range(20)]
    for _, row in table.iterrows():
        x, y = left[row["x"]], right[row["y"]]
        value = MEASURES[row["measure"]](x, y)
        null = np.array([MEASURES[row["measure"]](x, y[order]) for order in orders])
        assert row["value"] == pytest.approx(value) and row["chance"] == pytest.approx(null.mean())
        sign = 1 if row["orientation"] == "similarity" else -1
        assert row["p"] == (1 + np.sum(sign * null >= sign * value)) / 21
    for _, rows in table.groupby("measure"):
        assert rows["p_fdr"].to_numpy() == pytest.approx(false_discovery_control(rows["p"]))
        assert (rows["p_max"] >= rows["p"]).all()


def test_without_others_each_pair_comes_once_and_both_orders_where_they_differ():
    named = spaces("abc")
    table = calibrate(named, ["cka", "information_imbalance"], n_permutations=5)
    counts = table.groupby("measure").size()
    assert counts["cka"] == 3 and counts["information_imbalance"] == 6
    both = table[table["measure"] == "information_imbalance"].set_index(["x", "y"])["value"]
    assert both["a", "b"] != both["b", "a"]
    one_way = calibrate(named, "rtd_lite", options={"rtd_lite": {"direction": "xy"}}, n_permutations=1)
    assert len(one_way) == 6


def test_little_memory_takes_the_kernels_in_turns_and_changes_nothing():
    named, other = spaces("abcd"), spaces("abc", seed=9)
    tables = [calibrate(named, "cka", against=other, n_permutations=9, max_memory=m) for m in ("1GB", 2 * N * N * 8)]
    pd.testing.assert_frame_equal(*tables)


def test_the_best_of_many_unrelated_pairs_is_found_by_p_and_not_by_p_max():
    level, by_p, by_max = 0.1, [], []
    for seed in range(60):
        left, right = unrelated(4, 20, seed), unrelated(4, 20, 1000 + seed)
        table = calibrate(left, "cka", against=right, n_permutations=19, rng=seed)
        by_p.append(table["p"].min() <= level)
        by_max.append(table.attrs["best"]["cka"]["p"] <= level)
    assert np.mean(by_p) > 0.5
    # 19 shuffles and the order as given: the level is kept exactly.
    assert np.mean(by_max) == pytest.approx(level, abs=tolerance.of_a_share(level, 60))


def test_pairs_that_have_something_in_common_are_found_among_those_that_have_not():
    left, right = unrelated(4), unrelated(4, seed=1)
    right["2"] = left["1"] + 0.5 * right["2"]
    for rate in ("bh", "by"):
        table = calibrate(left, "cka", against=right, n_permutations=999, rate=rate).set_index(["x", "y"])
        found = table.index[table["p_fdr"] <= 0.1]
        assert ("1", "2") in found and len(found) <= 2
        assert table.attrs["best"]["cka"] == {
            "x": "1",
            "y": "2",
            "value": table.loc[("1", "2"), "value"],
            "chance": pytest.approx(table.attrs["best"]["cka"]["chance"]),
            "p": 1 / 1000,
        }
    assert table["calibrated"].idxmax() == ("1", "2")


def test_width_inflates_the_value_and_not_the_calibrated_one():
    rng = np.random.default_rng(0)
    narrow, wide = ({w: rng.normal(size=(N, p)) for w in "xy"} for p in (4, 400))
    values = [calibrate(named, "cka", n_permutations=99).iloc[0] for named in (narrow, wide)]
    assert values[1]["value"] > values[0]["value"] + 0.5
    assert all(of["calibrated"] < 0.2 for of in values)
    x = rng.normal(size=(N, 4))
    for name in ("cka", "procrustes_normalized"):
        assert calibrate({"x": x, "y": 2 * x}, name, n_permutations=99)["calibrated"][0] == pytest.approx(1)


def test_measures_that_see_no_objects_have_p_of_one_and_no_calibrated_value():
    table = calibrate(spaces(), "magnitude_difference", n_permutations=9)
    assert (table["p"] == 1).all() and (table["calibrated"] == 0).all()


def test_a_sample_of_the_objects_is_the_same_for_all():
    named = spaces(n=120)
    table = calibrate(named, "cka", n_objects=50, n_permutations=3, rng=8)
    rows = np.sort(np.random.default_rng(8).choice(120, 50, replace=False))
    assert table.attrs["n_objects"] == 50
    assert table["value"][0] == pytest.approx(MEASURES["cka"](named["a"][rows], named["b"][rows]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"measures": "ckaa"}, KeyError, "did you mean cka"),
        ({"rate": "holm"}, ValueError, "rate is 'holm'; it must be one of 'bh', 'by'"),
        ({"n_permutations": 0}, ValueError, "n_permutations is 0"),
        ({"confidence_level": 1}, ValueError, "confidence_level is 1"),
        ({"n_objects": 1}, ValueError, "n_objects is 1"),
        ({"options": {"rsa": {}}}, ValueError, "options names 'rsa', not among the measures asked for"),
        ({"options": {"cka": {"k": 3}}}, TypeError, "cka has no option 'k'"),
        ({"against": {"y": np.ones((7, 2))}}, ValueError, "'y' has 7 rows and 'a' has 40"),
        ({"against": {}}, ValueError, "against is empty"),
        ({"against": np.ones((40, 2))}, TypeError, "against is one matrix"),
        ({"measures": "jaccard", "options": {"jaccard": {"k": 40}}}, ValueError, "k is 40"),
        ({"against": {"y": np.ones((40, 2))}}, ValueError, "y: every feature is constant"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        calibrate(spaces(), **({"n_permutations": 2} | arguments))


def test_one_representation_alone_is_refused():
    with pytest.raises(ValueError, match="representations has one entry; at least two are needed"):
        calibrate({"a": np.eye(4)})


def test_every_option_of_the_dense_kernels_is_known_to_their_shuffling():
    from helpers.similarity._shuffling import _DENSE

    for name in _DENSE:
        options = MEASURES[name].with_defaults({})
        assert set(options) <= set(inspect.signature(_DENSE[name]).parameters), name
