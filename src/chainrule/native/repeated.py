"""The table of a recurrence: those of the steps that it repeats, and what changes in them from one time to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.native.loops.steps import Loop, Product, Recurrence, sizes_over
from chainrule.native.plan import ALIGNMENT, plan_memory
from chainrule.native.running.driver import NOTE_WORDS, POOL_ADDRESS, THREADS
from chainrule.native.running.kernels import KERNELS, Function
from chainrule.native.running.pool import POOL
from chainrule.native.running.recurrence import CARRIED, HEADER, PATCH

#: The arguments and the sizes of a step, as a program lays them out.
Table = tuple[list[Tensor | int], list[int], list[Tensor]]
#: The words of a record that says what stands somewhere, by their names; a node stands for its address.
Patch = dict[str, int | Tensor]
#: Names of words that are places in the table that they stand in.
INSIDE = ("address", "of")


@dataclass
class RepeatedTable:
    """The words of a recurrence's table, which begins with `HEADER`.

    Attributes:
        words: the numbers.
        sizes: which of them are sizes of the program, that other arguments may change.
        leaves: which of them are addresses of nodes outside: of each node, the words.
        inside: which of them are addresses of other words of this table, and of which.
        notes: those of the repeated steps.
        functions: the code of these, which is to live as long as the table.
        memory: what the repeated steps work in.
    """

    words: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    outside: dict[Tensor, list[int]] = field(default_factory=dict)
    inside: dict[int, int] = field(default_factory=dict)
    notes: Array = field(default_factory=lambda: np.zeros(NOTE_WORDS, np.int64))
    functions: object = None
    memory: list[Array] = field(default_factory=list)

    def refer(self, node: Tensor) -> int:
        """A word for the address of a node outside; 0, as the program writes it."""
        self.outside.setdefault(node, []).append(len(self.words))
        return 0

    def room(self, count: int) -> int:
        """The place of so many bytes of memory."""
        self.memory.append(np.zeros(count + ALIGNMENT, np.uint8))
        address: int = self.memory[-1].ctypes.data
        return address + -address % ALIGNMENT

    def lay_out(
        self,
        steps: tuple[Sequence[Loop | Product], Sequence[Loop | Product]],
        functions: Sequence[Function],
        rows: int,
        table_of: Callable[[Loop | Product], Table],
        *,
        argument: Callable[[Tensor], int],
        size: Callable[[Loop | Product, int, int, int], int],
    ) -> list[tuple[int, int]]:
        """Write the words of steps that are repeated.

        Args:
            steps: over each of `ROWS`.
            functions: their code.
            rows: how many they work on at most.
            table_of: lays out one of them.
            argument: the word for the address of what a step reads or writes.
            size: the word for a size of a step, from its place, and how much it has for each row, and besides.

        Returns:
            the address of the code of each step, and where its words begin.
        """
        pairs = []
        for inner, other, function in zip(*steps, functions, strict=True):
            pairs.append((function.address, len(self.words)))
            arguments, sizes, _ = table_of(inner)
            _, other_sizes, _ = table_of(other)
            if isinstance(inner, Loop) and isinstance(other, Loop):
                specs = zip(inner.kernel.buffers.values(), other.kernel.buffers.values(), strict=True)
                scratch = [bytes_over(spec, twin, rows) for spec, twin in specs]
                own = zip(arguments, inner.arguments, scratch, strict=True)
                arguments = [self.room(count) if node is None else x for x, node, count in own]
            for x in arguments:
                self.words.append(argument(x) if isinstance(x, Tensor) else x)
            for place, (found, twin) in enumerate(zip(sizes, other_sizes, strict=True)):
                self.words.append(size(inner, place, *sizes_over(found, twin)))
        return pairs

    def write_patches(self, patches: Sequence[Patch], names: Sequence[str]) -> None:
        """Write records of these words, of which `INSIDE` are places in this table."""
        for patch in patches:
            for name in names:
                value = patch.get(name, 0)
                if isinstance(value, Tensor):
                    value = self.refer(value)
                elif name in INSIDE:
                    self.inside[len(self.words)] = value
                    value = 0
                self.words.append(value)

    def write_pairs(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Write the addresses of steps and of their words."""
        for address, place in pairs:
            self.inside[len(self.words) + 1] = place
            self.words += [address, 0]


def repeated_table(step: Recurrence, table_of: Callable[[Loop | Product], Table], threads: int) -> RepeatedTable:
    """The table of a recurrence.

    Args:
        step: the recurrence.
        table_of: lays out one of the repeated steps.
        threads: how many may work on it.
    """
    block = step.output.block
    body = block.body  # type: ignore[union-attr]
    backwards = block.backwards  # type: ignore[union-attr]
    (starts, _), *reads = step.reads
    inputs = [node for node, _ in reads]
    texts, itemsize = inputs[0].shape[0], step.output.dtype.itemsize
    graph, (steps, others) = step.graphs[0], step.steps
    functions = KERNELS.compile(steps)
    table = RepeatedTable(words=[0] * len(HEADER), functions=functions)
    table.notes[[POOL_ADDRESS, THREADS]] = POOL.address, threads
    widths = [x.size * itemsize for x in body.outputs]
    places = {node: number for number, node in enumerate(graph.outputs)}
    roles = {node: number for number, node in enumerate(graph.inputs)}
    row_bytes = [x.size * given.dtype.itemsize for x, given in zip(body.inputs, inputs, strict=True)]
    behind = [place * node.dtype.itemsize for node, place in reads]
    twins = {x.output: y.output for x, y in zip(steps, others, strict=True) if x.output is not None}

    def bytes_of(node: Tensor) -> int:
        factor, constant = sizes_over(node.spec.size, twins[node].spec.size)  # type: ignore[union-attr]
        return 0 if node in places else (factor * texts + constant) * node.dtype.itemsize

    plan = plan_memory(steps, graph.outputs, bytes_of)
    arena = table.room(plan.arena_bytes)
    memories = [table.room(texts * widths[i]) for i in range(body.states)] if backwards else []
    patches: list[Patch] = []

    def argument(node: Tensor) -> int:
        """The word for the address of what a repeated step reads or writes."""
        word = len(table.words)
        if node in places:
            number = places[node]
            patches.append(
                {"address": word, "rest": step.output, "per_start": widths[number], "per_token": sum(widths[:number])}
            )
            return 0
        if node in roles and roles[node] < body.states:
            number = roles[node]
            if backwards:
                return memories[number]
            patches.append(
                {
                    "address": word,
                    "first": inputs[number],
                    "rest": step.output,
                    "per_previous": widths[number],
                    "per_token": sum(widths[:number]),
                }
            )
            return 0
        if node in roles and roles[node] < body.states + body.rows:
            number = roles[node]
            patches.append(
                {
                    "address": word,
                    "rest": inputs[number],
                    "per_start": row_bytes[number],
                    "per_token": behind[number],
                }
            )
            return 0
        if node in roles:
            return table.refer(inputs[roles[node]])
        if node.block is None:
            return table.refer(node)
        return arena + plan.offsets[node] if node in plan.offsets else 0  # of which only the sizes are read

    def size(_: Loop | Product, __: int, factor: int, constant: int) -> int:
        """The word for a size of a repeated step, which a patch writes where it counts rows."""
        if factor:
            patches.append({"address": len(table.words), "rest": constant, "per_count": factor})
        return constant

    pairs = table.lay_out(step.steps, functions, texts, table_of, argument=argument, size=size)
    places_of = {"patches": len(table.words)}
    table.write_patches(patches, PATCH)
    places_of["pairs"] = len(table.words)
    table.write_pairs(pairs)
    places_of["carried"] = len(table.words)
    for number, memory in enumerate(memories):
        record = {"memory": memory, "states": inputs[number], "per_token": sum(widths[:number]), "row": widths[number]}
        for name in CARRIED:
            value = record[name]
            table.words.append(table.refer(value) if isinstance(value, Tensor) else value)
    header = {
        "patch_count": len(patches),
        "pair_count": len(pairs),
        "carried_count": len(memories),
        "notes": table.notes.ctypes.data,
        "backwards": int(backwards),
        "tokens": starts.shape[0] - 1,
        "texts": texts,
    }
    for word, name in enumerate(HEADER):
        table.words[word] = header.get(name, 0)
        if name in places_of:
            table.inside[word] = places_of[name]
        elif name in ("tokens", "texts"):
            table.sizes.append(word)
    for name, node in (("starts", starts), ("output", step.output)):
        table.outside.setdefault(node, []).append(HEADER.index(name))
    return table


def bytes_over(spec: Spec, other: Spec, rows: int) -> int:
    """The bytes of memory over so many rows, from its specs over each of `ROWS`."""
    count = 1
    for size, twin in zip(spec.shape, other.shape, strict=True):
        factor, constant = sizes_over(size, twin)
        count *= factor * rows + constant
    return count * spec.dtype.itemsize
