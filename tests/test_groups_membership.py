"""Membership of items in groups: every kind of label, lists of rows, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.groups import group_codes
from helpers.groups.membership import batches


@pytest.mark.parametrize(
    "labels, names",
    [
        (["b", "a", "b"], ["a", "b"]),
        ([7, 3, 7], [3, 7]),
        (np.array([7, 3, 7], dtype=np.uint8), [3, 7]),
        (torch.tensor([7, 3, 7]), [3, 7]),
        (pd.Series(["b", "a", "b"]), ["a", "b"]),
        (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
        (np.array(["b", "a", "b"], dtype=object), ["a", "b"]),
        ([True, False, True], [False, True]),
        ([1, 0.5, np.float32(1)], [0.5, 1.0]),
    ],
)
def test_labels_of_any_one_type_name_their_groups_in_ascending_order(labels, names):
    found = group_codes(labels, 3)
    assert found.names.tolist() == names
    assert found.codes.tolist() == [1, 0, 1] and found.counts.tolist() == [1, 2]
    assert [members.tolist() for members in found.members()] == [[1], [0, 2]]


def test_dates_are_labels():
    found = group_codes(pd.to_datetime(["2024-02-01", "2024-01-01", "2024-02-01"]), 3)
    assert found.codes.tolist() == [1, 0, 1]


def test_a_mapping_gives_rows_and_keeps_its_order():
    found = group_codes({"z": [3, 0], "a": np.array([1]), "m": (2,)}, 4)
    assert found.names.tolist() == ["z", "a", "m"]
    assert found.codes.tolist() == [0, 1, 2, 0] and found.counts.tolist() == [2, 1, 1]


def test_names_fix_the_order_of_groups():
    found = group_codes(["a", "b", "a"], 3, names=["b", "a"])
    assert found.names.tolist() == ["b", "a"] and found.codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "labels, names, error, message",
    [
        (["a", "b"], None, ValueError, r"groups has shape \(2,\); one label for each of the 3 items"),
        ([["a"], ["b"], ["c"]], None, ValueError, r"groups has shape \(3, 1\)"),
        ("abc", None, TypeError, "groups is a str"),
        (3, None, TypeError, "groups is a int"),
        (["a", 1, "b"], None, TypeError, r"groups\[0\] is 'a' \(text\) and groups\[1\] is 1 \(number\)"),
        ([1, True, 1], None, TypeError, r"groups\[1\] is True \(bool\)"),
        (["a", None, "b"], None, ValueError, r"groups\[1\] is missing \(None\)"),
        (["a", float("nan"), "b"], None, ValueError, r"groups\[1\] is missing \(nan\)"),
        ([1.0, 2.0, np.nan], None, ValueError, r"groups\[2\] is missing"),
        (np.array([1.0, np.nan, 2.0]), None, ValueError, r"groups\[1\] is missing"),
        (pd.Series(["a", None, "b"], dtype="string"), None, ValueError, r"groups\[1\] is missing"),
        (pd.Series([1, None, 2], dtype="Int64"), None, ValueError, r"groups\[1\] is missing"),
        (np.array(["2024", "NaT", "2025"], dtype="M8[D]"), None, ValueError, r"groups\[1\] is missing"),
        ([object(), object(), object()], None, TypeError, "type object cannot be sorted"),
        (["a", "b", "a"], ["a", "b", "c"], ValueError, "group 'c' is of names without an item"),
        (["a", "b", "a"], list("abcdefghi"), ValueError, "groups 'c', 'd', 'e', 'f', 'g' and 2 more are of names"),
        (["a", "b", "a"], ["a"], ValueError, "group 'b' is not among names"),
        (["a", "b", "a"], ["a", "b", "b"], ValueError, "'b' occurs twice"),
        ({"a": [0, 1], "b": [1, 2]}, None, ValueError, "item 1 stands in 'a' and in 'b'"),
        ({np.str_("a"): [0, 1], np.str_("b"): [1, 2]}, None, ValueError, "item 1 stands in 'a' and in 'b'"),
        ({"a": [0, 1, 2], "b": [2, 1]}, None, ValueError, "items 1, 2 stand in 'a' and in 'b'"),
        ({"a": [0, 1, 2], "b": []}, None, ValueError, r"groups\['b'\] has no item"),
        ({"a": [0, 1]}, None, ValueError, "item 2 stands in no group"),
        ({"a": [0, 1, 2, 3]}, None, ValueError, r"groups\['a'\] has item 3; rows from 0 to 2"),
        ({"a": [0, 1, 2, -1]}, None, ValueError, "has item -1"),
        ({"a": [0, 1, 2, 2]}, None, ValueError, r"groups\['a'\]: item 2 stands twice"),
        ({"a": [0.0, 1.0, 2.0]}, None, TypeError, "rows of items are needed"),
        ({"a": [0, 1], 2: [2]}, None, TypeError, "names of groups.* must be of one type"),
        ({"a": [0, 1, 2]}, ["a"], ValueError, "the keys of a mapping name its groups"),
    ],
)
def test_what_is_no_membership_is_refused_with_its_place(labels, names, error, message):
    with pytest.raises(error, match=message):
        group_codes(labels, 3, names=names)


def test_a_checked_membership_is_taken_as_it_is_but_for_its_length():
    found = group_codes([1, 2, 1], 3)
    assert group_codes(found, 3) is found
    with pytest.raises(ValueError, match="labels of 3 items and x has 4 rows"):
        group_codes(found, 4)


@pytest.mark.parametrize("entries", [1, 12, 10**6])
def test_batches_hold_every_item_once_with_its_group_whole(entries):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(50, 3)), rng.integers(0, 9, 50)
    groups = group_codes(labels, 50)
    parts = list(batches(x, groups, entries=entries))
    items = np.concatenate([part.items for part in parts])
    codes = np.concatenate([np.arange(9)[part.groups][part.within] for part in parts])
    np.testing.assert_array_equal(np.sort(items), np.arange(50))
    np.testing.assert_array_equal(codes, groups.codes[items])
    np.testing.assert_array_equal(np.concatenate([part.rows for part in parts]), x[items])
