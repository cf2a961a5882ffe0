"""Fitted ensembles written, read in another process, and refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from helpers import ensembles
from helpers.ensembles import (
    QP,
    BestLayer,
    BestUnsupervised,
    CentredLast,
    ClusterPCA,
    ConcatPCA,
    Ensemble,
    GeneralizedProcrustes,
    Greedy,
    GreedyReplacement,
    LastLayer,
    MaskedQP,
    MeanOfLastFour,
    MeanOfLayers,
    MultisetCCA,
    OrthogonalProcrustes,
    QPSelectionPCA,
    QualityReplacement,
    ScalarMix,
    SharedAutoencoder,
    SharedLinearAutoencoder,
    WhitenedLast,
    load_ensemble,
)

ALL = [
    LastLayer(normalize="unit"),
    CentredLast(),
    WhitenedLast(0.5, width=2),
    BestLayer(normalize="standardize"),
    BestUnsupervised("stable_rank"),
    MeanOfLayers(last=3, align="pad"),
    MeanOfLastFour(align="pad"),
    ConcatPCA(3),
    QP(align="pad"),
    QPSelectionPCA(width=3),
    ClusterPCA(2, width=3, align="pad", normalize="center"),
    Greedy(2, align="pad"),
    MaskedQP(lam=1, solver="slsqp", align="pad"),
    ScalarMix(align="pad"),
    GreedyReplacement(0.6, gain="inverse", schedule="halving", capped=False, steps=2),
    QualityReplacement(0.3, 0.8),
    OrthogonalProcrustes(mix="qp"),
    GeneralizedProcrustes(4),
    MultisetCCA(3),
    SharedLinearAutoencoder(2, ridge=1),
    SharedAutoencoder(3, hidden=5, epochs=3),
]
NAMES = ["first", "layer 2", "größte/ñ", "last"]


def rows(n, seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return {name: (rng.normal(size=(n, 3 + i)) + i).astype(dtype) for i, name in enumerate(NAMES)}


def fitted(ensemble, seed=0):
    return ensemble.fit(rows(60, seed), np.arange(60) % 2, quality=[0.4, 0.6, 0.5, 0.55])


def test_every_ensemble_is_tried():
    public = {value for value in vars(ensembles).values() if isinstance(value, type) and issubclass(value, Ensemble)}
    assert {type(ensemble) for ensemble in ALL} == public - {Ensemble}


def test_every_ensemble_gives_the_same_in_another_process(tmp_path):
    new = rows(17, 1)
    np.savez(tmp_path / "new.npz", *new.values())
    for i, ensemble in enumerate(ALL):
        fitted(ensemble).save(tmp_path / str(i))
    code = f"""
import numpy as np
from helpers.ensembles import load_ensemble
new = dict(zip({NAMES!r}, np.load("new.npz").values(), strict=True))
np.savez("out.npz", *(load_ensemble(str(i)).transform(new) for i in range({len(ALL)})))
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=300)
    with np.load(tmp_path / "out.npz") as out:
        for ensemble, there in zip(ALL, out.values(), strict=True):
            here = ensemble.transform(new)
            assert there.dtype == here.dtype
            np.testing.assert_allclose(there, here, rtol=0, atol=near(here, new), err_msg=str(ensemble))


def near(found, layers):
    """Another process may cut the rows otherwise: sums over all features, of the type of the result."""
    terms = sum(x.shape[1] for x in layers.values())
    return tolerance.apart(terms, found.dtype) * max(np.abs(found).max(), *(np.abs(x).max() for x in layers.values()))


@pytest.mark.parametrize("ensemble", ALL, ids=lambda ensemble: type(ensemble).__name__)
def test_what_was_learnt_comes_back(tmp_path, ensemble):
    loaded = load_ensemble(fitted(ensemble).save(tmp_path / "e"))
    assert repr(loaded) == repr(ensemble)
    assert vars(loaded).keys() == vars(ensemble).keys()
    for name, value in vars(ensemble).items():
        np.testing.assert_equal(vars(loaded)[name], value, err_msg=name)
    pd.testing.assert_series_equal(loaded.weights_, ensemble.weights_)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(st.text(min_size=1, max_size=8).filter(str.isprintable), min_size=2, max_size=4, unique=True),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([None, "center", "standardize", "unit"]),
    st.integers(0, 99),
)
def test_any_names_and_dtypes_go_round(tmp_path_factory, names, dtype, normalize, seed):
    rng = np.random.default_rng(seed)
    layers = {name: rng.normal(size=(12, 3)).astype(dtype) for name in names}
    ensemble = ConcatPCA(2, normalize=normalize).fit(layers)
    loaded = load_ensemble(ensemble.save(tmp_path_factory.mktemp("saved") / "e"))
    found = ensemble.transform(layers)
    np.testing.assert_allclose(loaded.transform(layers), found, rtol=0, atol=near(found, layers))


def test_the_description_says_what_it_is(tmp_path):
    folder = fitted(QP(align="pad")).save(tmp_path / "deep" / "qp")
    said = json.loads((folder / "ensemble.json").read_text())
    assert said["format"] == 1 and said["class"] == "QP" and said["names"] == NAMES and said["widths"] == [3, 4, 5, 6]
    assert said["fitted_on"]["rows"] == 60 and len(said["fitted_on"]["digest"]) == 64
    assert said["versions"]["numpy"] == np.__version__ and sum(said["weights"].values()) == pytest.approx(1)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"] and len(list((tmp_path / "deep").iterdir())) == 1


def test_the_digest_tells_data_apart(tmp_path):
    digests = [fitted(QP(align="pad"), seed).fitted_on_["digest"] for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]
    folder = fitted(QP(align="pad")).save(tmp_path / "e", digest="my digest")
    assert load_ensemble(folder).fitted_on_["rows"] == 60
    assert json.loads((folder / "ensemble.json").read_text())["fitted_on"]["digest"] == "my digest"


def test_functions_are_named_and_not_saved(tmp_path):
    ensemble = BestLayer(quality=lambda x, y: float(x.mean())).fit(rows(20, 0))
    folder = ensemble.save(tmp_path / "e")
    assert json.loads((folder / "ensemble.json").read_text())["unsaved"] == ["quality"]
    loaded = load_ensemble(folder)
    assert loaded.quality is None and loaded.used_ == ensemble.used_
    np.testing.assert_array_equal(loaded.quality_, ensemble.quality_)


def test_labelled_parameters_go_round(tmp_path):
    quality = pd.Series([0.1, 0.4, 0.3, 0.2], index=NAMES)
    similarity = pd.DataFrame(np.eye(4), index=NAMES, columns=NAMES)
    loaded = load_ensemble(QP(quality=quality, similarity=similarity, align="pad").fit(rows(9, 0)).save(tmp_path / "e"))
    pd.testing.assert_series_equal(loaded.quality, quality)
    pd.testing.assert_frame_equal(loaded.similarity, similarity)
    assert loaded.fit(rows(9, 0)).used_ == ["layer 2", "größte/ñ"]


def test_other_names_widths_or_order_are_refused(tmp_path):
    loaded = load_ensemble(fitted(ConcatPCA(3)).save(tmp_path / "e"))
    new = rows(5, 1)
    with pytest.raises(ValueError, match=r"representations are \['last', .*; expected \['first', 'layer 2', .*order"):
        loaded.transform(dict(reversed(new.items())))
    with pytest.raises(ValueError, match=r"expected \['first', 'layer 2', 'größte/ñ', 'last'\]"):
        loaded.transform({**{name: new[name] for name in NAMES[:3]}, "lst": new["last"]})
    with pytest.raises(ValueError, match="'last' is 5 wide; expected 6, as in fit"):
        loaded.transform({**new, "last": new["last"][:, :5]})


def test_nothing_is_overwritten_unasked(tmp_path):
    ensemble = fitted(LastLayer())
    folder = ensemble.save(tmp_path / "e")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        ensemble.save(folder)
    fitted(CentredLast()).save(folder, overwrite=True)
    assert isinstance(load_ensemble(folder), CentredLast)
    mine = tmp_path / "mine"
    mine.mkdir()
    ensemble.save(mine)
    shutil.rmtree(mine)
    mine.mkdir()
    (mine / "thesis.tex").write_text("years")
    for target in (mine, mine / "thesis.tex"):
        with pytest.raises(FileExistsError, match="no saved ensemble"):
            ensemble.save(target, overwrite=True)
    assert (mine / "thesis.tex").read_text() == "years"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e", "mine"]


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "savez", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        fitted(LastLayer()).save(tmp_path / "e")
    assert not list(tmp_path.iterdir())


def test_unfitted_and_foreign_ensembles_are_refused(tmp_path):
    with pytest.raises(NotFittedError):
        LastLayer().save(tmp_path / "e")

    class Mine(LastLayer):
        pass

    with pytest.raises(TypeError, match="Mine is not an ensemble"):
        fitted(Mine()).save(tmp_path / "e")


def changed(folder, **entries):
    path = folder / "ensemble.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def test_damage_and_newer_versions_are_refused(tmp_path):
    whole = fitted(ConcatPCA(3)).save(tmp_path / "whole")

    def copy(name):
        return shutil.copytree(whole, tmp_path / name)

    with pytest.raises(FileNotFoundError, match=r"no saved ensemble: it has no ensemble\.json"):
        load_ensemble(tmp_path)
    flipped = copy("flipped") / "arrays.npz"
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    (copy("absent") / "arrays.npz").unlink()
    for name in ("flipped", "absent"):
        with pytest.raises(ValueError, match=r"arrays\.npz is not the file that was saved"):
            load_ensemble(tmp_path / name)
    cut = copy("cut") / "ensemble.json"
    cut.write_bytes(cut.read_bytes()[:-100])
    changed(copy("newer"), format=2)
    changed(copy("class"), **{"class": "Path"})
    changed(copy("kind"), state={"mixing_": {"pickle": "gASV"}})
    for name, words in (
        ("cut", "cannot be loaded"),
        ("newer", "format 2 is newer than 1"),
        ("class", "class 'Path' is not known"),
        ("kind", "unknown kind 'pickle'"),
    ):
        with pytest.raises(ValueError, match=words):
            load_ensemble(tmp_path / name)


def test_pickles_among_the_arrays_are_never_loaded(tmp_path):
    folder = fitted(LastLayer()).save(tmp_path / "e")
    np.savez(folder / "arrays.npz", mixing_=np.array([{"code": 1}], dtype=object), _weights=np.ones(4))
    import hashlib

    changed(folder, arrays=hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest())
    with pytest.raises(ValueError, match="cannot be loaded: Object arrays cannot be loaded"):
        load_ensemble(folder)
