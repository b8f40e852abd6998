"""The folder of a study: lines that a kill cut short, several writers, and folders that are none."""

import json
import multiprocessing
import threading

import pytest

from chainrule.errors import ModelError, StorageError
from chainrule.experiment import store
from chainrule.experiment.store import StudyFolder

HEADER = {
    "data": {"name": "a.csv", "files": ["a.csv"], "fingerprint": "f"},
    "parts": {"seed": 0}, "task": {"name": "classify"},
    "measure": {"name": "accuracy"}, "search": None,
}  # fmt: skip


def line(run, state="finished"):
    return {"kind": "run", "run": run, "state": state}


@pytest.fixture
def study(tmp_path):
    return StudyFolder.begin(tmp_path / "study", HEADER)


def test_lines_come_back_in_their_order(study):
    for number in range(3):
        assert study.append(line(f"run {number}"))
    study.append({"kind": "test", "run": "run 1", "test": {"accuracy": 1.0}})
    again = StudyFolder(study.place)
    assert [x["run"] for x in again.lines()] == ["run 0", "run 1", "run 2", "run 1"]
    assert list(again.ended()) == ["run 0", "run 1", "run 2"]
    assert list(again.tested()) == ["run 1"]


def test_a_run_has_one_line_unless_it_failed(study):
    assert study.append(line("a", "failed"))
    assert study.append(line("a", "failed"))
    assert study.append(line("a"))
    assert not StudyFolder(study.place).append(line("a"))
    assert study.ended()["a"]["state"] == "finished"
    assert len(study.lines()) == 3


@pytest.mark.parametrize("cut", range(1, 50, 6))
def test_a_line_that_a_kill_cut_short_is_left_out_and_harms_no_other(study, cut):
    study.append(line("a"))
    whole = json.dumps(line("b")).encode()
    path = study.place / store.RUNS
    with path.open("ab") as stream:
        stream.write(whole[:cut])
    assert list(StudyFolder(study.place).ended()) == ["a"]
    assert study.append(line("c"))
    assert list(study.ended()) == list(StudyFolder(study.place).ended()) == ["a", "c"]


def append_many(place, name, count):
    study = StudyFolder(place)
    for number in range(count):
        study.append(line(f"{name}-{number}"))
        study.append(line(f"shared-{number}"))


def test_several_processes_and_threads_write_whole_lines(study):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(study.place, f"process {i}", 40)) for i in range(2)]
    writers += [threading.Thread(target=append_many, args=(study.place, f"thread {i}", 40)) for i in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [x["run"] for x in study.lines()]
    assert len(names) == len(set(names)) == 5 * 40


def test_the_same_study_is_gone_on_with_also_where_its_files_lie_elsewhere(study):
    moved = {**HEADER, "data": {"name": "b.csv", "files": ["elsewhere/b.csv"], "fingerprint": "f"}}
    assert StudyFolder.begin(study.place, moved).header["data"]["name"] == "a.csv"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": {"fingerprint": "g"}}, "of another data set: fingerprint: f, and now g; give the same again"),
        ({"parts": {"seed": 1}}, "of another division of the rows: seed: 0, and now 1"),
        ({"task": {"name": "regress"}}, "of another task: name: classify, and now regress"),
        ({"measure": {"name": "loss"}}, "of another measure: name: accuracy, and now loss"),
        ({"search": {"method": "grid"}}, "of another search: None, and now"),
    ],
)
def test_another_study_is_refused(study, changed, message):
    with pytest.raises(ModelError, match=message):
        StudyFolder.begin(study.place, {**HEADER, **changed})


def test_folders_that_are_no_study_are_refused(tmp_path, study):
    with pytest.raises(ModelError, match=r"is no study: there is no study.json in it; chainrule compare makes one"):
        StudyFolder(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a")
    with pytest.raises(StorageError, match="notes: is there already, and is no study; choose another name"):
        StudyFolder.begin(tmp_path / "notes", HEADER)
    with pytest.raises(StorageError, match="cannot make"):
        StudyFolder.begin(tmp_path / "notes" / "a.txt" / "study", HEADER)
    header = json.loads((study.place / store.STUDY).read_text())
    for content, message in (
        ("{", "is not the beginning of a study: .*; copy it again"),
        (json.dumps({**header, "kind": "run"}), "it says of itself that it is something else"),
        (json.dumps({**header, "format": 99}), "was written by a newer chainrule; install that version to use it"),
    ):
        (study.place / store.STUDY).write_text(content)
        with pytest.raises(ModelError, match=message):
            StudyFolder(study.place)


def test_a_line_in_the_middle_that_is_none_is_refused(study):
    study.append(line("a"))
    (study.place / store.RUNS).write_text('{"kind": "run"}\n{"kind": "run", "run": "b", "state": "finished"}\n')
    with pytest.raises(ModelError, match=r"runs\.jsonl, line 1: is not that of a run: .*; copy the study again"):
        StudyFolder(study.place).lines()


def test_a_writer_that_hangs_is_not_waited_for_for_ever(study, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 0.05)
    held = store.Lock(study.place / store.LOCK)
    with pytest.raises(StorageError, match=r"another process has been writing there for 0\.05 seconds; end it"):
        study.append(line("a"))
    held.release()
    assert study.append(line("a"))


def test_finalists_come_by_their_numbers_and_not_as_they_ended(tmp_path):
    folder = StudyFolder.begin(tmp_path / "study", {"task": {}, "data": {}})
    for number, stage, state in (
        (2, "final", "finished"),
        (0, "search", "finished"),
        (1, "final", "finished"),
        (3, "final", "failed"),
    ):
        folder.append({"kind": "run", "run": f"bow-{number}", "number": number, "stage": stage, "state": state})
    assert [line["number"] for line in folder.finalists()] == [1, 2]
