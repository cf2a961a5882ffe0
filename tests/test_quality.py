"""Label-free qualities: special cases that can be worked out, invariances, bad input, and studies of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group, spearmanr

from helpers import quality
from helpers.clients import simulate, split
from helpers.ensembles import QP
from helpers.quality import QUALITIES
from helpers.similarity.cka import cka
from helpers.studies import label_free

ALONE = [name for name, entry in QUALITIES.items() if entry.needs == "x"]


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.5]) + 1


def given(name, x):
    """What a quality needs, made of one representation."""
    rng = np.random.default_rng(1)
    views = np.stack([x, x]) + 0.3 * rng.normal(size=(2, *x.shape)) if x.shape == (60, 5) else None
    return {"views": views, "others": [x[:, :2], x**2]}


# Definitions


def test_pseudo_condition_number_is_of_the_singular_values_that_are_not_zero():
    assert quality.pseudo_condition_number(np.diag([6.0, 3.0, 2.0])) == pytest.approx(3)
    assert quality.pseudo_condition_number(np.diag([6.0, 3.0, 0.0])) == pytest.approx(2)
    lost = np.outer(np.arange(1.0, 6), [1.0, 2.0]).astype(np.float32)  # rank one, but for rounding
    assert quality.pseudo_condition_number(lost) == pytest.approx(1)
    x = np.diag([1.0, 1e-8])
    assert quality.pseudo_condition_number(x) == 1 and quality.pseudo_condition_number(x, tolerance=0) > 1e7
    square = np.random.default_rng(0).normal(size=(6, 6))
    assert quality.pseudo_condition_number(square) == pytest.approx(np.linalg.cond(square))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
def test_alpha_req_reads_the_exponent_of_a_power_law(alpha):
    values = np.arange(1, 21) ** (-alpha / 2)
    u = ortho_group.rvs(20, random_state=0)
    x = np.vstack([np.diag(values), -np.diag(values)]) @ u + 7
    assert quality.alpha_req(x) == pytest.approx(alpha, abs=1e-6)
    assert quality.alpha_req(x, first=3, last=9) == pytest.approx(alpha, abs=1e-6)
    assert QUALITIES["alpha_req"](x) == pytest.approx(-abs(alpha - 1), abs=1e-6)


def test_alpha_req_weighs_by_one_over_the_rank(x):
    spectrum = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    k = np.arange(1, 6)
    design = np.column_stack([-np.log(k), np.ones(5)])
    w = np.diag(1 / k)
    slope = np.linalg.solve(design.T @ w @ design, design.T @ w @ np.log(spectrum))[0]
    assert quality.alpha_req(x) == pytest.approx(slope, rel=1e-9)


def test_nesum_is_the_stable_rank_of_the_centred_and_counts_white_directions(x):
    spectrum = np.linalg.eigvalsh(np.cov(x.T))
    assert quality.nesum(x) == pytest.approx(spectrum.sum() / spectrum.max())
    assert quality.nesum(x) == pytest.approx(quality.stable_rank(x - x.mean(axis=0)))
    assert quality.nesum(np.vstack([np.eye(4), -np.eye(4)])) == pytest.approx(4)


def test_self_clustering_is_zero_on_the_sphere_one_on_a_line_and_counts_pairs(x):
    rng = np.random.default_rng(0)
    assert abs(quality.self_clustering(rng.normal(size=(4000, 8)))) < 0.005
    assert quality.self_clustering(np.outer([1.0, -2, 3], [1.0, 1, 0])) == pytest.approx(1)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    n, p = x.shape
    expected = n + n * (n - 1) / p
    assert quality.self_clustering(x) == pytest.approx((np.sum((unit @ unit.T) ** 2) - expected) / (n**2 - expected))


def test_leverage_is_one_for_equals_and_n_over_r_for_a_row_of_its_own(x):
    assert quality.leverage(np.vstack([np.eye(3)] * 4)) == pytest.approx(1)
    alone = np.vstack([[100.0, 0], np.tile([0.0, 1], (9, 1))])
    assert quality.leverage(alone) == pytest.approx(10 / 2)
    hat = x @ np.linalg.solve(x.T @ x, x.T)
    assert quality.leverage(x) == pytest.approx(60 / 5 * np.diag(hat).max())
    assert quality.leverage(np.hstack([x, x])) == pytest.approx(quality.leverage(x))


def test_uniformity_by_its_definition(x):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert quality.uniformity(x, t=3) == pytest.approx(np.log(np.exp(-3 * pdist(unit, "sqeuclidean")).mean()))
    assert quality.uniformity(np.ones((4, 2))) == pytest.approx(0, abs=1e-12)
    assert quality.uniformity([[1.0, 0], [-1.0, 0]]) == pytest.approx(-8)
    even = np.random.default_rng(0).normal(size=(1500, 500))
    assert quality.uniformity(even) == pytest.approx(-4, abs=0.05)


def test_alignment_by_its_definition_and_over_all_pairs_of_views(x):
    rng = np.random.default_rng(0)
    views = x + rng.normal(size=(3, *x.shape))
    unit = views / np.linalg.norm(views, axis=2, keepdims=True)
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = np.mean([np.sum((unit[a] - unit[b]) ** 2, axis=1) for a, b in pairs])
    assert quality.alignment(views) == pytest.approx(expected)
    assert quality.alignment([x, 5 * x]) == pytest.approx(0, abs=1e-15)
    assert quality.alignment([x, -x]) == pytest.approx(4) and quality.alignment([x, -x], power=1) == pytest.approx(2)


def test_lidar_counts_the_directions_that_tell_objects_apart():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(400, 3)), rng.normal(size=(20, 400, 5))
    views = np.concatenate([np.tile(signal, (20, 1, 1)) * 10, 1e-3 * noise[..., :3], noise[..., 3:]], axis=2)
    views[..., :3] += 0.01 * rng.normal(size=(20, 400, 3))
    assert quality.lidar(views) == pytest.approx(3, abs=0.1)
    assert quality.rankme(views.reshape(-1, 8)) > 3.2  # what only views tell counts there
    one = np.array([[1.0, 0], [-1.0, 0]])
    assert quality.lidar([one, one]) == pytest.approx(1, abs=1e-4)


def test_lidar_by_its_definition(x):
    views = given("lidar", x)["views"]
    means = views.mean(axis=0)
    within = (views - means).reshape(-1, 5)
    between = means - means.mean(axis=0)
    lda = np.linalg.solve(within.T @ within / 120 + 1e-4 * np.eye(5), between.T @ between / 59)
    share = np.linalg.eigvals(lda).real
    share = share / share.sum() + 1e-7
    assert quality.lidar(views) == pytest.approx(np.exp(-np.sum(share * np.log(share))), rel=1e-9)


def test_persistence_is_the_length_of_the_minimum_spanning_tree(x):
    tree = minimum_spanning_tree(squareform(pdist(x))).sum()
    assert quality.persistence_h0(x, relative=False) == pytest.approx(tree)
    spread = np.sqrt(np.mean(pdist(x) ** 2))
    assert quality.persistence_h0(x) == pytest.approx(tree / spread)
    assert quality.persistence_h0(x, total=False) == pytest.approx(tree / spread / 59)
    assert quality.persistence_h0(np.array([[0.0, 0], [3, 4], [3, 4]]), relative=False) == pytest.approx(5)
    part = quality.persistence_h0(x, subset=20, rng=3)
    assert part == quality.persistence_h0(x, subset=20, rng=3) and part != quality.persistence_h0(x, subset=20, rng=4)


def test_persistence_is_what_a_library_for_homology_gives(x):
    ripser = pytest.importorskip("ripser")
    bars = ripser.ripser(x, maxdim=0)["dgms"][0]
    assert quality.persistence_h0(x, relative=False) == pytest.approx(bars[np.isfinite(bars[:, 1]), 1].sum(), rel=1e-5)


def test_clustering_is_the_share_of_variance_within_clusters():
    centres = np.repeat([[0.0, 0.0], [10.0, 0.0]], 50, axis=0)
    noise = np.random.default_rng(0).normal(size=(100, 2))
    x = centres + noise
    within = sum(np.sum((part - part.mean(axis=0)) ** 2) for part in (x[:50], x[50:]))
    total = np.sum((x - x.mean(axis=0)) ** 2)
    assert quality.clustering(x, n_clusters=2) == pytest.approx(within / total)
    assert quality.clustering(x, n_clusters=2, relative=False) == pytest.approx(within / 100)
    assert quality.clustering(centres, n_clusters=5) == 0


def test_agreement_is_the_mean_similarity_with_the_others(x):
    others = [x[:, :2], x**2, np.tanh(x)]
    assert quality.agreement(x, others) == pytest.approx(np.mean([cka(x, other) for other in others]))
    assert quality.agreement(x, others, measure=lambda a, b: b.shape[1]) == pytest.approx(4)


def test_dropout_views_keep_the_mean_and_never_lose_a_row(x):
    views = quality.dropout_views(x, rate=0.5, count=400)
    assert views.shape == (400, 60, 5) and np.abs(views.mean(axis=0) - x).max() < 1.5
    assert set(np.unique(views / x)) <= {0.0, 2.0} and (views != 0).any(axis=2).all()
    assert np.array_equal(views[:2], quality.dropout_views(x, rate=0.5, count=400)[:2])
    assert (quality.dropout_views(x, rate=0.999) != 0).any(axis=2).all()


# Invariances, as the registry has them


@pytest.mark.parametrize("name", QUALITIES)
def test_invariances_are_those_of_the_registry(name, x):
    entry = QUALITIES[name]
    views, others = given(name, x)["views"], given(name, x)["others"]
    rotation = ortho_group.rvs(5, random_state=1)
    shear = np.eye(5) + np.triu(np.random.default_rng(2).normal(size=(5, 5)), 1)
    maps = {
        "rotation": lambda z: z @ rotation,
        "scale": lambda z: 3 * z,
        "translation": lambda z: z + [5.0, -4, 3, -2, 1],
        "linear": lambda z: z @ shear,
    }
    base = entry.value(x, views=views, others=others)
    for invariance, changed in maps.items():
        value = entry.value(changed(x), views=changed(views), others=others)
        assert (value == pytest.approx(base, rel=1e-6)) == (invariance in entry.invariances), invariance


def test_lidar_hardly_depends_on_scale(x):
    views = given("lidar", x)["views"]
    assert quality.lidar(1000 * views) == pytest.approx(quality.lidar(100 * views), rel=1e-6)


@pytest.mark.parametrize("name", QUALITIES)
def test_values_lie_in_their_range_and_are_turned_so_that_larger_is_better(name, x):
    entry, options = QUALITIES[name], given(name, x)
    value = entry.value(x, **options)
    low, high = entry.range.split(" for")[0][1:-1].split(", ", 1)
    known = {
        "n/(n-1)": 60 / 59,
        "∞": np.inf,
        "min(n, p)": 5,
        "min(n-1, p)": 5,
        "-1/(n-1)": -1 / 59,
        "-1/(p-1)": -0.25,
        "n/r": 12,
        "p": 5,
    }
    bounds = [known[end] if end in known else float(end) for end in (low, high)]
    assert bounds[0] <= value <= bounds[1]
    turned = {"larger": value, "smaller": -value, "near 1": -abs(value - 1)}[entry.better]
    assert entry(x, **options) == pytest.approx(turned)


@pytest.mark.parametrize(
    "name", ["rankme", "coherence", "persistence_h0", "nesum", "stable_rank", "self_clustering", "uniformity"]
)
def test_collapse_to_a_line_is_worse(name, x):
    line = np.outer(np.abs(x[:, 0]) + 1, np.ones(5)) + 1e-3 * x
    assert QUALITIES[name](line) < QUALITIES[name](x)


@pytest.mark.parametrize("name", ALONE)
def test_float32_and_tensors_give_what_float64_gives(name, x):
    expected = QUALITIES[name].value(x)
    assert QUALITIES[name].value(x.astype(np.float32)) == pytest.approx(expected, rel=1e-3)
    assert QUALITIES[name].value(torch.from_numpy(x)) == pytest.approx(expected, rel=1e-9)


def test_ensembles_take_every_quality_of_one_representation_by_name(x):
    layers = {"a": x, "b": x**3, "c": x[:, ::-1] + 2}
    for name in ALONE:
        fitted = QP(0.1, quality=name, similarity=np.eye(3)).fit(layers)
        assert fitted.quality_.tolist() == pytest.approx([QUALITIES[name](z) for z in layers.values()])
    with pytest.raises(ValueError, match="needs views="):
        QP(quality="lidar", similarity=np.eye(3)).fit(layers)


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quality.pseudo_condition_number(np.zeros((3, 2))), "zero everywhere"),
        (lambda: quality.pseudo_condition_number(np.eye(3), tolerance=1), "tolerance is 1"),
        (lambda: quality.alpha_req(np.ones((4, 3))), "every feature is constant"),
        (lambda: quality.alpha_req(np.arange(4.0)[:, None]), "1 that are not zero; two are the least"),
        (lambda: quality.nesum([[1.0, np.nan], [0.0, 1.0]]), r"x\[0, 1\] is NaN"),
        (lambda: quality.self_clustering(np.ones((3, 1))), "one feature"),
        (lambda: quality.uniformity([[1.0], [0.0]]), "row 1 is zero"),
        (lambda: quality.uniformity(np.eye(2), t=0), "t is 0"),
        (lambda: quality.clustering(np.eye(3), n_clusters=8), r"clusters is 8; it must be between 2 and 2 \(3 rows\)"),
        (lambda: quality.persistence_h0(np.ones((3, 2))), "every feature is constant"),
        (lambda: quality.persistence_h0(np.eye(3), subset=1), "subset is 1"),
        (lambda: quality.alignment([np.eye(2)]), "views has 1 view"),
        (lambda: quality.alignment(np.eye(2)), r"views has shape \(2, 2\)"),
        (lambda: quality.alignment([np.eye(2), np.eye(3)]), r"views\[1\] has shape \(3, 3\)"),
        (lambda: quality.lidar([np.ones((3, 2)), np.ones((3, 2))]), "all objects have the same mean"),
        (lambda: quality.lidar([np.eye(2)] * 2, delta=0), "delta is 0"),
        (lambda: quality.agreement(np.eye(3), []), "others is empty"),
        (lambda: quality.agreement(np.eye(3), [np.eye(3)], measure="procrustes"), "measure is 'procrustes'"),
        (lambda: quality.dropout_views(np.eye(3), rate=1), "rate is 1"),
        (lambda: QUALITIES["alignment"](np.eye(3)), "needs views="),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Studies of clients


@pytest.fixture(scope="module")
def clients():
    """Four models of 300 clients: classes seen through more and more noise."""
    rng = np.random.default_rng(0)
    target = pd.Series(rng.integers(0, 3, 300), index=[f"c{i}" for i in range(300)])
    parts = pd.Series(rng.permutation(["train"] * 140 + ["validation"] * 60 + ["test"] * 100), index=target.index)
    seen = np.eye(3)[target] @ rng.normal(size=(3, 6))
    models = {i: pd.DataFrame(seen + (0.5 + i) * rng.normal(size=(300, 6)), index=target.index) for i in range(4)}
    return models, target, parts


SMALL = {"names": ["rankme", "coherence", "alignment", "agreement"], "raw": ["rankme"], "classifier": "logistic"}


def test_a_study_has_each_weighting_and_what_it_is_measured_against(clients):
    found = label_free.study(*clients, **SMALL, lambdas=[0.1])
    keys = found.methods[["quality", "combine", "scale", "lam"]]
    assert not keys.duplicated().any() and len(found.models) == 4
    weights = found.methods["weights"].str.split(" ", expand=True).astype(float)
    assert np.allclose(weights.sum(axis=1), 1, atol=2e-3) and (weights >= 0).all(axis=None)
    assert set(found.methods.loc[found.methods["labels"], "quality"]) == {"validation", "test"}
    best = found.methods.set_index(["combine", "quality"]).loc["best"]
    test = found.models["test"]
    assert best.loc["test", "accuracy"] == test.max() and best.loc["random", "accuracy"] == pytest.approx(test.mean())
    assert best.loc["validation", "accuracy"] == test[found.models["validation"].idxmax()]
    wide = found.methods.set_index("combine")["width"]
    assert wide["side by side"] == 24 and (wide["sum"] == 6).all() and (wide["concat"] <= 6).all()
    halves = found.models[["half_a", "half_b"]].mean(axis=1)
    assert np.allclose(halves, test, atol=0.02)


def test_no_test_label_and_no_test_row_changes_a_weight(clients):
    models, target, parts = clients
    before = label_free.study(*clients, **SMALL).methods
    rng = np.random.default_rng(0)
    test = (parts == "test").to_numpy()
    shuffled = target.copy()
    shuffled[test] = rng.permutation(target[test])
    other = {name: model * np.where(test, 7, 1)[:, None] for name, model in models.items()}
    free = ~before["quality"].isin(["test"])
    for after in (label_free.study(models, shuffled, parts, **SMALL), label_free.study(other, target, parts, **SMALL)):
        assert before.loc[free, "weights"].equals(after.methods.loc[free, "weights"])
    relabelled = target.copy()
    relabelled[~test] = rng.permutation(target[~test])
    after = label_free.study(models, relabelled, parts, **SMALL).methods
    assert before.loc[~before["labels"], "weights"].equals(after.loc[~before["labels"], "weights"])


def test_the_weights_of_a_study_are_those_of_the_program(clients):
    models, target, parts = clients
    found = label_free.study(*clients, **SMALL).methods.set_index(["quality", "combine", "scale"])
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
        label_free.study({0: models[0]}, target, parts)
    with pytest.raises(ValueError, match="luck is no label-free quality"):
        label_free.study(models, target, parts, names=["luck"])
    with pytest.raises(ValueError, match="combine has"):
        label_free.study(models, target, parts, combine=["product"])
    with pytest.raises(ValueError, match="model '2' is constant over the 140 clients"):
        label_free.study(models | {2: models[2] * 0 + 3}, target, parts)
    with pytest.raises(ValueError, match="alpha_req of model '1': eigenvalues 1 to 1"):
        label_free.study(models | {1: models[1][[0]]}, target, parts)


def made(rng, relation=0.0, experiments=10):
    test = rng.normal(size=(experiments, 6))
    noise = rng.normal(size=(experiments, 6, 3))
    table = pd.DataFrame((relation * test[..., None] + noise).reshape(-1, 3), columns=["a", "b", "c"])
    # Levels of experiments differ, which says nothing of their models.
    level = np.repeat(np.arange(experiments), 6)
    return table.add(level, axis=0).assign(experiment=level, test=test.ravel() + level)


def test_ranking_is_the_mean_correlation_within_experiments():
    table = made(np.random.default_rng(0), 1.0)
    found = label_free.ranking(table, ["a", "b"], n_resamples=999)
    each = [spearmanr(part["a"], part["test"]).statistic for _, part in table.groupby("experiment")]
    assert found.loc["a", "spearman"] == pytest.approx(np.mean(each)) and found.loc["a", "p"] < 0.01
    assert found.loc["a", "ci_low"] < found.loc["a", "spearman"] < found.loc["a", "ci_high"]
    assert spearmanr(table["a"], table["test"]).statistic > found.loc["a", "spearman"]  # levels would flatter it
    assert (found["p_holm"] >= found["p"]).all()


def test_correlations_of_experiments_have_the_mean_of_the_ranking_and_partial_ones_are_those_of_the_formula():
    table = made(np.random.default_rng(1), 1.0)
    found = label_free.correlations(table, ["a", "b"])
    assert found.mean().to_numpy() == pytest.approx(label_free.ranking(table, ["a", "b"])["spearman"].to_numpy())
    partial = label_free.correlations(table, ["a", "c"], given="c")
    for experiment, part in table.groupby("experiment"):
        r, s, t = (spearmanr(part[x], part[y]).statistic for x, y in (("a", "test"), ("a", "c"), ("c", "test")))
        assert partial.loc[experiment, "a"] == pytest.approx((r - s * t) / np.sqrt((1 - s**2) * (1 - t**2)))
    assert (partial["c"] == 0).all()  # nothing is left of what is held fixed
    table.loc[table["experiment"] == 3, "a"] = np.nan
    table.loc[table["experiment"] == 4, "a"] = 1.0
    gaps = label_free.correlations(table, ["a"], given="b")["a"]
    assert np.isnan(gaps[3]) and gaps[4] == 0 and len(gaps) == 10


def test_what_hides_in_another_column_is_gone_when_that_is_held_fixed():
    rng = np.random.default_rng(0)
    columns = rng.integers(1, 6, size=(200, 6))
    table = pd.DataFrame({"experiment": np.repeat(np.arange(200), 6), "columns": columns.ravel()})
    table["a"], table["test"] = 2 * columns.ravel() + rng.normal(size=(2, 1200))
    assert label_free.correlations(table, ["a"])["a"].mean() > 0.6
    assert abs(label_free.correlations(table, ["a"], given="columns")["a"].mean()) < 0.1


def test_ranking_holds_its_level_without_any_relation_and_its_intervals_cover():
    rng = np.random.default_rng(0)
    found = [label_free.ranking(made(rng, experiments=17), ["a", "b", "c"], n_resamples=199) for _ in range(120)]
    p, holm = (np.array([one[column] for one in found]) for column in ("p", "p_holm"))
    assert (p <= 0.05).mean() < 0.09 and (holm.min(axis=1) <= 0.05).mean() < 0.11
    covered = np.mean([(one["ci_low"] <= 0) & (one["ci_high"] >= 0) for one in found])
    assert 0.88 < covered < 0.98


def test_against_pairs_methods_by_experiment():
    rows = [
        {"experiment": e, "quality": q, "combine": "sum", "scale": "none", "lam": 1.0, "accuracy": a}
        for e in range(6)
        for q, a in (("equal", 0.5), ("good", 0.55 + 0.001 * e), ("same", 0.5))
    ]
    found = label_free.against(pd.DataFrame(rows), {"quality": "equal"}).set_index("quality")
    assert found.loc["good", "percent"] == pytest.approx(10.5) and found.loc["good", "win"] == 100
    assert found.loc["good", "verdict"] == "better" and found.loc["good", "p"] == pytest.approx(2 / 64)
    assert found.loc["same", "win"] == 50 and found.loc["same", "verdict"] == "not distinguishable"
    with pytest.raises(ValueError, match="names 0 rows"):
        label_free.against(pd.DataFrame(rows), {"quality": "nobody"})


def test_halves_share_out_the_events_of_each_client():
    clients = simulate(12, rng=0)
    first, second = label_free.halves(clients, rng=1)
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
    settings = {"features": ["category"], "hidden": 8, "epochs": 1, "shortest": 3, "longest": 6, "seed": 1}
    whole, views = label_free.with_views(clients, parts, **settings)
    assert np.allclose(whole, coles.embed(clients, parts, **settings).embeddings, atol=1e-5)
    assert views.shape == (2, 40, 8) and np.isfinite(views).all() and not np.allclose(views[0], views[1])
