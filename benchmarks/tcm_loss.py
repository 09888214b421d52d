"""The TCM loss against a plain pairwise hinge of the same batch: time and memory of a step.

A step is the loss and its gradient for the rows. The hinge is what one writes first: the matrix of
all similarities, two masks, two means. Both take turns, in one process for each size of batch, and
the medians are compared. Memory is what the process grows by in its largest step, of each in a
process of its own, beside the rows (Linux).

Usage: python benchmarks/tcm_loss.py [--rows N ...] [--dimensions D ...] [--threads N]
                                     [--steps N] [--clock wall|processor]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch
from torch.nn.functional import normalize, relu

from opiscal.losses import ThresholdConsistentMarginLoss

TARGET = 1.3
ROWS_OF_CLASS = 4


def hinge(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    unit = normalize(rows)
    similarity = unit @ unit.T
    same = labels[:, None] == labels
    positive = same.clone().fill_diagonal_(False)
    of_positive = (relu(0.9 - similarity) * positive).sum() / positive.sum()
    return of_positive + (relu(similarity - 0.5) * ~same).sum() / (~same).sum()


LOSSES = {"hinge": hinge, "tcm": ThresholdConsistentMarginLoss()}


def batch(number: int, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(number) // ROWS_OF_CLASS
    centres = torch.randn(number, dimensions, generator=generator)
    rows = centres[labels] + 0.6 * torch.randn(number, dimensions, generator=generator)
    return rows.requires_grad_(), labels


def seconds(number: int, dimensions: int, steps: int, clock: str) -> dict[str, float]:
    read = time.process_time if clock == "processor" else time.perf_counter
    rows, labels = batch(number, dimensions)
    took: dict[str, list[float]] = {name: [] for name in LOSSES}
    for step in range(steps + 2):
        for name, loss in LOSSES.items():
            started = read()
            torch.autograd.grad(loss(rows, labels), rows)
            if step >= 2:
                took[name].append(read() - started)
    return {name: median(values) for name, values in took.items()}


def most_memory() -> float:
    """Megabytes that this process had at most. Not by `getrusage`: that is of its parent too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def grown(name: str, number: int, dimensions: int) -> float:
    """Megabytes by which this process grows in a step; small steps go before it."""
    torch.autograd.grad(LOSSES[name](*(few := batch(64, dimensions))), few[0])
    rows, labels = batch(number, dimensions)
    before = most_memory()
    torch.autograd.grad(LOSSES[name](rows, labels), rows)
    return most_memory() - before


def in_a_process(*arguments: object) -> float:
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    return float(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[128, 256, 512, 1024, 2048, 4096])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall")
    parser.add_argument("--grown", choices=list(LOSSES), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.grown:
        print(json.dumps(grown(asked.grown, asked.rows[0], asked.dimensions[0])))
        return
    if asked.threads:
        torch.set_num_threads(asked.threads)
    print(f"{torch.get_num_threads()} threads, {asked.clock} clock, target {TARGET}")
    print("| rows | D | hinge, ms | TCM, ms | TCM / hinge | hinge, MB | TCM, MB |")
    print("|---|---|---|---|---|---|---|")
    for number in asked.rows:
        for dimensions in asked.dimensions:
            steps = asked.steps or max(9, min(301, 20_000_000 // number**2))
            took = seconds(number, dimensions, steps, asked.clock)
            memory = {
                name: in_a_process("--grown", name, "--rows", number, "--dimensions", dimensions)
                for name in LOSSES
            }
            print(
                f"| {number:,} | {dimensions} | {1e3 * took['hinge']:.2f} | "
                f"{1e3 * took['tcm']:.2f} | {took['tcm'] / took['hinge']:.2f} | "
                f"{memory['hinge']:.0f} | {memory['tcm']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
