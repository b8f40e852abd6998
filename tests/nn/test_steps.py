"""Arrays of shape (batch, steps, size) with lengths: every layer over tokens takes them, as it takes flat tokens."""

import numpy as np
import pytest

import chainrule
from chainrule import gradients, tensor
from chainrule.errors import ConfigurationError, DataError, ShapeError
from chainrule.nn import (
    GRU,
    LSTM,
    RNN,
    AttentionPooling,
    Bidirectional,
    Convolution,
    FirstPooling,
    KMaxPooling,
    LastPooling,
    MaxPooling,
    MeanPooling,
    flattened,
    padded,
)

RNG = np.random.default_rng(0)
LENGTHS = np.array([3, 0, 5, 1])
OFFSETS = np.array([0, 3, 3, 8, 9])
X = RNG.normal(size=(4, 5, 3)).astype(np.float32)
FLAT = np.concatenate([x[:n] for x, n in zip(X, LENGTHS, strict=True)])


def both_ways(kind):
    return Bidirectional(kind(3, 2, generator=RNG), kind(3, 2, backwards=True, generator=RNG))


OF_TOKENS = [
    Convolution(3, 2, width=3, generator=RNG),
    RNN(3, 2, generator=RNG),
    GRU(3, 2, backwards=True, generator=RNG),
    LSTM(3, 2, generator=RNG),
    both_ways(LSTM),
]
OF_TEXTS = [
    MaxPooling(3, generator=RNG),
    KMaxPooling(3, k=2, generator=RNG),
    MeanPooling(3, generator=RNG),
    FirstPooling(3, generator=RNG),
    LastPooling(3, generator=RNG),
    AttentionPooling(3, generator=RNG),
]


@pytest.mark.parametrize("layer", OF_TOKENS, ids=repr)
def test_layers_of_tokens(layer):
    found, expected = layer(X, lengths=LENGTHS), layer(FLAT, OFFSETS)
    if isinstance(found, tuple):
        (found, states), (expected, last) = found, expected
        for a, b in zip(states, last, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert found.shape[:2] == (4, 5)
    for text, rows, start in zip(found.numpy(), LENGTHS, OFFSETS, strict=False):
        np.testing.assert_array_equal(text[:rows], expected.numpy()[start : start + rows])
        assert not text[rows:].any()


@pytest.mark.parametrize("layer", OF_TEXTS, ids=repr)
def test_layers_of_texts(layer):
    np.testing.assert_array_equal(layer(X, lengths=LENGTHS).numpy(), layer(FLAT, OFFSETS).numpy())


def test_padding_is_not_read_and_has_no_gradient():
    x, layer = X.copy(), OF_TOKENS[0]
    for text, length in zip(x, LENGTHS, strict=True):
        text[length:] = np.nan
    leaf = tensor(x)
    found = layer(leaf, lengths=LENGTHS)
    np.testing.assert_array_equal(found.numpy(), layer(X, lengths=LENGTHS).numpy())
    (gradient,) = gradients(found.sum(), [leaf])
    for text, length in zip(gradient.numpy(), LENGTHS, strict=True):
        assert text[:length].any() or not length
        assert not text[length:].any()


def test_there_and_back():
    flat, offsets = flattened(X, LENGTHS)
    np.testing.assert_array_equal(flat.numpy(), FLAT)
    np.testing.assert_array_equal(offsets, OFFSETS)
    again, _ = flattened(padded(flat, LENGTHS, 7), LENGTHS)
    np.testing.assert_array_equal(again.numpy(), FLAT)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (
            [3, 0, 6, 1],
            r"lengths: text 2 of the batch has 6, and the array 5 steps \(shape \(4, 5, 3\)\); expected 0 to 5",
        ),
        ([3, -1, 5, 1], "lengths: text 1 of the batch has -1"),
        ([3, 0, 5], r"lengths: expected one for each of 4 texts, got shape \(3,\)"),
        ([3.0, 0, 5, 1], "lengths: expected whole numbers, got float64"),
    ],
)
def test_lengths_that_do_not_fit(lengths, message):
    with pytest.raises(DataError, match=message):
        OF_TOKENS[0](X, lengths=lengths)


def test_what_is_refused():
    with pytest.raises(ConfigurationError, match=r"expected either offsets .* or lengths="):
        OF_TOKENS[0](X)
    with pytest.raises(ConfigurationError, match="lengths: these are an argument of a compiled function"):
        chainrule.compile(lambda x, n: OF_TOKENS[0](x, lengths=n))(X, LENGTHS)
    with pytest.raises(ShapeError, match=r"expected an array of shape \(batch, steps, ...\), got \(4,\)"):
        flattened(np.ones(4), LENGTHS)
    with pytest.raises(DataError, match=r"lengths: expected 9 tokens in texts of 0 to 4, got \[3, 0, 5, 1\]"):
        padded(FLAT, LENGTHS, 4)


def test_the_largest_in_their_order():
    pooling = KMaxPooling(3, k=3, generator=RNG)
    expected = np.zeros((4, 3, 3), np.float32)
    for text, (x, length) in enumerate(zip(X, LENGTHS, strict=True)):
        kept = min(3, length)
        places = np.sort(np.argsort(-x[:length], axis=0)[:kept], axis=0)
        expected[text, :kept] = np.take_along_axis(x[:length], places, 0)
    np.testing.assert_array_equal(pooling(FLAT, OFFSETS).numpy(), expected.reshape(4, 9))
    compiled = chainrule.compile(lambda x, offsets: pooling(x, offsets), ragged=True)
    np.testing.assert_array_equal(compiled(FLAT, OFFSETS).numpy(), expected.reshape(4, 9))
    with pytest.raises(ConfigurationError, match="KMaxPooling: expected k as a whole number of 1 or more, got 0"):
        KMaxPooling(3, k=0, generator=RNG)
