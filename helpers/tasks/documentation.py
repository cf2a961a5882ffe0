"""Six MTEB tasks made of the documentation of the installed libraries.

Every text is English prose out of a docstring, read by :func:`helpers.text.documentation` where it is installed. What
is right follows from the structure of the libraries (who documents what, which functions share a name, which modules
lie together): it is no human judgement of meaning, and each task says what its labels are and are not. How texts are
divided among train, validation and test, and how they are chosen, is in :mod:`helpers.tasks.corpus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskClassification, AbsTaskPairClassification, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

from helpers.tasks import corpus
from helpers.tasks._drawing import SPLITS, revision
from helpers.tasks.corpus import split_of

__all__ = [
    "TASKS",
    "CrossLibraryRetrieval",
    "DescriptionRetrieval",
    "LibraryClassification",
    "RelatednessSTS",
    "SameFunctionPairClassification",
    "SubmoduleClassification",
    "split_of",
]


def _metadata(name: str, kind: str, score: str, description: str, **more: Any) -> TaskMetadata:
    return TaskMetadata(
        **{
            "name": f"Documentation{name}",
            "description": " ".join(description.split()),
            "type": kind,
            "main_score": score,
            "dataset": {"path": "documentation of the installed libraries", "revision": "as installed"},
            "reference": "https://peps.python.org/pep-0257/",
            "date": ("2001-01-01", "2026-12-31"),  # of the texts, roughly
            "category": "t2t",
            "modalities": ["text"],
            "eval_splits": ["test"],
            "eval_langs": ["eng-Latn"],
            "domains": ["Programming", "Written"],
            "task_subtypes": [],
            "annotations_creators": "derived",
            "sample_creation": "found",
            "dialect": [],
            "license": "not specified",
            "bibtex_citation": "",
            **more,
        }
    )


class _Documentation:
    """Loading from the documentation; ``size`` is how many items the test split has at most.

    ``groups`` holds for each split the name of the object that each item begins with: items of one name are not
    independent of each other.
    """

    def __init__(self, size: int = 600, **keywords: Any):
        super().__init__(**keywords)
        if isinstance(size, bool) or size != int(size) or size < 40:
            raise ValueError(f"size is {size!r}; it is a whole number of items, at least 40")
        self.size = int(size)

    def load_data(self, *arguments: Any, **keywords: Any) -> None:
        """Build the three splits; nothing is fetched."""
        if self.data_loaded:
            return
        self.dataset = self._built(corpus.objects())
        dataset = {**self.metadata.dataset, "revision": revision(self.dataset)}
        self.metadata = self.metadata.model_copy(update={"dataset": dataset})
        self.data_loaded = True

    def _rows(self, columns: tuple[str, ...], rows: Mapping[str, list[tuple]]) -> DatasetDict:
        self.groups = {split: [row[-1] for row in rows[split]] for split in SPLITS}
        return DatasetDict(
            {
                split: Dataset.from_dict({name: [row[i] for row in rows[split]] for i, name in enumerate(columns)})
                for split in SPLITS
            }
        )

    def _searches(self, found: Mapping[str, corpus.Searches]) -> dict:
        self.groups, splits = {}, {}
        for split, (queries, documents, relevant, names) in found.items():
            self.groups[split] = names
            splits[split] = {
                "queries": Dataset.from_dict({"id": list(queries), "text": list(queries.values())}),
                "corpus": Dataset.from_dict({"id": list(documents), "text": list(documents.values())}),
                "relevant_docs": relevant,
                "top_ranked": None,
            }
        return {"default": splits}


class LibraryClassification(_Documentation, AbsTaskClassification):
    """Which of twelve libraries a sentence documents.

    The label is where the sentence was found. Names of libraries, with their usual short forms, and the object's own
    names are covered. It is not the subject of the sentence: libraries share subjects, and habits of style (of
    numpydoc, of Google's style) help.
    """

    metadata = _metadata("LibraryClassification", "Classification", "accuracy", __doc__, category="t2c")

    def _built(self, things):
        hidden = {*corpus.LIBRARIES, *corpus.ALIASES}
        rows = corpus.labelled(
            things, lambda thing: thing.package if thing.package in corpus.LIBRARIES else None, hidden, self.size
        )
        return self._rows(("text", "label"), rows)


class SubmoduleClassification(_Documentation, AbsTaskClassification):
    """Which submodule of SciPy, SymPy or scikit-learn a sentence documents.

    The label is where the sentence was found, among 23 submodules. Names of the libraries and of all these submodules,
    and the object's own names, are covered. It is a subject only as far as each submodule has one; some overlap
    (interpolation and integration, statistics and metrics).
    """

    metadata = _metadata("SubmoduleClassification", "Classification", "accuracy", __doc__, category="t2c")

    def _built(self, things):
        labels = {f"{library}.{name}" for library, names in corpus.SUBMODULES.items() for name in names}
        hidden = {*corpus.LIBRARIES, *corpus.ALIASES, *(part for label in labels for part in label.split("."))}
        rows = corpus.labelled(things, lambda thing: thing.area if thing.area in labels else None, hidden, self.size)
        return self._rows(("text", "label"), rows)


class RelatednessSTS(_Documentation, AbsTaskSTS):
    """How near two functions lie to each other, by what they are called and where.

    The score is 3 for functions of one name in two libraries, 2 for different functions of one submodule, 1 for
    functions of different submodules of one library, 0 for different functions of different libraries; the texts are
    the first sentences of their documentation. It is a grade of structure, not a human judgement: two functions of
    score 0 may do nearly the same, and a name may mean different things in two libraries. The four grades have equal
    shares and the same first texts.
    """

    metadata = _metadata("RelatednessSTS", "STS", "cosine_spearman", __doc__)
    min_score, max_score = 0, 3

    def _built(self, things):
        return self._rows(("sentence1", "sentence2", "score"), corpus.related(corpus.functions(), self.size))


class SameFunctionPairClassification(_Documentation, AbsTaskPairClassification):
    """Whether two sentences document the same function in two libraries.

    The label is 1 if the functions share a name (or one of a few synonyms such as ``arcsin`` and ``asin``) and 0
    otherwise, for the lexically nearest sentence (by TF-IDF) of another function: negatives are hard and look alike.
    A shared name is no proof of equal meaning, and some pairs of label 0 do the same under other names.
    """

    metadata = _metadata(
        "SameFunctionPairClassification", "PairClassification", "max_ap", __doc__, task_subtypes=["Duplicate Detection"]
    )

    def _built(self, things):
        return self._rows(("sentence1", "sentence2", "labels"), corpus.duplicates(corpus.functions(), self.size))


class DescriptionRetrieval(_Documentation, AbsTaskRetrieval):
    """From the first sentence of a docstring to the rest of it.

    The query is the first sentence, the document the next fifty words, of functions, methods and classes of all
    libraries; one document is relevant. Others may answer as well (of a sibling that was documented by copying): these
    count as wrong, so the best score that can be reached is below 1.
    """

    metadata = _metadata("DescriptionRetrieval", "Retrieval", "ndcg_at_10", __doc__)

    def _built(self, things):
        return self._searches(corpus.descriptions(things, self.size))


class CrossLibraryRetrieval(_Documentation, AbsTaskRetrieval):
    """From a function to the functions of the same name in other libraries.

    The query is the first sentence of a function's documentation; relevant are the documentations (first fifty words)
    of the functions of that name, or a synonym, in other numeric libraries, among those of other functions; its own
    documentation is left out. As in ``SameFunctionPairClassification``, a shared name is no proof of equal meaning.
    """

    metadata = _metadata("CrossLibraryRetrieval", "Retrieval", "ndcg_at_10", __doc__)
    ignore_identical_ids = True

    def _built(self, things):
        return self._searches(corpus.counterparts(corpus.functions(), self.size))


TASKS = {
    task.metadata.name: task
    for task in (
        LibraryClassification,
        SubmoduleClassification,
        RelatednessSTS,
        SameFunctionPairClassification,
        DescriptionRetrieval,
        CrossLibraryRetrieval,
    )
}
