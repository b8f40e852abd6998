"""Models that earlier versions saved still load and say the same: see make_saved.py."""

import json
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.models import LEARNERS, Model
from chainrule.models.upgrade import FORMAT
from chainrule.tasks import INPUTS, TASKS
from tests.models import make_saved

SAVED = Path(__file__).with_name("saved")
FOLDERS = sorted(path for path in SAVED.iterdir() if path.is_dir())

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def description(folder):
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def expectation(folder):
    return json.loads(folder.with_name(f"{folder.name}.json").read_text(encoding="utf-8"))


def released(version):
    """The folders of a version, by learner, with the task where a row has other answers than one."""
    return {path.name.removeprefix(f"{version}-"): path for path in FOLDERS if path.name.startswith(f"{version}-")}


def test_every_learner_task_and_kind_of_inputs_has_one():
    models = [Model.load(folder) for folder in FOLDERS]
    assert {folder.name.rpartition("-")[2] for folder in FOLDERS} == set(LEARNERS)
    assert {model.learner.name for model in models} == set(LEARNERS)
    assert {model.task.name for model in models} == set(TASKS)
    assert {model.task.inputs.name for model in models} == set(INPUTS)


def test_every_format_has_one_of_each_learner_it_knew():
    assert set(released("0.1.0")) == {"bow", "ffnn"}
    assert {description(folder)["format"] for folder in released("0.1.0").values()} == {1}
    assert set(released("0.2.0")) == {
        "bow", "cnn", "continue-gru", "ffnn", "gru", "linear", "lstm", "mlp", "pretrained", "rnn", "tag-gru",
        "transduce-seq2seq", "transformer",
    }  # fmt: skip
    assert {description(folder)["format"] for folder in released("0.2.0").values()} == {2}
    assert {description(folder)["format"] for folder in FOLDERS} == set(range(1, FORMAT + 1))


@each_folder
def test_it_says_the_same(folder):
    expected = expectation(folder)
    model = Model.load(folder)
    rows = expected.get("texts") or expected["rows"]
    if "probabilities" in expected:  # 0.1.0 knew labels alone
        assert list(model.labels) == expected["labels"]
        found = model.predict_probabilities(rows)
        np.testing.assert_allclose(found, expected["probabilities"], rtol=0, atol=1e-6)
        assert model.predict(rows) == [model.labels[i] for i in np.argmax(expected["probabilities"], axis=1)]
    else:
        found = model.responses(make_saved.encoded(model, rows))
        np.testing.assert_allclose(found, expected["responses"], rtol=1e-6, atol=1e-6)
        if model.task.name in ("regress", "continue"):
            np.testing.assert_allclose(model.predict(rows), expected["answers"], rtol=1e-5)
        else:
            assert model.predict(rows) == expected["answers"]
    assert np.ptp(found, axis=0).max() > 0.1  # the rows do differ


@each_folder
def test_it_says_the_same_once_saved_anew(folder, tmp_path):
    """In today's format, from which it comes back as it was; once in that, nothing changes any more."""
    model = Model.load(folder)
    model.save(tmp_path / "again")
    assert description(tmp_path / "again")["format"] == FORMAT
    again = Model.load(tmp_path / "again")
    assert (again.task, again.learner, again.training) == (model.task, model.learner, model.training)
    assert again.codec.describe() == model.codec.describe()
    expected = expectation(folder)
    rows = expected.get("texts") or expected["rows"]
    for engine in ("eager", "native"):
        found = model.responses(make_saved.encoded(model, rows), engine=engine)
        np.testing.assert_array_equal(again.responses(make_saved.encoded(again, rows), engine=engine), found)
    again.save(tmp_path / "third")
    assert {file.name for file in (tmp_path / "third").iterdir()} == {file.name for file in folder.iterdir()}
    for file in (tmp_path / "third").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
        if file.name != "model.json":
            assert file.read_bytes() == (folder / file.name).read_bytes()


def held(then, now):
    """Whether all settings that were saved are there and mean the same; further ones may have come later."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and held(value, now[key]) for key, value in then.items())
    return then == now


@each_folder
def test_its_settings_mean_what_they_meant(folder):
    """Every setting that was saved is the learner's, the task's or the training's; later ones have their defaults."""
    saved, model = description(folder), Model.load(folder)
    task, learner = (json.loads(json.dumps(x.settings())) for x in (model.task, model.learner))
    training = json.loads(json.dumps(chainrule.Training(**model.training).settings()))
    if saved["format"] == 1:
        settings = saved["learner"]
        now = {**task["inputs"], **training, **learner, "optimizer": training["optimizer"]["name"]}
        assert {key: now[key] for key in settings} == settings
        assert task["name"] == "classify"
        assert task["output"] == "softmax"
        assert training["optimizer"].get("momentum") == {"sgd": 0.9, "adam": None}[settings["optimizer"]]
        later = {key: value for key, value in training.items() if key not in {*settings, "optimizer"}}
        plain = {x.name: x.default for x in chainrule.Training.declared()}
        assert later.pop("schedule") == {"name": "constant"}
        assert {key: tuple(x) if isinstance(x, list) else x for key, x in later.items()} == {x: plain[x] for x in later}
    else:
        renamed = {"label_separator" if key == "separator" else key: value for key, value in saved["task"].items()}
        if "criterion" in renamed:
            renamed["criterion"] = {"squared": "mse"}.get(renamed["criterion"], renamed["criterion"])
        assert held(renamed, task)
        assert held(saved["learner"], learner)
        assert held(saved["training"], training)


def test_todays_folders_have_the_settings_they_were_made_with():
    for learner, task, training in make_saved.TRAININGS:
        model = Model.load(released("0.2.0")[make_saved.named(learner, task)])
        assert model.learner == learner
        assert model.task == task
        assert chainrule.Training(**model.training).resolved(learner) == training.resolved(learner)


def test_the_maker_leaves_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(make_saved, "SAVED", tmp_path)
    for learner, task, _ in make_saved.TRAININGS[1:]:
        (tmp_path / f"9.9.9-{make_saved.named(learner, task)}").mkdir()
    make_saved.main("9.9.9")
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {
        *(f"9.9.9-{make_saved.named(learner, task)}" for learner, task, _ in make_saved.TRAININGS), "9.9.9-bow.json"
    }  # fmt: skip
    assert not any((tmp_path / "9.9.9-mlp").iterdir())
    expected = json.loads((tmp_path / "9.9.9-bow.json").read_text(encoding="utf-8"))
    assert Model.load(tmp_path / "9.9.9-bow").predict(expected["rows"]) == expected["answers"]
