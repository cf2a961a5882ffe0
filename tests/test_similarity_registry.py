"""Every statement of the registry, measured: what is claimed holds, and what is not claimed has a counterexample."""

import inspect
import itertools
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tolerance

from helpers.similarity.registry import INVARIANCES, MEASURES

KEYS = (
    "cca svcca pwcca cka cka_rbf cka_unbiased rsa jaccard rank_similarity second_order_cosine distance_correlation "
    "distance_correlation_unbiased procrustes procrustes_normalized angular_shape permutation_procrustes "
    "aligned_cosine hard_correlation_match soft_correlation_match linear_regression rsm_norm_difference "
    "eigenspace_overlap gulp imd geometry_score concentricity_difference magnitude_difference uniformity_difference "
    "mutual_knn rtd rtd_lite cka_sampled_features cknna cycle_knn mka information_imbalance probe_transfer "
    "soft_matching partial_soft_matching nts srtd_lite max_rtd_lite"
).split()
N_SEEDS = 4
# Some measures take a root or an arc cosine, and what sums of 40 terms lose at 0 becomes its root there. What is no
# rounding is a thousand times as much at least.
ROOT, REAL = 8 * float(np.sqrt(tolerance.inner(40))), 1e-3
N_OBJECTS = {"geometry_score": 80}  # with 64 objects or fewer, the landmarks are all of them

SHARING = {"cka_sampled_features"}  # undefined where the features of a representation have nothing in common
# With itself, what cannot come back from its neighbours does not: the share of the others is no more than 1.
ALIKE_AT_MOST = {"cycle_knn"}

each_measure = pytest.mark.parametrize("name", KEYS)
each_distance = pytest.mark.parametrize("name", [k for k in KEYS if MEASURES[k].orientation == "distance"])


def pair(seed, name="", p=5, q=7):
    """Two related representations of different widths, off the origin, with points a fraction of a unit apart."""
    rng, n = np.random.default_rng(seed), N_OBJECTS.get(name, 40)
    x = 0.3 * rng.normal(size=(n, p)) + 0.2 * rng.normal(size=p)
    if name in SHARING:
        x = x + 0.5 * rng.normal(size=(n, 1)) * rng.uniform(1, 2, size=p)
    y = 0.5 * x @ rng.normal(size=(p, q)) + 0.2 * rng.normal(size=(n, q)) + 0.2 * rng.normal(size=q)
    return x, y


def transformed(x, invariance, rng):
    p = x.shape[1]
    if invariance == "rotation":
        return x @ np.linalg.qr(rng.normal(size=(p, p)))[0]
    if invariance == "permutation":
        return x[:, rng.permutation(p)]
    if invariance == "isotropic scale":
        return x * rng.uniform(2, 3)
    if invariance == "invertible map":
        return x @ (np.diag(rng.uniform(0.3, 3, size=p)) @ rng.normal(size=(p, p)))
    return x + rng.normal(size=p)


def changes(name, invariance):
    """Relative changes of the value when x or y is transformed."""
    measure, found = MEASURES[name], []
    for seed in range(1 if name in N_OBJECTS else N_SEEDS):
        rng = np.random.default_rng(seed + 100)
        x, y = pair(seed, name)
        value = measure(x, y)
        for a, b in ((transformed(x, invariance, rng), y), (x, transformed(y, invariance, rng))):
            found.append(abs(measure(a, b) - value) / max(abs(value), 1e-3))
    return found


def triples(n):
    """Three representations: unrelated ones, and a second between the first and the third; widths equal or not."""
    for seed in range(N_SEEDS):
        rng = np.random.default_rng(seed)
        for widths in ((4, 4, 4), (2, 5, 3), (5, 2, 5), (1, 2, 1)):
            x, y, z = (0.3 * rng.normal(size=(n, w)) + 0.2 * rng.normal(size=w) for w in widths)
            yield x, y, z
            width = max(x.shape[1], z.shape[1])
            wide_x, wide_z = (np.pad(a, ((0, 0), (0, width - a.shape[1]))) for a in (x, z))
            yield x, (wide_x + wide_z) / 2, z
            yield x, np.hstack([x, z]) / 2, z
            yield x, np.hstack([x, -x]) / 2, -x


def counterexample():
    """Four points each; found by search."""
    x, z = np.array([[1.0, -0.2, 0.1, 0.8]]).T, np.array([[0.5, 0.6, -0.1, -0.2]]).T
    yield x, np.array([[-0.8, 0.4], [-0.3, 0.6], [1.1, -0.3], [0.3, 0.1]]), z


def three_in_a_row():
    """Three points in a triangle between the two orders of three on a line, beside two far points that set the unit."""
    far = [[0.0, 0.0, 100.0, 0.0], [0.0, 0.0, 0.0, 100.0]]
    first, last = ([[a, 0.0, 0.0, 0.0] for a in order] for order in ((0, 1, 2), (0, 1, -1)))
    triangle = [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.5, 0.75**0.5, 0.0, 0.0]]
    yield tuple(np.array(points + far) for points in (first, triangle, last))


COUNTEREXAMPLES = {"rtd": counterexample, "srtd_lite": three_in_a_row}


def excess(measure, x, y, z):
    """By how much the way over y is shorter than the direct one, over the direct one."""
    direct = measure(x, z)
    return (direct - measure(x, y) - measure(y, z)) / max(direct, 1e-3)


def test_every_measure_of_the_benchmark_and_of_the_core_is_there():
    assert sorted(MEASURES) == sorted(KEYS) and len(MEASURES) == len(KEYS)
    assert all(key == MEASURES[key].name for key in MEASURES)


def test_an_unknown_name_is_answered_with_the_closest_ones():
    with pytest.raises(KeyError, match="did you mean cka"):
        MEASURES["CKA".lower() + "a"]
    with pytest.raises(KeyError, match="there are cca, svcca"):
        MEASURES["0"]


def test_the_registry_cannot_be_changed():
    with pytest.raises(TypeError):
        MEASURES["cka"] = MEASURES["cca"]
    with pytest.raises(AttributeError):
        MEASURES["cka"].metric = True


def test_importing_the_registry_loads_no_measure():
    code = """
import sys, types, helpers
package = types.ModuleType("helpers.similarity")
package.__path__ = [helpers.__path__[0] + "/similarity"]
sys.modules["helpers.similarity"] = package
import helpers.similarity.registry
print([m for m in sys.modules if m.split(".")[0] in ("numpy", "scipy", "torch", "numba")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_entries_travel_between_processes():
    assert pickle.loads(pickle.dumps(MEASURES["procrustes"])) == MEASURES["procrustes"]


@each_measure
def test_fields_are_of_their_kinds(name):
    measure = MEASURES[name]
    assert measure.orientation in ("similarity", "distance")
    assert measure.range[0] < measure.range[1]
    assert measure.invariances <= set(INVARIANCES)
    assert measure.summary.endswith(".") and "\n" not in measure.summary and measure.cost
    assert not (measure.metric and measure.orientation == "similarity")
    assert "invertible map" not in measure.invariances or measure.invariances >= set(INVARIANCES[:4])


@each_measure
def test_the_source_is_in_the_bibliography(name):
    bibliography = (Path(__file__).parents[1] / "book" / "references.bib").read_text(encoding="utf-8")
    assert re.search(rf"@\w+{{{MEASURES[name].reference},", bibliography)


@each_measure
def test_calling_an_entry_calls_the_function(name):
    x, y = pair(0, name)
    measure = MEASURES[name]
    assert measure.function.__name__ == name
    value = measure(x, y)
    assert type(value) is float and value == measure.function(x, y)


@each_measure
@pytest.mark.parametrize("invariance", INVARIANCES)
def test_claimed_invariances_hold_and_others_have_a_counterexample(name, invariance):
    found = changes(name, invariance)
    if invariance in MEASURES[name].invariances:
        assert max(found) < ROOT
    else:
        assert max(found) > REAL


@each_measure
def test_symmetric_or_shown_not_to_be(name):
    measure = MEASURES[name]
    pairs = [pair(seed, name) for seed in range(N_SEEDS)]
    gaps = [abs(measure(x, y) - measure(y, x)) / max(abs(measure(x, y)), 1e-3) for x, y in pairs]
    rounding = tolerance.apart(40, condition=tolerance.condition(*pairs[0])) / 1e-3  # of values down to 1e-3
    assert max(gaps) < rounding if measure.symmetric else max(gaps) > REAL


@each_measure
def test_values_stay_in_the_range(name):
    measure = MEASURES[name]
    low, high = measure.range
    rng = np.random.default_rng(5)
    inputs = [pair(seed, name) for seed in range(N_SEEDS)]
    inputs += [(x, x) for x, _ in inputs[:2]] + [(x, -x) for x, _ in inputs[:2]]
    if name in SHARING:
        assert all(low <= measure(x, y) <= high for x, y in inputs)
        return
    inputs += [(rng.normal(size=(30, 2)), rng.normal(size=(30, 9)))]
    inputs += [(np.sign(x[:, :2]) + 1e-3 * x[:, :2], y[:, :2] ** 3) for x, y in inputs[:2]]
    assert all(low <= measure(x, y) <= high for x, y in inputs)


@each_measure
def test_a_representation_is_most_alike_to_itself(name):
    measure = MEASURES[name]
    for seed in range(N_SEEDS):
        x, _ = pair(seed, name)
        if name in ALIKE_AT_MOST:
            others = [pair(100 + other, name)[0] for other in range(N_SEEDS)]
            assert max(measure(x, other, k=2) for other in others) < measure(x, x, k=2) <= 1
            continue
        best = measure.range[0] if measure.orientation == "distance" else 1.0
        assert measure(x, x) == pytest.approx(best, abs=ROOT)
        assert measure(x, x.copy()) == measure(x, x)


@each_distance
def test_triangle_inequality_holds_or_is_shown_to_fail(name):
    measure = MEASURES[name]
    three = COUNTEREXAMPLES[name]() if name in COUNTEREXAMPLES else triples(N_OBJECTS.get(name, 24))
    found = (excess(measure, *each) for each in three)
    rounding = tolerance.apart(24, condition=10) / 1e-3  # of distances down to 1e-3, where three points lie on a line
    assert max(found) < rounding if measure.metric else any(e > 10 * REAL for e in found)


@each_measure
def test_stochastic_measures_take_a_seed_and_only_they(name):
    measure = MEASURES[name]
    assert ("rng" in inspect.signature(measure.function).parameters) == measure.stochastic
    if measure.stochastic:
        x, y = pair(1)
        assert measure(x, y, rng=3) == measure(x, y, rng=3)
        generators = [np.random.default_rng(3) for _ in range(2)]
        assert measure(x, y, rng=generators[0]) == measure(x, y, rng=generators[1])


@each_measure
def test_prepared_representations_give_the_same_value(name):
    measure = MEASURES[name]
    assert (measure.prepare is None) == (measure.between is None)
    if measure.prepare is None:
        return
    x, y = pair(2, name)
    value = measure.between(measure.prepare(x), measure.prepare(y))
    assert value == pytest.approx(measure(x, y), rel=tolerance.apart(40))
    # prepare takes every option of the measure, in one meaning.
    options = [p for p in inspect.signature(measure.function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    prepared = inspect.signature(measure.prepare).parameters
    assert [p.name for p in options] == [p for p in prepared if p not in ("x", "name")]
    assert all(p.default == prepared[p.name].default for p in options)


@pytest.mark.parametrize(
    "name", [k for k in KEYS if k in ("procrustes", "gulp", "linear_regression", "aligned_cosine")]
)
def test_representations_that_do_not_fit_are_refused_also_when_prepared_alone(name):
    measure = MEASURES[name]
    with pytest.raises(ValueError, match="both must describe the same objects"):
        measure.between(measure.prepare(np.eye(4)), measure.prepare(np.eye(5)))


def test_all_pairs_of_keys_differ_in_value():
    x, y = pair(3)
    x[:, -1] *= 1e-2  # less than 1 % of the variance: svcca leaves it out
    values = {name: MEASURES[name](*(pair(3, name) if name in SHARING else (x, y))) for name in KEYS}
    for a, b in itertools.combinations(KEYS, 2):
        assert values[a] != values[b], (a, b)
