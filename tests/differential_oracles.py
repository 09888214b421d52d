"""How unequal one threshold is, by plain loops over pairs. Nothing of `opiscal` is imported.

A set is `vectors` and `classes` as in `oracles.py`, and `groups`, a name or None for each row.
Errors of a cell are a tuple: accepted negatives, negatives, rejected positives, positives.
"""

import math

from oracles import DISTRACTOR, distance


def each_pair(vectors, classes, metric="l2"):
    """Rows `i` < `j` of every pair, and its distance; distractors make none among themselves."""
    for i in range(len(vectors)):
        for j in range(i + 1, len(vectors)):
            if not classes[i] == classes[j] == DISTRACTOR:
                yield i, j, distance(vectors[i], vectors[j], metric)


def errors_by_class(vectors, classes, threshold, metric="l2"):
    """Of every class of two rows or more; a negative pair stands in both its classes."""
    found = {c: [0, 0, 0, 0] for c in classes if c != DISTRACTOR and classes.count(c) > 1}
    for i, j, d in each_pair(vectors, classes, metric):
        if classes[i] == classes[j]:
            found[classes[i]][2] += d > threshold
            found[classes[i]][3] += 1
            continue
        for c in (classes[i], classes[j]):
            if c in found:
                found[c][0] += d <= threshold
                found[c][1] += 1
    return {c: tuple(found[c]) for c in sorted(found)}


def errors_by_group(vectors, classes, groups, threshold, metric="l2"):
    """Of every group with a row of a class: pairs with both ends in it, each once."""
    found = {
        g: [0, 0, 0, 0]
        for g, c in zip(groups, classes, strict=True)
        if g is not None and c != DISTRACTOR
    }
    for i, j, d in each_pair(vectors, classes, metric):
        if groups[i] is None or groups[i] != groups[j]:
            continue
        here = found[groups[i]]
        if classes[i] == classes[j]:
            here[2] += d > threshold
            here[3] += 1
        else:
            here[0] += d <= threshold
            here[1] += 1
    return {g: tuple(found[g]) for g in sorted(found)}


def shares_across(vectors, classes, groups):
    """Share of the positives, and of the negatives, whose ends are not in one group."""
    across, all_pairs = [0, 0], [0, 0]
    for i, j, _ in each_pair(vectors, classes):
        kind = int(classes[i] != classes[j])
        all_pairs[kind] += 1
        across[kind] += groups[i] is None or groups[i] != groups[j]
    return tuple(a / n if n else None for a, n in zip(across, all_pairs, strict=True))


def spread(cells, fewest=30):
    """Max over geometric mean, Gini, names from the worst on, and names left out.

    `cells` are (name, errors, pairs), in the order of names.
    """
    used = [(name, (e + 0.5) / (n + 1)) for name, e, n in cells if n >= fewest]
    left_out = [name for name, _, n in cells if n < fewest]
    worst = [name for name, _ in sorted(used, key=lambda cell: -cell[1])]
    rates = [rate for _, rate in used]
    k = len(rates)
    if k < 2:
        return None, None, worst, left_out
    ratio = max(rates) / math.exp(math.fsum(map(math.log, rates)) / k)
    apart = math.fsum(abs(x - y) for x in rates for y in rates)
    mean = math.fsum(rates) / k
    return ratio, k / (k - 1) * apart / (2 * k * k * mean), worst, left_out


# What the pairs of a cell are worth


def class_far_variance(vectors, classes, c, threshold):
    """Variance of the mean of the rows' own false accept rates."""
    rates = []
    for i in range(len(vectors)):
        if classes[i] == c:
            others = [j for j in range(len(vectors)) if classes[j] != c]
            hits = sum(distance(vectors[i], vectors[j], "l2") <= threshold for j in others)
            rates.append(hits / len(others))
    mean = math.fsum(rates) / len(rates)
    return math.fsum((r - mean) ** 2 for r in rates) / (len(rates) * (len(rates) - 1))


def class_frr_variance(vectors, classes, c, threshold):
    """Delete-one jackknife: the rate is worked out anew without each row in turn."""
    rows = [i for i in range(len(vectors)) if classes[i] == c]

    def rate(kept):
        pairs = [(i, j) for i in kept for j in kept if i < j]
        return sum(distance(vectors[i], vectors[j], "l2") > threshold for i, j in pairs) / len(
            pairs
        )

    without = [rate([k for k in rows if k != i]) for i in rows]
    mean = math.fsum(without) / len(without)
    return (len(rows) - 1) / len(rows) * math.fsum((r - mean) ** 2 for r in without)


def pooled_variance(vectors, classes, threshold, kind):
    """Delete-one-class jackknife about the whole: the rate without each class of two rows or more.

    Where negative pairs have an end in no such class, it grows by all ends over the ends seen.
    """
    names = [c for c in sorted(set(classes)) if c != DISTRACTOR and classes.count(c) > 1]

    def errors_and_pairs(left_out=None):
        errors = pairs = 0
        for i, j, d in each_pair(vectors, classes):
            if (classes[i] == classes[j]) == (kind == "frr"):
                if left_out is not None and left_out in (classes[i], classes[j]):
                    continue
                errors += (d > threshold) if kind == "frr" else (d <= threshold)
                pairs += 1
        return errors, pairs

    def rate(left_out=None):
        errors, pairs = errors_and_pairs(left_out)
        return errors / pairs

    total = math.fsum((rate(c) - rate()) ** 2 for c in names) * (len(names) - 1) / len(names)
    if kind == "far":
        seen = sum(
            (c in names)
            for i, j, _ in each_pair(vectors, classes)
            if classes[i] != classes[j]
            for c in (classes[i], classes[j])
        )
        total *= 2 * errors_and_pairs()[1] / seen
    return total
