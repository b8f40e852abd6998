"""The folder for a site: the page and the states of the examples, small enough to be sent."""

import json

import pytest

from chainrule.errors import StorageError
from chainrule.playground import PRESETS, state_of, write
from chainrule.playground.folder import example
from chainrule.playground.presets import steps_of
from chainrule.playground.run import Run

#: Bytes of all files, and of those that the first picture needs.
MOST, FIRST = 1_000_000, 300_000


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    place = tmp_path_factory.mktemp("site") / "deep" / "playground"
    return place, write(place)


def test_it_is_small(written):
    place, paths = written
    assert sorted(paths) == sorted(place.iterdir())
    sizes = {path.name: path.stat().st_size for path in paths}
    assert set(sizes) == {"index.html", *(f"{preset.name}.js" for preset in PRESETS)}
    assert sum(sizes.values()) < MOST
    assert sizes["index.html"] + sizes[f"{PRESETS[0].name}.js"] < FIRST


def test_its_states_are_those_of_trainings(written):
    place, _ = written
    for preset in PRESETS[::4]:
        text = (place / f"{preset.name}.js").read_text(encoding="utf-8")
        name, held = json.loads(f"[{text.strip().removeprefix('took(').removesuffix(')')}]")
        assert name == preset.name
        assert [state["step"] for state in held["states"]] == steps_of(preset)
        run = Run(preset.setup)
        for step, state in zip(steps_of(preset), held["states"], strict=True):
            run.advance(step)
            for layer in state["units"]:
                for unit in layer:
                    unit[0] = held["head"] + unit[0]
            assert state == json.loads(json.dumps(state_of(run)))


def test_the_same_is_written_again(written):
    place, _ = written
    assert example(PRESETS[0])[1] == (place / f"{PRESETS[0].name}.js").read_text(encoding="utf-8")


def test_nothing_is_asked_for_from_elsewhere(written):
    _, paths = written
    for path in paths:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "file" / "folder")
