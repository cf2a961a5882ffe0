"""What the page about duplicates shows: by hand on small tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.postprocessing import TREATMENTS
from helpers.studies import duplicates_page as study
from helpers.studies.duplicates import CLAIMS, pair_scores, pairs_in_a_cone

METRICS = ("cosine", "euclidean", "max_ap")


def rows(encoder, shift, limits=0.01):
    """A table like that of the experiment, in which treatment number i gains i·shift."""
    found = []
    for name in ("mean of layers", "QP", "QP, concatenated", "layer 0", "layer 1", "layer 2"):
        layer = name.startswith("layer")
        for i, treatment in enumerate(TREATMENTS):
            gain = i * shift * (1 + int(name[-1]) if layer else 1)
            row = {"encoder": encoder, "representation": name, "treatment": treatment, "score": 0.5 + gain}
            for against in ("raw", "centred", "qp"):
                row |= {f"diff_{against}": gain, f"diff_{against}_ci_low": gain - limits}
                row[f"diff_{against}_ci_high"] = gain + limits
                row[f"diff_{against}_p"] = 0.5 if treatment == "raw" else 0.01
            row |= {"mean_cosine": int(name[-1]) / 10 if layer else 0.4 / (i + 1), "rankme": 3.0, "n_pairs": 50}
            row["weight"] = 1.0 if name == "layer 1" else 0.0 if layer else np.nan
            found += [row | {"metric": metric} for metric in (METRICS[:1] if layer else METRICS)]
    return pd.DataFrame(found)


@pytest.fixture(scope="module")
def live():
    return pd.concat([rows("a", 0.02), rows("b", -0.02)], ignore_index=True)


@pytest.fixture(scope="module")
def both(live):
    return study.join_treatments(live, rows("c", 0.001), "documentation")


def test_doses_score_the_half_of_the_pairs_that_treatments_have_not_seen():
    found = study.dose_response("common", [0, 3], 200, 8, rng=1)
    pairs = pairs_in_a_cone(400, 8, common=3, spread=0.3, rng=1)
    unseen = [part[1::2] for part in pairs]
    assert found.loc[3, "raw"] == pair_scores(*unseen)["cosine"]
    assert found.loc[3, "distance"] == pair_scores(*unseen)["euclidean"]
    assert found.loc[0, "mean cosine"] < found.loc[3, "mean cosine"] and (found["RankMe"] <= 1).all()
    facts = study.facts_of_doses({"common": found, "rogue": study.dose_response("rogue", [0, 3], 200, 8, rng=1)})
    assert facts["common_raw"] == found["raw"].iloc[-1] and facts["common_none"] == found["raw"].iloc[0]
    with pytest.raises(ValueError, match="kind is 'cone'"):
        study.dose_response("cone", [0], 20, 4)


def test_encoders_are_counted_whose_interval_and_test_agree(live):
    assert study.count_encoders(live.assign(diff_raw_p=0.06), "QP", "whitened") == (0, 0)
    assert study.count_encoders(live, "QP", "raw") == (0, 0)
    assert study.count_encoders(live, "QP", "whitened") == (1, 1)
    found = study.facts_of_run(live)
    assert (found["n_encoders"], found["n_live"]) == (2, 50)
    assert found["live_whitened_mean"] == pytest.approx(0)
    assert found["live_cosine_ci_low"] == 0.4 and found["live_cosine_after"] == 0.2


def test_tables_are_joined_under_the_names_of_what_encoders_were_tried_on(both):
    assert list(both["encoder"].unique()) == ["a, documentation", "b, documentation", "c, Quora"]
    steps = study.table_steps(both)
    assert list(steps.columns) == list(study.STEPS) and len(steps) == 3
    assert steps.loc["a, documentation", "+ centred"] == "+2.0 [+1.0, +3.0]"


def test_the_mean_cosine_predicts_a_gain_that_grows_with_it(both):
    gains = study.layer_gains(both)
    assert len(gains) == 9 and gains.loc[("a, documentation", "layer 1"), "centred"] == pytest.approx(4)
    prediction = study.table_prediction(gains)
    assert prediction["centred"].tolist() == pytest.approx([1, -1, 1])
    found = study.facts_of_steps(both, prediction)
    assert (found["predict_positive"], found["predict_n"]) == (2, 3)
    assert found["predict_ci_low"] == pytest.approx(-1)


def test_each_claim_has_a_verdict_for_the_run_and_one_that_transfers(both, live):
    judged = study.judge_treatments(live, rows("c", 0.001))
    assert list(judged.index) == 2 * list(CLAIMS) and judged["transfer"].sum() == len(CLAIMS)
    found = study.facts_of_verdicts(both, judged)
    assert {f"range_{key}" for key in CLAIMS} <= set(found)
    assert {name for name in found if name.startswith("verdict_")} == {
        f"verdict_{key}" for key, question in CLAIMS.items() if not question.claim.source
    }
    whitened = 100 * 0.02 * list(TREATMENTS).index("whitened")
    assert found["range_whitening"] == f"{-whitened:+.1f} … {whitened:+.1f}"


def test_the_recorded_tables_fit_the_page():
    recorded = study.recorded_treatments()
    assert set(study.table_runs().index) >= set(recorded["encoder"])
    found = study.facts_of_records(recorded)
    assert found["n_real"] == recorded["encoder"].nunique() and found["n_quora"] == 4500
    assert found["real_centred"] + found["real_centred_worse"] <= found["n_real"]


def test_the_published_lead_is_that_of_the_published_table():
    found = study.facts()
    leads = [found[f"published_{name}"] for name in ("bert", "roberta", "simcse")]
    assert found["published_mean"] == pytest.approx(np.mean(leads))


def test_figures_have_a_panel_for_each_encoder_and_a_point_for_each_layer(both, live):
    import matplotlib.pyplot as plt

    assert study.figure_treatments(live).shape == (1, 2)
    axes = study.figure_layers(study.layer_gains(both))
    assert [len(line.get_xdata()) for line in axes[0].lines[:3]] == [3, 3, 3]
    assert [line.get_marker() for line in axes[0].lines[:3]] == ["o", "o", "^"]
    columns = [*study.SHOWN, "distance", "mean cosine", "RankMe"]
    response = pd.DataFrame(0.5, index=[0, 1], columns=columns)
    assert study.figure_doses({"common": response, "rogue": response}, 0.3).shape == (2, 2)
    plt.close("all")


OF_SCORES = SimpleNamespace(metadata=SimpleNamespace(name="Scores", type="STS"))


@pytest.mark.parametrize(
    ("error", "match", "choice"),
    [
        (ValueError, "encoders is empty; at least one folder", {"encoders": []}),
        (FileNotFoundError, "there is no such folder", {"encoders": ["encoders/bert", "./nowhere"]}),
        (ValueError, "task_name is 'Scores', which is of type STS; PairClassification", {"task": OF_SCORES}),
        (ValueError, "n_pairs is 9; it must be at least 10", {"n_pairs": 9}),
        (ValueError, "n_features is 2; it must be at least 3", {"n_features": 2}),
        (ValueError, "n_fit is 1; it must be at least 10", {"n_fit": 1}),
        (TypeError, "n_resamples is 50.0; a whole number", {"n_resamples": 50.0}),
        (ValueError, "lam is -1; a finite number of at least 0", {"lam": -1}),
        (ValueError, "confidence_level is 1; a number between 0 and 1", {"confidence_level": 1}),
        (ValueError, "max_length is 4096; .* tokens at most", {"max_length": 4096}),
    ],
)
def test_choices_that_cannot_work_are_refused_before_pairs_are_made(error, match, choice):
    least = {"n_pairs": 10, "n_features": 3, "n_fit": 10, "n_resamples": 10, "lam": 0, "confidence_level": 0.5}
    of_pairs = SimpleNamespace(metadata=SimpleNamespace(name="Pairs", type="PairClassification"))
    with pytest.raises(error, match=match):
        study.check_duplicate_choices(**({"encoders": ["encoders/bert"], "task": of_pairs} | least | choice))
    study.check_duplicate_choices(["encoders/bert"], of_pairs, **least)
