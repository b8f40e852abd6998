"""`chainrule check`: a line for each check, and an exit code."""

import json

from tests.samples import make_rows, write_rows


def test_all_is_well(run, tmp_path):
    done = run("check", write_rows(tmp_path / "t.csv", make_rows(300)))
    assert done.code == 0
    assert [line.split("  ")[0] for line in done.out.splitlines()] == ["ok"] * 7
    assert "ln 2 is 0.693" in done.out


def test_something_is_not(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", make_rows(300))
    done = run("check", table, "--lr", "1e-9", "--json")
    assert done.code == 1
    failed = {each["name"] for each in json.loads(done.out)["checks"] if not each["passed"]}
    assert failed == {"better than without a look at rows", "one mini-batch overfitted"}


def test_what_is_refused(refused, tmp_path):
    assert "the table is missing" in refused("check")
