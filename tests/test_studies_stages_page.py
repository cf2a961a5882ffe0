"""The study of the chapter "Trained in stages"."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_1samp

from helpers.book.data import table
from helpers.encoders.kept_back import corpus_without, split_examples
from helpers.encoders.stages import Stage, bag_encoder, learn_pieces, stage_loss
from helpers.encoders.universal import LINES, example_losses
from helpers.inference import judge
from helpers.studies import pairs_page, russian_runs, stages_page


def rows(lost, seeds=6, spread=0.002):
    """Recorded rows in which each line loses so much, with noise that lines of one seed share."""
    rng = np.random.default_rng(0)
    told = []
    for seed in range(seeds):
        level = 0.5 + rng.normal(scale=0.05)
        for line in LINES:
            score = level - lost.get(line, 0.0) + rng.normal(scale=spread)
            told += [("transformer", line, "nothing", seed, task, score, score) for task in ("STS", "mean S")]
    return pd.DataFrame(told, columns=["base", "line", "without", "seed", "task", "published", "honest"])


def test_the_published_losses_are_those_of_the_table():
    told = table("published/russian_encoder.csv").query("table == 'ablation'").set_index("row")["value"]
    names = {
        "without instructions": "without instructions",
        "without AnglE": "without AnglE loss",
        "without splitting and merging": "without data split (no merging)",
        "without stage 1": "without first fine-tuning stage",
        "without pre-training": "without pre-training",
    }
    assert {line: round(told["USER"] - told[name], 3) for line, name in names.items()} == stages_page.LOST


def test_losses_by_hand_are_those_of_the_library():
    texts = [f"слово {i} и {i + 1}" for i in range(6)]
    model = bag_encoder(learn_pieces(texts, 60), 8)
    batch = {"left": texts, "right": [f"{text} ещё" for text in texts]}
    with torch.no_grad():
        told = stage_loss(model, Stage(("title",), losses=("contrastive", "angle")))(batch)
    contrast, angle = stages_page.losses_by_hand(model, batch, 0.05)
    assert contrast == pytest.approx(float(told["contrastive"]), rel=1e-4)  # single precision
    assert angle == pytest.approx(float(told["angle"]), rel=1e-4)


def test_lines_of_one_seed_are_paired_and_verdicts_follow():
    found = rows(stages_page.LOST)
    lost = stages_page.lost_by_line(found)
    wide = 4 * 0.002 * (2 / 6) ** 0.5  # four standard errors of a difference over six seeds
    assert abs(lost.loc["without pre-training", "lost"] - 0.061) < wide
    assert (lost["ci_high"] - lost["ci_low"]).max() < 0.02  # seeds vary by 0.05, and are paired
    judged = judge(stages_page.STAGE_CLAIMS, stages_page.stage_findings(found))
    assert judged.loc["without pre-training", "verdict"] == "reproduced"
    assert judged.loc["order", "verdict"] == "reproduced"
    against = judge(
        stages_page.STAGE_CLAIMS, stages_page.stage_findings(rows(dict.fromkeys(LINES, -0.05) | {"whole": 0}))
    )
    assert against.loc["without stage 1", "verdict"] == "not reproduced"
    shown = stages_page.ablation_table(lost)
    assert shown.loc["without AnglE", "published loss"] == "0.013" and shown.loc["whole", "lost"] == "—"
    figure = stages_page.ablation_figure(lost)
    plt.close(figure)


def test_without_recorded_rows_there_are_dashes_and_no_verdicts():
    lost = stages_page.lost_by_line(None)
    assert lost["lost"].isna().all() and (stages_page.ablation_table(lost)["lost"] == "—").all()
    assert (stages_page.heuristics_lost(None) == "—").all(axis=None)
    judged = judge(stages_page.STAGE_CLAIMS, stages_page.stage_findings(None))
    assert (judged["verdict"] == "not testable here").all()
    plt.close(stages_page.ablation_figure(lost))
    assert pairs_page.rows_of_base(None, "bag") is None and pairs_page.rows_of_base(rows({}), "bag") is None


def test_a_line_that_is_missing_leaves_the_others():
    found = rows(stages_page.LOST)
    found = found[found["line"] != "without AnglE"]
    judged = judge(stages_page.STAGE_CLAIMS, stages_page.stage_findings(found))
    assert judged.loc["without AnglE", "verdict"] == "not testable here"
    assert judged.loc["without stage 1", "verdict"] == "reproduced"


def test_what_a_task_loses_without_a_kind_has_a_star_if_it_is_sure():
    rng = np.random.default_rng(0)
    told = [
        ("bag", "whole", without, seed, task, 0.5 - lost + rng.normal(scale=1e-3), 0.0)
        for seed in range(6)
        for without, lost in (("nothing", 0.0), ("title", 0.1), ("summary", 0.0))
        for task in ("STS", "TI")
    ]
    found = pd.DataFrame(told, columns=["base", "line", "without", "seed", "task", "honest", "published"])
    lost = stages_page.heuristics_lost(found)
    assert lost.loc["title"].str.endswith("*").all() and lost.loc["title", "STS"].startswith("+0.1")
    assert set(lost.index) == {"title", "summary"}
    assert not lost.loc["summary"].str.endswith("*").any()
    other = found.assign(base="transformer")
    assert (stages_page.heuristics_lost(other) == "—").all(axis=None)  # the table is of bags


def test_stars_are_corrected_for_all_cells_of_the_table():
    rng = np.random.default_rng(1)
    told = [
        ("bag", "whole", without, seed, f"task {task}", 0.5 + rng.normal(scale=1e-3), 0.0)
        for seed in range(6)
        for without in ("nothing", "title", "summary", "definition", "example")
        for task in range(25)
    ]
    found = pd.DataFrame(told, columns=["base", "line", "without", "seed", "task", "honest", "published"])
    wide = found.pivot_table(index=["seed", "task"], columns="without", values="honest")
    gaps = wide.drop(columns="nothing").rsub(wide["nothing"], axis=0).unstack("task")
    assert (ttest_1samp(gaps, 0).pvalue < 0.05).any()  # without a correction chance has stars
    assert not stages_page.heuristics_lost(found).apply(lambda column: column.str.endswith("*")).any(axis=None)


def test_a_live_ablation_has_all_lines_but_pre_training_and_its_losses(tmp_path):
    corpus = russian_runs.corpus_from()
    options = {"width": 8, "steps": [4, 4, 4], "n_seeds": 2}
    found = stages_page.live_ablation(corpus, str(tmp_path), negatives=0, **options)
    assert set(found["line"]) == set(LINES) - {"without pre-training"} and set(found["seed"]) == {0, 1}
    lost = stages_page.lost_by_line(found)
    assert lost.loc["without stage 1", "seeds"] == 2 and np.isnan(lost.loc["without pre-training", "lost"])
    made = {"width": 8, "steps": (4, 4, 4), "pieces": 1500, "batch": 8, "rate": 5e-3, "examples": 24}
    recipe = russian_runs.recipe_from(**made)
    trained = russian_runs.train_line(corpus, recipe, str(tmp_path))
    losses = stages_page.stage_losses(trained, corpus, recipe)
    assert list(losses.index) == ["query and passage", "symmetric", "asymmetric", "merged", "chance"]
    assert (losses.loc["chance", "mean"] > 0) and losses.notna().all(axis=None)
    facts = stages_page.ablation_facts(lost, losses, corpus, recipe)
    choosing, scoring = split_examples(corpus.pairs, recipe.examples)
    for name, part in (("chose", choosing), ("scored", scoring)):
        assert facts[name] == sum(len(pairs) for _, pairs in part.groupby("kind") if len(pairs) > 1)
    sizes = corpus_without(corpus, choosing, scoring).pairs.groupby(["source", "kind"]).size()
    assert facts["learned"] == sizes[sizes >= 8].sum()
    told = example_losses(trained.model, scoring, recipe, "ru")["loss"].mean()
    assert losses.loc["merged", "mean"] == pytest.approx(told)
    assert facts["loss_merged"] == pytest.approx(losses.loc["merged", "mean"]) and facts["seeds"] == 2
    shown = stages_page.show_stages(recipe, corpus)
    groups = corpus_without(corpus, choosing, scoring).pairs.query("kind in ['title', 'summary']")
    sizes = groups.groupby(["source", "kind"]).size()
    assert shown.loc["asymmetric", "pairs"] == sizes[sizes >= 8].sum()
    assert shown.loc["asymmetric", ["pairs", "left out"]].sum() == corpus.pairs["kind"].isin(["title", "summary"]).sum()
    assert shown.loc["symmetric", "losses"] == "contrastive + angle" and (shown["updates"] == 4).all()
    plt.close(stages_page.kinds_figure(losses))


def test_bad_choices_are_refused():
    good = {"language": "ru", "width": 4, "steps": [5, 5, 5], "n_seeds": 2}
    stages_page.check_stages_choices(**good)
    bad = ({"language": "de"}, {"width": 3}, {"width": 5}, {"steps": [5, 5]}, {"steps": [4, 5, 5]}, {"n_seeds": 1})
    for change in bad:
        with pytest.raises(ValueError, match=next(iter(change))):
            stages_page.check_stages_choices(**good | change)
