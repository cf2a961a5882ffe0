"""Ids, labels, groups, pairs and relevances from columns, files and arrays."""

import unicodedata
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from embedding_files import N, P, as_csv, lists, wide


def test_ids_may_be_numbers_in_one_file_and_words_in_another(tmp_path, read, x):
    lists(x, key=np.arange(100, 100 + N)).to_parquet(tmp_path / "a.parquet")
    as_csv(wide(x[::-1], key=np.arange(100, 100 + N)[::-1]), tmp_path / "b.csv")
    lists(x, key=np.arange(100.0, 100 + N)).to_parquet(tmp_path / "c.parquet")
    inputs = read(tmp_path, ids="key")
    assert inputs.ids[0] == "100"
    for got in inputs.representations.values():
        np.testing.assert_array_equal(got, x)


DAYS = pd.date_range("2020-01-01", periods=N)
UUIDS = [UUID(int=2**100 + 7 * i) for i in range(N)]
WRITTEN_TWICE = {
    "whole numbers, saved as others": (np.arange(N), [f"{i}.0" for i in range(N)]),
    "days, and their midnights": (DAYS, [str(day.date()) for day in DAYS]),
    "UUIDs, as bytes": ([one.bytes for one in UUIDS], list(map(str, UUIDS))),
    "digests, as bytes": ([bytes([0, 255, i]) for i in range(N)], [f"00ff{i:02x}" for i in range(N)]),
    "blanks that do not break": ([f"row {i}" for i in range(N)], [f"row\u00a0{i}" for i in range(N)]),
    "characters that nobody sees": ([f"row {i}" for i in range(N)], [f"\ufeffrow \u200b{i}" for i in range(N)]),
}


@pytest.mark.parametrize("ids, written", WRITTEN_TWICE.values(), ids=WRITTEN_TWICE)
def test_ids_meet_however_a_program_writes_them(tmp_path, read, x, ids, written):
    lists(x, id=ids).to_parquet(tmp_path / "a.parquet")
    as_csv(wide(x[::-1], id=written[::-1]), tmp_path / "b.csv")
    inputs = read(tmp_path)
    assert len(inputs) == N and len(set(inputs.ids)) == N
    for got in inputs.representations.values():
        np.testing.assert_array_equal(got, x)


def test_ids_that_only_look_alike_stay_apart(tmp_path, read, x):
    times = [*DAYS[:-1], DAYS[-1] + pd.Timedelta("1h")]
    assert str(times[-2]) in read({"a": x}, labels=np.repeat(times[-2:], N // 2)).labels  # not all are midnights
    for twins in (["1.0", "1"], ["01", "1"], ["x", "X"], ["1.0", "1.00"]):
        ids = [*twins, *(f"k{i}" for i in range(N - 2))]
        as_csv(wide(x, id=ids), tmp_path / "a.csv")
        assert read(tmp_path / "a.csv").ids.tolist() == ids


def test_a_role_in_a_frame_is_its_one_column(read, x):
    y = np.arange(N) % 2
    assert read({"a": x}, labels=pd.DataFrame({"y": y})).labels.tolist() == y.tolist()
    with pytest.raises(ValueError, match=r"groups is a table with the columns \['y', 'z'\]; one of them is needed"):
        read({"a": x}, groups=pd.DataFrame({"y": y, "z": y}))


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


def test_fractions_are_targets_and_no_classes(tmp_path, read, x):
    inputs = read({"a": x}, labels=np.linspace(0, 1, N))
    assert inputs.labels.dtype == np.float64
    assert read({"a": x}, labels=range(1900, 1900 + N)).labels.dtype == np.float64
    assert read({"a": x}, labels=["1", "2"] * (N // 2)).labels.tolist()[:2] == [1, 2]


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


CODES = [
    ("1.1", "1.10"),
    ("1.2", "1.10"),
    ("01", "1"),
    ("01", "02"),
    ("1e2", "100"),
    ("1", "1.0"),
    ("+1", "1"),
    (str(2**53), str(2**53 + 1)),
    (str(10**25), str(10**25 + 1)),
    ("NaN1", "nan1"),
]


@pytest.mark.parametrize("codes", CODES, ids=" and ".join)
@pytest.mark.parametrize("suffix", ["csv", "parquet", "npy", "array"])
def test_codes_that_look_like_numbers_are_not_merged(tmp_path, read, x, codes, suffix):
    labels = list(codes) * (N // 2)
    path = tmp_path / f"labels.{suffix}"
    if suffix == "npy":
        np.save(path, np.array(labels))
    elif suffix != "array":
        getattr(pd.DataFrame({"code": labels}), f"to_{suffix}")(path, index=False)
    found = read({"a": x}, labels=labels if suffix == "array" else str(path)).labels
    assert len(set(found.tolist())) == 2 and [str(one) for one in found] == labels


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_codes_as_ids_stay_apart_and_join(tmp_path, read, x, suffix):
    words = [code for pair in CODES[:-1] for code in pair]
    ids = [*dict.fromkeys(words), *(f"o{i}" for i in range(N))][:N]
    for name, order in (("a", np.arange(N)), ("b", np.random.default_rng(0).permutation(N))):
        frame = wide(x[order], id=np.array(ids, dtype=object)[order])
        getattr(frame, f"to_{suffix}")(tmp_path / f"{name}.{suffix}", index=False)
    inputs = read(tmp_path)
    assert inputs.ids.tolist() == ids
    np.testing.assert_array_equal(inputs.representations["b"], x)


def test_whole_numbers_beyond_double_precision_stay_exact_beside_missing_ones(tmp_path, read, x):
    big = [2**53, 2**53 + 1] * (N // 2)
    column = pd.array([None, *big[1:]], dtype="Int64")
    pd.DataFrame({"code": column}).to_parquet(tmp_path / "labels.parquet")
    inputs = read({"a": x}, labels=str(tmp_path / "labels.parquet"), missing="drop")
    assert set(inputs.labels.tolist()) == {2**53, 2**53 + 1} and len(inputs) == N - 1
    assert read({"a": x}, labels=big).labels.tolist() == big


@pytest.mark.parametrize("form", [str, "{:.2f}".format, "{:.18e}".format, "{:.3g}".format, "{:g}".format])
def test_numbers_in_every_usual_form_are_numbers(tmp_path, read, x, form):
    y = np.round(np.random.default_rng(0).normal(size=N) * 10.0 ** np.arange(-3, 5).repeat(N // 8), 2)
    pd.DataFrame({"y": [form(float(one)) for one in y]}).to_csv(tmp_path / "y.csv", index=False)
    labels = read({"a": x}, labels=str(tmp_path / "y.csv")).labels
    assert labels.dtype == np.float64 and np.array_equal(labels, [float(form(float(one))) for one in y])


def test_unicode_forms_of_ids_and_labels_meet(tmp_path, read, x):
    ids = [f"größe {i}" for i in range(N)]
    as_csv(wide(x, id=[unicodedata.normalize("NFC", one) for one in ids]), tmp_path / "a.csv")
    as_csv(wide(x[::-1], id=[unicodedata.normalize("NFD", one) for one in ids[::-1]]), tmp_path / "b.csv")
    np.testing.assert_array_equal(read(tmp_path).representations["b"], x)
    labels = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")] * (N // 4) + ["e"] * (N // 2)
    assert set(read({"a": x}, labels=labels).labels) == {"é", "e"}
