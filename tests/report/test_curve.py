"""The learning curve: what is drawn, and what it says when it cannot be."""

from xml.etree import ElementTree as ET

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
    """The words in an SVG drawing."""
    return [each.text for each in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def shown_title(path):
    """The title of the whole drawing, for which a panel has less room."""
    return ET.parse(path).find("{http://www.w3.org/2000/svg}title").text


def test_an_svg_names_everything(record, tmp_path):
    draw_curve(record, str(tmp_path / "curve.SVG"))
    shown = texts(tmp_path / "curve.SVG")
    best = record[-1]["best_epoch"]
    assert shown[0] == shown_title(tmp_path / "curve.SVG") == "ffnn, seed 0: 240 training rows of two.csv"
    assert {"Loss (nats)", "Accuracy", "Epoch", "training", "validation", f"best epoch ({best})"} <= set(shown)
    assert {"1", "2", "3", "4", "5", "6"} <= set(shown)  # whole epochs on the axis


def test_measures_of_validation_alone(record, tmp_path):
    """Such as Macro-F1: training has no line there."""
    lines = [{k: v for k, v in line.items() if k != "train_accuracy"} for line in record]
    draw_curve(lines, tmp_path / "curve.svg")
    shown = texts(tmp_path / "curve.svg")
    assert (shown.count("training"), shown.count("validation")) == (1, 2)


def test_the_same_record_gives_the_same_picture(record, tmp_path):
    for name in ("a.svg", "b.svg"):
        draw_curve(record, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


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
    assert f"ffnn, seed 0: 240 training rows of {shown}" == shown_title(tmp_path / "curve.svg")


@pytest.mark.parametrize("lines", [[], [{"kind": "run"}], [{"kind": "end", "best_epoch": None}], [{}]])
def test_without_an_epoch_there_is_nothing_to_draw(tmp_path, lines):
    with pytest.raises(DataError, match="the record has no epoch to draw"):
        draw_curve(lines, tmp_path / "curve.svg")
    assert not list(tmp_path.iterdir())


def test_a_record_of_something_else(tmp_path):
    with pytest.raises(DataError, match="an epoch of the record has no 'train_loss'"):
        draw_curve([{"kind": "epoch", "epoch": 1}], tmp_path / "curve.svg")


@pytest.mark.parametrize("name", ["curve", "curve.txt", "curve.", "svg", "curve.png"])
def test_an_ending_that_is_no_picture(record, tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"expected a name that ends in .svg"):
        draw_curve(record, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(record, tmp_path, monkeypatch):
    with pytest.raises(StorageError, match="there is no folder"):
        draw_curve(record, tmp_path / "missing" / "curve.svg")
    (tmp_path / "curve.svg").write_text("old")
    FullDisk(monkeypatch, full_at=1)
    with pytest.raises(StorageError, match="No space left on device"):
        draw_curve(record, tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").read_text() == "old"
