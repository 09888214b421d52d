"""What a report says of its input and of how it came about."""

import hashlib
import json
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from opiscal.data.embedding_set import ClassSizes, ColumnNames, EmbeddingSet, Precision
from opiscal.data.half_matrix import HalfMatrix
from opiscal.data.sides import Sides
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.threads import available_threads
from opiscal.report.findings import Data, Provenance
from opiscal.report.settings import EvaluateConfig
from opiscal.version import __version__


class Clock:
    """How long each stage took, in seconds."""

    def __init__(self, started: float | None) -> None:
        self.started = self.last = time.perf_counter() if started is None else started
        self.elapsed: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Say that a stage has ended."""
        now = time.perf_counter()
        self.elapsed[name] = round(now - self.last, 3)
        self.last = now


def data_found(embeddings: EmbeddingSet, rows: SortedRows, precision: Precision) -> Data:
    """What was read and what of it was used; `rows` are those that were sorted."""
    sizes = embeddings.class_sizes()
    sizes = sizes[sizes > 0]
    return Data(
        rows_read=embeddings.rows_read,
        rows_used=embeddings.rows,
        dropped=embeddings.dropped,
        distractors=embeddings.distractors,
        dimensions=embeddings.dimensions,
        classes=int(sizes.size),
        classes_scored=int(rows.classes.class_rows.size),
        classes_singleton=int(np.count_nonzero(sizes == 1)),
        class_size=ClassSizes(int(sizes.min()), float(np.median(sizes)), int(sizes.max())),
        precision=precision,
        sample=embeddings.sample,
    )


def identity_of(embeddings: EmbeddingSet) -> list[list[Any]]:
    """What was read: a hash and the rows of each file, or of the arrays."""
    if embeddings.inputs:
        return [[item.sha256, item.rows] for item in embeddings.inputs]
    vectors = embeddings.vectors
    digest = hashlib.sha256()
    for array in vectors.arrays() if isinstance(vectors, HalfMatrix) else [vectors]:
        digest.update(np.ascontiguousarray(array).data)
    digest.update(np.ascontiguousarray(embeddings.class_of_row).data)
    digest.update(json.dumps([embeddings.labels, embeddings.groups]).encode())
    if embeddings.group_of_row is not None:
        digest.update(np.ascontiguousarray(embeddings.group_of_row).data)
    return [[digest.hexdigest(), embeddings.rows]]


def evaluation_identity(
    embeddings: EmbeddingSet,
    inputs: list[list[Any]],
    config: EvaluateConfig,
    columns: ColumnNames | None = None,
    sides: Sides | None = None,
) -> dict[str, Any]:
    """What every number of an evaluation follows from; `inputs` is what `identity_of` gives."""
    identity: dict[str, Any] = {"inputs": inputs, "settings": config.to_dict()}
    if embeddings.sample is not None:
        # Where memory decided, the settings do not say how many rows.
        identity["sample_rows"] = embeddings.sample.rows
    if columns is not None:
        identity["columns"] = _column_names(columns)
    if sides is not None:
        identity["sides"] = sides.digest()
    return identity


def _column_names(columns: ColumnNames) -> dict[str, str | None]:
    names = {
        "embedding": columns.embedding,
        "label": columns.label,
        "id": columns.id,
        "group": columns.group,
    }
    return names if columns.split is None else names | {"split": columns.split}


def provenance_of(
    embeddings: EmbeddingSet,
    inputs: list[list[Any]],
    config: EvaluateConfig,
    columns: ColumnNames | None,
    command: str,
    clock: Clock,
    sides: Sides | None = None,
) -> Provenance:
    """Where numbers come from; `inputs` is what `identity_of` gives, and in the fingerprint."""
    identity = evaluation_identity(embeddings, inputs, config, columns, sides)
    text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
    return Provenance(
        opiscal_version=__version__,
        command=command,
        seed=config.seed,
        threads=config.threads or available_threads(),
        inputs=embeddings.inputs,
        columns={} if columns is None else _column_names(columns),
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        versions={"python": platform.python_version()} | _versions(),
        elapsed_s=clock.elapsed,
    )


def _versions() -> dict[str, str]:
    out = {}
    for name in ("numpy", "numba", "pyarrow", "faiss-cpu"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "unknown"
    return out
