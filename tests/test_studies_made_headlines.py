"""The small world of made-up headlines."""

import numpy as np
import pytest

from helpers.studies import made_headlines as study


def test_no_headline_stands_in_two_parts_and_the_seed_decides():
    found = study.made_headlines(300, rng=1)
    whole = [*found.train, *found.validation, *found.test]
    assert len(set(whole)) == len(whole) == 300 and len(found.test) == 30
    assert found == study.made_headlines(300, rng=1) != study.made_headlines(300, rng=2)


def test_its_bits_are_the_logarithm_of_how_many_there_are():
    assert 2**study.WORLD_BITS == pytest.approx(24 * 8 * 9 * 12 * 8)  # rounding of five logarithms
    with pytest.raises(ValueError, match="n_texts is 165889"):
        study.made_headlines(165889)


def test_another_verb_of_the_same_direction_says_the_same():
    from helpers.inversion import facts_of

    for text in study.made_headlines(200).train[:40]:
        others = study.reworded(text)
        assert len(set(others)) == 3 and text not in others
        assert all(facts_of(other)["direction"] == facts_of(text)["direction"] for other in others)
        assert all(np.array_equal(other.split()[2:], text.split()[2:]) for other in others)
