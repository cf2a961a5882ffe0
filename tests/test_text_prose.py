"""From docstrings to prose: markup, code and tables go, sentences end where they end."""

import inspect

import pytest

from helpers.text import split_sentences
from helpers.text.prose import prose_of


def prose(doc):
    return [p.split("\n") for p in prose_of(inspect.cleandoc(doc)).split("\n\n") if p]


def test_numpy_style():
    doc = """Compute the value of :func:`~numpy.sort` and ``np.max``.

    See `the guide <https://example.org>`_ for **very** good *advice* [1]_.

    .. versionadded:: 1.2
       This note is about versions only.

    .. note:: This note is worth keeping here.

    Parameters
    ----------
    x : array_like, shape (n, p)
        The data that it is computed from,
        over two lines.
    y, z : int
        Two more numbers of some kind.
    **kwargs
        Whatever else is passed along.

    Returns
    -------
    ndarray
        The value that was computed here.

    See Also
    --------
    other : Something else that is not read.

    Notes
    -----
    The formula of this function is

    .. math::

       \\int f(x) dx = this is no prose at all

    Code follows after the next colons::

        this is code and should not be read

    Then the prose goes on again.

    References
    ----------
    .. [1] A. Author, "A title of some paper", 1999.

    Examples
    --------
    The example is introduced by words.

    >>> compute(1)
    this is the output of it
    """
    assert prose(doc) == [
        ["Compute the value of sort and np.max."],
        ["See the guide for very good advice."],
        ["This note is worth keeping here."],
        ["The data that it is computed from, over two lines."],
        ["Two more numbers of some kind."],
        ["Whatever else is passed along."],
        ["The value that was computed here."],
        ["The formula of this function is"],
        ["Code follows after the next colons:"],
        ["Then the prose goes on again."],
        ["The example is introduced by words."],
    ]


def test_google_and_sphinx_style():
    doc = """Fits the model to the data.
    Args:
        x (int): The number of things to fit,
            continued on another line.
        y (`str`, *optional*): The name of the fitted thing.
    Returns:
        bool: True if the model was fitted.

    :param z: The third of all the parameters.
    :type z: int or a string or nothing
    :return: The model that was fitted before.
    """
    assert prose(doc) == [
        ["Fits the model to the data."],
        ["The number of things to fit, continued on another line."],
        ["The name of the fitted thing."],
        ["True if the model was fitted."],
        ["The third of all the parameters."],
        ["The model that was fitted before."],
    ]


def test_lists_fences_tables_and_signatures():
    doc = """frobnicate(x, y) -> value

    Three things can happen to it:

    - The first of these things.
    - The second of these things,
      over two lines.
    1. The third is a number.

    ```python
    this is code within a fence
    ```

    ====== ======
    head   header
    ====== ======
    one    two
    ====== ======

    Use [`~pkg.Model.save`] or [the manual](http://x.y) instead.

    The text %(placeholder)s is to be filled in.
    """
    assert prose(doc) == [
        ["Three things can happen to it:"],
        ["The first of these things."],
        ["The second of these things, over two lines."],
        ["The third is a number."],
        ["Use save or the manual instead."],
    ]


def test_powers_within_formulas_stay():
    assert prose("The value of x**2 and of y**2 is computed here.") == [
        ["The value of x**2 and of y**2 is computed here."]
    ]


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("One ends. Two ends! Three ends? Four", ["One ends.", "Two ends!", "Three ends?", "Four"]),
        ("See e.g. Smith et al. 2001, i.e. Fig. 3. Then go.", ["See e.g. Smith et al. 2001, i.e. Fig. 3.", "Then go."]),
        ("It is 3.5. The next is 4. Done.", ["It is 3.5.", "The next is 4.", "Done."]),
        ("Call np.linalg.norm. Then x.T is set.", ["Call np.linalg.norm.", "Then x.T is set."]),
        ("By J. W. Tukey and Donald E. Knuth. Both wrote.", ["By J. W. Tukey and Donald E. Knuth.", "Both wrote."]),
        ("It returns the matrix X. The rest is lost.", ["It returns the matrix X.", "The rest is lost."]),
        ('He said "stop." She went. (Both did.) Then', ['He said "stop."', "She went.", "(Both did.)", "Then"]),
        ("Lists, dicts, etc. are fine. etc. Lower goes on.", ["Lists, dicts, etc. are fine. etc.", "Lower goes on."]),
        ("1. First do this. 2. Then that.", ["1. First do this.", "2. Then that."]),
        ("Wait... What?! Yes.", ["Wait...", "What?!", "Yes."]),
        ("  white \n space\t ", ["white space"]),
        ("", []),
    ],
)
def test_sentences_end_where_they_end(paragraph, expected):
    assert split_sentences(paragraph) == expected
    assert " ".join(expected) == " ".join(paragraph.split())
