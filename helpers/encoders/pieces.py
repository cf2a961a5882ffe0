"""Word pieces that are the same whenever they are learned from the same texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["SPECIAL", "word_pieces"]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Tokens that come first in every vocabulary."""


def word_pieces(
    texts: Iterable[str], size: int, *, alphabet: int = 1000, strip_accents: bool | None = None
) -> Tokenizer:
    """A vocabulary of word pieces in lower case (WordPiece), the same for the same texts.

    The library numbers letters inside words in an order of chance, and breaks ties between pieces by these numbers; so
    two trainings on the same texts give it two vocabularies. Here the letters have their numbers beforehand.

    Parameters
    ----------
    texts
        Texts to learn from.
    size
        Pieces, at most, but for the letters, which are all there.
    alphabet
        Distinct characters, at most: the most frequent ones.
    strip_accents
        Whether accents are taken off, which makes й of и; None: they are, with the capitals.

    Returns
    -------
    tokenizers.Tokenizer
        A tokeniser without special tokens around a text; unknown characters become ``[UNK]``.
    """
    from tokenizers import BertWordPieceTokenizer, models

    texts = list(texts)
    learner, found = (BertWordPieceTokenizer(lowercase=True, strip_accents=strip_accents) for _ in range(2))
    words: Counter[str] = Counter()
    for text in texts:
        words.update(learner.normalizer.normalize_str(text).split())
    counts: Counter[str] = Counter()
    inside: set[str] = set()
    for word, times in words.items():
        for part, _ in learner.pre_tokenizer.pre_tokenize_str(word):
            for character in part:
                counts[character] += times
            inside |= set(part[1:])
    kept = sorted(sorted(counts, key=lambda character: (-counts[character], character))[:alphabet])
    if kept:
        learner.train_from_iterator(
            texts,
            vocab_size=size,
            limit_alphabet=len(kept),
            initial_alphabet=kept,
            special_tokens=[*SPECIAL, *(f"##{character}" for character in kept if character in inside)],
            show_progress=False,
        )
    vocabulary = learner.get_vocab() if kept else {token: at for at, token in enumerate(SPECIAL)}
    found._tokenizer.model = models.WordPiece(vocabulary, unk_token="[UNK]")
    found._tokenizer.add_special_tokens(list(SPECIAL))
    return found._tokenizer
