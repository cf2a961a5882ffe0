"""Readers turn packages of every kind into documents and pairs."""

import json
import sqlite3

import pytest
from pair_packages import catalogue_of, write_deb

from helpers.pairs.documents import Document, Unit
from helpers.pairs.readers import READERS

RU = "Здесь выбирают, что показывает окно программы."
EN = "Here one chooses what the window of the program shows."


def read(reader, files, **options):
    return list(READERS[reader](files, **options))


def test_twins_are_files_of_one_name_behind_two_folders(tmp_path):
    page = "<h1>{}</h1><p>{}</p>"
    own = write_deb(
        tmp_path,
        "guide-ru",
        "1",
        {"doc/ru/view.html": page.format("Вид", RU), "doc/ru/alone.html": page.format("Да", RU)},
    )
    other = write_deb(tmp_path, "guide-en", "1", {"doc/en/view.html": page.format("View", EN)})
    options = {
        "parser": "html",
        "packages": ("guide-ru",),
        "twins": ("guide-en",),
        "where": "^doc/ru/",
        "there": "^doc/en/",
    }
    alone, view = read("twins", {"guide-ru": own, "guide-en": other}, **options)
    assert (alone.name, view.name) == ("alone.html", "view.html") and alone.units[1].twin == ""
    assert view.units == [Unit("title", "Вид", "View"), Unit("text", RU, EN)]


def test_catalogues_give_each_message_as_a_document(tmp_path):
    data = catalogue_of({EN: RU, "Open\n\nClose": "Открыть\n\nЗакрыть", "Untranslated": ""})
    path = write_deb(
        tmp_path,
        "program",
        "1",
        {"usr/share/locale/ru/LC_MESSAGES/p.mo": data, "usr/share/locale/de/LC_MESSAGES/p.mo": b"x"},
    )
    found = read("catalogues", {"program": path})
    assert [document.units for document in found] == [
        [Unit("text", RU, EN)],
        [Unit("text", "Открыть", "Open"), Unit("text", "Закрыть", "Close")],
    ]


def test_aphorisms_lose_who_said_them(tmp_path):
    text = f"{RU}\n-- Некто\n%\nКраткость — сестра таланта.\n%\n"
    path = write_deb(
        tmp_path,
        "fortunes",
        "1",
        {"usr/fortunes/ru/a": text.encode("koi8-r", "replace"), "usr/fortunes/ru/a.dat": b"\xff"},
    )
    texts = [
        unit.text for document in read("fortunes", {"fortunes": path}, where="/fortunes/ru/") for unit in document.units
    ]
    assert texts[0] == RU and texts[1].startswith("Краткость")


def test_descriptions_stand_beside_the_english_index(tmp_path):
    entry = "Package: guide\nDescription-md5: 1\nDescription-{}: {}\n {}\n .\n {}\n\n"
    (tmp_path / "Translation-ru").write_text(entry.format("ru", "справка", RU, RU), encoding="utf-8")
    (tmp_path / "Translation-en").write_text(entry.format("en", "help", EN, EN), encoding="utf-8")
    files = {name: tmp_path / name for name in ("Translation-ru", "Translation-en")}
    (found,) = read("descriptions", files)
    assert found.name == "guide" and found.units[0] == Unit("summary", "справка", "help")
    assert found.units[1:] == [Unit("text", RU, EN)] * 2


def test_things_have_their_names_and_descriptions_from_a_catalogue(tmp_path):
    files = {
        "data/json/items.json": json.dumps([{"name": {"str": "cup"}, "description": EN}, {"name": "unknown"}]),
        "lang/ru/LC_MESSAGES/game.mo": catalogue_of({"cup": "чашка", EN: RU}),
    }
    path = write_deb(tmp_path, "game", "1", files)
    found = read("things", {"game": path}, catalogue="ru/LC_MESSAGES/game.mo", where="/json/")
    assert found[-1] == Document("items cup", [Unit("title", "чашка"), Unit("text", RU)]) and len(found) == 3


def test_entries_dialogues_and_string_tables_are_read(tmp_path):
    path = write_deb(
        tmp_path,
        "game",
        "1",
        {
            "dat/descript/ru/a.txt": f"%%%%\nчашка\n\n{RU}\n%%%%\n",
            "dat/descript/a.txt": f"%%%%\nчашка\n\n{EN}\n%%%%\n",
            "script/room/dialogs_ru.lua": f'dialogId("a", "font", "{EN}")\ndialogStr("{RU}")\n',
            "stringtables/ru.txt": f"CUP\nчашка\n\nCUP_DESC\n'''{RU}'''\n",
            "stringtables/en.txt": f"CUP\ncup\n\nCUP_DESC\n'''{EN}'''\n",
        },
    )
    files = {"game": path}
    assert Document("a чашка", [Unit("text", RU, EN)]) in read("entries", files, where="/descript/")
    assert read("dialogues", files, where="dialogs_ru.lua") == [Document("room", [Unit("text", RU, EN)])]
    table = read("string table", files, where="stringtables")
    assert table[-1] == Document("CUP_DESC", [Unit("title", "чашка"), Unit("text", RU, EN)])


def test_a_thesaurus_gives_synonyms_and_nothing_else(tmp_path):
    text = "UTF-8\nдом|2\n(синоним)|здание|постройка\n(антоним)|улица\n"
    path = write_deb(tmp_path, "mythes", "1", {"th_ru.dat": text})
    assert read("thesaurus", {"mythes": path}) == [
        ("synonym", "дом", "здание", "дом"),
        ("synonym", "дом", "постройка", "дом"),
    ]


def words_database(path, rows):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE synsets (synset_id INTEGER, lemma TEXT, definition TEXT)")
    connection.executemany("INSERT INTO synsets VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path.read_bytes()


def test_senses_give_definitions_examples_and_synonyms(tmp_path):
    entry = "1~2~3~4~{}~{}~{}".format
    one = entry("жилое [[здание|строение]] для людей {{пример|Мы построили новый дом над рекой.}}", "x", "y")
    two = entry("строение, в котором живут люди", "x", "y")
    data = words_database(tmp_path / "w.db", [(1, "дом", one), (1, "жилище", two)])
    path = write_deb(tmp_path, "words", "1", {"words/wikiwordnet.db": data})
    found = read("wordnet", {"words": path}, database="wikiwordnet.db")
    pairs = {item[:3] for item in found if isinstance(item, tuple)}
    assert ("definition", "дом", "жилое строение для людей") in pairs
    assert ("example", "дом: жилое строение для людей", "Мы построили новый дом над рекой.") in pairs
    assert ("synonym", "дом", "жилище") in pairs
    assert ("same sense", "жилое строение для людей", "строение, в котором живут люди") in pairs


def test_texts_of_a_template_are_not_kept_more_than_three_times(tmp_path):
    entry = "1~2~3~4~житель города {} в России~x~y".format
    names = ["Тверьевск", "Омскорск", "Туланский", "Рязанево", "Псковичи"]
    data = words_database(tmp_path / "w.db", [(i, name.lower(), entry(name)) for i, name in enumerate(names)])
    path = write_deb(tmp_path, "words", "1", {"words/wikiwordnet.db": data})
    found = read("wordnet", {"words": path}, database="wikiwordnet.db")
    assert sum(isinstance(item, Document) for item in found) == 3


@pytest.mark.parametrize("members", [{}, {"a.dat": "1", "b.dat": "2"}])
def test_a_dictionary_that_is_not_there_once_is_refused(tmp_path, members):
    path = write_deb(tmp_path, "mythes", "1", members or {"readme": "x"})
    with pytest.raises(ValueError, match=rf"has {len(members)} files that end with '.dat'; one is needed"):
        read("thesaurus", {"mythes": path})
    broken = write_deb(tmp_path, "words", "1", {"wikiwordnet.db": "no database"})
    with pytest.raises(ValueError, match="is no database of senses"):
        read("wordnet", {"words": broken}, database="wikiwordnet.db")
