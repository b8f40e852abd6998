"""Several devices, and several processes, give what one device gives."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from chainrule.errors import DeviceError, RankError
from chainrule.xla import mesh
from tests.xla.steps_of_ranks import losses
from tests.xla.test_ranks import free_port

pytest.importorskip("jax")


def started(rank, ranks, coordinator="localhost:9876", devices=1, more=()):
    """A process of `steps_of_ranks`, on so many virtual devices."""
    flags = f"--xla_force_host_platform_device_count={devices} --xla_cpu_multi_thread_eigen=false"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {flags}"}
    command = [sys.executable, "-m", "tests.xla.steps_of_ranks", coordinator, str(rank), str(ranks), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def found(process):
    """What it printed last."""
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(said.splitlines()[-1])


def test_devices_and_processes_give_what_one_device_gives():
    """Two processes with two devices each."""
    at = f"127.0.0.1:{free_port()}"
    processes = [started(rank, 2, at, devices=2) for rank in range(2)]
    try:
        one, ranks = losses(), [found(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [x["devices"] for x in (one, *ranks)] == [1, 4, 4]
    assert [x["parts"] for x in (one, *ranks)] == [1, 4, 4]  # the table is cut by rows
    np.testing.assert_allclose(ranks[0]["losses"], one["losses"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(ranks[0]["sum"], one["sum"], atol=1e-5)
    assert ranks[0] == ranks[1]
    assert len(set(one["losses"])) > 90


@pytest.mark.parametrize(
    ("shape", "count", "axis"),
    [
        ((50, 4), 2, None),  # small: whole on each device
        ((5000, 4), 2, 0),
        ((5001, 4), 2, 1),
        ((5001, 5), 2, None),
        ((10**5,), 4, 0),
        ((), 4, None),
    ],
)
def test_large_arrays_are_cut_by_rows_or_columns(monkeypatch, shape, count, axis):
    monkeypatch.setattr(mesh, "LARGE", 10_000)
    assert mesh.cut_axis(shape, count) == axis


def test_what_xla_says_of_memory_tells_what_to_lower():
    error = RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 68719476736 bytes.\n more")
    told = mesh.explained(error)
    assert isinstance(told, DeviceError)
    assert (
        "out of memory: RESOURCE_EXHAUSTED: Out of memory allocating 68719476736 bytes.; lower the batch size"
        in str(told)
    )
    lost = mesh.explained(RuntimeError("UNKNOWN: Gloo AllGather failed: Connection reset by peer"))
    assert isinstance(lost, RankError)
    assert "another rank is lost: UNKNOWN: Gloo AllGather failed" in str(lost)
    other = RuntimeError("INTERNAL: something else")
    assert mesh.explained(other) is other


def test_no_device(monkeypatch):
    def none():
        raise RuntimeError("Unable to initialize backend 'cuda': no GPU\nmore")

    monkeypatch.setattr(mesh.jax, "devices", none)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with pytest.raises(DeviceError, match="there is no device of the kind cuda, which JAX_PLATFORMS asks for"):
        mesh.devices()
