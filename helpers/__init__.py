"""Helpers of the book: measures of similarity, ensembles, text, figures, and the runner of its chapters.

Nothing is imported here, so that ``import helpers`` is instant and a chapter depends only on the modules it names.
"""
