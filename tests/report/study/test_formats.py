"""Formats beside the page: Markdown, LaTeX, JSON and CSV."""

import csv
import io
import json
import re
import shutil
import subprocess

import pytest

from chainrule.report import read_study
from chainrule.report.study.latex import escaped
from tests.report.study.folders import Folder


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
    bare = re.sub(r"\\[{}]|^%.*", "", text, flags=re.MULTILINE)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"(?<!\\)[%_]|(?<!\\)#(?![12])", re.sub("^%.*", "", text, flags=re.MULTILINE))


PDFLATEX = shutil.which("pdflatex")
DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{longtable}
\begin{document}
\input{report.tex}
\end{document}
"""


@pytest.mark.skipif(PDFLATEX is None, reason="no LaTeX is installed: apt install texlive-latex-recommended")
@pytest.mark.parametrize("name", ["compared", "searched", "hostile"])
def test_latex_compiles(name, request, tmp_path):
    """With the packages that its head names, whatever texts, labels and names hold."""
    if name == "hostile":
        letters = "".join(chr(x) for x in [*range(32, 127), *range(0xA0, 0x180), *range(0x391, 0x3CA)])
        texts = (letters, "--learners ''a'' ``b`` !` ?` [x] *y* \\input{x} 長い名前 🎉 ☃ ≤ ŷ −1 e\u0301 \x07", "")
        learners = [{"name": "ffnn", "dim": letters[:60]}, {"name": "$&%#_{}~^\\"}]
        folder = Folder(tmp_path / "study", learners, labels=("[a]", "長い & _b_"), texts=texts, failing=("ffnn",))
        study = read_study(folder.write())
    else:
        study = read_study(request.getfixturevalue(name))
    (tmp_path / "report.tex").write_text(study.report("latex"), encoding="utf-8")
    (tmp_path / "main.tex").write_text(DOCUMENT, encoding="utf-8")
    command = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "main.pdf").read_bytes().startswith(b"%PDF")


def test_dashes_and_quotes_of_command_lines_stay_apart():
    assert escaped("--out ''x'' – é ε 長") == (r"-{}-out '{}'x'{}' -- é \ensuremath{\varepsilon} \beyond{長}{9577}")


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
