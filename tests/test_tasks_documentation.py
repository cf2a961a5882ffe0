"""The tasks of the documentation as it is installed: splits, sizes, and what MTEB wants to know of a task."""

import numpy as np
from task_data import SPLITS

from helpers import tasks
from helpers.tasks import corpus, evaluation


def test_no_text_is_in_two_splits_of_any_task(documentation):
    parts = {split: set() for split in SPLITS}
    for task in documentation.values():
        for split, data in evaluation._splits(task).items():
            if isinstance(data, dict):
                found = [*data["queries"]["text"], *data["corpus"]["text"]]
            else:
                found = [
                    text
                    for name in data.column_names
                    if name not in ("label", "labels", "score")
                    for text in data[name]
                ]
            parts[split].update(text.lower() for text in found)
    assert all(len(texts) > 250 for texts in parts.values())
    assert not parts["train"] & parts["test"] and not parts["validation"] & (parts["train"] | parts["test"])


def test_no_object_is_in_two_splits(documentation):
    owners = {}
    for one in corpus.objects():
        for sentence in one.sentences:
            owners.setdefault(sentence, set()).add(one.split)
    names = ("DocumentationRelatednessSTS", "DocumentationSameFunctionPairClassification")
    for name in names:
        for split, data in documentation[name].dataset.items():
            assert {frozenset(owners[text]) for text in data["sentence1"]} == {frozenset({split})}
            assert {frozenset(owners[text]) for text in data["sentence2"]} == {frozenset({split})}
    for split, data in documentation["DocumentationDescriptionRetrieval"].dataset["default"].items():
        assert {frozenset(owners[text]) for text in data["queries"]["text"]} == {frozenset({split})}


def test_equal_corpora_give_equal_tasks_and_a_digest_says_so(documentation):
    again = tasks.load_tasks("documentation", ["DocumentationLibraryClassification"], size=96)
    (name, task), known = *again.items(), documentation
    assert task.metadata.revision == known[name].metadata.revision
    assert task.dataset["test"].to_dict() == known[name].dataset["test"].to_dict()
    smaller = tasks.load_tasks("documentation", name, size=48)[name]
    assert smaller.metadata.revision != task.metadata.revision


def test_documentation_tasks_are_tasks_of_mteb_with_all_that_is_to_be_said(documentation):
    from mteb.abstasks import AbsTask

    kinds = [task.metadata.type for task in documentation.values()]
    assert kinds == ["Classification", "Classification", "STS", "PairClassification", "Retrieval", "Retrieval"]
    for task in documentation.values():
        assert isinstance(task, AbsTask) and task.metadata.is_filled() and "is" in task.metadata.description
        assert set(evaluation._splits(task)) == set(SPLITS)


def test_classes_are_of_equal_size_and_negatives_twice_the_positives(documentation):
    labels = documentation["DocumentationLibraryClassification"].dataset["test"]["label"]
    assert {list(labels).count(label) for label in set(labels)} == {8} and len(set(labels)) == 12
    pairs = np.array(documentation["DocumentationSameFunctionPairClassification"].dataset["test"]["labels"])
    assert 3 * pairs.sum() == len(pairs)
    grades = list(documentation["DocumentationRelatednessSTS"].dataset["test"]["score"])
    assert all(abs(grades.count(grade) - len(grades) / 4) <= 2 for grade in range(4))
