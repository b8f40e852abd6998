"""Tables for every task: texts with labels, sets of labels and numbers, and columns of numbers and categories."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from tests.samples import FILLERS, TELLING, write_rows


def text_rows(count, seed=0):
    """Texts and the set of labels of each, which its words tell; some have none, though not the first."""
    draws = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        labels = [label for label in TELLING if draws.random() < 0.4]
        labels = labels or ([] if i else ["neutral"])
        words = [*draws.choice(FILLERS, 3), *(str(draws.choice(TELLING[label])) for label in labels)]
        rows.append((" ".join(map(str, draws.permutation(words))), labels))
    return rows


def write_lists(path, rows, columns=("text", "label"), separator="|"):
    """Write texts with sets of labels in the format of the path's suffix; the path."""
    path = Path(path)
    if path.suffix == ".jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif path.suffix == ".parquet":
        pl.DataFrame({columns[0]: [text for text, _ in rows], columns[1]: [x for _, x in rows]}).write_parquet(path)
    elif path.suffix == ".txt":
        lines = [" ".join([*(f"__label__{label}" for label in labels), text]) for text, labels in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        write_rows(path, [(text, separator.join(labels)) for text, labels in rows], columns)
    return path


COLUMNS = ("a", "b", "kind", "label", "price", "tags")


def column_rows(folder, task, name="columns.csv", count=80, seed=0):
    """A table of columns, written, and the options that have its columns a, b and kind serve a task."""
    draws = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        a, b, kind = round(draws.normal(), 3), round(draws.normal(), 3), str(draws.choice(["x", "y", "z"]))
        price = 2 * a - b + 3 * (kind == "x")
        tags = [tag for tag, true in (("p", a > 0), ("q", kind == "x")) if true]
        rows.append((a, b, kind, "high" if price > 1 else "low", round(price, 3), "|".join(tags)))
    label = {"classify": "label", "regress": "price", "multi-label": "tags"}[task]
    words = ["--task", task, "--label", label, "--numbers", "a,b", "--categories", "kind"]
    words += ["--label-separator", "|"] if task == "multi-label" else []
    return write_rows(Path(folder) / name, rows, COLUMNS), words
