"""Every block of the library passes the shared test; a block without samples fails here."""

import pytest

from chainrule.graph.block import Elementwise, Reduction
from chainrule.testing import all_blocks, check_extremes, check_limits, check_sample
from chainrule.testing.blocks import check_long, with_distinct_settings

CASES = [
    pytest.param(sample, id=f"{block.name}-{number}")
    for block in all_blocks()
    for number, sample in enumerate(block.samples() or [None])
]


@pytest.mark.parametrize("sample", CASES)
def test_block(sample):
    assert sample is not None, "a block without samples: return some from its classmethod samples()"
    check_sample(sample)


def with_settings(kind):
    return [
        pytest.param(sample, id=repr(sample.block))
        for block in all_blocks(kind)
        for sample in with_distinct_settings(block.samples())
    ]


@pytest.mark.parametrize("sample", with_settings(Reduction))
def test_reduction_along_a_long_axis(sample):
    check_long(sample)


@pytest.mark.parametrize("sample", with_settings(Elementwise))
def test_elementwise_block_at_extremes(sample):
    check_extremes(sample)


@pytest.mark.parametrize("sample", with_settings(Elementwise))
def test_elementwise_block_at_the_limits_of_integers(sample):
    check_limits(sample)
