"""Arrays on a device: parameters that stay there between steps, and results that arrive when someone reads them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import jax
import numpy as np

from chainrule.graph.spec import Array, Spec
from chainrule.graph.tensor import Tensor
from chainrule.xla.mesh import explained, layout


def wide() -> AbstractContextManager[Any]:
    """While this lasts, JAX has dtypes of 64 bits, which indices and coefficients need; the user's setting stays."""
    return jax.enable_x64(True)  # type: ignore[no-any-return]


def on_cpu() -> bool:
    """Whether the device is a CPU."""
    return bool(jax.default_backend() == "cpu")


#: Of a GPU's compiler. It would time several algorithms for each product, which takes most of the time that compiling
#: takes, and may choose another one in another process, whose sums have other bits.
GPU_OPTIONS = {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False}


@functools.cache
def compiler_options() -> dict[str, Any] | None:
    """Options of XLA for the device, as far as this version of it knows them."""
    if jax.default_backend() not in ("gpu", "cuda", "rocm"):
        return None
    known = {}
    for name, value in GPU_OPTIONS.items():
        try:
            jax.jit(lambda x: x + 1, compiler_options={name: value})(np.float32(1)).block_until_ready()
        except Exception:  # noqa: BLE001  (which one it raises is not said)
            continue
        known[name] = value
    return known or None


class Transfer:
    """Bytes that went between host and device, and how often; see `TRANSFER`.

    Attributes:
        sent: bytes to the device.
        fetched: bytes from it.
        calls: runs of compiled functions.
    """

    def __init__(self) -> None:
        self.sent = self.fetched = self.calls = 0

    def __str__(self) -> str:
        return f"{self.sent:,} bytes to the device and {self.fetched:,} from it in {self.calls:,} calls"


#: Of this process.
TRANSFER = Transfer()


def put(array: Array) -> Any:
    """An array of the host on the device, as a copy: the host may write into its own; of several, see `Layout`."""
    TRANSFER.sent += array.nbytes
    copy, laid = np.array(array, order="C"), layout()
    with wide():
        return jax.device_put(copy) if laid is None else laid.placed(copy, laid.of_state(copy.shape))


def fetched(array: Any) -> Array:
    """An array of the device in the memory of the host, as a copy."""
    TRANSFER.fetched += array.nbytes
    laid = layout()
    try:
        with wide():
            return np.array(array if laid is None else laid.whole(array))
    except jax.errors.JaxRuntimeError as error:
        raise explained(error) from error


class OnDevice:
    """The value of a leaf while it is on the device.

    Attributes:
        array: as JAX has it.
    """

    def __init__(self, array: Any) -> None:
        self.array = array

    def fetch(self) -> Array:
        """A copy in the memory of the host."""
        return fetched(self.array)

    def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that changes leaves, for the same device."""
        from chainrule.xla.compile import compile  # which compiles programs that have their leaves here

        return compile(function)


class Coming:
    """An array that the device may still be computing; who reads it waits, and it is fetched once."""

    __slots__ = ("_array", "_fetched")

    def __init__(self, array: Any) -> None:
        self._array = array
        self._fetched: Array | None = None

    def fetch(self) -> Array:
        """A copy in the memory of the host."""
        if self._fetched is None:
            self._fetched, self._array = fetched(self._array), None
        return self._fetched


class Arriving(Tensor):
    """A result that the device may still be computing: whoever reads the value waits for it.

    Args:
        spec: of the result.
        coming: what it is a part of.
        part: of all of it: its place in a row of scalars, or what is real; None for all.
    """

    __slots__ = ("_coming", "_part", "_value")

    def __init__(self, spec: Spec, coming: Coming, part: int | tuple[slice, ...] | None = None) -> None:
        self._coming: Coming | None = coming
        self._part = part
        self._value: Array | None = None
        super().__init__(spec)

    @property
    def known(self) -> bool:
        """Whether it has a value: it has, or will."""
        return True

    @property
    def value(self) -> Array | None:
        """The NumPy array, without what is not real."""
        if self._value is None and self._coming is not None:
            found = self._coming.fetch()
            self._value = found if self._part is None else np.array(found[self._part], order="C")
            self._coming = None
        return self._value

    @value.setter
    def value(self, value: Array | None) -> None:
        self._value = value

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """The state for copies and pickles: it has arrived."""
        self.numpy()
        names = {*Tensor.__slots__, *self.__slots__} - {"__weakref__", "value"}
        return None, {name: getattr(self, name) for name in names}
