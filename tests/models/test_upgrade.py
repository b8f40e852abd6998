"""Model folders of format 1 (0.1.0), which knew classifiers of texts alone."""

import json
import shutil

import numpy as np
import pytest

import chainrule
from chainrule.models import Model
from tests.models.make_saved import table_for
from tests.models.test_folder import describe, fails
from tests.models.test_saved import SAVED, expectation

OLD = [SAVED / "0.1.0-bow", SAVED / "0.1.0-ffnn"]
TEXT = {"lowercase": True, "ngrams": 2, "minimum_count": 1, "minimum_ngram_count": 2, "maximum_size": 40}


@pytest.fixture(params=OLD, ids=lambda folder: folder.name)
def folder(request, tmp_path):
    """A copy of a folder of format 1, to be changed."""
    return shutil.copytree(request.param, tmp_path / request.param.name)


def test_every_setting_is_where_it_belongs_now():
    bow, ffnn = (Model.load(folder) for folder in OLD)
    assert (
        bow.task
        == ffnn.task
        == chainrule.Classify(inputs=chainrule.Text(**TEXT, term_frequency="binary"), output="softmax")
    )
    assert bow.learner == chainrule.BagOfWords(scale=1.0)
    hidden = {"hidden": (5, 4), "activation": "tanh", "dropout": 0.1, "word_dropout": 0.1, "scale": 10.0}
    assert ffnn.learner == chainrule.FeedForward(dim=6, **hidden)
    running = {"batch_size": 4, "epochs": 10, "patience": 10, "schedule": "constant"}
    sgd = chainrule.Training(optimizer=chainrule.SGD(0.5, momentum=0.9), learning_rate=0.5, **running)
    adam = chainrule.Training(optimizer=chainrule.Adam(0.02), learning_rate=0.02, **running)
    for model, training in ((bow, sgd), (ffnn, adam)):
        assert chainrule.Training(**model.training).resolved(model.learner) == training.resolved(model.learner)


@pytest.mark.parametrize(
    ("settings", "training"),
    [
        ({"optimizer": "sgd"}, {"optimizer": {"name": "sgd", "momentum": 0.9}}),  # which was a part of the name
        ({"optimizer": "adam"}, {"optimizer": {"name": "adam"}}),
        ({}, {"optimizer": {"name": "adam"}}),  # 0.1.0 took those left out at their defaults
        ({"learning_rate": 0.5, "epochs": 7}, {"optimizer": {"name": "adam"}, "learning_rate": 0.5, "epochs": 7}),
    ],
)
def test_training_settings_are_kept(tmp_path, settings, training):
    folder = shutil.copytree(OLD[0], tmp_path / "model")
    describe(folder, {"learner": {"name": "bow", **settings}})
    model = Model.load(folder)
    assert model.training == {**training, "schedule": {"name": "constant"}}
    assert model.learner == chainrule.BagOfWords(scale=1.0)
    assert model.task.inputs == chainrule.Text(term_frequency="binary")


@pytest.mark.parametrize("field", TEXT)
def test_text_settings_are_kept(folder, field):
    other = {"lowercase": False, "ngrams": 3, "minimum_count": 2, "minimum_ngram_count": 3, "maximum_size": None}
    describe(folder, {f"learner.{field}": other[field]})
    assert Model.load(folder).task.inputs == chainrule.Text(**{**TEXT, field: other[field]}, term_frequency="binary")


def test_loading_leaves_the_folder_as_it_is(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    Model.load(folder).predict(["good fun"])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_the_settings_repeat_the_training():
    """Of the linear model, to the answers it was saved with; what dropout leaves out has changed since."""
    model = Model.load(OLD[0])
    table = table_for(model.task)
    training = chainrule.Training(**model.training)
    again = chainrule.fit(model.learner, table, table, task=model.task, training=training, seed=1).model
    expected = expectation(OLD[0])
    np.testing.assert_allclose(again.predict_probabilities(expected["texts"]), expected["probabilities"], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ...}, "expected labels as a list of two or more strings, got None"),
        ({"labels": "ab"}, "expected labels as a list of two or more strings, got 'ab'"),
        ({"labels": ["a"]}, "expected labels as a list of two or more strings, got ['a']"),
        ({"labels": [1, 2]}, "expected labels as a list of two or more strings, got [1, 2]"),
        ({"labels": ["a", "a"]}, "expected labels that differ, got ['a', 'a']"),
        ({"labels": ["a", "b", "c", "d"]}, "model.safetensors: expected "),
        ({"sha256": ...}, "expected sha256 of model.safetensors and vocabulary.txt, got None"),
        ({"sha256": []}, "expected sha256 of model.safetensors and vocabulary.txt, got []"),
        ({"sha256": {"../../secret": "0"}}, "expected sha256 of model.safetensors and vocabulary.txt, got {'../"),
        ({"sha256": {"model.safetensors": 0, "vocabulary.txt": None}}, "its checksum differs"),
        ({"learner": ...}, "expected learner as an object, got None"),
        ({"learner": "bow"}, "expected learner as an object, got 'bow'"),
        ({"learner": {}}, "there is no learner None; expected bow or cnn or ffnn"),
        ({"learner": {"name": ["bow"]}}, "there is no learner ['bow']; expected bow or cnn or ffnn"),
        ({"learner": {"name": "svm"}}, "there is no learner 'svm'; expected bow or cnn or ffnn"),
        ({"learner": {"name": "bow", "depth": 3}}, "learner bow has no setting 'depth'"),
        ({"learner": {"name": "bow", "ngrams": "3"}}, "ngrams must be a whole number of 1 or more, got '3'"),
        ({"learner": {"name": "ffnn", "hidden": 3}}, "hidden must be whole numbers of 1 or more"),
        ({"learner": {"name": "ffnn", "dim": 10**15}}, "weights of shape ("),
        ({"learner": {"name": "ffnn", "dim": 10**30}}, "model.json: "),
        ({"learner": {"name": "ffnn", "dim": 3, "hidden": [2]}}, "expected "),
    ],
)
def test_a_description_that_says_what_cannot_be(folder, changes, message):
    """Settings of a training are not among them: they are noted, and refused when one trains by them."""
    describe(folder, changes)
    found = fails(folder)
    assert message in found
    assert found.startswith(f"{folder}/model.")


def test_a_changed_description(folder):
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["labels"].reverse()
    path.write_text(json.dumps(content))
    assert f"{path}: was changed after it was saved (its seal does not fit)" in fails(folder)


@pytest.mark.parametrize("file", ["model.json", "model.safetensors", "vocabulary.txt"])
def test_missing_and_damaged_files(folder, file):
    data = (folder / file).read_bytes()
    (folder / file).write_bytes(data[: len(data) // 2])
    assert str(folder / file) in fails(folder)
    (folder / file).unlink()
    assert f"{file} is missing; the folder is not a model, or not whole" in fails(folder)


def test_booleans_are_spelt_as_they_are_read_now(folder):
    """Of a model of `True` and `False`, which reading spells `true` and `false`."""
    for given, read in (
        (["FALSE", "True", "so-so"], ("false", "true", "so-so")),
        (["True", "true", "x"], ("True", "true", "x")),
    ):
        describe(folder, {"labels": given})
        assert Model.load(folder).labels == read
