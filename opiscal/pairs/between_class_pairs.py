"""Sums over the pairs of two classes, for counts between two sets."""

import numpy as np
from numpy.typing import NDArray

from opiscal.pairs.blocks import FEWEST_MEAN_ROWS, TILE_COLS, keeps_class_pairs
from opiscal.pairs.counts import ClassPairSums
from opiscal.pairs.lattice import Lattice
from opiscal.pairs.tally import Tally
from opiscal.pairs.two_sets import TwoSets


def sums_class_pairs_between(two: TwoSets) -> bool:
    """Whether the accepted pairs of every two classes are kept, and their squares summed up.

    As for one set of up to 700 classes of up to 1,024 rows; and the other classes must be on one
    side alone, and have no more rows than a tile has columns: a pair of one of them with another
    class is then in one tile. Nor may one item have two classes: two of these would have fewer
    pairs than their rows make.
    """
    number = two.numbers
    if np.any(number[0][two.same_item[:, 0]] != number[1][two.same_item[:, 1]]):
        return False
    sides = two.queries, two.gallery
    sizes = [side.classes.class_rows for side in sides]
    other = [
        side.classes.class_id[side.classes.scored_rows : side.classes.labelled] for side in sides
    ]
    if np.intersect1d(other[0], other[1]).size:
        return False
    largest = max(int(np.bincount(ids).max(initial=0)) if ids.size else 0 for ids in other)
    return (
        largest <= TILE_COLS
        and all(keeps_class_pairs(side.classes) for side in sides)
        and float((sizes[0] + sizes[1]).mean()) >= FEWEST_MEAN_ROWS
    )


def class_pair_sums_between(
    two: TwoSets,
    lattice: Lattice,
    tallies: tuple[Tally, Tally],
    class_negative: NDArray[np.integer],
    negatives_of_class: NDArray[np.int64],
) -> ClassPairSums | None:
    """The sums, where they were counted; None where they were not.

    Parameters
    ----------
    two, lattice
        What was counted.
    tallies : pair of Tally
        Of the queries and of the gallery: of two scored classes each has the pairs in which the
        first class is on its side.
    class_negative : int array of shape (T, C)
        Accepted negatives of the classes at the class edges that are kept.
    negatives_of_class : int64 array of shape (T,)
    """
    if tallies[0].class_pairs is None:
        return None
    edge = lattice.moment_edge[lattice.class_pair_edge]
    squares, products = tallies[0].class_pairs
    q, g = (side.classes.class_rows.astype(np.float64) for side in (two.queries, two.gallery))
    by_accepted, by_pairs = np.zeros((2, q.size, edge.size), np.int64)
    weights = np.stack([negatives_of_class, 0 * negatives_of_class], axis=1).astype(np.float64)
    for k in range(edge.size):
        # Whole numbers, and exact below 2^53.
        upper = sum(tally.accepted_of_pairs[k].astype(np.float64) for tally in tallies)
        weights[:, 1] = class_negative[:, edge[k]]
        both = upper @ weights + upper.T @ weights
        by_pairs[:, k], by_accepted[:, k] = both.T
        squares[k] += int(np.vdot(upper, upper))
        products[k] += int(q @ upper @ g + g @ upper @ q)
    return ClassPairSums(edge, squares, products, by_accepted, by_pairs)
