"""The streaming engine against plain dense computations, in memory, on tensors, stopped and resumed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from helpers.similarity._engine import compiled, features, passes, plan, resources, state
from helpers.similarity._engine.compiled import CANCELLED
from helpers.similarity._engine.features import feature_products
from helpers.similarity._engine.levels import LEVELS
from helpers.similarity._engine.passes import stream
from helpers.similarity._engine.requirements import Requirements, Totals
from helpers.similarity._engine.resources import memory_in_bytes
from helpers.similarity._engine.sources import common_dtype, open_sources
from helpers.similarity._engine.tensors import CHUNK, TorchKernels

EVERYTHING = Requirements(gram=True, distance=True, dissimilarity="correlation", neighbours=5)
PEARSON = Requirements(
    gram=True, distance=True, dissimilarity="euclidean", compare="pearson", neighbours=5, metric="euclidean"
)
SMALL = 6 << 20  # bytes


@pytest.fixture(autouse=True)
def precision_of_many_objects(monkeypatch):
    """Few objects are computed in double precision; here they stand for many."""
    monkeypatch.setattr(passes, "DOUBLE", 0)
    monkeypatch.setattr(features, "DOUBLE", 0)


def layers(n: int = 330, dtype: str = "float64") -> dict[str, np.ndarray]:
    """Three related representations with offsets, duplicates and zero rows."""
    rng = np.random.default_rng(5)
    base = rng.normal(size=(n, 6))
    out = {}
    for number, width in enumerate((8, 21, 13)):
        x = np.tanh(base @ rng.normal(size=(6, width))) + 0.3 * rng.normal(size=(n, width)) + rng.normal(size=width)
        x[[4, 90]] = x[30]
        x[[7, 61]] = 0
        out[f"layer {number}"] = x.astype(dtype)
    return out


def dense(named: dict[str, np.ndarray], requirements: Requirements) -> dict[str, np.ndarray]:
    """What a pass gathers, from n x n matrices in double precision."""
    data = [x.astype(np.float64) for x in named.values()]
    upper = np.triu_indices(len(data[0]), 1)
    centred = [x - x.mean(axis=0) for x in data]
    grams = [x @ x.T for x in centred]
    distances = [pdist(x) for x in data]
    rows = np.array([squareform(d).sum(axis=0) for d in distances])
    apart = [off_by_definition(x, requirements.dissimilarity) for x in data]
    if requirements.compare == "spearman":
        apart = [rankdata(d) - (len(d) + 1) / 2 for d in apart]
    return {
        "gram": np.array([[a[upper] @ b[upper] for a in grams] for b in grams]),
        "gram_diagonal": np.array([[np.diag(a) @ np.diag(b) for a in grams] for b in grams]),
        "distance": np.array([[a @ b for a in distances] for b in distances]),
        "distance_rows": rows,
        "dissimilarity": np.corrcoef(apart),
    }


def off_by_definition(x: np.ndarray, metric: str) -> np.ndarray:
    """Condensed distances; a row without a direction is at distance 1 from every other."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(pdist(x, metric), nan=1.0)


def cosines(products: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.diag(products))
    return products / np.outer(length, length)


def correlations(totals: Totals) -> np.ndarray:
    products = totals.dissimilarity
    if totals.dissimilarity_sum is not None:
        sums = totals.dissimilarity_sum
        products = products - np.outer(sums, sums) / (totals.n * (totals.n - 1) / 2)
    return cosines(products)


def bounds(named: dict[str, np.ndarray], requirements: Requirements, dtype: str) -> dict[str, np.ndarray]:
    """How far what a pass gathers may be off by rounding: for cosines and correlations (L, L), for row sums (L,).

    Products of entries of a block are summed in the precision of the pass over chunks, then in double precision.
    """
    data = [x.astype(np.float64) for x in named.values()]
    n = len(data[0])
    upper = np.triu_indices(n, 1)
    sums = tolerance.long_sum(CHUNK if dtype == "float32" else n * n // 2, dtype)
    moved: dict[str, list[float]] = {"gram": [], "gram_diagonal": [], "distance": [], "dissimilarity": []}
    rows = []
    for x in data:
        centred = x - x.mean(axis=0)
        error = tolerance.distance_bounds(x, dtype, CANCELLED[dtype])
        apart = squareform(pdist(x))
        moved["gram"].append(
            tolerance.of_correlation(tolerance.squared_distance_bounds(x, dtype)[upper], (centred @ centred.T)[upper])
        )
        moved["gram_diagonal"].append(tolerance.inner(x.shape[1], dtype))
        moved["distance"].append(tolerance.of_correlation(error[upper], apart[upper]))
        rows.append(2 * (error.sum(axis=0) / apart.sum(axis=0)).max() + tolerance.long_sum(n))
        values, error = off_by_definition(x, requirements.dissimilarity), error[upper]
        ties = 0.0
        if requirements.dissimilarity == "correlation":
            error = tolerance.cosine_distance_bounds(x - x.mean(axis=1, keepdims=True), dtype)[upper]
        if requirements.compare == "spearman":
            sizes = np.unique(values[error > 0], return_counts=True)[1]  # of copies, which are the same in all layers
            ties = tolerance.of_broken_ties(sizes, len(values), shared=True)
            values, error = rankdata(values), tolerance.rank_bounds(values, error)
        moved["dissimilarity"].append(ties + tolerance.of_correlation(error, values - values.mean()))
    return {name: np.add.outer(m, m) + sums for name, m in moved.items()} | {"distance_rows": np.array(rows)}


def check(totals: Totals, named: dict[str, np.ndarray], requirements: Requirements, dtype: str) -> None:
    expected = dense(named, requirements)
    off = bounds(named, requirements, dtype)
    off = {name: there + off[name] for name, there in bounds(named, requirements, "float64").items()}  # both sides
    for name in ("gram", "gram_diagonal", "distance"):
        error = np.abs(cosines(getattr(totals, name)) - cosines(expected[name]))
        assert (error <= off[name]).all(), (name, error.max())
    got, rows = totals.distance_rows, expected["distance_rows"]
    shares = got / got.sum(axis=1, keepdims=True), rows / rows.sum(axis=1, keepdims=True)
    for found, wanted, relative in zip(*shares, off["distance_rows"], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=relative)
    error = np.abs(correlations(totals) - expected["dissimilarity"])
    stated = 0 if totals.rank_error is None else np.add.outer(totals.rank_error, totals.rank_error)
    assert (error <= off["dissimilarity"] + stated).all(), error.max()
    for found, x in zip(totals.neighbours, named.values(), strict=True):
        check_nearest(found, x.astype(np.float64), requirements.metric, dtype)


def check_nearest(found: np.ndarray, x: np.ndarray, metric: str, dtype: str) -> None:
    """Neighbours by their distances; of a row without a direction, to which all are equally near, by index."""
    apart = squareform(off_by_definition(x, metric))
    error = {"cosine": tolerance.cosine_distance_bounds, "euclidean": tolerance.squared_distance_bounds}[metric]
    far = apart**2 if metric == "euclidean" else apart
    tolerance.assert_nearest(found, far, error(x, dtype) + error(x, "float64"), decided=0.9)
    k = found.shape[1]
    for i in np.flatnonzero(~x.any(axis=1)) if metric == "cosine" else ():
        np.testing.assert_array_equal(found[i], np.delete(np.arange(len(x)), i)[:k])


def run(named, requirements=EVERYTHING, memory=1 << 25, **options) -> Totals:
    return stream(open_sources(named), requirements, memory=memory, progress=False, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("requirements", [EVERYTHING, PEARSON], ids=["ranks", "values"])
@pytest.mark.parametrize("block_rows", [1, 96, 500])
def test_any_block_size_gives_the_dense_sums(dtype, requirements, block_rows):
    named = layers(dtype=dtype)
    check(run(named, requirements, block_rows=block_rows), named, requirements, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_two_passes_stay_within_the_bound_that_they_state(dtype, monkeypatch):
    monkeypatch.setattr(plan, "SORTED", 0)
    named = layers(dtype=dtype)
    totals = run(named, memory=SMALL, block_rows=20)
    assert totals.info["passes"] == 2 and 0 < totals.rank_error.max() < 5e-3  # a bound that says something
    check(totals, named, EVERYTHING, dtype)


def test_coarse_bins_keep_the_bound_too(monkeypatch):
    monkeypatch.setattr(plan, "SORTED", 0)
    named = layers()
    exact = dense(named, EVERYTHING)["dissimilarity"]
    make_plan = passes.make_plan

    def coarse(*arguments):
        from dataclasses import replace

        return replace(make_plan(*arguments), bins=64)

    monkeypatch.setattr(passes, "make_plan", coarse)
    totals = run(named)
    error = np.abs(correlations(totals) - exact)
    bound = totals.rank_error[:, None] + totals.rank_error[None, :]
    assert 1e-6 < error.max() and (error <= bound + 1e-12).all() and bound.max() < 0.3


def test_several_panels_give_what_one_gives(monkeypatch):
    named = layers()
    make_plan = passes.make_plan

    def short(*arguments):
        from dataclasses import replace

        return replace(make_plan(*arguments), panel=64, block=64)

    monkeypatch.setattr(passes, "make_plan", short)
    check(run(named), named, EVERYTHING, "float64")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_feature_space_gives_the_gram_sums(dtype):
    named = layers(dtype=dtype)
    expected = dense(named, EVERYTHING)
    totals = feature_products(open_sources(named), memory=1 << 24, progress=False)
    off = bounds(named, EVERYTHING, dtype)
    for name in ("gram", "gram_diagonal"):
        error = np.abs(cosines(getattr(totals, name)) - cosines(expected[name]))
        assert (error <= off[name] + bounds(named, EVERYTHING, "float64")[name]).all(), (name, error.max())


def test_feature_products_that_do_not_fit_together_take_several_passes_over_the_rows():
    rng = np.random.default_rng(0)
    named = [rng.normal(size=(40, 70)) for _ in range(4)]
    whole = feature_products(open_sources(named), memory=1 << 26, progress=False)
    parts = feature_products(open_sources(named), memory=500_000, progress=False)
    assert parts.info["groups"] > 1 and whole.info["groups"] == 1
    np.testing.assert_allclose(parts.gram, whole.gram, rtol=tolerance.apart(40 + 70))  # over rows, then features
    with pytest.raises(ValueError, match="need at least .* MiB"):
        feature_products(open_sources(named), memory=1000, progress=False)


@pytest.mark.parametrize("factor", [1e-30, 1e18])
def test_values_near_the_limits_of_single_precision_are_no_trouble(factor):
    named = {name: x * np.float32(factor) for name, x in layers(dtype="float32").items()}
    assert all(np.isfinite(x).all() for x in named.values())
    wide = {name: x.astype(np.float64) / factor for name, x in named.items()}
    check(run(named), wide, EVERYTHING, "float32")


@pytest.mark.parametrize("factor", [1e-305, 1e300])
def test_values_near_the_limits_of_double_precision_are_no_trouble(factor):
    named = layers()
    scaled = {name: x * factor for name, x in named.items()}
    check(run(scaled), named, EVERYTHING, "float64")


def test_a_large_offset_costs_no_digits_of_distances():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 64, size=(80, 9)) / 8
    far = (x + 4096).astype(np.float32)
    requirements = Requirements(distance=True)
    squares = x**2
    near, moved = (run({"x": z, "y": squares.astype(z.dtype)}, requirements) for z in (x, far))
    off = bounds({"x": x, "y": squares}, EVERYTHING, "float32")["distance"]  # as if there were no offset
    assert (abs(cosines(moved.distance) - cosines(near.distance)) <= off).all()
    assert common_dtype(open_sources([far])) == "float32"


def test_directions_of_rows_much_shorter_than_the_mean_are_computed_in_double_precision():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(100, 10)) + 3
    x[:5] *= 1e-5
    named = {"x": x.astype(np.float32), "y": rng.normal(size=(100, 4)).astype(np.float32)}
    totals = run(named, Requirements(neighbours=5))
    assert totals.info["dtype"] == "float64"
    wide = [z.astype(np.float64) for z in named.values()]
    for found, z in zip(totals.neighbours, wide, strict=True):
        check_nearest(found, z, "cosine", "float64")


def test_many_copies_of_an_object_are_taken_in_their_order():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 40)).astype(np.float32)
    copies = np.sort(rng.permutation(300)[:60])
    x[copies] = x[copies[0]]
    requirements = Requirements(neighbours=8)
    near = run({"x": x}, requirements, block_rows=64).neighbours[0]
    np.testing.assert_array_equal(near[copies[20]], copies[:8])
    seen = np.isin(near, copies).sum(axis=1)
    for i in np.flatnonzero(seen):
        expected = [c for c in copies if c != i][: seen[i]]
        np.testing.assert_array_equal([c for c in near[i] if c in copies], expected)
    others = np.setdiff1d(np.flatnonzero(seen), copies)
    assert len(others) > 5


def test_few_objects_are_computed_in_double_precision(monkeypatch):
    monkeypatch.setattr(passes, "DOUBLE", plan.DOUBLE)
    single, double = ({name: x.astype(dtype) for name, x in layers(dtype="float32").items()} for dtype in "fd")
    one, other = run(single), run(double)
    assert one.info["dtype"] == other.info["dtype"] == "float64"
    for name in ("gram", "distance", "distance_rows", "dissimilarity", "neighbours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_one_wide_type_makes_all_wide():
    x = np.arange(24.0).reshape(8, 3)
    assert common_dtype(open_sources([x.astype(np.float32), x.astype(np.float16)])) == "float32"
    assert common_dtype(open_sources([x.astype(np.float32), x.astype(np.int8)])) == "float64"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("requirements", [EVERYTHING, PEARSON], ids=["ranks", "values"])
def test_tensors_give_what_arrays_give(dtype, passes, requirements, monkeypatch):
    torch = pytest.importorskip("torch")
    from helpers.similarity._engine.tensors import TorchKernels

    monkeypatch.setattr(plan, "SORTED", 4096 if passes == 1 else 0)
    named = layers(dtype=dtype)
    tensors = {name: torch.as_tensor(x) for name, x in named.items()}
    totals = run(tensors, requirements, block_rows=40, kernels=TorchKernels("cpu"))
    check(totals, named, requirements, dtype)
    on_device = feature_products(open_sources(tensors), memory=1 << 26, progress=False, kernels=TorchKernels("cpu"))
    error = np.abs(cosines(on_device.gram) - cosines(totals.gram))
    assert (error <= 2 * bounds(named, requirements, dtype)["gram"]).all(), error.max()


def test_cuda_tensors_are_computed_where_they_are():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    named = layers(dtype="float32")
    tensors = {name: torch.as_tensor(x, device="cuda") for name, x in named.items()}
    check(run(tensors, block_rows=40), named, EVERYTHING, "float32")


class Stop(Exception):
    """Someone stops the run."""


@pytest.mark.parametrize("after", [8, 30])
def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch, after):
    monkeypatch.setattr(plan, "SORTED", 0)
    monkeypatch.setattr(state, "SAVE_EVERY", 0.0)
    named, path = layers(), tmp_path / "state"
    whole = run(named, block_rows=32, memory=SMALL)
    run_block, count = passes.run_block, []

    def stopping(*arguments):
        count.append(arguments[3])
        if len(count) > after:
            raise Stop
        return run_block(*arguments)

    monkeypatch.setattr(passes, "run_block", stopping)
    with pytest.raises(Stop):
        run(named, block_rows=32, memory=SMALL, checkpoint=path)
    assert path.exists()
    done = len(count)
    count.clear()
    monkeypatch.setattr(passes, "run_block", lambda *a: (count.append(a[3]), run_block(*a))[1])
    resumed = run(named, block_rows=32, memory=SMALL, checkpoint=path)
    assert not path.exists()
    blocks = 2 * 6 * 7 // 2
    assert 0 < len(count) < blocks - after + 10 and done + len(count) >= blocks
    np.testing.assert_array_equal(resumed.gram, whole.gram)
    np.testing.assert_array_equal(resumed.dissimilarity, whole.dissimilarity)
    np.testing.assert_array_equal(resumed.distance_rows, whole.distance_rows)
    np.testing.assert_array_equal(resumed.neighbours, whole.neighbours)


def test_a_checkpoint_of_other_data_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "SAVE_EVERY", 0.0)
    named, path = layers(), tmp_path / "state"
    monkeypatch.setattr(state.Checkpoint, "remove", lambda self: None)
    run(named, block_rows=50, checkpoint=path)
    named["layer 1"] = named["layer 1"][::-1]
    with pytest.raises(ValueError, match="belongs to other representations or options"):
        run(named, block_rows=50, checkpoint=path)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    named = layers(dtype="float32")
    monkeypatch.setattr(resources, "SMALL", 0)
    monkeypatch.setattr(resources, "available_threads", lambda: 1)
    one = run(named, block_rows=16)
    monkeypatch.setattr(resources, "available_threads", lambda: 7)
    many = run(named, block_rows=16)
    for name in ("gram", "distance", "distance_rows", "dissimilarity", "neighbours"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


def test_too_little_memory_is_refused_with_the_least_that_would_do():
    named = layers()
    with pytest.raises(ValueError, match=r"max_memory is 0 MiB; 3 representations of 330 objects need at least \d+"):
        run(named, memory=1000)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("budget", [40, 120])
def test_the_memory_is_kept_to(budget):
    script = """
        import sys
        import numpy as np
        from helpers.similarity._engine import plan
        from helpers.similarity._engine.passes import stream
        from helpers.similarity._engine.requirements import Requirements
        from helpers.similarity._engine.sources import open_sources

        def peak():
            return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024

        requirements = Requirements(True, True, "correlation", "spearman", 10)
        layers = [np.random.default_rng(m).standard_normal((5000, 160), dtype=np.float32) for m in range(6)]
        plan.SORTED = 0
        stream(open_sources([x[: plan.DOUBLE + 1, :5] for x in layers]), requirements, memory=20 << 20, progress=False)
        open("/proc/self/clear_refs", "w").write("5")
        before = peak()
        stream(open_sources(layers), requirements, memory=int(sys.argv[1]) << 20, progress=False)
        print(peak() - before)
    """
    environment = os.environ | {"PYTHONPATH": str(Path(passes.__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(budget)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=True,
    )
    assert float(done.stdout) <= budget


@pytest.mark.parametrize(("text", "value"), [("3GB", 3 * 10**9), ("500 MiB", 500 * 2**20), (1234, 1234)])
def test_memory_is_a_number_or_text(text, value):
    assert memory_in_bytes(text) == value


@pytest.mark.parametrize("wrong", ["much", -1, 0, True, None])
def test_memory_that_is_no_amount_is_refused(wrong):
    with pytest.raises(ValueError, match="max_memory is"):
        memory_in_bytes(wrong)


@pytest.mark.parametrize("kernels", [compiled, TorchKernels("cpu")], ids=["numpy", "torch"])
def test_equal_and_neighbouring_levels_share_their_rank(kernels):
    rng = np.random.default_rng(0)
    level = 2.0**-LEVELS  # of values whose largest is below 1
    values = np.repeat(rng.permutation(1 << 12)[:900] / (1 << 12), 3)
    expected = rankdata(values) - (len(values) + 1) / 2
    moved = np.clip(values + rng.uniform(-0.4, 0.4, len(values)) * level, 0, None)
    found = kernels.from_numpy(moved.copy())
    kernels.rank(found, kernels.words(len(values)))
    # Ranks are multiples of a half: any width below a quarter tells them apart.
    np.testing.assert_allclose(kernels.to_numpy(found) * len(values), expected, rtol=0, atol=0.2)


def test_every_pair_of_objects_whose_distances_are_sorted_has_its_place():
    assert plan.SORTED * (plan.SORTED - 1) // 2 <= 1 << compiled.PLACES
    with pytest.raises(ValueError, match="at most 8388608 can be ranked by one sort"):
        compiled.rank(np.empty((1 << compiled.PLACES) + 1), np.empty(0, np.uint64))
