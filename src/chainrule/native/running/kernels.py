"""The machine code of this process: kernels are compiled once, kept on disk, and shared by all programs.

All kernels that a program needs and the process lacks become one module, one object file and one file of the cache. Yet
each has a key of its own, by which other programs find it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llvmlite import ir

from chainrule.graph.spec import FLOAT64
from chainrule.native.llvm.emit import add_kernel
from chainrule.native.llvm.machine import identity, load, object_code
from chainrule.native.loops.kernel import Kernel
from chainrule.native.loops.steps import Loop, Product, Step
from chainrule.native.running import blas, cache
from chainrule.native.running.driver import add_driver, add_worker
from chainrule.native.running.products import add_product

#: Adds a function to a module, under a given name.
Maker = Callable[[ir.Module, str], None]
#: The keys of the functions that are not kernels: `add_driver`, `blas.add_limited` and `add_worker` make them.
DRIVER, LIMITED, WORKER = "driver", "limited", "worker"


class _Kernels:
    """Functions in machine code, each by the text of what it was compiled from. Several threads may use it at once.

    Attributes:
        found: the address of each function, by its key.
        compiled: how many functions were not found on disk.
        seconds: the time that loading and compiling took.
    """

    def __init__(self) -> None:
        self.found: dict[str, int] = {}
        self.seconds = 0.0
        self.compiled = 0
        self._names: dict[str, int] = {}
        self._loaded: list[Any] = []
        self._lock = threading.Lock()

    def compile(self, steps: Sequence[Step]) -> list[int]:
        """The address of each step's machine code, loaded or compiled where it is missing; 0 for a block in NumPy."""
        keys = [key_of(step) for step in steps]
        self.require(
            [step.kernel for step in steps if isinstance(step, Loop)],
            {is_double(step) for step in steps if isinstance(step, Product)},
        )
        return [0 if key is None else self.found[key] for key in keys]

    @functools.cached_property
    def driver(self) -> int:
        """The address of the function that runs the steps of a program; see `add_driver`."""
        self.require([])
        return self.found[DRIVER]

    @functools.cached_property
    def limited(self) -> Callable[[ctypes.c_void_p], int]:
        """The function that makes the call that a table describes; see `blas.add_limited`."""
        self.require([])
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self.found[LIMITED])

    @functools.cached_property
    def worker(self) -> Callable[[int, int], int]:
        """The function that a worker of the pool runs; see `add_worker`."""
        self.require([], workers=True)
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)(self.found[WORKER])

    def require(self, kernels: Iterable[Kernel], products: Iterable[bool] = (), *, workers: bool = False) -> None:
        """Load the functions of a program, or compile all that are missing together.

        Args:
            kernels: its kernels.
            products: for each kind of matrix product, whether it is of float64.
            workers: whether it needs the function of the pool's workers.
        """
        wanted: dict[str, Maker] = {DRIVER: add_driver, LIMITED: blas.add_limited}
        wanted |= {WORKER: add_worker} if workers else {}
        wanted |= {_product_key(double): functools.partial(add_product, double=double) for double in products}
        wanted |= {kernel.key: functools.partial(add_kernel, kernel=kernel) for kernel in kernels}
        with self._lock:
            missing = [key for key in wanted if key not in self.found]
            if not missing:
                return
            started = time.perf_counter()
            names = {key: _name(key) for key in missing}
            for name in names.values():
                if name not in self._names and (kept := cache.read(name)) is not None:
                    self._load(*kept)
            new = {names[key]: wanted[key] for key in missing if names[key] not in self._names}
            if new:
                module = ir.Module(name="kernels")
                for name, make in new.items():
                    make(module, name)
                code = object_code(module)
                cache.keep(list(new), code)
                self._load(list(new), code)
                self.compiled += len(new)
            self.found |= {key: self._names[names[key]] for key in missing}
            self.seconds += time.perf_counter() - started

    def _load(self, names: list[str], code: bytes) -> None:
        """Load object code, and note the addresses of its functions."""
        addresses, engine = load(code, names)
        self._names.update(zip(names, addresses, strict=True))
        self._loaded.append(engine)


def key_of(step: Step) -> str | None:
    """The key of a step's function; None for a block that runs in NumPy."""
    if isinstance(step, Loop):
        return step.kernel.key
    return _product_key(is_double(step)) if isinstance(step, Product) else None


def _product_key(double: bool) -> str:
    return f"product {double}"


def is_double(step: Product) -> bool:
    """Whether a product is of float64, not of float32."""
    return step.output.dtype == FLOAT64


def _name(key: str) -> str:
    """The name of a function in object code and on disk: a hash of all that its machine code depends on."""
    return hashlib.sha256(f"{identity()}\n{key}".encode()).hexdigest()


KERNELS = _Kernels()
