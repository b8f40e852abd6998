"""Trace: record a Python function as a graph, on specs, without data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import ShapeError
from chainrule.graph.autodiff import topological_order
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Constant, Tensor, TensorLike, as_array


@dataclass(frozen=True, eq=False)
class Graph:
    """A recorded function: its input leaves and the nodes it returned.

    Printing a graph lists its nodes, inputs before outputs. Calling it runs it on data, node by node.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def nodes(self) -> list[Tensor]:
        """All nodes the outputs depend on, inputs before outputs."""
        return topological_order(self.outputs)

    def __call__(self, *data: TensorLike) -> tuple[Array, ...]:
        """The values of the outputs for the given inputs; other leaves (parameters) keep their values.

        Raises:
            ShapeError: when the number of inputs or one of their shapes differs from what was traced.
        """
        if len(data) != len(self.inputs):
            raise ShapeError(f"graph: expected {len(self.inputs)} inputs, got {len(data)}")
        values: dict[Tensor, Array] = {}
        for position, (leaf, given) in enumerate(zip(self.inputs, data, strict=True)):
            array = given.numpy() if isinstance(given, Tensor) else as_array(given, leaf.dtype)
            if array.shape != leaf.shape:
                raise ShapeError(f"graph: input {position} was traced as {leaf.spec}, got shape {array.shape}")
            values[leaf] = array
        for node in self.nodes():
            if node in values:
                continue
            if node.block is None:
                values[node] = node.numpy()
            else:
                held = [Constant(x.spec, values[x]) for x in node.inputs]
                values[node] = node.block.run(held)
        return tuple(values[output] for output in self.outputs)

    def __str__(self) -> str:
        names: dict[Tensor, str] = {}
        lines = []
        for node in self.nodes():
            names[node] = f"%{len(names)}"
            if node.block is None:
                known = "input" if node in self.inputs else type(node).__name__.lower()
                text = f"{known} {node.name or ''}".rstrip()
                if isinstance(node, Constant) and node.value is not None and node.value.size == 1:
                    text += f" {node.value.item():g}"
            else:
                text = f"{node.block!r} " + " ".join(names[x] for x in node.inputs)
            lines.append(f"{names[node]}: {node.spec} = {text.rstrip()}")
        lines.append("return " + " ".join(names[output] for output in self.outputs))
        return "\n".join(lines)


def trace(
    function: Callable[..., Tensor | Sequence[Tensor]], *specs: Spec | Tensor, names: Sequence[str] = ()
) -> Graph:
    """Record a function over tensors as a graph.

    The function is called once with leaves that have a spec and no value, so shapes that do not fit are found before
    any data is there. What it computes from tensors that do have a value (its parameters) keeps that value.

    Args:
        function: takes one tensor a spec and returns a tensor or several.
        specs: what the inputs will look like (a tensor stands for its spec).
        names: labels for the inputs.

    Raises:
        ShapeError: where an operation of the function does not fit its inputs.

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
    labels: list[Any] = [*names, *[None] * (len(specs) - len(names))]
    leaves = tuple(
        Tensor(spec.spec if isinstance(spec, Tensor) else spec, name=name)
        for spec, name in zip(specs, labels, strict=True)
    )
    result = function(*leaves)
    return Graph(leaves, (result,) if isinstance(result, Tensor) else tuple(result))
