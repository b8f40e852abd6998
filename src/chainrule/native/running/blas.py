"""SciPy's BLAS: the addresses of its routines, and its number of threads while a program runs."""

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

from chainrule.forks import LOADING, renewed_in_child
from chainrule.graph.spec import Array
from chainrule.native.llvm.machine import I32, I64

#: The most multiplications of a float32 product whose matrices OpenBLAS multiplies without packing them, by OpenBLAS's
#: names of processor cores; the right matrix must not be transposed. Products of a few million multiplications are
#: faster in such blocks than whole.
UNPACKED_LIMITS = dict.fromkeys(("SkylakeX", "Cooperlake", "SapphireRapids"), 10**6)


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
    """The capsules of SciPy's BLAS routines, by name.

    The extension module that has them is loaded by itself, as the hundred modules of its package take ten times as
    long. Where that fails, it is imported as usual.
    """
    name = "scipy.linalg.cython_blas"
    with LOADING:
        module = sys.modules.get(name)
        if module is None:
            with suppress(ImportError):
                module = _alone(name)
        capsules: dict[str, Any] = (module or importlib.import_module(name)).__pyx_capi__
    return capsules


def _alone(name: str) -> ModuleType | None:
    """An extension module of SciPy, loaded without its package; None where it is not a file of its own."""
    package, folder, stem = name.split(".")
    top = importlib.util.find_spec(package)
    places = [str(Path(place, folder)) for place in (top and top.submodule_search_locations) or ()]
    found = PathFinder.find_spec(stem, places)
    if found is None or not isinstance(found.loader, ExtensionFileLoader):
        return None
    # Under its full name, a later import finds this very module.
    loader = ExtensionFileLoader(name, found.loader.path)
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        return None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@functools.cache
def _library() -> LibController | None:
    """The library that runs the products; None where threadpoolctl does not know it."""
    address("sgemm")  # loads it
    with LOADING:
        libraries = [x for x in ThreadpoolController().lib_controllers if x.user_api == "blas"]
    # SciPy's wheels have a BLAS of their own in a folder of theirs; otherwise all packages use one.
    own = [x for x in libraries if {"scipy", "scipy.libs"} & set(Path(x.filepath).parts)]
    return (own or libraries or [None])[0]


def unpacked_limit(double: bool) -> int:
    """The most multiplications of a product whose matrices BLAS does not pack; 0 where it always packs them."""
    return 0 if double else UNPACKED_LIMITS.get(getattr(_library(), "architecture", ""), 0)


@functools.cache
def _limit() -> tuple[tuple[int, int, int], object]:
    """Three addresses: of a record, and of the functions that read and set BLAS's number of threads.

    The record holds a lock, how many programs run now, and the number of threads that was found before the first of
    them. The addresses are 0 where there are no such functions. The second result must live as long as the addresses
    are in use.
    """
    library = _library()
    if library is None:
        return (0, 0, 0), None
    functions = _functions(library)
    record = (ctypes.c_int64 * 3)()
    get_threads, set_threads = (ctypes.cast(x, ctypes.c_void_p).value or 0 for x in functions)

    def begin_anew() -> None:
        _, running, found = record
        record[:] = [0, 0, 0]
        if running and found > 1:
            functions[1](int(found))

    renewed_in_child(begin_anew)  # no program runs in the child of a fork
    return (ctypes.addressof(record), get_threads, set_threads), (record, functions)


def _functions(library: LibController) -> list[Any]:
    """The functions that read and set a library's number of threads: OpenBLAS's own, or callbacks into Python."""
    for start, end in itertools.product(("", "scipy_"), ("", "64_", "_64")):
        with contextlib.suppress(AttributeError):
            return [library.dynlib[f"{start}openblas_{verb}_num_threads{end}"] for verb in ("get", "set")]
    return [
        ctypes.CFUNCTYPE(ctypes.c_int)(library.get_num_threads),
        ctypes.CFUNCTYPE(None, ctypes.c_int)(library.set_num_threads),
    ]


#: What the table of a limited call holds, in order.
LIMITED_CALL = ("function", "first", "second", "third", "record", "get", "set")


def limited(function: int, arguments: Sequence[int], *, products: bool) -> Array:
    """The table of a call of a function of three arguments: with BLAS at one thread if it runs products."""
    return np.array([function, *arguments, *(_limit()[0] if products else (0, 0, 0))], np.int64)


def add_limited(module: ir.Module, name: str) -> None:
    """Add the function `name` to a module: it makes the call that a table of `LIMITED_CALL` describes.

    Meanwhile BLAS uses one thread, as several of its own would cost a small product more than they gain. The number of
    threads belongs to the whole process: the first program that runs changes it, and the last one that ends restores
    it. Where the record's address is 0, the call is made and nothing else.
    """
    shift = _shift(module, f"{name}_shift")
    function = ir.Function(module, ir.FunctionType(I64, [I64.as_pointer()]), name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    table = [builder.load(builder.gep(function.args[0], [ir.Constant(I64, i)])) for i in range(len(LIMITED_CALL))]
    given = dict(zip(LIMITED_CALL, table, strict=True))
    limits = builder.icmp_signed("!=", given["record"], ir.Constant(I64, 0))
    threads = [given[x] for x in ("record", "get", "set")]
    with builder.if_then(limits):
        builder.call(shift, [*threads, ir.Constant(I64, 1)])
    called = builder.inttoptr(given["function"], ir.FunctionType(I64, [I64] * 3).as_pointer())
    status = builder.call(called, [given[x] for x in ("first", "second", "third")])
    with builder.if_then(limits):
        builder.call(shift, [*threads, ir.Constant(I64, -1)])
    builder.ret(status)


def _shift(module: ir.Module, name: str) -> ir.Function:
    """A function of (record, get, set, change): one more program runs, or one less, by the change of 1 or -1."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 4), name)
    function.linkage = "internal"
    address, get, put, change = function.args
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    lock = builder.inttoptr(address, I64.as_pointer())
    running, found = (builder.gep(lock, [ir.Constant(I64, i)]) for i in (1, 2))
    get_threads = builder.inttoptr(get, ir.FunctionType(I32, []).as_pointer())
    set_threads = builder.inttoptr(put, ir.FunctionType(ir.VoidType(), [I32]).as_pointer())
    wait, locked = (function.append_basic_block(x) for x in ("wait", "held"))
    builder.branch(wait)
    builder.position_at_end(wait)
    taken = builder.extract_value(builder.cmpxchg(lock, zero, one, "acquire", "monotonic"), 1)
    builder.cbranch(taken, locked, wait)
    builder.position_at_end(locked)
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
    builder.store_atomic(zero, lock, "release", 8)
    builder.ret_void()
    return function
