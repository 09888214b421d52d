"""Two sets as one EmbeddingSet with its sides, and their counts."""

import numpy as np
from between_oracles import Side
from brute_force import embedding_set

from opiscal.data.sides import Sides
from opiscal.pairs.between import count_between
from opiscal.pairs.kernel.ranks import RECALL_CAP
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.two_sets import sample_between, sort_two_sets


def joined(queries: Side, gallery: Side, metric="cosine", ids=None):
    """The set of both, queries first, and its sides."""
    embeddings = embedding_set(
        [*queries.vectors, *gallery.vectors], [*queries.classes, *gallery.classes], metric
    )
    is_gallery = np.arange(embeddings.rows) >= len(queries.vectors)
    item = None
    if ids is not None:
        names = [*ids[0], *ids[1]]
        code = {name: k for k, name in enumerate(dict.fromkeys(names))}
        item = np.array([-1 if name is None else code[name] for name in names])
    return embeddings, Sides(is_gallery, item)


def counted_between(queries, gallery, metric="cosine", ids=None, threads=1, lattice=None):
    """Lattice, counts and ranks."""
    embeddings, sides = joined(queries, gallery, metric, ids)
    two = sort_two_sets(embeddings, sides)
    if lattice is None:
        lattice = fit_lattice(two.queries, 0, sample=sample_between(two, 0))
    tally = count_between(two, lattice, threads=threads)
    ranks = tally.ranks(two, RECALL_CAP)
    return lattice, tally.counts(two, lattice, embeddings.labels, metric), ranks
