"""Drawn files of every format: what was written is read back; damaged, they are read or refused, and nothing else.

`CHAINRULE_FUZZ=500 pytest tests/data/test_reading_fuzz.py` draws so many examples of each test; one that fails is
printed with what repeats it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from chainrule.data import read_table
from chainrule.errors import ChainruleError
from tests.data.files import COMPRESSORS, as_bytes

EXAMPLES = int(os.environ.get("CHAINRULE_FUZZ", "60"))
drawn = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

KINDS = [".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", ".txt"]
#: Characters that some format, encoding or tokenizer gives a meaning.
CHARACTERS = st.one_of(
    st.sampled_from("\"',;|\t\n\r \\/\0\x07\x1b\x0b\x85\u200b\u2028\ufeff{}[]:#=_éß日🎉"),
    st.characters(exclude_categories=["Cs"]),
)
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=12),
    st.sampled_from(
        ["NA", "null", "nan", "True", "1e5", "=1+1", "sep=;", "text,label", "__label__", '"', '""', "\ufeffa"]
    ),
)
LABELS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32-be", "utf-7", "latin-1", "cp1252", "shift_jis"]


@st.composite
def files(draw):
    """A file: the end of its name, its content, the options that read it, and the texts and labels in it."""
    kind = draw(st.sampled_from(KINDS))
    rows = draw(st.lists(st.tuples(TEXTS, LABELS), min_size=1, max_size=6))
    texts, labels = (list(values) for values in zip(*rows, strict=True))
    how, options = {}, {}
    if kind in (".csv", ".tsv"):
        how = {
            "separator": draw(st.sampled_from(",\t;|")),
            "quoting": draw(st.sampled_from(["csv", "none"])),
            "header": draw(st.booleans()),
            "end": draw(st.sampled_from(["\n", "\r\n"])),
        }
        options = {name: how[name] for name in ("separator", "quoting", "header")}
        if how["quoting"] == "none":  # a raw file has no way to write these
            texts = [text.translate(dict.fromkeys(map(ord, "\n\r" + how["separator"]))) for text in texts]
        elif how["separator"] in ",;":
            options["quoting"] = draw(st.sampled_from(["csv", "auto"]))
        if how["header"]:
            options["separator"] = draw(st.sampled_from([how["separator"], "auto"]))
        else:
            options |= {"text": "1", "label": "2"}
            assume(not texts[0].startswith(("\ufeff", "sep=")))  # at the beginning of a file, these are no text
    if kind == ".txt":
        texts = [" ".join(text.split()).replace("__label__", "") or "a" for text in texts]
    if kind == ".xlsx":  # XML 1.0 has no control characters, and spreadsheets write some by their codes
        texts = ["".join(x for x in text if x.isprintable()).replace("_x", "") for text in texts]
    if kind not in (".parquet", ".xlsx"):
        encoding = draw(st.sampled_from(ENCODINGS))
        how["encoding"] = options["encoding"] = encoding
        try:
            for text in (*texts, *labels):
                assume(text.encode(encoding).decode(encoding) == text)
        except UnicodeError:
            assume(False)
    content = as_bytes(kind, {"text": texts, "label": labels}, **how)
    suffix = draw(st.sampled_from(["", "", *COMPRESSORS]))
    return kind + suffix, COMPRESSORS.get(suffix, bytes)(content), options, texts, labels


def damaged(content, draws):
    """The content with some bytes changed, cut out, doubled or put in, or its end cut off."""
    data = bytearray(content)
    for _ in range(draws.choice([1, 1, 1, 2, 5])):
        if not data:
            break
        start = draws.randrange(len(data))
        end = min(len(data), start + draws.choice([1, 2, 10, 100]))
        what = draws.randrange(6)
        if what <= 1:
            data[start] = draws.randrange(256)
        elif what == 2:
            del data[start:end]
        elif what == 3:
            data[start:start] = data[start:end]
        elif what == 4:
            data[start:start] = bytes(draws.choices(b'"\n\r\t,;|\0\xff\xfe{}[]\\', k=draws.choice([1, 3])))
        else:
            del data[start:]
    return bytes(data)


@drawn
@given(files())
def test_what_was_written_is_read_back(tmp_path_factory, file):
    suffix, content, options, texts, labels = file
    path = tmp_path_factory.getbasetemp() / f"file{suffix}"
    path.write_bytes(content)
    note(f"{content[:2000]!r}")
    kept = [row for row, label in enumerate(labels) if label not in ("nan", "NaN")]
    spelt = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}
    assume(kept)
    table = read_table(path, **options)
    assert table.texts.to_list() == [texts[row] for row in kept]
    assert table.labels.to_list() == [spelt.get(labels[row], labels[row]) for row in kept]


@drawn
@given(
    files(), st.integers(0, 2**32), st.sampled_from([{}, {"label": None}, {"target": "labels"}, {"numbers": "auto"}])
)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, file, seed, further):
    suffix, content, options, *_ = file
    assume(not suffix.startswith(".parquet"))
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(damaged(content, random.Random(seed)))
    note(f"{path.read_bytes()[:2000]!r}")
    try:
        table = read_table(path, **{**options, **further})
    except ChainruleError as error:
        assert str(path) in str(error) or "unknown encoding" in str(error)  # noqa: PT017
        assert len(str(error)) < 1500  # noqa: PT017
        return
    assert len(table) == len(table.columns) > 0
    table.columns.rows()
    table.fingerprint()


PARQUET = """
import json, random, sys
from pathlib import Path
from chainrule.data import read_table
from chainrule.errors import DataError
from tests.data.test_reading_fuzz import damaged

folder, start, end = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
whole, path = (folder / "whole.parquet").read_bytes(), folder / "damaged.parquet"
for seed in range(start, end):
    path.write_bytes(damaged(whole, random.Random(seed)))
    print(json.dumps({"seed": seed}), flush=True)
    try:
        read_table(path).columns.rows()
        outcome = "read"
    except DataError as error:
        outcome = "refused" if str(path) in str(error) else str(error)
    print(json.dumps({"seed": seed, "outcome": outcome}), flush=True)
"""


def test_a_damaged_parquet_file_is_read_or_refused(tmp_path):
    """In a process of its own: at few changes, one of thousands, Polars ends the process, for want of memory."""
    texts = [None if i % 7 == 0 else f"text {i} é" + "x" * (i % 5) for i in range(200)]
    content = as_bytes(".parquet", {"text": texts, "label": ["x", "y", None, "z"] * 50})
    (tmp_path / "whole.parquet").write_bytes(content)
    seed, end, outcomes, ended = 0, 5 * EXAMPLES, [], 0
    while seed < end:
        words = [sys.executable, "-c", PARQUET, str(tmp_path), str(seed), str(end)]
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=600, check=False, cwd=Path(__file__).parents[2]
        )
        told = [json.loads(line) for line in done.stdout.splitlines()]
        outcomes += [line["outcome"] for line in told if "outcome" in line]
        seed = end
        if done.returncode:
            assert "Traceback" not in done.stderr, done.stderr[-2000:]
            assert done.returncode < 0, done.stderr[-2000:]
            seed, ended = told[-1]["seed"] + 1, ended + 1
    assert set(outcomes) <= {"read", "refused"}
    assert outcomes.count("refused") > len(outcomes) / 10
    assert ended <= max(1, end // 500), f"{ended} of {end} seeds end the process"
