"""The tasks of the documentation: which text is in which split, and what its labels are."""

import pytest
import tolerance
from task_data import SPLITS

from helpers.tasks import corpus
from helpers.tasks.corpus import Object


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
