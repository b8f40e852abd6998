"""Validation: which rows it has, and what is said of what its figures are worth."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

import chainrule
from chainrule.data import Table
from chainrule.tasks import Classify, MultiLabel, Regress
from chainrule.tasks.measures import confidence_interval
from chainrule.train.validation import parted
from tests import samples

FAST = chainrule.Training(epochs=3, learning_rate=0.03)


def table(counts):
    labels = [name for name, count in counts.items() for _ in range(count)]
    return Table.from_lists([f"w{i} {label}" for i, label in enumerate(labels)], labels, name="t.csv")


def test_a_tenth_is_kept_of_enough_rows():
    held = table({"a": 30, "b": 20})
    train, valid, remarks = parted(held, 0.1, 3)
    assert [x.fingerprint() for x in (train, valid)] == [x.fingerprint() for x in held.split(90, 10, seed=3)]
    assert remarks == []


def test_labels_with_one_row_are_learned_from_and_named():
    train, valid, remarks = parted(table({"a": 40, "b": 20, "c": 1}), 0.1, 0)
    assert (train.label_names(), valid.label_names()) == (("a", "b", "c"), ("a", "b"))
    assert remarks == ["t.csv: the label 'c' has one row, which is learned from and not validated on"]
    many = {"a": 40, "b": 20, **{f"l{i:02}": 1 for i in range(12)}}
    named = ", ".join(f"'l{i:02}'" for i in range(10))
    assert parted(table(many), 0.1, 0)[2] == [
        f"t.csv: 12 labels have one row each ({named}, ...), which are learned from and not validated on"
    ]


def test_few_rows_are_all_learned_from():
    held = table({"a": 25, "b": 24})
    train, valid, (remark,) = parted(held, 0.1, 0)
    assert train is valid is held
    assert remark.startswith("t.csv: has 49 rows, too few to keep some to validate on (50 are enough): all rows are")


def test_labels_with_one_row_each_are_all_learned_from():
    held = table({f"l{i}": 1 for i in range(60)})
    train, valid, (remark,) = parted(held, 0.1, 0)
    assert train is valid is held
    assert remark.startswith("t.csv: no label has two rows or more, so none are kept to validate on: all rows are")
    run = chainrule.fit(chainrule.BagOfWords(), held, training=FAST)
    assert run.remarks[0] == remark
    assert run.record[0]["remarks"] == [remark]


def test_sets_of_labels_and_numbers_are_split_too():
    sets = Table.from_lists([f"w{i}" for i in range(60)], [["x", f"l{i}"] if i < 3 else ["x"] for i in range(60)])
    train, valid, (remark,) = parted(sets, 0.1, 0)
    assert len(valid) >= 3
    assert set(train.label_names()) == {"x", "l0", "l1", "l2"}
    assert "3 labels have one row each ('l0', 'l1', 'l2')" in remark
    numbers = Table.from_lists([f"w{i}" for i in range(60)], list(range(60)), target="number")
    assert [len(part) for part in parted(numbers, 0.1, 0)[:2]] == [54, 6]


@pytest.mark.parametrize("rows", [6, 12, 30])
@pytest.mark.parametrize("learner", [chainrule.BagOfWords(), chainrule.FeedForward()])
def test_few_rows_are_learned_with_the_defaults(learner, rows):
    """Words of their own in each row: what can be learned is which row has which label."""
    labels = [("a", "b", "c")[i % 3] for i in range(rows)]
    texts = [f"u{i} v{i} w{i}" for i in range(rows)]
    model = chainrule.fit(learner, Table.from_lists(texts, labels)).model
    assert model.predict(texts) == labels


@pytest.mark.parametrize("learner", [chainrule.LinearModel(), chainrule.MultilayerPerceptron()])
def test_few_rows_of_numbers_are_learned_with_the_defaults(learner):
    x = np.linspace(-1, 1, 12)
    frame = {"x": x, "label": np.where(x > 0, "more", "less")}
    held = Table.from_frame(pl.DataFrame(frame), numbers="auto")
    assert chainrule.fit(learner, held).model.evaluate(held).accuracy == 1


@pytest.mark.parametrize(("right", "rows"), [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (19, 19), (1, 500)])
def test_intervals_are_exact(right, rows):
    expected = binomtest(right, rows).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose(confidence_interval(right, rows), [expected.low, expected.high], rtol=1e-9)


def test_the_figure_of_few_rows_comes_with_an_interval(two_classes, held_out):
    few = held_out.take(np.arange(10))
    run = samples.fit("bow", two_classes, few)
    low, high = binomtest(round(10 * run.best.valid["accuracy"]), 10).proportion_ci(0.95, method="exact")
    assert run.remarks == (
        f"validation accuracy {run.best.valid['accuracy']:.4f} is of 10 rows: that of new rows lies between {low:.2f} "
        f"and {high:.2f}, with 95 % confidence (Clopper and Pearson)",
    )
    assert run.record[-1]["remarks"] == list(run.remarks)
    assert samples.fit("bow", two_classes, held_out.take(np.arange(20))).remarks == ()


def test_of_numbers_it_is_said_that_rows_are_few():
    texts, stars = ["so good", "good fun", "so bad", "bad luck"] * 20, [5, 4, 2, 1] * 20
    held = Table.from_lists(texts, stars, target="number")
    run = chainrule.fit(chainrule.BagOfWords(), held, held.take(np.array([0])), task=Regress(), training=FAST)
    loss = run.best.valid["loss"]
    assert run.remarks[0] == f"validation loss {loss:.4f} is of 1 row: too few to tell how new rows fare"


WORSE = chainrule.Training(epochs=2, optimizer=chainrule.SGD(1e-9))
TEXTS = ["so good", "good fun", "so bad", "bad luck"] * 15
CASES = {
    "classify": (
        Classify(), list("ppnp") * 15, {"accuracy": 0.75},
        "the model is no better than always answering 'p', the commonest label: validation accuracy 0.25 against 0.75; "
        "try another learning rate (this was 1e-09), more epochs or more rows",
    ),
    "weighted": (
        Classify(class_weights="balanced"), list("ppnp") * 15, {"macro_f1": 3 / 7},
        "the model is no better than always answering 'p', the commonest label: validation macro-F1 0.2 against 0.4286",
    ),
    "multi-label": (
        MultiLabel(), [["g"], ["g"], [], []] * 15, {"loss": np.log(2)},
        "the model is no better than answering each label as often as it is found: validation loss 0.6931 against ",
    ),
    "squared": (
        Regress(), [5, 4, 2, 1] * 15, {"loss": 1.0},
        "the model is no better than always answering the mean, 3: validation loss 1 against 1; try",
    ),
    "absolute": (
        Regress(criterion="mae"), [0, 0, 0, 4] * 15, {"loss": 1 / np.sqrt(3)},
        "the model is no better than always answering the median, 0: validation loss ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_model_that_learned_nothing_is_told(case):
    """Bag-of-words weights start at zero, and a step of 1e-9 leaves them there."""
    task, labels, baseline, message = CASES[case]
    held = Table.from_lists(TEXTS, labels, target="number" if case in ("squared", "absolute") else None)
    run = chainrule.fit(chainrule.BagOfWords(), held, held, task=task, training=WORSE)
    (remark,) = run.remarks
    assert remark.startswith(message)
    (name,) = baseline
    np.testing.assert_allclose(run.record[-1]["baseline"][name], baseline[name], rtol=1e-6)
    good = chainrule.fit(
        chainrule.BagOfWords(), held, held, task=task, training=chainrule.Training(epochs=30, learning_rate=0.1)
    )
    assert good.remarks == ()
    assert good.record[-1]["baseline"] == run.record[-1]["baseline"]


def test_a_row_of_weight_two_is_learned_as_two_rows():
    """In one mini-batch, with what is counted of the texts the same: the mean loss is a weighted one."""
    texts, labels = ["so good", "good fun", "so bad", "bad luck"], list("ppnn")
    twice = [0, 1, 1, 2, 3, 3, 3]
    weighted = Table.from_lists(texts, labels, weights=[1, 2, 1, 3])
    repeated = Table.from_lists([texts[i] for i in twice], [labels[i] for i in twice])
    training = chainrule.Training(epochs=1, optimizer=chainrule.SGD(0.5))
    task = Classify(inputs=chainrule.Text(ngrams=1))
    runs = [chainrule.fit(chainrule.BagOfWords(), x, x, task=task, training=training) for x in (weighted, repeated)]
    bias = [run.model.network.bias.numpy() for run in runs]
    np.testing.assert_allclose(bias[0], bias[1], rtol=1e-6)
    assert abs(bias[0][0]) > 0.01
    assert runs[0].epochs[0].train["loss"] == pytest.approx(runs[1].epochs[0].train["loss"], rel=1e-6)


def test_the_training_loss_of_an_epoch_is_the_weighted_mean_of_all_its_rows():
    """Over mini-batches that weigh differently; the weights of the network stay where they are."""
    held = Table.from_lists(TEXTS, list("ppnp") * 15, weights=np.arange(60) + 1.0)
    for task in (Classify(), Classify(class_weights={"n": 7}), Classify(label_smoothing=0.1)):
        training = chainrule.Training(epochs=1, optimizer=chainrule.SGD(1e-12), batch_size=7)
        run = chainrule.fit(chainrule.BagOfWords(), held, held, task=task, training=training)
        assert run.best.train["loss"] == pytest.approx(run.best.valid["loss"], rel=1e-5)


def test_weights_of_classes_move_the_answers():
    texts, labels = ["word"] * 60, ["common"] * 50 + ["rare"] * 10
    held = Table.from_lists(texts, labels)
    training = chainrule.Training(epochs=60, learning_rate=0.1)
    answers = {
        str(given): chainrule.fit(
            chainrule.BagOfWords(), held, held, task=Classify(class_weights=given), training=training
        ).model.predict_probabilities(["word"])[0]
        for given in (None, "balanced", {"rare": 10})
    }
    np.testing.assert_allclose(answers["None"], [5 / 6, 1 / 6], atol=0.02)
    np.testing.assert_allclose(answers["balanced"], [1 / 2, 1 / 2], atol=0.02)
    np.testing.assert_allclose(answers["{'rare': 10}"], [1 / 3, 2 / 3], atol=0.02)
