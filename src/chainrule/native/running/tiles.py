"""Native functions over the rows of a tile: of the scores of some queries and some keys, which attention makes.

A tile has the numbers of some rows of at most so many columns, and each row begins so many numbers after the one
before. Rows of tiles end at a multiple of the lanes of a vector, so that whole vectors are read and written; those of
the arrays of a program do not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir

from chainrule.blocks.chance import Threefry
from chainrule.native.llvm.formats import FLOAT32, FLOAT64
from chainrule.native.llvm.lanes import splat, undefined, vector_of
from chainrule.native.llvm.machine import I1, I8, I32, I64, width
from chainrule.native.llvm.number import Number
from chainrule.native.llvm.words import Words
from chainrule.native.running.code import Code
from chainrule.native.running.pool_memory import ZERO

#: Arguments that say what is dropped: the random word of the first row's query, and how many words on that of the next
#: row's stands; the place of the first column's key; the address of the words of the key that draws; see `Attention`.
Drawn: TypeAlias = tuple[ir.Value, ir.Value, ir.Value, ir.Value, ir.Value, ir.Value]
DRAWN = "wiiwix"


class Rows(Code):
    """Writes a function over rows of numbers of a type."""

    def __init__(self, function: ir.Function, number: ir.Type) -> None:
        super().__init__(function.module, ir.IRBuilder(function.append_basic_block("entry")))
        self.function = function
        self.number = number
        self.bytes = 8 if isinstance(number, ir.DoubleType) else 4
        self.lanes = width() // self.bytes
        self.vector = ir.VectorType(number, self.lanes)

    def constant(self, value: float) -> ir.Constant:
        """A number."""
        return ir.Constant(self.number, value)

    def all(self, value: ir.Value) -> ir.Value:
        """A number in every lane."""
        return splat(self.builder, value, self.lanes)

    @contextlib.contextmanager
    def count(self, end: ir.Value, start: ir.Value = ZERO, step: int = 1) -> Iterator[ir.Value]:
        """Repeat what is written inside for start, start + step, ... below an end."""
        place = self.variable(start)
        with self.loop(lambda: self.builder.icmp_signed("<", self.builder.load(place), end)):
            number = self.builder.load(place)
            yield number
            self.builder.store(self.builder.add(number, ir.Constant(I64, step)), place)

    def row(self, first: ir.Value, length: ir.Value, number: ir.Value) -> ir.Value:
        """Where a row begins."""
        return self.builder.gep(first, [self.builder.mul(length, number)])

    def read(self, row: ir.Value, place: ir.Value) -> ir.Value:
        """A vector from a place on; it need not begin at a multiple of its size."""
        address = self.builder.bitcast(self.builder.gep(row, [place]), self.vector.as_pointer())
        return self.builder.load(address, align=self.bytes)

    def write(self, value: ir.Value, row: ir.Value, place: ir.Value) -> None:
        """Write a vector."""
        address = self.builder.bitcast(self.builder.gep(row, [place]), self.vector.as_pointer())
        self.builder.store(value, address, align=self.bytes)

    def up_to(self, end: ir.Value, body: Callable[[ir.Value, Callable[[ir.Value, ir.Value], ir.Value]], None]) -> None:
        """Go over the first numbers of a row of a tile, by vectors; the last of them may reach beyond the end.

        The body gets the place of a vector, and a function of a vector and another one, which gives the numbers of the
        second in the lanes beyond the end.
        """
        whole = self.builder.and_(end, ir.Constant(I64, -self.lanes))
        with self.count(whole, step=self.lanes) as place:
            body(place, lambda x, _: x)
        with self.builder.if_then(self.builder.icmp_signed("<", whole, end)):
            lanes = self.below(whole, end)
            body(whole, lambda x, other: self.builder.select(lanes, x, other))

    def below(self, place: ir.Value, end: ir.Value) -> ir.Value:
        """Of the lanes of a vector that begins at a place, which stand before an end."""
        left = self.builder.trunc(self.smaller(self.builder.sub(end, place), ir.Constant(I64, self.lanes)), I32)
        return self.builder.icmp_signed("<", vector_of(I32, *range(self.lanes)), splat(self.builder, left, self.lanes))

    def smaller(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of two whole numbers."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def larger(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The larger of two whole numbers."""
        return self.builder.select(self.builder.icmp_signed(">", a, b), a, b)

    def largest(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The larger of two numbers, or of those in each lane; b where a is none."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def folded(self, x: ir.Value, combine: Callable[[ir.Value, ir.Value], ir.Value]) -> ir.Value:
        """The lanes of a vector as one number: both halves are combined, until one lane is left."""
        count = self.lanes
        while count > 1:
            count //= 2
            high = [count + i % count for i in range(self.lanes)]
            x = combine(x, self.builder.shuffle_vector(x, undefined(self.number, self.lanes), vector_of(I32, *high)))
        return self.builder.extract_element(x, ir.Constant(I32, 0))

    def power(self, x: ir.Value) -> ir.Value:
        """eˣ for x ≤ 0, where what is below the smallest normal number is 0: half the instructions of any x."""
        format = FLOAT64 if self.bytes == 8 else FLOAT32
        given, least = Number(self.builder, x, format), float((1 - format.bias) * np.log(2.0))
        tiny = given.is_("<", least)
        held = given.replaced(tiny, least)
        k, k_bits = held.nearest(1 / np.log(2.0))
        high, low = format.ln2
        r = k.fma(-low, k.fma(-high, held))
        y = ((r * r).fma(r.polynomial(format.exp), r) + 1.0) * held.power_of_two(k_bits)
        return y.replaced(tiny, 0.0).value

    def factors(self, drawn: Drawn, row: ir.Value) -> Callable[[ir.Value], ir.Value]:
        """What the probabilities of a row are multiplied by: a function of the place of a vector; see `DRAWN`."""
        builder = self.builder
        words, apart, first, key, limit, factor = drawn
        of_row = self.at(words, builder.mul(row, apart))
        given = [self.at(key, ir.Constant(I64, i)) for i in range(2)]
        of_row, *given, least = (splat(builder, x, self.lanes) for x in (of_row, *given, builder.trunc(limit, I32)))
        kept, dropped = self.all(factor), self.all(self.constant(0))

        def found(place: ir.Value) -> ir.Value:
            start = splat(builder, builder.trunc(builder.add(first, place), I32), self.lanes)
            columns = builder.add(start, vector_of(I32, *range(self.lanes)))
            word = Threefry().forward(None, *(Words(builder, x) for x in (columns, of_row, *given)))
            return builder.select(builder.icmp_unsigned(">=", word.value, least), kept, dropped)

        return found

    def across(self, columns: ir.Value, vector: Callable[[ir.Value], None], single: Callable[[ir.Value], None]) -> None:
        """Go over a row of an array: by vectors as far as these reach, and then number by number."""
        whole = self.builder.and_(columns, ir.Constant(I64, -self.lanes))
        with self.count(whole, step=self.lanes) as place:
            vector(place)
        with self.count(columns, whole) as place:
            single(place)

    def times(self, row: ir.Value, columns: ir.Value, factor: ir.Value) -> None:
        """Multiply a row of an array."""
        builder, factors = self.builder, self.all(factor)

        def single(place: ir.Value) -> None:
            address = builder.gep(row, [place])
            builder.store(builder.fmul(builder.load(address), factor), address)

        self.across(columns, lambda place: self.write(builder.fmul(self.read(row, place), factors), row, place), single)


def begun(module: ir.Module, name: str, number: ir.Type, kinds: str) -> Rows:
    """A function of its module alone, by a letter an argument.

    They are "p" address of numbers, "w" address of random words, "i" whole number, "x" number.
    """
    types = {"p": number.as_pointer(), "w": I32.as_pointer(), "i": I64, "x": number}
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [types[kind] for kind in kinds]), name)
    function.linkage = "internal"
    return Rows(function, number)


def add_clear(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """(array, length of a row, rows, columns): write zeros."""
    code = begun(module, name, number, "piii")
    array, length, rows, columns = code.function.args
    text = I8.as_pointer()
    memset = module.declare_intrinsic("llvm.memset", [text, I64])
    size = code.builder.mul(columns, ir.Constant(I64, code.bytes))
    with code.count(rows) as i:
        row = code.builder.bitcast(code.row(array, length, i), text)
        code.builder.call(memset, [row, ir.Constant(I8, 0), size, ir.Constant(I1, 0)])
    code.builder.ret_void()
    return code.function


def add_powers(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """Scores become powers e^(s - m) with the largest score m of a row; what is not seen becomes 0.

    Arguments: the tile, the length of a row, rows, columns; how many of its keys the first row sees, and how many more
    each row sees than the one before; m of each row and the sum of its powers; the results so far, the length of their
    rows, their columns; and what is known: 0 for the first tile of these queries; 1 for another, which raises m if it
    has a larger score, so that sum and results are multiplied by e^(m before - m); 2 where m is known already, and
    neither it nor the sum changes.
    """
    code = begun(module, name, number, "piiiiipppiii")
    builder = code.builder
    tile, length, rows, columns, seen, more, tops, sums, results, width_, of_result, known = code.function.args
    zeros, least = code.all(code.constant(0)), code.all(code.constant(-np.inf))
    first, given = (builder.icmp_signed("==", known, ir.Constant(I64, x)) for x in (0, 2))
    with code.count(rows) as i:
        row, top, sum_ = code.row(tile, length, i), builder.gep(tops, [i]), builder.gep(sums, [i])
        end = code.larger(code.smaller(columns, builder.add(seen, builder.mul(more, i))), ZERO)
        before = builder.load(top)
        with builder.if_then(builder.not_(given)):
            best = code.variable(least)

            def compare(place: ir.Value, within: Any, row: ir.Value = row, best: ir.Value = best) -> None:
                builder.store(code.largest(within(code.read(row, place), least), builder.load(best)), best)

            code.up_to(end, compare)
            new = code.folded(builder.load(best), code.largest)
            old = builder.select(first, code.constant(-np.inf), before)
            builder.store(code.largest(new, old), top)
        now = builder.load(top)
        total, tops_ = code.variable(zeros), code.all(now)

        def raise_(
            place: ir.Value, within: Any, row: ir.Value = row, tops: ir.Value = tops_, total: ir.Value = total
        ) -> None:
            x = within(code.power(builder.fsub(code.read(row, place), tops)), zeros)
            code.write(x, row, place)
            builder.store(builder.fadd(builder.load(total), x), total)

        code.up_to(end, raise_)
        written = builder.and_(builder.add(end, ir.Constant(I64, code.lanes - 1)), ir.Constant(I64, -code.lanes))
        with code.count(columns, written, code.lanes) as place:
            code.write(zeros, row, place)
        with builder.if_then(builder.not_(given)):
            added = code.folded(builder.load(total), builder.fadd)
            with builder.if_else(first) as (begins, goes_on):
                with begins:
                    builder.store(added, sum_)
                with goes_on:
                    raised = code.variable(code.constant(1))
                    with builder.if_then(builder.fcmp_unordered("!=", before, now)):
                        builder.store(code.power(builder.fsub(before, now)), raised)
                    factor = builder.load(raised)
                    builder.store(builder.fadd(builder.fmul(builder.load(sum_), factor), added), sum_)
                    code.times(code.row(results, width_, i), of_result, factor)
    builder.ret_void()
    return code.function


def add_divide(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """(array, length of a row, rows, columns, sums): divide each row by its sum; by 1 where that is 0."""
    code = begun(module, name, number, "piiip")
    array, length, rows, columns, sums = code.function.args
    builder, one = code.builder, code.constant(1)
    with code.count(rows) as i:
        total = builder.load(builder.gep(sums, [i]))
        total = builder.select(builder.fcmp_ordered("==", total, code.constant(0)), one, total)
        code.times(code.row(array, length, i), columns, builder.fdiv(one, total))
    builder.ret_void()
    return code.function


def add_dots(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """(left, length of its rows, right, length of its rows, rows, columns, sums): Σ left right of each row."""
    code = begun(module, name, number, "pipiiip")
    left, left_length, right, right_length, rows, columns, sums = code.function.args
    builder = code.builder
    with code.count(rows) as i:
        a, b = code.row(left, left_length, i), code.row(right, right_length, i)
        several, rest = code.variable(code.all(code.constant(0))), code.variable(code.constant(0))

        def vector(place: ir.Value, a: ir.Value = a, b: ir.Value = b, total: ir.Value = several) -> None:
            product = builder.fmul(code.read(a, place), code.read(b, place))
            builder.store(builder.fadd(builder.load(total), product), total)

        def single(place: ir.Value, a: ir.Value = a, b: ir.Value = b, total: ir.Value = rest) -> None:
            product = builder.fmul(code.at(a, place), code.at(b, place))
            builder.store(builder.fadd(builder.load(total), product), total)

        code.across(columns, vector, single)
        found = builder.fadd(code.folded(builder.load(several), builder.fadd), builder.load(rest))
        builder.store(found, builder.gep(sums, [i]))
    builder.ret_void()
    return code.function


def add_drop(module: ir.Module, name: str, number: ir.Type) -> ir.Function:
    """(p, length of a row, rows, columns, `DRAWN`): p becomes p m, where m are the factors of what is drawn."""
    code = begun(module, name, number, f"piii{DRAWN}")
    p, length, rows, columns, *drawn = code.function.args
    with code.count(rows) as i:
        weights, factors = code.row(p, length, i), code.factors(tuple(drawn), i)
        with code.count(columns, step=code.lanes) as place:
            code.write(code.builder.fmul(code.read(weights, place), factors(place)), weights, place)
    code.builder.ret_void()
    return code.function


def add_slopes(module: ir.Module, name: str, number: ir.Type, *, dropped: bool) -> ir.Function:
    """(p, d, length of a row, rows, columns, means): d becomes p (d - mean), in two tiles of equal form.

    With what is `DRAWN` behind these, d becomes p (m d - mean), and p becomes p m.
    """
    code = begun(module, name, number, "ppiiip" + (DRAWN if dropped else ""))
    p, d, length, rows, columns, means, *drawn = code.function.args
    builder = code.builder
    with code.count(rows) as i:
        weights, slopes = code.row(p, length, i), code.row(d, length, i)
        mean = code.all(builder.load(builder.gep(means, [i])))
        factors = code.factors(tuple(drawn), i) if dropped else None
        with code.count(columns, step=code.lanes) as place:
            weight, slope = code.read(weights, place), code.read(slopes, place)
            if factors is not None:
                factor = factors(place)
                slope = builder.fmul(slope, factor)
                code.write(builder.fmul(weight, factor), weights, place)
            code.write(builder.fmul(weight, builder.fsub(slope, mean)), slopes, place)
    builder.ret_void()
    return code.function
