"""Recurrent layers: a state goes through each text, token by token; the texts of a batch side by side."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import concatenate, matmul, scan, sigmoid, tanh, zeros
from chainrule.errors import ConfigurationError, ShapeError
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.leaves import Parameter
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.initializers import Orthogonal, XavierUniform
from chainrule.nn.layer import Layer, is_size
from chainrule.nn.steps import takes_padded


class Recurrent(Layer):
    """A layer with a state of its own for each text: hₜ = f(xₜ W + b, hₜ₋₁ U + c).

    Args:
        inputs: the size of a token.
        hidden: the size of the state.
        backwards: whether it goes from the last token of a text to the first.
        generator: where the initial weights are drawn from: W of each gate uniformly (Xavier), U orthogonal.
        dtype: float32 or float64.

    Attributes:
        input_weight: W, shape (inputs, gates × hidden).
        state_weight: U, shape (hidden, gates × hidden).
        input_bias: b, shape (gates × hidden,).
        state_bias: c, the same shape.
    """

    in_torch: ClassVar[Mapping[str, str]] = {
        "input_weight": "weight_ih_l0.T",
        "state_weight": "weight_hh_l0.T",
        "input_bias": "bias_ih_l0",
        "state_bias": "bias_hh_l0",
    }
    #: How many parts of the size of the state the two maps have.
    gates: ClassVar[int]
    #: How many states there are.
    states: ClassVar[int] = 1

    input_weight: Parameter
    state_weight: Parameter
    input_bias: Parameter
    state_bias: Parameter

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        backwards: bool = False,
        generator: np.random.Generator,
        dtype: DTypeLike = "float32",
    ) -> None:
        if not (is_size(inputs) and is_size(hidden)):
            raise ConfigurationError(
                f"{type(self).__name__}: expected sizes of at least 1, got {inputs} inputs and {hidden} hidden"
            )
        self.hidden, self.backwards = hidden, backwards
        for name, initializer, size in (("input", XavierUniform(), inputs), ("state", Orthogonal(), hidden)):
            drawn = [initializer((size, hidden), generator, dtype) for _ in range(self.gates)]
            weight = Parameter.of(np.concatenate(drawn, axis=1), name=f"{name}_weight", dtype=dtype)
            setattr(self, f"{name}_weight", weight)
            setattr(self, f"{name}_bias", Parameter.of(self.first_bias(name), name=f"{name}_bias", dtype=dtype))

    def first_bias(self, name: str) -> np.ndarray:  # noqa: ARG002
        """The bias that the input's or the state's map begins with."""
        return np.zeros(self.gates * self.hidden)

    @abstractmethod
    def step(self, states: Sequence[Tensor], x: Tensor, h: Tensor) -> list[Tensor]:
        """The new states, that of the output first, from the states and from both maps: x W + b and h U + c."""

    @takes_padded
    def __call__(
        self,
        x: TensorLike,
        offsets: TensorLike,
        states: Sequence[TensorLike] | None = None,
        *,
        state_mask: TensorLike | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """The output of each token, and the states of each text after its last step.

        Args:
            x: the tokens of all texts, one text after the other: shape (tokens, inputs).
            offsets: where each text begins, and the last one ends: shape (texts + 1,).
            states: those to begin with, each of shape (texts, hidden); None for zeros.
            state_mask: what hₜ₋₁ is multiplied by before U, shape (tokens, hidden), such as `TextDropout.mask`; None
                for 1.

        Returns:
            the outputs, shape (tokens, hidden); and the states, each of shape (texts, hidden).

        Raises:
            ShapeError: when a size differs.
        """
        x, weight = promote(type(self).__name__, [x, self.input_weight])
        (offsets,) = as_tensors([offsets])
        if x.spec.rank != 2 or x.shape[1] != weight.shape[0]:
            raise ShapeError(f"expected tokens of shape (tokens, {weight.shape[0]}), got {x.shape}")
        texts = offsets.shape[0] - 1
        if states is None:
            states = [zeros((texts, self.hidden), x.dtype)] * self.states
        held = list(as_tensors(states))
        if [s.shape for s in held] != [(texts, self.hidden)] * self.states:
            got = ", ".join(str(s.shape) for s in held)
            raise ShapeError(f"expected {self.states} states of shape {(texts, self.hidden)}, got {got}")

        def body(before: Sequence[Tensor], row: Tensor, *masks: Tensor) -> tuple[list[Tensor], list[Tensor]]:
            h = before[0] * masks[0] if masks else before[0]
            mapped = matmul(row, weight) + self.input_bias
            after = self.step(before, mapped, matmul(h, self.state_weight) + self.state_bias)
            return after, [after[0]]

        sequences = [x] if state_mask is None else [x, *as_tensors([state_mask])]
        last, (outputs,) = scan(body, held, *sequences, offsets=offsets, backwards=self.backwards)
        return outputs, last

    def start(self, texts: int) -> list[Tensor]:
        """The states of so many texts before their first token, each of shape (texts, hidden): zeros."""
        return [zeros((texts, self.hidden), self.input_weight.dtype)] * self.states

    def advance(self, x: TensorLike, states: Sequence[TensorLike]) -> tuple[Tensor, list[Tensor]]:
        """One more token of each text: its output, shape (texts, hidden), and the states after it.

        Args:
            x: the tokens, shape (texts, inputs).
            states: those before it, each of shape (texts, hidden).

        Raises:
            ConfigurationError: for a layer that goes backwards.
        """
        if self.backwards:
            raise ConfigurationError(f"{self!r} begins at the last token, and cannot go on after it")
        held = list(as_tensors(states))
        mapped = matmul(x, self.input_weight) + self.input_bias
        after = self.step(held, mapped, matmul(held[0], self.state_weight) + self.state_bias)
        return after[0], after

    def parts(self, x: Tensor) -> list[Tensor]:
        """The part of each gate."""
        return [x[:, i * self.hidden : (i + 1) * self.hidden] for i in range(self.gates)]

    def __repr__(self) -> str:
        inputs = self.input_weight.shape[0]
        return f"{type(self).__name__}({inputs} → {self.hidden}{', backwards' if self.backwards else ''})"


class RNN(Recurrent):
    """Simple recurrence: hₜ = tanh(xₜ W + b + hₜ₋₁ U + c).

    Example (two texts, of 2 tokens and of 1):
        >>> rnn = RNN(3, 2, generator=np.random.default_rng(0))
        >>> outputs, (last,) = rnn(np.ones((3, 3)), [0, 2, 3])
        >>> rnn, outputs.shape, last.shape
        (RNN(3 → 2), (3, 2), (2, 2))

    Source: Elman, Finding Structure in Time (1990).
    """

    gates: ClassVar[int] = 1

    def step(self, states: Sequence[Tensor], x: Tensor, h: Tensor) -> list[Tensor]:  # noqa: ARG002
        """tanh of the sum."""
        return [tanh(x + h)]


class GRU(Recurrent):
    """Gated recurrent unit, with the parts r, z and n of both maps x W + b and h U + c.

        r = σ(xᵣ + hᵣ),    z = σ(x_z + h_z),    n = tanh(xₙ + r hₙ),    hₜ = (1 − z) n + z hₜ₋₁

    Example:
        >>> gru = GRU(3, 2, generator=np.random.default_rng(0))
        >>> gru(np.ones((3, 3)), [0, 2, 3])[0].shape
        (3, 2)

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014). Deviation: r is applied after
    the product, as in PyTorch, so that h U is one product.
    """

    gates: ClassVar[int] = 3

    def step(self, states: Sequence[Tensor], x: Tensor, h: Tensor) -> list[Tensor]:
        """The new state."""
        (xr, xz, xn), (hr, hz, hn) = self.parts(x), self.parts(h)
        z, n = sigmoid(xz + hz), tanh(xn + sigmoid(xr + hr) * hn)
        return [(1 - z) * n + z * states[0]]


class LSTM(Recurrent):
    """Long short-term memory, with the parts i, f, g and o of the sum x W + b + h U + c, and a second state, the cell.

        cₜ = σ(f) cₜ₋₁ + σ(i) tanh(g),    hₜ = σ(o) tanh(cₜ)

    The bias of the forget gate f begins at 1, so that the cell remembers at first.

    Example:
        >>> lstm = LSTM(3, 2, generator=np.random.default_rng(0))
        >>> outputs, (hidden, cell) = lstm(np.ones((3, 3)), [0, 2, 3])
        >>> outputs.shape, cell.shape
        ((3, 2), (2, 2))

    Sources: Hochreiter and Schmidhuber, Long Short-Term Memory (1997); Gers, Schmidhuber and Cummins, Learning to
    Forget (2000), for f; Jozefowicz, Zaremba and Sutskever, An Empirical Exploration of Recurrent Network Architectures
    (2015), for its bias.
    """

    gates: ClassVar[int] = 4
    states: ClassVar[int] = 2

    def first_bias(self, name: str) -> np.ndarray:
        """1 for the forget gate."""
        bias = np.zeros(self.gates * self.hidden)
        if name == "input":
            bias[self.hidden : 2 * self.hidden] = 1
        return bias

    def step(self, states: Sequence[Tensor], x: Tensor, h: Tensor) -> list[Tensor]:
        """The new output and the new cell."""
        i, f, g, o = self.parts(x + h)
        cell = sigmoid(f) * states[1] + sigmoid(i) * tanh(g)
        return [sigmoid(o) * tanh(cell), cell]


class Bidirectional(Layer):
    """Two recurrent layers, one of which goes backwards; their outputs, and their states, side by side.

    Args:
        forward: the layer that goes from the first token to the last.
        backward: the other.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> both = Bidirectional(RNN(3, 2, generator=generator), RNN(3, 2, backwards=True, generator=generator))
        >>> both(np.ones((3, 3)), [0, 2, 3])[0].shape
        (3, 4)

    Source: Schuster and Paliwal, Bidirectional Recurrent Neural Networks (1997).
    """

    in_torch: ClassVar[Mapping[str, str]] = {"forward": "", "backward": "*_reverse"}

    forward: Recurrent
    backward: Recurrent

    def __init__(self, forward: Recurrent, backward: Recurrent) -> None:
        if forward.backwards or not backward.backwards:
            raise ConfigurationError(
                f"Bidirectional: expected a layer and one that goes backwards, got {forward}, {backward}"
            )
        self.forward, self.backward = forward, backward

    @takes_padded
    def __call__(
        self, x: TensorLike, offsets: TensorLike, *, state_mask: TensorLike | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The outputs of both, shape (tokens, 2 × hidden), and their states after their last steps.

        Args:
            x: see `Recurrent`.
            offsets: the same.
            state_mask: those of both, side by side; None for 1.
        """
        masks: list[Tensor | None] = [None, None]
        if state_mask is not None:
            (both,) = as_tensors([state_mask])
            masks = [both[:, : self.forward.hidden], both[:, self.forward.hidden :]]
        there, last = self.forward(x, offsets, state_mask=masks[0])
        back, first = self.backward(x, offsets, state_mask=masks[1])
        return concatenate([there, back], 1), [concatenate(pair, 1) for pair in zip(last, first, strict=True)]

    def __repr__(self) -> str:
        return f"Bidirectional({self.forward}, {self.backward})"
