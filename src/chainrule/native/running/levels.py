"""The native function that computes groups of rows, each by the steps of its rule, from rows of earlier groups."""

from __future__ import annotations

from llvmlite import ir

from chainrule.native.llvm.machine import I64, OK_CONSTANT, STEP
from chainrule.native.running.code import Code
from chainrule.native.running.driver import FAILED_STEP, add_run
from chainrule.native.running.pool_memory import ONE, ZERO
from chainrule.native.running.recurrence import NO_STEP, run_inside

#: What the table of a step of levels holds first: the addresses of the groups and of the output, whether the groups are
#: taken from the last to the first, how many there are, and the rules: their address and how many there are.
LEVELS_HEADER = ("groups", "output", "backwards", "group_count", "rules", "rule_count")
#: A rule: its patches and its steps, where they stand and how many there are; the notes of its steps; how many rows it
#: has, and the bytes of a row, all outputs together; and where its outputs begin, which is found in each run.
LEVELS_RULE = ("patches", "patch_count", "pairs", "pair_count", "notes", "rows", "row_bytes", "base")
#: A group: the rule, the first row, and how many.
GROUP = ("rule", "first", "count")
#: A patch says what stands at an address for a group of `count` rows from `start` on: rest + base per_base + rows
#: per_rows + start per_start + count per_count, with base and rows of the rule at the address `of`.
LEVELS_PATCH = ("address", "rest", "of", "per_base", "per_rows", "per_start", "per_count")


def add_levels(module: ir.Module, name: str) -> None:
    """Add the function `name` to a module, a `STEP` that computes groups; its table begins with `LEVELS_HEADER`."""
    run = add_run(module, name)
    function = ir.Function(module, STEP, name)
    pointer, _, blocks = function.args
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    with builder.if_then(builder.icmp_signed("==", blocks, ZERO)):
        builder.ret(ONE)
    code = Code(module, builder)
    given = code.words(pointer, LEVELS_HEADER)
    rules = builder.inttoptr(given["rules"], I64.as_pointer())
    groups = builder.inttoptr(given["groups"], I64.as_pointer())
    backwards = builder.icmp_signed("!=", given["backwards"], ZERO)

    def record(number: ir.Value) -> ir.Value:
        return builder.gep(rules, [builder.mul(number, ir.Constant(I64, len(LEVELS_RULE)))])

    def word(name: str) -> ir.Constant:
        return ir.Constant(I64, LEVELS_RULE.index(name))

    base, number = code.variable(given["output"]), code.variable(ZERO)
    with code.loop(lambda: builder.icmp_signed("<", builder.load(number), given["rule_count"])):
        place = record(builder.load(number))
        rule = code.words(place, LEVELS_RULE)
        builder.store(builder.load(base), builder.gep(place, [word("base")]))
        notes = builder.inttoptr(rule["notes"], I64.as_pointer())
        builder.store(ir.Constant(I64, NO_STEP), builder.gep(notes, [ir.Constant(I64, FAILED_STEP)]))
        builder.store(builder.add(builder.load(base), builder.mul(rule["rows"], rule["row_bytes"])), base)
        builder.store(builder.add(builder.load(number), ONE), number)

    done = code.variable(ZERO)
    with code.loop(lambda: builder.icmp_signed("<", builder.load(done), given["group_count"])):
        t = builder.load(done)
        t = builder.select(backwards, builder.sub(builder.sub(given["group_count"], t), ONE), t)
        group = code.words(builder.gep(groups, [builder.mul(t, ir.Constant(I64, len(GROUP)))]), GROUP)
        unknown = builder.or_(
            builder.icmp_signed("<", group["rule"], ZERO), builder.icmp_signed(">=", group["rule"], given["rule_count"])
        )
        with builder.if_then(unknown, likely=False):
            builder.ret(group["rule"])
        rule = code.words(record(group["rule"]), LEVELS_RULE)
        start, count = group["first"], group["count"]
        wrong = builder.or_(builder.icmp_signed("<", start, ZERO), builder.icmp_signed("<", count, ONE))
        wrong = builder.or_(wrong, builder.icmp_signed(">", start, builder.sub(rule["rows"], count)))
        with builder.if_then(wrong, likely=False):
            builder.ret(count)
        with code.each(rule["patches"], rule["patch_count"], LEVELS_PATCH) as patch:
            of = code.words(builder.inttoptr(patch["of"], I64.as_pointer()), LEVELS_RULE)
            factors = {"per_base": of["base"], "per_rows": of["rows"], "per_start": start, "per_count": count}
            value = code.sum_of(patch, factors)
            builder.store(value, builder.inttoptr(patch["address"], I64.as_pointer()))
        run_inside(builder, run, rule)
        builder.store(builder.add(builder.load(done), ONE), done)
    builder.ret(OK_CONSTANT)
