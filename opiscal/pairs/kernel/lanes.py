"""Sixteen pairs at a time: arithmetic on vectors, for what the compiler does not find by itself.

A loop that appends *some* of its pairs to a list is compiled pair by pair. Written as one vector
operation (``llvm.experimental.vector.compress``) it costs a tenth, on any processor with 16 lanes;
elsewhere LLVM splits it up. `Lanes` lets such code be written as formulas.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils

WIDTH = 16
"""Pairs to a vector."""

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_TYPES = {
    name: ir.VectorType(one, WIDTH)
    for name, one in {
        "bool": ir.IntType(1),
        "uint16": _I16,
        "int32": _I32,
        "float32": ir.FloatType(),
    }.items()
}
_BYTES = {"uint16": 2, "int32": 4, "float32": 4}


class Lanes:
    """Sixteen numbers of one kind in the code that is being generated."""

    def __init__(self, builder: Any, value: Any, kind: str) -> None:
        self.builder, self.value, self.kind = builder, value, kind

    def _with(self, value: Any, kind: str | None = None) -> "Lanes":
        return Lanes(self.builder, value, kind or self.kind)

    def _other(self, other: "Lanes | int") -> Any:
        if isinstance(other, Lanes):
            return other.value
        return ir.Constant(_TYPES[self.kind], [other] * WIDTH)

    def __add__(self, other: "Lanes | int") -> "Lanes":
        add = self.builder.fadd if self.kind == "float32" else self.builder.add
        return self._with(add(self.value, self._other(other)))

    def __sub__(self, other: "Lanes | int") -> "Lanes":
        sub = self.builder.fsub if self.kind == "float32" else self.builder.sub
        return self._with(sub(self.value, self._other(other)))

    def __mul__(self, other: "Lanes") -> "Lanes":
        return self._with(self.builder.mul(self.value, other.value))

    def __rshift__(self, other: "Lanes | int") -> "Lanes":
        return self._with(self.builder.ashr(self.value, self._other(other)))

    def __le__(self, other: "Lanes") -> "Lanes":
        if self.kind == "float32":
            return self._with(self.builder.fcmp_ordered("<=", self.value, other.value), "bool")
        return self._with(self.builder.icmp_signed("<=", self.value, other.value), "bool")

    def least(self, other: "Lanes") -> "Lanes":
        """The smaller one of each lane."""
        return (self <= other).choose(self, other)

    def most(self, other: "Lanes") -> "Lanes":
        """The larger one of each lane."""
        return (self <= other).choose(other, self)

    def choose(self, yes: "Lanes", no: "Lanes") -> "Lanes":
        """Of each lane one or the other, by this condition."""
        return yes._with(self.builder.select(self.value, yes.value, no.value))

    def bits(self) -> "Lanes":
        """The bits of float32 numbers, as integers."""
        return self._with(self.builder.bitcast(self.value, _TYPES["int32"]), "int32")

    def to_uint16(self) -> "Lanes":
        """The lower half of integers."""
        return self._with(self.builder.trunc(self.value, _TYPES["uint16"]), "uint16")

    def mask(self) -> Any:
        """A condition as the bits of one 64-bit integer."""
        return self.builder.zext(self.builder.bitcast(self.value, _I16), _I64)

    def count(self) -> Any:
        """In how many lanes a condition holds, a 64-bit integer."""
        return _call(self.builder, "llvm.ctpop.i64", _I64, self.mask())

    def where(self, chosen: "Lanes") -> "Lanes":
        """The lanes in which a condition holds, moved to the front; the rest is undefined."""
        wide = _TYPES[self.kind]
        name = "llvm.experimental.vector.compress.v16i32"
        undefined = ir.Constant(wide, ir.Undefined)
        return self._with(_call(self.builder, name, wide, self.value, chosen.value, undefined))


class Code:
    """The function that is being generated: where its vectors come from and go to."""

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        self.context, self.builder, self.types = context, builder, signature.args

    def all(self, value: Any, kind: str) -> Lanes:
        """One number in every lane."""
        none = ir.Constant(_TYPES[kind], ir.Undefined)
        first = self.builder.insert_element(none, value, ir.Constant(_I32, 0))
        same = ir.Constant(_TYPES["int32"], [0] * WIDTH)
        return Lanes(self.builder, self.builder.shuffle_vector(first, none, same), kind)

    def count_up(self, start: Any) -> Lanes:
        """A 64-bit integer and the fifteen after it, as int32."""
        steps = Lanes(self.builder, ir.Constant(_TYPES["int32"], list(range(WIDTH))), "int32")
        return self.all(self.builder.trunc(start, _I32), "int32") + steps

    def shifted(self, number: Any, bits: int) -> Any:
        """A 64-bit integer times a power of two."""
        return self.builder.shl(number, ir.Constant(_I64, bits))

    def array(self, argument: int, value: Any) -> "Array":
        """An array that is that argument of the function."""
        view = self.context.make_array(self.types[argument])(self.context, self.builder, value)
        return Array(self.builder, view.data)


class Array:
    """An array in the code that is being generated: of one dimension, without gaps."""

    def __init__(self, builder: Any, data: Any) -> None:
        self.builder, self.data = builder, data

    def load(self, place: Any, kind: str) -> Lanes:
        """Sixteen elements from a place on."""
        loaded = self.builder.load(self._at(place, kind))
        loaded.align = _BYTES[kind]
        return Lanes(self.builder, loaded, kind)

    def store(self, place: Any, lanes: Lanes) -> None:
        """Write all sixteen lanes, from a place on."""
        stored = self.builder.store(lanes.value, self._at(place, lanes.kind))
        stored.align = _BYTES[lanes.kind]

    def _at(self, place: Any, kind: str) -> Any:
        return self.builder.bitcast(self.builder.gep(self.data, [place]), _TYPES[kind].as_pointer())


def _call(builder: Any, name: str, returns: Any, *arguments: Any) -> Any:
    kind = ir.FunctionType(returns, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, arguments)
