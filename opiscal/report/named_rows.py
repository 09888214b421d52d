"""Rows, pairs and class pairs by number, as a person knows them: by name and by label."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from opiscal.data.embedding_set import EmbeddingSet, Label
from opiscal.pairs.class_confusions import ClassConfusions
from opiscal.pairs.label_errors import LabelErrors
from opiscal.pairs.nearest_class import nearest_class
from opiscal.pairs.sorted_rows import SortedRows
from opiscal.pairs.top_pairs import RowPairs
from opiscal.report.hard_pairs import ConfusedClasses, HardPair, LikelyLabelError, RowName

NameRows = Callable[[Iterable[int]], Mapping[int, Label | None]]
"""Gives the names of some rows, which are known by their positions in the input."""


class RowNamer:
    """Turns places in the order of reading into names, numbers and labels of rows."""

    def __init__(
        self,
        embeddings: EmbeddingSet,
        rows: NDArray[np.int64],
        name_rows: NameRows | None,
    ) -> None:
        self._set = embeddings
        numbers = embeddings.row_number[rows].tolist()
        self._ids: Mapping[int, Label | None] = {} if name_rows is None else name_rows(numbers)

    def name(self, place: int) -> RowName:
        """A row."""
        number, code = int(self._set.row_number[place]), int(self._set.class_of_row[place])
        label = self._set.labels[code] if code >= 0 else None
        return RowName(number, self._ids.get(number), label)

    def _similarity(self, distance: float) -> float | None:
        return 1.0 - 0.5 * distance * distance if self._set.metric == "cosine" else None

    def pairs(self, found: RowPairs) -> tuple[HardPair, ...]:
        """Pairs of rows."""
        return tuple(
            HardPair(self.name(a), self.name(b), distance, self._similarity(distance))
            for a, b, distance in zip(
                found.first.tolist(), found.second.tolist(), found.distance.tolist(), strict=True
            )
        )

    def classes(
        self, found: ClassConfusions, rows: SortedRows, threads: int | None
    ) -> tuple[ConfusedClasses, ...]:
        """Class pairs."""
        asked = np.unique(np.concatenate([found.first, found.second]))
        means = nearest_class(rows, threads, asked)
        nearest = self.pairs(RowPairs.of(np.asarray(self._set.vectors), found.row_a, found.row_b))
        labels, sizes = self._set.labels, self._set.class_sizes().tolist()
        return tuple(
            ConfusedClasses(
                label_a=labels[a],
                label_b=labels[b],
                rows_a=sizes[a],
                rows_b=sizes[b],
                accepted=accepted,
                pairs=pairs,
                share=accepted / pairs,
                nearest=pair,
                nearest_means=int(means[a]) == b or int(means[b]) == a,
            )
            for a, b, accepted, pairs, pair in zip(
                found.first.tolist(), found.second.tolist(), found.accepted.tolist(),
                found.pairs.tolist(), nearest, strict=True,
            )
        )  # fmt: skip

    def label_errors(self, found: LabelErrors) -> tuple[LikelyLabelError, ...]:
        """Likely label errors."""
        return tuple(
            LikelyLabelError(
                row=self.name(int(found.row[k])),
                suggested=self._set.labels[int(found.suggested[k])],
                share=float(found.share[k]),
                own_share=float(found.own_share[k]),
                neighbours=int(found.neighbours[k]),
                nearest=self.name(int(found.nearest[k])),
                distance=float(found.distance[k]),
                similarity=self._similarity(float(found.distance[k])),
            )
            for k in range(len(found))
        )
