"""Encoders of texts: layers of transformers, classical embeddings, pre-training; learning from pairs in
:mod:`~helpers.encoders.stages`, parameters of several encoders made into one in :mod:`~helpers.encoders.merging`.

Besides, small encoders of other things: :mod:`~helpers.encoders.views` (two views of each object),
:mod:`~helpers.encoders.codebooks` (vectors into codes), :mod:`~helpers.encoders.fields` (clicks).
"""
