"""Parameter groups of a training: another rate, other settings or another rule for some parameters, by their names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, shortened
from chainrule.graph.tensor import Tensor
from chainrule.optim import OPTIMIZERS, Optimizer
from chainrule.optim.groups import covers, require_known
from chainrule.settings import SettingError, suggestion

EXPECTED = (
    "expected PATTERN=CHANGES, with changes joined by +: 0.1x (a tenth of the learning rate), lr:0.01, frozen, the "
    "name of an optimizer, or a setting of it such as weight_decay:0"
)


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that one optimizer updates.

    Attributes:
        optimizer: the rule.
        share: what the learning rate of the training is multiplied by.
        names: of the parameters.
    """

    optimizer: Optimizer
    share: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Member:
    """How a parameter is updated."""

    optimizer: Optimizer
    share: float = 1.0
    frozen: bool = False


def grouped(groups: Sequence[str], optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> list[ParameterGroup]:
    """The groups that parameters form, in the order of their first parameters; all entries that cover one count.

    Args:
        groups: entries as in `Training.groups`.
        optimizer: of the training, with its learning rate.
        parameters: by their names.

    Raises:
        ConfigurationError: for an entry that says nothing, that covers no parameter, or that leaves none to train.

    Example:
        >>> import chainrule
        >>> from chainrule.optim import AdamW
        >>> named = {name: chainrule.Parameter.of([1.0]) for name in ("bag.table", "out.weight", "out.bias")}
        >>> for group in grouped(("bag=0.1x", "*.bias=weight_decay:0"), AdamW(0.01), named):
        ...     print(group.names, group.share, group.optimizer.weight_decay)
        ('bag.table',) 0.1 0.01
        ('out.weight',) 1.0 0.01
        ('out.bias',) 1.0 0.0
    """
    members = dict.fromkeys(parameters, _Member(optimizer))
    for entry in groups:
        pattern, equals, changes = entry.partition("=")
        if not equals or not pattern or not changes:
            raise ConfigurationError(f"groups: {EXPECTED}; got {shortened(entry)}")
        require_known("groups", [pattern], parameters)
        for path in parameters:
            if covers(pattern, path):
                for change in changes.split("+"):
                    members[path] = _changed(members[path], change.strip(), entry, optimizer.learning_rate)
    kinds = list(dict.fromkeys(member for member in members.values() if not member.frozen))
    if not kinds:
        raise ConfigurationError(f"groups: every parameter is frozen by {', '.join(groups)}; leave one to train")
    return [
        ParameterGroup(kind.optimizer, kind.share, tuple(path for path, member in members.items() if member == kind))
        for kind in kinds
    ]


def _changed(member: _Member, change: str, entry: str, rate: float) -> _Member:
    """A member after one change that an entry asks for."""
    name, colon, value = change.partition(":")
    if change == "frozen":
        return replace(member, frozen=True)
    if change in OPTIMIZERS:
        return replace(member, optimizer=OPTIMIZERS.make(change, learning_rate=rate))
    share = _positive(change.removesuffix("x")) if change.endswith("x") else None
    if name == "lr" and (own := _positive(value)) is not None:
        share = own / rate
    if share is not None:
        return replace(member, share=share)
    declared = {x.name: x for x in member.optimizer.declared()}
    if not colon or name not in declared:
        known = ["frozen", *OPTIMIZERS, *declared]
        near = suggestion(name, known)
        listed = f"; {member.optimizer.name} has {', '.join(declared)}" if colon and not near else ""
        raise ConfigurationError(f"groups: {EXPECTED}; got {shortened(change)} in {shortened(entry)}{near}{listed}")
    try:
        given = {name: declared[name].parsed(member.optimizer.name, value)}
        return replace(member, optimizer=replace(member.optimizer, **given))
    except SettingError as error:
        raise ConfigurationError(f"groups: {entry}: {error}") from error


def _positive(text: str) -> float | None:
    """A finite number above 0; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number > 0 and math.isfinite(number) else None
