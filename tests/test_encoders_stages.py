"""Encoders learn from pairs in stages: what a batch holds, what falls, what a stop does not change."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.encoders.stages import (
    INSTRUCTIONS,
    STAGES,
    Stage,
    _PairGroups,
    bag_encoder,
    check_stage_data,
    consistent_negatives,
    learn_pieces,
    stage_groups,
    stage_loss,
    train_stage,
    transformer_encoder,
)

THINGS = "кошка собака лошадь корова курица утка мышь белка лиса волк заяц медведь ёжик чайка сова рыба".split()


def pairs_of(kind="title", source="one"):
    rows = [(source, kind, f"{thing} {i}", f"здесь живёт {thing} номер {i}", "") for i in range(4) for thing in THINGS]
    return pd.DataFrame(rows, columns=["source", "kind", "left", "right", "document"])


@pytest.fixture
def bag():
    return bag_encoder(learn_pieces(pairs_of()["right"], 200), 16)


STAGE = Stage(("title",), batch=16, rate=0.02, warmup=2)


def test_pieces_keep_the_letters_that_accents_would_take():
    tokens = learn_pieces(["Ёжик и йод, ёжик и йод."] * 20).encode("Ёжик йод").tokens
    assert "".join(tokens).replace("##", "") == "ёжикйод"
    with pytest.raises(ValueError, match="texts has no words"):
        learn_pieces([])


def test_a_bag_is_the_mean_of_the_vectors_of_its_pieces(bag):
    vectors = bag[0].embedding.weight.detach().numpy()
    ids = bag[0].tokenizer.encode("кошка собака", add_special_tokens=False).ids
    assert bag.encode(["кошка собака"])[0] == pytest.approx(vectors[ids].mean(axis=0), rel=1e-5, abs=1e-7)  # single
    assert (bag_encoder(bag[0].tokenizer, 16).encode(["кошка"]) == bag.encode(["кошка"])).all()


def test_a_batch_is_of_one_source_and_kind_and_says_no_text_twice():
    often = pairs_of("summary", "two").assign(left=lambda t: t["left"].str.split().str[0])  # each word four times
    groups = _PairGroups(pd.concat([pairs_of(), often]), Stage(("title", "summary"), batch=16), "ru", None)
    kinds = set()
    for seed in range(20):
        batch = groups.batch(np.random.default_rng(seed))
        kinds.add(batch["kind"])
        for side in ("left", "right"):
            assert len(set(batch[side])) == len(batch[side])
    assert kinds == {"title", "summary"}


def test_what_no_batch_can_be_made_of_is_counted():
    few, same = pairs_of("summary", "one")[:15], pairs_of("title", "two").assign(left="одно и то же")
    across = pairs_of("title", "one+two")
    groups = stage_groups(
        pd.concat([pairs_of(), few, same, across, pairs_of("synonym")]), Stage(("title", "summary"), batch=16)
    )
    told = groups.set_index(["source", "kind"]).apply(tuple, axis=1).to_dict()
    assert told == {
        ("across", "title"): (64, True),
        ("one", "summary"): (15, False),
        ("one", "title"): (64, True),
        ("two", "title"): (64, False),
    }


@pytest.mark.parametrize("kind, other", [("title", 1), ("paraphrase", 0)])
def test_instructions_stand_before_both_sides(kind, other):
    groups = _PairGroups(pairs_of(kind), Stage((kind,), batch=8, instructions=True), "ru", None)
    batch = groups.batch(np.random.default_rng(0))
    assert all(text.startswith(INSTRUCTIONS["ru"][0]) for text in batch["left"])
    assert all(text.startswith(INSTRUCTIONS["ru"][other]) for text in batch["right"])


def test_the_right_one_of_a_batch_is_found_after_training(bag):
    def found():
        rows = pairs_of().iloc[:16]
        left, right = (bag.encode(list(rows[side])) for side in ("left", "right"))
        left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right))
        return ((left @ right.T).argmax(axis=1) == np.arange(16)).mean()

    trained = train_stage(bag, pairs_of(), STAGE, steps=80)
    assert trained.done and trained.step == 80 and found() == 1
    assert trained.losses["contrastive"] < trained.log[0]["contrastive"] or len(trained.log) == 1


def test_the_contrastive_loss_is_the_cross_entropy_of_cosines_in_both_directions(bag):
    groups = _PairGroups(pairs_of(), STAGE, "ru", None)
    batch = groups.batch(np.random.default_rng(0))
    left, right = (torch.nn.functional.normalize(torch.tensor(bag.encode(batch[side]))) for side in ("left", "right"))
    logits, target = left @ right.T / STAGE.temperature, torch.arange(16)
    expected = sum(torch.nn.functional.cross_entropy(side, target) for side in (logits, logits.T)) / 2
    with torch.no_grad():
        assert float(stage_loss(bag, STAGE)(batch)["loss"]) == pytest.approx(float(expected), rel=1e-4)  # single


@pytest.mark.parametrize("losses", [("contrastive",), ("angle",), ("contrastive", "angle", "cosent")])
def test_losses_are_those_of_the_library_on_whole_columns_and_no_text_is_encoded_more_often_than_needed(
    bag, losses, monkeypatch
):
    from sentence_transformers.sentence_transformer import losses as library

    stage = Stage(("title",), losses=losses, batch=16, rate=0.02, warmup=2)
    batch = _PairGroups(pairs_of(), stage, "ru", None).batch(np.random.default_rng(0))
    positive = np.arange(12) % 3 == 0
    batch |= {"text": [f"{t} не спит" for t in THINGS[:12]], "changed": [f"{t} спит" for t in THINGS[:12]]}
    batch |= {"positive": positive}
    sides = [batch["left"] * 2 + batch["text"], batch["right"] * 2 + batch["changed"]]
    sides[1][16:32] = batch["right"][1:] + batch["right"][:1]
    labels = torch.tensor([1.0] * 16 + [0.0] * 16 + positive.astype(float).tolist())
    wrong = [[batch[side][i] for i in np.flatnonzero(~positive)] for side in ("text", "text", "changed")]
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    scale = {"scale": 1 / stage.temperature}
    expected = {
        "contrastive": (
            library.MultipleNegativesRankingLoss(bag, **scale, **both),
            (batch["left"], batch["right"]),
            None,
        ),
        "changed": (library.MultipleNegativesRankingLoss(bag, **scale), wrong, None),
        "angle": (library.AnglELoss(bag), sides, labels),
        "cosent": (library.CoSENTLoss(bag), sides, labels),
    }
    n_encoded, preprocess = [], bag.preprocess
    with torch.no_grad():
        of = {n: float(f([preprocess(s) for s in columns], y)) for n, (f, columns, y) in expected.items()}
        monkeypatch.setattr(bag, "preprocess", lambda texts: n_encoded.append(len(texts)) or preprocess(texts))
        found = stage_loss(bag, stage)(batch)
    named = set(losses) | ({"changed"} if "contrastive" in losses else set())
    assert set(found) == named | {"loss"}
    for name in named:
        assert float(found[name]) == pytest.approx(of[name], rel=1e-4)  # single precision
    assert float(found["loss"]) == pytest.approx(sum(of[name] for name in named), rel=1e-4)
    # both sides of 16 pairs; made pairs, all or the 8 wrong ones; these once more for contrast
    made = 2 * (8 if losses == ("contrastive",) else 12)
    assert sum(n_encoded) == 2 * 16 + made + (8 if "contrastive" in losses else 0)


@pytest.mark.parametrize("losses", [("contrastive",), ("angle",), ("contrastive", "cosent")])
def test_negatives_made_on_purpose_end_farther_away_than_without_them(losses):
    made = pd.DataFrame(
        {"text": [f"{t} не спит" for t in THINGS], "changed": [f"{t} спит" for t in THINGS], "positive": False}
    )
    pieces = learn_pieces(pairs_of()["right"], 200)
    stage = Stage(("title",), losses=losses, batch=16, rate=0.02, warmup=2)

    def near(negatives):
        model = bag_encoder(pieces, 16)
        trained = train_stage(model, pairs_of(), stage, steps=40, negatives=negatives)
        one, two = (model.encode(list(made[side])) for side in ("text", "changed"))
        cosines = (one * two).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
        return cosines.mean(), set(trained.losses)

    (there, parts), (without, _) = near(made), near(None)
    assert there < without
    assert parts == {"loss", *losses} | ({"changed"} if "contrastive" in losses else set())


def test_a_stage_that_was_stopped_goes_on_to_the_same_weights(tmp_path):
    pieces = learn_pieces(pairs_of()["right"], 200)
    whole = bag_encoder(pieces, 16)
    train_stage(whole, pairs_of(), STAGE, steps=12, folder=tmp_path / "whole")
    sittings = 0
    while True:
        model = bag_encoder(pieces, 16)  # another process begins with new weights
        trained = train_stage(model, pairs_of(), STAGE, steps=12, folder=tmp_path / "parts", pause_after=0)
        sittings += 1
        if trained.done:
            break
    assert sittings > 1
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), model.parameters(), strict=True))
    with pytest.raises(ValueError, match="rate"):
        train_stage(model, pairs_of(), Stage(("title",), batch=16, rate=0.01), steps=12, folder=tmp_path / "parts")


def test_a_budget_of_minutes_ends_a_stage(bag):
    trained = train_stage(bag, pairs_of(), STAGE, minutes=0.005)
    assert trained.done and trained.stopped == "minutes" and trained.step >= 1


def test_a_transformer_gives_the_mean_over_its_tokens(tmp_path):
    from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

    pieces = learn_pieces(pairs_of()["right"], 200)
    tokenizer = BertTokenizerFast(vocab=pieces.get_vocab(), do_lower_case=True, strip_accents=False)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = transformer_encoder(tmp_path)
    states = AutoModel.from_pretrained(tmp_path).eval()(
        **AutoTokenizer.from_pretrained(tmp_path)(["лиса и волк"], return_tensors="pt")
    )
    expected = states.last_hidden_state.mean(dim=1).detach().numpy()
    assert model.encode(["лиса и волк"]) == pytest.approx(expected, rel=1e-4, abs=1e-5)  # single precision
    assert train_stage(model, pairs_of(), STAGE, steps=2).step == 2
    with pytest.raises(FileNotFoundError, match="config.json is missing"):
        transformer_encoder(tmp_path / "absent")


def test_the_stages_of_the_recipe_split_pairs_by_symmetry():
    from helpers.pairs import HEURISTICS

    assert all(HEURISTICS[kind].symmetric for kind in STAGES["symmetric"].kinds)
    assert not any(HEURISTICS[kind].symmetric for kind in STAGES["asymmetric"].kinds)
    assert STAGES["asymmetric"].instructions and "angle" in STAGES["symmetric"].losses


def test_every_kind_of_pairs_is_in_a_stage_of_its_symmetry():
    from helpers.pairs import HEURISTICS

    by = {True: set(), False: set()}
    for kind, heuristic in HEURISTICS.items():
        by[heuristic.symmetric].add(kind)
    assert set(STAGES["symmetric"].kinds) == by[True] and set(STAGES["asymmetric"].kinds) == by[False]
    assert {"query", "question"} <= set(STAGES["query and passage"].kinds)


@pytest.mark.parametrize(
    "left, right, some",
    [
        ("aaaa", "wxyz", False),
        ("abcd", "xxxx", False),
        ("aab", "xyx", True),  # the second and the third, though neither beside the first
        ("abcd", "wxyz", True),
    ],
)
def test_a_group_is_learned_from_if_some_two_of_its_pairs_are_negatives_of_each_other(left, right, some):
    pairs = pd.DataFrame({"source": "one", "kind": "title", "left": [*left], "right": [*right]})
    stage = Stage(("title",), batch=2)
    if not some:
        with pytest.raises(ValueError, match="some two of one source must differ on both sides"):
            _PairGroups(pairs, stage, "ru", None)
        return
    groups = _PairGroups(pairs, stage, "ru", None)
    for seed in range(30):
        batch = groups.batch(np.random.default_rng(seed))
        assert len(set(batch["left"])) == len(set(batch["right"])) == len(batch["left"]) == 2


def test_a_batch_is_drawn_again_where_nearly_all_pairs_share_a_side(bag):
    left, right = ["общее"] * 400 + ["другое"], [f"текст {i}" for i in range(401)]
    pairs = pd.DataFrame({"source": "one", "kind": "title", "left": left, "right": right})
    groups = _PairGroups(pairs, Stage(("title",), batch=4), "ru", None)
    for seed in range(20):
        assert sorted(groups.batch(np.random.default_rng(seed))["left"]) == ["другое", "общее"]
    with pytest.raises(ValueError, match="batch has 1 pairs; two at least"):
        stage_loss(bag, STAGE)({"left": ["кошка"], "right": ["собака"]})


def made_of(*rows):
    return pd.DataFrame(rows, columns=["text", "changed", "positive"])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"left": " "}, "pairs has ' ' for left in row 5; a text is needed"),
        ({"right": None}, "pairs has None for right in row 5; a text is needed"),
        ({"right": float("nan")}, "pairs has nan for right in row 5"),
        ({"left": "Кошка", "right": "кошка "}, "pairs has one text for left and right in row 5: 'Кошка'"),
        ({"source": None}, "pairs has None for source in row 5; a text is needed"),
        ({"kind": "titel"}, "pairs has the kind 'titel' in row 5; there are 'title'"),
    ],
)
def test_pairs_that_teach_nothing_are_refused_by_their_row(bag, change, message):
    pairs = pairs_of().set_index(np.arange(64) + 100)  # rows are counted, whatever they are called
    for name, value in change.items():
        pairs[name] = pairs[name].astype(object)
        pairs.iloc[5, pairs.columns.get_loc(name)] = value
    with pytest.raises(ValueError, match=re.escape(message)):
        train_stage(bag, pairs, STAGE, steps=1)


@pytest.mark.parametrize(
    "made, message",
    [
        (made_of(("Лес", "сад", False), ("Лес", "лес", False)), "negatives has one text for text and changed in row 1"),
        (made_of(("Лес", "лес ", True)), "negatives has one text for text and changed in row 0"),
        (made_of(("Лес", "", False)), "negatives has '' for changed in row 0"),
        (made_of(("Лес", "Сад", "no")), "negatives has 'no' for positive in row 0; it is True or False"),
        (
            made_of(("а", "б", True), ("Лес", "Сад", True), ("лес", "сад", False)),
            "in the rows 1 and 2, as positive and",
        ),
        (
            made_of(("здесь живёт лиса номер 0", "лиса 0", False)),
            "as a negative in row 0 what is a pair in row 8 of pairs",
        ),
        (
            made_of(("Лес", "Сад", False)).drop(columns="positive"),
            "negatives has no column 'positive'; its columns are",
        ),
        (made_of(), "negatives has no rows; None stands for no negatives"),
    ],
)
def test_negatives_that_say_the_opposite_are_refused_by_their_row(bag, made, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        train_stage(bag, pairs_of(), STAGE, steps=1, negatives=made)


def test_rules_that_contradict_a_pair_or_each_other_are_left_out():
    pairs = pairs_of().assign(left=lambda t: t["left"].str.upper())
    made = made_of(
        ("здесь живёт лиса номер 0", "лиса 0 ", False),  # a pair, turned round
        ("Лес", "лес ", False),
        ("Сад", "Парк", True),
        ("сад", "парк", False),
        ("лиса 0", "Здесь живёт лиса номер 0", True),
        ("Лес", "Роща", False),
    )
    kept = consistent_negatives(made, pairs)
    assert kept.index.tolist() == [4, 5]
    check_stage_data(pairs, kept)
    for row in range(4):
        with pytest.raises(ValueError, match="negatives has"):
            check_stage_data(pairs, made.iloc[[row, 2 if row == 3 else 3]])


def test_a_table_without_a_column_of_pairs_is_refused_by_its_name(bag):
    with pytest.raises(ValueError, match="pairs has no column 'source', 'left'; its columns are 'kind', 'right'"):
        train_stage(bag, pairs_of()[["kind", "right"]], STAGE, steps=1)


def test_labels_that_are_zero_and_one_count(bag):
    check_stage_data(pairs_of(), made_of(("Лес", "Сад", 1), ("Лес", "Дом", 0)))


def test_bad_stages_are_refused(bag):
    for arguments, message in (
        ({"kinds": ("nothing",)}, "kinds has 'nothing'"),
        ({"kinds": ("title",), "losses": ("best",)}, "losses is"),
        ({"kinds": ("title",), "batch": 1}, "batch is 1"),
        ({"kinds": ("title",), "temperature": 0}, "temperature is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            Stage(**arguments)
    with pytest.raises(ValueError, match=r"no source has 128 pairs of one of the kinds 'title'.*64 of them"):
        train_stage(bag, pairs_of(), Stage(("title",)), steps=1)
    with pytest.raises(ValueError, match="minutes and steps are both missing"):
        train_stage(bag, pairs_of(), STAGE)
    with pytest.raises(ValueError, match="stage is 'last'"):
        train_stage(bag, pairs_of(), "last", steps=1)
    with pytest.raises(ValueError, match="language is 'de'"):
        train_stage(bag, pairs_of(), STAGE, steps=1, language="de")
