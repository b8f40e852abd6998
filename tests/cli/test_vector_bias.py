"""chainrule vectors weat, direction and project: what they print and write, and what they refuse."""

import json

import numpy as np
import pytest

from chainrule.encoders import SentenceEncoder
from chainrule.fairness import AssociationTest, Pairs, seat
from chainrule.vectors import Vectors, read_vectors
from tests.cli.test_explain import Page
from tests.encoders.small import encoder_folder


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Vectors of the words of WEAT 6 and of the pairs, small letters, in which names lean to a side."""
    test, pairs = AssociationTest.read("6"), Pairs.read("en")
    words = {word.lower() for held in test.lists.values() for word in held}
    words |= {word for pair in pairs.pairs if pair.kind != "names" for word in pair.words}
    listed = sorted(words)
    rows = np.random.default_rng(0).normal(size=(len(listed), 20))
    men, women, career, family = ({word.lower() for word in held} for held in test.lists.values())
    for row, word in enumerate(listed):
        rows[row, 0] += 3 * ((word in men or word in career) - (word in women or word in family))
    for pair in pairs.pairs:
        for word, side in zip(pair.words, (3, -3), strict=True):
            if word in words and pair.kind != "names":
                rows[listed.index(word), 0] = side
    path = tmp_path_factory.mktemp("vectors") / "vectors.txt"
    Vectors(listed, rows.astype(np.float32)).save(path)
    return path


def test_a_test_is_printed_with_its_p(run, file):
    result = run("vectors", "weat", file, "--test", "6")
    assert (result.code, result.error) == (0, "")
    assert "Goldfarb-Tarrant" in result.out.splitlines()[0]
    line = next(line for line in result.out.splitlines() if line.startswith("6 "))
    assert "Male names / Female names, Career / Family" in line
    assert "32 of 32 words" in line
    assert line.split()[-2:] == ["all", "12,870"]


def test_a_test_as_page_and_json(run, file, tmp_path):
    out = tmp_path / "weat.html"
    result = run("vectors", "weat", file, "--test", "6", "--out", out)
    assert result.out.endswith(f"associations: {out}\n")
    assert {"svg", "table"} <= set(Page(out.read_text(encoding="utf-8")).tags)
    (found,) = json.loads(run("vectors", "weat", file, "--test", "6", "--json").out)["found"]
    assert found["effect"] > 1
    assert found["exact"]


def test_words_that_are_missing_are_refused(refused, file):
    message = refused("vectors", "weat", file)
    assert "test 1: 0 of the 25 words of 'Flowers' have a vector, and 80 % are needed" in message


def test_a_direction_is_told_and_drawn(run, file, tmp_path):
    out = tmp_path / "direction.svg"
    result = run("vectors", "direction", file, "john", "salary", "--count", "3", "--out", out)
    assert "direction from men to women: 84 pairs" in result.out
    told = dict(line.split() for line in result.out.partition("words asked for\n")[2].splitlines()[:2])
    assert float(told["john"]) < 0
    assert float(told["salary"]) < 0
    assert out.read_text(encoding="utf-8").startswith("<svg")
    assert result.out.endswith(f"picture: {out}\n")


def test_vectors_are_written_without_it(run, file, tmp_path):
    out = tmp_path / "without.safetensors"
    result = run("vectors", "project", file, "--out", out, "--test", "6")
    assert "changed: the mean size of projections on the direction, from " in result.out
    assert "not changed: how words are alike" in result.out
    assert "d (p) before" in result.out
    before, after = read_vectors(file), read_vectors(out)
    assert list(after.words) == list(before.words)
    assert after["he"] == pytest.approx(before["he"], abs=1e-5)
    assert abs(after["john"][0]) < abs(before["john"][0]) / 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["direction", "--out", "x.png"], "--out x.png: expected the name of an SVG file, such as x.svg"),
        (["direction", "--pairs", "fr"], "pairs have a vector of both words, and 80 % are needed"),
        (["weat", "--test", "12"], "12: a list of words cannot be read"),
        (["weat", "--out", "x.svg"], "x.svg: expected a name that ends in .html (a page) or .json"),
        (["project", "--out", "x.npy"], "x.npy"),
        (["weat", "--sentences"], "vectors.txt"),
    ],
)
def test_what_cannot_be_is_refused(refused, file, words, message):
    assert message in refused("vectors", words[0], file, *words[1:])


def test_sentences_are_tested_by_a_pretrained_encoder(run, tmp_path):
    folder = encoder_folder(tmp_path / "encoder")
    test = tmp_path / "test.txt"
    test.write_text("[a]\ngood, fun\n[b]\nbad, dull\n[c]\nwarm, clever\n[d]\ncold, silly\n", encoding="utf-8")
    result = run("vectors", "weat", folder, "--sentences", "--test", test, "--json")
    assert result.code == 0, result.error
    (found,) = json.loads(result.out)["found"]
    known = seat(SentenceEncoder.of_folder(folder).encode, test)
    assert found["effect"] == pytest.approx(known.effect)
    assert found["partitions"] == 6
