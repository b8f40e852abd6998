"""The model folder: what comes back, and that every fault in it is told."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from chainrule.errors import ModelError, StorageError
from chainrule.models import LEARNERS, Model
from tests import samples
from tests.samples import FullDisk

NAMES = list(samples.LEARNERS)
FILES = ["model.json", "model.safetensors", "vocabulary.txt"]
TEXTS = ["a good and lovely word3", "dull word1 word2 awful", "", "nothing known", "GOOD"]


@pytest.fixture(params=NAMES)
def folder(request, saved, tmp_path):
    """A copy of a model folder, to be broken."""
    return shutil.copytree(saved[request.param], tmp_path / "model")


def seal(content):
    """The seal of a description, as a writer would make it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def describe(folder, changes):
    """Change the description, and seal it anew: only what it says is wrong, not the seal.

    Changes are by path, such as "codec.labels"; `...` takes something out.
    """
    path = folder / "model.json"
    content = {key: value for key, value in json.loads(path.read_text(encoding="utf-8")).items() if key != "seal"}
    for key, value in changes.items():
        *parents, last = key.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = value
        if value is ...:
            del place[last]
    path.write_text(json.dumps({**content, "seal": seal(content)}))


def checksums(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES[1:]}


def fails(folder):
    """The message of the error that loading gives."""
    with pytest.raises(ModelError) as caught:
        Model.load(folder)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_saved_comes_back(models, saved, name):
    model, loaded = models[name], Model.load(str(saved[name]))
    assert sorted(file.name for file in saved[name].iterdir()) == FILES
    assert loaded.task == model.task
    assert loaded.learner == model.learner
    assert loaded.training == model.training == json.loads(json.dumps(model.training))
    assert loaded.labels == model.labels
    assert loaded.codec.describe() == model.codec.describe()
    vocabularies = [each.codec.inputs.vocabulary for each in (loaded, model)]
    assert vocabularies[0].entries.to_list() == vocabularies[1].entries.to_list()
    assert vocabularies[0].counts.tolist() == vocabularies[1].counts.tolist()
    np.testing.assert_array_equal(loaded.predict_probabilities(TEXTS), model.predict_probabilities(TEXTS))


@pytest.mark.parametrize("name", NAMES)
def test_saved_again_it_is_the_same_to_the_byte(saved, tmp_path, name):
    Model.load(saved[name]).save(tmp_path / "again")
    for file in FILES:
        assert (tmp_path / "again" / file).read_bytes() == (saved[name] / file).read_bytes()


def test_nothing_is_overwritten(models, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        models["bow"].save(tmp_path / "model")
    assert not list((tmp_path / "model").iterdir())
    with pytest.raises(StorageError, match=r"there is no folder .*missing"):
        models["bow"].save(tmp_path / "missing" / "model")


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_at_each_write_in_turn(models, tmp_path, monkeypatch, name):
    with monkeypatch.context() as patch:
        disk = FullDisk(patch)
        models[name].save(tmp_path / "whole")
    assert disk.writes >= len(FILES)
    for write in range(1, disk.writes + 1):
        with monkeypatch.context() as patch:
            FullDisk(patch, full_at=write)
            with pytest.raises(StorageError, match="No space left on device"):
                models[name].save(tmp_path / "model")
        assert [place.name for place in tmp_path.iterdir()] == ["whole"]
    models[name].save(tmp_path / "model")
    for file in FILES:
        assert (tmp_path / "model" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_a_missing_folder(tmp_path):
    assert "there is no such folder" in fails(tmp_path / "missing")
    (tmp_path / "file").write_text("text")
    assert "there is no such folder" in fails(tmp_path / "file")
    assert "File name too long" in fails(tmp_path / ("x" * 300))


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file(folder, file):
    (folder / file).unlink()
    assert f"{file} is missing; the folder is not a model, or not whole" in fails(folder)
    (folder / file).mkdir()
    assert f"{file} is missing" in fails(folder)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("part", [0, 0.5, 1])
def test_a_file_that_was_cut_short(folder, file, part):
    data = (folder / file).read_bytes()
    (folder / file).write_bytes(data[: int(part * (len(data) - 2))])
    assert str(folder / file) in fails(folder)


@pytest.mark.parametrize("file", ["model.safetensors", "vocabulary.txt"])
def test_a_changed_byte(folder, file):
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(data)
    assert f"{folder / file}: is not what was saved (its checksum differs)" in fails(folder)


def test_a_changed_description(folder):
    path = folder / "model.json"
    path.write_text(path.read_text().replace("positive", "Positive"))
    assert f"{path}: was changed after it was saved (its seal does not fit)" in fails(folder)


def test_any_damage_is_told(folder):
    """Flipped and cut bytes anywhere: an error that names the file, or, where it changes nothing, the same model."""
    expected = Model.load(folder).predict_probabilities(TEXTS)
    draws = np.random.default_rng(0)
    harmless = 0
    for file in FILES * 40:
        data = (folder / file).read_bytes()
        broken = bytearray(data)
        if draws.random() < 0.3:
            del broken[draws.integers(len(data)) :]
        for _ in range(draws.integers(1, 4)):
            if broken:
                broken[draws.integers(len(broken))] = draws.integers(256)
        (folder / file).write_bytes(broken)
        try:
            found = Model.load(folder).predict_probabilities(TEXTS)
        except ModelError as error:
            assert str(folder / file) in str(error)  # noqa: PT017
        else:
            harmless += 1
            np.testing.assert_array_equal(found, expected)
        (folder / file).write_bytes(data)
    assert harmless < 20


@pytest.mark.parametrize("found", [3, 99, 0, -1, "1", "2", None, 1.5, True])
def test_a_format_that_is_not_known(folder, found):
    describe(folder, {"format": found, "chainrule": "9.0.0"})
    message = fails(folder)
    assert f"has format {found!r}, written by chainrule '9.0.0'; this version reads up to format 2" in message
    assert message.endswith("install a newer chainrule")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        "[1, 2]",
        "3",
        "null",
        '"text"',
        "{}",
        "\xff",
        "[" * 100_000,
        '{"format": 2, "a": "\\ud800"}',
    ],
)
def test_a_description_that_is_none(folder, content):
    (folder / "model.json").write_bytes(content.encode("latin-1"))
    assert "model.json: is not the description of a model (a JSON object with the format number); copy" in fails(folder)


TEXT = {"name": "text", "ngrams": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codec.labels": ...}, "expected labels as a list of two or more strings, got None"),
        ({"codec.labels": "ab"}, "expected labels as a list of two or more strings, got 'ab'"),
        ({"codec.labels": ["a"]}, "expected labels as a list of two or more strings, got ['a']"),
        ({"codec.labels": [1, 2]}, "expected labels as a list of two or more strings, got [1, 2]"),
        ({"codec.labels": ["a", "a"]}, "expected labels that differ, got ['a', 'a']"),
        ({"codec.labels": ["a", "b", "c"]}, "model.safetensors"),
        ({"codec": ...}, "expected codec as an object, got None"),
        ({"codec": []}, "expected codec as an object, got []"),
        ({"sha256": ...}, "expected sha256 as an object, got None"),
        ({"sha256": []}, "expected sha256 as an object, got []"),
        ({"sha256": {}}, "expected sha256 of model.safetensors and vocabulary.txt, got {}"),
        ({"sha256": {"../../secret": "0"}}, "expected sha256 of model.safetensors and vocabulary.txt, got {'../"),
        ({"sha256": {"model.safetensors": 0, "vocabulary.txt": None}}, "its checksum differs"),
        ({"learner": ...}, "expected learner as an object, got None"),
        ({"learner": "bow"}, "expected learner as an object, got 'bow'"),
        ({"learner": {}}, f"there is no learner None; expected {' or '.join(LEARNERS)}"),
        ({"learner": {"name": ["bow"]}}, "there is no learner ['bow']; expected bow or cnn or ffnn"),
        ({"learner": {"name": "svm"}}, "there is no learner 'svm'; expected bow or cnn or ffnn"),
        ({"learner": {"name": "bow", "depth": 3}}, "learner bow has no setting 'depth'"),
        ({"learner": {"name": "ffnn", "dim": "3"}}, "ffnn: dim must be a whole number of 1 or more, got '3'"),
        ({"learner": {"name": "ffnn", "dropout": "x"}}, "dropout must be a number of 0 or more and below 1, got 'x'"),
        ({"learner": {"name": "ffnn", "hidden": 3}}, "hidden must be whole numbers of 1 or more"),
        ({"learner": {"name": "ffnn", "dim": 10**6}}, "are more than model.safetensors holds: "),
        ({"learner": {"name": "ffnn", "dim": 10**15}}, "are more than model.safetensors holds: "),
        ({"learner": {"name": "ffnn", "dim": 10**30}}, "ffnn: dim must be a whole number of 1 or more, and at most 92"),
        ({"learner": {"name": "ffnn", "hidden": [1] * 101}}, "ffnn: hidden must have up to 100 items, got 101"),
        ({"learner": {"name": "ffnn", "dropout": 10**400}}, "ffnn: dropout must be a number of 0 or more and below 1"),
        ({"codec.labels": list(map(str, range(10**5)))}, "are more than model.safetensors holds: "),
        ({"codec.labels": list(range(10**5))}, f"got {str(list(range(100)))[:77]}..."),
        ({"learner": {"name": "ffnn", "dim": 3, "hidden": [2]}}, "model.safetensors"),
        ({"learner": {"name": "mlp"}}, "mlp reads numbers and categories, and text inputs give bags of tokens"),
        ({"task": ...}, "expected task as an object, got None"),
        ({"task": "classify"}, "expected task as an object, got 'classify'"),
        ({"task": {}}, "there is no task None; expected classify or"),
        ({"task": {"name": "clasify"}}, "there is no task 'clasify'; did you mean 'classify'?"),
        ({"task.output": "tan"}, "classify: output must be one of softmax, sigmoid, tanh, got 'tan'; did you mean"),
        ({"task.inputs": {"name": "texts"}}, "there is no kind of inputs 'texts'; did you mean 'text'?"),
        ({"task.inputs.ngrams": "3"}, "text: ngrams must be a whole number of 1 or more, got '3'"),
        ({"task.inputs.longest": 3}, "kind of inputs text has no setting 'longest'"),
        ({"task.inputs": {"name": "columns"}}, "reads bags of tokens, and columns inputs give numbers and categories"),
        ({"task": {"name": "regress", "inputs": TEXT}}, "expected mean and deviation of the target as numbers, got"),
        ({"training": ...}, "expected training as an object, got None"),
        ({"training": "fast"}, "expected training as an object, got 'fast'"),
    ],
)
def test_a_description_that_says_what_cannot_be(folder, changes, message):
    describe(folder, changes)
    found = fails(folder)
    assert message in found
    assert found.startswith(f"{folder}/model.")


def test_weights_that_do_not_fit(folder):
    def write(weights):
        data = weights if isinstance(weights, bytes) else safetensors.numpy.save(weights)
        (folder / "model.safetensors").write_bytes(data)
        describe(folder, {"sha256": checksums(folder)})
        return fails(folder)

    weights = dict(safetensors.numpy.load_file(folder / "model.safetensors"))
    name = min(weights)
    assert "are more than model.safetensors holds: 3 are left" in write({"other": np.zeros(3, np.float32)})
    assert "expected the weights" in write({"other": np.zeros(9999, np.float32)})
    assert f"expected {name} as" in write({**weights, name: np.zeros(9999, np.float32)})
    assert f"expected {name} as" in write({**weights, name: weights[name].astype(np.float64)})
    assert "cannot be read" in write(b"")
    assert "cannot be read" in write(b"\xff" * 100)


LIMITED = """
import resource, sys
from chainrule.models import Model
from chainrule.errors import ModelError
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
try:
    Model.load(sys.argv[1])
except ModelError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "changes", [{"codec.labels": list(map(str, range(300_000)))}, {"learner.dim": 100_000}, {"learner.hidden": [10**9]}]
)
def test_what_a_folder_asks_for_is_refused_before_it_takes_memory(saved, tmp_path, changes):
    """Sizes that the weights do not have, in a process that may take a few gigabytes less than they need."""
    folder = shutil.copytree(saved["ffnn"], tmp_path / "model")
    vocabulary = (folder / "vocabulary.txt").read_text() + "".join(f"word-{i}\t1\n" for i in range(100_000))
    (folder / "vocabulary.txt").write_text(vocabulary)
    describe(folder, {**changes, "sha256": checksums(folder)})
    words = [sys.executable, "-c", LIMITED, str(folder), str(3 * 2**30)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    assert "are more than model.safetensors holds: " in done.stdout


def test_a_vocabulary_that_is_none(folder):
    (folder / "vocabulary.txt").write_text("word\t3\n")
    describe(folder, {"sha256": checksums(folder)})
    assert "vocabulary.txt, line 1: expected '<unk>', the unknown token, got 'word'" in fails(folder)


def test_a_file_that_may_not_be_read(folder, monkeypatch):
    def forbid(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", forbid)
    assert f"{folder}: cannot be read: Permission denied" in fails(folder)


def test_other_files_in_the_folder_do_no_harm(folder, tmp_path):
    """The model says what it said, leaves them alone, and does not take them along."""
    before = Model.load(folder).predict_probabilities(TEXTS)
    others = {"notes.txt": "mine", "record.jsonl": "torn {", "settings.toml": "seed = [", "columns.json": "{"}
    for name, text in others.items():
        (folder / name).write_text(text)
    (folder / "drafts").mkdir()
    model = Model.load(folder)
    np.testing.assert_array_equal(model.predict_probabilities(TEXTS), before)
    assert np.ptp(before, axis=0).max() > 0.1  # the texts do differ
    assert {name: (folder / name).read_text() for name in others} == others
    model.save(tmp_path / "again")
    assert sorted(file.name for file in (tmp_path / "again").iterdir()) == FILES
