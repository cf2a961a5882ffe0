"""Scores of MTEB tasks from vectors that were made beforehand, and how they vary with the test items.

The scores are those of MTEB's own evaluators on the same vectors; only what the main score needs is computed, and no
text is encoded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import unit_rows
from helpers.metrics import average_precision, ndcg_of_ranking, roc_auc, spearman, top_k

if TYPE_CHECKING:
    from mteb.abstasks import AbsTask

__all__ = ["ScoringPlan", "TaskScore", "digest_of_task", "evaluate_task", "texts"]

Encode = Callable[[list[str]], Any] | Mapping[str, Any] | np.ndarray

_CELLS = 2**24  # numbers in one block of a computation
_PAIR_SCORES = ("cosine", "manhattan", "euclidean", "dot")


@dataclass(frozen=True)
class TaskScore:
    """The score of a representation on one split of a task.

    Attributes
    ----------
    task, split : str
        Names of the task and of its split.
    metric : str
        MTEB's name of the main score.
    score : float
        MTEB's main score, at most 1; higher is better.
    n : int
        Number of test items: texts to classify, pairs, or queries.
    items : numpy.ndarray
        Shape (n,), where the score is their mean: for a classification the part of the probes (one for each sample of
        the training texts) that classify the text rightly, for a retrieval the nDCG of each query. For pairs, of shape
        (n, k): the labels or human scores in the first column, similarities in the others, by which the score can be
        computed for any sample of the pairs. Of an area under the ROC curve likewise, with probabilities.
    groups : numpy.ndarray of shape (n,), or None
        Numbers of the groups of items that are not independent of each other, from 0, where the task knows of such:
        texts of functions of one name in the documentation, pairs of one group of duplicate questions.
    """

    task: str
    split: str
    metric: str
    score: float
    n: int
    items: np.ndarray = field(repr=False)
    groups: np.ndarray | None = field(default=None, repr=False)

    def bootstrap(self, rng: int | np.random.Generator = 0, n: int = 1000) -> np.ndarray:
        """The score on ``n`` samples of the test items, drawn with replacement, as many as there are.

        Where items come in groups, whole groups are drawn, as many as there are. The samples depend on ``rng`` and on
        the numbers of items and groups alone. With equal seeds, the draws of two methods on one task are therefore
        made on the same items, and their difference is a paired one. What a probe was trained on, and the corpus of a
        retrieval, stay as they are.

        Parameters
        ----------
        rng
            Seed or generator of the draws.
        n
            How many samples are drawn.

        Returns
        -------
        numpy.ndarray of shape (n,)
            Scores of the samples; NaN for a sample of pairs without a score, because all its labels are equal.

        Examples
        --------
        >>> result = TaskScore("a task", "test", "accuracy", 0.5, 4, np.array([0.0, 1.0, 1.0, 0.0]))
        >>> result.bootstrap(rng=0, n=3)
        array([0.75, 0.25, 0.25])
        """
        if isinstance(n, bool) or n != int(n) or n < 1:
            raise ValueError(f"n is {n!r}; it is a whole number of samples, at least 1")
        rng, block = np.random.default_rng(rng), max(1, _CELLS // (8 * self.n))
        units = self.n if self.groups is None else int(self.groups.max()) + 1
        draws = []
        for start in range(0, int(n), block):
            counts = _counts(rng, min(block, int(n) - start), units)
            draws.append(self._resampled(counts if self.groups is None else counts[:, self.groups]))
        return np.concatenate(draws)

    def _resampled(self, counts: np.ndarray) -> np.ndarray:
        """The scores of samples, given by how often each item is in each of them, of shape (n_samples, n)."""
        if self.items.ndim == 1:
            return counts @ self.items / counts.sum(axis=1)
        truth, *similarities = self.items.T
        if self.metric.endswith("spearman"):
            return spearman(truth, similarities[0], counts=counts)
        if self.metric == "roc_auc":
            return roc_auc(truth, similarities[0], counts=counts)
        return np.max([average_precision(truth, each, counts=counts) for each in similarities], axis=0)


def texts(task: AbsTask, split: str | Sequence[str] = "test") -> list[str]:
    """The distinct texts whose vectors an evaluation on a split needs, in a fixed order.

    For a classification these are the texts of the split and those of the training texts that MTEB's probes are
    trained on; for a retrieval, queries and corpus (a document's title before its text, as MTEB passes it to a model).

    Parameters
    ----------
    task
        A classification, STS, pair classification or retrieval task of MTEB, such as
        :func:`~helpers.tasks.load_tasks` gives.
    split
        Name of a split, or of several.

    Raises
    ------
    ValueError
        If the task has no such split (the message lists them), is of another kind, or has a blank text.
    """
    splits = [split] if isinstance(split, str) else list(split)
    return list(dict.fromkeys(text for name in splits for text in scoring_plan(task, name).texts))


def evaluate_task(
    task: AbsTask, encode: Encode, split: str | Sequence[str] = "test"
) -> TaskScore | dict[str, TaskScore]:
    """The score that MTEB gives a representation on a task.

    Parameters
    ----------
    task
        A classification, STS, pair classification or retrieval task of MTEB.
    encode
        A function from a list of distinct texts to an array of shape (n_texts, n_features), called once; or a mapping
        from each text to its vector; or the vectors themselves, in the order of ``texts(task, split)``.
    split
        Name of a split, or of several, which share the training of the probes of a classification.

    Returns
    -------
    TaskScore
        Or, for several splits, a dictionary of them.

    Raises
    ------
    ValueError
        If vectors are missing or too many, are of different lengths or not finite (the message names the first text),
        or as in :func:`texts`; if a classification is to be evaluated on the texts that its probes learn from.

    Notes
    -----
    Main scores as in MTEB: accuracy of a logistic regression on few texts of each label, a mean over several samples of
    them; Spearman's correlation of cosine and human score; the largest average precision among cosine, dot product,
    Manhattan and Euclidean distance; nDCG at 10 by cosine. Where MTEB would round, nothing is rounded.
    """
    splits = [split] if isinstance(split, str) else list(dict.fromkeys(split))
    plans = {name: scoring_plan(task, name) for name in splits}
    wanted = texts(task, splits)
    vectors = _vectors(encode, wanted)
    rows = {text: row for row, text in enumerate(wanted)}
    known: dict[str, Any] = {}
    found = {name: plan.score(vectors, plan.rows(rows), known) for name, plan in plans.items()}
    results = {
        name: TaskScore(
            task.metadata.name, name, task.metadata.main_score, float(score), plans[name].n, items, plans[name].groups
        )
        for name, (score, items) in found.items()
    }
    return results[split] if isinstance(split, str) else results


# Vectors


def _vectors(encode: Encode, wanted: list[str]) -> np.ndarray:
    """A finite matrix with a row for each text."""
    if isinstance(encode, Mapping):
        absent = [text for text in wanted if text not in encode]
        if absent:
            raise ValueError(f"encode lacks {len(absent)} of {len(wanted)} texts, the first is {_short(absent[0])}")
        rows = [np.asarray(encode[text]) for text in wanted]
        odd = next((i for i, row in enumerate(rows) if row.shape != rows[0].shape or row.ndim != 1), None)
        if odd is not None:
            raise ValueError(
                f"encode has a vector of shape {rows[odd].shape} for {_short(wanted[odd])}; "
                f"the first has shape {rows[0].shape}"
            )
        vectors = np.stack(rows)
    else:
        vectors = encode(list(wanted)) if callable(encode) else encode
        if hasattr(vectors, "detach"):
            vectors = vectors.detach().float().cpu()
        vectors = np.asarray(vectors)
    if vectors.ndim != 2 or len(vectors) != len(wanted) or vectors.dtype.kind not in "biuf" or not vectors.shape[1]:
        raise ValueError(
            f"encode gave an array of shape {vectors.shape} and dtype {vectors.dtype} for {len(wanted)} texts; "
            f"numbers of shape ({len(wanted)}, n_features) are needed"
        )
    if vectors.dtype not in (np.float32, np.float64):
        vectors = vectors.astype(np.float32 if vectors.dtype == np.float16 else np.float64)
    bad = ~np.isfinite(vectors.sum(axis=1, dtype=np.float64))
    if bad.any() and (bad := ~np.isfinite(vectors).all(axis=1)).any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"encode gave NaN or infinity for {bad.sum()} of {len(wanted)} texts, first for text {first}, "
            f"{_short(wanted[first])}"
        )
    return vectors


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


# What an evaluation needs besides vectors: made once for each task and split, kept with the task


class ScoringPlan:
    """The texts of a split in several named columns, and how they are scored."""

    def __init__(self, where: str, columns: Mapping[str, Iterable[str]]):
        self.columns = {name: list(column) for name, column in columns.items()}
        for name, column in self.columns.items():
            for row, text in enumerate(column):
                if not isinstance(text, str) or not text.strip():
                    raise ValueError(
                        f"{where}: row {row} of {name} is {text!r}; a text with at least one word is needed"
                    )
        self.texts = list(dict.fromkeys(text for column in self.columns.values() for text in column))

    def rows(self, row_of: Mapping[str, int]) -> dict[str, np.ndarray]:
        """Where the texts of each column lie."""
        return {name: np.array([row_of[text] for text in column]) for name, column in self.columns.items()}


class _Classification(ScoringPlan):
    def __init__(self, where: str, task: Any, data: Any, split: str):
        train, test = data[task.train_split], data[split]
        column, labels = task.input_column_name, list(train[task.label_column_name])
        self.samples = _samples(labels, task.samples_per_label, task.n_experiments, task.seed)
        union = sorted(set().union(*self.samples))
        position = {row: i for i, row in enumerate(union)}
        self.samples = [np.array([position[row] for row in sample]) for sample in self.samples]
        train_texts = list(train[column])
        super().__init__(where, {"train": [train_texts[row] for row in union], "test": test[column]})
        self.classes, codes = np.unique(np.array(labels), return_inverse=True)
        self.train_labels = codes[union]
        self.test_labels = np.array(list(test[task.label_column_name]))
        self.n, self.task = len(self.test_labels), task
        self.chance = 1 / len(self.classes)

    def score(self, vectors, rows, known):
        train = vectors[rows["train"]]
        if "probes" not in known:
            known["probes"] = [_probe(self.task, train[sample], self.train_labels[sample]) for sample in self.samples]
        test = vectors[rows["test"]]
        hits = [self.classes[probe.predict(test)] == self.test_labels for probe in known["probes"]]
        items = np.mean(hits, axis=0)
        return items.mean(), items


def _samples(labels: list, per_label: int, n: int, seed: int) -> list[list[int]]:
    """The training rows of MTEB's experiments: the first few of each label in a list shuffled again for each."""
    shuffle = np.arange(len(labels))
    np.random.RandomState(seed).shuffle(shuffle)  # noqa: NPY002 (MTEB's generator decides the rows)
    order, samples = np.arange(len(labels)), []
    for _ in range(n):
        order = order[shuffle]  # the list that was shuffled before is shuffled in the same way
        taken, chosen = dict.fromkeys(labels, 0), []
        for row in order.tolist():
            if taken[labels[row]] < per_label:
                taken[labels[row]] += 1
                chosen.append(row)
        samples.append(chosen)
    return samples


def _probe(task: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """The classifier of a task, trained."""
    import warnings

    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    model = clone(task.evaluator_model)
    if "random_state" in model.get_params():
        model.set_params(random_state=task.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)


class _Pairs(ScoringPlan):
    def __init__(self, where: str, data: Any, columns: tuple[str, str], truth: str):
        super().__init__(where, {name: data[name] for name in columns})
        self.names, self.truth = columns, np.array(list(data[truth]), dtype=float)
        self.n = len(self.truth)
        if len(np.unique(self.truth)) < 2:
            raise ValueError(f"{where}: {truth} is {self.truth[0]:g} in all rows; nothing can be told apart")

    def score(self, vectors, rows, known):
        x, y = (vectors[rows[name]] for name in self.names)
        similarities = self.similarities(x, y)
        scores = [self.compare(self.truth, each) for each in similarities]
        return max(scores), np.column_stack([self.truth, *similarities])


class _STS(_Pairs):
    chance = 0.0

    def similarities(self, x, y):
        return [_cosine(x, y)]

    def compare(self, truth, similarity):
        return spearman(truth, similarity)


class _PairClassification(_Pairs):
    def __init__(self, *arguments, kinds: Sequence[str]):
        super().__init__(*arguments)
        self.kinds, self.chance = kinds, (self.truth == 1).mean()

    def similarities(self, x, y):
        found = {
            "cosine": lambda: _cosine(x, y),
            "similarity": lambda: _cosine(x, y),
            "manhattan": lambda: -np.abs(x - y).sum(axis=1),
            "euclidean": lambda: -np.sqrt(((x - y) ** 2).sum(axis=1)),
            "dot": lambda: np.einsum("ij,ij->i", x, y),
        }
        return [found[kind]() for kind in self.kinds]

    def compare(self, truth, similarity):
        return average_precision(truth, similarity)


def _cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosines of rows as MTEB has them: 1 − ‖u − v‖²/2 of the unit vectors, 1/2 where one of the rows is zero."""
    return 1 - 0.5 * ((unit_rows(x) - unit_rows(y)) ** 2).sum(axis=1)


class _Retrieval(ScoringPlan):
    def __init__(self, where: str, data: Any, k: int, ignore_identical_ids: bool):
        relevant = {query: documents for query, documents in data["relevant_docs"].items() if documents}
        queries = [row for row, name in enumerate(data["queries"]["id"]) if name in relevant]
        ids = [data["queries"]["id"][row] for row in queries]
        all_queries = _retrieval_texts(data["queries"], "instruction")
        super().__init__(
            where,
            {"queries": [all_queries[row] for row in queries], "corpus": _retrieval_texts(data["corpus"], "title")},
        )
        documents = list(data["corpus"]["id"])
        column = {name: i for i, name in enumerate(documents)}
        self.n, self.k = len(ids), k
        self.order = np.empty(len(documents), dtype=np.int64)  # equal scores: the larger name first, as trec_eval does
        self.order[sorted(range(len(documents)), key=documents.__getitem__, reverse=True)] = np.arange(len(documents))
        self.gains = [{column[d]: g for d, g in relevant[q].items() if d in column and g > 0} for q in ids]
        self.judged = [[g for g in relevant[q].values() if g > 0] for q in ids]
        mean = np.array([sum(gains.values()) for gains in self.gains]) / len(documents)
        # In a random order the mean grade is expected at each place.
        self.chance = self._scores(np.tile(mean[:, None], k)).mean()
        self.same = [column.get(q, -1) if ignore_identical_ids else -1 for q in ids]

    def _scores(self, found: np.ndarray) -> np.ndarray:
        """nDCG of every query; 0 for one whose documents are all irrelevant."""
        return np.nan_to_num(ndcg_of_ranking(found, self.judged, k=self.k))

    def score(self, vectors, rows, known):
        queries, corpus = unit_rows(vectors[rows["queries"]]), unit_rows(vectors[rows["corpus"]])
        k, block = min(self.k, len(corpus)), max(1, _CELLS // len(corpus))
        found = np.zeros((self.n, k))
        for start in range(0, self.n, block):
            similarity = queries[start : start + block] @ corpus.T
            for row, same in enumerate(self.same[start : start + block]):
                if same >= 0:
                    similarity[row, same] = -np.inf
            for row, top in enumerate(top_k(similarity, k, order=self.order), start):
                found[row] = [self.gains[row].get(document, 0) for document in top.tolist()]
        items = self._scores(found)
        return items.mean(), items


def _retrieval_texts(data: Any, other: str) -> list[str]:
    """Queries with instructions behind them, or documents with titles before them, as MTEB gives them to a model."""
    found = list(data["text"])
    if other not in data.column_names:
        return [text.strip() for text in found] if other == "title" else found
    if other == "title":
        return [
            f"{title} {text}".strip() if title else text.strip() for title, text in zip(data[other], found, strict=True)
        ]
    return [f"{text} {more}" if more is not None else text for more, text in zip(data[other], found, strict=True)]


def scoring_plan(task: Any, split: str) -> ScoringPlan:
    """The plan of a split, made when it is first asked for."""
    from mteb.abstasks import AbsTask, AbsTaskClassification, AbsTaskPairClassification, AbsTaskRetrieval, AbsTaskSTS

    if not isinstance(task, AbsTask):
        raise TypeError(f"task is a {type(task).__name__}; a task of MTEB is needed, as helpers.tasks.load_tasks gives")
    plans = task.__dict__.setdefault("_plans", {})
    if split in plans:
        return plans[split]
    name, metric = task.metadata.name, task.metadata.main_score
    if not task.data_loaded:
        task.load_data()
    if isinstance(task, AbsTaskRetrieval):
        task.convert_v1_dataset_format_to_v2(num_proc=None)
    data = _splits(task)
    if split not in data:
        raise ValueError(f"{name} has no split {split!r}; it has {sorted(data)}")
    where = f"{name}, split {split!r}"
    if own := getattr(task, "own_plan", None):  # a task that is scored by rules of its own
        plans[split] = own(f"{name}, split {split!r}", data, split)
        plans[split].groups = None
        return plans[split]
    known = {"accuracy", "cosine_spearman", "spearman", "max_ap", *(f"{kind}_ap" for kind in _PAIR_SCORES)}
    ndcg = metric.startswith("ndcg_at_")
    if not ndcg and metric not in known | {"similarity_ap"}:
        raise ValueError(f"{name} has the main score {metric!r}; known are {sorted(known)} and 'ndcg_at_k'")
    if isinstance(task, AbsTaskClassification) and metric == "accuracy" and not task.is_cross_validation:
        if split == task.train_split:
            raise ValueError(f"{where}: the probes learn from these texts; evaluate another split of {sorted(data)}")
        plan = _Classification(where, task, data, split)
    elif isinstance(task, AbsTaskSTS):
        plan = _STS(where, data[split], task.column_names, "score")
    elif isinstance(task, AbsTaskPairClassification):
        rows = data[split]
        if len(rows) == 1 and not isinstance(rows[0][task.label_column_name], (int, float)):  # all pairs in one row
            rows = rows[0]
        columns = (task.input1_column_name, task.input2_column_name)
        kinds = _PAIR_SCORES if metric == "max_ap" else (metric.removesuffix("_ap"),)
        plan = _PairClassification(where, rows, columns, task.label_column_name, kinds=kinds)
    elif isinstance(task, AbsTaskRetrieval) and ndcg and not task.skip_first_result:
        if data[split].get("top_ranked"):
            raise ValueError(f"{where} ranks given documents again; retrieval from the whole corpus is known")
        plan = _Retrieval(where, data[split], int(metric.removeprefix("ndcg_at_")), task.ignore_identical_ids)
    else:
        raise ValueError(
            f"{name} is a task of type {task.metadata.type}; known are classification, STS, pair classification and "
            "retrieval"
        )
    groups = getattr(task, "groups", {}).get(split)
    plan.groups = None if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
    plans[split] = plan
    return plan


def overview(task: Any) -> dict[str, Any]:
    """A row of the table that describes tasks."""
    from helpers.text import split_sentences

    plan = scoring_plan(task, "test")
    splits = [split for split in ("validation", "test") if split in _splits(task)]
    return {
        "type": task.metadata.type,
        "metric": task.metadata.main_score,
        **{name: _items(_splits(task).get(name, ())) for name in ("train", "validation", "test")},
        "corpus": len(plan.columns["corpus"]) if isinstance(plan, _Retrieval) else 0,
        "texts": len(texts(task, splits)),
        "chance": float(plan.chance),
        "label": next(iter(split_sentences(task.metadata.description)), ""),
    }


def digest_of_task(task: Any) -> str:
    """SHA-256 of the data of a task: what stands in its splits, in their order.

    Parameters
    ----------
    task
        A task of MTEB of a kind that :func:`evaluate_task` knows.

    Returns
    -------
    str
        64 hexadecimal digits; the same for the same texts, labels, ids and judgements, however they were loaded.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`evaluate_task`, if it is no such task or has no split ``"test"``.

    Examples
    --------
    >>> from helpers import tasks
    >>> found = tasks.load_tasks("documentation", "DocumentationRelatednessSTS", size=40)
    >>> len(tasks.digest_of_task(found["DocumentationRelatednessSTS"]))
    64
    """
    import hashlib
    import json

    def lines(data: Any) -> Iterator[Any]:
        if not isinstance(data, Mapping):
            yield from data
        else:
            for name in sorted(data):
                yield name
                if isinstance(data[name], Mapping):
                    yield from ([key, data[name][key]] for key in sorted(data[name]))
                else:
                    yield from (data[name] if data[name] is not None else ())

    scoring_plan(task, "test")  # loads the data, and refuses what is no task
    found, sums = _splits(task), hashlib.sha256()
    for split in sorted(found):
        sums.update(f"{split}\n".encode())
        for line in lines(found[split]):
            sums.update(json.dumps(line, sort_keys=True, ensure_ascii=False, default=str).encode() + b"\n")
    return sums.hexdigest()


def _splits(task: Any) -> dict[str, Any]:
    """The splits of a task whose data are loaded, by name."""
    return task.dataset["default"] if "default" in task.dataset else task.dataset


def _items(data: Any) -> int:
    """Texts, pairs or queries of a split."""
    return len(data["relevant_docs"]) if isinstance(data, dict) else len(data)


# Scores of many samples of the pairs at a time


def _counts(rng: np.random.Generator, samples: int, n: int) -> np.ndarray:
    """How often each of n items is in each sample of n."""
    chosen = rng.integers(0, n, (samples, n)) + n * np.arange(samples)[:, None]
    return np.bincount(chosen.ravel(), minlength=samples * n).reshape(samples, n)
