"""Vectors of words, as text and as binary."""

import foreign_files as ff
import numpy as np
import pytest

from helpers.inputs import read

X, IDS, N, P = ff.X, ff.IDS, ff.N, ff.P


def read_quietly(path, **options):
    return read(path, work=path.parent / "work", progress=False, **options)


@pytest.mark.parametrize("file, header", [("a.txt", False), ("a.txt", True), ("a.vec", False), ("a.vec", True)])
def test_the_word_is_the_id_with_a_header_and_without(tmp_path, file, header):
    (tmp_path / file).write_text(ff.glove(header=header))
    inputs = read_quietly(tmp_path / file)
    assert inputs.ids.tolist() == IDS
    np.testing.assert_array_equal(inputs.representations["a"], X)


@pytest.mark.parametrize("file", ["a.txt", "a.bin"])
def test_words_of_all_kinds_are_ids(tmp_path, file):
    words = ["the", ",", "7", "größe", "http://a.b/c?d=e", "'s", "\u00a0", "\U0001f600"] + IDS[8:]
    if file == "a.txt":
        words[1] = ". . ."  # a word with spaces, as GloVe has them
    content = ff.glove(words=words) if file == "a.txt" else ff.word2vec(words=words)
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    inputs = read_quietly(tmp_path / file)
    assert inputs.ids.tolist() == [w if w.strip() else "\\xa0" for w in words]
    np.testing.assert_array_equal(inputs.representations["a"], X)


def test_word_vectors_meet_a_table_by_whatever_its_ids_are_called(tmp_path):
    (tmp_path / "a.vec").write_text(ff.glove(header=True))
    ff.FRAME[::-1].assign(token=IDS[::-1]).to_csv(tmp_path / "b.csv", index=False)
    inputs = read_quietly(tmp_path, ids="token")
    np.testing.assert_array_equal(inputs.representations["a"], inputs.representations["b"].astype("f4"))
    assert inputs.ids.tolist() == IDS


def test_a_matrix_in_txt_is_no_list_of_words_and_lines_are_no_matrix(tmp_path):
    np.savetxt(tmp_path / "a.txt", X)
    (tmp_path / "notes.txt").write_text("one line\nand another one\n")
    (tmp_path / "numbers.txt").write_text("1\n2\n3\n")
    inputs = read_quietly(tmp_path)
    assert list(inputs.representations) == ["a"] and inputs.ids.tolist() == list(range(N))
    assert sorted(inputs.ignored["file"]) == ["notes.txt", "numbers.txt"]
    assert inputs.ignored["reason"].str.startswith("holds lines of text").all()


def without(content, row, change):
    lines = content.splitlines(keepends=True)
    lines[row] = change(lines[row])
    return "".join(lines)


BAD = {
    "a vector that is short": (
        without(ff.glove(), 7, lambda line: " ".join(line.split()[:-2]) + "\n"),
        "a.txt",
        r"a\.txt, row 7: the vector has 4 entries, and 6 are needed \('d07 ",
    ),
    "a word in a vector": (
        without(ff.glove(header=True), 9, lambda line: line.rpartition(" ")[0] + " x\n"),
        "a.vec",
        r"a\.vec, row 8: 'x' is not a number",
    ),
    "fewer words than promised": (
        "".join(ff.glove(header=True).splitlines(keepends=True)[:-3]),
        "a.vec",
        r"a\.vec is truncated: its first line promises 40 words, there are 37",
    ),
    "a word twice": (ff.glove(words=[*IDS[:-1], "d03"]), "a.txt", r"the id 'd03' is in rows 3 and 39"),
    "half a binary file": (
        ff.word2vec()[:700],
        "a.bin",
        r"a\.bin is truncated: its first line promises 40 words of 6 entries, row 24 is not complete",
    ),
    "a model of fastText": (
        (793712314).to_bytes(4, "little") + bytes(100),
        "a.bin",
        r"a\.bin is a model of fastText and no vectors; save these",
    ),
    "words alone": ("the\nof\nand\n", "a.vec", r"a\.vec, row 0: 'the' is no word with a vector"),
    "nothing": ("", "a.vec", r"a\.vec is empty"),
}


@pytest.mark.parametrize("what", BAD)
def test_damaged_word_vectors_are_refused_with_file_and_row(tmp_path, what):
    content, file, words = BAD[what]
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=words):
        read_quietly(tmp_path / file)
