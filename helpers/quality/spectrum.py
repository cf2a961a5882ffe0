"""Qualities of the singular values: how many directions are in use, how evenly, and how far one object decides them."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from helpers.arrays import as_matrix, centred, check_count, check_number, svd, to_numpy
from helpers.quality._blocks import exponential_entropy, positive, singular_values
from helpers.quality.entry import Quality

__all__ = [
    "alpha_req",
    "isoscore",
    "leverage",
    "nesum",
    "participation_ratio",
    "pseudo_condition_number",
    "rankme",
    "stable_rank",
]


def rankme(x: Any, *, epsilon: float = 1e-7) -> float:
    r"""RankMe: the exponential of the entropy of the singular values, a smooth count of the directions in use.

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \qquad p_k = \sigma_k / \textstyle\sum_j \sigma_j + \varepsilon

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is not centred (the definition takes it as it is). Computed in float64.
    epsilon
        The paper's ε; 0 gives the effective rank of Roy and Vetterli (2007), 0 log 0 read as 0.

    Returns
    -------
    float
        Between 1 and min(n, p), up to ε: 1 if all rows lie on one line, min(n, p) if all singular values are equal.
        Unchanged by rotation, reflection and scale; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or is zero.

    Notes
    -----
    O(n p min(n, p)) time; blocks of rows, so that a memory-mapped array is never held whole while n > p.
    Garrido, Balestriero, Najman and LeCun (2023), RankMe: assessing the downstream performance of pretrained
    self-supervised representations by their rank, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import rankme
    >>> round(rankme(np.eye(4)), 4)
    4.0
    """
    return _rankme(singular_values(as_matrix(x, rows=1)), epsilon)


def _rankme(values: Any, epsilon: float = 1e-7) -> float:
    xp = array_namespace(values)
    return exponential_entropy(values / positive(xp.sum(values)) + epsilon)


def stable_rank(x: Any) -> float:
    r"""Stable rank :math:`\|X\|_F^2 / \|X\|_2^2`: total energy over that of the strongest direction.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is not centred. Computed in float64.

    Returns
    -------
    float
        At least 1 and at most the rank; larger is more spread. Unchanged by rotation and scale; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or is zero.

    Notes
    -----
    Cost as :func:`rankme`. Tsitsulin, Munkhoeva and Perozzi (2023), Unsupervised embedding quality evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import stable_rank
    >>> round(stable_rank(np.diag([2.0, 1.0, 1.0])), 6)
    1.5
    """
    return _stable_rank(singular_values(as_matrix(x, rows=1)))


def _stable_rank(values: Any) -> float:
    xp = array_namespace(values)
    energy = (values / positive(xp.max(values))) ** 2
    return float(xp.sum(energy))


def pseudo_condition_number(x: Any, *, tolerance: float = 1e-6) -> float:
    r"""Pseudo condition number :math:`\|X\|_2\,\|X^+\|_2`: the largest singular value over the smallest not zero.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is not centred. Computed in float64.
    tolerance
        Singular values of at most this share of the largest count as zero and are left out, as the pseudo-inverse
        :math:`X^+` leaves them out. Below it nothing of a float32 matrix is more than rounding. With 0 a matrix of
        deficient rank would be measured by its rounding.

    Returns
    -------
    float
        Between 1 (equal singular values) and 1 / tolerance; **smaller is better conditioned**. A representation that
        has lost directions altogether is *not* punished for them: read it beside a rank. Unchanged by rotation and
        scale; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is zero, or the tolerance is not between 0 and 1.

    Notes
    -----
    Cost as :func:`rankme`. Tsitsulin, Munkhoeva and Perozzi (2023), Unsupervised embedding quality evaluation, take the
    inverse of it, of all singular values.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import pseudo_condition_number
    >>> round(pseudo_condition_number(np.diag([4.0, 2.0, 1.0, 0.0])), 6)
    4.0
    """
    check_number(tolerance, "tolerance", lambda value: 0 <= value < 1, "a number of at least 0 and below 1")
    return _condition(singular_values(as_matrix(x, rows=1)), tolerance)


def _condition(values: Any, tolerance: float = 1e-6) -> float:
    xp = array_namespace(values)
    largest = float(positive(xp.max(values)))
    kept = values[values > tolerance * largest]
    return largest / float(xp.min(kept))


def alpha_req(x: Any, *, first: int = 1, last: int | None = None) -> float:
    r"""α-ReQ: the exponent of the power law :math:`\lambda_k \propto k^{-\alpha}` of the eigenvalues of the covariance.

    The line :math:`\log\lambda_k = c - \alpha \log k` is fitted to k = ``first``, …, ``last`` by least squares with
    weights 1/k, so that every octave counts alike.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is centred here, as a covariance is. Computed in float64.
    first, last
        Ranks of the eigenvalues that are fitted. By default all that are above :math:`10^{-12}` of the largest; the
        paper leaves out the first few and the tail of spectra of many hundreds.

    Returns
    -------
    float
        At least 0: 0 for equal eigenvalues, and the larger the faster they decay. Neither end is good: the paper finds
        **values near 1** best. Unchanged by rotation, scale and translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is constant, or fewer than two eigenvalues are left to fit.

    Notes
    -----
    O(n p min(n, p)). Agrawal, Mondal, Ghosh and Richards (2022), α-ReQ: assessing representation quality in
    self-supervised learning by measuring eigenspectrum decay, NeurIPS; the weighted fit is that of Stringer et al.
    (2019), High-dimensional geometry of population responses in visual cortex, Nature 571.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import alpha_req
    >>> k = np.arange(1, 5)
    >>> x = np.vstack([np.diag(1 / k), -np.diag(1 / k)])  # singular values 1/k: eigenvalues k**-2
    >>> round(alpha_req(x), 6)
    2.0
    """
    return _alpha(_eigenvalues(x), first, last)


def _alpha(spectrum: np.ndarray, first: int = 1, last: int | None = None) -> float:
    first = check_count(first, "first")
    above = int(np.count_nonzero(spectrum > 1e-12 * spectrum[0]))
    last = above if last is None else min(check_count(last, "last"), above)
    if last - first < 1:
        raise ValueError(
            f"eigenvalues {first} to {last} are to be fitted, of {above} that are not zero; two are the least"
        )
    k = np.arange(first, last + 1)
    slope, _ = np.polyfit(np.log(k), np.log(spectrum[first - 1 : last]), 1, w=k**-0.5)  # polyfit squares its weights
    return float(-slope)


def nesum(x: Any) -> float:
    r"""NESum: the sum of the eigenvalues of the covariance, each over the largest, :math:`\sum_k\lambda_k/\lambda_1`.

    The :func:`stable_rank` of the centred representation.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is centred here, as a covariance is. Computed in float64.

    Returns
    -------
    float
        Between 1 (all variance in one direction) and min(n - 1, p) (white); larger is better in the sense of the paper,
        up to where whitening hurts. Unchanged by rotation, scale and translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is constant.

    Notes
    -----
    O(n p min(n, p)). He and Ozay (2022), Exploring the gap between collapsed and whitened features in self-supervised
    learning, ICML, definition 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import nesum
    >>> x = np.diag([2.0, 1.0, 1.0])
    >>> round(nesum(np.vstack([x, -x]) + 5), 6)
    1.5
    """
    return _nesum(_eigenvalues(x))


def _nesum(spectrum: np.ndarray) -> float:
    return float(np.sum(spectrum / _varies(spectrum)[0]))


def participation_ratio(x: Any) -> float:
    r"""Participation ratio :math:`(\sum_k\lambda_k)^2 / \sum_k\lambda_k^2` of the eigenvalues of the covariance.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is centred here, as a covariance is. Computed in float64.

    Returns
    -------
    float
        Between 1 (all variance in one direction) and min(n - 1, p) (white); larger is more spread. Unchanged by
        rotation, scale and translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is constant.

    Notes
    -----
    O(n p min(n, p)). Gao, Trautmann, Yu, Santhanam, Ryu, Shenoy and Ganguli (2017), A theory of multineuronal
    dimensionality, dynamics and measurement, bioRxiv 214262.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import participation_ratio
    >>> x = np.diag([2.0, 1.0, 1.0])
    >>> round(participation_ratio(np.vstack([x, -x]) + 5), 6)
    2.0
    """
    return _participation(_eigenvalues(x))


def _participation(spectrum: np.ndarray) -> float:
    share = spectrum / _varies(spectrum)[0]
    return float(share.sum() ** 2 / (share @ share))


def isoscore(x: Any) -> float:
    r"""IsoScore: how evenly the variance is spread over the features, from 0 for one direction to 1 for all alike.

    With eigenvalues of the covariance scaled to length :math:`\sqrt p` and their distance :math:`\delta` from all
    ones, over its maximum :math:`\sqrt{2(p-\sqrt p)}`,

    .. math:: \frac{(p-\delta^2(p-\sqrt p))^2 - p}{p (p - 1)}

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), p ≥ 2
        The representation, which is centred here, as a covariance is. Computed in float64.

    Returns
    -------
    float
        In [0, 1]; larger is more even. Unchanged by rotation, scale and translation. It is the participation ratio in
        another unit, :math:`(\mathrm{PR} - 1) / (p - 1)`.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, is constant, or has one feature.

    Notes
    -----
    O(n p min(n, p)). Rudman, Gillman, Rayne and Eickhoff (2022), IsoScore: measuring the uniformity of embedding space
    utilization, Findings of ACL.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import isoscore
    >>> round(isoscore(np.vstack([np.eye(3), -np.eye(3)])), 6), round(isoscore(np.outer([1.0, 2, 4], [1, 1])), 6)
    (1.0, 0.0)
    """
    return _isoscore(_eigenvalues(x), as_matrix(x).shape[1])


def _isoscore(spectrum: np.ndarray, p: int) -> float:
    if p < 2:
        raise ValueError("x has one feature; there are no others to be even with")
    even = np.zeros(p)
    even[: min(p, len(spectrum))] = spectrum[:p] / _varies(spectrum)[0]
    even *= np.sqrt(p) / np.linalg.norm(even)
    defect = float(np.sum((even - 1) ** 2)) / (2 * (p - np.sqrt(p)))
    return max((float(p - defect * (p - np.sqrt(p))) ** 2 - p) / (p * (p - 1)), 0.0)


def _varies(spectrum: np.ndarray) -> np.ndarray:
    if not spectrum[0] > 0:
        raise ValueError("x: every feature is constant; there is no variance to divide")
    return spectrum


def leverage(x: Any) -> float:
    r"""Greatest leverage of an object, :math:`\frac{n}{r}\max_i\|U_i\|^2` with the r left singular vectors U of X.

    How much one object alone decides a direction. Called *coherence* by Candès and Recht (2009) and, as a quality of
    embeddings, by Tsitsulin, Munkhoeva and Perozzi (2023); another study calls the mean cosine so, see
    :func:`~helpers.quality.mean_cosine`.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, which is not centred. Computed in float64; singular vectors below :math:`10^{-10}` of the
        largest value are left out.

    Returns
    -------
    float
        Between 1 (every object alike) and n / r (one object has a direction for itself); smaller is better. Unchanged
        by every invertible linear map of the features; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or is zero.

    Notes
    -----
    O(n p min(n, p)); holds x and its singular vectors in float64.
    Candès and Recht (2009), Exact matrix completion via convex optimization, Foundations of Computational
    Mathematics 9.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import leverage
    >>> round(leverage(np.array([[1.0], [1.0], [1.0], [1.0]])), 6), round(leverage(np.array([[1.0], [0.0]])), 6)
    (1.0, 2.0)
    """
    x = as_matrix(x, rows=1)
    xp = array_namespace(x)
    u, values, _ = svd(xp.astype(x, xp.float64))
    kept = values > 1e-10 * float(positive(xp.max(values)))
    rank = int(xp.sum(xp.astype(kept, xp.int64)))
    u = u[:, :rank]
    return x.shape[0] / rank * float(xp.max(xp.sum(u * u, axis=1)))


def _eigenvalues(x: Any) -> np.ndarray:
    """Eigenvalues of the covariance up to a factor, the largest first; of float32 in float64."""
    x = as_matrix(x)
    xp = array_namespace(x)
    return to_numpy(singular_values(centred(xp.astype(x, xp.float64)))) ** 2


QUALITIES = {
    "rankme": Quality(
        rankme,
        "larger",
        "[1, min(n, p)]",
        ("rotation", "scale"),
        "n p²",
        "Garrido et al. 2023",
        "exponential of the entropy of the singular values",
        misses="which directions; it counts noise as much as signal, and is the highest for noise",
        shared=lambda space: _rankme(space.values),
        citation="garrido2023rankme",
        formula=r"\exp\bigl(-\sum_k p_k \log p_k\bigr), \quad p_k = \sigma_k / \sum_j \sigma_j",
        fooled="noise",
    ),
    "stable_rank": Quality(
        stable_rank,
        "larger",
        "[1, min(n, p)]",
        ("rotation", "scale"),
        "n p²",
        "Tsitsulin et al. 2023",
        "energy over that of the strongest direction",
        misses="everything behind the first direction, which is often the mean alone",
        shared=lambda space: _stable_rank(space.values),
        citation="tsitsulin2023unsupervised",
        formula=r"\lVert X \rVert_F^2 / \sigma_1^2",
        fooled="noise",
    ),
    "pseudo_condition_number": Quality(
        pseudo_condition_number,
        "smaller",
        "[1, 1e6]",
        ("rotation", "scale"),
        "n p²",
        "Tsitsulin et al. 2023",
        "largest singular value over the smallest that is not zero",
        misses="directions that are lost altogether",
        shared=lambda space: _condition(space.values),
        citation="tsitsulin2023unsupervised",
        formula=r"\sigma_1 / \sigma_r, \quad r \text{ the rank}",
        fooled="noise",
    ),
    "alpha_req": Quality(
        alpha_req,
        "near 1",
        "[0, ∞)",
        ("rotation", "scale", "translation"),
        "n p²",
        "Agrawal et al. 2022",
        "exponent of the power law of the eigenvalues of the covariance",
        misses="a spectrum that is no power law, such as one with a cliff",
        shared=lambda space: _alpha(space.eigenvalues),
        citation="agrawal2022alpha",
        formula=r"\text{least-squares slope of } -\log \lambda_k \text{ against } \log k",
        fooled="power law",
    ),
    "nesum": Quality(
        nesum,
        "larger",
        "[1, min(n-1, p)]",
        ("rotation", "scale", "translation"),
        "n p²",
        "He and Ozay 2022",
        "sum of the eigenvalues of the covariance over the largest",
        misses="a collapse to a point, since it centres; everything behind the first direction",
        shared=lambda space: _nesum(space.eigenvalues),
        citation="he2022exploring",
        formula=r"\sum_k \lambda_k / \lambda_1",
        fooled="noise",
    ),
    "participation_ratio": Quality(
        participation_ratio,
        "larger",
        "[1, min(n-1, p)]",
        ("rotation", "scale", "translation"),
        "n p²",
        "Gao et al. 2017",
        "squared sum of the eigenvalues of the covariance over the sum of their squares",
        misses="a collapse to a point, since it centres; small directions, however many",
        shared=lambda space: _participation(space.eigenvalues),
        citation="gao2017theory",
        formula=r"\bigl(\sum_k \lambda_k\bigr)^2 / \sum_k \lambda_k^2",
        fooled="noise",
    ),
    "isoscore": Quality(
        isoscore,
        "larger",
        "[0, 1]",
        ("rotation", "scale", "translation"),
        "n p²",
        "Rudman et al. 2022",
        "evenness of the variance over the features",
        misses="what the participation ratio misses: it is that, in another unit",
        shared=lambda space: _isoscore(space.eigenvalues, space.x.shape[1]),
        citation="rudman2022isoscore",
        formula=r"\frac{(p - \delta^2 (p - \sqrt p))^2 - p}{p (p - 1)}, "
        r"\quad \delta \text{ the distance of the scaled } \lambda \text{ from all ones}",
        fooled="noise",
    ),
    "leverage": Quality(
        leverage,
        "smaller",
        "[1, n/r]",
        ("rotation", "scale", "linear"),
        "n p²",
        "Candès, Recht 2009",
        "greatest share that one object has in the directions, over the mean",
        misses="groups of objects that decide a direction together",
        sampled=True,
        citation="candes2009exact",
        formula=r"\frac{n}{r} \max_i \lVert u_i \rVert^2, \quad u_i \text{ the rows of the left singular vectors}",
        fooled="noise",
    ),
}
"""The qualities of this module by name."""
