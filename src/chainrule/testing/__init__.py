"""Tests for those who write blocks: the gradient checker, and the test that every block passes."""

from chainrule.testing.blocks import all_blocks, check_block, check_sample
from chainrule.testing.gradients import check_gradient, numerical_gradient

__all__ = ["all_blocks", "check_block", "check_gradient", "check_sample", "numerical_gradient"]
