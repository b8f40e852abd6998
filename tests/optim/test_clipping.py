"""Clipping by the norm of all gradients."""

import numpy as np
import pytest

import chainrule
from chainrule import RowSparse, Spec, gather, gradients, tensor, trace
from chainrule.errors import ConfigurationError
from chainrule.optim import clip_by_norm, clip_by_value

TABLE = tensor(np.ones((4, 2)), "float64")


def test_gradients_below_the_maximum_stay_as_they_are():
    found, norm = clip_by_norm([tensor([3.0]), tensor([[4.0]])], 5.0)
    assert [x.numpy().tolist() for x in found] == [[3.0], [[4.0]]]
    assert norm.item() == 5.0


def test_gradients_above_the_maximum_are_scaled_together():
    found, norm = clip_by_norm([tensor([3.0], "float64"), tensor([[4.0]], "float64")], 1.0)
    np.testing.assert_allclose([x.item() for x in found], [0.6, 0.8], rtol=1e-15)
    assert norm.item() == 5.0


def test_repeated_rows_are_added_before_they_are_squared():
    (gradient,) = gradients((gather(TABLE, [1, 3, 1]) * tensor([[3.0], [4.0], [1.0]], "float64")).sum(), [TABLE])
    (clipped,), norm = clip_by_norm([gradient], 1.0)
    assert isinstance(clipped, RowSparse)
    assert norm.item() == pytest.approx(np.linalg.norm(gradient.dense().numpy()), rel=1e-15)
    np.testing.assert_allclose(clipped.dense().numpy(), gradient.dense().numpy() / norm.item(), rtol=1e-14)


def test_both_dtypes_keep_theirs():
    found, norm = clip_by_norm([tensor([3.0]), tensor([4.0], "float64")], 1.0)
    assert [x.dtype.name for x in found] == ["float32", "float64"]
    assert norm.dtype == np.float64
    np.testing.assert_allclose([x.item() for x in found], [0.6, 0.8], rtol=1e-7)


def test_a_norm_of_zero():
    (found,), norm = clip_by_norm([tensor([0.0, 0.0])], 1.0)
    assert (found.numpy().tolist(), norm.item()) == ([0, 0], 0)


def test_clipping_is_a_graph():
    graph = trace(lambda x: clip_by_norm([x * 2], 1.0)[0], Spec((2,)))
    np.testing.assert_allclose(graph([3.0, 4.0])[0], [0.6, 0.8], rtol=1e-6)


def test_messages():
    for maximum in (0, -1.0, float("nan")):
        with pytest.raises(ConfigurationError, match=f"clip_by_norm: expected a maximum above 0, got {maximum}"):
            clip_by_norm([tensor([1.0])], maximum)
    with pytest.raises(ConfigurationError, match="clip_by_norm: expected at least one gradient, got none"):
        clip_by_norm([], 1.0)


@pytest.mark.parametrize("engine", [lambda function: function, chainrule.compile], ids=["eager", "compiled"])
def test_clipping_by_value(engine):
    """Repeated rows are added up before."""
    table = chainrule.Parameter.of(np.zeros((4, 2)), name="table")

    @engine
    def clipped(weights):
        (found,) = chainrule.gradients((chainrule.gather(table, np.array([1, 2, 1])) * weights).sum(), [table])
        (found,) = clip_by_value([found], 1.0)
        return found.dense()

    found = clipped(chainrule.tensor([[0.75, -3.0], [0.5, 0.25], [0.75, 1.0]])).numpy()
    np.testing.assert_array_equal(found, [[0, 0], [1, -1], [0.5, 0.25], [0, 0]])


def test_a_largest_value_that_is_none():
    with pytest.raises(ConfigurationError, match="clip_by_value: expected a maximum above 0, got 0"):
        clip_by_value([], 0)
