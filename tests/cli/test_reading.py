"""Any labelled table through the command line: train, evaluate and predict read it alike, and refuse it in a line."""

import io
import json
import random
import re
import sys
from encodings.aliases import aliases

import polars as pl
import pytest

import chainrule
from chainrule.cli.predict import stream_lines
from chainrule.errors import DataError
from chainrule.settings.file import read_settings_file
from tests.data.files import COMPRESSORS, as_bytes, write_table
from tests.samples import make_rows

QUICK = ["--learner", "bow", "--epochs", 1, "--quiet"]
RAW = 'label\ttext\npos\t"Great start of a film\npos\tlovely fun\nneg\tdull and slow\nneg\tawful, the end"\n'


def columns(count=60, names=("text", "label")):
    texts, labels = zip(*make_rows(count), strict=True)
    return {names[0]: list(texts), names[1]: list(labels)}


@pytest.fixture
def stdin(monkeypatch):
    """Put bytes into standard input."""

    def call(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return call


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """The folder of a model of these rows as CSV, and its weights."""
    folder = tmp_path_factory.mktemp("plain")
    table = chainrule.read_table(write_table(folder / "rows.csv", columns()))
    training = chainrule.Training(epochs=1)
    chainrule.fit(chainrule.BagOfWords(), table, training=training, seed=0, folder=folder / "model")
    return folder / "model", (folder / "model" / "model.safetensors").read_bytes()


FORMS = {
    "tabs without header": ("rows.tsv", {"header": False}, ["--no-header", "--text", "1", "--label", "2"]),
    "semicolons": ("rows.csv", {"separator": ";"}, []),
    "pipes, told": ("rows.dat", {"separator": "|"}, ["--separator", "pipe"]),
    "raw tabs": ("rows.tsv", {"quoting": "none"}, ["--quoting", "none"]),
    "latin-1, compressed": ("rows.csv.gz", {"encoding": "latin-1"}, ["--encoding", "latin-1"]),
    "zst": ("rows.jsonl.zst", {}, []),
    "an array": ("rows.json", {}, []),
    "a spreadsheet": ("rows.xlsx", {}, []),
    "fastText": ("rows.train", {}, []),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_in_every_form(run, tmp_path, plain, form):
    """The same weights, the same measures and the same answers as from CSV; and the settings file repeats the run."""
    name, how, options = FORMS[form]
    if name.endswith(".dat"):
        path = tmp_path / name
        path.write_bytes(as_bytes(".csv", columns(), **how))
    elif name.endswith(".train"):
        path = tmp_path / name
        path.write_bytes(as_bytes(".txt", columns()))
    else:
        path = write_table(tmp_path / name, columns(), **how)
    result = run("train", path, *options, "--out", tmp_path / "model", *QUICK)
    assert result.code == 0, result.error
    folder, weights = plain
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == weights
    again = run("train", "--config", tmp_path / "model" / "settings.toml", "--out", tmp_path / "again", "--quiet")
    assert again.code == 0, again.error
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == weights

    csv = folder.parent / "rows.csv"
    assert run("evaluate", folder, path, *options).out == run("evaluate", folder, csv).out
    without_label = options[: options.index("--label")] if "--label" in options else options
    assert run("predict", folder, "--file", path, *without_label).out == run("predict", folder, "--file", csv).out


def test_a_raw_file_of_tabs(run, tmp_path, plain):
    path = tmp_path / "raw.tsv"
    path.write_text(RAW, encoding="utf-8")
    answers = [json.loads(line)["text"] for line in run("predict", plain[0], "--file", path, "--json").out.splitlines()]
    assert answers == ['"Great start of a film', "lovely fun", "dull and slow", 'awful, the end"']
    assert len(run("predict", plain[0], "--file", path, "--quoting", "csv").out.splitlines()) == 1


def test_several_files_patterns_and_standard_input(run, stdin, tmp_path, plain, monkeypatch):
    monkeypatch.chdir(tmp_path)
    held = columns()
    for number, (start, end) in enumerate([(0, 25), (25, 60)]):
        write_table(f"part-{number}.csv.gz", {name: values[start:end] for name, values in held.items()})
    forms = {"both": ["part-0.csv.gz", "part-1.csv.gz"], "pattern": ["part-*.csv.gz"], "stdin": ["-"]}
    for name, words in forms.items():
        stdin(as_bytes(".csv", held))
        result = run("train", *words, "--out", name, *QUICK)
        assert result.code == 0, result.error
        assert (tmp_path / name / "model.safetensors").read_bytes() == plain[1]
        told = read_settings_file(tmp_path / name / "settings.toml")["data"]["train"]
        assert told == (words if len(words) > 1 else words[0])
        stdin(as_bytes(".csv", held))
        assert run("evaluate", plain[0], *words).out == run("evaluate", plain[0], plain[0].parent / "rows.csv").out
    stdin(as_bytes(".csv", held))
    assert run("train", "--config", "both/settings.toml", "--out", "again", "--quiet").code == 0
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == plain[1]
    assert (
        run("predict", plain[0], "--file", "part-?.csv.gz").out
        == run("predict", plain[0], "--file", plain[0].parent / "rows.csv").out
    )


def test_several_files_to_stop_by_and_options_between_files(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, count in (("a", 20), ("b", 22), ("c", 24), ("d", 26)):
        write_table(f"{name}.csv", columns(count))
    words = ["train", "a.csv", "--valid", "b.csv", "--out", "model", *QUICK, "c.csv", "--valid", "d.csv"]
    result = run(*words)
    assert result.code == 0, result.error
    first = chainrule.report.read_record(tmp_path / "model" / "record.jsonl")[0]
    assert (first["data"]["train"]["rows"], first["data"]["valid"]["rows"]) == (44, 48)
    assert (first["data"]["train"]["name"], first["data"]["valid"]["name"]) == ("a.csv, c.csv", "b.csv, d.csv")
    told = read_settings_file(tmp_path / "model" / "settings.toml")["data"]
    assert (told["train"], told["valid"]) == (["a.csv", "c.csv"], ["b.csv", "d.csv"])
    assert run("train", "--config", "model/settings.toml", "--out", "again", "--quiet").code == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("model", "again")]
    assert weights[0] == weights[1]


def test_options_of_the_settings_file(run, refused, tmp_path, plain):
    path = write_table(tmp_path / "rows.csv", columns(), separator=";", header=False)
    told = '[data]\ntext = "1"\nlabel = "2"\nheader = false\nseparator = "semicolon"\nquoting = "csv"\n'
    config = tmp_path / "settings.toml"
    config.write_text(f"{told}[learner]\nname = 'bow'\n[training]\nepochs = 1\n", encoding="utf-8")
    assert run("train", path, "--config", config, "--out", tmp_path / "model", "--quiet").code == 0
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == plain[1]
    for line, message in (
        ("header = 'no'", "line 2: data.header must be true or false, got 'no'"),
        ("separator = 3", "line 2: data.separator must be a text, got 3"),
        ("quoting = true", "line 2: data.quoting must be a text, got True"),
        ("train = [1]", "line 2: data.train must be a text, got [1]"),
        ("train = []", "line 2: data.train must be a text, got []"),
    ):
        config.write_text(f"[data]\n{line}\n", encoding="utf-8")
        words = [] if line.startswith("train") else [path]
        assert message in refused("train", *words, "--config", config, "--out", tmp_path / "x")


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("rows.csv", b"\x89PNG\r\n\x1a\n", [], "rows.csv: is a PNG image; expected text"),
        ("rows.csv", bytes(range(256)) * 4, [], "is not valid utf-8: invalid start byte. Is it a binary file?"),
        ("rows.csv.gz", b"text,label\na,b\n", [], "rows.csv.gz: not a whole .gz file: Not a gzipped file"),
        ("rows.csv.zst", COMPRESSORS[".zst"](b"text,label\na,b\n")[:-3], [], "rows.csv.zst: not a whole .zst file: "),
        ("rows.ods", b"PK", [], "rows.ods: is another spreadsheet; save it as .xlsx or .csv"),
        ("rows.zip", b"PK", [], "rows.zip: is an archive; unpack it"),
        ("rows.xlsx", b"text,label\n", [], "rows.xlsx: cannot be read ('text'"),
        ("rows.csv", b"good,pos\n", [], "If the first line is a row already, add --no-header"),
        ("rows.csv", b'text,label\n"a,b\n', [], "where double quotes are letters, add --quoting none"),
        ("rows.csv", b"text,label\na,b,c\n", [], "or name what is between fields with --separator"),
        ("rows.csv", b"text,label\na,b\n", ["--separator", "::"], "--separator: expected auto, comma, tab, semicolon"),
        ("rows.csv", b"text,label\na,b\n", ["--quoting", "raw"], "--quoting: expected auto, csv, none, got 'raw'"),
        ("rows.jsonl", b'{"text": "a", "label": "b"}', ["--no-header"], "--no-header is for rows of fields"),
        (
            "rows.csv",
            b"text,label\na,b\n",
            ["--encoding", "undefined"],
            "unknown encoding 'undefined'; expected a name",
        ),
        ("rows.csv", b"text,label\na,b\n", ["--encoding", "punycode"], "unknown encoding 'punycode'"),
        ("rows.csv", b"text,label\na,b\n", ["--encoding", "unicode_escape"], "unknown encoding 'unicode_escape'"),
        ("rows.csv", b"text,label\na,b\n", ["--encoding", "raw_unicode_escape"], "unknown encoding 'raw_unicode_esc"),
        ("rows.csv", b"text,label\n+2AA-,b\n", ["--encoding", "utf-7"], "rows.csv: in utf-7 it holds half of a surr"),
        ("rows.json", b"[1]", [], "rows.json, row 0 (the first is 0): expected an object"),
    ],
)
def test_what_is_refused(refused, tmp_path, plain, command, name, content, options, message):
    path = tmp_path / name
    path.write_bytes(content)
    words = {
        "train": ["train", path, "--out", tmp_path / "x"],
        "evaluate": ["evaluate", plain[0], path],
        "predict": ["predict", plain[0], "--file", path],
    }[command]
    assert message in refused(*words, *options)
    assert [x.name for x in tmp_path.iterdir()] == [name]


def test_what_is_refused_by_its_name(refused, tmp_path, plain):
    for words in (["train", "--out", tmp_path / "x"], ["evaluate", plain[0]]):
        message = refused(*words, "https://example.org/rows.csv")
        assert message.endswith("'https://example.org/rows.csv' is a URL; download it, and give the name of the file")
        assert "*.csv: no file matches this pattern" in refused(*words, tmp_path / "*.csv")
    path = write_table(tmp_path / "rows.csv", columns())
    message = refused("train", path, "--text", "text", "--label", "text", "--out", tmp_path / "x")
    assert message.endswith("column 'text' is named in --text and --label; give each column one role")
    message = refused("evaluate", plain[0], path, "--text", "label", "--label", "label")
    assert message.endswith("column 'label' is named in --text and --label; give each column one role")


def test_columns_that_hold_no_labels(refused, tmp_path, plain):
    path = tmp_path / "rows.parquet"
    for values, holds in (([3_600_000_000, None], "Duration"), ([[1], [2]], "List(Int64)"), ([b"a", b"b"], "Binary")):
        labels = pl.Series(values, dtype=pl.Duration) if holds == "Duration" else pl.Series(values)
        pl.DataFrame({"text": ["a", "b"], "label": labels}).write_parquet(path)
        for words in (["train", path, "--out", tmp_path / "x"], ["evaluate", plain[0], path]):
            assert f"{path}: column 'label' holds {holds}" in refused(*words)


def test_a_damaged_parquet_file(refused, tmp_path, plain):
    path = write_table(tmp_path / "rows.parquet", columns())
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes([whole[4] ^ 0xFF]) + whole[5:])
    for words in (
        ["train", path, "--out", tmp_path / "x"],
        ["evaluate", plain[0], path],
        ["predict", plain[0], "--file", path],
    ):
        assert f"{path}, column 'text': not a whole Parquet file: " in refused(*words)


def test_standard_input_for_predict_in_an_encoding_that_is_none(refused, stdin, plain):
    for encoding in ("undefined", "punycode", "unicode_escape", "raw_unicode_escape", "idna", "rot13"):
        stdin(b"good\n")
        assert f"unknown encoding {encoding!r}" in refused("predict", plain[0], "--encoding", encoding)


def test_an_option_of_fields_makes_a_file_a_table(run, tmp_path, plain):
    path = tmp_path / "rows.log"
    path.write_text("pos|good fun\nneg|bad luck\n", encoding="utf-8")
    words = ["--separator", "pipe", "--no-header", "--text", "2"]
    assert run("predict", plain[0], "--file", path, *words).out == run("predict", plain[0], "good fun", "bad luck").out
    assert run("predict", plain[0], "good fun", *words).out == run("predict", plain[0], "good fun").out


ENCODINGS = sorted(
    {*aliases.values(), "idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "utf_7"}
)
ODD = [
    b"text,label\na,b\n", b"text,label\n+2AA-,b\n", b"+AGE\xff\n", b"text,label\ncaf\xc3\xa9,b\n", b"\\ud800 \\x",
    b"text,label\n\\ud800,b\n", b"", b"+", b"~{", b"\x1b$B", b"\xff\xfe\x00\xd8", bytes(range(256)),
    *(random.Random(seed).randbytes(40) for seed in range(8)),
]  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_that_python_knows_reads_or_refuses(tmp_path, encoding):
    """Of tables, and of lines as they come."""
    path = tmp_path / "rows.csv"
    for content in ODD:
        path.write_bytes(content)
        for read in (
            lambda: len(chainrule.read_table(path, encoding=encoding)),
            lambda content=content: sum(
                len(chainrule.Table.from_lists(lines)) for lines in stream_lines(io.BytesIO(content), encoding, "lines")
            ),
        ):
            try:
                assert read() >= 0
            except DataError as error:
                assert re.match(r".*rows.csv|lines|list|unknown encoding", str(error))  # noqa: PT017


def test_lines_of_a_compressed_text_file(run, tmp_path, plain):
    for suffix, compress in COMPRESSORS.items():
        path = tmp_path / f"lines.txt{suffix}"
        path.write_bytes(compress(b"good fun\nbad luck\n"))
        assert run("predict", plain[0], "--file", path).out == run("predict", plain[0], "good fun", "bad luck").out
