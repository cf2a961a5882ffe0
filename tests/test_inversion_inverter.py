"""Tests of :mod:`helpers.inversion.inverter` and of its training."""

import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from inversion_texts import SMALL, TEXTS, small_inverter
from sklearn.base import clone

from helpers.inversion import Inverter, inversion_scores
from helpers.inversion.training import own_weights


@pytest.fixture(scope="module")
def fitted():
    return small_inverter()


def test_texts_come_back_from_their_vectors(fitted):
    assert inversion_scores(TEXTS, fitted.decode(fitted.encode(TEXTS), beams=3))["exact"].mean() == 1
    assert fitted.score(TEXTS) == 1


def test_an_inverter_that_was_saved_writes_the_same_in_another_process(fitted, tmp_path):
    fitted.save(tmp_path / "inverter")
    loaded = Inverter.load(tmp_path / "inverter")
    x = loaded.encode(TEXTS)
    np.save(tmp_path / "vectors.npy", x)
    code = (
        "import numpy as np; from helpers.inversion import Inverter; "
        f"print('|'.join(Inverter.load({str(tmp_path / 'inverter')!r}).decode(np.load("
        f"{str(tmp_path / 'vectors.npy')!r}))))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip().split("|") == loaded.decode(x) == TEXTS
    assert loaded.get_params() == fitted.get_params()
    kept = own_weights(fitted)
    assert kept.keys() == own_weights(loaded).keys()
    for name, other in own_weights(loaded).items():
        assert np.array_equal(kept[name].half().float().numpy(), other.numpy())


def test_weights_in_several_files_are_those_in_one(fitted, tmp_path):
    fitted.save(tmp_path)
    whole = Inverter.load(tmp_path)
    fitted.save(tmp_path, largest="100KB")
    names = sorted(path.name for path in tmp_path.glob("model*"))
    assert len(names) > 2 and "model.safetensors" not in names
    assert max(path.stat().st_size for path in tmp_path.glob("model-*")) < 1.1e5
    parts = Inverter.load(tmp_path)
    for own, other in zip(whole.network_.parameters(), parts.network_.parameters(), strict=True):
        assert np.array_equal(own.detach().numpy(), other.detach().numpy())
    (tmp_path / names[0]).unlink()
    with pytest.raises(FileNotFoundError, match=f"{names[0]} is missing"):
        Inverter.load(tmp_path)


def test_a_training_that_was_stopped_goes_on_to_the_same_bits(tmp_path):
    from helpers.inversion import training

    whole = Inverter(**SMALL, epochs=6).fit(TEXTS)
    calls = []

    class Stop(Exception):
        pass

    def stopping(inverter, known):
        loss = _loss(inverter, known)

        def stopped(rows, step):
            calls.append(step)
            if len(calls) == 4:
                raise Stop
            return loss(rows, step)

        return stopped

    _loss, _Checkpoints = training._loss, training.Checkpoints
    parts = Inverter(**SMALL, epochs=6, folder=tmp_path / "kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "Checkpoints", lambda path, **options: _Checkpoints(path, every=0, **options))
        patch.setattr(training, "_loss", stopping)
        with pytest.raises(Stop):
            parts.fit(TEXTS)
        patch.setattr(training, "_loss", _loss)
        parts.fit(TEXTS)
    for own, other in zip(whole.network_.parameters(), parts.network_.parameters(), strict=True):
        assert np.array_equal(own.detach().numpy(), other.detach().numpy())


def test_a_training_does_not_go_on_with_other_vectors_or_other_validation(tmp_path):
    x, held = np.random.default_rng(0).normal(size=(2, 8, 5)).astype(np.float32)
    made = Inverter(**SMALL, epochs=1, folder=tmp_path)
    made.fit(TEXTS, vectors=x, validation=TEXTS[:4], validation_vectors=held[:4])
    made.fit(TEXTS, vectors=x, validation=TEXTS[:4], validation_vectors=held[:4])
    for vectors, validation, others, words in (
        (held, TEXTS[:4], held[:4], r"about vectors digest is \w+ there and \w+ here"),
        (x, TEXTS[:4], x[:4], r"about validation vectors digest is"),
        (x, TEXTS[1:5], held[:4], r"about validation is"),
    ):
        with pytest.raises(ValueError, match=f"holds another run: {words}"):
            made.fit(TEXTS, vectors=vectors, validation=validation, validation_vectors=others)


def test_a_training_does_not_go_on_with_another_encoder_of_the_same_name(tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    from helpers.encoders.extraction import resolve_model

    folder = shutil.copytree(resolve_model("encoders/simcse"), tmp_path / "encoder")
    made = Inverter(**SMALL, encoder=folder, train_encoder=False, epochs=1, folder=tmp_path / "kept").fit(TEXTS)
    made.fit(TEXTS).save(tmp_path / "saved")
    assert Inverter.load(tmp_path / "saved").encode(TEXTS).shape == made.encode(TEXTS).shape
    file = sorted(folder.glob("model*.safetensors"))[0]
    weights = load_file(file)
    name = next(name for name in weights if name.endswith("word_embeddings.weight") or "layer.0" in name)
    save_file(weights | {name: weights[name] * 2}, file, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"holds another run: about weights of the encoder is"):
        made.fit(TEXTS)
    with pytest.raises(ValueError, match=r"saved was trained on the encoder \S*encoder with weights of digest"):
        Inverter.load(tmp_path / "saved")


@pytest.mark.parametrize("decoder", ["prefix", "mamba", "delta", "one_pass", "iterative"])
def test_every_decoder_learns_to_write_of_given_vectors(decoder):
    x = np.random.default_rng(0).normal(size=(8, 5)) * 40 + 7
    made = Inverter(**SMALL, decoder=decoder, epochs=200, batch_tokens=400).fit(TEXTS, vectors=x)
    own = made.score(TEXTS, vectors=x)
    assert own > made.score(TEXTS, vectors=np.roll(x, 1, axis=0)) + 0.2
    with pytest.raises(ValueError, match="trained on vectors and has no encoder"):
        made.encode(TEXTS)


def test_scale_and_place_of_given_vectors_do_not_matter():
    x = np.random.default_rng(0).normal(size=(8, 5))
    a, b = (Inverter(**SMALL, epochs=30).fit(TEXTS, vectors=x * scale + shift) for scale, shift in ((1, 0), (64, 128)))
    # Powers of two: standardised, both are the same numbers but for the rounding of the mean.
    assert a.decode(x) == b.decode(x * 64 + 128)


def test_noise_and_a_variational_term_change_what_is_learned():
    plain = Inverter(**SMALL, epochs=3).fit(TEXTS).encode(TEXTS)
    for option in ({"noise": 1.0}, {"variational": 0.1}, {"smoothing": 0.1}, {"word_dropout": 0.5}):
        assert not np.allclose(Inverter(**SMALL, epochs=3, **option).fit(TEXTS).encode(TEXTS), plain)


def test_a_loss_of_whole_sentences_is_logged_and_reaches_the_encoder():
    plain = Inverter(**SMALL, epochs=3).fit(TEXTS)
    made = Inverter(**SMALL, epochs=3, meaning=5.0).fit(TEXTS)
    assert 0 < made.log_[-1]["meaning"] < 2
    assert not np.allclose(made.encode(TEXTS), plain.encode(TEXTS))


def test_what_is_drawn_sharply_is_read_as_the_tokens_themselves(fitted):
    import torch

    encoder = fitted.network_["encoder"]
    tokens = torch.from_numpy(fitted.tokens_.rows(TEXTS[:1], 20).tokens[0])[None]
    weights = torch.nn.functional.one_hot(tokens, len(fitted.tokens_)).float()
    with torch.inference_mode():
        (states, mask), (mixed, seen) = encoder(tokens), encoder.of_mixtures(weights, tokens != 0)
    # Sums over 64 numbers in single precision, through one layer.
    assert torch.equal(mask, seen) and torch.allclose(states, mixed, atol=1e-4)


def test_of_several_paraphrases_the_likeliest_counts():
    from helpers.inversion.training import Texts, _paraphrased

    made = small_inverter()
    x = made.network_["decoder"]
    known = Texts(made, TEXTS, None, [[TEXTS[0], TEXTS[1]], [], *[[text] for text in TEXTS[2:]]])
    rows = np.array([0, 1])
    vectors = known.vectors(rows, known.tokens(rows)).detach()
    least = float(_paraphrased(x, vectors, known.paraphrases_of(rows)).detach())
    each = [float(x.losses(vectors[:1], known.tokens(np.array([row]))).mean().detach()) for row in (0, 1)]
    assert least == pytest.approx(min(each) / 2, rel=1e-3)  # single precision, after padding; the second text has none
    assert _paraphrased(x, vectors, [[], []]) is None


def test_paraphrases_are_learned():
    pairs = [[TEXTS[row ^ 2]] for row in range(8)]  # the same with rises for falls
    first, later = (Inverter(**SMALL, epochs=n).fit(TEXTS, paraphrases=pairs).log_[-1] for n in (1, 45))
    assert later["paraphrase"] < first["paraphrase"]
    with pytest.raises(ValueError, match="paraphrases has 2 entries for 8 texts"):
        Inverter(**SMALL, epochs=1).fit(TEXTS, paraphrases=pairs[:2])
    with pytest.raises(ValueError, match=r"paraphrases\[1\]\[0\] is blank"):
        Inverter(**SMALL, epochs=1).fit(TEXTS, paraphrases=[[], [" "], *pairs[2:]])
    with pytest.raises(ValueError, match="paraphrases need a decoder among"):
        Inverter(**SMALL, epochs=1, decoder="one_pass").fit(TEXTS, paraphrases=pairs)


def test_the_divergence_draws_vectors_together():
    spreads = [Inverter(**SMALL, epochs=60, pooling="first", variational=v).fit(TEXTS).spread_ for v in (1e-6, 3.0)]
    assert spreads[1] < spreads[0]


def test_validation_is_logged_and_the_best_weights_are_kept():
    made = Inverter(**SMALL, epochs=4).fit(TEXTS, validation=TEXTS[:3])
    assert sum("validation" in row for row in made.log_) >= 4
    assert 0 <= made.log_[-1]["validation_accuracy"] <= 1


def test_a_vector_far_from_those_of_training_is_warned_of(fitted):
    x = fitted.encode(TEXTS)
    x[3] += 40 * fitted.reach_
    with pytest.warns(UserWarning, match=r"1 of 8 vectors lie outside the cloud of training: row 3 is \d+\.\d times"):
        fitted.decode(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.decode(fitted.encode(TEXTS))


def test_texts_that_are_too_long_are_counted_and_warned_of():
    with pytest.warns(UserWarning, match=r"1 of 9 texts are longer than 20 tokens and were truncated.*texts\[8\]"):
        made = Inverter(**SMALL, epochs=1).fit([*TEXTS, "a very long text " * 9])
    assert made.truncated_.tolist() == [8]


def test_samples_are_drawn_by_the_seed_and_leave_torch_as_it_was(fitted):
    import torch

    x = fitted.encode(TEXTS)
    state = torch.random.get_rng_state()
    drawn = [fitted.decode(x * 0, do_sample=True, temperature=3.0) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("texts", "options", "words"),
    [
        ("one string", {}, "texts is one string"),
        ([], {}, "texts is empty"),
        (["a", " "], {}, r"texts\[1\] is blank"),
        (["a", 3], {}, r"texts\[1\] is a int"),
        (["a", "b"], {"vectors": np.ones((3, 2))}, "vectors has 3 rows, and there are 2 texts"),
        (["a", "b"], {"vectors": np.array([[1.0, np.nan], [1, 2]])}, "vectors"),
        (["a", "b"], {"vectors": np.eye(2), "validation": ["c"]}, "without validation_vectors"),
        (["a", "b"], {"validation": ["c"], "validation_vectors": np.ones((1, 2))}, "vectors are missing"),
    ],
)
def test_texts_and_vectors_that_do_not_fit_are_refused(texts, options, words):
    with pytest.raises((ValueError, TypeError), match=words):
        Inverter(**SMALL, epochs=1).fit(texts, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"decoder": "gpt"}, "decoder is 'gpt'"),
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"smoothing": 1.0}, "smoothing is 1.0; a number below 1"),
        ({"word_dropout": 1.0}, "word_dropout is 1.0; a number below 1"),
        ({"noise": -1.0}, "noise"),
        ({"meaning": 1.0, "decoder": "one_pass"}, "meaning is 1.0; it needs encoder='own'"),
        ({"epochs": None}, "neither epochs nor minutes"),
        ({"vocabulary": 100}, "vocabulary"),
        ({"encoder": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_parameters_that_cannot_be_are_refused(options, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        Inverter(**(SMALL | {"epochs": 1} | options)).fit(TEXTS)


def test_vectors_of_another_width_are_refused(fitted):
    with pytest.raises(ValueError, match="vectors have 3 columns; this inverter reads vectors of 12"):
        fitted.decode(np.ones((2, 3)))
    with pytest.raises(ValueError, match="vectors"):
        fitted.decode(np.full((2, 12), np.inf))


def test_a_folder_that_is_no_inverter_is_named(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="is no inverter: inverter.json is missing"):
        Inverter.load(tmp_path)
    folder = fitted.save(tmp_path / "a")
    Inverter(**(SMALL | {"hidden": 96}), epochs=1).fit(TEXTS).save(tmp_path / "b")
    shutil.copy(tmp_path / "b" / "model.safetensors", folder)
    with pytest.raises(ValueError, match="has shape"):
        Inverter.load(folder)


def edited(change):
    """A change of what an inverter says of itself."""

    def spoil(folder):
        about = json.loads((folder / "inverter.json").read_text())
        (folder / "inverter.json").write_text(json.dumps(change(about)))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "inverter.json").write_text("{"), "inverter.json is damaged: Expecting"),
        (edited(lambda about: [about]), "inverter.json is damaged: it holds a list"),
        (edited(lambda about: about | {"format": 99}), "has format 99; 1 is read"),
        (edited(lambda about: {k: v for k, v in about.items() if k != "centre"}), "damaged: it lacks 'centre'"),
        (
            edited(lambda about: about | {"parameters": about["parameters"] | {"later": 1}}),
            "has a parameter 'later', which this version does not know",
        ),
        (lambda folder: (folder / "tokens.json").write_text("{}"), "tokens.json is damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 9), "model.safetensors is truncated or no"),
    ],
)
def test_a_damaged_inverter_is_refused_by_the_name_of_the_file(fitted, tmp_path, spoil, words):
    folder = fitted.save(tmp_path / "copy")
    spoil(folder)
    with pytest.raises(ValueError, match=words):
        Inverter.load(folder)


def test_the_default_widths_have_as_many_parameters_as_the_text_says():
    from helpers.inversion.tokens import TokenTable
    from helpers.inversion.training import build

    class Table(TokenTable):
        def __len__(self):
            return 4000

    made = Inverter(epochs=1)
    made.tokens_ = Table(None)
    build(made, None)
    assert round(sum(weight.numel() for weight in made.network_.parameters()) / 1e6, 1) == 2.5


def test_an_inverter_is_cloned_as_estimators_are(fitted):
    assert clone(fitted).get_params() == fitted.get_params()


MODELS = os.environ.get("BOOK_MODELS")


@pytest.mark.skipif(not MODELS, reason="BOOK_MODELS names no folder of encoders")
def test_a_frozen_encoder_stays_as_it_is_and_is_not_copied(tmp_path):
    import torch
    from transformers import AutoModel

    folder = os.path.join(MODELS, "gte-small")
    made = Inverter(**SMALL, encoder=folder, train_encoder=False, epochs=2).fit(TEXTS)
    stock = AutoModel.from_pretrained(folder, dtype=torch.float32)
    found = made.network_["encoder"].net.state_dict()
    for name, weight in stock.state_dict().items():
        assert name.startswith("pooler.") or torch.equal(found[name], weight)  # it has none, so that it is drawn
    made.save(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 1e6
    assert Inverter.load(tmp_path).encode(TEXTS).shape == (8, 12)
