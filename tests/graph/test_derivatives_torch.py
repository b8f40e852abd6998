"""Jacobians, Hessians, products with vectors and gradients of examples, beside PyTorch's, eager and compiled."""

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, tensor
from chainrule.errors import GradientError, ShapeError
from tests.oracle import torch

X = np.random.default_rng(0).normal(size=(2, 3))
V = np.random.default_rng(1).normal(size=(2, 3))


def ours(x):
    return chainrule.tanh(x @ x.T) * x.sum()


def theirs(x):
    return torch.tanh(x @ x.T) * x.sum()


CASES = {
    "jacobian": (
        lambda x: chainrule.jacobian(ours(x), x),
        lambda x: torch.func.jacrev(theirs)(x),
    ),
    "hessian": (
        lambda x: chainrule.hessian(ours(x).sum(), x),
        lambda x: torch.autograd.functional.hessian(lambda x: theirs(x).sum(), x),
    ),
    "hvp": (
        lambda x: chainrule.hvp(ours(x).sum(), x, V),
        lambda x: torch.autograd.functional.hvp(lambda x: theirs(x).sum(), x, torch.tensor(V))[1],
    ),
    "jvp": (
        lambda x: chainrule.jvp(ours(x), x, V),
        lambda x: torch.autograd.functional.jvp(theirs, x, torch.tensor(V))[1],
    ),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_beside_torch(name, compiled):
    function, expected = CASES[name]
    function = chainrule.compile(function) if compiled else function
    np.testing.assert_allclose(function(tensor(X, "float64")).value, expected(torch.tensor(X)).numpy(), rtol=1e-9)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_of_examples_beside_torch(compiled):
    generator = np.random.default_rng(2)
    weight, bias = Parameter(generator.normal(size=(3, 2))), Parameter(generator.normal(size=2))
    x, y = generator.normal(size=(5, 3)).astype(np.float32), generator.integers(2, size=5)

    def loss(x, y):
        return chainrule.nn.cross_entropy(x @ weight + bias, y)

    def all_of_them(x, y):
        return chainrule.per_example(loss, [weight, bias], x, y)

    found = (chainrule.compile(all_of_them) if compiled else all_of_them)(tensor(x), tensor(y))

    def of_one(weight, bias, x, y):
        return torch.nn.functional.cross_entropy((x @ weight + bias)[None], y[None])

    expected = torch.func.vmap(torch.func.grad(of_one, argnums=(0, 1)), in_dims=(None, None, 0, 0))(
        torch.tensor(weight.value), torch.tensor(bias.value), torch.tensor(x), torch.tensor(y)
    )
    for result, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(result.value, reference.numpy(), rtol=1e-5, atol=1e-7)


def test_what_is_linear_or_constant_has_zeros():
    x = tensor([1.0, 2.0])
    assert chainrule.hessian((x * 3).sum(), x).value.tolist() == [[0, 0], [0, 0]]
    assert chainrule.hvp((x * 3).sum(), x, [1.0, 1.0]).value.tolist() == [0, 0]
    assert chainrule.jacobian(chainrule.concatenate([x[:1] * 2, np.zeros(1, np.float32)]), x).value.tolist() == [
        [2, 0],
        [0, 0],
    ]


def test_what_they_refuse():
    x, y = tensor([1.0, 2.0], name="x"), tensor([1.0])
    with pytest.raises(GradientError, match="no differentiable path leads"):
        chainrule.jacobian(y * 2, x)
    with pytest.raises(ShapeError, match=r"hvp: expected a vector of shape \(2,\), as 'x' has, got \(3,\)"):
        chainrule.hvp((x * x).sum(), x, [1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"jvp: expected a vector of shape \(2,\)"):
        chainrule.jvp(x * x, x, 1.0)
    with pytest.raises(ShapeError, match="needs a vector of that shape"):
        chainrule.hessian(x * x, x)
    with pytest.raises(ShapeError, match=r"same number of examples, at least 1, got \(2,\), \(1,\)"):
        chainrule.per_example(lambda x, y: (x * y).sum(), [x], x, y)
