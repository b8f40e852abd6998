"""The native function that repeats steps: for each step of the texts of a batch, over the rows that are still there."""

from __future__ import annotations

from collections.abc import Mapping

from llvmlite import ir

from chainrule.native.llvm.machine import I64, OK_CONSTANT, STEP
from chainrule.native.running.code import Code
from chainrule.native.running.driver import FAILED_STEP, POOL_ADDRESS, THREADS, add_run
from chainrule.native.running.pool_memory import ONE, ZERO

#: What the table of a recurrence holds first. `starts` and `output` are the addresses of the scan's first input and of
#: its output; `patches`, `pairs` and `carried` those of what stands behind, and how many there are of each; `notes`
#: those of the repeated steps (see `add_driver`); `tokens` and `texts` are sizes.
HEADER = (
    "starts", "output", "patches", "patch_count", "pairs", "pair_count", "carried", "carried_count", "notes",
    "backwards", "tokens", "texts",
)  # fmt: skip
#: A patch says what stands at an address in step t, whose first row is `start` of `count`, where the step before began
#: at row `previous`: rest + start per_start + previous per_previous + count per_count + tokens per_token. In the first
#: step it is `first`, unless that is 0.
PATCH = ("address", "first", "rest", "per_start", "per_previous", "per_count", "per_token")
#: Memory that the next step reads the states from, where they are not read from the output: its address, that of the
#: first states, where in the output the new ones are (× tokens), and the bytes of a row.
CARRIED = ("memory", "states", "per_token", "row")
#: What the notes say where the steps themselves are refused, and none of those that are repeated.
NO_STEP = -1


def run_inside(builder: ir.IRBuilder, run: ir.Function, given: Mapping[str, ir.Value]) -> None:
    """Run the steps in `pairs`, `pair_count` of them, with these `notes`; return where their status is bad.

    The run that they are a part of is counted as another one, which takes the place of a helper.
    """
    notes = builder.inttoptr(given["notes"], I64.as_pointer())
    pool, threads = (builder.load(builder.gep(notes, [ir.Constant(I64, x)])) for x in (POOL_ADDRESS, THREADS))
    threads = builder.add(threads, builder.zext(builder.icmp_signed(">", threads, ONE), I64))
    pool = builder.inttoptr(pool, I64.as_pointer())
    status = builder.call(run, [pool, threads, given["pairs"], given["pair_count"], given["notes"]])
    with builder.if_then(builder.icmp_signed("!=", status, OK_CONSTANT), likely=False):
        builder.ret(status)


def add_recurrence(module: ir.Module, name: str) -> None:
    """Add the function `name` to a module, a `STEP` that repeats steps; its table begins with `HEADER`."""
    run = add_run(module, name)
    function = ir.Function(module, STEP, name)
    pointer, _, blocks = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    with builder.if_then(builder.icmp_signed("==", blocks, ZERO)):
        builder.ret(ONE)
    code = Code(module, builder)
    given = code.words(pointer, HEADER)
    notes = builder.inttoptr(given["notes"], I64.as_pointer())
    starts = builder.inttoptr(given["starts"], I64.as_pointer())
    backwards = builder.icmp_signed("!=", given["backwards"], ZERO)
    builder.store(ir.Constant(I64, NO_STEP), builder.gep(notes, [ir.Constant(I64, FAILED_STEP)]))

    steps = code.variable(ZERO)
    rows = code.variable(given["texts"])
    refused = code.variable(builder.icmp_signed("!=", code.at(starts, ZERO), ZERO))
    with code.loop(lambda: builder.icmp_signed("<", code.at(starts, builder.load(steps)), given["tokens"])):
        t = builder.load(steps)
        count = builder.sub(code.at(starts, builder.add(t, ONE)), code.at(starts, t))
        wrong = builder.or_(builder.icmp_signed("<", count, ONE), builder.icmp_signed(">", count, builder.load(rows)))
        with builder.if_then(wrong, likely=False):
            builder.ret(count)
        builder.store(count, rows)
        builder.store(builder.add(t, ONE), steps)
    wrong = builder.icmp_signed("!=", code.at(starts, builder.load(steps)), given["tokens"])
    with builder.if_then(builder.or_(wrong, builder.load(refused)), likely=False):
        builder.ret(given["tokens"])

    with code.each(given["carried"], given["carried_count"], CARRIED) as carried:
        code.copy(carried["memory"], carried["states"], builder.mul(carried["row"], given["texts"]))
    total, done = builder.load(steps), code.variable(ZERO)
    with code.loop(lambda: builder.icmp_signed("<", builder.load(done), total)):
        number = builder.load(done)
        first = builder.icmp_signed("==", number, ZERO)
        t = builder.select(backwards, builder.sub(builder.sub(total, number), ONE), number)
        start = code.at(starts, t)
        count = builder.sub(code.at(starts, builder.add(t, ONE)), start)
        before = builder.select(builder.or_(first, backwards), t, builder.sub(t, ONE))
        previous = code.at(starts, before)
        factors = {"per_start": start, "per_previous": previous, "per_count": count, "per_token": given["tokens"]}
        with code.each(given["patches"], given["patch_count"], PATCH) as patch:
            value = code.sum_of(patch, factors)
            own = builder.and_(first, builder.icmp_signed("!=", patch["first"], ZERO))
            builder.store(
                builder.select(own, patch["first"], value), builder.inttoptr(patch["address"], I64.as_pointer())
            )
        run_inside(builder, run, given)
        with code.each(given["carried"], given["carried_count"], CARRIED) as carried:
            place = builder.add(given["output"], builder.mul(given["tokens"], carried["per_token"]))
            place = builder.add(place, builder.mul(start, carried["row"]))
            code.copy(carried["memory"], place, builder.mul(count, carried["row"]))
        builder.store(builder.add(builder.load(done), ONE), done)
    builder.ret(OK_CONSTANT)
