"""The recorded runs of language models that read vectors by soft prompts."""

import os
from pathlib import Path

import numpy as np
import pytest
from inversion_texts import TEXTS, save_language_model

from helpers.inversion import inversion_scores
from helpers.studies import prompted_runs as runs
from helpers.studies.inversion_runs import Texts

CODES = dict(zip(TEXTS, np.random.default_rng(0).normal(size=(8, 6)), strict=True))
OURS = Texts(TEXTS, [], TEXTS[:5], np.arange(5))
REAL = next(
    (path for name in ("smollm2-135m-instruct",) if (path := Path(os.environ.get("BOOK_MODELS", "")) / name).is_dir()),
    None,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_language_model(tmp_path_factory.mktemp("model"))


def encode(texts):
    return np.array([CODES[text] for text in texts], dtype=np.float32)


@pytest.mark.parametrize("lora", [0, 2])
def test_what_is_measured_agrees_with_the_scores_themselves(model, lora):
    if lora:
        pytest.importorskip("peft", reason="peft is not installed, and updates of low rank need it")
    made = runs.fit_prompted(model, OURS, encode, lora=lora, epochs=2, length=20)
    found = runs.prompted_measured(made, OURS, encode, n_test=4)
    written = made.decode(encode(TEXTS[:4]))
    assert found["f1"] == pytest.approx(inversion_scores(TEXTS[:4], written)["token_f1"].mean())
    assert found["n_test"] == 4 and found["direction_facts"] == 4
    assert {"f1_shuffled", "f1_centre", "facts_kept_centre", "state_f1"} <= set(found) and found["seconds"] > 0
    linear = 4 * 48 * 6 + 4 * 48
    assert (1e6 * found["trained"] > linear) == bool(lora) and 1e6 * found["trained"] >= linear


def test_ranks_below_nothing_are_refused(model):
    with pytest.raises(ValueError, match="lora is -1"):
        runs.fit_prompted(model, OURS, encode, lora=-1)


@pytest.mark.slow
@pytest.mark.skipif(REAL is None, reason="smollm2-135m-instruct is not in BOOK_MODELS")
@pytest.mark.parametrize("lora", [0, 2])
def test_a_real_model_learns_to_read_a_few_vectors(lora):
    made = runs.fit_prompted(REAL, OURS, encode, lora=lora, epochs=30, warmup=5, length=20, learning_rate=0.005)
    assert made.log_[-1]["loss"] < made.log_[0]["loss"]
    found = runs.prompted_measured(made, OURS, encode)
    assert found["f1"] > found["f1_shuffled"]
