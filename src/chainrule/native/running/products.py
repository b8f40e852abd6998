"""The native function that multiplies matrices: it cuts a product into blocks for threads, and calls BLAS for each."""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.machine import I8, I32, I64, OK_CONSTANT, STEP

#: What the table of a product holds, in order. `offsets` is the address of an array: where the left, the right and the
#: output matrix of each product of a batch begin. `unpacked` is the limit of `blas.unpacked_limit`.
ARGUMENTS = (
    "left", "right", "output", "offsets", "routine", "unpacked", "rows", "columns", "inner", "left_transposed",
    "right_transposed", "count",
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

    A block is a range of the rows or of the columns of one product of the batch, or several small products. BLAS takes
    matrices in column order, in which a matrix in row order is its own transpose. So it is asked for Yᵀ = Bᵀ Aᵀ.
    """
    number = ir.DoubleType() if double else ir.FloatType()
    function = ir.Function(module, STEP, name)
    pointer, block, block_count = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)

    def smaller(a: ir.Value, b: ir.Value) -> ir.Value:
        return builder.select(builder.icmp_signed("<", a, b), a, b)

    def larger(a: ir.Value, b: ir.Value) -> ir.Value:
        return builder.select(builder.icmp_signed(">", a, b), a, b)

    def quotient(a: ir.Value, b: ir.Value) -> ir.Value:
        return builder.sdiv(builder.add(a, builder.sub(b, one)), b)

    table = [builder.load(builder.gep(pointer, [ir.Constant(I64, i)])) for i in range(len(ARGUMENTS))]
    given = dict(zip(ARGUMENTS, table, strict=True))
    left, right, output = (builder.inttoptr(given[x], number.as_pointer()) for x in ("left", "right", "output"))
    rows, columns, inner = (given[x] for x in ("rows", "columns", "inner"))
    left_transposed, right_transposed = (
        builder.icmp_signed("!=", given[x], zero) for x in ("left_transposed", "right_transposed")
    )

    # A small product is one block; that is answered at once, and one block is everything.
    by_rows = builder.icmp_signed(">=", rows, columns)
    size, across = builder.select(by_rows, rows, columns), builder.select(by_rows, columns, rows)
    work = builder.mul(builder.mul(rows, columns), inner)
    all_work = builder.mul(work, given["count"])
    asked = builder.icmp_signed("==", block_count, zero)
    with builder.if_then(
        builder.and_(asked, builder.icmp_signed("<", all_work, ir.Constant(I64, UNIT_MULTIPLICATIONS)))
    ):
        builder.ret(one)
    parts = [builder.alloca(I64) for _ in range(4)]
    for place, value in zip(parts, (zero, size, zero, given["count"]), strict=True):
        builder.store(value, place)
    with builder.if_then(builder.icmp_signed("!=", block_count, one)):
        # How the product is cut follows from its sizes alone.
        twice = builder.select(
            builder.icmp_signed(">=", work, ir.Constant(I64, ENOUGH_MULTIPLICATIONS)), ir.Constant(I64, 2), one
        )
        cuts = smaller(larger(builder.sdiv(size, ir.Constant(I64, BLOCK_LENGTH)), twice), larger(size, one))
        multiple, two = ir.Constant(I64, LENGTH_MULTIPLE), ir.Constant(I64, 2)
        most = builder.sdiv(given["unpacked"], larger(builder.mul(across, inner), one))
        most = builder.mul(builder.sdiv(most, multiple), multiple)
        pairs = quotient(size, larger(builder.mul(most, two), one))  # pairs of blocks: two threads get equally many
        unpacked = builder.icmp_signed(">=", most, ir.Constant(I64, LEAST_UNPACKED_LENGTH))
        for condition in (builder.icmp_signed("<", most, size), builder.not_(right_transposed)):
            unpacked = builder.and_(unpacked, condition)
        cuts = builder.select(unpacked, builder.mul(pairs, two), cuts)
        length = quotient(size, cuts)
        length = builder.select(unpacked, builder.mul(quotient(length, multiple), multiple), length)
        together = builder.sdiv(ir.Constant(I64, ENOUGH_MULTIPLICATIONS), larger(work, one))
        together = smaller(larger(together, one), larger(given["count"], one))
        with builder.if_then(asked):
            blocks = larger(builder.mul(quotient(given["count"], together), cuts), one)
            units = builder.sdiv(all_work, ir.Constant(I64, UNIT_MULTIPLICATIONS))
            builder.ret(builder.add(blocks, builder.shl(units, ir.Constant(I64, 32))))
        # The range of this block.
        group, part = builder.sdiv(block, cuts), builder.srem(block, cuts)
        first, first_matrix = builder.mul(part, length), builder.mul(group, together)
        length = larger(smaller(length, builder.sub(size, first)), zero)
        last_matrix = smaller(builder.add(first_matrix, together), given["count"])
        for place, value in zip(parts, (first, length, first_matrix, last_matrix), strict=True):
            builder.store(value, place)
    first, length, first_matrix, last_matrix = (builder.load(place) for place in parts)
    first_row, first_column = builder.select(by_rows, first, zero), builder.select(by_rows, zero, first)
    some_rows, some_columns = builder.select(by_rows, length, rows), builder.select(by_rows, columns, length)
    left = builder.gep(left, [builder.select(left_transposed, first_row, builder.mul(first_row, inner))])
    right = builder.gep(right, [builder.select(right_transposed, builder.mul(first_column, inner), first_column)])
    output = builder.gep(output, [builder.add(builder.mul(first_row, columns), first_column)])

    letters = {}
    for side, turned in (("left", left_transposed), ("right", right_transposed)):
        letters[side] = builder.alloca(I8)
        builder.store(builder.select(turned, ir.Constant(I8, ord("T")), ir.Constant(I8, ord("N"))), letters[side])
    # A leading dimension is the length of a row in memory; BLAS requires 1 at least.
    lengths = {
        "m": some_columns,
        "n": some_rows,
        "k": inner,
        "left": larger(builder.select(left_transposed, rows, inner), one),
        "right": larger(builder.select(right_transposed, inner, columns), one),
        "output": larger(columns, one),
    }
    whole = {}
    for key, value in lengths.items():
        whole[key] = builder.alloca(I32)
        builder.store(builder.trunc(value, I32), whole[key])
    factors = [builder.alloca(number) for _ in range(2)]
    for place, factor in zip(factors, (1.0, 0.0), strict=True):
        builder.store(ir.Constant(number, factor), place)
    letter, count, real = I8.as_pointer(), I32.as_pointer(), number.as_pointer()
    kinds = [letter, letter, count, count, count, real, real, count, real, count, real, real, count]
    routine = builder.inttoptr(given["routine"], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
    offsets = builder.inttoptr(given["offsets"], I64.as_pointer())
    entry = builder.block
    head, body, after = (function.append_basic_block(x) for x in ("head", "body", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    matrix = builder.phi(I64)
    matrix.add_incoming(first_matrix, entry)
    builder.cbranch(builder.icmp_signed("<", matrix, last_matrix), body, after)
    builder.position_at_end(body)
    place = builder.mul(matrix, ir.Constant(I64, 3))
    a, b, y = (
        builder.gep(pointer, [builder.load(builder.gep(offsets, [builder.add(place, ir.Constant(I64, i))]))])
        for i, pointer in enumerate((left, right, output))
    )
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
    builder.ret(OK_CONSTANT)
