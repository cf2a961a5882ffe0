"""What decides the weights of an encoder: its recipe, and the corpus that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers.arrays import check_count, check_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TOKENIZERS", "Recipe", "read_corpus", "table_of_paragraphs"]

OBJECTIVES = ("bert", "roberta", "simcse")
#: How texts become tokens: pieces of words in lower case, or bytes that often stand together, capital letters kept.
TOKENIZERS = ("wordpiece", "bytes")
VOCABULARY = 300  # the 256 bytes, the special tokens, and a few pieces of words


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights of an encoder.

    Parameters
    ----------
    objective
        ``"bert"``: masked words and next-sentence prediction :cite:`devlin2019bert`, which takes two paragraphs of a
        document; ``"roberta"``: masked words alone with masks drawn anew in every epoch :cite:`liu2019roberta`;
        ``"simcse"``: the contrastive fine-tuning of an encoder on pairs with hard negatives :cite:`gao2021simcse`.
    stages
        Pairs of a number of layers and millions of tokens, one after the other; each depth is a multiple of the one
        before it. Tokens are counted without padding.
    hidden, heads, vocabulary, length
        Width, attention heads, size of the vocabulary (at least 300), most tokens of a sequence.
    paragraph
        Most tokens of a paragraph in training; two of them and three special ones fit into a sequence. Neighbours are
        found sooner among few tokens.
    batch
        Tokens of one step, padding included.
    rate, warmup, decay
        Highest learning rate (of twelve layers :math:`\\sqrt{6/12}` of it), steps of warm-up in each stage, and the
        share of all tokens over which the rate falls to zero at the end.
    masking
        Share of the tokens that are to be predicted.
    temperature
        What the cosines of the contrastive loss are divided by.
    held_out
        Share of the modules whose documentation is kept for the held-out loss.
    precision
        Type in which linear layers multiply, forward and backward: ``"float32"``, or ``"bfloat16"`` (sums and
        everything else stay in single precision), which is half as fast again on processors that have it.
    positions
        Weights from which training starts: ``"neighbours"``, some heads look at the tokens beside
        (:func:`helpers.encoders.growing.start_with_local_attention`), or ``"random"``, all heads look anywhere, and
        much of a short training goes by until they find the neighbours.
    libraries
        Packages whose documentation is read; empty for all that the book reads.
    seed
        Seed for the held-out modules, the first weights, the masks and the order of the batches.
    tokenizer
        ``"wordpiece"`` or ``"bytes"``, as in :data:`TOKENIZERS`; empty for that of the original model of the objective:
        word pieces for ``"bert"``, bytes for ``"roberta"``.
    strip_accents
        Whether word pieces lose their accents. In Russian they must not: й would become и, and ё become е.
    language
        Code of the language of the texts, such as ``"ru"``; it stands on the card.
    """

    objective: str = "bert"
    stages: tuple[tuple[int, float], ...] = ((3, 3.0), (6, 4.0), (12, 13.0))
    hidden: int = 128
    heads: int = 4
    vocabulary: int = 8000
    length: int = 128
    paragraph: int = 62
    batch: int = 4096
    rate: float = 2e-3
    warmup: int = 150
    decay: float = 0.4
    masking: float = 0.2
    temperature: float = 0.05
    held_out: float = 0.02
    precision: str = "float32"
    positions: str = "random"
    libraries: tuple[str, ...] = ()
    seed: int = 0
    tokenizer: str = ""
    strip_accents: bool = True
    language: str = "en"

    def __post_init__(self):
        object.__setattr__(self, "stages", tuple((int(depth), float(millions)) for depth, millions in self.stages))
        object.__setattr__(self, "libraries", tuple(self.libraries))
        depths = [depth for depth, _ in self.stages]
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective is {self.objective!r}; it is one of {', '.join(OBJECTIVES)}")
        if self.tokenizer not in ("", *TOKENIZERS):
            raise ValueError(f"tokenizer is {self.tokenizer!r}; it is one of {', '.join(map(repr, TOKENIZERS))}")
        if not self.language:
            raise ValueError("language is empty; a code such as 'en' or 'ru' is needed")
        if not depths or min(depths) < 1 or any(b % a for a, b in zip(depths, depths[1:], strict=False)):
            raise ValueError(f"stages have {depths} layers; each number is a multiple of the one before it, at least 1")
        if min(millions for _, millions in self.stages) <= 0:
            raise ValueError("stages: every stage has more than 0 million tokens")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision is {self.precision!r}; it is 'float32' or 'bfloat16'")
        if self.positions not in ("neighbours", "random"):
            raise ValueError(f"positions is {self.positions!r}; it is 'neighbours' or 'random'")
        for name, least in (("hidden", 1), ("heads", 1), ("vocabulary", VOCABULARY), ("warmup", 0)):
            check_count(getattr(self, name), name, least=least)
        check_number(self.rate, "rate", lambda rate: 0 < rate < float("inf"), "a finite number above 0")
        if self.hidden % self.heads:
            raise ValueError(f"hidden is {self.hidden}; it is a multiple of heads={self.heads}")
        for name in ("masking", "held_out", "decay"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it lies between 0 and 1")
        if self.length < 16 or self.batch < self.length:
            raise ValueError(f"length is {self.length}, batch {self.batch}; 16 <= length <= batch")
        if not 4 <= self.paragraph <= (self.length - 3) // 2:
            raise ValueError(f"paragraph is {self.paragraph}; it lies between 4 and {(self.length - 3) // 2}")

    @property
    def word_pieces(self) -> bool:
        """Whether texts become pieces of words, and not bytes."""
        return (self.tokenizer or ("wordpiece" if self.objective == "bert" else "bytes")) == "wordpiece"

    @property
    def tokens(self) -> int:
        """Tokens of all stages."""
        return round(1e6 * sum(millions for _, millions in self.stages))


def read_corpus(recipe: Recipe) -> pd.DataFrame:
    """The documentation that a recipe reads: one row a paragraph, ``held_out`` true for whole modules.

    Which modules are held out depends on their names and the seed alone, so it stays the same as libraries change.
    For ``"simcse"`` the table has only objects that lie in the training split of the tasks of :mod:`helpers.tasks`,
    so that no pair of paragraphs it learns from is one that a task asks about.

    Examples
    --------
    >>> table = read_corpus(Recipe(libraries=("networkx",)))
    >>> bool(0 < table.held_out.mean() < 0.1)
    True
    >>> int(table.groupby("module").held_out.nunique().max())
    1
    """
    from helpers.text import LIBRARIES, documentation

    if recipe.language != "en":
        raise ValueError(f"language is {recipe.language!r} and table is missing: documentation of libraries is English")
    table = documentation(recipe.libraries or LIBRARIES)
    if recipe.objective == "simcse":
        from helpers.tasks.documentation import split_of

        table = table[[split_of(name.rpartition(".")[2]) == "train" for name in table["object"]]]
    return _with_held_out(table, recipe.held_out, recipe.seed)


def table_of_paragraphs(paragraphs: pd.DataFrame, *, held_out: float = 0.02, seed: int = 0) -> pd.DataFrame:
    """Paragraphs of any source as a corpus to pre-train on, whole documents of which are held out.

    Parameters
    ----------
    paragraphs
        Columns ``source``, ``document`` and ``text``, as :class:`helpers.pairs.PairCorpus` has them.
    held_out
        Share of the documents that no training sees, between 0 and 1.
    seed
        Seed of their choice, which depends on their names alone besides.

    Returns
    -------
    DataFrame
        ``library`` (the source), ``module`` and ``object`` (the document), ``text``, ``held_out``.

    Raises
    ------
    ValueError
        If a column is missing, or all documents fall on one side.

    Examples
    --------
    >>> import pandas as pd
    >>> told = pd.DataFrame({"source": "notes", "document": [f"{i}.txt" for i in range(40)], "text": "Сегодня дождь."})
    >>> int(table_of_paragraphs(told, held_out=0.25)["held_out"].sum())
    12
    """
    if absent := [name for name in ("source", "document", "text") if name not in paragraphs]:
        raise ValueError(f"paragraphs has no column {', '.join(map(repr, absent))}; its columns are {[*paragraphs]}")
    if not 0 < held_out < 1:
        raise ValueError(f"held_out is {held_out}; it lies between 0 and 1")
    told = paragraphs[["source", "document", "document", "text"]]
    table = _with_held_out(told.set_axis(["library", "module", "object", "text"], axis=1), held_out, seed)
    if table["held_out"].nunique() < 2:
        raise ValueError(
            f"held_out is {held_out}, and {table['module'].nunique()} documents fall on one side; choose another share"
        )
    return table


def _with_held_out(table: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    chosen = {name: _unit(f"{seed} {name}") < share for name in table["module"].unique()}
    return table.assign(held_out=table["module"].map(chosen)).reset_index(drop=True)


def _unit(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    import hashlib

    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 16**13
