"""The page of a report: all sections, nothing from elsewhere, and texts that are never markup."""

import base64
import html.parser
import json
import re

import pytest

from chainrule.report import read_study
from chainrule.report.study.answer import answer
from tests.report.study.folders import Folder

#: What a page must never let through.
HOSTILE = '<script>alert("1")</script>\'"&<img src=x onerror=alert(2)>\u202egnp.exe\u2066\x1b[31m]]>--></style>'
SECTIONS = [
    "ranking",
    "comparison",
    "curves",
    "test",
    "calibration",
    "examples",
    "winner",
    "diagnostics",
    "bias",
    "reproducibility",
]
VOID = {"meta", "input", "br", "img", "rect", "circle", "polyline", "polygon"}


class Reader(html.parser.HTMLParser):
    """The elements of a page, with what is open, and the texts outside of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open, self.texts, self.sections = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag == "section":
            self.sections.append(dict(attributes)["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, text):
        if not {"script", "style"} & set(self.open):
            self.texts.append(text)


def test_it_has_all_sections(compared):
    page = Reader(read_study(compared).report())
    assert page.open == []
    assert page.sections == SECTIONS
    assert [x["href"] for tag, x in page.found if tag == "a"] == [f"#{name}" for name in SECTIONS]


def test_a_search_has_two_more(searched):
    page = Reader(read_study(searched).report())
    assert page.sections == [*SECTIONS[:3], "budget", "effects", *SECTIONS[3:]]


def test_it_needs_nothing_from_elsewhere(compared):
    text = read_study(compared).report()
    page = Reader(text)
    for tag, attributes in page.found:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in ("src", "href", "srcset", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:image/svg+xml;base64,"))
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|url\(", text)
    policy = next(x["content"] for tag, x in page.found if x.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-inline'; img-src data:; script-src 'sha256-" in policy


def test_the_same_records_give_the_same_page(compared):
    assert read_study(compared).report() == read_study(compared).report()


def test_tables_are_whole(compared):
    page = read_study(compared).report()
    tables = re.findall("<table.*?</table>", page, flags=re.DOTALL)
    assert len(tables) > 10
    for table in tables:
        columns = {len(re.findall("<t[hd][ >]", row)) for row in re.findall("<tr>.*?</tr>", table, flags=re.DOTALL)}
        assert len(columns) == 1


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    learners = [{"name": HOSTILE, "dim": HOSTILE}, {"name": "bow", HOSTILE: [HOSTILE]}]
    folder = Folder(
        tmp_path_factory.mktemp("hostile") / "study", learners, labels=(HOSTILE, "b"),
        texts=(HOSTILE, f"a {HOSTILE} b"), failing=("bow",),
    ).write()  # fmt: skip
    described = json.loads((folder / "study.json").read_text())
    described["data"]["name"] = described["measure"]["title"] = HOSTILE
    described["command"], described["machine"] = ["chainrule", HOSTILE], {"processor": HOSTILE}
    (folder / "study.json").write_text(json.dumps(described))
    lines = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    for line in lines:
        line |= {"reason": HOSTILE, "findings": [HOSTILE]} if line["kind"] == "run" else {}
    (folder / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    winner = json.loads((folder / "winner.json").read_text())
    winner |= {"summary": f"{HOSTILE}\n{HOSTILE}", "run": HOSTILE, "graph": f'<svg onload="alert(3)">{HOSTILE}</svg>'}
    (folder / "winner.json").write_text(json.dumps(winner))
    (folder / "notes.toml").write_text(f"languages = {json.dumps(HOSTILE)}")
    return read_study(folder)


def test_texts_are_never_markup(hostile):
    text = hostile.report()
    page = Reader(text)
    assert page.open == []
    assert page.sections == SECTIONS
    assert len([tag for tag, _ in page.found if tag == "script"]) == 1
    assert all("alert" not in x.get("src", "") for tag, x in page.found)
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    assert sum("alert(2)" in x for x in page.texts) > 20  # it is all there, as text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", text)


def test_a_picture_from_a_file_is_an_image(hostile):
    """A script in it does not run there."""
    page = hostile.report()
    (source,) = re.findall('src="data:image/svg[+]xml;base64,([^"]*)"', page)
    assert b"onload" in base64.b64decode(source)
    assert "onload" not in page


def test_markdown_and_latex_have_no_markup_of_texts(hostile):
    markdown = hostile.report("markdown")
    assert not re.search(r"(?<!\\)<", re.sub("^```.*?^```$", "", markdown, flags=re.DOTALL | re.MULTILINE))
    assert "\\<script\\>alert" in markdown
    latex = hostile.report("latex")
    assert r"\textless{}script\textgreater{}" in latex
    assert "<script" not in latex
    for text in (markdown, latex, hostile.report("csv")):
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", text)
    assert json.loads(hostile.report("json"))["answer"]


def test_a_regression_has_no_classes(made):
    page = Reader(read_study(made(labels=())).report())
    assert "calibration" not in page.sections
    assert "test" in page.sections
    assert not any("confusion matrix" in text for text in page.texts)


def test_many_classes_are_cut(made):
    page = read_study(made(["bow"], labels=[f"class {i}" for i in range(40)], seeds=2)).report()
    assert "of the 30 commonest of 40" in page


def test_of_200_runs_it_stays_small(tmp_path):
    learners = [{"name": "bow", "dim": 10 * i} for i in range(1, 6)] + ["ffnn", "cnn", "lstm", "gru", "transformer"]
    folder = Folder(tmp_path / "study", learners, seeds=20, epochs=20, rows=1000).write()
    study = read_study(folder)
    assert len(study.runs) == 200
    assert len(study.report().encode()) < 5_000_000


def test_one_run(made):
    text = read_study(made(["bow"], seeds=1)).report()
    assert "bow is the only learner, so there is none to be better than." in text
    assert re.search(r"Accuracy of bow: 0\.\d{4} in validation \(1 run\), and 0\.\d{4} on test rows\.", text)


def test_the_answer_of_a_search_over_one_learner(tmp_path):
    study = read_study(Folder(tmp_path / "study", learners=("bow",), seeds=2, trials=6).write())
    assert answer(study.ranking()).startswith(f"Of {len(study.ranking())} configurations, bow")
    assert answer(study.ranking()).endswith(" is the best in validation; there is no other learner.")
