"""Program: a compiled graph: its steps, the memory they share, and one native call that runs them."""

from __future__ import annotations

import ctypes
import functools
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, ShapeError
from chainrule.graph.spec import Array, spec_of
from chainrule.graph.tensor import Constant, Tensor
from chainrule.graph.trace import Graph
from chainrule.native import blas, cache
from chainrule.native.driver import driver_module, worker_module
from chainrule.native.llvm import FINE, identity, kernel_module, load, object_code
from chainrule.native.loops import Kernel
from chainrule.native.lower import Call, Loop, Product, Step, lower, with_copies
from chainrule.native.pool import POOL

ALIGNMENT = 64
#: BLAS counts in 32 bits.
LARGEST = 2**31 - 1


class _Kernels:
    """The machine code of this process, by the text of what was compiled; any thread may ask."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[int, Any]] = {}
        self.seconds = 0.0
        self.compiled = 0
        self._lock = threading.Lock()

    def kernel(self, kernel: Kernel) -> int:
        """The address of a kernel's function."""
        return self._get(kernel.key, lambda: kernel_module(kernel, "kernel"), "kernel")

    def product(self, double: bool) -> int:
        """The address of the function that multiplies matrices."""
        return self._get(f"product {double}", lambda: blas.product_module(double, "product"), "product")

    @functools.cached_property
    def driver(self) -> Callable[[int, int, int, int, int], int]:
        """Runs steps one after another; see `driver_module`."""
        address = self._get("driver", lambda: driver_module("driver"), "driver")
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        return ctypes.CFUNCTYPE(number, pointer, number, pointer, number, pointer)(address)

    @functools.cached_property
    def worker(self) -> Callable[[int, int], int]:
        """What a worker of the pool does; see `worker_module`."""
        address = self._get("worker", lambda: worker_module("worker"), "worker")
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)(address)

    def _get(self, key: str, make: Callable[[], Any], name: str) -> int:
        with self._lock:
            if key not in self.found:
                started = time.perf_counter()
                full = f"{identity()}\n{key}"
                code = cache.read(full)
                if code is None:
                    code = object_code(make())
                    cache.keep(full, code)
                    self.compiled += 1
                self.found[key] = load(code, name)
                self.seconds += time.perf_counter() - started
            return self.found[key][0]


KERNELS = _Kernels()


class Program:
    """A graph compiled for the sizes it was traced with.

    Every step has a table of whole numbers: the addresses of its arrays, then their sizes. All tables lie in `memory`;
    running a program writes the addresses of the inputs and parameters there and makes one native call.

    Attributes:
        graph: what was compiled.
        threads: how many may work on it at most; results do not depend on it.
        steps: in the order they run.
        arena_bytes: the memory that intermediate results share.
        size_places: where sizes stand in `memory`.
        sizes_traced: the sizes of all arrays of all steps, then those of the outputs, as traced.
        resizable: whether other sizes may be written into `memory`: not with batches of matrix products, whose places
            are computed beforehand, and not with blocks that run in NumPy.
    """

    def __init__(self, graph: Graph, threads: int = 1) -> None:
        graph = self.graph = with_copies(graph)
        self.threads = threads
        self.steps = lower(graph)
        self.offsets, self.arena_bytes = plan(self.steps, graph.outputs)
        self._arena = np.zeros(self.arena_bytes + ALIGNMENT, np.uint8)
        self._base = self._arena.ctypes.data + -self._arena.ctypes.data % ALIGNMENT
        self._kept: list[Array] = []
        self._targets = {update.target for update in graph.updates}
        self._resized = False
        self.resizable = not any(
            isinstance(step, Call) or (isinstance(step, Product) and step.output.spec.rank > 2) for step in self.steps
        )
        self._prepare()
        shapes = [size for node in graph.outputs for size in node.shape]
        self.sizes_traced = np.concatenate([self.memory[self.size_places], np.array(shapes, np.int64)])

    def __call__(self, inputs: Sequence[Array], sizes: Array | None = None) -> list[Array]:
        """The values of the outputs for arrays of the traced specs, or of smaller ones that have these sizes.

        Raises:
            IndexRangeError: for a position outside its range.
            ShapeError: for offsets that do not fit.
        """
        for prepare in self.graph.before:
            prepare()
        arrays = dict(zip(self.graph.inputs, map(self._readable, inputs), strict=True))
        for number, (leaf, places) in enumerate(self._leaf_places):
            value = arrays.get(leaf)
            if value is None:
                value = self._held(leaf)
            if value is not self._bound[number]:  # most leaves are parameters, which stay where they are
                self._bound[number] = value
                self.memory[places] = value.ctypes.data
        if sizes is not None or self._resized:
            self.memory[self.size_places] = (self.sizes_traced if sizes is None else sizes)[: len(self.size_places)]
            self._resized = sizes is not None
        with blas.ONE_THREAD:
            self._run(arrays)
        for finish in self.graph.after:
            finish()
        return self._outputs(arrays, sizes)

    def listing(self) -> str:
        """The program as loop nests, with the floating-point operations of products and the blocks of what is cut."""
        lines = []
        for number, step in enumerate(self.steps):
            blocks = self.blocks(number)
            cut = f", {blocks} blocks" if blocks > 1 else ""
            if isinstance(step, Loop):
                lines.append(f"# step {number}{cut}\n{step.kernel}")
            elif isinstance(step, Product):
                left = f"{step.left.spec}{'ᵀ' if step.left_turned else ''}"
                right = f"{step.right.spec}{'ᵀ' if step.right_turned else ''}"
                inner = step.left.shape[-2 if step.left_turned else -1]
                work = 2 * step.output.spec.size * inner
                lines.append(
                    f"# step {number}: {work:,} operations{cut}\nproduct {step.output.spec} = {left} @ {right}"
                )
            else:
                lines.append(f"# step {number}\ncall NumPy: {step.output.spec} = {step.output.block!r}")
        return "\n\n".join(lines)

    def blocks(self, number: int) -> int:
        """Into how many blocks a step is cut, for the sizes of the last call."""
        function, table = self._calls[2 * number : 2 * number + 2].tolist()
        if not function:  # it runs in NumPy
            return 1
        code = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(function)
        return int(code(table, 0, 0)) % 2**32

    def _prepare(self) -> None:
        """Compile the kernels and lay the tables out."""
        numbers: list[int] = []
        leaves: dict[Tensor, list[int]] = {}
        size_places: list[int] = []
        starts, functions = [], []
        self._parts: list[tuple[int, int, Call | None]] = []
        begin = 0
        for number, step in enumerate(self.steps):
            starts.append(len(numbers))
            if isinstance(step, Call):
                functions.append(0)
                self._parts += [(begin, number - begin, None), (number, 1, step)]
                begin = number + 1
                continue
            function, arguments, sizes = self._step(step)
            functions.append(function)
            for node in arguments:
                if isinstance(node, Tensor) and node.block is None:
                    leaves.setdefault(node, []).append(len(numbers))
                numbers.append(self._address(node) if isinstance(node, Tensor) else node)
            size_places += range(len(numbers), len(numbers) + len(sizes))
            numbers += sizes
        self._parts.append((begin, len(self.steps) - begin, None))
        self._parts = [part for part in self._parts if part[1]]
        self.memory = np.array(numbers, np.int64)
        self.size_places = np.array(size_places, np.int64)
        self._bound: list[Array | None] = [None] * len(leaves)
        self._leaf_places = [(leaf, np.array(places)) for leaf, places in leaves.items()]
        base = self.memory.ctypes.data
        calls = [x for function, start in zip(functions, starts, strict=True) for x in (function, base + 8 * start)]
        self._calls = np.array(calls, np.int64)
        self._notes = np.zeros((max(len(self._parts), 1), 2), np.int64)

    def _step(self, step: Loop | Product) -> tuple[int, list[Tensor | int], list[int]]:
        """A step's function, the arrays it works on (scratch by its address), and its sizes."""
        if isinstance(step, Loop):
            specs = list(step.kernel.buffers.values())
            arguments: list[Tensor | int] = []
            for node, spec in zip(step.arguments, specs, strict=True):
                if node is None:
                    self._kept.append(np.zeros(spec.shape, spec.dtype))
                    arguments.append(self._kept[-1].ctypes.data)
                else:
                    arguments.append(node)
            return KERNELS.kernel(step.kernel), arguments, [size for spec in specs for size in spec.shape]
        output = step.output.shape
        offsets = np.zeros((math.prod(output[:-2]), 3), np.int64)
        for column, node in enumerate((step.left, step.right, step.output)):
            first = np.arange(math.prod(node.shape[:-2]), dtype=np.int64).reshape(node.shape[:-2])
            offsets[:, column] = np.broadcast_to(first * math.prod(node.shape[-2:]), output[:-2]).reshape(-1)
        self._kept.append(offsets)
        function = KERNELS.product(step.output.dtype == np.float64)
        inner = step.left.shape[-2 if step.left_turned else -1]
        if max(*output[-2:], inner) > LARGEST:
            raise ShapeError(
                f"matmul: {step.left.spec} and {step.right.spec} have a size above {LARGEST}, BLAS's limit"
            )
        sizes = [*output[-2:], inner, int(step.left_turned), int(step.right_turned), len(offsets)]
        routine = blas.address("dgemm" if step.output.dtype == np.float64 else "sgemm")
        return function, [step.left, step.right, step.output, offsets.ctypes.data, routine], sizes

    def _address(self, node: Tensor) -> int:
        """A node's place in the arena; leaves get theirs in each run, and what is not in memory has none."""
        return self._base + self.offsets[node] if node in self.offsets else 0

    def _readable(self, value: Array) -> Array:
        """An argument in row order, and not in memory that the program writes."""
        written = any(
            leaf.dtype == value.dtype and leaf.value is not None and np.may_share_memory(leaf.value, value)
            for leaf in self._targets
        )
        return value.copy() if written or not _in_row_order(value) else value

    def _held(self, leaf: Tensor) -> Array:
        """The array of a parameter or a constant; in row order from now on, and writable where the program writes.

        Raises:
            ShapeError: when it is not of the spec that was traced.
        """
        value = leaf.numpy()
        if value.shape != leaf.shape or value.dtype != leaf.dtype:
            raise ShapeError(f"{leaf.label}: expected a value {leaf.spec}, got {spec_of(value)}; change it with assign")
        if not _in_row_order(value) or (leaf in self._targets and not value.flags.writeable):
            value = leaf.value = np.array(value, order="C")
        return value

    def _array(self, node: Tensor, arrays: dict[Tensor, Array], shape: Sequence[int]) -> Array:
        """A node's array, as a view."""
        if node.block is None:
            return arrays[node] if node in arrays else node.numpy()
        start = self.offsets[node] + self._base - self._arena.ctypes.data
        flat = self._arena[start : start + math.prod(shape) * node.dtype.itemsize]
        return flat.view(node.dtype).reshape(shape)

    def _run(self, arrays: dict[Tensor, Array]) -> None:
        """All steps: one native call, or one before and after each block that runs in NumPy."""
        for (start, count, call), notes in zip(self._parts, self._notes, strict=False):
            if call is not None:
                self._run_call(call, arrays)
                continue
            calls = self._calls.ctypes.data + 16 * start
            status = KERNELS.driver(POOL.address, self.threads, calls, count, notes.ctypes.data)
            POOL.start(lambda: KERNELS.worker)
            if status != FINE:
                step = self.steps[start + int(notes[0])]
                raise step.refusal(status) if isinstance(step, Loop) else ChainruleError(f"a product gave {status}")

    def _run_call(self, step: Call, arrays: dict[Tensor, Array]) -> None:
        node = step.output
        if node.block is not None:
            held = [Constant(x.spec, self._array(x, arrays, x.shape)) for x in node.inputs]
            np.copyto(self._array(node, arrays, node.shape), node.block.run(held))

    def _outputs(self, arrays: dict[Tensor, Array], sizes: Array | None) -> list[Array]:
        """Copies of the outputs: their memory is the next run's."""
        results, rest = [], None if sizes is None else iter(sizes[len(self.size_places) :].tolist())
        for node in self.graph.outputs:
            shape = node.shape if rest is None else tuple(next(rest) for _ in node.shape)
            results.append(self._array(node, arrays, shape).copy())
        return results


def plan(steps: Sequence[Step], outputs: Sequence[Tensor]) -> tuple[dict[Tensor, int], int]:
    """A place in the arena for every node that a step writes, and the size of the arena in bytes.

    A node lives from the step that writes it to the last that reads it, outputs to the end. Nodes that do not live at
    the same time share memory: each takes the first gap that is large enough.
    """
    first: dict[Tensor, int] = {}
    last: dict[Tensor, int] = {}
    for number, step in enumerate(steps):
        if step.output is not None:
            first.setdefault(step.output, number)
        for node in _touched(step):
            last[node] = number
    last |= dict.fromkeys(outputs, len(steps))
    offsets: dict[Tensor, int] = {}
    size = 0
    for node, begin in first.items():
        wanted = _room(node)
        taken = sorted(
            (offsets[x], offsets[x] + _room(x)) for x in offsets if last[x] >= begin and first[x] <= last[node]
        )
        place = 0
        for start, end in taken:
            if start - place >= wanted:
                break
            place = max(place, end)
        offsets[node] = place
        size = max(size, place + wanted)
    return offsets, size


def _touched(step: Step) -> list[Tensor]:
    if isinstance(step, Loop):
        return [node for node in step.arguments if node is not None]
    if isinstance(step, Product):
        return [step.left, step.right, step.output]
    return [step.output, *step.output.inputs]


def _in_row_order(value: Array) -> bool:
    return value.flags.c_contiguous and value.flags.aligned


def _room(node: Tensor) -> int:
    return -(-node.spec.size * node.dtype.itemsize // ALIGNMENT) * ALIGNMENT
