"""Crossed fields: clicks of known chance are learned, tables have the shapes that are asked for."""

import numpy as np
import pytest

from helpers.encoders.fields import CrossedFields, information_abundance


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(30, 2)), rng.normal(size=(40, 2))
    x = np.column_stack([rng.integers(30, size=6000), rng.integers(40, size=6000), rng.integers(2, size=6000)])
    logit = 3 * np.sum(users[x[:, 0]] * items[x[:, 1]], axis=1)
    return x, (rng.random(6000) < 1 / (1 + np.exp(-logit))).astype(int)


def test_abundance_counts_directions_of_equal_length():
    assert information_abundance(np.eye(5)) == pytest.approx(5)
    assert information_abundance(np.ones((4, 3))) == pytest.approx(1)
    with pytest.raises(ValueError, match="table is zero"):
        information_abundance(np.zeros((4, 3)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_tables": 2, "crossing": "matrix", "regularise": 0.1},
        {"crossing": "experts", "n_experts": 2},
        {"decorrelate": 0.01, "entropy": 0.001},
        {"loss": "align_uniform", "batch": 256},
    ],
)
def test_clicks_are_learned_whatever_is_asked_besides(log, options):
    from sklearn.metrics import roc_auc_score

    x, y = log
    model = CrossedFields(4, steps=150, **options).fit(x[:5000], y[:5000])
    assert [table.shape for table in model.tables_] == [(30, 4), (40, 4), (2, 4)]
    # By chance the area under the curve of 1000 rows is 1/2 with a deviation of 0.018.
    assert roc_auc_score(y[5000:], model.decision_function(x[5000:])) > 0.5 + 5 * 0.018
    chances = model.predict_proba(x[5000:])
    assert np.allclose(chances.sum(axis=1), 1) and (chances >= 0).all()


def test_the_logit_is_the_sum_of_the_crossings_of_all_tables(log):
    x, y = log
    model = CrossedFields(4, n_tables=2, steps=3).fit(x, y)
    e = [table[x[:, f]].astype(float) for f, table in enumerate(model.tables_)]
    crossed = np.sum(e[0] * e[1] + e[0] * e[2] + e[1] * e[2], axis=1)
    alone = sum(one.weight.detach().numpy()[x[:, f], 0] for f, one in enumerate(model.model_.single))
    by_hand = model.model_.bias.item() + alone + crossed
    assert np.allclose(model.decision_function(x), by_hand, atol=1e-6)  # single precision, sums of about 1


def test_training_begins_with_given_tables(log):
    x, y = log
    start = [np.full((30, 4), 0.5), None, None]
    assert np.allclose(CrossedFields(4, start=start, steps=0).fit(x, y).tables_[0], 0.5)


def test_orthogonal_crossings_are_what_the_regularisation_leaves(log):
    x, y = log
    off = []
    for weight in (0.0, 10.0):
        model = CrossedFields(4, crossing="matrix", regularise=weight, steps=100).fit(x, y).model_
        m = model.matrices[0, :, 0].detach().numpy()
        off.append(float(np.sum((m.transpose(0, 2, 1) @ m - np.eye(4)) ** 2)))
    assert off[1] < off[0] / 10


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[0, -1], [1, 1]], [0, 1], "whole numbers from 0 on"),
        ([[0.5, 1.0], [1.0, 1.0]], [0, 1], "dtype float64"),
        ([[0, 1], [1, 1]], [0, 2], "0 or 1 for each of 2 rows"),
        ([[0, 1], [1, 1]], [1, 1], "y is 1 in all rows"),
    ],
)
def test_bad_fields_and_clicks_are_named(x, y, message):
    with pytest.raises(ValueError, match=message):
        CrossedFields(2).fit(np.array(x), np.array(y))


def test_values_that_were_not_fitted_and_options_that_cannot_be_are_named(log):
    x, y = log
    with pytest.raises(ValueError, match="fitted were"):
        CrossedFields(2, steps=1).fit(x, y).predict_proba(x + 100)
    with pytest.raises(ValueError, match="n_tables is 3 and width 4"):
        CrossedFields(4, n_tables=3).fit(x, y)
    with pytest.raises(ValueError, match="crossing is 'sum'"):
        CrossedFields(4, crossing="sum").fit(x, y)
    with pytest.raises(ValueError, match=r"start\[0\] has shape \(1, 2\)"):
        CrossedFields(width=4, start=[np.zeros((1, 2))]).fit(x, y)
