"""Machine code through LLVM: the types of numbers, and the way from a module to functions of this process.

A step of a program is a function of three numbers: the address of its table (the addresses of its arrays, their sizes
and their pitches), the number of a block, and the number of blocks. It runs that block of the step. Called with 0
blocks it runs nothing: it returns its number of blocks plus 2³² × its work in units of about 5 µs.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding as binding
import numpy as np
from llvmlite import ir

from chainrule.forks import LOADING, held_over_forks
from chainrule.graph.spec import BOOL
from chainrule.version import __version__

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
TYPES = {
    np.dtype(name): kind
    for name, kind in (
        ("float32", ir.FloatType()), ("float64", ir.DoubleType()), ("int32", I32), ("int64", I64), ("uint32", I32),
        ("bool", I1),
    )
}  # fmt: skip
#: The status that a step returns when it refused no value; any other status is the value that it refused.
OK_STATUS = -(2**63)
OK_CONSTANT = ir.Constant(I64, OK_STATUS)
#: The type of a step: (table, number of the block, number of blocks) to its status, or to its answer about blocks.
STEP = ir.FunctionType(I64, [I64.as_pointer(), I64, I64])


# llvmlite lets one thread at a time into LLVM. A fork waits until none is there, as LLVM has locks of its own, too.
if hasattr(binding.ffi.lib, "_lock"):
    held_over_forks(binding.ffi.lib._lock)  # noqa: SLF001  (it has no public name)


def value_type(dtype: np.dtype[Any]) -> ir.Type:
    """The type of a number in a register."""
    return TYPES[dtype]


def memory_type(dtype: np.dtype[Any]) -> ir.Type:
    """The type of a number in memory, where a boolean is a byte."""
    return I8 if dtype == BOOL else TYPES[dtype]


def _machine() -> Any:
    """A new description of this processor for LLVM. An engine owns the one that it is given, and frees it."""
    _initialize()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(opt=3, cpu=binding.get_host_cpu_name(), features=_features(), jit=True)


@functools.cache
def _initialize() -> None:
    """Make LLVM ready for this processor, once."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@functools.cache
def _features() -> str:
    """What this processor can do, by LLVM's names."""
    features: str = binding.get_host_cpu_features().flatten()
    return features


@functools.cache
def width() -> int:
    """The bytes of a vector register of this processor."""
    return next((size for name, size in (("+avx512vl", 64), ("+avx2", 32)) if name in _features().split(",")), 16)


@functools.cache
def masked() -> bool:
    """Whether this processor reads and writes some lanes of a vector, by a mask, as fast as all of them."""
    return {"+avx512vl", "+avx512bw"} <= set(_features().split(","))


@functools.cache
def fused() -> bool:
    """Whether this processor multiplies and adds in one instruction, rounding once; of x86 processors, older do not."""
    return not is_x86() or "+fma" in _features().split(",")


@functools.cache
def is_x86() -> bool:
    """Whether this is an x86 processor."""
    return binding.get_default_triple().startswith(("x86", "i386", "i686"))  # type: ignore[no-any-return]


@functools.cache
def identity() -> str:
    """What machine code depends on beside a kernel's text: the source that makes it, versions, and the processor."""
    machine = _machine()
    version = ".".join(map(str, binding.llvm_version_info))
    processor = f"{machine.triple} {binding.get_host_cpu_name()} {_features()}"
    return f"{__version__} {source_hash(Path(__file__).parents[1])} {version} {processor}"


def source_hash(folder: Path) -> str:
    """A hash of all Python files in a folder and the folders in it: of their names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def object_code(module: ir.Module) -> bytes:
    """A module as object code for this processor. Its caller holds `LOADING`, if perhaps in another thread."""
    machine = _machine()
    with _addresses_as_written():
        code: bytes = machine.emit_object(_optimised(module, machine))
    return code


def assembly(module: ir.Module) -> str:
    """A module as assembly, of the same instructions as its object code."""
    machine = _machine()
    with LOADING, _addresses_as_written():  # while no other thread compiles
        text: str = machine.emit_assembly(_optimised(module, machine))
    return text


@contextlib.contextmanager
def _addresses_as_written() -> Iterator[None]:
    """Have x86 processors add an index to an address in each access, which costs them nothing.

    Left to itself LLVM looks for the best addresses that a loop may count up instead, in a third of all its time. The
    option is one of the process, so it is set back for others who use LLVM.
    """
    if not is_x86():
        yield
        return
    binding.set_option("", "-disable-lsr=true")
    try:
        yield
    finally:
        binding.set_option("", "-disable-lsr=false")


def intermediate(module: ir.Module) -> str:
    """A module as LLVM's intermediate representation, before LLVM's own passes."""
    module.triple = _machine().triple
    return str(module)


def _optimised(module: ir.Module, machine: Any) -> Any:
    """A module after LLVM's passes."""
    module.triple = machine.triple
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    # `emit` writes loops as they shall run. The passes of LLVM that might improve them would triple its time.
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=1))
    passes = binding.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.run(parsed, builder)
    return parsed


def load(code: bytes, names: Sequence[str]) -> tuple[list[int], Any]:
    """The addresses of functions in object code, and an object that must live as long as they are called."""
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return [engine.get_function_address(name) for name in names], engine
