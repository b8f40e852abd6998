"""Operators that hold graphs: what decides how often these run has to be known, and then they are written out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule import blocks as b
from chainrule.graph.tensor import Tensor
from chainrule.onnx.reading.step import Step, Value, constant, reads

#: Steps that are written out, at most.
MOST_STEPS = 4096


@reads("If")
def _if(step: Step, condition: Tensor) -> list[Value]:
    chosen = bool(step.known(0, condition, "which graph runs").reshape(()))
    return step.run(step.get("then_branch" if chosen else "else_branch"), [])


@reads("Loop")
def _loop(step: Step, count: Tensor | None, going: Tensor | None, *carried: Value) -> list[Value]:
    most = None if count is None else int(step.known(0, count, "the number of steps").reshape(()))
    goes = True if going is None else bool(step.known(1, going, "the number of steps").reshape(()))
    body, held, states = step.get("body"), [], list(carried)
    number = 0
    while goes and (most is None or number < most):
        _require_few(step, number)
        found = step.run(body, [constant(number, np.int64), constant(goes), *states])
        goes = bool(step.known(0, found[0], "the number of steps").reshape(()))
        states = found[1 : 1 + len(carried)]
        held.append(found[1 + len(carried) :])
        number += 1
    kept = step.outputs - len(carried)
    if not held and kept:
        raise step.refuse("no step runs, and so there is nothing to put together")
    return [*states, *(_stacked(step, [x[i] for x in held], 0, backwards=False) for i in range(kept))]


@reads("Scan", since=9)
def _scan(step: Step, *inputs: Tensor) -> list[Value]:
    count = step.get("num_scan_inputs")
    states: list[Value] = list(inputs[: len(inputs) - count])
    sequences = inputs[len(states) :]
    axes = step.get("scan_input_axes", [0] * count)
    backwards = step.get("scan_input_directions", [0] * count)
    steps = sequences[0].shape[axes[0]]
    kept, held = step.outputs - len(states), []
    _require_few(step, steps - 1)
    for t in range(steps):
        rows = [
            b.index(x, (*[slice(None)] * (axis % x.spec.rank), steps - 1 - t if back else t))
            for x, axis, back in zip(sequences, axes, backwards, strict=True)
        ]
        found = step.run(step.get("body"), [*states, *rows])
        states, outputs = found[: len(states)], found[len(states) :]
        held.append(outputs)
    if not held and kept:
        raise step.refuse("no step runs, and so there is nothing to put together")
    along = step.get("scan_output_axes", [0] * kept)
    turned = step.get("scan_output_directions", [0] * kept)
    rest = [_stacked(step, [x[i] for x in held], along[i], backwards=bool(turned[i])) for i in range(kept)]
    return [*states, *rest]


def _stacked(step: Step, parts: Sequence[Value], axis: int, *, backwards: bool) -> Tensor:
    if any(not isinstance(x, Tensor) for x in parts):
        raise step.refuse("what steps give is no tensor")
    return b.stack(list(reversed(parts)) if backwards else list(parts), axis)  # type: ignore[arg-type]


def _require_few(step: Step, number: int) -> None:
    if number >= MOST_STEPS:
        raise step.refuse(f"expected at most {MOST_STEPS:,} steps, as each is written out")
