"""Read a written expression as a graph: `(x*a + b)**2` with values for its names.

The text is parsed by Python's own parser and then built from the blocks in the table below, node by node; nothing of it
is ever run as Python. Whatever is not in the language described at `parse` is refused with its place.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule import blocks
from chainrule.dataclasses import dataclass
from chainrule.errors import ChainruleError, ConfigurationError, shortened
from chainrule.graph.conversion import tensor
from chainrule.graph.leaves import Constant
from chainrule.graph.spec import FLOAT32, Array, spec_of
from chainrule.graph.tensor import Tensor

#: Limits that keep every expression quick to read, and the recursion over it shallow.
MAXIMUM_LENGTH, MAXIMUM_DEPTH = 2000, 100


@dataclass(frozen=True)
class _Function:
    """A function of the language: how many tensors it takes, and its settings."""

    call: Callable[..., Tensor]
    inputs: int = 1
    settings: tuple[str, ...] = ()
    several_axes: bool = False


_REDUCED = ("axis", "keepdims")
FUNCTIONS = {
    "abs": _Function(blocks.absolute),
    "absolute": _Function(blocks.absolute),
    "exp": _Function(blocks.exp),
    "log": _Function(blocks.log),
    "log1p": _Function(blocks.log1p),
    "log_softmax": _Function(blocks.log_softmax, settings=("axis",)),
    "logsumexp": _Function(blocks.logsumexp, settings=_REDUCED),
    "matmul": _Function(blocks.matmul, 2),
    "max": _Function(blocks.max, settings=_REDUCED, several_axes=True),
    "maximum": _Function(blocks.maximum, 2),
    "mean": _Function(blocks.mean, settings=_REDUCED, several_axes=True),
    "minimum": _Function(blocks.minimum, 2),
    "relu": _Function(blocks.relu),
    "sigmoid": _Function(blocks.sigmoid),
    "softmax": _Function(blocks.softmax, settings=("axis",)),
    "softplus": _Function(blocks.softplus),
    "sqrt": _Function(blocks.sqrt),
    "sum": _Function(blocks.sum, settings=_REDUCED, several_axes=True),
    "tanh": _Function(blocks.tanh),
    "where": _Function(blocks.where, 3),
}
OPERATORS: dict[type[ast.AST], Callable[..., Tensor]] = {
    ast.Add: blocks.add,
    ast.Sub: blocks.subtract,
    ast.Mult: blocks.multiply,
    ast.Div: blocks.divide,
    ast.Pow: blocks.power,
    ast.MatMult: blocks.matmul,
    ast.Lt: blocks.less,
    ast.LtE: blocks.less_equal,
    ast.Gt: blocks.greater,
    ast.GtE: blocks.greater_equal,
    ast.Eq: blocks.equal,
    ast.NotEq: blocks.not_equal,
}
ALLOWED = (
    "allowed are numbers, names, lists of numbers, + - * / ** @, one comparison, parentheses and the functions "
    + ", ".join(FUNCTIONS)
)


def parse(text: str, values: Mapping[str, ArrayLike]) -> Tensor:
    """The tensor that an expression describes, with its graph.

    The language: numbers, names, lists of numbers, `+ - * / ** @`, minus signs, one comparison (`< <= > >= == !=`),
    parentheses, and the functions abs (or absolute), exp, log, log1p, log_softmax, logsumexp, matmul, max, maximum,
    mean, minimum, relu, sigmoid, softmax, softplus, sqrt, sum, tanh and where, with `axis=` and `keepdims=` where they
    have them. Operators bind as in Python. Every number is float32.

    Args:
        text: the expression, of up to 2,000 characters.
        values: a number or array for each name; each name becomes one leaf, however often it is used.

    Raises:
        ConfigurationError: for anything outside the language, a name without a value or a value that is not used; the
            message shows the place.
        ShapeError: for shapes that do not fit, with the place too.

    Example:
        >>> y = parse("(x*a + b)**2", {"x": 2, "a": 3, "b": 1})
        >>> y.item()
        49.0
    """
    reader = _Reader(text)
    for name in values:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
            raise ConfigurationError(
                f"expression: {shortened(name)} cannot be a name; expected letters, digits and _, starting with a "
                f"letter"
            )
    leaves = {name: tensor(_float32(value, f"value of {name}"), name=name) for name, value in values.items()}
    result = reader.build(reader.tree, leaves)
    unused = [name for name in values if name not in reader.used]
    if unused:
        raise ConfigurationError(
            f"expression: a value is given for {', '.join(unused)}, which {shortened(reader.text)} does not use; "
            f"leave it out, or use the name"
        )
    return result


def parse_function(text: str, names: Sequence[str]) -> Callable[..., Tensor]:
    """The function of tensors that an expression describes, in the language of `parse`.

    Args:
        text: the expression.
        names: of its arguments, in their order.

    Raises:
        ConfigurationError: for anything outside the language, and for other names; when it is called, for the rest.

    Example:
        >>> valley = parse_function("x**2 + 25*y**2", ["x", "y"])
        >>> valley(tensor(2.0), tensor(1.0)).item()
        29.0
    """
    reader = _Reader(text)
    for node in ast.walk(reader.tree):
        if isinstance(node, ast.Name) and node.id not in names and node.id not in FUNCTIONS:
            raise reader.refusal(node, f"there is no {node.id} here: it is a function of {' and '.join(names)}")
    return lambda *arguments: reader.build(reader.tree, dict(zip(names, arguments, strict=True)))


def parse_number(text: str) -> Array:
    """The float32 array that a number or a bracketed list of numbers describes; lists may be nested.

    Raises:
        ConfigurationError: for anything else, showing the place.

    Example:
        >>> parse_number("[[1, 2], [3, -4.5]]").tolist()
        [[1.0, 2.0], [3.0, -4.5]]
    """
    reader = _Reader(text, allowed="expected a number such as 2 or -0.5, or a bracketed list such as [1, 2, 3]")
    return reader.array(reader.tree)


def _float32(value: ArrayLike, what: str) -> Array:
    """Numbers as float32, refused where that does not hold them."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ConfigurationError(
            f"expression: {what}: expected a number or a regular array of numbers, got {shortened(value)}"
        )
    if (np.isfinite(array) & (np.abs(array.astype(np.float64)) > np.finfo(FLOAT32).max)).any():
        raise ConfigurationError(f"expression: {what} is larger than float32 holds (3.4e38); use a smaller number")
    return array.astype(FLOAT32)


class _Reader:
    """One text, its syntax tree, and errors that point into it."""

    def __init__(self, text: str, allowed: str = ALLOWED) -> None:
        self.text = " ".join(text.split())
        self.allowed = allowed
        self.tree = self._parsed()
        self.used: set[str] = set()  # names that the built expression reads

    def _parsed(self) -> ast.expr:
        if not self.text:
            raise ConfigurationError(f"expression: there is no text; {self.allowed}")
        if len(self.text) > MAXIMUM_LENGTH:
            raise ConfigurationError(
                f"expression: {len(self.text):,} characters are too many; expected up to {MAXIMUM_LENGTH:,}, and for "
                f"longer computations a Python function over tensors"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the parser warns of spellings that are refused below or harmless
                tree = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            if "nested" in str(error.msg):
                raise self._too_deep() from None
            start = error.offset - 1 if error.offset else len(self.text)  # no place: the text ends too early
            raise self._error(f"this is not an expression ({error.msg})", start, start + 1) from None
        except (RecursionError, MemoryError):
            raise self._too_deep() from None
        except ValueError as error:
            raise ConfigurationError(f"expression: this is not an expression ({error}); {self.allowed}") from None
        level: list[ast.AST] = [tree]
        for _ in range(MAXIMUM_DEPTH):
            level = [child for node in level for child in ast.iter_child_nodes(node)]
            if not level:
                return tree
        raise self._too_deep()

    def _too_deep(self) -> ConfigurationError:
        return ConfigurationError(
            f"expression: nested more than {MAXIMUM_DEPTH} levels deep (a sum of n terms has n levels); "
            f"write a Python function over tensors instead"
        )

    def _place(self, start: int, end: int) -> str:
        """The text around a place, with the place underlined."""
        first, last = max(0, start - 50), end + 50
        shown = self.text[first:last]
        width = max(1, min(end, first + len(shown)) - start)
        return f"\n  {shown}\n  {' ' * (start - first)}{'^' * width}"

    def _error(self, problem: str, start: int, end: int) -> ConfigurationError:
        return ConfigurationError(f"expression: {problem}; {self.allowed}{self._place(start, end)}")

    def _span(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        """Where a node stands, in characters: the parser counts bytes."""
        raw = self.text.encode()
        start, end = raw[: node.col_offset], raw[: node.end_col_offset]
        return len(start.decode(errors="replace")), len(end.decode(errors="replace"))

    def refusal(self, node: ast.expr | ast.keyword, problem: str) -> ConfigurationError:
        """An error that points at a node and says what is allowed."""
        return self._error(problem, *self._span(node))

    def build(self, node: ast.expr, leaves: Mapping[str, Tensor]) -> Tensor:
        """The tensor of a node of the syntax tree."""
        match node:
            case ast.Constant() | ast.List():
                array = self.array(node)
                return Constant(spec_of(array), array)
            case ast.Name(id=name):
                if name not in leaves:
                    raise self._unknown(node, name, leaves)
                self.used.add(name)
                return leaves[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                if isinstance(operand, ast.Constant):
                    array = self.array(node)
                    return Constant(spec_of(array), array)
                return -self.build(operand, leaves)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
                return self._apply(node, OPERATORS[type(operator)], [left, right], leaves)
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in OPERATORS:
                return self._apply(node, OPERATORS[type(operator)], [left, right], leaves)
            case ast.Compare(ops=[_, _, *_]):
                raise self.refusal(node, "one comparison at a time")
            case ast.Call():
                return self._call(node, leaves)
        raise self.refusal(node, "this is not part of the language")

    def _unknown(self, node: ast.Name, name: str, leaves: Mapping[str, Tensor]) -> ConfigurationError:
        if name in FUNCTIONS:
            return self.refusal(node, f"{name} is a function: call it, as in {name}(...)")
        if name.startswith("__"):
            return self.refusal(node, f"{name} is not a name here")
        close = difflib.get_close_matches(name, leaves, n=1)
        known = f"did you mean {close[0]}? If not, give" if close else "give"
        return ConfigurationError(
            f"expression: {name} has no value; {known} it one with --at {name}=value{self._place(*self._span(node))}"
        )

    def _call(self, node: ast.Call, leaves: Mapping[str, Tensor]) -> Tensor:
        if not isinstance(node.func, ast.Name):
            raise self.refusal(node.func, "only the functions of the language can be called")
        name = node.func.id
        function = FUNCTIONS.get(name)
        if function is None:
            close = difflib.get_close_matches(name, FUNCTIONS, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise self.refusal(node.func, f"there is no function {name}{hint}")
        if len(node.args) != function.inputs:
            raise self.refusal(
                node, f"{name} takes {function.inputs} argument{'s' * (function.inputs > 1)}, got {len(node.args)}"
            )
        settings: dict[str, Any] = {}
        for given in node.keywords:
            if given.arg not in function.settings:
                known = ", ".join(f"{setting}=" for setting in function.settings) or "none"
                written = f"{given.arg}=" if given.arg else "**"
                raise self.refusal(given, f"{name} has no setting {written}; it has: {known}")
            if given.arg in settings:
                raise self.refusal(given, f"{given.arg} is set twice")
            read = self._axis if given.arg == "axis" else self._truth
            settings[given.arg] = read(given.value, function.several_axes)
        return self._apply(node, function.call, node.args, leaves, settings)

    def _apply(
        self,
        node: ast.expr,
        function: Callable[..., Tensor],
        arguments: Sequence[ast.expr],
        leaves: Mapping[str, Tensor],
        settings: Mapping[str, Any] | None = None,
    ) -> Tensor:
        inputs = [self.build(argument, leaves) for argument in arguments]
        try:
            return function(*inputs, **(settings or {}))
        except ChainruleError as error:
            raise type(error)(f"expression: {error}{self._place(*self._span(node))}") from None

    def _axis(self, node: ast.expr, several: bool) -> Any:
        try:
            axis = ast.literal_eval(node)
        except (ValueError, TypeError):
            axis = ""
        if type(axis) is int and abs(axis) < 100:
            return axis
        if several and isinstance(axis, tuple | list) and all(type(i) is int and abs(i) < 100 for i in axis):
            return list(axis)
        raise self.refusal(node, "axis is an integer" + (" or a list of integers" if several else ""))

    def _truth(self, node: ast.expr, _several: bool) -> bool:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return node.value
        raise self.refusal(node, "keepdims is True or False")

    def array(self, node: ast.expr) -> Array:
        """The numbers of a literal: a number, with its sign, or lists of such, nested evenly."""
        match node:
            case ast.Constant(value=bool()):
                raise self.refusal(node, "True and False are not numbers here: write 1 and 0")
            case ast.Constant(value=int() | float() as number):
                if abs(number) <= float(np.finfo(FLOAT32).max):
                    return np.asarray(number, FLOAT32)
                raise self.refusal(node, "this number is larger than float32 holds (3.4e38)")
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
                return np.asarray(-self.array(operand))
            case ast.List(elts=elements):
                parts = [self.array(element) for element in elements]
                for element, part in zip(elements, parts, strict=True):
                    if part.shape != parts[0].shape:
                        raise self.refusal(
                            element, f"a list of shape {parts[0].shape} first, and here one of {part.shape}"
                        )
                if parts and parts[0].ndim >= 32:
                    raise self.refusal(node, "lists are nested up to 32 deep")
                return np.stack(parts) if parts else np.zeros(0, FLOAT32)
        raise self.refusal(node, "this is not a number")
