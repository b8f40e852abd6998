"""Randomness: counter-based draws, the same on every machine, at any number of threads, eager or compiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.blocks.comparison import greater_equal, where
from chainrule.blocks.movement import iota
from chainrule.errors import ConfigurationError, DTypeError
from chainrule.graph.block import Contributions, Elementwise, Samples, sample
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import FLOAT32, UINT32, Spec
from chainrule.graph.tensor import Tensor, TensorLike, operation
from chainrule.random import Key

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


@dataclass(frozen=True, repr=False)
class Threefry(Elementwise):
    """The first word of Threefry-2x32 with 20 rounds, of a counter (two words) under a key (two words), all uint32.

    Each round adds, rotates and exclusive-ors; every fourth round a part of the key is added.

    Gradient: none.
    PyTorch: none. NumPy: none.

    Source: Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as 1, 2, 3 (2011).
    """

    differentiable = False

    def infer(self, *specs: Spec) -> Spec:
        for spec in specs:
            if spec.dtype != UINT32:
                raise DTypeError(f"threefry: expected uint32 words, got {spec.dtype.name}")
        return super().infer(*specs)

    def forward(self, xp: Any, low: Any, high: Any, first: Any, second: Any) -> Any:
        keys = (first, second, first ^ second ^ PARITY)
        low, high = low + first, high + second
        for block in range(5):
            for rotation in ROTATIONS[block % 2]:
                low = low + high
                high = ((high << rotation) | (high >> (32 - rotation))) ^ low
            low = low + keys[(block + 1) % 3]
            high = high + keys[(block + 2) % 3] + (block + 1)
        return low

    def backward(
        self, gradient: Tensor, output: Tensor, low: Tensor, high: Tensor, first: Tensor, second: Tensor
    ) -> Contributions:
        return None, None, None, None

    @classmethod
    def samples(cls) -> Samples:
        words = np.arange(6, dtype=np.uint32) * np.uint32(715827883)
        return (sample(cls(), words, words[:1], words[2:3], words[4:5]),)


threefry = operation(Threefry())


class Fraction(Elementwise):
    """y = the upper 24 bits of a random word as a number in [0, 1), float32."""

    differentiable = False

    def infer(self, bits: Spec) -> Spec:
        return Spec(bits.shape, FLOAT32)

    def forward(self, xp: Any, bits: Any) -> Any:
        return xp.astype(bits >> 8, FLOAT32) * 2.0**-24

    def backward(self, gradient: Tensor, output: Tensor, bits: Tensor) -> Contributions:
        return (None,)

    @classmethod
    def samples(cls) -> Samples:
        return (sample(cls(), np.arange(6, dtype=np.uint32) * np.uint32(715827883)),)


@operation
def random_uniform(key: Key, shape: Sequence[int]) -> Tensor:
    """Numbers spread evenly over [0, 1), float32, in steps of 2⁻²⁴: a function of the key and the position alone.

    Gradient: none.
    PyTorch: torch.rand. NumPy: numpy.random.Generator.random.

    Example:
        >>> import chainrule
        >>> chainrule.random_uniform(chainrule.Key.of(seed=0), (2,)).value
        array([0.518692  , 0.76343733], dtype=float32)
    """
    (words,) = as_tensors([key.words])
    bits = threefry(iota(shape), np.uint32(key.site), words[0], words[1])
    return Fraction()(bits)


@operation
def dropout(x: TensorLike, rate: float, key: Key) -> Tensor:
    """y = x m / (1 - rate), where each m is 0 with probability `rate` and else 1.

    The mask is a function of the key and the position alone.

    Gradient: m / (1 - rate).
    PyTorch: torch.nn.functional.dropout. NumPy: none.

    Args:
        x: any shape.
        rate: the probability of dropping a number, at least 0 and below 1.
        key: what the draws come from.

    Raises:
        ConfigurationError: for a rate outside [0, 1).

    Example:
        >>> import chainrule
        >>> chainrule.dropout([1.0, 1.0, 1.0, 1.0], 0.5, chainrule.Key.of(seed=1)).value
        array([2., 2., 0., 2.], dtype=float32)

    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting (2014), scaled
    while training instead of afterwards.
    """
    check_rate("dropout", rate)
    (x,) = promote("dropout", [x], floating=True)
    if rate == 0:
        return x
    return where(greater_equal(random_uniform(key, x.shape), rate), x * (1 / (1 - rate)), 0)


def check_rate(name: str, rate: float) -> None:
    """Refuse a dropping probability outside [0, 1).

    Raises:
        ConfigurationError: naming the operation and the rate.
    """
    if not 0 <= rate < 1:
        raise ConfigurationError(f"{name}: expected a rate of at least 0 and below 1, got {rate}")
