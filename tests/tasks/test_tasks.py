"""Tasks: their losses and responses are the equations they state, on both engines, and they refuse what cannot be."""

import copy
import pickle

import numpy as np
import pytest

import chainrule
from chainrule import tensor
from chainrule.data import Table
from chainrule.data.layout import BAGS, ROWS, SEQUENCES
from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.tasks import TASKS, Classify, Codec, MultiLabel, Regress
from chainrule.tasks.labels import Labels

DRAWS = np.random.default_rng(0)
Z1, Z3 = DRAWS.normal(size=(5, 1)), DRAWS.normal(size=(5, 3))
CLASSES = np.array([0, 1, 1, 0, 1])
SETS = DRAWS.random((5, 3)) < 0.5
NUMBERS = DRAWS.normal(size=5)


#: What is known of labels whose classes have no weights; the losses ask for nothing else.
PLAIN = Codec(None, Labels(["n", "p"], 1))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def binary(p, y):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sides(y):
    return 2 * y - 1


CASES = {
    "softmax": (
        Classify(), Z3, {"classes": CLASSES},
        lambda z: (-np.log(softmax(z)[np.arange(5), CLASSES]).mean(), softmax(z)),
        {"accuracy": (Z3.argmax(1) == CLASSES).sum()},
    ),
    "sigmoid": (
        Classify(output="sigmoid"), Z1, {"classes": CLASSES},
        lambda z: (binary(sigmoid(z[:, 0]), CLASSES).mean(), np.concatenate([1 - sigmoid(z), sigmoid(z)], 1)),
        {"accuracy": ((Z1[:, 0] > 0) == CLASSES).sum()},
    ),
    "tanh": (
        Classify(output="tanh"), Z1, {"classes": CLASSES},
        lambda z: (
            np.maximum(0, 1 - sides(CLASSES) * np.tanh(z[:, 0])).mean(),
            np.concatenate([1 - np.tanh(z), 1 + np.tanh(z)], 1) / 2,
        ),
        {"accuracy": ((Z1[:, 0] > 0) == CLASSES).sum()},
    ),
    "multi-label": (
        MultiLabel(threshold=0.3), Z3, {"targets": SETS},
        lambda z: (binary(sigmoid(z), SETS).sum(1).mean(), sigmoid(z)),
        {"exact_match": ((sigmoid(Z3) > 0.3) == SETS).all(axis=1).sum()},
    ),
    "squared": (
        Regress(), Z1, {"targets": NUMBERS}, lambda z: (((z[:, 0] - NUMBERS) ** 2).mean(), z), {},
    ),
    "absolute": (
        Regress(criterion="mae"), Z1, {"targets": NUMBERS}, lambda z: (np.abs(z[:, 0] - NUMBERS).mean(), z), {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("compiled", [False, True])
def test_losses_and_responses_are_the_equations(case, compiled):
    task, z, batch, equations, sums = CASES[case]
    names = list(batch)

    def both(outputs, *targets):
        loss, found = task.loss(outputs, dict(zip(names, targets, strict=True)), PLAIN)
        return [loss, task.response(outputs, {}), *found.values()]

    function = chainrule.compile(both) if compiled else both
    dtypes = ["float64" if x.dtype.kind == "f" else None for x in batch.values()]
    targets = [tensor(x, dtype) for x, dtype in zip(batch.values(), dtypes, strict=True)]
    loss, response, *found = function(tensor(z, "float64"), *targets)
    expected = equations(z)
    np.testing.assert_allclose(loss.item(), expected[0], rtol=1e-12)
    np.testing.assert_allclose(response.numpy(), expected[1], rtol=1e-12)
    assert [x.item() for x in found] == list(sums.values())
    assert list(task.loss(tensor(z, "float64"), dict(zip(names, targets, strict=True)), PLAIN)[1]) == list(sums)


def test_measures_of_training_are_means():
    sums = {"weight": 10.0, "loss": 4.0, "accuracy": 7.0}
    assert Classify().measures(sums) == {"loss": 0.4, "accuracy": 0.7}
    assert Classify().measures({**sums, "loss_weight": 8.0}) == {"loss": 0.5, "accuracy": 0.7}


def test_a_task_without_inputs_reads_what_the_learner_reads():
    assert Classify().resolved(BAGS, "bow").inputs == chainrule.Text()
    assert Classify().resolved(SEQUENCES, "lstm").inputs == chainrule.Text()
    assert Regress().resolved(ROWS, "mlp").inputs == chainrule.Columns()
    with pytest.raises(ConfigurationError, match="bow reads bags of tokens, and columns inputs give numbers and"):
        Classify(inputs=chainrule.Columns()).resolved(BAGS, "bow")
    with pytest.raises(ConfigurationError, match="mlp reads numbers and categories, and text inputs give bags"):
        Classify(inputs=chainrule.Text()).resolved(ROWS, "mlp")


@pytest.mark.parametrize("task", [Classify(), Classify(output="tanh"), MultiLabel(label_separator=";"), Regress()])
def test_settings_of_tasks_go_through_json(task):
    held = task.resolved(BAGS, "bow")
    assert TASKS.make(held.settings()) == held
    assert pickle.loads(pickle.dumps(held)) == copy.deepcopy(held) == held


def lists(texts, labels, **settings):
    return Table.from_lists(texts, labels, name="reviews.csv", **settings)


@pytest.mark.parametrize(
    ("task", "table", "message"),
    [
        (Classify(), lists(["a", "b"], ["x", "x"]), "reviews.csv: only the label 'x'; a classifier needs examples of"),
        (Classify(), lists(["a", "b"], None), "reviews.csv: no labels; a classifier needs"),
        (
            Classify(output="sigmoid"),
            lists(list("abc"), list("xyz")),
            "3 labels, and one output .sigmoid. tells",
        ),
        (Classify(), lists(["a"], [["x"]]), "was read with target='labels'; read it with target='label' for this task"),
        (MultiLabel(), lists(["a", "b"], [[], []]), "reviews.csv: no row has a label; expected labels to learn"),
        (
            MultiLabel(),
            lists(["a"], [1.5], target="number"),
            "was read with target='number'; read it with",
        ),
        (MultiLabel(), lists(["a"], None), "reviews.csv: has no labels; expected a label in each row"),
        (Regress(), lists(["a", "b"], [2, 2], target="number"), "all 2 rows have the number 2; expected numbers that"),
        (
            Regress(),
            lists(["a", "b"], ["1", "x"]),
            "row 1 .* holds 'x'; expected a finite number; the task regress needs",
        ),
        (Regress(), lists(["a"], [["x"]]), "was read with target='labels'; read it with target='number' for this task"),
        (Regress(), lists(["a"], None), "reviews.csv: has no labels"),
    ],
)
def test_labels_that_cannot_be_learned(task, table, message):
    with pytest.raises(DataError, match=message):
        task.learn_targets(table)


def test_labels_that_are_read_as_texts_serve_where_they_can():
    targets, fields = MultiLabel(label_separator="|").learn_targets(lists(["a", "b", "c"], ["x|y", " y ", "z|x"]))
    assert targets.names == ("x", "y", "z")
    assert fields["targets"].tolist() == [[True, True, False], [False, True, False], [True, False, True]]
    targets, fields = Regress().learn_targets(lists(["a", "b"], ["1", "3.0"]))
    assert (targets.mean, targets.deviation) == (2, 1)
    assert fields["targets"].tolist() == [-1, 1]


def test_a_label_that_is_not_known():
    targets, _ = MultiLabel().learn_targets(lists(["a", "b"], [["x"], ["y"]]))
    found = targets.encode(lists(["a", "b", "c"], [["x", "w"], [], ["y", "v", "w"]]))
    assert {name: field.tolist() for name, field in found.items()} == {
        "targets": [[True, False], [False, False], [False, True]],
        "unseen": [1, 0, 2],
        "new": [1, 0, 1],
    }
    assert targets.unseen(lists(["a", "b"], [["x", "w"], ["w", "v"]])) == {"w": 2, "v": 1}
    with pytest.raises(
        DataError, match=r"none of the labels is known: they are 'w', and the model knows 'x', 'y'\. Name"
    ):
        targets.encode(lists(["a", "b"], [["w"], []]))
    assert set(targets.encode(lists(["a", "b"], [[], []]))) == {"targets"}
    targets, _ = Classify().learn_targets(lists(["a", "b"], ["x", "y"]))
    assert targets.encode(lists(list("abcde"), ["w", "y", "v", "x", "w"]))["classes"].tolist() == [3, 1, 2, 0, 3]
    with pytest.raises(
        DataError, match=r"none of the labels is known: they are 'w', and the model knows 'x', 'y'\. Name"
    ):
        targets.encode(lists(["a"], ["w"]))


@pytest.mark.parametrize(
    ("task", "description", "message"),
    [
        (Classify(), {"labels": ["x"]}, "expected labels as a list of two or more strings"),
        (Classify(), {"labels": ["x", "x"]}, "expected labels that differ"),
        (
            Classify(),
            {"labels": ["1", "x"], "label_type": "integer"},
            "boolean, and labels of it, got 'integer'",
        ),
        (Classify(), {"labels": ["0", "1"], "label_type": "boolean"}, "and labels of it, got 'boolean'"),
        (
            Classify(),
            {"labels": ["0", "1"], "label_type": ["float"]},
            "expected label_type as text or integer",
        ),
        (MultiLabel(), {"labels": ["x"], "label_type": "number"}, "and labels of it, got 'number'"),
        (MultiLabel(), {"labels": []}, "expected labels as a list of one or more strings"),
        (MultiLabel(), {}, "expected labels as a list of one or more strings, got None"),
        (Regress(), {"mean": "x", "deviation": 1.0}, "expected mean and deviation of the target as numbers, got 'x'"),
        (Regress(), {"mean": 1.0, "deviation": float("nan")}, "as numbers, got nan"),
        (Regress(), {"mean": True, "deviation": 1.0}, "as numbers, got True"),
    ],
)
def test_descriptions_that_cannot_be(task, description, message):
    with pytest.raises(ModelError, match=message):
        task.load_targets(description)


TEXTS = ["so good", "good fun", "so bad", "bad luck"] * 20
TABLES = {
    "classify": (Classify(), lists(TEXTS, list("ppnn") * 20), ["p", "n"]),
    "sigmoid": (Classify(output="sigmoid"), lists(TEXTS, [1, 1, 0, 0] * 20), [1, 0]),
    "tanh": (Classify(output="tanh"), lists(TEXTS, [1, 1, -1, -1] * 20), [1, -1]),
    "multi-label": (MultiLabel(), lists(TEXTS, [["g", "s"], ["g"], ["s"], []] * 20), [["g", "s"], []]),
    "regress": (Regress(), lists(TEXTS, [5, 4, 2, 1] * 20, target="number"), None),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("learner", [chainrule.BagOfWords(), chainrule.FeedForward(dim=8, hidden=(8,), dropout=0.1)])
def test_every_task_with_every_learner_of_texts(name, learner, tmp_path):
    task, table, expected = TABLES[name]
    rate = 0.01 if name == "regress" else 0.05  # Adam's, and SGD's
    training = chainrule.Training(learning_rate=rate, epochs=40)
    run = chainrule.fit(learner, table, table, task=task, training=training, folder=tmp_path / "model")
    found = run.model.predict(["so good", "bad luck"])
    if expected is None:
        np.testing.assert_allclose(found, [5, 1], atol=0.5)
    else:
        assert found == expected
    loaded = chainrule.Model.load(tmp_path / "model")
    assert loaded.predict(["so good", "bad luck"]) == found
    assert loaded.task == run.model.task
    native, eager = (run.model.evaluate(table, engine=engine).measures for engine in ("native", "eager"))
    assert list(native) == list(eager)
    np.testing.assert_allclose(list(native.values()), list(eager.values()), rtol=5e-3, atol=1e-6)  # ranks of near ties
    record = [line for line in run.record if line["kind"] == "epoch"]
    assert {f"valid_{name}" for name in task.watched} <= set(record[0])
    assert record[-1]["valid_loss"] < record[0]["valid_loss"]


def test_a_learner_that_gives_other_answers():
    class Tag(Classify):
        answers = "token"
        name = "tag"

    with pytest.raises(ConfigurationError, match="bow gives one answer a row, and tag needs one a token"):
        chainrule.fit(chainrule.BagOfWords(), TABLES["classify"][1], task=Tag())
