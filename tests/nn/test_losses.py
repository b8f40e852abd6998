"""Losses: values by hand, gradients against differences, extreme numbers, and messages."""

import numpy as np
import pytest

import chainrule
from chainrule import Spec, tensor, trace
from chainrule.errors import ConfigurationError, DataError, DTypeError, IndexRangeError, ShapeError
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
    multi_margin,
    nll,
    poisson_nll,
    quantile,
    smooth_l1,
    squared_hinge,
    triplet_margin,
)
from chainrule.testing import check_gradient

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(5, 3))
LABELS = np.array([0, 2, 1, 1, 0])
UNIT = RNG.uniform(0.1, 0.9, size=(5, 3))
ALL = [
    lambda r: cross_entropy(LOGITS, LABELS, reduction=r),
    lambda r: nll(LOGITS, LABELS, reduction=r),
    lambda r: binary_cross_entropy(UNIT, UNIT, reduction=r),
    lambda r: binary_cross_entropy_with_logits(LOGITS, UNIT, reduction=r),
    lambda r: mean_squared_error(LOGITS, UNIT, reduction=r),
    lambda r: mean_absolute_error(LOGITS, UNIT, reduction=r),
    lambda r: hinge(LOGITS, np.sign(LOGITS), reduction=r),
    lambda r: multi_margin(LOGITS, LABELS, reduction=r),
]


@pytest.mark.parametrize("loss", ALL)
def test_reductions(loss):
    each = loss("none").numpy()
    assert each.shape in {(5,), (5, 3)}
    assert loss("sum").item() == pytest.approx(each.sum(), rel=1e-6)
    assert loss("mean").item() == pytest.approx(each.mean(), rel=1e-6)
    with pytest.raises(ConfigurationError, match="expected a reduction of mean, sum, none, got 'max'"):
        loss("max")


def test_cross_entropy_by_hand():
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    expected = -np.log(probabilities[np.arange(5), LABELS])
    np.testing.assert_allclose(cross_entropy(LOGITS, LABELS, reduction="none").numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(nll(np.log(probabilities), LABELS, reduction="none").numpy(), expected, rtol=1e-6)


def test_extreme_logits_give_finite_losses_and_gradients():
    x = tensor([[1e4, -1e4], [-1e4, 1e4]])
    loss = cross_entropy(x, [1, 1])
    assert loss.item() == 1e4
    np.testing.assert_allclose(chainrule.grad(loss, x).numpy(), [[0.5, -0.5], [0, 0]])
    x = tensor([1e4, -1e4, 0.0])
    loss = binary_cross_entropy_with_logits(x, [0.0, 1.0, 1.0], reduction="sum")
    assert loss.item() == pytest.approx(2e4 + np.log(2))
    np.testing.assert_allclose(chainrule.grad(loss, x).numpy(), [1, -1, -0.5])


def test_saturated_probabilities_give_finite_losses_and_gradients():
    p = tensor([0.0, 1.0, 0.0, 1.0])
    loss = binary_cross_entropy(p, [1.0, 0.0, 0.0, 1.0], reduction="none")
    assert loss.numpy().tolist() == [100, 100, 0, 0]
    assert chainrule.grad(loss.sum(), p).numpy().tolist() == [0, 0, 1, -1]


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_the_gradient_of_cross_entropy(weights, smoothing):
    def loss(x):
        return cross_entropy(x, LABELS, class_weights=weights, label_smoothing=smoothing)

    check_gradient(loss, LOGITS)


@pytest.mark.parametrize(
    ("loss", "inputs"),
    [
        (lambda x, w: cross_entropy(x, LABELS, class_weights=w, label_smoothing=0.2), (LOGITS, np.array([0.5, 2, 1]))),
        (lambda x: nll(x, LABELS), (LOGITS,)),
        (binary_cross_entropy, (UNIT, UNIT[::-1].copy())),
        (binary_cross_entropy_with_logits, (LOGITS, UNIT)),
        (mean_squared_error, (LOGITS, UNIT)),
        (mean_absolute_error, (LOGITS, UNIT)),
        (lambda x: hinge(x, np.where(UNIT > 0.5, 1, -1)), (LOGITS,)),
        (lambda x: multi_margin(x, LABELS, margin=0.7), (LOGITS,)),
    ],
)
def test_gradients_against_differences(loss, inputs):
    check_gradient(loss, *inputs)


def test_losses_trace_without_values():
    integers, floats = Spec((5,), np.dtype("int64")), Spec((5, 3), np.dtype("float64"))
    graph = trace(lambda x, y: cross_entropy(x, y, class_weights=[1, 2, 3], label_smoothing=0.1), floats, integers)
    expected = cross_entropy(tensor(LOGITS, "float64"), LABELS, class_weights=[1, 2, 3], label_smoothing=0.1)
    assert graph(LOGITS, LABELS)[0] == expected.numpy()
    graph = trace(multi_margin, floats, integers)
    assert graph(LOGITS, LABELS)[0] == multi_margin(tensor(LOGITS, "float64"), LABELS).numpy()
    graph = trace(binary_cross_entropy_with_logits, floats, floats)
    expected = binary_cross_entropy_with_logits(tensor(LOGITS, "float64"), UNIT)
    assert graph(LOGITS, UNIT)[0] == expected.numpy()


def test_labels_may_be_int32_and_targets_may_be_integers_or_booleans():
    assert cross_entropy(LOGITS, LABELS.astype(np.int32)).item() == cross_entropy(LOGITS, LABELS).item()
    expected = binary_cross_entropy_with_logits([0.5, 1.0], [1.0, 0.0]).item()
    assert binary_cross_entropy_with_logits([0.5, 1.0], [1, 0]).item() == expected
    assert binary_cross_entropy_with_logits([0.5, 1.0], [True, False]).item() == expected


@pytest.mark.parametrize("loss", [cross_entropy, nll, multi_margin], ids=lambda loss: loss.__name__)
def test_messages_of_losses_over_classes(loss):
    name = loss.__name__
    with pytest.raises(ShapeError, match=rf"^{name}: expected .* of shape \(batch, classes\), got shape \(3,\)"):
        loss([1.0, 2.0, 3.0], LABELS)
    with pytest.raises(ShapeError, match=rf"^{name}: expected labels of shape \(5,\), one an .* got shape \(5, 1\)"):
        loss(LOGITS, LABELS[:, None])
    with pytest.raises(DTypeError, match=f"^{name}: expected integer labels, got float32; convert with"):
        loss(LOGITS, LABELS.astype(np.float32))
    with pytest.raises(IndexRangeError, match=rf"^{name}: label 3 of example 1 is out .* 0 to 2 \(3 classes\)"):
        loss(LOGITS, [0, 3, 1, 1, 0])
    with pytest.raises(IndexRangeError, match=f"^{name}: label -1 of example 4 is out of range"):
        loss(LOGITS, [0, 2, 1, 1, -1])


def test_a_wrong_label_is_found_in_a_traced_loss_too():
    graph = trace(cross_entropy, Spec((5, 3)), Spec((5,), np.dtype("int64")))
    with pytest.raises(IndexRangeError, match="take_along_axis: index 3 is out of range"):
        graph(LOGITS, [0, 3, 1, 1, 0])


def test_messages_of_settings():
    with pytest.raises(ConfigurationError, match=r"^cross_entropy: expected label_smoothing from 0 to 1, got 1.5"):
        cross_entropy(LOGITS, LABELS, label_smoothing=1.5)
    with pytest.raises(ShapeError, match=r"^nll: expected class_weights of shape \(3,\), got shape \(2,\)"):
        nll(LOGITS, LABELS, class_weights=[1.0, 2.0])


@pytest.mark.parametrize(
    ("loss", "what"),
    [
        (binary_cross_entropy, "probabilities"),
        (binary_cross_entropy_with_logits, "logits"),
        (mean_squared_error, "predictions"),
        (mean_absolute_error, "predictions"),
        (hinge, "scores"),
    ],
)
def test_messages_of_shapes(loss, what):
    expected = rf"^{loss.__name__}: expected targets of the shape of the {what}, \(2, 1\), got shape \(2,\)"
    with pytest.raises(ShapeError, match=expected):
        loss([[0.1], [0.2]], [1.0, 1.0])


def test_messages_of_targets():
    with pytest.raises(DataError, match=r"^binary_cross_entropy: expected probabilities from 0 to 1, got 1\.5; for"):
        binary_cross_entropy([0.5, 1.5], [1, 0])
    with pytest.raises(DataError, match=r"^binary_cross_entropy: expected targets from 0 to 1, got -1$"):
        binary_cross_entropy([0.5, 0.5], [1, -1])
    with pytest.raises(DataError, match=r"^binary_cross_entropy_with_logits: expected targets from 0 to 1, got 2$"):
        binary_cross_entropy_with_logits([0.5, 1.5], [1, 2])
    with pytest.raises(DataError, match=r"^hinge: expected targets of -1 or 1, got 0$"):
        hinge([0.5, 1.5], [1, 0])


def test_messages_of_further_losses():
    one = [[1.0, 2.0]]
    with pytest.raises(ConfigurationError, match=r"^huber: expected delta above 0, got 0$"):
        huber(one, one, delta=0)
    with pytest.raises(ConfigurationError, match=r"^smooth_l1: expected beta of 0 or more, got -1$"):
        smooth_l1(one, one, beta=-1)
    with pytest.raises(ConfigurationError, match=r"^quantile: expected a share between 0 and 1, got 1$"):
        quantile(one, one, share=1)
    with pytest.raises(ConfigurationError, match=r"^focal: expected gamma of 0 or more, got -1$"):
        focal(one, [0], gamma=-1)
    with pytest.raises(ConfigurationError, match=r"^binary_focal: expected gamma of 0 or more, got nan$"):
        binary_focal(one, one, gamma=float("nan"))
    with pytest.raises(ConfigurationError, match=r"^multi_margin: expected a power of 1 or 2, got 3$"):
        multi_margin(one, [0], power=3)
    with pytest.raises(DataError, match=r"^squared_hinge: expected targets of -1 or 1, got 0$"):
        squared_hinge([1.0], [0])
    with pytest.raises(DataError, match=r"^margin_ranking: expected targets of -1 or 1, got 2$"):
        margin_ranking([1.0], [0.0], [2])
    with pytest.raises(DataError, match=r"^cosine_embedding: expected targets of -1 or 1, got 0$"):
        cosine_embedding(one, one, [0])
    with pytest.raises(ShapeError, match=r"^cosine_embedding: expected vectors .* \(1, 2\), \(1, 2\) and \(1, 2\)$"):
        cosine_embedding(one, one, one)
    with pytest.raises(DataError, match=r"^poisson_nll: expected counts of 0 or more, got -1$"):
        poisson_nll([1.0], [-1])
    with pytest.raises(DataError, match=r"^gaussian_nll: expected variances of 0 or more, got -1$"):
        gaussian_nll([1.0], [1.0], [-1.0])
    with pytest.raises(ShapeError, match=r"^gaussian_nll: expected .* shape \(1, 2\) or \(1,\), got shape \(3,\)$"):
        gaussian_nll(one, one, [1.0, 1.0, 1.0])
    with pytest.raises(DataError, match=r"^kl_divergence: expected targets of 0 or more, got -1$"):
        kl_divergence(one, [[1.0, -1.0]])
    with pytest.raises(ShapeError, match=r"^triplet_margin: expected targets of the shape of the anchors"):
        triplet_margin(one, one, [1.0, 2.0])
    with pytest.raises(DataError, match=r"^cross_entropy: expected probabilities of 0 or more, got -1$"):
        cross_entropy(one, [[2.0, -1.0]])
    with pytest.raises(ConfigurationError, match=r"^cross_entropy: expected labels where one is to be ignored"):
        cross_entropy(one, one, ignore=0)
    with pytest.raises(IndexRangeError, match=r"^cross_entropy: label 7 of example 1 is out of range"):
        cross_entropy(np.zeros((2, 3, 2)), [[0, -5], [2, 7]], ignore=-5)
    with pytest.raises(DataError, match="positive_weight of 0 or more, got -1"):
        binary_cross_entropy_with_logits(one, [[0, 1]], positive_weight=-1.0)
    with pytest.raises(ConfigurationError, match=r"^log_cosh: expected a reduction of mean, sum, none, got 'all'$"):
        log_cosh(one, one, reduction="all")


def test_log_cosh_keeps_its_digits_near_0():
    d = np.array([1e-6, 1e-3, 0.5, 1.0, 3.0], np.float32)
    exact = np.log1p(2 * np.sinh(d.astype(np.float64) / 2) ** 2)
    x = tensor(d)
    found = log_cosh(x, np.zeros(5, np.float32), reduction="none")
    np.testing.assert_allclose(found.numpy(), exact, rtol=1e-6)
    np.testing.assert_allclose(chainrule.grad(found.sum(), x).numpy(), np.tanh(d.astype(np.float64)), rtol=1e-6)


def test_ignored_labels_have_no_loss_and_no_gradient():
    x = tensor(LOGITS)
    labels = np.array([0, -1, 1, -1, 0])
    loss = cross_entropy(x, labels, ignore=-1)
    kept = labels >= 0
    assert loss.item() == pytest.approx(cross_entropy(LOGITS[kept], labels[kept]).item(), rel=1e-6)
    assert not chainrule.grad(loss, x).numpy()[~kept].any()
