"""What the page about aligned spaces shows: shares by hand, counts on small tables, the recorded ones."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.book.data import table
from helpers.ensembles import MeanOfLayers, OrthogonalProcrustes
from helpers.inference import Finding
from helpers.studies import aligning_page as study
from helpers.studies.aligning import claims


@pytest.fixture(scope="module")
def models():
    rng = np.random.default_rng(0)
    turns = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(3)]
    truth = rng.normal(size=(2, 120, 4)) * [4, 3, 2, 1]
    seen, unseen = ({str(i): x @ turn for i, turn in enumerate(turns)} for x in truth)
    return seen, unseen


def compared(gains, n=12):
    """A comparison in which each mixture gains so much on the best model in every experiment, up to noise."""
    noise = np.random.default_rng(1).normal(scale=0.001, size=(n, len(study.MIXTURES)))
    noise = noise - noise.mean(axis=0)
    rows = []
    for e in range(n):
        rows.append({"experiment": e, "method": "best", "accuracy": 0.5})
        for name, off in zip(study.MIXTURES, noise[e], strict=True):
            rows.append({"experiment": e, "method": name, "accuracy": 0.5 + gains.get(name, 0) + off})
    return pd.DataFrame(rows)


def test_a_mean_keeps_all_of_equal_spaces_nothing_of_a_mirror_and_half_of_unrelated_ones():
    x, y = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 7)))[0][:, :6].reshape(60, 2, 3).transpose(1, 0, 2)
    x, y = (np.vstack([z, -z]) for z in (x, y))  # centred, and still orthogonal to each other
    assert study.share_kept([x, 3 * x + 2]) == pytest.approx(1)
    assert study.share_kept([x, -x]) == 0
    assert study.share_kept([x, y]) == pytest.approx(0.5)
    assert study.share_kept([x, np.hstack([x, np.zeros((120, 2))])]) == pytest.approx(1)


def test_alignment_of_rotated_spaces_keeps_everything_on_new_objects_too(models):
    shares = study.shares_kept({"Procrustes": OrthogonalProcrustes()}, *models)
    assert shares.loc["as they are", "validation"] < 0.8
    assert shares.loc["Procrustes"].tolist() == pytest.approx([1, 1])


def test_a_rotated_model_is_linear_in_any_other(models):
    found = study.shares_undone({"the plain mean": MeanOfLayers()}, *models)
    assert list(found.index) == ["the plain mean", "one other model"]
    assert found["one other model"] > 0.999 and found["the plain mean"] > 0.99
    told = study.facts_of_undone(pd.Series([0.4, 0.3, 0.2, 0.1]))
    assert told == {"in_mean": 0.4, "in_procrustes": 0.3, "in_pca": 0.2, "in_other": 0.1}


def test_a_cosine_and_the_models_of_an_experiment_are_told(models):
    found = study.facts(*models, 3)
    assert (found["models"], found["width"], found["n_experiments"]) == (3, 4, 3)
    assert found["kept_before"] == study.share_kept(models[1].values())
    assert found["cka_mean"] == pytest.approx(1) and found["rank"] <= 4  # CKA does not see the rotations
    assert study.facts_of_alignment(0.1, 0.9) == {"cosine_before": 0.1, "cosine_after": 0.9}


def test_copies_that_are_aligned_gain_and_one_copy_is_itself():
    import matplotlib.pyplot as plt

    toy = study.with_noisy_copies([1, 6], 4, np.random.default_rng(0), n=300)
    assert list(toy) == ["mean", "aligned mean", "concatenation + PCA"] and len(toy) == 8
    assert toy.loc[1].nunique(axis=1).tolist() == [1, 1, 1, 1]
    found = study.facts_of_copies(toy)
    assert (found["toy_copies"], found["toy_runs"]) == (6, 4)
    assert found["toy_aligned"] == pytest.approx(100 * toy.loc[6, "aligned mean"].mean())
    assert found["toy_aligned"] > found["toy_mean"]
    assert len(study.figure_copies(toy).containers) == 3
    plt.close("all")


def test_what_is_not_shared_is_a_share_of_the_variance():
    general = SimpleNamespace(objective_=np.array([6.0, 4.0, 3.0]))
    assert study.facts_of_rounds(general, 3, 4) == {"rounds": 2, "share_left": 0.25, "share_first": 0.5}
    curved = SimpleNamespace(losses_=np.array([0.5, 0.3, 0.4]), epoch_=1)
    found = study.facts_of_autoencoders(SimpleNamespace(loss_=0.45), curved)
    assert found == {"linear_loss": 0.45, "curved_start": 0.5, "curved_end": 0.3, "epoch": 1}


def test_bars_are_drawn_for_both_splits_and_the_named_shares_are_told():
    import matplotlib.pyplot as plt

    names = ["as they are", "Procrustes", "generalised Procrustes", "multi-set CCA, r = 0.1", "linear autoencoder"]
    shares = pd.DataFrame({"training": 0.6, "validation": np.arange(5) / 10}, index=names)
    found = study.facts_of_shares_kept(shares)
    assert found["kept_procrustes"] == 0.1 and found["kept_linear"] == 0.4 and found["kept_cca_train"] == 0.6
    ax = study.figure_shares_kept(shares, 4)
    assert len(ax.patches) == 10 and ax.lines[0].get_xdata()[0] == 0.25
    plt.close("all")


def test_a_verdict_needs_the_interval_and_the_corrected_test():
    found = study.verdicts_of_mixtures(compared({"procrustes_mean": 0.02, "autoencoder_mean": -0.02}), "best")
    verdicts = found["verdict"].to_dict()
    assert verdicts["procrustes_mean"] == "better" and verdicts["autoencoder_mean"] == "worse"
    assert sorted(verdicts.values()) == ["better", *["open"] * 5, "worse"]
    few = study.verdicts_of_mixtures(compared({"procrustes_mean": 0.02}, n=4), "best")
    assert set(few["verdict"]) == {"open"}  # of four signs no test rejects


def test_questions_are_answered_in_one_row_for_each_aligned_mixture():
    rows = compared({"procrustes_mean": 0.02, "mean": 0.01})
    shown = study.table_questions(rows)
    assert list(shown) == ["the plain mean", "the best model", "concatenation + PCA"]
    assert shown.loc["Procrustes, mean", "the best model"].endswith("won 12 of 12: better")
    found = study.facts_of_mixtures(rows)
    assert found["n_qp"] == 4 and found["qp_spread"] < 0.3 and found["mean_best"].startswith("+1.0")
    assert "mean_mean" not in found and "concat_pca_pca" not in found


def test_verdicts_about_weights_are_counted_by_what_they_are_about():
    about = claims(table("published/client_qp_ensemble.csv"), study.MIXTURES)
    verdicts = ["reproduced" if "_mean" in key else "not reproduced" for key in about]
    none, some = Finding(0.0, 0.0, 0.0, 0, "experiments"), Finding(1.0, 0.5, 1.5, 9, "experiments")
    by_scorer = {"LightAutoML": {key: some if "cka" in key else none for key in about}}
    found = study.facts_of_measures(pd.DataFrame({"verdict": verdicts}, list(about)), about, by_scorer)
    assert (found["difference_mean"], found["share_mean_not"], found["difference_best_not"]) == (4, 0, 4)
    assert found["twice"] == "QP, CKA"


def test_weights_of_each_measure_are_rows():
    fitted = {(2, name): SimpleNamespace(weights_=pd.Series({"0": 0.3, "1": 0.7})) for name in study.WEIGHTED}
    shown = study.table_program_weights(fitted, 2)
    assert list(shown.index) == [study.MIXTURES[name] for name in study.WEIGHTED] and list(shown) == ["0", "1"]


def test_the_recorded_tables_fit_the_page():
    recorded, headline = table("results/clients_aligning.csv"), table("results/clients_headline.csv")
    found = study.facts_of_questions(recorded, headline)
    assert found["mean_better"] + found["mean_open"] + found["mean_worse"] == found["n_aligned"] == 7
    assert found["slow_n"] == 17 and found["top"] in study.MIXTURES.values()
    shown = study.table_two_scorers(headline)
    assert len(shown) == 6 and (shown["experiments"] == 17).all()
