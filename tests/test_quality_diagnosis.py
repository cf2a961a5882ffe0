"""Diagnosis: each fault is named and no other, healthy spaces have no finding, remedies are measured, bad input."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tolerance

from helpers.quality import DAMAGES, FINDINGS, damaged_space, diagnose, healthy_space
from helpers.quality._nulls import NULLS, OBJECTS, WIDTHS
from helpers.quality._symptoms import SYMPTOMS, Symptoms
from helpers.quality.remedies import REMEDIES
from helpers.quality.thresholds import TESTS, healthy_symptoms, null_of_shape, perplexity_null


def metric_of(finding):
    return "dot" if finding == "wrong metric" else None


def plain(n=300, p=96, seed=0):
    """A space that is healthy beyond doubt: a decaying spectrum, a cone, unit rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -0.4
    x = x @ np.linalg.qr(rng.normal(size=(p, p)))[0] + 0.5 / np.sqrt(p)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("finding", DAMAGES)
def test_each_fault_is_named_and_no_other(finding):
    named = [
        diagnose(damaged_space(plain(seed=seed), finding, rng=seed), metric=metric_of(finding)).findings
        for seed in range(4)
    ]
    assert named == [[finding]] * 4


def test_every_finding_has_words_a_damage_and_a_remedy():
    assert list(DAMAGES) == list(dict.fromkeys(DAMAGES)) and set(DAMAGES) == set(FINDINGS)
    assert set(REMEDIES) == set(FINDINGS)


def test_healthy_spaces_have_a_finding_no_more_often_than_one_in_twenty():
    rng = np.random.default_rng(11)
    found = [bool(diagnose(healthy_space(150, 40, rng=rng)).findings) for _ in range(80)]
    assert np.mean(found) <= 0.05 + tolerance.of_a_share(0.05, 80)
    assert diagnose(plain()).findings == []


def test_thresholds_are_the_recorded_ones_at_their_shapes_and_between_them_otherwise():
    table = np.array(NULLS["values"])
    assert table.shape == (len(OBJECTS), len(WIDTHS), len(NULLS["symptoms"]), 2)
    for i, n in enumerate(OBJECTS):
        for j, p in enumerate(WIDTHS):
            found = null_of_shape(n, p)
            np.testing.assert_allclose([found[name] for name in NULLS["symptoms"]], table[i, j])
    low, high = (null_of_shape(OBJECTS[1], p)["steep"][1] for p in WIDTHS[1:3])
    between = null_of_shape(OBJECTS[1], int(np.sqrt(WIDTHS[1] * WIDTHS[2])))["steep"][1]
    assert between == max(low, high)
    assert null_of_shape(10**6, 10**4) == null_of_shape(OBJECTS[-1], WIDTHS[-1])
    # No more symptoms are tested in one diagnosis than the level of each allows for.
    assert len(SYMPTOMS) + len(["duplicates", "disagreement", "perplexity"]) == TESTS


def test_a_threshold_can_be_simulated_for_the_very_shape():
    rng = np.random.default_rng(3)
    draws = [healthy_symptoms(40, 6, rng=np.random.default_rng(3))["hub"]]
    assert null_of_shape(40, 6, n_draws=1, rng=rng)["hub"] == (draws[0], draws[0])
    assert diagnose(plain(60, 12), n_draws=10).table["threshold"].notna().any()


def test_remedies_are_tried_and_the_numbers_are_those_of_the_symptom():
    x = damaged_space(plain(), "rogue dimensions", rng=1)
    row = diagnose(x).table.loc["rogue dimensions"]
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    assert row["value"] == pytest.approx(Symptoms(x).rogue())
    assert row["after"] == pytest.approx(Symptoms(standard).rogue())
    assert row["after"] < row["threshold"] < row["value"] and "standardise" in row["remedy"]
    x = damaged_space(plain(), "normalisation forgotten", rng=1)
    # Rows of one length up to the rounding of a root.
    assert diagnose(x).table.loc["normalisation forgotten", "after"] == pytest.approx(0, abs=tolerance.apart(96))
    x = damaged_space(plain(), "dimensional collapse", rng=0)
    row = diagnose(x).table.loc["dimensional collapse"]
    assert row["after"] < row["threshold"] < row["value"] and "principal axes" in row["remedy"]


@pytest.mark.parametrize("finding", sorted(set(DAMAGES) - {"codebook collapse", "cluster collapse"}))
def test_what_helps_brings_the_symptom_down(finding):
    row = diagnose(damaged_space(plain(), finding, rng=5), metric=metric_of(finding)).table.loc[finding]
    assert row["found"] and row["after"] < row["value"] and row["remedy"] and row["changes"]


def test_codes_that_are_not_used_are_counted_and_k_means_is_tried():
    rng = np.random.default_rng(0)
    x = plain(600, 16)
    few = diagnose(x, codes=rng.integers(0, 3, 600), n_codes=64)
    row = few.table.loc["codebook collapse"]
    assert few.findings == ["codebook collapse"] and "3 of 64 codes" in row["changes"]
    assert row["value"] == pytest.approx(3 / 64, rel=0.05)  # three codes, nearly even
    assert row["after"] > row["threshold"] > row["value"]
    assert diagnose(x, codes=rng.integers(0, 64, (600, 2)), n_codes=64).findings == []
    both = np.stack([rng.integers(0, 64, 600), np.zeros(600, dtype=int)], axis=1)
    assert diagnose(x, codes=both, n_codes=64).findings == ["codebook collapse"]


def test_codes_of_rows_that_are_left_out_do_not_count():
    x, codes = plain(), np.random.default_rng(0).integers(0, 3, 300)
    x[:100] = 0
    codes[:100] = np.arange(100) % 64
    row = diagnose(x, codes=codes, n_codes=64).table.loc["codebook collapse"]
    usage = np.bincount(codes[100:]) / 200
    perplexity = np.exp(-usage @ np.log(usage))
    assert row["value"] == pytest.approx(perplexity / 64) and "3 of 64 codes" in row["changes"]
    assert row["after"] > row["value"]


def test_beside_a_rogue_of_two_coordinates_signs_are_no_clusters():
    x = np.random.default_rng(0).normal(size=(60, 2)) * [1000, 1] + [5000, 0]
    assert diagnose(x).findings == ["rogue dimensions"]


def test_groups_of_duplicates_are_no_crowd_but_a_crowd_among_them_is():
    rng = np.random.default_rng(0)
    x = plain()[np.repeat(np.arange(100), 3)]
    found = diagnose(x)
    assert found.findings == ["duplicates"] and found.table.loc["duplicates", "value"] == 1
    assert "300 of 300 rows" in found.sentences[0]
    x[rng.choice(300, 60, replace=False)] = x[0]
    assert diagnose(x).findings == ["token collapse", "duplicates"]


@pytest.mark.parametrize("rank", [1, 2, 4, 16])
def test_few_directions_are_no_clusters_and_no_forgotten_normalisation(rank):
    rng = np.random.default_rng(rank)
    x = rng.normal(size=(600, rank)) @ rng.normal(size=(rank, 96))
    assert diagnose(x).findings == diagnose(x + 1e-3 * rng.normal(size=x.shape)).findings == ["dimensional collapse"]
    dead = np.hstack([rng.normal(size=(600, 16)), np.zeros((600, 80))])
    assert diagnose(dead).findings == ["dimensional collapse"]


def test_groups_with_much_variance_within_are_healthy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10, 96))[rng.integers(0, 10, 800)] + 0.7 * rng.normal(size=(800, 96))
    assert diagnose(x).findings == []


def test_rows_that_differ_by_rounding_are_duplicates():
    x, rng = plain(400), np.random.default_rng(0)
    for size in (1e-6, 1e-5, 3e-4):  # of entries that are about a tenth
        y = x.copy()
        y[300:] = x[:100] + 0.1 * size * rng.normal(size=(100, 96))
        found = diagnose(y)
        assert found.findings == ["duplicates"] and found.table.loc["duplicates", "after"] < 0.02


def test_an_offset_matters_to_cosines_alone():
    x = np.random.default_rng(0).normal(size=(400, 64)) + 20
    assert diagnose(x, metric="euclidean").findings == [] and diagnose(x).findings == ["complete collapse"]
    assert diagnose(x + 1e5, metric="euclidean").findings == ["complete collapse"]


def test_a_book_that_is_used_evenly_has_a_share_near_one():
    middle, threshold = perplexity_null(100_000, 32)
    assert threshold < middle < 1 and threshold > 0.3


def test_quantised_vectors_of_many_codes_are_no_duplicates():
    rng = np.random.default_rng(0)
    found = diagnose(plain(128, 32)[rng.integers(0, 128, 4000)])
    assert found.findings == [] and "128 different rows" in found.notes[0]


def test_all_rows_equal_are_a_complete_collapse():
    found = diagnose(np.ones((50, 4)))
    assert found.findings == ["complete collapse"] and "Try: train anew" in found.sentences[0]


def test_what_is_left_out_is_said():
    x = np.hstack([plain(), np.zeros((300, 2))])
    x[3], x[7, 1] = 0, np.nan
    found = diagnose(x)
    assert found.findings == [] and found.objects == 298
    assert found.notes == [
        "1 rows are not finite and were left out, the first 7.",
        "1 rows are zero and were left out, the first 3.",
        "2 of 98 features are constant, the first 96.",
    ]
    half = plain().astype(np.float16)
    half[0, 0] = np.inf
    assert "float16 ends at 65504" in diagnose(half).notes[0]


def test_flags_and_whole_numbers_are_compared_as_they_should():
    bits = plain(200, 64) > 0.05
    found = diagnose(bits)
    assert found.metric == "hamming" and found.findings == []
    assert diagnose(np.round(plain() * 127 * 4).astype(np.int8)).findings == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scale_does_not_matter(dtype):
    x = damaged_space(plain(), "hubs", rng=0)
    for size in (1e-20, 1e20):
        assert diagnose((x * size).astype(dtype)).findings == ["hubs"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: diagnose(x[:20]), "x has 20 rows that are finite and not zero; at least 30"),
        (lambda x: diagnose(x[:, :1]), "at least two features"),
        (lambda x: diagnose(x, metric="manhattan"), "metric is 'manhattan'"),
        (lambda x: diagnose(x, metric="hamming"), "more than two values"),
        (lambda x: diagnose(x, n_objects=10), "n_objects is 10"),
        (lambda x: diagnose(x, n_objects=900), "n_objects is 900; .* unless n_draws is given"),
        (lambda x: diagnose(x, codes=np.zeros(300)), "whole numbers from 0 on"),
        (lambda x: diagnose(x, codes=np.arange(300), n_codes=8), "n_codes is 8, but codes go up to 299"),
        (lambda x: diagnose(x, n_codes=8), "without codes"),
        (lambda x: diagnose(x, codes=np.arange(299)), "codes has 299 rows and x has 300; one for each object"),
        (lambda x: diagnose(x, codes=np.zeros((300, 0), dtype=int)), "whole numbers from 0 on"),
        (lambda x: damaged_space(x, "boredom"), "finding is 'boredom'"),
        (lambda x: healthy_space(4, 2), "n is 4"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(plain())
    with pytest.raises(TypeError, match="dtype"):
        diagnose(np.full((40, 4), "a"))


def test_a_real_encoder_is_healthy():
    folders = [os.environ.get(name) or "" for name in ("BOOK_MODELS", "BOOK_DATA")]
    model, data = Path(folders[0]) / "gte-small", Path(folders[1]) / "banking77" / "test.csv"
    if not all(folders) or not model.is_dir() or not data.is_file():
        pytest.skip("gte-small in BOOK_MODELS and banking77 in BOOK_DATA are not there")
    from helpers.encoders.extraction import extract

    texts = pd.read_csv(data)["text"].str.strip().sample(150, random_state=0)
    last = list(extract(model, list(texts), progress=False).values())[-1]
    assert diagnose(np.asarray(last)).findings == []


def test_the_sentences_say_what_was_found_and_what_to_try():
    found = diagnose(damaged_space(plain(), "hubs", rng=0))
    assert "Hubs: few objects are neighbours of most others" in repr(found) and "Try: " in repr(found)
    assert "<p>" in found._repr_html_()
    assert "Nothing was found" in repr(diagnose(plain()))
