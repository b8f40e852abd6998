"""Blueprints: what was made of a graph on its way to a program, kept for all graphs of the same outline.

A blueprint is what a program needs to run: steps and memory plan, with numbers for the parts of its graph. It holds
nothing of that graph itself, such as the weights of a network that was trained. For another graph, that one's parts
stand behind the numbers. What people read of a program, its nodes and the bodies of its kernels, is not in it.

It is made of lists, texts and numbers alone, so that it is written as JSON and read by other processes.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.blocks.attention_tiles import Attention
from chainrule.blocks.recurrence import Body, Scan
from chainrule.blocks.slicing import Slice
from chainrule.graph.block import Block
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph, Update
from chainrule.native.llvm.machine import identity
from chainrule.native.loops.kernel import Signature
from chainrule.native.loops.steps import Attending, Call, Leveled, Loop, Product, Recurrence, Step, with_inner
from chainrule.native.outline import Outline
from chainrule.native.plan import Built, MemoryPlan
from chainrule.native.running import cache

#: How many blueprints a process keeps; that which was not used for the longest time goes first.
KEPT = 128
#: How many are kept on disk, by the times they were made; each is some tens of kilobytes.
KEPT_ON_DISK = 1024
#: The folder in the cache that they stand in.
FOLDER = "blueprints"


class Blueprints:
    """The blueprints of this process, and on disk those of all. Several threads may use them."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Any]] = {}

    def find(self, outline: Outline, graph: Graph) -> Built | None:
        """What was made of a graph of this outline, for this one; None where nothing is known."""
        found = self._kept.pop(outline.key, None)
        if found is None:
            name = _name(outline.key)
            content = cache.read_sealed(f"{FOLDER}/{name}.json")
            found = None if content is None else json.loads(content)
            if found is None or found["name"] != name:
                return None
        self._remember(outline.key, found)
        return _Reader(found, outline.parts).built(graph)

    def keep(self, outline: Outline, built: Built) -> None:
        """Keep what was built of a graph of this outline, unless a step runs in NumPy or goes by levels."""
        made = blueprint_of(outline, built)
        if made is not None:
            self._remember(outline.key, made)
            made["name"] = name = _name(outline.key)
            cache.keep_sealed(f"{FOLDER}/{name}.json", json.dumps(made).encode(), most=KEPT_ON_DISK)

    def clear(self) -> None:
        """Forget those of this process."""
        self._kept.clear()

    def _remember(self, key: str, blueprint: dict[str, Any]) -> None:
        self._kept[key] = blueprint  # at the end, as the one that was used last
        for oldest in list(self._kept)[:-KEPT]:
            self._kept.pop(oldest, None)


BLUEPRINTS = Blueprints()


@functools.cache
def _origin() -> str:
    """What a blueprint depends on beside the outline: the source that makes it, NumPy, and what machine code does.

    Source is known by the times and sizes of its files, as Python knows it for the modules that it keeps compiled.
    """
    found = []
    for package in ("blocks", "graph", "native", "passes"):
        for folder, _, _ in os.walk(Path(__file__).parents[1] / package):
            with os.scandir(folder) as entries:  # one call of the system a file
                files = [entry for entry in entries if entry.name.endswith(".py")]
            found += [(x.path, (status := x.stat()).st_mtime_ns, status.st_size) for x in files]
    return f"{identity()} {np.__version__} {sorted(found)}"


def _name(key: str) -> str:
    """The name of a blueprint, by all that it depends on."""
    return hashlib.sha256(f"{_origin()} {key}".encode()).hexdigest()


def blueprint_of(outline: Outline, built: Built) -> dict[str, Any] | None:
    """The blueprint of what was built of a graph; None where a step runs in NumPy or goes by levels."""
    if any(isinstance(step, Call | Leveled) for step in built.steps):
        return None
    return _Writer(outline.parts).built(built)


class _Writer:
    """Writes what was built: nodes, specs and kernels are numbers, in the order in which they are named."""

    def __init__(self, parts: Iterable[Tensor | Body]) -> None:
        self.parts = {part: number for number, part in enumerate(parts)}
        self.specs: dict[Spec, int] = {}
        self.numbers: dict[Tensor, int] = {}
        self.nodes: list[Any] = []
        self.told: set[Tensor] = set()

    def built(self, built: Built) -> dict[str, Any]:
        """All of it."""
        attending = [step.output for step in with_inner(built.steps) if isinstance(step, Attending)]
        self.told = {*attending, *(x for node in attending for x in node.inputs if isinstance(x.block, Slice))}
        graph = self.graph(built.graph)
        steps = [self.step(step) for step in built.steps]
        plan = built.memory_plan
        offsets = [[self.node(node), offset] for node, offset in plan.offsets.items()]
        specs = [[spec.dtype.str, *spec.shape] for spec in self.specs]
        return {
            "specs": specs, "nodes": self.nodes, "graph": graph, "steps": steps, "offsets": offsets,
            "arena": plan.arena_bytes,
        }  # fmt: skip

    def spec(self, spec: Spec) -> int:
        """The number of a spec."""
        return self.specs.setdefault(spec, len(self.specs))

    def node(self, node: Tensor) -> int:
        """The number of a node."""
        if node not in self.numbers:
            line = self.line(node)
            self.numbers[node] = len(self.nodes)
            self.nodes.append(line)
        return self.numbers[node]

    def line(self, node: Tensor) -> list[Any]:
        """What is to be known of a node: its spec, what it is, and of a block that a step asks its settings."""
        spec = self.spec(node.spec)
        if node in self.parts:
            return [spec, "part", self.parts[node]]
        block = node.block
        if block is None:
            value = node.value if isinstance(node, Constant) else None
            return [spec, "leaf"] if value is None else [spec, "constant", value.tobytes().hex()]
        if isinstance(block, Scan):
            return [spec, "scan", self.parts[block.body], block.backwards]
        if node not in self.told:
            return [spec, "node"]
        settings = {field.name: getattr(block, field.name) for field in dataclasses.fields(block)}
        inputs = [self.node(x) for x in node.inputs] if isinstance(block, Attention) else []
        return [spec, "block", type(block).__module__, type(block).__qualname__, settings, inputs]

    def graph(self, graph: Graph) -> list[Any]:
        """What a program reads of a graph."""
        updates = [[None if x is None else self.node(x) for x in (y.target, y.value, y.rows)] for y in graph.updates]
        return [[self.node(x) for x in graph.inputs], [self.node(x) for x in graph.outputs], updates]

    def step(self, step: Step) -> list[Any]:
        """A step."""
        if isinstance(step, Loop):
            signature = step.kernel.signature
            buffers = [[name, self.spec(spec), name in signature.pitched] for name, spec in signature.buffers.items()]
            arguments = [
                self.node(x) if isinstance(x, Tensor) else None if x is None else [self.spec(x)] for x in step.arguments
            ]
            output = None if step.output is None else self.node(step.output)
            return ["loop", signature.key, buffers, arguments, output, [self.node(x) for x in step.writes]]
        if isinstance(step, Product):
            shapes = step.left_shape, step.right_shape
            held = [self.node(x) for x in (step.output, step.left, step.right)]
            return ["product", *held, *shapes, step.left_transposed, step.right_transposed]
        reads = [[self.node(x), place] for x, place in step.reads]  # type: ignore[union-attr]
        if isinstance(step, Recurrence):
            graphs = [self.graph(graph) for graph in step.graphs]
            return [
                "recurrence",
                self.node(step.output),
                reads,
                graphs,
                [[self.step(x) for x in y] for y in step.steps],
            ]
        return ["attending", self.node(step.output), reads]


class _Known(Block, abstract=True):
    """Stands for the block of a node of which a program knows that a step computes it."""


_KNOWN = _Known()


class _Reader:
    """Reads a blueprint, with the parts of a graph in their places."""

    def __init__(self, blueprint: dict[str, Any], parts: tuple[Tensor | Body, ...]) -> None:
        self.blueprint, self.parts = blueprint, parts
        self.specs = [Spec(tuple(shape), np.dtype(dtype)) for dtype, *shape in blueprint["specs"]]
        self.nodes: list[Any] = []
        for line in blueprint["nodes"]:
            self.nodes.append(self.node(*line))

    def built(self, graph: Graph) -> Built:
        """All of it; what is called before runs is the graph's own."""
        inputs, outputs, updates = self.graph(self.blueprint["graph"])
        steps = [self.step(*line) for line in self.blueprint["steps"]]
        offsets = {self.nodes[number]: offset for number, offset in self.blueprint["offsets"]}
        known = Graph(inputs, outputs, updates, graph.before, graph.still_valid, graph.behind)
        return Built(known, steps, MemoryPlan(offsets, self.blueprint["arena"]))

    def node(self, spec: int, kind: str, *more: Any) -> Any:
        """A node."""
        if kind == "part":
            return self.parts[more[0]]
        found = self.specs[spec]
        if kind == "leaf":
            return Tensor(found)
        if kind == "constant":
            return Constant(found, np.frombuffer(bytes.fromhex(more[0]), found.dtype).reshape(found.shape))
        if kind == "node":
            return Tensor(found, None, _KNOWN)
        if kind == "scan":
            return Tensor(found, None, Scan(self.parts[more[0]], more[1]))
        module, name, settings, inputs = more
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
        block: Block = getattr(importlib.import_module(module), name)(**values)
        return Tensor(found, None, block, tuple([self.nodes[x] for x in inputs]))

    def graph(self, lines: list[Any]) -> tuple[Any, Any, Any]:
        """Inputs, outputs and updates of a graph."""
        inputs, outputs, updates = lines
        nodes = self.nodes
        changes = [Update(nodes[x], nodes[y], None if rows is None else nodes[rows]) for x, y, rows in updates]
        return tuple([nodes[x] for x in inputs]), tuple([nodes[x] for x in outputs]), tuple(changes)

    def step(self, kind: str, *line: Any) -> Any:
        """A step."""
        nodes = self.nodes
        if kind == "loop":
            key, named, given, output, writes = line
            buffers = {name: self.specs[spec] for name, spec, _ in named}
            signature: Any = Signature(key, buffers, {name for name, _, pitched in named if pitched})
            arguments = [nodes[x] if isinstance(x, int) else None if x is None else self.specs[x[0]] for x in given]
            written = tuple([nodes[x] for x in writes])
            return Loop(signature, tuple(arguments), None if output is None else nodes[output], written)
        if kind == "product":
            output, left, right, left_shape, right_shape, *transposed = line
            return Product(nodes[output], nodes[left], nodes[right], tuple(left_shape), tuple(right_shape), *transposed)
        output, reads = nodes[line[0]], tuple([(nodes[x], place) for x, place in line[1]])
        if kind == "attending":
            return Attending(output, reads)
        graphs = [Graph(*self.graph(graph)) for graph in line[2]]
        steps = [[self.step(*x) for x in steps] for steps in line[3]]
        return Recurrence(output, reads, (graphs[0], graphs[1]), (steps[0], steps[1]))
