"""JSON as APIs, databases and pandas write it."""

import json

import foreign_files as ff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.inputs import read

X, IDS, N = ff.X, ff.IDS, ff.N
ROWS = X.tolist()


def batch_line(name, body, status=200):
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": f"batch_req_{name}", "custom_id": name, "response": response, "error": None}


SHAPES = {
    "OpenAI": ff.answer(X),
    "one answer after the other": [ff.answer(X[:15]), ff.answer(X[15:])],
    "Ollama": {"model": "m", "embeddings": ROWS, "total_duration": 1},
    "Cohere": {"id": "r", "texts": ["t"] * N, "embeddings": {"float": ROWS}, "meta": {"api_version": {"version": "2"}}},
    "Google": {"embeddings": [{"values": row} for row in ROWS]},
    "Vertex": {"predictions": [{"embeddings": {"values": row, "statistics": {"token_count": 3}}} for row in ROWS]},
    "rows alone": ROWS,
    "keys": dict(zip(IDS, ROWS, strict=True)),
    "records by keys": {i: {"embedding": row, "kind": "u"} for i, row in zip(IDS, ROWS, strict=True)},
    "Pinecone": {
        "namespace": "",
        "vectors": [
            {"id": i, "values": row, "metadata": {"kind": "u"}, "sparse_values": {"indices": [1], "values": [0.5]}}
            for i, row in zip(IDS, ROWS, strict=True)
        ],
    },
    "Qdrant": {"result": {"points": [{"id": i, "vector": r} for i, r in zip(IDS, ROWS, strict=True)]}, "status": "ok"},
    "Elasticsearch": {
        "took": 1,
        "hits": {
            "hits": [{"_id": i, "_score": 1.0, "_source": {"vec": r, "t": "x"}} for i, r in zip(IDS, ROWS, strict=True)]
        },
    },
    "Chroma": {"ids": IDS, "embeddings": ROWS, "documents": ["t"] * N, "metadatas": [{"a": 1}] * N},
    "columns": {"id": IDS, "vector": ROWS},
}
LINES = {
    "a list": ROWS,
    "records": [{"id": i, "vector": row} for i, row in zip(IDS, ROWS, strict=True)],
    "answers": [ff.answer(X[at : at + 10]) for at in range(0, N, 10)],
    "OpenAI's batch": [batch_line(i, ff.answer(row[None])) for i, row in zip(IDS, X, strict=True)],
    "Google's batch": [{"key": i, "response": {"embedding": {"values": r}}} for i, r in zip(IDS, ROWS, strict=True)],
    "Bedrock's batch": [
        {"recordId": i, "modelInput": {"inputText": "t"}, "modelOutput": {"embedding": row}}
        for i, row in zip(IDS, ROWS, strict=True)
    ],
}


def read_quietly(path, **options):
    return read(path, work=path.parent / "work", progress=False, **options)


def check(inputs, shape):
    ((_, got),) = inputs.representations.items()
    np.testing.assert_array_equal(got.astype("f4"), X)
    assert inputs.ids.tolist() == IDS if "id" in shape or isinstance(inputs.ids[0], str) else list(range(N))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_vectors_of_an_answer_are_found_and_in_their_order(tmp_path, shape, indent):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(SHAPES[shape], indent=indent))
    inputs = read_quietly(path)
    check(inputs, shape)
    with_ids = "keys", "records by keys", "Pinecone", "Qdrant", "Elasticsearch", "Chroma", "columns"
    assert (inputs.ids.tolist() == IDS) == (shape in with_ids)


@pytest.mark.parametrize("shape", LINES)
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_each_line_is_an_object_or_an_answer(tmp_path, shape, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_text(ff.text_of(LINES[shape]))
    inputs = read_quietly(path)
    check(inputs, shape)
    assert (inputs.ids.tolist() == IDS) == (shape not in ("a list", "answers"))


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "values"])
def test_data_frames_are_read_however_pandas_turned_them(tmp_path, orient):
    ff.FRAME.to_json(tmp_path / "a.json", orient=orient, double_precision=15)
    ((_, got),) = read_quietly(tmp_path / "a.json").representations.items()
    np.testing.assert_array_equal(got.astype("f4"), X)


def test_lines_of_a_batch_come_in_any_order_and_meet_by_their_custom_ids(tmp_path):
    order = np.random.default_rng(0).permutation(N)
    lines = [batch_line(IDS[i], ff.answer(X[i][None])) for i in order]
    (tmp_path / "batch.jsonl").write_text(ff.text_of(lines))
    pd.DataFrame({"id": IDS, "v": ROWS, "kind": ["u", "v"] * (N // 2)}).to_json(
        tmp_path / "mine.jsonl", orient="records", lines=True, double_precision=15
    )
    inputs = read_quietly(tmp_path, labels="kind")
    np.testing.assert_array_equal(*(x.astype("f4") for x in inputs.representations.values()))
    assert sorted(inputs.ids) == IDS and inputs.labels[list(inputs.ids).index("d01")] == "v"


def test_several_texts_of_one_request_are_numbered(tmp_path):
    lines = [batch_line("u", ff.answer(X[:3])), batch_line("v", ff.answer(X[3:5]))]
    (tmp_path / "a.jsonl").write_text(ff.text_of(lines))
    inputs = read_quietly(tmp_path / "a.jsonl")
    assert inputs.ids.tolist() == ["u/0", "u/1", "u/2", "v/0", "v/1"]
    np.testing.assert_array_equal(inputs.representations["a"].astype("f4"), X[:5])


def test_a_request_that_failed_is_missing_and_said_to_be(tmp_path):
    lines = LINES["OpenAI's batch"][:5]
    lines[3] = batch_line("d03", {"error": {"message": "no"}}, 400)
    (tmp_path / "a.jsonl").write_text(ff.text_of(lines))
    with pytest.raises(ValueError, match=r"NaN or infinite entries in 1 of 5 rows \(3\)"):
        read_quietly(tmp_path / "a.jsonl")
    assert read_quietly(tmp_path / "a.jsonl", missing="drop").losses["id"].tolist() == ["d03"]


def test_packed_bits_of_an_answer_are_signs(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2, (N, 32))
    packed = np.packbits(bits, axis=1)
    answer = {"embeddings": {"ubinary": packed.tolist(), "binary": (packed.astype(int) - 128).tolist()}}
    (tmp_path / "a.json").write_text(json.dumps(answer))
    inputs = read_quietly(tmp_path / "a.json")
    np.testing.assert_array_equal(inputs.representations["ubinary"], 2 * bits - 1)
    other = inputs.representations["binary"]
    flipped = np.where(np.arange(32) % 8 == 0, -1, 1)  # the offset turns the first sign of each byte
    np.testing.assert_array_equal(other * flipped, 2 * bits - 1)


KEYS = st.sampled_from(["ids", "data", "index", "columns", "v"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(VALUES, st.sampled_from(["json", "jsonl"]))
def test_whatever_json_holds_is_read_or_refused_in_words(tmp_path_factory, value, suffix):
    path = tmp_path_factory.mktemp("in") / f"a.{suffix}"
    path.write_text(json.dumps(value) + "\n")
    try:
        read_quietly(path)
    except (ValueError, FileNotFoundError) as error:
        assert str(path.name) in str(error)


BAD = {
    "a broken line": ('{"v": [1, 2]}\n{"v": [1,\n', "jsonl", r"a\.jsonl, row 1 \(line 2\) is not JSON"),
    "half a file": ('[{"v": [1, 2]},\n {"v": [1', "json", r"a\.json is damaged, truncated or no JSON: .*line 2"),
    "words in a vector": (
        '{"v": [1, 2]}\n{"v": [1, "two"]}\n',
        "jsonl",
        r"a\.jsonl, column 'v', row 1: .* is no vector",
    ),
    "another length": ('{"v": [1, 2]}\n{"v": [1, 2, 3]}\n', "jsonl", r"column 'v', row 1: the vector has 3 entries"),
    "a vector for each token": (
        '{"id": 1, "v": [[1, 2], [3, 4]]}\n{"id": 2, "v": [[1, 2], [3, 4]]}\n',
        "jsonl",
        r"row 0: 'v' holds 2 vectors for the one object 1 \(one for each token\?\)",
    ),
    "a late key": (
        '{"v": [1, 2]}\n' * 201 + '{"w": [1, 2]}\n',
        "jsonl",
        r"row 201: 'w' holds a vector, and none of the first 200 rows has it",
    ),
    "nothing": ("", "json", r"a\.json"),
    "one number": ("7", "json", r"a\.json, row 0: int alone; a record or a list of numbers is needed"),
    "no vectors": ('{"status": "ok"}', "json", r"a\.json holds one record; a row for each object is needed"),
}


@pytest.mark.parametrize("what", BAD)
def test_json_without_vectors_is_refused_with_file_and_row(tmp_path, what):
    content, suffix, words = BAD[what]
    path = tmp_path / f"a.{suffix}"
    path.write_text(content)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        read_quietly(path)


def test_a_file_of_one_value_is_parsed_once_and_let_go(tmp_path, monkeypatch):
    from helpers.inputs import _json

    (tmp_path / "a.json").write_text(json.dumps({"id": IDS, "a": ROWS, "b": ROWS}, indent=1))
    parsed = []
    whole = json.loads
    monkeypatch.setattr(_json.json, "loads", lambda text: parsed.append(len(text)) or whole(text))
    found = read(tmp_path, work=tmp_path / "work", progress=False)
    assert len(found.representations) == 2 and sum(size > 1000 for size in parsed) == 1
    assert not _json._PARSED
    (tmp_path / "a.json").write_text(json.dumps({"id": IDS, "a": (2 * X).tolist()}, indent=1))
    assert np.allclose(read(tmp_path, work=tmp_path / "work", progress=False).representations["a"], 2 * X)
