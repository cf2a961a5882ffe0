"""Real text without a download: the documentation of the installed libraries, and readers of your own files.

Every machine that can run this book holds tens of thousands of English docstrings. :func:`documentation` reads them
where they are installed, without importing anything, and :func:`sentences` draws sentences from them or from a file.
The text is never copied into the repository; :func:`digest_of_texts` says in one line which corpus a result was
computed on.

=============  =========================================================================================================
``corpus``     :func:`documentation`, the paragraphs or sentences of the installed libraries
``reading``    :func:`sentences`, :func:`read_texts`, :func:`read_hub` and :func:`digest_of_texts`
``prose``      from docstrings to prose, and from paragraphs to sentences
``sources``    source files of libraries and the docstrings in them
=============  =========================================================================================================
"""

from helpers.text.corpus import LIBRARIES, documentation
from helpers.text.prose import split_sentences
from helpers.text.reading import digest_of_texts, read_hub, read_texts, sentences
from helpers.text.sources import library_version

__all__ = [
    "LIBRARIES",
    "digest_of_texts",
    "documentation",
    "library_version",
    "read_hub",
    "read_texts",
    "sentences",
    "split_sentences",
]
