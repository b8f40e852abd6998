"""Losses of tasks: each that fits trains, validates and saves; those that do not are refused with those that do."""

import json
import re

import numpy as np
import pytest

import chainrule
from chainrule.errors import DataError
from chainrule.nn import LOSSES
from chainrule.nn.losses.loss import Huber
from chainrule.settings import SettingError
from chainrule.tasks import TASKS, Classify, MultiLabel, Regress
from tests.samples import make_rows, write_rows

TEXTS = ["so good", "good fun", "so bad", "bad luck", "so so", "luck"] * 12
NUMBERS = [5.0, 4.0, 1.0, 0.0, 2.0, 3.0] * 12
LABELS = list("ppnnpn") * 12
SETS = [["good"], ["good", "fun"], [], ["luck"], [], ["luck"]] * 12


def table_of(targets, **further):
    kind = {"target": "number"} if isinstance(targets[0], float) else {}
    return chainrule.Table.from_lists(TEXTS, targets, **kind, **further)


def fitted(task, targets, folder, **further):
    table = table_of(targets, **further)
    training = chainrule.Training(epochs=30, learning_rate=0.05, optimizer="adam")
    return table, chainrule.fit(chainrule.BagOfWords(), table, table, task=task, training=training, folder=folder)


@pytest.mark.parametrize(
    ("name", "targets"), [("regress", "numbers"), ("classify", "classes"), ("multi-label", "labels")]
)
def test_each_task_takes_those_of_its_targets(name, targets):
    kind = TASKS[name]
    fitting = [loss for loss, held in LOSSES.items() if getattr(held, targets) is not None]
    for loss in fitting:
        assert kind(criterion=loss).settings()["criterion"] == loss
    for loss in set(LOSSES) - set(fitting):
        message = f"^{name}: criterion must be one of {', '.join(fitting)}.*, got '{loss}'"
        with pytest.raises(SettingError, match=message):
            kind(criterion=loss)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber:delta=0.5", "log_cosh", "quantile:share=0.75", "poisson"])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5] * 24])
def test_regression_learns_with_each(loss, weights, tmp_path):
    table, run = fitted(Regress(criterion=loss), NUMBERS, tmp_path / "model", weights=weights)
    assert run.epochs[-1].valid["r2"] > (0.2 if "quantile" in loss else 0.5)
    answers = np.array(chainrule.Model.load(tmp_path / "model").predict(TEXTS))
    assert loss != "poisson" or (answers > 0).all()
    assert run.model.task.criterion == chainrule.Model.load(tmp_path / "model").task.criterion
    task, codec, examples = run.model.task, run.model.codec, run.model.codec.encode(table, targets=True)
    (baseline,) = task.baselines(examples, codec)

    def loss_of(answer):
        return task.evaluate(np.full((len(TEXTS), 1), baseline.response[0] + answer), examples, codec).loss

    assert run.best.valid["loss"] < loss_of(0)
    if weights is None:  # no other single answer has less of the loss
        assert loss_of(0) <= min(loss_of(0.01), loss_of(-0.01)) + 1e-12


@pytest.mark.parametrize(
    ("task", "targets", "outputs"),
    [
        *[(Regress(criterion=x), NUMBERS, 1) for x in ("huber:delta=0.5", "log_cosh", "quantile:share=0.9", "poisson")],
        *[(Classify(criterion=x), LABELS, 2) for x in ("focal", "hinge", "squared_hinge")],
        *[(Classify(criterion=x, output="sigmoid"), LABELS, 1) for x in ("focal:gamma=1", "hinge", "squared_hinge")],
        *[(Classify(criterion=x, output="tanh"), LABELS, 1) for x in (None, "hinge", "squared_hinge")],
        *[(Classify(criterion=x, class_weights={"p": 3}), LABELS, 2) for x in ("focal", "hinge", "squared_hinge")],
        (Classify(criterion="hinge", output="sigmoid", class_weights={"p": 3}), LABELS, 1),
        *[(MultiLabel(criterion=x), SETS, 3) for x in ("bce", "bce:positive_weight=3", "focal")],
        (MultiLabel(criterion="focal", label_smoothing=0.2), SETS, 3),
    ],
    ids=str,
)
def test_the_loss_of_validation_is_that_of_training(task, targets, outputs):
    """At a mini-batch of all rows, with the outputs that the responses came from."""
    reads = chainrule.BagOfWords.reads
    task = task.resolved(reads, "bow")
    codec, examples = task.learn(table_of(targets), reads)
    z = chainrule.tensor(np.random.default_rng(0).normal(size=(len(TEXTS), outputs)) * 3)
    batch = {name: chainrule.tensor(x, x.dtype) for name, x in examples.arrays().items()}
    loss, _ = task.loss(z, batch, codec)
    found = task.evaluate(task.response(z, {}).numpy(), examples, codec).loss
    assert found == pytest.approx(loss.item(), rel=2e-4)


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "tanh"])
@pytest.mark.parametrize("loss", ["cross_entropy", "focal:gamma=1.5", "hinge", "squared_hinge"])
def test_classification_learns_with_each(loss, output, tmp_path):
    if output == "tanh" and "hinge" not in loss:
        with pytest.raises(SettingError, match="criterion must be hinge or squared_hinge with the output tanh, got"):
            Classify(criterion=loss, output=output)
        return
    _, run = fitted(Classify(criterion=loss, output=output), LABELS, tmp_path / "model")
    assert run.best.valid["loss"] <= run.epochs[0].valid["loss"]
    assert run.best.valid["accuracy"] > 0.9
    assert chainrule.Model.load(tmp_path / "model").predict(["good fun", "bad luck"]) == ["p", "n"]


@pytest.mark.parametrize("loss", ["bce:positive_weight=2", "focal"])
def test_labels_are_learned_with_each(loss, tmp_path):
    _, run = fitted(MultiLabel(criterion=loss), SETS, tmp_path / "model")
    assert run.epochs[-1].valid["loss"] < run.epochs[0].valid["loss"]
    assert run.epochs[-1].valid["micro_f1"] > 0.9


def test_what_does_not_go_together_is_refused():
    with pytest.raises(SettingError, match="label_smoothing spreads probability, and the loss focal has none"):
        Classify(criterion="focal", label_smoothing=0.1)
    with pytest.raises(SettingError, match="label_smoothing spreads probability, and the output tanh has none"):
        Classify(output="tanh", label_smoothing=0.1)
    with pytest.raises(SettingError, match=r"criterion 'huber:delta=0': huber: delta must be a number above 0"):
        Regress(criterion="huber:delta=0")
    with pytest.raises(SettingError, match="got 'squared'"):
        Regress(criterion="squared")
    with pytest.raises(DataError, match="a row has the number -1; the loss poisson is of 0 or more"):
        fitted(Regress(criterion="poisson"), [-1.0, 2.0] * 36, None)


def test_a_class_stands_for_its_name():
    task = Regress(criterion=Huber(delta=2))
    assert task.criterion == "huber:delta=2.0"
    assert TASKS.make(json.loads(json.dumps(task.settings()))) == task


def test_the_command_line_takes_them(run, refused, csv_file, tmp_path):
    words = ["train", csv_file, "--learner", "bow", "--epochs", "2", "--quiet"]
    assert run(*words, "--loss", "focal:gamma=1.5", "--out", tmp_path / "focal").code == 0
    record = (tmp_path / "focal" / "record.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(record)["task"]["criterion"] == "focal:gamma=1.5"
    message = refused(*words, "--loss", "huber", "--out", tmp_path / "other")
    assert "--loss must be one of cross_entropy, focal, hinge, squared_hinge or none, got 'huber'" in message


def test_losses_of_unit_gradient_are_those_whose_slope_has_a_limit():
    """Of scores that are far off, and so of any: the slope is near 1, or grows with the error."""
    for name, kind in LOSSES.fitting["classes"].items():
        scores = chainrule.Parameter.of([[-50.0, 50.0]])
        loss = kind().over("classes")(scores, np.array([0]))
        (slope,) = chainrule.gradients(loss, [scores])
        assert (abs(slope.numpy()).max() < 1.5) == kind.unit_gradient == Classify.unit_gradient(name)
    for name, kind in LOSSES.fitting["labels"].items():
        scores = chainrule.Parameter.of([[-50.0, 50.0]])
        loss, _ = MultiLabel(criterion=name).loss(
            scores, {"targets": chainrule.tensor(np.array([[True, False]]))}, None
        )
        (slope,) = chainrule.gradients(loss, [scores])
        assert (abs(slope.numpy()).max() < 1.5) == kind.unit_gradient == MultiLabel.unit_gradient(name)


@pytest.mark.parametrize(("criterion", "optimizer"), [("squared_hinge", "adam"), ("hinge", "sgd"), (None, "sgd")])
def test_a_loss_without_a_scale_is_trained_by_adam(run, tmp_path, criterion, optimizer):
    task = Classify(criterion=criterion)
    resolved = chainrule.Training().resolved(chainrule.BagOfWords(), task)
    assert resolved.optimizer.name == optimizer
    table = write_rows(tmp_path / "rows.csv", make_rows(60))
    words = ["--loss", criterion] if criterion else []
    said = run("train", table, "--dry-run", *words).out
    assert re.search(rf"optimizer\.name +{optimizer}\n", said)
