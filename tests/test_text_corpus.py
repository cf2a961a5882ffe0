"""The corpus of documentation: what counts, what is kept, and its cache."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from test_text_sources import SOURCE

from helpers.text import LIBRARIES, corpus, documentation, sentences


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Install made-up libraries: ``library("name", {"file.py": source, ...}, version="1.0")``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name, files, version="1.0", unlisted=()):
        for path, source in {"__init__.py": "", **files}.items():
            file = site / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source if isinstance(source, bytes) else source.encode())
        for old in site.glob(f"{name}-*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        listed = [f"{name}/{path},," for path in ["__init__.py", *files] if path not in unlisted]
        (info / "RECORD").write_text("\n".join(reversed(listed)) + "\n")
        return site / name

    return install


def test_a_table_of_documentation(library):
    library("fakelib", {"core.py": SOURCE, "deep/__init__.py": '"""A deeper package is documented too."""'})
    table = documentation(["fakelib"], cache=False)
    assert list(table.columns) == ["library", "module", "object", "kind", "part", "text"]
    assert table.iloc[0].tolist() == [
        "fakelib",
        "fakelib.core",
        "",
        "module",
        "summary",
        "What this module is about, in one line.",
    ]
    outer = table[table.object == "outer"]
    assert outer["part"].tolist() == ["summary", "body"]
    assert outer["text"].tolist()[1] == "It has a second paragraph, which is longer."
    assert table.iloc[-1]["module"] == "fakelib.deep"
    assert not table["text"].str.contains("documents nothing|follows no header").any()


def test_nothing_is_imported(library):
    library("fakelib", {"boom.py": '"""This module must never be imported."""\nraise SystemExit'})
    assert documentation("fakelib", cache=False)["text"].tolist() == ["This module must never be imported."]
    assert "fakelib" not in sys.modules


def test_only_listed_files_outside_tests_count(library):
    doc = '"""The file {} has a docstring."""'
    names = ["a.py", "b.py", "tests/c.py", "sub/test/d.py", "testing/e.py", "test.py", "__pycache__/f.pyc", "g.pyi"]
    library("fakelib", {name: doc.format(name[0]) for name in names}, unlisted=["b.py"])
    table = documentation("fakelib", cache=False)
    assert table["module"].tolist() == ["fakelib.a", "fakelib.test"]


def test_a_library_without_a_list_of_files_is_walked(library):
    folder = library("fakelib", {"a.py": '"""This docstring is found by walking."""'})
    (folder.parent / "fakelib-1.0.dist-info" / "RECORD").unlink()
    assert documentation("fakelib", cache=False)["module"].tolist() == ["fakelib.a"]


def test_equal_texts_are_kept_once_unless_asked(library):
    library("one", {"a.py": 'def f():\n    """Return the mean of all values."""'})
    library("two", {"a.py": 'def g():\n    """Return the MEAN of all values."""'})
    assert documentation(["one", "two"], cache=False)["library"].tolist() == ["one"]
    assert documentation(["two", "one"], cache=False)["library"].tolist() == ["two"]
    assert documentation(["one", "two"], distinct=False, cache=False)["library"].tolist() == ["one", "two"]


def test_docstrings_attached_to_compiled_objects(library):
    source = '''
add_docstr(torch.abs, r"""
abs(input: Tensor, *, out: Optional[Tensor]) -> Tensor

Computes the absolute value of each element.

Args:
    {input}
    out: the {{best, worst}} place for the result
""".format(**common))
add_docstr_all("sort", """Sorts the elements of this tensor.""")
add_newdoc("numpy._core", "ndarray", ("fill", """Fill the array with a scalar value."""))
add_newdoc("numpy._core", "flatiter", """Flat iterator object to iterate over arrays.""")
add_newdoc("agm", """Compute the arithmetic-geometric mean of numbers.""")
cross = _add_docstr(_linalg.cross, "Computes the cross product of two vectors.")
add_newdoc(name, """This target is known to nobody here.""")
'''
    library("fakelib", {"docs.py": source})
    table = documentation("fakelib", cache=False)
    assert list(zip(table["object"], table["kind"], table["part"], table["text"], strict=True)) == [
        ("abs", "function", "summary", "Computes the absolute value of each element."),
        ("abs", "function", "body", "the {best, worst} place for the result"),
        ("sort", "method", "summary", "Sorts the elements of this tensor."),
        ("ndarray.fill", "method", "summary", "Fill the array with a scalar value."),
        ("flatiter", "function", "summary", "Flat iterator object to iterate over arrays."),
        ("agm", "function", "summary", "Compute the arithmetic-geometric mean of numbers."),
        ("cross", "function", "summary", "Computes the cross product of two vectors."),
    ]


def test_a_file_of_another_encoding_and_with_other_line_ends(library):
    latin = "# -*- coding: latin-1 -*-\n" + '"""The café is documented in Latin letters."""\n'
    windows = '"""The first line of this file.\r\n\r\nThe second paragraph of this file.\r\n"""\r\n'
    library("fakelib", {"a.py": latin.encode("latin-1"), "b.py": windows.encode("utf-8-sig")})
    assert documentation("fakelib", cache=False)["text"].tolist() == [
        "The café is documented in Latin letters.",
        "The first line of this file.",
        "The second paragraph of this file.",
    ]


def test_missing_libraries_are_all_named_or_skipped(library):
    library("fakelib", {"a.py": '"""This library is installed here."""'})
    with pytest.raises(ModuleNotFoundError, match="nolib, worselib.*missing='skip'"):
        documentation(["fakelib", "nolib", "worselib"], cache=False)
    assert len(documentation(["nolib", "fakelib"], missing="skip", cache=False)) == 1
    assert len(documentation(["nolib"], missing="skip", cache=False)) == 0


@pytest.mark.parametrize("option", [{"unit": "word"}, {"missing": "ignore"}])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        documentation([], **option)


def test_a_summary_that_is_no_prose_does_not_promote_the_body(library):
    library("fakelib", {"a.py": '"""x = f(y) ** {2} [3] / 4\n\nThis is the body of the docstring.\n"""'})
    assert documentation("fakelib", cache=False)["part"].tolist() == ["body"]


def test_a_sample_of_the_documentation_is_whole_sentences(library):
    first = "Return the value. This one is a good sentence. With x = 1 it is code."
    doc = f'"""{first}\n\nthis one is not whole, as one sees.\n\nThis one does not come to its stop"""'
    library("fakelib", {"a.py": doc})
    assert sentences(libraries="fakelib", cache=False) == ["This one is a good sentence."]
    assert sentences(libraries="fakelib", words=(3, 5), cache=False) == ["Return the value."]


@pytest.fixture
def parses(monkeypatch):
    """The libraries that were parsed, in order."""
    parsed, parse = [], corpus._parse
    monkeypatch.setattr(corpus, "_parse", lambda name: parsed.append(name) or parse(name))
    return parsed


def test_the_second_call_parses_nothing_and_a_new_version_does(library, tmp_path, parses):
    library("fakelib", {"a.py": '"""The first version of the text."""'})
    first = documentation("fakelib", cache=tmp_path / "cache")
    assert documentation("fakelib", cache=tmp_path / "cache").equals(first)
    assert parses == ["fakelib"]
    library("fakelib", {"a.py": '"""The second version of the text."""'}, version="2.0")
    assert documentation("fakelib", cache=tmp_path / "cache")["text"].tolist() == ["The second version of the text."]
    assert parses == ["fakelib", "fakelib"]


def test_another_parser_does_not_use_the_old_cache(library, tmp_path, parses, monkeypatch):
    library("fakelib", {"a.py": '"""The only version of the text."""'})
    documentation("fakelib", cache=tmp_path / "cache")
    monkeypatch.setattr(corpus, "_parser_version", lambda: "another")
    documentation("fakelib", cache=tmp_path / "cache")
    assert parses == ["fakelib", "fakelib"]


@pytest.mark.parametrize("changed", ["corpus", "prose", "sources", "reading"])
def test_the_cache_knows_the_code_that_makes_the_records(tmp_path, monkeypatch, changed):
    shutil.copytree(Path(corpus.__file__).parent, tmp_path / "text")
    monkeypatch.setattr(corpus, "__file__", str(tmp_path / "text" / "corpus.py"))
    before = corpus._parser_version.__wrapped__()
    with (tmp_path / "text" / f"{changed}.py").open("a") as file:
        file.write("# another line\n")
    assert (corpus._parser_version.__wrapped__() == before) == (changed == "reading")
    used = re.findall(r"from helpers\.text\.(\w+)", Path(corpus.__file__).read_text())
    assert set(used) == {"prose", "sources"}


def test_a_damaged_cache_is_made_again(library, tmp_path, parses):
    library("fakelib", {"a.py": '"""The text that must come back."""'})
    first = documentation("fakelib", cache=tmp_path)
    (file,) = tmp_path.glob("*.json")
    whole = file.read_bytes()
    damages = [b"", b"nonsense", whole[: len(whole) // 2], whole.replace(b"come", b"came"), b"\xff" * 200]
    for damaged in damages:
        file.write_bytes(damaged)
        assert documentation("fakelib", cache=tmp_path).equals(first)
        assert file.read_bytes() == whole
    assert len(parses) == 1 + len(damages)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [file.name]


def test_an_unusable_cache_folder_is_done_without(library, tmp_path):
    library("fakelib", {"a.py": '"""The text without any cache."""'})
    (tmp_path / "file").write_text("in the way")
    assert len(documentation("fakelib", cache=tmp_path / "file")) == 1
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert len(documentation("fakelib", cache=closed / "below")) == 1
    finally:
        closed.chmod(stat.S_IRWXU)


def test_a_failure_while_writing_leaves_no_file(library, tmp_path, monkeypatch):
    library("fakelib", {"a.py": '"""The text of a full disk."""'})

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    assert len(documentation("fakelib", cache=tmp_path / "cache")) == 1
    assert list((tmp_path / "cache").iterdir()) == []


PROBE = """
import json, socket, sys, time
def refuse(*_, **__): raise AssertionError("the network was asked for")
socket.socket.connect = socket.getaddrinfo = refuse
import pandas
from helpers.text import *
folder, libraries = sys.argv[1], sys.argv[2:]
times, tables = [], []
for _ in range(2):
    start = time.process_time()
    tables.append(documentation(libraries, cache=folder))
    times.append(time.process_time() - start)
few = documentation(["networkx", "seaborn", "python"], cache=folder)
sample = sentences(2000, libraries=libraries, cache=folder)
heavy = {*LIBRARIES} & {*sys.modules} - {"numpy", "pandas", "scipy"}
counts = tables[0]["library"].value_counts().to_dict()
print(json.dumps([[digest_of_texts(t) for t in (*tables, few)], times, counts, sample, sorted(heavy)]))
"""


def test_the_real_corpus_is_large_equal_everywhere_and_fast_the_second_time(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    processes = []
    for seed, libraries in (("1", LIBRARIES), ("2", ("networkx", "seaborn", "python"))):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root}
        command = [sys.executable, "-c", PROBE, str(tmp_path / seed), *libraries]
        processes.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True))
    whole, part = (json.loads(process.communicate(timeout=300)[0]) for process in processes)
    digests, times, counts, sample, heavy = whole
    assert digests[0] == digests[1]
    assert {digests[2]} == set(part[0])  # parsed apart, with another order of sets
    assert times[1] < times[0] / 4
    assert set(counts) == set(LIBRARIES) and min(counts.values()) > 500 and sum(counts.values()) > 100_000
    assert heavy == []
    assert len(set(sample)) == 2000
    for text in sample:
        assert re.match(r"""["'(]?[A-Z]""", text) and re.search(r"""[.!?]["')]*$""", text)
        assert 5 <= len(text.split()) <= 40
