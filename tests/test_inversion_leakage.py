"""Tests of :mod:`helpers.inversion.leakage`."""

import itertools
import sys

import numpy as np
import pandas as pd
import pytest

from helpers.inversion import leakage

LETTERS = "bdfgklmnprstvz"
WORDS = sorted({a + v + b + "o" for a in LETTERS for v in "aiu" for b in LETTERS})[::10]
RNG = np.random.default_rng(0)
PARTS = [list(RNG.choice(WORDS, size=4, replace=False)) + [str(RNG.integers(1, 9))] for _ in range(700)]
TEXTS = [f"{a} {b} falls {n} percent in {c} {d}" for a, b, c, d, n in PARTS]
WAYS = (["oil", "gold", "tin", "zinc"], ["falls", "rises"], ["now", "again", "late"], ["1", "2", "3"], ["May", "June"])
ALIKE = [f"the price of {a} {b} {c} by {n} percent in {m}, traders say" for a, b, c, n, m in itertools.product(*WAYS)]
ALIKE = [f"{text} {more}" for text in ALIKE for more in ("today", "so far")]
SMALL = {"hidden": 64, "layers": 1, "vocabulary": 420, "length": 24, "warmup": 20, "beams": 2, "dropout": 0.0}


def codes():
    """A vector that tells each part of a text and its place, turned so that no coordinate does by itself."""
    names = [*WORDS, *"123456789"]
    hot = np.zeros((len(PARTS), len(names)))
    for row, parts in zip(hot, PARTS, strict=True):
        for place, part in enumerate(parts):
            row[names.index(part)] = place + 1
    return hot @ np.linalg.qr(np.random.default_rng(0).normal(size=(len(names),) * 2))[0]


@pytest.fixture(scope="module")
def found():
    return leakage(TEXTS, codes(), minutes=5, epochs=40, learning_rate=0.005, **SMALL)


def test_vectors_that_tell_their_text_are_read(found):
    row = found.table.loc["token_f1"]
    assert row["read"] > row["shuffled"] + 0.2
    assert row["gain_ci_low"] > 0.1
    assert row["gain"] == pytest.approx(row["read"] - row[["shuffled", "centre", "language", "drawn"]].max())
    assert found.conclusion().startswith("From a vector alone")
    assert {"facts number", "facts direction"} <= set(found.table.index)
    assert (found.table["read_ci_low"] <= found.table["read"]).all()


def test_what_is_read_was_not_trained_on(found):
    parts = [set(found.rows[name].tolist()) for name in ("train", "validation", "test")]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert found.examples["row"].isin(found.rows["test"]).all()
    assert found.examples["token_f1"].is_monotonic_decreasing


def test_vectors_of_noise_give_nothing_away():
    x = np.random.default_rng(1).normal(size=(len(TEXTS), 16))
    found = leakage(TEXTS, x, minutes=5, epochs=6, **SMALL)
    assert found.table.loc["token_f1", "gain_ci_low"] <= 0
    assert found.table.loc["exact", "read"] == 0
    assert found.conclusion().startswith("Nothing was read")


def test_texts_longer_than_the_decoder_writes_are_counted_by_their_rows():
    long = [text + " and on" * 40 * (row % 7 == 5) for row, text in enumerate(TEXTS[:300])]
    with pytest.warns(
        UserWarning, match=r"texts are longer than the 24 tokens that the decoder writes, the first"
    ) as said:
        found = leakage(long, codes()[:300], minutes=5, epochs=1, **SMALL)
    read = np.concatenate([found.rows[name] for name in ("train", "validation", "test")])
    assert found.rows["truncated"].tolist() == sorted(row for row in read if row % 7 == 5)
    assert f"the first of them row {found.rows['truncated'][0]};" in str(said[0].message)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("texts", "vectors", "words"),
    [
        (TEXTS[:199], np.ones((199, 2)), "199 of 199 texts are distinct; at least 200"),
        (TEXTS[:100] * 3, np.ones((300, 2)), "100 of 300 texts are distinct"),
        (TEXTS, np.ones((3, 2)), "vectors has 3 rows"),
        (ALIKE, np.ones((len(ALIKE), 2)), "near duplicates of one another"),
        ("text", np.ones((3, 2)), "texts is one string"),
    ],
)
def test_what_cannot_be_read_is_refused(texts, vectors, words):
    with pytest.raises((ValueError, TypeError), match=words):
        leakage(texts, vectors, minutes=1)


def test_nothing_read_after_few_texts_is_not_called_safe():
    from helpers.inversion import Leakage

    row = {"read": 0.1, "shuffled": 0.1, "centre": 0.1, "language": 0.1, "drawn": 0.1, "gain_ci_low": -0.1}
    table = pd.DataFrame([row, row], index=["token_f1", "exact"])
    few, many = (Leakage(table, table, None, {"train": np.arange(n)}).conclusion() for n in (240, 2000))
    assert few.endswith("a decoder that learned from 240 texts hardly writes, so this is no sign of safety")
    assert many.endswith("10% of the words came back, and 10% from those")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"minutes": 0}, "minutes is 0; a number above 0"),
        ({"minutes": float("nan")}, "minutes is nan; a number above 0"),
        ({"minutes": float("inf")}, "minutes is inf; a number above 0"),
        ({"beams": 0}, "beams is 0"),
        ({"length": 1}, "length is 1"),
        ({"rng": -3}, "rng is -3"),
    ],
)
def test_budgets_that_cannot_be_are_refused_before_anything_is_read(tmp_path, options, words):
    from helpers.inversion.leakage import leakage_of_files

    with pytest.raises(ValueError, match=words):
        leakage_of_files(tmp_path / "not-there.npy", tmp_path / "out", text="texts", **options)
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_leave(tmp_path):
    from helpers.inversion.leakage import leakage_of_files

    (tmp_path / "out").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file; name a folder"):
        leakage_of_files(tmp_path / "not-there.npy", tmp_path / "out", text="texts")
    assert (tmp_path / "out").read_text() == "mine"


def test_the_command_leaves_tables_examples_and_a_decoder(tmp_path, capsys, monkeypatch):
    import json

    from helpers.__main__ import main
    from helpers.inversion import Inverter
    from helpers.inversion.leakage import leakage_of_files

    monkeypatch.chdir(tmp_path)
    np.save("codes.npy", codes().astype(np.float32))
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    assert main(["leak", "codes.npy", "--text", "texts.txt", "-o", "out", "--minutes", "0.05", "--beams", "1"]) == 0
    assert "codes: " in capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text(), parse_constant=pytest.fail)  # no NaN
    assert report["codes"]["scores"]["facts number lost"]["gain"] is None
    table = pd.read_csv(tmp_path / "out" / "codes" / "table.csv", index_col=0)
    # Four decimals are written.
    assert report["codes"]["scores"]["token_f1"]["read"] == pytest.approx(table.loc["token_f1", "read"], abs=1e-4)
    examples = pd.read_csv(tmp_path / "out" / "codes" / "examples.csv")
    decoder = Inverter.load(tmp_path / "out" / "codes" / "decoder")
    assert decoder.decode(codes()[examples["id"].head(3)])
    with pytest.raises(FileExistsError, match="is finished"):
        leakage_of_files("codes.npy", "out", text="texts.txt")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(FileExistsError, match="was not made by this"):
        leakage_of_files("codes.npy", "mine", text="texts.txt")


def test_there_is_no_gain_where_higher_is_not_better_and_the_originals_stand_beside():
    from helpers.inversion import Leakage, against_floors
    from helpers.inversion.command import console_lines
    from helpers.inversion.leakage import _plain

    texts = ["oil falls and gold falls 3 percent", "gold rises"]
    below = {"shuffled": texts[::-1], "centre": ["oil oil oil"] * 2, "language": ["gold"] * 2, "drawn": ["oil"] * 2}
    table = against_floors(texts, ["oil falls 4 percent", "gold rises 5 percent"], below)
    no_gain = table.index[table["gain"].isna()]
    assert set(no_gain) == {"repetition"} | {
        f"facts {kind} {outcome}" for kind in ("number", "direction") for outcome in ("changed", "lost", "invented")
    }
    assert table["originals"]["repetition"] == pytest.approx(1 / 7 / 2)
    assert table["originals"][["exact", "facts number", "facts number invented"]].tolist() == [1, 1, 0]
    assert table["read"]["facts number invented"] == 1
    said = console_lines("codes", Leakage(table, pd.DataFrame({"text": ["a"], "read": ["b"]}), None, {"train": []}))
    assert [line.split()[0] for line in said if "in the originals" in line] == ["repetition"]
    assert [line.strip() for line in said if " kept, " in line] == [
        "0.00 kept, 1.00 changed, 0.00 lost, 1.00 invented",
        "0.67 kept, 0.00 changed, 0.33 lost, 0.00 invented",
    ]
    assert not [line for line in said if "nan" in line]
    assert _plain(table)["repetition"]["gain"] is None and _plain(table)["exact"]["gain"] is not None


def test_an_interrupted_command_does_not_go_on_with_other_vectors(tmp_path, monkeypatch):
    from helpers.inversion.leakage import leakage_of_files

    class Stop(Exception):
        pass

    def stop(*some, **more):
        raise Stop

    (tmp_path / "texts.txt").write_text("\n".join(TEXTS[:300]))
    source, out = tmp_path / "codes.npy", tmp_path / "out"
    np.save(source, codes()[:300].astype(np.float32))
    options = {"text": str(tmp_path / "texts.txt"), "minutes": 0.02, "beams": 1}
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(sys.modules[leakage.__module__], "floors", stop)
        leakage_of_files(source, out, **options)
    np.save(source, -codes()[:300].astype(np.float32))
    with pytest.raises(ValueError, match=r"training.codes holds another run: about vectors digest is \w+ there and"):
        leakage_of_files(source, out, **options)
    np.save(source, codes()[:300].astype(np.float32))
    assert leakage_of_files(source, out, **options)["codes"].table.loc["token_f1", "read"] >= 0


def test_floors_are_held_against_what_was_read_text_by_text():
    from helpers.inversion import against_floors

    texts = ["oil falls 3 percent", "gold rises", "tin falls", "zinc rises"]
    below = {"shuffled": texts[1:] + texts[:1], "centre": ["oil rises"] * 4}
    table = against_floors(texts, ["oil falls 4 percent", *texts[1:]], below)
    f1 = table.loc["token_f1"]
    assert f1["read"] == pytest.approx((0.75 + 3) / 4)
    assert f1["shuffled"] == 0 and f1["centre"] == pytest.approx((1 / 3 + 1 / 2 + 0 + 1 / 2) / 4)
    assert f1["gain"] == pytest.approx(f1["read"] - f1["centre"])
    assert table.loc["facts number", "read"] == 0 and "facts negation" not in table.index
    assert table.loc["facts number changed", "read"] == 1 and table.loc["facts number lost", "shuffled"] == 1
    assert table.loc["facts direction", "centre"] == 0.5 == table.loc["facts direction changed", "centre"]
    with pytest.raises(ValueError, match="texts has 4 entries and written 1"):
        against_floors(texts, ["oil"], below)


def test_what_is_written_without_any_vector_is_a_floor_of_texts_of_the_same_language(found):
    row = found.table.loc["token_f1"]
    assert found.table.loc["exact", ["language", "drawn"]].tolist() == [0.0, 0.0]
    assert 0.2 < row["language"] < row["read"]  # "falls", "percent", "in", which stand in every text, and no more
    assert 0.2 < row["drawn"] < row["read"]
