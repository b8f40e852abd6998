"""Subnormal numbers: native code makes none, and leaves everything else of a thread as it was."""

import threading

import numpy as np
import pytest

import chainrule
from chainrule import compile, tensor
from chainrule.nn import Linear

TINY = {dtype: np.finfo(dtype).tiny for dtype in ("float32", "float64")}


def makes_subnormals(dtype):
    """Whether NumPy, in this thread, computes with subnormals."""
    x = np.full(100, TINY[dtype], dtype)
    return bool(((x * 0.5) > 0).all() and ((x * 0.5) * 2 == x).all())


@pytest.mark.parametrize("dtype", TINY)
def test_a_subnormal_result_is_a_zero_of_its_sign(dtype):
    x = tensor(np.array([1, -1, 0.5, -0.5, 4], dtype) * TINY[dtype], dtype=dtype)
    found = compile(lambda x: x * 0.5)(x).numpy()
    np.testing.assert_array_equal(found, np.array([0, -0.0, 0, -0.0, 2], dtype) * TINY[dtype])
    np.testing.assert_array_equal(np.signbit(found), [False, True, False, True, False])


@pytest.mark.parametrize("dtype", TINY)
def test_other_code_of_the_thread_still_computes_with_subnormals(dtype):
    inside: list[bool] = []
    function = compile(lambda x: [x * 0.5, (x + x).sum()])
    assert makes_subnormals(dtype)
    function(tensor(np.ones(10), dtype=dtype))
    assert makes_subnormals(dtype)
    thread = threading.Thread(
        target=lambda: inside.extend([function(np.ones(10))[1].item() == 20, makes_subnormals(dtype)])
    )
    thread.start()
    thread.join()
    assert inside == [True, True]
    refuses = compile(lambda table, ids: chainrule.gather(table, ids))
    with pytest.raises(chainrule.errors.IndexRangeError):
        refuses(np.ones((3, 2)), np.array([0, 7]))
    assert makes_subnormals(dtype)


def test_workers_flush_as_the_calling_thread_does():
    x = np.full((4000, 500), 2 * TINY["float32"], np.float32)
    expected = np.zeros_like(x)
    for threads in (1, 2, 3):
        halves = compile(lambda x: chainrule.exp(x * 0.25) * (x * 0.25), threads=threads)
        for _ in range(3):
            np.testing.assert_array_equal(halves(tensor(x)).numpy(), expected)


@pytest.mark.parametrize(
    "optimizer", [chainrule.Adam(learning_rate=0.1), chainrule.SGD(learning_rate=0.1, momentum=0.5)]
)
def test_what_an_optimizer_remembers_decays_to_zero(optimizer):
    layer = Linear(3, 2, generator=np.random.default_rng(0))
    parameters = layer.parameters()
    state = optimizer.start(parameters)

    @compile
    def step(inputs):
        loss = layer(inputs).sum()
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    step(np.full((4, 3), 1e-18))
    assert any((x != 0).any() for x in state.arrays().values() if x.shape == layer.weight.shape)
    for _ in range(1000):
        step(np.zeros((4, 3)))
    remembered = [x for x in state.arrays().values() if x.shape == layer.weight.shape]
    assert remembered
    for x in remembered:
        assert not x.any()


@pytest.mark.parametrize("scale", [1, 20, 40, 200])
@pytest.mark.parametrize("dtype", TINY)
def test_gradients_of_saturated_softmax_agree_with_eager(scale, dtype):
    generator = np.random.default_rng(0)
    logits = tensor(scale * generator.normal(size=(64, 50)), dtype=dtype)
    weights = tensor(generator.normal(size=(64, 50)), dtype=dtype)

    def both(x):
        y = chainrule.softmax(x)
        return [y, chainrule.grad((y * weights).sum(), x), chainrule.logsumexp(x), chainrule.log_softmax(x)]

    tolerance = {"float32": 3e-6, "float64": 1e-14}[dtype]
    for number, (found, exact) in enumerate(zip(compile(both)(logits), both(logits), strict=True)):
        largest = np.abs(exact.numpy()).max()  # differences in the gradient cancel, and lose digits of the largest
        least = TINY[dtype] * 1000 if number == 0 else tolerance * largest
        np.testing.assert_allclose(found.numpy(), exact.numpy(), rtol=tolerance, atol=least)
