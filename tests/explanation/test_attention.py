"""Probabilities of attention: what its block multiplies values with."""

import numpy as np
import pytest

from chainrule.blocks.attention import Attend

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
