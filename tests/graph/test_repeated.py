"""What an operation finds out once is right for all later inputs, and what it leaves out is not missed."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import chainrule
from chainrule import Spec, tensor
from chainrule.errors import DTypeError, ShapeError
from chainrule.graph import block, errstate
from chainrule.graph.block import Elementwise


def test_numbers_that_are_equal_stay_apart():
    x = tensor([1.0, 2.0])
    for _ in range(2):
        assert np.signbit((x * -0.0).numpy()).all()
        assert not np.signbit((x * 0.0).numpy()).any()
        assert (x * 1e30).numpy().tolist() == [float(np.float32(1e30)), float(np.float32(2e30))]
        with pytest.raises(DTypeError, match="tensor: dtype object"):
            x * int(1e30)
        assert (x * True).dtype == x.dtype
        assert (tensor([1, 2]) * 1.5).dtype == np.float32
        assert (tensor([1.0], dtype="float64") * 0.1).item() == 0.1


def test_a_number_beside_a_tensor_is_written_by_nobody():
    for _ in range(2):
        y = tensor([1.0]) * 3
    with pytest.raises(ValueError, match="read-only"):
        y.inputs[1].numpy()[...] = 4


def test_errors_are_the_same_each_time():
    messages = set()
    for _ in range(3):
        with pytest.raises(ShapeError) as raised:
            tensor(np.ones((2, 3))) + tensor(np.ones((3, 2)))
        messages.add(str(raised.value))
    assert len(messages) == 1


def test_a_shape_rule_is_asked_once_for_the_same_specs(monkeypatch):
    asked = []

    class Twice(Elementwise):
        def infer(self, *specs):
            asked.append(specs)
            return super().infer(*specs)

        def forward(self, xp, x):
            return x + x

        def backward(self, gradient, output, x):
            return (gradient + gradient,)

    twice = Twice()
    for size in (2, 3, 2, 3):
        assert twice(tensor(np.ones(size))).shape == (size,)
    assert twice([1.0, 1.0]).shape == (2,)
    assert twice(np.ones(4)).shape == twice([1, 2, 3, 4]).shape == twice(np.ones(4)).shape == (4,)
    assert [specs[0].shape for specs in asked] == [(2,), (3,), (4,), (4,)]  # of floats, and of integers
    assert twice([1, 2, 3, 4]).dtype == np.int64
    monkeypatch.setattr(block, "MOST_FOUND", 3)
    for size in range(9):
        twice(tensor(np.ones(size)))
    assert len(twice._found) <= 3


def test_blocks_with_the_same_settings_are_one():
    kind = type(chainrule.tensor([[1.0]]).sum().block)
    assert kind.of((0,), True) is kind.of((0,), True)
    assert kind.of((0,), True) is not kind.of((0,), False)
    for held in (kind.of((0,), True), chainrule.add):
        for other in (copy.copy(held), copy.deepcopy(held), pickle.loads(pickle.dumps(held))):
            assert other == held
            assert repr(other) == repr(held)
    assert copy.deepcopy(kind.of((0,), True))(np.ones((2, 3))).shape == (1, 3)


def test_what_numpy_warns_of_is_as_the_user_left_it():
    x = tensor([0.0, 3e38])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = np.geterr()
        y = (x * x / x).sum()
        chainrule.grad(y, x)
        assert np.geterr() == before
        with pytest.raises(RuntimeWarning, match="divide by zero"):
            np.ones(1) / np.zeros(1)
        with np.errstate(all="raise"):
            assert (1 / x).numpy()[0] == np.inf
            with pytest.raises(FloatingPointError):
                np.ones(1) / np.zeros(1)


def test_an_error_in_forward_leaves_numpys_setting_alone():
    class Wrong(Elementwise):
        def forward(self, xp, x):
            raise ValueError("no")

        def backward(self, gradient, output, x):
            return (gradient,)

    before = np.geterr()
    with pytest.raises(chainrule.errors.BlockError, match="forward failed: no"):
        Wrong()([1.0])
    assert np.geterr() == before


def test_the_setting_of_numpy_is_found_and_can_do_without():
    variable = errstate.errors_now.__self__
    assert not isinstance(variable, errstate.Slowly)  # else operations are slow: see what NumPy changed
    slowly = errstate.Slowly()
    before = np.geterr()
    state = slowly.set(None)
    assert set(np.geterr().values()) == {"ignore"}
    slowly.reset(state)
    assert np.geterr() == before
    assert slowly.get() is None


def test_specs_are_compared_by_shape_and_dtype():
    spec = Spec((2, 3), np.dtype("float32"))
    assert spec == Spec((2, 3))
    assert {spec: 1}[Spec((2, 3))] == 1
    assert spec != Spec((2, 3), np.dtype("float64"))
    assert repr(spec) == "float32(2, 3)"
