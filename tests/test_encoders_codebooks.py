"""A quantised autoencoder: what its codes are, what they keep, and what keeps them in use."""

import numpy as np
import pytest

from helpers.encoders.codebooks import QuantisedAutoencoder, code_perplexity


@pytest.fixture(scope="module")
def objects():
    rng = np.random.default_rng(0)
    heaps = 3 * rng.normal(size=(12, 6))
    return heaps[rng.integers(12, size=600)] + 0.3 * rng.normal(size=(600, 6))


def test_perplexity_counts_codes_that_are_used_equally_often():
    assert code_perplexity(np.arange(8)) == pytest.approx(8)
    assert code_perplexity([[0, 0], [0, 1]]) == pytest.approx((1 + 2) / 2)
    with pytest.raises(ValueError, match="whole numbers"):
        code_perplexity([0.5, 1.0])


def test_a_code_that_no_object_takes_stays_where_it_began_unless_it_is_restarted(objects):
    books = {}
    for name, options in {
        "start": {"steps": 0},
        "plain": {"steps": 30},
        "restart": {"steps": 30, "restart": 1},
    }.items():
        model = QuantisedAutoencoder(64, width=4, batch=200, **options).fit(objects)
        books[name] = model.model_["book"]._codebook.embed[0].detach().numpy(), model.encode(objects)
    still = np.all(books["plain"][0] == books["start"][0], axis=1)
    assert still.any() and not np.isin(np.flatnonzero(still), books["plain"][1]).any()
    assert not np.all(books["restart"][0] == books["start"][0], axis=1).any()
    assert code_perplexity(books["restart"][1]) > code_perplexity(books["plain"][1])


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ({"update": "ema", "restart": 1}, 1),
        ({"rotation": True, "entropy": 0.1}, 1),
        ({"n_books": 2}, 2),
        ({"n_books": 2, "books": "product"}, 2),
        ({"whiten": True, "n_experts": 2, "pretraining_steps": 5}, 1),
    ],
)
def test_codes_are_numbers_of_each_book_and_rows_come_back_in_their_units(objects, options, columns):
    model = QuantisedAutoencoder(8, width=4, hidden=(16,), steps=40, **options).fit(objects)
    codes = model.encode(objects)
    assert codes.shape == (600, columns) and codes.min() >= 0 and codes.max() < 8
    back = model.transform(objects)
    off = objects - objects.mean(axis=0)
    kept = 1 - np.mean(((objects - back) / objects.std(axis=0)) ** 2) / np.mean((off / objects.std(axis=0)) ** 2)
    assert model.score(objects) == pytest.approx(kept, abs=1e-5)  # single precision
    assert len(np.unique(back.round(4), axis=0)) <= 8**columns
    assert model.latent(objects).shape == (600, 4)


def test_two_books_keep_more_than_one(objects):
    options = {"width": 4, "start": "kmeans", "steps": 100, "random_state": 1}
    one = QuantisedAutoencoder(4, **options).fit(objects).score(objects)
    two = QuantisedAutoencoder(4, n_books=2, **options).fit(objects).score(objects)
    assert two > one


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "zeros"}, "start is 'zeros'"),
        ({"update": "sgd"}, "update is 'sgd'"),
        ({"n_books": 3, "books": "product"}, "n_books is 3 and width 8"),
        ({"n_codes": 1}, "n_codes is 1"),
        ({"restart": -1}, "restart is -1"),
    ],
)
def test_options_of_books_that_cannot_be_are_named(objects, options, message):
    with pytest.raises(ValueError, match=message):
        QuantisedAutoencoder(**options).fit(objects)
