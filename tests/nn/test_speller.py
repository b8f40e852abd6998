"""Vectors of tokens by their characters."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.nn import Speller


def speller(dtype="float64"):
    return Speller(6, 4, generator=np.random.default_rng(0), dtype=dtype)


def expected(layer, tokens):
    """The equation, token by token: zeros beyond its ends, and the largest answer of each filter."""
    weight, bias = layer.convolution.weight.numpy(), layer.convolution.bias.numpy()
    rows = []
    for token in tokens:
        x = np.zeros((len(token) + 2, weight.shape[0]))
        x[1:-1] = layer.embeddings.table.numpy()[token]
        answers = [np.einsum("kd,dkf->f", x[i : i + 3], weight) + bias for i in range(len(token))]
        rows.append(np.max(answers, axis=0) if answers else np.zeros(weight.shape[2]))
    return np.array(rows)


@pytest.mark.parametrize("compiled", [False, True])
def test_it_is_the_equation(compiled):
    layer = speller()
    tokens = [[1, 2, 3, 4], [5], [], [2, 2]]
    characters, lengths = np.concatenate(tokens).astype(np.int32), np.array(list(map(len, tokens)), np.int32)
    function = chainrule.compile(layer, ragged=True) if compiled else layer
    np.testing.assert_allclose(function(characters, lengths).numpy(), expected(layer, tokens), rtol=1e-12, atol=1e-12)


def test_a_token_is_spelled_alike_beside_any_others():
    layer = speller("float32")
    alone = layer([1, 2, 3], [3]).numpy()
    np.testing.assert_allclose(layer([4, 1, 2, 3, 5, 5], [1, 3, 2]).numpy()[1], alone[0], rtol=1e-6, atol=1e-6)
    assert layer(np.zeros(0, np.int32), np.zeros(0, np.int32)).shape == (0, 4)


def test_sizes_below_one_are_refused():
    with pytest.raises(ConfigurationError, match="Speller: expected sizes of at least 1, got 0 and 4"):
        Speller(0, 4, generator=np.random.default_rng(0))
