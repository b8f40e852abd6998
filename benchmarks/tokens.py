"""How many tokens a second are read, tokenized, counted and encoded.

python benchmarks/tokens.py                       # synthetic text, Zipf-distributed words
python benchmarks/tokens.py reviews.csv --ngrams 2
POLARS_MAX_THREADS=1 python benchmarks/tokens.py  # on one core
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from chainrule.data import read_table
from chainrule.text import Tokenizer, Vocabulary


def write_synthetic(path: Path, texts: int, length: int, seed: int) -> None:
    """Write a CSV whose words follow Zipf's law (exponent 1.1), with labels 0 and 1."""
    generator = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    words = pl.Series("".join(generator.choice(letters, size)) for size in generator.integers(1, 12, 100_000))
    chosen = words.gather(np.minimum(generator.zipf(1.1, texts * length), len(words)) - 1).to_list()
    rows = [" ".join(chosen[start : start + length]) + "." for start in range(0, len(chosen), length)]
    pl.DataFrame({"text": rows, "label": generator.integers(0, 2, texts)}).write_csv(path)


def median_seconds(work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def measure(path: Path, text: str, label: str, ngrams: int, runs: int) -> None:
    tokenizer = Tokenizer()
    table = read_table(path, text=text, label=label)
    tokens = tokenizer(table.texts)
    vocabulary = Vocabulary.build(tokens, ngrams=ngrams)

    def read_and_tokenize() -> None:
        tokenizer(read_table(path, text=text, label=label).texts)

    def all_together() -> None:
        found = tokenizer(read_table(path, text=text, label=label).texts)
        Vocabulary.build(found, ngrams=ngrams).encode(found)

    steps: dict[str, Callable[[], object]] = {
        "read": lambda: read_table(path, text=text, label=label),
        "tokenize": lambda: tokenizer(table.texts),
        "read + tokenize": read_and_tokenize,
        f"build, n-grams to {ngrams}": lambda: Vocabulary.build(tokens, ngrams=ngrams),
        f"encode, n-grams to {ngrams}": lambda: vocabulary.encode(tokens),
        "all together": all_together,
    }
    count = len(tokens.values)
    print(f"{len(table):,} texts, {count:,} tokens, {len(vocabulary):,} entries, {path.stat().st_size / 1e6:.1f} MB")
    print(f"polars {pl.__version__}, {pl.thread_pool_size()} threads; median of {runs} runs")
    for name, work in steps.items():
        seconds = median_seconds(work, runs)
        print(f"{name:24} {seconds:8.3f} s {count / seconds / 1e6:8.2f} million tokens/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="?", help="a labelled table; synthetic text without it")
    parser.add_argument("--text", default="text", help="the column of the texts")
    parser.add_argument("--label", default="label", help="the column of the labels")
    parser.add_argument("--ngrams", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.path
        if path is None:
            path = Path(folder, "zipf.csv")
            write_synthetic(path, texts=20_000, length=200, seed=0)
        measure(path, arguments.text, arguments.label, arguments.ngrams, arguments.runs)


if __name__ == "__main__":
    main()
