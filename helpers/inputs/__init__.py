"""Embeddings as people have them, in arrays, tables or by the name of a model, as matrices of the same objects."""

from helpers.inputs.reading import Inputs, read, read_one

__all__ = ["Inputs", "read", "read_one"]
