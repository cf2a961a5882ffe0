"""Batches have two groups of each class, and items of these groups alone."""

import numpy as np
import pytest

from helpers.groups.sampling import GroupBatches

CLASSES = np.repeat([0, 1, 2], [6, 6, 3])
GROUPS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5])


@pytest.fixture
def epoch():
    return GroupBatches(CLASSES, GROUPS, n_items=2, per_epoch=30)(np.random.default_rng(0), 0)


def test_sides_are_two_groups_of_the_class(epoch):
    for rows, classes in epoch:
        assert rows.shape == (3, 2, 2) and sorted(classes) == [0, 1, 2]
        assert (CLASSES[rows] == classes[:, None, None]).all()
        groups = GROUPS[rows]
        assert (groups == groups[..., :1]).all() and (groups[:, 0, 0] != groups[:, 1, 0]).all()


def test_items_are_drawn_without_repetition_where_there_are_enough(epoch):
    for rows, _ in epoch:
        for side in rows.reshape(-1, 2):
            assert len(set(side)) == min(2, (GROUPS == GROUPS[side[0]]).sum())


def test_an_epoch_is_the_same_wherever_one_begins_to_read_it(epoch):
    again = GroupBatches(CLASSES, GROUPS, n_items=2, per_epoch=30)(np.random.default_rng(0), 0)
    np.testing.assert_array_equal(epoch[17].rows, list(again)[17].rows)
    assert any((one.rows != epoch[0].rows).any() for one in epoch)


def test_a_class_with_one_group_is_refused_or_halved():
    classes, groups = np.repeat([0, 1], 4), np.array([0, 0, 0, 0, 1, 1, 2, 2])
    with pytest.raises(ValueError, match=r"classes \[0\] have one group"):
        GroupBatches(classes, groups)
    batches = GroupBatches(classes, groups, n_items=2, alone="halve")
    for rows, codes in batches(np.random.default_rng(0), 0):
        one, other = rows[list(codes).index(0)]
        assert not set(one) & set(other)


def test_a_group_of_one_is_both_halves():
    rows = GroupBatches(np.array([0, 1, 1]), np.array([0, 1, 2]), n_items=3, alone="halve").draw(
        np.random.default_rng(0)
    )
    assert (rows.rows[list(rows.classes).index(0)] == 0).all()


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="there is 1 class"):
        GroupBatches(np.zeros(4, dtype=int), np.array([0, 0, 1, 1]))
