"""Matrices of representations and tables of measures: right, labelled, checked, wherever the data live."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import signal
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import tolerance
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from helpers.similarity import matrices
from helpers.similarity._engine import compiled, plan
from helpers.similarity.matrices import STREAMED, STUDY, compare, similarity_matrices, similarity_matrix
from helpers.similarity.registry import MEASURES
from helpers.similarity.streaming import Requirements, Streamed

GOLDEN = Path(__file__).parent / "golden"


def representations(n: int = 90, dtype: str = "float64") -> dict[str, np.ndarray]:
    """Three related representations of different widths."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(n, 6))
    y = x @ rng.normal(size=(6, 9)) + rng.normal(size=(n, 9)) + 2
    return {"x": x.astype(dtype), "y": y.astype(dtype), "z": (np.abs(x) + rng.normal(size=(n, 6))).astype(dtype)}


def by_definition(measure: str, named: dict[str, np.ndarray], **options) -> np.ndarray:
    return np.array([[MEASURES[measure](a, b, **options) for b in named.values()] for a in named.values()])


def rounding(measure: str, named: dict[str, np.ndarray], dtype: str) -> float:
    """How far a measure may be off by rounding: in single precision near ties decide ranks and the order of neighbours.

    The others are ratios of sums of products that do not cancel; 100 u is some six inner products of 9 terms one upon
    another, and in double precision the definition that they are compared with has as much to itself: 10⁴ u.
    """
    data = [x.astype(np.float64) for x in named.values()]
    n = len(data[0])
    if measure == "rsa" and dtype == "float32":
        upper, moved = np.triu_indices(n, 1), []
        for x in data:
            error = tolerance.cosine_distance_bounds(x - x.mean(axis=1, keepdims=True), dtype)[upper]
            values = pdist(x, "correlation")
            moved.append(
                tolerance.of_correlation(tolerance.rank_bounds(values, error), rankdata(values) - len(values) / 2)
            )
        return 2 * max(moved)
    if measure == "rank_similarity" and dtype == "float32":
        undecided = [n * np.mean(~tolerance.decided(squareform(pdist(x, "cosine")), bounds(x), 10)) for x in data]
        return 2 * max(undecided) / n
    return 100 * tolerance.unit(dtype) if dtype == "float32" else 1e4 * tolerance.unit(dtype)


def bounds(x: np.ndarray) -> np.ndarray:
    return tolerance.cosine_distance_bounds(x, "float32")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_one_pass_gives_what_the_measures_give_pair_by_pair(dtype):
    named = representations(dtype=dtype)
    found = similarity_matrices(named, STREAMED, progress=False, block_rows=32)
    assert list(found) == list(STREAMED)
    for name, matrix in found.items():
        assert list(matrix.index) == list(matrix.columns) == ["x", "y", "z"]
        off = rounding(name, named, dtype)
        np.testing.assert_allclose(matrix, by_definition(name, named), atol=off, rtol=0, err_msg=name)
        assert matrix.attrs["orientation"] == MEASURES[name].orientation


def test_no_rounding_can_change_the_sets_of_neighbours_of_these_data():
    for x in representations().values():
        for metric in ("cosine", "euclidean"):
            apart = squareform(pdist(x, metric)) ** (2 if metric == "euclidean" else 1)
            np.fill_diagonal(apart, np.inf)
            error = bounds(x) if metric == "cosine" else tolerance.squared_distance_bounds(x, "float32")
            nearest = np.sort(apart, axis=1)
            assert (nearest[:, 10] - nearest[:, 9] > 2 * error.max(axis=1)).all()


@pytest.mark.parametrize(
    ("measure", "options"),
    [
        ("cka", {"unbiased": True}),
        ("cka", {"kernel": "rbf"}),
        ("rsa", {"compare": "pearson"}),
        ("rsa", {"distance": "euclidean"}),
        ("rsa", {"distance": "sqeuclidean", "compare": "pearson"}),
        ("rsa", {"distance": "sqeuclidean"}),
        ("rsa", {"distance": "cosine"}),
        ("rsa", {"distance": "cityblock"}),
        ("jaccard", {"k": 3, "metric": "euclidean"}),
        ("mutual_knn", {"k": 89}),
        ("rank_similarity", {"k": 4, "metric": "correlation"}),
        ("pwcca", {"weights": "y"}),
        ("gulp", {"regularisation": 0.1}),
    ],
)
def test_options_reach_the_measure(measure, options):
    named = representations()
    matrix = similarity_matrix(named, measure, progress=False, **options)
    off = rounding(measure, named, "float64")
    np.testing.assert_allclose(matrix, by_definition(measure, named, **options), rtol=0, atol=off)


def test_measures_with_different_options_take_passes_of_their_own():
    named = representations()
    options = {"jaccard": {"k": 3}, "mutual_knn": {"k": 5}}
    found = similarity_matrices(named, ["jaccard", "mutual_knn", "cka"], options=options, progress=False)
    for name, matrix in found.items():
        expected, off = by_definition(name, named, **options.get(name, {})), rounding(name, named, "float64")
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=off, err_msg=name)


@pytest.mark.parametrize("measure", sorted(set(MEASURES) - set(STREAMED) - {"rtd", "geometry_score"}))
def test_every_other_measure_is_computed_in_both_directions_where_they_differ(measure):
    named = representations(60)
    if measure == "cka_sampled_features":  # undefined where the features have nothing in common
        named = {name: x + x[:, :1] + 1 for name, x in named.items()}
    matrix = similarity_matrix(named, measure, progress=False).to_numpy()
    expected, off = by_definition(measure, named), rounding(measure, named, "float64")
    aside = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(matrix[aside], expected[aside], rtol=off, atol=off)
    # An angle or a distance of 0 is the root of what rounding leaves of sums of 60 terms.
    zero = np.sqrt(2 * tolerance.inner(60)) * max(1, abs(expected).max())
    np.testing.assert_allclose(np.diag(matrix), np.diag(expected), rtol=off, atol=zero)


def test_rtd_is_that_of_the_pairs():
    named = representations(40)
    options = {"trials": 2, "batch": 25}
    matrix = similarity_matrix(named, "rtd", progress=False, **options)
    of_means = tolerance.apart(2)
    np.testing.assert_allclose(matrix, by_definition("rtd", named, **options), rtol=of_means)


def test_one_pass_over_the_reference_inputs_gives_the_reference_values():
    values = json.loads((GOLDEN / "golden.json").read_text())["values"]
    names = {
        "cka": "resi.CKA",
        "rsa": "resi.RSA",
        "jaccard": "resi.JaccardSimilarity",
        "distance_correlation": "resi.DistanceCorrelation",
    }
    checked = 0
    with np.load(GOLDEN / "golden.npz") as arrays:
        for case in sorted({key.split("/")[0] for key in arrays.files}):
            if case.startswith("degenerate"):
                continue
            x, y = (arrays[f"{case}/{side}"] for side in "XY")
            for name, matrix in similarity_matrices({"x": x, "y": y}, STUDY, progress=False).items():
                off = 2 * rounding(name, {"x": x, "y": y}, str(x.dtype))  # theirs and ours
                assert matrix.loc["x", "y"] == pytest.approx(values[case][names[name]], rel=0, abs=off), case
                checked += 1
    assert checked >= 4 * 15


def test_files_maps_lists_tensors_and_dask_arrays_give_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    import dask.array as da

    named = representations(dtype="float32")
    expected = similarity_matrices(named, STUDY, progress=False)
    for name, x in named.items():
        np.save(tmp_path / f"{name}.npy", x)
    forms = [
        {name: tmp_path / f"{name}.npy" for name in named},
        {name: str(tmp_path / f"{name}.npy") for name in named},
        {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in named},
        {name: torch.as_tensor(x) for name, x in named.items()},
        {name: da.from_array(x, chunks=(m, 4)) for (name, x), m in zip(named.items(), (7, 90, 31), strict=True)},
        list(named.values()),
        {"x": torch.as_tensor(named["x"]), "y": named["y"], "z": tmp_path / "z.npy"},
    ]
    for form in forms:
        found = similarity_matrices(form, STUDY, progress=False)
        for name, matrix in found.items():
            np.testing.assert_array_equal(matrix.to_numpy(), expected[name].to_numpy())
    assert list(similarity_matrix(forms[5], progress=False).index) == ["0", "1", "2"]


def test_half_precision_is_computed_as_single_and_whole_numbers_as_double():
    named = {name: np.round(x * 8) for name, x in representations().items()}
    whole = similarity_matrices({name: x.astype(np.int16) for name, x in named.items()}, STUDY, progress=False)
    half = similarity_matrices({name: x.astype(np.float16) for name, x in named.items()}, STUDY, progress=False)
    for name in STUDY:
        # Whole numbers and half precision are exact here, and ties are ties in both.
        expected, off = by_definition(name, named), rounding(name, named, "float64")
        np.testing.assert_allclose(whole[name], expected, rtol=0, atol=off, err_msg=name)
        off = rounding(name, named, "float32")
        np.testing.assert_allclose(half[name], whole[name], rtol=0, atol=off, err_msg=name)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_objects(n):
    named = representations(n)
    options = {"jaccard": {"k": 1}}
    measures = [name for name in STUDY if n > 2 or name != "rsa"]
    options = {"jaccard": {"k": 1}}
    for name, matrix in similarity_matrices(named, measures, options=options, progress=False).items():
        expected, off = by_definition(name, named, **options.get(name, {})), rounding(name, named, "float64")
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=off, err_msg=name)
    with pytest.raises(ValueError, match="k is 10"):
        similarity_matrix(named, "jaccard", progress=False)


@pytest.mark.parametrize(("measure", "n"), [("rsa", 2), ("cka_unbiased", 3), ("distance_correlation_unbiased", 3)])
def test_too_few_objects_are_refused(measure, n):
    with pytest.raises(ValueError, match=f"x has {n} rows; {measure} needs at least {n + 1}"):
        similarity_matrix(representations(n), measure, progress=False)


def test_fewer_objects_than_features_and_one_feature():
    rng = np.random.default_rng(0)
    named = {"wide": rng.normal(size=(12, 70)), "two": rng.normal(size=(12, 2)), "one": rng.normal(size=(12, 1))}
    for name in ("cka", "jaccard", "distance_correlation"):
        matrix = similarity_matrix(named, name, progress=False)
        off = rounding(name, named, "float64")
        np.testing.assert_allclose(matrix, by_definition(name, named), rtol=0, atol=off)
    with pytest.raises(ValueError, match="one: all distances between objects are equal"):
        similarity_matrix(named, "rsa", progress=False)


@pytest.mark.parametrize("measure", ["cka", "distance_correlation", "rsa", "cka_unbiased"])
def test_a_constant_representation_is_refused_by_name(measure):
    named = representations() | {"flat": np.full((90, 3), 7.1)}
    with pytest.raises(ValueError, match="flat: "):
        similarity_matrix(named, measure, progress=False)


def test_a_constant_feature_counts_for_nothing():
    named = representations(dtype="float32")
    padded = {name: np.column_stack([x, np.full(90, 0.1, np.float32)]) for name, x in named.items()}
    for name in ("cka", "distance_correlation"):
        matrices_of = [similarity_matrix(of, name, progress=False) for of in (named, padded)]
        # Up to 10 terms, added up in another order.
        np.testing.assert_allclose(*matrices_of, rtol=0, atol=tolerance.inner(10, "float32"))


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_entry_that_is_not_finite_is_named(value, word, dtype):
    named = representations(dtype=dtype)
    named["y"][70, 3] = value
    with pytest.raises(ValueError, match=rf"y\[70, 3\] is {word}"):
        similarity_matrix(named, progress=False)


def test_rows_that_disagree_are_named_on_both_sides(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((5, 2)))
    np.save(tmp_path / "b.npy", np.ones((6, 2)))
    with pytest.raises(ValueError, match="first has 5 rows and second has 6"):
        similarity_matrix({"first": tmp_path / "a.npy", "second": tmp_path / "b.npy"})


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones((50, 20)))
    mapped = np.load(path, mmap_mode="r")
    os.truncate(path, 4000)
    with pytest.raises(ValueError, match=r"a: .*a\.npy is truncated: its header promises 8128 bytes .*has 4000"):
        similarity_matrix({"a": path})
    with pytest.raises(ValueError, match=r"m: .* is truncated: the memory map needs 8128 bytes, the file has 4000"):
        similarity_matrix({"m": mapped})
    os.truncate(path, 20)
    with pytest.raises(ValueError, match="a: .* is not a complete .npy file"):
        similarity_matrix({"a": path})


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"a": np.ones(4)}, ValueError, r"a has shape \(4,\)"),
        ({"a": np.ones((4, 0))}, ValueError, "at least one feature"),
        ({"a": np.ones((1, 4))}, ValueError, "at least 2"),
        ({"a": np.ones((4, 4), complex)}, TypeError, "a has dtype complex128"),
        ({"a": [["x", "y"]]}, TypeError, "real numbers"),
        ({}, ValueError, "empty"),
        (3, TypeError, "representations is a int"),
        ({1: np.ones((3, 3)), "1": np.ones((3, 3))}, ValueError, "two entries named '1'"),
        ({"a": "nowhere.npy"}, FileNotFoundError, "a: there is no file nowhere.npy"),
    ],
)
def test_what_is_no_set_of_matrices_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        similarity_matrix(wrong, progress=False)


def test_unknown_names_and_options_are_refused():
    named = representations()
    with pytest.raises(KeyError, match="did you mean"):
        similarity_matrix(named, "jacard")
    with pytest.raises(ValueError, match="options names 'rsa'"):
        similarity_matrices(named, ["cka"], options={"rsa": {}})
    with pytest.raises(TypeError, match="depth"):
        similarity_matrix(named, "cka", progress=False, depth=3)
    with pytest.raises(ValueError, match="needs at least|need at least"):
        similarity_matrix(named, "rsa", max_memory="10kB", progress=False)


def test_an_error_of_one_pair_names_it():
    named = representations() | {"flat": np.full((90, 3), 7.1)}
    with pytest.raises(ValueError, match="flat"):
        similarity_matrix(named, "angular_shape", progress=False)


def test_progress_is_shown_only_where_asked(capfd):
    named = representations()
    similarity_matrices(named, ["rsa", "procrustes"], progress=False)
    assert capfd.readouterr().err == ""
    similarity_matrices(named, ["rsa", "procrustes"])
    shown = capfd.readouterr().err
    assert "pairs of objects" in shown and "procrustes" in shown


def test_a_stopped_matrix_of_pairs_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(matrices, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(matrices, "available_threads", lambda: 1)
    named, path = representations(), tmp_path / "state"
    whole = similarity_matrix(named, "cka_rbf", progress=False)
    module = __import__("helpers.similarity.cka", fromlist=["cka_rbf"])
    measure, count = module.cka_rbf, []

    def stopping(x, y):
        count.append(1)
        if len(count) == 4:
            raise KeyboardInterrupt
        return measure(x, y)

    monkeypatch.setattr(module, "cka_rbf", stopping)
    with pytest.raises(KeyboardInterrupt):
        similarity_matrix(named, "cka_rbf", progress=False, checkpoint=path)
    assert list(tmp_path.iterdir())
    count[:] = [1] * 4
    resumed = similarity_matrix(named, "cka_rbf", progress=False, checkpoint=path)
    assert len(count) == 4 + 3 and list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(resumed, whole)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def lazy(named):
    """The same as Dask arrays, each cut differently."""
    import dask.array as da

    return {name: da.from_array(x, chunks=(m, 5)) for (name, x), m in zip(named.items(), (37, 110, 400), strict=True)}


def off_a_cluster(name):
    """Tasks add up in any order. Ranks that are counted in bins are off by less than the bound that is stated.

    Of 54 285 distances in 2²² bins some 351 pairs share one: that is 4e-6 at worst (:func:`tolerance.of_broken_ties`),
    and a hundredth of it where the orders within are of no account to the other ranking.
    """
    return 1e-6 if name == "rsa" else 1e4 * tolerance.unit()


def test_a_cluster_gives_what_one_process_gives(client, monkeypatch):
    named = representations(330)
    expected = similarity_matrices(named, [*STREAMED, "procrustes"], progress=False)
    assert client.cluster.scheduler.address
    found = similarity_matrices(lazy(named), list(expected), progress=False, scheduler=client, max_memory="50MB")
    for name, matrix in found.items():
        assert matrix.attrs.get("rank_error_bound", 0) < 1e-2
        np.testing.assert_allclose(matrix, expected[name], rtol=0, atol=off_a_cluster(name), err_msg=name)
    by_address = similarity_matrix(lazy(named), progress=False, scheduler=client.scheduler.address)
    np.testing.assert_allclose(by_address, expected["cka"], rtol=0, atol=off_a_cluster("cka"))
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", client.scheduler.address)
    found = similarity_matrix(lazy(named), progress=False)
    np.testing.assert_allclose(found, expected["cka"], rtol=0, atol=off_a_cluster("cka"))


def test_an_array_that_the_cluster_holds_stays_there(client):
    named = representations(330)
    held = {name: x.persist() for name, x in lazy(named).items()}
    found = similarity_matrix(held, "distance_correlation", progress=False, scheduler=client)
    expected = similarity_matrix(named, "distance_correlation", progress=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=off_a_cluster("distance_correlation"))


def test_a_worker_that_is_killed_changes_nothing(client, monkeypatch):
    named = representations(330)
    expected = similarity_matrices(named, STREAMED, progress=False)
    from helpers.similarity._engine import cluster

    merge, killed = cluster.merge, threading.Event()

    def merging(*arguments):
        merge(*arguments)
        if not killed.is_set():
            killed.set()
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    monkeypatch.setattr(cluster, "merge", merging)
    started = time.monotonic()
    found = similarity_matrices(lazy(named), STREAMED, progress=False, scheduler=client, block_rows=32)
    assert killed.is_set() and time.monotonic() - started < 60
    for name, matrix in found.items():
        np.testing.assert_allclose(matrix, expected[name], rtol=0, atol=off_a_cluster(name), err_msg=name)


def test_memory_of_a_task_does_not_grow_with_the_number_of_objects():
    class Two:
        def threads(self):
            return 2

    from helpers.similarity._engine import compiled
    from helpers.similarity._engine.plan import Layer, make_plan

    requirements = Requirements(True, True, "correlation", "spearman", 10)
    panels = []
    for n in (10**6, 10**8):
        source = type("Huge", (), {"shape": (n, 64)})()
        layer = Layer(64, np.zeros(64), 0.0, 1.0)
        plan = make_plan([source], (layer,), "float32", requirements, 200 << 20, None, compiled, 1, Two())
        panels.append((plan.block, plan.panel))
    assert panels[0] == panels[1]


def test_a_scheduler_must_be_one():
    with pytest.raises(TypeError, match="scheduler is a int"):
        similarity_matrix(representations(), scheduler=3, progress=False)


def test_compare_puts_each_value_beside_chance():
    named = representations()
    table = compare(named["x"], named["y"], ["cka", "procrustes", "magnitude_difference"], n_permutations=60)
    assert list(table.columns) == ["value", "orientation", "chance", "p", "seconds"]
    for name in table.index:
        assert table.loc[name, "value"] == MEASURES[name](named["x"], named["y"])
        assert table.loc[name, "orientation"] == MEASURES[name].orientation
    assert table.loc["cka", "chance"] < table.loc["cka", "value"]
    assert table.loc["procrustes", "chance"] > table.loc["procrustes", "value"]
    assert table.loc["cka", "p"] == table.loc["procrustes", "p"] == pytest.approx(1 / 61)
    assert table.loc["magnitude_difference", "p"] == 1


def test_independent_representations_look_like_chance():
    rng = np.random.default_rng(3)
    p = [
        compare(rng.normal(size=(30, 4)), rng.normal(size=(30, 5)), "cka", n_permutations=19, rng=rng).loc["cka", "p"]
        for _ in range(40)
    ]
    # Even between 1/20 and 1.
    assert np.mean(p) == pytest.approx(0.525, abs=tolerance.of_a_mean(np.sqrt(1 / 12), 40))
    assert min(p) < 0.3 and max(p) > 0.7


def test_half_sample_intervals_cover_the_value_of_the_source():
    rng = np.random.default_rng(4)

    def draw(n):
        x = rng.normal(size=(n, 2))
        return x, x + rng.normal(size=(n, 2))

    truth = MEASURES["cka_unbiased"](*draw(20_000))
    inside = []
    for _ in range(60):
        row = compare(
            *draw(80), "cka_unbiased", interval="subsample", confidence_level=0.9, n_resamples=80, rng=rng
        ).iloc[0]
        assert row["ci_low"] < row["value"] < row["ci_high"]
        inside.append(row["ci_low"] <= truth <= row["ci_high"])
    assert 0.75 <= np.mean(inside) <= 1.0  # 60 intervals: four standard errors of 0.04


def test_all_measures_in_one_table_with_notes_where_undefined():
    named = representations(8)
    options = {"geometry_score": {}, "rtd": {"trials": 1, "batch": 8}}
    table = compare(named["x"], named["y"], options={"rtd": options["rtd"]})
    assert list(table.index) == list(MEASURES)
    assert "k is 10" in table.loc["jaccard", "note"] and np.isnan(table.loc["jaccard", "value"])
    assert table["value"].isna().eq(table["note"].notna()).all()
    with pytest.raises(ValueError, match="jaccard: k is 10"):
        compare(named["x"], named["y"], ["jaccard"])


def test_compare_on_tensors_gives_what_arrays_give():
    torch = pytest.importorskip("torch")
    named = representations(50)
    arguments = {"measures": ["cka", "jaccard"], "n_permutations": 9, "interval": "permutation"}
    arrays = compare(named["x"], named["y"], **arguments)
    tensors = compare(torch.as_tensor(named["x"]), torch.as_tensor(named["y"]), **arguments)
    columns = ["value", "chance", "p", "ci_low", "ci_high"]
    off = max(rounding(name, named, "float64") for name in arguments["measures"])
    np.testing.assert_allclose(arrays[columns], tensors[columns], rtol=0, atol=off)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interval": "jackknife"}, "interval is 'jackknife'"),
        ({"interval": "permutation"}, "needs permutations"),
        ({"confidence_level": 2}, "confidence_level is 2"),
        ({"n_permutations": -1}, "n_permutations is -1"),
    ],
)
def test_wrong_arguments_of_compare_are_refused(options, message):
    named = representations()
    with pytest.raises(ValueError, match=message):
        compare(named["x"], named["y"], "cka", **options)


def shared_first(x, y, *, metric: str = "euclidean") -> float:
    """Share of objects with the same nearest neighbour on both sides."""
    return TOY["shared_first"](x, y, metric=metric)


def toy_requires(objects, metric):
    objects.check_enough(3, "shared_first")
    return Requirements(gram=True, neighbours=1, metric=metric)


def toy_finish(totals, metric):
    first = totals.neighbours[:, :, 0]
    return np.array([[np.mean(a == b) for b in first] for a in first])


TOY = {"shared_first": Streamed(toy_requires, toy_finish, lambda totals: {"objects": totals.n})}


def test_a_new_streamed_measure_is_one_declaration_and_one_entry(monkeypatch):
    module = types.ModuleType("toy_family")
    module.shared_first, module.STREAMED = shared_first, TOY
    monkeypatch.setitem(sys.modules, "toy_family", module)
    entry = dataclasses.replace(MEASURES["jaccard"], name="shared_first", module="toy_family")
    monkeypatch.setitem(MEASURES._measures, "shared_first", entry)
    named = representations()
    asked = []
    monkeypatch.setattr(matrices, "_pair_by_pair", lambda *a: asked.append(a))
    found = similarity_matrices(named, ["cka", "shared_first", "jaccard"], progress=False)["shared_first"]
    near = [np.argsort(squareform(pdist(x)) + np.diag([np.inf] * len(x)), axis=1)[:, 0] for x in named.values()]
    shares = np.array([[np.mean(a == b) for b in near] for a in near])
    assert found.to_numpy() == pytest.approx(shares, abs=tolerance.inner(90))
    assert found.attrs == {"measure": "shared_first", "orientation": "similarity", "objects": 90} and not asked
    table = compare(named["x"], named["y"], ["shared_first"], n_permutations=19)
    assert table.loc["shared_first", "value"] == found.loc["x", "y"]
    assert similarity_matrix(named, "shared_first", metric="cosine", progress=False).loc["y", "y"] == 1
    with pytest.raises(TypeError, match="shared_first has no option 'k'; its options are metric"):
        similarity_matrix(named, "shared_first", k=3, progress=False)
    with pytest.raises(ValueError, match="x has 2 rows; shared_first needs at least 3"):
        similarity_matrix({name: x[:2] for name, x in named.items()}, "shared_first", progress=False)


def test_what_the_registry_calls_streamed_is_declared_and_nothing_else():
    for name, measure in MEASURES.items():
        declared = getattr(sys.modules[MEASURES[name].function.__module__], "STREAMED", {})
        assert measure.streamed == (name in declared), name


def test_both_implementations_of_the_kernels_have_what_the_engine_asks_for():
    from helpers.similarity._engine import compiled
    from helpers.similarity._engine.kernels import Kernels
    from helpers.similarity._engine.tensors import TorchKernels

    def parameters(function):
        named = inspect.signature(getattr(function, "py_func", function)).parameters
        return [name for name in named if name != "self"]

    assert isinstance(compiled, Kernels) and isinstance(TorchKernels("cpu"), Kernels)
    for name, asked in vars(Kernels).items():
        if inspect.isfunction(asked) and not name.startswith("_"):
            for kernels in (compiled, TorchKernels):
                assert parameters(getattr(kernels, name)) == parameters(asked), (kernels, name)
    assert set(compiled.FILL) == set(TorchKernels("cpu").FILL)


def with_copies(dtype: str) -> dict[str, np.ndarray]:
    """Two representations of more objects than are computed in double precision anyway; half of them are copies."""
    rng = np.random.default_rng(0)
    n = plan.DOUBLE + 136
    x = rng.normal(size=(n, 448)).astype("float32")
    y = x[:, :440] + rng.normal(size=(n, 440)).astype("float32")
    of = np.concatenate([np.arange(n // 2)] * 2)[rng.permutation(n)]
    return {"x": x[of].astype(dtype), "y": y[of].astype(dtype)}


BLOCK_ROWS = (384, 2000)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_block_size_and_company_change_no_bit_of_neighbours_and_ranks(dtype):
    named = with_copies(dtype)
    names = ["jaccard", "mutual_knn", "rank_similarity", "second_order_cosine", "rsa"]
    values = {name: MEASURES[name](*named.values()) for name in names}
    company = {"w": np.random.default_rng(1).normal(size=(len(named["x"]), 20)), **named}
    for rows in BLOCK_ROWS:
        for together in (named, company):
            found = similarity_matrices(together, names, block_rows=rows, progress=False)
            assert {name: matrix.loc["x", "y"] for name, matrix in found.items()} == values


def gamma(n: int, rows: int) -> float:
    """Error of a sum over all pairs of objects: of chunks in a block, of blocks, added one after the other."""
    side = rows if rows > 192 else 192
    return tolerance.inner(compiled.CHUNK + -(-(side**2) // compiled.CHUNK) + (-(-n // side)) ** 2)


def by_the_order_of_sums(named: dict[str, np.ndarray], measure: str, rows: int) -> float:
    """How far a value moves when its terms are added in double precision in another order, on both sides.

    A product of two matrices over pairs moves by g times the product of their norms. A covariance takes off sums
    of rows, whose products move by at most 6 g and 4 g (their terms are positive: Cauchy and Schwarz), so that it moves
    by at most 12 g of the norms of the distances, and a correlation by that over the norms after centring.
    """
    data = [x.astype(np.float64) for x in named.values()]
    n = len(data[0])
    g = gamma(n, rows) + tolerance.inner(n)
    if measure == "cka":
        return 4 * g
    if measure == "rsa":  # of values less a number within their range
        share = [1 + np.ptp(d) ** 2 / d.var() for d in (pdist(x, "correlation") for x in data)]
        return 2 * 3 * g * (np.sqrt(share[0] * share[1]) + sum(share) / 2)
    squares, centred = zip(*(doubly_centred(x) for x in data), strict=True)
    share = [s / np.sum(c * c) for s, c in zip(squares, centred, strict=True)]
    value = np.sum(centred[0] * centred[1]) / np.linalg.norm(centred[0]) / np.linalg.norm(centred[1])
    return 2 * 12 * g * (np.sqrt(share[0] * share[1]) + sum(share) / 2) / (2 * np.sqrt(value))


def doubly_centred(x: np.ndarray) -> tuple[float, np.ndarray]:
    apart = squareform(pdist(x))
    mean = apart.mean(axis=0)
    return float(np.sum(apart**2)), apart - mean - mean[:, None] + mean.mean()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("measure", "options"), [("cka", {}), ("distance_correlation", {}), ("rsa", {"compare": "pearson"})]
)
def test_block_size_moves_sums_by_no_more_than_the_order_of_additions_in_double_precision(dtype, measure, options):
    named = with_copies(dtype)
    value = MEASURES[measure](*named.values(), **options)
    for rows in BLOCK_ROWS:
        found = similarity_matrix(named, measure, block_rows=rows, progress=False, **options).loc["x", "y"]
        assert abs(found - value) <= by_the_order_of_sums(named, measure, rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_block_size_changes_no_bin_of_a_distance(dtype, monkeypatch):
    monkeypatch.setattr(plan, "SORTED", 0)
    named = with_copies(dtype)
    value = MEASURES["rsa"](*named.values())
    for rows in BLOCK_ROWS:
        matrix = similarity_matrix(named, "rsa", block_rows=rows, progress=False)
        assert 0 < matrix.attrs["rank_error_bound"] < 1e-2
        assert abs(matrix.loc["x", "y"] - value) <= 4 * gamma(len(named["x"]), rows)
