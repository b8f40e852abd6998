"""Rows on the device: a step is told their numbers, and reads what the host would have sent."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.data import Examples, Ragged
from chainrule.engines import engine_named
from chainrule.xla import source
from chainrule.xla.device import TRANSFER, wide
from tests.xla.test_training import FEW_EQUATIONS, trained


def examples():
    """Rows with ids, targets, numbers of two columns, and classes; some rows are empty."""
    lengths = np.array([3, 0, 5, 1, 0, 2])
    ids = Ragged(np.arange(1, 12, dtype=np.int32), np.concatenate([[0], np.cumsum(lengths)]))
    targets = Ragged(np.arange(50, 59, dtype=np.int32), np.array([0, 2, 4, 4, 7, 8, 9]))
    numbers = np.arange(12, dtype=np.float32).reshape(6, 2)
    return Examples({"ids": ids, "target_ids": targets, "numbers": numbers, "classes": np.arange(6) * 10})


def test_what_a_step_reads_is_what_the_host_would_send():
    rows = examples()
    held = engine_named("xla").source(rows)
    assert engine_named("xla").source(rows) is held  # sent once
    for numbers in ([4, 2, 2, 0], [1], [1, 4], [5, 4, 3, 2, 1, 0]):
        batch = rows.take(np.array(numbers))
        arrays = list(batch.arrays().values())
        offsets = {i: jnp.asarray(x) for i, x in enumerate(arrays) if i not in held.taken}
        sizes = {i: len(arrays[i]) + 3 for i in held.taken}  # rounded up
        with wide():
            read = jax.jit(functools.partial(held.read, sizes=sizes))
            found = read(held.arrays, held.chosen(batch).numbers, offsets)
        assert set(found) | set(offsets) == set(range(len(arrays)))
        for i, x in found.items():
            expected = arrays[i] if i not in (0, 2) else np.concatenate([arrays[i], np.zeros(3, np.int32)])
            np.testing.assert_array_equal(np.asarray(x), expected)
            assert x.dtype == expected.dtype


def test_which_rows_a_mini_batch_has():
    rows = examples()
    held = engine_named("xla").source(rows)
    taken = rows.take(np.array([5, 3, 1, 0]))
    np.testing.assert_array_equal(held.chosen(taken.slice(1, 3)).numbers, [3, 1])
    np.testing.assert_array_equal(held.chosen(taken.take(np.array([3, 0]))).numbers, [0, 5])
    assert held.chosen(rows.slice(1, 3)) is None  # it was not taken by numbers
    assert held.chosen(examples().take(np.array([0]))) is None  # of other rows
    assert engine_named("native").source(rows) is engine_named("eager").source(rows) is None


class Device:
    """With so much memory, of which half is free."""

    def __init__(self, nbytes):
        self.memory_stats = lambda: {"bytes_limit": nbytes, "bytes_in_use": nbytes // 2}


@pytest.mark.parametrize(("times", "held"), [(8, True), (7, False)])
def test_rows_that_do_not_fit_are_sent(monkeypatch, times, held):
    rows = examples()
    nbytes = sum(x.nbytes for x in rows.arrays().values())
    monkeypatch.setattr(jax, "devices", lambda: [Device(times * nbytes)])
    assert source._fit(rows) is held


def test_a_training_sends_numbers_of_rows_and_learns_the_same(monkeypatch):
    def run(number):
        before = TRANSFER.sent
        losses, fit = trained("bow", "xla", number, **FEW_EQUATIONS, epochs=10)
        return losses, [x.numpy() for x in fit.model.network.parameters()], TRANSFER.sent - before

    losses, told, few = run("of rows")
    monkeypatch.setattr(source, "_fit", lambda rows: False)
    again, sent, many = run("with ids")
    assert losses == again
    for a, b in zip(told, sent, strict=True):
        np.testing.assert_array_equal(a, b)
    ids, epochs = 16 * 8 * 4, 10
    assert many - few > ids * (epochs - 3)
