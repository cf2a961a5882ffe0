"""Tests of :mod:`helpers.inversion.foreign`."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from tolerance import inner

from helpers.inversion.foreign import align_unpaired, defended, pairs_map


@pytest.fixture(scope="module")
def spaces():
    """Points of ten clusters of unlike sizes, and the same points turned, stretched and moved."""
    rng = np.random.default_rng(0)
    of = rng.choice(10, size=600, p=np.arange(1, 11) / 55)
    own = 3 * rng.normal(size=(10, 12))[of] + rng.normal(size=(600, 12)) * np.linspace(0.2, 1, 12)
    theirs = 2 * own @ ortho_group.rvs(12, random_state=1) + 5
    return own.astype(np.float32), theirs.astype(np.float32)


def error(mapped, own):
    return np.mean((mapped - own) ** 2) / np.mean((own - own.mean(0)) ** 2)


def test_more_pairs_map_better(spaces):
    own, theirs = spaces
    errors = [error(pairs_map(theirs[:n], own[:n])(theirs[300:]), own[300:]) for n in (4, 10, 300)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4  # the penalty is all that is left: a ten-thousandth of the variance


def test_pairs_that_are_none_are_refused(spaces):
    own, theirs = spaces
    with pytest.raises(ValueError, match="theirs has 5 rows and own 6"):
        pairs_map(theirs[:5], own[:6])


def test_spaces_of_one_shape_are_aligned_without_a_pair(spaces):
    own, theirs = spaces
    to_own = align_unpaired(theirs[:300], own[300:], n_clusters=10)
    rows = theirs[:300]
    away = own - own.mean(0)
    near = np.argmax((to_own(rows) - own.mean(0)) @ (away / np.linalg.norm(away, axis=1, keepdims=True)).T, axis=1)
    right = np.mean(near == np.arange(300))
    # By chance one in 600; within its own cluster about one in 60.
    assert right > 0.2


def test_spaces_of_unlike_widths_are_aligned_too(spaces):
    own, theirs = spaces
    wide = np.hstack([theirs, np.zeros((600, 3), np.float32)])
    to_own = align_unpaired(wide[:300], own[300:], n_clusters=10)
    assert to_own(wide[:4]).shape == (4, 12)
    with pytest.raises(ValueError, match="n_clusters is 400"):
        align_unpaired(theirs[:300], own, n_clusters=400)


def test_a_map_refuses_vectors_of_another_width(spaces):
    own, theirs = spaces
    for to_own in (pairs_map(theirs[:50], own[:50]), align_unpaired(theirs[:50], own[50:100], n_clusters=5)):
        with pytest.raises(ValueError, match="vectors have 3 columns; this map reads vectors of 12"):
            to_own(theirs[:4, :3])


def test_a_secret_rotation_keeps_all_distances_and_is_undone_by_pairs(spaces):
    own, _ = spaces
    for strength in (0.0, 0.3, 1.0):
        turned = defended(own, "rotation", strength, rng=3)
        gaps = [np.linalg.norm(x[:-1] - x[1:], axis=1) for x in (own, turned)]
        assert np.allclose(*gaps, rtol=1e-4)  # single precision, times the 12 terms of a coordinate
        assert error(pairs_map(turned, own)(turned), own) < 1e-4  # the penalty is all that is left
    moved = [error(defended(own, "rotation", strength, rng=3), own) for strength in (0.0, 0.1, 1.0)]
    assert moved == sorted(moved) and moved[0] < inner(12, "float32")


def test_noise_is_in_units_of_the_spread(spaces):
    own, _ = spaces
    for scale in (1.0, 64.0):
        noisy = defended(own * scale, "noise", 0.5)
        # 7200 normal values: their variance is within five standard errors.
        assert error(noisy, own * scale) == pytest.approx(0.25, rel=5 * np.sqrt(2 / own.size))
    assert np.array_equal(defended(own, "noise", 0), own)


def test_bits_are_levels_and_more_of_them_lose_less(spaces):
    own, _ = spaces
    errors = []
    for bits in (1, 2, 4, 8):
        kept = defended(own, "quantisation", bits)
        assert max(len(np.unique(column)) for column in kept.T) <= 2**bits
        errors.append(error(kept, own))
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(
    ("how", "strength", "words"),
    [
        ("hope", 1, "how is 'hope'; it is one of noise"),
        ("noise", -1, "strength is -1; a number of at least 0"),
        ("rotation", 1.5, "strength is 1.5; a number between 0 and 1"),
        ("truncation", 13, "strength is 13"),
        ("quantisation", 0, "strength is 0"),
    ],
)
def test_defences_that_cannot_be_are_refused(spaces, how, strength, words):
    with pytest.raises(ValueError, match=words):
        defended(spaces[0], how, strength)
