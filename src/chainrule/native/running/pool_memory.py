"""The memory that the threads of a pool share, and a writer of native code that works on it.

The memory consists of words of 8 bytes. All threads see all reads and writes of them in the same order.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from llvmlite import binding, ir

from chainrule.native.llvm.machine import I32, I64, STEP

# The words that several threads write often stand 64 bytes apart, each in a cache line of its own.
#: The ticket packs step << 32 | first free block << 16 | end of the free blocks. A thread claims a block by
#: compare-and-exchange; if it succeeds, the FUNCTION, TABLE and BLOCKS it read belong to this step.
TICKET = 0
#: How many blocks of the step are done.
BLOCKS_DONE = 8
#: 1 while a program has the workers to itself.
BUSY = 16
#: How many programs run.
RUNNING = 24
#: How many workers sleep; 1 while the caller waits for the last blocks; 1 when the workers are to end; how many workers
#: programs have wanted so far at most; 1 when a block of the step has refused a value.
SLEEPING, WAITING, CLOSED, WANTED, REFUSED = range(32, 37)
#: Of the step: the address of its function, the address of its table, how many blocks it has, and how many workers may
#: help with it.
FUNCTION, TABLE, BLOCKS, HELPERS = range(40, 44)
#: The addresses of the system's functions.
LOCK, UNLOCK, WAIT, WAKE, YIELD, CLOCK = range(48, 54)
#: The system's lock, and its conditions that there is work and that a step is done.
MUTEX, WORK_CONDITION, DONE_CONDITION = 56, 72, 88
#: How many words there are.
POOL_WORDS = 104

#: A waiting thread lets another have its processor core once in so many spins. Where there are more threads than cores,
#: that other thread may be the one it waits for.
SPINS_PER_YIELD = 256
#: The number of the system's clock that nobody sets.
MONOTONIC_CLOCK = time.CLOCK_MONOTONIC if hasattr(time, "CLOCK_MONOTONIC") else 1
#: The instruction that lets a processor wait a moment, and its operands, by LLVM's names of processors.
PAUSES: dict[str, tuple[str, tuple[int, ...]]] = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.isb", (15,)),
    "arm64": ("llvm.aarch64.isb", (15,)),
}

ZERO, ONE = ir.Constant(I64, 0), ir.Constant(I64, 1)


class PoolCode:
    """Writes a function that works on the memory of a pool, whose address is its first argument."""

    def __init__(self, module: ir.Module, name: str, result: ir.Type, arguments: int) -> None:
        self.function = ir.Function(module, ir.FunctionType(result, [I64.as_pointer(), *[I64] * arguments]), name)
        self.pool, *self.arguments = self.function.args
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def address(self, word: int) -> ir.Value:
        """The address of a word."""
        return self.builder.gep(self.pool, [ir.Constant(I64, word)])

    def get(self, word: int) -> ir.Value:
        """Read a word."""
        return self.builder.load_atomic(self.address(word), "seq_cst", 8)

    def set(self, word: int, value: ir.Value) -> None:
        """Write a word."""
        self.builder.store_atomic(value, self.address(word), "seq_cst", 8)

    def add(self, word: int, value: int) -> ir.Value:
        """Add to a word; what it was before."""
        return self.builder.atomic_rmw("add", self.address(word), ir.Constant(I64, value), "seq_cst")

    def exchange(self, word: int, expected: ir.Value, value: ir.Value) -> ir.Value:
        """Compare and exchange: write a word if it is what was expected; whether it was."""
        return self.builder.extract_value(
            self.builder.cmpxchg(self.address(word), expected, value, "seq_cst", "seq_cst"), 1
        )

    def equal(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Whether a = b."""
        return self.builder.icmp_signed("==", a, b)

    def less(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Whether a < b."""
        return self.builder.icmp_signed("<", a, b)

    def smaller(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of two numbers."""
        return self.builder.select(self.less(a, b), a, b)

    def system(self, word: int, *operands: int) -> None:
        """Call the function of the system whose address is in a word, on the addresses of other words."""
        kind = ir.FunctionType(I32, [I64.as_pointer()] * len(operands))
        function = self.builder.inttoptr(self.builder.load(self.address(word)), kind.as_pointer())
        self.builder.call(function, [self.address(operand) for operand in operands])

    def clock(self) -> ir.Value:
        """The nanoseconds since some moment in the past."""
        with self.builder.goto_entry_block():
            time_spec = self.builder.alloca(I64, 2)
        kind = ir.FunctionType(I32, [I32, I64.as_pointer()])
        function = self.builder.inttoptr(self.builder.load(self.address(CLOCK)), kind.as_pointer())
        self.builder.call(function, [ir.Constant(I32, MONOTONIC_CLOCK), time_spec])
        seconds, rest = (self.builder.load(self.builder.gep(time_spec, [ir.Constant(I64, i)])) for i in (0, 1))
        return self.builder.add(self.builder.mul(seconds, ir.Constant(I64, 10**9)), rest)

    def step(self, function: ir.Value, table: ir.Value, block: ir.Value, blocks: ir.Value) -> ir.Value:
        """Call a step's function (see `STEP`); its result."""
        builder = self.builder
        numbers = builder.inttoptr(table, I64.as_pointer())
        return builder.call(builder.inttoptr(function, STEP.as_pointer()), [numbers, block, blocks])

    @contextlib.contextmanager
    def loop(self) -> Iterator[Callable[[ir.Value], None]]:
        """Repeat what is written inside. The function that it gives leaves the loop where a condition holds."""
        head, after = self.function.append_basic_block("again"), self.function.append_basic_block("after")
        self.builder.branch(head)
        self.builder.position_at_end(head)

        def leave(condition: ir.Value) -> None:
            further = self.function.append_basic_block("further")
            self.builder.cbranch(condition, after, further)
            self.builder.position_at_end(further)

        yield leave
        self.builder.branch(head)
        self.builder.position_at_end(after)

    @contextlib.contextmanager
    def count(self, end: ir.Value) -> Iterator[tuple[ir.Value, Callable[[ir.Value], None]]]:
        """Repeat what is written inside for each number below the end; gives the number, and a function to leave."""
        with self.builder.goto_entry_block():
            counter = self.builder.alloca(I64)
        self.builder.store(ZERO, counter)
        with self.loop() as leave:
            number = self.builder.load(counter)
            leave(self.builder.icmp_signed(">=", number, end))
            yield number, leave
            self.builder.store(self.builder.add(number, ONE), counter)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Do what is written inside under the pool's lock."""
        self.system(LOCK, MUTEX)
        yield
        self.system(UNLOCK, MUTEX)

    def spin(self, spins: ir.Value) -> None:
        """Let a moment pass before the next look at the memory; once in a while, let another thread have the core."""
        last = ir.Constant(I64, SPINS_PER_YIELD - 1)
        with self.builder.if_then(self.equal(self.builder.and_(spins, last), last), likely=False):
            self.system(YIELD)
        self.pause()

    def pause(self) -> None:
        """Let the processor wait a moment, if it has an instruction for that."""
        name, numbers = PAUSES.get(binding.get_default_triple().split("-")[0], (None, ()))
        if name is not None:
            kind = ir.FunctionType(ir.VoidType(), [I32] * len(numbers))
            function = self.function.module.globals.get(name) or ir.Function(self.function.module, kind, name)
            self.builder.call(function, [ir.Constant(I32, number) for number in numbers])
