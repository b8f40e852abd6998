"""Memory with guards: what reads or writes outside an array, or an array that is gone, ends the process at once.

Every array that NumPy makes lies against a page that nobody may touch, after its last byte or before its first one; so
do the results that programs keep in their arena, which do not share memory here. What nobody has written yet, and the
arena before each run, is filled with bytes that are no number and no position. What was freed stays out of reach.

It is a plugin of pytest, for all native tests or any others (`make memory` does both sides):

    python -m pytest -p tests.guards --guards after tests/native
    python -m pytest -p tests.guards --guards before tests/native

Guarded are the arrays that the main thread makes after the plugin has been loaded, and all programs made from then on.
So what compiled code and SciPy's BLAS touch is checked to the byte, with the instructions of this processor. A program
that runs for smaller sizes than it was made for has room left behind its results, which is not checked.
"""

from __future__ import annotations

import atexit
import ctypes
import mmap
import threading
import weakref

import numpy as np
from llvmlite import binding, ir

PAGE = mmap.PAGESIZE
#: The same number on Linux and macOS; Python's `mmap` has no name for it.
MAP_FIXED = 0x10
#: Addresses are used once; so many bytes of them are reserved, which takes no memory.
RESERVED = 2**44
#: As float32 and float64 not a number, as a whole number -1, which is no position.
UNWRITTEN = 0xFF
SIDES = ("after", "before")


class Guards:
    """Gives out pieces of memory between pages that nobody may touch.

    Args:
        side: `after` to have the last byte of a piece before such a page, `before` to have the first one after it. On
            the other side of a piece such a page is less than a page away.
    """

    def __init__(self, side: str) -> None:
        self.side = side
        self.sizes: dict[int, int] = {}
        self._lock = threading.RLock()  # what is collected meanwhile may make arrays too
        system = ctypes.CDLL(None, use_errno=True)
        system.mmap.restype = ctypes.c_void_p
        system.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        system.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self._protect = system.mprotect
        self.take_back = _take_back(ctypes.cast(system.mmap, ctypes.c_void_p).value)
        place = system.mmap(None, RESERVED, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        if place == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), f"guards: the system does not reserve {RESERVED} bytes of addresses")
        self._next, self._end = place + PAGE, place + RESERVED

    def give(self, size: int) -> int:
        """The address of a new piece of so many bytes, all of them zero; 0 where there is no memory left."""
        room = max(-(-size // PAGE), 1) * PAGE
        with self._lock:  # programs are made in any thread
            start = self._next
            self._next += room + PAGE
        if start + room + PAGE > self._end or self._protect(start, room, mmap.PROT_READ | mmap.PROT_WRITE):
            return 0
        place = start + room - size if self.side == "after" else start
        self.sizes[place] = size
        return place


#: What frees: (nothing, the address of a piece, its size).
FREE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


def _take_back(map_: int) -> FREE:
    """A function that frees the memory of a piece, but not its addresses.

    It is native: arrays are freed while an exception is on its way, and when Python has ended.

    Args:
        map_: the address of the system's `mmap`.
    """
    whole, short = ir.IntType(64), ir.IntType(32)
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [whole] * 3), "take_back")
    builder = ir.IRBuilder(function.append_basic_block())
    _, place, size = function.args
    pages = whole(-PAGE)
    start = builder.and_(place, pages)
    end = builder.and_(builder.add(builder.add(place, size), whole(PAGE - 1)), pages)
    kind = ir.FunctionType(whole, [whole, whole, short, short, short, whole])
    system = builder.inttoptr(whole(map_), kind.as_pointer())
    # Mapped anew, it is one with the guards around it; the system counts pieces, and protected only it stays one.
    flags = short(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED)
    builder.call(system, [start, builder.sub(end, start), short(0), flags, short(-1), whole(0)])
    builder.ret_void()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(str(module)), machine)
    engine.finalize_object()
    _keep(engine)
    return FREE(engine.get_function_address("take_back"))


def _keep(thing: object) -> None:
    """Keep something until after Python has ended."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


class _Allocator(ctypes.Structure):
    _fields_ = (
        ("context", ctypes.c_void_p),
        ("malloc", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)),
        ("calloc", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)),
        ("realloc", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)),
        ("free", FREE),
    )


class _Handler(ctypes.Structure):
    """NumPy's `PyDataMem_Handler`, version 1."""

    _fields_ = (("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", _Allocator))


def _handler(guards: Guards) -> _Handler:
    """Functions that give NumPy its memory."""

    def malloc(_, size):
        place = guards.give(size)
        if place:
            ctypes.memset(place, UNWRITTEN, size)
        return place

    def calloc(_, count, size):
        return guards.give(count * size)

    def realloc(context, place, size):
        new = malloc(context, size)
        if place and new:
            ctypes.memmove(new, place, min(guards.sizes[place], size))
            guards.take_back(None, place, guards.sizes[place])
        return new

    kinds = [kind for _, kind in _Allocator._fields_[1:4]]
    functions = [kind(f) for kind, f in zip(kinds, (malloc, calloc, realloc), strict=True)]
    return _Handler(b"guards", 1, _Allocator(None, *functions, guards.take_back))


def _guard_arrays(guards: Guards) -> None:
    """Have NumPy take its memory from the guards, in this thread, from now on."""
    python = ctypes.pythonapi
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    python.PyCapsule_New.restype = ctypes.py_object
    python.PyCapsule_New.argtypes = [ctypes.c_void_p] * 3
    table = python.PyCapsule_GetPointer(np._core._multiarray_umath._ARRAY_API, None)
    address = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[304]  # PyDataMem_SetHandler
    handler = _handler(guards)
    name = ctypes.create_string_buffer(b"mem_handler")
    capsule = python.PyCapsule_New(ctypes.addressof(handler), ctypes.addressof(name), None)
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(address)
    atexit.register(set_handler, set_handler(capsule))  # at the end, those that were before
    _keep(handler)
    _keep(name)


def _guard_programs(guards: Guards) -> None:
    """Give every result in the arena of a program a piece of memory of its own, and spoil it before each run."""
    from chainrule.native.program import Program  # makes arrays when it is imported

    lay_out, run = Program._lay_out, Program.run

    def guarded_lay_out(program, functions):
        sizes = [max(node.spec.size * node.dtype.itemsize, 1) for node in program.offsets]
        places = [guards.give(size) for size in sizes]
        if not all(places):
            raise MemoryError("guards: no memory for a program")
        if places:
            pieces = list(zip(places, sizes, strict=True))
            weakref.finalize(program, lambda: [guards.take_back(None, *piece) for piece in pieces]).atexit = False
            first, program._start = places[0], 0
            program._base = first
            whole = (ctypes.c_uint8 * (places[-1] + sizes[-1] - first)).from_address(first)
            program._arena = np.frombuffer(whole, np.uint8)
            program.offsets = {node: place - first for node, place in zip(program.offsets, places, strict=True)}
        program.pieces = list(zip(places, sizes, strict=True))
        lay_out(program, functions)

    def guarded_run(program, fit=None):
        for place, size in program.pieces:
            ctypes.memset(place, UNWRITTEN, size)
        return run(program, fit)

    Program._lay_out, Program.run = guarded_lay_out, guarded_run


def guard(side: str) -> None:
    """Guard all arrays and programs that are made from now on, for the rest of the process."""
    guards = Guards(side)
    _guard_arrays(guards)
    _guard_programs(guards)


def pytest_addoption(parser):
    parser.addoption("--guards", choices=SIDES, required=True, help="the side of an array that its guard is on")


def pytest_configure(config):
    guard(config.getoption("--guards"))
