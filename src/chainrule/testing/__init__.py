"""Tests for those who write blocks: the gradient checker, and the test that every block passes.

`check_block` holds a block against three things:

- *central differences* in float64, on the block's samples: is `backward` the derivative of `forward`, to second order?
- *other ways to compute the same*: traced, by its loop body, compiled, with other shapes.
- *exact arithmetic*, for elementwise blocks at extreme arguments: how many digits are left of the value and the
  gradient in float32 and float64, eager and compiled? The oracle is the block itself: its `forward` and `backward` run
  on decimal numbers of 350 digits, in which nothing overflows, underflows or cancels to nothing (`decimals.py`). So
  every block has an oracle, and what floating-point arithmetic makes of its equation is measured in units in the last
  place. A block that may lose digits declares how many (`accuracy`, `gradient_accuracy`), and is held to it.

What this cannot find is an equation that is wrong for what the block's name promises: compare those with another
implementation, as `tests/blocks/test_blocks_torch.py` does with PyTorch.
"""

from chainrule.testing.blocks import all_blocks, check_block, check_sample
from chainrule.testing.extremes import check_extremes
from chainrule.testing.gradients import check_gradient, numerical_gradient
from chainrule.testing.limits import check_limits

__all__ = [
    "all_blocks",
    "check_block",
    "check_extremes",
    "check_gradient",
    "check_limits",
    "check_sample",
    "numerical_gradient",
]
