"""The eight sentence tasks of encodechka :cite:`dale2022encodechka` from a folder: by its rules, or by honest ones.

The folder holds the benchmark's files as it publishes them::

    stsb_dev.csv                               sentence1, sentence2, similarity_score
    para_gold.csv                              text_1, text_2, class
    xnli_ru.csv                                sentence1, sentence2, gold_label
    SentiRuEval2016_small_{train,test}.csv     text, answer
    toxic_{train,test}.csv                     text, toxic
    inappropriate_{train,test}.csv             text, y
    intents_{train,test}.csv                   text, answer (the same in English), label

The benchmark takes, of the outputs of an encoder (its poolings) and of two classifiers, the one that is best *on the
test part*, which favours encoders with many outputs. The honest variant chooses on the training part by
cross-validation, or, where there is none, on one half of the pairs for the other half.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskClassification, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

from helpers.arrays import check_count
from helpers.locations import expand
from helpers.metrics import roc_auc, spearman
from helpers.tasks._drawing import digest
from helpers.tasks._files import FolderTask, filled_rows, number_within, table_of
from helpers.tasks.evaluation import ScoringPlan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ENCODECHKA", "encodechka_scores", "load_encodechka", "mean_scores"]

Choice = Literal["published", "honest"]
Encode = Callable[[list[str]], Any]
CLF = ("TI", "SA", "IA")  # tasks of the mean of classifications
_ABOUT = {
    "reference": "https://github.com/avidale/encodechka",
    "category": "t2t",
    "modalities": ["text"],
    "eval_splits": ["test"],
    "eval_langs": ["rus-Cyrl"],
    "date": ("2016-01-01", "2022-12-31"),
    "domains": ["Written", "Web"],
    "license": "not specified",
    "annotations_creators": "human-annotated",
    "dialect": [],
    "sample_creation": "found",
    "bibtex_citation": "",
    "dataset": {"path": "encodechka, from a folder", "revision": "not read yet"},
}


def _about(name: str, kind: str, metric: str, doc: str) -> TaskMetadata:
    return TaskMetadata(
        name=name, description=" ".join(doc.split()), type=kind, main_score=metric, task_subtypes=[], **_ABOUT
    )


# Scores, of vectors that may be sparse


def _unit(x: Any) -> Any:
    from sklearn.preprocessing import normalize

    return normalize(x)


def _cosines(x: Any, y: Any) -> np.ndarray:
    product = x.multiply(y) if hasattr(x, "multiply") else x * y
    return np.asarray(product.sum(axis=1)).ravel()


def _classifiers(metric: str) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    found: dict[str, Any] = {"logistic regression": LogisticRegression(max_iter=10_000)}
    if metric == "accuracy":
        found["3 neighbours"] = KNeighborsClassifier(n_neighbors=3, weights="distance")
    return found


def _folds() -> Any:
    from sklearn.model_selection import KFold

    return KFold(n_splits=3, shuffle=True, random_state=1)


class _Paired(ScoringPlan):
    """Two columns of texts and a number for each pair: Spearman of cosine and number, or accuracy by the cosine."""

    def __init__(self, where: str, data: Any, metric: str, choice: Choice, names: tuple[str, str]):
        super().__init__(where, {name: data[name] for name in names})
        self.names, self.truth, self.metric, self.choice = names, np.array(list(data["score"])), metric, choice
        self.n = len(self.truth)
        half = [digest(a, b)[0] < "8" for a, b in zip(*(self.columns[name] for name in names), strict=True)]
        self.half = np.array(half)
        self.chance = 0.0 if metric == "cosine_spearman" else max(np.unique(self.truth, return_counts=True)[1]) / self.n

    def score(self, vectors: Any, rows: dict[str, np.ndarray], known: dict[str, Any]) -> tuple[float, np.ndarray]:
        return self.scored({"": vectors}, rows)[:2]

    def scored(self, outputs: Mapping[str, Any], rows: dict[str, np.ndarray]) -> tuple[float, np.ndarray, str]:
        """Score, items, and what was chosen."""
        cosines = {
            name: _cosines(*(_unit(vectors[rows[side]]) for side in self.names)) for name, vectors in outputs.items()
        }
        items = {name: self._items(found) for name, found in cosines.items()}
        values = {name: self._value(each) for name, each in items.items()}
        if self.choice == "published" or len(outputs) == 1:
            best = max(values, key=values.get)
            return values[best], items[best], best
        parts, chosen = [], []
        for half in (self.half, ~self.half):  # what is best on the other half is scored on this one
            best = max(items, key=lambda name, half=half: self._value(items[name][~half]))
            parts.append(self._value(items[best][half]))
            chosen.append(best)
        return float(np.mean(parts)), items[chosen[0]], " / ".join(dict.fromkeys(chosen))

    def _items(self, cosines: np.ndarray) -> np.ndarray:
        if self.metric == "cosine_spearman":
            return np.column_stack([self.truth, cosines])
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_predict

        model = LogisticRegression(max_iter=10_000)
        return (cross_val_predict(model, cosines[:, None], self.truth, cv=_folds()) == self.truth).astype(float)

    def _value(self, items: np.ndarray) -> float:
        return float(spearman(*items.T) if items.ndim == 2 else items.mean())


class _Taught(ScoringPlan):
    """Texts with labels to learn from and others to classify: accuracy, or the area under the ROC curve."""

    def __init__(self, where: str, train: Any, test: Any, metric: str, choice: Choice):
        super().__init__(where, {"train": train["text"], "test": test["text"]})
        self.labels, self.truth = (np.array(list(data["label"])) for data in (train, test))
        self.metric, self.choice, self.n = metric, choice, len(self.truth)
        often = np.unique(self.labels, return_counts=True)
        self.chance = 0.5 if metric == "roc_auc" else float(np.mean(self.truth == often[0][often[1].argmax()]))

    def score(self, vectors: Any, rows: dict[str, np.ndarray], known: dict[str, Any]) -> tuple[float, np.ndarray]:
        return self.scored({"": vectors}, rows)[:2]

    def scored(self, outputs: Mapping[str, Any], rows: dict[str, np.ndarray]) -> tuple[float, np.ndarray, str]:
        """Score, items, and what was chosen."""
        options = [(output, name) for output in outputs for name in _classifiers(self.metric)]
        train = {output: _unit(vectors[rows["train"]]) for output, vectors in outputs.items()}
        test = {output: _unit(vectors[rows["test"]]) for output, vectors in outputs.items()}

        def items(option: tuple[str, str]) -> np.ndarray:
            model = _classifiers(self.metric)[option[1]].fit(train[option[0]], self.labels)
            return self._items(model, test[option[0]], self.truth)

        if self.choice == "published" or len(options) == 1:
            found = {option: items(option) for option in options}
            best = max(found, key=lambda option: self._value(found[option]))
            return self._value(found[best]), found[best], " · ".join(filter(None, best))
        best = max(options, key=lambda option: self._validated(train[option[0]], option[1]))
        found = items(best)
        return self._value(found), found, " · ".join(filter(None, best))

    def _validated(self, x: Any, name: str) -> float:
        """How good a classifier is on the training part, by three folds."""
        values = []
        for inner, outer in _folds().split(self.labels):
            model = _classifiers(self.metric)[name].fit(x[inner], self.labels[inner])
            values.append(self._value(self._items(model, x[outer], self.labels[outer])))
        return float(np.mean(values))

    def _items(self, model: Any, x: Any, truth: np.ndarray) -> np.ndarray:
        if self.metric == "accuracy":
            return (model.predict(x) == truth).astype(float)
        return np.column_stack([truth, model.predict_proba(x)[:, 1]])

    def _value(self, items: np.ndarray) -> float:
        return float(roc_auc(*items.T) if items.ndim == 2 else items.mean())


# Tasks


class _Encodechka(FolderTask):
    """Files of the benchmark; scored by its rules or by honest ones."""

    metric = "accuracy"

    def __init__(self, folder: str | Path, choice: Choice = "published", **keywords: Any):
        super().__init__(folder, **keywords)
        self.choice = choice

    def own_plan(self, where: str, data: Mapping[str, Any], split: str) -> ScoringPlan:
        """How a split is scored."""
        raise NotImplementedError

    def _evaluate_subset(
        self, model: Any, data_split: Any, *, encode_kwargs: Any, hf_split: str, hf_subset: str, **_: Any
    ):
        """What MTEB asks for: the score of a model on a split."""
        from mteb._create_dataloaders import create_dataloader

        plan = self.own_plan(self.metadata.name, self.dataset, hf_split)
        texts = create_dataloader(Dataset.from_dict({"text": plan.texts}), task_metadata=self.metadata, **encode_kwargs)
        vectors = model.encode(
            texts, task_metadata=self.metadata, hf_split=hf_split, hf_subset=hf_subset, **encode_kwargs
        )
        rows = plan.rows({text: row for row, text in enumerate(plan.texts)})
        return {self.metric: plan.score(np.asarray(vectors), rows, {})[0]}


class _PairTask(_Encodechka, AbsTaskSTS):
    columns = ("sentence1", "sentence2", "similarity_score")

    def own_plan(self, where: str, data: Mapping[str, Any], split: str) -> ScoringPlan:
        return _Paired(where, data[split], self.metric, self.choice, ("sentence1", "sentence2"))

    def _read(self) -> DatasetDict:
        path = self.folder / self.files[0]
        rows = filled_rows(path, table_of(path, self.columns), self.columns)
        one, two, truth = self.columns
        data = {
            "sentence1": [row[one] for row in rows],
            "sentence2": [row[two] for row in rows],
            "score": [self._truth(path, number, row[truth]) for number, row in enumerate(rows, 1)],
        }
        return DatasetDict({"test": Dataset.from_dict(data)})

    def _truth(self, path: Path, row: int, cell: str) -> float:
        return number_within(path, row, self.columns[2], cell, self.min_score, self.max_score)


class EncodechkaSTS(_PairTask):
    """Semantic similarity of pairs of sentences from 0 to 5: the STS benchmark's development part in Russian."""

    files, metric = ("stsb_dev.csv",), "cosine_spearman"
    metadata = _about("EncodechkaSTS", "STS", "cosine_spearman", __doc__)


class EncodechkaParaphrase(_PairTask):
    """Whether two headlines are paraphrases: no (−1), nearly (0), yes (1)."""

    files, metric, columns = ("para_gold.csv",), "cosine_spearman", ("text_1", "text_2", "class")
    min_score, max_score = -1, 1
    metadata = _about("EncodechkaParaphrase", "STS", "cosine_spearman", __doc__)


class EncodechkaNLI(_PairTask):
    """Entailment, contradiction or neither, by logistic regression on the cosine alone in three folds (XNLI)."""

    files, columns = ("xnli_ru.csv",), ("sentence1", "sentence2", "gold_label")
    labels = ("contradiction", "entailment", "neutral")
    metadata = _about("EncodechkaNLI", "PairClassification", "accuracy", __doc__)

    def _truth(self, path: Path, row: int, cell: str) -> float:
        if cell not in self.labels:
            raise ValueError(f"{path}, row {row}: gold_label is {cell!r}; it is one of {', '.join(self.labels)}")
        return self.labels.index(cell)


class _LabelTask(_Encodechka, AbsTaskClassification):
    label_column, sides = "label", ("text", "text")

    def own_plan(self, where: str, data: Mapping[str, Any], split: str) -> ScoringPlan:
        if split == "train":
            raise ValueError(f"{where}: the classifiers learn from these texts; evaluate 'test'")
        return _Taught(where, data["train"], data[split], self.metric, self.choice)

    def _read(self) -> DatasetDict:
        found = {}
        for split, name, side in zip(("train", "test"), self.files, self.sides, strict=True):
            path = self.folder / name
            needed = (side, self.label_column)
            rows = filled_rows(path, table_of(path, needed), needed)
            if self.metric == "roc_auc":
                for number, row in enumerate(rows, 1):
                    if row[self.label_column] not in ("0", "1"):
                        raise ValueError(
                            f"{path}, row {number}: {self.label_column} is {row[self.label_column]!r}; it is 0 or 1"
                        )
            labels = [int(r[needed[1]]) if self.metric == "roc_auc" else r[needed[1]] for r in rows]
            found[split] = Dataset.from_dict({"text": [row[side] for row in rows], "label": labels})
        return DatasetDict(found)


def _files(stem: str) -> tuple[str, str]:
    return f"{stem}_train.csv", f"{stem}_test.csv"


class EncodechkaSentiment(_LabelTask):
    """Sentiment of tweets about companies: negative, neutral, positive (SentiRuEval 2016)."""

    files, label_column = _files("SentiRuEval2016_small"), "answer"
    metadata = _about("EncodechkaSentiment", "Classification", "accuracy", __doc__)


class EncodechkaToxicity(_LabelTask):
    """Whether a comment is toxic."""

    files, label_column, metric = _files("toxic"), "toxic", "roc_auc"
    metadata = _about("EncodechkaToxicity", "Classification", "roc_auc", __doc__)


class EncodechkaInappropriateness(_LabelTask):
    """Whether a message is inappropriate, which it can be without being toxic."""

    files, label_column, metric = _files("inappropriate"), "y", "roc_auc"
    metadata = _about("EncodechkaInappropriateness", "Classification", "roc_auc", __doc__)


class EncodechkaIntents(_LabelTask):
    """Intents of questions to an assistant, machine-translated into Russian."""

    files = _files("intents")
    metadata = _about("EncodechkaIntents", "Classification", "accuracy", __doc__)


class EncodechkaIntentsAcross(_LabelTask):
    """Intents of questions in Russian, learned from the same kind of questions in English."""

    files, sides = _files("intents"), ("answer", "text")
    metadata = _about("EncodechkaIntentsAcross", "Classification", "accuracy", __doc__)


#: Tasks by the benchmark's own short names, in its order.
ENCODECHKA: dict[str, type[_Encodechka]] = {
    "STS": EncodechkaSTS,
    "PI": EncodechkaParaphrase,
    "NLI": EncodechkaNLI,
    "SA": EncodechkaSentiment,
    "TI": EncodechkaToxicity,
    "IA": EncodechkaInappropriateness,
    "IC": EncodechkaIntents,
    "ICX": EncodechkaIntentsAcross,
}


def load_encodechka(
    folder: str | os.PathLike[str], names: Iterable[str] | str | None = None, *, choice: Choice = "published"
) -> dict[str, _Encodechka]:
    """The sentence tasks of encodechka, with their data, as tasks of MTEB.

    Parameters
    ----------
    folder
        Folder with the files of the benchmark; ``$VARIABLES`` are expanded.
    names
        Some of :data:`ENCODECHKA`; None for all eight.
    choice
        What is chosen of two classifiers (and several outputs): ``"published"``, the best on the test part, as the
        benchmark does; ``"honest"``, the best on the training part by cross-validation, or, for pairs, the best on the
        other half of them.

    Returns
    -------
    dict of str to AbsTask
        Tasks by short name, which ``mteb.evaluate`` and :func:`~helpers.tasks.evaluate_task` run.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or files are missing (all are named).
    ValueError
        If a name or a choice is unknown, or a file is not as it should be (file, row and column are named).
    """
    if choice not in ("published", "honest"):
        raise ValueError(f"choice is {choice!r}; it is 'published' or 'honest'")
    wanted = list(ENCODECHKA) if names is None else [names] if isinstance(names, str) else list(names)
    if unknown := [name for name in wanted if name not in ENCODECHKA]:
        raise ValueError(f"no task {', '.join(map(repr, unknown))}; there are {', '.join(ENCODECHKA)}")
    folder = Path(expand(folder))
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; the files of encodechka are needed")
    found = {name: ENCODECHKA[name](folder, choice) for name in wanted}
    for task in found.values():
        task.load_data()
    return found


def encodechka_scores(
    encode: Encode | Mapping[str, Encode],
    folder: str | os.PathLike[str],
    names: Iterable[str] | str | None = None,
    *,
    choice: Choice | Sequence[Choice] = ("published", "honest"),
    n_resamples: int = 0,
) -> pd.DataFrame:
    """Scores of an encoder on encodechka, by the benchmark's rules and by honest ones.

    Parameters
    ----------
    encode
        A function from texts to an array or sparse matrix of shape (n_texts, n_features); or several by name, the
        outputs of one encoder (its poolings) of which one is chosen for each task. Rows are scaled to unit length.
    folder
        Folder with the files of the benchmark, as in :func:`load_encodechka`.
    names
        Some of :data:`ENCODECHKA`; None for all eight.
    choice
        Rules of choice, one or several.
    n_resamples
        Bootstrap samples of the test part, for standard errors; 0 for none.

    Returns
    -------
    DataFrame
        A row for each task, by short name: ``metric``, ``n`` (texts or pairs of the test part), ``chance``, for each
        choice a column of that name with the score, and under ``chosen_…`` what was chosen. With ``n_resamples`` also
        ``se_…``, the standard error over the texts of the test part, what was chosen and learned being as it is.
        :func:`mean_scores` gives the means that the benchmark ranks by.

    Raises
    ------
    ValueError
        If vectors are not one finite row for each text, or in the same cases as :func:`load_encodechka`.
    """
    import pandas as pd

    choices = [choice] if isinstance(choice, str) else list(choice)
    outputs = dict(encode) if isinstance(encode, Mapping) else {"": encode}
    if not outputs:
        raise ValueError("encode has no outputs; one function from texts to vectors is needed")
    tasks = load_encodechka(folder, names, choice=choices[0] if choices else "")
    rows = {}
    for name, task in tasks.items():
        plan = task.own_plan(name, task.dataset, "test")
        where = plan.rows({text: row for row, text in enumerate(plan.texts)})
        vectors = {output: _checked(one(list(plan.texts)), len(plan.texts), output) for output, one in outputs.items()}
        rows[name] = {"metric": task.metric, "n": plan.n, "chance": plan.chance}
        for rule in choices:
            plan.choice = rule
            score, items, chosen = plan.scored(vectors, where)
            rows[name] |= {rule: score, f"chosen_{rule}": chosen}
            if n_resamples:
                rows[name][f"se_{rule}"] = _standard_error(items, plan._value, n_resamples)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")


def _standard_error(items: np.ndarray, value: Callable[[np.ndarray], float], n_resamples: int) -> float:
    """How much a score varies over samples of its items, drawn with replacement."""
    check_count(n_resamples, "n_resamples", least=2)
    rng = np.random.default_rng(0)
    return float(np.std([value(items[rng.integers(0, len(items), len(items))]) for _ in range(n_resamples)], ddof=1))


def _checked(vectors: Any, n: int, output: str) -> Any:
    """A matrix of finite numbers with a row for each text, dense or sparse."""
    vectors = vectors if hasattr(vectors, "multiply") else np.asarray(vectors)
    values = vectors.data if hasattr(vectors, "multiply") else vectors
    if vectors.ndim != 2 or vectors.shape[0] != n or values.dtype.kind not in "biuf":
        raise ValueError(
            f"encode{f' {output!r}' if output else ''} gave an array of shape {vectors.shape} for {n} texts; "
            f"numbers of shape ({n}, n_features) are needed"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"encode{f' {output!r}' if output else ''} gave NaN or infinity; finite numbers are needed")
    return vectors


def mean_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Means over tasks, by which the benchmark ranks: of all eight sentence tasks, and of TI, SA and IA.

    Parameters
    ----------
    scores
        What :func:`encodechka_scores` gives; tasks that are missing make their means NaN.

    Returns
    -------
    DataFrame
        Rows ``"mean S"`` and ``"mean CLF"``, a column for each rule of choice, and for its standard error, where scores
        have some. Tasks ask about different texts, so that their errors are independent; but IC and ICX ask about the
        same ones, so that theirs are added up, as if they erred together.
    """
    import pandas as pd

    rules = [rule for rule in ("published", "honest") if rule in scores]
    found = {
        "mean S": scores[rules].reindex(list(ENCODECHKA)).mean(skipna=False),
        "mean CLF": scores[rules].reindex(list(CLF)).mean(skipna=False),
    }
    table = pd.DataFrame(found).T
    for rule in (rule for rule in rules if f"se_{rule}" in scores):
        table[f"se_{rule}"] = [_mean_error(scores[f"se_{rule}"], names) for names in (list(ENCODECHKA), list(CLF))]
    return table


def _mean_error(errors: pd.Series, names: Sequence[str]) -> float:
    """The standard error of a mean over tasks."""
    own = errors.reindex(list(names)).to_dict()
    if "ICX" in own:
        own["IC"] += own.pop("ICX")
    return float(np.sqrt(sum(error**2 for error in own.values()))) / len(names)
