"""The rules of levels: how rows of each kind are computed of rows of other kinds, and the rules of their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chainrule.blocks.arithmetic import add
from chainrule.blocks.collect import ABSENT
from chainrule.blocks.recurrence import Body, zeros_like
from chainrule.dataclasses import dataclass
from chainrule.graph.tensor import Tensor


class Source(NamedTuple):
    """Where a slot may read a row: an output of a rule; or, if `rule` is `ABSENT`, the table of number `output`."""

    rule: int
    output: int


class Consumer(NamedTuple):
    """A slot that reads rows of an output, or of a table."""

    rule: int
    slot: int


@dataclass(frozen=True, eq=False)
class Rule:
    """How rows of one kind are computed.

    Attributes:
        body: from the slots, then what belongs to a row, then what all rows share, to the outputs.
        slots: of each slot the sources that its codes name, by their numbers; None for one that is left out.
        backs: of each output that rows of this block read, which consumer a code of its gradient names; None for one
            that hands no gradient back. An output that nothing reads here has none.
    """

    body: Body
    slots: tuple[tuple[Source | None, ...], ...]
    backs: dict[int, tuple[Consumer | None, ...]]

    @property
    def carried(self) -> list[int]:
        """The outputs that a gradient comes back to from rows of this block."""
        return [o for o in sorted(self.backs) if any(x is not None for x in self.backs[o])]


def tables_read(sources: Sequence[object]) -> tuple[int, ...]:
    """A reading of tables that stand in the order of their sources; None for a source that is left out."""
    numbers = iter(range(len(sources)))
    return tuple([ABSENT if x is None else next(numbers) for x in sources])


def read_here(rule: Rule) -> list[int]:
    """The slots whose gradient is read in the same block: those with a source of its own."""
    return [i for i, slots in enumerate(rule.slots) if any(x is not None and x.rule != ABSENT for x in slots)]


def gradient_rule(rules: Sequence[Rule], number: int, seeded: Sequence[bool], told: Sequence[Sequence[int]]) -> Rule:
    """The rule from the gradient of a rule's outputs to that of its slots, and of what else `told_of` says."""
    rule = rules[number]
    body, carried = rule.body, rule.carried
    outputs = body.outputs

    def function(given: Sequence[Tensor]) -> list[Tensor]:
        rest = iter(given)
        carries = {o: next(rest) for o in carried}
        arrived = [next(rest) if there else None for there in seeded]
        own = [next(rest) for _ in range(body.rows)]
        kept = [next(rest) for _ in outputs]
        shared = list(rest)
        totals = [
            carries.get(o) if seed is None else add(seed, carries[o]) if o in carries else seed
            for o, seed in enumerate(arrived)
        ]
        wanted = list(told[number])
        found = body.gradients([*own, *shared], kept, totals, wanted)
        everything = [*own, *shared]
        return [zeros_like(everything[i]) if x is None else x for i, x in zip(wanted, found, strict=True)]

    slots = tuple(
        tuple([None if x is None else Source(x.rule, list(told[x.rule]).index(x.slot)) for x in rule.backs[o]])
        for o in carried
    )
    backs = {
        list(told[number]).index(slot): tuple(
            [
                Consumer(x.rule, rules[x.rule].carried.index(x.output))
                if x is not None and x.rule != ABSENT and Consumer(number, slot) in rules[x.rule].backs[x.output]
                else None
                for x in rule.slots[slot]
            ]
        )
        for slot in read_here(rule)
    }
    seeds = [x for x, there in zip(outputs, seeded, strict=True) if there]
    of_rows = [*[outputs[o] for o in carried], *seeds, *body.inputs[: body.rows], *outputs]
    specs = [*of_rows, *body.inputs[body.rows :]]
    return Rule(Body(function, specs, 0, len(of_rows)), slots, backs)
