"""One vector and back: sentences as vectors from which they can be written again, and what that gives away.

An :class:`Inverter` is trained on texts, or on vectors of somebody else's encoder with their texts::

    inverter = Inverter(width=512, minutes=3).fit(texts)
    inverter.decode(inverter.encode(["Oil falls for a third day."]), beams=5)
    reader = Inverter(minutes=3).fit(texts, vectors=vectors)       # of any encoder
    inversion_scores(held_out, reader.decode(held_out_vectors))

===============  =======================================================================================================
``inverter``     :class:`Inverter`, from texts to vectors and back; ``training``: what it does with tensors
``encoders``     states of the tokens: an encoder of its own, or one that exists
``pooling``      one vector of those states: the first, the mean, attention of one or several heads
``decoders``     from one vector to tokens: by cross-attention, behind a prefix, in one pass, in a few passes
``states``       from one vector to tokens by layers that begin with a state made from it: Mamba 2, gated delta rule
``prompts``      a language model that exists, frozen or with updates of low rank, behind a map from the vector
``tokens``       a table of tokens, learned from the texts themselves
``measures``     how much of a text came back: exact, by words, by n-grams, by rank of the token, beside floors
``meaning``      how near in meaning, by one vector of each text and by the states of its tokens
``capacity``     what a vector holds, in bits of its text; the best vector of one text
``locality``     noise in units of the spread of the vectors, and ways between two texts
``language``     what is written without any vector, as a floor
``leakage``      how much somebody's vectors give away of their texts
``foreign``      vectors of another encoder, through maps with and without pairs; defences of their owner
``correction``   a first guess put right by the vector of what was guessed
``facts``        numbers, names, direction and negation: kept, changed, lost or invented
``paraphrases``  other texts that say the same, written by a model from text to text
``texts``        headlines, normalised; near duplicates, kept on one side of a split
===============  =======================================================================================================
"""

from helpers.inversion.capacity import Crammed, bits_explained, cram, cram_at_once, text_bits
from helpers.inversion.correction import Corrected, corrected
from helpers.inversion.facts import FACTS, facts_kept, facts_of, learn_names
from helpers.inversion.inverter import Inverter
from helpers.inversion.leakage import Leakage, against_floors, leakage
from helpers.inversion.locality import between, noisy_vectors, under_noise
from helpers.inversion.meaning import matching_scores, vector_similarities
from helpers.inversion.measures import floors, inversion_scores, token_accuracy
from helpers.inversion.texts import Split, near_duplicates, normalise, read_headlines, split_texts

__all__ = [
    "FACTS",
    "Corrected",
    "Crammed",
    "Inverter",
    "Leakage",
    "Split",
    "against_floors",
    "between",
    "bits_explained",
    "corrected",
    "cram",
    "cram_at_once",
    "facts_kept",
    "facts_of",
    "floors",
    "inversion_scores",
    "leakage",
    "learn_names",
    "matching_scores",
    "near_duplicates",
    "noisy_vectors",
    "normalise",
    "read_headlines",
    "split_texts",
    "text_bits",
    "token_accuracy",
    "under_noise",
    "vector_similarities",
]
