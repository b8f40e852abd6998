"""Benchmarks and examples run: each is imported, and what needs neither peers nor downloads is run on small data."""

import ast
import importlib.util
import runpy
import sys
from pathlib import Path

import pytest

from tests import samples

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "benchmarks/peers", "examples", "examples/papers")
PROGRAMS = sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.py"))
#: What a program needs that the tests' environment need not have.
PEERS = {"fasttext", "jax", "optax", "torch"}


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_program_imports(path):
    """Names that are gone from the library are found here, and not by the next user of the program."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # inside of functions too
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "chainrule":
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name) or importlib.import_module(f"{node.module}.{name.name}")
    spec = importlib.util.spec_from_file_location(f"program_{path.stem}", path)
    missing = None
    try:
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where dataclasses look for it
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        missing = error.name
    finally:
        del sys.modules[spec.name]
    assert missing is None or missing in PEERS


def test_the_demo(tmp_path, monkeypatch, capsys):
    demo = runpy.run_path(str(ROOT / "examples" / "demo.py"))
    data, place = tmp_path / "sentences.csv", tmp_path / "demo"
    samples.write_rows(data, samples.make_rows(240))
    names = demo["main"].__globals__
    monkeypatch.setitem(names, "DATA", data)
    monkeypatch.setitem(names, "PLACE", place)
    demo["main"]()
    out, said = capsys.readouterr()
    assert said.count(" of 10: ") == 10
    assert "bow" in out
    assert "Accuracy of " in out
    for name in ("study/report.html", "study/runs.jsonl", "model/model.safetensors"):
        assert (place / name).stat().st_size > 100
    demo["main"]()  # a second time: what was there is replaced
    assert "is replaced" in capsys.readouterr().out


def test_the_benchmark_of_columns(monkeypatch, capsys):
    """One table, one seed, in this process: the systems give scores and times."""
    monkeypatch.setattr(sys, "argv", ["columns.py", "--child", "linear", "wine", "0"])
    columns = runpy.run_path(str(ROOT / "benchmarks" / "columns.py"))
    score, first, again = columns["measure"]("linear", "wine", 0, 1)
    assert 0.8 < score <= 1
    assert min(first, again) > 0
    peer, *_ = columns["measure"]("linear of scikit-learn", "wine", 0, 1)
    assert abs(peer - score) < 0.1
    inputs, prices = columns["california"](rows=500)
    assert inputs.shape == (500, 8)
    assert 0.15 <= prices.min() < prices.max() <= 5
