"""Folders of sentence encoders: read as the library that writes them reads them; code in folders is never run."""

import json
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from test_encoders_extraction import LONGEST, models, save_tokenizer, some_texts  # noqa: F401

from helpers.encoders.extraction import extract
from helpers.encoders.sentence_folders import foreign_code, recipe_of
from helpers.inputs import read as read_inputs

TEXTS = some_texts(30)


@pytest.fixture
def read(tmp_path):
    return lambda model, texts=TEXTS, **options: extract(
        model, texts, **{"store": tmp_path / "store", "progress": False, "device": "cpu"} | options
    )


@pytest.fixture
def library():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("sentence_transformers")
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers import models as parts

        torch.manual_seed(1)
        yield SentenceTransformer, parts


KINDS = {
    "mean": lambda p: [p.Pooling(16, "mean")],
    "cls": lambda p: [p.Pooling(16, "cls"), p.Normalize()],
    "max": lambda p: [p.Pooling(16, "max")],
    "last": lambda p: [p.Pooling(16, "lasttoken")],
    "weighted": lambda p: [p.Pooling(16, "weightedmean")],
    "root": lambda p: [p.Pooling(16, "mean_sqrt_len_tokens")],
    "two side by side": lambda p: [p.Pooling(16, ("cls", "max"))],
    "dense": lambda p: [p.Pooling(16, "mean"), p.Dense(16, 5), p.Normalize()],
    "two dense without bias": lambda p: [
        p.Pooling(16, "cls"), p.Dense(16, 7, bias=False), p.Dense(7, 3, bias=False)
    ],
}  # fmt: skip


def saved(library, models, folder, kind="mean", **settings):  # noqa: F811
    SentenceTransformer, parts = library
    length = settings.pop("max_seq_length", None)
    model = SentenceTransformer(
        modules=[parts.Transformer(str(models / "bert"), max_seq_length=length), *KINDS[kind](parts)],
        device="cpu", **settings,
    )  # fmt: skip
    model.save(str(folder))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_the_library_that_wrote_the_folder(library, models, tmp_path, read, kind):  # noqa: F811
    model = saved(library, models, tmp_path / "mine", kind)
    expected = model.encode(TEXTS, convert_to_numpy=True, show_progress_bar=False)
    got = read(tmp_path / "mine", pooling="sentence")
    assert list(got) == ["sentence"] and got["sentence"].shape == expected.shape
    # Both sum in single precision, in another order: some hundred terms of the size of the largest entry.
    atol = 256 * np.finfo(np.float32).eps * np.abs(expected).max()
    np.testing.assert_allclose(got["sentence"], expected, rtol=0, atol=atol)


def test_prompt_and_length_of_the_folder_are_followed(library, models, tmp_path, read):  # noqa: F811
    prompts = {"prompts": {"query": "w1 w2 "}, "default_prompt_name": "query"}
    model = saved(library, models, tmp_path / "mine", max_seq_length=8, **prompts)
    expected = model.encode(TEXTS, show_progress_bar=False)
    with pytest.warns(UserWarning, match="longer than 8 tokens"):
        got = read(tmp_path / "mine", pooling="sentence")
    atol = 256 * np.finfo(np.float32).eps * np.abs(expected).max()
    np.testing.assert_allclose(got["sentence"], expected, rtol=0, atol=atol)
    assert got.max_length == 8 and "prompt 'w1 w2 '" in recipe_of(tmp_path / "mine").in_words()


def test_a_report_reads_a_model_as_its_folder_says_unless_told_otherwise(library, models, tmp_path):  # noqa: F811
    model = saved(library, models, tmp_path / "mine", "cls")
    shutil.copytree(models / "bert", tmp_path / "plain")
    options = {"text": TEXTS, "work": tmp_path / "work", "progress": False}
    inputs = read_inputs({}, models=[tmp_path / "mine", tmp_path / "plain"], **options)
    expected = model.encode(TEXTS, show_progress_bar=False)
    atol = 256 * np.finfo(np.float32).eps * np.abs(expected).max()
    np.testing.assert_allclose(inputs.representations["mine"], expected, rtol=0, atol=atol)
    words = list(inputs.encoded.values())
    assert words[0].startswith("the first token, scaled to length 1, as its folder says; at most 24 tokens")
    assert words[1].startswith("the mean over the tokens, because its folder does not say otherwise")
    told = read_inputs({}, models=tmp_path / "mine", pooling="mean", **options)
    assert "pooling 'mean', as was asked for, although its folder says: the first token" in str(told.encoded)
    # far beyond rounding: unit rows of another pooling differ in their first digit
    assert not np.allclose(told.representations["mine"], expected, atol=0.1)
    layers = read_inputs({}, models=tmp_path / "mine", layers="all", **options)
    assert "the first token in each layer" in str(layers.encoded) and len(layers.representations) == 4


@pytest.mark.parametrize(
    "change, words",
    [
        ({"type": "mine.Step"}, "names the class mine.Step, code of the folder's own, which is never run"),
        ({"type": "sentence_transformers.models.LSTM"}, "has a step LSTM; Transformer, Pooling, Dense and Normalize"),
    ],
)
def test_a_step_that_is_not_known_is_refused(library, models, tmp_path, read, change, words):  # noqa: F811
    saved(library, models, tmp_path / "mine")
    path = tmp_path / "mine" / "modules.json"
    steps = json.loads(path.read_text())
    path.write_text(json.dumps([*steps, {"idx": 9, "name": "9", "path": "9", **change}]))
    with pytest.raises(ValueError, match=words):
        read(tmp_path / "mine", pooling="sentence")
    assert len(read(tmp_path / "mine", pooling="mean")) == 4


CODE = """
from pathlib import Path
Path("PWNED").touch()
from transformers import BertConfig, BertModel, BertTokenizer
class Config(BertConfig):
    model_type = "unheard-of"
class Model(BertModel):
    config_class = Config
class Tokenizer(BertTokenizer):
    pass
"""


OWN = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}


@pytest.mark.parametrize(
    "file, change",
    [
        ("config.json", {"model_type": "unheard-of", "auto_map": OWN}),
        ("config.json", {"model_type": "unheard-of", "auto_map": {"AutoConfig": "own.Config"}}),
        ("config.json", {"auto_map": {"AutoModel": "own.Model"}}),
        ("config.json", {"is_decoder": True, "auto_map": {"AutoModel": "own.BertModel"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["own.Tokenizer", None]}}),
    ],
)  # fmt: skip
def test_code_in_a_folder_is_never_run_whatever_is_typed(models, tmp_path, file, change):  # noqa: F811
    folder = shutil.copytree(models / "bert", tmp_path / "mine")
    (folder / "own.py").write_text(CODE.replace("PWNED", str(tmp_path / "pwned")))
    settings = json.loads((folder / file).read_text()) | change
    (folder / file).write_text(json.dumps(settings))
    call = f"from helpers.encoders.extraction import extract; extract({str(folder)!r}, ['w1 w2'], store='s')"
    done = subprocess.run(
        [sys.executable, "-c", call], input="y\n" * 9, capture_output=True, text=True, cwd=tmp_path,
        env={**__import__("os").environ, "PYTHONPATH": __import__("os").getcwd()},
    )  # fmt: skip
    said = done.stderr.strip().splitlines()[-1]
    assert done.returncode and said.startswith("ValueError") and "never run" in said, done.stderr
    assert not (tmp_path / "pwned").exists() and "[y/N]" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "file, own, words",
    [
        ("config.json", {"AutoConfig": "own.Config", "AutoModel": "own.BertModel"}, "the BertModel of the library"),
        ("config.json", {"AutoModelForSequenceClassification": "own.Head"}, "for AutoModelForSequenceClassification"),
        ("tokenizer_config.json", {"AutoTokenizer": ["own.BertTokenizer", None]}, "the BertTokenizer of the library"),
        ("tokenizer_config.json", ["own.BertTokenizer", None], "the BertTokenizer of the library"),
    ],
)  # fmt: skip
def test_a_model_that_the_library_has_is_loaded_with_a_warning_where_its_folder_names_code(
    models, tmp_path, read, file, own, words  # noqa: F811
):  # fmt: skip
    folder = shutil.copytree(models / "bert", tmp_path / "mine")
    (folder / "own.py").write_text(CODE.replace("PWNED", str(tmp_path / "pwned")))
    expected = read(folder)
    settings = json.loads((folder / file).read_text()) | {"auto_map": own}
    (folder / file).write_text(json.dumps(settings))
    with pytest.warns(UserWarning, match=words) as caught:
        got = read(folder)
    assert all("never run" in str(one.message) for one in caught)
    assert all(np.array_equal(got[layer], expected[layer]) for layer in expected)
    assert not (tmp_path / "pwned").exists()
    with pytest.warns(UserWarning, match=words):
        inputs = read_inputs({}, models=[folder], text=TEXTS, work=tmp_path / "work", progress=False)
    assert words in inputs.encoded[str(folder)]


def test_a_configuration_of_no_class_says_nothing(models, tmp_path):  # noqa: F811
    folder = shutil.copytree(models / "bert", tmp_path / "mine")
    settings = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoConfig": "own.Config"}}
    (folder / "config.json").write_text(json.dumps(settings))
    assert foreign_code(folder) == []


def test_a_decoder_is_not_taken_for_code_that_bears_its_name(tmp_path):
    settings = {"model_type": "qwen2", "auto_map": {"AutoModel": "modeling_qwen.Qwen2Model"}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="modeling_qwen.Qwen2Model .* never run, and without it another model"):
        foreign_code(tmp_path)


def test_a_t5_that_holds_its_encoder_alone_is_read(tmp_path, read):
    import transformers as hf

    config = {"vocab_size": 44, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    for name, kind, settings in (("t5", hf.T5EncoderModel, hf.T5Config), ("mt5", hf.MT5EncoderModel, hf.MT5Config)):
        kind(settings(**config)).save_pretrained(tmp_path / name)
        save_tokenizer(tmp_path / name, special=True)
        got = read(tmp_path / name)
        assert len(got) == 3 and got["layer 2"].shape == (len(TEXTS), 16)


def test_xlnet_has_no_limit_of_minus_one(tmp_path, read):
    import transformers as hf

    config = hf.XLNetConfig(vocab_size=44, d_model=16, n_layer=2, n_head=2, d_inner=32)
    hf.XLNetModel(config).save_pretrained(tmp_path / "xlnet")
    save_tokenizer(tmp_path / "xlnet", special=True)
    assert read(tmp_path / "xlnet").max_length == 512


def test_of_encoders_with_other_steps_each_gives_vectors_or_says_why_not(tmp_path, read):
    import transformers as hf

    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    canine = hf.CanineConfig(**small, num_hash_buckets=64, max_position_embeddings=64)
    funnel = hf.FunnelConfig(vocab_size=44, block_sizes=[1, 1], d_model=16, n_head=2, d_head=8, d_inner=32)
    vision = {**small, "image_size": 8, "patch_size": 4}
    clip = hf.CLIPConfig(text_config={**small, "vocab_size": 44, "max_position_embeddings": LONGEST, "eos_token_id": 3},
                         vision_config=vision, projection_dim=8)  # fmt: skip
    kinds = {"canine": hf.CanineModel(canine), "funnel": hf.FunnelModel(funnel), "clip": hf.CLIPModel(clip)}
    for name, model in kinds.items():
        model.save_pretrained(tmp_path / name)
        save_tokenizer(tmp_path / name, special=True)
    got = read(tmp_path / "clip")
    assert len(got) == 3 and all(x.shape == (len(TEXTS), 16) for x in got.values())
    for name in ("canine", "funnel"):  # both make their sequences shorter from layer to layer
        with pytest.raises(ValueError) as caught:
            read(tmp_path / name)
        kind = type(kinds[name]).__name__
        assert str(caught.value) == f"the hidden states of {kind} in {tmp_path / name} are not one vector per token"


def test_no_model_is_loaded_without_saying_that_its_code_is_not_run():
    import ast
    from pathlib import Path

    import helpers

    for path in Path(helpers.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "from_pretrained":
                words = {keyword.arg for keyword in call.keywords}
                assert None in words or "trust_remote_code" in words, f"{path}:{call.lineno}"
