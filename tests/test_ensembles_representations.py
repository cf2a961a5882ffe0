"""Representations in every form, their rows, and data that are refused."""

import numpy as np
import pandas as pd
import pytest
from spaces import five_layers

from helpers.ensembles import (
    ConcatPCA,
    LastLayer,
    MeanOfLastFour,
    MeanOfLayers,
    OrthogonalProcrustes,
    Representations,
    load_ensemble,
)

layers = pytest.fixture(five_layers)


def test_the_same_representations_in_every_form(layers):
    torch = pytest.importorskip("torch")
    plain = np.stack(list(layers.values()), axis=1)
    expected = MeanOfLayers().fit_transform(layers)
    for form in (
        list(layers.values()),
        plain,
        torch.tensor(plain),
        {name: torch.tensor(x) for name, x in layers.items()},
        {name: pd.DataFrame(x) for name, x in layers.items()},
        Representations(layers),
        Representations(plain)[np.ones(60, dtype=bool)],
    ):
        assert np.allclose(MeanOfLayers().fit_transform(form), expected)
    half = {name: torch.tensor(x).to(torch.bfloat16) for name, x in layers.items()}
    assert LastLayer().fit_transform(half).dtype == np.float32


def test_rows_of_representations_are_selected_as_in_numpy(layers):
    data = Representations(layers)
    assert len(data) == 60 and data.shape == (60, 20)
    for rows in (slice(5, 50, 3), [4, 2, 2], np.arange(60) % 2 == 0, -1):
        twice = data[rows][::-1]
        expected = np.atleast_2d(layers["b"][rows])[::-1]
        assert np.array_equal(twice.block(1), expected)
        assert np.array_equal(data[rows, ...].block(1), expected[::-1])
    with pytest.raises(IndexError, match="only objects"):
        data[:, 0]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({}, ValueError, "empty"),
        (np.ones((3, 4)), TypeError, r"ndarray of shape \(3, 4\); a mapping"),
        ("layers", TypeError, "is a str"),
        ({"a": np.ones(3)}, ValueError, r"'a' has shape \(3,\)"),
        ({"a": np.ones((3, 0))}, ValueError, "neither of them 0"),
        ({"a": np.ones((3, 1)), "b": np.ones((2, 1))}, ValueError, "'b' has 2 rows and 'a' has 3"),
        ({1: np.ones((3, 1)), "1": np.ones((3, 1))}, ValueError, "two representations are called '1'"),
        ({"a": np.array([["x"]])}, TypeError, "'a' has dtype <U1"),
        ({"a": np.array([[1.0], [np.nan]])}, ValueError, r"'a': entry \[1, 0\] is NaN"),
        ({"a": np.array([[np.inf], [1.0]], dtype=np.float32)}, ValueError, r"entry \[0, 0\] is infinite"),
    ],
)
def test_bad_representations_are_named(data, error, message):
    with pytest.raises(error, match=message):
        MeanOfLayers().fit_transform(data)


def test_the_row_of_a_bad_entry_is_that_of_the_array(layers):
    layers["b"][33, 2] = np.nan
    with pytest.raises(ValueError, match=r"'b': entry \[33, 2\] is NaN"):
        MeanOfLayers().fit_transform(Representations(layers)[20:][5:])


def named_frames(orders=("pqr", "pqr"), n=20):
    rng = np.random.default_rng(0)
    return {
        name: pd.DataFrame(rng.normal(size=(n, 3)), columns=list(of)) for name, of in zip("ab", orders, strict=True)
    }


@pytest.mark.parametrize(
    "ensemble", [MeanOfLayers(), ConcatPCA(2), OrthogonalProcrustes()], ids=lambda of: type(of).__name__
)
def test_columns_with_names_are_brought_into_the_order_of_fit(ensemble):
    frames = named_frames()
    fitted = ensemble.fit(frames)
    assert fitted.features_ == {"a": list("pqr"), "b": list("pqr")}
    turned = frames | {"a": frames["a"][["r", "p", "q"]]}
    assert np.array_equal(fitted.transform(turned), fitted.transform(frames))
    assert turned["a"].columns.tolist() == ["r", "p", "q"]
    plain = {name: frame.to_numpy() for name, frame in frames.items()}
    assert np.array_equal(fitted.transform(plain), fitted.transform(frames))
    for other, message in [
        (frames["a"].rename(columns={"p": "z"}), r"'a' lacks \['p'\] and has \['z'\] besides; the columns of fit"),
        (frames["a"][["p", "q", "q"]], r"'a' lacks \['r'\]"),
        (frames["a"][["p", "q", "r", "r"]], "'a' has a column twice"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.transform(frames | {"a": other})


def test_numbered_columns_in_another_order_are_refused_at_fit_and_at_transform():
    frames = {name: frame.set_axis(range(3), axis=1) for name, frame in named_frames().items()}
    turned = frames | {"a": frames["a"][[2, 0, 1]]}
    fitted = ConcatPCA(2).fit(frames)
    for call in (ConcatPCA(2).fit, fitted.transform):
        with pytest.raises(ValueError, match="'a': its columns are numbered 0 to 2 and not in that order"):
            call(turned)
    fitted.transform(turned | {"a": turned["a"].sort_index(axis=1)})
    fitted.transform(frames | {"a": frames["a"].set_axis([7, 5, 6], axis=1)})


def test_columns_of_one_name_are_not_added_to_those_of_another():
    frames = named_frames(("pqr", "qpr"))
    for ensemble in (MeanOfLayers(), MeanOfLastFour(last=2)):
        with pytest.raises(ValueError, match="'a' and 'b' carry the same column names in another order"):
            ensemble.fit(frames)
    ConcatPCA(2).fit(frames)
    MeanOfLayers().fit({name: frame.to_numpy() for name, frame in frames.items()})
    MeanOfLayers().fit(named_frames(("pqr", "xyz")))


def test_names_of_columns_survive_saving(tmp_path):
    frames = named_frames()
    loaded = load_ensemble(MeanOfLayers().fit(frames).save(tmp_path / "mean"))
    turned = {name: frame[["r", "q", "p"]] for name, frame in frames.items()}
    assert np.array_equal(loaded.transform(turned), MeanOfLayers().fit(frames).transform(frames))
    assert MeanOfLayers().fit([frame.to_numpy() for frame in frames.values()]).features_ == {}
