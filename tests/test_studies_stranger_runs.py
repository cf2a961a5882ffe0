"""The recorded runs of the chapter "Reading a stranger's vectors"."""

import numpy as np
import pytest
from inversion_texts import TEXTS, small_inverter
from scipy.stats import ortho_group, spearmanr

from helpers.inversion import Inverter, inversion_scores
from helpers.studies import stranger_runs as runs
from helpers.studies.inversion_runs import FLOORS, Texts

TURN = ortho_group.rvs(12, random_state=0)


def encode(texts):
    return small_inverter().encode(texts) @ TURN + 1


def reader():
    return runs.Reader(small_inverter(), small_inverter().encode)


def data():
    """All texts are known, and all are read."""
    own, theirs = small_inverter().encode(TEXTS), encode(TEXTS)
    return runs.Strange(Texts(TEXTS, [], TEXTS, np.arange(8)), own, theirs, own, theirs)


@pytest.fixture(scope="module")
def rows():
    return runs.pair_rows(reader(), data(), encode, pairs=(0, 2), steps=1)


def test_all_pairs_of_a_turned_space_read_everything_and_two_do_not(rows):
    assert rows["pairs"].tolist() == [0, 2, 2, 8, 8] and rows["steps"].tolist() == [0, 0, 1, 0, 1]
    last = rows.iloc[-1]
    assert last["f1"] == last["exact"] == last["found"] == last["f1_own"] == 1
    # a ridge of a ten-thousandth of the variance is the least
    assert last["cosine"] == pytest.approx(1, abs=1e-4)
    assert last["f1_shuffled"] < 1 and last["gain"] == pytest.approx(1 - max(last["f1_shuffled"], last["f1_centre"]))
    two = rows[(rows["pairs"] == 2) & (rows["steps"] == 0)].iloc[0]
    assert two["f1"] < 1 and two["error"] > last["error"]


def test_what_is_read_agrees_with_the_scores_themselves():
    written = TEXTS[1:] + TEXTS[:1]
    found = runs.read(small_inverter(), data(), data().own_test, written)
    assert found["f1"] == pytest.approx(inversion_scores(TEXTS, written)["token_f1"].mean())
    assert found["found"] == 1 and found["error"] == 0
    wrong = runs.read(small_inverter(), data(), np.roll(data().own_test, 1, 0), written)
    assert wrong["found"] == 0


def test_a_language_model_and_judges_of_meaning_are_floors_of_what_is_read():
    alone = {"language": TEXTS[:1] * 8, "drawn": TEXTS[1:] + TEXTS[:1]}
    found = runs.read(small_inverter(), data(), data().own_test, TEXTS, beams=2, alone=alone, judges={})
    assert found["f1_language"] == pytest.approx(inversion_scores(TEXTS, TEXTS[:1] * 8)["token_f1"].mean())
    assert found["gain"] == pytest.approx(1 - max(found[f"f1_{name}"] for name in FLOORS))
    assert found["state_f1"] == pytest.approx(1) and found["state_f1_drawn"] < 1 and found["direction_kept"] == 8
    without = runs.read(small_inverter(), data(), data().own_test, TEXTS)
    assert np.isnan(without["f1_language"]) and "state_f1" not in without


def test_the_mean_vector_is_decoded_with_the_beams_of_what_was_read(monkeypatch):
    seen = []
    decode = Inverter.decode
    monkeypatch.setattr(Inverter, "decode", lambda *some, beams=1, **more: seen.append(beams) or decode(*some, **more))
    runs.pair_rows(reader(), data(), encode, pairs=(), steps=0, beams=3)
    assert set(seen) == {3}


def test_the_language_model_of_a_domain_is_kept(tmp_path, monkeypatch):
    kept = Texts(TEXTS, TEXTS[:2], TEXTS, np.arange(8))
    monkeypatch.setattr(runs, "kept_corpus", lambda *some: kept)
    found = runs.language_of("headlines", tmp_path, n_texts=4, epochs=1)
    assert found.centre_.shape == (1,) and len(list((tmp_path / "languages").iterdir())) == 1


def test_shuffled_vectors_fall_to_their_floor():
    turned = data()._replace(theirs_test=np.roll(data().theirs_test, 3, 0))
    found = runs.pair_rows(reader(), turned, encode, pairs=(), steps=0).iloc[-1]
    assert found["exact"] == found["found"] == 0


def test_seeds_choose_order_and_test_texts_of_one_split(tmp_path):
    options = {"n_pairs": 40, "n_test": 3, "folder": tmp_path}
    parts = [runs.strange(reader(), encode, "documentation", **options, rng=seed) for seed in (0, 0, 1)]
    first, again, other = (part.texts for part in parts)
    assert first.train == again.train != other.train and set(first.train) == set(other.train)
    assert first.test == again.test and not set(first.test) & set(other.train)
    assert np.allclose(parts[0].theirs, encode(first.train))


def test_made_up_texts_are_distinct_and_of_the_seed():
    first, again, other = (runs.made_up_pairs(small_inverter(), 30, rng=seed) for seed in (0, 0, 1))
    assert first == again != other and len(set(first)) == len(first) <= 30 and all(text.strip() for text in first)


def test_utility_is_that_of_a_hand_computation():
    rng = np.random.default_rng(0)
    rated = runs.Rated(list("abcd"), list("efgg"), np.array([5.0, 4.0, 1.0, 4.5]))
    first, second = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    second[3] = second[2]
    found = runs.utility(rated, first, second, k=1)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(first, second, strict=True)]
    assert found["sts"] == pytest.approx(spearmanr(cosines, rated.score)[0])
    distinct = second[:3] / np.linalg.norm(second[:3], axis=1, keepdims=True)
    right = [int(np.argmax(distinct @ first[row]) == answer) for row, answer in ((0, 0), (1, 1), (3, 2))]
    assert found["retrieval"] == pytest.approx(np.mean(right))
    assert runs.utility(rated, first, second, k=3)["retrieval"] == 1


def test_defences_leave_what_their_reader_can_undo():
    defences = {"none": (0,), "rotation": (1.0,), "noise": (50.0,), "truncation": (6, 12)}
    rated = runs.Rated(TEXTS[:4], TEXTS[4:], np.array([0.0, 1, 2, 5]))
    both = [encode(rated.first), encode(rated.second)]
    found = runs.defence_rows(small_inverter(), data(), rated, both, defences=defences)
    by = found.set_index(["defence", "strength", "knows"])
    assert ("truncation", 12.0, "changed") not in by.index  # all coordinates are none taken
    assert by["f1"]["none", 0.0, "unchanged"] == by["f1"]["rotation", 1.0, "changed"] == 1
    assert by["error"]["rotation", 1.0, "unchanged"] > 0.5  # an unrelated direction has an error of 1 to 2
    assert by["neighbours"]["none", 0.0, "changed"] == 1
    assert by["error"]["noise", 50.0, "unchanged"] > by["error"]["none", 0.0, "unchanged"]
    assert {"sts", "retrieval"} <= set(found)
    alone = runs.defence_rows(small_inverter(), data(), None, defences={"none": (0,)})
    assert "sts" not in alone and len(alone) == 2


def test_a_reader_of_an_encoder_is_trained_once_and_kept(tmp_path, monkeypatch):
    texts = [f"{text[:-1]} {end}." for text in TEXTS for end in ("today", "so far", "in May")]
    kept = Texts(texts[:18], texts[18:21], texts[21:], np.arange(3))
    monkeypatch.setattr(runs, "kept_corpus", lambda *some: kept)
    small = {"hidden": 32, "layers": 1, "vocabulary": 300, "length": 24, "warmup": 5}
    monkeypatch.setattr(runs, "READER", small)
    first = runs.reader_of("encoders/simcse", tmp_path, epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr(Inverter, "fit", None)
        again = runs.reader_of("encoders/simcse", tmp_path, epochs=2)
    x = first.own(TEXTS)
    assert x.shape[1] == len(first.inverter.centre_)
    assert first.inverter.decode(x) == again.inverter.decode(x)
    runs.reader_of("encoders/simcse", tmp_path, epochs=1)
    runs.reader_of("encoders/simcse", tmp_path, epochs=2, n_texts=9)
    assert len(list(tmp_path.glob("readers/simcse-*/inverter/inverter.json"))) == 3


def test_an_encoder_that_is_a_folder_gives_one_vector_a_text():
    found = runs.encoder_of("encoders/simcse")(["Oil falls.", "Gold rises."])
    assert found.dtype == np.float32 and found.shape[0] == 2 and not np.allclose(found[0], found[1])
