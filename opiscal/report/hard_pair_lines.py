"""Hard pairs as lines of text that fit a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from opiscal.data.embedding_set import DroppedRows
from opiscal.report.hard_pairs import DuplicateGroup, HardPair, HardPairs, RowName
from opiscal.report.layout import cells_of, clean, cut, fit
from opiscal.report.rounding import TEXT_DIGITS, round_down, round_up

_NAME = 14
_GAP = 2
_NARROWEST = 6


def hard_pair_lines(found: HardPairs, width: int = 80) -> list[str]:
    """What `opiscal hard-pairs` prints; no line is wider than `width`, nor than 100."""
    width = min(width, 100)
    return [
        *_head_lines(found, width),
        *_section(
            "hard negatives", "accepted, of different classes, closest first",
            _of(len(found.hard_negatives), found.accepted_negatives),
            _pair_columns(found, found.hard_negatives), width,
        ),
        *_section(
            "hard positives", "rejected, of one class, farthest first",
            _of(len(found.hard_positives), found.rejected_positives),
            _pair_columns(found, found.hard_positives), width,
        ),
        *_section(
            "class pairs", "taken for one another, most accepted pairs first",
            _of(len(found.confused_classes), found.class_pairs), _class_columns(found), width,
        ),
        *_section(
            "label errors", "likely: neighbours nearly all carry one other label",
            _of(len(found.label_errors), found.label_errors_found), _error_columns(found), width,
        ),
        *_section(
            "duplicates", "equal vectors with different labels",
            _of(len(found.duplicates), found.duplicates_found), _duplicate_columns(found), width,
        ),
    ]  # fmt: skip


def hard_pair_warnings(found: HardPairs, dropped: DroppedRows) -> list[str]:
    """What a person should know of the answer; each ends with its code in brackets."""
    out = []
    for code, count, what in (
        ("dropped_null_label", dropped.null_label, "have no label"),
        ("dropped_null_embedding", dropped.null_embedding, "have no vector"),
        ("dropped_non_finite", dropped.non_finite, "hold NaN or infinity"),
        ("dropped_zero_norm", dropped.zero_norm, "have zero length"),
    ):
        if count:
            out.append(f"{count:,} rows {what} and were left out [{code}]")
    if not found.exact:
        recall = (
            "" if found.recall is None else f"; it finds {found.recall:.1%} of them on a sample"
        )
        out.append(
            f"the index {found.index} misses accepted negative pairs{recall}: their counts are "
            "lower bounds: raise --nprobe or --ef-search, or take --index Flat [approximate]"
        )
    return out


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of text; names give way where there is no room, numbers never."""

    head: str
    cells: Sequence[str]
    is_name: bool = False

    @property
    def width(self) -> int:
        return max(map(cells_of, (self.head, *self.cells)))


def _head_lines(found: HardPairs, width: int) -> list[str]:
    used = found.threshold
    distance = f"{round_down(used.distance, TEXT_DIGITS):.6g}"
    limit = f"L2 distance <= {distance}"
    if used.similarity is not None:
        similarity = f"{round_up(used.similarity, TEXT_DIGITS):.6g}"
        limit = f"similarity >= {similarity} (unit L2 distance <= {distance})"
    least = "" if found.exact else "at least "
    far = "-" if found.far is None else f"{found.far:.3g}"
    frr = "-" if found.frr is None else f"{found.frr:.3g}"
    named = "position in DATA, from 0" if found.id_column is None else f"{found.id_column!r}"
    searched = "all pairs looked at"
    if not found.exact:
        searched = f"{found.index}: counts of accepted pairs are lower bounds"
        if found.recall is not None:
            searched += f" (recall {found.recall:.3f} of {found.recall_pairs:,} pairs of a sample)"
    lines = [
        ("threshold", limit),
        ("", f"({used.source})"),
        (
            "accepted",
            f"{least}{found.accepted_negatives:,} of {found.negative:,} negative pairs, FAR {far}",
        ),
        (
            "rejected",
            f"{found.rejected_positives:,} of {found.positive:,} positive pairs, FRR {frr}",
        ),
        ("searched", searched),
        ("rows", f"{found.rows:,} in {found.classes:,} classes, named by their {clean(named)}"),
    ]
    out = []
    for name, text in lines:
        pieces = fit(text, width - _NAME)
        heads = [name] + [""] * (len(pieces) - 1)
        out += [f"{h:<{_NAME}}{p.strip()}" for h, p in zip(heads, pieces, strict=True)]
    return out


def _section(
    name: str, meaning: str, count: str, columns: Sequence[_Column], width: int
) -> list[str]:
    lines = ["", *fit(f"{name}: {meaning} ({count})", width)]
    if columns and columns[0].cells:
        lines += _table(columns, width)
    return lines


def _of(shown: int, all_of_them: int) -> str:
    return f"{shown:,} of {all_of_them:,}" if all_of_them else "none"


def _table(columns: Sequence[_Column], width: int) -> list[str]:
    room = width - _GAP * (len(columns) - 1)
    widths = [column.width for column in columns]
    names = [k for k, column in enumerate(columns) if column.is_name]
    while sum(widths) > room:
        longest = max(names, key=lambda k: widths[k])
        if widths[longest] <= _NARROWEST:
            break
        widths[longest] -= 1
    lines = []
    for cells in zip(*((column.head, *column.cells) for column in columns), strict=True):
        padded = [
            cut(cell, size) if column.is_name else cell.rjust(size)
            for cell, size, column in zip(cells, widths, columns, strict=True)
        ]
        lines.append((" " * _GAP).join(padded).rstrip())
    return lines


def _near(found: HardPairs, items: Sequence[HardPair]) -> _Column:
    if found.metric == "cosine":
        return _Column("similarity", [f"{item.similarity:.6f}" for item in items])
    return _Column("distance", [f"{item.distance:.6g}" for item in items])


def _name(row: RowName) -> str:
    return f"row {row.row}" if row.id is None else clean(row.id)


def _label(row: RowName) -> str:
    return "(none)" if row.label is None else clean(row.label)


def _row_head(found: HardPairs) -> str:
    return "row" if found.id_column is None else "id"


def _rows(found: HardPairs, head: str, rows: Sequence[RowName]) -> _Column:
    if found.id_column is None:
        return _Column(head, [str(row.row) for row in rows])
    return _Column(head, [_name(row) for row in rows], is_name=True)


def _pair_columns(found: HardPairs, pairs: Sequence[HardPair]) -> list[_Column]:
    row = _row_head(found)
    first, second = [pair.a for pair in pairs], [pair.b for pair in pairs]
    return [
        _near(found, pairs),
        _rows(found, f"{row} a", first),
        _Column("label a", list(map(_label, first)), is_name=True),
        _rows(found, f"{row} b", second),
        _Column("label b", list(map(_label, second)), is_name=True),
    ]


def _class_columns(found: HardPairs) -> list[_Column]:
    items = found.confused_classes
    near = _near(found, [item.nearest for item in items])
    return [
        _Column("accepted", [f"{item.accepted:,}" for item in items]),
        _Column("of pairs", [f"{item.pairs:,}" for item in items]),
        _Column("share", [f"{item.share:.3g}" for item in items]),
        _Column("nearest", near.cells),
        _Column("class a", [clean(item.label_a) for item in items], is_name=True),
        _Column("class b", [clean(item.label_b) for item in items], is_name=True),
    ]


def _error_columns(found: HardPairs) -> list[_Column]:
    items = found.label_errors
    pairs = [HardPair(item.row, item.nearest, item.distance, item.similarity) for item in items]
    row = _row_head(found)
    votes = [f"{item.share:.0%} of {item.neighbours}" for item in items]
    return [
        _Column("neighbours", votes),
        _near(found, pairs),
        _rows(found, row, [item.row for item in items]),
        _Column("label", [_label(item.row) for item in items], is_name=True),
        _Column("suggested", [clean(item.suggested) for item in items], is_name=True),
        _rows(found, f"nearest {row}", [item.nearest for item in items]),
    ]


def _duplicate_columns(found: HardPairs) -> list[_Column]:
    groups = found.duplicates
    return [
        _Column("rows", [f"{len(group.rows):,}" for group in groups]),
        _Column("which, and their labels", list(map(_members, groups)), is_name=True),
    ]


# More than fits any line.
_MOST_MEMBERS = 50


def _members(group: DuplicateGroup) -> str:
    return ", ".join(f"{_name(row)} ({_label(row)})" for row in group.rows[:_MOST_MEMBERS])
