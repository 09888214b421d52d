"""Make the two sample sets of this folder: ``python sample_data/make.py``.

Both start from what ships with scikit-learn, so nothing is downloaded. The embeddings are small
and honest: a principal component analysis fitted on rows that are not in the set.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_images
from sklearn.decomposition import PCA

Floats = NDArray[np.float64]

SEED = 20240607
HERE = Path(__file__).resolve().parent

DIGITS_FITTED = 897
DIGITS_DIMENSIONS = 16

PLACES_A_PHOTO = 75
CROPS_A_PLACE = 20
PLACES_DIMENSIONS = 24
CROP = 44.0
SAMPLES, PATCH = 48, 12
"""A crop is sampled at 48 x 48 points and averaged to a patch of 12 x 12 colours."""
MARGIN = 30
EVALUATED_WIDTH = 480
"""Places lie left of this column of a photograph; the embedding is fitted right of it."""
FITTED_PLACES, FITTED_CROPS = 100, 10

SCALE, SHIFT, CONTRAST, BRIGHTNESS, NOISE = 0.1, 0.06, 0.2, 0.05, 0.03
"""Jitter of a crop: up to 10 % in size, 6 % of a crop sideways, 20 % in contrast, 5 % of full
light in brightness, and pixel noise of 3 % of full light."""


def unit_rows(vectors: Floats) -> NDArray[np.float32]:
    """Rows scaled to unit length, float32."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def write(path: Path, vectors: NDArray[np.float32], columns: dict[str, list[str]]) -> None:
    """Write a set: the embedding, then the given columns of strings."""
    rows, width = vectors.shape
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    table = pa.table({"embedding": embedding, **columns})
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=[name for name in columns if name != "id"],
        column_encoding={"embedding.list.element": "BYTE_STREAM_SPLIT"},
    )
    print(f"{path.name}: {rows} rows x {width}, {path.stat().st_size} bytes")


def make_digits(path: Path) -> None:
    """Embed the second half of the digits by the principal components of the first half."""
    pixels, digits = load_digits(return_X_y=True)
    pca = PCA(DIGITS_DIMENSIONS, svd_solver="full").fit(pixels[:DIGITS_FITTED])
    vectors = unit_rows(pca.transform(pixels[DIGITS_FITTED:]))
    labels = [str(digit) for digit in digits[DIGITS_FITTED:]]
    ids = [f"digits/{row:04d}" for row in range(DIGITS_FITTED, len(pixels))]
    write(path, vectors, {"label": labels, "id": ids})


def jittered_crop(photo: Floats, y: float, x: float, generator: np.random.Generator) -> Floats:
    """Cut one crop around a place, moved, scaled, lit and noisy at random; shape (12, 12, 3)."""
    size = CROP * np.exp(generator.uniform(-SCALE, SCALE))
    y, x = np.array([y, x]) + generator.uniform(-SHIFT, SHIFT, 2) * CROP
    steps = size * ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5)
    points = np.meshgrid(y + steps, x + steps, indexing="ij")
    sampled = np.stack(
        [ndimage.map_coordinates(photo[..., c], points, order=1) for c in range(3)], axis=-1
    )
    block = SAMPLES // PATCH
    patch = sampled.reshape(PATCH, block, PATCH, block, 3).mean(axis=(1, 3))
    patch *= np.exp(generator.uniform(-CONTRAST, CONTRAST))
    patch += generator.uniform(-BRIGHTNESS, BRIGHTNESS)
    # Noise after saturation: no two crops of white sky are the same row.
    return np.clip(patch, 0.0, 1.0) + NOISE * generator.standard_normal(patch.shape)


def features(patches: list[Floats]) -> Floats:
    """Patches as rows, each less its mean, which is mostly the light."""
    rows = np.array(patches).reshape(len(patches), -1)
    return rows - rows.mean(axis=1, keepdims=True)


def photographs() -> Iterator[tuple[str, Floats]]:
    """Name and pixels, 0 to 1, of the two photographs."""
    bunch = load_sample_images()
    for filename, pixels in zip(bunch.filenames, bunch.images, strict=True):
        yield Path(filename).stem, np.asarray(pixels, dtype=np.float64) / 255


def make_places(path: Path) -> None:
    """Embed jittered crops of 150 places by the principal components of crops of others."""
    generator = np.random.default_rng(SEED)
    fitted: list[Floats] = []
    crops: list[Floats] = []
    columns: dict[str, list[str]] = {"label": [], "id": [], "group": []}
    for name, photo in photographs():
        height, width, _ = photo.shape
        for _ in range(FITTED_PLACES):
            y = generator.uniform(MARGIN, height - MARGIN)
            x = generator.uniform(EVALUATED_WIDTH + MARGIN, width - MARGIN)
            fitted += [jittered_crop(photo, y, x, generator) for _ in range(FITTED_CROPS)]
        ys = np.linspace(MARGIN, height - MARGIN, 8)
        xs = np.linspace(MARGIN, EVALUATED_WIDTH - MARGIN, 10)
        cells = [(y, x) for y in ys for x in xs]
        for cell in np.sort(generator.choice(len(cells), PLACES_A_PHOTO, replace=False)):
            place = f"{name}/{cell:02d}"
            for number in range(CROPS_A_PLACE):
                crops.append(jittered_crop(photo, *cells[cell], generator))
                columns["label"].append(place)
                columns["id"].append(f"{place}/{number:02d}")
                columns["group"].append(name)
    pca = PCA(PLACES_DIMENSIONS, svd_solver="full").fit(features(fitted))
    write(path, unit_rows(pca.transform(features(crops))), columns)


if __name__ == "__main__":
    make_digits(HERE / "digits.parquet")
    make_places(HERE / "places.parquet")
