"""Subnormal numbers in native code: a result that is too small for full precision becomes 0.

Many processors compute with subnormals (in float32 those below 1.2e-38) many times slower than with others, and what
decays towards 0, such as the mean that an optimizer remembers of a gradient that has ended, would stay one for good. So
native code flushes them to zero, as a mode of the processor. The mode belongs to a thread, and everything else that
runs there, such as NumPy, finds it as it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import llvmlite.binding as binding
from llvmlite import ir

from chainrule.native.llvm.lanes import intrinsic
from chainrule.native.llvm.machine import I8, I32, I64

#: The bit "flush to zero" of the register that controls floating-point arithmetic: x86's MXCSR, and Arm's FPCR. x86
#: still reads subnormals as what they are; Arm's mode has them read as 0.
X86_FLUSH, ARM_FLUSH = 1 << 15, 1 << 24


@contextlib.contextmanager
def flushed_to_zero(builder: ir.IRBuilder) -> Iterator[None]:
    """Run what is written inside with subnormal results flushed to zero, where the processor has a mode for that."""
    architecture = binding.get_default_triple().split("-")[0]
    if architecture in ("x86_64", "i686"):
        with builder.goto_entry_block():
            before, inside = builder.alloca(I32), builder.alloca(I32)
        _x86(builder, "stmxcsr", before)
        builder.store(builder.or_(builder.load(before), ir.Constant(I32, X86_FLUSH)), inside)
        _x86(builder, "ldmxcsr", inside)
        yield
        _x86(builder, "ldmxcsr", before)
    elif architecture in ("aarch64", "arm64"):
        held = intrinsic(builder, "aarch64.get.fpcr", [], I64, of=[])
        _set_fpcr(builder, builder.or_(held, ir.Constant(I64, ARM_FLUSH)))
        yield
        _set_fpcr(builder, held)
    else:
        yield


def _x86(builder: ir.IRBuilder, name: str, place: ir.Value) -> None:
    """Store the control register to memory, or load it from there."""
    intrinsic(builder, f"x86.sse.{name}", [builder.bitcast(place, I8.as_pointer())], ir.VoidType(), of=[])


def _set_fpcr(builder: ir.IRBuilder, value: ir.Value) -> None:
    intrinsic(builder, "aarch64.set.fpcr", [value], ir.VoidType(), of=[])
