"""Mesh: all devices that JAX has, of all ranks, and how arrays lie on them.

Training is data parallel: of a mini-batch, each device has a part of the rows or tokens, and of the parameters a copy.
The program is that of one device; where it needs numbers that lie elsewhere, such as in the sum of gradients, XLA puts
collectives in. Large tables and matrices would take the memory of each device, and so they and what the optimizer keeps
for them are cut: by rows, or where the number of rows is no multiple of the devices, by columns.

JAX's own settings say which devices there are, such as `CUDA_VISIBLE_DEVICES=0,1` or, to try it out on processor cores,
`XLA_FLAGS=--xla_force_host_platform_device_count=4`.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from chainrule.errors import DeviceError, RankError
from chainrule.graph.spec import Array

#: The one axis of the mesh.
AXIS = "devices"
#: State of so many numbers is cut, 64 MB in float32.
LARGE = 2**24
#: An argument is cut where each device gets so many rows.
LEAST_ROWS = 8
#: On processor cores, the host waits for the device after so many steps: collectives of many steps in flight take all
#: threads there are, and then none is left that could finish one.
STEPS_IN_FLIGHT = 4


class Layout:
    """How arrays lie on several devices.

    Args:
        devices: of all ranks, in the same order in each.
    """

    def __init__(self, devices: Sequence[Any]) -> None:
        self.count = len(devices)
        self.mesh = Mesh(np.array(devices), (AXIS,))
        self.everywhere = NamedSharding(self.mesh, PartitionSpec())
        self._waits = devices[0].platform == "cpu"
        self._in_flight = 0
        self._copied = jax.jit(lambda x: x, out_shardings=self.everywhere)

    def of_state(self, shape: Sequence[int]) -> NamedSharding:
        """How a parameter lies, or what an optimizer keeps for one: whole on each device, unless it is large."""
        axis = cut_axis(shape, self.count)
        return self.everywhere if axis is None else NamedSharding(self.mesh, PartitionSpec(*[None] * axis, AXIS))

    def of_argument(self, shape: Sequence[int]) -> NamedSharding:
        """How an argument of a call lies: cut by rows, where there are enough, and a multiple of the devices."""
        if shape and shape[0] % self.count == 0 and shape[0] >= LEAST_ROWS * self.count:
            return NamedSharding(self.mesh, PartitionSpec(AXIS))
        return self.everywhere

    def placed(self, array: Array, sharding: NamedSharding) -> Any:
        """An array that all ranks have, on the devices: each takes the part that is its own."""
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    def whole(self, array: Any) -> Any:
        """An array of which this process has all numbers; all ranks must ask for it."""
        if array.is_fully_addressable or array.is_fully_replicated:
            return array
        return self._copied(array)

    def pace(self, results: Any) -> None:
        """Wait for the devices after some steps, where too many in flight would never end."""
        self._in_flight += 1
        if self._waits and self._in_flight >= STEPS_IN_FLIGHT:
            self._in_flight = 0
            try:
                jax.block_until_ready(results)
            except jax.errors.JaxRuntimeError as error:
                raise explained(error) from error


def cut_axis(shape: Sequence[int], count: int) -> int | None:
    """The axis along which state is cut for so many devices: the first that is a multiple of them; None for none.

    Example:
        >>> cut_axis((1_000_000, 100), 4), cut_axis((999_999, 100), 4), cut_axis((1_000, 100), 4)
        (0, 1, None)
    """
    if math.prod(shape) < LARGE:
        return None
    return next((axis for axis, size in enumerate(shape) if size % count == 0), None)


@functools.cache
def layout() -> Layout | None:
    """That of all devices; None where there is one.

    Raises:
        DeviceError: when JAX finds none of the kind that it was told to use.
    """
    found = devices()
    return Layout(found) if len(found) > 1 else None


def devices() -> list[Any]:
    """All devices, of all ranks.

    Raises:
        DeviceError: when JAX finds none of the kind that it was told to use.
    """
    try:
        return jax.devices()
    except RuntimeError as error:
        asked = os.environ.get("JAX_PLATFORMS")
        told = f" of the kind {asked}, which JAX_PLATFORMS asks for" if asked else ""
        raise DeviceError(
            f"xla: there is no device{told}: {_first_line(error)}; leave JAX_PLATFORMS out for what there is, "
            f"or install JAX for the device, such as jax[cuda13]"
        ) from error


def explained(error: Exception) -> Exception:
    """An error of XLA as one a user can act on; the error itself where it is none of these."""
    text = str(error)
    if "RESOURCE_EXHAUSTED" in text or "Out of memory" in text:
        return DeviceError(
            f"xla: the device is out of memory: {_first_line(error)}; lower the batch size (--batch-size), cut long "
            f"texts, take a smaller model, or more devices, over which mini-batches and large tables are cut"
        )
    if "Gloo" in text or "NCCL" in text or "coordination service" in text:
        return RankError(
            f"xla: another rank is lost: {_first_line(error)}; go on by --resume (resume=True) with as many ranks as "
            f"are left, if there is a checkpoint"
        )
    return error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
