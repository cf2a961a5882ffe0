"""Tests of :mod:`helpers.inversion.correction`."""

import numpy as np
import pytest
from inversion_texts import SMALL, TEXTS, small_inverter
from scipy.stats import ortho_group

from helpers.inversion import Inverter
from helpers.inversion.correction import corrected

TURN = ortho_group.rvs(12, random_state=0)


def encode(texts):
    """A stranger's encoder: vectors of the inverter, turned."""
    return small_inverter().encode(texts) @ TURN


def biased(by):
    """A map back that is right up to a constant, which makes oil into gold."""
    own = small_inverter().encode(TEXTS)
    away = by * (own[4:].mean(0) - own[:4].mean(0))
    return lambda z: (z @ TURN.T + away).astype(np.float32)


@pytest.mark.filterwarnings("ignore:.*outside the cloud")
def test_what_a_map_does_wrong_to_all_texts_goes_out_in_one_step():
    found = corrected(small_inverter(), encode(TEXTS), biased(1.5), encode, steps=1)
    assert found.first != TEXTS and found.texts == TEXTS
    assert np.allclose(found.cosine[:, 1], 1, atol=1e-5)  # single precision, 12 terms and the network before them
    assert (found.cosine[:, 0] < 0.999).any()


@pytest.mark.filterwarnings("ignore:.*outside the cloud")
def test_the_best_guess_is_kept_and_no_step_makes_it_worse():
    wrong = ortho_group.rvs(12, random_state=1)
    found = corrected(
        small_inverter(), encode(TEXTS), lambda z: (z @ wrong).astype(np.float32), encode, steps=3, beams=2
    )
    assert found.cosine.shape == (8, 4)
    assert (np.diff(found.cosine, axis=1) >= 0).all()
    theirs = encode([text or "." for text in found.texts])
    norms = np.linalg.norm(theirs, axis=1) * np.linalg.norm(encode(TEXTS), axis=1)
    # single precision, and batches of other sizes
    assert np.allclose(found.cosine[:, -1], np.sum(theirs * encode(TEXTS), axis=1) / norms, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*outside the cloud")
def test_of_several_candidates_the_nearest_is_taken():
    to_own = biased(1.0)
    one, more = (
        corrected(small_inverter(), encode(TEXTS), to_own, encode, steps=0, beams=3, candidates=n) for n in (1, 3)
    )
    assert one.texts == one.first == small_inverter().decode(to_own(encode(TEXTS)), beams=3)
    assert (more.cosine >= one.cosine - 1e-6).all()


def test_an_inverter_of_vectors_needs_the_encoder_of_its_space():
    x = small_inverter().encode(TEXTS)
    made = Inverter(**SMALL, epochs=2).fit(TEXTS, vectors=x)
    with pytest.raises(ValueError, match="pass own, which encodes into its space"):
        corrected(made, encode(TEXTS), biased(0.0), encode)
    asked = []

    def own(texts):
        asked.append(texts)
        return small_inverter().encode(texts)

    assert len(corrected(made, encode(TEXTS), biased(0.0), encode, own=own, steps=1).texts) == 8
    assert all(len(set(texts)) == len(texts) for texts in asked)


def test_encoders_that_give_something_else_are_named():
    x, to_own = encode(TEXTS), biased(0.0)
    with pytest.raises(ValueError, match=r"encode gave shape \(1, 12\) for 8 texts; \(8, 12\) is needed"):
        corrected(small_inverter(), x, to_own, lambda texts: encode(texts)[:1])
    with pytest.raises(ValueError, match=r"own gave shape \(8, 3\) for 8 texts"):
        corrected(small_inverter(), x, to_own, encode, own=lambda texts: np.ones((len(texts), 3)))
    with pytest.raises(ValueError, match="candidates is 2; it must be between 1 and 1"):
        corrected(small_inverter(), x, to_own, encode, candidates=2)
    with pytest.raises(ValueError, match=r"what encode gives\[0, 0\] is NaN"):
        corrected(small_inverter(), x, to_own, lambda texts: np.full((len(texts), 12), np.nan))
    with pytest.raises(ValueError, match=r"centre has shape \(3,\), and vectors have 12 columns"):
        corrected(small_inverter(), x, to_own, encode, centre=np.ones(3))


@pytest.mark.filterwarnings("ignore:.*outside the cloud")
def test_more_draws_find_nearer_guesses():
    wrong = ortho_group.rvs(12, random_state=2)
    x, centre = encode(TEXTS), encode(TEXTS).mean(0)
    options = {"steps": 3, "centre": centre}

    def to_own(z):
        return (z @ wrong).astype(np.float32)

    one, more, again = (
        corrected(small_inverter(), x, to_own, encode, **options, draws=n, noise=1.0) for n in (1, 12, 12)
    )
    # single precision: the first guesses are the same
    assert np.allclose(one.cosine[:, 0], more.cosine[:, 0], atol=1e-5)
    assert more.cosine[:, -1].mean() > one.cosine[:, -1].mean()
    assert more.texts == again.texts
