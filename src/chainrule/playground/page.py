"""The page of the playground: HTML that is complete before any script runs, and needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainrule.dataclasses import dataclass
from chainrule.drawing.page import escaped, page
from chainrule.drawing.plot import style
from chainrule.nn import ACTIVATIONS, INITIALIZERS
from chainrule.optim import OPTIMIZERS
from chainrule.playground.levels import CLASS_COLOURS, SIDE, shade
from chainrule.playground.presets import PRESETS
from chainrule.playground.run import Run
from chainrule.playground.scene import Scene, scene_of
from chainrule.playground.setup import DATA, MOST_STEPS, OWN
from chainrule.playground.state import State, curve, state_of
from chainrule.settings.declaration import Setting

HERE = Path(__file__).parent
#: Layers that the form has fields for.
LAYERS = 4
LEAD = (
    "A small network learns to tell the points of a plane apart. Each unit is shown with what it computes at every "
    "place. The layers, losses and optimizers are those of chainrule, and so are the numbers."
)
#: How the same is had in Python.
CODE = """\
from chainrule.playground import Run, Setup

run = Run(Setup.of_address("ADDRESS"))
run.advance(STEP)
print(run.measured(), [weight.numpy() for weight in run.parameters])
"""


@dataclass(frozen=True)
class Kind:
    """What a page is.

    Attributes:
        own: whether there is a table of one's own.
        example: of a page in a folder, the name of the example that it begins with; None for one that a server answers.
    """

    own: bool = False
    example: str | None = None


def told(run: Run, unit: str = "") -> dict[str, Any]:
    """What a server tells of a training: what stays of the page, and the state with its curve."""
    state = state_of(run)
    return {"scene": scene_of(run, state, unit), "state": {**state, "curve": curve(run)}}


def playground_page(run: Run, unit: str = "", kind: Kind | None = None) -> str:
    """The whole page of a training as it is now.

    Args:
        run: the training.
        unit: whose function the large picture shows; "" for the answers.
        kind: None for a page that a server answers, without a table.
    """
    kind = kind or Kind()
    held = told(run, unit)
    scene, state = held["scene"], held["state"]
    files = None
    if kind.example is not None:
        files = {"first": kind.example, "names": [each.name for each in PRESETS]}
        state["curve"] = curve(run, marked=True)
    drawn = state.pop("curve")  # it is on the page already
    start = json.dumps({**held, "unit": unit, "most": MOST_STEPS, "files": files, "code": CODE}, allow_nan=False)
    code = CODE.replace("ADDRESS", scene["address"]).replace("STEP", str(state["step"]))
    advice = "".join(f"<li>{escaped(x)}</li>" for x in state["advice"])
    body = f"""<header><h1>Playground</h1><p>{LEAD}</p></header>
<main>
{_examples(scene, kind)}
{_bar(state, kind)}
<p id="error" role="alert"></p>
<div class="parts">
<div class="side"><section class="seen" aria-labelledby="seen"><h2 id="seen">{escaped(_seen(scene, unit))}</h2>
<div id="plane">{scene["plane"]}</div>
{_scale(scene, state, unit)}<ul id="kinds">{scene["kinds"]}</ul>
<p class="small" id="counts">{scene["counts"]}</p></section>
<section class="course" aria-labelledby="course"><h2 id="course">How it goes</h2>
<p id="said" aria-live="polite">{escaped(state["said"])}</p>
<ul id="advice" aria-live="polite">{advice}</ul>
<div id="curve">{drawn}</div></section></div>
<div class="body"><section class="net" aria-labelledby="net"><h2 id="net">The network</h2>
<div id="network" class="wide" tabindex="0" role="group" aria-label="units and weights">{scene["network"]}</div>
<p class="small">Below each unit stand its lowest and highest number on the plane. <span class="up">Orange</span> is
above 0 (of an output, above the middle), <span class="down">blue</span> below, darkest at its largest size. Edges are
weights, thicker where they are larger. Choose a unit to see it large, with the numbers of its weights.</p>
<table><caption id="into">{_into(scene, unit)}</caption><tbody id="inner">{_inner(scene, state, unit)}</tbody></table>
</section>
{_form(run, state, unit, kind) if files is None else _settings(run)}</div>
</div>
<details><summary>The same again</summary><p>The address of this page holds the settings and the step: whoever opens it
sees the same picture, from the same bits of each weight. In Python:</p>
<pre tabindex="0"><code id="code">{_lines(code)}</code></pre></details>
</main>
<script type="application/json" id="start">{start.replace("<", chr(92) + "u003c")}</script>
<script>{script()}</script>"""
    return page("Playground", body, f'<link rel="icon" href="data:,">\n<style>{style()}{sheet()}</style>\n')


def script() -> str:
    """The script of the page."""
    return HERE.joinpath("page.js").read_text("utf-8")


def sheet() -> str:
    """The style sheet of the page, and the colours of points."""
    rules = [f".class{k}{{stroke:{colour}}}" for k, colour in enumerate(CLASS_COLOURS)]
    for level in range(-SIDE, SIDE + 1):
        colour, cover = shade(level)
        rules.append(f".level{level + SIDE}{{stroke:color-mix(in srgb,{colour} {100 * cover:.0f}%,var(--paper))}}")
    return HERE.joinpath("page.css").read_text("utf-8") + "".join(rules)


def policy() -> str:
    """What the page may load and run: its own script and pictures in it, and answers of its own server."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; form-action 'self'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
    )


def _examples(scene: Scene, kind: Kind) -> str:
    """Links to the examples, each with what it shows."""
    parts, lesson = [], ""
    for each in PRESETS:
        key = each.name if kind.example is not None else each.setup.address()
        address = f"#{each.name}/{each.step}" if kind.example is not None else f"?{each.setup.address(step=each.step)}"
        current = "true" if key == (kind.example or scene["address"]) else "false"
        lesson = each.lesson if current == "true" else lesson
        parts.append(
            f'<li><a href="{escaped(address)}" data-key="{escaped(key)}" data-lesson="{escaped(each.lesson)}" '
            f'aria-current="{current}">{escaped(each.title)}</a></li>'
        )
    return f'<nav aria-label="Examples"><ul>{"".join(parts)}</ul></nav>\n<p id="lesson">{escaped(lesson)}</p>'


def _bar(state: State, kind: Kind) -> str:
    """What plays; it does nothing without scripts, and is not there then."""
    pace = '<input id="along" type="range" min="0" max="0" value="0" aria-label="Step">'
    if kind.example is None:
        options = "<option>1<option selected>10<option>100"
        pace = f'<label>steps a picture <select id="pace" autocomplete="off">{options}</select></label>'
    return (
        '<div class="bar scripted" role="group" aria-label="Training">'
        '<button id="play" type="button">Play</button><button id="next" type="button">Next</button>'
        f'<button id="again" type="button">Start over</button>{pace}'
        f'<output id="step">step {state["step"]:,}</output></div>\n'
        + ("" if kind.example is None else "<noscript><p>Without scripts, this page shows one state of the first "
           "example. <code>chainrule playground</code> shows all of them, and any other, without scripts, too.</p>"
           "</noscript>")
    )  # fmt: skip


def _form(run: Run, state: State, unit: str, kind: Kind) -> str:
    """The settings as a form, which works without scripts, too."""
    setup = run.setup
    fields = "".join(
        _field(declared, declared.text(getattr(setup, declared.name)), kind) for declared in setup.declared()
    )
    return (
        f'<form id="form" method="get" action="./" autocomplete="off" aria-label="Settings"><h2>Settings</h2>'
        f'<div class="fields">{fields}<label class="plain">step<input name="step" type="number" min="0" '
        f'max="{MOST_STEPS}" value="{state["step"]}"></label></div><input type="hidden" name="unit" '
        f'value="{escaped(unit)}"><button class="plain">Show</button>'
        '<p class="small">Whatever changes, training starts over.</p></form>'
    )


def _field(declared: Setting, value: str, kind: Kind) -> str:
    """The field of a setting."""
    name, label, hint = declared.name, escaped(declared.name.replace("_", " ")), escaped(declared.help)
    if name == "hidden":
        sizes = [*filter(None, value.split(",")), *[""] * LAYERS][:LAYERS]
        boxes = "".join(
            f'<input name="hidden" type="number" min="1" max="8" value="{size}" aria-label="units of layer {k}">'
            for k, size in enumerate(sizes, start=1)
        )
        return f'<fieldset title="{hint}"><legend>units of hidden layers 1 to 4</legend>{boxes}</fieldset>'
    if name == "inputs":
        boxes = "".join(
            f'<label><input type="checkbox" name="inputs" value="{x}"{" checked" if x in value.split(",") else ""}>{x}'
            "</label>"
            for x in declared.declaration.choices or ()
        )
        return f'<fieldset title="{hint}"><legend>inputs</legend>{boxes}</fieldset>'
    choices = _choices(declared, kind)
    if choices:
        options = "".join(
            f'<option value="{escaped(x)}"{" selected" if x == value else ""}>{escaped(x)}</option>'
            for x in dict.fromkeys([*choices, value])
        )
        return f'<label title="{hint}">{label}<select name="{name}">{options}</select></label>'
    numeric = 'type="text" inputmode="numeric"' if declared.optional else 'type="number" step="any" min="0"'
    return f'<label title="{hint}">{label}<input name="{name}" {numeric} value="{escaped(value)}" required></label>'


def _choices(declared: Setting, kind: Kind) -> Sequence[str]:
    """What a setting may be, where that can be listed."""
    steady = [name for name, rule in OPTIMIZERS.items() if not rule.searches]
    listed: dict[str, Sequence[str]] = {
        "data": [OWN, *DATA] if kind.own else list(DATA),
        "optimizer": [*steady, "sgd:momentum=0.9"],
        "activation": list(ACTIVATIONS),
        "initializer": ["none", *INITIALIZERS],
    }
    return listed.get(declared.name) or list(declared.declaration.choices or ())


def _settings(run: Run) -> str:
    """The settings as they are, on a page that cannot train."""
    held = "".join(
        f'<div><dt>{escaped(x.name.replace("_", " "))}</dt><dd id="setting-{x.name}">'
        f"{escaped(x.text(getattr(run.setup, x.name)))}</dd></div>"
        for x in run.setup.declared()
    )
    return (
        f'<section class="held" aria-labelledby="held"><h2 id="held">Settings</h2><dl>{held}</dl><p class="small">Here '
        "they are those of the examples; <code>chainrule playground</code> trains with any.</p></section>"
    )


def _place(unit: str, scene: Scene) -> tuple[int, int, bool]:
    """The layer and the number of the chosen unit, from 0, or of the first output; and whether it is hidden."""
    last = len(scene["sources"]) - 1
    layer, number = (int(x) - 1 for x in unit.split(".")) if unit else (last, 0)
    return layer, number, layer < last


def _seen(scene: Scene, unit: str) -> str:
    """What the large picture shows."""
    _, number, hidden = _place(unit, scene)
    answers: list[str] = scene["answers"]
    return f"What unit {unit} computes" if hidden else answers[number + 1 if unit else 0]


def _scale(scene: Scene, state: State, unit: str) -> str:
    """What the colours of the large picture stand for."""
    layer, number, hidden = _place(unit, scene)
    low, high = state["ends"]
    if hidden:
        _, least, most, _ = state["units"][layer][number]
        high = max(abs(least or 0.0), abs(most or 0.0))
        low = -high
    parts = "".join(f'<i style="background:{shade(k)[0]};opacity:{shade(k)[1]}"></i>' for k in range(-SIDE, SIDE + 1))
    several = ' class="several"' if len(scene["outputs"]) > 1 and not hidden else ""
    return (
        f'<div id="legend"{several}><span id="low">{low:.3g}</span>'
        f'<span class="scale" aria-hidden="true">{parts}</span>'
        f'<span id="high">{high:.3g}</span></div>\n'
    )


def _into(scene: Scene, unit: str) -> str:
    """Above the weights of the chosen unit."""
    _, number, hidden = _place(unit, scene)
    name = f"unit {unit}" if hidden else f"output {scene['outputs'][number]}"
    return escaped(f"What goes into {name}") if unit else ""


def _inner(scene: Scene, state: State, unit: str) -> str:
    """The weights into the chosen unit, as rows of a table."""
    if not unit:
        return ""
    layer, number, _ = _place(unit, scene)
    held = [(name, row[number]) for name, row in zip(scene["sources"][layer], state["weights"][layer], strict=True)]
    return "".join(
        f'<tr><th scope="row">{escaped(name)}</th><td>'
        f"{' and '.join('no number' if x is None else f'{x:.4g}' for x in weights)}</td></tr>"
        for name, weights in [*held, ("bias", state["biases"][layer][number])]
    )


def _lines(text: str) -> str:
    return "\n".join(map(escaped, text.split("\n")))
