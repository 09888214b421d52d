"""Small sets whose distances are exact in float32, and their counts and reports."""

from brute_force import embedding_set
from hypothesis import strategies as st

from opiscal.evaluation import evaluate_set
from opiscal.pairs.exact import count_exactly
from opiscal.pairs.lattice import fit_lattice
from opiscal.pairs.sorted_rows import sort_rows
from opiscal.report.asked_range import asked_range
from opiscal.report.settings import EvaluateConfig


def counted(vectors, classes, metric="cosine", **settings):
    """PairCounts of a set, without the rest of an evaluation; class -1 marks distractors."""
    rows = sort_rows(embedding_set(vectors, classes, metric))
    config = EvaluateConfig(metric=metric, **settings)
    lattice = fit_lattice(rows, config.seed, asked_range(config))
    labels = tuple(range(max(classes) + 1))
    tally = count_exactly(rows, lattice, ranks=False, threads=1)
    return tally.counts(rows, lattice, labels, metric)


def reported(vectors, classes, metric="cosine", **settings):
    """The report of a set; class -1 marks distractors."""
    settings = {"retrieval": False, "threads": 1} | settings
    return evaluate_set(
        embedding_set(vectors, classes, metric), EvaluateConfig(metric=metric, **settings)
    )


@st.composite
def exact_sets(draw, most_rows=18, distractors=True):
    """Vectors, classes and metric: ties in plenty, two or more scored classes."""
    metric = draw(st.sampled_from(["l2", "cosine"]))
    if metric == "l2":
        width, entries = draw(st.integers(1, 3)), st.integers(-3, 3)
    else:
        width, entries = draw(st.sampled_from([4, 16])), st.sampled_from([-1, 1])
    rows = draw(st.integers(4, most_rows))
    vector = st.lists(entries, min_size=width, max_size=width)
    vectors = draw(st.lists(vector, min_size=rows, max_size=rows))
    others = st.lists(
        st.integers(-1 if distractors else 0, 4), min_size=rows - 4, max_size=rows - 4
    )
    classes = draw(st.permutations([0, 0, 1, 1, *draw(others)]))
    # No class without rows: a reader names none.
    names = sorted({-1, *classes})
    return vectors, [names.index(c) - 1 for c in classes], metric
