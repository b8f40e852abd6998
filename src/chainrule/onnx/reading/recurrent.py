"""Recurrent layers: RNN, GRU and LSTM, each as a scan over the steps of all sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np

from chainrule import blocks as b
from chainrule.graph.tensor import Tensor
from chainrule.onnx.reading.step import Step, constant, reads

#: The activations there are, by their names in small letters, from their alpha and beta; None for the usual one.
ACTIVATIONS: dict[str, Callable[[Tensor, float | None, float | None], Tensor]] = {
    "sigmoid": lambda x, _, __: b.sigmoid(x),
    "tanh": lambda x, _, __: b.tanh(x),
    "relu": lambda x, _, __: b.relu(x),
    "softsign": lambda x, _, __: b.softsign(x),
    "softplus": lambda x, _, __: b.softplus(x),
    "affine": lambda x, alpha, beta: (1.0 if alpha is None else alpha) * x + (beta or 0.0),
    "leakyrelu": lambda x, alpha, _: b.where(b.less(x, 0), (0.01 if alpha is None else alpha) * x, x),
    "thresholdedrelu": lambda x, alpha, _: b.where(b.greater(x, 1.0 if alpha is None else alpha), x, 0),
    "scaledtanh": lambda x, alpha, beta: (
        (1.0 if alpha is None else alpha) * b.tanh((1.0 if beta is None else beta) * x)
    ),
    "hardsigmoid": lambda x, alpha, beta: b.clamp(
        (0.2 if alpha is None else alpha) * x + (0.5 if beta is None else beta), 0, 1
    ),
    "elu": lambda x, alpha, _: b.where(b.less(x, 0), (1.0 if alpha is None else alpha) * b.expm1(b.minimum(x, 0)), x),
}
#: One of them, with its alpha and beta.
Activation = Callable[[Tensor], Tensor]
#: Those of a direction, unless told otherwise.
USUAL = {"RNN": ["tanh"], "GRU": ["sigmoid", "tanh"], "LSTM": ["sigmoid", "tanh", "tanh"]}


@reads("RNN", "GRU", "LSTM")
def _recurrent(
    step: Step,
    x: Tensor,
    w: Tensor,
    r: Tensor,
    bias: Tensor | None = None,
    lengths: Tensor | None = None,
    h: Tensor | None = None,
    c: Tensor | None = None,
    peepholes: Tensor | None = None,
) -> list[Tensor]:
    batch_first = bool(step.get("layout", 0))
    x = b.transpose(x, (1, 0, 2)) if batch_first else x
    steps, batch, _ = x.shape
    size, count = r.shape[2], w.shape[0]
    wide = w.shape[1]
    if steps == 0:
        raise step.refuse("expected one step at least")
    names = [name.decode().lower() for name in step.get("activations", [])] or USUAL[step.operator] * count
    unknown = [name for name in names if name not in ACTIVATIONS]
    if unknown:
        raise step.refuse(f"activation {unknown[0]} is not there; expected one of {', '.join(ACTIVATIONS)}")
    settings = zip_longest(names, step.get("activation_alpha", []), step.get("activation_beta", []))
    functions = [_activation(name, alpha, beta) for name, alpha, beta in settings]
    each = len(functions) // count
    given = [h, c] if step.operator == "LSTM" else [h]
    firsts = [None if s is None else b.transpose(s, (1, 0, 2)) if batch_first else s for s in given]
    outputs, lasts = [], []
    for direction in range(count):
        back = step.get("direction", b"forward") == b"reverse" or direction == 1
        zeros = constant(np.zeros((batch, size)), x.dtype)
        states = [zeros if s is None else s[direction] for s in firsts]
        biases = constant(np.zeros(2 * wide), x.dtype) if bias is None else bias[direction]
        rows = b.matmul(x, b.transpose(w[direction], (1, 0))) + biases[:wide]
        cell = _Cell(step, r[direction], biases[wide:], functions[direction * each : (direction + 1) * each],
                     None if peepholes is None else peepholes[direction])  # fmt: skip
        hidden, last = cell.over(rows, states, lengths, backwards=back)
        outputs.append(hidden)
        lasts.append(last)
    y = b.stack(outputs, 1)
    ends = [b.stack([last[i] for last in lasts], 0) for i in range(len(given))]
    if batch_first:
        y = b.transpose(y, (2, 0, 1, 3))
        ends = [b.transpose(end, (1, 0, 2)) for end in ends]
    return [y, *ends]


def _activation(name: str, alpha: float | None, beta: float | None) -> Activation:
    return lambda x: ACTIVATIONS[name](x, alpha, beta)


class _Cell:
    """One direction of a layer: from x W, the states, R and its bias to the new states."""

    def __init__(
        self, step: Step, r: Tensor, bias: Tensor, functions: Sequence[Activation], peepholes: Tensor | None
    ) -> None:
        self.r, self.bias, self.functions, self.peepholes = b.transpose(r, (1, 0)), bias, functions, peepholes
        cells: dict[str, Callable[..., list[Tensor]]] = {"RNN": self._rnn, "GRU": self._gru, "LSTM": self._lstm}
        self.new = cells[step.operator]
        self.limit, self.reset_after = step.get("clip"), step.get("linear_before_reset", 0)
        self.coupled = step.get("input_forget", 0)

    def over(
        self, rows: Tensor, states: Sequence[Tensor], lengths: Tensor | None, *, backwards: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """All states h, shape (steps, batch, size), and the last states; behind the end of a sequence h is 0."""
        steps, batch, width = rows.shape
        sequences = [b.reshape(b.transpose(rows, (1, 0, 2)), (batch * steps, width))]
        if lengths is not None:
            there = b.less(constant(np.arange(steps)), b.expand(b.cast(lengths, "int64"), 1))
            sequences.append(b.reshape(b.cast(there, rows.dtype), (batch * steps, 1)))

        def body(held: Sequence[Tensor], x: Tensor, there: Tensor | None = None) -> tuple[list[Tensor], list[Tensor]]:
            new = self.new(x, *held)
            if there is None:
                return new, [new[0]]
            kept = [b.where(b.greater(there, 0), a, z) for a, z in zip(new, held, strict=True)]
            return kept, [b.where(b.greater(there, 0), new[0], 0)]

        offsets = constant(np.arange(batch + 1) * steps)
        last, (hidden,) = b.scan(body, list(states), *sequences, offsets=offsets, backwards=backwards)
        return b.transpose(b.reshape(hidden, (batch, steps, hidden.shape[1])), (1, 0, 2)), last

    def _rnn(self, x: Tensor, h: Tensor) -> list[Tensor]:
        return [self._f(0, x + b.matmul(h, self.r) + self.bias)]

    def _gru(self, x: Tensor, h: Tensor) -> list[Tensor]:
        """z, r and h lie side by side."""
        size = h.shape[1]
        gates = b.matmul(h, self.r[:, : 2 * size]) + self.bias[: 2 * size]
        z = self._f(0, x[:, :size] + gates[:, :size])
        reset = self._f(0, x[:, size : 2 * size] + gates[:, size:])
        rest, inner, bias = x[:, 2 * size :], self.r[:, 2 * size :], self.bias[2 * size :]
        if self.reset_after:
            candidate = self._f(1, rest + reset * (b.matmul(h, inner) + bias))
        else:
            candidate = self._f(1, rest + b.matmul(reset * h, inner) + bias)
        return [(1 - z) * candidate + z * h]

    def _lstm(self, x: Tensor, h: Tensor, c: Tensor) -> list[Tensor]:
        """i, o, f and c lie side by side; peepholes are those of i, o and f."""
        size = h.shape[1]
        gates = x + b.matmul(h, self.r) + self.bias
        i, o, forget, cell = (gates[:, n * size : (n + 1) * size] for n in range(4))
        if self.peepholes is not None:
            i, forget = i + self.peepholes[:size] * c, forget + self.peepholes[2 * size :] * c
        i = self._f(0, i)
        forget = 1 - i if self.coupled else self._f(0, forget)
        new = forget * c + i * self._f(1, cell)
        if self.peepholes is not None:
            o = o + self.peepholes[size : 2 * size] * new
        return [self._f(0, o) * self.functions[2](new), new]

    def _f(self, number: int, x: Tensor) -> Tensor:
        """An activation, of what is cut off at a limit where there is one."""
        return self.functions[number](b.clamp(x, -self.limit, self.limit) if self.limit else x)
