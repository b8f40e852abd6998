"""Recipes: the gradients of graphs of one structure are made by one recipe, which is found once.

Which nodes make a gradient follows from the blocks of the graph, from how they are wired, and from the specs of its
leaves. A loop that trains eagerly builds the same graph in each step. When a structure comes for the second time, what
its gradients were made of is kept, and from then on the same nodes are made without asking any block.

This holds for blocks of the toolkit that are of the common kinds. With one block of another kind, or of a user, each
block is asked each time: what a user's `backward` does or prints happens in every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from chainrule.graph.block import Block, Contraction, Elementwise, Movement, Reduction, Scatter
from chainrule.graph.contract import is_own
from chainrule.graph.errstate import IGNORE, reset_errors, set_errors
from chainrule.graph.leaves import Constant, Loan, Mutable
from chainrule.graph.order import topological_order
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor

#: The kinds of blocks whose backward reads specs alone.
KINDS = (Elementwise, Reduction, Movement, Scatter, Contraction)
#: As many structures are known, those that came last, of graphs with at most so many nodes.
MOST_STRUCTURES, MOST_NODES = 256, 2**12

Gradient = Tensor | RowSparse
#: Where a gradient is: its place, or those of the indices and the rows of a `RowSparse`, and its spec.
Found = int | tuple[int, int, Spec]


class Recipe(NamedTuple):
    """How gradients are made. Places count the nodes of the graph, then the seed, the constants, and the steps.

    Attributes:
        constants: numbers in equations.
        steps: of each node the block, the spec, and the places of its inputs.
        results: of each node that has a gradient the place, and where the gradient is.
    """

    constants: Sequence[Tensor]
    steps: Sequence[tuple[Block, Spec, Sequence[int]]]
    results: Sequence[tuple[int, Found]]


class Structure:
    """What is known of the graphs of a structure.

    Attributes:
        blocks: theirs, kept so that no other blocks get the addresses by which the structure is known.
        met: how many graphs had their blocks asked.
        recipe: how their gradients are made; None where that is not known.
    """

    __slots__ = ("blocks", "met", "recipe")

    def __init__(self) -> None:
        self.blocks: list[Block | None] = []
        self.met = 0
        self.recipe: Recipe | None = None


@lru_cache(MOST_STRUCTURES)
def _structure(key: tuple[object, ...]) -> Structure:  # noqa: ARG001  (by which it is kept)
    return Structure()


class StructuredGraph:
    """A graph that was computed: its gradients by the recipe of its structure, where there is one.

    Args:
        order: its nodes, inputs before outputs.
        seed: the gradient of the last one.
        wrt: what to differentiate with respect to; None for all nodes.
    """

    def __init__(self, order: Sequence[Tensor], seed: Tensor, wrt: Sequence[Tensor] | None) -> None:
        self._order, self._seed = order, seed
        self._places: dict[Tensor, int] = {}
        self._structure: Structure | None = None
        if len(order) <= MOST_NODES and seed.inputs[0].known:
            self._find(wrt)

    def _find(self, wrt: Sequence[Tensor] | None) -> None:
        """The structure: of leaves kinds and specs, of other nodes the address of the block and the places of inputs.

        There is none where a leaf has changed since it was read, as nodes that hold what it was come in then.
        """
        places = self._places
        key: list[object] = []
        changed = False
        for node in self._order:
            block, inputs = node.block, node.inputs
            if block is None:
                key += (type(node), node.spec)
            else:
                key.append(id(block))  # the hash of a block takes longer
                loans = node.loans
                for number, x in enumerate(inputs):
                    key.append(places[x])
                    if x.block is None and loans:
                        loan = loans[number]
                        read = loan.array if type(loan) is Loan else loan
                        changed |= read is not None and read is not (x.array if isinstance(x, Mutable) else x.value)
            places[node] = len(places)
        if not changed and (wrt is None or all(x in places for x in wrt)):
            key.append(None if wrt is None else tuple([places[x] for x in wrt]))
            self._structure = _structure(tuple(key))

    def gradients(self) -> dict[Tensor, Gradient] | None:
        """The gradients, computed; None where the blocks are to be asked."""
        if self._structure is None or self._structure.recipe is None:
            return None
        constants, steps, results = self._structure.recipe
        nodes = [*self._order, self._seed, *[Constant(x.spec, x.value) for x in constants]]
        before = set_errors(IGNORE)  # once, not for each node
        try:
            self._seed.block.compute(self._seed)  # type: ignore[union-attr]
            for block, spec, places in steps:
                node = Tensor(spec, None, block, tuple([nodes[place] for place in places]))
                block.compute(node)
                nodes.append(node)
        finally:
            reset_errors(before)
        return {nodes[place]: _gradient(nodes, found) for place, found in results}

    def learn(self, found: Mapping[Tensor, Gradient]) -> None:
        """Keep how gradients were made that the blocks were asked for."""
        known = self._structure
        if known is None:
            return
        known.met += 1
        known.blocks = [node.block for node in self._order]
        if known.met == 2 and all(map(_is_common, self._order)):
            known.recipe = self._recipe(found)

    def _recipe(self, found: Mapping[Tensor, Gradient]) -> Recipe | None:
        """How gradients were made; None where that depends on values."""
        places = dict(self._places)
        places[self._seed] = len(places)
        parts = [part for gradient in found.values() for part in parts_of(gradient)]
        given = {*self._order, *topological_order([self._seed])}
        new = [node for node in topological_order(parts) if node not in given]
        constants = [node for node in new if isinstance(node, Constant)]
        made = [node for node in new if node.block is not None]
        if any(x.shape != () for x in constants) or not all(map(_is_common, new)):
            return None
        for node in (*constants, *made):
            places[node] = len(places)
        steps = [(x.block, x.spec, tuple([places[y] for y in x.inputs])) for x in made if x.block is not None]
        results = [(places[x], _placed(places, gradient)) for x, gradient in found.items()]
        return Recipe(constants, steps, results)


def _is_common(node: Tensor) -> bool:
    """Whether what the gradient of a node is made of follows from specs."""
    return node.block is None or (isinstance(node.block, KINDS) and not is_own(type(node.block)))


def parts_of(gradient: Gradient) -> tuple[Tensor, ...]:
    """The tensors that a gradient consists of."""
    return (gradient,) if isinstance(gradient, Tensor) else (gradient.indices, gradient.rows)


def _placed(places: Mapping[Tensor, int], gradient: Gradient) -> Found:
    if isinstance(gradient, Tensor):
        return places[gradient]
    return places[gradient.indices], places[gradient.rows], gradient.spec


def _gradient(nodes: Sequence[Tensor], found: Found) -> Gradient:
    if isinstance(found, int):
        return nodes[found]
    indices, rows, spec = found
    return RowSparse(nodes[indices], nodes[rows], spec)
