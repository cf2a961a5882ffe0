"""The table of all qualities: it agrees with the functions, covers by its intervals, knows noise and collapse, and
says what it left out."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.quality import QUALITIES, collapsed_space, mean_cosine, quality, rankme


def spread(n, p, rng):
    return rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -0.5 + 0.2


def test_the_table_has_all_qualities_and_what_is_known_of_each():
    rng = np.random.default_rng(0)
    x = spread(120, 10, rng)
    table = quality(x, views=[x, x + 0.1], others=[x[:, :4]], labels=np.arange(120) % 2, n_halves=2)
    assert list(table.index) == list(QUALITIES) and sum(QUALITIES[name].needs == "x" for name in table.index) >= 20
    assert (table["note"] == "").all() and table.drop(columns="note").notna().all().all()
    assert (table[["better", "definition", "misses", "invariances", "cost"]] != "").all().all()
    assert table.loc["rankme", "value"] == pytest.approx(rankme(x))
    assert list(quality(x, names=["two_nn"], references=False).index) == ["two_nn"]
    assert "probe_accuracy" not in quality(x, n_halves=2, references=False).index


def test_noise_and_collapse_stand_beside_the_value():
    table = quality(spread(300, 32, np.random.default_rng(0)), names=["rankme", "mean_cosine", "participation_ratio"])
    assert 20 < table.loc["rankme", "noise"] < 32 and table.loc["rankme", "subspace"] < 3
    assert table.loc["rankme", "point"] < 1.1 and table.loc["mean_cosine", "point"] > 0.999
    # A centred spectrum does not see that all objects are at one point.
    assert table.loc["participation_ratio", "point"] > 20


def test_values_of_more_objects_than_are_drawn_say_so_and_agree_with_the_functions():
    x = spread(3000, 12, np.random.default_rng(1)).astype(np.float32)
    table = quality(x, names=["rankme", "mean_cosine", "hubness"], n_objects=500, references=False)
    assert table["objects"].tolist() == [3000, 3000, 500]
    # Sums of float32 rows in float64: what is lost is their own rounding.
    assert table.loc["mean_cosine", "value"] == pytest.approx(mean_cosine(x), rel=1e-5)
    assert table.loc["rankme", "value"] == pytest.approx(rankme(x), rel=1e-5)


@pytest.mark.parametrize("name", ["mean_cosine", "participation_ratio", "norm_spread", "distance_concentration"])
def test_intervals_cover(name):
    truth = quality(spread(40000, 8, np.random.default_rng(0)), names=[name], references=False).loc[name, "value"]
    found = [
        quality(spread(400, 8, np.random.default_rng(1 + i)), names=[name], references=False, n_halves=10, rng=i).loc[
            name
        ]
        for i in range(60)
    ]
    covered = np.mean([row["ci_low"] <= truth <= row["ci_high"] for row in found])
    # 95 % but for a bias of the order 1 / n; of 60 draws fewer than 50 would be covered once in a thousand times.
    assert covered >= 50 / 60


def test_bad_rows_are_refused_or_left_out_and_counted():
    x = spread(60, 5, np.random.default_rng(0))
    bad = np.vstack([x, np.zeros((2, 5)), np.full((1, 5), np.nan)])
    with pytest.raises(ValueError, match="x has 5 entries|row 62|NaN"):
        quality(bad)
    with pytest.raises(ValueError, match="row 60 is zero and has no direction; leave it out, or pass drop=True"):
        quality(bad[:-1])
    options = {"names": ["rankme", "probe_accuracy"], "references": False, "n_halves": 2}
    table = quality(bad, labels=np.arange(63) % 2, drop=True, **options)
    assert table.attrs["left_out"] == {"not finite": 1, "zero": 2}
    assert table["value"].tolist() == quality(x, labels=np.arange(60) % 2, **options)["value"].tolist()


def test_constant_dimensions_binary_and_half_precision_are_read_as_they_are():
    x = spread(80, 6, np.random.default_rng(0))
    constant = np.hstack([x, np.ones((80, 2))])
    assert quality(constant, references=False, n_halves=2)["value"].notna().all()
    bits = x > x.mean(axis=0)
    table = quality(np.hstack([bits, ~bits, bits[:, ::-1] ^ bits]), references=False, n_halves=2)
    assert table.attrs["metric"] == "hamming" and table.loc["hubness", "note"] == ""
    half = x.astype(np.float16)
    half[7, 2] = np.inf
    with pytest.raises(ValueError, match="row 7 is infinite, as numbers above 65504 are in float16"):
        quality(half)


@pytest.mark.parametrize("scale", [1e-35, 1e37])
def test_single_precision_whose_squares_it_does_not_hold_is_measured_in_double(scale):
    x, options = spread(60, 5, np.random.default_rng(0)), {"references": False, "n_halves": 2}
    table = quality((scale * x).astype(np.float32), **options)
    expected = quality(x.astype(np.float32).astype(np.float64), **options)
    same = [name for name in table.index if "scale" in QUALITIES[name].invariances]
    assert len(same) > 10
    # Rows were rounded to single precision once, values are smooth in them or ranks.
    np.testing.assert_allclose(table.loc[same, "value"], expected.loc[same, "value"], rtol=1e-3, atol=1e-3)


def test_numbers_whose_squares_no_type_holds_are_refused_and_one_feature_has_reasons():
    x = spread(60, 5, np.random.default_rng(0))
    for scale in (1e-300, 1e300):
        with pytest.raises(ValueError, match="whose squares float64 does not hold; divide x by its largest entry"):
            quality(scale * x, references=False)
    table = quality(x[:, :1], references=False, n_halves=2)
    assert "one feature" in table.loc["self_clustering", "note"]
    notes = quality(x[:4], k=1, references=False, n_halves=2)["note"]
    assert (
        notes["two_nn"] == "k is 1; it must be at least 2" and notes["mle_dimension"] == "k is 1; it must be at least 3"
    )


def test_intervals_stay_within_the_range_of_a_quality():
    x = np.random.default_rng(3).normal(size=(40, 3))
    table = quality(x, labels=np.arange(40) % 2, k=3, n_halves=4, references=False)
    low = table["range"].str.match(r"\[0,")
    high = table["range"].str.contains(r", 1\]")
    assert low.sum() > 5 and high.sum() > 5
    assert (table.loc[low, "ci_low"].dropna() >= 0).all() and (table.loc[high, "ci_high"].dropna() <= 1).all()
    assert (table["ci_low"].dropna() <= table["value"].dropna()).all()


def test_tensors_in_half_precision_and_with_a_gradient_are_read():
    x = torch.from_numpy(spread(60, 5, np.random.default_rng(0)))
    options = {"references": False, "n_halves": 2, "names": ["rankme", "hubness"]}
    rounded = x.to(torch.bfloat16)
    expected = quality(rounded.float().numpy(), **options)["value"].tolist()
    assert quality(rounded.requires_grad_(), **options)["value"].tolist() == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 30}, "k is 30; it must be between 1 and 29"),
        ({"labels": np.zeros(60)}, "labels holds one class, 0.0"),
        ({"labels": np.zeros(3)}, "one for each of the 60 rows"),
        ({"labels": ["a", None] * 30}, r"labels\[1\] is missing; each row needs a class"),
        ({"labels": np.array([1.0, np.nan] * 30)}, r"labels\[1\] is missing"),
        ({"names": []}, "names is empty"),
        ({"names": ["goodness"]}, "names has 'goodness'"),
        ({"names": ["lidar"]}, "needs views="),
        ({"others": [np.eye(3)]}, r"others\[0\] has 3 rows and x has 60"),
        ({"metric": "hamming"}, "more than two values"),
        ({"confidence_level": 1}, "confidence_level is 1"),
    ],
)
def test_bad_arguments_are_refused_and_named(options, message):
    with pytest.raises(ValueError, match=message):
        quality(spread(60, 5, np.random.default_rng(0)), references=False, **options)


def test_what_is_not_defined_is_left_out_with_the_reason():
    x = np.repeat(spread(4, 5, np.random.default_rng(0)), 20, axis=0)
    table = quality(x, references=False, n_halves=2)
    assert "different rows" in table.loc["two_nn", "note"] and np.isnan(table.loc["two_nn", "value"])
    assert table.loc["duplicates", "value"] == 1


def test_rows_that_are_labelled_in_another_order_are_refused():
    x = pd.DataFrame(spread(60, 5, np.random.default_rng(0)))
    labels = pd.Series(np.arange(60) % 2)
    with pytest.raises(ValueError, match="x and labels carry the same row labels in another order"):
        quality(x, labels=labels[::-1], references=False)
    with pytest.raises(ValueError, match=r"x and others\[1\] carry the same row labels in another order"):
        quality(x, others=[x.to_numpy(), x[::-1]], references=False)


def test_one_quality_is_named_without_a_list_and_references_have_the_type_asked_for():
    assert list(quality(spread(60, 5, np.random.default_rng(0)), names="rankme", references=False).index) == ["rankme"]
    for dtype in (np.float16, np.float32, np.float64):
        assert collapsed_space("subspace", 6, 3, dtype=dtype).dtype == dtype


def test_an_unknown_reference_is_refused():
    with pytest.raises(ValueError, match="kind is 'line'; it can be noise, point, subspace"):
        collapsed_space("line", 5, 5)
