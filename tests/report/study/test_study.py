"""Reading studies: what is there, and what is said of folders that are none, broken or newer."""

import json
import shutil

import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError
from chainrule.report import Study, read_study


def test_a_study_is_read(compared):
    study = chainrule.read_study(compared)
    assert isinstance(study, Study)
    assert study.name == "reviews.csv"
    assert repr(study) == "Study(reviews.csv, 15 runs)"
    assert repr(study.failed) == f"(Run({study.failed[0].name}, failed),)"
    assert (study.measure.name, study.measure.higher) == ("accuracy", True)
    assert len(study.runs) == 15
    assert [run.learner_name for run in study.failed] == ["cnn"]
    assert study.failed[0].reason == "the loss is NaN at step 12 of epoch 1"
    assert len(study.tests) == 14
    run = study.runs[0]
    assert run.name.startswith("bow-")
    assert run.settings["training.optimizer.name"] == "adam"
    assert [line["epoch"] for line in study.epochs(run.name)] == [1, 2, 3, 4, 5, 6]
    assert study.judgement(run.name)["rows"] == 120
    assert study.winner["learner"] == "bow"
    assert study.wanted == 15
    assert study.unfinished == {}


def test_before_the_first_run_has_ended(made):
    folder = made()
    shutil.rmtree(folder / "runs")
    (folder / "runs.jsonl").unlink()
    (folder / "winner.json").unlink()
    study = read_study(folder)
    assert study.runs == ()
    assert study.winner is None
    assert list(study.ranking()) == []
    assert "No run has finished yet." in study.report()
    for format in ("markdown", "latex", "json", "csv"):
        assert study.report(format)


def test_runs_that_are_on(made):
    folder = made()
    (folder / "runs" / "bow-1234abcd-seed9.partial").mkdir()
    lines = ['{"kind": "run"}', '{"kind": "epoch", "epoch": 1}', '{"kind": "epoch", "epoch": 2}', '{"kind": "ep']
    (folder / "runs" / "bow-1234abcd-seed9.partial" / "record.jsonl").write_text("\n".join(lines))
    study = read_study(folder)
    assert study.unfinished == {"bow-1234abcd-seed9": 2}
    assert "bow-1234abcd-seed9" in study.report()


def test_lines_that_were_cut_short(made):
    folder = made()
    path = folder / "runs.jsonl"
    whole = path.read_text()
    count = len(read_study(folder).runs)
    path.write_text(whole + whole.splitlines()[0][:40])
    assert len(read_study(folder).runs) == count
    first, *others = whole.splitlines()
    path.write_text("\n".join([first[:40] + " (cut short)", *others]) + "\n")  # as the study writes on after a kill
    assert len(read_study(folder).runs) == count - 1
    path.write_text("\n".join([first[:40], *others]) + "\n")
    with pytest.raises(DataError, match=r"runs\.jsonl, line 1: is not JSON"):
        read_study(folder)


def test_of_a_run_that_was_tried_again_the_last_line_counts(made):
    folder = made(failing=("cnn",))
    failed = read_study(folder).failed[0]
    line = next(json.loads(x) for x in (folder / "runs.jsonl").read_text().splitlines() if failed.name in x)
    again = {**line, "state": "finished", "valid": {"accuracy": 0.7, "loss": 0.5}}
    with (folder / "runs.jsonl").open("a") as stream:
        stream.write(json.dumps(again) + "\n")
    study = read_study(folder)
    assert study.failed == ()
    assert len(study.runs) == 9


def test_what_is_missing_is_left_out(made):
    """A folder without the runs, as one that was copied in part, still has its ranking."""
    folder = made()
    shutil.rmtree(folder / "runs")
    (folder / "winner.json").unlink()
    study = read_study(folder)
    assert [x.label for x in study.ranking()] == ["bow", "ffnn", "cnn"]
    page = study.report()
    assert 'id="ranking"' in page
    assert 'id="curves"' not in page
    assert 'id="examples"' not in page


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("study.json", None, "is no study: there is no study.json in it; if it was copied, copy the whole"),
        ("study.json", '{"kind": "study", "form', "study.json: is not JSON, or was cut short"),
        ("study.json", "[1]", r"study.json: expected a JSON object, got \[1\]"),
        ("study.json", '{"kind": "model"}', "expected the kind 'study', got 'model'"),
        ("study.json", '{"kind": "study", "format": 2}', "has format 2, and this version reads up to 1: install"),
        ("study.json", '{"kind": "study", "format": 1}', "expected dict as 'data', got None"),
        ("winner.json", "{", "winner.json: is not JSON, or was cut short"),
        ("notes.toml", "= 1", "notes.toml: cannot be read"),
        ("notes.toml", 'langages = "English"', "'langages' is no item of the checklist; did you mean 'languages'"),
        ("notes.toml", 'xyz = "English"', "'xyz' is no item of the checklist; there are: method, code"),
        ("notes.toml", "languages = 1", "expected a text as 'languages', got 1"),
        ("runs.jsonl", '{"kind": "run"}\n', "record 1: expected str as 'run' of a run, got nothing"),
        ("runs.jsonl", '{"kind": "test", "run": "a", "test": 1}\n', "expected the name of a run and its measures"),
    ],
)  # fmt: skip
def test_broken_files(made, name, content, message):
    folder = made()
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_study(folder).report()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": "../../else"}, "expected the name of a folder as 'run', got '../../else'"),
        ({"seed": "0"}, "expected int as 'seed' of a run, got '0'"),
        ({"seed": True}, "expected int as 'seed' of a run, got True"),
        ({"learner": "bow"}, "expected dict as 'learner' of a run, got 'bow'"),
        ({"state": "lost"}, "expected 'state' to be one of finished, stopped, failed, got 'lost'"),
        ({"stage": "first"}, "expected 'stage' to be one of search, final, got 'first'"),
    ],
)
def test_broken_runs(made, change, message):
    folder = made()
    lines = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    (folder / "runs.jsonl").write_text(json.dumps({**lines[0], **change}) + "\n")
    with pytest.raises(DataError, match=message):
        read_study(folder)


def test_a_broken_judgement(made):
    folder = made()
    run = read_study(folder).runs[0].name
    (folder / "runs" / run / "test.json").write_text("{")
    with pytest.raises(DataError, match=r"test\.json: is not JSON"):
        read_study(folder).report()


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match="is no study: there is no folder of that name"):
        read_study(tmp_path / "nowhere")


def test_another_format(compared):
    with pytest.raises(
        ConfigurationError, match="expected one of the formats html, markdown, latex, json, csv, got 'pdf'"
    ):
        read_study(compared).report("pdf")
