"""A puzzle: what is asked, a picture of an example, a file to begin with, and how a solution is judged."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.drawing.arrays import Cells, draw_arrays
from chainrule.drawing.picture import Picture
from chainrule.errors import ChainruleError, GradientError
from chainrule.graph.block import Block
from chainrule.graph.conversion import tensor
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor
from chainrule.puzzles.comparing import SolutionError, compare, shown
from chainrule.random import generator
from chainrule.testing import check_gradient, numerical_gradient

#: Examples that a solution is judged by; the first is the one in the picture.
EXAMPLES = 5

Namespace = Mapping[str, Any]
Inputs = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Puzzle(ABC):
    """What is asked.

    Attributes:
        name: what commands call it.
        title: in a few words.
        text: the task, with its equation and shapes.
        hint: for those who ask.
        wants: the name that a solution defines.
        start: the file to begin with.
        inputs: from a NumPy generator, an example: arrays by name, in the order of the arguments.
    """

    kind: ClassVar[str]

    name: str
    title: str
    text: str
    hint: str
    wants: str
    start: str
    inputs: Callable[[np.random.Generator], Inputs]

    def example(self, number: int) -> Inputs:
        """One of the examples, the same each time."""
        return self.inputs(generator(number, "puzzle", self.name))

    @abstractmethod
    def arrays(self, inputs: Inputs) -> Mapping[str, Any]:
        """What the picture shows of an example: arrays by name, those that are given and those that are wanted."""

    @property
    def picture(self) -> Picture:
        """The first example, with shapes and numbers."""
        return draw_arrays([Cells(name, array) for name, array in self.arrays(self.example(0)).items()], self.title)

    def judge(self, solution: Namespace) -> None:
        """Hold a solution, the names that its file defines, against all examples.

        Raises:
            SolutionError: saying what is wrong with it.
        """
        found = self.found(solution)
        for number in range(EXAMPLES):
            self.try_out(found, self.example(number))

    def found(self, solution: Namespace) -> Any:
        """What the solution defines.

        Raises:
            SolutionError: when it does not, or something else.
        """
        if self.wants not in solution:
            raise SolutionError(f"the file does not define {self.wants}; keep the name that the starting file has")
        return solution[self.wants]

    @abstractmethod
    def try_out(self, found: Any, inputs: Inputs) -> None:
        """Hold what was found against an example.

        Raises:
            SolutionError: saying what is wrong with it.
        """


def _function(found: Any, name: str, names: Sequence[str]) -> Any:
    """The function that was found.

    Raises:
        SolutionError: for what is none, or takes other arguments.
    """
    if not callable(found):
        raise SolutionError(f"{name} is {shown(found)}; expected a function: def {name}({', '.join(names)})")
    try:
        inspect.signature(found).bind(*names)
    except TypeError:
        raise SolutionError(f"{name} takes other arguments; expected def {name}({', '.join(names)})") from None
    return found


def _numbers(x: Any) -> Any:
    """Arrays of tensors, one or several."""
    if isinstance(x, tuple | list):
        return tuple(map(_numbers, x))
    return x.numpy() if isinstance(x, Tensor) else x


@dataclass(frozen=True, kw_only=True)
class FunctionPuzzle(Puzzle):
    """Write a function over tensors; or over arrays, where it needs no gradient.

    Attributes:
        wanted: the same in NumPy: from the inputs to an array, or several by name.
        differentiable: whether it gets tensors, and its gradient is checked, too.
    """

    kind: ClassVar[str] = "function"

    wanted: Callable[..., Any]
    differentiable: bool = True

    def arrays(self, inputs: Inputs) -> Mapping[str, Any]:
        """The inputs, and what comes of them."""
        found = self.wanted(**inputs)
        return {**inputs, **(found if isinstance(found, Mapping) else {"wanted": found})}

    def try_out(self, found: Any, inputs: Inputs) -> None:
        """Compare its values; and its gradient with central differences."""
        function, wanted = _function(found, self.wants, list(inputs)), self.wanted(**inputs)
        given = [_leaf(x) for x in inputs.values()] if self.differentiable else [np.array(x) for x in inputs.values()]
        answer = function(*given)
        if self.differentiable and not isinstance(answer, Tensor):
            raise SolutionError(
                f"{self.wants} returned {shown(answer)}; expected a tensor, computed with functions of chainrule"
            )
        if isinstance(wanted, Mapping):
            compare(self.wants, _numbers(answer), tuple(wanted.values()), inputs, names=list(wanted))
        else:
            compare(self.wants, _numbers(answer), wanted, inputs)
        if self.differentiable:
            _check_gradient(self.wants, function, inputs)


@dataclass(frozen=True, kw_only=True)
class GradientPuzzle(Puzzle):
    """Write the gradient of a function in NumPy, from the gradient g of its output.

    Attributes:
        of: the function, over tensors.
        by: the inputs that gradients are wanted of, in the order in which they are returned.
    """

    kind: ClassVar[str] = "gradient"

    of: Callable[..., Tensor]
    by: Sequence[str]

    def _given(self, inputs: Inputs) -> tuple[Array, dict[str, Array]]:
        """The gradient of the output, and those of the inputs by central differences."""
        shape = self.of(*map(_leaf, inputs.values())).shape
        g = generator(0, "puzzle", self.name, "g").integers(-4, 5, shape) / 2.0 + 0.25
        places = {name: place for place, name in enumerate(inputs)}
        found = {name: numerical_gradient(self.of, list(inputs.values()), places[name], g) for name in self.by}
        return g, {name: np.round(gradient, 7) for name, gradient in found.items()}

    def arrays(self, inputs: Inputs) -> Mapping[str, Any]:
        """The inputs, the output, its gradient, and the gradients that are wanted."""
        g, found = self._given(inputs)
        output = self.of(*map(_leaf, inputs.values())).numpy()
        return {**inputs, "y": output, "g = ∂L/∂y": g, **{f"∂L/∂{name}": array for name, array in found.items()}}

    def try_out(self, found: Any, inputs: Inputs) -> None:
        """Compare with central differences."""
        function, (g, wanted) = _function(found, self.wants, ["g", *inputs]), self._given(inputs)
        answer = _numbers(function(g.copy(), *(np.array(x) for x in inputs.values())))
        names = [f"∂L/∂{name}" for name in wanted]
        if len(names) == 1:
            compare(names[0], answer, wanted[self.by[0]], inputs)
        else:
            compare(self.wants, answer, tuple(wanted.values()), inputs, names=names)


@dataclass(frozen=True, kw_only=True)
class BlockPuzzle(Puzzle):
    """Write a block: forward and backward.

    Attributes:
        wanted: its forward in NumPy.
        extremes: inputs, and what comes of them, that a plain equation fails at.
    """

    kind: ClassVar[str] = "block"

    wanted: Callable[..., Any]
    extremes: Sequence[tuple[tuple[float, ...], float]] = ()

    def arrays(self, inputs: Inputs) -> Mapping[str, Any]:
        """The inputs, the output, and the gradients of its sum."""
        given = list(inputs.values())
        g = np.ones(np.shape(self.wanted(*given)))

        def forward(*leaves: Tensor) -> Tensor:
            return tensor(self.wanted(*(leaf.numpy() for leaf in leaves)), "float64")

        found = {f"∂L/∂{n}": np.round(numerical_gradient(forward, given, k, g), 6) for k, n in enumerate(inputs)}
        return {**inputs, "y": self.wanted(*given), "g = ∂L/∂y": g, **found}

    def found(self, solution: Namespace) -> Any:
        """A block of the class."""
        kind = super().found(solution)
        if not (isinstance(kind, type) and issubclass(kind, Block)):
            raise SolutionError(
                f"{self.wants} is {shown(kind)}; expected a class: class {self.wants}(chainrule.Elementwise)"
            )
        return kind()

    def try_out(self, found: Any, inputs: Inputs) -> None:
        """Compare forward, and backward with central differences."""
        compare("forward", _numbers(found(*map(_leaf, inputs.values()))), self.wanted(**inputs), inputs)
        _check_gradient("backward", found, inputs)
        for given, wanted in self.extremes:
            answer = found(*(tensor(x, "float64") for x in given)).item()
            if not np.isclose(answer, wanted, rtol=1e-9):
                raise SolutionError(
                    f"forward({', '.join(f'{x:g}' for x in given)}) gives {answer:g}; expected {wanted:g}"
                )


@dataclass(frozen=True, kw_only=True)
class WrongGradientPuzzle(Puzzle):
    """Of several blocks one has a wrong gradient: say which, and mend it.

    Attributes:
        blocks: the blocks of the starting file: by name, their forward in NumPy.
        answer: the name of the wrong one.
    """

    kind: ClassVar[str] = "wrong gradient"

    blocks: Mapping[str, Callable[..., Any]]
    answer: str

    def arrays(self, inputs: Inputs) -> Mapping[str, Any]:
        """The inputs, and what the blocks compute of them."""
        return {**inputs, **{name: forward(*inputs.values()) for name, forward in self.blocks.items()}}

    def judge(self, solution: Namespace) -> None:
        """Is it the right one, and are all of them right now?"""
        answer = self.found(solution)
        if answer not in self.blocks:
            raise SolutionError(f"{self.wants} is {shown(answer)}; expected one of {', '.join(self.blocks)}")
        if answer != self.answer:
            raise SolutionError(f"the gradient of {answer} is right; look at the others")
        for name in self.blocks:
            kind = solution.get(name)
            if not (isinstance(kind, type) and issubclass(kind, Block)):
                raise SolutionError(f"the file does not define the block {name} any more")
            for number in range(EXAMPLES):
                self.try_out((name, kind()), self.example(number))

    def try_out(self, found: Any, inputs: Inputs) -> None:
        """Compare a block's forward, and its backward with central differences."""
        name, block = found
        compare(f"forward of {name}", _numbers(block(*map(_leaf, inputs.values()))),
                self.blocks[name](*inputs.values()), inputs)  # fmt: skip
        prefix = "yes, it is this one, and its gradient is wrong still: " if name == self.answer else ""
        _check_gradient(f"{prefix}backward of {name}", block, inputs)


def _leaf(x: Any) -> Tensor:
    """A tensor of float64, or of integers."""
    array = np.asarray(x)
    return tensor(array, "float64" if array.dtype.kind == "f" else array.dtype)


def _check_gradient(what: str, function: Any, inputs: Inputs) -> None:
    """Hold a gradient against central differences.

    Raises:
        SolutionError: when they differ.
    """
    try:
        check_gradient(function, *inputs.values(), second=False)
    except GradientError as error:
        names = list(inputs)
        said = str(error)
        for place, name in enumerate(names):
            said = said.replace(f"input {place}:", f"{name}:")
        raise SolutionError(f"{what}: {said}") from None
    except ChainruleError as error:
        raise SolutionError(f"{what}: {error}") from None
