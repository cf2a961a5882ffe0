"""What a report holds, shows and leaves behind."""

from __future__ import annotations

import os
import textwrap
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count
from helpers.ensembles.applying import write_transformed
from helpers.ensembles.base import Ensemble
from helpers.ensembles.representations import Representations
from helpers.inputs import Inputs
from helpers.report.decisions import Decisions
from helpers.report.defaults import MARGIN
from helpers.report.evaluation import LEAST_FOLDS, TargetEvaluation
from helpers.report.figures import draw_dendrogram, draw_drift, draw_options, draw_scores, draw_similarity
from helpers.report.folder import COMBINED, finish, prepare, save_tables, write_ids
from helpers.report.keeping import Options
from helpers.report.page import Section, fragment, render
from helpers.report.redundancy import check_threshold
from helpers.report.sections import sections_of
from helpers.report.versions import Versions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Report", "Settings"]


@dataclass(frozen=True)
class Settings:
    """What a report was asked for; see :func:`helpers.report.build`."""

    same_model: list[str]
    threshold: float
    width: int | None
    folds: int
    normalize: str | None
    allow_sums: bool
    n_objects: int
    rng: int
    what_to_keep: bool = False
    margin: float = MARGIN
    versions: list[str] | None = None
    rerun: list[str] | None = None

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        check_count(self.folds, "folds", least=LEAST_FOLDS)
        check_count(self.n_objects, "n_objects", least=4)
        if not 0 <= self.margin < np.inf:
            raise ValueError(f"margin is {self.margin!r}; a loss of at least 0 is needed")
        if self.width is not None:
            check_count(self.width, "width")
        if self.normalize not in ("unit", None):
            raise ValueError(f"normalize is {self.normalize!r}; 'unit' or None is needed")


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What :func:`helpers.report.build` found about several embeddings of the same objects; Jupyter shows it as a page.

    Attributes
    ----------
    inputs : helpers.inputs.Inputs
        The embeddings, and what is known of the objects.
    settings : Settings
        What was asked for.
    tables : dict of str to DataFrame
        ``read`` (what was odd about the files), ``not_read`` (files, arrays and columns, and why), ``left_out`` (rows,
        and why), ``spaces`` (:func:`helpers.report.describe_spaces`), ``diagnosis``
        (:func:`helpers.report.diagnose_spaces`), ``similarity``
        (:func:`helpers.report.pairwise_similarity`), ``redundant`` (:func:`helpers.report.find_redundant`),
        ``quality`` (:func:`helpers.report.score_spaces`; without a target the qualities that need none), ``gains``
        (:func:`helpers.report.gains_of_ensembles`; empty without a target), ``weights`` of the ensembles, means over
        the folds, and ``cost`` (:func:`helpers.report.cost_table`); of two versions of one embedding ``drift``,
        ``drift_objects`` and ``drift_map``.
    evaluation : helpers.report.TargetEvaluation or None
        Scores of held-out items; ``None`` without a target.
    decisions : helpers.report.Decisions
        Which embeddings can go, which ensemble is kept, and what to use.
    sentences : dict of str to str
        Text under ``input``, ``diagnosis``, ``redundancy``, ``quality`` and ``verdict``, in Markdown.
    ensemble : helpers.ensembles.Ensemble
        The ensemble ``decisions.ensemble``, fitted on all objects.
    title : str
        The heading of the page.
    about : dict of str to str
        How the report was made.
    folder : pathlib.Path or None
        Folder in which it was saved.
    options : helpers.report.keeping.Options or None
        All subsets, fusions, widths and kinds of storage, if ``what_to_keep`` was asked for.
    versions : helpers.report.versions.Versions or None
        What changed between an old and a new version of one embedding, if two are given.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report import build
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(120) % 2
    >>> x = rng.normal(size=(120, 4)) + 2 * y[:, None]
    >>> report = build({"x": x, "turned": x[:, ::-1], "noise": rng.normal(size=(120, 4))}, labels=y)
    >>> report.decisions.redundant, report.decisions.use
    (['turned', 'noise'], 'x')
    >>> report.combined.shape
    (120, 4)
    """

    inputs: Inputs
    settings: Settings
    tables: dict[str, pd.DataFrame]
    evaluation: TargetEvaluation | None
    decisions: Decisions
    sentences: dict[str, str]
    ensemble: Ensemble
    title: str = "Report on embeddings"
    about: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    options: Options | None = None
    versions: Versions | None = None

    @property
    def summary(self) -> list[str]:
        """What the report says in short, in Markdown: what can go and what to use; before that what to keep if it was
        asked, and what changed between two versions if there are two."""
        first = [self.sentences["options"].split("\n\n")[1]] if self.options is not None else []
        first += [self.sentences["drift"].split("\n\n")[-1]] if self.versions is not None else []
        return first + [self.sentences[name].strip().split("\n\n")[-1] for name in ("redundancy", "verdict")]

    @cached_property
    def combined(self) -> np.ndarray:
        """The combined embedding of all objects, (n, width); a memory map if the report was saved in a folder."""
        if self.folder is not None and (self.folder / COMBINED).is_file():
            return np.load(self.folder / COMBINED, mmap_mode="r")
        spaces = Representations({name: self.inputs.representations[name] for name in self.ensemble.names_})
        blocks = spaces.starts(sum(spaces.widths))
        return np.concatenate([self.ensemble.transform(spaces[start:stop]) for start, stop in blocks])

    @property
    def sections(self) -> list[Section]:
        """All sections, in the order of the page."""
        return sections_of(self)

    def section(self, name: str) -> Section:
        """One section: ``"input"``, ``"diagnosis"``, ``"similarity"``, ``"redundancy"``, ``"quality"``, ``"gains"``,
        ``"cost"``, ``"ensemble"``, ``"drift"`` if there are two versions, or ``"options"`` if it was asked what to
        keep.

        Raises
        ------
        KeyError
            If there is no such section.
        """
        found = {section.name: section for section in self.sections}
        if name not in found:
            raise KeyError(f"no section {name!r}; there are {list(found)}")
        return found[name]

    def figure(self, name: str) -> Figure:
        """One figure, drawn anew: ``"similarity"``, ``"dendrogram"``, ``"scores"`` if there is a target, ``"drift"`` if
        two versions were compared, or ``"options"`` if it was asked what to keep.

        Raises
        ------
        KeyError
            If there is no such figure.
        """
        figures = {
            "similarity": lambda: draw_similarity(self.tables["similarity"]),
            "dendrogram": lambda: draw_dendrogram(self.tables["similarity"]),
        }
        if self.evaluation is not None:
            figures["scores"] = lambda: draw_scores(self.tables["quality"], self.evaluation.metric)
        if self.options is not None:
            figures["options"] = lambda: draw_options(self.options)
        if self.versions is not None and not self.versions.why:
            figures["drift"] = lambda: draw_drift(self.tables["drift_objects"])
        if name not in figures:
            raise KeyError(f"no figure {name!r}; there are {list(figures)}")
        return figures[name]()

    @property
    def result(self) -> dict[str, Any]:
        """Every decision, sentence and table, as ``report.json`` holds them for programs."""
        return {
            "decisions": asdict(self.decisions),
            "summary": self.summary,
            "sentences": self.sentences,
            "to_keep": None if self.options is None else self.options.chosen,
            "drift": None if self.versions is None else self.versions.result,
            "tables": self.tables,
        }

    def to_html(self) -> str:
        """The report as one page that loads nothing."""
        return render(self.title, self.summary, self.sections, self.about)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Leave the report in a folder.

        It then holds the page ``index.html``, ``tables/*.csv``, the fitted ``ensemble/``, the combined embedding
        ``combined.npy`` with the ids of its rows in ``combined.ids.txt``, and ``report.json`` with every decision,
        sentence and table.

        Parameters
        ----------
        folder
            A folder that is empty or not there.
        overwrite
            Whether to replace a report that is there. Other files beside it stay.

        Returns
        -------
        pathlib.Path
            Path of the page.

        Raises
        ------
        FileExistsError
            If the folder is a file or not empty.
        ValueError
            If it cannot be written to.
        """
        return self._write(prepare(folder, self.about, overwrite=overwrite), self.about)

    def _write(self, folder: Path, call: dict[str, Any]) -> Path:
        """Fill a folder that was prepared for this call."""
        from dataclasses import replace

        save_tables(folder / "tables", self.tables)
        self.ensemble.save(folder / "ensemble", overwrite=True, digest=self.inputs.digest)
        spaces = {name: self.inputs.representations[name] for name in self.ensemble.names_}
        write_transformed(self.ensemble, spaces, folder / COMBINED)
        write_ids(self.inputs.ids, folder)
        (folder / "index.html").write_text(replace(self, folder=folder).to_html(), encoding="utf-8")
        finish(folder, call, self.result)
        return folder / "index.html"

    def _repr_html_(self) -> str:
        return fragment(self.sections)

    def __repr__(self) -> str:
        objects = f"{len(self.inputs)} objects, {len(self.inputs.representations)} embeddings"
        lines = [f"{self.title}: {objects}", *(words.replace("**", "") for words in self.summary)]
        return "\n".join(textwrap.fill(line, 88) for line in lines)
