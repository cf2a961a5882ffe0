"""Values under shuffling against the measures themselves, and the level of what is said of many pairs."""

import inspect
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import tolerance
from scipy import stats
from scipy.stats import false_discovery_control

from helpers.similarity import MEASURES, _closed_forms, _planning, calibrate, mutual_knn
from helpers.similarity._closed_forms import closed_forms_of, largest_number_of_objects
from helpers.similarity._moments import form_of_factor, form_of_matrix, null_of, shape_of
from helpers.similarity._shuffling import _DENSE, _INDIFFERENT, has_ties, shuffling_of
from helpers.similarity.calibration import _moderated

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
    assert list(table.columns) == "measure x y value orientation chance p p_fdr p_max calibrated n null".split()
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
        ({"measures": []}, ValueError, "measures is empty"),
        ({"rate": "holm"}, ValueError, "rate is 'holm'; it must be one of 'bh', 'by'"),
        ({"n_permutations": 0}, ValueError, "n_permutations is 0"),
        ({"confidence_level": 1}, ValueError, "confidence_level is 1"),
        ({"n_objects": 1}, ValueError, "n_objects is 1"),
        ({"options": {"rsa": {}}}, ValueError, "options or plan names 'rsa', not among the measures asked for"),
        ({"options": {"cka": {"k": 3}}}, TypeError, "cka has no option 'k'"),
        ({"against": {"y": np.ones((7, 2))}}, ValueError, "'y' has 7 rows and 'a' has 40"),
        ({"against": {}}, ValueError, "against is empty"),
        ({"against": {1: np.eye(40), "1": np.eye(40)}}, ValueError, "against has two names that are written '1'"),
        ({"against": np.ones((40, 2))}, TypeError, "against is one matrix"),
        ({"measures": "jaccard", "options": {"jaccard": {"k": 40}}}, ValueError, "k is 40"),
        ({"against": {"y": np.ones((40, 2))}}, ValueError, "y: every feature is constant"),
        ({"budget": 0}, ValueError, "budget is 0"),
        ({"plan": {"rsa": {}}}, ValueError, "options or plan names 'rsa'"),
        ({"plan": {"cka": {"n": 3}}}, ValueError, r"plan\['cka'\] has 'n'; it can have n_objects"),
        ({"plan": {"cka": {"null": "guess"}}}, ValueError, "null 'guess'; it must be one of 'shuffles', 'fitted'"),
        ({"plan": {"cka": {"n_objects": 41}}}, ValueError, r"n_objects'\] is 41"),
        ({"plan": {"cka": {"null": "fitted"}}}, ValueError, r"n_permutations'\] is 2"),
        ({"measures": "cca", "plan": {"cca": {"null": "closed form"}}}, ValueError, "is not known for it"),
        ({"plan": {"cka": {"null": "closed form"}}, "against": {"y": np.ones((40, 2))}}, ValueError, "cka: y"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        calibrate(spaces(), **({"n_permutations": 2} | arguments))


def test_one_representation_alone_is_refused():
    with pytest.raises(ValueError, match="representations has one entry; at least two are needed"):
        calibrate({"a": np.eye(4)})


def test_rows_in_another_order_are_seen_in_what_is_given_one_by_one():
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)))
    with pytest.raises(ValueError, match=r"representations\[0\] and representations\[1\] carry the same row labels"):
        calibrate((one for one in (x, x[::-1])), n_permutations=2)


def test_every_option_of_the_dense_kernels_is_known_to_their_shuffling():
    for name in _DENSE:
        options = MEASURES[name].with_defaults({})
        assert set(options) <= set(inspect.signature(_DENSE[name]).parameters), name


def symmetric(n, seed, kind):
    rng = np.random.default_rng(seed)
    if kind == "factor":
        u = rng.normal(size=(n, 2))
        return u @ u.T
    entries = rng.normal(size=(n, n)) if kind == "normal" else rng.exponential(size=(n, n))
    return entries + entries.T


@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize("kinds", list(itertools.product(["normal", "skew", "factor"], repeat=2)), ids="-".join)
def test_three_moments_are_those_of_all_orders(n, kinds):
    a, b = (symmetric(n, seed, kind) for seed, kind in enumerate(kinds))
    orders = np.array(list(itertools.permutations(range(n))))
    sums = np.array([np.sum(a * b[np.ix_(order, order)]) for order in orders])
    null = null_of(form_of_matrix(a), form_of_matrix(b))
    off = tolerance.apart(n**6, condition=1e3)  # sums over six indices, and what cancels among them
    assert null.mean == pytest.approx(sums.mean(), rel=off, abs=off * np.abs(sums).max())
    assert null.deviation == pytest.approx(sums.std(), rel=off)
    assert null.skewness == pytest.approx(np.mean((sums - sums.mean()) ** 3) / sums.std() ** 3, rel=off, abs=off)


def test_features_have_the_moments_of_their_kernel():
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(N, 3)) + 1, rng.exponential(size=(N, 2))
    whole = null_of(form_of_matrix(u @ u.T), form_of_matrix(v @ v.T))
    narrow = null_of(form_of_factor(u, shape_of(u @ u.T)), form_of_factor(v, shape_of(v @ v.T)))
    assert narrow == pytest.approx(whole, rel=tolerance.apart(N**2, condition=1e3))


@pytest.mark.parametrize("name", _DENSE)
def test_a_closed_form_agrees_with_two_thousand_shuffles(name):
    left, right = spaces("ab", noise=4), spaces("cd", seed=5, noise=4)
    shuffled = calibrate(left, name, against=right, n_permutations=2000)
    closed = calibrate(left, name, against=right, plan={name: {"null": "closed form"}})
    off = tolerance.apart(N**2, condition=tolerance.condition(*left.values(), *right.values()))
    assert closed["value"].to_numpy() == pytest.approx(shuffled["value"].to_numpy(), rel=off)
    assert set(closed["null"]) == {"closed form"} and set(closed["n"]) == {N}
    for (_, a), (_, b) in zip(closed.iterrows(), shuffled.iterrows(), strict=True):
        # Between the Pearson distribution and that of n! orders lies more than chance: a twentieth of the share.
        assert a["p"] == pytest.approx(b["p"], abs=tolerance.of_a_share(max(b["p"], 1e-3), 2000) + 0.05 * b["p"] + 1e-3)
        assert a["chance"] == pytest.approx(b["chance"], rel=0.02, abs=5e-3)


@pytest.mark.parametrize("name", [name for name in _DENSE if name not in ("cka_rbf", "rsa", "rsm_norm_difference")])
def test_many_objects_have_the_closed_form_of_few_ones(name, monkeypatch):
    left, right = spaces("ab"), spaces("cd", seed=5)
    plan = {name: {"null": "closed form"}}
    few = calibrate(left, name, against=right, plan=plan)
    monkeypatch.setattr(_closed_forms, "DOUBLE", N - 1)
    many = calibrate(left, name, against=right, plan=plan)
    numbers = ["value", "chance", "p", "calibrated"]
    off = tolerance.apart(N**2, condition=1e4)
    assert many[numbers].to_numpy() == pytest.approx(few[numbers].to_numpy(), rel=off, abs=off)
    for options, most in (({}, np.inf), ({"unbiased": True}, N - 1), ({"kernel": "rbf"}, N - 1)):
        if name == "cka":
            assert largest_number_of_objects(MEASURES[name], MEASURES[name].with_defaults(options)) == most


#: Measures of a flag, and whether noise beside it changes little: where all directions weigh the same it decides.
ALONE = {
    "cka": True,
    "distance_correlation": True,
    "linear_regression": False,
    "eigenspace_overlap": False,
    "gulp": False,
}


@pytest.mark.parametrize("n", [3, 5, 20, 60, 1500])
@pytest.mark.parametrize("name", ALONE)
def test_where_one_object_decides_p_is_the_probability_that_it_meets_its_like(name, n):
    flag = (np.arange(n) == 1)[:, None] * 1.0
    noise = np.random.default_rng(0).normal(size=(n, 2))
    for x, y in ((flag, flag), (flag + 1e-9 * noise, flag + 1e-9 * noise[::-1]))[: 1 + ALONE[name]]:
        found = calibrate({"x": x}, name, against={"y": y}, plan={name: {"null": "closed form"}}).iloc[0]
        # Two orders of few objects are near each other if the others take more than one value.
        assert found["p"] >= (1 - tolerance.of_a_share(1 / n, 5040) * n if n > 7 else 1) / n - 1e-12


@pytest.mark.parametrize("n", [3, 4, 5, 6, 9])
def test_few_objects_have_p_values_that_hold_their_level(n):
    names = ["cka", "distance_correlation", "linear_regression", "distance_correlation_unbiased"][: 4 if n > 3 else 3]
    rng, repetitions = np.random.default_rng(n), 200
    p = {name: [] for name in names}
    for _ in range(repetitions):
        x, y = (rng.standard_t(2, size=(n, 2)) for _ in range(2))
        for name, found in p.items():
            table = calibrate({"x": x}, name, against={"y": y}, plan={name: {"null": "closed form"}})
            found.append(table["p"].iloc[0])
    for found in p.values():
        for level in (0.05, 0.2):
            assert np.mean(np.array(found) <= level) <= level + tolerance.of_a_share(level, repetitions)
        assert min(found) * math.factorial(n) >= 1 - 1e-9


def test_measures_without_a_kernel_have_no_closed_form():
    assert closed_forms_of(MEASURES["cca"], {}) is None
    assert largest_number_of_objects(MEASURES["rsa"], {}) == _closed_forms.DOUBLE


@pytest.mark.parametrize(("name", "shuffles"), [("procrustes_normalized", 4), ("cca", 9), ("cka", None)])
def test_fitted_distributions_keep_the_level(name, shuffles):
    level, found = 0.05, []
    for seed in range(25):
        left, right = unrelated(4, 30, seed), unrelated(4, 30, 1000 + seed)
        plan = {name: {"null": "fitted", "n_permutations": shuffles} if shuffles else {"null": "closed form"}}
        table = calibrate(left, name, against=right, plan=plan, rng=seed)
        found.append((table["p"] <= level).mean())
        assert (table["p_max"] == np.minimum(16 * table["p"], 1)).all()
    # Sixteen pairs of four times four representations are not independent: as many as the representations at worst.
    assert np.mean(found) == pytest.approx(level, abs=tolerance.of_a_share(level, 25 * 4))


def test_variances_are_drawn_together_by_as_much_as_they_are_alike():
    rng = np.random.default_rng(0)
    alike = rng.chisquare(3, size=400) / 3
    drawn, degrees = _moderated(alike, 3)
    assert np.ptp(drawn) < 0.05 * np.ptp(alike) and drawn.mean() == pytest.approx(
        1, abs=tolerance.of_a_mean((2 / 3) ** 0.5, 400)
    )
    assert degrees > 100
    sizes = np.exp(4 * rng.normal(size=400))
    kept, degrees = _moderated(sizes * alike, 3)
    assert np.median(np.abs(np.log(kept / (sizes * alike)))) < 0.5 and 3 < degrees < 4
    assert _moderated(alike[:2], 3) == (pytest.approx(alike[:2]), 3)


def test_measures_of_one_distance_find_it_once():
    named, kept = spaces("ab"), {}
    for name in ("procrustes", "procrustes_normalized", "angular_shape"):
        way = shuffling_of(MEASURES[name], MEASURES[name].with_defaults({}), kept)
        order = np.random.default_rng(0).permutation(N)
        way.values([way.left(named["a"], "a")], way.right(named["b"], "b"), order)
    assert sum(key[0] == "chord" for key in kept) == 1 and sum(key[1] == "shape" for key in kept) == 2


def test_few_shuffles_tell_what_is_far_beyond_them():
    named = spaces("abc", n=200, noise=0.3)
    plan = {"cca": {"null": "fitted", "n_permutations": 19}}
    table = calibrate(named, "cca", plan=plan)
    # Far below the least share of nineteen shuffles.
    assert (table["p"] < 1e-6).all() and (table["p_fdr"] < 1e-6).all() and set(table["null"]) == {"fitted"}
    counted = calibrate(named, "cca", n_permutations=19)
    assert (counted["p"] == 1 / 20).all()


def test_a_plan_gives_the_same_table_again():
    named = spaces("abc", n=300)
    names = ["cka", "jaccard", "procrustes", "magnitude_difference"]
    first = calibrate(named, names, n_permutations=29, budget=0.05, rng=3)
    again = calibrate(named, names, n_permutations=29, plan=first.attrs["plan"], rng=3)
    pd.testing.assert_frame_equal(first, again)
    assert list(first.attrs["plan"]) == names and first.attrs["plan"]["cka"]["null"] == "closed form"
    assert list(dict.fromkeys(first["measure"])) == names and set(first.attrs["seconds"]) == set(names)


def test_a_budget_takes_shuffles_before_objects_and_from_the_dear_before_the_cheap(monkeypatch):
    cheap, dear = _planning._Seconds(1e-6, 1e-6, 1e-6, 1e-6), _planning._Seconds(1e-6, 1e-6, 0.1, 0.1)
    times = {"jaccard": [(500, cheap), (1000, cheap)], "cca": [(500, dear), (1000, dear)]}
    monkeypatch.setattr(_planning, "_probed", lambda timed, *_: times[timed.args[0]])
    monkeypatch.setattr(_planning, "available_threads", lambda: 1)
    side = {str(i): np.zeros((4000, 1)) for i in range(3)}
    bound = {name: MEASURES[name].with_defaults({}) for name in times}
    planner = _planning.Planner(bound, side, side, dict.fromkeys(times, 9), 199)
    assert planner.next(["jaccard", "cca"], 1e6) == ("jaccard", (4000, 199, "shuffles"))
    # A shuffle of 9 pairs of 4000 objects takes 3.6 seconds: 9 · 0.1 · 4.
    for seconds, choice in [
        (1000, (4000, 199, "shuffles")),
        (400, (4000, 99, "fitted")),
        (80, (4000, 19, "fitted")),
        (20, (4000, 4, "fitted")),
        (15, (2000, 4, "fitted")),
        (0.1, (250, 4, "fitted")),
    ]:
        assert planner.next(["cca"], seconds) == ("cca", choice)


def test_a_measure_that_could_not_be_timed_leaves_the_others_what_they_need(monkeypatch):
    cheap = _planning._Seconds(1e-6, 1e-6, 1e-6, 1e-6)
    times = {"jaccard": [(500, cheap), (1000, cheap)], "cca": []}
    monkeypatch.setattr(_planning, "_probed", lambda timed, *_: times[timed.args[0]])
    side = {str(i): np.zeros((4000, 1)) for i in range(3)}
    bound = {name: MEASURES[name].with_defaults({}) for name in times}
    planner = _planning.Planner(bound, side, side, dict.fromkeys(times, 9), 199)
    assert planner.next(["cca", "jaccard"], 1e6) == ("jaccard", (4000, 199, "shuffles"))


def test_all_measures_within_a_budget_say_of_how_many_objects():
    left, right = spaces("ab", n=150), spaces("cd", seed=5, n=150)
    table = calibrate(left, "all", against=right, budget=1.0, options=QUICK, n_permutations=49)
    assert list(dict.fromkeys(table["measure"])) == list(MEASURES) and len(table) == 4 * len(MEASURES)
    assert (table["n"] == 150).all() and set(table["null"]) <= set(_planning.NULLS)
    assert not table.drop(columns="value").isna().any().any() and table["p"].between(0, 1).all()


def test_of_all_measures_those_without_a_value_are_told_and_the_others_stay():
    rng = np.random.default_rng(0)
    named = {name: np.linalg.qr(rng.normal(size=(60, 3)))[0] for name in "ab"}  # features with nothing in common
    with pytest.warns(UserWarning, match="a: its features have nothing in common"):
        table = calibrate(named, "all", budget=0.1, options=QUICK, n_permutations=5)
    assert set(table.attrs["undefined"]) == {"cka_sampled_features"}
    assert set(table["measure"]) == set(MEASURES) - {"cka_sampled_features"}
    with pytest.raises(ValueError, match="its features have nothing in common"):
        calibrate(named, ["cka", "cka_sampled_features"], n_permutations=5)


# Objects that are equally near


def flags(rng, n):
    return np.eye(3)[rng.integers(0, 3, n)]


def with_empty_rows(rng, n):
    return rng.normal(size=(n, 6)) * (rng.random((n, 1)) > 0.3)


def counts(rng, n):
    return rng.poisson(1.0, size=(n, 3)).astype(float)


@pytest.mark.parametrize("draw", [flags, with_empty_rows, counts])
def test_p_values_of_neighbours_hold_their_level_where_distances_are_equal(draw):
    names, studies = ["mutual_knn", "jaccard", "rank_similarity", "information_imbalance", "mka"], 40
    found = dict.fromkeys(names, 0)
    for number in range(studies):
        rng = np.random.default_rng(number)
        x, y = draw(rng, 50), draw(rng, 50)
        table = calibrate({"x": x}, names, against={"y": y}, n_permutations=19, rng=number)
        for name, p in zip(table["measure"], table["p"], strict=True):
            found[name] += p <= 0.05
    # More are found in one of ten thousand suites at level 0.05, all measures and ways of drawing counted.
    most = stats.binom.ppf(1 - 1e-4 / 15, studies, 0.05)
    assert max(found.values()) <= most, found


def test_equal_distances_are_seen_and_the_value_stays_that_of_the_measure():
    rng = np.random.default_rng(0)
    x, y = flags(rng, 40), with_empty_rows(rng, 40)
    assert has_ties(x, {"k": 10, "metric": "cosine"}) and has_ties(y, {"k": 10, "metric": "cosine"})
    assert not has_ties(rng.normal(size=(700, 5)).astype(np.float32) + 100, {"k": 10, "metric": "euclidean"})
    table = calibrate({"x": x}, ["mutual_knn"], against={"y": y}, n_permutations=19, rng=0)
    assert table["value"].iloc[0] == pytest.approx(mutual_knn(x, y))
