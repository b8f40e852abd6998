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
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import trace
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
    if sum(dense) < 2:
        return []
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
    """The parameters that a rule updates together, for steps of parameters like those that it was found for.

    What a step gives, of a parameter and of what is remembered, becomes parts of one array. So the next step finds them
    side by side, unless someone has given a leaf another array; of gradients one is made each time.

    Attributes:
        made_for: the rule, and of the parameters specs, names and whether gradients are whole.
        groups: the places of those that go together.
    """

    def __init__(self, made_for: object, groups: Sequence[Sequence[int]]) -> None:
        self.made_for = made_for
        self.groups = groups
        self._grouped = {place for group in groups for place in group}
        self._parted: dict[object, tuple[Array, list[Array]]] = {}  # arrays, and the parts that leaves got of them
        self._joined: list[tuple[object, Tensor, list[Tensor]]] = []

    def joined(
        self, parameters: Sequence[Tensor], gradients: Sequence[Tensor | RowSparse], slots: Slots
    ) -> tuple[list[Tensor], list[Tensor | RowSparse], list[Mapping[str, Tensor]]]:
        """What is to be updated, gradients and what is remembered, with one tensor for those that go together."""
        alone = [place for place in range(len(parameters)) if place not in self._grouped]
        targets, found = [parameters[place] for place in alone], [gradients[place] for place in alone]
        held: list[Mapping[str, Tensor]] = [slots[place] for place in alone]
        self._joined = []
        for number, group in enumerate(self.groups):
            targets.append(self._side_by_side((number, None), [parameters[place] for place in group]))
            found.append(_tensor(np.concatenate([gradients[place].numpy().reshape(-1) for place in group])))  # type: ignore[union-attr]
            members = [slots[place] for place in group]
            held.append({x: self._side_by_side((number, x), [slot[x] for slot in members]) for x in members[0]})
        return targets, found, held

    def hand_out(self) -> None:
        """Give the leaves their parts of what became of the tensors that stood for them."""
        for key, tensor, leaves in self._joined:
            whole, start, parts = tensor.numpy(), 0, list[Array]()
            for leaf in leaves:
                stop = start + leaf.spec.size
                leaf.value = part = whole[start:stop].reshape(leaf.spec.shape)
                parts.append(part)
                start = stop
            self._parted[key] = whole, parts
        self._joined = []

    def _side_by_side(self, key: object, leaves: list[Tensor]) -> Tensor:
        arrays = [leaf.numpy() for leaf in leaves]
        whole, parts = self._parted.get(key, (None, ()))
        if whole is None or any(x is not part for x, part in zip(arrays, parts, strict=True)):
            whole = np.concatenate([x.reshape(-1) for x in arrays])
        tensor = _tensor(whole)
        self._joined.append((key, tensor, leaves))
        return tensor


def _tensor(value: Array) -> Tensor:
    return Tensor(Spec(value.shape, value.dtype), value)
