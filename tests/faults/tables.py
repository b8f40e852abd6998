"""Tables of each format that were altered: each is read, or refused by a message that names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import samples
from tests.faults.command import answer

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
#: What files of others hold: ends of lines, quotes, marks, control characters, halves of characters, long numbers.
PIECES = [
    b"\x00", b"\r", b"\n", b"\r\n", b'"', b'""', b"'", b",", b"\t", b";", b"\xef\xbb\xbf", b"\xff", b"\xc3",
    b"\xe2\x80\xa8", b"\xe2\x80\x8b", b"\x1b[2J", b"{", b"}", b"[", b"null", b"NaN", b"\\", b"\\ud800", b"9" * 400,
    b"__label__", b"=", b"\xf0\x9f\x98\x80", b"label", b"text",
]  # fmt: skip


def run_tables(place: Path, count: int, seed: int) -> None:
    """Alter so many tables, and evaluate a model on each and predict from it."""
    rows = samples.make_rows(40)
    table = samples.as_table(rows)
    samples.fit("bow", table, table, epochs=1).model.save(place / "model")
    whole = {suffix: samples.write_rows(place / f"whole{suffix}", rows).read_bytes() for suffix in SUFFIXES}
    for number in range(count):
        draws = np.random.default_rng([seed, number])
        suffix = SUFFIXES[number % len(SUFFIXES)]
        path = place / f"altered{suffix}"
        path.write_bytes(alter(whole[suffix], draws))
        try:
            for command, *file in (("evaluate", path), ("predict", "--file", path)):
                found = answer(command, place / "model", *file)
                assert found.code == 0 or str(path) in found.error, found
        except BaseException as error:
            error.add_note(f"table {number} of seed {seed}: {path}")
            raise


def alter(data: bytes, draws: np.random.Generator) -> bytes:
    """A file with one to four changes: bytes that flip, parts that go, come twice, or come from elsewhere."""
    changed = bytearray(data)
    for _ in range(int(draws.integers(1, 5))):
        start = int(draws.integers(len(changed) + 1))
        end = min(len(changed), start + int(draws.integers(1, 60)))
        what = int(draws.integers(5))
        if what == 0 and start < len(changed):
            changed[start] ^= 1 << int(draws.integers(8))
        elif what == 1:
            changed[start:start] = PIECES[int(draws.integers(len(PIECES)))]
        elif what == 2:
            del changed[start:end]
        elif what == 3:
            changed[end:end] = changed[start:end]
        elif draws.random() < 0.2:
            del changed[start:]
    return bytes(changed)
