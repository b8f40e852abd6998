"""chainrule vectors embed and search, and summary of a pretrained folder: end to end with a folder made on the spot."""

import numpy as np
import pytest

import chainrule
from chainrule.array_file import ArrayFile
from tests.encoders.tiny import tiny_folder

TEXTS = ["The film is good.", "music and fun", "a very long, dull story", "was it bad?"]


@pytest.fixture
def folder(tmp_path):
    return tiny_folder(tmp_path / "model")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("review\n" + "".join(f'"{text}"\n' for text in TEXTS))
    return path


def test_embed(run, folder, table, tmp_path):
    expected = chainrule.load_pretrained(folder).encode(TEXTS)
    for end in (".safetensors", ".npy", ".csv"):
        out = tmp_path / f"v{end}"
        result = run("vectors", "embed", folder, table, "--text", "review", "--out", out)
        assert (result.code, result.error) == (0, "")
        assert result.out == f"vectors: {out} (4 texts, 16 numbers each)\n"
    with ArrayFile(tmp_path / "v.safetensors") as file:
        np.testing.assert_array_equal(file.read("vectors"), expected)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), expected)
    assert (tmp_path / "v.csv").read_text().startswith("text,1,2,3")


def test_search(run, folder, table, tmp_path):
    plain = run("vectors", "search", folder, table, "music and fun", "--text", "review", "--count", "2")
    first, second = plain.out.splitlines()
    assert first == "music and fun".ljust(len(first) - 6) + "1.0000"
    assert second.split("  ")[0] in TEXTS
    out = tmp_path / "v.npy"
    run("vectors", "embed", folder, table, "--text", "review", "--out", out)
    again = run(
        "vectors", "search", folder, table, "music and fun", "--text", "review", "--count", "2", "--vectors", out
    )
    assert again.out == plain.out


def test_texts_are_cut_and_counted(run, folder, table, tmp_path):
    out = tmp_path / "v.npy"
    result = run("vectors", "embed", folder, table, "--text", "review", "--out", out, "--longest", "5", "--eager")
    assert (result.code, result.error) == (0, "chainrule: 3 of 4 texts have more than 5 tokens, and were cut there\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "FOLDER", "TABLE", "--out", "v.txt"], "expected a name that ends in .safetensors, .npy, .csv"),
        (["embed", "FOLDER", "TABLE", "--out", "TABLE"], "exists already"),
        (["embed", "FOLDER", "TABLE", "--out", "v.npy"], "text"),
        (["embed", "TABLE", "TABLE", "--text", "review", "--out", "v.npy"], "there is no such folder"),
        (["embed", "FOLDER", "EMPTY", "--text", "review", "--out", "v.npy"], "no rows"),
        (["embed", "FOLDER", "TABLE", "--text", "review", "--out", "v.npy", "--longest", "99"], "from 3 tokens to 40"),
        (["embed", "FOLDER", "TABLE", "--text", "review", "--out", "v.npy", "--batch-size", "0"], "batch_size"),
        (["search", "FOLDER", "TABLE", "fun", "--text", "review", "--count", "0"], "--count: expected a whole number"),
        (["search", "FOLDER", "TABLE", "fun", "--text", "review", "--vectors", "none.npy"], "No such file"),
        (["summary", "TABLE"], "no such folder"),
    ],
)
def test_mistakes(run, folder, table, tmp_path, arguments, message):
    (tmp_path / "empty.csv").write_text("review\n")
    places = {"FOLDER": folder, "TABLE": table, "EMPTY": tmp_path / "empty.csv"}
    given = [places.get(x, tmp_path / x if x.startswith(("v.", "none")) else x) for x in arguments]
    result = run(*(() if given[0] == "summary" else ("vectors",)), *given)
    assert (result.code, message in result.error, "Traceback" in result.error) == (2, True, False), result.error


def test_summary(run, folder):
    result = run("summary", folder)
    assert (result.code, result.error) == (0, "")
    assert result.out.startswith("architecture      bert, 2 layers, 2 heads, 24 inside, gelu\n")
    assert "sentence vectors  mean of up to 30 tokens, of length 1\n" in result.out
    assert result.out.splitlines()[-1].startswith("total ")
