"""Films: pictures that follow each other, as a page with a player, or as a picture that moves by itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from chainrule.dataclasses import dataclass
from chainrule.drawing.page import escaped, page, scoped
from chainrule.drawing.plot import COLOURS, GREY, LINE_HEIGHT, MARGIN, PAPER, WIDTH, draw_text, style
from chainrule.drawing.text import printable
from chainrule.errors import ConfigurationError
from chainrule.files import write_file

#: Seconds that a film takes, about, and that a frame is shown, at least and at most; and its last one.
SECONDS, SHORTEST, LONGEST, LAST = 6.0, 0.08, 0.5, 2.0
#: Pictures that stand for all where nothing moves.
STILLS = 6


@dataclass(frozen=True, repr=False)
class Film:
    """Pictures that follow each other; notebooks show it by themselves, with buttons to play it and to go step by step.

    The same pictures give the same bytes.

    Attributes:
        title: what it shows.
        ground: what all pictures have, a `g` of SVG.
        frames: what each has besides, drawn over it.
        front: what all have, drawn over that.
        labels: a word on each, such as "step 3".
        height: of the pictures, which are as wide as plots.
    """

    title: str
    ground: ET.Element
    frames: Sequence[ET.Element]
    front: ET.Element
    labels: Sequence[str]
    height: float

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return f"Film({self.title!r}, {len(self)} frames)"

    @property
    def svg(self) -> str:
        """A picture that moves by itself, again and again; where nothing moves, its last frame."""
        root = ET.Element("svg", xmlns="http://www.w3.org/2000/svg", role="img", viewBox=self._box)
        root.set("style", f"width:{WIDTH:g}px;max-width:100%;height:auto")
        ET.SubElement(root, "title").text = printable(self.title)
        ET.SubElement(root, "style").text = _sheet() + self._movement()
        ET.SubElement(root, "rect", {"class": "paper", "width": "100%", "height": "100%"})
        root.append(self.ground)
        length = self._seconds * len(self) + LAST
        for index in range(len(self)):
            moving = ET.SubElement(root, "g", {"class": "frame last" if index == len(self) - 1 else "frame"})
            moving.set("style", f"animation-delay:{index * self._seconds - length:.2f}s")
            moving.extend(self._frame(index))
        root.append(self.front)
        return ET.tostring(root, encoding="unicode") + "\n"

    @property
    def html(self) -> str:
        """A page that needs nothing else: a player, and where scripts do not run, a row of small pictures."""
        return page(self.title, self._repr_html_())

    def save(self, path: str | Path) -> Path:
        """Write the film, whole or not at all, and return its path.

        Args:
            path: a name that ends in .html, for a page with a player, or in .svg, for a picture that moves.

        Raises:
            ConfigurationError: for a name of another kind of file.
            StorageError: when the folder does not exist, the path is one, or it cannot be written.
        """
        require_film(path)
        write_file(path, self.svg if Path(path).suffix.lower() == ".svg" else self.html)
        return Path(path)

    def _repr_html_(self) -> str:
        """The player, for a page that holds other things too."""
        store = ET.Element("svg", {"class": "store", "width": "0", "height": "0", "aria-hidden": "true"})
        held = ET.SubElement(store, "defs")
        name = f"film-{hashlib.sha256(self.svg.encode()).hexdigest()[:10]}"
        parts = {"ground": self.ground, "front": self.front, **{f"{k}": self._frame(k) for k in range(len(self))}}
        for part, element in parts.items():  # with the class, as rules do not reach into a copy from outside
            ET.SubElement(held, "g", {"id": f"{name}-{part}", "class": "chainrule-film"}).append(element)
        last = len(self) - 1
        stills = sorted({round(k * last / max(STILLS - 1, 1)) for k in range(STILLS)})
        row = "".join(self._picture(name, index, "still") for index in stills)
        script = SCRIPT % (json.dumps(name), json.dumps(list(map(printable, self.labels))), 1000 * self._seconds)
        script = script.replace("</", r"<\/")  # a label cannot end the script
        sheet = scoped(_sheet() + PLAYER, ".chainrule-film")
        return (
            f'<figure class="chainrule-film" id="{name}" style="max-width:560px;margin:0 auto;padding-bottom:14px">\n'
            f"<style>{sheet}</style>\n{ET.tostring(store, encoding='unicode')}\n"
            f"{self._picture(name, last, 'screen')}\n{CONTROLS % (last, last)}"
            f'<div class="row">{row}</div>\n</figure>\n<script>{script}</script>\n'
        )

    def _picture(self, name: str, index: int, kind: str) -> str:
        """A picture that takes its parts from the store."""
        shown = escaped(f"{self.title}: {self.labels[index]}")
        return (
            f'<svg class="{kind}" role="img" aria-label="{shown}" viewBox="{self._box}">'
            f'<rect class="paper" width="100%" height="100%"/><use href="#{name}-ground"/>'
            f'<use class="now" href="#{name}-{index}"/><use href="#{name}-front"/></svg>'
        )

    def _frame(self, index: int) -> ET.Element:
        """A frame with its label."""
        frame = ET.Element("g")
        frame.extend(self.frames[index])
        draw_text(frame, self.labels[index], WIDTH - MARGIN, self.height - LINE_HEIGHT / 2, "number", "end")
        return frame

    @property
    def _box(self) -> str:
        return f"0 0 {WIDTH:g} {self.height:g}"

    @property
    def _seconds(self) -> float:
        """How long a frame is shown."""
        return round(min(max(SECONDS / len(self), SHORTEST), LONGEST), 2)

    def _movement(self) -> str:
        """The rules by which frames are shown one after the other: each for its share of the whole, the last longer."""
        length = self._seconds * len(self) + LAST
        shares = [100 * self._seconds / length, 100 * (self._seconds + LAST) / length]
        rules = [
            f"@keyframes {name}{{0%{{visibility:visible}}{share:.3f}%{{visibility:hidden}}100%{{visibility:hidden}}}}"
            for name, share in zip(("shown", "held"), shares, strict=True)
        ]
        return f""".frame{{visibility:hidden}}.last{{visibility:visible}}
{" ".join(rules)}
@media (prefers-reduced-motion:no-preference){{.frame{{animation:shown {length:.2f}s step-end infinite}}
.last{{animation-name:held}}}}
"""


def require_film(path: str | Path) -> None:
    """Refuse a name of another kind of file.

    Raises:
        ConfigurationError: naming the two kinds there are.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".html", ".svg"):
        raise ConfigurationError(
            f"{path}: expected a name that ends in .html (a page with a player) or .svg (a picture that moves); of its "
            f"last frame, programs such as rsvg-convert make {suffix[1:].upper() or 'other files'}"
        )


def _sheet() -> str:
    """The style sheet of plots, and of what films have besides: slopes, areas and dots."""
    areas = ["".join(f".area{i}{{fill:{c[screen]}}}" for i, c in enumerate(COLOURS)) for screen in (0, 1)]
    screens = [
        f".slope{{fill:{GREY[screen]};stroke:{GREY[screen]}}}.dot,.level{{stroke:{PAPER[screen]}}}{areas[screen]}"
        for screen in (0, 1)
    ]
    kinds = [f".area{index}{{fill-opacity:0.16}}" for index in range(len(COLOURS))]
    return f"""{style()}.level{{paint-order:stroke;stroke-width:3}}
.slope{{fill-opacity:0.06;stroke-opacity:0.4;stroke-width:0.7}}{"".join(kinds)}
{screens[0]}
@media (prefers-color-scheme:dark){{{screens[1]}}}
"""


PLAYER = """
.store{position:absolute}.screen{display:block;width:100%;height:auto}.still{width:100%;height:auto}
.controls{display:flex;gap:8px;align-items:center;padding:0 14px;font:14px sans-serif}
.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(130px,1fr));gap:8px;padding:0 14px}
.range{flex:1;min-width:60px}.button{font:inherit;min-width:44px;min-height:36px}
[hidden]{display:none}
"""
CONTROLS = """<div class="controls" hidden>
<button class="button play" type="button">Play</button>
<button class="button back" type="button" aria-label="One frame back">−</button>
<button class="button on" type="button" aria-label="One frame on">+</button>
<input class="range" type="range" min="0" max="%d" value="%d" aria-label="Frame">
</div>
"""
SCRIPT = """(() => {
  const name = %s, labels = %s, pause = %d;
  const film = [...document.querySelectorAll("#" + name)].find(each => !each.dataset.ready);
  if (!film) return;
  film.dataset.ready = "yes";
  const [range, play, back, on] = [".range", ".play", ".back", ".on"].map(each => film.querySelector(each));
  const now = film.querySelector(".screen .now"), last = labels.length - 1;
  let timer = 0;
  const show = index => {
    range.value = index;
    range.setAttribute("aria-valuetext", labels[range.value]);
    now.setAttribute("href", "#" + name + "-" + range.value);
  };
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; };
  const go = () => {
    if (+range.value === last) show(0);
    timer = setInterval(() => { show(+range.value + 1); if (+range.value === last) stop(); }, pause);
    play.textContent = "Pause";
  };
  play.onclick = () => timer ? stop() : go();
  back.onclick = () => { stop(); show(+range.value - 1); };
  on.onclick = () => { stop(); show(+range.value + 1); };
  range.oninput = () => { stop(); show(+range.value); };
  film.querySelector(".controls").hidden = false;
  film.querySelector(".row").hidden = true;
})();"""
