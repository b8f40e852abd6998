"""Model folders that were altered: by accident, which the checksums tell, or by someone who made them anew."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import safetensors.numpy

import chainrule
from tests import samples
from tests.faults.command import answer

#: Values that no part of a description, or few of them, can be.
STRANGE = [
    None, True, False, 0, 1, -1, 2, 10**9, 2**63, 10**400, 0.5, -1e308, float("inf"), float("nan"), "", "none",
    "x" * 500, "\ud800", "\x00\x1b[2J", [], {}, [[]], [1] * 200, ["a", "a"], [None], {"name": "bow"}, {"": ""},
]  # fmt: skip
LINES = [
    "", "\t", "a", "a\t", "a\t-1", "a\t1", "<unk>\t0", "a b c\t1", "a  b\t1", "\u00a0\t1", "a\t" + "9" * 30, "\ud800",
]  # fmt: skip


def make_models(place: Path) -> dict[Path, Path]:
    """Folders of models of each kind of input and task, each with a table it predicts from."""
    rows = samples.make_rows(80)
    texts = samples.as_table(rows)
    for name in samples.LEARNERS:
        samples.fit(name, texts, texts, epochs=1).model.save(place / name)
    frame = pl.DataFrame({"a": range(40), "b": ["x", "y", "z", "y"] * 10, "label": ["p", "n"] * 20, "n": range(40)})
    training = chainrule.Training(epochs=1)
    for name, task, label in (("classes", chainrule.Classify(), "label"), ("numbers", chainrule.Regress(), "n")):
        target = {"target": "number"} if name == "numbers" else {}
        table = chainrule.Table.from_frame(frame, numbers=["a"], categories=["b"], label=label, **target)
        run = chainrule.fit(chainrule.MultilayerPerceptron(), table, table, task=task, training=training)
        run.model.save(place / name)
    frame.write_csv(place / "rows.csv")
    texts_file = samples.write_rows(place / "texts.csv", rows)
    files = {**dict.fromkeys(samples.LEARNERS, texts_file), **dict.fromkeys(("classes", "numbers"), place / "rows.csv")}
    return {place / name: file for name, file in files.items()}


def run_folders(place: Path, count: int, seed: int) -> None:
    """Alter so many folders; each model loads and predicts, or a message names its folder or what it does not fit."""
    models = make_models(place)
    for number in range(count):
        draws = np.random.default_rng([seed, number])
        source = list(models)[number % len(models)]
        folder = place / "altered"
        shutil.copytree(source, folder)
        done = "nothing"
        try:
            done = ALTERATIONS[number // len(models) % len(ALTERATIONS)](folder, draws)
            for command, *more in (("summary",), ("predict", "--file", models[source])):
                found = answer(command, folder, *more)
                assert found.code == 0 or any(str(path) in found.error for path in (folder, *more[-1:])), found
                assert all(len(line) < 2000 for line in found.error.splitlines()), found
        except BaseException as error:
            error.add_note(f"folder {number} of seed {seed}: {source.name}, {done}")
            raise
        shutil.rmtree(folder)


def _damage(folder, draws):
    """A file with other bytes."""
    path = _pick(sorted(folder.iterdir()), draws)
    data = bytearray(path.read_bytes())
    what = int(draws.integers(4))
    place = int(draws.integers(len(data)))
    if what == 0:
        data[place] ^= 1 << int(draws.integers(8))
    elif what == 1:
        del data[place:]
    elif what == 2:
        data[place:place] = draws.bytes(int(draws.integers(1, 9)))
    path.write_bytes(data)
    if what == 3:
        path.unlink()
    return f"{path.name} at {place}, kind {what}"


def _describe(folder, draws):
    """A description with another value somewhere, sealed anew."""
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    path = _alter(content, draws)
    _seal(folder, content)
    return f"model.json: {path}"


def _list(folder, draws):
    """A vocabulary, or columns, with another line or value, and checksums that fit."""
    path = next(folder / name for name in ("vocabulary.txt", "columns.json") if (folder / name).exists())
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        done = _alter(content, draws)
        path.write_text(json.dumps(content))
    else:
        lines = path.read_bytes().split(b"\n")
        place = int(draws.integers(len(lines)))
        line = _pick(LINES, draws).encode(errors="surrogatepass")
        lines[place : place + int(draws.integers(2))] = [line] * int(draws.integers(3))
        path.write_bytes(b"\n".join(lines))
        done = f"line {place}: {line!r}"
    _seal(folder)
    return f"{path.name}: {done}"


def _reshape(folder, draws):
    """Weights of other names, shapes, types or values, and checksums that fit."""
    path = folder / "model.safetensors"
    arrays = safetensors.numpy.load_file(path)
    name, other = (_pick(sorted(arrays), draws) for _ in range(2))
    array, what = arrays[name], int(draws.integers(6))
    changed = [
        array.T.copy(), array.astype(np.float64), array[:0], np.full_like(array, _pick([np.nan, np.inf, 1e38], draws)),
        arrays[other], array.ravel(),
    ][what]  # fmt: skip
    arrays[_pick([name, name, "unknown"], draws)] = np.ascontiguousarray(changed)
    safetensors.numpy.save_file(arrays, path)
    _seal(folder)
    return f"weights {name}, kind {what}"


ALTERATIONS = (_damage, _describe, _list, _reshape)


def _alter(content, draws):
    """Put something strange at one place of nested JSON; the path to it."""
    path, place = [], content
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = _pick(list(keys), draws)
        path.append(key)
        if not isinstance(place[key], dict | list) or not place[key] or draws.random() < 0.2:
            break
        place = place[key]
    value = _pick(STRANGE, draws)
    if draws.random() < 0.1:
        del place[key]
        return f"{path} left out"
    place[key] = value
    return f"{path} = {str(value)[:40] if value != 10**400 else '10^400'}"


def _seal(folder, content=None):
    """Make checksums and seal anew."""
    path = folder / "model.json"
    content = json.loads(path.read_text(encoding="utf-8")) if content is None else content
    content.pop("seal", None)
    held = content.get("sha256")
    for name in held if isinstance(held, dict) else ():
        if (folder / name).is_file() and isinstance(held[name], str) and len(held[name]) == 64:
            held[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    seal = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**content, "seal": seal}))


def _pick(values, draws):
    return values[int(draws.integers(len(values)))]
