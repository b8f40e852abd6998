"""Products of few rows and a large matrix, such as of the tokens of one text and weights, natively.

BLAS copies the large matrix into an order of its own first, which takes longer than to multiply few rows by it. Here it
is read once, some rows side by side, and the next ones are asked for meanwhile. A single row is multiplied by BLAS all
the same, which has a way of its own for it.
"""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.machine import I8, I32, I64
from chainrule.native.running.parts import added
from chainrule.native.running.pool_memory import ZERO
from chainrule.native.running.tiles import Rows, begun

#: A product has few rows up to here.
FEW_ROWS = 32
#: So many rows and vectors of columns are added up in registers at once; of the rows that are left, fewer.
ROWS_AT_ONCE, VECTORS_AT_ONCE = (6, 2, 1), 2
#: So many rows of the large matrix are read side by side, each from its beginning to its end.
DEPTH = 16


def add_few_rows(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """Y = A B.

    Arguments: rows, columns and inner size; A, and how far its rows and its columns are from one another, so that it
    may be transposed; B and the length of its rows; the same of Y.
    """
    code = begun(module, name, number, "iiipiipipi")
    builder = code.builder
    rows, columns, inner, a, a_row, a_column, b, b_row, y, y_row = code.function.args
    with code.count(rows) as i, code.count(columns) as j:  # where there is nothing to add up
        builder.store(code.constant(0), builder.gep(code.row(y, y_row, i), [j]))
    whole = builder.and_(columns, ir.Constant(I64, -code.lanes))
    step = _whole(VECTORS_AT_ONCE * code.lanes)
    wide = builder.mul(builder.sdiv(columns, step), step)
    part = _Part(code, (a, a_row, a_column), (b, b_row), (y, y_row))
    with code.count(inner, step=DEPTH) as k:
        part.first, part.depth = k, code.smaller(builder.sub(inner, k), ir.Constant(I64, DEPTH))
        for start, end, vectors in ((ZERO, wide, VECTORS_AT_ONCE), (wide, whole, 1), (whole, columns, 0)):
            with code.count(end, start, (vectors * code.lanes) or 1) as j:
                if vectors == VECTORS_AT_ONCE:
                    part.prefetch(j)
                begin = ZERO
                for count in ROWS_AT_ONCE:
                    left = builder.sub(rows, begin)
                    stop = builder.add(begin, builder.mul(builder.sdiv(left, _whole(count)), _whole(count)))
                    with code.count(stop, begin, count) as i:
                        part.multiply(i, count, j, vectors)
                    begin = stop
    builder.ret_void()
    return code.function


def _whole(value: int) -> ir.Constant:
    return ir.Constant(I64, value)


class _Part:
    """Writes what is added to some rows and columns of Y from some rows of B.

    Attributes:
        first, depth: the first of these rows, and how many they are.
    """

    first: ir.Value
    depth: ir.Value

    def __init__(
        self,
        code: Rows,
        a: tuple[ir.Value, ir.Value, ir.Value],
        b: tuple[ir.Value, ir.Value],
        y: tuple[ir.Value, ir.Value],
    ) -> None:
        self.code, self.a, self.b, self.y = code, a, b, y
        text = I8.as_pointer()
        kinds = ir.FunctionType(ir.VoidType(), [text, I32, I32, I32])
        self._prefetch = code.function.module.declare_intrinsic("llvm.prefetch", [text], kinds)

    def prefetch(self, place: ir.Value) -> None:
        """Ask the processor to load what stands in the next rows, which are read when these have been."""
        code, builder = self.code, self.code.builder
        with code.count(self.depth) as k:
            row = code.row(*self.b, builder.add(builder.add(self.first, _whole(DEPTH)), k))
            address = builder.bitcast(builder.gep(row, [place]), I8.as_pointer())
            builder.call(self._prefetch, [address, *(ir.Constant(I32, x) for x in (0, 3, 1))])

    def multiply(self, i: ir.Value, count: int, j: ir.Value, vectors: int) -> None:
        """Add to some rows and some vectors of columns; to one column for no vector."""
        code, builder = self.code, self.code.builder
        places = [builder.add(j, _whole(v * code.lanes)) for v in range(max(vectors, 1))]
        numbers = [builder.add(i, _whole(r)) for r in range(count)]
        outputs = [code.row(*self.y, number) for number in numbers]
        a, a_row, a_column = self.a
        start = builder.mul(a_column, self.first)
        weights = [builder.gep(code.row(a, a_row, number), [start]) for number in numbers]
        read = code.read if vectors else code.at
        nothing = code.all(code.constant(0)) if vectors else code.constant(0)
        totals = [[code.variable(nothing) for _ in places] for _ in outputs]
        with code.count(self.depth) as k:
            row = code.row(*self.b, builder.add(self.first, k))
            held = [read(row, place) for place in places]
            place_of_k = builder.mul(a_column, k)
            for row_of_a, sums in zip(weights, totals, strict=True):
                weight = code.at(row_of_a, place_of_k)
                weight = code.all(weight) if vectors else weight
                for x, total in zip(held, sums, strict=True):
                    builder.store(added(code, weight, x, builder.load(total)), total)
        for row, sums in zip(outputs, totals, strict=True):
            for place, total in zip(places, sums, strict=True):
                # Sums of `DEPTH` products are added up, which rounds less than one long sum would.
                result = builder.fadd(read(row, place), builder.load(total))
                if vectors:
                    code.write(result, row, place)
                else:
                    builder.store(result, builder.gep(row, [place]))
