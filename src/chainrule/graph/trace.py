"""Trace: record a Python function as a graph, on specs, without data."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field, replace
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import ChainruleError, ConfigurationError, ShapeError, shortened
from chainrule.graph.array import as_array
from chainrule.graph.leaves import Constant, Mutable
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Array, Spec, spec_of
from chainrule.graph.tensor import OPERATIONS, TRACING, Tensor, TensorLike

#: What looks at each node of a run: the node, its value, and those of its inputs.
Inspect = Callable[[Tensor, Array, Sequence[Array]], None]


@dataclass(frozen=True, eq=False)
class Update:
    """A change of a leaf: `target` becomes `value`; or, with `rows`, its row `rows[i]` becomes `value[i]`.

    Attributes:
        target: a leaf, such as a parameter or the moments that an optimizer keeps for one.
        value: of the target's shape; with `rows`, of shape (n, ...).
        rows: shape (n,), each row at most once. An index equal to the number of rows stands for no row. None changes
            the whole leaf.
    """

    target: Tensor
    value: Tensor
    rows: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Graph:
    """A recorded function: its input leaves, the nodes it returned, and what it does to other leaves.

    Printing a graph lists its nodes, inputs before outputs. Calling it runs it on data, node by node.

    Attributes:
        inputs: the leaves that stand for the arguments.
        outputs: the tensors that the function returned.
        updates: the changes of other leaves. All of them are made at once, after everything is computed.
        before: functions that are called before each run, for example to compute the coefficients of an optimizer's
            step.
        still_valid: functions that are called before each run, and before those in `before`. Each returns whether the
            graph still computes what the function does, and may prepare the run. If one returns False, trace anew.
        behind: leaves whose arrays the graph reads as they are, although updates of some rows may be postponed. All
            other leaves are brought up to date before they are read.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    updates: tuple[Update, ...] = ()
    before: tuple[Callable[[], None], ...] = ()
    still_valid: tuple[Callable[[], bool], ...] = ()
    behind: frozenset[Mutable] = frozenset()

    def results(self) -> tuple[Tensor, ...]:
        """All nodes that must be computed: the outputs, and the values and rows of the updates."""
        computed = [x for update in self.updates for x in (update.value, update.rows) if x is not None]
        return (*self.outputs, *computed)

    def nodes(self) -> list[Tensor]:
        """All nodes the results depend on, inputs before outputs."""
        return topological_order(self.results())

    def __call__(self, *data: TensorLike, inspect: Inspect | None = None) -> tuple[Array, ...]:
        """The values of the outputs for the given inputs, node by node in NumPy.

        Args:
            data: the inputs; other leaves, such as parameters, keep their values, but for updates.
            inspect: is called with each computed node, its value and those of its inputs, before anything is updated.

        Raises:
            ShapeError: when the number of inputs or one of their shapes differs from what was traced.
            ChainruleError: when the function must be traced anew, as the graph is no longer valid.
        """
        if not self.revalidate():
            raise ChainruleError("graph: it no longer computes what the function does; trace the function anew")
        if len(data) != len(self.inputs):
            raise ShapeError(f"graph: expected {len(self.inputs)} inputs, got {len(data)}")
        values: dict[Tensor, Array] = {}
        for position, (leaf, given) in enumerate(zip(self.inputs, data, strict=True)):
            array = given.numpy() if isinstance(given, Tensor) else as_array(given, leaf.dtype)
            if array.shape != leaf.shape:
                raise ShapeError(f"graph: input {position} was traced as {leaf.spec}, got shape {array.shape}")
            values[leaf] = array
        for prepare in self.before:
            prepare()
        for node in self.nodes():
            if node in values:
                continue
            if node.block is None:
                values[node] = self.held(node)
            else:
                read = [values[x] for x in node.inputs]
                values[node] = node.block.run(read, node.spec)
                if inspect is not None:
                    inspect(node, values[node], read)
        results = tuple(np.array(values[x]) if self.updates else values[x] for x in self.outputs)
        written = [(update, np.array(values[update.value], order="C")) for update in self.updates]
        for update, value in written:
            self.write(update, value, None if update.rows is None else values[update.rows])
        return results

    def revalidate(self) -> bool:
        """Whether the graph still computes what the function does. Call it right before each run."""
        valid = True
        for is_valid in self.still_valid:  # every one is called, as each may prepare the run
            valid = is_valid() and valid
        return valid

    def reading_behind(self, leaves: Iterable[Mutable]) -> Graph:
        """A copy of the graph that reads these leaves, too, without waiting for postponed updates of their rows."""
        return replace(self, behind=self.behind | frozenset(leaves))

    def held(self, leaf: Tensor) -> Array:
        """The array of a leaf that is not an input. Postponed updates are applied first, unless it is in `behind`.

        Raises:
            ChainruleError: when the leaf has no value.
        """
        if isinstance(leaf, Mutable) and leaf in self.behind and leaf.array is not None:
            return leaf.array
        return leaf.numpy()

    def put(self, leaf: Tensor, value: Array) -> None:
        """Give a leaf another array. Postponed updates are applied first, unless the leaf is in `behind`."""
        if isinstance(leaf, Mutable) and leaf in self.behind:
            leaf.array = value
        else:
            leaf.value = value

    def write(self, update: Update, value: Array, rows: Array | None) -> None:
        """Make an update with computed values: the leaf gets another array, or rows of its array are overwritten."""
        if rows is None:
            self.put(update.target, value)
        else:
            kept = rows < update.target.shape[0]
            array = self.held(update.target)
            if isinstance(update.target, Mutable) and update.target.on_loan:
                array = np.array(array, order="C")
                self.put(update.target, array)
            array[rows[kept]] = value[kept]

    def __str__(self) -> str:
        names: dict[Tensor, str] = {}
        lines, inputs = [], set(self.inputs)
        for node in self.nodes():
            names[node] = f"%{len(names)}"
            if node.block is None:
                known = "input" if node in inputs else type(node).__name__.lower()
                text = f"{known} {node.name or ''}".rstrip()
                if isinstance(node, Constant) and node.value is not None and node.value.size == 1:
                    text += f" {node.value.item():g}"
            else:
                text = f"{node.block!r} " + " ".join(names[x] for x in node.inputs)
            lines.append(f"{names[node]}: {node.spec} = {text.rstrip()}")
        for update in self.updates:
            place = "" if update.rows is None else f"[{names[update.rows]}]"
            lines.append(f"update {names.get(update.target, update.target.label)}{place} = {names[update.value]}")
        lines.append("return " + " ".join(names[output] for output in self.outputs))
        return "\n".join(lines)


def _all_tables(table: Tensor, again: bool) -> bool:  # noqa: ARG001
    return True


@dataclass(eq=False)
class Recording:
    """What a function does while it is traced, besides returning tensors; see `Graph`.

    A run makes all updates at its end. Yet who reads a leaf behind its update in the function is to see the new value,
    as when it runs eagerly: an operation gets `current(leaf)` in place of a leaf.
    """

    #: By their targets: a second update of a leaf takes the place of the first.
    updates: dict[Tensor, Update] = field(default_factory=dict)
    #: How often each leaf was updated.
    changes: Counter[Tensor] = field(default_factory=Counter)
    before: list[Callable[[], None]] = field(default_factory=list)
    #: Functions from graph to graph, which are applied in this order when the trace ends.
    rewrites: list[Callable[[Graph], Graph]] = field(default_factory=list)
    #: How many steps an optimizer has recorded, by the count of its state.
    steps: dict[Tensor, int] = field(default_factory=dict)
    #: The nodes that stand for leaves that were updated and then read.
    renewed: dict[Tensor, Tensor] = field(default_factory=dict)
    #: Whether the engine leaves rows of a table behind, by the table and whether they are then brought up to date by
    #: running equations again.
    defers: Callable[[Tensor, bool], bool] = _all_tables
    #: Whether leaves are themselves, whatever was updated: a gradient is that of the values that were read.
    unchanged: bool = False

    def update(self, updates: Iterable[Update]) -> None:
        """Record updates that are made together."""
        made = [replace(update, value=self.current(update.value)) for update in updates]
        made = [self._whole(update) if update.target in self.updates else update for update in made]
        for update in made:
            self.updates[update.target] = update
            self.changes[update.target] += 1
            self.renewed.pop(update.target, None)

    def current(self, leaf: Tensor) -> Tensor:
        """A leaf as the function sees it by now: itself, or after an update a node that holds the new value."""
        if self.unchanged or leaf not in self.updates:
            return leaf
        if leaf not in self.renewed:
            with self.as_read():
                self.renewed[leaf] = OPERATIONS["renew"](leaf, self._whole(self.updates[leaf]).value)
        return self.renewed[leaf]

    @contextmanager
    def as_read(self) -> Iterator[None]:
        """While this lasts, `current` gives leaves themselves."""
        unchanged, self.unchanged = self.unchanged, True
        try:
            yield
        finally:
            self.unchanged = unchanged

    def _whole(self, update: Update) -> Update:
        """An update of some rows as one of the whole leaf."""
        if update.rows is None:
            return update
        leaf = self.current(update.target)
        size, width = leaf.shape[0], (1,) * (leaf.spec.rank - 1)
        scatter_add = OPERATIONS["scatter_add"]
        hits = scatter_add(OPERATIONS["equal"](update.rows, update.rows).astype("float32"), update.rows, size)
        written = (hits > 0).reshape(size, *width)
        return Update(update.target, OPERATIONS["where"](written, scatter_add(update.value, update.rows, size), leaf))


#: The recording of the trace that code runs in, or None when it runs eagerly.
RECORDING: ContextVar[Recording | None] = ContextVar("recording", default=None)


def current_recording() -> Recording | None:
    """The recording of the trace that this code runs in, or None when it runs eagerly."""
    return RECORDING.get()


def assign(target: Mutable, value: TensorLike) -> None:
    """Give a leaf another value: at once, or in a compiled function as a part of each call.

    What is computed from the leaf afterwards reads the new value; gradients of what was computed before stay those of
    the old one.

    Args:
        target: a parameter, or another leaf that steps change, such as a running mean: `Mutable.of(...)`.
        value: of the target's shape; its dtype is converted.

    Raises:
        ConfigurationError: for a target that is no such leaf.
        ShapeError: for a value of another shape.

    Example (a running mean, kept by a compiled step):
        >>> import chainrule
        >>> mean = chainrule.Mutable.of([0.0, 0.0])
        >>> @chainrule.compile
        ... def step(x):
        ...     chainrule.assign(mean, 0.9 * mean + 0.1 * x.mean(axis=0))
        ...     return mean * 1
        >>> step([[1.0, 2.0], [3.0, 6.0]]).value
        array([0.2, 0.4], dtype=float32)
        >>> mean.value
        array([0.2, 0.4], dtype=float32)
    """
    if not isinstance(target, Mutable):
        raise ConfigurationError(
            f"assign: expected a parameter, or another leaf made by Mutable.of, got {type(target).__name__} "
            f"{getattr(target, 'label', repr(target))}"
        )
    found = value if isinstance(value, Tensor) else Constant(spec_of(array := as_array(value, target.dtype)), array)
    if found.shape != target.shape:
        raise ShapeError(f"assign: {target.label} has shape {target.shape}, got a value of shape {found.shape}")
    found = OPERATIONS["cast"](found, target.dtype)
    recording = RECORDING.get()
    if recording is None:
        target.value = np.array(found.numpy(), order="C")
    else:
        recording.update([Update(target, found)])


def replayed(outputs: Sequence[Tensor], known: Mapping[Tensor, Tensor]) -> list[Tensor]:
    """The outputs of a graph in which other tensors take the place of some: the same blocks, applied to these.

    Args:
        outputs: nodes.
        known: for some of the nodes that they depend on what takes their place.
    """
    found = dict(known)
    stack = list(outputs)
    while stack:
        node = stack[-1]
        missing = [x for x in node.inputs if x not in found] if node not in found else []
        if missing:
            stack += missing
            continue
        stack.pop()
        if node not in found:
            inputs = tuple(found[x] for x in node.inputs)
            same = node.block is None or all(new is old for new, old in zip(inputs, node.inputs, strict=True))
            found[node] = node if same or node.block is None else node.block(*inputs)
    return [found[x] for x in outputs]


def argument_names(function: Callable[..., Any]) -> list[str]:
    """What a function calls its first arguments, as far as each has a name; a function that wraps another has none."""
    try:
        arguments = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # it is written in C, and does not tell
        return []
    return [x.name for x in arguments if x.kind in (x.POSITIONAL_ONLY, x.POSITIONAL_OR_KEYWORD)]


def trace(
    function: Callable[..., Tensor | Sequence[Tensor]],
    *specs: Spec | Tensor,
    names: Sequence[str] = (),
    deferred: bool | Callable[[Tensor, bool], bool] = False,
) -> Graph:
    """Record a function over tensors as a graph.

    The function is called once, with leaves that have a spec and no value, so shapes that do not fit are found before
    there is any data. Other tensors that it uses, such as parameters, become leaves of the graph, too; each run reads
    their values anew.

    Args:
        function: takes one tensor a spec and returns a tensor or several.
        specs: what the inputs will look like (a tensor stands for its spec).
        names: labels for the inputs; without any, the names that the function gives its arguments.
        deferred: whether an optimizer's step in the function may leave rows of tables behind that the function does not
            read, to be brought up to date later. An engine that can do so asks for it; see `chainrule.optim.deferral`.
            A function says of which tables; see `Recording.defers`.

    Raises:
        ShapeError: where an operation of the function does not fit its inputs.
        ConfigurationError: for inputs that are no specs, too many names, or a function that returns no tensors.

    Example:
        >>> import numpy as np
        >>> from chainrule import Spec, trace
        >>> print(trace(lambda x: (x * 2).sum(), Spec((3,), np.dtype("float32")), names=["x"]))
        %0: float32(3,) = input x
        %1: float32() = constant 2
        %2: float32(3,) = multiply %0 %1
        %3: float32() = sum(axis=(0,), keepdims=False) %2
        return %3
    """
    for position, spec in enumerate(specs):
        if not isinstance(spec, Spec | Tensor):
            raise ConfigurationError(f"trace: expected a Spec or a tensor for input {position}, got {shortened(spec)}")
    if len(names) > len(specs):
        raise ConfigurationError(f"trace: expected at most {len(specs)} names, one an input, got {len(names)}")
    labels: list[Any] = [*(names or argument_names(function))[: len(specs)]]
    labels += [None] * (len(specs) - len(labels))
    leaves = tuple(
        Tensor(spec.spec if isinstance(spec, Tensor) else spec, name=name)
        for spec, name in zip(specs, labels, strict=True)
    )
    recording = Recording() if isinstance(deferred, bool) else Recording(defers=deferred)
    token, tracing = RECORDING.set(recording), TRACING.set(True)
    try:
        result = function(*leaves)
    finally:
        RECORDING.reset(token)
        TRACING.reset(tracing)
    outputs = (result,) if isinstance(result, Tensor) else result
    if not isinstance(outputs, list | tuple) or not all(isinstance(output, Tensor) for output in outputs):
        raise ConfigurationError(
            f"trace: the function returned {type(result).__name__}; expected a tensor, or a list or tuple of tensors"
        )
    graph = Graph(
        leaves, tuple(map(recording.current, outputs)), tuple(recording.updates.values()), tuple(recording.before)
    )
    for rewrite in recording.rewrites if deferred else ():
        graph = rewrite(graph)
    return graph
