"""The machinery behind streamed measures: blocks of pairs of objects, compiled, in bounded memory, anywhere."""
