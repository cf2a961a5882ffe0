r"""One rule for published claims: reproduced, not reproduced, or not testable here.

A claim says on which *side* of a ``null`` a number lies, and may say how far beyond it: the *claimed effect*, which is
the smallest effect that counts if one is stated, else the published value, else the null itself. A finding is an
estimate of that number with its interval. The rule:

- **not reproduced**: the whole interval falls short of the claimed effect, and a test of that effect agrees. Where the
  effect is a published value, and not one that counts by itself, an interval on the claimed side of the null is spared;
- **reproduced**: the whole interval lies on the claimed side of the null, and a test of the null agrees;
- **not testable here**: everything else. The finding leaves room for both, or there is none, because the model or the
  data that the claim is about are absent.

A verdict may say more: the claim is **exceeded** where the number is better than claimed.

- *reproduced, and exceeded*: the whole interval lies beyond the published number, on the claimed side, and the test of
  that number agrees. Where a smallest effect that counts is stated, that is what is claimed, and nothing is exceeded;
- *not reproduced, but exceeded*: the claim says which side is better, and what refutes it lies there: a method that is
  claimed to win half of the experiments and wins them all, or to lose, and does not.

The p-values of both tests are corrected by Holm's method for all claims that are asked of the same data. So of a
published value the side is judged, because the value is an estimate itself, and a note says if the size is another; an
effect that is significantly too small to count is no reproduction.

Why so. A result without significance refutes nothing: it may come from a study too small to tell. To refute takes what
to confirm takes, an interval that excludes something and a test that agrees, only of the claimed effect in place of the
null. Each wrong verdict has its bound: if there is no effect, some claim of the family is called reproduced with a
probability of at most 1 - ``confidence_level``; if all claimed effects are there, some claim is called not reproduced
with at most the same. A study whose intervals are shorter than the claimed effect gives a verdict either way, and
:func:`detectable_effect` says how large an effect must be for a study like this to find it.

A claim that there is *no* difference needs a margin: no finding shows a number to be exactly zero. "A is hard to beat"
is a claim that the gain over A is less than the margin (``side="less"``, ``null`` the margin); "A and B are the same"
is a claim that their difference is ``"equal"`` to the null up to the margin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count
from helpers.inference._checks import check_level, choice, vector
from helpers.inference.intervals import Interval, format_p
from helpers.inference.paired import holm, paired, two_sided_p

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLAIM_VERDICTS",
    "PROOF",
    "SIDES",
    "Claim",
    "Finding",
    "absent",
    "claims_table",
    "deduced",
    "detectable_effect",
    "exceeded_words",
    "judge",
    "p_from_interval",
    "paired_finding",
    "share_finding",
    "weakest",
]

CLAIM_VERDICTS = ("reproduced", "not reproduced", "not testable here")
"""What :func:`judge` may say of a claim; whether it is exceeded besides, stands in a column of its own."""

_EXCEEDED = {"reproduced": "reproduced, and exceeded", "not reproduced": "not reproduced, but exceeded"}

PROOF = "proof"
"""What a finding follows from that measures nothing: tables show a dash in place of its number."""

SIDES = ("greater", "less", "two-sided", "equal")
"""Where a claim says that a number lies: above or below the null, off it, or within a margin of it."""


class Claim(NamedTuple):
    """A published claim about one number.

    Attributes
    ----------
    text : str
        The claim in words.
    statistic : str
        The number that it is about, with its unit, as it is estimated here.
    side : str
        One of :data:`SIDES`.
    null : float
        The number at which the claim begins to be wrong.
    published : float
        Published value of the number, NaN if only the side was published.
    smallest : float
        Smallest effect that counts, as a value of the number; NaN if none is stated.
    margin : float
        Half-width of what counts as equal, for ``side="equal"``.
    models : str
        Kind of model on which the claim was made.
    source, place : str
        Key of the source in the bibliography; section or table in it.
    spec : str
        Format of the number.
    better : str
        ``"greater"`` or ``"less"`` where a number on that side is better for what the claim is about than the claim
        itself; of a claim that something is greater or less, the other side. Empty: neither is.
    """

    text: str
    statistic: str = ""
    side: str = "greater"
    null: float = 0.0
    published: float = math.nan
    smallest: float = math.nan
    margin: float = math.nan
    models: str = ""
    source: str = ""
    place: str = ""
    spec: str = "+.1f"
    better: str = ""

    @property
    def effect(self) -> float:
        """The claimed effect: a finding that falls significantly short of it contradicts the claim."""
        stated = [value for value in (self.smallest, self.published) if not math.isnan(value)]
        return stated[0] if stated else self.null


class Finding(NamedTuple):
    """What a study found of the number that a claim is about.

    Attributes
    ----------
    estimate, low, high : float
        The number and its confidence interval.
    n : int
        Number of independent units that the interval is drawn from.
    units : str
        What they are.
    p : float
        Two-sided p-value of the null of the claim (of an equality: of the nearer end of the margin). NaN: that of
        :func:`p_from_interval`.
    p_effect : float
        Two-sided p-value of the hypothesis that the effect is the claimed one.
    why : str
        Why there is no finding.
    p_floor : float
        The least value that ``p`` can have, as of a test by so many permutations: at it, p is known as "at most".
    """

    estimate: float
    low: float
    high: float
    n: int
    units: str
    p: float = math.nan
    p_effect: float = math.nan
    why: str = ""
    p_floor: float = math.nan


def absent(why: str) -> Finding:
    """The finding where the model or the data that a claim is about are not there.

    Examples
    --------
    >>> from helpers.inference import absent
    >>> absent("no BERT here").why
    'no BERT here'
    """
    return Finding(math.nan, math.nan, math.nan, 0, "", why=why)


def deduced(value: float, how: str) -> Finding:
    """The finding where a number follows from the claim itself, by a proof or a counterexample: nothing is left open.

    Parameters
    ----------
    value
        The number, exactly; of a statement that holds in all cases or not, the extreme of what it bounds.
    how
        What it follows from, such as :data:`PROOF`.

    Returns
    -------
    Finding
        With an interval without length and p-values of 0.

    Examples
    --------
    >>> from helpers.inference import Claim, deduced, judge
    >>> claims = {"bound": Claim("the left side is never the larger", side="equal", margin=1e-9)}
    >>> judge(claims, {"bound": deduced(4.0, "counterexample")}).loc["bound", "verdict"]
    'not reproduced'
    """
    return Finding(value, value, value, 1, how, 0.0, 0.0)


def p_from_interval(
    estimate: float,
    low: float,
    high: float,
    value: float = 0.0,
    *,
    n: int | None = None,
    confidence_level: float = 0.95,
) -> float:
    r"""Two-sided p-value of a value, from an estimate and its interval.

    The standard error is the length of the interval over twice the normal quantile. With ``n`` units it is multiplied
    by :math:`\sqrt{n / (n - 1)}` and compared with Student's t with n - 1 degrees of freedom, because bootstrap
    intervals of few units are too short by about that much.

    Parameters
    ----------
    estimate, low, high
        An estimate and its confidence interval.
    value
        Value of the effect under the hypothesis.
    n
        Number of units that were resampled; None if the interval allows for their number already.
    confidence_level
        Confidence level of the interval.

    Returns
    -------
    float
        NaN if a limit is, or there is one unit only. An interval without length gives 0 if the estimate is not the
        value, and 1 if it is.

    Notes
    -----
    Altman and Bland (2011), How to obtain the P value from a confidence interval, BMJ 343. Hesterberg (2015), What
    teachers should know about the bootstrap, The American Statistician 69.

    Examples
    --------
    >>> from helpers.inference import p_from_interval
    >>> round(p_from_interval(1.0, 0.0, 2.0), 3)
    0.05
    >>> round(p_from_interval(1.0, 0.0, 2.0, n=6), 3)
    0.134
    """
    from scipy import stats

    level = check_level(confidence_level)
    if not np.isfinite([estimate, low, high]).all() or (n is not None and n < 2):
        return math.nan
    error, df = (high - low) / (2 * stats.norm.isf((1 - level) / 2)), math.inf
    if n is not None:
        error, df = error * math.sqrt(n / (n - 1)), n - 1
    if error <= 0:
        return float(math.isclose(estimate, value, rel_tol=1e-12, abs_tol=1e-12))
    return two_sided_p((estimate - value) / error, df)


def detectable_effect(low: float, high: float, *, confidence_level: float = 0.95, power: float = 0.8) -> float:
    """How far from the null an effect must be for studies with intervals of this length to find it.

    Parameters
    ----------
    low, high
        Limits of an interval.
    confidence_level
        Confidence level of the interval and the test, before any correction.
    power
        Share of the studies that find it.

    Examples
    --------
    >>> from helpers.inference import detectable_effect
    >>> round(detectable_effect(-1.0, 1.0), 2)
    1.43
    """
    from scipy import stats

    beyond = stats.norm.isf((1 - check_level(confidence_level)) / 2)
    return float((high - low) / (2 * beyond) * (beyond + stats.norm.ppf(power)))


def weakest(claim: Claim, parts: Iterable[Finding], *, spare: int = 0, confidence_level: float = 0.95) -> Finding:
    """The finding about a claim that has to hold for each of several numbers: against every rival, in every model.

    Parameters
    ----------
    claim
        Side, null and effect are those of every number; an equality is not taken.
    parts
        A finding about each.
    spare
        How many of them may be exceptions, for "almost all".
    confidence_level
        Confidence level of the intervals.

    Returns
    -------
    Finding
        Finding whose estimate is that of the weakest part (the weakest but ``spare``). Its limit on the side of the
        null is that of the weakest, uncorrected, because all parts have to be beyond the null together; its other limit
        allows for the choice of the weakest among m, which makes the limit of each the 1 - α / m one.

    Raises
    ------
    ValueError
        If there is no part, or no more than ``spare``; or the claim is one of equality or two-sided.

    Notes
    -----
    Berger (1982), Multiparameter hypothesis testing and acceptance sampling, Technometrics 24, for the intersection of
    hypotheses; Hsu (1981), Simultaneous confidence intervals for all distances from the best, Annals of Statistics 9.

    Examples
    --------
    >>> from helpers.inference import Claim, Finding, weakest
    >>> parts = [Finding(2.0, 1.0, 3.0, 50, "tasks"), Finding(1.0, 0.5, 1.5, 50, "tasks")]
    >>> found = weakest(Claim("A is better than each of the others"), parts)
    >>> found.estimate, found.low, round(found.high, 2)
    (1.0, 0.5, 1.57)
    """
    from scipy import stats

    parts = list(parts)
    if claim.side not in SIDES[:2]:
        raise ValueError(f"claim is {claim.side!r}; only claims that are 'greater' or 'less' have a weakest part")
    if gone := [part for part in parts if not np.isfinite([part.estimate, part.low, part.high]).all()]:
        return absent(gone[0].why or "a part of the finding has no interval")
    if len(parts) <= spare:
        raise ValueError(f"parts has {len(parts)} findings, of which {spare} may be exceptions; more are needed")
    alpha, sign, m = 1 - check_level(confidence_level), 1 if claim.side == "greater" else -1, len(parts)
    ends = np.array([[part.estimate, part.low, part.high] for part in parts])
    wider = float(stats.norm.isf(alpha / (2 * m)) / stats.norm.isf(alpha / 2))
    middle = ends[:, 0]
    near, far = (ends[:, 1], ends[:, 2])[::sign]
    far = middle + wider * (far - middle)
    estimate, near, far = (float(sign * np.sort(sign * values)[spare]) for values in (middle, near, far))
    p, p_effect = (
        np.array([_p(part, value, which, confidence_level) for part in parts])
        for which, value in (("p", claim.null), ("p_effect", claim.effect))
    )
    if np.isnan([p, p_effect]).any():
        return Finding(estimate, *(near, far)[::sign], min(part.n for part in parts), parts[0].units)
    p[sign * (middle - claim.null) <= 0] = 1.0
    p_effect[sign * (middle - claim.effect) >= 0] = 1.0
    return Finding(
        estimate,
        *(near, far)[::sign],
        min(part.n for part in parts),
        parts[0].units,
        min(1.0, (spare + 1) * float(np.sort(p)[::-1][spare])),
        min(1.0, (m - spare) * float(np.sort(p_effect)[spare])),
    )


def judge(
    claims: Mapping[str, Claim],
    findings: Mapping[str, Any],
    *,
    on: str | Mapping[str, str] = "",
    transfer: bool = False,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Judge claims by what one study found of them.

    Parameters
    ----------
    claims
        Key → claim: the family for which p-values are corrected.
    findings
        Key → :class:`Finding`. A claim without one is not testable here.
    on
        Models, or data, that the findings are about; or by the key of each claim.
    transfer
        Whether these are of another kind than those of the claims: then the question is not whether a claim holds
        where it was made but whether it transfers.
    confidence_level
        Confidence level of the intervals of the findings; 1 - α of the tests.

    Returns
    -------
    DataFrame
        A row for each claim, by its key: ``claim``, ``source``, ``place``, ``statistic``, ``published``, ``on``,
        ``transfer``, ``estimate``, ``ci_low``, ``ci_high``, ``p`` and ``p_effect`` (both corrected by Holm's method),
        ``p_at_most`` (whether the true p may be less, because the test can give no less), ``n``, ``units``,
        ``detectable`` (:func:`detectable_effect`), ``verdict`` (:data:`CLAIM_VERDICTS`), ``exceeded`` and a ``note``:
        why there is no finding, or a test that does not agree with its interval, or a size that differs from the
        published one.

    Raises
    ------
    KeyError, ValueError
        If a finding belongs to no claim, the side of a claim is unknown, an effect lies on the wrong side of the null,
        an equality has no margin, or a p-value is outside [0, 1].

    Notes
    -----
    The rule, and why it is this one, is in :mod:`helpers.inference.claims`.

    Simulated 2000 times with normal values of 6, 17 and 100 units, intervals by the bootstrap, sign-flip tests, and a
    published effect of two standard deviations (half a one for 100 units): without an effect the claim was called
    reproduced in 1.3 to 2.9 % of the studies, with it not reproduced in at most 0.5 %. Units as skewed as exponential
    variables raise the first to 6 % with 6 units and 7 % with 17.

    Examples
    --------
    >>> from helpers.inference import Claim, Finding, judge
    >>> claims = {"mix": Claim("A mixture gains", published=2.0), "mean": Claim("The mean loses", side="less")}
    >>> found = {"mix": Finding(0.1, -0.4, 0.6, 40, "tasks"), "mean": Finding(-0.2, -0.7, 0.3, 40, "tasks")}
    >>> judge(claims, found)["verdict"].to_dict()
    {'mix': 'not reproduced', 'mean': 'not testable here'}
    """
    import pandas as pd

    alpha = 1 - check_level(confidence_level)
    if strange := [key for key in findings if key not in claims]:
        raise KeyError(f"findings has {strange[0]!r}, which is no claim; claims are {', '.join(claims)}")
    rows = {}
    for key, claim in claims.items():
        _check(key, claim)
        found = findings.get(key) or absent("not asked here")
        row = {"claim": claim.text, "source": claim.source, "place": claim.place, "statistic": claim.statistic}
        row |= {"published": _published(claim), "on": on if isinstance(on, str) else on.get(key, "")}
        row |= {"transfer": transfer}
        row |= {"estimate": found.estimate, "ci_low": found.low, "ci_high": found.high}
        values = zip(("p", "p_effect"), _tested_values(claim, found.estimate), strict=True)
        row |= {which: _p(found, value, which, confidence_level) for which, value in values}
        row |= {"p_at_most": row["p"] <= found.p_floor * (1 + 1e-9)}
        row |= {"n": found.n, "units": found.units, "spec": claim.spec}
        rows[key] = row | {"detectable": detectable_effect(found.low, found.high, confidence_level=confidence_level)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("key")
    for column in ("p", "p_effect"):
        known = table[column].notna()
        table.loc[known, column] = holm(table.loc[known, column]) if known.any() else np.nan
    decided = [_decide(claims[key], row, findings.get(key), alpha) for key, row in table.iterrows()]
    table = table.assign(verdict=[verdict for verdict, _ in decided])
    table["exceeded"] = [_exceeds(claims[key], row, alpha) for key, row in table.iterrows()]
    return table.assign(note=[note for _, note in decided])


def exceeded_words(row: Any) -> str:
    """The verdict on a claim, and whether it is exceeded, in words.

    Parameters
    ----------
    row
        Row of a table of :func:`judge`, or anything with ``verdict`` and ``exceeded``.

    Examples
    --------
    >>> from helpers.inference import Claim, Finding, exceeded_words, judge
    >>> claims = {"mix": Claim("A mixture gains", published=2.0)}
    >>> exceeded_words(judge(claims, {"mix": Finding(4.0, 3.0, 5.0, 40, "tasks")}).loc["mix"])
    'reproduced, and exceeded'
    """
    return _EXCEEDED[row["verdict"]] if row["exceeded"] else row["verdict"]


def paired_finding(
    claim: Claim,
    a: Any,
    b: Any,
    units: str,
    *,
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int | np.random.Generator = 0,
) -> Finding:
    """The finding about a claim on a mean difference: :func:`paired`, with tests of its null and its effect.

    Parameters
    ----------
    claim
        About the mean of a - b.
    a, b : array_like of shape (n,)
        Values of two methods for the same units, in the unit of the claim. One unit has no interval.
    units
        What the units are: experiments, tasks, pairs.
    confidence_level, n_resamples, rng
        Same meaning as in :func:`paired`.

    Returns
    -------
    Finding

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`paired`.

    Examples
    --------
    >>> from helpers.inference import Claim, paired_finding
    >>> found = paired_finding(Claim("a gains", published=1.0), [3.0, 4.0, 5.0, 3.0, 4.0, 5.0], [1.0] * 6, "tasks")
    >>> found.estimate, found.n, found.p
    (3.0, 6, 0.03125)
    """
    options = {"confidence_level": confidence_level, "n_resamples": n_resamples, "rng": rng}
    a, b = vector(a, "a", least=1), vector(b, "b", least=1)
    if len(a) == len(b) == 1:
        return Finding(float(a[0] - b[0]), math.nan, math.nan, 1, units)
    found = paired(a, b, **options)
    p, p_effect = (
        found.p if value == 0 else paired(a - value, b, **options).p for value in _tested_values(claim, found.estimate)
    )
    return Finding(found.estimate, found.low, found.high, found.n, units, p, p_effect)


def share_finding(claim: Claim, successes: int, n: int, units: str, *, confidence_level: float = 0.95) -> Finding:
    """The finding about a claim on a share: exact binomial interval of Clopper and Pearson, and exact tests.

    Parameters
    ----------
    claim
        About a share, from 0 to 1.
    successes, n
        How many of how many units.
    units
        What they are.
    confidence_level
        Confidence level of the interval.

    Returns
    -------
    Finding

    Examples
    --------
    >>> from helpers.inference import Claim, share_finding
    >>> found = share_finding(Claim("wins more often than not", null=0.5), 15, 17, "experiments")
    >>> round(found.low, 2), round(found.p, 4)
    (0.64, 0.0023)
    """
    from scipy.stats import binomtest

    n = check_count(n, "n")
    limits = binomtest(successes, n).proportion_ci(check_level(confidence_level), method="exact")
    values = _tested_values(claim, successes / n)
    p, p_effect = (float(binomtest(successes, n, min(max(value, 0.0), 1.0)).pvalue) for value in values)
    return Finding(successes / n, limits.low, limits.high, n, units, p, p_effect)


def claims_table(judged: pd.DataFrame, *, detail: bool = False) -> pd.DataFrame:
    """A table of judged claims in words, as every page shows it.

    Parameters
    ----------
    judged
        Table from :func:`judge`; of several studies one below the other, by ``pandas.concat``.
    detail
        Whether to add the smallest effect that such a study finds in 80 % of the cases: its distance from the null.

    Returns
    -------
    DataFrame
        Index: the claims; columns ``verdict`` (:func:`exceeded_words`), ``here`` (estimate and interval), ``published``
        (a number, or the side), ``p`` (corrected; "≤" where the test can give no less), ``units``, ``on`` (if stated;
        *transfer* where the models are of another kind than those of the claim), ``finds`` (with ``detail``) and
        ``note`` (if there is one): what a narrow page shows first comes first. What is :func:`deduced` has neither
        interval nor p-value, and a proof no number either.

    Examples
    --------
    >>> from helpers.inference import Claim, Finding, claims_table, judge
    >>> judged = judge({"mix": Claim("A mixture gains")}, {"mix": Finding(0.5, 0.1, 0.9, 40, "tasks", 0.01)})
    >>> claims_table(judged).loc["A mixture gains"].tolist()
    ['reproduced', '+0.5 [+0.1, +0.9]', '> 0', '0.010', '40 tasks']
    """
    import pandas as pd

    rows = []
    for _, row in judged.iterrows():
        known = not math.isnan(row["estimate"])
        found = Interval(row["estimate"], row["ci_low"], row["ci_high"], math.nan)
        here = f"{found:{row['spec']}}" if known and not math.isnan(found.low) else ""
        here = here or (f"{found.estimate:{row['spec']}}" if known else "—")
        units = f"{row['n']:.0f} {row['units']}" if row["n"] else "—"
        if is_deduced := row["n"] == 1 and found.low == found.high:
            here = f"{found.estimate:{row['spec']}}"
            if row["units"] == PROOF:
                here, units = "—", PROOF
        line = {"claim": row["claim"], "verdict": exceeded_words(row)}
        line |= {"here": here, "published": row["published"]}
        line |= {"p": "—" if is_deduced else format_p(row["p"], row["p_at_most"]), "units": units}
        line |= {"on": f"transfer: {row['on']}" if row["transfer"] else row["on"]}
        if detail:
            size = row["detectable"]
            line |= {"finds": "—" if is_deduced or math.isnan(size) else f"{size:{row['spec'].replace('+', '')}}"}
        rows.append(line | {"note": row["note"]})
    table = pd.DataFrame(rows).set_index("claim").rename_axis(None)
    return table.drop(columns=[name for name in ("on", "note") if (table[name] == "").all()])


def _check(key: str, claim: Claim) -> None:
    choice(claim.side, f"side of claim {key!r}", SIDES)
    choice(claim.better, f"better of claim {key!r}", ("", *SIDES[:2]))
    if claim.better and claim.better == claim.side or claim.better and claim.side == "two-sided":
        raise ValueError(f"claim {key!r} is {claim.side!r}, and so is what is better; leave that away")
    if claim.side == "equal" and not claim.margin > 0:
        raise ValueError(f"claim {key!r} is one of equality, and its margin is {claim.margin}; one above 0 is needed")
    beyond = claim.effect - claim.null
    if (claim.side == "greater" and beyond < 0) or (claim.side == "less" and beyond > 0):
        raise ValueError(f"claim {key!r} is {claim.side!r} than {claim.null}, and its effect is {claim.effect}")


def _ends(claim: Claim) -> tuple[float, float]:
    """Of a claim about an interval around the null its ends."""
    half = claim.margin if claim.side == "equal" else abs(claim.effect - claim.null)
    return claim.null - half, claim.null + half


def _p(found: Finding, value: float, which: str, confidence_level: float) -> float:
    """The p-value that a finding brings along, or that its interval implies; NaN without an interval."""
    known = getattr(found, which)
    if math.isnan(known) or math.isnan(found.low) or math.isnan(found.high):
        return p_from_interval(*found[:3], value, n=found.n, confidence_level=confidence_level)
    if not 0 <= known <= 1:
        raise ValueError(f"{which} of a finding is {known}; a p-value lies between 0 and 1")
    return known


def _tested_values(claim: Claim, estimate: float) -> tuple[float, float]:
    """The values that p and p_effect are about: null and effect, or the nearer end of what lies around the null."""
    nearer = min(_ends(claim), key=lambda end: abs(end - estimate))
    if claim.side == "equal":
        return nearer, nearer
    return claim.null, nearer if claim.side == "two-sided" else claim.effect


def _decide(claim: Claim, row: Any, found: Finding | None, alpha: float) -> tuple[str, str]:
    """Verdict, and a note on it."""
    low, high, tolerance = row["ci_low"], row["ci_high"], 1e-12
    if math.isnan(low) or math.isnan(high):
        why = "not asked here" if found is None else found.why
        return CLAIM_VERDICTS[2], why or f"no interval from {row['n']} {row['units']}"
    if claim.side in ("greater", "less"):
        holds = low > claim.null if claim.side == "greater" else high < claim.null
        fails = high < claim.effect if claim.side == "greater" else low > claim.effect
    else:
        bottom, top = _ends(claim)
        inside, outside = bottom < low and high < top, high < bottom or low > top
        holds, fails = (inside, outside) if claim.side == "equal" else (not low <= claim.null <= high, inside)
    holds, fails = bool(holds), bool(fails) and (not holds or not math.isnan(claim.smallest))
    if fails and row["p_effect"] <= alpha + tolerance:
        return CLAIM_VERDICTS[1], "too small to count" if holds else ""
    if holds and not fails and row["p"] <= alpha + tolerance:
        return CLAIM_VERDICTS[0], _size(claim, low, high)
    if math.isnan(row["p"]) or math.isnan(row["p_effect"]):
        return CLAIM_VERDICTS[2], f"{row['n']} {row['units']}: too few for a test"
    if holds or fails:
        return CLAIM_VERDICTS[2], f"the corrected test does not agree (p = {row['p_effect' if fails else 'p']:.3f})"
    return CLAIM_VERDICTS[2], ""


def _exceeds(claim: Claim, row: Any, alpha: float) -> bool:
    """Whether the number is better than claimed; the tests that this takes are those of the verdict."""
    low, high = row["ci_low"], row["ci_high"]
    if row["verdict"] == CLAIM_VERDICTS[1]:
        above = low > (_ends(claim)[1] if claim.side == "equal" else claim.effect)
        return claim.better == ("greater" if above else "less")
    if row["verdict"] != CLAIM_VERDICTS[0] or claim.side not in SIDES[:2] or not math.isnan(claim.smallest):
        return False
    beyond = low > claim.published if claim.side == "greater" else high < claim.published
    return bool(beyond and row["p_effect"] <= alpha + 1e-12)


def _size(claim: Claim, low: float, high: float) -> str:
    """How the size of what was found compares to the published one, where the interval excludes that."""
    if math.isnan(claim.published) or low <= claim.published <= high:
        return ""
    nearer = max(abs(low - claim.null), abs(high - claim.null)) < abs(claim.published - claim.null)
    return f"{'smaller' if nearer else 'larger'} than published"


def _published(claim: Claim) -> str:
    if not math.isnan(claim.published):
        return f"{claim.published:{claim.spec}}"
    plain = "0" if claim.null == 0 else f"{claim.null:{claim.spec}}"
    if claim.side == "equal":
        return f"{plain} ± {claim.margin:{claim.spec.replace('+', '')}}"
    return {"greater": ">", "less": "<", "two-sided": "≠"}[claim.side] + f" {plain}"
