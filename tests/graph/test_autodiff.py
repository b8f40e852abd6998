"""Autodiff: what the chain rule gives, what has no gradient, and graphs of any depth."""

import numpy as np
import pytest

import chainrule
from chainrule import backward, grad, gradients, tensor
from chainrule.errors import ConfigurationError, GradientError, ShapeError
from chainrule.graph.order import topological_order
from chainrule.testing import check_gradient


def test_a_scalar_expression():
    x, a, b = tensor(2.0), tensor(3.0), tensor(1.0)
    assert [g.item() for g in grad((x * a + b) ** 2, [x, a, b])] == [42.0, 28.0, 14.0]


def test_a_tensor_used_several_times_adds_its_contributions():
    x = tensor([1.0, 2.0])
    assert grad((x * x + x).sum(), x).numpy().tolist() == [3.0, 5.0]


def test_backward_gives_every_node_its_gradient():
    x, w = tensor([1.0, 2.0], name="x"), tensor([3.0, 4.0], name="w")
    product = x * w
    loss = product.sum()
    backward(loss)
    assert loss.gradient.item() == 1
    assert product.gradient.numpy().tolist() == [1, 1]
    assert x.gradient.numpy().tolist() == [3, 4]
    assert w.gradient.numpy().tolist() == [1, 2]


def test_before_backward_there_is_no_gradient_rather_than_zero():
    x = tensor(2.0)
    y = x * x
    grad(y, x)  # sets nothing
    assert (x.gradient, y.gradient) == (None, None)


def test_gradients_of_two_calls_add_up_only_when_asked():
    x, w = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    product = x * w
    backward(product.sum())
    backward((2 * product).sum())
    assert x.gradient.numpy().tolist() == [6, 8]  # replaced
    backward((10 * product).sum(), add=True)
    assert x.gradient.numpy().tolist() == [36, 48]
    assert product.gradient.numpy().tolist() == [12, 12]  # inner nodes too
    backward((x * x).sum(), add=True)
    assert [found.gradient.numpy().tolist() for found in (x, w)] == [[38, 52], [12, 24]]
    backward((x * x).sum())
    assert x.gradient.numpy().tolist() == [2, 4]


def test_the_first_of_added_calls_needs_no_gradient_before():
    x = tensor(3.0)
    backward(x * x, add=True)
    assert x.gradient.item() == 6


def test_row_sparse_gradients_add_up_too():
    table = tensor([[1.0], [2.0], [3.0]])
    for ids in ([0, 1], [1, 2]):
        backward(chainrule.gather(table, ids).sum(), add=True)
    assert table.gradient.dense().numpy().tolist() == [[1], [2], [1]]
    backward((table * 10).sum(), add=True)
    assert table.gradient.numpy().tolist() == [[11], [12], [11]]


def test_a_traced_gradient_is_not_added_to_one_of_before():
    weight = chainrule.Parameter.of([1.0, 2.0])
    backward((weight * weight).sum())
    with pytest.raises(ConfigurationError, match="a gradient from outside of this trace"):
        chainrule.trace(lambda x: backward((x * weight).sum(), add=True), chainrule.Spec((2,)))
    weight.gradient = None

    def twice(x):
        backward((x * weight).sum())
        backward((x * weight).sum(), add=True)
        return weight.gradient

    assert chainrule.compile(twice)(np.float32([1, 3])).numpy().tolist() == [2, 6]


def test_backward_leaves_constants_and_integers_without_gradient():
    table, ids = tensor([[1.0], [2.0]]), tensor([1, 1])
    rows = chainrule.gather(table, ids) * 2
    backward(rows.sum())
    assert ids.gradient is None
    assert rows.inputs[1].gradient is None
    assert table.gradient.dense().numpy().tolist() == [[0], [4]]


def test_higher_derivatives():
    x = tensor(2.0, dtype="float64")
    y = x**5
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
        y = grad(y, x)
        assert y.item() == pytest.approx(expected)


def test_a_vector_jacobian_product_for_an_output_that_is_not_a_scalar():
    x = tensor([1.0, 2.0, 3.0])
    assert grad(x * x, x, gradient=[1.0, 10.0, 100.0]).numpy().tolist() == [2.0, 40.0, 600.0]


def test_a_vector_of_data_keeps_the_precision_of_the_output():
    x = tensor([1.0], dtype="float64")
    assert grad(x * 3, x, np.array([0.1])).item() == 0.1 * 3


def test_a_jacobian_product_can_be_differentiated_with_respect_to_the_vector():
    x, v = tensor([1.0, 2.0]), tensor([5.0, 7.0])
    product = grad(x * x, x, gradient=v)
    assert grad(product.sum(), v).numpy().tolist() == [2.0, 4.0]


def test_only_what_was_asked_for_is_computed():
    data, weight = tensor(np.ones((4, 3))), tensor(np.ones((3, 2)))
    seen = []

    class Watched(type(chainrule.exp)):
        def forward(self, xp, x):
            seen.append(x)
            return super().forward(xp, x)

    loss = (Watched()(data) @ weight).sum()
    assert len(seen) == 1
    grad(loss, weight)
    assert len(seen) == 1
    assert len(topological_order([grad(loss, weight)])) < len(topological_order([grad(loss, data)]))


def test_broadcasting_sums_gradients_back():
    a, b, c = tensor(np.ones((4, 1, 3))), tensor(np.ones((2, 1))), tensor(2.0)
    found = grad((a * b * c).sum(), [a, b, c])
    assert [g.shape for g in found] == [(4, 1, 3), (2, 1), ()]
    assert [g.numpy().ravel()[0] for g in found] == [4.0, 24.0, 24.0]


def test_the_gradient_of_the_output_itself():
    x = tensor(3.0)
    assert grad(x, x).item() == 1


def test_float64_is_kept_everywhere():
    x = tensor([0.5], dtype="float64")
    y = chainrule.log_softmax(chainrule.tanh(x * 3) / 2 + 1)
    assert y.dtype == np.float64
    assert grad(y.sum(), x).dtype == np.float64


def test_float32_is_the_default_everywhere():
    x = tensor(np.array([0.5, 1.0]))
    y = chainrule.mean(chainrule.softplus(x * np.array([2.0, 3.0]) + 1))
    assert y.dtype == np.float32
    assert grad(y, x).dtype == np.float32


def test_a_chain_of_ten_thousand_blocks():
    x = tensor(1.0)
    y = x
    for _ in range(10_000):
        y = y + 0.0001
    backward(y)
    assert x.gradient.item() == 1
    assert y.item() == pytest.approx(2.0, rel=1e-3)
    del y  # freeing a deep graph is iterative too


def test_a_row_sparse_gradient_stays_sparse_and_adds_up():
    table = chainrule.Parameter.of(np.arange(10.0).reshape(5, 2), name="table")
    twice = chainrule.gather(table, [1, 1, 3]).sum() + (chainrule.gather(table, [[0], [3]]) * 2).sum()
    (found,) = gradients(twice, [table])
    assert isinstance(found, chainrule.RowSparse)
    assert found.rows.shape == (5, 2)
    expected = [[2, 2], [2, 2], [0, 0], [3, 3], [0, 0]]
    assert found.dense().numpy().tolist() == expected
    assert found.coalesce().dense().numpy().tolist() == expected
    assert grad(twice, table).numpy().tolist() == expected


def test_coalesced_rows_come_first_and_repetitions_leave_no_row():
    sparse = gradients(chainrule.gather(t := tensor(np.ones((4, 1))), [2, 0, 2, 2]).sum(), [t])[0].coalesce()
    assert sparse.indices.numpy().tolist() == [2, 0, 4, 4]
    assert sparse.rows.numpy().ravel().tolist() == [3, 1, 0, 0]


def test_a_table_that_is_read_and_used_densely_gets_a_dense_gradient():
    table = tensor([[1.0], [2.0]])
    (found,) = gradients(chainrule.gather(table, [1]).sum() + (table * 3).sum(), [table])
    assert found.numpy().tolist() == [[3], [4]]
    (found,) = gradients((table * 3).sum() + chainrule.gather(table, [1]).sum(), [table])
    assert found.numpy().tolist() == [[3], [4]]


def test_a_gathered_node_that_is_not_a_leaf_passes_its_gradient_on():
    check_gradient(lambda x: chainrule.gather(chainrule.tanh(x), [0, 2, 2]) ** 2, np.linspace(-1, 1, 6).reshape(3, 2))


def test_integers_carry_no_gradient_and_say_so():
    x = tensor([1, 2], name="ids")
    with pytest.raises(GradientError, match="no gradient with respect to 'ids': it holds int64"):
        grad((x * 2.0).sum(), x)
    with pytest.raises(GradientError, match=r"no gradient of sum int64\(\): it holds int64"):
        grad(x.sum(), tensor(1.0))
    with pytest.raises(GradientError, match="it holds int64"):
        backward(x.sum())


def test_what_no_path_reaches_has_no_gradient_and_says_so():
    x, other = tensor(1.0), tensor(2.0, name="other")
    with pytest.raises(GradientError, match="no gradient with respect to 'other': no differentiable path"):
        grad(x * 2, other)
    with pytest.raises(GradientError, match="no differentiable path"):
        grad(chainrule.stop_gradient(x) * 2, x)
    with pytest.raises(GradientError, match="no differentiable path"):
        grad((x > 0).astype("float32"), x)


def test_a_vector_output_needs_a_vector():
    x = tensor([1.0, 2.0])
    with pytest.raises(ShapeError, match=r"of shape \(2,\) needs a vector of that shape .* with .sum\(\)"):
        grad(x * 2, x)
    with pytest.raises(ShapeError, match=r"expected the output's shape \(2,\), got \(3,\)"):
        grad(x * 2, x, gradient=[1.0, 1.0, 1.0])


def test_a_backward_of_the_wrong_count_or_shape_is_named():
    class Short(type(chainrule.add)):
        name = "short"

        def backward(self, gradient, output, a, b):
            return (gradient,)

    class Wrong(type(chainrule.exp)):
        name = "wrong"

        def backward(self, gradient, output, x):
            return (gradient.sum(),)

    x = tensor([1.0, 2.0])
    with pytest.raises(GradientError, match="block short: backward returned 1 contributions for 2 inputs"):
        grad(Short()(x, x).sum(), x)
    with pytest.raises((ShapeError, IndexError), match=r"block wrong: backward gave float32\(\) for input 0"):
        grad(Wrong()(x).sum(), x)


@pytest.mark.parametrize("value", [0.0, -1.0, 2.0])
def test_powers_of_any_base_have_finite_gradients(value):
    x = tensor(value, dtype="float64")
    assert grad(x**2, x).item() == 2 * value
    assert grad(x**0, x).item() == 0
    assert grad(x**1, x).item() == 1


def test_stability_at_the_ends():
    x = tensor([1e4, -1e4, 0.0])
    assert np.isfinite(chainrule.log_softmax(x).numpy()).all()
    assert np.isfinite(grad(chainrule.log_softmax(x)[1], x).numpy()).all()
    assert chainrule.softplus(x).numpy().tolist() == pytest.approx([1e4, 0.0, np.log(2)])
    assert chainrule.sigmoid(tensor(-80.0)).item() == pytest.approx(np.exp(-80.0), rel=1e-5)
    infinite = chainrule.logsumexp(tensor([[-np.inf, -np.inf], [np.inf, 0.0], [-np.inf, 1.0]]))
    assert infinite.numpy().tolist() == [-np.inf, np.inf, 1.0]
    assert grad(chainrule.where(x > 0, x, chainrule.sqrt(x)).sum(), x).numpy()[0] == 1


def test_tied_maxima_share_the_gradient():
    x = tensor([3.0, 1.0, 3.0])
    assert grad(x.max(), x).numpy().tolist() == [0.5, 0, 0.5]
    a, b = tensor([1.0, 2.0]), tensor([1.0, 0.0])
    assert [g.numpy().tolist() for g in grad(chainrule.maximum(a, b).sum(), [a, b])] == [[0.5, 1], [0.5, 0]]


def test_the_gradient_of_a_sign_is_zero_whatever_comes_in():
    x = tensor([3.0, -2.0, 0.0, np.nan])
    for vector in ([1.0, 1.0, 1.0, 1.0], [np.inf, np.nan, -1.0, 1.0]):
        assert grad(chainrule.sign(x), x, vector).numpy().tolist() == [0, 0, 0, 0]
    assert grad(grad((chainrule.absolute(x[:2]) ** 3).sum(), x).sum(), x).numpy().tolist() == [18, 12, 0, 0]


def test_with_respect_to_a_dictionary_and_a_layer():
    x, y = chainrule.tensor([1.0, 2.0]), chainrule.tensor(3.0)
    found = chainrule.grad((x * y).sum(), {"first": x, "second": y})
    assert {name: gradient.value.tolist() for name, gradient in found.items()} == {"first": [3, 3], "second": 3}
    layer = chainrule.nn.Linear(2, 1, generator=np.random.default_rng(0))
    found = chainrule.grad(layer(np.array([[1.0, 2.0]])).sum(), layer)
    assert {name: gradient.value.tolist() for name, gradient in found.items()} == {"weight": [[1], [2]], "bias": [1]}


def test_unused_tensors():
    x, y = chainrule.tensor([1.0, 2.0]), chainrule.tensor([3.0], name="y")
    loss = (x * x).sum()
    assert [g.value.tolist() for g in chainrule.grad(loss, [x, y], unused="zeros")] == [[2, 4], [0]]
    with pytest.raises(GradientError, match=r'no differentiable path leads from it .*; unused="zeros" gives zeros'):
        chainrule.grad(loss, [x, y])
    with pytest.raises(ConfigurationError, match='grad: unused is "error" or "zeros", got \'none\''):
        chainrule.grad(loss, [x, y], unused="none")


def test_with_respect_to_what_is_no_tensor():
    loss = chainrule.tensor([1.0]).sum()
    with pytest.raises(
        ConfigurationError, match=r"expected a tensor, a list or dictionary of tensors, or a layer .*float"
    ):
        chainrule.grad(loss, 3.0)
    with pytest.raises(ConfigurationError, match=r"got 3.0 at place 0"):
        chainrule.grad(loss, [3.0])


def test_arithmetic_of_row_sparse_gradients():
    table = chainrule.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    (found,) = gradients(chainrule.gather(table, [2, 0, 2]).sum(), [table])
    dense, ones = found.dense().value, np.ones((3, 2), np.float32)
    half = tensor(0.5)
    for result, expected in [
        (found * 2, dense * 2), (half * found, dense / 2), (found / 4, dense / 4), (found / half, dense * 2),
        (-found, -dense), (found - found * 3, -2 * dense),
    ]:  # fmt: skip
        assert isinstance(result, chainrule.RowSparse)
        assert result.dense().value.tolist() == expected.tolist()
    for result, expected in [
        (found + tensor(ones), dense + 1), (tensor(ones) + found, dense + 1), (found - tensor(ones), dense - 1),
        (tensor(ones) - found, 1 - dense),
    ]:  # fmt: skip
        assert result.value.tolist() == expected.tolist()
    with pytest.raises(ShapeError, match=r"row-sparse \*: expected a number or a scalar tensor, got shape \(3, 2\)"):
        found * tensor(ones)
