"""The whole recipe of a sentence encoder: what a line of the ablation leaves out, stops, merging, folders, cards."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tolerance
import torch
from tokenizers import Tokenizer

from helpers.encoders import universal
from helpers.encoders.encoder_folders import load_sentence_encoder, save_sentence_encoder
from helpers.encoders.kept_back import corpus_without, split_examples
from helpers.encoders.recipes import Recipe
from helpers.encoders.stages import learn_pieces
from helpers.encoders.universal import (
    LINES,
    Bag,
    StagedRecipe,
    example_losses,
    train_sentence_encoder,
)
from helpers.pairs import EvaluationTexts, PairCorpus

THINGS = "кошка собака лошадь корова курица утка мышь белка лиса волк заяц медведь ёжик чайка сова рыба".split()
PLACES = "лес дом сад".split()
ENGLISH = "cat dog horse cow hen duck mouse squirrel fox wolf hare bear hedgehog gull owl fish".split()


def made_up():
    """A corpus in which each thing lives in three places: titles, summaries, neighbours and translations."""
    rows = [
        ("one", kind, f"{start} {thing} {place}", f"{end} {thing} близко {place}", f"{thing} {place}")
        for kind, start, end in (("title", "где", "здесь"), ("summary", "кто", "там"), ("neighbour", "вот", "и"))
        for thing in THINGS
        for place in PLACES
    ]
    rows += [
        ("two", "translation", f"это {t} {p}", f"{english} in {there}", "")
        for t, english in zip(THINGS, ENGLISH, strict=True)
        for p, there in zip(PLACES, ("forest", "house", "garden"), strict=True)
    ]
    pairs = pd.DataFrame(rows, columns=["source", "kind", "left", "right", "document"])
    told = pairs[pairs["kind"] != "translation"]
    text = told[["source", "document", "right"]].set_axis(["source", "document", "text"], axis=1)
    none = pd.Series(dtype=int)
    return PairCorpus(text.reset_index(drop=True), pairs, none, {"one": "CC0-1.0", "two": "MIT"})


CORPUS = made_up()
SMALL = StagedRecipe(Bag(120, 12), steps=(6, 5, 4), batch=16, rate=0.02)
WORDS = Recipe(
    objective="roberta",
    tokenizer="wordpiece",
    strip_accents=False,
    language="ru",
    stages=((1, 0.003),),
    hidden=16,
    heads=2,
    vocabulary=300,
    length=32,
    paragraph=14,
    batch=256,
    held_out=0.2,
)


def weights(model):
    return [weight.detach() for weight in model.parameters()]


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(two), strict=True))


def from_line(line, **more):
    return StagedRecipe(**{"base": Bag(120, 12), "steps": (6, 5, 4), "batch": 16, "rate": 0.02} | LINES[line] | more)


@pytest.mark.parametrize(
    "line, stages, first",
    [
        ("whole", ["query and passage", "symmetric", "asymmetric"], "запрос: "),
        ("without instructions", ["query and passage", "symmetric", "asymmetric"], ""),
        ("without AnglE", ["query and passage", "symmetric", "asymmetric"], "запрос: "),
        ("without splitting and merging", ["query and passage", "both"], "запрос: "),
        ("without stage 1", ["symmetric", "asymmetric"], "запрос: "),
    ],
)
def test_a_line_of_the_ablation_leaves_out_what_it_says(line, stages, first, tmp_path):
    recipe = from_line(line)
    assert [*recipe.stages()] == stages
    trained = train_sentence_encoder(tmp_path / "out", CORPUS, recipe)
    assert trained.done and trained.instruction == first
    assert [*trained.stages.index] == stages and trained.stages["steps"].sum() == (9 if "stage 1" in line else 15)
    assert ("angle" in recipe.stages()[stages[-1 if "splitting" in line else -2]].losses) == (line != "without AnglE")
    assert len(trained.merged) == (0 if "splitting" in line else 3)


def test_lines_that_begin_alike_train_a_stage_once(tmp_path):
    said = []
    for line in ("whole", "without AnglE"):
        train_sentence_encoder(tmp_path / line, CORPUS, from_line(line), shared=tmp_path / "shared")
        said.append({path.name for path in (tmp_path / "shared").iterdir() if path.is_dir()})
    whole, both = said
    assert len(whole) == 4 and len(both - whole) == 1  # the base, three stages; another symmetric one


def test_the_merged_encoder_is_the_weighted_mean_of_three(tmp_path):
    trained = train_sentence_encoder(tmp_path, CORPUS, SMALL)
    parents = [load_sentence_encoder(place) for place in trained.stages["folder"]]
    shares = trained.merged["weight"].to_numpy()
    losses = trained.merged["loss"].to_numpy()
    powers = np.exp(-losses / SMALL.cocktail)
    assert shares == pytest.approx(powers / powers.sum(), rel=tolerance.apart(3))
    expected = sum(share * weights(model)[0].double() for share, model in zip(shares, parents, strict=True))
    found = weights(trained.model)[0].double()
    assert (found - expected).abs().max() <= tolerance.apart(3, "float32") * expected.abs().max()
    choosing, scoring = split_examples(CORPUS.pairs, SMALL.examples)
    told, other = (example_losses(parents[0], part, SMALL, "ru")["loss"].mean() for part in (choosing, scoring))
    assert losses[0] == pytest.approx(told, rel=1e-6) != pytest.approx(other, rel=1e-6)  # single


def test_a_recipe_that_was_stopped_goes_on_to_the_same_weights(tmp_path):
    whole = train_sentence_encoder(tmp_path / "whole", CORPUS, SMALL)
    sittings = 0
    while not (trained := train_sentence_encoder(tmp_path / "parts", CORPUS, SMALL, pause_after=0)).done:
        assert trained.model is None
        sittings += 1
    assert sittings > 2 and same(whole.model, trained.model)


def test_models_may_share_their_beginning_and_differ_by_their_batches(tmp_path):
    options = {"shared": tmp_path / "shared"}
    one = train_sentence_encoder(tmp_path / "one", CORPUS, SMALL, rng=1, **options)
    other = train_sentence_encoder(tmp_path / "other", CORPUS, SMALL, rng=2, base_rng=1, **options)
    assert one.stages["folder"].iloc[0] == other.stages["folder"].iloc[0]
    assert one.stages["folder"].iloc[1] != other.stages["folder"].iloc[1]
    far = train_sentence_encoder(tmp_path / "far", CORPUS, SMALL, rng=2, **options)
    pieces = [load_sentence_encoder(tmp_path / name)[0].tokenizer.get_vocab() for name in ("one", "far")]
    assert pieces[0] == pieces[1] and not same(one.model, far.model)


def test_nothing_learns_from_pairs_that_were_kept_back_or_from_texts_near_them(tmp_path, monkeypatch):
    told, made = [], [(f"{t} не живёт тут", f"{t} живёт тут", False) for t in THINGS]
    _, scoring = kept = split_examples(CORPUS.pairs, SMALL.examples)
    made += [(f"{text}!", f"совсем не {text}", False) for text in scoring["left"]]
    made = pd.DataFrame(made, columns=["text", "changed", "positive"])

    def watched(model, pairs, stage, **options):
        told.extend([*pairs["left"], *pairs["right"]])
        told.extend([] if options["negatives"] is None else options["negatives"]["text"])
        return train_stage(model, pairs, stage, **options)

    def paragraphs(table, **options):
        told.extend(table["text"])
        return table_of_paragraphs(table, **options)

    train_stage, table_of_paragraphs = universal.train_stage, universal.table_of_paragraphs
    monkeypatch.setattr(universal, "train_stage", watched)
    monkeypatch.setattr(universal, "table_of_paragraphs", paragraphs)
    recipe = StagedRecipe(WORDS, steps=(2, 2, 2), batch=16)
    train_sentence_encoder(tmp_path / "out", CORPUS, recipe, negatives=made)
    asked = EvaluationTexts([text for part in kept for side in ("left", "right") for text in part[side]])
    assert any(asked.find(text) for text in CORPUS.paragraphs["text"]) and "лиса не живёт тут" in told
    assert not any(asked.find(text) for text in told)
    train_sentence_encoder(tmp_path / "bag", CORPUS, SMALL)
    (file,) = (tmp_path / "bag" / "stages").glob("pieces-*.json")
    left = corpus_without(CORPUS, *kept)
    english = left.pairs["right"][left.pairs["kind"] == "translation"]
    expected = learn_pieces([*left.paragraphs["text"], *english[: len(left.paragraphs) // 5]], 120)
    assert Tokenizer.from_file(str(file)).get_vocab() == expected.get_vocab()


def test_labels_of_negatives_decide_which_stage_it_is(tmp_path):
    made = pd.DataFrame(
        {"text": ["дождь шёл"] * 2, "changed": ["дождь не шёл", "ливень шёл"], "positive": [False, True]}
    )
    places = [
        train_sentence_encoder(tmp_path / str(i), CORPUS, SMALL, negatives=one, shared=tmp_path / "shared").stages[
            "folder"
        ]
        for i, one in enumerate((made, made.assign(positive=False)))
    ]
    assert [a == b for a, b in zip(*places, strict=True)] == [True, False, False]


def test_a_pair_of_no_use_is_refused_before_anything_is_trained(tmp_path):
    pairs = CORPUS.pairs.copy()
    pairs.loc[7, "right"] = pairs.loc[7, "left"]
    with pytest.raises(ValueError, match="pairs has one text for left and right in row 7"):
        train_sentence_encoder(tmp_path / "out", replace(CORPUS, pairs=pairs), SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("line", ["whole", "without pre-training"])
def test_a_transformer_begins_with_masked_words_or_without(line, tmp_path):
    recipe = StagedRecipe(WORDS, steps=(2, 2, 2), batch=16, **LINES[line])
    trained = train_sentence_encoder(tmp_path / "out", CORPUS, recipe, shared=tmp_path / "shared")
    assert trained.done and trained.stages.loc["masked words", "steps"] > 0
    vectors = trained.model.encode(["ёжик и сова", "лес"])
    assert vectors.shape == (2, 16) and np.isfinite(vectors).all()
    random = [path for path in (tmp_path / "shared").iterdir() if path.name.startswith("random")]
    assert len(random) == (line == "without pre-training")
    tokens = trained.model.tokenizer.convert_ids_to_tokens(trained.model.tokenizer("ёж йод")["input_ids"])
    assert "".join(tokens).replace("##", "") == "[CLS]ёжйод[SEP]"
    again = train_sentence_encoder(tmp_path / "out", CORPUS, recipe, shared=tmp_path / "shared")
    assert same(again.model, trained.model)


@pytest.mark.parametrize("largest", [None, 0.002])
def test_a_folder_holds_half_precision_and_is_read_in_single(largest, tmp_path):
    model = train_sentence_encoder(tmp_path / "out", CORPUS, SMALL).model
    place = save_sentence_encoder(model, tmp_path / "saved", largest=largest)
    again = load_sentence_encoder(place)
    half = [weight.half().float() for weight in weights(model)]
    assert all(torch.equal(a, b) for a, b in zip(half, weights(again), strict=True))
    files = sorted(place.glob("*.safetensors"))
    assert (len(files) > 1) == (largest is not None)
    if largest is None:
        save_sentence_encoder(again, place)  # over itself
        return
    assert max(path.stat().st_size for path in files) <= 1e6 * largest + 200  # a header stands before the numbers
    files[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"has no model-00002-of"):
        load_sentence_encoder(place)


def test_the_card_names_language_licences_and_what_was_trained(tmp_path):
    told = {"text": ["дождь шёл"] * 3, "changed": ["дождь не шёл"] * 3, "positive": False}
    _, scoring = split_examples(CORPUS.pairs, SMALL.examples)
    made = pd.concat(
        [pd.DataFrame(told), pd.DataFrame({"text": scoring["left"], "changed": "дождь", "positive": False})]
    )
    trained = train_sentence_encoder(tmp_path, CORPUS, SMALL, negatives=made)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    told = ["language: ru", "| one | CC0-1.0 |", "| two | MIT |", CORPUS.digest, "and 3 texts that were changed"]
    told += ["| symmetric | 5 |", f"{trained.merged['weight'].iloc[0]:.3f}", "base: pieces | 120", "`запрос: `"]
    for words in told:
        assert words in card


def test_bad_recipes_are_refused(tmp_path):
    for arguments, message in (
        ({"base": "bert"}, "base is 'bert'"),
        ({"base": Recipe(objective="simcse")}, "base has the objective 'simcse'"),
        ({"without": ("nothing",)}, "without has 'nothing'"),
        ({"steps": (1, 2)}, r"steps is \(1, 2\)"),
        ({"minutes": (1, 0, 1)}, r"minutes is \(1, 0, 1\)"),
        ({"examples": 3}, "examples is 3"),
        ({"cocktail": 0}, "cocktail is 0"),
        ({"english": 1}, "english is 1"),
        ({"batch": 1}, "batch is 1"),
    ):
        with pytest.raises(ValueError, match=message):
            StagedRecipe(**arguments)
    with pytest.raises(ValueError, match="pieces is 9"):
        Bag(9)
    with pytest.raises(ValueError, match="no kind has two"):
        example_losses(train_sentence_encoder(tmp_path, CORPUS, SMALL).model, CORPUS.pairs[:1], SMALL, "ru")
    transformer = type("Other", (torch.nn.Sequential,), {"save": lambda self, place, **_: None})(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="largest is given"):
        save_sentence_encoder(transformer, tmp_path / "other", largest=1)
    with pytest.raises(FileNotFoundError, match="config.json is missing"):
        load_sentence_encoder(tmp_path / "absent")
