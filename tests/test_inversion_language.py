"""Tests of :mod:`helpers.inversion.language`."""

from collections import Counter

import numpy as np
import pytest
from inversion_texts import TEXTS

from helpers.inversion.language import language_decoder, written_alone

SMALL = {"hidden": 48, "layers": 1, "n_heads": 2, "vocabulary": 300, "length": 24, "dropout": 0.0, "warmup": 10}


def test_texts_are_drawn_as_often_as_they_stand_in_what_was_learned():
    texts = ["oil rises"] * 30 + ["gold falls"] * 10
    alone = language_decoder(texts, **SMALL, epochs=60)
    written = written_alone(alone, 400)
    assert written["language"] == ["oil rises"] * 400
    share = Counter(written["drawn"])["oil rises"] / 400
    # 4 standard errors of a share of 400, and a tenth for a decoder that is trained a minute and not for ever
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 400) + 0.1
    assert set(written["drawn"]) >= {"oil rises", "gold falls"}


def test_it_has_no_encoder_and_takes_the_parameters_of_a_decoder_with_one():
    alone = language_decoder(TEXTS, **SMALL, epochs=1, encoder="encoders/bert", meaning=0.5, n_slots=4)
    with pytest.raises(ValueError, match="has no encoder"):
        alone.encode(TEXTS[:2])
    assert written_alone(None, 3) == {}
