"""A corpus out of packages, folders and tables: complete, the same every time, without evaluation texts."""

import re
from pathlib import Path

import pandas as pd
import pytest
from pair_packages import write_deb

from helpers.pairs import (
    SOURCES,
    Package,
    TextSource,
    check_pairs,
    corpus,
    read_documentation,
    read_packages,
    read_pair_table,
    read_sample,
    read_saved_corpus,
    read_text_folder,
)
from helpers.pairs.archives import sha256_of_file

PAGE = "<h1>{}</h1><p>{}</p><p>{}</p>"
TEXTS = {
    "view": ("Вид окна", "Здесь выбирают, что показывает окно программы.", "Нижний ряд кнопок можно убрать совсем."),
    "file": (
        "Открытие файла",
        "Файл открывают через меню или двойным щелчком.",
        "Новый файл получает имя «Без имени».",
    ),
}
TWINS = {
    "view": (
        "View of the window",
        "Here one chooses what the program window shows.",
        "The lower row of buttons can be removed.",
    ),
    "file": (
        "Opening a file",
        "A file is opened by the menu or by a double click.",
        "A new file gets the name “Untitled”.",
    ),
}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder with two packages, and the source that they make."""
    folder = tmp_path / "packages"
    found = []
    for language, texts in (("ru", TEXTS), ("en", TWINS)):
        pages = {f"doc/{language}/{name}.html": PAGE.format(*page) for name, page in texts.items()}
        path = write_deb(folder, f"guide-{language}", "1", pages)
        found.append(Package(f"guide-{language}", "1", sha256_of_file(path)))
    options = {
        "parser": "html",
        "packages": ("guide-ru",),
        "twins": ("guide-en",),
        "where": "^doc/ru/",
        "there": "^doc/en/",
    }
    source = TextSource("guide", tuple(found), "MPL-2.0", "twins", ("title", "neighbour", "translation"), options)
    monkeypatch.setitem(SOURCES, "guide", source)
    return folder


def test_packages_become_paragraphs_and_pairs(packages):
    found = read_packages(packages, "guide", work=False)
    assert found.paragraphs["text"].tolist() == [text for name in ("file", "view") for text in TEXTS[name][1:]]
    assert found.pairs["kind"].value_counts().to_dict() == {"translation": 6, "title": 2, "neighbour": 2}
    assert found.licences == {"guide": "MPL-2.0"} and found.refused.sum() == 0
    assert found.counts().loc["guide", ["paragraphs", "title", "translation"]].tolist() == [4, 2, 6]


def test_the_same_files_give_the_same_digest_and_other_files_another(packages, tmp_path):
    first, again = (read_packages(packages, "guide", work=False) for _ in range(2))
    assert first.digest == again.digest and len(first.digest) == 64
    write_deb(packages, "guide-ru", "1", {"doc/ru/view.html": PAGE.format(*TEXTS["view"])})
    with pytest.raises(ValueError, match="the table names"):
        read_packages(packages, "guide", work=False)
    assert read_packages(packages, "guide", versions="any", work=False).digest != first.digest


def test_a_reading_is_kept_and_a_damaged_one_made_again(packages, tmp_path, monkeypatch):
    reader, calls = corpus.READERS["twins"], []

    def counted(*files, **options):
        calls.append(files)
        return reader(*files, **options)

    monkeypatch.setitem(corpus.READERS, "twins", counted)
    digests = [read_packages(packages, "guide", work=tmp_path / "work").digest for _ in range(2)]
    assert len(calls) == 1
    (kept,) = (tmp_path / "work").iterdir()
    kept.write_bytes(kept.read_bytes()[:-5])
    digests.append(read_packages(packages, "guide", work=tmp_path / "work").digest)
    assert len(calls) == 2 and len(set(digests)) == 1


def test_a_stopped_reading_leaves_the_sources_that_were_done(packages, tmp_path, monkeypatch):
    broken = TextSource("broken", SOURCES["guide"].packages, "MPL-2.0", "stopped", ())
    monkeypatch.setitem(SOURCES, "broken", broken)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setitem(corpus.READERS, "stopped", stopped)
    with pytest.raises(KeyboardInterrupt):
        read_packages(packages, ["guide", "broken"], work=tmp_path / "work")
    assert len(list((tmp_path / "work").iterdir())) == 1


def test_evaluation_texts_and_near_ones_are_left_out_and_counted(packages):
    asked = ["здесь выбирают, что показывает окно программы", "Файлы открывают через меню или двойными щелчками"]
    found = read_packages(packages, "guide", asked=asked, work=False)
    assert found.refused["paragraphs: same as an evaluation text"] == 1
    assert found.refused["paragraphs: near an evaluation text"] == 1
    assert len(found.paragraphs) == 2
    assert found.refused["pairs: same as an evaluation text"] == found.refused["pairs: near an evaluation text"] == 3
    said = set(found.pairs["left"]) | set(found.pairs["right"])
    assert not said & {TEXTS["view"][1], TEXTS["file"][1]}


def test_titles_that_stand_everywhere_are_left_out_and_counted(tmp_path):
    text = "# Описание\n\nЗдесь говорится о вещи номер {}, которая отличается от прочих.\n"
    for i, name in enumerate(["один", "два", "три", "четыре", "пять", "шесть"]):
        (tmp_path / f"{i}.md").write_text(text.format(name), encoding="utf-8")
    found = read_text_folder(tmp_path)
    assert len(found.pairs) == 0 and found.refused["pairs: a side stands in many pairs"] == 6


def test_two_translations_of_one_text_are_a_pair():
    rows = [
        ("Файл был открыт ранее", "The file was opened before"),
        ("Этот файл уже открывали", "The file was opened before"),
    ]
    found = read_pair_table(rows, kind="translation")
    (row,) = found.pairs[found.pairs["kind"] == "same English"].to_dict("records")
    assert (row["left"], row["right"]) == (rows[0][0], rows[1][0]) and row["source"] == "table+table"
    assert found.counts().loc["across", "same English"] == 1


def test_a_folder_of_text_gives_titles_and_neighbours(tmp_path):
    (tmp_path / "deep").mkdir()
    name, one, two = TEXTS["view"]
    (tmp_path / "deep" / "a.txt").write_text(
        f"{name}\n\n{one}\n\n{two}\n\nThis is not Russian at all.\n", encoding="cp1251"
    )
    found = read_text_folder(tmp_path, licence="CC0")
    assert found.pairs[["kind", "left", "right"]].values.tolist() == [["title", name, one], ["neighbour", one, two]]
    assert found.refused["paragraphs: other language"] == 1 and list(found.licences.values()) == ["CC0"]
    english = read_text_folder(tmp_path, language="en")
    assert english.paragraphs["text"].tolist() == ["This is not Russian at all."]


def test_folders_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has no files .txt or .md"):
        read_text_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        read_text_folder(tmp_path / "absent")
    (tmp_path / "a.txt").write_bytes(b"charset=klingon \xff")
    with pytest.raises(ValueError, match="a.txt: the file says that it is in 'klingon'"):
        read_text_folder(tmp_path)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".jsonl", ".csv.gz"])
def test_tables_of_every_kind_give_pairs(tmp_path, ending):
    table = pd.DataFrame(
        {"q": ["Как открыть файл?", None], "a": ["Выберите «Открыть».", "Ответ"], "kind": ["question"] * 2}
    )
    path = tmp_path / f"pairs{ending}"
    if ending == ".parquet":
        table.to_parquet(path)
    elif ending == ".jsonl":
        table.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        table.to_csv(path, index=False, sep="\t" if "tsv" in ending else ",")
    found = read_pair_table(path, left="q", right="a")
    assert found.pairs[["kind", "left"]].values.tolist() == [["question", "Как открыть файл?"]]
    assert found.refused["pairs: empty side"] == 1


def test_a_data_set_of_the_hub_is_read_by_name(tmp_path, monkeypatch):
    folder = tmp_path / "owner" / "questions"
    folder.mkdir(parents=True)
    table = pd.DataFrame({"q": ["Как открыть файл?", "Где кот?"], "a": ["Выберите «Открыть».", "На диване."]})
    table.to_json(folder / "train.jsonl", orient="records", lines=True, force_ascii=False)
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    options = {"kind": "question", "left": "q", "right": "a"}
    assert len(read_pair_table("hub:owner/questions", **options).pairs) == 2
    found = read_pair_table("hub:owner/questions", most=1, **options)
    assert found.pairs["left"].tolist() == ["Как открыть файл?"] and found.pairs["source"].tolist() == [
        "owner/questions"
    ]
    (tmp_path / "owner" / "nothing").mkdir()
    with pytest.raises(ValueError, match="data set 'owner/nothing' cannot be read from"):
        read_pair_table("hub:owner/nothing", **options)


def test_docstrings_are_documents_with_a_summary():
    found = read_documentation(["networkx"])
    assert found.language == "en" and set(found.pairs["kind"]) == {"summary", "neighbour"}
    row = found.pairs[(found.pairs["kind"] == "summary") & found.pairs["document"].str.endswith(".pagerank")].iloc[0]
    assert row["left"] == "Returns the PageRank of the nodes in the graph." and row["right"].startswith(
        "PageRank computes"
    )
    again = read_documentation(["networkx"], asked=[row["right"]])
    assert again.refused["paragraphs: same as an evaluation text"] == 1 and row["right"] not in set(
        again.pairs["right"]
    )


def test_the_sample_of_the_book_passes_all_checks_and_says_whose_it_is():
    sample = read_sample()
    assert set(sample.licences) == set(sample.paragraphs["source"]) == {"cataclysm", "gnome-help"}
    assert 50 <= len(sample.paragraphs) <= 300 and {"title", "translation"} <= set(sample.pairs["kind"])
    pairs, refused = check_pairs(sample.pairs.itertuples(index=False))
    assert refused.sum() == 0 and pairs.equals(sample.pairs)
    about = (corpus.DATA / "russian_sample" / "README.md").read_text(encoding="utf-8")
    assert "CC BY-SA 3.0" in about and "GNOME" in about and "Cataclysm" in about


def test_tables_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(ValueError, match="table has no column 'kind'; its columns are 'left', 'right'"):
        read_pair_table([("a", "b")])
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_pair_table(tmp_path / "absent.csv", kind="title")
    (tmp_path / "a.xml").write_text("<a/>")
    with pytest.raises(ValueError, match="it ends with .csv"):
        read_pair_table(tmp_path / "a.xml", kind="title")
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(ValueError, match="is no table"):
        read_pair_table(tmp_path / "a.parquet", kind="title")


@pytest.mark.parametrize(
    "name, content, says",
    [
        (
            "a.csv",
            "left,right\nВид,Что видно.\nОкно,Где оно.\n".encode("cp1251"),
            r"row 0, column 'left': .* not in UTF",
        ),
        ("a.csv", "left,right\nВид,Что видно.\n".encode() + "Окно,Где\n".encode("koi8-r"), "row 1, column 'left'"),
        ("a.tsv", "левая\tправая\n".encode("cp1251"), "is not in UTF-8: its columns are"),
        ("a.jsonl", '{"left": "Вид", "right": "Окно"}\n{"left": \n'.encode(), "is no table: row 1: Expecting value"),
        ("a.jsonl", b"[1, 2]\n3\n", r"is no table: row 0: '\[1, 2\]' has no names of columns"),
        ("a.csv", b"left,right\na,b\na,b,c\n", "is no table: .* line 3"),
    ],
)
def test_a_row_of_a_file_that_cannot_be_read_is_named(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read_pair_table(tmp_path / name, kind="title")


@pytest.mark.parametrize(
    "table, says",
    [
        ([("Вид", "Окно"), ("Вид",)], r"table, row 1: \('Вид',\) is no pair of texts"),
        (["ab"], "table, row 0: 'ab' is no pair of texts"),
        (
            pd.DataFrame({"left": ["Вид", ["Окно"]], "right": ["a", "b"]}),
            r"row 1, column 'left': \['Окно'\] is no text",
        ),
        (pd.DataFrame({"left": ["Вид"], "right": [b"a"]}), "row 0, column 'right': b'a' is no text"),
    ],
)
def test_a_row_of_a_table_that_is_no_pair_is_named(table, says):
    with pytest.raises(ValueError, match=says):
        read_pair_table(table, kind="title")


def test_a_kind_of_a_row_that_is_unknown_is_named_with_the_row():
    table = pd.DataFrame({"left": ["Вид", "Окно"], "right": ["Что видно", "Где"], "kind": ["title", None]})
    with pytest.raises(ValueError, match="table, row 1: kind is ''; it is one of 'title'"):
        read_pair_table(table)


def test_every_bad_pair_of_a_table_is_counted():
    told = [
        ("Вид окна", "Здесь выбирают, что показывает окно."),
        ("Вид окна", None),
        ("Вид окна", float("nan")),
        ("Вид окна", "вид  окна!"),
        ("Вид окна", "View of the window"),
        ("Вид окна", "Р’РёРґ РѕРєРЅР°"),
        ("Вид окна", 5),
    ]
    found = read_pair_table(told, kind="paraphrase")
    refused = found.refused[found.refused.index.str.startswith("pairs: ")]
    assert len(found.pairs) == 1 and refused.sum() == len(told) - 1
    assert refused[["pairs: empty side", "pairs: same text on both sides"]].tolist() == [3, 1]
    assert refused[["pairs: other language", "pairs: broken encoding"]].tolist() == [1, 1]


def test_a_saved_corpus_is_read_as_it_was(tmp_path):
    sample = read_sample()
    found = read_saved_corpus(sample.save(tmp_path / "kept"))
    assert found.digest == sample.digest and found.licences == sample.licences and found.language == "ru"
    pd.testing.assert_frame_equal(found.pairs, sample.pairs)
    sample.pairs.iloc[:-1].to_parquet(tmp_path / "kept" / "pairs.parquet", index=False)
    with pytest.raises(ValueError, match="has other texts than were saved"):
        read_saved_corpus(tmp_path / "kept")
    with pytest.raises(FileNotFoundError, match="corpus.json is missing"):
        read_saved_corpus(tmp_path)


def test_the_code_of_cleaning_is_all_that_a_corpus_is_made_by():
    """What the modules of ``CLEANING`` import of their own package is in it, so that no stale corpus is taken."""
    folder = Path(corpus.__file__).parent
    for name in corpus.CLEANING:
        told = re.findall(r"from helpers\.pairs\.(\w+) import", (folder / f"{name}.py").read_text(encoding="utf-8"))
        assert set(told) <= set(corpus.CLEANING), name
    assert len(corpus.code_of_cleaning()) == 64
