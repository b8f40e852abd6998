"""The native code that runs the steps of a program, and that of the workers that help it.

Both work on the memory of the pool, numbers of 8 bytes that all threads read and write as one after another.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from llvmlite import binding, ir

from chainrule.native.llvm.machine import I32, I64, OK_CONSTANT, STEP

#: Places in the memory of a pool, in numbers of 8 bytes; those that threads write often stand 64 bytes apart. The
#: ticket is 2³² times the number of the step under way, plus 2¹⁶ times its first block that nobody has taken, plus the
#: end of these, so that who takes a block by exchanging the ticket knows that what it read of the step belongs to it.
TICKET, DONE, BUSY, RUNNING = 0, 8, 16, 24
SLEEPING, WAITING, CLOSED, WANTED, REFUSED = range(32, 37)
FUNCTION, TABLE, BLOCKS, HELPERS = range(40, 44)
LOCK, UNLOCK, WAIT, WAKE, YIELD, CLOCK = range(48, 54)
MUTEX, WORK, FINISHED = 56, 72, 88
WORDS = 104

#: Looks for work before a thread sleeps, between programs and while one is under way, which may have a part that one
#: thread alone can do; each takes some 20 to 40 nanoseconds.
LOOKS, MORE_LOOKS = 1500, 15_000
#: After so many looks, again and again, a thread lets another have its processor core: where there are more threads
#: than cores, that other one may hold up the step.
PATIENCE = 256
#: Work that waking workers up is worth, of one step or of all in a program's last run, in the unit that steps answer
#: in. To wake one takes the caller some 20 microseconds, and the worker comes some 50 later.
WORTH = 60
#: Places in the notes of a program, in numbers of 8 bytes; see `add_driver`.
FAILED, WORKED, MEMORY, THREADS, RUNS, ALONE, TIME_NOW, TIME_OTHER = range(8)
NOTES = 8
#: Of so many runs, the last few try the other way: without help where there is help, and with it where there is none.
#: The first of them fill the caches anew; what counts is the fastest of them, and of as many before.
PERIOD, TRIALS = 256, 3
#: The other way is taken when it needs less than this part of the time, in sixteenths.
FASTER = 15
#: The system's clock that no one sets.
MONOTONIC = time.CLOCK_MONOTONIC if hasattr(time, "CLOCK_MONOTONIC") else 1
#: Instructions that let a processor wait a moment, by LLVM's names of processors.
PAUSES: dict[str, tuple[str, tuple[int, ...]]] = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.isb", (15,)),
    "arm64": ("llvm.aarch64.isb", (15,)),
}

NONE = ir.Constant(I64, 0)
ONE = ir.Constant(I64, 1)
LEFT = ir.Constant(I64, 2**32 - 1)
SHIFT, END = ir.Constant(I64, 16), ir.Constant(I64, 2**16 - 1)


class _Code:
    """Writes a function that works on the memory of a pool, its first argument."""

    def __init__(self, module: ir.Module, name: str, result: ir.Type, arguments: int) -> None:
        self.function = ir.Function(module, ir.FunctionType(result, [I64.as_pointer(), *[I64] * arguments]), name)
        self.pool, *self.arguments = self.function.args
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def place(self, word: int) -> ir.Value:
        return self.builder.gep(self.pool, [ir.Constant(I64, word)])

    def get(self, word: int) -> ir.Value:
        return self.builder.load_atomic(self.place(word), "seq_cst", 8)

    def set(self, word: int, value: ir.Value) -> None:
        self.builder.store_atomic(value, self.place(word), "seq_cst", 8)

    def add(self, word: int, value: int) -> ir.Value:
        """Add to a word; what it was before."""
        return self.builder.atomic_rmw("add", self.place(word), ir.Constant(I64, value), "seq_cst")

    def exchange(self, word: int, expected: ir.Value, value: ir.Value) -> ir.Value:
        """Write a word where it is what was expected; whether it was."""
        return self.builder.extract_value(
            self.builder.cmpxchg(self.place(word), expected, value, "seq_cst", "seq_cst"), 1
        )

    def same(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.icmp_signed("==", a, b)

    def less(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.icmp_signed("<", a, b)

    def smaller(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.builder.select(self.less(a, b), a, b)

    def routine(self, word: int, *places: int) -> None:
        """Call a function of the system, whose address is in memory, with places in memory."""
        kind = ir.FunctionType(I32, [I64.as_pointer()] * len(places))
        code = self.builder.inttoptr(self.builder.load(self.place(word)), kind.as_pointer())
        self.builder.call(code, [self.place(place) for place in places])

    def clock(self) -> ir.Value:
        """Nanoseconds that have passed since some moment."""
        with self.builder.goto_entry_block():
            held = self.builder.alloca(I64, 2)
        kind = ir.FunctionType(I32, [I32, I64.as_pointer()])
        code = self.builder.inttoptr(self.builder.load(self.place(CLOCK)), kind.as_pointer())
        self.builder.call(code, [ir.Constant(I32, MONOTONIC), held])
        seconds, rest = (self.builder.load(self.builder.gep(held, [ir.Constant(I64, i)])) for i in (0, 1))
        return self.builder.add(self.builder.mul(seconds, ir.Constant(I64, 10**9)), rest)

    def step(self, function: ir.Value, table: ir.Value, block: ir.Value, blocks: ir.Value) -> ir.Value:
        """The answer of a step's function."""
        builder = self.builder
        held = builder.inttoptr(table, I64.as_pointer())
        return builder.call(builder.inttoptr(function, STEP.as_pointer()), [held, block, blocks])

    @contextlib.contextmanager
    def loop(self) -> Iterator[Callable[[ir.Value], None]]:
        """Repeat what is written until the function it gives is told that a condition holds."""
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
        """Repeat for a number from 0 to before the end."""
        with self.builder.goto_entry_block():
            held = self.builder.alloca(I64)
        self.builder.store(NONE, held)
        with self.loop() as leave:
            number = self.builder.load(held)
            leave(self.builder.icmp_signed(">=", number, end))
            yield number, leave
            self.builder.store(self.builder.add(number, ONE), held)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Do what is written under the pool's lock."""
        self.routine(LOCK, MUTEX)
        yield
        self.routine(UNLOCK, MUTEX)

    def wait(self, looks: ir.Value) -> None:
        """Let a moment pass between two looks; now and then, let another thread have the processor core."""
        turn = self.builder.and_(looks, ir.Constant(I64, PATIENCE - 1))
        with self.builder.if_then(self.same(turn, ir.Constant(I64, PATIENCE - 1)), likely=False):
            self.routine(YIELD)
        self.pause()

    def pause(self) -> None:
        """Let the processor wait a moment, where there is an instruction for that."""
        name, numbers = PAUSES.get(binding.get_default_triple().split("-")[0], (None, ()))
        if name is not None:
            kind = ir.FunctionType(ir.VoidType(), [I32] * len(numbers))
            code = self.function.module.globals.get(name) or ir.Function(self.function.module, kind, name)
            self.builder.call(code, [ir.Constant(I32, number) for number in numbers])


def _left(code: _Code, ticket: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The first block that nobody has taken, and the end of these."""
    builder = code.builder
    return builder.lshr(builder.and_(ticket, LEFT), SHIFT), builder.and_(ticket, END)


def _open(code: _Code, number: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The ticket, and whether helper `number` may take a block of the step under way."""
    ticket = code.get(TICKET)
    return ticket, code.builder.and_(code.less(*_left(code, ticket)), code.less(number, code.get(HELPERS)))


def _take(module: ir.Module, name: str) -> ir.Function:
    """(pool, number of the helper, -1 for the caller): work off blocks until there are no more.

    The caller, and every other helper, takes them from the first on, the others from the last: so of two threads each
    gets about the same part of one step's arrays as of the next one's, and finds it in its own caches.
    """
    code = _Code(module, f"{name}_take", ir.VoidType(), 1)
    code.function.linkage = "internal"
    builder = code.builder
    from_first = code.same(builder.and_(code.arguments[0], ONE), ONE)
    with code.loop() as leave:
        ticket, open_ = _open(code, code.arguments[0])
        leave(builder.not_(open_))
        function, table, blocks = code.get(FUNCTION), code.get(TABLE), code.get(BLOCKS)
        first, end = _left(code, ticket)
        block = builder.select(from_first, first, builder.sub(end, ONE))
        taken = builder.select(from_first, builder.add(ticket, builder.shl(ONE, SHIFT)), builder.sub(ticket, ONE))
        with builder.if_then(code.exchange(TICKET, ticket, taken)):
            status = code.step(function, table, block, blocks)
            with builder.if_then(builder.icmp_signed("!=", status, OK_CONSTANT), likely=False):
                code.set(REFUSED, ONE)
            done = builder.add(code.add(DONE, 1), ONE)
            last = code.same(done, blocks)
            with builder.if_then(builder.and_(last, code.same(code.get(WAITING), ONE)), likely=False):
                with code.locked():
                    pass  # the caller has begun to wait
                code.routine(WAKE, FINISHED)
    builder.ret_void()
    return code.function


def _alone(module: ir.Module, name: str) -> ir.Function:
    """(pool, function, table, blocks) to a status: work off all blocks in order."""
    code = _Code(module, f"{name}_alone", I64, 3)
    code.function.linkage = "internal"
    function, table, blocks = code.arguments
    with code.count(blocks) as (block, _):
        status = code.step(function, table, block, blocks)
        with code.builder.if_then(code.builder.icmp_signed("!=", status, OK_CONSTANT), likely=False):
            code.builder.ret(status)
    code.builder.ret(OK_CONSTANT)
    return code.function


def _share(module: ir.Module, name: str) -> ir.Function:
    """(pool, function, table, blocks, helpers, work) to a status: work off all blocks with so many helpers at most."""
    take, alone = _take(module, name), _alone(module, name)
    code = _Code(module, f"{name}_share", I64, 5)
    code.function.linkage = "internal"
    function, table, blocks, helpers, work = code.arguments
    builder = code.builder
    few = code.less(blocks, builder.add(END, ONE))  # a ticket has room for
    with builder.if_then(builder.not_(builder.and_(few, code.less(NONE, helpers)))):
        builder.ret(builder.call(alone, [code.pool, function, table, blocks]))
    with builder.if_then(builder.not_(code.exchange(BUSY, NONE, ONE))):
        builder.ret(builder.call(alone, [code.pool, function, table, blocks]))
    for word, value in ((FUNCTION, function), (TABLE, table), (BLOCKS, blocks), (HELPERS, helpers)):
        code.set(word, value)
    for word in (DONE, WAITING, REFUSED):
        code.set(word, NONE)
    number = builder.add(builder.or_(code.get(TICKET), LEFT), ONE)
    code.set(TICKET, builder.add(number, blocks))
    worth = code.less(ir.Constant(I64, WORTH - 1), work)
    with builder.if_then(builder.and_(worth, code.less(NONE, code.get(SLEEPING))), likely=False):
        with code.locked():
            pass  # who was about to sleep does so now, and is woken
        code.routine(WAKE, WORK)
    builder.call(take, [code.pool, ir.Constant(I64, -1)])
    with code.count(ir.Constant(I64, LOOKS)) as (looks, leave):
        leave(code.same(code.get(DONE), blocks))
        code.wait(looks)
    with builder.if_then(builder.not_(code.same(code.get(DONE), blocks)), likely=False), code.locked():
        code.set(WAITING, ONE)
        with code.loop() as leave:
            leave(code.same(code.get(DONE), blocks))
            code.routine(WAIT, FINISHED, MUTEX)
    refused = code.same(code.get(REFUSED), ONE)
    code.set(BUSY, NONE)
    with builder.if_then(refused, likely=False):
        # Whatever block was the first to refuse something: said is what refuses first in order.
        builder.ret(builder.call(alone, [code.pool, function, table, blocks]))
    builder.ret(OK_CONSTANT)
    return code.function


def _weigh(module: ir.Module, name: str, run: ir.Function) -> ir.Function:
    """(pool, threads, steps, how many, notes) to a status: run with help, or without where that is faster.

    Help costs more than it gives where the cores have no cache in common, or other programs keep them busy. Times are
    compared relative to the work, as sizes may change from run to run.
    """
    code = _Code(module, f"{name}_weigh", I64, 4)
    code.function.linkage = "internal"
    threads, steps, count, notes = code.arguments
    builder = code.builder
    held = builder.inttoptr(notes, I64.as_pointer())
    alone, runs, now, other = (builder.gep(held, [ir.Constant(I64, i)]) for i in (ALONE, RUNS, TIME_NOW, TIME_OTHER))
    turn = builder.and_(builder.load(runs), ir.Constant(I64, PERIOD - 1))
    watched, tried = (ir.Constant(I64, PERIOD - n * TRIALS) for n in (2, 1))
    trial = builder.not_(code.less(turn, tried))
    without = builder.xor(code.same(builder.load(alone), ONE), trial)
    started = code.clock()
    status = builder.call(run, [code.pool, builder.select(without, ONE, threads), steps, count, notes])
    spent = builder.sub(code.clock(), started)
    work = builder.load(builder.gep(held, [ir.Constant(I64, WORKED)]))
    with builder.if_then(
        builder.or_(builder.icmp_signed("!=", status, OK_CONSTANT), code.same(work, NONE)), likely=False
    ):
        builder.ret(status)
    with builder.if_then(builder.not_(code.less(turn, watched)), likely=False):
        took, place = builder.udiv(builder.shl(spent, ir.Constant(I64, 8)), work), builder.select(trial, other, now)
        first = builder.or_(code.same(turn, watched), code.same(turn, tried))
        builder.store(builder.select(first, took, code.smaller(took, builder.load(place))), place)
    with builder.if_then(code.same(turn, ir.Constant(I64, PERIOD - 1)), likely=False):
        least = builder.mul(builder.load(now), ir.Constant(I64, FASTER))
        faster = code.less(builder.shl(builder.load(other), ir.Constant(I64, 4)), least)
        builder.store(builder.xor(builder.load(alone), builder.zext(faster, I64)), alone)
    builder.store(builder.add(builder.load(runs), ONE), runs)
    builder.ret(OK_CONSTANT)
    return code.function


def add_driver(module: ir.Module, name: str) -> None:
    """Add the function `name` to a module: (steps, how many, notes) to a status.

    Steps are pairs of whole numbers: the address of a function, a `STEP`, and of its table. The first step that does
    not return `OK_STATUS` ends the run. Of the notes, the caller writes the address of the pool and the number of threads
    that may work on the program, from 1. Each run writes the number of the step that ended it and the work of the steps that
    were cut. With several threads the notes hold, too, how many runs there were that cut a step, whether the program
    does without help, and how long it takes in this way and in the other (see `_weigh`), all 0 at first.
    """
    run = _run(module, name)
    weigh = _weigh(module, name, run)
    function = ir.Function(module, ir.FunctionType(I64, [I64] * 3), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    steps, count, notes = function.args
    held = builder.inttoptr(notes, I64.as_pointer())
    pool, threads, work = (builder.load(builder.gep(held, [ir.Constant(I64, i)])) for i in (MEMORY, THREADS, WORKED))
    memory = builder.inttoptr(pool, I64.as_pointer())
    given = memory, threads, steps, count, notes
    clock = builder.load(builder.gep(memory, [ir.Constant(I64, CLOCK)]))  # a system without threads has none
    shared = builder.and_(builder.icmp_signed(">", threads, ONE), builder.icmp_signed(">", work, NONE))
    with builder.if_then(builder.and_(shared, builder.icmp_signed("!=", clock, NONE))):
        builder.ret(builder.call(weigh, given))
    builder.ret(builder.call(run, given))


def _run(module: ir.Module, name: str) -> ir.Function:
    """(pool, threads, steps, how many, notes) to a status."""
    share = _share(module, name)
    code = _Code(module, f"{name}_run", I64, 4)
    code.function.linkage = "internal"
    threads, steps, count, notes = code.arguments
    builder = code.builder
    pairs, failed = (builder.inttoptr(x, I64.as_pointer()) for x in (steps, notes))
    total = builder.gep(failed, [ir.Constant(I64, WORKED)])
    before, sum_ = builder.load(total), builder.alloca(I64)
    builder.store(NONE, sum_)
    code.add(RUNNING, 1)
    with code.count(count) as (step, _):
        first = builder.shl(step, ONE)
        function, table = (builder.load(builder.gep(pairs, [x])) for x in (first, builder.add(first, ONE)))
        answer = code.step(function, table, NONE, NONE)
        blocks, work = builder.and_(answer, LEFT), builder.lshr(answer, ir.Constant(I64, 32))
        with builder.if_else(code.same(blocks, ONE)) as (whole, cut):
            with whole:
                finished = code.step(function, table, NONE, ONE)
                whole_end = builder.block
            with cut:
                wanted = builder.sub(code.smaller(threads, blocks), ONE)
                with builder.if_then(code.less(code.get(WANTED), wanted), likely=False):
                    code.set(WANTED, wanted)
                helpers = code.smaller(wanted, builder.sub(threads, code.get(RUNNING)))
                builder.store(builder.add(builder.load(sum_), work), sum_)
                most = builder.select(code.less(work, before), before, work)
                shared = builder.call(share, [code.pool, function, table, blocks, helpers, most])
                cut_end = builder.block
        status = builder.phi(I64)
        status.add_incoming(finished, whole_end)
        status.add_incoming(shared, cut_end)
        with builder.if_then(builder.icmp_signed("!=", status, OK_CONSTANT), likely=False):
            builder.store(step, failed)
            code.add(RUNNING, -1)
            builder.ret(status)
    builder.store(builder.load(sum_), total)
    code.add(RUNNING, -1)
    builder.ret(OK_CONSTANT)
    return code.function


def add_worker(module: ir.Module, name: str) -> None:
    """Add the function `name` to a module: (pool, number of the helper), which helps until the pool is closed."""
    take = _take(module, name)
    code = _Code(module, name, I64, 1)
    number, builder = code.arguments[0], code.builder
    with code.loop() as leave:
        leave(code.same(code.get(CLOSED), ONE))
        with code.count(ir.Constant(I64, MORE_LOOKS)) as (looks, found):
            found(_open(code, number)[1])
            few, none = code.less(looks, ir.Constant(I64, LOOKS)), code.same(code.get(RUNNING), NONE)
            found(builder.and_(builder.not_(few), none))
            code.wait(looks)
        with builder.if_else(_open(code, number)[1]) as (work, sleep):
            with work:
                builder.call(take, [code.pool, number])
            with sleep, code.locked():
                code.add(SLEEPING, 1)
                stay = builder.or_(_open(code, number)[1], code.same(code.get(CLOSED), ONE))
                with builder.if_then(builder.not_(stay)):
                    code.routine(WAIT, WORK, MUTEX)
                code.add(SLEEPING, -1)
    builder.ret(OK_CONSTANT)
