"""chainrule explain and chainrule filters: what they print and write, and what they refuse."""

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import polars as pl
import pytest

import chainrule
from tests.samples import fit

ATTACK = "<script>alert('x')</script> & \"bad\" fun"


@pytest.fixture(scope="module")
def folders(two_classes, tmp_path_factory):
    """A convolutional network, a transformer with pooling by attention, and a model of columns."""
    place = tmp_path_factory.mktemp("explained")
    fit("cnn", two_classes, engine="eager").model.save(place / "cnn")
    learner = chainrule.Transformer(dim=6, model_size=8, heads=2, inner_size=8, pooling="attention")
    training = chainrule.Training(epochs=2, learning_rate=0.01)
    chainrule.fit(learner, two_classes, two_classes, training=training, engine="eager").model.save(
        place / "transformer"
    )
    frame = pl.DataFrame({"a": [1.0, 2.0] * 8, "label": list("pn") * 8})
    columns = chainrule.Table.from_frame(frame, numbers=["a"], label="label")
    chainrule.fit(chainrule.LinearModel(), columns, columns, engine="eager").model.save(place / "columns")
    return place


class Page(HTMLParser):
    """The tags of a page, its text, and what it would load."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.said, self.loads = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.said.append(data)


def test_words_are_printed_with_what_they_contributed(run, saved):
    result = run("explain", saved["bow"], "bad word1 fun strange")
    assert (result.code, result.error) == (0, "")
    first, *words, together, rest, score, unknown = result.out.splitlines()
    assert first.startswith(("negative against positive: negative\t", "positive against negative: positive\t"))
    assert [line.split()[1] for line in words] == ["bad", "word1", "fun", "strange"]
    numbers = [float(line.split()[0]) for line in [*words, together, rest, score]]
    assert sum(numbers[:4]) == pytest.approx(numbers[4], abs=0.03)
    assert numbers[4] + numbers[5] == pytest.approx(numbers[6], abs=0.02)
    for line, number in zip(words, numbers, strict=False):
        bar = line.split()[-1]
        assert set(bar) == {"+" if number > 0 else "-"} or abs(number) < 0.05
    assert score.endswith("the score: ln of how many times as likely")
    assert unknown == "? is a word that the model does not know"


def test_another_label(run, saved):
    first = run("explain", saved["ffnn"], "bad", "--answer", "positive").out.splitlines()[0]
    assert first.startswith("positive against negative: ")


def test_several_texts_are_apart(run, saved):
    assert run("explain", saved["bow"], "bad fun", "good").out.count("\n\n") == 1


@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_a_page_needs_nothing_else_and_takes_texts_as_texts(run, folders, tmp_path, name):
    out = tmp_path / "why.html"
    assert run("explain", folders / name, ATTACK, "", "--out", out).out == f"explanation: {out}\n"
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads == []
    assert "script" not in page.tags
    assert page.tags.count("section") == 2
    said = " ".join(" ".join(page.said).split())
    for word in ("script", "alert", "&", '"', "no words"):
        assert word in said
    assert "prefers-color-scheme:dark" in text
    assert 'name="viewport"' in text
    assert ("details" in page.tags) == (name == "transformer")
    assert text.count("<svg") == (12 if name == "transformer" else 0)  # two texts, layers, and for each mean and heads


def test_a_picture(run, folders, tmp_path):
    out = tmp_path / "why.svg"
    assert run("explain", folders / "transformer", f"{ATTACK} " * 9, "--out", out).code == 0
    texts = [x.text for x in ET.parse(out).iter("{http://www.w3.org/2000/svg}text")]
    assert "script ?" in texts
    assert "layer 1, mean of 2 heads, of the first 40 of 162 tokens" in texts
    assert "attention pooling: how much each token counts" in texts


def test_filters(run, folders, csv_file, tmp_path):
    result = run("filters", folders / "cnn", csv_file, "--most", 2, "--ngrams", 3, "--eager")
    assert (result.code, result.error) == (0, "")
    lines = result.out.splitlines()
    assert [lines[0], lines[3]] == ["for negative", "for positive"]
    assert lines[1].count('"') == 6
    out = tmp_path / "f.html"
    assert run("filters", folders / "cnn", csv_file, "--out", out, "--eager").out == f"filters: {out}\n"
    assert Page(out.read_text()).loads == []


def test_what_is_refused(refused, saved, folders, csv_file, tmp_path):
    there = tmp_path / "there.html"
    there.write_text("mine")
    assert "the file exists" in refused("explain", saved["bow"], "good", "--out", there)
    assert there.read_text() == "mine"
    assert "ends in .html (a page) or .svg" in refused("explain", saved["bow"], "good", "--out", tmp_path / "x.png")
    assert "a picture is of one text, got 2" in refused("explain", saved["bow"], "a", "b", "--out", tmp_path / "x.svg")
    assert "did you mean 'positive'?" in refused("explain", saved["bow"], "good", "--answer", "positiv")
    assert "reads columns of numbers" in refused("explain", folders / "columns", "good")
    assert "reads columns of numbers" in refused("filters", folders / "columns", csv_file)
    assert "the following arguments are required: TEXT" in refused("explain", saved["bow"])
    assert "is the name of a file" in refused("explain", saved["bow"], csv_file)
    assert "expected a model of the learner cnn, got bow" in refused("filters", saved["bow"], csv_file)
    assert "must be 1 or more, got 0" in refused("filters", folders / "cnn", csv_file, "--most", 0)
    assert "ends in .html" in refused("filters", folders / "cnn", csv_file, "--out", tmp_path / "f.svg")


@pytest.mark.parametrize("command", ["explain", "filters"])
def test_help(run, command):
    result = run(command, "--help")
    assert result.code == 0
    assert "example" in result.out
