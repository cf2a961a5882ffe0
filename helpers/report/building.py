"""From embeddings to a report, in steps that are kept on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import integer_seed
from helpers.ensembles import load_ensemble
from helpers.ensembles.base import Ensemble
from helpers.errors import Argument, ArgumentError
from helpers.inputs import Inputs, read
from helpers.report.decisions import Decisions, cost_table, decide, fit_chosen
from helpers.report.defaults import FOLDS, MARGIN, N_OBJECTS, NORMALIZE, THRESHOLD
from helpers.report.evaluation import BEST, TargetEvaluation
from helpers.report.folder import STEPS, give_back, prepare
from helpers.report.health import diagnose_spaces, diagnosis_in_words
from helpers.report.keeping import Options, judge_options, options_in_words
from helpers.report.recipes import FEWER, PLAIN
from helpers.report.redundancy import check_same_model, find_redundant, redundancy_groups
from helpers.report.reports import Report, Settings
from helpers.report.scoring import gains_of_ensembles, score_spaces
from helpers.report.sentences import (
    evaluation_in_words,
    input_in_words,
    no_gain_in_words,
    no_target_in_words,
    redundancy_in_words,
    verdict_in_words,
)
from helpers.report.spaces import describe_spaces, pairwise_similarity
from helpers.report.steps import StepProgress, Steps, expected_seconds
from helpers.report.targets import evaluate_target, target_kind
from helpers.report.versions import VersionNames, Versions, check_versions, compare_versions, versions_in_words
from helpers.waiting import listening

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build"]

LEAST = 22  # objects: half of them have ten others each
LISTED = 100  # items of an argument by which a call is known again


def build(
    inputs: Any,
    *,
    labels: Any = None,
    qrels: Any = None,
    pairs: Any = None,
    groups: Any = None,
    same_model: Sequence[str] = (),
    versions: Sequence[str] | None = None,
    rerun: Sequence[str] | None = None,
    threshold: float = THRESHOLD,
    width: int | None = None,
    folds: int = FOLDS,
    normalize: str | None = NORMALIZE,
    allow_sums: bool = False,
    n_objects: int = N_OBJECTS,
    what_to_keep: bool = False,
    margin: float = MARGIN,
    rng: int | np.random.Generator = 0,
    progress: Callable[[StepProgress], object] | None = None,
    folder: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    **reading: Any,
) -> Report:
    """Report on several embeddings of the same objects: how similar they are, which can go, how to combine the rest.

    Parameters
    ----------
    inputs
        Embeddings as :func:`helpers.inputs.read` takes them: a folder, a file, a list of files, or a mapping from names
        to arrays of shape (n, p); or what it gave.
    labels, qrels, pairs, groups
        What the embeddings are for, as :func:`helpers.inputs.read` takes them. The first that is there of labels,
        pairs, qrels and groups is the target; beside labels, groups say which rows stay in one fold. Without any of
        them nothing is evaluated.
    same_model
        Names of two embeddings that are one model trained twice: what is at least as similar is redundant.
    versions
        Names of an old and a new version of one embedding: the report says what changed between them, which objects
        moved, and what a map from old to new keeps of search (:func:`helpers.quality.drift`). By default names tell,
        such as ``old`` and ``new`` or ``docs-v1`` and ``docs-v2``; ``()`` for none.
    rerun
        Names of second runs of the old version, which tell what no change looks like; by default those whose names say
        so, such as ``old-rerun``.
    threshold
        Similarity, above 0 and up to 1, that counts as redundant where no such pair is named.
    width
        Features of each ensemble; by default as many as the widest embedding has.
    folds
        Folds of the cross-validation, at least 3.
    normalize
        ``"unit"`` scales the rows of each embedding to length 1, ``None`` leaves them as they are.
    allow_sums
        Whether the embeddings have coordinates in common, as the layers of one model do, so that ensembles that add
        them up make sense.
    n_objects
        Objects, drawn at random, on which embeddings are described and compared, at least 4.
    what_to_keep
        Whether all subsets, fusions, widths and kinds of storage are judged too, which takes minutes; see
        :func:`helpers.report.keeping.judge_options`. It needs a target, and at most 6 embeddings.
    margin
        Loss of score that is accepted for fewer bytes or encoders.
    rng
        Seed for every draw of objects, folds and resamples.
    progress
        Called with a :class:`helpers.report.StepProgress` at the beginning and the end of each step, and when the
        report waits for another process.
    folder
        Folder in which steps are kept, so that the same call goes on where it was stopped, and where the report is
        saved in the end; nothing is written by default.
    overwrite
        Whether to replace a report that is in the folder, once the new one is finished; after a wrong call it is there
        as it was.
    **reading
        Further arguments of :func:`helpers.inputs.read`, such as ``ids`` or ``missing``; ``pool_by`` makes one object
        of the items of each group, and ``readout="compare"`` makes an embedding of each way to do so.

    Returns
    -------
    helpers.report.Report

    Raises
    ------
    FileExistsError
        If the folder holds a finished report, the unfinished report of another call, or other files.
    FileNotFoundError, TypeError, ValueError
        In the same cases as :func:`helpers.inputs.read` and the functions of :mod:`helpers.report`; if there are fewer
        than two embeddings or 22 objects, or an argument of reading is given with inputs that were read.

    Notes
    -----
    Memory: embeddings stay where they are, files are mapped; beside a block of rows there are the second moments of all
    P features in each fold, ``folds`` P² numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report import build
    >>> x = np.random.default_rng(0).normal(size=(60, 3))
    >>> report = build({"x": x, "turned": x[:, ::-1]})
    >>> report.decisions.redundant
    ['turned']
    >>> report.sentences["input"]
    '**60 objects** are described by all 2 embeddings. Nothing says what they are for: there is no target.'
    """
    began = time.monotonic()
    settings = Settings(list(same_model), threshold, width, folds, normalize, allow_sums, n_objects, integer_seed(rng),
                        what_to_keep, margin, _listed(versions), _listed(rerun))  # fmt: skip
    reading |= {"labels": labels, "qrels": qrels, "pairs": pairs, "groups": groups}
    reading = {name: value for name, value in reading.items() if value is not None}
    call = {"inputs": inputs, **reading, **asdict(settings)}
    call = {name: _described(value, name) for name, value in call.items()}
    if folder is not None:
        folder = prepare(folder, call, overwrite=overwrite)
    try:
        report = _contents(inputs, reading, settings, folder, progress)
    except (ValueError, TypeError, KeyError, FileNotFoundError):  # which the same call would meet again
        if folder is not None:
            give_back(folder)
        raise
    named = isinstance(inputs, (str, os.PathLike)) and str(inputs)
    name = Path(inputs).expanduser().absolute().name if named else "embeddings"
    about = {"made": datetime.now().isoformat(" ", timespec="minutes"), "seconds": f"{time.monotonic() - began:.0f}"}
    about |= {key: str(value) for key, value in call.items() if value not in ("", [], None)}
    report = Report(**report, title=f"Report on {name}", about=about)
    return report if folder is None else _saved(report, folder, call, progress)


def _contents(
    inputs: Any,
    reading: Mapping[str, Any],
    settings: Settings,
    folder: Path | None,
    progress: Callable[[StepProgress], object] | None,
) -> dict[str, Any]:
    """What a report holds, of inputs that are read first."""
    found = _read(inputs, reading, progress)
    _check_enough(found, reading)
    check_same_model(found.representations, settings.same_model)
    named = check_versions(list(found.representations), settings.versions, settings.rerun)
    if settings.what_to_keep and target_kind(found) is None:
        raise ValueError("what_to_keep needs a target: give labels, pairs, qrels or groups")
    widths = [x.shape[1] for x in found.representations.values()]
    step = Steps(
        None if folder is None else folder / STEPS,
        f"{found.digest} {list(asdict(settings).values())}",
        expected_seconds(
            len(found),
            widths,
            target_kind(found),
            settings.folds,
            settings.n_objects,
            settings.what_to_keep,
            named is not None,
        ),
        progress,
    )
    return _Work(found, settings, step, folder, named).report()


def _check_enough(found: Inputs, reading: Mapping[str, Any]) -> None:
    names = list(found.representations)
    if len(found) < LEAST:
        things = "groups of items" if reading.get("pool_by") is not None else "objects"
        raise ValueError(
            f"{len(found)} {things} are described by all embeddings; at least {LEAST} are needed, because they are "
            f"compared by the {LEAST // 2 - 1} nearest neighbours of each object among half of them"
        )
    if len(names) > 1:
        return
    message = f"only one embedding is given, {names}; a report compares at least two"
    if reading.get("pool_by") is not None:
        raise ArgumentError(
            f"{message}; to compare ways to pool the items of a group, pass ", Argument("readout", "compare")
        )
    if reading.get("models"):
        raise ArgumentError(f"{message}; to compare the layers of a model, pass ", Argument("layers", "all"))
    raise ValueError(message)


@dataclass
class _Work:
    """The steps of a report on what was read."""

    inputs: Inputs
    settings: Settings
    step: Steps
    folder: Path | None
    named: VersionNames | None

    def report(self) -> dict[str, Any]:
        """The contents of a report."""
        spaces, settings, step = self.inputs.representations, self.settings, self.step
        names, kind, shared = list(spaces), target_kind(self.inputs), {"rng": settings.rng}
        sampled = shared | {"n_objects": settings.n_objects}
        about = step("what was read", lambda: describe_spaces(spaces, **sampled))
        versions = self._versions()
        health = step("diagnosis", lambda: diagnose_spaces(spaces, **sampled))
        similarity = step("similarity", lambda: pairwise_similarity(spaces, **sampled))
        rule = {"same_model": settings.same_model, "threshold": settings.threshold}
        found = step("which are redundant", lambda: find_redundant(spaces, similarity, **rule, **shared))
        kept = redundancy_groups(names, found)
        options = {name: getattr(settings, name) for name in ("width", "normalize", "allow_sums")}
        evaluation = evaluate_target(self.inputs, groups=kept, folds=settings.folds, step=step, **options, **shared)
        worth, gain, decisions, words = self._judged(kind, found, about, evaluation)
        one_each = {name: [name] for name in decisions.representatives}
        ensemble = self._fitted(partial(
            fit_chosen, spaces, one_each, label=decisions.ensemble, evaluation=evaluation, **options
        ))  # fmt: skip
        tables = {
            "read": self.inputs.findings,
            "not_read": self.inputs.ignored,
            "left_out": self.inputs.losses,
            "spaces": about,
            "diagnosis": health,
            "similarity": similarity,
            "redundant": found,
            "quality": worth,
            "gains": gain,
            "weights": _weights(names, decisions, evaluation),
            "cost": _costs(spaces, ensemble, decisions),
        }
        sentences = {
            "input": input_in_words(self.inputs, kind),
            "diagnosis": diagnosis_in_words(health, decisions),
            "redundancy": redundancy_in_words(names, found, decisions, settings.same_model, settings.threshold),
            **words,
        }
        if versions is not None:
            tables |= {"drift": versions.table, "drift_objects": versions.objects, "drift_map": versions.map}
            sentences["drift"] = versions_in_words(versions)
        options = self._options(decisions)
        if options is not None:
            tables["options"] = options.table
            sentences["options"] = options_in_words(options)
        return {
            "options": options, "versions": versions,
            "inputs": self.inputs, "settings": settings, "tables": tables, "evaluation": evaluation,
            "decisions": decisions, "sentences": sentences, "ensemble": ensemble, "folder": self.folder,
        }  # fmt: skip

    def _versions(self) -> Versions | None:
        """What changed between two versions of one embedding, if there are two."""
        if self.named is None:
            return None
        spaces, ids = self.inputs.representations, self.inputs.ids
        work = partial(compare_versions, spaces, self.named, ids, rng=self.settings.rng)
        return Versions(self.named, **self.step("what changed between versions", work))

    def _options(self, decisions: Decisions) -> Options | None:
        """Every subset, fusion, width and storage of what cannot go, if that was asked for."""
        settings = self.settings
        if not settings.what_to_keep:
            return None
        rule = {"margin": settings.margin, "rng": settings.rng}
        spaces = self.inputs.representations
        kept = {name: x for name, x in spaces.items() if name not in decisions.redundant}
        inputs = replace(self.inputs, representations=kept)
        found = self.step("what to keep", lambda: vars(judge_options(inputs, **rule)))
        return Options(**found)

    def _judged(
        self, kind: str | None, found: pd.DataFrame, about: pd.DataFrame, evaluation: TargetEvaluation | None
    ) -> tuple[pd.DataFrame, pd.DataFrame, Decisions, dict[str, str]]:
        """What each is worth, what combining gains, the decisions, and both in words."""
        import pandas as pd

        names, rng = list(self.inputs.representations), self.settings.rng
        if evaluation is None:
            decisions = decide(names, found)
            worth = about[["effective_rank", "isotropic_rank", "anisotropy"]]
            words = {"quality": no_target_in_words(), "verdict": no_gain_in_words(names, decisions)}
            return worth, pd.DataFrame(), decisions, words
        worth = self.step("scores", lambda: score_spaces(evaluation, rng=rng))
        against = [BEST, PLAIN, *(label for label in evaluation.methods if label in FEWER)]
        gain = self.step("gains", lambda: gains_of_ensembles(evaluation, against, rng=rng))
        decisions = decide(names, found, kind, evaluation, worth, gain)
        words = {
            "quality": evaluation_in_words(evaluation),
            "verdict": verdict_in_words(evaluation, worth, gain, decisions),
        }
        return worth, gain, decisions, words

    def _fitted(self, fit: Callable[[], Ensemble]) -> Ensemble:
        """The ensemble of all objects; kept as a saved ensemble."""
        what = "the ensemble of all objects"

        def fitted() -> Ensemble:
            ensemble = fit()
            ensemble.features_ = self.inputs.features
            return ensemble

        if self.folder is None:
            return self.step(what, fitted)
        place = self.folder / "ensemble"
        self.step(what, lambda: str(fitted().save(place, overwrite=True, digest=self.inputs.digest)))
        return load_ensemble(place)


def _read(inputs: Any, reading: Mapping[str, Any], progress: Callable[[StepProgress], object] | None) -> Inputs:
    """What the arguments name, with the progress of reading."""
    if isinstance(inputs, Inputs):
        if reading:
            raise ValueError(
                f"{', '.join(reading)} given, but inputs were read before; pass them to helpers.inputs.read instead"
            )
        return inputs
    if progress is None:
        return read(inputs, progress=False, **reading)
    progress(StepProgress("reading", "running"))
    with listening(lambda why: progress(StepProgress(why, "waiting"))):
        found = read(inputs, progress=False, **reading)
    progress(StepProgress("reading", "done"))
    return found


def _saved(
    report: Report, folder: Path, call: dict[str, Any], progress: Callable[[StepProgress], object] | None
) -> Report:
    """The report, once it is in its folder."""
    if progress is not None:
        progress(StepProgress("writing", "running"))
    report._write(folder, call)
    if progress is not None:
        progress(StepProgress("writing", "done", 0.0))
    return report


def _weights(names: Sequence[str], decisions: Decisions, evaluation: TargetEvaluation | None) -> pd.DataFrame:
    """The weights of each ensemble, as means over the folds."""
    import pandas as pd

    if evaluation is None:
        kept = list(decisions.groups) or list(names)
        return pd.DataFrame(
            {name: [1 / len(kept)] for name in kept}, index=pd.Index([decisions.ensemble], name="method")
        )
    return evaluation.weights.groupby("method", sort=False)[list(names)].mean()


def _costs(spaces: Mapping[str, np.ndarray], ensemble: Ensemble, decisions: Decisions) -> pd.DataFrame:
    """The cost of each embedding, of the ensemble, and of all side by side."""
    widths = [x.shape[1] for x in spaces.values()]
    width = ensemble.transform({name: spaces[name][:1] for name in ensemble.names_}).shape[1]
    recipes = {
        decisions.ensemble: (ensemble.used_, width),
        "everything side by side": (list(spaces), sum(widths)),
    }
    return cost_table(list(spaces), widths, recipes)


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return names if names is None or isinstance(names, str) else list(names)


def _described(value: Any, name: str) -> Any:
    """An argument as JSON: files by their whole path, arrays by their shape and type."""
    if isinstance(value, (str, os.PathLike)):
        path = Path(value).expanduser()
        return str(path.absolute()) if name != "ids" and str(value) and path.exists() else os.fspath(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Inputs):
        return f"digest {value.digest}"
    if isinstance(value, Mapping):
        return {str(key): _described(one, name) for key, one in value.items()}
    if hasattr(value, "shape"):
        return f"array {tuple(value.shape)} {getattr(value, 'dtype', '')}".strip()
    if isinstance(value, Sequence):
        return [_described(one, name) for one in value] if len(value) <= LISTED else f"{len(value)} values"
    return str(value)
