"""From `Levels` to the step that computes its groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count as counting

from chainrule.blocks.collect import ABSENT, Collect
from chainrule.blocks.level_rules import tables_read
from chainrule.blocks.levels import Levels, Parts
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.native.loops.steps import ROWS, Leveled, LeveledRule, Loop, Product, Role, Step
from chainrule.native.lowering.patterns import rows_in_memory

#: The number of rows that a rule's graph has of what it reads as a whole: of each another one, so that no two are taken
#: for the same size. The table of the step has the true numbers.
MANY = 1 << 40


def can_be_repeated(steps: Sequence[Step]) -> bool:
    """Whether all of some steps can be repeated natively, over other numbers of rows."""
    return all(isinstance(x, Loop) or (isinstance(x, Product) and x.output.spec.rank == 2) for x in steps)


def leveled(node: Tensor, block: Levels, steps_of: Callable[[Graph], tuple[Graph, list[Step]]]) -> Leveled | None:
    """The step of a node of levels; None where a rule has steps that cannot be repeated natively.

    Args:
        node: the node.
        block: its block.
        steps_of: simplifies a graph, and gives it with its steps.
    """
    places = block.parts(range(1, len(node.inputs)))
    rules = []
    for number in range(len(block.rules)):
        made = [_graph(node, block, places, number, rows) for rows in ROWS]
        found = [steps_of(graph) for graph, _ in made]
        graphs, steps = zip(*found, strict=True)
        if not all(map(can_be_repeated, steps)):
            return None
        rules.append(LeveledRule(graphs, steps, made[0][1]))
    return Leveled(node, tuple(rows_in_memory(node)), tuple(rules))


def _graph(node: Tensor, block: Levels, places: Parts, number: int, rows: int) -> tuple[Graph, dict[Tensor, Role]]:
    """The graph of a rule over so many rows, which reads its slots itself, and what its leaves stand for."""
    rule = block.rules[number]
    roles: dict[Tensor, Role] = {}
    many = counting(MANY)

    def leaf(spec: Spec, role: Role | None = None) -> Tensor:
        made = Tensor(spec)
        if role is not None:
            roles[made] = role
        return made

    def table(shape: Sequence[int], role: Role) -> Tensor:
        return leaf(Spec((next(many), *shape), node.dtype), role)

    def whole(place: int) -> Tensor:
        return leaf(Spec((next(many),), node.inputs[place].dtype), Role("whole", place, 1))

    values = []
    for sources, (offsets, codes) in zip(rule.slots, places.slots[number], strict=True):
        tables, backs = list[Tensor](), list[Tensor]()
        for source in sources:
            if source is None:
                continue
            if source.rule == ABSENT:
                place = places.tables[source.output]
                tables.append(table(node.inputs[place].shape[1:], Role("whole", place, 1)))
            else:
                shape = block.rules[source.rule].body.outputs[source.output].shape
                tables.append(table(shape, Role("own", *source)))
            backs += [leaf(Spec((tables[-1].shape[0] + 1,), x.dtype)) for x in (node.inputs[offsets],) * 2]
        collect = Collect(tables_read(sources), ((0,),) * len(tables), True)
        starts = leaf(Spec((rows + 1,), node.inputs[offsets].dtype), Role("rows", offsets))
        values.append(collect(starts, whole(codes), *backs, *tables))
    for place in places.rows[number]:
        given = node.inputs[place].spec
        values.append(leaf(Spec((rows, *given.shape[1:]), given.dtype), Role("rows", place)))
    values += [leaf(node.inputs[place].spec, Role("whole", place)) for place in places.shared[number]]
    outputs = rule.body.over(values, rows)
    return Graph(tuple(roles), tuple(outputs)), roles
