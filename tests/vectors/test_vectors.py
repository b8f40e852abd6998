"""Vectors compared: neighbours, analogies, similarity, points of a plane."""

import numpy as np
import pytest

from chainrule.errors import ConfigurationError, DataError
from chainrule.vectors import Vectors, vectors, write_vectors

DRAWS = np.random.default_rng(0)
MATRIX = DRAWS.normal(size=(50, 5)).astype(np.float32)
WORDS = [f"w{n}" for n in range(50)]
UNIT = MATRIX / np.linalg.norm(MATRIX, axis=1, keepdims=True)


@pytest.fixture
def fifty():
    return Vectors(WORDS, MATRIX)


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_neighbours(fifty, monkeypatch, block):
    monkeypatch.setattr(vectors, "BLOCK", block)
    cosines = UNIT @ UNIT[7]
    order = [place for place in np.argsort(-cosines) if place != 7][:4]
    found = fifty.neighbours("w7", 4)
    assert [word for word, _ in found] == [WORDS[place] for place in order]
    assert [cosine for _, cosine in found] == pytest.approx(cosines[order].tolist(), abs=1e-6)
    assert len(fifty.neighbours("w7", 1000)) == 49
    assert fifty.neighbours(MATRIX[7], 1)[0][0] == "w7"
    with pytest.raises(ConfigurationError, match="count: expected a whole number of 1 or more, got 0"):
        fifty.neighbours("w7", 0)


def test_analogies(fifty):
    target = UNIT[2] - UNIT[1] + UNIT[3]
    order = [place for place in np.argsort(-(UNIT @ target)) if place not in (1, 2, 3)][:3]
    assert [word for word, _ in fifty.analogy("w1", "w2", "w3", 3)] == [WORDS[place] for place in order]


def test_vectors_of_length_0_are_nobodys_neighbours():
    held = Vectors(["a", "b", "zero"], np.array([[1, 0], [1, 1], [0, 0.0]]))
    assert [word for word, _ in held.neighbours("a")] == ["b"]
    assert held.similarity("a", "zero") == 0
    assert held.neighbours("zero") == [("a", 0.0), ("b", 0.0)]


def test_points_of_a_plane(fifty):
    """The distances along the two axes are those of the principal components."""
    points = fifty.plane(WORDS)
    covariance = np.cov(MATRIX.T.astype(np.float64), bias=True)
    largest = np.sort(np.linalg.eigvalsh(covariance))[::-1][:2]
    assert points.var(axis=0) == pytest.approx(largest)
    assert points[:, 0] @ points[:, 1] == pytest.approx(0, abs=1e-9)
    assert Vectors(["a", "b"], np.array([[1.0], [2.0]])).plane(["a", "b"])[:, 1].tolist() == [0, 0]
    with pytest.raises(ConfigurationError, match="two words or more"):
        fifty.plane(["w1"])


def test_words_that_are_not_there(fifty):
    with pytest.raises(ConfigurationError, match=r"no vector of the word 'w500'; did you mean 'w50?"):
        fifty["w500"]


def test_what_does_not_fit():
    with pytest.raises(
        DataError, match=r"expected floating-point numbers of shape \(2, size\), got float64 of shape \(1, 2\)"
    ):
        Vectors(["a", "b"], np.zeros((1, 2)))
    with pytest.raises(DataError, match="the word 'a' comes twice"):
        Vectors(["a", "b", "a"], np.zeros((3, 2)))


def test_what_cannot_be_written(tmp_path):
    held = Vectors(["New York"], np.ones((1, 2), np.float32))
    with pytest.raises(DataError, match="the word 'New York' holds what stands between words"):
        write_vectors(held, tmp_path / "v.txt")
    with pytest.raises(ConfigurationError, match=r"expected a name that ends in \.txt, \.vec, \.bin, \.safetensors"):
        write_vectors(held, tmp_path / "v.csv")
    write_vectors(held, tmp_path / "v.safetensors")
    assert not (tmp_path / "v.txt").exists()
