"""Embeddings of people: every format, every way to be wrong."""

import json
import os
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.csv import write_csv
from safetensors.numpy import save_file

from helpers.__main__ import main
from helpers.ensembles import ConcatPCA, MeanOfLayers
from helpers.inputs import Inputs
from helpers.inputs import read as read_inputs

N, P = 40, 6


@pytest.fixture
def read(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return lambda *args, **options: read_inputs(*args, work=work, progress=False, **options)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(N, P))


def as_csv(frame, path, **options):
    frame.to_csv(path, index=False, **options)


def wide(x, **columns):
    return pd.DataFrame(columns | {f"f{i}": x[:, i] for i in range(x.shape[1])})


def lists(x, **columns):
    return pd.DataFrame(columns | {"vector": list(x)})


def arrow_lists(x, kind, **columns):
    values = pa.array(x.ravel(), kind.value_type)
    offsets = np.arange(0, x.size + 1, x.shape[1])
    if pa.types.is_fixed_size_list(kind):
        column = pa.FixedSizeListArray.from_arrays(values, x.shape[1])
    elif pa.types.is_large_list(kind):
        column = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values)
    else:
        column = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    return pa.table({**columns, "vector": column})


def bfloat16(x, path):
    bits = (x.astype("<f4").view("<u4") >> 16).astype("<u2")
    header = json.dumps({"x": {"dtype": "BF16", "shape": x.shape, "data_offsets": [0, bits.nbytes]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bits.tobytes())


WAYS = {
    "float32.npy": lambda x, path: np.save(path, x.astype("f4")),
    "float64.npy": lambda x, path: np.save(path, x),
    "half.npy": lambda x, path: np.save(path, x.astype("f2")),
    "fortran.npy": lambda x, path: np.save(path, np.asfortranarray(x)),
    "big_endian.npy": lambda x, path: np.save(path, x.astype(">f4")),
    "stored.npz": lambda x, path: np.savez(path, x=x),
    "compressed.npz": lambda x, path: np.savez_compressed(path, x=x.astype("f4")),
    "compressed_fortran.npz": lambda x, path: np.savez_compressed(path, x=np.asfortranarray(x)),
    "single.safetensors": lambda x, path: save_file({"x": x.astype("f4")}, path),
    "half.safetensors": lambda x, path: save_file({"x": x.astype("f2")}, path),
    "brain.safetensors": bfloat16,
    "lists.parquet": lambda x, path: lists(x.astype("f4")).to_parquet(path),
    "fixed.parquet": lambda x, path: pq.write_table(arrow_lists(x, pa.list_(pa.float32(), P)), path),
    "large.parquet": lambda x, path: pq.write_table(arrow_lists(x, pa.large_list(pa.float64())), path),
    "half.parquet": lambda x, path: pq.write_table(arrow_lists(x.astype("f2"), pa.list_(pa.float16())), path),
    "wide.parquet": lambda x, path: wide(x).to_parquet(path),
    "text.parquet": lambda x, path: pd.DataFrame({"v": [json.dumps(r.tolist()) for r in x]}).to_parquet(path),
    "wide.csv": lambda x, path: as_csv(wide(x), path),
    "index.csv": lambda x, path: pd.DataFrame(x).to_csv(path),
    "bare.csv": lambda x, path: np.savetxt(path, x, delimiter=","),
    "spaces.csv": lambda x, path: np.savetxt(path, x),
    "semicolons.csv": lambda x, path: as_csv(wide(x), path, sep=";"),
    "mark.csv": lambda x, path: as_csv(wide(x), path, encoding="utf-8-sig"),
    "trailing.csv": lambda x, path: as_csv(wide(x).assign(**{"": ""}), path),
    "json.csv": lambda x, path: as_csv(pd.DataFrame({"v": [json.dumps(r.tolist()) for r in x]}), path),
    "words.csv": lambda x, path: as_csv(pd.DataFrame({"v": [" ".join(map(repr, r.tolist())) for r in x]}), path),
    "printed.csv": lambda x, path: as_csv(pd.DataFrame({"v": [str(r) for r in x]}), path),
    "numpy.csv": lambda x, path: as_csv(pd.DataFrame({"v": [list(r) for r in x]}), path),
    "array.csv": lambda x, path: as_csv(pd.DataFrame({"v": [repr(r.astype("f4")) for r in x]}), path),
    "wide.tsv": lambda x, path: as_csv(wide(x), path, sep="\t"),
    "größe der wörter.npy": lambda x, path: np.save(path, x),
}


@pytest.mark.parametrize("file", WAYS)
def test_every_format_goes_round_and_is_mapped(tmp_path, read, x, file):
    WAYS[file](x, tmp_path / file)
    inputs = read(tmp_path)
    (name,) = inputs.representations
    got = inputs.representations[name]
    assert name == file.rpartition(".")[0] and got.shape == (N, P) and got.dtype in (np.float32, np.float64)
    assert isinstance(got, np.memmap) and not got.flags.writeable
    loose = {"half": 2e-3, "brain": 2e-2, "print": 1e-7}.get(file[:5].removesuffix("."), 1e-6)
    np.testing.assert_allclose(got, x, rtol=loose, atol=loose)
    if got.dtype == np.float64 and file not in ("printed.csv", "array.csv"):
        np.testing.assert_array_equal(got, x)
    assert inputs.ids.tolist() == list(range(N)) and inputs.losses.empty


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from(["npy", "npz", "safetensors", "parquet"]),
    st.sampled_from(["f2", "f4", "f8", "i1", "u1", "i4", "i8", "?"]),
    st.integers(1, 7),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_every_dtype_keeps_its_values(tmp_path_factory, suffix, dtype, n, p, seed):
    values = (np.random.default_rng(seed).normal(size=(n, p)) * 50).astype(dtype)
    path = tmp_path_factory.mktemp("in") / f"x.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({f"f{i}": values[:, i] for i in range(p)}), path)
    else:
        {"npy": np.save, "npz": np.savez_compressed, "safetensors": lambda f, v: save_file({"x": v}, f)}[suffix](
            path, values
        )
    got = read_inputs(path, work=path.parent / "work", progress=False).representations["x"]
    small = dtype in ("f2", "f4", "i1", "u1", "?")
    assert got.dtype == (np.float32 if small else np.float64)
    np.testing.assert_array_equal(got, values.astype(got.dtype))


def test_vectors_printed_over_several_lines_are_read(tmp_path, read, x):
    vectors = np.tile(x, 40)
    assert "\n" in str(vectors[0])
    as_csv(
        pd.DataFrame({"v": [str(row) for row in vectors], "w": [str(tuple(row.tolist())) for row in x]}),
        tmp_path / "a.csv",
    )
    inputs = read(tmp_path / "a.csv")
    np.testing.assert_allclose(inputs.representations["v"], vectors, rtol=1e-7, atol=1e-7)
    np.testing.assert_array_equal(inputs.representations["w"], x)


def test_what_lies_ready_is_not_copied(tmp_path, x):
    np.save(tmp_path / "a.npy", x)
    save_file({"x": x.astype("f4")}, tmp_path / "b.safetensors")
    work = tmp_path.parent / "unused"
    read_inputs(tmp_path, work=work)
    assert not work.exists()


def test_names_come_from_files_and_arrays_in_natural_order(tmp_path, read, x):
    np.save(tmp_path / "gro\u0308ße.npy", x)
    np.savez(tmp_path / "both.npz", u=x, v=x, y=np.arange(N))
    lists(x, other=list(x), text=["s"] * N).to_parquet(tmp_path / "table.parquet")
    (tmp_path / "bert").mkdir()
    for layer in (10, 2):
        np.save(tmp_path / "bert" / f"layer {layer}.npy", x)
    inputs = read(tmp_path)
    names = ["bert/layer 2", "bert/layer 10", "both/u", "both/v", "größe", "table/other", "table/vector"]
    assert list(inputs.representations) == names == list(inputs.findings.index)
    assert list(read(tmp_path / "both.npz").representations) == ["u", "v"]
    assert list(read(tmp_path / "table.parquet").representations) == ["other", "vector"]
    assert list(read(tmp_path, names=["both/v", "bert/layer 10"]).representations) == ["both/v", "bert/layer 10"]
    chosen = read([tmp_path / "bert" / "layer 2.npy", tmp_path / "both.npz"])
    assert list(chosen.representations) == ["bert/layer 2", "both/u", "both/v"]
    said = inputs.ignored.set_index("file")["reason"]
    assert said["both.npz"] == "array 'y' has shape (40,) and is no matrix"
    assert said["table.parquet"] == "column 'text' holds text"


def test_rows_are_joined_by_ids_and_losses_are_listed(tmp_path, read, x):
    ids = np.array([f"d{i}" for i in range(N)])
    order = np.random.default_rng(1).permutation(N)
    as_csv(wide(x, id=ids), tmp_path / "a.csv")
    lists(x[order][:-3], id=ids[order][:-3]).to_parquet(tmp_path / "b.parquet")
    np.savez(tmp_path / "c.npz", x=x[5:], id=ids[5:])
    np.save(tmp_path / "d.npy", x[::-1])
    (tmp_path / "d.ids.txt").write_text("\n".join(ids[::-1]) + "\n")
    inputs = read(tmp_path)
    gone = {*ids[order][-3:], *ids[:5]}
    assert inputs.ids.tolist() == [i for i in ids if i not in gone]
    for got in inputs.representations.values():
        np.testing.assert_array_equal(got, x[[i not in gone for i in ids]])
    assert isinstance(inputs.representations["d"], np.memmap)
    lost = inputs.losses[inputs.losses["input"] == "a"].set_index("id")["reason"]
    assert set(lost.index) == gone and "b.parquet" in lost[ids[order][-1]]
    assert (
        inputs.findings["lost"].tolist() == [len(gone), len(gone) - 3, len(gone) - 5 + 0, len(gone)]
        or (inputs.findings["lost"] == inputs.findings["rows"] - len(inputs)).all()
    )


def test_ids_may_be_numbers_in_one_file_and_words_in_another(tmp_path, read, x):
    lists(x, key=np.arange(100, 100 + N)).to_parquet(tmp_path / "a.parquet")
    as_csv(wide(x[::-1], key=np.arange(100, 100 + N)[::-1]), tmp_path / "b.csv")
    lists(x, key=np.arange(100.0, 100 + N)).to_parquet(tmp_path / "c.parquet")
    inputs = read(tmp_path, ids="key")
    assert inputs.ids[0] == "100"
    for got in inputs.representations.values():
        np.testing.assert_array_equal(got, x)


def test_a_column_called_like_ids_is_never_a_feature(tmp_path, read, x):
    as_csv(wide(x, doc_id=np.arange(N)), tmp_path / "a.csv")
    assert read(tmp_path / "a.csv").representations["a"].shape == (N, P)
    with pytest.raises(ValueError, match=r"a\.csv has a column 'doc_id'.*ids='doc_id'.*ids=''"):
        read(tmp_path)
    assert read(tmp_path, ids="").representations["a"].shape == (N, P)
    assert read(tmp_path, ids="doc_id").ids.tolist() == [str(i) for i in range(N)]


def test_labels_from_a_column_a_file_or_an_array(tmp_path, read, x):
    y = np.array(["no", "yes"] * (N // 2))
    as_csv(wide(x, label=y == "yes", sort=y), tmp_path / "a.csv")
    np.save(tmp_path / "b.npy", x)
    as_csv(pd.DataFrame({"label": y, "id": range(N)})[::-1], tmp_path / "labels.csv")
    np.save(tmp_path / "y.npy", np.arange(N) % 3)
    options = {"names": ["b"], "ids": None}
    assert read(tmp_path, labels="labels.csv", **options).labels.tolist() == y.tolist()
    assert read(tmp_path, labels="labels.csv:label", **options).labels.tolist() == y.tolist()
    assert read(tmp_path, labels="y.npy", **options).labels.tolist() == (np.arange(N) % 3).tolist()
    assert read(tmp_path, labels=list(y), **options).labels.tolist() == y.tolist()
    inputs = read(tmp_path / "a.csv", labels="sort", groups="label")
    assert inputs.labels.tolist() == y.tolist() and inputs.groups.tolist() == (y == "yes").astype(str).tolist()
    assert inputs.representations["a"].shape == (N, P)


def test_labels_missing_for_some_ids_are_losses(tmp_path, read, x):
    np.savez(tmp_path / "a.npz", x=x, ids=np.arange(N))
    as_csv(pd.DataFrame({"id": range(10, N + 5), "kind": [i % 2 for i in range(N - 5)]}), tmp_path / "labels.csv")
    inputs = read(tmp_path, labels="labels.csv")
    assert inputs.ids.tolist() == [str(i) for i in range(10, N)] and inputs.labels.tolist()[:3] == [0, 1, 0]
    assert inputs.losses.groupby("input").size().to_dict() == {"a": 10, "labels": 5}


def test_fractions_are_targets_and_no_classes(tmp_path, read, x):
    inputs = read({"a": x}, labels=np.linspace(0, 1, N))
    assert inputs.labels.dtype == np.float64
    assert read({"a": x}, labels=range(1900, 1900 + N)).labels.dtype == np.float64
    assert read({"a": x}, labels=["01", "02"] * (N // 2)).labels.tolist()[:2] == [1, 2]


def test_pairs_and_qrels_are_rows_of_the_representations(tmp_path, read, x):
    ids = [f"t{i}" for i in range(N)]
    lists(x, id=ids).to_parquet(tmp_path / "a.parquet")
    lists(x[2:], id=ids[2:]).to_parquet(tmp_path / "b.parquet")
    pairs = pd.DataFrame({"one": ids[:-1], "two": ids[1:], "human": np.linspace(0, 5, N - 1)})
    as_csv(pairs, tmp_path / "pairs.csv")
    as_csv(pairs.iloc[:, :2].rename(columns={"one": "query", "two": "document"}), tmp_path / "qrels.tsv", sep="\t")
    inputs = read(tmp_path, pairs="pairs.csv", qrels="qrels.tsv")
    assert len(inputs) == N - 2 and len(inputs.pairs) == N - 3
    assert inputs.ids[inputs.pairs["left"]].tolist() == ids[2:-1]
    np.testing.assert_allclose(inputs.pairs["score"], pairs["human"][2:])
    assert inputs.qrels.columns.tolist() == ["query", "document", "relevance"] and set(inputs.qrels["relevance"]) == {1}
    lost = inputs.losses[inputs.losses["input"] == "pairs"]
    assert lost["id"].tolist() == ["row 0", "row 1"] and lost["reason"].iloc[1] == "t1 not among the objects"


def test_pairs_and_qrels_may_be_data_frames(read, x):
    pairs = pd.DataFrame({"one": [0, 3], "other": [2, 1], "how": [0.5, 1]})
    qrels = pd.DataFrame({"relevance": [1, 2], "note": "x", "document": [4, 5], "query": [6, 7]})
    inputs = read({"a": x}, pairs=pairs, qrels=qrels)
    assert inputs.pairs.to_numpy().tolist() == [[0, 2, 0.5], [3, 1, 1.0]]
    assert inputs.qrels.to_numpy().tolist() == [[6, 4, 1], [7, 5, 2]] and list(inputs.qrels) == [
        "query",
        "document",
        "relevance",
    ]
    with pytest.raises(ValueError, match="pairs, column 'how', row 0: None is no finite number"):
        read({"a": x}, pairs=pairs.assign(how=[None, 1]))
    with pytest.raises(ValueError, match=r"pairs has the columns \['one', 'other'\]; left, right, score are needed"):
        read({"a": x}, pairs=pairs[["one", "other"]])


def test_pairs_are_row_numbers_where_there_are_no_ids(tmp_path, read, x):
    x[3, 0] = np.nan
    np.save(tmp_path / "a.npy", x)
    as_csv(pd.DataFrame({"left": [0, 3, 5], "right": [4, 4, 6], "score": [0.1, 0.2, 0.3]}), tmp_path / "pairs.csv")
    inputs = read(tmp_path, pairs="pairs.csv", missing="drop")
    assert inputs.pairs[["left", "right"]].to_numpy().tolist() == [[0, 3], [4, 5]]
    as_csv(pd.DataFrame({"left": [0, 1], "right": [1, N], "score": [0.1, 0.2]}), tmp_path / "pairs.csv")
    with pytest.raises(ValueError, match=r"pairs\.csv, row 1: '40' is no row; rows are 0 to 39"):
        read(tmp_path, pairs="pairs.csv", missing="drop")


def test_findings_tell_what_is_odd(tmp_path, read, x):
    x[:, 2], x[:, 4], x[7], x[9] = 3.5, 0, x[8], 0
    x[9, 2] = 3.5
    x[9, [0, 1, 3, 5]] = 0
    as_csv(wide(x), tmp_path / "a.csv")
    np.save(tmp_path / "b.npy", np.zeros((N, 2)))
    found = read(tmp_path).findings
    a, b = found.loc["a"], found.loc["b"]
    assert (a["rows"], a["width"], a["constant_columns"], a["constant"], a["zero_columns"]) == (N, P, 2, "f2, f4", 1)
    assert (a["zero_rows"], a["duplicates"], a["missing"], a["file"], a["dtype"]) == (0, 1, 0, "a.csv", "float64")
    assert (b["zero_rows"], b["duplicates"], b["constant_columns"], b["norm_mean"]) == (N, N - 1, 2, 0)
    norms = np.linalg.norm(x, axis=1)
    assert a["norm_mean"] == pytest.approx(norms.mean()) and a["norm_std"] == pytest.approx(norms.std())


def test_missing_rows_are_listed_and_dropped_only_if_asked(tmp_path, read, x):
    bad = x.copy()
    bad[[3, 17], 1] = np.nan, np.inf
    np.save(tmp_path / "a.npy", bad)
    as_csv(wide(np.where(np.isinf(bad), np.nan, bad)), tmp_path / "b.csv")
    table = lists(x)
    table.loc[5, "vector"] = None
    table.to_parquet(tmp_path / "c.parquet")
    with pytest.raises(ValueError) as error:
        read(tmp_path)
    assert str(error.value) == (
        "a.npy: NaN or infinite entries in 2 of 40 rows (3, 17), the first in column 1; "
        "b.csv: NaN or infinite entries in 2 of 40 rows (3, 17), the first in column 'f1'; "
        "c.parquet: NaN or infinite entries in 1 of 40 rows (5), the first in column 0; "
        "fix them, or pass missing='drop' to leave these objects out"
    )
    inputs = read(tmp_path, missing="drop")
    keep = ~np.isin(np.arange(N), [3, 5, 17])
    for got in inputs.representations.values():
        np.testing.assert_array_equal(got, x[keep])
    assert inputs.findings["missing"].tolist() == [2, 2, 1] and inputs.findings["lost"].tolist() == [3, 3, 3]
    assert inputs.losses["id"].tolist() == [3, 17, 3, 17, 5] and inputs.ids.tolist() == np.flatnonzero(keep).tolist()


def test_one_embedding_can_be_read(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    assert repr(read(tmp_path)) == "Inputs(40 objects, {'a': 6})" and isinstance(read(tmp_path / "a.npy"), Inputs)


def test_the_digest_is_of_the_content(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    first = read(tmp_path).digest
    np.save(tmp_path / "a.npy", x)
    assert read(tmp_path).digest == first != read(tmp_path, labels=np.arange(N) % 2).digest
    np.savez_compressed(tmp_path / "a.npz", a=x)
    (tmp_path / "a.npy").unlink()
    assert read(tmp_path).digest == first
    x[3, 3] += 1e-9
    np.savez_compressed(tmp_path / "a.npz", a=x)
    assert read(tmp_path).digest != first


def test_a_conversion_is_used_again_until_the_file_changes(tmp_path, x):
    path, work = tmp_path / "a.csv", tmp_path / "work"
    as_csv(wide(x), path)

    def converted():
        got = read_inputs(path, work=work, progress=False).representations["a"]
        return got, {p: p.stat().st_ino for p in work.rglob("*.npy")}

    _, files = converted()
    assert converted()[1] == files and len(files) == 1
    as_csv(wide(2 * x), path)
    os.utime(path, ns=(0, 1))
    got, later = converted()
    np.testing.assert_array_equal(got, 2 * x)
    assert len(later) == 1 and not list(work.rglob("*.draft"))


def save(path, *values, by=np.save, **options):
    path.parent.mkdir(exist_ok=True, parents=True)
    by(path, *values, **options)


def cut(path, by=40):
    path.write_bytes(path.read_bytes()[:-by])


def with_cell(x, text):
    frame = wide(x).astype(object)
    frame.loc[7, "f3"] = text
    return frame


BAD = {
    "rows differ without ids": (
        lambda d, x: (np.save(d / "a.npy", x), np.save(d / "b.npy", x[:-1])),
        {},
        r"no ids to align by: a\.npy has 40, b\.npy has 39; add a column 'id'",
    ),
    "some with ids, some without": (
        lambda d, x: (np.save(d / "a.npy", x), as_csv(wide(x, id=range(N)), d / "b.csv")),
        {},
        r"b\.csv has ids and a\.npy \(40 rows\) has none.*ids=''",
    ),
    "duplicate ids": (
        lambda d, x: as_csv(wide(x, id=[*range(N - 1), 4]), d / "a.csv"),
        {},
        r"a\.csv, column 'id': the id '4' is in rows 4 and 39",
    ),
    "a missing id": (
        lambda d, x: as_csv(wide(x, id=["a", None, *map(str, range(N - 2))]), d / "a.csv"),
        {},
        r"a\.csv, column 'id', row 1: the id is missing",
    ),
    "no common id": (
        lambda d, x: (as_csv(wide(x, id=range(N)), d / "a.csv"), as_csv(wide(x, id=range(N, 2 * N)), d / "b.csv")),
        {},
        r"no id is in all of a\.csv, b\.csv; ids of the first look like \['0', '1', '2'\]",
    ),
    "as many ids as rows": (
        lambda d, x: np.savez(d / "a.npz", x=x, id=np.arange(3)),
        {},
        r"a\.npz, array 'x' has 40 rows and 3 ids",
    ),
    "no such column of ids": (
        lambda d, x: as_csv(wide(x), d / "a.csv"),
        {"ids": "doc"},
        r"a\.csv has no 'doc' to align rows by; it has \['f0'",
    ),
    "text among numbers": (
        lambda d, x: as_csv(with_cell(x, "abc"), d / "a.csv"),
        {},
        r"a\.csv, column 'f3', row 7: 'abc' is not a number",
    ),
    "a decimal comma": (
        lambda d, x: as_csv(wide(x), d / "a.csv", sep=";", decimal=","),
        {},
        r"(?s)no embedding.*a\.csv: column 'f0' holds numbers with a decimal comma; a decimal point is needed",
    ),
    "an empty column": (
        lambda d, x: as_csv(wide(x).assign(f2=None), d / "a.csv"),
        {"missing": "drop"},
        r"a\.csv: column 'f2' is empty \(NaN or infinite in all 40 rows\); remove it",
    ),
    "nothing complete": (
        lambda d, x: np.save(d / "a.npy", np.where(np.arange(N)[:, None] % P == np.arange(P), np.nan, x)),
        {"missing": "drop"},
        "no object is left: each of 40 misses something, such as 39 in a: NaN",
    ),
    "ragged vectors": (
        lambda d, x: pd.DataFrame({"v": [*x[:5].tolist(), [1.0, 2.0]]}).to_parquet(d / "a.parquet"),
        {},
        r"a\.parquet, column 'v', row 5: the vector has 2 entries, the first one 6",
    ),
    "ragged vectors in text": (
        lambda d, x: as_csv(pd.DataFrame({"v": ["[1, 2]", "[1, 2, 3]"]}), d / "a.csv"),
        {},
        r"a\.csv, column 'v', row 1: the vector has 3 entries, the first one 2",
    ),
    "a shortened vector": (
        lambda d, x: as_csv(pd.DataFrame({"v": ["[1 2 3 4]"] * 9 + ["[1 2 ... 4]"]}), d / "a.csv"),
        {},
        r"row 9: '\[1 2 \.\.\. 4\]' is no vector of 4 numbers, which was shortened",
    ),
    "one dimension": (
        lambda d, x: np.save(d / "a.npy", x[:, 0]),
        {},
        r"a\.npy has shape \(40,\); \(n_objects, n_features\) is needed; labels are passed as labels",
    ),
    "three dimensions": (lambda d, x: np.save(d / "a.npy", x[None]), {}, r"a\.npy has shape \(1, 40, 6\).*each layer"),
    "no rows": (lambda d, x: np.save(d / "a.npy", x[:0]), {}, r"a\.npy has shape \(0, 6\); at least one row"),
    "complex numbers": (lambda d, x: np.save(d / "a.npy", x + 1j), {}, "dtype complex128; real numbers"),
    "words": (lambda d, x: np.save(d / "a.npy", np.full((3, 2), "a")), {}, "dtype <U1; real numbers"),
    "a pickle in npy": (
        lambda d, x: np.save(d / "a.npy", np.array([[{"a": 1}]]), allow_pickle=True),
        {},
        r"a\.npy holds Python objects .*pickles are never loaded",
    ),
    "a pickle in npz": (
        lambda d, x: np.savez(d / "a.npz", x=np.array([[{"a": 1}]])),
        {},
        r"a\.npz, array 'x' holds Python objects .*pickles are never loaded",
    ),
    "pickled ids": (
        lambda d, x: np.savez(d / "a.npz", x=x, id=np.array([f"i{i}" for i in range(N)], dtype=object)),
        {},
        r"a\.npz, array 'id' holds Python objects, pickled.*strings as np\.asarray\(x, dtype=str\)",
    ),
    "pickled labels": (
        lambda d, x: (np.save(d / "a.npy", x), np.save(d / "labels.npy", np.array(["u"] * N, dtype=object))),
        {"labels": "labels.npy"},
        r"labels\.npy, array 'labels' holds Python objects, pickled",
    ),
    "truncated npy": (
        lambda d, x: (np.save(d / "a.npy", x), cut(d / "a.npy")),
        {},
        r"a\.npy is truncated: its header promises 2048 bytes \(shape \(40, 6\), float64\), there are 2008",
    ),
    "no npy": (lambda d, x: (d / "a.npy").write_text("hello"), {}, r"a\.npy is not a complete \.npy file"),
    "truncated npz": (
        lambda d, x: (np.savez_compressed(d / "a.npz", x=x), cut(d / "a.npz")),
        {},
        r"a\.npz cannot be read, it is damaged or no \.npz",
    ),
    "flipped bits in npz": (
        lambda d, x: (np.savez_compressed(d / "a.npz", x=x), flip(d / "a.npz")),
        {},
        r"a\.npz cannot be read, it is damaged or no \.npz",
    ),
    "bad header of safetensors": (
        lambda d, x: (d / "a.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0notjson!"),
        {},
        r"a\.safetensors cannot be read, it is damaged or no \.safetensors",
    ),
    "truncated safetensors": (
        lambda d, x: (save_file({"x": x}, d / "a.safetensors"), cut(d / "a.safetensors")),
        {},
        r"a\.safetensors cannot be read, it is damaged",
    ),
    "truncated parquet": (
        lambda d, x: (lists(x).to_parquet(d / "a.parquet"), cut(d / "a.parquet")),
        {},
        r"a\.parquet cannot be read, it is damaged or no \.parquet",
    ),
    "a short line of csv": (
        lambda d, x: (d / "a.csv").write_text("u,v\n1,2\n3\n"),
        {},
        r"a\.csv cannot be read.*Expected 2 columns, got 1",
    ),
    "latin 1": (lambda d, x: (d / "a.csv").write_bytes(b"gr\xf6\xdfe,v\n1,2\n"), {}, r"a\.csv is not UTF-8"),
    "an empty file": (lambda d, x: (d / "a.csv").write_text(""), {}, r"a\.csv is empty"),
    "a header alone": (lambda d, x: (d / "a.csv").write_text("u,v\n"), {}, r"a\.csv has no rows"),
    "columns of one name": (lambda d, x: (d / "a.csv").write_text("u,u\n1,2\n"), {}, "two columns called 'u'"),
    "names that collide": (
        lambda d, x: (np.save(d / "a.npy", x), as_csv(wide(x), d / "a.csv")),
        {},
        r"a\.npy and a\.csv would both be called 'a'; rename one",
    ),
    "unknown names": (
        lambda d, x: (np.save(d / "a.npy", x), np.save(d / "b.npy", x)),
        {"names": ["a", "c"]},
        r"names lists \['c'\]; there are \['a', 'b'\]",
    ),
    "one class": (
        lambda d, x: as_csv(wide(x, label=["u"] * N), d / "a.csv"),
        {"labels": "label"},
        r"labels: 1 class among 40 objects \['u'\]; 2 are needed",
    ),
    "a class of one": (
        lambda d, x: as_csv(wide(x, label=["u", "v"] * (N // 2 - 1) + ["u", "odd"]), d / "a.csv"),
        {"labels": "label"},
        r"of 3 classes 1 with one member: odd \(39\).*min_class_size=2",
    ),
    "a missing label": (
        lambda d, x: as_csv(wide(x, label=[None, *["u", "v", "v"] * (N // 3)]), d / "a.csv"),
        {"labels": "label"},
        r"labels \(a\.csv\): no label in 1 of 40 rows \(0\); .*missing='drop'",
    ),
    "no such labels": (
        lambda d, x: as_csv(wide(x), d / "a.csv"),
        {"labels": "sort"},
        "labels is 'sort'; no file of the source has such a column",
    ),
    "vectors as labels": (
        lambda d, x: lists(x).to_parquet(d / "a.parquet"),
        {"labels": "vector", "ids": ""},
        r"a\.parquet, column 'vector' holds vectors; one value a row is needed",
    ),
    "no file of labels": (
        lambda d, x: np.save(d / "a.npy", x),
        {"labels": "labels.csv"},
        r"labels is 'labels\.csv'; there is no such file",
    ),
    "which labels": (
        lambda d, x: (
            np.save(d / "a.npy", x),
            as_csv(pd.DataFrame({"u": range(N), "v": range(N)}), d / "labels.csv"),
        ),
        {"labels": "labels.csv"},
        r"labels: labels\.csv has the columns \['u', 'v'\]; say which, as in 'labels\.csv:v'",
    ),
    "labels that contradict": (
        lambda d, x: (
            as_csv(wide(x, id=range(N), label=["u", "v"] * (N // 2)), d / "a.csv"),
            as_csv(wide(x, id=range(N), label=["u", "v"] * (N // 2 - 1) + ["v", "u"]), d / "b.csv"),
        ),
        {"labels": "label"},
        r"labels of '38': 'u' in a\.csv and 'v' in b\.csv",
    ),
    "too few labels": (lambda d, x: np.save(d / "a.npy", x), {"labels": [0, 1]}, r"a\.npy has 40, labels has 2"),
    "a score that is no number": (
        lambda d, x: (np.save(d / "a.npy", x), (d / "pairs.csv").write_text("left,right,score\n0,1,good\n")),
        {"pairs": "pairs.csv"},
        r"pairs\.csv, column 'score', row 0: 'good' is no finite number",
    ),
    "one score": (
        lambda d, x: (np.save(d / "a.npy", x), (d / "pairs.csv").write_text("left,right,score\n0,1,2\n1,2,2\n")),
        {"pairs": "pairs.csv"},
        r"column 'score': all scores are 2; they must differ",
    ),
    "pairs of others": (
        lambda d, x: (
            as_csv(wide(x, id=range(N)), d / "a.csv"),
            (d / "pairs.csv").write_text("left,right,score\nu,v,1\n"),
        ),
        {"pairs": "pairs.csv"},
        r"pairs\.csv: no row is of objects that were read; its first are \['u'\]",
    ),
    "wrong columns of pairs": (
        lambda d, x: (np.save(d / "a.npy", x), (d / "pairs.csv").write_text("u,v\n0,1\n")),
        {"pairs": "pairs.csv"},
        r"pairs\.csv has the columns \['u', 'v'\]; left, right, score are needed",
    ),
    "models without text": (lambda d, x: np.save(d / "a.npy", x), {"models": ["m"]}, "models are given without text"),
    "an empty folder": (lambda d, x: None, {}, "no embedding in .*it is empty"),
    "unknown formats alone": (
        lambda d, x: ((d / "a.pt").write_bytes(b"x"), (d / "b.xlsx").write_bytes(b"x")),
        {},
        r"(?s)no embedding.*a\.pt: may be pickled.*b\.xlsx: format \.xlsx; read are \.npy",
    ),
}


def flip(path):
    """Damage in the middle of the compressed data."""
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[0]
        at = info.header_offset + 60 + info.compress_size // 2
    data = bytearray(path.read_bytes())
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_in_words(tmp_path, read, x, what):
    make, options, words = BAD[what]
    make(tmp_path, x)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        read(tmp_path, **options)


def test_files_of_other_formats_are_listed_and_never_opened(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    for name in ("b.pkl", "c.txt", ".hidden.npy", "labels.csv"):
        (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    said = read(tmp_path).ignored.set_index("file")["reason"]
    assert sorted(said.index) == ["b.pkl", "c.txt", "labels.csv"]
    assert "never loaded" in said["b.pkl"] and said["labels.csv"].endswith("to use it, pass it as labels")


UNREADABLE = {
    "cut.npy": (lambda x, path: (np.save(path, x), cut(path)), "is truncated: its header promises"),
    "cut.npz": (lambda x, path: (np.savez_compressed(path, x=x), cut(path)), "cannot be read, it is damaged"),
    "cut.parquet": (lambda x, path: (lists(x).to_parquet(path), cut(path)), "cannot be read, it is damaged"),
    "cut.safetensors": (lambda x, path: (save_file({"x": x}, path), cut(path)), "cannot be read, it is damaged"),
    "latin.csv": (lambda x, path: path.write_bytes(b"gr\xf6\xdfe,v\n1,2\n"), "is not UTF-8"),
    "empty.csv": (lambda x, path: path.write_text(""), "is empty"),
    "y.npy": (lambda x, path: np.save(path, x[:, 0]), "labels are passed as labels"),
    "pickle.npy": (lambda x, path: np.save(path, x.astype(object)), "pickles are never loaded"),
    "model.pt": (lambda x, path: path.write_bytes(b"x"), "pickles are never loaded"),
    "nowhere.npy": (lambda x, path: path.symlink_to("gone"), "is a link"),
}


def test_of_a_folder_every_file_is_read_or_listed_with_the_reason(tmp_path, read, x):
    for number, (name, (make, _)) in enumerate(UNREADABLE.items()):
        make(x, tmp_path / name)
        np.save(tmp_path / f"good{number}.npy", x + number)
    inputs = read(tmp_path)
    assert list(inputs.representations) == [f"good{i}" for i in range(len(UNREADABLE))]
    said = inputs.ignored.set_index("file")["reason"]
    assert set(said.index) == set(UNREADABLE)
    for name, (_, words) in UNREADABLE.items():
        assert words in said[name] and not said[name].startswith(name)
    assert list(read(tmp_path, names=["good3"]).representations) == ["good3"]


@pytest.mark.parametrize("name", [name for name in UNREADABLE if name not in ("model.pt", "nowhere.npy")])
def test_a_file_that_is_asked_for_must_be_readable(tmp_path, read, x, name):
    make, words = UNREADABLE[name]
    make(x, tmp_path / name)
    np.save(tmp_path / "good.npy", x)
    for source in (tmp_path / name, [tmp_path / name, tmp_path / "good.npy"], {"mine": tmp_path / name}):
        with pytest.raises(ValueError, match=words):
            read(source)
    with pytest.raises(ValueError, match=f"(?s)names lists|{words}"):
        read(tmp_path, names=[name.split(".")[0], "good"])


def test_what_was_written_beside_is_not_read_again(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    ConcatPCA(2).fit({"a": x}).save(tmp_path / "mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text("{}")
    np.save(tmp_path / "out" / "combined.npy", x)
    as_csv(wide(x), tmp_path / "b.csv")
    for _ in range(2):
        inputs = read_inputs(tmp_path, work=tmp_path / "work", progress=False)
        assert list(inputs.representations) == ["a", "b"] and inputs.ignored.empty
    assert list(read(tmp_path / "out").representations) == ["combined"]


def test_a_file_gives_ids_to_all_arrays(tmp_path, read, x):
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "b.npy", x)
    (tmp_path / "keys.txt").write_text("\n".join(f"k{i}" for i in range(N)))
    as_csv(pd.DataFrame({"left": ["k1"], "right": ["k9"], "relevance": [2]}), tmp_path / "qrels.csv")
    inputs = read(tmp_path, ids="keys.txt", qrels="qrels.csv")
    assert inputs.ids[3] == "k3" and inputs.qrels.to_numpy().tolist() == [[1, 9, 2]]
    assert list(inputs.representations) == ["a", "b"]


def test_rare_classes_are_left_out_if_asked(read, x):
    inputs = read({"a": x}, labels=["u"] * 20 + ["v"] * 18 + ["w", "z"], min_class_size=2)
    assert len(inputs) == 38 and inputs.representations["a"].shape == (38, P)
    assert inputs.losses["reason"].tolist() == ["class w has 1 members", "class z has 1 members"]
    with pytest.raises(ValueError, match="1 class of at least 19 members"):
        read({"a": x}, labels=["u"] * 20 + ["v"] * 18 + ["w", "z"], min_class_size=19)


def test_arrays_and_files_mix_in_a_mapping(tmp_path, read, x):
    as_csv(wide(x, label=["u", "v"] * (N // 2)), tmp_path / "a.csv")
    torch = pytest.importorskip("torch")
    inputs = read(
        {"mine": x, "tensor": torch.ones(N, 2, dtype=torch.bfloat16), "file": tmp_path / "a.csv"}, labels="label"
    )
    assert list(inputs.representations) == ["mine", "tensor", "file"] and inputs.labels[1] == "v"
    np.testing.assert_array_equal(inputs.representations["file"], x)
    for wrong, error in (
        (np.eye(3), TypeError),
        ({}, ValueError),
        ("", ValueError),
        ("nowhere", FileNotFoundError),
        (7, TypeError),
    ):
        with pytest.raises(error, match="source"):
            read(wrong)


@pytest.mark.parametrize("suffix", ["npy", "npz", "parquet", "csv"])
def test_memory_does_not_grow_with_the_rows(tmp_path, suffix):
    """Of 1 KB (in CSV 2 KB) for each object a small part is held while they are converted, aligned and described."""
    rng, width, count, peaks = np.random.default_rng(0), 128, 5_000, []
    for n in (count, 2 * count):
        folder = tmp_path / str(n)
        folder.mkdir()
        for name in "ab":
            ids = rng.permutation(n)
            values = rng.normal(size=(n, width)).astype("f4")
            if suffix == "npy":
                np.save(folder / f"{name}.npy", values)
                np.save(folder / f"{name}.ids.npy", ids)
            elif suffix == "npz":
                np.savez_compressed(folder / f"{name}.npz", x=values.astype("i1"), id=ids)
            elif suffix == "parquet":
                pq.write_table(arrow_lists(values, pa.list_(pa.float32()), id=ids), folder / f"{name}.parquet")
            else:
                write_csv(pa.Table.from_pandas(wide(values, id=ids)), folder / f"{name}.csv")
            del values
        tracemalloc.start()
        read_inputs(folder, work=tmp_path / "work", progress=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 400 * count


def test_new_rows_are_combined_by_one_command(tmp_path, x, capsys):
    layers = {"a": x.astype("f4"), "b": x[:, ::-1].astype("f4") ** 2, "c": x.astype("f4")}
    saved = ConcatPCA(3).fit(layers).save(tmp_path / "ensemble")
    (tmp_path / "new").mkdir()
    rng = np.random.default_rng(2)
    new = {name: rng.normal(size=(20_000, P)).astype("f4") for name in "abc"}
    for name, values in new.items():
        np.save(tmp_path / "new" / f"{name}.npy", values)
    out = tmp_path / "deep" / "combined.npy"
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out)]) == 0
    assert "20000 rows" in capsys.readouterr().out
    np.testing.assert_allclose(np.load(out), ConcatPCA(3).fit(layers).transform(new), rtol=1e-6, atol=1e-6)
    assert [path.name for path in out.parent.iterdir()] == ["combined.npy"]
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out)]) == 2
    assert "is there; to replace it, pass --overwrite" in capsys.readouterr().err
    (tmp_path / "new" / "b.npy").unlink()
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out), "--overwrite"]) == 2
    assert "needs ['a', 'b', 'c'], by these names: names lists ['b']; there are ['a', 'c']" in capsys.readouterr().err
    np.save(tmp_path / "new" / "b.npy", np.ones((20_000, P + 1)))
    assert main(["apply", str(saved), str(tmp_path / "new"), "-o", str(out), "--overwrite"]) == 2
    assert "'b' is 7 wide; expected 6, as in fit" in capsys.readouterr().err
    assert np.load(out).shape == (20_000, 3)


def test_combined_rows_carry_their_ids(tmp_path, x, capsys):
    saved = MeanOfLayers().fit({"a": x, "b": x}).save(tmp_path / "ensemble")
    (tmp_path / "new").mkdir()
    ids = [f"ü{i}" for i in range(N)]
    x[4, 0] = np.nan
    lists(x, id=ids).to_parquet(tmp_path / "new" / "a.parquet")
    lists(x[::-1], id=ids[::-1]).to_parquet(tmp_path / "new" / "b.parquet")
    command = ["apply", str(saved), str(tmp_path / "new"), "-o", str(tmp_path / "combined.npy")]
    assert main(command) == 2
    assert "or pass --missing drop to leave these objects out" in capsys.readouterr().err
    assert main([*command, "--missing", "drop"]) == 0
    assert "left out, such as ü4 (NaN" in capsys.readouterr().out
    combined = read_inputs(tmp_path / "combined.npy", progress=False)
    assert combined.ids.tolist() == ids[:4] + ids[5:]
    np.testing.assert_allclose(combined.representations["combined"], np.delete(x, 4, 0))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny encoder with random weights."""
    import torch
    import transformers as hf
    from test_encoders_extraction import save_tokenizer

    torch.manual_seed(0)
    shape = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    folder = tmp_path_factory.mktemp("models") / "tiny"
    hf.BertModel(hf.BertConfig(**shape, vocab_size=44, pad_token_id=1, max_position_embeddings=24)).save_pretrained(
        folder
    )
    save_tokenizer(folder, special=True)
    return str(folder)


def test_models_are_one_parameter_away(tmp_path, read, x, model):
    texts = [f"w{i} w{i // 2}" for i in range(N)]
    order = np.random.default_rng(0).permutation(N)
    frame = pd.DataFrame({"id": range(N), "sentence": texts, "label": [0, 1] * (N // 2), "year": 1999})
    as_csv(frame, tmp_path / "data.csv")
    alone = read(tmp_path / "data.csv", models=[model], text="sentence", labels="label")
    assert list(alone.representations) == ["tiny"] and alone.representations["tiny"].shape == (N, 8)
    assert alone.texts.tolist() == texts and alone.labels.tolist() == [0, 1] * (N // 2)
    lists(x[order], id=order).to_parquet(tmp_path / "mine.parquet")
    both = read(tmp_path, models=model, text="sentence", layers="all")
    assert list(both.representations) == ["mine", "tiny/layer 0", "tiny/layer 1", "tiny/layer 2"]
    np.testing.assert_array_equal(both.representations["tiny/layer 2"], alone.representations["tiny"][order])
    np.testing.assert_array_equal(both.representations["mine"], x[order])
    chosen = read(tmp_path, models=model, text="sentence", names=["tiny", "mine"])
    assert list(chosen.representations) == ["tiny", "mine"]
    with pytest.raises(ValueError, match=r"names lists \['other'\]; there are \['mine', 'tiny'\]"):
        read(tmp_path, models=model, text="sentence", names=["tiny", "other"])


def test_blank_texts_are_refused_or_left_out(tmp_path, read, model):
    texts = ["w1 w2", " ", None, "w3"]
    as_csv(pd.DataFrame({"sentence": texts, "n": range(4)}), tmp_path / "data.csv")
    with pytest.raises(ValueError, match=r"texts \(data\.csv\): no text in 2 of 4 rows \(1, 2\)"):
        read(tmp_path / "data.csv", models=[model], text="sentence")
    (tmp_path / "data.txt").write_text("\n".join(["w1 w2", "", "w3 w4"]))
    inputs = read({"a": np.eye(3)}, models=[model], text=tmp_path / "data.txt", missing="drop")
    assert list(read("", models=[model], text=tmp_path / "data.txt", missing="drop").representations) == ["tiny"]
    assert inputs.texts.tolist() == ["w1 w2", "w3 w4"] and inputs.representations["a"].tolist() == [
        [1, 0, 0],
        [0, 0, 1],
    ]


def test_pairs_of_sentences_need_no_other_file(tmp_path, read, model):
    pairs = pd.DataFrame(
        {"sentence1": ["w1 w2", "w3", "w1 w2 "], "sentence2": ["w3", "w4 w5", "w6"], "score": [1, 2, 3]}
    )
    as_csv(pairs, tmp_path / "sts.csv")
    inputs = read("", models=[model], pairs=tmp_path / "sts.csv")
    assert inputs.texts.tolist() == ["w1 w2", "w3", "w4 w5", "w6"] == inputs.ids.tolist()
    assert inputs.pairs.to_numpy().tolist() == [[0, 1, 1], [1, 2, 2], [0, 3, 3]]
    assert inputs.representations["tiny"].shape == (4, 8)
