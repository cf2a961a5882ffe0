"""Tests of :mod:`helpers.inversion.prompts`."""

import shutil

import numpy as np
import pytest
import torch
from inversion_texts import TEXTS, save_language_model
from safetensors.torch import load_file, save_file

from helpers.inversion.prompts import PromptedDecoder

CODES = np.random.default_rng(0).normal(size=(8, 6)) * 3 + 2


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_language_model(tmp_path_factory.mktemp("model"))


def weights_of(decoder):
    return {name: w for name, w in decoder.network_["model"].named_parameters() if "lora" not in name}


@pytest.mark.parametrize("lora", [None, 4])
def test_the_model_itself_stays_as_it_is_and_the_vector_is_used(model, lora):
    if lora:
        pytest.importorskip("peft", reason="peft is not installed, and updates of low rank need it")
    made = PromptedDecoder(model, lora=lora, epochs=60, learning_rate=0.02, length=20).fit(TEXTS, vectors=CODES)
    fresh = PromptedDecoder(model, lora=lora, epochs=1, learning_rate=0.0, length=20).fit(TEXTS, vectors=CODES)
    for name, weight in weights_of(fresh).items():
        assert torch.equal(weight, weights_of(made)[name])
    rows = made._rows(TEXTS)
    z = torch.from_numpy(((CODES - made.centre_) / made.spread_).astype(np.float32))
    with torch.inference_mode():
        own, other = (float(made._loss(x, rows)) for x in (z, z.roll(1, 0)))
    assert own < other
    assert len(made.decode(CODES, beams=2)) == 8


def test_training_and_writing_agree_about_the_place_of_the_prompts(model):
    made = PromptedDecoder(model, epochs=1, length=20, n_prompts=3).fit(TEXTS, vectors=CODES)
    z = torch.from_numpy(((CODES - made.centre_) / made.spread_).astype(np.float32))
    with torch.inference_mode():
        net, prompts = made.network_["model"], made._prompts(z[:1])
        mask = torch.ones(prompts.shape[:2], dtype=torch.long)
        first = int(net.generate(inputs_embeds=prompts, attention_mask=mask, max_new_tokens=1, do_sample=False)[0, 0])
        best = min(range(4, 280), key=lambda token: float(made._loss(z[:1], [np.array([token])])))
    assert first == best or first < 4


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(ValueError, match="vectors has 7 rows, and there are 8 texts"):
        PromptedDecoder(model, epochs=1).fit(TEXTS, vectors=CODES[:7])
    with pytest.raises(ValueError, match="neither epochs nor minutes"):
        PromptedDecoder(model).fit(TEXTS, vectors=CODES)
    made = PromptedDecoder(model, epochs=1, length=20).fit(TEXTS, vectors=CODES)
    with pytest.raises(ValueError, match="vectors have 2 columns; this decoder reads vectors of 6"):
        made.decode(np.ones((1, 2)))


def test_vectors_far_outside_the_cloud_are_warned_of(model):
    made = PromptedDecoder(model, epochs=1, length=20).fit(TEXTS, vectors=CODES)
    with pytest.warns(UserWarning, match=r"1 of 2 vectors lie outside the cloud of training: row 1 is \d+\.\d times"):
        made.decode(np.stack([made.centre_, made.centre_ + 100]))


def test_a_training_does_not_go_on_with_other_vectors(model, tmp_path):
    made = PromptedDecoder(model, epochs=1, length=20, folder=tmp_path).fit(TEXTS, vectors=CODES)
    made.fit(TEXTS, vectors=CODES)
    with pytest.raises(ValueError, match=r"holds another run: about vectors digest is"):
        made.fit(TEXTS, vectors=CODES[::-1])


def test_texts_that_are_too_long_are_counted_and_warned_of(model):
    with pytest.warns(UserWarning, match=r"1 of 8 texts are longer than 12 tokens and were truncated.*texts\[2\]"):
        texts = [text if i != 2 else " ".join(["oil"] * 30) for i, text in enumerate(TEXTS)]
        made = PromptedDecoder(model, epochs=1, length=12).fit(texts, vectors=CODES)
    assert made.truncated_.tolist() == [2]
    with pytest.raises(ValueError, match="length 38 and 4 prompts need 42 positions; it has 40"):
        PromptedDecoder(model, epochs=1, length=38).fit(TEXTS, vectors=CODES)


def test_a_folder_that_is_no_language_model_is_refused(model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "copy")
    weights = load_file(copy / "model.safetensors")
    some = {name: weight for name, weight in weights.items() if "h.1." not in name}
    save_file(some, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"copy lack \d+ tensors of its GPT2LMHeadModel"):
        PromptedDecoder(copy, epochs=1).fit(TEXTS, vectors=CODES)
    for file in copy.glob("tokenizer*"):
        file.unlink()
    with pytest.raises((ValueError, OSError), match="copy"):
        PromptedDecoder(copy, epochs=1).fit(TEXTS, vectors=CODES)
