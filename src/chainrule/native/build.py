"""The whole way of a graph to machine code, one stage after another; `docs/native.md` describes each of them."""

from __future__ import annotations

from chainrule.graph.trace import Graph
from chainrule.native.blueprint import BLUEPRINTS, Built
from chainrule.native.lowering.in_place import with_rows_in_place
from chainrule.native.lowering.lower import lower, with_copies
from chainrule.native.outline import outline_of
from chainrule.native.plan import plan_memory
from chainrule.native.program import Program
from chainrule.native.running.kernels import KERNELS
from chainrule.passes import optimise


def build(graph: Graph, threads: int = 1) -> Program:
    """The program that computes what a traced graph does.

    Args:
        graph: what `trace` recorded.
        threads: how many may work on one run; results do not depend on it.

    Raises:
        ShapeError: for a matrix product with a size that BLAS cannot count.
    """
    outline = outline_of(graph)  # outline.py: all of the graph that decides what comes of it
    known = None if outline is None else BLUEPRINTS.find(outline)
    if outline is not None and known is not None:
        built = known.over(outline, graph)  # blueprint.py: what came of a graph with the same outline, for this one
    else:
        built = built_of(graph)
        if outline is not None:
            BLUEPRINTS.keep(outline, built)
    functions = KERNELS.compile(built.steps)  # llvm/, running/: machine code, from the disk where it is known
    return Program(*built, functions, threads)  # program.py: tables of addresses and sizes


def built_of(graph: Graph) -> Built:
    """The steps of a graph, and where in memory their results lie."""
    graph = optimise(graph)  # passes/: a smaller graph that computes the same
    graph = with_rows_in_place(graph)  # lowering/: what is kept of texts grows where it lies
    graph = with_copies(graph)  # so that what is returned is read before updates change it
    steps = lower(graph)  # lowering/: loop nests, matrix products, and blocks that run in NumPy
    return Built(graph, steps, plan_memory(steps, graph.outputs))  # plan.py: a place in the arena for each result
