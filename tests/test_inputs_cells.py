"""Numbers and vectors as text: pgvector's, arrays of PostgreSQL, decimal commas, bytes as base64."""

import base64

import foreign_files as ff
import numpy as np
import pandas as pd
import pytest

from helpers.inputs import read

X, IDS, N = ff.X, ff.IDS, ff.N


def read_quietly(path, **options):
    return read(path, work=path.parent / "work", progress=False, **options)


VECTORS = {
    "pgvector": lambda row: "[" + ",".join(map(repr, row)) + "]",
    "an array of PostgreSQL": lambda row: "{" + ",".join(map(repr, row)) + "}",
    "sparsevec of pgvector": lambda row: "{" + ",".join(f"{i}:{v!r}" for i, v in enumerate(row, 1)) + f"}}/{len(row)}",
    "bars": lambda row: "|".join(map(repr, row)),
    "a tensor": lambda row: f"tensor({list(row)})",
    "decimal commas and spaces": lambda row: " ".join(repr(v).replace(".", ",") for v in row),
    "decimal commas and semicolons": lambda row: "; ".join(repr(v).replace(".", ",") for v in row),
    "decimal commas in brackets": lambda row: "[" + "; ".join(repr(v).replace(".", ",") for v in row) + "]",
    "base64": lambda row: base64.b64encode(np.array(row * 2, "<f4").tobytes()).decode(),
}


@pytest.mark.parametrize("kind", VECTORS)
def test_vectors_are_read_however_they_were_written(tmp_path, kind):
    rows = [VECTORS[kind](row) for row in X.tolist()]
    pd.DataFrame({"id": IDS, "v": rows}).to_csv(tmp_path / "a.csv", index=False)
    inputs = read_quietly(tmp_path / "a.csv")
    assert list(inputs.representations) == ["a"] and inputs.ids.tolist() == IDS
    np.testing.assert_array_equal(inputs.representations["a"][:, : ff.P].astype("f4"), X)


def test_hashes_and_words_are_no_bytes_of_vectors(tmp_path):
    import hashlib

    texts = {
        "sha": [hashlib.sha256(i.encode()).hexdigest() for i in IDS],
        "word": ["antidisestablishmentarianism" * 2] * N,
    }
    ff.FRAME.assign(**texts).to_csv(tmp_path / "a.csv", index=False)
    inputs = read_quietly(tmp_path / "a.csv")
    assert inputs.representations["a"].shape == X.shape
    assert inputs.ignored["reason"].tolist() == ["column 'sha' holds text", "column 'word' holds text"]


@pytest.mark.parametrize(
    "options", [{"sep": ";"}, {"sep": "\t"}, {"sep": ";", "header": False}, {"sep": "\t", "header": False}]
)
def test_decimal_commas_are_read_and_said(tmp_path, options):
    ff.FRAME.to_csv(tmp_path / "a.csv", index=False, decimal=",", **options)
    inputs = read_quietly(tmp_path / "a.csv")
    np.testing.assert_array_equal(inputs.representations["a"].astype("f4"), X)
    assert inputs.findings.loc["a", "read_as"] == "decimal commas"


def test_a_column_with_commas_beside_one_of_whole_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("u;v;w\n0,5;1;1,234\n-2,25;2;2,5\n;3;0,125\n")
    inputs = read_quietly(tmp_path / "a.csv", missing="drop")
    assert inputs.representations["a"].tolist() == [[0.5, 1, 1.234], [-2.25, 2, 2.5]]


def test_scores_of_pairs_may_have_decimal_commas(tmp_path):
    ff.FRAME.to_csv(tmp_path / "a.csv", index=False, sep=";", decimal=",")
    (tmp_path / "pairs.csv").write_text("left;right;score\n0;1;0,5\n1;2;1,25\n")
    assert read_quietly(tmp_path, pairs="pairs.csv").pairs["score"].tolist() == [0.5, 1.25]


def test_commas_and_points_in_one_column_are_refused_with_the_row(tmp_path):
    (tmp_path / "a.csv").write_text("u;v\n" + "0,5;1,5\n" * 300 + "0.5;1,5\n")
    with pytest.raises(ValueError, match=r"a\.csv, column 'u', row 300: '0\.5' has a point, and the first rows have"):
        read_quietly(tmp_path / "a.csv")


def test_bytes_of_vectors_in_a_table_are_float32(tmp_path):
    rows = [row.tobytes() for row in X]
    pd.DataFrame({"id": IDS, "v": rows, "other": [b"abc"] * N}).to_parquet(tmp_path / "a.parquet")
    inputs = read_quietly(tmp_path / "a.parquet")
    np.testing.assert_array_equal(inputs.representations["a"], X)
    assert inputs.ignored["reason"].tolist() == ["column 'other' holds bytes"]
    pd.DataFrame({"v": [*rows * 6, rows[0][:-4]]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet, column 'v', row 240: the vector has 5 entries, the first one 6"):
        read_quietly(tmp_path / "b.parquet")
