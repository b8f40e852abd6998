"""chainrule bias: what it prints and writes, and what it refuses."""

import csv
import json
import random

import pytest

import chainrule
from chainrule.report.study import read_study
from tests import samples
from tests.cli.test_explain import Page

NAMES = {"f": ["she", "her", "Mary"], "m": ["he", "his", "James"]}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Rows of texts whose group is a column, and is told by a word."""
    path = tmp_path_factory.mktemp("bias") / "test.csv"
    draw = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "gender", "age"])
        for text, label in samples.make_rows(160, seed=2):
            group = draw.choice("fm")
            said = f"{text} {draw.choice(NAMES[group])}"
            writer.writerow([said, label, group, draw.choice(["old", "<b>young</b>"])])
    return path


def test_figures_of_groups_are_printed(run, saved, table):
    result = run("bias", saved["bow"], table, "--groups", "gender", "--eager")
    assert (result.code, result.error) == (0, "")
    assert "160 rows, one model, groups by column gender" in result.out
    head = next(line for line in result.out.splitlines() if line.startswith("gap "))
    assert head.split() == ["gap", "greatest", "least", "difference", "ratio", "p", "named"]
    assert "equalized_odds_difference of positive" in result.out
    assert "unbiased" not in result.out.lower()


def test_json_has_all_figures_and_a_page_needs_nothing_else(run, saved, table, tmp_path):
    out = tmp_path / "bias.html"
    words = ["bias", saved["bow"], table, "--groups", "gender,age", "--swap", "en", "--eager"]
    result = run(*words, "--out", out)
    assert result.out.endswith(f"bias: {out}\n")
    page = Page(out.read_text(encoding="utf-8"))
    assert [x for x in page.loads if not x.startswith("#")] == []
    assert page.tags.count("b") == 0
    assert {"svg", "table", "section"} <= set(page.tags)
    groups, swaps = json.loads(run(*words, "--json").out)["found"]
    assert groups["by"] == "columns gender, age"
    assert groups["groups"][0]["name"] == "f / <b>young</b>"
    assert swaps["swapped"] == 160
    held = tmp_path / "bias.json"
    run(*words, "--out", held)
    assert json.loads(held.read_text(encoding="utf-8"))["found"][0]["rows"] == 160


def test_words_of_texts_make_groups(run, saved, table):
    out = run("bias", saved["bow"], table, "--lexicon", "en", "--eager").out
    assert "groups by words of en" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("men ", "women "))][:2] == ["men", "women"]


def test_sentences_need_no_table(run, saved):
    out = run("bias", saved["bow"], "--templates", "fr", "--swap", "fr", "--told", "1", "--eager").out
    assert out.startswith("templates fr: words of fr swapped in ")
    assert "the texts that change most:" in out


def test_a_model_before(run, saved, table):
    out = run("bias", saved["ffnn"], table, "--groups", "gender", "--before", saved["bow"], "--eager").out
    assert "before and after" in out
    assert "Not changed, as far as these rows tell:" in out


def test_the_same_learner_with_another_seed(run, saved, table):
    out = run("bias", saved["bow"], table, "--groups", "gender", "--also", saved["bow"], "--eager").out
    assert "the mean of 2 models" in out
    assert "over other rows and other seeds" in out


def test_a_study_is_asked_and_its_report_says_what_was_tested(run, csv_file, table, tmp_path):
    study = tmp_path / "study"
    words = ["--learners", "bow", "--seeds", "2", "--epochs", "1", "--out", study, "--quiet", "--jobs", "1", "--eager"]
    assert run("compare", csv_file, *words, "--keep", "all").code == 0
    before = read_study(study).report("markdown")
    assert "## Bias" in before
    assert "Not tested: figures and gaps by group" in before
    assert "test of the best configuration" not in before
    result = run("bias", study, table, "--groups", "gender", "--eager")
    assert result.error == f"chainrule: {study}: bow, 2 of its 2 models\n"
    assert "the mean of 2 models" in result.out
    run("bias", study, table, "--groups", "gender", "--eager")
    after = read_study(study).report("markdown")
    assert "1 test of the best configuration." in after
    assert "160 rows of" in after
    assert "Not tested: answers when he is she" in after
    run("bias", study, table, "--swap", "en", "--eager")
    both = read_study(study).report("html")
    assert "2 tests of the best configuration." in both
    assert "Not tested:" not in both
    for page in (before, after, both):
        assert "unbiased" not in page.lower()


def test_a_study_whose_models_are_gone_says_so(run, csv_file, table, tmp_path):
    study = tmp_path / "study"
    words = ["--learners", "bow", "--seeds", "2", "--epochs", "1", "--out", study, "--quiet", "--jobs", "1", "--eager"]
    assert run("compare", csv_file, *words).code == 0
    first, second = (folder / "model.json" for folder in sorted((study / "runs").iterdir()))
    first.unlink()
    result = run("bias", study, table, "--groups", "gender", "--eager")
    assert "bow, 1 of its 2 models; the others were not kept" in result.error
    second.unlink()
    message = run("bias", study, table, "--groups", "gender").error
    assert "the study keeps no model of its best configuration; make it with --keep all" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to look at: add --groups COLUMN, --lexicon en, or --swap en"),
        (["--groups", "gender", "--lexicon", "en"], "--groups and --lexicon: both make groups; give one of them"),
        (["--templates", "en"], "--templates 'en': words of sentences are swapped; add --swap en"),
        (["--swap", "en", "--before", "x"], "--before: gaps between groups are compared; add --groups COLUMN"),
        (["--groups", "size"], "no column 'size'; the columns are 'text', 'label', 'gender', 'age'. Name columns that "
                               "are there: --groups NAME"),
        (["--groups", "gender", "--out", "x.pdf"], "x.pdf: expected a name that ends in .html (a page) or .json"),
        (["--groups", "text"], "groups by column text: expected 2 to 50 groups, got 160"),
        (["--swap", "de"], "de: a list of words cannot be read: No such file or directory; with the library come en"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(refused, saved, table, words, message):
    assert message in refused("bias", saved["bow"], table, *words)


def test_a_missing_table_and_a_file_that_is_there(refused, saved, table, tmp_path):
    assert "the table is missing" in refused("bias", saved["bow"], "--groups", "gender")
    assert "the table is missing" in refused("bias", saved["bow"], "--swap", "en")
    (tmp_path / "there.html").write_text("x")
    message = refused("bias", saved["bow"], table, "--groups", "gender", "--out", tmp_path / "there.html")
    assert "the file exists; choose another name" in message


def test_before_and_after_must_ask_the_same(saved, three_classes, held_out):
    model = samples.fit("bow", three_classes, three_classes, epochs=1, engine="eager").model
    groups = chainrule.fairness.Groups.of(["a", "b"] * 45)
    with pytest.raises(ValueError, match="before and after: expected models of the same task and labels"):
        chainrule.fairness.change(model, chainrule.Model.load(saved["bow"]), held_out, groups, engine="eager")
