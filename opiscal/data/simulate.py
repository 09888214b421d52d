"""Synthetic open-world sets of any size, streamed to disk, whose true curves are known."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from opiscal.data.population import TrueFigures, open_world
from opiscal.data.truth import write_truth
from opiscal.data.von_mises_fisher import draw
from opiscal.errors import InputError, UsageError

SIZE_SPREAD = 0.6
"""Standard deviation of the log of a class's expected size."""

MAX_SPREAD = 5.0
"""Above it concentrations span more than ten decades, and float32 rows of a class coincide."""

# Coordinates in memory at a time: a row group is at most this large.
_COORDINATES_AT_ONCE = 1 << 22
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """Settings of a simulated set.

    Attributes
    ----------
    rows : int
        At least two a class.
    dimensions : int
        `D`, 2 to 65,536.
    classes : int
        At least 2.
    spread : float
        Standard deviation of the log concentration of a class, 0 to 5. At 0 all classes are
        alike and the population's OPIS is exactly 0.
    seed : int
        Not negative. The same seed gives the same bytes with the same library versions.

    Raises
    ------
    UsageError
        A setting is outside what is allowed.

    Examples
    --------
    >>> SimulationConfig(rows=10, classes=1)
    Traceback (most recent call last):
        ...
    opiscal.errors.UsageError: classes is 1, allowed is 2 or more: set --classes
    """

    rows: int = 20_000
    dimensions: int = 64
    classes: int = 500
    spread: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        if self.classes < 2:
            raise UsageError(f"classes is {self.classes}, allowed is 2 or more: set --classes")
        if self.rows < 2 * self.classes:
            raise UsageError(
                f"rows is {self.rows}, {self.classes} classes need at least {2 * self.classes}: "
                "raise --rows or lower --classes"
            )
        if not 2 <= self.dimensions <= 65_536:
            raise UsageError(
                f"dimensions is {self.dimensions}, allowed is 2 to 65536: set --dimensions"
            )
        if not (math.isfinite(self.spread) and 0 <= self.spread <= MAX_SPREAD):
            raise UsageError(
                f"spread is {self.spread}, allowed is 0 to {MAX_SPREAD:g}: set --spread"
            )
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}, allowed is 0 or more: set --seed")


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What was written.

    Attributes
    ----------
    path, truth_path : Path
        The set, and the file of its true curves.
    config : SimulationConfig
    smallest_class, largest_class : int
        Rows of the smallest and the largest class.
    population, drawn : TrueFigures
        True figures of the population, and of the drawn classes.
    """

    path: Path
    truth_path: Path
    config: SimulationConfig
    smallest_class: int
    largest_class: int
    population: TrueFigures
    drawn: TrueFigures


def truth_path_of(out: Path) -> Path:
    """Name of the truth file of a set.

    Examples
    --------
    >>> truth_path_of(Path("sets/a.parquet")).as_posix()
    'sets/a.truth.parquet'
    """
    return out.with_name(out.name.removesuffix(".parquet") + ".truth.parquet")


def simulate(
    config: SimulationConfig, out: Path, progress: Callable[[int], None] | None = None
) -> SimulationResult:
    """Draw an open-world set and write it, with the file of its true curves beside it.

    Classes are von Mises-Fisher laws with uniform centres, a log concentration that is normal
    with standard deviation `spread`, and log-normal expected sizes of at least two rows; see
    `opiscal.data.population` for the law and for what "true" means. Rows come in random class
    order, in columns ``embedding`` (fixed_size_list<float32>, unit length), ``label`` (string)
    and ``id`` (int64, counting from 0).

    Memory holds one batch of rows (16 MB), 4 bytes a row for the order of the classes, and one
    centre a class. Both files are written beside their place and renamed at the end.

    Parameters
    ----------
    config : SimulationConfig
    out : Path
        The Parquet file to write; an older one is replaced.
    progress : callable, optional
        Called after each batch with the number of rows it held.

    Returns
    -------
    SimulationResult

    Raises
    ------
    InputError
        The files cannot be written. Older files of that name are as they were.
    """
    out = Path(out)
    truth_path = truth_path_of(out)
    # One stream a purpose, so that more rows do not move the classes.
    seeds = np.random.SeedSequence(config.seed).spawn(5)
    of_law, of_sizes, of_centres, of_order, of_rows = (np.random.default_rng(s) for s in seeds)

    with _renamed_when_whole(out, truth_path) as (rows_file, truth_file):
        population = open_world(config.dimensions, config.spread)
        concentrations = population.draw_concentrations(config.classes, of_law)
        sizes = _class_sizes(config, of_sizes)
        labels = _labels(config.classes)
        centres = _uniform_directions(config, of_centres)
        _write_rows(rows_file, labels, centres, concentrations, sizes, of_order, of_rows, progress)
        true_figures, drawn_figures = write_truth(
            truth_file,
            settings=asdict(config),
            population=population,
            labels=labels,
            rows=sizes,
            concentrations=concentrations,
        )
    return SimulationResult(
        path=out,
        truth_path=truth_path,
        config=config,
        smallest_class=int(sizes.min()),
        largest_class=int(sizes.max()),
        population=true_figures,
        drawn=drawn_figures,
    )


def _class_sizes(config: SimulationConfig, generator: np.random.Generator) -> NDArray[np.int64]:
    """Two rows a class, and the rest by lot with log-normal chances."""
    chances = np.exp(SIZE_SPREAD * generator.standard_normal(config.classes))
    spare = config.rows - 2 * config.classes
    return 2 + generator.multinomial(spare, chances / chances.sum()).astype(np.int64)


def _labels(classes: int) -> pa.Array:
    # Equal widths, so that the order of the labels is the order of the classes.
    width = len(str(classes - 1))
    return pa.array([f"class-{i:0{width}d}" for i in range(classes)], type=pa.string())


def _uniform_directions(
    config: SimulationConfig, generator: np.random.Generator
) -> NDArray[np.float32]:
    directions = generator.standard_normal((config.classes, config.dimensions), dtype=np.float32)
    directions /= np.sqrt(np.einsum("ij,ij->i", directions, directions))[:, None]
    return directions


def _write_rows(
    path: Path,
    labels: pa.Array,
    centres: NDArray[np.float32],
    concentrations: NDArray[np.float64],
    sizes: NDArray[np.int64],
    of_order: np.random.Generator,
    of_rows: np.random.Generator,
    progress: Callable[[int], None] | None,
) -> None:
    dimensions = centres.shape[1]
    schema = pa.schema(
        [
            pa.field("embedding", pa.list_(pa.float32(), dimensions), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("id", pa.int64(), nullable=False),
        ]
    )
    class_of_row = np.repeat(np.arange(sizes.size, dtype=np.int32), sizes)
    of_order.shuffle(class_of_row)
    step = min(_ROWS_AT_ONCE, max(1, _COORDINATES_AT_ONCE // dimensions))
    with pq.ParquetWriter(
        path,
        schema,
        # Random coordinates do not compress.
        compression={"embedding.list.element": "none", "label": "zstd", "id": "zstd"},
        use_dictionary=["label"],
        write_statistics=False,
    ) as writer:
        for start in range(0, class_of_row.size, step):
            classes = class_of_row[start : start + step]
            rows = draw(centres[classes], concentrations[classes], of_rows)
            columns = [
                pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), dimensions),
                labels.take(pa.array(classes)),
                pa.array(np.arange(start, start + classes.size, dtype=np.int64)),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            if progress is not None:
                progress(classes.size)


@contextmanager
def _renamed_when_whole(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Hand out temporary names beside the targets; rename at the end, or leave nothing."""
    partial = tuple(t.with_name(f".{t.name}.{os.getpid()}.partial") for t in targets)
    try:
        for target in targets:
            _check_place(target)
        yield partial
        for temporary, target in zip(partial, targets, strict=True):
            temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise InputError(
            f"cannot write {targets[0]}: {reason}; free the disk or choose another place"
        ) from error
    finally:
        for temporary in partial:
            # A file system that cannot be written cannot be cleaned, and need not be.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _check_place(target: Path) -> None:
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder, give the name of a file")
    # By stat, which says where a name is too long; a pipe or a device would be replaced.
    if target.exists() and not target.is_file():
        raise InputError(f"cannot write {target}: it is no plain file, give the name of one")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {target}: no folder {target.parent}, make it first")
