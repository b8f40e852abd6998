"""Randomness: counter-based draws, the same on every machine, at any number of threads, eager or compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.blocks.comparison import greater_equal, where
from chainrule.blocks.indexing import gather
from chainrule.blocks.movement import iota
from chainrule.blocks.sorting import argsort
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.graph.block import Contributions, Elementwise, Samples, sample
from chainrule.graph.conversion import as_tensors, promote
from chainrule.graph.spec import FLOAT32, FLOAT64, INT64, UINT32, Spec, broadcast_shapes
from chainrule.graph.tensor import Tensor, TensorLike, operation
from chainrule.random import Key

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


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


class BoxMuller(Elementwise):
    """y = √(-2 ln u) cos(2π v), float32, where u and v are two random words as numbers in (0, 1) and [0, 1).

    u = (word + ½) / 2³² and all that follows are float64, so that y is rounded once, in the tails as in the middle. Its
    size is at most 6.76, which a normal number exceeds once in 7 · 10¹⁰ draws.

    Source: Box and Muller, A Note on the Generation of Random Normal Deviates (1958).
    """

    differentiable = False

    def infer(self, first: Spec, second: Spec) -> Spec:
        return Spec(broadcast_shapes(self.name, [first.shape, second.shape]), FLOAT32)

    def forward(self, xp: Any, first: Any, second: Any) -> Any:
        radius = xp.sqrt(xp.log((xp.astype(first, FLOAT64) + 0.5) * 2.0**-32) * -2.0)
        return xp.astype(radius * xp.cos(xp.astype(second, FLOAT64) * (2.0**-31 * math.pi)), FLOAT32)

    def backward(self, gradient: Tensor, output: Tensor, first: Tensor, second: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return _of_two_words(cls(), cls())


@dataclass(frozen=True, repr=False)
class MultiplyShift(Elementwise):
    """y = ⌊w n / 2⁶⁴⌋, int64, of a number w of 64 bits in two words, and a count n of at most 2³¹: one of 0 ... n - 1.

    Each comes up with a probability that is off by less than n / 2⁶⁴.

    Source: Lemire, Fast Random Integer Generation in an Interval (2019), without its rejections.
    """

    differentiable = False
    count: int

    def infer(self, first: Spec, second: Spec) -> Spec:
        return Spec(broadcast_shapes(self.name, [first.shape, second.shape]), INT64)

    def forward(self, xp: Any, first: Any, second: Any) -> Any:
        low = (xp.astype(second, INT64) * self.count) >> 32
        return (xp.astype(first, INT64) * self.count + low) >> 32

    def backward(self, gradient: Tensor, output: Tensor, first: Tensor, second: Tensor) -> Contributions:
        return None, None

    @classmethod
    def samples(cls) -> Samples:
        return _of_two_words(cls(10), cls(2**31))


def _of_two_words(usual: Elementwise, extreme: Elementwise) -> Samples:
    """Inputs for the shared test of blocks that read two random words: some over the whole range, and its ends."""
    words = np.arange(6, dtype=np.uint32) * np.uint32(715827883)
    ends = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)
    return sample(usual, words, words[::-1].copy()), sample(extreme, ends[:, None], ends)


#: What tells a second random word for the same position from the first: 2³² divided by the golden ratio.
SECOND_WORD = 0x9E3779B9


def random_words(key: Key, shape: Sequence[int], place: int = 0) -> Tensor:
    """A random word, uint32, for each position: a function of the key, the position and the place among several."""
    (words,) = as_tensors([key.words])
    return threefry(iota(shape), np.uint32(key.site ^ place), words[0], words[1])


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
    return Fraction()(random_words(key, shape))


@operation
def random_normal(key: Key, shape: Sequence[int]) -> Tensor:
    """Numbers of mean 0 and standard deviation 1, normally distributed, float32: a function of key and position alone.

    Two random words make one number (Box and Muller's equation, in float64). Compiled and eager numbers are the same;
    only where one lies halfway between two float32 numbers, about once in 10⁸ draws, may they differ in the last place.

    Gradient: none.
    PyTorch: torch.randn. NumPy: numpy.random.Generator.standard_normal.

    Example (the noise of a variational autoencoder: z = μ + σ ε):
        >>> import chainrule
        >>> mean, deviation = chainrule.tensor([1.0, 2.0]), chainrule.tensor([0.1, 0.1])
        >>> z = mean + deviation * chainrule.random_normal(chainrule.Key.of(seed=0), (2,))
        >>> z.value.round(3)
        array([0.988, 2.007], dtype=float32)
    """
    return BoxMuller()(random_words(key, shape), random_words(key, shape, SECOND_WORD))


@operation
def random_integers(key: Key, shape: Sequence[int], low: int, high: int) -> Tensor:
    """Whole numbers from low to high - 1, each as likely as the others, int64: a function of key and position alone.

    Gradient: none.
    PyTorch: torch.randint. NumPy: numpy.random.Generator.integers.

    Args:
        key: what the draws come from.
        shape: of the result.
        low: the smallest number.
        high: one more than the largest, at most 2³¹ above `low`.

    Raises:
        ConfigurationError: for an empty range, or one of more than 2³¹ numbers.

    Example (a throw of five dice):
        >>> import chainrule
        >>> chainrule.random_integers(chainrule.Key.of(seed=0), (5,), 1, 7).value
        array([4, 5, 4, 3, 2])
    """
    if not 1 <= high - low <= 2**31:
        raise ConfigurationError(
            f"random_integers: expected a high of 1 to 2³¹ above low = {low}, got {high}; numbers go up to high - 1"
        )
    words = random_words(key, shape), random_words(key, shape, SECOND_WORD)
    return MultiplyShift(int(high) - int(low))(*words) + int(low)


@operation
def shuffle(x: TensorLike, key: Key) -> Tensor:
    """The rows of x in a random order, each order as likely as the others: a function of the key and their number.

    Rows are sorted by random words. To shuffle several tensors alike, give each the same key.

    Gradient: 1, in the order of x.
    PyTorch: none. NumPy: numpy.random.Generator.permutation.

    Raises:
        ShapeError: for a scalar, which has no rows.

    Example:
        >>> import chainrule
        >>> chainrule.shuffle([10, 20, 30, 40], chainrule.Key.of(seed=0)).value
        array([40, 30, 10, 20])
    """
    (x,) = as_tensors([x])
    if not x.spec.rank:
        raise ShapeError("shuffle: expected rows to shuffle, got a scalar")
    return gather(x, argsort(random_words(key, x.shape[:1])))


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
