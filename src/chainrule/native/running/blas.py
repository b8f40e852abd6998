"""Matrix products: BLAS of SciPy, called from native code through its function pointers."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import itertools
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import ExtensionFileLoader, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from llvmlite import ir
from threadpoolctl import LibController, ThreadpoolController

from chainrule.graph.spec import Array
from chainrule.native.llvm.machine import I32, I64

#: Multiplications up to which OpenBLAS does not arrange float32 matrices whose right one is not turned, by the names
#: of its cores. Products of a few millions are faster in such blocks than whole.
NOT_ARRANGED = dict.fromkeys(("SkylakeX", "Cooperlake", "SapphireRapids"), 10**6)


@functools.cache
def address(name: str) -> int:
    """The address of a BLAS routine, such as sgemm."""
    capsule = _routines()[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(get_pointer(capsule, get_name(capsule)) or 0)


@functools.cache
def _routines() -> dict[str, Any]:
    """The capsules of SciPy's BLAS.

    The extension module that has them is loaded alone, without the hundred modules of its package, which take ten times
    as long. Where that fails, it is imported as usual.
    """
    name = "scipy.linalg.cython_blas"
    module = sys.modules.get(name)
    if module is None:
        with suppress(ImportError):
            module = _alone(name)
    held: dict[str, Any] = (module or importlib.import_module(name)).__pyx_capi__
    return held


def _alone(name: str) -> ModuleType | None:
    """An extension module of SciPy without the package around it; None where it is not a file of its own."""
    package, folder, stem = name.split(".")
    top = importlib.util.find_spec(package)
    places = [str(Path(place, folder)) for place in (top and top.submodule_search_locations) or ()]
    found = PathFinder.find_spec(stem, places)
    if found is None or not isinstance(found.loader, ExtensionFileLoader):
        return None
    # With its full name it is the same module to those who import it later.
    loader = ExtensionFileLoader(name, found.loader.path)
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        return None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@functools.cache
def _library() -> LibController | None:
    """SciPy's BLAS, the one that runs the products; None where it is of a kind that is not known."""
    address("sgemm")  # loads it
    held = [x for x in ThreadpoolController().lib_controllers if x.user_api == "blas"]
    # Wheels of SciPy bring a BLAS of their own in a folder named after it; elsewhere there is one for all.
    own = [x for x in held if {"scipy", "scipy.libs"} & set(Path(x.filepath).parts)]
    return (own or held or [None])[0]


def small(double: bool) -> int:
    """The multiplications of a product up to which BLAS does not arrange its matrices; 0 where it always does."""
    return 0 if double else NOT_ARRANGED.get(getattr(_library(), "architecture", ""), 0)


@functools.cache
def _limit() -> tuple[tuple[int, int, int], object]:
    """Addresses: of what is known of BLAS's threads, and of the functions that read and set their number.

    What is known is a lock, how many programs run now, and the number that was found. The addresses are zeros where
    there are no such functions. The second result is what must live as long as they are used.
    """
    library = _library()
    if library is None:
        return (0, 0, 0), None
    functions = _functions(library)
    known = (ctypes.c_int64 * 3)()
    get_threads, set_threads = (ctypes.cast(x, ctypes.c_void_p).value or 0 for x in functions)
    return (ctypes.addressof(known), get_threads, set_threads), (known, functions)


def _functions(library: LibController) -> list[Any]:
    """What reads and what sets a library's number of threads: OpenBLAS's own functions, or calls back into Python."""
    for start, end in itertools.product(("", "scipy_"), ("", "64_", "_64")):
        with contextlib.suppress(AttributeError):
            return [library.dynlib[f"{start}openblas_{verb}_num_threads{end}"] for verb in ("get", "set")]
    return [
        ctypes.CFUNCTYPE(ctypes.c_int)(library.get_num_threads),
        ctypes.CFUNCTYPE(None, ctypes.c_int)(library.set_num_threads),
    ]


#: What the table of a limited call holds, in order.
LIMITED = ("function", "first", "second", "third", "known", "get", "set")


def limited(function: int, arguments: Sequence[int], *, products: bool) -> Array:
    """The table of a call of a function of three arguments, with BLAS at one thread where it runs products."""
    return np.array([function, *arguments, *(_limit()[0] if products else (0, 0, 0))], np.int64)


def add_limited(module: ir.Module, name: str) -> None:
    """Add the function `name` to a module: it makes the call of a table of `LIMITED`, with BLAS at one thread.

    A thread of BLAS that waits for another costs more than a small product gains. The setting is the whole process's:
    the first program that runs changes it, and the last one that ends restores what was found. Where nothing is known,
    it is a call and no more.
    """
    shift = _shift(module, f"{name}_shift")
    function = ir.Function(module, ir.FunctionType(I64, [I64.as_pointer()]), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    table = [builder.load(builder.gep(function.args[0], [ir.Constant(I64, i)])) for i in range(len(LIMITED))]
    given = dict(zip(LIMITED, table, strict=True))
    limits = builder.icmp_signed("!=", given["known"], ir.Constant(I64, 0))
    threads = [given[x] for x in ("known", "get", "set")]
    with builder.if_then(limits):
        builder.call(shift, [*threads, ir.Constant(I64, 1)])
    called = builder.inttoptr(given["function"], ir.FunctionType(I64, [I64] * 3).as_pointer())
    status = builder.call(called, [given[x] for x in ("first", "second", "third")])
    with builder.if_then(limits):
        builder.call(shift, [*threads, ir.Constant(I64, -1)])
    builder.ret(status)


def _shift(module: ir.Module, name: str) -> ir.Function:
    """A function of (known, get, set, change): one program more that runs, or one less."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 4), name)
    function.linkage = "internal"
    address_known, get, put, change = function.args
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    known = builder.inttoptr(address_known, I64.as_pointer())
    running, found = (builder.gep(known, [ir.Constant(I64, i)]) for i in (1, 2))
    get_threads = builder.inttoptr(get, ir.FunctionType(I32, []).as_pointer())
    set_threads = builder.inttoptr(put, ir.FunctionType(ir.VoidType(), [I32]).as_pointer())
    wait, held = (function.append_basic_block(x) for x in ("wait", "held"))
    builder.branch(wait)
    builder.position_at_end(wait)
    taken = builder.extract_value(builder.cmpxchg(known, zero, one, "acquire", "monotonic"), 1)
    builder.cbranch(taken, held, wait)
    builder.position_at_end(held)
    before = builder.load(running)
    after = builder.add(before, change)
    builder.store(after, running)
    with builder.if_then(builder.icmp_signed("==", before, zero)):
        builder.store(builder.sext(builder.call(get_threads, []), I64), found)
    with builder.if_then(builder.icmp_signed("!=", builder.load(found), one)):
        with builder.if_then(builder.icmp_signed("==", before, zero)):
            builder.call(set_threads, [ir.Constant(I32, 1)])
        with builder.if_then(builder.icmp_signed("==", after, zero)):
            builder.call(set_threads, [builder.trunc(builder.load(found), I32)])
    builder.store_atomic(zero, known, "release", 8)
    builder.ret_void()
    return function
