"""The native function that multiplies matrices: it cuts a product into blocks for threads, and calls BLAS for each."""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.machine import I8, I32, I64, OK_CONSTANT, STEP
from chainrule.native.running.few_columns import add_few_columns, has_few_columns
from chainrule.native.running.few_rows import FEW_ROWS, add_few_rows

#: What the table of a product holds, in order. `offsets` is the address of an array: where the left, the right and the
#: output matrix of each product of a batch begin. `routine` multiplies matrices, and `of_a_row` a matrix with one row.
#: `unpacked` is the limit of `blas.unpacked_limit`.
ARGUMENTS = (
    "left", "right", "output", "offsets", "routine", "of_a_row", "unpacked", "rows", "columns", "inner",
    "left_transposed", "right_transposed", "count",
)  # fmt: skip

#: A product is cut into blocks of about so many rows or columns. BLAS packs matrices, that is, it copies them into an
#: order of its own, and each block packs the whole of the matrix that is not cut: shorter blocks would lose time.
BLOCK_LENGTH = 512
#: A product of so many multiplications is cut in two in any case, and as many small products of a batch become one
#: block as it takes to have so many.
ENOUGH_MULTIPLICATIONS = 2**21
#: A block that is small enough for BLAS not to pack it has a multiple of so many rows or columns, as BLAS computes so
#: many at once; and it has at least so many.
LENGTH_MULTIPLE, LEAST_UNPACKED_LENGTH = 16, 32
#: So many multiplications are one unit of work: they take about as long as a block of a kernel.
UNIT_MULTIPLICATIONS = 2**18


def add_product(module: ir.Module, name: str, double: bool) -> None:
    """Add the function `name` to a module, a `STEP` for a batch of matrix products; its table holds `ARGUMENTS`.

    A block is a range of the rows or of the columns of one product of the batch, or several small products.
    """
    number = ir.DoubleType() if double else ir.FloatType()
    few_rows = add_few_rows(module, f"{name}_few_rows", number)
    few_columns = add_few_columns(module, f"{name}_few_columns", number, few_rows)
    function = ir.Function(module, STEP, name)
    pointer, block, block_count = function.args
    code = _ProductCode(ir.IRBuilder(function.append_basic_block("entry")), number, few_rows, few_columns)
    builder, zero, one = code.builder, ir.Constant(I64, 0), ir.Constant(I64, 1)
    code.read(pointer)
    rows, columns, inner, count = (code.given[x] for x in ("rows", "columns", "inner", "count"))

    # A small product is one block; that is answered at once, and one block is everything.
    by_rows = builder.icmp_signed(">=", rows, columns)
    size, across = builder.select(by_rows, rows, columns), builder.select(by_rows, columns, rows)
    work = builder.mul(builder.mul(rows, columns), inner)
    all_work = builder.mul(work, count)
    asked = builder.icmp_signed("==", block_count, zero)
    small = builder.icmp_signed("<", all_work, ir.Constant(I64, UNIT_MULTIPLICATIONS))
    with builder.if_then(builder.and_(asked, small)):
        builder.ret(one)
    parts = [builder.alloca(I64) for _ in range(4)]
    for place, value in zip(parts, (zero, size, zero, count), strict=True):
        builder.store(value, place)
    with builder.if_then(builder.icmp_signed("!=", block_count, one)):
        cuts, length, together = code.cut(size, across, work)
        with builder.if_then(asked):
            blocks = code.larger(builder.mul(code.quotient(count, together), cuts), one)
            units = builder.sdiv(all_work, ir.Constant(I64, UNIT_MULTIPLICATIONS))
            builder.ret(builder.add(blocks, builder.shl(units, ir.Constant(I64, 32))))
        # The range of this block.
        group, part = builder.sdiv(block, cuts), builder.srem(block, cuts)
        first, first_matrix = builder.mul(part, length), builder.mul(group, together)
        length = code.larger(code.smaller(length, builder.sub(size, first)), zero)
        last_matrix = code.smaller(builder.add(first_matrix, together), count)
        for place, value in zip(parts, (first, length, first_matrix, last_matrix), strict=True):
            builder.store(value, place)
    first, length, first_matrix, last_matrix = (builder.load(place) for place in parts)
    first_row, first_column = builder.select(by_rows, first, zero), builder.select(by_rows, zero, first)
    some_rows, some_columns = builder.select(by_rows, length, rows), builder.select(by_rows, columns, length)
    code.multiply((first_row, first_column), (some_rows, some_columns), (first_matrix, last_matrix))
    builder.ret(OK_CONSTANT)


class _ProductCode:
    """Writes the parts of a product's function.

    Attributes:
        given: the numbers of the table, by their names in `ARGUMENTS`.
        left, right, output: the addresses of the first matrices of the batch.
        left_transposed, right_transposed: whether these are transposed.
    """

    def __init__(self, builder: ir.IRBuilder, number: ir.Type, few_rows: ir.Function, few_columns: ir.Function) -> None:
        self.builder, self.number, self.few_rows, self.few_columns = builder, number, few_rows, few_columns

    def smaller(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of two numbers."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def larger(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The larger of two numbers."""
        return self.builder.select(self.builder.icmp_signed(">", a, b), a, b)

    def quotient(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """a / b, rounded up."""
        return self.builder.sdiv(self.builder.add(a, self.builder.sub(b, ir.Constant(I64, 1))), b)

    def read(self, pointer: ir.Value) -> None:
        """Read the table."""
        builder, zero = self.builder, ir.Constant(I64, 0)
        table = [builder.load(builder.gep(pointer, [ir.Constant(I64, i)])) for i in range(len(ARGUMENTS))]
        self.given = given = dict(zip(ARGUMENTS, table, strict=True))
        self.left, self.right, self.output = (
            builder.inttoptr(given[x], self.number.as_pointer()) for x in ("left", "right", "output")
        )
        self.left_transposed, self.right_transposed = (
            builder.icmp_signed("!=", given[x], zero) for x in ("left_transposed", "right_transposed")
        )

    def cut(self, size: ir.Value, across: ir.Value, work: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
        """How a product is cut, which follows from its sizes alone.

        Args:
            size: how many rows or columns can be cut, whichever are more.
            across: how many the others are.
            work: the multiplications of the product.

        Returns:
            into how many blocks, of how many rows or columns each; and how many products of the batch are one block.
        """
        builder, given = self.builder, self.given
        one, two, multiple = (ir.Constant(I64, x) for x in (1, 2, LENGTH_MULTIPLE))
        enough = builder.icmp_signed(">=", work, ir.Constant(I64, ENOUGH_MULTIPLICATIONS))
        least = builder.select(enough, two, one)
        cuts = self.smaller(
            self.larger(builder.sdiv(size, ir.Constant(I64, BLOCK_LENGTH)), least), self.larger(size, one)
        )
        most = builder.sdiv(given["unpacked"], self.larger(builder.mul(across, given["inner"]), one))
        most = builder.mul(builder.sdiv(most, multiple), multiple)
        pairs = self.quotient(size, self.larger(builder.mul(most, two), one))  # so that two threads get equally many
        unpacked = builder.icmp_signed(">=", most, ir.Constant(I64, LEAST_UNPACKED_LENGTH))
        for condition in (builder.icmp_signed("<", most, size), builder.not_(self.right_transposed)):
            unpacked = builder.and_(unpacked, condition)
        cuts = builder.select(unpacked, builder.mul(pairs, two), cuts)
        length = self.quotient(size, cuts)
        length = builder.select(unpacked, builder.mul(self.quotient(length, multiple), multiple), length)
        together = builder.sdiv(ir.Constant(I64, ENOUGH_MULTIPLICATIONS), self.larger(work, one))
        return cuts, length, self.smaller(self.larger(together, one), self.larger(given["count"], one))

    def multiply(
        self, first: tuple[ir.Value, ir.Value], sizes: tuple[ir.Value, ir.Value], matrices: tuple[ir.Value, ir.Value]
    ) -> None:
        """Call BLAS for a part of each of some products.

        BLAS takes matrices in column order, in which a matrix in row order is its own transpose. So it is asked for
        Yᵀ = Bᵀ Aᵀ.

        Args:
            first: the first row and column of the part.
            sizes: how many rows and columns it has.
            matrices: the number of the first product of the batch, and the number after the last.
        """
        builder, given, number, one = self.builder, self.given, self.number, ir.Constant(I64, 1)
        (first_row, first_column), (some_rows, some_columns) = first, sizes
        rows, columns, inner = (given[x] for x in ("rows", "columns", "inner"))
        left = builder.gep(self.left, [builder.select(self.left_transposed, first_row, builder.mul(first_row, inner))])
        right = builder.gep(
            self.right, [builder.select(self.right_transposed, builder.mul(first_column, inner), first_column)]
        )
        output = builder.gep(self.output, [builder.add(builder.mul(first_row, columns), first_column)])
        letters = {}
        for side, transposed in (("left", self.left_transposed), ("right", self.right_transposed)):
            letters[side] = builder.alloca(I8)
            letter = builder.select(transposed, ir.Constant(I8, ord("T")), ir.Constant(I8, ord("N")))
            builder.store(letter, letters[side])
        # A leading dimension is the length of a row in memory; BLAS requires 1 at least.
        lengths = {
            "m": some_columns,
            "n": some_rows,
            "k": inner,
            "left": self.larger(builder.select(self.left_transposed, rows, inner), one),
            "right": self.larger(builder.select(self.right_transposed, inner, columns), one),
            "output": self.larger(columns, one),
            "stride": one,
        }
        whole = {}
        for key, value in lengths.items():
            whole[key] = builder.alloca(I32)
            builder.store(builder.trunc(value, I32), whole[key])
        factors = [builder.alloca(number) for _ in range(2)]
        for place, factor in zip(factors, (1.0, 0.0), strict=True):
            builder.store(ir.Constant(number, factor), place)
        text, count, real = I8.as_pointer(), I32.as_pointer(), number.as_pointer()
        kinds = [text, text, count, count, count, real, real, count, real, count, real, real, count]
        routine = builder.inttoptr(given["routine"], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        offsets = builder.inttoptr(given["offsets"], I64.as_pointer())
        entry = builder.block
        head, body, after = (builder.function.append_basic_block(x) for x in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        matrix = builder.phi(I64)
        matrix.add_incoming(matrices[0], entry)
        builder.cbranch(builder.icmp_signed("<", matrix, matrices[1]), body, after)
        builder.position_at_end(body)
        place = builder.mul(matrix, ir.Constant(I64, 3))
        a, b, y = (
            builder.gep(start, [builder.load(builder.gep(offsets, [builder.add(place, ir.Constant(I64, i))]))])
            for i, start in enumerate((left, right, output))
        )
        plain = builder.not_(builder.or_(self.left_transposed, self.right_transposed))
        few_rows = builder.and_(plain, builder.icmp_signed("<=", rows, ir.Constant(I64, FEW_ROWS)))
        few_rows = builder.and_(few_rows, builder.icmp_signed(">", rows, one))
        turned = builder.and_(self.left_transposed, builder.not_(self.right_transposed))
        few_columns = builder.and_(turned, has_few_columns(builder, number, rows, columns, inner))
        sizes_ = [some_rows, some_columns, inner]
        with builder.if_else(few_rows) as (natively, otherwise):
            with natively:
                builder.call(self.few_rows, [*sizes_, a, inner, one, b, columns, y, columns])
            with otherwise, builder.if_else(few_columns) as (natively_too, through_blas):
                with natively_too:
                    builder.call(self.few_columns, [*sizes_, a, rows, b, columns, y, columns])
                with through_blas, builder.if_else(builder.icmp_signed("==", rows, one)) as (of_a_row, of_several):
                    with of_a_row:
                        self.multiply_row((a, b, y), some_columns, letters["right"], whole, factors[0])
                    with of_several:
                        builder.call(
                            routine,
                            [
                                letters["right"], letters["left"], whole["m"], whole["n"], whole["k"], factors[0],
                                b, whole["right"], a, whole["left"], factors[1], y, whole["output"],
                            ],
                        )  # fmt: skip
        matrix.add_incoming(builder.add(matrix, one), builder.block)
        builder.branch(head)
        builder.position_at_end(after)

    def multiply_row(
        self,
        matrices: tuple[ir.Value, ir.Value, ir.Value],
        some_columns: ir.Value,
        letter: ir.Value,
        whole: dict[str, ir.Value],
        factor: ir.Value,
    ) -> None:
        """Call BLAS for a product of one row, which it would spend copying the other matrix in a product of matrices.

        Args:
            matrices: the left one, which has one row or is one column, the right one and the output.
            some_columns: how many columns are computed.
            letter: whether the right matrix is transposed.
            whole: the sizes, for BLAS.
            factor: the number 1, for BLAS.
        """
        builder, number = self.builder, self.number
        a, b, y = matrices
        size = ir.Constant(I64, 8 if isinstance(number, ir.DoubleType) else 4)
        clear = builder.module.declare_intrinsic("llvm.memset", [I8.as_pointer(), I64])
        where = builder.bitcast(y, I8.as_pointer())  # what BLAS adds to
        builder.call(clear, [where, ir.Constant(I8, 0), builder.mul(some_columns, size), ir.Constant(ir.IntType(1), 0)])
        m = builder.select(self.right_transposed, whole["k"], whole["m"])
        n = builder.select(self.right_transposed, whole["m"], whole["k"])
        text, count, real = I8.as_pointer(), I32.as_pointer(), number.as_pointer()
        kinds = [text, count, count, real, real, count, real, count, real, real, count]
        routine = builder.inttoptr(self.given["of_a_row"], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        builder.call(routine, [letter, m, n, factor, b, whole["right"], a, whole["stride"], factor, y, whole["stride"]])
