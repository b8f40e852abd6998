"""The native functions of attention: over texts and heads, tile by tile, with products by BLAS in between.

A tile is the scores of some queries and some keys of a text. The forward pass keeps, of each query, the largest score
so far and the sum of the powers, so that it needs one tile at a time (online softmax). The backward pass makes the
scores again. Heads lie side by side in the rows of matrices, and BLAS reads those of one head where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from chainrule.blocks.attention_gradient import AttendGradient
from chainrule.blocks.attention_tiles import Attention
from chainrule.blocks.slicing import Slice
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.native.llvm.machine import I32, I64, OK_CONSTANT, STEP
from chainrule.native.loops.steps import Attending
from chainrule.native.running import blas
from chainrule.native.running.parts import SMALL_RIGHT, add_multiply
from chainrule.native.running.pool_memory import ONE, ZERO
from chainrule.native.running.tiles import (
    Rows,
    add_clear,
    add_divide,
    add_dots,
    add_drop,
    add_powers,
    add_slopes,
)

#: The matrices that it reads, in the order of the blocks' inputs.
READ, READ_BACK = ("q", "k", "v"), ("g", "y", "q", "k", "v")
#: So many queries and keys are one tile at most, and so many numbers more than its columns begin the next row after.
TILE_QUERIES, TILE_KEYS, APART = 64, 512, 16
#: The numbers of the memory that a block works in: two tiles, three numbers a query, and a small matrix.
WORKSPACE = 2 * TILE_QUERIES * (TILE_KEYS + APART) + 3 * TILE_QUERIES + SMALL_RIGHT
#: Texts × heads are cut into so many blocks at most.
MOST_BLOCKS = 64
#: So many multiplications are one unit of work.
UNIT_MULTIPLICATIONS = 2**18


def arguments(*, gradient: bool, dropped: bool) -> tuple[str, ...]:
    """What the table holds, in order.

    That is the addresses of the matrices, of the offsets, of what dropping is drawn from, of the output, and of the
    blocks' memory; BLAS's routine; scale and factor, as their bits; settings; for each matrix, behind how many numbers
    of its row the heads begin. From here on they are sizes: tokens and columns of each matrix, of which `rows_` has all
    and q, k and v only their heads; and offsets.
    """
    read = READ_BACK if gradient else READ
    return (
        *read, "offsets", "key_offsets", *(("words", "key") if dropped else ()), "output", "memory", "routine", "scale",
        "factor", "limit", "causal", "joint", "heads", "groups", *(f"from_{x}" for x in read),
        *(f"row_{x}" for x in read), "tokens", "keys", "columns_q", "columns_k", "columns_v", "offset_count",
    )  # fmt: skip


def attention_memory() -> Array:
    """The memory that the attention of a program works in, one step after the other; pages come as they are used."""
    return np.zeros(MOST_BLOCKS * WORKSPACE, np.float64)


def attention_table(step: Attending, memory: Array) -> tuple[list[Tensor | int], list[int]]:
    """The words of a step's table that are no sizes, and the sizes."""
    output, block = step.output, step.output.block
    if not isinstance(block, Attention):
        raise TypeError(f"{output.label} is no attention")
    matrices, (offsets, _), _ = block.apart_by_use(step.output.inputs)
    *_, q, k, v = matrices
    double = output.dtype == np.float64
    held = [node for node, _ in step.reads]
    numbers = [
        memory.ctypes.data, blas.address("dgemm" if double else "sgemm"),
        *(int(np.float64(x).view(np.int64)) for x in (block.scale, block.factor)), block.limit,
        int(block.causal), int(isinstance(block, AttendGradient) and block.joint), block.heads, block.groups,
        *(place for _, place in step.reads[: len(matrices)]),
    ]  # fmt: skip
    pairs = zip(held, matrices, strict=False)
    rows = [(x if x is not given and isinstance(given.block, Slice) else given).shape[1] for x, given in pairs]
    sizes = [*rows, q.shape[0], k.shape[0], q.shape[1], k.shape[1], v.shape[1], offsets.shape[0]]
    return [*held, output, *numbers], sizes


def add_attention(module: ir.Module, name: str, double: bool, gradient: bool, dropped: bool) -> None:
    """Add the function `name` to a module, a `STEP` for attention or its gradient; see `arguments`."""
    number = ir.DoubleType() if double else ir.FloatType()
    own = {"clear": add_clear, "powers": add_powers, "divide": add_divide, "dots": add_dots, "multiply": add_multiply}
    parts = {key: _shared(module, f"{number}_{key}", number, add) for key, add in own.items()}
    if gradient:
        parts["slopes"] = add_slopes(module, f"{name}_slopes", number, dropped=dropped)
    elif dropped:
        parts["drop"] = add_drop(module, f"{name}_drop", number)
    _Attention(ir.Function(module, STEP, name), number, parts, gradient=gradient, dropped=dropped).build()


def _shared(
    module: ir.Module, name: str, number: ir.Type, add: Callable[[ir.Module, str, ir.Type], ir.Function]
) -> ir.Function:
    """A function that attention of all kinds uses: the module's, which has it once, or a new one."""
    found = module.globals.get(name)
    return add(module, name, number) if found is None else found


class _Attention(Rows):
    """Writes the function.

    Attributes:
        parts: the functions that work on tiles.
        given: the words of the table, by their names.
        matrix: the matrices that are read, as addresses of numbers, and the length of their rows.
    """

    def __init__(
        self, function: ir.Function, number: ir.Type, parts: dict[str, ir.Function], *, gradient: bool, dropped: bool
    ) -> None:
        super().__init__(function, number)
        self.parts, self.gradient, self.dropped = parts, gradient, dropped
        names = arguments(gradient=gradient, dropped=dropped)
        self.given = given = self.words(function.args[0], names)
        self.matrix = {
            x: (self.builder.gep(self.pointer(given[x]), [given[f"from_{x}"]]), given[f"row_{x}"])
            for x in (READ_BACK if gradient else READ)
        }

    def pointer(self, address: ir.Value) -> ir.Value:
        """The numbers at an address."""
        return self.builder.inttoptr(address, self.number.as_pointer())

    def number_of(self, bits: ir.Value) -> ir.Value:
        """A number whose bits, in float64, are a word."""
        value = self.builder.bitcast(bits, ir.DoubleType())
        return value if self.bytes == 8 else self.builder.fptrunc(value, self.number)

    def drawn(self, head: ir.Value, query: ir.Value, key: ir.Value) -> tuple[ir.Value, ...]:
        """What says which probabilities are dropped, from a query and a key on; nothing where none are."""
        if not self.dropped:
            return ()
        builder, given = self.builder, self.given
        words, of_key = (builder.inttoptr(given[x], I32.as_pointer()) for x in ("words", "key"))
        first = builder.gep(words, [builder.add(builder.mul(query, given["heads"]), head)])
        return first, given["heads"], key, of_key, given["limit"], self.factor

    def build(self) -> None:
        """Cut texts × heads into blocks, and go over those of one."""
        builder, given = self.builder, self.given
        _, block, blocks = self.function.args
        texts = builder.sub(given["offset_count"], ONE)
        self.dim = builder.sdiv(given["columns_q"], given["heads"])
        self.value_dim = builder.sdiv(given["columns_v"], given["groups"])
        heads = given["groups"] if self.gradient else given["heads"]
        units = builder.mul(texts, heads)
        with builder.if_then(builder.icmp_signed("==", blocks, ZERO)):
            builder.ret(self.answer(texts, units))
        for offsets, count in (("offsets", "tokens"), ("key_offsets", "keys")):
            place = builder.inttoptr(given[offsets], I64.as_pointer())
            last = self.at(place, texts)
            wrong = builder.or_(
                builder.icmp_signed("!=", self.at(place, ZERO), ZERO), builder.icmp_signed("!=", last, given[count])
            )
            with builder.if_then(wrong, likely=False):
                builder.ret(last)
        self.scale, self.factor = (self.number_of(given[x]) for x in ("scale", "factor"))
        memory = builder.gep(self.pointer(given["memory"]), [builder.mul(block, ir.Constant(I64, WORKSPACE))])
        tile = TILE_QUERIES * (TILE_KEYS + APART)
        places = (0, tile, *(2 * tile + n * TILE_QUERIES for n in range(4)))
        self.scores, self.slopes, self.tops, self.sums, self.means, self.small = (
            builder.gep(memory, [ir.Constant(I64, x)]) for x in places
        )
        first, end = (builder.sdiv(builder.mul(x, units), blocks) for x in (block, builder.add(block, ONE)))
        with self.count(end, first) as unit:
            text, head = builder.sdiv(unit, heads), builder.srem(unit, heads)
            (start, queries), (key, keys) = (
                self.bounds(text, *names) for names in (("offsets", "tokens"), ("key_offsets", "keys"))
            )
            (self.backward if self.gradient else self.forward)(head, start, queries, key, keys)
        builder.ret(OK_CONSTANT)

    def answer(self, texts: ir.Value, units: ir.Value) -> ir.Value:
        """Into how many blocks it is cut, and the work. Texts are taken to be equally long."""
        builder, given = self.builder, self.given
        keys = builder.sdiv(given["keys"], self.larger(texts, ONE))
        columns = builder.add(given["columns_q"], builder.mul(given["heads"], self.value_dim))
        work = builder.mul(builder.mul(given["tokens"], keys), columns)
        if self.gradient:
            work = builder.mul(work, ir.Constant(I64, 3))
        work = builder.sdiv(work, ir.Constant(I64, UNIT_MULTIPLICATIONS))
        some = builder.icmp_signed(">", work, ZERO)
        blocks = self.larger(self.smaller(units, ir.Constant(I64, MOST_BLOCKS)), ONE)
        answer = builder.add(blocks, builder.shl(work, ir.Constant(I64, 32)))
        return builder.select(builder.and_(some, builder.icmp_signed(">", blocks, ONE)), answer, ONE)

    def bounds(self, text: ir.Value, offsets: str, count: str) -> tuple[ir.Value, ir.Value]:
        """The first token of a text, and how many it has; refuses offsets that fall or go beyond the tokens."""
        builder = self.builder
        place = builder.inttoptr(self.given[offsets], I64.as_pointer())
        start, end = self.at(place, text), self.at(place, builder.add(text, ONE))
        wrong = builder.or_(builder.icmp_signed("<", end, start), builder.icmp_signed("<", start, ZERO))
        with builder.if_then(builder.or_(wrong, builder.icmp_signed(">", end, self.given[count])), likely=False):
            builder.ret(end)
        return start, builder.sub(end, start)

    def part(self, name: str, row: ir.Value, head: ir.Value, dim: ir.Value) -> tuple[ir.Value, ir.Value]:
        """One head of a matrix from a row on, and the length of its rows."""
        first, length = self.matrix[name]
        place = self.builder.add(self.builder.mul(row, length), self.builder.mul(head, dim))
        return self.builder.gep(first, [place]), length

    def further(self, part: tuple[ir.Value, ir.Value], rows: ir.Value) -> tuple[ir.Value, ir.Value]:
        """A part from so many rows further on."""
        return self.builder.gep(part[0], [self.builder.mul(rows, part[1])]), part[1]

    def multiply(
        self,
        sizes: tuple[ir.Value, ir.Value, ir.Value],
        left: tuple[ir.Value, ir.Value],
        right: tuple[ir.Value, ir.Value],
        output: tuple[ir.Value, ir.Value],
        *,
        turned: str = "",
        factor: ir.Value | None = None,
        kept: ir.Value | float = 0.0,
    ) -> None:
        """output = factor left right + kept output, where `turned` says which of "left" and "right" is transposed.

        Sizes are rows and columns of the output, and the inner size; matrices come with the lengths of their rows. The
        factor is 1 unless it is given.
        """
        factor = self.constant(1) if factor is None else factor
        flags = [ir.Constant(I64, int(turned == side)) for side in ("left", "right")]
        kept = self.constant(kept) if isinstance(kept, float) else kept
        given = [self.given["routine"], *sizes, factor, *left, flags[0], *right, flags[1], kept, *output, self.small]
        self.builder.call(self.parts["multiply"], given)

    def call(self, name: str, *given: Any) -> None:
        """Call a function that works on tiles."""
        values = [ir.Constant(I64, x) if isinstance(x, int) else x for x in given]
        self.builder.call(self.parts[name], values)

    def seen(self, start: ir.Value, rows: ir.Value, queries: ir.Value, keys: ir.Value) -> tuple[ir.Value, ir.Value]:
        """How many keys the first query of a tile sees, and how many the tile does, from the first key of the text on.

        The last query of a text stands at its last key.
        """
        builder = self.builder
        causal = builder.icmp_signed("!=", self.given["causal"], ZERO)
        first = builder.add(builder.add(start, ONE), builder.sub(keys, queries))
        last = self.larger(builder.sub(builder.add(first, rows), ONE), ZERO)
        return builder.select(causal, first, keys), builder.select(causal, last, keys)

    def row_length(self, keys: ir.Value) -> ir.Value:
        """Where the next row of a tile begins: never behind a power of two, as caches dislike these."""
        builder, sixteen = self.builder, ir.Constant(I64, 16)
        most = self.smaller(keys, ir.Constant(I64, TILE_KEYS))
        fours = builder.and_(builder.add(most, ir.Constant(I64, 15)), ir.Constant(I64, -16))
        return builder.add(fours, sixteen)

    def forward(self, head: ir.Value, start: ir.Value, queries: ir.Value, key: ir.Value, keys: ir.Value) -> None:
        """One head of one text."""
        builder, given = self.builder, self.given
        group = builder.sdiv(head, builder.sdiv(given["heads"], given["groups"]))
        q = self.part("q", start, head, self.dim)
        k, v = self.part("k", key, group, self.dim), self.part("v", key, group, self.value_dim)
        length = builder.mul(given["heads"], self.value_dim)
        place = builder.add(builder.mul(start, length), builder.mul(head, self.value_dim))
        output = builder.gep(self.pointer(given["output"]), [place]), length
        with self.count(queries, step=TILE_QUERIES) as i:
            rows = self.smaller(builder.sub(queries, i), ir.Constant(I64, TILE_QUERIES))
            seen, end = self.seen(i, rows, queries, keys)
            result, tile = self.further(output, i), (self.scores, self.row_length(end))
            with builder.if_then(builder.icmp_signed("==", end, ZERO)):
                self.call("clear", *result, rows, self.value_dim)
            with self.count(end, step=TILE_KEYS) as j:
                count = self.smaller(builder.sub(end, j), ir.Constant(I64, TILE_KEYS))
                later = builder.zext(builder.icmp_signed(">", j, ZERO), I64)
                self.score(tile, self.further(q, i), self.further(k, j), rows, count)
                self.powers(tile, rows, count, builder.sub(seen, j), result, later)
                if self.dropped:
                    drawn = self.drawn(head, builder.add(start, i), builder.add(key, j))
                    self.call("drop", *tile, rows, count, *drawn)
                kept = builder.uitofp(later, self.number)
                self.multiply((rows, self.value_dim, count), tile, self.further(v, j), result, kept=kept)
            with builder.if_then(builder.icmp_signed(">", end, ZERO)):
                self.call("divide", *result, rows, self.value_dim, self.sums)

    def score(
        self,
        tile: tuple[ir.Value, ir.Value],
        q: tuple[ir.Value, ir.Value],
        k: tuple[ir.Value, ir.Value],
        rows: ir.Value,
        count: ir.Value,
    ) -> None:
        """tile = scale q kᵀ."""
        self.multiply((rows, count, self.dim), q, k, tile, turned="right", factor=self.scale)

    def powers(
        self,
        tile: tuple[ir.Value, ir.Value],
        rows: ir.Value,
        count: ir.Value,
        seen: ir.Value,
        result: tuple[ir.Value, ir.Value],
        known: ir.Value,
        columns: ir.Value | None = None,
    ) -> None:
        """Scores become powers; see `add_powers`."""
        more = self.builder.zext(self.builder.icmp_signed("!=", self.given["causal"], ZERO), I64)
        of_result = self.value_dim if columns is None else columns
        self.call("powers", *tile, rows, count, seen, more, self.tops, self.sums, *result, of_result, known)

    def backward(self, group: ir.Value, start: ir.Value, queries: ir.Value, key: ir.Value, keys: ir.Value) -> None:
        """One head of keys of one text, with all heads of queries that it serves."""
        builder, given = self.builder, self.given
        k, v = self.part("k", key, group, self.dim), self.part("v", key, group, self.value_dim)
        output = self.pointer(given["output"])
        of_q, of_k, of_v = (given[f"columns_{x}"] for x in "qkv")
        # Side by side in the rows of one matrix, or one matrix after the other.
        joint = builder.icmp_signed("!=", given["joint"], ZERO)
        after_q = builder.select(joint, of_q, builder.mul(given["tokens"], of_q))
        after_k = builder.add(after_q, builder.select(joint, of_k, builder.mul(given["keys"], of_k)))
        together = builder.add(of_q, builder.add(of_k, of_v))
        length_q, length_k, length_v = (builder.select(joint, together, x) for x in (of_q, of_k, of_v))

        def part_of(first: ir.Value, row: ir.Value, length: ir.Value, column: ir.Value) -> tuple[ir.Value, ir.Value]:
            place = builder.add(builder.add(first, builder.mul(row, length)), column)
            return builder.gep(output, [place]), length

        dk = part_of(after_q, key, length_k, builder.mul(group, self.dim))
        dv = part_of(after_k, key, length_v, builder.mul(group, self.value_dim))
        self.call("clear", *dk, keys, self.dim)
        self.call("clear", *dv, keys, self.value_dim)
        each = builder.sdiv(given["heads"], given["groups"])
        with self.count(each) as number:
            head = builder.add(builder.mul(group, each), number)
            q = self.part("q", start, head, self.dim)
            g, y = (self.part(x, start, head, self.value_dim) for x in "gy")
            dq = part_of(ZERO, start, length_q, builder.mul(head, self.dim))
            with self.count(queries, step=TILE_QUERIES) as i:
                rows = self.smaller(builder.sub(queries, i), ir.Constant(I64, TILE_QUERIES))
                own = [self.further(x, i) for x in (q, g, y, dq)]
                places = head, builder.add(start, i), key
                self.tile_of_queries(own, (k, v, dk, dv), rows, *self.seen(i, rows, queries, keys), places)

    def tile_of_queries(
        self, own: Any, others: Any, rows: ir.Value, seen: ir.Value, end: ir.Value, places: Any
    ) -> None:
        """The gradients of some queries, and what they add to those of the keys and values that they see.

        Places are those of the head, the first query and the first key, as `drawn` wants them.
        """
        builder = self.builder
        (q, g, y, dq), (k, v, dk, dv) = own, others
        head, query, key = places
        length = self.row_length(end)
        tile, slopes = (self.scores, length), (self.slopes, length)
        with builder.if_then(builder.icmp_signed("==", end, ZERO)):
            self.call("clear", *dq, rows, self.dim)
        self.call("dots", *g, *y, rows, self.value_dim, self.means)
        several = builder.icmp_signed(">", end, ir.Constant(I64, TILE_KEYS))
        with builder.if_then(several), self.count(end, step=TILE_KEYS) as j:
            count = self.smaller(builder.sub(end, j), ir.Constant(I64, TILE_KEYS))
            later = builder.zext(builder.icmp_signed(">", j, ZERO), I64)
            self.score(tile, q, self.further(k, j), rows, count)
            self.powers(tile, rows, count, builder.sub(seen, j), tile, later, ZERO)
        with self.count(end, step=TILE_KEYS) as j:
            count = self.smaller(builder.sub(end, j), ir.Constant(I64, TILE_KEYS))
            known = builder.select(several, ir.Constant(I64, 2), ZERO)
            some, dsome = (self.further(x, j) for x in (k, dk))
            self.score(tile, q, some, rows, count)
            self.powers(tile, rows, count, builder.sub(seen, j), tile, known, ZERO)
            self.call("divide", *tile, rows, count, self.sums)
            self.multiply((rows, count, self.value_dim), g, self.further(v, j), slopes, turned="right")
            drawn = self.drawn(head, query, builder.add(key, j))
            self.call("slopes", tile[0], *slopes, rows, count, self.means, *drawn)
            self.multiply((count, self.value_dim, rows), tile, g, self.further(dv, j), turned="left", kept=1.0)
            kept = builder.uitofp(builder.icmp_signed(">", j, ZERO), self.number)
            self.multiply((rows, self.dim, count), slopes, some, dq, factor=self.scale, kept=kept)
            self.multiply((count, self.dim, rows), slopes, q, dsome, turned="left", factor=self.scale, kept=1.0)
