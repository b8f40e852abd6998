"""`chainrule find-rate`, and `chainrule train --lr auto`."""

import json

from tests.samples import make_rows, write_rows


def test_it_says_which_rate_and_why(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", make_rows(400))
    done = run("find-rate", table, "--epochs", "40", "--picture", tmp_path / "rates.svg")
    assert done.code == 0
    rows = dict(line.split("  ", 1) for line in done.out.splitlines())
    assert 1e-4 < float(rows["learning rate"]) < 10
    assert "three fifths of the fall" in rows["why"]
    assert (tmp_path / "rates.svg").read_bytes().startswith(b"<svg")
    found = json.loads(run("find-rate", table, "--epochs", "40", "--json").out)
    assert f"{found['suggestion']:.2g}" == rows["learning rate"].strip()
    assert len(found["rates"]) == len(found["losses"]) > 100


def test_training_finds_its_rate(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", make_rows(400))
    done = run("train", table, "--lr", "auto", "--epochs", "40", "--out", tmp_path / "model")
    assert done.code == 0
    assert "chainrule: learning rate " in done.error
    first = json.loads((tmp_path / "model" / "record.jsonl").read_text().splitlines()[0])
    assert first["training"]["learning_rate"] == first["range_test"]["suggestion"]
    assert f"learning_rate = {first['range_test']['suggestion']}" in (tmp_path / "model" / "settings.toml").read_text()


def test_a_settings_file_may_say_auto(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", make_rows(400))
    (tmp_path / "auto.toml").write_text('[training]\nlearning_rate = "auto"\nepochs = 2\n')
    done = run("train", table, "--config", tmp_path / "auto.toml", "--out", tmp_path / "model", "--quiet")
    assert (done.code, done.error) == (0, "")


def test_no_clear_range_is_said(run, tmp_path):
    table = write_rows(tmp_path / "t.csv", make_rows(60))
    done = run("find-rate", table, "--epochs", "1")
    assert "no clear range" in done.out
    assert "of 1 steps no curve can be read" in done.out


def test_what_is_refused(refused, tmp_path):
    table = write_rows(tmp_path / "t.csv", make_rows(60))
    assert "--steps: expected a whole number, got 'many'" in refused("find-rate", table, "--steps", "many")
    assert "--lowest: expected a number, got 'small'" in refused("find-rate", table, "--lowest", "small")
    assert "expected 0 < lowest < highest" in refused("find-rate", table, "--lowest", "3", "--highest", "1")
    assert "the table is missing" in refused("find-rate")
    assert "--lr must be a number above 0 or 'auto' or none" in refused("find-rate", table, "--lr", "x")
    assert "--dim belongs to --learner" in refused("find-rate", table, "--learner", "bow", "--dim", "3")
