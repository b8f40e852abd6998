"""PyTorch as the oracle of the losses: every option, values and gradients."""

import numpy as np
import pytest
from sklearn.metrics import hinge_loss

import chainrule
from chainrule import gradients, tensor
from chainrule.nn import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    binary_focal,
    cosine_embedding,
    cross_entropy,
    focal,
    gaussian_nll,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    margin_ranking,
    mean_absolute_error,
    mean_squared_error,
    multi_label_soft_margin,
    multi_margin,
    nll,
    poisson_nll,
    quantile,
    smooth_l1,
    squared_hinge,
    triplet_margin,
)
from tests.oracle import torch

F = torch.nn.functional
RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 4)) * 3
LABELS = RNG.integers(4, size=7)
WEIGHTS = np.array([0.3, 2.0, 1.0, 0.0])
UNIT = RNG.uniform(size=(7, 4))
REDUCTIONS = ["mean", "sum", "none"]


def check(ours, theirs, *arrays):
    """Values, and the gradients of a weighted sum of the values, with respect to every array."""
    leaves, leaves_torch = (
        [tensor(x, "float64") for x in arrays],
        [torch.tensor(x, requires_grad=True) for x in arrays],
    )
    found, expected = ours(*leaves), theirs(*leaves_torch)
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=1e-11, atol=1e-13)
    vector = np.random.default_rng(1).normal(size=found.shape)
    (expected * torch.tensor(vector)).sum().backward()
    for gradient, leaf in zip(gradients(found, leaves, tensor(vector, "float64")), leaves_torch, strict=True):
        np.testing.assert_allclose(gradient.numpy(), leaf.grad.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy(reduction, weights, smoothing):
    labels, held = torch.tensor(LABELS), None if weights is None else torch.tensor(weights)
    check(
        lambda x: cross_entropy(x, LABELS, class_weights=weights, label_smoothing=smoothing, reduction=reduction),
        lambda x: F.cross_entropy(x, labels, held, label_smoothing=smoothing, reduction=reduction),
        X,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_nll(reduction, weights):
    labels, held = torch.tensor(LABELS), None if weights is None else torch.tensor(weights)
    check(
        lambda x: nll(x, LABELS, class_weights=weights, reduction=reduction),
        lambda x: F.nll_loss(x, labels, held, reduction=reduction),
        X,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("targets", [UNIT, (UNIT > 0.5).astype(float)])
def test_binary_cross_entropy(reduction, targets):
    held = torch.tensor(targets)
    p = RNG.uniform(0.01, 0.99, size=(7, 4))
    check(
        lambda x: binary_cross_entropy(x, targets, reduction=reduction),
        lambda x: F.binary_cross_entropy(x, held, reduction=reduction),
        p,
    )
    check(
        lambda x, z: binary_cross_entropy_with_logits(x, z, reduction=reduction),
        lambda x, z: F.binary_cross_entropy_with_logits(x, z, reduction=reduction),
        X * 20,
        targets,
    )


def test_binary_cross_entropy_is_cut_off_where_pytorch_cuts_it_off():
    p, z = np.array([0.0, 1.0, 0.0, 1.0, 1e-300]), np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    found = binary_cross_entropy(tensor(p, "float64"), z, reduction="none").numpy()
    expected = F.binary_cross_entropy(torch.tensor(p), torch.tensor(z), reduction="none").numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_regression_losses(reduction):
    for ours, theirs in [(mean_squared_error, F.mse_loss), (mean_absolute_error, F.l1_loss)]:
        check(
            lambda x, z, ours=ours: ours(x, z, reduction=reduction),
            lambda x, z, theirs=theirs: theirs(x, z, reduction=reduction),
            X,
            UNIT,
        )
    equal = tensor([1.0])
    assert gradients(mean_absolute_error(equal, [1.0]), [equal])[0].item() == 0


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [1.0, 0.3])
def test_multi_margin(reduction, margin):
    check(
        lambda x: multi_margin(x, LABELS, margin=margin, reduction=reduction),
        lambda x: F.multi_margin_loss(x, torch.tensor(LABELS), margin=margin, reduction=reduction),
        X,
    )


def test_hinge():
    targets = np.where(UNIT[:, 0] > 0.5, 1, -1)
    held = torch.tensor(targets)
    check(lambda s: hinge(s, targets), lambda s: torch.relu(1 - held * s).mean(), X[:, 0].copy())
    expected = hinge_loss(targets, X[:, 0])
    assert hinge(tensor(X[:, 0], "float64"), targets).item() == pytest.approx(expected, rel=1e-12)


DEEP = RNG.normal(size=(3, 4, 2, 5)) * 3
DEEP_LABELS = RNG.integers(4, size=(3, 2, 5))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignore", [None, 2, -100])
def test_cross_entropy_over_any_number_of_axes(reduction, weights, smoothing, ignore):
    ids = DEEP_LABELS.copy()
    ids[0, 0] = ids[0, 0] if ignore is None else ignore
    labels, held = torch.tensor(ids), None if weights is None else torch.tensor(weights)
    settings = {"class_weights": weights, "reduction": reduction, "ignore": ignore}
    theirs = {"reduction": reduction, "ignore_index": -100 if ignore is None else ignore}
    check(
        lambda x: cross_entropy(x, ids, label_smoothing=smoothing, **settings),
        lambda x: F.cross_entropy(x, labels, held, label_smoothing=smoothing, **theirs),
        DEEP,
    )
    check(lambda x: nll(x, ids, **settings), lambda x: F.nll_loss(x, labels, held, **theirs), DEEP)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_against_probabilities(reduction, weights, smoothing):
    held = None if weights is None else torch.tensor(weights)
    for x in (X, DEEP):
        targets = np.exp(RNG.normal(size=x.shape))
        targets /= targets.sum(1, keepdims=True)
        check(
            lambda x, t: cross_entropy(x, t, class_weights=weights, label_smoothing=smoothing, reduction=reduction),
            lambda x, t: F.cross_entropy(x, t, held, label_smoothing=smoothing, reduction=reduction),
            x,
            targets,
        )
    one_hot = np.eye(4, dtype=np.int64)[LABELS]
    given = cross_entropy(tensor(X, "float64"), one_hot, label_smoothing=smoothing, reduction=reduction)
    by_id = cross_entropy(tensor(X, "float64"), LABELS, label_smoothing=smoothing, reduction=reduction)
    np.testing.assert_allclose(given.numpy(), by_id.numpy(), rtol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal(reduction, weights, gamma):
    labels = torch.tensor(LABELS)

    def theirs(x):
        entropy = F.cross_entropy(x, labels, reduction="none")
        losses = (1 - torch.exp(-entropy)) ** gamma * entropy
        held = torch.ones(len(labels)) if weights is None else torch.tensor(weights)[labels]
        losses = losses * held
        mean = losses.sum() / held.sum()
        return {"none": losses, "sum": losses.sum(), "mean": mean}[reduction]

    check(lambda x: focal(x, LABELS, gamma=gamma, class_weights=weights, reduction=reduction), theirs, X)

    def binary(x, z, alpha):
        entropy = F.binary_cross_entropy_with_logits(x, z, reduction="none")
        p = torch.sigmoid(x)
        losses = entropy * (1 - (p * z + (1 - p) * (1 - z))) ** gamma
        if alpha is not None:
            losses = (alpha * z + (1 - alpha) * (1 - z)) * losses
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]

    for z in ((UNIT > 0.5).astype(float), UNIT):
        for alpha in (None, 0.25):
            check(
                lambda x, z, alpha=alpha: binary_focal(x, z, gamma=gamma, alpha=alpha, reduction=reduction),
                lambda x, z, alpha=alpha: binary(x, z, alpha),
                X,
                z,
            )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_positive_weights_and_soft_margins(reduction):
    weights, held, ours = np.array([0.5, 2.0, 1.0, 3.0]), torch.tensor([0.5, 2.0, 1.0, 3.0]), {"reduction": reduction}
    check(
        lambda x, z: binary_cross_entropy_with_logits(x, z, positive_weight=weights, **ours),
        lambda x, z: F.binary_cross_entropy_with_logits(x, z, pos_weight=held.double(), **ours),
        X * 20,
        UNIT,
    )
    check(
        lambda x: multi_label_soft_margin(x, UNIT > 0.5, **ours),
        lambda x: F.multilabel_soft_margin_loss(x, torch.tensor(UNIT > 0.5).double(), **ours),
        X,
    )
    check(
        lambda x: multi_label_soft_margin(x, UNIT > 0.5, class_weights=weights, **ours),
        lambda x: F.multilabel_soft_margin_loss(x, torch.tensor(UNIT > 0.5).double(), held.double(), **ours),
        X,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("size", [1.0, 0.3, 2.0])
def test_robust_losses(reduction, size):
    held = {"reduction": reduction}
    for ours, theirs in [
        (lambda x, z: huber(x, z, delta=size, **held), lambda x, z: F.huber_loss(x, z, delta=size, **held)),
        (lambda x, z: smooth_l1(x, z, beta=size, **held), lambda x, z: F.smooth_l1_loss(x, z, beta=size, **held)),
        (lambda x, z: smooth_l1(x, z, beta=0, **held), lambda x, z: F.smooth_l1_loss(x, z, beta=0, **held)),
    ]:
        check(ours, theirs, X, UNIT)


def by(reduction, losses):
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses_of_numbers(reduction):
    held = {"reduction": reduction}
    check(lambda x, z: log_cosh(x, z, **held), lambda x, z: by(reduction, torch.log(torch.cosh(x - z))), X, UNIT)
    for share in (0.5, 0.1, 0.95):
        check(
            lambda x, z, share=share: quantile(x, z, share=share, **held),
            lambda x, z, share=share: by(reduction, torch.maximum(share * (z - x), (share - 1) * (z - x))),
            X,
            UNIT,
        )
    check(lambda x, z: poisson_nll(x, z, **held), lambda x, z: F.poisson_nll_loss(x, z, **held), X, UNIT * 9)
    for variances in (UNIT + 0.1, UNIT[:, :1] + 0.1, np.array([[1e-9, 0.0, 1.0, 2.0]] * 7)):
        check(
            lambda x, z, v: gaussian_nll(x, z, v, **held),
            lambda x, z, v: F.gaussian_nll_loss(x, z, v, **held),
            X,
            UNIT,
            variances,
        )
    row = gaussian_nll(tensor(X, "float64"), UNIT, UNIT[:, 0] + 0.1, **held)
    np.testing.assert_array_equal(
        row.numpy(), gaussian_nll(tensor(X, "float64"), UNIT, UNIT[:, :1] + 0.1, **held).numpy()
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [1.0, 0.3])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_squared_hinges(reduction, margin, weights):
    held = None if weights is None else torch.tensor(weights)
    for power in (1, 2):
        check(
            lambda x, power=power: multi_margin(
                x, LABELS, margin=margin, power=power, class_weights=weights, reduction=reduction
            ),
            lambda x, power=power: F.multi_margin_loss(
                x, torch.tensor(LABELS), p=power, margin=margin, weight=held, reduction=reduction
            ),
            X,
        )
    sides = np.where(UNIT > 0.5, 1.0, -1.0)
    check(
        lambda s: squared_hinge(s, sides, reduction=reduction),
        lambda s: by(reduction, torch.relu(1 - torch.tensor(sides) * s) ** 2),
        X,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_kl_divergence(reduction):
    theirs = {"none": lambda x: x.sum(-1), "sum": lambda x: x.sum(), "mean": lambda x: x.sum(-1).mean()}[reduction]
    targets = UNIT / UNIT.sum(1, keepdims=True)
    check(
        lambda x, t: kl_divergence(x, t, reduction=reduction),
        lambda x, t: theirs(F.kl_div(x, t, reduction="none")),
        X,
        targets,
    )
    check(
        lambda x, t: kl_divergence(x, t, log_targets=True, reduction=reduction),
        lambda x, t: theirs(F.kl_div(x, t, reduction="none", log_target=True)),
        X,
        np.log(targets),
    )
    assert kl_divergence(np.log([[0.5, 0.5]]), [[1.0, 0.0]]).item() == pytest.approx(np.log(2))
    if reduction == "mean":
        expected = F.kl_div(torch.tensor(X), torch.tensor(targets), reduction="batchmean").item()
        assert kl_divergence(tensor(X, "float64"), targets).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("margin", [0.1, 0.5])
def test_losses_of_pairs_and_triplets(reduction, margin):
    sides, held = np.where(UNIT[:, 0] > 0.5, 1, -1), {"margin": margin, "reduction": reduction}
    theirs = torch.tensor(sides)
    a, b, c = X, RNG.normal(size=X.shape), RNG.normal(size=X.shape)
    check(
        lambda a, b: cosine_embedding(a, b, sides, **held),
        lambda a, b: F.cosine_embedding_loss(a, b, theirs, **held),
        a,
        b,
    )
    check(
        lambda a, b: margin_ranking(a, b, sides, **held),
        lambda a, b: F.margin_ranking_loss(a, b, theirs, **held),
        a[:, 0].copy(),
        b[:, 0].copy(),
    )
    for swap in (False, True):
        check(
            lambda a, p, n, swap=swap: triplet_margin(a, p, n, swap=swap, **held),
            lambda a, p, n, swap=swap: F.triplet_margin_loss(a, p, n, swap=swap, **held),
            a,
            b,
            c,
        )


@pytest.mark.parametrize("engine", ["eager", "compiled"])
def test_saturated_float32_neither_overflows_nor_loses_gradients(engine):
    """Against PyTorch in float64."""
    run = chainrule.compile if engine == "compiled" else lambda function: function
    x = np.array([[90.0, -90.0, 0.0, 5e4], [-5e4, 40.0, 3e37, -3e37]], np.float32)
    z = np.array([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]], np.float32)
    labels = np.array([1, 3])
    cases = [
        (lambda x: cross_entropy(x, labels), lambda x: F.cross_entropy(x, torch.tensor(labels))),
        (lambda x: focal(x, labels), lambda x: (1 - torch.exp(-entropies(x))).square().mul(entropies(x)).mean()),
        (lambda x: multi_margin(x, labels), lambda x: F.multi_margin_loss(x, torch.tensor(labels))),
        (lambda x: binary_cross_entropy_with_logits(x, z), lambda x: F.binary_cross_entropy_with_logits(x, held)),
        (lambda x: binary_focal(x, z), lambda x: focal_of(x)),
        (lambda x: huber(x, z), lambda x: F.huber_loss(x, held)),
        (lambda x: log_cosh(x, z), lambda x: ((x - held).abs() + F.softplus(-2 * (x - held).abs()) - np.log(2)).mean()),
        (lambda x: quantile(x, z), lambda x: ((x - held).abs() / 2).mean()),
        (lambda x: hinge(x, 2 * z - 1), lambda x: torch.relu(1 - (2 * held - 1) * x).mean()),
    ]
    held = torch.tensor(z).double()

    def entropies(x):
        return F.cross_entropy(x, torch.tensor(labels), reduction="none")

    def focal_of(x):
        entropy, p = F.binary_cross_entropy_with_logits(x, held, reduction="none"), torch.sigmoid(x)
        return (entropy * (p * (1 - held) + (1 - p) * held) ** 2).mean()

    for ours, theirs in cases:
        leaf = torch.tensor(x.astype(np.float64), requires_grad=True)
        expected = theirs(leaf)
        expected.backward()
        found, gradient = run(lambda x, ours=ours: [ours(x), chainrule.grad(ours(x), x)])(tensor(x))
        np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), rtol=2e-6)
        np.testing.assert_allclose(gradient.numpy(), leaf.grad.numpy(), rtol=2e-6, atol=1e-12)
