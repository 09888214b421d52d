"""Which columns of a Parquet schema hold the embeddings, the labels and the groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from opiscal.data.embedding_set import ColumnNames
from opiscal.errors import InputError

# A message is one line that a person reads.
_COLUMNS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class ShardSchema:
    """The schema of one file."""

    path: str
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class ChosenColumns:
    """The names of the columns to read."""

    embedding: str
    label: str
    group: str | None

    def names(self) -> list[str]:
        """Return each name once."""
        return list(dict.fromkeys(filter(None, (self.embedding, self.label, self.group))))


def choose_columns(shards: Sequence[ShardSchema], names: ColumnNames) -> ChosenColumns:
    """Return the columns to read, which every shard has, with types that agree.

    Columns that are not asked for may differ from shard to shard.

    Parameters
    ----------
    shards : sequence of ShardSchema
        At least one.
    names : ColumnNames

    Returns
    -------
    ChosenColumns

    Raises
    ------
    InputError
        Where a column is missing, ambiguous or of a type that cannot be read, or where two
        shards disagree about it.
    """
    embedding = _default_embedding(shards) if names.embedding is None else names.embedding
    _agree(shards, embedding, "embedding", "--embedding-column", "a list of floats")
    _agree(shards, names.label, "label", "--label-column", "strings or integers")
    if names.group is not None:
        _agree(shards, names.group, "group", "--group-column", "strings or integers")
    if names.id is not None:
        for shard in shards:
            _type_of(shard, names.id, "--id-column")
    return ChosenColumns(embedding, names.label, names.group)


def check_codes(shards: Sequence[ShardSchema], name: str, role: str, option: str) -> None:
    """Make sure that every shard has a column of strings or integers; as `choose_columns`."""
    _agree(shards, name, role, option, "strings or integers")


def plain_type(column_type: pa.DataType) -> pa.DataType:
    """Return the type that an extension type is stored as, else the type itself."""
    while isinstance(column_type, pa.BaseExtensionType):
        column_type = column_type.storage_type
    return column_type


def is_list(column_type: pa.DataType) -> bool:
    """Return whether each value of a column is a list."""
    # The views of lists are younger than the oldest pyarrow that opiscal runs with.
    kinds = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")
    return any(getattr(pa.types, f"is_{kind}", _never)(column_type) for kind in kinds)


def _never(_: pa.DataType) -> bool:
    return False


def _default_embedding(shards: Sequence[ShardSchema]) -> str:
    if any("embedding" in shard.schema.names for shard in shards):
        return "embedding"
    # One shard may have a list column more, which is then not the one.
    common: list[str] = [
        name
        for name in dict.fromkeys(shards[0].schema.names)
        if all(_kind(shard, name) == "floats" for shard in shards)
    ]
    if len(common) == 1:
        return common[0]
    if common:
        raise InputError(
            f"{shards[0].path!r} has {len(common)} columns of lists of floats "
            f"({', '.join(map(repr, common))}) and none named 'embedding'; "
            "name one with --embedding-column"
        )
    raise InputError(
        f"{shards[0].path!r} has no column of lists of floats; its columns are "
        f"{_listing(shards[0])}; write the vectors as lists of float32"
    )


def _kind(shard: ShardSchema, name: str) -> str | None:
    if name not in shard.schema.names:
        return None
    return _kind_of(plain_type(shard.schema.field(shard.schema.names.index(name)).type))


def _kind_of(column_type: pa.DataType) -> str:
    """Return the kind of a plain type: "floats", "string", "integer", "null" or "other"."""
    if is_list(column_type):
        is_float = pa.types.is_floating(plain_type(column_type.value_type))
        return "floats" if is_float else "other"
    if pa.types.is_null(column_type):
        return "null"
    if pa.types.is_dictionary(column_type):
        column_type = column_type.value_type
    is_view = getattr(pa.types, "is_string_view", _never)
    if pa.types.is_string(column_type) or pa.types.is_large_string(column_type):
        return "string"
    if is_view(column_type):
        return "string"
    # pandas holds integers as floats where some are missing; the values are checked on reading.
    if pa.types.is_integer(column_type) or pa.types.is_floating(column_type):
        return "integer"
    return "other"


def _agree(shards: Sequence[ShardSchema], name: str, role: str, option: str, allowed: str) -> None:
    kinds = ("floats",) if role == "embedding" else ("string", "integer")
    first: tuple[ShardSchema, pa.DataType] | None = None
    for shard in shards:
        given = _type_of(shard, name, option)
        found = plain_type(given)
        kind = _kind_of(found)
        # A column without a single value has no type: a shard may be so, the input may not.
        if kind == "null":
            continue
        if kind not in kinds:
            raise InputError(
                f"the {role} column {name!r} of {shard.path!r} has the type {_shown(given)}; "
                f"allowed: {allowed}; the columns are {_listing(shard)}: "
                f"name another with {option}"
            )
        first = first or (shard, found)
        if kind != _kind_of(first[1]) or _width(found, first[1]) != _width(first[1], found):
            raise InputError(
                f"the {role} column {name!r} has the type {_shown(found)} in {shard.path!r} and "
                f"{_shown(first[1])} in {first[0].path!r}; all files need the same kind: "
                "write them anew, or read fewer"
            )
    if first is None:
        raise InputError(
            f"the {role} column {name!r} of {shards[0].path!r} holds nothing but nulls; "
            f"allowed: {allowed}; the columns are {_listing(shards[0])}: name another with {option}"
        )


def _width(column_type: pa.DataType, other: pa.DataType) -> int | None:
    """Return the width of a fixed-size list, where the other type has one too."""
    fixed = pa.types.is_fixed_size_list
    return column_type.list_size if fixed(column_type) and fixed(other) else None


def _type_of(shard: ShardSchema, name: str, option: str) -> pa.DataType:
    count = shard.schema.names.count(name)
    if count == 0:
        raise InputError(
            f"{shard.path!r} has no column {name!r}; its columns are {_listing(shard)}: "
            f"name one with {option}"
        )
    if count > 1:
        raise InputError(
            f"{shard.path!r} has {count} columns named {name!r}; "
            f"give each a name of its own, or name another with {option}"
        )
    return shard.schema.field(name).type


def _listing(shard: ShardSchema) -> str:
    fields = [f"{field.name!r} {_shown(field.type)}" for field in shard.schema]
    more = len(fields) - _COLUMNS_SHOWN
    if more > 0:
        fields = [*fields[:_COLUMNS_SHOWN], f"and {more} more"]
    return ", ".join(fields) or "none"


def _shown(column_type: pa.DataType) -> str:
    text = " ".join(str(column_type).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
