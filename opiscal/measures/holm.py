"""P-values of several questions, corrected so that all answers together have the stated error."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values corrected by Holm's method; one that is missing counts as 1, and stays missing.

    Parameters
    ----------
    p_values : sequence of float or None

    Returns
    -------
    list of float or None
        In the same order, at most 1: where one is at most ``alpha`` the hypothesis is rejected, and
        the chance that any true one is stays at most ``alpha``, whatever their dependence. Empty
        for none.

    References
    ----------
    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, None, 0.03])
    [0.04, 0.09, None, 0.09]
    """
    known = np.array([1.0 if p is None or np.isnan(p) else p for p in p_values])
    order = np.argsort(known, kind="stable")
    times = np.arange(known.size, 0, -1)
    corrected = np.empty(known.size)
    corrected[order] = np.minimum(np.maximum.accumulate(known[order] * times), 1.0)
    return [
        None if p is None else float(f"{q:.12g}")
        for p, q in zip(p_values, corrected.tolist(), strict=True)
    ]
