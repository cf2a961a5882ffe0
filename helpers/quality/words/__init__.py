"""How good vectors of words are: relatedness, analogies, categories, intruders, each with how many words it knew.

Two lines judge a file of vectors by a file of people's scores::

    from helpers.quality.words import relatedness
    relatedness("glove.txt", "wordsim353.tsv")

Vectors are anything that :func:`as_word_vectors` takes: a file, a mapping, a frame, an object of gensim, or what
:func:`corpus_vectors` and :func:`token_vectors` make. Words that have no vector are counted in every table and named in
its ``attrs``; none is dropped in silence.

==================  ====================================================================================================
``vectors``         words with their vectors, from files and objects of other libraries
``navec``           archives of quantised vectors
``corpora``         PPMI + SVD of a corpus
``tokens``          the token table of a transformer
``sets``            sets of words that people or programs made: readers and checks
``documentation``   such a set of our own, from names in the documentation of the installed libraries
``related``         relatedness: rank correlation with scores
``analogy``         a is to b as c is to …: four methods, with and without the question's own words
``categories``      k-means against categories
``intrusion``       whether another space finds the word that does not belong
``shared_members``  errors and intervals of pairs that share a member
``questionnaire``   whether people do: a form as one file, and its evaluation
==================  ====================================================================================================
"""

from helpers.quality.words.analogy import ANALOGY_METHODS, analogies, analogy_answers
from helpers.quality.words.categories import categorisation
from helpers.quality.words.corpora import corpus_vectors
from helpers.quality.words.documentation import documentation_word_sets
from helpers.quality.words.intrusion import intrusion, intrusion_questions, pick_intruders
from helpers.quality.words.questionnaire import intrusion_form, read_answers, score_answers
from helpers.quality.words.related import relatedness
from helpers.quality.words.sets import read_categories, read_questions, read_scored_pairs
from helpers.quality.words.tokens import token_vectors
from helpers.quality.words.vectors import WordVectors, as_word_vectors

__all__ = [
    "ANALOGY_METHODS",
    "WordVectors",
    "analogies",
    "analogy_answers",
    "as_word_vectors",
    "categorisation",
    "corpus_vectors",
    "documentation_word_sets",
    "intrusion",
    "intrusion_form",
    "intrusion_questions",
    "pick_intruders",
    "read_answers",
    "read_categories",
    "read_questions",
    "read_scored_pairs",
    "relatedness",
    "score_answers",
    "token_vectors",
]
