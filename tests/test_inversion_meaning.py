"""Tests of :mod:`helpers.inversion.meaning`."""

import numpy as np
import pytest

from helpers.encoders.extraction import extract, resolve_model
from helpers.inversion import matching_scores, meaning, vector_similarities
from helpers.inversion.encoders import StateStore


def states_by_hand(text):
    """States of the words of a text, from the library itself."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = resolve_model("encoders/bert")
    table, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        found = model(**table(text, return_tensors="pt")).last_hidden_state[0].numpy()
    return found[1:-1]


def test_matching_is_that_of_a_hand_computation():
    text, other = "Oil falls again", "gold falls"
    x, y = states_by_hand(text.lower()), states_by_hand(other)
    recall = [max(a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in y) for a in x]
    precision = [max(a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a in x) for b in y]
    p, r = np.mean(precision), np.mean(recall)
    found = matching_scores([text], [other]).iloc[0]
    # States lie in half precision: each number is off by at most 2**-11 of itself, a cosine by at most twice that.
    assert found["precision"] == pytest.approx(p, abs=2**-10) and found["recall"] == pytest.approx(r, abs=2**-10)
    assert found["f1"] == pytest.approx(2 * p * r / (p + r), abs=2**-10)


def test_states_are_those_of_the_words_without_the_ends():
    states = meaning.token_states(["oil falls", "", "Oil falls"])
    assert len(states[0]) == len(states_by_hand("oil falls")) and states[1].shape == (0, 128)
    assert np.array_equal(states[0], states[2])


def test_states_of_a_layer_are_those_that_the_whole_encoder_has_there():
    import torch

    from helpers.inversion.encoders import FolderEncoder

    encoder = FolderEncoder("encoders/bert", trained=False).eval()
    tokens, mask = encoder.batch(encoder.rows(["oil falls"], 512).tokens)
    with torch.inference_mode():
        layers = encoder.net(input_ids=tokens, attention_mask=mask.long(), output_hidden_states=True).hidden_states
    for layer in (1, len(layers) - 1):
        # Kept in half precision: each number is off by at most 2**-11 of itself.
        close = {"rel": 2**-10, "abs": 2**-10}
        assert meaning.token_states(["oil falls"], layer=layer)[0] == pytest.approx(
            layers[layer][0, 1:-1].numpy(), **close
        )
    with pytest.raises(ValueError, match=f"layer is {len(layers)}; it must be between 1 and {len(layers) - 1}"):
        meaning.token_states(["oil falls"], layer=len(layers))


def test_a_text_matches_itself_and_nothing_matches_nothing():
    found = matching_scores(["Oil falls again", "gold", ""], ["oil falls again", "", ""])
    assert found.iloc[0].to_numpy() == pytest.approx(1) and not found.iloc[1:].to_numpy().any()


def test_words_in_another_order_and_of_another_text_match_less():
    texts = ["shares of the bank fall after the vote", "gold rises"]
    f1 = [matching_scores(texts[:1], [other])["f1"][0] for other in (texts[0], "the vote after shares fall", texts[1])]
    assert f1[0] > f1[1] > f1[2]


def test_similarity_is_the_cosine_of_the_vectors_of_sentences(tmp_path):
    texts, written = ["Oil falls", "gold rises", "tin"], ["oil falls", "", "copper is dear"]
    found = vector_similarities(texts, written, "encoders/simcse", store=tmp_path)
    assert found[0] == pytest.approx(1) and found[1] == 0
    layers = extract("encoders/simcse", ["tin", "copper is dear"], store=tmp_path, progress=False)
    a, b = layers[list(layers)[-1]].astype(np.float64)  # its folder asks for no other pooling than the mean
    assert found[2] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert not vector_similarities([""], [""], "encoders/simcse").any()


def test_what_is_known_is_not_encoded_again(monkeypatch):
    texts, written = ["Oil falls", "gold rises"], ["oil falls", "tin is dear"]
    vectors, states = {}, {}
    first = [
        vector_similarities(texts, written, "encoders/simcse", known=vectors),
        matching_scores(texts, written, known=states)["f1"].to_numpy(),
    ]
    assert set(vectors) == set(states) == {"oil falls", "gold rises", "tin is dear"}
    encoded = []
    monkeypatch.setattr(
        "helpers.encoders.extraction.extract", lambda model, few, **_: encoded.extend(few) or extract(model, few)
    )
    monkeypatch.setattr(
        "helpers.inversion.encoders.StateStore",
        lambda encoder, rows: encoded.append(len(rows)) or StateStore(encoder, rows),
    )
    again = [
        vector_similarities(written, texts, "encoders/simcse", known=vectors),
        matching_scores(written, texts, known=states)["f1"].to_numpy(),
    ]
    assert not encoded
    assert np.allclose(again, first)
    vector_similarities(["copper"], ["oil falls"], "encoders/simcse", known=vectors)
    matching_scores(["copper"], ["oil falls"], known=states)
    assert encoded == ["copper", 1]


@pytest.mark.parametrize("scores", [matching_scores, lambda a, b: vector_similarities(a, b, "encoders/simcse")])
def test_texts_without_counterpart_are_refused(scores):
    with pytest.raises(ValueError, match="texts has 2 entries and written 1"):
        scores(["a", "b"], ["a"])


def test_an_encoder_is_there_or_it_is_not(monkeypatch, tmp_path):
    monkeypatch.setenv("BOOK_MODELS", str(tmp_path))
    assert meaning.there("encoders/bert") and not meaning.there("encoders/none") and not meaning.there("a-name")
    (tmp_path / "a-name").mkdir()
    assert meaning.there("a-name")
