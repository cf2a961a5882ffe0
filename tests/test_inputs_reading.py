"""Embeddings of people: every format, every way to be wrong, texts and models."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedding_files import N, P, arrow_lists, as_csv, bfloat16, cut, flip, lists, wide, with_cell
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.csv import write_csv
from safetensors.numpy import save_file

from helpers.inputs import Inputs
from helpers.inputs import read as read_inputs

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
    # What the type keeps: u of half precision, seven bits cut off, eight decimals as printed; else u of single.
    rtol, atol = {
        "half": (2.0**-11, 2.0**-25),
        "brain": (2.0**-7, 0),
        "print": (0, 5e-9),
        "array": (2.0**-23, 5e-9),  # rounded to single, and then printed with as few digits as tell it apart
    }.get(file[:5].removesuffix("."), (2.0**-24, 0))
    np.testing.assert_allclose(got, x, rtol=rtol, atol=atol)
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
    "commas that may mean thousands": (
        lambda d, x: (d / "a.csv").write_text("f0;f1\n1,234;2,345\n3,456;4,567\n"),
        {},
        r"(?s)no embedding.*a\.csv: column 'f0' holds numbers whose commas may mean thousands; write them without",
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
    "labels misspelt": (
        lambda d, x: as_csv(wide(x, topic=["u", "v"] * (N // 2)), d / "a.csv"),
        {"labels": "tpoic"},
        "no file of the source has such a column or array, nor is it a file; the nearest name is 'topic'",
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
    "which text": (
        lambda d, x: (
            np.save(d / "a.npy", x),
            as_csv(pd.DataFrame({"text": ["u"] * N, "v": range(N)}), d / "texts.csv"),
        ),
        {"models": ["encoder"], "text": "texts.csv"},
        r"text: texts\.csv has the columns \['text', 'v'\]; say which, as in 'texts\.csv:text'",
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
        lambda d, x: ((d / "a.pkl").write_bytes(b"x"), (d / "b.xyz").write_bytes(b"x")),
        {},
        r"(?s)no embedding.*a\.pkl: may be pickled.*b\.xyz: format \.xyz; read are \.npy",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_in_words(tmp_path, read, x, what):
    make, options, words = BAD[what]
    make(tmp_path, x)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        read(tmp_path, **options)


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
