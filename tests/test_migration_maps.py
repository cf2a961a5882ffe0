"""Maps between spaces: what each can represent it finds, and what is saved is what was fitted."""

import json

import numpy as np
import pytest
from tolerance import unit

from helpers.arrays import unit_rows
from helpers.migration import MAPS, LowRankMap, ProcrustesMap, ResidualMap, load_map


def directions(n, p, seed=0):
    return unit_rows(np.random.default_rng(seed).normal(size=(n, p)))


def orthogonal(p, q, seed=1):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(max(p, q), max(p, q))))[0][:p, :q]


@pytest.mark.parametrize("p, q", [(6, 6), (4, 9)])
def test_procrustes_undoes_a_rotation_also_into_a_wider_space(p, q):
    x = directions(60, p)
    y = x @ orthogonal(p, q)
    mapped = ProcrustesMap().fit(x, y).transform(x)
    # The result is stored in single precision; the decomposition is done in double.
    np.testing.assert_allclose(mapped, y, atol=4 * unit("float32"))


def test_procrustes_is_the_best_rotation_that_scipy_finds():
    from scipy.linalg import orthogonal_procrustes

    x, y = directions(80, 5), directions(80, 5, seed=3)
    rotation, _ = orthogonal_procrustes(x - x.mean(0), y - y.mean(0))
    found = ProcrustesMap().fit(x, y).rotation_
    scale = np.linalg.norm(found) / np.linalg.norm(rotation)
    # Both are an SVD of the same 5 × 5 matrix; its singular values differ by far more than rounding.
    np.testing.assert_allclose(found, scale * rotation, atol=1e6 * unit())


def test_the_affine_map_of_full_rank_without_penalty_is_least_squares():
    x, y = directions(100, 6), directions(100, 4, seed=2)
    made = LowRankMap(rank=4, ridge=0.0).fit(x, y)
    design = np.column_stack([x, np.ones(100)])
    expected = np.linalg.lstsq(design, y, rcond=None)[0][:-1]
    condition = np.linalg.cond(design) ** 2  # normal equations
    np.testing.assert_allclose(made.matrix_, expected, atol=100 * condition * unit())


def test_a_map_of_rank_one_is_the_best_of_its_rank():
    rng = np.random.default_rng(5)
    x, y = directions(200, 5), directions(200, 4, seed=2)
    made = LowRankMap(rank=1, ridge=0.0).fit(x, y)
    xc, yc = x - x.mean(0), y - y.mean(0)
    least = np.sum((xc @ made.matrix_ - yc) ** 2)
    assert np.linalg.matrix_rank(made.matrix_) == 1
    for _ in range(200):
        left, right = rng.normal(size=(5, 1)), rng.normal(size=(1, 4))
        right = np.linalg.lstsq(xc @ left, yc, rcond=None)[0]
        assert np.sum((xc @ left @ right - yc) ** 2) >= least


def test_rank_is_chosen_low_where_the_truth_is_low():
    rng = np.random.default_rng(0)
    x = directions(400, 16)
    y = x @ rng.normal(size=(16, 2)) @ rng.normal(size=(2, 16)) + 0.05 * rng.normal(size=(400, 16))
    assert LowRankMap().fit(x, y).rank_ == 2


def test_the_network_learns_what_no_affine_map_can():
    x = directions(600, 4)
    y = np.column_stack([x[:, 0] * x[:, 1], x[:, 2] * x[:, 3], np.abs(x[:, 0]), np.abs(x[:, 2])])
    affine, network = (
        float(np.mean(np.sum(made.fit(x, y).transform(x) * unit_rows(y), axis=1)))
        for made in (LowRankMap(), ResidualMap(hidden=64, epochs=60))
    )
    # The products are odd in each factor, so that their correlation with any affine function is 0.
    assert network > affine + 0.1 * (1 - affine)


def test_the_network_begins_as_the_affine_map():
    x, y = directions(60, 3), directions(60, 3, seed=4)
    made = ResidualMap(hidden=8, epochs=1, learning_rate=0.0).fit(x, y)
    assert not made.out_.any() and len(made.losses_) >= 1


@pytest.mark.parametrize("name", list(MAPS))
def test_a_map_is_loaded_as_it_was_saved(name, tmp_path):
    x, y = directions(60, 5), directions(60, 3, seed=4)
    made = MAPS[name]().fit(x, y)
    loaded = load_map(made.save(tmp_path / "map"))
    assert type(loaded) is type(made) and loaded.get_params() == made.get_params()
    np.testing.assert_array_equal(loaded.transform(x), made.transform(x))
    # float32 rows: a length is off by the rounding of 3 entries.
    np.testing.assert_allclose(np.linalg.norm(made.transform(x).astype(float), axis=1), 1, atol=4 * unit("float32"))


def test_the_length_of_rows_does_not_matter():
    x, y = directions(60, 5), directions(60, 3, seed=4)
    powers = 2.0 ** np.arange(60)[:, None] % 1024 + 1
    one = ProcrustesMap().fit(x, y).transform(x)
    other = ProcrustesMap().fit(x * powers, y / powers).transform(x * 7)
    np.testing.assert_allclose(one, other, atol=1e3 * unit() + 2 * unit("float32"))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda about: about | {"format": 9}, "format 9"),
        (lambda about: about | {"class": "Pickle"}, "class 'Pickle'"),
        (lambda about: about | {"width_in": 7}, "does not fit"),
    ],
)
def test_a_folder_that_is_no_map_is_refused(change, message, tmp_path):
    folder = ProcrustesMap().fit(directions(60, 5), directions(60, 3)).save(tmp_path)
    path = folder / "map.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ValueError, match=message):
        load_map(folder)


def test_bad_rows_are_named():
    x, y = directions(60, 5), directions(60, 3)
    with pytest.raises(ValueError, match="60 rows and y 59"):
        ProcrustesMap().fit(x, y[:59])
    broken = x.copy()
    broken[7] = 0
    with pytest.raises(ValueError, match="x: row 7 is zero"):
        ProcrustesMap().fit(broken, y)
    with pytest.raises(ValueError, match="fitted on rows of width 5"):
        ProcrustesMap().fit(x, y).transform(y)
    with pytest.raises(ValueError, match="rank"):
        LowRankMap(rank=4).fit(x, y)
    with pytest.raises(FileNotFoundError, match="holds no map.json"):
        load_map("nowhere")
