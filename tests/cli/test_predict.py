"""chainrule predict: arguments, files, standard input; and what it refuses."""

import io
import json
import shutil
import sys

import pytest

import chainrule
from chainrule.cli.predict import stream_lines
from chainrule.errors import DataError
from tests.samples import make_rows, write_rows

TEXTS = ["a good lovely film", "dull, awful word1", "", "tab\there", "🎉 unknown"]


@pytest.fixture
def stdin(monkeypatch):
    """Put bytes into standard input."""

    def call(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return call


def expected(folder, texts):
    """The lines that predicting gives."""
    model = chainrule.Model.load(folder)
    lines = []
    for text, row in zip(texts, model.predict_probabilities(texts), strict=True):
        shown = " ".join(f"{label}={p:.4f}" for label, p in zip(model.labels, row, strict=True))
        lines.append(f"{model.labels[row.argmax()]}\t{shown}\t" + text.replace("\t", "\\t").replace("\n", "\\n"))
    return lines


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_arguments(run, saved, name):
    result = run("predict", saved[name], *TEXTS)
    assert (result.code, result.error) == (0, "")
    assert result.out.splitlines() == expected(saved[name], TEXTS)
    assert result.out.startswith("positive\tnegative=0.")


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_json(run, saved, name):
    result = run("predict", saved[name], *TEXTS, "--json")
    assert (result.code, result.error) == (0, "")
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    assert [line["prediction"] for line in lines] == chainrule.Model.load(saved[name]).predict(TEXTS)
    for line in lines:
        assert set(line["probabilities"]) == {"negative", "positive"}
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=2e-6)
        assert line["prediction"] == max(line["probabilities"], key=line["probabilities"].get)


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("labelled", [True, False])
def test_tables(run, saved, tmp_path, kind, labelled):
    """With labels, which are not looked at, and without."""
    texts = [*TEXTS, "two\nlines"]
    if labelled:
        path = write_rows(tmp_path / f"texts{kind}", [(text, "so-so") for text in texts])
    else:
        path = write_rows(tmp_path / f"texts{kind}", [(text, "1") for text in texts], columns=("text", "id"))
    assert run("predict", saved["bow"], "--file", path).out.splitlines() == expected(saved["bow"], texts)


def test_a_column_of_another_name(run, refused, saved, tmp_path):
    path = write_rows(tmp_path / "texts.csv", [("good", "1")], columns=("review", "id"))
    words = ["predict", saved["bow"], "--file", path]
    assert run(*words, "--text", "review").out.splitlines() == expected(saved["bow"], ["good"])
    assert "no column 'text'; the columns are 'review', 'id'" in refused(*words)


def test_files_of_lines_and_tables_one_after_another(run, saved, tmp_path):
    (tmp_path / "lines.txt").write_text("good fun\n\nbad luck\n", encoding="utf-8")
    table = write_rows(tmp_path / "texts.csv", [("awful", "1")], columns=("text", "id"))
    result = run("predict", saved["bow"], "--file", tmp_path / "lines.txt", "--file", table)
    assert result.out.splitlines() == expected(saved["bow"], ["good fun", "", "bad luck", "awful"])


@pytest.mark.parametrize("words", [[], ["-"]])
@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"good\nbad\n", ["good", "bad"]),
        (b"good\nbad", ["good", "bad"]),
        (b"good\r\n\r\nbad\r\n", ["good", "", "bad"]),
        (b"\n\n\n", ["", "", ""]),
        (b"", []),
        (b"\xef\xbb\xbfgood\n", ["good"]),
        ("🎉 café\n".encode(), ["🎉 café"]),
    ],
)
def test_standard_input(run, saved, stdin, words, data, texts):
    stdin(data)
    result = run("predict", saved["bow"], *words)
    assert (result.code, result.error) == (0, "")
    assert result.out.splitlines() == expected(saved["bow"], texts)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32", "shift_jis"])
def test_standard_input_in_other_encodings(run, saved, stdin, encoding):
    text = "good 日本\n\nbad\n" if encoding != "latin-1" else "good café\n\nbad\n"
    stdin(text.encode(encoding))
    result = run("predict", saved["bow"], "--encoding", encoding, "--json")
    assert [json.loads(line)["text"] for line in result.out.splitlines()] == text.splitlines()


class Trickle(io.RawIOBase):
    """Bytes that come a few at a time."""

    def __init__(self, data, size):
        self.pieces = [data[start : start + size] for start in range(0, len(data), size)]

    def read1(self, _):
        return self.pieces.pop(0) if self.pieces else b""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_lines_do_not_depend_on_how_bytes_arrive(size, encoding):
    text = "ä first\r\n\nsecond\nlast é"
    stream = Trickle(text.encode(encoding), size)
    chunks = list(stream_lines(stream, encoding, "test"))
    assert [line for chunk in chunks for line in chunk] == ["ä first", "", "second", "last é"]


def test_each_line_is_there_as_soon_as_it_is_whole():
    stream = Trickle(b"one\ntwo\nthree", 4)
    lines = stream_lines(stream, "utf-8", "test")
    assert next(lines) == ["one"]
    assert len(stream.pieces) == 3
    assert next(lines) == ["two"]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good\nbad\n\xff\n", "test: byte 0xFF at offset 9 is not valid utf-8: invalid start byte. If it is in"),
        (b"good\nb\xc3", "test: byte 0xC3 at offset 6 is not valid utf-8: unexpected end of data"),
        ("é\né".encode() + b"\xe2\x82 ", "test: byte 0xE2 at offset 5 is not valid utf-8: invalid continuation byte"),
    ],
)
def test_the_byte_that_is_wrong_is_told(size, data, message):
    with pytest.raises(DataError) as caught:
        list(stream_lines(Trickle(data, size), "utf-8", "test"))
    assert message in str(caught.value)


def test_lines_before_a_wrong_byte_are_answered(run, saved, tmp_path):
    """What arrived in good order in an earlier chunk has been printed."""
    (tmp_path / "lines.txt").write_bytes(b"good\n" * 80_000 + b"\xff\n")
    result = run("predict", saved["bow"], "--file", tmp_path / "lines.txt")
    assert result.code == 2
    assert result.error.startswith(f"chainrule: error: {tmp_path / 'lines.txt'}: byte 0xFF at offset 400000 ")
    assert result.out.splitlines()[0] == expected(saved["bow"], ["good"])[0]


def test_a_binary_file(refused, saved, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    message = refused("predict", saved["bow"], "--file", tmp_path / "picture.png")
    assert "picture.png: byte 0x89 at offset 0 is not valid utf-8: invalid start byte. " in message
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    message = refused("predict", saved["bow"], "--file", tmp_path / "picture.png")
    assert message.endswith("Is it a binary file?")


@pytest.mark.parametrize("encoding", ["klingon", "zlib", "undefined"])
def test_an_unknown_encoding(refused, saved, stdin, encoding):
    stdin(b"good\n")
    assert f"unknown encoding '{encoding}'" in refused("predict", saved["bow"], "--encoding", encoding)


NAMES = [
    "reviews.csv",
    "reviews.txt",
    "no/such/place.TXT",
    "server.log",
    "notes.md",
    "data.json",
    "book.xlsx",
    "reviews.csv.gz",
    "dataset:imdb",
]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_named_as_a_file_is_not_taken_for_a_text(refused, run, saved, tmp_path, monkeypatch, name):
    """Nor read, as nobody can tell which of both is meant."""
    monkeypatch.chdir(tmp_path)
    advice = f"{name} is the name of a file; to read it, give --file {name}; if it is a text, send it through standard"
    assert advice in refused("predict", saved["bow"], name)
    assert advice in refused("predict", saved["bow"], "good", name)
    assert run("predict", saved["bow"], f"I put it into {name}").code == 0
    if not name.startswith("dataset:"):
        where = (tmp_path / name).parent
        assert f"{name}: no such file (looked in {where})" in refused("predict", saved["bow"], "--file", name)


def test_a_text_that_is_the_name_of_a_file_is_refused_whatever_it_is_called(refused, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good").write_text("bad\n")
    assert "good is the name of a file; to read it, give --file good" in refused("predict", saved["bow"], "good")


def test_a_text_that_is_no_unicode(refused, saved):
    assert "the text 'caf\\udce9' is not valid UTF-8" in refused("predict", saved["bow"], "caf\udce9")


def test_long_and_strange_arguments_are_texts(run, saved):
    texts = ["good " * 3000, "bad\0zero", "/", "~", "--"]
    result = run("predict", saved["bow"], "--json", "--", *texts)
    assert [json.loads(line)["text"] for line in result.out.splitlines()] == texts


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["{model}", "--json", "good", "bad"], ["good", "bad"]),
        (["{model}", "good", "--json", "bad"], ["good", "bad"]),
        (["--json", "{model}", "good", "bad"], ["good", "bad"]),
        (["{model}", "good", "bad", "--json"], ["good", "bad"]),
        (["{model}", "--json", "--", "--good"], ["--good"]),
        (["{model}", "good", "--json", "--", "--json", "-x"], ["good", "--json", "-x"]),
        (["{model}", "--json", "- not an option"], ["- not an option"]),
    ],
)
def test_options_may_stand_anywhere(run, saved, words, texts):
    result = run("predict", *(word.format(model=saved["bow"]) for word in words))
    assert [json.loads(line)["text"] for line in result.out.splitlines()] == texts


def test_options_are_not_abbreviated(refused, saved):
    assert "unrecognized arguments: --js" in refused("predict", saved["bow"], "good", "--js")
    assert "unrecognized arguments: --vers" in refused("summary", saved["bow"], "--vers")


@pytest.mark.parametrize("words", [["good", "--colour"], ["--colour", "red"], ["--json", "good", "--colour=red"]])
def test_an_unknown_option(refused, saved, words):
    assert "unrecognized arguments: --colour" in refused("predict", saved["bow"], *words).replace("good ", "")


def test_a_text_of_ten_megabytes(run, saved, tmp_path):
    (tmp_path / "long.txt").write_text("extraordinarily-good entertainment, " * 277_778)
    result = run("predict", saved["bow"], "--file", tmp_path / "long.txt")
    assert result.code == 0
    (line,) = result.out.splitlines()
    assert len(line) < 1100
    assert line.endswith("…")


@pytest.mark.parametrize(
    ("breaking", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "there is no such folder; expected one written by chainrule train"),
        (lambda folder: (folder / "vocabulary.txt").unlink(), "vocabulary.txt is missing"),
        (lambda folder: (folder / "model.json").write_text("{}"), "is not the description of a model"),
        (lambda folder: (folder / "model.json").write_text("[]"), "is not the description of a model"),
        (lambda folder: (folder / "model.json").write_text('{"format": 7}'), "has format 7"),
        (lambda folder: (folder / "model.json").write_text('{"format": 1}'), "its seal does not fit"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "its checksum differs"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "evaluate", "summary"])
def test_a_broken_model(refused, saved, tmp_path, csv_file, command, breaking, message):
    folder = shutil.copytree(saved["ffnn"], tmp_path / "model")
    breaking(folder)
    words = {"predict": ["good"], "evaluate": [csv_file], "summary": []}[command]
    assert message in refused(command, folder, *words)


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_eager_gives_the_same(run, saved, tmp_path, name):
    path = write_rows(tmp_path / "texts.csv", make_rows(200))
    lines = [
        run("predict", saved[name], "--file", path, "--json", *more).out.splitlines() for more in ((), ("--eager",))
    ]
    for compiled, eager in zip(*(map(json.loads, part) for part in lines), strict=True):
        assert (compiled["text"], compiled["prediction"]) == (eager["text"], eager["prediction"])
        assert compiled["probabilities"] == pytest.approx(eager["probabilities"], abs=2e-6)


def test_a_file_is_no_model(refused, csv_file):
    assert "there is no such folder" in refused("predict", csv_file, "good")


def test_many_texts(run, saved, tmp_path):
    path = write_rows(tmp_path / "texts.csv", make_rows(3000))
    assert len(run("predict", saved["ffnn"], "--file", path).out.splitlines()) == 3000
