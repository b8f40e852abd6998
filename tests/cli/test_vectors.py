"""chainrule vectors: neighbours, analogies, maps, other formats."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

from chainrule.vectors import Vectors, read_vectors

WORDS = ["king", "queen", "man", "woman", "cat"]
MATRIX = np.array([[3, 1, 0], [3, 2, 0], [0, 1, 0], [0, 2, 0], [0, 0, 1]], np.float32)


@pytest.fixture
def file(tmp_path):
    Vectors(WORDS, MATRIX).save(tmp_path / "v.txt")
    return tmp_path / "v.txt"


def test_neighbours_and_analogies(run, file):
    result = run("vectors", "neighbours", file, "king", "--count", "2")
    assert (result.code, result.out, result.error) == (0, "queen  0.9648\nman    0.3162\n", "")
    assert run("vectors", "analogy", file, "man", "woman", "king", "--count", "1").out.startswith("queen  ")


def test_a_map(run, file, tmp_path):
    out = tmp_path / "map.svg"
    result = run("vectors", "map", file, "king", "queen", "cat", "--out", out)
    assert result.out == f"map: {out} (3 words)\n"
    shown = {text.text for text in ET.parse(out).iter("{http://www.w3.org/2000/svg}text")}
    assert shown == {"king", "queen", "cat"}
    again = run("vectors", "map", file, "king", "queen", "--out", out)
    assert (again.code, "the file exists" in again.error) == (2, True)


def test_another_format(run, file, tmp_path):
    out = tmp_path / "v.safetensors"
    assert run("vectors", "convert", file, "--out", out).out == f"vectors: {out} (5 words, 3 numbers each)\n"
    assert (read_vectors(out).matrix == MATRIX).all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["neighbours", "v.txt", "kign"], "no vector of the word 'kign'; did you mean 'king'?"),
        (["neighbours", "nowhere.txt", "king"], "nowhere.txt: no such file"),
        (["neighbours", "v.txt", "king", "--count", "0"], "count: expected a whole number of 1 or more, got 0"),
        (["map", "v.txt", "king", "cat", "--out", "map.png"], "--out map.png: expected the name of an SVG file"),
        (["map", "v.txt", "king", "--out", "map.svg"], "a map takes two words or more, got 1"),
        (["convert", "v.txt", "--out", "v.csv"], "v.csv: expected a name that ends in"),
    ],
)
def test_mistakes(run, file, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    result = run("vectors", *words)
    assert result.code == 2
    assert told in result.error


def test_remarks_are_said(run, file):
    file.write_text("a 1 2\nb 2 1\na 3 3\n", encoding="utf-8")
    assert "1 words come twice, of which the first vector is kept: 'a'" in run("vectors", "neighbours", file, "b").error


def test_learning(run, tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat\nthe dog sat on the mat\n" * 20, encoding="utf-8")
    out = tmp_path / "v.safetensors"
    words = ["vectors", "train", tmp_path / "text.txt", "--dim", "6", "--epochs", "2", "--architecture", "cbow"]
    result = run(*words, "--out", out)
    assert (result.code, result.out) == (0, f"vectors: {out} (6 words, 6 numbers each)\n")
    assert result.error.count("chainrule: epoch ") == 2
    again = run(*words, "--quiet", "--threads", "1", "--out", tmp_path / "again.safetensors")
    assert again.error == ""
    assert out.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    subwords = run(*words[:3], "--subwords", "--buckets", "50", "--quiet", "--out", tmp_path / "v.txt")
    assert "the vectors of subwords are not written" in subwords.error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--window", "0"], "--window must be a whole number of 1 or more, got 0"),
        (["--architecture", "bow"], "--architecture must be one of skip-gram, cbow, got 'bow'; did you mean 'cbow'?"),
        (["--windw", "3"], "unrecognized arguments: --windw 3; did you mean '--window'?"),
        (["--min-count", "99"], "the text has 0 words that occur 99 times; lower --min-count"),
        (["--out", "v.csv"], "v.csv: expected a name that ends in .txt, .vec, .bin, .safetensors"),
    ],
)
def test_mistakes_of_learning(run, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("so good\n" * 20, encoding="utf-8")
    result = run("vectors", "train", "text.txt", *(["--out", "v.txt"] if "--out" not in words else []), *words)
    assert result.code == 2
    assert told in result.error
