"""Matrix products: BLAS of SciPy, called from native code through its function pointers."""

from __future__ import annotations

import ctypes
import functools
import threading
from pathlib import Path

from llvmlite import ir
from threadpoolctl import LibController, ThreadpoolController

from chainrule.native.llvm import I8, I32, I64, OK, STEP

#: What the product's table of arguments holds, in order; offsets are an array of three whole numbers a matrix.
ARGUMENTS = (
    "left", "right", "output", "offsets", "routine", "rows", "columns", "inner", "left_turned", "right_turned", "count",
)  # fmt: skip

#: A product is cut into blocks of so many rows or columns: shorter ones lose time, as each block arranges all of the
#: matrix that is not cut in the order that BLAS wants. One with so many multiplications is cut in two in any case, and
#: matrices of a batch are put together until a block has as many.
LENGTH, ENOUGH = 512, 2**21
#: Multiplications that take a processor about as long as a block of a kernel.
BLOCK = 2**18


@functools.cache
def address(name: str) -> int:
    """The address of a BLAS routine, such as sgemm."""
    from scipy.linalg import cython_blas

    capsule = cython_blas.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get_pointer(capsule, get_name(capsule)) or 0)


class _OneThread:
    """Keeps BLAS at one thread while programs run, and leaves its setting as it was found.

    A thread of BLAS that waits for another costs more than a small product gains. The setting is the whole process's:
    the first program that runs changes it, and the last one that ends restores it.
    """

    def __init__(self) -> None:
        self._running = 0
        self._found = 1
        self._lock = threading.Lock()

    @functools.cached_property
    def _library(self) -> LibController | None:
        """SciPy's BLAS, where its threads can be set."""
        address("sgemm")  # loads it
        held = [x for x in ThreadpoolController().lib_controllers if x.user_api == "blas"]
        # Wheels of SciPy bring a BLAS of their own in a folder named after it; elsewhere there is one for all.
        own = [x for x in held if {"scipy", "scipy.libs"} & set(Path(x.filepath).parts)]
        return (own or held or [None])[0]

    def __enter__(self) -> None:
        with self._lock:
            self._running += 1
            if self._running == 1 and self._library is not None:
                self._found = self._library.get_num_threads()
                self._library.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and self._library is not None:
                self._library.set_num_threads(self._found)


ONE_THREAD = _OneThread()


def product_module(double: bool, name: str) -> ir.Module:
    """A module with the function `name`, a `STEP`: a batch of matrix products, from a table of `ARGUMENTS`.

    A block is a part of the rows or the columns of one matrix of the batch, or several small matrices. BLAS counts by
    columns: in its eyes a matrix in row order is the transpose, so it is asked for Yᵀ = Bᵀ Aᵀ.
    """
    number = ir.DoubleType() if double else ir.FloatType()
    module = ir.Module(name=name)
    function = ir.Function(module, STEP, name)
    pointer, block, among = function.args
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

    # How it is cut, by the sizes alone.
    work = builder.mul(builder.mul(rows, columns), inner)
    by_rows = builder.icmp_signed(">=", rows, columns)
    size = builder.select(by_rows, rows, columns)
    twice = builder.select(builder.icmp_signed(">=", work, ir.Constant(I64, ENOUGH)), ir.Constant(I64, 2), one)
    cuts = smaller(larger(builder.sdiv(size, ir.Constant(I64, LENGTH)), twice), larger(size, one))
    together = smaller(
        larger(builder.sdiv(ir.Constant(I64, ENOUGH), larger(work, one)), one), larger(given["count"], one)
    )
    with builder.if_then(builder.icmp_signed("==", among, zero), likely=False):
        blocks = larger(builder.mul(quotient(given["count"], together), cuts), one)
        all_work = builder.sdiv(builder.mul(work, given["count"]), ir.Constant(I64, BLOCK))
        builder.ret(builder.add(blocks, builder.shl(all_work, ir.Constant(I64, 32))))

    # The part of this block.
    group, part = builder.sdiv(block, cuts), builder.srem(block, cuts)
    first_matrix = builder.mul(group, together)
    last_matrix = smaller(builder.add(first_matrix, together), given["count"])
    length = quotient(size, cuts)
    first = builder.mul(part, length)
    length = larger(smaller(length, builder.sub(size, first)), zero)
    first_row, first_column = builder.select(by_rows, first, zero), builder.select(by_rows, zero, first)
    some_rows, some_columns = builder.select(by_rows, length, rows), builder.select(by_rows, columns, length)
    left_turned, right_turned = (builder.icmp_signed("!=", given[x], zero) for x in ("left_turned", "right_turned"))
    left = builder.gep(left, [builder.select(left_turned, first_row, builder.mul(first_row, inner))])
    right = builder.gep(right, [builder.select(right_turned, builder.mul(first_column, inner), first_column)])
    output = builder.gep(output, [builder.add(builder.mul(first_row, columns), first_column)])

    letters = {}
    for side, turned in (("left", left_turned), ("right", right_turned)):
        letters[side] = builder.alloca(I8)
        builder.store(builder.select(turned, ir.Constant(I8, ord("T")), ir.Constant(I8, ord("N"))), letters[side])
    # The leading dimension is the length of a row in memory, at least 1 by BLAS's rule.
    lengths = {
        "m": some_columns,
        "n": some_rows,
        "k": inner,
        "left": larger(builder.select(left_turned, rows, inner), one),
        "right": larger(builder.select(right_turned, inner, columns), one),
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
    builder.ret(OK)
    return module
