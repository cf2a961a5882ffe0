"""English sentences are changed by lists of words, and left alone where a rule is not sure."""

import pytest

from helpers.pairs import make_changes


def changed(text, kind):
    return [change.text for change in make_changes(text, "en", kind)]


@pytest.mark.parametrize(
    "text, kind, expected",
    [
        ("The file is open.", "negation", "The file is not open."),
        ("The value can be empty.", "negation", "The value cannot be empty."),
        ("The value must not be empty.", "negation", "The value must be empty."),
        ("The door cannot be opened.", "negation", "The door can be opened."),
        ("A dog chases a cat.", "roles", "A cat chases a dog."),
        ("The man is hugging a woman in the park.", "roles", "A woman is hugging the man in the park."),
        ("The train goes from Paris to London.", "roles", "The train goes from London to Paris."),
        ("The cat is bigger than the dog.", "roles", "The dog is bigger than the cat."),
        ("An unknown error.", "antonyms", "A known error."),
        ("The price increased again.", "antonyms", "The price decreased again."),
        ("This is a new house.", "antonyms", "This is an old house."),
        ("It is faster than before.", "antonyms", "It is slower than before."),
        ("He arrived before lunch.", "time", "He arrived after lunch."),
        ("All the students passed.", "quantity", "Some of the students passed."),
        ("Returns the maximum value.", "quantity", "Returns the minimum value."),
        ("If the file is missing, the program stops.", "clause order", "The program stops if the file is missing."),
        ("The program stops if the file is missing.", "clause order", "If the file is missing, the program stops."),
        ("The doctor came quickly.", "synonyms", "The physician came quickly."),
    ],
)
def test_a_sentence_is_changed(text, kind, expected):
    assert changed(text, kind)[:1] == [expected]


@pytest.mark.parametrize(
    "text, kind",
    [
        ("Is the file open?", "negation"),
        ("Nobody is at home.", "negation"),
        ("If the file is open, the program is slow.", "negation"),
        ("It does not return a value.", "negation"),  # it would need: returns
        ("All files are open.", "negation"),  # not all, or none?
        ("A dog and a cat chase a bird.", "roles"),
        ("The man is a teacher.", "roles"),
        ("An old man walks.", "antonyms"),
        ("It is not good.", "antonyms"),
        ("As long as it takes.", "antonyms"),
        ("They march 1 mile on version 2.5.", "numbers"),
        ("They march on.", "time"),
        ("If it rains, they stay.", "clause order"),
        ("Some people cannot swim.", "negation"),  # and some can
        ("Many of them will not come.", "negation"),
        ("Few files are open.", "negation"),
        ("Most people can swim.", "negation"),
        ("Half of the files are open.", "negation"),
        ("Part of the text is not shown.", "negation"),
        ("Several doors are not open.", "negation"),
        ("Sometimes the door is not open.", "negation"),
        ("Once the door was not open.", "negation"),
        ("Two doors are open.", "negation"),
        ("The package includes a manual.", "antonyms"),  # it does not shut it out
        ("The function raises an error.", "antonyms"),
        ("An error is raised.", "antonyms"),
        ("A loop is allowed here.", "antonyms"),
        ("The light is on.", "antonyms"),
        ("It is a light colour.", "antonyms"),
        ("Buy a hard disk.", "antonyms"),
        ("He is ten years old.", "antonyms"),
        ("This creates a new file.", "antonyms"),
        ("All possible trees are drawn.", "antonyms"),
        ("The file has an empty list.", "antonyms"),
        ("This is a closed interval.", "antonyms"),
        ("The tree has leaves.", "antonyms"),
        ("This page shows how it works.", "antonyms"),
        ("It is known as a heap.", "antonyms"),
        ("Use deep learning.", "antonyms"),
        ("A kind of magic.", "antonyms"),
        ("They lie on a circle.", "antonyms"),
    ],
)
def test_a_sentence_is_left_alone(text, kind):
    assert changed(text, kind) == []


@pytest.mark.parametrize(
    "text, kind",
    [
        ("She bought 3 apples.", "numbers"),
        ("Two dogs run.", "numbers"),
        ("Peter sings.", "names"),
        ("It opened in 1995.", "time"),
        ("It lasts 5 minutes.", "quantity"),
    ],
)
def test_one_word_becomes_another_of_its_kind(text, kind):
    (new,) = changed(text, kind)
    old, other = (t.strip(".").split() for t in (text, new))
    assert len(old) == len(other) and sum(a != b for a, b in zip(old, other, strict=True)) == 1
