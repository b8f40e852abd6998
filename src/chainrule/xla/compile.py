"""compile: a Python function over tensors as XLA runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainrule.errors import ConfigurationError
from chainrule.graph.array import as_array
from chainrule.graph.conversion import as_tensors
from chainrule.graph.spec import Array, Shape, Spec, spec_of
from chainrule.graph.tensor import TRACING, Tensor
from chainrule.graph.trace import Graph, trace
from chainrule.random import Key
from chainrule.xla.device import on_cpu
from chainrule.xla.forms.attention import ATTENTION
from chainrule.xla.program import Axis, Program
from chainrule.xla.sizes import Shapes
from chainrule.xla.source import Chosen, Source

#: What the first axis of an argument counts: a name, and how many more there are of it.
Size = tuple[str, int]
#: Numbers in a table from which on its rows are left behind, on a device that is no CPU.
LEAST_DEFERRED = 2**25
#: How much larger sizes are in the second trace, which tells the axes that depend on them.
FURTHER = 24


def defers(table: Tensor, again: bool) -> bool:
    """Whether rows of a table that a mini-batch does not read are left behind.

    On a CPU they are. Another device writes a whole table in less time than a loop takes there, which runs equations
    again; and a small one in less time than it takes to find the rows.
    """
    return on_cpu() or (not again and table.spec.size >= LEAST_DEFERRED)


class Compiled:
    """A function that XLA runs; made by `compile`.

    Attributes:
        function: as given.
        shapes: the sizes that it was compiled for.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        sizes: Sequence[Size | None] = (),
        *,
        precision: str = "float32",
        expected: Sequence[Spec] | None = None,
    ) -> None:
        self.function, self.sizes, self.precision = function, tuple(sizes), precision
        self.shapes = Shapes(getattr(function, "__name__", "a function"))
        self._expected = expected
        self._programs: dict[Any, Program] = {}
        self._result: type = list
        #: The arguments that are offsets of texts that attention compares: of these the longest text counts.
        self._attended: set[int] | None = None
        self._lock = threading.RLock()

    @property
    def kernels(self) -> set[str]:
        """Kernels of the device that compute attention in what was compiled so far."""
        return {kernel for program in self._programs.values() for kernel in program.kernels}

    def __call__(self, *arguments: Any, chosen: Chosen | None = None) -> Any:
        """The function's result for tensors, arrays, numbers and keys.

        Args:
            arguments: of the function.
            chosen: rows on the device that the first of them are; of these, only offsets are sent.
        """
        if TRACING.get():  # inside another compiled function it is a part of that
            return self.function(*[x if isinstance(x, Key) else as_tensors([x])[0] for x in arguments])
        sites = tuple(x.site if isinstance(x, Key) else None for x in arguments)
        given = [x.words if isinstance(x, Key) else x for x in arguments]
        arrays = [x.numpy() if isinstance(x, Tensor) else as_array(x) for x in given]
        with self._lock:
            if self._attended is None:
                self._attended = self._read_by_attention(sites, [spec_of(x) for x in arrays])
            real = self._real(arrays)
            sizes = self.shapes.choose(real) if real else {}
            specs = tuple([Spec(self._shape(x, i, sizes), x.dtype) for i, x in enumerate(arrays)])
            source = None if chosen is None else chosen.source
            key = (sites, specs, source, *sizes.values())
            program = self._programs.get(key)
            if program is None or not program.graph.revalidate():
                program = self._programs[key] = self._built(sites, specs, sizes, source)
                program.graph.revalidate()  # must be called right before each run, as it may prepare it
            outputs = program.run(arrays, real, None if chosen is None else chosen.numbers)
        if self._result is Tensor:
            return outputs[0]
        return tuple(outputs) if self._result is tuple else outputs

    def _size(self, position: int) -> Size | None:
        """What is known of the first axis of an argument."""
        return self.sizes[position] if position < len(self.sizes) else None

    def _named(self, position: int) -> Size | None:
        """The same, where its size is rounded up."""
        size = self._size(position)
        return size if size is not None and size[0] else None

    def prepare(self) -> None:
        """Trace the function for the arguments that are expected, and compile nothing yet.

        An optimizer's step in it then has what tells how far rows of tables are behind, which a checkpoint fills in.
        """
        if self._expected is not None:
            self._graph((None,) * len(self._expected), self._expected)

    def _real(self, arrays: Sequence[Array]) -> dict[str, int]:
        """The sizes of a call by name, and of offsets that attention reads how long the longest text is."""
        found: dict[str, int] = {}
        for position, (x, size) in enumerate(zip(arrays, self.sizes, strict=False)):
            if size is None:
                continue
            name, more = size
            if name and found.setdefault(name, len(x) - more) != len(x) - more:
                raise ConfigurationError(
                    f"xla: argument {position} has {len(x)} of {name}, and another has another number"
                )
            if position in (self._attended or ()):
                found[f"longest {position}"] = int((x[1:] - x[:-1]).max(initial=1))
        return found

    def _read_by_attention(self, sites: Sequence[Any], specs: Sequence[Spec]) -> set[int]:
        """Which arguments are offsets that attention reads."""
        offsets = {i for i, size in enumerate(self.sizes) if size is not None and size[1] == 1}
        if not offsets:
            return set()
        graph = self._graph(sites, specs)
        read = {x for node in graph.nodes() if isinstance(node.block, ATTENTION) for x in node.inputs}
        return {i for i in offsets if graph.inputs[i] in read}

    def _shape(self, x: Array, position: int, chosen: Mapping[str, int]) -> Shape:
        """The shape of an argument that is computed with."""
        size = self._named(position)
        return x.shape if size is None else (chosen[size[0]] + size[1], *x.shape[1:])

    def _built(
        self, sites: Sequence[Any], specs: Sequence[Spec], chosen: Mapping[str, int], source: Source | None
    ) -> Program:
        """A new program for arguments of these shapes."""
        graph = self._graph(sites, specs)
        longest = {leaf: chosen[f"longest {i}"] for i, leaf in enumerate(graph.inputs) if f"longest {i}" in chosen}
        names = [name for name in chosen if not name.startswith("longest")]
        axes = {} if not names else self._axes(graph, sites, specs, names)
        go_on = [i for i in range(len(specs)) if (size := self._named(i)) is not None and size[1]]
        return Program(graph, axes, names, longest, go_on=go_on, precision=self.precision, source=source)

    def _axes(
        self, graph: Graph, sites: Sequence[Any], specs: Sequence[Spec], names: Sequence[str]
    ) -> dict[Tensor, list[Axis | None]]:
        """Which axes depend on which sizes: those that differ where the function is traced with others."""
        nodes = graph.nodes()
        found: dict[Tensor, list[Axis | None]] = {}
        factors: dict[tuple[Tensor, int], list[tuple[str, int]]] = {}
        for name in names:
            other = self._graph(sites, [self._larger(x, i, name) for i, x in enumerate(specs)]).nodes()
            if [type(x.block) for x in other] != [type(x.block) for x in nodes]:
                raise ConfigurationError(
                    f"xla: {self.shapes.name} does something else for another number of {name}; compile it without "
                    f"sizes"
                )
            for node, larger in zip(nodes, other, strict=True):
                for axis, (small, large) in enumerate(zip(node.shape, larger.shape, strict=True)):
                    if small != large:
                        factors.setdefault((node, axis), []).append((name, (large - small) // FURTHER))
        named = [(i, size) for i in range(len(specs)) if (size := self._named(i)) is not None]
        sizes = {name: specs[i].shape[0] - more for i, (name, more) in named}
        for (node, axis), terms in factors.items():
            constant = node.shape[axis] - sum(factor * sizes[name] for name, factor in terms)
            found.setdefault(node, [None] * len(node.shape))[axis] = (tuple(terms), constant)
        return found

    def _larger(self, spec: Spec, position: int, name: str) -> Spec:
        size = self._named(position)
        if size is None or size[0] != name:
            return spec
        return Spec((spec.shape[0] + FURTHER, *spec.shape[1:]), spec.dtype)

    def _graph(self, sites: Sequence[Any], specs: Sequence[Spec]) -> Graph:
        def function(*leaves: Tensor) -> Any:
            given = [x if site is None else Key(x, site) for x, site in zip(leaves, sites, strict=True)]
            result = self.function(*given)
            self._result = Tensor if isinstance(result, Tensor) else type(result)
            return result

        return trace(function, *specs, deferred=defers)


def compile(
    function: Callable[..., Any],
    sizes: Sequence[Size | None] = (),
    *,
    precision: str = "float32",
    expected: Sequence[Spec] | None = None,
) -> Compiled:
    """A function over tensors as one that XLA compiles, with the same results up to rounding.

    Args:
        function: as of `chainrule.compile`.
        sizes: for each argument what its first axis counts, and how many more it has, such as ("texts", 1) for
            offsets; None for an axis of a fixed size. Sizes are rounded up to a short list.
        precision: of products: "float32", "tensorfloat32" or "bfloat16".
        expected: specs of arguments, of which nothing is compiled until they come.
    """
    return Compiled(function, sizes, precision=precision, expected=expected)
