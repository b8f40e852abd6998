"""The section of bias: what was tested, what was not, and records that are odd."""

import json

import pytest

from chainrule.errors import DataError
from chainrule.report.study import read_study
from chainrule.report.study.bias import RECORD

HOSTILE = "<script>alert(1)</script>"
LINE = {
    "kind": "bias by group", "table": HOSTILE, "rows": 100, "by": HOSTILE, "models": 2, "answer": HOSTILE,
    "gaps": [{"name": "tpr", "of": HOSTILE, "greatest": HOSTILE, "least": "m", "difference": 0.1, "corrected": 0.01,
              "named": True}],
}  # fmt: skip


def written(study, *lines):
    path = study.folder / RECORD
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def study(compared):
    yield read_study(compared)
    (read_study(compared).folder / RECORD).unlink(missing_ok=True)


def test_nothing_tested_is_said(study):
    text = study.report("markdown").partition("## Bias")[2].partition("##")[0]
    assert text.count("chainrule bias STUDY TABLE") == 2
    assert "Not tested" in text


def test_the_last_of_the_same_test_counts_and_nothing_is_markup(study):
    written(study, LINE | {"rows": 1}, LINE, {"kind": "another"})
    page = study.report("html")
    assert HOSTILE not in page
    assert "1 test of the best configuration." in page
    assert "100 rows of" in page
    assert "Not tested: answers when he is she" in page
    held = json.loads(study.report("json"))["sections"]["bias"]
    assert held[1]["rows"][0][4:] == [0.1, 0.01]


def test_a_record_that_is_odd_is_refused(study):
    written(study, LINE | {"gaps": [{"named": True}]})
    with pytest.raises(DataError, match="a record is not as studies have it"):
        study.report("html")
