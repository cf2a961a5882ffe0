"""Tasks: what their labels are, that nothing leaks, and that scores are MTEB's."""

import csv
import hashlib
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tolerance
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import average_precision_score

from helpers import tasks
from helpers.arrays import unit_rows
from helpers.tasks import corpus, evaluation
from helpers.tasks.corpus import Object

SPLITS = ("train", "validation", "test")
REAL = os.environ.get("BOOK_DATA")
needs_data = pytest.mark.skipif(not REAL, reason="BOOK_DATA names no folder of data sets")


WIDTH = 24  # of the vectors


@cache
def vector(text, width=WIDTH):
    """A text as the mean of random vectors of its words, in whole numbers so that some scores are equal."""
    words = [int(hashlib.md5(word.encode()).hexdigest()[:8], 16) for word in text.lower().split()]
    return np.sum([np.random.default_rng(word).integers(-3, 4, width) for word in words], axis=0).astype(np.float32)


def encode(texts):
    return np.stack([vector(text) for text in texts])


def by_mteb(task, split="test"):
    """What MTEB says of the same vectors."""
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ModelMeta

    class Lookup(AbsEncoder):
        mteb_model_meta = ModelMeta.create_empty()

        def __init__(self):
            pass

        def encode(self, inputs, **_):
            return encode([text for batch in inputs for text in batch["text"]])

    return task.evaluate(Lookup(), split, encode_kwargs={"show_progress_bar": False})["default"]["main_score"]


def near(values):
    """How many other cosines (n,) each may change places with: errors of sums, in single precision.

    They are 1 - d² / 2 with a d of at most 2; that of the unit vectors moves d, that of the sum d².
    """
    return (abs(values[:, None] - values) <= 2 * 4 * tolerance.inner(WIDTH, "float32")).sum(axis=1) - 1


def of_mteb(task, result):
    """How far MTEB's score may be: as near ties fall, by the order of sums, and by its decimals.

    Of whole numbers, products, sums and distances are exact. Probes are trained by the same calls.
    """
    sums = 4 * tolerance.inner(10 * result.n)  # ten probes for each item at most
    kind = task.metadata.type
    if kind == "Classification":
        return sums
    if kind == "Retrieval":  # rounded to five digits
        plan = evaluation.scoring_plan(task, result.split)
        queries, corpus = (unit_rows(encode(plan.columns[name])) for name in ("queries", "corpus"))
        first = np.sort(1 - queries @ corpus.T, axis=1)[:, : plan.k + 2]  # one of them may be the query's own text
        unsure = (np.diff(first, axis=1) <= 2 * tolerance.inner(WIDTH, "float32")).any(axis=1)
        return 0.5e-5 + sums + unsure.mean()
    truth, cosine = result.items[:, :2].T
    others = near(cosine)
    if kind == "STS":
        ranks = rankdata(cosine)
        return sums + tolerance.of_correlation(others, ranks - ranks.mean())
    # precision a / b at a positive: a and b both move by others at most
    above = (cosine >= cosine[:, None]).sum(axis=1)
    moved = np.minimum(1, 2 * others / np.maximum(above - others, 1))
    return sums + moved[truth == 1].mean()


@pytest.fixture(scope="module")
def documentation():
    return tasks.load_tasks("documentation", size=96)


# The documentation: labels of handmade objects


def thing(library, name, *sentences, module=None, kind="function"):
    module = module or library
    split = corpus.split_of(name.rpartition(".")[2])
    return Object(library, module, name, kind, split, corpus.area_of(module), sentences)


def names_in(split, n, prefix="word"):
    """Names of objects that belong to a split."""
    return [name for name in (f"{prefix}{i}" for i in range(60 * n)) if corpus.split_of(name) == split][:n]


def test_one_name_is_in_one_split_wherever_it_is_defined_and_so_are_its_synonyms():
    assert corpus.split_of("arcsin") == corpus.split_of("asin") == corpus.split_of("ASIN")
    assert corpus.split_of("linalg_det") == corpus.split_of("det")
    shares = [corpus.split_of(f"name{i}") for i in range(5000)]
    assert shares.count("train") / 5000 == pytest.approx(0.4, abs=tolerance.of_a_share(0.4, 5000))
    assert shares.count("validation") / 5000 == pytest.approx(0.2, abs=tolerance.of_a_share(0.2, 5000))


def test_names_are_covered_as_words_and_within_dotted_names_only():
    text = "Like scipy.stats.norm, norms of SciPy-style statistics are normal; norm is one."
    assert corpus.masked(text, ["scipy", "norm"]) == "Like NAME, norms of NAME statistics are normal; NAME is one."


def test_classification_has_the_label_of_the_object_and_covers_its_names():
    a, b = names_in("test", 2)
    things = (
        thing("numpy", a, f"Return what {a} finds in every numpy array of numbers."),
        thing("torch", b, f"Move the tensor to the device that {b} was asked for."),
    )
    rows = corpus.labelled(things, lambda t: t.package, {"numpy", "torch"}, 40)
    assert set(rows["test"]) == {
        ("Return what NAME finds in every NAME array of numbers.", "numpy", a),
        ("Move the tensor to the device that NAME was asked for.", "torch", b),
    }
    assert not rows["train"] and not rows["validation"]


def test_a_text_that_documents_objects_of_two_splits_is_used_by_none():
    (a,), (b,) = names_in("test", 1), names_in("train", 1)
    shared = "Fit the model to the training data and return it."
    own = "Draw a sample of the rows without replacing any of them."
    things = thing("numpy", a, shared, own), thing("torch", b, shared.upper()[0] + shared[1:].lower())
    rows = corpus.labelled(things, lambda t: t.package, set(), 40)
    assert [text for split in SPLITS for text, _, _ in rows[split]] == [own]
    long = "It is the second sentence of both of them and has as many words as are needed here, or a few more."
    found = corpus.descriptions((thing("numpy", a, shared, long), thing("torch", b, own, long)), 40)
    assert all(not queries for queries, *_ in found.values())


def test_texts_that_differ_by_covered_names_alone_are_in_one_split():
    (a,), (b,) = names_in("test", 1), names_in("train", 1)
    things = tuple(thing("numpy", name, f"Return the value of {name} for each of the rows.") for name in (a, b))
    rows = corpus.labelled(things, lambda t: t.package, set(), 40)
    assert sum(len(rows[split]) for split in SPLITS) == 1


def functions():
    """Two functions in two libraries each, and others, all in one split."""
    shared, other, third, fourth = names_in("test", 4)
    return (
        thing("numpy", shared, "Sort the values of an array along an axis.", module="numpy.linalg"),
        thing("torch", shared, "Sorts the elements of the input along a dimension."),
        thing("numpy", other, "Sort the keys of a mapping along an axis.", module="numpy.linalg"),
        thing("torch", third, "Sort the values of an array along a path.", module="torch.nn"),
        thing("numpy", fourth, "Invert a matrix that is not singular.", module="numpy.fft"),
    ), shared


def test_same_function_pairs_are_positive_and_the_lexically_nearest_other_negative():
    things, shared = functions()
    rows = corpus.duplicates(corpus.chosen_functions(things), 96)["test"]
    one, two = things[0].sentences[0], things[1].sentences[0]
    assert {frozenset(row[:2]) for row in rows if row[2] == 1} == {frozenset((one, two))}
    assert (
        one,
        things[3].sentences[0],
        0,
        shared,
    ) in rows  # of torch, like the positive partner, and nearly the same words
    assert {a for a, _, label, name in rows if label == 0 and name == shared} == {one, two}


def test_relatedness_counts_name_then_submodule_then_library():
    things, _ = functions()
    rows = corpus.related(corpus.chosen_functions(things), 96)["test"]
    area = {t.sentences[0]: t.area for t in things}
    library = {t.sentences[0]: t.package for t in things}
    assert {grade for _, _, grade, _ in rows} >= {3, 1, 0}
    for a, b, grade, _ in rows:
        same = {a, b} == {things[0].sentences[0], things[1].sentences[0]}
        expected = 3 if same else 2 if area[a] == area[b] else 1 if library[a] == library[b] else 0
        assert grade == expected


def test_counterparts_are_relevant_and_the_functions_own_text_goes_by_the_name_of_the_query():
    things, shared = functions()
    queries, documents, relevant, names = corpus.counterparts(corpus.chosen_functions(things), 96)["test"]
    assert set(queries) == {f"numpy:{shared}", f"torch:{shared}"}
    assert relevant == {f"numpy:{shared}": {f"torch:{shared}": 1}, f"torch:{shared}": {f"numpy:{shared}": 1}}
    assert set(queries) <= set(documents) and len(documents) == 5 and names == [shared, shared]


def test_the_rest_of_a_docstring_is_the_one_relevant_document_of_its_first_sentence():
    a, b = names_in("validation", 2)
    rest = "The rest has at least a dozen words, since a few words say nothing of what is done."
    things = (
        thing("numpy", a, "Add the numbers of two arrays.", rest),
        thing("torch", b, "Divide the numbers of two tensors.", rest.replace("rest", "remainder")),
        thing("torch", a, "Two words are a first sentence.", "Too short."),
    )
    queries, documents, relevant, _ = corpus.descriptions(things, 40)["validation"]
    assert len(queries) == len(documents) == 2
    for query, text in queries.items():
        (document,) = relevant[query]
        assert documents[document] == (rest if text.startswith("Add") else rest.replace("rest", "remainder"))


def test_the_order_in_which_objects_are_read_changes_nothing():
    things, _ = functions()
    label = lambda t: t.package  # noqa: E731
    assert corpus.labelled(things, label, set(), 40) == corpus.labelled(things[::-1], label, set(), 40)
    chosen, turned = corpus.chosen_functions(things), corpus.chosen_functions(things[::-1])
    assert chosen == turned
    assert corpus.descriptions(things, 40) == corpus.descriptions(things[::-1], 40)


# The documentation: as it is


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


# Scores


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
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ModelMeta

    class Lookup(AbsEncoder):
        mteb_model_meta = ModelMeta.create_empty()

        def __init__(self):
            pass

        def encode(self, inputs, **_):
            return encode([text for batch in inputs for text in batch["text"]])

    chosen = [documentation[name] for name in ("DocumentationRelatednessSTS", "DocumentationCrossLibraryRetrieval")]
    results = mteb.evaluate(Lookup(), chosen, cache=None, show_progress_bar=False)
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


# Bad input


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
        evaluated(documentation, "DocumentationRelatednessSTS").bootstrap(0, 0)


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


# Folders


def write_table(path, header, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every data set, tiny."""
    here, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    words = "red green blue old new fast slow large small kind warm cold".split()

    def phrases(n, topic):
        return [" ".join([topic, *rng.choice(words, 4), str(i)]) for i in range(n)]

    for part, n in (("train", 40), ("test", 10)):
        rows = [(text, label) for label in ("card", "cash", "fee") for text in phrases(n, f"{label} {part}")]
        write_table(here / f"banking77/{part}.csv", ("text", "category"), rows)
    for part, n in (("train", 900), ("test", 12)):
        rows = [
            (text, label) for label in ("negative", "neutral", "positive") for text in phrases(n, f"{label} {part}")
        ]
        cells = [(str(i), text, text, label) for i, (text, label) in enumerate(rows)]
        if part == "train":
            write_table(
                here / "tweet_sentiment_extraction/train.csv",
                ("textID", "text", "selected_text", "sentiment"),
                [*cells, ("x", "", "", "neutral")],
            )
        else:
            cells = [(i, text, label) for i, text, _, label in cells]
            write_table(here / "tweet_sentiment_extraction/test.csv", ("textID", "text", "sentiment"), cells)
    for part in ("train", "dev", "test"):
        lines = [
            "\t".join(("news", "a", "2012", "1", f"{score:.3f}", one, two, "source", "extra"))
            for one, two, score in zip(phrases(30, part), phrases(30, part), rng.uniform(0, 5, 30), strict=True)
        ]
        (here / "stsbenchmark").mkdir(exist_ok=True)
        (here / f"stsbenchmark/sts-{part}.csv").write_text("\n".join(lines) + "\n")
    documents = [
        {"_id": f"d{i}", "title": "A title" if i % 2 else "", "text": t} for i, t in enumerate(phrases(40, "x"))
    ]
    queries = [{"_id": f"q{i}", "text": text} for i, text in enumerate(phrases(31, "x"))]
    write_lines(here / "nfcorpus_beir_format/corpus.jsonl", documents)
    write_lines(here / "nfcorpus_beir_format/queries.jsonl", queries)
    for i, part in enumerate(("train", "dev", "test")):
        rows = [(f"q{q}", f"d{d}", int(rng.integers(0, 3))) for q in range(i, 30, 3) for d in rng.permutation(40)[:15]]
        write_table(here / f"nfcorpus_beir_format/qrels/{part}.tsv", ("query-id", "corpus-id", "score"), rows, "\t")
    texts = phrases(400, "why")
    rows = [(i, 2 * i, 2 * i + 1, texts[2 * i], texts[2 * i + 1], 1) for i in range(200)]
    rows.append((999, 0, 3, texts[0], texts[3], 1))  # groups of more than two
    write_table(here / "quora_pairs/eval.csv", ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"), rows)
    return here


@pytest.fixture(scope="module")
def from_folder(folder):
    return tasks.load_tasks(folder)


def test_a_folder_gives_tasks_with_three_splits_that_share_no_text(from_folder):
    shared = tasks.task_names("hub")[:3]
    assert list(from_folder) == [*shared, "NFCorpus", "QuoraDuplicates", "QuoraDuplicatesRetrieval"]
    for name, task in from_folder.items():
        data = evaluation._splits(task)
        assert set(data) == set(SPLITS)
        if name == "NFCorpus":  # its splits share the corpus
            queries = [set(data[split]["queries"]["text"]) for split in SPLITS]
        elif name == "QuoraDuplicatesRetrieval":
            queries = [set(data[split]["corpus"]["text"]) for split in SPLITS]
        else:
            columns = [c for c in data["test"].column_names if c.startswith(("text", "sentence"))]
            queries = [{text for column in columns for text in data[split][column]} for split in SPLITS]
        assert not queries[0] & queries[2] and not queries[1] & (queries[0] | queries[2])


def test_validation_is_the_published_split_or_a_part_of_train(from_folder):
    banking, tweets = (from_folder[name].dataset for name in list(from_folder)[:2])
    assert [len(banking[split]) for split in SPLITS] == [60, 60, 30]
    assert sorted(banking["validation"]["label"]) == ["card"] * 20 + ["cash"] * 20 + ["fee"] * 20
    assert [len(tweets[split]) for split in SPLITS] == [702, 1998, 36]  # the row without text is left out
    assert [len(from_folder["STSBenchmark"].dataset[split]) for split in SPLITS] == [30, 30, 30]


@pytest.mark.parametrize("name", ["Banking77Classification", "STSBenchmark", "NFCorpus", "QuoraDuplicatesRetrieval"])
def test_scores_on_a_folder_are_those_of_mteb(from_folder, name):
    for split in ("validation", "test")[name.startswith("Banking") :]:
        task, found = from_folder[name], tasks.evaluate_task(from_folder[name], encode, split)
        assert found.score == pytest.approx(by_mteb(task, split), abs=of_mteb(task, found))


def test_protocols_are_those_of_mteb(from_folder):
    import mteb

    for name in ("Banking77Classification", "TweetSentimentExtractionClassification", "STSBenchmark", "NFCorpus"):
        ours, theirs = from_folder[name], mteb.get_task(name)
        assert isinstance(ours, type(theirs)) and ours.metadata.main_score == theirs.metadata.main_score
        assert getattr(ours, "samples_per_label", 0) == getattr(theirs, "samples_per_label", 0)


def test_whole_groups_of_duplicates_stay_together_and_negatives_are_of_other_groups(folder, from_folder):
    with (folder / "quora_pairs/eval.csv").open(newline="") as file:
        known = {frozenset((row["question1"], row["question2"])) for row in csv.DictReader(file)}
    for data in from_folder["QuoraDuplicates"].dataset.values():
        pairs = [
            (frozenset((a, b)), y) for a, b, y in zip(data["sentence1"], data["sentence2"], data["labels"], strict=True)
        ]
        assert all((pair in known) == (label == 1) for pair, label in pairs)
        assert sum(label for _, label in pairs) * 3 == len(pairs)


def replaced(file, old, new):
    """A change of the first occurrence in a file."""

    def change(folder):
        path = folder / file
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return change


REPLACED = {  # task and file: what is wrong, what stands there, what is put in its place, the message
    ("Banking77Classification", "banking77/train.csv"): [
        (
            "a column is missing",
            b"category",
            b"intent",
            r"train.csv has no column 'category'; its columns are \['text', 'intent'\]",
        ),
        ("a row is too long", b",cash", b",,cash", "train.csv, row 41: 3 cells under 2 columns"),
    ],
    ("TweetSentimentExtractionClassification", "tweet_sentiment_extraction/test.csv"): [
        (
            "a label is unknown",
            b",neutral\r\n",
            b",bored\r\n",
            "row 13: sentiment is 'bored', which no row of train has",
        ),
    ],
    ("STSBenchmark", "stsbenchmark/sts-dev.csv"): [
        (
            "a score is no number",
            b"2012\t1\t",
            b"2012\t1\tabout ",
            "sts-dev.csv, row 1: field 5, the score, is 'about .*'; a number from 0 to 5",
        ),
    ],
    ("STSBenchmark", "stsbenchmark/sts-test.csv"): [
        ("a field is missing", b"news\ta\t2012\t1\t", b"", "sts-test.csv, row 1: 5 fields; at least 7"),
    ],
    ("NFCorpus", "nfcorpus_beir_format/queries.jsonl"): [
        ("a line is no JSON", b'"}\n', b'"\n', "queries.jsonl, line 1: "),
    ],
    ("NFCorpus", "nfcorpus_beir_format/corpus.jsonl"): [
        ("a key is missing", b'"text"', b'"body"', "corpus.jsonl, line 1: no text under 'text'"),
    ],
    ("NFCorpus", "nfcorpus_beir_format/qrels/dev.tsv"): [
        ("a document is unknown", b"\td", b"\tnone", "dev.tsv, row 1: there is no corpus-id 'none"),
    ],
    ("QuoraDuplicates", "quora_pairs/eval.csv"): [
        ("a label is neither 0 nor 1", b",1\r\n", b",yes\r\n", "eval.csv, row 1: is_duplicate is 'yes'; it is 0 or 1"),
    ],
    ("QuoraDuplicatesRetrieval", "quora_pairs/eval.csv"): [
        ("a file is not UTF-8", b"why", b"\xff\xfe", "eval.csv, line 2: byte 0xff is not UTF-8"),
    ],
}
BAD = {
    "a file is missing": (
        "Banking77Classification",
        lambda folder: (folder / "banking77/test.csv").unlink(),
        "needs banking77/test.csv below",
    ),
    "a text is blank": (
        "TweetSentimentExtractionClassification",
        lambda folder: write_table(
            folder / "tweet_sentiment_extraction/test.csv", ("text", "sentiment"), [("a", "neutral"), (" ", "neutral")]
        ),
        "test.csv, row 2: text is blank",
    ),
}
for (task, file), changes in REPLACED.items():
    BAD |= {what: (task, replaced(file, old, new), message) for what, old, new, message in changes}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_folder_is_refused_with_file_row_and_column(folder, tmp_path, case):
    import shutil

    name, spoil, message = BAD[case]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        tasks.load_tasks(tmp_path, name)


# The hub, with a folder in its place


def test_names_of_the_hub_are_read_from_a_folder_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    for part, n in (("train", 40), ("test", 5)):
        rows = [{"text": f"{part} question {i} of {label}", "label": label} for label in range(3) for i in range(n)]
        write_lines(tmp_path / f"mteb/banking77/{part}.jsonl", rows)
    task = tasks.load_tasks("hub", "Banking77Classification")["Banking77Classification"]
    assert [len(task.dataset[split]) for split in SPLITS] == [96, 24, 15]
    assert not set(task.dataset["train"]["text"]) & set(task.dataset["validation"]["text"])
    assert task.metadata.dataset["path"] == "mteb/banking77"
    assert 0 <= tasks.evaluate_task(task, encode, "validation").score <= 1


def test_retrieval_of_the_hub_has_its_dev_split_as_validation(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    here = tmp_path / "mteb/nfcorpus"
    write_lines(
        here / "corpus.jsonl", [{"_id": f"d{i}", "title": "", "text": f"text {i} of {i % 7}"} for i in range(30)]
    )
    write_lines(here / "queries.jsonl", [{"_id": f"q{i}", "text": f"of {i}"} for i in range(6)])
    for part, queries in (("train", (0, 1)), ("dev", (2, 3)), ("test", (4, 5))):
        rows = [{"query-id": f"q{i}", "corpus-id": f"d{d}", "score": 1} for i in queries for d in range(i, 30, 7)]
        write_lines(here / f"qrels/{part}.jsonl", rows)
    config = [
        *("---", "configs:", "- config_name: default", "  data_files:"),
        *(f"  - {{split: {part}, path: qrels/{part}.jsonl}}" for part in ("train", "dev", "test")),
        *("- config_name: corpus", "  data_files: [{split: corpus, path: corpus.jsonl}]"),
        *("- config_name: queries", "  data_files: [{split: queries, path: queries.jsonl}]", "---"),
    ]
    (here / "README.md").write_text("\n".join(config))
    task = tasks.load_tasks("hub", ["NFCorpus"])["NFCorpus"]
    assert set(task.dataset["default"]) == set(SPLITS)
    assert set(task.dataset["default"]["validation"]["relevant_docs"]) == {"q2", "q3"}
    found = tasks.evaluate_task(task, encode, "validation")
    assert found.score == pytest.approx(by_mteb(task, "validation"), abs=of_mteb(task, found))


def test_pairs_of_the_hub_in_one_row_are_read_as_mteb_does(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOK_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    for part in ("validation", "test"):
        row = {"sent1": [f"a {i}" for i in range(30)], "sent2": [f"b {i}" for i in range(30)]}
        write_lines(
            tmp_path / f"mteb/sprintduplicatequestions-pairclassification/{part}.jsonl",
            [{**row, "labels": rng.integers(0, 2, 30).tolist()}],
        )
    task = tasks.load_tasks("hub", "SprintDuplicateQuestions")["SprintDuplicateQuestions"]
    for split in ("validation", "test"):
        result = tasks.evaluate_task(task, encode, split)
        assert result.n == 30 and result.score == pytest.approx(by_mteb(task, split), abs=of_mteb(task, result))


# The overview


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


# Real data


@needs_data
def test_the_public_data_sets_are_as_published():
    found = tasks.load_tasks(Path(REAL))
    table = tasks.describe_tasks(found)
    assert table.loc["Banking77Classification", ["validation", "test"]].tolist() == [1540, 3080]
    assert table.loc["TweetSentimentExtractionClassification", ["validation", "test"]].tolist() == [1998, 3534]
    assert table.loc["STSBenchmark", ["train", "validation", "test"]].tolist() == [5749, 1500, 1379]
    assert table.loc["NFCorpus", ["train", "validation", "test"]].tolist() == [2563, 324, 323]
    banking = found["Banking77Classification"].dataset
    parts = [{text.strip().lower() for text in banking[split]["text"]} for split in SPLITS]
    assert not parts[0] & parts[2] and not parts[1] & (parts[0] | parts[2])


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
