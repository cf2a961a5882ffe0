"""Which embeddings to keep, how combined, at what width and precision: every option judged on the same held-out items.

:func:`judge_options` scores them, with intervals that hold for all options at once; :class:`Options` says what to keep.
"""

from helpers.report.keeping.judging import Options, judge_options
from helpers.report.keeping.options import FUSIONS, Option, list_options
from helpers.report.keeping.words import options_in_words, options_shown

__all__ = ["FUSIONS", "Option", "Options", "judge_options", "list_options", "options_in_words", "options_shown"]
