"""From embeddings to a report."""

import numpy as np
import pandas as pd
import pytest
from report_data import LEFT, halves

from helpers.inputs import read
from helpers.report import (
    BEST,
    PLAIN,
    StepProgress,
    best_ensemble,
    build,
    evaluate_by_labels,
    fit_chosen,
    gains_of_ensembles,
    pairwise_similarity,
    score_spaces,
)
from helpers.report.recipes import FEWER
from helpers.report.steps import expected_seconds


def test_a_report_is_what_its_steps_give(built):
    report, _, found, labels = built
    assert report.decisions.redundant == ["dice", "turned"] and report.decisions.target == "labels"
    groups = {"one": ["one", "turned"], "other": ["other"]}
    assert report.decisions.groups == groups
    evaluation = evaluate_by_labels(found, labels, groups=groups)
    pd.testing.assert_frame_equal(report.tables["quality"], score_spaces(evaluation))
    pd.testing.assert_frame_equal(report.tables["gains"], gains_of_ensembles(evaluation, [BEST, PLAIN, *FEWER]))
    pd.testing.assert_frame_equal(report.tables["similarity"], pairwise_similarity(found))
    label = best_ensemble(report.tables["quality"])
    fitted = fit_chosen(found, groups, label=label, evaluation=evaluation)
    given = {name: found[name] for name in fitted.names_}
    assert np.allclose(report.combined, fitted.transform(given)) and report.ensemble.used_ == fitted.used_
    assert report.tables["cost"].loc[label, "width"] == report.combined.shape[1]


def test_progress_tells_each_step_and_the_time_left(built):
    said = built[1]
    assert said[0] == StepProgress("reading", "running") and said[1] == StepProgress("reading", "done")
    assert [p.state for p in said[2:]] == ["running", "done"] * (len(said) // 2 - 1)
    steps = [p.step for p in said[2::2]]
    assert steps[0] == "what was read" and steps[-1] == "the ensemble of all objects" and "gains" in steps
    assert said[2].seconds_left > said[-2].seconds_left > said[-1].seconds_left == 0


def test_the_time_left_counts_the_subsets_that_are_tried():
    sizes = [1000, [200] * 5, "labels", 5, 1000]
    without, whole = expected_seconds(*sizes), expected_seconds(*sizes, what_to_keep=True)
    assert set(whole) - set(without) == {"what to keep"}
    for other in ([2000, *sizes[1:]], [1000, [200] * 6, *sizes[2:]], [1000, [300] * 5, *sizes[2:]]):
        assert expected_seconds(*other, what_to_keep=True)["what to keep"] > whole["what to keep"]
    said = []
    build(halves(60)[0], labels=np.arange(60) % 2, what_to_keep=True, progress=said.append)
    (begun,) = (one for one in said if one.step == "what to keep" and one.state == "running")
    assert begun.seconds_left > 0 == said[-1].seconds_left


def test_without_a_target_the_report_chooses_nothing_and_says_why():
    report = build(halves(60)[0])
    assert report.decisions.use == "one of each group + PCA" and report.decisions.verdict is None
    assert "no gain can be measured" in report.summary[1] and "not its use" in report.sentences["quality"]
    assert list(report.tables["quality"]) == ["effective_rank", "isotropic_rank", "anisotropy"]
    assert not len(report.tables["gains"]) and "scores" not in report.to_html()
    with pytest.raises(KeyError, match="no figure 'scores'"):
        report.figure("scores")


def test_reports_of_pairs_qrels_and_groups_are_on_their_targets(tmp_path):
    found, _ = halves(90)
    rng = np.random.default_rng(0)
    left, right = rng.permutation(90).reshape(2, -1)
    pairs = pd.DataFrame({"left": left, "right": right, "score": rng.normal(size=45)})
    qrels = pd.DataFrame({"query": np.arange(45), "document": np.arange(45, 90), "relevance": 1})
    qrels.to_csv(tmp_path / "qrels.csv", index=False)
    given = {"pairs": pairs, "qrels": tmp_path / "qrels.csv", "groups": np.arange(90) % 30}
    metrics = {"pairs": "Spearman", "qrels": "nDCG@10", "groups": "nDCG@10"}
    for name, value in given.items():
        report = build(found, width=3, folds=3, n_objects=60, **{name: value})
        assert report.evaluation.metric == metrics[name]
        assert report.decisions.target == ("pairs" if name == "pairs" else "qrels")


def test_inputs_that_were_read_are_taken_and_no_arguments_of_reading_beside_them(built):
    report, _, found, labels = built
    inputs = read(found, labels=labels)
    again = build(inputs)
    pd.testing.assert_frame_equal(again.tables["gains"], report.tables["gains"])
    with pytest.raises(ValueError, match="labels given, but inputs were read before"):
        build(inputs, labels=labels)


def test_wrong_arguments_are_refused_before_anything_is_read(tmp_path):
    for wrong, words in [
        ({"folds": 2}, "folds is 2"),
        ({"n_objects": 3}, "n_objects is 3"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"width": 0}, "width is 0"),
        ({"normalize": "cubes"}, "normalize is 'cubes'"),
    ]:
        with pytest.raises(ValueError, match=words):
            build(tmp_path / "nowhere", **wrong)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        build(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="same_model is .*two of the embeddings"):
        build(halves(30)[0], same_model=["one", "nobody"])


def test_one_embedding_is_refused_before_any_step_and_the_error_says_what_to_compare():
    x, said = np.random.default_rng(0).normal(size=(88, 3)), []
    with pytest.raises(ValueError, match=r"only one embedding is given, \['x'\]; a report compares at least two$"):
        build({"x": x}, progress=said.append)
    assert {p.step for p in said} <= {"reading"}
    with pytest.raises(ValueError, match=r"only one embedding is given, \['x'\]; .* pass readout='compare'$"):
        build({"x": x}, pool_by=np.arange(88) // 4)
    assert len(build({"x": x}, pool_by=np.arange(88) // 4, readout=["centroid", "medoid"]).inputs.representations) == 2


def test_too_few_objects_are_counted_before_any_step():
    x = np.random.default_rng(0).normal(size=(84, 3))
    with pytest.raises(ValueError, match="21 objects are described by all embeddings; at least 22 .* 10 nearest"):
        build({"x": x[:21], "y": x[21:42]})
    with pytest.raises(ValueError, match="21 groups of items are described"):
        build({"x": x}, pool_by=np.arange(84) // 4, readout="compare")


def test_an_interrupted_report_goes_on_in_its_folder(built, tmp_path):
    report, _, found, labels = built

    def stop(progress):
        if progress == ("gains", "running", progress.seconds_left):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(found, labels=labels, folder=tmp_path, progress=stop)
    said = []
    again = build(found, labels=labels, folder=tmp_path, progress=said.append)
    states = {p.step: p.state for p in said}
    assert states["similarity"] == states["scores"] == "kept" and states["gains"] == "done"
    pd.testing.assert_frame_equal(again.tables["gains"], report.tables["gains"])
    assert {path.name for path in tmp_path.iterdir()} == LEFT
    assert isinstance(again.combined, np.memmap) and np.allclose(again.combined, report.combined)
    with pytest.raises(FileExistsError, match="finished report"):
        build(found, labels=labels, folder=tmp_path)
