"""Of every block its first sample, compiled: what `test_memory` runs between guards; all samples take minutes there."""

import pytest

from chainrule.testing import all_blocks
from chainrule.testing.blocks import check_compiled


@pytest.mark.parametrize("block", all_blocks(), ids=lambda block: block.name)
def test_first_sample(block):
    check_compiled(block.samples()[0])
