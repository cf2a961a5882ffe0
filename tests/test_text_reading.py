"""Samples of sentences, digests, and texts from files and from the hub."""

import gzip
import json
import re

import pytest

from helpers.text import digest_of_texts, read_hub, read_texts, sentences

NUMBERED = [f"This is the sentence with number {i}." for i in range(100)]


def test_samples_are_distinct_nested_and_seeded():
    large, small = sentences(80, source=NUMBERED), sentences(20, source=NUMBERED)
    assert large[:20] == small and len(set(large)) == 80
    assert sentences(20, source=NUMBERED, rng=1) != small
    assert sentences(source=NUMBERED + NUMBERED) == NUMBERED


def test_a_sample_of_a_file(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(NUMBERED))
    assert sentences(20, source=tmp_path / "a.txt") == sentences(20, source=NUMBERED)
    (tmp_path / "a.csv").write_text("id,text\n" + "\n".join(f"{i},{text}" for i, text in enumerate(NUMBERED)))
    assert sentences(20, source=str(tmp_path / "a.csv"), column="text") == sentences(20, source=NUMBERED)


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_a_sample_has_a_whole_size(n):
    with pytest.raises(ValueError, match=f"n is {n}"):
        sentences(n, source=NUMBERED)


def test_more_sentences_than_there_are():
    with pytest.raises(ValueError, match="100 distinct sentences; n = 101"):
        sentences(101, source=NUMBERED)


def test_digest_tells_every_difference():
    assert digest_of_texts(["a", "b"]) == digest_of_texts(("a", "b"))
    others = [["b", "a"], ["ab"], ["a", "b", ""], ["a", "B"], ['a", "b']]
    assert len({digest_of_texts(texts) for texts in [["a", "b"], *others]}) == 6
    with pytest.raises(TypeError):
        digest_of_texts("a")


def test_a_text_file_has_one_text_a_line(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffOne.\r\n\r\n  Zwei – drei.  \nOne.\n".encode())
    assert read_texts(tmp_path / "a.txt") == ["One.", "Zwei – drei.", "One."]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"One.\nTwo."))
    assert read_texts(tmp_path / "a.txt.gz") == ["One.", "Two."]


def test_a_table_has_one_text_a_cell(tmp_path):
    table = 'id,text\n1,"One, with a comma."\n2,NA\n3,"Two\nlines"\n'
    (tmp_path / "a.csv").write_text(table)
    expected = ["One, with a comma.", "NA", "Two\nlines"]
    assert read_texts(tmp_path / "a.csv", column="text") == expected
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table.encode()))
    assert read_texts(tmp_path / "a.csv.gz", column="text") == expected
    (tmp_path / "a.data").write_text(table)
    assert read_texts(tmp_path / "a.data", column="text") == expected
    (tmp_path / "a.tsv").write_text("text\nOne, alone.\n")
    assert read_texts(tmp_path / "a.tsv") == ["One, alone."]


def test_empty_cells_are_refused_or_counted(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,One.\n2,\n3,  \n4,Four.\n")
    with pytest.raises(ValueError, match="2 of 4 cells .* first in row 2"):
        read_texts(tmp_path / "a.csv", column="text")
    with pytest.warns(UserWarning, match="2 of 4 cells"):
        assert read_texts(tmp_path / "a.csv", column="text", empty="drop") == ["One.", "Four."]


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("a.txt", b"", None, "is empty"),
        ("a.csv", b" \n", None, "is empty"),
        ("a.csv", b"text\n", None, "has no text"),
        ("a.txt", b"One.\nTw\xe4.\n", None, "0xe4 in line 2"),
        ("a.csv", b"id,text\n1,\xff\n", "text", "0xff in line 2"),
        ("a.csv", b"id,text\n1,One.\n", "words", "no column 'words'; its columns are 'id', 'text'"),
        ("a.csv", b"id,text\n1,One.\n", None, "column is needed; its columns are 'id', 'text'"),
        ("a.csv", b"id,text\n1,One.\n1,2,3,4\n", "text", "is not a table"),
        ("a.txt.gz", b"not compressed", None, "not a whole gzip"),
        ("a.txt.gz", gzip.compress(b"One. " * 99, mtime=0)[:25], None, "not a whole gzip"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path, name, content, column, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{re.escape(name)}.*{message}"):
        read_texts(tmp_path / name, column=column)


def test_a_missing_file_a_folder_and_an_unknown_option(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file .*nowhere.txt"):
        read_texts(tmp_path / "nowhere.txt")
    with pytest.raises(ValueError, match="is a folder"):
        read_texts(tmp_path)
    with pytest.raises(ValueError, match="empty is 'keep'"):
        read_texts(tmp_path, empty="keep")


def test_a_folder_stands_in_for_a_corpus_of_the_hub(tmp_path, monkeypatch):
    (tmp_path / "allenai" / "c4").mkdir(parents=True)
    pair = "Sentence number {0} stands here alone. It is followed by the {0}th other one."
    lines = [{"text": pair.format(i), "url": "u"} for i in range(9)]
    (tmp_path / "allenai" / "c4" / "validation.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    found = sentences(12, source="hub:allenai/c4:en")
    assert len(set(found)) == 12 and found[:5] == sentences(5, source="hub:allenai/c4:en")
    assert all(text.startswith(("Sentence number", "It is followed")) for text in found)
    assert len(list(read_hub("allenai/c4", documents=4))) == 4
    with pytest.raises(ValueError, match="'body'.*'text', 'url'"):
        sentences(1, source="hub:allenai/c4:en", column="body")


def test_a_corpus_that_is_nowhere_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    monkeypatch.setattr("datasets.load_dataset", lambda *a, **k: (_ for _ in ()).throw(ConnectionError("no route")))
    with pytest.raises(ValueError, match="'allenai/c4' cannot be read from 'allenai/c4': no route"):
        sentences(1, source="hub:allenai/c4:en")
