"""Every block of the library passes the shared test; a block without samples fails here."""

import pytest

from chainrule.testing import all_blocks, check_sample

CASES = [
    pytest.param(sample, id=f"{block.name}-{number}")
    for block in all_blocks()
    for number, sample in enumerate(block.samples() or [None])
]


@pytest.mark.parametrize("sample", CASES)
def test_block(sample):
    assert sample is not None, "a block without samples: return some from its classmethod samples()"
    check_sample(sample)
