"""The native code that runs the steps of a program, and that of the workers that help it.

A program asks each step for its blocks and runs it: alone, or shared with the workers of the pool. Who shares a step
claims its blocks one by one, as `pool_memory` describes.
"""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.machine import I64, OK_CONSTANT
from chainrule.native.running.pool_memory import (
    BLOCKS,
    BLOCKS_DONE,
    BUSY,
    CLOCK,
    CLOSED,
    DONE_CONDITION,
    FUNCTION,
    HELPERS,
    MUTEX,
    ONE,
    REFUSED,
    RUNNING,
    SLEEPING,
    TABLE,
    TICKET,
    WAIT,
    WAITING,
    WAKE,
    WANTED,
    WORK_CONDITION,
    ZERO,
    PoolCode,
)
from chainrule.native.running.subnormals import flushed_to_zero

#: How often a thread looks for work before it sleeps. While a program runs it looks more often, as the program may be
#: in a part that one thread has to do alone. A look takes 20 to 40 nanoseconds.
IDLE_SPINS, RUNNING_SPINS = 1500, 15_000
#: The work for which sleeping workers are woken: that of one step, or of all steps in the program's last run, in the
#: unit of the answers of steps. To wake them takes the caller some 20 µs, and they come some 50 µs later.
WORK_TO_WAKE = 60
#: The places of a program's notes, which `add_driver` describes, in words of 8 bytes; and how many there are.
FAILED_STEP, WORK_DONE, POOL_ADDRESS, THREADS, RUNS, ALONE, TIME_NOW, TIME_OTHER = range(8)
NOTE_WORDS = 8
#: The last runs of each period are trials: they run the other way, alone where the program now has help, with help
#: where it runs alone. The fastest trial is compared with the fastest of as many runs before the trials, as the first
#: trial has to fill the caches anew.
RUNS_PER_PERIOD, TRIALS_PER_PERIOD = 256, 3
#: The program changes to the other way if that takes less than so many sixteenths of the time.
FASTER_SIXTEENTHS = 15

LOW_32_BITS = ir.Constant(I64, 2**32 - 1)
BLOCK_SHIFT, LOW_16_BITS = ir.Constant(I64, 16), ir.Constant(I64, 2**16 - 1)


def _free_blocks(code: PoolCode, ticket: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The first block that nobody has claimed, and the end of these blocks."""
    builder = code.builder
    return builder.lshr(builder.and_(ticket, LOW_32_BITS), BLOCK_SHIFT), builder.and_(ticket, LOW_16_BITS)


def _claimable(code: PoolCode, number: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The ticket, and whether helper `number` may claim a block of the step under way."""
    ticket = code.get(TICKET)
    return ticket, code.builder.and_(code.less(*_free_blocks(code, ticket)), code.less(number, code.get(HELPERS)))


def _take(module: ir.Module, name: str) -> ir.Function:
    """(pool, number of the helper, -1 for the caller): claim and run blocks until none is free.

    The caller and every other helper claim blocks from the first one on, the other helpers from the last one on. So
    each of two threads works on about the same part of the arrays in every step, and finds it in its own caches.
    """
    code = PoolCode(module, f"{name}_take", ir.VoidType(), 1)
    code.function.linkage = "internal"
    builder = code.builder
    from_first = code.equal(builder.and_(code.arguments[0], ONE), ONE)
    with code.loop() as leave:
        ticket, claimable = _claimable(code, code.arguments[0])
        leave(builder.not_(claimable))
        function, table, blocks = code.get(FUNCTION), code.get(TABLE), code.get(BLOCKS)
        first, end = _free_blocks(code, ticket)
        block = builder.select(from_first, first, builder.sub(end, ONE))
        claimed = builder.select(
            from_first, builder.add(ticket, builder.shl(ONE, BLOCK_SHIFT)), builder.sub(ticket, ONE)
        )
        with builder.if_then(code.exchange(TICKET, ticket, claimed)):
            status = code.step(function, table, block, blocks)
            with builder.if_then(builder.icmp_signed("!=", status, OK_CONSTANT), likely=False):
                code.set(REFUSED, ONE)
            done = builder.add(code.add(BLOCKS_DONE, 1), ONE)
            last = code.equal(done, blocks)
            with builder.if_then(builder.and_(last, code.equal(code.get(WAITING), ONE)), likely=False):
                with code.locked():
                    pass  # the caller holds the lock until it sleeps: now it does, and can be woken
                code.system(WAKE, DONE_CONDITION)
    builder.ret_void()
    return code.function


def _alone(module: ir.Module, name: str) -> ir.Function:
    """(pool, function, table, blocks) to a status: run all blocks of a step in order."""
    code = PoolCode(module, f"{name}_alone", I64, 3)
    code.function.linkage = "internal"
    function, table, blocks = code.arguments
    with code.count(blocks) as (block, _):
        status = code.step(function, table, block, blocks)
        with code.builder.if_then(code.builder.icmp_signed("!=", status, OK_CONSTANT), likely=False):
            code.builder.ret(status)
    code.builder.ret(OK_CONSTANT)
    return code.function


def _share(module: ir.Module, name: str) -> ir.Function:
    """(pool, function, table, blocks, helpers, work) to a status: run a step with the help of so many workers at most.

    Without helpers, or with the workers busy for another program, the caller runs all blocks.
    """
    take, alone = _take(module, name), _alone(module, name)
    code = PoolCode(module, f"{name}_share", I64, 5)
    code.function.linkage = "internal"
    function, table, blocks, helpers, work = code.arguments
    builder = code.builder
    fits_ticket = code.less(blocks, builder.add(LOW_16_BITS, ONE))
    with builder.if_then(builder.not_(builder.and_(fits_ticket, code.less(ZERO, helpers)))):
        builder.ret(builder.call(alone, [code.pool, function, table, blocks]))
    with builder.if_then(builder.not_(code.exchange(BUSY, ZERO, ONE))):
        builder.ret(builder.call(alone, [code.pool, function, table, blocks]))
    for word, value in ((FUNCTION, function), (TABLE, table), (BLOCKS, blocks), (HELPERS, helpers)):
        code.set(word, value)
    for word in (BLOCKS_DONE, WAITING, REFUSED):
        code.set(word, ZERO)
    next_step = builder.add(builder.or_(code.get(TICKET), LOW_32_BITS), ONE)
    code.set(TICKET, builder.add(next_step, blocks))
    enough = code.less(ir.Constant(I64, WORK_TO_WAKE - 1), work)
    with builder.if_then(builder.and_(enough, code.less(ZERO, code.get(SLEEPING))), likely=False):
        with code.locked():
            pass  # a worker holds the lock until it sleeps: all that were about to sleep now do, and can be woken
        code.system(WAKE, WORK_CONDITION)
    builder.call(take, [code.pool, ir.Constant(I64, -1)])
    with code.count(ir.Constant(I64, IDLE_SPINS)) as (spins, leave):
        leave(code.equal(code.get(BLOCKS_DONE), blocks))
        code.spin(spins)
    with builder.if_then(builder.not_(code.equal(code.get(BLOCKS_DONE), blocks)), likely=False), code.locked():
        code.set(WAITING, ONE)
        with code.loop() as leave:
            leave(code.equal(code.get(BLOCKS_DONE), blocks))
            code.system(WAIT, DONE_CONDITION, MUTEX)
    refused = code.equal(code.get(REFUSED), ONE)
    code.set(BUSY, ZERO)
    with builder.if_then(refused, likely=False):
        # Blocks refuse in any order. Run in order, the step returns the first value that it refuses.
        builder.ret(builder.call(alone, [code.pool, function, table, blocks]))
    builder.ret(OK_CONSTANT)
    return code.function


def _weigh(module: ir.Module, name: str, run: ir.Function) -> ir.Function:
    """(pool, threads, steps, how many, notes) to a status: run with help, or alone where that is faster.

    Help costs more than it gives where the cores share no cache, or where other programs keep them busy. Times are
    compared relative to the work, as the sizes may change from run to run.
    """
    code = PoolCode(module, f"{name}_weigh", I64, 4)
    code.function.linkage = "internal"
    threads, steps, count, notes = code.arguments
    builder = code.builder
    first_note = builder.inttoptr(notes, I64.as_pointer())
    alone, runs, now, other = (
        builder.gep(first_note, [ir.Constant(I64, i)]) for i in (ALONE, RUNS, TIME_NOW, TIME_OTHER)
    )
    turn = builder.and_(builder.load(runs), ir.Constant(I64, RUNS_PER_PERIOD - 1))
    first_timed, first_trial = (ir.Constant(I64, RUNS_PER_PERIOD - n * TRIALS_PER_PERIOD) for n in (2, 1))
    trial = builder.not_(code.less(turn, first_trial))
    without_help = builder.xor(code.equal(builder.load(alone), ONE), trial)
    started = code.clock()
    status = builder.call(run, [code.pool, builder.select(without_help, ONE, threads), steps, count, notes])
    spent = builder.sub(code.clock(), started)
    work = builder.load(builder.gep(first_note, [ir.Constant(I64, WORK_DONE)]))
    failed = builder.icmp_signed("!=", status, OK_CONSTANT)
    with builder.if_then(builder.or_(failed, code.equal(work, ZERO)), likely=False):
        builder.ret(status)
    with builder.if_then(builder.not_(code.less(turn, first_timed)), likely=False):
        took, place = builder.udiv(builder.shl(spent, ir.Constant(I64, 8)), work), builder.select(trial, other, now)
        first = builder.or_(code.equal(turn, first_timed), code.equal(turn, first_trial))
        builder.store(builder.select(first, took, code.smaller(took, builder.load(place))), place)
    with builder.if_then(code.equal(turn, ir.Constant(I64, RUNS_PER_PERIOD - 1)), likely=False):
        limit = builder.mul(builder.load(now), ir.Constant(I64, FASTER_SIXTEENTHS))
        faster = code.less(builder.shl(builder.load(other), ir.Constant(I64, 4)), limit)
        builder.store(builder.xor(builder.load(alone), builder.zext(faster, I64)), alone)
    builder.store(builder.add(builder.load(runs), ONE), runs)
    builder.ret(OK_CONSTANT)
    return code.function


def add_driver(module: ir.Module, name: str) -> None:
    """Add the function `name` to a module: (steps, how many, notes) to a status.

    A step is a pair of whole numbers: the address of a function, a `STEP`, and that of its table. The first step that
    does not return `OK_STATUS` ends the run, and the run returns its status.

    The notes are words of 8 bytes, all 0 at first. The caller writes two of them: POOL_ADDRESS, and THREADS, how many
    may work on the program. Each run writes FAILED_STEP, the number of the step that ended it, or WORK_DONE, the work
    of all steps that are cut into blocks. With several threads, `_weigh` keeps the others: RUNS, how many runs had such
    a step; ALONE, 1 while the program runs without help; and the times it takes this way and the other way.
    """
    choose = _choose(module, name)
    function = ir.Function(module, choose.function_type, name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    with flushed_to_zero(builder):
        status = builder.call(choose, function.args)
    builder.ret(status)


def _choose(module: ir.Module, name: str) -> ir.Function:
    """(steps, how many, notes) to a status: run with one thread, or weigh whether several are faster."""
    run = add_run(module, name)
    weigh = _weigh(module, name, run)
    function = ir.Function(module, ir.FunctionType(I64, [I64] * 3), f"{name}_choose")
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    steps, count, notes = function.args
    first_note = builder.inttoptr(notes, I64.as_pointer())
    pool, threads, work = (
        builder.load(builder.gep(first_note, [ir.Constant(I64, i)])) for i in (POOL_ADDRESS, THREADS, WORK_DONE)
    )
    memory = builder.inttoptr(pool, I64.as_pointer())
    given = memory, threads, steps, count, notes
    clock = builder.load(builder.gep(memory, [ir.Constant(I64, CLOCK)]))  # 0 on a system without POSIX threads
    shared = builder.and_(builder.icmp_signed(">", threads, ONE), builder.icmp_signed(">", work, ZERO))
    with builder.if_then(builder.and_(shared, builder.icmp_signed("!=", clock, ZERO))):
        builder.ret(builder.call(weigh, given))
    builder.ret(builder.call(run, given))
    return function


def add_run(module: ir.Module, name: str) -> ir.Function:
    """(pool, threads, steps, how many, notes) to a status: run the steps one after another."""
    share = _share(module, name)
    code = PoolCode(module, f"{name}_run", I64, 4)
    code.function.linkage = "internal"
    threads, steps, count, notes = code.arguments
    builder = code.builder
    pairs, failed = (builder.inttoptr(x, I64.as_pointer()) for x in (steps, notes))
    total = builder.gep(failed, [ir.Constant(I64, WORK_DONE)])
    before, sum_ = builder.load(total), builder.alloca(I64)
    builder.store(ZERO, sum_)
    code.add(RUNNING, 1)
    with code.count(count) as (step, _):
        first = builder.shl(step, ONE)
        function, table = (builder.load(builder.gep(pairs, [x])) for x in (first, builder.add(first, ONE)))
        answer = code.step(function, table, ZERO, ZERO)
        blocks, work = builder.and_(answer, LOW_32_BITS), builder.lshr(answer, ir.Constant(I64, 32))
        with builder.if_else(code.equal(blocks, ONE)) as (whole, cut):
            with whole:
                finished = code.step(function, table, ZERO, ONE)
                whole_end = builder.block
            with cut:
                wanted = builder.sub(code.smaller(threads, blocks), ONE)
                with builder.if_then(code.less(code.get(WANTED), wanted), likely=False):
                    code.set(WANTED, wanted)
                # Each program that runs besides has a thread of its own, which takes the place of a helper.
                helpers = code.smaller(wanted, builder.sub(threads, code.get(RUNNING)))
                builder.store(builder.add(builder.load(sum_), work), sum_)
                expected = builder.select(code.less(work, before), before, work)
                shared = builder.call(share, [code.pool, function, table, blocks, helpers, expected])
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
    code = PoolCode(module, name, I64, 1)
    number, builder = code.arguments[0], code.builder
    with flushed_to_zero(builder), code.loop() as leave:
        leave(code.equal(code.get(CLOSED), ONE))
        with code.count(ir.Constant(I64, RUNNING_SPINS)) as (spins, found):
            found(_claimable(code, number)[1])
            few, idle = code.less(spins, ir.Constant(I64, IDLE_SPINS)), code.equal(code.get(RUNNING), ZERO)
            found(builder.and_(builder.not_(few), idle))
            code.spin(spins)
        with builder.if_else(_claimable(code, number)[1]) as (work, sleep):
            with work:
                builder.call(take, [code.pool, number])
            with sleep, code.locked():
                code.add(SLEEPING, 1)
                awake = builder.or_(_claimable(code, number)[1], code.equal(code.get(CLOSED), ONE))
                with builder.if_then(builder.not_(awake)):
                    code.system(WAIT, WORK_CONDITION, MUTEX)
                code.add(SLEEPING, -1)
    builder.ret(OK_CONSTANT)
