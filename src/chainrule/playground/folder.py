"""The playground as a folder of a site: the same page, with states of the examples that are computed beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chainrule.errors import StorageError
from chainrule.playground.page import Kind, playground_page
from chainrule.playground.presets import PRESETS, Preset, steps_of
from chainrule.playground.run import Run
from chainrule.playground.scene import scene_of
from chainrule.playground.state import State, curve, state_of


def write(folder: str | Path) -> list[Path]:
    """Write the page (`index.html`) and a file for each example, which the page loads when it is chosen.

    Args:
        folder: is made where there is none.

    Returns:
        What was written.

    Raises:
        StorageError: when it cannot be written.
    """
    place = Path(folder)
    written = []
    try:
        place.mkdir(parents=True, exist_ok=True)
        for preset in PRESETS:
            run, text = example(preset)
            path = place / f"{preset.name}.js"
            path.write_text(text, encoding="utf-8")
            written.append(path)
            if preset is PRESETS[0]:
                index = place / "index.html"
                index.write_text(playground_page(run, kind=Kind(example=preset.name)), encoding="utf-8")
                written.append(index)
    except OSError as error:
        raise StorageError(f"playground: {error.filename or place} cannot be written: {error.strerror}") from error
    return written


def example(preset: Preset) -> tuple[Run, str]:
    """The training of an example, at its end, and the script that holds its states."""
    run, states = Run(preset.setup), []
    for step in steps_of(preset):
        run.advance(step)
        states.append(state_of(run))
    scene = {**scene_of(run, _blank(states[-1])), "curve": curve(run, marked=True)}
    held: dict[str, Any] = {"head": _shorten(states), "scene": scene, "states": states}
    return run, f"took({json.dumps(preset.name)},{json.dumps(held, allow_nan=False, separators=(',', ':'))})\n"


def _blank(state: State) -> State:
    """A state without pictures: the script sets those of each state."""
    return {**state, "answer": "", "units": [[["", *rest] for _, *rest in layer] for layer in state["units"]]}


def _shorten(states: list[State]) -> str:
    """Take away what the pictures of all units begin with, most of which is their palette; and give it back."""
    pictured = [unit for state in states for layer in state["units"] for unit in layer]
    first, last = (end(unit[0] for unit in pictured) for end in (min, max))  # all others are between them
    head: str = first[: next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
    for unit in pictured:
        unit[0] = unit[0][len(head) :]
    return head
