"""Texts as vectors from which they can be written again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from helpers.arrays import check_count, check_not_negative, single_precision
from helpers.inversion._given import warn_of_far

__all__ = ["Inverter"]

FORMAT = 1

WORD_BY_WORD = ("autoregressive", "prefix", "mamba", "delta")
"""Decoders that write token after token."""


class Inverter(BaseEstimator):
    r"""Sentences as vectors of one width, and a decoder that writes the sentence of a vector.

    An encoder gives a state for each token, pooling makes one vector of them, and a decoder is trained to write the
    text from that vector alone, by the cross-entropy of its tokens.

    Parameters
    ----------
    encoder
        ``"own"``: a small encoder that is trained with the decoder; or the folder, or the name on the hub, of one that
        exists.
    train_encoder
        Whether an encoder that exists is trained further, or frozen.
    pooling, n_heads, width
        What makes the vector: ``"first"``, ``"mean"``, ``"attention"`` or ``"heads"`` (``n_heads`` of them), and its
        width; see :func:`helpers.inversion.pooling.make_pooling`.
    decoder
        ``"autoregressive"``, ``"prefix"``, ``"mamba"``, ``"delta"``, ``"one_pass"`` or ``"iterative"``; see
        :func:`helpers.inversion.decoders.make_decoder`.
    n_slots
        States that the decoder sees of a vector.
    rank
        Rank of the first states of ``"mamba"`` and ``"delta"``.
    hidden, layers
        Width and number of the layers of decoder and own encoder.
    vocabulary
        Number of tokens that are learned from the texts, at least 260.
    length
        Most tokens of a text, its end included; longer texts are truncated, which is counted and warned of.
    lower
        Whether texts are read, and written, in small letters.
    noise
        Standard deviation of noise on the vectors in training, in units of their own spread.
    dropout
        Share of the activations left out in training, in own encoder and decoder.
    word_dropout
        Share of the tokens that are hidden, in training, from the decoder when it writes those behind them
        :cite:`bowman2016generating`; in [0, 1), and of no effect where all tokens are written at once.
    smoothing
        Label smoothing, in [0, 1).
    meaning
        Weight of a loss of whole sentences: one less the cosine of the vectors of a text and of what is written of its
        vector, with all words before given, through straight-through Gumbel-softmax; it needs an own encoder.
    variational
        Weight of the divergence of a normal vector from the standard normal one, in nats per text over nats per token;
        0: the vector is a point.
    learning_rate
        Rate of AdamW after the warm-up; it falls to 0 along a cosine.
    encoder_rate
        The same of the weights of an encoder that exists and is trained further, which the rate of the decoder would
        destroy.
    warmup
        Steps over which the rate rises.
    batch_tokens
        Most tokens of a batch, with padding.
    epochs, minutes
        Budgets of training; the first to be used up ends it.
    patience
        Epochs in a row without a new least loss of the validation texts after which training stops.
    precision
        ``"float32"``, ``"bfloat16"`` or ``"auto"`` for the products of training; see
        :class:`helpers.training.Update`.
    folder
        Where training is kept, so that it goes on after an interruption; None: nowhere.
    progress
        Whether a bar is shown.
    device
        Torch's name of the device.
    random_state
        Seed of weights, batches and noise.

    Attributes
    ----------
    tokens_ : helpers.inversion.tokens.TokenTable
        Tokens that the decoder writes.
    network_ : torch.nn.ModuleDict
        ``"decoder"``, and ``"encoder"`` and ``"pooling"`` unless vectors were given.
    truncated_ : ndarray of int
        Rows of training texts that were longer than ``length``.
    centre_ : ndarray of shape (width,)
        Mean of the vectors of training texts.
    spread_ : float
        Root of the mean variance of a coordinate of those vectors.
    reach_ : float
        Distance from the centre within which 99.9 % of them lie.
    log_ : list of dict
        Rows of :class:`helpers.training.Trained`: ``step``, ``loss``, minutes, ``validation`` where texts were given.

    Notes
    -----
    A model with the default widths has some 2.5 million parameters. Vectors given to :meth:`fit` are brought to mean 0
    and spread 1 before anything else, and so are those given to :meth:`decode`.

    Examples
    --------
    >>> from helpers.inversion import Inverter
    >>> texts = ["Oil rises.", "Oil falls.", "Gold rises.", "Gold falls."]
    >>> inverter = Inverter(width=16, hidden=48, layers=1, n_heads=2, vocabulary=260, epochs=150, dropout=0.0)
    >>> inverter.fit(texts).decode(inverter.encode(["Oil falls."]))
    ['oil falls.']
    """

    def __init__(
        self,
        *,
        encoder: str | os.PathLike[str] = "own",
        train_encoder: bool = True,
        pooling: str = "heads",
        n_heads: int = 4,
        width: int = 512,
        decoder: str = "autoregressive",
        n_slots: int = 1,
        rank: int = 4,
        hidden: int = 192,
        layers: int = 2,
        vocabulary: int = 4000,
        length: int = 48,
        lower: bool = True,
        noise: float = 0.0,
        dropout: float = 0.1,
        word_dropout: float = 0.0,
        smoothing: float = 0.0,
        meaning: float = 0.0,
        variational: float = 0.0,
        learning_rate: float = 0.003,
        encoder_rate: float = 0.0003,
        warmup: int = 200,
        batch_tokens: int = 2048,
        epochs: int | None = None,
        minutes: float | None = None,
        patience: int = 3,
        precision: str = "float32",
        folder: str | os.PathLike[str] | None = None,
        progress: bool = False,
        device: str = "cpu",
        random_state: int = 0,
    ):
        self.encoder = encoder
        self.train_encoder = train_encoder
        self.pooling = pooling
        self.n_heads = n_heads
        self.width = width
        self.decoder = decoder
        self.n_slots = n_slots
        self.rank = rank
        self.hidden = hidden
        self.layers = layers
        self.vocabulary = vocabulary
        self.length = length
        self.lower = lower
        self.noise = noise
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.smoothing = smoothing
        self.meaning = meaning
        self.variational = variational
        self.learning_rate = learning_rate
        self.encoder_rate = encoder_rate
        self.warmup = warmup
        self.batch_tokens = batch_tokens
        self.epochs = epochs
        self.minutes = minutes
        self.patience = patience
        self.precision = precision
        self.folder = folder
        self.progress = progress
        self.device = device
        self.random_state = random_state

    def fit(
        self,
        texts: Sequence[str],
        y: Any = None,
        *,
        vectors: Any = None,
        validation: Sequence[str] | None = None,
        validation_vectors: Any = None,
        paraphrases: Sequence[Sequence[str]] | None = None,
    ) -> Inverter:
        """Train on texts, or on vectors of somebody else's encoder with their texts.

        Parameters
        ----------
        texts
            Strings, none of them blank.
        y
            Ignored; there for the manner of scikit-learn.
        vectors : array_like of shape (n, p), optional
            A vector for each text. The inverter then has no encoder, and its width is p.
        validation
            Further texts, whose loss is logged once in an epoch and decides which weights are kept.
        validation_vectors : array_like of shape (m, p), optional
            Vectors of the validation texts, needed where ``vectors`` are given.
        paraphrases
            For each text other texts that say the same, or none. The least of their losses is added to the loss of the
            text, 0 where there are none, so that a vector has to stand for what they have in common; see
            :func:`helpers.inversion.texts.natural_paraphrases`.

        Warns
        -----
        UserWarning
            If training texts are truncated, or if their vectors have become one and the same.

        Raises
        ------
        TypeError
            If texts are no list of strings.
        ValueError
            If a text is blank, lengths or widths differ, a vector is not finite, or a parameter is out of range.
        """
        from helpers.inversion.training import train_inverter

        texts = checked_texts(texts, "texts")
        validation = None if validation is None else checked_texts(validation, "validation")
        self._check_parameters()
        given = _checked_vectors(vectors, len(texts), "vectors")
        held = _checked_vectors(validation_vectors, len(validation or ()), "validation_vectors")
        if given is not None and validation is not None and held is None:
            raise ValueError("validation texts were given without validation_vectors, as vectors stand for the encoder")
        if held is not None and (given is None or held.shape[1] != given.shape[1]):
            wanted = "vectors are missing" if given is None else f"vectors have {given.shape[1]} columns"
            raise ValueError(f"validation_vectors have {held.shape[1]} columns, and {wanted}")
        if given is not None and self.meaning:
            raise ValueError(f"meaning is {self.meaning}, and vectors are given; it needs an encoder of its own")
        others = None if paraphrases is None else self._checked_paraphrases(paraphrases, len(texts))
        train_inverter(self, texts, given, validation, held, others)
        return self

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """The vector of each text, shape (n, width), float32.

        Raises
        ------
        TypeError, ValueError
            If texts are no list of strings, one is blank, or the inverter was trained on vectors and has no encoder.
        """
        from helpers.inversion.training import encode

        check_is_fitted(self, "network_")
        if "encoder" not in self.network_:
            raise ValueError("this inverter was trained on vectors and has no encoder; encode with the one they are of")
        return encode(self, checked_texts(texts, "texts"))

    def decode(self, vectors: Any, *, beams: int = 1, batch: int = 256, **options: Any) -> list[str]:
        """The text of each vector.

        Parameters
        ----------
        vectors : array_like of shape (n, width)
            Vectors like those of training.
        beams
            Beams of the search; 1: always the likeliest token. ``"one_pass"`` and ``"iterative"`` have none.
        batch
            Vectors that are decoded at a time.
        options
            What else ``generate`` of transformers takes, such as ``do_sample=True, temperature=0.7`` or
            ``length_penalty``; of ``"iterative"``, ``passes``.

        Warns
        -----
        UserWarning
            If a vector lies outside the cloud of training; the warning says how far.

        Raises
        ------
        ValueError
            If the width is another one, or a vector is not finite.
        """
        from helpers.inversion.training import written_tokens

        check_is_fitted(self, "network_")
        check_count(beams, "beams")
        check_count(batch, "batch")
        x = self._known(vectors)
        rows = written_tokens(self, x, beams=beams, batch=batch, **options)
        return self.tokens_.texts(rows)

    def score(self, texts: Sequence[str], y: Any = None, *, vectors: Any = None, beams: int = 1) -> float:
        """Mean token F1 of the texts that are written from the vectors of texts, in [0, 1]; higher is better.

        Parameters
        ----------
        texts
            Texts, not those of training.
        y
            Ignored; there for the manner of scikit-learn.
        vectors
            Vectors of the texts, if the inverter has no encoder.
        beams
            Same meaning as in :meth:`decode`.
        """
        from helpers.inversion.measures import inversion_scores

        written = self.decode(self.encode(texts) if vectors is None else vectors, beams=beams)
        return float(inversion_scores(texts, written, lower=self.lower)["token_f1"].mean())

    def save(self, folder: str | os.PathLike[str], *, largest: str = "5GB") -> Path:
        """Write the inverter to a folder: weights as safetensors in half precision, the rest as JSON.

        A frozen encoder of another folder is not copied: it is read from there again, and refused if its weights have
        changed. Of one that was trained further the weights are written, and the rest is read from its folder.

        Parameters
        ----------
        folder
            Folder that is made if need be; an inverter in it is replaced.
        largest
            Largest size of a file of weights, such as ``"3500KB"``; what is larger becomes several files.
        """
        from helpers.inversion.training import save_weights

        check_is_fitted(self, "network_")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.tokens_.save(folder / "tokens.json")
        for old in folder.glob("model*.safetensors*"):
            old.unlink()
        save_weights(self, folder, largest)
        parameters = {name: str(v) if isinstance(v, os.PathLike) else v for name, v in self.get_params().items()}
        about = {
            "format": FORMAT,
            "parameters": parameters | {"folder": None},
            "vectors_given": "encoder" not in self.network_,
            "width": int(len(self.centre_)),
            "centre": self.centre_.tolist(),
            "spread": self.spread_,
            "reach": self.reach_,
            "truncated": self.truncated_.tolist(),
            "log": self.log_,
        }
        if (digest := _left_out(self.network_)) is not None:
            about["weights of the encoder"] = digest
        (folder / "inverter.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Inverter:
        """Read an inverter that :meth:`save` wrote.

        Raises
        ------
        FileNotFoundError
            If the folder is no inverter; the message names what is missing.
        ValueError
            If it was written by a later version, a file is damaged, its weights do not fit, or a frozen encoder has
            other weights than in training.
        """
        from helpers.inversion.tokens import TokenTable
        from helpers.inversion.training import build, load_weights

        folder = Path(folder)
        for name in ("inverter.json", "tokens.json"):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{folder} is no inverter: {name} is missing")
        about = _description(folder / "inverter.json", set(cls().get_params()))
        self = cls(**about["parameters"])
        self.tokens_ = TokenTable.load(folder / "tokens.json")
        self.centre_ = np.array(about["centre"], dtype=np.float32)
        self.spread_, self.reach_ = about["spread"], about["reach"]
        self.truncated_, self.log_ = np.array(about["truncated"], dtype=np.int64), about["log"]
        build(self, given=about["width"] if about["vectors_given"] else None)
        load_weights(self, folder)
        told, here = about.get("weights of the encoder"), _left_out(self.network_)
        if told is not None and told != here:
            raise ValueError(
                f"{folder} was trained on the encoder {self.encoder} with weights of digest {told}; "
                f"those there now have {here}, and vectors of theirs would not be read"
            )
        return self

    def _known(self, vectors: Any) -> np.ndarray:
        """Vectors, checked; a warning tells of those outside the cloud of training."""
        x = single_precision(vectors, "vectors", rows=1)
        if x.shape[1] != len(self.centre_):
            raise ValueError(f"vectors have {x.shape[1]} columns; this inverter reads vectors of {len(self.centre_)}")
        warn_of_far(x, self.centre_, self.reach_, stacklevel=4)
        return x

    def _check_parameters(self) -> None:
        from helpers.inversion.decoders import DECODERS
        from helpers.inversion.pooling import POOLINGS

        for name, known in (("pooling", POOLINGS), ("decoder", DECODERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is one of {', '.join(known)}")
        for name in ("n_heads", "width", "n_slots", "rank", "layers", "batch_tokens", "patience"):
            check_count(getattr(self, name), name)
        check_count(self.length, "length", least=2)
        check_count(self.warmup, "warmup", least=0)
        rates = ("learning_rate", "encoder_rate")
        for name in ("noise", "dropout", "word_dropout", "smoothing", "meaning", "variational", *rates):
            check_not_negative(getattr(self, name), name)
        for name in ("dropout", "word_dropout", "smoothing"):
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a number below 1 is needed")
        if self.meaning and (self.encoder != "own" or self.decoder not in WORD_BY_WORD):
            raise ValueError(
                f"meaning is {self.meaning}; it needs encoder='own' and a decoder among {', '.join(WORD_BY_WORD)}"
            )
        if self.epochs is None and self.minutes is None:
            raise ValueError("neither epochs nor minutes are given; pass one, such as minutes=3")

    def _checked_paraphrases(self, paraphrases: Sequence[Sequence[str]], n: int) -> list[list[str]]:
        if len(paraphrases) != n:
            raise ValueError(f"paraphrases has {len(paraphrases)} entries for {n} texts; a list for each is needed")
        if self.decoder not in WORD_BY_WORD:
            raise ValueError(f"paraphrases need a decoder among {', '.join(WORD_BY_WORD)}; it is {self.decoder!r}")
        return [checked_texts(some, f"paraphrases[{i}]") if len(some) else [] for i, some in enumerate(paraphrases)]


def _description(file: Path, parameters: set[str]) -> dict[str, Any]:
    """What an inverter says of itself, checked."""
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}") from None
    if not isinstance(about, dict):
        raise ValueError(f"{file} is damaged: it holds a {type(about).__name__}; an object is needed")
    if about.get("format") != FORMAT:
        raise ValueError(f"{file.parent} has format {about.get('format')}; {FORMAT} is read")
    wanted = ("parameters", "vectors_given", "width", "centre", "spread", "reach", "truncated", "log")
    if lacking := [name for name in wanted if name not in about]:
        raise ValueError(f"{file} is damaged: it lacks {lacking[0]!r}")
    if unknown := sorted(set(about["parameters"]) - parameters):
        raise ValueError(f"{file} has a parameter {unknown[0]!r}, which this version does not know")
    return about


def _left_out(network: Any) -> str | None:
    """Digest of an encoder that is not written because it was not trained; None where there is none."""
    from helpers.inversion.encoders import FolderEncoder
    from helpers.inversion.training import digest_of_weights

    encoder = network["encoder"] if "encoder" in network else None
    return digest_of_weights(encoder.net) if isinstance(encoder, FolderEncoder) and not encoder.trained else None


def checked_texts(texts: Any, name: str) -> list[str]:
    """A list of strings, none of them blank."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"{name} is one string; a list of strings is needed")
    texts = list(texts)
    if not texts:
        raise ValueError(f"{name} is empty; at least one text is needed")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{i}] is a {type(text).__name__}; a string is needed")
        if not text.strip():
            raise ValueError(f"{name}[{i}] is blank; leave it out")
    return texts


def _checked_vectors(vectors: Any, n: int, name: str) -> np.ndarray | None:
    if vectors is None:
        return None
    x = single_precision(vectors, name, rows=1)
    if len(x) != n:
        raise ValueError(f"{name} has {len(x)} rows, and there are {n} texts; a row for each text is needed")
    return x
