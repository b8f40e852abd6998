"""The table of a step of levels: those of the steps of each rule, and what changes in them from group to group."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.graph.tensor import Tensor
from chainrule.native.loops.steps import Leveled, LeveledRule, Loop, Product, Role, sizes_over
from chainrule.native.plan import plan_memory
from chainrule.native.repeated import Patch, RepeatedTable, Table
from chainrule.native.running.driver import NOTE_WORDS, POOL_ADDRESS, THREADS
from chainrule.native.running.kernels import KERNELS, Function
from chainrule.native.running.levels import LEVELS_HEADER, LEVELS_PATCH, LEVELS_RULE
from chainrule.native.running.pool import POOL


def leveled_table(step: Leveled, table_of: Callable[[Loop | Product], Table], threads: int) -> RepeatedTable:
    """The table of a step of levels.

    Args:
        step: the step.
        table_of: lays out one of the steps of a rule.
        threads: how many may work on it.
    """
    return _Writer(step, table_of, threads).table


class _Writer:
    """Writes the words of the table, which begins with `LEVELS_HEADER`, and the records of the rules behind it.

    Attributes:
        counts: how many rows each rule has.
        widths: the bytes of a row of each output of each rule.
    """

    def __init__(self, step: Leveled, table_of: Callable[[Loop | Product], Table], threads: int) -> None:
        self.step, self.table_of = step, table_of
        block = step.output.block
        self.counts: list[int] = block.counts(block.parts(step.output.inputs[1:]))  # type: ignore[union-attr]
        itemsize = step.output.dtype.itemsize
        rules = block.rules  # type: ignore[union-attr]
        self.widths = [[x.size * itemsize for x in rule.body.outputs] for rule in rules]
        self.table = RepeatedTable(notes=np.zeros((len(rules), NOTE_WORDS), np.int64))
        self.table.notes[:, [POOL_ADDRESS, THREADS]] = POOL.address, threads
        functions = [KERNELS.compile(rule.steps[0]) for rule in step.rules]
        self.table.functions = functions
        self.table.words = [0] * (len(LEVELS_HEADER) + len(rules) * len(LEVELS_RULE))
        for number, (rule, found) in enumerate(zip(step.rules, functions, strict=True)):
            self._rule(number, rule, found)
        self._write_header(backwards=block.backwards)  # type: ignore[union-attr]

    def _write_header(self, *, backwards: bool) -> None:
        table, (groups, _) = self.table, self.step.reads[0]
        header = {"backwards": int(backwards), "group_count": groups.shape[0], "rule_count": len(self.counts)}
        for word, name in enumerate(LEVELS_HEADER):
            table.words[word] = header.get(name, 0)
        table.sizes.append(LEVELS_HEADER.index("group_count"))
        table.inside[LEVELS_HEADER.index("rules")] = self._record(0)
        for name, node in (("groups", groups), ("output", self.step.output)):
            table.outside.setdefault(node, []).append(LEVELS_HEADER.index(name))

    def _record(self, number: int) -> int:
        """Where the record of a rule stands."""
        return len(LEVELS_HEADER) + number * len(LEVELS_RULE)

    def _rule(self, number: int, rule: LeveledRule, functions: Sequence[Function]) -> None:
        """The steps of a rule, its patches, and its record."""
        table = self.table
        (graph, _), (steps, others) = rule.graphs, rule.steps
        rows, places = self.counts[number], {node: output for output, node in enumerate(graph.outputs)}
        twins = {x.output: y.output for x, y in zip(steps, others, strict=True) if x.output is not None}

        def bytes_of(node: Tensor) -> int:
            factor, constant = sizes_over(node.spec.size, twins[node].spec.size)  # type: ignore[union-attr]
            return 0 if node in places else (factor * rows + constant) * node.dtype.itemsize

        plan = plan_memory(steps, graph.outputs, bytes_of)
        arena = table.room(plan.arena_bytes)
        patches: list[Patch] = []

        def output_of(of: int, output: int, *, whole: bool) -> Patch:
            """A patch for the place of an output: of the group's own rows, or of all rows of the rule."""
            widths = self.widths[of]
            found: Patch = {"of": self._record(of), "per_base": 1, "per_rows": sum(widths[:output])}
            return found if whole else found | {"per_start": widths[output]}

        def argument(node: Tensor) -> int:
            """The word for the address of what a step of the rule reads or writes."""
            here: Patch = {"address": len(table.words)}
            role = rule.roles.get(node)
            if node in places:
                patches.append(here | output_of(number, places[node], whole=False))
                return 0
            if role is not None and role.kind == "own":
                patches.append(here | output_of(role.place, role.output, whole=True))
                return 0
            if role is not None and role.kind == "rows":
                given, behind = self.step.reads[role.place]
                size = node.dtype.itemsize
                row = (node.spec.size // node.shape[0]) * size
                patches.append(
                    here | {"rest": given, "of": self._record(number), "per_rows": behind * size, "per_start": row}
                )
                return 0
            if role is not None:
                return table.refer(self.step.reads[role.place][0])
            if node.block is None:
                return table.refer(node)
            return arena + plan.offsets[node] if node in plan.offsets else 0  # of which only the sizes are read

        def size(inner: Loop | Product, place: int, factor: int, constant: int) -> int:
            """The word for a size of a step, which counts rows of the group, of a rule, or of what is given."""
            role = _whole_sizes(inner, rule).get(place) if isinstance(inner, Loop) else None
            if role is not None and role.kind == "own":
                patches.append({"address": len(table.words), "of": self._record(role.place), "per_rows": 1})
            elif role is not None:
                table.sizes.append(len(table.words))
                return self.step.output.inputs[role.place].shape[0]
            elif factor:
                rows_of = {"of": self._record(number), "per_count": factor}
                patches.append({"address": len(table.words), "rest": constant, **rows_of})
            return constant

        pairs = table.lay_out(rule.steps, functions, rows, self.table_of, argument=argument, size=size)
        record = self._record(number)
        values = {
            "patch_count": len(patches),
            "pair_count": len(pairs),
            "notes": table.notes[number].ctypes.data,
            "rows": rows,
            "row_bytes": sum(self.widths[number]),
        }
        for word, name in enumerate(LEVELS_RULE):
            table.words[record + word] = values.get(name, 0)
        table.sizes.append(record + LEVELS_RULE.index("rows"))
        table.inside[record + LEVELS_RULE.index("patches")] = len(table.words)
        table.write_patches(patches, LEVELS_PATCH)
        table.inside[record + LEVELS_RULE.index("pairs")] = len(table.words)
        table.write_pairs(pairs)


def _whole_sizes(step: Loop, rule: LeveledRule) -> dict[int, Role]:
    """Which sizes of a step are numbers of rows of what it reads as a whole, and of what."""
    found, place = dict[int, Role](), 0
    for node, spec in zip(step.arguments, step.kernel.buffers.values(), strict=True):
        role = rule.roles.get(node) if isinstance(node, Tensor) else None
        if role is not None and (role.kind == "own" or (role.kind == "whole" and role.output)):
            found[place] = role
        place += len(spec.shape)
    return found
