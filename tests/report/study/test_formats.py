"""Formats beside the page: Markdown, LaTeX, JSON and CSV."""

import csv
import io
import json
import re

import pytest

from chainrule.report import read_study


@pytest.fixture(scope="module")
def study(compared):
    return read_study(compared)


def test_markdown_has_the_tables(study):
    text = study.report("markdown")
    assert text.startswith("# reviews.csv: 3 learners, 15 runs\n\n**No winner can be named: bow has the best ")
    assert "\n## Ranking\n" in text
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert f"| 1 | bow | {study.ranking()[0].mean:.4f} ± " in text


def test_latex_is_balanced(study):
    text = study.report("latex")
    assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") > 5
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[#%_](?!.*usepackage)", re.sub("^%.*", "", text))


def test_json_has_all_figures(study):
    held = json.loads(study.report("json"))
    assert held["kind"] == "report"
    assert held["verdict"] == {"winner": "bow", "named": False, "alpha": 0.05, "over": "seeds and examples"}
    assert [x["label"] for x in held["ranking"]] == ["bow", "ffnn", "cnn"]
    assert held["ranking"][0]["valid"]["mean"] == study.ranking()[0].mean
    assert held["ranking"][0]["valid"]["interval"][0] < held["ranking"][0]["valid"]["mean"]
    assert held["checklist"]["languages"]["answer"].startswith("English")
    (measures, *_) = held["sections"]["test"]
    assert measures["columns"] == ["measure", "bow", "ffnn", "cnn"]


def test_csv_has_a_row_a_run(study):
    rows = list(csv.DictReader(io.StringIO(study.report("csv"))))
    assert len(rows) == len(study.runs) == 15
    assert rows[0]["run"] == study.runs[0].name
    assert float(rows[0]["valid.accuracy"]) == study.runs[0].valid["accuracy"]
    assert float(rows[0]["test.accuracy"]) == study.tests[study.runs[0].name]["accuracy"]
    assert rows[0]["training.learning_rate"] == "0.01"
    failed = next(row for row in rows if row["state"] == "failed")
    assert (failed["valid.accuracy"], failed["best_epoch"]) == ("", "")
