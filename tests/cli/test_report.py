"""`chainrule report`: formats, files, and what is refused."""

import json

import pytest

from tests.report.study.folders import Folder
from tests.samples import FullDisk


@pytest.fixture
def study(tmp_path):
    return Folder(tmp_path / "study").write()


def test_a_page_beside_the_records(run, study):
    done = run("report", study)
    assert done.code == 0
    answer, reached, path = done.out.splitlines()
    assert answer.startswith("No winner can be named: bow has the best validation, but ")
    assert reached.startswith("Accuracy of bow: 0.7")
    assert path == f"report: {study / 'report.html'}"
    page = (study / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert run("report", study).code == 0  # made again
    assert (study / "report.html").read_text() == page


def test_other_formats_are_printed(run, study):
    assert run("report", study, "--format", "markdown").out.startswith("# reviews.csv")
    assert run("report", study, "--format", "latex").out.startswith("% Needs")
    assert run("report", study, "--format", "csv").out.startswith("run,rank,label,")
    assert json.loads(run("report", study, "--format", "json").out)["kind"] == "report"
    assert not (study / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("a.html", "<!doctype"), ("a.MD", "# "), ("a.tex", "% "), ("a.json", "{"), ("a.csv", "run,")],
)
def test_the_ending_of_a_file_tells_the_format(run, study, tmp_path, name, beginning):
    assert run("report", study, "--out", tmp_path / name).code == 0
    assert (tmp_path / name).read_text().startswith(beginning)


def test_the_format_may_be_told_beside_the_file(run, study, tmp_path):
    assert run("report", study, "--out", tmp_path / "report.txt", "--format", "markdown").code == 0
    assert (tmp_path / "report.txt").read_text().startswith("# ")


def test_strict(run, refused, study):
    assert run("report", study, "--strict").code == 0
    (study / "report.html").unlink()
    (study / "winner.json").unlink()
    message = refused("report", study, "--strict")
    assert "do not fill in 1 of the items of the reproducibility checklist: languages (Languages); " in message
    assert str(study / "notes.toml") in message
    assert not (study / "report.html").exists()
    (study / "notes.toml").write_text('languages = "English"\n')
    assert run("report", study, "--strict").code == 0


def test_what_is_refused(refused, study, tmp_path):
    assert "is no study: there is no folder of that name" in refused("report", tmp_path / "nowhere")
    assert "STUDY is empty" in refused("report", "")
    message = refused("report", study, "--format", "markdwn")
    assert "expected one of html, markdown, latex, json, csv, got 'markdwn'; did you mean 'markdown'?" in message
    assert "expected a name that ends in .html, .htm, .md" in refused("report", study, "--out", tmp_path / "a.pdf")
    (tmp_path / "there.md").write_text("mine")
    assert "the file exists" in refused("report", study, "--out", tmp_path / "there.md")
    assert "there is no folder" in refused("report", study, "--out", tmp_path / "no" / "a.md")
    (study / "study.json").write_text('{"kind": "study", "format": 7}')
    assert "has format 7, and this version reads up to 1: install a newer chainrule" in refused("report", study)


def test_a_full_disk(refused, study, monkeypatch):
    FullDisk(monkeypatch, full_at=1)
    assert "No space left on device" in refused("report", study)
    assert not (study / "report.html").exists()
