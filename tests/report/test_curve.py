"""The learning curve: what is drawn, in which kinds of file, and what it says when it cannot be."""

import builtins
from xml.etree import ElementTree as ET

import matplotlib.image
import numpy as np
import pytest

from chainrule.errors import ConfigurationError, DataError, StorageError
from chainrule.report import draw_curve, read_record
from tests import samples
from tests.samples import FullDisk


@pytest.fixture(scope="module")
def record(two_classes, held_out, tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve") / "model"
    samples.fit("ffnn", two_classes, held_out, epochs=6, patience=6, seed=0, folder=folder)
    return read_record(folder / "record.jsonl")


def texts(path):
    """The words in an SVG drawing, as matplotlib leaves them in comments."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    return [each.text.strip() for each in ET.parse(path, parser).iter(ET.Comment)]


def test_a_png_has_curves_in_both_colours(record, tmp_path):
    draw_curve(record, tmp_path / "curve.png")
    picture = matplotlib.image.imread(tmp_path / "curve.png")[..., :3]
    height, width, _ = picture.shape
    assert width > 1000
    assert height > 400
    for color in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
        there = (np.abs(picture * 255 - color) < 2).all(axis=2)
        for half in (there[:, : width // 2], there[:, width // 2 :]):
            assert half.sum() > 300


def test_an_svg_names_everything(record, tmp_path):
    draw_curve(record, str(tmp_path / "curve.SVG"))
    shown = texts(tmp_path / "curve.SVG")
    best = record[-1]["best_epoch"]
    assert "ffnn, seed 0: 240 training rows of two.csv" in shown
    assert {"Loss (nats)", "Accuracy", "Epoch", "training", "validation", f"best epoch ({best})"} <= set(shown)
    assert {"1", "2", "3", "4", "5", "6"} <= set(shown)  # whole epochs on the axis


def test_pdf(record, tmp_path):
    draw_curve(record, tmp_path / "curve.pdf")
    assert (tmp_path / "curve.pdf").read_bytes().startswith(b"%PDF")


def test_an_unfinished_run_has_no_best_epoch(record, tmp_path):
    draw_curve(record[:3], tmp_path / "curve.svg")
    shown = texts(tmp_path / "curve.svg")
    assert "validation" in shown
    assert not any("best" in text for text in shown)


def test_one_epoch(record, tmp_path):
    draw_curve([*record[:2], {"kind": "end", "reason": "", "best_epoch": 1}], tmp_path / "curve.svg")
    assert "best epoch (1)" in texts(tmp_path / "curve.svg")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("folder/data.csv", "data.csv"),
        ("$x_$ and $y^.csv", "$x_$ and $y^.csv"),
        ("caf\udce9.csv", r"caf\udce9.csv"),
        ("日本語.csv", "日本語.csv"),
        ("x" * 200, "x" * 49 + "…"),
        ("a\nb.csv", "a b.csv"),
    ],
)
def test_any_name_of_data(record, tmp_path, name, shown):
    data = {"train": {**record[0]["data"]["train"], "name": name}}
    draw_curve([{**record[0], "data": data}, *record[1:]], tmp_path / "curve.svg")
    assert f"ffnn, seed 0: 240 training rows of {shown}" in texts(tmp_path / "curve.svg")


@pytest.mark.parametrize("lines", [[], [{"kind": "run"}], [{"kind": "end", "best_epoch": None}], [{}]])
def test_without_an_epoch_there_is_nothing_to_draw(tmp_path, lines):
    with pytest.raises(DataError, match="the record has no epoch to draw"):
        draw_curve(lines, tmp_path / "curve.png")
    assert not list(tmp_path.iterdir())


def test_a_record_of_something_else(tmp_path):
    with pytest.raises(DataError, match="an epoch of the record has no 'train_loss'"):
        draw_curve([{"kind": "epoch", "epoch": 1}], tmp_path / "curve.png")


@pytest.mark.parametrize("name", ["curve", "curve.txt", "curve.", "png"])
def test_an_ending_that_is_no_picture(record, tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"expected a name that ends in .png, .svg or .pdf"):
        draw_curve(record, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_matplotlib_missing(record, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **settings):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ConfigurationError, match=r"drawing a curve needs matplotlib: pip install 'chainrule\[report\]'"
    ):
        draw_curve(record, tmp_path / "curve.png")


def test_a_place_that_cannot_be_written(record, tmp_path, monkeypatch):
    with pytest.raises(StorageError, match="there is no folder"):
        draw_curve(record, tmp_path / "missing" / "curve.png")
    (tmp_path / "curve.svg").write_text("old")
    FullDisk(monkeypatch, full_at=1)
    with pytest.raises(StorageError, match="No space left on device"):
        draw_curve(record, tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_text() == "old"
