"""The function `scan`: a body of the user's own, cut into what has to go step by step and what has not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.blocks.arithmetic import Add, Multiply
from chainrule.blocks.comparison import where
from chainrule.blocks.contraction import MatMul
from chainrule.blocks.movement import reshape
from chainrule.blocks.places import Inverse, Rearrange, StepEnds, StepPlaces, StepStarts
from chainrule.blocks.ragged import segment_ids
from chainrule.blocks.recurrence import Body, Scan, is_zero, plane, states_before, typed
from chainrule.blocks.slicing import Slice
from chainrule.blocks.sorting import argsort
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.graph.autodiff import adjoints_of, dense
from chainrule.graph.conversion import as_tensors
from chainrule.graph.leaves import Constant
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor, TensorLike, operation
from chainrule.graph.trace import replayed

#: Functions that take long: what they gave is kept for the gradient, and each part of a concatenation has its own loop.
LONG_FUNCTIONS = {"exp", "expm1", "erf", "log", "log1p", "tanh", "sigmoid", "softplus", "power", "sin", "cos"}


@operation
def scan(
    body: Callable[..., Any],
    state: Any,
    *sequences: TensorLike,
    offsets: TensorLike,
    backwards: bool = False,
) -> tuple[Any, list[Tensor]]:
    """Take all texts of a batch through their steps: state, *outputs = body(state, *rows), from the first state on.

    The texts go side by side, the longest first, so that each token is computed once and none is padding. What the
    body computes of the rows alone, such as x W, is computed for all tokens at once; and so are the gradients, but for
    what has to go step by step.

    Gradient: by a scan the other way, of the body's own gradient.
    PyTorch: none. NumPy: none.

    Args:
        body: takes the state and one tensor a sequence, whose first axis is the texts that have the step, and returns
            the new state and a list of outputs. It must treat each row by itself.
        state: the first one: a tensor of shape (texts, ...), or a list of several.
        sequences: the tokens of all texts, one text after the other: shape (tokens, ...).
        offsets: shape (texts + 1,): where each text begins, and the last one ends.
        backwards: take each text from its last token to its first.

    Returns:
        the last state of each text, as `state` was given; and the outputs of all tokens, in the order of the sequences.

    Raises:
        ShapeError: when shapes do not fit.
        DTypeError: for states that are not all floating-point numbers of one dtype.
        ConfigurationError: for a body that returns something else, or does not treat each row by itself.

    Example (a running sum in each of two texts):
        >>> import chainrule
        >>> def add(total, x):
        ...     return total + x, [total + x]
        >>> x = [[1.0], [2.0], [3.0]]
        >>> last, (sums,) = chainrule.scan(add, chainrule.zeros((2, 1)), x, offsets=[0, 2, 3])
        >>> last.value.tolist(), sums.value.tolist()
        ([[3.0], [3.0]], [[1.0], [3.0], [3.0]])
    """
    several = isinstance(state, list | tuple)
    states = list(as_tensors(state if several else [state]))
    flat = list(as_tensors(sequences))
    (offsets,) = as_tensors([offsets])
    texts = offsets.shape[0] - 1
    if not states or not flat:
        raise ConfigurationError(f"scan: expected a state and a sequence at least, got {len(states)} and {len(flat)}")
    _require(states, flat, texts, flat[0].shape[0])
    order = argsort(offsets[1:] - offsets[:-1], descending=True)
    starts = StepStarts.of()(offsets, segment_ids(offsets, flat[0]))
    token_of, row_of = StepPlaces.of(False)(offsets, order, starts), StepPlaces.of(True)(offsets, order, starts)
    rows = [Rearrange.of()(x, token_of, row_of) for x in flat]
    rank_of = Inverse.of()(order, order)
    first = [x if is_zero(x) else Rearrange.of()(x, order, rank_of) for x in states]
    step = _Step(body, first, rows, several=several)
    packed = Scan(step.body, backwards)(starts, *first, *step.rows, *step.shared)
    planes = [plane(packed, step.body, i) for i in range(len(step.body.outputs))]
    begins = [states_before(x, s, starts, backwards=backwards) for x, s in zip(planes, first, strict=False)]
    outputs = [Rearrange.of()(x, row_of, token_of) for x in step.outputs(begins, planes)]
    ends = StepEnds.of(not backwards)(starts, order)
    ends_of_texts = Rearrange.of()(ends, rank_of, order)
    last = []
    for x, given in zip(planes, states, strict=False):
        found = Rearrange.of()(x, ends_of_texts, Inverse.of()(ends_of_texts, x))
        if not is_zero(given):
            empty = reshape(ends_of_texts < 0, (texts, *[1] * (given.spec.rank - 1)))
            found = where(empty, given, found)
        last.append(found)
    return (last if several else last[0]), outputs


def _require(states: Sequence[Tensor], sequences: Sequence[Tensor], texts: int, tokens: int) -> None:
    """Refuse what does not fit."""
    for i, x in enumerate(states):
        if x.spec.rank < 1 or x.shape[0] != texts:
            raise ShapeError(f"scan: expected a state a text, {texts}, in state {i}, got shape {x.shape}")
        if not x.spec.floating or x.dtype != states[0].dtype:
            raise DTypeError(
                f"scan: expected floating-point states of one dtype, got {', '.join(x.dtype.name for x in states)}"
            )
    for i, x in enumerate(sequences):
        if x.spec.rank < 1 or x.shape[0] != tokens:
            raise ShapeError(f"scan: expected a row a token, {tokens}, in sequence {i}, got shape {x.shape}")


class _Step:
    """A user's body in parts: what is computed of all rows before the scan, the scan's own body, and the outputs.

    Attributes:
        rows: what is computed of the rows alone and read by the scan's body, for all rows.
        shared: what it reads that does not depend on rows.
        body: the scan's own.
    """

    def __init__(
        self, body: Callable[..., Any], states: Sequence[Tensor], rows: Sequence[Tensor], *, several: bool
    ) -> None:
        self.function, self.states, self.several = body, states, several
        self.given = rows
        count = rows[0].shape[0]
        whole = self._traced(count, rows)
        self.whole, self.rows, self.shared = whole, whole.rows, whole.shared
        specs = [Spec(x.shape[1:], x.dtype) for x in (*states, *self.rows)]
        self.body = Body(self._scanned, [*specs, *[x.spec for x in self.shared]], len(states), len(self.rows))

    def _traced(self, count: int, rows: Sequence[Tensor], read: Sequence[bool] | None = None) -> _Parts:
        """The user's body over so many rows; for `read` see `_Parts`."""
        states = [Tensor(Spec((count, *x.shape[1:]), x.dtype)) for x in self.states]
        found = self.function(states if self.several else states[0], *rows)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], list | tuple)):
            raise ConfigurationError("scan: expected the body to return the new state and a list of outputs")
        new = list(found[0]) if self.several else [found[0]]
        for old, x in zip(states, new, strict=True):
            if x.spec != old.spec:
                raise ShapeError(
                    f"scan: the body was given a state {old.spec} and returned {x.spec}; expected the same"
                )
        return _Parts(states, list(rows), new, list(found[1]), read)

    def _scanned(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The scan's body for its inputs."""
        dtype = inputs[0].dtype
        rows = [Tensor(typed(Spec((inputs[0].shape[0], *x.shape[1:]), x.dtype), dtype)) for x in self.given]
        parts = self._traced(inputs[0].shape[0], rows, self.whole.read)
        if [x.shape for x in parts.shared] != [x.shape for x in self.shared]:
            raise ConfigurationError(
                "scan: the body makes a tensor whose shape follows from the number of rows, such as random numbers or "
                "zeros; make it outside, one row a token, and hand it on as a sequence"
            )
        known = zip([*parts.states, *parts.rows, *parts.shared], inputs, strict=True)
        return replayed([*parts.new, *parts.kept], dict(known))

    def outputs(self, begins: Sequence[Tensor], planes: Sequence[Tensor]) -> list[Tensor]:
        """The outputs of the user's body for all rows, from the states that each begins and ends with."""
        known = dict(zip(self.whole.states, begins, strict=True))
        known |= dict(zip([*self.whole.new, *self.whole.kept], planes, strict=True))
        return replayed(self.whole.outputs, known)


def _sources(x: Tensor, of_rows: set[Tensor]) -> list[Tensor]:
    """What the loop reads instead of a node that depends on rows alone, where that is no more than it reads for it.

    A bias that is added to one array of rows, or a part of its columns, takes less time in the loop than to be written
    for all rows first.
    """
    found, shared = x, []
    while found in of_rows and isinstance(found.block, Add | Multiply | Slice):
        rows = [y for y in found.inputs if y in of_rows]
        if len(rows) != 1 or rows[0].shape[:1] != found.shape[:1] or rows[0].spec.rank != found.spec.rank:
            break
        shared += [y for y in found.inputs if y not in of_rows]
        found = rows[0]
    return [found, *shared]


def read_again(
    inputs: Sequence[Tensor], new: Sequence[Tensor], outputs: Sequence[Tensor], known: set[Tensor]
) -> set[Tensor]:
    """The nodes of a step that its gradient reads, or its outputs, where these are known."""
    pairs = [(x, Tensor(x.spec)) for x in new if x.block is not None]
    floating = [x for x in inputs if x.spec.floating]
    found = adjoints_of(pairs, floating) if pairs else {}
    stack, read = [*outputs, *(dense(found[x]) for x in floating if x in found)], set[Tensor]()
    while stack:
        node = stack.pop()
        if node not in read:
            read.add(node)
            stack += [] if node in known else node.inputs
    return read


class _Parts:
    """The graph of a body, cut where it meets the states.

    Attributes:
        states, new, outputs: its states, what becomes of them, and its outputs.
        rows: nodes that depend on rows alone and are read by what depends on the states.
        shared: nodes that depend on neither.
        read: of each product that depends on the states, whether gradients or outputs read it. It takes a gradient to
            find that out, so it is taken from the same body over another number of rows where that is there.
        kept: what depends on the states and takes long, as far as gradients and outputs read it.
    """

    def __init__(
        self,
        states: list[Tensor],
        rows: list[Tensor],
        new: list[Tensor],
        outputs: list[Tensor],
        read: Sequence[bool] | None = None,
    ) -> None:
        self.states, self.new, self.outputs = states, new, outputs
        moving, of_rows = set(states), set(rows)
        cut: dict[Tensor, None] = {}
        long, products = list[Tensor](), list[Tensor]()
        for node in topological_order(new):
            if node in moving or node in of_rows:
                continue
            if not moving.isdisjoint(node.inputs):
                moving.add(node)
                cut |= {x: None for x in node.inputs if x not in moving}
                if isinstance(node.block, MatMul):
                    products.append(node)
                elif node.block is not None and node.block.name in LONG_FUNCTIONS:
                    long.append(node)
            elif not of_rows.isdisjoint(node.inputs):
                of_rows.add(node)
        cut |= {x: None for x in new if x not in moving}
        cut = {x: None for found in cut for x in _sources(found, of_rows)}
        alike = [x for x in cut if not (isinstance(x, Constant) and x.spec.size == 1)]
        self.rows = [x for x in alike if x in of_rows]
        self.shared = [x for x in alike if x not in of_rows]
        if read is None or len(read) != len(products):
            again = read_again([*states, *self.rows], new, outputs, known={*new, *long})
            read = [x in again for x in products]
        self.read = read
        found_again = [x for x, is_read in zip(products, read, strict=True) if is_read]
        self.kept = [x for x in (*long, *found_again) if not any(x is y for y in new)]
        count = states[0].shape[0]
        if any(x.spec.rank < 1 or x.shape[0] != count for x in (*self.rows, *self.kept)):
            raise ConfigurationError(
                "scan: expected the body to treat each row by itself: what it computes must keep the rows on the "
                "first axis"
            )
