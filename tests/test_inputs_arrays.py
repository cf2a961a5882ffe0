"""Files of arrays with names: HDF5, AnnData, MATLAB, PyTorch, sparse matrices, raw numbers; and Excel."""

import json

import foreign_files as ff
import h5py
import numpy as np
import openpyxl
import pytest
import scipy.io
import scipy.sparse
import torch
from tolerance import unit

from helpers.inputs import read

X, IDS, N, P = ff.X, ff.IDS, ff.N, ff.P


def read_quietly(path, **options):
    return read(path, work=path.parent / "work", progress=False, **options)


def test_all_matrices_of_all_groups_are_embeddings_and_columns_are_roles(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["bert/layer 2"], file["bert/layer 10"], file["half"] = X, X[:, :3], X.astype("f2")
        file["id"], file["about/kind"], file["cube"] = IDS, ["u", "v"] * (N // 2), np.zeros((2, 3, 4))
    inputs = read_quietly(tmp_path / "a.h5", labels="about/kind")
    assert list(inputs.representations) == ["bert/layer 10", "bert/layer 2", "half"] and inputs.ids.tolist() == IDS
    assert inputs.labels[1] == "v" and inputs.ignored["reason"].tolist() == [
        "array 'cube' has shape (2, 3, 4) and is no matrix"
    ]
    np.testing.assert_array_equal(inputs.representations["half"], X.astype("f2"))


def test_rows_in_chunks_are_read_as_they_are(tmp_path):
    x = np.random.default_rng(0).normal(size=(3000, 130))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=x, chunks=(700, 17), compression="gzip", shuffle=True)
        file.create_dataset("big", data=x.astype(">f4"))
    inputs = read_quietly(tmp_path / "a.h5")
    np.testing.assert_array_equal(inputs.representations["x"], x)
    np.testing.assert_array_equal(inputs.representations["big"], x.astype("f4"))


def test_vectors_by_protein_are_a_matrix_with_the_original_names(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for i, (name, row) in enumerate(zip(IDS, X, strict=True)):
            file[f"{i:03d}"] = row
            file[f"{i:03d}"].attrs["original_id"] = name
    inputs = read_quietly(tmp_path / "a.h5")
    assert inputs.ids.tolist() == IDS
    np.testing.assert_array_equal(inputs.representations["a"], X)


def test_anndata_gives_its_embeddings_cells_and_categories(tmp_path):
    ff.anndata(tmp_path / "a.h5ad")
    inputs = read_quietly(tmp_path / "a.h5ad", labels="kind")
    assert list(inputs.representations) == ["a"] and inputs.ids.tolist() == IDS
    assert inputs.labels.tolist() == ["u", "v"] * (N // 2)
    np.testing.assert_array_equal(inputs.representations["a"], X)
    said = inputs.ignored["reason"].tolist()
    assert said == ["'X' is not read beside the embeddings in 'obsm'", "array 'count' has shape (40,) and is no matrix"]


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_anndata_without_embeddings_gives_its_counts(tmp_path, kind):
    counts = np.random.default_rng(0).poisson(0.3, (N, 9)).astype("f4")
    sparse = getattr(scipy.sparse, f"{kind}_matrix")(counts)
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        obs = file.create_group("obs")
        obs.attrs["_index"], obs["cell"] = "cell", IDS
        x = file.create_group("X")
        x.attrs["encoding-type"], x.attrs["shape"] = f"{kind}_matrix", counts.shape
        x["data"], x["indices"], x["indptr"] = sparse.data, sparse.indices, sparse.indptr
    inputs = read_quietly(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(inputs.representations["a"], counts)
    assert inputs.ids.tolist() == IDS and "sparse" in inputs.findings.loc["a", "read_as"]


def test_variables_of_matlab_are_embeddings_labels_and_ids(tmp_path):
    words = np.array(IDS, dtype=object)
    scipy.io.savemat(tmp_path / "a.mat", {"x": X, "z": X[:, :3], "y": np.arange(N) % 2, "id": words, "s": {"k": 1}})
    inputs = read_quietly(tmp_path / "a.mat", labels="y")
    assert list(inputs.representations) == ["x", "z"] and inputs.ids.tolist() == IDS and inputs.labels[1] == 1
    ff.matlab73(tmp_path / "b.mat")
    seven = read_quietly(tmp_path / "b.mat", labels="y")
    np.testing.assert_array_equal(seven.representations["b"], X)
    assert seven.ids.tolist() == IDS and len(set(seven.labels)) == N


def test_tensors_of_all_kinds_are_embeddings(tmp_path):
    x = torch.tensor(X)
    saved = {
        "id": IDS,
        "kind": torch.arange(N) % 2,
        "half": x.half(),
        "brain": x.bfloat16(),
        "turned": x.T.contiguous().T,
        "learned": torch.nn.Parameter(x),
        "layers": [x, 2 * x],
        "loss": 0.5,
    }
    torch.save(saved, tmp_path / "a.pt")
    inputs = read_quietly(tmp_path / "a.pt", labels="kind")
    assert list(inputs.representations) == ["half", "brain", "turned", "learned", "layers/0", "layers/1"]
    for name, loose in (("half", unit("float16")), ("brain", 2.0**-8), ("turned", 0), ("learned", 0), ("layers/0", 0)):
        # of a rounding to 11 or 8 bits; no number is so small that half precision keeps fewer
        np.testing.assert_allclose(inputs.representations[name], X, rtol=loose, atol=0)
    assert inputs.labels.tolist() == [0, 1] * (N // 2) and inputs.findings.loc["brain", "dtype"] == "bfloat16"
    assert inputs.ignored["reason"].tolist() == ["array 'loss' has shape () and is no matrix"]


def test_records_with_tensors_are_columns(tmp_path):
    torch.save([{"id": i, "embedding": torch.tensor(row)} for i, row in zip(IDS, X, strict=True)], tmp_path / "a.pt")
    inputs = read_quietly(tmp_path / "a.pt")
    assert inputs.ids.tolist() == IDS
    np.testing.assert_array_equal(inputs.representations["a"], X)


def test_whatever_else_a_file_of_pytorch_holds_is_refused_with_a_recipe(tmp_path):
    torch.save({"x": X}, tmp_path / "a.pt")  # an array of NumPy is a pickle
    with pytest.raises(ValueError, match=r"a\.pt is damaged, or holds more than tensors.*torch\.save\(\{'x': x"):
        read_quietly(tmp_path / "a.pt")
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    torch.save(model.state_dict(), tmp_path / "b.pt")
    with pytest.raises(ValueError, match=r"b\.pt holds the weights of a model \(4 arrays"):
        read_quietly(tmp_path / "b.pt")


def test_a_sparse_matrix_that_would_be_too_large_is_refused_with_a_recipe(tmp_path):
    wide = scipy.sparse.csr_matrix((np.ones(1), ([0], [0])), shape=(200_000, 30_000))
    scipy.sparse.save_npz(tmp_path / "a.npz", wide)
    with pytest.raises(ValueError, match=r"200000 x 30000, and would have 44\.7 GB.*TruncatedSVD\(300\)"):
        read_quietly(tmp_path / "a.npz")


def test_raw_numbers_are_read_by_the_shape_that_is_told(tmp_path):
    half, column = X.astype("<f2"), np.asfortranarray(X)
    half.tofile(tmp_path / "a.40x6.f2.dat")
    (tmp_path / "b.dat").write_bytes(b"head" + column.tobytes(order="F"))
    told = {"dtype": "float32", "shape": [N, P], "order": "F", "offset": 4}
    (tmp_path / "b.dat.json").write_text(json.dumps(told))
    ((X.view("u4") >> 16).astype("<u2")).tofile(tmp_path / "c.40x6.bfloat16.raw")
    inputs = read_quietly(tmp_path)
    a, b, c = inputs.representations.values()
    np.testing.assert_array_equal(a, half)
    np.testing.assert_array_equal(b, X)
    assert (np.abs(c - X) <= np.abs(X) * 2.0**-7).all() and inputs.ignored.empty


BAD = {
    "no shape": (
        "a.dat",
        X.tobytes(),
        None,
        r"a\.dat holds raw numbers, whose shape and dtype.*a\.dat\.json beside it",
    ),
    "another size": ("a.40x7.float32.dat", X.tobytes(), None, r"has 960 bytes; shape \(40, 7\) of float32 needs 1120"),
    "no such dtype": (
        "a.dat",
        X.tobytes(),
        {"dtype": "f16", "shape": [N, P]},
        r"a\.dat\.json tells.*'f16'; two numbers",
    ),
    "no sizes": ("a.dat", X.tobytes(), {"dtype": "float32", "shape": [N]}, r"tells shape \[40\] and dtype 'float32'"),
    "rows of other lengths": (
        "a.fvecs",
        ff.fvecs(X[:2]) + np.array([7], "<i4").tobytes() + X[2].tobytes(),
        None,
        r"a\.fvecs, row 2: the vector has 7 entries, the first one 6",
    ),
    "counts that do not fit": ("a.fbin", ff.COUNTS + X[1:].tobytes(), None, r"a\.fbin has 944 bytes; shape \(40, 6\)"),
}


@pytest.mark.parametrize("what", BAD)
def test_raw_numbers_that_do_not_fit_are_refused(tmp_path, what):
    file, content, told, words = BAD[what]
    (tmp_path / file).write_bytes(content)
    if told is not None:
        (tmp_path / f"{file}.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=words):
        read_quietly(tmp_path / file)


def test_the_first_sheet_is_read_and_the_others_are_listed(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "vectors"
    book.active.append(["id", "u", "v", "note"])
    for i in range(5):
        book.active.append([f"d{i}", i + 0.5, -i, "x"])
    book.create_sheet("other").append([1, 2])
    book.save(tmp_path / "a.xlsx")
    inputs = read_quietly(tmp_path / "a.xlsx")
    assert inputs.ids.tolist() == [f"d{i}" for i in range(5)]
    assert inputs.representations["a"].tolist() == [[i + 0.5, -i] for i in range(5)]
    assert inputs.ignored["reason"].tolist() == [
        "sheet 'other' is not read, but the first one, 'vectors'; save it as a file of its own",
        "column 'note' holds text",
    ]
    book.active.cell(4, 2).value = "n.a."
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ValueError, match=r"a\.xlsx, column 'u', row 2: 'n\.a\.' is not a number"):
        read_quietly(tmp_path / "a.xlsx")


def test_a_sheet_without_names_has_numbers_in_its_first_row(tmp_path):
    book = openpyxl.Workbook()
    for row in X[:5].tolist():
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    np.testing.assert_array_equal(read_quietly(tmp_path / "a.xlsx").representations["a"].astype("f4"), X[:5])
