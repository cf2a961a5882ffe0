"""Unit rows: lengths, dtypes, extremes of the range, rows without a direction; row labels of data frames."""

import numpy as np
import pandas as pd
import pytest
import tolerance
import torch
from array_api_compat import array_namespace
from scipy.sparse import csr_matrix

from helpers.arrays import as_matrix, check_row_labels, svd, to_numpy, unit_rows
from helpers.ensembles import ConcatPCA
from helpers.inference import interval, paired
from helpers.inputs import read
from helpers.similarity.calibration import calibrate
from helpers.similarity.cka import cka
from helpers.similarity.matrices import compare, similarity_matrices
from helpers.similarity.registry import MEASURES


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1.0, 1e30, 1e37])
def test_rows_have_length_one_in_their_own_type_however_long_they_are(dtype, scale):
    x = (np.random.default_rng(0).uniform(1, 3, size=(40, 7)) * scale).astype(dtype)
    x[3] = 0
    for found in (unit_rows(x), unit_rows(torch.from_numpy(x)).numpy()):
        assert found.dtype == x.dtype and (found[3] == 0).all()
        lengths = np.linalg.norm(np.delete(found, 3, axis=0).astype(float), axis=1)
        assert lengths == pytest.approx(np.ones(39), abs=2 * tolerance.inner(7, dtype))


def test_a_row_does_not_depend_on_the_others():
    x = np.random.default_rng(0).normal(size=(5, 6))
    other = x.copy()
    other[0] = 1e200
    assert np.array_equal(unit_rows(x)[1:], unit_rows(other)[1:])
    assert np.array_equal(unit_rows(x), x / np.linalg.norm(x, axis=1, keepdims=True))
    assert np.array_equal(unit_rows(np.stack([x, other]))[1], unit_rows(other))


def test_a_row_without_direction_is_refused_where_asked():
    with pytest.raises(ValueError, match="views: row 2 is zero and has no direction"):
        unit_rows(np.array([[1.0, 0], [0, 1], [0, 0]]), zero="raise", name="views")
    with pytest.raises(ValueError, match="zero is 'drop'"):
        unit_rows(np.eye(2), zero="drop")


def test_row_labels_in_another_order_are_refused_at_every_door():
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)), index=[f"o{i}" for i in range(30)])
    y, labels = x[::-1] ** 3, pd.Series(np.arange(30) % 2, index=x.index)
    doors = {
        "measures": lambda x, y: cka(x, y),
        "compare": lambda x, y: compare(x, y, ["cka", "rsa", "jaccard"]),
        "matrices": lambda x, y: similarity_matrices({"x": x, "y": y}, ["cka"], progress=False),
        "several": lambda x, y: similarity_matrices([x, y], ["cka"], progress=False),
        "calibration": lambda x, y: calibrate({"x": x, "y": y}, n_permutations=1),
        "calibration of two sides": lambda x, y: calibrate([x], n_permutations=1, against=[y]),
        "ensembles": lambda x, y: ConcatPCA(2).fit({"x": x, "y": y}),
        "reading": lambda x, y: read({"x": x, "y": y}, progress=False),
        "paired values": lambda x, y: paired(x[0], y[0], n_resamples=9),
        "groups of values": lambda x, y: interval(x[0], groups=(y[0] > 0).astype(int), n_resamples=9),
        "labels": lambda x, y: read({"x": x.to_numpy(), "y": y}, labels=labels, progress=False),
    }
    for door, call in doors.items():
        with pytest.raises(ValueError, match="carry the same row labels in another order"):
            call(x, y)
        call(x, y.loc[x.index])
        call(x, y.set_axis([f"other {i}" for i in range(30)]))
        assert door


def test_row_labels_are_compared_as_they_are_written_and_each_with_each():
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 2)))
    other = x.set_axis(list("abcdef"))
    for first, second in ((x, x.set_axis(list("543210"))), (x.set_axis(list("aabbcc")), x.set_axis(list("abcabc")))):
        for named in ({"x": first, "y": second}, {"x": first, "other": other, "y": second}):
            with pytest.raises(ValueError, match="x and y carry the same row labels in another order"):
                check_row_labels(named)
    check_row_labels({"x": x, "y": x.set_axis(list("012345")), "other": other, "twice": x.set_axis(list("aabbcc"))})


@pytest.mark.parametrize("kind", ["Float32", "Float64", "float64[pyarrow]", "Int64", "boolean"])
def test_columns_in_which_numbers_may_be_missing_are_numbers(kind):
    x = pd.DataFrame({"u": [1, 0, 1, 0], "v": [0, 0, 1, 1]})
    np.testing.assert_array_equal(as_matrix(x.astype(kind)), x)
    np.testing.assert_array_equal(read({"x": x.astype(kind)}, progress=False).representations["x"], x)
    fitted = ConcatPCA(2).fit({"x": x, "y": x})
    np.testing.assert_array_equal(fitted.transform({"x": x.astype(kind), "y": x}), fitted.transform({"x": x, "y": x}))
    missing = x.astype(kind)
    missing.loc[2, "v"] = pd.NA
    with pytest.raises(ValueError, match=r"x\[2, 1\] is NaN"):
        as_matrix(missing)
    with pytest.raises(TypeError, match="dtype object"):
        as_matrix(x.astype(kind).assign(v=list("abcd")))


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_every_measure_refuses_row_labels_in_another_order(name):
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)))
    with pytest.raises(ValueError, match="carry the same row labels in another order"):
        MEASURES[name].function(x, x[::-1])


def test_the_result_of_an_ensemble_carries_the_row_labels_of_its_input():
    index = pd.Index([f"o{i}" for i in range(30)], name="object")
    x = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)), index=index)
    plain = ConcatPCA(2).fit({"x": x, "y": x**2})
    got = ConcatPCA(2).set_output(transform="pandas").fit({"x": x, "y": x**2}).transform({"x": x, "y": x**2})
    pd.testing.assert_index_equal(got.index, index)
    assert np.array_equal(got.to_numpy(), plain.transform({"x": x, "y": x**2}))
    assert isinstance(plain.transform({"x": x, "y": x**2}), np.ndarray) and list(got) == ["concatpca0", "concatpca1"]


def test_a_sparse_matrix_is_refused_with_what_to_pass():
    for read_matrix in (as_matrix, to_numpy):
        with pytest.raises(TypeError, match=r"a sparse csr_matrix is given; pass its toarray\(\)"):
            read_matrix(csr_matrix(np.eye(3)))


def test_a_tensor_with_a_gradient_or_in_bfloat16_becomes_an_array():
    x = torch.arange(6.0).reshape(2, 3)
    assert to_numpy(x.clone().requires_grad_()).tolist() == x.tolist()
    assert to_numpy(x.to(torch.bfloat16)).dtype == np.float32


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tensor", [False, True])
def test_a_matrix_on_which_divide_and_conquer_gives_up_is_decomposed(monkeypatch, tensor, dtype, full):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(12, 3)) @ rng.normal(size=(3, 8))).astype(dtype)
    given = torch.from_numpy(x) if tensor else x
    usual = svd(given, full_matrices=full)
    error = torch.linalg.LinAlgError if tensor else np.linalg.LinAlgError

    def gives_up(*args, **kwargs):
        raise error("it did not converge")

    monkeypatch.setattr(array_namespace(given).linalg if tensor else np.linalg, "svd", gives_up)
    u, s, vt = svd(given, full_matrices=full)
    assert type(u) is type(given) and u.dtype == s.dtype == vt.dtype == given.dtype
    assert [part.shape for part in (u, s, vt)] == [part.shape for part in usual]
    u, s, vt = (to_numpy(part).astype(float) for part in (u, s, vt))
    close = tolerance.apart(12, dtype) * s[0]
    assert s == pytest.approx(to_numpy(usual[1]), abs=close)
    assert u[:, :8] * s @ vt == pytest.approx(x, abs=close)
    assert u.T @ u == pytest.approx(np.eye(u.shape[1]), abs=tolerance.apart(12, dtype))
    with pytest.raises(error):
        svd(given * float("nan"), full_matrices=full)


def test_other_errors_of_a_decomposition_are_not_answered(monkeypatch):
    def full(*args, **kwargs):
        raise RuntimeError("out of memory")

    x = torch.eye(3)
    monkeypatch.setattr(array_namespace(x).linalg, "svd", full)
    with pytest.raises(RuntimeError, match="out of memory"):
        svd(x)
