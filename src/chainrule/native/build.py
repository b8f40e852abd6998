"""The whole way of a graph to machine code, one stage after another; `docs/native.md` describes each of them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from chainrule.graph.trace import Graph
from chainrule.native.blueprint import BLUEPRINTS
from chainrule.native.outline import outline_of
from chainrule.native.plan import Built, plan_memory
from chainrule.native.program import Program
from chainrule.native.running.kernels import KERNELS, MissingCodeError


def build(graph: Graph, threads: int = 1) -> Program:
    """The program that computes what a traced graph does.

    Args:
        graph: what `trace` recorded.
        threads: how many may work on one run; results do not depend on it.

    Raises:
        ShapeError: for a matrix product with a size that BLAS cannot count.
    """
    outline = outline_of(graph)  # outline.py: all of the graph that decides what comes of it
    if outline is not None:
        known = BLUEPRINTS.find(outline, graph)  # blueprint.py: what came of a graph of this outline, for this one
        if known is not None:
            with suppress(MissingCodeError):  # somebody has emptied the cache
                functions = KERNELS.compile(known.steps)
                return Program(*known, functions, threads, partial(built_of, graph))
    built = built_of(graph)
    functions = KERNELS.compile(built.steps)  # llvm/, running/: machine code, from the disk where it is known
    if outline is not None:
        BLUEPRINTS.keep(outline, built)
    return Program(*built, functions, threads)  # program.py: tables of addresses and sizes


def built_of(graph: Graph) -> Built:
    """The steps of a graph, and where in memory their results lie."""
    from chainrule.native.lowering.in_place import with_rows_in_place  # only where a graph is new
    from chainrule.native.lowering.lower import lower, with_copies
    from chainrule.passes import optimise

    graph = optimise(graph)  # passes/: a smaller graph that computes the same
    graph = with_rows_in_place(graph)  # lowering/: what is kept of texts grows where it lies
    graph = with_copies(graph)  # so that what is returned is read before updates change it
    steps = lower(graph)  # lowering/: loop nests, matrix products, and blocks that run in NumPy
    return Built(graph, steps, plan_memory(steps, graph.outputs))  # plan.py: a place in the arena for each result
