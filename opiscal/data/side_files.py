"""Two sets from Parquet files: a gallery in files of its own, or told by a column."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from opiscal.data.collector import row_name
from opiscal.data.embedding_set import ColumnNames, EmbeddingSet, RowPolicy
from opiscal.data.label_codes import CodedLabels, LabelTable
from opiscal.data.parquet import files_of, read_codes, read_embeddings
from opiscal.data.row_scan import ScannedRows, collect_rows
from opiscal.data.scan_plan import ScanPlan
from opiscal.data.sides import JoinedSides, Sides
from opiscal.errors import InputError

_QUERY_NAMES, _GALLERY_NAMES = ("query", "queries", "probe"), ("gallery",)
_SHOWN = 5


def read_sides(
    paths: Sequence[str], gallery: Sequence[str], columns: ColumnNames, policy: RowPolicy
) -> JoinedSides:
    """Read queries and gallery rows; arguments and errors as `read_embeddings`.

    Parameters
    ----------
    paths : sequence of str
        The queries; all rows where ``columns.split`` tells the sides apart.
    gallery : sequence of str
        Files of the gallery; empty where ``columns.split`` tells them apart.
    columns, policy
        ``columns.id`` names items: the same name on both sides is the same item.

    Raises
    ------
    InputError
        As `read_embeddings`; and where the split column does not name two sides.
    """
    files = files_of(paths, gallery)
    named = None
    if columns.split is not None:
        named = read_codes(files, columns.split, "split", "--split-column")
        # Before the vectors are read, which takes longer.
        gallery_by_name(named, columns.split)
    embeddings = read_embeddings(paths, columns, policy, gallery)
    is_gallery = _gallery_rows(embeddings, named, columns.split, len(files_of(paths)))
    item = None
    if columns.id is not None:
        item = read_codes(files, columns.id, "id", "--id-column").codes[embeddings.row_number]
    return JoinedSides(embeddings, Sides(is_gallery, item))


def collect_sides(
    plan: ScanPlan, scanned: Iterable[ScannedRows], hashes: Sequence[str]
) -> JoinedSides:
    """What `read_sides` gives, without vectors; arguments and errors as `collect_rows`."""
    split, item = _Named("split", plan.sides.split), _Named("id", plan.sides.item)

    def noted() -> Iterator[ScannedRows]:
        for rows in scanned:
            split.add(rows.split)
            item.add(rows.item)
            yield rows

    embeddings = collect_rows(plan, noted(), hashes)
    is_gallery = _gallery_rows(embeddings, split.codes(), plan.sides.split, plan.own)
    items = item.codes()
    return JoinedSides(
        embeddings,
        Sides(is_gallery, None if items is None else items.codes[embeddings.row_number]),
    )


class _Named:
    """A column of names, part by part."""

    def __init__(self, role: str, column: str | None) -> None:
        self._table = LabelTable(f"values of the {role} column {column!r}")
        self._codes = [np.empty(0, np.int64)]
        self._wanted = column is not None

    def add(self, coded: CodedLabels | None) -> None:
        if coded is not None:
            self._codes.append(self._table.add(coded))

    def codes(self) -> CodedLabels | None:
        """As `read_codes` gives them; None where there is no such column."""
        if not self._wanted:
            return None
        return CodedLabels(self._table.labels(), np.concatenate(self._codes)).by_appearance()


def _gallery_rows(
    embeddings: EmbeddingSet, named: CodedLabels | None, column: str | None, own: int
) -> NDArray[np.bool_]:
    """Which rows of the set are gallery rows: by name, or those of all but the first files."""
    if named is None or column is None:
        first = sum(file.rows for file in embeddings.inputs[:own])
        return embeddings.row_number >= first
    is_gallery = gallery_by_name(named, column)
    missing = np.flatnonzero(named.codes[embeddings.row_number] < 0)
    if missing.size:
        number = int(embeddings.row_number[missing[0]])
        raise InputError(
            f"the split column {column!r} has no value in {missing.size:,} of "
            f"{embeddings.rows:,} rows, first in {row_name(number, embeddings.inputs)}; say of "
            "every row whether it is of the queries or the gallery"
        )
    return is_gallery[embeddings.row_number]


def gallery_by_name(named: CodedLabels, column: str) -> NDArray[np.bool_]:
    """Which rows a split column says to be of the gallery.

    It has two values, of which one is ``query``, ``queries`` or ``probe``, or is ``gallery``, in
    upper or lower case; the other one, whatever it is called, is the other side. Rows without a
    value are not in the gallery.

    Raises
    ------
    InputError
        Where it has other values.

    Examples
    --------
    >>> gallery_by_name(CodedLabels(("probe", "enrolled"), np.array([1, 0, 1])), "side")
    array([ True, False,  True])
    """
    used = np.unique(named.codes[named.codes >= 0])
    values = [str(named.values[code]) for code in used]
    is_query = np.array([value.lower() in _QUERY_NAMES for value in values], dtype=np.bool_)
    is_gallery = np.array([value.lower() in _GALLERY_NAMES for value in values], dtype=np.bool_)
    if len(values) != 2 or is_query.all() or is_gallery.all() or not (is_query | is_gallery).any():
        shown = ", ".join(map(repr, values[:_SHOWN])) or "none"
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        raise InputError(
            f"the split column {column!r} has the values {shown}{more}; it must have two, of which "
            "one is 'query' (or 'probe') or one is 'gallery': name another with --split-column"
        )
    gallery = used[is_gallery | (~is_query & ~is_gallery.any())]
    return np.isin(named.codes, gallery)
