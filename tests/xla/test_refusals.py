"""What a device would not refuse is refused on the host, as the block itself refuses it."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import IndexRangeError, ShapeError
from chainrule.graph.conversion import tensor
from chainrule.nn.positional import LearnedPositions
from chainrule.xla.compile import compile

TABLE = chainrule.Parameter.of(np.ones((4, 2)), name="table")
POSITIONS = LearnedPositions(2, 2, generator=np.random.default_rng(0))


@pytest.mark.parametrize("wrong", [4, -1])
def test_an_index_that_is_no_row(wrong):
    def read(ids):
        return chainrule.gather(TABLE, ids)

    run = compile(read, [("tokens", 0)])
    assert run(np.array([0, 3])).shape == (2, 2)
    with pytest.raises(IndexRangeError) as eager:
        read(tensor([0, wrong]))
    with pytest.raises(IndexRangeError) as found:
        run(np.array([0, wrong]))
    assert str(found.value) == str(eager.value) == f"gather: index {wrong} is out of range; expected 0 to 3"


def test_a_text_that_is_longer_than_learned_positions():
    def placed(x, offsets):
        return POSITIONS(x, offsets)

    run = compile(placed, [("tokens", 0), ("", 1)])
    assert run(np.zeros((3, 2), np.float32), np.array([0, 2, 3])).shape == (3, 2)
    with pytest.raises(ShapeError, match="text 1 of the batch, counted from 0, has 3 tokens, and there are 2 learned"):
        run(np.zeros((4, 2), np.float32), np.array([0, 1, 4]))
