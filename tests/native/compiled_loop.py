"""Compiles y[i] = body(x[i], ...) to machine code, for tests and measurements of generated loops."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

INDEX = ir.IntType(64)
TYPES = {np.dtype("f4"): ir.FloatType(), np.dtype("f8"): ir.DoubleType()}


@dataclass(frozen=True)
class Loop:
    """A compiled loop over contiguous arrays of one data type; `engine` keeps its code alive."""

    dtype: np.dtype
    assembly: str
    function: Callable[..., None]
    engine: Any

    def __call__(self, *inputs: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        inputs = np.broadcast_arrays(*(np.asarray(x, self.dtype) for x in inputs))
        arrays = [np.ascontiguousarray(x) for x in inputs]
        out = np.empty(inputs[0].shape, self.dtype) if out is None else out
        self.function(*(x.ctypes.data for x in arrays), out.ctypes.data, out.size)
        return out


def target_machine() -> llvm.TargetMachine:
    """A new one for each engine, because an engine owns its machine and frees it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(opt=3, cpu=llvm.get_host_cpu_name(), features=features, jit=True)


def build_module(body: Callable[..., ir.Value], arity: int, type: ir.Type) -> ir.Module:
    """void loop(type *noalias x..., type *noalias y, i64 size): y[i] = body(builder, x[i], ...)."""
    module = ir.Module("loop")
    module.triple = llvm.get_default_triple()
    pointers = [type.as_pointer()] * (arity + 1)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [*pointers, INDEX]), "loop")
    *inputs, output, size = function.args
    for pointer in (*inputs, output):
        pointer.add_attribute("noalias")
    before, head, inside, after = (function.append_basic_block(name) for name in ("before", "head", "inside", "after"))
    builder = ir.IRBuilder(before)
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(INDEX)
    builder.cbranch(builder.icmp_signed("<", index, size), inside, after)
    builder.position_at_end(inside)
    builder.store(body(builder, *(builder.load(builder.gep(x, [index])) for x in inputs)), builder.gep(output, [index]))
    index.add_incoming(INDEX(0), before)
    index.add_incoming(builder.add(index, INDEX(1), flags=("nsw", "nuw")), builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    builder.ret_void()
    return module


def compile_loop(body: Callable[..., ir.Value], arity: int, dtype: Any) -> Loop:
    """The loop at optimisation level 3, for this processor, with loop vectorisation."""
    machine = target_machine()
    module = llvm.parse_assembly(str(build_module(body, arity, TYPES[np.dtype(dtype)])))
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    assembly = machine.emit_assembly(module)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)
    return Loop(np.dtype(dtype), assembly, signature(engine.get_function_address("loop")), engine)
