"""The truth file beside a simulated set: each class's true curves and the population's figures."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opiscal.data.population import EPSILON, RANGE_FAR, Population, TrueFigures
from opiscal.errors import InputError

Floats = NDArray[np.float64]

SCHEMA_VERSION = 1
METADATA_KEY = b"opiscal.truth"

# Sensitivity differs by class, is good to 1e-5 and fills the file: float32. Specificity is one
# repeated curve, whose 1e-8 from 1 must survive: float64, which a dictionary makes small.
_SCHEMA = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("concentration", pa.float64(), nullable=False),
        pa.field("sensitivity", pa.list_(pa.float32()), nullable=False),
        pa.field("specificity", pa.list_(pa.float64()), nullable=False),
    ]
)
_CLASSES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a simulated set, as read from its truth file.

    Attributes
    ----------
    settings : mapping
        The settings of the simulation: rows, dimensions, classes, spread, seed.
    base_concentration : float
        Median concentration of the population.
    thresholds : float64 array of shape (thresholds,)
        Unit L2 distances, rising from 0 to 2.
    far : float64 array of shape (thresholds,)
        True FAR, the same for every class of the population; 1 minus the specificity.
    range_far, range_distance : (float, float)
        The default calibration range, by FAR and by distance.
    epsilon : float
        Share of worst classes in the epsilon-OPIS.
    population : TrueFigures
        The figures of the endless population that the classes were drawn from.
    drawn : TrueFigures
        The figures of the drawn classes with their true curves.
    labels : tuple of str, length classes
    rows : int64 array of shape (classes,)
    concentration : float64 array of shape (classes,)
    sensitivity : float32 array of shape (classes, thresholds)
    """

    settings: Mapping[str, float]
    base_concentration: float
    thresholds: Floats
    far: Floats
    range_far: tuple[float, float]
    range_distance: tuple[float, float]
    epsilon: float
    population: TrueFigures
    drawn: TrueFigures
    labels: tuple[str, ...]
    rows: NDArray[np.int64]
    concentration: Floats
    sensitivity: NDArray[np.float32]


def write_truth(
    path: Path,
    *,
    settings: Mapping[str, float],
    population: Population,
    labels: pa.Array,
    rows: NDArray[np.int64],
    concentrations: Floats,
) -> tuple[TrueFigures, TrueFigures]:
    """Write a truth file, a row a class, the figures in the schema metadata.

    Parameters
    ----------
    path : Path
        Written in place; the caller renames it.
    settings : mapping
        Stored as they are.
    population : Population
    labels : pyarrow string array, length classes
    rows : int64 array of shape (classes,)
    concentrations : float64 array of shape (classes,)

    Returns
    -------
    (TrueFigures, TrueFigures)
        Of the population, and of the drawn classes.

    Raises
    ------
    OSError
        Where the file cannot be written.
    """
    figures = population.figures(), population.figures_of(concentrations, rows)
    document = {
        "schema_version": SCHEMA_VERSION,
        "settings": dict(settings),
        "base_concentration": population.base_concentration,
        "range": {"far": list(RANGE_FAR), "distance": list(population.range_distance)},
        "epsilon": EPSILON,
        "population": _figures_to_json(figures[0]),
        "drawn": _figures_to_json(figures[1]),
        "thresholds": population.thresholds.tolist(),
        "far": population.far.tolist(),
    }
    metadata = {METADATA_KEY: json.dumps(document, allow_nan=False).encode()}
    with pq.ParquetWriter(
        path,
        _SCHEMA.with_metadata(metadata),
        compression="zstd",
        use_dictionary=["specificity.list.element"],
        column_encoding={"sensitivity.list.element": "BYTE_STREAM_SPLIT"},
        write_statistics=False,
    ) as writer:
        for batch in _batches(population, labels, rows, concentrations):
            writer.write_batch(batch)
    return figures


def read_truth(path: Path) -> Truth:
    """Read a truth file.

    Parameters
    ----------
    path : Path
        ``OUT.truth.parquet``, written by `opiscal.data.simulate.simulate`.

    Returns
    -------
    Truth

    Raises
    ------
    InputError
        No such file, not a Parquet file, or a Parquet file without a truth in it.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"cannot read the truth file {path}: {reason}") from error
    metadata = table.schema.metadata or {}
    if METADATA_KEY not in metadata:
        raise InputError(
            f"{path} is not a truth file: opiscal simulate OUT.parquet writes OUT.truth.parquet"
        )
    document: dict[str, Any] = json.loads(metadata[METADATA_KEY])
    if document["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"{path} has truth schema {document['schema_version']}, this version reads "
            f"{SCHEMA_VERSION}: simulate it again"
        )
    thresholds = np.array(document["thresholds"], dtype=np.float64)
    sensitivity = pa.concat_arrays(table["sensitivity"].chunks).flatten().to_numpy()
    low_far, high_far = document["range"]["far"]
    low, high = document["range"]["distance"]
    return Truth(
        settings=document["settings"],
        base_concentration=document["base_concentration"],
        thresholds=thresholds,
        far=np.array(document["far"], dtype=np.float64),
        range_far=(low_far, high_far),
        range_distance=(low, high),
        epsilon=document["epsilon"],
        population=_figures_from_json(document["population"]),
        drawn=_figures_from_json(document["drawn"]),
        labels=tuple(table["label"].to_pylist()),
        rows=table["rows"].to_numpy(),
        concentration=table["concentration"].to_numpy(),
        sensitivity=sensitivity.reshape(-1, thresholds.size),
    )


def _batches(
    population: Population, labels: pa.Array, rows: NDArray[np.int64], concentrations: Floats
) -> Iterator[pa.RecordBatch]:
    width = population.thresholds.size
    for start in range(0, rows.size, _CLASSES_AT_ONCE):
        block = slice(start, start + _CLASSES_AT_ONCE)
        sensitivity = population.sensitivity(concentrations[block]).astype(np.float32)
        offsets = pa.array(np.arange(len(sensitivity) + 1, dtype=np.int32) * width)
        specificity = np.tile(1 - population.far, len(sensitivity))
        columns = [
            labels[block],
            pa.array(rows[block]),
            pa.array(concentrations[block]),
            pa.ListArray.from_arrays(offsets, pa.array(sensitivity.ravel())),
            pa.ListArray.from_arrays(offsets, pa.array(specificity)),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _figures_to_json(figures: TrueFigures) -> dict[str, Any]:
    return {
        "opis": figures.opis,
        "epsilon_opis": figures.epsilon_opis,
        "mean_utility": figures.mean_utility,
        "how": figures.how,
        "frr": figures.frr.tolist(),
    }


def _figures_from_json(document: dict[str, Any]) -> TrueFigures:
    return TrueFigures(
        opis=document["opis"],
        epsilon_opis=document["epsilon_opis"],
        mean_utility=document["mean_utility"],
        frr=np.array(document["frr"], dtype=np.float64),
        how=document["how"],
    )
