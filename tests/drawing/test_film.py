"""Films: what is shown when, with scripts and without, and that a page needs nothing else."""

import html.parser
import json
import re
import shutil
import subprocess
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from chainrule.drawing.contours import regions
from chainrule.drawing.film import Film
from chainrule.errors import ConfigurationError

SVG = "{http://www.w3.org/2000/svg}"


def film(frames=3, title="A & B </script>"):
    def group(text):
        element = ET.Element("g")
        ET.SubElement(element, "text").text = text
        return element

    shown = [group(f"frame {index}") for index in range(frames)]
    return Film(title, group("ground"), shown, group("front"), [f"step {index}" for index in range(frames)], 200.0)


@pytest.mark.parametrize("frames", [1, 2, 40])
def test_of_an_svg_that_does_not_move_the_last_frame_shows(frames):
    root = ET.fromstring(film(frames).svg)
    groups = [each for each in root.iter(f"{SVG}g") if each.get("class") in ("frame", "frame last")]
    assert [each.get("class") for each in groups] == ["frame"] * (frames - 1) + ["frame last"]
    style = root.find(f"{SVG}style").text
    assert ".frame{visibility:hidden}.last{visibility:visible}" in style
    assert "prefers-reduced-motion:no-preference" in style


def test_frames_of_an_svg_come_one_after_the_other():
    """A frame begins when that before it ends: delays lie one share apart, and the last ends with the whole."""
    text = film(4).svg
    delays = [float(x) for x in re.findall(r"animation-delay:(-[\d.]+)s", text)]
    whole = float(re.search(r"shown ([\d.]+)s step-end", text)[1])
    share, last = (float(x) / 100 for x in re.findall(r"\{visibility:visible\}([\d.]+)%", text))
    assert np.diff(delays) == pytest.approx(share * whole, abs=0.01)
    assert delays[0] == pytest.approx(-whole, abs=0.01)
    assert -delays[-1] == pytest.approx(last * whole, abs=0.01)


class Page(html.parser.HTMLParser):
    """What a page holds."""

    def __init__(self, text):
        super().__init__()
        self.uses, self.ids, self.hidden, self.links = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "use":
            self.uses.append(given["href"])
        if "id" in given:
            self.ids.append(given["id"])
        if "hidden" in given:
            self.hidden.append(given["class"])
        self.links += [given[name] for name in ("src", "href") if name in given and not given[name].startswith("#")]


def test_a_page_is_whole_by_itself():
    text = film(12).html
    page = Page(text)
    assert not page.links
    assert "http" not in text
    assert {use.removeprefix("#") for use in page.uses} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)
    assert text.count("</script>") == 1
    assert 'name="viewport"' in text


def test_without_scripts_a_page_shows_the_last_frame_and_a_row():
    page = Page(film(12).html)
    shown = [int(use.rpartition("-")[2]) for use in page.uses if use[-1].isdigit()]
    assert shown == [11, 0, 2, 4, 7, 9, 11]
    assert page.hidden == ["controls"]  # which the script shows


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which runs scripts, is not installed")
def test_the_player_plays(tmp_path):
    """Its script, on a page of a few objects: on, back, play to the end, and again from the start."""
    script = re.search(r"<script>(.*)</script>", film(3).html, re.DOTALL)[1]
    page = """
const made = () => ({attributes: {}, setAttribute(k, v) { this.attributes[k] = v; }, hidden: null, textContent: ""});
const parts = {};
for (const name of [".range", ".play", ".back", ".on", ".screen .now", ".controls", ".row"]) parts[name] = made();
let value = 2;
Object.defineProperty(parts[".range"], "value",
  {get: () => String(value), set: x => { value = Math.min(Math.max(x, 0), 2); }});
const film = {dataset: {}, querySelector: name => parts[name]};
globalThis.document = {querySelectorAll: () => [film]};
let tick = null;
globalThis.setInterval = (action, pause) => { tick = action; return 1; };
globalThis.clearInterval = () => { tick = null; };
"""
    steps = """
const seen = [], note = () => seen.push([value, parts[".play"].textContent, tick !== null]);
parts[".back"].onclick(); note();
parts[".on"].onclick(); note();
parts[".on"].onclick(); note();
parts[".play"].onclick(); note();
tick(); note();
parts[".play"].onclick(); note();
parts[".play"].onclick(); note();
tick(); note();
const href = parts[".screen .now"].attributes.href;
console.log(JSON.stringify([seen, href.slice(-2), parts[".controls"].hidden, parts[".row"].hidden]));
"""
    (tmp_path / "page.js").write_text(page + script + steps, encoding="utf-8")
    done = subprocess.run(["node", tmp_path / "page.js"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen, end, controls, row = json.loads(done.stdout)
    assert [x[0] for x in seen] == [1, 2, 2, 0, 1, 1, 1, 2]
    assert [x[1] for x in seen[3:]] == ["Pause", "Pause", "Play", "Pause", "Play"]
    assert [x[2] for x in seen[3:]] == [True, True, False, True, False]
    assert (end, controls, row) == ("-2", False, True)


def test_two_films_on_one_page_do_not_meet():
    one, other = film(2)._repr_html_(), film(3)._repr_html_()
    assert not set(Page(one).ids) & set(Page(other).ids)
    rules = re.search(r"<style>(.*?)</style>", one, re.DOTALL)[1]
    for rule in re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@media[^{]*\{", "", rules)):
        assert all(each.strip().startswith(".chainrule-film ") for each in rule.strip(" }\n").split(",")), rule


def test_files_by_suffix(tmp_path):
    assert film().save(tmp_path / "a.svg").read_text(encoding="utf-8") == film().svg
    assert film().save(str(tmp_path / "a.HTML")).read_text(encoding="utf-8") == film().html
    for name in ("a.png", "a", "a.gif"):
        with pytest.raises(ConfigurationError, match=r"ends in \.html .* or \.svg"):
            film().save(tmp_path / name)
        assert not (tmp_path / name).exists()
    assert repr(film()) == "Film('A & B </script>', 3 frames)"


def area(loops):
    """What loops enclose, holes taken off: they run the other way round."""
    return sum(0.5 * float((p[:, 0] * np.roll(p[:, 1], -1) - np.roll(p[:, 0], -1) * p[:, 1]).sum()) for p in loops)


def test_regions_enclose_what_reaches_the_level():
    x = y = np.linspace(-2, 2, 81)
    far = np.hypot(*np.meshgrid(x, y))
    assert area(regions(x, y, -far, -1.0)) == pytest.approx(np.pi, rel=0.01)
    outside = regions(x, y, far, 1.0)
    assert area(outside) == pytest.approx(16 - np.pi, rel=0.01)
    assert len(outside) == 2  # the edge, and a hole
    assert area(regions(x, y, far, 0.0)) == pytest.approx(16)
    assert regions(x, y, far, 3.0) == []


def test_regions_of_a_saddle_and_of_nan():
    x = np.arange(2.0)
    assert area(regions(x, x, np.array([[1, -1], [-1, 1.0]]), 0.0)) == pytest.approx(0.25)
    assert regions(x, x, np.full((2, 2), np.nan), 0.0) == []
    everywhere = np.where(np.random.default_rng(0).random((30, 30)) > 0.5, 1.0, -1.0)
    grid = np.arange(30.0)
    assert area(regions(grid, grid, everywhere, 0.0)) + area(regions(grid, grid, -everywhere, 0.0)) == pytest.approx(
        29 * 29, rel=0.2
    )
