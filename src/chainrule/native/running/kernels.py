"""The machine code of this process: kernels are compiled once, kept on disk, and shared by all programs.

The kernels that a program needs and the process lacks become modules of some 30, object files and files of the cache.
Yet each has a key of its own, by which other programs find it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from llvmlite import ir

from chainrule.blocks.attention_gradient import AttendGradient
from chainrule.dataclasses import dataclass
from chainrule.forks import LOADING, once
from chainrule.graph.spec import FLOAT64
from chainrule.native.llvm.machine import identity, load, object_code
from chainrule.native.loops.kernel import Kernel, Signature
from chainrule.native.loops.steps import Attending, Leveled, Loop, Product, Recurrence, Step, with_inner
from chainrule.native.running import blas, cache
from chainrule.native.running.attention import add_attention
from chainrule.native.running.driver import add_driver, add_worker
from chainrule.native.running.levels import add_levels
from chainrule.native.running.products import add_product
from chainrule.native.running.recurrence import add_recurrence

#: Adds a function to a module, under a given name.
Maker = Callable[[ir.Module, str], None]
#: The keys of the functions that are not kernels: `add_driver`, `blas.add_limited`, `add_recurrence`, `add_levels` and
#: `add_worker` make them.
DRIVER, LIMITED, RECURRENCE, LEVELS, WORKER = "driver", "limited", "recurrence", "levels", "worker"


#: So many functions become one file of object code. A file more takes a millisecond to load.
COMPILED_TOGETHER = 32
#: So many codes are kept that no program holds any longer, as another program often needs their functions again.
CODES_KEPT = 256


@dataclass(eq=False)
class Code:
    """Machine code that was loaded at once, of some functions. It is freed with this object.

    Attributes:
        addresses: the address of each function, by its name.
        engine: what holds the memory.
        wanted: the names of the functions that programs have asked for.
    """

    addresses: dict[str, int]
    engine: Any
    wanted: set[str] = field(default_factory=set)


class Function(NamedTuple):
    """The address of a function, and the code that must live for as long as it may be called."""

    address: int
    code: Code | None = None


class MissingCodeError(Exception):
    """The machine code of a kernel of which only the signature is known is neither loaded nor on disk."""


class _Kernels:
    """Functions in machine code, each by the text of what it was compiled from. Several threads may use it at once.

    A program holds the code of its functions. Code that no program holds is freed, but for that which was used last.

    Attributes:
        loaded: how many functions have been loaded so far.
        compiled: how many of these were not found on disk.
        seconds: the time that loading and compiling took.
    """

    def __init__(self) -> None:
        self.loaded = self.compiled = 0
        self.seconds = 0.0
        self._codes: WeakValueDictionary[str, Code] = WeakValueDictionary()  # by the names of their functions
        self._recent: dict[Code, None] = {}  # the one that was used last is at the end
        self._always: list[Function] = []

    def compile(self, steps: Sequence[Step]) -> list[Function]:
        """Each step's machine code, loaded or compiled where it is missing; at address 0 for a block in NumPy."""
        every = list(with_inner(steps))
        found = self.require(
            [step.kernel for step in every if isinstance(step, Loop)],
            {is_double(step) for step in every if isinstance(step, Product)},
            {attention_kind(step) for step in every if isinstance(step, Attending)},
            recurrence=any(isinstance(step, Recurrence) for step in every),
            levels=any(isinstance(step, Leveled) for step in every),
        )
        return [Function(0) if key is None else found[key] for key in map(key_of, steps)]

    @once
    def driver(self) -> int:
        """The address of the function that runs the steps of a program; see `add_driver`."""
        return self._for_good(DRIVER)

    @once
    def limited(self) -> Callable[[ctypes.c_void_p], int]:
        """The function that makes the call that a table describes; see `blas.add_limited`."""
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self._for_good(LIMITED))

    @once
    def worker(self) -> Callable[[int, int], int]:
        """The function that a worker of the pool runs; see `add_worker`."""
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)(self._for_good(WORKER))

    def _for_good(self, key: str) -> int:
        """The address of a function that stays loaded."""
        function = self.require([], workers=key == WORKER)[key]
        self._always.append(function)
        return function.address

    def require(
        self,
        kernels: Iterable[Kernel | Signature],
        products: Iterable[bool] = (),
        attention: Iterable[tuple[bool, bool, bool]] = (),
        *,
        recurrence: bool = False,
        levels: bool = False,
        workers: bool = False,
    ) -> dict[str, Function]:
        """The functions of a program, by their keys: loaded, or compiled, all together, where they are missing.

        Args:
            kernels: its kernels.
            products: for each kind of matrix product, whether it is of float64.
            attention: for each kind of attention, whether it is of float64, the gradient, and drops probabilities.
            recurrence: whether it repeats steps.
            levels: whether it computes groups of rows.
            workers: whether it needs the function of the pool's workers.

        Raises:
            MissingCodeError: for a signature without code.
        """
        makers: dict[str, Maker] = {DRIVER: add_driver, LIMITED: blas.add_limited}
        makers |= {RECURRENCE: add_recurrence} if recurrence else {}
        makers |= {LEVELS: add_levels} if levels else {}
        makers |= {WORKER: add_worker} if workers else {}
        makers |= {_product_key(double): functools.partial(add_product, double=double) for double in products}
        makers |= {
            _attention_key(double, gradient, dropped): functools.partial(
                add_attention, double=double, gradient=gradient, dropped=dropped
            )
            for double, gradient, dropped in attention
        }
        makers |= {kernel.key: _maker(kernel) for kernel in kernels}
        names = {key: _name(key) for key in makers}
        with LOADING:
            started = time.perf_counter()
            found = {name: self._codes[name] for name in names.values() if name in self._codes}
            for name in names.values():
                if name not in found and (kept := cache.read(name)) is not None:
                    found |= self._load(*kept)
            new = {name: makers[key] for key, name in names.items() if name not in found}
            for some, code in _compiled(new):
                cache.keep(some, code)
                found |= self._load(some, code)
                self.compiled += len(some)
            for name in names.values():
                self._use(found[name], name)
            self.seconds += time.perf_counter() - started
        return {key: Function(found[name].addresses[name], found[name]) for key, name in names.items()}

    def _load(self, names: list[str], content: bytes) -> dict[str, Code]:
        """Load object code; the code of each of its functions, by their names."""
        addresses, engine = load(content, names)
        loaded = dict.fromkeys(names, Code(dict(zip(names, addresses, strict=True)), engine))
        self._codes.update(loaded)
        return loaded

    def _use(self, code: Code, name: str) -> None:
        """Note that a function is wanted, and that its code was used last."""
        self.loaded += name not in code.wanted
        code.wanted.add(name)
        self._recent.pop(code, None)
        self._recent[code] = None
        if len(self._recent) > CODES_KEPT:
            del self._recent[next(iter(self._recent))]


def _compiled(makers: dict[str, Maker]) -> list[tuple[list[str], bytes]]:
    """Functions as object code: the names of those that lie in one file, and the file.

    While LLVM compiles some, in a thread of its own, Python writes the next ones. LLVM takes one thread at a time.
    """
    names = list(makers)
    files = [names[first : first + COMPILED_TOGETHER] for first in range(0, len(names), COMPILED_TOGETHER)]

    def written(some: list[str]) -> ir.Module:
        module = ir.Module(name="kernels")
        for name in some:
            makers[name](module, name)
        return module

    if len(files) <= 1:
        return [(some, object_code(written(some))) for some in files]
    from concurrent.futures import ThreadPoolExecutor  # only where much is compiled

    with ThreadPoolExecutor(1) as beside:
        coming = [beside.submit(object_code, written(some)) for some in files]
    return [(some, code.result()) for some, code in zip(files, coming, strict=True)]


def _maker(kernel: Kernel | Signature) -> Maker:
    """Adds a kernel to a module."""

    def add(module: ir.Module, name: str) -> None:
        if isinstance(kernel, Signature):
            raise MissingCodeError(f"{module.name}: {name}")
        from chainrule.native.llvm.emit import add_kernel  # only where one is compiled

        add_kernel(module, name, kernel)

    return add


def key_of(step: Step) -> str | None:
    """The key of a step's function; None for a block that runs in NumPy."""
    if isinstance(step, Loop):
        return step.kernel.key
    if isinstance(step, Recurrence):
        return RECURRENCE
    if isinstance(step, Leveled):
        return LEVELS
    if isinstance(step, Attending):
        return _attention_key(*attention_kind(step))
    return _product_key(is_double(step)) if isinstance(step, Product) else None


def _product_key(double: bool) -> str:
    return f"product {double}"


def _attention_key(double: bool, gradient: bool, dropped: bool) -> str:
    return f"attention {double} {gradient} {dropped}"


def is_double(step: Product | Attending) -> bool:
    """Whether a product, or attention, is of float64, not of float32."""
    return step.output.dtype == FLOAT64


def attention_kind(step: Attending) -> tuple[bool, bool, bool]:
    """Whether attention is of float64, whether it is the gradient, and whether it drops probabilities."""
    block = step.output.block
    return is_double(step), isinstance(block, AttendGradient), bool(getattr(block, "rate", 0.0))


def _name(key: str) -> str:
    """The name of a function in object code and on disk: a hash of all that its machine code depends on."""
    return hashlib.sha256(f"{identity()}\n{key}".encode()).hexdigest()


KERNELS = _Kernels()
