"""What each stage of `build` made of a program, as text."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from chainrule.errors import ConfigurationError
from chainrule.native.llvm.emit import add_kernel
from chainrule.native.llvm.machine import assembly, intermediate
from chainrule.native.loops.steps import Attending, Leveled, Loop, Product, Recurrence, Step, with_inner
from chainrule.native.program import Program
from chainrule.native.running.attention import add_attention
from chainrule.native.running.kernels import attention_kind, is_double, key_of
from chainrule.native.running.levels import add_levels
from chainrule.native.running.products import add_product
from chainrule.native.running.recurrence import add_recurrence

#: The stages that can be shown, in the order of `build`.
STAGES = ("graph", "loops", "llvm", "assembly")


def require_stage(stage: str) -> None:
    """Refuse anything but a stage.

    Raises:
        ConfigurationError: naming the stages that are spelled alike, and all there are.
    """
    if stage not in STAGES:
        import difflib

        near = difflib.get_close_matches(str(stage), STAGES)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ConfigurationError(f"explain: there is no stage {stage!r}; {hint}expected one of {', '.join(STAGES)}")


def explain(program: Program, stage: str) -> str:
    """The text of one of the `STAGES`.

    The code of the last two is written once more for its text, whether the program's own was compiled or came from the
    disk.
    """
    if stage == "graph":
        return str(program.whole.graph)
    if stage == "loops":
        return program.listing()
    module = _module_of(program.whole.steps)
    return intermediate(module) if stage == "llvm" else assembly(module)


def _module_of(steps: Sequence[Step]) -> ir.Module:
    """The functions of all steps; one that several steps run has the name of the first of them."""
    module, seen = ir.Module(name="program"), set[str]()
    for number, step in enumerate(with_inner(steps)):
        key = key_of(step)
        if key is None or key in seen:
            continue
        seen.add(key)
        if isinstance(step, Loop):
            add_kernel(module, f"step_{number}_{step.kernel.name}", step.kernel)
        elif isinstance(step, Product):
            add_product(module, f"step_{number}_product", is_double(step))
        elif isinstance(step, Recurrence):
            add_recurrence(module, f"step_{number}_recurrence")
        elif isinstance(step, Leveled):
            add_levels(module, f"step_{number}_levels")
        elif isinstance(step, Attending):
            add_attention(module, f"step_{number}_attention", *attention_kind(step))
    return module
