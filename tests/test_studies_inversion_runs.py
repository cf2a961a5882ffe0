"""The recorded runs of Part IV: texts, trainings, and what is measured of them."""

import numpy as np
import pytest
from inversion_texts import TEXTS, small_inverter

from helpers.inversion import Inverter, against_floors, floors, inversion_scores, token_accuracy
from helpers.inversion.language import written_alone
from helpers.studies import inversion_runs as runs

TINY = {"width": 16, "n_heads": 2, "hidden": 32, "layers": 1, "n_slots": 1, "vocabulary": 300, "precision": "float32"}


def texts_of(rows):
    return runs.Texts(TEXTS, TEXTS[:2], [TEXTS[row] for row in rows], np.arange(len(rows)))


@pytest.fixture(scope="module")
def sentences_of_the_book():
    return runs.corpus("documentation", 120)


def test_parts_of_a_corpus_share_no_text(sentences_of_the_book):
    train, validation, test, groups = sentences_of_the_book[:4]
    assert len({*train, *validation, *test}) == len(train) + len(validation) + len(test) <= 120
    assert len(groups) == len(test) > 0


def test_texts_of_a_file_are_drawn_by_the_seed(tmp_path):
    rng = np.random.default_rng(0)
    words = np.array("one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split())
    (tmp_path / "texts.txt").write_text("\n".join(" ".join(rng.permutation(words)[:7]) for _ in range(60)))
    first, again, other = (runs.corpus(str(tmp_path / "texts.txt"), 40, rng=seed) for seed in (0, 0, 1))
    assert first.train == again.train != other.train
    with pytest.raises(ValueError, match="n_texts is 61"):
        runs.corpus(str(tmp_path / "texts.txt"), 61)


def test_a_split_is_kept_by_its_texts_and_not_by_its_name(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    words = np.array("one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split())
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "texts.txt").write_text("\n".join(" ".join(rng.permutation(words)[:7]) for _ in range(60)))
    first, other = (runs.kept_corpus(str(tmp_path / name / "texts.txt"), 40, tmp_path / "kept") for name in "ab")
    assert not set(first.train) & set(other.train)
    runs.kept_corpus(str(tmp_path / "a" / "texts.txt"), 40, tmp_path / "kept", rng=1)
    assert len(list((tmp_path / "kept").iterdir())) == 3
    with monkeypatch.context() as patch:
        patch.setattr(runs, "split_of", lambda *some: pytest.fail("the split is computed again"))
        again = runs.kept_corpus(str(tmp_path / "a" / "texts.txt"), 40, tmp_path / "kept")
    assert [*again[:3]] == [*first[:3]] and np.array_equal(again.groups, first.groups) and again[4:] == first[4:]


def test_repeated_texts_and_near_duplicates_are_counted(tmp_path):
    texts = [f"{a} {b} {c}" for a, b, c in zip("pqrstuvwxyz", "abcdefghijk", "lmnopqrstuv", strict=True)]
    texts = [" ".join(letter * 3 for letter in text.split()) for text in texts] * 2
    texts += ["oil falls for a third day in a row", "oil falls for a third day in a row again", "gold is dear"]
    (tmp_path / "texts.txt").write_text("\n".join([*texts, "Gold is dear"]))
    found = runs.corpus(str(tmp_path / "texts.txt"))
    assert found.repeated == 12 and found.near == 2
    assert sum(map(len, found[:3])) == len(texts) + 1 - 12


def test_paraphrases_on_both_sides_of_the_split_are_found(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    folder = tmp_path / "financial_headlines"
    folder.mkdir()
    rows = {"cnbc": ["Boeing halts 737 output", "oil falls"], "guardian": ["Boeing to halt output of its 737", "tin"]}
    for agency in ("cnbc", "guardian", "reuters"):
        lines = "\n".join(f"2020-01-01,{text}" for text in rows.get(agency, ["zinc is cheap"]))
        (folder / f"{agency}_headlines.csv").write_text(lines)
    texts = runs.Texts(["boeing to halt output of its 737", "tin"], [], ["Boeing halts 737 output", "oil falls"], None)
    assert runs.paraphrased_in_training(texts, least=0.3).tolist() == [True, False]
    assert not runs.paraphrased_in_training(texts, least=0.99).any()
    with pytest.raises(ValueError, match="the table has no headline 'copper'"):
        runs.paraphrased_in_training(texts._replace(test=["Copper"]))


def test_a_source_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no folder financial_headlines in"):
        runs.corpus("headlines")
    with pytest.raises(FileNotFoundError, match="there is no file nowhere.txt"):
        runs.corpus("nowhere.txt")


LANGUAGE = {"hidden": 64, "layers": 1, "vocabulary": 262, "length": 20, "precision": "float32"}


@pytest.fixture(scope="module")
def language():
    return runs.language_model(texts_of(range(8)), epochs=20, **LANGUAGE)


@pytest.fixture(scope="module")
def measures(language):
    return runs.measured(small_inverter(), texts_of(range(8)), beams=2, language=language, similarity="encoders/simcse")


def test_what_is_measured_agrees_with_the_inverter_itself(measures):
    for name in ("f1_greedy", "f1_beams", "exact_beams", "top_1", "top_1_at_1", "top_1_at_2", "top_100"):
        assert measures[name] == 1
    assert measures["f1_beams_shuffled"] < 1 and measures["top_1_shuffled"] < 1 and measures["nats_shuffled"] > 0
    assert measures["direction_kept"] == measures["facts_all"] == 8 and measures["n_test"] == 8
    assert measures["state_f1"] == pytest.approx(1) == measures["similarity"] > measures["similarity_shuffled"]
    assert measures["seconds_greedy"] > 0 and measures["seconds_beams"] > 0
    longest = max(map(len, small_inverter().tokens_.rows(TEXTS, 20).tokens))
    assert all((place > longest) == np.isnan(measures[f"top_1_at_{place}"]) for place in runs.POSITIONS)


def test_floors_are_searched_with_as_many_beams_as_the_score_beside_them(monkeypatch):
    seen = []
    decode = Inverter.decode

    def watched(self, vectors, *, beams=1, **options):
        seen.append((beams, len(vectors)))
        return decode(self, vectors, beams=beams, **options)

    monkeypatch.setattr(Inverter, "decode", watched)
    runs.measured(small_inverter(), texts_of(range(8)), beams=3, states=None)
    # what is read, another's vectors, the mean vector
    assert sorted(seen) == [(1, 1), (1, 8), (1, 8), (3, 1), (3, 8), (3, 8)]


def test_a_language_model_knows_texts_better_than_nothing_and_worse_than_their_vectors(measures, language):
    whole = token_accuracy(language, TEXTS, vectors=np.zeros((8, 1))).attrs["all"]
    assert measures["nats_language"] == whole["nats"] and measures["top_1_language"] == whole["top_1"]
    assert measures["nats"] < measures["nats_language"] < np.log(262)
    assert measures["top_1_language"] <= measures["top_2_language"] <= measures["top_100_language"]
    alone = written_alone(language, 8, beams=2)
    assert len(set(alone["language"])) == 1 and len(set(alone["drawn"])) > 1
    f1 = inversion_scores(TEXTS, alone["language"])["token_f1"].mean()
    assert measures["f1_beams_language"] == f1 < measures["f1_beams"] and measures["f1_beams_drawn"] < 1


def test_without_a_language_model_its_floor_is_missing_and_one_of_other_tokens_is_refused():
    found = runs.measured(small_inverter(), texts_of(range(8)), beams=1, states=None)
    missing = [found[name] for name in ("top_1_language", "nats_language", "f1_greedy_language", "chrf_beams_drawn")]
    assert np.isnan(missing).all()
    other = runs.language_model(texts_of(range(8)), epochs=1, **{**LANGUAGE, "vocabulary": 300})
    with pytest.raises(ValueError, match="language has other tokens than inverter"):
        runs.measured(small_inverter(), texts_of(range(8)), language=other)


def test_a_language_model_is_trained_once_for_the_same_texts(tmp_path, monkeypatch):
    texts = texts_of(range(8))
    first = runs.kept_language(texts, tmp_path, epochs=2, **LANGUAGE)
    runs.kept_language(texts._replace(train=TEXTS[::-1]), tmp_path, epochs=2, **LANGUAGE)
    runs.kept_language(texts, tmp_path, epochs=1, **LANGUAGE)
    assert len(list((tmp_path / "languages").iterdir())) == 3
    monkeypatch.setattr(runs, "language_model", None)
    again = runs.kept_language(texts, tmp_path, epochs=2, **LANGUAGE)
    x = np.zeros((8, 1))
    kept = [token_accuracy(made, TEXTS, vectors=x).attrs["all"] for made in (first, again)]
    assert kept[0] == kept[1]


def test_scores_stand_beside_their_floors():
    made, texts = small_inverter(), texts_of(range(8))
    table = runs.scored(made, texts, beams=2)
    x = made.encode(TEXTS)
    below = floors(made, x, beams=2)
    again = against_floors(TEXTS, made.decode(x, beams=2), below)
    assert table["read"]["token_f1"] == again["read"]["token_f1"] == 1
    assert table["gain"]["token_f1"] == 1 - max(again["shuffled"]["token_f1"], again["centre"]["token_f1"])
    assert table["read"]["seconds"] > 0 and {f"top_{k}" for k in runs.KS} <= set(table.index)
    assert table["shuffled"]["top_1"] < table["read"]["top_1"] and "told again" not in table.index
    told = np.arange(8) < 2
    apart = runs.scored(made, texts, beams=2, again=told)["read"]
    assert apart["told again"] == 0.25 and apart["token_f1 apart"] == 1


def test_texts_of_a_file_are_a_column_of_it_in_one_spelling(tmp_path):
    file = tmp_path / "news.csv"
    lines = [f'"UPDATE {k % 3}-Oil falls {k // 2} , ‘sharply’",{k}' for k in range(60)]
    file.write_text("\n".join(["headline,day", *lines]), encoding="utf-8")
    texts = runs.corpus(f"{file}:headline", rng=0)
    assert texts.repeated == 30 and "Oil falls 3, 'sharply'" in [*texts.train, *texts.validation, *texts.test]
    with pytest.raises(ValueError, match="column"):
        runs.corpus(f"{file}:title", rng=0)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        runs.corpus(f"{tmp_path / 'no.csv'}:headline", rng=0)


def test_encoders_of_the_runs_are_those_that_are_named(sentences_of_the_book):
    made = runs.fit_pocket(sentences_of_the_book, encoder="frozen", epochs=1, **TINY)
    assert made.encoder == "encoders/bert" and not made.train_encoder
    with pytest.raises(ValueError, match="encoder is 'new'; it is one of own, frozen, trained"):
        runs.fit_pocket(sentences_of_the_book, encoder="new")


def test_the_card_says_what_was_measured():
    made, texts = small_inverter(), texts_of(range(8))
    table = runs.scored(made, texts, beams=2)
    words = runs.card(made, table, 8)
    assert "token F1 | 1.000 [1.000, 1.000]" in words and "8 headlines of" in words


def test_the_inverter_of_the_book_is_as_large_as_is_promised():
    from helpers.book.data import path

    files = list(path("inverters/headlines").glob("*"))
    assert sum(file.stat().st_size for file in files if file.suffix == ".safetensors") < 8e6
    assert max(file.stat().st_size for file in files) < 4e6
    made = Inverter.load(path("inverters/headlines"))
    assert made.width == 512
