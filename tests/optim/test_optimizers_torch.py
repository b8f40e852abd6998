"""PyTorch as the oracle of the optimizers: 50 steps from the same weights on the same batches, in float64."""

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, gradients, tensor
from chainrule.nn import cross_entropy
from chainrule.optim import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Muon,
    NAdam,
    RAdam,
    RMSprop,
    clip_by_norm,
)
from tests.oracle import torch

F = torch.nn.functional
STEPS = 50


def weights():
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) * 0.5 for shape in [(30, 8), (8, 6), (6,), (6, 3), (3,)]]


def batches():
    """Ragged bags of ids with repetitions, from changing parts of the table, and labels."""
    for step in range(STEPS):
        rng = np.random.default_rng(step + 1)
        lengths = rng.integers(0, 6, size=7)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        low = rng.integers(0, 20)
        yield rng.integers(low, low + 10, size=offsets[-1]), offsets, rng.integers(3, size=7)


def loss(parameters, ids, offsets, labels):
    table, w1, b1, w2, b2 = parameters
    hidden = chainrule.tanh(chainrule.segment_mean(chainrule.gather(table, ids), offsets) @ w1 + b1)
    return cross_entropy(hidden @ w2 + b2, labels)


def loss_torch(parameters, batch, sparse):
    table, w1, b1, w2, b2 = parameters
    ids, offsets, labels = map(torch.tensor, batch)
    bags = F.embedding_bag(ids, table, offsets, mode="mean", include_last_offset=True, sparse=sparse)
    return F.cross_entropy(torch.tanh(bags @ w1 + b1) @ w2 + b2, labels)


def rate(step, base):
    """A learning rate that changes, as schedules have it."""
    return base / (1 + 0.02 * step)


def run(optimizer, scheduled, maximum):
    parameters = [Parameter.of(w, dtype="float64") for w in weights()]
    state, losses, norms = optimizer.start(parameters), [], []
    for step, batch in enumerate(batches()):
        value = loss(parameters, *batch)
        found = gradients(value, parameters)
        assert isinstance(found[0], chainrule.RowSparse)
        if maximum is not None:
            found, norm = clip_by_norm(found, maximum)
            assert isinstance(found[0], chainrule.RowSparse)
            norms.append(norm.item())
        learning_rate = rate(step, optimizer.learning_rate) if scheduled else None
        optimizer.step(parameters, found, state, learning_rate=learning_rate)
        losses.append(value.item())
    return [p.numpy() for p in parameters], losses, norms


def run_torch(make, scheduled, maximum, sparse):
    parameters = [torch.tensor(w, requires_grad=True) for w in weights()]
    optimizers, losses, norms = make(parameters), [], []
    bases = [group["lr"] for o in optimizers for group in o.param_groups]
    for step, batch in enumerate(batches()):
        value = loss_torch(parameters, batch, sparse)
        for optimizer in optimizers:
            optimizer.zero_grad()
        value.backward()
        if maximum is not None:
            norms.append(torch.nn.utils.clip_grad_norm_(parameters, maximum).item())
        for base, group in zip(bases, [group for o in optimizers for group in o.param_groups], strict=True):
            group["lr"] = rate(step, base) if scheduled else base
        for optimizer in optimizers:
            optimizer.step()
        losses.append(value.item())
    return [p.detach().numpy() for p in parameters], losses, norms


def adams(parameters):
    """PyTorch's Adam does not take sparse gradients, and its SparseAdam no dense ones."""
    table, others = parameters[:1], parameters[1:]
    return [torch.optim.SparseAdam(table, lr=0.01, eps=1e-14), torch.optim.Adam(others, lr=0.01, eps=1e-14)]


def muon_and_adamw(parameters):
    """PyTorch's Muon takes matrices only."""
    matrices = [p for p in parameters if p.ndim == 2]
    return [
        torch.optim.Muon(matrices, lr=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([p for p in parameters if p.ndim != 2], lr=0.01, weight_decay=0.1),
    ]


@pytest.fixture(autouse=True)
def all_in_float64(monkeypatch):
    """PyTorch's Muon makes matrices orthogonal in bfloat16, and its NAdam multiplies momenta in the default dtype."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


CASES = {
    "sgd": (SGD(0.5), lambda p: [torch.optim.SGD(p, lr=0.5)], False),
    "sgd, sparse": (SGD(0.5, lazy=True), lambda p: [torch.optim.SGD(p, lr=0.5)], True),
    "momentum": (SGD(0.1, 0.9), lambda p: [torch.optim.SGD(p, lr=0.1, momentum=0.9)], False),
    "nesterov": (
        SGD(0.1, 0.9, nesterov=True),
        lambda p: [torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)],
        False,
    ),
    "adam": (Adam(0.01), lambda p: [torch.optim.Adam(p, lr=0.01)], False),
    "adamw": (AdamW(0.01), lambda p: [torch.optim.AdamW(p, lr=0.01)], False),
    "adamw, strong decay": (
        AdamW(0.05, 0.8, 0.99, 1e-4, 0.5),
        lambda p: [torch.optim.AdamW(p, lr=0.05, betas=(0.8, 0.99), eps=1e-4, weight_decay=0.5)],
        False,
    ),
    "adam, other": (
        Adam(0.02, 0.8, 0.99, 1e-4),
        lambda p: [torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.99), eps=1e-4)],
        False,
    ),
    "adagrad": (Adagrad(0.05), lambda p: [torch.optim.Adagrad(p, lr=0.05)], False),
    "adagrad, other": (
        Adagrad(0.05, 0.1, 1e-3),
        lambda p: [torch.optim.Adagrad(p, lr=0.05, initial_accumulator_value=0.1, eps=1e-3)],
        False,
    ),
    "adadelta": (Adadelta(), lambda p: [torch.optim.Adadelta(p)], False),
    "adadelta, other": (
        Adadelta(0.5, 0.8, 1e-3),
        lambda p: [torch.optim.Adadelta(p, lr=0.5, rho=0.8, eps=1e-3)],
        False,
    ),
    "rmsprop": (RMSprop(0.01), lambda p: [torch.optim.RMSprop(p, lr=0.01)], False),
    "rmsprop, momentum": (
        RMSprop(0.01, 0.9, 0.7, epsilon=1e-4),
        lambda p: [torch.optim.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.7, eps=1e-4)],
        False,
    ),
    "rmsprop, centered": (
        RMSprop(0.01, 0.9, 0.5, True, 1e-4),
        lambda p: [torch.optim.RMSprop(p, lr=0.01, alpha=0.9, momentum=0.5, centered=True, eps=1e-4)],
        False,
    ),
    "amsgrad": (AMSGrad(0.01), lambda p: [torch.optim.Adam(p, lr=0.01, amsgrad=True)], False),
    "amsgrad, short mean": (
        AMSGrad(0.01, 0.5, 0.8, 1e-4),
        lambda p: [torch.optim.Adam(p, lr=0.01, betas=(0.5, 0.8), eps=1e-4, amsgrad=True)],
        False,
    ),
    "nadam": (NAdam(0.01), lambda p: [torch.optim.NAdam(p, lr=0.01)], False),
    "nadam, other": (
        NAdam(0.01, 0.8, 0.9, 1e-4, 0.1),
        lambda p: [torch.optim.NAdam(p, lr=0.01, betas=(0.8, 0.9), eps=1e-4, momentum_decay=0.1)],
        False,
    ),
    "radam": (RAdam(0.05), lambda p: [torch.optim.RAdam(p, lr=0.05)], False),
    "radam, soon": (
        RAdam(0.05, 0.8, 0.95, 1e-4),
        lambda p: [torch.optim.RAdam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-4)],
        False,
    ),
    # PyTorch's Adamax adds its epsilon to the gradient; a small one hides that difference.
    "adamax": (Adamax(0.01, epsilon=1e-14), lambda p: [torch.optim.Adamax(p, lr=0.01, eps=1e-14)], False),
    "adamax, other": (
        Adamax(0.01, 0.8, 0.9, 1e-14),
        lambda p: [torch.optim.Adamax(p, lr=0.01, betas=(0.8, 0.9), eps=1e-14)],
        False,
    ),
    "muon": (Muon(0.01), muon_and_adamw, False),
    # SparseAdam adds its epsilon before the bias of the root is corrected; a small one hides that difference.
    "adam, lazy": (Adam(0.01, epsilon=1e-14, lazy=True), adams, True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheduled", [False, True])
def test_trajectories(case, scheduled):
    ours, theirs, sparse = CASES[case]
    found, losses, _ = run(ours, scheduled, None)
    expected, losses_torch, _ = run_torch(theirs, scheduled, None, sparse)
    tolerance = 1e-9
    np.testing.assert_allclose(losses, losses_torch, rtol=0, atol=tolerance)
    for ours_, theirs_ in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours_, theirs_, rtol=0, atol=tolerance)
    assert max(abs(w - start).max() for w, start in zip(found, weights(), strict=True)) > 0.05


@pytest.mark.parametrize("case", ["sgd", "momentum", "adam"])
def test_trajectories_with_clipping(case):
    ours, theirs, _ = CASES[case]
    found, _, norms = run(ours, False, 0.6)
    expected, _, norms_torch = run_torch(theirs, False, 0.6, False)
    assert min(norms) < 0.6 < max(norms)
    # PyTorch divides by norm + 1e-6.
    np.testing.assert_allclose(norms, norms_torch, rtol=1e-4)
    for ours_, theirs_ in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours_, theirs_, rtol=0, atol=2e-5)


def test_a_float32_trajectory_of_adam():
    rng = np.random.default_rng(0)
    start, arrived = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(STEPS, 5, 4)).astype(np.float32)
    ours, theirs = Parameter.of(start), torch.tensor(start, requires_grad=True)
    rule, optimizer = Adam(0.01), torch.optim.Adam([theirs], lr=0.01)
    state = rule.start([ours])
    for gradient in arrived:
        rule.step([ours], [tensor(gradient)], state)
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 8), (8, 3)])
def test_muon_knows_which_axis_of_a_matrix_is_which(shape):
    """PyTorch's matrices are (out, in), ours (in, out)."""
    rng = np.random.default_rng(1)
    start, arrived = rng.normal(size=shape), rng.normal(size=(20, *shape))
    ours, theirs = Parameter.of(start, dtype="float64"), torch.tensor(start.T.copy(), requires_grad=True)
    rule = Muon(0.02, length="shape", plain=True, weight_decay=0.0, momentum=0.8, iterations=3)
    optimizer = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.0, nesterov=False, momentum=0.8, ns_steps=3)
    state = rule.start([ours])
    for gradient in arrived:
        rule.step([ours], [tensor(gradient, "float64")], state)
        theirs.grad = torch.tensor(gradient.T.copy())
        optimizer.step()
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy().T, rtol=0, atol=1e-12)
