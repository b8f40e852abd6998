"""Probabilities of attention: what its block multiplies values with."""

import numpy as np
import pytest

import chainrule
from chainrule.blocks.additive_attention import AttendAdditively
from chainrule.blocks.attention import Attend
from chainrule.errors import ConfigurationError
from chainrule.explanation import attention
from chainrule.nn import TransformerDecoderLayer

WHOLE = [sample for sample in Attend.samples() if not sample.block.rate]


@pytest.mark.parametrize("sample", WHOLE, ids=lambda sample: str(sample.block.heads))
def test_values_weighted_by_the_probabilities_are_what_attention_gives(sample):
    """With several texts, one of them empty, grouped and causal heads, and keys of other texts."""
    block, (q, k, v, offsets, key_offsets) = sample.block, sample.inputs
    p = block.probabilities(q, k, offsets, key_offsets)
    assert p.shape == (block.heads, len(q), len(k))
    total = p.sum(axis=-1)
    assert (np.isclose(total, 1) | (total == 0)).all()
    of_text, of_key = (np.repeat(np.arange(len(x) - 1), np.diff(x)) for x in (offsets, key_offsets))
    assert (p[:, of_text[:, None] != of_key] == 0).all()
    values = np.repeat(
        v.reshape(len(v), block.groups, v.shape[1] // block.groups).swapaxes(0, 1), block.heads // block.groups, axis=0
    )
    expected = block.forward(np, q, k, v, offsets, key_offsets)
    np.testing.assert_allclose((p @ values).swapaxes(0, 1).reshape(expected.shape), expected, atol=1e-6)


@pytest.mark.parametrize("sample", AttendAdditively.samples(), ids=str)
def test_those_of_additive_attention_are_what_it_multiplies_values_with(sample):
    q, k, v, w, offsets, key_offsets = sample.inputs
    p = sample.block.probabilities(q, k, w, offsets, key_offsets)
    assert p.shape == (1, len(q), len(k))
    np.testing.assert_allclose(p[0] @ v, sample.block.forward(np, *sample.inputs), atol=1e-6)


def test_all_attention_on_the_way_to_a_tensor_is_found_in_its_order():
    """A decoder's layer looks at its own text, and no later token of it, and then at the other text."""
    generator = np.random.default_rng(0)
    layer = TransformerDecoderLayer(8, 2, 16, causal=True, generator=generator)
    x, others = (generator.normal(size=(n, 8)).astype(np.float32) for n in (3, 4))
    own, cross = attention(layer(x, [0, 3], others, [0, 4]))
    assert own.shape == (2, 3, 3)
    assert cross.shape == (2, 3, 4)
    assert (np.triu(own, 1) == 0).all()
    for found in (own, cross):
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)


def test_dropout_is_not_in_what_is_found():
    x = chainrule.tensor(np.random.default_rng(0).normal(size=(3, 1, 2)))
    dropped = chainrule.attend(x, x, x, [0, 3], dropout=0.5, key=chainrule.Key.of(seed=0, step=0))
    (one,), (other,) = attention(dropped), attention(chainrule.attend(x, x, x, [0, 3]))
    assert (one == other).all()


def test_both_scores_of_sequence_to_sequence_are_found():
    q, k, w = (chainrule.tensor(x) for x in ([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0]))
    y = chainrule.attend_additively(q, k, k, w, [0, 1], [0, 2])
    (found,) = attention(y)
    np.testing.assert_allclose(found[0] @ k.numpy(), y.numpy(), atol=1e-6)


def test_where_nothing_attends_nothing_is_found():
    assert attention(chainrule.tensor([1.0]) * 2) == []


def test_a_tensor_without_a_value_is_refused():
    graph = chainrule.trace(lambda x: x * 2, chainrule.Spec((2,), np.dtype("float32")))
    with pytest.raises(ConfigurationError, match="no compiled function"):
        attention(graph.outputs[0])
