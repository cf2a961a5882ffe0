"""Layers of tiny random models, made here; one test reads a real encoder."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers.encoders import extraction as module
from helpers.encoders.extraction import Layers, extract, resolve_model
from helpers.waiting import NOTICE, reason

WORDS = [f"w{i}" for i in range(40)]
SPECIAL = ["[UNK]", "[PAD]", "[CLS]", "[SEP]"]
LONGEST = 24


def some_texts(count: int, longest: int = 20) -> list[str]:
    """Distinct texts of 2 to ``longest`` words."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, longest - 1, count)
    return [" ".join([*divided(i), *rng.choice(WORDS[:39], n)]) for i, n in enumerate(lengths)]


def divided(number: int) -> tuple[str, str]:
    """Two words that tell a number."""
    return WORDS[number // 30], WORDS[number % 30]


def save_tokenizer(folder: Path, special: bool) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"unk_token": "[UNK]"}
    if special:
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
        names |= {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On a busy machine the threads of so small a model would only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A folder with tiny random models: bert, roberta (without a pooler in the file), gpt."""
    import torch
    import transformers as hf

    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    shape |= {"vocab_size": 44, "pad_token_id": 1, "initializer_range": 0.5}
    decoder = {"vocab_size": 44, "n_positions": LONGEST, "n_embd": 16, "n_layer": 2, "n_head": 2}
    decoder |= {"initializer_range": 0.5, "bos_token_id": 0, "eos_token_id": 0}
    for name, model in {
        "bert": hf.BertModel(hf.BertConfig(**shape, max_position_embeddings=LONGEST)),
        "roberta": hf.RobertaModel(
            hf.RobertaConfig(**shape, max_position_embeddings=LONGEST + 2), add_pooling_layer=False
        ),
        "gpt": hf.GPT2Model(hf.GPT2Config(**decoder)),
    }.items():
        model.save_pretrained(root / name)
        save_tokenizer(root / name, special=name != "gpt")
    return root


@pytest.fixture
def copied(models, tmp_path):
    """A copy of a model to be damaged."""
    return lambda name="bert": shutil.copytree(models / name, tmp_path / name)


@pytest.fixture
def read(tmp_path):
    """``extract`` with a store of its own and without a bar."""

    def call(model, texts, **options) -> Layers:
        return extract(model, texts, **{"store": tmp_path / "store", "progress": False, "device": "cpu"} | options)

    return call


def one_by_one(folder: Path, texts: list[str], pooling: str) -> dict[str, tuple[np.ndarray, float]]:
    """The same in the plainest way, every text alone, in double precision, and what single precision is off there.

    Batches do the same sums in another order, so that their errors come from the same distribution; the largest
    over all layers hardly varies, and eight times it is beyond all of them.
    """
    wide, single = (_one_by_one(folder, texts, pooling, dtype) for dtype in ("float64", "float32"))
    off = 8 * max(float(np.abs(single[name] - x).max()) for name, x in wide.items())
    return {name: (x, off) for name, x in wide.items()}


def _one_by_one(folder: Path, texts: list[str], pooling: str, dtype: str) -> dict[str, np.ndarray]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = (
        AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).eval(),
        AutoTokenizer.from_pretrained(folder),
    )
    rows = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=LONGEST)["input_ids"]
        with torch.no_grad():
            output = model(input_ids=ids, output_hidden_states=True)
        pool = {"mean": lambda h: h[0].mean(0), "cls": lambda h: h[0, 0], "last": lambda h: h[0, -1]}.get(pooling)
        rows.append([pool(h) for h in output.hidden_states] if pool else [output.pooler_output[0]])
    names = [f"layer {i}" for i in range(len(rows[0]))] if pooling != "pooler" else ["pooler"]
    return {name: np.stack([row[i].numpy() for row in rows]) for i, name in enumerate(names)}


def assert_equal(found: Layers, expected: dict[str, tuple[np.ndarray, float]], prefix: str = "") -> None:
    for name, (array, off) in expected.items():
        np.testing.assert_allclose(found[prefix + name], array, atol=off, rtol=0)


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_each_text_alone_gives_the_same_vectors(models, read, name, pooling):
    texts = some_texts(20) + some_texts(25, longest=40)[20:]
    expected = one_by_one(models / name, texts, pooling)
    with pytest.warns(UserWarning, match="texts are longer than 24 tokens"):
        found = read(models / name, texts, pooling=pooling, batch_tokens=60)
    assert list(found) == list(expected)
    assert_equal(found, expected)


def test_several_poolings_share_one_forward_pass(models, read, monkeypatch):
    texts = some_texts(5)
    seen = []
    vectors = module._Encoder.vectors
    monkeypatch.setattr(
        module._Encoder, "vectors", lambda self, batch, p: seen.append(len(batch)) or vectors(self, batch, p)
    )
    found = read(models / "bert", texts, pooling=["pooler", "mean", "cls"])
    assert seen == [5]
    assert list(found) == [f"{p} layer {i}" for p in ("mean", "cls") for i in range(4)] + ["pooler"]
    for pooling in ("mean", "cls"):
        assert_equal(found, one_by_one(models / "bert", texts, pooling), prefix=f"{pooling} ")
    assert_equal(found, one_by_one(models / "bert", texts, "pooler"))
    assert list(read(models / "bert", texts, pooling=["mean", "pooler"])) == [f"layer {i}" for i in range(4)] + [
        "pooler"
    ]


def test_texts_come_back_in_their_order_and_duplicates_share_a_vector(models, read):
    texts = some_texts(8)
    first = read(models / "bert", texts)
    assert isinstance(first["layer 3"], np.memmap) and not first["layer 3"].flags.writeable
    mixed = [texts[i] for i in (7, 2, 2, 0, 7)] + ["w1 w2"] + [texts[5]]
    second = read(models / "bert", mixed)
    assert (first.encoded, second.encoded) == (8, 1)
    assert isinstance(second["layer 3"], np.memmap)
    assert_equal(second, one_by_one(models / "bert", mixed, "mean"))
    again = read(models / "bert", texts[3:6])
    np.testing.assert_array_equal(again["layer 2"], first["layer 2"][3:6])
    assert again["layer 2"].filename == first["layer 2"].filename


def test_what_is_stored_is_never_encoded_again(models, read, monkeypatch, tmp_path):
    texts = some_texts(6)
    first = read(models / "bert", texts, pooling=["mean", "cls"])
    monkeypatch.setattr(module, "_Encoder", None)
    second = read(
        shutil.copytree(models / "bert", tmp_path / "elsewhere"), texts[::-1], pooling="cls", max_length=LONGEST
    )
    assert second.encoded == 0 and second.files == first.files
    np.testing.assert_array_equal(second["layer 1"], first["cls layer 1"][::-1])


def test_other_weights_lengths_and_dtypes_are_kept_apart(models, copied, read):
    from safetensors.numpy import load_file, save_file

    texts = ["w1 w2 w3 w4", "w5"]
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than 4 tokens; they were truncated by 2 tokens"):
        short = read(models / "bert", texts, max_length=4)
    half = read(models / "bert", texts, dtype="bfloat16")
    whole = read(models / "bert", texts)
    folder = copied()
    weights = load_file(folder / "model.safetensors")
    save_file({name: 2 * w for name, w in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    other = read(folder, texts)
    assert [found.encoded for found in (short, half, whole, other)] == [2, 2, 2, 2]
    assert not np.allclose(whole["layer 3"][0], short["layer 3"][0]) and not np.allclose(
        whole["layer 1"], other["layer 1"]
    )
    # u is 2**-9: some 25 roundings one after another of entries up to 4.
    np.testing.assert_allclose(half["layer 3"], whole["layer 3"], rtol=0, atol=25 * 4 * 2.0**-9)
    assert half["layer 3"].dtype == np.float32 and (half["layer 3"] != whole["layer 3"]).any()


def test_half_precision_in_the_file_is_computed_in_float32(models, tmp_path, read):
    import torch
    from transformers import BertModel

    BertModel.from_pretrained(models / "bert").to(torch.float16).save_pretrained(tmp_path / "half")
    save_tokenizer(tmp_path / "half", special=True)
    texts = some_texts(3)
    found = read(tmp_path / "half", texts)
    assert found.dtype == "float32"
    assert_equal(found, one_by_one(tmp_path / "half", texts, "mean"))


def test_a_killed_run_is_gone_on_with_by_the_process_that_waits_in_silence(models, tmp_path, read, monkeypatch, capfd):
    monkeypatch.setenv(NOTICE, str(tmp_path / "notice"))
    texts = some_texts(60)
    script = f"""
import time
import torch
from helpers.encoders import extraction
torch.set_num_threads(1)
extraction.SAVE_EVERY, batches = 0, extraction._batches
def slow(*given):
    for batch in batches(*given):
        yield batch
        time.sleep(0.1)
extraction._batches = slow
texts = {texts!r}
extraction.extract({str(models / "bert")!r}, texts, store={str(tmp_path / "store")!r}, batch_tokens=24, device="cpu")
"""
    environment = os.environ | {"PYTHONPATH": str(Path(module.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.DEVNULL)
    done, found = [], []
    try:
        until = time.monotonic() + 300
        while not done or np.load(done[0]).sum() < 3:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
            done = list((tmp_path / "store").glob("*/*/[0-9]*/done.npy"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            waiting = threading.Thread(target=lambda: found.append(read(models / "bert", texts)))
            waiting.start()
            while "another process is encoding texts by" not in reason(tmp_path / "notice"):
                assert waiting.is_alive() and time.monotonic() < until
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept = int(np.load(done[0]).sum())
            waiting.join(30)
    finally:
        process.kill()
        process.wait()
    assert not caught and capfd.readouterr().err == "" and reason(tmp_path / "notice") == ""
    assert 3 <= kept < 60 and found[0].encoded == 60 - kept
    assert len(list((tmp_path / "store").glob("*/*/[0-9]*"))) == 1
    assert found[0]["layer 3"].shape == (60, 16)
    assert_equal(found[0], one_by_one(models / "bert", texts, "mean"))


def test_an_error_on_the_way_loses_nothing(copied, read):
    from safetensors.numpy import load_file, save_file

    folder = copied()
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][SPECIAL.index("[PAD]")] = 0
    weights["embeddings.word_embeddings.weight"][-1] = np.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    good, bad = ["w1 w2 w3 w4 w5", "w6 w7 w8 w9"], ["w39"]
    with pytest.raises(ValueError, match="a vector is not finite in torch.float32; pass dtype="):
        read(folder, good + bad, batch_tokens=8)
    assert read(folder, good).encoded == 0
    with pytest.raises(ValueError, match="not finite"):
        read(folder, good + bad)


def test_cut_texts_are_counted_now_and_when_they_come_from_the_store(models, read):
    texts = ["w1 " * 30, "w2", "w3 " * 23, "w1 " * 30]
    for encoded in (3, 0):
        with pytest.warns(
            UserWarning, match="3 of 4 texts are longer than 24 tokens; they were truncated by 17 tokens"
        ):
            found = read(models / "bert", texts)
        assert found.encoded == encoded and found.tokens_lost.tolist() == [8, 0, 1, 8]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not read(models / "bert", ["w2"]).tokens_lost.any()


def test_measures_and_ensembles_take_the_layers_as_they_are(models, read):
    from helpers.ensembles import Representations
    from helpers.similarity.matrices import similarity_matrices

    texts = some_texts(12)[:5] * 2 + some_texts(9)
    found = read(models / "bert", texts, pooling=["mean", "pooler"], max_length=LONGEST)
    matrix = similarity_matrices(found, ["cka"], progress=False)["cka"]
    assert list(matrix) == ["layer 0", "layer 1", "layer 2", "layer 3", "pooler"]
    assert Representations(found).shape == (19, 80)


def test_the_encoder_of_an_encoder_with_a_decoder_is_read(tmp_path, read):
    from transformers import T5Config, T5Model

    config = T5Config(vocab_size=44, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, decoder_start_token_id=1)
    T5Model(config).save_pretrained(tmp_path / "t5")
    save_tokenizer(tmp_path / "t5", special=True)
    assert list(read(tmp_path / "t5", ["w1 w2"])) == ["layer 0", "layer 1", "layer 2"]


def test_a_folder_stands_for_the_hub(models, monkeypatch, tmp_path, read):
    import huggingface_hub

    monkeypatch.delenv("BOOK_MODELS", raising=False)
    assert resolve_model("owner/bert") == "owner/bert" and resolve_model(models / "bert") == models / "bert"
    monkeypatch.setenv("BOOK_MODELS", str(models))
    assert resolve_model("bert") == resolve_model("owner/bert") == models / "bert"
    assert resolve_model("owner/other") == "owner/other"
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        resolve_model(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        resolve_model("./bert")
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **k: asked.append((name, k["revision"])) or models / "gpt"
    )
    assert list(read("owner/other", ["w1"], revision="v2")) == ["layer 0", "layer 1", "layer 2"]
    assert asked == [("owner/other", "v2")]

    def unreachable(name, **options):
        raise huggingface_hub.errors.LocalEntryNotFoundError("cannot find it")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(OSError) as caught:
        read("owner/other", ["w1"])
    assert "did not come from the hub" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("texts", "kind", "message"),
    [
        ("w1", TypeError, "a single string"),
        ([], ValueError, "texts is empty"),
        (["w1", 3], TypeError, r"texts\[1\] is a int; a string is needed"),
        (["w1", "w2", " \n"], ValueError, r"texts\[2\] is blank"),
        (["w1", "\ud800"], ValueError, r"texts\[1\] is not valid Unicode"),
    ],
)
def test_bad_texts_are_named_by_position(models, read, texts, kind, message):
    with pytest.raises(kind, match=message):
        read(models / "bert", texts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max'; it is one of mean, cls, last, pooler"),
        ({"pooling": []}, "pooling is"),
        ({"dtype": "int8"}, "dtype is 'int8'"),
        ({"max_length": 0}, "max_length is 0"),
        ({"max_length": 2}, "special tokens alone"),
        ({"max_length": 25}, "reads 24 tokens at most"),
        ({"batch_tokens": 1.5}, "batch_tokens is 1.5"),
    ],
)
def test_bad_options_say_what_would_do(models, read, options, message):
    with pytest.raises(ValueError, match=message):
        read(models / "bert", ["w1"], **options)


@pytest.mark.parametrize("name", ["gpt", "roberta"])
def test_a_pooler_that_is_absent_or_random_is_refused(models, read, name):
    with pytest.raises(ValueError, match="has no pooler output, or no weights for it"):
        read(models / name, ["w1"], pooling="pooler")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("config.json", "no configuration"), ("*.safetensors", "no weights"), ("tokenizer*", "no tokenizer")],
)
def test_a_missing_file_is_named(copied, read, pattern, message):
    folder = copied()
    for path in folder.glob(pattern):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=message):
        read(folder, ["w1"])


def test_truncated_and_incomplete_weights_are_refused(models, copied, tmp_path, read):
    from safetensors.numpy import load_file, save_file
    from transformers import BertModel

    folder = copied()
    path = folder / "model.safetensors"
    weights = load_file(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match="model.safetensors is truncated"):
        read(folder, ["w1"])
    save_file({k: w for k, w in weights.items() if "layer.2" not in k}, path, {"format": "pt"})
    with pytest.raises(ValueError, match="lack 16 tensors of its BertModel, such as encoder.layer.2"):
        read(folder, ["w1"])
    BertModel.from_pretrained(models / "bert").save_pretrained(tmp_path / "shards", max_shard_size="10KB")
    save_tokenizer(tmp_path / "shards", special=True)
    assert_equal(read(tmp_path / "shards", ["w1"]), one_by_one(models / "bert", ["w1"], "mean"))
    gone = sorted((tmp_path / "shards").glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {gone.name}"):
        read(tmp_path / "shards", ["w1"])


def test_a_model_without_hidden_states_is_refused(models, read, monkeypatch):
    from transformers import BertModel

    forward = BertModel.forward

    def without(self, input_ids=None, attention_mask=None, **options):
        output = forward(self, input_ids, attention_mask, **options)
        output.hidden_states = None
        return output

    monkeypatch.setattr(BertModel, "forward", without)
    with pytest.raises(ValueError, match="BertModel in .* gives no hidden states"):
        read(models / "bert", ["w1"])


def test_a_tokenizer_of_another_model_is_refused(copied, models, read):
    folder = copied("gpt")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"w39": 43', '"w39": 99'))
    with pytest.raises(ValueError, match="gives token 99, the model knows 44"):
        read(folder, ["w1", "w39"])


def test_a_full_disk_and_a_damaged_store_are_told(models, read, monkeypatch):
    found = read(models / "bert", ["w1", "w2"])
    path = Path(found["layer 1"].filename)
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100}))
        with pytest.raises(OSError, match="the vectors of 1 texts need 2.56e-07 GB"):
            read(models / "bert", ["w1", "w3"])
    os.truncate(path, path.stat().st_size - 40)
    with pytest.raises(ValueError, match=f"the store is damaged: {path}"):
        read(models / "bert", ["w1", "w2"])["layer 1"]


@pytest.mark.slow
def test_the_last_layer_of_gte_small_scores_on_stsb_as_published(tmp_path, read):
    import csv

    from scipy.stats import spearmanr

    folder = Path(os.environ.get("BOOK_MODELS", "")) / "gte-small"
    data = Path(os.environ.get("BOOK_DATA", "")) / "stsbenchmark" / "sts-test.csv"
    for variable, path in (("BOOK_MODELS", folder), ("BOOK_DATA", data)):
        if variable not in os.environ or not path.exists():
            pytest.skip(
                f"{variable} names no folder with {path.relative_to(path.parents[path.name == 'sts-test.csv'])}"
            )
    with data.open(encoding="utf8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    scores = [float(row[4]) for row in rows]
    found = read(folder, [row[5] for row in rows] + [row[6] for row in rows])["layer 12"]
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    left, right = np.split(unit, 2)
    assert len(scores) == 1379
    # One decimal, of other precision and truncation; the standard error of 1379 pairs is 0.7.
    assert spearmanr((left * right).sum(1), scores).statistic * 100 == pytest.approx(85.6, abs=0.3)


def test_a_folder_below_data_goes_by_its_relative_name(monkeypatch, tmp_path):
    (tmp_path / "encoders" / "bert").mkdir(parents=True)
    monkeypatch.setattr("helpers.encoders.extraction.DATA", tmp_path)
    assert resolve_model("encoders/bert") == tmp_path / "encoders" / "bert"
    assert resolve_model("encoders/other") == "encoders/other"
