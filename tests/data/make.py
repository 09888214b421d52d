"""Make the small real set of this folder, and the brute-force values of the sets in the repository.

    python tests/data/make.py                  writes digits400.parquet and reference.json
    python tests/data/make.py SET.parquet ...  prints the values of other sets

Plain numpy in double precision, every pair, straight from the definitions; it imports nothing of
opiscal, so that the values are worth comparing with. Distance: L2 between unit vectors; a pair is
accepted when its distance is at most the threshold.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20240607
ROWS = 400
HERE = Path(__file__).resolve().parent
SETS = {
    "digits400": "tests/data/digits400.parquet",
    "sample_digits": "sample_data/digits.parquet",
    "sample_places": "sample_data/places.parquet",
}
FAR_TARGETS = ("0.1", "0.01", "0.001", "0.0001")
RANGES = {"1e-2..1e-1": (0.01, 0.1), "1e-3..1e-2": (0.001, 0.01)}
GRID = 101
BLOCK = 512


def write_digits400(path):
    """A random 400 of the sample digits, as they are there."""
    table = pq.read_table(HERE.parents[1] / SETS["sample_digits"])
    chosen = np.sort(np.random.default_rng(SEED).choice(table.num_rows, ROWS, replace=False))
    pq.write_table(
        table.take(pa.array(chosen)),
        path,
        compression="zstd",
        use_dictionary=["label"],
        column_encoding={"embedding.list.element": "BYTE_STREAM_SPLIT"},
    )


def read(path):
    """Unit vectors in double precision, class numbers, sorted class names."""
    table = pq.read_table(path, columns=["embedding", "label"])
    width = table.schema.field("embedding").type.list_size
    flat = pa.concat_arrays(table["embedding"].chunks).flatten().to_numpy()
    vectors = flat.reshape(-1, width).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names, classes = np.unique(np.array(table["label"].to_pylist()), return_inverse=True)
    return vectors, classes, [str(name) for name in names]


def distances(vectors, rows):
    """Distances of some rows to all rows."""
    return np.sqrt(np.maximum(2 - 2 * (vectors[rows] @ vectors.T), 0))


def all_pairs(vectors, classes):
    """Sorted distances of all positive and of all negative unordered pairs, and Recall@1."""
    n = len(vectors)
    positive, negative, hits = [], [], 0
    has_partner = np.bincount(classes)[classes] > 1
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        d = distances(vectors, rows)
        same = classes[rows][:, None] == classes
        later = np.arange(n) > rows[:, None]
        positive.append(d[same & later])
        negative.append(d[~same & later])
        d[np.arange(len(rows)), rows] = np.inf
        hits += int((classes[d.argmin(axis=1)] == classes[rows])[has_partner[rows]].sum())
    return (
        np.sort(np.concatenate(positive)),
        np.sort(np.concatenate(negative)),
        hits / int(has_partner.sum()),
    )


def rates(positive, negative, thresholds):
    """FAR and FRR at thresholds."""
    far = np.searchsorted(negative, thresholds, side="right") / len(negative)
    frr = 1 - np.searchsorted(positive, thresholds, side="right") / len(positive)
    return far, frr


def class_curves(vectors, classes, thresholds):
    """Sensitivity and specificity of every class with a positive pair, at thresholds."""
    n = len(vectors)
    sizes = np.bincount(classes)
    scored = np.flatnonzero(sizes > 1)
    sensitivity = np.empty((len(scored), len(thresholds)))
    specificity = np.empty_like(sensitivity)
    for at, label in enumerate(scored):
        rows = np.flatnonzero(classes == label)
        d = distances(vectors, rows)
        inner = np.sort(d[:, rows][np.triu_indices(len(rows), 1)])
        outer = np.sort(d[:, classes != label].ravel())
        sensitivity[at] = np.searchsorted(inner, thresholds, side="right") / len(inner)
        specificity[at] = 1 - np.searchsorted(outer, thresholds, side="right") / (
            len(rows) * (n - len(rows))
        )
    return scored, sensitivity, specificity


def trapezoid(values):
    """Mean of a curve over even steps, by the trapezoid rule."""
    return float((values[:-1] + values[1:]).sum() / 2 / (len(values) - 1))


def consistency(vectors, classes, names, positive, negative, far_lo, far_hi):
    """OPIS and what belongs to it over the range of two FARs."""
    d_min, d_max = (largest_at_far(positive, negative, x) for x in (far_lo, far_hi))
    grid = np.linspace(d_min, d_max, GRID)
    scored, sens, spec = class_curves(vectors, classes, grid)
    total = sens + spec
    utility = np.divide(2 * sens * spec, total, out=np.zeros_like(total), where=total > 0)
    variance = ((utility - utility.mean(axis=0)) ** 2).mean(axis=0)
    class_mean = utility.mean(axis=1)
    ranked = np.lexsort((scored, class_mean))
    out = {}
    for rounding, worst in (
        ("ceil", max(1, int(np.ceil(0.1 * len(scored) - 1e-9)))),
        ("floor", max(1, int(0.1 * len(scored)))),
    ):
        worst_mean = utility[ranked[:worst]].mean(axis=0)
        gap = (worst_mean - utility[ranked[worst:]].mean(axis=0)) ** 2
        out[f"opis10_mean_{rounding}"] = float(gap.mean())
        out[f"opis10_trapz_{rounding}"] = trapezoid(gap)
        out[f"worst_n_{rounding}"] = worst
    far, frr = rates(positive, negative, np.array([d_min, d_max]))
    example = grid[[0, (GRID - 1) // 2, GRID - 1]]
    _, example_sens, example_spec = class_curves(vectors, classes, example)
    return {
        "d_min": d_min,
        "d_max": d_max,
        "far_at_d_min": far[0],
        "far_at_d_max": far[1],
        "frr_at_d_min": frr[0],
        "frr_at_d_max": frr[1],
        "opis_mean": float(variance.mean()),
        "opis_trapz": trapezoid(variance),
        **out,
        "mean_utility": float(utility.mean()),
        "mean_utility_worst10": float(class_mean[ranked[: out["worst_n_ceil"]]].mean()),
        "mean_sensitivity": float(sens.mean()),
        "mean_specificity": float(spec.mean()),
        "worst_classes": [[names[scored[i]], float(class_mean[i])] for i in ranked[:5]],
        "best_classes": [[names[scored[i]], float(class_mean[i])] for i in ranked[-3:]],
        "sample_curve": {
            names[scored[0]]: {
                "d": example.tolist(),
                "sens": example_sens[0].tolist(),
                "spec": example_spec[0].tolist(),
                "U": utility[0, [0, (GRID - 1) // 2, GRID - 1]].tolist(),
            }
        },
    }


def largest_at_far(positive, negative, target):
    """The largest observed negative distance with FAR at most the target."""
    far, _ = rates(positive, negative, negative)
    return float(negative[np.searchsorted(far, target, side="right") - 1])


def reference(path):
    """All values of one set, with the field names of reference.json."""
    vectors, classes, names = read(path)
    positive, negative, recall = all_pairs(vectors, classes)
    every = np.sort(np.concatenate([positive, negative]))
    far, frr = rates(positive, negative, every)
    closest = int(np.abs(far - frr).argmin())
    points = {}
    for target in FAR_TARGETS:
        if float(target) * len(negative) >= 1:
            at = largest_at_far(positive, negative, float(target))
            point_far, point_frr = rates(positive, negative, np.array([at]))
            points[target] = {"distance": at, "far": point_far[0], "frr": point_frr[0]}
    sizes = np.bincount(classes)
    return {
        "n": len(vectors),
        "dim": vectors.shape[1],
        "classes": len(names),
        "min_class": int(sizes.min()),
        "max_class": int(sizes.max()),
        "positives": len(positive),
        "negatives": len(negative),
        "recall_at_1": recall,
        "eer": float((far[closest] + frr[closest]) / 2),
        "eer_distance": float(every[closest]),
        "mean_pos_distance": float(positive.mean()),
        "mean_neg_distance": float(negative.mean()),
        "global_points": points,
        "classes_with_positives": int((sizes > 1).sum()),
        "opis": {
            name: consistency(vectors, classes, names, positive, negative, *ends)
            for name, ends in RANGES.items()
        },
        "label_column": "label",
    }


def main(paths):
    """Write this folder's files, or print the values of the sets named."""
    if paths:
        print(json.dumps({path: reference(path) for path in paths}, indent=1))
        return
    write_digits400(HERE / "digits400.parquet")
    root = HERE.parents[1]
    values = {name: {**reference(root / file), "file": file} for name, file in SETS.items()}
    (HERE / "reference.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
