"""CoLES runs learn from training clients only, repeat exactly, are resumed, and fail alone."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest
from tolerance import apart, long_sum

from helpers.book.runs import Run, parameters_of, read_parameters
from helpers.clients import coles, load_clients, read, score, simulate, split
from helpers.locations import ROOT
from helpers.studies.sweep import WORKER, check_sweep, read_sweep, save_run, score_runs, sweep_runs, train_sweep

TINY = {"features": ["category", "amount"], "hidden": 8, "epochs": 1, "slices": 2, "shortest": 3, "longest": 6}


@pytest.fixture(scope="module")
def clients():
    return simulate(60, events=(8, 14), rng=0)


@pytest.fixture(scope="module")
def parts(clients):
    return split(clients)


@pytest.fixture(scope="module")
def embedded(clients, parts):
    return coles.embed(clients, parts, **TINY)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.studies.sweep.ROOT", tmp_path)
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
    other = coles.embed(clients, parts, **TINY, rng=1)
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


def test_histories_and_targets_of_test_clients_decide_no_embedding_of_others_and_no_choice(clients, parts):
    """From the events to what is chosen on validation clients, with histories and classes of test clients permuted."""
    from helpers.studies.combining import compare_methods
    from helpers.studies.replacing import replacing_methods

    test = parts.index[parts == "test"]
    turned = dict(zip(test, np.roll(test, 1), strict=True))
    events = clients.events.assign(client=clients.events["client"].map(lambda client: turned.get(client, client)))
    events = events.sort_values("client", kind="stable", ignore_index=True)
    target = clients.target.copy()
    target[test] = (3 - target[test]).to_numpy()
    assert not events.equals(clients.events) and not target.equals(clients.target)

    def everything(population):
        models = {
            str(seed): coles.embed(population, parts, **TINY | {"features": [name]}, rng=seed).embeddings
            for seed, name in enumerate(("category", "amount", "channel"))
        }
        methods = partial(replacing_methods, ps=[0.2, 0.8], alphas=[0.5])
        return models, compare_methods(models, population.target, parts, methods, classifier="logistic", n_resamples=10)

    before, chosen = everything(clients)
    after, again = everything(type(clients)(events, target))
    others = (parts != "test").to_numpy()
    for name in before:
        pd.testing.assert_frame_equal(before[name][others], after[name][others])
        assert not np.allclose(before[name][~others], after[name][~others])
    fixed = ["method", "kind", "width", "validation", "chosen", "weights"]
    kept = chosen.table["method"] != "best_on_test"  # which nobody can choose
    pd.testing.assert_frame_equal(chosen.table.loc[kept, fixed], again.table.loc[kept, fixed])
    pd.testing.assert_frame_equal(chosen.curves, again.curves)
    assert not chosen.table["accuracy"].equals(again.table["accuracy"])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_every_feature_and_both_cells_train(clients, parts, cell):
    options = {"cell": cell, "features": list(coles.FEATURES), "projector": 4, "noise": 0.1, "epochs": 2}
    found = coles.embed(clients, parts, **TINY | options)
    assert np.isfinite(found.embeddings).all(axis=None) and len(found.losses) == 2


def test_a_killed_training_goes_on_to_the_same_embeddings(clients, parts, tmp_path, monkeypatch):
    from ptls.frames.coles import CoLESModule

    from helpers.training import Checkpoints

    options = TINY | {"epochs": 3, "batch": 16, "noise": 0.1}
    whole, steps, real = coles.embed(clients, parts, **options), [], CoLESModule.training_step

    def dies(module, batch, number):
        steps.append(number)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return real(module, batch, number)

    monkeypatch.setattr(CoLESModule, "training_step", dies)
    kept = Checkpoints(tmp_path, every=0)
    with pytest.raises(KeyboardInterrupt):
        coles.embed(clients, parts, **options, folder=kept)
    again = coles.embed(clients, parts, **options, folder=kept)
    assert steps[:6] == [0, 1, 2, 3, 4, 4] and len(set(steps)) == len(steps) - 1
    pd.testing.assert_frame_equal(again.embeddings, whole.embeddings)
    assert again.losses == whole.losses
    with pytest.raises(ValueError, match="about slices is 2 there and 3 here"):
        coles.embed(clients, parts, **options | {"slices": 3}, folder=kept)


def test_a_diverging_run_is_told(clients, parts):
    with pytest.raises(FloatingPointError, match="the training diverged"):
        coles.embed(clients, parts, **TINY, learning_rate=1e30)


def test_validation_clients_stop_a_training_and_the_best_weights_stay(clients, parts, tmp_path):
    options = TINY | {"learning_rate": 0.05, "epochs": 40, "patience": 2}
    found = coles.embed(clients, parts, **options, folder=tmp_path)
    least = int(np.argmin(found.validation))
    assert len(found.validation) == least + 2 + 1 < 41 and len(found.losses) == least + 2
    # As many epochs as the best needed, and nothing to stop them, come to the same.
    straight = coles.embed(clients, parts, **options | {"epochs": least})
    pd.testing.assert_frame_equal(straight.embeddings, found.embeddings)
    again = coles.embed(clients, parts, **options, folder=tmp_path)
    assert again.validation == found.validation and again.embeddings.equals(found.embeddings)
    # Other test clients change nothing, other validation clients the loss that stops.
    events = clients.events.copy()
    events.loc[events["client"].map(parts).eq("test"), "amount"] *= 1000
    assert coles.embed(type(clients)(events, clients.target), parts, **options).validation == found.validation
    events.loc[events["client"].map(parts).eq("validation"), "amount"] *= 1000
    assert coles.embed(type(clients)(events, clients.target), parts, **options).validation != found.validation


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_without_padding_a_training_begins_with_the_same_losses(clients, parts, cell):
    """As long as rounding has not grown: the loss before training and in the first epochs, and the embeddings."""
    options = TINY | {"cell": cell, "noise": 0.1, "projector": 4, "slices": 3, "epochs": 2, "patience": 2}
    padded, packed = (coles.embed(clients, parts, **options, packed=way) for way in (False, True))
    # A sum over at most 6 events of 20 features and states for each slice, of which 90 are added up.
    width = apart(6 * 20, "float32", condition=10) + long_sum(90, "float32")
    assert packed.validation == pytest.approx(padded.validation, rel=width)
    assert packed.losses == pytest.approx(padded.losses, rel=width)
    assert coles.embed(clients, parts, **options, packed=True).embeddings.equals(packed.embeddings)


def test_without_patience_no_validation_client_is_looked_at(clients, parts, embedded):
    assert embedded.validation == []
    with pytest.raises(ValueError, match="patience is 3, but there are 0 validation clients; 7 are needed"):
        coles.embed(clients, parts.replace("validation", "test"), **TINY, patience=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": -1}, "patience is -1; a whole number, at least 0"),
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


@pytest.mark.skipif(not Path(os.environ.get("BOOK_DATA", ""), "berka_feup").is_dir(), reason="needs BOOK_DATA")
def test_real_accounts_are_embedded_and_scored():
    accounts = load_clients("berka", n_clients=200)
    parts = split(accounts, fractions=[0.5, 0.2, 0.3])
    found = coles.embed(accounts, parts, **TINY | {"features": list(coles.FEATURES), "longest": 20})
    assert found.embeddings.shape == (200, 8) and np.isfinite(found.embeddings).all(axis=None)
    assert 0 <= score(found.embeddings, accounts.target, parts, classifier="logistic").accuracy <= 1


def test_data_without_channels_have_four_features(clients):
    table = clients.events.drop(columns="channel")
    assert coles.features_of(read(table, handling={"min_events": 1})) == ("category", "amount", "weekday", "monthday")


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
    assert coles.draw(0, 0, rng=1) != coles.draw(0, 0)


def test_a_fixed_setting_leaves_the_others_as_drawn():
    assert coles.draw(3, 1, fixed={"cell": "lstm", "epochs": 9}) == coles.draw(3, 1) | {"cell": "lstm", "epochs": 9}
    with pytest.raises(ValueError, match="width is not a setting"):
        coles.draw(0, 0, fixed={"width": 3})
    with pytest.raises(ValueError, match=r"features \['channel'\] are not in these data"):
        coles.draw(0, 0, features=["category"], fixed={"features": ["channel"]})


def test_subsets_of_features_may_be_given_to_draw_from():
    space = coles.SPACE | {"features": [["amount"], ["channel", "category"]]}
    drawn = [coles.draw(experiment, 0, space=space) for experiment in range(20)]
    assert {tuple(point["features"]) for point in drawn} == {("amount",), ("category", "channel")}
    as_ever = [coles.draw(experiment, 0) for experiment in range(20)]
    assert [point["cell"] for point in drawn] == [point["cell"] for point in as_ever]
    with pytest.raises(ValueError, match=r"features \['age'\] are not in these data"):
        coles.draw(0, 0, space=coles.SPACE | {"features": [["age"]]})


def test_the_worker_takes_every_setting_and_leaves_it_to_be_drawn():
    known = parameters_of(WORKER)
    assert set(coles.SPACE) | {"features", "experiment", "model", "seed", "source", "options"} <= set(known)
    assert all(parameter.help for name, parameter in known.items() if name not in ("experiment", "model", "seed"))
    code = [cell for cell in nbformat.read(WORKER, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs]


# What is kept


def test_what_is_saved_is_read_again(clients, parts, embedded, elsewhere):
    for model in (0, 1):
        save_run(embedded, parts, clients.target, experiment=2, model=model, out="s", cell="gru", features=["amount"])
    found = read_sweep("s")
    assert list(found.embeddings) == [(2, 0), (2, 1)]
    pd.testing.assert_frame_equal(found.embeddings[2, 1], embedded.embeddings)
    assert found.split[2].tolist() == parts.tolist() and found.target[2].tolist() == clients.target.tolist()
    assert found.runs.loc[(2, 0), ["cell", "losses", "features"]].tolist() == ["gru", embedded.losses, ["amount"]]
    only = pd.DataFrame({"experiment": [2, 2], "model": [0, 1], "status": ["done", "failed"]})
    assert list(read_sweep("s", only=only).embeddings) == [(2, 0)]
    save_run(None, parts, clients.target, experiment=2, model=0, out="s")
    assert list(read_sweep("s").embeddings) == [(2, 1)]
    with pytest.raises(FileNotFoundError, match=r"no embeddings in .* of the runs \[\(2, 0\)\]"):
        read_sweep("s", only=only)
    only = pd.DataFrame({"experiment": [7], "model": [0], "status": ["failed"], "error": ["ValueError: too fast"]})
    with pytest.raises(FileNotFoundError, match="all runs failed, the first by ValueError: too fast"):
        read_sweep("s", only=only)


def test_runs_of_one_experiment_must_have_the_same_clients(clients, parts, embedded, elsewhere):
    save_run(embedded, parts, clients.target, experiment=0, model=0, out="s")
    save_run(embedded, split(clients, experiment=1), clients.target, experiment=0, model=1, out="s")
    with pytest.raises(ValueError, match="model=1.parquet has other clients, parts or targets"):
        read_sweep("s")


def test_a_name_of_a_sweep_is_no_path():
    with pytest.raises(ValueError, match="out is 'a/b'; it is a plain name"):
        sweep_runs(1, 1, out="a/b")


def test_a_parameter_that_is_the_default_is_none_so_that_chapters_share_runs():
    default = {name: parameter.default for name, parameter in parameters_of(WORKER).items()}
    named = {name: default[name] for name in ("source", "options", "n_clients", "fractions", "space", "seed")}
    named["fractions"] = tuple(named["fractions"])
    plain, spelt = sweep_runs(1, 2), sweep_runs(1, 2, **named)
    assert [run.key for run in plain] == [run.key for run in spelt]
    other = sweep_runs(1, 1, fractions=(0.6, 0.2, 0.2))[0]
    assert other.parameters["fractions"] == [0.6, 0.2, 0.2] and other.key != plain[0].key


PLANS = {name: name for name in ("coles", "coles_recorded", "coles_ordered", "coles_unequal", "coles_paper")}
PLANS |= dict.fromkeys(["coles_one_strong", "coles_five_weak"], "coles_one_strong")


@pytest.mark.parametrize(("plan", "name"), PLANS.items())
def test_a_plan_has_the_runs_that_chapters_ask_for(plan, name):
    plan = read_parameters(WORKER.with_name(f"{plan}.yml"))
    point = {axis: values[-1] for axis, values in plan["grid"].items()}
    planned = Run(WORKER, ROOT / "x.ipynb", plan["parameters"] | point)
    planned.check()
    asked = sweep_runs([point["experiment"]], [point["model"]], **plan["parameters"])[0]
    assert plan["parameters"]["out"] == name and asked.key == planned.key


def test_the_fractions_of_a_run_are_recorded(clients, embedded, elsewhere):
    parts = split(clients, fractions=[0.2, 0.15, 0.65])
    save_run(embedded, parts, clients.target, experiment=0, model=0, out="s", fractions=[0.2, 0.15, 0.65])
    found = read_sweep("s")
    assert found.runs.loc[(0, 0), "fractions"] == [0.2, 0.15, 0.65]
    in_test = (found.split[0] == "test").groupby(clients.target).agg(["sum", "size"])
    assert (abs(in_test["sum"] - 0.65 * in_test["size"]) < 1).all()  # every class is cut to the nearest clients


def test_every_run_is_scored_with_an_interval(clients, parts, embedded, elsewhere):
    for model in (0, 1):
        save_run(embedded, parts, clients.target, experiment=2, model=model, out="s")
    found = score_runs(read_sweep("s"), classifier="logistic")
    assert found.index.tolist() == [(2, 0), (2, 1)] and found.iloc[0].drop("seconds").equals(
        found.iloc[1].drop("seconds")
    )
    for part in ("validation", "test"):
        assert found[f"n_{part}"].tolist() == [(parts == part).sum()] * 2
        assert (found[f"ci_low_{part}"] < found[f"accuracy_{part}"]).all()
        assert (found[f"accuracy_{part}"] < found[f"ci_high_{part}"]).all()
    assert len(score_runs(read_sweep("s"), classifier="logistic", on=["test"], runs=[(2, 1)])) == 1


SMALL = {"n_clients": 60, "options": {"events": [8, 10]}, "epochs": 1, "shortest": 3, "longest": 6}


@pytest.fixture
def name():
    """Of a sweep in the real folders, which are emptied afterwards."""
    own = f"test-{os.getpid()}"
    yield own
    for folder in ("runs", "embeddings"):
        shutil.rmtree(ROOT / "_build" / folder / own, ignore_errors=True)


def wait_for(condition, seconds=120):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_sweep_killed_half_way_is_resumed_and_a_killed_worker_fails_alone(name):
    """The process that sweeps is killed without warning; then the kernel of one run of another sweep is."""
    planned = sweep_runs(1, 3, out=name, **SMALL)
    script = f"from helpers.studies.sweep import train_sweep; train_sweep(1, 3, n_jobs=1, out={name!r}, **{SMALL!r})"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, start_new_session=True)
    wait_for(lambda: planned[0].is_done() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ready = [run.is_done() for run in planned]
    assert ready[0] and not ready[2]
    written = planned[0].output.stat().st_mtime_ns
    resumed = train_sweep(1, 3, out=name, **SMALL)
    assert resumed["status"].tolist() == ["kept" if done else "done" for done in ready]
    assert planned[0].output.stat().st_mtime_ns == written
    assert len(read_sweep(name, only=resumed).embeddings) == 3

    def strike():
        def kernels():
            children = psutil.Process().children(recursive=True)
            return [child for child in children if any("ipykernel" in word for word in child.cmdline())]

        wait_for(kernels)
        time.sleep(1)
        kernels()[0].kill()

    killer = threading.Thread(target=strike)
    killer.start()
    struck = train_sweep(1, [3, 4], n_jobs=1, out=name, **SMALL)
    killer.join()
    assert sorted(struck["status"]) == ["done", "failed"], struck["error"].tolist()
    assert "died" in struck.set_index("status").loc["failed", "error"].lower()
    again = train_sweep(1, [3, 4], out=name, **SMALL)
    assert sorted(again["status"]) == ["done", "kept"]


@pytest.mark.slow
def test_two_that_start_the_same_sweep_at_once_train_it_once_and_lost_embeddings_are_made_again(name):
    call = f"train_sweep(1, 1, out={name!r}, **{SMALL!r})"
    script = f"from helpers.studies.sweep import train_sweep; print({call}['status'].item())"
    both = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert sorted(one.communicate(timeout=180)[0].strip() for one in both) == ["done", "kept"]
    save_run(None, None, None, experiment=0, model=0, out=name)
    assert train_sweep(1, 1, out=name, **SMALL)["status"].tolist() == ["done"]


@pytest.mark.slow
def test_a_sweep_keeps_what_is_done_and_isolates_what_diverges(tmp_path):
    """In fresh kernels, on a file of transactions that is named by parameters alone."""
    simulated = load_clients("simulated", n_clients=40, events=(8, 10))
    other = {"client": "who", "time": "day", "category": "shop", "amount": "euros", "channel": "how"}
    table = simulated.events.rename(columns=other).sample(frac=1, random_state=0)
    table["day"] = table["day"].dt.strftime("%d.%m.%Y")
    table.to_csv(tmp_path / "events.csv", sep=";", index=False)
    answers = simulated.target.clip(upper=1).map({0: "young", 1: "old"}).rename("age").rename_axis("person")
    answers.to_csv(tmp_path / "answers.csv")
    options = {
        "columns": other | {"target": "age", "target_client": "person"},
        "format": {"date_format": "%d.%m.%Y"},
        "handling": {"min_events": 8},
        "classes": {"min_class_size": 1},
        "targets": str(tmp_path / "answers.csv"),
    }
    shared = {
        "source": str(tmp_path / "events.csv"),
        "options": options,
        "n_clients": 0,
        "fractions": (0.5, 0.25, 0.25),
        "out": "test-sweep",
        "epochs": 1,
        "features": ["category", "amount"],
    }
    try:
        fine = train_sweep(1, 1, **shared)
        assert fine["status"].tolist() == ["done"], fine["error"].tolist()
        both = train_sweep(1, 1, **shared), train_sweep(1, [1], **shared, learning_rate=1e30)
        assert [table["status"].item() for table in both] == ["kept", "failed"]
        assert "FloatingPointError: the training diverged" in both[1]["error"].item()
        found = read_sweep("test-sweep", only=pd.concat(both))
        assert list(found.embeddings) == [(0, 0)] and found.embeddings[0, 0].shape == (40, 64)
        assert set(found.target[0]) == {"young", "old"} and (found.split[0] == "test").sum() in (9, 10, 11)
    finally:
        for folder in ("runs", "embeddings"):
            for path in (ROOT / "_build" / folder / "test-sweep").glob("experiment=0_model=*"):
                path.unlink()


def test_runs_are_read_with_two_classes_and_scored_by_their_area(clients, parts, embedded, elsewhere):
    save_run(embedded, parts, clients.target, experiment=0, model=0, out="s")
    sweep = read_sweep("s", binary_from="2")
    assert sweep.target[0].equals((clients.target >= 2).astype(int).rename("target"))
    scored = score_runs(sweep, classifier="logistic", metric="roc_auc").loc[(0, 0)]
    found = score(embedded.embeddings, sweep.target[0], parts, classifier="logistic", metric="roc_auc")
    assert scored["accuracy_test"] == found.value == found.by("roc_auc")
    assert scored["ci_low_test"] < scored["accuracy_test"] <= scored["ci_high_test"] <= 1
    with pytest.raises(ValueError, match="binary_from is '7'; it can be '1', '2', '3'"):
        read_sweep("s", binary_from="7")


@pytest.mark.slow
def test_a_good_model_is_as_good_as_on_the_public_data_and_below_the_ideal():
    """Four ages, accuracy about 0.6, where an ideal observer reaches about 0.7.

    A share of 400 clients has a standard error of 0.025; the ideal is the mean of 2000 posteriors.
    """
    from helpers.clients import ideal_posterior, score

    clients = simulate(2000, rng=0)
    parts = split(clients)
    features = ["category", "amount", "channel", "weekday", "monthday"]
    found = coles.embed(clients, parts, features=features, learning_rate=0.005)
    held_out = parts.replace("validation", "test")
    accuracy = score(found.embeddings, clients.target, held_out, classifier="logistic").accuracy
    ideal = ideal_posterior(clients, features).max(axis=1).mean()
    assert 0.55 < accuracy < 0.65 and 0.64 < ideal < 0.74 and accuracy < ideal


@pytest.mark.parametrize(
    "experiments, models, error",
    [
        (0, 6, "experiments is 0; it must be at least 1"),
        (4, 1, "models is 1; it must be at least 2 "),
        (4, [3], "models is 1; it must be at least 2 "),
        (4, 0, "models is 0; it must be at least 2 "),
    ],
)
def test_too_few_models_are_refused_before_anything_is_trained(experiments, models, error):
    with pytest.raises(ValueError, match=error):
        train_sweep(experiments, models, least_models=2, out="never")


@pytest.mark.parametrize(
    "parameters, error, words",
    [
        ({"fractions": [0.5, 0.5]}, ValueError, r"fractions is \[0.5, 0.5\]; three numbers above 0 that sum to 1"),
        ({"fractions": [0.5, 0.5, 0.0]}, ValueError, "fractions is"),
        ({"n_clients": 39}, ValueError, "n_clients is 39; it must be at least 40 .or 0 for all that the source has."),
        ({"space": {"epoch": [1]}}, ValueError, "space has 'epoch'; it can have category_width, "),
        ({"space": {"epochs": []}}, ValueError, "space has no value of 'epochs'; at least one is needed"),
        ({"source": "nowhere.csv"}, FileNotFoundError, "source is 'nowhere.csv'; there is no such file or folder"),
        ({"source": "nowhere"}, FileNotFoundError, "nor a name owner/data-set of the hub"),
        ({"out": "../up"}, ValueError, "out is '../up'; it is a plain name"),
    ],
)
def test_what_every_run_would_refuse_is_refused_before_any_is_started(parameters, error, words):
    with pytest.raises(error, match=words):
        train_sweep(1, 2, **({"out": "never"} | parameters))


def test_sources_of_every_kind_are_taken_for_what_they_are(tmp_path, monkeypatch):
    (tmp_path / "events.csv").write_text("client,time\n")
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    for source in ("simulated", "berka", "berka:there", "owner/data-set", "$BOOK_DATA/events.csv", str(tmp_path)):
        check_sweep(1, 2, source=source)
