"""OPIS and the recommended threshold of a validation set, while a model trains."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from opiscal.errors import InconclusiveError, UsageError
from opiscal.evaluation import evaluate
from opiscal.report.record import Report
from opiscal.report.settings import EvaluateConfig

Labels: TypeAlias = "Tensor | Sequence[Any]"
Validation: TypeAlias = "Callable[[], tuple[Tensor, Labels]] | tuple[Tensor, Labels]"


class ConsistencyMonitor:
    """OPIS and the recommended threshold of a validation set, every so many steps.

    Every pair of the set is counted, without gradients, and with the model in evaluation mode;
    afterwards each of its modules is in the mode it was in before. The numbers are plain floats in
    a dict, as any logger takes them:

    ============================  ===========================================================
    ``opis``, ``opis_corrected``  OPIS, and without the noise of its classes
    ``epsilon_opis``              the worst tenth of the classes against the others
    ``mean_utility``              over classes and calibration range
    ``threshold_similarity``      the recommended threshold
    ``threshold_distance``        the same as a distance
    ``far``, ``frr``              there
    ``eer``                       equal error rate
    ``seconds``                   that all of it took, embedding included
    ============================  ===========================================================

    What cannot be told is left out: a similarity under ``l2``, or ``opis_corrected`` of classes of
    fewer than four rows.

    Parameters
    ----------
    validation : callable, or tuple of two
        A function without arguments that gives embeddings (Tensor of shape (N, D)) and labels of
        length N; or the inputs of `model` and their labels.
    model : torch.nn.Module, optional
        What embeds inputs; with a function, what is in evaluation mode while that is called.
    every : int
        Steps from one measurement to the next; the first is at step 0.
    batch_rows : int
        Inputs that are embedded at a time.
    config : EvaluateConfig, optional
        Of the evaluation; Recall@k is never worked out.
    prefix : str
        In front of each name, such as ``"val/"``.

    Raises
    ------
    UsageError
        For a value that is not allowed, or inputs without a model.

    Examples
    --------
    >>> import torch
    >>> labels = torch.arange(200) % 20
    >>> inputs = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    >>> inputs[:, :4] += 3 * torch.randn(20, 4)[labels]
    >>> monitor = ConsistencyMonitor((inputs, labels), model=torch.nn.Linear(8, 4), every=100)
    >>> sorted(monitor(0))[:3], monitor(1)
    (['eer', 'epsilon_opis', 'far'], {})
    """

    def __init__(
        self,
        validation: Validation,
        *,
        model: torch.nn.Module | None = None,
        every: int = 1000,
        batch_rows: int = 1024,
        config: EvaluateConfig | None = None,
        prefix: str = "",
    ) -> None:
        for name, value in (("every", every), ("batch_rows", batch_rows)):
            if value < 1:
                raise UsageError(f"{name} {value!r}: must be at least 1")
        if not callable(validation) and model is None:
            raise UsageError(
                "inputs were given without a model: give model= too, or a function that gives "
                "embeddings and labels"
            )
        self.validation, self.model = validation, model
        self.every, self.batch_rows, self.prefix = every, batch_rows, prefix
        self.config = replace(config or EvaluateConfig(), retrieval=False)

    def __call__(self, step: int) -> dict[str, float]:
        """The numbers at a step; nothing between the steps at which it measures."""
        return self.measure() if step % self.every == 0 else {}

    def measure(self) -> dict[str, float]:
        """The numbers now.

        Nothing, and a warning, where the set cannot answer: early in training, say, when most rows
        still coincide.
        """
        started = time.perf_counter()
        with torch.no_grad(), _in_evaluation_mode(self.model):
            embeddings, labels = self._embedded()
        vectors = embeddings.detach().to("cpu", torch.float32).numpy()
        names = labels.cpu().numpy() if isinstance(labels, Tensor) else labels
        try:
            report = evaluate(vectors, names, config=self.config)
        except InconclusiveError as error:
            warnings.warn(f"no OPIS at this step: {error}", stacklevel=2)
            return {}
        numbers = _numbers(report) | {"seconds": time.perf_counter() - started}
        return {
            self.prefix + name: float(value) for name, value in numbers.items() if value is not None
        }

    def _embedded(self) -> tuple[Tensor, Labels]:
        if callable(self.validation):
            return self.validation()
        inputs, labels = self.validation
        model = self.model
        assert model is not None  # inputs come with a model
        device = next((p.device for p in model.parameters()), inputs.device)
        parts = [model(part.to(device)).cpu() for part in inputs.split(self.batch_rows)]
        return torch.cat(parts), labels


def _numbers(report: Report) -> dict[str, float | None]:
    point = report.recommended_threshold
    return {
        "opis": report.opis.value,
        "opis_corrected": report.opis.corrected,
        "epsilon_opis": report.epsilon_opis.value,
        "mean_utility": report.utility.mean,
        "threshold_similarity": point.similarity,
        "threshold_distance": point.distance,
        "far": point.far,
        "frr": point.frr,
        "eer": sum(report.verification.eer) / 2,
    }


@contextmanager
def _in_evaluation_mode(model: torch.nn.Module | None) -> Iterator[None]:
    """Each module may have a mode of its own, such as a frozen layer: all are put back."""
    if model is None:
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
