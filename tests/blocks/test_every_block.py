"""Every block of the library passes the shared test; a block without samples fails here."""

import pytest

from chainrule.graph.block import Elementwise
from chainrule.testing import all_blocks, check_extremes, check_sample
from chainrule.testing.blocks import with_distinct_settings

CASES = [
    pytest.param(sample, id=f"{block.name}-{number}")
    for block in all_blocks()
    for number, sample in enumerate(block.samples() or [None])
]


@pytest.mark.parametrize("sample", CASES)
def test_block(sample):
    assert sample is not None, "a block without samples: return some from its classmethod samples()"
    check_sample(sample)


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(sample, id=repr(sample.block))
        for block in all_blocks(Elementwise)
        for sample in with_distinct_settings(block.samples())
    ],
)
def test_elementwise_block_at_extremes(sample):
    check_extremes(sample)
