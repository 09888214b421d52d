"""Sets whose true OPIS is known, and what is read off their counts."""

import dataclasses
import functools

import numpy as np
from counted import counted

from opiscal.data.population import open_world
from opiscal.data.von_mises_fisher import draw
from opiscal.measures.calibration_range import RangeSpec, find_range
from opiscal.measures.corrected_opis import corrected_opis
from opiscal.measures.opis import Integration, opis
from opiscal.measures.rates import rate_curve
from opiscal.measures.utility import Utility, class_utility


def nodes_of(counts):
    found = find_range(rate_curve(counts), RangeSpec.parse("far=0.01:0.1"), counts.metric)
    return Integration().nodes(counts.class_distance, found.low, found.high)


def corrected(counts):
    nodes, weights = nodes_of(counts)
    curves = class_utility(counts, nodes, Utility())
    return corrected_opis(counts, curves, nodes, weights, Utility())


def reordered(counts, order):
    per_class = (
        "class_rows",
        "class_positive",
        "class_negative",
        "positive_squares",
        "negative_squares",
        "products",
    )
    return dataclasses.replace(
        counts,
        labels=tuple(counts.labels[i] for i in order),
        **{name: getattr(counts, name)[order] for name in per_class},
    )


@functools.cache
def code_words():
    """The 128 words of a linear code of 32 bits, on the unit sphere.

    Each word sees the others at the same distances as any other word does, so that classes of one
    concentration about them are alike, and their true OPIS is 0.
    """
    generator = np.random.default_rng(1).integers(0, 2, (7, 32))
    bits = (np.arange(128)[:, None] >> np.arange(7)) & 1
    words = bits @ generator % 2
    assert len(np.unique(words, axis=0)) == 128
    return ((1 - 2 * words) / 32**0.5).astype(np.float32)


def sphere_words(rows, seed):
    labels = np.repeat(np.arange(128), rows)
    concentrations = np.full(labels.size, 30.0)
    vectors = draw(code_words()[labels], concentrations, np.random.default_rng(seed))
    return counted(vectors, labels.tolist())


@functools.cache
def population():
    return open_world(64, 0.3)


def open_world_set(rows, seed, classes=400):
    """Counts of a set of classes with centres at random, and the true OPIS of these classes."""
    rng = np.random.default_rng(seed)
    world = population()
    concentrations = world.draw_concentrations(classes, rng)
    centres = rng.standard_normal((classes, 64)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    labels = np.repeat(np.arange(classes), rows)
    vectors = draw(centres[labels], concentrations[labels], rng)
    low, high = world.range_distance
    inside = (world.thresholds >= low) & (world.thresholds <= high)
    sens, spec = world.sensitivity(concentrations)[:, inside], 1.0 - world.far[inside]
    weights = np.ones(sens.shape[1])
    weights[[0, -1]] = 0.5
    truth = opis(2 * sens * spec / (sens + spec), weights / weights.sum())
    return counted(vectors, labels.tolist()), truth


def with_small_classes(small, large):
    """Classes of two or three rows, and classes of six."""
    rng = np.random.default_rng(5)
    sizes = [2 + i % 2 for i in range(small)] + [6] * large
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.standard_normal((len(sizes), 8))
    return counted(centres[labels] + 0.5 * rng.standard_normal((labels.size, 8)), labels.tolist())
