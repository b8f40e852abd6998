"""PyTorch as a second oracle: value and gradient of every function over tensors, in float64."""

import itertools

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.accuracy import EXTREMES
from chainrule.graph.block import Elementwise
from chainrule.graph.tensor import OPERATIONS
from chainrule.testing import all_blocks
from tests.blocks.operators import OPERATORS
from tests.oracle import torch

F = torch.nn.functional
RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 4))
B = RNG.normal(size=(3, 4)) + 0.1
ROW = RNG.normal(size=4)
POSITIVE = RNG.uniform(0.2, 3, size=(3, 4))
CUBE = RNG.normal(size=(2, 3, 4))
IDS = np.array([2, 0, 2, 1])
WIDE_IDS = np.array([2, -1, 0, 3, 2])  # -1 and 3 are no rows


def padded(x):
    """With a row of zeros before the first and after the last."""
    return torch.nn.functional.pad(x, (0, 0, 1, 1))


def sparsemax(x, axis):
    """The threshold by bisection, then once by its equation, through which the gradient goes."""
    low, high = x.amax(axis, keepdim=True).detach() - 1, x.amax(axis, keepdim=True).detach()
    for _ in range(100):
        middle = (low + high) / 2
        above = torch.relu(x.detach() - middle).sum(axis, keepdim=True) > 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    within = x > low
    threshold = ((x * within).sum(axis, keepdim=True) - 1) / within.sum(axis, keepdim=True)
    return torch.relu(x - threshold)


GRID = np.array([[3, 0], [1, 1], [2, 3]])
OFFSETS = np.array([0, 2, 2, 3])
MASK = A > 0

#: name, ours, PyTorch's, floating-point inputs. One line a function.
CASES = [
    ("identity", cr.identity, lambda x: x * 1, (A,)),
    ("add", cr.add, torch.add, (A, ROW)),
    ("subtract", cr.subtract, torch.sub, (A, ROW)),
    ("multiply", cr.multiply, torch.mul, (A, ROW)),
    ("divide", cr.divide, torch.div, (A, POSITIVE)),
    ("negative", cr.negative, torch.neg, (A,)),
    ("power", cr.power, torch.pow, (POSITIVE, ROW)),
    ("power", lambda x: x**3, lambda x: x**3, (A,)),
    ("absolute", cr.absolute, torch.abs, (A,)),
    ("sign", cr.sign, torch.sign, (A,)),
    ("maximum", cr.maximum, torch.maximum, (A, B)),
    ("minimum", cr.minimum, torch.minimum, (A, B)),
    ("maximum", cr.maximum, torch.maximum, (A, A.copy())),
    ("exp", cr.exp, torch.exp, (A,)),
    ("log", cr.log, torch.log, (POSITIVE,)),
    ("log1p", cr.log1p, torch.log1p, (POSITIVE,)),
    ("sqrt", cr.sqrt, torch.sqrt, (POSITIVE,)),
    ("sigmoid", cr.sigmoid, torch.sigmoid, (A * 20,)),
    ("tanh", cr.tanh, torch.tanh, (A,)),
    ("relu", cr.relu, torch.relu, (A,)),
    ("softplus", cr.softplus, lambda x: torch.logaddexp(x, torch.zeros_like(x)), (A * 20,)),
    ("softplus", lambda x: cr.softplus(x, 2, 3), lambda x: F.softplus(x, 2, 3), (A * 20,)),
    ("softsign", cr.softsign, F.softsign, (A * 20,)),
    ("relu6", cr.relu6, F.relu6, (A * 6,)),
    ("leaky_relu", lambda x: cr.leaky_relu(x, 0.3), lambda x: F.leaky_relu(x, 0.3), (A,)),
    ("prelu", cr.prelu, F.prelu, (A, ROW)),
    ("hard_tanh", lambda x: cr.hard_tanh(x, -0.5, 1), lambda x: F.hardtanh(x, -0.5, 1), (A,)),
    ("hard_sigmoid", cr.hard_sigmoid, lambda x: torch.clamp(x / 6 + 0.5, 0, 1), (A * 4,)),
    ("hard_swish", cr.hard_swish, F.hardswish, (A * 4,)),
    ("elu", lambda x: cr.elu(x, 0.7), lambda x: F.elu(x, 0.7), (A * 20,)),
    ("celu", lambda x: cr.celu(x, 0.5), lambda x: F.celu(x, 0.5), (A * 20,)),
    ("selu", cr.selu, F.selu, (A * 20,)),
    ("log_sigmoid", cr.log_sigmoid, F.logsigmoid, (A * 20,)),
    ("silu", cr.silu, F.silu, (A * 20,)),
    ("swish", lambda x: cr.swish(x, 1.7), lambda x: x * torch.sigmoid(1.7 * x), (A * 20,)),
    ("gelu", cr.gelu, F.gelu, (A * 4,)),
    ("gelu", lambda x: cr.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh"), (A * 4,)),
    ("mish", cr.mish, F.mish, (A * 20,)),
    ("glu", lambda x: cr.glu(x, 1), lambda x: F.glu(x, 1), (A,)),
    ("reglu", cr.reglu, lambda x: x[..., :2] * torch.relu(x[..., 2:]), (CUBE,)),
    ("geglu", cr.geglu, lambda x: x[..., :2] * F.gelu(x[..., 2:]), (CUBE,)),
    ("swiglu", cr.swiglu, lambda x: x[..., :2] * F.silu(x[..., 2:]), (CUBE,)),
    ("maxout", cr.maxout, lambda x: x.reshape(2, 3, 2, 2).amax(-1), (CUBE,)),
    ("sparsemax", lambda x: cr.sparsemax(x, 1), lambda x: sparsemax(x, 1), (CUBE,)),
    ("sparsemax", cr.sparsemax, lambda x: sparsemax(x, -1), (A / 9,)),
    ("equal", lambda x: cr.where(cr.equal(x, x), x, 0), lambda x: x * 1, (A,)),
    ("not_equal", lambda x, y: cr.where(cr.not_equal(x, y), x, y), lambda x, y: torch.where(x != y, x, y), (A, B)),
    ("less", lambda x, y: cr.where(x < y, x, y), lambda x, y: torch.where(x < y, x, y), (A, ROW)),
    ("less_equal", lambda x, y: cr.where(x <= y, x, y), lambda x, y: torch.where(x <= y, x, y), (A, ROW)),
    ("greater", lambda x, y: cr.where(x > y, x, y), lambda x, y: torch.where(x > y, x, y), (A, ROW)),
    ("greater_equal", lambda x, y: cr.where(x >= y, x, y), lambda x, y: torch.where(x >= y, x, y), (A, ROW)),
    ("where", lambda x, y: cr.where(MASK, x, y), lambda x, y: torch.where(torch.tensor(MASK), x, y), (A, ROW)),
    ("sum", cr.sum, torch.sum, (A,)),
    ("sum", lambda x: cr.sum(x, (0, 2)), lambda x: x.sum((0, 2)), (CUBE,)),
    ("mean", lambda x: cr.mean(x, 1, keepdims=True), lambda x: x.mean(1, keepdim=True), (CUBE,)),
    ("max", lambda x: cr.max(x, -1), lambda x: x.amax(-1), (CUBE,)),
    ("max", cr.max, lambda x: x.amax(), (np.array([1.0, 3.0, 3.0]),)),
    ("argmax", lambda x: x * cr.argmax(x, 1)[:, None], lambda x: x * x.argmax(1)[:, None], (A,)),
    ("logsumexp", cr.logsumexp, lambda x: torch.logsumexp(x, -1), (A * 50,)),
    ("log_softmax", lambda x: cr.log_softmax(x, 0), lambda x: torch.log_softmax(x, 0), (A * 50,)),
    ("softmax", cr.softmax, lambda x: torch.softmax(x, -1), (CUBE,)),
    ("reshape", lambda x: cr.reshape(x, (4, -1)), lambda x: x.reshape(4, -1), (CUBE,)),
    ("swapaxes", lambda x: cr.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), (CUBE,)),
    ("swapaxes", lambda x: x.mT @ x, lambda x: x.mT @ x, (CUBE,)),
    ("transpose", lambda x: cr.transpose(x, (2, 0, 1)), lambda x: x.permute(2, 0, 1), (CUBE,)),
    ("broadcast_to", lambda x: cr.broadcast_to(x, (5, 3, 4)), lambda x: x.expand(5, 3, 4), (A,)),
    ("concatenate", lambda x, y: cr.concatenate([x, y], 1), lambda x, y: torch.cat([x, y], 1), (A, B)),
    ("stack", lambda x, y: cr.stack([x, y], -1), lambda x, y: torch.stack([x, y], -1), (A, B)),
    ("unstack", lambda x: cr.stack(cr.unstack(x, 1)[::2]), lambda x: torch.stack(x.unbind(1)[::2]), (CUBE,)),
    ("expand", lambda x: cr.expand(x, 1), lambda x: x.unsqueeze(1), (A,)),
    ("squeeze", lambda x: cr.squeeze(x, 0), lambda x: x.squeeze(0), (A[None],)),
    ("index", lambda x: x[1:, ::2], lambda x: x[1:, ::2], (A,)),
    ("index", lambda x: x[..., -1, None], lambda x: x[..., -1, None], (CUBE,)),
    ("matmul", cr.matmul, torch.matmul, (A, B.T)),
    ("matmul", cr.matmul, torch.matmul, (CUBE, B.T)),
    ("matmul", cr.matmul, torch.matmul, (CUBE, CUBE.transpose(0, 2, 1))),
    ("matmul", cr.matmul, torch.matmul, (A, ROW)),
    ("matmul", cr.matmul, torch.matmul, (ROW, CUBE.transpose(0, 2, 1))),
    ("gather", lambda x: cr.gather(x, IDS), lambda x: torch.nn.functional.embedding(torch.tensor(IDS), x), (A,)),
    ("gather_or_zero", lambda x: cr.gather_or_zero(x, WIDE_IDS), lambda x: padded(x)[torch.tensor(WIDE_IDS) + 1], (A,)),
    ("take_along_axis", lambda x: cr.take_along_axis(x, GRID, 1), lambda x: x.gather(1, torch.tensor(GRID)), (A,)),
    ("scatter_add", lambda x: cr.scatter_add(x, IDS[:3], 4),
     lambda x: torch.zeros(4, 4, dtype=x.dtype).index_add(0, torch.tensor(IDS[:3]), x), (A,)),
    ("one_hot", lambda x: x * cr.one_hot([1, 3, 0], 4).astype("float64"),
     lambda x: x * torch.nn.functional.one_hot(torch.tensor([1, 3, 0]), 4), (A,)),
    ("segment_sum", lambda x: cr.segment_sum(x, OFFSETS),
     lambda x: torch.nn.functional.embedding_bag(torch.arange(3), x, torch.tensor(OFFSETS[:-1]), mode="sum"), (A,)),
    ("segment_mean", lambda x: cr.segment_mean(x, OFFSETS),
     lambda x: torch.nn.functional.embedding_bag(torch.arange(3), x, torch.tensor(OFFSETS[:-1]), mode="mean"), (A,)),
    ("segment_max", lambda x: cr.segment_max(x, OFFSETS),
     lambda x: torch.nn.functional.embedding_bag(torch.arange(3), x, torch.tensor(OFFSETS[:-1]), mode="max"), (A,)),
    ("segment_argmax", lambda x: cr.gather(x, cr.segment_argmax(x, OFFSETS)[:, 0][::2]),
     lambda x: x[torch.stack([x[:2, 0].argmax(), 2 + x[2:3, 0].argmax()])], (A,)),
    ("segment_ids", lambda x: x * cr.segment_ids(OFFSETS, x)[:, None],
     lambda x: x * torch.repeat_interleave(torch.tensor([2, 0, 1]))[:, None], (A,)),
    ("attend", lambda q, k, v: cr.attend(q[:, None], k[:, None], v[:, None], [0, 3])[:, 0],
     F.scaled_dot_product_attention, (A, B, A * B)),
    ("attend_additively", lambda q, k, v, w: cr.attend_additively(q, k, v, w, [0, 3]),
     lambda q, k, v, w: torch.softmax(torch.tanh(q[:, None] + k) @ w, 1) @ v, (A, B, A * B, ROW)),
    ("sin", cr.sin, torch.sin, (A * 1e6,)),
    ("cos", cr.cos, torch.cos, (A * 1e6,)),
    ("tan", cr.tan, torch.tan, (A,)),
    ("erf", cr.erf, torch.erf, (A,)),
    ("expm1", cr.expm1, torch.expm1, (A,)),
    ("log2", cr.log2, torch.log2, (POSITIVE,)),
    ("log10", cr.log10, torch.log10, (POSITIVE,)),
    ("floor", cr.floor, torch.floor, (A,)),
    ("ceil", cr.ceil, torch.ceil, (A,)),
    ("round", cr.round, torch.round, (A * 3,)),
    ("floor_divide", cr.floor_divide, lambda x, y: torch.div(x, y, rounding_mode="floor"), (A * 9, POSITIVE)),
    ("remainder", cr.remainder, torch.remainder, (A * 9, POSITIVE)),
    ("var", cr.var, lambda x: torch.var(x, correction=0), (CUBE,)),
    ("std", lambda x: cr.std(x, 1), lambda x: torch.std(x, 1, correction=0), (np.array([[1.0, 2.0], [3.0, 3.0]]),)),
    ("clamp", lambda x, low: cr.clamp(x, low, 0.5),
     lambda x, low: torch.clamp(x, low, torch.tensor(0.5)), (A, -POSITIVE)),
    ("prod", lambda x: cr.prod(x, 1), lambda x: x.prod(1), (np.array([[0.0, 2.0], [0.0, 0.0], [3.0, 4.0]]),)),
    ("update_at", lambda x, y: cr.update_at(x, (slice(1, None), [0, 2]), y),
     lambda x, y: torch.index_put(x, (torch.tensor([[1], [2]]), torch.tensor([0, 2])), y), (A, A[1:, :2])),
    ("einsum", lambda x, y: cr.einsum("bij,...j->bi...", x, y), lambda x, y: torch.einsum("bij,...j->bi...", x, y),
     (CUBE, B)),
    ("stop_gradient", lambda x: cr.stop_gradient(x) * x, lambda x: x.detach() * x, (A,)),
    ("cast", lambda x: cr.cast(cr.cast(x, "float32"), "float64"), lambda x: x.float().double(), (A,)),
]  # fmt: skip

#: Functions without a counterpart, and where their values are checked.
ELSEWHERE = {
    "renew": "tests/graph/test_changes.py",
    "debug": "tests/blocks/test_inspection.py",
    "check_finite": "tests/blocks/test_inspection.py",
    "iota": "tests/graph/test_tensor.py",
    "put_together": "tests/blocks/test_pieces.py",
    "distinct": "tests/graph/test_autodiff.py",
    "first_slots": "tests/graph/test_autodiff.py",
    "threefry": "tests/blocks/test_chance.py",
    "scan": "tests/blocks/test_recurrence.py",
    "segment_shift": "tests/blocks/test_recurrence.py",
    "segment_softmax": "tests/blocks/test_recurrence.py",
    "random_uniform": "tests/blocks/test_chance.py",
    "random_integers": "tests/blocks/test_chance.py",
    "random_normal": "tests/blocks/test_chance.py",
    "shuffle": "tests/blocks/test_chance.py",
    "dropout": "tests/blocks/test_chance.py",
}


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"), [pytest.param(*case[1:], id=f"{case[0]}-{i}") for i, case in enumerate(CASES)]
)
def test_value_and_gradient(ours, theirs, arrays):
    inputs = [cr.tensor(x, dtype="float64") for x in arrays]
    references = [torch.tensor(x, requires_grad=True) for x in arrays]
    output, reference = ours(*inputs), theirs(*references)
    np.testing.assert_allclose(output.numpy(), reference.detach().numpy(), rtol=1e-12, atol=1e-12)
    vector = np.cos(np.arange(output.spec.size)).reshape(output.shape)
    expected = torch.autograd.grad(reference, references, torch.tensor(vector))
    for found, wanted in zip(cr.grad(output, inputs, cr.tensor(vector, dtype="float64")), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-10, atol=1e-12)


#: Blocks that are not one function of PyTorch: these two are tested by themselves, and `renew` reads a leaf anew.
OF_OUR_OWN = ("cast", "where", "renew")


@pytest.mark.parametrize(
    "block",
    [block for block in all_blocks(Elementwise) if block.differentiable and block.name not in OF_OUR_OWN],
    ids=lambda block: block.name,
)
def test_elementwise_blocks_at_extremes(block):
    """Infinities, zeros, NaN and limits come out as in PyTorch."""
    theirs = next(theirs for name, _, theirs, _ in CASES if name == block.name)
    grid = [x.ravel() for x in np.meshgrid(*[EXTREMES] * len(block.samples()[0].inputs), indexing="ij")]
    if block.name == "power":  # elsewhere ours gives the exponent no gradient, as the base has no logarithm
        grid = [x[grid[0] > 0] for x in grid]
    inputs = [cr.tensor(x, dtype="float64") for x in grid]
    references = [torch.tensor(x, requires_grad=True) for x in grid]
    output, reference = block()(*inputs), theirs(*references)
    missing = np.isnan(output.numpy())
    if block.name != "sign":  # of NaN it is NaN, as in NumPy; PyTorch says 0
        np.testing.assert_array_equal(missing, np.isnan(reference.detach().numpy()))
    np.testing.assert_allclose(output.numpy()[~missing], reference.detach().numpy()[~missing], rtol=1e-12, atol=1e-12)
    expected = torch.autograd.grad(reference.sum(), references)
    for found, wanted in zip(cr.grad(output.sum(), inputs), expected, strict=True):
        np.testing.assert_allclose(found.numpy()[~missing], wanted.numpy()[~missing], rtol=1e-10, atol=1e-12)


#: Functions of a row of numbers.
OF_ROWS = {
    "sum": (lambda x: cr.sum(x, 1), lambda x: torch.sum(x, 1)),
    "mean": (lambda x: cr.mean(x, 1), lambda x: torch.mean(x, 1)),
    "max": (lambda x: cr.max(x, 1), lambda x: torch.amax(x, 1)),
    "logsumexp": (lambda x: cr.logsumexp(x, 1), lambda x: torch.logsumexp(x, 1)),
    "softmax": (cr.softmax, lambda x: torch.softmax(x, 1)),
    "log_softmax": (cr.log_softmax, lambda x: torch.log_softmax(x, 1)),
    "cross_entropy": (
        lambda x: -cr.take_along_axis(cr.log_softmax(x), np.arange(x.shape[0])[:, None] % 3, 1),
        lambda x: torch.nn.functional.cross_entropy(x, torch.arange(x.shape[0]) % 3, reduction="none")[:, None],
    ),
}


@pytest.mark.parametrize("engine", [lambda function: function, cr.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OF_ROWS)
def test_functions_of_rows_beside_infinities(name, dtype, engine):
    ours, theirs = OF_ROWS[name]
    rows = np.array(list(itertools.product([np.inf, -np.inf, np.nan, 100.0, -1.0, 0.5], repeat=3)), dtype)
    held, reference = cr.tensor(rows, dtype=dtype), torch.tensor(rows, requires_grad=True)
    vector = np.cos(np.arange(rows.size))

    def both(x):
        output = ours(x)
        weights = cr.tensor(vector[: output.spec.size].reshape(output.shape), dtype=dtype)
        return [output, cr.grad(output, x, weights)]

    output = theirs(reference)
    weights = torch.tensor(vector[: output.numel()].reshape(output.shape).astype(dtype))
    expected = [output, *torch.autograd.grad(output, reference, weights)]
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    for found, wanted in zip(engine(both)(held), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted.detach().numpy(), rtol=tolerance, atol=tolerance)


def test_every_function_has_a_case():
    assert set(OPERATIONS) == {case[0] for case in CASES} | set(ELSEWHERE) | set(OPERATORS)
