"""The registry of qualities: what it says of them is so."""

import sys

import numpy as np
import pytest
import tolerance
import torch
from scipy.stats import ortho_group

from helpers.ensembles import QP
from helpers.quality import QUALITIES

ALONE = [name for name, entry in QUALITIES.items() if entry.needs == "x"]

#: Shares of few objects, which may stay as they are where nothing says that they must.
COUNTS = {"antihubs", *(name for name, entry in QUALITIES.items() if entry.needs == "labels")}


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ np.diag([3.0, 2.0, 1.0, 1.0, 0.5]) + 1


def given(name, x):
    """What a quality needs, made of one representation."""
    rng = np.random.default_rng(1)
    views = np.stack([x, x]) + 0.3 * rng.normal(size=(2, *x.shape)) if x.shape == (60, 5) else None
    return {"views": views, "others": [x[:, :2], x**2], "labels": np.arange(60) % 3}


@pytest.mark.parametrize("name", QUALITIES)
def test_invariances_are_those_of_the_registry(name, x):
    entry = QUALITIES[name]
    views, others, labels = given(name, x).values()
    rotation = ortho_group.rvs(5, random_state=1)
    shear = np.eye(5) + np.triu(np.random.default_rng(2).normal(size=(5, 5)), 1)
    maps = {
        "rotation": lambda z: z @ rotation,
        "scale": lambda z: 3 * z,
        "translation": lambda z: z + [5.0, -4, 3, -2, 1],
        "linear": lambda z: z @ shear,
    }
    base = entry.value(x, views=views, others=others, labels=labels)
    for invariance, changed in maps.items():
        value = entry.value(changed(x), views=changed(views), others=others, labels=labels)
        # Sums that lose six of sixteen digits still agree, and no real change is so small.
        same = value == pytest.approx(base, rel=1e-6)
        assert same == (invariance in entry.invariances) or (same and name in COUNTS), invariance


@pytest.mark.parametrize("name", QUALITIES)
def test_values_lie_in_their_range_and_are_turned_so_that_larger_is_better(name, x):
    entry, options = QUALITIES[name], given(name, x)
    value = entry.value(x, **options)
    low, high = entry.range.split(" for")[0][1:-1].split(", ", 1)
    known = {
        "n/(n-1)": 60 / 59,
        "∞": np.inf,
        "-∞": -np.inf,
        "1/p": 0.2,
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
    "name",
    ["rankme", "mean_cosine", "persistence_h0", "nesum", "stable_rank", "self_clustering", "uniformity"]
    + ["participation_ratio", "isoscore", "two_nn", "mle_dimension"],
)
def test_collapse_to_a_line_is_worse(name, x):
    line = np.outer(np.abs(x[:, 0]) + 1, np.ones(5)) + 1e-3 * x
    assert QUALITIES[name](line) < QUALITIES[name](x)


@pytest.mark.parametrize("name", ALONE)
def test_float32_and_tensors_give_what_float64_gives(name, x):
    expected = QUALITIES[name].value(x)
    lost = tolerance.condition(x) * tolerance.offset(x)
    single, double = (tolerance.apart(2 * 60, dtype, condition=lost) for dtype in ("float32", "float64"))
    assert QUALITIES[name].value(x.astype(np.float32)) == pytest.approx(expected, rel=single)
    assert QUALITIES[name].value(torch.from_numpy(x)) == pytest.approx(expected, rel=double)


def test_ensembles_take_every_quality_of_one_representation_by_name(x):
    layers = {"a": x, "b": x**3, "c": x[:, ::-1] + 2}
    for name in ALONE:
        fitted = QP(0.1, quality=name, similarity=np.eye(3)).fit(layers)
        assert fitted.quality_.tolist() == pytest.approx([QUALITIES[name](z) for z in layers.values()])
    with pytest.raises(ValueError, match="needs views="):
        QP(quality="lidar", similarity=np.eye(3)).fit(layers)


def test_what_a_quality_needs_is_named():
    for needs in ("views", "others", "labels"):
        name = next(name for name, entry in QUALITIES.items() if entry.needs == needs)
        with pytest.raises(ValueError, match=f"needs {needs}="):
            QUALITIES[name](np.eye(3))


def test_every_entry_says_what_it_is_and_stands_in_the_module_of_its_function():
    for name, entry in QUALITIES.items():
        assert entry.definition and entry.reference and entry.cost and entry.misses
        assert entry.better in ("larger", "smaller", "near 1")
        module = sys.modules[entry.function.__module__]
        assert module.QUALITIES[name] is entry


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mean_cosine", 0), ("self_clustering", 0), ("alignment", 2)],
)
def test_chance_is_what_noise_gives(name, expected):
    draws = QUALITIES[name].chance(400, 6, n_draws=39)
    assert (np.diff(draws) >= 0).all() and np.array_equal(draws, QUALITIES[name].chance(400, 6, n_draws=39))
    assert draws[0] < expected < draws[-1]


@pytest.mark.parametrize("name", [name for name in QUALITIES if QUALITIES[name].shared is not None])
@pytest.mark.parametrize("shape", [(60, 5), (20, 30)])
def test_what_is_shared_gives_what_the_function_gives(name, shape):
    from helpers.quality._space import Space

    x = np.random.default_rng(3).normal(size=shape) + 1
    # Eigenvalues of inner products have half the digits; of 20 rows one of 20 values is rounding, and is left out.
    assert QUALITIES[name].shared(Space(x)) == pytest.approx(QUALITIES[name].value(x), rel=1e-6)
