"""The TCM loss and its gradient by plain loops over pairs; nothing of `opiscal`, NumPy or torch."""

import math


def tcm(rows, labels, others=None, other_labels=None, *, weights=(1, 1), margins=(0.9, 0.5)):
    """The loss, and its gradients for `rows` and for `others` (None without), lists of lists.

    The gradient is that of the set of hard pairs as it stands.
    """
    pairs = [
        (i, j, labels[i] == (labels if others is None else other_labels)[j])
        for i in range(len(rows))
        for j in range(i + 1 if others is None else 0, len(rows if others is None else others))
    ]
    columns = rows if others is None else others
    loss = 0.0
    of_rows = [[0.0] * len(x) for x in rows]
    of_columns = of_rows if others is None else [[0.0] * len(x) for x in others]
    for positive, weight, margin in (
        (True, weights[0], margins[0]),
        (False, weights[1], margins[1]),
    ):
        sign = 1 if positive else -1
        hard = [
            (i, j)
            for i, j, same in pairs
            if same == positive and sign * (margin - similarity(rows[i], columns[j])) >= 0
        ]
        for i, j in hard:
            loss += weight * sign * (margin - similarity(rows[i], columns[j])) / len(hard)
            share = -weight * sign / len(hard)
            for k, change in enumerate(slope(rows[i], columns[j])):
                of_rows[i][k] += share * change
            for k, change in enumerate(slope(columns[j], rows[i])):
                of_columns[j][k] += share * change
    return loss, of_rows, None if others is None else of_columns


def length(x):
    return math.sqrt(math.fsum(a * a for a in x))


def similarity(x, y):
    """Cosine similarity; 0 for a row of length zero."""
    both = length(x) * length(y)
    return math.fsum(a * b for a, b in zip(x, y, strict=True)) / both if both else 0.0


def slope(x, y):
    """How the similarity changes with each element of `x`."""
    if not length(x) or not length(y):
        return [0.0] * len(x)
    s = similarity(x, y)
    return [b / (length(x) * length(y)) - s * a / length(x) ** 2 for a, b in zip(x, y, strict=True)]
