"""Program: a compiled graph: its steps, the memory they share, and one native call that runs them."""

from __future__ import annotations

import ctypes
import functools
import math
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from chainrule.errors import ChainruleError, ShapeError
from chainrule.forks import once
from chainrule.graph.spec import Array, Shape, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Graph
from chainrule.native.leveled import leveled_table
from chainrule.native.llvm.machine import OK_STATUS
from chainrule.native.loops.cost import Cost, cost_of
from chainrule.native.loops.steps import Attending, Call, Leveled, Loop, Product, Recurrence, Step, with_inner
from chainrule.native.plan import ALIGNMENT, Built, MemoryPlan
from chainrule.native.repeated import RepeatedTable, repeated_table
from chainrule.native.running import blas
from chainrule.native.running.attention import attention_memory, attention_table
from chainrule.native.running.bindings import Bindings
from chainrule.native.running.driver import ALONE, FAILED_STEP, NOTE_WORDS, POOL_ADDRESS, THREADS
from chainrule.native.running.kernels import KERNELS, Function
from chainrule.native.running.pool import POOL
from chainrule.native.running.recurrence import NO_STEP

#: The largest size of a matrix product: BLAS counts in 32 bits.
LARGEST_BLAS_SIZE = 2**31 - 1


class Fit(NamedTuple):
    """What a program needs to run with other sizes than those it was traced with.

    Attributes:
        sizes: as `Program.sizes_traced`.
        arguments: the place of each argument in the memory of the program; None for a large one.
        outputs: the spec of each output and where it is; None for a leaf, which has its own array.
    """

    sizes: Array
    arguments: list[Array | None]
    outputs: list[tuple[Spec, Array | None]]


class Program:
    """A graph compiled for the sizes it was traced with; `build` makes it.

    Every step has a table of whole numbers: the addresses of its arrays, then their sizes, then the pitches of those
    that have one (see `Kernel.pitched`). Running a program writes the addresses of the inputs and parameters into the
    tables and makes one native call, or one before and one after each block that runs in NumPy.

    Attributes:
        graph: what was compiled. It and the steps may have only what is needed to run: see `whole`.
        threads: how many may work on one run; results do not depend on it.
        always_valid: whether nothing can make the graph invalid, so that it need not be asked before each run.
        steps: in the order they run.
        offsets: where in the arena each result lies.
        arena_bytes: the memory that the results share.
        tables: the tables of all steps, one after another.
        size_places: where sizes stand in `tables`.
        sizes_traced: the sizes of all arrays of all steps, then those of the outputs, as traced.
        resizable: whether other sizes may be written into the tables. They may not where there is a batch of matrix
            products, as the places of its matrices are computed beforehand, or a block that runs in NumPy.
    """

    def __init__(
        self,
        graph: Graph,
        steps: list[Step],
        memory_plan: MemoryPlan,
        functions: Sequence[Function],
        threads: int,
        anew: Callable[[], Built] | None = None,
    ) -> None:
        """Lay the tables out.

        Args:
            graph: what the steps compute.
            steps: in the order they run.
            memory_plan: where their results lie.
            functions: each step's machine code; at address 0 for a block that runs in NumPy.
            threads: how many may work on one run.
            anew: builds the same once more, where graph and steps come from a blueprint, which has only what runs.
        """
        self._anew = anew
        self.graph = graph
        self.steps = steps
        self.threads = threads
        self.always_valid = not graph.still_valid
        self.offsets, self.arena_bytes = memory_plan.offsets, memory_plan.arena_bytes
        self._arena = np.zeros(self.arena_bytes + ALIGNMENT, np.uint8)
        self._start = -self._arena.ctypes.data % ALIGNMENT
        self._base = self._arena.ctypes.data + self._start
        self._kept_alive: list[Array] = []
        self._resized = False
        self._repeated: dict[Recurrence | Leveled, RepeatedTable] = {}
        self.resizable = not any(
            isinstance(step, Call) or (isinstance(step, Product) and step.output.spec.rank > 2) for step in steps
        )
        self._functions = functions  # their code lives as long as the program
        self._lay_out([function.address for function in functions])
        shapes = [size for node in graph.outputs for size in node.shape]
        self._outputs = [(node, node.spec) for node in graph.outputs]
        self.sizes_traced = np.concatenate([self.tables[self.size_places], np.array(shapes, np.int64)])

    def run(self, fit: Fit | None = None) -> list[Tensor]:
        """The outputs, as leaves, for the arguments that `bindings` took; a fit when they are not of the traced sizes.

        Raises:
            IndexRangeError: for a position outside its range.
            ShapeError: for offsets that do not fit, or a leaf whose value is no longer of the traced spec.
        """
        for prepare in self.graph.before:
            prepare()
        if fit is not None or self._resized:
            self._resize(None if fit is None else fit.sizes)
        self.bindings.update()
        for first, call, table, notes in self._parts:
            if call is None:
                status = self._limited(table)
                if self.threads > 1:
                    POOL.start(_worker)
                if status != OK_STATUS:
                    self._refuse(first + int(notes[FAILED_STEP]), status)
            else:
                self._run_call(call.output)
        if fit is not None:
            places = zip(self._outputs, fit.outputs, strict=True)
            return [
                Tensor(x, (self.arrays[node] if place is None else place).copy()) for (node, _), (x, place) in places
            ]
        results = []  # copies, as the memory is the next run's
        for node, spec in self._outputs:  # not a list comprehension, which takes a call more
            results.append(Tensor(spec, self.arrays[node].copy()))
        return results

    def fit(self, sizes: Array, shapes: Sequence[Shape]) -> Fit:
        """What it needs to run with other sizes, for arguments of these shapes."""
        rest = iter(sizes[len(self.size_places) :].tolist())
        outputs: list[tuple[Spec, Array | None]] = []
        for node, spec in self._outputs:
            shape = tuple([next(rest) for _ in spec.shape])
            outputs.append((Spec(shape, spec.dtype), None if node.block is None else self._place(node, shape)))
        return Fit(sizes, self.bindings.places(shapes), outputs)

    @once
    def whole(self) -> Built:
        """Graph and steps with all that people read of them: each node and its block, loops, and refusals."""
        if self._anew is None:
            return Built(self.graph, self.steps, MemoryPlan(self.offsets, self.arena_bytes))
        return self._anew()

    def listing(self) -> str:
        """The program as loop nests, with the cost of each step and of all of them."""
        lines = []
        steps = self.whole.steps
        costs = [cost_of(step) for step in steps]
        for number, (step, cost) in enumerate(zip(steps, costs, strict=True)):
            blocks = self.blocks(number)
            cut = f", {blocks} blocks" if blocks > 1 else ""
            lines.append(f"# step {number}: {cost}{cut}\n{_text(step)}")
        return "\n\n".join([*lines, f"# all steps: {sum(costs, Cost())}"])

    def threads_now(self) -> int:
        """How many threads work on a run now: one while the driver has found help to cost more than it gives."""
        native = [notes for _, call, _, notes in self._parts if call is None]
        return self.threads if any(not notes[ALONE] for notes in native) else 1

    def use_threads(self, threads: int) -> None:
        """Have so many threads work on the runs that come."""
        self.threads = threads
        for notes in (self._notes, *(table.notes for table in self._repeated.values())):
            notes[..., THREADS] = threads

    def blocks(self, number: int) -> int:
        """Into how many blocks a step is cut, for the sizes of the last call."""
        function, table = self._calls[number].tolist()
        if not function:  # it runs in NumPy
            return 1
        code = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(function)
        return int(code(table, 0, 0)) % 2**32

    def _lay_out(self, functions: Sequence[int]) -> None:
        """Write the tables of all steps, bind the leaves to their places in them, and prepare the native calls."""
        numbers: list[int] = []
        starts: list[int] = []
        size_places: list[int] = []
        address_places = {node: list[int]() for node in self._inspected() if node.block is None}
        pitch_places: dict[Tensor, list[int]] = {}
        relocated: dict[int, int] = {}
        for step in self.steps:
            starts.append(len(numbers))
            if isinstance(step, Call):
                continue
            if isinstance(step, Recurrence | Leveled):
                lay_out: Any = leveled_table if isinstance(step, Leveled) else repeated_table
                table: RepeatedTable = lay_out(step, self._table, self.threads)
                self._repeated[step] = table
                relocated |= {starts[-1] + word: starts[-1] + place for word, place in table.inside.items()}
                for node, words in table.outside.items():
                    for word in words:
                        table.words[word] = self._address(node)
                    if node.block is None:
                        address_places.setdefault(node, []).extend(starts[-1] + word for word in words)
                size_places += [starts[-1] + word for word in table.sizes]
                numbers += table.words
                continue
            arguments, sizes, pitched = self._table(step)
            for argument in arguments:
                if isinstance(argument, Tensor) and argument.block is None:
                    address_places.setdefault(argument, []).append(len(numbers))
                numbers.append(self._address(argument) if isinstance(argument, Tensor) else argument)
            size_places += range(len(numbers), len(numbers) + len(sizes))
            numbers += sizes
            for leaf in pitched:
                pitch_places.setdefault(leaf, []).append(len(numbers))
                numbers.append(0)  # the bindings write it
        self.tables = np.array(numbers, np.int64)
        self.tables[[*relocated]] = self.tables.ctypes.data + 8 * np.array([*relocated.values()], np.int64)
        self.size_places = np.array(size_places, np.int64)
        self.bindings = Bindings(self.graph, address_places, pitch_places, self.tables)
        self.arrays = self.bindings.arrays
        self.arrays |= {node: self._place(node, node.shape) for node in self._inspected() if node.block is not None}
        addresses = [self.tables.ctypes.data + 8 * start for start in starts]
        self._calls = np.array([*zip(functions, addresses, strict=True)], np.int64).reshape(-1, 2)
        self._limited = KERNELS.limited
        self._prepare_calls()

    def _prepare_calls(self) -> None:
        """Cut the steps into parts: one native call, or one before and one after each block that runs in NumPy."""
        parts: list[tuple[int, int, Call | None]] = []
        first = 0
        for number, step in enumerate(self.steps):
            if isinstance(step, Call):
                parts += [(first, number - first, None), (number, 1, step)]
                first = number + 1
        parts.append((first, len(self.steps) - first, None))
        self._notes = np.zeros((len(parts), NOTE_WORDS), np.int64)
        self._notes[:, [POOL_ADDRESS, THREADS]] = POOL.address, self.threads
        self._parts: list[tuple[int, Call | None, ctypes.c_void_p, Array]] = []
        for (first, count, call), notes in zip(parts, self._notes, strict=True):
            products = any(
                isinstance(step, Product | Attending) for step in with_inner(self.steps[first : first + count])
            )
            given = self._calls.ctypes.data + 16 * first, count, notes.ctypes.data
            table = blas.limited(KERNELS.driver, given, products=products)
            self._kept_alive.append(table)
            if count:
                self._parts.append((first, call, ctypes.c_void_p(table.ctypes.data), notes))

    def _table(self, step: Loop | Product | Attending) -> tuple[list[Tensor | int], list[int], list[Tensor]]:
        """The arguments of a step, their sizes, and those with a pitch."""
        if isinstance(step, Attending):
            return *attention_table(step, self._attention_memory), []
        return self._loop_table(step) if isinstance(step, Loop) else self._product_table(step)

    @functools.cached_property
    def _attention_memory(self) -> Array:
        """What steps of attention work in."""
        return attention_memory()

    def _loop_table(self, step: Loop) -> tuple[list[Tensor | int], list[int], list[Tensor]]:
        """The arrays that a kernel works on (scratch memory by its address), their sizes, and those with a pitch."""
        specs = list(step.kernel.buffers.values())
        arguments: list[Tensor | int] = []
        for node, spec in zip(step.arguments, specs, strict=True):
            if node is None:
                self._kept_alive.append(np.zeros(spec.shape, spec.dtype))
                arguments.append(self._kept_alive[-1].ctypes.data)
            else:
                arguments.append(node if isinstance(node, Tensor) else 0)
        named = zip(step.kernel.buffers, step.arguments, strict=True)
        pitched = [node for name, node in named if name in step.kernel.pitched and isinstance(node, Tensor)]
        return arguments, [size for spec in specs for size in spec.shape], pitched

    def _product_table(self, step: Product) -> tuple[list[Tensor | int], list[int], list[Tensor]]:
        """The arguments of a product, in the order of `products.ARGUMENTS`; nothing of it has a pitch."""
        output = step.output.shape
        offsets = np.zeros((math.prod(output[:-2]), 3), np.int64)
        for column, shape in enumerate((step.left_shape, step.right_shape, output)):
            first = np.arange(math.prod(shape[:-2]), dtype=np.int64).reshape(shape[:-2])
            offsets[:, column] = np.broadcast_to(first * math.prod(shape[-2:]), output[:-2]).reshape(-1)
        self._kept_alive.append(offsets)
        double = step.output.dtype == np.float64
        inner = step.left_shape[-2 if step.left_transposed else -1]
        if max(*output[-2:], inner) > LARGEST_BLAS_SIZE:
            raise ShapeError(
                f"matmul: shapes {step.left_shape} and {step.right_shape} have a size above {LARGEST_BLAS_SIZE}, "
                "BLAS's limit"
            )
        sizes = [*output[-2:], inner, int(step.left_transposed), int(step.right_transposed), len(offsets)]
        routines = [blas.address(name) for name in (("dgemm", "dgemv") if double else ("sgemm", "sgemv"))]
        numbers = [offsets.ctypes.data, *routines, blas.unpacked_limit(double)]
        return [step.left, step.right, step.output, *numbers], sizes, []

    def _address(self, node: Tensor) -> int:
        """Where a result lies; 0 for a leaf, whose address the bindings write."""
        return self._base + self.offsets[node] if node in self.offsets else 0

    def _inspected(self) -> list[Tensor]:
        """The nodes whose arrays Python reads or writes: outputs, and those of blocks that run in NumPy."""
        calls = [step.output for step in self.steps if isinstance(step, Call)]
        return [*self.graph.outputs, *calls, *(x for node in calls for x in node.inputs)]

    def _place(self, node: Tensor, shape: Sequence[int]) -> Array:
        """A node's place in the arena, as an array."""
        return np.ndarray(shape, node.dtype, self._arena, self.offsets[node] + self._start)

    def _resize(self, sizes: Array | None) -> None:
        """Write other sizes into the tables; without any, those that were traced."""
        self._resized = True  # first, so that the traced sizes are written again if this is interrupted
        self.tables[self.size_places] = (self.sizes_traced if sizes is None else sizes)[: len(self.size_places)]
        if sizes is None:
            self.bindings.restore()
            self._resized = False

    def _refuse(self, number: int, status: int) -> NoReturn:
        """Raise the error of the step that failed."""
        known: Any = self.steps[number]
        step: Step = self.whole.steps[number]
        if isinstance(step, Recurrence):
            inner = int(self._repeated[known].notes[FAILED_STEP])
            step = step if inner == NO_STEP else step.steps[0][inner]
        elif isinstance(step, Leveled):
            failed = [int(notes[FAILED_STEP]) for notes in self._repeated[known].notes]
            inside = [r.steps[0][i] for r, i in zip(step.rules, failed, strict=True) if i != NO_STEP]
            step = inside[0] if inside else step
        raise (
            step.refusal(status)
            if isinstance(step, Loop | Recurrence | Leveled | Attending)
            else ChainruleError(f"a product gave {status}")
        )

    def _run_call(self, node: Tensor) -> None:
        """Run a block's NumPy forward on the arrays of the program."""
        if node.block is not None:
            np.copyto(self.arrays[node], node.block.run([self.arrays[x] for x in node.inputs], node.spec))


def _worker() -> Callable[[int, int], int]:
    return KERNELS.worker


def _text(step: Step) -> str:
    """A step as the listing shows it."""
    if isinstance(step, Recurrence):
        inner = "\n".join(_text(x) for x in step.steps[0])
        order = "from the last to the first" if step.output.block.backwards else "from the first to the last"  # type: ignore[union-attr]
        return f"repeat {step.output.spec} for each step of the texts, {order}\n" + textwrap.indent(inner, "  ")
    if isinstance(step, Leveled):
        inner = "\n".join(_text(x) for rule in step.rules for x in rule.steps[0])
        order = "from the last to the first" if step.output.block.backwards else "from the first to the last"  # type: ignore[union-attr]
        return f"repeat {step.output.spec} for each group of rows, {order}\n" + textwrap.indent(inner, "  ")
    if isinstance(step, Loop):
        return _named(step)
    if isinstance(step, Product):
        left = f"{_operand(step.left, step.left_shape)}{'ᵀ' if step.left_transposed else ''}"
        right = f"{_operand(step.right, step.right_shape)}{'ᵀ' if step.right_transposed else ''}"
        return f"product {step.output.spec} = {left} @ {right}"
    if isinstance(step, Attending):
        inputs = ", ".join(_operand(x, x.shape) for x in step.output.inputs)
        return f"{step.output.block!r} {step.output.spec} of {inputs}, for each text and head, tile by tile"
    return f"call NumPy: {step.output.spec} = {step.output.block!r}"


def _operand(x: Tensor, shape: Shape) -> str:
    spec = Spec(shape, x.dtype)
    return f"{x.name}: {spec}" if x.name else str(spec)


def _named(step: Loop) -> str:
    """The text of a kernel, in which buffers have the names of their tensors: the kernel itself serves many steps."""
    names: dict[str, str] = {}
    for buffer, x in zip(step.kernel.buffers, step.arguments, strict=True):
        if isinstance(x, Tensor) and x.name:
            name = re.sub(r"[^\w.]", "_", x.name)
            taken = name in names.values() or re.fullmatch(r"[a-z]\d+|size", name)  # as loops and values are called
            names[buffer] = f"{name}_{buffer}" if taken else name
    return re.sub(r"\bb\d+\b", lambda found: names.get(found[0], found[0]), str(step.kernel))
