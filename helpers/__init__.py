"""Compare representations, combine them into a better one, and say how sure one can be.

The package has three floors. Nothing is imported here, so that ``import helpers`` is instant and a chapter depends
only on the modules that it names; ``tests/test_borders.py`` keeps the floors apart.

**Library**: arrays in, numbers and estimators out. It imports nothing of the other floors, and works from a wheel,
as the commands ``report``, ``apply``, ``migrate`` and ``leak`` do.

===================  ==================================================================================================
``arrays``           checked matrices and pairs, unit rows, generators
``metrics``          ranks, rank correlation, average precision, nDCG, purity; by resampling counts too
``training``         one loop for every loss: resumable to the step, budgets, early stopping, a log
``postprocessing``   centring, all-but-the-top, whitening
``similarity``       how alike two spaces are: one module for each family of measures, their registry, matrices of many
``quality``          how good one space is, without labels; how well that ranks models
``ensembles``        many spaces into one: weighted, selected, replaced, aligned, decorrelated
``migration``        an old model's vectors in a new model's space, and how much of its search that keeps
``inversion``        sentences from their vectors: decoders, what a vector holds, how much of a text it gives away
``groups``           one vector for a group of items, how far groups are apart, how sure a group's vector is
``inference``        intervals, paired comparisons, ranks, power, published claims
``encoders``         texts into vectors: layers, classical embeddings, pre-training; views, codebooks, crossed fields
``text``, ``tasks``  sentences, and tasks on them
``pairs``            pairs of texts out of free documentation, hard negatives made on purpose
``clients``          transactions of bank clients: read, simulated, embedded, scored
``inputs``           embeddings from files of all kinds
``report``           the report on somebody's own embeddings: decisions, sentences, figures and a page
``drawing``          the look of figures
``errors``           errors that know which arguments they advise
``locations``        where data sets and models are looked for
``waiting``          work that one process does at a time
===================  ==================================================================================================

**Studies** (``helpers.studies``): one module for each chapter, with its experiment, tables and figures. They import
the library and the book, and are imported by notebooks alone.

**Book** (``helpers.book``): what runs, keeps, records and renders the chapters. It imports no study.
"""
