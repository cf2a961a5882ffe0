"""Sources of tasks by name, what is said of unknown ones, and the overview."""

import numpy as np
import pytest
import tolerance
from task_data import encode

from helpers import tasks


def test_unknown_names_splits_and_sources_are_answered_with_what_there_is(documentation, tmp_path):
    with pytest.raises(ValueError, match="no task 'Sorting' in 'documentation'; there are DocumentationLibrary"):
        tasks.load_tasks("documentation", ["Sorting"])
    with pytest.raises(FileNotFoundError, match="it is 'documentation', 'hub' or a folder, and there is none"):
        tasks.load_tasks("documentations")
    with pytest.raises(ValueError, match="no split 'dev'; it has"):
        tasks.texts(documentation["DocumentationRelatednessSTS"], "dev")
    with pytest.raises(ValueError, match="the probes learn from these texts"):
        tasks.evaluate_task(documentation["DocumentationLibraryClassification"], encode, "train")
    with pytest.raises(TypeError, match="task is a str"):
        tasks.texts("DocumentationRelatednessSTS")
    with pytest.raises(ValueError, match="size is 3"):
        tasks.load_tasks("documentation", size=3)
    with pytest.raises(ValueError, match="only the tasks of 'documentation' have a size"):
        tasks.load_tasks(tmp_path, size=100)
    with pytest.raises(ValueError, match="MTEB has no task 'NFCorpsu'.*NFCorpus"):
        tasks.load_tasks("hub", "NFCorpsu")
    with pytest.raises(ValueError, match="n is 0"):
        tasks.evaluate_task(documentation["DocumentationRelatednessSTS"], encode).bootstrap(0, 0)


def test_the_overview_says_sizes_chance_and_labels(from_folder):
    table = tasks.describe_tasks(from_folder)
    assert table.loc["Banking77Classification", ["train", "validation", "test", "chance"]].tolist() == [
        60,
        60,
        30,
        1 / 3,
    ]
    assert table.loc["STSBenchmark", "texts"] == len(tasks.texts(from_folder["STSBenchmark"], ["validation", "test"]))
    assert table.loc["NFCorpus", "corpus"] == 40 and table.loc["QuoraDuplicates", "chance"] == pytest.approx(1 / 3)
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        found.append(tasks.evaluate_task(from_folder["NFCorpus"], lambda texts: rng.normal(size=(len(texts), 9))).score)
    assert np.mean(found) == pytest.approx(table.loc["NFCorpus", "chance"], abs=tolerance.of_a_mean(np.std(found), 200))
