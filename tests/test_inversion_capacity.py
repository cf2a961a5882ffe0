"""Tests of :mod:`helpers.inversion.capacity`."""

import numpy as np
import pytest
from inversion_texts import SMALL, TEXTS, small_inverter

from helpers.inversion import Inverter, bits_explained, cram, cram_at_once, text_bits, token_accuracy


@pytest.fixture(scope="module")
def inverter():
    return small_inverter()


@pytest.fixture(scope="module")
def language():
    return Inverter(**SMALL, epochs=200).fit(TEXTS, vectors=np.ones((8, 3)))


def test_bits_of_texts_are_those_of_their_tokens(inverter):
    found = token_accuracy(inverter, TEXTS, ks=(1,)).attrs["all"]
    # Logits below 30 in single precision, in batches of other shapes: a token of 0.03 nats is off by 30 u of 64 terms.
    assert text_bits(inverter, TEXTS).sum() == pytest.approx(found["nats"] * found["tokens"] / np.log(2), rel=1e-4)


def test_a_vector_explains_what_the_language_does_not_tell(inverter, language):
    x = inverter.encode(TEXTS)
    found = bits_explained(inverter, TEXTS, without=language, changed={"rolled": np.roll(x, 1, axis=0)})
    alone = text_bits(language, TEXTS, vectors=np.tile(language.centre_, (8, 1)))
    assert found.loc["as they are", "bits"] == pytest.approx((alone - text_bits(inverter, TEXTS)).mean())
    assert found.loc["as they are", "ci_low"] > 0
    assert found.loc["rolled", "bits"] < 0
    assert found.loc["as they are", "bits_per_dimension"] == found.loc["as they are", "bits"] / 12
    assert (found["ci_low"] <= found["bits"]).all() and (found["bits"] <= found["ci_high"]).all()


def test_a_vector_is_found_for_a_text_that_the_decoder_can_write(inverter):
    found = cram(inverter, "gold falls again.", steps=400)
    assert (found.text, found.right) == ("gold falls again.", 1)
    assert found.vector.shape == (12,)
    # The same logits in batches of other shapes; bits are few, so that their relative error is large.
    assert text_bits(inverter, ["gold falls again."], vectors=found.vector[None])[0] == pytest.approx(
        found.bits, rel=1e-3
    )


def test_more_steps_leave_fewer_bits(inverter):
    bits = [cram(inverter, "gold gold oil.", steps=steps).bits for steps in (1, 100)]
    assert bits[1] < bits[0]


def test_what_has_no_bits_is_refused(inverter):
    at_once = Inverter(**SMALL, decoder="one_pass", epochs=1).fit(TEXTS)
    with pytest.raises(ValueError, match="says all tokens at once"):
        text_bits(at_once, TEXTS)
    other = Inverter(**SMALL, epochs=1).fit([text + " more" for text in TEXTS])
    with pytest.raises(ValueError, match="other tokens"):
        bits_explained(inverter, TEXTS, without=other)
    with pytest.raises(ValueError, match=r"text\[0\] is blank"):
        cram(inverter, " ")


def test_two_vectors_are_found_from_which_one_pass_writes_a_text(inverter):
    import torch

    first, found = (cram_at_once(inverter, "oil.", steps=steps) for steps in (1, 600))
    assert found.bits < first.bits / 4 and found.right > first.right
    assert found.vector.shape == (12 + 64,)
    # One pass over as many copies of the second vector as the text has tokens, with the first as the memory.
    tokens = inverter.tokens_.rows(["oil."], inverter.length).tokens[0]
    decoder, x = inverter.network_["decoder"], torch.from_numpy(found.vector)
    with torch.inference_mode():
        places = x[12:].expand(1, len(tokens), -1)
        states = decoder.net.model.decoder(inputs_embeds=places, encoder_hidden_states=decoder.slots(x[None, :12]))
        said = decoder.said(states.last_hidden_state[0]).argmax(-1)
    assert found.right == pytest.approx(np.mean(said.numpy() == tokens))
    assert found.text == inverter.tokens_.texts([said.tolist()])[0]


def test_one_pass_needs_a_decoder_with_cross_attention():
    made = Inverter(**SMALL, decoder="one_pass", epochs=1).fit(TEXTS)
    with pytest.raises(ValueError, match="decoder is 'one_pass'; 'autoregressive' is needed"):
        cram_at_once(made, "oil")
