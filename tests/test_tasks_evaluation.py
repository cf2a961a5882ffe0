"""Scores are MTEB's; items, bootstrap and digests of tasks; vectors and texts that are refused."""

import numpy as np
import pytest
import tolerance
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score
from task_data import by_mteb, encode, lookup, of_mteb, vector

from helpers import tasks
from helpers.tasks import evaluation


@pytest.mark.parametrize(
    "name",
    [
        "DocumentationLibraryClassification",
        "DocumentationRelatednessSTS",
        "DocumentationSameFunctionPairClassification",
        "DocumentationDescriptionRetrieval",
        "DocumentationCrossLibraryRetrieval",
    ],
)
def test_scores_are_those_of_mteb_on_the_same_vectors(documentation, name):
    task = documentation[name]
    found = tasks.evaluate_task(task, encode, ["validation", "test"])
    for split, result in found.items():
        if split == "test" or task.metadata.type != "Classification":  # which takes MTEB ten seconds
            assert result.score == pytest.approx(by_mteb(task, split), abs=of_mteb(task, result))
        assert (result.task, result.split, result.metric) == (name, split, task.metadata.main_score)


def test_mteb_evaluates_them_offline(documentation):
    import mteb

    chosen = [documentation[name] for name in ("DocumentationRelatednessSTS", "DocumentationCrossLibraryRetrieval")]
    results = mteb.evaluate(lookup(), chosen, cache=None, show_progress_bar=False)
    for task, result in zip(chosen, results.task_results, strict=True):
        found = tasks.evaluate_task(task, encode)
        assert result.get_score() == pytest.approx(found.score, abs=of_mteb(task, found))


def test_a_function_is_called_once_with_distinct_texts_and_mapping_and_array_do_as_well(documentation):
    task, calls = documentation["DocumentationSubmoduleClassification"], []

    def counted(texts):
        calls.append(texts)
        return encode(texts)

    both = tasks.evaluate_task(task, counted, ["validation", "test"])
    assert len(calls) == 1 and len(set(calls[0])) == len(calls[0])
    assert calls[0] == tasks.texts(task, ["validation", "test"])
    wanted = tasks.texts(task, "test")
    assert set(wanted) < set(calls[0])
    for given in ({text: vector(text) for text in wanted}, encode(wanted)):
        result = tasks.evaluate_task(task, given, "test")
        assert result.score == both["test"].score and (result.items == both["test"].items).all()


def test_knowing_the_answers_gives_the_best_score(documentation):
    task = documentation["DocumentationLibraryClassification"]
    label = {t: name for data in task.dataset.values() for t, name in zip(data["text"], data["label"], strict=True)}
    place = {name: i for i, name in enumerate(sorted(set(label.values())))}
    perfect = tasks.evaluate_task(task, {text: np.eye(12)[place[name]] for text, name in label.items()})
    assert perfect.score == 1 and (perfect.items == 1).all()


def evaluated(documentation, name):
    return tasks.evaluate_task(documentation[name], encode)


def test_items_have_the_score_as_their_mean(documentation):
    for name in ("DocumentationLibraryClassification", "DocumentationDescriptionRetrieval"):
        result = evaluated(documentation, name)
        assert result.items.shape == (result.n,) and result.items.mean() == pytest.approx(result.score)


def test_equal_seeds_draw_equal_items_so_that_differences_are_paired(documentation):
    task = documentation["DocumentationLibraryClassification"]
    one, two = tasks.evaluate_task(task, encode), tasks.evaluate_task(task, lambda texts: encode(texts) + 0.01)
    difference = one.bootstrap(0, 200) - two.bootstrap(0, 200)
    draws = np.random.default_rng(0).integers(0, one.groups.max() + 1, (200, one.groups.max() + 1))
    for draw, groups in zip(difference, draws, strict=True):
        items = np.concatenate([np.flatnonzero(one.groups == group) for group in groups])
        assert draw == pytest.approx((one.items - two.items)[items].mean(), abs=4 * tolerance.inner(len(items)))
    assert (one.bootstrap(3, 50) == one.bootstrap(np.random.default_rng(3), 50)).all()
    assert (one.bootstrap(3, 50) != one.bootstrap(4, 50)).any()


@pytest.mark.parametrize("name", ["DocumentationRelatednessSTS", "DocumentationSameFunctionPairClassification"])
def test_bootstrap_of_pairs_is_the_score_computed_anew_for_each_sample(documentation, name):
    result = evaluated(documentation, name)
    draws, truth, units = result.bootstrap(1, 20), result.items[:, 0], result.groups.max() + 1
    for draw, groups in zip(draws, np.random.default_rng(1).integers(0, units, (20, units)), strict=True):
        items = np.concatenate([np.flatnonzero(result.groups == group) for group in groups])
        if name.endswith("STS"):
            expected = spearmanr(truth[items], result.items[items, 1])[0]
        else:
            scores = result.items[items, 1:].T
            expected = max(average_precision_score(truth[items], score) for score in scores)
        assert draw == pytest.approx(expected, abs=4 * tolerance.inner(len(items)))  # ranks and counts are exact
    many = result.bootstrap(0, 300)  # resampling adds a bias of order 1 / n, below the spread of order 1 / √n
    assert many.mean() == pytest.approx(result.score, abs=many.std())


def test_without_groups_items_are_drawn_one_by_one(from_folder):
    result = tasks.evaluate_task(from_folder["NFCorpus"], encode)
    assert result.groups is None
    items = np.random.default_rng(2).integers(0, result.n, (9, result.n))
    assert result.bootstrap(2, 9) == pytest.approx(result.items[items].mean(axis=1))


def test_items_of_one_name_and_pairs_of_one_group_of_duplicates_are_drawn_together(documentation, from_folder):
    task = documentation["DocumentationCrossLibraryRetrieval"]
    names = [name.partition(":")[2] for name in task.dataset["default"]["test"]["queries"]["id"]]
    groups = tasks.evaluate_task(task, encode).groups
    assert all((groups[i] == groups[0]) == (name == names[0]) for i, name in enumerate(names))
    pairs, result = (
        from_folder["QuoraDuplicates"].dataset["test"],
        tasks.evaluate_task(from_folder["QuoraDuplicates"], encode),
    )
    group_of = dict(zip(pairs["sentence1"], result.groups, strict=True)) | dict(
        zip(pairs["sentence1"][: result.n // 3], result.groups[: result.n // 3], strict=True)
    )
    positive = zip(pairs["sentence1"], pairs["sentence2"], pairs["labels"], strict=True)
    assert all(group_of.get(b, group_of[a]) == group_of[a] for a, b, label in positive if label)


def test_training_samples_are_those_of_mteb(documentation):
    task = documentation["DocumentationSubmoduleClassification"]
    train, order = task.dataset["train"], None
    found = evaluation._samples(list(train["label"]), task.samples_per_label, 3, task.seed)
    for i in range(3):
        _, order, chosen = task._undersample_data(train, i, order)
        assert found[i] == chosen


def test_wrong_vectors_are_refused_with_the_text_they_belong_to(documentation):
    task = documentation["DocumentationRelatednessSTS"]
    wanted = tasks.texts(task)
    right = encode(wanted)
    with pytest.raises(ValueError, match=rf"shape \({len(wanted) - 1}, 24\).* for {len(wanted)} texts"):
        tasks.evaluate_task(task, right[:-1])
    broken = right.copy()
    broken[7, 3] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity for 1 of .* text 7, ") as error:
        tasks.evaluate_task(task, broken)
    assert wanted[7][:40] in str(error.value)
    lacking = {text: vector(text) for text in wanted[1:]}
    with pytest.raises(ValueError, match=f"lacks 1 of {len(wanted)} texts") as error:
        tasks.evaluate_task(task, lacking)
    assert wanted[0][:40] in str(error.value)
    with pytest.raises(ValueError, match=r"vector of shape \(3,\)"):
        tasks.evaluate_task(task, {**lacking, wanted[0]: vector(wanted[0]), wanted[5]: np.ones(3)})
    with pytest.raises(ValueError, match="dtype"):
        tasks.evaluate_task(task, np.full((len(wanted), 2), "a"))


def test_blank_texts_and_equal_labels_are_refused(documentation):
    from datasets import Dataset, DatasetDict

    task = tasks.load_tasks("documentation", "DocumentationRelatednessSTS", size=48)["DocumentationRelatednessSTS"]
    columns = {"sentence1": ["one", " "], "sentence2": ["two", "three"], "score": [1, 2]}
    task.dataset = DatasetDict(
        test=Dataset.from_dict(columns), train=Dataset.from_dict({**columns, "sentence1": ["a", "b"], "score": [1, 1]})
    )
    with pytest.raises(
        ValueError, match="split 'test': row 1 of sentence1 is ' '; a text with at least one word is needed"
    ):
        tasks.texts(task, "test")
    with pytest.raises(ValueError, match="score is 1 in all rows"):
        tasks.texts(task, "train")


def test_the_digest_follows_the_data_and_nothing_else(from_folder):
    for name, task in from_folder.items():
        first = tasks.digest_of_task(task)
        assert len(first) == 64 and first == tasks.digest_of_task(task), name
    assert len({tasks.digest_of_task(task) for task in from_folder.values()}) == len(from_folder)
    size, name = 40, "DocumentationRelatednessSTS"
    one, two, more = (tasks.load_tasks("documentation", name, size=n)[name] for n in (size, size, size + 10))
    assert tasks.digest_of_task(one) == tasks.digest_of_task(two) != tasks.digest_of_task(more)
    splits = two.dataset.get("default", two.dataset)
    splits["test"] = splits["test"].map(lambda row: {"score": row["score"] + 1})
    assert tasks.digest_of_task(two) != tasks.digest_of_task(one)
    with pytest.raises(TypeError, match="task of MTEB"):
        tasks.digest_of_task("STSBenchmark")
