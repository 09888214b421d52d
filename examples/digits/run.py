"""Does the TCM loss make a model's classes alike? ``python examples/digits/run.py``.

A small network is trained on handwritten digits with ArcFace and with ArcFace and the TCM loss,
from the same start and with the same batches, for several seeds. ``opiscal compare`` judges every
pair of models on rows that none of them was trained on. Whatever it finds is what is printed.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from picture import Circle, draw
from training import TRAINED, Digits, Setting, Trained, train

from opiscal.cli.app import run as opiscal_command

HERE = Path(__file__).resolve().parent
LOSSES = {"arcface": False, "arcface-tcm": True}
FLAT = 2
"""Dimensions of the embeddings that the picture shows."""
FIGURES = {"OPIS": "opis", "10%-OPIS": "epsilon_opis", "Recall@1": "recall_at_1"}


@dataclass(frozen=True)
class Found:
    """What one model does on the rows to evaluate."""

    dimensions: int
    seed: int
    loss: str
    opis: float
    opis_without_noise: float | None
    epsilon_opis: float
    recall_at_1: float
    eer: float
    threshold: float
    far: float
    frr: float


def write(file: Path, embeddings: NDArray[np.float32], digits: Sequence[int]) -> Path:
    """Write a set as the sample data are: embedding, label and id."""
    width = embeddings.shape[1]
    column = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), width)
    ids = [f"digits/{row:04d}" for row in range(TRAINED, TRAINED + len(digits))]
    labels = [str(digit) for digit in digits]
    pq.write_table(
        pa.table({"embedding": column, "label": labels, "id": ids}),
        file,
        compression="zstd",
        use_dictionary=["label"],
        column_encoding={"embedding.list.element": "BYTE_STREAM_SPLIT"},
    )
    return file


def opiscal(*arguments: object) -> str:
    """What a command prints on stdout."""
    said = io.StringIO()
    with redirect_stdout(said):
        code = opiscal_command([str(argument) for argument in arguments])
    if code:
        sys.exit(f"opiscal {arguments[0]} ended with code {code}")
    return said.getvalue()


def figures(document: dict, dimensions: int, seed: int) -> Iterator[Found]:
    """The numbers of both models in what ``opiscal compare --json`` prints."""
    for model in document["models"]:
        point = model["recommended_threshold"]
        yield Found(
            dimensions=dimensions,
            seed=seed,
            loss=model["name"],
            opis=model["opis"]["value"],
            opis_without_noise=model["opis"]["corrected"],
            epsilon_opis=model["epsilon_opis"]["value"],
            recall_at_1=model["retrieval"]["recall_at"]["1"],
            eer=sum(model["verification"]["eer"]) / 2,
            threshold=point["similarity"],
            far=point["far"],
            frr=point["frr"],
        )


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    return f"{mean(values):.5f} ± {stdev(values) if len(values) > 1 else 0.0:.5f}"


def table(found: Sequence[Found]) -> list[str]:
    """Mean and spread over seeds of each figure, of the paired differences, and their signs."""
    lines = [
        "| dimensions | figure | ArcFace | with TCM | difference, paired | seeds: better, worse |",
        "|---|---|---|---|---|---|",
    ]
    for dimensions in sorted({one.dimensions for one in found}):
        for name, field in FIGURES.items():
            without, with_tcm = (
                [getattr(f, field) for f in found if (f.dimensions, f.loss) == (dimensions, loss)]
                for loss in LOSSES
            )
            change = [b - a for a, b in zip(without, with_tcm, strict=True)]
            better = [c if field == "recall_at_1" else -c for c in change]
            signs = f"{sum(b > 0 for b in better)}, {sum(b < 0 for b in better)}"
            lines.append(
                f"| {dimensions} | {name} | {spread(without)} | {spread(with_tcm)} "
                f"| {spread(change)} | {signs} |"
            )
    return lines


def title(one: Found) -> str:
    """Of a panel of the picture."""
    name = "ArcFace with TCM" if LOSSES[one.loss] else "ArcFace"
    return f"{name}: OPIS {one.opis:.4f}, Recall@1 {100 * one.recall_at_1:.1f} %"


def experiment(asked: argparse.Namespace) -> list[Found]:
    """Train and compare all pairs of models, and write what there is to keep."""
    _, evaluated = Digits.parts()
    digits = evaluated.digits.numpy()
    out: Path = asked.out
    for folder in ("embeddings", "compare"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    found: list[Found] = []
    for dimensions in (FLAT, asked.dimensions):
        setting = Setting(dimensions, epochs=asked.epochs)
        for seed in range(asked.seeds):
            started = time.perf_counter()
            trained: dict[str, Trained] = {}
            files = []
            for name, with_tcm in LOSSES.items():
                trained[name] = train(setting, seed, with_tcm=with_tcm)
                file = out / "embeddings" / f"{dimensions}d-seed{seed}-{name}.parquet"
                files.append(write(file, trained[name].embeddings, digits.tolist()))
            command = ["compare", *files, "--names", ",".join(LOSSES), "--quiet"]
            pair = out / "compare" / f"{dimensions}d-seed{seed}"
            text = opiscal(*command, "--json")
            pair.with_suffix(".json").write_text(text, encoding="utf-8")
            if seed == 0:
                pair.with_suffix(".txt").write_text(opiscal(*command), encoding="utf-8")
            both = list(figures(json.loads(text), dimensions, seed))
            found += both
            if (dimensions, seed) == (FLAT, 0):
                circles = [Circle(title(one), trained[one.loss]) for one in both]
                draw(circles, digits, out / "circles.png")
            took = time.perf_counter() - started
            print(
                f"{dimensions} dimensions, seed {seed}: OPIS {both[0].opis:.5f} and with TCM "
                f"{both[1].opis:.5f} ({took:.0f} s)",
                file=sys.stderr,
            )
    return found


def main() -> None:
    """Run the experiment, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--dimensions", type=int, default=16, help="Beside those of the picture, 2")
    parser.add_argument("--epochs", type=int, default=Setting.epochs)
    parser.add_argument(
        "--threads", type=int, default=1, help="More hardly help so small a network"
    )
    parser.add_argument("-o", "--out", type=Path, default=HERE / "out")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    found = experiment(asked)
    lines = table(found)
    (asked.out / "results.json").write_text(
        json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8"
    )
    (asked.out / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
