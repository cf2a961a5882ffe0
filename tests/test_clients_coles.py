"""CoLES runs learn from training clients only, repeat exactly, are resumed, and fail alone."""

import nbformat
import numpy as np
import pandas as pd
import pytest

from helpers.clients import coles, load, read, simulate, split
from helpers.runs import parameters_of

TINY = {"features": ["category", "amount"], "hidden": 8, "epochs": 1, "slices": 2, "shortest": 3, "longest": 6}


@pytest.fixture(scope="module")
def clients():
    return simulate(60, events=(8, 14), seed=0)


@pytest.fixture(scope="module")
def parts(clients):
    return split(clients)


@pytest.fixture(scope="module")
def embedded(clients, parts):
    return coles.embed(clients, parts, **TINY)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(coles, "ROOT", tmp_path)
    return tmp_path


def test_every_client_has_a_row_and_every_epoch_a_loss(clients, embedded):
    assert embedded.embeddings.shape == (60, 8) and embedded.embeddings.index.equals(clients.target.index)
    assert (embedded.embeddings.dtypes == np.float32).all() and len(embedded.losses) == 1
    assert set(embedded.seconds) == {"prepare", "import", "train", "encode"}


def test_a_seed_repeats_a_run_exactly_and_leaves_the_random_state_alone(clients, parts, embedded):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = coles.embed(clients, parts, **TINY)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    pd.testing.assert_frame_equal(again.embeddings, embedded.embeddings)
    other = coles.embed(clients, parts, **TINY, seed=1)
    assert not np.allclose(other.embeddings, embedded.embeddings)


def test_training_sees_no_target_and_no_client_of_another_part(clients, parts, embedded):
    """Whatever the others did, and whatever anybody's age is, the training clients are embedded alike."""
    events = clients.events.copy()
    outside = ~events["client"].map(parts).eq("train")
    events.loc[outside, "amount"] *= 1000
    events["category"] = events["category"].astype(object).where(~outside, "unheard of").astype("category")
    changed = type(clients)(events, 3 - clients.target)
    again = coles.embed(changed, parts, **TINY)
    trained = (parts == "train").to_numpy()
    pd.testing.assert_frame_equal(again.embeddings[trained], embedded.embeddings[trained])
    assert not np.allclose(again.embeddings[~trained], embedded.embeddings[~trained])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_every_feature_and_both_cells_train(clients, parts, cell):
    options = {"cell": cell, "features": list(coles.FEATURES), "projector": 4, "noise": 0.1, "epochs": 2}
    found = coles.embed(clients, parts, **TINY | options)
    assert np.isfinite(found.embeddings).all(axis=None) and len(found.losses) == 2


def test_a_diverging_run_is_told(clients, parts):
    with pytest.raises(FloatingPointError, match="the training diverged"):
        coles.embed(clients, parts, **TINY, learning_rate=1e30)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ["age"]}, "name some of category, amount, channel"),
        ({"features": []}, "name some of"),
        ({"cell": "rnn"}, "cell is 'rnn'"),
        ({"hidden": 0}, "hidden is 0; a whole number, at least 1"),
        ({"projector": -1}, "projector is -1; a whole number, at least 0"),
        ({"shortest": 9}, "shortest is 9 and longest 6"),
        ({"noise": -0.1}, "noise is -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(clients, parts, options, message):
    with pytest.raises(ValueError, match=message):
        coles.embed(clients, parts, **TINY | options)
    with pytest.raises(ValueError, match="there are 0 training clients"):
        coles.embed(clients, parts.replace("train", "test"), **TINY)


def test_data_without_channels_have_four_features(clients):
    table = clients.events.drop(columns="channel")
    assert coles.features_of(read(table, min_events=1)) == ("category", "amount", "weekday", "monthday")


# What is drawn


def test_settings_are_drawn_from_the_whole_space_and_repeat():
    drawn = [coles.draw(experiment, model) for experiment in range(17) for model in range(6)]
    assert drawn == [coles.draw(experiment, model) for experiment in range(17) for model in range(6)]
    for name, values in coles.SPACE.items():
        assert {point[name] for point in drawn} == set(values), name
    assert {feature for point in drawn for feature in point["features"]} == set(coles.FEATURES)
    assert {len(point["features"]) for point in drawn} == {1, 2, 3, 4, 5}
    assert not [point for point in drawn if set(point["features"]) <= {"weekday", "monthday"}]
    assert len({coles.training_seed(e, m) for e in range(17) for m in range(6)}) == 102
    assert coles.draw(0, 0, seed=1) != coles.draw(0, 0)


def test_a_fixed_setting_leaves_the_others_as_drawn():
    assert coles.draw(3, 1, fixed={"cell": "lstm", "epochs": 9}) == coles.draw(3, 1) | {"cell": "lstm", "epochs": 9}
    with pytest.raises(ValueError, match="width is no setting"):
        coles.draw(0, 0, fixed={"width": 3})
    with pytest.raises(ValueError, match=r"features \['channel'\] are not in these data"):
        coles.draw(0, 0, features=["category"], fixed={"features": ["channel"]})


def test_the_worker_takes_every_setting_and_leaves_it_to_be_drawn():
    known = parameters_of(coles.WORKER)
    assert set(coles.SPACE) | {"features", "experiment", "model", "seed", "source", "options"} <= set(known)
    assert all(parameter.help for name, parameter in known.items() if name not in ("experiment", "model", "seed"))
    code = [cell for cell in nbformat.read(coles.WORKER, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs]


# What is kept


def test_what_is_saved_is_read_again(clients, parts, embedded, elsewhere):
    for model in (0, 1):
        coles.save(embedded, parts, clients.target, experiment=2, model=model, out="s", cell="gru", features=["amount"])
    found = coles.read_sweep("s")
    assert list(found.embeddings) == [(2, 0), (2, 1)]
    pd.testing.assert_frame_equal(found.embeddings[2, 1], embedded.embeddings)
    assert found.part[2].tolist() == parts.tolist() and found.target[2].tolist() == clients.target.tolist()
    assert found.runs.loc[(2, 0), ["cell", "losses", "features"]].tolist() == ["gru", embedded.losses, ["amount"]]
    only = pd.DataFrame({"experiment": [2, 2], "model": [0, 1], "status": ["done", "failed"]})
    assert list(coles.read_sweep("s", only=only).embeddings) == [(2, 0)]
    coles.save(None, parts, clients.target, experiment=2, model=0, out="s")
    assert list(coles.read_sweep("s").embeddings) == [(2, 1)]
    with pytest.raises(FileNotFoundError, match=r"no embeddings in .* of the runs \[\(2, 0\)\]"):
        coles.read_sweep("s", only=only)


def test_runs_of_one_experiment_must_have_the_same_clients(clients, parts, embedded, elsewhere):
    coles.save(embedded, parts, clients.target, experiment=0, model=0, out="s")
    coles.save(embedded, split(clients, experiment=1), clients.target, experiment=0, model=1, out="s")
    with pytest.raises(ValueError, match="model=1.parquet has other clients, parts or targets"):
        coles.read_sweep("s")


def test_a_name_of_a_sweep_is_no_path():
    with pytest.raises(ValueError, match="out is 'a/b'; it is a plain name"):
        coles.runs(1, 1, out="a/b")


@pytest.mark.slow
def test_a_sweep_keeps_what_is_done_and_isolates_what_diverges(tmp_path):
    """In fresh kernels, on a file of transactions that is named by parameters alone."""
    simulated = load("simulated", n_clients=40, events=(8, 10))
    table = simulated.events.merge(simulated.target, left_on="client", right_index=True)
    table.rename(columns={"client": "who", "time": "day"}).to_csv(tmp_path / "events.csv", index=False)
    shared = {
        "source": str(tmp_path / "events.csv"),
        "options": {"client": "who", "time": "day", "channel": "channel", "min_events": 8},
        "n_clients": 0,
        "out": "test-sweep",
        "epochs": 1,
        "features": ["category", "amount"],
    }
    try:
        fine = coles.sweep(1, 1, **shared)
        assert fine["status"].tolist() == ["done"], fine["error"].tolist()
        both = coles.sweep(1, 1, **shared), coles.sweep(1, [1], **shared, learning_rate=1e30)
        assert [table["status"].item() for table in both] == ["kept", "failed"]
        assert "FloatingPointError: the training diverged" in both[1]["error"].item()
        found = coles.read_sweep("test-sweep", only=pd.concat(both))
        assert list(found.embeddings) == [(0, 0)] and found.embeddings[0, 0].shape == (40, 64)
    finally:
        for folder in ("runs", "embeddings"):
            for path in (coles.ROOT / "_build" / folder / "test-sweep").glob("experiment=0_model=*"):
                path.unlink()


@pytest.mark.slow
def test_a_good_model_is_as_good_as_on_the_public_data_and_below_the_ideal():
    """Four ages, accuracy about 0.6, where an ideal observer reaches about 0.7."""
    from helpers.clients import ideal_posterior, score

    clients = simulate(2000, seed=0)
    parts = split(clients)
    features = ["category", "amount", "channel", "weekday", "monthday"]
    found = coles.embed(clients, parts, features=features, learning_rate=0.005)
    held_out = parts.replace("validation", "test")
    accuracy = score(found.embeddings, clients.target, held_out, scorer="logistic").accuracy
    ideal = ideal_posterior(clients, features).max(axis=1).mean()
    assert 0.55 < accuracy < 0.65 and 0.64 < ideal < 0.74 and accuracy < ideal
