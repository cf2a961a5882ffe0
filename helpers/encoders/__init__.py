"""Encoders of texts: layers of transformers, classical embeddings, pre-training.

Besides, small encoders of other things: :mod:`~helpers.encoders.views` (two views of each object),
:mod:`~helpers.encoders.codebooks` (vectors into codes), :mod:`~helpers.encoders.fields` (clicks).
"""
