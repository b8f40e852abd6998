"""Together: small parameters side by side in one tensor, so that a rule runs once for all of them in an eager step.

An operation on a few numbers takes the interpreter longer than the processor. A rule that does the same to every number
of several parameters does it to all of them at once, with the same bits. Whether it does, its own equations say, as
they are traced for each parameter. In a compiled step there is nothing to gain, as its kernels are fused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.graph.block import Elementwise
from chainrule.graph.leaves import Constant
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Update, trace
from chainrule.optim.rule import Rule
from chainrule.optim.updates import apply_rule

#: A parameter with more numbers is updated by itself: to put it beside others would take as long as it saves.
MOST_NUMBERS = 2**13

#: What a rule does to one number: blocks and constants with the places of their inputs, then those of the results.
Equations = Sequence[Any]
Slots = Sequence[Mapping[str, Tensor]]


def equations_of(rule: Rule, parameter: Tensor, slot: Mapping[str, Tensor], scalars: Sequence[str]) -> Equations | None:
    """What a rule does to each number of a parameter; None where it does not do the same to each by itself."""
    if parameter.spec.size > MOST_NUMBERS or any(leaf.spec != parameter.spec for leaf in slot.values()):
        return None

    def equations(leaf: Tensor, gradient: Tensor, *given: Tensor) -> list[Tensor]:
        state, numbers = dict(zip(slot, given, strict=False)), given[len(slot) :]
        after, remembered = apply_rule(rule, leaf, gradient, state, dict(zip(scalars, numbers, strict=True)))
        return [after, *[remembered[name] for name in slot]]

    specs = [*[parameter.spec] * (2 + len(slot)), *[Spec((), parameter.dtype)] * len(scalars)]
    try:
        graph = trace(equations, *specs, names=[parameter.name] if parameter.name else [])
    except Exception:  # noqa: BLE001  (a rule that cannot be traced runs by itself, and says what is wrong)
        return None
    places = {leaf: place for place, leaf in enumerate(graph.inputs)}
    found: list[Any] = [parameter.dtype, len(slot)]
    for node in graph.nodes():
        if node in places:
            continue
        if isinstance(node, Constant) and node.shape == () and node.value is not None:
            found.append((node.dtype, node.value.tobytes()))
        elif isinstance(node.block, Elementwise):
            found.append((node.block, [places[x] for x in node.inputs]))
        else:
            return None
        places[node] = len(places)
    return [*found, [places[x] for x in graph.outputs]]


def groups_of(
    rule: Rule, parameters: Sequence[Tensor], dense: Sequence[bool], slots: Slots, scalars: Sequence[str]
) -> list[list[int]]:
    """The places of parameters that a rule may update together: several of one dtype that it treats alike.

    Those whose gradients are of some rows are updated by themselves.
    """
    held: list[tuple[Equations, list[int]]] = []
    for place, (parameter, slot) in enumerate(zip(parameters, slots, strict=True)):
        equations = equations_of(rule, parameter, slot, scalars) if dense[place] else None
        if equations is not None:
            members = next((members for others, members in held if others == equations), None)
            if members is None:
                held.append((equations, [place]))
            else:
                members.append(place)
    return [members for _, members in held if len(members) > 1]


class Together:
    """The parameters of a step, their gradients and slots, with one tensor in the place of those that go together.

    Attributes:
        parameters: what is to be updated.
        gradients: one each.
        slots: what is remembered of each.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor | RowSparse],
        slots: Slots,
    ) -> None:
        self._members: dict[Tensor, list[Tensor]] = {}
        grouped = {place for group in groups for place in group}
        alone = [place for place in range(len(parameters)) if place not in grouped]
        self.parameters = [parameters[place] for place in alone]
        self.gradients = [gradients[place] for place in alone]
        self.slots = [slots[place] for place in alone]
        for group in groups:
            held = [slots[place] for place in group]
            self.parameters.append(self._joined([parameters[place] for place in group]))
            self.gradients.append(self._joined([gradients[place] for place in group]))  # type: ignore[misc]
            self.slots.append({name: self._joined([slot[name] for slot in held]) for name in held[0]})

    def _joined(self, tensors: list[Tensor]) -> Tensor:
        value = np.concatenate([x.numpy().reshape(-1) for x in tensors])
        joined = Tensor(Spec(value.shape, value.dtype), value)
        self._members[joined] = tensors
        return joined

    def parted(self, updates: Sequence[Update]) -> list[Update]:
        """Updates of all these as updates of what was given."""
        found: list[Update] = []
        for update in updates:
            if update.target not in self._members:
                found.append(update)
                continue
            value, start = update.value.numpy(), 0
            for target in self._members[update.target]:
                stop = start + target.spec.size
                found.append(Update(target, Tensor(target.spec, value[start:stop].reshape(target.shape))))
                start = stop
        return found
