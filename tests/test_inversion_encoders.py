"""Tests of :mod:`helpers.inversion.encoders`."""

import shutil

import numpy as np
import pytest
import torch
from inversion_texts import SMALL, TEXTS
from safetensors.torch import load_file, save_file

from helpers.inversion import Inverter
from helpers.inversion.encoders import FolderEncoder
from helpers.inversion.tokens import TokenTable

POSITIONS = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A very small encoder that nobody trained, with positions for 16 tokens."""
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("encoder")
    names = {"eos_token": "<eos>", "bos_token": "<bos>", "pad_token": "<pad>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=TokenTable.train(TEXTS, 280).tokenizer, **names)
    tokenizer.save_pretrained(path)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, **sizes)).save_pretrained(path)
    return path


@pytest.fixture
def broken(folder, tmp_path):
    """A copy of it, to be spoilt."""
    return shutil.copytree(folder, tmp_path / "copy")


def without(path, *starts):
    for file in path.iterdir():
        if file.name.startswith(starts):
            file.unlink()


def of_weights(path, change):
    save_file(change(load_file(path / "model.safetensors")), path / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: without(path, "tokenizer"), "copy has no tokenizer"),
        (lambda path: without(path, "config"), "copy has no configuration"),
        (lambda path: without(path, "model"), "copy has no weights"),
        (lambda path: without(path, ""), "copy has no configuration"),
        (lambda path: (path / "model.safetensors").write_bytes(b"no weights"), "copy"),
        (lambda path: of_weights(path, lambda found: {"other": torch.ones(2)}), r"lack \d+ tensors of its BertModel"),
        (
            lambda path: of_weights(path, lambda found: {k: w for k, w in found.items() if "layer.1" not in k}),
            r"lack \d+ tensors of its BertModel, such as encoder.layer.1",
        ),
    ],
    ids=["no tokenizer", "no configuration", "no weights", "empty", "no safetensors", "other weights", "a layer less"],
)
def test_a_folder_that_is_no_encoder_is_refused_by_name(broken, spoil, words):
    spoil(broken)
    with pytest.raises((ValueError, OSError), match=words) as found:
        Inverter(encoder=broken, **SMALL, epochs=1).fit(TEXTS)
    assert "copy" in str(found.value)


@pytest.mark.parametrize("trained", [True, False])
def test_what_is_longer_than_the_position_table_is_counted_and_truncated(folder, trained):
    long = " ".join(["oil"] * 100)
    encoder = FolderEncoder(folder, trained)
    rows = encoder.rows([*TEXTS, long], 40)
    assert encoder.limit == POSITIONS == len(rows.tokens[8]) and rows.truncated.tolist() == [8]
    options = SMALL | {"length": 120}
    words = r"1 of 9 texts are longer than 120 tokens, or than the 16 that the encoder reads, and were.*texts\[8\]"
    with pytest.warns(UserWarning, match=words):
        made = Inverter(encoder=folder, train_encoder=trained, **options, epochs=1).fit([*TEXTS, long])
    assert made.truncated_.tolist() == [8]
    with pytest.warns(UserWarning, match=words):
        assert np.isfinite(made.encode([*TEXTS, long])).all()


def test_the_tokens_of_short_texts_are_those_of_the_tokenizer(folder):
    encoder = FolderEncoder(folder, False)
    rows = encoder.rows(TEXTS, 40)
    assert not rows.truncated.size
    assert [row.tolist() for row in rows.tokens] == encoder.tokenizer(TEXTS)["input_ids"]


def test_an_encoder_that_exists_is_trained_at_a_rate_of_its_own(folder):
    before = FolderEncoder(folder, True).net.state_dict()
    with_rate = SMALL | {"warmup": 0}

    def moved(**rates):
        made = Inverter(encoder=folder, **with_rate, **rates, epochs=1).fit(TEXTS)
        after = made.network_["encoder"].net.state_dict()
        steps = made.log_[-1]["step"]
        largest = max(float((after[name] - weight).abs().max()) for name, weight in before.items())
        return largest, steps, made

    still, _, _ = moved(encoder_rate=0.0)
    assert still == 0
    largest, steps, _ = moved(encoder_rate=1e-4)
    heaviest = max(float(weight.abs().max()) for weight in before.values())
    # AdamW moves a weight by a rate at first and by less later, decays it by 0.01 rates of itself, and rounds it
    assert 0 < largest <= steps * (1e-4 * (1 + 0.01 * heaviest) + heaviest * torch.finfo(torch.float32).eps)
    assert moved(encoder_rate=1e-3)[0] > 2 * largest


def test_vectors_that_have_become_one_are_told(folder):
    from transformers import AutoModel

    flat = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        flat.encoder.layer[-1].output.LayerNorm.weight.zero_()  # all states are the bias then
        flat.encoder.layer[-1].output.LayerNorm.bias.fill_(1.0)
    same = folder.parent / "flat"
    shutil.copytree(folder, same)
    flat.save_pretrained(same)
    with pytest.warns(UserWarning, match=r"the vectors of all texts have become one.*encoder_rate \(it is 0.0003\)"):
        Inverter(encoder=same, train_encoder=False, **SMALL, epochs=1).fit(TEXTS)
