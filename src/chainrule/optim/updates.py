"""Updates: one step of an optimizer as a graph, and writing its values into the leaves.

The two are separate so that a compiler can take the graph alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.blocks import gather_or_zero
from chainrule.errors import ConfigurationError, DTypeError, ShapeError
from chainrule.graph.leaves import Mutable
from chainrule.graph.sparse import RowSparse
from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.graph.trace import Update
from chainrule.optim.contract import RuleContract, require_gradients, require_leaves, require_updated
from chainrule.optim.rule import Rule


def updates(
    rule: Rule,
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor | RowSparse],
    slots: Sequence[Mapping[str, Tensor]],
    scalars: Mapping[str, Tensor],
) -> list[Update]:
    """One step as a graph: what every parameter, and all that is remembered of it, is to become.

    Nothing is changed, and no tensor needs a value.

    Args:
        rule: the rule.
        parameters: leaves.
        gradients: one a parameter.
        slots: what is remembered of each parameter, as in `State.slots`.
        scalars: the coefficients of the step, scalar tensors of any floating-point dtype.

    Raises:
        ShapeError: when the lists differ in length, or a gradient or state from its parameter in shape.
        DTypeError: when one differs in dtype.
        ConfigurationError: when the state is of another rule.
    """
    require_fit(rule, parameters, gradients, slots)
    return updates_of_fitting(rule, parameters, gradients, slots, scalars)


def updates_of_fitting(
    rule: Rule,
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor | RowSparse],
    slots: Sequence[Mapping[str, Tensor]],
    scalars: Mapping[str, Tensor],
) -> list[Update]:
    """As `updates`, for lists that are known to fit together."""
    found: list[Update] = []
    coefficients: dict[np.dtype[Any], Mapping[str, Tensor]] = {}
    for parameter, gradient, slot in zip(parameters, gradients, slots, strict=True):
        if parameter.dtype not in coefficients:
            coefficients[parameter.dtype] = in_dtype(scalars, parameter.dtype)
        numbers = coefficients[parameter.dtype]
        if isinstance(gradient, Tensor):
            found += _dense(rule, parameter, gradient, slot, numbers)
        elif rule.row_updates and all(x.shape == parameter.shape for x in slot.values()):
            found += _by_rows(rule, parameter, gradient.coalesce(), slot, numbers)
        else:
            found += _dense(rule, parameter, gradient.dense(), slot, numbers)
    return found


def _dense(
    rule: Rule, parameter: Tensor, gradient: Tensor, slot: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
) -> list[Update]:
    after, state = apply_rule(rule, parameter, gradient, slot, scalars)
    return [Update(parameter, after), *(Update(slot[name], value) for name, value in state.items())]


def _by_rows(
    rule: Rule, parameter: Tensor, gradient: RowSparse, slot: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
) -> list[Update]:
    """The rule on the rows that a gradient without repeated rows touches."""
    rows = gradient.indices
    held = {name: gather_or_zero(leaf, rows) for name, leaf in slot.items()}
    after, state = apply_rule(rule, gather_or_zero(parameter, rows), gradient.rows, held, scalars)
    return [Update(parameter, after, rows), *(Update(slot[name], value, rows) for name, value in state.items())]


def apply_rule(
    rule: Rule, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor], scalars: Mapping[str, Tensor]
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """The rule on a parameter, or rows of one, held to what it promised.

    Raises:
        ConfigurationError: for a state of another rule, or when the rule does not give the state it was given.
        ShapeError: when the rule gives a value of another shape or dtype.
    """
    try:
        with RuleContract(rule, "update"):
            after, remembered = require_updated(rule, rule.update(parameter, gradient, state, scalars))
    except KeyError as error:
        raise ConfigurationError(
            f"{_name(rule)}: update asked for {error}; there are a state of {_listed(state)} and the coefficients "
            f"{_listed(scalars)}. A rule takes the state that its own start gave"
        ) from error
    if remembered.keys() != state.keys():
        raise ConfigurationError(
            f"{_name(rule)}: update gave a state of {_listed(remembered)}; expected {_listed(state)}, as it was "
            f"started with"
        )
    if after.spec != parameter.spec:
        raise ShapeError(f"{_name(rule)}: update gave {after.spec} for the parameter, which is {parameter.spec}")
    for name, held in state.items():
        if remembered[name].spec != held.spec:
            raise ShapeError(f"{_name(rule)}: update gave {remembered[name].spec} for {name}, which is {held.spec}")
    return after, remembered


def commit(updates: Sequence[Update]) -> None:
    """Write the values into the leaves.

    A dense update gives its leaf a new array; a row update writes into the array of the leaf.

    Raises:
        ChainruleError: when a value was traced and is not there.
    """
    written = [(update, _own(update.value)) for update in updates]  # all values, before the first leaf changes
    for update, value in written:
        if update.rows is None:
            update.target.value = value
        else:
            rows = update.rows.numpy()
            kept = rows < update.target.shape[0]
            array = update.target.writable() if isinstance(update.target, Mutable) else update.target.numpy()
            array[rows[kept]] = value[kept]


def require_fit(
    rule: Rule,
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor | RowSparse],
    slots: Sequence[Mapping[str, Tensor]],
) -> None:
    """Refuse lists that do not fit together, before anything is computed.

    Raises:
        ShapeError: for different lengths or shapes.
        DTypeError: for different dtypes.
        ConfigurationError: for a state of another rule, and for what are no parameters or gradients.
    """
    name = _name(rule)
    require_leaves(name, parameters)
    require_gradients(name, gradients)
    if not len(parameters) == len(gradients) == len(slots):
        raise ShapeError(
            f"{name}: expected a gradient and a state for each of {len(parameters)} parameters, got {len(gradients)} "
            f"gradients and {len(slots)} states"
        )
    for i, (parameter, gradient, slot) in enumerate(zip(parameters, gradients, slots, strict=True)):
        if gradient.spec != parameter.spec:
            _require_same(f"{name}: gradient {i}", parameter, gradient.spec)
        for key, leaf in slot.items():
            if leaf.spec != parameter.spec:
                started = rule.init(parameter).get(key)  # of a shape of its own
                if started is None or started.spec != leaf.spec:
                    _require_same(f"{name}: state {i}.{key}", parameter, leaf.spec)


def _require_same(what: str, parameter: Tensor, spec: Spec) -> None:
    if spec.shape != parameter.shape:
        raise ShapeError(
            f"{what}: expected shape {parameter.shape} as parameter {parameter.label} has, got {spec.shape}"
        )
    if spec.dtype != parameter.dtype:
        raise DTypeError(
            f"{what}: expected {parameter.dtype.name} as parameter {parameter.label} has, got {spec.dtype.name}"
        )


def _own(tensor: Tensor) -> Array:
    """The tensor's value, copied where its memory is someone else's: a leaf's, or an input's that it is a view of."""
    value = tensor.numpy()
    if value.base is None:  # then it is no view, and nobody else's unless it is the very array
        shared = tensor.block is None or any(value is x.value for x in tensor.inputs)
    else:
        shared = tensor.block is None or any(np.may_share_memory(value, x.numpy()) for x in tensor.inputs)
    return np.array(value, order="C") if shared else np.asarray(value, order="C")  # of rank 0, too


def in_dtype(scalars: Mapping[str, Tensor], dtype: np.dtype[Any]) -> dict[str, Tensor]:
    """Coefficients in the dtype of a parameter."""
    return {name: x if x.dtype == dtype else x.astype(dtype) for name, x in scalars.items()}


def _name(rule: Rule) -> str:
    return type(rule).__name__


def _listed(names: Mapping[str, Tensor]) -> str:
    return ", ".join(names) or "nothing"
