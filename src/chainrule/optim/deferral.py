"""Deferred updates: the dense rule on an embedding table, at the cost of the rows that a batch reads.

A rule such as Adam moves every row of a table in every step, also those without a gradient, as momenta decay. A row
that no batch reads may be left behind, though. What k steps without a gradient do to it is made up for when it is next
read: in a closed form (`Rule.after_pause`), or by running the rule's own equations k times where that form does not
hold (`Rule.closed_form_from`). The result is the dense rule's, up to rounding.

In a compiled step, every look-up in the table becomes one among the distinct rows of the batch, brought up to date. The
update goes on from these and writes them (`chainrule.optim.rewrite`). Each row knows the step after which it was
written. Whoever reads the table in another way, or what is remembered of it, finds all rows up to date: reading a
`Mutable` leaf settles it.

Source: derived for this project. Lazy variants, which skip such rows and are another algorithm, are those of PyTorch's
SparseAdam and TensorFlow's LazyAdam.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.blocks import broadcast_to, equal, gather_or_zero, greater_equal, where
from chainrule.blocks.repetition import Repeat
from chainrule.errors import ChainruleError, DTypeError, ShapeError
from chainrule.graph.block import Elementwise
from chainrule.graph.leaves import Constant, Mutable, Series
from chainrule.graph.spec import FLOAT64, INT32, INT64, Array, Spec
from chainrule.graph.tensor import TRACING, Tensor
from chainrule.graph.trace import Graph, Update, current_recording, trace
from chainrule.optim.pause import LONGEST_PAUSE, Pause
from chainrule.optim.rule import Rule
from chainrule.optim.table import ASLEEP, BEGINNING, Table, leaf_of, side_by_side
from chainrule.optim.updates import apply_rule
from chainrule.passes import optimise

#: Numbers of a table that are brought up to date together when all are.
CHUNK = 2**18
#: Products over steps below this are not kept any further: all rows are brought up to date, and they begin at 1 again.
SMALLEST_PRODUCT = 1e-200


class Deferral:
    """What one rule needs to bring the rows of its tables up to date.

    Attributes:
        rule: the rule.
        behind: whether any row may be behind.
        tables: by their parameters.
    """

    def __init__(self, rule: Rule, count: Tensor) -> None:
        self.rule = rule
        self.count = count
        self.behind = False
        self.tables: dict[Tensor, Table] = {}
        size = LONGEST_PAUSE + 2
        names = rule.coefficients(1, rule.learning_rate)
        self._history = {name: Series(np.zeros(size), name=name) for name in names}
        self._products = {name: Series(np.ones(size), name=f"product of {name}") for name in rule.compounds}
        self._sums = {name: Mutable.of(np.zeros(size), name=name, dtype=FLOAT64) for name in rule.sums}
        leaves = [*self._sums.values(), *self._products.values(), *self._history.values()]
        for leaf, array in zip(leaves, side_by_side([leaf.numpy() for leaf in leaves]), strict=True):
            leaf.value = array
        #: How many steps had been taken when all rows were last up to date.
        self._start = leaf_of(np.zeros((), np.int64), "start")
        self._settling = False
        self._programs: dict[tuple[Tensor, bool, bool], Callable[..., Any]] = {}

    @property
    def steps_since(self) -> int:
        """How many steps were taken since all rows were up to date."""
        return int(self.count.numpy() - self._start.numpy()) if self.behind else 0

    @property
    def replays(self) -> bool:
        """Whether rows are brought up to date by running the rule's equations, as the closed form does not hold yet."""
        begins = self.rule.closed_form_from()
        return begins is None or self.count.item() - self.steps_since < begins

    def table(self, parameter: Mutable, slot: Mapping[str, Mutable]) -> Table:
        """The table of a parameter; from now on, whoever reads it or its state finds all rows up to date."""
        if parameter not in self.tables:
            self.tables[parameter] = Table.of(parameter, slot)
            parameter.settlers = (*parameter.settlers, self.settle)
            for leaf in slot.values():
                leaf.settlers = (*leaf.settlers, self.expose)
        return self.tables[parameter]

    def revalidate(self, deferred: Sequence[Table], replays: bool) -> bool:
        """Prepare a step that leaves rows of these tables behind; False when it must be traced anew.

        Args:
            deferred: the tables that the traced step defers.
            replays: what `replays` was when the step was traced.
        """
        self._settling = False  # it may still say so where Ctrl-C came at the end of bringing rows up to date
        for table in deferred:
            for leaf in table.leaves:
                for settle in leaf.settlers:
                    if settle not in (self.settle, self.expose):  # another rule's
                        settle()
        if self.behind:
            begins = self.rule.closed_form_from()
            form_holds_now = replays and begins is not None and self.count.numpy() >= begins
            faded = any(abs(x.numpy()[self.steps_since]) < SMALLEST_PRODUCT for x in self._products.values())
            full = self.steps_since >= LONGEST_PAUSE
            if full or form_holds_now or faded or len(deferred) < len(self.tables):
                self.settle()
        return bool(replays == self.replays)

    def note(self, coefficients: Mapping[str, float]) -> None:
        """Keep the coefficients of the step that comes now."""
        if not self.behind:
            self._start.numpy()[()] = self.count.numpy()
            for total in self._sums.values():
                total.numpy()[...] = 0
            for table in self.tables.values():
                np.minimum(table.written.numpy(), BEGINNING, out=table.written.numpy())
                if self.rule.sleeps:
                    table.awaken()
            self.behind = True  # last, so that whoever interrupts this finds it to be done again
        step = self.steps_since + 1
        for name, value in coefficients.items():
            self._history[name].write(step, value)
        for name, product in self._products.items():
            product.write(step, product.numpy()[step - 1] * coefficients[name])

    def arrays(self) -> dict[str, Array]:
        """What tells how far rows are behind, by name, as it is in memory; tables count in the order they came in."""
        kinds: dict[str, Mapping[str, Tensor]]
        kinds = {"coefficient": self._history, "product": self._products, "sum": self._sums}
        held = {f"{kind}.{name}": leaf.numpy() for kind, leaves in kinds.items() for name, leaf in leaves.items()}
        written = {f"written.{i}": table.written.numpy() for i, table in enumerate(self.tables.values())}
        return {"start": self._start.numpy(), **held, **written}

    def go_on(self) -> None:
        """From now on rows are behind as `arrays` tell, into which another process's were or will be read."""
        for table in self.tables.values():
            table.known = [leaf.version for leaf in table.slot.values()]
        for series in (*self._history.values(), *self._products.values()):
            series.rewritten()
        self.behind = True

    def settle(self) -> None:
        """Bring all rows of all tables up to date."""
        if not self.behind or self._settling:
            return
        tracing = TRACING.get()
        try:
            self._settling = True
            TRACING.set(False)  # whoever reads a leaf in a trace reads what it holds now
            for table in self.tables.values():
                self._catch_up(table)
        finally:
            self._settling = False
            TRACING.set(tracing)
        self.behind = False

    def expose(self) -> None:
        """Bring all rows up to date for someone who reads what is remembered of them, and may change it."""
        self.settle()
        for table in self.tables.values():
            table.known = ()

    def _catch_up(self, table: Table) -> None:
        """Bring all rows of a table up to date, a chunk at a time."""
        held = table.parameter.held  # by the engine that takes the steps, which brings rows up to date, too
        key = table.parameter, self.replays, held is None
        if key not in self._programs:

            def bring(rows: Tensor) -> tuple[Tensor, ...]:
                recording = current_recording()
                if recording is None:
                    raise ChainruleError("deferred updates: rows are brought up to date in a compiled function")
                moved, state = self.current(table, rows, replays=key[1])
                slots = [Update(table.slot[name], x, rows) for name, x in state.items()]
                written = Update(table.written, self.written_after(rows, 0), rows)
                recording.update([Update(table.parameter, moved, rows), *slots, written])
                recording.rewrites.append(lambda graph: graph.reading_behind(table.leaves))
                return ()

            if held is None:
                from chainrule.native.compile import compile  # loads LLVM: only where steps are compiled

                self._programs[key] = compile(bring)
            else:
                self._programs[key] = held.compile(bring)
        written = table.written.numpy()
        behind = np.flatnonzero((written != self.steps_since + 1) & (written != ASLEEP))
        none, *width = table.parameter.shape
        size = max(min(CHUNK // max(math.prod(width), 1), none), 1)
        for start in range(0, len(behind), size):
            rows = np.full(size, none, np.int64)  # what is left over of the last chunk stands for no row
            chunk = behind[start : start + size]
            rows[: len(chunk)] = chunk
            self._programs[key](rows)

    def current(self, table: Table, rows: Tensor, *, replays: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Rows of a table and what is remembered of them, up to date; zeros for what is no row."""
        now = self.count - self._start
        written = gather_or_zero(table.written, rows).astype(INT64)
        first = where(equal(written, ASLEEP), now, written - 1)
        held = [gather_or_zero(leaf, rows) for leaf in table.leaves]
        if replays:
            equations = without_gradient(self.rule, table.parameter, tuple(table.slot))
            if equations is None:
                raise ChainruleError("deferred updates: the rule is not elementwise")
            block = Repeat(equations)
            packed = block(first, now, *self._history.values(), *held)
            moved, *state = [packed[k] for k in range(block.count)]
        else:
            sums = {name: gather_or_zero(x, first) for name, x in self._sums.items()}
            pause = Pause(first, now, self._history, self._products, sums, now - first)
            moved, after = self.rule.after_pause(held[0], dict(zip(table.slot, held[1:], strict=True)), pause)
            state = [after[name] for name in table.slot]
        return moved, dict(zip(table.slot, state, strict=True))

    def written_after(self, rows: Tensor, further: int) -> Tensor:
        """What `Table.written` holds of rows that are written after the current step, or after a further one."""
        return broadcast_to((self.count - self._start + (further + 1)).astype(INT32), rows.shape)

    def grown(self) -> list[Update]:
        """The sums of all pauses, by the step after which they began, with the step that is taken now."""
        width = min(self.rule.horizon(), LONGEST_PAUSE)
        gap = Constant(Spec((width,), INT64), np.arange(1, width + 1))
        now = self.count - self._start + 1
        first = now - gap
        rows = where(greater_equal(first, 0), first, LONGEST_PAUSE + 2)  # no pause began before counting did
        sums = {name: gather_or_zero(x, rows) for name, x in self._sums.items()}
        grown = self.rule.grow(Pause(first, now, self._history, self._products, sums, gap))
        return [Update(self._sums[name], x, rows) for name, x in grown.items()]


def without_gradient(rule: Rule, parameter: Tensor, names: Sequence[str]) -> Graph | None:
    """A rule's equations for one number without a gradient; None for a rule that is not elementwise.

    The inputs are the coefficients, the parameter and what is remembered of it; the outputs, the latter two anew.
    """
    one = Spec((), parameter.dtype)
    coefficients = list(rule.coefficients(1, rule.learning_rate))

    def equations(*given: Tensor) -> list[Tensor]:
        scalars = dict(zip(coefficients, given, strict=False))
        value, *state = given[len(coefficients) :]
        zero = Constant(one, np.zeros((), one.dtype))
        after, remembered = apply_rule(rule, value, zero, dict(zip(names, state, strict=True)), scalars)
        return [after, *[remembered[name] for name in names]]

    try:
        graph = optimise(trace(equations, *[one] * (len(coefficients) + 1 + len(names))))
    except (ShapeError, DTypeError):  # equations of whole rows, such as a norm along the last axis
        return None
    elementwise = all(node.block is None or isinstance(node.block, Elementwise) for node in graph.nodes())
    return graph if elementwise else None
