"""PyTorch as the oracle of activations: values, first and second derivatives, up to infinity, eager and compiled."""

import numpy as np
import pytest

import chainrule
from chainrule.nn import ACTIVATIONS, activation
from tests.oracle import torch

F = torch.nn.functional
#: Ours, and PyTorch's.
CASES = {
    "identity": lambda x: x * 1,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: F.relu6(x + 3) / 6,  # PyTorch's own has its slope in float32
    "log_sigmoid": F.logsigmoid,
    "tanh": torch.tanh,
    "hard_tanh": F.hardtanh,
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "leaky_relu:slope=0.3": lambda x: F.leaky_relu(x, 0.3),
    "prelu": lambda x: F.prelu(x, torch.tensor(0.25, dtype=x.dtype)),
    "elu": F.elu,
    "elu:alpha=0.5": lambda x: F.elu(x, 0.5),
    "selu": F.selu,
    "celu:alpha=0.5": lambda x: F.celu(x, 0.5),
    "celu": F.celu,
    "gelu": F.gelu,
    "gelu:approximate=tanh": lambda x: F.gelu(x, approximate="tanh"),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "softplus:beta=2,threshold=20": lambda x: F.softplus(x, 2),
    "softsign": F.softsign,
    "silu": F.silu,
    "swish": F.silu,
    "hard_swish": F.hardswish,
    "mish": F.mish,
    "softmax": lambda x: torch.softmax(x, -1),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "glu": F.glu,
    "reglu": lambda x: x[..., :1] * torch.relu(x[..., 1:]),
    "geglu": lambda x: x[..., :1] * F.gelu(x[..., 1:]),
    "swiglu": lambda x: x[..., :1] * F.silu(x[..., 1:]),
    "maxout": lambda x: x.amax(-1, keepdim=True),
}
EXTREMES = [0.0, 1e-30, 0.1, 1.0, 2.9, 3.1, 5.9, 6.1, 30.0, 300.0, np.inf]
POINTS = np.array([*EXTREMES, *(-np.array(EXTREMES)), np.nan])


def both(function):
    """The value, and the first and second derivatives of a weighted sum of it."""

    def run(x):
        y = function(x)
        weights = chainrule.tensor(np.cos(np.arange(y.spec.size)).reshape(y.shape), y.dtype)
        first = chainrule.grad((y * weights).sum(), x)
        factor = np.cos(np.arange(first.shape[0]))[:, None].astype(x.dtype)
        second = chainrule.grad((first * factor).sum(), x, unused="zeros")
        return [y, first, second]

    return run


def theirs(function, data):
    x = torch.tensor(data, requires_grad=True)
    y = function(x)
    weights = torch.tensor(np.cos(np.arange(y.numel())).reshape(tuple(y.shape)).astype(data.dtype))
    (first,) = torch.autograd.grad((y * weights).sum(), x, create_graph=True)
    second = torch.zeros_like(x)
    if first.requires_grad:
        factor = torch.cos(torch.arange(first.shape[0], dtype=x.dtype))[:, None]
        found = torch.autograd.grad((first * factor).sum(), x, allow_unused=True)[0]
        second = second if found is None else found
    return [part.detach().numpy() for part in (y, first, second)]


def test_every_activation_has_a_case():
    assert {name.partition(":")[0] for name in CASES} == set(ACTIVATIONS) - {"sparsemax"}  # test_blocks_torch.py


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name, dtype):
    kind = ACTIVATIONS.make(name)
    pairs = name in ("softmax", "log_softmax") or kind.reads > 1
    grid = np.array([(a, b) for a in POINTS for b in POINTS]) if pairs else POINTS[:, None]
    grid = grid[np.isfinite(grid).all(1)] if pairs else grid  # infinities of rows: tests/blocks/test_blocks_torch.py
    data = grid.astype(dtype)
    missing = np.isnan(data).any(1)  # of NaN, the value is NaN, and a derivative is what it happens to be
    expected = theirs(CASES[name], data)
    function = activation(kind) if name != "prelu" else kind
    x = chainrule.tensor(data, dtype)
    for engine, run in (("eager", both(function)), ("compiled", chainrule.compile(both(function)))):
        found = [part.numpy() for part in run(x)]
        for order, (ours, wanted) in enumerate(zip(found, expected, strict=True)):
            where = f"{name}, {engine}, derivative {order}"
            known = np.isfinite(wanted) & ~missing[:, None] if order else ~np.isnan(wanted)
            if order == 2 and kind.name in ("elu", "selu", "celu"):  # the slope bends at 0: PyTorch's is that above 0
                known &= data != 0
            tolerance = {"float32": 3e-6, "float64": 1e-11}[dtype]
            np.testing.assert_allclose(ours[known], wanted[known], rtol=tolerance, atol=tolerance, err_msg=where)
            assert np.isnan(ours[missing]).all() or order, where
