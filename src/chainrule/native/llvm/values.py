"""The values of a kernel in LLVM's registers: read, computed, and reused for as long as they stay what they are."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

from llvmlite import ir

from chainrule.graph.spec import BOOL, INT64
from chainrule.native.llvm.lanes import intrinsic, splat, vector_of, with_lanes
from chainrule.native.llvm.machine import I1, I32, I64, memory_type, value_type
from chainrule.native.llvm.operations import compute
from chainrule.native.llvm.vector import Body, changed, stored
from chainrule.native.loops.expression import Expression, constant, parts, rotation
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.statements import Statement


class Lanes:
    """The iterations of a loop that run at once, one in each lane.

    Attributes:
        body: the loop's body.
        count: how many lanes there are.
        first: the index of the iteration in the first lane.
        mask: which lanes have an iteration to do; None for all.
        sums: what the lanes have added up, by the names of the variables.
    """

    def __init__(self, body: Body, count: int, first: ir.Value, mask: ir.Value | None) -> None:
        self.body, self.count, self.first, self.mask = body, count, first, mask
        self.sums: dict[str, ir.Value] = {}


class Values:
    """Writes the instructions of expressions where the builder stands.

    Attributes:
        block: the number of the block that is to run.
        block_count: how many blocks there are, or 0 to ask for their number.
        size_places: where the sizes of each buffer begin in the table.
        pitch_places: where the pitch of a buffer is in the table.
        indices: the indices of the open loops, by name.
        variables: where the variables that change are, by name.
        bases: for a loop on vectors, the addresses of its elements at index 0, by the ids of their indices.
        lanes: the iterations that are written now, where they are several.
        known: the values that were computed before and are still valid. The key is the operation, then the name of the
            buffer or variable that the value depends on (None without any), then the operands.
    """

    def __init__(self, kernel: Kernel, function: ir.Function) -> None:
        self.kernel = kernel
        self.function = function
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.table, self.block, self.block_count = function.args
        self.size_places: dict[str, int] = {}
        place = len(kernel.buffers)  # behind the addresses
        for name, spec in kernel.buffers.items():
            self.size_places[name] = place
            place += spec.rank
        pitched = [name for name in kernel.buffers if name in kernel.pitched]
        self.pitch_places = {name: place + number for number, name in enumerate(pitched)}
        self.indices: dict[str, ir.Value] = {}
        self.variables: dict[str, ir.Value] = {}
        self.bases: dict[int, ir.Value] = {}
        self.lanes: Lanes | None = None
        self.known: dict[tuple[Hashable, ...], ir.Value] = {}
        self._permanent: dict[tuple[Hashable, ...], ir.Value] = {}

    def argument(self, number: int, kind: ir.Type = I64) -> ir.Value:
        """A number of the table; as an address where the type is a pointer's."""
        key = ("argument", number)
        if key not in self._permanent:
            with self.builder.goto_entry_block():
                loaded = self.builder.load(self.builder.gep(self.table, [ir.Constant(I64, number)]))
                self._permanent[key] = loaded if kind == I64 else self.builder.inttoptr(loaded, kind)
        return self._permanent[key]

    def pointer(self, buffer: str) -> ir.Value:
        """The address of a buffer."""
        kind = memory_type(self.kernel.buffers[buffer].dtype)
        return self.argument([*self.kernel.buffers].index(buffer), kind.as_pointer())

    def size(self, buffer: str, axis: int) -> ir.Value:
        """The size of a buffer along an axis."""
        return self.argument(self.size_places[buffer] + axis)

    @contextlib.contextmanager
    def scope(self, body: Sequence[Statement]) -> Iterator[None]:
        """A part of the function that may be skipped, or run several times.

        What it computes is not known after it, and what it changes is not known in it or after it.
        """
        written, before = stored(body) | changed(body), self.known
        unchanged = {key: value for key, value in before.items() if key[1] not in written}
        self.known = dict(unchanged)
        yield
        self.known = unchanged

    def forget(self, name: str) -> None:
        """Drop the values that depend on a buffer or a variable, as it has changed."""
        self.known = {key: value for key, value in self.known.items() if key[1] != name}

    def load(self, buffer: str, index: Sequence[Expression]) -> ir.Value:
        """An element, or the elements of all lanes."""
        dtype, lanes = self.kernel.buffers[buffer].dtype, self.lanes
        if lanes is not None and id(index) in lanes.body.irregular:
            return self.load_irregular(buffer, index, lanes)
        place = self.address(buffer, index)
        key = ("load", buffer, id(place))
        if key not in self.known:
            if lanes is None or lanes.mask is None or not isinstance(place.type.pointee, ir.VectorType):
                loaded = self.builder.load(place, align=dtype.itemsize)
            else:
                kind = place.type.pointee
                operands = [place, ir.Constant(I32, dtype.itemsize), lanes.mask, ir.Constant(kind, None)]
                loaded = intrinsic(self.builder, "masked.load", operands, kind, of=[kind, place.type])
            if dtype == BOOL:
                loaded = self.builder.trunc(loaded, with_lanes(I1, loaded.type))
            self.known[key] = loaded
        return self.known[key]

    def load_irregular(self, buffer: str, index: Sequence[Expression], lanes: Lanes) -> ir.Value:
        """The elements of all lanes, which may lie anywhere: LLVM calls this a gather."""
        builder, dtype = self.builder, self.kernel.buffers[buffer].dtype
        kind = memory_type(dtype)
        numbers = [self.wide(self.value(i)) for i in self.addressing(buffer, index)]
        key = ("load", buffer, *map(id, numbers))
        if key not in self.known:
            offset = self.offset(buffer, numbers)
            bytes_before = builder.mul(offset, self.wide(self.constant(dtype.itemsize, I64)))
            start = self.wide(builder.ptrtoint(self.pointer(buffer), I64))
            result = ir.VectorType(kind, lanes.count)
            places = builder.inttoptr(builder.add(start, bytes_before), ir.VectorType(kind.as_pointer(), lanes.count))
            mask = lanes.mask or splat(builder, ir.Constant(I1, 1), lanes.count)
            operands = [places, ir.Constant(I32, dtype.itemsize), mask, ir.Constant(result, None)]
            self.known[key] = intrinsic(builder, "masked.gather", operands, result, of=[result, places.type])
        return self.known[key]

    def address(self, buffer: str, index: Sequence[Expression]) -> ir.Value:
        """The address of an element, or of the elements of all lanes, which lie side by side."""
        lanes = self.lanes
        if lanes is None or all(map(lanes.body.is_uniform, index)):
            return self.place(buffer, [self.value(i) for i in self.addressing(buffer, index)])
        key = ("lanes", None, id(self.bases[id(index)]), id(lanes.first))
        if key not in self.known:
            place = self.builder.gep(self.bases[id(index)], [lanes.first])
            kind = ir.VectorType(place.type.pointee, lanes.count)
            self.known[key] = self.builder.bitcast(place, kind.as_pointer())
        return self.known[key]

    def addressing(self, buffer: str, index: Sequence[Expression]) -> list[Expression]:
        """The part of an index that the address is computed from: axes of size 1 are left out.

        Of a buffer with a pitch, the row and an index within the row are always there.
        """
        sized = list(zip(index, self.kernel.buffers[buffer].shape, strict=True))
        if buffer not in self.pitch_places:
            return [i for i, size in sized if size != 1]
        return [index[0], *([i for i, size in sized[1:] if size != 1] or [constant(0, INT64)])]

    def place(self, buffer: str, index: Sequence[ir.Value]) -> ir.Value:
        """The address of an element; the index is as `addressing` gives it."""
        key = ("place", None, buffer, *map(id, index))
        if key not in self.known:
            self.known[key] = self.builder.gep(self.pointer(buffer), [self.offset(buffer, index)], inbounds=True)
        return self.known[key]

    def offset(self, buffer: str, index: Sequence[ir.Value]) -> ir.Value:
        """The distance of an element from the beginning of its buffer, in elements."""
        if not index:
            return self.constant(0, I64)
        axes, first = [axis for axis, size in enumerate(self.kernel.buffers[buffer].shape) if size != 1], None
        if buffer in self.pitch_places:
            (row, *index), axes = index, [axis for axis in axes if axis]
            first = self._times(row, self.argument(self.pitch_places[buffer]))
        offset = index[0]
        for i, axis in zip(index[1:], axes[1:], strict=True):
            offset = self.builder.add(self._times(offset, self.size(buffer, axis)), i, flags=("nsw",))
        return offset if first is None else self.builder.add(first, offset, flags=("nsw",))

    def _times(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The product of a number, or a vector of them, and a number that is the same in all lanes."""
        b = self.wide(b) if isinstance(a.type, ir.VectorType) else b
        return self.builder.mul(a, b, flags=("nsw",))

    def wide(self, value: ir.Value, lanes: int = 0) -> ir.Value:
        """A number copied to all lanes; without lanes the number itself."""
        lanes = lanes or (self.lanes.count if self.lanes else 0)
        if not lanes or isinstance(value.type, ir.VectorType):
            return value
        key = ("wide", None, id(value), lanes)
        if key not in self.known:
            self.known[key] = splat(self.builder, value, lanes)
        return self.known[key]

    def constant(self, value: Any, kind: ir.Type) -> ir.Value:
        """A constant."""
        key = (id(kind), repr(value))  # the text differs for 0.0 and -0.0, which are equal
        if key not in self._permanent:
            self._permanent[key] = ir.Constant(kind, value)
        return self._permanent[key]

    def value(self, x: Expression) -> ir.Value:
        """The register that holds an expression. Its parts may be deep, so they are not visited by recursion."""
        memo: dict[int, ir.Value] = {}
        stack = [x]
        while stack:
            top = stack[-1]
            if id(top) in memo:
                stack.pop()
                continue
            if top.operation == "load" and self.varies(top):  # it computes its index by itself
                inner: Sequence[Expression] = ()
            else:
                inner = rotation(top) or parts(top)
            missing = [part for part in inner if id(part) not in memo]
            if missing:
                stack.extend(missing)
            else:
                memo[id(top)] = self.instruction(top, [memo[id(part)] for part in inner])
                stack.pop()
        return memo[id(x)]

    def varies(self, x: Expression) -> bool:
        """Whether an expression differs from lane to lane."""
        return self.lanes is not None and not self.lanes.body.is_uniform(x)

    def instruction(self, x: Expression, operands: list[ir.Value]) -> ir.Value:
        """The result of an operation on operands: the known one, or a new one."""
        name = x.operation
        if name == "constant":
            return self.constant(x.operands[0], value_type(x.dtype))
        if name == "size":
            return self.size(*x.operands)
        if name == "load":
            return self.load(*x.operands)
        if name == "index" and not self.varies(x):
            return self.indices[x.operands[0]]
        key: tuple[Hashable, ...]
        if name == "index":
            key = ("index", None, x.operands[0])
        elif name == "variable":
            key = ("variable", x.operands[0])
        else:
            if any(isinstance(operand.type, ir.VectorType) for operand in operands):
                operands = [self.wide(operand) for operand in operands]
            typed = zip(operands, rotation(x) or parts(x), strict=True)
            # Registers hold signed and unsigned numbers alike, so the key has the dtypes: operations differ in them.
            key = (name, None, x.dtype, *((id(a), part.dtype, part.operation == "variable") for a, part in typed))
        if key not in self.known:
            if name == "index" and self.lanes is not None:
                self.known[key] = self.builder.add(
                    self.wide(self.lanes.first), vector_of(I64, *range(self.lanes.count))
                )
            elif name == "variable":
                self.known[key] = self.builder.load(self.variables[x.operands[0]])
            else:
                self.known[key] = compute(self.builder, x, operands)
        return self.known[key]
