"""Blueprints: what was made of a graph on its way to a program, kept for all graphs of the same outline.

A blueprint holds steps and memory plan over stand-ins for the parts of its graph, and nothing of that
graph itself, such as the weights of a network that was trained. For another graph, that one's parts take their places.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from chainrule.blocks.recurrence import Body, Scan
from chainrule.dataclasses import dataclass
from chainrule.graph.block import Block
from chainrule.graph.leaves import Constant
from chainrule.graph.order import topological_order
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.native.loops.steps import Attending, Call, Leveled, Loop, Product, Recurrence, Step
from chainrule.native.outline import Outline
from chainrule.native.plan import MemoryPlan

#: How many blueprints are kept, each of up to a megabyte; that which was not used for the longest time goes first.
KEPT = 128


class Built(NamedTuple):
    """What a program is made of.

    Attributes:
        graph: what is computed.
        steps: in the order they run.
        memory_plan: where their results lie.
    """

    graph: Graph
    steps: list[Step]
    memory_plan: MemoryPlan


@dataclass(frozen=True, eq=False)
class Blueprint:
    """What a program is made of, over stand-ins.

    Attributes:
        stand_ins: for each part of an outline.
        built: over these.
    """

    stand_ins: tuple[Tensor | Body, ...]
    built: Built

    @classmethod
    def of(cls, outline: Outline, built: Built) -> Blueprint | None:
        """The blueprint of what was built of a graph; None where a step runs in NumPy or goes by levels."""
        if any(isinstance(step, Call | Leveled) for step in built.steps):
            return None
        stand_ins = tuple([_stand_in(part) for part in outline.parts])
        return cls(stand_ins, _Copy(outline.parts, stand_ins).built(built))

    def over(self, outline: Outline, graph: Graph) -> Built:
        """The same for another graph of the outline: its own leaves, bodies, and functions before runs."""
        return _Copy(self.stand_ins, outline.parts).built(self.built, graph)


class Blueprints:
    """The blueprints of this process. Several threads may use them; two that miss the same one both build it."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Blueprint] = {}

    def find(self, outline: Outline) -> Blueprint | None:
        """The blueprint of an outline, or None."""
        found = self._kept.pop(outline.key, None)
        if found is not None:
            self._kept[outline.key] = found  # at the end, as the one that was used last
        return found

    def keep(self, outline: Outline, built: Built) -> None:
        """Keep the blueprint of what was built."""
        made = Blueprint.of(outline, built)
        if made is not None:
            self._kept[outline.key] = made
            for oldest in list(self._kept)[:-KEPT]:
                self._kept.pop(oldest, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()


BLUEPRINTS = Blueprints()


def _stand_in(part: Tensor | Body) -> Tensor | Body:
    if isinstance(part, Tensor):
        return Tensor(part.spec, name=part.name)
    return Body(_unknown, part.inputs, part.states, part.rows)


def _unknown(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    raise TypeError(f"the body of a blueprint's scan has no function for {len(inputs)} inputs")


class _Copy:
    """Copies steps and the graph they compute, with other parts in place of some."""

    def __init__(self, parts: Iterable[Tensor | Body], others: Iterable[Tensor | Body]) -> None:
        self.nodes: dict[Tensor, Tensor] = {}
        self.bodies: dict[Body, Body] = {}
        for part, other in zip(parts, others, strict=True):
            if isinstance(part, Tensor) and isinstance(other, Tensor):
                self.nodes[part] = other
            elif isinstance(part, Body) and isinstance(other, Body):
                self.bodies[part] = other

    def built(self, built: Built, own: Graph | None = None) -> Built:
        """What a program is made of; what is called before runs is another graph's own."""
        graph = self.graph(built.graph, own)
        steps = [self.step(step) for step in built.steps]
        plan = built.memory_plan
        offsets = {self.nodes[node]: offset for node, offset in plan.offsets.items()}
        return Built(graph, steps, MemoryPlan(offsets, plan.arena_bytes))

    def graph(self, graph: Graph, own: Graph | None = None) -> Graph:
        """A graph, node by node. The copies know no layers, which would keep whole networks alive."""
        nodes = self.nodes
        targets = [update.target for update in graph.updates]
        for node in topological_order((*graph.inputs, *graph.results(), *targets)):
            if node not in nodes:
                if node.block is not None:
                    inputs = tuple([nodes[x] for x in node.inputs])
                    nodes[node] = Tensor(node.spec, None, self.block(node.block), inputs, node.name)
                else:
                    nodes[node] = node if isinstance(node, Constant) else Tensor(node.spec, name=node.name)
        inputs = tuple([nodes[x] for x in graph.inputs])
        outputs = tuple([nodes[x] for x in graph.outputs])
        updates = tuple(
            [Update(nodes[x.target], nodes[x.value], None if x.rows is None else nodes[x.rows]) for x in graph.updates]
        )
        if own is None:
            return Graph(inputs, outputs, updates)
        return Graph(inputs, outputs, updates, own.before, own.still_valid, own.behind)

    def block(self, block: Block) -> Block:
        """A block; a scan gets another body."""
        return Scan(self.bodies[block.body], block.backwards) if isinstance(block, Scan) else block

    def step(self, step: Step) -> Step:
        """A step."""
        nodes = self.nodes
        if isinstance(step, Loop):
            arguments = tuple([nodes[x] if isinstance(x, Tensor) else x for x in step.arguments])
            output = None if step.output is None else nodes[step.output]
            return Loop(step.kernel, arguments, output, tuple([nodes[x] for x in step.writes]), step.refusal)
        if isinstance(step, Product):
            held = nodes[step.output], nodes[step.left], nodes[step.right]
            return Product(*held, step.left_shape, step.right_shape, step.left_transposed, step.right_transposed)
        if isinstance(step, Call):
            return Call(nodes[step.output])
        reads = tuple([(nodes[x], place) for x, place in step.reads])
        if isinstance(step, Leveled):
            raise TypeError("a program with levels has no blueprint")
        if isinstance(step, Attending):
            return Attending(nodes[step.output], reads)
        first, second = (self.graph(graph) for graph in step.graphs)
        inner = [[self.step(x) for x in steps] for steps in step.steps]
        return Recurrence(nodes[step.output], reads, (first, second), (inner[0], inner[1]))  # type: ignore[arg-type]
