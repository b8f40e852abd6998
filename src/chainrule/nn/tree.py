"""TreeLSTM: a state for each node of a tree, from those of its children."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import concatenate, matmul, sigmoid, tanh
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Orthogonal, XavierUniform
from chainrule.nn.layer import Layer, is_size

#: A node's state: h and c.
NodeState = tuple[Tensor, Tensor]


class TreeLSTM(Layer):
    """A long short-term memory over trees, which takes one node at a time.

        i, o, u = x W + Σₗ hₗ Uₗ + b,    fₖ = x V + Σₗ hₗ Qₖₗ + d
        c = σ(i) tanh(u) + Σₖ σ(fₖ) cₖ,    h = σ(o) tanh(c)

    over the children k and l of the node. Each child has matrices of its own, by its place (N-ary). With
    `children=None` all have the same, and any number may come in any order (child-sum): hₗ Uₗ is hₗ U, and a child's
    gate fₖ = x V + hₖ Q + d looks at that child alone.

    Write a network as recursion over one tree, and have `chainrule.batched` take many at the same time.

    Args:
        inputs: the size of x.
        hidden: the size of h and c.
        children: how many children a node has at most; None for a sum over any number.
        generator: where the initial weights are drawn from: W and V uniformly (Xavier), U and Q orthogonal.
        dtype: float32 or float64.

    Attributes:
        input_weight: W, shape (inputs, 3 × hidden), for i, o and u in this order.
        forget_weight: V, shape (inputs, hidden).
        state_weight: of each child, one below the other, U and then its Q for each fₖ: shape (children × hidden,
            (3 + children) × hidden), with 1 in place of the children where these are summed.
        bias: b, shape (3 × hidden,).
        forget_bias: d, shape (hidden,); it begins at 1, so that children are remembered.

    Raises:
        ConfigurationError: for sizes below 1.

    Example (a tree of two leaves):
        >>> import numpy as np
        >>> from chainrule.nn import TreeLSTM
        >>> tree = TreeLSTM(3, 4, generator=np.random.default_rng(0))
        >>> left, right = tree(np.ones(3)), tree(np.zeros(3))
        >>> h, c = tree(None, left, right)
        >>> h.shape, c.shape
        ((4,), (4,))

    Source: Tai, Socher and Manning, Improved Semantic Representations From Tree-Structured Long Short-Term Memory
    Networks (2015).
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        children: int | None = 2,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        if not (is_size(inputs) and is_size(hidden) and (children is None or is_size(children))):
            raise ConfigurationError(
                f"TreeLSTM: expected sizes of at least 1, got {inputs} inputs, {hidden} hidden and {children} children"
            )
        self.hidden, self.children = hidden, children
        drawn = [XavierUniform()((inputs, hidden), generator, dtype) for _ in range(4)]
        self.input_weight = Parameter.of(np.concatenate(drawn[:3], axis=1), name="input_weight", dtype=dtype)
        self.forget_weight = Parameter.of(drawn[3], name="forget_weight", dtype=dtype)
        places = children or 1
        parts = [[Orthogonal()((hidden, hidden), generator, dtype) for _ in range(3 + places)] for _ in range(places)]
        self.state_weight = Parameter.of(np.block(parts), name="state_weight", dtype=dtype)
        self.bias = Parameter.of(np.zeros(3 * hidden), name="bias", dtype=dtype)
        self.forget_bias = Parameter.of(np.ones(hidden), name="forget_bias", dtype=dtype)

    def __call__(self, x: TensorLike | None, *children: NodeState) -> NodeState:
        """The state of a node.

        Args:
            x: what the node itself says, shape (..., inputs), such as the vector of its word; None for nothing.
            children: the state of each child; a leaf has none.

        Returns:
            h and c, each of shape (..., hidden).

        Raises:
            ShapeError: for a size that differs, or more children than the layer has matrices for.
            ConfigurationError: for a node with neither.
        """
        if self.children is not None and len(children) > self.children:
            raise ShapeError(f"expected at most {self.children} children, got {len(children)}")
        if x is None and not children:
            raise ConfigurationError("TreeLSTM: a node has an input, children, or both; got neither")
        size, count = self.hidden, len(children)
        own = None
        if x is not None:
            x, weight = promote("TreeLSTM", [x, self.input_weight])
            if x.shape[-1:] != weight.shape[:1]:
                raise ShapeError(f"expected size {weight.shape[0]} on axis -1, got shape {x.shape}")
            own = matmul(x, weight)
            if children:
                own = concatenate([own, *[matmul(x, self.forget_weight)] * count], -1)
        # All that the children say of all gates is one product, which takes the biases, too.
        bias = concatenate([self.bias, *[self.forget_bias] * count]) if children else self.bias
        gates = bias if own is None else own + bias
        if children:
            gates = self._of_children([h for h, _ in children]) + gates
        i, o, u = (gates[..., k * size : (k + 1) * size] for k in range(3))
        c = sigmoid(i) * tanh(u)
        for k, (_, before) in enumerate(children, 3):
            c = c + sigmoid(gates[..., k * size : (k + 1) * size]) * before
        return sigmoid(o) * tanh(c), c

    def _of_children(self, states: list[Tensor]) -> Tensor:
        """What the children say of i, o and u, and then of the gate of each of them."""
        weight: Tensor = self.state_weight
        size = self.hidden
        if self.children is None:
            total = states[0]
            for h in states[1:]:
                total = total + h
            forgets = [matmul(h, weight[:, 3 * size :]) for h in states]
            return concatenate([matmul(total, weight[:, : 3 * size]), *forgets], -1)
        if len(states) < self.children:  # the matrices of those that are there
            weight = weight[: len(states) * size, : (3 + len(states)) * size]
        return matmul(concatenate(states, -1), weight)

    def __repr__(self) -> str:
        inputs = self.input_weight.shape[0]
        kind = "child-sum" if self.children is None else f"{self.children} children"
        return f"TreeLSTM({inputs} → {self.hidden}, {kind})"
