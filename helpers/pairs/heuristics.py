"""What makes two texts a pair: heuristics as a table, and the checks that every pair passes, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.pairs.cleaning import LANGUAGES, clean_text, in_language, is_broken, letters_key

if TYPE_CHECKING:
    import pandas as pd

    from helpers.pairs.overlap import EvaluationTexts

__all__ = ["HEURISTICS", "PAIR_COLUMNS", "PUBLISHED_SETS", "Heuristic", "check_pairs", "heuristics_table"]

#: Columns of a table of pairs.
PAIR_COLUMNS = ("source", "kind", "left", "right", "document")


@dataclass(frozen=True)
class Heuristic:
    """A reason to take two texts for a pair.

    Attributes
    ----------
    kind
        Name of the heuristic in tables of pairs.
    symmetric
        Whether the sides may change places: then both get one instruction, else a query and a passage.
    left, right
        What each side is.
    crossing
        Whether the right side is in English, whatever the language of the left one.
    words
        Whether sides may be single words.
    """

    kind: str
    symmetric: bool
    left: str
    right: str
    crossing: bool = False
    words: bool = False


_HEURISTICS = (
    Heuristic("title", False, "title of a section", "its first paragraph"),
    Heuristic("question", False, "question", "its answer"),
    Heuristic("instruction", False, "instruction", "its answer"),
    Heuristic("summary", False, "summary", "text that it sums up"),
    Heuristic("query", False, "query", "relevant document"),
    Heuristic("definition", False, "word", "its definition", words=True),
    Heuristic("example", False, "word and its definition", "sentence with the word"),
    Heuristic("entailment", True, "text", "what follows from it"),
    Heuristic("paraphrase", True, "text", "the same in other words"),
    Heuristic("same sense", True, "definition", "another definition of the same sense"),
    Heuristic("same English", True, "translation of an English text", "another translation of it"),
    Heuristic("synonym", True, "word", "word of the same sense", words=True),
    Heuristic("neighbour", True, "paragraph", "the next paragraph under one title"),
    Heuristic("translation", True, "text", "its English", crossing=True),
)
#: Heuristics by kind.
HEURISTICS: dict[str, Heuristic] = {heuristic.kind: heuristic for heuristic in _HEURISTICS}

#: Data sets of the published recipe by their names on the hub (or where they lie), kind of pairs, number of pairs.
PUBLISHED_SETS: tuple[tuple[str, str, int], ...] = (
    ("AllNLI, translated", "entailment", 282_644),
    ("jgc128/mednli", "entailment", 3_699),
    ("RussianNLP/russian_super_glue:rcb", "entailment", 392),
    ("RussianNLP/russian_super_glue:terra", "entailment", 1_359),
    ("tapaco", "paraphrase", 91_240),
    ("Helsinki-NLP/opus-100", "translation", 1_000_000),
    ("Helsinki-NLP/bible_para", "translation", 62_195),
    ("d0rj/rudetoxifier_data_detox", "paraphrase", 31_407),
    ("s-nlp/ru_paradetox", "paraphrase", 11_090),
    ("deepvk/ru-WANLI", "entailment", 35_455),
    ("deepvk/ru-HNP", "paraphrase", 500_000),
    ("Shitao/bge-m3-data:MIRACL", "query", 10_000),
    ("Shitao/bge-m3-data:MLDR", "query", 1_864),
    ("yutkin/Lenta.Ru-News-Dataset", "title", 185_972),
    ("reciTAL/mlsum", "summary", 51_112),
    ("Shitao/bge-m3-data:Mr-TyDi", "query", 536_600),
    ("its5Q/panorama", "title", 11_024),
    ("TarasHu/pravoIsrael", "question", 26_364),
    ("csebuetnlp/xlsum", "summary", 124_486),
    ("0x7o/fialka-v1", "instruction", 130_000),
    ("Milana/russian_keywords", "title", 16_461),
    ("IlyaGusev/gazeta", "summary", 121_928),
    ("d0rj/gsm8k-ru", "question", 7_470),
    ("bragovo/dsum_ru", "summary", 27_191),
    ("CarlBrendt/Summ_Dialog_News", "summary", 75_700),
)


def heuristics_table(pairs: pd.DataFrame | None = None) -> pd.DataFrame:
    """The heuristics, with the numbers of pairs that they give.

    Parameters
    ----------
    pairs
        Table of pairs with a column ``kind``, whose pairs are counted under ``pairs``; None for no such column.

    Returns
    -------
    DataFrame
        A row for each kind: ``symmetric``, ``left``, ``right``, ``published`` (pairs that the sets of the published
        recipe have of this kind :cite:`deepvk2024user`) and ``pairs``.

    Examples
    --------
    >>> heuristics_table().loc[["title", "paraphrase"], "symmetric"].tolist()
    [False, True]
    """
    import pandas as pd

    published: Counter = Counter()
    for _, kind, n in PUBLISHED_SETS:
        published[kind] += n
    rows = {
        kind: {
            "symmetric": heuristic.symmetric,
            "left": heuristic.left,
            "right": heuristic.right,
            "published": published[kind],
        }
        for kind, heuristic in HEURISTICS.items()
    }
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")
    if pairs is not None:
        found["pairs"] = pairs["kind"].value_counts().reindex(found.index, fill_value=0)
    return found


def check_pairs(
    rows: Iterable[tuple[str, str, str, str, str]],
    *,
    language: str = "ru",
    asked: EvaluationTexts | None = None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Pairs that can be trained on, and why the others cannot.

    Parameters
    ----------
    rows
        Source, kind, left side, right side and document of each pair.
    language
        Declared language of the sides; the right side of a translation is English.
    asked
        Texts of evaluations, which no pair may have.

    Returns
    -------
    pairs : DataFrame
        Columns :data:`PAIR_COLUMNS`, in the given order, texts in one line.
    refused : Series
        How many pairs were refused by each reason, in the order of the checks: ``"empty side"``, ``"broken encoding"``,
        ``"same text on both sides"``, ``"other language"``, ``"said before"`` (the same kind and the same letters on
        both sides), ``"same as an evaluation text"``, ``"near an evaluation text"``.

    Raises
    ------
    ValueError
        If the language is unknown, a row has not five entries, a side is no text, or a kind is not in
        :data:`HEURISTICS`; the message names the row, counted from 0.

    Examples
    --------
    >>> sides = [("Вид", "Что видно в окне."), ("Вид", ""), ("Мы", "мы!")]
    >>> rows = [("help", "title", *both, "") for both in sides]
    >>> pairs, refused = check_pairs(rows)
    >>> len(pairs), refused[["empty side", "same text on both sides"]].tolist()
    (1, [1, 1])
    """
    import pandas as pd

    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}; it is one of {', '.join(map(repr, LANGUAGES))}")
    refused = dict.fromkeys(REASONS, 0)
    kept, told, verdicts = [], set(), {}
    for number, row in enumerate(rows):
        source, kind, left, right, document = _checked_row(number, row)
        left, right = clean_text(left), clean_text(right)
        keys = letters_key(left), letters_key(right)
        reason = _reason(HEURISTICS[kind], left, right, keys, language)
        if not reason and (kind, *keys) in told:
            reason = "said before"
        if not reason:
            told.add((kind, *keys))
            if HEURISTICS[kind].symmetric:
                told.add((kind, *keys[::-1]))
            for side in (left, right) if asked is not None else ():
                if side not in verdicts:
                    verdicts[side] = asked.find(side)
                reason = reason or OVERLAPS.get(verdicts[side], "")
        if reason:
            refused[reason] += 1
        else:
            kept.append((source, kind, left, right, document))
    return pd.DataFrame(kept, columns=list(PAIR_COLUMNS)), pd.Series(refused, name="refused", dtype=int)


def _checked_row(number: int, row: tuple[str, str, str, str, str]) -> tuple[str, str, str, str, str]:
    """Source, kind, sides and document; a side that is None is empty."""
    entries = () if isinstance(row, str) else tuple(row)
    if len(entries) != len(PAIR_COLUMNS):
        raise ValueError(f"rows, row {number}: {row!r} has not the entries {', '.join(PAIR_COLUMNS)}")
    source, kind, left, right, document = entries
    if kind not in HEURISTICS:
        raise ValueError(f"rows, row {number}: kind is {kind!r}; it is one of {', '.join(map(repr, HEURISTICS))}")
    for name, side in (("left", left), ("right", right)):
        if side is not None and not isinstance(side, str):
            raise ValueError(f"rows, row {number}: {name} is {side!r}, no text")
    return source, kind, left or "", right or "", document


#: What an overlap with an evaluation is called in counts.
OVERLAPS = {"same": "same as an evaluation text", "near": "near an evaluation text"}
REASONS = (
    "empty side",
    "broken encoding",
    "same text on both sides",
    "other language",
    "said before",
    *OVERLAPS.values(),
)


def _reason(heuristic: Heuristic, left: str, right: str, keys: tuple[str, str], language: str) -> str:
    if not keys[0] or not keys[1]:
        return "empty side"
    if is_broken(left) or is_broken(right):
        return "broken encoding"
    if keys[0] == keys[1] and not _differ_in_digits(left, right):
        return "same text on both sides"
    share = 0.5 if heuristic.words else 0.6
    least = 0 if heuristic.words else 1
    other = "en" if heuristic.crossing else language
    if not in_language(left, language, share=share, words=least):
        return "other language"
    return "" if in_language(right, other, share=share, words=least) else "other language"


def _differ_in_digits(left: str, right: str) -> bool:
    digits = ["".join(c for c in side if c.isdigit()) for side in (left, right)]
    return digits[0] != digits[1]
