"""Inequality of some rates: the worst over the geometric mean, and the Gini coefficient."""

import numpy as np
from numpy.typing import ArrayLike


def max_over_geomean(rates: ArrayLike) -> float | None:
    """The highest of some rates over their geometric mean.

    Parameters
    ----------
    rates : array_like of shape (n,), above 0

    Returns
    -------
    float, 1 or more; None for fewer than two rates
        1 where all are equal. The order of the rates does not matter.

    References
    ----------
    Grother, NIST IR 8429, 2022, doi:10.6028/NIST.IR.8429.ipd.

    Examples
    --------
    >>> round(max_over_geomean([0.01, 0.04, 0.02]), 12)
    2.0
    """
    ascending = np.sort(np.asarray(rates, dtype=np.float64))
    if ascending.size < 2:
        return None
    return float(np.exp(-np.log(ascending / ascending[-1]).mean()))


def gini(rates: ArrayLike) -> float | None:
    r"""Gini coefficient of some rates, with the factor ``n / (n - 1)`` for few of them.

    .. math:: \frac{n}{n - 1} \frac{\sum_i \sum_j |r_i - r_j|}{2 n^2 \bar r}

    Parameters
    ----------
    rates : array_like of shape (n,), 0 or more and not all 0

    Returns
    -------
    float, in [0, 1]; None for fewer than two rates
        0 where all are equal, 1 where all but one are 0.

    References
    ----------
    Howard et al. 2022, arXiv 2203.05051; Deltas, The small-sample bias of the Gini coefficient,
    Rev. Econ. Stat. 85, 2003, doi:10.1162/rest.2003.85.1.226.

    Examples
    --------
    >>> gini([0.1, 0.1, 0.1]), gini([0.0, 0.0, 0.3]), gini([0.3])
    (0.0, 1.0, None)
    """
    ascending = np.sort(np.asarray(rates, dtype=np.float64))
    n = ascending.size
    if n < 2:
        return None
    rank = 2.0 * np.arange(1, n + 1) - n - 1
    # The ranks sum to 0: taking the least rate off changes nothing, and leaves equal rates exact.
    return float((rank * (ascending - ascending[0])).sum() / ((n - 1) * ascending.sum()))
