"""Dropout: of single numbers, of the same numbers in all tokens of a text, and of whole words."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks import broadcast_to, dropout, gather, greater_equal, ones, random_uniform, segment_ids
from chainrule.blocks.chance import check_rate
from chainrule.graph.conversion import as_tensors
from chainrule.graph.tensor import Tensor, TensorLike
from chainrule.nn.layer import Layer
from chainrule.random import Key


class Dropout(Layer):
    """y = x m / (1 - rate) with a key, where each m is 0 with probability `rate` and else 1; y = x without one.

    There is no `.train()` or `.eval()` as in PyTorch: a layer does not remember what it is used for. A call with a key
    trains, a call without one evaluates, so that a forgotten switch cannot spoil a validation, and the same key always
    drops the same numbers. `Sequential` hands its key on to the layers that draw.

    Args:
        rate: the probability of dropping a number, at least 0 and below 1.

    Raises:
        ConfigurationError: for another rate.

    Example:
        >>> import chainrule
        >>> dropout = Dropout(0.5)
        >>> dropout([1.0, 1.0, 1.0, 1.0]).value
        array([1., 1., 1., 1.], dtype=float32)
        >>> dropout([1.0, 1.0, 1.0, 1.0], chainrule.Key.of(seed=1)).value
        array([2., 2., 0., 2.], dtype=float32)

    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting (2014), scaled while
    training instead of afterwards.
    """

    random: ClassVar[bool] = True

    def __init__(self, rate: float) -> None:
        check_rate("Dropout", rate)
        self.rate = rate

    def __call__(self, x: TensorLike, key: Key | None = None) -> Tensor:
        """Drop numbers of x, of any shape, when there is a key."""
        return as_tensors([x])[0] if key is None else dropout(x, self.rate, key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.rate})"


class TextDropout(Dropout):
    """Dropout that drops the same numbers of all tokens of a text (variational dropout).

    Example (two texts, of two tokens and of one):
        >>> import chainrule
        >>> dropout = TextDropout(0.5)
        >>> dropout(np.ones((3, 4)), [0, 2, 3], chainrule.Key.of(seed=1)).value
        array([[2., 2., 0., 2.],
               [2., 2., 0., 2.],
               [0., 0., 2., 2.]], dtype=float32)

    Source: Gal and Ghahramani, A Theoretically Grounded Application of Dropout in Recurrent Neural Networks (2016).
    """

    def __call__(self, x: TensorLike, offsets: TensorLike, key: Key | None = None) -> Tensor:  # type: ignore[override]
        """Drop numbers of the tokens of all texts, shape (tokens, size), when there is a key."""
        (x,) = as_tensors([x])
        return x if key is None else x * self.mask(x, x.shape[1], offsets, key)

    def mask(self, x: Tensor, size: int, offsets: TensorLike, key: Key) -> Tensor:
        """What tokens are multiplied by: 0 or 1 / (1 - rate), shape (tokens, size), for as many tokens as x has."""
        (offsets,) = as_tensors([offsets])
        of_texts = dropout(ones((offsets.shape[0] - 1, size), x.dtype), self.rate, key)
        return gather(of_texts, segment_ids(offsets, x))


class WordDropout(Layer):
    """Weights that drop whole tokens: each is 0 with probability `rate` and else 1; all are 1 without a key.

    They are the weights of an `EmbeddingBag`. Its mean divides by their sum, so that nothing needs to be scaled.

    Args:
        rate: the probability of dropping a token, at least 0 and below 1.
        dtype: of the weights, float32 or float64.

    Raises:
        ConfigurationError: for another rate.

    Example:
        >>> import chainrule
        >>> words = WordDropout(0.5)
        >>> words([7, 3, 7]).value, words([7, 3, 7], chainrule.Key.of(seed=1)).value
        (array([1., 1., 1.], dtype=float32), array([1., 1., 0.], dtype=float32))

    Source: Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods for Text Classification (2015),
    section 3.1.
    """

    random: ClassVar[bool] = True

    def __init__(self, rate: float, *, dtype: DTypeLike = "float32") -> None:
        check_rate("WordDropout", rate)
        self.rate = rate
        self.dtype = np.dtype(dtype)

    def __call__(self, ids: TensorLike, key: Key | None = None) -> Tensor:
        """One weight an id.

        Args:
            ids: any shape; only the shape matters.
            key: for training.
        """
        (ids,) = as_tensors([ids])
        if key is None:
            return broadcast_to(np.ones((), self.dtype), ids.shape)
        return greater_equal(random_uniform(key, ids.shape), self.rate).astype(self.dtype)

    def __repr__(self) -> str:
        return f"WordDropout({self.rate})"
