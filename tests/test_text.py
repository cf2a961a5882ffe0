"""The documentation corpus on small made-up libraries and on the real ones, and the readers of files."""

import ast
import gzip
import inspect
import json
import os
import re
import stat
import subprocess
import sys
import warnings

import pytest

from helpers import text as subject
from helpers.text import LIBRARIES, digest, documentation, read_hub, read_texts, sentences, split_sentences

# The corpus


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


SOURCE = '''#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""What this module is about, in one line."""
import os

TEXT = """
def not_code():
    "This is in a string and documents nothing."
"""


@decorated(lambda a: {"b": 1})
def outer(a: "dict[str, int]" = {"x": (1, 2)}, *, sep="):", **more) -> "a:b":  # a comment: """ with quotes
    # another comment

    """The outer function does outer things.

    It has a second paragraph, which is longer.
    """
    def inner():
        r"""The inner function escapes no \\alpha at all."""
    class Local: "The local class has a docstring on its line."


if True:
    class Box(list):
        """A box that holds several things."""

        size = "A string that follows no header."

        if os.name:
            async def method(self): \\
                return 1
            async def other(
                self,
                x=[")"],
            ):
                (
                    "The other method is documented "
                    "in two pieces of text."
                )
        else:
            pass

        def silent(self):
            return """A returned string documents nothing."""

        def formatted(self):
            """A formatted string is no docstring {}.""".format(1)


def after():
    'The function after the class stands alone.'
'''


def by_syntax_tree(source):
    """The same as ``_docstrings``, by way of Python's own parser."""

    def visit(node, prefix, inside):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield from visit(child, prefix, inside)
                continue
            is_class = isinstance(child, ast.ClassDef)
            if (doc := ast.get_docstring(child)) is not None:
                kind = "class" if is_class else "method" if inside == "class" else "function"
                yield prefix + child.name, kind, doc
            name = f"{prefix}{child.name}." + ("" if is_class else "<locals>.")
            yield from visit(child, name, "class" if is_class else "function")

    tree = ast.parse(source)
    if (doc := ast.get_docstring(tree)) is not None:
        yield "", "module", doc
    yield from visit(tree, "", "module")


def test_docstrings_are_those_of_the_syntax_tree():
    found = list(subject._docstrings(SOURCE))
    assert found == list(by_syntax_tree(SOURCE))
    assert [(name, kind) for name, kind, _ in found] == [
        ("", "module"),
        ("outer", "function"),
        ("outer.<locals>.inner", "function"),
        ("outer.<locals>.Local", "class"),
        ("Box", "class"),
        ("Box.other", "method"),
        ("after", "function"),
    ]


@pytest.mark.parametrize("name", ["networkx", "pandas", "torch", "python"])
def test_docstrings_of_real_libraries_are_those_of_the_syntax_tree(name):
    compared = 0
    for _, path in subject._sources(name)[:: 40 if name == "torch" else 8]:
        source = subject._read_source(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = list(by_syntax_tree(source))
        found = list(subject._docstrings(source))[: len(expected)]  # attached docstrings come after
        assert found == expected, path
        compared += len(found)
    assert compared > 100


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


# Cleaning


def prose(doc):
    return [p.split("\n") for p in subject._prose(inspect.cleandoc(doc)).split("\n\n") if p]


def test_numpy_style():
    doc = """Compute the value of :func:`~numpy.sort` and ``np.max``.

    See `the guide <https://example.org>`_ for **very** good *advice* [1]_.

    .. versionadded:: 1.2
       This note is about versions only.

    .. note:: This note is worth keeping here.

    Parameters
    ----------
    x : array_like, shape (n, p)
        The data that it is computed from,
        over two lines.
    y, z : int
        Two more numbers of some kind.
    **kwargs
        Whatever else is passed along.

    Returns
    -------
    ndarray
        The value that was computed here.

    See Also
    --------
    other : Something else that is not read.

    Notes
    -----
    The formula of this function is

    .. math::

       \\int f(x) dx = this is no prose at all

    Code follows after the next colons::

        this is code and should not be read

    Then the prose goes on again.

    References
    ----------
    .. [1] A. Author, "A title of some paper", 1999.

    Examples
    --------
    The example is introduced by words.

    >>> compute(1)
    this is the output of it
    """
    assert prose(doc) == [
        ["Compute the value of sort and np.max."],
        ["See the guide for very good advice."],
        ["This note is worth keeping here."],
        ["The data that it is computed from, over two lines."],
        ["Two more numbers of some kind."],
        ["Whatever else is passed along."],
        ["The value that was computed here."],
        ["The formula of this function is"],
        ["Code follows after the next colons:"],
        ["Then the prose goes on again."],
        ["The example is introduced by words."],
    ]


def test_google_and_sphinx_style():
    doc = """Fits the model to the data.
    Args:
        x (int): The number of things to fit,
            continued on another line.
        y (`str`, *optional*): The name of the fitted thing.
    Returns:
        bool: True if the model was fitted.

    :param z: The third of all the parameters.
    :type z: int or a string or nothing
    :return: The model that was fitted before.
    """
    assert prose(doc) == [
        ["Fits the model to the data."],
        ["The number of things to fit, continued on another line."],
        ["The name of the fitted thing."],
        ["True if the model was fitted."],
        ["The third of all the parameters."],
        ["The model that was fitted before."],
    ]


def test_lists_fences_tables_and_signatures():
    doc = """frobnicate(x, y) -> value

    Three things can happen to it:

    - The first of these things.
    - The second of these things,
      over two lines.
    1. The third is a number.

    ```python
    this is code within a fence
    ```

    ====== ======
    head   header
    ====== ======
    one    two
    ====== ======

    Use [`~pkg.Model.save`] or [the manual](http://x.y) instead.

    The text %(placeholder)s is to be filled in.
    """
    assert prose(doc) == [
        ["Three things can happen to it:"],
        ["The first of these things."],
        ["The second of these things, over two lines."],
        ["The third is a number."],
        ["Use save or the manual instead."],
    ]


def test_a_summary_that_is_no_prose_does_not_promote_the_body(library):
    library("fakelib", {"a.py": '"""x = f(y) ** {2} [3] / 4\n\nThis is the body of the docstring.\n"""'})
    assert documentation("fakelib", cache=False)["part"].tolist() == ["body"]


def test_powers_within_formulas_stay():
    assert prose("The value of x**2 and of y**2 is computed here.") == [
        ["The value of x**2 and of y**2 is computed here."]
    ]


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("One ends. Two ends! Three ends? Four", ["One ends.", "Two ends!", "Three ends?", "Four"]),
        ("See e.g. Smith et al. 2001, i.e. Fig. 3. Then go.", ["See e.g. Smith et al. 2001, i.e. Fig. 3.", "Then go."]),
        ("It is 3.5. The next is 4. Done.", ["It is 3.5.", "The next is 4.", "Done."]),
        ("Call np.linalg.norm. Then x.T is set.", ["Call np.linalg.norm.", "Then x.T is set."]),
        ("By J. W. Tukey and Donald E. Knuth. Both wrote.", ["By J. W. Tukey and Donald E. Knuth.", "Both wrote."]),
        ("It returns the matrix X. The rest is lost.", ["It returns the matrix X.", "The rest is lost."]),
        ('He said "stop." She went. (Both did.) Then', ['He said "stop."', "She went.", "(Both did.)", "Then"]),
        ("Lists, dicts, etc. are fine. etc. Lower goes on.", ["Lists, dicts, etc. are fine. etc.", "Lower goes on."]),
        ("1. First do this. 2. Then that.", ["1. First do this.", "2. Then that."]),
        ("Wait... What?! Yes.", ["Wait...", "What?!", "Yes."]),
        ("  white \n space\t ", ["white space"]),
        ("", []),
    ],
)
def test_sentences_end_where_they_end(paragraph, expected):
    assert split_sentences(paragraph) == expected
    assert " ".join(expected) == " ".join(paragraph.split())


# Samples and digests

NUMBERED = [f"This is the sentence with number {i}." for i in range(100)]


def test_samples_are_distinct_nested_and_seeded():
    large, small = sentences(80, source=NUMBERED), sentences(20, source=NUMBERED)
    assert large[:20] == small and len(set(large)) == 80
    assert sentences(20, source=NUMBERED, seed=1) != small
    assert sentences(source=NUMBERED + NUMBERED) == NUMBERED


def test_a_sample_of_the_documentation_is_whole_sentences(library):
    first = "Return the value. This one is a good sentence. With x = 1 it is code."
    doc = f'"""{first}\n\nthis one is not whole, as one sees.\n\nThis one does not come to its stop"""'
    library("fakelib", {"a.py": doc})
    assert sentences(libraries="fakelib", cache=False) == ["This one is a good sentence."]
    assert sentences(libraries="fakelib", words=(3, 5), cache=False) == ["Return the value."]


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
    assert digest(["a", "b"]) == digest(("a", "b"))
    others = [["b", "a"], ["ab"], ["a", "b", ""], ["a", "B"], ['a", "b']]
    assert len({digest(texts) for texts in [["a", "b"], *others]}) == 6
    with pytest.raises(TypeError):
        digest("a")


# The cache


@pytest.fixture
def parses(monkeypatch):
    """The libraries that were parsed, in order."""
    parsed, parse = [], subject._parse
    monkeypatch.setattr(subject, "_parse", lambda name: parsed.append(name) or parse(name))
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
    monkeypatch.setattr(subject, "_parser_version", lambda: "another")
    documentation("fakelib", cache=tmp_path / "cache")
    assert parses == ["fakelib", "fakelib"]


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


# The real libraries


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
print(json.dumps([[digest(t) for t in (*tables, few)], times, counts, sample, sorted(heavy)]))
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


# Files


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
