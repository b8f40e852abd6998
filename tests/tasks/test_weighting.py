"""Weights of classes and rows, and label smoothing: losses are PyTorch's on both engines, and those of validation."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

import chainrule
from chainrule import tensor
from chainrule.data import Examples, Table
from chainrule.errors import ConfigurationError, ModelError, SettingError
from chainrule.tasks import Classify, Codec, MultiLabel, Regress
from chainrule.tasks.labels import Labels
from chainrule.tasks.regress import Scale
from tests.oracle import torch

F = torch.nn.functional
DRAWS = np.random.default_rng(0)
Z1, Z3 = DRAWS.normal(size=(7, 1)) * 2, DRAWS.normal(size=(7, 3)) * 2
CLASSES = np.array([0, 2, 1, 0, 1, 2, 2])
TWO = np.array([0, 1, 1, 0, 1, 1, 1])
SETS = DRAWS.random((7, 3)) < 0.5
NUMBERS = DRAWS.normal(size=7)
ROWS = np.array([0.5, 3.0, 1.0, 0.0, 2.0, 0.25, 1.0])
HELD = np.array([0.3, 2.0, 1.0], np.float32)


def mean(losses, weights, counts=None):
    """Σ s L / Σ s c in PyTorch."""
    weights = torch.ones(7, dtype=torch.float64) if weights is None else torch.tensor(weights)
    return (losses * weights).sum() / (weights if counts is None else weights * counts).sum()


def softmax_torch(z, classes, held, smoothing, rows):
    held = None if held is None else torch.tensor(held, dtype=torch.float64)
    truth = torch.tensor(classes)
    if rows is None:  # what PyTorch's own mean is
        return F.cross_entropy(z, truth, weight=held, label_smoothing=smoothing)
    losses = F.cross_entropy(z, truth, weight=held, label_smoothing=smoothing, reduction="none")
    return mean(losses, rows, None if held is None else held[truth])


def sigmoid_torch(z, classes, held, smoothing, rows):
    return softmax_torch(torch.cat([torch.zeros_like(z), z], 1), classes, held, smoothing, rows)


def tanh_torch(z, classes, held, smoothing, rows):
    assert not smoothing
    losses = torch.relu(1 - torch.tensor(2 * classes - 1) * torch.tanh(z[:, 0]))
    counts = None if held is None else torch.tensor(held, dtype=torch.float64)[torch.tensor(classes)]
    return mean(losses if counts is None else losses * counts, rows, counts)


def check(task, codec, z, fields, rows, expected):
    """The loss and its gradient on both engines, and the loss of validation from the responses."""
    fields = {**fields, **({} if rows is None else {"weights": rows})}
    names = list(fields)
    leaf = torch.tensor(z, requires_grad=True)
    truth = expected(leaf)
    truth.backward()

    def both(outputs, *arrays):
        loss, sums = task.loss(outputs, dict(zip(names, arrays, strict=True)), codec)
        assert ("loss_weight" in sums) == (
            rows is not None or getattr(codec.targets, "class_weights", None) is not None
        )
        return [loss, task.response(outputs, {}), *chainrule.gradients(loss, [outputs])]

    arrays = [tensor(x, "float64" if x.dtype.kind == "f" else None) for x in fields.values()]
    for function in (both, chainrule.compile(both)):
        loss, response, gradient = function(tensor(z, "float64"), *arrays)
        np.testing.assert_allclose(loss.item(), truth.item(), rtol=1e-7)
        np.testing.assert_allclose(gradient.numpy(), leaf.grad.numpy(), rtol=1e-6, atol=1e-12)
    evaluation = task.evaluate(response.numpy(), Examples(fields), codec)
    np.testing.assert_allclose(evaluation.loss, truth.item(), rtol=1e-7)
    plain = task.evaluate(response.numpy(), Examples({k: x for k, x in fields.items() if k != "weights"}), codec)
    figures = [{k: v for k, v in x.measures.items() if k != "loss"} for x in (evaluation, plain)]
    assert figures[0] == figures[1]  # all but the loss count each row once


@pytest.mark.parametrize("rows", [None, ROWS], ids=["", "rows"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh"])
def test_losses_of_classes_are_those_of_pytorch(output, weighted, smoothing, rows):
    if output == "tanh" and smoothing:
        with pytest.raises(SettingError, match="label_smoothing spreads probability, and the output tanh has none"):
            Classify(output=output, label_smoothing=smoothing)
        return
    z, classes, count = (Z3, CLASSES, 3) if output == "softmax" else (Z1, TWO, 2)
    held = HELD[:count] if weighted else None
    codec = Codec(None, Labels([str(i) for i in range(count)], z.shape[1], class_weights=held))
    oracle = {"softmax": softmax_torch, "sigmoid": sigmoid_torch, "tanh": tanh_torch}[output]
    task = Classify(output=output, label_smoothing=smoothing)
    check(task, codec, z, {"classes": classes}, rows, lambda x: oracle(x, classes, held, smoothing, rows))


@pytest.mark.parametrize("rows", [None, ROWS], ids=["", "rows"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_of_sets_of_labels_are_those_of_pytorch(smoothing, rows):
    targets = torch.tensor(SETS * (1 - smoothing) + smoothing / 2)

    def expected(z):
        return mean(F.binary_cross_entropy_with_logits(z, targets, reduction="none").sum(1), rows)

    codec = Codec(None, Labels(["a", "b", "c"], 3))
    check(MultiLabel(label_smoothing=smoothing), codec, Z3, {"targets": SETS}, rows, expected)


@pytest.mark.parametrize("criterion", ["mse", "mae"])
@pytest.mark.parametrize("rows", [None, ROWS], ids=["", "rows"])
def test_losses_of_numbers_are_those_of_pytorch(criterion, rows):
    function = F.mse_loss if criterion == "mse" else F.l1_loss

    def expected(z):
        return mean(function(z[:, 0], torch.tensor(NUMBERS), reduction="none"), rows)

    check(Regress(criterion=criterion), Codec(None, Scale(0.0, 1.0)), Z1, {"targets": NUMBERS}, rows, expected)


def table(weights=None):
    return Table.from_lists(["a", "b", "c", "d", "e", "f"], list("xxxyyz"), weights=weights, name="few.csv")


def test_balanced_weights_are_those_of_scikit_learn():
    codec, _ = Classify(class_weights="balanced", inputs=chainrule.Text()).learn(table(), chainrule.BagOfWords.reads)
    expected = compute_class_weight("balanced", classes=np.array(list("xyz")), y=np.array(list("xxxyyz")))
    np.testing.assert_allclose(codec.targets.class_weights, expected, rtol=1e-7)
    np.testing.assert_allclose(expected, [6 / 9, 1, 2])
    task = Classify(class_weights="balanced", inputs=chainrule.Text())
    codec, _ = task.learn(table([2, 1, 1, 1, 1, 4]), chainrule.BagOfWords.reads)
    np.testing.assert_allclose(codec.targets.class_weights, [10 / 12, 10 / 6, 10 / 12], rtol=1e-7)


@pytest.mark.parametrize("given", [{"y": 2, "z": 0.5}, ["y=2", "z=0.5"], ("y = 2.0", "z=.5")])
def test_given_weights_are_kept_by_model_and_settings(given):
    task = Classify(class_weights=given, inputs=chainrule.Text())
    assert task.settings()["class_weights"] == ["y=2.0", "z=0.5"]
    assert Classify(class_weights=task.settings()["class_weights"]).class_weights == task.class_weights
    codec, _ = task.learn(table(), chainrule.BagOfWords.reads)
    assert codec.targets.class_weights.tolist() == [1, 2, 0.5]
    assert codec.describe()["class_weights"] == [1, 2, 0.5]
    assert task.load_targets(codec.describe()).class_weights.tolist() == [1, 2, 0.5]


def test_a_label_may_hold_any_character():
    labels = ["a=b", "c,d"] * 3
    task = Classify(class_weights={"a=b": 2, "c,d": 3}, inputs=chainrule.Text())
    codec, _ = task.learn(Table.from_lists(list("uvwxyz"), labels), chainrule.BagOfWords.reads)
    assert codec.targets.class_weights.tolist() == [2, 3]


def test_by_default_there_are_no_weights():
    for task in (Classify(), Classify(class_weights=()), Classify(class_weights=None)):
        assert task.class_weights is None
        codec, examples = Classify(inputs=chainrule.Text()).learn(table(), chainrule.BagOfWords.reads)
        assert list(examples.fields) == ["ids", "classes"]
        assert codec.describe() == {"vocabulary": 7, "rules": 2, "labels": ["x", "y", "z"]}


def test_weights_of_rows_are_one_on_average_whatever_their_scale():
    for scale in (1.0, 1e-300, 1e300):
        held = table(np.array([1, 2, 3, 4, 5, 3]) * scale)
        _, examples = Classify(inputs=chainrule.Text()).learn(held, chainrule.BagOfWords.reads)
        np.testing.assert_allclose(examples.array("weights"), np.array([1, 2, 3, 4, 5, 3]) / 3, rtol=1e-6)
        assert examples.array("weights").dtype == np.float32
    _, examples = Classify(inputs=chainrule.Text()).learn(table([1e-200, 1, 1, 1, 1, 1]), chainrule.BagOfWords.reads)
    assert (examples.array("weights") > 0).all()


@pytest.mark.parametrize(
    "given",
    ["heavy", "a=2", {"a": 0}, {"a": -1}, {"a": float("nan")}, {"a": float("inf")}, {"a": 1e-60}, ["a=2", "a=3"], ["a"],
     ["balanced", "a=2"], 3, [3]],
)  # fmt: skip
def test_weights_of_classes_that_cannot_be(given):
    with pytest.raises(
        SettingError, match="classify: class_weights must be balanced, or a finite number above 0 for each"
    ):
        Classify(class_weights=given)


def test_weights_of_a_label_that_is_not_there():
    task = Classify(class_weights={"v": 2}, inputs=chainrule.Text())
    with pytest.raises(ConfigurationError, match=r"there is no label 'v'; the labels are 'x', 'y', 'z'"):
        task.learn(table(), chainrule.BagOfWords.reads)


@pytest.mark.parametrize("held", [[1.0], "2", [1.0, -2.0], [1.0, float("nan")], [1.0, None]])
def test_a_model_with_weights_that_do_not_fit(held):
    with pytest.raises(ModelError, match="expected class_weights as 2 numbers above 0, got"):
        Classify().load_targets({"labels": ["a", "b"], "class_weights": held})


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, "much"])
@pytest.mark.parametrize("task", [Classify, MultiLabel])
def test_label_smoothing_is_a_part(task, smoothing):
    with pytest.raises(SettingError, match="label_smoothing must be a number of 0 or more and below 1"):
        task(label_smoothing=smoothing)
