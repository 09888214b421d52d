"""The truth about noise, by loops over pairs of pairs: nothing of `opiscal`, and no NumPy.

A class is a list of rows; `accepts[j][k]` says whether the pair of rows ``j`` and ``k`` is accepted
(it is symmetric, and its diagonal means nothing), `false[j]` how many rows of other classes row
``j`` accepts, of `others`.
"""

import itertools
import math
from fractions import Fraction

from measure_oracles import utility_of


def sensitivity(accepts):
    """Accepted pairs over pairs."""
    pairs = list(itertools.combinations(range(len(accepts)), 2))
    return Fraction(sum(accepts[j][k] for j, k in pairs), len(pairs))


def false_accept_rate(false, others):
    """Accepted negative pairs over negative pairs."""
    return Fraction(sum(false), len(false) * others)


def sensitivity_variance(accepts):
    """Square of the mean, less the mean product of two pairs without a common row."""
    pairs = list(itertools.combinations(range(len(accepts)), 2))
    products = [
        accepts[j][k] * accepts[m][n] for j, k in pairs for m, n in pairs if len({j, k, m, n}) == 4
    ]
    return sensitivity(accepts) ** 2 - Fraction(sum(products), len(products))


def false_accepts_variance(false, others):
    """Square of the mean, less the mean product of two different rows."""
    products = [a * b for a, b in itertools.permutations(false, 2)]
    mean_product = Fraction(sum(products), len(products) * others**2)
    return false_accept_rate(false, others) ** 2 - mean_product


def covariance(accepts, false, others):
    """Product of the means, less the mean product of a pair and a row that is not in it."""
    rows = range(len(accepts))
    products = [
        accepts[j][k] * false[m]
        for j, k in itertools.combinations(rows, 2)
        for m in rows
        if m not in (j, k)
    ]
    mean_product = Fraction(sum(products), len(products) * others)
    return sensitivity(accepts) * false_accept_rate(false, others) - mean_product


def row_sums(accepts, false):
    """Accepted pairs, accepted negatives, and the sums over rows of p^2, n^2 and p n."""
    p = [sum(row[k] for k in range(len(row)) if k != j) for j, row in enumerate(accepts)]
    return (
        sum(p) // 2,
        sum(false),
        sum(x * x for x in p),
        sum(x * x for x in false),
        sum(x * y for x, y in zip(p, false, strict=True)),
    )


def all_samples(kernel, false, rows):
    """Every sample of so many rows, each as likely as the next, from kinds of rows.

    `kernel[a][b]` says whether rows of kinds ``a`` and ``b`` accept one another, `false[a]` how
    many others a row of kind ``a`` accepts. Yields `accepts` and `false` of each sample.
    """
    for kinds in itertools.product(range(len(kernel)), repeat=rows):
        yield [[kernel[a][b] for b in kinds] for a in kinds], [false[a] for a in kinds]


def variance_over(values):
    """Variance of numbers that are all as likely."""
    values = list(values)
    mean = Fraction(sum(values), len(values))
    return sum((v - mean) ** 2 for v in values) / len(values)


def covariance_over(left, right):
    """Covariance of pairs of numbers that are all as likely."""
    left, right = list(left), list(right)
    mean = (Fraction(sum(left), len(left)), Fraction(sum(right), len(right)))
    products = ((a - mean[0]) * (b - mean[1]) for a, b in zip(left, right, strict=True))
    return sum(products) / len(left)


def utility_noise(classes, others, kind="sensitivity-specificity", weight=1.0):
    """Sampling variance of each class's utility at one threshold; NaN under four rows.

    Parameters
    ----------
    classes : list of (accepts, false)
    others : list of int
        Rows outside of each class.
    """
    known = [c for c in classes if len(c[0]) >= 4]
    sampling = [float(sensitivity_variance(accepts)) for accepts, _ in known]
    counted = [float(sensitivity(accepts)) for accepts, _ in known]
    noise = max(0.0, math.fsum(sampling) / len(known))
    mean = math.fsum(counted) / len(known)
    total = math.fsum((s - mean) ** 2 for s in counted) / (len(known) - 1)
    true = max(0.0, total - noise)
    a_row = noise / (math.fsum(1 / len(accepts) for accepts, _ in known) / len(known))
    out = []
    for (accepts, false), outside in zip(classes, others, strict=True):
        rows = len(accepts)
        if rows < 4:
            out.append(math.nan)
            continue
        at, rate = float(sensitivity(accepts)), float(false_accept_rate(false, outside))
        spread = true + a_row / rows
        moved = mean + (math.sqrt(true / spread) if spread > 0 else 1.0) * (at - mean)

        def utility(s, f, rows=rows, outside=outside):
            positives, negatives = rows * (rows - 1) / 2, rows * outside
            return utility_of(positives, s * positives, negatives, f * negatives, kind, weight)

        step = 1e-6
        ends = (at, moved) if abs(at - moved) > step else (at - step, at + step)
        chord = (utility(ends[1], rate) - utility(ends[0], rate)) / (ends[1] - ends[0])
        if at == 0:
            chord = 0.0
        by_far = (utility(at, rate + step) - utility(at, rate - step)) / (2 * step)
        out.append(
            chord**2 * float(sensitivity_variance(accepts))
            + 2 * chord * by_far * float(covariance(accepts, false, outside))
            + by_far**2 * float(false_accepts_variance(false, outside))
        )
    return out
