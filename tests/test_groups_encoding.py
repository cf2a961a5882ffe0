"""The encoder of groups: every loss trains, a seed decides, bad input is named, an interruption changes nothing."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from tolerance import inner

from helpers.groups import LEARNED, LOSSES, READOUTS, GroupEncoder, centroid
from helpers.groups.alphabets import draw_alphabets, groups_of, rotated
from helpers.groups.evaluation import within_between

N_CLASSES, N_GROUPS, N_ITEMS = 4, 3, 8


@pytest.fixture(scope="module")
def data():
    """Classes that differ in four of twenty features, the other sixteen being louder noise."""
    rng = np.random.default_rng(0)
    y = np.repeat(list("abcd"), N_GROUPS * N_ITEMS)
    groups = np.repeat([f"{name}{i}" for name in "abcd" for i in range(N_GROUPS)], N_ITEMS)
    x = rng.normal(size=(len(y), 20)) * np.repeat([1.0, 3.0], [4, 16])
    x[:, :4] += 3 * (y[:, None] == np.array(list("abcd")))
    return x, y, groups


def encoder(**options):
    return GroupEncoder(**({"steps": 60, "width": 16, "hidden": (32,), "batch_items": 4, "random_state": 0} | options))


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "none"])
def test_every_loss_brings_groups_of_a_class_nearer_than_before(data, loss):
    x, y, groups = data
    options = {"options": {"n_groups": 8, "regroup_every": 20}} if loss == "momentum_groups" else {}
    classes = np.repeat(list("abcd"), N_GROUPS)
    ratio = {
        name: within_between(encoder(loss=name, **kept).fit(x, y, groups).transform(x, groups), classes).ratio.mean()
        for name, kept in (("none", {}), (loss, options))
    }
    assert ratio[loss] < ratio["none"]


@pytest.mark.parametrize("readout", LEARNED)
@pytest.mark.parametrize("loss", ["group_group", "group_item"])
def test_learned_readouts_are_trained_and_give_groups_of_all_sizes_unit_vectors(data, readout, loss):
    x, y, groups = data
    fitted = encoder(loss=loss, readout=readout, width=16).fit(x, y, groups)
    assert fitted.score(x, y, groups) == 1
    sizes = np.repeat(np.arange(12), [1, 2, 3, 30, 5, 6, 7, 8, 9, 10, 11, 4])
    found = fitted.transform(x, sizes)
    assert found.shape == (12, 16)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=16 * inner(16))
    alone = fitted.transform(x[:1], ["only"])
    np.testing.assert_allclose(alone, found[:1], atol=64 * inner(64, "float32"))  # whatever it was padded with
    np.testing.assert_allclose(fitted.transform_items(x[:1]), alone, atol=64 * inner(64, "float32"))


@pytest.mark.parametrize("readout", READOUTS)
def test_fixed_readouts_are_those_of_the_library_on_the_items(data, readout):
    x, y, groups = data
    fitted = encoder(loss="none", readout=readout).fit(x, y, groups)
    np.testing.assert_array_equal(fitted.transform(x, groups), READOUTS[readout](fitted.embed(x), groups).vectors)


def test_the_same_seed_gives_the_same_vectors_and_leaves_other_streams_alone(data):
    state = torch.get_rng_state()
    one, again, other = (encoder(steps=5, random_state=seed).fit(*data).embed(data[0]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("loss", ["group_item", "momentum_groups"])
def test_an_interrupted_training_goes_on_to_the_same_vectors(data, tmp_path, monkeypatch, loss):
    from helpers.groups import objectives

    options = {"steps": 12, "loss": loss}
    if loss == "momentum_groups":
        options["options"] = {"n_groups": 6, "regroup_every": 5}
    whole = encoder(**options).fit(*data)
    kind = objectives.MomentumGroups if loss == "momentum_groups" else objectives.Objective
    after, calls = kind.after_step, []

    def stop(self, *args):
        calls.append(args[-1])
        if len(calls) == 8:
            raise KeyboardInterrupt
        return after(self, *args)

    from helpers import training

    real = training.Checkpoints
    monkeypatch.setattr(training, "Checkpoints", lambda path, **kept: real(path, every=0, **kept))
    monkeypatch.setattr(kind, "after_step", stop)
    with pytest.raises(KeyboardInterrupt):
        encoder(folder=tmp_path / "run", **options).fit(*data)
    again = encoder(folder=tmp_path / "run", **options).fit(*data)
    assert calls[-1] == 12 and 8 <= len(calls) < 20  # it did not begin again
    np.testing.assert_array_equal(again.embed(data[0]), whole.embed(data[0]))


def test_an_encoder_can_be_cloned_pickled_and_given_another_readout(data):
    fitted = encoder(steps=3).fit(*data)
    vectors = fitted.transform(data[0], data[2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(data[0], data[2]), vectors)
    assert clone(fitted).get_params() == fitted.get_params()
    medoids = fitted.set_params(readout="medoid").transform(data[0], data[2])
    assert medoids.shape == vectors.shape and not np.array_equal(medoids, vectors)


def test_a_fixed_readout_may_follow_a_learned_one_and_not_the_other_way_round(data):
    x, y, groups = data
    fitted = encoder(steps=2, readout="attention").fit(x, y, groups).set_params(readout="centroid")
    np.testing.assert_array_equal(fitted.transform(x, groups), centroid(fitted.embed(x), groups).vectors)
    with pytest.raises(ValueError, match="readout is 'deep_sets', which is learned, and the encoder was fitted with"):
        fitted.set_params(readout="deep_sets").transform(x, groups)
    with pytest.raises(ValueError, match="readout is 'mode'; it is one of"):
        fitted.set_params(readout="mode").transform_items(x)


def test_images_pass_through_convolutions():
    drawn = rotated(draw_alphabets(2, characters=3, drawers=3, rng=0))
    groups = groups_of(drawn)
    fitted = encoder(steps=3, channels=4).fit(drawn.images, drawn.alphabet, groups)
    assert fitted.transform(drawn.images, groups).shape == (8, 16)
    assert any(isinstance(module, torch.nn.Conv2d) for module in fitted.network_.modules())
    with pytest.raises(ValueError, match=r"items of shape \(28, 27\); expected \(28, 28\)"):
        fitted.embed(drawn.images[:, :, 1:])


def test_a_network_of_ones_own_is_trained(data):
    own = torch.nn.Linear(20, 16)
    before = own.weight.detach().clone()
    fitted = encoder(encoder=lambda: own, steps=2).fit(*data)
    assert fitted.network_ is own and not torch.equal(own.weight, before)


def test_groups_by_rows_are_the_same_as_groups_by_labels(data):
    x, y, groups = data
    rows = {name: np.flatnonzero(groups == name) for name in sorted(set(groups))}
    one, other = (encoder(steps=3).fit(x, y, which).transform(x, which) for which in (groups, rows))
    np.testing.assert_array_equal(one, other)


def test_a_group_of_one_works(data):
    x, y, groups = data
    groups = np.array(groups.tolist(), dtype="U8")
    groups[0] = "alone"
    fitted = encoder(steps=3).fit(x, y, groups)
    # Single precision: some sixteen roundings.
    np.testing.assert_allclose(fitted.transform(x[:1], groups[:1])[0], fitted.embed(x[:1])[0], rtol=1e-6)


def test_classes_that_training_never_saw_are_scored(data):
    x, y, groups = data
    seen = np.isin(y, ["a", "b"])
    fitted = encoder(steps=40).fit(x[seen], y[seen], groups[seen])
    assert 0 <= fitted.score(x[~seen], y[~seen], groups[~seen]) <= 1
    assert fitted.transform(x[~seen], groups[~seen]).shape == (6, 16)
    assert fitted.classes_.tolist() == ["a", "b"]


def test_a_class_with_one_group_is_named_or_halved(data):
    x, y, groups = data
    merged = np.where(y == "c", "c-only", groups)
    with pytest.raises(ValueError, match="class 'c' has one group, 'c-only'; loss 'group_item' compares two"):
        encoder().fit(x, y, merged)
    assert encoder(steps=3, single_group="halve").fit(x, y, merged).transform(x, merged).shape == (10, 16)
    assert encoder(steps=3, loss="info_nce").fit(x, y, merged).transform(x, merged).shape == (10, 16)
    with pytest.raises(ValueError, match="class 'c' has one group"):
        encoder(loss="none").fit(x, y, merged).score(x, y, merged)


def broken(x, y, groups, what):
    x, y, groups = x.copy(), y.astype(object), groups.astype(object)
    if what == "nan":
        x[5, 3] = np.nan
    elif what == "huge":
        x[5, 3] = 1e300
    elif what == "two classes":
        y[1] = "b"
    elif what == "mixed groups":
        groups[4] = 7
    elif what == "mixed classes":
        y[4] = 7
    elif what == "missing class":
        y[4] = None
    elif what == "short":
        groups = groups[:-1]
    elif what == "overlap":
        groups = {"one": [0, 1, 2], "two": [2, *range(3, len(x))]}
    elif what == "empty":
        groups = {"one": list(range(len(x))), "two": []}
    elif what == "one class":
        y[:] = "a"
    elif what == "flat":
        x = x[:, 0]
    return x, y, groups


@pytest.mark.parametrize(
    "what, words",
    [
        ("nan", r"x\[5, 3\] is NaN"),
        ("huge", r"x\[5, 3\] is 1e\+300, beyond single precision"),
        ("two classes", "group 'a0' has items of class 'a' and, in row 1, of 'b'"),
        ("mixed groups", r"groups\[0\] is 'a0' \(text\) and groups\[4\] is 7 \(number\)"),
        ("mixed classes", r"y\[0\] is 'a' \(text\) and y\[4\] is 7 \(number\)"),
        ("missing class", r"y\[4\] is missing"),
        ("short", "one label for each of the 96 items"),
        ("overlap", "item 2 stands in 'one' and in 'two'"),
        ("empty", r"groups\['two'\] has no item"),
        ("one class", "y is 'a' in all rows"),
        ("flat", r"x has shape \(96,\)"),
    ],
)
def test_bad_input_is_named(data, what, words):
    with pytest.raises((TypeError, ValueError), match=words):
        encoder(steps=1).fit(*broken(*data, what))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"loss": "softmax"}, "loss is 'softmax'; it is one of 'group_item'"),
        ({"readout": "mode"}, "readout is 'mode'; it is one of 'centroid'"),
        ({"readout": "attention", "loss": "triplet"}, "readout 'attention' is learned, and loss 'triplet' trains none"),
        ({"training_readout": "trimmed_mean"}, "training_readout is 'trimmed_mean'"),
        ({"single_group": "drop"}, "single_group is 'drop'"),
        ({"steps": -1}, "steps is -1"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"encoder": "resnet"}, "encoder is 'resnet'"),
        ({"loss": "momentum_groups", "options": {"n_groups": 97}}, "n_groups is 97, and x has 96 items"),
    ],
)
def test_parameters_out_of_range_are_named(data, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        encoder(**options).fit(*data)
