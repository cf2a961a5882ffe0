"""The data sets of the published recipe are read by their names on the hub, here out of folders of their form."""

import json

import pytest

from helpers.pairs import HEURISTICS, HUB_COLUMNS, PUBLISHED_SETS, published_sets_table, read_published_sets

ROWS = {
    "Helsinki-NLP/opus-100": [{"translation": {"en": "The file is open", "ru": "Файл открыт"}}],
    "deepvk/ru-WANLI": [
        {"premise": "Мальчик бежит домой", "hypothesis": "Мальчик движется", "label": "entailment"},
        {"premise": "Мальчик бежит домой", "hypothesis": "Мальчик спит", "label": "contradiction"},
    ],
    "deepvk/ru-HNP": [{"query": "Кошка спит на диване", "pos": ["На диване спит кошка", "Спит кошка"], "neg": ["Нет"]}],
    "d0rj/gsm8k-ru": [{"question": "Сколько будет яблок?", "answer": "Пять яблок."}] * 3,
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    for name, rows in ROWS.items():
        (tmp_path / name).mkdir(parents=True)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / name / "train.jsonl").write_text(lines, encoding="utf-8")
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    return tmp_path


def test_sides_are_taken_from_the_columns_of_each_set(hub):
    found = read_published_sets(list(ROWS))
    told = found.pairs.groupby("source")[["kind", "left", "right"]].apply(lambda table: table.values.tolist())
    assert told["Helsinki-NLP/opus-100"] == [["translation", "Файл открыт", "The file is open"]]
    assert told["deepvk/ru-WANLI"] == [["entailment", "Мальчик бежит домой", "Мальчик движется"]]
    assert [row[2] for row in told["deepvk/ru-HNP"]] == ["На диване спит кошка", "Спит кошка"]
    assert told["d0rj/gsm8k-ru"] == [["question", "Сколько будет яблок?", "Пять яблок."]]
    assert found.refused["pairs: said before"] == 2 and set(found.licences) == set(ROWS)
    assert len(read_published_sets("deepvk/ru-HNP", asked=["Спит кошка!"]).pairs) == 1


def test_the_table_says_which_sets_can_be_read():
    table = published_sets_table()
    assert len(table) == len(PUBLISHED_SETS) and set(table.index[table["left"] != ""]) == set(HUB_COLUMNS)
    assert table["kind"].isin(list(HEURISTICS)).all() and ((table["left"] == "") == (table["right"] == "")).all()


def test_sets_that_cannot_be_read_are_refused_by_name(hub):
    for names, message in (
        ("nobody/nothing", "names has 'nobody/nothing'; the sets are 'AllNLI, translated'"),
        ("tapaco", r"the columns of 'tapaco' are not known; read_pair_table\('hub:tapaco'\)"),
        ((), "names is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            read_published_sets(names)
    (hub / "d0rj" / "gsm8k-ru" / "train.jsonl").write_text('{"q": "Где кот?", "answer": "Там."}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="'d0rj/gsm8k-ru' has no column 'question'; its columns are 'q', 'answer'"):
        read_published_sets("d0rj/gsm8k-ru")
    line = '{"premise": "Кот спит", "hypothesis": "Кот дома", "label": 0}\n'
    (hub / "deepvk" / "ru-WANLI" / "train.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(ValueError, match="has no row with 'entailment' in 'label', such as"):
        read_published_sets("deepvk/ru-WANLI")
    with pytest.raises(ValueError, match="most is 0"):
        read_published_sets(most=0)
