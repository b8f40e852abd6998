"""The block contract: everything that is known of an operation, declared once.

A block is a small frozen dataclass: its fields are the settings of the operation (an axis, a dtype). It declares

- `infer`: the shape rule, from specs to spec; it needs no data, so a wrong graph fails when it is built;
- `forward(xp, ...)`: the value, written with the operators of Python and a few functions of `xp`;
- `backward`: one contribution to the gradient of each input, written with blocks, so that a gradient is a graph
  like any other;
- a loop body, for generated loops: what one element of the output is (see the kinds below);
- `samples`: inputs for the test that every block has to pass (`chainrule.testing.check_block`); an elementwise block
  without settings has some from its `domain`.

Four kinds cover nearly all operations, and each kind has one shape rule and one loop strategy:

- `Elementwise`: a scalar function; inputs are broadcast. Its `forward` is its loop body too, so it may use on its
  inputs only what a scalar in a generated loop has: the operators, and the functions named in `SCALAR_FUNCTIONS`.
- `Reduction`: a start value and a combination over some axes.
- `Movement`: an index map; `element` says which input element an output element is. `Scatter` is its transpose: it adds
  each input element to the output element that `target` names.
- `Contraction`: a matrix product.

Other operations derive from `Block` itself and may declare their whole loops (`loops`, `scratch`). Without loops,
compiled programs, too, run their NumPy `forward`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.errors import BlockError, ChainruleError, DTypeError, IndexRangeError, ShapeError, shortened
from chainrule.graph.accuracy import EXTREMES, Accuracy
from chainrule.graph.array import NUMPY, any_outside
from chainrule.graph.contract import blame, require_declared
from chainrule.graph.conversion import as_tensors, promote, with_numbers
from chainrule.graph.errstate import IGNORE, errors_now, reset_errors, set_errors
from chainrule.graph.leaves import Constant, Mutable
from chainrule.graph.samples import Sample as Sample
from chainrule.graph.samples import Samples as Samples
from chainrule.graph.samples import integers as integers
from chainrule.graph.samples import real as real
from chainrule.graph.samples import sample as sample
from chainrule.graph.samples import spread
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import ARRAY, BOOL, Array, Shape, Spec, broadcast_shapes, reduced_shape, require_numbers
from chainrule.graph.spec import broadcast_index as broadcast_index
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.graph.trace import RECORDING

#: What `backward` returns: for each input a contribution to its gradient, or None.
Contributions: TypeAlias = Sequence[Tensor | RowSparse | None]
Index: TypeAlias = tuple[Any, ...]
Interval: TypeAlias = tuple[float, float]
#: Reads one element of an input in a loop body; `.shape` gives the sizes of that input.
Element: TypeAlias = Any
#: Of so many combinations of inputs a block knows at most what comes of them.
MOST_FOUND = 1024


@dataclass(frozen=True, repr=False)
class Block:
    """The base of all blocks; see the module's text for what a block declares.

    Calling a block applies it: it makes the node and, when every input has a value, computes the node's own.

    Example (an own block, used like any other):
        >>> import chainrule
        >>> class Cube(chainrule.Elementwise):
        ...     def forward(self, xp, x):
        ...         return x * x * x
        ...     def backward(self, gradient, output, x):
        ...         return (gradient * 3 * x * x,)
        >>> x = chainrule.tensor(2.0)
        >>> chainrule.grad(Cube()(x), x).item()
        12.0
    """

    __slots__ = ("__dict__", "__weakref__", "_found")

    name: ClassVar[str] = "block"
    #: Whether any input carries a gradient; the shared test checks that none does where this is False.
    differentiable: ClassVar[bool] = True
    #: Whether its two inputs may be exchanged.
    commutative: ClassVar[bool] = False
    #: Whether `backward` only hands the gradient on, so that it may be row-sparse.
    hands_on: ClassVar[bool] = False
    #: Which input holds indices into another one; `limit` says what each must be below. None for most blocks.
    index_input: ClassVar[int | None] = None
    #: Whether compiled programs stop for its NumPy forward on purpose.
    stops: ClassVar[bool] = False
    #: Whether the class is only a base for blocks: `class Base(Block, abstract=True)`.
    abstract: ClassVar[bool] = True
    #: The methods that a block of this kind defines.
    declares: ClassVar[tuple[str, ...]] = ("infer", "forward", "backward")

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        super().__init_subclass__()
        cls.abstract = abstract
        if not abstract:
            require_declared(cls, cls.declares)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        """The inputs as tensors of the dtypes the block wants, which depend on those of the inputs alone."""
        return as_tensors(inputs)

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """A block that has met no inputs yet."""
        object.__setattr__(block := super().__new__(cls), "_found", {})
        return block

    @classmethod
    @lru_cache(maxsize=MOST_FOUND, typed=True)
    def of(cls, *settings: Any) -> Self:
        """The block with these settings, the same one each time, as it knows what comes of inputs that it has met."""
        return cls(*settings)

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles: the settings."""
        return vars(self)

    def __init__(self, *settings: Any, **named: Any) -> None:
        if settings or named:
            raise BlockError(
                f"block {self.name} has no settings, but got {shortened(settings or named)}; to give it some, declare "
                f"them as fields, such as `rate: float`, and write @dataclass(frozen=True, repr=False) above the class"
            )

    if TYPE_CHECKING:  # declared without a signature, as every subclass has its own inputs
        #: What comes of inputs of some kinds: the spec of the output, and the dtype that Python numbers take.
        _found: ClassVar[dict[tuple[Any, ...], tuple[Spec, np.dtype[Any] | None]]]
        #: `loops(nest, output, [scratch,] *inputs)`: the whole operation as loops, for blocks that are of no kind.
        loops: ClassVar[Callable[..., None]]
        #: `scratch(*specs)`: optional memory for `loops`. It is all zeros before, and `loops` leaves it so.
        scratch: ClassVar[Callable[..., Spec]]
        #: `limit(shape, *shapes)`: from the shapes of output and inputs, one more than the largest index allowed.
        limit: ClassVar[Callable[..., Any]]
        #: The shape rule: the spec of the output from those of the inputs.
        infer: ClassVar[Callable[..., Spec]]
        #: `forward(xp, *values)`: the value of the output from those of the inputs.
        forward: ClassVar[Callable[..., Any]]
        #: `backward(gradient, output, *inputs)`: a contribution to each input's gradient, or None where there is none.
        #: A contribution may have the broadcast shape of its input: autodiff sums it back.
        backward: ClassVar[Callable[..., Contributions]]

    @classmethod
    def samples(cls) -> Samples:
        """Inputs for the shared test; a block without any fails it."""
        return ()

    def __call__(self, *inputs: TensorLike) -> Tensor:
        """Apply the block to tensors or data."""
        # Specs, and types of numbers, decide what comes: it is found out once. A list of two takes three times as long.
        tensors: Any = inputs
        if len(inputs) == 2:
            a, b = inputs
            kinds: Any = a.spec if isinstance(a, Tensor) else type(a), b.spec if isinstance(b, Tensor) else type(b)
        elif len(inputs) == 1:
            kinds = (inputs[0].spec if isinstance(inputs[0], Tensor) else type(inputs[0]),)
        else:
            kinds = tuple([x.spec if isinstance(x, Tensor) else type(x) for x in inputs])
        found = self._found.get(kinds)
        if found is None:
            tensors, spec = self._find(inputs, kinds)
        else:
            spec, dtype = found
            if dtype is not None:
                tensors = with_numbers(inputs, dtype)
        recording = RECORDING.get()
        if recording is not None and recording.updates:
            tensors = tuple(map(recording.current, tensors))
        output = Tensor(spec, None, self, tensors)
        if recording is None or all(x.known for x in tensors):
            self.compute(output)
        return output

    def _find(self, inputs: Sequence[TensorLike], kinds: Any) -> tuple[tuple[Tensor, ...], Spec]:
        """The promoted inputs and the spec of the output."""
        try:
            tensors = self.promote_inputs(inputs)
            specs = tuple([x.spec for x in tensors])
            known = self._found.get(specs)  # that of tensors like these, also where arrays were given
            spec = self.infer(*specs) if known is None else known[0]
        except Exception as error:
            blame(self, "infer", error)
            raise
        if not isinstance(spec, Spec) or np.dtype(spec.dtype).hasobject:
            raise BlockError(f"block {self.name}: infer gave {shortened(spec)}; expected Spec(shape, dtype)")
        if len(tensors) == len(inputs):
            if len(self._found) > MOST_FOUND - 2:
                self._found.clear()
            self._found[specs] = spec, None
            made = [(x, y) for x, y in zip(inputs, tensors, strict=True) if x is not y]
            numbers = all(type(x) in (int, float) and y.spec.floating for x, y in made)  # no data, and nothing cast
            if numbers and len({y.dtype for _, y in made}) == 1:
                self._found[kinds] = spec, made[0][1].dtype
        return tensors, spec

    def compute(self, output: Tensor) -> None:
        """Set the value of a node of this block, if all its inputs have one, and take the arrays of leaves on loan.

        Raises:
            BlockError: when forward fails.
            ShapeError, DTypeError: for a value of another shape or dtype than the shape rule says.
            ChainruleError: for an index out of range (see `range_error`); all are checked before the first is used.
        """
        values: list[Any] = []
        changing: tuple[tuple[int, Mutable], ...] = ()
        array: Any
        for x in output.inputs:
            if type(x) is Tensor or not isinstance(x, Mutable):
                array = x.value
            else:
                changing += ((len(values), x),)
                array = x.held or x.array  # what an engine has elsewhere comes back below, if at all
            if array is None:
                return
            values.append(array)
        for position, leaf in changing:  # only now, as it makes updates that were postponed
            values[position] = leaf.value
        if self.index_input is not None:
            self._require_indices(values, output.shape)
        before = None if errors_now() is IGNORE else set_errors(IGNORE)
        try:
            # Written out for two, as a list of arguments takes as long as half of a small addition.
            value = self.forward(NUMPY, *values) if len(values) != 2 else self.forward(NUMPY, values[0], values[1])
            value = value if type(value) is ARRAY else np.asarray(value)
        except Exception as error:
            blame(self, "forward", error)
            raise
        finally:
            if before is not None:
                reset_errors(before)
        spec = output.spec
        if value.dtype is not spec.dtype or value.shape != spec.shape:
            self._require(spec, value)
        output.value = value
        for position, leaf in changing:  # no loan where neither the value nor any gradient reads the array again
            copied = isinstance(self, Movement) and not np.may_share_memory(value, values[position])
            values[position] = None if copied else leaf.lend()
        output.loans = values

    def run(self, values: Sequence[Array], spec: Spec | None = None) -> Array:
        """The value on NumPy, from those of the inputs; `spec` is what the shape rule says, where it is known."""
        inputs = tuple([Constant(Spec(array.shape, array.dtype), array) for array in values])
        output = Tensor(spec or self.infer(*[x.spec for x in inputs]), None, self, inputs)
        self.compute(output)
        return output.numpy()

    def _require_indices(self, values: Sequence[Array], shape: Shape) -> None:
        indices, limit = values[self.index_input or 0], self.limit(shape, *[x.shape for x in values])
        if any_outside(indices, limit):
            raise self.range_error(int(indices[(indices < 0) | (indices >= limit)].flat[0]), limit)

    def _require(self, spec: Spec, value: Array) -> None:
        """Hold a block to its own shape rule.

        Raises:
            BlockError, ShapeError, DTypeError: for something else than numbers, or of another shape or dtype.
        """
        if value.dtype.hasobject:
            raise BlockError(f"block {self.name}: forward gave {shortened(value)}; expected an array: return the value")
        if value.shape != spec.shape:
            raise ShapeError(
                f"block {self.name}: infer says {spec}, but forward gave shape {value.shape}; make them agree"
            )
        if value.dtype != spec.dtype:
            raise DTypeError(
                f"block {self.name}: infer says {spec}, but forward gave {value.dtype.name}; make them agree, for "
                f"example with xp.astype(y, x.dtype)"
            )

    def refusal(self, value: int) -> str:
        """The message for a value that the loops of this block refuse."""
        return f"{self.name}: {value} is out of range"

    def range_error(self, index: int, limit: int) -> ChainruleError:
        """The error for an index outside 0 ... limit - 1."""
        return IndexRangeError(f"{self.name}: index {index} is out of range; expected 0 to {limit - 1}")

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value}" for key, value in vars(self).items())
        return f"{self.name}({settings})" if settings else self.name


class Elementwise(Block, abstract=True):
    """A scalar function of its inputs, which are broadcast against each other.

    Class settings for the shared test, which most blocks leave as they are:

    - `domain`: where samples come from, as (low, high) for all inputs, or one such interval an input;
    - `extremes`: what all inputs are tested at, in all combinations, or one such tuple an input;
    - `accuracy` and `gradient_accuracy`: how exact the value and the gradient are there.
    """

    #: Whether integer inputs are made floating-point first.
    floating: ClassVar[bool] = False
    #: Whether boolean inputs are refused.
    numeric: ClassVar[bool] = False
    #: Whether the output is boolean.
    truth: ClassVar[bool] = False
    domain: ClassVar[Interval | tuple[Interval, ...]] = (-2.0, 2.0)
    extremes: ClassVar[tuple[float, ...] | tuple[tuple[float, ...], ...]] = EXTREMES
    accuracy: ClassVar[Accuracy] = Accuracy()
    gradient_accuracy: ClassVar[Accuracy] = Accuracy()

    def promote_inputs(self, inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
        """The inputs as tensors of one common dtype."""
        tensors = promote(self.name, inputs, floating=self.floating)
        if self.numeric:
            require_numbers(self.name, tensors[0].spec)
        return tensors

    def infer(self, *specs: Spec) -> Spec:
        """The broadcast shape; the dtype of the inputs, or bool for a comparison."""
        shape = broadcast_shapes(self.name, [spec.shape for spec in specs])
        return Spec(shape, BOOL if self.truth else specs[-1].dtype)

    @classmethod
    def samples(cls) -> Samples:
        """Numbers from the `domain`: inputs that are broadcast against each other, scalars, and no elements at all.

        A block with a setting that has no default, or with any number of inputs, declares its own.
        """
        inputs = list(inspect.signature(cls.forward).parameters.values())[2:]
        unknown = [field for field in fields(cls) if field.default is MISSING]
        if unknown or any(x.kind is not x.POSITIONAL_OR_KEYWORD for x in inputs):
            return ()
        shapes: list[list[Shape]] = [[(2, 3)], [()], [(0, 3)]]
        if len(inputs) > 1:
            shapes = [[(2, 3), (3,), (2, 1)], [(3, 1), (2, 1, 4), ()], [()], [(0, 3), (3,)]]
        intervals = cls.domain if isinstance(cls.domain[0], tuple) else (cls.domain,) * len(inputs)
        return [sample(cls(), *spread(chosen, intervals)) for chosen in shapes]

    def element(self, xp: Any, index: Index, shape: Shape, *inputs: Element) -> Any:  # noqa: ARG002
        """One element of the output: the function of one element of each input."""
        return self.forward(xp, *[x(broadcast_index(index, x.shape)) for x in inputs])


class Reduction(Block, abstract=True):
    """A combination of all elements along some axes, from a start value.

    Subclasses have the fields `axis` (sorted, counted from the left) and `keepdims`, declare `forward`, and for
    generated loops `start` and `combine`. An empty axis gives the start value.
    """

    #: Whether it keeps its digits along a long axis, as a sum in blocks does, and a product cannot.
    keeps_digits: ClassVar[bool] = True
    declares = (*Block.declares, "start", "combine")
    axis: tuple[int, ...]
    keepdims: bool

    def infer(self, *specs: Spec) -> Spec:
        """The input's shape without the axes, or with size 1 there when `keepdims`."""
        (x,) = specs
        return Spec(reduced_shape(x.shape, self.axis, self.keepdims), x.dtype)

    if TYPE_CHECKING:
        #: `start(dtype)`: the combination of no elements, such as 0 for a sum.
        start: ClassVar[Callable[..., Any]]
        #: `combine(xp, accumulated, element)`: the combination with one more element; associative and commutative.
        combine: ClassVar[Callable[..., Any]]


class Movement(Block, abstract=True):
    """An index map: every output element is an input element (or a constant, or an index)."""

    declares = (*Block.declares, "element")
    #: Whether compiled programs check that `element` reads inside its inputs, in blocks that are not the toolkit's own.
    #: Set it to False for a block that `check_block` passes at all the sizes that come, to save the time.
    bounds_checked: ClassVar[bool] = True
    #: Fields, each of several whole numbers, that a generated loop gets as arguments, so that one serves all values.
    at_run_time: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        #: `element(xp, index, shape, *inputs)`: the output element at `index`, read by `inputs[k](index)`.
        #: Sizes come from `shape` (the output's) and `inputs[k].shape`, never from the block's own fields, so that
        #: one generated loop serves every size.
        element: ClassVar[Callable[..., Any]]


class Scatter(Block, abstract=True):
    """The transpose of a movement: elements of the first input are added into an output that starts at zero."""

    declares = (*Block.declares, "target")
    #: Whether compiled programs check that `target` is inside the output; see `Movement`.
    bounds_checked: ClassVar[bool] = True

    if TYPE_CHECKING:
        #: `target(index, *inputs)`: the output element that the first input's element at `index` is added to.
        target: ClassVar[Callable[..., Index]]


class Contraction(Block, abstract=True):
    """A sum of products over a shared axis, for BLAS."""
