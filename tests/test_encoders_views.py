"""An encoder trained on two views: it learns what views share, and collapses if nothing drives objects apart."""

import numpy as np
import pytest

from helpers.encoders.views import VIEW_LOSSES, ViewEncoder, noisy_views
from helpers.quality import mean_cosine


@pytest.fixture(scope="module")
def objects():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 4)) @ rng.normal(size=(4, 10)) + 0.05 * rng.normal(size=(300, 10))


@pytest.mark.parametrize("loss", VIEW_LOSSES)
def test_objects_stay_apart_unless_alignment_is_all_that_is_asked(objects, loss):
    x = ViewEncoder(loss, width=8, hidden=(16,), steps=80, batch=128).fit(objects).transform(objects)
    assert x.shape == (300, 8) and x.dtype == np.float32
    assert (mean_cosine(x) > 0.9) == (loss == "alignment")


def test_the_same_seed_gives_the_same_encoder_and_another_seed_another(objects):
    one, same, other = (
        ViewEncoder("vicreg", width=3, steps=5, random_state=seed).fit(objects).transform(objects) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same) and not np.allclose(one, other)


def test_second_views_that_are_given_are_used(objects):
    moved = objects + 100.0
    encoder = ViewEncoder("info_nce", width=3, steps=3).fit(objects, moved)
    assert encoder.log_[-1]["loss"] > 0
    assert np.array_equal(
        encoder.transform(objects), ViewEncoder(width=3, steps=3).fit(objects, moved).transform(objects)
    )
    assert not np.allclose(encoder.transform(objects), ViewEncoder(width=3, steps=3).fit(objects).transform(objects))


def test_experts_teacher_entropy_and_pretraining_are_parts_of_one_training(objects):
    options = {"width": 4, "hidden": (8,), "steps": 4}
    plain = ViewEncoder("vicreg", **options).fit(objects)
    more = ViewEncoder("vicreg", n_experts=3, teacher=0.9, entropy=0.1, pretraining_steps=4, **options).fit(objects)
    assert more.n_parameters_ > 3 * plain.n_parameters_
    assert np.isfinite(more.transform(objects)).all()


def test_noise_has_the_width_that_is_asked_for():
    import torch

    a, b = noisy_views([0.0, 2.0])(torch.zeros(4000, 2), np.random.default_rng(0))
    assert float(a[:, 0].abs().max()) == 0
    # The standard deviation of n normal numbers is off by 1 / sqrt(2n) of itself; five of these.
    assert float(b[:, 1].std()) == pytest.approx(2, rel=5 / np.sqrt(8000))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "triplet"}, "loss is 'triplet'"),
        ({"teacher": 1.0}, "teacher is 1.0"),
        ({"entropy": -1}, "entropy is -1"),
        ({"activation": "gelu"}, "activation is 'gelu'"),
        ({"batch": 1}, "batch is 1"),
    ],
)
def test_options_that_cannot_be_are_named(objects, options, message):
    with pytest.raises(ValueError, match=message):
        ViewEncoder(**options).fit(objects)


def test_bad_rows_and_views_are_named(objects):
    with pytest.raises(ValueError, match=r"y has shape \(5, 10\)"):
        ViewEncoder().fit(objects, objects[:5])
    with pytest.raises(ValueError, match="x"):
        ViewEncoder().fit(np.where(objects > 3, np.nan, objects))
    with pytest.raises(ValueError, match="x has 9 features; expected 10"):
        ViewEncoder(steps=1).fit(objects).transform(objects[:, 1:])
    with pytest.raises(ValueError, match="scale is -1"):
        noisy_views(-1)
