"""Reverse-mode autodiff: a function from graph to graph.

Nodes are visited in reverse topological order. The `backward` of a node's block turns the node's gradient into one
contribution for each of its inputs, and the contributions to a node add up to its gradient (the chain rule). As
`backward` is written with blocks, the result is a graph, too: it can be drawn, compiled and differentiated again.

The graph of the gradients is built without values first. Then only the nodes that the results need are computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, Protocol, get_args, overload

import numpy as np

from chainrule.errors import BlockError, ConfigurationError, GradientError, ShapeError, shortened
from chainrule.graph.contract import blame
from chainrule.graph.conversion import number, tensor
from chainrule.graph.leaves import Constant, Loan, Mutable
from chainrule.graph.order import evaluate, topological_order
from chainrule.graph.recipes import Gradient as Gradient
from chainrule.graph.recipes import StructuredGraph, parts_of
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import OPERATIONS, Tensor, TensorLike
from chainrule.graph.trace import current_recording


class Parameterised(Protocol):
    """What has parameters by name, such as a layer."""

    def named_parameters(self) -> Mapping[str, Tensor]:
        """The parameters by name."""


#: What to differentiate with respect to.
Wrt = Tensor | Sequence[Tensor] | Mapping[str, Tensor] | Parameterised
#: What becomes of a tensor that no path leads to.
Unused = Literal["error", "zeros"]


@overload
def grad(output: Tensor, wrt: Tensor, gradient: TensorLike | None = None, *, unused: Unused = "error") -> Tensor: ...


@overload
def grad(
    output: Tensor, wrt: Sequence[Tensor], gradient: TensorLike | None = None, *, unused: Unused = "error"
) -> list[Tensor]: ...


@overload
def grad(
    output: Tensor,
    wrt: Mapping[str, Tensor] | Parameterised,
    gradient: TensorLike | None = None,
    *,
    unused: Unused = "error",
) -> dict[str, Tensor]: ...


def grad(output: Tensor, wrt: Wrt, gradient: TensorLike | None = None, *, unused: Unused = "error") -> object:
    """The gradient of an output with respect to one tensor or several.

    For a scalar output L and a tensor x it is ∂L/∂x, of the shape of x. For another output y, `gradient` gives a
    vector v of the shape of y, and the result is the vector-Jacobian product vᵀ ∂y/∂x. The result is a graph over
    blocks, so it can be differentiated again. An embedding table's gradient is dense here; `gradients` keeps it as
    the rows that were read.

    Args:
        output: what to differentiate.
        wrt: what to differentiate with respect to: a tensor, a sequence or a dictionary of tensors, or a layer, which
            stands for its parameters by name. The result has the same form.
        gradient: the vector v; needed unless the output is a scalar.
        unused: what becomes of a tensor that the output does not depend on: an "error", or "zeros".

    Raises:
        GradientError: when a tensor holds integers or booleans, or no differentiable path leads to it.
        ShapeError: when the output is not a scalar and no vector is given, or the vector has another shape.
        ConfigurationError: for something else to differentiate with respect to, or another word for `unused`.

    Example:
        >>> from chainrule import tensor, grad
        >>> x = tensor(3.0)
        >>> first = grad(x**3, x)
        >>> first.item(), grad(first, x).item()
        (27.0, 18.0)
        >>> {name: found.item() for name, found in grad(x**2, {"x": x, "y": tensor(1.0)}, unused="zeros").items()}
        {'x': 6.0, 'y': 0.0}

    Source: Griewank and Walther, Evaluating Derivatives (2008), chapter 3.
    """
    if isinstance(wrt, Tensor):
        return dense(gradients(output, [wrt], gradient, unused=unused)[0])
    named = wrt if isinstance(wrt, Mapping) else wrt.named_parameters() if hasattr(wrt, "named_parameters") else None
    if named is not None:
        return dict(zip(named, grad(output, list(named.values()), gradient, unused=unused), strict=True))
    if not isinstance(wrt, Sequence):
        raise ConfigurationError(
            f"grad: expected a tensor, a list or dictionary of tensors, or a layer to differentiate with respect to, "
            f"got {type(wrt).__name__}"
        )
    return [dense(found) for found in gradients(output, wrt, gradient, unused=unused)]


def gradients(
    output: Tensor, wrt: Sequence[Tensor], gradient: TensorLike | None = None, *, unused: Unused = "error"
) -> list[Gradient]:
    """Like `grad` for several tensors, but the gradient of an embedding table stays row-sparse.

    Raises:
        GradientError: see `grad`.
        ShapeError: see `grad`.
        ConfigurationError: see `grad`.

    Example:
        >>> import chainrule
        >>> table = chainrule.tensor([[1.0], [2.0], [3.0]])
        >>> chainrule.gradients(chainrule.gather(table, [1, 1]).sum(), [table])[0].rows.shape
        (2, 1)
    """
    if unused not in get_args(Unused):
        raise ConfigurationError(f'grad: unused is "error" or "zeros", got {unused!r}')
    for i, x in enumerate(wrt):
        if not isinstance(x, Tensor):
            raise ConfigurationError(
                f"grad: expected tensors to differentiate with respect to, got {shortened(x)} at place {i}"
            )
        if not x.spec.floating:
            raise GradientError(
                f"no gradient with respect to {x.label}: it holds {x.dtype.name}, and only floating-point tensors "
                f"carry gradients; convert it with .astype('float32')"
            )
    found = _computed_adjoints(output, gradient, wrt)
    for x in wrt:
        if x not in found and unused == "zeros":
            found[x] = Constant(x.spec, np.zeros(x.shape, x.dtype))
        elif x not in found:
            raise GradientError(
                f"no gradient with respect to {x.label}: no differentiable path leads from it to the output "
                f'{output.label}; unused="zeros" gives zeros instead'
            )
    return [found[x] for x in wrt]


def backward(output: Tensor, gradient: TensorLike | None = None, *, add: bool = False) -> None:
    """Set `.gradient` on every floating-point node that the output depends on, leaves and inner nodes alike.

    Before, it is None, which says that no gradient was computed; so it stays where no path leads to the output.

    Args:
        output: what to differentiate.
        gradient: the vector of a vector-Jacobian product; needed unless the output is a scalar.
        add: add to the gradients of earlier calls. Without it they are replaced, so that no call depends on another.

    Raises:
        GradientError: when the output is not floating-point.
        ShapeError: see `grad`.
        ConfigurationError: for `add` in a trace, where a gradient of before has a value: it would become a part of it.

    Example:
        >>> from chainrule import tensor, backward
        >>> x, a, b = tensor(2.0), tensor(3.0), tensor(1.0)
        >>> y = x * a + b
        >>> backward(y**2)
        >>> x.gradient.item(), y.gradient.item()
        (42.0, 14.0)
        >>> backward(3 * x, add=True)
        >>> x.gradient.item()
        45.0
    """
    found = _computed_adjoints(output, gradient, None)
    order = topological_order([output])
    if add:
        for node in order:
            if node.gradient is not None:
                _require_same_time(node, node.gradient, output)
                found[node] = _total([node.gradient, found[node]]) if node in found else node.gradient
        if output.known:
            _evaluate(found.values())
    for node in order:
        node.gradient = found.get(node)


def _require_same_time(node: Tensor, before: Gradient, output: Tensor) -> None:
    """Refuse to add what a traced graph computes to a gradient that has a value.

    Raises:
        ConfigurationError: naming the node.
    """
    if not output.known and all(part.known for part in parts_of(before)):
        raise ConfigurationError(
            f"backward: {node.label} has a gradient from outside of this trace, which would become a constant of it; "
            f"set its gradient to None first, or leave add=True out"
        )


def _computed_adjoints(
    output: Tensor, gradient: TensorLike | None, wrt: Sequence[Tensor] | None
) -> dict[Tensor, Gradient]:
    """The gradients with respect to `wrt` (or to all nodes), as far as there are any, computed where the output is."""
    seed = _seed(output, gradient)
    eager = output.known and current_recording() is None
    graph = StructuredGraph(topological_order([output]), seed, wrt) if eager else None
    found = None if graph is None else graph.gradients()
    if found is None:
        found = adjoints(output, seed, wrt)
        found = found if wrt is None else {x: found[x] for x in wrt if x in found}
        if output.known:
            _evaluate(found.values())
        if graph is not None:
            graph.learn(found)
    return found


def _evaluate(gradients: Iterable[Gradient]) -> None:
    evaluate(part for gradient in gradients for part in parts_of(gradient))


def adjoints(output: Tensor, seed: Tensor, wrt: Sequence[Tensor] | None) -> dict[Tensor, Gradient]:
    """The gradient of every node on a path from `wrt` (or from any leaf) to the output, given the output's own."""
    return adjoints_of([(output, seed)], wrt)


def adjoints_of(seeds: Sequence[tuple[Tensor, Tensor]], wrt: Sequence[Tensor] | None) -> dict[Tensor, Gradient]:
    """As `adjoints`, for several outputs, each with its own gradient."""
    recording = current_recording()
    with recording.as_read() if recording is not None else nullcontext():
        return _adjoints(seeds, wrt)


def _adjoints(seeds: Sequence[tuple[Tensor, Tensor]], wrt: Sequence[Tensor] | None) -> dict[Tensor, Gradient]:
    order = topological_order([output for output, _ in seeds])
    active = _active(order, wrt)
    found: dict[Tensor, Gradient] = {}
    collected: dict[Tensor, list[Gradient]] = {}
    for output, seed in seeds:
        if output in active:
            collected.setdefault(output, []).append(seed)
    for node in reversed(order):
        contributions = collected.pop(node, None)
        if contributions is None:
            continue
        arrived = found[node] = _total(contributions)
        if node.block is None or active.isdisjoint(node.inputs):
            continue
        if not node.block.hands_on:
            arrived = found[node] = dense(arrived)
        for position, contribution in enumerate(_contributions(node, arrived)):
            x = node.inputs[position]
            if contribution is not None and x in active:
                collected.setdefault(x, []).append(_fit(contribution, x.spec, node, position))
    return found


def _contributions(node: Tensor, gradient: Gradient) -> Sequence[Gradient | None]:
    """What the block of a node hands on to each input.

    Raises:
        BlockError: when its backward fails, or gives something else.
        GradientError: when it gives more or fewer than there are inputs.
    """
    block = node.block
    if block is None or not hasattr(block, "backward"):
        return (None,) * len(node.inputs)
    inputs = node.inputs
    if node.loans and any([x.block is None for x in inputs]):  # noqa: C419 - a generator takes three times as long
        inputs = tuple(map(_as_read, inputs, node.loans))
    try:
        found = block.backward(gradient, node, *inputs)
    except Exception as error:
        blame(block, "backward", error)
        raise
    what = f"block {block.name}: backward returned"
    if not isinstance(found, tuple | list):
        raise BlockError(
            f"{what} {_kind(found)}; expected a tuple with one contribution for each of {len(node.inputs)} inputs, "
            f"such as return (gradient * 2,)"
        )
    if len(found) != len(node.inputs):
        raise GradientError(
            f"{what} {len(found)} contributions for {len(node.inputs)} inputs; expected one each (None where there is "
            f"no gradient)"
        )
    for position, x in enumerate(found):
        if not (x is None or isinstance(x, (Tensor, RowSparse))):
            raise BlockError(
                f"{what} {_kind(x)} for input {position}; expected a tensor, written with functions over tensors, or "
                f"None where there is no gradient"
            )
    return found


def _kind(x: object) -> str:
    return "None" if x is None else f"a value of type {type(x).__name__}"


def _as_read(x: Tensor, loan: Loan | Array | None) -> Tensor:
    """An input as a node read it: where the leaf has got another array since, a node that holds the old one."""
    if x.block is not None or loan is None:
        return x
    read = loan.array if isinstance(loan, Loan) else loan
    if read is (x.array if isinstance(x, Mutable) else x.value):
        return x
    copy = OPERATIONS["identity"](x)
    copy.value = read
    return copy


def _active(order: Sequence[Tensor], wrt: Sequence[Tensor] | None) -> set[Tensor]:
    """The floating-point nodes that depend on `wrt`, or, when it is None, on any leaf that is not a constant."""
    chosen = None if wrt is None else set(wrt)
    active: set[Tensor] = set()
    for node in order:
        if not node.spec.floating:
            continue
        own = not (isinstance(node, Constant) or node.inputs) if chosen is None else node in chosen
        if own or not active.isdisjoint(node.inputs):
            active.add(node)
    return active


def _seed(output: Tensor, gradient: TensorLike | None) -> Tensor:
    """The gradient of the output with respect to itself; it has no value, so nothing that uses it is computed yet."""
    if not isinstance(output, Tensor):
        raise ConfigurationError(
            f"grad: expected a tensor to differentiate, such as the loss that was computed, got {shortened(output)}"
        )
    if not output.spec.floating:
        raise GradientError(
            f"no gradient of {output.label}: it holds {output.dtype.name}, and only floating-point tensors carry "
            f"gradients"
        )
    if gradient is None:
        if output.shape != ():
            raise ShapeError(
                f"the gradient of a tensor of shape {output.shape} needs a vector of that shape "
                f"(grad(output, wrt, gradient=...)); or reduce the output to a scalar, with .sum() for one"
            )
        inputs: tuple[Tensor, ...] = (number(1.0, output.dtype),)
    else:
        source = OPERATIONS["cast"](
            gradient if isinstance(gradient, Tensor) else tensor(gradient, output.dtype), output.dtype
        )
        if source.shape != output.shape:
            raise ShapeError(f"gradient: expected the output's shape {output.shape}, got {source.shape}")
        inputs = OPERATIONS["identity"](source).inputs
    identity: Any = OPERATIONS["identity"]
    return Tensor(output.spec, block=identity, inputs=inputs)


def _fit(contribution: Gradient, spec: Spec, node: Tensor, position: int) -> Gradient:
    """Sum a contribution over the axes that the block broadcast its input along."""
    if contribution.spec == spec or isinstance(contribution, RowSparse):
        return contribution
    extra = len(contribution.shape) - len(spec.shape)
    axes = [*range(extra)]
    if extra >= 0:
        axes += [i + extra for i, size in enumerate(spec.shape) if size == 1 and contribution.shape[i + extra] != 1]
    result = contribution.sum(axes, keepdims=len(axes) > extra) if axes else contribution
    if len(axes) > extra > 0:
        result = result.reshape(*result.shape[extra:])
    if result.shape != spec.shape or result.dtype != spec.dtype:
        raise ShapeError(
            f"block {node.block.name if node.block else ''}: backward gave {contribution.spec} for input {position}, "
            f"which is {spec}; expected that, or a broadcast of it"
        )
    return result


def _total(contributions: list[Gradient]) -> Gradient:
    """The sum of all contributions to a node; those of its slices are put together in one array first."""
    if len(contributions) == 1:
        return contributions[0]
    if not any(isinstance(x, RowSparse) for x in contributions):
        contributions = OPERATIONS["put_together"](contributions)  # type: ignore[assignment]
    total = contributions[0]
    for x in contributions[1:]:
        total = total + x if isinstance(total, RowSparse) else x + total
    return total


def dense(gradient: Gradient) -> Tensor:
    """A gradient as one tensor."""
    return gradient if isinstance(gradient, Tensor) else gradient.dense()
