"""MTEB's own tasks from the hub, with a validation split where they were published without one."""

from __future__ import annotations

import warnings
from typing import Any

import mteb
from datasets import DatasetDict, get_dataset_config_names, get_dataset_split_names
from mteb.abstasks import AbsTask, AbsTaskClassification, AbsTaskRetrieval

from helpers.locations import resolve
from helpers.tasks._drawing import digest, held_out

__all__ = ["load_task", "resolve"]

VALIDATION = ("validation", "dev", "val", "valid")  # how a validation split may be called
HELD_OUT = 2000  # texts of train that become validation, at most a fifth of them


def load_task(name: str) -> AbsTask:
    """A task of MTEB with splits ``"validation"``, ``"test"`` and, if it has one, ``"train"``.

    The validation split is the published one. Where there is none, a fifth of train, at most 2000 texts, is taken out
    of it by hashes: texts of a classification, as many of each label as of the others, or queries of a retrieval.

    Raises
    ------
    ValueError
        If MTEB has no task of that name, or it has neither a validation split nor one to take it from.
    OSError
        If the data are neither in ``$BOOK_DATA`` nor can be fetched.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            task = mteb.get_task(name)
        except KeyError as error:
            raise ValueError(f"MTEB has no task {name!r}: {error.args[0]}") from None
    published = task.metadata.dataset
    place = {**published, "path": resolve(published["path"])}
    task.metadata = task.metadata.model_copy(update={"dataset": place})
    try:
        if isinstance(task, AbsTaskRetrieval):
            task.filter_eval_splits(_splits_of_retrieval(place["path"], place["revision"]))
        task.load_data()
    except (OSError, ValueError) as error:
        error.add_note(f"the data of {name} are {published['path']!r} of the hub; no folder of BOOK_DATA stands for it")
        raise
    task.metadata = task.metadata.model_copy(update={"dataset": published})
    if isinstance(task, AbsTaskRetrieval):
        task.convert_v1_dataset_format_to_v2(num_proc=None)
        task.filter_eval_splits(["test"])
    nested = "default" in task.dataset
    splits = dict(task.dataset["default"] if nested else task.dataset)
    splits = _with_validation(task, splits)
    task.dataset = {"default": splits} if nested else DatasetDict(splits)
    return task


def _splits_of_retrieval(path: str, revision: str) -> list[str]:
    """The splits that have judgements."""
    configs = get_dataset_config_names(path, revision=revision)
    config = "default" if "default" in configs else "qrels"
    return get_dataset_split_names(path, config_name=config, revision=revision)


def _with_validation(task: Any, splits: dict[str, Any]) -> dict[str, Any]:
    """The splits under the names train, validation and test."""
    there = next((name for name in VALIDATION if name in splits), None)
    found = {name: splits[name] for name in ("train", "test") if name in splits}
    if there is not None:
        return {**found, "validation": splits[there]}
    if "train" in splits and isinstance(task, AbsTaskClassification):
        train, column, label = splits["train"], task.input_column_name, task.label_column_name
        n = min(HELD_OUT, len(train) // 5)
        stay, out = held_out(list(train[column]), list(train[label]), list(splits["test"][column]), n)
        return {**found, "train": train.select(stay), "validation": train.select(out)}
    if "train" in splits and isinstance(task, AbsTaskRetrieval):
        relevant = splits["train"]["relevant_docs"]
        order = sorted(relevant, key=digest)
        out = set(order[: min(HELD_OUT, len(order) // 5)])
        parts = {"train": [q for q in order if q not in out], "validation": [q for q in order if q in out]}
        for split, queries in parts.items():
            chosen = {query: relevant[query] for query in queries}
            found[split] = {**splits["train"], "relevant_docs": chosen}
        return found
    raise ValueError(
        f"{task.metadata.name} has the splits {sorted(splits)}: none is for validation, and none can be made of train"
    )
